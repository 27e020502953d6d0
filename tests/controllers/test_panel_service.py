"""The whole display: a feed of datagrams, the controller as a process, the panel as another, its library a stand-in."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controllers.greenwave.picture import COLOURS, Stage
from controllers.greenwave.picture_signs import SIGNS
from drivers.clock import SystemClock
from drivers.units import NS_PER_MS, NS_PER_S
from flight_rig import messages
from hil.cli import main as hil
from panel_rig import PanelProcess

DARK = bytes(3 * 96 * 32)
DEADLINE_NS = 60 * NS_PER_S
MOST_MB = 70

BOARD = """
format = 1
name = "bench-display"
title = "A feed of datagrams and a panel process"
model = "raspberry-pi-4"
product = "greenwave"
period_ms = 100
bench = true
wires.feed = {{ kind = "udp", port = {port}, host = "127.0.0.1", max_datagram_bytes = 65507 }}
wires.panel = {{ kind = "matrix", width_px = 96, height_px = 32, driver = "rgbmatrix", socket = "{socket}" }}
devices.feed = {{ part = "spat-feed", wire = "feed", message_format = "spat-xml" }}
devices.panel = {{ part = "panel", wire = "panel" }}
"""

SITE = """
format = 1
product = "greenwave"
name = "bench"
station = 4070
group = 1
distance_m = 30
night_pct = 100
board = "{board}"
"""


class Display:
    """Feed, controller and panel; `until` plays the feed on until something holds."""

    def __init__(self, folder: Path, panel: PanelProcess) -> None:
        self.panel, self.ring = panel, folder / "ring"
        self._clock = SystemClock()
        self._out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self._to = probe.getsockname()
        self._messages = messages(120, groups=1)
        self._sent = 0
        self._next_ns = self._clock.now_ns()
        board, self._site = folder / "board.toml", folder / "site.toml"
        board.write_text(BOARD.format(port=self._to[1], socket=panel.socket))
        self._site.write_text(SITE.format(board=board))
        self.controllers: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "controllers", "run", "--site", str(self._site), "--flight", str(self.ring)]
        self.controllers.append(subprocess.Popen([*command, *words], stderr=subprocess.PIPE, text=True))
        return self.controllers[-1]

    def until(self, holds: Callable[[], bool]) -> None:
        deadline_ns = self._clock.now_ns() + DEADLINE_NS
        while not holds():
            assert self._clock.now_ns() < deadline_ns, f"it never came to that; shown last: {colours(self.last())}"
            last = self.controllers[-1] if self.controllers else None
            if last is not None and last.poll() not in (None, -9) and last.stderr is not None:
                raise AssertionError(f"the controller has ended: {last.stderr.read()}")
            self._next_ns += 100 * NS_PER_MS
            self._clock.sleep_until_ns(self._next_ns)
            self._out.sendto(self._messages[self._sent][2], self._to)
            self._sent += 1

    def last(self) -> bytes:
        shown = self.panel.shown()
        return shown[-1] if shown else DARK

    def close(self) -> None:
        self._out.close()
        for process in self.controllers:
            process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()


@pytest.fixture
def display(tmp_path: Path) -> Iterator[Display]:
    with PanelProcess(tmp_path, "--cols=32", size_px=(96, 32)) as panel:
        made = Display(tmp_path, panel)
        yield made
        made.close()


def colours(rgb: bytes) -> set[tuple[int, int, int]]:
    return {(rgb[at], rgb[at + 1], rgb[at + 2]) for at in range(0, len(rgb), 3)}


def test_a_display_shows_goes_dark_with_its_controller_comes_back_and_can_be_run_again(
    display: Display, capsys: pytest.CaptureFixture[str]
) -> None:
    first = display.start("--metrics", "127.0.0.1:0")  # with all that there is
    display.until(lambda: COLOURS[Stage.RED] in colours(display.last()))
    assert display.panel.options() == "32 32 3 adafruit-hat True"
    status = Path(f"/proc/{first.pid}/status").read_text()
    used = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert used
    assert int(used[1]) / 1024 < MOST_MB
    first.kill()  # -9: no clean stop
    first.wait()
    display.panel.until_last_is(DARK)
    second = display.start()
    display.until(lambda: COLOURS[Stage.RED] in colours(display.last()))
    second.terminate()
    assert second.wait(60) == 0
    display.panel.until_last_is(DARK)
    assert hil(["replay", str(display.ring), "--verify"]) == 0, capsys.readouterr()


def test_a_controller_that_hangs_leaves_the_panel_dark(display: Display) -> None:
    import signal

    process = display.start()
    display.until(lambda: any(display.last()))
    shown = len(display.panel.shown())
    process.send_signal(signal.SIGSTOP)  # its socket stays open, its loop does not come around
    display.panel.until_last_is(DARK, shown - 1)
    process.send_signal(signal.SIGCONT)
    display.until(lambda: any(display.last()))


def test_the_mirror_beside_the_metrics_shows_the_panel(display: Display) -> None:
    process = display.start("--metrics", "127.0.0.1:0")
    display.until(lambda: any(display.last()))
    assert process.stderr is not None
    port = _port_of(process.pid)

    def page() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/panel.html", timeout=10) as answer:
                return str(answer.read(), "utf-8")
        except urllib.error.HTTPError as none_yet:  # it tells what was there a second ago
            none_yet.close()
            return ""

    display.until(lambda: "red" in page() or "green" in page())
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/panel.png", timeout=10) as answer:
        assert answer.read(8) == b"\x89PNG\r\n\x1a\n"


def _port_of(pid: int) -> int:
    """The TCP port that a process listens at."""
    clock = SystemClock()
    deadline_ns = clock.now_ns() + DEADLINE_NS
    while clock.now_ns() < deadline_ns:
        sockets = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
        for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                return int(fields[1].split(":")[1], 16)
    raise AssertionError("no port")


@pytest.mark.parametrize("name", SIGNS)
def test_a_picture_is_shown_without_a_controller(display: Display, name: str) -> None:
    words = [
        sys.executable,
        "-m",
        "controllers",
        "panel",
        name,
        "--socket",
        str(display.panel.socket),
        "--seconds",
        "2",
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    seen = display.panel.shown
    display.until(lambda: len(seen()) > 1 and any(seen()[-1]))
    assert process.wait(60) == 0
    assert process.stdout is not None
    assert process.stdout.read() == f"{name}: on show\n"
    process.stdout.close()
    display.panel.until_last_is(DARK)


def test_a_picture_that_there_is_not_and_a_panel_that_is_not_there_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from controllers.cli import main

    assert main(["panel", "mona-lisa", "--socket", str(tmp_path / "s")]) == 2
    assert "there are: boot, no-data" in capsys.readouterr().err
    assert main(["panel", "boot", "--socket", str(tmp_path / "s")]) == 2
    assert "no panel process at" in capsys.readouterr().err
