"""Devices on real wires in real time, without a policy: for the bench tools. One thread, every wait has a deadline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from drivers.bench.watch import Watch
from drivers.interfaces import ByteLink, Device
from drivers.links.poll import OpensItself, WirePoll
from drivers.links.tap import Fan, Sink, Tap
from drivers.quantities import DeviceHealth, Quantity
from drivers.units import NS_PER_MS

PERIOD_NS = 20 * NS_PER_MS
"""How often links without a file descriptor are asked, and how late a device may be served at most."""


class Clock(Protocol):
    """Monotonic time, and sleep to an absolute time (drivers.clock)."""

    def now_ns(self) -> int:
        """Now."""

    def sleep_until_ns(self, deadline_ns: int) -> None:
        """Return at `deadline_ns` or later."""


class Session:
    """Wires, the devices on them, and what came of it.

    Make the links with `tapped`, the devices with `emit`, put them into `devices`, then `run`. `latest` has the newest
    value of each source, `health` the newest word on its state, `values` counts them.

    Args:
        clock: SystemClock on a bench.
        sinks: what else hears every byte, e.g. a recorder; a wire's number is the order of `tapped`.
    """

    def __init__(self, clock: Clock, sinks: Sequence[Sink] = ()) -> None:
        self.clock = clock
        self.watch = Watch()
        self.devices: list[Device] = []
        self.links: dict[str, ByteLink] = {}
        self.latest: dict[str, Quantity] = {}
        self.health: dict[str, DeviceHealth] = {}
        self.values: dict[str, int] = {}
        self.listener: Callable[[Quantity], None] | None = None
        self.began_ns = clock.now_ns()
        self._sink: Sink = Fan((self.watch, *sinks)) if sinks else self.watch
        self._poll: WirePoll | None = None

    def tapped(self, link: ByteLink) -> ByteLink:
        """`link` with this session's ear on it; closed with the session."""
        self.links[link.name] = link
        self._poll = None
        return Tap(link, self.watch.add(link.name), self._sink)

    def emit(self, quantity: Quantity) -> None:
        """Where devices put their values."""
        if isinstance(quantity, DeviceHealth):
            self.health[quantity.source] = quantity
        else:
            self.latest[quantity.source] = quantity
            self.values[quantity.source] = self.values.get(quantity.source, 0) + 1
        if self.listener is not None:
            self.listener(quantity)

    def run(self, deadline_ns: int, enough: Callable[[], bool] = lambda: False) -> None:
        """Serve wires and devices until `deadline_ns`, or until `enough` says so after some served bytes."""
        if self._poll is None:
            self._poll = WirePoll(self.links.values(), self.clock, PERIOD_NS)
        wires = self._poll
        now_ns = self.clock.now_ns()
        while True:
            wires.pump(now_ns)
            for device in self.devices:
                if device.wake_ns <= now_ns:
                    device.advance(now_ns)
            now_ns = self.clock.now_ns()
            if now_ns >= deadline_ns or enough():
                return
            wake_ns = min((device.wake_ns for device in self.devices), default=deadline_ns)
            wires.wait_until_ns(min(deadline_ns, wake_ns, wires.wake_ns(now_ns), now_ns + PERIOD_NS))
            now_ns = self.clock.now_ns()

    def trouble(self, wire: str) -> str:
        """Why a wire is not open; empty while it is."""
        link = self.links[wire]
        return "" if not isinstance(link, OpensItself) or link.is_open else link.trouble

    def close(self) -> None:
        """Close every wire; a second call does nothing."""
        for link in self.links.values():
            link.close()
