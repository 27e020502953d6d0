"""DALI lamps behind a gateway; the lamps of one wire share gateway and bus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import msgspec

from boards.keys import DeviceKeys, ShortAddress
from boards.parts.part import Assembly, Hookup, Part, Terminal
from boards.wires import Wire
from drivers.units import NS_PER_S

if TYPE_CHECKING:
    from boards.schema import BoardDescription
    from drivers.buses.dali_gateways import Gateway

CheckS = Annotated[int, msgspec.Meta(ge=0, le=86_400, description="s between questions whether it is well; 0: never")]
PowerS = Annotated[int, msgspec.Meta(ge=0, le=86_400, description="s between D4i energy readings; 0: never")]
KeepaliveS = Annotated[int, msgspec.Meta(ge=0, le=86_400, description="s of silence before the gateway is asked")]
LitLevel = Annotated[int, msgspec.Meta(ge=1, le=254, description="arc power level, 1 to 254")]
Group = Annotated[int, msgspec.Meta(ge=0, le=15, description="DALI group")]


class DaliLampKeys(DeviceKeys, frozen=True, kw_only=True):
    """A DALI lamp; those of one `wire` share the gateway and its bus. Number them along the path.

    `check_s`: how often its gear is asked whether it and the lamp are well, two frames each time. `power_s`: how often
    D4i gear is asked for energy and power, 25 frames each time. Both in the gaps between levels. `keepalive_s`: after
    so long a silence the gateway is asked something (0: never), so that its loss is known a second later at most; the
    smallest of a wire's lamps counts.

    What its gear keeps, written by ``leeze-controllers commission``: `min_level`, `max_level`, `power_on_level` (when
    its supply comes back), `groups` (left out: chosen for carpets; given for one lamp of a wire, they are for all).
    """

    short_address: ShortAddress
    check_s: CheckS = 600
    power_s: PowerS = 0
    keepalive_s: KeepaliveS = 9
    min_level: LitLevel = 1
    max_level: LitLevel = 254
    power_on_level: Annotated[int, msgspec.Meta(ge=0, le=255, description="arc power level; 255: as before")] = 254
    groups: tuple[Group, ...] | None = None


class Atxled(DaliLampKeys, frozen=True, kw_only=True, tag="atxled", tag_field="part"):
    """A DALI lamp behind an ATX-LED DALI gateway."""


class Luba(DaliLampKeys, frozen=True, kw_only=True, tag="luba", tag_field="part"):
    """A DALI lamp behind a Lunatone RS232 LUBA."""


class Sci(DaliLampKeys, frozen=True, kw_only=True, tag="sci", tag_field="part"):
    """A DALI lamp behind a Lunatone SCI RS232."""


def line_lamps(board: BoardDescription, wire: str) -> dict[str, DaliLampKeys]:
    """The lamps of a DALI wire, by name."""
    return {name: said for name, said in board.devices.items() if said.wire == wire and isinstance(said, DaliLampKeys)}


def line_groups(board: BoardDescription, wire: str) -> dict[int, frozenset[int]]:
    """Short addresses by group for the lamps of a DALI wire: as the file says, or chosen for carpets."""
    from drivers.buses.dali_groups import carpet_groups

    lamps = line_lamps(board, wire).values()
    if all(said.groups is None for said in lamps):
        return carpet_groups([said.short_address for said in lamps])
    return {
        number: members
        for number in range(16)
        if (members := frozenset(said.short_address for said in lamps if number in (said.groups or ())))
    }


def _lamp(board: Assembly, name: str, said: DaliLampKeys, gateway: Callable[[], Gateway]) -> None:
    from drivers.buses.dali import DaliBus
    from drivers.buses.dali_settings import GearSettings
    from drivers.devices.lamp import DaliLamp
    from drivers.devices.lamp_line import LampLine

    link = board.link(said.wire)

    def made() -> DaliBus:
        asked = [its.keepalive_s for its in line_lamps(board.description, said.wire).values() if its.keepalive_s]
        keepalive_ns = min(asked, default=0) * NS_PER_S
        groups = line_groups(board.description, said.wire)
        return DaliBus(said.wire, link, emit=board.emit, gateway=gateway(), groups=groups, keepalive_ns=keepalive_ns)

    settings = GearSettings(power_on_level=said.power_on_level, max_level=said.max_level, min_level=said.min_level)
    lamp = DaliLamp(
        name,
        board.bus(said.wire, DaliBus, made),
        said.short_address,
        check_ns=said.check_s * NS_PER_S,
        power_ns=said.power_s * NS_PER_S,
        settings=settings,
    )
    board.lamps[name] = lamp
    line = f"{said.wire}/lamps"
    board.bus(line, LampLine, lambda: LampLine(line)).add(lamp)


def _levels(said: DaliLampKeys, wire: Wire) -> Iterator[tuple[str, str]]:
    if said.min_level > said.max_level:
        yield "min_level", f"{said.min_level} is above max_level = {said.max_level}; swap them"
    if 0 < said.power_on_level < 255 and not said.min_level <= said.power_on_level <= said.max_level:
        yield "power_on_level", f"not between min_level = {said.min_level} and max_level = {said.max_level}"


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
        findings=_levels,
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
        findings=_levels,
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
        findings=_levels,
        hookup=_RS232,
        make=_sci,
    ),
)
