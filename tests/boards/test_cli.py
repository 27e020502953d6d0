from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from boards.cli import main
from boards.load import catalog_names

ROOT = Path(__file__).parents[2]


def test_list_names_every_board_of_the_catalog(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == catalog_names()


def test_list_as_json_gives_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows] == catalog_names()
    lamp = next(row for row in rows if row["name"] == "kanalpromenade-lamp")
    assert lamp["wires"]["radar-1"] == "ld2451"
    assert len(lamp["digest"]) == 64


def test_check_says_fine_and_leaves_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "leezenflow"]) == 0
    assert capsys.readouterr().out.startswith("leezenflow: fine, 2 wires, 2 devices, digest ")


def test_check_tells_every_fault_on_stderr_and_leaves_with_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    text = (ROOT / "boards/catalog/kanalpromenade-lamp.toml").read_text()
    path.write_text(text.replace('uart = "uart4"', 'uart = "uart0"').replace("short_address = 5", "short_address = 4"))
    assert main(["check", str(path), "leezenflow"]) == 2
    said = capsys.readouterr()
    assert said.out.startswith("leezenflow: fine")
    first, second = said.err.splitlines()
    assert first == (
        f"error: {path}: $.wires.radar-2.uart: GPIO14 (pin 8) is already TX of wire dali; free UARTs: uart4, uart2"
    )
    assert second == (
        f"error: {path}: $.devices.lamp-6.short_address: 4 is already lamp-5 on wire dali; the next free one is 5"
    )


def test_check_as_json_carries_the_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json", "leezenfow", "leezenflow"]) == 2
    bad, good = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert bad["ok"] is False
    assert "did you mean" in bad["faults"][0]
    assert (good["board"], good["ok"]) == ("leezenflow", True)


def test_pinout_shows_each_taken_pin_its_wire_and_what_config_txt_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pinout", "kanalpromenade-lamp"]) == 0
    said = capsys.readouterr().out
    assert "●  8   GPIO14 TX of wire dali" in said.replace("● 8 ", "●  8 ")
    assert "pulses of relay GPIO17  11 ● ○ 12  GPIO18 (PWM)" in said
    assert "TX of wire radar-1 GPIO4    7 ● ● 8   GPIO14 TX of wire dali" in said
    assert "uart3 /dev/ttyAMA3  TX pin 7, RX pin 29   115200 8N1  ld2451" in said
    assert "lamp-1 … lamp-6 (6 x atxled)" in said
    assert "  dtoverlay=disable-bt\n" in said
    assert said.count("●") == 9 + 1  # eight UART pins, the relay, the legend
    assert "\x1b" not in said


def test_pinout_of_a_panel_shows_the_pins_of_its_adapter(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pinout", "leezenflow"]) == 0
    said = capsys.readouterr().out
    assert "R1 of wire panel GPIO5   29 ● ■ 30  GND" in said
    assert "rgbmatrix on adafruit-hat" in said
    assert "config.txt" not in said


def test_pinout_of_a_laptop_has_no_header(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pinout", "leezenflow-laptop"]) == 0
    said = capsys.readouterr().out
    assert "GPIO" not in said
    assert "in process" in said


def test_pinout_as_json_has_all_forty_pins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pinout", "kanalpromenade-lamp", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [row["pin"] for row in said["pins"]] == list(range(1, 41))
    assert said["pins"][7] == {"pin": 8, "gpio": 14, "carries": "GPIO14", "used_as": "TX of wire dali"}
    assert said["config_txt"][-1] == "dtoverlay=uart5"


def test_pinout_is_coloured_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main(["pinout", "leezenflow"]) == 0
    coloured = capsys.readouterr().out
    assert "\x1b[1;32m" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["pinout", "leezenflow"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert "BoardDescription" in json.loads(capsys.readouterr().out)["$defs"]


@pytest.mark.parametrize("verb", ["list", "check", "pinout", "schema"])
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert f"Example: leeze-boards {verb}" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [[], ["paint"], ["check"], ["pinout", "a", "b"], ["list", "--colour"]])
def test_wrong_use_leaves_with_2_and_the_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert "usage: leeze-boards" in capsys.readouterr().err


def test_the_command_runs_as_a_process_of_its_own() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "boards", "check", "no-such-board"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("error: no board `no-such-board` in the catalog")
    assert "Traceback" not in ran.stderr
