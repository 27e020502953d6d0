"""The timeline of the page: all strips over one axis, the events across them, and the key to their signs."""

from __future__ import annotations

from hil.report.drawing import GUTTER_PX, WIDTH, Strip, TimeAxis
from hil.report.escape import markup
from hil.report.figures import duration
from hil.report.lanes import Event, Lanes, Window, choose_window, thin
from hil.report.path_picture import path_strip
from hil.report.result import RunResult
from hil.report.signal_picture import signal_strip
from hil.report.wire_picture import wire_strip

MOST_EVENTS = 60


def timeline(result: RunResult, lanes: Lanes, window: Window | None, budget: int) -> str:
    """The section, "" without lanes. At most about `budget` SVG elements; `window` None means `choose_window`."""
    span = lanes.span()
    axis = TimeAxis(lanes, window or choose_window(lanes))
    strips: list[Strip] = []
    notes = list(lanes.notes)
    for wanted, draw, share in (
        (lanes.lamps or lanes.riders or lanes.radars, path_strip, 60),
        (lanes.signals or lanes.panels, signal_strip, 60 if not lanes.lamps else 20),
        (lanes.wires, wire_strip, 20),
    ):
        if wanted:
            strip, said = draw(lanes, axis, budget * share // 100)
            strips.append(strip)
            notes += said
    if not strips:
        return ""
    if (axis.t0_ns, axis.t1_ns) != span:
        shown, whole = (axis.t1_ns - axis.t0_ns) / 1e9, (span[1] - span[0]) / 1e9
        notes.insert(0, f"shown: {duration(shown)} of {duration(whole)}; figures and verdict are of the whole")
    events = _events(result, lanes, axis)
    for strip in strips:
        _mark(strip, events, named=strip is strips[0])
    listed = "".join(
        f"<li{' class=bad' if event.bad else ''}>{axis.moment(event.t_ns)} \u00b7 {markup(event.text)}</li>"
        for event in events
    )
    first_ms = (axis.t0_ns + axis.clock_shift_ns()) / 1e6
    wall = int(lanes.utc_at_zero_ns is not None)
    data = f'data-t0="{first_ms:.3f}" data-t1="{first_ms + (axis.t1_ns - axis.t0_ns) / 1e6:.3f}" data-wall="{wall}"'
    when = " ".join(
        filter(None, (axis.day(axis.t0_ns), f"{axis.moment(axis.t0_ns, 0)} to {axis.moment(axis.t1_ns, 0)}"))
    )
    when = markup(f"{when} ({axis.title})")
    return (
        f'<section class="lanes"><div class="head"><h2>Lanes</h2><p>{when}</p>{_TOOLS}</div>'
        f'{_key(lanes)}<div class="timeline" tabindex="0" role="region" aria-label="Timeline; plus and minus zoom, '
        f'arrows move" data-gutter="{GUTTER_PX}" data-zoom="1" {data}><div class="sheet">'
        f"{_ARROW}{''.join(strip.html() for strip in strips)}<div id=cross></div></div></div>"
        + (f'<ol class="events">{listed}</ol>' if listed else "")
        + "".join(f'<p class="note">{markup(note)}</p>' for note in notes)
        + "</section>"
    )


def _events(result: RunResult, lanes: Lanes, axis: TimeAxis) -> list[Event]:
    """Those in the window, the first divergence among them, by time."""
    events = list(thin([event for event in lanes.events if axis.holds(event.t_ns)], MOST_EVENTS))
    first = result.comparison.first if result.comparison else None
    if first is not None and axis.holds(first.t_ns):
        events.append(Event(first.t_ns, f"first divergence ({first.kind}) on {first.wire}", bad=True))
    return sorted(events, key=lambda event: event.t_ns)


def _mark(strip: Strip, events: list[Event], *, named: bool) -> None:
    """The events' lines through a strip; their numbers at the top of the first, where there is room."""
    free = 0.0
    for place, event in enumerate(events, 1):
        kind = "event-bad" if event.bad else "event"
        tip = f"{strip.axis.moment(event.t_ns)}\n{event.text}"
        strip.upright(event.t_ns, 14 if named else 0, strip.height_px, kind, tip)
        x = strip.axis.x(event.t_ns)
        if named and (event.bad or x >= free):
            strip.word(event.t_ns, 11, f"{place} first divergence" if event.bad else str(place), f"{kind}-name")
            free = x + WIDTH * (0.13 if event.bad else 0.02)


_TOOLS = (
    '<div class="tools"><output id="reading"></output><button data-by="0.5" aria-label="zoom out">\u2212</button>'
    '<span id="zoom"></span><button data-by="2" aria-label="zoom in">+</button><button data-by="0">all</button></div>'
)
_ARROW = (
    '<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs><marker id="arrow" viewBox="0 0 8 8" '
    'refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs></svg>'
)


def _key(lanes: Lanes) -> str:
    """What the signs mean: only those that occur."""
    signs = (
        (lanes.lamps, '<rect class="lamp" width="26" height="9" y="1.5"/>', "lamp, as bright as its light"),
        (lanes.riders, '<path class="rider up" d="M0 11L26 1"/>', "rider up the path"),
        (lanes.riders, '<path class="rider down" d="M0 1L26 11"/>', "rider down the path"),
        (lanes.radars, '<rect class="view" width="26" height="12" style="fill-opacity:.35"/>', "radar view"),
        (lanes.radars, '<path class="hit" d="M4 6h.01M13 6h.01M22 6h.01"/>', "detection"),
        (lanes.handovers, '<path class="arrow" d="M13 12V2m-3 4l3-4l3 4"/>', "handover"),
        (lanes.signals, '<path class="predicted" d="M0 1L26 11"/>', "remaining, as the feed predicts"),
        (
            any(signal.own for signal in lanes.signals),
            '<path class="true" d="M0 1L26 11"/>',
            "remaining, as it came true",
        ),
        (lanes.panels, '<path class="shown s-green-line" d="M0 1L26 11"/>', "remaining, as the panel shows"),
        (lanes.wires, '<path class="sent" d="M8 12V1m5 11V1m5 11V1"/>', "frame sent"),
        (lanes.wires, '<path class="heard" d="M8 12V1m5 11V1m5 11V1"/>', "frame heard"),
    )
    items = "".join(f'<li><svg aria-hidden="true">{sign}</svg>{text}</li>' for present, sign, text in signs if present)
    return f'<ul class="key">{items}</ul>'
