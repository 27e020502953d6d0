"""A program that was held up between its wait and its turn has the bytes of that time before it judges any deadline."""

from __future__ import annotations

import os
import tty
from collections.abc import Iterator

import pytest

from drivers.clock import SystemClock
from drivers.codecs.mb7389 import Reading, encode_reading
from drivers.devices.ranging import Mb7389
from drivers.links.poll import WirePoll
from drivers.links.uart import UartLink
from drivers.quantities import DeviceHealth, Quantity, Range
from drivers.units import NS_PER_MS, NS_PER_S

FRAME = encode_reading(Reading(1234))


@pytest.fixture
def port() -> Iterator[tuple[int, str]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


def test_what_came_after_the_wait_is_heard_in_the_turn_that_follows(port: tuple[int, str]) -> None:
    clock, heard = SystemClock(), list[Quantity]()
    link = UartLink("bay", port[1], 9_600)
    sensor = Mb7389("bay", link, heard.append, stale_ns=NS_PER_S)
    wires = WirePoll([link], clock, 20 * NS_PER_MS)
    now_ns = clock.now_ns()
    wires.pump(now_ns)
    assert link.is_open
    sensor.advance(now_ns)
    wires.wait_until_ns(now_ns + NS_PER_MS)  # nothing has come
    os.write(port[0], FRAME)
    wires.pump(now_ns + 5 * NS_PER_S)  # so long was it held up
    sensor.advance(now_ns + 5 * NS_PER_S)
    assert [type(value) for value in heard] == [Range], "it was silent, but for the program"
    sensor.advance(now_ns + 7 * NS_PER_S)
    assert isinstance(heard[-1], DeviceHealth)
    link.close()
