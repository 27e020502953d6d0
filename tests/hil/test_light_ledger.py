"""The ledger: examples worked by hand, exact energy, and a naive reckoning of random nights."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.lighting.lamp_meter import band_edges
from drivers.codecs.dali_tables import OUTPUT_PPM
from drivers.units import FOREVER_NS, NS_PER_S
from hil.judge.lamp_output import LampOutput
from hil.judge.light_ledger import LightLedger, wilson_low95
from hil.judge.owed import Approach, LightPath, Owed, Walk
from hil.traffic.rider import Rider
from hil.traffic.script import ScriptedRider, Waypoint, scripted_rider

MS = 1_000_000
HOUR_NS = 3600 * NS_PER_S
PATH = LightPath([0, 32_000, 64_000], [(-100_000, 0)])


class Lit:
    """Lit hours from `start_ns` to `end_ns`."""

    def __init__(self, start_ns: int = -FOREVER_NS, end_ns: int = FOREVER_NS) -> None:
        self.start_ns, self.end_ns = start_ns, end_ns

    def lit_at(self, utc_ns: int) -> bool:
        return self.start_ns <= utc_ns < self.end_ns

    def next_edge_ns(self, utc_ns: int) -> int:
        return next((edge for edge in (self.start_ns, self.end_ns) if edge > utc_ns), FOREVER_NS)


def rider() -> Rider:
    """5 m/s: lamps owed from 26, 32.4 and 38.8 s to 46.4, 52.8 and 59.2 s; 10 m before them at 38, 44.4 and 50.8 s."""
    return scripted_rider(ScriptedRider([Waypoint(0, -200), Waypoint(80, 200)]), 1)


def ledger_with(events: list[tuple[int, int, int, int, int]], lit: Lit | None = None) -> LightLedger:
    ledger = LightLedger(PATH, lit or Lit())
    ledger.rider(rider())
    for lamp, t_ms, from_level, to_level, duration_ms in sorted(events, key=lambda event: event[1]):
        ledger.lamp_output(lamp, t_ms * MS, from_level, to_level, duration_ms * MS)
    ledger.finish(100 * NS_PER_S)
    return ledger


IN_TIME = [(0, 25_000, 170, 254, 1_000), (1, 31_000, 170, 254, 1_000), (2, 37_800, 170, 254, 1_000)]
AFTER = [(0, 46_400, 254, 170, 5_000), (1, 52_800, 254, 170, 5_000), (2, 59_200, 254, 170, 0)]


def test_full_from_the_first_to_the_last_owed_moment_is_lit_in_time() -> None:
    figures = ledger_with(IN_TIME + AFTER).figures()
    assert (figures.riders, figures.lit_in_time, figures.lit_share) == (1, 1, 1.0)
    assert (figures.lamps_met, figures.full_at_10m, figures.full_at_10m_share) == (3, 3, 1.0)


@pytest.mark.parametrize("n", range(3))
def test_a_millisecond_late_or_early_on_one_lamp_is_not(n: int) -> None:
    lamp, t_ms, *rest = IN_TIME[n]
    late = [*IN_TIME[:n], (lamp, t_ms + (1001 if n == 1 else 1), *rest), *IN_TIME[n + 1 :]]
    lamp, t_ms, *rest = AFTER[n]
    early = [*AFTER[:n], (lamp, t_ms - 1, *rest), *AFTER[n + 1 :]]
    for events in (late + AFTER, IN_TIME + early):
        figures = ledger_with(events).figures()  # type: ignore[arg-type]
        assert (figures.riders, figures.lit_in_time, figures.full_at_10m) == (1, 0, 3)


def test_a_gap_in_the_middle_is_not_lit_in_time_and_only_the_rider_at_10_m_sees_the_other_figure() -> None:
    gap = [(0, 37_999, 254, 200, 0), (0, 38_001, 200, 254, 0)]
    figures = ledger_with(IN_TIME + gap + AFTER).figures()
    assert (figures.lit_in_time, figures.full_at_10m) == (0, 2)
    gap = [(0, 38_001, 254, 200, 0), (0, 38_002, 200, 254, 0)]
    figures = ledger_with(IN_TIME + gap + AFTER).figures()
    assert (figures.lit_in_time, figures.full_at_10m) == (0, 3)


def test_an_order_that_changes_nothing_changes_nothing() -> None:
    again = [(0, 30_000, 254, 254, 700), (0, 35_000, 200, 254, 0)]
    assert ledger_with(IN_TIME + again + AFTER).figures().lit_in_time == 1


def test_a_fade_broken_off_below_full_never_was_full() -> None:
    broken_off = [(0, 25_000, 170, 254, 1_000), (0, 25_900, 245, 240, 0)]
    assert ledger_with(broken_off + IN_TIME[1:] + AFTER[1:]).figures().lit_in_time == 0


def test_by_day_nobody_is_owed_anything() -> None:
    figures = ledger_with([], Lit(FOREVER_NS - 1)).figures()
    assert (figures.riders, figures.lit_share, figures.lit_share_low95, figures.lamps_met) == (0, None, None, 0)


def test_a_lamp_that_would_be_owed_before_sunset_is_not_owed_and_the_next_is() -> None:
    figures = ledger_with(IN_TIME[1:] + AFTER[1:], Lit(26_001 * MS)).figures()
    assert (figures.riders, figures.lit_in_time, figures.lamps_met, figures.full_at_10m) == (1, 1, 3, 2)


@pytest.mark.parametrize(("sunset_ms", "riders"), [(37_800, 1), (37_801, 0)])
def test_a_lamp_owed_sooner_after_sunset_than_it_can_rise_is_not_asked_for(sunset_ms: int, riders: int) -> None:
    figures = ledger_with([], Lit(sunset_ms * MS)).figures()
    assert (figures.riders, figures.lit_in_time, figures.lamps_met) == (riders, 0, 3)


def test_sunrise_ends_what_is_owed() -> None:
    off = [(lamp, 40_000, 254, 0, 0) for lamp in range(3)]
    figures = ledger_with(IN_TIME + off, Lit(end_ns=40 * NS_PER_S)).figures()
    assert (figures.riders, figures.lit_in_time, figures.lamps_met) == (1, 1, 1)


def test_a_rider_nobody_could_know_counts_only_at_10_m() -> None:
    ledger = LightLedger(LightPath([0, 32_000, 64_000]), Lit())
    ledger.rider(rider())
    ledger.finish(100 * NS_PER_S)
    figures = ledger.figures()
    assert (figures.riders, figures.lamps_met, figures.full_at_10m) == (0, 3, 0)


def test_a_rider_under_way_at_the_end_is_left_out() -> None:
    ledger = LightLedger(PATH, Lit())
    ledger.rider(rider())
    ledger.advance(59_199 * MS)
    assert ledger.figures().riders == 0
    done, undone = LightLedger(PATH, Lit()), LightLedger(PATH, Lit())
    for other, end_ms in ((done, 59_200), (undone, 59_199)):
        other.restore(ledger.snapshot())
        other.finish(end_ms * MS)
        other.advance(HOUR_NS)
    assert (done.figures().riders, undone.figures().riders) == (1, 0)


def test_twenty_watts_for_an_hour_are_twenty_watt_hours_and_level_170_a_tenth() -> None:
    ledger = LightLedger(LightPath([0, 1]), Lit(), power_mw=20_000)
    ledger.lamp_output(0, 0, 0, 254, 0)
    ledger.lamp_output(1, 0, 0, 170, 0)
    ledger.advance(HOUR_NS)
    figures = ledger.figures()
    assert figures.energy_wh == pytest.approx(20 + 20 * 0.100914, abs=1e-6)
    assert figures.lamp_s_above_base == 3600  # level 170 is the base, not above it


@settings(max_examples=100, deadline=None)
@given(
    low=st.integers(0, 254),
    high=st.integers(0, 254),
    fade_ns=st.integers(1, 10 * NS_PER_S),
    cut=st.fractions(0, 2),
    base=st.integers(0, 254),
)
def test_a_fade_gives_the_light_under_the_curve_wherever_it_is_cut(
    low: int, high: int, fade_ns: int, cut: Fraction, base: int
) -> None:
    age_ns = int(fade_ns * cut)
    output = LampOutput(0, low, band_edges(base, 254))
    output.go(0, low, high, fade_ns)
    sums = output.sums_at(age_ns)
    light, above_ns = sums.light, sums.above_ns
    assert sum(sums.band_ns) == age_ns
    # Exact: the trapezoids of every whole level, and of the part of the last.
    expected, above = Fraction(0), Fraction(0)
    steps, way = abs(high - low), 1 if high > low else -1
    for n in range(steps):
        a, b = Fraction(fade_ns * n, steps), Fraction(fade_ns * (n + 1), steps)
        part = min(max((age_ns - a) / (b - a), Fraction(0)), Fraction(1))
        below, beyond = OUTPUT_PPM[low + way * n], OUTPUT_PPM[low + way * (n + 1)]
        expected += (b - a) * (below * part + (beyond - below) * part * part / 2)
        if min(low + way * n, low + way * (n + 1)) >= base:
            above += (b - a) * part
    steady_ns = age_ns if not steps else max(age_ns - fade_ns, 0)
    expected += OUTPUT_PPM[high] * steady_ns
    above += steady_ns if high > base else 0
    assert abs(light - expected) <= 2
    assert abs(above_ns - above) <= 1


@pytest.mark.parametrize(
    ("lit", "riders", "low95"),
    # Wilson's interval, worked by hand from his formula: 10 of 10 is n / (n + z^2).
    [(10, 10, 10 / 13.841459), (0, 10, 0.0), (5, 10, 0.23659), (95, 100, 0.88825), (1996, 2000, 0.994873)],
)
def test_the_bound_is_the_lower_end_of_wilsons_interval(lit: int, riders: int, low95: float) -> None:
    assert wilson_low95(lit, riders) == pytest.approx(low95, abs=1e-4)


def test_events_that_go_back_in_time_are_refused() -> None:
    ledger = LightLedger(PATH, Lit())
    ledger.lamp_output(0, 5, 0, 254, 0)
    with pytest.raises(ValueError, match="lamp 0"):
        ledger.lamp_output(0, 4, 254, 0, 0)


walks = st.lists(
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(1, 150), st.integers(0, 1), st.booleans()), min_size=1, max_size=4
    ),
    max_size=6,
)
outputs = st.lists(
    st.tuples(
        st.integers(0, 60), st.integers(0, 1), st.sampled_from([0, 170, 200, 254, 254]), st.sampled_from([0, 7, 30])
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(made=walks, events=outputs, saves=st.sets(st.integers(0, 25)))
def test_random_nights_agree_with_a_naive_reckoning_and_survive_snapshots(
    made: list[list[tuple[int, int, int, bool]]], events: list[tuple[int, int, int, int]], saves: set[int]
) -> None:
    path = LightPath([0, 32_000])
    ledger = LightLedger(path, Lit())
    for claims in made:
        walk = Walk(0, 600, [Owed(a, a + d, lamp, known) for a, d, lamp, known in claims], [], [])
        walk.near.extend(Approach(a, lamp, 1) for a, _, lamp, _ in claims)
        ledger.expect(walk)
    t, below = 0, [[(0, FOREVER_NS)], [(0, FOREVER_NS)]]  # naive: every stretch below full of each lamp
    for n, (gap, lamp, level, duration) in enumerate(events):
        t += gap
        before = ledger.lamps[lamp].level_at(t)
        ledger.lamp_output(lamp, t, before, level, duration)
        ledger.advance(t)
        low_from, full_from = below[lamp][-1]
        full_at = FOREVER_NS if level < 254 else t if before == 254 else t + duration
        if full_from > t:
            below[lamp][-1] = (low_from, full_at)
        elif full_at > t:
            below[lamp].append((t, full_at))
        if n in saves:
            state = json.loads(json.dumps(ledger.snapshot()))
            ledger = LightLedger(path, Lit())
            ledger.restore(state)
            assert ledger.snapshot() == state
    ledger.finish(600 + t)

    def full(lamp: int, a: int, b: int) -> bool:
        return all(max(a, low) >= min(b, high) for low, high in below[lamp])

    owed = [[(lamp, a, a + d) for a, d, lamp, known in claims if known] for claims in made]
    figures = ledger.figures()
    assert figures.riders == sum(bool(lamps) for lamps in owed)
    assert figures.lit_in_time == sum(bool(lamps) and all(full(*lamp) for lamp in lamps) for lamps in owed)
    assert figures.full_at_10m == sum(full(lamp, a, a + 1) for claims in made for a, _, lamp, _ in claims)


def test_a_lamp_that_never_changes_does_not_pile_up_riders() -> None:
    ledger = LightLedger(LightPath([0]), Lit(), start_level=254)
    for n in range(2_000):
        t = n * NS_PER_S
        ledger.expect(Walk(t, t + 100, [Owed(t, t + 50, 0, True)], [], []))
        ledger.advance(t + 60)
    assert len(json.dumps(ledger.snapshot())) < 1_000
    assert sum(map(len, ledger._claims)) < 200
    assert ledger.figures().lit_in_time == 2_000
