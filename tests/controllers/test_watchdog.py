"""The bus-power relay of a lamp controller: fed by the loop that runs, and by nothing else."""

from __future__ import annotations

from itertools import pairwise

from controllers.service.assemble import Controller, assemble
from controllers.service.loop import RealTimeLoop
from controllers.service.sites import load_site
from controllers.service.status import Status
from drivers.clock import VirtualClock
from drivers.interfaces import ByteLink
from drivers.line_events import SET, LineEventStream
from drivers.links.memory import MemoryLink, memory_pair
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

START_NS = 7_000 * NS_PER_S


class Clock(VirtualClock):
    def utc_ns(self) -> int:
        return 1_708_369_200 * NS_PER_S + self.now_ns()


class Wires:
    """Nothing comes; waiting is jumping."""

    def __init__(self, clock: Clock) -> None:
        self.losses = 0
        self.troubles: dict[str, str] = {}
        self._clock = clock

    def wake_ns(self, now_ns: int) -> int:
        return FOREVER_NS

    def wait_until_ns(self, deadline_ns: int) -> None:
        self._clock.sleep_until_ns(deadline_ns)

    def pump(self, t_ns: int) -> None:
        pass


def lamp_controller() -> tuple[Controller, MemoryLink]:
    far: dict[str, MemoryLink] = {}

    def link_for(name: str, wire: object) -> ByteLink:
        near, far[name] = memory_pair(name)
        return near

    made = assemble(load_site("kanalpromenade-reference"), controller="west", link_for=link_for)
    made.board.watchdogs["relay"].guard = None  # type: ignore[attr-defined]  # no gateway here: its loss is another test's
    return made, far["lines"]


def test_a_quiet_loop_comes_around_often_enough_for_the_relay_to_hold() -> None:
    controller, lines = lamp_controller()
    stream = LineEventStream()
    pulses: list[tuple[int, int]] = []

    def hear(data: bytes, t_ns: int) -> None:
        pulses.extend((t_ns, event.value) for event in stream.feed(data) if (event.line, event.kind) == (17, SET))

    lines.receiver = hear
    clock = Clock(START_NS)
    loop = RealTimeLoop(controller, Wires(clock), clock, lambda: True, Status(controller, lambda text: None))
    loop.run(lambda: clock.now_ns() >= START_NS + 20 * NS_PER_S)
    while_running = [pulse for pulse in pulses if pulse[0] <= START_NS + 20 * NS_PER_S]
    assert len(while_running) > 60
    assert all(later - sooner <= 300 * NS_PER_MS for (sooner, _), (later, _) in pairwise(while_running))
    assert all(one != other for (_, one), (_, other) in pairwise(while_running)), "each feed is a change"


def test_without_a_loop_nobody_feeds_it() -> None:
    """So in the virtual time of the rig, where nothing hangs, it costs no tick and no byte."""
    controller, lines = lamp_controller()
    heard: list[bytes] = []
    lines.receiver = lambda data, t_ns: heard.append(data)
    cycle = controller.cycle
    controller.start(START_NS)
    for n in range(200):
        cycle.tick(START_NS + n * cycle.period_ns)
    assert heard == []
