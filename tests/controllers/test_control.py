"""The control socket: it answers, and whoever is slow, rude or many holds nobody."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controllers.service.control import ANSWER_B, CLIENTS, LINE_B, ControlClient, ControlServer
from drivers.clock import SystemClock
from drivers.errors import InputError


def answer(asked: dict[str, Any], t_ns: int) -> dict[str, Any]:
    if asked.get("ask") != "status":
        raise InputError(f"{asked.get('ask')!r} is not understood")
    return {"status": {"at_ns": t_ns}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ControlServer]:
    made = ControlServer(tmp_path / "west.sock", answer)
    made.open()
    yield made
    made.close()


def come(server: ControlServer) -> socket.socket:
    end = socket.socket(socket.AF_UNIX)
    end.settimeout(60)
    end.connect(str(server.path))
    server.pump(0)
    return end


def say(server: ControlServer, end: socket.socket, data: bytes, t_ns: int = 5) -> list[Any]:
    end.sendall(data)
    server.pump(t_ns)
    end.setblocking(False)
    try:
        heard = end.recv(1 << 20)
    except BlockingIOError:
        return []
    return [json.loads(line) for line in heard.splitlines()]


def is_gone(end: socket.socket) -> bool:
    end.setblocking(False)
    try:
        return end.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_each_line_has_its_answer(server: ControlServer) -> None:
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o660
    with come(server) as end:
        assert say(server, end, b'{"ask": "sta') == []
        assert say(server, end, b'tus"}\n', 7) == [{"status": {"at_ns": 7}}]
        assert say(server, end, b'{"ask": "status"}\n{"ask": "dance"}\n') == [
            {"status": {"at_ns": 5}},
            {"error": "'dance' is not understood"},
        ]
        assert "error" in say(server, end, b"[]\n")[0]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
def test_whatever_is_said_it_goes_on(server: ControlServer, data: bytes) -> None:
    with come(server) as end:
        for said in say(server, end, data + b"\n"):
            assert "error" in said
    server.pump(1)
    with come(server) as end:
        assert say(server, end, b'{"ask": "status"}\n') == [{"status": {"at_ns": 5}}]
    server.pump(2)


def test_a_line_without_end_and_a_flood_are_hung_up_on(server: ControlServer) -> None:
    with come(server) as endless, come(server) as flood:
        endless.sendall(b"x" * (LINE_B + 1))
        flood.sendall(b'{"ask": "status"}\n' * 9)
        for _ in range(4):
            server.pump(1)
        assert is_gone(endless)
        assert server.clients == 0


def test_one_who_does_not_read_is_hung_up_on_and_costs_a_bounded_buffer(tmp_path: Path) -> None:
    long = ControlServer(tmp_path / "long.sock", lambda asked, t_ns: {"status": "x" * (ANSWER_B // 4)})
    long.open()
    with come(long) as lazy:
        for _ in range(60):
            try:
                lazy.sendall(b'{"ask": "status"}\n')
            except OSError:
                break
            long.pump(1)
        assert long.clients == 0
    long.close()


def test_when_all_places_are_taken_the_one_that_was_silent_longest_goes(server: ControlServer) -> None:
    ends = [come(server) for _ in range(CLIENTS)]
    for t_ns, end in enumerate(ends[1:], start=10):
        say(server, end, b'{"ask": "status"}\n', t_ns)
    newest = come(server)
    assert server.clients == CLIENTS
    assert is_gone(ends[0])
    assert say(server, newest, b'{"ask": "status"}\n') == [{"status": {"at_ns": 5}}]
    for end in [*ends, newest]:
        end.close()


def test_a_second_service_is_refused_and_a_dead_ones_file_is_replaced(server: ControlServer) -> None:
    with pytest.raises(InputError, match="another service has it; stop that one, or name another path with --socket"):
        ControlServer(server.path, answer).open()
    server.close()
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(server.path))
    dead.close()
    again = ControlServer(server.path, answer)
    again.open()
    again.close()
    assert not server.path.exists()


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda path: None, "nobody answers; is the controller running?"),
        (lambda path: path.write_text(""), "nobody answers; is the controller running?"),
    ],
)
def test_where_nobody_answers_the_client_says_so(prepare: Callable[[Path], object], words: str, tmp_path: Path) -> None:
    prepare(tmp_path / "no.sock")
    with pytest.raises(InputError, match=r"no\.sock: " + words.replace("?", r"\?")):
        ControlClient(tmp_path / "no.sock", SystemClock())


def test_a_loop_that_hangs_is_not_waited_for_longer_than_was_said(server: ControlServer) -> None:
    with ControlClient(server.path, SystemClock(), wait_ms=50) as client:
        with pytest.raises(InputError, match=r"no answer within 0\.05 s; its loop is busy or hangs"):
            client.ask("status")
        assert not client.wait_for_end(50)
        server.close()
        assert client.wait_for_end(60_000)
