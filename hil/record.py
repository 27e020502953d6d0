"""Recording a run: raw bytes of every wire, values, ticks, decisions, wall time and provenance, as one MCAP file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from boards.build import digest as board_digest
from boards.schema import BoardDescription
from controllers.core.contract import Command
from drivers.codecs.ld2451 import IDLE_FRAME
from drivers.links.tap import Sink
from drivers.quantities import Quantity, WallTime
from drivers.recording.events import Wire
from drivers.recording.provenance import Provenance, collect
from drivers.recording.writer import TraceWriter
from hil.benches.in_process import InProcessBench, Slot
from hil.outcome import Request


class Recording:
    """A run's recorder; does nothing where no file is asked for, but still knows the provenance."""

    def __init__(self, request: Request) -> None:
        self._path = request.record
        self._writer: TraceWriter | None = None
        self._wires: list[str] = []
        self._period_ns = 0
        self._target: _Late | None = None
        self.provenance = Provenance()

    def sinks(self, wires: list[str], period_ns: int) -> list[Sink]:
        """The sinks to add; the file is opened by `attach`."""
        self._wires, self._period_ns = wires, period_ns
        if self._path is None:
            return []
        self._target = _Late()
        return [self._target]

    def attach(
        self,
        bench: InProcessBench,
        boards: Mapping[str, BoardDescription],
        sites: Mapping[str, msgspec.Struct],
        contents: Mapping[str, str],
        origin_utc_ns: int | None = None,
    ) -> None:
        """Open the file and listen to every scan cycle, also those of restarted controllers."""
        site_digests = {name: hashlib.sha256(msgspec.json.encode(site)).hexdigest() for name, site in sites.items()}
        board_digests = {name: board_digest(board) for name, board in boards.items()}
        whole = hashlib.sha256(msgspec.json.encode([site_digests, board_digests], order="deterministic")).hexdigest()
        self.provenance = collect(
            boards=board_digests,
            sites=site_digests,
            configuration_digest=whole,
            period_ns=self._period_ns,
            utc_ns=origin_utc_ns,
        )
        if self._path is None:
            return
        writer = self._writer = TraceWriter(self._path, self.provenance)
        wires = []
        for name in self._wires:
            board, _, wire = name.partition("/")
            content = contents[name]
            wires.append(Wire(board, wire, content, IDLE_FRAME if content == "ld2451" else b""))
        assert self._target is not None
        self._target.sink = writer.sink(wires)

        def started(slot: Slot, now_ns: int) -> None:
            cycle = slot.cycle
            assert cycle is not None
            board, before = slot.name, cycle.observer

            def observe(
                tick: int,
                t_ns: int,
                inputs: Sequence[Quantity],
                asked: Sequence[Command],
                allowed: Sequence[Command],
            ) -> None:
                if before is not None:
                    before(tick, t_ns, inputs, asked, allowed)
                writer.tick(board, tick, t_ns)
                for value in inputs:
                    if isinstance(value, WallTime):
                        writer.wall(value.t_ns, value.utc_ns, value.synchronised)
                    else:
                        writer.value(board, value)
                for command in allowed:
                    writer.decision(board, command, t_ns)

            cycle.observer = observe

        bench.add_start_listener(started)

    @property
    def provenance_lines(self) -> dict[str, str]:
        """For the report."""
        lines = {"version": self.provenance.version, "python": self.provenance.python}
        if self.provenance.revision:
            lines["revision"] = self.provenance.revision + (" (changed)" if self.provenance.dirty else "")
        for name, value in self.provenance.sites.items():
            lines[f"site {name}"] = value[:16]
        for name, value in self.provenance.boards.items():
            lines[f"board {name}"] = value[:16]
        lines["configuration"] = self.provenance.configuration_digest[:16]
        return lines

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._writer is not None:
            self._writer.close()


class _Late:
    """A sink that gets its target once the file is open."""

    def __init__(self) -> None:
        self.sink: Any = None

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        """Hand on."""
        self.sink.passed(wire, outward, data, t_ns)

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """Hand on."""
        self.sink.repeated(wire, frame, first_ns, last_ns, count)

    def line(self, wire: int, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        """Hand on."""
        self.sink.line(wire, baud, parity, stopbits, t_ns)


def recording(request: Request) -> Recording:
    """The recorder a request asks for."""
    return Recording(request)
