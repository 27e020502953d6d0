"""The relay that holds only while the loop feeds it: on a wire in the process, and on a link with its own thread."""

from __future__ import annotations

import json
import select
from itertools import pairwise
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory
from hypothesis import given
from hypothesis import strategies as st

from cut_wire import CutWire
from drivers.clock import SystemClock
from drivers.devices.watchdog_output import WatchdogOutput
from drivers.errors import InputError
from drivers.line_events import HOLD, SET, LineEvent
from drivers.links.gpio import GpioLine, GpioLink
from drivers.quantities import DeviceHealth
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.gpio_lines import LinesPeer

MS = NS_PER_MS
TICK = 20 * MS


def relay(**settings: Any) -> tuple[WatchdogOutput, LinesPeer, list[Any], CutWire]:
    near = CutWire("relay")
    emitted: list[Any] = []
    return (
        WatchdogOutput("watchdog", near, emitted.append, line=5, **settings),
        LinesPeer("rig", near.far),
        emitted,
        near,
    )


def go_on(device: WatchdogOutput, rig: LinesPeer, from_ns: int, to_ns: int, feed: bool = True) -> int:
    """The loop: a tick every 20 ms, at which it serves the device and, if it is well, feeds it."""
    for now_ns in range(from_ns, to_ns, TICK):
        if rig.wake_ns <= now_ns:
            rig.run(now_ns)
        device.advance(now_ns)
        if feed:
            device.feed(now_ns)
    return to_ns


@pytest.mark.parametrize("mode", ["pulse", "level"])
def test_nothing_moves_before_the_first_feed(mode: str) -> None:
    device, rig, emitted, _ = relay(mode=mode)
    go_on(device, rig, 0, 10 * NS_PER_S, feed=False)
    assert (list(rig.heard), emitted, device.holds, device.wake_ns) == ([], [], False, FOREVER_NS)
    device.stop(10 * NS_PER_S)
    assert list(rig.heard) == []


def test_in_mode_pulse_the_line_changes_at_a_bounded_rate_however_often_it_is_fed() -> None:
    device, rig, emitted, _ = relay(hold_ms=1000)
    changes: list[tuple[int, int]] = []
    rig.on_change = lambda line, level, t_ns: changes.append((level, t_ns))
    go_on(device, rig, 0, 2 * NS_PER_S)
    assert {event.kind for _, event in rig.heard} == {SET}
    assert [level for level, _ in changes] == [1, 0] * 4
    gaps = {b - a for (_, a), (_, b) in pairwise(changes)}
    assert gaps == {260 * MS}  # the first tick at or after a quarter of a second
    assert emitted == []


def test_in_mode_pulse_a_loop_that_stops_feeding_leaves_the_line_as_it_was() -> None:
    device, rig, emitted, _ = relay(hold_ms=1000)
    end_ns = go_on(device, rig, 0, NS_PER_S)
    heard = len(rig.heard)
    go_on(device, rig, end_ns, end_ns + 10 * NS_PER_S, feed=False)
    assert len(rig.heard) == heard
    assert [(health.ok, health.reason) for health in emitted] == [(False, "not fed; the relay has dropped")]
    assert device.counters()["starved"] == 1
    assert not device.holds


def test_in_mode_level_the_line_stays_up_while_it_is_fed_and_falls_when_it_is_not() -> None:
    device, rig, emitted, _ = relay(mode="level", hold_ms=500)
    changes: list[tuple[int, int]] = []
    rig.on_change = lambda line, level, t_ns: changes.append((level, t_ns))
    end_ns = go_on(device, rig, 0, 5 * NS_PER_S)
    assert changes == [(1, 0)]
    assert {event.kind for _, event in rig.heard} == {HOLD}
    last_ns = rig.heard[-1][0]
    go_on(device, rig, end_ns, end_ns + NS_PER_S, feed=False)
    assert changes[1:] == [(0, last_ns + 500 * MS)]
    assert len(emitted) == 1
    go_on(device, rig, end_ns + NS_PER_S, end_ns + 2 * NS_PER_S)
    assert changes[2][0] == 1
    assert emitted[1].ok


def test_an_active_low_relay_is_held_low() -> None:
    device, rig, _, _ = relay(mode="level", active=0)
    device.feed(0)
    assert rig.level(5) == 0
    device.stop(1)
    assert rig.level(5) == 1


@pytest.mark.parametrize("mode", ["pulse", "level"])
def test_a_clean_stop_drops_it_at_once_and_no_feed_raises_it_again(mode: str) -> None:
    device, rig, _, _ = relay(mode=mode)
    device.feed(0)
    assert rig.level(5) == 1
    device.stop(1)
    device.feed(NS_PER_S)
    assert rig.heard[-1] == (1, LineEvent(5, SET, 0))
    assert (rig.level(5), rig.wake_ns, device.wake_ns, device.holds) == (0, FOREVER_NS, FOREVER_NS, False)


def test_a_lost_wire_is_said_once_and_fed_again_when_it_is_back() -> None:
    device, rig, emitted, wire = relay(mode="level", hold_ms=400)
    go_on(device, rig, 0, NS_PER_S)
    wire.cut = True
    go_on(device, rig, NS_PER_S, 2 * NS_PER_S)
    assert [(health.ok, health.reason) for health in emitted] == [(False, "unplugged")]
    assert rig.level(5) == 0
    wire.cut = False
    go_on(device, rig, 2 * NS_PER_S, 3 * NS_PER_S)
    assert emitted[1].ok
    assert rig.level(5) == 1
    assert device.counters()["link_losses"] == 1
    wire.cut = True
    device.stop(3 * NS_PER_S)
    assert emitted[2] == DeviceHealth(3 * NS_PER_S, "watchdog", False, "unplugged")


def test_a_first_feed_into_a_lost_wire_holds_nothing() -> None:
    device, rig, emitted, wire = relay(mode="level", hold_ms=400)
    wire.cut = True
    device.feed(0)
    go_on(device, rig, TICK, NS_PER_S, feed=False)
    assert (device.holds, device.wake_ns, len(emitted)) == (False, FOREVER_NS, 1)


@given(st.sampled_from(["pulse", "level"]), st.lists(st.booleans(), max_size=120))
def test_before_its_wake_it_changes_nothing_and_leaving_ticks_out_gives_the_same_messages(
    mode: str, feeds: list[bool]
) -> None:
    every, every_rig, every_said, _ = relay(mode=mode, hold_ms=300)
    some, some_rig, some_said, _ = relay(mode=mode, hold_ms=300)
    for number, feed in enumerate(feeds):
        now_ns = number * TICK
        before = every.snapshot() if every.wake_ns > now_ns else None
        every.advance(now_ns)
        assert before is None or every.snapshot() == before
        if some.wake_ns <= now_ns or number == 0 or feed:
            some.advance(now_ns)
        if feed:
            every.feed(now_ns)
            some.feed(now_ns)
    assert list(every_rig.heard) == list(some_rig.heard)
    assert every_said == some_said


class Guard:
    """Withholds at the ticks it is told, and keeps when it heard that the power is back."""

    def __init__(self) -> None:
        self.withheld = False
        self.told_ns: list[int] = []

    def withholds(self) -> bool:
        return self.withheld

    def restored(self, now_ns: int) -> None:
        self.told_ns.append(now_ns)


def test_a_guard_is_told_a_second_after_the_power_is_back_although_no_other_tick_is_due_then() -> None:
    device, _, _, _ = relay(hold_ms=60_000)
    device.guard = guard = Guard()
    device.feed(0)
    guard.withheld = True
    device.feed(100 * MS)
    guard.withheld = False
    device.feed(200 * MS)
    assert device.wake_ns == 200 * MS + NS_PER_S
    device.feed(1_180 * MS)
    assert guard.told_ns == []
    device.advance(1_200 * MS)
    device.feed(1_200 * MS)
    assert guard.told_ns == [1_200 * MS]
    assert device.wake_ns == 15 * NS_PER_S, "only the next feed is due"


@given(
    st.sampled_from(["pulse", "level"]),
    st.sampled_from([100, 300, 1_000, 9_000]),
    st.lists(st.tuples(st.booleans(), st.integers(1, 80)), min_size=1, max_size=10),
)
def test_fed_at_every_tick_or_only_at_those_that_are_due_a_guarded_relay_does_the_same(
    mode: str, hold_ms: int, spans: list[tuple[bool, int]]
) -> None:
    """A tick runs when the guard changes its mind too: a bus that is lost or back emits its health."""
    every, every_rig, every_said, _ = relay(mode=mode, hold_ms=hold_ms)
    some, some_rig, some_said, _ = relay(mode=mode, hold_ms=hold_ms)
    every.guard, some.guard = one, other = Guard(), Guard()
    withheld = [withholds for withholds, ticks in spans for _ in range(ticks)]
    for number, withholds in enumerate(withheld):
        now_ns = number * TICK
        changes = number == 0 or withholds != one.withheld
        one.withheld = other.withheld = withholds
        if not changes and now_ns < every.wake_ns:
            before = every.snapshot()
            every.advance(now_ns)
            every.feed(now_ns)
            assert every.snapshot() == before
        else:
            every.advance(now_ns)
            every.feed(now_ns)
        if changes or some.wake_ns <= now_ns:
            some.advance(now_ns)
            some.feed(now_ns)
    assert one.told_ns == other.told_ns
    assert list(every_rig.heard) == list(some_rig.heard)
    assert (every_said, every.snapshot()) == (some_said, some.snapshot())


def test_a_snapshot_in_the_middle_goes_on_as_the_original() -> None:
    device, rig, _, _ = relay(hold_ms=500)
    go_on(device, rig, 0, 700 * MS)
    other, other_rig, _, _ = relay(hold_ms=500)
    other.restore(json.loads(json.dumps(device.snapshot())))
    assert other.snapshot() == device.snapshot()
    heard = len(rig.heard)
    go_on(device, rig, 700 * MS, 2 * NS_PER_S)
    go_on(other, other_rig, 700 * MS, 2 * NS_PER_S)
    assert list(rig.heard)[heard:] == list(other_rig.heard)


@pytest.mark.parametrize("settings", [{"mode": "hope"}, {"hold_ms": 99}, {"hold_ms": 60_001}, {"active": 2}])
def test_numbers_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="watchdog"):
        relay(**settings)


def test_on_a_real_link_a_hung_loop_drops_the_relay_although_the_process_lives() -> None:
    mock = MockFactory()
    link = GpioLink("relay", [GpioLine(5, out=True)], factory=lambda: mock)
    clock = SystemClock()
    link.open(clock.now_ns())
    device = WatchdogOutput("watchdog", link, print, line=5, mode="level", hold_ms=100)
    deadline_ns = clock.now_ns() + 10 * NS_PER_S
    fed_until_ns = clock.now_ns() + 300 * MS
    while clock.now_ns() < fed_until_ns or mock.pin(5).state != 1:
        assert clock.now_ns() < deadline_ns
        device.feed(clock.now_ns())
        select.select([], [], [], 0.002)
    while mock.pin(5).state:  # nobody feeds, pumps or polls any more
        assert clock.now_ns() < deadline_ns
        select.select([], [], [], 0.002)
    assert [change.state for change in mock.pin(5).states[-2:]] == [1, 0]
    link.close()
