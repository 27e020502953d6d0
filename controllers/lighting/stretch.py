"""The stretch of path a controller lights, seen along both directions of riding.

Everything is kept twice, once for each direction, in a coordinate `u_mm` that grows the way the rider rides (u = x
upwards, u = -x downwards); so the policy has one formula for both.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from controllers.lighting.site import ControllerSite, LightingSite, mm

FAR_MM = 1 << 40

SEEN_S = 0.3
"""How long a radar needs to show somebody twice, which makes a rider."""

FAST_MM_S = 10_000
"""36 km/h. Nobody says how fast a rider comes whom a silent neighbour would have announced."""


class RadarView:
    """What one radar sees: ``x_mm + sign * distance``, and along u for each direction where a rider leaves the view.

    `leave_u_mm[d]` is the end of the view riding in direction d (0 up, 1 down), `next_u_mm[d]` where after it somebody
    has to come into view again (FAR_MM: never).
    """

    __slots__ = ("leave_u_mm", "margin_mm", "next_u_mm", "range_mm", "sign", "x_mm")

    def __init__(self, x_mm: int, sign: int, range_mm: int) -> None:
        self.x_mm, self.sign, self.range_mm = x_mm, sign, range_mm
        self.margin_mm = range_mm // 4  # the edge of a view is never sharp
        low, high = sorted((x_mm, x_mm + sign * range_mm))
        self.leave_u_mm = (high, -low)
        self.next_u_mm = (FAR_MM, FAR_MM)


class Lane:
    """One direction: this controller's lamps along u, and the entries of all views of the site."""

    __slots__ = ("entries_u_mm", "lamps_u_mm", "masks", "sign")

    def __init__(self, sign: int, lamps_x_mm: Sequence[int], entries_u_mm: Sequence[int]) -> None:
        self.sign = sign
        order = sorted(range(len(lamps_x_mm)), key=lambda n: sign * lamps_x_mm[n])
        self.lamps_u_mm = [sign * lamps_x_mm[n] for n in order]
        self.masks = [0]
        """masks[k] has the bits of the first k lamps along u."""
        for n in order:
            self.masks.append(self.masks[-1] | 1 << n)
        self.entries_u_mm = sorted(entries_u_mm)

    def next_entry_u_mm(self, u_mm: int) -> int:
        """Where, beyond `u_mm`, a rider comes into some view; FAR_MM for nowhere."""
        at = bisect_left(self.entries_u_mm, u_mm)
        return self.entries_u_mm[at] if at < len(self.entries_u_mm) else FAR_MM


class Stretch:
    """One controller's part of a site: lamp names by bit, radars by name, both lanes, the neighbours' stretches."""

    def __init__(self, site: LightingSite, controller: ControllerSite) -> None:
        self.lamp_names = tuple(lamp.name for lamp in controller.lamps)
        self.lamps_x_mm = tuple(mm(lamp.x_m) for lamp in controller.lamps)
        spans: list[tuple[int, int]] = []
        for one in site.controllers:
            for radar in one.radars:
                x_mm, reach_mm = mm(radar.x_m), mm(radar.range_m) * (1 if radar.looks == "up" else -1)
                spans.append((min(x_mm, x_mm + reach_mm), max(x_mm, x_mm + reach_mm)))
        self.lanes = (
            Lane(1, self.lamps_x_mm, [low for low, _ in spans]),
            Lane(-1, self.lamps_x_mm, [-high for _, high in spans]),
        )
        self.views: dict[str, RadarView] = {}
        for radar in controller.radars:
            view = RadarView(mm(radar.x_m), 1 if radar.looks == "up" else -1, mm(radar.range_m))
            view.next_u_mm = (self._next(view, 0, spans), self._next(view, 1, spans))
            self.views[radar.name] = view
        self.neighbour_spans: dict[str, tuple[int, int]] = {}
        for device, name in controller.neighbours.items():
            lamps = [mm(lamp.x_m) for lamp in site.controller(name).lamps]
            self.neighbour_spans[device] = (min(lamps), max(lamps))

    def span_mm(self) -> tuple[int, int]:
        """From this controller's first lamp to its last."""
        return min(self.lamps_x_mm), max(self.lamps_x_mm)

    @staticmethod
    def _next(view: RadarView, direction: int, spans: Sequence[tuple[int, int]]) -> int:
        """After leaving `view`: the nearest place where another view covers the path; at once where views overlap."""
        leave = view.leave_u_mm[direction]
        best = FAR_MM
        for low, high in spans:
            entry, end = (low, high) if direction == 0 else (-high, -low)
            if end > leave:
                best = min(best, max(entry, leave))
        return best


def zones(site: LightingSite, controller: ControllerSite) -> dict[str, tuple[int, int]]:
    """For the last gate: which stretch is in doubt when a device of this controller is silent.

    A radar's zone is its view and `ahead_m` to both sides: the lamps that could be owed to somebody only it would see.
    A neighbour's zone is the neighbour's own stretch and `ahead_m`, for nobody would announce a rider from there; and
    of the own stretch all that is owed to a fast rider until an own radar has seen them and the lamps have risen.
    """
    light = site.light
    ahead_mm = mm(light.ahead_m)
    stretch = Stretch(site, controller)
    result: dict[str, tuple[int, int]] = {}
    for name, view in stretch.views.items():
        result[name] = (-view.leave_u_mm[1] - ahead_mm, view.leave_u_mm[0] + ahead_mm)
    unseen_mm = max(ahead_mm, round((light.ahead_s + light.rise_s + SEEN_S) * FAST_MM_S))
    first, last = stretch.span_mm()
    for device, (low, high) in stretch.neighbour_spans.items():
        from_mm, to_mm = low - ahead_mm, high + ahead_mm
        if low + high > first + last:  # who comes from there rides down
            sees_mm = max((view.leave_u_mm[0] for view in stretch.views.values()), default=first)
            from_mm = min(from_mm, sees_mm - unseen_mm)
        else:
            sees_mm = min((-view.leave_u_mm[1] for view in stretch.views.values()), default=last)
            to_mm = max(to_mm, sees_mm + unseen_mm)
        result[device] = (from_mm, to_mm)
    return result
