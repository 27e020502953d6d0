"""A unix socket that somebody can be heard at: made with the right mode, and in the place of one that a dead left."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

from drivers.errors import InputError

MODE = 0o660
"""Whoever shall connect has to be in the group the service runs as."""

PROBE_S = 1.0


class UnixEar:
    """A listening socket, not blocking.

    Args:
        path: e.g. ``/run/leeze/west.sock``. Its folder has to exist.
        what: for messages, e.g. ``"tap"``.
        option: that names another path, e.g. ``"--tap"``.
        backlog: how many may wait to be accepted.

    Raises InputError: no such folder, no permission, another service has it, a file that is no socket.
    """

    def __init__(self, path: Path, what: str, option: str, backlog: int) -> None:
        self.path = path
        _make_room(path, what, option)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        mask = os.umask(0o777 & ~MODE)  # the mode is right from the first moment
        try:
            self.socket.bind(str(path))
            self.socket.listen(backlog)
        except OSError as error:
            self.socket.close()
            raise InputError(f"{what} {path}: {_mend(path, error)}") from None
        finally:
            os.umask(mask)
        self._inode = path.stat().st_ino

    def fileno(self) -> int:
        """For poll(): readable when somebody comes."""
        return self.socket.fileno()

    def accept(self) -> socket.socket | None:
        """Who has come; None where they have gone again, or we are short of descriptors."""
        try:
            end = self.socket.accept()[0]
        except OSError:
            return None
        end.setblocking(False)
        return end

    def close(self) -> None:
        """Take the file away, if it is still ours."""
        self.socket.close()
        with contextlib.suppress(OSError):
            if self.path.stat().st_ino == self._inode:  # not if another service has put its own there
                self.path.unlink()


def _make_room(path: Path, what: str, option: str) -> None:
    """Take away a socket that nobody serves any more."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise InputError(f"{what} {path}: is a file; name a path for the socket, or move the file away")
    except OSError:  # nothing there, or a folder that `bind` will complain of
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(PROBE_S)
        try:
            asking.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            with contextlib.suppress(OSError):
                path.unlink()
        except OSError as error:
            raise InputError(f"{what} {path}: {_mend(path, error)}") from None
        else:
            raise InputError(
                f"{what} {path}: another service has it; stop that one, or name another path with {option}"
            )


def _mend(path: Path, error: OSError) -> str:
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return f"no such folder; make it with: mkdir -p {path.parent} (systemd: RuntimeDirectory=leeze)"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "no permission; the service's user needs to own the folder (systemd: RuntimeDirectory=leeze)"
        case errno.EADDRINUSE:
            return "cannot be replaced; who owns it?"
    return error.strerror or str(error)  # an over-long path has no errno
