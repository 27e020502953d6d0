"""One device on a Modbus bus, as its master sees it: what it is to be told, and whether it is worth asking."""

from __future__ import annotations

from typing import Any

from drivers.buses.modbus_jobs import Job, Lookup
from drivers.codecs.modbus_rtu import Answer, Transaction, write
from drivers.units import FOREVER_NS


class Slave:
    """What waits for one address. `settings` are registers to be set, longest waiting first; `jobs` procedures.

    `misses` counts transactions without an answer since the last one that had one; until `pause_until_ns` it is left
    in peace.
    """

    def __init__(self, address: int, part: str, response_ns: int) -> None:
        self.address, self.part, self.response_ns = address, part, response_ns
        self.settings: dict[int, tuple[str, Transaction]] = {}
        self.jobs: list[Job] = []
        self.misses = 0
        self.pause_until_ns = 0

    def set_register(self, owner: str, register: int, value: int) -> None:
        """The newest value of a register; it keeps the turn of an older one that waits."""
        self.settings[register] = (owner, write(self.address, register, value))

    def next_setting(self) -> Transaction:
        """What has waited longest."""
        return next(iter(self.settings.values()))[1]

    def told(self, asked: Transaction, answer: Answer) -> str:
        """A setting was sent; who wanted it. It is over when acknowledged or refused, unless a newer value waits."""
        owner, wanted = self.settings[asked.start]
        if answer.values is not None or answer.exception:
            if wanted == asked:
                del self.settings[asked.start]
            else:  # behind the others, so that one register that changes all the time leaves them their turns
                self.settings[asked.start] = self.settings.pop(asked.start)
        return owner

    def missed(self, now_ns: int, most_ns: int) -> None:
        """It did not answer: a pause, doubled with each time, and longer by a share that is no other address's."""
        pause_ns = min(self.response_ns << min(self.misses, 16), most_ns)
        self.pause_until_ns = now_ns + pause_ns + pause_ns * (self.address * 158 & 0xFF) // 512
        self.misses += 1

    def ready_job(self, now_ns: int) -> Job | None:
        """The first procedure that is not pausing."""
        for job in self.jobs:
            if job.not_before_ns <= now_ns:
                return job
        return None

    def due_ns(self) -> int:
        """When it wants a turn; FOREVER_NS for never."""
        due_ns = 0 if self.settings else FOREVER_NS
        for job in self.jobs:
            due_ns = min(due_ns, job.not_before_ns)
        return max(due_ns, self.pause_until_ns)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        settings = [[register, owner, *asked.values] for register, (owner, asked) in self.settings.items()]
        return {
            "settings": settings,
            "jobs": [job.snapshot() for job in self.jobs],
            "misses": self.misses,
            "pause_until_ns": self.pause_until_ns,
        }

    def restore(self, state: dict[str, Any], lookup: Lookup) -> None:
        """Take over a snapshot."""
        self.settings = {
            register: (owner, write(self.address, register, value)) for register, owner, value in state["settings"]
        }
        self.jobs = [Job.restored(lookup, job) for job in state["jobs"]]
        self.misses, self.pause_until_ns = state["misses"], state["pause_until_ns"]
