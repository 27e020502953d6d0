"""Order rules of a case: what has to pass before what, and what has to follow within which time.

::

    west/dali before west/neighbour
    west/dali~h04FE follows in:west/radar-1 within 400 ms
    east/dali follows first west/neighbour~.*rider.* within 200 ms

A channel is what the board sends on a wire; with ``in:`` what comes in on it. ``~`` and a regular expression without
blanks choose pieces by their text (printable ASCII) or, where they have none, by their hex. Wires are regular
expressions as well. Idle frames of radars do not count. ``before`` asks of the first of each; ``follows`` of each piece
after which there is time enough left in the run, ``follows first`` of the first alone. What never came proves nothing:
then the rule is broken.
"""

from __future__ import annotations

import re
from collections import deque

from drivers.codecs.ld2451 import IDLE_FRAME
from drivers.units import NS_PER_MS
from hil.judge.readable import readable

_RULE = re.compile(r"(\S+) (?:(before) (\S+)|follows( first)? (\S+) within (\d{1,7}) ms)")


class Channel:
    """Which pieces are meant, e.g. ``Channel("in:west/radar-1")``. Raises ValueError for what is no expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.outward = not text.startswith("in:")
        wire, _, piece = text.removeprefix("in:").partition("~")
        try:
            self._wire, self._piece = re.compile(wire), re.compile(piece) if piece else None
        except re.error as error:
            raise ValueError(f"`{error.pattern!s}` is no regular expression: {error}") from None

    def has(self, wire: str, outward: bool, data: bytes) -> bool:
        """Whether it is one of them."""
        if outward != self.outward or data == IDLE_FRAME or not self._wire.fullmatch(wire):
            return False
        return self._piece is None or bool(self._piece.fullmatch(readable(data) or data.hex()))


class OrderRule:
    """One rule, fed with every piece in the order of time. Raises ValueError for a rule that does not read."""

    def __init__(self, text: str) -> None:
        found = _RULE.fullmatch(text)
        if found is None:
            raise ValueError(f"order: `{text}`; expected `A before B` or `B follows [first] A within N ms`")
        first, before, second, once, cause, within_ms = found.groups()
        self.text = text
        self._one, self._other = Channel(first), Channel(second if before else cause)
        self._within_ns = None if before else int(within_ms) * NS_PER_MS
        self._once = bool(once)
        self._first_ns: list[int | None] = [None, None]
        self._open: deque[int] = deque()  # causes that wait for what has to follow
        self._broken = ""

    def passed(self, wire: str, outward: bool, data: bytes, t_ns: int) -> None:
        """A piece passes."""
        if self._within_ns is not None:
            self._expire(t_ns)
        for n, channel in enumerate((self._one, self._other)):
            if not channel.has(wire, outward, data):
                continue
            if n == 1 and self._within_ns is not None and not (self._once and self._first_ns[1] is not None):
                self._open.append(t_ns)
            elif n == 0:
                self._open.clear()
            if self._first_ns[n] is None:
                self._first_ns[n] = t_ns

    def _expire(self, now_ns: int) -> None:
        assert self._within_ns is not None
        if self._open and self._open[0] + self._within_ns < now_ns and not self._broken:
            self._broken = (
                f"{self._other.text} passed at {_seconds(self._open[0])}, "
                f"and {self._one.text} did not within {self._within_ns // NS_PER_MS} ms"
            )

    def verdict(self, end_ns: int) -> str:
        """ "" where it was kept; else why not, in one sentence."""
        one_ns, other_ns = self._first_ns
        if self._within_ns is None:
            if other_ns is None and one_ns is None:
                return self._said(f"neither {self._one.text} nor {self._other.text} passed")
            if other_ns is not None and (one_ns is None or one_ns >= other_ns):
                when = "never passed" if one_ns is None else f"passed at {_seconds(one_ns)}"
                return self._said(f"{self._other.text} passed at {_seconds(other_ns)}, {self._one.text} {when}")
            return ""
        self._expire(end_ns)
        if other_ns is None:
            return self._said(f"{self._other.text} never passed")
        return self._said(self._broken) if self._broken else ""

    def _said(self, why: str) -> str:
        return f"order broken: `{self.text}`: {why}"


def _seconds(t_ns: int) -> str:
    return f"second {t_ns // NS_PER_MS / 1000:.3f}"
