"""Driving a bench through its span: as fast as it goes or paced, with progress, hour by hour, with snapshots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from drivers.clock import SystemClock, cpu_time_ns
from drivers.errors import InputError
from drivers.units import NS_PER_S
from hil.benches.lit_path import LitPathBench
from hil.outcome import Progress, Request
from hil.report.lanes import Hour

HOUR_NS = 3600 * NS_PER_S
PACE_NS = NS_PER_S // 20
"""Step of a paced run, real time: twenty pictures a second."""


class Runnable(Protocol):
    """A bench that can be run to a time."""

    def run(self, until_ns: int) -> None:
        """Let everything happen before `until_ns`."""


class HourMeter:
    """Riders and energy of each hour, for the chart of long runs."""

    def __init__(self, bench: LitPathBench) -> None:
        self.hours: list[Hour] = []
        self._bench = bench
        self._last = (0, 0, 0)

    def mark(self, from_ns: int, now_ns: int) -> None:
        """An hour (or what is left of one) has ended."""
        bench = self._bench
        bench.ledger.advance(now_ns)
        energy = round(bench.ledger.figures().energy_wh * 1000)
        always = 0
        if bench.rules is not None:
            bench.rules.advance(now_ns)
            always = round(bench.rules.figures()["always_on"].energy_wh * 1000)
        riders = bench.traffic.count
        before = self._last
        self._last = (riders, energy, always)
        self.hours.append(
            Hour(from_ns, riders - before[0], energy - before[1], always - before[2] if bench.rules else None)
        )


class Drive:
    """Runs a bench as the request says; afterwards `wall_ns` and `cpu_ns` tell what it took."""

    def __init__(self, request: Request, progress: Progress) -> None:
        self._request, self._progress = request, progress
        self.wall_ns = self.cpu_ns = 0

    def run(
        self, bench: Runnable, span_ns: int, hours: HourMeter | None = None, take: Callable[[], bytes] | None = None
    ) -> None:
        """From where the bench stands to `span_ns`."""
        clock = SystemClock()
        request = self._request
        on_step = request.on_bench(bench, span_ns) if request.on_bench is not None else None
        begun_ns, cpu_ns = clock.now_ns(), cpu_time_ns()
        now_ns: int = getattr(getattr(bench, "bench", None), "now_ns", 0)
        first_ns = now_ns
        snapshot_ns = round(request.snapshot_at_s * NS_PER_S) if request.snapshot_at_s is not None else span_ns
        if first_ns >= span_ns:
            raise InputError(
                f"the snapshot stands at {first_ns / NS_PER_S:g} s, where this run has ended; let it be longer"
            )
        if not first_ns < snapshot_ns <= span_ns:
            raise InputError(
                f"--snapshot-at: choose a moment of the run, {first_ns / NS_PER_S:g} to {span_ns / NS_PER_S:g} s"
            )
        hour_from_ns = now_ns
        while now_ns < span_ns:
            step_ns = PACE_NS * request.speed if request.speed else HOUR_NS if on_step is None else span_ns // 8 + 1
            next_ns = min(span_ns, (now_ns // step_ns + 1) * step_ns)
            if now_ns < snapshot_ns <= next_ns:
                next_ns = snapshot_ns
            bench.run(next_ns)
            now_ns = next_ns
            if now_ns == snapshot_ns and take is not None and request.snapshot is not None:
                _write(request.snapshot, take())
            if hours is not None and (now_ns % HOUR_NS == 0 or now_ns == span_ns):
                hours.mark(hour_from_ns, now_ns)
                hour_from_ns = now_ns
            self._progress(now_ns, span_ns)
            if on_step is not None:
                on_step(now_ns)
            if request.speed:
                clock.sleep_until_ns(begun_ns + (now_ns - first_ns) // request.speed)
        self.wall_ns, self.cpu_ns = clock.now_ns() - begun_ns, cpu_time_ns() - cpu_ns


def read_snapshot(path: Path) -> dict[str, Any]:
    """A snapshot written by an earlier run. Raises InputError."""
    try:
        state = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: is no snapshot: {error}") from None
    if not isinstance(state, dict) or not isinstance(state.get("run"), dict):
        raise InputError(f"{path}: is no snapshot of a run; write one with --snapshot FILE --snapshot-at SECONDS")
    return state


def snapshot_bytes(state: dict[str, Any]) -> bytes:
    """A snapshot as it is written."""
    return msgspec.json.encode(state)


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
