"""Parts on an I2C bus; those of one wire share the bus, and outputs of one chip share its address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from boards.keys import DeviceKeys, FrozenS, PollMs
from boards.parts.fading import I2C_STEP_NS, OffBelow, add_lamp
from boards.parts.part import Assembly, Hookup, Part, Terminal
from boards.wires import Wire
from drivers.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from drivers.buses.i2c import I2cBus
    from drivers.devices.dac_lamp import LampChip, LampPart

SHARES = "i2c"
_KINDS = ("i2c", "memory")

Millivolt = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
LeastMillivolt = Annotated[int, msgspec.Meta(ge=0, le=10_000)]


class Gp8403(DeviceKeys, frozen=True, kw_only=True, tag="gp8403", tag_field="part"):
    """A lamp of 0-10 V at one of the two outputs of a GP8403.

    `full_mv` is full light (10 V as a rule), `min_mv` the least at which the lamp burns: dim levels never go below.
    Levels under `off_below` are off. Lamps of the 1-10 V kind do not go dark at 0 V; they need a relay. `poll_ms`: how
    often it is told again.
    """

    address: Annotated[int, msgspec.Meta(ge=0x58, le=0x5F)] = 0x58
    channel: Annotated[int, msgspec.Meta(ge=0, le=1)] = 0
    range_mv: Literal[5_000, 10_000] = 10_000
    full_mv: Millivolt | None = None
    min_mv: LeastMillivolt = 0
    off_below: OffBelow = 0
    poll_ms: PollMs = 5_000


class Mcp4725(DeviceKeys, frozen=True, kw_only=True, tag="mcp4725", tag_field="part"):
    """A lamp dimmed by the voltage of an MCP4725; `supply_mv` is the chip's supply, and so its largest output."""

    address: Annotated[int, msgspec.Meta(ge=0x60, le=0x67)] = 0x60
    supply_mv: Annotated[int, msgspec.Meta(ge=2_700, le=5_500)] = 3_300
    full_mv: Millivolt | None = None
    min_mv: LeastMillivolt = 0
    off_below: OffBelow = 0
    poll_ms: PollMs = 5_000


class Pca9685(DeviceKeys, frozen=True, kw_only=True, tag="pca9685", tag_field="part"):
    """A lamp behind one of the sixteen PWM outputs of a PCA9685; all have one frequency."""

    address: Annotated[int, msgspec.Meta(ge=0x40, le=0x6F)] = 0x40
    channel: Annotated[int, msgspec.Meta(ge=0, le=15)] = 0
    pwm_hz: Annotated[int, msgspec.Meta(ge=24, le=1_526)] = 1_000
    min_duty_pct: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    off_below: OffBelow = 0
    poll_ms: PollMs = 5_000


class Ina226(DeviceKeys, frozen=True, kw_only=True, tag="ina226", tag_field="part"):
    """A meter of voltage, current and power. `max_ma` is the largest current to be told; at most 81.92 mV / shunt."""

    address: Annotated[int, msgspec.Meta(ge=0x40, le=0x4F)] = 0x40
    shunt_uohm: Annotated[int, msgspec.Meta(ge=100, le=10_000_000)] = 100_000
    max_ma: Annotated[int, msgspec.Meta(ge=1, le=800_000)] = 800
    poll_ms: PollMs = 1_000


class Bh1750(DeviceKeys, frozen=True, kw_only=True, tag="bh1750", tag_field="part"):
    """How bright it is: a lux sensor that looks at the sky, not at a lamp."""

    address: Literal[0x23, 0x5C] = 0x23
    poll_ms: PollMs = 10_000


class Bme280(DeviceKeys, frozen=True, kw_only=True, tag="bme280", tag_field="part"):
    """Temperature, humidity and air pressure; `frozen_s` of exactly equal raw values and it is not trusted."""

    address: Annotated[int, msgspec.Meta(ge=0x76, le=0x77)] = 0x76
    poll_ms: PollMs = 10_000
    frozen_s: FrozenS = 3_600


def _bus(board: Assembly, wire: str) -> I2cBus:
    from drivers.buses.i2c import I2cBus

    return board.bus(wire, I2cBus, lambda: I2cBus(wire, board.link(wire), emit=board.emit))


def _lamp(
    board: Assembly,
    name: str,
    said: Gp8403 | Mcp4725 | Pca9685,
    part: LampPart,
    channel: int,
    setting: int,
    counts: tuple[int, int],
) -> None:
    """A lamp at an output; its chip is made with the first of them, and named by wire and address."""
    from drivers.devices.dac_lamp import LampChip

    place = f"{said.wire}/{said.address:#04x}"
    made = board.devices.get(place)
    if made is None:
        made = board.devices[place] = LampChip(
            place,
            _bus(board, said.wire),
            part,
            address=said.address,
            setting=setting,
            period_ns=said.poll_ms * NS_PER_MS,
        )
    chip: LampChip = made  # type: ignore[assignment]  # checks keep other parts off this address
    add_lamp(board, chip.lamp(channel, name, full=counts[0], minimum=counts[1]), I2C_STEP_NS, said.off_below)


def _counts(full_mv: int | None, min_mv: int, scale_mv: int) -> tuple[int, int]:
    full = 4095 if full_mv is None else max(1, full_mv * 4095 // scale_mv)
    return full, max(1, min_mv * 4095 // scale_mv)


def _gp8403(board: Assembly, name: str, said: Gp8403) -> None:
    from drivers.devices.dac_lamp import GP8403

    counts = _counts(said.full_mv, said.min_mv, said.range_mv)
    _lamp(board, name, said, GP8403, said.channel, said.range_mv, counts)


def _mcp4725(board: Assembly, name: str, said: Mcp4725) -> None:
    from drivers.devices.dac_lamp import MCP4725

    _lamp(board, name, said, MCP4725, 0, 0, _counts(said.full_mv, said.min_mv, said.supply_mv))


def _pca9685(board: Assembly, name: str, said: Pca9685) -> None:
    from drivers.codecs.pca9685 import FULL, prescale_for
    from drivers.devices.dac_lamp import PCA9685

    counts = (FULL, max(1, said.min_duty_pct * FULL // 100))
    _lamp(board, name, said, PCA9685, said.channel, prescale_for(said.pwm_hz), counts)


def _ina226(board: Assembly, name: str, said: Ina226) -> None:
    from drivers.devices import ina226

    board.devices[name] = ina226.Ina226(
        name,
        _bus(board, said.wire),
        address=said.address,
        shunt_uohm=said.shunt_uohm,
        max_ma=said.max_ma,
        period_ns=said.poll_ms * NS_PER_MS,
    )


def _bh1750(board: Assembly, name: str, said: Bh1750) -> None:
    from drivers.devices import bh1750

    board.devices[name] = bh1750.Bh1750(
        name, _bus(board, said.wire), address=said.address, period_ns=said.poll_ms * NS_PER_MS
    )


def _bme280(board: Assembly, name: str, said: Bme280) -> None:
    from drivers.devices import bme280

    board.devices[name] = bme280.Bme280(
        name,
        _bus(board, said.wire),
        address=said.address,
        period_ns=said.poll_ms * NS_PER_MS,
        frozen_ns=said.frozen_s * NS_PER_S,
    )


def _voltages(said: Gp8403 | Mcp4725, wire: Wire) -> Iterator[tuple[str, str]]:
    scale_mv = said.range_mv if isinstance(said, Gp8403) else said.supply_mv
    full_mv = scale_mv if said.full_mv is None else said.full_mv
    if full_mv > scale_mv:
        yield "full_mv", f"{full_mv} mV, but the output ends at {scale_mv} mV"
    if said.min_mv > full_mv:
        yield "min_mv", f"{said.min_mv} mV is more than full light, {full_mv} mV"


def _shunt(said: Ina226, wire: Wire) -> Iterator[tuple[str, str]]:
    from drivers.codecs.ina226 import Scale

    try:
        Scale.of(said.shunt_uohm, said.max_ma)
    except ValueError as error:
        yield "max_ma", str(error)


_TERMINALS = (
    Terminal("SDA", "sda"),
    Terminal("SCL", "scl"),
    Terminal("GND", "gnd"),
    Terminal("VCC", "supply"),
)
_PULL_UPS = "The Raspberry Pi has pull-ups of 1.8 kohm to 3.3 V on GPIO2 and GPIO3: no module may pull to 5 V."


def _hookup(supply: str, note: str, source: str) -> Hookup:
    return Hookup(signal="i2c", terminals=_TERMINALS, supply=supply, note=note, source=source)


PARTS = (
    Part(
        keys=Gp8403,
        title="lamp of 0-10 V, GP8403",
        content=lambda said: "i2c",
        wire_kinds=_KINDS,
        shares=SHARES,
        address=lambda said: int(said.address),
        addresses=range(0x58, 0x60),
        channel=lambda said: int(said.channel),
        agreed=lambda said: {"range_mv": said.range_mv, "poll_ms": said.poll_ms},
        findings=_voltages,
        hookup=_hookup(
            "12 to 13.2 V for 10 V out",
            "Lamps of the 1-10 V kind burn on at 0 V: switch them off by a relay.",
            "GP8403 data sheet; IEC 60929 annex E",
        ),
        make=_gp8403,
    ),
    Part(
        keys=Mcp4725,
        title="lamp by a voltage, MCP4725",
        content=lambda said: "i2c",
        wire_kinds=_KINDS,
        shares=SHARES,
        address=lambda said: int(said.address),
        addresses=range(0x60, 0x68),
        findings=_voltages,
        hookup=_hookup("3.3 V from the header", _PULL_UPS, "Microchip DS22039D"),
        make=_mcp4725,
    ),
    Part(
        keys=Pca9685,
        title="lamp behind PWM, PCA9685",
        content=lambda said: "i2c",
        wire_kinds=_KINDS,
        shares=SHARES,
        address=lambda said: int(said.address),
        addresses=range(0x40, 0x70),
        channel=lambda said: int(said.channel),
        agreed=lambda said: {"pwm_hz": said.pwm_hz, "poll_ms": said.poll_ms},
        hookup=_hookup(
            "3.3 V from the header; V+ of the outputs by its own supply", _PULL_UPS, "NXP PCA9685 data sheet, rev. 3"
        ),
        make=_pca9685,
    ),
    Part(
        keys=Ina226,
        title="meter INA226",
        content=lambda said: "i2c",
        wire_kinds=_KINDS,
        shares=SHARES,
        address=lambda said: int(said.address),
        addresses=range(0x40, 0x50),
        findings=_shunt,
        hookup=_hookup(
            "3.3 V from the header",
            "The shunt carries the load's current: its wires are the load's, not the header's. 36 V at most.",
            "TI SBOS547",
        ),
        make=_ina226,
    ),
    Part(
        keys=Bh1750,
        title="lux sensor BH1750",
        content=lambda said: "i2c",
        wire_kinds=_KINDS,
        shares=SHARES,
        address=lambda said: int(said.address),
        addresses=range(0x23, 0x5D, 0x39),
        hookup=_hookup(
            "3.3 V from the header",
            "ADDR to GND is address 0x23, to 3.3 V 0x5C. Turn it to the sky, out of the light of any lamp.",
            "ROHM BH1750FVI, 2011.11 Rev. D",
        ),
        make=_bh1750,
    ),
    Part(
        keys=Bme280,
        title="weather sensor BME280",
        content=lambda said: "i2c",
        wire_kinds=_KINDS,
        shares=SHARES,
        address=lambda said: int(said.address),
        addresses=range(0x76, 0x78),
        measures_air=True,
        hookup=_hookup(
            "3.3 V from the header",
            "SDO to GND is address 0x76, to 3.3 V 0x77. Keep it below half a metre.",
            "Bosch BST-BME280-DS002",
        ),
        make=_bme280,
    ),
)
