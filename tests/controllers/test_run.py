"""The loop in real time, on a clock that is told where to go; wall time, status and a clean stop with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from controllers.core.contract import Command
from controllers.core.scan_cycle import ScanCycle
from controllers.service.assemble import Controller, assemble
from controllers.service.loop import DRAIN_NS, LONGEST_SLEEP_NS, RealTimeLoop
from controllers.service.sites import load_site
from controllers.service.status import PERIOD_NS as STATUS_NS
from controllers.service.status import Status
from controllers.service.wall_time import REPEAT_NS, WallTimeSource, system_synchronised
from drivers.clock import VirtualClock
from drivers.interfaces import ByteLink
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import DeviceHealth, Quantity, WallTime
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

PERIOD_NS = 20 * NS_PER_MS
START_NS = 7_000 * NS_PER_S + 3 * NS_PER_MS  # a machine that has been up for a while, not on the grid
UTC_NS = 1_708_369_200 * NS_PER_S


class Clock(VirtualClock):
    """Virtual time, and a wall time that can be stepped."""

    def __init__(self) -> None:
        super().__init__(START_NS)
        self.wall_offset_ns = UTC_NS - START_NS

    def utc_ns(self) -> int:
        return self.now_ns() + self.wall_offset_ns


class Wires:
    """What comes is written down beforehand; waiting is jumping. `oversleep_ns` is added to the next jumps."""

    def __init__(self, clock: Clock) -> None:
        self.losses = 0
        self.troubles: dict[str, str] = {}
        self.coming: list[tuple[int, Callable[[int], None]]] = []
        self.oversleep_ns: list[int] = []
        self.waits: list[tuple[int, int]] = []
        self._clock = clock

    def wake_ns(self, now_ns: int) -> int:
        return FOREVER_NS

    def wait_until_ns(self, deadline_ns: int) -> None:
        from_ns = self._clock.now_ns()
        until_ns = min([deadline_ns, *(t_ns for t_ns, _ in self.coming)])
        self._clock.sleep_until_ns(until_ns)
        if self.oversleep_ns and until_ns == deadline_ns:
            self._clock.sleep_until_ns(until_ns + self.oversleep_ns.pop(0))
        self.waits.append((from_ns, self._clock.now_ns()))

    def pump(self, t_ns: int) -> None:
        now_ns = self._clock.now_ns()
        come = [call for due_ns, call in self.coming if due_ns <= now_ns]
        self.coming = [(due_ns, call) for due_ns, call in self.coming if due_ns > now_ns]
        for call in come:
            call(t_ns)


class Stub:
    """A policy and a gate that write down what they see and wake when told."""

    def __init__(self, wakes_ns: Sequence[int] = ()) -> None:
        self.wakes_ns = [*sorted(wakes_ns), FOREVER_NS]
        self.seen: list[tuple[int, tuple[Quantity, ...]]] = []

    @property
    def wake_ns(self) -> int:
        return self.wakes_ns[0]

    def step(self, inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        self.seen.append((now_ns, tuple(inputs)))
        while self.wakes_ns[0] <= now_ns:
            self.wakes_ns.pop(0)
        return ()


class Rig:
    """A loop around a stub."""

    def __init__(self, wakes_ns: Sequence[int] = (), spend: Callable[[int], int] = lambda now_ns: 0) -> None:
        self.clock = Clock()
        self.wires = Wires(self.clock)
        self.policy = Stub(wakes_ns)
        gate: Any = SimpleNamespace(wake_ns=FOREVER_NS, step=lambda commands, inputs, now_ns: ())
        self.inbox: list[Quantity] = []
        self.cycle = ScanCycle("test", PERIOD_NS, self.policy, gate, self.inbox, [])
        self.tick_times: list[int] = []
        tick = self.cycle.tick

        def counted(now_ns: int) -> None:
            self.tick_times.append(now_ns)
            tick(now_ns)
            self.clock.sleep_until_ns(self.clock.now_ns() + spend(now_ns))

        self.cycle.tick = counted
        board: Any = SimpleNamespace(lamps={}, devices={}, watchdogs={})
        self.said: list[str] = []
        controller = Controller(board, self.cycle)
        self.synchronised = True
        self.loop = RealTimeLoop(
            controller, self.wires, self.clock, lambda: self.synchronised, Status(controller, self.said.append)
        )

    def run(self, span_ns: int) -> None:
        self.loop.run(lambda: self.clock.now_ns() >= START_NS + span_ns)

    def wall_times(self) -> list[WallTime]:
        return [value for _, inputs in self.policy.seen for value in inputs if isinstance(value, WallTime)]


def grid(n: int) -> int:
    """The n-th place on the grid after the start."""
    return (START_NS // PERIOD_NS + n) * PERIOD_NS


def test_ticks_stand_on_the_grid_and_only_where_something_is_due() -> None:
    rig = Rig(wakes_ns=[grid(5), grid(9) - 1, grid(9) + 1])
    rig.run(NS_PER_S // 2)
    assert rig.tick_times == [grid(1), grid(5), grid(9), grid(10)]
    assert rig.loop.status.overruns == 0


def test_a_quiet_controller_does_not_tick_but_looks_up_every_second() -> None:
    rig = Rig()
    rig.run(30 * NS_PER_S)
    assert rig.tick_times == [grid(1)]  # the wall time
    assert max(to_ns - from_ns for from_ns, to_ns in rig.wires.waits) <= LONGEST_SLEEP_NS
    assert len(rig.wires.waits) < 70


def test_a_late_tick_keeps_its_own_time() -> None:
    rig = Rig(wakes_ns=[grid(5)])
    rig.wires.oversleep_ns = [0, PERIOD_NS - 1]
    rig.run(NS_PER_S // 2)
    assert rig.tick_times == [grid(1), grid(5)]
    assert rig.loop.status.overruns == 0
    assert "max 19999 us" in rig.loop.status.line(0)


def test_an_overrun_takes_the_newest_place_on_the_grid_counts_the_rest_and_never_bursts() -> None:
    rig = Rig(wakes_ns=[grid(5), grid(6), grid(7), grid(8), grid(10)])
    rig.wires.oversleep_ns = [0, 3 * PERIOD_NS + PERIOD_NS // 2]
    rig.run(NS_PER_S // 2)
    assert rig.tick_times == [grid(1), grid(8), grid(10)]
    assert rig.loop.status.overruns == 3


def test_a_policy_that_needs_longer_than_a_period_runs_as_often_as_it_can_in_order() -> None:
    rig = Rig(wakes_ns=[grid(n) for n in range(1, 100)], spend=lambda now_ns: 5 * PERIOD_NS // 2)
    rig.run(NS_PER_S)
    steps = [(after - before) // PERIOD_NS for before, after in zip(rig.tick_times, rig.tick_times[1:], strict=False)]
    assert set(steps) == {2, 3}
    assert rig.loop.status.overruns > 10


def test_bytes_are_seen_by_the_next_tick_of_the_grid() -> None:
    rig = Rig()
    came_ns = grid(7) + 1
    rig.wires.coming = [(came_ns, lambda t_ns: rig.inbox.append(DeviceHealth(t_ns, "radar-1", True)))]
    rig.run(NS_PER_S // 2)
    assert rig.policy.seen[1:] == [(grid(8), (DeviceHealth(came_ns, "radar-1", True),))]


def test_what_is_read_while_a_tick_is_overdue_is_not_younger_than_the_tick() -> None:
    rig = Rig(wakes_ns=[grid(5)])
    rig.wires.oversleep_ns = [0, 2 * NS_PER_MS]
    rig.wires.coming = [(grid(5) + NS_PER_MS, lambda t_ns: rig.inbox.append(DeviceHealth(t_ns, "radar-1", True)))]
    rig.run(NS_PER_S // 2)
    assert (grid(5), (DeviceHealth(grid(5), "radar-1", True),)) in rig.policy.seen


def test_bytes_that_come_all_the_time_do_not_put_a_tick_off() -> None:
    rig = Rig(wakes_ns=[grid(5)])
    rig.wires.coming = [(START_NS + n * 700_000, lambda t_ns: None) for n in range(400)]
    rig.run(NS_PER_S // 4)
    assert rig.tick_times == [grid(1), grid(5)]


def test_wall_time_is_the_first_input_and_comes_again_every_minute() -> None:
    rig = Rig()
    rig.run(3 * REPEAT_NS + NS_PER_S)
    said = rig.wall_times()
    assert said[0] == WallTime(START_NS, "wall", UTC_NS, True)
    assert [value.t_ns - START_NS for value in said] == [0, REPEAT_NS, 2 * REPEAT_NS, 3 * REPEAT_NS]
    assert all(value.utc_ns - value.t_ns == UTC_NS - START_NS for value in said)


@pytest.mark.parametrize(("step_ms", "said"), [(100, 1), (-100, 1), (101, 2), (-101, 2)])
def test_a_step_of_the_wall_time_is_told_within_a_second(step_ms: int, said: int) -> None:
    rig = Rig()

    def step(t_ns: int) -> None:
        rig.clock.wall_offset_ns += step_ms * NS_PER_MS

    rig.wires.coming = [(START_NS + 5 * NS_PER_S + 1, step)]
    rig.run(30 * NS_PER_S)
    assert len(rig.wall_times()) == said
    if said == 2:
        late = rig.wall_times()[1]
        assert late.t_ns - START_NS <= 6 * NS_PER_S
        assert late.utc_ns - late.t_ns == UTC_NS - START_NS + step_ms * NS_PER_MS


def test_wall_time_is_told_again_when_its_synchronisation_comes_or_goes() -> None:
    rig = Rig()
    rig.synchronised = False
    rig.wires.coming = [(START_NS + 3 * NS_PER_S, lambda t_ns: setattr(rig, "synchronised", True))]
    rig.run(30 * NS_PER_S)
    assert [value.synchronised for value in rig.wall_times()] == [False, True]


def test_slow_drift_is_told_once_it_has_grown_to_a_step() -> None:
    clock = Clock()
    source = WallTimeSource(clock, lambda: True)
    told = 0
    for _ in range(50):
        clock.sleep_until_ns(clock.now_ns() + NS_PER_S)
        clock.wall_offset_ns += 5 * NS_PER_MS
        told += source.check(clock.now_ns()) is not None
    assert told == 3  # at once, and after each 105 ms


def test_the_system_says_whether_its_clock_is_synchronised() -> None:
    assert system_synchronised() in (False, True)


def test_the_status_comes_every_ten_seconds_in_one_line() -> None:
    rig = Rig()
    rig.wires.losses = 2
    rig.run(3 * STATUS_NS + NS_PER_S)
    lines = [line for line in rig.said if line.startswith("status:")]
    assert lines[0] == "status: ticks 1, overruns 0, late p99 0 us, max 0 us, losses 2, all well"
    assert len(lines) == 3
    assert not any("\n" in line for line in rig.said)


def test_health_and_wires_are_told_when_they_change_and_not_again() -> None:
    rig = Rig()

    def health(ok: bool, reason: str = "") -> Callable[[int], None]:
        return lambda t_ns: rig.inbox.append(DeviceHealth(t_ns, "radar-1", ok, reason))

    rig.wires.troubles = {"dali": "no such port"}
    rig.wires.coming = [
        (START_NS + 1 * NS_PER_S, health(False, "no frame")),
        (START_NS + 2 * NS_PER_S, health(False, "no frame")),
        (START_NS + 12 * NS_PER_S, health(True)),
        (START_NS + 15 * NS_PER_S, lambda t_ns: setattr(rig.wires, "troubles", {})),
    ]
    rig.run(21 * NS_PER_S)
    assert [line for line in rig.said if not line.startswith("status")] == [
        "wire dali: no such port",
        "radar-1: no frame",
        "radar-1: well again",
        "wire dali: open",
        "stopped",
    ]
    first, second = (line for line in rig.said if line.startswith("status"))
    assert first.endswith("not well: radar-1 (no frame)")
    assert second.endswith("all well")


# --- a clean stop


class Gateway:
    """Answers every forward frame with "no answer from gear", or nothing at all."""

    def __init__(self, link: MemoryLink, answers: bool) -> None:
        self.frames: list[str] = []
        self._link, self._answers = link, answers
        link.receiver = self._on_bytes

    def _on_bytes(self, data: bytes, t_ns: int) -> None:
        self.frames += data.decode().split()
        if self._answers:
            self._link.write(b"N\n" * (2 if data[:1] == b"t" else 1), t_ns)


def west(answers: bool) -> tuple[Controller, Gateway]:
    far: dict[str, MemoryLink] = {}

    def link_for(name: str, wire: object) -> ByteLink:
        near, far[name] = memory_pair(name)
        return near

    site = load_site("kanalpromenade-reference")
    controller = assemble(site, controller="west", board="kanalpromenade-lamp-laptop", link_for=link_for)
    return controller, Gateway(far["dali"], answers)


def run_west(controller: Controller, span_ns: int) -> tuple[int, list[str]]:
    """Run and stop; when it was over, and what was said."""
    clock, said = Clock(), list[str]()
    loop = RealTimeLoop(controller, Wires(clock), clock, lambda: True, Status(controller, said.append))
    loop.run(lambda: clock.now_ns() >= START_NS + span_ns)
    return clock.now_ns() - START_NS - span_ns, said


def test_a_clean_stop_writes_base_to_every_lamp_in_lit_hours() -> None:
    controller, gateway = west(answers=True)
    took_ns, said = run_west(controller, 10 * NS_PER_S)
    assert gateway.frames[-1] == "hFEAA"  # 170 is 10 %; all six at once
    assert said[-1] == "stopped"
    assert took_ns == 0


def test_a_stop_before_the_gear_has_answered_writes_base_as_well() -> None:
    controller, gateway = west(answers=True)
    run_west(controller, NS_PER_MS)
    assert gateway.frames[0] == "hFEAA"


def test_a_gateway_that_does_not_answer_is_not_waited_for_longer_than_the_deadline() -> None:
    controller, gateway = west(answers=False)
    took_ns, said = run_west(controller, 30 * NS_PER_MS)
    assert gateway.frames
    assert 0 < took_ns <= DRAIN_NS
    assert said[-1] == "stopped"  # the bus is lost, and will be told when it is back by whoever is there then


def test_a_display_is_left_dark() -> None:
    far: dict[str, MemoryLink] = {}

    def link_for(name: str, wire: object) -> ByteLink:
        near, far[name] = memory_pair(name)
        return near

    controller = assemble(load_site("leezenflow-hoerstertor"), board="leezenflow-laptop", link_for=link_for)
    frames: list[bytes] = []
    far["panel"].receiver = lambda data, t_ns: frames.append(data)
    _, said = run_west(controller, NS_PER_S)
    panel = controller.board.panels["panel"]
    assert frames
    assert panel.picture.rgb == bytes(3 * 96 * 32)
    assert said[-1] == "stopped"
