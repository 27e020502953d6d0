"""Listening at the tap of the real program: all its bytes, and none of them taken from it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from controllers.service.tapping import ServiceTap
from drivers.clock import SystemClock
from drivers.errors import InputError
from drivers.links.tap_client import TapClient
from drivers.links.tap_records import Line, Passed, TapWire
from drivers.units import NS_PER_S

DEADLINE_NS = 60 * NS_PER_S
IDLE = bytes.fromhex("f4f3f2f10000f8f7f6f5")

BOARD = """
format = 1
name = "bench-tap"
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
    """The program on two pseudo-terminals; nobody answers at the far ends."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.ends = {name: os.openpty() for name in ("radar", "dali")}
        for _, near in self.ends.values():
            tty.setraw(near)
        board, site = folder / "board.toml", folder / "site.toml"
        board.write_text(BOARD.format(**{name: os.ttyname(near) for name, (_, near) in self.ends.items()}))
        site.write_text(SITE.format(board=board))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "controllers", "run", "--site", str(site), *options], stderr=subprocess.PIPE
        )
        self.clock = SystemClock()
        self.deadline_ns = self.clock.now_ns() + DEADLINE_NS

    @property
    def radar(self) -> int:
        return self.ends["radar"][0]

    @property
    def dali(self) -> int:
        return self.ends["dali"][0]

    def listen(self, path: Path) -> TapClient:
        while True:
            assert self.clock.now_ns() < self.deadline_ns
            assert self.process.poll() is None
            try:
                return TapClient(path)
            except InputError:
                self.clock.sleep_until_ns(self.clock.now_ns() + 20_000_000)

    def stop(self) -> list[str]:
        self.process.send_signal(signal.SIGTERM)
        said = self.process.communicate(timeout=DEADLINE_NS / NS_PER_S)[1].decode()
        assert self.process.returncode == 0, said
        return said.splitlines()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        for pair in self.ends.values():
            for fd in pair:
                os.close(fd)


@pytest.fixture
def services() -> Iterator[list[Service]]:
    made: list[Service] = []
    yield made
    for service in made:
        service.close()


def test_a_listener_hears_what_the_service_hears_and_says_and_takes_nothing(
    tmp_path: Path, services: list[Service]
) -> None:
    path = tmp_path / "west.tap"
    service = Service(tmp_path, "--tap", str(path))
    services.append(service)
    with service.listen(path) as client:
        assert client.board == "bench-tap"
        assert client.wires == (
            TapWire("dali", "uart", "dali", 19_200),
            TapWire("radar-1", "uart", "ld2451", 115_200),
        )
        inward, outward, at_the_wire, lines = bytearray(), bytearray(), bytearray(), []
        told = 0
        while told < 20 or len(inward) < 20 * len(IDLE) or len(outward) < 6 or not at_the_wire.endswith(outward[-1:]):
            assert service.clock.now_ns() < service.deadline_ns, (told, len(inward), len(outward))
            if told < 20 and len(lines) == 2:  # what is said before a port is opened is lost
                os.write(service.radar, IDLE)
                told += 1
            select.select([client.fileno(), service.dali], [], [], 0.02)
            for record in client.read():
                if isinstance(record, Line):
                    lines.append((client.wires[record.wire].name, record.baud, record.parity))
                elif isinstance(record, Passed):
                    name = client.wires[record.wire].name
                    assert record.outward == (name == "dali")
                    if record.outward:
                        outward += record.data
                    else:
                        inward += record.data
            if select.select([service.dali], [], [], 0)[0]:
                at_the_wire += os.read(service.dali, 65536)
        said = service.stop()
    assert bytes(inward) == IDLE * 20
    assert outward in at_the_wire  # some may have passed before we came
    assert sorted(lines) == [("dali", 19_200, "N"), ("radar-1", 115_200, "N")]
    assert not any("no frame" in line for line in said)  # the service has heard its radar, too
    assert not path.exists()


def test_a_tap_that_cannot_be_opened_is_said_and_the_light_goes_on(tmp_path: Path, services: list[Service]) -> None:
    service = Service(tmp_path, "--tap", str(tmp_path / "none" / "west.tap"))
    services.append(service)
    assert select.select([service.dali], [], [], DEADLINE_NS / NS_PER_S)[0], "the gear is asked all the same"
    said = service.stop()
    assert said[0].startswith(f"tap {tmp_path}/none/west.tap: no such folder; make it with: mkdir -p")
    assert said[0].endswith("; running without")
    assert said[-1].startswith("stopped")


def test_before_a_board_is_there_a_tap_has_nothing_to_serve() -> None:
    tap = ServiceTap()
    assert (tap.fileno(), tap.listeners) == (None, 0)
    tap.pump(1)
    tap.close()
