"""The site file: defaults, riding times, and what is refused."""

from __future__ import annotations

import pytest

from controllers.greenwave.site import GreenwaveSite, to_ns
from drivers.errors import InputError
from drivers.settings import parse_toml

GOOD = 'name = "hoerstertor"\nstation = 4070\ngroup = 7\ndistance_m = 120\n'


def test_a_short_file_gets_the_stated_defaults() -> None:
    site = parse_toml('format = 1\nproduct = "greenwave"\n' + GOOD, GreenwaveSite, "site.toml")
    assert (site.feed, site.panel) == ("feed", "panel")
    assert (site.speed_kmh, site.fast_kmh, site.stale_s) == (18, 23, 3)


def test_riding_times_are_whole_nanoseconds_from_distance_and_speed() -> None:
    site = parse_toml(GOOD, GreenwaveSite, "site.toml")
    assert site.normal_ns == 24_000_000_000
    assert site.fast_ns == 120_000 * 3_600_000_000 // 23_000
    assert to_ns(0.1) == 100_000_000


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("speed = 18", r"site.toml: \$: unknown key `speed`; did you mean `speed_kmh`"),
        ("stale_s = true", r"\$.stale_s"),
        ("stale_s = 61", r"\$.stale_s"),
        ("stale_s = nan", r"\$.stale_s"),
        ("bar_full_s = inf", r"\$.bar_full_s"),
        ("bar_full_s = 0", r"\$.bar_full_s"),
        ("min_confidence_pct = 101", r"\$.min_confidence_pct"),
        ("transport_delay_ms = -1", r"\$.transport_delay_ms"),
        ("transport_delay_ms = 0.5", r"\$.transport_delay_ms"),
        ('feed = ""', r"\$.feed"),
        ("format = 2", r"\$.format"),
        ('product = "lighting"', r"\$.product"),
        ("speed_kmh = 24", "`fast_kmh` 23 is below `speed_kmh` 24; swap"),
        ("degrade_s = 4", "`degrade_s` 4 is above `stale_s` 3"),
        ("learnt_pct = 101", r"\$.learnt_pct"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(extra: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_toml(GOOD + extra, GreenwaveSite, "site.toml")


@pytest.mark.parametrize("key", ["name", "station", "group", "distance_m"])
def test_a_missing_key_is_named(key: str) -> None:
    text = "\n".join(line for line in GOOD.splitlines() if not line.startswith(key))
    with pytest.raises(InputError, match=key):
        parse_toml(text, GreenwaveSite, "site.toml")


@pytest.mark.parametrize("distance", ["0", "-5", "1001"])
def test_a_display_behind_its_signal_or_a_kilometre_off_is_refused(distance: str) -> None:
    with pytest.raises(InputError, match=r"\$.distance_m"):
        parse_toml(GOOD.replace("120", distance), GreenwaveSite, "site.toml")
