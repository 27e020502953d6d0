"""What the doctor says of a computer, read below a root folder that each test makes itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from boards.cli import main
from boards.doctor.checkup import Ailment, checkup
from boards.doctor.machine import Machine
from boards.load import load_board, parse_board
from boards.udev import rules

HEAD = """
format = 1
name = "test-board"
title = "A board for tests"
model = "raspberry-pi-4"
product = "lighting"
period_ms = 20
"""
RADAR = HEAD + (
    '[wires.radar-1]\nkind = "uart"\nuart = "uart0"\nbaud = 115200\n'
    '[devices.radar-1]\npart = "ld2451"\nwire = "radar-1"\n'
)
USB = HEAD + (
    '[wires.radar-1]\nkind = "uart"\nusb = { serial = "FT4XYZ12" }\nbaud = 115200\n'
    '[devices.radar-1]\npart = "ld2451"\nwire = "radar-1"\n'
)
PI_4 = "Raspberry Pi 4 Model B Rev 1.4"


class Computer:
    """A root folder with just enough of a Raspberry Pi in it, in good order for the board RADAR."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("proc/device-tree/model", PI_4 + "\0")
        self.write("boot/firmware/config.txt", "[pi5]\nnonsense=1\n[all]\nenable_uart=1\ndtoverlay=disable-bt\n")
        self.write("boot/firmware/cmdline.txt", "console=tty1 root=PARTUUID=1 rootwait")
        self.write("etc/group", "dialout:x:20:installer\ni2c:x:998:\n")
        self.write("dev/ttyAMA0", "")

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def ailments(self, board: str = RADAR, user: str = "installer") -> list[Ailment]:
        return checkup(parse_board(board, "my.toml"), Machine(self.root, user))

    def only(self, board: str = RADAR, user: str = "installer") -> Ailment:
        (found,) = self.ailments(board, user)
        return found


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    return Computer(tmp_path)


def test_a_computer_in_good_order_is_fit(computer: Computer) -> None:
    assert computer.ailments() == []


def test_another_model_is_named_with_what_follows_from_it(computer: Computer) -> None:
    computer.write("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
    found = computer.only()
    assert found.place == "$.model"
    assert "this is a Raspberry Pi 5 Model B Rev 1.0: its UARTs are on other pins" in found.what


def test_the_serial_console_on_the_wire_is_found_with_the_line_that_removes_it(computer: Computer) -> None:
    computer.write("boot/firmware/cmdline.txt", "console=serial0,115200 console=tty1")
    found = computer.only()
    assert "Linux still talks on this wire (console=serial0,115200" in found.what
    assert found.line == "sudo sed -i 's/console=serial0,115200 \\?//' /boot/firmware/cmdline.txt && sudo reboot"


def test_a_login_prompt_on_the_wire_is_found(computer: Computer) -> None:
    computer.write("etc/systemd/system/getty.target.wants/serial-getty@ttyAMA0.service", "")
    assert computer.only().line == "sudo systemctl disable --now serial-getty@ttyAMA0.service"


def test_each_missing_overlay_is_a_line_to_append(computer: Computer) -> None:
    computer.write("boot/firmware/config.txt", "[pi5]\ndtoverlay=disable-bt\n[all]\nenable_uart=1 # yes\n")
    found = computer.only()
    assert found.line == "echo 'dtoverlay=disable-bt' | sudo tee -a /boot/firmware/config.txt && sudo reboot"


def test_the_old_place_of_config_txt_is_found_as_well(computer: Computer) -> None:
    (computer.root / "boot/config.txt").write_text("")
    (computer.root / "boot/firmware/config.txt").unlink()
    assert [found.line.rpartition("-a ")[2] for found in computer.ailments()] == ["/boot/config.txt && sudo reboot"] * 2


def test_missing_groups_come_in_one_line(computer: Computer) -> None:
    found = computer.only(user="somebody")
    assert found.what == "user somebody is not in dialout and may not open it"
    assert found.line.startswith("sudo usermod -aG dialout somebody")


def test_an_adapter_without_its_name_gets_the_line_that_makes_the_rule(computer: Computer) -> None:
    found = computer.only(USB)
    assert found.what.startswith("no /dev/leeze/radar-1:")
    assert found.line.startswith("leeze-boards udev test-board | sudo tee /etc/udev/rules.d/60-leeze.rules && ")


def test_a_port_that_is_not_there_is_told_beside_those_that_are(computer: Computer) -> None:
    computer.write("dev/ttyUSB3", "")
    board = USB.replace('usb = { serial = "FT4XYZ12" }', 'port = "/dev/ttyUSB0"')
    assert computer.only(board).what == "no /dev/ttyUSB0; there are: /dev/ttyUSB3"


def test_the_latency_timer_of_an_ftdi_adapter_is_found_behind_its_name(computer: Computer) -> None:
    computer.write("dev/ttyUSB1", "")
    (computer.root / "dev/leeze").mkdir()
    (computer.root / "dev/leeze/radar-1").symlink_to("../ttyUSB1")
    computer.write("sys/bus/usb-serial/devices/ttyUSB1/latency_timer", "16\n")
    found = computer.only(USB)
    assert "holds bytes back for up to 16 ms" in found.what
    assert found.line.startswith("echo 1 | sudo tee /sys/bus/usb-serial/devices/ttyUSB1/latency_timer")
    computer.write("sys/bus/usb-serial/devices/ttyUSB1/latency_timer", "1\n")
    assert computer.ailments(USB) == []


def test_a_program_that_holds_the_port_is_named(computer: Computer) -> None:
    folder = computer.root / "proc/812"
    (folder / "fd").mkdir(parents=True)
    (folder / "fd/7").symlink_to("/dev/ttyAMA0")
    computer.write("proc/812/comm", "ModemManager\n")
    found = computer.only()
    assert found.what == "/dev/ttyAMA0 is in use by ModemManager (812)"
    assert found.line == "sudo systemctl disable --now ModemManager"


def test_a_weak_supply_is_found(computer: Computer) -> None:
    computer.write("sys/class/hwmon/hwmon2/name", "rpi_volt\n")
    computer.write("sys/class/hwmon/hwmon2/in0_lcrit_alarm", "1\n")
    assert "dropped below 4.63 V" in computer.only().what
    computer.write("sys/class/hwmon/hwmon2/in0_lcrit_alarm", "0\n")
    assert computer.ailments() == []


def test_a_computer_that_is_no_raspberry_is_told_so_and_no_more_of_what_only_one_has(tmp_path: Path) -> None:
    found = checkup(load_board("kanalpromenade-lamp"), Machine(tmp_path, "root"))
    assert [one.place for one in found if "lgpio" not in one.what] == ["$.model", "$.wires.neighbour"]


def test_the_verb_ends_with_3_and_says_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    if (Path("/proc/device-tree/model")).exists():
        pytest.skip("this is a board: what the doctor says depends on its order")
    assert main(["doctor", "kanalpromenade-lamp"]) == 3
    said = capsys.readouterr().out
    assert "the file is for a Raspberry Pi 4, this computer is none" in said
    assert said.splitlines()[-1].startswith("kanalpromenade-lamp: ")


def test_the_doctor_reads_this_very_computer_without_failing() -> None:
    machine = Machine()
    assert machine.user
    assert isinstance(machine.groups(), set)
    assert machine.holders("/dev/null") == [
        name for name in machine.holders("/dev/null") if str(os.getpid()) not in name
    ]


def test_udev_rules_name_adapters_by_number_and_by_socket() -> None:
    by_path = USB.replace('serial = "FT4XYZ12"', 'path = "1-1.3"')
    number, socket = rules(parse_board(USB, "a")), rules(parse_board(by_path, "b"))
    assert 'ENV{ID_SERIAL_SHORT}=="FT4XYZ12", SYMLINK+="leeze/radar-1"' in number
    assert 'KERNELS=="1-1.3", SYMLINK+="leeze/radar-1"' in socket
    assert 'ATTR{latency_timer}="1"' in number
    assert all(line.startswith("#") or "==" in line for line in number.splitlines())
