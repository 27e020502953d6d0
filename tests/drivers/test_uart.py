"""The serial link, on pseudo-terminals, a loop and a local TCP socket."""

from __future__ import annotations

import os
import select
import socket
import termios
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.errors import InputError, LinkLost
from drivers.links.port import mend
from drivers.links.uart import BACK_OFF_MAX_NS, BACK_OFF_MIN_NS, RETRY_NS, UartLink

DEADLINE_MS = 5000
S = 1_000_000_000


class Far:
    """The other end of a pseudo-terminal."""

    def __init__(self) -> None:
        self.fd, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)

    def unplug(self) -> None:
        for fd in (self.fd, self._slave):
            if fd >= 0:
                os.close(fd)
        self.fd = self._slave = -1

    def read_some(self, wait_ms: int = DEADLINE_MS) -> bytes:
        """Empty if nothing comes before the deadline."""
        return os.read(self.fd, 65536) if select.select([self.fd], [], [], wait_ms / 1000)[0] else b""

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := self.read_some()):
            data += more
        return data


@pytest.fixture
def far() -> Iterator[Far]:
    end = Far()
    yield end
    end.unplug()


@pytest.fixture
def heard() -> list[tuple[bytes, int]]:
    return []


def linked(port: str, heard: list[tuple[bytes, int]], **more: Any) -> UartLink:
    link = UartLink("radar-1", port, 115200, **more)
    link.receiver = lambda data, t_ns: heard.append((data, t_ns))
    link.open(0)
    return link


def readable(link: UartLink) -> None:
    """Wait as the loop does."""
    fd = link.fileno()
    assert fd is not None
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    assert poll.poll(DEADLINE_MS)


def test_bytes_go_both_ways_over_a_pseudo_terminal(far: Far, heard: list[tuple[bytes, int]]) -> None:
    link = linked(far.port, heard)
    every_byte = bytes(range(256))
    link.write(every_byte, 1)
    assert far.read(256) == every_byte
    os.write(far.fd, every_byte)
    while sum(len(data) for data, _ in heard) < 256:
        readable(link)
        link.pump(7)
    assert b"".join(data for data, _ in heard) == every_byte
    assert {t_ns for _, t_ns in heard} == {7}
    link.close()


def test_a_pump_with_nothing_there_calls_nobody_and_loses_nothing(far: Far, heard: list[tuple[bytes, int]]) -> None:
    link = linked(far.port, heard)
    for t_ns in range(50):
        link.pump(t_ns)
    assert heard == []
    assert link.is_open
    link.close()


def test_a_second_program_is_refused_with_the_mend(far: Far, heard: list[tuple[bytes, int]]) -> None:
    link = linked(far.port, heard)
    with pytest.raises(LinkLost, match=f"radar-2: {far.port}: another program uses it; find it with: fuser"):
        UartLink("radar-2", far.port, 9600).open(3)
    link.close()
    UartLink("radar-2", far.port, 9600).open(4)


def test_an_unplugged_port_is_lost_once_and_comes_back_with_growing_pauses(heard: list[tuple[bytes, int]]) -> None:
    far = Far()
    link = linked(far.port, heard)
    far.unplug()
    readable(link)
    with pytest.raises(LinkLost, match=r"radar-1: /dev/pts/\d+: gone .*plugged in"):
        link.pump(S)
    assert (link.is_open, link.fileno(), link.wake_ns) == (False, None, S + BACK_OFF_MIN_NS)
    with pytest.raises(LinkLost) as lost:
        link.write(b"\x01\x02", S + 1)
    assert lost.value.raw == b"\x01\x02"
    link.port = "/dev/does-not-exist"
    pauses = []
    for _ in range(9):
        now_ns = link.wake_ns
        link.pump(now_ns - 1)
        assert link.wake_ns == now_ns  # before its time: nothing
        link.advance(now_ns)
        pauses.append(link.wake_ns - now_ns)
    assert pauses == [min(BACK_OFF_MIN_NS << n, BACK_OFF_MAX_NS) for n in range(9)]
    assert "no such port" in link.trouble
    again = Far()
    link.port = again.port
    link.advance(link.wake_ns)
    assert link.is_open
    link.write(b"back", 99 * S)
    assert again.read(4) == b"back"
    link.close()
    again.unplug()


def test_a_port_that_takes_no_more_never_blocks_and_gets_the_rest_later(
    far: Far, heard: list[tuple[bytes, int]]
) -> None:
    link = linked(far.port, heard, pending_limit_b=1 << 20)
    sent = bytes(n % 251 for n in range(200_000))
    link.write(sent[:100_000], 0)
    link.write(sent[100_000:], 1)
    assert link.wake_ns == 1 + RETRY_NS
    got, now_ns = b"", 1
    while len(got) < len(sent):
        now_ns += RETRY_NS
        link.advance(now_ns)  # raises after a second of these without progress
        got += far.read_some(wait_ms=10)
    assert got == sent
    link.advance(now_ns + RETRY_NS)
    assert link.wake_ns > now_ns + S
    link.close()


def test_more_than_the_limit_is_a_lost_link(far: Far, heard: list[tuple[bytes, int]]) -> None:
    link = linked(far.port, heard, pending_limit_b=1000)
    with pytest.raises(LinkLost, match="takes no more bytes"):
        link.write(bytes(1 << 20), 0)
    assert not link.is_open


def test_bytes_that_wait_too_long_are_a_lost_link(far: Far, heard: list[tuple[bytes, int]]) -> None:
    link = linked(far.port, heard, pending_limit_b=1 << 22, write_deadline_ns=S)
    link.write(bytes(1 << 20), 0)

    def go_on() -> None:  # the kernel may still take some at first
        for step in range(1, 1000):
            link.advance(step * S // 2)

    with pytest.raises(LinkLost, match="took nothing for 1000 ms"):
        go_on()
    assert not link.is_open


def test_the_loop_of_pyserial_works_without_a_descriptor(heard: list[tuple[bytes, int]]) -> None:
    link = linked("loop://", heard)
    assert link.fileno() is None
    link.write(b"round", 1)
    link.pump(2)
    assert heard == [(b"round", 2)]
    link.pump(3)
    assert len(heard) == 1
    link.close()


def test_a_full_loop_does_not_block(heard: list[tuple[bytes, int]]) -> None:
    link = linked("loop://", heard)
    link.write(bytes(6000), 0)
    for step in range(3):
        link.pump(step * RETRY_NS)
    assert sum(len(data) for data, _ in heard) == 6000
    link.close()


def test_a_tcp_socket_works_and_its_end_is_a_lost_link(heard: list[tuple[bytes, int]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = linked(f"socket://127.0.0.1:{server.getsockname()[1]}", heard)
        far, _ = server.accept()
        far.settimeout(DEADLINE_MS / 1000)
        link.write(b"ping", 0)
        assert far.recv(4) == b"ping"
        link.pump(1)
        assert heard == []
        far.sendall(b"pong")
        readable(link)
        link.pump(2)
        assert heard == [(b"pong", 2)]
        far.close()
        readable(link)
        with pytest.raises(LinkLost, match="end of stream"):
            link.pump(3)
    link.close()


def test_nobody_at_the_far_end_of_a_socket_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
    with pytest.raises(LinkLost, match="nobody listens there"):
        UartLink("feed", f"socket://127.0.0.1:{number}", 9600).open(0)


@pytest.mark.parametrize(
    ("port", "said"),
    [
        ("/dev/does-not-exist", "no such port; is the adapter plugged in"),
        ("socket://nowhere", "socket://HOST:PORT"),
        ("strange://x", "protocol 'strange' not known"),
        ("/dev/null", "/dev/null: "),
    ],
)
def test_a_port_that_does_not_open_says_why(port: str, said: str) -> None:
    link = UartLink("radar-1", port, 9600)
    with pytest.raises(LinkLost, match=said):
        link.open(5)
    assert link.wake_ns == 5 + BACK_OFF_MIN_NS
    link.advance(link.wake_ns)  # silent
    assert said in link.trouble


def test_a_missing_permission_names_the_group() -> None:
    assert "group dialout" in mend("/dev/ttyUSB0", PermissionError(13, "Permission denied"))


def test_not_opened_a_link_opens_at_its_first_advance(far: Far) -> None:
    link = UartLink("radar-1", far.port, 9600)
    with pytest.raises(LinkLost, match="not opened yet"):
        link.write(b"x", 0)
    link.advance(0)
    assert link.is_open
    link.close()
    link.close()
    link.advance(1 << 60)
    assert not link.is_open


def test_line_settings_are_reported_when_they_take_effect(far: Far) -> None:
    reported: list[tuple[int, str, float, int]] = []
    link = UartLink("radar-1", far.port, 9600, on_line=lambda *line: reported.append(line))
    link.set_line(19200, "N", 1)
    assert reported == []
    link.open(2)
    link.set_line(115200, "N", 3)
    assert reported == [(19200, "N", 1, 2), (115200, "N", 1, 3)]
    fd = link.fileno()
    assert fd is not None
    assert termios.tcgetattr(fd)[4] == termios.B115200
    link.close()


def test_parity_on_a_pseudo_terminal_is_an_error_not_a_traceback(far: Far) -> None:
    link = UartLink("meter", far.port, 9600)
    link.open(0)
    said = ""
    try:
        link.set_line(9600, "E", 1)
        link.set_line(19200, "E", 2)
    except LinkLost as lost:
        said = str(lost)
    assert link.is_open == (not said)  # some kernels take it
    assert not said or "pseudo-terminals do only N" in said
    link.close()


@pytest.mark.parametrize(("baud", "parity", "stopbits"), [(0, "N", 1), (9600, "X", 1), (9600, "N", 3)])
def test_settings_no_port_has_are_refused(baud: int, parity: str, stopbits: int) -> None:
    with pytest.raises(InputError, match=r"^radar-1: "):
        UartLink("radar-1", "loop://", baud, parity, stopbits)


def test_an_import_of_the_link_does_not_import_pyserial() -> None:
    import subprocess
    import sys

    program = "import sys, drivers.links.uart; sys.exit('serial' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=False).returncode == 0
