"""`leeze-hil replay`: finds out what it is given (case, trace, traffic), runs and judges it, writes what was asked."""

from __future__ import annotations

from pathlib import Path

import msgspec

from controllers.greenwave.site import GreenwaveSite
from controllers.lighting.site import LightingSite
from controllers.service.sites import REFERENCE, load_site, shipped
from drivers.errors import InputError
from drivers.recording.reader import TraceReader
from drivers.units import NS_PER_MS, NS_PER_S
from hil import replay_display, replay_lit_path, replay_trace
from hil.case import Case, case_folder, load_case, nearest
from hil.judge.alignment import Content, Tolerance
from hil.judge.beside import (
    blocked,
    content_of,
    judged,
    judged_beside,
    refuse_in_ci,
    settled,
    show_difference,
    with_context,
)
from hil.judge.compare import Verdict, compare
from hil.judge.reference import NewerFormat, Sent, load_reference, write_reference
from hil.outcome import Outcome, Progress, Request, SentLog
from hil.report.junit import write_junit
from hil.report.page import write_page

MCAP_MAGIC = b"\x89MCAP"


def replay(request: Request, progress: Progress) -> Outcome:
    """Run what the request names. Raises InputError where it cannot be."""
    folder = case_folder(request.subject)
    _check_outputs(request, folder)

    def play(asked: Request) -> Outcome:
        return _case(folder, asked, progress) if folder is not None else _file(asked, progress)

    if request.bench == "in-process":
        for option, value in (("--rig", request.rig), ("--from-s", request.from_s), ("--loop", request.loop != 1)):
            if value:
                raise InputError(f"{option} is for benches in real time; add --bench process or --bench hardware")
        outcome = play(request)
    else:
        from hil.replay_real_time import real_time

        outcome = real_time(request, progress, play)
    outcome = settled(outcome)
    if request.report is not None:
        write_page(request.report, outcome.result, outcome.lanes)
    if request.junit is not None:
        write_junit(request.junit, [outcome.result])
    return outcome


def _check_outputs(request: Request, folder: Path | None) -> None:
    """Refuse now what would fail after a long run: files that cannot be written, or are read by this very run."""
    read = [Path(name).resolve() for name in (request.subject, request.resume) if name]
    if folder is not None:
        read += [(folder / name).resolve() for name in ("case.toml", "reference.txt")]
    for path in (request.record, request.report, request.junit, request.snapshot):
        if path is None:
            continue
        if not path.parent.is_dir():
            raise InputError(f"{path}: cannot be written: {path.parent} is no folder")
        if path.is_dir():
            raise InputError(f"{path}: cannot be written: it is a folder")
        if path.resolve() in read:
            raise InputError(f"{path}: is read by this run; write to another file")


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
        _only_lit_paths(request, "a trace is run from its start")
        return _trace(path, request, progress)
    site = load_site(request.site or REFERENCE)
    if not isinstance(site, LightingSite):
        raise InputError(f"traffic runs on a lit path; site {site.name} is {site.product}")
    return replay_lit_path.replay(request, site, progress)[0]


def _only_lit_paths(request: Request, why: str) -> None:
    if request.snapshot is not None or request.resume is not None:
        raise InputError(f"--snapshot and --resume are for cases and traffic of lit paths; {why}")


def _trace(path: Path, request: Request, progress: Progress) -> Outcome:
    site = load_site(request.site) if request.site else _recorded_on(path)
    if isinstance(site, LightingSite):
        outcome, log, expected = replay_trace.replay_trace(request, site, progress)
        contents = {sent.wire: content_of(sent.wire) for sent in expected}
    else:
        if request.range_m is not None:
            raise InputError(f"--range-m is for lit paths; {path} holds the feed of a display")
        outcome, log, expected = replay_display.replay_feed(request, site, progress)
        contents = {}
    if not expected:
        return outcome
    return _compared(outcome, expected, log, Tolerance(contents=contents), request)


def _recorded_on(path: Path) -> LightingSite | GreenwaveSite | None:
    """The shipped site a trace was recorded on; None for a feed nobody described."""
    for name in TraceReader(path).provenance.sites:
        if name in shipped():
            return load_site(name)
    return None


def _case(folder: Path, request: Request, progress: Progress) -> Outcome:
    case = load_case(folder)
    if request.window and case.window is not None and request.seconds is not None:
        request = msgspec.structs.replace(request, seconds=case.window.from_s + request.seconds)
    if request.bench != "in-process" and case.window is None and request.seconds is not None:
        request = msgspec.structs.replace(request, window=False)
    origin = str(folder / "case.toml")
    if request.update_reference:
        refuse_in_ci()
    own = (request.board, request.site, request.seconds, request.range_m, request.resume)
    changed = (*own, request.seed or None, request.faults or None)
    if request.update_reference and any(value is not None for value in changed):
        raise InputError(
            "--update-reference takes the case as it is; "
            "leave out --board, --site, --seconds, --range-m, --seed, --fault and --resume"
        )
    beside = folder / case.site
    site = load_site(request.site or (str(beside) if beside.is_file() else case.site))
    if isinstance(site, LightingSite):
        if case.signal is not None:
            raise InputError(f"{origin}: $.signal: the lit path {site.name} has no signal; name a display's site")
        outcome, log = replay_lit_path.replay(request, site, progress, case=case, origin=origin)
        assert log is not None
    else:
        if case.signal is None:
            raise InputError(f"{origin}: $.signal: a case on the display site {site.name} needs a signal programme")
        _only_lit_paths(request, f"{site.name} is a display")
        if request.range_m is not None:
            raise InputError(f"--range-m is for lit paths; {site.name} is a display and has no radar")
        outcome, log = replay_display.replay_case(case, folder.name, site, request, progress, origin)
    window = request.window and case.window is not None
    reference = folder / ("reference-window.txt" if window else "reference.txt")
    if request.update_reference:
        show_difference(_against(reference, case, outcome, log, request), reference)
        periods = dict.fromkeys(sorted({sent.wire.partition("/")[0] for sent in log.sent}), _period_ms(log))
        digest = outcome.result.digest
        write_reference(reference, log.sent, case=folder.name, periods_ms=periods, digest=digest)
    outcome = _against(reference, case, outcome, log, request)
    if window or (request.seconds is not None and request.seconds < case.seconds):
        return outcome  # promises are made for the whole case
    return judged_beside(case, outcome, log)


def _period_ms(log: SentLog) -> int:
    return log.period_ns // NS_PER_MS


def _against(reference: Path, case: Case, outcome: Outcome, log: SentLog, request: Request) -> Outcome:
    if not reference.exists():
        return outcome
    try:
        found = load_reference(reference)
    except NewerFormat as error:
        return settled(blocked(outcome, str(error)))
    expected = [sent for sent in found.sent if sent.t_ns >= log.from_ns]
    if request.seconds is not None:
        until_ns = round(request.seconds * NS_PER_S)
        expected = [sent for sent in expected if sent.t_ns < until_ns]
    contents: dict[str, Content] = {sent.wire: content_of(sent.wire) for sent in expected}
    tolerance = msgspec.structs.replace(case.tolerance, contents={**contents, **case.tolerance.contents})
    return _compared(outcome, expected, log, tolerance, request, found.digest)


def _compared(
    outcome: Outcome, expected: list[Sent], log: SentLog, tolerance: Tolerance, request: Request, made: str = ""
) -> Outcome:
    """As the bench can: to the byte and tick in process, within its slack in real time."""
    if request.bench == "in-process":
        return _judged(outcome, compare(expected, log.sent, tolerance), log, made)
    from hil.replay_real_time import judged_in_real_time

    verdict, doubt = judged_in_real_time(request, expected, log, tolerance, outcome.result.span_s)
    outcome = _judged(outcome, verdict, log, made)
    if not doubt:
        return outcome
    result = msgspec.structs.replace(outcome.result, verdict="blocked", blocked=(doubt,))
    return msgspec.structs.replace(outcome, result=result)


def _judged(outcome: Outcome, verdict: Verdict, log: SentLog, made: str) -> Outcome:
    """`made`: digest of the run that made the reference, where it is known."""
    verdict = with_context(verdict, log, outcome.result.digest, made)
    return judged(outcome, verdict)
