"""Recorded I2C transfers (drivers.transfers) as events, and what each says to a known chip.

A recording holds requests, replies, or both as they passed: request, reply, request, reply. Which it is shows in the
bytes: a reply repeats the address of its request and brings as many bytes as were asked for. The reading that leaves
least over is taken; what fits none is skipped byte by byte and counted.

The format is ours (drivers/transfers.py); the bytes in it are the part's, see its codec.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from drivers.codecs import bme280, gp8403, ina226, mcp4725, pca9685
from drivers.transfers import HEAD_BYTES, OK, STATUS_TEXT, Reply, Request

Describe = Callable[[bytes, bytes], dict[str, Any]]
"""What (bytes written, bytes read) say to a chip; {} for nothing known."""


def decode_events(data: bytes, describe: Describe | None = None) -> tuple[list[dict[str, object]], int]:
    """JSON-able events of a whole recording, and how many bytes were skipped. Never raises.

    Types: ``i2c_transfer`` (request and reply), ``i2c_request``, ``i2c_reply``; each with ``address``, and what there
    is of ``written_hex``, ``read_count``, ``read_hex``, ``status``; with `describe` also what it adds.
    """
    readings = [_read(data, kind, describe) for kind in (_transfer, _request, _reply)]
    return min(readings, key=lambda reading: reading[1])


_Taken = tuple[Request | None, Reply | None, int]


def _read(
    data: bytes, take: Callable[[bytes, int], _Taken | None], describe: Describe | None
) -> tuple[list[dict[str, object]], int]:
    events = []
    at = skipped = 0
    while at < len(data):
        taken = take(data, at)
        if taken is None:
            at += 1
            skipped += 1
            continue
        request, reply, at = taken
        events.append(_event(request, reply, describe))
    return events, skipped


def _request(data: bytes, at: int) -> _Taken | None:
    head = data[at : at + HEAD_BYTES]
    end = at + HEAD_BYTES + (head[1] if len(head) == HEAD_BYTES else len(data))
    if end > len(data) or head[0] > 0x7F:
        return None
    return Request(head[0], data[at + HEAD_BYTES : end], head[2]), None, end


def _reply(data: bytes, at: int) -> _Taken | None:
    head = data[at : at + HEAD_BYTES]
    end = at + HEAD_BYTES + (head[2] if len(head) == HEAD_BYTES else len(data))
    if end > len(data) or head[0] > 0x7F or head[1] not in STATUS_TEXT or (head[2] and head[1] != OK):
        return None
    return None, Reply(head[0], head[1], data[at + HEAD_BYTES : end]), end


def _transfer(data: bytes, at: int) -> _Taken | None:
    asked = _request(data, at)
    said = _reply(data, asked[2]) if asked is not None else None
    if asked is None or said is None:
        return None
    request, reply = asked[0], said[1]
    assert request is not None
    assert reply is not None
    whole = reply.status != OK or len(reply.data) == request.read_count
    return (request, reply, said[2]) if whole and reply.address == request.address else None


def _event(request: Request | None, reply: Reply | None, describe: Describe | None) -> dict[str, object]:
    kind = "i2c_transfer" if request and reply else "i2c_request" if request else "i2c_reply"
    address = request.address if request is not None else reply.address if reply is not None else 0
    event: dict[str, object] = {"type": kind, "address": f"{address:#04x}"}
    if request is not None:
        event["written_hex"] = request.data.hex()
        if reply is None:
            event["read_count"] = request.read_count
    if reply is not None:
        event |= {"read_hex": reply.data.hex(), "status": STATUS_TEXT[reply.status]}
    if describe is not None and request is not None and (reply is None or reply.status == OK):
        event |= describe(request.data, reply.data if reply is not None else b"")
    return event


# --- what a transfer says to each chip


def describe_gp8403(written: bytes, said: bytes) -> dict[str, Any]:
    """``{"range_mv": 10000}``, ``{"output_0": 2047}``."""
    range_mv, outputs = gp8403.written(written)
    return {"range_mv": range_mv} if range_mv else {f"output_{number}": counts for number, counts in outputs.items()}


def describe_mcp4725(written: bytes, said: bytes) -> dict[str, Any]:
    """``{"counts": 2048}``, with ``power_down`` and ``eeprom_counts`` when it was read."""
    if len(said) == mcp4725.READ_BYTES:
        reading = mcp4725.decode(said)
        return {
            "counts": reading.counts,
            "power_down": reading.power_down,
            "eeprom_counts": reading.eeprom_counts,
        }
    told = mcp4725.written(written)
    return {} if told is None else {"counts": told[0], "power_down": told[1], "into_eeprom": told[2]}


def describe_pca9685(written: bytes, said: bytes) -> dict[str, Any]:
    """``{"mode": "0xa0"}``, ``{"prescale": 5}``, ``{"outputs": {"0": 4096}}``."""
    if not written:
        return {}
    register, values = written[0], written[1:] or said
    if register == pca9685.REG_MODE1 and len(values) == 1:
        return {"mode": f"{values[0]:#04x}"}
    if register == pca9685.REG_PRESCALE and len(values) == 1:
        return {"prescale": values[0]}
    first, rest = divmod(register - pca9685.REG_LED0, 4)
    if rest or not 0 <= first < pca9685.CHANNELS or len(values) < 4:
        return {}
    counts = pca9685.decode_outputs(values)[: pca9685.CHANNELS - first]
    return {"outputs": {str(first + n): value for n, value in enumerate(counts)}}


_INA226: Final = {
    ina226.REG_CONFIG: "configuration",
    ina226.REG_SHUNT: "shunt",
    ina226.REG_BUS: "bus",
    ina226.REG_POWER: "power",
    ina226.REG_CURRENT: "current",
    ina226.REG_CALIBRATION: "calibration",
    ina226.REG_MASK: "mask",
    ina226.REG_MAKER: "maker",
    ina226.REG_DIE: "die",
}


def describe_ina226(written: bytes, said: bytes) -> dict[str, Any]:
    """``{"register": "bus", "raw": 9584, "bus_mv": 11980}``; current and power need a calibration and stay raw."""
    value = written[1:] or said
    if len(value) != 2 or written[:1] == b"" or written[0] not in _INA226:
        return {}
    raw = ina226.word(value)
    scale = ina226.Scale(1, 1)
    extra = {"bus_mv": scale.voltage_mv(raw)} if written[0] == ina226.REG_BUS else {}
    if written[0] == ina226.REG_SHUNT:
        extra = {"shunt_uv": scale.shunt_uv(raw)}
    return {"register": _INA226[written[0]], "raw": raw, **extra}


_BME280: Final = {
    bme280.REG_ID: "id",
    bme280.REG_RESET: "reset",
    bme280.REG_CTRL_HUM: "ctrl_hum",
    bme280.REG_STATUS: "status",
    bme280.REG_CTRL_MEAS: "ctrl_meas",
    bme280.REG_CONFIG: "config",
}
_BME280_RAW: Final = {
    bme280.REG_PRESSURE: "pressure_raw",
    bme280.REG_TEMPERATURE: "temperature_raw",
    bme280.REG_HUMIDITY: "humidity_raw",
}


def describe_bme280(written: bytes, said: bytes) -> dict[str, Any]:
    """``{"temperature_raw": 519888}``, ``{"id": "0x60"}``, ``{"trimming_from": "0x88"}``."""
    if not written:
        return {}
    register, value = written[0], written[1:2] or said
    if register in _BME280 and len(value) == 1:
        return {_BME280[register]: f"{value[0]:#04x}"}
    if register in _BME280_RAW and len(said) in (2, 3):
        return {_BME280_RAW[register]: int.from_bytes(said, "big") >> (4 if len(said) == 3 else 0)}
    return {"trimming_from": f"{register:#04x}"} if register in (0x88, 0xA1, 0xE1) and said else {}
