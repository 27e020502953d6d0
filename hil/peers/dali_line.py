"""The two wires of a DALI bus and the gear on them: which gear hears a frame, what it answers, what lost power does.

Not from a document, declared here: bus power gone for 500 ms sends gear to its failure level without a fade, and it
stays there until told otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from drivers.codecs import dali
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.dali_gear import DaliGear, OutputObserver

TE_NS: Final = NS_PER_S // 2_400
FORWARD_NS: Final = 38 * NS_PER_S // 2_400
"""Start bit, 16 bits, stop bits."""

ANSWERED_NS: Final = (7 + 22) * NS_PER_S // 2_400
"""From the end of a forward frame to the end of its answer."""

UNANSWERED_NS: Final = 22 * NS_PER_S // 2_400
SETTLE_NS: Final = 13_500_000
TWICE_WITHIN_NS: Final = 100 * NS_PER_MS
FAILURE_AFTER_NS: Final = 500 * NS_PER_MS
NEW: Final = 64
"""Numbers of gear from here on are those of factory-new gear, without a short address."""

_KEEP_WRITABLE: Final = frozenset(
    {dali.DTR0, dali.DTR1, dali.DTR2, dali.WRITE_MEMORY_LOCATION, dali.WRITE_MEMORY_LOCATION_NO_REPLY}
)
_QUERY_DTR: Final = frozenset({dali.QUERY_CONTENT_DTR0, dali.QUERY_CONTENT_DTR1, dali.QUERY_CONTENT_DTR2})


class DaliLine:
    """A bus with gear, by number: a short address 0 to 63, or NEW and above for factory-new gear.

    Args:
        numbers: of the gear.
        observer: told of every new segment of a lamp's output, by the gear's number.
        level: what the lamps show at the beginning.
        fade_code: fade time of all gear, see `drivers.codecs.dali.FADE_TIME_NS`.
    """

    def __init__(self, numbers: Sequence[int], observer: OutputObserver, *, level: int, fade_code: int) -> None:
        self.gear = {number: DaliGear(number, observer, level=level, fade_code=fade_code) for number in numbers}
        self.powered = True
        self.failure_ns = FOREVER_NS
        self.last_config = (-1, 0)  # (frame, end_ns) of the first of two
        self._by_address: dict[int, list[DaliGear]] = {}
        self._writable = False
        self._learn()

    def join(self, groups: Mapping[int, frozenset[int]]) -> None:
        """Gear as it is after commissioning: members by group, by their numbers; no write is counted."""
        for number, gear in self.gear.items():
            gear.groups = 0
            for group, members in groups.items():
                gear.groups |= (number in members) << group

    def _learn(self) -> None:
        """Which gear has which short address."""
        self._by_address = {}
        for gear in self.gear.values():
            if gear.short_address is not None:
                self._by_address.setdefault(gear.short_address, []).append(gear)

    @property
    def wake_ns(self) -> int:
        """When something happens without a frame: power has been away too long, a fade to off ends."""
        wake_ns = self.failure_ns
        for gear in self.gear.values():
            if gear.off_ns < wake_ns:
                wake_ns = gear.off_ns
        return wake_ns

    def run(self, due_ns: int) -> None:
        """Do what is due at exactly this time."""
        for gear in self.gear.values():
            if gear.off_ns == due_ns:
                gear.go_dark()
        if self.failure_ns == due_ns:
            self.failure_ns = FOREVER_NS
            for gear in self.gear.values():
                gear.bus_failed(due_ns)

    def set_power(self, on: bool, now_ns: int) -> None:
        """Bus power off: no frame reaches gear; after 500 ms each goes to its failure level and stays there."""
        if on != self.powered:
            self.powered = on
            self.failure_ns = FOREVER_NS if on else now_ns + FAILURE_AFTER_NS

    def forward(self, frame: int, end_ns: int) -> list[int]:
        """A forward frame of 16 bits has passed; what the gear answers."""
        if not self.powered:
            return []
        if self._writable:
            self._end_writing(frame)
        if not dali.is_addressed(frame):
            return self._special(frame, end_ns)
        target, code = frame >> 8 & 0xFE, frame & 0xFF
        if target < 0x80:
            heard = [gear for gear in self._by_address.get(target >> 1, ()) if not gear.dead]
        else:
            heard = [gear for gear in self.gear.values() if gear.hears(target) and not gear.dead]
        if not frame & 0x100:
            for gear in heard:
                gear.set_target(code, end_ns, fade=True)
        elif dali.is_sent_twice(frame):
            if self._is_second(frame, end_ns):
                for gear in heard:
                    gear.obey(code, end_ns)
                self._writable = self._writable or code == dali.ENABLE_WRITE_MEMORY
                if code == dali.SET_SHORT_ADDRESS:
                    self._learn()
            return []
        else:
            self.last_config = (-1, 0)
            return [answer for gear in heard if (answer := gear.obey(code, end_ns)) is not None]
        self.last_config = (-1, 0)
        return []

    def _is_second(self, frame: int, end_ns: int) -> bool:
        """Whether this is the second of two; the first is remembered."""
        first, first_ns = self.last_config
        second = first == frame and end_ns - first_ns <= TWICE_WITHIN_NS
        self.last_config = (-1, 0) if second else (frame, end_ns)
        return second

    def _special(self, frame: int, end_ns: int) -> list[int]:
        address_byte, data = frame >> 8, frame & 0xFF
        if dali.is_sent_twice(frame):
            if not self._is_second(frame, end_ns):
                return []
        else:
            self.last_config = (-1, 0)
        answers = []
        for gear in self.gear.values():
            if not gear.dead and (answer := gear.special(address_byte, data, end_ns)) is not None:
                answers.append(answer)
        if address_byte == dali.PROGRAM_SHORT_ADDRESS:
            self._learn()
        return answers

    def _end_writing(self, frame: int) -> None:
        """Any frame but writes, registers and questions about registers ends the permission to write."""
        asks = dali.is_addressed(frame) and frame & 0x100 and frame & 0xFF in _QUERY_DTR
        if not asks and frame >> 8 not in _KEEP_WRITABLE:
            self._writable = False
            for gear in self.gear.values():
                gear.end_writing()

    # --- state

    def snapshot(self) -> list[Any]:
        """State of the gear."""
        return [[number, gear.snapshot()] for number, gear in self.gear.items()]

    def restore(self, state: list[Any]) -> None:
        """Take over a snapshot of a line with the same gear."""
        for number, gear in state:
            self.gear[number].restore(gear)
        self._writable = any(gear.writable for gear in self.gear.values())
        self._learn()
