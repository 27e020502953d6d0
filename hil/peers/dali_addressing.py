"""Random addressing as one DALI gear sees it (IEC 62386-102:2014, 9.14): initialise state, random and search address.

The gear listens for 15 minutes after INITIALISE. Its draws are chance without a generator (`hil.traffic.chance`): they
belong to its number, so a run can be repeated; `draws` can be laid ready by hand.
"""

from __future__ import annotations

from typing import Any, Final

from drivers.codecs import dali
from drivers.units import NS_PER_S
from hil.traffic.chance import draw

INITIALISED_NS: Final = 15 * 60 * NS_PER_S
RANDOM_MAX: Final = 0xFF_FFFF
YES: Final = 0xFF

_SEARCH_SHIFT: Final = {dali.SEARCHADDRH: 16, dali.SEARCHADDRM: 8, dali.SEARCHADDRL: 0}


class Addressing:
    """What a gear knows of its addresses. `short_address` is None for factory-new gear."""

    def __init__(self, number: int, short_address: int | None) -> None:
        self._number = number
        self.short_address = short_address
        self.random = self.search = RANDOM_MAX
        self.draws: list[int] = []
        self.drawn = 0
        self._until_ns = 0
        self._withdrawn = False

    def initialised(self, t_ns: int) -> bool:
        """Whether it listens to addressing commands now."""
        return t_ns < self._until_ns

    def obey(self, address_byte: int, data: int, t_ns: int) -> int | None:
        """A special command, complete (the second of two); its answer, None for none."""
        if address_byte == dali.INITIALISE:
            meant = data == 0 or data == (0xFF if self.short_address is None else self.short_address << 1 | 1)
            if meant:
                self._until_ns, self._withdrawn = t_ns + INITIALISED_NS, False
        elif address_byte == dali.TERMINATE:
            self._until_ns, self._withdrawn = 0, False
        elif self.initialised(t_ns):
            return self._obey(address_byte, data)
        return None

    def _obey(self, address_byte: int, data: int) -> int | None:
        found = self.random == self.search
        if address_byte in _SEARCH_SHIFT:
            shift = _SEARCH_SHIFT[address_byte]
            self.search = self.search & ~(0xFF << shift) | data << shift
        elif address_byte == dali.RANDOMISE:
            self.drawn += 1
            self.random = self.draws.pop(0) if self.draws else draw(self._number, self.drawn) % RANDOM_MAX
        elif address_byte == dali.COMPARE:
            return YES if not self._withdrawn and self.random <= self.search else None
        elif address_byte == dali.WITHDRAW:
            self._withdrawn = self._withdrawn or found
        elif address_byte == dali.PROGRAM_SHORT_ADDRESS and found:
            self.program(data)
        elif address_byte == dali.VERIFY_SHORT_ADDRESS:
            return YES if self.short_address is not None and data == self.short_address << 1 | 1 else None
        elif address_byte == dali.QUERY_SHORT_ADDRESS and found:
            return dali.MASK if self.short_address is None else self.short_address << 1 | 1
        return None

    def program(self, data: int) -> None:
        """Take a short address as its byte, 0AAAAAA1; 0xFF takes it away."""
        if data == 0xFF:
            self.short_address = None
        elif data & 0x81 == 1:
            self.short_address = data >> 1

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {name: getattr(self, name) for name in STATE} | {"draws": list(self.draws)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        for name in STATE:
            setattr(self, name, state[name])
        self.draws = list(state["draws"])


STATE: Final = ("short_address", "random", "search", "drawn", "_until_ns", "_withdrawn")
