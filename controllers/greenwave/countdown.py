"""When the signal changes, on our own clock: from the marks of a message to spans of red and green. Pure.

Which mark ends a phase (each stands on its own; one that contradicts the phases before it is not used):

=============  ====================================================================================
red            likely, else max. Min alone is a lower bound: the red is open, no time is promised
red-amber      likely, else max, else min (as red: the rider still waits)
green          likely, else min (what is guaranteed). Max alone promises nothing: unknown from here on
amber          likely, else min, else max
=============  ====================================================================================

Likely counts with enough confidence, or with none stated, and is kept between min and max where these are in order.
A mark up to one second before what it must follow is taken as that moment: messages and signals are not switched in
the same instant. Phases in state 0, 1, 2 or 9, and all after them, are unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from drivers.quantities import SignalPhase

RED, RED_AMBER = 3, 4
GREENS, AMBERS = (5, 6), (7, 8)
BLANK_STATUS = 1 << 1 | 1 << 2 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 13
"""stopTime, failureFlash, standby, failureMode, off, noValidSPAT. Never noValidMAP (12): some sites always set it."""

_TOLERANCE_MS = 1000


class Span(msgspec.Struct, frozen=True, gc=False):
    """A stretch of `go` or of waiting until `end_ns`; FOREVER_NS where the end is not known. It begins where the one
    before it ends. Not `told`: the colour is sure until `end_ns`, but nothing says that it ends there. `rest_ns`: so
    long it lasts from the message on at least, and who is told no more than that is not told wrong; 0: unknown.
    """

    go: bool
    end_ns: int
    told: bool = True
    rest_ns: int = 0


def marks_ms(
    phase: SignalPhase, not_before_ms: int = 0, min_confidence_pct: int = 50
) -> tuple[int | None, int | None, int | None]:
    """(min, max, likely) as far as each may be used; likely is kept between the others where these are in order."""
    least = _mark(phase.min_end_ms, not_before_ms)
    most = _mark(phase.max_end_ms, not_before_ms)
    likely = _mark(phase.likely_ms, not_before_ms)
    if phase.confidence_pct is not None and phase.confidence_pct < min_confidence_pct:
        likely = None
    if likely is not None and (least is None or most is None or least <= most):
        likely = likely if least is None else max(least, likely)
        likely = likely if most is None else min(most, likely)
    return least, most, likely


def end_ms(phase: SignalPhase, not_before_ms: int = 0, min_confidence_pct: int = 50) -> int | None:
    """The end of `phase` by the table above, ms from the message's own time; None where the marks do not say.

    Example: a red with min 11300, max 22300, likely 12300 (96 %) ends at 12300; with max alone at 22300.
    """
    least, most, likely = marks_ms(phase, not_before_ms, min_confidence_pct)
    return bound_ms(phase.state, least, most) if likely is None else likely


def bound_ms(state: int, least: int | None, most: int | None) -> int | None:
    """The end by the table above where there is no likely one."""
    if state == RED:
        return most
    if state == RED_AMBER:
        return least if most is None else most
    if state in AMBERS and least is None:
        return most
    return least


def _mark(mark_ms: int | None, not_before_ms: int) -> int | None:
    """As it counts: one that is a little early is moved, one that contradicts what is before it is none."""
    if mark_ms is None or mark_ms >= not_before_ms:
        return mark_ms
    return None if mark_ms < not_before_ms - _TOLERANCE_MS else not_before_ms


def span_at(spans: Sequence[Span], t_ns: int) -> Span | None:
    """The span that `t_ns` lies in; None past the last."""
    for span in spans:
        if t_ns < span.end_ns:
            return span
    return None
