"""Time in whole nanoseconds: the numbers everybody needs and no clock."""

from __future__ import annotations

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
FOREVER_NS = 1 << 62
"""No wake at all; later than any clock of ours will ever show (146 years)."""
