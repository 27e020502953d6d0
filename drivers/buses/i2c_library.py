"""A library's blocking driver as a procedure on the bus, without a thread and without changing the library.

The driver is run until it asks its bus object for a transfer whose answer is not known yet. There it is left, the
transfer goes over the bus like any other, and the driver is run again from its beginning with all answers so far. So it
never blocks, every transfer it makes is recorded and replayed, lamp levels pass between its transfers, and a snapshot
needs the answers only. The price is that a call with n transfers is run n + 1 times: microseconds each.

What is run this way must depend on nothing but the answers, and change nothing that matters when it is run again.
"""

from __future__ import annotations

from collections.abc import Callable

from drivers.buses.i2c_procedures import Pause, Procedure, Result, Step
from drivers.transfers import Request


class Wanted(Exception):  # noqa: N818 - not an error: how a driver is left
    """The driver wants `step`, whose answer is not known yet."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step


class AnsweredRegisters:
    """The bus object handed to a library's driver: gives the answers there are, then raises `Wanted`.

    Has what Adafruit's drivers ask of a bus: `read_register` and `write_register_byte`. `seen` keeps the last answer of
    each register read.
    """

    def __init__(self, address: int) -> None:
        self.seen: dict[int, bytes] = {}
        self._address = address
        self._answers: list[bytes] = []
        self._at = 0

    def rewind(self, answers: list[bytes]) -> None:
        """Begin again, with these answers."""
        self.seen = {}
        self._answers, self._at = answers, 0

    def read_register(self, register: int, length: int) -> bytearray:
        """`length` bytes from `register` on."""
        self.seen[register] = self._answer(Request(self._address, bytes((register & 0xFF,)), length))
        return bytearray(self.seen[register])

    def write_register_byte(self, register: int, value: int) -> None:
        """One byte into `register`."""
        self._answer(Request(self._address, bytes((register & 0xFF, value & 0xFF))))

    def pause(self, ns: int) -> None:
        """In place of a sleep."""
        self._answer(Pause(ns))

    def _answer(self, step: Step) -> bytes:
        if self._at >= len(self._answers):
            raise Wanted(step)
        self._at += 1
        return self._answers[self._at - 1]


def run_library(registers: AnsweredRegisters, call: Callable[[list[bytes]], Result]) -> Procedure:
    """`call`, which uses `registers`, as a procedure. It gets the answers so far, and what it returns is the result."""
    answers: list[bytes] = []
    while True:
        registers.rewind(answers)
        try:
            return call(answers)
        except Wanted as wanted:
            step = wanted.step
        answers.append((yield step).data)
