"""``leeze-hil signal``: a simulated signal controller alone, into a file, in virtual time."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path
from typing import Any

from drivers.terminal import add_verb

SAYS = ("likely", "min-max", "min", "states")
MOST_MINUTES = 7 * 1440


def add_signal(verbs: Any) -> None:
    """Add the verb."""
    one = add_verb(
        verbs,
        "signal",
        _signal,
        "a simulated adaptive signal controller, by rules and a seed: what it sends, as a trace",
        "leeze-hil signal --seed 3 --says min --minutes 20 -o feed.mcap",
    )
    one.add_argument("-o", "--out", type=Path, required=True, metavar="TRACE")
    one.add_argument("--seed", type=int, default=0, help="chooses who comes, buses, failures, errors of likelyTime")
    one.add_argument("--says", choices=SAYS, default="likely", help="what it says of the ends of phases")
    one.add_argument("--minutes", type=_minutes, default=20, help="how long, default 20")
    one.add_argument(
        "--start",
        type=_moment,
        default="2026-05-12T19:50:00+02:00",
        help="local time at the start, default 2026-05-12T19:50:00+02:00; programmes change at 20:00, 23:00 and 05:00",
    )
    one.add_argument("--failures", action="store_true", help="one failure of 45 s in ten minutes")
    one.add_argument("--no-buses", action="store_true", help="no bus ever asks")


def _signal(said: argparse.Namespace) -> int:
    from drivers.recording.provenance import collect
    from drivers.units import NS_PER_S
    from hil.importers.trace_file import write_feed
    from hil.peers.adaptive_controller import AdaptiveWords
    from hil.peers.signal_adaptive import Rules

    start: datetime = said.start
    start_utc_ns = int(start.timestamp()) * NS_PER_S
    rules = Rules(
        seed=said.seed,
        start_ms=((start.hour * 60 + start.minute) * 60 + start.second) * 1000,
        buses=not said.no_buses,
        failures=said.failures,
    )
    words = AdaptiveWords(rules, start_utc_ns, said.says)
    write_feed(said.out, words.messages(60 * said.minutes), "spat-xml", collect(utc_ns=start_utc_ns))
    print(f"{said.out}: {600 * said.minutes} messages of station 4070, groups 4 and 7")
    return 0


def _minutes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_MINUTES):
        raise argparse.ArgumentTypeError(f"{text} is no whole number of minutes from 1 to {MOST_MINUTES}")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time like 2026-05-12T19:50:00+02:00") from None
    if moment.tzinfo is None or not 1971 <= moment.year <= 2200:
        raise argparse.ArgumentTypeError(f"{text}: needs its offset from UTC, and a year from 1971 to 2200")
    return moment
