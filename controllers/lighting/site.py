"""The site file of a lit path: where lamps and radars stand, who their controllers are, and how the light behaves."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from controllers.core.calendar import LightCalendar
from controllers.core.calendar_rules import CalendarEvent, CalendarRules
from drivers.codecs.dali import level_for_ppm
from drivers.errors import InputError

Positive = Annotated[float, msgspec.Meta(gt=0, le=3600)]
"""An hour, 3.6 km, 3.6 kW: more is a slip, and infinity is no measure."""

Metres = Annotated[float, msgspec.Meta(ge=-1_000_000, le=1_000_000)]
Percent = Annotated[float, msgspec.Meta(ge=0.1, le=100)]


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the site lies, for sunrise and sunset. Example: 51.97, 7.64, "Europe/Berlin"."""

    lat_deg: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    lon_deg: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    timezone: str


class LampPost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A lamp: its name on the board, metres along the path."""

    name: str
    x_m: Metres


class RadarPost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A radar: its name on the board, metres along the path, its usable range; it looks up, to larger x, or down."""

    name: str
    x_m: Metres
    looks: Literal["up", "down"]
    range_m: Annotated[float, msgspec.Meta(ge=2, le=255)] = 40.0


class ControllerSite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One controller: its name, its board (a catalog name or a file), what hangs on it, and its neighbours.

    `neighbours` maps the board's device (``"neighbour"``) to the other controller's name. `lux` names the board's lux
    sensor, where there is one.
    """

    name: str
    board: str
    lamps: tuple[LampPost, ...]
    radars: tuple[RadarPost, ...]
    neighbours: dict[str, str] = {}
    lux: str | None = None


class Broker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where controllers meet whose boards reach each other by MQTT, in place of what their board files say.

    Example: ``host = "10.4.0.1"``, ``port = 8883``, ``tls = true``. The keys are those of an mqtt wire.
    """

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 1883
    user: str | None = None
    password_file: str | None = None
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the light goes with a rider.

    `power_w` is what one lamp draws at full level. A lamp is owed from `ahead_m` or `ahead_s` of riding, whichever is
    more, until `behind_m` past it. `rise_s` is the gear's fade time, which has to be over by then. `fall_s` is how long
    a lamp sinks after that; it does not where somebody known will need it again within `hold_s`. `keep_s` is how long
    somebody unseen is still believed to be there.

    `calendar` is the name of a shipped one, or rules (controllers/core/calendar_rules.py); `events` go before it.
    `dusk` ``"lux"`` lets lit hours begin when the lux sensor says dark (at or below `dark_lx`, bright from `bright_lx`
    on) and end when it says bright, within the calendar and not further than an hour from sunset and sunrise.
    """

    calendar: str | CalendarRules = "other-sections"
    events: tuple[CalendarEvent, ...] = ()
    dusk: Literal["sun", "lux"] = "sun"
    dark_lx: Positive = 10.0
    bright_lx: Positive = 30.0
    base_pct: Percent = 10.0
    full_pct: Percent = 100.0
    power_w: Positive = 20.0
    ahead_m: Positive = 70.0
    ahead_s: Positive = 12.0
    behind_m: Positive = 32.0
    rise_s: Positive = 1.0
    hold_s: Positive = 3.0
    fall_s: Positive = 5.0
    keep_s: Positive = 60.0

    @property
    def base_level(self) -> int:
        """The arc power level nearest `base_pct` of full output: 170 for 10 %."""
        return level_for_ppm(round(self.base_pct * 10_000))

    @property
    def full_level(self) -> int:
        """The arc power level nearest `full_pct`: 254 for 100 %."""
        return level_for_ppm(round(self.full_pct * 10_000))


class LightingSite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole site. Example: controllers/sites/kanalpromenade-reference.toml."""

    format: Literal[1]
    name: str
    product: Literal["lighting"]
    place: Place
    controllers: tuple[ControllerSite, ...]
    title: str = ""
    light: Behaviour = Behaviour()
    broker: Broker | None = None

    def calendar(self) -> LightCalendar:
        """When it is lit, events included. Raises InputError: unknown calendar or zone, gaps, overlaps."""
        place = self.place
        return LightCalendar(self.light.calendar, place.lat_deg, place.lon_deg, place.timezone, self.light.events)

    def controller(self, name: str) -> ControllerSite:
        """The controller called `name`. Raises InputError with the names there are."""
        for controller in self.controllers:
            if controller.name == name:
                return controller
        known = ", ".join(controller.name for controller in self.controllers)
        raise InputError(f"site {self.name} has no controller {name!r}; it has: {known}")


def check(site: LightingSite, origin: str) -> LightingSite:
    """What types cannot say: names once, neighbours exist, full is above base. Raises InputError naming `origin`."""
    light = site.light
    if light.full_pct < light.base_pct:
        raise InputError(
            f"{origin}: $.light: `full_pct` {light.full_pct:g} is below `base_pct` {light.base_pct:g}; swap"
        )
    if light.bright_lx <= light.dark_lx:
        raise InputError(f"{origin}: $.light: `bright_lx` {light.bright_lx:g} is not above `dark_lx` {light.dark_lx:g}")
    try:
        site.calendar()
    except InputError as error:
        raise InputError(f"{origin}: $.light: {error}") from None
    if not site.controllers:
        raise InputError(f"{origin}: $.controllers: at least one is needed")
    names = [controller.name for controller in site.controllers]
    _once(names, f"{origin}: $.controllers", "controller")
    for n, controller in enumerate(site.controllers):
        at = f"{origin}: $.controllers[{n}]"
        _once([lamp.name for lamp in controller.lamps], f"{at}.lamps", "lamp")
        _once([radar.name for radar in controller.radars], f"{at}.radars", "radar")
        if not controller.lamps:
            raise InputError(f"{at}.lamps: at least one is needed")
        for device, other in controller.neighbours.items():
            if other not in names or other == controller.name:
                raise InputError(
                    f"{at}.neighbours.{device}: {other!r} is no other controller; known: {', '.join(names)}"
                )
    from controllers.lighting.site_checks import check_places

    check_places(site, origin)
    return site


def _once(names: list[str], at: str, what: str) -> None:
    for n, name in enumerate(names):
        if name in names[:n]:
            raise InputError(f"{at}[{n}].name: {what} {name!r} is named twice")


def mm(metres: float) -> int:
    """Metres of a site file as whole millimetres."""
    return round(metres * 1000)
