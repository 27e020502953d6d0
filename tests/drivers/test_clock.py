"""Clocks: the machine's, and one that goes where it is told."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import Clock, SystemClock, VirtualClock, cpu_time_ns
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S


def test_the_units_fit_together() -> None:
    assert NS_PER_S == 1000 * NS_PER_MS == 10**9
    assert FOREVER_NS > 100 * 365 * 24 * 3600 * NS_PER_S
    assert FOREVER_NS + FOREVER_NS - 1 < 2**63  # a wake and a span from it still fit where 64 bits are the limit


def test_the_system_clock_never_wakes_before_its_deadline() -> None:
    clock: Clock = SystemClock()
    for wait_ns in (1, NS_PER_MS, 3 * NS_PER_MS):
        deadline_ns = clock.now_ns() + wait_ns
        clock.sleep_until_ns(deadline_ns)
        assert clock.now_ns() >= deadline_ns


def test_a_deadline_that_has_passed_is_no_wait() -> None:
    clock = SystemClock()
    clock.sleep_until_ns(0)
    clock.sleep_until_ns(-FOREVER_NS)
    assert clock.now_ns() > 0


def test_times_are_whole_nanoseconds_and_do_not_go_back() -> None:
    clock = SystemClock()
    times = [clock.now_ns() for _ in range(100)]
    assert all(isinstance(t_ns, int) for t_ns in times)
    assert all(one <= two for one, two in itertools.pairwise(times))
    assert isinstance(clock.utc_ns(), int)
    assert clock.utc_ns() > 1_700_000_000 * NS_PER_S
    assert isinstance(cpu_time_ns(), int)


@given(st.integers(0, FOREVER_NS), st.lists(st.integers(-FOREVER_NS, FOREVER_NS)))
def test_a_virtual_clock_jumps_to_its_deadlines_and_never_back(start_ns: int, deadlines: list[int]) -> None:
    clock = VirtualClock(start_ns)
    latest_ns = start_ns
    for deadline_ns in deadlines:
        clock.sleep_until_ns(deadline_ns)
        latest_ns = max(latest_ns, deadline_ns)
        assert clock.now_ns() == latest_ns


def test_a_virtual_clock_begins_at_zero() -> None:
    assert VirtualClock().now_ns() == 0
