"""Errors as facts. Two families: what the user gave us (`InputError`) and what a wire did (`DriverError`).

Exit codes of every command: 0 fine, 1 the thing under test failed, 2 wrong use or bad input, 3 the bench is broken.
"""

from __future__ import annotations


class InputError(Exception):
    """Bad input: a file, a message, a configuration, a word. The text names the place and the mend."""

    exit_code = 2


class BenchError(Exception):
    """The bench is broken, not the board: a port that will not open, a peer that died."""

    exit_code = 3


class DriverError(Exception):
    """Something on a wire went wrong.

    Args:
        device: name of the device or link, e.g. ``"radar-1"``.
        t_ns: monotonic time it was noticed.
        detail: what happened and what to do, one sentence.
        raw: the bytes concerned, empty if none.
    """

    exit_code = 3

    def __init__(self, device: str, t_ns: int, detail: str, raw: bytes = b"") -> None:
        super().__init__(f"{device}: {detail}" + (f" [{raw.hex(' ')}]" if raw else ""))
        self.device, self.t_ns, self.detail, self.raw = device, t_ns, detail, raw


class LinkLost(DriverError):  # noqa: N818 - errors are facts
    """The link is gone: unplugged, closed by the far end, or it cannot be opened."""


class NoReply(DriverError):  # noqa: N818
    """A transaction's deadline passed without an answer."""


class BadFrame(DriverError):  # noqa: N818
    """Bytes came that are no frame of this protocol; `raw` holds them."""


class OutOfRange(DriverError):  # noqa: N818
    """A well-formed value outside what the part can mean."""
