"""The example of docs/third-party-parts.md, as it stands there: installed, named in a board file, tried."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from boards.build import build
from boards.load import parse_board
from boards.parts import _foreign_parts, contents
from boards.schema import json_schema
from boards.wires import Wire
from boards.wiring import rows
from drivers.errors import InputError
from drivers.interfaces import ByteLink
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, Quantity, Range

GUIDE = Path(__file__).parents[2] / "docs" / "third-party-parts.md"
BOARD = """
format = 1
name = "gate"
title = "one gate"
model = "raspberry-pi-4"
product = "parking"
period_ms = 20
[wires.gate]
kind = "uart"
uart = "uart3"
baud = 115200
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def install(folder: Path, code: str, entry: str) -> None:
    (folder / "leeze_tfmini.py").write_text(code)
    info = folder / "leeze_tfmini-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: leeze-tfmini\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[leeze.parts]\n{entry}\n")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    _foreign_parts.cache_clear()
    yield tmp_path
    _foreign_parts.cache_clear()
    sys.modules.pop("leeze_tfmini", None)


@pytest.fixture
def installed(folder: Path) -> Path:
    (code,) = blocks("python")
    entry = blocks("toml")[0].splitlines()[-1]
    install(folder, code, entry.replace('"', ""))
    return folder


def test_the_example_fits_on_a_screen_and_a_half() -> None:
    (code,) = blocks("python")
    assert 30 <= sum(bool(line.strip()) for line in code.splitlines()) <= 60


def test_a_board_file_may_name_it_and_it_speaks(installed: Path) -> None:
    board = parse_board(BOARD + blocks("toml")[1], "gate.toml")
    assert contents(board) == {"gate": "tfmini"}
    near, far = memory_pair("gate")
    values: list[Quantity] = []

    def link_for(name: str, wire: Wire) -> ByteLink:
        return near

    live = build(board, emit=values.append, link_for=link_for)
    frame = bytes.fromhex("5959e803f4010000")
    frame += bytes([sum(frame) & 0xFF])
    far.write(b"\x59rubbish" + frame[:4], 1)
    far.write(frame[4:] + b"\x59", 2)
    assert values == [Range(2, "gate", 10_000)]
    device = live.devices["gate"]
    assert device.counters() == {"frames": 1, "skipped_bytes": 8}
    device.advance(2 + 1_000_000_000)
    assert values[-1] == DeviceHealth(1_000_000_002, "gate", False, "no frame")


def test_schema_and_wiring_sheet_know_it(installed: Path) -> None:
    assert "TfminiKeys" in json_schema()["$defs"]
    found = {row.terminal: row for row in rows(parse_board(BOARD + blocks("toml")[1], "gate.toml"))}
    assert (found["TXD"].goes_to, found["TXD"].colour) == ("RX of uart3", "green")


def test_without_the_package_the_part_is_unknown(folder: Path) -> None:
    with pytest.raises(InputError, match=r"\$\.devices\.gate\.part: unknown part `tfmini`; known: ld2451"):
        parse_board(BOARD + blocks("toml")[1], "gate.toml")


@pytest.mark.parametrize(
    ("code", "entry", "said"),
    [
        ("raise ValueError('half a file')", "tfmini = leeze_tfmini:PART", "cannot be loaded: ValueError"),
        ("PART = 5", "tfmini = leeze_tfmini:PART", "is no boards.parts.part.Part of that name"),
    ],
)
def test_a_package_that_does_not_work_is_named_with_the_reason(folder: Path, code: str, entry: str, said: str) -> None:
    install(folder, code, entry)
    with pytest.raises(InputError, match=said):
        parse_board(BOARD + blocks("toml")[1], "gate.toml")
