"""Bad disks under a flight recorder: full, read-only, gone, slow, failing. The loop never notices, losses are told."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from drivers.recording.container import MAGIC
from drivers.recording.events import Snapshot
from drivers.recording.reader import TraceReader
from drivers.recording.ring import ring_files
from drivers.recording.ring_look import glance
from drivers.recording.storage import Disk, OpenFile
from drivers.units import NS_PER_MS, NS_PER_S
from flight_rig import Flight, riders

SECONDS = 40.0


class MoodyFile:
    """Asks its disk before everything."""

    def __init__(self, inner: OpenFile, disk: MoodyDisk, path: Path) -> None:
        self._inner, self._disk, self._path = inner, disk, path

    def write(self, data: memoryview) -> int:
        self._disk.mood("write", self._path)
        room_b = self._disk.room_b()
        if room_b <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._inner.write(data[:room_b])

    def sync(self) -> None:
        self._disk.mood("sync", self._path)

    def close(self) -> None:
        self._inner.close()


class MoodyDisk(Disk):
    """A disk of `size_b` bytes whose `mood` may raise."""

    def __init__(self, folder: Path, size_b: int = 1 << 40) -> None:
        self.folder, self.size_b = folder, size_b
        self.mood: Callable[[str, Path], None] = lambda what, path: None

    def room_b(self) -> int:
        return self.size_b - sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def create(self, path: Path, *, replace: bool) -> OpenFile:
        self.mood("create", path)
        return MoodyFile(super().create(path, replace=replace), self, path)

    def make_folder(self, folder: Path) -> None:
        self.mood("make folder", folder)
        super().make_folder(folder)

    def remove(self, path: Path) -> None:
        self.mood("remove", path)
        super().remove(path)


def refusing(number: int, *whats: str) -> Callable[[str, Path], None]:
    def mood(what: str, path: Path) -> None:
        if what in whats:
            raise OSError(number, os.strerror(number), str(path))

    return mood


def states(flight: Flight) -> Iterator[str]:
    """The recorder's state, whenever it changes, as the flight goes on."""
    seen: list[str] = []
    turn = flight.wires.turn

    def turn_and_look() -> None:
        turn()
        state = flight.recorder.figures()["state"]
        if not seen or seen[-1] != state:
            seen.append(state)

    flight.wires.turn = turn_and_look
    flight.run(SECONDS)
    yield from seen


def all_open(folder: Path) -> list[Any]:
    """Every file opens, reads without damage, and begins with a snapshot. Gives all events."""
    everything = []
    for file in ring_files(folder):
        assert file.path.read_bytes().startswith(MAGIC), file.path
        reader = TraceReader(file.path)
        events = list(reader.events())
        assert not events or isinstance(events[0], Snapshot)
        assert (reader.bad_chunks, reader.bad_messages) == (0, 0)
        assert not reader.note.startswith("damaged")
        everything += events
    return everything


def ticks_of(flight: Flight) -> int:
    return flight.controller.cycle.ticks


@pytest.fixture
def undisturbed(tmp_path: Path) -> int:
    """How many ticks the same flight has over a good disk."""
    return ticks_of(Flight(tmp_path / "good", riders(SECONDS)).run(SECONDS))


def test_on_a_full_disk_our_oldest_files_go_and_those_of_others_stay(tmp_path: Path, undisturbed: int) -> None:
    ring = tmp_path / "ring"
    ring.mkdir()
    others = [ring / "kanalpromenade-lamp-0001.mcap", ring / "other-000001.mcap", ring / "kanalpromenade-lamp.txt"]
    for other in others:
        other.write_bytes(bytes(5_000))
    flight = Flight(ring, riders(SECONDS), storage=MoodyDisk(ring, 90_000), file_minutes=0.1)
    assert set(states(flight)) == {"recording"}
    assert all(other.stat().st_size == 5_000 for other in others)
    files = ring_files(ring, "kanalpromenade-lamp")
    numbers = [file.number for file in files]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert numbers[0] > 1
    for file in files:
        assert not glance(file).note or file is files[-1]
    assert flight.recorder.figures()["dropped_records"] == 0
    assert ticks_of(flight) == undisturbed


def test_a_disk_that_others_have_filled_is_said_and_tried_again(tmp_path: Path, undisturbed: int) -> None:
    ring = tmp_path / "ring"
    disk = MoodyDisk(ring, 0)
    flight = Flight(ring, riders(SECONDS), storage=disk)
    turn = flight.wires.turn

    def turn_and_free() -> None:
        turn()
        if flight.clock.now_ns() > flight.start_ns + 20 * NS_PER_S:
            disk.size_b = 1 << 30

    flight.wires.turn = turn_and_free
    seen = list(states(flight))
    assert seen[0].startswith("full: ")
    assert "No space left on device; nothing of ours is left to delete" in seen[0]
    assert seen[-1] == "recording"
    assert all_open(ring)
    assert glance(ring_files(ring)[0]).missing_before.partition(" ")[0] != "0"
    assert flight.recorder.figures()["dropped_records"] > 100
    assert ticks_of(flight) == undisturbed


@pytest.mark.parametrize(
    ("number", "whats"),
    [
        (errno.EROFS, ("create", "write", "remove")),
        (errno.EACCES, ("make folder",)),
        (errno.EIO, ("write",)),
        (errno.EIO, ("sync",)),
        (errno.EDQUOT, ("write",)),
        (errno.ENOSPC, ("sync",)),
    ],
)
def test_whatever_the_disk_refuses_for_a_while_the_ring_goes_on_afterwards(
    tmp_path: Path, undisturbed: int, number: int, whats: tuple[str, ...]
) -> None:
    ring = tmp_path / "ring"
    disk = MoodyDisk(tmp_path)
    flight = Flight(ring, riders(SECONDS), storage=disk, file_minutes=0.1, sync_s=1)
    bad, well, turn = refusing(number, *whats), disk.mood, flight.wires.turn

    def turn_and_change() -> None:
        at_ns = flight.clock.now_ns() - flight.start_ns
        disk.mood = bad if 10 * NS_PER_S < at_ns < 20 * NS_PER_S else well
        turn()

    flight.wires.turn = turn_and_change
    seen = list(states(flight))
    assert seen[0] == seen[-1] == "recording"
    assert any(os.strerror(number) in state for state in seen)
    assert all_open(ring)
    assert ticks_of(flight) == undisturbed


def test_a_folder_that_cannot_be_made_is_said_and_tried_again_ever_more_rarely(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    disk = MoodyDisk(tmp_path)
    asked: list[int] = []
    flight = Flight(tmp_path / "file" / "ring", riders(SECONDS), storage=disk)
    disk.mood = lambda what, path: asked.append(flight.clock.now_ns())
    seen = list(states(flight))
    assert len(seen) == 1
    assert seen[0].startswith("stopped: ")
    assert "Not a directory" in seen[0]
    pauses_s = [(two - one) / NS_PER_S for one, two in pairwise(asked)]
    assert pauses_s == sorted(pauses_s)
    assert 1 <= pauses_s[0] < pauses_s[-1]


def test_a_folder_that_vanishes_under_the_recorder_is_made_again(tmp_path: Path, undisturbed: int) -> None:
    ring = tmp_path / "ring"
    flight = Flight(ring, riders(SECONDS), sync_s=1)
    turn, gone = flight.wires.turn, []

    def turn_and_remove() -> None:
        turn()
        if not gone and flight.clock.now_ns() > flight.start_ns + 10 * NS_PER_S:
            gone.append(ring.rename(tmp_path / "away"))

    flight.wires.turn = turn_and_remove
    seen = list(states(flight))
    assert any("has been removed" in state for state in seen)
    assert seen[-1] == "recording"
    assert [file.number for file in ring_files(ring)] == [2]
    assert all_open(ring)
    assert ticks_of(flight) == undisturbed


def test_a_disk_that_hangs_costs_records_and_a_gap_but_no_tick(tmp_path: Path, undisturbed: int) -> None:
    ring = tmp_path / "ring"
    flight = Flight(ring, riders(SECONDS), queue_bytes=100_000)
    turn = flight.wires.turn

    def turn_unless_hanging() -> None:
        at_ns = flight.clock.now_ns() - flight.start_ns
        if not 10 * NS_PER_S < at_ns < 25 * NS_PER_S:
            turn()

    flight.wires.turn = turn_unless_hanging
    flight.run(SECONDS)
    figures = flight.recorder.figures()
    assert figures["gaps"] == 1
    assert figures["dropped_records"] > 100
    first, second = ring_files(ring)
    assert (glance(first).gap, glance(second).gap) == (True, False)
    assert all_open(ring)
    assert ticks_of(flight) == undisturbed


def test_a_disk_slow_to_synchronise_is_said_and_nothing_waits_for_it(tmp_path: Path, undisturbed: int) -> None:
    flight = Flight(tmp_path / "ring", riders(SECONDS), sync_s=1)
    flight.recorder.writer.begin_threads(lambda call: True)  # a thread that never comes to it
    flight.recorder.writer._clock = ClockWithoutNaps(flight)  # type: ignore[assignment]
    seen = list(states(flight))
    assert seen[0] == "recording"
    assert seen[-1].startswith("recording; the disk has not synchronised for ")
    assert flight.recorder.figures()["dropped_records"] == 0
    assert ticks_of(flight) == undisturbed


def test_a_fault_of_the_recorder_itself_costs_a_file_and_not_the_recorder(tmp_path: Path, undisturbed: int) -> None:
    ring = tmp_path / "ring"
    flight = Flight(ring, riders(SECONDS))
    turn, done = flight.wires.turn, []

    def turn_with_fault() -> None:
        if not done and flight.clock.now_ns() > flight.start_ns + 10 * NS_PER_S:
            done.append(flight.recorder._append((8, 100, "no time", None)))  # a count of ticks that cannot be written
            flight.recorder._put_b += 100
        turn()

    flight.wires.turn = turn_with_fault
    seen = list(states(flight))
    assert any(state.startswith("stopped: a fault of the recorder, please report it: TypeError") for state in seen)
    assert seen[-1] == "recording"
    assert [file.number for file in ring_files(ring)] == [1, 2]
    assert flight.recorder._put_b == flight.recorder.writer.taken_b
    assert all_open(ring)
    assert ticks_of(flight) == undisturbed


class ClockWithoutNaps:
    """The flight's clock, which no nap of the worker moves."""

    def __init__(self, flight: Flight) -> None:
        self._clock = flight.clock

    def now_ns(self) -> int:
        return self._clock.now_ns()

    def sleep_until_ns(self, deadline_ns: int) -> None:
        return


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False
        ).returncode
    )
    if not mounted:
        pytest.skip("mounting a small tmpfs needs root and the right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_on_a_real_small_disk_the_ring_keeps_the_newest(small_disk: Path, undisturbed: int) -> None:
    (small_disk / "others").write_bytes(bytes(190_000))
    flight = Flight(small_disk, riders(SECONDS), file_minutes=0.1)
    assert set(states(flight)) == {"recording"}
    files = ring_files(small_disk)
    assert files[0].number > 1
    assert (small_disk / "others").stat().st_size == 190_000
    last_ns = max(event.t_ns for event in all_open(small_disk))
    assert last_ns > flight.start_ns + round(SECONDS * NS_PER_S) - 500 * NS_PER_MS
    assert ticks_of(flight) == undisturbed


def test_a_real_disk_that_becomes_read_only_stops_the_recorder_and_not_the_loop(
    small_disk: Path, undisturbed: int
) -> None:
    flight = Flight(small_disk / "ring", riders(SECONDS), file_minutes=0.1, sync_s=1)
    turn, done = flight.wires.turn, []

    def turn_and_remount() -> None:
        turn()
        if not done and flight.clock.now_ns() > flight.start_ns + 10 * NS_PER_S:
            done.append(flight.recorder._cycle)
            flight.recorder.writer._file.abandon()  # type: ignore[union-attr]  # open files forbid a remount
            subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    flight.wires.turn = turn_and_remount
    seen = list(states(flight))
    assert seen[-1].startswith("stopped: ")
    assert "Read-only file system" in seen[-1]
    assert ticks_of(flight) == undisturbed
