"""How the frames of one wire find their partners.

Only frames that have not yet met theirs are held, at most `2 * WINDOW` a side. Where the two sequences part, the
nearest place where they meet again is looked for inside the window: what lies before it is missing, surplus, of another
value or at another time; then it goes on from there.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Literal

import msgspec

from hil.judge.readable import direct_level
from hil.judge.reference import Sent

WINDOW = 32
"""How many frames of one wire may be missing, surplus or changed in a row before the partners are guessed."""

Content = Literal["bytes", "dali", "panel"]
Kind = Literal["value", "time", "missing", "surplus"]


class ChannelTolerance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far apart frames may be on wires whose ``board/wire`` the regular expression `wires` matches whole.

    In place of the tolerance of the case, for all that is given here: ``ChannelTolerance("west/.*", time_ms=60)``.
    """

    wires: str
    ticks: int | None = None
    time_ms: int | None = None
    level: int | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.wires)
        except re.error as error:
            raise ValueError(f"wires: `{self.wires}` is no regular expression: {error}") from None


class Tolerance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far apart two frames may be and still be the same.

    `ticks` and `time_ms`: each that is given must hold; with neither, tick and time must be equal. `level`: arc power
    levels by which a direct level frame may differ on a wire whose content is "dali"; off (0) and stop (255) only equal
    themselves. `contents` names the content of ``board/wire``, "bytes" where it does not. `ignore` holds regular
    expressions; a wire that one of them matches whole is left out. `nothing_expected` says that silence is right:
    without it, a comparison over no expected frames fails. `channels`: others for some wires; the first that fits.
    Example: ``Tolerance(ticks=1, ignore=("east/.*",))``.
    """

    ticks: int | None = None
    time_ms: int | None = None
    level: int = 0
    contents: dict[str, Content] = {}
    ignore: tuple[str, ...] = ()
    nothing_expected: bool = False
    channels: tuple[ChannelTolerance, ...] = ()

    def on(self, wire: str) -> Tolerance:
        """The tolerance of one wire, without channels."""
        for channel in self.channels:
            if re.fullmatch(channel.wires, wire):
                timed = channel.ticks is not None or channel.time_ms is not None
                return msgspec.structs.replace(
                    self,
                    channels=(),
                    ticks=channel.ticks if timed else self.ticks,
                    time_ms=channel.time_ms if timed else self.time_ms,
                    level=self.level if channel.level is None else channel.level,
                )
        return self

    def wider(self, by_ms: int, period_ns: int) -> Tolerance:
        """The same in time alone, each wire's own with so many milliseconds more: for benches in real time."""

        def own_ms(ticks: int | None, time_ms: int | None) -> int:
            return time_ms or (ticks or 0) * (period_ns // 1_000_000)

        channels = tuple(
            msgspec.structs.replace(one, ticks=None, time_ms=own_ms(one.ticks, one.time_ms) + by_ms)
            if one.ticks is not None or one.time_ms is not None
            else one
            for one in self.channels
        )
        time_ms = own_ms(self.ticks, self.time_ms) + by_ms
        return msgspec.structs.replace(self, ticks=None, time_ms=time_ms, channels=channels)


Diverged = Callable[[Kind, Sent | None, Sent | None, Content], None]
"""Called with (kind, expected, got, content) for each frame or pair that does not agree."""


class Alignment:
    """The frames of one wire that have not met their partner yet. `same` counts those that have."""

    def __init__(self, wire: str, tolerance: Tolerance, diverged: Diverged) -> None:
        self.diverged = diverged
        self.expected: deque[Sent] = deque()
        self.got: deque[Sent] = deque()
        self.same = 0
        tolerance = tolerance.on(wire)
        self.content: Content = tolerance.contents.get(wire, "bytes")
        self.level = tolerance.level if self.content == "dali" else 0
        exact = tolerance.ticks is None and tolerance.time_ms is None
        self.ticks = 0 if exact else tolerance.ticks
        self.time_ns = 0 if exact else None if tolerance.time_ms is None else tolerance.time_ms * 1_000_000

    def add(self, from_expected: bool, sent: Sent) -> None:
        """One more frame; in a good run it meets its partner here."""
        mine, other = (self.expected, self.got) if from_expected else (self.got, self.expected)
        if other and not mine and self._agree(sent, other[0]):
            other.popleft()
            self.same += 1
            return
        mine.append(sent)
        if len(mine) >= WINDOW and (len(other) >= WINDOW or len(mine) >= 2 * WINDOW):
            self.settle(final=False)

    def settle(self, final: bool) -> None:
        """Compare what is held; to the end if `final`, else until a window is no longer full."""
        expected, got = self.expected, self.got
        while expected or got:
            if expected and got and self._agree(expected[0], got[0]):
                expected.popleft()
                got.popleft()
                self.same += 1
                continue
            longest = max(len(expected), len(got))
            if not final and (longest < WINDOW or (min(len(expected), len(got)) < WINDOW and longest < 2 * WINDOW)):
                return
            for side, count in zip((expected, got), self._explain(*self._stretch()), strict=True):
                for _ in range(count):
                    side.popleft()

    def _stretch(self) -> tuple[list[Sent], list[Sent], bool]:
        """What lies before the nearest agreeing pair in the window, and True; the whole window and False without."""
        expected, got = list(islice(self.expected, WINDOW)), list(islice(self.got, WINDOW))
        best: tuple[int, int] | None = None
        cost, first = len(expected) + len(got), 0
        for i, one in enumerate(expected):
            if i >= cost:
                break
            while first < len(got) and self._before(got[first], one):
                first += 1
            for j in range(first, len(got)):
                if i + j >= cost or self._before(one, got[j]):
                    break
                if self._agree(one, got[j]):
                    best, cost = (i, j), i + j
        if best is None and expected and got:
            # A full window before the other side begins is a gap, not 32 late frames.
            if len(expected) == WINDOW and self._before(expected[-1], got[0]):
                return expected, [], True
            if len(got) == WINDOW and self._before(got[-1], expected[0]):
                return [], got, True
            return expected, got, False
        if best is None:
            return expected, got, True
        return expected[: best[0]], got[: best[1]], True

    def _explain(self, expected: list[Sent], got: list[Sent], whole: bool) -> tuple[int, int]:
        """Say what each frame of a differing stretch is; how many of each side that settles.

        All of them if `whole`; else what is left of the longer side may still meet its partner.
        """
        diverged, content = self.diverged, self.content
        i = j = 0
        while i < len(expected) and j < len(got):
            one, other = expected[i], got[j]
            same_value, same_time = self._same_value(one, other), self._same_time(one, other)
            if same_value or same_time:
                diverged("time" if same_value else "value", one, other, content)
                i, j = i + 1, j + 1
            elif one.t_ns <= other.t_ns:
                diverged("missing", one, None, content)
                i += 1
            else:
                diverged("surplus", None, other, content)
                j += 1
        if not whole:
            return i, j
        for one in expected[i:]:
            diverged("missing", one, None, content)
        for other in got[j:]:
            diverged("surplus", None, other, content)
        return len(expected), len(got)

    def _agree(self, one: Sent, other: Sent) -> bool:
        return self._same_value(one, other) and self._same_time(one, other)

    def _same_time(self, one: Sent, other: Sent) -> bool:
        if self.ticks is not None and abs(one.tick - other.tick) > self.ticks:
            return False
        return self.time_ns is None or abs(one.t_ns - other.t_ns) <= self.time_ns

    def _before(self, one: Sent, other: Sent) -> bool:
        """`one` is so much earlier than `other` that they cannot be the same frame."""
        return one.t_ns < other.t_ns and not self._same_time(one, other)

    def _same_value(self, one: Sent, other: Sent) -> bool:
        if one.data == other.data:
            return True
        if not self.level:
            return False
        a, b = direct_level(one.data), direct_level(other.data)
        if a is None or b is None or a[0] != b[0] or {0, 255} & {a[1], b[1]}:
            return False
        return abs(a[1] - b[1]) <= self.level
