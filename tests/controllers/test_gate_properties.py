"""The last gate under every kind of input at once: its laws, whatever comes in whatever order."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.core.calendar_rules import OFF, Hours
from controllers.core.contract import Command, LampLevel, Publish
from controllers.core.dusk import Dusk
from controllers.core.failsafe_lamps import LampGate
from controllers.core.lamp_slope import DROP_LEVELS, LampSlope
from drivers.quantities import DeviceHealth, Illuminance, LampStatus, Message, Quantity, WallTime
from drivers.units import NS_PER_MS, NS_PER_S

BASE, FULL = 170, 254
LAMPS = {"lamp-1": 0, "lamp-2": 32_000, "lamp-3": 64_000}
HOUR_NS = 3600 * NS_PER_S


class Nights:
    """By the hour: off, lit, lit with stand-by, full; the sun is up in every third hour."""

    kinds = (OFF, Hours("lit"), Hours("lit", 0, 40), Hours("full"), Hours("lit", 30))

    def hours_at(self, utc_ns: int) -> Hours:
        return self.kinds[utc_ns // HOUR_NS % 5]

    def next_change_ns(self, utc_ns: int) -> int:
        return utc_ns // HOUR_NS * HOUR_NS + HOUR_NS

    def sun_up_at(self, utc_ns: int) -> bool:
        return utc_ns // HOUR_NS % 3 == 0


def gate() -> LampGate:
    return LampGate(
        LAMPS,
        {"radar-1": (0, 32_000), "dali": (0, 64_000)},
        Nights(),
        base_level=BASE,
        full_level=FULL,
        reach_mm=10_000,
        fade_ns=NS_PER_S,
        speakers=("east", "west"),
        dusk=Dusk("lux", 10_000, 30_000, trims=True),
    )


_lamp = st.sampled_from([*LAMPS, "lamp-9"])
_values: st.SearchStrategy[Any] = st.one_of(
    st.tuples(st.just("health"), st.sampled_from(["radar-1", "dali", "lux", "lamp-1", "other"]), st.booleans()),
    st.tuples(st.just("lamp"), _lamp, st.none() | st.integers(0, 254), st.sampled_from(["", "", "lamp failure"])),
    st.tuples(st.just("lux"), st.sampled_from([0, 10_000, 20_000, 30_000, 10**6])),
    st.tuples(st.just("order"), _lamp, st.none() | st.integers(0, 254), st.integers(1, 60_000)),
    st.tuples(st.just("said"), st.sampled_from([None, [0, 5], "x"])),
    st.tuples(st.just("wall"), st.integers(0, 15 * HOUR_NS), st.integers(0, 9)),
)
_commands = st.builds(LampLevel, st.sampled_from(list(LAMPS)), st.integers(-300, 300))
_steps = st.lists(
    st.tuples(st.lists(_commands, max_size=3), st.lists(_values, max_size=3), st.integers(1, 90_000)), max_size=25
)


def quantity(said: tuple[Any, ...], t_ns: int) -> Quantity:
    match said:
        case ("health", source, ok):
            return DeviceHealth(t_ns, source, ok)
        case ("lamp", lamp, level, failure):
            return LampStatus(t_ns, lamp, level, failure)
        case ("lux", mlux):
            return Illuminance(t_ns, "lux", mlux)
        case ("order", lamp, level, for_ms):
            body = {"kind": "override", "lamps": [lamp], "level": level, "for_ms": for_ms}
            return Message(t_ns, "commissioning", body)
        case ("said", stretch):
            return Message(t_ns, "east", {"of": "radar", "doubt": stretch})
        case _:
            return WallTime(t_ns, "wall", said[1], said[2] > 0)


class Walk:
    """A gate led through steps: everything due by itself in between, then the step. Gives each tick to `look`."""

    def __init__(self) -> None:
        self.gate, self.now_ns = gate(), 0

    def tick(self, commands: list[Command], inputs: list[Quantity]) -> list[Command]:
        twin = gate()
        twin.restore(json.loads(json.dumps(self.gate.snapshot())))
        allowed = list(self.gate.step(commands, inputs, self.now_ns))
        assert list(twin.step(commands, inputs, self.now_ns)) == allowed, "a twin from a snapshot says the same"
        assert twin.snapshot() == self.gate.snapshot()
        assert self.gate.wake_ns > self.now_ns
        return allowed

    def go(self, steps: list[Any]) -> list[tuple[int, list[Command]]]:
        said = []
        for commands, values, later_ms in steps:
            said.append((self.now_ns, self.tick(commands, [quantity(value, self.now_ns) for value in values])))
            until_ns = self.now_ns + later_ms * NS_PER_MS
            while self.gate.wake_ns < until_ns:
                self.now_ns = self.gate.wake_ns
                said.append((self.now_ns, self.tick([], [])))
            if until_ns > self.now_ns + 1:  # the law of waking
                before = self.gate.snapshot()
                assert list(self.gate.step((), (), until_ns - 1)) == []
                assert self.gate.snapshot() == before
            self.now_ns = until_ns
        return said


@settings(max_examples=30, deadline=None)
@given(_steps)
def test_whatever_comes_levels_stay_in_their_limits_and_sink_no_faster_than_they_may(steps: list[Any]) -> None:
    """Of the light shown, by a model of its own beside the gate's, no second loses more than two steps."""
    models = {lamp: LampSlope(NS_PER_S) for lamp in LAMPS}
    shown: dict[str, list[tuple[int, int]]] = {lamp: [] for lamp in LAMPS}
    for t_ns, commands in Walk().go(steps):
        for command in commands:
            if not isinstance(command, LampLevel):
                assert isinstance(command, Publish)
                assert command.target in ("east", "west")
                continue
            lamp, level = command.target, command.level
            assert 0 <= level <= FULL
            shown[lamp].append((t_ns, models[lamp].shown(t_ns)))
            lately = [before for at_ns, before in shown[lamp] if at_ns > t_ns - NS_PER_S]
            assert max(lately) - level <= 2 * DROP_LEVELS
            models[lamp].told(level, t_ns)


@settings(max_examples=20, deadline=None)
@given(_steps)
def test_when_all_is_well_and_nobody_asks_lamps_are_at_what_the_hour_rests_at(steps: list[Any]) -> None:
    walk = Walk()
    walk.go(steps)
    well: list[Quantity] = [DeviceHealth(walk.now_ns, source, True) for source in ("radar-1", "dali")]
    well += [LampStatus(walk.now_ns, lamp, None) for lamp in LAMPS]
    well += [Message(walk.now_ns, "east", {"doubts": {}})]
    order: dict[str, object] = {"kind": "override", "lamps": list(LAMPS), "level": None}
    well += [Message(walk.now_ns, "commissioning", order)]
    lit_ns = HOUR_NS + HOUR_NS // 4
    well += [DeviceHealth(walk.now_ns, "lux", False), WallTime(walk.now_ns, "wall", lit_ns, True)]
    asked: list[Command] = [LampLevel(lamp, 0) for lamp in LAMPS]
    walk.tick(asked, well)
    walk.go([([], [], 20_000)])
    passed = walk.gate.snapshot()["passed"]
    assert passed == dict.fromkeys(LAMPS, BASE)
