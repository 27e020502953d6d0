"""The stretch of one controller: views and where somebody is seen next, both ways alike, and the zones of doubt."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.lighting.site import ControllerSite, LampPost, LightingSite, Place, RadarPost
from controllers.lighting.stretch import FAR_MM, Lane, RadarView, Stretch, zones
from controllers.service.sites import site_path
from drivers.settings import load_toml

SITE = load_toml(site_path("kanalpromenade-reference"), LightingSite)
WEST, EAST = (Stretch(SITE, SITE.controller(name)) for name in ("west", "east"))


def test_a_view_ends_where_its_range_or_its_sensor_is() -> None:
    outward, inward = WEST.views["radar-1"], WEST.views["radar-2"]
    assert outward.leave_u_mm == (0, 40_000)  # riding up it ends at the sensor, riding down 40 m away
    assert inward.leave_u_mm == (104_000, -64_000)
    assert (outward.sign, inward.sign) == (-1, 1)
    assert outward.margin_mm == 10_000


def test_a_controller_without_a_radar_sees_nobody_come_from_either_side() -> None:
    for name in ("west", "east"):
        blind = msgspec.structs.replace(SITE.controller(name), radars=())
        from_mm, to_mm = zones(SITE, blind)["neighbour"]
        first_mm, last_mm = Stretch(SITE, blind).span_mm()
        assert from_mm <= first_mm
        assert last_mm <= to_mm


def test_places_are_whole_millimetres() -> None:
    west = Stretch(SITE, SITE.controller("west"))
    for view in west.views.values():
        assert {type(u) for u in (*view.next_u_mm, *view.leave_u_mm)} == {int}
    assert {type(west.lanes[0].next_entry_u_mm(u)) for u in (-50_000, 100_000, 400_000)} == {int}


def test_after_a_view_the_next_one_of_the_whole_site_is_expected() -> None:
    assert WEST.views["radar-1"].next_u_mm == (64_000, FAR_MM)
    assert WEST.views["radar-2"].next_u_mm == (128_000, 0)
    assert WEST.views["radar-3"].next_u_mm == (184_000, -104_000)  # the east radar at 224 m, looking down
    assert EAST.views["radar-1"].next_u_mm == (248_000, -168_000)
    assert EAST.views["radar-3"].next_u_mm == (FAR_MM, -288_000)


def test_where_views_overlap_somebody_is_seen_again_at_once() -> None:
    radars = (RadarPost("a", 0, "up", 60), RadarPost("b", 100, "down", 60))
    view = Stretch(*_one([0, 50], radars)).views["a"]
    assert view.next_u_mm == (60_000, FAR_MM)


def test_a_view_inside_another_is_not_where_somebody_is_seen_next() -> None:
    radars = (RadarPost("wide", 0, "up", 100), RadarPost("within", 20, "up", 30))
    views = Stretch(*_one([0, 50], radars)).views
    assert views["wide"].next_u_mm == (FAR_MM, FAR_MM)
    assert views["within"].next_u_mm == (50_000, -20_000)


def test_the_next_entry_is_the_nearest_one_ahead() -> None:
    up, down = WEST.lanes
    assert [up.next_entry_u_mm(u) for u in (-50_000, -40_000, -39_999, 128_000, 300_000, 352_001)] == [
        *(-40_000, -40_000, 64_000, 128_000, 352_000, FAR_MM),
    ]
    assert [down.next_entry_u_mm(u) for u in (-400_000, -392_000, -200_000, 0, 1)] == [
        *(-392_000, -392_000, -168_000, 0, FAR_MM),
    ]


def test_bits_belong_to_lamps_as_the_site_lists_them() -> None:
    lane = Lane(-1, [64_000, 0, 32_000], [])
    assert lane.lamps_u_mm == [-64_000, -32_000, 0]
    assert lane.masks == [0, 0b001, 0b101, 0b111]


def test_a_neighbour_spans_from_its_first_lamp_to_its_last() -> None:
    assert WEST.neighbour_spans == {"neighbour": (192_000, 352_000)}
    assert EAST.neighbour_spans == {"neighbour": (0, 160_000)}
    assert (WEST.span_mm(), EAST.span_mm()) == ((0, 160_000), (192_000, 352_000))


def test_a_zone_of_doubt_reaches_seventy_metres_beyond_view_or_neighbour() -> None:
    assert zones(SITE, SITE.controller("west")) == {
        "radar-1": (-110_000, 70_000),
        "radar-2": (-6_000, 174_000),
        "radar-3": (58_000, 238_000),
        "neighbour": (38_000, 422_000),  # radar-3 sees to 168 m; a fast rider needs 12 + 0.7 + 0.3 s from there
    }


def test_a_silent_neighbour_costs_light_as_far_as_a_fast_rider_is_owed_it_before_any_own_radar_sees() -> None:
    assert zones(SITE, SITE.controller("east"))["neighbour"] == (-70_000, 314_000)  # radar-1 sees from 184 m
    blind = msgspec.structs.replace(SITE.controller("west"), radars=())
    assert zones(SITE, blind)["neighbour"][0] <= 0  # nobody of its own to ask: all of it


_metres = st.integers(-300, 600)
_radars = st.lists(st.tuples(_metres, st.booleans(), st.integers(2, 120)), min_size=1, max_size=6)


@given(st.lists(_metres, min_size=1, max_size=8, unique=True), _radars, st.integers(-700, 700))
@settings(max_examples=80, deadline=None)
def test_a_mirrored_site_is_the_same_seen_from_the_other_side(
    lamps: list[int], radars: list[tuple[int, bool, int]], u_m: int
) -> None:
    def site(sign: int) -> tuple[LightingSite, ControllerSite]:
        posts = [
            RadarPost(f"r{n}", sign * x, "up" if up == (sign > 0) else "down", reach)
            for n, (x, up, reach) in enumerate(radars)
        ]
        return _one([sign * x for x in lamps], tuple(posts))

    plain, mirrored = Stretch(*site(1)), Stretch(*site(-1))
    for here, there in zip(plain.lanes, reversed(mirrored.lanes), strict=True):
        assert here.lamps_u_mm == there.lamps_u_mm
        assert here.masks == there.masks
        assert here.next_entry_u_mm(u_m * 1000) == there.next_entry_u_mm(u_m * 1000)
    for name, view in plain.views.items():
        other = mirrored.views[name]
        assert view.leave_u_mm == other.leave_u_mm[::-1]
        assert view.next_u_mm == other.next_u_mm[::-1]
        assert all(after >= leave for after, leave in zip(view.next_u_mm, view.leave_u_mm, strict=True))
    turned = {name: (-high, -low) for name, (low, high) in zones(*site(-1)).items()}
    assert zones(*site(1)) == turned


def _one(lamps_m: list[int], radars: tuple[RadarPost, ...]) -> tuple[LightingSite, ControllerSite]:
    lamps = tuple(LampPost(f"lamp-{n}", x_m) for n, x_m in enumerate(lamps_m))
    controller = ControllerSite("only", "board", lamps, radars)
    return LightingSite(1, "mirror", "lighting", Place(52, 7.6, "Europe/Berlin"), (controller,)), controller


def test_views_and_lanes_are_in_whole_millimetres() -> None:
    view = RadarView(1_001, -1, 40_003)
    assert (view.x_mm, view.sign, view.range_mm, view.margin_mm) == (1_001, -1, 40_003, 10_000)
    assert (view.leave_u_mm, view.next_u_mm) == ((1_001, 39_002), (FAR_MM, FAR_MM))
    lane = Lane(-1, [5, 7], [9, 3])
    assert (lane.sign, lane.lamps_u_mm, lane.masks, lane.entries_u_mm) == (-1, [-7, -5], [0, 2, 3], [3, 9])


def test_a_stretch_lists_its_lamps_views_and_neighbours() -> None:
    west = WEST
    assert west.lamp_names == tuple(f"lamp-{n}" for n in range(1, 7))
    assert west.lamps_x_mm == (0, 32_000, 64_000, 96_000, 128_000, 160_000)
    assert (west.span_mm(), west.neighbour_spans) == ((0, 160_000), {"neighbour": (192_000, 352_000)})
    assert all(type(entry) is int for lane in west.lanes for entry in lane.entries_u_mm)
