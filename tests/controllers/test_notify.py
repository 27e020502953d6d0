"""sd_notify against a real datagram socket, by path and in the abstract space."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from controllers.service.notify import Notifier
from drivers.units import NS_PER_S


class Systemd:
    """The far end: what was said, one datagram an item."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(address)

    def heard(self) -> list[str]:
        said = []
        while True:
            try:
                said.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return said


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Systemd, str]]:
    place = str(tmp_path / "notify") if request.param == "path" else f"@leeze-test-{os.getpid()}"
    far = Systemd("\0" + place[1:] if place.startswith("@") else place)
    yield far, place
    far.socket.close()


def test_it_is_ready_after_the_first_tick_and_the_watchdog_is_fed_four_times_in_its_time(
    systemd: tuple[Systemd, str],
) -> None:
    far, place = systemd
    ticks = 0
    notifier = Notifier({"NOTIFY_SOCKET": place, "WATCHDOG_USEC": "2000000"}, lambda: ticks > 0)
    notifier.beat(0)
    assert far.heard() == [], "no tick, not ready"
    ticks = 1
    for t_ns in range(0, 2 * NS_PER_S, NS_PER_S // 50):
        notifier.beat(t_ns)
    assert far.heard() == ["READY=1", *["WATCHDOG=1"] * 4]
    notifier.status("all\n well ")
    notifier.status("all well")
    notifier.stopping()
    assert far.heard() == ["STATUS=all well", "STOPPING=1"]
    notifier.close()
    notifier.close()
    notifier.beat(9 * NS_PER_S)
    assert far.heard() == []


def test_what_was_known_before_it_is_ready_is_said_with_it(systemd: tuple[Systemd, str]) -> None:
    far, place = systemd
    notifier = Notifier({"NOTIFY_SOCKET": place})
    notifier.status("ä" * 600)
    notifier.beat(0)
    cut = "ä" * 256
    assert far.heard() == [f"STATUS={cut}", f"READY=1\nSTATUS={cut}"]
    notifier.close()


@pytest.mark.parametrize("pid", ["1", "x"])
def test_a_watchdog_of_another_process_is_not_ours(pid: str, systemd: tuple[Systemd, str]) -> None:
    far, place = systemd
    notifier = Notifier({"NOTIFY_SOCKET": place, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": pid})
    for t_ns in range(0, 5 * NS_PER_S, NS_PER_S):
        notifier.beat(t_ns)
    assert far.heard() == ["READY=1"]
    notifier.close()


def test_where_nobody_listens_nothing_is_said() -> None:
    notifier = Notifier({"WATCHDOG_USEC": "1000000"})
    notifier.beat(0)
    notifier.stopping()
    assert (notifier.sent, notifier.lost, notifier.figures()) == (0, 0, None)


def test_a_full_queue_holds_nobody_and_the_next_beat_makes_up_for_it(systemd: tuple[Systemd, str]) -> None:
    far, place = systemd
    notifier = Notifier({"NOTIFY_SOCKET": place, "WATCHDOG_USEC": "1000000"})
    while not notifier.lost:
        notifier.stopping()
    notifier.beat(0)
    assert not notifier.is_said_ready
    far.heard()
    notifier.beat(1)
    assert far.heard() == ["READY=1", "WATCHDOG=1"]
    notifier.close()


def test_a_systemd_that_is_gone_ends_nothing(tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    notifier.beat(0)
    assert notifier.lost == 1
    notifier.close()
