"""What gear keeps: read, compared, written; each answer that gets lost on the way."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from drivers.buses.dali_procedures import Procedure, check_gear
from drivers.buses.dali_settings import KEEP, GearSettings, configure_gear, read_settings
from hil.peers.dali_line import DaliLine

RIGHT = {
    "failure_level": 254,
    "fade_code": 2,
    "power_on_level": 254,
    "max_level": 254,
    "min_level": 1,
    "groups": 0x8001,
    "physical_minimum": 1,
    "curve": 0,
}
WANTED = GearSettings(fade_code=2, groups=0x8001)


class Gear:
    """One gear on a line; `lost` questions get no answer, by their number."""

    def __init__(self, *lost: int) -> None:
        self.line = DaliLine([5], lambda *segment: None, level=0, fade_code=0)
        self.lost, self.asked, self.sent = lost, 0, 0

    def run(self, procedure: Procedure) -> Any:
        answer = None
        while True:
            try:
                command: Any = procedure.send(answer)
            except StopIteration as end:
                return end.value
            answer = None
            for _ in range(2 if command.twice else 1):
                self.sent += 1
                answers = self.line.forward(command.frame, self.sent)
                if command.answers:
                    self.asked += 1
                    answer = answers[0] if answers and self.asked not in self.lost else None


def commission(wanted: GearSettings) -> Procedure:
    return configure_gear(5, *msgspec.structs.astuple(wanted))


def test_what_is_written_is_read_and_a_second_time_nothing_is_written() -> None:
    gear = Gear()
    gear.line.gear[5].curve = 1
    gear.line.gear[5].groups = 0b110
    assert gear.run(commission(WANTED)) == RIGHT | {"written": 6}
    assert gear.run(read_settings(5)) == RIGHT
    assert gear.run(commission(WANTED)) == RIGHT | {"written": 0}
    assert gear.line.gear[5].writes == 6
    assert WANTED.differences(RIGHT) == []


def test_what_is_to_be_kept_is_neither_asked_nor_told() -> None:
    gear = Gear()
    assert gear.run(configure_gear(5, 100, KEEP)) == {"failure_level": 100, "written": 1}
    assert (gear.asked, gear.line.gear[5].writes) == (2, 1)
    assert gear.run(configure_gear(5, KEEP, KEEP, groups=4)) == {"groups": 4, "written": 1}


@pytest.mark.parametrize("lost", range(1, 9))
def test_gear_that_misses_a_question_is_not_taken_for_gear_with_other_settings(lost: int) -> None:
    assert Gear(lost).run(read_settings(5)) is None


def test_gear_that_is_no_led_module_has_no_curve() -> None:
    found = Gear(9).run(read_settings(5))
    assert found["curve"] is None
    assert GearSettings().differences(found) == []


@pytest.mark.parametrize("lost", [1, 2, 3, 6, 8])
def test_gear_that_falls_silent_while_it_is_told_gives_no_result(lost: int) -> None:
    gear = Gear(lost)
    gear.line.gear[5].failure_level = 0
    assert gear.run(commission(WANTED)) is None


def test_a_gear_cannot_go_below_its_physical_minimum_and_need_not() -> None:
    gear = Gear()
    gear.line.gear[5].physical_minimum = gear.line.gear[5].min_level = 126
    found = gear.run(read_settings(5))
    assert GearSettings().differences(found) == []
    assert GearSettings(min_level=130).differences(found) == [("min_level", 126, 130)]
    assert GearSettings(fade_code=4, groups=1).differences(found) == [("fade_code", 0, 4), ("groups", 0, 1)]
    assert GearSettings().differences(found | {"curve": 1}) == [("curve", 1, 0)]


@pytest.mark.parametrize(
    ("lost", "found"),
    [((), {"status": 0, "level": 0}), ((1,), {"status": None, "level": 0}), ((2,), {"status": 0, "level": None})],
)
def test_a_look_at_gear_takes_what_comes(lost: tuple[int, ...], found: dict[str, Any]) -> None:
    assert Gear(*lost).run(check_gear(5)) == found
    assert Gear(1, 2).run(check_gear(5)) is None
