"""Rides of a simulated crowd, by kind: walkers, dogs, stops, turning back, turning off, bursts of speed, and clutter.

A recorded passage is kind 0 and is what model.py makes of it. The other kinds begin at their second, at an end of the
path (or where they join it), and are **assumptions**: the counters see bicycles cross one line, and nothing else.

| kind | name | what |
|---|---|---|
| 1 | walker | on foot at the row's speed, all the way |
| 2 | dog | on foot, standing for 5 to 30 s after each 40 to 150 m |
| 3 | stops | rides, brakes somewhere between the lamps, stands for 5 to 60 s, rides on |
| 4 | e-bike | rides at two thirds of the row's speed, then within seconds (1.2 m/s2) at the full one |
| 5 | leaves | turns off the path between the lamps |
| 6 | joins | comes onto the path between the lamps, from standing |
| 7 | turns | rides, stands for 2 to 20 s, rides back |
| 9 | clutter | nobody: rain, a branch, a bird in the view of a radar, for 0.3 to 2 s at 1 to 4 m/s |
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from drivers.units import NS_PER_MS, NS_PER_S
from hil.traffic.chance import between, draw
from hil.traffic.rider import Rider, Segment

if TYPE_CHECKING:
    from hil.traffic.model import Passage, TrafficModel

WALKER, DOG, STOPS, E_BIKE, LEAVES, JOINS, TURNS, CLUTTER = 1, 2, 3, 4, 5, 6, 7, 9
KINDS = {
    0: "rider",
    WALKER: "walker",
    DOG: "dog",
    STOPS: "stops",
    E_BIKE: "e-bike",
    LEAVES: "leaves",
    JOINS: "joins",
    TURNS: "turns",
    CLUTTER: "clutter",
}
BESIDE_MM = 200_000
"""The path goes on for so long before the first lamp and behind the last (traffic model)."""

_BIKE_MM_S2, _E_BIKE_MM_S2 = 800, 1_200
_STEP_MS = 400


class _Way:
    """A ride under construction."""

    def __init__(self, t_ns: int, x_mm: int, way: int) -> None:
        self.t_ns, self.x_mm, self.way = t_ns, x_mm, way
        self.segments: list[Segment] = []

    def piece(self, lasts_ms: int, v_mm_s: int) -> None:
        """So long at a speed."""
        if lasts_ms <= 0:
            return
        self.segments.append(Segment(self.t_ns, self.x_mm, self.way * v_mm_s))
        self.t_ns += lasts_ms * NS_PER_MS
        self.x_mm += self.way * v_mm_s * lasts_ms // 1000

    def go(self, to_mm: int, pieces: Iterable[tuple[int, int]]) -> None:
        """Pieces of ride towards a place, which the last one may miss by a few millimetres."""
        for lasts_ms, v_mm_s in pieces:
            if (to_mm - self.x_mm) * self.way <= 0:
                return
            self.piece(lasts_ms, v_mm_s)

    def change(self, from_mm_s: int, to_mm_s: int, accel_mm_s2: int) -> None:
        """Faster or slower, in steps."""
        step_mm_s = accel_mm_s2 * _STEP_MS // 1000
        v_mm_s = from_mm_s
        while v_mm_s != to_mm_s:
            v_mm_s += min(max(to_mm_s - v_mm_s, -step_mm_s), step_mm_s)
            if v_mm_s:
                self.piece(_STEP_MS, v_mm_s)

    def rider(self, rider_id: int, lateral_mm: int) -> Rider:
        """The finished ride."""
        return Rider(rider_id, tuple(self.segments), self.t_ns, lateral_mm)


def simulated(passage: Passage, rider_id: int, key: int, model: TrafficModel, origin_utc_ns: int) -> Rider:
    """The ride of a row of kind 1 and up. Same arguments, same ride, everywhere."""
    from hil.traffic.model import mm_s, pieces

    t_ns = passage.utc_s * NS_PER_S - origin_utc_ns + between(draw(key, 0), 10, 990) * NS_PER_MS
    first_lamp, last_lamp = model.start_mm + BESIDE_MM, model.end_mm - BESIDE_MM
    place_mm = between(draw(key, 1), first_lamp, max(last_lamp, first_lamp))
    way, v_mm_s, kind = passage.direction, mm_s(passage.speed_kmh), passage.kind
    if kind == CLUTTER:
        ghost = _Way(t_ns, between(draw(key, 1), first_lamp - 40_000, last_lamp + 40_000), way)
        ghost.piece(between(draw(key, 2), 300, 2_000), between(draw(key, 3), 1_000, 4_000))
        return ghost.rider(rider_id, between(draw(key, 4), -1_900, 1_900))
    first_mm, last_mm = (model.start_mm, model.end_mm) if way > 0 else (model.end_mm, model.start_mm)
    ride = _Way(t_ns, place_mm if kind == JOINS else first_mm, way)

    def on(to_mm: int, speed_mm_s: int, draws: int) -> None:
        ride.go(to_mm, pieces(speed_mm_s, abs(to_mm - ride.x_mm), draw(key, draws), model))

    if kind == DOG:
        for number in range(40):
            if (last_mm - ride.x_mm) * way <= 0:
                break
            leg_mm = between(draw(key, 10, number), 40_000, 150_000)
            to_mm = ride.x_mm + way * min(leg_mm, abs(last_mm - ride.x_mm))
            on(to_mm, v_mm_s, 20 + number)
            ride.piece(between(draw(key, 11, number), 5_000, 30_000), 0)
    elif kind == STOPS:
        on(place_mm, v_mm_s, 20)
        ride.change(v_mm_s, 0, _BIKE_MM_S2)
        ride.piece(between(draw(key, 2), 5_000, 60_000), 0)
        ride.change(0, v_mm_s, _BIKE_MM_S2)
        on(last_mm, v_mm_s, 21)
    elif kind == E_BIKE:
        slow_mm_s = v_mm_s * 2 // 3
        on(place_mm, slow_mm_s, 20)
        ride.change(slow_mm_s, v_mm_s, _E_BIKE_MM_S2)
        on(last_mm, v_mm_s, 21)
    elif kind == LEAVES:
        on(place_mm, v_mm_s, 20)
    elif kind == JOINS:
        ride.change(0, v_mm_s, _BIKE_MM_S2)
        on(last_mm, v_mm_s, 20)
    elif kind == TURNS:
        on(place_mm, v_mm_s, 20)
        ride.change(v_mm_s, 0, _BIKE_MM_S2)
        ride.piece(between(draw(key, 2), 2_000, 20_000), 0)
        ride.way = -way
        ride.change(0, v_mm_s, _BIKE_MM_S2)
        on(first_mm, v_mm_s, 21)
    else:
        on(last_mm, v_mm_s, 20)
    return ride.rider(rider_id, -way * between(draw(key, 4), 300, 1_500))
