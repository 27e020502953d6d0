"""The garbage collector, when the loop has time for it.

`real_time.set_up` puts it off: a collection comes when enough objects have been made, in the middle of a tick if need
be. What is made in a tick is mostly freed without it. Cycles (an exception and its frames) would pile up, so the loop
collects in a gap that is long enough, judged by what the last collections took; and after a minute without any, anyway.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Final

from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

EVERY_NS: Final = 10 * NS_PER_S
LATEST_NS: Final = 60 * NS_PER_S
FIRST_NS: Final = NS_PER_MS
"""What a collection is taken to last before one has been measured."""


class IdleCollector:
    """Collects in gaps, as long as the collector does not run by itself.

    Args:
        now_ns: a clock.
        collect: what is called; everything that is not frozen is looked through.
    """

    def __init__(self, now_ns: Callable[[], int], collect: Callable[[], object] = gc.collect) -> None:
        self.wake_ns = FOREVER_NS
        """When to look for a gap."""
        self.collections = self.longest_ns = 0
        self._now_ns, self._collect = now_ns, collect
        self._latest_ns = FOREVER_NS
        self._takes_ns = FIRST_NS

    def start(self, t_ns: int) -> None:
        """From now on, if the collector has been put off."""
        if not gc.isenabled():
            self.wake_ns, self._latest_ns = t_ns + EVERY_NS, t_ns + LATEST_NS

    def look(self, t_ns: int, gap_ns: int) -> None:
        """Collect if it fits twice into the `gap_ns` that the loop would sleep, or if it has waited for too long."""
        if gap_ns < 2 * self._takes_ns and t_ns < self._latest_ns:
            return
        began_ns = self._now_ns()
        self._collect()
        took_ns = self._now_ns() - began_ns
        self.collections += 1
        self.longest_ns = max(self.longest_ns, took_ns)
        self._takes_ns = max(took_ns, self._takes_ns - self._takes_ns // 8)
        self.wake_ns, self._latest_ns = t_ns + EVERY_NS, t_ns + LATEST_NS
