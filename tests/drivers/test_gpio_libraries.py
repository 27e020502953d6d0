"""The GPIO link on libraries that hang, and on RPi.GPIO's calls as its documentation has them (a stand-in)."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from drivers.clock import SystemClock
from drivers.errors import LinkLost, OutOfRange
from drivers.line_events import EDGE, SET, LineEvent, LineEventStream, encode, encode_pwm
from drivers.links import gpio
from drivers.links.gpio import OPEN_NS, GpioLine, GpioLink
from drivers.links.line_worker import ORDERS
from drivers.units import NS_PER_MS, NS_PER_S

CLOCK = SystemClock()


class Gate:
    """Holds a thread up until it is opened."""

    def __init__(self) -> None:
        self.is_open = self.reached = False

    def pass_(self) -> None:
        self.reached = True
        deadline_ns = CLOCK.now_ns() + 20 * NS_PER_S
        while not self.is_open:
            assert CLOCK.now_ns() < deadline_ns
            select.select([], [], [], 0.001)


def until(link: GpioLink, true: Callable[[], Any]) -> None:
    deadline_ns = CLOCK.now_ns() + 10 * NS_PER_S
    while not true():
        assert CLOCK.now_ns() < deadline_ns, "never came"
        fd = link.fileno()
        assert fd is not None
        select.select([fd], [], [], 0.005)
        link.pump(CLOCK.now_ns())


def test_a_library_that_hangs_while_it_opens_holds_nobody_up_and_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, mock = Gate(), MockFactory()

    def slow() -> MockFactory:
        gate.pass_()
        return mock

    link = GpioLink("yard", [GpioLine(17, out=True)], factory=slow)
    link.advance(0)
    assert (link.is_open, link.wake_ns) == (False, OPEN_NS)
    link.advance(OPEN_NS - 1)
    assert link.trouble == "not opened yet"
    link.advance(OPEN_NS)
    assert "does not open; is its daemon stuck?" in link.trouble
    assert link.wake_ns == 2 * OPEN_NS
    monkeypatch.setattr(gpio, "OPEN_NS", 20 * NS_PER_MS)
    with pytest.raises(LinkLost, match="does not open within"):
        link.open(0)
    gate.is_open = True
    until(link, lambda: link.is_open)
    link.open(0)  # it is
    link.close()


def test_a_library_that_hangs_at_work_is_a_lost_link_once_its_orders_are_full() -> None:
    gate, mock = Gate(), MockFactory()
    link = GpioLink("yard", [GpioLine(17, out=True)], factory=lambda: mock)
    link.open(CLOCK.now_ns())
    pin = mock.pin(17)
    drive = pin._change_state

    def slowly(value: bool) -> bool:
        gate.pass_()
        return bool(drive(value))

    pin._change_state = slowly

    def write(value: int) -> None:
        link.write(encode(LineEvent(17, SET, value)), CLOCK.now_ns())

    write(1)
    until(link, lambda: gate.reached)

    def too_many() -> None:
        for number in range(ORDERS + 1):
            write(number % 2)

    with pytest.raises(LinkLost, match="takes no more orders; does the library hang"):
        too_many()
    assert not link.is_open
    gate.is_open = True
    until(link, lambda: link.is_open)
    write(1)
    until(link, lambda: pin.state == 1)
    link.close()


def test_a_message_cut_in_two_is_carried_out_when_it_is_whole() -> None:
    mock = MockFactory()
    link = GpioLink("yard", [GpioLine(17, out=True)], factory=lambda: mock)
    link.open(CLOCK.now_ns())
    message = encode(LineEvent(17, SET, 1))
    link.write(message[:5], CLOCK.now_ns())
    link.write(message[5:], CLOCK.now_ns())
    until(link, lambda: mock.pin(17).state == 1)
    link.close()


def test_debounce_is_left_to_the_library() -> None:
    mock = MockFactory()
    link = GpioLink("yard", [GpioLine(24, pull="down", debounce_us=2_500)], factory=lambda: mock)
    link.open(CLOCK.now_ns())
    assert (mock.pin(24).bounce, mock.pin(24).pull, mock.pin(24).edges) == (0.0025, "down", "both")
    link.close()


class StandIn(ModuleType):
    """RPi.GPIO's functions that are used, by its documentation; levels and calls are looked at."""

    BCM, OUT, IN, BOTH, PUD_OFF, PUD_DOWN, PUD_UP = 11, 0, 1, 33, 20, 21, 22

    def __init__(self) -> None:
        super().__init__("RPi.GPIO")
        self.levels: dict[int, int] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.callbacks: dict[int, Callable[[int], None]] = {}
        self.fails = ""

    def setwarnings(self, on: bool) -> None:
        self.calls.append(("setwarnings", on))

    def setmode(self, mode: int) -> None:
        self.calls.append(("setmode", mode))

    def setup(self, line: int, way: int, *, initial: int = 0, pull_up_down: int = 20) -> None:
        self.calls.append(("setup", line, way, initial, pull_up_down))
        self.levels[line] = initial if way == self.OUT else int(pull_up_down == self.PUD_UP)

    def add_event_detect(
        self, line: int, edges: int, *, callback: Callable[[int], None], bouncetime: int = -666
    ) -> None:
        if self.fails:
            raise RuntimeError(self.fails)
        self.calls.append(("detect", line, edges, bouncetime))
        self.callbacks[line] = callback

    def output(self, line: int, value: int) -> None:
        self.levels[line] = value

    def input(self, line: int) -> int:
        return self.levels[line]

    def cleanup(self, lines: list[int]) -> None:
        self.calls.append(("cleanup", *lines))


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    module = StandIn()
    package = ModuleType("RPi")
    package.GPIO = module  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "RPi", package)
    monkeypatch.setitem(sys.modules, "RPi.GPIO", module)
    return module


def test_rpi_gpio_is_asked_for_edges_by_bcm_numbers_and_lets_go_of_its_own_lines_only(stand_in: StandIn) -> None:
    lines = [GpioLine(17, out=True, initial=1), GpioLine(24, pull="up", debounce_us=1_500), GpioLine(25)]
    link = GpioLink("yard", lines, driver="rpi-gpio")
    edges: list[LineEvent] = []
    stream = LineEventStream()
    link.receiver = lambda data, t_ns: edges.extend(stream.feed(data))
    link.open(CLOCK.now_ns())
    assert stand_in.calls == [
        ("setwarnings", False),
        ("setmode", StandIn.BCM),
        ("setup", 17, StandIn.OUT, 1, 20),
        ("setup", 24, StandIn.IN, 0, StandIn.PUD_UP),
        ("detect", 24, StandIn.BOTH, 2),
        ("setup", 25, StandIn.IN, 0, StandIn.PUD_OFF),
        ("detect", 25, StandIn.BOTH, -666),
    ]
    until(link, lambda: len(edges) == 2)
    stand_in.levels[24] = 0
    before_ns = CLOCK.now_ns()
    stand_in.callbacks[24](24)
    after_ns = CLOCK.now_ns()
    until(link, lambda: len(edges) == 3)
    assert (edges[2].line, edges[2].kind, edges[2].value) == (24, EDGE, 0)
    assert before_ns <= edges[2].t_ns <= after_ns
    link.write(encode(LineEvent(17, SET, 0)), CLOCK.now_ns())
    until(link, lambda: stand_in.levels[17] == 0)
    with pytest.raises(OutOfRange, match="use a wire of kind pwm"):
        link.write(encode_pwm(17, 1000, 500), CLOCK.now_ns())
    link.close()
    assert stand_in.calls[-1] == ("cleanup", 17, 24, 25)


def test_a_kernel_on_which_rpi_gpio_sees_no_edges_is_said_with_both_ways_out(stand_in: StandIn) -> None:
    stand_in.fails = "Failed to add edge detection"
    link = GpioLink("yard", [GpioLine(24)], driver="rpi-gpio")
    with pytest.raises(LinkLost, match=r"yard: RPi.GPIO: .*driver gpiozero with factory lgpio, or .*poll_ms"):
        link.open(0)
    link.close()
