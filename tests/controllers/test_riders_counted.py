"""Every rider, detection and word of evidence counts once, wherever, whenever and in whatever company it comes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controllers.lighting.mounting import ENOUGH, MIRROR_MM
from controllers.lighting.policy import LightingPolicy
from controllers.lighting.riders import FASTEST_MM_S, FROZEN_MM, MAX_TRACKS, Riders
from controllers.lighting.site import LightingSite
from controllers.lighting.stretch import FAR_MM, Stretch
from controllers.lighting.track import CLAIM_NOW, FRESH_NS, SLACK_MM, SLOW_MM_S, STALE_MM, SURE_MM, Track
from controllers.service.sites import site_path
from drivers.quantities import Detection, Message, RadarReport, SpeedReport
from drivers.settings import load_toml
from drivers.units import NS_PER_MS, NS_PER_S

SITE = load_toml(site_path("kanalpromenade-reference"), LightingSite)
VIEWS = {"radar-1": (0, -1), "radar-2": (64_000, 1)}  # of the west: where it stands, where it looks
X_MM = 64_000
AN_HOUR_NS = 3_600 * NS_PER_S


def report(t_ns: int, *found: tuple[int, int], radar: str = "radar-2") -> RadarReport:
    """What a radar says of riders at (x_mm, v_mm_s)."""
    x_mm, sign = VIEWS[radar]
    return RadarReport(t_ns, radar, tuple(Detection((x - x_mm) * sign, -v * sign, 0, 90) for x, v in found))


class West:
    """The riders of the west, and which radars were doubted or cleared."""

    def __init__(self) -> None:
        self.doubted: list[str] = []
        self.riders = Riders(Stretch(SITE, SITE.controller("west")), self.doubted.append)
        self.news: list[Track] = []

    def sees(self, t_ns: int, *found: tuple[int, int], radar: str = "radar-2") -> bool:
        return self.riders.seen(report(t_ns, *found, radar=radar), self.news)

    def speaks(self, t_ns: int, v_mm_s: int) -> None:
        self.riders.spoke(SpeedReport(t_ns, "radar-2", -v_mm_s), self.news)

    def hears(self, t_ns: int, **body: Any) -> bool:
        said = {"kind": "rider", "id": 1, "x_mm": X_MM, "v_mm_s": 5_000, "age_ms": 0} | body
        return self.riders.heard(Message(t_ns, "neighbour", said))

    def knows(self, t_ns: int, x_mm: int, v_mm_s: int, radar: str = "radar-1") -> Track:
        """Somebody believed, last seen by `radar`."""
        track = self.riders._new()
        lane, u_mm = (0, x_mm) if v_mm_s >= 0 else (1, -x_mm)
        track.measured(lane, u_mm, abs(v_mm_s), t_ns, FAR_MM)
        track.confirmed, track.radar = True, radar
        return track

    @property
    def tracks(self) -> list[Track]:
        return self.riders.tracks

    def counted(self) -> dict[str, int]:
        return {what: n for what, n in self.riders.counts.items() if n}

    def evidence(self) -> list[int]:
        """(straight, mirrored) of radar-2."""
        return self.riders.mountings["radar-2"].snapshot()[:2]


# --- counts


def test_every_speed_that_nobody_rides_is_counted_whoever_tells_it_and_the_last_is_known() -> None:
    for tell in ("sees", "speaks", "hears"):
        west = West()
        for n in range(1, 4):
            if tell == "sees":
                west.sees(n * NS_PER_S, (X_MM + 9_000 * n, FASTEST_MM_S + n))
            elif tell == "speaks":
                west.speaks(n * NS_PER_S, FASTEST_MM_S + n)
            else:
                west.hears(n * NS_PER_S, v_mm_s=FASTEST_MM_S + n)
            assert west.riders.counts["implausible"] == n, tell
            assert west.riders.fast == ("neighbour" if tell == "hears" else "radar-2", FASTEST_MM_S + n, n * NS_PER_S)


def test_everybody_taken_over_seen_and_still_is_counted() -> None:
    west = West()
    for n in range(1, 4):
        west.hears(n * NS_PER_S, x_mm=-100_000 * n, id=n)
        assert west.counted() == {"taken_over": n}
    west = West()
    for n in range(1, 4):
        for late_ns in (0, NS_PER_S // 10):
            at_mm = X_MM + 12_000 * n - 5 * late_ns // NS_PER_MS
            west.sees(n * NS_PER_S + late_ns, (at_mm, -5_000))
        assert west.counted() == {"seen": n}
        west.tracks.clear()
    west = West()
    for n in range(1, 4):
        west.sees(n * NS_PER_S, (X_MM + 9_000 * n, 0))
        west.speaks(n * NS_PER_S, 0)
        assert west.counted() == {"still": 2 * n}


def test_clutter_is_counted_whenever_it_is_forgotten_and_nobody_else_is() -> None:
    west = West()
    for n in range(1, 4):
        west.sees(n * NS_PER_S, (X_MM + n, 5_000), (X_MM + 20_000, 5_000), (X_MM + 38_000, 5_000))
        for track in west.tracks:
            track.wake_ns = -1
        west.tracks[0].confirmed = True
        west.riders.over(-1)
        assert (west.tracks, west.counted()) == ([], {"clutter": 2 * n})


def test_everybody_crowded_out_is_counted() -> None:
    west = West()
    for n in range(MAX_TRACKS + 3):
        west.hears(NS_PER_S, x_mm=-1_000_000 - 10_000 * n, id=n)
    assert west.counted() == {"taken_over": MAX_TRACKS + 3, "crowded_out": 3}


# --- a neighbour's word


def test_what_is_no_word_of_a_rider_moves_nobody() -> None:
    west = West()
    for body in ({"kind": "alive"}, {"kind": "doubt"}, {"id": -1}, {"id": "one"}, {"x_mm": None}):
        assert west.hears(NS_PER_S, **body) is False
    assert (west.tracks, west.counted()) == ([], {})


@pytest.mark.parametrize("v_mm_s", [0, 1, -1])
def test_who_is_announced_as_standing_would_ride_up(v_mm_s: int) -> None:
    west = West()
    assert west.hears(NS_PER_S, x_mm=70_000, v_mm_s=v_mm_s)
    down = v_mm_s < 0
    (track,) = west.tracks
    assert (track.lane, track.u0_mm, track.speed_mm_s) == (down, -70_000 if down else 70_000, abs(v_mm_s))


def test_a_neighbour_says_for_how_long_it_has_known_somebody_and_how_fast_that_was() -> None:
    for more, known_ns, way_mm in (({}, 0, 0), ({"known_ms": 9_001, "mean_mm_s": 4_003}, 9_001 * NS_PER_MS, 36_031)):
        west = West()
        west.hears(20 * NS_PER_S, x_mm=-70_000, v_mm_s=5_000, age_ms=1_000, **more)
        (track,) = west.tracks
        assert (track.first_ns, track.first_u_mm) == (19 * NS_PER_S - known_ns, -70_000 - way_mm)


def test_who_was_only_seen_or_spoken_of_has_no_name_of_a_neighbours() -> None:
    west = West()
    west.speaks(NS_PER_S, 5_000)
    west.sees(NS_PER_S, (X_MM + 10_000, -5_000))
    assert [track.remote for track in west.tracks] == ["", ""]


# --- time and place


def test_a_nanosecond_later_is_later() -> None:
    west = West()
    west.sees(NS_PER_S, (X_MM + 10_000, 5_000))
    west.sees(NS_PER_S + 1, (X_MM + 10_001, 5_000))
    assert [track.reports for track in west.tracks] == [2]


@pytest.mark.parametrize("age_ns", [1, FRESH_NS])
def test_who_was_seen_just_now_or_just_as_long_ago_as_fresh_is_found_before_one_who_fits_worse(age_ns: int) -> None:
    west, t_ns = West(), 2 * NS_PER_S
    other = west.knows(t_ns - FRESH_NS // 2, X_MM + 9_000 - 5_000 * (FRESH_NS // 2) // NS_PER_S - 500, 5_000, "radar-2")
    best = west.knows(t_ns - age_ns, X_MM + 9_000 - 5_000 * age_ns // NS_PER_S, 5_000, "radar-2")
    assert [track.unlikeness_mm(0, X_MM + 9_000, 5_000, t_ns) < STALE_MM for track in west.tracks] == [True, True]
    west.sees(t_ns, (X_MM + 9_000, 5_000))
    assert (other.reports, best.reports) == (1, 2)


def test_soon_after_its_clock_began_a_report_fits_as_well_as_later() -> None:
    for began_ns in (0, AN_HOUR_NS):
        west = West()
        west.sees(began_ns + FRESH_NS // 5, (X_MM + 9_000, 5_000))
        west.sees(began_ns + FRESH_NS * 2 // 5, (X_MM + 9_000 + FRESH_NS * 5 // NS_PER_MS // 5 - SURE_MM // 2, 5_000))
        assert [track.confirmed for track in west.tracks] == [True]


@pytest.mark.parametrize(("late_ns", "frozen"), [(0, False), (NS_PER_MS, True)])
def test_for_how_long_a_radar_repeats_itself_is_counted_from_when_it_began(late_ns: int, frozen: bool) -> None:
    west = West()
    last_ns = AN_HOUR_NS + FROZEN_MM * NS_PER_S // 5_000 + late_ns
    for t_ns in (AN_HOUR_NS, AN_HOUR_NS + 1, last_ns):
        west.sees(t_ns, (X_MM + 10_000, 5_000))
    assert bool(west.riders.frozen) is frozen


def test_before_the_sites_zero_a_report_fits_as_well_as_beyond_it() -> None:
    west = West()
    west.sees(NS_PER_S, (-SURE_MM, 5_000), radar="radar-1")
    west.sees(NS_PER_S + 100 * NS_PER_MS, (0, 5_000), radar="radar-1")
    assert [track.confirmed for track in west.tracks] == [True], "off by less than it rides in the time"


def test_at_the_sites_zero_who_comes_the_other_way_is_somebody_else() -> None:
    west = West()
    west.sees(NS_PER_S, (-100, 5_000), radar="radar-1")
    west.sees(NS_PER_S + 100 * NS_PER_MS, (0, -5_000), radar="radar-1")
    assert [(track.lane, track.reports) for track in west.tracks] == [(0, 1), (1, 1)]


@pytest.mark.parametrize("after_ns", [FRESH_NS, FRESH_NS + 1])
@pytest.mark.parametrize("off_mm", [SLACK_MM, SLACK_MM + 1])
@pytest.mark.parametrize("differs_mm_s", [-700, 0, 700])
def test_how_well_a_report_fits_is_one_number_by_the_short_way_and_the_long(
    after_ns: int, off_mm: int, differs_mm_s: int
) -> None:
    """The other one, as near as the first, begins at every distance from it at which the choice may fall over."""
    for more_mm in (-1, 0, 1):
        west = West()
        west.sees(NS_PER_S, (X_MM + 10_000, 5_000), (X_MM + 10_000 + 2 * off_mm + more_mm, 5_000))
        at_mm = X_MM + 10_000 + 5_000 * after_ns // NS_PER_S + off_mm
        told = [track.unlikeness_mm(0, at_mm, 5_000 + differs_mm_s, NS_PER_S + after_ns) for track in west.tracks]
        west.sees(NS_PER_S + after_ns, (at_mm, 5_000 + differs_mm_s))
        first = told[0] <= told[1]
        assert [track.reports for track in west.tracks[:2]] == [1 + first, 2 - first]


def test_of_two_that_fit_equally_the_first_is_taken_whichever_way_it_rides() -> None:
    """One stands, where a report of somebody slow the other way is, and one comes as far off as that is fast."""
    west, slow = West(), SLOW_MM_S - 200
    stands, comes = west.knows(NS_PER_S, X_MM + 9_000, 0), west.knows(NS_PER_S, X_MM + 9_000 + 2 * slow, -slow)
    t_ns, at_mm = NS_PER_S + 100 * NS_PER_MS, X_MM + 9_000
    comes.u0_mm = -at_mm - slow - slow * 100 // 1000
    assert [track.unlikeness_mm(1, -at_mm, slow, t_ns) for track in (stands, comes)] == [slow, slow]
    west.sees(t_ns, (at_mm, -slow))
    assert (stands.reports, comes.reports) == (2, 1)


def test_who_fits_well_enough_for_somebody_slow_may_fit_somebody_slower_the_other_way_better() -> None:
    """A report less than `STALE_MM` off, and less than it is fast."""
    west, slow = West(), SLOW_MM_S - 100
    own = west.knows(NS_PER_S, X_MM + 12_000, slow, "radar-2")
    other = west.knows(NS_PER_S, X_MM + 13_000, 0)
    other.lane, other.u0_mm = 1, -X_MM - 13_000
    fits = [track.unlikeness_mm(0, X_MM + 13_000, slow, NS_PER_S + 1) for track in west.tracks]
    assert fits[1] < fits[0] < STALE_MM
    west.sees(NS_PER_S + 1, (X_MM + 13_000, slow))
    assert (own.reports, other.reports) == (1, 2)


def test_a_third_report_makes_somebody_believed_however_badly_it_fits() -> None:
    west = West()
    for n in range(3):
        assert [track.confirmed for track in west.tracks] == [False] * bool(n)
        west.sees(NS_PER_S + n * NS_PER_S // 10, (X_MM + 10_000 + n * (501 + SURE_MM), 5_000))
    assert ([track.confirmed for track in west.tracks], west.counted()) == ([True], {"seen": 1})


# --- what a report moves


def policy() -> LightingPolicy:
    made = LightingPolicy(SITE, SITE.controller("west"), base_level=170, full_level=254)
    made.step((), 0)
    return made


@pytest.mark.parametrize("faster", [(0, 0), (500, 0), (0, 500), (500, 500)])
def test_claims_are_made_anew_where_any_of_a_report_asks_for_it(faster: tuple[int, int]) -> None:
    made, now_ns = policy(), NS_PER_S
    for _ in range(4):
        now_ns += 10 * NS_PER_MS  # they ride 1 cm a report
        places = (X_MM + 1_000 + now_ns // NS_PER_MS, X_MM + 39_000 - now_ns // NS_PER_MS)
        made.step((report(now_ns, (places[0], 1_000), (places[1], -1_000)),), now_ns)
    found = ((places[0] + 10, 1_000 + faster[0]), (places[1] - 10, -1_000 - faster[1]))
    moved = made.riders.seen(report(now_ns + 10 * NS_PER_MS, *found), [])
    assert [track.wake_ns == CLAIM_NOW for track in made.tracks] == [bool(faster[0]), bool(faster[1])]
    assert moved is any(faster)


def test_what_clears_a_radar_lets_go_in_the_same_tick_what_was_lit_for_it() -> None:
    made = policy()
    made.riders.mountings["radar-2"].restore([ENOUGH - 1, 0, 0, 1])
    said = Message(
        NS_PER_S, "neighbour", {"kind": "rider", "id": 1, "x_mm": X_MM + 40_000, "v_mm_s": 5_000, "age_ms": 0}
    )
    made._doubted("radar-2")
    made.step((said,), NS_PER_S)
    blind = made.snapshot()["claimed"]
    now_ns = NS_PER_S + 100 * NS_PER_MS
    made.step((report(now_ns, (X_MM + 40_500, 5_000)),), now_ns)
    assert made.snapshot()["claimed"] == made.tracks[0].mask != blind
    assert (made.tracks[0].reports, made.snapshot()["doubts"]) == (1, {})


# --- evidence


def test_whom_a_radar_has_seen_from_the_first_is_no_evidence_for_it() -> None:
    west = West()
    for n in range(5):
        west.sees(NS_PER_S + n * NS_PER_S // 10, (X_MM + 10_000 + 500 * n, 5_000))
        assert west.tracks[0].radar == "radar-2"
    assert west.evidence() == [0, 0]


def test_who_is_shown_mirrored_is_looked_for_among_those_whom_others_saw() -> None:
    west, slow = West(), SLOW_MM_S - 100
    own = west.knows(NS_PER_S, X_MM - 1_500, slow, "radar-2")
    other = west.knows(NS_PER_S, X_MM - 500, slow, "radar-1")
    west.sees(NS_PER_S + 100 * NS_PER_MS, (X_MM + 500, -slow))
    assert ((own.reports, other.reports), west.evidence()) == ((1, 2), [0, 1])


@pytest.mark.parametrize("late_ns", [-1, 0, 1])
def test_who_is_seen_elsewhere_at_the_same_moment_is_a_witness_and_later_is_not(late_ns: int) -> None:
    west = West()
    west.sees(NS_PER_S, (X_MM + 20_500, -5_000))
    west.knows(NS_PER_S + 100 * NS_PER_MS + late_ns, X_MM - 20_000, 5_000)
    west.sees(NS_PER_S + 100 * NS_PER_MS, (X_MM + 20_000, -5_000))
    assert west.evidence() == [0, int(late_ns <= 0)]


@pytest.mark.parametrize(("unlike_mm", "mirrored"), [(MIRROR_MM - 1, 1), (MIRROR_MM, 0)])
def test_a_mirrored_rider_is_near_to_where_the_other_is_expected(unlike_mm: int, mirrored: int) -> None:
    west = West()
    west.sees(NS_PER_S, (X_MM + 20_500, -5_000))
    west.knows(NS_PER_S + 100 * NS_PER_MS, X_MM - 20_000, 5_000 + unlike_mm)
    west.sees(NS_PER_S + 100 * NS_PER_MS, (X_MM + 20_000, -5_000))
    assert west.evidence() == [0, mirrored]


def test_one_rider_speaks_once_and_enough_riders_bring_the_radar_named_into_doubt() -> None:
    west = West()
    for n in range(ENOUGH):
        assert (west.evidence(), west.doubted) == ([0, n], [])
        other = west.knows((10 + 10 * n) * NS_PER_S, X_MM - 20_000, 5_000)
        for m in range(1, 5):  # two new ones by turns, where the same other would be shown mirrored
            age_ns = m * FRESH_NS // 8
            if m % 2:
                west.tracks[:] = [other]
            west.sees(other.t0_ns + age_ns, (X_MM + 20_000 - 5_000 * age_ns // NS_PER_S, -5_000))
        west.tracks.clear()
    assert west.doubted == ["radar-2"]
    assert west.riders.doubtful_mm("radar-2") is not None


def test_who_was_too_fast_is_known_after_a_restart_and_nobody_where_nobody_was() -> None:
    told, nobody = West(), West()
    told.hears(NS_PER_S, v_mm_s=FASTEST_MM_S + 1)
    states = [json.loads(json.dumps(west.riders.snapshot())) for west in (told, nobody)]
    nobody.riders.restore(states[0])
    assert nobody.riders.fast == told.riders.fast == ("neighbour", FASTEST_MM_S + 1, NS_PER_S)
    told.riders.restore(states[1])
    assert (told.riders.fast, told.tracks, told.counted()) == (None, [], {})
