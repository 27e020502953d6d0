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

The tables of wires are in `boards.wires`, those of devices beside each part in `boards.parts`.
"""

from __future__ import annotations

from typing import Any, Literal, Union

import msgspec

from boards.keys import DeviceKeys, Model, PeriodMs, Product, Table
from boards.wires import Wire

_REFERENCE = "#/$defs/{name}"


class BoardDescription(Table, frozen=True, kw_only=True):
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
    devices: dict[str, DeviceKeys]
    bench: bool = False


def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a board file, for editors that check TOML while one types."""
    from boards.parts import all_parts

    schema = msgspec.json.schema(BoardDescription)
    kinds = tuple(part.keys for part in all_parts().values())
    (devices,), definitions = msgspec.json.schema_components([Union[kinds]], ref_template=_REFERENCE)  # noqa: UP007
    schema["$defs"] |= definitions
    schema["$defs"].pop(DeviceKeys.__name__)
    schema["$defs"][BoardDescription.__name__]["properties"]["devices"]["additionalProperties"] = devices
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Leeze board file, format 1"} | schema
