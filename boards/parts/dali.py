"""DALI lamps behind a gateway; the lamps of one wire share gateway and bus."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import msgspec

from boards.keys import DeviceKeys, ShortAddress
from boards.parts.part import Assembly, Hookup, Part, Terminal
from drivers.units import NS_PER_S

if TYPE_CHECKING:
    from drivers.buses.dali_gateways import Gateway

CheckS = Annotated[int, msgspec.Meta(ge=0, le=86_400, description="s between questions whether it is well; 0: never")]
PowerS = Annotated[int, msgspec.Meta(ge=0, le=86_400, description="s between D4i energy readings; 0: never")]


class DaliLampKeys(DeviceKeys, frozen=True, kw_only=True):
    """A DALI lamp; those of one `wire` share the gateway and its bus.

    `check_s`: how often its gear is asked whether it and the lamp are well. `power_s`: how often D4i gear is asked for
    energy and power, 25 frames each time. Both in the gaps between levels.
    """

    short_address: ShortAddress
    check_s: CheckS = 0
    power_s: PowerS = 0


class Atxled(DaliLampKeys, frozen=True, kw_only=True, tag="atxled", tag_field="part"):
    """A DALI lamp behind an ATX-LED DALI gateway."""


class Luba(DaliLampKeys, frozen=True, kw_only=True, tag="luba", tag_field="part"):
    """A DALI lamp behind a Lunatone RS232 LUBA."""


class Sci(DaliLampKeys, frozen=True, kw_only=True, tag="sci", tag_field="part"):
    """A DALI lamp behind a Lunatone SCI RS232."""


def _lamp(board: Assembly, name: str, said: DaliLampKeys, gateway: Callable[[], Gateway]) -> None:
    from drivers.buses.dali import DaliBus
    from drivers.devices.lamp import DaliLamp

    link = board.link(said.wire)
    bus = board.bus(said.wire, DaliBus, lambda: DaliBus(said.wire, link, emit=board.emit, gateway=gateway()))
    check_ns, power_ns = said.check_s * NS_PER_S, said.power_s * NS_PER_S
    lamp = DaliLamp(name, bus, said.short_address, check_ns=check_ns, power_ns=power_ns)
    board.lamps[name] = lamp
    if check_ns or power_ns:
        board.devices[name] = lamp  # it has something to do by itself


def _atxled(board: Assembly, name: str, said: Atxled) -> None:
    from drivers.buses.dali_gateways import AtxLedGateway

    _lamp(board, name, said, AtxLedGateway)


def _luba(board: Assembly, name: str, said: Luba) -> None:
    from drivers.buses.dali_gateways import LubaGateway

    _lamp(board, name, said, LubaGateway)


def _sci(board: Assembly, name: str, said: Sci) -> None:
    from drivers.buses.dali_gateways import SciGateway

    _lamp(board, name, said, SciGateway)


_RS232 = Hookup(
    signal="rs232",
    terminals=(
        Terminal("TX", "tx"),
        Terminal("RX", "rx"),
        Terminal("GND", "gnd"),
        Terminal("DA", "da"),
        Terminal("DA", "da"),
    ),
    supply="from the DALI line, which has a bus supply of its own (16 V, 250 mA at most)",
    note="RS232 levels: to the header only through a level shifter (MAX3232), or by a USB adapter for RS232.",
    source="python-dali 0.16 names both RS232; Lunatone's papers were not at hand: see the print on the part",
)


PARTS = (
    Part(
        keys=Atxled,
        title="DALI lamp, ATX-LED gateway",
        content=lambda said: "dali",
        bauds=(19_200,),
        shares="dali",
        address=lambda said: int(said.short_address),
        address_key="short_address",
        addresses=range(64),
        hookup=Hookup(
            signal="ttl-3v3",
            terminals=(
                Terminal("TX", "tx"),
                Terminal("RX", "rx"),
                Terminal("GND", "gnd"),
                Terminal("5V", "supply"),
                Terminal("DA", "da"),
                Terminal("DA", "da"),
            ),
            supply="5 V from the header; the DALI line has a bus supply of its own (16 V, 250 mA at most)",
            note="The DALI pair has no polarity; the bus supply goes through the relay's contact.",
            source="IEC 62386-101 for the line; the HAT sits on the header",
        ),
        make=_atxled,
    ),
    Part(
        keys=Luba,
        title="DALI lamp, Lunatone RS232 LUBA",
        content=lambda said: "luba",
        bauds=(38_400,),
        shares="luba",
        address=lambda said: int(said.short_address),
        address_key="short_address",
        addresses=range(64),
        hookup=_RS232,
        make=_luba,
    ),
    Part(
        keys=Sci,
        title="DALI lamp, Lunatone SCI RS232",
        content=lambda said: "sci",
        bauds=(38_400,),
        shares="sci",
        address=lambda said: int(said.short_address),
        address_key="short_address",
        addresses=range(64),
        hookup=_RS232,
        make=_sci,
    ),
)
