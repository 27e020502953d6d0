"""Weather at a mast."""

from __future__ import annotations

from drivers.interfaces import ByteLink, Device, Emit
from drivers.parts.part import Bench, Decoded, Options, Part


def _leezenflow_sensor(data: bytes) -> Decoded:
    from drivers.codecs.leezenflow_sensor import decode_events

    return decode_events(data)


def _leezenflow_sensor_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.devices.leezenflow_sensor import LeezenflowSensor

    return LeezenflowSensor(name, link, emit)


PARTS = (
    Part(
        name="leezenflow-sensor",
        title="Leezenflow's sensor: temperature, humidity, air pressure, voltage",
        wire="USB serial 115200 8N1, a line of text every 2 s",
        vendor="the sensor's own source code (bCyberGmbH/leezenflow-sensor); its README contradicts it",
        decode=_leezenflow_sensor,
        bench=Bench(bauds=(115_200,), device=_leezenflow_sensor_device, patience_s=5.0),
    ),
)
