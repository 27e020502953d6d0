"""How late our loop's ticks come on this machine, beside a bare clock_nanosleep loop, in turn in the same run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec

from controllers.core.contract import Command
from controllers.core.scan_cycle import ScanCycle
from controllers.service.bare_loop import BareLoop
from controllers.service.ledger import processor
from controllers.service.loop import RealTimeLoop
from controllers.service.real_time import Step
from drivers.clock import SystemClock
from drivers.links.poll import WirePoll
from drivers.quantities import Quantity
from drivers.units import FOREVER_NS, NS_PER_S

SLICE_NS = NS_PER_S
QUIET_WIRES = 3


class Lateness(msgspec.Struct):
    """Of one loop: how late each of its ticks came in ns, and how many places of the grid it passed over."""

    late_ns: list[int]
    passed_over: int = 0

    def quantile_us(self, per_mille: int) -> float:
        """Nearest rank, in microseconds: ``27.4``; 0 where nothing was measured."""
        ranked = sorted(self.late_ns)
        return ranked[-(-len(ranked) * per_mille // 1000) - 1] / 1000 if ranked else 0.0

    def figures(self) -> dict[str, float]:
        """p50, p99, p999, max in us; ticks; passed_over."""
        names = {"p50": 500, "p99": 990, "p999": 999, "max": 1000}
        return {name: self.quantile_us(per_mille) for name, per_mille in names.items()} | {
            "ticks": len(self.late_ns),
            "passed_over": self.passed_over,
        }

    def doublings(self) -> list[int]:
        """How many values up to 1 us, up to 2, up to 4, …; each value once."""
        counts: list[int] = []
        for late_ns in self.late_ns:
            number = (max(1, -(-late_ns // 1000)) - 1).bit_length()
            counts.extend([0] * (number + 1 - len(counts)))
            counts[number] += 1
        return counts


class Jitter(msgspec.Struct):
    """What a run has found. `held` are the newest entries of our loop's ledger."""

    period_ns: int
    loop: Lateness
    bare: Lateness
    bare_made_of: str
    real_time: list[Step]
    held: list[dict[str, Any]]

    @property
    def ratio(self) -> float:
        """p50 of ours to p50 of the bare loop's."""
        return self.loop.quantile_us(500) / max(0.001, self.bare.quantile_us(500))

    @property
    def verdict(self) -> str:
        """``"good"``, ``"enough"`` or ``"not enough"`` for this period; see `why`."""
        if self.loop.passed_over or not self.loop.late_ns:
            return "not enough"
        calm = self.loop.quantile_us(999) * 10_000 <= self.period_ns and max(self.loop.late_ns) * 2 <= self.period_ns
        return "good" if calm else "enough"

    @property
    def why(self) -> str:
        """What the verdict rests on."""
        most = max(self.loop.late_ns, default=0)
        if not self.loop.late_ns:
            return "no tick ran"
        if self.loop.passed_over:
            return f"{self.loop.passed_over} places of the grid had no tick, because it came too late"
        if self.verdict == "good":
            return "999 of 1000 ticks within a tenth of the period, none later than half of it"
        return f"no tick was lost, but the latest came {most * 100 // self.period_ns} % of a period late"


class _Ticks:
    """A policy that is due at every tick, and a gate that never is."""

    def __init__(self, wake_ns: int) -> None:
        self.wake_ns = wake_ns

    def step(self, *words: object) -> Sequence[Command]:
        return ()

    def snapshot(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


class _Notes:
    """Status of a loop that is only measured."""

    def __init__(self, found: Lateness) -> None:
        self._found = found

    def ticked(self, late_ns: int, passed_over: int) -> None:
        self._found.late_ns.append(late_ns)
        self._found.passed_over += passed_over

    def observe(
        self, tick: int, now_ns: int, inputs: Sequence[Quantity], asked: Sequence[Command], allowed: Sequence[Command]
    ) -> None:
        pass

    def look(self, now_ns: int, troubles: Mapping[str, str], losses: int) -> None:
        pass

    def stopped(self, now_ns: int, unfinished: bool) -> None:
        pass


class _Controller:
    """Just enough to be run: a cycle, no hardware."""

    sending = False

    def __init__(self, period_ns: int) -> None:
        self.cycle = ScanCycle("jitter", period_ns, _Ticks(0), _Ticks(FOREVER_NS), [], [])
        self.board: Any = SimpleNamespace(watchdogs={}, links={})

    def start(self, now_ns: int) -> None:
        pass

    def stop(self, now_ns: int) -> None:
        pass


class _QuietWire:
    """A wire on which nothing comes; poll() has to look at it all the same."""

    def __init__(self) -> None:
        self._fds = os.pipe()

    def fileno(self) -> int | None:
        return self._fds[0]

    def pump(self, t_ns: int) -> None:
        pass

    def close(self) -> None:
        for fd in self._fds:
            os.close(fd)


def measure(
    period_ns: int,
    span_ns: int,
    bare: BareLoop,
    set_up: Callable[[], Sequence[Step]] = tuple,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Jitter:
    """Run both loops in turn for `span_ns` in all, a second each; ours with three wires on which nothing comes.

    Both run on the calling thread, after `set_up`, so that they share its priority, timer slack and memory. The first
    slice of each does not count. `progress` is told (seconds done, seconds in all).
    """
    clock = SystemClock()
    wires = [_QuietWire() for _ in range(QUIET_WIRES)]
    polled = WirePoll((), clock, period_ns, None, wires)
    steps = list(set_up())
    slice_ns = max(SLICE_NS, 10 * period_ns)
    rounds = max(1, span_ns // (2 * slice_ns))
    ours, theirs = Lateness([]), Lateness([])
    held: list[dict[str, Any]] = []
    try:
        for number in range(rounds + 1):
            if number == 1:
                ours, theirs = Lateness([]), Lateness([])
                held.clear()
            late_ns, passed_over = bare.run(period_ns, clock.now_ns() + slice_ns)
            theirs.late_ns += late_ns
            theirs.passed_over += passed_over
            until_ns = clock.now_ns() + slice_ns
            loop = RealTimeLoop(_Controller(period_ns), polled, clock, lambda: True, _Notes(ours), read=processor)
            loop.run(lambda until_ns=until_ns: clock.now_ns() >= until_ns)  # type: ignore[misc]
            held = (held + loop.ledger.figures()["held"])[-20:]
            progress(number, rounds)
    finally:
        for wire in wires:
            wire.close()
    return Jitter(period_ns, ours, theirs, bare.made_of, steps, held)
