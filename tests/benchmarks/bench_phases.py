"""Phases learnt from states alone (phases-hamburg), against three simple predictors learnt in the same run.

Wrong seconds in percent of all that were predicted, each file seen for the first time, from its first second:

ahead   every second of a cycle, predicted at its start: the last cycle repeated, the most frequent state at that
        second of the last 40 cycles, ours. The first cycle of each hour counts for none: it follows a week unseen
10 s    the state ten seconds on, renewed every second: a table (state, elapsed), ours

Then how often a promised end was true within a second, by the confidence it was promised with.
"""

from __future__ import annotations

import gzip
import json
import os
import tracemalloc
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter_ns

from controllers.greenwave.learning import PhaseLearner
from drivers.units import NS_PER_S

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
FOLDER = RECORDINGS / "phases-hamburg"
MOVEMENT = {1: 3, 2: 8, 3: 6, 4: 4}
"""Hamburg's codes as MovementPhaseState: red, amber, green, red-amber."""
AHEAD_S = 10
CONFIDENCES = (0, 50, 70, 80, 90, 95)

Hour = list[tuple[int, list[int]]]


def hours_of(path: Path) -> list[Hour]:
    """The hours of a file: (first second, states) of each cycle."""
    with gzip.open(path) as file:
        said = json.load(file)
    return [
        [(cut["Start"], [MOVEMENT[int(code)] for code in cut["Results"].strip("[]").split()]) for cut in hour]
        for hour in said["Cycles"]
    ]


def ends_of(states: list[int]) -> list[int | None]:
    """For each second the one at which its phase ends; None for the last phase."""
    ends: list[int | None] = [None] * len(states)
    for at in range(len(states) - 2, -1, -1):
        ends[at] = ends[at + 1] if states[at] == states[at + 1] else at + 1
    return ends


class File:
    """Counts of one file."""

    def __init__(self) -> None:
        self.ahead = self.near = 0
        self.repeat = self.frequent = self.ours_ahead = 0
        self.table = self.ours_near = 0
        self.feed_ns = self.seconds = self.forecast_ns = self.forecasts = 0
        self.promised: Counter[int] = Counter()
        self.kept: Counter[int] = Counter()
        self.within: Counter[bool] = Counter()

    def play(self, hours: list[Hour]) -> PhaseLearner:
        """All predictors over one file."""
        learner = PhaseLearner()
        last: list[int] = []
        cycles: deque[list[int]] = deque(maxlen=40)
        table: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
        for hour in hours:
            cuts = dict(_places(hour))
            states = [state for _, cycle in hour for state in cycle]
            ends = ends_of(states)
            first_s = hour[0][0]
            contexts: list[tuple[int, int]] = []
            for at, state in enumerate(states):
                if at in cuts:
                    if at:
                        self._cycle(learner, (first_s + at - 1) * NS_PER_S, cuts[at], last, cycles)
                    last = cuts[at]
                    cycles.append(last)
                now_ns = (first_s + at) * NS_PER_S
                began_ns = perf_counter_ns()
                learner.observe(now_ns, state)
                self.feed_ns += perf_counter_ns() - began_ns
                self.seconds += 1
                elapsed = contexts[-1][1] + 1 if contexts and contexts[-1][0] == state else 0
                contexts.append((state, elapsed))
                if at >= AHEAD_S:
                    table[contexts[at - AHEAD_S]][state] += 1
                if at + AHEAD_S < len(states):
                    came = states[at + AHEAD_S]
                    seen = table.get((state, elapsed))
                    self.table += (seen.most_common(1)[0][0] if seen else state) != came
                    likely = learner.likely(now_ns, AHEAD_S)
                    assert likely is not None
                    self.ours_near += likely[0] != came
                    self.near += 1
                end = ends[at]
                if at % 7 == 0 and end is not None:
                    self._promise(learner, now_ns, (first_s + end) * NS_PER_S)
        return learner

    def _cycle(
        self, learner: PhaseLearner, now_ns: int, cycle: list[int], last: list[int], cycles: deque[list[int]]
    ) -> None:
        for at, came in enumerate(cycle):
            self.ahead += 1
            self.repeat += last[min(at, len(last) - 1)] != came
            seen = Counter(each[at] for each in cycles if at < len(each))
            self.frequent += (seen.most_common(1)[0][0] if seen else last[-1]) != came
            likely = learner.likely(now_ns, at + 1)
            assert likely is not None
            self.ours_ahead += likely[0] != came

    def _promise(self, learner: PhaseLearner, now_ns: int, end_ns: int) -> None:
        began_ns = perf_counter_ns()
        forecast = learner.forecast(now_ns)
        self.forecast_ns += perf_counter_ns() - began_ns
        self.forecasts += 1
        if forecast is None or not forecast.phases:
            return
        phase = forecast.phases[0]
        level = max(each for each in CONFIDENCES if each <= phase.confidence_pct)
        self.promised[level] += 1
        self.kept[level] += abs(phase.end_ns - end_ns) <= NS_PER_S
        self.within[phase.early_ns <= end_ns <= phase.late_ns] += 1


def _places(hour: Hour) -> Iterator[tuple[int, list[int]]]:
    at = 0
    for _, cycle in hour:
        yield at, cycle
        at += len(cycle)


def _pct(wrong: int, of: int) -> float:
    return 100 * wrong / max(of, 1)


def run() -> dict[str, object]:
    """Medians over the files, also of every other file alone: whoever tunes on one half shall look at the other."""
    if not FOLDER.is_dir():
        return {"skipped": f"no recordings {FOLDER.name} (LEEZE_RECORDINGS)"}
    print("  file                          ahead: repeat  of 40    ours  ratio   10 s:  table    ours  ratio  cycle")
    files: list[File] = []
    for path in sorted(FOLDER.glob("*.json.gz")):
        file = File()
        learner = file.play(hours_of(path))
        files.append(file)
        print(
            f"  {path.name.removesuffix('.json.gz')[-34:]:34}"
            f"{_pct(file.repeat, file.ahead):9.2f}{_pct(file.frequent, file.ahead):8.2f}"
            f"{_pct(file.ours_ahead, file.ahead):8.2f}{file.ours_ahead / max(file.repeat, 1):7.3f}"
            f"{_pct(file.table, file.near):14.2f}{_pct(file.ours_near, file.near):8.2f}"
            f"{file.ours_near / max(file.table, 1):7.3f}{learner.figures()['cycle_s']:7d}",
            flush=True,
        )
    figures: dict[str, object] = {"files": len(files)}
    for name, some in (("", files), ("_even", files[::2]), ("_odd", files[1::2])):
        figures |= {
            f"ahead_repeat_wrong_pct{name}": median(_pct(f.repeat, f.ahead) for f in some),
            f"ahead_of_40_wrong_pct{name}": median(_pct(f.frequent, f.ahead) for f in some),
            f"ahead_ours_wrong_pct{name}": median(_pct(f.ours_ahead, f.ahead) for f in some),
            f"ahead_ours_to_repeat{name}": median(f.ours_ahead / max(f.repeat, 1) for f in some),
            f"near_table_wrong_pct{name}": median(_pct(f.table, f.near) for f in some),
            f"near_ours_wrong_pct{name}": median(_pct(f.ours_near, f.near) for f in some),
            f"near_ours_to_table{name}": median(f.ours_near / max(f.table, 1) for f in some),
            f"near_better_than_table{name}": f"{_count(f.ours_near < f.table for f in some)} of {len(some)}",
        }
    for low in CONFIDENCES:
        promised = _count(f.promised[low] for f in files)
        figures[f"kept_of_promised_from_{low}_pct"] = (
            f"{_pct(_count(f.kept[low] for f in files), promised):.1f} % of {promised}"
        )
    inside, outside = (_count(f.within[known] for f in files) for known in (True, False))
    figures["end_between_early_and_late_pct"] = _pct(inside, inside + outside)
    figures["observe_us_per_s"] = _count(f.feed_ns for f in files) / _count(f.seconds for f in files) / 1000
    figures["forecast_us"] = _count(f.forecast_ns for f in files) / _count(f.forecasts for f in files) / 1000
    return figures | _memory()


def _count(numbers: Iterator[int]) -> int:
    return sum(numbers)


def _memory() -> dict[str, object]:
    """What a learner holds after four hours, and how long its snapshot is."""
    hours = hours_of(min(FOLDER.glob("*.json.gz")))
    tracemalloc.start()
    try:
        learner = PhaseLearner()
        for hour in hours:
            for first_s, cycle in hour:
                for at, state in enumerate(cycle):
                    learner.observe((first_s + at) * NS_PER_S, state)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return {"held_kb": held / 1024, "snapshot_kb": len(json.dumps(learner.snapshot())) / 1024}


if __name__ == "__main__":
    for key, value in run().items():
        print(key, value)
