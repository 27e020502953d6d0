"""What a policy wants somebody to look at is said in the journal, once, and taken back."""

from __future__ import annotations

from typing import Any

from controllers.service.assemble import assemble
from controllers.service.console import Urgent
from controllers.service.sites import load_site
from controllers.service.status import Status
from drivers.links.memory import memory_pair
from drivers.units import NS_PER_S

SAYS = "radar-2 shows riders mirrored: turn it round, or correct `looks` in the site file"


def test_a_radar_the_wrong_way_round_is_said_once_and_urgently_and_its_end_too() -> None:
    controller = assemble(
        load_site("kanalpromenade-reference"), controller="west", link_for=lambda name, wire: memory_pair(name)[0]
    )
    mounting: Any = controller.cycle.policy.riders.mountings["radar-2"]  # type: ignore[attr-defined]
    told: list[str] = []
    status = Status(controller, told.append)
    for second in range(6):
        mounting.wrong = second in (2, 3)
        status.look(second * NS_PER_S, {}, 0)
    assert told == [f"look at: {SAYS}", "look at: no more"]
    assert isinstance(told[0], Urgent)
    assert not isinstance(told[1], Urgent)
