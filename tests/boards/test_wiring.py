"""The sheet an electrician wires from."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from boards.cli import main
from boards.load import catalog_names, load_board, parse_board
from boards.pins import PIN_OF_GPIO, UARTS
from boards.wiring import rows
from boards.wiring_page import wiring_page, wiring_svg

SVG = "{http://www.w3.org/2000/svg}"


def test_a_parts_tx_goes_to_the_controllers_rx_and_the_other_way_round() -> None:
    found = {(row.device, row.terminal): row for row in rows(load_board("kanalpromenade-lamp"))}
    uart = UARTS["raspberry-pi-4"]["uart3"]
    tx, rx = found["radar-1", "TX"], found["radar-1", "RX"]
    assert (tx.goes_to, tx.pin) == ("RX of uart3", PIN_OF_GPIO[uart.rx_gpio])
    assert (rx.goes_to, rx.pin) == ("TX of uart3", PIN_OF_GPIO[uart.tx_gpio])


def test_a_usb_adapter_takes_no_pin_of_the_header() -> None:
    text = (Path(__file__).parents[2] / "boards/catalog/kanalpromenade-lamp.toml").read_text()
    board = parse_board(text.replace('uart = "uart3"', 'usb = { serial = "FT1" }'), "x.toml")
    radar = [row for row in rows(board) if row.device == "radar-1" and row.terminal in ("TX", "RX")]
    assert [row.pin for row in radar] == [None, None]
    assert radar[0].goes_to == "RX of the adapter at /dev/leeze/radar-1"


@pytest.mark.parametrize("name", catalog_names())
def test_every_board_of_the_catalog_has_a_sheet_of_sound_xml_the_same_each_time(name: str) -> None:
    board = load_board(name)
    drawing = wiring_svg(board)
    assert drawing == wiring_svg(board)
    root = ET.fromstring(drawing)
    lines = list(root.iter(f"{SVG}path"))
    assert len(lines) == sum(row.pin is not None for row in rows(board))
    texts = " ".join("".join(text.itertext()) for text in root.iter(f"{SVG}text"))
    for device in board.devices:
        assert device in texts or re.search(r"… \S+ \(\d+\)", texts), f"{device} is not on the sheet"


def test_the_page_holds_drawing_table_and_config_and_loads_nothing() -> None:
    page = wiring_page(load_board("kanalpromenade-lamp"))
    assert "<svg" in page
    assert "dtoverlay=uart3" in page
    assert page.count("<tr>") == len(rows(load_board("kanalpromenade-lamp"))) + 1
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_the_verb_writes_a_page_a_drawing_text_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for ending, head in ((".html", "<!doctype html>"), (".svg", "<svg")):
        path = tmp_path / f"sheet{ending}"
        assert main(["wiring", "kanalpromenade-lamp", "-o", str(path)]) == 0
        assert path.read_text().startswith(head)
    capsys.readouterr()
    assert main(["wiring", "kanalpromenade-lamp"]) == 0
    assert re.search(r"TX +-> RX of uart3 \(pin 29, GPIO5\)", capsys.readouterr().out)
    assert main(["wiring", "kanalpromenade-lamp", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["device"].startswith("lamp-1")
    assert main(["wiring", "kanalpromenade-lamp", "-o", str(tmp_path / "sheet.pdf")]) == 2
    assert "name it so" in capsys.readouterr().err
