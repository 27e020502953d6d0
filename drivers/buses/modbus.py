"""Master of one Modbus RTU bus: many devices on one wire, and none of them can keep the others waiting.

One transaction is in flight at a time. It ends with the reply, with a damaged one, or at its deadline: the time that
request and reply take on the line, plus what the device is given to think (`response_ns`). Bytes that are no reply
cannot hold it longer. The next request leaves after 3.5 characters of silence; a line that never falls silent is
waited for no longer than `BABBLE_NS`.

Turns: devices that have something to do take turns, in the order of their addresses, one transaction a turn. Registers
that are to be set go first, all devices' before any procedure; after `WRITE_BURST` of them in a row one procedure gets
a turn. A device that does not answer gets a pause that doubles with each time, from its `response_ns` up to
`MAX_PAUSE_NS`, and takes no turn while it lasts. So without registers to be set a healthy device waits no longer than
one transaction of each other device.

A device that answers too late talks into the transaction of another, and both would go on in step, their pauses
doubling together. So every pause is longer by a share that depends on the address, up to a half; and a transaction that
heard rubbish within `LATE_NS` after another device's silence is not held against its device.

Registers are set latest-wins: an older value that was not sent is dropped; one that was not acknowledged is sent again
until it is, or until the device refuses it by an exception. Procedures run to their end or their deadline.

When the link is lost the bus says so by DeviceHealth, under the name of the wire; when it is back, all pauses end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from drivers.buses.modbus_jobs import Done, Job
from drivers.buses.modbus_slave import Slave
from drivers.codecs.modbus_rtu import (
    BROADCAST,
    EXCEPTION_BYTES,
    Answer,
    Transaction,
    encode_request,
    failure,
    find_reply,
    is_damaged,
    prepare,
    silence_ns,
    wire_ns,
)
from drivers.errors import LinkLost, NoReply
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import DeviceHealth
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

WRITE_BURST: Final = 8
MAX_JOBS: Final = 32
MAX_PAUSE_NS: Final = 5 * NS_PER_S
LATE_NS: Final = 500 * NS_PER_MS
BABBLE_NS: Final = 50 * NS_PER_MS
TURNAROUND_NS: Final = 100 * NS_PER_MS
"""After a broadcast, which nobody answers (Serial Line V1.02, 2.4.1: 100 to 200 ms)."""
RESPONSE_NS: Final = 100 * NS_PER_MS
MAX_HEARD_BYTES: Final = 512
SET_REGISTER: Final = "set_register"

COUNTERS: Final = (
    "frames",
    "no_replies",
    "bad_frames",
    "refusals",
    "link_losses",
    "skipped_bytes",
    "unexpected_bytes",
)
_FLIGHT: Final = (
    "_flight",
    "_flight_address",
    "_flight_deadline_ns",
    "_written",
    "_last_served",
    "_last_set",
    "_burst",
)
_LINE: Final = ("_quiet_ns", "_babble_ns", "_late_address", "_late_ns", "_lost")

IDLE, SETTING, RUNNING = "", "setting", "running"


class ModbusBus:
    """One wire and the devices on it. Implements Device; parts are added by `add_device`.

    Args:
        name: of the wire, e.g. ``"rs485"``; the source of its DeviceHealth.
        link: 8 data bits, 1 stop bit.
        emit: where its DeviceHealth goes.
        baud, parity: of the link; times on the line follow from them.

    Counters: `frames` (sound replies), `no_replies`, `bad_frames`, `refusals` (exceptions), `link_losses`,
    `skipped_bytes` (around replies), `unexpected_bytes` (while nobody was asked).
    """

    def __init__(self, name: str, link: ByteLink, *, emit: Emit, baud: int = 9_600, parity: str = "N") -> None:
        self.name = name
        self.wake_ns = FOREVER_NS
        self.frames = self.no_replies = self.bad_frames = self.refusals = 0
        self.link_losses = self.skipped_bytes = self.unexpected_bytes = 0
        self._link, self.emit, self._baud, self._parity = link, emit, baud, parity
        self._silence_ns = silence_ns(baud, parity)
        self._slaves: dict[int, Slave] = {}
        self._owners: dict[str, tuple[Slave, Callable[[Done], None]]] = {}
        self._flight = IDLE
        self._flight_address = 0  # of the slave whose turn it is
        self._flight_deadline_ns = 0
        self._asked: Transaction | None = None
        self._job: Job | None = None
        self._written = False  # the request left; False where the link was lost
        self._heard = b""
        self._last_served = self._last_set = 0
        self._burst = 0
        self._quiet_ns = 0
        self._babble_ns = FOREVER_NS
        self._late_address = 0  # who may still be about to answer
        self._late_ns = 0  # and until when
        self._lost = False
        link.receiver = self.on_bytes
        prepare()

    def add_device(
        self,
        owner: str,
        address: int,
        on_done: Callable[[Done], None],
        *,
        part: str = "",
        response_ns: int = RESPONSE_NS,
    ) -> None:
        """Make a device known; `on_done` gets the ends of what is done in the name of `owner`.

        Several owners may share an address where they are of one `part`, e.g. the outputs of one module. Raises
        ValueError: address not 1 to 247, taken by another part, or the owner is known already.
        """
        if not 1 <= address <= 247:
            raise ValueError(f"{self.name}: Modbus address {address} is not 1 to 247")
        slave = self._slaves.get(address)
        if owner in self._owners or (slave is not None and (not part or slave.part != part)):
            raise ValueError(f"{self.name}: address {address} or name {owner} is already taken")
        if slave is None:
            slave = Slave(address, part, response_ns)
            self._slaves = dict(sorted({**self._slaves, address: slave}.items()))
        self._owners[owner] = (slave, on_done)

    def set_register(self, owner: str, register: int, value: int, now_ns: int) -> None:
        """Write one register, 0 to 65535, latest-wins; leaves with the next `advance`, again until acknowledged.

        `owner` hears Done of ``"set_register"`` with (register, value) for each try.
        """
        slave, _ = self._owners[owner]
        slave.set_register(owner, register, value)
        self._stir(now_ns)

    @property
    def levels_waiting(self) -> bool:
        """True while some register is not set, on a device that answers."""
        return any(slave.settings and not slave.misses for slave in self._slaves.values())

    def submit(
        self, procedure: str, args: tuple[int, ...], now_ns: int, *, owner: str, deadline_ns: int, priority: int = 1
    ) -> None:
        """Queue a procedure of `modbus_procedures.PROCEDURES`; `owner` hears its end by `deadline_ns` at the latest
        (plus one transaction).

        Smaller `priority` first among the procedures of one device, equal ones in the order they came. A full queue
        (32 a device) fails it at once.
        """
        job = Job(_lookup, procedure, args, priority, deadline_ns, owner)
        slave, _ = self._owners[owner]
        if len(slave.jobs) >= MAX_JOBS:
            job.reason = "queue is full"
        if job.reason or job.start(now_ns):
            self._finish(job, now_ns)
            return
        at = len(slave.jobs)
        while at and slave.jobs[at - 1].priority > priority:
            at -= 1
        slave.jobs.insert(at, job)
        self._stir(now_ns)

    def _stir(self, now_ns: int) -> None:
        """Something new is to be done."""
        self.wake_ns = min(self.wake_ns, self._due_ns(now_ns))

    def advance(self, now_ns: int) -> None:
        """Send what waits, or give up what has waited too long."""
        if now_ns < self.wake_ns:
            return
        if self._flight and now_ns >= self._flight_deadline_ns:
            asked = self._asked
            assert asked is not None
            if asked.address == BROADCAST and self._written:
                self._told(Answer((), heard=False), now_ns)
            else:
                self._missed(asked, now_ns)
        for slave in self._slaves.values():
            for job in [job for job in slave.jobs if now_ns >= job.deadline_ns and job is not self._job]:
                slave.jobs.remove(job)
                job.reason = job.last.reason or "deadline passed"
                self._finish(job, now_ns)
        if not self._flight and now_ns >= self._quiet_ns:
            self._next(now_ns)
        self.wake_ns = self._due_ns(now_ns)

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes from the wire; the next request leaves when it has been silent for long enough."""
        asked = self._asked
        if asked is None or asked.address == BROADCAST:
            self.unexpected_bytes += len(data)
            self._babble_ns = min(self._babble_ns, t_ns + BABBLE_NS)
            self._quiet_ns = min(t_ns + self._silence_ns, self._babble_ns)
        else:
            self._quiet_ns = t_ns + self._silence_ns
            known, heard = len(self._heard), self._heard + data
            answer = find_reply(asked, heard, known)
            if len(heard) > MAX_HEARD_BYTES:
                self.skipped_bytes += len(heard) - MAX_HEARD_BYTES
                heard = heard[-MAX_HEARD_BYTES:]
            self._heard = heard
            if answer is not None:
                self.skipped_bytes += len(heard) - (EXCEPTION_BYTES if answer.exception else asked.reply_bytes)
                self._settled(answer, t_ns)
            elif is_damaged(asked, heard):
                self._missed(asked, t_ns)
        self.wake_ns = self._due_ns(t_ns)

    # --- one transaction

    def _next(self, now_ns: int) -> None:
        """The next turn, if somebody wants one."""
        ready = [slave for slave in self._slaves.values() if slave.pause_until_ns <= now_ns]
        setting = _turn([slave for slave in ready if slave.settings], self._last_set)
        running = _turn([slave for slave in ready if slave.ready_job(now_ns) is not None], self._last_served)
        if setting is not None and (running is None or self._burst < WRITE_BURST):
            self._burst += 1
            self._last_set = setting.address
            self._send(SETTING, setting, setting.next_setting(), None, now_ns)
        elif running is not None:
            self._burst = 0
            self._last_served = running.address
            job = running.ready_job(now_ns)
            assert job is not None
            self._send(RUNNING, running, job.wants, job, now_ns)

    def _send(self, flight: str, slave: Slave, asked: Transaction | None, job: Job | None, now_ns: int) -> None:
        """Before the bytes leave all is set: an in-process peer may answer while they do."""
        assert asked is not None
        self._flight, self._flight_address, self._asked, self._job = flight, slave.address, asked, job
        self._heard, self._written, self._babble_ns = b"", True, FOREVER_NS
        request = encode_request(asked)
        think_ns = TURNAROUND_NS if asked.address == BROADCAST else slave.response_ns
        self._flight_deadline_ns = now_ns + think_ns + wire_ns(len(request) + asked.reply_bytes, *self._line)
        try:
            self._link.write(request, now_ns)
        except LinkLost:
            self.link_losses += 1  # the deadline does the rest
            self._written = False
            self._say_lost(True, now_ns)
        else:
            self._say_lost(False, now_ns)

    @property
    def _line(self) -> tuple[int, str]:
        return self._baud, self._parity

    def _say_lost(self, lost: bool, now_ns: int) -> None:
        if lost != self._lost:
            self._lost = lost
            self.emit(DeviceHealth(now_ns, self.name, not lost, "link lost" if lost else ""))
            if not lost:
                for slave in self._slaves.values():
                    slave.pause_until_ns = slave.misses = 0

    def _missed(self, asked: Transaction, now_ns: int) -> None:
        """No answer, or none that can be read."""
        error = failure(asked, self._heard, self.name, now_ns)
        if isinstance(error, NoReply):
            self.no_replies += 1
        else:
            self.bad_frames += 1
        self.skipped_bytes += len(self._heard)
        slave = self._slaves[self._flight_address]
        if asked.address == slave.address and not (
            self._heard and now_ns < self._late_ns and self._late_address != slave.address
        ):
            slave.missed(now_ns, MAX_PAUSE_NS)
        if not self._heard:
            self._late_address, self._late_ns = asked.address, now_ns + LATE_NS
        reason = error.detail if self._written else "the link is lost"
        self._told(Answer(None, reason, heard=bool(self._heard)), now_ns)

    def _settled(self, answer: Answer, now_ns: int) -> None:
        """A reply or an exception."""
        self.frames += 1
        self.refusals += answer.exception != 0
        slave = self._slaves[self._flight_address]
        if self._asked is not None and self._asked.address == slave.address:
            slave.misses = slave.pause_until_ns = 0
        self._told(answer, now_ns)

    def _told(self, answer: Answer, now_ns: int) -> None:
        """The flight is over; whoever wanted it goes on."""
        flight, asked, job = self._flight, self._asked, self._job
        slave = self._slaves[self._flight_address]
        self._flight, self._asked, self._job, self._heard = IDLE, None, None, b""
        if flight == SETTING:
            assert asked is not None
            owner = slave.told(asked, answer)
            done = Done(
                now_ns,
                SET_REGISTER,
                (asked.start, *asked.values),
                answer.values is not None,
                reason=answer.reason,
                refused=answer.exception != 0,
                heard=answer.heard,
            )
            self._owners[owner][1](done)
        elif job is not None and job.step(answer, now_ns):
            slave.jobs.remove(job)
            self._finish(job, now_ns)

    def _finish(self, job: Job, now_ns: int) -> None:
        done = Done(
            now_ns,
            job.name,
            job.args,
            not job.reason,
            job.result,
            job.reason,
            refused=job.last.exception != 0,
            verdict=job.failed and job.last.values is not None,
            heard=job.last.heard,
        )
        self._owners[job.owner][1](done)

    def _due_ns(self, now_ns: int) -> int:
        """When there is something to do."""
        due_ns = self._flight_deadline_ns if self._flight else FOREVER_NS
        for slave in self._slaves.values():
            for job in slave.jobs:
                if job is not self._job and job.deadline_ns < due_ns:
                    due_ns = job.deadline_ns
            if not self._flight:
                due_ns = min(due_ns, max(slave.due_ns(), self._quiet_ns, now_ns))
        return due_ns

    # --- state

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {name: getattr(self, name) for name in COUNTERS}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        jobs = self._slaves[self._flight_address].jobs if self._job is not None else []
        return {
            "wake_ns": self.wake_ns,
            "state": {name: getattr(self, name) for name in (*COUNTERS, *_FLIGHT, *_LINE)},
            "asked": None if self._asked is None else self._asked.snapshot(),
            "job": None if self._job is None else jobs.index(self._job),
            "heard": self._heard.hex(),
            "slaves": [[address, slave.snapshot()] for address, slave in self._slaves.items()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot of a bus with the same devices; procedures go on where they were."""
        self.wake_ns = state["wake_ns"]
        for name, value in state["state"].items():
            setattr(self, name, value)
        self._asked = None if state["asked"] is None else Transaction.restored(state["asked"])
        self._heard = bytes.fromhex(state["heard"])
        for address, slave in state["slaves"]:
            self._slaves[address].restore(slave, _lookup)
        job = state["job"]
        self._job = None if job is None else self._slaves[self._flight_address].jobs[job]


def _turn(slaves: list[Slave], last: int) -> Slave | None:
    """Whose turn it is: the first behind the one that had the last."""
    for slave in slaves:
        if slave.address > last:
            return slave
    return slaves[0] if slaves else None


def _lookup(name: str) -> Callable[..., Any]:
    from drivers.buses.modbus_procedures import PROCEDURES  # the parts' maps, needed when the first of them runs

    return PROCEDURES[name]
