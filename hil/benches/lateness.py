"""How late injected bytes are against their due times: percentiles from a histogram, in constant memory."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from drivers.errors import BenchError

NS_PER_US = 1000
_STEPS = (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)
"""A decade in steps of a fifth."""

LE_US: tuple[int, ...] = tuple(step * 10**power for power in range(6) for step in _STEPS)
"""Upper bounds, 10 us to 8.2 s."""

SHOWN_LE_US = (50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 1_000_000)
"""Upper bounds of the histogram in results."""


class Lateness:
    """Counts bytes. `max_ns` is exact, percentiles are upper bounds of a step of a fifth, interpolated within."""

    def __init__(self) -> None:
        self.count = 0
        self.max_ns = 0
        self._counts = [0] * (len(LE_US) + 1)
        self._shown = [0] * (len(SHOWN_LE_US) + 1)

    def add(self, count: int, late_ns: int) -> None:
        """So many bytes, so late. Raises BenchError for bytes before their time."""
        if late_ns < 0:
            raise BenchError(f"{count} bytes went out {-late_ns} ns before their time")
        late_us = -(-late_ns // NS_PER_US)
        self._counts[bisect_left(LE_US, late_us)] += count
        self._shown[bisect_left(SHOWN_LE_US, late_us)] += count
        self.count += count
        self.max_ns = max(self.max_ns, late_ns)

    def percentile_us(self, per_mille: int) -> float:
        """What so many of a thousand bytes keep, e.g. ``percentile_us(500)``; 0 where nothing was counted."""
        wanted, before = self.count * per_mille / 1000, 0
        for n, count in enumerate(self._counts):
            if count and before + count >= wanted:
                low = LE_US[n - 1] if n else 0
                high = min(LE_US[n] if n < len(LE_US) else self.max_ns / NS_PER_US, self.max_ns / NS_PER_US)
                return round(low + max(0.0, high - low) * (wanted - before) / count, 1)
            before += count
        return 0.0

    def as_json(self) -> dict[str, Any]:
        """The `lateness_us` of hil-result.schema.json."""
        return {
            "count": self.count,
            "p50": self.percentile_us(500),
            "p99": self.percentile_us(990),
            "p999": self.percentile_us(999),
            "max": self.max_ns / NS_PER_US,
            "histogram": {"le_us": list(SHOWN_LE_US), "count": list(self._shown)},
        }
