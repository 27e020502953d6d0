"""Frozen values: the watch itself, and the one story of silence, standing values and admitted faults."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.json_lines import JsonLines
from drivers.devices.frozen import FrozenWatch
from drivers.devices.listener import FROZEN, Listener
from drivers.quantities import DeviceHealth, Quantity
from drivers.units import FOREVER_NS, NS_PER_S

FROZEN_NS = 60 * NS_PER_S
STALE_NS = 3 * NS_PER_S


def seen(*said: object) -> FrozenWatch:
    """A watch that has seen these, a second apart."""
    watch = FrozenWatch(FROZEN_NS)
    for n, key in enumerate(said):
        watch.saw(key, n * NS_PER_S)
    return watch


def test_a_value_that_repeats_is_frozen_when_its_time_is_up_and_not_before() -> None:
    watch = seen(925, 925)
    assert watch.wake_ns == FROZEN_NS
    assert not watch.frozen(FROZEN_NS - 1)
    assert watch.frozen(FROZEN_NS)
    watch.saw(925, FROZEN_NS)
    assert watch.frozen(10 * FROZEN_NS)


def test_time_counts_from_the_first_of_the_equal_values() -> None:
    assert seen(924, 925, 924, 924, 924).wake_ns == 2 * NS_PER_S + FROZEN_NS


def test_a_changed_value_ends_it() -> None:
    watch = seen(925, 925)
    watch.saw(924, FROZEN_NS + 1)
    assert not watch.frozen(FROZEN_NS + 1)
    assert watch.wake_ns == FOREVER_NS


@pytest.mark.parametrize("said", [(), (925,), (None, None), (925, 925, None), (925, None, 925)])
def test_nothing_one_report_and_nobody_in_view_are_never_frozen(said: tuple[object, ...]) -> None:
    watch = seen(*said)
    assert watch.wake_ns == FOREVER_NS
    assert not watch.frozen(FOREVER_NS - 1)


def test_a_watch_of_zero_is_off() -> None:
    watch = FrozenWatch(0)
    for t_ns in range(10):
        watch.saw(925, t_ns)
    assert watch.wake_ns == FOREVER_NS


def test_after_forgetting_the_same_value_is_watched_anew() -> None:
    watch = seen(925, 925)
    watch.forget()
    watch.saw(925, 100 * NS_PER_S)
    assert watch.wake_ns == FOREVER_NS
    watch.saw(925, 101 * NS_PER_S)
    assert watch.wake_ns == 100 * NS_PER_S + FROZEN_NS


scalars = st.one_of(st.integers(-2, 2), st.sampled_from(["", "a"]), st.floats(-1, 1))
keys = st.one_of(
    st.none(), scalars, st.lists(st.one_of(scalars, st.tuples(scalars)), max_size=2).map(tuple), st.lists(scalars)
)


@given(st.lists(keys, max_size=8), st.lists(keys, max_size=8))
def test_a_restored_watch_goes_on_where_it_stood(before: list[object], after: list[object]) -> None:
    watch = seen(*before)
    other = FrozenWatch(FROZEN_NS)
    other.restore(json.loads(json.dumps(watch.snapshot())))
    for n, key in enumerate([*before[-1:], *after]):
        for each in (watch, other):
            each.saw(key, (100 + n) * NS_PER_S)
        assert watch.snapshot() == other.snapshot()


class Sensor(Listener):
    """The least device: tests tell it what came."""

    def __init__(self, frozen_ns: int = FROZEN_NS) -> None:
        self.emitted: list[Quantity] = []
        super().__init__("bay-3", JsonLines(), self.emitted.append, STALE_NS, "no frame", frozen_ns=frozen_ns)

    def said(self, key: object, t_s: float) -> None:
        self._heard(int(t_s * NS_PER_S), key)

    def failed(self, reason: str, t_s: float) -> None:
        self._faulty(int(t_s * NS_PER_S), reason)

    def says(self, key: object, from_s: int, to_s: int) -> None:
        """The same once a second, with the ticks that a board would give."""
        for t_s in range(from_s, to_s + 1):
            self.until(t_s)
            self.said(key, t_s)

    def until(self, t_s: int) -> None:
        while self.wake_ns <= t_s * NS_PER_S:
            self.advance(self.wake_ns)

    def told(self) -> list[tuple[int, bool, str]]:
        """(second, ok, reason) of every DeviceHealth since the last time."""
        found = [(v.t_ns // NS_PER_S, v.ok, v.reason) for v in self.emitted if isinstance(v, DeviceHealth)]
        self.emitted.clear()
        return found


def test_a_frozen_value_is_told_once_and_the_end_of_it_too() -> None:
    sensor = Sensor()
    sensor.says(925, 0, 200)
    assert sensor.told() == [(60, False, FROZEN)]
    sensor.says(924, 201, 210)
    assert sensor.told() == [(201, True, "")]


def test_a_value_that_trembles_is_sound_for_ever() -> None:
    sensor = Sensor()
    for n in range(30):
        sensor.says(925 + n % 2, 10 * n, 10 * n + 9)
    assert sensor.told() == []


def test_nobody_in_view_may_last_for_hours() -> None:
    sensor = Sensor()
    sensor.says(None, 0, 3 * 3600)
    assert sensor.told() == []


def test_silence_of_a_frozen_sensor_is_another_word_and_its_return_a_good_one() -> None:
    sensor = Sensor()
    sensor.says(925, 0, 70)
    sensor.until(100)
    assert sensor.told() == [(60, False, FROZEN), (73, False, "no frame")]
    assert sensor.wake_ns == FOREVER_NS
    sensor.says(925, 100, 170)
    assert sensor.told() == [(100, True, ""), (160, False, FROZEN)]


def test_an_admitted_fault_is_told_once_for_each_reason_and_keeps_silence_away() -> None:
    sensor = Sensor()
    sensor.said(925, 0)
    for t_s in (1, 2, 3):
        sensor.until(t_s)
        sensor.failed("sensor does not answer", t_s)
    sensor.failed("supply too low", 4)
    assert sensor.told() == [(1, False, "sensor does not answer"), (4, False, "supply too low")]
    sensor.until(20)
    assert sensor.told() == [(7, False, "no frame")]
    sensor.failed("supply too low", 21)
    sensor.said(925, 22)
    assert sensor.told() == [(21, False, "supply too low"), (22, True, "")]


def test_a_fault_in_between_starts_the_watch_anew() -> None:
    sensor = Sensor()
    sensor.says(925, 0, 50)
    sensor.failed("no", 51)
    sensor.says(925, 52, 111)
    assert sensor.told() == [(51, False, "no"), (52, True, "")]
    sensor.says(925, 112, 113)
    assert sensor.told() == [(112, False, FROZEN)]


def test_without_a_watch_one_value_may_stand() -> None:
    sensor = Sensor(frozen_ns=0)
    sensor.says(925, 0, 1000)
    assert sensor.told() == []


moves = st.lists(
    st.tuples(st.sampled_from(["says", "fails", "ticks"]), st.sampled_from([None, 1, 2]), st.integers(0, 40)),
    max_size=30,
)


@given(moves, st.integers(0, 30))
def test_a_restored_listener_tells_the_rest_and_an_early_advance_changes_nothing(
    steps: list[tuple[str, int | None, int]], at: int
) -> None:
    straight, broken = Sensor(), Sensor()
    told: list[Quantity] = []
    t_s = 0.0
    for n, (move, key, wait) in enumerate(steps):
        if n == at:
            told, state = broken.emitted, json.loads(json.dumps(broken.snapshot()))
            broken = Sensor()
            broken.restore(state)
        t_s += wait / 10
        now_ns = int(t_s * NS_PER_S)
        for sensor in (straight, broken):
            if move == "says":
                sensor.said(key, t_s)
            elif move == "fails":
                sensor.failed(f"fault {key}", t_s)
            else:
                before = sensor.snapshot()
                sensor.advance(now_ns)
                assert sensor.snapshot() == before or before["wake_ns"] <= now_ns
        assert straight.snapshot() == broken.snapshot()
    assert straight.emitted == told + broken.emitted
