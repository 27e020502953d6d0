"""Procedures on their way: by name and arguments, so that a snapshot can hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from drivers.buses.dali_addressing import commission, terminate
from drivers.buses.dali_procedures import (
    Pause,
    Procedure,
    ProcedureFailed,
    Progress,
    Result,
    configure_gear,
    identify,
    query_actual_level,
    query_status,
)
from drivers.codecs.dali import Command


def read_energy(short_address: int) -> Procedure:
    """See `drivers.buses.dali_d4i`, which is imported when it is used."""
    from drivers.buses import dali_d4i

    return dali_d4i.read_energy(short_address)


def read_diagnostics(short_address: int) -> Procedure:
    """See `drivers.buses.dali_d4i`, which is imported when it is used."""
    from drivers.buses import dali_d4i

    return dali_d4i.read_diagnostics(short_address)


PROCEDURES: Final[Mapping[str, Callable[..., Procedure]]] = {
    "query_actual_level": query_actual_level,
    "query_status": query_status,
    "configure_gear": configure_gear,
    "identify": identify,
    "read_energy": read_energy,
    "read_diagnostics": read_diagnostics,
    "commission": commission,
    "terminate": terminate,
}
"""By name, so that a snapshot can say which one was under way."""

FAREWELLS: Final[Mapping[str, str]] = {"commission": "terminate"}
"""What is done after a procedure that had begun and could not be carried out to its end."""


class Job:
    """A procedure on its way: by name and arguments, so that it can be rebuilt from the answers it has had.

    `owner` hears its end. Smaller `priority` goes first. `command` is what it wants sent next (or the pause it wants);
    `garbles` counts answers in which two gear spoke at once; `failure` is why it has ended without a result.
    `progress` is the last it said.
    """

    __slots__ = (
        "_answers",
        "_steps",
        "args",
        "command",
        "deadline_ns",
        "failure",
        "garbles",
        "name",
        "owner",
        "priority",
        "progress",
        "result",
    )

    def __init__(self, name: str, args: tuple[int, ...], priority: int, deadline_ns: int, owner: str) -> None:
        self.name, self.args, self.priority, self.deadline_ns, self.owner = name, args, priority, deadline_ns, owner
        self.garbles = 0
        self.result: Result = None
        self.failure = ""
        self.progress: Progress | None = None
        self.start()

    def start(self) -> None:
        """Begin, or begin again."""
        self._answers: list[int | None] = []
        self._steps = PROCEDURES[self.name](*self.args)
        self.command: Command | Pause = self._wish(None)

    def _wish(self, answer: int | None) -> Command | Pause:
        """What it wants next, past the progress it tells."""
        wish = self._steps.send(answer)
        while isinstance(wish, Progress):
            self.progress = wish
            wish = self._steps.send(None)
        return wish

    def step(self, answer: int | None) -> bool:
        """Go on with what was answered; True when this was the end: `result` holds what came of it, or `failure`."""
        self._answers.append(answer)
        try:
            self.command = self._wish(answer)
        except StopIteration as end:
            self.result = end.value
            return True
        except ProcedureFailed as failed:
            self.failure = str(failed)
            return True
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
