"""A loop in which something raises ends there and then, and its process with it: never half a loop."""

from __future__ import annotations

import os
import subprocess
import sys
import tty
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from controllers.core.scan_cycle import ScanCycle
from controllers.service.loop import LoopError, RealTimeLoop
from drivers.clock import VirtualClock
from drivers.errors import InputError, LinkLost, NoReply
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

ROOT = Path(__file__).parents[2]
PERIOD_NS = 20 * NS_PER_MS
START_NS = 100 * NS_PER_S


class Clock(VirtualClock):
    def utc_ns(self) -> int:
        return self.now_ns()


class Rig:
    """A loop of which one part raises from the tenth tick on; everything else is written down."""

    def __init__(self, part: str, error: BaseException) -> None:
        self.calls: list[str] = []
        self.clock = Clock(START_NS)
        self._part, self._error = part, error
        note = self.note
        policy: Any = SimpleNamespace(wake_ns=0, step=note("policy"))
        gate: Any = SimpleNamespace(wake_ns=FOREVER_NS, step=note("gate"))
        devices: Any = [SimpleNamespace(name="radar-1", wake_ns=0, advance=note("device"))]
        self.cycle = ScanCycle("test", PERIOD_NS, policy, gate, [], devices, always_step=True)
        controller: Any = SimpleNamespace(
            cycle=self.cycle,
            board=SimpleNamespace(watchdogs={"relay": SimpleNamespace(feed=note("relay"))}, links={}),
            start=note("start"),
            stop=note("stop"),
            sending=False,
        )
        wires: Any = SimpleNamespace(
            losses=0, troubles={}, wake_ns=lambda now_ns: FOREVER_NS, wait_until_ns=self.wait, pump=note("wires")
        )
        names = ("ticked", "observe", "look", "stopped")
        status: Any = SimpleNamespace(**{name: note(f"status {name}") for name in names})
        names = ("started", "passed_over", "wall", "observed", "ticked", "stopping")
        flight: Any = SimpleNamespace(**{name: note(f"flight {name}") for name in names})
        beat: Any = SimpleNamespace(beat=note("beat"))
        self.loop = RealTimeLoop(controller, wires, self.clock, lambda: True, status, flight, [beat])

    def note(self, name: str) -> Callable[..., Any]:
        def call(*words: object) -> tuple[()]:
            self.calls.append(name)
            if name == self._part and self.cycle.ticks >= 10:
                raise self._error
            return ()

        return call

    def wait(self, deadline_ns: int) -> None:
        self.clock.sleep_until_ns(deadline_ns)

    def run(self) -> None:
        self.loop.run(lambda: self.clock.now_ns() >= START_NS + NS_PER_S)


PARTS = ["policy", "gate", "device", "relay", "wires", "status ticked", "flight ticked", "beat"]


@pytest.mark.parametrize("part", PARTS)
def test_whatever_raises_ends_the_loop_at_once_without_a_clean_stop_and_without_another_beat(part: str) -> None:
    rig = Rig(part, ZeroDivisionError("planted"))
    with pytest.raises(ZeroDivisionError, match="planted"):
        rig.run()
    assert rig.calls[-1] == part, "nothing more is done"
    assert rig.calls.count("beat") >= 9
    for never in ("stop", "status stopped", "flight stopping"):
        assert never not in rig.calls


def test_without_a_fault_the_same_rig_stops_cleanly() -> None:
    rig = Rig("nobody", ZeroDivisionError())
    rig.run()
    ends = [call for call in rig.calls if call in ("flight stopping", "stop", "status stopped")]
    assert ends == ["flight stopping", "stop", "status stopped"]


@pytest.mark.parametrize("error", [InputError("no such lamp"), FileNotFoundError(2, "No such file", "somewhere")])
def test_a_fault_that_looks_like_bad_input_is_none_for_then_nobody_would_start_it_again(error: Exception) -> None:
    rig = Rig("policy", error)
    with pytest.raises(LoopError, match="the loop has ended: ") as caught:
        rig.run()
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [LinkLost("dali", 1, "unplugged"), NoReply("dali", 1, "silent"), KeyboardInterrupt()])
def test_every_other_fault_stays_what_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)):
        Rig("policy", error).run()


# --- the whole program

BOARD = """
format = 1
name = "bench-fault"
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

PROGRAM = """
import sys
from controllers import cli
from controllers.core.failsafe_lamps import LampGate
from controllers.lighting.policy import LightingPolicy
from drivers.errors import InputError

owner, error = {"policy": LightingPolicy, "gate": LampGate}[sys.argv.pop(1)], sys.argv.pop(1)
before, calls = owner.step, 0

def step(self, *words):
    global calls
    calls += 1
    if calls == 3:
        raise {"bug": ZeroDivisionError("planted"), "input": InputError("planted")}[error]
    return before(self, *words)

owner.step = step
sys.exit(cli.main())
"""


@pytest.mark.parametrize(("part", "error"), [("policy", "bug"), ("policy", "input"), ("gate", "bug")])
def test_the_process_dies_with_1_so_that_it_is_started_again(part: str, error: str, tmp_path: Path) -> None:
    ends = {name: os.openpty() for name in ("radar", "dali")}
    for _, near in ends.values():
        tty.setraw(near)
    board, site = tmp_path / "board.toml", tmp_path / "site.toml"
    board.write_text(BOARD.format(**{name: os.ttyname(near) for name, (_, near) in ends.items()}))
    site.write_text(SITE.format(board=board))
    words = [sys.executable, "-c", PROGRAM, part, error, "run", "--site", str(site), "--priority", "0"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    for pair in ends.values():
        for fd in pair:
            os.close(fd)
    assert done.returncode == 1, done.stderr
    assert "planted" in done.stderr
    assert "Traceback" in done.stderr
    assert "stopped" not in done.stderr.splitlines()
