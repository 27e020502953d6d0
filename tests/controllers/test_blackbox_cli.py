"""`leeze-controllers blackbox`: what was kept, and copies of it while the service writes on."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from controllers.cli import main
from drivers.recording.events import Ticks, WireBytes
from drivers.recording.reader import TraceReader
from drivers.recording.ring import ring_files
from drivers.units import NS_PER_S
from flight_rig import START_NS, UTC_NS, Clock, Flight, riders

AT = {seconds: f"2026-02-20T18:{seconds // 60:02}:{seconds % 60:02}+00:00" for seconds in range(600)}
"""Moments after the start of the flight."""


@pytest.fixture(autouse=True)
def in_muenster(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Local time as on site."""
    import time

    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(scope="module")
def flown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute in files of a quarter of a minute."""
    folder = tmp_path_factory.mktemp("ring")
    Flight(folder, riders(60), file_minutes=0.25).run(60)
    return folder


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[Any], str]:
    """(exit code, JSON lines, stderr)."""
    code = main(["blackbox", *(str(word) for word in words), "--json"])
    captured = capsys.readouterr()
    return code, [json.loads(line) for line in captured.out.splitlines()], captured.err


def test_a_list_gives_spans_in_local_time_and_by_the_monotonic_clock(
    flown: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["blackbox", "list", "--folder", str(flown)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("kanalpromenade-lamp-000001.mcap ")
    assert re.search(r"2026-02-20 19:00:00\+01:00 \+ 1\d\.\d s \(7,000\.0 to 7,01\d\.\d s\)", lines[0])
    assert lines[0].endswith("west  complete")
    assert lines[-1].startswith("4 files, ")
    code, found, _ = run(capsys, "list", "--folder", flown)
    assert (code, [one["number"] for one in found]) == (0, [1, 2, 3, 4])
    assert found[0]["from_ns"] == START_NS
    assert found[0]["from"] == "2026-02-20 19:00:00+01:00"
    assert [one["state"] for one in found] == ["complete"] * 4


def test_a_list_says_what_was_cut_and_what_is_no_trace(
    flown: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ring = tmp_path / "ring"
    shutil.copytree(flown, ring)
    last = ring_files(ring)[-1].path
    last.write_bytes(last.read_bytes()[:-300])
    (ring / "kanalpromenade-lamp-000009.mcap").write_bytes(bytes(5000))
    assert main(["blackbox", "list", "--folder", str(ring)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].endswith("cut, or being written")
    assert "unreadable: byte 0: not an MCAP file" in lines[4]


def test_a_pull_copies_what_covers_the_span_and_says_what_is_missing(
    flown: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, told, _ = run(capsys, "pull", "--folder", flown, "--from", AT[20], "--to", AT[40], "-o", out)
    assert code == 0
    assert [Path(one["copied"]).name for one in told] == [f"kanalpromenade-lamp-00000{n}.mcap" for n in (2, 3)]
    for number in (2, 3):
        name = f"kanalpromenade-lamp-00000{number}.mcap"
        assert (out / name).read_bytes() == (flown / name).read_bytes()
    code, told, _ = run(capsys, "pull", "--folder", flown, "--from", AT[50], "--to", AT[90], "-o", out)
    assert code == 0
    assert told[-1]["missing"] == "kanalpromenade-lamp"
    assert told[-1]["to"] == "2026-02-20 19:01:30+01:00"
    assert 29 < told[-1]["seconds"] < 31
    assert main(["blackbox", "pull", "--folder", str(flown), "--from", AT[50], "--to", AT[90], "-o", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"copied {out}/kanalpromenade-lamp-000004.mcap: ")
    assert captured.err.startswith("missing kanalpromenade-lamp: from 2026-02-20 19:01:0")


def test_the_file_being_written_is_copied_up_to_its_last_whole_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ring, out = tmp_path / "ring", tmp_path / "out"
    flight = Flight(ring, riders(60))
    turn = flight.wires.turn
    codes: list[int] = []

    def turn_and_pull() -> None:
        turn()
        if flight.clock.now_ns() == START_NS + 30 * NS_PER_S:
            with ring_files(ring)[0].path.open("ab") as file:
                file.write(b"\x06\x99\x00")  # the recorder is about to write a record
            codes.append(main(["blackbox", "pull", "--folder", str(ring), "--to", AT[300], "-o", str(out), "--json"]))
            with ring_files(ring)[0].path.open("rb+") as file:
                file.truncate(ring_files(ring)[0].size_b - 3)

    flight.wires.turn = turn_and_pull
    flight.run(60)
    copied = json.loads(capsys.readouterr().out.splitlines()[0])
    assert codes == [0]
    assert (copied["cut_bytes"], copied["state"]) == (3, "cut, or being written")
    events = list(TraceReader(out / "kanalpromenade-lamp-000001.mcap").events())
    times = [event.t_ns for event in events if isinstance(event, WireBytes)]
    assert 29 * NS_PER_S < times[-1] - START_NS <= 30 * NS_PER_S
    whole = list(TraceReader(ring_files(ring)[0].path).events())
    assert whole[: len(events)] == events
    assert len(whole) > len(events)


def test_a_gap_and_a_pause_between_two_runs_are_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ring = tmp_path / "ring"
    Flight(ring, riders(10)).run(10)
    clock = Clock(START_NS + 100 * NS_PER_S)
    clock.offset_ns = UTC_NS - START_NS
    flight = Flight(ring, riders(30), clock=clock, queue_bytes=60_000)
    turn = flight.wires.turn
    flight.wires.turn = lambda: None if 10 * NS_PER_S < clock.now_ns() - flight.start_ns < 20 * NS_PER_S else turn()
    flight.run(30)
    code, told, _ = run(capsys, "pull", "--folder", ring, "--to", AT[130], "-o", tmp_path / "out")
    assert code == 0
    copies = [one for one in told if "copied" in one]
    assert [one["state"] for one in copies] == ["complete", "ends in a gap", "complete"]
    assert copies[1]["lost_records"] == flight.recorder.figures()["dropped_records"] > 0
    pause, gap = [one for one in told if "missing" in one]
    assert 89 < pause["seconds"] < 91
    lost = copies[1]["lost_records"]
    assert gap["why"] == f"kanalpromenade-lamp-000002.mcap ends in a gap: {lost} records were lost"
    assert 2 < gap["seconds"] < 10


def test_a_damaged_copy_is_said_and_is_exit_code_1(
    flown: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ring = tmp_path / "ring"
    shutil.copytree(flown, ring)
    path = ring_files(ring)[1].path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    code, told, _ = run(capsys, "pull", "--folder", ring, "--from", AT[0], "--to", AT[59], "-o", tmp_path / "out")
    assert code == 1
    assert [bool(one.get("trouble")) for one in told if "copied" in one] == [False, True, False, False]


def test_files_without_a_date_are_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ring = tmp_path / "ring"
    Flight(ring, riders(5), synchronised=False).run(5)
    code, told, _ = run(capsys, "pull", "--folder", ring, "--from", AT[0], "--to", AT[59], "-o", tmp_path / "out")
    assert code == 0
    assert told[-1]["left out"] == "kanalpromenade-lamp-000001.mcap"
    assert main(["blackbox", "list", "--folder", str(ring)]) == 0
    assert "time unknown + 5.0 s (7,000.0 to 7,005.0 s)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "--folder", "{tmp}/none"], "none: cannot be read: No such file or directory; name the ring's folder"),
        (
            ["pull", "--folder", "{ring}", "--from", "soon", "-o", "{tmp}/o"],
            "--from soon: no time; write 2026-02-20",
        ),
        (["pull", "--folder", "{ring}", "--from", "now", "--to", "2h", "-o", "{tmp}/o"], "is later than --to"),
        (["pull", "--folder", "{ring}", "-o", "{ring}"], "is the ring itself; name another folder with -o"),
    ],
)
def test_wrong_words_are_refused_with_what_to_do(
    flown: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["blackbox", *(word.format(tmp=tmp_path, ring=flown) for word in words)]) == 2
    assert said in capsys.readouterr().err


def test_a_pulled_file_is_the_whole_of_its_span(
    flown: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ticks of all copies together are those of the flight."""
    out = tmp_path / "out"
    run(capsys, "pull", "--folder", flown, "--from", AT[0], "--to", AT[100], "-o", out)
    ran = [
        event.ran
        for file in ring_files(out)
        for event in TraceReader(file.path).events(["/ticks/*"])
        if isinstance(event, Ticks)
    ]
    with_ticks = Flight(tmp_path / "again", riders(60), file_minutes=0.25).run(60)
    assert sum(ran) == with_ticks.controller.cycle.ticks
