"""The rules to compare with: each on one rider by hand, all together on a made-up week, and on the recordings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from controllers.core.calendar import LightCalendar
from drivers.units import NS_PER_S
from hil.importers.eco_counter import import_eco_counter
from hil.judge.owed import LightPath
from hil.judge.rules import RuleBook, stand_by_hours
from hil.traffic.chance import between, draw
from hil.traffic.model import Passage, TrafficModel, trajectory
from hil.traffic.passages import RiderSource
from hil.traffic.rider import Rider
from hil.traffic.script import ScriptedRider, Waypoint, scripted_rider

BERLIN = ZoneInfo("Europe/Berlin")
RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2] / "../shared/data")) / "cycle-loops"
VIEWS = [
    (-40_000, 0),
    (64_000, 104_000),
    (128_000, 168_000),
    (184_000, 224_000),
    (248_000, 288_000),
    (352_000, 392_000),
]
HOUR_NS = 3600 * NS_PER_S


def utc_ns(local: str) -> int:
    return int(datetime.fromisoformat(local).replace(tzinfo=BERLIN).timestamp()) * NS_PER_S


def reference_book(start: str) -> RuleBook:
    calendar = LightCalendar("other-sections", 51.97, 7.64, "Europe/Berlin")
    path = LightPath(range(0, 384_000, 32_000), VIEWS)
    return RuleBook(path, calendar, "Europe/Berlin", start_ns=utc_ns(start))


def made_up_riders(start: str, days: int) -> list[Rider]:
    """Somebody about every ten minutes, day and night."""
    first_s = utc_ns(start) // NS_PER_S
    riders = []
    for n in range(days * 144):
        passage = Passage(
            first_s + n * 600 + draw(9, n) % 600, 1 if draw(9, n, 1) % 2 else -1, between(draw(9, n, 2), 7, 36)
        )
        riders.append(trajectory(passage, n, 9, TrafficModel()))
    return sorted(riders, key=lambda rider: rider.start_ns)


def run(book: RuleBook, riders: Iterable[Rider], end: str) -> RuleBook:
    for rider in riders:
        book.advance(rider.start_ns)
        book.rider(rider)
    book.finish(utc_ns(end))
    return book


def one_rider(start_ns: int) -> Rider:
    """5 m/s from -200 m to 600 m, in 160 s."""
    return scripted_rider(ScriptedRider([Waypoint(0, -200), Waypoint(160, 600)]), 0, "rider", start_ns)


def test_always_on_burns_all_night_and_nothing_by_day() -> None:
    book = run(reference_book("2024-02-19 12:00"), [], "2024-02-20 12:00")
    figures = book.figures()["always_on"]
    calendar = LightCalendar("other-sections", 51.97, 7.64, "Europe/Berlin")
    sunset = calendar.next_edge_ns(utc_ns("2024-02-19 12:00"))
    night_s = (calendar.next_edge_ns(sunset) - sunset) // NS_PER_S
    assert figures.lamp_s_above_base == 12 * night_s
    assert figures.energy_wh == pytest.approx(12 * 20 * night_s / 3600)


def test_an_empty_night_costs_the_base_and_the_base_less_the_stand_by_hours() -> None:
    figures = run(reference_book("2024-02-19 12:00"), [], "2024-02-20 12:00").figures()
    base = figures["always_on"].energy_wh * 0.100914
    assert figures["oracle"].energy_wh == pytest.approx(base)
    assert figures["present_no_standby"].energy_wh == pytest.approx(base)
    assert figures["present"].energy_wh == pytest.approx(base - 5.5 * 12 * 20 * 0.100914)
    assert figures["oracle"].lamp_s_above_base == 0


def test_the_present_installation_lights_four_lamps_for_fifty_three_seconds_after_the_last_call() -> None:
    start = utc_ns("2024-02-19 20:00")
    book = reference_book("2024-02-19 19:00")
    rule = book.rules["present"]
    book.advance(start)
    book.rider(one_rider(start))
    lamps = rule.ledger.lamps

    def levels(at_s: float) -> list[int]:
        t_ns = start + int(at_s * NS_PER_S)
        book.advance(t_ns)
        return [lamp.level_at(t_ns) for lamp in lamps]

    assert levels(36.999) == [170] * 12
    # At 37 s the rider is 15 m before lamp 0, the first of the row: that one and the two ahead rise.
    assert [lamp.to_level for lamp in (levels(37) and lamps)[:4]] == [254, 254, 254, 170]
    assert levels(38.5)[:3] == [212] * 3
    assert levels(40)[:4] == [254, 254, 254, 170]
    # 15 m before lamp 1 at 43.4 s: lamps 0 to 3; lamp 3 rises.
    assert levels(43.4 + 3)[:5] == [254, 254, 254, 254, 170]
    # Lamp 0 is called last at 43.4 s, lamp 1 at 49.8 s; 53 s later they sink within 3 s.
    assert levels(43.4 + 53)[:2] == [254, 254]
    assert levels(43.4 + 53 + 1.5)[0] == 212
    assert levels(49.8 + 53 + 3)[:3] == [170, 170, 254]
    assert levels(400) == [170] * 12


def test_somebody_coming_the_other_way_lights_the_lamps_ahead_of_them() -> None:
    start = utc_ns("2024-02-19 20:00")
    book = reference_book("2024-02-19 19:00")
    book.advance(start)
    book.rider(scripted_rider(ScriptedRider([Waypoint(0, 367), Waypoint(10, 317)]), 0, "rider", start))
    book.advance(start + 5 * NS_PER_S)
    full = [n for n, lamp in enumerate(book.rules["present"].ledger.lamps) if lamp.to_level == 254]
    assert full == [9, 10, 11]


def test_a_lamp_called_once_is_full_for_fifty_three_seconds_after_rising() -> None:
    start = utc_ns("2024-02-19 20:00")
    book = reference_book("2024-02-19 19:00")
    book.advance(start)
    book.rider(scripted_rider(ScriptedRider([Waypoint(0, 367), Waypoint(2, 357)]), 0, "rider", start))
    for at_s, level in ((3, 254), (56, 254), (57.5, 212), (59, 170)):
        t_ns = start + int(at_s * NS_PER_S)
        book.advance(t_ns)
        assert book.rules["present"].ledger.lamps[11].level_at(t_ns) == level


def test_in_stand_by_the_present_installation_is_dark_until_somebody_comes() -> None:
    start = utc_ns("2024-02-20 02:00")  # a Tuesday
    book = reference_book("2024-02-19 19:00")
    book.advance(start)
    present, without = (book.rules[name].ledger.lamps for name in ("present", "present_no_standby"))
    assert {lamp.to_level for lamp in present} == {0}
    assert {lamp.to_level for lamp in without} == {170}
    book.rider(one_rider(start))
    book.advance(start + 40 * NS_PER_S)
    assert [lamp.to_level for lamp in present[:4]] == [254, 254, 254, 0]
    book.advance(utc_ns("2024-02-20 04:30"))
    assert {lamp.to_level for lamp in present} == {170}


def test_a_lamp_held_at_full_when_stand_by_begins_is_held_on() -> None:
    start = utc_ns("2024-02-19 22:59")
    book = reference_book("2024-02-19 19:00")
    book.advance(start)
    book.rider(one_rider(start))
    book.advance(utc_ns("2024-02-19 23:00"))
    # After 60 s the rider has passed the sensor of lamp 3; lamps 0 to 5 are called, the others go dark.
    assert [lamp.to_level for lamp in book.rules["present"].ledger.lamps] == [254] * 6 + [0] * 6


def test_the_calls_of_the_night_end_with_the_night() -> None:
    calendar = LightCalendar("other-sections", 51.97, 7.64, "Europe/Berlin")
    sunrise = calendar.next_edge_ns(utc_ns("2024-02-20 02:00"))
    book = reference_book("2024-02-20 02:00")
    start = sunrise - 60 * NS_PER_S
    book.advance(start)
    book.rider(one_rider(start))
    for after_s in (0, 30, 200):
        book.advance(sunrise + after_s * NS_PER_S)
        for rule in book.rules.values():
            assert {lamp.level_at(sunrise + after_s * NS_PER_S) for lamp in rule.ledger.lamps} == {0}


def test_stand_by_is_from_23_to_half_past_four_but_not_in_friday_and_saturday_nights() -> None:
    hours = stand_by_hours("Europe/Berlin")
    # 2024-02-19 is a Monday.
    for day in range(19, 26):
        weekend = day in (23, 24)
        assert hours.at(utc_ns(f"2024-02-{day} 23:00")) is not weekend
        assert hours.at(utc_ns(f"2024-02-{day + 1} 04:29:59")) is not weekend
        assert hours.at(utc_ns(f"2024-02-{day + 1} 00:00")) is not weekend
        assert not hours.at(utc_ns(f"2024-02-{day} 22:59:59"))
        assert not hours.at(utc_ns(f"2024-02-{day + 1} 04:30"))
    assert hours.next_edge_ns(utc_ns("2024-02-23 12:00")) == utc_ns("2024-02-25 23:00")


def test_the_oracle_lights_a_lamp_exactly_while_it_is_owed_even_to_somebody_unseen() -> None:
    start = utc_ns("2024-02-19 20:00")
    book = reference_book("2024-02-19 19:00")
    book.advance(start)
    book.rider(one_rider(start))
    lamp = book.rules["oracle"].ledger.lamps[0]  # owed from -70 m to +32 m; no radar looks beyond -40 m
    for at_ms, level in ((25_999, 170), (26_000, 254), (46_399, 254), (46_400, 170)):
        book.advance(start + at_ms * 1_000_000)
        assert lamp.to_level == level


def test_over_a_week_always_on_and_the_oracle_light_everybody_and_the_oracle_spends_least() -> None:
    book = run(reference_book("2024-02-19 00:00"), made_up_riders("2024-02-19 01:00", 6), "2024-02-26 12:00")
    figures = book.figures()
    for name in ("always_on", "oracle"):
        assert figures[name].lit_share == 1.0
        assert figures[name].riders > 100
    assert figures["always_on"].full_at_10m_share == 1.0
    assert len({(f.riders, f.lamps_met) for f in figures.values()}) == 1
    assert figures["oracle"].energy_wh < figures["present_no_standby"].energy_wh < figures["always_on"].energy_wh
    assert figures["present"].energy_wh < figures["present_no_standby"].energy_wh
    assert 0 < (figures["present"].lit_share or 0) < 1


def test_a_book_restored_in_the_middle_ends_with_the_same_figures() -> None:
    riders = made_up_riders("2024-02-19 15:00", 1)
    whole = run(reference_book("2024-02-19 15:00"), riders, "2024-02-20 18:00")
    for split in (3, 20, 31):
        first = reference_book("2024-02-19 15:00")
        for rider in riders[:split]:
            first.advance(rider.start_ns)
            first.rider(rider)
        state = json.loads(json.dumps(first.snapshot()))
        second = reference_book("2024-02-19 15:00")
        second.restore(state)
        assert second.snapshot() == state
        run(second, riders[split:], "2024-02-20 18:00")
        assert second.figures() == whole.figures()
        assert second.snapshot() == whole.snapshot()


def test_asking_more_often_changes_nothing() -> None:
    riders = made_up_riders("2024-02-19 17:00", 1)[:30]
    once = run(reference_book("2024-02-19 16:00"), riders, "2024-02-19 23:30")
    often = reference_book("2024-02-19 16:00")
    t = utc_ns("2024-02-19 16:00")
    for rider in riders:
        while t < rider.start_ns:
            often.advance(t)
            often.figures()
            t += 7 * NS_PER_S
        often.advance(rider.start_ns)
        often.rider(rider)
    often.finish(utc_ns("2024-02-19 23:30"))
    assert often.figures() == once.figures()


@pytest.mark.recordings
@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings: LEEZE_RECORDINGS or ../shared/data, see docs")
def test_three_recorded_days_give_plausible_figures(tmp_path: Path) -> None:
    traffic = tmp_path / "o"
    import_eco_counter(
        [RECORDINGS / "May_data_Kanalpromenade_Dingstiege.csv.gz"],
        traffic,
        from_date=date(2024, 2, 20),
        to_date=date(2024, 2, 22),
    )
    figures = run(reference_book("2024-02-20 00:00"), RiderSource(traffic, seed=1), "2024-02-23 00:00").figures()
    assert figures["always_on"].lit_share == figures["oracle"].lit_share == 1.0
    assert 200 < figures["oracle"].riders < 2_000
    # The city aims at 65 to 70 % below ordinary lighting.
    assert 0.6 < 1 - figures["present"].energy_wh / figures["always_on"].energy_wh < 0.85
