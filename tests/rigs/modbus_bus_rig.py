"""A Modbus bus master with a far end that answers when the test says so."""

from __future__ import annotations

from drivers.buses.modbus import ModbusBus
from drivers.buses.modbus_jobs import Done
from drivers.codecs.modbus_rtu import Transaction, encode_request, silence_ns
from drivers.links.memory import memory_pair
from drivers.quantities import Quantity
from drivers.units import FOREVER_NS, NS_PER_MS
from hil.peers.modbus_slaves import with_crc

RESPONSE_NS = 100 * NS_PER_MS
SILENCE_NS = silence_ns(9_600, "N")
READ, READ_ANSWER = "0c03000500019516", bytes.fromhex("0c030230394197")


class Rig:
    """A bus with devices at 12, 13, 14, a far end that only listens, and everything that came of it."""

    def __init__(self) -> None:
        self.near, self.far = memory_pair("rs485")
        self.values: list[Quantity] = []
        self.sent: list[str] = []
        self.done: list[Done] = []
        self.bus = ModbusBus("rs485", self.near, emit=self.values.append)
        for address in (13, 12, 14):
            self.bus.add_device(f"at-{address}", address, self.done.append, response_ns=RESPONSE_NS)
        self.far.receiver = lambda data, t_ns: self.sent.append(data.hex())
        self.now_ns = 0

    def ask(self, address: int = 12, register: int = 5, **more: int) -> None:
        args = (address, 3, register, 1)
        self.submit("read_registers", args, address, **more)

    def submit(
        self, name: str, args: tuple[int, ...], address: int = 12, *, deadline_ms: int = 60_000, priority: int = 1
    ) -> None:
        deadline_ns = deadline_ms * NS_PER_MS
        self.bus.submit(name, args, self.now_ns, owner=f"at-{address}", deadline_ns=deadline_ns, priority=priority)

    def set(self, register: int, value: int, address: int = 12) -> None:
        self.bus.set_register(f"at-{address}", register, value, self.now_ns)

    def go(self) -> list[str]:
        """To the bus's next time; what it sent there."""
        assert self.bus.wake_ns < FOREVER_NS
        self.now_ns = max(self.now_ns, self.bus.wake_ns)
        self.bus.advance(self.now_ns)
        return self.taken()

    def answer(self, data: bytes, ms: int = 10) -> None:
        """Bytes from the wire, a little later."""
        self.now_ns += ms * NS_PER_MS
        self.far.write(data, self.now_ns)

    def acknowledge(self, sent: str) -> None:
        """The reply to a write of one register is the same again."""
        self.answer(bytes.fromhex(sent))

    def taken(self) -> list[str]:
        sent, self.sent = self.sent, []
        return sent


def request(asked: Transaction) -> str:
    return encode_request(asked).hex()


def value(address: int, word: int) -> bytes:
    return with_crc(bytes((address, 3, 2)) + word.to_bytes(2, "big"))
