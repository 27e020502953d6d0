"""Lines through RPi.GPIO, for boards that say so: it writes to the registers of the SoC itself.

Not on a Raspberry Pi 5, whose lines hang on another chip; its drop-in rpi-lgpio goes by the same name there. It knows
no kernel stamp: an edge has the time at which RPi.GPIO's thread called back. Edges come through /sys/class/gpio, whose
numbers no longer start at 0 since Linux 6.6: there RPi.GPIO fails to watch edges; ask the inputs instead (`poll_ms`).
Its PWM is a thread that sleeps and flickers, so none is offered. Lines keep their level when the process dies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drivers.clock import Clock
from drivers.links.line_pins import GpioLine, OnEdge


class RpiGpioPins:
    """Implements Pins. `clock` stamps the edges."""

    has_pwm = False

    def __init__(self, clock: Clock) -> None:
        self.foreign_stamps = 0
        self._clock = clock
        self._gpio: Any = None
        self._numbers: list[int] = []

    def open(self, lines: Sequence[GpioLine], on_edge: OnEdge | None) -> None:
        """Claim the lines by their BCM numbers."""
        from importlib import import_module

        gpio = self._gpio = import_module("RPi.GPIO")
        gpio.setwarnings(False)  # it warns of every line that is no input already
        gpio.setmode(gpio.BCM)
        pulls = {"up": gpio.PUD_UP, "down": gpio.PUD_DOWN, "none": gpio.PUD_OFF}
        for line in lines:
            self._numbers.append(line.number)
            if line.out:
                gpio.setup(line.number, gpio.OUT, initial=line.initial)
                continue
            gpio.setup(line.number, gpio.IN, pull_up_down=pulls[line.pull])
            if on_edge is not None:
                self._watch(line, on_edge)

    def _watch(self, line: GpioLine, on_edge: OnEdge) -> None:
        gpio, clock = self._gpio, self._clock

        def changed(number: int) -> None:
            t_ns = clock.now_ns()
            on_edge(number, int(gpio.input(number)), t_ns)

        deaf = {"bouncetime": -(-line.debounce_us // 1000)} if line.debounce_us else {}
        gpio.add_event_detect(line.number, gpio.BOTH, callback=changed, **deaf)

    def drive(self, line: int, value: int) -> None:
        """An output to 0 or 1."""
        self._gpio.output(line, value)

    def pwm(self, line: int, period_ns: int, on_ns: int) -> None:
        """Refused before it comes here."""
        raise RuntimeError(f"no PWM on GPIO{line}")

    def read(self, line: int) -> int:
        """The level of a line."""
        return int(self._gpio.input(line))

    def close(self) -> None:
        """All lines of this wire become inputs again, their watches end."""
        numbers, self._numbers = self._numbers, []
        gpio, self._gpio = self._gpio, None
        if gpio is not None and numbers:
            gpio.cleanup(numbers)

    def mend(self, error: Exception) -> str:
        """By what RPi.GPIO says."""
        said = str(error)
        if isinstance(error, ImportError):
            return f"RPi.GPIO is not installed ({said}); pip install 'leeze[pi]', on a Pi 5 'leeze[pi5]'"
        if "only be run on a Raspberry Pi" in said:
            return "RPi.GPIO knows no Raspberry Pi here; on a Pi 5 use driver gpiozero with factory lgpio"
        if "Cannot determine SOC peripheral base" in said or "Pi 5" in said:
            return "RPi.GPIO does not run on a Raspberry Pi 5; use driver gpiozero with factory lgpio"
        if "edge detection" in said:
            return (
                "RPi.GPIO cannot watch edges on this kernel (Linux 6.6 and later); use driver gpiozero with factory "
                "lgpio, or have the inputs asked (poll_ms)"
            )
        if "/dev/mem" in said or "/dev/gpiomem" in said or "access" in said.lower():
            return f"no access to /dev/gpiomem ({said}); add the user to the group gpio (usermod -aG gpio USER)"
        if "different mode has already been set" in said:
            return "another part of this program numbers pins by BOARD; only BCM goes here"
        return f"{type(error).__name__}: {said}"
