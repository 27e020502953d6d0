"""Lamps whose part has no fade of its own: the controller makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from boards.parts.part import Assembly
from drivers.units import NS_PER_MS

if TYPE_CHECKING:
    from drivers.devices.fading_lamp import Found

OffBelow = Annotated[int, msgspec.Meta(ge=0, le=254, description="arc power levels below it are off; 0: none")]

MODBUS_STEP_NS: Final = 100 * NS_PER_MS
"""A write and its reply take 20 ms at 9600 baud: eight lamps fade at once in steps twice as long."""

I2C_STEP_NS: Final = 40 * NS_PER_MS
PWM_STEP_NS: Final = 20 * NS_PER_MS


def add_lamp(board: Assembly, lamp: Found, step_ns: int, off_below: int) -> None:
    """Put a lamp into the board, with its fade."""
    from drivers.devices.fading_lamp import FadingLamp

    fading = FadingLamp(lamp, step_ns=step_ns, off_below=off_below)
    board.devices[fading.name] = fading
    board.lamps[lamp.name] = fading
