"""The wire on a pseudo-terminal: what a real one would carry, no less and no more."""

from __future__ import annotations

import os
import select
import threading

import pytest

from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS, NS_PER_MS
from hil.benches.pty_wire import PtyWire

PATIENCE_S = 20.0
"""Much longer than anything here takes."""


class Counter:
    """Says the numbers 0, 1, 2, ... 255, 255, ... one byte each, one every 5 ms."""

    def __init__(self, link: MemoryLink) -> None:
        self.wake_ns, self._link, self._number = 0, link, 0
        self.ten_said = threading.Event()

    def run(self, now_ns: int) -> None:
        self._link.write(bytes([min(self._number, 255)]), now_ns)
        self._number += 1
        self.wake_ns = now_ns + 5 * NS_PER_MS
        if self._number == 11:  # the last one may still wait to be lost
            self.ten_said.set()


class Flood:
    """Says everything at once when it is asked anything."""

    def __init__(self, link: MemoryLink, flood: bytes) -> None:
        self.wake_ns, self._link, self._flood = FOREVER_NS, link, flood
        link.receiver = self._heard

    def _heard(self, data: bytes, t_ns: int) -> None:
        self._link.write(self._flood, t_ns)

    def run(self, now_ns: int) -> None:
        """Nothing to do."""


def read(fd: int, least: int) -> bytes:
    """At least so many bytes."""
    came = bytearray()
    while len(came) < least:
        assert select.select([fd], [], [], PATIENCE_S)[0], f"only {len(came)} of {least} bytes came"
        came += os.read(fd, 65_536)
    return bytes(came)


@pytest.mark.parametrize("baud", [0, 115_200])
def test_what_is_said_while_no_program_listens_is_lost(baud: int) -> None:
    wire = PtyWire("radar", baud)
    wire.peer = peer = Counter(wire.far)
    with wire:
        assert not wire.is_open
        assert peer.ten_said.wait(PATIENCE_S)
        fd = os.open(wire.path, os.O_RDWR | os.O_NOCTTY)
        assert wire.is_open
        first = read(fd, 1)[0]
        os.close(fd)
        assert not wire.is_open
    assert first >= 10


def test_a_port_may_be_closed_and_opened_again() -> None:
    wire = PtyWire("radar", 0)
    wire.peer = Counter(wire.far)
    with wire:
        for _ in range(3):
            fd = os.open(wire.path, os.O_RDWR | os.O_NOCTTY)
            came = read(fd, 4)
            os.close(fd)
            assert bytes(min(came[0] + n, 255) for n in range(len(came))) == came


def test_more_than_a_terminal_keeps_arrives_all_the_same() -> None:
    """So much comes at once after the machine has stalled."""
    flood = bytes(range(256)) * 1_000
    wire = PtyWire("radar", 0)
    wire.peer = Flood(wire.far, flood)
    with wire:
        fd = os.open(wire.path, os.O_RDWR | os.O_NOCTTY)
        os.write(fd, b"?")
        assert read(fd, len(flood)) == flood
        os.close(fd)
