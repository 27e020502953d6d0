"""What the panel shows and showed, for the office: in words, as a page, and from the flight recorder."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from controllers.cli import main
from controllers.greenwave.picture import Stage, frame_of
from controllers.greenwave.picture_signs import sign
from controllers.greenwave.picture_words import told
from controllers.service.mirror import mirror
from controllers.service.picture_sheet import digest
from controllers.service.unit import text
from drivers.codecs.panel_frame import Picture, encode
from drivers.recording.events import WireBytes
from drivers.recording.reader import TraceReader
from drivers.units import NS_PER_S
from flight_rig import UTC_NS, Flight, messages

ROOT = Path(__file__).parents[2]
GREEN = frame_of(Stage.GREEN, 18)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (frame_of(Stage.DARK, None), "dark"),
        (GREEN, "green, 11.6 to 12.3 s left"),
        (frame_of(Stage.RED, None, 7), "red, no end known, brightness 7 of 16"),
        (frame_of(Stage.HURRY, 0), "hurry, nothing left"),
        (frame_of(Stage.RED, 44), "red, 29.3 s left or more"),
        (sign("maintenance"), "picture maintenance"),
        (encode(Picture(96, 32, bytes(range(1, 97)) * 96)), "another picture"),
        (b"rubbish", "no picture"),
    ],
)
def test_a_frame_is_told_in_words(frame: bytes, words: str) -> None:
    assert told(frame) == words


def test_every_brightness_is_recognised() -> None:
    said = [told(frame_of(Stage.GREEN, 3, level)) for level in range(1, 17)]
    assert said == [f"green, 1.4 to 2.0 s left, brightness {level} of 16" for level in range(1, 16)] + [
        "green, 1.4 to 2.0 s left"
    ]


def picture(frame: bytes = GREEN) -> dict[str, Any]:
    return {"controller": "<promenade>", "panels": {"panel": {"lit": True, "since_s": 3, "frame": frame.hex()}}}


def test_the_mirror_shows_the_panel_upright_and_says_what_it_is() -> None:
    status, kind, body = mirror("/panel.png", picture())
    assert (status, kind) == ("200 OK", "image/png")
    with Image.open(io.BytesIO(body)) as image:
        assert image.size == (34 * 8, 98 * 8)
        red, green, blue = image.getpixel((17 * 8 + 4, 90 * 8 + 4))
        assert green > 200 > blue > red
    status, kind, body = mirror("/panel.html", picture())
    assert (status, kind.split(";")[0]) == ("200 OK", "text/html")
    assert b"green, 11.6 to 12.3 s left, for 3 s" in body
    assert b"&lt;promenade&gt;" in body
    assert b"<promenade>" not in body


@pytest.mark.parametrize(("path", "of"), [("/panel", picture()), ("/panel.exe", picture()), ("/panel.png", {})])
def test_other_pages_and_controllers_without_a_panel_have_no_mirror(path: str, of: dict[str, Any]) -> None:
    assert mirror(path, of)[0] == "404 Not Found"


@pytest.fixture(scope="module")
def flown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute of a display, in files of ten seconds."""
    folder = tmp_path_factory.mktemp("ring")
    site = {"site": "leezenflow-hoerstertor", "controller": None}
    Flight(folder, messages(30, groups=8), **site, file_minutes=1 / 6).run(30)
    return folder


def ask(flown: Path, capsys: pytest.CaptureFixture[str], seconds: float, *words: str) -> dict[str, Any]:
    whole, tenth = divmod(round(seconds * 10), 10)
    at = f"2026-02-20T18:00:{whole:02}.{tenth}"
    import time
    from datetime import UTC, datetime

    local = datetime.fromisoformat(at).replace(tzinfo=UTC).astimezone()
    said = local.strftime("%Y-%m-%d %H:%M:%S") + f".{tenth}"
    assert time.tzname
    assert main(["blackbox", "picture", "--folder", str(flown), "--at", said, "--json", *words]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_flight_recorder_knows_what_was_shown_at_every_moment(
    flown: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames: list[tuple[int, bytes]] = []
    for path in sorted(flown.glob("*.mcap")):
        reader = TraceReader(path)
        base_ns = reader.provenance.base_ns
        frames += [
            (event.t_ns + base_ns - UTC_NS, event.data)
            for event in reader.events()
            if isinstance(event, WireBytes) and event.outward and event.wire == "panel"
        ]
    assert len({frame for _, frame in frames}) > 10
    files = set()
    for tenth in range(3, 290, 7):
        found = ask(flown, capsys, tenth / 10)
        expected = [frame for t_ns, frame in frames if t_ns <= tenth * NS_PER_S // 10][-1]
        assert found["frame"] == expected.hex(), tenth
        assert found["shows"] == told(expected)
        assert found["doubt"] == ""
        files.add(found["file"])
    assert len(files) == 3
    out = tmp_path / "x.png"
    ask(flown, capsys, 25, "-o", str(out))
    with Image.open(out) as image:
        assert image.height > 2 * image.width


def test_it_is_told_in_a_sentence(flown: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from datetime import UTC, datetime

    local = datetime(2026, 2, 20, 18, 0, 25, tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    assert main(["blackbox", "picture", "--folder", str(flown), "--at", local]) == 0
    assert " panel: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("at", "says"),
    [("2020-01-01 12:00:00", "nothing was recorded at that time"), ("soon", "no time"), ("12:00:00.x", "no time")],
)
def test_a_moment_that_is_none_or_was_not_recorded_is_refused(
    flown: Path, at: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["blackbox", "picture", "--folder", str(flown), "--at", at]) == 2
    assert says in capsys.readouterr().err


def test_the_sheet_in_the_papers_shows_the_pictures_of_today(capsys: pytest.CaptureFixture[str]) -> None:
    with Image.open(ROOT / "docs" / "leezenflow-pictures.png") as image:
        made_from = image.text["frames"]
    assert made_from == digest(), "make it anew: leeze-controllers pictures -o docs/leezenflow-pictures.png, look at it"
    assert main(["pictures"]) == 0
    assert capsys.readouterr().out == f"frames {digest()}\n"


def test_the_panel_unit_feeds_its_watchdog_and_names_options_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    unit = text("leeze-panel@.service", Path("/x/leeze-controllers"))
    assert "ExecStart=/x/leeze-drivers panel $LEEZE_PANEL --socket /run/leeze/%i.panel" in unit
    assert "WatchdogSec=2" in unit.splitlines()
    from drivers.cli import main as drivers

    assert drivers(["panel", "--help"]) == 0
    known = capsys.readouterr().out
    for word in text("leeze.panel.env", Path("/x/y")).split():
        if word.removeprefix("LEEZE_PANEL=").startswith("--"):
            assert word.removeprefix("LEEZE_PANEL=") in known


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here (Debian: systemd)")
def test_systemd_finds_no_fault_with_the_panel_unit_and_calls_its_exposure_ok(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "leeze-drivers"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert main(["unit", "--into", str(tmp_path), "--program", str(program.with_name("leeze-controllers"))]) == 0
    folder = tmp_path / "etc" / "systemd" / "system"
    (folder / "leeze@.service").unlink()  # judged by its own test
    name = "leeze-panel@x.service"
    said = [
        subprocess.run(["systemd-analyze", *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        for words in (["verify", name], ["security", "--offline=yes", "leeze-panel@.service"])
    ]
    assert (said[0].returncode, said[0].stderr) == (0, "")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said[1].stdout)
    assert found, said[1].stderr
    assert float(found[1]) <= 3.0
    assert (tmp_path / "etc" / "leeze" / "example.panel.env").exists()
