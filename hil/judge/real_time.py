"""Judging what came in real time: the same values in the same order, and times within what the bench can promise.

A message between controllers says how old a sighting is; that is a time, and is held to the tolerance of times. It also
bears the number that the sender has given the rider; that is a name, and counts by when it appears first. How long the
rider has been known, and how fast on average, is reckoned from times of arrival and not compared.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from drivers.units import NS_PER_MS
from hil.judge.alignment import Tolerance
from hil.judge.compare import Verdict, compare
from hil.judge.readable import direct_level
from hil.judge.reference import Sent

_NUMBER = re.compile(rb'"id":(\d+)')
_AGE = re.compile(rb'"age_ms":(-?\d+)')
_COURSE = re.compile(rb',"known_ms":\d+,"mean_mm_s":\d+')


def loosened(tolerance: Tolerance, slack_ns: int, period_ns: int) -> Tolerance:
    """A case's tolerance on a bench in real time: its own, the bench's slack, and one scan period beside it.

    What comes just after a tick in place of just before it takes effect a period later, whoever is at fault.
    """
    return tolerance.wider(-(-(slack_ns + period_ns) // NS_PER_MS), period_ns)


def judge(
    expected: Sequence[Sent],
    got: Sequence[Sent],
    tolerance: Tolerance,
    *,
    end_ns: int,
    messages: Iterable[str] = (),
    lines: Iterable[str] = (),
    panels: Iterable[str] = (),
    uncertainty_ns: int = 0,
) -> tuple[Verdict, bool]:
    """The verdict, and whether it is certain.

    Args:
        expected, got: in the order of time.
        tolerance: as `loosened`.
        end_ns: when listening ended.
        messages: wires that carry messages between controllers.
        lines: wires whose frames are lines of text: a real wire keeps no other boundaries.
        panels: wires whose frames stand until the next: one that stands for less than the tolerance may be missed.
        uncertainty_ns: of times. A verdict that a change of the tolerance by so much would turn is not certain.
    """
    assert tolerance.time_ms is not None
    wires, slack_ns = frozenset(messages), tolerance.time_ms * NS_PER_MS
    texts = frozenset(lines)
    expected, got = by_line(expected, texts), by_line(got, texts)
    expected, got = _ageless(expected, wires, slack_ns), _ageless(got, wires, slack_ns)
    got = in_either_order(expected, got, texts - wires, slack_ns)
    expected = demanded(expected, got, frozenset(panels), slack_ns)
    expected, got = at_the_end(expected, got, end_ns, slack_ns)
    verdict = compare(expected, got, tolerance)
    if not uncertainty_ns:
        return verdict, True
    off_ms = -(-uncertainty_ns // NS_PER_MS)
    tighter = msgspec.structs.replace(tolerance, time_ms=max(0, tolerance.time_ms - off_ms))
    wider = msgspec.structs.replace(tolerance, time_ms=tolerance.time_ms + off_ms)
    others = {compare(expected, got, one).passed for one in (tighter, wider)}
    return verdict, others == {verdict.passed}


def _ageless(sent: Sequence[Sent], wires: frozenset[str], slack_ns: int) -> list[Sent]:
    """Messages without their ages, where those lie within the tolerance of times; others keep them, and differ.

    Numbers of riders become their turn on the wire: 1 for the first that is named.
    """
    most_ms = slack_ns // NS_PER_MS
    names: dict[tuple[str, bytes], int] = {}

    def renamed(wire: str, data: bytes) -> bytes:
        def by_turn(found: re.Match[bytes]) -> bytes:
            known = sum(one == wire for one, _ in names)
            return b'"id":%d' % names.setdefault((wire, found[1]), known + 1)

        return _NUMBER.sub(by_turn, data)

    def without(found: re.Match[bytes]) -> bytes:
        return b'"age_ms":0' if 0 <= int(found[1]) <= most_ms else found[0]

    def timeless(one: Sent) -> bytes:
        return renamed(one.wire, _AGE.sub(without, _COURSE.sub(b"", one.data)))

    return [msgspec.structs.replace(one, data=timeless(one)) if one.wire in wires else one for one in sent]


def by_line(sent: Sequence[Sent], wires: frozenset[str]) -> list[Sent]:
    """The same bytes a line each on `wires`; a line bears the time at which its end was sent."""
    held: dict[str, bytes] = {}
    found: list[Sent] = []
    for one in sent:
        if one.wire not in wires:
            found.append(one)
            continue
        *whole, rest = (held.pop(one.wire, b"") + one.data).split(b"\n")
        found += [msgspec.structs.replace(one, data=line + b"\n") for line in whole]
        if rest:
            held[one.wire] = rest
    last = {one.wire: one for one in sent}
    found += [msgspec.structs.replace(last[wire], data=rest) for wire, rest in held.items()]
    return found


def demanded(expected: Sequence[Sent], got: Sequence[Sent], wires: frozenset[str], slack_ns: int) -> list[Sent]:
    """Without the frames of `wires` that came for less than `slack_ns` and were not seen: none can be held to those."""
    next_ns: dict[str, int] = {}
    found: list[Sent] = []
    for one in reversed(expected):
        brief = one.wire in wires and next_ns.get(one.wire, one.t_ns + slack_ns) - one.t_ns < slack_ns
        next_ns[one.wire] = one.t_ns
        if not brief or any(
            other.wire == one.wire and other.data == one.data and abs(other.t_ns - one.t_ns) <= slack_ns
            for other in got
        ):
            found.append(one)
    return found[::-1]


def in_either_order(expected: Sequence[Sent], got: Sequence[Sent], wires: frozenset[str], slack_ns: int) -> list[Sent]:
    """Levels of different lamps that go out together, in the order in which they were expected.

    Which of two lamps is told first where both are due in one tick hangs on which of the two was thought of first.
    Only direct levels of `wires` are moved, within `slack_ns`, and never past another word to the same lamp.
    """
    wanted: dict[str, deque[bytes]] = {wire: deque() for wire in wires}
    for one in expected:
        if one.wire in wires:
            wanted[one.wire].append(one.data)
    found = list(got)
    places: dict[str, list[int]] = {wire: [] for wire in wires}
    for n, one in enumerate(found):
        if one.wire in wires:
            places[one.wire].append(n)
    for wire, at in places.items():
        for place, n in enumerate(at):
            if not wanted[wire]:
                break
            data = wanted[wire].popleft()
            told = [n]
            for later in at[place:]:
                one, level = found[later], direct_level(found[later].data)
                if one.t_ns - found[n].t_ns > slack_ns or level is None:
                    break
                if one.data == data:
                    told = [*(k for k in at[place:] if k <= later)]
                    break
            addresses = [direct_level(found[k].data) for k in told]
            if len({level[0] for level in addresses if level is not None}) == len(told) > 1:
                last = found[told[-1]].data
                for k, before in zip(told[:0:-1], told[-2::-1], strict=True):
                    found[k] = msgspec.structs.replace(found[k], data=found[before].data)
                found[n] = msgspec.structs.replace(found[n], data=last)
    return found


def at_the_end(
    expected: Sequence[Sent], got: Sequence[Sent], end_ns: int, slack_ns: int
) -> tuple[list[Sent], list[Sent]]:
    """Without the frames that may have come after the end, or have come before it though expected after."""
    wires = {one.wire for one in expected} | {one.wire for one in got}
    kept_expected: list[Sent] = []
    kept_got: list[Sent] = []
    for wire in wires:
        mine = [one for one in expected if one.wire == wire]
        theirs = [one for one in got if one.wire == wire]
        owed = sum(one.t_ns < end_ns - slack_ns for one in mine)
        count = max(owed, min(len(theirs), len(mine)))
        kept_expected += mine[:count]
        kept_got += [one for n, one in enumerate(theirs) if n < count or one.t_ns < end_ns - slack_ns]
    return sorted(kept_expected, key=_when), sorted(kept_got, key=_when)


def _when(sent: Sent) -> tuple[int, str]:
    return sent.t_ns, sent.wire
