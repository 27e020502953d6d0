"""What the bench tools know of a part: how its bytes are read, how it is tried on a desk, what it can be told.

One module a family in this folder lists its parts as ``PARTS``; `drivers.parts` gathers them. Drivers are imported when
a part is used, not when it is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from drivers.errors import InputError
from drivers.interfaces import ByteLink, Device, Emit

Decoded = tuple[list[dict[str, object]], int]
"""JSON-able events in the order of the wire, and how many bytes were skipped."""


class Options(msgspec.Struct, frozen=True):
    """What was said on the command line beside the port: ``Options(address=0x0C)``. None: the part's usual one.

    `baud` and `parity` are those of the port, for a part whose times on the line follow from them; 0: it has none.
    """

    address: int | None = None
    more: Mapping[str, str] = {}
    baud: int = 0
    parity: str = "N"

    def whole(self, usual: Mapping[str, int], *words: str) -> dict[str, int]:
        """The settings that were said as whole numbers, the usual ones beside them; `words` may be said as well.

        Raises InputError for any other setting, and for what is no whole number.
        """
        known = (*words, *usual)
        found = dict(usual)
        for key, said in self.more.items():
            if key not in known:
                raise InputError(f"--set {key}: no such setting; there are {', '.join(known) or 'none'}")
            if key in usual:
                if not said.isdecimal():
                    raise InputError(f"--set {key}={said}: a whole number, e.g. {key}={usual[key]}")
                found[key] = int(said)
        return found


class Argument(msgspec.Struct, frozen=True):
    """A whole number that an order takes: ``Argument("level", 0, 254)``."""

    name: str
    low: int
    high: int
    meaning: str = ""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Something a part can be told by name: ``leeze-drivers send atxled level 254``.

    `risk` is empty, or what could happen ("lights a lamp"): then the tool asks first. `perform` gets the live device,
    the numbers, each inside its argument's limits, and the time; it must not wait.
    """

    name: str
    about: str
    arguments: tuple[Argument, ...] = ()
    risk: str = ""
    perform: Callable[[Any, tuple[int, ...], int], None]


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """How a part is tried by itself, on one port.

    `wire` is the kind of port: ``uart`` (device file or URL), ``i2c`` (``/dev/i2c-1``), ``gpio``, ``pwm``. `bauds` are
    the bit rates it can be set to, the usual one first: they are tried when bytes come and no frames. `address` is
    the usual address of a part that has one. `device` makes what a board would make of it, with the default settings;
    `patience_s` is how long the slowest healthy part takes to say its first word. `raw_risk`: what any bytes could do.
    """

    wire: Literal["uart", "i2c", "gpio", "pwm"] = "uart"
    bauds: tuple[int, ...] = ()
    parity: str = "N"
    address: int | None = None
    device: Callable[[str, ByteLink, Emit, Options], Device]
    patience_s: float = 3.0
    orders: tuple[Order, ...] = ()
    raw_risk: str = ""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part or feed by its printed name, e.g. ``PARTS["ld2451"].decode(data)``.

    `vendor`, `recording`, `hardware` say what each was verified against; empty where it was not. `decode` takes a whole
    recording, bytes as they came, and never raises; None where the part has no byte stream of its own. It
    `takes_anything` where it finds a meaning in any bytes at all, and so cannot tell whose they are.
    """

    name: str
    title: str
    wire: str
    vendor: str = ""
    recording: str = ""
    hardware: str = ""
    decode: Callable[[bytes], Decoded] | None = None
    takes_anything: bool = False
    bench: Bench | None = None
