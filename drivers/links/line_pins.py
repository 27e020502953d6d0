"""What a GPIO library has to do for `drivers.links.gpio`: lines by number, levels, edges; and the lines a wire uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec

from drivers.errors import InputError

Pull = Literal["up", "down", "none"]

OnEdge = Callable[[int, int, int], None]
"""Called by the library's thread with (line, value, t_ns), `t_ns` monotonic."""


class GpioLine(msgspec.Struct, frozen=True):
    """One line of a wire: ``GpioLine(23, out=True)``, ``GpioLine(24, pull="down", debounce_us=2_000)``.

    `number` is the BCM number. `initial` is what an output shows from the start. `debounce_us` is left to the library:
    lgpio waits until the level has been steady for that long, RPi.GPIO is deaf for that long after an edge.
    """

    number: int
    out: bool = False
    pull: Pull = "none"
    initial: int = 0
    debounce_us: int = 0


class Pins(Protocol):
    """A library, for one wire. Every call may block; each raises whatever its library does."""

    has_pwm: bool
    foreign_stamps: int

    def open(self, lines: Sequence[GpioLine], on_edge: OnEdge | None) -> None:
        """Claim the lines; without `on_edge` nothing watches the inputs."""

    def drive(self, line: int, value: int) -> None:
        """An output to 0 or 1."""

    def pwm(self, line: int, period_ns: int, on_ns: int) -> None:
        """PWM on an output; a period of 0 ends it, low."""

    def read(self, line: int) -> int:
        """The level of a line, 0 or 1."""

    def close(self) -> None:
        """Let every line go: inputs again."""

    def mend(self, error: Exception) -> str:
        """Why that happened and what to do, one sentence."""


def check_lines(name: str, lines: Sequence[GpioLine]) -> None:
    """Raises InputError for lines that no header has, or that are named twice."""
    seen: set[int] = set()
    for line in lines:
        if not 0 <= line.number <= 53:  # the SoC's; the header has 0 to 27
            raise InputError(f"{name}: GPIO{line.number}; the header has GPIO0 to GPIO27")
        if line.number in seen:
            raise InputError(f"{name}: GPIO{line.number} is named twice")
        seen.add(line.number)
        if line.initial not in (0, 1):
            raise InputError(f"{name}: GPIO{line.number} cannot start at {line.initial}; write 0 or 1")
        if line.pull not in ("up", "down", "none"):
            raise InputError(f"{name}: GPIO{line.number} has pull {line.pull!r}; write up, down or none")
        if line.debounce_us < 0 or line.debounce_us > 1_000_000:
            raise InputError(f"{name}: GPIO{line.number} debounces {line.debounce_us} us; 0 to 1000000")
        if line.out and (line.pull != "none" or line.debounce_us):
            raise InputError(f"{name}: GPIO{line.number} is an output; pull and debounce are for inputs")
    if not lines:
        raise InputError(f"{name}: no line; name at least one")
