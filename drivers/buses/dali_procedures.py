"""Procedures on a DALI bus, written as generators: they yield commands and are sent what the gear answered.

An answer is a byte, or None where no gear answered. What a procedure returns is its result (JSON-able). The bus starts
a procedure again from its first command when the wire failed in the middle of it, so each begins with queries and
writes only what differs: writing the same value again would wear the gear's memory for nothing.

Example, without any bus::

    procedure = query_actual_level(5)
    next(procedure)          # Command(frame=0x0BA0, answers=True)
    procedure.send(254)      # StopIteration, its value is 254
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

import msgspec

from drivers.codecs import dali
from drivers.codecs.dali import Command

Result = int | dict[str, int] | None
Procedure = Generator[Command, int | None, Result]


def query_actual_level(short_address: int) -> Procedure:
    """Arc power level 0 to 254 of one gear; None: no answer, or the gear does not know (MASK)."""
    level = yield dali.command(dali.short(short_address), dali.QUERY_ACTUAL_LEVEL)
    return None if level == dali.MASK else level


def query_status(short_address: int) -> Procedure:
    """Status byte of one gear (bit 1 lamp failure, 2 lamp on, 4 fade running); None: no answer."""
    return (yield dali.command(dali.short(short_address), dali.QUERY_STATUS))


def configure_gear(short_address: int, failure_level: int, fade_code: int) -> Procedure:
    """Make one gear go to `failure_level` when bus power is lost, and fade with `fade_code` (see FADE_TIME_NS).

    Returns what the gear says in the end and how many settings were written, e.g.
    ``{"failure_level": 254, "fade_code": 4, "written": 1}``; None when the gear does not answer.
    """
    target = dali.short(short_address)
    wanted = (
        (dali.QUERY_SYSTEM_FAILURE_LEVEL, 0, failure_level, dali.SET_SYSTEM_FAILURE_LEVEL),
        (dali.QUERY_FADE_TIME_FADE_RATE, 4, fade_code, dali.SET_FADE_TIME),
    )
    written = 0
    found = []
    for query, shift, value, setting in wanted:
        answer = yield dali.command(target, query)
        if answer is None:
            return None
        if answer >> shift != value:
            yield dali.special(dali.DTR0, value, holds_bus=True)
            yield dali.command(target, setting)
            written += 1
            answer = yield dali.command(target, query)
            if answer is None:
                return None
        found.append(answer >> shift)
    return {"failure_level": found[0], "fade_code": found[1], "written": written}


PROCEDURES: Final[Mapping[str, Callable[..., Procedure]]] = {
    "query_actual_level": query_actual_level,
    "query_status": query_status,
    "configure_gear": configure_gear,
}
"""By name, so that a snapshot can say which one was under way."""


class Done(msgspec.Struct, frozen=True):
    """A procedure has ended at `t_ns`. `ok` false: it could not be carried out, `reason` says why, `result` is None."""

    t_ns: int
    procedure: str
    args: tuple[int, ...]
    ok: bool
    result: Result
    reason: str = ""


class Job:
    """A procedure on its way: by name and arguments, so that it can be rebuilt from the answers it has had.

    `owner` hears its end. Smaller `priority` goes first. `command` is what it wants sent next; `garbles` counts answers
    in which two gear spoke at once.
    """

    __slots__ = (
        "_answers",
        "_steps",
        "args",
        "command",
        "deadline_ns",
        "garbles",
        "name",
        "owner",
        "priority",
        "result",
    )

    def __init__(self, name: str, args: tuple[int, ...], priority: int, deadline_ns: int, owner: str) -> None:
        self.name, self.args, self.priority, self.deadline_ns, self.owner = name, args, priority, deadline_ns, owner
        self.garbles = 0
        self.result: Result = None
        self.start()

    def start(self) -> None:
        """Begin, or begin again."""
        self._answers: list[int | None] = []
        self._steps = PROCEDURES[self.name](*self.args)
        self.command = next(self._steps)

    def step(self, answer: int | None) -> bool:
        """Go on with what was answered; True when this was the end and `result` holds what came of it."""
        try:
            self.command = self._steps.send(answer)
        except StopIteration as end:
            self.result = end.value
            return True
        self._answers.append(answer)
        return False

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "name": self.name,
            "args": list(self.args),
            "priority": self.priority,
            "deadline_ns": self.deadline_ns,
            "owner": self.owner,
            "garbles": self.garbles,
            "answers": list(self._answers),
        }

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Job:
        """A job from its snapshot: a fresh procedure, given the same answers."""
        job = cls(state["name"], tuple(state["args"]), state["priority"], state["deadline_ns"], state["owner"])
        job.garbles = state["garbles"]
        for answer in state["answers"]:
            job.step(answer)
        return job
