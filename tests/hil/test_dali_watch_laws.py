"""Laws of a watched DALI line under any faults: it ends well, says so, and sleeping changes nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dali_yard import TICK_NS, Yard
from drivers.quantities import DeviceHealth, LampStatus, Quantity
from drivers.units import NS_PER_MS, NS_PER_S

LAMPS = 3
KEYS = "check_s = 4\nkeepalive_s = 2\n"

ACTION = st.one_of(
    st.tuples(st.just("level"), st.integers(0, LAMPS - 1), st.integers(0, 254)),
    st.tuples(st.just("all"), st.just(0), st.sampled_from((0, 170, 254))),
    st.tuples(st.sampled_from(("dead", "alive", "lamp", "well")), st.integers(0, LAMPS - 1), st.just(0)),
    st.tuples(st.sampled_from(("silent", "lossy", "dark")), st.just(0), st.integers(0, 254)),
)
SCRIPT = st.lists(st.tuples(st.integers(0, 150), ACTION), max_size=12)
"""Ticks to wait, then what happens."""


class Watched(Yard):
    """`always`: every device is advanced at every tick, due or not."""

    def __init__(self, always: bool = False) -> None:
        super().__init__(LAMPS, KEYS)
        self.always = always
        self.levels: dict[int, int] = {}

    def act(self, what: str, n: int, value: int) -> None:
        gateway, now_ns = self.gateway, self.now_ns
        if what in ("level", "all"):
            for lamp in range(LAMPS) if what == "all" else (n,):
                self.levels[lamp] = value
                self.lamps[lamp].set_level(value, now_ns)
            self.bus.advance(now_ns)
        elif what in ("dead", "alive"):
            gateway.set_gear_dead(n, what == "dead", now_ns)
        elif what in ("lamp", "well"):
            gateway.gear[n].lamp_failed = what == "lamp"
        elif what == "silent":
            gateway.set_silent(now_ns, now_ns + value * 20 * NS_PER_MS)
        elif what == "lossy":
            gateway.lose_answers(value % 5)
        else:
            gateway.set_bus_power(value % 2 == 0, now_ns)

    def heal(self) -> None:
        self.gateway.lose_answers(0)
        self.gateway.set_bus_power(True, self.now_ns)
        for n in range(LAMPS):
            self.act("alive", n, 0)
            self.act("well", n, 0)

    def run(self, to_s: float) -> None:
        if not getattr(self, "always", False):
            super().run(to_s)
            return
        to_ns = round(to_s * NS_PER_S)
        while self.now_ns < to_ns:
            while self.gateway.wake_ns < self.now_ns:
                self.gateway.run(self.gateway.wake_ns)
            for device in self.board.devices.values():
                device.advance(self.now_ns)
            self.now_ns += TICK_NS
        while self.gateway.wake_ns < self.now_ns:
            self.gateway.run(self.gateway.wake_ns)

    def play(self, script: list[tuple[int, tuple[str, int, int]]]) -> None:
        for ticks, action in script:
            self.run((self.now_ns + ticks * TICK_NS) / NS_PER_S)
            self.act(*action)
        self.heal()
        self.run(self.now_ns / NS_PER_S + 40)


def last_words(values: list[Quantity], kind: type[Any]) -> dict[str, Any]:
    return {value.source: value for value in values if isinstance(value, kind)}


@given(SCRIPT)
@settings(max_examples=60, deadline=None)
def test_after_any_faults_lamps_show_their_levels_and_everybody_is_well_again(
    script: list[tuple[int, tuple[str, int, int]]],
) -> None:
    yard = Watched()
    yard.play(script)
    assert {n: yard.gateway.level_at(n, yard.now_ns) for n in yard.levels} == yard.levels
    assert all(value.ok for value in last_words(yard.values, DeviceHealth).values())
    assert all(not value.failure for value in last_words(yard.values, LampStatus).values())
    for source in {value.source for value in yard.values if isinstance(value, LampStatus)}:
        said = [v.failure for v in yard.values if isinstance(v, LampStatus) and v.source == source]
        assert all(a != b for a, b in pairwise(said)), "only what has changed"
    assert yard.gateway.gear[0].writes == 0
    assert not yard.bus.lost


@given(SCRIPT)
@settings(max_examples=25, deadline=None)
def test_waking_only_when_due_says_the_same_things_at_the_same_times(
    script: list[tuple[int, tuple[str, int, int]]],
) -> None:
    skipping, always = Watched(), Watched(always=True)
    for each in (skipping, always):
        each.play(script)
    assert skipping.values == always.values
    assert skipping.line.snapshot() == always.line.snapshot()
