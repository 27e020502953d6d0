"""ROHM BH1750FVI: how bright it is. I2C address 23, or 5C with ADDR high; one byte is an order, two bytes the answer.

::

    00   power down         01   power on       07   reset the result (only while on)
    10   measure on and on, 1 lx a step, 120 ms (180 at most)
    20   measure so once, then power down

The result is 16 bits, high byte first, 1.2 steps a lux at the usual measuring time: the paper's 83 90 is 28067 lx.
After power-on it is 0, and so it stays while the part is down: so each reading here orders its own measurement, and a
part that has lost its supply for a moment does not say "dark".

Source: ROHM BH1750FVI, 2011.11 Rev. D: instruction set, measurement result's example, electrical characteristics.
No recording.
"""

from __future__ import annotations

from typing import Any, Final

from drivers.transfers import Request

ADDRESSES: Final = range(0x23, 0x5D, 0x39)
"""0x23 and 0x5C."""

POWER_ON: Final = 0x01
ONCE: Final = 0x20
MEASURE_MS: Final = 180
"""At most."""

RESULT_BYTES: Final = 2
_ORDERS: Final = {0x00: "power down", POWER_ON: "power on", 0x07: "reset", 0x10: "measure on", ONCE: "measure once"}


def order(address: int, opcode: int) -> Request:
    """One order: ``order(0x23, ONCE).data == bytes((0x20,))``."""
    return Request(address, bytes((opcode,)))


def read_result(address: int) -> Request:
    """Asks for the result."""
    return Request(address, b"", RESULT_BYTES)


def illuminance_mlux(result: bytes) -> int:
    """``illuminance_mlux(bytes.fromhex("83 90")) == 28_066_667``. Raises ValueError: not two bytes."""
    if len(result) != RESULT_BYTES:
        raise ValueError(f"a result has {RESULT_BYTES} bytes, not {len(result)}")
    return (int.from_bytes(result, "big") * 10_000 + 6) // 12


def result_of(mlux: int) -> bytes:
    """The far end's side, within what it can say: ``result_of(28_066_667) == bytes.fromhex("83 90")``."""
    return min(max((mlux * 12 + 5_000) // 10_000, 0), 0xFFFF).to_bytes(RESULT_BYTES, "big")


def describe(written: bytes, said: bytes) -> dict[str, Any]:
    """What a transfer says: ``{"order": "measure once"}``, ``{"illuminance_mlux": 28066667}``."""
    if len(said) == RESULT_BYTES:
        return {"illuminance_mlux": illuminance_mlux(said)}
    return {"order": _ORDERS.get(written[0], f"{written[0]:#04x}")} if len(written) == 1 else {}
