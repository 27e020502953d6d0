"""The service as a whole: the unmodified program on pseudo-terminals, with gateway, gear and pins behind them."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tty
import urllib.request
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from controllers.service.control import ControlClient
from drivers.clock import SystemClock
from drivers.links.memory import memory_pair
from drivers.units import NS_PER_S
from hil.peers.dali_gateway import DaliGateway
from hil.peers.gpio_stream import lines_at, nobody_left

DEADLINE_NS = 90 * NS_PER_S
RELAY = 17
HOLD_MS = 4_000
BASE = 170
APPROACHING = bytes.fromhex("f4f3f2f107000101801401 1964 f8f7f6f5")  # 20 m, 25 km/h, towards the radar

BOARD = """
format = 1
name = "bench-service"
title = "One radar, two lamps, one relay, on pseudo-terminals and pins that the rig holds"
model = "raspberry-pi-4"
product = "lighting"
period_ms = 20
bench = true
wires.radar-1 = {{ kind = "uart", port = "{radar}", baud = 115200 }}
wires.dali = {{ kind = "uart", port = "{dali}", baud = 19200 }}
wires.lines = {{ kind = "gpio", factory = "leeze" }}
devices.radar-1 = {{ part = "ld2451", wire = "radar-1", stale_ms = 600000 }}
devices.lamp-1 = {{ part = "atxled", wire = "dali", short_address = 0 }}
devices.lamp-2 = {{ part = "atxled", wire = "dali", short_address = 1 }}
devices.relay = {{ part = "relay", wire = "lines", gpio = 17, mode = "{mode}", hold_ms = 4000 }}
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
lamps = [{{ name = "lamp-1", x_m = 0 }}, {{ name = "lamp-2", x_m = 32 }}]
radars = [{{ name = "radar-1", x_m = 0, looks = "up" }}]
"""

PLANTED = """
import sys
from controllers.lighting.policy import LightingPolicy
from drivers.devices.lamp import DaliLamp
{plant}
from controllers.cli import main
sys.exit(main())
"""


class Bench:
    """One board and what is at its far ends, served by `until` on the test's own thread."""

    def __init__(self, folder: Path, mode: str = "pulse") -> None:
        self.folder, self.clock = folder, SystemClock()
        self.deadline_ns = self.clock.now_ns() + DEADLINE_NS
        self.radar, self.dali = os.openpty(), os.openpty()
        tty.setraw(self.radar[1])
        tty.setraw(self.dali[1])
        self.site, self.socket, self.keep = folder / "site.toml", folder / "only.sock", folder / "only.keep"
        ports = {"radar": os.ttyname(self.radar[1]), "dali": os.ttyname(self.dali[1])}
        (folder / "board.toml").write_text(BOARD.format(mode=mode, **ports))
        self.site.write_text(SITE.format(board=folder / "board.toml"))
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.notify.bind(str(folder / "notify"))
        self.lines, self.pins = lines_at("lines", folder / "gpio")
        self.changes: list[tuple[int, int]] = []
        self.lines.on_change = lambda line, level, t_ns: self.changes.append((t_ns, level))
        self.segments: list[tuple[int, int, int]] = []
        """(lamp, from, to): every change of what a lamp shows."""
        self._near, far = memory_pair("dali")
        self.gateway = DaliGateway("dali", far, [0, 1], self._shown, level=BASE, fade_code=2)
        self._near.receiver = lambda data, t_ns: self._answered(data)
        self.asked_ns = 0
        """When something was last said on the lamps' bus."""
        self.processes: list[subprocess.Popen[bytes]] = []

    def _shown(self, lamp: int, t_ns: int, from_level: int, to_level: int, duration_ns: int) -> None:
        if from_level != to_level:
            self.segments.append((lamp, from_level, to_level))

    def _answered(self, data: bytes) -> None:
        os.write(self.dali[0], data)

    def start(self, verb: str, *options: str, plant: str = "", watchdog_us: int = 0) -> subprocess.Popen[bytes]:
        environ = os.environ | {"LEEZE_GPIO": str(self.folder / "gpio"), "NOTIFY_SOCKET": str(self.folder / "notify")}
        if watchdog_us:
            environ["WATCHDOG_USEC"] = str(watchdog_us)
        program = ["-c", PLANTED.format(plant=plant)] if plant else ["-m", "controllers"]
        words = [sys.executable, *program, verb, "--site", str(self.site), *options]
        process = subprocess.Popen(words, stderr=subprocess.PIPE, env=environ)
        self.processes.append(process)
        return process

    def run(self, *options: str, plant: str = "", watchdog_us: int = 0) -> subprocess.Popen[bytes]:
        """The controller."""
        return self.start("run", "--socket", str(self.socket), *options, plant=plant, watchdog_us=watchdog_us)

    def until(self, done: Callable[[], object], process: subprocess.Popen[bytes] | None = None) -> None:
        """Serve until `done`; fails at the deadline, and when `process` has died before."""
        pins = self.pins.fileno()
        assert pins is not None
        while not done():
            assert self.clock.now_ns() < self.deadline_ns, (self.changes[-5:], self.segments[-5:])
            if process is not None and process.poll() is not None:
                assert process.stderr is not None
                raise AssertionError(process.stderr.read().decode())
            ready = select.select([self.radar[0], self.dali[0], pins], [], [], 0.005)[0]
            now_ns = self.clock.now_ns()
            if self.radar[0] in ready:
                os.read(self.radar[0], 4096)
            if self.dali[0] in ready:
                self.asked_ns = now_ns
                self._near.write(os.read(self.dali[0], 4096), now_ns)
            if pins in ready:
                self.pins.pump(now_ns)
            if self.gateway.wake_ns <= now_ns:
                self.gateway.run(now_ns)

    def serve_for(self, span_ns: int) -> None:
        """Serve for a while in which something is not to happen."""
        until_ns = self.clock.now_ns() + span_ns
        self.until(lambda: self.clock.now_ns() >= until_ns)

    def until_well(self, process: subprocess.Popen[bytes]) -> None:
        """Until the lamps' bus has said something and is quiet again, and the relay is fed."""
        self.until(lambda: len(self.changes) > 1 and self.socket.exists() and self.asked_ns, process)
        self.until(lambda: self.clock.now_ns() - self.asked_ns > NS_PER_S, process)

    def heard(self) -> list[str]:
        """What systemd has been told since the last call."""
        said = []
        while True:
            try:
                said += self.notify.recv(4096).decode().splitlines()
            except BlockingIOError:
                return said

    def end(self, process: subprocess.Popen[bytes], number: int | None = signal.SIGTERM) -> list[str]:
        """Signal it and serve until it has ended; gives what it said."""
        if number is not None:
            process.send_signal(number)
        self.until(lambda: process.poll() is not None)
        return process.communicate()[1].decode().splitlines()

    def close(self) -> None:
        for process in self.processes:
            if process.stderr is not None and not process.stderr.closed:
                process.kill()
                process.communicate()
        self.notify.close()
        self.pins.close()
        for fd in (*self.radar, *self.dali):
            os.close(fd)

    def longest_pause_ns(self) -> int:
        """Between two changes of the relay's line."""
        return max(later - sooner for (sooner, _), (later, _) in pairwise(self.changes))


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def bench(mode: str = "pulse") -> Bench:
        made.append(Bench(tmp_path, mode))
        return made[-1]

    yield bench
    for each in made:
        each.close()


def ask(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "controllers", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | (env or {}),
        check=False,
    )


def test_a_controller_tells_systemd_status_and_metrics_how_it_is_and_stops_when_asked(
    make: Callable[..., Bench],
) -> None:
    bench = make()
    process = bench.run("--metrics", "0", "--hardware-watchdog", str(bench.site), watchdog_us=4_000_000)
    bench.until_well(process)
    heard = bench.heard()
    assert heard[0] == "READY=1"
    assert "WATCHDOG=1" in heard

    with ControlClient(bench.socket, bench.clock, 60_000) as client:
        bench.until(lambda: not client.ask("status")["status"]["metrics"]["address"].endswith(":0"))
        picture = client.ask("status")["status"]
    assert (picture["controller"], picture["site"], picture["board"]) == ("only", "bench", "bench-service")
    assert picture["relays"] == {"relay": {"holds": True, "mode": "pulse"}}
    assert picture["lamps"] == {"lamp-1": BASE, "lamp-2": BASE}, picture["devices"]
    assert picture["loop"]["ticks"] > 0
    assert set(picture["devices"]) == {"dali", "dali/lamps", "lamp-1", "lamp-2", "radar-1", "relay"}
    with urllib.request.urlopen(f"http://{picture['metrics']['address']}/metrics", timeout=60) as answer:
        assert b'leeze_relay_holds{relay="relay"} 1.0' in answer.read()

    shown = ask("status", "--socket", str(bench.socket), env={"LC_ALL": "C"})
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert lines[0].startswith("only · bench · bench-service")
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    german = ask("status", "--socket", str(bench.socket), env={"LC_ALL": "de_DE.UTF-8"})
    assert "läuft seit" in german.stdout
    assert json.loads(ask("status", "--json", "--socket", str(bench.socket)).stdout)["pid"] == process.pid

    stopping = subprocess.Popen(
        [sys.executable, "-m", "controllers", "stop", "--socket", str(bench.socket)], stdout=subprocess.PIPE
    )
    bench.until(lambda: stopping.poll() is not None)
    assert stopping.communicate()[0].decode() == "only: stopped\n"
    assert stopping.returncode == 0
    said = bench.end(process, None)
    assert process.returncode == 0, said
    assert said[-1] == "stopped"
    assert any("is no watchdog" in line and line.endswith("running without") for line in said)
    assert "STOPPING=1" in bench.heard()
    assert ask("stop", "--socket", str(bench.socket)).returncode == 3


def test_a_loop_that_hangs_feeds_no_watchdog(make: Callable[..., Bench]) -> None:
    bench = make()
    process = bench.run(watchdog_us=1_000_000)
    bench.until_well(process)
    process.send_signal(signal.SIGSTOP)
    bench.serve_for(NS_PER_S // 2)  # what was under way arrives
    bench.heard()
    bench.changes.clear()
    bench.serve_for(2 * NS_PER_S)
    assert bench.heard() == []
    assert bench.changes == [], "nor the relay"
    process.send_signal(signal.SIGCONT)
    bench.until(lambda: "WATCHDOG=1" in bench.heard(), process)


def test_a_device_that_never_returns_feeds_no_watchdog_though_the_process_lives(make: Callable[..., Bench]) -> None:
    bench = make("level")
    plant = (
        "import threading\nfrom drivers.devices.watchdog_output import WatchdogOutput\n"
        "before = WatchdogOutput.feed\n"
        "def feed(self, now_ns):\n"
        "    before(self, now_ns)\n"
        "    self.frames < 3 or threading.Event().wait()\n"
        "WatchdogOutput.feed = feed"
    )
    bench.run(plant=plant, watchdog_us=1_000_000)
    bench.until(lambda: [level for _, level in bench.changes[-2:]] == [1, 0])  # held, and dropped by its thread
    bench.heard()
    bench.serve_for(2 * NS_PER_S)
    assert bench.heard() == []


def test_a_policy_that_raises_ends_the_process_at_once_and_the_restart_takes_over_without_a_flash(
    make: Callable[..., Bench],
) -> None:
    bench = make()
    plant = (
        "before = LightingPolicy.step\n"
        "def step(self, inputs, now_ns):\n"
        "    if any(getattr(value, 'detections', ()) for value in inputs):\n"
        "        raise ZeroDivisionError('planted')\n"
        "    return before(self, inputs, now_ns)\n"
        "LightingPolicy.step = step"
    )
    crashing = bench.run(plant=plant)
    bench.until_well(crashing)
    bench.until(lambda: crashing.poll() is not None or not os.write(bench.radar[0], APPROACHING))
    said = bench.end(crashing, None)
    assert crashing.returncode not in (0, 2, 3), "systemd has to see a failure that a restart may mend"
    assert any(
        line.startswith("only: crashed at ") and "(ZeroDivisionError: planted); systemd" in line for line in said
    )
    assert said[-1] == "ZeroDivisionError: planted", "the traceback is in the journal"
    assert not any(line == "stopped" for line in said)
    assert "STOPPING=1" not in bench.heard()
    before = len(bench.segments)
    again = bench.run()
    bench.until_well(again)
    assert bench.segments[before:] == [], "it shows what it showed"
    assert bench.gateway.level_at(0, bench.clock.now_ns()) == BASE
    bench.end(again)
    assert bench.segments == []


def test_a_kept_relay_never_drops_from_stop_to_restart(make: Callable[..., Bench]) -> None:
    bench = make()
    keeper = bench.start("keep-power", "--keeper", str(bench.keep))
    bench.until(bench.keep.exists, keeper)
    first = bench.run("--keeper", str(bench.keep))
    bench.until_well(first)
    said = bench.end(first)
    assert first.returncode == 0, said
    assert said[-1] == "power keeper: goes on with the relay"
    stopped_ns = bench.clock.now_ns()
    bench.until(lambda: bench.changes[-1][0] > stopped_ns + HOLD_MS * 1_000_000, keeper)
    second = bench.run("--keeper", str(bench.keep))
    bench.until_well(second)
    begun = len(bench.changes)
    bench.until(lambda: len(bench.changes) > begun + 1, second)
    assert bench.longest_pause_ns() < HOLD_MS * 1_000_000
    said += bench.end(second)
    assert bench.segments == [], said
    keeper_said = bench.end(keeper)
    assert keeper_said == ["keeping the power of relay", "let go: a controller has come", "keeping the power of relay"]


def test_after_a_crash_the_keeper_keeps_nothing(make: Callable[..., Bench]) -> None:
    bench = make()
    keeper = bench.start("keep-power", "--keeper", str(bench.keep))
    bench.until(bench.keep.exists, keeper)
    process = bench.run("--keeper", str(bench.keep))
    bench.until_well(process)
    bench.end(process, signal.SIGKILL)
    bench.changes.clear()
    bench.serve_for(2 * NS_PER_S)
    assert bench.changes == []
    with ControlClient(bench.keep, bench.clock, 60_000) as client:
        assert client.ask("status") == {"holding": []}
    bench.end(keeper)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_relay_by_level_stays_active_after_a_clean_stop_and_by_the_kernels_doing_after_a_death(
    number: signal.Signals, make: Callable[..., Bench]
) -> None:
    bench = make("level")
    bench.pins.on_end = nobody_left  # as Raspberry Pi's kernels do: an output stays as it was
    process = bench.run()
    bench.until(lambda: bench.lines.level(RELAY) == 1 and bench.socket.exists(), process)
    bench.end(process, number)
    bench.serve_for(NS_PER_S // 10)
    assert bench.lines.level(RELAY) == 1
    assert [level for _, level in bench.changes] == [0, 1], "claimed, held, and never let go"
