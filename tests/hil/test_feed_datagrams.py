"""A display fed by datagrams, as its own process: what came is in the flight record, and runs again to the byte."""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.clock import SystemClock
from drivers.recording.events import WireBytes
from drivers.recording.reader import TraceReader
from drivers.units import NS_PER_S
from hil.cli import main

ROOT = Path(__file__).parents[2]
DEADLINE_NS = 30 * NS_PER_S
BOARD = """
format = 1
name = "display"
title = "A display fed by datagrams"
model = "laptop"
product = "greenwave"
period_ms = 100
[wires.feed]
kind = "udp"
host = "127.0.0.1"
port = {port}
[wires.panel]
kind = "matrix"
width_px = 96
height_px = 32
driver = "frame-buffer"
[devices.feed]
part = "spat-feed"
wire = "feed"
message_format = "spat-uper"
[devices.panel]
part = "panel"
wire = "panel"
"""


def spat(n: int) -> bytes:
    """SPAT as a J2735 MessageFrame, written out by hand: station 4070, group 7 red for some 20 s."""
    fields = (
        (0, 4), (0, 5),  # SPAT without options, one intersection
        (0b0011000, 7), (0, 1), (4070, 16), (n % 128, 7), (0, 16), (5, 20), (100 * n % 60_000, 16), (0, 8),
        (0, 4), (7, 8), (0, 4),  # one movement, one event
        (0b0100, 4), (3, 4), (0b01110, 5), (3200, 16), (3200, 16), (3200, 16), (15, 4),
    )  # fmt: skip
    bits = "".join(f"{value:0{width}b}" for value, width in fields)
    body = int(bits + "0" * (-len(bits) % 8), 2).to_bytes((len(bits) + 7) // 8)
    return b"\x00\x13" + bytes([len(body)]) + body


def test_a_display_on_datagrams_is_recorded_and_runs_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock = SystemClock()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        port = end.getsockname()[1]
    board, flight = tmp_path / "board.toml", tmp_path / "flight"
    board.write_text(BOARD.format(port=port))
    words = ["run", "--site", "leezenflow-hoerstertor", "--board", str(board), "--flight", str(flight), "--flight-mb"]
    command = [sys.executable, "-m", "controllers", *words, "50"]
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end,
        subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as service,
    ):
        try:
            end.connect(("127.0.0.1", port))
            deadline_ns, sent = clock.now_ns() + DEADLINE_NS, 0
            while sent < 30:  # refused until the service hears
                assert clock.now_ns() < deadline_ns
                assert service.poll() is None
                try:
                    end.send(spat(sent))
                    end.send(b"noise")
                    sent += 1
                except ConnectionRefusedError:
                    pass
                select.select([], [], [], 0.1)
            service.send_signal(signal.SIGTERM)
            said = service.communicate(timeout=20)[1]
        finally:
            service.kill()
    assert service.returncode == 0, said
    files = sorted(flight.glob("*.mcap"))
    heard = [
        event
        for path in files
        for event in TraceReader(path).events()
        if isinstance(event, WireBytes) and event.wire == "feed" and not event.outward
    ]
    assert {spat(n) for n in range(10, 30)} <= {event.data for event in heard}
    assert b"noise" in {event.data for event in heard}
    assert main(["replay", "--verify", str(flight)]) == 0
    assert capsys.readouterr().out
