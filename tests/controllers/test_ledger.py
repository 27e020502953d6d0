"""The ledger's arithmetic: buckets, quantiles, budgets, and who held the loop."""

from __future__ import annotations

import gc
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.core.ledger import (
    ACT,
    BUDGET_PER_MILLE,
    DECIDE,
    NEWEST,
    PHASES,
    PUBLISH,
    SENSE,
    Account,
    Histogram,
    Ledger,
    culprit,
)
from controllers.service.garbage import EVERY_NS, FIRST_NS, LATEST_NS, IdleCollector
from controllers.service.ledger import LoopMeter, processor
from drivers.clock import SystemClock, VirtualClock, thread_cpu_ns
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

MS = NS_PER_MS


# --- lateness


@pytest.mark.parametrize(
    ("late_ns", "us", "read_us"),
    [
        (0, 0, 0),
        (1, 1, 1),
        (1_000, 1, 1),
        (1_001, 2, 2),
        (16_000, 16, 16),
        (16_001, 17, 17),
        (32_000, 32, 32),
        (33_000, 33, 33),
        (1_000_000, 1000, 1000),
    ],
)
def test_a_single_value_is_read_back_as_itself(late_ns: int, us: int, read_us: int) -> None:
    histogram = Histogram()
    histogram.add(late_ns)
    assert (histogram.max_us, histogram.sum_us, histogram.count) == (us, us, 1)
    assert histogram.quantile_us(500) == histogram.quantile_us(999) == read_us


@settings(max_examples=200)
@given(st.lists(st.integers(0, 90 * NS_PER_S), min_size=1, max_size=200), st.integers(1, 1000))
def test_a_quantile_is_never_below_the_nearest_rank_and_an_eighth_above_it_at_most(
    lates_ns: list[int], per_mille: int
) -> None:
    histogram = Histogram()
    for late_ns in lates_ns:
        histogram.add(late_ns)
    ranked = sorted(-(-late_ns // 1000) for late_ns in lates_ns)
    exact = ranked[-(-len(ranked) * per_mille // 1000) - 1]
    found = histogram.quantile_us(per_mille)
    in_the_last = exact > 60_000_000  # what is above all others, up to 67 s and beyond, is read as the maximum
    assert exact <= found <= (histogram.max_us if in_the_last else max(1, exact + exact // 8))
    assert histogram.quantile_us(1000) == ranked[-1]


@settings(max_examples=200)
@given(st.lists(st.integers(0, 67 * NS_PER_S), max_size=100))
def test_doublings_count_every_value_once_in_the_first_bucket_that_holds_it(lates_ns: list[int]) -> None:
    histogram = Histogram()
    for late_ns in lates_ns:
        histogram.add(late_ns)
    bounds, counts = histogram.doublings()
    assert len(bounds) == len(counts)
    assert bounds == [2**n for n in range(len(bounds))]
    assert sum(counts) == len(lates_ns)
    for number, bound in enumerate(bounds[:-1]):
        assert sum(counts[: number + 1]) == sum(late_ns <= 1000 * bound for late_ns in lates_ns)


def test_a_lateness_beyond_all_buckets_is_counted_in_the_last() -> None:
    histogram = Histogram()
    histogram.add(10**6 * NS_PER_S)
    assert histogram.doublings()[1][-1] == 1
    assert histogram.quantile_us(500) <= histogram.max_us == 10**12


def test_an_empty_histogram_says_zero() -> None:
    assert Histogram().quantile_us(500) == 0


# --- who held it


def account(*parts: tuple[int, str, str, int], collector_ns: int = 0) -> Account:
    made = Account()
    for phase, what, name, took_ns in parts:
        made.add(phase, what, name, took_ns)
    made.collector_ns = collector_ns
    return made


RADAR = (SENSE, "device", "radar-1", 30 * MS)
POLICY = (DECIDE, "policy", "", 8 * MS)


@pytest.mark.parametrize(
    ("parts", "collector_ms", "awake_ms", "overslept_ms", "stolen_ms", "who", "for_ms"),
    [
        ((RADAR, POLICY), 0, 38, 0, 0, "device radar-1", 30),
        ((POLICY,), 0, 8, 0, 0, "policy", 8),
        ((POLICY,), 20, 28, 0, 0, "garbage collector", 20),
        ((POLICY,), 0, 8, 30, 0, "machine", 30),
        ((RADAR,), 0, 30, 0, 29, "machine", 29),  # the processor was taken away while the radar was served
        ((RADAR,), 0, 30, 0, 9, "device radar-1", 21),
        ((), 0, 12, 0, 0, "loop", 12),
        ((RADAR,), 0, 100, 0, 0, "loop", 70),
    ],
)
def test_the_longest_stretch_is_named(
    parts: tuple[tuple[int, str, str, int], ...],
    collector_ms: int,
    awake_ms: int,
    overslept_ms: int,
    stolen_ms: int,
    who: str,
    for_ms: int,
) -> None:
    spent = account(*parts, collector_ns=collector_ms * MS)
    assert culprit(spent, awake_ms * MS, overslept_ms * MS, stolen_ms * MS) == (who, for_ms * MS)


def test_a_cleared_account_is_empty() -> None:
    spent = account(RADAR, collector_ns=5)
    spent.clear()
    assert (spent.phase_ns, spent.longest_ns, spent.collector_ns, spent.what) == ([0] * len(PHASES), 0, 0, "")


# --- the sums


def test_phases_have_a_mean_a_maximum_and_a_budget_and_are_counted_when_over_it() -> None:
    ledger = Ledger(20 * MS)
    ledger.turned(account((SENSE, "wire", "dali", 1 * MS), (SENSE, "device", "radar-1", 2 * MS)))
    ledger.turned(account((SENSE, "wire", "dali", 6 * MS), (PUBLISH, "publish", "", 2 * MS)))
    phases = ledger.figures()["phases_us"]
    assert phases["sense"] == {"max": 6000, "mean": 4500, "budget": 5000, "over_budget": 1}
    assert phases["publish"] == {"max": 2000, "mean": 1000, "budget": 2000, "over_budget": 0}
    assert phases["act"]["max"] == 0


def test_the_budgets_leave_time_to_be_late_and_to_sleep() -> None:
    assert len(BUDGET_PER_MILLE) == len(PHASES)
    assert sum(BUDGET_PER_MILLE) < 1000


def test_the_newest_holders_are_kept_and_all_are_summed_by_name() -> None:
    ledger = Ledger(20 * MS)
    for n in range(3 * NEWEST):
        ledger.held(n, 15 * MS, "policy" if n % 2 else "wire dali", (10 + n) * MS)
    figures = ledger.figures()
    assert [each["t_ns"] for each in figures["held"]] == list(range(2 * NEWEST, 3 * NEWEST))
    assert figures["held"][-1] == {"t_ns": 59, "late_us": 15_000, "what": "policy", "for_us": 69_000}
    assert figures["held_by"]["wire dali"] == {"count": 30, "sum_us": sum(range(10, 70, 2)) * 1000, "max_us": 68_000}
    assert json.loads(json.dumps(figures)) == figures


def test_an_empty_ledger_has_all_its_figures() -> None:
    figures = Ledger(20 * MS).figures()
    assert figures["late_us"] == {"p50": 0, "p99": 0, "p999": 0, "max": 0}
    assert (figures["overruns"], figures["held"], figures["held_by"]) == (0, [], {})


# --- the meter


class Thread:
    """A thread whose use of the processor is told beforehand."""

    def __init__(self) -> None:
        self.clock = VirtualClock(NS_PER_S)
        self.cpu_ns = self.waits = 0
        self.ledger = Ledger(20 * MS)
        self.meter = LoopMeter(self.ledger, self.clock.now_ns, lambda: (self.cpu_ns, self.waits))

    def work(self, span_ms: int) -> None:
        self.cpu_ns += span_ms * MS
        self.idle(span_ms)

    def idle(self, span_ms: int) -> None:
        self.clock.sleep_until_ns(self.clock.now_ns() + span_ms * MS)

    def held(self) -> list[tuple[str, int]]:
        return [(each["what"], each["for_us"] // 1000) for each in self.ledger.figures()["held"]]


def test_time_goes_to_who_has_just_been_marked() -> None:
    thread = Thread()
    meter = thread.meter
    meter.begin()
    thread.work(2)
    meter.mark(SENSE, "wire", "dali")
    thread.work(3)
    meter.mark(ACT, "lamp", "lamp-1")
    meter.end(0)
    phases = thread.ledger.figures()["phases_us"]
    assert (phases["sense"]["max"], phases["act"]["max"], phases["decide"]["max"]) == (2000, 3000, 0)


@pytest.mark.parametrize(
    ("works", "waits", "who"),
    [(True, 0, "wire dali"), (True, 1, "wire dali"), (False, 1, "wire dali"), (False, 0, "machine")],
)
def test_who_worked_or_waited_held_the_loop_and_else_the_machine_did(works: bool, waits: int, who: str) -> None:
    thread = Thread()
    meter = thread.meter
    due_ns = meter.begin() + 5 * MS
    (thread.work if works else thread.idle)(30)
    thread.waits += waits
    meter.mark(SENSE, "wire", "dali")
    meter.end(due_ns)
    meter.begin()
    assert meter.ticked(0, due_ns, 1) == 25 * MS
    assert thread.held() == [(who, 30)]
    assert thread.ledger.overruns == 1


def test_a_sleep_that_comes_late_is_the_machines() -> None:
    thread = Thread()
    meter = thread.meter
    meter.begin()
    thread.work(3)
    meter.mark(SENSE, "wire", "dali")
    due_ns = thread.clock.now_ns() + 10 * MS
    meter.end(due_ns)
    thread.idle(25)
    meter.begin()
    meter.ticked(0, due_ns, 0)
    assert thread.held() == [("machine", 15)]


def test_who_is_slow_between_coming_around_and_the_tick_is_found_as_well() -> None:
    thread = Thread()
    meter = thread.meter
    meter.end(thread.clock.now_ns())
    due_ns = meter.begin()
    thread.work(12)
    meter.mark(SENSE, "wire", "radar-1")
    assert meter.ticked(0, due_ns, 0) == 12 * MS
    assert thread.held() == [("wire radar-1", 12)]


def test_a_tick_that_is_less_than_half_a_period_late_has_no_entry() -> None:
    thread = Thread()
    due_ns = thread.meter.begin()
    thread.work(9)
    thread.meter.mark(SENSE, "wire", "radar-1")
    thread.meter.ticked(0, due_ns, 0)
    assert thread.held() == []
    assert thread.ledger.figures()["late_us"]["max"] == 9000


def test_the_collector_is_not_blamed_on_whose_turn_it_was() -> None:
    thread = Thread()
    meter = thread.meter
    meter.watch_collector(True)
    try:
        due_ns = meter.begin()
        thread.work(4)
        gc.callbacks[-1]("start", {})
        thread.work(16)
        gc.callbacks[-1]("stop", {})
        meter.mark(DECIDE, "policy", "")
        meter.end(due_ns)
        meter.begin()
        meter.ticked(0, due_ns, 1)
    finally:
        meter.watch_collector(False)
    assert thread.held() == [("garbage collector", 16)]
    assert thread.ledger.figures()["phases_us"]["decide"]["max"] == 4000


def test_a_real_collection_is_heard_and_afterwards_none() -> None:
    meter = LoopMeter(Ledger(20 * MS), SystemClock().now_ns, processor)
    before = len(gc.callbacks)
    meter.watch_collector(True)
    began_ns = meter.begin()
    gc.collect()
    assert meter.last_ns > began_ns
    meter.watch_collector(False)
    assert len(gc.callbacks) == before


def test_the_processor_time_of_this_thread_grows_with_work_and_not_with_sleep() -> None:
    clock = SystemClock()
    before_ns = thread_cpu_ns()
    sum(range(200_000))
    worked_ns = thread_cpu_ns() - before_ns
    began_ns, before_ns = clock.now_ns(), thread_cpu_ns()
    clock.sleep_until_ns(began_ns + 30 * MS)
    slept_ns, used_ns = clock.now_ns() - began_ns, thread_cpu_ns() - before_ns
    assert worked_ns > 0
    assert 2 * used_ns < slept_ns
    cpu_ns, waits = processor()
    assert cpu_ns > 0
    assert waits > 0


# --- garbage in idle gaps


class Collecting:
    def __init__(self, takes_ms: int) -> None:
        self.clock = VirtualClock(NS_PER_S)
        self.takes_ms, self.calls = takes_ms, 0
        self.collector = IdleCollector(self.clock.now_ns, self._collect)
        was = gc.isenabled()
        gc.disable()
        self.collector.start(self.clock.now_ns())
        if was:
            gc.enable()

    def _collect(self) -> None:
        self.calls += 1
        self.clock.sleep_until_ns(self.clock.now_ns() + self.takes_ms * MS)


def test_nothing_is_collected_as_long_as_the_collector_runs_by_itself() -> None:
    collector = IdleCollector(lambda: 0)
    assert gc.isenabled()
    collector.start(0)
    assert collector.wake_ns == FOREVER_NS


def test_a_collection_waits_for_a_gap_of_twice_its_time() -> None:
    rig = Collecting(takes_ms=5)
    due_ns = rig.collector.wake_ns
    assert due_ns == NS_PER_S + EVERY_NS
    rig.collector.look(due_ns, 2 * FIRST_NS - 1)
    assert rig.calls == 0
    rig.collector.look(due_ns, 2 * FIRST_NS)
    assert rig.calls == 1
    rig.collector.look(due_ns + EVERY_NS, 9 * MS)
    assert rig.calls == 1, "it has been seen to take 5 ms"
    rig.collector.look(due_ns + EVERY_NS, 10 * MS)
    assert (rig.calls, rig.collector.longest_ns, rig.collector.collections) == (2, 5 * MS, 2)
    assert rig.collector.wake_ns == due_ns + 2 * EVERY_NS


def test_after_a_minute_without_a_gap_it_is_collected_anyway() -> None:
    rig = Collecting(takes_ms=1)
    rig.collector.look(NS_PER_S + LATEST_NS - 1, 0)
    assert rig.calls == 0
    rig.collector.look(NS_PER_S + LATEST_NS, 0)
    assert rig.calls == 1
