"""Parts on an I2C bus: lamps behind a converter, a meter, and whatever passes on such a wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drivers.errors import InputError
from drivers.interfaces import ByteLink, Device, Emit
from drivers.parts.part import Argument, Bench, Decoded, Options, Order, Part
from drivers.units import NS_PER_MS

if TYPE_CHECKING:
    from drivers.devices.dac_lamp import LampPart

LIGHTS = "lights a lamp"


def _i2c(data: bytes) -> Decoded:
    from drivers.codecs.i2c_transfers import decode_events

    return decode_events(data)


def _gp8403(data: bytes) -> Decoded:
    from drivers.codecs.i2c_transfers import decode_events, describe_gp8403

    return decode_events(data, describe_gp8403)


def _mcp4725(data: bytes) -> Decoded:
    from drivers.codecs.i2c_transfers import decode_events, describe_mcp4725

    return decode_events(data, describe_mcp4725)


def _pca9685(data: bytes) -> Decoded:
    from drivers.codecs.i2c_transfers import decode_events, describe_pca9685

    return decode_events(data, describe_pca9685)


def _ina226(data: bytes) -> Decoded:
    from drivers.codecs.i2c_transfers import decode_events, describe_ina226

    return decode_events(data, describe_ina226)


def _bh1750(data: bytes) -> Decoded:
    from drivers.codecs.bh1750 import describe
    from drivers.codecs.i2c_transfers import decode_events

    return decode_events(data, describe)


def address_of(options: Options, addresses: range, usual: int) -> int:
    """The address that was said, or the usual one. Raises InputError: none of the part's."""
    address = usual if options.address is None else options.address
    if address not in addresses:
        raise InputError(f"--address {address:#04x}: the part has {addresses[0]:#04x} to {addresses[-1]:#04x}")
    return address


def _lamp(
    name: str, link: ByteLink, emit: Emit, part: LampPart, address: int, setting: int, channel: int, full: int, low: int
) -> Device:
    """A chip with one lamp. A status without a level is no word of the chip, so nobody shall count it as one."""
    from drivers.bench.i2c import AloneOnBus
    from drivers.buses.i2c import I2cBus
    from drivers.devices.dac_lamp import LampChip
    from drivers.quantities import LampStatus, Quantity

    def known(value: Quantity) -> None:
        if not isinstance(value, LampStatus) or value.level is not None:
            emit(value)

    bus = I2cBus("i2c", link, emit=known)
    chip = LampChip(name, bus, part, address=address, setting=setting, period_ns=500_000_000)
    return AloneOnBus(bus, chip, chip.lamp(channel, name, full=full, minimum=low))


def _gp8403_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.codecs.gp8403 import ADDRESSES, FULL
    from drivers.devices.dac_lamp import GP8403

    said = options.whole({"channel": 0, "range_mv": 10_000, "full": FULL, "minimum": 1})
    if said["range_mv"] not in (5_000, 10_000):
        raise InputError("--set range_mv: 5000 or 10000")
    address = address_of(options, ADDRESSES, 0x58)
    return _lamp(name, link, emit, GP8403, address, said["range_mv"], said["channel"], said["full"], said["minimum"])


def _mcp4725_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.codecs.mcp4725 import ADDRESSES, FULL
    from drivers.devices.dac_lamp import MCP4725

    said = options.whole({"full": FULL, "minimum": 1})
    address = address_of(options, ADDRESSES, 0x60)
    return _lamp(name, link, emit, MCP4725, address, 0, 0, said["full"], said["minimum"])


def _pca9685_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.codecs.pca9685 import ADDRESSES, FULL, prescale_for
    from drivers.devices.dac_lamp import PCA9685

    said = options.whole({"channel": 0, "frequency_hz": 1_000, "full": FULL, "minimum": 1})
    try:
        prescale = prescale_for(said["frequency_hz"])
    except ValueError as error:
        raise InputError(f"--set frequency_hz: {error}") from None
    address = address_of(options, ADDRESSES, 0x40)
    return _lamp(name, link, emit, PCA9685, address, prescale, said["channel"], said["full"], said["minimum"])


def _ina226_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.bench.i2c import AloneOnBus
    from drivers.buses.i2c import I2cBus
    from drivers.codecs.ina226 import ADDRESSES
    from drivers.devices.ina226 import Ina226

    said = options.whole({"shunt_uohm": 100_000, "max_ma": 800})
    bus = I2cBus("i2c", link, emit=emit)
    address = address_of(options, ADDRESSES, 0x40)
    return AloneOnBus(bus, Ina226(name, bus, address=address, shunt_uohm=said["shunt_uohm"], max_ma=said["max_ma"]))


def _bh1750_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.bench.i2c import AloneOnBus
    from drivers.buses.i2c import I2cBus
    from drivers.codecs.bh1750 import ADDRESSES
    from drivers.devices.bh1750 import Bh1750

    said = options.whole({"period_ms": 1_000})
    bus = I2cBus("i2c", link, emit=emit)
    address = address_of(options, ADDRESSES, 0x23)
    return AloneOnBus(bus, Bh1750(name, bus, address=address, period_ns=said["period_ms"] * NS_PER_MS))


def _level(device: Any, numbers: tuple[int, ...], now_ns: int) -> None:
    device.lamp.set_level(numbers[0], now_ns)


_LEVEL = Order(
    name="level",
    about="go to this level at once, by the curve of DALI",
    arguments=(Argument("level", 0, 254, "0 off, 254 full"),),
    risk=LIGHTS,
    perform=_level,
)


PARTS = (
    Part(
        name="gp8403",
        title="GP8403: two lamps of 0-10 V",
        wire="I2C, address 0x58 to 0x5f",
        vendor="two open drivers (ESPHome, DFRobot); the part cannot be read back",
        decode=_gp8403,
        takes_anything=True,
        bench=Bench(wire="i2c", address=0x58, device=_gp8403_device, orders=(_LEVEL,), raw_risk=LIGHTS),
    ),
    Part(
        name="mcp4725",
        title="MCP4725: one lamp by a voltage",
        wire="I2C, address 0x60 to 0x67",
        vendor="the frames of Microchip DS22039D",
        decode=_mcp4725,
        takes_anything=True,
        bench=Bench(wire="i2c", address=0x60, device=_mcp4725_device, orders=(_LEVEL,), raw_risk=LIGHTS),
    ),
    Part(
        name="pca9685",
        title="PCA9685: sixteen lamps by PWM",
        wire="I2C, address 0x40 to 0x6f",
        vendor="register tables and restart sequence of NXP's data sheet, rev. 3",
        decode=_pca9685,
        takes_anything=True,
        bench=Bench(wire="i2c", address=0x40, device=_pca9685_device, orders=(_LEVEL,), raw_risk=LIGHTS),
    ),
    Part(
        name="ina226",
        title="INA226: voltage, current and power of a supply",
        wire="I2C, address 0x40 to 0x4f",
        vendor="the worked example of TI SBOS547",
        decode=_ina226,
        takes_anything=True,
        bench=Bench(wire="i2c", address=0x40, device=_ina226_device),
    ),
    Part(
        name="bh1750",
        title="BH1750: illuminance in lux",
        wire="I2C, address 0x23 or 0x5c",
        vendor="instruction set and worked example of ROHM's data sheet (2011.11, Rev. D)",
        decode=_bh1750,
        takes_anything=True,
        bench=Bench(wire="i2c", address=0x23, device=_bh1750_device),
    ),
    Part(
        name="i2c",
        title="any transfers on an I2C bus, for reading along",
        wire="I2C, as Leeze records it (drivers/transfers.py)",
        vendor="none: the format is ours; transfers of an unmodified driver over smbus2",
        decode=_i2c,
        takes_anything=True,
    ),
)
