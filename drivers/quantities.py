"""Values with units: what drivers make of bytes, and what policies see. All frozen; `t_ns` is monotonic.

`source` is the device's name on its board (``"radar-1"``), so that one inbox can hold values of every kind in the
order they came.
"""

from __future__ import annotations

import msgspec


class Detection(msgspec.Struct, frozen=True, gc=False):
    """One target of a radar.

    `distance_mm` from the sensor; `speed_mm_s` along the line of sight, positive towards the sensor; `angle_deg` from
    its axis, positive to the right; `snr` as the part reports it (0 to 255 for an LD2451).
    Example: ``Detection(distance_mm=13000, speed_mm_s=833, angle_deg=-5, snr=123)``.
    """

    distance_mm: int
    speed_mm_s: int
    angle_deg: int
    snr: int


class RadarReport(msgspec.Struct, frozen=True, gc=False, tag=True):
    """All targets of one report; empty when the last target has left."""

    t_ns: int
    source: str
    detections: tuple[Detection, ...]


class SpeedReport(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A speed without a place (Doppler only): `speed_mm_s` positive towards the sensor, `magnitude` as the part says.

    Example: ``SpeedReport(0, "radar-1", speed_mm_s=-3456, magnitude=27)``.
    """

    t_ns: int
    source: str
    speed_mm_s: int
    magnitude: int | None = None


class Position(msgspec.Struct, frozen=True, gc=False):
    """One target in the plane of a sensor: `x_mm` to its right, `y_mm` ahead of it, `speed_mm_s` towards it."""

    x_mm: int
    y_mm: int
    speed_mm_s: int


class PositionReport(msgspec.Struct, frozen=True, gc=False, tag=True):
    """All targets of one report of a sensor that knows places; empty when the last has left."""

    t_ns: int
    source: str
    positions: tuple[Position, ...]


class Presence(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Somebody is there. Distances in mm, None where there is no such target: ``Presence(0, "bay-3", None, 810)``."""

    t_ns: int
    source: str
    moving_mm: int | None
    still_mm: int | None


class Range(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A distance. `distance_mm` is None when nothing is in range; a reading that failed is no Range but DeviceHealth.

    Example: ``Range(0, "bay-3", 1234)``.
    """

    t_ns: int
    source: str
    distance_mm: int | None


class Climate(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Weather at a mast. None where the part does not measure it. `temperature_mdegc` thousandths of a degree Celsius,
    `humidity_ppt` thousandths (423 is 42.3 %), `pressure_pa` pascal: ``Climate(0, "mast", 25082, None, 100653)``.
    """

    t_ns: int
    source: str
    temperature_mdegc: int | None
    humidity_ppt: int | None = None
    pressure_pa: int | None = None


class Illuminance(msgspec.Struct, frozen=True, gc=False, tag=True):
    """How bright it is where the sensor looks, in thousandths of a lux: ``Illuminance(0, "lux", 8_300)`` is 8.3 lx."""

    t_ns: int
    source: str
    illuminance_mlux: int


class PowerReading(msgspec.Struct, frozen=True, gc=False, tag=True):
    """What a meter or a gear says of its supply; None where it does not measure it, or not now.

    `energy_mwh` counts up from the meter's own zero. Example: ``PowerReading(0, "meter", voltage_mv=231400)``.
    """

    t_ns: int
    source: str
    voltage_mv: int | None = None
    current_ma: int | None = None
    power_mw: int | None = None
    energy_mwh: int | None = None


class LampStatus(msgspec.Struct, frozen=True, tag=True):
    """What a lamp's gear said of itself, or what is known of it otherwise.

    `level` is an arc power level 0 to 254, told once after a start; None where it is not known, or was not asked now.
    `failure` is why no light can be counted on: "" for none, else "lamp failure", "gear failure", "gear does not
    answer", "gateway lost", "does not keep its level". It is told when it changes, the end of a failure as well.
    Example: ``LampStatus(0, "lamp-3", None, "lamp failure")``.
    """

    t_ns: int
    source: str
    level: int | None
    failure: str = ""


class SignalPhase(msgspec.Struct, frozen=True, gc=False):
    """One coming phase of a signal group; the first of a list is the running one.

    `state` is the MovementPhaseState 0 to 9 (3 red, 4 red-amber, 5/6 green, 7/8 amber). The three remaining times are
    milliseconds from the message's own time to the end of this phase, None where the feed gave none; each stands on
    its own. `confidence_pct` belongs to `likely_ms`: 21 to 100, None if absent.
    """

    state: int
    min_end_ms: int | None = None
    max_end_ms: int | None = None
    likely_ms: int | None = None
    confidence_pct: int | None = None


class SignalState(msgspec.Struct, frozen=True, tag=True):
    """One signal group in one message of a signal controller.

    `status` has the IntersectionStatusObject's 16 bits, bit n of the standard at ``1 << n`` (2 is failureFlash).
    `message_ms` is the controller's own clock: milliseconds since the start of the UTC year, None where the feed gave
    no valid one. `phases` is empty for a group that is off or unknown in this message.

    Of feeds that speak only of observations: `again` marks what was known before and is only told once more;
    `behind_ms` is by how much `message_ms` had to be moved behind the observation's own time, as it never goes back.
    """

    t_ns: int
    source: str
    station: int
    group: int
    status: int
    message_ms: int | None
    phases: tuple[SignalPhase, ...]
    again: bool = False
    behind_ms: int = 0


class WallTime(msgspec.Struct, frozen=True, gc=False, tag=True):
    """At `t_ns` (monotonic) it was `utc_ns` (since 1970). Trust it only if `synchronised`. An input like any other."""

    t_ns: int
    source: str
    utc_ns: int
    synchronised: bool


class Message(msgspec.Struct, frozen=True, tag=True):
    """A message of another controller, or what a part answered to an order: `source` is the device it came in by,
    `body` its decoded JSON object.
    """

    t_ns: int
    source: str
    body: dict[str, object]


class DeviceHealth(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A device's health changed. `ok` false means: do not build on it; `reason` says why in a few words."""

    t_ns: int
    source: str
    ok: bool
    reason: str = ""


Quantity = (
    RadarReport
    | SpeedReport
    | PositionReport
    | Presence
    | Range
    | Climate
    | Illuminance
    | PowerReading
    | LampStatus
    | SignalState
    | WallTime
    | Message
    | DeviceHealth
)
