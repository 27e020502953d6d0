"""What a running controller tells of its feed: as of now, and how far the signal's clock is ahead of ours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from controllers.service.report import _of_policy
from drivers.units import NS_PER_MS, NS_PER_S


class Policy:
    """Its controller's clock said 250,000 ms of the year when ours stood at 1,000 ms."""

    def __init__(self, message_ms: int = 250_000) -> None:
        self.asked_ns = -1
        self.offset_ms = 1_000 - message_ms

    def figures(self, now_ns: int) -> dict[str, Any]:
        self.asked_ns = now_ns
        return {"feed": {"state": "locked", "offset_ms": self.offset_ms}}


def utc_ns(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp()) * NS_PER_S  # type: ignore[arg-type, misc]


def test_a_policy_is_asked_as_of_now() -> None:
    policy = Policy()
    _of_policy(policy, 7 * NS_PER_S, None)
    assert policy.asked_ns == 7 * NS_PER_S


@pytest.mark.parametrize(("seconds", "ahead_ms"), [(250, 0), (249, 1_000), (251, -1_000)])
def test_a_clock_is_told_beside_this_machines(seconds: int, ahead_ms: int) -> None:
    now_utc_ns = utc_ns(2026, 1, 1) + seconds * NS_PER_S
    assert _of_policy(Policy(), 1_000 * NS_PER_MS, now_utc_ns)["feed"]["ahead_ms"] == ahead_ms


@pytest.mark.parametrize("year", [2027, 2028, 2029])
def test_on_either_side_of_new_year_a_clock_is_a_second_off_and_no_year(year: int) -> None:
    just_before = utc_ns(year, 1, 1) - NS_PER_S
    assert _of_policy(Policy(0), 1_000 * NS_PER_MS, just_before)["feed"]["ahead_ms"] == 1_000


def test_without_a_date_or_a_lock_nothing_is_said() -> None:
    assert "ahead_ms" not in _of_policy(Policy(), 0, None)["feed"]
    assert _of_policy(object(), 0, utc_ns(2026, 1, 1)) == {}
