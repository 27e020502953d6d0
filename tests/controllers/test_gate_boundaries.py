"""The last gate where nothing is said: its state at first, what it is by default, and its ends to the nanosecond."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controllers.core.calendar_rules import Hours
from controllers.core.contract import Command, LampLevel, PanelFrame, Publish
from controllers.core.doubts import EVERYWHERE
from controllers.core.dusk import SETTLE_NS, Dusk
from controllers.core.failsafe_lamps import LampGate
from controllers.core.lamp_slope import DROP_LEVELS, DROP_NS, LampSlope
from controllers.core.overrides import LONGEST_MS, Overrides
from drivers.codecs.dali import level_for_ppm
from drivers.quantities import DeviceHealth, Illuminance, LampStatus, Message, Quantity, SignalState, WallTime
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

BASE, FULL = 170, 254
LAMPS = {"lamp-1": 0, "lamp-2": 70_000, "lamp-3": 70_001}


class Fixed:
    """The same hours always; the sun is down."""

    def __init__(self, hours: Hours, edge_ns: int = FOREVER_NS) -> None:
        self.hours, self.edge_ns = hours, edge_ns

    def hours_at(self, utc_ns: int) -> Hours:
        return self.hours

    def next_change_ns(self, utc_ns: int) -> int:
        return self.edge_ns

    def sun_up_at(self, utc_ns: int) -> bool:
        return False


def gate(hours: Hours | None = None, **more: Any) -> LampGate:
    calendar = Fixed(hours or Hours("lit"), more.pop("edge_ns", FOREVER_NS))
    return LampGate(LAMPS, {}, calendar, base_level=BASE, full_level=FULL, **more)


def awake(hours: Hours | None = None, **more: Any) -> LampGate:
    """Told the wall time, and every lamp's level, at 0."""
    made = gate(hours, **more)
    made.step((), (WallTime(0, "wall", 10**18, True), *(LampStatus(0, lamp, BASE) for lamp in LAMPS)), 0)
    return made


def levels(commands: Any) -> dict[str, int]:
    return {said.target: said.level for said in commands if isinstance(said, LampLevel)}


# --- at first


def test_a_new_gate_holds_nothing_and_wants_to_be_asked_at_once() -> None:
    slope = [FOREVER_NS, 0, 0, -FOREVER_NS, -FOREVER_NS, 0]
    assert gate().snapshot() == {
        "wake_ns": 0,
        "asked": dict.fromkeys(LAMPS, BASE),
        "passed": dict.fromkeys(LAMPS),
        "slopes": dict.fromkeys(LAMPS, slope),
        "held_ns": FOREVER_NS,
        "waiting": sorted(LAMPS),
        "give_up_ns": -1,
        "doubts": {"stretches": {}, "dark": {}, "said": None},
        "overrides": {},
        "dusk": None,
        "utc_offset_ns": None,
        "hours": ["base", BASE, FULL],
        "edge_ns": FOREVER_NS,
    }


def test_whose_time_nobody_knows_is_asked_again_when_gear_has_been_silent_for_two_seconds() -> None:
    made = gate()
    assert list(made.step((), (), 5)) == []
    assert made.wake_ns == 5 + 2 * NS_PER_S
    assert list(made.step((), (), 4 + 2 * NS_PER_S)) == []
    assert levels(made.step((), (), 5 + 2 * NS_PER_S)) == dict.fromkeys(LAMPS, BASE)
    assert made.wake_ns == FOREVER_NS


def test_before_its_first_step_news_do_not_put_it_to_sleep() -> None:
    made = gate(take_over_ns=50)
    made.restore(made.snapshot())
    made.step((), (WallTime(0, "wall", 10**18, True),), 0)
    assert made.wake_ns == 50


def test_by_default_a_neighbours_doubt_reaches_seventy_metres() -> None:
    made = awake()
    said = made.step((), (Message(1, "neighbour", {"kind": "doubt", "of": "radar-1", "doubt": [0, 0]}),), 1)
    assert levels(said) == {"lamp-1": FULL, "lamp-2": FULL}


def test_by_default_gear_fades_not_at_all_and_sinks_as_slowly_as_it_must() -> None:
    made = awake()
    assert levels(made.step((LampLevel("lamp-1", FULL),), (), 10)) == {"lamp-1": FULL}
    assert levels(made.step((LampLevel("lamp-1", BASE),), (), 10)) == {"lamp-1": FULL - DROP_LEVELS}
    assert made.wake_ns == 10 + DROP_NS


def test_nobody_is_told_of_dark_lamps_by_default_and_every_speaker_where_there_are_some() -> None:
    dark = LampStatus(1, "lamp-2", None, "lamp failure")
    assert not [said for said in awake().step((), (dark,), 1) if isinstance(said, Publish)]
    said = awake(speakers=("east", "west")).step((), (dark,), 1)
    body = {"kind": "doubt", "of": "dark", "doubt": [70_000, 70_000]}
    assert [one for one in said if isinstance(one, Publish)] == [Publish("east", body), Publish("west", body)]


# --- ends


def test_a_level_asked_for_is_kept_between_nothing_and_full() -> None:
    made = awake()
    made.step((LampLevel("lamp-1", -1), LampLevel("lamp-2", FULL + 1), LampLevel("lamp-3", 1)), (), 1)
    assert made.snapshot()["asked"] == {"lamp-1": 0, "lamp-2": FULL, "lamp-3": 1}


def test_a_sinking_goes_on_at_its_nanosecond_and_is_the_next_waking() -> None:
    made = awake(drop_levels=50)
    made.step((LampLevel("lamp-1", FULL),), (), 10)
    made.step((LampLevel("lamp-1", BASE),), (), 20)
    assert made.wake_ns == 20 + DROP_NS
    assert list(made.step((), (), 19 + DROP_NS)) == []
    assert levels(made.step((), (), 20 + DROP_NS)) == {"lamp-1": BASE}
    assert made.wake_ns == FOREVER_NS


def test_of_two_that_sink_the_first_to_go_on_wakes() -> None:
    made = awake(drop_levels=50)
    made.step((LampLevel("lamp-1", FULL), LampLevel("lamp-2", FULL)), (), 10)
    made.step((LampLevel("lamp-1", BASE),), (), 20)
    made.step((LampLevel("lamp-2", BASE),), (), 30)
    assert made.wake_ns == 20 + DROP_NS
    assert levels(made.step((), (), 20 + DROP_NS)) == {"lamp-1": BASE}
    assert made.wake_ns == 30 + DROP_NS


def test_the_calendars_edge_is_told_in_the_loops_time() -> None:
    made = awake(edge_ns=10**18 + 77)
    assert made.wake_ns == 77
    assert awake(edge_ns=FOREVER_NS - 1).snapshot()["edge_ns"] == FOREVER_NS - 1 - 10**18
    assert awake(edge_ns=FOREVER_NS).snapshot()["edge_ns"] == FOREVER_NS


@pytest.mark.parametrize(("base_pct", "full_pct"), [(2.5, 40.0), (0.0, 0.35), (None, 40.0), (2.5, None)])
def test_hours_in_per_cent_are_levels_of_the_dali_curve(base_pct: float | None, full_pct: float | None) -> None:
    made = awake(Hours("lit", base_pct, full_pct))
    low = BASE if base_pct is None else level_for_ppm(round(base_pct * 10_000))
    high = FULL if full_pct is None else level_for_ppm(round(full_pct * 10_000))
    assert made.snapshot()["hours"] == ["lit", low, high]
    assert made.light == "lit"


def test_a_stop_forgets_what_was_waited_for_and_held() -> None:
    made = awake()
    made.step((LampLevel("lamp-1", FULL),), (), 10)
    made.step((LampLevel("lamp-1", BASE),), (), 20)
    assert made.stopping(30) == [LampLevel(lamp, BASE) for lamp in LAMPS]
    state = made.snapshot()
    assert (state["held_ns"], state["waiting"], state["passed"]) == (FOREVER_NS, [], dict.fromkeys(LAMPS, BASE))


# --- what passes


def completed(command: Command) -> Command:
    made = awake()
    made.step((), (LampStatus(1, "lamp-2", None, "lamp failure"),), 1)
    return made.step((command,), (), 2)[0]


def test_only_a_list_of_doubts_is_completed_by_lamps_that_stay_dark() -> None:
    alive = Publish("west", {"kind": "alive", "doubts": {"radar-1": [1, 2]}})
    assert completed(alive) == Publish(
        "west", {"kind": "alive", "doubts": {"radar-1": [1, 2], "dark": [70_000, 70_000]}}
    )
    for command in (
        Publish("west", {"kind": "alive", "doubts": [1, 2]}),
        Publish("west", {"kind": "rider", "id": 1}),
        PanelFrame("panel", bytes(3)),
    ):
        assert completed(command) is command


def test_with_all_lamps_shining_a_list_passes_as_it_is() -> None:
    alive = Publish("west", {"kind": "alive", "doubts": {}})
    assert awake().step((alive,), (), 2)[0] is alive


NONE_OF_ITS_BUSINESS = [
    SignalState(5, "feed", 4070, 7, 0, None, ()),
    Illuminance(5, "lux", 0),
    LampStatus(5, "lamp-1", 99),
    LampStatus(5, "nobody", 99),
    DeviceHealth(5, "nobody", False),
    Message(5, "neighbour", {"kind": "rider"}),
    Message(5, "commissioning", {"kind": "rider"}),
]


@pytest.mark.parametrize("value", NONE_OF_ITS_BUSINESS)
def test_what_is_none_of_its_business_leaves_even_the_order_of_commands_alone(value: Quantity) -> None:
    made, alive = awake(), Publish("west", {"kind": "alive", "doubts": {}})
    asked = (LampLevel("lamp-2", 200), alive, LampLevel("lamp-1", 180))
    assert tuple(made.step(asked, (value,), 5)) == asked
    made = awake(edge_ns=10**18 + 9)
    made.wake_ns = 5  # woken early, for nothing
    assert tuple(made.step(asked, (), 5)) == asked
    assert made.wake_ns == 9


def test_a_level_said_again_begins_no_sinking() -> None:
    made = awake()
    made.step((LampLevel("lamp-1", FULL),), (), 10)
    before = made.snapshot()
    assert list(made.step((LampLevel("lamp-1", FULL),), (), 5 * NS_PER_S)) == []
    assert made.snapshot() == before


def test_where_the_hours_full_is_below_base_full_is_what_the_hours_say() -> None:
    made = awake(Hours("lit", None, 0.5), drop_levels=FULL)
    dim = level_for_ppm(5_000)
    assert dim < BASE
    assert levels(made.step((LampLevel("lamp-1", FULL), LampLevel("lamp-2", FULL - 1)), (), 5)) == {"lamp-1": dim}


def test_an_edge_of_the_calendar_does_not_end_the_wait_for_gear() -> None:
    made = gate(edge_ns=10**18 + 77)
    made.step((), (WallTime(0, "wall", 10**18, True),), 0)
    assert list(made.step((), (), 77)) == []
    assert made.snapshot()["waiting"] == sorted(LAMPS)


def test_who_waits_for_no_gear_writes_at_the_second_step_of_the_same_moment() -> None:
    made = gate(take_over_ns=0)
    assert list(made.step((), (), 0)) == []
    assert levels(made.step((), (), 0)) == dict.fromkeys(LAMPS, BASE)
    assert made.wake_ns == FOREVER_NS


# --- light by the sensor


def by_lux(*mlux: int, trims: bool = True, wall: bool = True) -> LampGate:
    """A gate that has read so much, each for long enough to settle."""
    made = gate(dusk=Dusk("lux", 10_000, 30_000, trims=trims))
    made.step((), (WallTime(0, "wall", 10**18, wall),), 0)
    for n, value in enumerate(mlux):
        for t_ns in (1 + 2 * n * SETTLE_NS, 1 + (2 * n + 1) * SETTLE_NS):
            made.step((), (Illuminance(t_ns, "lux", value),), t_ns)
    return made


def test_without_wall_time_dark_by_lux_is_lit_and_bright_is_base_and_lost_is_base() -> None:
    assert by_lux(0, wall=False).light == "lit"
    assert by_lux(10**6, wall=False).light == "base"
    made = by_lux(0, wall=False)
    made.step((), (DeviceHealth(9, "lux", False, "lost"),), FOREVER_NS - 1)
    assert made.light == "base"


def test_a_reading_of_another_sensor_is_none() -> None:
    made = by_lux(wall=False)
    before = made.snapshot()
    assert list(made.step((), (Illuminance(3, "lux-2", 0),), 3)) == []
    assert made.snapshot()["dusk"] == before["dusk"]
    plain = awake()
    assert list(plain.step((), (Illuminance(3, "lux", 0),), 3)) == []


def test_dusk_settles_and_forgets_when_it_began_to() -> None:
    made = Dusk("lux", 10_000, 30_000)
    made.read(Illuminance(0, "lux", 10**6), None)
    made.read(Illuminance(5, "lux", 0), None)
    assert made.snapshot() == [False, 5, False]
    made.read(Illuminance(5 + SETTLE_NS, "lux", 0), None)
    assert made.snapshot() == [True, -1, False]
    made.read(Illuminance(6 + SETTLE_NS, "lux", 10**6), None)
    made.read(Illuminance(7 + SETTLE_NS, "lux", 0), None)
    assert made.snapshot() == [True, -1, False]


# --- doubts and orders


def test_everywhere_is_further_than_any_path() -> None:
    assert EVERYWHERE == (-(1 << 40), 1 << 40)


@pytest.mark.parametrize(
    ("for_ms", "taken"), [(0, False), (1, True), (LONGEST_MS, True), (LONGEST_MS + 1, False), (None, True)]
)
def test_an_order_lasts_a_millisecond_at_least_and_two_hours_at_most(for_ms: int | None, taken: bool) -> None:
    made = Overrides(LAMPS, FULL)
    body = {"kind": "override", "lamps": ["lamp-1"], "level": 200} | ({} if for_ms is None else {"for_ms": for_ms})
    assert made.hear(Message(7, "commissioning", body)) is taken
    assert made.wake_ns == (7 + (LONGEST_MS if for_ms is None else for_ms) * NS_PER_MS if taken else FOREVER_NS)


def test_an_order_names_what_stands_and_ends_lamp_by_lamp() -> None:
    made = Overrides(LAMPS, 200)
    order = {"kind": "override", "lamps": ["nobody", "lamp-1", "lamp-2"], "level": 254, "for_ms": 1}
    assert made.hear(Message(0, "commissioning", order))
    assert not made.hear(Message(0, "commissioning", order)), "nothing new"
    assert dict(made.standing()) == dict.fromkeys(("lamp-1", "lamp-2"), (200, NS_PER_MS))
    assert made.hear(Message(0, "commissioning", {"kind": "override", "lamps": ["nobody", "lamp-1"], "level": None}))
    assert not made.hear(Message(0, "commissioning", {"kind": "override", "lamps": ["lamp-1"], "level": None}))
    assert not made.hear(Message(0, "commissioning", {"kind": "rider", "lamps": ["lamp-2"], "level": None}))
    again = Overrides(LAMPS, 200)
    again.restore(json.loads(json.dumps(made.snapshot())))
    assert (dict(again.standing()), again.wake_ns) == ({"lamp-2": (200, NS_PER_MS)}, NS_PER_MS)
    assert again.of("lamp-1") is None
    assert not again.on_time(NS_PER_MS - 1)
    assert again.on_time(NS_PER_MS)
    assert again.wake_ns == FOREVER_NS


# --- how fast it sinks


@pytest.mark.parametrize(("wanted", "told"), [(BASE, FULL - 34), (FULL - 35, FULL - 34), (FULL - 34, FULL - 34)])
def test_within_a_second_a_lamp_loses_thirty_four_levels_and_no_more(wanted: int, told: int) -> None:
    slope = LampSlope(0)
    slope.shows(FULL)
    assert slope.limited(wanted, 7) == told
    assert slope.wake_ns == (FOREVER_NS if wanted == told else 7 + DROP_NS)
    slope.told(told, 7)
    assert slope.limited(0, 6 + DROP_NS) == FULL - 34, "still of the same second"
    assert slope.limited(0, 7 + DROP_NS) == told - 34
    slope.free()
    assert slope.wake_ns == FOREVER_NS


def test_a_fade_is_in_whole_levels_both_ways() -> None:
    slope = LampSlope(3_000)
    for from_level, to_level, after in ((100, 200, 133), (200, 100, 167)):
        slope.shows(from_level)
        slope.told(to_level, 0)
        assert (slope.shown(1_000), type(slope.shown(1_000))) == (after, int)
        assert (slope.shown(0), slope.shown(2_999), slope.shown(3_000)) == (
            from_level, to_level - (1 if to_level > from_level else -1), to_level,
        )  # fmt: skip


def test_a_second_of_sinking_begins_with_the_first_order_and_not_anew_while_it_still_shows_the_same() -> None:
    slope = LampSlope(NS_PER_S)
    slope.shows(FULL)
    slope.told(slope.limited(0, 7), 7)
    assert (slope.shown(8), slope.limited(0, 8), slope.wake_ns) == (FULL, FULL - 34, 7 + DROP_NS)
