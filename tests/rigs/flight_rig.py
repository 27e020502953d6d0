"""A controller that flies in virtual time: its wires written down beforehand, its recorder served as by a worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from controllers.service.assemble import assemble
from controllers.service.flight_recorder import TURN_S
from controllers.service.flight_tap import FlightTap
from controllers.service.loop import RealTimeLoop
from controllers.service.sites import load_site
from controllers.service.status import Status
from drivers.clock import VirtualClock
from drivers.links.memory import MemoryLink, memory_pair
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.signal_controller import SignalController
from hil.peers.signal_programme import Group, Programme, Stage

START_NS = 7_000 * NS_PER_S + 3 * NS_PER_MS
UTC_NS = 1_771_610_400 * NS_PER_S
IDLE = bytes.fromhex("f4f3f2f10000f8f7f6f5")
RIDER = bytes.fromhex("f4f3f2f10700010180140118" + "01f8f7f6f5")  # one target, coming


class Clock(VirtualClock):
    """Virtual time, and a wall time that can be stepped."""

    def __init__(self, start_ns: int = START_NS) -> None:
        super().__init__(start_ns)
        self.offset_ns = UTC_NS - start_ns

    def utc_ns(self) -> int:
        return self.now_ns() + self.offset_ns


class Wires:
    """What comes is known beforehand: (t_ns, wire, bytes), in order. Waiting is jumping, with a stop at every turn."""

    def __init__(self, clock: Clock, far: dict[str, MemoryLink], coming: Sequence[tuple[int, str, bytes]]) -> None:
        self.losses, self.troubles = 0, dict[str, str]()
        self.served: Callable[[str], None] | None = None
        self.turn: Callable[[], None] = lambda: None
        self.turns_every_ns = round(TURN_S * NS_PER_S)
        self._clock, self._far = clock, far
        self._coming = list(coming)[::-1]
        self._turn_ns = clock.now_ns() + self.turns_every_ns

    def wake_ns(self, now_ns: int) -> int:
        return FOREVER_NS

    def wait_until_ns(self, deadline_ns: int) -> None:
        until_ns = min(deadline_ns, self._coming[-1][0] if self._coming else FOREVER_NS)
        while self._turn_ns <= until_ns:
            self._clock.sleep_until_ns(self._turn_ns)
            self.turn()
            self._turn_ns += self.turns_every_ns
        self._clock.sleep_until_ns(until_ns)

    def pump(self, t_ns: int) -> None:
        now_ns = self._clock.now_ns()
        while self._coming and self._coming[-1][0] <= now_ns:
            _, wire, data = self._coming.pop()
            self._far[wire].write(data, t_ns)


class Flight:
    """One run of a controller with a recorder."""

    def __init__(
        self,
        folder: Path,
        coming: Sequence[tuple[int, str, bytes]] = (),
        *,
        site: str = "kanalpromenade-reference",
        controller: str | None = "west",
        clock: Clock | None = None,
        synchronised: bool = True,
        **options: Any,
    ) -> None:
        self.clock = clock or Clock()
        self.start_ns, self.folder = self.clock.now_ns(), folder
        far: dict[str, MemoryLink] = {}

        def link_for(name: str, wire: object) -> MemoryLink:
            near, far[name] = memory_pair(name)
            return near

        loaded = load_site(site)
        tap = FlightTap(loaded, controller, folder, clock=self.clock, **options)
        self.controller = assemble(
            loaded, controller=controller, tap=lambda description, _: tap.link_for(description, link_for)
        )
        self.recorder = tap.recorder
        self.wires = Wires(self.clock, far, [(self.start_ns + t_ns, *rest) for t_ns, *rest in coming])  # type: ignore[misc]
        self.wires.turn = self.recorder.writer.turn
        self.loop = RealTimeLoop(
            self.controller,
            self.wires,
            self.clock,
            lambda: synchronised,
            Status(self.controller, lambda line: None),
            flight=self.recorder,
        )
        self.recorder.open(self.controller.cycle, threads=False)

    def run(self, seconds: float) -> Flight:
        """From the start to a clean stop after so many seconds; the recorder is closed."""
        end_ns = self.start_ns + round(seconds * NS_PER_S)
        self.loop.run(lambda: self.clock.now_ns() >= end_ns)
        self.recorder.close()
        return self


def riders(seconds: float, every_ms: int = 100) -> list[tuple[int, str, bytes]]:
    """Two radars for so long: idle frames, with somebody in front of the first one from time to time."""
    return [
        (ms * NS_PER_MS, radar, RIDER if radar == "radar-1" and ms // 4000 % 2 else IDLE)
        for ms in range(0, round(seconds * 1000), every_ms)
        for radar in ("radar-1", "radar-2")
    ]


def messages(seconds: float, groups: int = 18, station: int = 4070) -> list[tuple[int, str, bytes]]:
    """A signal controller's feed for so long: ten messages a second, 34 kB each with 18 groups."""
    stages = (
        Stage(colour="red", duration_ms=32_000, min_early_ms=9_000, max_late_ms=14_000, max_unknown_ms=1_000),
        Stage(colour="red-amber", duration_ms=1_000),
        Stage(colour="green", duration_ms=24_000, max_late_ms=4_000),
        Stage(colour="amber", duration_ms=3_000),
    )
    numbers = range(1, groups + 1)
    programme = Programme(
        station=station,
        groups=tuple(Group(group=number, offset_ms=3_100 * number % 60_000, stages=stages) for number in numbers),
    )
    near, far = memory_pair("feed")
    heard: list[tuple[int, str, bytes]] = []
    near.receiver = lambda data, t_ns: heard.append((t_ns, "feed", data))
    peer = SignalController("controller", far, programme, UTC_NS)
    while peer.wake_ns < seconds * NS_PER_S:
        peer.run(peer.wake_ns)
    return heard
