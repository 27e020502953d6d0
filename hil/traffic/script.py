"""Riders written by hand, for cases: where they are and when, with stops and turns."""

from __future__ import annotations

from itertools import pairwise

import msgspec

from drivers.errors import InputError
from drivers.units import NS_PER_MS, NS_PER_S
from hil.traffic.rider import Rider, Segment


class Waypoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At `at_s` seconds of the case the rider is at `x_m` metres, e.g. ``{ at_s = 12.5, x_m = 64 }``."""

    at_s: float
    x_m: float


class ScriptedRider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rider written by hand: constant speed between waypoints. The same place twice is a stop; going back, a turn.

    In a case's TOML: ``[[riders]]`` with ``waypoints = [{ at_s = 0, x_m = -200 }, { at_s = 60, x_m = 160 }]``.
    """

    waypoints: list[Waypoint]
    lateral_m: float = 0
    name: str = ""


def scripted_rider(script: ScriptedRider, rider_id: int, place: str = "rider", origin_ns: int = 0) -> Rider:
    """The ride of `script`, second 0 of the case being `origin_ns`. Waypoints are met exactly, to the millimetre.

    A stretch whose speed is no whole number of mm/s is ridden at the next lower one first, the next higher one after.
    Raises InputError (named by `place`): fewer than two waypoints, times that do not rise, over 30 m/s.
    """
    points = [(origin_ns + round(p.at_s * 1000) * NS_PER_MS, round(p.x_m * 1000)) for p in script.waypoints]
    if len(points) < 2:
        raise InputError(f"{place}: a rider needs two waypoints or more, e.g. from at_s = 0 to at_s = 60")
    segments: list[Segment] = []
    for number, ((t0_ns, x0_mm), (t1_ns, x1_mm)) in enumerate(pairwise(points), start=1):
        lasts_ns = t1_ns - t0_ns
        if lasts_ns <= 0:
            raise InputError(f"{place}: waypoint {number + 1} is not later than waypoint {number}; let at_s rise")
        v_mm_s, rest_ns = divmod((x1_mm - x0_mm) * NS_PER_S, lasts_ns)
        if abs(v_mm_s) > 30_000:
            raise InputError(f"{place}: {v_mm_s / 1000:.0f} m/s to waypoint {number + 1}; 30 m/s is the most")
        segments.append(Segment(t0_ns, x0_mm, v_mm_s))
        if rest_ns:
            segments.append(Segment(t1_ns - rest_ns, x1_mm - (v_mm_s + 1) * rest_ns // NS_PER_S, v_mm_s + 1))
    return Rider(rider_id, tuple(segments), points[-1][0], round(script.lateral_m * 1000))
