"""Writes a trace: raw bytes a wire, decoded values, ticks, decisions, wall time, and where it all comes from.

Topics (all but raw bytes are JSON with a schema; log time = monotonic time + `Provenance.base_ns`):

    /wire/BOARD/WIRE/rx|tx       the bytes as they passed ("application/octet-stream"), one message a read or write
    /idle/BOARD/WIRE             a run of the wire's idle frame: first_ns, last_ns, count, frame_hex
    /line/BOARD/WIRE             baud, parity, stopbits from here on
    /value/BOARD/SOURCE/KIND     a quantity
    /tick/BOARD                  the scan cycle `tick` began
    /decision/BOARD/TARGET       a command that passed the last gate
    /snapshot/BOARD              all state
    /wall                        utc_ns, synchronised

A flight recorder's file can be run again alone. It has the metadata "leeze-controller" and, besides:

    /mark/BOARD                  what ("started" or "stopping")
    /late/BOARD                  due_ns, from_ns: the loop came too late for the ticks from the one to before the other
    /lost/BOARD/WIRE             detail: what was recorded last to go out on the wire raised LinkLost
    /ticks/BOARD                 ran: so many ticks since the last such record
    /gap/BOARD                   from_ns, to_ns, records: so many were lost; nothing after it can be run again
    /digest/BOARD                digest: chain value of all before it (drivers.recording.digest)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from drivers.quantities import Quantity
from drivers.recording.container import ContainerWriter
from drivers.recording.events import Wire
from drivers.recording.provenance import Provenance
from drivers.recording.schemas import ANYTHING, Schema, decision_json, plain_schema
from drivers.recording.storage import DISK, Storage
from drivers.units import FOREVER_NS

METADATA = "leeze"
CONTROLLER_METADATA = "leeze-controller"
RAW = "application/octet-stream"


def _record(**fields: str) -> Schema:
    return {"type": "object", "properties": {name: {"type": kind} for name, kind in fields.items()}}


_IDLE = _record(first_ns="integer", last_ns="integer", count="integer", frame_hex="string")
_LINE = _record(t_ns="integer", baud="integer", parity="string", stopbits="number")
_TICK = _record(tick="integer", t_ns="integer")
_WALL = _record(t_ns="integer", utc_ns="integer", synchronised="boolean")
_FLIGHT = {
    "mark": _record(t_ns="integer", what="string"),
    "late": _record(due_ns="integer", from_ns="integer"),
    "lost": _record(t_ns="integer", detail="string"),
    "ticks": _record(t_ns="integer", ran="integer"),
    "gap": _record(from_ns="integer", to_ns="integer", records="integer"),
    "digest": _record(t_ns="integer", digest="string"),
}


class TraceWriter:
    """One trace file. Not for several threads.

    Args:
        path: the file; an old one is replaced. InputError if it cannot be written.
        provenance: see drivers.recording.provenance.collect.
        chunk_size_b: a chunk goes out when it holds this much; memory is about three times this.
        chunk_ns: a chunk goes out after this much time at the latest, e.g. 10 s for a flight recorder: a crash costs
            what came since.
        storage: the file system.
        replace: False makes an old file an InputError.
        indexed: see drivers.recording.container.
    """

    def __init__(
        self,
        path: Path,
        provenance: Provenance,
        *,
        chunk_size_b: int = 1 << 20,
        chunk_ns: int = FOREVER_NS,
        storage: Storage = DISK,
        replace: bool = True,
        indexed: bool = True,
    ) -> None:
        self._file = ContainerWriter(
            path,
            f"leeze {provenance.version}".strip(),
            chunk_size_b=chunk_size_b,
            chunk_ns=chunk_ns,
            storage=storage,
            replace=replace,
            indexed=indexed,
        )
        self.container = self._file
        self._file.add_metadata(METADATA, provenance.to_metadata())
        self._base_ns = provenance.base_ns
        self._message = self._file.message
        self._schemas: dict[str, int] = {}
        self._channels: dict[object, int] = {}
        self._wires: dict[int, Wire] = {}  # by channel

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def add_wire(self, board: str, wire: str, direction: str, content: str = "", idle: bytes = b"") -> int:
        """One direction of a wire: ``"rx"`` into the board, ``"tx"`` out of it. Returns its channel for `bytes_passed`.

        `content` names what runs on it, e.g. ``"ld2451"``; `idle` is the frame it repeats when nothing happens.
        """
        about = {"board": board, "wire": wire, "direction": direction, "content": content, "idle": idle.hex()}
        channel = self._file.add_channel(f"/wire/{board}/{wire}/{direction}", RAW, 0, about)
        self._wires[channel] = Wire(board, wire, content, idle)
        return channel

    def bytes_passed(self, channel: int, data: bytes, t_ns: int) -> None:
        """`data` passed at `t_ns`."""
        self._message(channel, data, t_ns + self._base_ns)

    def repeated(self, channel: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """`frame` came in `count` times on the wire of `channel`, which was quiet in between."""
        idle = self._channels.get(channel) or self._idle_channel(channel)
        text = b'{"first_ns":%d,"last_ns":%d,"count":%d,"frame_hex":"%b"}'
        data = text % (first_ns, last_ns, count, frame.hex().encode())
        self._message(idle, data, last_ns + self._base_ns)

    def line(self, board: str, wire: str, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        """Line settings of a wire from `t_ns` on."""
        key = ("line", board, wire)
        channel = self._channels.get(key) or self._add(
            key, f"/line/{board}/{wire}", "line", _LINE, {"board": board, "wire": wire}
        )
        body = {"t_ns": t_ns, "baud": baud, "parity": parity, "stopbits": stopbits}
        self._message(channel, msgspec.json.encode(body), t_ns + self._base_ns)

    def value(self, board: str, quantity: Quantity) -> None:
        """A decoded value, at its own time."""
        kind = type(quantity)
        key = (board, quantity.source, kind)
        channel = self._channels.get(key) or self._add(
            key,
            f"/value/{board}/{quantity.source}/{kind.__name__}",
            kind.__name__,
            plain_schema(kind),
            {"board": board, "source": quantity.source, "kind": kind.__name__},
        )
        self._message(channel, msgspec.json.encode(quantity), quantity.t_ns + self._base_ns)

    def tick(self, board: str, tick: int, t_ns: int) -> None:
        """Scan cycle number `tick` began."""
        key = ("tick", board)
        channel = self._channels.get(key) or self._add(key, f"/tick/{board}", "tick", _TICK, {"board": board})
        self._message(channel, b'{"tick":%d,"t_ns":%d}' % (tick, t_ns), t_ns + self._base_ns)

    def decision(self, board: str, command: msgspec.Struct | dict[str, Any], t_ns: int) -> None:
        """A command that passed the last gate: a struct, or a JSON-able dict; either may name its `target`."""
        kind, data = type(command), decision_json(command)
        target = str(command.get("target", "")) if isinstance(command, dict) else getattr(command, "target", "")
        key = ("decision", board, target, kind)
        channel = self._channels.get(key)
        if channel is None:
            schema = ANYTHING if isinstance(command, dict) else plain_schema(type(command))
            topic = f"/decision/{board}/{target}".rstrip("/")
            channel = self._add(key, topic, kind.__name__, schema, {"board": board, "target": target})
        self._message(channel, data, t_ns + self._base_ns)

    def snapshot(self, board: str, state: dict[str, Any], t_ns: int) -> None:
        """All state of a board; a flight recorder's file opens with one."""
        key = ("snapshot", board)
        channel = self._channels.get(key) or self._add(
            key, f"/snapshot/{board}", "snapshot", ANYTHING, {"board": board}
        )
        self._message(channel, msgspec.json.encode(state), t_ns + self._base_ns)

    def wall(self, t_ns: int, utc_ns: int, synchronised: bool) -> None:
        """At `t_ns` it was `utc_ns`."""
        channel = self._channels.get("wall") or self._add("wall", "/wall", "wall", _WALL, {})
        body = {"t_ns": t_ns, "utc_ns": utc_ns, "synchronised": synchronised}
        self._message(channel, msgspec.json.encode(body), t_ns + self._base_ns)

    def controller(self, about: dict[str, str]) -> None:
        """Metadata from which a re-run builds the controller again, e.g. ``{"product": "lighting", ...}``."""
        self._file.add_metadata(CONTROLLER_METADATA, about)

    def mark(self, board: str, what: str, t_ns: int) -> None:
        """The controller was ``"started"``, or is ``"stopping"``."""
        self._flight("mark", board, "", {"t_ns": t_ns, "what": what}, t_ns)

    def late(self, board: str, due_ns: int, from_ns: int) -> None:
        """No tick ran from `due_ns` to before `from_ns`: the loop came too late for them."""
        self._flight("late", board, "", {"due_ns": due_ns, "from_ns": from_ns}, due_ns)

    def lost(self, board: str, wire: str, t_ns: int, detail: str = "") -> None:
        """What was recorded last to go out on `wire` raised LinkLost."""
        self._flight("lost", board, wire, {"t_ns": t_ns, "detail": detail}, t_ns)

    def ticks(self, board: str, t_ns: int, ran: int) -> None:
        """`ran` ticks since the last such record, or since the file began."""
        self._flight("ticks", board, "", {"t_ns": t_ns, "ran": ran}, t_ns)

    def gap(self, board: str, from_ns: int, to_ns: int, records: int) -> None:
        """So many records were lost here."""
        self._flight("gap", board, "", {"from_ns": from_ns, "to_ns": to_ns, "records": records}, to_ns)

    def digest(self, board: str, t_ns: int, digest: str) -> None:
        """Chain value, as hex, of all that stands before this record."""
        self._flight("digest", board, "", {"t_ns": t_ns, "digest": digest}, t_ns)

    def _flight(self, kind: str, board: str, wire: str, body: dict[str, Any], t_ns: int) -> None:
        key = (kind, board, wire)
        channel = self._channels.get(key)
        if channel is None:
            about = {"board": board, "wire": wire} if wire else {"board": board}
            channel = self._add(key, f"/{kind}/{board}/{wire}".rstrip("/"), kind, _FLIGHT[kind], about)
        self._message(channel, msgspec.json.encode(body), t_ns + self._base_ns)

    def sink(self, wires: Sequence[Wire]) -> TraceSink:
        """A sink for taps (drivers.links.tap.Sink); a wire's number is its place in `wires`. Adds both directions."""
        return TraceSink(self, wires)

    def flush(self) -> None:
        """End the open chunk and hand everything to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Write what is left and the index. A second call does nothing."""
        self._file.close()

    def _idle_channel(self, channel: int) -> int:
        wire = self._wires[channel]
        return self._add(
            channel, f"/idle/{wire.board}/{wire.name}", "idle", _IDLE, {"board": wire.board, "wire": wire.name}
        )

    def _add(self, key: object, topic: str, name: str, schema: Schema, about: dict[str, str]) -> int:
        """A JSON channel, made when first used."""
        if name not in self._schemas:
            self._schemas[name] = self._file.add_schema(f"leeze.{name}", "jsonschema", msgspec.json.encode(schema))
        self._channels[key] = channel = self._file.add_channel(topic, "json", self._schemas[name], about)
        return channel


class TraceSink:
    """Puts what passes a tap into a trace; made by `TraceWriter.sink`."""

    def __init__(self, writer: TraceWriter, wires: Sequence[Wire]) -> None:
        self._writer, self._wires = writer, tuple(wires)
        self._channels = [
            (
                writer.add_wire(wire.board, wire.name, "rx", wire.content, wire.idle),
                writer.add_wire(wire.board, wire.name, "tx", wire.content, wire.idle),
            )
            for wire in wires
        ]

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        """`data` passed on `wire` at `t_ns`."""
        self._writer.bytes_passed(self._channels[wire][outward], data, t_ns)

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """The same idle frame came in `count` times."""
        self._writer.repeated(self._channels[wire][0], frame, first_ns, last_ns, count)

    def line(self, wire: int, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        """Line settings of `wire` from `t_ns` on."""
        self._writer.line(self._wires[wire].board, self._wires[wire].name, baud, parity, stopbits, t_ns)

    def lost(self, wire: int, t_ns: int, detail: str = "") -> None:
        """What was told last to go out on `wire` raised LinkLost."""
        self._writer.lost(self._wires[wire].board, self._wires[wire].name, t_ns, detail)
