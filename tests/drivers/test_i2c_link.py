"""An adapter as a wire: transfers in a worker, what each error number means, and that it comes back."""

from __future__ import annotations

import errno
import os
import select
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.errors import LinkLost
from drivers.interfaces import ByteLink
from drivers.links import i2c_port
from drivers.links.i2c import BACK_OFF_MAX_NS, BACK_OFF_MIN_NS, MAX_WAITING, I2cLink, open_adapter
from drivers.links.i2c_port import BlinkaI2c, I2cPort, Registers, mend
from drivers.links.poll import OpensItself
from drivers.links.tap import Tap
from drivers.transfers import BROKEN, LOST, NACK, OK, STUCK, Reply, ReplyStream, Request, encode_request
from drivers.units import FOREVER_NS

PORT = "/dev/i2c-1"


class FakeAdapter:
    """Says what it was told to say; may be held up."""

    def __init__(self) -> None:
        self.gone = False
        self.closed = 0
        self.held = threading.Event()
        self.held.set()
        self.replies: list[Reply] = []
        self.requests: list[Request] = []
        self.change = threading.Condition()

    def transfer(self, request: Request) -> Reply:
        self.held.wait(10)
        with self.change:
            self.requests.append(request)
            self.change.notify()
        if self.replies:
            return self.replies.pop(0)
        return Reply(request.address, OK, bytes(range(request.read_count)))

    def close(self) -> None:
        self.gone = True
        self.closed += 1


class Wire:
    """A link on a fake adapter."""

    def __init__(self) -> None:
        self.adapters: list[FakeAdapter] = []
        self.refusal: OSError | None = None
        self.link = I2cLink("i2c", PORT, open_port=self.make)
        self.replies: list[tuple[Reply, int]] = []
        stream = ReplyStream()
        self.link.receiver = lambda data, t_ns: self.replies.extend((reply, t_ns) for reply in stream.feed(data))

    def make(self, port: str) -> FakeAdapter:
        if self.refusal is not None:
            raise self.refusal
        self.adapters.append(FakeAdapter())
        return self.adapters[-1]

    def ask(self, request: Request, t_ns: int = 0) -> None:
        self.link.write(encode_request(request), t_ns)

    def await_replies(self, count: int, t_ns: int = 0) -> None:
        poll = select.poll()
        fd = self.link.fileno()
        assert fd is not None
        poll.register(fd, select.POLLIN)
        while len(self.replies) < count:
            assert poll.poll(10_000), "no reply"
            self.link.pump(t_ns)


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    made.link.advance(0)
    yield made
    made.link.close()


def test_it_is_a_link_that_opens_itself(wire: Wire) -> None:
    link: ByteLink = wire.link
    assert isinstance(link, OpensItself)
    assert wire.link.is_open
    assert (wire.link.trouble, wire.link.wake_ns) == ("", FOREVER_NS)


def test_requests_are_carried_out_in_order_and_replies_wake_the_loop(wire: Wire) -> None:
    wire.ask(Request(0x76, b"\xd0", 1))
    data = encode_request(Request(0x40, b"\x01\x02")) + encode_request(Request(0x41, b"", 2))
    wire.link.write(data[:4], 0)  # cut anywhere
    wire.link.write(data[4:], 0)
    wire.await_replies(3, 77)
    assert wire.replies == [
        (Reply(0x76, OK, b"\x00"), 77),
        (Reply(0x40, OK), 77),
        (Reply(0x41, OK, b"\x00\x01"), 77),
    ]


def test_writing_never_waits_for_a_stuck_bus(wire: Wire) -> None:
    adapter = wire.adapters[0]
    adapter.held.clear()
    wire.ask(Request(0x76))
    assert adapter.requests == []
    wire.link.pump(0)
    assert wire.replies == []
    adapter.held.set()
    wire.await_replies(1)


def test_a_tap_sees_requests_and_replies(wire: Wire) -> None:
    seen: list[tuple[bool, bytes]] = []

    class Kept:
        def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
            seen.append((outward, data))

        def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
            raise AssertionError

    heard = wire.link.receiver
    tap = Tap(wire.link, 0, Kept())
    tap.receiver = heard
    tap.write(encode_request(Request(0x76, b"\xd0", 1)), 0)
    wire.await_replies(1)
    assert seen == [(True, bytes.fromhex("76 01 01 D0")), (False, bytes.fromhex("76 00 01 00"))]


def test_too_many_waiting_transfers_mean_a_stuck_bus(wire: Wire) -> None:
    adapter = wire.adapters[0]
    adapter.held.clear()
    for _ in range(MAX_WAITING):
        wire.ask(Request(0x76))
    many = encode_request(Request(0x76)) * 2  # one of them at most is under way by now
    with pytest.raises(LinkLost, match="64 transfers wait"):
        wire.link.write(many, 0)
    assert not wire.link.is_open
    assert wire.link.fileno() is None
    adapter.held.set()
    with adapter.change:
        assert adapter.change.wait_for(lambda: len(adapter.requests) >= MAX_WAITING, 10)
    wire.link.advance(BACK_OFF_MIN_NS)
    wire.ask(Request(0x77), BACK_OFF_MIN_NS)
    wire.await_replies(1)
    assert [reply.address for reply, _ in wire.replies] == [0x77], "replies of the lost adapter are no replies any more"


def test_an_adapter_that_is_pulled_is_lost_once_and_opened_again(wire: Wire) -> None:
    wire.adapters[0].replies = [Reply(0x76, BROKEN)]
    wire.adapters[0].gone = True
    wire.ask(Request(0x76))
    with pytest.raises(LinkLost, match="still plugged in"):
        wire.await_replies(1, 5)
    assert wire.replies == [(Reply(0x76, BROKEN), 5)]
    with pytest.raises(LinkLost):
        wire.ask(Request(0x76))
    wire.link.pump(6)  # nothing, and no second complaint
    wire.link.pump(wire.link.wake_ns)
    assert wire.link.is_open
    wire.ask(Request(0x76))
    wire.await_replies(2)
    assert wire.adapters[0].closed == 1


def test_a_port_that_does_not_open_is_tried_with_growing_pauses_and_says_why() -> None:
    wire = Wire()
    wire.refusal = PermissionError(errno.EACCES, "Permission denied")
    now = 0
    pauses = []
    for _ in range(8):
        wire.link.advance(now)
        wire.link.advance(now)  # not due
        pauses.append(wire.link.wake_ns - now)
        now = wire.link.wake_ns
    assert pauses[:3] == [BACK_OFF_MIN_NS, 2 * BACK_OFF_MIN_NS, 4 * BACK_OFF_MIN_NS]
    assert pauses[-1] == BACK_OFF_MAX_NS
    assert "usermod -aG i2c" in wire.link.trouble
    with pytest.raises(LinkLost, match="group i2c"):
        wire.link.open(now)
    wire.refusal = None
    wire.link.open(now)
    wire.link.open(now)
    assert len(wire.adapters) == 1
    wire.link.close()
    wire.link.close()
    assert wire.link.trouble == "closed"
    assert wire.adapters[0].closed == 1
    wire.link.advance(FOREVER_NS)
    assert not wire.link.is_open


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "usermod -aG i2c USER"),
        (errno.ENOENT, "dtparam=i2c_arm=on"),
        (errno.EOPNOTSUPP, "SMBus alone is not enough"),
        (errno.EIO, "cannot be opened"),
    ],
)
def test_each_trouble_comes_with_its_mend(number: int, words: str) -> None:
    assert words in mend(PORT, OSError(number, os.strerror(number)))


# --- the port itself, with smbus2's bus replaced


class FakeBus:
    """smbus2.SMBus: the messages it was given, and the error it raises."""

    funcs = 1
    error: int | None = None

    def __init__(self, port: str) -> None:
        self.closed = False
        self.given: list[tuple[int, int, bytes]] = []

    def i2c_rdwr(self, *messages: object) -> None:
        if self.closed:
            raise TypeError
        self.given = [(m.addr, m.flags, bytes(m)) for m in messages]  # type: ignore[attr-defined]
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        for message in messages:
            for n in range(message.len if message.flags & 1 else 0):  # type: ignore[attr-defined]
                message.buf[n] = 0x60 + n  # type: ignore[attr-defined]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> type[FakeBus]:
    class Bus(FakeBus):
        pass

    monkeypatch.setattr("smbus2.SMBus", Bus)
    return Bus


def given(port: I2cPort) -> list[tuple[int, int, bytes]]:
    return port._bus.given  # type: ignore[attr-defined,no-any-return]


def test_a_transfer_is_a_write_and_a_read_with_a_repeated_start(bus: type[FakeBus]) -> None:
    port = I2cPort(PORT)
    assert port.transfer(Request(0x76, b"\xf7", 2)) == Reply(0x76, OK, b"\x60\x61")
    assert [(address, flags) for address, flags, _ in given(port)] == [(0x76, 0), (0x76, 1)]
    assert port.transfer(Request(0x76, b"\xe0\xb6")) == Reply(0x76, OK)
    assert given(port) == [(0x76, 0, b"\xe0\xb6")]


def test_an_empty_request_becomes_a_read_whose_byte_is_thrown_away(bus: type[FakeBus]) -> None:
    port = I2cPort(PORT)
    assert port.transfer(Request(0x76)) == Reply(0x76, OK)
    assert [(flags, len(data)) for _, flags, data in given(port)] == [(1, 1)]


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.ENXIO, NACK),
        (errno.EREMOTEIO, NACK),
        (errno.ETIMEDOUT, STUCK),
        (errno.EAGAIN, LOST),
        (errno.EIO, BROKEN),
        (errno.ENODEV, BROKEN),
    ],
)
def test_each_error_number_has_its_status(bus: type[FakeBus], number: int, status: int) -> None:
    bus.error = number
    port = I2cPort(PORT)
    assert port.transfer(Request(0x76, b"\x00")) == Reply(0x76, status)
    assert port.gone is (number == errno.ENODEV)


def test_a_closed_port_breaks_no_thread(bus: type[FakeBus]) -> None:
    port = I2cPort(PORT)
    port._bus.close()  # by another thread, in the middle
    assert port.transfer(Request(0x76)) == Reply(0x76, BROKEN)
    port.close()
    assert port.transfer(Request(0x76)) == Reply(0x76, BROKEN)


def test_an_adapter_that_does_only_smbus_is_refused_when_it_is_opened(bus: type[FakeBus]) -> None:
    bus.funcs = 0x0EFF0008
    with pytest.raises(OSError, match="not supported") as error:
        open_adapter(PORT)
    assert error.value.errno == errno.EOPNOTSUPP


def test_the_faces_for_libraries(bus: type[FakeBus]) -> None:
    port = I2cPort(PORT)
    registers, blinka = Registers(port, 0x76), BlinkaI2c(port)
    assert registers.read_register(0xD0, 2) == b"\x60\x61"
    registers.write_register_byte(0xE0, 0xB6)
    assert given(port) == [(0x76, 0, b"\xe0\xb6")]
    assert blinka.try_lock()
    blinka.writeto(0x40, b"\x01\x02\x03", start=1, end=2)
    assert given(port) == [(0x40, 0, b"\x02")]
    buffer = bytearray(4)
    blinka.readfrom_into(0x40, buffer, start=1, end=3)
    assert buffer == b"\x00\x60\x61\x00"
    blinka.writeto_then_readfrom(0x40, b"\x05", buffer, in_start=2)
    assert buffer == b"\x00\x60\x60\x61"
    blinka.unlock()
    bus.error = errno.EREMOTEIO
    with pytest.raises(OSError, match="0x76: no acknowledgement") as error:
        registers.read_register(0xD0, 1)
    assert error.value.errno == errno.ENXIO


def test_smbus2_is_imported_when_a_port_is_opened_and_not_before() -> None:
    for module in (sys.modules["drivers.links.i2c"], i2c_port):
        text = Path(str(module.__file__)).read_text()
        assert "\nimport smbus2" not in text
        assert "\nfrom smbus2" not in text
