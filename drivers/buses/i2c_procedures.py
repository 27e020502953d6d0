"""Procedures on an I2C bus, written as generators: they yield transfers and pauses, and are sent what came of them.

What a procedure yields:

- a `Request`: sent its `Reply`, always a good one; a failed transfer ends the procedure with the reason;
- `Ask(request)`: the same, but a failure is an answer too;
- `Pause(ns)`: goes on after that time. Others may use the bus in between, but for procedures of the same owner.

What it returns is its result (JSON-able). Arguments are whole numbers and strings, so that a snapshot holds them.

Example, without any bus::

    procedure = probe(0x76)
    next(procedure)                       # Ask(Request(0x76))
    procedure.send(Reply(0x76, NACK))     # StopIteration, its value is False
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

import msgspec

from drivers.transfers import NACK, OK, STATUS_TEXT, Reply, Request


class Ask(msgspec.Struct, frozen=True, gc=False):
    """A transfer whose failure is an answer."""

    request: Request


class Pause(msgspec.Struct, frozen=True, gc=False):
    """Wait so many nanoseconds: ``Pause(500_000)`` while an oscillator starts."""

    ns: int


Step = Request | Ask | Pause
Argument = int | str
Result = Any
"""JSON-able."""

Procedure = Generator[Step, Reply, Result]
Procedures = Mapping[str, Callable[..., Procedure]]

PAUSED: Final = Reply(0, OK)
"""What a procedure is sent after a pause."""

FIRST_ADDRESS: Final = 0x08
LAST_ADDRESS: Final = 0x77
"""Below and above, addresses are reserved (I2C specification UM10204, 3.1.12)."""

UNTOUCHED: Final = frozenset({0x69})
"""Not even read in a scan: clock generators that are written only may hold the bus when they are read (i2cdetect)."""


def probe(address: int) -> Procedure:
    """Whether somebody answers: True or False; on a bus that is stuck or broken its status in words."""
    reply = yield Ask(Request(address))
    return reply.status == OK if reply.status in (OK, NACK) else STATUS_TEXT[reply.status]


def scan(first: int = FIRST_ADDRESS, last: int = LAST_ADDRESS) -> Procedure:
    """Which addresses answer, and what each may be: ``[[0x40, "ina226"], [0x60, "mcp4725?"], [0x1D, ""]]``.

    A name with a question mark is only what usually has that address; "" is not even that. On a bus that is stuck or
    broken the result is its status in words.

    Only reads, so it is harmless. A quick write, the other way to ask, is not: to some memories it is the start of a
    write, and the next read then overwrites a byte (AT24RF08 at 0x54 to 0x57, found by the lm-sensors project in 2002).
    So the usual scanner never does it at 0x30 to 0x37 and 0x50 to 0x5F; this one never does it anywhere. What is lost
    by that: a part that does not answer a read stays unseen, and 0x69 is passed over (`UNTOUCHED`).

    Only where somebody answers at an address of a part with id registers are these read. That writes the register's
    number and nothing into it.
    """
    found: list[list[Argument]] = []
    for address in range(first, last + 1):
        if address in UNTOUCHED:
            continue
        reply = yield Ask(Request(address))
        if reply.status == NACK:
            continue
        if reply.status != OK:
            return STATUS_TEXT[reply.status]
        guess = USUAL.get(address, "")
        for name, addresses, registers in IDENTITIES:
            if address in addresses:
                told = True
                for register, expected in registers:
                    reply = yield Ask(Request(address, bytes((register,)), len(expected)))
                    told = told and reply.status == OK and reply.data == expected
                guess = name if told else guess
        found.append([address, guess])
    return found


IDENTITIES: Final = (
    ("bme280", range(0x76, 0x78), ((0xD0, b"\x60"),)),
    ("ina226", range(0x40, 0x50), ((0xFE, b"\x54\x49"), (0xFF, b"\x22\x60"))),
)
"""Part, its addresses, registers that tell it and what stands there."""

USUAL: Final[Mapping[int, str]] = {
    0x40: "pca9685?",
    **dict.fromkeys(range(0x58, 0x60), "gp8403?"),
    **dict.fromkeys(range(0x60, 0x68), "mcp4725?"),
    0x70: "pca9685?",
}
"""What usually has an address; 0x70 is every PCA9685's call to all."""


class Done(msgspec.Struct, frozen=True):
    """A procedure has ended at `t_ns`. `ok` false: it could not be carried out, `reason` says why, `result` is None."""

    t_ns: int
    procedure: str
    args: tuple[Argument, ...]
    ok: bool
    result: Result
    reason: str = ""


class Job:
    """A procedure on its way: by owner, name and arguments, so that it can be rebuilt from the replies it has had.

    Smaller `priority` goes first. `slot` names what it is about: a waiting job is replaced by a later one of the same
    owner and slot ("" never). `command` is what comes next, a pause until `ready_ns`; `tries` counts lost arbitrations.
    """

    __slots__ = (
        "_replies",
        "_steps",
        "args",
        "command",
        "deadline_ns",
        "name",
        "owner",
        "priority",
        "ready_ns",
        "result",
        "slot",
        "started",
        "tries",
    )

    def __init__(
        self,
        make: Callable[..., Procedure],
        owner: str,
        name: str,
        args: tuple[Argument, ...],
        priority: int,
        deadline_ns: int,
        slot: str,
    ) -> None:
        self.owner, self.name, self.args, self.slot = owner, name, args, slot
        self.priority, self.deadline_ns = priority, deadline_ns
        self.started = False
        self.tries = 0
        self.ready_ns = 0
        self.result: Result = None
        self._replies: list[Reply] = []
        self._steps = make(*args)
        self.command: Step = next(self._steps)

    @property
    def request(self) -> Request:
        """The transfer that is next; not during a pause."""
        command = self.command
        assert not isinstance(command, Pause)
        return command.request if isinstance(command, Ask) else command

    def step(self, reply: Reply, now_ns: int) -> bool:
        """Go on with what came; True when this was the end and `result` holds what came of it."""
        self.tries = 0
        try:
            self.command = self._steps.send(reply)
        except StopIteration as end:
            self.result = end.value
            return True
        self._replies.append(reply)
        if isinstance(self.command, Pause):
            self.ready_ns = now_ns + self.command.ns
        return False

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "owner": self.owner,
            "name": self.name,
            "args": list(self.args),
            "priority": self.priority,
            "deadline_ns": self.deadline_ns,
            "slot": self.slot,
            "started": self.started,
            "tries": self.tries,
            "ready_ns": self.ready_ns,
            "replies": [[reply.address, reply.status, reply.data.hex()] for reply in self._replies],
        }

    @classmethod
    def restored(cls, make: Callable[..., Procedure], state: dict[str, Any]) -> Job:
        """A job from its snapshot: a fresh procedure, given the same replies."""
        job = cls(
            make,
            state["owner"],
            state["name"],
            tuple(state["args"]),
            state["priority"],
            state["deadline_ns"],
            state["slot"],
        )
        for address, status, data in state["replies"]:
            job.step(Reply(address, status, bytes.fromhex(data)), 0)
        job.started, job.tries, job.ready_ns = state["started"], state["tries"], state["ready_ns"]
        return job
