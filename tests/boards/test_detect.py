"""What `leeze-boards detect` makes of ports with and without a part behind them."""

from __future__ import annotations

from pathlib import Path

import pytest

from boards.doctor.detect import Detected, listen, serial_ports
from drivers.clock import SystemClock
from hil.benches.pty_wire import PtyWire
from talking_radar import Radar


def heard(baud: int, *, peer: bool = True, babble: bool = False) -> Detected:
    wire = PtyWire("x", baud, babble=babble)
    if peer:
        wire.peer = Radar(wire.far, period_ms=50)
    with wire:
        return listen(wire.path, SystemClock(), seconds=0.4, bauds=(115_200, 9_600))


@pytest.mark.parametrize("baud", [115_200, 9_600])
def test_a_radar_is_recognised_at_its_bit_rate_with_the_lines_for_a_board_file(baud: int) -> None:
    found = heard(baud)
    assert (found.part, found.baud) == ("ld2451", baud)
    assert f"baud = {baud}" in found.lines
    assert 'part = "ld2451"' in found.lines


def test_a_silent_port_and_one_with_rubbish_are_told_apart() -> None:
    assert heard(115_200, peer=False).text.startswith("nothing comes")
    rubbish = heard(115_200, peer=False, babble=True)
    assert rubbish.part == ""
    assert "bytes that no known part sends" in rubbish.text
    assert rubbish.lines == ""


def test_a_port_that_does_not_open_is_told_with_the_reason() -> None:
    assert "no such port" in listen("/dev/ttyUSB98", SystemClock(), seconds=0.05).text


def test_ports_are_listed_by_the_name_that_stays(tmp_path: Path) -> None:
    for name in ("ttyUSB0", "ttyUSB1", "ttyAMA0", "tty7"):
        (tmp_path / name).touch()
    (tmp_path / "serial/by-id").mkdir(parents=True)
    (tmp_path / "serial/by-id/usb-FTDI_1").symlink_to(tmp_path / "ttyUSB1")
    ports = [Path(port).name for port in serial_ports(tmp_path)]
    assert ports == ["ttyUSB0", "usb-FTDI_1", "ttyAMA0"]
