"""Taking files out of a flight recorder's ring, also while it is being written: which cover a span, what is missing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from drivers.errors import InputError
from drivers.recording.events import Gap
from drivers.recording.reader import TraceReader
from drivers.recording.ring import ring_files
from drivers.recording.ring_look import Glance, glance, glances
from drivers.units import NS_PER_S

SEAM_NS = NS_PER_S
"""Files of one run follow each other at a tick; a longer hole between two is one."""

_BLOCK_B = 1 << 20


class Hole(msgspec.Struct, frozen=True):
    """Nothing was recorded from `from_ns` to `to_ns` (UTC)."""

    from_ns: int
    to_ns: int
    why: str


class Pulled(msgspec.Struct, frozen=True):
    """A copy, checked. `cut_b`: bytes behind the last whole record, not copied. `trouble`: empty if all of it reads."""

    path: Path
    glance: Glance
    records: int
    cut_b: int
    gaps: tuple[Gap, ...]
    trouble: str


def look(folder: Path, board: str | None = None) -> list[Glance]:
    """All files of a ring, or of one board's, by board and number. Raises InputError: no such folder."""
    try:
        files = ring_files(folder, board)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}; name the ring's folder with --folder") from None
    return [one for one in glances(files) if one.file.path.exists()]  # the oldest may go while we look


def covering(found: Sequence[Glance], from_ns: int, to_ns: int) -> list[Glance]:
    """The files with something between two moments (UTC)."""
    return [
        one
        for one, end_ns in zip(found, _ends(found), strict=True)
        if one.from_utc_ns is not None and end_ns is not None and one.from_utc_ns <= to_ns and end_ns >= from_ns
    ]


def holes(found: Sequence[Glance], from_ns: int, to_ns: int) -> list[Hole]:
    """What of the span no file covers. One board's files."""
    spans = sorted(
        (one.from_utc_ns, end_ns, one)
        for one, end_ns in zip(found, _ends(found), strict=True)
        if one.from_utc_ns is not None and end_ns is not None and one.from_utc_ns <= to_ns and end_ns >= from_ns
    )
    missing: list[Hole] = []
    at_ns, why = from_ns, "before the oldest file"
    for begin_ns, end_ns, one in spans:
        if begin_ns - at_ns > SEAM_NS:
            reason = f"{one.file.path.name} says: {one.missing_before}" if one.missing_before else why
            missing.append(Hole(at_ns, begin_ns, reason))
        at_ns = max(at_ns, end_ns)
        why = "no file" if one.complete else f"{one.file.path.name} was cut"
    if to_ns - at_ns > SEAM_NS:
        missing.append(Hole(at_ns, to_ns, why if spans else "no file"))
    return missing


def gap_holes(copy: Pulled) -> list[Hole]:
    """The gaps inside a copy, in UTC; what it was too full for."""
    base_ns = copy.glance.base_ns or 0
    name = copy.path.name
    return [
        Hole(gap.from_ns + base_ns, gap.to_ns + base_ns, f"{name} ends in a gap: {gap.records} records were lost")
        for gap in copy.gaps
    ]


def pull(one: Glance, target: Path) -> Pulled:
    """Copy a file as far as it holds whole records, and read the copy. Raises OSError."""
    fresh = glance(msgspec.structs.replace(one.file, size_b=one.file.path.stat().st_size))  # it may have grown
    length_b = fresh.whole_b if not fresh.unreadable else fresh.file.size_b
    _copy(one.file.path, target, length_b)
    shown = msgspec.structs.replace(fresh, base_ns=one.base_ns)
    try:
        reader = TraceReader(target)
        count, gaps = 0, []
        for event in reader.events():
            count += 1
            if isinstance(event, Gap):
                gaps.append(event)
    except InputError as error:
        return Pulled(target, shown, 0, fresh.file.size_b - length_b, (), str(error))
    wrong = [
        f"{number} {what}"
        for number, what in ((reader.bad_chunks, "bad chunks"), (reader.bad_messages, "bad records"))
        if number
    ]
    if reader.note.startswith("damaged"):
        wrong.append(reader.note)
    return Pulled(target, shown, count, fresh.file.size_b - length_b, tuple(gaps), ", ".join(wrong))


def _ends(found: Sequence[Glance]) -> list[int | None]:
    """Up to when each file stands for what happened: to the next one's begin where that goes on from it."""
    ends: list[int | None] = []
    for number, one in enumerate(found):
        after = found[number + 1] if number + 1 < len(found) else None
        goes_on = (
            after is not None
            and one.complete
            and not one.gap
            and not after.missing_before
            and after.file.board == one.file.board
            and after.file.number == one.file.number + 1
            and after.boot == one.boot
            and None not in (one.last_ns, after.first_ns)
            and abs((after.first_ns or 0) - (one.last_ns or 0)) <= SEAM_NS
        )
        ends.append(after.from_utc_ns if goes_on and after is not None else one.to_utc_ns)
    return ends


def _copy(source: Path, target: Path, length_b: int) -> None:
    with source.open("rb") as reading, target.open("wb") as writing:
        left_b = length_b
        while left_b > 0 and (block := reading.read(min(left_b, _BLOCK_B))):
            writing.write(block)
            left_b -= len(block)
        writing.flush()
        os.fsync(writing.fileno())
