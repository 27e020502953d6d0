"""What a run was asked to do, and what comes of it; shared by the three kinds of replay."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from hil.judge.evidence import SentLog
from hil.report.lanes import Lanes
from hil.report.result import RunResult

__all__ = ["BenchName", "OnBench", "OnController", "Outcome", "Progress", "Request", "SentLog"]

Progress = Callable[[int, int], None]
"""Called with (done, total) in virtual ns."""


BenchName = Literal["in-process", "process", "hardware"]
"""Where the board is; hil/benches/contract_bench.py."""

OnController = Callable[[Any, int], None]
"""Called with a slot of the in-process bench and the time whenever its controller has been built."""

OnBench = Callable[[Any, int], Callable[[int], None] | None]
"""Called with a bench that is about to start and its span in ns; gives what to call with the time as it runs."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One `leeze-hil replay`, as asked.

    `speed` is a multiple of real time, 0 for as fast as it goes. `skip` false runs every tick and writes every idle
    frame. `seconds` ends the run earlier. `snapshot` is written at `snapshot_at_s`; `resume` goes on from one.
    `on_bench` is told of the bench before it starts, for those who draw it.

    `bench` is where the board is, `rig` the rig file of a bench with hardware. `window` runs the case's window alone,
    as benches in real time do. `from_s` and `loop` are for traces in real time: begin there, play so many times over.
    `live` are DALI lines whose gateway answers for itself in a trace, in place of what was recorded.
    `faults` are given by hand, as `--fault` takes them; `plant` puts one into the controllers under test.
    `bench_of` makes the bench where its boards are not in process (hil.benches.in_process.BenchOf).
    """

    subject: str
    board: str | None = None
    site: str | None = None
    speed: int = 0
    skip: bool = True
    seed: int = 0
    seconds: float | None = None
    range_m: float | None = None
    record: Path | None = None
    report: Path | None = None
    junit: Path | None = None
    update_reference: bool = False
    rules: bool = True
    snapshot: Path | None = None
    snapshot_at_s: float | None = None
    resume: Path | None = None
    on_bench: OnBench | None = None
    bench: BenchName = "in-process"
    rig: Path | None = None
    window: bool = False
    from_s: float | None = None
    loop: int = 1
    live: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    plant: OnController | None = None
    bench_of: Callable[..., Any] | None = None

    @property
    def command(self) -> str:
        """The command that runs it again."""
        words = ["leeze-hil", "replay", self.subject]
        if self.bench != "in-process":
            words += ["--bench", self.bench]
        if self.rig is not None:
            words += ["--rig", str(self.rig)]
        for name in ("board", "site"):
            if getattr(self, name):
                words += [f"--{name}", getattr(self, name)]
        if self.seconds is not None:
            words += ["--seconds", f"{self.seconds:g}"]
        if self.seed:
            words += ["--seed", str(self.seed)]
        if self.range_m is not None:
            words += ["--range-m", f"{self.range_m:g}"]
        if self.window:
            words += ["--window"]
        for fault in self.faults:
            words += ["--fault", fault]
        for wire in self.live:
            words += ["--live", wire]
        if self.from_s is not None:
            words += ["--from-s", f"{self.from_s:g}"]
        if self.loop != 1:
            words += ["--loop", str(self.loop)]
        if self.bench != "in-process" and self.speed > 1:
            words += ["--speed", str(self.speed)]
        return shlex.join(words)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run gives: its result, what can be drawn, and the frames of the panel as PNG files' bytes."""

    result: RunResult
    lanes: Lanes | None = None
    last_frame: bytes | None = None
