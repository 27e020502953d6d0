"""The site file of one Leezenflow: which signal, how far away, how fast people ride."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class GreenwaveSite(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One display before one signal. Unknown keys are refused; every default is stated here.

    Example::

        format = 1
        product = "greenwave"
        name = "hoerstertor"
        station = 4070
        group = 7
        distance_m = 120
    """

    name: _Name
    station: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]
    """Station id of the signal controller, as its messages carry it (LSA number in Münster)."""
    group: Annotated[int, msgspec.Meta(ge=0, le=255)]
    """Signal group of the cycle track, 1 to 255 (0 means unknown in the standard, some feeds use it)."""
    distance_m: Annotated[float, msgspec.Meta(gt=0, le=1000)]
    """Way from display to stop line, in metres."""
    board: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)] = "leezenflow"
    """A board of the catalog or the path of a file."""
    format: Literal[1] = 1
    product: Literal["greenwave"] = "greenwave"
    feed: _Name = "feed"
    """Name of the feed on the board."""
    panel: _Name = "panel"
    """Name of the panel on the board."""
    speed_kmh: Annotated[float, msgspec.Meta(ge=5, le=60)] = 18.0
    """Riding speed that green and red are shown for."""
    fast_kmh: Annotated[float, msgspec.Meta(ge=5, le=60)] = 23.0
    """Riding speed of those who hurry; the yellow stage is for them. Equal to `speed_kmh`: no such stage."""
    transport_delay_ms: Annotated[int, msgspec.Meta(ge=0, le=5000)] = 0
    """From the controller's time stamp to the arrival of a message that nothing held up. 100 if measured so."""
    min_confidence_pct: Annotated[int, msgspec.Meta(ge=0, le=100)] = 50
    """A likely end with less confidence is not used; one without any is."""
    learnt_pct: Annotated[int, msgspec.Meta(ge=0, le=100)] = 70
    """A learnt end with fewer of the votes is not told. 0: nothing is learnt, whatever the feed leaves open."""
    amber_is_green: bool = True
    """Münster's practice: green is shown to the end of amber. False ends it with green."""
    clock_stall_s: Annotated[float, msgspec.Meta(ge=0.2, le=60)] = 2.0
    """A message clock that stands for longer is not trusted."""
    degrade_s: Annotated[float, msgspec.Meta(ge=0.2, le=60)] = 1.0
    """Without a message for so long the bar goes and nobody is hurried."""
    stale_s: Annotated[float, msgspec.Meta(ge=1, le=60)] = 3.0
    """Without a message for so long the display is dark."""
    max_error_ms: Annotated[int, msgspec.Meta(ge=50, le=5000)] = 1500
    """While the error bound of the controller's clock (docs/timing.md) is above this, the display is dark."""
    bar_full_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 30.0
    """Remaining time that fills the bar."""
    lat_deg: Annotated[float, msgspec.Meta(ge=-65, le=65)] = 51.96
    """Latitude, for sunrise and sunset; Münster's."""
    lon_deg: Annotated[float, msgspec.Meta(ge=-180, le=180)] = 7.63
    """Longitude, positive to the east; Münster's."""
    timezone: _Name = "Europe/Berlin"
    """IANA name."""
    day_pct: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100
    """Light by day, and while nobody knows the time."""
    night_pct: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    """Light by night."""
    twilight_min: Annotated[int, msgspec.Meta(ge=1, le=120)] = 40
    """From one to the other takes so many minutes, half of them before sunrise or sunset."""
    thermometer: _Name | None = None
    """A device of the board that measures the temperature in the panel (Climate); None: heat is not looked at."""
    derate_degc: Annotated[int, msgspec.Meta(ge=0, le=100)] = 60
    """From here on there is less light, in proportion."""
    dark_degc: Annotated[int, msgspec.Meta(ge=1, le=120)] = 75
    """From here on there is none."""
    fault_pct: Annotated[int, msgspec.Meta(ge=0, le=100)] = 50
    """Light at most while the thermometer says nothing or is not well."""
    in_doubt: Literal["dark", "no-data"] = "dark"
    """What the last gate shows in doubt: nothing, or the picture `no-data` (three dots, dim, for trials)."""

    def __post_init__(self) -> None:
        """Refuse what does not go together. Raises ValueError; drivers.settings makes it an InputError."""
        if self.fast_kmh < self.speed_kmh:
            raise ValueError(
                f"`fast_kmh` {self.fast_kmh:g} is below `speed_kmh` {self.speed_kmh:g}; swap or equal them"
            )
        if self.degrade_s > self.stale_s:
            raise ValueError(
                f"`degrade_s` {self.degrade_s:g} is above `stale_s` {self.stale_s:g}; degrading comes first"
            )

        if self.night_pct > self.day_pct:
            raise ValueError(f"`night_pct` {self.night_pct} is above `day_pct` {self.day_pct}; swap or equal them")
        if self.derate_degc >= self.dark_degc:
            raise ValueError(
                f"`derate_degc` {self.derate_degc} is not below `dark_degc` {self.dark_degc}; derating comes first"
            )

    @property
    def normal_ns(self) -> int:
        """Riding time from display to stop line at `speed_kmh`. 120 m at 18 km/h: 24 s."""
        return self._riding_ns(self.speed_kmh)

    @property
    def fast_ns(self) -> int:
        """Riding time at `fast_kmh`. 120 m at 23 km/h: 18.8 s."""
        return self._riding_ns(self.fast_kmh)

    def _riding_ns(self, speed_kmh: float) -> int:
        return round(self.distance_m * 1000) * 3_600_000_000 // round(speed_kmh * 1000)


def to_ns(seconds: float) -> int:
    """A setting in seconds as nanoseconds, to the millisecond."""
    return round(seconds * 1000) * 1_000_000
