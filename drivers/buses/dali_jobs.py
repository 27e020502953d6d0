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
    check_gear,
    identify,
    query_actual_level,
    query_status,
)
from drivers.buses.dali_settings import configure_gear, read_settings
from drivers.codecs.dali import Command
from drivers.units import FOREVER_NS


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
    "check_gear": check_gear,
    "read_settings": read_settings,
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


MAX_JOBS: Final = 256


class JobQueue:
    """The procedure that is under way (`running`, or None), and those that wait, in their order."""

    def __init__(self) -> None:
        self.running: Job | None = None
        self._waiting: list[Job] = []

    def __bool__(self) -> bool:
        return self.running is not None or bool(self._waiting)

    def put(self, job: Job) -> bool:
        """Smaller priority first, equal ones in the order they came; False: full (256)."""
        waiting = self._waiting
        if len(waiting) >= MAX_JOBS:
            return False
        at = len(waiting)
        while at and waiting[at - 1].priority > job.priority:
            at -= 1
        waiting.insert(at, job)
        return True

    def put_first(self, job: Job) -> None:
        """Before all others, full or not."""
        self._waiting.insert(0, job)

    def begin(self) -> Job:
        """The first that waits is under way now."""
        self.running = self._waiting.pop(0)
        return self.running

    def take_of(self, owner: str) -> list[Job]:
        """Those of one owner, the running one first; they wait no more."""
        theirs = [job for job in self._waiting if job.owner == owner]
        self._waiting = [job for job in self._waiting if job.owner != owner]
        running = self.running
        return [running, *theirs] if running is not None and running.owner == owner else theirs

    def take_overdue(self, now_ns: int, in_flight: bool) -> list[Job]:
        """Those past their deadlines; a frame of the running one that is `in_flight` is waited for."""
        overdue = [job for job in self._waiting if now_ns >= job.deadline_ns]
        if overdue:
            self._waiting = [job for job in self._waiting if now_ns < job.deadline_ns]
        if self.running is not None and not in_flight and now_ns >= self.running.deadline_ns:
            overdue.append(self.running)
        return overdue

    def deadline_ns(self, in_flight: bool) -> int:
        """When `take_overdue` has something to take; FOREVER_NS for never."""
        first_ns = FOREVER_NS if self.running is None or in_flight else self.running.deadline_ns
        for job in self._waiting:
            first_ns = min(first_ns, job.deadline_ns)
        return first_ns

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "running": None if self.running is None else self.running.snapshot(),
            "jobs": [job.snapshot() for job in self._waiting],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.running = None if state["running"] is None else Job.restored(state["running"])
        self._waiting = [Job.restored(job) for job in state["jobs"]]
