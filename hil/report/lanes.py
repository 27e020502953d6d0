"""What the pictures of a report show: plain values, cut to a window and thinned to a budget.

Times are monotonic nanoseconds of the run, positions millimetres or metres along the path. Everything is clipped to the
window first; what is then still too much is merged or thinned, and `Lanes.notes` tells the reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

NS_PER_HOUR = 3_600_000_000_000
T = TypeVar("T")

Window = tuple[int, int]
"""(t0_ns, t1_ns): from, until."""


class LampLane(msgspec.Struct, frozen=True):
    """A lamp at `x_m`. `segments` are (t0_ns, t1_ns, from_level, to_level) in order, arc power levels 0 to 254."""

    name: str
    x_m: float
    segments: Sequence[tuple[int, int, int, int]]


class RiderLane(msgspec.Struct, frozen=True):
    """A rider's way: (t_ns, x_mm) in order, straight in between."""

    points: Sequence[tuple[int, int]]
    name: str = "rider"


class RadarLane(msgspec.Struct, frozen=True):
    """A radar at `x_m` that looks up the path (`looks` +1) or down it (-1), as far as `range_m`, and its detections."""

    name: str
    x_m: float
    looks: int
    range_m: float
    hits: Sequence[tuple[int, int]] = ()


class HandoverLane(msgspec.Struct, frozen=True):
    """Messages from the controller at `from_x_m` to the one at `to_x_m`: (sent_ns, arrived_ns, text)."""

    name: str
    from_x_m: float
    to_x_m: float
    messages: Sequence[tuple[int, int, str]]


class SignalLane(msgspec.Struct, frozen=True):
    """A signal group: `spans` (t0_ns, t1_ns, state 0 to 9), `predicted` (t_ns, remaining_ms or None) from its feed.

    `own` is the group that the panel stands for: beside what its feed predicts, what then came true is drawn.
    """

    group: str
    spans: Sequence[tuple[int, int, int]]
    predicted: Sequence[tuple[int, int | None]] = ()
    own: bool = False


class PanelLane(msgspec.Struct, frozen=True):
    """A panel: `spans` (t0_ns, t1_ns, stage, remaining_ms at t0 or None), and pictures (t_ns, PNG bytes)."""

    spans: Sequence[tuple[int, int, str, int | None]]
    thumbnails: Sequence[tuple[int, bytes]] = ()
    name: str = "panel"


class WireLane(msgspec.Struct, frozen=True):
    """Frames on a wire: (t_ns, outward from the board, text)."""

    name: str
    marks: Sequence[tuple[int, bool, str]]


class Event(msgspec.Struct, frozen=True):
    """Something worth a line across the picture: a fault, a restart, the first divergence (`bad`)."""

    t_ns: int
    text: str
    bad: bool = False


class Hour(msgspec.Struct, frozen=True):
    """What one hour held. Energies in milliwatt hours; `always_on_mwh` None where not known."""

    t_ns: int
    riders: int
    energy_mwh: int
    always_on_mwh: int | None = None


class Lanes(msgspec.Struct, frozen=True, kw_only=True):
    """All lanes of a run.

    `utc_at_zero_ns` is the wall time (UTC since 1970) at monotonic zero, None where it is not known: then the axis
    counts from the start. `notes` say what was left out on the way here.
    """

    lamps: Sequence[LampLane] = ()
    riders: Sequence[RiderLane] = ()
    radars: Sequence[RadarLane] = ()
    handovers: Sequence[HandoverLane] = ()
    signals: Sequence[SignalLane] = ()
    panels: Sequence[PanelLane] = ()
    wires: Sequence[WireLane] = ()
    events: Sequence[Event] = ()
    hours: Sequence[Hour] = ()
    utc_at_zero_ns: int | None = None
    zone: str = "Europe/Berlin"
    notes: tuple[str, ...] = ()

    def timezone(self) -> ZoneInfo:
        """The zone of the axis; UTC where its name is not known."""
        try:
            return ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            return ZoneInfo("UTC")

    def span(self) -> Window:
        """From the first to the last thing in any lane; one second where there is nothing."""
        times = [t for lamp in self.lamps for t in _ends(lamp.segments)]
        times += [t for rider in self.riders for t in _edges(rider.points)]
        times += [t for radar in self.radars for t in _edges(radar.hits)]
        times += [t for signal in self.signals for t in (*_ends(signal.spans), *_edges(signal.predicted))]
        times += [t for panel in self.panels for t in (*_ends(panel.spans), *_edges(panel.thumbnails))]
        times += [t for wire in self.wires for t in _edges(wire.marks)]
        times += [event.t_ns for event in self.events]
        t0_ns, t1_ns = min(times, default=0), max(times, default=0)
        return t0_ns, t1_ns if t1_ns > t0_ns else t0_ns + 1_000_000_000


def _edges(items: Sequence[tuple[int, *tuple[object, ...]]]) -> tuple[int, ...]:
    return (items[0][0], items[-1][0]) if items else ()


def _ends(items: Sequence[tuple[int, int, *tuple[object, ...]]]) -> tuple[int, ...]:
    return (items[0][0], items[-1][1]) if items else ()


def choose_window(lanes: Lanes, longest_ns: int = NS_PER_HOUR) -> Window:
    """The part worth looking at: everything if it is short, else `longest_ns` from the first rider under a lit lamp.

    Falls back to the first rider, then to the start. Begins a fiftieth before, so that the approach is seen.
    """
    t0_ns, t1_ns = lanes.span()
    if t1_ns - t0_ns <= longest_ns:
        return t0_ns, t1_ns
    starts = sorted(rider.points[0][0] for rider in lanes.riders if rider.points)
    lit = sorted(span[:2] for lamp in lanes.lamps for span in lamp.segments if span[2] or span[3])
    first = _first_in(starts, lit)
    if first is None:
        first = starts[0] if starts else t0_ns
    begin_ns = max(t0_ns, min(first - longest_ns // 50, t1_ns - longest_ns))
    return begin_ns, begin_ns + longest_ns


def _first_in(starts: list[int], spans: list[tuple[int, int]]) -> int | None:
    """The first start that lies in any of the spans (both sorted by their beginning)."""
    i, until = 0, -1
    for start in starts:
        while i < len(spans) and spans[i][0] <= start:
            until = max(until, spans[i][1])
            i += 1
        if start < until:
            return start
    return None


def clip_fades(segments: Iterable[tuple[int, int, int, int]], window: Window) -> list[tuple[int, int, int, int]]:
    """Lamp segments inside the window; a fade that crosses its edge gets the level it has there."""
    begin, end = window
    found = []
    for t0, t1, low, high in segments:
        if t1 <= begin or t0 >= end or t1 <= t0:
            continue
        at, until = max(t0, begin), min(t1, end)
        first = low + (high - low) * (at - t0) // (t1 - t0)
        last = low + (high - low) * (until - t0) // (t1 - t0)
        found.append((at, until, first, last))
    return found


def merge_fades(segments: list[tuple[int, int, int, int]], limit: int) -> list[tuple[int, int, int, int]]:
    """At most `limit` segments: short neighbours become one, from the first's level to the last's."""
    if len(segments) <= limit:
        return segments
    shortest = max(1, (segments[-1][1] - segments[0][0]) // (2 * max(1, limit)))
    while len(segments) > limit and len(segments) > 1:
        merged = [segments[0]]
        for segment in segments[1:]:
            last = merged[-1]
            if segment[1] - last[0] < shortest:
                merged[-1] = (last[0], segment[1], last[2], segment[3])
            else:
                merged.append(segment)
        segments, shortest = merged, shortest * 2
    return segments


def clip_points(points: Sequence[tuple[int, int]], window: Window) -> list[tuple[int, int]]:
    """A straight-lined way inside the window, with the places where it enters and leaves."""
    begin, end = window
    found: list[tuple[int, int]] = []
    for (t0, x0), (t1, x1) in pairwise(points):
        if t1 <= begin or t0 >= end or t1 <= t0:
            continue
        at, until = max(t0, begin), min(t1, end)
        first = (at, x0 + (x1 - x0) * (at - t0) // (t1 - t0))
        if not found or found[-1] != first:
            found.append(first)
        found.append((until, x0 + (x1 - x0) * (until - t0) // (t1 - t0)))
    return found


def thin(items: Sequence[T], limit: int) -> Sequence[T]:
    """At most `limit` of `items`, evenly spread, the first among them."""
    if len(items) <= limit:
        return items
    return [items[i * len(items) // limit] for i in range(limit)] if limit > 0 else []
