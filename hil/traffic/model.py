"""How a recorded passage becomes a ride. **An assumption**: a loop tells a second, a direction and a rough speed.

The model, on purpose plain:
- the rider crosses the counter within the recorded second, at a fraction of it drawn from (seed, passage), with the
  recorded speed, and keeps that speed for one piece to either side;
- the ride goes from `start_mm` to `end_mm` (the other way round for direction -1) in pieces of `piece_min_ms` to
  `piece_max_ms`, each at a speed drawn evenly within `spread_permille` of the recorded one;
- between pieces the speed changes by at most `accel_mm_s2`, in steps of `step_ms`;
- nobody stops, turns or leaves between; cases with scripted riders are for that.

The counter's speeds take only the values floor(144/n) km/h (n = 2, 3, 4 ...: 72, 48, 36, 28, 24, 20, 18, 16, 14 ...),
so that a recorded 24 (n = 6) may have been anything from about 22 to 26. By default the recorded value is taken as the
truth; with `dither` the speed is drawn from its bin, 144/(n + 1/2) to 144/(n - 1/2), even in time over the loop.
"""

from __future__ import annotations

import msgspec

from drivers.errors import InputError
from drivers.units import NS_PER_MS, NS_PER_S
from hil.traffic.chance import between, draw
from hil.traffic.rider import Rider, Segment
from hil.traffic.ways import simulated

SLOWEST_KMH = 3
FASTEST_KMH = 100


class Passage(msgspec.Struct, frozen=True, gc=False):
    """One rider over the counter: UTC second since 1970, +1 (towards larger x, "in") or -1, km/h. E.g. 24.

    `kind` 0 is a recorded passage; the others are those of a simulated crowd (ways.py), and `utc_s` is their beginning.
    """

    utc_s: int
    direction: int
    speed_kmh: int
    kind: int = 0


class TrafficModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The numbers of the model; see the module's text. Defaults are the reference site's."""

    start_mm: int = -200_000
    counter_mm: int = 176_000
    end_mm: int = 552_000
    piece_min_ms: int = 3_000
    piece_max_ms: int = 8_000
    spread_permille: int = 150
    accel_mm_s2: int = 600
    step_ms: int = 400
    dither: bool = False

    def __post_init__(self) -> None:
        if not self.start_mm < self.counter_mm < self.end_mm:
            raise InputError("traffic model: the counter must stand between start_mm and end_mm")
        if not (0 < self.piece_min_ms <= self.piece_max_ms and 0 <= self.spread_permille <= 500):
            raise InputError("traffic model: 0 < piece_min_ms <= piece_max_ms and spread_permille 0 to 500")
        if self.accel_mm_s2 * self.step_ms < 1000:
            raise InputError("traffic model: accel_mm_s2 * step_ms must be 1000 or more (1 mm/s a step)")

    @property
    def longest_lead_ns(self) -> int:
        """No ride starts longer than this before its recorded second: the slowest rider over the longer way."""
        way_mm = max(self.counter_mm - self.start_mm, self.end_mm - self.counter_mm)
        slowest_mm_s = mm_s(SLOWEST_KMH) * (950 - self.spread_permille) // 1000  # 5 % for the dither
        return way_mm * NS_PER_S // slowest_mm_s + NS_PER_S


def mm_s(speed_kmh: int) -> int:
    """Kilometres an hour in millimetres a second, rounded. Example: 24 km/h are 6667 mm/s."""
    return (speed_kmh * 5000 + 9) // 18


def trajectory(passage: Passage, rider_id: int, seed: int, model: TrafficModel, origin_utc_ns: int = 0) -> Rider:
    """The ride of one recorded passage; its times count from `origin_utc_ns`. Same arguments, same ride, everywhere."""
    key = draw(seed, rider_id)
    if passage.kind:
        return simulated(passage, rider_id, key, model, origin_utc_ns)
    # 10 to 990 ms: the crossing stays within its second whatever the rounding of millimetres does.
    crossing_ns = passage.utc_s * NS_PER_S - origin_utc_ns + between(draw(key, 0), 10, 990) * NS_PER_MS
    speed_mm_s = _speed(passage.speed_kmh, draw(key, 1), model)
    way = passage.direction
    first_mm, last_mm = (model.start_mm, model.end_mm) if way > 0 else (model.end_mm, model.start_mm)

    segments: list[Segment] = []
    t_ns, x_mm = crossing_ns, model.counter_mm
    for lasts_ms, v_mm_s in pieces(speed_mm_s, abs(first_mm - x_mm), draw(key, 2), model):
        t_ns -= lasts_ms * NS_PER_MS
        x_mm -= way * v_mm_s * lasts_ms // 1000
        segments.append(Segment(t_ns, x_mm, way * v_mm_s))
    segments.reverse()

    t_ns, x_mm = crossing_ns, model.counter_mm
    for lasts_ms, v_mm_s in pieces(speed_mm_s, abs(last_mm - x_mm), draw(key, 3), model):
        segments.append(Segment(t_ns, x_mm, way * v_mm_s))
        t_ns += lasts_ms * NS_PER_MS
        x_mm += way * v_mm_s * lasts_ms // 1000
    # Riders keep to the right of a path 4 m wide, 0.3 to 1.5 m off its middle.
    return Rider(rider_id, tuple(segments), t_ns, -way * between(draw(key, 4), 300, 1500))


def _speed(recorded_kmh: int, bits: int, model: TrafficModel) -> int:
    """The true speed the model gives a recorded one, mm/s."""
    if not model.dither:
        return mm_s(recorded_kmh)
    low, high = 144 // (recorded_kmh + 1) + 1, 144 // recorded_kmh
    if low > high:  # no value of this counter
        return mm_s(recorded_kmh)
    return 40_000_000 // between(bits, low * 1000 - 500, high * 1000 + 499)  # 144 km/h are 40 m/s


def pieces(speed_mm_s: int, way_mm: int, key: int, model: TrafficModel) -> list[tuple[int, int]]:
    """(milliseconds, mm/s) from the counter outwards until `way_mm` is covered; the last one ends there."""
    step_ms, most_mm_s = model.step_ms, model.accel_mm_s2 * model.step_ms // 1000
    made: list[tuple[int, int]] = []
    v_mm_s, number = speed_mm_s, 0
    wanted_mm_s = speed_mm_s
    while way_mm > 0:
        if v_mm_s != wanted_mm_s:  # on the way to the next piece's speed
            v_mm_s += min(max(wanted_mm_s - v_mm_s, -most_mm_s), most_mm_s)
        if v_mm_s != wanted_mm_s:
            lasts_ms = step_ms
        else:
            bits = draw(key, number)
            number += 1
            lasts_ms = between(bits & 0xFFFF_FFFF, model.piece_min_ms, model.piece_max_ms)
            permille = between(bits >> 32, 1000 - model.spread_permille, 1000 + model.spread_permille)
            wanted_mm_s = max(speed_mm_s * permille // 1000, 1)
        if v_mm_s * lasts_ms >= way_mm * 1000:
            lasts_ms = -(-way_mm * 1000 // v_mm_s)
        made.append((lasts_ms, v_mm_s))
        way_mm -= v_mm_s * lasts_ms // 1000
    return made
