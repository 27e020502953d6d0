"""``leeze-drivers panel`` as a process: with stand-ins for the panel libraries, and with RGBMatrixEmulator."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

from drivers.cli import main
from drivers.clock import SystemClock
from drivers.codecs.panel_frame import Motion, Picture
from drivers.codecs.panel_frame import encode as encode_frame
from drivers.codecs.panel_stream import AGAIN, encode
from drivers.errors import LinkLost
from drivers.panels.link import PanelLink
from drivers.panels.screens import ScreenSettings, open_screen
from drivers.units import NS_PER_S
from panel_rig import PanelProcess

EMULATOR = Path(os.environ.get("LEEZE_RGBMATRIX_EMULATOR", Path(__file__).parents[2] / ".venv" / "rgbmatrix-emulator"))
"""Where RGBMatrixEmulator is looked for beside the usual places; see the Makefile."""

DARK = bytes(24)
RED = Picture(4, 2, b"\xff\x00\x00" * 8)
DOT = Picture(4, 2, b"\x00\xff\x00" + bytes(21))
RUNNING = Picture(4, 2, b"\x00\xff\x00" + bytes(21), (Motion(0, 0, 4, 1, 1, 0, 1),))
FOR_EVER = "--blank-ms=60000"


def test_it_is_dark_at_its_start_shows_what_it_is_told_and_blanks_by_itself(tmp_path: Path) -> None:
    with PanelProcess(tmp_path) as panel:
        panel.until_last_is(DARK)
        assert panel.options() == "2 4 1 adafruit-hat True"
        caller = panel.call()
        assert caller.hears() == encode(AGAIN)
        caller.show(RED)
        shown = panel.until_last_is(RED.rgb)
        panel.until_last_is(DARK, shown)  # nobody stood by it any more
        assert "'blanked': 1" in panel.until_says("'frames': 1")
        caller.show(DOT)
        panel.until_last_is(DOT.rgb)
        caller.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_the_panel_dark(tmp_path: Path, number: signal.Signals) -> None:
    with PanelProcess(tmp_path, FOR_EVER) as panel:
        panel.call().show(RED)
        panel.until_last_is(RED.rgb)
        panel.process.send_signal(number)
        assert panel.process.wait(30) == 0
        assert panel.shown()[-1] == DARK
        assert not panel.socket.exists()


def test_a_controller_that_goes_leaves_it_dark_and_the_next_one_is_welcome(tmp_path: Path) -> None:
    with PanelProcess(tmp_path, FOR_EVER) as panel:
        caller = panel.call()
        caller.show(RED)
        shown = panel.until_last_is(RED.rgb)
        caller.close()
        panel.until_last_is(DARK, shown)
        panel.until_says("has gone")
        panel.call().show(DOT)
        panel.until_last_is(DOT.rgb)


def test_a_second_controller_is_sent_away_and_the_first_stays(tmp_path: Path) -> None:
    with PanelProcess(tmp_path, FOR_EVER) as panel:
        first = panel.call()
        first.show(RED)
        panel.until_last_is(RED.rgb)
        second = panel.call()
        panel.until_says("sent away")
        assert second.hears() == b""
        first.show(DOT)
        panel.until_last_is(DOT.rgb)


def test_what_moves_is_shown_frame_by_frame_without_another_word(tmp_path: Path) -> None:
    with PanelProcess(tmp_path, FOR_EVER) as panel:
        panel.call().show(RUNNING)
        places = [bytes(3 * n) + b"\x00\xff\x00" + bytes(21 - 3 * n) for n in range(4)]
        shown = 0
        for _ in range(3):  # three times round
            for place in places:
                shown = panel.until_last_is(place, shown) - 1
        lit = [rgb for rgb in panel.shown() if any(rgb)]
        steps = [(places.index(b) - places.index(a)) % 4 for a, b in pairwise(lit)]
        assert steps.count(1) > len(steps) // 2  # it may leave some out where the machine is busy


def test_a_link_of_a_board_keeps_a_frame_on_show_and_comes_back_after_a_restart(tmp_path: Path) -> None:
    clock = SystemClock()
    link = PanelLink("panel", str(tmp_path / "panel"), "start it")
    link.advance(clock.now_ns())
    assert link.trouble == f"no panel process at {tmp_path / 'panel'}; start it with: start it"

    def run(panel: PanelProcess, rgb: bytes, for_ns: int) -> None:
        """As a loop does, for so long and until the panel shows it."""
        start_ns = clock.now_ns()
        while clock.now_ns() - start_ns < for_ns or not panel.shown() or panel.shown()[-1] != rgb:
            now_ns = clock.now_ns()
            assert now_ns - start_ns < 60 * NS_PER_S
            link.pump(now_ns)
            clock.sleep_until_ns(now_ns + 10_000_000)

    with PanelProcess(tmp_path) as panel:
        while not link.is_open:
            link.pump(clock.now_ns())
        link.write(encode_frame(RED), clock.now_ns())
        run(panel, RED.rgb, 2 * NS_PER_S)  # twice the time after which it would blank
        assert panel.shown().count(DARK) == 1
    panel.socket.unlink()  # as a new start would
    panel.log.unlink()
    while link.is_open:
        with contextlib.suppress(LinkLost):
            link.pump(clock.now_ns())
    with PanelProcess(tmp_path) as panel:
        run(panel, RED.rgb, 0)  # asked for again: nobody has to write it
    link.close()


def test_the_library_of_a_raspberry_pi_5_gets_its_buffer_filled(tmp_path: Path) -> None:
    with PanelProcess(tmp_path, FOR_EVER, driver="piomatter", size_px=(96, 32)) as panel:
        assert panel.options() == "96 32 4 False"
        panel.call().show(Picture(96, 32, b"\x01\x02\x03" * 3072))
        panel.until_last_is(b"\x01\x02\x03" * 3072)


def test_a_library_that_is_not_there_is_named_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["panel", "--driver", "rgbmatrix", "--socket", str(tmp_path / "s")]) == 3
    assert "driver rgbmatrix: No module named 'rgbmatrix'; install it: from its source" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--driver", "png"], "name the file with --out"),
        (["--driver", "terminal", "--socket", "/nowhere/s"], "no such folder"),
        (["--driver", "paper"], "invalid choice"),
        (["--driver", "png", "--blank-ms", "7"], "300 to 60000"),
    ],
)
def test_wrong_words_are_refused(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = [] if "--socket" in words else ["--socket", str(tmp_path / "s")]
    assert main(["panel", *words, *place]) == 2
    assert says in capsys.readouterr().err


def test_a_chain_that_does_not_add_up_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rgbmatrix.py").write_text("")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "drivers",
            "panel",
            "--driver",
            "rgbmatrix",
            "--cols",
            "64",
            "--socket",
            str(tmp_path / "s"),
        ],
        env={"PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "a chain of such panels is never 96 px wide" in done.stderr


def test_the_emulator_shows_every_pixel_and_leaves_the_working_directory_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(EMULATOR)
    if find_spec("RGBMatrixEmulator") is None:
        pytest.skip(f"RGBMatrixEmulator is not in {EMULATOR.name} (see requirements-emulator.lock)")
    monkeypatch.chdir(tmp_path)  # before the import, which writes its settings where it stands
    screen = open_screen("emulator", ScreenSettings(adapter="raw"))
    rgb = bytes(n % 251 for n in range(3 * 96 * 32))
    screen.show(rgb)
    from RGBMatrixEmulator.adapters.raw_adapter import RawAdapter

    assert RawAdapter.INSTANCE._last_frame().tobytes() == rgb
    screen.close()
    assert not any(RawAdapter.INSTANCE._last_frame().tobytes())
    assert list(tmp_path.iterdir()) == []


def test_the_png_is_replaced_as_a_whole_and_shows_the_panel_upright(tmp_path: Path) -> None:
    from PIL import Image

    screen = open_screen("png", ScreenSettings(out=tmp_path / "now.png"))
    rgb = bytearray(3 * 96 * 32)
    rgb[3 * 31 * 96] = 255  # left end, lowest row: top left for riders
    screen.show(bytes(rgb))
    with Image.open(tmp_path / "now.png") as image:
        assert image.size == (34 * 6, 98 * 6)
        assert image.getpixel((9, 9))[0] == 255
    screen.close()
    assert [path.name for path in tmp_path.iterdir()] == ["now.png"]
