"""What a board file may say: which controller this is, its wires, and what hangs on them. TOML, format 1.

A board file knows wiring only. What the light should do stands in the site file. Example, shortened::

    format = 1
    name = "kanalpromenade-lamp"
    title = "Kanalpromenade: three radars, six lamps"
    model = "raspberry-pi-4"
    product = "lighting"
    period_ms = 20

    [wires.radar-1]
    kind = "uart"
    uart = "uart3"
    baud = 115200

    [devices.radar-1]
    part = "ld2451"
    wire = "radar-1"
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

Model = Literal["raspberry-pi-3", "raspberry-pi-4", "raspberry-pi-5", "raspberry-pi-zero-2-w", "laptop"]
Product = Literal["lighting", "greenwave"]
Parity = Literal["N", "E", "O"]
MatrixDriver = Literal["rgbmatrix", "piomatter", "emulator", "frame-buffer"]
MatrixMapping = Literal["adafruit-hat", "adafruit-hat-pwm", "regular"]
MessageFormat = Literal["spat-xml", "spat-uper"]

Baud = Annotated[int, msgspec.Meta(ge=300, le=4_000_000, description="bit/s, e.g. 115200")]
StaleMs = Annotated[int, msgspec.Meta(ge=100, le=600_000, description="silence in ms after which it is not trusted")]
Gpio = Annotated[int, msgspec.Meta(ge=0, le=27, description="BCM number of a header pin, e.g. 17 (pin 11)")]
PeriodMs = Annotated[int, msgspec.Meta(ge=1, le=1_000, description="scan cycle in ms: lamps 20, Leezenflow 100")]
Pixels = Annotated[int, msgspec.Meta(ge=8, le=192)]
ShortAddress = Annotated[int, msgspec.Meta(ge=0, le=63, description="DALI short address (IEC 62386-102)")]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file; a key nobody reads is an error."""


class UartWire(_Table, frozen=True, kw_only=True, tag="uart", tag_field="kind"):
    """A serial wire, 8 data bits and 1 stop bit. Exactly one of `uart` and `port` says where it is.

    `uart` is a UART of the header (``"uart3"``), checked against the model's pins. `port` is a device path
    (``"/dev/ttyUSB0"``) or a pyserial URL (``"socket://127.0.0.1:7001"``, ``"loop://"``), and uses no pins.
    `baud` is bit/s, and is left out for a URL that has none (``socket://``, ``loop://``).
    `tx_gpio` and `rx_gpio` may be written down beside `uart`, for whoever wires; they are checked.
    """

    baud: Baud | None = None
    uart: str | None = None
    port: str | None = None
    parity: Parity = "N"
    tx_gpio: Gpio | None = None
    rx_gpio: Gpio | None = None


class MemoryWire(_Table, frozen=True, tag="memory", tag_field="kind"):
    """A wire inside the process, whose far end the rig holds. Only on boards marked ``bench = true``."""


class MatrixWire(_Table, frozen=True, kw_only=True, tag="matrix", tag_field="kind"):
    """An RGB LED matrix, e.g. 96 x 32. `mapping` names the adapter board on the header and so the pins it takes.

    `driver`: ``rgbmatrix`` (hzeller's library), ``piomatter`` (Raspberry Pi 5), ``emulator`` (a window or page on a
    laptop), ``frame-buffer`` (the picture in memory only). The last two use no pins.
    """

    width_px: Pixels
    height_px: Pixels
    driver: MatrixDriver
    mapping: MatrixMapping = "adafruit-hat"


Wire = UartWire | MemoryWire | MatrixWire


class Ld2451(_Table, frozen=True, kw_only=True, tag="ld2451", tag_field="part"):
    """A radar HLK-LD2451. It sends an idle frame a second, so the default takes it for silent after three.

    Below 1500 ms a radar would look silent between two idle frames.
    """

    wire: str
    stale_ms: Annotated[int, msgspec.Meta(ge=1_500, le=600_000)] = 3_000


class Atxled(_Table, frozen=True, kw_only=True, tag="atxled", tag_field="part"):
    """A DALI lamp behind an ATX-LED DALI gateway; lamps of one `wire` share the gateway and its bus."""

    wire: str
    short_address: ShortAddress


class SpatFeed(_Table, frozen=True, kw_only=True, tag="spat-feed", tag_field="part"):
    """The feed of a signal controller. 15 s without messages is where the display must be dark."""

    wire: str
    message_format: MessageFormat
    stale_ms: StaleMs = 15_000


class Panel(_Table, frozen=True, kw_only=True, tag="panel", tag_field="part"):
    """An LED panel; its size is that of its matrix wire."""

    wire: str


class Neighbour(_Table, frozen=True, kw_only=True, tag="neighbour", tag_field="part"):
    """Another controller, reached by messages (one JSON object a line)."""

    wire: str
    stale_ms: StaleMs = 30_000


Device = Ld2451 | Atxled | SpatFeed | Panel | Neighbour


class Relay(_Table, frozen=True, kw_only=True):
    """The output that holds the bus-power relay while the loop runs; when it drops, the gear goes to its failure level.

    `gpio` is the BCM number, e.g. 17; `active_high` is the level that holds the relay.
    """

    gpio: Gpio
    active_high: bool = True


class BoardDescription(_Table, frozen=True, kw_only=True):
    """One controller: its computer, its wires and its devices. Names are lower case words joined by hyphens.

    `period_ms` is the scan cycle. Only a board marked `bench` takes wall time from the rig.
    """

    format: Literal[1]
    name: str
    title: str
    model: Model
    product: Product
    period_ms: PeriodMs
    wires: dict[str, Wire]
    devices: dict[str, Device]
    bench: bool = False
    relay: Relay | None = None


def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a board file, for editors that check TOML while one types."""
    schema = msgspec.json.schema(BoardDescription)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Leeze board file, format 1"} | schema
