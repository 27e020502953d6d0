"""Hours with levels of their own at the last gate: stand-by, dimmed nights, events that are full or off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controllers.core.calendar_rules import OFF, Hours
from controllers.core.contract import LampLevel
from controllers.core.failsafe_lamps import LampGate
from drivers.codecs.dali import level_for_pct
from drivers.quantities import DeviceHealth, LampStatus, WallTime
from drivers.units import FOREVER_NS, NS_PER_S

BASE, FULL = 170, 254
LAMPS = {"lamp-1": 0, "lamp-2": 32_000}
CHANGE_NS = 1000 * NS_PER_S


class Changing:
    """One kind of hours until `CHANGE_NS`, then another."""

    def __init__(self, *hours: Hours) -> None:
        self.hours = hours

    def hours_at(self, utc_ns: int) -> Hours:
        return self.hours[0] if utc_ns < CHANGE_NS else self.hours[-1]

    def next_change_ns(self, utc_ns: int) -> int:
        return CHANGE_NS if utc_ns < CHANGE_NS and len(self.hours) > 1 else FOREVER_NS

    def sun_up_at(self, utc_ns: int) -> bool:
        return False


class Lamps:
    """A gate whose gear was found at base, and what its lamps were told last."""

    def __init__(self, *hours: Hours, base: int = BASE, full: int = FULL) -> None:
        self.gate = LampGate(LAMPS, {"radar-1": (0, 0)}, Changing(*hours), base_level=base, full_level=full)
        self.levels = dict.fromkeys(LAMPS, base)
        self.told: list[int] = []
        self.step(0, WallTime(0, "wall", 0, True), *[LampStatus(0, lamp, base) for lamp in LAMPS])
        self.until(20 * NS_PER_S)

    def step(self, now_ns: int, *inputs: object, asked: int | None = None) -> list[int]:
        """The levels after a tick; `asked` of lamp-1."""
        commands = () if asked is None else (LampLevel("lamp-1", asked),)
        for command in self.gate.step(commands, inputs, now_ns):  # type: ignore[arg-type]
            assert isinstance(command, LampLevel)
            self.levels[command.target] = command.level
            self.told.append(command.level)
        return list(self.levels.values())

    def until(self, until_ns: int) -> list[int]:
        """The levels after what the gate does by itself."""
        while self.gate.wake_ns <= until_ns:
            self.step(self.gate.wake_ns)
        return list(self.levels.values())


def test_in_stand_by_a_lamp_is_dark_until_somebody_comes_and_sinks_back_to_dark() -> None:
    lamps = Lamps(Hours("lit", 0))
    assert lamps.until(30 * NS_PER_S) == [0, 0]
    assert lamps.step(40 * NS_PER_S, asked=FULL) == [FULL, 0]
    assert lamps.step(50 * NS_PER_S, asked=200)[0] == FULL - 34
    lamps.until(60 * NS_PER_S)
    assert lamps.step(61 * NS_PER_S, asked=BASE)[0] < 200, "the policy's base is this hour's base"
    assert lamps.until(80 * NS_PER_S) == [0, 0]


def test_stand_by_begins_in_steps_and_ends_at_once() -> None:
    lamps = Lamps(Hours("lit"), Hours("lit", 0))
    assert lamps.until(CHANGE_NS - 1) == [BASE, BASE]
    assert lamps.until(CHANGE_NS) == [BASE - 34, BASE - 34]
    assert lamps.until(CHANGE_NS + 10 * NS_PER_S) == [0, 0]
    back = Lamps(Hours("lit", 0), Hours("lit"))
    assert back.until(CHANGE_NS) == [BASE, BASE]


def test_a_dimmed_night_asks_for_its_own_full_also_in_doubt() -> None:
    lamps = Lamps(Hours("lit", 2.5, 40))
    low, high = level_for_pct(40), FULL
    assert lamps.step(30 * NS_PER_S, asked=FULL)[0] == low < high
    assert lamps.step(31 * NS_PER_S, asked=low - 5)[0] == low - 5
    lamps.step(40 * NS_PER_S, DeviceHealth(0, "radar-1", False, "no frame"))
    assert lamps.until(50 * NS_PER_S)[0] == low


def test_no_hours_go_above_the_sites_full_level() -> None:
    lamps = Lamps(Hours("full", None, 100), full=200)
    assert lamps.until(30 * NS_PER_S) == [200, 200]


def test_an_event_that_is_full_is_full_for_everybody_and_ends_in_steps() -> None:
    lamps = Lamps(Hours("full"), Hours("lit"))
    assert lamps.levels == dict.fromkeys(LAMPS, FULL)
    assert lamps.step(30 * NS_PER_S, asked=BASE) == [FULL, FULL]
    lamps.told.clear()
    assert lamps.until(CHANGE_NS + 10 * NS_PER_S) == [BASE, BASE]
    assert lamps.told == [FULL - 34, FULL - 34, FULL - 68, FULL - 68, BASE, BASE]


def test_the_end_of_lit_hours_is_no_stroke_either() -> None:
    lamps = Lamps(Hours("full"), OFF)
    lamps.told.clear()
    assert lamps.until(CHANGE_NS + 20 * NS_PER_S) == [0, 0]
    assert lamps.told[::2] == [220, 186, 152, 118, 84, 50, 16, 0]


def test_a_clean_stop_in_stand_by_leaves_base_for_nobody_would_light_again() -> None:
    lamps = Lamps(Hours("lit", 0))
    assert {order.level for order in lamps.gate.stopping(30 * NS_PER_S)} == {BASE}


@pytest.mark.parametrize("base_pct", [None, 0, 10, 30])
@pytest.mark.parametrize("full_pct", [None, 30, 100])
@given(asked=st.integers(0, 254))
def test_a_level_asked_for_stays_between_the_hours_own_ends(
    base_pct: float | None, full_pct: float | None, asked: int
) -> None:
    lamps = Lamps(Hours("lit", base_pct, full_pct))
    low = BASE if base_pct is None else level_for_pct(int(base_pct))
    high = FULL if full_pct is None else level_for_pct(int(full_pct))
    lamps.step(30 * NS_PER_S, asked=asked)
    level = lamps.until(60 * NS_PER_S)[0]
    assert level == (low if asked <= BASE else high if asked >= FULL else max(low, min(high, asked)))
