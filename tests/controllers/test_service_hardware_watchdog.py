"""The hardware watchdog, with a file in its place and the driver's answers given by the test."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controllers.service.hardware_watchdog import (
    WDIOC_GETSUPPORT,
    WDIOC_GETTIMEOUT,
    WDIOC_SETTIMEOUT,
    WDIOF_MAGICCLOSE,
    HardwareWatchdog,
)
from drivers.units import NS_PER_S


class Driver:
    """Answers as a watchdog's driver does."""

    def __init__(self, options: int = WDIOF_MAGICCLOSE, most_s: int = 60, sets: bool = True) -> None:
        self.options, self.most_s, self.sets, self.asked = options, most_s, sets, 0

    def __call__(self, fd: int, request: int, data: Any, mutate: bool) -> int:
        assert mutate
        if request == WDIOC_GETSUPPORT:
            data[:] = struct.pack("II32s", self.options, 0, b"Broadcom BCM2835 Watchdog timer")
        elif request == WDIOC_SETTIMEOUT:
            (self.asked,) = struct.unpack("i", data)
            if not self.sets or self.asked > self.most_s:
                raise OSError(errno.EINVAL, "Invalid argument")
        elif request == WDIOC_GETTIMEOUT:
            data[:] = struct.pack("i", self.most_s)
        return 0


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "watchdog"
    path.touch()
    return path


def opened(path: Path, driver: Callable[..., Any], said: list[str], timeout_s: int = 15) -> HardwareWatchdog:
    watchdog = HardwareWatchdog(path, timeout_s, driver)
    watchdog.open(said.append)
    return watchdog


def test_it_is_fed_four_times_in_its_time_and_stopped_at_a_clean_stop(device: Path) -> None:
    said: list[str] = []
    driver = Driver()
    watchdog = opened(device, driver, said)
    assert driver.asked == 15
    assert said[0].endswith("(Broadcom BCM2835 Watchdog timer): resets the machine 15 s after the last feed")
    for t_ns in range(0, 15 * NS_PER_S, NS_PER_S // 50):
        watchdog.beat(t_ns)
    assert device.read_bytes() == b"\0" * 4
    watchdog.close(True, said.append)
    watchdog.close(True, said.append)
    assert device.read_bytes() == b"\0" * 4 + b"V"
    watchdog.beat(99 * NS_PER_S)
    assert watchdog.fed == 4


def test_after_a_crash_it_counts_on(device: Path) -> None:
    watchdog = opened(device, Driver(), [])
    watchdog.beat(0)
    watchdog.close(False, lambda line: None)
    assert device.read_bytes() == b"\0"


def test_one_that_cannot_be_stopped_is_said(device: Path) -> None:
    said: list[str] = []
    watchdog = opened(device, Driver(options=0), said)
    watchdog.close(True, said.append)
    assert said[-1].endswith("cannot be stopped; the machine resets in 15 s unless somebody feeds it")


def test_a_time_it_does_not_take_leaves_its_own_and_it_is_fed_by_that(device: Path) -> None:
    said: list[str] = []
    watchdog = opened(device, Driver(most_s=8), said)
    assert "does not take 15 s (Invalid argument)" in said[0]
    assert watchdog.figures()["timeout_s"] == 8
    for t_ns in range(0, 8 * NS_PER_S, NS_PER_S // 10):
        watchdog.beat(t_ns)
    assert watchdog.fed == 4
    watchdog.close(True, said.append)


def test_what_is_no_watchdog_is_said_and_done_without(device: Path) -> None:
    said: list[str] = []
    watchdog = HardwareWatchdog(device)  # a file refuses the real ioctl
    watchdog.open(said.append)
    watchdog.beat(0)
    watchdog.close(True, said.append)
    assert len(said) == 1
    assert said[0].endswith("is no watchdog; name one with --hardware-watchdog /dev/watchdog; running without")
    assert device.read_bytes() == b"", "nothing is written to a file that somebody named by mistake"


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    said: list[str] = []
    os.mkfifo(tmp_path / "pipe")
    opened(tmp_path / "pipe", Driver(), said)
    assert said[0].endswith("no such watchdog; there are: ls /dev/watchdog*; running without")


def test_one_that_systemd_holds_is_said_with_the_mend(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(OSError(errno.EBUSY, "busy")))
    watchdog = opened(device, Driver(), said)
    assert "is held by another, most likely systemd (RuntimeWatchdogSec=); let one of the two feed it" in said[0]
    assert str(watchdog.figures()["trouble"]).startswith("is held by another")


def test_a_device_that_takes_no_feed_is_told_and_tried_again(device: Path) -> None:
    watchdog = opened(device, Driver(), [])
    fd = watchdog._fd
    spare = os.dup(fd)
    reader = os.open(device, os.O_RDONLY)
    os.dup2(reader, fd)
    watchdog.beat(0)
    assert (watchdog.refused, watchdog.trouble) == (1, "takes no feed: Bad file descriptor")
    os.dup2(spare, fd)
    watchdog.beat(NS_PER_S)
    assert (watchdog.fed, watchdog.trouble) == (1, "")
    watchdog.close(True, lambda line: None)
    os.close(spare)
    os.close(reader)
