"""A power cut, simulated: the recorder's file operations up to a random one, unsynced pages and names kept or not."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from drivers.errors import InputError
from drivers.recording.events import Snapshot, WireBytes
from drivers.recording.reader import TraceReader
from drivers.recording.ring import ring_files
from drivers.recording.storage import Disk, OpenFile
from flight_rig import Flight, riders

PAGE_B = 4096
SYNC_S = 5
SECONDS = 100

Operation = tuple[int, str, str, int, bytes]
"""(t_ns, what, name, offset, data)."""


class LoggedFile:
    """A file whose operations are written down."""

    def __init__(self, inner: OpenFile, name: str, log: Callable[[str, str, int, bytes], None]) -> None:
        self._inner, self._name, self._log, self._at = inner, name, log, 0

    def write(self, data: memoryview) -> int:
        taken = self._inner.write(data)
        self._log("write", self._name, self._at, bytes(data[:taken]))
        self._at += taken
        return taken

    def sync(self) -> None:
        self._log("sync", self._name, 0, b"")

    def close(self) -> None:
        self._inner.close()


class LoggedDisk(Disk):
    """A disk whose operations are written down; syncing is only written down."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.now_ns: Callable[[], int] = lambda: 0

    def _log(self, what: str, name: str, offset: int, data: bytes) -> None:
        self.operations.append((self.now_ns(), what, name, offset, data))

    def create(self, path: Path, *, replace: bool) -> OpenFile:
        inner = super().create(path, replace=replace)
        self._log("create", path.name, 0, b"")
        return LoggedFile(inner, path.name, self._log)

    def sync_folder(self, folder: Path) -> None:
        self._log("sync folder", "", 0, b"")

    def remove(self, path: Path) -> None:
        super().remove(path)
        self._log("remove", path.name, 0, b"")


class Blocks:
    """What is on the disk after the first `count` operations: for sure, and by the chance of the moment."""

    def __init__(self, operations: list[Operation], count: int, chance: random.Random) -> None:
        self.content: dict[str, bytearray] = {}
        self.synced_b: dict[str, int] = {}
        self.named: set[str] = set()
        self.pending: list[tuple[str, str]] = []
        for _, what, name, _, data in operations[:count]:
            match what:
                case "create":
                    self.content[name], self.synced_b[name] = bytearray(), 0
                    self.pending.append((what, name))
                case "write":
                    self.content[name] += data
                case "sync":
                    self.synced_b[name] = len(self.content[name])
                case "sync folder":
                    self._settle(lambda: True)
                case "remove":
                    self.pending.append((what, name))
        self.certain = set(self.named) - {name for what, name in self.pending if what == "remove"}
        self._settle(lambda: chance.random() < 0.5)
        self._chance = chance

    def _settle(self, happens: Callable[[], bool]) -> None:
        for what, name in self.pending:
            if happens():
                (self.named.add if what == "create" else self.named.discard)(name)
        self.pending.clear()

    def after_the_cut(self, name: str) -> bytes:
        """A file as it is found: what was synced, and of the rest some pages, or holes, or nothing."""
        whole, synced_b, chance = self.content[name], self.synced_b[name], self._chance
        length_b = chance.choice([synced_b, chance.randint(synced_b, len(whole)), len(whole)])
        found = bytearray(whole[:length_b])
        for page_b in range(synced_b - synced_b % PAGE_B, length_b, PAGE_B):
            if chance.random() < 0.5:
                from_b, to_b = max(page_b, synced_b), min(page_b + PAGE_B, length_b)
                found[from_b:to_b] = bytes(to_b - from_b)
        return bytes(found)


class Cut(msgspec.Struct, frozen=True):
    """One power cut. `lost_ns`: from the first record that is missing to the cut."""

    t_ns: int
    files: int
    headless: int
    lost_ns: int


class Recorded(msgspec.Struct):
    """A run to cut: what the recorder did to the disk, and what it was told, (t_ns, wire, outward, data)."""

    operations: list[Operation]
    told: list[tuple[int, str, bool, bytes]]

    def cut(self, folder: Path, seed: int) -> Cut:
        """Cut the power at a random operation. AssertionError where a file does not open or a synced record is gone."""
        chance = random.Random(seed)
        count = chance.randint(1, len(self.operations) - 1)
        t_ns = self.operations[count][0]
        blocks = Blocks(self.operations, count, chance)
        folder.mkdir()
        for name in blocks.named:
            (folder / name).write_bytes(blocks.after_the_cut(name))
        found: set[tuple[int, str, bool, bytes]] = set()
        headless = 0
        for file in ring_files(folder):
            try:
                reader = TraceReader(file.path)
            except InputError:
                assert not blocks.synced_b[file.path.name], f"{file.path}: was synced once and does not open"
                headless += 1
                continue
            events = list(reader.events())
            assert not events or isinstance(events[0], Snapshot) or reader.skipped_bytes
            found.update((e.t_ns, e.wire, e.outward, e.data) for e in events if isinstance(e, WireBytes))
        assert blocks.certain <= {file.path.name for file in ring_files(folder)}
        for name in blocks.certain:
            assert (folder / name).read_bytes()[: blocks.synced_b[name]] == blocks.content[name][
                : blocks.synced_b[name]
            ]
        oldest_ns = self._kept_from_ns(count)
        missing = [t for t, *rest in self.told if oldest_ns <= t <= t_ns and (t, *rest) not in found]
        return Cut(t_ns, len(blocks.named), headless, t_ns - min(missing, default=t_ns))

    def _kept_from_ns(self, count: int) -> int:
        """When what the ring has not deleted by then begins."""
        gone = {name for _, what, name, _, _ in self.operations[:count] if what == "remove"}
        return next((t_ns for t_ns, what, name, _, _ in self.operations if what == "create" and name not in gone), 0)


class Later:
    """The thread that synchronises, as slow as its worker's next turn."""

    def __init__(self) -> None:
        self._calls: list[Callable[[], None]] = []

    def submit(self, call: Callable[[], None]) -> bool:
        self._calls.append(call)
        return True

    def run(self) -> None:
        calls, self._calls = self._calls, []
        for call in calls:
            call()


def record(folder: Path, *, slow: bool) -> Recorded:
    """A minute and more of a busy lamp board, in files of a quarter of a minute, in a ring that is too small for it."""
    disk, later = LoggedDisk(), Later()
    flight = Flight(folder, riders(SECONDS), storage=disk, file_minutes=0.25, sync_s=SYNC_S, limit_bytes=150_000)
    disk.now_ns = flight.clock.now_ns
    told: list[tuple[int, str, bool, bytes]] = []
    recorder = flight.recorder
    names = [wire.name for wire in recorder.writer.wires]
    append = recorder._append

    def telling(item: Any) -> None:
        if item[0] == 0:
            told.append((item[5], names[item[2]], item[3], item[4]))
        append(item)

    recorder._append = telling
    if slow:
        recorder.writer.begin_threads(later.submit)
        turn = recorder.writer.turn

        def turn_and_sync() -> None:
            turn()
            later.run()

        flight.wires.turn = turn_and_sync
    flight.run(SECONDS + 1)
    later.run()
    return Recorded(disk.operations, told)


def cut_many(recorded: Recorded, folder: Path, cuts: int, seed: int = 0) -> list[Cut]:
    """At random operations; each in a folder of its own."""
    return [recorded.cut(folder / f"{seed + n}", seed + n) for n in range(cuts)]
