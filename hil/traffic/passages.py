"""Traffic files: recorded passages over one counter, and the riders they stand for.

A traffic file is JSON lines, so that it can be read as a stream and looked at with any tool::

    {"format":"leeze-traffic","version":1,"site":"Dingstiege","from":"2024-02-19","to":"2024-03-17","counts":{...}}
    [1708299244,1,13]
    [1708302386,-1,14]

First the header: `site`, the local dates of the first and last passage, and what the importer counted. Then one line a
passage: UTC second since 1970, direction (1 is "in" and rides towards larger x, -1 is "out"), km/h; times never fall.

Version 2, a simulated crowd, has a fourth number: the kind (hil/traffic/ways.py), 0 for a rider like those recorded.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from drivers.errors import InputError
from drivers.units import FOREVER_NS, NS_PER_S
from hil.traffic.model import FASTEST_KMH, SLOWEST_KMH, Passage, TrafficModel, trajectory
from hil.traffic.rider import GHOST_IDS, Rider
from hil.traffic.ways import CLUTTER, KINDS

_MAX_LINE = 1 << 16


class TrafficHeader(msgspec.Struct, frozen=True, kw_only=True):
    """First line of a traffic file. `from_date` and `to_date` are local dates, e.g. 2024-02-19."""

    format: str = "leeze-traffic"
    version: int = 1
    site: str = ""
    from_date: str = msgspec.field(name="from", default="")
    to_date: str = msgspec.field(name="to", default="")
    counts: dict[str, int] = {}


class PassageReader:
    """Reads a traffic file line by line; memory does not grow with it.

    `offset` is the byte after the last line read, `cut_bytes` what stood behind the last complete line (a file cut
    while it was written). The file is closed at its end; `close` it (or use `with`) when leaving earlier. Raises
    InputError with the line for anything that is no passage.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut_bytes = 0
        self.line_number = 0
        self._last_utc_s = 0
        self._decode: Callable[[bytes], tuple[int, ...]] = msgspec.json.Decoder(tuple[int, int, int]).decode
        self._file = self._open()
        self.header = self._read_header()
        self.offset = self._file.tell()

    def __iter__(self) -> Iterator[Passage]:
        while (passage := self.read()) is not None:
            yield passage

    def __enter__(self) -> PassageReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self) -> Passage | None:
        """The next passage; None at the end of the file."""
        line = None if self._file.closed else self._line()
        while line is not None and line.isspace():
            line = self._line()
        if line is None:
            self._file.close()
            return None
        try:
            utc_s, direction, speed_kmh, *rest = self._decode(line)
        except msgspec.MsgspecError:
            raise self._wrong("is no passage") from None
        if direction not in (1, -1):
            raise self._wrong(f"has direction {direction}")
        if not SLOWEST_KMH <= speed_kmh <= FASTEST_KMH:
            raise self._wrong(f"has {speed_kmh} km/h ({SLOWEST_KMH} to {FASTEST_KMH} can be ridden)")
        if utc_s < self._last_utc_s:
            raise self._wrong("goes back in time")
        if rest and rest[0] not in KINDS:
            raise self._wrong(f"has kind {rest[0]} (known: {', '.join(map(str, KINDS))})")
        self._last_utc_s = utc_s
        return Passage(utc_s, direction, speed_kmh, *rest)

    def position(self) -> dict[str, int]:
        """Where reading stands, for `seek`."""
        return {"offset": self.offset, "line": self.line_number, "last_utc_s": self._last_utc_s}

    def seek(self, position: dict[str, int]) -> None:
        """Go on from a `position` of the same file."""
        self.offset, self.line_number = position["offset"], position["line"]
        self._last_utc_s = position["last_utc_s"]
        self.cut_bytes = 0
        if self._file.closed:
            self._file = self._open()
        self._file.seek(self.offset)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def _open(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {error.strerror}") from None

    def _line(self) -> bytes | None:
        """The next line; a last line without its end counts only if it is a passage, else it was cut."""
        line = self._file.readline(_MAX_LINE)
        if not line:
            return None
        if not line.endswith(b"\n"):
            try:
                self._decode(line)
            except msgspec.MsgspecError:
                if len(line) < _MAX_LINE:
                    self.cut_bytes = len(line)
                    return None
        self.offset += len(line)
        self.line_number += 1
        return line

    def _read_header(self) -> TrafficHeader:
        self.line_number = 1
        wrong = (
            f'{self.path}: line 1 is no traffic header {{"format":"leeze-traffic","version":1,...}}; '
            "counter files become traffic with `leeze-hil import eco-counter CSV -o TRAFFIC`"
        )
        try:
            header = msgspec.json.decode(self._file.readline(_MAX_LINE), type=TrafficHeader)
            if header.format == "leeze-traffic" and header.version in (1, 2):
                if header.version == 2:
                    self._decode = msgspec.json.Decoder(tuple[int, int, int, int]).decode
                return header
            if header.format == "leeze-traffic":
                wrong = f"{self.path}: traffic version {header.version}; this program reads versions 1 and 2"
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass
        self._file.close()
        raise InputError(wrong)

    def _wrong(self, what: str) -> InputError:
        self._file.close()
        return InputError(f"{self.path}: line {self.line_number} {what}; it should read like [1708299244,1,24]")


def write_traffic(path: Path, header: TrafficHeader, passages: Iterable[Passage]) -> int:
    """Write a traffic file of version 2, row by row; gives the number of rows. Raises InputError."""
    count = 0
    try:
        with path.open("wb") as file:
            file.write(msgspec.json.encode(header) + b"\n")
            for one in passages:
                file.write(b"[%d,%d,%d,%d]\n" % (one.utc_s, one.direction, one.speed_kmh, one.kind))
                count += 1
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
    return count


class RiderSource:
    """The riders of a traffic file in the order their rides start, which is not the order they pass the counter in.

    A ride begins before its passage, the slower the earlier; so the file is read ahead by the model's longest lead and
    the riders wait in a heap: some tens of them, however long the file. A rider's id is its number in the file, from 0;
    clutter is numbered from GHOST_IDS.

    Args:
        path: a traffic file.
        seed: chooses the draws of the traffic model.
        model: the traffic model.
        origin_utc_ns: the UTC time that is 0 on the riders' clock. Default: the recorded UTC times themselves.
    """

    def __init__(self, path: Path, seed: int = 0, model: TrafficModel | None = None, origin_utc_ns: int = 0) -> None:
        self.seed, self.model, self.origin_utc_ns = seed, model or TrafficModel(), origin_utc_ns
        self.reader = PassageReader(path)
        self.header = self.reader.header
        self.count = 0
        """Riders handed out so far."""
        self._lead_ns = self.model.longest_lead_ns
        self._waiting: list[tuple[int, int, Passage, Rider]] = []
        self._next_index = 0
        self._next_ghost = GHOST_IDS
        self._read_until_ns = -FOREVER_NS

    def __iter__(self) -> Iterator[Rider]:
        while (rider := self.take()) is not None:
            yield rider

    @property
    def next_start_ns(self) -> int:
        """When the next ride starts; FOREVER_NS after the last."""
        self._read_ahead()
        return self._waiting[0][0] if self._waiting else FOREVER_NS

    def take(self) -> Rider | None:
        """The next rider; None after the last."""
        self._read_ahead()
        if not self._waiting:
            return None
        self.count += 1
        return heapq.heappop(self._waiting)[3]

    def snapshot(self) -> dict[str, Any]:
        """Where the source stands, as JSON-able values."""
        return {
            "reader": self.reader.position(),
            "next_index": self._next_index,
            "next_ghost": self._next_ghost,
            "count": self.count,
            "read_until_ns": self._read_until_ns,
            "waiting": sorted([i, p.utc_s, p.direction, p.speed_kmh, p.kind] for _, i, p, _ in self._waiting),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot made with the same file, seed, model and origin."""
        self.reader.seek(state["reader"])
        self._next_index, self.count = state["next_index"], state["count"]
        self._next_ghost = state["next_ghost"]
        self._read_until_ns = state["read_until_ns"]
        self._waiting = []
        for index, *passage in state["waiting"]:
            self._push(index, Passage(*passage))

    def close(self) -> None:
        """Close the file, which closes by itself after the last rider."""
        self.reader.close()

    def _read_ahead(self) -> None:
        """Read until no passage still unread can start before the first one waiting."""
        while not self._waiting or self._read_until_ns < self._waiting[0][0] + self._lead_ns:
            passage = self.reader.read()
            if passage is None:
                self._read_until_ns = FOREVER_NS
                return
            if passage.kind == CLUTTER:  # riders keep their numbers, and so their ways, with and without clutter
                self._push(self._next_ghost, passage)
                self._next_ghost += 1
            else:
                self._push(self._next_index, passage)
                self._next_index += 1
            self._read_until_ns = passage.utc_s * NS_PER_S - self.origin_utc_ns

    def _push(self, index: int, passage: Passage) -> None:
        rider = trajectory(passage, index, self.seed, self.model, self.origin_utc_ns)
        heapq.heappush(self._waiting, (rider.start_ns, index, passage, rider))
