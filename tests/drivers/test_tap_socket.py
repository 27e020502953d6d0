"""A service's tap: what passes reaches who listens, nobody waits for them, and what they miss is counted."""

from __future__ import annotations

import contextlib
import select
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import SystemClock
from drivers.errors import InputError, LinkLost
from drivers.links.memory import memory_pair
from drivers.links.tap import LineSink, Sink, Tap
from drivers.links.tap_client import TapClient, default_path
from drivers.links.tap_records import (
    Line,
    Lost,
    Passed,
    Record,
    Repeated,
    TapWire,
    encode_passed,
)
from drivers.links.tap_server import TapServer
from drivers.links.worker import Worker
from drivers.units import NS_PER_S

WIRES = (TapWire("dali", "uart", "dali", 19_200), TapWire("radar-1", "uart", "ld2451", 115_200))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "board.tap"


@pytest.fixture
def server(path: Path) -> Iterator[TapServer]:
    made = TapServer(path, "west", WIRES)
    made.open()
    yield made
    made.close()


@pytest.fixture
def clients() -> Iterator[list[TapClient]]:
    made: list[TapClient] = []
    yield made
    for client in made:
        client.close()


def listen(server: TapServer, clients: list[TapClient]) -> TapClient:
    """The service takes a listener in while that one waits for hello."""

    def serve() -> None:
        fd = server.fileno()
        assert fd is not None
        assert select.select([fd], [], [], 10)[0]
        server.pump(0)

    with serving(serve):
        clients.append(TapClient(server.path))
    return clients[-1]


@contextlib.contextmanager
def serving(call: Callable[[], None]) -> Iterator[None]:
    """Meanwhile, in a thread of its own."""
    worker = Worker("service")
    worker.submit(call)
    try:
        yield
    finally:
        worker.close()


def all_of(client: TapClient) -> list[Record]:
    found: list[Record] = []
    while more := client.read():
        found += more
    return found


# --- the way from wire to listener


def test_a_listener_is_told_whose_wires_these_are_and_then_all_that_passes(
    server: TapServer, clients: list[TapClient]
) -> None:
    server.passed(0, False, b"before anybody came", 1)
    client = listen(server, clients)
    assert (client.board, client.wires) == ("west", WIRES)
    server.passed(1, False, bytes(range(256)), 5)
    server.passed(0, True, b"h01FE\n", 6)
    server.repeated(1, b"idle", 7, 9, 3)
    server.line(1, 9_600, "E", 1.5, 10)
    assert client.read() == [
        Passed(1, False, 5, bytes(range(256))),
        Passed(0, True, 6, b"h01FE\n"),
        Repeated(1, 7, 9, 3, b"idle"),
        Line(1, 10, 9_600, "E", 1.5),
    ]
    assert client.read() == []


def test_the_newest_line_settings_are_told_to_whoever_comes_later(server: TapServer, clients: list[TapClient]) -> None:
    server.line(1, 115_200, "N", 1, 1)
    server.line(1, 9_600, "E", 1, 2)
    server.line(0, 19_200, "N", 1, 3)
    assert sorted(listen(server, clients).read(), key=str) == [
        Line(0, 3, 19_200, "N", 1.0),
        Line(1, 2, 9_600, "E", 1.0),
    ]


def test_a_tapped_wire_gives_every_byte_both_to_its_device_and_to_its_listeners(
    server: TapServer, clients: list[TapClient]
) -> None:
    near, far = memory_pair("radar-1")
    link, heard, sent = Tap(near, 1, server), [], []
    link.receiver = lambda data, t_ns: heard.append(data)
    far.receiver = lambda data, t_ns: sent.append(data)
    first, second = listen(server, clients), listen(server, clients)
    far.write(b"in", 1)
    link.write(b"out", 2)
    far.repeat(b"idle", 3, 4, 2)
    assert (heard, sent) == ([b"in"], [b"out"])
    expected = [Passed(1, False, 1, b"in"), Passed(1, True, 2, b"out"), Repeated(1, 3, 4, 2, b"idle")]
    assert first.read() == second.read() == expected


class Log:
    """A sink that writes down."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        self.said.append((wire, outward, data, t_ns))

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        self.said.append((wire, frame, first_ns, last_ns, count))


class LineLog(Log):
    def line(self, wire: int, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        self.said.append((wire, baud, parity, stopbits, t_ns))


@pytest.mark.parametrize("kind", [Log, LineLog])
def test_a_client_can_stand_in_for_the_tap_itself(kind: Any, server: TapServer, clients: list[TapClient]) -> None:
    assert isinstance(server, LineSink)
    client, near, there = listen(server, clients), kind(), kind()
    sinks: list[Sink] = [server, near]
    for sink in sinks:
        sink.passed(0, True, b"x", 1)
        sink.repeated(1, b"idle", 2, 3, 4)
        if isinstance(sink, LineSink):
            sink.line(1, 9_600, "O", 2, 5)
    client.pump(there)
    assert there.said == near.said


# --- nobody waits


def test_a_slow_listener_loses_whole_records_and_is_told_how_many(path: Path, clients: list[TapClient]) -> None:
    server = TapServer(path, "west", WIRES, buffer_b=10_000)
    server.open()
    slow, quick = listen(server, clients), listen(server, clients)
    chunks = [b"%06d" % n + bytes(94) for n in range(20_000)]
    fast: list[Record] = []
    for n, chunk in enumerate(chunks):
        server.passed(1, False, chunk, n)
        server.pump(n)
        if n % 50 == 0:
            fast += quick.read()
    for _ in range(100):
        server.pump(20_001)
        fast += quick.read()
    assert [record.data for record in fast if isinstance(record, Passed)] == chunks
    assert quick.lost_records == 0
    found: list[Record] = []
    for n in range(2000):
        found += slow.read()
        server.pump(20_002)
        if n == 1000:
            server.passed(1, False, b"after", 20_003)
    whole = [record.data for record in found if isinstance(record, Passed)]
    assert whole[-1] == b"after"
    assert set(whole[:-1]) <= set(chunks)
    assert whole[:-1] == sorted(whole[:-1])
    assert slow.lost_records == len(chunks) - len(whole[:-1]) > 0
    assert slow.lost_b == 100 * slow.lost_records
    assert sum(record.records for record in found if isinstance(record, Lost)) == slow.lost_records
    server.close()


def test_a_listener_that_never_reads_costs_bounded_memory_and_no_time(path: Path, clients: list[TapClient]) -> None:
    server = TapServer(path, "west", WIRES, buffer_b=5_000)
    server.open()
    listen(server, clients)
    began_ns = SystemClock().now_ns()
    for n in range(50_000):
        server.passed(1, False, bytes(100), n)
    assert SystemClock().now_ns() - began_ns < 10 * NS_PER_S  # it would stand still for ever
    (listener,) = server._listeners.values()
    assert len(listener._waiting) <= 5_000
    server.close()


def test_a_chunk_larger_than_the_buffer_is_lost_and_told_at_the_next_one(path: Path, clients: list[TapClient]) -> None:
    server = TapServer(path, "west", WIRES, buffer_b=1_000)
    server.open()
    client = listen(server, clients)
    server.passed(0, False, bytes(2_000), 1)
    server.passed(0, False, b"next", 2)
    server.pump(3)
    assert all_of(client) == [Lost(2, 1, 2_000), Passed(0, False, 2, b"next")]
    server.close()


def test_a_listener_that_goes_is_forgotten_and_disturbs_nobody(server: TapServer, clients: list[TapClient]) -> None:
    first, second = listen(server, clients), listen(server, clients)
    assert server.listeners == 2
    first.close()
    first.close()
    assert first.fileno() is None
    server.passed(0, False, b"x", 1)  # noticed here, or at the next poll
    server.pump(2)
    assert server.listeners == 1
    assert second.read() == [Passed(0, False, 1, b"x")]
    second.close()
    server.pump(3)
    assert server.listeners == 0


def test_a_listener_that_goes_while_much_waits_for_it_is_forgotten(server: TapServer, clients: list[TapClient]) -> None:
    client = listen(server, clients)
    for n in range(3_000):
        server.passed(0, False, bytes(100), n)
    client.close()
    server.pump(1)
    server.pump(2)
    assert server.listeners == 0


def test_what_a_listener_says_is_thrown_away(server: TapServer, clients: list[TapClient]) -> None:
    client = listen(server, clients)
    client._end.send(b"h01FE\n" * 1000)
    for n in range(10):
        server.pump(n)
    server.passed(0, False, b"x", 1)
    assert client.read() == [Passed(0, False, 1, b"x")]
    assert server.listeners == 1


def test_only_so_many_listen_and_the_next_is_told_why_not(path: Path, clients: list[TapClient]) -> None:
    server = TapServer(path, "west", WIRES, listeners=2)
    server.open()
    listen(server, clients)
    listen(server, clients)
    with pytest.raises(LinkLost, match="are there as many listeners already as it takes"):
        listen(server, clients)
    clients.pop().close()
    server.pump(1)
    listen(server, clients)
    assert server.listeners == 2
    server.close()


# --- the file


def test_the_socket_is_for_the_group_and_gone_after_closing(server: TapServer, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    server.close()
    server.close()
    assert not path.exists()
    assert server.fileno() is None
    server.pump(1)
    server.passed(0, False, b"x", 1)


def test_what_a_dead_service_has_left_is_replaced(path: Path, clients: list[TapClient]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    server = TapServer(path, "west", WIRES)
    server.open()
    assert listen(server, clients).board == "west"
    server.close()


def test_a_tap_that_another_service_has_is_left_alone(server: TapServer, path: Path) -> None:
    with pytest.raises(InputError, match=r"another service has it; stop that one, or name another path with --tap"):
        TapServer(path, "east", WIRES).open()
    assert path.exists()


def test_a_file_that_is_no_socket_is_not_touched(path: Path) -> None:
    path.write_text("dear diary")
    with pytest.raises(InputError, match="is a file; name a path for the socket"):
        TapServer(path, "west", WIRES).open()
    assert path.read_text() == "dear diary"


def test_closing_leaves_what_another_service_has_put_in_its_place(server: TapServer, path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.write_text("another's")
    server.close()
    assert path.exists()


@pytest.mark.parametrize(
    ("place", "words"),
    [("none/board.tap", "no such folder; make it with: mkdir -p"), ("x" * 120, "tap .*: .*too long")],
)
def test_a_place_that_cannot_be_is_refused_with_the_mend(place: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        TapServer(tmp_path / place, "west", WIRES).open()


def test_listening_where_nobody_serves_says_what_to_start(path: Path) -> None:
    with pytest.raises(InputError, match="no service has its tap there; start it with: leeze-controllers run … --tap"):
        TapClient(path)


def test_a_service_that_ends_is_told(server: TapServer, clients: list[TapClient]) -> None:
    client = listen(server, clients)
    server.passed(0, False, b"last", 1)
    server.close()
    assert client.read() == [Passed(0, False, 1, b"last")]
    with pytest.raises(LinkLost, match="the service has ended, or hung up on us"):
        client.read()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (encode_passed(0, False, b"x", 1), "it begins with something else than hello"),
        (b"HTTP/1.1 400 Bad Request\r\n", "is no tap: a message of"),
        (b"\x05\x00\x00\x00\x00{}  ", "is no tap: "),
        (None, "says nothing for 2 s; does the service hang?"),
    ],
)
def test_what_is_no_tap_is_not_taken_for_one(said: bytes | None, words: str, path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as ear:
        ear.bind(str(path))
        ear.listen()

        def serve() -> None:
            with ear.accept()[0] as end:
                end.settimeout(10)
                if said is not None:
                    end.send(said)
                end.recv(1)

        with serving(serve), pytest.raises(LinkLost, match=words):
            TapClient(path)


def test_the_default_place_is_that_of_the_papers() -> None:
    assert str(default_path("kanalpromenade-lamp")) == "/run/leeze/kanalpromenade-lamp.tap"
