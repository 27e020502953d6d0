"""Weather at a mast."""

from __future__ import annotations

from drivers.interfaces import ByteLink, Device, Emit
from drivers.parts.part import Bench, Decoded, Options, Part
from drivers.units import NS_PER_MS


def _leezenflow_sensor(data: bytes) -> Decoded:
    from drivers.codecs.leezenflow_sensor import decode_events

    return decode_events(data)


def _leezenflow_sensor_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.devices.leezenflow_sensor import LeezenflowSensor

    return LeezenflowSensor(name, link, emit)


def _bme280(data: bytes) -> Decoded:
    from drivers.codecs.i2c_transfers import decode_events, describe_bme280

    return decode_events(data, describe_bme280)


def _bme280_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.bench.i2c import AloneOnBus
    from drivers.buses.i2c import I2cBus
    from drivers.devices.bme280 import ADDRESSES, Bme280
    from drivers.parts.i2c import address_of

    said = options.whole({"period_ms": 1_000})
    bus = I2cBus("i2c", link, emit=emit)
    address = address_of(options, ADDRESSES, 0x76)
    return AloneOnBus(bus, Bme280(name, bus, address=address, period_ns=said["period_ms"] * NS_PER_MS))


PARTS = (
    Part(
        name="leezenflow-sensor",
        title="Leezenflow's sensor: temperature, humidity, air pressure, voltage",
        wire="USB serial 115200 8N1, a line of text every 2 s",
        vendor="the sensor's own source code (bCyberGmbH/leezenflow-sensor); its README contradicts it",
        decode=_leezenflow_sensor,
        bench=Bench(bauds=(115_200,), device=_leezenflow_sensor_device, patience_s=5.0),
    ),
    Part(
        name="bme280",
        title="BME280: temperature, humidity, air pressure",
        wire="I2C, address 0x76 or 0x77",
        vendor="Bosch's worked example, 25.08 degC and 1006.53 hPa, by Adafruit's driver as it is installed",
        decode=_bme280,
        takes_anything=True,
        bench=Bench(wire="i2c", address=0x76, device=_bme280_device),
    ),
)
