"""I2C transfers a second: framed, replied and decoded, beside struct.unpack of the same registers.

The peer is the least one could write: the reply's three bytes of head and its registers by one struct. It knows no bus,
no queue and no deadline. ``python -m tests.benchmarks i2c``
"""

from __future__ import annotations

import gc
import struct
from statistics import median
from time import perf_counter_ns

from drivers.buses.i2c import I2cBus
from drivers.buses.i2c_procedures import Done
from drivers.codecs import bme280, ina226, mcp4725, pca9685
from drivers.codecs.ina226 import Scale
from drivers.devices import bme280 as adafruit
from drivers.devices.ina226 import read as read_ina226
from drivers.links.memory import memory_pair
from drivers.transfers import OK, Reply, ReplyStream, RequestStream, encode_reply, encode_request
from hil.peers.i2c_chips import I2cChips
from hil.peers.i2c_models import Bme280Model, Ina226Model

TRANSFERS = 5_000
ROUNDS = 9
_HEAD = struct.Struct("3B")
_WORD = struct.Struct(">H")


def framing() -> None:
    """A request out, its reply in, one register decoded: all that a transfer costs beside the bus's bookkeeping."""
    requests, replies = RequestStream(), ReplyStream()
    scale = Scale.of(2_000, 32_768)
    for _ in range(TRANSFERS):
        (asked,) = requests.feed(encode_request(ina226.read_register(0x40, ina226.REG_BUS)))
        (said,) = replies.feed(encode_reply(Reply(asked.address, OK, b"\x25\x70")))
        scale.voltage_mv(ina226.word(said.data))


def chips() -> None:
    """Decoding alone: each of four chips in turn."""
    measured, outputs = bme280.measured(519888, 415148, 30_000), bytes(64)
    scale = Scale.of(2_000, 32_768)
    for n in range(TRANSFERS):
        match n % 4:
            case 0:
                bme280.raw_values(measured)
            case 1:
                scale.current_ma(ina226.word(b"\x27\x10"))
            case 2:
                mcp4725.decode(b"\xc0\xab\xc0\x01\x23")
            case _:
                pca9685.decode_outputs(outputs[:16])


def plain() -> None:
    """The peer: head and register by struct, nothing else."""
    reply = b"\x40\x00\x02\x25\x70"
    for _ in range(TRANSFERS):
        _, status, count = _HEAD.unpack_from(reply)
        if status != 0 or count != 2:
            raise ValueError("no good reply")
        _WORD.unpack_from(reply, 3)[0] * 1_250 // 1000


def _bus(procedures: dict[str, object], chip: object, address: int) -> tuple[I2cBus, list[Done]]:
    near, far = memory_pair("i2c")
    I2cChips("bench/i2c", far, {address: chip})  # type: ignore[dict-item]
    done: list[Done] = []
    bus = I2cBus("i2c", near, emit=lambda value: None)
    bus.attach("a", procedures, done.append)  # type: ignore[arg-type]
    return bus, done


def on_bus() -> None:
    """Five registers of an INA226 through bus, wire and far end, which costs as much again."""
    bus, _ = _bus({"read": read_ina226}, Ina226Model(), 0x40)
    for n in range(TRANSFERS // 5):
        bus.submit("a", "read", (0x40,), n, deadline_ns=n + 1_000)
        bus.advance(n)


def library() -> None:
    """A whole reading by Adafruit's driver on the bus, five transfers."""
    bus, done = _bus({"start": adafruit.start, "read": adafruit.read}, Bme280Model(), 0x76)
    bus.submit("a", "start", (0x76,), 0, deadline_ns=1 << 40)
    bus.advance(0)
    bus.advance(bus.wake_ns)
    answers = done[0].result["answers"]
    for n in range(TRANSFERS // 5):
        now_ns = 100_000_000 + n
        bus.submit("a", "read", (0x76, answers), now_ns, deadline_ns=now_ns + 1_000)
        bus.advance(now_ns)


def run() -> dict[str, float]:
    """Medians of nine rounds, in turns."""
    work = {"framing": framing, "chips": chips, "on_bus": on_bus, "library": library, "plain": plain}
    times: dict[str, list[float]] = {name: [] for name in work}
    library()  # the import
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for name, call in work.items():
                began = perf_counter_ns()
                call()
                times[name].append((perf_counter_ns() - began) / TRANSFERS)
    finally:
        gc.enable()
    us = {name: median(taken) / 1000 for name, taken in times.items()}
    return {
        "framing_and_decode_us_per_transfer": us["framing"],
        "chip_decode_alone_us": us["chips"],
        "bus_and_far_end_us_per_transfer": us["on_bus"],
        "bme280_by_adafruit_us_per_reading": us["library"] * 5,
        "plain_struct_us": us["plain"],
        "ratio_framing_to_plain": us["framing"] / us["plain"],
    }
