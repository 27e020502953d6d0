"""Reads a trace in the order it was written: whole, cut at any byte, or damaged. Memory is one chunk."""

from __future__ import annotations

import fnmatch
import io
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, Metadata
from zstandard import ZstdDecompressor

from drivers.recording.checked import CHECK, without_check
from drivers.recording.container import RECORD_HEAD
from drivers.recording.events import (
    Decision,
    Digest,
    Event,
    Gap,
    Late,
    Line,
    Lost,
    Mark,
    Other,
    Repeated,
    Snapshot,
    Tick,
    Ticks,
    Value,
    Wall,
    Wire,
    WireBytes,
)
from drivers.recording.provenance import Provenance
from drivers.recording.walk import DAMAGE, RecordWalk, checksum, opened
from drivers.recording.writer import CONTROLLER_METADATA, METADATA, RAW

_MESSAGE_FRONT = struct.Struct("<BQH4xQ8x")
"""Of a message: opcode, length, channel, log time."""

Maker = Callable[[int, bytes], Event]
"""(t_ns, message data) -> event. Raises msgspec.MsgspecError or ValueError on damaged data."""


class _Idle(msgspec.Struct):
    first_ns: int
    last_ns: int
    count: int
    frame_hex: str


class _LineSettings(msgspec.Struct):
    baud: int
    parity: str
    stopbits: float


class _Tick(msgspec.Struct):
    tick: int


class _Wall(msgspec.Struct):
    utc_ns: int
    synchronised: bool


class _Mark(msgspec.Struct):
    what: str


class _Late(msgspec.Struct):
    due_ns: int
    from_ns: int


class _Lost(msgspec.Struct):
    detail: str = ""


class _Ticks(msgspec.Struct):
    ran: int


class _Gap(msgspec.Struct):
    from_ns: int
    to_ns: int
    records: int


class _Digest(msgspec.Struct):
    digest: str


_idle = msgspec.json.Decoder(_Idle).decode
_line = msgspec.json.Decoder(_LineSettings).decode
_tick = msgspec.json.Decoder(_Tick).decode
_wall = msgspec.json.Decoder(_Wall).decode
_body = msgspec.json.Decoder(dict[str, Any]).decode
_mark = msgspec.json.Decoder(_Mark).decode
_late = msgspec.json.Decoder(_Late).decode
_lost = msgspec.json.Decoder(_Lost).decode
_ticks = msgspec.json.Decoder(_Ticks).decode
_gap = msgspec.json.Decoder(_Gap).decode
_digest = msgspec.json.Decoder(_Digest).decode


class TraceReader:
    """One trace file. Raises InputError if it cannot be read or is no MCAP file.

    `provenance`, `controller` (what a flight recorder's file says of it, else empty) and `wires` (in canonical order:
    by board, then name) are known at once, and so are `complete` (the file has its end), `note` (where it ends or is
    damaged, empty if all is well) and `skipped_bytes`. `bad_chunks` and `bad_messages` count what `events` had to
    leave out so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.provenance = Provenance()
        self.controller: dict[str, str] = {}
        self.bad_chunks = 0
        self.bad_messages = 0
        self.damaged = False
        """True once `events` has come past damage: something is missing before what it gives. A cut is no damage."""
        self._bad_metadata = 0
        self._channels: dict[int, Channel] = {}
        self._wire_of: dict[int, tuple[str, str, bool]] = {}
        self._makers: dict[int, Maker] = {}
        self._wanted: Sequence[str] = ()
        self._checked: list[bool] = []
        self._sound: bool | None = None
        self._data_crc = 0
        walk = RecordWalk(path)
        for opcode, body in walk.records((Opcode.CHANNEL, Opcode.METADATA, Opcode.DATA_END)):
            if opcode == Opcode.CHANNEL:
                self._add_channel(body)
            elif opcode == Opcode.METADATA:
                self._add_metadata(body)
            elif len(body) >= 4:
                self._data_crc = int.from_bytes(body[:4], "little")
        self._data_end_b = walk.data_end_b
        if any(self._checked):  # who writes one check writes all of them
            self._bad_metadata += self._checked.count(False)
        self.complete, self.note, self.skipped_bytes = walk.complete, walk.note, walk.skipped_bytes
        # Messages stand in chunks or, in files of others, all outside; one outside a chunk is damage otherwise.
        self._holders = (Opcode.CHUNK,) if walk.chunks else (Opcode.MESSAGE,)

    @property
    def wires(self) -> list[Wire]:
        """All wires, sorted by board and name."""
        found: dict[tuple[str, str], Wire] = {}
        for channel in self._channels.values():
            if _is_wire(channel):
                wire = _wire(channel)
                found.setdefault((wire.board, wire.name), wire)
        return [found[key] for key in sorted(found)]

    @property
    def topics(self) -> list[str]:
        """All topics, in the order they were first used."""
        return list(dict.fromkeys(channel.topic for channel in self._channels.values()))

    def events(self, topics: Sequence[str] = ()) -> Iterator[Event]:
        """Everything, or what is on topics that match one of the patterns, e.g. ``["/wire/*", "/idle/*"]``.

        One at a time: a second call ends what the first still had to give. Two readers may read one file at once.
        """
        self.bad_chunks, self.bad_messages = 0, self._bad_metadata
        self.damaged = self._bad_metadata > 0
        self._wanted, self._wire_of, self._makers = topics, {}, {}
        for channel in self._channels.values():
            self._prepare(channel)
        walk, decompressor = RecordWalk(self.path), ZstdDecompressor()
        for opcode, body in walk.records(self._holders):
            if walk.damaged:
                self.damaged = True
            if opcode == Opcode.CHUNK:
                try:
                    records = opened(body, decompressor)
                except DAMAGE:
                    self.bad_chunks += 1
                    self.damaged = True
                else:
                    yield from self._inside(records)
            else:
                yield from self._inside(RECORD_HEAD.pack(opcode, len(body)) + body)
        self.damaged |= walk.damaged
        counted = self.bad_chunks or self.bad_messages or walk.skipped_bytes
        if not counted and (walk.damaged or not self._is_sound()):
            self._bad()  # a record that looks like another, or longer than it is: nothing else missed it

    def _is_sound(self) -> bool:
        """The checksum over all data holds; a file that was cut has none, and those of others may have none."""
        if self._sound is None:
            wanted = self._data_crc
            self._sound = not wanted or checksum(self.path, self._data_end_b) == wanted
        return self._sound

    def _inside(self, records: bytes) -> Iterator[Event]:
        """The events of one chunk."""
        wire_of, makers, base_ns = self._wire_of, self._makers, self.provenance.base_ns
        unpack_record, unpack_message = RECORD_HEAD.unpack_from, _MESSAGE_FRONT.unpack_from
        end, size_b, channel, log_ns = 0, len(records), 0, 0
        while end + 9 <= size_b:
            if end + 31 <= size_b:
                opcode, length, channel, log_ns = unpack_message(records, end)
            else:  # too short for a message: `end` says so
                opcode, length = unpack_record(records, end)
            start = end + 9
            end = start + length
            if end > size_b:
                self._bad()
                return
            if opcode == 5 and length >= 22:
                wire = wire_of.get(channel)
                if wire is not None:
                    board, name, outward = wire
                    yield WireBytes(log_ns - base_ns, board, name, outward, records[start + 22 : end])
                elif (maker := makers.get(channel)) is not None:
                    try:
                        event = maker(log_ns - base_ns, records[start + 22 : end])
                    except (msgspec.MsgspecError, ValueError):
                        self._bad()
                    else:
                        yield event
                elif channel not in self._channels:
                    self._bad()
            elif opcode == 4:
                self._add_channel(records[start:end])

    def _bad(self) -> None:
        self.bad_messages += 1
        self.damaged = True

    def _add_metadata(self, body: bytes) -> None:
        try:
            metadata = Metadata.read(ReadDataStream(io.BytesIO(body)))
            self._checked.append(CHECK in metadata.metadata)
            about = without_check(metadata.metadata, metadata.name)
            if metadata.name == METADATA:
                self.provenance = Provenance.from_metadata(about)
            elif metadata.name == CONTROLLER_METADATA:
                self.controller = about
        except (*DAMAGE, AssertionError):
            self._bad_metadata += 1

    def _add_channel(self, body: bytes) -> None:
        try:
            channel = Channel.read(ReadDataStream(io.BytesIO(body)))
            self._checked.append(CHECK in channel.metadata)
            channel.metadata = without_check(channel.metadata, str(channel.id), channel.topic, channel.message_encoding)
            _wire(channel)
        except DAMAGE:
            self._bad()
        else:
            if channel.id not in self._channels:
                self._channels[channel.id] = channel
                self._prepare(channel)

    def _prepare(self, channel: Channel) -> None:
        """Be ready for the messages of a channel, if they are wanted."""
        if self._wanted and not any(fnmatch.fnmatchcase(channel.topic, pattern) for pattern in self._wanted):
            return
        if _is_wire(channel):
            wire = _wire(channel)
            self._wire_of[channel.id] = (wire.board, wire.name, channel.metadata.get("direction") == "tx")
        else:
            self._makers[channel.id] = _maker(channel)


def _is_wire(channel: Channel) -> bool:
    return channel.message_encoding == RAW and channel.topic.startswith("/wire/")


def _wire(channel: Channel) -> Wire:
    about = channel.metadata
    idle = bytes.fromhex(about.get("idle", ""))
    return Wire(about.get("board", ""), about.get("wire", channel.topic), about.get("content", ""), idle)


def _maker(channel: Channel) -> Maker:
    """How messages of a channel become events."""
    about = channel.metadata
    board, wire = about.get("board", ""), about.get("wire", "")

    def repeated(t_ns: int, data: bytes) -> Event:
        idle = _idle(data)
        return Repeated(t_ns, board, wire, bytes.fromhex(idle.frame_hex), idle.first_ns, idle.last_ns, idle.count)

    def line(t_ns: int, data: bytes) -> Event:
        settings = _line(data)
        return Line(t_ns, board, wire, settings.baud, settings.parity, settings.stopbits)

    def wall(t_ns: int, data: bytes) -> Event:
        known = _wall(data)
        return Wall(t_ns, known.utc_ns, known.synchronised)

    def late(t_ns: int, data: bytes) -> Event:
        said = _late(data)
        return Late(t_ns, board, said.due_ns, said.from_ns)

    def gap(t_ns: int, data: bytes) -> Event:
        said = _gap(data)
        return Gap(t_ns, board, said.from_ns, said.to_ns, said.records)

    source, value_kind = about.get("source", ""), about.get("kind", "")
    makers: dict[str, Maker] = {
        "idle": repeated,
        "line": line,
        "wall": wall,
        "value": lambda t_ns, data: Value(t_ns, board, source, value_kind, _body(data)),
        "tick": lambda t_ns, data: Tick(t_ns, board, _tick(data).tick),
        "decision": lambda t_ns, data: Decision(t_ns, board, _body(data)),
        "snapshot": lambda t_ns, data: Snapshot(t_ns, board, _body(data)),
        "mark": lambda t_ns, data: Mark(t_ns, board, _mark(data).what),
        "late": late,
        "lost": lambda t_ns, data: Lost(t_ns, board, wire, _lost(data).detail),
        "ticks": lambda t_ns, data: Ticks(t_ns, board, _ticks(data).ran),
        "gap": gap,
        "digest": lambda t_ns, data: Digest(t_ns, board, _digest(data).digest),
    }
    kind = channel.topic.split("/")[1] if channel.topic.startswith("/") and channel.message_encoding == "json" else ""
    return makers.get(kind, lambda t_ns, data: Other(t_ns, channel.topic, data))
