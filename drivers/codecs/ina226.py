"""TI INA226: voltage, current by a shunt, power. I2C address 40 to 4F; 16 bit registers, high byte first.

::

    00   configuration, 4127 after power-on       04   current, int16, LSB by calibration
    01   shunt voltage, int16, 2.5 uV             05   calibration = 0.00512 / (LSB in A * ohm), 0 after power-on
    02   bus voltage, 1.25 mV                     06   mask/enable: 0004 arithmetic overflow, 0008 conversion ready
    03   power, 25 current LSB                    FE   5449 "TI"      FF   2260

The INA219 differs: shunt 10 uV, bus voltage from bit 3 on in 4 mV, power 20 current LSB, calibration 0.04096 / (LSB *
shunt), no id registers.

Whole numbers: the calibration is rounded down, so the LSB that really is in force is worked out from it again.

Source: TI SBOS547 (June 2011) table 1, p. 16, whose example is a test; TI SBOS448 for the INA219. No recording.
"""

from __future__ import annotations

from typing import Final

import msgspec

from drivers.transfers import Request

ADDRESSES: Final = range(0x40, 0x50)
REG_CONFIG: Final = 0x00
REG_SHUNT: Final = 0x01
REG_BUS: Final = 0x02
REG_POWER: Final = 0x03
REG_CURRENT: Final = 0x04
REG_CALIBRATION: Final = 0x05
REG_MASK: Final = 0x06
REG_MAKER: Final = 0xFE
REG_DIE: Final = 0xFF
MAKER: Final = 0x5449
DIE: Final = 0x2260
OVERFLOW: Final = 0x0004

CONFIG: Final = 0x4527
"""16 readings averaged, 1.1 ms each, both voltages, continuously: a new value every 35 ms."""

BUS_FULL_MV: Final = 36_000
"""The bus pin stands 36 V; the register could say 40.96."""


class Facts(msgspec.Struct, frozen=True):
    """What tells parts of this family apart. `scale` is that of the calibration, in 1e-12 V."""

    name: str
    shunt_nv: int
    bus_shift: int
    bus_uv: int
    power_lsb: int
    scale: int
    shunt_full_uv: int


INA226: Final = Facts("INA226", 2_500, 0, 1_250, 25, 5_120_000_000, 81_920)
INA219: Final = Facts("INA219", 10_000, 3, 4_000, 20, 40_960_000_000, 320_000)


class Scale(msgspec.Struct, frozen=True):
    """How registers are read: ``Scale.of(shunt_uohm=2_000, max_ma=32_768).calibration == 2560`` (1 mA a bit)."""

    shunt_uohm: int
    calibration: int
    facts: Facts = INA226

    @classmethod
    def of(cls, shunt_uohm: int, max_ma: int, facts: Facts = INA226) -> Scale:
        """For a shunt in micro-ohm and the largest current in mA. Raises ValueError: this part cannot measure it."""
        if shunt_uohm <= 0 or max_ma <= 0 or shunt_uohm * max_ma > facts.shunt_full_uv * 1000:
            raise ValueError(f"{max_ma} mA through {shunt_uohm} uohm: at most {facts.shunt_full_uv} uV over the shunt")
        lsb_ua = -(-max_ma * 1000 // 32_768)
        calibration = facts.scale // (lsb_ua * shunt_uohm)
        if not 1 <= calibration <= 0x7FFF:
            raise ValueError(f"calibration would be {calibration}, not 1 to 32767: give the shunt's largest current")
        return cls(shunt_uohm, calibration, facts)

    def voltage_mv(self, bus: int) -> int:
        """Of the bus voltage register."""
        return _nearest((bus >> self.facts.bus_shift) * self.facts.bus_uv, 1000)

    def shunt_uv(self, shunt: int) -> int:
        """Of the shunt voltage register."""
        return _nearest(signed(shunt) * self.facts.shunt_nv, 1000)

    def current_ma(self, current: int) -> int:
        """Of the current register; negative for a current backwards."""
        return _nearest(signed(current) * self.facts.scale, self.calibration * self.shunt_uohm * 1000)

    def power_mw(self, power: int) -> int:
        """Of the power register."""
        return _nearest(power * self.facts.power_lsb * self.facts.scale, self.calibration * self.shunt_uohm * 1000)

    def current_raw(self, shunt: int) -> int:
        """What an INA226 makes of its shunt voltage register (the far end's side)."""
        return min(max(signed(shunt) * self.calibration // 2048, -0x8000), 0x7FFF) & 0xFFFF


def read_register(address: int, register: int) -> Request:
    """Asks for one register."""
    return Request(address, bytes((register,)), 2)


def write_register(address: int, register: int, value: int) -> Request:
    """Sets one register, 0 to 65535: ``write_register(0x40, 5, 2560).data == bytes.fromhex("05 0A 00")``."""
    return Request(address, bytes((register,)) + value.to_bytes(2, "big"))


def word(data: bytes) -> int:
    """A register as read: ``word(b"\\x25\\x70") == 9584``."""
    return int.from_bytes(data, "big")


def signed(value: int) -> int:
    """A 16 bit two's complement."""
    return value - 0x10000 if value & 0x8000 else value


def _nearest(value: int, divisor: int) -> int:
    """Divided, to the nearest whole number; halves upward."""
    return (2 * value + divisor) // (2 * divisor)
