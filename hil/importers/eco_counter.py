"""Counter files of inductive loops (Eco-Counter exports) into one traffic file.

The form: CSV with `;` and a header, UTF-8 with or without byte order mark, plain or .gz::

    timestamp;sensor_index;lane_id;user_type;direction;speed
    19.02.2024 05:33:24;1;3;cyclist;out;24

`timestamp` is local time, dd.mm.yyyy or dd/mm/yyyy; `speed` km/h; columns in any order, `sensor_index` and `user_type`
may be missing. Every row ends in exactly one of these, so that the counts add up to the rows:

- **broken**: a field missing or not what it should be (the first ones are named);
- **outside**: not between the two dates asked for (local dates, both included);
- **other_users**: a user type other than cyclist;
- **slow**: 6 km/h or less (hundreds of rows say 0);
- **duplicates**: the same in every field as a row before;
- **joined**: one rider over two loops: same second, same direction, neighbouring lanes. At most two rows make a rider
  (nobody is three lanes wide), the pair whose speeds are nearest first. The slower reading is kept: a wheel over the
  edge of a loop is felt for a shorter way, and so seems too fast;
- **passages**: a rider.

Local time is Europe/Berlin: of an hour that comes twice in autumn the rows belong to its first run until the clock of
the file jumps back (`ambiguous` counts them); times skipped in spring are read with the offset before the change
(`nonexistent`). Each file is one counter, its name the site; rows of different files are never joined.
"""

from __future__ import annotations

import gzip
import heapq
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from io import TextIOWrapper
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, cast
from zoneinfo import ZoneInfo

import msgspec

from drivers.errors import InputError
from hil.traffic.model import FASTEST_KMH
from hil.traffic.passages import TrafficHeader

SLOW_KMH = 6
_MAX_LINE = 1 << 16
_NAMED = 10  # broken rows named one by one
_REPORT_EVERY = 10_000
_DIRECTIONS = {"in": 1, "out": 0}
_JUMP_S = 60  # a file's clock that falls by more in the hour that comes twice has been put back
_ZONE = "Europe/Berlin"

Progress = Callable[[Path, int], None]
"""Called now and then with the file and the rows read of it."""


class Counts(msgspec.Struct):
    """Where every row went; `rows` is the sum of the six below it and `passages`."""

    rows: int = 0
    broken: int = 0
    outside: int = 0
    other_users: int = 0
    slow: int = 0
    duplicates: int = 0
    joined: int = 0
    passages: int = 0
    ambiguous: int = 0
    nonexistent: int = 0
    first_broken: list[str] = []


def import_eco_counter(
    paths: Sequence[Path],
    out: Path,
    *,
    from_date: date | None = None,
    to_date: date | None = None,
    progress: Progress | None = None,
) -> Counts:
    """Read counter files, write one traffic file sorted by time, say where every row went.

    Raises InputError: a file that cannot be read or has no counter header, nothing usable at all, `out` not writable.
    Then `out` is as it was before.
    """
    if from_date and to_date and to_date < from_date:
        raise InputError(f"the last date {to_date} is before the first date {from_date}")
    counts = Counts()
    zone = ZoneInfo(_ZONE)
    sites = [_join(_CounterFile(path, counts, zone, from_date, to_date).rows(progress), counts) for path in paths]
    counts.passages = sum(len(site) for site in sites)
    if not counts.passages:
        raise InputError(f"{', '.join(map(str, paths))}: no usable passage in {counts.rows} rows: {tally(counts)}")
    first_s, last_s = min(site[0] for site in sites if site) >> 8, max(site[-1] for site in sites if site) >> 8
    header = TrafficHeader(
        site=" + ".join(site_name(path) for path in paths),
        from_date=datetime.fromtimestamp(first_s, zone).date().isoformat(),
        to_date=datetime.fromtimestamp(last_s, zone).date().isoformat(),
        counts={name: value for name, value in msgspec.structs.asdict(counts).items() if isinstance(value, int)},
    )
    unfinished = out.with_name(out.name + ".part")
    try:
        with unfinished.open("w", encoding="ascii", newline="\n") as file:
            file.write(msgspec.json.encode(header).decode("ascii", "backslashreplace") + "\n")
            for packed in heapq.merge(*sites):
                file.write(f"[{packed >> 8},{1 if packed & 128 else -1},{packed & 127}]\n")
        unfinished.replace(out)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise InputError(f"{out}: cannot be written: {error.strerror}") from None
    return counts


def tally(counts: Counts) -> str:
    """The counts in one line, for people. Example: ``32737 rows: 31100 passages, 1285 joined, 292 slow``."""
    parts = ("passages", "joined", "duplicates", "slow", "other_users", "outside", "broken")
    said = ", ".join(f"{getattr(counts, part)} {part.replace('_', ' ')}" for part in parts if getattr(counts, part))
    return f"{counts.rows} rows: {said or 'nothing'}"


def site_name(path: Path) -> str:
    """The counter's name: the file's, without its endings. Example: ``Dingstiege`` for Dingstiege.csv.gz."""
    return path.name.removesuffix(".gz").removesuffix(".csv")


def _join(packed_rows: array[int], counts: Counts) -> array[int]:
    """Rows (see `_CounterFile.rows`) to passages (UTC second, direction bit, km/h in 7 bits), both sorted by time."""
    passages = array("q")
    for key, group in groupby(sorted(packed_rows), key=lambda row: row >> 15):
        rows = list(group)
        if len(rows) > 1:
            single = sorted(set(rows))
            counts.duplicates += len(rows) - len(single)
            rows = _one_row_a_rider(single)
            counts.joined += len(single) - len(rows)
        passages.extend(key >> 8 << 7 | row & 127 for row in rows)
    return array("q", sorted(passages))


def _one_row_a_rider(rows: list[int]) -> list[int]:
    """Rows of one second and direction: of each pair over neighbouring lanes only the slower, nearest speeds first."""
    pairs = sorted(
        (abs((a & 127) - (b & 127)), n, m)
        for n, a in enumerate(rows)
        for m, b in enumerate(rows[n + 1 :], n + 1)
        if (b >> 7 & 255) - (a >> 7 & 255) == 1
    )
    taken: set[int] = set()
    dropped: set[int] = set()
    for _, n, m in pairs:
        if n not in taken and m not in taken:
            taken |= {n, m}
            dropped.add(n if rows[n] & 127 > rows[m] & 127 else m)
    return [row for n, row in enumerate(rows) if n not in dropped]


class _CounterFile:
    """One file being read."""

    def __init__(
        self, path: Path, counts: Counts, zone: ZoneInfo, from_date: date | None, to_date: date | None
    ) -> None:
        self._path, self._counts, self._zone = path, counts, zone
        self._from, self._to = from_date or date.min, to_date or date.max
        self._hours: dict[str, tuple[date, int, int]] = {}
        self._sensors: dict[str, int] = {}
        self._last_s = 0

    def rows(self, progress: Progress | None) -> array[int]:
        """Usable rows, packed: UTC second | direction bit | sensor (8 bits) | lane (8 bits) | km/h (7 bits)."""
        counts, packed, first_row = self._counts, array("q"), self._counts.rows
        lines = self._lines()
        columns = self._columns(next(lines, ""))
        for number, line in enumerate(lines, start=2):
            if not line or line.isspace():
                continue
            counts.rows += 1
            try:
                row = self._row(line.rstrip("\r\n").split(";"), columns)
            except ValueError as error:
                counts.broken += 1
                if len(counts.first_broken) < _NAMED:
                    counts.first_broken.append(f"{self._path}: line {number}: {error}")
            else:
                if row is not None:
                    packed.append(row)
            if progress and number % _REPORT_EVERY == 0:
                progress(self._path, counts.rows - first_row)
        if progress:
            progress(self._path, counts.rows - first_row)
        return packed

    def _lines(self) -> Iterator[str]:
        """The file's lines; where it breaks off in the middle of its compression, what was before counts."""
        try:
            with self._path.open("rb") as file:
                zipped = file.read(2) == b"\x1f\x8b"
                file.seek(0)
                plain = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if zipped else file
                with TextIOWrapper(plain, encoding="utf-8-sig", errors="replace", newline="\n") as text:
                    while line := text.readline(_MAX_LINE):
                        yield line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self._counts.rows += 1
            self._counts.broken += 1
            self._counts.first_broken.append(f"{self._path}: the compressed file is damaged: {error}")
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read: {error.strerror}") from None

    def _columns(self, header: str) -> dict[str, int]:
        """Which column is where. Raises InputError where a needed one is missing."""
        names = [name.strip().lower() for name in header.split(";")]
        needed = ("timestamp", "lane_id", "direction", "speed")
        missing = [name for name in needed if name not in names]
        if missing:
            raise InputError(
                f"{self._path}: line 1 is no counter header: {', '.join(missing)} missing; "
                "it should read like timestamp;sensor_index;lane_id;user_type;direction;speed"
            )
        return {name: n for n, name in enumerate(names)}

    def _row(self, fields: list[str], columns: dict[str, int]) -> int | None:
        """One row packed; None where it was counted as something else. Raises ValueError saying what is wrong."""
        if len(fields) != len(columns):
            raise ValueError(f"{len(fields)} fields instead of {len(columns)}")
        day, utc_s = self._time(fields[columns["timestamp"]].strip())
        direction = _DIRECTIONS.get(fields[columns["direction"]].strip())
        if direction is None:
            raise ValueError(f"direction {fields[columns['direction']]!r} is neither in nor out")
        lane = _number("lane_id", fields[columns["lane_id"]], 255)
        speed_kmh = _number("speed", fields[columns["speed"]], FASTEST_KMH)
        sensor = fields[columns["sensor_index"]] if "sensor_index" in columns else ""
        counts = self._counts
        if not self._from <= day <= self._to:
            counts.outside += 1
        elif "user_type" in columns and fields[columns["user_type"]].strip() != "cyclist":
            counts.other_users += 1
        elif speed_kmh <= SLOW_KMH:
            counts.slow += 1
        else:
            sensor_number = self._sensors.setdefault(sensor, len(self._sensors)) & 255
            return utc_s << 24 | direction << 23 | sensor_number << 15 | lane << 7 | speed_kmh
        return None

    def _time(self, text: str) -> tuple[date, int]:
        """Local date and UTC second of a time stamp."""
        rest = text[13:]
        if not (len(text) == 19 and rest[0] == rest[3] == ":" and _digits(rest[1:3]) and _digits(rest[4:])):
            raise ValueError(f"timestamp {text!r} should read like 19.02.2024 05:33:24 or 19/02/2024 05:33:24")
        hour = self._hours.get(text[:13])
        if hour is None:
            if len(self._hours) > 100_000:
                self._hours.clear()
            hour = self._hours[text[:13]] = self._hour(text)
        day, first_s, second_s = hour
        minute, second = int(rest[1:3]), int(rest[4:])
        if minute > 59 or second > 59:
            raise ValueError(f"timestamp {text!r} has no such minute or second")
        utc_s = first_s + minute * 60 + second
        if second_s > first_s:
            self._counts.ambiguous += 1
            if utc_s < self._last_s - _JUMP_S:
                utc_s += second_s - first_s
        elif second_s < first_s:
            self._counts.nonexistent += 1
        self._last_s = utc_s
        return day, utc_s

    def _hour(self, text: str) -> tuple[date, int, int]:
        """Date, and the hour's first second by the clock before and after a change (two hours a year they differ)."""
        parts = text[:2], text[3:5], text[6:10], text[11:13]
        if not (text[2] == text[5] and text[2] in "./" and text[10] == " " and all(map(_digits, parts))):
            raise ValueError(f"timestamp {text!r} should read like 19.02.2024 05:33:24 or 19/02/2024 05:33:24")
        try:
            local = datetime(int(parts[2]), int(parts[1]), int(parts[0]), int(parts[3]), tzinfo=self._zone)
        except ValueError as error:
            raise ValueError(f"timestamp {text!r}: {error}") from None
        if local.year <= 1970:
            raise ValueError(f"timestamp {text!r} lies before 1971")
        return local.date(), int(local.timestamp()), int(local.replace(fold=1).timestamp())


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _number(name: str, text: str, most: int) -> int:
    text = text.strip()
    if not (_digits(text) and len(text) < 10 and int(text) <= most):
        raise ValueError(f"{name} {text!r} is no whole number up to {most}")
    return int(text)
