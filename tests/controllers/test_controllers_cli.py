"""The real program: its words and refusals, and a run on pseudo-terminals with the test at the far end of each wire."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controllers.cli import main
from drivers.clock import SystemClock
from drivers.units import NS_PER_S

DEADLINE_NS = 60 * NS_PER_S
"""For anything a test waits for; far more than it takes."""

APPROACHING = bytes.fromhex("f4f3f2f107000101801401 1964 f8f7f6f5")  # 20 m, 25 km/h, towards the radar
IDLE = bytes.fromhex("f4f3f2f10000f8f7f6f5")

BASE, FULL, OFF = "AA", "FE", "00"

BOARD = """
format = 1
name = "bench-lamp"
title = "One radar, two lamps, on pseudo-terminals"
model = "laptop"
product = "lighting"
period_ms = 20
bench = true

[wires.radar-1]
kind = "uart"
port = "{radar}"
baud = 115200

[wires.dali]
kind = "uart"
port = "{dali}"
baud = 19200

[devices.radar-1]
part = "ld2451"
wire = "radar-1"
stale_ms = {stale_ms}

[devices.lamp-1]
part = "atxled"
wire = "dali"
short_address = 0

[devices.lamp-2]
part = "atxled"
wire = "dali"
short_address = 1
"""

SITE = """
format = 1
name = "bench"
product = "lighting"

[place]
lat_deg = 51.97
lon_deg = 7.64
timezone = "Europe/Berlin"

[light]
calendar = "always"
keep_s = 1

[[controllers]]
name = "only"
board = "{board}"
lamps = [{{ name = "lamp-1", x_m = 0 }}, {{ name = "lamp-2", x_m = 32 }}]
radars = [{{ name = "radar-1", x_m = 0, looks = "up" }}]
"""


DISPLAY = """
format = 1
name = "bench-display"
title = "A display on a pseudo-terminal"
model = "laptop"
product = "greenwave"
period_ms = 100
bench = true

[wires.feed]
kind = "uart"
port = "{feed}"
baud = 115200

[wires.panel]
kind = "matrix"
width_px = 96
height_px = 32
driver = "frame-buffer"

[devices.feed]
part = "spat-feed"
wire = "feed"
message_format = "spat-xml"
stale_ms = 1500

[devices.panel]
part = "panel"
wire = "panel"
"""


class Far:
    """The other end of a wire that is a symbolic link to a pseudo-terminal, so that it can be pulled and put back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plug()

    def plug(self) -> None:
        self.fd, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        for fd in (self.fd, self._slave):
            if fd >= 0:
                os.close(fd)
        self.fd = self._slave = -1
        self.path.unlink(missing_ok=True)


def _answer(line: str) -> bytes:
    """What gear says that is well, keeps what it should, and does not know what it shows."""
    if int(line[1:3], 16) & 1 and int(line[3:], 16) >= 0x90:
        return {"90": b"J00\n", "A0": b"JFF\n", "A5": b"J20\n", "A8": b"J55\n"}.get(line[3:], b"JFE\n")
    return b"N\n"


class Street:
    """A running controller, its radar, and a gateway that carries everything out; its gear is well and says little."""

    def __init__(self, folder: Path, *options: str, stale_ms: int = 600_000, radar: bool = True) -> None:
        self.radar, self.dali = Far(folder / "radar"), Far(folder / "dali")
        if not radar:
            self.radar.unplug()
        board, site = folder / "board.toml", folder / "site.toml"
        board.write_text(BOARD.format(radar=self.radar.path, dali=self.dali.path, stale_ms=stale_ms))
        site.write_text(SITE.format(board=board))
        self.levels = {"lamp-1": "", "lamp-2": ""}
        self.frames: list[str] = []
        self.said = ""
        self._half = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "controllers", "run", "--site", str(site), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stderr is not None
        self._stderr = self.process.stderr.fileno()
        self._clock = SystemClock()

    def play(self, wait_ms: int = 20) -> None:
        """Answer the gateway's line and take down what is said."""
        ready = select.select([fd for fd in (self.dali.fd, self._stderr) if fd >= 0], [], [], wait_ms / 1000)[0]
        if self._stderr in ready:
            self.said += os.read(self._stderr, 65536).decode()
        if self.dali.fd in ready:
            *lines, self._half = (self._half + os.read(self.dali.fd, 4096).decode()).split("\n")
            for line in lines:
                self._carry_out(line)
                os.write(self.dali.fd, _answer(line) * (2 if line[0] == "t" else 1))

    def _carry_out(self, line: str) -> None:
        self.frames.append(line)
        address, level = int(line[1:3], 16), line[3:]
        if line[0] == "h" and not address & 1:  # a direct level, not a command
            for name, short_address in (("lamp-1", 0), ("lamp-2", 1)):
                if address in (short_address << 1, 0xFE):
                    self.levels[name] = level

    def until_levels(self, level: str, *, radar_says: bytes = b"") -> None:
        """Play until every lamp has been told `level`; the radar repeats its word meanwhile."""
        self.until(lambda: set(self.levels.values()) == {level}, f"every lamp at {level}", radar_says)

    def until(self, reached: Callable[[], bool], what: str, radar_says: bytes = b"") -> None:
        deadline_ns = self._clock.now_ns() + DEADLINE_NS
        next_word_ns = 0
        while not reached():
            now_ns = self._clock.now_ns()
            assert now_ns < deadline_ns, f"waited for {what}; lamps {self.levels}, said: {self.said}"
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.said}"
            if radar_says and now_ns >= next_word_ns:
                os.write(self.radar.fd, radar_says)
                next_word_ns = now_ns + NS_PER_S // 10
            self.play()

    def stop(self, number: signal.Signals) -> int:
        """Send a signal, play to the end; gives the exit code."""
        self.process.send_signal(number)
        deadline_ns = self._clock.now_ns() + DEADLINE_NS
        while self.process.poll() is None:
            assert self._clock.now_ns() < deadline_ns, f"does not stop; said: {self.said}"
            self.play()
        self.said += os.read(self._stderr, 65536).decode()
        return int(self.process.returncode)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.radar.unplug()
        self.dali.unplug()


@pytest.fixture
def streets(tmp_path: Path) -> Iterator[list[Street]]:
    """Where a test puts its street, so that it is cleared away."""
    running: list[Street] = []
    yield running
    for street in running:
        street.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_rider_lights_the_lamps_and_a_signal_leaves_them_at_base(
    number: signal.Signals, tmp_path: Path, streets: list[Street]
) -> None:
    street = Street(tmp_path)
    streets.append(street)
    street.until_levels(BASE, radar_says=IDLE)
    street.until_levels(FULL, radar_says=APPROACHING)
    assert street.stop(number) == 0
    assert street.levels == {"lamp-1": BASE, "lamp-2": BASE}
    assert street.said.splitlines()[-1] == "stopped"
    assert "Traceback" not in street.said


def test_the_gear_is_asked_for_its_level_before_any_lamp_is_told_one(tmp_path: Path, streets: list[Street]) -> None:
    street = Street(tmp_path)
    streets.append(street)
    street.until_levels(BASE, radar_says=IDLE)
    told = next(n for n, frame in enumerate(street.frames) if frame.endswith(BASE))
    assert {"h01A0", "h03A0"} <= set(street.frames[:told])


def test_a_radar_that_is_not_there_ends_nothing_and_its_zone_is_lit_until_it_is_plugged_in(
    tmp_path: Path, streets: list[Street]
) -> None:
    street = Street(tmp_path, stale_ms=1500, radar=False)
    streets.append(street)
    street.until_levels(FULL)
    street.until(lambda: "radar-1: no frame" in street.said, "the silence to be told")
    assert "wire radar-1:" in street.said
    assert "no such port" in street.said
    street.radar.plug()
    street.until_levels(BASE, radar_says=IDLE)
    street.until(lambda: "wire radar-1: open" in street.said, "the wire to be told", IDLE)
    assert street.stop(signal.SIGTERM) == 0


def test_a_radar_that_is_pulled_and_put_back_is_heard_again(tmp_path: Path, streets: list[Street]) -> None:
    street = Street(tmp_path)
    streets.append(street)
    street.until_levels(BASE, radar_says=IDLE)
    street.radar.unplug()
    street.until(lambda: "wire radar-1:" in street.said, "the loss to be told")
    street.radar.plug()
    street.until_levels(FULL, radar_says=APPROACHING)
    assert street.stop(signal.SIGTERM) == 0


def test_a_gateway_that_is_gone_does_not_keep_the_program_from_stopping(tmp_path: Path, streets: list[Street]) -> None:
    street = Street(tmp_path)
    streets.append(street)
    street.until_levels(BASE, radar_says=IDLE)
    street.dali.unplug()
    assert street.stop(signal.SIGTERM) == 0


def test_quiet_says_nothing(tmp_path: Path, streets: list[Street]) -> None:
    street = Street(tmp_path, "--quiet", "--controller", "only", radar=False)
    streets.append(street)
    street.until_levels(BASE)
    assert street.stop(signal.SIGTERM) == 0
    assert street.said == ""


def test_a_display_runs_on_a_feed_that_talks_rubbish_and_stops_cleanly(tmp_path: Path) -> None:
    feed, board = Far(tmp_path / "feed"), tmp_path / "board.toml"
    board.write_text(DISPLAY.format(feed=feed.path))
    command = [sys.executable, "-m", "controllers", "run", "--site", "leezenflow-hoerstertor", "--board", str(board)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            os.write(feed.fd, b"<DATA>" + bytes(range(256)) + b"</DATA>" * 20)
            assert select.select([process.stderr], [], [], DEADLINE_NS / NS_PER_S)[0]
            first = process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            rest = process.communicate(timeout=DEADLINE_NS / NS_PER_S)[1]
        finally:
            process.kill()
            feed.unplug()
    assert process.returncode == 0
    assert first == b"feed: stale\n"
    assert rest.splitlines()[-1] == b"stopped"


# --- words


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    out, err = capsys.readouterr()
    return code, out, err


def test_the_shipped_sites_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "sites")
    assert code == 0
    assert "kanalpromenade-reference  lighting   12 lamps, controllers: west, east\n" in out
    code, out, _ = said(capsys, "sites", "--json")
    sites = [json.loads(line) for line in out.splitlines()]
    assert {site["name"]: site["product"] for site in sites} == {
        "kanalpromenade-reference": "lighting",
        "leezenflow-hoerstertor": "greenwave",
    }


@pytest.mark.parametrize("site", ["kanalpromenade-reference", "leezenflow-hoerstertor"])
def test_every_shipped_site_is_right_and_fits_its_boards(site: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "check", "--site", site)
    assert (code, err) == (0, "")
    assert out.startswith(f"{site}: fine, ")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["run", "--site", "kanalpromenade-reference"], "choose one with --controller: west, east"),
        (["run", "--site", "kanalpromenade-reference", "--controller", "north"], "it has: west, east"),
        (["run", "--site", "kanalpromenade-referenz"], "did you mean kanalpromenade-reference?"),
        (
            ["run", "--site", "kanalpromenade-reference", "--controller", "west", "--board", "leezenflow"],
            "board leezenflow is for greenwave",
        ),
        (
            ["run", "--site", "leezenflow-hoerstertor", "--board", "leezenflow-laptop"],
            "a memory wire needs the rig; run this board with `leeze-hil sim`",
        ),
        (["run", "--site", "leezenflow-hoerstertor", "--controller", "west"], "leave --controller west out"),
        (["check", "--site", "nowhere.toml"], "nowhere.toml: cannot be read"),
        (["check", "--site", "leezenflow-hoerstertor", "--board", "kanalpromenade-lamp"], "is for lighting"),
    ],
)
def test_what_cannot_be_run_is_refused_with_the_mend(
    argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(capsys, *argv)
    assert code == 2
    assert err.startswith("error: ")
    assert says in err


def test_a_site_that_names_a_lamp_its_board_does_not_have_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site.toml"
    site.write_text(SITE.format(board="kanalpromenade-lamp").replace("lamp-2", "lamp-7"))
    code, _, err = said(capsys, "check", "--site", str(site))
    assert code == 2
    assert "no lamp named 'lamp-7'; it has: lamp-1, lamp-2" in err


def test_a_missing_verb_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["run"]) == 2
