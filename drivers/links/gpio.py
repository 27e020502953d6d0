"""Single lines of the header as a ByteLink: orders go out and edges come in as messages of `drivers.line_events`.

What goes out: SET, PULSE, PWM and HOLD for the wire's outputs. What comes in: one EDGE for each input when the wire has
been opened, which tells its level, then one for each change, with the time that the library gives it (which one that is
stands in `drivers.links.gpiozero_pins` and `drivers.links.rpi_gpio_pins`). The receiver gets whole messages.

No call waits: a thread holds the library, carries out orders in their order, ends pulses and holds (`line_worker`). An
order so takes about 0.1 ms more than a direct call, and a pulse of 10 us comes out somewhat longer, never shorter. The
time given to `write` must be the clock's: a HOLD counts from it.

When a wire is closed its holds end first, then all its lines become inputs; what the circuit does then is up to its
resistors, so a relay needs one to its safe side. When the process dies without closing, Raspberry Pi's kernels leave an
output as it was, unless ``dtparam=strict_gpiod`` stands in config.txt (drivers/devices/watchdog_output.py).
"""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from typing import Any, Literal

from drivers.clock import Clock, SystemClock
from drivers.errors import InputError, LinkLost, OutOfRange
from drivers.interfaces import Receiver, RepeatReceiver, unheard, unheard_repeat
from drivers.line_events import HOLD, PULSE, PWM, SET, LineEventStream
from drivers.links.gpiozero_pins import GpiozeroPins
from drivers.links.line_pins import GpioLine, check_lines
from drivers.links.line_worker import LineWorker
from drivers.links.rpi_gpio_pins import RpiGpioPins
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

__all__ = ["GpioLine", "GpioLink"]

BACK_OFF_MIN_NS = 100 * NS_PER_MS
BACK_OFF_MAX_NS = 5 * NS_PER_S
OPEN_NS = 10 * NS_PER_S
"""How long the library may take to open."""

ORDERS = frozenset({SET, PULSE, PWM, HOLD})


class GpioLink:
    """Lines of the header, through a library that the board names.

    Args:
        name: of the wire, e.g. ``"relay"``.
        lines: what it uses.
        driver: ``"gpiozero"`` or ``"rpi-gpio"`` (RPi.GPIO directly; no PWM, not on a Raspberry Pi 5).
        factory: gpiozero's pin factory by its registered name, ``"lgpio"``; for tests also a call that makes one.
        poll_ms: ask the inputs this often instead of having the library watch for edges; an edge is then stamped when
            it was seen, and shorter pulses are lost. 0: watch.
        clock: monotonic.

    Not open at first: `open` raises, `advance` and `pump` open it silently (as after a loss) when `wake_ns` has come.
    Raises InputError for lines or a driver that there are not.
    """

    def __init__(
        self,
        name: str,
        lines: Sequence[GpioLine],
        *,
        driver: Literal["gpiozero", "rpi-gpio"] = "gpiozero",
        factory: str | Callable[[], Any] = "lgpio",
        poll_ms: int = 0,
        clock: Clock | None = None,
    ) -> None:
        check_lines(name, lines)
        if driver not in ("gpiozero", "rpi-gpio"):
            raise InputError(f"{name}: GPIO driver {driver!r}; write gpiozero or rpi-gpio")
        if not 0 <= poll_ms <= 1000:
            raise InputError(f"{name}: inputs asked every {poll_ms} ms; 1 to 1000, or 0 for edges")
        if poll_ms and any(line.debounce_us for line in lines):
            raise InputError(f"{name}: inputs that are asked need no debounce; a longer poll_ms does the same")
        self.name, self.lines = name, tuple(lines)
        self.receiver: Receiver = unheard
        self.repeat_receiver: RepeatReceiver = unheard_repeat
        self.wake_ns = -FOREVER_NS
        self.trouble = "not opened yet"
        self._clock = clock or SystemClock()
        self._pins = RpiGpioPins(self._clock) if driver == "rpi-gpio" else GpiozeroPins(factory, self._clock)
        self._place = "RPi.GPIO" if driver == "rpi-gpio" else "gpiozero"
        if isinstance(factory, str) and driver == "gpiozero":
            self._place += f" {factory}"
        self._poll_ns = poll_ms * NS_PER_MS
        self._outputs = frozenset(line.number for line in lines if line.out)
        self._stream = LineEventStream()
        self._worker: LineWorker | None = None
        self._state: Literal["closed", "lost", "opening", "open"] = "lost"
        self._openings = self._losses = 0  # of the worker, as far as they have been looked at
        self._back_off_ns = BACK_OFF_MIN_NS
        self._early = b""

    @property
    def is_open(self) -> bool:
        """True while the lines are ours; else `trouble` says why not."""
        return self._state == "open"

    def open(self, t_ns: int) -> None:
        """Open now, and wait for it. Raises LinkLost with the mend; the next try is then due at `wake_ns`."""
        if self.is_open:
            return
        if self._state != "opening":
            self._begin(t_ns)
        worker = self._worker
        assert worker is not None
        poll = select.poll()
        fd = worker.news.fileno()
        assert fd is not None
        poll.register(fd, select.POLLIN)
        deadline_ns = self._clock.now_ns() + OPEN_NS
        while worker.openings == self._openings and worker.losses == self._losses:
            left_ns = deadline_ns - self._clock.now_ns()
            if left_ns <= 0 or not poll.poll(left_ns // NS_PER_MS + 1):
                raise LinkLost(self.name, t_ns, f"{self._place}: does not open within {OPEN_NS // NS_PER_S} s")
            self._early += b"".join(worker.news.take())  # the levels at the start, for `pump`
        if self._early:
            worker.news.put(b"")  # so that poll() tells of them
        self._look(t_ns)
        if not self.is_open:
            raise LinkLost(self.name, t_ns, self.trouble)

    def write(self, data: bytes, t_ns: int) -> None:
        """Carry out what is ordered, a little later. Raises LinkLost, and OutOfRange for what this wire cannot do."""
        worker = self._worker
        if self._state != "open" or worker is None:
            raise LinkLost(self.name, t_ns, self.trouble, data)
        events = tuple(self._stream.feed(data))
        for event in events:
            if event.kind not in ORDERS or event.value not in (0, 1):
                raise OutOfRange(self.name, t_ns, "no order for a line: SET, PULSE, PWM and HOLD are", data[:64])
            if event.line not in self._outputs:
                raise OutOfRange(self.name, t_ns, f"GPIO{event.line} is no output of this wire", data[:64])
            if event.kind == PWM and not self._pins.has_pwm:
                raise OutOfRange(
                    self.name,
                    t_ns,
                    "RPi.GPIO's PWM is a sleeping thread and flickers; use a wire of kind pwm",
                    data[:64],
                )
            if event.kind == PWM and event.on_ns > event.period_ns:
                raise OutOfRange(self.name, t_ns, f"on for {event.on_ns} of {event.period_ns} ns", data[:64])
        if events and not worker.order(events, t_ns):
            raise self._lost(t_ns, "takes no more orders; does the library hang?", data[:64])

    def pump(self, t_ns: int) -> None:
        """Hand what has come to `receiver`. Raises LinkLost, once; reopens when due."""
        worker = self._worker
        if worker is not None:
            data, self._early = self._early + b"".join(worker.news.take()), b""
            if data:
                self.receiver(data, t_ns)
            self._look(t_ns)
        if self._state not in ("open", "closed"):
            self.advance(t_ns)

    def advance(self, now_ns: int) -> None:
        """At `wake_ns`: try to open again; a failure is silent, see `trouble`."""
        if now_ns < self.wake_ns or self._state in ("open", "closed"):
            return
        if self._state == "opening":
            self.trouble = f"{self._place}: does not open; is its daemon stuck?"
            self.wake_ns = now_ns + OPEN_NS
            return
        self._begin(now_ns)

    def fileno(self) -> int | None:
        """For poll(), from the first try to open on; None before and after `close`."""
        return None if self._worker is None else self._worker.news.fileno()

    def counters(self) -> dict[str, int]:
        """What went wrong since the start, for people."""
        worker = self._worker
        return {
            "dropped_edges": worker.news.dropped if worker else 0,
            "missed_edges": worker.missed_edges if worker else 0,
            "foreign_stamps": self._pins.foreign_stamps,
        }

    def close(self) -> None:
        """End holds, make the lines inputs; a second call does nothing."""
        self._state, self.trouble, self.wake_ns = "closed", "closed", FOREVER_NS
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def leave(self) -> None:
        """Close, but end no hold and free no line: what was ordered before is carried out and stays.

        For how long is up to library and kernel (drivers/devices/watchdog_output.py). A second call does nothing.
        """
        self._state, self.trouble, self.wake_ns = "closed", "closed", FOREVER_NS
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.leave()

    def _begin(self, t_ns: int) -> None:
        if self._worker is None:
            self._worker = LineWorker(self.name, self._pins, self.lines, self._clock, self._poll_ns)
            self._openings = self._losses = 0
        self._state = "opening"
        self.wake_ns = t_ns + OPEN_NS
        self._worker.open(t_ns)

    def _look(self, t_ns: int) -> None:
        """See how the thread is. Raises LinkLost where the wire was open and is so no more."""
        worker = self._worker
        if worker is None:
            return
        if worker.openings != self._openings:
            self._openings = worker.openings
            self._state, self.trouble, self.wake_ns = "open", "", FOREVER_NS
            self._back_off_ns = BACK_OFF_MIN_NS
        if worker.losses != self._losses:
            self._losses = worker.losses
            was_open = self._state == "open"
            lost = self._lost(t_ns, worker.trouble)
            if was_open:
                raise lost

    def _lost(self, t_ns: int, what: str, raw: bytes = b"") -> LinkLost:
        """Not open until the next try."""
        self._state = "lost"
        self.trouble = f"{self._place}: {what}"
        self.wake_ns = t_ns + self._back_off_ns
        self._back_off_ns = min(2 * self._back_off_ns, BACK_OFF_MAX_NS)
        return LinkLost(self.name, t_ns, self.trouble, raw)
