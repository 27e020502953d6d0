"""Whether a radar looks where the site file says, found from what its neighbours see.

A radar mounted the wrong way round shows each rider mirrored: at the same distance on its other side, riding the other
way. So somebody whom another sensor has seen, and whom this one should see at its place, is met mirrored instead. Each
rider speaks once, for (``straight``) or against (``mirrored``); four against, and three times as many as for, make it
doubtful, and the reverse makes it good again. Two who meet just there and ride equally fast speak against a good radar
by chance; riders who are met where they should be outvote them.
"""

from __future__ import annotations

ENOUGH = 4
TIMES = 3
REMEMBERED = 16
"""With so many words the old ones are worth half: a radar may be turned round by day."""

MIRROR_MM = 5_000
"""So near a mirrored rider has to be to where somebody is expected."""


class Mounting:
    """The evidence on one radar. `wrong`: taken to be mounted the wrong way round."""

    __slots__ = ("_last", "mirrored", "straight", "wrong")

    def __init__(self) -> None:
        self.straight = self.mirrored = 0
        self.wrong = False
        self._last = 0

    def met(self, rider: int, *, straight: bool) -> bool:
        """Track number `rider`, seen by another sensor, is met here as it should be, or mirrored; True: news."""
        if rider == self._last:
            return False
        self._last = rider
        if straight:
            self.straight += 1
        else:
            self.mirrored += 1
        against, for_it = self.mirrored, self.straight
        if against + for_it >= REMEMBERED:
            self.mirrored, self.straight = against // 2, for_it // 2
        if self.wrong:
            against, for_it = for_it, against
        if against < ENOUGH or against < TIMES * for_it:
            return False
        self.wrong = not self.wrong
        return True

    def snapshot(self) -> list[int]:
        """All state."""
        return [self.straight, self.mirrored, self._last, int(self.wrong)]

    def restore(self, state: list[int]) -> None:
        """Take over a snapshot."""
        self.straight, self.mirrored, self._last = state[:3]
        self.wrong = bool(state[3])
