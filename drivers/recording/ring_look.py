"""What a file of a ring holds, without reading it all: span, gaps, whose it is; also of one that is being written."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterable
from pathlib import Path

import msgspec
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, Footer, Metadata, Statistics

from drivers.errors import InputError
from drivers.recording.checked import without_check
from drivers.recording.container import MAGIC, RECORD_HEAD
from drivers.recording.provenance import Provenance
from drivers.recording.ring import RingFile
from drivers.recording.walk import DAMAGE, RecordWalk
from drivers.recording.writer import CONTROLLER_METADATA, METADATA

_FOOTER_B = RECORD_HEAD.size + 20 + len(MAGIC)
_LARGEST_SUMMARY_B = 1 << 26
_SPAN = struct.Struct("<QQ")


class Glance(msgspec.Struct, frozen=True):
    """One file at a glance. Times are monotonic, of the machine's `boot`; None where the file has no record.

    `base_ns` makes them UTC, None where that is not known. `whole_b`: bytes up to the end of its last whole record.
    `complete`: it has its end. `note` says where it ends or is damaged. `gap`: it ends in one. `missing_before`: what
    its recorder could not record before it began this file. `unreadable`: why nothing can be said.
    """

    file: RingFile
    first_ns: int | None = None
    last_ns: int | None = None
    base_ns: int | None = None
    whole_b: int = 0
    complete: bool = False
    note: str = ""
    gap: bool = False
    missing_before: str = ""
    controller: str = ""
    boot: str = ""
    unreadable: str = ""

    @property
    def from_utc_ns(self) -> int | None:
        """When it begins; None where nobody knows."""
        return None if self.base_ns is None or self.first_ns is None else self.first_ns + self.base_ns

    @property
    def to_utc_ns(self) -> int | None:
        """When it ends; None where nobody knows."""
        return None if self.base_ns is None or self.last_ns is None else self.last_ns + self.base_ns


def glance(file: RingFile) -> Glance:
    """Look at a file. Never raises: what cannot be read is `unreadable`."""
    try:
        found = _heads(file)
        whole = _by_summary(file.path)
        if whole is None:
            return _by_walking(file.path, found)
    except InputError as error:
        return Glance(file, unreadable=str(error).removeprefix(f"{file.path}: "))
    except OSError as error:
        return Glance(file, unreadable=error.strerror or str(error))
    statistics, topics = whole
    shift_ns = found.base_ns or 0
    known = statistics.message_count > 0
    return msgspec.structs.replace(
        found,
        first_ns=statistics.message_start_time - shift_ns if known else None,
        last_ns=statistics.message_end_time - shift_ns if known else None,
        whole_b=file.size_b,
        complete=True,
        gap=_has_gap(topics),
    )


def glances(files: Iterable[RingFile]) -> list[Glance]:
    """Look at several; a file that does not know its UTC learns it from another of the same boot."""
    found = [glance(file) for file in files]
    bases = {one.boot: one.base_ns for one in found if one.boot and one.base_ns is not None}
    return [
        msgspec.structs.replace(one, base_ns=bases.get(one.boot)) if one.base_ns is None and one.boot else one
        for one in found
    ]


def _heads(file: RingFile) -> Glance:
    """What the metadata say; they come first."""
    provenance, about = Provenance(), dict[str, str]()
    for opcode, body in RecordWalk(file.path).records((Opcode.METADATA, Opcode.CHANNEL)):
        if opcode == Opcode.CHANNEL:
            break
        try:
            metadata = Metadata.read(ReadDataStream(io.BytesIO(body)))
            if metadata.name == METADATA:
                provenance = Provenance.from_metadata(without_check(metadata.metadata, metadata.name))
            elif metadata.name == CONTROLLER_METADATA:
                about = without_check(metadata.metadata, metadata.name)
        except (*DAMAGE, AssertionError):
            continue
    return Glance(
        file,
        base_ns=provenance.base_ns or None,
        controller=about.get("controller", ""),
        boot=about.get("boot", ""),
        missing_before=about.get("missing_before", ""),
    )


def _by_summary(path: Path) -> tuple[Statistics, list[str]] | None:
    """Statistics and topics from the end of a complete file; None where it has no sound end."""
    with path.open("rb") as stream:
        size_b = os.fstat(stream.fileno()).st_size
        if size_b < _FOOTER_B + len(MAGIC):
            return None
        stream.seek(size_b - _FOOTER_B)
        tail = stream.read(_FOOTER_B)
        if not tail.endswith(MAGIC) or tail[0] != Opcode.FOOTER:
            return None
        footer = Footer.read(ReadDataStream(io.BytesIO(tail[RECORD_HEAD.size : -len(MAGIC)])))
        length = size_b - _FOOTER_B - footer.summary_start
        if not 0 < length <= _LARGEST_SUMMARY_B:
            return None
        stream.seek(footer.summary_start)
        summary = stream.read(length)
    statistics, topics, at = None, [], 0
    try:
        while at + RECORD_HEAD.size <= len(summary):
            opcode, size = RECORD_HEAD.unpack_from(summary, at)
            at += RECORD_HEAD.size
            if opcode == Opcode.STATISTICS:
                statistics = Statistics.read(ReadDataStream(io.BytesIO(summary[at : at + size])))
            elif opcode == Opcode.CHANNEL:
                topics.append(Channel.read(ReadDataStream(io.BytesIO(summary[at : at + size]))).topic)
            at += size
    except DAMAGE:
        return None
    return None if statistics is None else (statistics, topics)


def _by_walking(path: Path, found: Glance) -> Glance:
    """The same from the records themselves, of a file that was cut or is being written."""
    shift_ns = found.base_ns or 0
    spans: list[tuple[int, int]] = []
    topics: list[str] = []
    walk = RecordWalk(path)
    for opcode, body in walk.records((Opcode.CHANNEL, Opcode.CHUNK)):
        if opcode == Opcode.CHUNK:
            spans.append(_SPAN.unpack_from(body))
            continue
        try:
            topics.append(Channel.read(ReadDataStream(io.BytesIO(body))).topic)
        except DAMAGE:
            continue
    size_b = path.stat().st_size
    return msgspec.structs.replace(
        found,
        first_ns=min(span[0] for span in spans) - shift_ns if spans else None,
        last_ns=max(span[1] for span in spans) - shift_ns if spans else None,
        whole_b=max(0, size_b - walk.skipped_bytes) if not walk.note.startswith("damaged") else size_b,
        complete=walk.complete,
        note=walk.note,
        gap=_has_gap(topics),
    )


def _has_gap(topics: Iterable[str]) -> bool:
    return any(topic.startswith("/gap/") for topic in topics)
