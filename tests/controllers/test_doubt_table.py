"""What a lamp does in doubt: every cell of the table in docs/architecture.md, by its name.

The light is judged by the gate of a controller with three lamps, a radar over the first two, and a lux sensor where the
cell names one. What a board does that hangs or dies is tested where boards are: tests/hil/test_bus_relay.py.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from controllers.core.calendar_rules import OFF, Hours
from controllers.core.contract import Command, LampLevel, Publish
from controllers.core.dusk import SETTLE_NS, Dusk
from controllers.core.failsafe_lamps import LampGate
from drivers.quantities import DeviceHealth, Illuminance, LampStatus, Message, Quantity, WallTime
from drivers.units import FOREVER_NS, NS_PER_S

BASE, FULL = 170, 254
LAMPS = {"lamp-1": 0, "lamp-2": 32_000, "lamp-3": 64_000}
HOUR_NS = 3600 * NS_PER_S
SUNSET, MIDNIGHT, SUNRISE = 18 * HOUR_NS, 24 * HOUR_NS, 30 * HOUR_NS
DAY, LIT, BATS = 12 * HOUR_NS, 21 * HOUR_NS, 27 * HOUR_NS
"""Noon; lit hours; the calendar says off though it is night."""


class Calendar:
    """Lit from sunset to midnight, then off for the bats."""

    def hours_at(self, utc_ns: int) -> Hours:
        return Hours("lit") if SUNSET <= utc_ns < MIDNIGHT else OFF

    def next_change_ns(self, utc_ns: int) -> int:
        return next((edge for edge in (SUNSET, MIDNIGHT) if utc_ns < edge), FOREVER_NS)

    def sun_up_at(self, utc_ns: int) -> bool:
        return not SUNSET <= utc_ns < SUNRISE


class Board:
    """The gate, what its lamps were told last, and the time. All gear was found at base."""

    def __init__(self, utc_ns: int | None, lux: int | None = None, found: int | None = BASE) -> None:
        dusk = None if lux is None else Dusk("lux", 10_000, 30_000)
        self.gate = LampGate(
            LAMPS,
            {"radar-1": (0, 32_000), "neighbour": (60_000, 100_000), "dali": (-70_000, 134_000)},
            Calendar(),
            base_level=BASE,
            full_level=FULL,
            reach_mm=40_000,
            speakers=("neighbour",),
            dusk=dusk,
        )
        self.t_ns = 0
        self.told: list[tuple[int, str, int]] = []
        self.published: list[dict[str, Any]] = []
        self.levels: dict[str, int | None] = dict.fromkeys(LAMPS, found)
        self.hear() if utc_ns is None else self.hear(WallTime(0, "wall", utc_ns, True))
        if lux is not None:
            self.hear(Illuminance(0, "lux", lux))
        if found is not None:
            self.hear(*[LampStatus(self.t_ns, lamp, found) for lamp in LAMPS])
        self.wait(20)

    def hear(self, *inputs: Quantity, asked: tuple[Command, ...] = ()) -> None:
        for command in self.gate.step(asked, inputs, self.t_ns):
            if isinstance(command, LampLevel):
                self.levels[command.target] = command.level
                self.told.append((self.t_ns, command.target, command.level))
            elif isinstance(command, Publish):
                self.published.append(command.body)

    def wait(self, seconds: float) -> None:
        """Let the gate do what it does by itself: sinking goes in steps."""
        until_ns = self.t_ns + round(seconds * NS_PER_S)
        while self.gate.wake_ns <= until_ns:
            self.t_ns = max(self.t_ns, self.gate.wake_ns)
            self.hear()
        self.t_ns = until_ns

    def light(self) -> list[int | None]:
        return list(self.levels.values())


def sick(source: str, reason: str) -> DeviceHealth:
    return DeviceHealth(0, source, False, reason)


def all_at(level: int) -> list[int | None]:
    return [level] * 3


BY_DAY = pytest.param(DAY, id="day")
BY_CALENDAR = pytest.param(BATS, id="calendar says off")
STALE = pytest.param("no frame", id="sensor stale")
CONTRADICTS = pytest.param("frozen value", id="contradiction")


# --- sensor stale, contradiction


@pytest.mark.parametrize("reason", [STALE, CONTRADICTS])
@pytest.mark.parametrize("utc_ns", [BY_DAY, BY_CALENDAR])
def test_sensor_stale_or_contradiction_while_the_calendar_says_off_is_off(utc_ns: int, reason: str) -> None:
    board = Board(utc_ns)
    board.hear(sick("radar-1", reason), asked=(LampLevel("lamp-3", FULL),))
    assert board.light() == all_at(0)


@pytest.mark.parametrize("reason", [STALE, CONTRADICTS])
def test_sensor_stale_or_contradiction_in_lit_hours_is_its_zone_at_full(reason: str) -> None:
    board = Board(LIT)
    board.hear(sick("radar-1", reason))
    assert board.light() == [FULL, FULL, BASE]


@pytest.mark.parametrize("reason", [STALE, CONTRADICTS])
def test_sensor_stale_or_contradiction_and_wall_time_not_known_is_its_zone_at_full_if_the_lux_sensor_says_dark(
    reason: str,
) -> None:
    board = Board(None, lux=400)
    board.hear(sick("radar-1", reason))
    assert board.light() == [FULL, FULL, BASE]


@pytest.mark.parametrize("lux", [pytest.param(None, id="no lux sensor"), pytest.param(20_000_000, id="bright")])
def test_sensor_stale_and_wall_time_not_known_is_base_without_a_lux_sensor_that_says_dark(lux: int | None) -> None:
    board = Board(None, lux)
    board.hear(sick("radar-1", "no frame"), asked=(LampLevel("lamp-3", FULL),))
    assert board.light() == all_at(BASE)


def test_sensor_stale_and_wall_time_not_known_is_base_when_the_lux_sensor_is_lost() -> None:
    board = Board(None, lux=400)
    board.hear(sick("radar-1", "no frame"))
    board.hear(sick("lux", "does not answer"))
    board.wait(10)
    assert board.light() == all_at(BASE)
    board.hear(DeviceHealth(board.t_ns, "lux", True))
    assert board.light() == all_at(BASE), "well again, but has said nothing yet"
    board.hear(Illuminance(board.t_ns, "lux", 400))
    assert board.light() == [FULL, FULL, BASE]


def test_wall_time_not_known_and_dark_by_lux_lights_as_in_lit_hours() -> None:
    board = Board(None, lux=400)
    board.hear(asked=(LampLevel("lamp-3", FULL),))
    assert board.light() == [BASE, BASE, FULL]
    assert board.gate.light == "lit"
    assert Board(None).gate.light == "base"


# --- controller stops cleanly


def stopped(board: Board) -> set[int]:
    return {order.level for order in board.gate.stopping(board.t_ns)}


@pytest.mark.parametrize("utc_ns", [BY_DAY, BY_CALENDAR])
def test_a_controller_that_stops_while_the_calendar_says_off_leaves_off(utc_ns: int) -> None:
    assert stopped(Board(utc_ns)) == {0}


def test_a_controller_that_stops_in_lit_hours_writes_base_level() -> None:
    board = Board(LIT)
    board.hear(sick("radar-1", "no frame"))
    assert stopped(board) == {BASE}


@pytest.mark.parametrize("lux", [None, 400])
def test_a_controller_that_stops_and_does_not_know_the_wall_time_writes_base_level(lux: int | None) -> None:
    assert stopped(Board(None, lux)) == {BASE}


# --- controller restarts


@pytest.mark.parametrize("found", [0, 3, BASE, 200, FULL])
@pytest.mark.parametrize(
    ("utc_ns", "rest"),
    [
        pytest.param(DAY, 0, id="day"),
        pytest.param(LIT, BASE, id="lit hours"),
        pytest.param(BATS, 0, id="calendar says off"),
        pytest.param(None, BASE, id="wall time not known"),
    ],
)
def test_a_controller_that_restarts_takes_over_from_the_gears_level_without_a_flash(
    utc_ns: int | None, rest: int, found: int
) -> None:
    """Straight from what the gear shows to what the hour asks for, never beyond, never down at a stroke."""
    board = Board(utc_ns, found=found)
    levels = [found, *[level for _, lamp, level in board.told if lamp == "lamp-1"]]
    assert levels[-1] == rest
    assert levels == sorted(levels, reverse=found > rest)
    assert all(before - after <= 34 for before, after in itertools.pairwise(levels))


def test_a_controller_that_restarts_writes_nothing_before_the_gear_has_answered() -> None:
    board = Board(LIT, found=None)
    assert board.told[0][0] == 2 * NS_PER_S, "gear that never answers is told when the wait is over"
    board = Board(LIT)
    assert board.told == []


# --- gateway or bus lost, and lamps that stay dark


@pytest.mark.parametrize("utc_ns", [BY_DAY, BY_CALENDAR])
@pytest.mark.parametrize("value", [sick("dali", "no answer"), LampStatus(0, "lamp-2", None, "lamp failure")])
def test_a_lamp_or_gateway_lost_while_the_calendar_says_off_changes_nothing(utc_ns: int, value: Quantity) -> None:
    board = Board(utc_ns)
    board.hear(value)
    assert board.light() == all_at(0)


def test_a_gateway_lost_in_lit_hours_is_full_all_around() -> None:
    board = Board(LIT)
    board.hear(sick("dali", "no answer"))
    assert board.light() == all_at(FULL)


@pytest.mark.parametrize("failure", ["lamp failure", "gear failure", "gear does not answer", "gateway lost"])
def test_a_lamp_that_stays_dark_in_lit_hours_is_lit_from_both_sides_and_the_neighbours_are_told(failure: str) -> None:
    board = Board(LIT)
    board.hear(LampStatus(board.t_ns, "lamp-2", None, failure))
    assert board.light() == all_at(FULL)
    assert board.published == [{"kind": "doubt", "of": "dark", "doubt": [32_000, 32_000]}]
    board.hear(LampStatus(board.t_ns, "lamp-2", None, ""))
    board.wait(10)
    assert board.light() == all_at(BASE)
    assert board.published[1:] == [{"kind": "doubt", "of": "dark", "doubt": None}]


def test_lamps_that_stay_dark_are_one_stretch_for_the_neighbours_and_stand_in_the_word_of_all_doubts() -> None:
    board = Board(LIT)
    board.hear(LampStatus(0, "lamp-3", None, "lamp failure"))
    board.hear(LampStatus(0, "lamp-1", None, "gear does not answer"))
    board.hear(LampStatus(0, "lamp-1", None, "gear does not answer"))
    assert [body["doubt"] for body in board.published] == [[64_000, 64_000], [0, 64_000]]
    board.published.clear()
    alive = Publish("neighbour", {"kind": "alive", "doubts": {"radar-1": [0, 5]}})
    assert list(board.gate.step((alive,), (), board.t_ns)) == [
        Publish("neighbour", {"kind": "alive", "doubts": {"radar-1": [0, 5], "dark": [0, 64_000]}})
    ]
    assert list(Board(LIT).gate.step((alive,), (), board.t_ns)) == [alive], "nothing is dark there"
    odd = Publish("neighbour", {"kind": "alive", "doubts": "none"})
    rider = Publish("neighbour", {"kind": "rider", "id": 3})
    board.hear(asked=(alive, odd, rider))
    assert board.published == [
        {"kind": "alive", "doubts": {"radar-1": [0, 5], "dark": [0, 64_000]}},
        odd.body,
        rider.body,
    ]


def test_a_lamp_of_the_neighbour_that_stays_dark_is_lit_from_this_side_too() -> None:
    board = Board(LIT)
    board.hear(Message(0, "neighbour", {"kind": "doubt", "of": "dark", "doubt": [96_000, 96_000]}))
    assert board.light() == [BASE, BASE, FULL]
    board.hear(Message(0, "neighbour", {"kind": "alive", "doubts": {}}))
    board.wait(10)
    assert board.light() == all_at(BASE)


def test_the_status_of_a_lamp_that_is_not_ours_is_no_doubt() -> None:
    board = Board(LIT)
    before = board.gate.snapshot()
    board.hear(LampStatus(0, "lamp-9", None, "lamp failure"))
    assert board.gate.snapshot() == before


def test_a_failure_told_before_the_gear_has_said_its_level_is_no_answer() -> None:
    board = Board(LIT, found=None)
    gate = LampGate(LAMPS, {}, Calendar(), base_level=BASE, full_level=FULL, take_over_ns=9)
    gate.step((), (WallTime(0, "wall", LIT, True), LampStatus(0, "lamp-1", None, "gateway lost")), 0)
    assert list(gate.step((), (LampStatus(1, "lamp-1", None),), 1)) == []
    assert list(gate.step((), (LampStatus(2, "lamp-1", 200),), 2)) == [LampLevel("lamp-1", BASE)]
    assert board.gate.doubts.dark == {}


# --- neighbour silent


@pytest.mark.parametrize(
    ("utc_ns", "light"),
    [
        pytest.param(DAY, all_at(0), id="day"),
        pytest.param(LIT, [BASE, BASE, FULL], id="lit hours"),
        pytest.param(BATS, all_at(0), id="calendar says off"),
        pytest.param(None, all_at(BASE), id="wall time not known"),
    ],
)
def test_a_neighbour_that_is_silent_is_the_border_at_full_in_lit_hours(
    utc_ns: int | None, light: list[int | None]
) -> None:
    board = Board(utc_ns)
    board.hear(sick("neighbour", "no message"))
    assert board.light() == light


# --- the lux sensor's own doubt


def read(board: Board, mlux: int, seconds: float = SETTLE_NS / NS_PER_S) -> None:
    """Readings every ten seconds."""
    until_ns = board.t_ns + round(seconds * NS_PER_S)
    while board.t_ns <= until_ns:
        board.hear(Illuminance(board.t_ns, "lux", mlux))
        board.wait(10)


def test_a_lux_sensor_that_says_dark_at_noon_is_doubted_and_not_believed_when_the_wall_time_is_lost() -> None:
    board = Board(DAY, lux=400)
    assert board.light() == all_at(0), "the calendar beats it"
    board.hear(WallTime(board.t_ns, "wall", DAY, False), sick("radar-1", "no frame"))
    assert board.light() == all_at(BASE)


def test_a_lux_sensor_that_was_doubted_is_believed_again_once_it_agrees_with_the_sun() -> None:
    board = Board(DAY, lux=400)
    read(board, 5_000_000)
    board.hear(WallTime(board.t_ns, "wall", DAY, False), sick("radar-1", "no frame"))
    read(board, 400)
    assert board.light() == [FULL, FULL, BASE]


def trimming(utc_ns: int, mlux: int) -> Board:
    """A site where dusk is by lux, at base or off by its calendar."""
    board = Board(utc_ns, lux=mlux)
    assert board.gate.dusk is not None
    board.gate.dusk.trims = True
    read(board, mlux)
    return board


def test_dusk_by_lux_begins_later_than_sunset_where_it_is_bright() -> None:
    board = trimming(SUNSET - 60 * NS_PER_S, 200_000)
    read(board, 200_000)
    assert board.light() == all_at(0)
    read(board, 5_000, seconds=50)
    assert board.light() == all_at(0), "a cloud's edge is no dusk"
    read(board, 20_000, seconds=0)
    read(board, 5_000)
    assert board.light() == all_at(BASE)
    read(board, 20_000, seconds=120)
    assert board.light() == all_at(BASE), "between the thresholds nothing changes"


def test_dusk_by_lux_is_never_earlier_than_the_calendar() -> None:
    assert trimming(SUNSET - 600 * NS_PER_S, 400).light() == all_at(0)
    assert trimming(BATS, 400).light() == all_at(0)


@pytest.mark.parametrize("mlux", [30_000, 5_000_000])
def test_a_lux_sensor_that_says_bright_deep_in_the_night_is_doubted_and_the_light_stays(mlux: int) -> None:
    assert trimming(LIT, mlux).light() == all_at(BASE)


def test_readings_of_another_sensor_and_of_a_site_without_one_change_nothing() -> None:
    for board in (Board(LIT, lux=400), Board(LIT)):
        before = board.gate.snapshot()
        board.hear(Illuminance(board.t_ns, "lux-2", 5_000_000))
        assert board.gate.snapshot() == before


def test_the_doubts_of_lamps_lux_and_orders_survive_a_snapshot() -> None:
    board, other = Board(None, lux=400), Board(None, lux=400)
    order = {"kind": "override", "lamps": ["lamp-1"], "level": 200, "for_ms": 60_000}
    board.hear(LampStatus(0, "lamp-3", None, "lamp failure"), Message(board.t_ns, "commissioning", order))
    other.gate.restore(json.loads(json.dumps(board.gate.snapshot())))
    assert other.gate.snapshot() == board.gate.snapshot()
    other.levels, other.t_ns = dict(board.levels), board.t_ns
    for one in (board, other):
        one.hear(LampStatus(0, "lamp-3", None), sick("lux", "lost"))
        one.wait(70)
    assert other.light() == board.light() == all_at(BASE)
    assert other.gate.snapshot() == board.gate.snapshot()
