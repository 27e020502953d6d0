"""The radar parameters of a K-LD7: their commands, ranges and places in the structure that GRPS reads and SRPS writes.

Source: RFbeam, K-LD7 data sheet, revision B, 12/2020, tables 12 and 14 (pages 16 and 18). All little endian::

    software version, 19 characters, ended by 0 | 19 fields u8 or i8 | hold time u16 | 2 fields u8        42 bytes

Detection direction is 0 receding, 1 approaching, 2 both, as this data sheet says. Two open drivers say the reverse for
0 and 1 (Python kld7 0.2.1; an Arduino one): the data sheet is followed; a part on a desk has not decided it yet.
The package rfbeam (Ruby) prints the 22 values of a real part; they are a vector of the tests.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

import msgspec

SOFTWARE_BYTES: Final = 19


class Field(NamedTuple):
    """One parameter: ``Field("max_speed", "RSPI", 0, 3)``: its name here, its command, its least and greatest value."""

    name: str
    command: str
    low: int
    high: int
    code: str = "B"


FIELDS: Final = (
    Field("base_frequency", "RBFR", 0, 2),
    Field("max_speed", "RSPI", 0, 3),
    Field("max_range", "RRAI", 0, 3),
    Field("threshold_offset_db", "THOF", 10, 60),
    Field("tracking_filter", "TRFT", 0, 2),
    Field("vibration_suppression", "VISU", 0, 16),
    Field("min_distance_pct", "MIRA", 0, 100),
    Field("max_distance_pct", "MARA", 0, 100),
    Field("min_angle_deg", "MIAN", -90, 90, "b"),
    Field("max_angle_deg", "MAAN", -90, 90, "b"),
    Field("min_speed_pct", "MISP", 0, 100),
    Field("max_speed_pct", "MASP", 0, 100),
    Field("direction", "DEDI", 0, 2),
    Field("range_threshold_pct", "RATH", 0, 100),
    Field("angle_threshold_deg", "ANTH", -90, 90, "b"),
    Field("speed_threshold_pct", "SPTH", 0, 100),
    Field("output_1", "DIG1", 0, 4),
    Field("output_2", "DIG2", 0, 4),
    Field("output_3", "DIG3", 0, 4),
    Field("hold_s", "HOLD", 1, 7200, "H"),
    Field("micro_retrigger", "MIDE", 0, 1),
    Field("micro_sensitivity", "MIDS", 0, 9),
)
"""In the order of the structure."""

BY_NAME: Final = {field.name: field for field in FIELDS}

SETTINGS: Final = {field.command: field for field in FIELDS}
"""By command, e.g. ``SETTINGS["RSPI"]``."""

_STRUCTURE: Final = struct.Struct(f"<{SOFTWARE_BYTES}s" + "".join(field.code for field in FIELDS))
STRUCTURE_BYTES: Final = _STRUCTURE.size

SPEEDS_KMH: Final = ("12.5", "25", "50", "100")
"""By `max_speed`."""
RANGES_M: Final = (5, 10, 30, 100)
"""By `max_range`. A target is tracked up to 30 m, whatever the setting (data sheet, page 6)."""
FRAME_NS: Final = (229_000_000, 114_000_000, 57_000_000, 29_000_000)
"""Typical time between two frames, by `max_speed`: a faster range needs a shorter look."""


class Parameters(msgspec.Struct, frozen=True):
    """All parameters; the defaults are the factory's (table 12).

    Enumerations: `base_frequency` low, middle, high; `max_speed` see SPEEDS_KMH; `max_range` see RANGES_M;
    `tracking_filter` standard, fast detection, long visibility; `direction` receding, approaching, both; `output_1` to
    `output_3` direction, angle, range, speed, micro detection; `micro_retrigger` off, on.
    """

    software: str = "K-LD7_APP-RFB-0103"
    base_frequency: int = 1
    max_speed: int = 1
    max_range: int = 1
    threshold_offset_db: int = 30
    tracking_filter: int = 0
    vibration_suppression: int = 2
    min_distance_pct: int = 0
    max_distance_pct: int = 50
    min_angle_deg: int = -90
    max_angle_deg: int = 90
    min_speed_pct: int = 0
    max_speed_pct: int = 100
    direction: int = 2
    range_threshold_pct: int = 10
    angle_threshold_deg: int = 0
    speed_threshold_pct: int = 50
    output_1: int = 0
    output_2: int = 1
    output_3: int = 2
    hold_s: int = 120
    micro_retrigger: int = 0
    micro_sensitivity: int = 4


def pack(parameters: Parameters) -> bytes:
    """The 42 bytes of the structure. Raises ValueError: a value outside its range, a software name too long."""
    software = parameters.software.encode("ascii", "replace")
    if len(software) >= SOFTWARE_BYTES:
        raise ValueError(f"software version {parameters.software!r} is longer than {SOFTWARE_BYTES - 1} characters")
    for field in FIELDS:
        check(field, getattr(parameters, field.name))
    return _STRUCTURE.pack(software, *(getattr(parameters, field.name) for field in FIELDS))


def unpack(data: bytes) -> Parameters:
    """The structure's values, whatever they are; 42 bytes."""
    software, *values = _STRUCTURE.unpack(data)
    return Parameters(software.split(b"\0")[0].decode("ascii", "replace"), *values)


def check(field: Field, value: int) -> None:
    """Raises ValueError for a value that the part refuses, with its range."""
    if not field.low <= value <= field.high:
        raise ValueError(f"{field.name} ({field.command}) is {field.low} to {field.high}, not {value}")
