"""Sections of any length: the reference site's pattern over and over, fit for their boards."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from boards.build import load_board
from controllers.lighting.section import BOARDS, section
from controllers.lighting.site import LightingSite, check
from controllers.lighting.site_checks import warnings
from controllers.service.sites import REFERENCE, load_site
from drivers.errors import InputError


def test_twelve_lamps_are_the_reference_site_under_other_names() -> None:
    reference = load_site(REFERENCE)
    assert isinstance(reference, LightingSite)
    site = section(12, light=reference.light)
    assert [one.lamps for one in site.controllers] == [one.lamps for one in reference.controllers]
    assert [one.radars for one in site.controllers] == [one.radars for one in reference.controllers]
    assert [list(one.neighbours) for one in site.controllers] == [list(one.neighbours) for one in reference.controllers]
    assert (site.light, site.place) == (reference.light, reference.place)


def test_the_northern_section_has_42_controllers_on_eight_kilometres() -> None:
    site = section(250)
    assert (len(site.controllers), sum(len(one.lamps) for one in site.controllers)) == (42, 250)
    assert site.controllers[-1].lamps[-1].x_m == 249 * 32
    assert {one.board for one in site.controllers[1:-1]} == {"kanalpromenade-lamp-middle"}
    assert site.controllers[20].neighbours == {"neighbour-down": "c020", "neighbour-up": "c022"}


def test_a_section_says_what_it_is_and_takes_its_name_and_the_range_of_its_radars() -> None:
    site = section(12)
    assert (site.format, site.name, site.product, site.title) == (1, "section", "lighting", "12 lamps")
    named = section(12, name="north", range_m=14, spacing_m=0.5)
    assert named.name == "north"
    assert {radar.range_m for one in named.controllers for radar in one.radars} == {14}
    assert [lamp.x_m for lamp in named.controllers[0].lamps] == [0, 0.5, 1, 1.5, 2, 2.5]


def test_controllers_look_up_and_down_the_path_in_turns() -> None:
    looks = [{radar.looks for radar in one.radars} for one in section(42).controllers]
    assert looks[1:-1] == [{"down"}, {"up"}, {"down"}, {"up"}, {"down"}]


@settings(max_examples=15)
@example(18, 6, 32)
@example(6, 6, 32)
@example(23, 6, 32)
@example(1, 6, 32)
@example(2, 6, 32)
@given(st.integers(1, 300), st.integers(1, 6), st.integers(10, 50))
def test_a_section_of_any_length_passes_the_checks_and_fits_its_boards(lamps: int, each: int, spacing_m: int) -> None:
    site = section(lamps, each=each, spacing_m=spacing_m)
    check(site, "section")
    assert not [line for line in warnings(site) if "neighbours" in line and "radars" not in line]
    boards = {name: load_board(name) for name in BOARDS}
    for one in site.controllers:
        devices = boards[one.board].devices
        assert {*(lamp.name for lamp in one.lamps), *(radar.name for radar in one.radars), *one.neighbours} <= {
            *devices
        }
    looks = [radar.looks for one in site.controllers for radar in one.radars]
    assert (looks[0], looks[-1]) == ("down", "up")


@settings(max_examples=8)
@given(st.integers(2, 300))
def test_nowhere_on_a_section_is_a_gap_in_view_longer_than_between_two_radars_of_the_reference(lamps: int) -> None:
    assert not [line for line in warnings(section(lamps)) if "nobody is seen" in line]


@pytest.mark.parametrize(("lamps", "each", "spacing_m"), [(0, 6, 32), (12, 0, 32), (12, 7, 32), (12, 6, 0)])
def test_numbers_that_make_no_section_are_refused(lamps: int, each: int, spacing_m: float) -> None:
    with pytest.raises(InputError, match="a section of"):
        section(lamps, each=each, spacing_m=spacing_m)
