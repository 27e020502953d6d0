"""Records what passes on a board's wires into a trace, for `leeze-hil` to look at and replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from boards.build import digest
from boards.doctor.live import LiveBoard
from boards.schema import BoardDescription
from drivers.clock import SystemClock
from drivers.quantities import Quantity
from drivers.recording.events import Wire
from drivers.recording.provenance import collect
from drivers.recording.writer import TraceSink, TraceWriter
from drivers.units import NS_PER_S

CHUNK_NS = NS_PER_S
"""What a crash may cost."""


class _LateSink:
    """A sink that knows its trace only after the wires have been made; nothing passes before."""

    target: TraceSink

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        """Hand on."""
        self.target.passed(wire, outward, data, t_ns)

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """Hand on."""
        self.target.repeated(wire, frame, first_ns, last_ns, count)

    def line(self, wire: int, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        """Hand on."""
        self.target.line(wire, baud, parity, stopbits, t_ns)


def capture_board(
    description: BoardDescription,
    path: Path,
    *,
    only: Sequence[str] = (),
    seconds: float,
    stop: Callable[[], bool],
    progress: Callable[[float, dict[str, int]], None],
) -> dict[str, int]:
    """Record for `seconds`, or until `stop` says so. Gives bytes by wire, both directions.

    `progress` is called about once a second with the time gone and the bytes by wire. A wire that cannot be opened is
    recorded as silent; the others go on. Raises InputError for a file that cannot be written.
    """
    clock = SystemClock()
    late = _LateSink()
    with LiveBoard(description, clock, [late], only) as live:
        provenance = collect(
            boards={description.name: digest(description)},
            utc_ns=clock.utc_ns(),
            now_ns=clock.now_ns(),
            period_ns=live.board.period_ns,
        )
        with TraceWriter(path, provenance, chunk_ns=CHUNK_NS) as writer:
            wires = [Wire(description.name, name, live.contents[name]) for name in live.wires]
            late.target = writer.sink(wires)

            def keep(quantity: Quantity) -> None:
                writer.value(description.name, quantity)

            session = live.session
            session.listener = keep
            began_ns = clock.now_ns()
            deadline_ns = began_ns + int(seconds * NS_PER_S)
            asked = False
            while (now_ns := clock.now_ns()) < deadline_ns and not stop():
                session.run(min(deadline_ns, now_ns + NS_PER_S // 4), stop)
                if not asked:
                    asked = True
                    live.ask(clock.now_ns())
                progress((clock.now_ns() - began_ns) / NS_PER_S, _passed(live))
            return _passed(live)


def _passed(live: LiveBoard) -> dict[str, int]:
    return {wire.name: wire.bytes_in + wire.bytes_out for wire in live.session.watch.wires}
