"""Settings of all tests: a machine that is busy or stands still for a second is no fault of what is tested."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from own_terminals import take_own_terminals

# Of the present profile, which is Hypothesis's own one for CI (always the same examples) where CI is set.
settings.register_profile(
    "busy machine", parent=settings(), deadline=None, suppress_health_check=(HealthCheck.too_slow,)
)
settings.load_profile("busy machine")


def pytest_configure(config: pytest.Config) -> None:
    """Of several test processes beside each other, each has terminals of its own."""
    if hasattr(config, "workerinput"):
        take_own_terminals()
