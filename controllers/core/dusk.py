"""Dark or not by a lux sensor: with hysteresis, a time to settle, and a doubt of its own.

The sun is known better than any sensor. So a sensor that says dark while the sun is high, or bright deep in the night
(a lamp shines on it, somebody's torch) is doubted until it agrees again. It decides in two places only: around sunset
and sunrise where the site wants that (`trims`), and where the wall time is not known.
"""

from __future__ import annotations

from typing import Any, Final

from drivers.quantities import Illuminance
from drivers.units import NS_PER_S

SETTLE_NS: Final = 60 * NS_PER_S
"""So long one side of the thresholds has to be held: longer than a cloud's edge or a passing car."""

TWILIGHT_NS: Final = 3600 * NS_PER_S
"""So far from sunset and sunrise the sun leaves no doubt. At 52 degrees north it is 9 degrees below by then."""


class Dusk:
    """What one sensor makes of the light.

    Args:
        source: the sensor's device, e.g. ``"lux"``.
        dark_mlux, bright_mlux: at or below is dark, at or above is bright; between them nothing changes.
        trims: whether it shortens lit hours at dusk and dawn.
        settle_ns: how long the other side has to be held.
    """

    def __init__(
        self, source: str, dark_mlux: int, bright_mlux: int, *, trims: bool = False, settle_ns: int = SETTLE_NS
    ) -> None:
        self.source, self.trims = source, trims
        self._dark_mlux, self._bright_mlux, self._settle_ns = dark_mlux, bright_mlux, settle_ns
        self._dark: bool | None = None  # None: has said nothing since it was lost
        self._other_ns = -1  # since when it says the opposite
        self.doubted = False

    @property
    def says_dark(self) -> bool | None:
        """True, False, or None where it says nothing or is not to be believed."""
        return None if self.doubted else self._dark

    def read(self, value: Illuminance, night: bool | None) -> bool:
        """Take a reading; True where `says_dark` changes by it.

        `night`: by the sun, True deep in the night, False high in the day, None in twilight or where nobody knows.
        """
        before = self.says_dark
        mlux = value.illuminance_mlux
        if self._dark is None:
            self._dark = mlux < self._bright_mlux  # between the two, light
        elif mlux <= self._dark_mlux if not self._dark else mlux >= self._bright_mlux:
            if self._other_ns < 0:
                self._other_ns = value.t_ns
            if value.t_ns - self._other_ns >= self._settle_ns:
                self._dark, self._other_ns = not self._dark, -1
        else:
            self._other_ns = -1
        if night is not None:
            self.doubted = self._dark != night
        return self.says_dark != before

    def lost(self) -> bool:
        """The sensor is silent, or measures no more; True where `says_dark` changes by it."""
        before = self.says_dark
        self._dark, self._other_ns = None, -1
        return before is not None

    def snapshot(self) -> list[Any]:
        """All state."""
        return [self._dark, self._other_ns, self.doubted]

    def restore(self, state: list[Any]) -> None:
        """Take over a snapshot."""
        self._dark, self._other_ns, self.doubted = state
