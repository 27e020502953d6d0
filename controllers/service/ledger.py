"""The loop's own watch: reads the clocks at every step of a turn and says to the ledger who was at work."""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable

from controllers.core.ledger import Account, Ledger, culprit
from drivers.clock import thread_cpu_ns

Processor = Callable[[], tuple[int, int]]
"""(processor time of this thread in ns, how often it has waited for something of its own accord)."""


def processor() -> tuple[int, int]:
    """Of the calling thread: ``(1_203_000, 17)``."""
    return thread_cpu_ns(), resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


class LoopMeter:
    """Implements Meter. A turn goes `begin`, many `mark`, `end`; in between the loop sleeps.

    Time that passes in a turn while the thread has no processor, though it has not once waited by itself, is the
    machine's. Where it did wait (a write that blocks, the interpreter lock), the part that was at work is named.

    Args:
        ledger: told what is found.
        now_ns: the loop's clock.
        read: this thread's processor time and waits; None where time is virtual and nobody takes the processor away.
    """

    def __init__(self, ledger: Ledger, now_ns: Callable[[], int], read: Processor | None = None) -> None:
        self.ledger = ledger
        self.last_ns = now_ns()
        """The time of the last mark."""
        self._now_ns, self._read = now_ns, read
        self._account, self._before = Account(), Account()
        self._began_ns = self._asleep_ns = self._deadline_ns = self.last_ns
        self._cpu_ns = self._waits = self._read_ns = 0
        self._stolen_ns = self._overslept_ns = self._awake_ns = 0
        self._collecting_ns = 0
        self._prepared = False

    def awake(self) -> None:
        """The sleep is over, and it is not time yet: do what takes a while. Else `begin` does it."""
        if not self._prepared:
            self._account, self._before = self._before, self._account
            self._account.clear()
        self._prepared = True
        self._read_ns = self._now_ns()
        if self._read is not None:
            self._cpu_ns, self._waits = self._read()

    def begin(self) -> int:
        """A turn begins; gives the time."""
        if not self._prepared:
            self.awake()
        self._prepared = False
        self._began_ns = self.last_ns = now_ns = self._now_ns()
        self._overslept_ns = now_ns - max(self._asleep_ns, self._deadline_ns)
        return now_ns

    def mark(self, phase: int, what: str, name: str) -> None:
        """The time since the last mark went there."""
        now_ns = self._now_ns()
        self._account.add(phase, what, name, now_ns - self.last_ns)
        self.last_ns = now_ns

    def end(self, deadline_ns: int) -> None:
        """The turn has ended; the loop sleeps until `deadline_ns`."""
        self._asleep_ns = now_ns = self._now_ns()
        self._deadline_ns = deadline_ns
        self._awake_ns = now_ns - self._began_ns
        self._stolen_ns = self._stolen(now_ns)
        self.ledger.turned(self._account)

    def ticked(self, t_ns: int, due_ns: int, passed_over: int) -> int:
        """The tick at `t_ns`, due at `due_ns`, begins now: gives how late that is."""
        late_ns = max(0, self.last_ns - due_ns)
        ledger = self.ledger
        ledger.ticked(late_ns, passed_over)
        if late_ns >= ledger.period_ns // 2:
            came_late_ns = self._began_ns - due_ns
            if 2 * came_late_ns >= late_ns:
                what, for_ns = culprit(self._before, self._awake_ns, self._overslept_ns, self._stolen_ns)
            else:  # it came around in time and was held before the tick
                stolen_ns = self._stolen(self.last_ns)
                what, for_ns = culprit(self._account, self.last_ns - self._began_ns, 0, stolen_ns)
            ledger.held(t_ns, late_ns, what, for_ns)
        return late_ns

    def _stolen(self, now_ns: int) -> int:
        if self._read is None:
            return 0
        cpu_ns, waits = self._read()
        return 0 if waits != self._waits else max(0, now_ns - self._read_ns - (cpu_ns - self._cpu_ns))

    def watch_collector(self, watch: bool) -> None:
        """Tell what the garbage collector takes from what everybody else does, from now on or no longer."""
        if watch:
            gc.callbacks.append(self._collector)
        else:
            gc.callbacks.remove(self._collector)

    def _collector(self, phase: str, info: dict[str, int]) -> None:
        now_ns = self._now_ns()
        if phase == "start":
            self._collecting_ns = now_ns
            return
        took_ns = now_ns - self._collecting_ns
        self._account.collector_ns += took_ns
        self.last_ns += took_ns  # not whose turn it was
