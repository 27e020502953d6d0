"""Master of one I2C bus: many chips share it, one transfer is in flight at a time.

Work comes as procedures (drivers.buses.i2c_procedures). Lamp levels go before reads: the transfers of procedures of
different owners interleave by priority, those of one owner never do. A waiting level is replaced by a later one.

Each way a transfer can fail has its name and its counter: NACK (`refusals`), STUCK (`stuck`), LOST
(`lost_arbitrations`, tried again twice at once), BROKEN (`broken`), no reply by the deadline (`no_replies`). A failure
ends the procedure and its owner hears why; the owner says so by DeviceHealth and tries again with growing pauses
(drivers.devices.i2c_chip).
What concerns the wire and not one chip, everything but NACK, becomes DeviceHealth of the bus after three in a row.

The master never waits: a reply that comes after its deadline is dropped, and until then, or until a second time has
passed, nothing else is sent, so that no reply is taken for another's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from drivers.buses.i2c_procedures import PAUSED, Argument, Ask, Done, Job, Pause, Procedures, Result, Step
from drivers.errors import LinkLost
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import DeviceHealth
from drivers.transfers import BROKEN, LOST, NACK, OK, STATUS_TEXT, STUCK, Reply, ReplyStream, encode_request
from drivers.units import FOREVER_NS, NS_PER_S

LEVEL: Final = 0
READ: Final = 1
SCAN: Final = 2
"""Priorities: what a lamp shall show, what a sensor says, what an installer asks."""

TRANSFER_NS: Final = 2 * NS_PER_S
"""Longest wait for a reply. The kernel gives a stuck bus up after one second and says so."""

TRIES: Final = 3
MISSES_TO_LOST: Final = 3
MAX_JOBS: Final = 256

COUNTERS: Final = (
    "frames",
    "refusals",
    "stuck",
    "lost_arbitrations",
    "broken",
    "no_replies",
    "unexpected_replies",
    "link_losses",
)

_COUNTER: Final = {OK: "frames", NACK: "refusals", STUCK: "stuck", LOST: "lost_arbitrations", BROKEN: "broken"}

OnDone = Callable[[Done], None]


class I2cBus:
    """One bus and all that hangs on it. Implements Device.

    Args:
        name: of the wire, e.g. ``"i2c"``; the source of its DeviceHealth.
        link: to the adapter; carries the messages of drivers.transfers.
        emit: where values go.
        transfer_ns: longest wait for a reply.

    Counters: `frames` (good transfers), `refusals`, `stuck`, `lost_arbitrations`, `broken`, `no_replies`,
    `unexpected_replies`, `link_losses`.
    """

    def __init__(self, name: str, link: ByteLink, *, emit: Emit, transfer_ns: int = TRANSFER_NS) -> None:
        self.name = name
        self.wake_ns = FOREVER_NS
        self.emit = emit
        self.counts = dict.fromkeys(COUNTERS, 0)
        self.stream = ReplyStream()
        self._link, self._transfer_ns = link, transfer_ns
        self._members: dict[str, tuple[Procedures, OnDone]] = {}
        self._jobs: list[Job] = []
        self._flight: Job | None = None
        self._flight_ns = FOREVER_NS  # deadline of the transfer in flight, or of the wait for a late reply
        self._late_address = -1  # of a reply that is overdue
        self._misses = 0
        self._ok = True
        self._replies: deque[Reply] = deque()
        self._working = False
        link.receiver = self.on_bytes

    def attach(self, owner: str, procedures: Procedures, on_done: OnDone) -> None:
        """Make an owner known: what it may submit, by name, and who hears the ends. Raises ValueError: name taken."""
        if owner in self._members:
            raise ValueError(f"{self.name}: there is already a {owner}")
        self._members[owner] = (procedures, on_done)

    @property
    def levels_waiting(self) -> bool:
        """True while some lamp has not been told its newest level."""
        return any(job.priority == LEVEL for job in self._jobs)

    def submit(
        self,
        owner: str,
        procedure: str,
        args: tuple[Argument, ...],
        now_ns: int,
        *,
        deadline_ns: int,
        priority: int = READ,
        slot: str = "",
    ) -> None:
        """Queue a procedure; the owner hears its end by `deadline_ns` at the latest, plus one transfer.

        Smaller `priority` first, equal ones in the order they came. With a `slot`, a waiting job of the same owner and
        slot is replaced, in its place, and its end is not told. A full queue (256) fails the job at once. Leaves with
        the next `advance`.
        """
        job = Job(self._members[owner][0][procedure], owner, procedure, args, priority, deadline_ns, slot)
        if isinstance(job.command, Pause):
            job.ready_ns = now_ns + job.command.ns
        for at, other in enumerate(self._jobs):
            if slot and other.slot == slot and other.owner == owner and not other.started:
                self._jobs[at] = job
                break
        else:
            if len(self._jobs) >= MAX_JOBS:
                self._tell(job, now_ns, None, "queue is full")
                return
            at = len(self._jobs)
            while at and self._jobs[at - 1].priority > priority:
                at -= 1
            self._jobs.insert(at, job)
        free = self._flight is None and self._late_address < 0
        self.wake_ns = min(self.wake_ns, now_ns if free else deadline_ns)

    def advance(self, now_ns: int) -> None:
        """Send what waits, or give up what has waited too long."""
        if now_ns < self.wake_ns:
            return
        if now_ns >= self._flight_ns:
            self._overdue(now_ns)
        self._work(now_ns)

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Replies came; the next transfer leaves at once."""
        self._replies += self.stream.feed(data)
        if not self._working:  # an in-process chip answers while we send
            self._work(t_ns)

    # --- one transfer

    def _work(self, now_ns: int) -> None:
        """Take replies and send transfers until there is something to wait for."""
        self._working = True
        try:
            self._drain(now_ns)
            self._expire(now_ns)
            while self._flight is None and self._late_address < 0 and self._next(now_ns):
                self._drain(now_ns)
        finally:
            self._working = False
        self._set_wake()

    def _drain(self, now_ns: int) -> None:
        while self._replies:
            self._take(self._replies.popleft(), now_ns)

    def _take(self, reply: Reply, now_ns: int) -> None:
        job = self._flight
        if job is None or reply.address != job.request.address:
            self.counts["unexpected_replies"] += 1
            if job is None and reply.address == self._late_address:
                self._late_address, self._flight_ns = -1, FOREVER_NS
            return
        self._flight, self._flight_ns = None, FOREVER_NS
        if reply.status == OK and len(reply.data) != job.request.read_count:
            reply = Reply(reply.address, BROKEN)
        self.counts[_COUNTER[reply.status]] += 1
        if reply.status in (OK, NACK):
            self._wire_works(now_ns)
        elif reply.status == LOST and job.tries < TRIES - 1:
            job.tries += 1
            return
        else:
            self._wire_fails(STATUS_TEXT[reply.status], now_ns)
        if reply.status == OK or isinstance(job.command, Ask):
            self._step(job, reply, now_ns)
        else:
            self._end(job, now_ns, None, STATUS_TEXT[reply.status])

    def _overdue(self, now_ns: int) -> None:
        """The reply has not come, or not even late."""
        job, self._flight = self._flight, None
        if job is None:
            self._late_address, self._flight_ns = -1, FOREVER_NS
            return
        self._late_address, self._flight_ns = job.request.address, now_ns + self._transfer_ns
        self.counts["no_replies"] += 1
        self._wire_fails("the adapter does not reply", now_ns)
        self._end(job, now_ns, None, "the adapter does not reply")

    def _wire_works(self, now_ns: int) -> None:
        self._misses = 0
        if not self._ok:
            self._ok = True
            self.emit(DeviceHealth(now_ns, self.name, True))

    def _wire_fails(self, reason: str, now_ns: int) -> None:
        self._misses += 1
        if self._misses >= MISSES_TO_LOST and self._ok:
            self._ok = False
            self.emit(DeviceHealth(now_ns, self.name, False, reason))

    # --- what comes next

    def _next(self, now_ns: int) -> bool:
        """Send the first transfer that may go, or end a pause; False where there is neither."""
        busy = {job.owner: job for job in reversed(self._jobs) if job.started}
        for job in self._jobs:
            if busy.get(job.owner, job) is not job:
                continue
            if isinstance(job.command, Pause):
                if now_ns < job.ready_ns:
                    busy[job.owner] = job
                    job.started = True
                    continue
                self._step(job, PAUSED, now_ns)
            else:
                self._send(job, now_ns)
            return True
        return False

    def _send(self, job: Job, now_ns: int) -> None:
        """Everything is set before the bytes leave: an in-process chip answers while they do."""
        job.started = True
        self._flight, self._flight_ns = job, now_ns + self._transfer_ns
        try:
            self._link.write(encode_request(job.request), now_ns)
        except LinkLost as lost:
            self._flight, self._flight_ns = None, FOREVER_NS
            self.counts["link_losses"] += 1
            self._wire_fails(lost.detail, now_ns)
            self._end(job, now_ns, None, lost.detail)

    def _step(self, job: Job, reply: Reply, now_ns: int) -> None:
        if job.step(reply, now_ns):
            self._end(job, now_ns, job.result, "")

    def _end(self, job: Job, now_ns: int, result: Result, reason: str) -> None:
        self._jobs.remove(job)
        self._tell(job, now_ns, result, reason)

    def _tell(self, job: Job, now_ns: int, result: Result, reason: str) -> None:
        self._members[job.owner][1](Done(now_ns, job.name, job.args, not reason, result, reason))

    def _expire(self, now_ns: int) -> None:
        """End what is past its deadline; a transfer in flight is waited for."""
        for job in [job for job in self._jobs if now_ns >= job.deadline_ns and job is not self._flight]:
            self._end(job, now_ns, None, "deadline passed")

    def _set_wake(self) -> None:
        """Whatever could be sent has been: what is left waits for a reply, a pause, or its deadline."""
        wake_ns = self._flight_ns
        for job in self._jobs:
            if job is self._flight:
                continue
            wake_ns = min(wake_ns, job.deadline_ns)
            if self._flight is None and self._late_address < 0 and job.started:
                wake_ns = min(wake_ns, job.ready_ns)
        self.wake_ns = wake_ns

    # --- state

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return dict(self.counts)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "wake_ns": self.wake_ns,
            "counts": dict(self.counts),
            "stream": self.stream.snapshot(),
            "jobs": [job.snapshot() for job in self._jobs],
            "flight": -1 if self._flight is None else self._jobs.index(self._flight),
            "flight_ns": self._flight_ns,
            "late_address": self._late_address,
            "misses": self._misses,
            "ok": self._ok,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot, when all owners are attached; procedures go on where they were."""
        self.wake_ns = state["wake_ns"]
        self.counts = dict(state["counts"])
        self.stream.restore(state["stream"])
        self._jobs = [Job.restored(self._members[job["owner"]][0][job["name"]], job) for job in state["jobs"]]
        self._flight = None if state["flight"] < 0 else self._jobs[state["flight"]]
        self._flight_ns, self._late_address = state["flight_ns"], state["late_address"]
        self._misses, self._ok = state["misses"], state["ok"]


__all__ = ["LEVEL", "READ", "SCAN", "I2cBus", "Step"]
