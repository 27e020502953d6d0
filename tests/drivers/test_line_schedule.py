"""Pulses and holds of single lines in virtual time; what the thread behind a wire notices by itself."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import SystemClock
from drivers.line_events import EDGE, HOLD, MESSAGE_BYTES, PULSE, PWM, SET, LineEvent, LineEventStream, encode
from drivers.links import line_worker
from drivers.links.gpiozero_pins import GpiozeroPins, UnknownFactory, make_factory
from drivers.links.line_pins import GpioLine, OnEdge
from drivers.links.line_schedule import LineSchedule
from drivers.links.line_worker import ORDERS, LineWorker
from drivers.links.rpi_gpio_pins import RpiGpioPins
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

MS = NS_PER_MS


class Lines:
    """What a schedule does, written down."""

    def __init__(self) -> None:
        self.done: list[tuple[int, int]] = []
        self.pwm: list[tuple[int, int, int]] = []
        self.schedule = LineSchedule(lambda line, value: self.done.append((line, value)), self._pwm)

    def _pwm(self, line: int, period_ns: int, on_ns: int) -> None:
        self.pwm.append((line, period_ns, on_ns))


def test_a_pulse_has_its_length_from_when_it_began_and_not_from_when_it_was_written() -> None:
    lines = Lines()
    lines.schedule.take(LineEvent(3, PULSE, 1, 10_000), written_ns=0, now_ns=5 * MS)
    assert (lines.done, lines.schedule.due_ns) == ([(3, 1)], 5 * MS + 10_000)
    lines.schedule.advance(5 * MS + 9_999)
    assert lines.done == [(3, 1)]
    lines.schedule.advance(5 * MS + 10_000)
    assert (lines.done, lines.schedule.due_ns) == ([(3, 1), (3, 0)], FOREVER_NS)


def test_a_hold_counts_from_when_it_was_written_and_a_further_one_extends_it_without_a_change() -> None:
    lines = Lines()
    lines.schedule.take(LineEvent(3, HOLD, 1, 100 * MS), written_ns=0, now_ns=20 * MS)
    lines.schedule.take(LineEvent(3, HOLD, 1, 100 * MS), written_ns=90 * MS, now_ns=95 * MS)
    assert (lines.done, lines.schedule.due_ns) == ([(3, 1)], 190 * MS)
    lines.schedule.advance(190 * MS)
    assert lines.done == [(3, 1), (3, 0)]
    lines.schedule.take(LineEvent(3, HOLD, 1, 100 * MS), written_ns=200 * MS, now_ns=201 * MS)
    assert lines.done[-1] == (3, 1)


def test_a_hold_written_too_long_ago_ends_the_one_before_and_raises_nothing() -> None:
    lines = Lines()
    lines.schedule.take(LineEvent(3, HOLD, 0, 100 * MS), written_ns=0, now_ns=0)
    lines.schedule.take(LineEvent(3, HOLD, 0, 100 * MS), written_ns=50 * MS, now_ns=NS_PER_S)
    assert (lines.done, lines.schedule.due_ns) == ([(3, 0), (3, 1)], FOREVER_NS)


def test_a_hold_the_other_way_turns_the_line_at_once() -> None:
    lines = Lines()
    lines.schedule.take(LineEvent(3, HOLD, 1, 100 * MS), 0, 0)
    lines.schedule.take(LineEvent(3, HOLD, 0, 100 * MS), MS, MS)
    lines.schedule.advance(NS_PER_S)
    assert lines.done == [(3, 1), (3, 0), (3, 1)]


@pytest.mark.parametrize("event", [LineEvent(3, SET, 1), LineEvent(3, PWM, 0, 1000 << 32 | 500)])
def test_set_and_pwm_do_away_with_what_was_to_come(event: LineEvent) -> None:
    lines = Lines()
    lines.schedule.take(LineEvent(3, HOLD, 1, 100 * MS), 0, 0)
    lines.schedule.take(event, MS, MS)
    assert lines.schedule.due_ns == FOREVER_NS
    assert lines.pwm == ([(3, 1000, 500)] if event.kind == PWM else [])


def test_drop_ends_everything_in_the_order_of_the_lines() -> None:
    lines = Lines()
    lines.schedule.take(LineEvent(9, HOLD, 1, 100 * MS), 0, 0)
    lines.schedule.take(LineEvent(3, PULSE, 0, 100 * MS), 0, 0)
    lines.schedule.drop()
    assert lines.done == [(9, 1), (3, 0), (3, 1), (9, 0)]
    assert lines.schedule.due_ns == FOREVER_NS


ORDER = st.builds(
    LineEvent,
    st.integers(0, 3),
    st.sampled_from([SET, PULSE, HOLD]),
    st.integers(0, 1),
    st.integers(0, 50 * MS),
)


@given(st.lists(st.tuples(ORDER, st.integers(0, 20 * MS))))
def test_whatever_is_ordered_no_hold_outlives_its_time(orders: list[tuple[LineEvent, int]]) -> None:
    lines = Lines()
    now_ns = 0
    held: dict[int, int] = {}
    for event, pause_ns in orders:
        now_ns += pause_ns
        lines.schedule.advance(now_ns)
        lines.schedule.take(event, now_ns, now_ns)
        held.pop(event.line, None)
        if event.kind != SET:
            held[event.line] = now_ns + event.t_ns
        assert lines.schedule.due_ns >= now_ns
    end_ns = max(held.values(), default=0)
    lines.schedule.advance(end_ns)
    assert lines.schedule.due_ns == FOREVER_NS


@given(st.lists(ORDER), st.integers(0, 100))
def test_messages_cut_anywhere_are_the_same_messages(orders: list[LineEvent], cut: int) -> None:
    data = b"".join(map(encode, orders))
    stream = LineEventStream()
    cut %= len(data) + 1
    assert [*stream.feed(data[:cut]), *stream.feed(data[cut:])] == orders
    assert len(data) == MESSAGE_BYTES * len(orders)


class FakePins:
    """A library that does what it is told, and fails when it is told."""

    has_pwm = True
    foreign_stamps = 0

    def __init__(self) -> None:
        self.level = 0
        self.fails: Exception | None = None
        self.stuck: Callable[[], None] | None = None
        self.reads = self.closed = 0
        self.on_edge: OnEdge | None = None

    def open(self, lines: Sequence[GpioLine], on_edge: OnEdge | None) -> None:
        self.on_edge = on_edge

    def drive(self, line: int, value: int) -> None:
        if self.stuck is not None:
            self.stuck()
        if self.fails is not None:
            raise self.fails

    def pwm(self, line: int, period_ns: int, on_ns: int) -> None: ...

    def read(self, line: int) -> int:
        self.reads += 1
        if self.fails is not None:
            raise self.fails
        return self.level

    def close(self) -> None:
        self.closed += 1

    def mend(self, error: Exception) -> str:
        return f"mend: {error}"


@pytest.fixture
def fast_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_worker, "CHECK_NS", 5 * MS)


@pytest.fixture
def workers() -> Iterator[list[LineWorker]]:
    made: list[LineWorker] = []
    yield made
    for worker in made:
        worker.close()


def started(workers: list[LineWorker], pins: FakePins, *lines: GpioLine, poll_ns: int = 0) -> LineWorker:
    worker = LineWorker("yard", pins, lines, SystemClock(), poll_ns)
    workers.append(worker)
    worker.open(0)
    return worker


def edges_until(worker: LineWorker, true: Callable[[list[LineEvent]], Any]) -> list[LineEvent]:
    stream, found = LineEventStream(), list[LineEvent]()
    deadline_ns = SystemClock().now_ns() + 10 * NS_PER_S
    while not true(found):
        assert SystemClock().now_ns() < deadline_ns, "never came"
        select.select([worker.news], [], [], 0.005)
        found += stream.feed(b"".join(worker.news.take()))
    return found


def test_an_edge_that_the_library_lost_is_noticed_by_the_next_checks(
    workers: list[LineWorker], fast_check: None
) -> None:
    pins = FakePins()
    worker = started(workers, pins, GpioLine(24))
    edges_until(worker, lambda edges: [edge.value for edge in edges] == [0])
    pins.level = 1  # and no edge is told
    found = edges_until(worker, bool)
    assert [(edge.kind, edge.value) for edge in found] == [(EDGE, 1)]
    assert worker.missed_edges == 1


def test_a_level_that_an_edge_has_told_is_no_lost_edge(workers: list[LineWorker], fast_check: None) -> None:
    pins = FakePins()
    worker = started(workers, pins, GpioLine(24))
    edges_until(worker, bool)
    pins.level = 1
    assert pins.on_edge is not None
    pins.on_edge(24, 1, 77)
    seen = pins.reads
    assert [edge.t_ns for edge in edges_until(worker, lambda edges: pins.reads > seen + 5)] == [77]
    assert worker.missed_edges == 0


def test_a_library_that_dies_quietly_is_found_by_the_check(workers: list[LineWorker], fast_check: None) -> None:
    pins = FakePins()
    worker = started(workers, pins, GpioLine(17, out=True))
    edges_until(worker, lambda _: worker.is_open)
    pins.fails = OSError("gone")
    edges_until(worker, lambda _: worker.losses)
    assert (worker.is_open, worker.trouble, pins.closed) == (False, "mend: gone", 1)
    pins.fails = None
    worker.open(0)
    edges_until(worker, lambda _: worker.is_open)
    assert worker.openings == 2


def test_inputs_that_are_asked_tell_each_change_once(workers: list[LineWorker]) -> None:
    pins = FakePins()
    worker = started(workers, pins, GpioLine(24), poll_ns=MS)
    edges_until(worker, bool)
    assert pins.on_edge is None
    pins.level = 1
    edges_until(worker, bool)
    pins.level = 0
    found = edges_until(worker, bool)
    assert [edge.value for edge in found] == [0]


def test_orders_beyond_the_limit_are_refused_and_not_hoarded(workers: list[LineWorker]) -> None:
    pins = FakePins()
    worker = started(workers, pins, GpioLine(17, out=True))
    edges_until(worker, lambda _: worker.is_open)
    let_go: list[None] = []
    inside: list[None] = []

    def stuck() -> None:
        inside.append(None)
        while not let_go:
            select.select([], [], [], 0.001)

    pins.stuck = stuck
    order = (LineEvent(17, SET, 1),)
    assert worker.order(order, 0)
    edges_until(worker, lambda _: inside)
    taken = [worker.order(order, 0) for _ in range(ORDERS + 1)]
    let_go.append(None)
    assert taken == [True] * ORDERS + [False]


def test_an_edge_of_another_clock_gets_the_time_of_its_arrival() -> None:
    class Clock:
        def now_ns(self) -> int:
            return 100 * NS_PER_S

        def sleep_until_ns(self, deadline_ns: int) -> None: ...

    pins = GpiozeroPins("lgpio", Clock())
    assert pins.monotonic_ns(99.5) == 99_500 * MS
    assert pins.foreign_stamps == 0
    assert pins.monotonic_ns(1_760_000_000.25) == 100 * NS_PER_S  # wall time, as before Linux 5.7
    assert pins.monotonic_ns(3.0) == 100 * NS_PER_S
    assert pins.foreign_stamps == 2


def test_ticks_that_wrap_are_set_against_our_clock_by_their_age() -> None:
    class Pigpio:
        """Microseconds in 32 bit, as pigpio's factory counts."""

        def ticks(self) -> int:
            return 40

        def ticks_diff(self, later: int, earlier: int) -> float:
            return ((later - earlier) % 2**32) / 1e6

        def pin(self, number: int) -> Any: ...

        def close(self) -> None: ...

    class Clock:
        def now_ns(self) -> int:
            return 100 * NS_PER_S

        def sleep_until_ns(self, deadline_ns: int) -> None: ...

    pins = GpiozeroPins(Pigpio, Clock())
    pins.open([], None)
    assert pins.monotonic_ns(2**32 - 60) == 100 * NS_PER_S - 100_000
    pins.close()


def test_a_factory_that_is_not_registered_is_named_with_those_that_are() -> None:
    with pytest.raises(UnknownFactory, match=r"no pin factory is called `lgpo`; there are: .*lgpio, .*mock"):
        make_factory("lgpo")
    assert type(make_factory("mock")).__name__ == "MockFactory"


class PinUnknownPi(Exception):  # noqa: N818
    """Named as gpiozero's."""


class PinFixedPull(Exception):  # noqa: N818
    """Named as gpiozero's."""


class PinPWMUnsupported(Exception):  # noqa: N818
    """Named as gpiozero's."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("No module named 'lgpio'"), "pip install lgpio"),
        (PinUnknownPi(), "use the factories leeze or mock"),
        (PinFixedPull("GPIO2"), "their pull can only be up"),
        (PinPWMUnsupported("GPIO5"), "use a wire of kind pwm"),
        (Exception("'GPIO busy'"), "another program or the kernel holds a line"),
        (OSError(16, "Device or resource busy"), "find it with: gpioinfo"),
        (Exception("'can not open gpiochip'"), "usermod -aG gpio USER"),
        (ConnectionRefusedError("nobody"), "is the daemon or the rig running"),
        (ValueError("odd"), "ValueError: odd"),
        (KeyError(), "KeyError"),
        (UnknownFactory("no pin factory"), "no pin factory"),
    ],
)
def test_what_libraries_under_gpiozero_say_becomes_what_to_do(error: Exception, said: str) -> None:
    assert said in GpiozeroPins("lgpio", SystemClock()).mend(error)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("No module named 'RPi'"), "pip install 'leeze"),
        (RuntimeError("This module can only be run on a Raspberry Pi!"), "on a Pi 5 use driver gpiozero"),
        (RuntimeError("Cannot determine SOC peripheral base address"), "does not run on a Raspberry Pi 5"),
        (RuntimeError("Failed to add edge detection"), "or have the inputs asked"),
        (RuntimeError("No access to /dev/mem.  Try running as root!"), "usermod -aG gpio USER"),
        (ValueError("A different mode has already been set!"), "only BCM goes here"),
        (RuntimeError("odd"), "RuntimeError: odd"),
    ],
)
def test_what_rpi_gpio_says_becomes_what_to_do(error: Exception, said: str) -> None:
    assert said in RpiGpioPins(SystemClock()).mend(error)
