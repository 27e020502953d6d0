"""Procedures on a Modbus bus under way: generators that yield transactions and pauses, and are sent the answers.

What a procedure returns is its result (JSON-able); `Failed` ends it with a reason. A job knows its procedure by name
and arguments and keeps the answers it has had, so that a snapshot can rebuild it. Procedures themselves are in
`drivers.buses.modbus_procedures`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import msgspec

from drivers.codecs.modbus_rtu import Answer, Transaction


class Pause(msgspec.Struct, frozen=True, gc=False):
    """Go on no sooner than this; others use the bus meanwhile. ``Pause(65_000_000)``: a URM14 measures."""

    duration_ns: int


class Failed(Exception):  # noqa: N818 - errors are facts
    """A procedure gives up; its text is the reason."""


Result = list[int] | dict[str, int] | None
Procedure = Generator[Transaction | Pause, Answer, Result]
Lookup = Callable[[str], Callable[..., Procedure]]


class Done(msgspec.Struct, frozen=True):
    """A procedure has ended at `t_ns`, or a register set by `ModbusBus.set_register` was written (or not).

    `ok` false: it could not be carried out, `reason` says why. `refused`: because the device answered with an
    exception. `verdict`: because it answered well, but not as such a part does. `heard`: bytes came at all.
    """

    t_ns: int
    procedure: str
    args: tuple[int, ...]
    ok: bool
    result: Result = None
    reason: str = ""
    refused: bool = False
    verdict: bool = False
    heard: bool = True


def ask(asked: Transaction, tries: int = 1) -> Generator[Transaction, Answer, tuple[int, ...]]:
    """For procedures: the values of a transaction, tried up to `tries` times. An exception is not tried again.

    Raises Failed: no answer, or an exception.
    """
    while True:
        answer = yield asked
        tries -= 1
        if answer.values is not None:
            return answer.values
        if answer.exception or tries <= 0:
            raise Failed(answer.reason)


class Job:
    """A procedure on its way. `owner` hears its end. Smaller `priority` goes first among the jobs of one device.

    `wants` is the transaction it wants sent next, no sooner than `not_before_ns`; `last` is the last answer it
    had; `failed`: it gave up by itself.
    """

    __slots__ = (
        "_answers",
        "_started_ns",
        "_steps",
        "args",
        "deadline_ns",
        "failed",
        "last",
        "name",
        "not_before_ns",
        "owner",
        "priority",
        "reason",
        "result",
        "wants",
    )

    def __init__(
        self, lookup: Lookup, name: str, args: tuple[int, ...], priority: int, deadline_ns: int, owner: str
    ) -> None:
        self.name, self.args, self.priority, self.deadline_ns, self.owner = name, args, priority, deadline_ns, owner
        self.result: Result = None
        self.reason = ""
        self.failed = False
        self.last = Answer((), heard=False)
        self.not_before_ns = 0
        self.wants: Transaction | None = None
        self._answers: list[tuple[Answer, int]] = []
        self._started_ns = 0
        self._steps = lookup(name)(*args)

    def start(self, now_ns: int) -> bool:
        """Begin; True when that was the end already."""
        self._started_ns = now_ns
        return self._go_on(None, now_ns)

    def step(self, answer: Answer, now_ns: int) -> bool:
        """Go on with what was answered; True when this was the end, and `result` or `reason` says what came of it."""
        self.last = answer
        self._answers.append((answer, now_ns))
        return self._go_on(answer, now_ns)

    def _go_on(self, answer: Answer | None, now_ns: int) -> bool:
        self.wants = None
        try:
            while True:
                step = next(self._steps) if answer is None else self._steps.send(answer)
                if isinstance(step, Transaction):
                    self.wants = step
                    return False
                self.not_before_ns = now_ns + step.duration_ns
                answer = Answer(())
        except StopIteration as end:
            self.result = end.value
        except Failed as failed:
            self.reason, self.failed = str(failed), True
        return True

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "name": self.name,
            "args": list(self.args),
            "priority": self.priority,
            "deadline_ns": self.deadline_ns,
            "owner": self.owner,
            "started_ns": self._started_ns,
            "answers": [
                [None if said.values is None else list(said.values), said.reason, said.exception, said.heard, t_ns]
                for said, t_ns in self._answers
            ],
        }

    @classmethod
    def restored(cls, lookup: Lookup, state: dict[str, Any]) -> Job:
        """A job from its snapshot: a fresh procedure, given the same answers at the same times."""
        job = cls(lookup, state["name"], tuple(state["args"]), state["priority"], state["deadline_ns"], state["owner"])
        job.start(state["started_ns"])
        for values, reason, exception, heard, t_ns in state["answers"]:
            job.step(Answer(None if values is None else tuple(values), reason, exception, heard), t_ns)
        return job
