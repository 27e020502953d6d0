"""Chance without a generator: the same keys give the same 64 bits on every machine, in any order of asking.

The mixing function is the finaliser of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
OOPSLA 2014; Stafford's variant 13). No state, so nothing to snapshot.
"""

from __future__ import annotations

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15


def draw(seed: int, *keys: int) -> int:
    """64 even bits for `seed` and `keys` (any integers; the order of keys matters).

    Example: ``draw(1, 2) % 1000`` is a number from 0 to 999 that belongs to seed 1, key 2 for ever.
    """
    bits = _mix((seed + _GAMMA) & _MASK)
    for key in keys:
        bits = _mix(((bits ^ (key & _MASK)) + _GAMMA) & _MASK)
    return bits


def between(bits: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included, out of a draw. Example: ``between(draw(1, 2), 3, 8)``."""
    return low + bits % (high - low + 1)


def _mix(bits: int) -> int:
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
    return bits ^ (bits >> 31)
