"""A flight recorder over a disk that refuses anything at any time: nothing is raised, and what there is can be read."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.recording.events import Snapshot
from drivers.recording.reader import TraceReader
from drivers.recording.ring import ring_files
from drivers.recording.storage import Disk, OpenFile
from drivers.units import NS_PER_S
from flight_rig import Flight, riders

SECONDS = 100
WELL_FROM_S = 30
"""The last half minute of bad moods, and the longest pause between two tries."""

NUMBERS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.ENOENT, errno.EACCES, errno.EDQUOT)


class MoodyDisk(Disk):
    """Refuses each call with a probability, and takes as many bytes as it likes."""

    def __init__(self, seed: int, share: float) -> None:
        self._chance, self.share = random.Random(seed), share

    def ask(self) -> None:
        if self._chance.random() < self.share:
            number = self._chance.choice(NUMBERS)
            raise OSError(number, os.strerror(number))

    def take(self, size_b: int) -> int:
        return self._chance.randint(1, size_b) if self.share else size_b

    def create(self, path: Path, *, replace: bool) -> OpenFile:
        self.ask()
        return MoodyFile(super().create(path, replace=replace), self)

    def make_folder(self, folder: Path) -> None:
        self.ask()
        super().make_folder(folder)

    def sync_folder(self, folder: Path) -> None:
        self.ask()

    def sizes(self, folder: Path) -> dict[str, int]:
        self.ask()
        return super().sizes(folder)

    def exists(self, path: Path) -> bool:
        self.ask()
        return super().exists(path)

    def remove(self, path: Path) -> None:
        self.ask()
        super().remove(path)


class MoodyFile:
    """A file of such a disk."""

    def __init__(self, inner: OpenFile, disk: MoodyDisk) -> None:
        self._inner, self._disk = inner, disk

    def write(self, data: memoryview) -> int:
        self._disk.ask()
        return self._inner.write(data[: self._disk.take(len(data))])

    def sync(self) -> None:
        self._disk.ask()

    def close(self) -> None:
        self._inner.close()
        self._disk.ask()


@settings(max_examples=12)
@given(seed=st.integers(0, 1 << 30), share=st.sampled_from([0.003, 0.03, 0.2, 0.7, 1.0]))
def test_whatever_the_disk_refuses_nothing_is_raised_and_the_ring_is_sound(
    tmp_path_factory: pytest.TempPathFactory, seed: int, share: float
) -> None:
    ring = tmp_path_factory.mktemp("ring")
    disk = MoodyDisk(seed, share)
    flight = Flight(ring, riders(SECONDS, 200), storage=disk, file_minutes=0.05, sync_s=1, limit_bytes=100_000)
    turn = flight.wires.turn

    def turn_and_heal() -> None:
        if flight.clock.now_ns() > flight.start_ns + WELL_FROM_S * NS_PER_S:
            disk.share = 0.0
        turn()

    flight.wires.turn = turn_and_heal
    flight.run(SECONDS)
    files = ring_files(ring)
    assert sum(file.size_b for file in files) <= 100_000
    for file in files:
        reader = TraceReader(file.path)
        events = list(reader.events())
        assert not events or isinstance(events[0], Snapshot)
        assert (reader.bad_chunks, reader.bad_messages) == (0, 0)
    assert TraceReader(files[-1].path).complete
    assert flight.recorder._put_b == flight.recorder.writer.taken_b
