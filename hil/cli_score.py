"""``leeze-hil score``: its words, and what it prints."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from drivers.errors import InputError
from drivers.terminal import add_verb
from hil.screen import ProgressBar, console_here

MOST_DELAY_MS = 60_000


def add_score(verbs: Any) -> None:
    """Add the verb."""
    added = add_verb(
        verbs,
        "score",
        _score,
        "how true a Leezenflow was: what it shows of a recorded feed, held against what the signal then did",
        "leeze-hil score feed.mcap --group 4 --delay-ms 300 --loss-pct 10 --outage 2@60",
    )
    added.add_argument(
        "trace", type=Path, metavar="TRACE", help="an imported feed, a recorded run, a flight recorder's"
    )
    added.add_argument("--json", action="store_true", help="print one JSON object")
    added.add_argument("--group", type=_group, help="one signal group (default: every one that works)")
    added.add_argument("--site", metavar="SITE", help="site file or shipped name (default: displays at the stop line)")
    added.add_argument("--board", metavar="FILE", help="board file or catalog name instead of the site's own")
    added.add_argument("--after", type=_seconds, default=0.0, metavar="S", help="count from this second on")
    added.add_argument("--delay-ms", type=_delay, default=0, metavar="MS", help="each message 0 to MS late, by chance")
    added.add_argument("--loss-pct", type=_per_cent, default=0.0, metavar="PCT", help="so many messages are lost")
    added.add_argument(
        "--outage", type=_outage, action="append", default=[], metavar="S@AT", help="nothing for S seconds from AT on"
    )
    added.add_argument("--seed", type=int, default=0, help="chooses delays and losses")


def _score(said: argparse.Namespace) -> int:
    from controllers.greenwave.site import GreenwaveSite
    from controllers.service.sites import load_site
    from hil.score import ScoreRequest, score
    from hil.score_feed import Disturbance

    site = None if said.site is None else load_site(said.site)
    if site is not None and not isinstance(site, GreenwaveSite):
        raise InputError(f"site {site.name} is {site.product}; a score is for displays (greenwave)")
    disturbance = Disturbance(
        delay_ms=said.delay_ms, loss_pct=said.loss_pct, outages=tuple(said.outage), seed=said.seed
    )
    with ProgressBar("score") as progress:
        found = score(
            ScoreRequest(
                path=said.trace,
                group=said.group,
                site=site,
                board=said.board,
                disturbance=disturbance,
                after_s=said.after,
            ),
            progress.step,
        )
    if said.json:
        print(json.dumps(found))
        return 0
    from hil.score_table import score_table

    console_here().print(score_table(found))
    way = f"{found['distance_m']:g} m before the stop line" if found["distance_m"] else "at the stop line"
    print(f"display {way}; feed {disturbance.words or 'as recorded'}")
    print(
        "shown, dark, needless (dark), wrong (colour): seconds; 5 s to 30 s: % of ends shown within 1 s, so long before"
    )
    if found["note"]:
        print(f"note: the recording is not whole: {found['note']}")
    print(f"{found['messages_per_s']} messages a second, {found['wall_s']:.1f} s")
    return 0


def _group(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 255):
        raise argparse.ArgumentTypeError(f"{text} is no signal group (0 to 255)")
    return int(text)


def _number(text: str, most: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 <= value <= most:
        raise argparse.ArgumentTypeError(f"{text}: {what} must lie between 0 and {most:g}")
    return value


def _seconds(text: str) -> float:
    return _number(text, 1e9, "seconds")


def _per_cent(text: str) -> float:
    return _number(text, 100, "per cent")


def _delay(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= MOST_DELAY_MS):
        raise argparse.ArgumentTypeError(f"{text} is no delay in whole milliseconds (0 to {MOST_DELAY_MS})")
    return int(text)


def _outage(text: str) -> tuple[float, float]:
    long_s, at, at_s = text.partition("@")
    if not at:
        raise argparse.ArgumentTypeError(f"{text!r} is no outage like 2@60 (2 s from second 60 on)")
    return _number(long_s, 86_400, "length"), _number(at_s, 1e9, "beginning")
