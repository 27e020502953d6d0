"""A board whose wires end at the desk: ``leeze-boards`` probe, monitor, capture, detect and doctor on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from boards.cli import main
from boards.doctor.detect import Detected
from boards.load import parse_board
from drivers.parts import PARTS
from hil.benches.pty_wire import PtyWire
from hil.desk import FAR_ENDS, far_end

HEAD = """format = 1
name = "desk"
title = "a desk"
model = "laptop"
product = "lighting"
period_ms = 20
"""


class Wired(NamedTuple):
    """A wire of the board: what the file says hangs on it, what truly does ("" nothing), and how."""

    name: str
    part: str
    truly: str
    baud: int = 0
    babble: bool = False
    keys: str = ""
    device: str = ""


Desk = Callable[..., str]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Writes the file of a board with these wires, runs their far ends, gives the file's path."""
    with ExitStack() as stack:

        def lay(*wires: Wired, more: str = "") -> str:
            text = HEAD
            for one in wires:
                made = PtyWire(one.name, one.baud or FAR_ENDS[one.truly or one.part].baud, babble=one.babble)
                if one.truly:
                    made.peer = far_end(one.truly, made.far)
                stack.enter_context(made)
                baud = FAR_ENDS[one.part].baud
                text += f'[wires.{one.name}]\nkind = "uart"\nport = "{made.path}"\nbaud = {baud}\n'
                text += f'[devices.{one.device or one.name}]\npart = "{one.part}"\nwire = "{one.name}"\n{one.keys}'
            path = tmp_path / "desk.toml"
            path.write_text(text + more)
            return str(path)

        yield lay


def rows(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    return {row["device"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}


def test_each_wire_gets_its_own_word_and_the_two_that_are_swapped_are_named(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    board = desk(
        Wired("radar-1", "ld2451", "ld2451"),
        Wired("radar-2", "ld2451", "ld2451", baud=9_600),
        Wired("weather", "leezenflow-sensor", "leezenflow-sensor", babble=True),
        Wired("bay-1", "a02yyuw", ""),
        Wired("radar-3", "ld2451", "mb7389"),
        Wired("bay-2", "mb7389", "ld2451"),
    )
    assert main(["probe", board, "--seconds", "1.2", "--json"]) == 1
    found = rows(capsys)
    assert {name: row["verdict"] for name, row in found.items()} == {
        "radar-1": "good",
        "radar-2": "wrong-baud",
        "weather": "babbling",
        "bay-1": "silent",
        "radar-3": "wrong-part",
        "bay-2": "wrong-part",
    }
    assert "at 9600 baud it makes sense" in found["radar-2"]["text"]
    assert "at 9600 baud these are bytes of a mb7389" in found["radar-3"]["text"]
    assert "wire bay-2 should carry those: are the two swapped?" in found["radar-3"]["mend"]
    assert "at 115200 baud these are bytes of a ld2451" in found["bay-2"]["text"]


def test_two_wires_of_one_bit_rate_are_told_apart_at_once(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    board = desk(Wired("bay-1", "a02yyuw", "mb7389"), Wired("bay-2", "mb7389", "a02yyuw"))
    assert main(["probe", board, "--seconds", "0.8", "--json"]) == 1
    found = rows(capsys)
    assert [row["verdict"] for row in found.values()] == ["wrong-part", "wrong-part"]
    assert "wire bay-2 should carry those" in found["bay-1"]["mend"]


def test_of_two_lamps_behind_a_gateway_the_one_that_is_not_there_is_named(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = '[devices.lamp-9]\npart = "atxled"\nwire = "dali"\nshort_address = 9\n'
    board = desk(Wired("dali", "atxled", "atxled", keys="short_address = 0\n", device="lamp-1"), more=gone)
    assert main(["probe", board, "--seconds", "1.5", "--json"]) == 1
    found = rows(capsys)
    assert {name: row["verdict"] for name, row in found.items()} == {"lamp-1": "good", "lamp-9": "no-answer"}
    assert "the wire is well" in found["lamp-9"]["text"]
    assert "gear does not answer" in found["lamp-9"]["text"]


def test_of_two_slaves_on_one_bus_the_one_that_is_not_there_is_named(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = '[devices.bay-9]\npart = "urm14"\nwire = "rs485"\naddress = 9\n'
    board = desk(Wired("rs485", "urm14", "urm14", keys="address = 12\n", device="bay-1"), more=gone)
    assert main(["probe", board, "--seconds", "1.5", "--json"]) == 1
    found = rows(capsys)
    assert {name: row["verdict"] for name, row in found.items()} == {"bay-1": "good", "bay-9": "no-answer"}
    assert "the wire is well" in found["bay-9"]["text"]


def test_monitor_capture_doctor_and_detect_take_the_same_desk(
    desk: Desk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    board = desk(Wired("radar-1", "ld2451", "ld2451"), Wired("bay-1", "mb7389", "mb7389"))
    assert main(["monitor", board, "--seconds", "1.1", "--json"]) == 0
    wires = {wire["wire"]: wire for wire in json.loads(capsys.readouterr().out.splitlines()[0])["wires"]}
    assert wires["radar-1"]["devices"][0]["latest"]["detections"][0]["angle_deg"] == 0
    assert 890 <= wires["bay-1"]["devices"][0]["latest"]["distance_mm"] <= 910

    assert main(["capture", board, "-o", str(tmp_path / "t.mcap"), "--seconds", "0.5"]) == 0
    capsys.readouterr()

    text = Path(board).read_text()
    port = text.split('port = "')[1].split('"')[0]
    assert main(["detect", port, "--json"]) == 0
    (found,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (found["part"], found["baud"]) == ("ld2451", 115_200)

    Path(board).write_text(text.replace(port, "/dev/ttyUSB97"))
    assert main(["doctor", board, "--json"]) == 3
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "$.wires.radar-1: no /dev/ttyUSB97" in [f"{one['place']}: {one['what'].partition(';')[0]}" for one in said]


@pytest.mark.parametrize(
    "port",
    ["/dev/pts/3", "/dev/ttyUSB0", "/dev/serial/by-id/usb-1a86_USB2.0-Serial_UART-if00-port0"],
)
def test_what_detect_prints_is_a_board(port: str) -> None:
    board = parse_board(HEAD + Detected(port=port, part="ld2451", baud=115_200).lines, "my.toml")
    (wire,) = board.wires.values()
    assert (getattr(wire, "port", ""), [device.wire for device in board.devices.values()]) == (port, list(board.wires))


def test_every_far_end_is_called_as_the_part_is() -> None:
    assert [name for name in FAR_ENDS if name not in PARTS] == []
