"""The loop of a service in virtual time: the real one, on wires whose far ends are peers, as irregular as a machine is.

What the in-process bench leaves away is here: bytes are handed over when the loop comes around and not when they were
sent, waking takes a while, now and then the machine is busy and ticks come too late, writes may be lost, and wall time
may be stepped. A day takes a minute. For tests and benchmarks of what stands around the loop, e.g. its flight recorder.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from controllers.service.assemble import Controller, assemble
from controllers.service.flight_tap import FlightTap
from controllers.service.loop import RealTimeLoop
from controllers.service.sites import Site
from controllers.service.status import Status
from drivers.clock import VirtualClock
from drivers.errors import LinkLost
from drivers.interfaces import ByteLink, OnLine, Receiver, RepeatReceiver, unheard, unheard_line, unheard_repeat
from drivers.links.memory import MemoryLink, memory_pair
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.benches.pty_wire import RunningPeer
from hil.traffic.chance import draw

Spans = tuple[tuple[int, int], ...]

START_NS = 3 * NS_PER_MS
NEVER_S = 1e6
TORN_NS = 3 * NS_PER_MS
"""How long the second half of something torn is later."""

TURN_NS = NS_PER_S // 2
"""How often the recorder writes what it was told."""


class KilledError(Exception):
    """The process is gone."""


class Upsets:
    """What a machine does to a loop; spans are (from, to) in ns since the start.

    `wake_us`: waking takes up to so many microseconds. `late_per_mille`: of all wakings, so many come up to `late_ms`
    late. `noise_per_mille`: of all that comes in, so much is torn in two, harmed, doubled or lost. `lost`: spans in
    which writes to a wire raise LinkLost, by wire. `steps`: wall time jumps by so much (ns) at a time.
    `unsynchronised`: spans in which wall time cannot be trusted.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        wake_us: int = 200,
        late_per_mille: int = 0,
        late_ms: int = 300,
        noise_per_mille: int = 0,
        lost: Mapping[str, Spans] | None = None,
        steps: Sequence[tuple[int, int]] = (),
        unsynchronised: Spans = (),
    ) -> None:
        self.seed, self.wake_us, self.late_per_mille, self.late_ms = seed, wake_us, late_per_mille, late_ms
        self.lost, self.steps, self.unsynchronised = dict(lost or {}), tuple(steps), unsynchronised
        self.noise_per_mille = noise_per_mille
        self._drawn = 0

    def heard(self, data: bytes) -> list[bytes]:
        """What comes of bytes on their way, and in how many pieces."""
        self._drawn += 1
        if draw(self.seed, self._drawn, 4) % 1000 >= self.noise_per_mille:
            return [data]
        at = draw(self.seed, self._drawn, 5) % len(data)
        harmed = data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
        return [[data[:at], data[at:]], [harmed], [data, data], []][draw(self.seed, self._drawn, 6) % 4]

    def oversleep_ns(self) -> int:
        """How much later than asked the machine wakes the loop this time."""
        self._drawn += 1
        slept_ns = draw(self.seed, self._drawn, 1) % (self.wake_us * 1000 + 1)
        if draw(self.seed, self._drawn, 2) % 1000 < self.late_per_mille:
            slept_ns += draw(self.seed, self._drawn, 3) % (self.late_ms * NS_PER_MS)
        return slept_ns


class _Clock(VirtualClock):
    def __init__(self, start_ns: int, utc_ns: int, upsets: Upsets) -> None:
        super().__init__(start_ns)
        self._start_ns, self._utc_ns, self._upsets = start_ns, utc_ns, upsets

    @property
    def span_ns(self) -> int:
        """Since the start."""
        return self.now_ns() - self._start_ns

    def utc_ns(self) -> int:
        """Wall time, with its steps."""
        since_ns = self.span_ns
        return self._utc_ns + since_ns + sum(step_ns for at_ns, step_ns in self._upsets.steps if at_ns <= since_ns)

    def synchronised(self) -> bool:
        """Whether it can be trusted."""
        return not _within(self._upsets.unsynchronised, self.span_ns)


class _VirtualWire:
    """The board's end: keeps what comes until the loop asks."""

    def __init__(self, name: str, near: MemoryLink, clock: _Clock, upsets: Upsets) -> None:
        self.name = name
        self.receiver: Receiver = unheard
        self.repeat_receiver: RepeatReceiver = unheard_repeat
        self.on_line: OnLine = unheard_line
        self._near, self._clock, self._upsets = near, clock, upsets
        self._lost = upsets.lost.get(name, ())
        self._arrived: deque[tuple[int, bytes]] = deque()  # when, what
        near.receiver = self._arrive
        near.on_line = self._line

    def _arrive(self, data: bytes, t_ns: int) -> None:
        for piece in self._upsets.heard(data) if data else ():
            due_ns = t_ns if not self._arrived else max(t_ns, self._arrived[-1][0] + TORN_NS)
            self._arrived.append((due_ns, piece))

    @property
    def wake_ns(self) -> int:
        """When there is something to hand over."""
        return self._arrived[0][0] if self._arrived else FOREVER_NS

    def _line(self, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        self.on_line(baud, parity, stopbits, t_ns)

    def write(self, data: bytes, t_ns: int) -> None:
        """To the peer, or nowhere."""
        if _within(self._lost, self._clock.span_ns):
            raise LinkLost(self.name, t_ns, "pulled out", data)
        self._near.write(data, t_ns)

    def set_line(self, baud: int, parity: str, t_ns: int) -> None:
        """For the peer to know."""
        if _within(self._lost, self._clock.span_ns):
            raise LinkLost(self.name, t_ns, "pulled out")
        self._near.set_line(baud, parity, t_ns)

    def pump(self, t_ns: int) -> None:
        """What has come by now."""
        arrived, now_ns = self._arrived, self._clock.now_ns()
        while arrived and arrived[0][0] <= now_ns:
            self.receiver(arrived.popleft()[1], t_ns)

    def fileno(self) -> int | None:
        """None."""
        return None

    def close(self) -> None:
        """Nothing to do."""


class _Wires:
    """All wires, and the peers at their far ends."""

    def __init__(self, clock: _Clock, upsets: Upsets) -> None:
        self.losses = 0
        self.served: Callable[[str], None] | None = None
        self.troubles: dict[str, str] = {}
        self.wires: list[_VirtualWire] = []
        self.peers: Sequence[RunningPeer] = ()
        self._clock, self._upsets = clock, upsets

    def wake_ns(self, now_ns: int) -> int:
        """Bytes wake the loop, nothing else."""
        return FOREVER_NS

    def wait_until_ns(self, deadline_ns: int) -> None:
        """Sleep; peers say what they have to say meanwhile."""
        clock = self._clock
        wakes_ns = [*(peer.wake_ns for peer in self.peers), *(wire.wake_ns for wire in self.wires)]
        until_ns = min([deadline_ns, *wakes_ns])
        clock.sleep_until_ns(max(until_ns, clock.now_ns()) + self._upsets.oversleep_ns())
        now_ns = clock.now_ns()
        while True:
            peer = min(self.peers, key=lambda one: one.wake_ns, default=None)
            if peer is None or peer.wake_ns > now_ns:
                return
            peer.run(peer.wake_ns)

    def pump(self, t_ns: int) -> None:
        """Hand over."""
        for wire in self.wires:
            wire.pump(t_ns)


class VirtualLoop:
    """One controller of a site, as `leeze-controllers run` runs it, recorded into a ring of files.

    Build it, give it its `peers`, and `run` it once.

    Args:
        site: with the controller.
        board: a name of the catalog or a path.
        folder: of the flight recorder.
        utc_ns: wall time at the start; monotonic time begins shortly after 0.
        upsets: what the machine does.
        controller: which of the site's; may be left out where there is one.
        file_minutes: how long a file is.

    `far` are the peers' ends of the wires, by name; `controller` is built, not started.
    """

    def __init__(
        self,
        site: Site,
        board: str,
        folder: Path,
        *,
        utc_ns: int,
        upsets: Upsets | None = None,
        controller: str | None = None,
        file_minutes: float = 15,
        **recorder: Any,
    ) -> None:
        upsets = upsets or Upsets()
        self.clock = _Clock(START_NS, utc_ns, upsets)
        self.far: dict[str, MemoryLink] = {}
        self.peers: list[RunningPeer] = []
        self._wires = _Wires(self.clock, upsets)

        def link_for(name: str, wire: object) -> ByteLink:
            near, self.far[name] = memory_pair(name)
            link = _VirtualWire(name, near, self.clock, upsets)
            self._wires.wires.append(link)
            return link

        tap = FlightTap(
            site, controller, folder, file_minutes=file_minutes, sync_s=NEVER_S, clock=self.clock, **recorder
        )
        self.controller: Controller = assemble(
            site, controller=controller, board=board, tap=lambda description, _: tap.link_for(description, link_for)
        )
        self.recorder = tap.recorder

    def run(self, span_ns: int, *, killed: bool = False) -> None:
        """Run for so long, then stop cleanly, or let it be `killed`: what waits for the disk then is lost."""
        clock, recorder = self.clock, self.recorder
        self._wires.peers = self.peers
        recorder.open(self.controller.cycle, threads=False)
        status = Status(self.controller, lambda line: None)
        loop = RealTimeLoop(self.controller, self._wires, clock, clock.synchronised, status, recorder)
        turn_ns = 0

        def asked_to_stop() -> bool:
            nonlocal turn_ns
            if clock.now_ns() >= turn_ns:
                turn_ns = clock.now_ns() + TURN_NS
                recorder.writer.turn()
            if clock.span_ns < span_ns:
                return False
            if killed:
                raise KilledError
            return True

        try:
            loop.run(asked_to_stop)
        except KilledError:
            return
        recorder.close()


def _within(spans: Spans, since_ns: int) -> bool:
    return any(from_ns <= since_ns < to_ns for from_ns, to_ns in spans)
