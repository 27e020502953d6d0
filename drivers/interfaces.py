"""The few shapes everything plugs into. Small Protocols; no base classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from drivers.quantities import Quantity

Receiver = Callable[[bytes, int], None]
"""Called with (data, t_ns) as bytes arrive."""

RepeatReceiver = Callable[[bytes, int, int, int], None]
"""Called with (frame, first_ns, last_ns, count): the same idle frame `count` times, the wire quiet in between."""

OnLine = Callable[[int, str, float, int], None]
"""Called with (baud, parity, stopbits, t_ns) when line settings take effect."""

Emit = Callable[[Quantity], None]
"""Where a device puts a value: the inbox of its board."""


class ByteLink(Protocol):
    """A wire that carries bytes both ways. Never parses.

    In-process links call `receiver` when the far end writes. Links with a file descriptor are polled by the loop, which
    calls `pump` when `fileno` is readable.
    """

    name: str
    receiver: Receiver
    repeat_receiver: RepeatReceiver

    def write(self, data: bytes, t_ns: int) -> None:
        """Send all of `data`. Raises LinkLost where the far end is gone."""

    def pump(self, t_ns: int) -> None:
        """Hand what has arrived to `receiver`; never blocks. Raises LinkLost."""

    def fileno(self) -> int | None:
        """For poll(); None for links that call by themselves."""

    def close(self) -> None:
        """Close; a second call does nothing."""


class Device(Protocol):
    """A thing with a name on a board. Bytes reach it through its link; values leave by its `Emit`."""

    name: str
    wake_ns: int

    def advance(self, now_ns: int) -> None:
        """Do what is due. Called at a tick when `wake_ns` <= now; a no-op before."""

    def counters(self) -> dict[str, int]:
        """What has been counted since the start: at least `frames` (sound ones), then what went wrong, by name.

        For people, not for decisions: a snapshot need not hold them. Names in use: `skipped_bytes`, `bad_frames`,
        `no_replies`, `refusals` (NACK, exception), `link_losses`.
        """

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot made by the same version."""


class Lamp(Protocol):
    """A lamp that takes arc power levels."""

    name: str

    def set_level(self, level: int, now_ns: int) -> None:
        """Go to arc power level 0 (off) to 254 (full). The latest wins; earlier unsent ones are dropped."""


@runtime_checkable
class Gear(Protocol):
    """A lamp whose gear can be asked: it tells what it shows, and what it keeps for the time when its bus is dead."""

    def take_over(self, now_ns: int) -> None:
        """Ask for its level; LampStatus follows, None where it does not answer."""

    def verify(self, now_ns: int, *, failure_level: int, fade_code: int) -> None:
        """See whether it keeps this failure level and fade time, and write nothing; DeviceHealth follows."""


@runtime_checkable
class Fades(Protocol):
    """A lamp whose fade is made by the controller, because its part has none."""

    def set_fade(self, fade_ns: int) -> None:
        """How long a fade takes; 0: none."""


class Panel(Protocol):
    """An LED matrix."""

    name: str
    width_px: int
    height_px: int

    def show(self, frame: bytes, now_ns: int) -> None:
        """Show one encoded frame (drivers.codecs.panel_frame)."""


class PowerGuard(Protocol):
    """Decides whether what a relay powers shall have power, and hears when it has been given back."""

    def withholds(self) -> bool:
        """True: the relay shall drop."""

    def restored(self, now_ns: int) -> None:
        """The relay has held again for a second."""


class Watchdog(Protocol):
    """An output that holds only while it is fed. `mode`: ``pulse`` or ``level`` (drivers.devices.watchdog_output)."""

    @property
    def mode(self) -> str:
        """How it holds."""

    @property
    def holds(self) -> bool:
        """Whether it is fed."""

    def leave(self, now_ns: int) -> None:
        """The controller stops cleanly; the power shall stay where that is possible."""

    def feed(self, now_ns: int) -> None:
        """The loop has come around and all is well."""


def unheard(data: bytes, t_ns: int) -> None:
    """The receiver of a link that nobody listens to."""


def unheard_repeat(frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
    """The repeat receiver of a link that nobody listens to."""


def unheard_line(baud: int, parity: str, stopbits: float, t_ns: int) -> None:
    """The line listener of a link whose settings nobody wants to know."""
