"""What Modbus slaves hold: registers and coils, and what three parts do with theirs.

A model takes a request without address and CRC (``03 00 05 00 01``) and gives its reply likewise. Floats of the meter
are given as their two registers, so that nothing is computed twice with the same mistake: 231.4 V is (0x4367, 0x6666).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from drivers.units import NS_PER_MS

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3


class ModbusModel:
    """A slave with registers. Parts override `may_write` and `before`.

    Args:
        address: 1 to 247.
        holding, inputs: registers by number; one that is not there is an illegal address.
        coils: likewise, 0 or 1; read by function 1 and 2, written by 5 and 15.
        functions: that it knows; None for all.
    """

    def __init__(
        self,
        address: int,
        *,
        holding: dict[int, int] | None = None,
        inputs: dict[int, int] | None = None,
        coils: dict[int, int] | None = None,
        functions: Iterable[int] | None = None,
    ) -> None:
        self.address = address
        self.holding, self.inputs, self.coils = dict(holding or {}), dict(inputs or {}), dict(coils or {})
        self._functions = frozenset(functions or (1, 2, 3, 4, 5, 6, 15, 16))

    def before(self, t_ns: int) -> None:
        """A request has ended at `t_ns`: bring the registers up to date."""

    def may_write(self, register: int, value: int, t_ns: int) -> int:
        """Exception code for a register that shall hold `value`, 0 to let it."""
        return 0

    def answer(self, request: bytes, t_ns: int) -> bytes:
        """Reply to a request."""
        self.before(t_ns)
        function = request[0]
        start, word = request[1] << 8 | request[2], request[3] << 8 | request[4]
        if function not in self._functions:
            return self._refuse(function, ILLEGAL_FUNCTION)
        if function <= 4:
            table = {3: self.holding, 4: self.inputs}.get(function, self.coils)
            return self._read(function, table, start, word)
        if function in (5, 15):
            return self._switch(request, start, word)
        wanted = [word]
        if function == 16:
            wanted = [request[at] << 8 | request[at + 1] for at in range(6, len(request), 2)]
            if len(wanted) != word or request[5] != 2 * word:
                return self._refuse(function, ILLEGAL_VALUE)
        for number, value in enumerate(wanted, start):
            if number not in self.holding:
                return self._refuse(function, ILLEGAL_ADDRESS)
            if code := self.may_write(number, value, t_ns):
                return self._refuse(function, code)
        for number, value in enumerate(wanted, start):
            self.holding[number] = value
        self.written(start, len(wanted), t_ns)
        return request[:5]

    def written(self, start: int, count: int, t_ns: int) -> None:
        """Registers were written."""

    def _read(self, function: int, table: dict[int, int], start: int, count: int) -> bytes:
        most = 125 if function >= 3 else 2000
        if not 1 <= count <= most:
            return self._refuse(function, ILLEGAL_VALUE)
        numbers = range(start, start + count)
        if any(number not in table for number in numbers):
            return self._refuse(function, ILLEGAL_ADDRESS)
        if function >= 3:
            data = b"".join(bytes((table[number] >> 8, table[number] & 0xFF)) for number in numbers)
        else:
            packed = bytearray((count + 7) // 8)
            for place, number in enumerate(numbers):
                packed[place // 8] |= table[number] << place % 8
            data = bytes(packed)
        return bytes((function, len(data))) + data

    def _switch(self, request: bytes, start: int, word: int) -> bytes:
        function = request[0]
        wanted = [word >> 15]
        if function == 5 and word not in (0, 0xFF00):
            return self._refuse(function, ILLEGAL_VALUE)
        if function == 15:
            wanted = [request[6 + place // 8] >> place % 8 & 1 for place in range(word)]
        for number, value in enumerate(wanted, start):
            if number not in self.coils:
                return self._refuse(function, ILLEGAL_ADDRESS)
            self.coils[number] = value
        return request[:5]

    @staticmethod
    def _refuse(function: int, code: int) -> bytes:
        return bytes((function | 0x80, code))

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        tables = {name: [[*pair] for pair in getattr(self, name).items()] for name in _TABLES}
        return {"address": self.address, **tables}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.address = state["address"]
        for name in _TABLES:
            setattr(self, name, dict(state[name]))


_TABLES: Final = ("holding", "inputs", "coils")


class Urm14Model(ModbusModel):
    """A URM14 before something `distance` tenths of a millimetre away (None: nothing in range).

    Triggered, it has measured `MEASURE_NS` later, and says what it said before until then. Address and bit rate take
    effect at `power_cycle`, which also sets control and external temperature to how it was delivered.
    """

    MEASURE_NS: Final = 50 * NS_PER_MS
    """The vendor's example waits 65 ms, others 50."""

    def __init__(self, address: int = 0x0C, distance: int | None = 12_345, *, part_id: int = 2) -> None:
        fresh = {0: part_id, 1: 0x0010, 2: address, 3: 5, 4: 1, 5: 0xFFFF, 6: 215, 7: 0, 8: 4, 9: 12}
        super().__init__(address, holding=fresh, functions=(3, 6))
        self.distance = distance
        self.measurements = 0
        self._ready_ns = -1

    def before(self, t_ns: int) -> None:
        """A measurement that has ended shows in register 05."""
        if not self.holding[8] & 4 or (0 <= self._ready_ns <= t_ns):
            self._ready_ns = -1
            self.holding[5] = 0xFFFF if self.distance is None else self.distance
            self.holding[8] &= ~8

    def may_write(self, register: int, value: int, t_ns: int) -> int:
        """Addresses are 1 to 247; what it measures is not to be written."""
        if register == 2 and not 1 <= value <= 247:
            return ILLEGAL_VALUE
        return 0 if register in (2, 3, 4, 7, 8) else ILLEGAL_ADDRESS

    def written(self, start: int, count: int, t_ns: int) -> None:
        """Bit 3 of control begins a measurement."""
        if start == 8 and self.holding[8] & 8:
            self.measurements += 1
            self._ready_ns = t_ns + self.MEASURE_NS

    def power_cycle(self) -> None:
        """Off and on again."""
        self.address = self.holding[2]
        self.holding |= {5: 0xFFFF, 7: 0, 8: 4}
        self._ready_ns = -1

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        mine = {"distance": self.distance, "measurements": self.measurements, "ready_ns": self._ready_ns}
        return {**super().snapshot(), **mine}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self.distance, self.measurements, self._ready_ns = state["distance"], state["measurements"], state["ready_ns"]


class Sdm120Model(ModbusModel):
    """An SDM120. `show` sets what it measures; `setting` tells that its button was held and it shows -SET-."""

    def __init__(self, address: int = 1) -> None:
        # Address 1.0 and code 0.0 (2400 baud); input registers up to 004F answer, those between the values with 0.
        holding = {0x12: 0, 0x13: 0, 0x14: 0, 0x15: 0, 0x1C: 0, 0x1D: 0}
        super().__init__(address, holding=holding, inputs=dict.fromkeys(range(0x50), 0), functions=(3, 4, 16))
        self.holding[0x14], self.holding[0x15] = _float_of(address)
        self.setting = False

    def show(self, register: int, words: tuple[int, int]) -> None:
        """Input register `register` and the next: ``show(0, (0x4367, 0x6666))`` is 231.4 V."""
        self.inputs[register], self.inputs[register + 1] = words

    def may_write(self, register: int, value: int, t_ns: int) -> int:
        """Only while it shows -SET-."""
        return 0 if self.setting else ILLEGAL_VALUE

    def power_cycle(self) -> None:
        """Off and on again: a new address takes effect."""
        words = (self.holding[0x14], self.holding[0x15])
        self.address = next((number for number in range(1, 248) if _float_of(number) == words), self.address)
        self.setting = False


class Ao8Model(ModbusModel):
    """Waveshare's analog output (B): registers 0 to 7 in mV. `power_cycle` takes all to 0."""

    def __init__(self, address: int = 1) -> None:
        super().__init__(address, holding=dict.fromkeys(range(8), 0), functions=(3, 6, 16))

    def may_write(self, register: int, value: int, t_ns: int) -> int:
        """0 to 10 V."""
        return ILLEGAL_VALUE if value > 10_000 else 0

    def power_cycle(self) -> None:
        """Off and on again."""
        self.holding = dict.fromkeys(range(8), 0)


def _float_of(number: int) -> tuple[int, int]:
    """A whole number 1 to 247 as float32, in two registers."""
    exponent = number.bit_length() - 1
    bits = (127 + exponent) << 23 | (number - (1 << exponent)) << 23 - exponent
    return bits >> 16, bits & 0xFFFF
