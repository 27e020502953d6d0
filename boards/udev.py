"""udev rules that give USB adapters names that stay, and FTDI adapters a short latency timer."""

from __future__ import annotations

from boards.schema import BoardDescription
from boards.wires import UartWire

HEAD = """\
# Names that stay for the USB adapters of board {name}. Put this into /etc/udev/rules.d/60-leeze.rules, then:
#   sudo udevadm control --reload && sudo udevadm trigger
"""

FTDI = """\
# FTDI adapters hand bytes over within 1 ms, not 16:
ACTION=="add", SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio", ATTR{latency_timer}="1"
"""


def rules(board: BoardDescription) -> str:
    """The rules as text; for a board without named adapters only the latency timer's.

    ``SYMLINK+="leeze/radar-1"`` makes /dev/leeze/radar-1. ModemManager is told to keep off: it greets every new serial
    port with modem commands.
    """
    lines = [HEAD.format(name=board.name)]
    for name, wire in sorted(board.wires.items()):
        if not isinstance(wire, UartWire) or wire.usb is None:
            continue
        if wire.usb.serial is not None:
            match = f'ENV{{ID_SERIAL_SHORT}}=="{wire.usb.serial}"'
        else:
            match = f'KERNELS=="{wire.usb.path}"'
        lines.append(
            f'SUBSYSTEM=="tty", {match}, SYMLINK+="leeze/{name}", GROUP="dialout", MODE="0660", '
            'ENV{ID_MM_DEVICE_IGNORE}="1"\n'
        )
    return "".join([*lines, FTDI])
