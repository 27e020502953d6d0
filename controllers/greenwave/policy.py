"""What a rider who passes the display now will meet at the stop line.

With ``normal`` and ``fast`` as riding times from display to stop line at the site's two speeds, at time t:

* GREEN while the signal is green at t + normal.
* HURRY while it is not, but is green at t + fast: only who rides fast gets through. So the yellow stage lasts
  normal - fast (120 m at 18 and 23 km/h: 5.2 s) before green turns red.
* RED while the signal is red at t + normal, until a rider at normal speed arrives at green.
* DARK in all other cases: the feed is silent or in doubt, the signal does not work, or what comes then is not known.

What is known, and which ends are told, is said in forecast. Where the end is not known there is no bar. The bar of
green runs on into yellow and is empty when even the fast are too late; that of red is empty when green is shown. Shown
time never rises within a stage: if the feed moves an end away the bar holds until the time left is its own again; one
that ran out rests empty while nobody knows when the stage ends. After `degrade_s` without message there is no bar and
no hurry, after `stale_s` nothing at all; nor is there while the controller's clock is not known to `max_error_ms`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from controllers.core.contract import Command, PanelFrame
from controllers.core.timebase import TimeBase
from controllers.greenwave.brightness import Brightness
from controllers.greenwave.countdown import BLANK_STATUS, Span, span_at
from controllers.greenwave.forecast import Outlook
from controllers.greenwave.picture import BAR_PX, HEIGHT_PX, WIDTH_PX, Aspect, Stage, frame_of
from controllers.greenwave.site import GreenwaveSite, to_ns
from drivers.errors import InputError
from drivers.quantities import DeviceHealth, Quantity, SignalState
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

_SAME_PHASE_NS = 5 * NS_PER_S
"""A stage that is back so soon has not been away: hardly a red or green is shorter."""
_DARK = Aspect(Stage.DARK, None, None)


class Bar(msgspec.Struct, frozen=True, gc=False):
    """The law of a bar on show: ``min(hold_ns, end_ns - t)`` is left at t, so it never rises.

    `go` tells green and yellow (one bar) from red; `hold_ns` is what was left when `end_ns` was learnt. One that rests
    stays at `hold_ns`, and `end_ns` is the least that was known.
    """

    go: bool
    end_ns: int
    hold_ns: int
    rests: bool = False

    def left_ns(self, now_ns: int) -> int:
        """What is shown at `now_ns`, nothing below zero."""
        return self.hold_ns if self.rests else max(0, min(self.hold_ns, self.end_ns - now_ns))


class GreenwavePolicy:
    """Implements Policy for one display. `aspect` is what the panel shall show since the last step, in words.

    Raises InputError for a panel of another size than the pictures are drawn for.
    """

    def __init__(self, site: GreenwaveSite, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> None:
        if (width_px, height_px) != (WIDTH_PX, HEIGHT_PX):
            raise InputError(
                f"site {site.name}: panel {site.panel} has {width_px} x {height_px} px; "
                f"the pictures are drawn for {WIDTH_PX} x {HEIGHT_PX}"
            )
        self.site = site
        self.wake_ns = 0
        self.aspect = _DARK
        self._normal_ns, self._fast_ns = site.normal_ns, site.fast_ns
        self._degrade_ns, self._stale_ns = to_ns(site.degrade_s), to_ns(site.stale_s)
        self._max_error_ns = site.max_error_ms * NS_PER_MS
        self._full_ns = to_ns(site.bar_full_s)
        self._clock = TimeBase(to_ns(site.clock_stall_s), site.transport_delay_ms * NS_PER_MS)
        self._outlook = Outlook(self._normal_ns, site.min_confidence_pct, site.learnt_pct, site.amber_is_green)
        self._spans: tuple[Span, ...] = ()
        self._heard_ns = 0
        self._light = Brightness(site)
        self._drawn: tuple[Stage, int | None, int] | None = None
        self._bar: Bar | None = None
        self._other: Bar | None = None  # of the kind shown before
        self._go: bool | None = None
        self._turned_ns = 0

    def step(self, inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        """A frame when the picture changes, else nothing."""
        if not inputs and now_ns < self.wake_ns:
            return ()
        site = self.site
        for value in inputs:
            self._light.hear(value)
            if isinstance(value, SignalState):
                if value.group == site.group and value.station == site.station and value.source == site.feed:
                    self._hear(value)
            elif isinstance(value, DeviceHealth) and value.source == site.feed and not value.ok:
                self._spans = ()
                self._clock.doubt()
                self._outlook.lose(value.t_ns)
        self._clock.forget_if_lost(now_ns)
        self.aspect, self.wake_ns = self._look(now_ns)
        if self._clock.phase_ns:
            self.wake_ns = min(self.wake_ns, self._clock.lost_at_ns)
        level = self._light.level(now_ns)
        self.wake_ns = min(self.wake_ns, self._light.wake_ns)
        if level == 0:  # too hot
            self.aspect = _DARK
        drawn = self.aspect.stage, self.aspect.bar_px, level if self.aspect.stage is not Stage.DARK else 0
        if drawn == self._drawn:
            return ()
        self._drawn = drawn
        return (PanelFrame(site.panel, frame_of(*drawn)),)

    def _hear(self, value: SignalState) -> None:
        """Take in one message about the signal group."""
        overtaken = self._clock.rejected.get("reordered", 0)
        written_ns = self._clock.written_ns(value.t_ns, value.message_ms)
        if self._clock.rejected.get("reordered", 0) != overtaken:
            return  # older than what is known: not even its status counts
        if value.status & BLANK_STATUS or not self._clock.trusted:
            self._spans = ()
            self._outlook.lose(value.t_ns)
        elif written_ns is not None:
            seen_ns = None if value.again else written_ns - value.behind_ms * NS_PER_MS
            self._spans = self._outlook.hear(value.phases, written_ns, seen_ns)
            self._heard_ns = value.t_ns

    def _look(self, now_ns: int) -> tuple[Aspect, int]:
        """What to show, and the first moment at which, without news, that picture may change."""
        stale_ns = min(self._heard_ns + self._stale_ns, self._clock.exceeds_at_ns(self._max_error_ns))
        if not self._spans or now_ns >= stale_ns:
            return _DARK, FOREVER_NS
        slow = span_at(self._spans, now_ns + self._normal_ns)
        wake_ns = stale_ns if slow is None else min(stale_ns, slow.end_ns - self._normal_ns)
        fast = None
        fresh = now_ns < self._heard_ns + self._degrade_ns
        if fresh:  # on old news nobody is hurried
            wake_ns = min(wake_ns, self._heard_ns + self._degrade_ns)
            fast = span_at(self._spans, now_ns + self._fast_ns)
            if fast is not None:
                wake_ns = min(wake_ns, fast.end_ns - self._fast_ns)
        if slow is not None and slow.go:
            stage, span, ahead_ns = Stage.GREEN, slow, self._fast_ns
        elif fast is not None and fast.go:
            stage, span, ahead_ns = Stage.HURRY, fast, self._fast_ns
        elif slow is not None:
            stage, span, ahead_ns = Stage.RED, slow, self._normal_ns
        else:
            return _DARK, wake_ns
        go = stage is not Stage.RED
        self._unbind(go, now_ns)
        if not fresh:
            return Aspect(stage, None, None), wake_ns
        bar = self._bar
        if not span.told:
            left_ns = span.rest_ns - ahead_ns
            if left_ns > 0:  # nobody knows the end, but it is not nearer than that: the bar rests
                left_ns = left_ns if bar is None else min(left_ns, bar.left_ns(now_ns))
                self._bar = Bar(go, now_ns + left_ns, left_ns, True)
                return Aspect(stage, left_ns // NS_PER_MS, self._px(left_ns)), wake_ns
            # a bar that had run out rests empty until the stage ends
            if bar is not None and self.aspect.bar_px is not None and bar.left_ns(now_ns) == 0:
                return Aspect(stage, 0, 0), wake_ns
            return Aspect(stage, None, None), wake_ns
        end_ns = span.end_ns - ahead_ns
        left_ns = end_ns - now_ns
        if bar is not None:
            left_ns = min(left_ns, bar.left_ns(now_ns))
        self._bar = Bar(go, end_ns, left_ns)
        bar_px = self._px(left_ns)
        if bar_px > 0:
            wake_ns = min(wake_ns, end_ns - (bar_px - 1) * self._full_ns // BAR_PX)
        return Aspect(stage, left_ns // NS_PER_MS, bar_px), wake_ns

    def _px(self, left_ns: int) -> int:
        """Height of the bar for `left_ns`: full from `bar_full_s` on, empty only at the end."""
        return min(BAR_PX, -(-left_ns * BAR_PX // self._full_ns))

    def _unbind(self, go: bool, now_ns: int) -> None:
        """Forget the last bar where it does not bind the next: it was of the other kind, or ran out in the dark. Down
        the road what comes may change its mind: a kind that is back at once is bound by its bar before.
        """
        if self._go is not None and go != self._go:
            back = self._other
            if now_ns - self._turned_ns >= _SAME_PHASE_NS or self._normal_ns < _SAME_PHASE_NS:
                back = None
            self._other, self._bar, self._turned_ns = self._bar, back, now_ns
        self._go = go
        bar = self._bar
        was_dark = self._drawn is None or self._drawn[0] is Stage.DARK
        if bar is not None and was_dark and now_ns >= bar.end_ns:
            self._bar = None

    @property
    def phase_ns(self) -> int:
        """Where the ticks shall stand within a tenth of a second: just behind the controller's own tenths, so that the
        display changes with the lamp. 0 to 99,999,999; 0 while it is not known.
        """
        return self._clock.phase_ns

    def figures(self, now_ns: int | None = None) -> dict[str, Any]:
        """For status and metrics, JSON-able. Without `now_ns` as of the newest message used: age 0, never holdover."""
        return {"feed": self._clock.figures(now_ns)}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "wake_ns": self.wake_ns,
            "aspect": msgspec.to_builtins(self.aspect),
            "clock": self._clock.snapshot(),
            "outlook": self._outlook.snapshot(),
            "spans": msgspec.to_builtins(self._spans),
            "heard_ns": self._heard_ns,
            "light": self._light.snapshot(),
            "drawn": None if self._drawn is None else [self._drawn[0].value, *self._drawn[1:]],
            "bar": msgspec.to_builtins(self._bar),
            "other": msgspec.to_builtins(self._other),
            "turned": [self._go, self._turned_ns],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns = state["wake_ns"]
        self.aspect = msgspec.convert(state["aspect"], Aspect)
        self._clock.restore(state["clock"])
        self._outlook.restore(state["outlook"])
        self._spans = msgspec.convert(state["spans"], tuple[Span, ...])
        self._heard_ns = state["heard_ns"]
        drawn = state["drawn"]
        self._drawn = None if drawn is None else (Stage(drawn[0]), drawn[1], drawn[2])
        self._light.restore(state["light"])
        self._bar = msgspec.convert(state["bar"], Bar | None)
        self._other = msgspec.convert(state["other"], Bar | None)
        self._go, self._turned_ns = state["turned"]
