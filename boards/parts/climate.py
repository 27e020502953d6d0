"""Weather at a mast, on a serial wire (that on I2C is in `boards.parts.i2c`)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from boards.keys import DeviceKeys, FrozenS
from boards.parts.part import Assembly, Hookup, Part
from drivers.units import NS_PER_MS, NS_PER_S


class LeezenflowSensor(DeviceKeys, frozen=True, kw_only=True, tag="leezenflow-sensor", tag_field="part"):
    """Leezenflow's own sensor: temperature, humidity, air pressure, voltage. It sends a line every two seconds."""

    stale_ms: Annotated[int, msgspec.Meta(ge=2_500, le=600_000)] = 10_000
    frozen_s: FrozenS = 1_800


def _leezenflow_sensor(board: Assembly, name: str, said: LeezenflowSensor) -> None:
    from drivers.devices.leezenflow_sensor import LeezenflowSensor as Device

    board.devices[name] = Device(
        name,
        board.link(said.wire),
        board.emit,
        stale_ns=said.stale_ms * NS_PER_MS,
        frozen_ns=said.frozen_s * NS_PER_S,
    )


PARTS = (
    Part(
        keys=LeezenflowSensor,
        title="Leezenflow sensor",
        content=lambda said: "leezenflow-sensor",
        bauds=(115_200,),
        measures_air=True,
        hookup=Hookup(
            signal="usb",
            supply="5 V by its USB plug",
            note='Name its port by the adapter (usb = { serial = "…" }), so that it keeps it.',
            source="bCyberGmbH/leezenflow-sensor",
        ),
        make=_leezenflow_sensor,
    ),
)
