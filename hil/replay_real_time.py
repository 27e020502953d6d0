"""A replay on a bench in real time: the bench is made, run, judged with its tolerance, and always put back.

What is wrong with the rig makes the verdict blocked, what is wrong with the board failed; neither raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from drivers.clock import SystemClock
from drivers.errors import InputError
from drivers.links.tap import Sink
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.contract_bench import Blocked, BoardDied, RealTimeBench, span_error
from hil.interrupts import interrupts_raise, no_interrupts
from hil.judge.alignment import Tolerance
from hil.judge.compare import Verdict
from hil.judge.real_time import judge, loosened
from hil.judge.reference import Sent
from hil.outcome import Outcome, Progress, Request, SentLog
from hil.report.result import Measurement, RunResult

MOST_SPAN_ERROR = 0.001
"""By how much a run may be longer than its span."""


def real_time(request: Request, progress: Progress, play: Callable[[Request], Outcome]) -> Outcome:
    """Run `play` with boards where the request has them; `play` gets the request with the bench in it.

    Raises InputError where the request does not fit such a bench.
    """
    _refuse(request)
    place = Place(request, progress)
    asked = msgspec.structs.replace(
        request,
        bench_of=place,
        skip=False,
        speed=0,
        window=True,
        rules=request.rules and request.report is not None,
    )
    clock = SystemClock()
    begun_ns = clock.now_ns()
    with interrupts_raise():
        try:
            outcome = play(asked)
        except Blocked as blocked:
            outcome = _ended(request, "blocked", (str(blocked),), clock.now_ns() - begun_ns)
        except BoardDied as died:
            outcome = _ended(request, "failed", (str(died),), clock.now_ns() - begun_ns)
        finally:
            with no_interrupts():
                for bench in place.made:
                    bench.close()
    return _measured(outcome, place.made[0], request) if place.made else outcome


class Place:
    """Makes the bench that a request asks for, and keeps hold of it. A hil.benches.in_process.BenchOf."""

    def __init__(self, request: Request, progress: Progress) -> None:
        self._make, self._speed, self._progress = _maker(request), request.speed or 1, progress
        self.made: list[RealTimeBench] = []

    def __call__(self, sink: Sink, *, skip: bool = True) -> RealTimeBench:
        """`skip` does not matter: real time has every frame."""
        bench = self._make(sink)
        bench.speed, bench.progress = self._speed, self._progress
        self.made.append(bench)
        return bench


def judged_in_real_time(
    request: Request, expected: list[Sent], log: SentLog, tolerance: Tolerance, span_s: float
) -> tuple[Verdict, str]:
    """The verdict, and a sentence where the bench is not certain enough for it."""
    place = request.bench_of
    assert isinstance(place, Place)
    bench = place.made[-1]
    messages = [f"{slot.name}/{wire}" for slot in bench.slots for wire in bench.messages(slot.name)]
    quiet = [re.escape(name) for name in bench.unjudged()]
    tolerance = loosened(tolerance, bench.slack_ns + bench.report_ns(), log.period_ns)
    tolerance = msgspec.structs.replace(tolerance, ignore=(*tolerance.ignore, *quiet))
    verdict, certain = judge(
        expected,
        log.sent,
        tolerance,
        end_ns=round(span_s * NS_PER_S),
        messages=messages,
        panels=[f"{slot.name}/{wire}" for slot in bench.slots for wire in bench.panels(slot.name)],
        lines=[f"{slot.name}/{wire}" for slot in bench.slots for wire in bench.lines(slot.name)],
        uncertainty_ns=bench.uncertainty_ns,
    )
    if certain:
        return verdict, ""
    off_ms = bench.uncertainty_ns / NS_PER_MS
    return verdict, (
        f"the verdict ({'passed' if verdict.passed else 'failed'}) hangs on less than the {off_ms:g} ms of which the "
        f"adapters are uncertain, with a tolerance of {tolerance.time_ms} ms; use better adapters, or a wider tolerance"
    )


def _maker(request: Request) -> Callable[[Sink], RealTimeBench]:
    if request.bench == "process":
        from hil.benches.process_bench import ProcessBench

        return ProcessBench
    from hil.benches.hardware_bench import HardwareBench
    from hil.rig.file import load_rig

    assert request.rig is not None
    return partial(HardwareBench, rig=load_rig(request.rig))


def _refuse(request: Request) -> None:
    name = f"--bench {request.bench}"
    if request.bench == "hardware" and request.rig is None:
        raise InputError(f"{name} needs --rig FILE; `leeze-hil rig example` prints one")
    if request.bench != "hardware" and request.rig is not None:
        raise InputError("--rig is for --bench hardware")
    for option, value in (
        ("--update-reference", request.update_reference),
        ("--snapshot", request.snapshot),
        ("--resume", request.resume),
    ):
        if value:
            raise InputError(f"{option} is for the bench in process; leave out {name}")


def _ended(request: Request, verdict: Any, why: tuple[str, ...], wall_ns: int) -> Outcome:
    """A run that did not come to its end."""
    name = request.subject.rstrip("/").rpartition("/")[2].removesuffix(".mcap")
    result = RunResult(
        case=name,
        verdict=verdict,
        wall_s=round(wall_ns / NS_PER_S, 3),
        bench=request.bench,
        command=request.command,
        blocked=why if verdict == "blocked" else (),
        broken=why if verdict == "failed" else (),
    )
    return Outcome(result=result)


def _measured(outcome: Outcome, bench: RealTimeBench, request: Request) -> Outcome:
    """The result with what the bench has measured, and how sure it is of itself."""
    result = outcome.result
    measured = list(bench.measurements())
    if bench.ended_ns:
        error = span_error(bench, round(result.span_s * NS_PER_S))
        measured.append(
            Measurement(
                "duration error", round(error * 100, 4), "%", 0, MOST_SPAN_ERROR * 100, error <= MOST_SPAN_ERROR
            )
        )
    blocked = result.blocked
    late_ns = max(bench.lateness.max_ns, bench.starved_ns(), bench.late_start_ns)
    if result.verdict == "failed" and late_ns > bench.slack_ns // 2 and not result.broken:
        blocked += (
            f"frames differ, and this machine kept rig or board waiting for up to {late_ns / NS_PER_MS:.0f} ms, more "
            f"than half of the {bench.slack_ns // NS_PER_MS} ms of slack; give it less to do and run it again",
        )
    return msgspec.structs.replace(
        outcome,
        result=msgspec.structs.replace(
            result,
            bench=request.bench,
            command=request.command,
            verdict="blocked" if blocked else result.verdict,
            blocked=blocked,
            lateness_us=bench.lateness.as_json() if bench.lateness.count else None,
            measurements=(*result.measurements, *measured),
            notes=(*result.notes, *bench.notes()),
        ),
    )
