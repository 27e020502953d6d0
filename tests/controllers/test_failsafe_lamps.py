"""The last gate for lamps: the doubt table row by row, each comparison at its boundary."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.core.calendar_rules import OFF as DARK_HOURS
from controllers.core.calendar_rules import Hours
from controllers.core.contract import Command, LampLevel, PanelFrame, Publish
from controllers.core.doubts import EVERYWHERE, MAX_DOUBTS
from controllers.core.failsafe_lamps import LampGate
from drivers.quantities import (
    Detection,
    DeviceHealth,
    LampStatus,
    Message,
    Quantity,
    RadarReport,
    SignalState,
    WallTime,
)
from drivers.units import FOREVER_NS

BASE, FULL = 170, 254
LAMPS = {"lamp-1": 0, "lamp-2": 32_000, "lamp-3": 64_000}
ZONES = {"radar-1": (-40_000, 0), "radar-2": (32_000, 64_000), "neighbour": (64_000, 90_000)}
TAKE_OVER_NS = 2_000
REACH_MM = 10_000
SUNSET, SUNRISE = 1_000_000, 2_000_000


class Night:
    """Lit from SUNSET to SUNRISE (UTC), once."""

    def hours_at(self, utc_ns: int) -> Hours:
        return Hours("lit") if SUNSET <= utc_ns < SUNRISE else DARK_HOURS

    def next_change_ns(self, utc_ns: int) -> int:
        return SUNSET if utc_ns < SUNSET else SUNRISE if utc_ns < SUNRISE else FOREVER_NS

    def sun_up_at(self, utc_ns: int) -> bool:
        return not SUNSET <= utc_ns < SUNRISE


def _gate() -> LampGate:
    """A gate that lets lamps sink at once: the table alone. How fast they may stands in test_lamp_slope.py."""
    return LampGate(
        LAMPS,
        ZONES,
        Night(),
        base_level=BASE,
        full_level=FULL,
        reach_mm=REACH_MM,
        take_over_ns=TAKE_OVER_NS,
        drop_levels=FULL,
    )


def _wall(utc_ns: int, t_ns: int = 0, synchronised: bool = True) -> WallTime:
    return WallTime(t_ns, "wall", utc_ns, synchronised)


def _status(lamp: str, level: int | None, t_ns: int = 0) -> LampStatus:
    return LampStatus(t_ns, lamp, level)


def _health(source: str, ok: bool, t_ns: int = 0) -> DeviceHealth:
    return DeviceHealth(t_ns, source, ok)


def _said(**body: Any) -> Message:
    return Message(0, "neighbour", body)


ALL_AT_BASE = tuple(_status(lamp, BASE) for lamp in LAMPS)
LIT, OFF, UNKNOWN = SUNSET + 10, SUNSET - 900_000, None


def _running(utc_ns: int | None) -> LampGate:
    """A gate at 1 ns whose gear has answered, at `utc_ns` of wall time at 0 (None: not known)."""
    gate = _gate()
    gate.step((), () if utc_ns is None else (_wall(utc_ns),), 0)
    gate.step((), tuple(_status(lamp, level) for lamp, level in _expected(gate).items()), 1)
    return gate


def _expected(gate: LampGate) -> dict[str, int]:
    """What the gate would have each lamp show."""
    return {lamp: gate._level(lamp) for lamp in LAMPS}


def _doubts(gate: LampGate) -> dict[str, Any]:
    stretches: dict[str, Any] = gate.snapshot()["doubts"]["stretches"]
    return stretches


def _levels(commands: Any) -> dict[str, int]:
    assert all(isinstance(command, LampLevel) for command in commands)
    return {command.target: command.level for command in commands}


def _ask(gate: LampGate, now_ns: int, *inputs: Quantity, **lamps: int) -> dict[str, int]:
    return _levels(gate.step([LampLevel(f"lamp-{n[1:]}", level) for n, level in lamps.items()], inputs, now_ns))


# --- no doubt


def test_in_lit_hours_the_policy_is_followed_between_base_and_full() -> None:
    gate = _running(LIT)
    assert _ask(gate, 2, l1=BASE + 1) == {"lamp-1": BASE + 1}
    assert _ask(gate, 3, l1=FULL - 1) == {"lamp-1": FULL - 1}
    assert _ask(gate, 4, l1=FULL) == {"lamp-1": FULL}


def test_below_base_becomes_base_and_above_full_becomes_full_in_lit_hours() -> None:
    gate = _running(LIT)
    assert _ask(gate, 2, l1=300, l2=FULL + 1) == {"lamp-1": FULL, "lamp-2": FULL}
    assert _ask(gate, 3, l1=0, l2=-5, l3=BASE - 1) == {"lamp-1": BASE, "lamp-2": BASE}


def test_the_same_level_is_not_written_twice() -> None:
    gate = _running(LIT)
    assert _ask(gate, 2, l1=200) == {"lamp-1": 200}
    assert _ask(gate, 3, l1=200) == {}
    assert list(gate.step([LampLevel("lamp-1", 210), LampLevel("lamp-1", 220)], (), 4)) == [
        LampLevel("lamp-1", 210),
        LampLevel("lamp-1", 220),
    ]


def test_other_commands_pass_untouched_and_in_order_even_in_doubt() -> None:
    others: list[Command] = [Publish("neighbour", {"kind": "alive"}), PanelFrame("panel", b"x")]
    assert list(_gate().step(others, (), 0)) == others
    gate = _running(LIT)
    assert list(gate.step(others, (_health("radar-1", False),), 2)) == [*others, LampLevel("lamp-1", FULL)]


def test_radar_reports_change_nothing() -> None:
    gate = _running(LIT)
    before = gate.snapshot()
    assert list(gate.step((), (RadarReport(2, "radar-1", (Detection(5000, 3000, 0, 99),)),), 2)) == []
    assert gate.snapshot() == before


def test_values_that_are_none_of_its_business_change_nothing() -> None:
    gate = _running(LIT)
    before = gate.snapshot()
    assert _ask(gate, 2, SignalState(2, "feed", 4070, 7, 0, None, ())) == {}
    assert gate.snapshot() == before


# --- a clean stop


@pytest.mark.parametrize(("utc_ns", "level"), [(LIT, BASE), (OFF, 0), (UNKNOWN, BASE)])
def test_a_clean_stop_leaves_base_light_or_none_where_the_calendar_says_off(utc_ns: int | None, level: int) -> None:
    gate = _running(utc_ns)
    _ask(gate, 2, _health("radar-1", False), l2=FULL)
    assert _levels(gate.stopping(3)) == dict.fromkeys(LAMPS, level)
    assert _expected(gate)["lamp-3"] == level
    assert _ask(gate, 4, l3=level) == {}, "what was said at the stop counts as said"


@pytest.mark.parametrize(("now_ns", "level"), [(499, 0), (500, BASE)])
def test_a_stop_on_the_calendars_edge_knows_the_new_hours(now_ns: int, level: int) -> None:
    assert set(_levels(_running(SUNSET - 500).stopping(now_ns)).values()) == {level}


def test_a_stop_speaks_to_lamps_whose_gear_has_not_answered() -> None:
    gate = _gate()
    gate.step((), (_wall(LIT),), 0)
    assert _levels(gate.stopping(1)) == dict.fromkeys(LAMPS, BASE)
    assert gate.snapshot()["waiting"] == []


# --- the calendar, and wall time


@pytest.mark.parametrize(
    ("utc_ns", "level"), [(SUNSET - 3, 0), (SUNSET - 2, FULL), (SUNRISE - 3, FULL), (SUNRISE - 2, 0)]
)
def test_the_calendar_decides_at_its_edge_to_the_nanosecond(utc_ns: int, level: int) -> None:
    gate = _gate()
    gate.step((), ALL_AT_BASE, 0)
    assert _ask(gate, 2, _wall(utc_ns), l1=FULL)["lamp-1"] == level


def test_wall_time_counts_from_the_moment_it_was_told_not_from_when_it_is_read() -> None:
    gate = _gate()
    gate.step((), ALL_AT_BASE, 0)
    assert _ask(gate, 50, _wall(SUNSET - 20, t_ns=30), l1=FULL)["lamp-1"] == FULL
    gate = _gate()
    gate.step((), ALL_AT_BASE, 0)
    assert _ask(gate, 50, _wall(SUNSET - 21, t_ns=30), l1=FULL)["lamp-1"] == 0


def test_lamps_go_off_at_the_end_of_lit_hours_and_on_at_the_beginning_by_themselves() -> None:
    gate = _running(SUNSET - 500)
    assert gate.wake_ns == 500
    assert _ask(gate, 499) == {}
    assert _ask(gate, 500) == dict.fromkeys(LAMPS, BASE)
    assert gate.wake_ns == 500 + SUNRISE - SUNSET
    assert _ask(gate, gate.wake_ns - 1, l1=FULL) == {"lamp-1": FULL}
    assert _ask(gate, gate.wake_ns) == dict.fromkeys(LAMPS, 0)
    assert gate.wake_ns == FOREVER_NS


def test_what_was_asked_while_off_is_shown_when_lit_hours_begin() -> None:
    gate = _running(SUNSET - 500)
    assert _ask(gate, 10, l2=FULL) == {}
    assert _ask(gate, 500) == {"lamp-1": BASE, "lamp-2": FULL, "lamp-3": BASE}


def test_with_wall_time_not_known_every_lamp_is_at_base_whatever_is_asked_or_doubted() -> None:
    gate = _running(UNKNOWN)
    assert _ask(gate, 2, _health("radar-1", False), _health("radar-2", False), l1=FULL, l2=0) == {}
    assert _expected(gate) == dict.fromkeys(LAMPS, BASE)


def test_wall_time_that_is_not_synchronised_is_not_known() -> None:
    gate = _gate()
    gate.step((), (_wall(OFF, synchronised=False), *ALL_AT_BASE), 0)
    assert _expected(gate) == dict.fromkeys(LAMPS, BASE)


def test_losing_synchronisation_goes_to_base_and_forgets_the_calendars_edge() -> None:
    gate = _running(SUNSET - 500)
    assert _ask(gate, 2, _wall(SUNSET - 498, 2, synchronised=False), l1=FULL) == dict.fromkeys(LAMPS, BASE)
    assert gate.wake_ns == FOREVER_NS
    assert _ask(gate, 600) == {}


def test_wall_time_that_steps_is_followed_at_once_in_both_directions() -> None:
    gate = _running(OFF)
    assert _ask(gate, 2, _wall(LIT, 2)) == dict.fromkeys(LAMPS, BASE)
    assert gate.wake_ns == 2 + SUNRISE - LIT
    assert _ask(gate, 3, _wall(OFF, 3)) == dict.fromkeys(LAMPS, 0)
    assert gate.wake_ns == 3 + SUNSET - OFF


def test_wall_time_said_again_writes_nothing() -> None:
    gate = _running(LIT)
    assert _ask(gate, 2, _wall(LIT + 2, 2)) == {}


# --- sensor or neighbour silent


@pytest.mark.parametrize(
    ("source", "lamps"),
    [("radar-1", {"lamp-1"}), ("radar-2", {"lamp-2", "lamp-3"}), ("neighbour", {"lamp-3"})],
)
def test_in_lit_hours_the_zone_of_a_silent_device_is_full_to_its_last_millimetre(source: str, lamps: set[str]) -> None:
    gate = _running(LIT)
    assert _ask(gate, 2, _health(source, False)) == dict.fromkeys(lamps, FULL)
    assert _ask(gate, 3, l1=BASE, l2=BASE, l3=BASE) == {}
    assert _ask(gate, 4, _health(source, True)) == dict.fromkeys(lamps, BASE)


@pytest.mark.parametrize(("zone", "full"), [((0, 0), True), ((1, 9), False), ((-9, -1), False), ((-9, 0), True)])
def test_a_zone_holds_its_two_ends_and_nothing_beyond(zone: tuple[int, int], full: bool) -> None:
    gate = LampGate({"lamp-1": 0}, {"radar-1": zone}, Night(), base_level=BASE, full_level=FULL)
    gate.step((), (_wall(LIT), _status("lamp-1", BASE)), 0)
    assert _ask(gate, 1, _health("radar-1", False)) == ({"lamp-1": FULL} if full else {})


@pytest.mark.parametrize("source", ["radar-1", "radar-2", "neighbour"])
@pytest.mark.parametrize(("utc_ns", "level"), [(OFF, 0), (UNKNOWN, BASE)])
def test_calendar_off_and_unknown_wall_time_beat_a_silent_device(source: str, utc_ns: int | None, level: int) -> None:
    gate = _running(utc_ns)
    assert _ask(gate, 2, _health(source, False), l1=FULL) == {}
    assert _expected(gate) == dict.fromkeys(LAMPS, level)


def test_a_doubt_from_by_day_is_lit_when_lit_hours_begin() -> None:
    gate = _running(SUNSET - 500)
    assert _ask(gate, 10, _health("radar-1", False)) == {}
    assert _ask(gate, 500) == {"lamp-1": FULL, "lamp-2": BASE, "lamp-3": BASE}


def test_two_doubts_on_one_lamp_end_with_the_second() -> None:
    gate = _running(LIT)
    assert _ask(gate, 2, _health("radar-2", False), _health("neighbour", False)) == {"lamp-2": FULL, "lamp-3": FULL}
    assert _ask(gate, 3, _health("radar-2", True)) == {"lamp-2": BASE}
    assert _ask(gate, 4, _health("neighbour", True)) == {"lamp-3": BASE}


def test_the_health_of_a_device_without_a_zone_changes_nothing() -> None:
    gate = _running(LIT)
    assert _ask(gate, 2, _health("dali", False), _health("lamp-1", False)) == {}
    assert _doubts(gate) == {}


def test_what_the_policy_asked_in_doubt_is_shown_when_the_doubt_ends() -> None:
    gate = _running(LIT)
    _ask(gate, 2, _health("radar-1", False))
    assert _ask(gate, 3, l1=200) == {}
    assert _ask(gate, 4, _health("radar-1", True)) == {"lamp-1": 200}


# --- a neighbour's word


@pytest.mark.parametrize(
    ("stretch", "lamps"),
    [
        ([74_000, 80_000], {"lamp-3"}),
        ([74_001, 80_000], set()),
        ([-50_000, -10_000], {"lamp-1"}),
        ([-50_000, -10_001], set()),
        ([80_000, 74_000], {"lamp-3"}),
    ],
)
def test_a_neighbours_doubt_lights_its_stretch_and_the_reach_around_it(stretch: list[int], lamps: set[str]) -> None:
    gate = _running(LIT)
    assert _ask(gate, 2, _said(kind="doubt", of="radar-9", doubt=stretch)) == dict.fromkeys(lamps, FULL)
    assert _ask(gate, 3, _said(kind="doubt", of="radar-9", doubt=None)) == dict.fromkeys(lamps, BASE)


@pytest.mark.parametrize(
    "nonsense", ["all", 5, True, [], [1], [1, 2, 3], [1.5, 2.5], ["a", "b"], [1, None], {"from": 1}, [[1], [2]]]
)
def test_a_neighbours_doubt_that_makes_no_sense_is_doubt_everywhere(nonsense: object) -> None:
    gate = _running(LIT)
    assert _ask(gate, 2, _said(kind="doubt", of="radar-9", doubt=nonsense)) == dict.fromkeys(LAMPS, FULL)


@pytest.mark.parametrize(("utc_ns", "level"), [(OFF, 0), (UNKNOWN, BASE)])
def test_calendar_off_and_unknown_wall_time_beat_a_neighbours_doubt(utc_ns: int | None, level: int) -> None:
    gate = _running(utc_ns)
    assert _ask(gate, 2, _said(kind="doubt", of="radar-9", doubt="nonsense")) == {}
    assert _expected(gate) == dict.fromkeys(LAMPS, level)


def test_two_neighbours_doubts_are_kept_apart() -> None:
    gate = _running(LIT)
    for neighbour in ("north", "south"):
        gate.step((), (Message(2, neighbour, {"of": "radar-1", "doubt": [0, 0]}),), 2)
    assert _ask(gate, 3, Message(3, "north", {"of": "radar-1", "doubt": None})) == {}
    assert _ask(gate, 4, Message(4, "south", {"of": "radar-1", "doubt": None})) == {"lamp-1": BASE}


def test_the_list_of_all_doubts_ends_those_it_does_not_name_of_that_neighbour_only() -> None:
    gate = _running(LIT)
    first = _said(of="radar-1", doubt=[-10_000, -10_000])
    other = Message(2, "neighbour-2", {"of": "radar-1", "doubt": [32_000, 32_000]})
    assert _ask(gate, 2, first, other, _health("radar-2", False)) == dict.fromkeys(LAMPS, FULL)
    assert _ask(gate, 3, _said(kind="alive", doubts={})) == {"lamp-1": BASE}
    assert set(_doubts(gate)) == {"neighbour-2/radar-1", "radar-2"}


def test_the_list_of_all_doubts_brings_doubts_that_were_not_heard_and_said_again_changes_nothing() -> None:
    gate = _running(LIT)
    alive = _said(kind="alive", doubts={"radar-3": [-10_000, -10_000], "radar-4": [74_000, 74_000]})
    assert _ask(gate, 2, alive) == {"lamp-1": FULL, "lamp-3": FULL}
    before = gate.snapshot()
    assert _ask(gate, 3, alive) == {}
    assert gate.snapshot() == before
    assert _ask(gate, 4, _said(kind="alive", doubts={"radar-4": [74_000, 74_000]})) == {"lamp-1": BASE}


@pytest.mark.parametrize("nonsense", ["all", 7, [1], [[1, 2]], {"radar-1": "x"}])
def test_a_list_of_doubts_that_makes_no_sense_is_doubt_everywhere_until_one_that_does(nonsense: object) -> None:
    gate = _running(LIT)
    assert _ask(gate, 2, _said(doubts=nonsense)) == dict.fromkeys(LAMPS, FULL)
    assert _ask(gate, 3, _said(doubts={})) == dict.fromkeys(LAMPS, BASE)


def test_more_doubts_than_there_can_be_are_one_doubt_everywhere_and_memory_stays_bounded() -> None:
    gate = _running(LIT)
    for n in range(MAX_DOUBTS):
        assert _ask(gate, 2, _said(of=n, doubt=[500_000, 500_000])) == {}
    assert _ask(gate, 3, _said(of=0, doubt=[500_000, 500_001])) == {}, "a known one may change"
    assert _ask(gate, 4, _said(of="one more", doubt=[500_000, 500_000])) == dict.fromkeys(LAMPS, FULL)
    for n in range(1000):
        gate.step((), (_said(of=f"radar {n}", doubt=[0, 0]),), 5)
    assert len(_doubts(gate)) == MAX_DOUBTS + 1
    assert _doubts(gate)["neighbour/more"] == list(EVERYWHERE)
    assert _ask(gate, 6, _health("radar-1", False), _health("radar-1", True), _said(doubts={})) == dict.fromkeys(
        LAMPS, BASE
    )


def test_messages_about_other_things_change_nothing() -> None:
    gate = _running(LIT)
    before = gate.snapshot()
    assert _ask(gate, 2, _said(kind="rider", id=1), _said(), _said(kind="alive"), _said(of="radar-1")) == {}
    assert gate.snapshot() == before


# --- start: taking over from the gear


def test_before_the_gear_has_answered_nothing_is_written() -> None:
    gate = _gate()
    assert _ask(gate, 0, _wall(LIT), l1=FULL) == {}
    assert _ask(gate, 1, _health("radar-2", False), l2=FULL) == {}
    assert _ask(gate, TAKE_OVER_NS - 1) == {}


def test_a_lamp_is_written_as_soon_as_its_own_gear_has_answered() -> None:
    gate = _gate()
    assert _ask(gate, 0, _wall(LIT), l1=FULL, l2=FULL) == {}
    assert _ask(gate, 5, _status("lamp-2", BASE)) == {"lamp-2": FULL}
    assert _ask(gate, 6, _status("lamp-1", FULL)) == {}


def test_a_restart_takes_over_what_the_gear_shows_without_writing_it() -> None:
    gate = _gate()
    assert _ask(gate, 0, _wall(LIT)) == {}
    assert _ask(gate, 1, _status("lamp-1", FULL), _status("lamp-2", BASE), l1=FULL) == {}
    assert _ask(gate, 2, l1=240) == {"lamp-1": 240}


def test_gear_that_does_not_know_its_level_or_is_dark_by_night_is_told_at_once() -> None:
    gate = _gate()
    assert _ask(gate, 0, _wall(LIT)) == {}
    assert _ask(gate, 1, _status("lamp-1", None), _status("lamp-2", 0), _status("lamp-3", BASE)) == {
        "lamp-1": BASE,
        "lamp-2": BASE,
    }


def test_gear_that_burns_while_the_calendar_says_off_is_put_out() -> None:
    gate = _gate()
    assert _ask(gate, 0, _wall(OFF)) == {}
    assert _ask(gate, 1, _status("lamp-1", FULL), _status("lamp-2", 0)) == {"lamp-1": 0}


def test_gear_that_never_answers_is_told_when_the_time_is_over_and_not_before() -> None:
    gate = _gate()
    _ask(gate, 100, _wall(LIT, 100), _status("lamp-1", BASE))
    assert gate.wake_ns == 100 + TAKE_OVER_NS
    assert _ask(gate, 99 + TAKE_OVER_NS) == {}
    assert _ask(gate, 100 + TAKE_OVER_NS) == {"lamp-2": BASE, "lamp-3": BASE}
    assert gate.wake_ns == 100 + SUNRISE - LIT


def test_once_all_gear_has_answered_there_is_no_more_waiting() -> None:
    gate = _gate()
    gate.step((), ALL_AT_BASE, 0)
    assert _ask(gate, TAKE_OVER_NS) == {}
    assert gate.wake_ns == FOREVER_NS


def test_a_status_that_nobody_waited_for_changes_nothing() -> None:
    gate = _running(LIT)
    _ask(gate, 2, l1=FULL)
    before = gate.snapshot()
    assert _ask(gate, 3, _status("lamp-1", 3), _status("lamp-9", 3)) == {}
    assert gate.snapshot() == before


# --- for any input

_health_values = st.builds(
    DeviceHealth, st.just(0), st.sampled_from(["radar-1", "radar-2", "neighbour", "dali", "lamp-1"]), st.booleans()
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 40), 1 << 40) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=5,
)
_messages = st.builds(
    Message,
    st.just(0),
    st.sampled_from(["neighbour", "other"]),
    st.dictionaries(st.sampled_from(["kind", "of", "doubt", "doubts", "id"]), _json, max_size=4),
)
_inputs: st.SearchStrategy[Quantity] = st.one_of(
    _health_values,
    _messages,
    st.builds(LampStatus, st.just(0), st.sampled_from([*LAMPS, "lamp-9"]), st.none() | st.integers(0, 254)),
    st.builds(WallTime, st.just(0), st.just("wall"), st.integers(0, SUNRISE + SUNSET), st.booleans()),
)
_commands = st.builds(LampLevel, st.sampled_from(list(LAMPS)), st.integers(-300, 300))
_steps = st.lists(
    st.tuples(st.lists(_commands, max_size=3), st.lists(_inputs, max_size=3), st.integers(0, 300_000)), max_size=25
)


@settings(max_examples=60)
@given(_steps)
def test_whatever_comes_the_gate_keeps_the_table_and_its_snapshot_is_whole(steps: list[Any]) -> None:
    """After each step every lamp that may be written has been told what the table says; a twin agrees throughout."""
    gate = _gate()
    shown: dict[str, int | None] = dict.fromkeys(LAMPS)
    now_ns = 0
    for commands, inputs, later_ns in steps:
        twin = _gate()
        twin.restore(json.loads(json.dumps(gate.snapshot())))
        for value in inputs:
            if isinstance(value, LampStatus) and value.source in gate.snapshot()["waiting"]:
                shown[value.source] = value.level
        allowed = list(gate.step(commands, inputs, now_ns))
        assert list(twin.step(commands, inputs, now_ns)) == allowed
        assert twin.snapshot() == gate.snapshot()
        for command in allowed:
            assert isinstance(command, LampLevel)
            assert command.target not in gate.snapshot()["waiting"]
            shown[command.target] = command.level
        state = gate.snapshot()
        for lamp, level in _expected(gate).items():
            assert 0 <= level <= FULL
            light = state["hours"][0]
            assert light == "lit" or level == {"base": BASE, "off": 0}[light]
            assert level >= BASE or light == "off"
            if lamp not in state["waiting"]:
                assert shown[lamp] == level
        assert now_ns < gate.wake_ns
        now_ns += later_ns


@settings(max_examples=40)
@given(_steps, st.integers(1, 5_000))
def test_the_gate_obeys_the_law_of_waking(steps: list[Any], every_ns: int) -> None:
    """Stepping it with nothing before its wake gives nothing and changes nothing."""
    gate, now_ns = _gate(), 0
    for commands, inputs, later_ns in steps:
        gate.step(commands, inputs, now_ns)
        state, until_ns = gate.snapshot(), now_ns + later_ns
        for idle_ns in range(now_ns + 1, min(until_ns, gate.wake_ns, now_ns + 5 * every_ns), every_ns):
            assert list(gate.step((), (), idle_ns)) == []
            assert gate.snapshot() == state
        now_ns = until_ns


@settings(max_examples=40)
@given(_steps)
def test_in_doubt_it_does_not_matter_what_the_policy_asks(steps: list[Any]) -> None:
    """Off, base by unknown time, and full by doubt are the gate's alone: a silent policy gives the same light."""
    gate, alone, now_ns = _gate(), _gate(), 0
    for commands, inputs, later_ns in steps:
        gate.step(commands, inputs, now_ns)
        alone.step((), inputs, now_ns)
        state = gate.snapshot()
        for lamp, x_mm in LAMPS.items():
            if state["hours"][0] != "lit" or any(low <= x_mm <= high for low, high in _doubts(gate).values()):
                assert gate._level(lamp) == alone._level(lamp)
        now_ns += later_ns
