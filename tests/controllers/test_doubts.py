"""Which stretches are in doubt, and whether a word changed that: the gate looks at lamps again only then."""

from __future__ import annotations

import json

import pytest

from controllers.core.doubts import EVERYWHERE, MAX_DOUBTS, Doubts
from drivers.quantities import DeviceHealth, LampStatus

LAMPS = {"lamp-1": 0, "lamp-2": 32_000}


def doubts() -> Doubts:
    return Doubts(LAMPS, {"radar-1": (0, 10), "lamp-1": (0, 10)}, 5)


def ill(source: str) -> DeviceHealth:
    return DeviceHealth(0, source, False, "no frame")


def failed(lamp: str, failure: str = "lamp failure") -> LampStatus:
    return LampStatus(0, lamp, None, failure)


def test_the_health_of_a_zones_device_changes_it_once_each_way() -> None:
    made = doubts()
    assert made.health(ill("radar-1")) is True
    assert made.health(ill("radar-1")) is False
    assert list(made.sources) == ["radar-1"]
    assert made.health(DeviceHealth(0, "radar-1", True)) is True
    assert made.health(DeviceHealth(0, "radar-1", True)) is False


def test_the_health_of_a_lamp_and_of_a_device_without_a_zone_changes_nothing() -> None:
    made = doubts()
    assert made.health(ill("lamp-1")) is False
    assert made.health(ill("meter")) is False
    assert list(made.sources) == []


def test_a_lamp_that_fails_changes_it_and_another_reason_for_the_same_does_not() -> None:
    made = doubts()
    assert made.lamp(failed("lamp-2")) is True
    assert made.lamp(failed("lamp-2", "gear failure")) is False
    assert made.dark == {"lamp-2": "gear failure"}
    assert made.said == [32_000, 32_000]
    assert (made.at(31_994), made.at(31_995), made.at(32_005), made.at(32_006)) == (False, True, True, False)
    assert made.lamp(failed("lamp-2", "")) is True
    assert made.lamp(failed("lamp-2", "")) is False
    assert made.said is None


def test_a_neighbours_word_changes_it_where_it_is_new() -> None:
    made = doubts()
    assert made.hear("east", {"of": "radar-2", "doubt": [100, 200]}) is True
    assert made.hear("east", {"of": "radar-2", "doubt": [200, 100]}) is False, "the same stretch"
    assert (made.at(94), made.at(95), made.at(205), made.at(206)) == (False, True, True, False)
    assert made.hear("east", {"of": "radar-2", "doubt": None}) is True
    assert made.hear("east", {"of": "radar-2", "doubt": None}) is False
    assert made.hear("east", {"kind": "rider"}) is False


def test_a_list_of_all_changes_it_where_one_came_or_went_and_names_are_whole_names() -> None:
    made = doubts()
    assert made.hear("east", {"doubts": {"a": [0, 1], "ab": [2, 3]}}) is True
    assert made.hear("eas", {"doubts": {"a": [0, 1]}}) is True
    assert made.hear("east", {"doubts": {"a": [0, 1], "ab": [2, 3]}}) is False
    assert made.hear("east", {"doubts": {"a": [0, 1]}}) is True, "one went"
    assert sorted(made.sources) == ["eas/a", "east/a"]
    assert made.hear("east", {"doubts": {"a": [0, 2]}}) is True
    assert made.hear("east", {"doubts": {}}) is True
    assert made.hear("east", {"doubts": {}}) is False
    assert list(made.sources) == ["eas/a"]


def test_a_list_that_is_none_is_one_doubt_everywhere_under_a_name_of_its_own() -> None:
    made = doubts()
    assert made.said is None
    made.hear("east", {"doubts": "all of it"})
    assert made.snapshot()["stretches"] == {"east/all": list(EVERYWHERE)}


def test_one_doubt_without_a_name_has_one_too() -> None:
    made = doubts()
    made.hear("east", {"doubt": [0, 0]})
    assert list(made.sources) == ["east/None"]


def test_beyond_what_there_can_be_it_is_everywhere() -> None:
    made = doubts()
    for n in range(MAX_DOUBTS):
        assert made.hear("east", {"of": n, "doubt": [n, n]}) is True
    assert made.hear("east", {"of": 0, "doubt": [7, 7]}) is True
    assert made.hear("east", {"of": 0, "doubt": None}) is True
    assert made.hear("east", {"of": "again", "doubt": [0, 0]}) is True, "there is room for one"
    assert made.hear("east", {"of": "more", "doubt": None}) is False
    assert made.hear("east", {"of": "more", "doubt": [0, 0]}) is True
    assert made.snapshot()["stretches"]["east/more"] == list(EVERYWHERE)
    made.hear("west", {"doubts": {"radar": [0, 0]}})
    assert made.snapshot()["stretches"]["west/more"] == list(EVERYWHERE)


@pytest.mark.parametrize("nonsense", [[1], [1, 2, 3], ["a", "b"], "ab", 5, {}, []])
def test_a_stretch_that_is_none_is_everywhere(nonsense: object) -> None:
    made = doubts()
    made.hear("east", {"of": "radar", "doubt": nonsense})
    assert made.snapshot()["stretches"] == {"east/radar": list(EVERYWHERE)}


def test_it_survives_a_snapshot() -> None:
    made, other = doubts(), doubts()
    made.health(ill("radar-1"))
    made.lamp(failed("lamp-1"))
    other.restore(json.loads(json.dumps(made.snapshot())))
    assert other.snapshot() == made.snapshot()
    assert other.at(3)
    assert not other.at(11)
