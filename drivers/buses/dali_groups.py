"""Which of a line's lamps share a group, so that a carpet of light goes out as one frame (docs/decisions/0016).

A carpet is a run of neighbouring lamps, and a line has sixteen groups. Up to six lamps have a group for each run of two
and more that is not the whole line, which a broadcast serves. Longer lines get the runs that carpets are made of: first
those of four, at every place if they fit, else at every second or fourth; then twos, threes, fives, sixes and eights in
the same way, as long as a whole kind fits into what is left. A carpet of another length is two or three of these.

Lamps are neighbours in the order of their short addresses: number them along the path.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MOST_GROUPS: Final = 16
_KINDS: Final = ((4, (1, 2, 4)), (2, (1, 2)), (3, (1,)), (5, (1,)), (6, (1,)), (8, (1, 2, 4)))
"""Lengths of runs in the order in which they are wanted, and the steps from one to the next, the smallest first."""


def carpet_groups(short_addresses: Sequence[int]) -> dict[int, frozenset[int]]:
    """Members by group: ``carpet_groups([4, 5, 6]) == {0: frozenset({4, 5}), 1: frozenset({5, 6})}``."""
    line = sorted(short_addresses)
    runs: list[frozenset[int]] = []
    for length, steps in _kinds(len(line)):
        for step in steps:
            starts = range(0, len(line) - length + 1, step)
            if length < len(line) and len(runs) + len(starts) <= MOST_GROUPS:
                runs += [frozenset(line[start : start + length]) for start in starts]
                break
    return dict(enumerate(runs))


def _kinds(lamps: int) -> Sequence[tuple[int, tuple[int, ...]]]:
    """Up to six lamps all runs fit, so that their order does not matter."""
    return [(length, (1,)) for length in range(2, lamps)] if lamps <= 6 else _KINDS
