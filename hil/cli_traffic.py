"""``leeze-hil traffic make|describe|clutter``: simulated crowds as traffic files, and the numbers of any such file."""

from __future__ import annotations

import argparse
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec

from drivers.errors import InputError
from drivers.terminal import add_verb

_SHARES = ("walkers", "dogs", "stops", "e_bikes", "leaves", "joins", "turns")


def add_traffic(verbs: Any) -> None:
    """Add the verb to those of the command."""
    about = "simulated crowds, and what a traffic file holds"
    added = verbs.add_parser("traffic", help=about, description=about)
    inner = added.add_subparsers(title="verbs", metavar="VERB", required=True)
    one = add_verb(
        inner,
        "make",
        _make,
        "a simulated crowd, drawn by seed from what the counters show",
        "leeze-hil traffic make -o crowd.traffic --from 2024-02-19 --days 7 --riders-a-day 1100 --seed 1",
    )
    one.add_argument("-o", "--out", type=Path, required=True, metavar="TRAFFIC")
    one.add_argument("--from", dest="from_date", default="2024-02-19", metavar="DATE", help="first local day")
    one.add_argument("--days", type=int, default=7, help="how many, 1 to 400, default 7")
    one.add_argument("--seed", type=int, default=0, help="the crowd; the same one for the same seed")
    one.add_argument("--riders-a-day", type=int, default=1_100, help="in the mean, default 1100")
    for name in _SHARES:
        one.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="PERMILLE", help="of all parties")
    one.add_argument("--clutter-per-h", type=int, default=0, metavar="N", help="false targets an hour, default 0")
    one = add_verb(
        inner,
        "describe",
        _describe,
        "hours, days, speeds and groups as a table",
        "leeze-hil traffic describe day.traffic",
    )
    one.add_argument("file", type=Path)
    one.add_argument("--json", action="store_true", help="one JSON object")
    one = add_verb(
        inner,
        "clutter",
        _clutter,
        "the same traffic with false targets for the radars in between: rain",
        "leeze-hil traffic clutter week.traffic -o rain.traffic --per-h 60",
    )
    one.add_argument("file", type=Path)
    one.add_argument("-o", "--out", type=Path, required=True, metavar="TRAFFIC")
    one.add_argument("--per-h", type=int, required=True, metavar="N", help="an hour, 1 to 10000, on the whole path")
    one.add_argument("--seed", type=int, default=0)


def _make(said: argparse.Namespace) -> int:
    from hil.traffic.generator import Crowd, passages
    from hil.traffic.passages import TrafficHeader, write_traffic

    try:
        first = date.fromisoformat(said.from_date)
    except ValueError:
        raise InputError(f"--from {said.from_date}: is no date like 2024-02-19") from None
    if not 1 <= said.days <= 400:
        raise InputError(f"--days {said.days}: 1 to 400")
    shares = {name: getattr(said, name) for name in _SHARES if getattr(said, name) is not None}
    try:
        crowd = msgspec.convert(
            {**shares, "riders_a_day": said.riders_a_day, "clutter_per_h": said.clutter_per_h}, Crowd
        )
    except msgspec.ValidationError as error:
        raise InputError(f"{error} (riders a day 0 to 100000, shares 0 to 1000, clutter 0 to 10000)") from None
    if sum(share for _, share in crowd.kinds) > 1000:
        raise InputError("the shares of kinds are more than 1000 permille together")
    last = first + timedelta(days=said.days - 1)
    header = TrafficHeader(
        version=2,
        site=f"a simulated crowd of {crowd.riders_a_day} a day, seed {said.seed}",
        from_date=first.isoformat(),
        to_date=last.isoformat(),
    )
    count = write_traffic(said.out, header, passages(first, said.days, crowd, said.seed))
    print(f"{said.out}: {count} rows, {first} to {last}")
    return 0


def _describe(said: argparse.Namespace) -> int:
    from hil.traffic.described import described
    from hil.traffic.generator import ZONE

    found = described(said.file, ZONE)
    if said.json:
        print(json.dumps(found))
        return 0
    for name, value in found.items():
        print(f"{name.replace('_', ' '):<20}  {_words(value)}")
    return 0


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {inner}" for key, inner in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _clutter(said: argparse.Namespace) -> int:
    from hil.traffic.generator import with_clutter
    from hil.traffic.passages import PassageReader, write_traffic

    if not 1 <= said.per_h <= 10_000:
        raise InputError(f"--per-h {said.per_h}: 1 to 10000")
    if said.out.resolve() == said.file.resolve():
        raise InputError(f"{said.out}: is what is read; write to another file")
    with PassageReader(said.file) as reader:
        header = msgspec.structs.replace(
            reader.header, version=2, site=f"{reader.header.site}, {said.per_h} false targets an hour"
        )
        count = write_traffic(said.out, header, with_clutter(reader, said.per_h, said.seed))
    print(f"{said.out}: {count} rows")
    return 0
