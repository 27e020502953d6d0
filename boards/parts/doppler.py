"""Radars that are asked for every frame (K-LD7), or know speeds only (OPS243-A)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from boards.keys import DeviceKeys, FrozenS, StaleMs
from boards.parts.part import Assembly, Part
from boards.wires import UartWire, Wire
from drivers.units import NS_PER_MS, NS_PER_S

Direction = Literal["both", "inbound", "outbound"]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Degrees = Annotated[int, msgspec.Meta(ge=-90, le=90)]

_RANGES_M = (5, 10, 30, 100)
_SPEEDS_KMH = (12, 25, 50, 100)
_DIRECTIONS = {"outbound": 0, "inbound": 1, "both": 2}
_TRACKING = {"standard": 0, "fast": 1, "long": 2}


class Kld7(DeviceKeys, frozen=True, kw_only=True, tag="kld7", tag_field="part"):
    """A radar RFbeam K-LD7, on a wire with parity = "E". It starts at 115200 baud and is brought to the wire's.

    `range_m`, `speed_kmh` (12 is 12.5): how far and how fast it looks; it tracks up to 30 m, and the faster the range,
    the oftener a frame. `far_pct`: the part of the range in which it detects; as delivered it is 50. `threshold_db`:
    how far above noise, `vibration`: suppression, 0 none to 16; left as they are where not said.
    """

    range_m: Literal[5, 10, 30, 100] = 30
    speed_kmh: Literal[12, 25, 50, 100] = 50
    direction: Direction = "both"
    near_pct: Percent = 0
    far_pct: Percent = 100
    left_deg: Degrees = -90
    right_deg: Degrees = 90
    tracking: Literal["standard", "fast", "long"] = "standard"
    threshold_db: Annotated[int, msgspec.Meta(ge=10, le=60)] | None = None
    vibration: Annotated[int, msgspec.Meta(ge=0, le=16)] | None = None
    stale_ms: StaleMs = 3_000
    frozen_s: FrozenS = 60


class Ops243(DeviceKeys, frozen=True, kw_only=True, tag="ops243", tag_field="part"):
    """A radar OmniPreSense OPS243-A. It says nothing while nothing moves, so it is asked whether it lives.

    `unit` is what passes on the wire. `least_speed` in whole units of it, `least_magnitude`: less is not reported; 0
    leaves nothing out. A quiet part is asked after a third of `stale_ms`.
    """

    unit: Literal["m/s", "km/h"] = "m/s"
    direction: Direction = "both"
    least_speed: Annotated[int, msgspec.Meta(ge=0, le=200)] = 0
    least_magnitude: Annotated[int, msgspec.Meta(ge=0, le=9_999)] = 0
    stale_ms: Annotated[int, msgspec.Meta(ge=3_000, le=600_000)] = 10_000
    frozen_s: FrozenS = 60


def _edges(said: Kld7, wire: Wire) -> Iterator[tuple[str, str]]:
    if said.near_pct >= said.far_pct:
        yield (
            "near_pct",
            f"from {said.near_pct} % to {said.far_pct} % of the range nothing is left; make far_pct larger",
        )
    if said.left_deg >= said.right_deg:
        yield "left_deg", f"from {said.left_deg} to {said.right_deg} degrees nothing is left; left is negative"


def _kld7(board: Assembly, name: str, said: Kld7) -> None:
    from drivers.devices.kld7 import Kld7Radar

    settings = {
        "max_range": _RANGES_M.index(said.range_m),
        "max_speed": _SPEEDS_KMH.index(said.speed_kmh),
        "direction": _DIRECTIONS[said.direction],
        "min_distance_pct": said.near_pct,
        "max_distance_pct": said.far_pct,
        "min_angle_deg": said.left_deg,
        "max_angle_deg": said.right_deg,
        "tracking_filter": _TRACKING[said.tracking],
    }
    if said.threshold_db is not None:
        settings["threshold_offset_db"] = said.threshold_db
    if said.vibration is not None:
        settings["vibration_suppression"] = said.vibration
    wire = board.description.wires[said.wire]
    line = (wire.baud or 115_200, wire.parity) if isinstance(wire, UartWire) else (115_200, "E")
    board.devices[name] = Kld7Radar(
        name,
        board.link(said.wire),
        board.emit,
        settings=settings,
        baud=line[0],
        parity=line[1],
        stale_ns=said.stale_ms * NS_PER_MS,
        frozen_ns=said.frozen_s * NS_PER_S,
    )


def _ops243(board: Assembly, name: str, said: Ops243) -> None:
    from drivers.devices.ops243 import Ops243Radar

    board.devices[name] = Ops243Radar(
        name,
        board.link(said.wire),
        board.emit,
        unit="UM" if said.unit == "m/s" else "UK",
        direction=said.direction,
        least_speed=said.least_speed,
        least_magnitude=said.least_magnitude,
        ask_ns=said.stale_ms * NS_PER_MS // 3,
        stale_ns=said.stale_ms * NS_PER_MS,
        frozen_ns=said.frozen_s * NS_PER_S,
    )


PARTS = (
    Part(
        keys=Kld7,
        title="RFbeam K-LD7 radar",
        content=lambda said: "kld7",
        bauds=(115_200, 460_800, 921_600, 2_000_000, 3_000_000),  # data sheet rev. B, page 18, INIT
        parities=("E",),
        findings=_edges,
        make=_kld7,
    ),
    Part(
        keys=Ops243,
        title="OmniPreSense OPS243-A radar",
        content=lambda said: "ops243",
        bauds=(9_600, 19_200, 57_600, 115_200, 230_400),  # UM-003-A, page 13, I1 to I5
        make=_ops243,
    ),
)
