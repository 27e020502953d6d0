"""`leeze-hil replay`: finds out what it is given (case, trace, traffic), runs and judges it, writes what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from controllers.greenwave.site import GreenwaveSite
from controllers.lighting.site import LightingSite
from controllers.service.sites import REFERENCE, load_site, shipped
from drivers.errors import InputError
from drivers.recording.reader import TraceReader
from drivers.units import NS_PER_MS
from hil import replay_display, replay_lit_path, replay_trace
from hil.case import Case, case_folder, load_case, nearest
from hil.judge.alignment import Content, Tolerance
from hil.judge.compare import Verdict, compare
from hil.judge.reference import read_reference, write_reference
from hil.outcome import Outcome, Progress, Request, SentLog
from hil.report.junit import write_junit
from hil.report.page import write_page

MCAP_MAGIC = b"\x89MCAP"


def replay(request: Request, progress: Progress) -> Outcome:
    """Run what the request names. Raises InputError where it cannot be."""
    folder = case_folder(request.subject)
    outcome = _case(folder, request, progress) if folder is not None else _file(request, progress)
    if request.report is not None:
        write_page(request.report, outcome.result, outcome.lanes)
    if request.junit is not None:
        write_junit(request.junit, [outcome.result])
    return outcome


def _file(request: Request, progress: Progress) -> Outcome:
    path = Path(request.subject)
    if request.update_reference:
        raise InputError("--update-reference is for cases; a trace is its own reference, traffic has none")
    try:
        with path.open("rb") as file:
            head = file.read(5)
    except IsADirectoryError:
        raise InputError(f"{path}: a folder without case.toml is no case") from None
    except OSError as error:
        raise InputError(
            f"{path}: neither a case ({nearest(request.subject)}) nor a file that can be read: {error.strerror}"
        ) from None
    if head == MCAP_MAGIC:
        return _trace(path, request, progress)
    site = load_site(request.site or REFERENCE)
    if not isinstance(site, LightingSite):
        raise InputError(f"traffic runs on a lit path; site {site.name} is {site.product}")
    return replay_lit_path.replay(request, site, progress)[0]


def _trace(path: Path, request: Request, progress: Progress) -> Outcome:
    site = load_site(request.site) if request.site else _recorded_on(path)
    if isinstance(site, LightingSite):
        outcome, log, expected = replay_trace.replay_trace(request, site, progress)
        contents = {sent.wire: _content(sent.wire) for sent in expected}
    else:
        outcome, log, reader = replay_display.replay_feed(request, site, progress)
        expected = list(replay_trace.recorded_outputs(reader, 100 * NS_PER_MS))
        until_ns = max((sent.t_ns for sent in expected), default=0)
        log.sent = [sent for sent in log.sent if sent.t_ns <= until_ns]
        contents = {}
    if not expected:
        return outcome
    return _judged(outcome, compare(expected, log.sent, Tolerance(contents=contents)))


def _recorded_on(path: Path) -> LightingSite | GreenwaveSite | None:
    """The shipped site a trace was recorded on; None for a feed nobody described."""
    for name in TraceReader(path).provenance.sites:
        if name in shipped():
            return load_site(name)
    return None


def _case(folder: Path, request: Request, progress: Progress) -> Outcome:
    case = load_case(folder)
    origin = str(folder / "case.toml")
    beside = folder / case.site
    site = load_site(request.site or (str(beside) if beside.is_file() else case.site))
    if isinstance(site, LightingSite):
        outcome, log = replay_lit_path.replay(request, site, progress, case=case, origin=origin)
        assert log is not None
    else:
        if case.signal is None:
            raise InputError(f"{origin}: $.signal: a case on the display site {site.name} needs a signal programme")
        outcome, log = replay_display.replay_case(case, folder.name, site, request, progress)
    reference = folder / "reference.txt"
    if request.update_reference:
        periods = dict.fromkeys(sorted({sent.wire.partition("/")[0] for sent in log.sent}), _period_ms(log))
        write_reference(reference, log.sent, case=folder.name, periods_ms=periods)
    return _promised(case, _against(reference, case, outcome, log, request))


def _period_ms(log: SentLog) -> int:
    return log.period_ns // NS_PER_MS


def _against(reference: Path, case: Case, outcome: Outcome, log: SentLog, request: Request) -> Outcome:
    if not reference.exists():
        return outcome
    expected = read_reference(reference)
    if request.seconds is not None:
        expected = [sent for sent in expected if sent.t_ns < request.seconds * 1e9]
    contents: dict[str, Content] = {sent.wire: _content(sent.wire) for sent in expected}
    tolerance = msgspec.structs.replace(case.tolerance, contents={**contents, **case.tolerance.contents})
    return _judged(outcome, compare(expected, log.sent, tolerance))


def _content(wire: str) -> Content:
    name = wire.partition("/")[2]
    return "dali" if name == "dali" else "panel" if name == "panel" else "bytes"


def _judged(outcome: Outcome, verdict: Verdict) -> Outcome:
    result = msgspec.structs.replace(
        outcome.result, verdict="passed" if verdict.passed else "failed", comparison=verdict
    )
    return msgspec.structs.replace(outcome, result=result)


def _promised(case: Case, outcome: Outcome) -> Outcome:
    """What the case promises beside its reference; a broken promise fails it."""
    broken = broken_promises(case, outcome.result.figures)
    if not broken:
        return outcome
    result = msgspec.structs.replace(outcome.result, verdict="failed", notes=(*outcome.result.notes, *broken))
    return msgspec.structs.replace(outcome, result=result)


def broken_promises(case: Case, figures: Mapping[str, Mapping[str, float | int | None]]) -> list[str]:
    """One sentence for each promise that was not kept."""
    broken = []
    share = figures.get("lit_share", {}).get("leeze")
    wanted = case.promise.lit_share_at_least
    if wanted is not None and (share is None or share < wanted):
        broken.append(f"promise broken: {share} of riders lit in time, {wanted:g} promised")
    limit = case.promise.energy_below_always_on
    if limit is not None:
        energy, always = figures["energy_wh"].get("leeze"), figures["energy_wh"].get("always_on")
        if energy is None or not always or energy >= limit * always:
            broken.append(f"promise broken: {energy} Wh of {always} Wh always on, below {limit:g} promised")
    return broken
