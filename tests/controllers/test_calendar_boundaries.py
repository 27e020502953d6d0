"""A calendar at its seconds: moments with offsets, both ends of a day, of an event and of the sun, and refusals."""

from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from controllers.core.calendar import LightCalendar, Spans
from controllers.core.calendar_rules import (
    OFF,
    WEEKDAYS,
    CalendarEvent,
    CalendarRules,
    Hours,
    Place,
    Rule,
    _local_s,
    _moment_s,
    check_rules,
    day_spans,
    shipped_calendar,
)
from controllers.core.sun import local_s, local_zone, sun_s
from drivers.errors import InputError
from drivers.units import FOREVER_NS, NS_PER_S

BERLIN = ZoneInfo("Europe/Berlin")
MUENSTER = Place(51.97, 7.64, BERLIN)
DAY = date(2026, 2, 19)  # a Thursday, one hour ahead of UTC
MIDNIGHT_S = int(datetime(2026, 2, 18, 23, tzinfo=ZoneInfo("UTC")).timestamp())


def one(*rules: Rule, events: tuple[CalendarEvent, ...] = ()) -> LightCalendar:
    return LightCalendar(CalendarRules("own", rules), *MUENSTER[:2], "Europe/Berlin", events)


def hms(hours: int, minutes: int = 0) -> int:
    return MIDNIGHT_S + hours * 3600 + minutes * 60


# --- moments


@pytest.mark.parametrize(
    ("said", "at_s", "evening"),
    [
        ("00:00", hms(0), False),
        ("05:31", hms(5, 31), False),
        ("11:59", hms(11, 59), False),
        ("12:00", hms(12), True),
        ("23:59", hms(23, 59), True),
        ("24:00", hms(24), True),
        ("24:00-00:15", hms(23, 45), True),
        ("24:00+01:01", hms(25, 1), True),
        ("12:30-01:07", hms(11, 23), True),
        ("05:30+02:45", hms(8, 15), False),
    ],
)
def test_a_moment_is_a_second_of_its_day_of_the_morning_or_the_evening(said: str, at_s: int, evening: bool) -> None:
    found = _moment_s(said, DAY, MUENSTER)
    assert (found, type(found[0])) == ((at_s, evening), int)


@pytest.mark.parametrize(
    ("offset", "by_s"), [("", 0), ("+00:01", 60), ("-00:01", -60), ("+03:59", 14340), ("-01:30", -5400)]
)
def test_a_moment_goes_with_the_sun_and_its_offset(offset: str, by_s: int) -> None:
    assert _moment_s(f"sunset{offset}", DAY, MUENSTER) == (MUENSTER.sun_s(DAY, "sunset") + by_s, True)
    assert _moment_s(f"sunrise{offset}", DAY, MUENSTER) == (MUENSTER.sun_s(DAY, "sunrise") + by_s, False)


def test_the_sun_of_a_day_in_muenster() -> None:
    found = [
        datetime.fromtimestamp(MUENSTER.sun_s(date(2024, 2, 19), event), BERLIN) for event in ("sunrise", "sunset")
    ]  # type: ignore[arg-type]
    assert [at.strftime("%H:%M:%S") for at in found] == ["07:37:53", "17:49:33"]


def test_what_is_no_moment_is_told_as_a_fault_of_the_pattern() -> None:
    with pytest.raises(AssertionError, match=r"^the pattern of Moment"):
        _moment_s("noon", DAY, MUENSTER)


@pytest.mark.parametrize(("said", "at_s"), [("2026-02-19 00:00", hms(0)), ("2026-02-19 18:05", hms(18, 5))])
def test_a_date_and_time_of_an_event_is_local(said: str, at_s: int) -> None:
    assert _local_s(said, BERLIN) == at_s


@pytest.mark.parametrize("said", ["2026-02-29 18:00", "2026-02-19 24:00", "2026-13-01 00:00"])
def test_what_is_no_date_is_refused_with_an_example(said: str) -> None:
    with pytest.raises(InputError) as caught:
        _local_s(said, BERLIN)
    assert str(caught.value) == f"event: {said} is no date and time of day; write e.g. 2026-12-31 18:00"


# --- spans


def test_a_span_is_of_one_day_or_over_midnight_and_never_empty() -> None:
    for from_, to, span in (
        ("05:30", "06:00", (hms(5, 30), hms(6))),
        ("06:00", "06:00", None),
        ("06:01", "06:00", None),
        ("18:00", "06:00", (hms(18), hms(30))),
        ("18:00", "12:00", None),
        ("12:00", "11:59", (hms(12), hms(35, 59))),
        ("05:59", "06:00", (hms(5, 59), hms(6))),
    ):
        assert Rule(from_, to).span_s(DAY, MUENSTER) == span


def test_a_date_is_cut_at_both_midnights_and_told_in_order() -> None:
    rules = (Rule("18:00", "06:00"), Rule("12:00", "13:00"), Rule("06:00", "07:00", months=(3,)))
    assert day_spans(rules, DAY, MUENSTER) == [
        (hms(0), hms(6), 0),
        (hms(12), hms(13), 1),
        (hms(18), hms(24), 0),
    ]
    later = (Rule("24:00-01:00", "24:00"), Rule("24:00", "24:00+02:00"))
    assert day_spans(later, DAY, MUENSTER) == [(hms(0), hms(2), 1), (hms(23), hms(24), 0)], "and none of length nothing"


def test_weekdays_are_those_of_the_beginning() -> None:
    rules = (Rule("18:00", "06:00", weekdays=("wed",)), Rule("20:00", "21:00", weekdays=("thu",)))
    assert day_spans(rules, DAY, MUENSTER) == [(hms(0), hms(6), 0), (hms(20), hms(21), 1)]
    assert [WEEKDAYS[date(2026, 2, 16 + n).weekday()] for n in range(7)] == list(WEEKDAYS)


# --- a day's hours


def test_spans_that_meet_change_at_once_and_one_from_midnight_has_no_gap_before_it() -> None:
    found = one(Rule("00:00", "06:00", light="full"), Rule("06:00", "07:00", base_pct=5.0))
    assert found._day(DAY) == [
        (hms(0), Hours("full")), (hms(6), Hours("lit", 5.0)), (hms(7), OFF),
    ]  # fmt: skip
    assert found._lit_day(DAY) == [(hms(0), True), (hms(6), True), (hms(7), False)]
    assert one(Rule("18:00", "24:00"))._day(DAY) == [(hms(0), OFF), (hms(18), Hours("lit"))], "no entry of the next day"


@pytest.mark.parametrize(
    ("from_", "to", "day"),
    [
        ("19 00:00", "20 00:00", [(0, "full")]),
        ("18 12:00", "19 00:00", [(0, "off"), (18, "lit"), (20, "off")]),  # ended where the date begins
        ("20 00:00", "20 12:00", [(0, "off"), (18, "lit"), (20, "off")]),
        ("18 12:00", "19 01:00", [(0, "full"), (1, "off"), (18, "lit"), (20, "off")]),
        ("19 23:00", "20 12:00", [(0, "off"), (18, "lit"), (20, "off"), (23, "full")]),
        ("19 18:00", "19 20:00", [(0, "off"), (18, "full"), (20, "off")]),
        ("19 17:00", "19 19:00", [(0, "off"), (17, "full"), (19, "lit"), (20, "off")]),
        ("19 19:00", "19 21:00", [(0, "off"), (18, "lit"), (19, "full"), (21, "off")]),
        ("19 17:00", "19 18:00", [(0, "off"), (17, "full"), (18, "lit"), (20, "off")]),
        ("19 20:00", "19 21:00", [(0, "off"), (18, "lit"), (20, "full"), (21, "off")]),
        ("17 00:00", "21 00:00", [(0, "full")]),
    ],
)
def test_an_event_is_laid_over_the_part_of_it_that_is_this_dates(
    from_: str, to: str, day: list[tuple[int, str]]
) -> None:
    found = one(Rule("18:00", "20:00"), events=(CalendarEvent(f"2026-02-{from_}", f"2026-02-{to}", "full"),))
    assert found._day(DAY) == [(hms(hour), Hours(light)) for hour, light in day]  # type: ignore[arg-type]


def test_events_are_taken_in_order_whatever_the_order_they_are_told_in() -> None:
    first, second = (CalendarEvent(f"2026-02-19 1{n}:00", f"2026-02-19 1{n + 1}:00", "full") for n in (2, 3))
    for events in ((first, second), (second, first)):
        found = one(Rule("18:00", "20:00"), events=events)
        assert found._events == [(hms(12), hms(13), Hours("full")), (hms(13), hms(14), Hours("full"))]
    over = CalendarEvent("2026-02-19 13:59", "2026-02-19 15:00", "off")
    with pytest.raises(InputError) as caught:
        one(Rule("18:00", "20:00"), events=(over, second))
    assert str(caught.value) == (
        "events from 2026-02-19 13:00 to 2026-02-19 14:00 and from 2026-02-19 13:59 to 2026-02-19 15:00 overlap;"
        " end one where the other begins"
    )
    with pytest.raises(InputError) as caught:
        CalendarEvent("2026-02-19 13:00", "2026-02-19 13:00", "full").span_s(BERLIN)
    assert str(caught.value) == "event from 2026-02-19 13:00 to 2026-02-19 13:00: ends before it begins; swap"


# --- the sun of a day


def test_the_sun_is_up_from_its_second_to_its_second() -> None:
    found = one(Rule("sunset", "sunrise"))
    rise, sets = (MUENSTER.sun_s(DAY, event) for event in ("sunrise", "sunset"))  # type: ignore[arg-type]
    assert found._sun_day(DAY) == [(MIDNIGHT_S, False), (rise, True), (sets, False)]
    moments = [(MIDNIGHT_S, 0), (rise - 1, 0), (rise, 1), (sets - 1, 1), (sets, 0), (hms(24) - 1, 0)]
    for at_s, up in moments:
        assert found.sun_up_at(at_s * NS_PER_S) is bool(up)
    assert found.sun_up_at(rise * NS_PER_S - 1) is False
    assert found.zone_offset_s(rise * NS_PER_S) == 3600
    assert found.zone_offset_s(int(datetime(2026, 7, 1).timestamp()) * NS_PER_S) == 7200


def test_lit_is_asked_for_by_itself_and_has_edges_of_its_own() -> None:
    found = one(Rule("18:00", "19:00"), Rule("19:00", "20:00", light="full"))
    noon_ns = hms(12) * NS_PER_S
    assert (found.next_change_ns(noon_ns), found.next_edge_ns(noon_ns)) == (hms(18) * NS_PER_S,) * 2
    at_ns = hms(18) * NS_PER_S
    assert (found.next_change_ns(at_ns), found.next_edge_ns(at_ns)) == (hms(19) * NS_PER_S, hms(20) * NS_PER_S)
    assert [found.lit_at(hms(hour) * NS_PER_S) for hour in (17, 18, 19, 20)] == [False, True, True, False]
    assert [found.lit_at(hms(hour) * NS_PER_S - 1) for hour in (18, 20)] == [False, True]
    assert found.hours_at(at_ns) == Hours("lit")


# --- spans of anything


def test_answers_within_a_span_are_not_looked_for_again() -> None:
    asked: list[date] = []

    def day(on: date) -> list[tuple[int, str]]:
        asked.append(on)
        return [(local_s(on, time(0), BERLIN), "a"), (local_s(on, time(6), BERLIN), "b")]

    spans = Spans(day, BERLIN)
    assert spans.at(hms(6) * NS_PER_S) == "b"
    looked = len(asked)
    assert [spans.at(at) for at in (hms(6) * NS_PER_S, hms(24) * NS_PER_S - 1)] == ["b", "b"]
    assert spans.next_edge_ns(hms(6) * NS_PER_S) == hms(24) * NS_PER_S
    assert len(asked) == looked
    assert spans.at(hms(6) * NS_PER_S - 1) == "a"
    assert len(asked) > looked
    assert spans.next_edge_ns(hms(24) * NS_PER_S) == hms(30) * NS_PER_S
    assert Spans(day, BERLIN).next_edge_ns(0) == 5 * 3600 * NS_PER_S, "the first question of all, in 1970"


def test_a_nanosecond_before_midnight_is_the_old_date_and_before_the_clocks_change_the_old_offset() -> None:
    spans = Spans(lambda on: [(local_s(on, time(0), BERLIN), on)], BERLIN)
    assert spans.at(hms(24) * NS_PER_S - 1) == DAY
    change_ns = int(datetime(2026, 3, 29, 1, tzinfo=ZoneInfo("UTC")).timestamp()) * NS_PER_S
    found = one(Rule("18:00", "19:00"))
    assert [found.zone_offset_s(at) for at in (change_ns - 1, change_ns)] == [3600, 7200]
    assert LightCalendar("always", 0, 0, "UTC").zone_offset_s(0) == 0


def test_of_two_values_of_one_second_the_last_counts_and_is_no_change() -> None:
    hours = (0, "a"), (6, "b"), (6, "c")
    spans = Spans(lambda on: [(local_s(on, time(hour), BERLIN), value) for hour, value in hours], BERLIN)
    assert (spans.at(hms(6) * NS_PER_S), spans.next_edge_ns(hms(6) * NS_PER_S)) == ("c", hms(24) * NS_PER_S)


def test_what_does_not_change_for_four_hundred_days_never_does() -> None:
    for days, edge in ((400, True), (401, False)):
        change = date.fromordinal(DAY.toordinal() + days)

        def day(on: date, change: date = change) -> list[tuple[int, bool]]:
            return [(local_s(on, time(0), BERLIN), on >= change)]

        found = Spans(day, BERLIN).next_edge_ns(hms(12) * NS_PER_S)
        assert found == (local_s(change, time(0), BERLIN) * NS_PER_S if edge else FOREVER_NS)


# --- refusals and names


@pytest.mark.parametrize(
    ("lat", "lon", "fine"),
    [(90, 180, True), (-90, -180, True), (90.1, 0, False), (-90.1, 0, False), (0, 180.1, False), (0, -180.1, False)],
)
def test_a_place_is_on_earth(lat: float, lon: float, fine: bool) -> None:
    if fine:
        found = LightCalendar("always", lat, lon, "UTC")
        assert (found.kind, found.lat_deg, found.lon_deg, found.zone) == ("always", lat, lon, ZoneInfo("UTC"))
        assert found.place == Place(lat, lon, ZoneInfo("UTC"))
        return
    with pytest.raises(InputError) as caught:
        LightCalendar("always", lat, lon, "UTC")
    assert str(caught.value) == f"calendar position {lat}, {lon}: latitude is -90 to 90, longitude -180 to 180"


def test_what_is_not_known_is_refused_in_words() -> None:
    with pytest.raises(InputError) as caught:
        shipped_calendar("nights")
    assert str(caught.value) == (
        "calendar `nights` is not known; known: always, other-sections, present-stand-by, rieselfelder;"
        " or bring rules of your own"
    )
    with pytest.raises(InputError) as caught:
        local_zone("Europe/Coerde")
    assert str(caught.value) == "time zone `Europe/Coerde` is not known; use an IANA name, e.g. Europe/Berlin"
    assert local_zone("Europe/Berlin") == BERLIN
    found = shipped_calendar("rieselfelder")
    assert found.name == "rieselfelder"
    assert found.title
    assert found.source
    assert found.rules


def test_rules_of_ones_own_are_checked_and_shipped_ones_have_been() -> None:
    with pytest.raises(InputError, match=r"^calendar own: has no rules; one is needed$"):
        one()
    twice = Rule("18:00", "20:00"), Rule("19:59", "21:00", months=(12,))
    with pytest.raises(InputError, match=r"^calendar own: rules\[0\] and rules\[1\] overlap on \d{4}-12-01; end one"):
        one(*twice)
    with pytest.raises(InputError, match=r"^calendar own: rules\[0\]: `full_pct` is below `base_pct`; swap$"):
        one(Rule("18:00", "20:00", base_pct=50.0, full_pct=49.9))
    for base_pct, full_pct in ((50.0, 50.0), (None, 1.0), (50.0, None)):
        one(Rule("18:00", "20:00", base_pct=base_pct, full_pct=full_pct))


def test_a_rule_of_one_night_of_the_week_in_one_month_holds_and_meets_no_other() -> None:
    rules = CalendarRules(
        "own",
        (
            Rule("18:00", "20:00", months=tuple(range(1, 13))),
            Rule("20:00", "21:00", months=(12,), weekdays=("sun",)),
            Rule("22:00", "22:00"),
        ),
    )
    assert check_rules(rules, MUENSTER) == (
        "calendar own: rules[2] (from 22:00 to 22:00) holds on no day of the year at this place",
    )


# --- the sun, anywhere


@pytest.mark.parametrize(
    ("day", "lat", "lon", "zone", "rise", "sets"),
    [
        (date(2026, 6, 21), 78.2, 15.6, "Arctic/Longyearbyen", "21 00:00:00", "22 00:00:00"),  # never sets
        (date(2026, 12, 21), 78.2, 15.6, "Arctic/Longyearbyen", "21 11:57:36", "21 11:57:36"),  # never rises
        (date(2026, 9, 27), 90.0, 0.0, "UTC", "27 12:00:00", "27 12:00:00"),  # a little below, all day
        (date(2026, 6, 21), 0.0, -179.0, "Etc/GMT+12", "21 05:54:26", "21 18:01:26"),
        (date(2026, 6, 21), 0.0, 179.0, "Etc/GMT-12", "21 06:02:13", "21 18:09:13"),
    ],
)
def test_the_sun_of_far_places_to_the_second(
    day: date, lat: float, lon: float, zone: str, rise: str, sets: str
) -> None:
    found = [sun_s(day, event, lat, lon, ZoneInfo(zone)) for event in ("sunrise", "sunset")]  # type: ignore[arg-type]
    assert [datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%d %H:%M:%S") for at in found] == [rise, sets]
    assert all(type(at) is int for at in found)
