"""``leeze-boards probe``, ``monitor`` and ``capture`` on a board whose wires are pseudo-terminals."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console

from boards.cli import main
from boards.doctor.view import View, WireFacts
from drivers.bench.watch import RECENT_CHUNKS, Watch
from drivers.quantities import DeviceHealth, Range
from drivers.recording.events import Line, Value, WireBytes
from drivers.recording.reader import TraceReader
from drivers.units import NS_PER_S
from hil.benches.pty_wire import PtyWire
from talking_radar import REPORT, Radar

HEAD = """
format = 1
name = "four-radars"
title = "four radars"
model = "laptop"
product = "lighting"
period_ms = 20
"""


@pytest.fixture
def board(tmp_path: Path) -> Iterator[str]:
    """Four radars: one well, one at 9600 baud, one that babbles, one that is silent."""
    text = HEAD
    with ExitStack() as stack:
        for name, baud in (("well", 115_200), ("slow", 9_600), ("babbling", 115_200), ("silent", 115_200)):
            wire = PtyWire(name, baud, babble=name == "babbling")
            if name in ("well", "slow"):
                wire.peer = Radar(wire.far)
            stack.enter_context(wire)
            text += f'[wires.{name}]\nkind = "uart"\nport = "{wire.path}"\nbaud = 115200\n'
            text += f'[devices.{name}]\npart = "ld2451"\nwire = "{name}"\n'
        path = tmp_path / "four.toml"
        path.write_text(text)
        yield str(path)


def test_each_device_gets_its_own_word(board: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", board, "--seconds", "1", "--json"]) == 1
    found = {row["device"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {name: row["verdict"] for name, row in found.items()} == {
        "well": "good",
        "slow": "wrong-baud",
        "babbling": "babbling",
        "silent": "silent",
    }
    assert "at 9600 baud it makes sense" in found["slow"]["text"]


def test_the_text_for_people_names_part_wire_and_place_and_counts_the_well(
    board: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["probe", board, "well", "silent", "--seconds", "0.5"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("silent (ld2451) on silent, ")
    assert said[0].endswith("115200 8N1: silent")
    assert said[-1] == "1 of 2 devices are well"


def test_an_unknown_device_is_refused_with_the_nearest(board: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", board, "wel"]) == 2
    assert "board four-radars has no device wel; did you mean well?" in capsys.readouterr().err


def test_a_board_of_the_rig_has_nothing_to_probe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "kanalpromenade-lamp-laptop"]) == 2
    assert "a memory wire needs the rig; run this board with `leeze-hil sim`" in capsys.readouterr().err


def test_monitor_tells_bytes_and_values_once_a_second(board: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", board, "well", "--seconds", "1.2", "--json"]) == 0
    first, *_ = map(json.loads, capsys.readouterr().out.splitlines())
    (wire,) = first["wires"]
    assert wire["last_hex"] == REPORT.hex()
    assert wire["bytes_in"] >= 5 * len(REPORT)
    assert wire["devices"][0]["latest"]["detections"][0]["distance_mm"] == 13_000
    assert "targets" in wire["decoded"]


def test_capture_writes_a_trace_with_bytes_lines_and_values(
    board: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "t.mcap"
    assert main(["capture", board, "well", "-o", str(trace), "--seconds", "0.7"]) == 0
    assert "look at it with: leeze-hil trace info" in capsys.readouterr().out
    events = list(TraceReader(trace).events())
    heard = b"".join(event.data for event in events if isinstance(event, WireBytes) and not event.outward)
    assert heard.count(REPORT) >= 4
    assert [(e.baud, e.parity) for e in events if isinstance(e, Line)] == [(115_200, "N")]
    assert sum(isinstance(event, Value) for event in events) >= 4


def test_capture_says_which_wires_were_silent(board: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capture", board, "silent", "-o", str(tmp_path / "t.mcap"), "--seconds", "0.2"]) == 1
    assert "nothing passed on silent" in capsys.readouterr().err


def test_the_picture_shows_hex_values_health_and_a_line_over_time() -> None:
    watch = Watch()
    watch.add("bay")
    counters = {"frames": 3, "skipped_bytes": 2}
    view = View(
        "parking: 1 device",
        (WireFacts("bay", "/dev/ttyS9 9600 8N1", "", ("bay-1",)),),
        watch,
        lambda _: counters,
        lambda _: "",
    )
    for n in range(3):
        watch.passed(0, False, b"R123%d\r" % n, n * NS_PER_S)
        view.take(Range(n * NS_PER_S, "bay-1", 1230 + n))
    view.take(DeviceHealth(2 * NS_PER_S, "bay-1", False, "frozen"))
    console = Console(file=io.StringIO(), width=160, force_terminal=False)
    console.print(view.picture(2 * NS_PER_S))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "/dev/ttyS9 9600 8N1" in said
    assert "← 52 31 32 33 32 0d  R1232·" in said
    assert "1232 mm (frozen)" in said
    assert "▁▅█" in said
    assert "skipped_bytes 2" in said


def test_a_watch_keeps_its_memory_whatever_passes() -> None:
    watch = Watch()
    watch.add("w")
    for n in range(3_000):
        watch.passed(0, False, bytes(100), n)
    wire = watch["w"]
    assert (wire.bytes_in, len(wire.recent)) == (300_000, RECENT_CHUNKS)
    assert len(wire.kept) == 16_384
