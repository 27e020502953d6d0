"""``leeze-drivers probe`` and ``send`` with Modbus slaves behind a pseudo-terminal, in real time."""

from __future__ import annotations

import pytest

from drivers.cli import main
from drivers.units import FOREVER_NS
from hil.benches.pty_wire import PtyWire
from hil.peers.modbus_models import Ao8Model, ModbusModel, Urm14Model
from hil.peers.modbus_slaves import Fault, FaultKind, ModbusSlaves


def wire(model: ModbusModel, baud: int, fault: FaultKind | None = None) -> PtyWire:
    made = PtyWire("modbus", baud)
    faults = {} if fault is None else {0: (Fault(fault, 0, FOREVER_NS),)}
    made.peer = ModbusSlaves("modbus", made.far, [model], baud=baud, faults=faults)
    return made


def said(capsys: pytest.CaptureFixture[str], behind: PtyWire, *argv: str) -> tuple[int, str]:
    with behind:
        code = main([*argv, "--port", behind.path])
    return code, capsys.readouterr().out


def test_a_urm14_that_answers_is_good_and_says_its_distance(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys, wire(Urm14Model(), 19_200), "probe", "urm14")
    assert code == 0
    assert "(19200 8N1): good" in text or "(19200 8N1): noisy" in text  # a busy machine may miss a deadline
    assert "says   1235 mm" in text


def test_a_urm14_that_does_not_answer_is_told_with_what_to_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys, wire(Urm14Model(), 19_200, "dead"), "probe", "urm14", "--seconds", "1")
    assert code == 1
    assert ": no-answer" in text
    assert "are A and B swapped?" in text


def test_a_level_is_sent_to_a_lamp_and_what_passed_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    model = Ao8Model()
    code, text = said(
        capsys, wire(model, 9_600), "send", "waveshare-ao8", "level", "254", "--set", "variant=B", "--yes"
    )
    assert code == 0
    assert "out  01 06 00 00 27 10 93 f6" in text  # Waveshare's own frame for 10 V
    assert model.holding[0] == 10_000
