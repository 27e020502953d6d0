"""How bright a picture is: by the sun of the site, less by the heat in the panel. Sixteen levels, all in integers.

By day `day_pct` of the light, by night `night_pct`; around sunrise and sunset level by level in `twilight_min`. Without
a wall time that can be trusted it counts as day: a picture too dim is not seen, and the last gate bounds the current.
From `derate_degc` of the panel's thermometer on there is less light, in proportion, and none from `dark_degc` on. A
thermometer that says nothing for `SILENT_NS`, or has said nothing yet, or is not well, counts as warm: `fault_pct`.

A level scales the bytes of colours; LEDs driven by gamma 2.2 (both panel libraries do so) then give `LIGHT_PPM` of
their light. Levels are closed forms of the time from the last input, so nothing has to be asked in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from controllers.core.calendar import local_s, local_zone, sun_s
from drivers.quantities import Climate, DeviceHealth, Quantity, WallTime
from drivers.units import FOREVER_NS, NS_PER_S

if TYPE_CHECKING:
    from controllers.greenwave.site import GreenwaveSite

FULL_LEVEL = 16
LIGHT_PPM = (
    *(0, 2_244, 10_309, 25_154, 47_366, 77_387, 115_576, 162_238, 217_638),
    *(282_013, 355_579, 438_531, 531_049, 633_303, 745_449, 867_634, 1_000_000),
)
"""Millionths of the full light at each level: (level / 16) ** 2.2."""

SILENT_NS = 300 * NS_PER_S
HYSTERESIS_MDEGC = 500
"""A temperature counts once it differs by so much: at a border the picture shall not flicker."""


def level_of(light_ppm: int) -> int:
    """The brightest level with at most so much light: ``level_of(200_000) == 7``."""
    return max(level for level, ppm in enumerate(LIGHT_PPM) if ppm <= max(0, light_ppm))


class Brightness:
    """`hear` every input, then ask `level`; it stays so until `wake_ns` unless something is heard.

    Raises InputError for an unknown time zone.
    """

    def __init__(self, site: GreenwaveSite) -> None:
        self.wake_ns = FOREVER_NS
        self._site, self._zone = site, local_zone(site.timezone)
        self._day, self._night = level_of(site.day_pct * 10_000), level_of(site.night_pct * 10_000)
        self._utc_offset_ns: int | None = None
        self._mdegc: int | None = None
        self._measured_ns = 0
        self._from_ns = self._to_ns = 0  # of `_by_sun`, UTC
        self._by_sun = self._day

    def hear(self, value: Quantity) -> None:
        """Take in a wall time, a temperature, or the thermometer's health; leaves everything else."""
        if isinstance(value, WallTime):
            if value.synchronised:
                self._utc_offset_ns = value.utc_ns - value.t_ns
        elif isinstance(value, Climate):
            if value.source == self._site.thermometer and value.temperature_mdegc is not None:
                self._measured_ns = value.t_ns
                if self._mdegc is None or abs(value.temperature_mdegc - self._mdegc) >= HYSTERESIS_MDEGC:
                    self._mdegc = value.temperature_mdegc
        elif isinstance(value, DeviceHealth) and value.source == self._site.thermometer and not value.ok:
            self._mdegc = None

    def level(self, now_ns: int) -> int:
        """0 (dark) to 16 (full). Sets `wake_ns`."""
        self.wake_ns = FOREVER_NS
        level = self._day
        if self._utc_offset_ns is not None:
            level = self._of_the_sun(now_ns + self._utc_offset_ns)
            self.wake_ns = self._to_ns - self._utc_offset_ns
        return level if self._site.thermometer is None else min(level, self._of_the_heat(now_ns))

    def _of_the_heat(self, now_ns: int) -> int:
        silent_ns = self._measured_ns + SILENT_NS
        if self._mdegc is None or now_ns >= silent_ns:
            return level_of(self._site.fault_pct * 10_000)
        self.wake_ns = min(self.wake_ns, silent_ns)
        from_mdegc, dark_mdegc = self._site.derate_degc * 1000, self._site.dark_degc * 1000
        return level_of(min(1_000_000, 1_000_000 * (dark_mdegc - self._mdegc) // (dark_mdegc - from_mdegc)))

    def _of_the_sun(self, utc_ns: int) -> int:
        if not self._from_ns <= utc_ns < self._to_ns:
            self._from_ns, self._by_sun = utc_ns, self._night
            for edge_s, level in self._edges(utc_ns):
                edge_ns = edge_s * NS_PER_S
                if edge_ns > utc_ns:
                    self._to_ns = edge_ns
                    break
                self._from_ns, self._by_sun = edge_ns, level
        return self._by_sun

    def _edges(self, utc_ns: int) -> Iterator[tuple[int, int]]:
        """(UTC second, level from then on) from a midnight before `utc_ns` to one after it."""
        site, steps = self._site, self._day - self._night
        today = datetime.fromtimestamp(utc_ns // NS_PER_S, UTC).astimezone(self._zone).date()
        span_s = site.twilight_min * 60
        for day in (today, today + timedelta(days=1)):
            yield local_s(day, time(0), self._zone), self._night
            rise_s, set_s = (
                sun_s(day, "sunrise", site.lat_deg, site.lon_deg, self._zone) - span_s // 2,
                sun_s(day, "sunset", site.lat_deg, site.lon_deg, self._zone) - span_s // 2,
            )
            yield from ((rise_s + span_s * step // steps, self._night + step) for step in range(1, steps + 1))
            yield from ((set_s + span_s * step // steps, self._day - step) for step in range(1, steps + 1))

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"utc_offset_ns": self._utc_offset_ns, "mdegc": self._mdegc, "measured_ns": self._measured_ns}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._utc_offset_ns, self._mdegc = state["utc_offset_ns"], state["mdegc"]
        self._measured_ns = state["measured_ns"]
