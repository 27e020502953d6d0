"""``leeze-hil picture``: the distance-time diagram of a stretch of a lit path's run, as an SVG file for print."""

from __future__ import annotations

import argparse
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from drivers.errors import InputError
from drivers.terminal import add_verb
from drivers.units import NS_PER_S

if TYPE_CHECKING:
    from hil.replay_lit_path import LitRun

_TIME_OF_DAY = re.compile(r"(\d\d):(\d\d)")


def add_picture(verbs: Any) -> None:
    """Add the verb to those of the command."""
    added = add_verb(
        verbs,
        "picture",
        _picture,
        "the distance-time diagram of a stretch of time: lamps as bands of light, riders as lines, as SVG",
        "leeze-hil picture day.traffic -o evening.svg --from '2024-02-20 18:30' --minutes 10",
    )
    added.add_argument("subject", metavar="CASE|TRAFFIC", help="case name or folder, or traffic file")
    added.add_argument("-o", "--out", type=Path, required=True, metavar="FILE.svg")
    added.add_argument(
        "--from",
        dest="from_",
        metavar="TIME",
        help="local, '2024-02-20 18:30' or 18:30 (the first one); default: just before the first rider in lit hours",
    )
    added.add_argument("--title", metavar="TEXT", help="in place of the run's own")
    added.add_argument("--minutes", type=float, default=10, metavar="M", help="how long, 0.5 to 120, default 10")
    added.add_argument("--site", metavar="FILE", help="site file or shipped name (traffic: the reference site)")
    added.add_argument("--board", metavar="FILE", help="board file or catalog name instead of the site's own")
    added.add_argument("--seed", type=int, default=0, help="chooses missed radar reports and traffic draws")
    added.add_argument("--range-m", type=float, help="usable range of all radars instead of the site's, 2 to 255")
    added.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="FAULT",
        help="as with replay; repeatable",
    )


def _picture(said: argparse.Namespace) -> int:
    from hil.collect import PathCollector
    from hil.report.distance_time import write_picture

    if said.out.suffix != ".svg":
        raise InputError(f"{said.out}: is written as SVG; name it .svg")
    if not 0.5 <= said.minutes <= 120:
        raise InputError(f"--minutes {said.minutes:g}: 0.5 to 120 can be drawn")
    if said.range_m is not None and not 2 <= said.range_m <= 255:
        raise InputError(f"--range-m {said.range_m:g}: is no range of a radar; 2 to 255 m")
    run = _run(said)
    bench, window_ns = run.bench, round(said.minutes * 60 * NS_PER_S)
    zone = ZoneInfo(bench.site.place.timezone)
    from_ns = None if said.from_ is None else _from_ns(said.from_, bench.origin_utc_ns, zone)
    if from_ns is not None and not 0 <= from_ns < run.span_ns:
        raise InputError(f"--from {said.from_}: is not in this run, {_span(run, zone)}")
    collector = PathCollector(bench, window_ns, from_ns)
    try:
        bench.start()
        at_ns, begun_ns = 0, from_ns
        while at_ns < run.span_ns and (begun_ns is None or at_ns < begun_ns + window_ns):
            ahead_ns = at_ns + 60 * NS_PER_S if begun_ns is None else begun_ns + window_ns
            at_ns = min(run.span_ns, ahead_ns)
            bench.run(at_ns)
            begun_ns = collector.from_ns
    finally:
        run.close()
    if begun_ns is None:
        raise InputError(f"{said.subject}: nobody rides in lit hours; name a time with --from")
    lanes = collector.lanes([])
    window = (begun_ns, min(at_ns, begun_ns + window_ns))
    write_picture(said.out, lanes, window, said.title or run.title, "; ".join(run.notes[:2]))
    print(f"{said.out}: {len(lanes.riders)} riders, {said.out.stat().st_size:,} bytes")
    return 0


def _run(said: argparse.Namespace) -> LitRun:
    from controllers.lighting.site import LightingSite
    from controllers.service.sites import load_site
    from hil.case import case_folder, load_case
    from hil.fitting import check_far_ends, check_path
    from hil.outcome import Request
    from hil.replay_lit_path import case_run, traffic_run

    request = Request(
        subject=said.subject,
        board=said.board,
        site=said.site,
        seed=said.seed,
        range_m=said.range_m,
        rules=False,
        faults=tuple(said.fault),
    )

    def site_of(name: str) -> LightingSite:
        site = load_site(said.site or name)
        if not isinstance(site, LightingSite):
            raise InputError(f"{said.subject}: {site.name} is no lit path; a distance-time picture needs lamps")
        check_path(site, said.board)
        check_far_ends(site, said.board)
        return site

    folder = case_folder(said.subject)
    if folder is None:
        return traffic_run(Path(said.subject), site_of("kanalpromenade-reference"), request, None)
    case = load_case(folder)
    beside = folder / case.site
    site = site_of(str(beside) if beside.is_file() else case.site)
    return case_run(case, str(folder / "case.toml"), site, request, None)


def _from_ns(text: str, origin_utc_ns: int, zone: ZoneInfo) -> int:
    """A local time on the run's clock. Raises InputError."""
    begun = datetime.fromtimestamp(origin_utc_ns // NS_PER_S, zone)
    try:
        if matched := _TIME_OF_DAY.fullmatch(text):
            moment = begun.replace(hour=int(matched[1]), minute=int(matched[2]), second=0)
            moment += timedelta(days=moment < begun)
        else:
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
        return int(moment.timestamp()) * NS_PER_S - origin_utc_ns
    except (ValueError, OverflowError):
        raise InputError(f"--from {text}: is no time like 2024-02-20 18:30 or 18:30") from None


def _span(run: LitRun, zone: ZoneInfo) -> str:
    ends = (run.bench.origin_utc_ns, run.bench.origin_utc_ns + run.span_ns)
    return " to ".join(f"{datetime.fromtimestamp(end // NS_PER_S, zone):%Y-%m-%d %H:%M}" for end in ends)
