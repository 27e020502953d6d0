"""Riders met by a second sensor, as they are or mirrored, and reports in the middle of others."""

from __future__ import annotations

import pytest

from controllers.core.contract import Publish
from controllers.lighting.policy import LightingPolicy
from controllers.lighting.riders import Riders
from controllers.lighting.site import LightingSite
from controllers.lighting.stretch import FAR_MM, Stretch
from controllers.lighting.track import SURE_MM, Track
from controllers.service.sites import site_path
from drivers.quantities import Detection, DeviceHealth, RadarReport, SpeedReport
from drivers.settings import load_toml
from drivers.units import NS_PER_MS

SITE = load_toml(site_path("kanalpromenade-reference"), LightingSite)
X_MM = 64_000  # where radar-2 stands and looks up


def west() -> Riders:
    return Riders(Stretch(SITE, SITE.controller("west")), [].append)


def sees(riders: Riders, t_ms: int, *found: tuple[int, int]) -> list[Track]:
    """(place, speed along the path) of each, by radar-2; gives the news."""
    news: list[Track] = []
    detections = tuple(Detection(x_mm - X_MM, -v_mm_s, 0, 90) for x_mm, v_mm_s in found)
    riders.seen(RadarReport(t_ms * NS_PER_MS, "radar-2", detections), news)
    return news


def known(riders: Riders, x_mm: int, v_mm_s: int, t_ms: int, radar: str = "radar-1") -> Track:
    """Somebody believed, last seen by another radar."""
    track = riders._new()
    lane, u_mm = (0, x_mm) if v_mm_s >= 0 else (1, -x_mm)
    track.measured(lane, u_mm, abs(v_mm_s), t_ms * NS_PER_MS, FAR_MM)
    track.confirmed, track.radar = True, radar
    return track


def evidence(riders: Riders) -> list[int]:
    """(straight, mirrored) of radar-2."""
    return riders.mountings["radar-2"].snapshot()[:2]


@pytest.mark.parametrize("way", [1, -1])
def test_who_is_met_as_expected_speaks_for_a_radar_once(way: int) -> None:
    riders = west()
    track = known(riders, X_MM + 10_000, way * 5_000, 1_000)
    sees(riders, 1_100, (X_MM + 10_000 + way * 500, way * 5_000))
    assert (evidence(riders), track.radar) == ([1, 0], "radar-2")
    sees(riders, 1_200, (X_MM + 10_000 + way * 1_000, way * 5_000))
    assert evidence(riders) == [1, 0]


@pytest.mark.parametrize("way", [1, -1])
def test_who_is_slow_and_shown_mirrored_speaks_against_a_radar(way: int) -> None:
    riders = west()
    track = known(riders, X_MM - way * 500, way * 900, 1_000)
    sees(riders, 1_100, (X_MM + way * 500, -way * 900))
    assert (evidence(riders), track.radar) == ([0, 1], "radar-2")


def test_who_is_slow_and_has_turned_elsewhere_speaks_neither_way() -> None:
    riders = west()
    known(riders, X_MM + 20_000, 900, 1_000)
    sees(riders, 1_100, (X_MM + 20_000, -900))
    assert (evidence(riders), len(riders.tracks)) == ([0, 0], 1)


@pytest.mark.parametrize("way", [1, -1])
def test_somebody_new_where_another_would_be_shown_mirrored_speaks_against_a_radar(way: int) -> None:
    riders = west()
    known(riders, X_MM - way * 20_000, way * 5_000, 1_000)
    for n in (1, 2):
        sees(riders, 1_000 + 100 * n, (X_MM + way * (20_000 - 500 * n), -way * 5_000))
    assert (evidence(riders), riders.counts["seen"]) == ([0, 1], 1)


@pytest.mark.parametrize(
    ("lane", "radar", "confirmed"), [(1, "radar-1", True), (0, "radar-2", True), (0, "radar-1", False)]
)
def test_nobody_is_mirrored_who_rides_the_same_way_is_its_own_or_is_not_believed(
    lane: int, radar: str, confirmed: bool
) -> None:
    riders = west()
    track = known(riders, X_MM - 20_000, 5_000 if lane == 0 else -5_000, 1_000, radar)
    track.confirmed = confirmed
    for n in (1, 2):
        sees(riders, 1_000 + 100 * n, (X_MM + 20_000 - 500 * n, -5_000))
    assert evidence(riders) == [0, 0]


def test_a_radar_in_doubt_moves_nobody_and_is_judged_by_whom_it_shows() -> None:
    for x_mm, v_mm_s, found in ((X_MM + 20_500, 5_000, [1, 0]), (X_MM - 20_500, -5_000, [0, 1]), (0, 300, [0, 0])):
        riders = west()
        track = known(riders, X_MM + 20_000, 5_000, 1_000)
        riders.mountings["radar-2"].wrong = True
        assert sees(riders, 1_100, (x_mm, v_mm_s)) == []
        assert (evidence(riders), track.reports, len(riders.tracks)) == (found, 1, 1)
        assert riders.doubtful_mm("radar-2") == (X_MM - 40_000, X_MM + 40_000)


def test_a_radar_in_doubt_is_judged_by_all_that_it_shows() -> None:
    riders = west()
    known(riders, X_MM + 20_000, 5_000, 1_000)
    riders.mountings["radar-2"].wrong = True
    sees(riders, 1_100, (X_MM + 1_000, 300), (X_MM + 20_500, 5_000))
    assert evidence(riders) == [1, 0]


def policy() -> LightingPolicy:
    made = LightingPolicy(SITE, SITE.controller("west"), base_level=170, full_level=254)
    made.step((), 0)
    return made


def frozen(t_ms: int, x_mm: int = X_MM + 10_000) -> RadarReport:
    return RadarReport(t_ms * NS_PER_MS, "radar-2", (Detection(x_mm - X_MM, -5_000, 0, 90),))


def test_a_radar_is_doubted_to_the_neighbour_and_cleared() -> None:
    made = policy()
    for t_ms, x_mm, stretch in ((900, X_MM + 10_000, [64_000, 104_000]), (1_000, X_MM + 14_000, None)):
        said = made.step((frozen(0), frozen(t_ms, x_mm)) if stretch else (frozen(t_ms, x_mm),), t_ms * NS_PER_MS)
        body = {"kind": "doubt", "of": "view of radar-2", "doubt": stretch}
        assert [one for one in said if isinstance(one, Publish)] == [Publish("neighbour", body)]


def test_a_doubt_that_comes_and_goes_in_one_tick_is_over_and_health_that_was_never_ill_is_no_fault() -> None:
    made = policy()
    said = made.step((frozen(0), frozen(900), frozen(1_000, X_MM + 14_000)), 1_000 * NS_PER_MS)
    body = {"kind": "doubt", "of": "view of radar-2", "doubt": None}
    assert [one for one in said if isinstance(one, Publish)] == [Publish("neighbour", body)] * 2
    said = made.step((DeviceHealth(0, "radar-3", True),), 1_100 * NS_PER_MS)
    assert said[0] == Publish("neighbour", {"kind": "doubt", "of": "radar-3", "doubt": None})


def test_a_radar_in_doubt_is_not_judged_by_whom_it_has_shown_itself() -> None:
    riders = west()
    known(riders, X_MM + 20_000, 5_000, 1_000, "radar-2")
    riders.mountings["radar-2"].wrong = True
    sees(riders, 1_100, (X_MM - 20_500, -5_000))
    assert evidence(riders) == [0, 0]


def test_a_track_of_the_same_moment_hides_nobody_behind_it() -> None:
    riders = west()
    sees(riders, 1_000, (X_MM + 10_000, 5_000), (X_MM + 30_000, 5_000))
    sees(riders, 1_100, (X_MM + 10_500, 5_000))
    sees(riders, 1_100, (X_MM + 30_500, 5_000))
    assert [track.reports for track in riders.tracks] == [2, 2]


def test_what_is_no_rider_hides_nobody_behind_it() -> None:
    riders = west()
    sees(riders, 1_000, (X_MM + 6_000, 0), (X_MM + 10_000, 5_000))
    assert [track.u0_mm for track in riders.tracks] == [X_MM + 10_000]


def test_a_place_is_foretold_in_whole_millimetres() -> None:
    riders = west()
    sees(riders, 1_000, (X_MM + 10_000, 5_001))
    sees(riders, 1_100, (X_MM + 10_500 - SURE_MM, 5_001))  # 500.1 mm on
    assert riders.tracks[0].confirmed


@pytest.mark.parametrize(("to_go_mm", "hold_mm"), [(2_500, 128_000), (2_501, X_MM + 40_000 - 2_501)])
def test_who_leaves_a_short_view_within_half_a_second_is_seen_next_in_another(to_go_mm: int, hold_mm: int) -> None:
    riders = west()
    riders.stretch.views["radar-2"].margin_mm = 100
    sees(riders, 1_000, (X_MM + 40_000 - to_go_mm, 5_000))
    assert riders.tracks[0].hold_u_mm == hold_mm


def test_everybody_a_speed_makes_believed_is_counted() -> None:
    riders, news = west(), []
    for t_ms in (1_000, 1_100):
        for v_mm_s in (5_000, -5_000):
            riders.spoke(SpeedReport(t_ms * NS_PER_MS, "radar-2", v_mm_s), news)
    assert (riders.counts["seen"], len(news)) == (2, 2)
