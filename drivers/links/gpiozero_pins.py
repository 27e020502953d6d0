"""Lines through gpiozero, on the pin factory that the board names: never guessed, never gpiozero's own search.

Only ``factory.pin(n)`` is used, none of gpiozero's devices: these run threads of their own and measure wall time.

Whose time an edge has, by factory:

========= ==========================================================================================================
lgpio     the kernel's, taken in the interrupt: monotonic since Linux 5.7 (``gpio: Switch timestamps to
          ktime_get_ns()``); older kernels gave wall time, which is noticed and replaced by the time of arrival
pigpio    its daemon's: sampled every 5 us, microseconds in 32 bit, set against our clock at each edge
native    when its thread woke, up to 10 ms late
rpigpio   when its callback ran
mock      when the test drove the pin
leeze     the rig's
========= ==========================================================================================================

PWM is software for every factory but pigpio's: it flickers under load, and lgpio's pins cut the share down to whole
per cent (below 1 % is dark). Lamps want `drivers.links.kernel_pwm`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from drivers.clock import Clock
from drivers.links.line_pins import GpioLine, OnEdge
from drivers.units import NS_PER_MS, NS_PER_S

GROUP: Final = "gpiozero_pin_factories"
OLDEST_NS: Final = 10 * NS_PER_S
"""An edge that claims to be older came by another clock."""

PULLS: Final = {"up": "up", "down": "down", "none": "floating"}


class UnknownFactory(Exception):  # noqa: N818 - errors are facts
    """No installed distribution has a pin factory of that name."""


def make_factory(name: str) -> Any:
    """The pin factory registered as `name`, ready. Raises UnknownFactory, and whatever the factory raises."""
    from importlib import import_module
    from importlib.metadata import entry_points

    points = entry_points(group=GROUP)
    for point in points:
        if point.name == name:
            factory = point.load()
            if name == "mock":
                return factory(pin_class=import_module("gpiozero.pins.mock").MockPWMPin)  # its usual pins know no PWM
            return factory()
    there = ", ".join(sorted({point.name for point in points})) or "none; is gpiozero installed?"
    raise UnknownFactory(f"no pin factory is called `{name}`; there are: {there}")


class _Watch:
    """What a pin calls at an edge. gpiozero holds it weakly, so the pins below hold it."""

    def __init__(self, line: int, pins: GpiozeroPins, on_edge: OnEdge) -> None:
        self._line, self._pins, self._on_edge = line, pins, on_edge

    def changed(self, ticks: Any, state: object) -> None:
        """An edge; `state` is the level after it."""
        self._on_edge(self._line, 1 if state else 0, self._pins.monotonic_ns(ticks))


class GpiozeroPins:
    """Implements Pins.

    Args:
        factory: its registered name, or a call that makes one.
        clock: for edges whose factory has another clock.
    """

    has_pwm = True

    def __init__(self, factory: str | Callable[[], Any], clock: Clock) -> None:
        self.foreign_stamps = 0
        """Edges whose time was no time of ours, so that the time of arrival stands instead."""
        self._make: Callable[[], Any] = partial(make_factory, factory) if isinstance(factory, str) else factory
        self._clock = clock
        self._factory: Any = None
        self._pins: dict[int, Any] = {}
        self._watches: list[_Watch] = []

    def open(self, lines: Sequence[GpioLine], on_edge: OnEdge | None) -> None:
        """Make the factory and claim the lines."""
        self._factory = self._make()
        for line in lines:
            pin = self._pins[line.number] = self._factory.pin(line.number)
            if line.out:
                pin.output_with_state(line.initial)
                continue
            pin.input_with_pull(PULLS[line.pull])
            if on_edge is None:
                continue
            if line.debounce_us:
                pin.bounce = line.debounce_us / 1e6
            pin.edges = "both"
            watch = _Watch(line.number, self, on_edge)
            self._watches.append(watch)
            pin.when_changed = watch.changed

    def monotonic_ns(self, ticks: Any) -> int:
        """A factory's ticks on our clock: seconds of it where they are floats, else by how long ago they were."""
        now_ns = self._clock.now_ns()
        if isinstance(ticks, float):
            t_ns = round(ticks * NS_PER_S)
        else:
            t_ns = now_ns - round(self._factory.ticks_diff(self._factory.ticks(), ticks) * NS_PER_S)
        if -NS_PER_MS < now_ns - t_ns <= OLDEST_NS:
            return t_ns
        self.foreign_stamps += 1
        return now_ns

    def drive(self, line: int, value: int) -> None:
        """An output to 0 or 1, ending PWM on it."""
        pin = self._pins[line]
        if pin.frequency is not None:
            pin.frequency = None
        pin.state = value

    def pwm(self, line: int, period_ns: int, on_ns: int) -> None:
        """PWM; a period of 0 ends it, low."""
        if not period_ns:
            self.drive(line, 0)
            return
        pin, frequency_hz = self._pins[line], NS_PER_S / period_ns
        if pin.frequency != frequency_hz:
            pin.frequency = frequency_hz
        pin.state = on_ns / period_ns

    def read(self, line: int) -> int:
        """The level of a line; of PWM whether it is on at all."""
        return 1 if self._pins[line].state else 0

    def close(self) -> None:
        """Stop the watches, make the lines inputs, close the factory."""
        factory, self._factory = self._factory, None
        self._pins.clear()
        self._watches.clear()
        if factory is not None:
            factory.close()

    def mend(self, error: Exception) -> str:
        """By what the libraries under gpiozero say."""
        said, kind = str(error), type(error).__name__
        match kind:
            case "UnknownFactory":
                return said
            case "ImportError" | "ModuleNotFoundError":
                return f"its pin factory needs a library that is not installed ({said}); on a Pi: pip install lgpio"
            case "PinUnknownPi":
                return "this is no Raspberry Pi that gpiozero knows; on a bench use the factories leeze or mock"
            case "PinFixedPull":
                return f"GPIO2 and GPIO3 have resistors to 3.3 V on the board, so their pull can only be up ({said})"
            case "PinPWMUnsupported" | "PinPWMFixedValue":
                return f"this factory has no PWM on that line ({said}); use a wire of kind pwm"
        if "busy" in said.lower() or getattr(error, "errno", None) == 16:
            return f"another program or the kernel holds a line ({said}); find it with: gpioinfo"
        if isinstance(error, PermissionError) or "can not open gpiochip" in said.lower():
            return f"no access to /dev/gpiochip* ({said}); add the user to the group gpio (usermod -aG gpio USER)"
        if isinstance(error, ConnectionError) or "can't connect to pigpio" in said.lower():
            return f"nobody answers ({said}); is the daemon or the rig running?"
        return f"{kind}: {said}" if said else kind
