"""Order rules, measurements with limits, and what is read from a panel's pixels."""

from __future__ import annotations

import pytest

from controllers.greenwave.picture import Stage, frame_of
from drivers.codecs.ld2451 import IDLE_FRAME
from hil.judge.measures import Measure, Meter, uncertain
from hil.judge.order import OrderRule
from hil.judge.panel_reading import Reading, read_panel

MS = 1_000_000
Piece = tuple[str, bool, bytes, int]


def verdict(rule: str, pieces: list[Piece], end_ms: int = 1000) -> str:
    judge = OrderRule(rule)
    for wire, outward, data, t_ms in pieces:
        judge.passed(wire, outward, data, t_ms * MS)
    return judge.verdict(end_ms * MS)


RELAY = ("west/relay", True, b"\1", 10)
DALI = ("west/dali", True, b"h04FE\n", 20)
ECHO = ("west/radar-1", False, b"\xf4echo", 5)


def test_before_asks_of_the_first_of_each() -> None:
    assert verdict("west/relay before west/dali", [RELAY, DALI, (*RELAY[:3], 30)]) == ""
    said = verdict("west/relay before west/dali", [DALI, (*RELAY[:3], 30)])
    assert said.startswith("order broken: `west/relay before west/dali`: west/dali passed at second 0.020")
    assert "never passed" in verdict("west/relay before west/dali", [DALI])
    assert "neither" in verdict("west/relay before west/dali", [])
    assert verdict("west/relay before west/dali", [RELAY]) == ""


def test_follows_asks_of_each_cause_that_had_time_enough_and_idle_frames_are_none() -> None:
    rule = "west/dali~h..FE follows in:west/radar-.* within 100 ms"
    assert verdict(rule, [ECHO, DALI]) == ""
    assert "passed at second 0.005" in verdict(rule, [ECHO, (*DALI[:3], 200)])
    assert verdict(rule, [ECHO, DALI, (*ECHO[:3], 950)]) == ""  # the run ended before its time was up
    assert "never passed" in verdict(rule, [("west/radar-1", False, IDLE_FRAME, 5), DALI])
    assert "did not within" in verdict(rule, [ECHO, ("west/dali", True, b"h04AA\n", 20)])
    once = rule.replace("follows", "follows first")
    late = [ECHO, DALI, (*ECHO[:3], 300)]
    assert verdict(once, late) == ""
    assert "second 0.300" in verdict(rule, late)


@pytest.mark.parametrize("rule", ["a after b", "a follows b", "a follows b within 1 s", "( before b", "a~[ before b"])
def test_a_rule_that_does_not_read_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match=r"order|regular expression"):
        OrderRule(rule)


def test_a_response_is_measured_and_its_limits_are_inclusive() -> None:
    def measured(high: float, doubt: float = 0.0) -> tuple[float, bool | None, str]:
        meter = Meter(Measure("light", "response", "in:west/radar-1", "west/dali", high=high))
        for wire, outward, data, t_ms in (ECHO, (*ECHO[:3], 8), DALI, (*ECHO[:3], 100), (*DALI[:3], 190)):
            meter.passed(wire, outward, data, t_ms * MS)
        found, said = meter.measured({}, doubt)
        assert found is not None
        return found.value, found.ok, said

    assert measured(15) == (15.0, True, "")
    assert measured(14.9) == (15.0, False, "limit broken: light 15 ms (at most 14.9)")
    assert measured(16, doubt=2) == (15.0, None, "")


def test_the_slowest_a_count_and_a_figure_are_measured_and_nothing_is_said_as_such() -> None:
    pieces = (ECHO, DALI, (*ECHO[:3], 100), (*DALI[:3], 190))
    slow = Meter(Measure("slow", "slowest-response", "in:west/radar-1", "west/dali"))
    count = Meter(Measure("count", "count", to="west/dali", low=3))
    for wire, outward, data, t_ms in pieces:
        slow.passed(wire, outward, data, t_ms * MS)
        count.passed(wire, outward, data, t_ms * MS)
    assert slow.measured({})[0].value == 90  # type: ignore[union-attr]
    assert count.measured({})[1] == "limit broken: count 2 pieces (at least 3)"
    energy = Meter(Measure("energy", "energy", high=2))
    found, _ = energy.measured({"energy_wh": {"leeze": 1.5}})
    assert found is not None
    assert (found.value, found.unit, found.ok) == (1.5, "Wh", True)
    assert energy.measured({})[1].startswith("not measured: energy")
    unsure = Meter(Measure("light", "response", "in:west/radar-1", "west/dali", high=16))
    for piece in (ECHO, DALI):
        unsure.passed(*piece[:3], piece[3] * MS)
    one, _ = unsure.measured({}, 5)
    assert one is not None
    assert uncertain([one]) == ["light"]


def test_the_pixels_say_which_colour_is_shown_and_how_high_the_column_stands() -> None:
    for stage, colour in ((Stage.RED, "red"), (Stage.HURRY, "amber"), (Stage.GREEN, "green")):
        for level in (1, 7, 16):
            for bar_px in (None, 0, 1, 2, 23, 43, 44):
                assert read_panel(frame_of(stage, bar_px, level)) == Reading(colour, bar_px)
    assert read_panel(frame_of(Stage.DARK, None, 16)) == Reading("dark", None)
    assert read_panel(b"no frame").colour == "unknown"
