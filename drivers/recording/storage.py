"""What a trace writer asks of a file system, so that tests can make it full, slow or gone, and cut its power.

Every call may raise OSError. `Disk` is the real one; it keeps nothing back: what `write` took is with the operating
system, where the end of the process cannot harm it, and what `sync` has seen survives a power cut.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class OpenFile(Protocol):
    """A file that only grows."""

    def write(self, data: memoryview) -> int:
        """Append; returns how many bytes were taken, which may be fewer than all."""

    def sync(self) -> None:
        """Return when all that was written is on the disk. May be called from another thread than `write`."""

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""


class Storage(Protocol):
    """A file system."""

    def create(self, path: Path, *, replace: bool) -> OpenFile:
        """A new file; one that is there is replaced, or FileExistsError where `replace` is False."""

    def make_folder(self, folder: Path) -> None:
        """Make `folder` and what is above it; fine if it is there."""

    def sync_folder(self, folder: Path) -> None:
        """Return when the names in `folder` are on the disk."""

    def sizes(self, folder: Path) -> dict[str, int]:
        """Name -> bytes of the files in `folder`."""

    def exists(self, path: Path) -> bool:
        """True if there is such a file."""

    def remove(self, path: Path) -> None:
        """Remove a file."""


class DiskFile:
    """A file of the operating system, without a buffer of its own."""

    def __init__(self, path: Path, *, replace: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if replace else os.O_EXCL)
        self._fd = os.open(path, flags, 0o644)

    def write(self, data: memoryview) -> int:
        """Append."""
        return os.write(self._fd, data)

    def sync(self) -> None:
        """fsync(2); nothing to do once it is closed."""
        if self._fd >= 0:
            os.fsync(self._fd)

    def close(self) -> None:
        """Close; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class Disk:
    """The real file system."""

    def create(self, path: Path, *, replace: bool) -> OpenFile:
        """A new file."""
        return DiskFile(path, replace=replace)

    def make_folder(self, folder: Path) -> None:
        """mkdir -p."""
        folder.mkdir(parents=True, exist_ok=True)

    def sync_folder(self, folder: Path) -> None:
        """fsync(2) of a directory."""
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def sizes(self, folder: Path) -> dict[str, int]:
        """Regular files and their sizes; one that goes away meanwhile is left out."""
        found: dict[str, int] = {}
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if entry.is_file(follow_symlinks=False):
                        found[entry.name] = entry.stat(follow_symlinks=False).st_size
                except FileNotFoundError:
                    continue
        return found

    def exists(self, path: Path) -> bool:
        """stat(2)."""
        return path.exists()

    def remove(self, path: Path) -> None:
        """unlink(2)."""
        path.unlink()


DISK = Disk()
