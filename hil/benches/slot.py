"""Where a controller stands on the in-process bench: its wires' ends stay while it comes and goes."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from controllers.core.scan_cycle import ScanCycle
from drivers.interfaces import Device, Receiver, RepeatReceiver, unheard, unheard_repeat
from drivers.links.memory import MemoryLink
from drivers.links.tap import Sink
from drivers.units import FOREVER_NS

WHO_BITS = 16
WHO = (1 << WHO_BITS) - 1
"""An event is one number, its time and below that who wakes: in order of time, peers before boards, each in order."""


@runtime_checkable
class Settling(Protocol):
    """A peer that tells its idle frames in bulk."""

    def settle(self, until_ns: int, *, foretell: bool = True) -> None:
        """Tell all idle frames up to and including `until_ns`; `foretell` those that are sure to follow, too."""


class Slot:
    """A place for a controller: its wires stay when it restarts. `cycle` is None while it is without power."""

    def __init__(self, name: str, make: Callable[[Slot], ScanCycle]) -> None:
        self.name, self.make = name, make
        self.index = -1
        self.cycle: ScanCycle | None = None
        self.links: dict[str, BoardLink] = {}
        self.radars: list[Settling] = []
        self.watched: list[Device] = []
        """The devices that the idle frames of `radars` keep from falling stale."""
        self.alone: dict[str, Device] = {}
        """By wire: the one device that what comes in there reaches; through other wires it may be any."""
        self.last_tick_ns = -1
        self.soon_ns = FOREVER_NS
        """The next tick, where something has come for it already."""
        self.starts = 0
        self.ticks_before = 0
        """Of the controllers that stood here before the present one."""
        self.clock_off_ns = 0
        """How wrong the wall time is that its controllers are told."""

    def settle(self, until_ns: int, *, foretell: bool = True) -> None:
        """Tell the idle frames up to `until_ns`, and as a rule what is sure to follow."""
        for radar in self.radars:
            radar.settle(until_ns, foretell=foretell)

    def attach(self) -> None:
        """A controller has been made: its wires reach its devices."""
        cycle = self.cycle
        assert cycle is not None
        cycle.vouched = True
        for name, link in self.links.items():
            link.attach(cycle, self.alone.get(name))

    def due_ns(self, now_ns: int) -> int:
        """The next tick that may have something to do, at `now_ns` at the earliest."""
        if self.cycle is None:
            return FOREVER_NS
        return self.cycle.due_ns(max(self.last_tick_ns, now_ns - 1))


class BoardLink:
    """A board's end of an in-process wire, tapped, that tells the bench who has been touched."""

    def __init__(
        self, near: MemoryLink, wire: int, sink: Sink, touched: list[int], soon: list[int], slot: Slot, peer: int
    ) -> None:
        self.name = near.name
        self.receiver: Receiver = unheard
        self.repeat_receiver: RepeatReceiver = unheard_repeat
        self._near, self._wire, self._passed = near, wire, sink.passed
        self._repeated = sink.repeated
        self._touched, self._soon, self._slot, self._peer = touched, soon, slot, peer
        self._cycle: ScanCycle | None = None
        self._alone: Device | None = None
        near.receiver = self._inward
        near.repeat_receiver = self._repeat
        near.foretell_receiver = self._foretold

    def attach(self, cycle: ScanCycle, alone: Device | None) -> None:
        """`cycle` runs the devices behind this end; of them only `alone` hears this wire, if it is not None."""
        self._cycle, self._alone = cycle, alone

    def _inward(self, data: bytes, t_ns: int) -> None:
        self._passed(self._wire, False, data, t_ns)
        self.receiver(data, t_ns)
        cycle, alone, slot = self._cycle, self._alone, self._slot
        if alone is None or cycle is None:
            self._reached()
        elif alone.wake_ns < cycle.devices_ns:  # as `_reached` does, for the usual frame
            cycle.devices_ns = alone.wake_ns
        if cycle is None or not cycle.inbox:
            self._touched.append(slot.index)
        elif slot.soon_ns == FOREVER_NS:  # something stands in the inbox: the next tick is to be run
            last_ns = slot.last_tick_ns
            slot.soon_ns = soon_ns = cycle.grid.after_ns(last_ns if last_ns >= t_ns else t_ns - 1)
            if self._soon:
                insort(self._soon, soon_ns << WHO_BITS | slot.index)
            else:
                self._soon.append(soon_ns << WHO_BITS | slot.index)

    def _reached(self) -> None:
        """Devices have heard something: keep the cycle's word on when they have something to do."""
        cycle, alone = self._cycle, self._alone
        if cycle is not None:
            wake_ns = 0 if alone is None else alone.wake_ns
            if wake_ns < cycle.devices_ns:
                cycle.devices_ns = wake_ns

    def _repeat(self, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        self._repeated(self._wire, frame, first_ns, last_ns, count)
        self._foretold(frame, first_ns, last_ns, count)
        self._touched.append(self._slot.index)

    def _foretold(self, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """For the device alone: nothing has passed yet."""
        self.repeat_receiver(frame, first_ns, last_ns, count)
        self._reached()

    def write(self, data: bytes, t_ns: int) -> None:
        """Record, then hand to the peer."""
        self._passed(self._wire, True, data, t_ns)
        self._near.write(data, t_ns)
        self._touched.append(self._peer)

    def unplug(self) -> None:
        """The board has lost power: nobody listens."""
        self.receiver, self.repeat_receiver = unheard, unheard_repeat
        self._cycle = self._alone = None

    def pump(self, t_ns: int) -> None:
        """Nothing to do: bytes come by themselves."""

    def fileno(self) -> int | None:
        """None: nothing to poll."""
        return None

    def close(self) -> None:
        """Same as `unplug`."""
        self.unplug()
