"""A display in the field: a real broker with TLS, a signal and a controller as processes of their own, frames judged.

What was shown is read from the frames that went to the panel; what was true, from the programme's own figures below.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from controllers.cli import main as controllers
from controllers.greenwave.picture import BAR_PX, Stage, frame_of
from drivers.clock import SystemClock
from drivers.codecs.panel_frame import dark, decode
from drivers.recording.events import WireBytes
from drivers.recording.reader import TraceReader
from drivers.recording.ring import ring_files
from drivers.units import NS_PER_MS, NS_PER_S
from hil.cli import main as hil
from hil.peers import broker, certificates
from hil.peers.broker import Broker

MISSING = broker.missing() or certificates.missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING or "-")

ROOT = Path(__file__).parents[2]
DEADLINE_NS = 60 * NS_PER_S
GO_MS, WAIT_MS = 11_000, 5_000
CYCLE_MS = GO_MS + WAIT_MS
KILL_MS, END_MS = 12_000, 27_500
FULL_S = 11
"""Time that fills the column: a pixel is a quarter of a second."""
BARS = (None, *range(BAR_PX + 1))
STALE_NS = 2 * NS_PER_S
PROMISE_NS = NS_PER_S

PROGRAMME = """
station = 4070
[[groups]]
group = 7
stages = [
  { colour = "green", duration_ms = 9000 },
  { colour = "amber", duration_ms = 2000 },
  { colour = "red", duration_ms = 4000 },
  { colour = "red-amber", duration_ms = 1000 },
]
"""

BOARD = """
format = 1
name = "bench-field"
title = "One panel, one broker"
model = "laptop"
product = "greenwave"
period_ms = 100
bench = true
[wires.feed]
kind = "mqtt"
host = "localhost"
port = {port}
subscribe = ["/spat/+"]
user = "display"
password_file = "{password}"
tls = true
ca_file = "{ca}"
[wires.panel]
kind = "matrix"
width_px = 96
height_px = 32
driver = "frame-buffer"
[devices.feed]
part = "spat-feed"
wire = "feed"
message_format = "spat-xml"
stale_ms = 2000
[devices.panel]
part = "panel"
wire = "panel"
full_ma = 12000
limit_ma = 12000
"""

SITE = f"""
format = 1
product = "greenwave"
name = "bench-field"
station = 4070
group = 7
distance_m = 0.001
speed_kmh = 18
fast_kmh = 18
degrade_s = 1
stale_s = 2
bar_full_s = {FULL_S}
"""


class Shown(msgspec.Struct, frozen=True):
    """From `t_ns` on."""

    t_ns: int
    stage: Stage
    bar_px: int | None


class Field:
    """The processes and their files; all are ended when the test is."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, SystemClock()
        papers = certificates.make(folder)
        self.broker = Broker(folder, certificates=papers, users={"display": "shown", "signal": "spoken"})
        self.ca_file = papers.ca_file
        self.ring, self.socket = folder / "ring", folder / "control"
        self.passwords = {user: folder / f"{user}.password" for user in ("display", "signal")}
        self.passwords["display"].write_text("shown\n")
        self.passwords["signal"].write_text("spoken\n")
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, name: str, *words: str) -> subprocess.Popen[str]:
        with (self.folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, stdout=log, stderr=log, text=True)
        self.processes.append(process)
        return process

    def controller(self) -> subprocess.Popen[str]:
        board, site = self.folder / "board.toml", self.folder / "site.toml"
        board.write_text(BOARD.format(port=self.broker.port, password=self.passwords["display"], ca=self.ca_file))
        site.write_text(SITE)
        words = ["--site", str(site), "--board", str(board), "--flight", str(self.ring), "--socket", str(self.socket)]
        return self.start("controller", "controllers", "run", *words, "--priority", "0")

    def peer(self) -> subprocess.Popen[str]:
        programme = self.folder / "programme.toml"
        programme.write_text(PROGRAMME)
        way = ["--broker", f"localhost:{self.broker.port}", "--tls-ca", self.ca_file, "--user", "signal"]
        way += ["--password-file", str(self.passwords["signal"]), "--programme", str(programme)]
        return self.start("peer", "hil", "peer", "signal-controller", *way)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def begins_ns(self) -> int:
        """When the programme began, on the monotonic clock; once the peer has said so."""
        self.until(lambda: "begins " in self.log("peer"), "the peer to begin")
        found = re.search(r"begins (\S+)Z", self.log("peer"))
        assert found is not None
        ago_s = self.clock.utc_ns() / NS_PER_S - datetime.fromisoformat(f"{found[1]}+00:00").timestamp()
        return self.clock.now_ns() - round(ago_s * NS_PER_S)

    def until(self, reached: Callable[[], bool], what: str) -> None:
        deadline_ns = self.clock.now_ns() + DEADLINE_NS
        while not reached():
            logs = [self.log(path.stem) for path in self.folder.glob("*.log")]
            assert self.clock.now_ns() < deadline_ns, f"waited for {what}: {logs}"
            assert [process.poll() for process in self.processes] == [None] * len(self.processes), logs
            self.clock.sleep_until_ns(self.clock.now_ns() + 100 * NS_PER_MS)

    def status(self) -> dict[str, Any]:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = controllers(["status", "--json", "--socket", str(self.socket)])
        return json.loads(out.getvalue()) if code == 0 else {}

    def lit(self) -> bool | None:
        panels = self.status().get("panels", {})
        return panels["panel"]["lit"] if panels else None

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(DEADLINE_NS / NS_PER_S)
        self.broker.stop()


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    made = Field(tmp_path)
    yield made
    made.close()


def frames_in_words(ring: Path) -> tuple[list[Shown], list[int]]:
    """What went to the panel, and when messages came in."""
    (file,) = ring_files(ring)
    words: dict[int, dict[bytes, tuple[Stage, int | None]]] = {}
    shown, heard_ns = [], []
    for event in TraceReader(file.path).events(["/wire/bench-field/*"]):
        assert isinstance(event, WireBytes)
        if event.wire == "feed":
            heard_ns.append(event.t_ns)
            continue
        rgb = decode(event.data).rgb
        whites = [r for r, g, b in zip(rgb[::3], rgb[1::3], rgb[2::3], strict=True) if r == g == b]
        level = -(-max(whites, default=0) * 16 // 255)
        if level not in words:
            lit = [stage for stage in Stage if stage is not Stage.DARK and level]
            words[level] = {frame_of(stage, bar, level): (stage, bar) for stage in lit for bar in BARS}
            words[level][dark(96, 32)] = Stage.DARK, None
        shown.append(Shown(event.t_ns, *words[level][event.data]))
    return shown, heard_ns


def truly(t_ns: int) -> Stage:
    """What the signal shows so long after its start."""
    return Stage.GREEN if t_ns // NS_PER_MS % CYCLE_MS < GO_MS else Stage.RED


@pytest.mark.long
def test_through_a_killed_broker_what_was_shown_was_true_or_dark_and_the_controller_stayed(
    field: Field, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = field.clock
    field.broker.start()
    controller = field.controller()
    field.until(lambda: field.lit() is False, "the display to be dark before anybody speaks")
    peer = field.peer()
    begins_ns = field.begins_ns()
    field.until(lambda: field.lit() is True, "the display to be lit")

    clock.sleep_until_ns(begins_ns + KILL_MS * NS_PER_MS)
    killed_ns = clock.now_ns()
    field.broker.kill()
    field.until(lambda: field.lit() is False, "the display to be dark without a broker")
    field.broker.start()
    served_ns = clock.now_ns()
    field.until(lambda: field.lit() is True, "the display to be lit again")
    clock.sleep_until_ns(begins_ns + END_MS * NS_PER_MS)

    status = field.status()
    assert status["pid"] == controller.pid
    assert status["losses"] == 1
    assert status["wires"]["feed"] == {"kind": "mqtt", "open": True, "trouble": ""}
    for process, code in ((controller, 0), (peer, 128 + signal.SIGTERM)):
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_NS / NS_PER_S) == code
    place = f"localhost:{field.broker.port}"
    said = field.log("controller")  # which of the two depends on when in the second it was killed
    gone = f"wire feed: {place}: has gone; is it still running?"
    assert gone in said or f"wire feed: {place}: nobody listens there; is the broker running?" in said
    assert f"{place}: nobody listens there; is the broker running?" in field.log("peer")
    assert said.rindex("feed: stale") < said.rindex("feed: well again")

    shown, heard_ns = frames_in_words(field.ring)
    lit_from_ns = next(one.t_ns for one in shown if one.stage is not Stage.DARK)
    assert lit_from_ns >= heard_ns[0]
    _is_dark_in_time(shown, heard_ns, killed_ns, served_ns)
    _is_true(shown, begins_ns)
    _counts_down(shown, begins_ns)
    _tells_the_truth(field.log("peer"))

    capsys.readouterr()
    assert hil(["replay", str(field.ring), "--verify"]) == 0
    assert "same" in capsys.readouterr().out
    assert hil(["score", str(ring_files(field.ring)[0].path), "--json"]) == 0
    (score,) = json.loads(capsys.readouterr().out)["groups"]
    assert (score["group"], score["wrong_colour_s"], score["upward_jumps"]) == (7, 0.0, 0)
    assert score["shown_s"] > score["dark_s"]


def _is_dark_in_time(shown: list[Shown], heard_ns: list[int], killed_ns: int, served_ns: int) -> None:
    """Once the broker is dead the display holds for `STALE_NS`, is then dark, and lit again by a new message only."""
    last_ns = max(t_ns for t_ns in heard_ns if t_ns < served_ns)
    again_ns = min(t_ns for t_ns in heard_ns if t_ns > served_ns)
    assert last_ns - killed_ns < PROMISE_NS
    meanwhile = [one for one in shown if last_ns < one.t_ns < again_ns]
    went_dark = next(one for one in meanwhile if one.stage is Stage.DARK)
    assert STALE_NS <= went_dark.t_ns - last_ns <= STALE_NS + PROMISE_NS
    assert {one.stage for one in meanwhile if one.t_ns >= went_dark.t_ns} == {Stage.DARK}


def _is_true(shown: list[Shown], begins_ns: int) -> None:
    """No colour that the signal did not have within a second, at any twentieth of a second."""
    looks = 0
    for one, following in pairwise(shown):
        if one.stage is Stage.DARK:
            continue
        for t_ns in range(one.t_ns, following.t_ns, 50 * NS_PER_MS):
            near = {truly(t_ns - begins_ns + off_ns) for off_ns in (-PROMISE_NS, 0, PROMISE_NS)}
            assert one.stage in near, f"{one} at {(t_ns - begins_ns) / NS_PER_S:.1f} s"
            looks += 1
    assert looks > 100


def _counts_down(shown: list[Shown], begins_ns: int) -> None:
    """The column never rises within a phase, and is right within a second at 5 and at 10 s before each end."""
    low: dict[tuple[int, Stage], int] = {}
    for one in shown:
        if one.bar_px is not None:
            shift_ns = PROMISE_NS if one.stage is truly(one.t_ns + PROMISE_NS - begins_ns) else 0
            phase = (one.t_ns - begins_ns + shift_ns) // (CYCLE_MS * NS_PER_MS), one.stage
            assert one.bar_px <= low.get(phase, BAR_PX), f"{one} rises"
            low[phase] = one.bar_px
    told = {5: 0, 10: 0}
    for left_s in told:
        for end_ms in range(GO_MS, END_MS, CYCLE_MS):
            at_ns = begins_ns + end_ms * NS_PER_MS - left_s * NS_PER_S
            seen = [one for one in shown if one.t_ns <= at_ns]
            if seen and seen[-1].stage is Stage.GREEN and seen[-1].bar_px is not None:
                # a column of n pixels stands for what is left from above n - 1 to n of them
                error_s = (seen[-1].bar_px - 0.5) * FULL_S / BAR_PX - left_s
                assert abs(error_s) <= PROMISE_NS / NS_PER_S + FULL_S / BAR_PX, f"{seen[-1]}, {left_s} s before"
                told[left_s] += 1
    assert told[5] == 2, "before and after the outage"
    assert told[10] >= 1


def _tells_the_truth(said: str) -> None:
    """The peer's lines, against the programme's figures."""
    begins = re.search(r"begins (\S+)Z", said)
    assert begins is not None
    start = datetime.fromisoformat(begins[1])
    lines = re.findall(r"^(\d\d):(\d\d):(\d\d)  group 7 ([a-z-]+), ([0-9.]+) s left", said, re.MULTILINE)
    assert len(lines) > KILL_MS // 1000
    for hour, minute, second, colour, left in lines:
        at_s = (int(hour) * 60 + int(minute)) * 60 + int(second)
        t_s = (at_s - (start.hour * 60 + start.minute) * 60 - start.second) % 86_400 % (CYCLE_MS // 1000)
        truth = next(
            (name, end_s - t_s)
            for name, end_s in (("green", 9), ("amber", 11), ("red", 15), ("red-amber", 16))
            if t_s < end_s
        )
        assert (colour, float(left)) == truth
