"""The rules of a simulated adaptive signal: what it does, and what it knows of it beforehand. Drawn by a seed.

A crossing of a road (group 4) with a cycle track (group 7). One cycle is eight stages:

==  =============  ==================  ===========================================================================
0   4 red-amber    7 red               1 s
1   4 green        7 red               least to most; each car in the last 3 s keeps it for 3 s more
2   4 amber        7 red               3 s
3   4 red          7 red               1 s
4   4 red          7 red-amber         1 s
5   4 red          7 green             least to most; each bicycle in the last 2.5 s keeps it for 2.5 s more
6   4 red          7 amber             3 s
7   4 red          7 red               1 s
==  =============  ==================  ===========================================================================

* Detectors: in each second somebody comes with the programme's chance. Nobody else is looked at.
* Bus priority: about every four minutes a bus asks. The road's green then lasts 6 s more, up to 8 s past its most; the
  track's green ends 4 s later, but not before its least.
* Programmes: `day` until 20:00, `evening` from then on; changed where a cycle begins.
* Night: from 23:00 to 05:00, from where a cycle begins, the signal is off (dark, standbyOperation).
* Failure: one in ten minutes, at any moment: flashing amber and failureFlash for 45 s, then the cycle begins anew.

Everything follows from seed and time; stages are worked out in order and kept for an hour.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

import msgspec

from hil.traffic.chance import between, draw

ROAD, TRACK = 4, 7
DARK, RED, RED_AMBER, GREEN, AMBER, FLASHING = 1, 3, 4, 6, 8, 9
STAGES = ((4, 3), (6, 3), (8, 3), (3, 3), (3, 4), (3, 6), (3, 8), (3, 3))
"""(state of the road, state of the track) by stage."""
FIXED_MS = (1000, 0, 3000, 1000, 1000, 0, 3000, 1000)
ROAD_GREEN, TRACK_GREEN = 1, 5
OFF, FAILED = 8, 9

_CAR_GAP_MS, _BICYCLE_GAP_MS = 3000, 2500
_BUS_EVERY_S = 240
_BUS_HOLDS_MS, _BUS_PAST_MOST_MS, _BUS_CUTS_MS = 6000, 8000, 4000
_FAILED_MS = 45_000
_FAILURE_EVERY_MS = 600_000
_DAY_MS = 86_400_000
_EVENING_MS, _NIGHT_MS, _MORNING_MS = 20 * 3_600_000, 23 * 3_600_000, 5 * 3_600_000
_CAR, _BICYCLE, _BUS, _FAILURE = 1, 2, 3, 4
_MOST_STAGES = 4096


class Timing(msgspec.Struct, frozen=True):
    """A programme: least and most of both greens in ms, and the chance in per cent that somebody comes in a second."""

    road_ms: tuple[int, int]
    track_ms: tuple[int, int]
    car_pct: int
    bicycle_pct: int


DAY = Timing((18_000, 40_000), (8_000, 20_000), 35, 25)
EVENING = Timing((10_000, 24_000), (6_000, 12_000), 18, 15)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the rules are in force. `start_ms`: local time of day at the simulation's 0, e.g. 71_400_000 (19:50)."""

    seed: int = 0
    start_ms: int = 71_400_000
    buses: bool = True
    night: bool = True
    failures: bool = False


class Stage(msgspec.Struct, frozen=True, gc=False):
    """Stage `kind` of a cycle. It was to end at `planned_ms` and did at `end_ms`: a failure does not ask."""

    kind: int
    start_ms: int
    planned_ms: int
    end_ms: int
    timing: Timing

    def state(self, group: int) -> int:
        """What `group` shows."""
        if self.kind == OFF:
            return DARK
        return FLASHING if self.kind == FAILED else STAGES[self.kind][group == TRACK]


class AdaptiveCourse:
    """What the crossing does, from the simulation's 0 on. Times are ms since then; ask forwards, or an hour back."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._stages: list[Stage] = []
        self._starts: list[int] = []

    def number_at(self, t_ms: int) -> int:
        """Place of the stage at `t_ms` for `stage`; good until the next call."""
        if len(self._stages) > _MOST_STAGES:
            del self._stages[: _MOST_STAGES // 2], self._starts[: _MOST_STAGES // 2]
        while not self._stages or self._stages[-1].end_ms <= t_ms:
            self._grow()
        return bisect_right(self._starts, t_ms) - 1

    def stage(self, number: int) -> Stage:
        """That stage."""
        while number >= len(self._stages):
            self._grow()
        return self._stages[number]

    def _grow(self) -> None:
        last = self._stages[-1] if self._stages else None
        start_ms = last.end_ms if last is not None else 0
        kind = 0 if last is None or last.kind in (7, OFF, FAILED) else last.kind + 1
        if last is not None and last.kind < OFF and last.end_ms < last.planned_ms:
            kind = FAILED
        timing = last.timing if last is not None and kind else self._programme(start_ms)
        planned_ms = start_ms + _FAILED_MS
        if kind == 0 and self._is_night(start_ms):
            kind = OFF
            planned_ms = start_ms + (_MORNING_MS - self.rules.start_ms - start_ms) % _DAY_MS
        elif kind in (ROAD_GREEN, TRACK_GREEN):
            planned_ms = self.known_end_ms(kind, start_ms, timing, None)
        elif kind < OFF:
            planned_ms = start_ms + FIXED_MS[kind]
        end_ms = planned_ms
        if kind < OFF:
            end_ms = self._failure_in(start_ms, planned_ms) or planned_ms
        self._stages.append(Stage(kind, start_ms, planned_ms, end_ms, timing))
        self._starts.append(start_ms)

    def _programme(self, t_ms: int) -> Timing:
        return EVENING if (self.rules.start_ms + t_ms) % _DAY_MS >= _EVENING_MS else DAY

    def _is_night(self, t_ms: int) -> bool:
        local_ms = (self.rules.start_ms + t_ms) % _DAY_MS
        return self.rules.night and not _MORNING_MS <= local_ms < _NIGHT_MS

    def _failure_in(self, from_ms: int, to_ms: int) -> int | None:
        if self.rules.failures:
            for block in range(from_ms // _FAILURE_EVERY_MS, to_ms // _FAILURE_EVERY_MS + 1):
                drawn = draw(self.rules.seed, _FAILURE, block)
                at_ms = block * _FAILURE_EVERY_MS + between(drawn, 600, 5400) * 100
                if from_ms < at_ms < to_ms:
                    return at_ms
        return None

    def known_end_ms(self, kind: int, start_ms: int, timing: Timing, now_ms: int | None) -> int:
        """When a green ends by what has come until `now_ms`, None for all that ever comes."""
        road = kind == ROAD_GREEN
        least_ms, most_ms = timing.road_ms if road else timing.track_ms
        gap_ms = _CAR_GAP_MS if road else _BICYCLE_GAP_MS
        who, pct = (_CAR, timing.car_pct) if road else (_BICYCLE, timing.bicycle_pct)
        seed = self.rules.seed
        until_ms = start_ms + most_ms + _BUS_PAST_MOST_MS if now_ms is None else now_ms
        end_ms = start_ms + least_ms
        for at_ms in _arrivals(seed, who, start_ms, until_ms, lambda drawn: drawn % 100 < pct):
            if at_ms > end_ms:
                break
            end_ms = max(end_ms, min(at_ms + gap_ms, start_ms + most_ms))
        if not self.rules.buses:
            return end_ms
        for at_ms in _arrivals(seed, _BUS, start_ms, until_ms, lambda drawn: drawn % _BUS_EVERY_S == 0):
            if at_ms >= end_ms:
                break
            if road:
                latest_ms = start_ms + most_ms + _BUS_PAST_MOST_MS
                end_ms = max(end_ms, min(at_ms + _BUS_HOLDS_MS, latest_ms))
            else:
                return min(end_ms, max(start_ms + least_ms, at_ms + _BUS_CUTS_MS))
        return end_ms

    def bounds_ms(self, stage: Stage, now_ms: int) -> tuple[int, int]:
        """The least and the most that is sure of a running stage's end at `now_ms`."""
        if stage.kind not in (ROAD_GREEN, TRACK_GREEN):
            return stage.planned_ms, stage.planned_ms
        timing = stage.timing
        known_ms = self.known_end_ms(stage.kind, stage.start_ms, timing, now_ms)
        if stage.kind == ROAD_GREEN:
            past_ms = _BUS_PAST_MOST_MS if self.rules.buses else 0
            return known_ms, stage.start_ms + timing.road_ms[1] + past_ms
        if self.rules.buses:  # one may come and cut it
            known_ms = min(known_ms, max(stage.start_ms + timing.track_ms[0], now_ms + _BUS_CUTS_MS))
        return known_ms, stage.start_ms + timing.track_ms[1]

    def length_ms(self, stage: Stage) -> tuple[int, int]:
        """The least and the most that a stage to come may last."""
        if stage.kind == ROAD_GREEN:
            past_ms = _BUS_PAST_MOST_MS if self.rules.buses else 0
            return stage.timing.road_ms[0], stage.timing.road_ms[1] + past_ms
        if stage.kind == TRACK_GREEN:
            return stage.timing.track_ms
        return stage.planned_ms - stage.start_ms, stage.planned_ms - stage.start_ms


def _arrivals(seed: int, who: int, from_ms: int, to_ms: int, comes: Callable[[int], bool]) -> list[int]:
    """Those of `who` in a stretch, at tenths of a second."""
    found = []
    for second in range(from_ms // 1000, to_ms // 1000 + 1):
        drawn = draw(seed, who, second)
        if comes(drawn):
            at_ms = second * 1000 + (drawn >> 32) % 10 * 100
            if from_ms <= at_ms <= to_ms:
                found.append(at_ms)
    return found
