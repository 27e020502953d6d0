"""The loop: what a tick costs that has nothing to do, that none is lost uncounted, how soon the first runs, memory.

``python -m tests.benchmarks loop``; ten minutes of real ticks: ``python -m tests.benchmarks.bench_loop --minutes 10``.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import subprocess
import sys
import tempfile
import tty
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

from controllers.core.ledger import Ledger
from controllers.core.scan_cycle import ScanCycle
from controllers.service.ledger import LoopMeter, processor
from controllers.service.loop import RealTimeLoop
from drivers.clock import SystemClock, VirtualClock
from drivers.links.memory import MemoryLink, memory_pair
from drivers.links.poll import WirePoll
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

ROOT = Path(__file__).parents[2]
PERIOD_NS = 10 * NS_PER_MS
START_NS = 1_000 * NS_PER_S
MILLION = 1_000_000
QUIET: Callable[..., Any] = lambda *words: None  # noqa: E731


class Clock(VirtualClock):
    """Virtual, with a date."""

    def utc_ns(self) -> int:
        """2024-02-19 and on."""
        return 1_708_297_200 * NS_PER_S + self.now_ns()


class Told:
    """Remembers the first and the last tick's number."""

    def __init__(self, period_ns: int) -> None:
        self.first = self.last = -1
        self.passed_over = 0
        self._period_ns = period_ns
        self.look = self.stopped = self.ticked = QUIET

    def observe(self, tick: int, *words: object) -> None:
        """The cycle's observer."""
        if self.first < 0:
            self.first = tick
        self.last = tick


class Asks:
    """A policy that is due at every tick and asks something of a speaker that is not there to listen."""

    wake_ns = 0

    def step(self, inputs: Sequence[Any], now_ns: int) -> Sequence[Any]:
        """One word, so that the observer is told."""
        from controllers.core.contract import Publish

        return (Publish("nobody", {}),)


class Naps:
    """Wires in virtual time that now and then wake late, by up to nine periods."""

    losses, troubles = 0, {}
    wake_ns = staticmethod(lambda now_ns: FOREVER_NS)
    pump = staticmethod(QUIET)

    def __init__(self, clock: VirtualClock) -> None:
        self._clock, self._n = clock, 0

    def wait_until_ns(self, deadline_ns: int) -> None:
        """Jump there, or beyond."""
        self._n += 1
        drawn = self._n * 2_654_435_761 % 2**32
        self._clock.sleep_until_ns(deadline_ns + (drawn % 90_000_000 if drawn % 11 == 0 else drawn % 3_000_000))


def loop_of(cycle: ScanCycle, wires: Any, clock: Any, told: Any, **more: Any) -> RealTimeLoop:
    """A loop around a cycle, without hardware."""
    board = SimpleNamespace(watchdogs={}, links={})
    controller: Any = SimpleNamespace(cycle=cycle, board=board, start=QUIET, stop=QUIET, sending=False)
    return RealTimeLoop(controller, wires, clock, lambda: True, told, **more)


def busy_cycle() -> ScanCycle:
    """Decides at every tick."""
    policy, gate = Asks(), SimpleNamespace(wake_ns=FOREVER_NS, step=lambda commands, inputs, now_ns: commands)
    speakers: Any = {"nobody": SimpleNamespace(publish=QUIET)}
    return ScanCycle("bench", PERIOD_NS, policy, gate, [], [], speakers=speakers)  # type: ignore[arg-type]


def lost(told: Told, loop: RealTimeLoop) -> int:
    """Places of the grid that were neither run nor counted."""
    figures = loop.ledger.figures()
    return told.last - told.first + 1 - loop.figures()["ticks"] - int(figures["overruns"])


def virtual(ticks: int) -> dict[str, int]:
    """So many virtual ticks, some of them late."""
    clock, cycle, told = Clock(START_NS), busy_cycle(), Told(PERIOD_NS)
    loop = loop_of(cycle, Naps(clock), clock, told)
    loop.run(lambda: cycle.ticks >= ticks)
    return {"ticks": cycle.ticks, "passed_over": loop.ledger.overruns, "lost_uncounted": lost(told, loop)}


def real(seconds: int) -> dict[str, Any]:
    """So many seconds of ticks at 100 Hz on the real clock, without real-time steps: then some do come late."""
    clock, cycle, told = SystemClock(), busy_cycle(), Told(PERIOD_NS)
    loop = loop_of(cycle, WirePoll((), clock, PERIOD_NS), clock, told, read=processor)
    until_ns = clock.now_ns() + seconds * NS_PER_S
    loop.run(lambda: clock.now_ns() >= until_ns)
    figures = loop.figures()
    late = " / ".join(str(figures["late_us"][name]) for name in ("p50", "p99", "p999", "max"))
    return {
        "ticks": cycle.ticks,
        "passed_over": loop.ledger.overruns,
        "lost_uncounted": lost(told, loop),
        "late_us": late,
        "held_by": ", ".join(f"{who} {sums['count']}x" for who, sums in figures["held_by"].items()) or "nobody",
    }


def empty_tick_us() -> dict[str, float]:
    """Microseconds of a tick with four devices and nothing to do: as virtual runs have it, and with a meter."""
    clock = SystemClock()
    found: dict[str, float] = {}
    rounds = 50_000
    for name in ("tick", "metered_tick", "due"):
        idle: Any = SimpleNamespace(wake_ns=FOREVER_NS - 1)
        devices: Any = [SimpleNamespace(name=f"device-{n}", wake_ns=FOREVER_NS) for n in range(4)]
        cycle = ScanCycle("bench", PERIOD_NS, idle, idle, [], devices)
        if name == "metered_tick":
            cycle.meter = LoopMeter(Ledger(PERIOD_NS), clock.now_ns)
        call = cycle.due_ns if name == "due" else cycle.tick
        took = []
        for _ in range(5):
            began_ns = clock.now_ns()
            for n in range(rounds):
                call(n * PERIOD_NS)
            took.append((clock.now_ns() - began_ns) / rounds / 1000)
        found[f"empty_{name}_us"] = min(took)
    return found


class Turns:
    """Wires that only count, for a turn of the loop without any sleep."""

    losses, troubles = 0, {}
    wake_ns = staticmethod(lambda now_ns: FOREVER_NS)
    pump = staticmethod(QUIET)
    wait_until_ns = staticmethod(QUIET)


class Grid(SystemClock):
    """Every look is half a period later; costs next to nothing."""

    def __init__(self) -> None:
        self._now_ns = START_NS

    def now_ns(self) -> int:
        """Later than before."""
        self._now_ns += 1_000
        return self._now_ns


def empty_turn_us() -> float:
    """A whole turn of the loop with a tick in which nobody has anything to do, ledger and all, without the sleep."""
    clock, rounds = SystemClock(), 20_000
    told: Any = SimpleNamespace(ticked=QUIET, observe=QUIET, look=QUIET, stopped=QUIET)
    idle: Any = SimpleNamespace(wake_ns=FOREVER_NS - 1, step=lambda *words: ())
    took = []
    for _ in range(5):
        cycle = ScanCycle("bench", 1_000, idle, idle, [], [], always_step=True)
        loop = loop_of(cycle, Turns(), Grid(), told, read=processor)
        began_ns = clock.now_ns()
        loop.run(lambda cycle=cycle: cycle.ticks >= rounds)  # type: ignore[misc]
        took.append((clock.now_ns() - began_ns) / rounds / 1000)
    return min(took)


FIRST = """
import os, sys
from controllers import cli
from controllers.core.scan_cycle import ScanCycle
from drivers.clock import SystemClock
def tick(self, now_ns):
    print(SystemClock().now_ns(), flush=True)
    os._exit(0)
ScanCycle.tick = tick
cli.main()
"""

BOARD = """
format = 1
name = "bench"
title = "One radar, one lamp, on pseudo-terminals"
model = "laptop"
product = "lighting"
period_ms = 20
bench = true
wires.radar-1 = {{ kind = "uart", port = "{radar}", baud = 115200 }}
wires.dali = {{ kind = "uart", port = "{dali}", baud = 19200 }}
devices.radar-1 = {{ part = "ld2451", wire = "radar-1" }}
devices.lamp-1 = {{ part = "atxled", wire = "dali", short_address = 0 }}
"""

SITE = """
format = 1
name = "bench"
product = "lighting"
place = {{ lat_deg = 51.97, lon_deg = 7.64, timezone = "Europe/Berlin" }}
light = {{ calendar = "always", keep_s = 1 }}
[[controllers]]
name = "only"
board = "{board}"
lamps = [{{ name = "lamp-1", x_m = 0 }}]
radars = [{{ name = "radar-1", x_m = 0, looks = "up" }}]
"""


def first_tick_ms() -> dict[str, float]:
    """From the start of the process to its first tick: imports, board, wires opened, real-time steps.

    Beside it the processor time of the same, and ``python -c pass`` in turn with it: this machine may be busy.
    """
    clock = SystemClock()
    found: list[float] = []
    bare: list[float] = []
    cpu: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        ends = {name: os.openpty() for name in ("radar", "dali")}
        for _, near in ends.values():
            tty.setraw(near)
        board, site = Path(folder) / "board.toml", Path(folder) / "site.toml"
        board.write_text(BOARD.format(**{name: os.ttyname(near) for name, (_, near) in ends.items()}))
        site.write_text(SITE.format(board=board))
        words = [sys.executable, "-c", FIRST, "run", "--site", str(site)]
        for _ in range(7):
            began_ns = clock.now_ns()
            subprocess.run([sys.executable, "-c", "pass"], cwd=ROOT, timeout=100, check=True)
            bare.append((clock.now_ns() - began_ns) / NS_PER_MS)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            began_ns = clock.now_ns()
            done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=100, check=True)
            found.append((int(done.stdout.split()[-1]) - began_ns) / NS_PER_MS)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu.append(1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
        for pair in ends.values():
            for fd in pair:
                os.close(fd)
    return {
        "first_tick_ms_median": median(found),
        "first_tick_ms_least": min(found),
        "first_tick_cpu_ms_least": min(cpu),
        "bare_python_ms_median": median(bare),
    }


def rss_mb() -> float:
    """Resident memory of this process now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


class Street(Naps):
    """The far ends of the reference controller's wires, in virtual time: radars that see nothing, gear that answers."""

    def __init__(self, clock: VirtualClock, far: dict[str, MemoryLink]) -> None:
        super().__init__(clock)
        self._far, self._next_ns = far, START_NS
        self._dali = far["dali"]
        self._dali.receiver = self._answer

    def _answer(self, data: bytes, t_ns: int) -> None:
        self._dali.write(b"N\n" * (2 if data[:1] == b"t" else 1), t_ns)

    def pump(self, t_ns: int) -> None:  # type: ignore[override]
        """Ten idle frames a second from each radar."""
        if t_ns < self._next_ns:
            return
        self._next_ns = t_ns + 100 * NS_PER_MS
        for name, link in self._far.items():
            if name.startswith("radar"):
                link.write(bytes.fromhex("f4f3f2f10000f8f7f6f5"), t_ns)

    def wait_until_ns(self, deadline_ns: int) -> None:
        """Jump there."""
        self._clock.sleep_until_ns(deadline_ns)


def every_tick_for_an_hour() -> dict[str, float]:
    """The reference lamp controller, stepped at every tick of 100 Hz for a virtual hour: memory after 6 and 60 min."""
    from controllers.service.assemble import assemble
    from controllers.service.sites import load_site
    from controllers.service.status import Status

    far: dict[str, MemoryLink] = {}

    def link_for(name: str, wire: object) -> MemoryLink:
        near, far[name] = memory_pair(name)
        return near

    catalog = ROOT / "boards" / "catalog" / "kanalpromenade-lamp-laptop.toml"
    with tempfile.TemporaryDirectory() as folder:
        board = Path(folder) / "board.toml"
        board.write_text(catalog.read_text().replace("period_ms = 20", "period_ms = 10"))
        controller = assemble(
            load_site("kanalpromenade-reference"), controller="west", board=str(board), link_for=link_for
        )
    controller.cycle.always_step = True
    clock = Clock(START_NS)
    loop = RealTimeLoop(controller, Street(clock, far), clock, lambda: True, Status(controller, QUIET))
    seen: list[tuple[float, int]] = []

    def asked_to_stop() -> bool:
        if controller.cycle.ticks >= (36_000, 360_000)[len(seen)]:
            gc.collect()
            seen.append((rss_mb(), len(gc.get_objects())))
        return len(seen) == 2

    loop.run(asked_to_stop)
    (early_mb, early), (late_mb, late) = seen
    return {
        "hour_ticks": controller.cycle.ticks,
        "hour_mb_after_6_min": early_mb,
        "hour_mb_after_60_min": late_mb,
        "hour_more_objects": late - early,
    }


def week_with_skipping() -> dict[str, float]:
    """The reference site with made-up traffic in virtual time, tickless: memory after a day and after seven."""
    from controllers.lighting.site import LightingSite
    from controllers.service.sites import load_site
    from hil.benches.lit_path import LitPathBench
    from hil.traffic.passages import RiderSource
    from tests.benchmarks.bench_replay import FIRST_S, traffic

    day_ns = 86_400 * NS_PER_S
    site = load_site("kanalpromenade-reference")
    assert isinstance(site, LightingSite)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "week.traffic"
        traffic(path, 7)
        riders = RiderSource(path, origin_utc_ns=FIRST_S * NS_PER_S)
        bench = LitPathBench(site, riders, origin_utc_ns=FIRST_S * NS_PER_S, rules=False)
        bench.start()
        bench.run(day_ns)
        gc.collect()
        early_mb, early = rss_mb(), len(gc.get_objects())
        bench.run(7 * day_ns)
        gc.collect()
        late_mb, late = rss_mb(), len(gc.get_objects())
        riders.close()
    return {"week_mb_after_1_day": early_mb, "week_mb_after_7_days": late_mb, "week_more_objects": late - early}


def run() -> dict[str, Any]:
    """All of it, with 20 s of real ticks."""
    found: dict[str, Any] = {**empty_tick_us(), "empty_turn_us": empty_turn_us()}
    found |= {f"virtual_{name}": value for name, value in virtual(MILLION).items()}
    found |= {f"real_{name}": value for name, value in real(20).items()}
    return found | first_tick_ms() | every_tick_for_an_hour() | week_with_skipping()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=10)
    for key, value in real(60 * parser.parse_args().minutes).items():
        print(f"{key:20} {value}")
