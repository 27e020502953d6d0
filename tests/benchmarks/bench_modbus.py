"""Modbus frames a second: the two-way monitor and the master's transactions, beside pymodbus' framer.

The frames are of the sizes of a recorded bus (8, 9, 35 and 7 bytes, request and reply in turns), one ``feed()`` each.
pymodbus has to be told which way each goes; the monitor finds out. Its worst case here is rubbish of which every second
byte begins a frame of 245 bytes. crcmod has a C extension that its wheel does not bring; `crcmod_extension` says
whether it is there. ``python -m tests.benchmarks modbus``
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter_ns

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from drivers.codecs.modbus_monitor import ModbusMonitor, crc16
from drivers.codecs.modbus_rtu import Transaction, encode_request, find_reply, read
from hil.peers.modbus_models import ModbusModel
from hil.peers.modbus_slaves import with_crc

PAIRS = 5_000
ROUNDS = 9
RUBBISH = b"\xf0\x03" * 4_000


def frames() -> list[tuple[Transaction, bytes, bytes]]:
    """Requests of a master and the replies to them."""
    made = []
    sizes = [(0x4082, 2), (0, 15), (13, 1), (0, 2)]
    for n in range(PAIRS):
        start, count = sizes[n % len(sizes)]
        asked = read(247, start, count)
        model = ModbusModel(247, holding={number: (n * 31 + number) & 0xFFFF for number in range(start, start + count)})
        request = encode_request(asked)
        made.append((asked, request, with_crc(b"\xf7" + model.answer(request[1:-2], n))))
    return made


def run() -> dict[str, float]:
    """Medians of nine rounds, in turns, in microseconds a frame (for CRC and rubbish: a call, a byte)."""
    made = frames()
    client, server = FramerRTU(DecodePDU(False)), FramerRTU(DecodePDU(True))
    crc = crc16()
    longest = max((reply for _, _, reply in made), key=len)

    def monitor() -> int:
        feed = ModbusMonitor().feed
        found = 0
        for _, request, reply in made:
            found += len(feed(request)) + len(feed(reply))
        assert found == 2 * PAIRS
        return found

    def framer() -> int:
        for _, request, reply in made:
            server.handleFrame(request, 0, 0)
            client.handleFrame(reply, 0, 0)
        return 2 * PAIRS

    def transactions() -> int:
        for asked, _, reply in made:
            answer = find_reply(asked, reply)
            assert answer is not None
        return PAIRS

    def client_framer() -> int:
        for _, _, reply in made:
            client.handleFrame(reply, 0, 0)
        return PAIRS

    def requests() -> int:
        for asked, _, _ in made:
            encode_request(asked)
        return PAIRS

    def rubbish() -> int:
        ModbusMonitor().feed(RUBBISH)
        return len(RUBBISH)

    def short_crc() -> int:
        for _, request, _ in made:
            crc(request)
        return PAIRS

    def long_crc() -> int:
        for _ in range(PAIRS):
            crc(longest)
        return PAIRS

    work: dict[str, Callable[[], int]] = {
        "monitor": monitor,
        "framer": framer,
        "transactions": transactions,
        "client_framer": client_framer,
        "requests": requests,
        "rubbish": rubbish,
        "short_crc": short_crc,
        "long_crc": long_crc,
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for name, call in work.items():
                began = perf_counter_ns()
                count = call()
                times[name].append((perf_counter_ns() - began) / count)
    finally:
        gc.enable()
    us = {name: median(taken) / 1000 for name, taken in times.items()}
    return {
        "monitor_us_per_frame": us["monitor"],
        "pymodbus_framer_us_per_frame": us["framer"],
        "ratio_monitor_to_pymodbus": us["monitor"] / us["framer"],
        "parse_reply_us": us["transactions"],
        "pymodbus_reply_alone_us": us["client_framer"],
        "build_request_us": us["requests"],
        "worst_rubbish_us_per_byte": us["rubbish"],
        "crcmod_8_bytes_us": us["short_crc"],
        "crcmod_35_bytes_us": us["long_crc"],
        "crcmod_extension": float(getattr(sys.modules["crcmod.crcmod"], "_usingExtension", False)),
        "monitor_frames_per_s": 1e6 / us["monitor"],
    }
