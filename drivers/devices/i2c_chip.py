"""What devices on an I2C bus have in common: a chip is started, asked now and then, and started again when it was lost.

A chip that does not answer three times in a row, or that never did, is lost: DeviceHealth says why, and it is started
again with pauses that grow from a quarter of a second to half a minute. A chip that answers but has forgotten its
settings has lost its supply for a moment: it is started again at once, and that is no news unless it happens again.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from drivers.buses.i2c import I2cBus
from drivers.buses.i2c_procedures import Argument, Done, Procedures
from drivers.interfaces import Emit
from drivers.quantities import DeviceHealth
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

START: Final = "start"
READ: Final = "read"
"""The two procedures every chip has."""

MISSES_TO_LOST: Final = 3
RETRY_NS: Final = 250 * NS_PER_MS
BACK_OFF_MAX_NS: Final = 30 * NS_PER_S
DEADLINE_NS: Final = 15 * NS_PER_S
"""Of a procedure: long enough to hear from a stuck bus why it fails, behind a dozen others."""


class Verdict(msgspec.Struct, frozen=True):
    """What an answer says of the chip. `reason` empty: it is well. `forgot`: it has to be started again."""

    reason: str = ""
    forgot: bool = False


WELL: Final = Verdict()


class I2cChip:
    """The watch over one chip, for devices to build on. The first `advance` starts it.

    Args:
        name: the device's.
        bus: it hangs on.
        procedures: of the bus, at least ``"start"`` and ``"read"``.
        period_ns: how often it is asked.
        settle_ns: from its start to the first question.

    Counters: `frames` (good answers), `failures` (procedures that failed), `starts`, `forgets`.
    """

    def __init__(self, name: str, bus: I2cBus, procedures: Procedures, *, period_ns: int, settle_ns: int = 0) -> None:
        self.name = name
        self.wake_ns = 0
        self.frames = self.failures = self.starts = self.forgets = 0
        self._bus = bus
        self._emit: Emit = bus.emit
        self._period_ns, self._settle_ns = period_ns, settle_ns
        self._up = False
        self._forgot = False
        self._misses = 0
        self._reason = ""
        self._back_off_ns = RETRY_NS
        bus.attach(name, procedures, self._done)

    # --- for the device to say

    def _arguments(self, procedure: str) -> tuple[Argument, ...]:
        """Of ``"start"`` and ``"read"``."""
        raise NotImplementedError

    def _started(self, result: Any, t_ns: int) -> Verdict:
        """What the start came to; a reason when this is not the right chip."""
        raise NotImplementedError

    def _heard(self, result: Any, t_ns: int) -> Verdict:
        """What it said; a reason when its values are not to be trusted."""
        raise NotImplementedError

    def _ended(self, done: Done) -> None:
        """Another procedure of the device ended well."""

    def _lost(self, t_ns: int) -> None:
        """It was given up, until the next start."""

    @property
    def _sources(self) -> tuple[str, ...]:
        """In whose names DeviceHealth is told."""
        return (self.name,)

    # --- the watch

    @property
    def is_up(self) -> bool:
        """True from a good start until it is lost."""
        return self._up

    def advance(self, now_ns: int) -> None:
        """Start it, or ask it."""
        if now_ns < self.wake_ns:
            return
        self.wake_ns = FOREVER_NS  # until the procedure has ended
        procedure = READ if self._up else START
        self._bus.submit(
            self.name, procedure, self._arguments(procedure), now_ns, deadline_ns=now_ns + DEADLINE_NS, slot=procedure
        )

    def _done(self, done: Done) -> None:
        t_ns = done.t_ns
        if not self._up and done.procedure != START:
            return  # given up in the meantime; the next start is due
        if not done.ok:
            self._failed(done.reason, t_ns)
        elif done.procedure == START:
            self.starts += 1
            verdict = self._started(done.result, t_ns)
            if verdict.reason:
                self._failed(verdict.reason, t_ns)
            else:
                self._up, self._misses = True, 0
                self.wake_ns = t_ns + self._settle_ns
        elif done.procedure == READ:
            self._judge(self._heard(done.result, t_ns), t_ns)
        else:
            self._ended(done)

    def _judge(self, verdict: Verdict, t_ns: int) -> None:
        self._misses = 0
        if verdict.forgot:
            self.forgets += 1
            again, self._forgot = self._forgot, True
            self._up = False
            if again:
                self._failed(verdict.reason, t_ns)
            else:
                self._lost(t_ns)
                self.wake_ns = t_ns
            return
        self._forgot = False
        self._back_off_ns = RETRY_NS
        self.frames += not verdict.reason
        self.wake_ns = t_ns + self._period_ns
        self._say(verdict.reason, t_ns)

    def _failed(self, reason: str, t_ns: int) -> None:
        self.failures += 1
        self._misses += 1
        if self._up and self._misses < MISSES_TO_LOST:
            self.wake_ns = min(self.wake_ns, t_ns + RETRY_NS)
            return
        self._up = False
        self._lost(t_ns)
        self.wake_ns = t_ns + self._back_off_ns
        self._back_off_ns = min(2 * self._back_off_ns, BACK_OFF_MAX_NS)
        self._say(reason, t_ns)

    def _say(self, reason: str, t_ns: int) -> None:
        if reason != self._reason:
            self._reason = reason
            for source in self._sources:
                self._emit(DeviceHealth(t_ns, source, not reason, reason))

    # --- state

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {
            "frames": self.frames,
            "failures": self.failures,
            "starts": self.starts,
            "forgets": self.forgets,
        }

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values; what waits on the bus is in the bus's."""
        return {
            "wake_ns": self.wake_ns,
            "up": self._up,
            "forgot": self._forgot,
            "misses": self._misses,
            "reason": self._reason,
            "back_off_ns": self._back_off_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns, self._up, self._forgot = state["wake_ns"], state["up"], state["forgot"]
        self._misses, self._reason, self._back_off_ns = state["misses"], state["reason"], state["back_off_ns"]
