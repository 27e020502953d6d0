"""Board and site files for a program on a bench, derived from those of the case: the same devices, the rig's wires.

Serial and memory wires become ports, brokers and datagrams the rig's own broker, matrices a socket of the rig's, single
lines our pin factory. A wire that the rig cannot stand in for is refused with its name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from boards.keys import Parity
from boards.parts import part_name, part_of
from boards.schema import BoardDescription
from boards.wires import GpioWire, I2cWire, MatrixWire, MemoryWire, MqttWire, PwmWire, UartWire, UdpWire, Wire
from controllers.greenwave.site import GreenwaveSite
from controllers.service.sites import Site
from hil.benches.contract_bench import Blocked
from hil.desk import FAR_ENDS

ANY_BAUD = 115_200
FEED_BAUD = 3_000_000


class BrokerAccess(msgspec.Struct, frozen=True, kw_only=True):
    """How a board gets to the rig's broker."""

    host: str
    port: int
    ca_file: str
    user: str
    password_file: str


def wire_baud(board: BoardDescription, name: str) -> int:
    """The bit rate that the part at `name` really has; the wire's own for parts that take any."""
    wire = board.wires[name]
    for said in board.devices.values():
        if said.wire == name and (far := FAR_ENDS.get(part_name(said))) is not None:
            return far.baud
    baud = wire.baud if isinstance(wire, UartWire) else None
    return baud or (FEED_BAUD if isinstance(wire, MqttWire | UdpWire) else ANY_BAUD)


def standing_in(wire: Wire, name: str, board: BoardDescription) -> str:
    """What the rig stands in with: "port", "broker", "panel", "lines" or "i2c". Raises Blocked for other wires."""
    parts = [part_of(said) for said in board.devices.values() if said.wire == name]
    if isinstance(wire, I2cWire) or (isinstance(wire, MemoryWire) and any("i2c" in one.wire_kinds for one in parts)):
        return "i2c"
    if isinstance(wire, UartWire | MemoryWire):
        return "port"
    if isinstance(wire, MqttWire | UdpWire):
        return "broker"
    if isinstance(wire, MatrixWire):
        return "panel"
    if isinstance(wire, GpioWire):
        return "lines"
    assert isinstance(wire, PwmWire)
    raise Blocked(
        f"{board.name}: $.wires.{name}: PWM of the kernel needs hardware; "
        "run this case in process, or on hardware with --bench hardware"
    )


def i2c_chips(board: BoardDescription, name: str) -> dict[int, str]:
    """The parts on an I2C wire by address, for hil.benches.mock_i2c."""
    return {
        int(said.address): part_name(said)  # type: ignore[attr-defined]
        for said in board.devices.values()
        if said.wire == name
    }


def _parity(board: BoardDescription, name: str) -> Parity:
    """The one that the part at a wire in memory would have."""
    known: dict[str, Parity] = {"N": "N", "E": "E", "O": "O"}
    return known[next((part_of(said).parities[0] for said in board.devices.values() if said.wire == name), "N")]


def topic(name: str) -> str:
    """Where the rig publishes what the board hears at wire `name`, e.g. ``"leeze/leezenflow/feed"``."""
    return f"leeze/{name}"


def derived(
    board: BoardDescription, name: str, places: Mapping[str, str], broker: BrokerAccess | None
) -> BoardDescription:
    """The board called `name` with the rig's wires; `places`: path or URL by wire."""
    wires: dict[str, Wire] = {}
    for wire, said in board.wires.items():
        match standing_in(said, wire, board):
            case "port":
                baud = said.baud if isinstance(said, UartWire) and said.baud else wire_baud(board, wire)
                parity = said.parity if isinstance(said, UartWire) else _parity(board, wire)
                wires[wire] = UartWire(port=places[wire], baud=baud, parity=parity)
            case "broker":
                assert broker is not None
                wires[wire] = MqttWire(
                    host=broker.host,
                    port=broker.port,
                    subscribe=(topic(f"{name}/{wire}"),),
                    user=broker.user,
                    password_file=broker.password_file,
                    tls=True,
                    ca_file=broker.ca_file,
                    topics=isinstance(said, MqttWire) and said.topics,
                )
            case "panel":
                assert isinstance(said, MatrixWire)
                wires[wire] = MatrixWire(
                    width_px=said.width_px, height_px=said.height_px, driver="emulator", socket=places[wire]
                )
            case "lines":
                wires[wire] = GpioWire(driver="gpiozero", factory="leeze")
            case _:
                wires[wire] = said if isinstance(said, I2cWire) else I2cWire()
    return msgspec.structs.replace(board, wires=wires, bench=True)


def board_toml(board: BoardDescription) -> str:
    """A board file."""
    return toml(msgspec.to_builtins(board))


def site_toml(site: Site, boards: Mapping[str, str]) -> str:
    """A site file whose controllers have the board files `boards`, by controller (the display's by any name)."""
    tables = {"product": "greenwave" if isinstance(site, GreenwaveSite) else "lighting"} | msgspec.to_builtins(site)
    if isinstance(site, GreenwaveSite):
        tables["board"] = next(iter(boards.values()))
    else:
        for one in tables["controllers"]:
            one["board"] = boards[one["name"]]
    return toml(tables)


def toml(tables: Mapping[str, Any]) -> str:
    """Tables as TOML, a line a key; null is left out."""
    return "".join(f"{json.dumps(key)} = {_value(value)}\n" for key, value in tables.items() if value is not None)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case datetime():
            return value.isoformat()
        case Mapping():
            inner = ", ".join(f"{json.dumps(key)} = {_value(one)}" for key, one in value.items() if one is not None)
            return f"{{ {inner} }}"
        case list() | tuple():
            return f"[{', '.join(_value(one) for one in value)}]"
        case _:
            return json.dumps(str(value), ensure_ascii=False)
