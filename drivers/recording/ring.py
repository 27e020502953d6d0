"""A ring of trace files in one folder: ``BOARD-000001.mcap`` and on. Names, the limit in bytes, deleting the oldest.

Numbers only rise. Files of other names, of other boards too, are never touched.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Metadata

from drivers.recording.storage import DISK, Storage
from drivers.recording.walk import DAMAGE, RecordWalk
from drivers.recording.writer import METADATA

_NAME = re.compile(r"(.+)-(\d{6,})\.mcap")


class RingFile(msgspec.Struct, frozen=True):
    """One file of a ring, e.g. ``RingFile(Path("/var/lib/leeze/flight/lamp-000007.mcap"), "lamp", 7, 1_234_567)``."""

    path: Path
    board: str
    number: int
    size_b: int


def file_name(board: str, number: int) -> str:
    """The name of a board's file: ``file_name("lamp", 7) == "lamp-000007.mcap"``."""
    return f"{board}-{number:06}.mcap"


def ring_files(folder: Path, board: str | None = None, *, storage: Storage = DISK) -> list[RingFile]:
    """The files of all boards, or of one, by board and number. Raises OSError."""
    return _sorted(folder, storage.sizes(folder), board)


def begun_utc(path: Path) -> str:
    """When a file was begun, ISO 8601; empty where it does not know. Reads its first records. Raises InputError."""
    for _, body in RecordWalk(path).records((Opcode.METADATA,)):
        try:
            metadata = Metadata.read(ReadDataStream(io.BytesIO(body)))
        except DAMAGE:
            break
        if metadata.name == METADATA:
            return str(metadata.metadata.get("created_utc", ""))
    return ""


def _sorted(folder: Path, sizes: Mapping[str, int], board: str | None) -> list[RingFile]:
    found = []
    for name, size_b in sizes.items():
        matched = _NAME.fullmatch(name)
        if matched is not None and (board is None or matched[1] == board):
            found.append(RingFile(folder / name, matched[1], int(matched[2]), size_b))
    return sorted(found, key=lambda file: (file.board, file.number))


class Ring:
    """The ring of one board, as its recorder sees it. Every call may raise OSError.

    Args:
        folder: made when it is needed.
        board: in every name.
        limit_b: all files together; the oldest go to keep to it.
        storage: the file system.
    """

    def __init__(self, folder: Path, board: str, limit_b: int, storage: Storage = DISK) -> None:
        self.folder, self.board, self.limit_b = folder, board, limit_b
        self.storage = storage
        self._files: list[RingFile] = []
        self._highest = 0

    def look(self) -> None:
        """Make the folder if need be, see what is there, and remove files of ours without a single byte.

        Such a file is what a power cut leaves of one that had just been begun.
        """
        self.storage.make_folder(self.folder)
        files = ring_files(self.folder, self.board, storage=self.storage)
        if files:
            self._highest = max(self._highest, files[-1].number)
        for file in files:
            if not file.size_b:
                self.storage.remove(file.path)
        self._files = [file for file in files if file.size_b]

    @property
    def files(self) -> int:
        """How many there were at the last look, without those deleted since."""
        return len(self._files)

    def next_path(self) -> tuple[Path, int]:
        """A name that was never used, and its number."""
        self._highest += 1
        return self.folder / file_name(self.board, self._highest), self._highest

    def size_b(self, present: Path | None = None) -> int:
        """Bytes of all files but `present`, the one being written."""
        return sum(file.size_b for file in self._files if file.path != present)

    def oldest(self) -> Path | None:
        """The oldest file, None where there is none."""
        return self._files[0].path if self._files else None

    def delete_oldest(self, present: Path | None = None) -> bool:
        """Delete the oldest file that is not `present`; False if there is none."""
        for file in tuple(self._files):
            if file.path != present:
                self._files.remove(file)
                try:
                    self.storage.remove(file.path)
                except FileNotFoundError:
                    continue
                return True
        return False

    def trim(self, present: Path | None, present_b: int, spare_b: int) -> None:
        """Delete the oldest until all files leave `spare_b` free below the limit."""
        while self.size_b(present) + present_b + spare_b > self.limit_b and self.delete_oldest(present):
            pass
