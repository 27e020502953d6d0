"""Calendars as data: what rules mean, gaps and overlaps, events, levels by hour, clocks that change, suns that stay."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.core.calendar import LightCalendar
from controllers.core.calendar_rules import (
    OFF,
    CalendarEvent,
    CalendarRules,
    Hours,
    Place,
    Rule,
    check_rules,
    day_spans,
    shipped_calendars,
)
from controllers.core.sun import local_s, local_zone, sun_s
from drivers.errors import InputError
from drivers.settings import parse_toml
from drivers.units import FOREVER_NS, NS_PER_S

BERLIN = ZoneInfo("Europe/Berlin")
MUENSTER = Place(51.97, 7.64, BERLIN)
LIT = Hours("lit")


def utc_ns(local: str, zone: ZoneInfo = BERLIN) -> int:
    return int(datetime.fromisoformat(local).replace(tzinfo=zone).timestamp()) * NS_PER_S


def local(utc: int) -> str:
    return datetime.fromtimestamp(utc // NS_PER_S, BERLIN).strftime("%Y-%m-%d %H:%M")


def rules(*texts: str) -> CalendarRules:
    """Rules as a file has them."""
    return parse_toml('name = "own"\n' + "".join(f"[[rules]]\n{text}\n" for text in texts), CalendarRules, "own.toml")


def calendar(*texts: str, events: tuple[CalendarEvent, ...] = ()) -> LightCalendar:
    return LightCalendar(rules(*texts), *MUENSTER[:2], "Europe/Berlin", events)


def edges(found: LightCalendar, from_local: str, count: int) -> list[str]:
    """The next changes, local: time, light and base."""
    at, told = utc_ns(from_local), []
    for _ in range(count):
        at = found.next_change_ns(at)
        hours = found.hours_at(at)
        told.append(f"{local(at)} {hours.light}" + (f" {hours.base_pct:g}" if hours.base_pct is not None else ""))
    return told


# --- shipped ones


@pytest.mark.parametrize("name", shipped_calendars())
def test_every_shipped_calendar_has_no_gaps_and_no_overlaps_and_every_rule_holds_in_muenster(name: str) -> None:
    found = LightCalendar(name, 51.97, 7.64, "Europe/Berlin")
    assert found.kind == name
    assert check_rules(found.rules, MUENSTER) == ()
    assert found.rules.title
    assert found.rules.source


def test_the_present_stand_by_is_dark_from_eleven_to_half_past_four_but_on_fridays_and_saturdays() -> None:
    found = LightCalendar("present-stand-by", 51.97, 7.64, "Europe/Berlin")
    assert edges(found, "2026-02-19 12:00", 6) == [  # a Thursday
        "2026-02-19 17:50 lit",
        "2026-02-19 23:00 lit 0",
        "2026-02-20 04:30 lit",
        "2026-02-20 07:34 off",
        "2026-02-20 17:52 lit",
        "2026-02-21 07:32 off",
    ]
    assert edges(found, "2026-02-22 12:00", 2)[1] == "2026-02-22 23:00 lit 0", "the night from Sunday to Monday"


def test_stand_by_is_lit_hours_with_another_base() -> None:
    found = LightCalendar("present-stand-by", 51.97, 7.64, "Europe/Berlin")
    plain = LightCalendar("other-sections", 51.97, 7.64, "Europe/Berlin")
    for hour in range(0, 24 * 400, 7):
        at = utc_ns("2026-01-01 00:00") + hour * 3600 * NS_PER_S
        assert found.lit_at(at) == plain.lit_at(at)


# --- what a rule means


def test_a_span_goes_over_midnight_where_it_begins_after_noon_and_ends_before_noon() -> None:
    found = calendar('from = "18:00"\nto = "06:30"')
    assert edges(found, "2026-05-05 12:00", 3) == [
        "2026-05-05 18:00 lit",
        "2026-05-06 06:30 off",
        "2026-05-06 18:00 lit",
    ]


def test_a_moment_may_be_so_long_before_or_after_the_sun() -> None:
    found, plain = calendar('from = "sunset-00:20"\nto = "sunrise+01:05"'), calendar('from = "sunset"\nto = "sunrise"')
    noon = utc_ns("2026-02-19 12:00")
    assert found.next_change_ns(noon) == plain.next_change_ns(noon) - 20 * 60 * NS_PER_S
    midnight = utc_ns("2026-02-20 00:00")
    assert found.next_change_ns(midnight) == plain.next_change_ns(midnight) + 65 * 60 * NS_PER_S


def test_weekdays_are_those_on_which_a_span_begins_and_months_those_of_the_moment() -> None:
    found = calendar(
        'weekdays = ["sat"]\nfrom = "22:00"\nto = "03:00"\nmonths = [2]',
        'months = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]\nfrom = "12:00"\nto = "12:00"\nlight = "off"',
    )
    assert edges(found, "2026-02-14 12:30", 2) == ["2026-02-14 22:00 lit", "2026-02-15 03:00 off"]
    assert edges(found, "2026-02-28 12:30", 2)[1] == "2026-03-01 00:00 off", "1 March is no February"


def test_hours_may_have_levels_of_their_own() -> None:
    found = calendar(
        'from = "sunset"\nto = "23:00"\nfull_pct = 80',
        'from = "23:00"\nto = "sunrise"\nbase_pct = 2.5\nfull_pct = 40',
    )
    assert found.hours_at(utc_ns("2026-02-19 22:59")) == Hours("lit", None, 80)
    assert found.hours_at(utc_ns("2026-02-19 23:00")) == Hours("lit", 2.5, 40)
    assert found.hours_at(utc_ns("2026-02-19 12:00")) == OFF


# --- gaps and overlaps


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ((), "has no rules"),
        (
            ('months = [1]\nfrom = "sunset"\nto = "sunrise"',),
            "gap: no rule for month 2, weekday mon; add one, with light",
        ),
        (('weekdays = ["mon"]\nfrom = "sunset"\nto = "sunrise"',), "gap: no rule for month 1, weekday tue"),
        (
            ('from = "sunset"\nto = "sunrise"', 'months = [6]\nfrom = "22:00"\nto = "23:00"'),
            r"rules\[0\] and rules\[1\] overlap on 2027-06-01; end one where the other begins",
        ),
        (
            ('from = "18:00"\nto = "06:00"', 'from = "05:59"\nto = "07:00"\nlight = "off"'),
            r"rules\[0\] and rules\[1\] overlap on 2027-01-01",
        ),
        (
            ('from = "sunset"\nto = "sunrise"\nbase_pct = 50\nfull_pct = 20',),
            "`full_pct` is below `base_pct`",
        ),
    ],
)
def test_gaps_overlaps_and_nonsense_are_named(texts: tuple[str, ...], says: str) -> None:
    made = CalendarRules("own", ()) if not texts else rules(*texts)
    with pytest.raises(InputError, match=f"^calendar own: .*{says}"):
        LightCalendar(made, *MUENSTER[:2], "Europe/Berlin")


def test_rules_that_meet_do_not_overlap() -> None:
    calendar('from = "18:00"\nto = "06:00"', 'from = "06:00"\nto = "07:00"\nlight = "full"')


def test_a_rule_that_never_holds_is_a_warning() -> None:
    odd = rules('from = "sunset"\nto = "sunrise"', 'months = [6]\nfrom = "05:30"\nto = "sunrise"')
    assert check_rules(odd, MUENSTER) == (
        "calendar own: rules[1] (from 05:30 to sunrise) holds on no day of the year at this place",
    )


@pytest.mark.parametrize(
    "text",
    [
        'from = "dusk"\nto = "sunrise"',
        'from = "24:30"\nto = "sunrise"',
        'from = "sunset+04:00"\nto = "sunrise"',
        'from = "5:30"\nto = "sunrise"',
        'from = "sunset"\nto = "sunrise"\nmonths = [0]',
        'from = "sunset"\nto = "sunrise"\nweekdays = ["monday"]',
        'from = "sunset"\nto = "sunrise"\nlight = "bright"',
        'from = "sunset"\nto = "sunrise"\nbase_pct = -1',
        'from = "sunset"\nto = "sunrise"\nuntil = "06:00"',
        'from = "sunset"',
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(InputError, match=r"^own\.toml: \$\.rules\[.\]"):
        rules(text)


# --- events


def event(from_: str, to: str, light: str) -> CalendarEvent:
    return parse_toml(f'from = "{from_}"\nto = "{to}"\nlight = "{light}"', CalendarEvent, "event")


def test_an_event_goes_before_the_rules_and_ends() -> None:
    found = LightCalendar(
        "rieselfelder",
        *MUENSTER[:2],
        "Europe/Berlin",
        (event("2026-12-31 18:00", "2027-01-01 03:00", "full"), event("2027-07-01 21:00", "2027-07-02 01:00", "lit")),
    )
    assert edges(found, "2026-12-31 12:00", 4) == [
        "2026-12-31 16:27 lit",
        "2026-12-31 18:00 full",
        "2027-01-01 03:00 lit",
        "2027-01-01 08:37 off",
    ]
    assert edges(found, "2027-06-01 12:00", 3)[:2] == ["2027-07-01 21:00 lit", "2027-07-02 01:00 off"]


def test_an_event_may_darken_and_meet_another() -> None:
    found = calendar(
        'from = "18:00"\nto = "06:00"',
        events=(
            event("2026-02-19 20:00", "2026-02-19 21:00", "off"),
            event("2026-02-19 21:00", "2026-02-19 22:00", "full"),
        ),
    )
    assert [edge[11:] for edge in edges(found, "2026-02-19 12:00", 5)] == [
        "18:00 lit",
        "20:00 off",
        "21:00 full",
        "22:00 lit",
        "06:00 off",
    ]


def test_an_event_that_ends_or_begins_with_a_span_leaves_no_trace_of_it() -> None:
    found = calendar('from = "18:00"\nto = "06:00"', events=(event("2026-02-19 18:00", "2026-02-20 06:00", "off"),))
    assert edges(found, "2026-02-19 12:00", 1) == ["2026-02-20 18:00 lit"]


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ((("2026-02-30 18:00", "2026-03-01 03:00"),), "2026-02-30 18:00 is no date and time of day"),
        ((("2026-02-20 25:00", "2026-03-01 03:00"),), "2026-02-20 25:00 is no date and time of day"),
        ((("2026-02-20 18:00", "2026-02-20 18:00"),), "ends before it begins; swap"),
        (
            (("2026-02-20 18:00", "2026-02-20 20:00"), ("2026-02-20 19:59", "2026-02-20 21:00")),
            "from 2026-02-20 18:00 to 2026-02-20 20:00 and from 2026-02-20 19:59 to 2026-02-20 21:00 overlap",
        ),
    ],
)
def test_events_that_cannot_be_are_refused_in_words(events: tuple[tuple[str, str], ...], says: str) -> None:
    with pytest.raises(InputError, match=says):
        calendar('from = "18:00"\nto = "06:00"', events=tuple(event(*span, "full") for span in events))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 600), st.integers(1, 4000), st.sampled_from(["off", "lit", "full"]))
def test_within_an_event_it_is_the_event_and_outside_it_is_as_without(
    from_min: int, lasts_min: int, light: str
) -> None:
    start = datetime(2026, 2, 18, 12) + timedelta(minutes=from_min)
    end = start + timedelta(minutes=lasts_min)
    one = event(start.strftime("%Y-%m-%d %H:%M"), end.strftime("%Y-%m-%d %H:%M"), light)
    without, found = calendar('from = "18:00"\nto = "06:00"'), calendar('from = "18:00"\nto = "06:00"', events=(one,))
    from_ns, to_ns = (utc_ns(at.isoformat(" ")) for at in (start, end))
    for at in (from_ns - 1, from_ns, (from_ns + to_ns) // 2, to_ns - 1, to_ns, to_ns + 5 * 3600 * NS_PER_S):
        assert found.hours_at(at) == (Hours(one.light) if from_ns <= at < to_ns else without.hours_at(at))


# --- clocks that change


def test_a_time_that_does_not_exist_is_the_moment_it_would_have_been() -> None:
    """29 March 2026: after 01:59 comes 03:00."""
    found = calendar('from = "22:00"\nto = "02:30"')
    assert edges(found, "2026-03-28 12:00", 2)[1] == "2026-03-29 03:30 off"
    assert found.next_change_ns(utc_ns("2026-03-28 23:00")) - utc_ns("2026-03-28 22:00") == 4.5 * 3600 * NS_PER_S


def test_of_a_time_that_comes_twice_the_first_counts_for_an_end_and_for_a_beginning() -> None:
    """25 October 2026: 02:00 to 03:00 comes twice. Rules that meet there still meet."""
    found = calendar('from = "22:00"\nto = "02:30"', 'from = "02:30"\nto = "05:00"\nlight = "full"')
    first = int(datetime(2026, 10, 25, 2, 30, fold=0, tzinfo=BERLIN).timestamp()) * NS_PER_S
    night = utc_ns("2026-10-24 23:00")
    assert found.next_change_ns(night) == first
    assert found.next_change_ns(first) - first == (2.5 + 1) * 3600 * NS_PER_S, "with the hour that comes twice"


# --- suns that do not set or rise


@pytest.mark.parametrize(
    ("place", "day", "lit_hours"),
    [
        ((78.2, 15.6, "Arctic/Longyearbyen"), date(2026, 6, 21), 0),
        ((78.2, 15.6, "Arctic/Longyearbyen"), date(2026, 12, 21), 24),
        ((69.65, 18.96, "Europe/Oslo"), date(2026, 6, 21), 0),
        ((69.65, 18.96, "Europe/Oslo"), date(2026, 12, 21), 24),
        ((-75.1, 123.3, "Antarctica/Casey"), date(2026, 12, 21), 0),
        ((-75.1, 123.3, "Antarctica/Casey"), date(2026, 6, 21), 24),
        ((90.0, 0.0, "UTC"), date(2026, 6, 21), 0),
        ((-90.0, 0.0, "UTC"), date(2026, 6, 21), 24),
        ((0.0, 0.0, "UTC"), date(2026, 3, 20), 12),
    ],
)
def test_where_the_sun_does_not_set_it_is_off_and_where_it_does_not_rise_it_is_lit(
    place: tuple[float, float, str], day: date, lit_hours: int
) -> None:
    own = rules('from = "sunset"\nto = "sunrise"')
    found, zone = LightCalendar(own, *place), local_zone(place[2])
    midnight = utc_ns(f"{day} 00:00", zone)
    quarters = sum(found.lit_at(midnight + n * 900 * NS_PER_S) for n in range(96))
    assert abs(quarters / 4 - lit_hours) <= 0.5
    for n in range(0, 96, 12):
        at = midnight + n * 900 * NS_PER_S
        assert found.sun_up_at(at) != found.lit_at(at)


@settings(max_examples=25, deadline=None)
@given(
    lat=st.floats(-90, 90),
    lon=st.floats(-180, 180),
    day=st.dates(date(2020, 1, 1), date(2030, 1, 1)),
)
def test_the_sun_rises_before_its_noon_and_sets_after_it_everywhere_and_no_place_is_too_far_north(
    lat: float, lon: float, day: date
) -> None:
    zone = local_zone(f"Etc/GMT{-round(lon / 15):+d}" if round(lon / 15) else "UTC")
    rise, sets = (sun_s(day, event, lat, lon, zone) for event in ("sunrise", "sunset"))  # type: ignore[arg-type]
    midnight = local_s(day, datetime.min.time(), zone)
    noon = midnight + 12 * 3600 - round(lon * 240) + round(lon / 15) * 3600
    assert midnight <= rise <= noon + 1800
    assert noon - 1800 <= sets <= midnight + 86_400
    assert rise <= sets


def test_a_calendar_that_never_changes_has_no_edge() -> None:
    found = calendar('from = "00:00"\nto = "24:00"\nlight = "full"')
    assert found.hours_at(utc_ns("2026-06-21 13:00")) == Hours("full")
    assert found.next_change_ns(utc_ns("2026-06-21 13:00")) == FOREVER_NS


def test_a_rule_knows_its_defaults() -> None:
    (rule,) = rules('from = "sunset"\nto = "sunrise"').rules
    assert rule == Rule("sunset", "sunrise")
    assert rule.hours() == LIT


def test_a_short_night_about_midnight_is_a_night() -> None:
    """Rovaniemi, 23 May 2024: down from half past eleven to five to three; astral finds no sunrise on that date."""
    zone = local_zone("Europe/Helsinki")
    rise = local_s(date(2024, 5, 23), datetime.min.replace(hour=2, minute=54, second=43).time(), zone)
    assert sun_s(date(2024, 5, 23), "sunrise", 66.5, 25.7, zone) == rise
    found = LightCalendar(rules('from = "sunset"\nto = "sunrise"'), 66.5, 25.7, "Europe/Helsinki")
    lit = [
        found.lit_at(utc_ns(f"2024-05-{day} {at}", zone)) for day, at in ((22, "23:40"), (23, "00:30"), (23, "02:50"))
    ]
    assert lit == [True, True, True]
    assert not found.lit_at(utc_ns("2024-05-23 03:00", zone))


def test_a_month_without_a_rule_holds_nothing_where_nobody_has_checked() -> None:
    assert day_spans(rules('months = [6]\nfrom = "sunset"\nto = "sunrise"').rules, date(2026, 2, 1), MUENSTER) == []
