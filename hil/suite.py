"""All cases one after the other, or several at a time in processes of their own, and one table of verdicts.

Benches in real time leave the processor mostly idle, so two cases at a time cost no accuracy on two processors. Each
runs as a process of its own, so that one that is interrupted puts its own things back.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from drivers.clock import SystemClock
from drivers.errors import BenchError, InputError
from drivers.units import NS_PER_MS, NS_PER_S
from hil.case import case_folder, load_case, nearest, shipped
from hil.outcome import BenchName, Request
from hil.report.result import RunResult

CASE_S = 180
"""A case that takes longer is ended: 60 s of play, and time to set up and to judge. Not in process."""

_LOOK_NS = 50 * NS_PER_MS
_END_S = 30.0


class SuiteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: `cases` by name or folder (empty: all shipped), `jobs` at a time, `reports` a folder for pages."""

    cases: tuple[str, ...] = ()
    bench: BenchName = "in-process"
    rig: Path | None = None
    jobs: int = 1
    reports: Path | None = None

    def request(self, case: str) -> Request:
        """One case's."""
        name = case.rstrip("/").rpartition("/")[2]
        report = None if self.reports is None else self.reports / f"{name}-{self.bench}.html"
        return Request(
            subject=case,
            bench=self.bench,
            rig=self.rig,
            report=report,
            window=self.bench != "in-process",
            rules=self.bench == "in-process",
        )


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, in the order of the cases."""

    bench: BenchName
    results: tuple[RunResult, ...]
    wall_s: float

    def count(self, verdict: str) -> int:
        """How many cases ended so."""
        return sum(result.verdict == verdict for result in self.results)

    @property
    def exit_code(self) -> int:
        """1 where a board failed, else 3 where the bench was at fault, else 0."""
        return 1 if self.count("failed") else BenchError.exit_code if self.count("blocked") else 0

    @property
    def summary(self) -> dict[str, str | int | float]:
        """The last object of ``suite --json``."""
        verdicts = ("passed", "failed", "blocked", "no-reference")
        return {"bench": self.bench, **{v: self.count(v) for v in verdicts}, "wall_s": round(self.wall_s, 1)}


def run_suite(asked: SuiteRequest, told: Callable[[RunResult], None]) -> Suite:
    """Run it; `told` hears of each result as it comes. Raises InputError."""
    cases = list(asked.cases or shipped())
    for case in cases:
        folder = case_folder(case)
        if folder is None:
            raise InputError(f"{case}: is no case; {nearest(case)}")
        load_case(folder)
    if asked.reports is not None and not asked.reports.is_dir():
        raise InputError(f"{asked.reports}: is no folder; make it first")
    if asked.bench == "hardware" and asked.jobs > 1:
        raise InputError("--jobs: a rig of hardware runs one case at a time")
    clock = SystemClock()
    begun_ns = clock.now_ns()
    found: dict[int, RunResult] = {}
    if asked.jobs == 1:
        from hil.replay import replay

        for number, case in enumerate(cases):
            found[number] = replay(asked.request(case), lambda done_ns, total_ns: None).result
            told(found[number])
    else:
        for number, result in _in_parallel(asked, cases, clock):
            found[number] = result
            told(result)
    return Suite(
        bench=asked.bench,
        results=tuple(found[number] for number in range(len(cases))),
        wall_s=(clock.now_ns() - begun_ns) / NS_PER_S,
    )


class _Job:
    """One case in a process of its own."""

    def __init__(self, number: int, asked: SuiteRequest, case: str, folder: Path, deadline_ns: int) -> None:
        self.number, self.case, self.deadline_ns, self._bench = number, case, deadline_ns, asked.bench
        self._result, self._log = folder / f"{number}.json", folder / f"{number}.log"
        one = msgspec.json.encode(msgspec.structs.replace(asked, cases=(case,), jobs=1)).decode()
        root = str(Path(__file__).parents[1])
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-m", "hil.suite", one, str(self._result)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])},
                start_new_session=True,
            )

    def end(self) -> None:
        """As Ctrl-C would; it puts its things back."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_END_S)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(_END_S)

    def result(self, why: str = "") -> RunResult:
        """What it left; blocked where it left nothing."""
        if self._result.exists():
            return msgspec.json.decode(self._result.read_bytes(), type=RunResult)
        said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
        reason = why or f"the run ended with {self.process.returncode} and no result: {' '.join(said)}"
        return RunResult(case=self.case, verdict="blocked", bench=self._bench, blocked=(reason,))


def _in_parallel(asked: SuiteRequest, cases: Sequence[str], clock: SystemClock) -> Iterator[tuple[int, RunResult]]:
    waiting = list(enumerate(cases))
    running: list[_Job] = []
    with tempfile.TemporaryDirectory(prefix="leeze-suite-") as place:
        try:
            while waiting or running:
                while waiting and len(running) < asked.jobs:
                    number, case = waiting.pop(0)
                    deadline_ns = clock.now_ns() + CASE_S * NS_PER_S
                    running.append(_Job(number, asked, case, Path(place), deadline_ns))
                clock.sleep_until_ns(clock.now_ns() + _LOOK_NS)
                for job in list(running):
                    late = asked.bench != "in-process" and clock.now_ns() >= job.deadline_ns
                    if late:
                        job.end()
                    if late or job.process.poll() is not None:
                        running.remove(job)
                        yield job.number, job.result(f"no end within {CASE_S} s" if late else "")
        finally:
            for job in running:
                job.end()


def one() -> None:
    """A process of the suite: the request as JSON, and where the result goes."""
    from hil.interrupts import interrupts_raise
    from hil.replay import replay

    asked = msgspec.json.decode(sys.argv[1], type=SuiteRequest)
    with interrupts_raise():
        outcome = replay(asked.request(asked.cases[0]), lambda done_ns, total_ns: None)
    part = Path(sys.argv[2] + ".part")
    part.write_bytes(msgspec.json.encode(outcome.result))
    part.replace(sys.argv[2])


if __name__ == "__main__":
    try:
        one()
    except (InputError, BenchError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
