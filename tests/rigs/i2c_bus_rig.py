"""An I2C bus with two owners and a far end that answers when the test says so."""

from __future__ import annotations

from typing import Any

from drivers.buses.i2c import I2cBus
from drivers.buses.i2c_procedures import Ask, Done, Pause, Procedure
from drivers.links.memory import memory_pair
from drivers.quantities import Quantity
from drivers.transfers import OK, Reply, Request, RequestStream, encode_reply
from drivers.units import NS_PER_MS, NS_PER_S


def write(address: int, value: int) -> Procedure:
    yield Request(address, bytes((1, value)))


def read_two(address: int) -> Procedure:
    first = yield Request(address, b"\x02", 1)
    second = yield Request(address, b"\x03", 2)
    return [first.data.hex(), second.data.hex()]


def patient(address: int, ms: int) -> Procedure:
    yield Request(address, b"\x00")
    yield Pause(ms * NS_PER_MS)
    yield Request(address, b"\x01")
    return "rested"


def sleeper(ms: int) -> Procedure:
    yield Pause(ms * NS_PER_MS)
    return "slept"


def asked(address: int) -> Procedure:
    reply = yield Ask(Request(address, b"", 1))
    return reply.status


PROCEDURES = {"write": write, "read": read_two, "patient": patient, "sleeper": sleeper, "asked": asked}
LATER = 3600 * NS_PER_S


class Bench:
    """A bus, two owners, and a far end that answers when it is told to."""

    def __init__(self) -> None:
        near, self.far = memory_pair("i2c")
        self.near = near
        self.heard: list[Quantity] = []
        self.requests: list[Request] = []
        self.done: list[tuple[str, Done]] = []
        self.stream = RequestStream()
        self.far.receiver = lambda data, t_ns: self.requests.extend(self.stream.feed(data))
        self.bus = I2cBus("i2c", near, emit=self.heard.append)
        for owner in ("a", "b"):
            self.bus.attach(owner, PROCEDURES, lambda done, owner=owner: self.done.append((owner, done)))  # type: ignore[misc]

    def submit(self, procedure: str, *args: int, owner: str = "a", now_ns: int = 0, **more: Any) -> None:
        self.bus.submit(owner, procedure, args, now_ns, **{"deadline_ns": LATER, **more})

    def answer(self, status: int = OK, data: bytes = b"", t_ns: int = 0, address: int | None = None) -> None:
        where = self.requests[-1].address if address is None else address
        self.far.write(encode_reply(Reply(where, status, data)), t_ns)

    @property
    def results(self) -> list[Any]:
        return [done.result if done.ok else done.reason for _, done in self.done]
