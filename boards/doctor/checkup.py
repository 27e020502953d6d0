"""What the operating system of this computer has against a board file, each with the line to type."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import msgspec

from boards.doctor.machine import MODEL_WORDS, Machine
from boards.hardware import port_of
from boards.pinout import config_lines
from boards.pins import MODEL_TITLES
from boards.schema import BoardDescription
from boards.wires import GpioWire, I2cWire, MatrixWire, MqttWire, PwmWire, UartWire

LATENCY_MS = 1


class Ailment(msgspec.Struct, frozen=True):
    """Something to put right: where it shows, what it is, and the line to type (or what to do by hand)."""

    place: str
    what: str
    line: str


def checkup(board: BoardDescription, machine: Machine) -> list[Ailment]:
    """Everything that `machine` has against `board`; empty where it is fit. Reads files only, changes nothing."""
    found: list[Ailment] = []
    for check in (_model, _console, _overlays, _i2c, _groups, _ports, _adapters, _libraries, _power):
        found += check(board, machine)
    return found


def _model(board: BoardDescription, machine: Machine) -> Iterator[Ailment]:
    words = MODEL_WORDS.get(board.model)
    if words is None:
        return
    if not machine.is_raspberry:
        title = MODEL_TITLES[board.model]
        what = f"the file is for a {title}, this computer is none"
        yield Ailment("$.model", what, f"run this on the {title}, or use a board file for a laptop")
    elif not words.search(machine.model):
        what = f"the file is for a {MODEL_TITLES[board.model]}, this is a {machine.model}: its UARTs are on other pins"
        yield Ailment("$.model", what, "use the board file for this model (leeze-boards list), and wire by its pinout")


def _console(board: BoardDescription, machine: Machine) -> Iterator[Ailment]:
    """The login prompt of Linux on the pins that a wire wants."""
    for name, wire in board.wires.items():
        if not isinstance(wire, UartWire) or wire.uart not in ("uart0", "uart1") or not machine.is_raspberry:
            continue
        device = port_of(wire, name, board.model).rpartition("/")[2]
        words = machine.kernel_line().split()
        consoles = [word for word in words if word.startswith(("console=serial0", "console=" + device))]
        if consoles:
            yield Ailment(
                f"$.wires.{name}",
                f"Linux still talks on this wire ({consoles[0]} in cmdline.txt): the part hears it as commands",
                f"sudo sed -i 's/{consoles[0]} \\?//' /{machine.boot_folder}/cmdline.txt && sudo reboot",
            )
        unit = f"etc/systemd/system/getty.target.wants/serial-getty@{device}.service"
        if machine.there(unit):
            what = "a login prompt waits on this wire and takes half of its bytes"
            yield Ailment(f"$.wires.{name}", what, f"sudo systemctl disable --now serial-getty@{device}.service")


def _overlays(board: BoardDescription, machine: Machine) -> Iterator[Ailment]:
    if not machine.is_raspberry:
        return
    there = machine.config_lines()
    for line in config_lines(board):
        if line not in there:
            path = f"/{machine.boot_folder}/config.txt"
            what = f"{path} lacks {line}, so these pins stay plain inputs"
            yield Ailment("$.wires", what, f"echo '{line}' | sudo tee -a {path} && sudo reboot")


def _i2c(board: BoardDescription, machine: Machine) -> Iterator[Ailment]:
    for name, wire in board.wires.items():
        if isinstance(wire, I2cWire) and not machine.there(f"dev/i2c-{wire.bus}"):
            if machine.is_raspberry and wire.bus == 1:
                line = "sudo raspi-config nonint do_i2c 0 && sudo reboot"
            else:
                line = "sudo modprobe i2c-dev; echo i2c-dev | sudo tee /etc/modules-load.d/i2c.conf; ls /dev/i2c*"
            yield Ailment(f"$.wires.{name}", f"I2C is switched off: no /dev/i2c-{wire.bus}", line)


def _groups(board: BoardDescription, machine: Machine) -> Iterator[Ailment]:
    if machine.is_root():
        return
    wanted = {
        group: name
        for name, wire in board.wires.items()
        for kind, group in ((UartWire, "dialout"), (I2cWire, "i2c"), (GpioWire, "gpio"), (PwmWire, "gpio"))
        if isinstance(wire, kind) and not (isinstance(wire, UartWire) and "://" in (wire.port or ""))
    }
    mine = machine.groups()
    missing = [group for group in wanted if group not in mine]
    if missing:
        places = ", ".join(f"$.wires.{wanted[group]}" for group in missing)
        what = f"user {machine.user} is not in {' and '.join(missing)} and may not open it"
        yield Ailment(places, what, f"sudo usermod -aG {','.join(missing)} {machine.user}   (then log in again)")


def _ports(board: BoardDescription, machine: Machine) -> Iterator[Ailment]:
    for name, wire in board.wires.items():
        if not isinstance(wire, UartWire):
            continue
        port = port_of(wire, name, board.model)
        if "://" in port:
            continue
        place = f"$.wires.{name}"
        if not machine.there(port):
            if wire.usb is not None:
                rules = "/etc/udev/rules.d/60-leeze.rules"
                yield Ailment(
                    place,
                    f"no {port}: the rule that gives the adapter this name is missing, or the adapter is unplugged",
                    f"leeze-boards udev {board.name} | sudo tee {rules} && sudo udevadm control --reload && "
                    "sudo udevadm trigger",
                )
            elif wire.uart is None:
                there = [f"/dev/{path.name}" for path in machine.glob("dev/tty[UA][SC][BM]*")]
                yield Ailment(place, f"no {port}; there are: {', '.join(there) or 'none'}", "plug the adapter in")
            elif machine.is_raspberry:
                yield Ailment(place, f"no {port}: the UART is not on the header", "sudo reboot, after the lines above")
            continue
        for holder in machine.holders(port):
            mend = (
                "sudo systemctl disable --now ModemManager"
                if holder.startswith("ModemManager")
                else f"sudo systemctl stop {holder.split()[0]}   (or: leeze-boards monitor, which listens beside it)"
            )
            yield Ailment(place, f"{port} is in use by {holder}", mend)


def _adapters(board: BoardDescription, machine: Machine) -> Iterator[Ailment]:
    for name, wire in board.wires.items():
        if not isinstance(wire, UartWire) or wire.uart is not None:
            continue
        port = port_of(wire, name, board.model)
        latency_ms = machine.latency_timer_ms(port) if "://" not in port else None
        if latency_ms is not None and latency_ms > LATENCY_MS:
            device = machine.resolved(port).rpartition("/")[2]
            yield Ailment(
                f"$.wires.{name}",
                f"the FTDI adapter holds bytes back for up to {latency_ms} ms (latency timer)",
                f"echo {LATENCY_MS} | sudo tee /sys/bus/usb-serial/devices/{device}/latency_timer"
                "   (for good: leeze-boards udev)",
            )


_MODULES = {
    "lgpio": "pip install lgpio",
    "RPi": "pip install RPi.GPIO   (Raspberry Pi 5: rpi-lgpio)",
    "pigpio": "pip install pigpio",
    "rgbmatrix": "build hzeller's rpi-rgb-led-matrix with its Python binding",
    "adafruit_blinka_raspberry_pi5_piomatter": "pip install Adafruit-Blinka-Raspberry-Pi5-Piomatter",
    "RGBMatrixEmulator": "pip install RGBMatrixEmulator",
}


def _libraries(board: BoardDescription, machine: Machine) -> Iterator[Ailment]:
    for name, wire in board.wires.items():
        wanted: str | None = None
        if isinstance(wire, GpioWire):
            wanted = "RPi" if wire.driver == "rpi-gpio" or wire.factory == "rpigpio" else wire.factory
        elif isinstance(wire, MatrixWire):
            wanted = {
                "rgbmatrix": "rgbmatrix",
                "piomatter": "adafruit_blinka_raspberry_pi5_piomatter",
                "emulator": "RGBMatrixEmulator",
            }.get(wire.driver)
        if wanted in _MODULES and importlib.util.find_spec(wanted) is None:
            yield Ailment(f"$.wires.{name}", f"the library {wanted} is not installed here", _MODULES[wanted])
        if isinstance(wire, MqttWire):
            for key in ("ca_file", "cert_file", "key_file", "password_file"):
                path = getattr(wire, key)
                if path is not None and not machine.there(path):
                    yield Ailment(f"$.wires.{name}.{key}", f"no file {path}", f"ls -l {path}")


def _power(board: BoardDescription, machine: Machine) -> Iterator[Ailment]:
    for alarm in machine.glob("sys/class/hwmon/hwmon*/in0_lcrit_alarm"):
        folder = alarm.parent.relative_to(machine.root).as_posix()
        if machine.text(f"{folder}/name") == "rpi_volt" and machine.text(f"{folder}/in0_lcrit_alarm") == "1":
            what = "the supply has dropped below 4.63 V: parts on USB and 5 V fail at random"
            yield Ailment("power", what, "use the official supply and a short cable; then: vcgencmd get_throttled")
