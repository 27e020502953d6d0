"""What tables of a board file are made of: strict tables, and the numbers that appear in several of them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Model = Literal["raspberry-pi-3", "raspberry-pi-4", "raspberry-pi-5", "raspberry-pi-zero-2-w", "laptop"]
Product = Literal["lighting", "greenwave", "parking", "environment"]
Parity = Literal["N", "E", "O"]

Baud = Annotated[int, msgspec.Meta(ge=300, le=4_000_000, description="bit/s, e.g. 115200")]
StaleMs = Annotated[int, msgspec.Meta(ge=100, le=600_000, description="silence in ms after which it is not trusted")]
FrozenS = Annotated[int, msgspec.Meta(ge=0, le=86_400, description="s of exactly equal values; 0 does not watch")]
PollMs = Annotated[int, msgspec.Meta(ge=20, le=3_600_000, description="how often it is asked, in ms")]
Gpio = Annotated[int, msgspec.Meta(ge=0, le=27, description="BCM number of a header pin, e.g. 17 (pin 11)")]
PeriodMs = Annotated[int, msgspec.Meta(ge=1, le=1_000, description="scan cycle in ms: lamps 20, Leezenflow 100")]
Pixels = Annotated[int, msgspec.Meta(ge=8, le=192)]
ShortAddress = Annotated[int, msgspec.Meta(ge=0, le=63, description="DALI short address (IEC 62386-102)")]
ModbusAddress = Annotated[int, msgspec.Meta(ge=1, le=247, description="Modbus address; 0 is broadcast")]
I2cAddress = Annotated[int, msgspec.Meta(ge=0x08, le=0x77, description="7 bit I2C address, e.g. 0x76")]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file; a key nobody reads is an error."""


class DeviceKeys(Table, frozen=True, kw_only=True):
    """What every device says: the wire it hangs on. Each part adds its own keys (boards/parts)."""

    wire: str


class InAir(DeviceKeys, frozen=True, kw_only=True):
    """A device whose reading depends on the air. `air` names the device of the board that measures it (its Climate)."""

    air: str | None = None


def tag_of(keys: Table) -> str:
    """The word in the file that chose this table: a wire's `kind`, a device's `part`, e.g. ``"ld2451"``."""
    return str(keys.__struct_config__.tag)
