"""Talking to a part while its stream keeps coming: ask, wait for the answer among everything else, ask again.

What is to be asked is a procedure, written as a generator: it yields `Ask` values and is sent the answer, or None where
none came. What it returns is its result; it raises `Failed` where it cannot reach its end. It waits for nothing itself
and knows no link. Example, without any wire::

    def read_version() -> Procedure:
        version = yield Ask(encode_command(0x00A0), version_in)
        if version is None:
            raise Failed("does not answer")
        return version

    procedure = read_version()
    next(procedure)              # Ask(data=b"\\xfd\\xfc...", ...)
    procedure.send("1.1.24")     # StopIteration, its value is "1.1.24"

A procedure that must leave the part in order says so with ``except Failed: yield ...; raise``, never with ``finally``:
one whose deadline has passed is dropped where it stands, and a generator must not yield then.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

import msgspec

from drivers.errors import LinkLost
from drivers.interfaces import ByteLink
from drivers.units import FOREVER_NS, NS_PER_MS

BUSY = "another conversation is under way"
LATE = "deadline passed"


class Failed(Exception):  # noqa: N818 - errors are facts
    """Raised by a procedure that cannot reach its end; the text is the `reason` of its `Finished`."""


class Ask(msgspec.Struct, frozen=True):
    """One thing to say, and what to listen for.

    `data` is what to write; empty: only listen, once. `want` is given every event of the codec: the answer, JSON-able
    and never None, or None for "not ours"; it must depend on nothing but the event. The answer has `timeout_ns` for
    each of `tries`. `line` is (baud, parity), set before the bytes leave on links that can (a UART). For `pause_ns`
    after the answer, or after the last try without one, nothing is written: a part that restarts needs it.
    Example: ``Ask(b"??\\r", board_name, timeout_ns=200_000_000)``.
    """

    data: bytes
    want: Callable[[Any], Any]
    timeout_ns: int = 200 * NS_PER_MS
    tries: int = 3
    line: tuple[int, str] | None = None
    pause_ns: int = 0


Procedure = Generator[Ask, Any, Any]


class Finished(msgspec.Struct, frozen=True):
    """A procedure has ended at `t_ns`. `ok` false: it has not reached its end, `reason` says why, `result` is None."""

    t_ns: int
    procedure: str
    args: tuple[Any, ...]
    ok: bool
    result: Any
    reason: str = ""


class _Job:
    """A procedure on its way: by name, arguments and the answers it has had, so that it can be built again."""

    __slots__ = ("_steps", "answers", "args", "ask", "before", "deadline_ns", "name", "reason", "result")

    def __init__(self, name: str, args: tuple[Any, ...], deadline_ns: int, steps: Procedure) -> None:
        self.name, self.args, self.deadline_ns = name, args, deadline_ns
        self.answers: list[Any] = []
        self.ask: Ask | None = None  # None: it has ended, with `result` or with a `reason` why not
        self.before: Ask | None = None  # the ask that was answered last
        self.result: Any = None
        self.reason = ""
        self._steps = steps
        self._go_on(lambda: next(steps))

    def step(self, answer: Any) -> None:
        """Go on with what was answered, None for nothing."""
        self.answers.append(answer)
        self.before = self.ask
        self._go_on(lambda: self._steps.send(answer))

    def _go_on(self, take: Callable[[], Ask]) -> None:
        try:
            self.ask = take()
        except StopIteration as end:
            self.ask, self.result = None, end.value
        except Failed as failure:
            self.ask, self.reason = None, str(failure) or "failed"


class Dialogue:
    """One conversation at a time with the part at the far end of a link.

    The device that owns the link feeds its codec and offers every event to `heard`; what is not the answer waited for
    is the device's own. Silence, refusals and a lost link all end in an answer of None after the last try. A late
    answer to an earlier try is as good as one to the last; the further ones it foretells are waited for and dropped, so
    that they are not taken for answers to what is asked next.

    Args:
        name: of the device, for errors.
        link: where asks are written. Its receiver stays the device's.
        procedures: by name, so that a snapshot can say which one is under way. Arguments and answers are JSON-able;
            take a list for what may have been a tuple.
        on_done: told how each ended. May start the next.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        procedures: Mapping[str, Callable[..., Procedure]],
        on_done: Callable[[Finished], None],
    ) -> None:
        self.name = name
        self.wake_ns = FOREVER_NS
        """When `advance` has something to do."""
        self.no_replies = self.link_losses = 0
        """Tries without an answer, and asks that could not be written. For people; no state."""
        self._link, self._procedures, self._on_done = link, procedures, on_done
        self._job: _Job | None = None
        self._flight = False  # an ask waits for its answer; else nothing is said before `_due_ns`
        self._due_ns = 0
        self._tries = 0  # of the ask in force
        self._first_ns = self._last_ns = 0  # when its first and its last try left
        self._owed = 0  # answers to tries of the ask before that may still come
        self._pause_ns = 0  # end of the quiet time that the ask before wanted
        self._going = False

    @property
    def busy(self) -> bool:
        """True while a procedure is under way."""
        return self._job is not None

    def start(self, name: str, args: tuple[Any, ...], now_ns: int, deadline_ns: int = FOREVER_NS) -> None:
        """Begin a procedure; its first ask leaves at once. `on_done` hears its end, by `deadline_ns` at the latest.

        While another is under way it ends at once, not ok, with the reason `BUSY`. Raises KeyError for a name that
        nobody knows.
        """
        steps = self._procedures[name](*args)
        if self._job is not None:
            self._on_done(Finished(now_ns, name, args, False, None, BUSY))
            return
        self._job = _Job(name, args, deadline_ns, steps)
        self._flight, self._tries, self._owed = False, 0, 0
        self._due_ns = self._pause_ns = self._first_ns = self._last_ns = now_ns
        self._go(now_ns)

    def heard(self, event: Any, t_ns: int) -> bool:
        """An event of the codec; True if it was an answer, and so nobody else's."""
        job = self._job
        if job is None:
            return False
        if self._flight:
            answer = job.ask.want(event) if job.ask is not None else None
            if answer is None:
                return False
            owed = self._tries - 1
            took_ns = t_ns - self._first_ns
            self._answered(job, answer, t_ns)
            if owed:  # the part answers in order, and takes no longer for the other tries than for the first
                self._owed, self._due_ns = owed, max(self._due_ns, self._last_ns + took_ns)
        elif self._owed and job.before is not None and job.before.want(event) is not None:
            self._owed -= 1
            if not self._owed:
                self._due_ns = max(self._pause_ns, t_ns)
        else:
            return False
        self._go(t_ns)
        return True

    def advance(self, now_ns: int) -> None:
        """At `wake_ns`: ask again, give up, or go on after a pause."""
        if now_ns < self.wake_ns:
            return
        job = self._job
        if job is not None and self._flight and now_ns < job.deadline_ns:
            self.no_replies += 1
            self._flight, self._due_ns = False, now_ns
            if job.ask is not None and (self._tries >= job.ask.tries or not job.ask.data):
                self._answered(job, None, now_ns)
        self._go(now_ns)

    def _answered(self, job: _Job, answer: Any, t_ns: int) -> None:
        pause_ns = job.ask.pause_ns if job.ask is not None else 0
        self._flight, self._tries, self._owed = False, 0, 0
        self._due_ns = self._pause_ns = t_ns + pause_ns
        job.step(answer)

    def _go(self, now_ns: int) -> None:
        """Say what is due. An answer that comes while it is being said is dealt with here, not inside."""
        if self._going:
            return
        self._going = True
        try:
            while (job := self._job) is not None:
                if now_ns >= job.deadline_ns:
                    self._finish(job, now_ns, job.reason if job.ask is None else LATE)
                elif self._flight or now_ns < self._due_ns:
                    break
                elif job.ask is None:
                    self._finish(job, now_ns, job.reason)
                else:
                    self._send(job.ask, now_ns)
        finally:
            self._going = False
            self._set_wake()

    def _send(self, ask: Ask, now_ns: int) -> None:
        self._flight, self._due_ns, self._last_ns = True, now_ns + ask.timeout_ns, now_ns
        self._owed = 0
        if not self._tries:
            self._first_ns = now_ns
        self._tries += 1
        set_line = getattr(self._link, "set_line", None)
        try:
            if ask.line is not None and set_line is not None:
                set_line(*ask.line, now_ns)
            if ask.data:
                self._link.write(ask.data, now_ns)
        except LinkLost:
            self.link_losses += 1  # the time-out of the try does the rest

    def _finish(self, job: _Job, now_ns: int, reason: str) -> None:
        self._job, self._flight = None, False
        result = None if reason else job.result
        self._on_done(Finished(now_ns, job.name, job.args, not reason, result, reason))

    def _set_wake(self) -> None:
        self.wake_ns = FOREVER_NS if self._job is None else min(self._due_ns, self._job.deadline_ns)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        job = self._job
        if job is None:
            return {"job": None}
        return {
            "job": [job.name, list(job.args), job.deadline_ns, list(job.answers)],
            "flight": self._flight,
            "due_ns": self._due_ns,
            "tries": self._tries,
            "first_ns": self._first_ns,
            "last_ns": self._last_ns,
            "owed": self._owed,
            "pause_ns": self._pause_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot: a fresh procedure, given the same answers. Nothing is said again."""
        self._job = None
        if state["job"] is not None:
            name, args, deadline_ns, answers = state["job"]
            self._job = _Job(name, tuple(args), deadline_ns, self._procedures[name](*args))
            for answer in answers:
                self._job.step(answer)
            self._flight, self._due_ns, self._tries = state["flight"], state["due_ns"], state["tries"]
            self._first_ns, self._last_ns = state["first_ns"], state["last_ns"]
            self._owed, self._pause_ns = state["owed"], state["pause_ns"]
        self._set_wake()
