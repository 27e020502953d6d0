"""What parts on a Modbus bus have in common: they are asked every so often, and say when they do not answer.

A question that fails is asked again at the next turn; when nothing sound has come for `stale_ns`, DeviceHealth says why
the last one failed. A part that answers with an exception is not silent: that is told at once.
"""

from __future__ import annotations

from typing import Any, Final

from drivers.buses.modbus import RESPONSE_NS, SET_REGISTER, ModbusBus
from drivers.buses.modbus_jobs import Done
from drivers.devices.listener import Listener
from drivers.units import FOREVER_NS

SILENT: Final = "no reply"


class _NoStream:
    """The bus reads the bytes; the part has no codec state of its own."""

    skipped_bytes = 0

    def snapshot(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to take over."""


class ModbusPart(Listener):
    """One part at one address, for devices to build on. Its first question leaves with the first `advance`.

    Args:
        name: the device's.
        bus: it hangs on.
        address: 1 to 247.
        part: its printed name; only parts of one name may share an address.
        period_ns: how often it is asked.
        stale_ns: how long nothing sound may come.
        frozen_ns: see FrozenWatch; 0: values may stand.
        response_ns: how long it may think before it answers, with the delays of adapters.

    Counters: `frames` (good answers), `failures`, `refusals` (exceptions).
    """

    def __init__(
        self,
        name: str,
        bus: ModbusBus,
        address: int,
        part: str,
        *,
        period_ns: int,
        stale_ns: int,
        frozen_ns: int = 0,
        response_ns: int = RESPONSE_NS,
    ) -> None:
        super().__init__(name, _NoStream(), bus.emit, stale_ns, SILENT, frozen_ns=frozen_ns)
        self.failures = self.refusals = 0
        self._bus, self._address, self._period_ns = bus, address, period_ns
        self._next_ns = 0
        self._asked = False
        bus.add_device(name, address, self._done, part=part, response_ns=response_ns)

    # --- for the device to say

    def _question(self, now_ns: int) -> tuple[str, tuple[int, ...]]:
        """The procedure that is due, and its arguments."""
        raise NotImplementedError

    def _answered(self, done: Done) -> None:
        """The question was answered: call `_heard` or `_faulty`."""
        raise NotImplementedError

    def _failed(self, done: Done) -> None:
        """The question was not answered."""

    def _was_set(self, done: Done) -> None:
        """A register of ours was written, or could not be."""

    # ---

    def _due_ns(self) -> int:
        return min(super()._due_ns(), FOREVER_NS if self._asked else self._next_ns)

    def advance(self, now_ns: int) -> None:
        """Ask when it is time; notice silence, and a value that stands still."""
        if now_ns < self.wake_ns:
            return
        if not self._asked and now_ns >= self._next_ns:
            self._asked = True
            self._next_ns += self._period_ns
            if self._next_ns <= now_ns:
                self._next_ns = now_ns + self._period_ns
            procedure, args = self._question(now_ns)
            deadline_ns = now_ns + max(self._stale_ns, self._period_ns)
            self._bus.submit(procedure, args, now_ns, owner=self.name, deadline_ns=deadline_ns)
        super().advance(now_ns)

    def _ask_at_once(self, now_ns: int) -> None:
        """The next question does not wait for its period."""
        self._next_ns = min(self._next_ns, now_ns)
        self.wake_ns = self._due_ns()

    def _done(self, done: Done) -> None:
        if done.procedure == SET_REGISTER:
            self._was_set(done)
            return
        self._asked = False
        if done.ok:
            self._answered(done)
        else:
            self.failures += 1
            self.refusals += done.refused
            if done.refused or done.verdict:
                self._faulty(done.t_ns, done.reason)
            elif not self._trouble:
                self._silence = done.reason
            self._failed(done)
        self.wake_ns = self._due_ns()

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {"frames": self.frames, "failures": self.failures, "refusals": self.refusals}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {**super().snapshot(), "next_ns": self._next_ns, "asked": self._asked, "silence": self._silence}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._next_ns, self._asked, self._silence = state["next_ns"], state["asked"], state["silence"]


class PartAlone:
    """A part with the bus to itself, as one device: for a part that is tried on a desk."""

    def __init__(self, part: ModbusPart, bus: ModbusBus) -> None:
        self.name, self.part, self._bus = part.name, part, bus

    @property
    def wake_ns(self) -> int:
        """The sooner of both."""
        return min(self.part.wake_ns, self._bus.wake_ns)

    @wake_ns.setter
    def wake_ns(self, wake_ns: int) -> None:
        raise AttributeError("it follows from the part and the bus")

    def advance(self, now_ns: int) -> None:
        """The part first, so that what it asks leaves at once."""
        self.part.advance(now_ns)
        self._bus.advance(now_ns)

    def counters(self) -> dict[str, int]:
        """Of both; `frames` are the part's."""
        return {**self._bus.counters(), **self.part.counters()}

    def snapshot(self) -> dict[str, Any]:
        """All state of both."""
        return {"part": self.part.snapshot(), "bus": self._bus.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.part.restore(state["part"])
        self._bus.restore(state["bus"])
