"""What a part says of itself for board files: its keys, what it asks of its wire, and how it is made.

One module a family in this folder lists its parts as ``PARTS``; `boards.parts` gathers them, and those of other
distributions by entry point. Drivers are imported when a board has the part, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import msgspec

from boards.keys import DeviceKeys
from boards.wires import Wire
from drivers.interfaces import ByteLink, Device, Emit, Lamp, Watchdog
from drivers.interfaces import Panel as PanelLike

if TYPE_CHECKING:
    from boards.schema import BoardDescription
    from drivers.devices.neighbour import Neighbour

Bus = TypeVar("Bus")

Role = Literal["tx", "rx", "a", "b", "sda", "scl", "line", "supply", "gnd", "da", "load"]
Signal = Literal["ttl-3v3", "ttl-5v", "rs485", "rs232", "i2c", "usb", "gpio", "pwm", "dali", "network", "matrix"]


class Assembly(Protocol):
    """A board under construction, as the makers of devices see it."""

    description: BoardDescription
    emit: Emit
    feed_station: int | None
    feed_groups: frozenset[int] | None
    devices: dict[str, Device]
    lamps: dict[str, Lamp]
    panels: dict[str, PanelLike]
    neighbours: dict[str, Neighbour]
    watchdogs: dict[str, Watchdog]

    def link(self, wire: str) -> ByteLink:
        """The link of `wire`; opened at the first call, shared afterwards."""

    def bus(self, wire: str, kind: type[Bus], make: Callable[[], Bus]) -> Bus:
        """The master of a wire that several devices share, made at the first call; it carries the wire's name."""


class Pin(msgspec.Struct, frozen=True):
    """A pin of the header that a device takes: ``Pin(24, "echo of bay-1", out=False)``.

    `key` is the key of the board file that says so. `initial` is what an output shows when its wire opens. `holds` is
    the level at which it does something that must not happen without the controller; None where it does not matter.
    """

    gpio: int
    role: str
    key: str
    out: bool = True
    pull: Literal["up", "down", "none"] = "none"
    initial: Literal[0, 1] = 0
    holds: Literal[0, 1] | None = None


class Terminal(msgspec.Struct, frozen=True):
    """A terminal of the part, for the wiring sheet: ``Terminal("OT1", "tx", "yellow")``. `name` as printed on it.

    `carries` says what it is from the part's side: its "tx" goes to the controller's RX. `colour` is that of the
    factory cable, where the paper names one.
    """

    name: str
    carries: Role
    colour: str = ""


class Hookup(msgspec.Struct, frozen=True, kw_only=True):
    """How a part is connected, for the electrician: its terminals, its supply, and what it needs in between.

    `note` is one sentence that prevents the usual mistake. `source` is where this stands.
    """

    signal: Signal
    terminals: tuple[Terminal, ...] = ()
    supply: str = ""
    note: str = ""
    source: str = ""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part's facts.

    Args:
        keys: its table in the file; the table's tag is the part's name.
        title: as printed, e.g. ``"HLK-LD2451 radar"``.
        content: what its wire carries, as recordings name it, e.g. ``"ld2451"``; from the keys.
        wire_kinds: the kinds of wire it can hang on.
        bauds: bit rates it can be set to, None: any. All at `parities`.
        baud: the bit rate that this very device is set to, where the keys say it; must be that of its wire.
        shares: a word such as ``"modbus"``; devices with the same word may hang on one wire. Empty: a wire of its own.
        address: its address on a shared wire; two equal ones are refused. `addresses` are all there are.
        channel: of a part with several outputs at one address: which one. Devices of such a part may share an address.
        agreed: keys, and what they say, in which all devices at one address have to agree.
        pins: of the header that it takes beside its wire's.
        measures_air: emits Climate, so that devices in the same air may name it.
        addressing: the procedure of its bus, and its arguments, that brings a factory-new one to its address.
        findings: what else is wrong with its keys on this wire: (key, text) each.
        hookup: for the wiring sheet.
        make: puts the device into the board.
    """

    keys: type[DeviceKeys]
    title: str
    content: Callable[[Any], str]
    wire_kinds: tuple[str, ...] = ("uart", "memory")
    bauds: tuple[int, ...] | None = None
    parities: tuple[str, ...] = ("N",)
    baud: Callable[[Any], int | None] = lambda said: None
    shares: str = ""
    address: Callable[[Any], int | None] = lambda said: None
    address_key: str = "address"
    addresses: range = range(0)
    channel: Callable[[Any], int | None] = lambda said: None
    agreed: Callable[[Any], dict[str, object]] = lambda said: {}
    pins: Callable[[Any, str], tuple[Pin, ...]] = lambda said, name: ()
    measures_air: bool = False
    addressing: Callable[[Any], tuple[str, tuple[int, ...]] | None] = lambda said: None
    findings: Callable[[Any, Wire], Iterable[tuple[str, str]]] = lambda said, wire: ()
    hookup: Hookup | None = None
    make: Callable[[Assembly, str, Any], None]

    @property
    def name(self) -> str:
        """By which the file names it, e.g. ``"ld2451"``."""
        return str(self.keys.__struct_config__.tag)
