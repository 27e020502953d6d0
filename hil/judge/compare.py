"""What was expected against what was sent: per wire, with tolerance, and the first place where they part.

Both sides are read once and in the order of time; only frames that have not yet met their partner are held (at most
`2 * WINDOW` a wire and side). Where a wire's two sequences part, the nearest place where they meet again is looked for
inside the window: what lies before it is missing, surplus, of another value or at another time; then comparing goes on.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Literal

import msgspec

from drivers.errors import InputError
from hil.judge.readable import direct_level, readable
from hil.judge.reference import Sent

WINDOW = 32
"""How many frames of one wire may be missing, surplus or changed in a row before the partners are guessed."""

Content = Literal["bytes", "dali", "panel"]
Kind = Literal["value", "time", "missing", "surplus"]


class Tolerance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far apart two frames may be and still be the same.

    `ticks` and `time_ms`: each that is given must hold; with neither, tick and time must be equal. `level`: arc power
    levels by which a direct level frame may differ on a wire whose content is "dali"; off (0) and stop (255) only equal
    themselves. `contents` names the content of ``board/wire``, "bytes" where it does not. `ignore` holds regular
    expressions; a wire that one of them matches whole is left out. `nothing_expected` says that silence is right:
    without it, a comparison over no expected frames fails. Example: ``Tolerance(ticks=1, ignore=("east/.*",))``.
    """

    ticks: int | None = None
    time_ms: int | None = None
    level: int = 0
    contents: dict[str, Content] = {}
    ignore: tuple[str, ...] = ()
    nothing_expected: bool = False


class Divergence(msgspec.Struct, frozen=True):
    """One place where the two sides part: another value, another time, a missing frame or a surplus one."""

    kind: Kind
    wire: str
    tick: int
    t_ns: int
    expected: Sent | None
    got: Sent | None
    content: Content = "bytes"

    def text(self) -> str:
        """Tick, time, wire, what was expected and what was sent, on three lines."""
        head = f"first divergence ({self.kind}) at tick {self.tick}, {_ms(self.t_ns)}, wire {self.wire}"
        return f"{head}\n  expected {self._side(self.expected)}\n  got      {self._side(self.got)}"

    def _side(self, sent: Sent | None) -> str:
        if sent is None:
            return "nothing"
        when = f" at tick {sent.tick}, {_ms(sent.t_ns)}" if (sent.tick, sent.t_ns) != (self.tick, self.t_ns) else ""
        meaning = readable(sent.data, self.content)
        return (sent.data.hex(" ") or "no bytes") + (f"  ({meaning})" if meaning else "") + when


class Verdict(msgspec.Struct, frozen=True):
    """What came of a comparison. `same` frames agreed; `differing`, `late_or_early`, `missing`, `surplus` did not.

    `reason` is one sentence for people; `first` the first divergence in time over all wires (None if there is none);
    `ignored` counts frames of both sides on ignored wires.
    """

    passed: bool
    reason: str
    first: Divergence | None
    same: int
    differing: int
    late_or_early: int
    missing: int
    surplus: int
    ignored: int

    @property
    def further(self) -> int:
        """Divergences after the first."""
        return max(0, self.differing + self.late_or_early + self.missing + self.surplus - 1)

    def text(self) -> str:
        """The reason and, where there is one, the first divergence with what was expected and got."""
        return f"{self.reason}\n{self.first.text()}" if self.first else self.reason

    def as_json(self) -> dict[str, Any]:
        """The `divergence` object of hil-result.schema.json; {} where nothing diverged."""
        first = self.first
        if first is None:
            return {}
        sides = {"expected": first.expected, "got": first.got}
        found: dict[str, Any] = {"kind": first.kind, "tick": first.tick, "t_ms": first.t_ns / 1e6, "wire": first.wire}
        for side, sent in sides.items():
            found[side] = None if sent is None else sent.data.hex()
            if sent is not None and (meaning := readable(sent.data, first.content)):
                found[f"{side}_text"] = meaning
        counts = {"differing": self.differing, "late_or_early": self.late_or_early}
        return {**found, **counts, "missing": self.missing, "surplus": self.surplus, "further": self.further}


def compare(expected: Iterable[Sent], got: Iterable[Sent], tolerance: Tolerance | None = None) -> Verdict:
    """Judge `got` by `expected`; both in the order of time (each wire's own order is what counts).

    Raises InputError for an `ignore` entry that is no regular expression.
    """
    return _Comparison(tolerance or Tolerance()).run(expected, got)


class _Comparison:
    """Sorts both streams to their wires and keeps the first divergence."""

    def __init__(self, tolerance: Tolerance) -> None:
        self.tolerance = tolerance
        self.wires: dict[str, _Wire | None] = {}
        self.first: Divergence | None = None
        self.counts: dict[Kind, int] = {"value": 0, "time": 0, "missing": 0, "surplus": 0}
        self.ignored = 0
        try:
            self.ignore = [re.compile(pattern) for pattern in tolerance.ignore]
        except re.error as error:
            raise InputError(f"ignore: `{error.pattern!s}` is no regular expression: {error}") from None

    def run(self, expected: Iterable[Sent], got: Iterable[Sent]) -> Verdict:
        expected_count = 0
        for from_expected, sent in _merged(expected, got):
            try:
                wire = self.wires[sent.wire]
            except KeyError:
                wire = self.wires[sent.wire] = self._wire(sent.wire)
            if wire is None:
                self.ignored += 1
                continue
            expected_count += from_expected
            wire.add(from_expected, sent)
        compared = [wire for wire in self.wires.values() if wire is not None]
        for wire in compared:
            wire.settle(final=True)
        return self._verdict(expected_count, sum(wire.same for wire in compared))

    def _wire(self, name: str) -> _Wire | None:
        if any(pattern.fullmatch(name) for pattern in self.ignore):
            return None
        return _Wire(name, self)

    def diverged(self, kind: Kind, expected: Sent | None, got: Sent | None, content: Content) -> None:
        self.counts[kind] += 1
        at = min((sent for sent in (expected, got) if sent is not None), key=lambda sent: sent.t_ns)
        if self.first is None or (at.t_ns, at.wire) < (self.first.t_ns, self.first.wire):
            self.first = Divergence(kind, at.wire, at.tick, at.t_ns, expected, got, content)

    def _verdict(self, expected_count: int, same: int) -> Verdict:
        parts = [f"{count} {_WORDS[kind]}" for kind, count in self.counts.items() if count]
        if not expected_count and not self.tolerance.nothing_expected:
            reason = "failed: nothing expected; the reference holds no frame on any compared wire, so it proves nothing"
            reason += f" (sent: {self.counts['surplus']})" if parts else ""
        elif parts:
            reason = f"failed: {same} of {expected_count} expected frames agreed; {', '.join(parts)}"
        else:
            reason = (
                f"passed: {same} of {expected_count} expected frames agreed"
                if same
                else "passed: nothing was expected and nothing came"
            )
        passed = reason.startswith("passed")
        value, time, missing, surplus = self.counts.values()
        return Verdict(passed, reason, self.first, same, value, time, missing, surplus, self.ignored)


_WORDS: dict[Kind, str] = {
    "value": "of another value",
    "time": "at another time",
    "missing": "missing",
    "surplus": "surplus",
}


class _Wire:
    """The frames of one wire that have not met their partner yet."""

    def __init__(self, name: str, comparison: _Comparison) -> None:
        self.name = name
        self.comparison = comparison
        self.expected: deque[Sent] = deque()
        self.got: deque[Sent] = deque()
        self.same = 0
        tolerance = comparison.tolerance
        self.content: Content = tolerance.contents.get(name, "bytes")
        self.level = tolerance.level if self.content == "dali" else 0
        exact = tolerance.ticks is None and tolerance.time_ms is None
        self.ticks = 0 if exact else tolerance.ticks
        self.time_ns = 0 if exact else None if tolerance.time_ms is None else tolerance.time_ms * 1_000_000

    def add(self, from_expected: bool, sent: Sent) -> None:
        """One more frame; in a good run it meets its partner here."""
        mine, other = (self.expected, self.got) if from_expected else (self.got, self.expected)
        if other and not mine:
            head = other[0]
            if (self._agree(sent, head)) if from_expected else (self._agree(head, sent)):
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
            if self._before(expected[-1], got[0]):  # a gap longer than the window, not 32 late frames
                return expected, [], True
            if self._before(got[-1], expected[0]):
                return [], got, True
            return expected, got, False
        if best is None:
            return expected, got, True
        return expected[: best[0]], got[: best[1]], True

    def _explain(self, expected: list[Sent], got: list[Sent], whole: bool) -> tuple[int, int]:
        """Say what each frame of a differing stretch is; how many of each side that settles.

        All of them if `whole`; else what is left of the longer side may still meet its partner.
        """
        diverged, content = self.comparison.diverged, self.content
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


def _merged(expected: Iterable[Sent], got: Iterable[Sent]) -> Iterator[tuple[bool, Sent]]:
    """Both streams by time, the expected frame first where they are level."""
    left, right = iter(expected), iter(got)
    one, other = next(left, None), next(right, None)
    while one is not None and other is not None:
        if one.t_ns <= other.t_ns:
            yield True, one
            one = next(left, None)
        else:
            yield False, other
            other = next(right, None)
    while one is not None:
        yield True, one
        one = next(left, None)
    while other is not None:
        yield False, other
        other = next(right, None)


def _ms(t_ns: int) -> str:
    return f"{t_ns // 1_000_000}.{t_ns // 1000 % 1000:03d} ms"
