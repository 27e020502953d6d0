"""Real states of a signal group, one a second (Hamburg), to SensorThings observations in a trace.

A file (JSON, gzip) is what priobike's predictability study publishes: `Cycles` is a list of stretches, each a list of
``{"Start", "End", "Results": "[4 3 3 …]"}``, seconds since 1970, `End` not included, one code a second as in the layer
primary_signal. Second n becomes one observation that happened, and arrived, at n. Nothing else is known of the signal:
no times, no programme. Times of the trace count from the first second; pauses between stretches stay.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from drivers.codecs.sensorthings import Observation, encode_observation, state_of
from drivers.errors import InputError
from drivers.units import NS_PER_S

DATASTREAM = 1
"""The datastream that the observations are given; the files name none."""

_MAX_BYTES = 64 << 20
_MOST_SECONDS = 86_400
_EARLIEST_S, _LATEST_S = 0, 1 << 33


class _Cycle(msgspec.Struct):
    Start: int
    End: int
    Results: str


class _File(msgspec.Struct):
    Name: str
    Cycles: list[list[_Cycle]]


class PhaseCounts(msgspec.Struct):
    """What a file held: complete when its iterator is exhausted. `pauses`: places where seconds are missing."""

    name: str = ""
    seconds: int = 0
    cycles: int = 0
    pauses: int = 0


def phase_observations(
    path: Path, counts: PhaseCounts | None = None, datastream: int = DATASTREAM
) -> Iterator[tuple[int, int, bytes]]:
    """(t_ns, seconds since 1970, chunk) of each second. Raises InputError with the cycle that is wrong."""
    counts = PhaseCounts() if counts is None else counts
    found = _read(path)
    counts.name = found.Name
    first_s = last_s = -1
    for stretch, cycles in enumerate(found.Cycles):
        for number, cycle in enumerate(cycles):
            place = f"{path}: $.Cycles[{stretch}][{number}]"
            codes = _codes(cycle, place)
            if cycle.Start <= last_s:
                raise InputError(f"{place}: begins at {cycle.Start}, before the end of what stands above")
            first_s = cycle.Start if first_s < 0 else first_s
            counts.pauses += last_s >= 0 and cycle.Start > last_s + 1
            counts.cycles += 1
            for second, code in enumerate(codes, cycle.Start):
                ms = second * 1000
                chunk = encode_observation(Observation(datastream, ms, ms, code))
                yield (second - first_s) * NS_PER_S, second, chunk
                counts.seconds += 1
            last_s = cycle.End - 1
    if not counts.seconds:
        raise InputError(f"{path}: holds no second of any state")


def _codes(cycle: _Cycle, place: str) -> list[int]:
    """The states of one cycle."""
    if not _EARLIEST_S <= cycle.Start < cycle.End <= min(_LATEST_S, cycle.Start + _MOST_SECONDS):
        raise InputError(f"{place}: from {cycle.Start} to {cycle.End} is no cycle (seconds since 1970, a day at most)")
    words = cycle.Results.strip().removeprefix("[").removesuffix("]").split()
    if len(words) != cycle.End - cycle.Start:
        raise InputError(f"{place}: {len(words)} states for {cycle.End - cycle.Start} seconds")
    codes = []
    for word in words:
        if not (word.isascii() and word.isdigit() and len(word) == 1 and state_of(int(word)) is not None):
            raise InputError(f"{place}: no state `{word[:20]}`; a state is a number from 0 to 6")
        codes.append(int(word))
    return codes


def _read(path: Path) -> _File:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as text:
            data = text.read(_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot be read: {reason}") from None
    if len(data) > _MAX_BYTES:
        raise InputError(f"{path}: holds more than {_MAX_BYTES >> 20} MB")
    try:
        return msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: is no file of phases: {error}") from None
