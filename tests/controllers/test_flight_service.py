"""The real program with a flight recorder, stopped and killed: its files re-run to the byte."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from controllers.cli import main
from drivers.clock import SystemClock
from drivers.recording.ring import ring_files
from drivers.recording.ring_look import glance
from drivers.units import NS_PER_MS, NS_PER_S
from flight_rig import IDLE, RIDER
from hil.cli import main as hil

DEADLINE_NS = 60 * NS_PER_S

BOARD = """
format = 1
name = "bench-flight"
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


class Service:
    """The program on two pseudo-terminals: a radar with riders, a lamp that never answers."""

    def __init__(self, folder: Path) -> None:
        self.ring, self._clock = folder / "ring", SystemClock()
        self._ends = {name: os.openpty() for name in ("radar", "dali")}
        for _, near in self._ends.values():
            tty.setraw(near)
        board, site = folder / "board.toml", folder / "site.toml"
        board.write_text(BOARD.format(**{name: os.ttyname(near) for name, (_, near) in self._ends.items()}))
        site.write_text(SITE.format(board=board))
        words = ["run", "--site", str(site), "--flight", str(self.ring), "--quiet"]
        self.process = subprocess.Popen([sys.executable, "-m", "controllers", *words])

    def ride_until(self, records_b: int) -> None:
        """Until the ring holds so much beside what it opens with."""
        deadline_ns = self._clock.now_ns() + DEADLINE_NS
        count = opening_b = size_b = 0
        while not opening_b or size_b < opening_b + records_b:
            size_b = sum(file.size_b for file in ring_files(self.ring)) if self.ring.is_dir() else 0
            opening_b = opening_b or size_b
            assert self._clock.now_ns() < deadline_ns
            assert self.process.poll() is None
            os.write(self._ends["radar"][0], RIDER if count % 40 > 30 else IDLE)
            count += 1
            self._clock.sleep_until_ns(self._clock.now_ns() + 50 * NS_PER_MS)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_NS // NS_PER_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGKILL)
        for ends in self._ends.values():
            for end in ends:
                os.close(end)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.close()


@pytest.mark.parametrize(("number", "code", "complete"), [(signal.SIGTERM, 0, True), (signal.SIGKILL, -9, False)])
def test_what_the_program_leaves_behind_re_runs_to_the_byte(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int, code: int, complete: bool
) -> None:
    service.ride_until(1_000)
    out = tmp_path / "out"
    assert main(["blackbox", "pull", "--folder", str(service.ring), "-o", str(out)]) == 0  # while it runs
    assert service.end(number) == code
    (file,) = ring_files(service.ring)
    (copy,) = ring_files(out)
    assert glance(file).complete is complete
    assert copy.size_b <= file.size_b
    capsys.readouterr()
    assert [hil(["replay", str(path), "--verify"]) for path in (service.ring, out)] == [0, 0]
    assert "same, 0 ticks" not in capsys.readouterr().out
