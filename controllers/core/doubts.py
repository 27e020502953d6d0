"""Which stretches of path are in doubt: own devices that are silent, lamps that stay dark, and what neighbours say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from drivers.quantities import DeviceHealth, LampStatus

EVERYWHERE: Final = (-(1 << 40), 1 << 40)

MAX_DOUBTS: Final = 32
"""More than there are devices to doubt; what a neighbour names beyond that is one doubt, everywhere."""

DARK: Final = "dark"
"""The name of the doubt that tells the neighbours of lamps that stay dark."""


class Doubts:
    """All doubts there are, by who has them.

    Args:
        lamps: name and position in mm along the path.
        zones: for each device whose health matters, the stretch of path (from, to in mm) that is in doubt without it.
        reach_mm: how far light has to go beyond a dark lamp, or a neighbour's stretch, e.g. 70_000.
        unseen: stretches (from, to in mm) that are in doubt for good, by why, e.g. ``{"no sensor": (0, 160_000)}``.

    `said` is the stretch of the lamps that stay dark, for the neighbours; None: all shine.
    """

    def __init__(
        self,
        lamps: Mapping[str, int],
        zones: Mapping[str, tuple[int, int]],
        reach_mm: int,
        unseen: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self._lamps, self._zones, self._reach_mm = dict(lamps), dict(zones), reach_mm
        self._doubts: dict[str, tuple[int, int]] = dict(unseen or {})
        self._dark: dict[str, str] = {}
        self.said: list[int] | None = None

    def at(self, x_mm: int) -> bool:
        """Whether a lamp there has to be full."""
        if not self._doubts:  # as a rule
            return False
        return any(from_mm <= x_mm <= to_mm for from_mm, to_mm in self._doubts.values())

    @property
    def dark(self) -> Mapping[str, str]:
        """The lamps no light can be counted on from, and why."""
        return self._dark

    @property
    def sources(self) -> Iterable[str]:
        """Who is in doubt, e.g. ``"radar-1"``, ``"lamp-3"``, ``"neighbour/radar-2"``."""
        return self._doubts.keys()

    def health(self, value: DeviceHealth) -> bool:
        """A device's health; True where that changes a doubt. A gear's word on its settings is none."""
        if value.source in self._lamps:
            return False
        return self._set(value.source, None if value.ok else self._zones.get(value.source))

    def lamp(self, value: LampStatus) -> bool:
        """Whether a lamp shines; True where that changes a doubt: what is around a dark one is lit from both sides."""
        lamp = value.source
        x_mm = self._lamps.get(lamp)
        if x_mm is None or value.failure == self._dark.get(lamp, ""):
            return False
        if value.failure:
            self._dark[lamp] = value.failure
        else:
            del self._dark[lamp]
        places = [self._lamps[dark] for dark in self._dark]
        self.said = [min(places), max(places)] if places else None
        return self._set(lamp, (x_mm - self._reach_mm, x_mm + self._reach_mm) if value.failure else None)

    def hear(self, neighbour: str, body: Mapping[str, object]) -> bool:
        """A neighbour's word: one doubt that came or went (``doubt``, ``of``), or all it has (``doubts``)."""
        if "doubts" in body:
            said = body["doubts"]
            named = said if isinstance(said, dict) else {"all": said}
            gone = [
                of for of in self._doubts if of.startswith(f"{neighbour}/") and of[len(neighbour) + 1 :] not in named
            ]
            for of in gone:
                del self._doubts[of]
            changed = bool(gone)
            for of, stretch in named.items():
                changed |= self._named(neighbour, f"{neighbour}/{of}", self._stretch(stretch))
            return changed
        if "doubt" in body:
            return self._named(neighbour, f"{neighbour}/{body.get('of')}", self._stretch(body["doubt"]))
        return False

    def _named(self, neighbour: str, source: str, stretch: tuple[int, int] | None) -> bool:
        if stretch is not None and source not in self._doubts and len(self._doubts) >= MAX_DOUBTS:
            return self._set(f"{neighbour}/more", EVERYWHERE)
        return self._set(source, stretch)

    def _set(self, source: str, stretch: tuple[int, int] | None) -> bool:
        before = self._doubts.get(source)
        if stretch is None:
            self._doubts.pop(source, None)
        else:
            self._doubts[source] = stretch
        return stretch != before

    def _stretch(self, said: object) -> tuple[int, int] | None:
        """A neighbour's stretch, widened by the reach. What makes no sense is doubt everywhere: light, not darkness."""
        if said is None:
            return None
        if isinstance(said, list) and len(said) == 2 and all(isinstance(end, int) for end in said):
            return min(said) - self._reach_mm, max(said) + self._reach_mm
        return EVERYWHERE

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        stretches = {source: list(stretch) for source, stretch in self._doubts.items()}
        return {"stretches": stretches, "dark": dict(self._dark), "said": self.said}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._doubts = {source: (stretch[0], stretch[1]) for source, stretch in state["stretches"].items()}
        self._dark, self.said = dict(state["dark"]), state["said"]
