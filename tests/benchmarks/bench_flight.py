"""What a flight recorder costs: time on the loop's thread, time of its worker, bytes a day; kills and power cuts.

The named peer is the same loop with the same records to come and no recorder, in the same run. Boards and peers live in
virtual time, so the shares are of the time that the board would have taken.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from controllers.service.flight_recorder import FILE_MINUTES, TURN_S
from drivers.clock import SystemClock, cpu_time_ns
from drivers.recording.ring import ring_files
from drivers.units import NS_PER_S

sys.path.insert(0, str(Path(__file__).parents[1] / "rigs"))  # as pytest does

from flight_kills import kill_many
from flight_rig import IDLE, Flight, messages, riders
from power_cut import cut_many, record

ROUNDS = 9
LATE_ROUNDS, LATE_TICKS = 3, 500
CUTS = 40
KILLS = 4
SECONDS = 120.0
DAY_S = 86_400

Coming = Sequence[tuple[int, str, bytes]]


def run(kills: int | None = None) -> dict[str, Any]:
    """Best of nine rounds each, in processor time; `kills` as many kills and twice as many power cuts."""
    quiet = [(t_ns, wire, IDLE) for t_ns, wire, _ in riders(SECONDS)]
    boards: dict[str, tuple[Coming, dict[str, Any]]] = {
        "lamp_quiet": (quiet, {}),
        "lamp_busy": (riders(SECONDS), {}),
        "leezenflow": (messages(SECONDS), {"site": "leezenflow-hoerstertor", "controller": None}),
    }
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (coming, options) in boards.items():
            found |= {f"{name}_{key}": value for key, value in _board(Path(folder) / name, coming, options).items()}
        found |= _calls(Path(folder) / "calls")
        found |= _lateness(Path(folder) / "late")
        found |= _kills(Path(folder) / "kills", kills or KILLS)
        found |= _cuts(Path(folder) / "cuts", kills or CUTS)
    return found


def _board(folder: Path, coming: Coming, options: dict[str, Any]) -> dict[str, Any]:
    """One board with and without its recorder."""
    plain_ns, flown_ns, worker_ns, snapshot_ns = [], [], [], []
    records = file_b = 0
    for number in range(ROUNDS):
        for recorded in (False, True):
            flight = Flight(folder / f"{number}", coming, **options)
            spent = _Spent(flight.wires.turn if recorded else flight.recorder._queue.clear)
            flight.wires.turn = spent
            if not recorded:
                _silence(flight)
            gc.collect()
            start_ns = cpu_time_ns()
            flight.loop.run(_until(flight))
            taken_ns = cpu_time_ns() - start_ns - spent.ns
            if not recorded:
                plain_ns.append(taken_ns)
                continue
            flown_ns.append(taken_ns)
            worker_ns.append(spent.ns)
            start_ns = cpu_time_ns()
            flight.recorder._snapshot(flight.clock.now_ns())
            snapshot_ns.append(cpu_time_ns() - start_ns)
            flight.recorder.close()
            file_b = ring_files(folder / f"{number}")[0].size_b
            records = spent.records(flight)
    period_ns = flight.controller.cycle.period_ns
    added_ns = min(flown_ns) - min(plain_ns)
    periods = SECONDS * NS_PER_S / period_ns
    raw_b = sum(len(data) for _, _, data in coming)
    Flight(folder / "opening", **options).run(TURN_S)
    opening_b = ring_files(folder / "opening")[0].size_b
    day_b = (file_b - opening_b) / SECONDS * DAY_S + opening_b * DAY_S / (60 * FILE_MINUTES)
    return {
        "loop_us_a_period": min(plain_ns) / periods / 1e3,
        "added_us_a_period": added_ns / periods / 1e3,
        "added_us_a_record": added_ns / records / 1e3,
        "added_percent_of_period": 100 * added_ns / (SECONDS * NS_PER_S),
        "snapshot_us": min(snapshot_ns) / 1e3,
        "worker_percent_of_a_core": 100 * min(worker_ns) / (SECONDS * NS_PER_S),
        "records_a_second": records / SECONDS,
        "raw_mb_a_day": raw_b / SECONDS * DAY_S / 1e6,
        "mb_a_day": day_b / 1e6,
        "file_opens_with_b": opening_b,
    }


class _Spent:
    """The worker's turn, timed."""

    def __init__(self, turn: Callable[[], None]) -> None:
        self.ns, self._turn = 0, turn

    def __call__(self) -> None:
        start_ns = cpu_time_ns()
        self._turn()
        self.ns += cpu_time_ns() - start_ns

    def records(self, flight: Flight) -> int:
        """How many records the flight made."""
        from drivers.recording.reader import TraceReader

        return sum(1 for file in ring_files(flight.folder) for _ in TraceReader(file.path).events())


def _silence(flight: Flight) -> None:
    """Take the recorder out of the loop, and the taps off the wires."""
    flight.loop._flight = None
    for link in flight.controller.board.links.values():
        inner = link._inner  # type: ignore[attr-defined]
        inner.receiver, inner.repeat_receiver = link.receiver, link.repeat_receiver
        link.write = inner.write  # type: ignore[method-assign]


def _until(flight: Flight) -> Callable[[], bool]:
    end_ns = flight.start_ns + round(SECONDS * NS_PER_S)
    return lambda: flight.clock.now_ns() >= end_ns


def _calls(folder: Path) -> dict[str, Any]:
    """One call each, best of nine rounds of ten thousand."""
    clock = SystemClock()
    flight = Flight(folder)
    recorder = flight.recorder
    data, calls = bytes(33_000), 10_000
    chunk = IDLE

    def best(call: Callable[[int], None]) -> float:
        taken = []
        for _ in range(ROUNDS):
            recorder._queue.clear()
            recorder._put_b = recorder.writer.taken_b
            start_ns = clock.now_ns()
            for n in range(calls):
                call(n)
            taken.append(clock.now_ns() - start_ns)
        return min(taken) / calls / 1e3

    recorder._limit_b = recorder._queue_b = recorder._full_b = 1 << 40
    recorder._look_ns = recorder._file_due_ns = recorder._block_ns = 1 << 60
    return {
        "passed_10_bytes_us": best(lambda n: recorder.passed(0, False, chunk, n)),
        "passed_33_kb_us": best(lambda n: recorder.passed(0, False, data, n)),
        "observed_us": best(lambda n: recorder.observed(n, n, (), (), ())),
        "ticked_us": best(recorder.ticked),
    }


def _lateness(folder: Path) -> dict[str, Any]:
    """A loop of 10 ms in real time, with a busy board's records, and without; the worker in its thread beside it."""
    clock = SystemClock()
    late: dict[bool, list[int]] = {False: [], True: []}
    for number in range(2 * LATE_ROUNDS):
        recorded = bool(number % 2)
        recorder = Flight(folder / f"{number}").recorder
        recorder.close()
        cycle = Flight(folder / f"{number}").controller.cycle
        if recorded:
            recorder.open(cycle)
        due_ns = clock.now_ns()
        for tick in range(LATE_TICKS):
            due_ns += 10_000_000
            clock.sleep_until_ns(due_ns)
            late[recorded].append(clock.now_ns() - due_ns)
            for _ in range(4):
                recorder.passed(0, False, IDLE, due_ns)
            recorder.observed(tick, due_ns, (), (), ())
            recorder.ticked(due_ns)
            if not recorded:
                recorder._queue.clear()
        recorder.close()
    found = {}
    for recorded, name in ((False, "late_without"), (True, "late_with_recorder")):
        ordered = sorted(late[recorded])
        for share in (50, 99):
            found[f"{name}_p{share}_us"] = ordered[len(ordered) * share // 100] / 1e3
        found[f"{name}_most_us"] = ordered[-1] / 1e3
    return found


def _kills(folder: Path, kills: int) -> dict[str, Any]:
    folder.mkdir()
    killed = kill_many(folder, kills)
    return {
        "kills": kills,
        "kill_files_opened": sum(one.files for one in killed),
        "kill_records_kept": sum(one.records for one in killed),
        "kill_lost_ms_median": sorted(one.lost_ns for one in killed)[kills // 2] / 1e6,
        "kill_lost_ms_most": max(one.lost_ns for one in killed) / 1e6,
        "kill_stall_ms_most": max(one.stall_ns for one in killed) / 1e6,
    }


def _cuts(folder: Path, cuts: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for slow in (False, True):
        place = folder / f"{slow}"
        place.mkdir(parents=True)
        recorded = record(place / "ring", slow=slow)
        done = cut_many(recorded, place, cuts)
        name = "slow_cut" if slow else "cut"
        found |= {
            f"{name}s": cuts,
            f"{name}_operations": len(recorded.operations),
            f"{name}_files_opened": sum(one.files - one.headless for one in done),
            f"{name}_files_never_synced_headless": sum(one.headless for one in done),
            f"{name}_lost_s_median": sorted(one.lost_ns for one in done)[cuts // 2] / NS_PER_S,
            f"{name}_lost_s_most": max(one.lost_ns for one in done) / NS_PER_S,
        }
    return found
