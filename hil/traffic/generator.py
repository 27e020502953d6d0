"""A simulated crowd for a lit path: passages drawn by seed from what the counters of the Kanalpromenade show.

**From the counters** (both files, 19 February to 17 March 2024; `leeze-hil traffic describe FILE` prints these of any
traffic file): riders by hour of the day, by day of the week, share up the path by hour, speeds, sizes of groups. The
tables below are those of Dingstiege, rounded to permille.

**Assumed**, because no counter sees it: who walks, stops, turns, leaves, joins, rides an e-bike; see ways.py. Their
shares are `Crowd`'s.

Within an hour the number of parties varies evenly by a third to either side, and each comes at any second alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

from hil.traffic.chance import between, draw
from hil.traffic.model import Passage
from hil.traffic.ways import CLUTTER, DOG, E_BIKE, JOINS, LEAVES, STOPS, TURNS, WALKER

ZONE = ZoneInfo("Europe/Berlin")
BY_HOUR = (3, 1, 1, 1, 1, 8, 22, 88, 52, 41, 48, 56, 64, 86, 95, 108, 107, 93, 62, 25, 13, 12, 9, 4)
"""Permille of a day's riders in each hour."""

BY_WEEKDAY = (761, 990, 991, 1162, 971, 916, 1212)
"""Monday to Sunday, permille of a mean day."""

UP_BY_HOUR = (49, 54, 36, 44, 39, 66, 71, 64, 69, 61, 57, 52, 47, 44, 44, 46, 45, 46, 47, 48, 46, 49, 38, 42)
"""Per cent that ride towards larger x ("in")."""

SPEEDS_KMH = ((24, 272), (20, 262), (18, 178), (16, 101), (28, 70), (14, 49), (13, 25), (12, 13), (36, 12), (11, 8))
"""Speed and its permille; what is left (10) rides at 10 km/h."""

GROUPS = ((1, 923), (2, 68), (3, 7))
"""Riders who pass within 3 s of each other, and permille of parties; what is left is four."""

Share = Annotated[int, msgspec.Meta(ge=0, le=1000)]


class Crowd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is on the path. Shares are permille of parties and assumed; `clutter_per_h`: false targets an hour, rain."""

    riders_a_day: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 1_100
    walkers: Share = 60
    dogs: Share = 20
    stops: Share = 10
    e_bikes: Share = 100
    leaves: Share = 20
    joins: Share = 20
    turns: Share = 5
    clutter_per_h: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0

    @property
    def kinds(self) -> tuple[tuple[int, int], ...]:
        """Kind and permille."""
        return (
            (WALKER, self.walkers),
            (DOG, self.dogs),
            (STOPS, self.stops),
            (E_BIKE, self.e_bikes),
            (LEAVES, self.leaves),
            (JOINS, self.joins),
            (TURNS, self.turns),
        )


def passages(first: date, days: int, crowd: Crowd, seed: int) -> Iterator[Passage]:
    """All passages of so many local days, in order of time; an hour that clocks skip has none."""
    for number in range(days):
        day = first + timedelta(days=number)
        for hour in range(24):
            begin_s = int(datetime.combine(day, time(hour), ZONE).timestamp())
            if datetime.fromtimestamp(begin_s, ZONE).hour == hour:
                yield from sorted(
                    _hour(begin_s, day, hour, crowd, seed), key=lambda one: (one.utc_s, one.kind, one.speed_kmh)
                )


def with_clutter(recorded: Iterable[Passage], per_h: int, seed: int) -> Iterator[Passage]:
    """The same passages, with `per_h` false targets in every hour, from the first passage on."""
    hour, begin_s, waiting = 0, 0, list[Passage]()
    for one in recorded:
        if not hour:
            hour, begin_s = one.utc_s // 3600, one.utc_s
        while hour <= one.utc_s // 3600:
            key = draw(seed, hour)
            for number in range(per_h):
                bits = draw(key, 4, number)
                waiting.append(Passage(hour * 3600 + bits % 3600, 1 if bits >> 40 & 1 else -1, 10, CLUTTER))
            waiting.sort(key=lambda ghost: -ghost.utc_s)
            hour += 1
        while waiting and waiting[-1].utc_s <= one.utc_s:
            ghost = waiting.pop()
            if ghost.utc_s > begin_s:
                yield ghost
        yield one
    yield from reversed(waiting)


def _hour(begin_s: int, day: date, hour: int, crowd: Crowd, seed: int) -> Iterator[Passage]:
    key = draw(seed, day.toordinal(), hour)
    millionths = crowd.riders_a_day * BY_HOUR[hour] * BY_WEEKDAY[day.weekday()] * between(draw(key, 0), 667, 1333)
    parties = _chanced(millionths * 1000 // _MEAN_GROUP, 1_000_000_000, draw(key, 1))
    for number in range(parties):
        yield from _party(begin_s, hour, crowd, draw(key, 2, number))
    for number in range(_chanced(crowd.clutter_per_h, 1, draw(key, 3))):
        bits = draw(key, 4, number)
        yield Passage(begin_s + bits % 3600, 1 if bits >> 40 & 1 else -1, 10, CLUTTER)


def _party(begin_s: int, hour: int, crowd: Crowd, key: int) -> Iterator[Passage]:
    """One rider or a few together, or somebody of another kind."""
    utc_s = begin_s + draw(key, 0) % 3600
    way = 1 if draw(key, 1) % 100 < UP_BY_HOUR[hour] else -1
    kind = _chosen(crowd.kinds, draw(key, 2), 0)
    if kind in (WALKER, DOG):
        yield Passage(utc_s, way, between(draw(key, 3), 4, 6), kind)
        return
    speed_kmh = 25 if kind == E_BIKE else _chosen(SPEEDS_KMH, draw(key, 3), 10)
    size = 1 if kind else _chosen(GROUPS, draw(key, 4), 4)
    for rider in range(size):
        yield Passage(min(utc_s + rider * (draw(key, 5, rider) % 3), begin_s + 3599), way, speed_kmh, kind)


def _chosen(table: tuple[tuple[int, int], ...], bits: int, otherwise: int) -> int:
    """An entry of a table of (value, permille)."""
    left = bits % 1000
    for value, permille in table:
        left -= permille
        if left < 0:
            return value
    return otherwise


def _chanced(count: int, of: int, bits: int) -> int:
    """``count / of`` as a whole number that is right in the mean."""
    whole, rest = divmod(count, of)
    return whole + (bits % of < rest)


_MEAN_GROUP = sum(size * permille for size, permille in GROUPS) + 4 * (1000 - sum(share for _, share in GROUPS))
"""Riders in a thousand parties."""
