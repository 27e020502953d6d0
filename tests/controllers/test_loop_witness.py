"""What a flight recorder hears of the loop is enough for an exact re-run, however late the loop is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from controllers.core.contract import Command, LampLevel
from controllers.core.scan_cycle import ScanCycle
from controllers.service.loop import RealTimeLoop
from drivers.clock import VirtualClock
from drivers.quantities import DeviceHealth, Message, Quantity, WallTime
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

PERIOD_NS = 20 * NS_PER_MS
START_NS = 7_000 * NS_PER_S + 3 * NS_PER_MS

Event = tuple[Any, ...]
Decision = tuple[int, int, tuple[Quantity, ...], tuple[Command, ...]]


class Clock(VirtualClock):
    def utc_ns(self) -> int:
        return self.now_ns() + 10**18


class Remembers:
    """A policy that all it has ever seen goes into; wakes by itself, moves its phase, and is a device with a timer."""

    name = "timer"

    def __init__(self, wander: bool) -> None:
        self.state, self.wake_ns, self.phase_ns = 1, 0, 0
        self._wander = wander

    def step(self, inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        if not inputs and now_ns < self.wake_ns:
            return ()
        for value in inputs:
            self.state = (self.state * 31 + value.t_ns) % 1_000_003
        self.state = (self.state * 37 + now_ns) % 1_000_003
        self.wake_ns = now_ns + self.state % 7 * PERIOD_NS // 2
        if self._wander and self.state % 5 == 0:
            self.phase_ns = self.state * 19 % PERIOD_NS
        return [LampLevel("lamp", self.state % 255)]

    def snapshot(self) -> dict[str, Any]:
        return {}


class Timer:
    """A device whose deadline bytes move, and that says something when it has passed."""

    name = "timer"

    def __init__(self, inbox: list[Quantity]) -> None:
        self.wake_ns = FOREVER_NS
        self._inbox = inbox

    def advance(self, now_ns: int) -> None:
        if self.wake_ns <= now_ns:
            self.wake_ns = FOREVER_NS
            self._inbox.append(DeviceHealth(now_ns, self.name, False))

    def heard(self, data: bytes, t_ns: int) -> None:
        if data[0] % 3 == 0:
            self._inbox.append(DeviceHealth(t_ns, "radar", True))
        self.wake_ns = t_ns + data[0] * NS_PER_MS


class Board:
    """Cycle, device and watchdog of one run; what is decided is kept."""

    def __init__(self, wander: bool) -> None:
        self.inbox: list[Quantity] = []
        self.timer = Timer(self.inbox)
        self.decided: list[Decision] = []
        self.fed: list[int] = []
        gate: Any = SimpleNamespace(wake_ns=FOREVER_NS, step=lambda commands, inputs, now_ns: commands)
        devices: Any = [self.timer]
        lamp: Any = SimpleNamespace(set_level=lambda level, now_ns: None)
        policy: Any = Remembers(wander)
        if not wander:
            del policy.phase_ns
        self.cycle = ScanCycle("test", PERIOD_NS, policy, gate, self.inbox, devices, lamps={"lamp": lamp})

    def observe(
        self, tick: int, now_ns: int, inputs: Sequence[Quantity], asked: Sequence[Command], allowed: Sequence[Command]
    ) -> None:
        self.decided.append((tick, now_ns, tuple(inputs), tuple(allowed)))


class Recorder:
    """The witness: keeps every event in the order in which it was told."""

    def __init__(self, board: Board) -> None:
        self.events: list[Event] = []
        self._board = board

    def started(self, t_ns: int) -> None:
        self.events.append(("mark", t_ns))

    def passed_over(self, due_ns: int, from_ns: int) -> None:
        assert due_ns < from_ns
        self.events.append(("late", due_ns, from_ns))

    def wall(self, value: WallTime) -> None:
        self.events.append(("wall", value.t_ns, value))

    def ordered(self, value: Message) -> None:
        self.events.append(("order", value.t_ns, value))

    def observed(
        self, tick: int, now_ns: int, inputs: Sequence[Quantity], asked: Sequence[Command], allowed: Sequence[Command]
    ) -> None:
        self._board.observe(tick, now_ns, inputs, asked, allowed)

    def ticked(self, t_ns: int) -> None:
        self._board.fed.append(t_ns)

    def stopping(self, t_ns: int) -> None:
        self.events.append(("mark", t_ns))


class Wires:
    """Bytes come at times drawn beforehand; sleeps end late by what was drawn."""

    losses = 0
    troubles: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, clock: Clock, come: Sequence[tuple[int, int]], naps_ns: Sequence[int]) -> None:
        self.recorder: Recorder | None = None
        self.board: Board | None = None
        self._clock, self._come, self._naps_ns = clock, sorted(come), list(naps_ns)

    def wake_ns(self, now_ns: int) -> int:
        return FOREVER_NS

    def wait_until_ns(self, deadline_ns: int) -> None:
        if self._come and self._come[0][0] < deadline_ns:
            self._clock.sleep_until_ns(self._come[0][0])
            return
        self._clock.sleep_until_ns(deadline_ns)
        if self._naps_ns:
            self._clock.sleep_until_ns(self._clock.now_ns() + self._naps_ns.pop())

    def pump(self, t_ns: int) -> None:
        assert self.recorder is not None
        assert self.board is not None
        while self._come and self._come[0][0] <= self._clock.now_ns():
            data = bytes([self._come.pop(0)[1]])
            self.recorder.events.append(("rx", t_ns, data))
            self.board.timer.heard(data, t_ns)


def fly(
    come: Sequence[tuple[int, int]], naps_ns: Sequence[int], works_ns: Sequence[int], wander: bool, starts_ns: int = 0
) -> Recorder:
    """A run of the loop; `works_ns` is what ticks take, one after the other, `starts_ns` the start."""
    board, clock = Board(wander), Clock(START_NS)
    wires = Wires(clock, come, naps_ns)
    recorder = wires.recorder = Recorder(board)
    wires.board = board
    works = list(works_ns)

    def fed(now_ns: int) -> None:
        if works:
            clock.sleep_until_ns(clock.now_ns() + works.pop())

    controller: Any = SimpleNamespace(
        cycle=board.cycle,
        board=SimpleNamespace(watchdogs={"relay": SimpleNamespace(feed=fed)}, links={}),
        start=lambda t_ns: clock.sleep_until_ns(t_ns + starts_ns),
        stop=lambda t_ns: None,
        sending=False,
    )
    quiet: Callable[..., None] = lambda *words: None  # noqa: E731
    status: Any = SimpleNamespace(ticked=quiet, observe=quiet, look=quiet, stopped=quiet)
    loop = RealTimeLoop(controller, wires, clock, lambda: True, status, recorder)
    loop.run(lambda: clock.now_ns() >= START_NS + 2 * NS_PER_S)
    return recorder


def fly_again(events: Sequence[Event], wander: bool) -> Board:
    """The engine of a re-run: ticks are run where they fall due between the events, and nowhere else."""
    board = Board(wander)
    cycle = board.cycle
    cycle.observer = board.observe
    ticked_ns = last_ns = -1
    for event in events:
        kind, t_ns = event[0], event[2] if event[0] == "late" else event[1]
        before_ns = event[1] if kind == "late" else t_ns
        while last_ns >= 0 and (due_ns := cycle.due_ns(max(ticked_ns, last_ns - 1))) < before_ns:
            cycle.tick(due_ns)
            board.fed.append(due_ns)
            ticked_ns = due_ns
        if kind == "late":
            ticked_ns = t_ns - 1
            continue
        last_ns = t_ns
        if kind == "wall":
            board.inbox.append(event[2])
        elif kind == "rx":
            board.timer.heard(event[2], t_ns)
    return board


_come = st.lists(st.tuples(st.integers(START_NS, START_NS + 2 * NS_PER_S), st.integers(0, 255)), max_size=25)
_spans = st.lists(st.integers(0, 5 * PERIOD_NS) | st.just(0) | st.just(PERIOD_NS), max_size=40)


@settings(max_examples=300)
@given(_come, _spans, _spans, st.booleans(), st.integers(0, 3 * PERIOD_NS))
@example([(START_NS + 17 * NS_PER_MS, 3)], [PERIOD_NS], [], False, 0)
@example([], [], [], False, PERIOD_NS)  # a grid place between the start and the first turn
def test_what_the_witness_hears_is_enough_to_repeat_every_tick(
    come: list[tuple[int, int]], naps_ns: list[int], works_ns: list[int], wander: bool, starts_ns: int
) -> None:
    recorder = fly(come, naps_ns, works_ns, wander, starts_ns)
    again = fly_again(recorder.events, wander)
    assert again.decided == recorder._board.decided
    assert again.fed == recorder._board.fed, "every tick, also those that decided nothing"


@settings(max_examples=100)
@given(_come, _spans, _spans, st.booleans())
def test_no_event_after_a_tick_bears_its_time_or_an_earlier_one(
    come: list[tuple[int, int]], naps_ns: list[int], works_ns: list[int], wander: bool
) -> None:
    recorder = fly(come, naps_ns, works_ns, wander)
    times = [event[-1] if event[0] == "late" else event[1] for event in recorder.events]
    assert times == sorted(times)
    fed = recorder._board.fed
    assert fed == sorted(set(fed))
    numbers = [t_ns // PERIOD_NS for t_ns in fed]
    assert numbers == sorted(set(numbers)), "no number twice"


def test_the_calls_come_in_their_order() -> None:
    recorder = fly([], [3 * PERIOD_NS], [], False)
    kinds = [event[0] for event in recorder.events]
    assert kinds[:2] == ["mark", "wall"]
    assert "late" in kinds
    assert kinds[-1] == "mark"
