"""kill -9 of a process with a flight recorder under load, at random moments, and what is left afterwards."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec

from drivers.clock import SystemClock
from drivers.recording.events import Snapshot, WireBytes
from drivers.recording.reader import TraceReader
from drivers.recording.ring import ring_files
from drivers.units import NS_PER_S

LOAD = Path(__file__).with_name("flight_load.py")
LATEST_S = 3.0


class Killed(msgspec.Struct, frozen=True):
    """One kill. `lost_ns`: from the first record that is missing to the last that was made; `stall_ns`: the longest
    that the killed process did not come to a tick, which no recorder can help.
    """

    files: int
    records: int
    lost_records: int
    lost_ns: int
    stall_ns: int


def kill_once(folder: Path, after_s: float) -> Killed:
    """Let it run, kill it `after_s` after its first record, look at what is left. AssertionError where a file fails."""
    clock = SystemClock()
    folder.mkdir()
    with subprocess.Popen([sys.executable, str(LOAD), str(folder)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        clock.sleep_until_ns(clock.now_ns() + round(after_s * NS_PER_S))
        process.send_signal(signal.SIGKILL)
        told = first + process.stdout.read()
    made: list[tuple[int, int]] = []
    kept = 0
    for line in told.splitlines():
        words = line.split()
        if len(words) == 3:
            if words[0] == b"made":
                made.append((int(words[1]), int(words[2])))
            else:
                kept = max(kept, int(words[1]))
    numbers = sorted(recovered(folder))
    assert numbers == list(range(1, len(numbers) + 1)), "a hole in the middle"
    assert len(numbers) >= kept, "what a turn had handed to the operating system is gone"
    last, last_ns = made[-1]
    lost_from_ns = next((t_ns for number, t_ns in made if number > len(numbers)), last_ns)
    stall_ns = max((two[1] - one[1] for one, two in pairwise(made)), default=0)
    files = len(ring_files(folder))
    return Killed(files, len(numbers), max(0, last - len(numbers)), last_ns - lost_from_ns, stall_ns)


def recovered(folder: Path) -> Iterator[int]:
    """Numbers of all records that can be read; every file opens with its snapshot."""
    for file in ring_files(folder):
        reader = TraceReader(file.path)
        events = list(reader.events())
        assert not events or isinstance(events[0], Snapshot), file.path
        assert (reader.bad_chunks, reader.bad_messages) == (0, 0), file.path
        assert not reader.note.startswith("damaged"), file.path
        for event in events:
            if isinstance(event, WireBytes):
                yield int.from_bytes(event.data[:8], "little")


def kill_many(folder: Path, kills: int, seed: int = 1) -> list[Killed]:
    """At random moments; each in a folder of its own."""
    chance = random.Random(seed)
    return [kill_once(folder / f"{n}", chance.uniform(0, LATEST_S)) for n in range(kills)]
