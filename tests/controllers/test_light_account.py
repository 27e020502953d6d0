"""One lamp's meter and the account of many: worked by hand, and against a naive reckoning."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.core.calendar import LightCalendar
from controllers.lighting.account import (
    HOUR_NS,
    Assumptions,
    LightAccount,
    Nights,
    lit_nights,
    lit_ns,
    total,
    year_lit_h,
)
from controllers.lighting.lamp_meter import BANDS, LampMeter, band_edges, watt_hours
from drivers.units import NS_PER_S

BERLIN = ZoneInfo("Europe/Berlin")
EDGES = band_edges(170, 254)
NOON_UTC_NS = 1_708_340_400 * NS_PER_S  # 2024-02-19 12:00 in Münster


def test_hours_at_each_level_fall_into_their_bands_and_watts_into_hours() -> None:
    meter = LampMeter(0, 0, EDGES)
    for hour, level in enumerate((170, 200, 240, 254, 0), start=1):
        meter.go(hour * HOUR_NS, meter.level_at(hour * HOUR_NS), level, 0)
    sums = meter.sums_at(7 * HOUR_NS)
    assert dict(zip(BANDS, sums.band_ns, strict=True)) == {
        "off": 3 * HOUR_NS,
        "to_base": HOUR_NS,
        "to_half": HOUR_NS,
        "to_full": HOUR_NS,
        "full": HOUR_NS,
    }
    assert (sums.raised, sums.switched, sums.above_ns) == (1, 1, 3 * HOUR_NS)
    assert watt_hours(sums.light, 20_000) == pytest.approx(20 * (0.100914 + 0.228920 + 0.682326 + 1), abs=1e-6)


def test_a_lamp_called_again_before_it_is_down_was_raised_once_and_again_after_it_was_told_base() -> None:
    meter = LampMeter(0, 170, EDGES)
    for second, level in ((1, 254), (10, 220), (11, 200), (12, 254), (20, 170), (20, 254)):
        t_ns = second * NS_PER_S
        meter.go(t_ns, meter.level_at(t_ns), level, NS_PER_S)
    assert meter.sums_at(30 * NS_PER_S).raised == 2


def test_what_was_not_recorded_is_not_counted() -> None:
    meter = LampMeter(0, 254, EDGES)
    meter.interrupt(HOUR_NS, 5 * HOUR_NS, 170)
    sums = meter.sums_at(6 * HOUR_NS)
    assert sums.band_ns == (0, HOUR_NS, 0, 0, HOUR_NS)
    assert meter.sums_at(3 * HOUR_NS).light == 1_000_000 * HOUR_NS


segments = st.lists(
    st.tuples(st.integers(0, 40 * HOUR_NS), st.integers(0, 254), st.sampled_from([0, NS_PER_S, 3 * HOUR_NS])),
    max_size=12,
)


@settings(max_examples=80, deadline=None)
@given(made=segments, split=st.integers(0, 12))
def test_nights_and_lamps_add_up_to_the_same_and_no_time_is_lost_or_counted_twice(
    made: list[tuple[int, int, int]], split: int
) -> None:
    def fresh() -> LightAccount:
        return LightAccount([LampMeter(0, 0, EDGES), LampMeter(0, 170, EDGES)], Nights(BERLIN, NOON_UTC_NS))

    account, t_ns = fresh(), 0
    for n, (after_ns, level, fade_ns) in enumerate(made):
        t_ns += after_ns
        lamp = n % 2
        account.before(lamp, t_ns)
        account.meters[lamp].go(t_ns, account.meters[lamp].level_at(t_ns), level, fade_ns)
        if n == split:
            state = json.loads(json.dumps([account.snapshot(), [meter.snapshot() for meter in account.meters]]))
            account = fresh()
            account.restore(state[0])
            for meter, saved in zip(account.meters, state[1], strict=True):
                meter.restore(saved)
            assert [account.snapshot(), [meter.snapshot() for meter in account.meters]] == state
    end_ns = t_ns + HOUR_NS
    nights = account.by_night(end_ns)
    assert list(nights) == sorted(nights)
    assert total([row for rows in nights.values() for row in rows]) == total(account.by_lamp(end_ns))
    assert all(sum(row.band_ns) == end_ns for row in account.by_lamp(end_ns))
    assert all(sum(row.band_ns) <= 24 * HOUR_NS + HOUR_NS for rows in nights.values() for row in rows)


def test_a_night_goes_from_noon_to_noon_and_is_called_by_its_evening_also_when_clocks_change() -> None:
    nights = Nights(BERLIN, NOON_UTC_NS)
    assert nights.end_ns(-1) == 0
    assert nights.end_ns(0) == 24 * HOUR_NS
    assert nights.name(24 * HOUR_NS) == "2024-02-19"
    saturday = Nights(BERLIN, 1_711_796_400 * NS_PER_S)  # 2024-03-30 12:00; in its night an hour is missing
    assert saturday.end_ns(0) == 23 * HOUR_NS


def test_lit_hours_of_nights_add_up_to_those_of_the_whole() -> None:
    calendar = LightCalendar("other-sections", 51.97, 7.64, "Europe/Berlin")
    nights = lit_nights(calendar, Nights(BERLIN), NOON_UTC_NS, NOON_UTC_NS + 30 * 24 * HOUR_NS, 0)
    assert len(nights) == 30
    assert sum(nights.values()) == lit_ns(calendar, NOON_UTC_NS, NOON_UTC_NS + 30 * 24 * HOUR_NS)
    assert 11 * HOUR_NS < min(nights.values()) < max(nights.values()) < 14 * HOUR_NS


@pytest.mark.parametrize(("kind", "low", "high"), [("other-sections", 2_700, 2_760), ("rieselfelder", 1_370, 1_390)])
def test_a_year_of_each_calendar(kind: str, low: int, high: int) -> None:
    calendar = LightCalendar(kind, 51.97, 7.64, "Europe/Berlin")  # type: ignore[arg-type]
    assert low < year_lit_h(calendar, BERLIN) < high


def test_indicators_by_hand() -> None:
    assumed = Assumptions()
    assert assumed.area_m2(12) == 1536
    assert assumed.power_density(20) == pytest.approx(20 / (3 * 128), abs=1e-4)
    # 12 lamps of 20 W at full for 10 hours, of 2,000 in a year: 480 kWh over 1536 m2
    assert assumed.annual_kwh_m2(2_400, 12, 10, 2_000) == pytest.approx(480 / 1536, abs=1e-4)
    assert assumed.annual_kwh_m2(0, 12, 0, 2_000) == 0
