"""Most reports say nothing new and are taken over in one step: with the same outcome as by the long way."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest

from controllers.lighting import riders as module
from controllers.lighting.policy import LightingPolicy
from controllers.lighting.riders import ANNOUNCE_NS, Riders
from controllers.lighting.site import LightingSite
from controllers.lighting.stretch import Stretch
from controllers.lighting.track import CLAIM_NOW, FRESH_NS, NEWS_MM, QUIET_NS, SLOW_MM_S, STALE_MM, Track
from controllers.service.sites import site_path
from drivers.quantities import Detection, RadarReport
from drivers.settings import load_toml
from drivers.units import NS_PER_MS, NS_PER_S

SITE = load_toml(site_path("kanalpromenade-reference"), LightingSite)
X_MM, SPEED_MM_S = 64_000, 5_003  # where radar-2 stands and looks up, 40 m far
EDGE_MM = X_MM + 30_000  # the last quarter of its view is no sure sight
STEP_NS = 100 * NS_PER_MS


def report(t_ns: int, u_mm: int, speed_mm_s: int = SPEED_MM_S) -> RadarReport:
    return RadarReport(t_ns, "radar-2", (Detection(u_mm - X_MM, -speed_mm_s, 0, 90),))


RIDERS = Riders(Stretch(SITE, SITE.controller("west")), [].append)


@functools.cache
def known(u_mm: int = X_MM + 12_000) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Riders with one who was believed, announced and claimed; its track; and the time of its last report."""
    policy, t_ns = LightingPolicy(SITE, SITE.controller("west"), base_level=170, full_level=254), NS_PER_S
    for n in range(6):
        t_ns = NS_PER_S + n * STEP_NS
        at_mm = u_mm + SPEED_MM_S * (t_ns - NS_PER_S) // NS_PER_S
        policy.step((report(t_ns, at_mm),), t_ns)
    state = policy.riders.snapshot()
    (track,) = state["tracks"]
    assert track["confirmed"]
    assert track["quiet_from_mm"] <= track["u0_mm"] <= track["quiet_to_mm"]
    return state, track, t_ns


def told(state: dict[str, Any], said: RadarReport) -> tuple[dict[str, Any], list[int], bool]:
    """What is known after one more report, who is news, and whether claims have to be made anew."""
    RIDERS.restore(state)
    news: list[Track] = []
    moved = RIDERS.seen(said, news)
    return RIDERS.snapshot(), [track.id for track in news], moved


def test_a_report_that_says_nothing_new_moves_the_track_and_nothing_else() -> None:
    state, track, t_ns = known()
    u_mm = track["u0_mm"] + SPEED_MM_S * STEP_NS // NS_PER_S
    after, news, moved = told(state, report(t_ns + STEP_NS, u_mm))
    expected = track | {"u0_mm": u_mm, "hold_u_mm": u_mm, "t0_ns": t_ns + STEP_NS, "reports": track["reports"] + 1}
    assert after["tracks"] == [expected | {"wake_ns": t_ns + STEP_NS + QUIET_NS}]
    assert (news, moved, after["counts"]) == ([], False, state["counts"])


AGES_NS = (1, STEP_NS, FRESH_NS, FRESH_NS + 1)


def edges(track: dict[str, Any], age_ns: int) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """(off the place expected, off the last speed, what of the track is otherwise): both sides of each edge."""
    for off_mm in (-STALE_MM, 1 - STALE_MM, -1, 0, 1, STALE_MM - 1, STALE_MM):
        yield off_mm, 0, {}
    for differs_mm_s in (-1, 1):
        yield 0, differs_mm_s, {}
    for other in ({"radar": "radar-1"}, {"radar": ""}, {"wake_ns": CLAIM_NOW}):
        yield 0, 0, other
    at_mm = track["u0_mm"] + SPEED_MM_S * age_ns // NS_PER_S
    for by_mm in (-1, 0, 1):
        yield 0, 0, {"quiet_from_mm": at_mm + by_mm, "quiet_to_mm": at_mm + 9_000}
        yield 0, 0, {"quiet_from_mm": at_mm - 9_000, "quiet_to_mm": at_mm + by_mm}
    for since_ns in (ANNOUNCE_NS - 1, ANNOUNCE_NS, NS_PER_S + 1):
        foretold_mm = at_mm - SPEED_MM_S * since_ns // NS_PER_S
        for away_mm in (-NEWS_MM - 1, -NEWS_MM, 0, NEWS_MM, NEWS_MM + 1):
            told_ns = track["t0_ns"] + age_ns - since_ns
            yield 0, 0, {"published_ns": told_ns, "published_u_mm": foretold_mm - away_mm}


@pytest.mark.parametrize("age_ns", AGES_NS)
@pytest.mark.parametrize("u_mm", [X_MM + 12_000, EDGE_MM - 6_000, EDGE_MM - 3 * STALE_MM // 2])
def test_the_short_way_and_the_long_way_say_the_same(monkeypatch: pytest.MonkeyPatch, age_ns: int, u_mm: int) -> None:
    state, track, t_ns = known(u_mm)
    for off_mm, differs_mm_s, other in edges(track, age_ns):
        at_mm = track["u0_mm"] + SPEED_MM_S * age_ns // NS_PER_S + off_mm
        said = report(t_ns + age_ns, at_mm, SPEED_MM_S + differs_mm_s)
        before = state | {"tracks": [track | other]}
        short = told(before, said)
        with monkeypatch.context() as patch:
            patch.setattr(module, "_rides_on", lambda *_: False)
            assert short == told(before, said), (off_mm, differs_mm_s, other)


@pytest.mark.parametrize("to_go_mm", [SPEED_MM_S // 2, SPEED_MM_S // 2 + 1])
def test_who_is_about_to_leave_a_short_view_is_no_longer_held_where_it_is(to_go_mm: int) -> None:
    state, track, t_ns = known()
    riders = Riders(Stretch(SITE, SITE.controller("west")), [].append)
    riders.restore(state)
    view = riders.stretch.views["radar-2"]
    view.margin_mm, view.leave_u_mm = 0, (track["u0_mm"] + to_go_mm, -X_MM)
    riders.seen(report(t_ns + 1, track["u0_mm"]), [])
    held_mm = track["u0_mm"] if 2 * to_go_mm > SPEED_MM_S else view.next_u_mm[0]
    assert riders.tracks[0].hold_u_mm == held_mm


def test_who_passes_somebody_slow_is_taken_for_nobody_else_though_a_report_fits_well_enough() -> None:
    """A report less than `STALE_MM` off somebody slow may still be somebody slower the other way."""
    state, track, t_ns = known()
    slow = SLOW_MM_S - 100
    own = track | {"speed_mm_s": slow, "u0_mm": X_MM + 12_000}
    other = track | {"id": 9, "lane": 1, "speed_mm_s": 0, "u0_mm": -X_MM - 13_000, "radar": "radar-1"}
    at_mm = X_MM + 13_000
    riders = Riders(Stretch(SITE, SITE.controller("west")), [].append)
    riders.restore(state | {"tracks": [own, other]})
    fits = [one.unlikeness_mm(0, at_mm, slow, t_ns + 1) for one in riders.tracks]
    assert fits[1] < fits[0] < STALE_MM
    riders.seen(report(t_ns + 1, at_mm, slow), [])
    assert [one.reports - track["reports"] for one in riders.tracks] == [0, 1]
