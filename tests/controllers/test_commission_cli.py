"""``leeze-controllers commission``: what gear shall keep is written once, read back, and shown."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from controllers.cli import main
from controllers.service.assemble import fade_code
from hil.benches.pty_wire import PtyWire
from hil.peers.dali_gateway import DaliGateway

BOARD = """format = 1
name = "lamps"
title = "three lamps"
model = "laptop"
product = "lighting"
period_ms = 20
"""
LAMP = '[devices.lamp-{n}]\npart = "atxled"\nwire = "dali"\nshort_address = {n}\nmin_level = 80\n'
SITE = """format = 1
name = "yard"
product = "lighting"
place = { lat_deg = 52, lon_deg = 7.6, timezone = "Europe/Berlin" }
light = { rise_s = 1.5 }
[[controllers]]
name = "one"
board = "unused"
lamps = [{ name = "lamp-0", x_m = 0 }, { name = "lamp-1", x_m = 30 }, { name = "lamp-2", x_m = 60 }]
radars = []
"""


class Yard:
    def __init__(self, folder: Path, wire: PtyWire, gateway: DaliGateway) -> None:
        self.gateway = gateway
        board, site = folder / "board.toml", folder / "site.toml"
        text = f'{BOARD}[wires.dali]\nkind = "uart"\nport = "{wire.path}"\nbaud = 19200\n'
        board.write_text(text + "".join(LAMP.format(n=n) for n in range(3)))
        site.write_text(SITE)
        self.words = ["commission", "--site", str(site), "--board", str(board)]

    def commission(self, *more: str) -> int:
        return main([*self.words, *more])

    def writes(self) -> list[int]:
        return [gear.writes for gear in self.gateway.gear.values()]


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    wire = PtyWire("dali", 19_200)
    wire.peer = gateway = DaliGateway("dali", wire.far, range(3), lambda *segment: None)
    gateway.gear[1].curve = 1
    gateway.gear[2].power_on_level = 0
    with wire:
        yield Yard(tmp_path, wire, gateway)


def test_gear_is_written_once_and_read_back_and_a_second_time_nothing_is_written(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    assert yard.commission("--check", "--json") == 1
    before = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert yard.writes() == [0, 0, 0]
    assert before[1]["differs"] == {
        "fade_code": {"found": 0, "wanted": 3},
        "min_level": {"found": 1, "wanted": 80},
        "groups": {"found": 0, "wanted": 3},
        "curve": {"found": 1, "wanted": 0},
    }
    assert yard.commission("--yes") == 0
    shown = capsys.readouterr().out
    assert "0 -> 3" in shown
    assert "linear -> log" in shown
    assert "0x0000 -> 0x0003" in shown
    assert "3 of 3 gear keep what they shall" in shown
    assert yard.writes() == [3, 5, 4]
    gear = yard.gateway.gear[2]
    assert (gear.fade_code, gear.failure_level, gear.power_on_level, gear.min_level) == (3, 254, 254, 80)
    assert [gear.groups for gear in yard.gateway.gear.values()] == [0b01, 0b11, 0b10]
    assert yard.commission("--json") == 0  # nobody is asked where nothing is to be written
    assert all(json.loads(line)["ok"] for line in capsys.readouterr().out.splitlines())
    assert yard.writes() == [3, 5, 4]


def test_gear_that_does_not_answer_is_told_and_the_rest_is_written(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    yard.gateway.gear[1].dead = True
    assert yard.commission("--yes") == 1
    assert "gear does not answer" in capsys.readouterr().out
    assert yard.writes() == [3, 0, 4]


def test_nothing_is_written_where_nobody_can_be_asked(
    yard: Yard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert yard.commission() == 2
    assert "writes into the memory of 3 gear on wire dali" in capsys.readouterr().err
    assert yard.writes() == [0, 0, 0]


def test_a_wire_without_dali_lamps_is_refused(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    assert yard.commission("--wire", "radar-1") == 2
    assert "has no DALI lamps on a wire radar-1; wires: dali" in capsys.readouterr().err


def test_a_rise_time_written_as_papers_print_it_finds_its_fade() -> None:
    """IEC 62386-102: 0.5 s times the root of 2 to the code; printed with one digit behind the point."""
    printed = (0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.7, 8.0, 11.3, 16.0, 22.6, 32.0, 45.3, 64.0, 90.5)
    assert [fade_code(rise_s) for rise_s in printed] == list(range(1, 16))
    assert [fade_code(rise_s) for rise_s in (0.1, 0.69, 1.3, 1000.0)] == [0, 0, 2, 15]


def test_on_a_telephone_a_lamp_is_a_paragraph_and_what_is_right_is_not_listed(
    yard: Yard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    yard.gateway.gear[2].dead = True
    yard.commission("--check")
    said = capsys.readouterr().out.splitlines()
    assert said[:4] == ["wire dali:", "  lamp-0 (address 0)", "    fade_code  0 -> 3", "    min_level  1 -> 80"]
    assert "failure_level" not in "".join(said), "it is right already"
    assert max(map(len, said)) <= 44
    assert yard.commission("--yes") == 1
    assert "  lamp-0 (address 0): as it shall be, 3 written\n" in capsys.readouterr().out


def test_it_is_said_what_to_do_next(
    yard: Yard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    def last() -> str:
        return capsys.readouterr().out.rpartition("what they shall\n")[2].strip()

    yard.gateway.gear[1].dead = True
    yard.commission("--check")
    assert last() == "look at lamp-1: supply, wire, address (leeze-boards address); then the same again"
    yard.gateway.gear[1].dead = False
    yard.commission("--check")
    assert last() == "to write it: the same without --check"
    yard.commission("--yes")
    assert last() == "done: start the controller"
    yard.commission("--check")
    assert last() == "nothing to do"
    for gear in yard.gateway.gear.values():
        gear.dead = True
    assert yard.commission("--check") == 1
    assert last().startswith("no gear answers: has the bus power? Else look at the wire")


def test_where_a_relay_powers_the_bus_silence_is_explained_by_it(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    board = Path(yard.words[-1])
    board.write_text(
        board.read_text().replace('model = "laptop"', 'model = "raspberry-pi-4"')
        + '[wires.lines]\nkind = "gpio"\ndriver = "gpiozero"\nfactory = "mock"\n'
        + '[devices.relay]\npart = "relay"\nwire = "lines"\ngpio = 17\nbus = "dali"\n'
    )
    for gear in yard.gateway.gear.values():
        gear.dead = True
    assert yard.commission("--check") == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "has the bus power? Its relay drops while no controller runs: leeze-controllers keep-power --now." in said


@pytest.mark.long
def test_half_a_yes_writes_nothing_and_says_so(
    yard: Yard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert yard.commission() == 2
    assert "nothing was done: only yes (or ja) in full goes on" in capsys.readouterr().err
    assert yard.writes() == [0, 0, 0]
    monkeypatch.setattr("sys.stdin", Terminal("Yes\n"))
    assert yard.commission() == 0
    assert yard.writes() == [3, 5, 4]
