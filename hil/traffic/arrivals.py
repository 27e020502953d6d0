"""When the messages of a signal controller arrive: its clock's drift, and what a network does to them on their way.

Everything is drawn by chance (see chance), so a seed stands for one feed for ever. What is true is known, so that an
estimate of the controller's clock can be judged.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from drivers.units import NS_PER_MS, NS_PER_S
from hil.traffic.chance import between, draw

Delay = Literal["none", "even", "exponential", "humped", "bursty"]

_YEAR_MS = 365 * 86_400_000
_PER_MILLE = 1000
_HALVING_NS = 41_588_831  # 60 ms times ln 2


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A network between controller and board, and the controller's clock.

    delay: none. even: 0 to 200 ms, each as likely. exponential: 60 ms in the mean, 900 at most. humped: two of 30 ms in
    the mean, one after the other, so that no delay at all is rare. bursty: 0 to 50 ms, and one message in a hundred is
    held up for 0.3 to 2 s with all that follow it. `lost_per_mille`, `twice_per_mille`: of the messages; a second copy
    comes 0 to 50 ms after the first. Messages overtake each other where their delays say so, except in a burst.
    """

    delay: Delay = "even"
    drift_ppm: int = 50
    lost_per_mille: int = 0
    twice_per_mille: int = 0
    period_ms: int = 100


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A message that arrived at `t_ns`, stamped `message_ms`, written at `written_ns` of our clock."""

    t_ns: int
    message_ms: int
    written_ns: int


class Feed:
    """The messages of `way` for `seed`, the first written at `start_ns` of our clock with `first_ms` as its stamp.

    Example: ``Feed(Way(), 1).arrivals(60)`` are about 600 messages in the order in which they come.
    """

    def __init__(self, way: Way, seed: int) -> None:
        self._way, self._seed = way, seed
        self.start_ns = between(draw(seed, 0), 0, 3600 * NS_PER_S)
        self.first_ms = between(draw(seed, 1), 0, _YEAR_MS // 2)

    def offset_ns(self, t_ns: int) -> int:
        """What is true: our clock less the controller's at `t_ns`. No message is less than this late."""
        gone_ns = t_ns - self.start_ns
        return t_ns - self.first_ms * NS_PER_MS - gone_ns - gone_ns * self._way.drift_ppm // 1_000_000

    def arrivals(self, seconds: int, after_s: int = 0) -> list[Arrival]:
        """Those written from `after_s` on, for `seconds`."""
        way, seed, found = self._way, self._seed, []
        held_until_ns = 0
        for number in range(after_s * 1000 // way.period_ms, (after_s + seconds) * 1000 // way.period_ms):
            stamp_ms = number * way.period_ms
            written_ns = self.start_ns + stamp_ms * NS_PER_MS * 1_000_000 // (1_000_000 + way.drift_ppm)
            if draw(seed, number, 2) % _PER_MILLE < way.lost_per_mille:
                continue
            t_ns = written_ns + self._delay_ns(number)
            if way.delay == "bursty":
                if draw(seed, number, 3) % 100 == 0:
                    held_until_ns = written_ns + between(draw(seed, number, 4), 300, 2000) * NS_PER_MS
                t_ns = max(t_ns, held_until_ns)
            found.append(Arrival(t_ns, self.first_ms + stamp_ms, written_ns))
            if draw(seed, number, 5) % _PER_MILLE < way.twice_per_mille:
                again_ns = t_ns + between(draw(seed, number, 6), 0, 50 * NS_PER_MS)
                found.append(Arrival(again_ns, self.first_ms + stamp_ms, written_ns))
        return sorted(found, key=lambda arrival: arrival.t_ns)

    def _delay_ns(self, number: int) -> int:
        seed, kind = self._seed, self._way.delay
        if kind == "even":
            return between(draw(seed, number, 7), 0, 200 * NS_PER_MS)
        if kind == "exponential":
            return min(900 * NS_PER_MS, _exponential_ns(draw(seed, number, 8)))
        if kind == "humped":
            return (_exponential_ns(draw(seed, number, 9)) + _exponential_ns(draw(seed, number, 10))) // 2
        return between(draw(seed, number, 11), 0, 50 * NS_PER_MS) if kind == "bursty" else 0


def _exponential_ns(bits: int) -> int:
    """60 ms in the mean: -ln of a draw, the logarithm straight between powers of two (6 % off at most, no libm)."""
    bits |= 1
    halvings = 64 - bits.bit_length()
    above = (bits << halvings) - (1 << 63)  # 0 to 2^63: how far above the power of two
    return halvings * _HALVING_NS + ((1 << 63) - above) * _HALVING_NS // (1 << 63)
