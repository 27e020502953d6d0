"""Memory banks of a DALI gear: read by location, writable in one place, latched so that values belong together.

Locations as in IEC 62386-102:2014, 9.10 (bank 0), DiiA 251 (1), 252 (202 to 204), 253 (205 to 207), the way python-dali
0.16 has them. Of all locations only the lock byte (2) is written: 0xAA there latches a bank that can be latched, and
reads then give what it held at that moment, until 0xFF is written.
"""

from __future__ import annotations

from typing import Any, Final

LOCK: Final = 2
LATCH: Final = 0xAA
LATCHES: Final = range(202, 208)

# Last location of each bank that a D4i gear has.
LAST: Final = {0: 0x1A, 1: 0x77, 202: 0x0F, 203: 0x0F, 204: 0x0F, 205: 0x1C, 206: 0x20, 207: 0x07}


class MemoryBanks:
    """The banks of one gear; none until one is filled.

    `writable`: ENABLE WRITE MEMORY has come, and nothing since that ends it.
    """

    def __init__(self) -> None:
        self.writable = False
        self._banks: dict[int, list[int]] = {}
        self._latched: dict[int, list[int]] = {}

    def fill(self, bank: int, start: int, content: bytes) -> None:
        """Put bytes into a bank, which has it from then on; a new bank is 0 but for what all have."""
        held = self._banks.setdefault(bank, [LAST[bank], 0, 0xFF, 1] + [0] * (LAST[bank] - 3))
        held[start : start + len(content)] = content

    def has(self, bank: int) -> bool:
        """Whether the gear has this bank."""
        return bank in self._banks

    def read(self, bank: int, location: int) -> int | None:
        """What is there; None where nothing is."""
        held = self._latched.get(bank) or self._banks.get(bank)
        return held[location] if held is not None and location < len(held) and location != 1 else None

    def write(self, bank: int, location: int, value: int) -> int | None:
        """Write, and answer with the value; None where that may not be."""
        held = self._banks.get(bank)
        if held is None or not self.writable or location != LOCK or bank == 0:
            return None
        held[LOCK] = value
        if bank in LATCHES:
            if value == LATCH:
                self._latched[bank] = list(held)
            else:
                self._latched.pop(bank, None)
        return value

    @property
    def latched(self) -> list[int]:
        """Banks that are latched now."""
        return sorted(self._latched)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "writable": self.writable,
            "banks": [[bank, bytes(held).hex()] for bank, held in self._banks.items()],
            "latched": [[bank, bytes(held).hex()] for bank, held in self._latched.items()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.writable = state["writable"]
        self._banks = {bank: list(bytes.fromhex(held)) for bank, held in state["banks"]}
        self._latched = {bank: list(bytes.fromhex(held)) for bank, held in state["latched"]}


def fill_d4i(memory: MemoryBanks, *, serial: int = 1, energy_mwh: int = 1_234_567, power_mw: int = 41_300) -> None:
    """Make it the memory of a D4i gear on 230 V, in its second day, lamp on, all well.

    Energy in bank 202 as in the worked example: scale FD (thousandths of Wh), 000000 12D687.
    """
    memory.fill(0, LOCK, bytes((207,)) + bytes.fromhex("011f71f76bb1") + b"\x01\x00" + serial.to_bytes(8, "big"))
    memory.fill(0, 0x13, bytes.fromhex("0201 08 08 ff 00 01 00"))
    memory.fill(1, 3, bytes.fromhex("011f71f76bb2"))
    memory.fill(202, 4, b"\xfd" + energy_mwh.to_bytes(6, "big") + b"\xfd" + power_mw.to_bytes(4, "big"))
    memory.fill(203, 4, b"\xfd" + energy_mwh.to_bytes(6, "big") + b"\xfd" + power_mw.to_bytes(4, "big"))
    memory.fill(204, 4, b"\xfd" + energy_mwh.to_bytes(6, "big") + b"\xfd" + power_mw.to_bytes(4, "big"))
    gear = (90_000).to_bytes(4, "big") + (12).to_bytes(3, "big") + (2_301).to_bytes(2, "big") + bytes((50, 97))
    memory.fill(205, 4, gear + bytes(12) + bytes((60 + 31, 80)))
    lamp = (7).to_bytes(3, "big") + (33).to_bytes(3, "big") + (80_000).to_bytes(4, "big") + (85_000).to_bytes(4, "big")
    memory.fill(206, 4, lamp + (485).to_bytes(2, "big") + (700).to_bytes(2, "big") + bytes(10) + b"\xff")
    memory.fill(207, 4, bytes((50, 255, 255, 255)))
