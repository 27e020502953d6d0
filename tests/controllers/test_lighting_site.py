"""The site file of a lit path: defaults, the shipped site, and what is refused with its place."""

from __future__ import annotations

import re

import pytest

from controllers.lighting.site import Behaviour, LightingSite, check, mm
from controllers.service.sites import site_path
from drivers.errors import InputError
from drivers.settings import load_toml, parse_toml

GOOD = """\
format = 1
name = "promenade"
product = "lighting"

[place]
lat_deg = 51.97
lon_deg = 7.64
timezone = "Europe/Berlin"

[light]
hold_s = 2

[[controllers]]
name = "west"
board = "kanalpromenade-lamp"
neighbours = { neighbour = "east" }
lamps = [{ name = "lamp-1", x_m = 0 }, { name = "lamp-2", x_m = 32.5 }]
radars = [{ name = "radar-1", x_m = 0, looks = "down" }, { name = "radar-2", x_m = 32, looks = "up", range_m = 60 }]

[[controllers]]
name = "east"
board = "kanalpromenade-lamp"
neighbours = { neighbour = "west" }
lamps = [{ name = "lamp-1", x_m = 64 }]
radars = []
"""


WORDS = ("calendar", "events", "dusk")
"""Keys of the light that are no measures."""


def _site(*changes: tuple[str, str]) -> LightingSite:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return check(parse_toml(text, LightingSite, "site.toml"), "site.toml")


def test_a_short_file_gets_the_stated_defaults() -> None:
    site = _site(("[light]\nhold_s = 2\n", ""))
    assert site.title == ""
    assert site.light == Behaviour()
    assert site.light == Behaviour(
        calendar="other-sections",
        base_pct=10,
        full_pct=100,
        power_w=20,
        ahead_m=70,
        ahead_s=12,
        behind_m=32,
        rise_s=1,
        hold_s=3,
        fall_s=5,
        keep_s=60,
    )
    assert [radar.range_m for radar in site.controllers[0].radars] == [40, 60]


def test_the_same_name_on_two_controllers_is_two_lamps() -> None:
    site = _site()
    assert [lamp.name for one in site.controllers for lamp in one.lamps] == ["lamp-1", "lamp-2", "lamp-1"]


def test_a_controller_may_stand_alone_without_radars_and_neighbours() -> None:
    site = _site(
        (GOOD[GOOD.index('[[controllers]]\nname = "east"') :], ""), ('neighbours = { neighbour = "east" }\n', "")
    )
    assert site.controller("west").neighbours == {}


def test_the_reference_site_passes_its_check() -> None:
    path = site_path("kanalpromenade-reference")
    site = check(load_toml(path, LightingSite), str(path))
    assert [(one.name, len(one.lamps), len(one.radars)) for one in site.controllers] == [("west", 6, 3), ("east", 6, 3)]


def test_a_controller_is_found_by_name_and_a_missing_one_is_answered_with_those_there_are() -> None:
    site = _site()
    assert site.controller("east") is site.controllers[1]
    with pytest.raises(InputError, match=r"^site promenade has no controller 'north'; it has: west, east$"):
        site.controller("north")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "east"', 'name = "west"', "$.controllers[1].name: controller 'west' is named twice"),
        ('"lamp-2"', '"lamp-1"', "$.controllers[0].lamps[1].name: lamp 'lamp-1' is named twice"),
        ('"radar-2"', '"radar-1"', "$.controllers[0].radars[1].name: radar 'radar-1' is named twice"),
        (
            'lamps = [{ name = "lamp-1", x_m = 64 }]',
            "lamps = []",
            "$.controllers[1].lamps: at least one is needed",
        ),
        (
            'neighbour = "west"',
            'neighbour = "east"',
            "$.controllers[1].neighbours.neighbour: 'east' is no other controller; known: west, east",
        ),
        (
            'neighbour = "east"',
            'uplink = "north"',
            "$.controllers[0].neighbours.uplink: 'north' is no other controller; known: west, east",
        ),
    ],
)
def test_what_types_cannot_say_is_refused_with_file_and_place(old: str, new: str, says: str) -> None:
    with pytest.raises(InputError, match="^" + re.escape(f"site.toml: {says}") + "$"):
        _site((old, new))


def test_a_site_without_controllers_is_refused() -> None:
    text = "controllers = []\n" + GOOD[: GOOD.index("[[controllers]]")]
    with pytest.raises(InputError, match=r"^site.toml: \$.controllers: at least one is needed$"):
        check(parse_toml(text, LightingSite, "site.toml"), "site.toml")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("format = 1", "format = 2", r"\$.format"),
        ('"lighting"', '"greenwave"', r"\$.product"),
        ("lat_deg = 51.97", "lat_deg = 90.1", r"\$.place.lat_deg"),
        ("lon_deg = 7.64", "lon_deg = -180.1", r"\$.place.lon_deg"),
        ('timezone = "Europe/Berlin"', "timezone = 1", r"\$.place.timezone"),
        ('"down"', '"left"', r"\$.controllers\[.\].radars\[.\].looks"),
        ("range_m = 60", "range_m = 1.9", r"range_m"),
        ("range_m = 60", "range_m = 255.1", r"range_m"),
        ("x_m = 32.5", 'x_m = "32 m"', r"\$.controllers\[.\].lamps\[.\].x_m"),
        ("x_m = 32.5", "x_m = inf", r"\$.controllers\[.\].lamps\[.\].x_m"),
        ("x_m = 32,", "x_m = nan,", r"\$.controllers\[.\].radars\[.\].x_m"),
        ("range_m = 60", "rnge_m = 60", "unknown key `rnge_m`; did you mean `range_m`"),
        ("[light]\n", "[light]\nhold = 2\n", "unknown key `hold`; did you mean `hold_s`"),
        ('board = "kanalpromenade-lamp"\n', "", "board"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(old: str, new: str, says: str) -> None:
    with pytest.raises(InputError, match=rf"^site\.toml: .*{says}"):
        _site((old, new))


@pytest.mark.parametrize("key", [field for field in Behaviour.__struct_fields__ if field not in WORDS])
def test_a_measure_of_the_light_is_above_zero_and_finite(key: str) -> None:
    for value in ("0", "-1", "true", "nan", "inf", "3600.1"):
        with pytest.raises(InputError, match=rf"\$\.light\.{key}"):
            _site(("hold_s = 2", f"{key} = {value}"))
    assert getattr(_site(("hold_s = 2", f"{key} = 12.5")).light, key) == 12.5


@pytest.mark.parametrize("key", ["base_pct", "full_pct"])
def test_a_percentage_is_what_the_dimming_curve_knows(key: str) -> None:
    """IEC 62386-102: the logarithmic curve runs from 0.1 to 100 %."""
    for value in (0.1, 100):
        assert getattr(_site(("hold_s = 2", f"base_pct = {value}\nfull_pct = {value}")).light, key) == value
    for value in (0.09, 100.1):
        with pytest.raises(InputError, match=rf"\$\.light\.{key}"):
            _site(("hold_s = 2", f"{key} = {value}"))


def test_full_light_is_at_least_base_light() -> None:
    says = r"^site\.toml: \$\.light: `full_pct` 5 is below `base_pct` 10; swap$"
    with pytest.raises(InputError, match=says):
        _site(("hold_s = 2", "full_pct = 5"))
    assert _site(("hold_s = 2", "full_pct = 10")).light.full_pct == 10


@pytest.mark.parametrize(("metres", "millimetres"), [(0, 0), (32.0, 32_000), (0.1, 100), (-12.3456, -12_346)])
def test_metres_become_whole_millimetres(metres: float, millimetres: int) -> None:
    assert mm(metres) == millimetres
    assert isinstance(mm(metres), int)
