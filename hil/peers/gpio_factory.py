"""A pin factory for gpiozero whose pins end at the rig, in another process: an unmodified program runs on a bench.

    GPIOZERO_PIN_FACTORY=leeze LEEZE_GPIO=/run/rig/gpio python3 somebodys_program.py

``LEEZE_GPIO`` is a unix socket that the rig listens at (`hil.peers.gpio_stream`), or a terminal, e.g. the far end of a
pseudo-terminal. What passes are the messages of `drivers.line_events`: outward SET, PWM and FREE, inward EDGE. Pins are
those of a Raspberry Pi 3 (another by ``LEEZE_GPIO_REVISION``, e.g. ``c03111`` for a Pi 4). No SPI.

The factory's ticks are seconds of the machine's monotonic clock, as those of gpiozero's local factories; an edge has
the time that the rig gave it.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
import threading
import tty
from typing import Any, Final

from gpiozero.exc import (  # type: ignore[import-untyped]
    BadPinFactory,
    PinFixedPull,
    PinInvalidBounce,
    PinInvalidEdges,
    PinInvalidFunction,
    PinInvalidPull,
    PinInvalidState,
    PinPWMFixedValue,
    PinSetInput,
)
from gpiozero.pins.pi import PiFactory, PiPin  # type: ignore[import-untyped]

from drivers.clock import SystemClock
from drivers.line_events import EDGE, FREE, SET, LineEvent, LineEventStream, encode, encode_pwm
from drivers.units import NS_PER_S
from hil.peers.gpio_lines import GREETING

PLACE: Final = "LEEZE_GPIO"
REVISION: Final = "LEEZE_GPIO_REVISION"
PI_3B: Final = "a02082"
ANSWER_S: Final = 5.0
EDGES: Final = ("none", "rising", "falling", "both")


class LeezePin(PiPin):  # type: ignore[misc]
    """One pin, an input without pull at first."""

    def __init__(self, factory: LeezeFactory, info: Any) -> None:
        super().__init__(factory, info)
        self._function = "input"
        self._pull: str = info.pull or "floating"
        self._state: float = 0
        self._frequency_hz: float | None = None
        self._bounce: float | None = None
        self._edges = "both"
        self._last: float | None = None

    @property
    def _leeze(self) -> LeezeFactory:
        factory: LeezeFactory = self.factory
        return factory

    def close(self) -> None:
        """An input again, unwatched."""
        self.when_changed = None
        with contextlib.suppress(ConnectionError):
            self._set_function("input")

    def output_with_state(self, state: float) -> None:
        """An output that shows `state` from the start."""
        self._function, self._pull, self._state = "output", self.info.pull or "floating", 1 if state else 0
        self._leeze.send(encode(LineEvent(self._number, SET, int(self._state))))

    def input_with_pull(self, pull: str) -> None:
        """An input."""
        self._set_function("input")
        self._set_pull(pull)

    def _get_function(self) -> str:
        return self._function

    def _set_function(self, value: str) -> None:
        if value not in ("input", "output"):
            raise PinInvalidFunction(f"{self!r} can be input or output, not {value!r}")
        if value == "output" and self._function == "input":
            self.output_with_state(0)
        elif value == "input" and self._function == "output":
            self._function, self._frequency_hz = "input", None
            self._leeze.send(encode(LineEvent(self._number, FREE, 0)))

    def _get_state(self) -> float:
        self._leeze.check()
        if self._function == "output":
            return self._state
        return self._leeze.levels.get(self._number, 1 if self._pull == "up" else 0)

    def _set_state(self, value: float) -> None:
        if self._function == "input":
            raise PinSetInput(f"{self!r} is an input")
        if not 0 <= value <= 1:
            raise PinInvalidState(f"{self!r} takes 0 to 1, not {value}")
        value = value if self._frequency_hz else (1 if value else 0)
        if value != self._state:
            self._state = value
            self._show()
        self._leeze.check()

    def _show(self) -> None:
        if self._frequency_hz:
            period_ns = round(NS_PER_S / self._frequency_hz)
            self._leeze.send(encode_pwm(self._number, period_ns, round(period_ns * self._state)))
        else:
            self._leeze.send(encode(LineEvent(self._number, SET, int(self._state))))

    def _get_frequency(self) -> float | None:
        return self._frequency_hz

    def _set_frequency(self, value: float | None) -> None:
        if value is not None and self._function != "output":
            raise PinPWMFixedValue(f"{self!r} is an input")
        if value == self._frequency_hz:
            return
        self._frequency_hz = value
        if value is None:
            self._state = 0
        self._show()

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        if self._function != "input":
            raise PinFixedPull(f"{self!r} is an output")
        if value not in ("up", "down", "floating"):
            raise PinInvalidPull(f"{self!r} can be pulled up, down or floating, not {value!r}")
        if self.info.pull and value != self.info.pull:
            raise PinFixedPull(f"{self!r} has a resistor on the board: {self.info.pull}")
        self._pull = value

    def _get_bounce(self) -> float | None:
        return self._bounce

    def _set_bounce(self, value: float | None) -> None:
        if value is not None and value < 0:
            raise PinInvalidBounce(f"{self!r} cannot be deaf for {value} s")
        self._bounce = value

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        if value not in EDGES:
            raise PinInvalidEdges(f"{self!r} has edges {EDGES}, not {value!r}")
        self._edges = value

    def _enable_event_detect(self) -> None:
        """The reader always listens."""

    def _disable_event_detect(self) -> None:
        """As above."""

    def edge(self, value: int, ticks: float) -> None:
        """The rig has changed the level; called by the reader."""
        if self._function != "input" or self._when_changed is None:
            return
        if self._edges not in ("both", "rising" if value else "falling"):
            return
        if self._bounce and self._last is not None and ticks - self._last <= self._bounce:
            return
        self._last = ticks
        self._call_when_changed(ticks, value)


class LeezeFactory(PiFactory):  # type: ignore[misc]
    """All pins of one program; one connection to the rig.

    Args:
        place: socket or terminal; ``LEEZE_GPIO`` where it is left out.

    Raises BadPinFactory where there is no place, or nobody answers; OSError where it cannot be opened.
    """

    def __init__(self, place: str | None = None) -> None:
        super().__init__()
        place = place or os.environ.get(PLACE, "")
        if not place:
            raise BadPinFactory(f"{PLACE} names no socket or terminal where the rig listens")
        self.pin_class = LeezePin
        self.levels: dict[int, int] = {}
        """Levels that the rig gives, by GPIO."""
        self.is_lost = False
        self._revision = int(os.environ.get(REVISION, PI_3B), 16)
        self._sending = threading.Lock()
        self._answered = threading.Event()
        self._fd = _connected(place)
        self._stop_fd = os.eventfd(0, os.EFD_CLOEXEC)
        self._reader = threading.Thread(target=self._read, name="leeze gpio", daemon=True)
        self._reader.start()
        self.send(encode(LineEvent(GREETING, FREE, 0)))
        if not self._answered.wait(ANSWER_S) or self.is_lost:
            self.close()
            raise BadPinFactory(f"nobody answers at {place}; is the rig running?")

    def close(self) -> None:
        """Let all pins go, leave the rig."""
        super().close()
        if self._fd < 0:
            return
        os.eventfd_write(self._stop_fd, 1)
        if self._reader is not threading.current_thread():
            self._reader.join()
        with self._sending:
            os.close(self._fd)
            os.close(self._stop_fd)
            self._fd = -1

    def send(self, data: bytes) -> None:
        """To the rig. Raises ConnectionError."""
        with self._sending:
            self.check()
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except OSError as error:
                self.is_lost = True
                raise ConnectionResetError(f"the rig is gone: {os.strerror(error.errno or 0)}") from None

    def check(self) -> None:
        """Raises ConnectionError where the rig is gone: pins without a far end have no level."""
        if self.is_lost or self._fd < 0:
            raise ConnectionResetError("the rig is gone")

    def _read(self) -> None:
        stream, poll, pins = LineEventStream(), select.poll(), self.pins
        poll.register(self._fd, select.POLLIN)
        poll.register(self._stop_fd, select.POLLIN)
        while True:
            if any(fd == self._stop_fd for fd, _ in poll.poll()):
                return
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                data = b""
            if not data:
                self.is_lost = True
                self._answered.set()
                return
            for event in stream.feed(data):
                if event.line == GREETING:
                    self._answered.set()
                elif event.kind == EDGE:
                    self.levels[event.line] = event.value
                    ticks = (event.t_ns or SystemClock().now_ns()) / NS_PER_S
                    for pin in [pin for info, pin in list(pins.items()) if info.name == f"GPIO{event.line}"]:
                        pin.edge(event.value, ticks)

    def _get_revision(self) -> int:
        return self._revision

    @staticmethod
    def ticks() -> float:
        """Seconds of the monotonic clock."""
        return SystemClock().now_ns() / NS_PER_S

    @staticmethod
    def ticks_diff(later: float, earlier: float) -> float:
        """Seconds."""
        return later - earlier


def _connected(place: str) -> int:
    """A file descriptor that reads and writes to `place`. Raises OSError."""
    if stat.S_ISSOCK(os.stat(place).st_mode):  # noqa: PTH116 - a terminal or a socket, no tree of files
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            end.connect(place)
        except OSError:
            end.close()
            raise
        return end.detach()
    fd = os.open(place, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    tty.setraw(fd)
    return fd
