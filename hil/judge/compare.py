"""What was expected against what was sent: per wire, with tolerance, and the first place where they part.

Both sides are read once and in the order of time; how the frames of one wire find their partners stands in
hil.judge.alignment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from drivers.errors import InputError
from hil.judge.alignment import Alignment, Content, Kind, Tolerance
from hil.judge.readable import readable
from hil.judge.reference import Sent

__all__ = ["Divergence", "Sent", "Tolerance", "Verdict", "compare"]


SHOWN_B = 48
"""Of each side so many bytes are shown in text; the JSON object has them all."""


class Divergence(msgspec.Struct, frozen=True):
    """One place where the two sides part: another value, another time, a missing frame or a surplus one.

    `context`: lines of what stood around it on all wires (hil.judge.context); `digests` of both runs, a sentence.
    """

    kind: Kind
    wire: str
    tick: int
    t_ns: int
    expected: Sent | None
    got: Sent | None
    content: Content = "bytes"
    context: tuple[str, ...] = ()
    digests: str = ""

    def text(self) -> str:
        """Tick, time, wire, what was expected and what was sent, on three lines; then digests and what stood around."""
        head = f"first divergence ({self.kind}) at tick {self.tick}, {_ms(self.t_ns)}, wire {self.wire}"
        lines = [head, f"  expected {self._side(self.expected)}", f"  got      {self._side(self.got)}"]
        lines += [f"  {self.digests}"] if self.digests else []
        lines += (
            ["  around it (> is what was sent there):", *(f"   {line}" for line in self.context)]
            if self.context
            else []
        )
        return "\n".join(lines)

    def _side(self, sent: Sent | None) -> str:
        if sent is None:
            return "nothing"
        when = f" at tick {sent.tick}, {_ms(sent.t_ns)}" if (sent.tick, sent.t_ns) != (self.tick, self.t_ns) else ""
        meaning = readable(sent.data, self.content)
        more = f" ... ({len(sent.data)} bytes)" if len(sent.data) > SHOWN_B else ""
        hexed = (sent.data[:SHOWN_B].hex(" ") or "no bytes") + more
        return hexed + (f"  ({meaning})" if meaning else "") + when


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
        if first.context:
            found["context"] = list(first.context)
        if first.digests:
            found["digests"] = first.digests
        counts = {"differing": self.differing, "late_or_early": self.late_or_early}
        return {**found, **counts, "missing": self.missing, "surplus": self.surplus, "further": self.further}


def compare(expected: Iterable[Sent], got: Iterable[Sent], tolerance: Tolerance | None = None) -> Verdict:
    """Judge `got` by `expected`; both in the order of time (each wire's own order is what counts).

    Raises InputError for an `ignore` entry that is no regular expression.
    """
    comparison = LiveComparison(expected, tolerance)
    for sent in got:
        comparison.got(sent)
    return comparison.finish()


class LiveComparison:
    """The same while it runs, in constant memory: `expected` is read as far as the run has come.

    Sorts both streams to their wires and keeps the first divergence; `on_first` is called whenever an earlier one than
    before is found.
    """

    def __init__(
        self, expected: Iterable[Sent], tolerance: Tolerance | None = None, on_first: Callable[[], None] = lambda: None
    ) -> None:
        self.tolerance = tolerance = tolerance or Tolerance()
        self._expected, self._on_first = iter(expected), on_first
        self._next = next(self._expected, None)
        self._expected_count = 0
        self.wires: dict[str, Alignment | None] = {}
        self.first: Divergence | None = None
        self.counts: dict[Kind, int] = {"value": 0, "time": 0, "missing": 0, "surplus": 0}
        self.ignored = 0
        try:
            self.ignore = [re.compile(pattern) for pattern in tolerance.ignore]
        except re.error as error:
            raise InputError(f"ignore: `{error.pattern!s}` is no regular expression: {error}") from None

    def got(self, sent: Sent) -> None:
        """Something was sent; in the order of time. What was expected until then is taken first."""
        while self._next is not None and self._next.t_ns <= sent.t_ns:
            self._take_expected()
        self._add(False, sent)

    def finish(self, before_ns: int | None = None) -> Verdict:
        """The run has ended; what was expected from `before_ns` on is not asked for."""
        while self._next is not None and (before_ns is None or self._next.t_ns < before_ns):
            self._take_expected()
        compared = [wire for wire in self.wires.values() if wire is not None]
        for wire in compared:
            wire.settle(final=True)
        return self._verdict(self._expected_count, sum(wire.same for wire in compared))

    def _take_expected(self) -> None:
        assert self._next is not None
        self._expected_count += self._add(True, self._next)
        self._next = next(self._expected, None)

    def _add(self, from_expected: bool, sent: Sent) -> bool:
        """Whether it is compared."""
        try:
            wire = self.wires[sent.wire]
        except KeyError:
            wire = self.wires[sent.wire] = self._wire(sent.wire)
        if wire is None:
            self.ignored += 1
            return False
        wire.add(from_expected, sent)
        return True

    def _wire(self, name: str) -> Alignment | None:
        if any(pattern.fullmatch(name) for pattern in self.ignore):
            return None
        return Alignment(name, self.tolerance, self.diverged)

    def diverged(self, kind: Kind, expected: Sent | None, got: Sent | None, content: Content) -> None:
        self.counts[kind] += 1
        at = min((sent for sent in (expected, got) if sent is not None), key=lambda sent: sent.t_ns)
        if self.first is None or (at.t_ns, at.wire) < (self.first.t_ns, self.first.wire):
            self.first = Divergence(kind, at.wire, at.tick, at.t_ns, expected, got, content)
            self._on_first()

    def _verdict(self, expected_count: int, same: int) -> Verdict:
        parts = [f"{count} {_WORDS[kind]}" for kind, count in self.counts.items() if count]
        unproved = not expected_count and not self.tolerance.nothing_expected
        passed = not parts and not unproved
        if unproved:
            reason = (
                f"failed: nothing expected; a comparison over no frames proves nothing ({self.counts['surplus']} sent)"
            )
        elif parts:
            reason = f"failed: {same} of {expected_count} expected frames agreed; {', '.join(parts)}"
        elif same:
            reason = f"passed: {same} of {expected_count} expected frames agreed"
        else:
            reason = "passed: nothing was expected and nothing came"
        value, time, missing, surplus = self.counts.values()
        return Verdict(passed, reason, self.first, same, value, time, missing, surplus, self.ignored)


_WORDS: dict[Kind, str] = {
    "value": "of another value",
    "time": "at another time",
    "missing": "missing",
    "surplus": "surplus",
}


def _ms(t_ns: int) -> str:
    return f"{t_ns // 1_000_000}.{t_ns // 1000 % 1000:03d} ms"
