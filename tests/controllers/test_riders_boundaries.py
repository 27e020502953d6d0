"""Who a report is taken for: limits of speed, place, age and number, each at its boundary, and all that is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controllers.lighting.riders import ANNOUNCE_NS, COUNTED, FASTEST_MM_S, FROZEN_MM, GONE_MM, MAX_TRACKS, Riders
from controllers.lighting.site import LightingSite
from controllers.lighting.stretch import Stretch
from controllers.lighting.track import SLOW_MM_S, STALE_MM, SURE_MM, Track
from controllers.service.sites import site_path
from drivers.quantities import Detection, Message, RadarReport, SpeedReport
from drivers.settings import load_toml
from drivers.units import NS_PER_MS, NS_PER_S

SITE = load_toml(site_path("kanalpromenade-reference"), LightingSite)
X_MM = 64_000  # where radar-2 stands; it looks up, 40 m far, and riding up the next view begins at 128 m


class West:
    """The riders of the west, what is news, and which radars were doubted or cleared."""

    def __init__(self) -> None:
        self.doubted: list[str] = []
        self.riders = Riders(Stretch(SITE, SITE.controller("west")), self.doubted.append)
        self.news: list[Track] = []

    def sees(self, t_ms: int, *found: tuple[int, int], radar: str = "radar-2") -> bool:
        """(distance_mm, speed_mm_s away from the sensor) of each."""
        detections = tuple(Detection(away_mm, -v_mm_s, 0, 90) for away_mm, v_mm_s in found)
        return self.riders.seen(RadarReport(t_ms * NS_PER_MS, radar, detections), self.news)

    def speaks(self, t_ms: int, v_mm_s: int, radar: str = "radar-2") -> None:
        self.riders.spoke(SpeedReport(t_ms * NS_PER_MS, radar, -v_mm_s), self.news)

    def hears(self, t_ms: int, **body: Any) -> bool:
        said = {"kind": "rider", "id": 1, "x_mm": 64_000, "v_mm_s": 5_000, "age_ms": 0} | body
        return self.riders.heard(Message(t_ms * NS_PER_MS, "neighbour", said))

    @property
    def tracks(self) -> list[Track]:
        return self.riders.tracks

    def counted(self) -> dict[str, int]:
        return {what: n for what, n in self.riders.counts.items() if n}


# --- at first


def test_at_first_nobody_is_known_and_nothing_counted() -> None:
    west = West()
    state = west.riders.snapshot()
    assert (state["tracks"], state["next_id"], state["frozen"], state["fast"]) == ([], 1, [], None)
    assert state["counts"] == dict.fromkeys(COUNTED, 0)
    assert state["last"] == {radar: [-1, 0, 0] for radar in ("radar-1", "radar-2", "radar-3")}
    assert [west.riders.doubtful_mm(radar) for radar in state["last"]] == [None] * 3


def test_a_first_report_is_somebody_unbelieved_with_number_place_and_radar() -> None:
    west = West()
    assert west.sees(1_000, (10_000, 5_000))
    (track,) = west.tracks
    assert (track.id, track.remote, track.radar, track.confirmed) == (1, "", "radar-2", False)
    assert (track.lane, track.u0_mm, track.speed_mm_s, track.t0_ns) == (0, X_MM + 10_000, 5_000, NS_PER_S)
    assert (west.news, west.counted()) == ([], {})


def test_who_comes_rides_down_and_who_stands_would_ride_up() -> None:
    west = West()
    west.sees(1_000, (10_000, -5_000))
    assert (west.tracks[0].lane, west.tracks[0].u0_mm, west.tracks[0].speed_mm_s) == (1, -X_MM - 10_000, 5_000)
    west.sees(1_100, (9_500, -800))
    west.sees(1_200, (9_500, 0))
    assert [(track.lane, track.u0_mm, track.speed_mm_s) for track in west.tracks] == [(0, X_MM + 9_500, 0)]


def test_a_radar_the_site_does_not_know_moves_nobody() -> None:
    west = West()
    before = west.riders.snapshot()
    assert west.sees(1_000, (10_000, 5_000), radar="radar-9") is False
    west.speaks(1_000, 5_000, radar="radar-9")
    assert west.riders.snapshot() == before


# --- speeds


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize(("speed_mm_s", "rides"), [(FASTEST_MM_S, True), (FASTEST_MM_S + 1, False)])
def test_faster_than_seventy_two_is_somebody_at_seventy_two_by_radar_speed_or_word(
    way: int, speed_mm_s: int, rides: bool
) -> None:
    for tell in ("sees", "speaks", "hears"):
        west = West()
        if tell == "sees":
            assert west.sees(1_000, (10_000, way * speed_mm_s))
        elif tell == "speaks":
            west.speaks(1_000, way * speed_mm_s)
        else:
            assert west.hears(1_500, v_mm_s=way * speed_mm_s, age_ms=500)
        assert [(track.lane, track.speed_mm_s) for track in west.tracks] == [(way < 0, FASTEST_MM_S)]
        assert west.riders.counts["implausible"] == (not rides)
        source = "neighbour" if tell == "hears" else "radar-2"
        assert west.riders.fast == (None if rides else (source, speed_mm_s, NS_PER_S))


def test_what_stands_still_and_was_nobody_is_nobody_and_the_slowest_is_somebody() -> None:
    west = West()
    assert west.sees(1_000, (10_000, 0), (20_000, 1)) is True
    west.speaks(1_000, 0)
    assert ([track.speed_mm_s for track in west.tracks], west.counted()) == ([1], {"still": 2})
    west = West()
    assert west.sees(1_000, (10_000, 0)) is False
    west.speaks(1_100, 1)
    assert [track.speed_mm_s for track in west.tracks] == [1]


# --- who it is


@pytest.mark.parametrize(("off_mm", "sure"), [(SURE_MM, True), (SURE_MM + 1, False)])
def test_a_second_report_that_fits_is_enough_and_one_that_fits_worse_needs_a_third(off_mm: int, sure: bool) -> None:
    west = West()
    west.sees(1_000, (10_000, 5_000))
    assert west.sees(1_100, (10_500 + off_mm, 5_000))
    assert [track.confirmed for track in west.tracks] == [sure]
    west.sees(1_200, (11_000 + off_mm, 5_000))
    assert [track.confirmed for track in west.tracks] == [True]
    assert west.counted() == {"seen": 1}


def test_two_of_one_moment_are_two() -> None:
    west = West()
    west.sees(1_000, (10_000, 5_000), (10_500, 5_000))
    assert [track.id for track in west.tracks] == [1, 2]
    west.sees(1_100, (10_500, 5_000), (11_000, 5_000))
    assert [track.u0_mm - X_MM for track in west.tracks] == [10_500, 11_000]


def test_of_two_that_fit_the_nearer_by_place_and_speed_is_taken_and_of_equals_the_first() -> None:
    west = West()
    west.sees(1_000, (10_000, 5_000), (12_000, 5_000))
    west.sees(1_100, (11_499, 5_000))
    assert [track.reports for track in west.tracks] == [2, 1]
    west = West()
    west.sees(1_000, (10_000, 5_000), (12_000, 5_000))
    west.sees(1_100, (11_501, 5_000))
    assert [track.reports for track in west.tracks] == [1, 2]
    west = West()
    west.sees(1_000, (10_000, 5_000), (12_000, 5_000))
    west.sees(1_100, (11_500, 5_000))
    assert [track.reports for track in west.tracks] == [2, 1]
    west = West()
    west.sees(1_000, (10_000, 4_000), (10_000, 6_000))
    west.sees(1_100, (10_500, 5_600))
    assert [track.reports for track in west.tracks] == [1, 2]


@pytest.mark.parametrize("after_ms", [100, 500, 501, 900])
@pytest.mark.parametrize("off_mm", [-3_001, -3_000, -1, 0, 2, 3_000, 3_001])
def test_the_short_cut_for_most_reports_says_what_the_track_says(after_ms: int, off_mm: int) -> None:
    west = West()
    west.sees(1_000, (10_001, 5_003), (12_003, 4_507))
    t_ns = (1_000 + after_ms) * NS_PER_MS
    away_mm = 10_001 + 5_003 * after_ms // 1000 + off_mm
    told = [track.unlikeness_mm(0, X_MM + away_mm, 4_759, t_ns) for track in west.tracks]
    west.sees(1_000 + after_ms, (away_mm, 4_759))
    assert [track.reports for track in west.tracks][:2] == [1 + (told[0] <= told[1]), 1 + (told[1] < told[0])]


@pytest.mark.parametrize(("nearer_mm", "reports"), [(STALE_MM - 1, [1, 3]), (STALE_MM, [2, 2])])
def test_somebody_being_seen_is_preferred_by_two_metres(nearer_mm: int, reports: list[int]) -> None:
    west = West()
    west.sees(1_000, (10_000, 5_000))
    west.sees(1_550, (20_000, 5_000))  # too far ahead to be the first
    west.sees(1_600, (20_250, 5_000))
    stale, fresh = west.tracks
    stale.u0_mm = fresh.u0_mm - 3_000 - nearer_mm  # expected by so much behind where the other is
    assert west.sees(1_700, (20_750 - nearer_mm, 5_000))
    assert [track.reports for track in west.tracks] == reports


# --- where it is to be seen again


@pytest.mark.parametrize(
    ("away_mm", "speed_mm_s", "hold_mm"),
    [
        (29_999, 5_000, 29_999 + X_MM),  # more than a quarter of the view before its end
        (30_000, 5_000, 128_000),
        (29_999, 19_999, 29_999 + X_MM),
        (32_000, 16_000, 128_000),
        (27_999, 20_000, 27_999 + X_MM),
        (41_000, 5_000, 128_000),
    ],
)
def test_well_inside_a_view_it_is_seen_again_at_once_and_else_where_the_next_view_begins(
    away_mm: int, speed_mm_s: int, hold_mm: int
) -> None:
    west = West()
    west.sees(1_000, (away_mm, speed_mm_s))
    assert west.tracks[0].hold_u_mm == hold_mm


def test_who_is_seen_beyond_the_place_of_the_next_view_is_held_there() -> None:
    west = West()
    west.sees(1_000, (70_000, 5_000))
    assert west.tracks[0].hold_u_mm == X_MM + 70_000
    west = West()
    west.sees(1_000, (1_000, -5_000))  # riding down: the view of radar-1 begins at its place
    assert west.tracks[0].hold_u_mm == 0


# --- news


def test_who_is_believed_is_news_once_and_again_after_a_while() -> None:
    west = West()
    for n in range(30):
        west.sees(1_000 + 100 * n, (1_000 + 500 * n, 5_000))
        for track in west.news:
            track.published()
        assert len(west.news) == (n == 1 or 1_100 + 100 * n - 1_200 == ANNOUNCE_NS // NS_PER_MS + 50)
        west.news.clear()


# --- the same for ever


@pytest.mark.parametrize(("after_ms", "frozen"), [(FROZEN_MM // 5, False), (FROZEN_MM // 5 + 1, True)])
def test_a_radar_that_repeats_itself_for_as_long_as_four_metres_take_is_doubted(after_ms: int, frozen: bool) -> None:
    west = West()
    west.sees(0, (10_000, 5_000))
    assert west.sees(after_ms, (10_000, 5_000))
    assert (west.doubted, west.riders.frozen) == ((["radar-2"], ["radar-2"]) if frozen else ([], []))
    assert west.riders.counts["repeats"] == frozen
    assert west.riders.doubtful_mm("radar-2") == ((64_000, 104_000) if frozen else None)


def test_a_frozen_radar_is_doubted_once_and_cleared_by_anything_else_it_says() -> None:
    for other in ((10_001, 5_000), (10_000, 5_001)):
        west = West()
        for t_ms in (0, 900, 1_000, 1_100):
            west.sees(t_ms, (10_000, 5_000))
        assert (west.doubted, west.riders.counts["repeats"]) == (["radar-2"], 3)
        west.sees(1_150, (3_000, 5_000), radar="radar-3")
        assert west.riders.frozen == ["radar-2"], "another radar's word is none of its own"
        west.sees(1_200, other)
        assert (west.doubted, west.riders.frozen) == (["radar-2", "radar-2"], [])
        west.riders.moves("radar-2")
        assert west.doubted == ["radar-2", "radar-2"]


def test_what_comes_repeats_itself_as_well_and_what_stands_does_not() -> None:
    west = West()
    west.sees(0, (10_000, -5_000))
    west.sees(801, (10_000, -5_000))
    assert west.riders.frozen == ["radar-2"]
    west = West()
    west.sees(0, (10_000, 0))
    west.sees(60_000, (10_000, 0))
    assert west.counted() == {"still": 2}


# --- speeds without a place


def test_a_speed_is_somebody_anywhere_in_the_view_and_the_next_is_the_same_one() -> None:
    west = West()
    west.speaks(1_000, 5_000)
    (track,) = west.tracks
    assert (track.lane, track.u0_mm, track.spread_mm, track.hold_u_mm) == (0, 104_000, 40_000, 128_000)
    assert (track.radar, track.confirmed, west.news) == ("radar-2", False, [])
    west.speaks(1_100, 5_000)
    assert (west.tracks, track.confirmed, track.reports) == ([track], True, 2)
    assert (west.news, west.counted()) == ([track], {"seen": 1})
    track.published()
    west.speaks(1_200, 5_000)
    assert (west.news, west.counted()) == ([track], {"seen": 1})
    west.speaks(1_200, 5_000)
    assert len(west.tracks) == 2, "two of one moment are two"
    west.tracks.pop()
    west.speaks(1_300, -5_000)
    assert [(one.lane, one.u0_mm, one.hold_u_mm) for one in west.tracks[1:]] == [(1, -64_000, 0)]


def test_the_radars_own_is_preferred_to_the_first_that_might_be_it() -> None:
    west = West()
    west.hears(900, x_mm=70_000)
    west.hears(910, x_mm=90_000, id=2)
    west.speaks(1_000, 5_000)
    assert [track.radar for track in west.tracks] == ["radar-2", ""], "the first of those that may be there"
    west.tracks[0].radar, west.tracks[1].radar = "", "radar-2"
    west.speaks(1_100, 5_000)
    assert [track.reports for track in west.tracks] == [2, 2]


# --- a neighbour's word


def test_a_word_is_somebody_believed_as_old_as_it_says() -> None:
    west = West()
    assert west.hears(5_000, x_mm=-70_000, v_mm_s=5_000, age_ms=1_500, id=7)
    (track,) = west.tracks
    assert (track.remote, track.radar, track.confirmed, track.t0_ns) == ("neighbour/7", "", True, 3_500 * NS_PER_MS)
    assert (track.lane, track.u0_mm, track.hold_u_mm) == (0, -70_000, -40_000)
    assert west.counted() == {"taken_over": 1}
    assert west.hears(6_000, x_mm=-64_000, v_mm_s=5_000, age_ms=-4, id=7)
    assert (west.tracks, track.t0_ns, track.reports) == ([track], 6_000 * NS_PER_MS, 2), "no word is from the future"
    assert not west.hears(7_000, x_mm=-64_000, age_ms=1_000, id=7), "as old as what is known"
    assert west.hears(7_000, x_mm=-64_000, age_ms=999, id=7)


def test_a_word_about_somebody_known_gives_a_name_and_is_taken_where_it_is_newer() -> None:
    west = West()
    west.sees(1_000, (10_000, 5_000))
    assert not west.hears(1_000, x_mm=X_MM + 10_000, id=4)
    (track,) = west.tracks
    assert (track.remote, track.radar, track.confirmed, track.reports) == ("neighbour/4", "radar-2", False, 1)
    assert west.hears(1_100, x_mm=X_MM + 90_000, id=4), "by its name, wherever it is"
    assert (track.radar, track.confirmed, track.u0_mm, track.hold_u_mm) == ("", True, X_MM + 90_000, 184_000)
    assert west.hears(1_200, x_mm=X_MM + 90_500, id=5)
    assert ([one.remote for one in west.tracks], west.counted()) == (["neighbour/5"], {})


@pytest.mark.parametrize(
    ("x_mm", "v_mm_s", "known"),
    [
        (160_000 + GONE_MM, SLOW_MM_S, True),
        (160_001 + GONE_MM, SLOW_MM_S, False),
        (160_001 + GONE_MM, SLOW_MM_S - 1, True),
        (-GONE_MM, -SLOW_MM_S, True),
        (-GONE_MM - 1, -SLOW_MM_S, False),
    ],
)
def test_whoever_has_left_the_stretch_is_none_of_ours(x_mm: int, v_mm_s: int, known: bool) -> None:
    west = West()
    assert west.hears(1_000, x_mm=x_mm, v_mm_s=v_mm_s) is known
    assert (len(west.tracks), west.counted()) == (known, {"taken_over": 1} if known else {})


_LIMITS = [
    ("id", 0, 1 << 53), ("x_mm", -100_000_000, 100_000_000), ("v_mm_s", -50_000, 50_000),
    ("age_ms", -60_000, 60_000), ("known_ms", 0, 86_400_000), ("mean_mm_s", 0, 50_000),
]  # fmt: skip


@pytest.mark.parametrize(("what", "least", "most"), _LIMITS)
def test_numbers_that_no_rider_has_are_no_rider(what: str, least: int, most: int) -> None:
    for value, sense in ((least - 1, False), (least, True), (most, True), (most + 1, False)):
        heard = (west := West()).hears(100_000, **({"x_mm": 0} | {what: value}))
        assert sense or not (heard or west.tracks or west.counted())
        assert not sense or west.tracks or west.counted() or what == "x_mm"


# --- how many


def test_of_too_many_the_oldest_unbelieved_goes_first_and_else_the_oldest() -> None:
    west = West()
    for n in range(MAX_TRACKS):
        west.hears(1_000, x_mm=-1_000_000 - 10_000 * n, id=n, v_mm_s=5_000)
    west.tracks[5].confirmed = west.tracks[9].confirmed = False
    for gone in (5, 8):  # the ninth has moved up
        ids = [track.id for track in west.tracks]
        west.sees(2_000 + gone, (gone * 4_000, 5_000))
        assert [track.id for track in west.tracks][:-1] == [one for n, one in enumerate(ids) if n != gone]
        west.tracks[-1].confirmed = True
    west.sees(3_000, (500, 5_000))
    assert (west.tracks[0].id, len(west.tracks)) == (2, MAX_TRACKS)
    assert west.riders.counts["crowded_out"] == 3


def test_who_is_over_is_forgotten_and_whoever_was_never_believed_was_clutter() -> None:
    west = West()
    west.sees(1_000, (1_000, 5_000), (20_000, 5_000), (38_000, 5_000))
    for track, wake_ns in zip(west.tracks, (-1, -1, 7), strict=True):
        track.wake_ns = wake_ns
    west.tracks[0].confirmed = True
    west.riders.over(-1)
    assert ([track.id for track in west.tracks], west.counted()) == ([3], {"clutter": 1})


def test_all_of_it_comes_back_through_json() -> None:
    west, other = West(), West()
    west.sees(0, (10_000, 5_000), (20_000, -4_000))
    west.sees(900, (10_000, 5_000))
    west.hears(950, x_mm=-90_000, id=12, v_mm_s=30_000, known_ms=9_000, mean_mm_s=7_000)
    west.riders.mountings["radar-3"].met(4, straight=False)
    other.riders.restore(json.loads(json.dumps(west.riders.snapshot())))
    assert other.riders.snapshot() == west.riders.snapshot()
    for one in (west, other):
        one.sees(1_000, (10_000, 5_000))
        one.sees(1_100, (14_000, 5_000))
    assert other.riders.snapshot() == west.riders.snapshot()
    assert other.riders.counts["repeats"] == 2
