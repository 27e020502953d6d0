"""A section without a sensor: nobody can know who is there, so it is light all lit hours; the calendar still rules."""

from __future__ import annotations

from typing import Any

import msgspec

from controllers.core.failsafe_lamps import LampGate
from controllers.lighting.site import LightingSite, mm
from controllers.lighting.unseen import unseen
from controllers.service.assemble import assemble
from controllers.service.sites import load_site
from drivers.links.memory import memory_pair
from drivers.quantities import Message, WallTime
from drivers.units import NS_PER_S

NIGHT_NS, NOON_NS = 1_708_455_600 * NS_PER_S, 1_708_426_800 * NS_PER_S
"""20 February 2024, 20:00 and 12:00 in Münster."""

BASE, FULL = 170, 254


def site(*blind: str) -> LightingSite:
    """The reference site, `blind` controllers without their radars."""
    known = load_site("kanalpromenade-reference")
    assert isinstance(known, LightingSite)
    controllers = tuple(
        msgspec.structs.replace(one, radars=() if one.name in blind else one.radars) for one in known.controllers
    )
    return msgspec.structs.replace(known, controllers=controllers)


def levels(found: LightingSite, controller: str, utc_ns: int, *heard: Message, again: bool = False) -> list[int]:
    """What the gate lets the lamps be, first to last; `again`: after a restart from its snapshot."""
    gate = gate_of(found, controller)
    told: dict[str, int] = {}
    for t_ns, inputs in ((0, (WallTime(0, "wall", utc_ns, True),)), (3 * NS_PER_S, ()), (30 * NS_PER_S, heard)):
        for command in gate.step((), inputs, t_ns):
            told[command.target] = getattr(command, "level", -1)
        if again:
            saved = gate.snapshot()
            gate = gate_of(found, controller)
            gate.restore(saved)
    return [told[lamp.name] for lamp in found.controller(controller).lamps]


def gate_of(found: LightingSite, controller: str) -> LampGate:
    def link_for(name: str, wire: Any) -> Any:
        return memory_pair(name)[0]

    gate = assemble(found, controller=controller, link_for=link_for).cycle.gate
    assert isinstance(gate, LampGate)
    return gate


def test_a_section_without_a_sensor_is_full_in_lit_hours_and_off_otherwise() -> None:
    for again in (False, True):
        assert levels(site("west"), "west", NIGHT_NS, again=again) == [FULL] * 6
    assert levels(site("west"), "west", NOON_NS) == [0] * 6


def test_its_neighbour_is_full_at_the_border_as_if_it_heard_nothing() -> None:
    found = levels(site("west"), "east", NIGHT_NS)
    assert found[0] == FULL
    assert found[-1] == BASE
    assert found == sorted(found, reverse=True)
    (span,) = unseen(site("west"), site("west").controller("east")).values()
    assert [mm(lamp.x_m) <= span[1] for lamp in site().controller("east").lamps] == [level == FULL for level in found]


def test_a_neighbours_word_that_all_is_well_does_not_give_a_section_its_sensor() -> None:
    all_well = Message(30 * NS_PER_S, "neighbour", {"kind": "alive", "doubts": {}})
    assert levels(site("west"), "west", NIGHT_NS, all_well) == [FULL] * 6
    assert levels(site("west", "east"), "east", NIGHT_NS, all_well) == [FULL] * 6


def test_where_there_are_sensors_nothing_is_in_doubt() -> None:
    for controller in site().controllers:
        assert unseen(site(), controller) == {}
    assert levels(site(), "west", NIGHT_NS) == [BASE] * 6
