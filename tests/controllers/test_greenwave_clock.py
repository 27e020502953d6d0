"""The display and the controller's clock: steps of clocks, years that end, doubt about the time, ticks in step."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import msgspec
import pytest

from controllers.core.contract import PanelFrame
from controllers.core.failsafe_panel import PanelGate
from controllers.core.scan_cycle import ScanCycle
from controllers.greenwave.picture import Stage, frame_of
from controllers.greenwave.policy import GreenwavePolicy
from controllers.greenwave.site import GreenwaveSite
from drivers.errors import InputError
from drivers.quantities import DeviceHealth, Quantity, SignalPhase, SignalState, WallTime
from drivers.settings import to_struct
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.traffic.chance import draw

SITE = GreenwaveSite(
    name="test", station=4070, group=7, distance_m=50, speed_kmh=18, fast_kmh=25, degrade_s=3, stale_s=15
)
PERIOD_NS = 100 * NS_PER_MS
NOON_MS = 200 * 86_400_000
CYCLE = ((3, 30_000), (4, 1_000), (6, 15_000), (8, 3_000))
HOUR_MS = 3_600_000


def message(t_ms: int, stamp_ms: int | None, late_ms: int = 0) -> SignalState:
    """Written at `t_ms` with `stamp_ms`: red to 30 s, green to 46 s, amber to 49 s, and so on."""
    phases, end_ms = [], t_ms // 49_000 * 49_000
    for state, length_ms in (*CYCLE, *CYCLE):
        end_ms += length_ms
        if end_ms > t_ms and len(phases) < 4:
            phases.append(SignalPhase(state, likely_ms=end_ms - t_ms))
    return SignalState((t_ms + late_ms) * NS_PER_MS, "feed", 4070, 7, 0, stamp_ms, tuple(phases))


Stamp = Callable[[int], int | None]


def said(stamp: Stamp, until_ms: int = 60_000) -> list[Quantity]:
    return [message(t_ms, stamp(t_ms)) for t_ms in range(0, until_ms, 100)]


def shown(values: Sequence[Quantity], until_ms: int = 60_000, site: GreenwaveSite = SITE) -> list[tuple[int, bytes]]:
    """(tick in ms, frame) of all that passes the gate."""
    policy, gate = GreenwavePolicy(site), PanelGate("panel", 96, 32, feed="feed", station=4070, group=7)
    sent, at = [], 0
    for t_ns in range(0, until_ms * NS_PER_MS, PERIOD_NS):
        inputs = []
        while at < len(values) and values[at].t_ns <= t_ns:
            inputs.append(values[at])
            at += 1
        if inputs or min(policy.wake_ns, gate.wake_ns) <= t_ns:
            for command in gate.step(policy.step(inputs, t_ns), inputs, t_ns):
                assert isinstance(command, PanelFrame)
                sent.append((t_ns // NS_PER_MS, command.frame))
    return sent


def steady(t_ms: int) -> int:
    return NOON_MS + t_ms


PLAIN = shown(said(steady))


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS, 1_500, -1_500, 700, -700])
def test_when_the_controllers_clock_is_set_the_display_goes_on_as_if_nothing_had_happened(step_ms: int) -> None:
    """It rests on marks relative to the message, and holds for the moment in which the new time is not yet believed.
    By less than a second backwards may be a delay: the ends are that much early until it is known.
    """
    found = shown(said(lambda t_ms: steady(t_ms) + (step_ms if t_ms >= 20_000 else 0)))
    if step_ms != -700:
        assert found == PLAIN
    else:
        assert found[:5] == PLAIN[:5]
        assert len(found) == pytest.approx(len(PLAIN), abs=3)
        assert frame_of(Stage.DARK, None) not in [frame for t_ms, frame in found if t_ms]


def test_our_wall_clock_may_be_stepped_by_an_hour_and_is_not_looked_at() -> None:
    utc_ns = 1_750_000_000 * NS_PER_S
    walls: list[Quantity] = [
        WallTime(t_s * NS_PER_S, "wall", utc_ns + t_s * NS_PER_S + (3600 * NS_PER_S if t_s % 20 > 9 else 0), True)
        for t_s in range(60)
    ]
    mixed = sorted([*said(steady), *walls], key=lambda value: value.t_ns)
    assert shown(mixed) == PLAIN


@pytest.mark.parametrize("days", [365, 366])
def test_over_the_end_of_the_year_the_display_goes_on(days: int) -> None:
    year_ms = days * 86_400_000
    assert shown(said(lambda t_ms: (year_ms - 20_000 + t_ms) % year_ms)) == PLAIN


def test_one_message_from_the_future_changes_nothing() -> None:
    ahead = SignalState(20_050 * NS_PER_MS, "feed", 4070, 7, 0, steady(20_050) + HOUR_MS, message(45_000, 0).phases)
    mixed = sorted([*said(steady), ahead], key=lambda value: value.t_ns)
    assert shown(mixed) == PLAIN


def test_two_hundred_milliseconds_of_random_delay_move_no_stage_by_more_than_a_tick() -> None:
    late = [message(t_ms, steady(t_ms), draw(3, t_ms) % 201) for t_ms in range(0, 60_000, 100)]
    late.sort(key=lambda value: value.t_ns)
    policy, changes, before = GreenwavePolicy(SITE), [], Stage.DARK
    at = 0
    for t_ns in range(0, 58 * NS_PER_S, PERIOD_NS):
        inputs = []
        while at < len(late) and late[at].t_ns <= t_ns:
            inputs.append(late[at])
            at += 1
        policy.step(inputs, t_ns)
        if policy.aspect.stage is not before:
            before = policy.aspect.stage
            changes.append((t_ns // NS_PER_MS, before))
    assert [stage for _, stage in changes] == [Stage.RED, Stage.GREEN, Stage.HURRY, Stage.RED]
    for (t_ms, _), planned_ms in zip(changes[1:], (21_000, 39_000, 41_800), strict=True):
        assert 0 <= t_ms - planned_ms <= 100


def test_while_the_clock_is_known_worse_than_the_site_wants_the_display_is_dark() -> None:
    site = msgspec.structs.replace(SITE, max_error_ms=50)
    found = shown(said(steady), site=site)
    assert found[0] == (0, frame_of(Stage.DARK, None))
    assert 600 <= found[1][0] <= 1_000  # six windows of 1/8 s
    assert PLAIN[1][0] == 100
    assert found[2:] == [pair for pair in PLAIN if pair[0] > found[1][0]]


def test_a_display_whose_clock_becomes_too_uncertain_in_silence_goes_dark_at_a_time_known_before() -> None:
    site = msgspec.structs.replace(SITE, max_error_ms=1_000)
    policy = GreenwavePolicy(site)
    policy.step(said(steady, 200), 100 * NS_PER_MS)
    assert policy.aspect.stage is Stage.RED
    at_ns = policy.wake_ns
    assert 100 * NS_PER_MS < at_ns < 101 * NS_PER_MS
    before = policy.snapshot()
    assert list(policy.step((), at_ns - 1)) == []
    assert policy.snapshot() == before
    policy.step((), at_ns)
    assert policy.aspect.stage is Stage.DARK


def test_the_key_for_the_error_is_checked_as_every_other() -> None:
    fields = {"name": "x", "station": 1, "group": 1, "distance_m": 50, "max_error_ms": 49}
    with pytest.raises(InputError, match="max_error_ms"):
        to_struct(fields, GreenwaveSite, "site.toml")


def _at_37_ms() -> list[SignalState]:
    """Controller's tenths begin at 37 ms of ours; its messages come 20 ms after."""
    return [message(t_ms + 57, NOON_MS + t_ms) for t_ms in range(0, 60_000, 100)]


def test_the_phase_goes_through_holdover_and_its_end_is_a_wake() -> None:
    policy = GreenwavePolicy(msgspec.structs.replace(SITE, transport_delay_ms=20))
    assert policy.phase_ns == 0
    for value in _at_37_ms():
        policy.step((value,), value.t_ns)
    assert policy.phase_ns == 39 * NS_PER_MS
    policy.step((DeviceHealth(70 * NS_PER_S, "feed", False, "stale"),), 70 * NS_PER_S)
    assert policy.phase_ns == 39 * NS_PER_MS
    lost_ns = policy.wake_ns
    assert 659 * NS_PER_S < lost_ns < 660 * NS_PER_S  # ten minutes after the last message
    before = policy.snapshot()
    policy.step((), lost_ns - 1)
    assert policy.snapshot() == before
    policy.step((), lost_ns)
    assert (policy.phase_ns, policy.wake_ns) == (0, FOREVER_NS)


class _Panel:
    def __init__(self) -> None:
        self.shown: list[tuple[int, bytes]] = []

    def show(self, frame: bytes, now_ns: int) -> None:
        self.shown.append((now_ns, frame))


def test_ticks_fall_into_step_with_the_controller_and_the_display_changes_with_the_lamp() -> None:
    policy = GreenwavePolicy(msgspec.structs.replace(SITE, transport_delay_ms=20))
    gate, panel = PanelGate("panel", 96, 32, feed="feed", station=4070, group=7), _Panel()
    inbox: list[Quantity] = []
    cycle = ScanCycle("test", PERIOD_NS, policy, gate, inbox, (), panels={"panel": panel})
    values, at, t_ns = _at_37_ms(), 0, -1
    while (tick_ns := cycle.due_ns(t_ns)) < 60 * NS_PER_S or at < len(values):
        if at < len(values) and values[at].t_ns <= tick_ns:
            t_ns = max(t_ns, values[at].t_ns - 1)
            inbox.append(values[at])
            at += 1
            continue
        cycle.tick(tick_ns)
        t_ns = tick_ns
    late = [t_ns % PERIOD_NS for t_ns, _ in panel.shown if t_ns > 2 * NS_PER_S]
    assert set(late) == {39 * NS_PER_MS}
    green_ns = next(t_ns for t_ns, frame in panel.shown if frame == frame_of(Stage.GREEN, 31))
    assert green_ns == 21_039 * NS_PER_MS  # the lamp: 10 s later, at 31.037 s


def test_the_figures_say_what_the_feed_is_worth() -> None:
    policy = GreenwavePolicy(SITE)
    for value in said(steady, 10_000):
        policy.step((value,), value.t_ns)
    feed = json.loads(json.dumps(policy.figures(10 * NS_PER_S)))["feed"]
    assert (feed["state"], feed["messages"], feed["age_ms"], feed["rejected"]) == ("locked", 99, 100, {})
    assert policy.figures(30 * NS_PER_S)["feed"]["state"] == "holdover"
    assert policy.figures(700 * NS_PER_S)["feed"]["state"] == "lost"
