"""Parts on a Modbus bus: many share one wire, at one bit rate, each at an address of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from boards.keys import Baud, DeviceKeys, FrozenS, InAir, ModbusAddress, PollMs, StaleMs
from boards.parts.fading import MODBUS_STEP_NS, OffBelow, add_lamp
from boards.parts.part import Assembly, Hookup, Part, Terminal
from boards.wires import UartWire, Wire
from drivers.errors import InputError
from drivers.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from drivers.buses.modbus import ModbusBus

SHARES = "modbus"
RS485 = (Terminal("A", "a"), Terminal("B", "b"), Terminal("GND", "gnd"), Terminal("VCC", "supply"))


class Urm14(InAir, frozen=True, kw_only=True, tag="urm14", tag_field="part"):
    """An ultrasonic sensor URM14 (SEN0358), URM15 or URM12 on RS485.

    `baud` is what it is set to (delivered: 19200). `passive`: it measures when asked, so that neighbours do not hear
    each other's sound. With `air` its distance is corrected by that thermometer in place of its own.
    """

    address: ModbusAddress
    kin: Literal["urm14", "urm15", "urm12"] = "urm14"
    baud: Baud = 19_200
    passive: bool = True
    poll_ms: Annotated[int, msgspec.Meta(ge=100, le=3_600_000)] = 500
    stale_ms: StaleMs = 3_000
    frozen_s: FrozenS = 3_600


class Sdm120(DeviceKeys, frozen=True, kw_only=True, tag="sdm120", tag_field="part"):
    """An energy meter SDM120. `baud` is what it is set to (delivered: 2400)."""

    address: ModbusAddress = 1
    baud: Baud = 2_400
    poll_ms: PollMs = 5_000
    stale_ms: StaleMs = 30_000
    frozen_s: FrozenS = 3_600


class WaveshareAo8(DeviceKeys, frozen=True, kw_only=True, tag="waveshare-ao8", tag_field="part"):
    """A lamp on one output (`channel` 1 to 8) of a Waveshare Modbus RTU Analog Output 8CH (B): 0 to 10 V.

    `variant` is what the label says: only "B" gives volts. `full_mv` is full light, `least_mv` the least that a lit
    lamp gets; a 1-10 V lamp goes on burning at 0 V and needs a relay to be off. Levels under `off_below` are off.
    `baud` is what the module is set to (delivered: 9600).
    """

    address: ModbusAddress = 1
    channel: Annotated[int, msgspec.Meta(ge=1, le=8, description="output, as printed: 1 is AO1")]
    variant: str
    baud: Baud = 9_600
    full_mv: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 10_000
    least_mv: Annotated[int, msgspec.Meta(ge=0, le=9_999)] = 1_000
    curve: Literal["log", "linear"] = "log"
    off_below: OffBelow = 0
    poll_ms: PollMs = 2_000
    stale_ms: StaleMs = 10_000


def _bus(board: Assembly, said: Urm14 | Sdm120 | WaveshareAo8) -> ModbusBus:
    """The bus of a wire; where the wire names no bit rate (a URL, memory), the one that its first part is set to."""
    from drivers.buses.modbus import ModbusBus

    name, wire = said.wire, board.description.wires[said.wire]
    baud, parity = (wire.baud or said.baud, wire.parity) if isinstance(wire, UartWire) else (said.baud, "N")
    return board.bus(
        name, ModbusBus, lambda: ModbusBus(name, board.link(name), emit=board.emit, baud=baud, parity=parity)
    )


def _urm14(board: Assembly, name: str, said: Urm14) -> None:
    from drivers.devices.urm14 import Urm14 as Device

    board.devices[name] = Device(
        name,
        _bus(board, said),
        address=said.address,
        kin=said.kin,
        period_ns=said.poll_ms * NS_PER_MS,
        passive=said.passive,
        stale_ns=said.stale_ms * NS_PER_MS,
        frozen_ns=said.frozen_s * NS_PER_S,
    )


def _urm14_addressing(said: Urm14) -> tuple[str, tuple[int, ...]]:
    from drivers.codecs.urm14 import KIN

    return "urm14_address", (KIN[said.kin].address, said.address, KIN[said.kin].part_id)


def _sdm120(board: Assembly, name: str, said: Sdm120) -> None:
    from drivers.devices.sdm120 import Sdm120 as Device

    board.devices[name] = Device(
        name,
        _bus(board, said),
        address=said.address,
        period_ns=said.poll_ms * NS_PER_MS,
        stale_ns=said.stale_ms * NS_PER_MS,
        frozen_ns=said.frozen_s * NS_PER_S,
    )


def _waveshare_ao8(board: Assembly, name: str, said: WaveshareAo8) -> None:
    from drivers.codecs.waveshare_ao8 import Scale
    from drivers.devices.analog_lamp import AnalogLamp

    lamp = AnalogLamp(
        name,
        _bus(board, said),
        address=said.address,
        output=said.channel,
        variant=said.variant,
        scale=Scale(said.least_mv, said.full_mv, said.curve),
        period_ns=said.poll_ms * NS_PER_MS,
        stale_ns=said.stale_ms * NS_PER_MS,
    )
    board.devices[name] = lamp
    add_lamp(board, lamp, MODBUS_STEP_NS, said.off_below)


def _polled(said: Urm14 | Sdm120 | WaveshareAo8, wire: Wire) -> Iterator[tuple[str, str]]:
    if said.stale_ms <= said.poll_ms:
        yield "stale_ms", f"asked every {said.poll_ms} ms it looks silent after {said.stale_ms}; make stale_ms larger"
    if isinstance(said, WaveshareAo8):
        yield from _volts(said)
    elif isinstance(said, Urm14) and said.kin == "urm15" and isinstance(wire, UartWire) and wire.parity != "N":
        yield "kin", f'a URM15 has no parity, and wire {said.wire} has parity "{wire.parity}"; give it another wire'


def _volts(said: WaveshareAo8) -> Iterator[tuple[str, str]]:
    from drivers.codecs.waveshare_ao8 import check_variant

    try:
        check_variant(said.variant)
    except InputError as error:
        yield "variant", str(error)
    if said.least_mv >= said.full_mv:
        yield "least_mv", f"not below full_mv = {said.full_mv}; most 1-10 V lamps: 1000 and 10000"


PARTS = (
    Part(
        keys=Urm14,
        title="ultrasonic sensor URM14",
        content=lambda said: "modbus",
        bauds=(2_400, 9_600, 14_400, 19_200, 38_400, 57_600, 115_200),
        parities=("N", "E", "O"),  # register 04; a URM15's is fixed
        baud=lambda said: int(said.baud),
        shares=SHARES,
        address=lambda said: int(said.address),
        addresses=range(1, 248),
        addressing=_urm14_addressing,
        findings=_polled,
        hookup=Hookup(
            signal="rs485",
            terminals=RS485,
            supply="7 to 15 V by its own supply",
            note="One pair from part to part, no star; 120 Ohm between A and B at both ends.",
            source="DFRobot wiki, SEN0358",
        ),
        make=_urm14,
    ),
    Part(
        keys=Sdm120,
        title="energy meter SDM120",
        content=lambda said: "modbus",
        bauds=(1_200, 2_400, 4_800, 9_600),
        parities=("N", "E", "O"),
        baud=lambda said: int(said.baud),
        shares=SHARES,
        address=lambda said: int(said.address),
        addresses=range(1, 248),
        addressing=lambda said: ("sdm120_address", (1, said.address)),
        findings=_polled,
        hookup=Hookup(
            signal="rs485",
            terminals=(Terminal("A", "a"), Terminal("B", "b"), Terminal("G", "gnd")),
            supply="230 V through the meter itself: an electrician's work",
            note="Hold its button until it shows -SET- before its address is changed.",
        ),
        make=_sdm120,
    ),
    Part(
        keys=WaveshareAo8,
        title="0-10 V lamp on Waveshare Analog Output 8CH (B)",
        content=lambda said: "modbus",
        bauds=(4_800, 9_600, 19_200, 38_400, 57_600, 115_200, 128_000, 256_000),
        parities=("N", "E", "O"),
        baud=lambda said: int(said.baud),
        shares=SHARES,
        address=lambda said: int(said.address),
        addresses=range(1, 248),
        channel=lambda said: int(said.channel),
        agreed=lambda said: {"variant": said.variant, "baud": said.baud},
        findings=_polled,
        hookup=Hookup(
            signal="rs485",
            terminals=(*RS485, Terminal("AO1 to AO8", "load")),
            supply="15 V or more for 10 V out",
            note="1-10 V lamps do not switch off at 0 V: off needs a relay.",
            source="Waveshare wiki, Modbus RTU Analog Output 8CH",
        ),
        make=_waveshare_ao8,
    ),
)
