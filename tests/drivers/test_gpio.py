"""The GPIO link on gpiozero: its mock factory, our own factory with a rig behind it, and what is not there."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin

from drivers.clock import SystemClock
from drivers.errors import InputError, LinkLost, OutOfRange
from drivers.line_events import EDGE, FREE, HOLD, PULSE, PWM, SET, LineEvent, LineEventStream, encode, encode_pwm
from drivers.links import gpio
from drivers.links.gpio import BACK_OFF_MIN_NS, GpioLine, GpioLink
from drivers.links.poll import WirePoll
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.gpio_factory import LeezeFactory
from hil.peers.gpio_lines import LinesPeer
from hil.peers.gpio_stream import GpioSocket, lines_at

DEADLINE_NS = 10 * NS_PER_S
CLOCK = SystemClock()


class Bench:
    """A link, what it told, and a rig if there is one; nothing here sleeps but in poll()."""

    def __init__(self, link: GpioLink, rig: GpioSocket | None = None) -> None:
        self.link, self.rig = link, rig
        self.edges: list[LineEvent] = []
        self._stream = LineEventStream()
        link.receiver = lambda data, t_ns: self.edges.extend(self._stream.feed(data))

    def until(self, true: Callable[[], Any]) -> None:
        deadline_ns = CLOCK.now_ns() + DEADLINE_NS
        while not true():
            assert CLOCK.now_ns() < deadline_ns, "never came"
            ends = [end for end in (self.link, self.rig) if end is not None]
            poll = select.poll()
            for end in ends:
                if (fd := end.fileno()) is not None:
                    poll.register(fd, select.POLLIN)
            poll.poll(5)
            for end in ends:
                end.pump(CLOCK.now_ns())

    def levels(self, line: int) -> list[int]:
        return [edge.value for edge in self.edges if edge.line == line]

    def write(self, *events: LineEvent | bytes) -> None:
        data = b"".join(event if isinstance(event, bytes) else encode(event) for event in events)
        self.link.write(data, CLOCK.now_ns())

    def open(self) -> None:
        self.link.advance(CLOCK.now_ns())
        self.until(lambda: self.link.is_open)


@pytest.fixture
def mock() -> MockFactory:
    return MockFactory(pin_class=MockPWMPin)


@pytest.fixture
def benches() -> Iterator[list[Bench]]:
    made: list[Bench] = []
    yield made
    for bench in made:
        bench.link.close()
        if bench.rig is not None:
            bench.rig.close()


def mocked(benches: list[Bench], mock: MockFactory, *lines: GpioLine) -> Bench:
    bench = Bench(GpioLink("yard", lines, factory=lambda: mock))
    benches.append(bench)
    bench.link.open(CLOCK.now_ns())
    return bench


def rigged(
    benches: list[Bench], path: Path, *lines: GpioLine, inputs: dict[int, int] | None = None
) -> tuple[Bench, LinesPeer]:
    peer, rig = lines_at("rig", path, inputs)
    bench = Bench(GpioLink("yard", lines, factory=lambda: LeezeFactory(str(path))), rig)
    benches.append(bench)
    return bench, peer


def test_an_output_of_the_mock_factory_follows_what_is_written(benches: list[Bench], mock: MockFactory) -> None:
    bench = mocked(benches, mock, GpioLine(17, out=True), GpioLine(27, out=True, initial=1))
    assert (mock.pin(17).function, mock.pin(17).state) == ("output", 0)
    assert mock.pin(27).state == 1
    bench.write(LineEvent(17, SET, 1), LineEvent(27, SET, 0))
    bench.until(lambda: mock.pin(17).state == 1 and mock.pin(27).state == 0)


def test_an_edge_of_the_mock_factory_comes_in_with_the_time_at_which_it_was_driven(
    benches: list[Bench], mock: MockFactory
) -> None:
    bench = mocked(benches, mock, GpioLine(24, pull="up"))
    bench.until(lambda: bench.levels(24) == [1])  # the level at the start
    before_ns = CLOCK.now_ns()
    mock.pin(24).drive_low()
    after_ns = CLOCK.now_ns()
    bench.until(lambda: bench.levels(24) == [1, 0])
    assert bench.edges[-1].kind == EDGE
    assert before_ns - 1 <= bench.edges[-1].t_ns <= after_ns + 1  # a float of seconds in between


def test_pwm_of_the_mock_factory_has_the_share_and_the_frequency_that_were_asked_for(
    benches: list[Bench], mock: MockFactory
) -> None:
    bench = mocked(benches, mock, GpioLine(18, out=True))
    bench.write(encode_pwm(18, NS_PER_MS, 250_000))
    bench.until(lambda: mock.pin(18).state == 0.25)
    assert mock.pin(18).frequency == 1000
    bench.write(LineEvent(18, SET, 1))
    bench.until(lambda: mock.pin(18).frequency is None and mock.pin(18).state == 1)
    bench.write(encode_pwm(18, NS_PER_MS, 250_000), encode_pwm(18, 0, 0))
    bench.until(lambda: mock.pin(18).frequency is None and mock.pin(18).state == 0)


def test_a_pulse_comes_back_by_itself_and_is_never_shorter_than_ordered(
    benches: list[Bench], mock: MockFactory
) -> None:
    bench = mocked(benches, mock, GpioLine(23, out=True))
    mock.pin(23).clear_states()
    bench.write(LineEvent(23, PULSE, 1, 10_000))
    bench.until(lambda: len(mock.pin(23).states) == 3)
    _, up, down = mock.pin(23).states
    assert (up.state, down.state) == (1, 0)
    assert down.timestamp >= 10e-6


def test_a_long_pulse_holds_nobody_up(benches: list[Bench], mock: MockFactory) -> None:
    bench = mocked(benches, mock, GpioLine(23, out=True), GpioLine(17, out=True))
    bench.write(LineEvent(23, PULSE, 1, 60 * NS_PER_S))
    bench.until(lambda: mock.pin(23).state == 1)
    bench.write(LineEvent(17, SET, 1))
    bench.until(lambda: mock.pin(17).state == 1)
    assert mock.pin(23).state == 1


def test_a_hold_ends_although_the_loop_hangs(benches: list[Bench], mock: MockFactory) -> None:
    bench = mocked(benches, mock, GpioLine(5, out=True))
    bench.write(LineEvent(5, HOLD, 1, 30 * NS_PER_MS))
    # from here on the loop does nothing for the link: no pump, no write
    deadline_ns = CLOCK.now_ns() + DEADLINE_NS
    while len(mock.pin(5).states) < 3:
        assert CLOCK.now_ns() < deadline_ns
        select.select([], [], [], 0.002)
    _, up, down = mock.pin(5).states
    assert (up.state, down.state) == (1, 0)


def test_a_hold_that_comes_too_late_does_not_raise_the_line(benches: list[Bench], mock: MockFactory) -> None:
    bench = mocked(benches, mock, GpioLine(5, out=True), GpioLine(17, out=True))
    bench.link.write(encode(LineEvent(5, HOLD, 1, NS_PER_MS)), CLOCK.now_ns() - NS_PER_S)
    bench.write(LineEvent(17, SET, 1))
    bench.until(lambda: mock.pin(17).state == 1)
    assert len(mock.pin(5).states) == 1


def test_closing_ends_holds_and_makes_every_line_an_input(mock: MockFactory) -> None:
    link = GpioLink("yard", [GpioLine(5, out=True), GpioLine(17, out=True)], factory=lambda: mock)
    bench = Bench(link)
    link.open(0)
    relay, plain = mock.pin(5), mock.pin(17)
    bench.write(LineEvent(5, HOLD, 1, 60 * NS_PER_S), LineEvent(17, SET, 1))
    bench.until(lambda: relay.state == 1 and plain.state == 1)
    link.close()
    link.close()
    assert (relay.state, relay.function, plain.function) == (0, "input", "input")
    assert (link.is_open, link.fileno(), link.trouble, link.wake_ns) == (False, None, "closed", FOREVER_NS)
    with pytest.raises(LinkLost, match="yard: closed"):
        bench.write(LineEvent(17, SET, 0))


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (LineEvent(24, SET, 1), "GPIO24 is no output of this wire"),
        (LineEvent(6, SET, 1), "GPIO6 is no output of this wire"),
        (LineEvent(17, EDGE, 1, 5), "no order for a line"),
        (LineEvent(17, FREE, 0), "no order for a line"),
        (LineEvent(17, PWM, 0, 5 << 32 | 6), "on for 6 of 5 ns"),
    ],
)
def test_what_a_wire_cannot_do_is_refused_and_nothing_of_it_is_done(
    benches: list[Bench], mock: MockFactory, event: LineEvent, said: str
) -> None:
    bench = mocked(benches, mock, GpioLine(17, out=True), GpioLine(24))
    with pytest.raises(OutOfRange, match=said):
        bench.write(LineEvent(17, SET, 1), event)
    assert bench.link.is_open
    bench.write(LineEvent(17, SET, 0))
    assert mock.pin(17).state == 0


def test_both_directions_through_our_own_factory_to_the_rig(benches: list[Bench], tmp_path: Path) -> None:
    bench, rig = rigged(benches, tmp_path / "gpio", GpioLine(17, out=True), GpioLine(24), inputs={24: 1})
    bench.open()
    bench.until(lambda: bench.levels(24) == [1])
    bench.write(LineEvent(17, SET, 1))
    bench.until(lambda: rig.level(17) == 1)
    told = []
    for value in (0, 1, 0):
        told.append((value, CLOCK.now_ns()))
        rig.drive(24, *told[-1])
    bench.until(lambda: len(bench.edges) == 4)
    assert [(edge.value, edge.t_ns) for edge in bench.edges[1:]] == told  # the rig's own stamps, to the ns
    bench.write(LineEvent(17, PULSE, 0, 20_000))
    bench.until(lambda: [event.value for _, event in rig.heard if event.line == 17] == [0, 1, 0, 1])
    bench.write(LineEvent(17, HOLD, 0, 60 * NS_PER_S))
    bench.until(lambda: rig.level(17) == 0)
    bench.link.close()
    bench.until(lambda: rig.level(17) is None)
    assert [event for _, event in rig.heard][-2:] == [
        LineEvent(17, SET, 1),
        LineEvent(17, FREE, 0),
    ]  # the hold ends first


def test_pwm_reaches_the_rig_with_its_duty(benches: list[Bench], tmp_path: Path) -> None:
    bench, rig = rigged(benches, tmp_path / "gpio", GpioLine(18, out=True))
    bench.open()
    bench.write(encode_pwm(18, NS_PER_MS, 1_000))
    bench.until(lambda: rig.pwm(18) == (NS_PER_MS, 1_000))
    bench.write(encode_pwm(18, NS_PER_MS, NS_PER_MS))
    bench.until(lambda: rig.pwm(18) == (NS_PER_MS, NS_PER_MS))
    bench.write(LineEvent(18, SET, 0))
    bench.until(lambda: rig.pwm(18) is None and rig.level(18) == 0)


def test_a_rig_that_goes_is_a_lost_link_and_one_that_is_back_finds_the_outputs_as_they_were(
    benches: list[Bench], tmp_path: Path
) -> None:
    bench, _ = rigged(benches, tmp_path / "gpio", GpioLine(17, out=True), GpioLine(18, out=True), GpioLine(5, out=True))
    bench.open()
    bench.write(LineEvent(17, SET, 1), encode_pwm(18, NS_PER_MS, 500_000), LineEvent(5, HOLD, 1, NS_PER_S * 60))
    assert bench.rig is not None
    bench.rig.close()
    bench.rig = None

    def gone() -> bool:
        bench.write(LineEvent(17, SET, 0), LineEvent(17, SET, 1))
        return False

    with pytest.raises(LinkLost, match=r"yard: gpiozero: nobody answers .*the rig is gone"):
        bench.until(gone)
    assert not bench.link.is_open
    assert "is the daemon or the rig running" in bench.link.trouble
    peer, bench.rig = lines_at("rig", tmp_path / "gpio")
    bench.until(lambda: bench.link.is_open)
    bench.until(lambda: peer.level(17) == 1 and peer.pwm(18) == (NS_PER_MS, 500_000))
    assert peer.level(5) == 0  # a hold is for its sender to renew


def test_a_wire_poll_opens_the_link_and_serves_it(benches: list[Bench], mock: MockFactory) -> None:
    bench = Bench(GpioLink("yard", [GpioLine(24)], factory=lambda: mock))
    benches.append(bench)
    wires = WirePoll([bench.link], CLOCK, NS_PER_S)
    deadline_ns = CLOCK.now_ns() + DEADLINE_NS
    wires.pump(CLOCK.now_ns())
    while not bench.edges:
        assert CLOCK.now_ns() < deadline_ns
        wires.wait_until_ns(CLOCK.now_ns() + NS_PER_S)
        wires.pump(CLOCK.now_ns())
    assert wires.troubles == {}
    assert wires.wake_ns(5) == FOREVER_NS


def test_levels_that_came_while_it_was_opened_wake_the_loop(
    benches: list[Bench], mock: MockFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LatePoll:
        """Returns when all there is has been said."""

        def register(self, fd: int, events: int) -> None: ...

        def poll(self, timeout_ms: int) -> list[Any]:
            select.select([], [], [], 0.1)
            return [()]

    monkeypatch.setattr(gpio, "select", SimpleNamespace(poll=LatePoll, POLLIN=select.POLLIN))
    bench = mocked(benches, mock, GpioLine(24, pull="up"))
    monkeypatch.undo()
    fd = bench.link.fileno()
    assert fd is not None
    assert select.select([fd], [], [], 10)[0]
    bench.link.pump(CLOCK.now_ns())
    assert bench.levels(24) == [1]


def test_before_its_time_a_lost_link_does_nothing_and_its_pauses_grow(benches: list[Bench]) -> None:
    tried = []

    def none() -> Any:
        tried.append(1)
        raise PermissionError(13, "Permission denied", "/dev/gpiochip0")

    bench = Bench(GpioLink("yard", [GpioLine(24)], factory=none))
    benches.append(bench)
    with pytest.raises(LinkLost, match=r"no access to /dev/gpiochip.*usermod -aG gpio USER"):
        bench.link.open(0)
    assert bench.link.wake_ns == BACK_OFF_MIN_NS
    bench.link.advance(BACK_OFF_MIN_NS - 1)
    assert len(tried) == 1
    with pytest.raises(LinkLost):
        bench.link.open(BACK_OFF_MIN_NS)
    assert bench.link.wake_ns == 3 * BACK_OFF_MIN_NS


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: GpioLink("yard", []), "no line"),
        (lambda: GpioLink("yard", [GpioLine(17), GpioLine(17)]), "GPIO17 is named twice"),
        (lambda: GpioLink("yard", [GpioLine(60)]), "the header has GPIO0 to GPIO27"),
        (lambda: GpioLink("yard", [GpioLine(17, out=True, initial=2)]), "cannot start at 2"),
        (lambda: GpioLink("yard", [GpioLine(17, out=True, pull="up")]), "pull and debounce are for inputs"),
        (lambda: GpioLink("yard", [GpioLine(17, pull="left")]), "write up, down or none"),  # type: ignore[arg-type]
        (lambda: GpioLink("yard", [GpioLine(17, debounce_us=-1)]), "debounces -1 us"),
        (lambda: GpioLink("yard", [GpioLine(17, debounce_us=5)], poll_ms=5), "need no debounce"),
        (lambda: GpioLink("yard", [GpioLine(17)], poll_ms=-1), "1 to 1000"),
        (lambda: GpioLink("yard", [GpioLine(17)], driver="pigpio"), "gpiozero or rpi-gpio"),  # type: ignore[arg-type]
    ],
)
def test_lines_that_there_are_not_are_refused_at_once(make: Callable[[], GpioLink], said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()
