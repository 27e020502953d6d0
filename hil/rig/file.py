"""A rig file: what stands on this bench. TOML, format 1; `leeze-hil rig example` prints one, docs/hil.md explains it.

Channels of a case or trace are called ``board/wire``; here each gets the port of this bench that leads there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from drivers.errors import InputError
from drivers.settings import load_toml

Words = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
Micros = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]

PLACES = ("port", "broker", "panel", "lines")


class RigWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One wire of a board: exactly one of `port`, `broker`, `panel` and `lines` says where it ends on this bench.

    `port` is a serial device or a pyserial URL (``"/dev/serial/by-id/…"``, ``"rfc2217://10.0.0.4:2217"``,
    ``"socket://10.0.0.4:7001"``), with `baud` and `parity` as the part at our end has them (`baud` 0: as the part).
    `broker` is HOST:PORT with `topic`, `ca_file`, `user` and `password_file`. `panel` is a unix socket where the panel
    link of the board connects, `lines` one where our pin factory does.

    `latency_us` is what the adapter takes from one end to the other, each way, and `uncertainty_us` by how much that
    varies. With `loop_when_off` the wire is looped back while the board has no power (a relay's resting contact): then
    both are measured before each run, and must be no worse than stated.
    """

    port: str = ""
    baud: Annotated[int, msgspec.Meta(ge=0, le=4_000_000)] = 0
    parity: Literal["N", "E", "O"] = "N"
    broker: str = ""
    topic: str = ""
    ca_file: str | None = None
    user: str | None = None
    password_file: str | None = None
    panel: str = ""
    lines: str = ""
    latency_us: Micros = 0
    uncertainty_us: Micros = 0
    loop_when_off: bool = False

    def __post_init__(self) -> None:
        said = [place for place in PLACES if getattr(self, place)]
        if len(said) != 1:
            raise ValueError(f"needs exactly one of {', '.join(PLACES)}; it has {' and '.join(said) or 'none'}")
        if self.broker and not self.topic:
            raise ValueError("a broker needs the `topic` that the board hears")

    @property
    def place(self) -> str:
        """Where it ends, for people: ``"/dev/ttyUSB0"``."""
        return self.port or self.broker or self.panel or self.lines


class Power(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Commands that switch a board's supply; each ends with 0 where it has worked."""

    on: Words
    off: Words


class RigBoard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One board: `console` is where it waits for the time (its ``--bench-time``), HOST:PORT or a socket's path.

    `serial` is its serial number; another board in its place blocks. Without `power` the board is expected to wait for
    the time by itself. `features` are for tests that need something, e.g. ``["radar", "dali"]``.
    """

    console: str
    wires: dict[str, RigWire]
    serial: str = ""
    power: Power | None = None
    features: tuple[str, ...] = ()


class Rig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rig file. `slack_ms`: how far times may be off beside a case's own tolerance and one scan period.

    `boot_s`: how long a board may take from power to waiting for the time. `heard_ms`: how soon a board must have heard
    what is said on a wire.
    """

    format: Literal[1]
    name: str
    boards: dict[str, RigBoard]
    slack_ms: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    boot_s: Annotated[int, msgspec.Meta(ge=1, le=600)] = 60
    heard_ms: Annotated[int, msgspec.Meta(ge=10, le=10_000)] = 500

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for board, said in self.boards.items():
            for wire, one in said.wires.items():
                at = one.place + (f" {one.topic}" if one.topic else "")
                other = seen.setdefault(at, f"{board}/{wire}")
                if other != f"{board}/{wire}":
                    raise ValueError(f"{board}/{wire} and {other} have the same port, {at}")

    @property
    def features(self) -> frozenset[str]:
        """Of all its boards."""
        return frozenset(feature for board in self.boards.values() for feature in board.features)


def load_rig(path: Path) -> Rig:
    """Read and check a rig file. Raises InputError with file, place and mend."""
    rig = load_toml(path, Rig)
    if not rig.boards:
        raise InputError(f"{path}: $.boards: a rig without boards; `leeze-hil rig example` prints one")
    return rig


EXAMPLE = """\
# A bench with the two controllers of the reference site. Every wire of a board has its port here.
format = 1
name = "bench-2"
slack_ms = 100

[boards.west]
serial = "10000000abcdef01"
# The board runs: leeze-controllers run --site kanalpromenade-reference --controller west --board bench.toml
#                 --bench-time 0.0.0.0:7400      (bench.toml is its board file with `bench = true`)
console = "192.168.7.11:7400"
features = ["radar", "dali"]
power = { on = ["usbrelay", "RELAY_1=1"], off = ["usbrelay", "RELAY_1=0"] }

[boards.west.wires]
dali = { port = "/dev/serial/by-id/usb-FTDI_A1-if00-port0", latency_us = 1200, loop_when_off = true }
radar-1 = { port = "/dev/serial/by-id/usb-FTDI_A2-if00-port0", latency_us = 1200, uncertainty_us = 600 }
radar-2 = { port = "/dev/serial/by-id/usb-FTDI_A3-if00-port0", latency_us = 1200, uncertainty_us = 600 }
radar-3 = { port = "rfc2217://192.168.7.20:2217", latency_us = 2500, uncertainty_us = 1500 }
neighbour = { port = "socket://192.168.7.20:7001", latency_us = 800, uncertainty_us = 400 }

[boards.east]
console = "192.168.7.12:7400"
power = { on = ["usbrelay", "RELAY_2=1"], off = ["usbrelay", "RELAY_2=0"] }

[boards.east.wires]
dali = { port = "/dev/serial/by-id/usb-FTDI_B1-if00-port0" }
radar-1 = { port = "/dev/serial/by-id/usb-FTDI_B2-if00-port0" }
radar-2 = { port = "/dev/serial/by-id/usb-FTDI_B3-if00-port0" }
radar-3 = { port = "/dev/serial/by-id/usb-FTDI_B4-if00-port0" }
neighbour = { port = "/dev/serial/by-id/usb-FTDI_B5-if00-port0" }
"""
