"""Recording beside running services: every byte that passes their wires, as one trace; nothing is taken from them."""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from drivers.clock import SystemClock
from drivers.errors import InputError, LinkLost
from drivers.links.tap_client import TapClient, default_path
from drivers.recording.events import Wire
from drivers.recording.provenance import collect
from drivers.recording.writer import TraceSink, TraceWriter
from drivers.units import NS_PER_MS, NS_PER_S

CHUNK_NS = NS_PER_S
"""What a crash may cost."""

_TURN_NS = NS_PER_S // 4


class Recorded(msgspec.Struct, kw_only=True):
    """What was recorded: `bytes_b` of both directions by ``BOARD/WIRE``, `lost_records` we read too slowly for, and
    `ended` services, a sentence each."""

    bytes_b: dict[str, int] = {}
    lost_records: int = 0
    ended: list[str] = []


class _Counted:
    """Hands on to the trace and counts."""

    def __init__(self, target: TraceSink, names: Sequence[str], counts: dict[str, int]) -> None:
        self._target, self._names, self._counts = target, names, counts

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        self._counts[self._names[wire]] += len(data)
        self._target.passed(wire, outward, data, t_ns)

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        self._counts[self._names[wire]] += len(frame) * count
        self._target.repeated(wire, frame, first_ns, last_ns, count)

    def line(self, wire: int, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        self._target.line(wire, baud, parity, stopbits, t_ns)


def record_taps(
    taps: Sequence[str],
    out: Path,
    *,
    seconds: float,
    stop: Callable[[], bool],
    progress: Callable[[float, int], None] = lambda seconds, bytes_b: None,
) -> Recorded:
    """Listen at the taps of services for `seconds`, until `stop`, or until all of them have ended.

    Each of `taps` is a socket's path, a board's name (its default path is meant), or ``NAME=PATH`` where two services
    have boards of one name. All run on this machine, so they share its clock. Raises InputError: no tap there, a board
    that stands twice, a file that cannot be written; LinkLost where a tap says nothing.
    """
    clock = SystemClock()
    found = Recorded()
    with ExitStack() as stack:
        clients = {name: stack.enter_context(tap) for name, tap in _opened(taps, stack)}
        about = collect(utc_ns=clock.utc_ns(), now_ns=clock.now_ns())
        writer = stack.enter_context(TraceWriter(out, about, chunk_ns=CHUNK_NS))
        writer.wall(clock.now_ns(), clock.utc_ns(), False)
        sinks = {name: _sink(name, client, writer, found) for name, client in clients.items()}
        poll = select.poll()
        at_fd: dict[int, str] = {}
        for name, client in clients.items():
            fd = client.fileno()
            assert fd is not None
            at_fd[fd] = name
            poll.register(fd, select.POLLIN)
        began_ns = clock.now_ns()
        until_ns = began_ns + round(seconds * NS_PER_S)
        while at_fd and (now_ns := clock.now_ns()) < until_ns and not stop():
            for fd, _ in poll.poll(min(until_ns - now_ns, _TURN_NS) // NS_PER_MS + 1):
                name = at_fd[fd]
                try:
                    clients[name].pump(sinks[name])
                except LinkLost as error:
                    found.ended.append(f"{name}: {error.detail}")
                    poll.unregister(fd)
                    del at_fd[fd]
            progress((clock.now_ns() - began_ns) / NS_PER_S, sum(found.bytes_b.values()))
        found.lost_records = sum(client.lost_records for client in clients.values())
    return found


def _opened(taps: Sequence[str], stack: ExitStack) -> list[tuple[str, TapClient]]:
    """(board's name in the trace, its tap)."""
    found: dict[str, TapClient] = {}
    for said in taps:
        given, equals, path = said.rpartition("=")
        place = Path(path) if equals or "/" in path else default_path(path)
        client = TapClient(place)
        stack.callback(client.close)
        name = given if equals else client.board
        if name in found:
            raise InputError(f"{place}: {name} is recorded from {found[name].path} already; say NAME={place}")
        found[name] = client
    return list(found.items())


def _sink(board: str, client: TapClient, writer: TraceWriter, found: Recorded) -> _Counted:
    names = [f"{board}/{wire.name}" for wire in client.wires]
    found.bytes_b.update(dict.fromkeys(names, 0))
    sink = writer.sink([Wire(board, wire.name, wire.content) for wire in client.wires])
    return _Counted(sink, names, found.bytes_b)
