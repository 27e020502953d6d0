"""``leeze-boards monitor`` beside a running service: it hears every byte and takes none."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from boards.cli import main
from drivers.clock import SystemClock
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.pty_wire import PtyWire
from talking_radar import REPORT, Radar

ROOT = Path(__file__).parents[2]
BAUDS = {"dali": 19_200, "radar-1": 115_200, "radar-2": 115_200, "radar-3": 115_200, "neighbour": 115_200}


def wait_for(path: Path, service: subprocess.Popen[str]) -> None:
    clock = SystemClock()
    deadline_ns = clock.now_ns() + 20 * NS_PER_S
    while not path.exists():
        assert service.poll() is None, service.stderr.read() if service.stderr else ""
        assert clock.now_ns() < deadline_ns, "the service opens no tap"
        clock.sleep_until_ns(clock.now_ns() + 20 * NS_PER_MS)


def test_the_monitor_listens_at_the_tap_and_the_service_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "boards/catalog/kanalpromenade-lamp-laptop.toml").read_text()
    tap, board = tmp_path / "west.tap", tmp_path / "board.toml"
    with ExitStack() as stack:
        for name, baud in BAUDS.items():
            wire = PtyWire(name, baud)
            if name == "radar-1":
                wire.peer = Radar(wire.far)
            stack.enter_context(wire)
            old = f'[wires.{name}]\nkind = "memory"'
            assert old in text
            text = text.replace(old, f'[wires.{name}]\nkind = "uart"\nport = "{wire.path}"\nbaud = {baud}')
        board.write_text(text)
        words = ["run", "--site", "kanalpromenade-reference", "--controller", "west", "--board", str(board)]
        service = subprocess.Popen(
            [sys.executable, "-m", "controllers", *words, "--tap", str(tap)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_for(tap, service)
            assert main(["monitor", str(board), "radar-1", "--tap", str(tap), "--seconds", "1.3", "--json"]) == 0
            pictures = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
            assert service.poll() is None
            service.send_signal(signal.SIGTERM)
            _, said = service.communicate(timeout=20)
        finally:
            if service.poll() is None:
                service.kill()
                service.wait()
    (wire_shown,) = pictures[0]["wires"]
    assert wire_shown["wire"] == "radar-1"
    assert wire_shown["bytes_in"] >= 5 * len(REPORT)
    assert "targets" in wire_shown["decoded"]
    assert service.returncode == 0
    assert "radar-1: no frame" not in said, "the service heard its radar all the time"


def test_without_a_service_there_is_no_tap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", "kanalpromenade-lamp", "--tap", str(tmp_path / "none.tap")]) == 2
    assert "no service has its tap there; start it with: leeze-controllers run … --tap" in capsys.readouterr().err
