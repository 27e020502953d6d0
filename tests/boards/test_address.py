"""``leeze-boards address``: factory-new parts on pseudo-terminals get the addresses of the board file."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from boards.cli import main
from hil.benches.pty_wire import PtyWire
from hil.peers.dali_gateway import DaliGateway
from hil.peers.dali_line import NEW
from hil.peers.modbus_models import Sdm120Model, Urm14Model
from hil.peers.modbus_slaves import ModbusSlaves

HEAD = 'format = 1\nname = "new"\ntitle = "new parts"\nmodel = "laptop"\nproduct = "parking"\nperiod_ms = 20\n'


def bays(wire: PtyWire, folder: Path) -> str:
    """A board with three sensors on one bus, at 16, 17 and 18."""
    text = HEAD + f'[wires.bays]\nkind = "uart"\nport = "{wire.path}"\nbaud = 19200\n'
    for n in (1, 2, 3):
        text += f'[devices.bay-{n}]\npart = "urm14"\nwire = "bays"\naddress = {15 + n}\n'
    path = folder / "bays.toml"
    path.write_text(text)
    return str(path)


def sensors(*models: Urm14Model | Sdm120Model) -> tuple[PtyWire, ModbusSlaves]:
    wire = PtyWire("bays", 19_200)
    peer = ModbusSlaves("bays", wire.far, models, baud=19_200)
    wire.peer = peer
    return wire, peer


def test_a_new_sensor_gets_the_address_of_the_file_beside_one_that_has_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = Urm14Model(16), Urm14Model()
    wire, _ = sensors(old, new)
    with wire:
        assert main(["address", bays(wire, tmp_path), "bay-2", "--yes"]) == 0
    assert new.holding[2] == 17
    assert old.holding[2] == 16
    assert "bay-2 has address 17; switch its supply off and on for it to take effect" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ((Urm14Model(17), Urm14Model()), "bay-2: somebody answers at address 17 already; choose another"),
        ((Urm14Model(16),), "bay-2: address 12: "),
        ((Urm14Model(part_id=5),), "bay-2: address 12 is another part: id 5, wanted 2"),
    ],
)
def test_an_address_in_use_nobody_new_and_another_part_are_refused_and_nothing_is_written(
    models: tuple[Urm14Model, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [model.holding[2] for model in models]
    wire, _ = sensors(*models)
    with wire:
        assert main(["address", bays(wire, tmp_path), "bay-2", "--yes"]) == 1
    assert said in capsys.readouterr().out
    assert [model.holding[2] for model in models] == before


def test_nobody_is_asked_without_yes_where_nobody_can_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, peer = sensors(Urm14Model())
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with wire:
        assert main(["address", bays(wire, tmp_path), "bay-2"]) == 2
    assert "bay-2 must be the only new part on wire bays" in capsys.readouterr().err
    assert peer.requests == 0


def test_new_gear_of_a_dali_line_gets_the_addresses_of_the_lamps_and_old_gear_keeps_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wire = PtyWire("dali", 19_200)
    gateway = DaliGateway("dali", wire.far, [1, NEW, NEW + 1], lambda *segment: None)
    wire.peer = gateway
    text = HEAD.replace("parking", "lighting")
    text += f'[wires.dali]\nkind = "uart"\nport = "{wire.path}"\nbaud = 19200\n'
    for n in (0, 1, 2):
        text += f'[devices.lamp-{n}]\npart = "atxled"\nwire = "dali"\nshort_address = {n}\n'
    path = tmp_path / "lamps.toml"
    path.write_text(text)
    with wire:
        assert main(["address", str(path), "dali", "--yes", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["details"]["kept"] == [1]
    assert sorted(pair[0] for pair in found["details"]["assigned"]) == [0, 2]
    assert sorted(gear.short_address for gear in gateway.line.gear.values()) == [0, 1, 2]


def test_a_wire_that_carries_no_dali_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wire, _ = sensors(Urm14Model())
    with wire:
        assert main(["address", bays(wire, tmp_path), "bays", "--yes"]) == 2
    assert (
        "wire bays carries no DALI; Modbus parts get their addresses one at a time, by name" in capsys.readouterr().err
    )
