"""A process with a flight recorder under load, to be killed: ``python flight_load.py FOLDER``.

Every record is numbered. On stdout goes a ledger, a line every few milliseconds: ``made NUMBER T_NS`` for what the loop
has handed over, ``kept NUMBER T_NS`` after each turn of the worker for what is with the operating system.
"""

from __future__ import annotations

import os
import random
import struct
import sys
from pathlib import Path
from typing import Any, cast

from boards.load import load_board
from controllers.core.scan_cycle import ScanCycle
from controllers.service.flight_recorder import FlightRecorder
from controllers.service.flight_tap import flight_wires
from controllers.service.sites import load_site
from drivers.clock import SystemClock
from drivers.recording.provenance import Provenance
from drivers.units import NS_PER_MS, NS_PER_S

NUMBER = struct.Struct("<QQ")
TICK_NS = 10 * NS_PER_MS
A_TICK = 20
"""Records a tick: 2000 a second."""

LARGE_B = 33_000
LONGEST_NS = 120 * NS_PER_S


class Cycle:
    """Has a snapshot."""

    def snapshot(self) -> dict[str, Any]:
        return {"state": list(range(200))}


def tell(word: str, number: int, t_ns: int) -> None:
    os.write(1, f"{word} {number} {t_ns}\n".encode())


def main(folder: Path) -> None:
    clock, chance = SystemClock(), random.Random(1)
    description = load_board("kanalpromenade-lamp")
    wires = flight_wires(description)
    recorder = FlightRecorder(
        folder,
        description,
        load_site("kanalpromenade-reference"),
        "west",
        Provenance(),
        wires,
        file_minutes=1 / 60,
        limit_bytes=1 << 28,
        sync_s=1,
    )
    number = 0
    turn = recorder.writer.turn

    def told_turn() -> None:
        before = number - len(recorder._queue)
        turn()
        tell("kept", before, clock.now_ns())

    recorder.writer.turn = told_turn  # type: ignore[method-assign]
    recorder.open(cast(ScanCycle, Cycle()))
    began_ns = due_ns = clock.now_ns()
    recorder.started(began_ns)
    while due_ns < began_ns + LONGEST_NS:
        clock.sleep_until_ns(due_ns)
        t_ns = clock.now_ns()
        for _ in range(A_TICK):
            number += 1
            payload = chance.randbytes(12) if number % 200 else b"<x>0</x>" * (LARGE_B // 8)
            recorder.passed(number % len(wires), False, NUMBER.pack(number, t_ns) + payload, t_ns)
        recorder.ticked(t_ns)
        tell("made", number, t_ns)
        due_ns += TICK_NS


if __name__ == "__main__":
    main(Path(sys.argv[1]))
