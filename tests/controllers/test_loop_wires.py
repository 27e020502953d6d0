"""The wires of the loop: woken by bytes or at a deadline, which is met, and what is lost comes back."""

from __future__ import annotations

import os
import select
import tty
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from drivers.clock import SystemClock, VirtualClock
from drivers.errors import LinkLost
from drivers.links.poll import MOST_EARLY_NS, WirePoll
from drivers.links.uart import UartLink
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

PERIOD_NS = 20 * NS_PER_MS
START_NS = 7_000 * NS_PER_S + 3 * NS_PER_MS  # not on the grid
GRID_NS = (START_NS // PERIOD_NS + 1) * PERIOD_NS


class Pipe:
    """A link over a pipe whose loss can be staged."""

    name = "pipe"

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        self.heard: list[tuple[bytes, int]] = []
        self.lost = False

    def fileno(self) -> int | None:
        return self.read_fd

    def pump(self, t_ns: int) -> None:
        if self.lost:
            raise LinkLost(self.name, t_ns, "unplugged")
        self.heard.append((os.read(self.read_fd, 4096), t_ns))

    def close(self) -> None:
        os.close(self.read_fd)
        os.close(self.write_fd)


def test_waiting_ends_with_the_first_bytes_and_pump_hands_them_over() -> None:
    clock = SystemClock()
    quiet, busy = Pipe(), Pipe()
    wires: Any = WirePoll([quiet, busy], clock, PERIOD_NS)
    os.write(busy.write_fd, b"abc")
    wires.wait_until_ns(FOREVER_NS)
    wires.pump(42)
    assert (quiet.heard, busy.heard) == ([], [(b"abc", 42)])
    quiet.close()
    busy.close()


def test_without_bytes_waiting_ends_at_the_deadline_and_pump_reads_nothing() -> None:
    clock = SystemClock()
    pipe = Pipe()
    wires: Any = WirePoll([pipe], clock, PERIOD_NS)
    for wait_ns in (0, 300_000, 2_300_000):
        deadline_ns = clock.now_ns() + wait_ns
        wires.wait_until_ns(deadline_ns)
        assert clock.now_ns() >= deadline_ns
        wires.pump(42)
    assert pipe.heard == []
    pipe.close()


class SleepyClock(VirtualClock):
    """Wakes late, by what is in `late_ns` in turn; every look at it takes a microsecond."""

    def __init__(self, late_ns: Sequence[int]) -> None:
        super().__init__(START_NS)
        self._late_ns, self._sleeps, self.looks = late_ns, 0, 0

    def now_ns(self) -> int:
        self.looks += 1
        super().sleep_until_ns(super().now_ns() + 1000)
        return super().now_ns()

    def sleep_until_ns(self, deadline_ns: int) -> None:
        late_ns = self._late_ns[self._sleeps % len(self._late_ns)]
        self._sleeps += 1
        super().sleep_until_ns(deadline_ns + late_ns)


@pytest.mark.parametrize("late_us", [0, 20, 50, 150])
def test_a_sleep_that_always_ends_late_is_learned_and_the_deadline_is_met_but_never_early(late_us: int) -> None:
    clock = SleepyClock([late_us * 1000])
    wires = WirePoll([], clock, PERIOD_NS)
    late_ns = []
    for n in range(200):
        deadline_ns = START_NS + (n + 1) * NS_PER_MS
        wires.wait_until_ns(deadline_ns)
        late_ns.append(clock.now_ns() - deadline_ns)
    assert min(late_ns) >= 0
    assert max(late_ns[100:]) <= 8_000, "a few looks at the clock"
    assert wires.early_ns <= late_us * 1000 + 10_000


def test_a_machine_that_is_hopelessly_late_does_not_make_it_burn_time_without_end() -> None:
    clock = SleepyClock([NS_PER_MS])
    wires = WirePoll([], clock, PERIOD_NS)
    for n in range(200):
        wires.wait_until_ns(START_NS + (n + 1) * 3 * NS_PER_MS)
    assert wires.early_ns == MOST_EARLY_NS
    assert clock.looks < 200 * 12


def test_what_is_to_be_done_before_a_deadline_is_called_for_before_it() -> None:
    clock = SleepyClock([50_000])
    wires = WirePoll([], clock, PERIOD_NS)
    called_ns: list[int] = []
    wires.awake = lambda: called_ns.append(clock.now_ns())
    early = 0
    for n in range(200):
        deadline_ns = START_NS + (n + 1) * NS_PER_MS
        wires.wait_until_ns(deadline_ns)
        early += called_ns[-1] < deadline_ns
    assert len(called_ns) == 200
    assert early > 100


def test_whoever_asks_hears_which_source_has_been_served() -> None:
    pipe, signals = Pipe(), SimpleNamespace(fileno=lambda: None, pump=lambda t_ns: None)
    other: Any = signals
    wires: Any = WirePoll([pipe], SystemClock(), PERIOD_NS, None, [other])
    served: list[str] = []
    wires.served = served.append
    os.write(pipe.write_fd, b"x")
    wires.wait_until_ns(0)
    wires.pump(1)
    assert served == ["pipe"]
    pipe.close()


def test_a_lost_link_is_counted_and_the_others_are_served() -> None:
    broken, sound = Pipe(), Pipe()
    wires: Any = WirePoll([broken, sound], SystemClock(), PERIOD_NS)
    broken.lost = True
    for pipe in (broken, sound):
        os.write(pipe.write_fd, b"x")
    wires.wait_until_ns(0)
    wires.pump(1)
    assert wires.losses == 1
    assert sound.heard == [(b"x", 1)]
    broken.close()
    sound.close()


def test_a_link_that_finds_itself_lost_while_it_sends_is_counted() -> None:
    def stuck(now_ns: int) -> None:
        link.wake_ns = now_ns + NS_PER_S
        raise LinkLost("dali", now_ns, "took nothing for 1000 ms")

    link: Any = SimpleNamespace(name="dali", wake_ns=5, trouble="", is_open=False, fileno=lambda: None, advance=stuck)
    link.pump = lambda t_ns: None
    wires = WirePoll([link], VirtualClock(START_NS), PERIOD_NS)
    wires.pump(4)
    assert wires.losses == 0
    for t_ns in (5, 6):
        wires.pump(t_ns)
        assert wires.losses == 1
    assert wires.wake_ns(6) == 5 + NS_PER_S


def test_links_without_a_descriptor_are_asked_at_every_tick() -> None:
    clock = VirtualClock(START_NS)
    heard: list[bytes] = []
    link = UartLink("radar-1", "loop://", 115200)
    link.receiver = lambda data, t_ns: heard.append(data)
    wires = WirePoll([link], clock, PERIOD_NS)
    assert wires.wake_ns(START_NS) < START_NS  # to be opened
    assert wires.troubles == {"radar-1": "not opened yet"}
    wires.pump(START_NS)
    assert wires.troubles == {}
    assert wires.wake_ns(START_NS) == GRID_NS
    link.write(b"abc", START_NS)
    wires.wait_until_ns(GRID_NS)
    wires.pump(GRID_NS)
    assert heard == [b"abc"]
    link.close()


def test_a_port_that_is_lost_and_comes_back_is_watched_again() -> None:
    clock = VirtualClock(START_NS)
    near, far = os.openpty()
    tty.setraw(far)
    port = os.ttyname(far)
    link = UartLink("radar-1", port, 115200)
    heard: list[bytes] = []
    link.receiver = lambda data, t_ns: heard.append(data)
    wires = WirePoll([link], clock, PERIOD_NS)
    wires.pump(START_NS)
    os.close(near)
    os.close(far)
    wires.wait_until_ns(START_NS)
    wires.pump(START_NS)
    assert wires.losses == 1
    assert "gone" in wires.troubles["radar-1"]
    assert START_NS < wires.wake_ns(START_NS) < FOREVER_NS
    near, far = os.openpty()
    tty.setraw(far)
    link.port = os.ttyname(far)
    wires.pump(wires.wake_ns(START_NS))
    assert wires.troubles == {}
    os.write(near, b"back")
    assert select.select([link.fileno()], [], [], 10)[0]
    wires.wait_until_ns(START_NS)
    wires.pump(START_NS + NS_PER_S)
    assert heard == [b"back"]
    link.close()
    os.close(near)
    os.close(far)
