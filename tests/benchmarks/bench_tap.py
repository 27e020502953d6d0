"""What a tap costs a service for each chunk of a wire: no listener, one listener; beside the same wire without a tap.

The named peer is the untapped wire in the same run; one chunk is an idle frame of a radar (10 bytes).
"""

from __future__ import annotations

import gc
import socket
import tempfile
from pathlib import Path
from typing import Any

from drivers.clock import SystemClock
from drivers.links.memory import MemoryLink, memory_pair
from drivers.links.tap import Tap
from drivers.links.tap_records import TapWire
from drivers.links.tap_server import TapServer

CHUNK = bytes.fromhex("f4f3f2f10000f8f7f6f5")
CHUNKS = 100_000
ROUNDS = 5
_READ_B = 1 << 18


def run() -> dict[str, Any]:
    """Best of five rounds each, microseconds a chunk; `added_*` is what the tap adds."""
    with tempfile.TemporaryDirectory() as folder:
        server = TapServer(Path(folder) / "bench.tap", "bench", (TapWire("radar-1", "uart", "ld2451", 115_200),))
        server.open()
        plain_near, plain_far = memory_pair("radar-1")
        plain_near.receiver = _heard
        near, far = memory_pair("radar-1")
        Tap(near, 0, server).receiver = _heard
        plain_us = _best(plain_far, None, server)
        alone_us = _best(far, None, server)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.connect(str(server.path))
            listener.setblocking(False)
            server.pump(0)
            listened_us = _best(far, listener, server)
        server.close()
    return {
        "untapped_us": plain_us,
        "tapped_us": alone_us,
        "listened_us": listened_us,
        "added_without_listener_us": alone_us - plain_us,
        "added_with_listener_us": listened_us - plain_us,
        "added_without_listener_ns_a_byte": 1000 * (alone_us - plain_us) / len(CHUNK),
    }


def _heard(data: bytes, t_ns: int) -> None:
    pass


def _best(far: MemoryLink, listener: socket.socket | None, server: TapServer) -> float:
    clock, taken = SystemClock(), []
    for _ in range(ROUNDS):
        gc.collect()
        spent_ns = 0
        for _ in range(CHUNKS // 1000):
            start_ns = clock.now_ns()
            for n in range(1000):
                far.write(CHUNK, n)
            spent_ns += clock.now_ns() - start_ns
            if listener is not None:  # the reader's time is not the service's
                while len(listener.recv(_READ_B)) == _READ_B:
                    pass
                server.pump(0)
        taken.append(spent_ns)
    return min(taken) / CHUNKS / 1000
