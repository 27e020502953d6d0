"""What a display reaches before a simulated adaptive signal: ten minutes of one seed; ten seeds are a benchmark."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.greenwave.site import GreenwaveSite
from drivers.recording.provenance import Provenance
from drivers.units import NS_PER_S
from hil.importers.trace_file import write_feed
from hil.peers.adaptive_controller import SAYS, AdaptiveWords, Says
from hil.peers.signal_adaptive import AMBER, GREEN, TRACK, AdaptiveCourse, Rules
from hil.score import ScoreRequest, score
from hil.score_feed import Disturbance

START_UTC_NS = 1_778_607_600 * NS_PER_S  # 2026-05-12, 19:40 in Münster
RULES = Rules(seed=1, start_ms=19 * 3_600_000 + 40 * 60_000)
WAY = Disturbance(delay_ms=300, loss_pct=10, outages=((2, 60), (2, 400)), seed=1)


pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], dict[str, Any]]:
    """The figures of the cycle track by what the feed says, and whether its messages are hindered; worked out once."""
    folder, known = tmp_path_factory.mktemp("adaptive"), dict[tuple[str, bool], dict[str, Any]]()

    class Known(dict[tuple[str, bool], dict[str, Any]]):
        def __missing__(self, key: tuple[Says, bool]) -> dict[str, Any]:
            says, hindered = key
            path = folder / f"{says}.mcap"
            if not path.exists():
                messages = AdaptiveWords(RULES, START_UTC_NS, says).messages(600)
                write_feed(path, messages, "spat-xml", Provenance(base_ns=START_UTC_NS))
            way = WAY if hindered else Disturbance()
            (found,) = score(ScoreRequest(path=path, group=TRACK, disturbance=way))["groups"]
            self[key] = dict(found)
            return self[key]

    return Known(known)


@pytest.mark.parametrize("says", SAYS)
@pytest.mark.parametrize("hindered", [False, True])
def test_no_colour_is_wrong_for_longer_than_the_outages(scored: Any, says: str, hindered: bool) -> None:
    assert scored[says, hindered]["wrong_colour_s"] <= (4.0 if hindered else 0.0)


def test_likely_times_are_shown_as_they_are_meant(scored: Any) -> None:
    found = scored["likely", False]
    assert found["within_1s_at_5s"] >= 0.9
    assert found["within_1s_at_10s"] >= 0.85
    assert found["upward_jumps"] == 0 < found["baseline"]["upward_jumps"]
    assert found["needless_dark_s"] == 0


def test_late_and_lost_messages_cost_likely_times_little(scored: Any) -> None:
    before, after = scored["likely", False], scored["likely", True]
    for horizon_s in (5, 10):
        # one phase of 35 is 3 points here; the goal of 2 points is for ten seeds
        assert after[f"within_1s_at_{horizon_s}s"] >= before[f"within_1s_at_{horizon_s}s"] - 0.06
    assert after["upward_jumps"] == 0
    assert after["wrong_colour_s"] < after["baseline"]["wrong_colour_s"]


@pytest.mark.parametrize("says", ["min-max", "min"])
def test_bounds_alone_lead_to_ends_of_red_that_are_true_five_seconds_before(scored: Any, says: str) -> None:
    found = scored[says, False]
    assert found["wait_within_1s_at_5s"] > 0.6  # of fourteen reds, the first two or three without a record
    assert found["upward_jumps"] == 0 < found["baseline"]["upward_jumps"]


def test_ten_seconds_before_not_even_the_minimum_of_the_controller_may_be_believed() -> None:
    """Why a display that promises what is true in 70 of 100 cases says nothing then, and has not the share of ends that
    one has that shows the minimum and takes it back: where the minimum says ten seconds, it is wrong every other time.
    """
    for go, minima in minima_of(600).items():
        told = [
            abs(least_ms - end_ms) <= 1100 for at_ms, least_ms, end_ms in minima if 9500 <= least_ms - at_ms < 10500
        ]
        assert len(told) > 20
        assert sum(told) < 0.7 * len(told), go


def minima_of(seconds: int) -> dict[bool, list[tuple[int, int, int]]]:
    """(when, the end by the controller's minimum, the end) of the cycle track's go and waiting, five times a second."""
    course, found = AdaptiveCourse(RULES), dict[bool, list[tuple[int, int, int]]]()
    for at_ms in range(0, seconds * 1000, 200):
        number = course.number_at(at_ms)
        stage = course.stage(number)
        go = stage.state(TRACK) in (GREEN, AMBER)
        least_ms, end_ms = course.bounds_ms(stage, at_ms)[0], stage.end_ms
        while ((stage := course.stage(number + 1)).state(TRACK) in (GREEN, AMBER)) == go:
            number, least_ms, end_ms = number + 1, least_ms + course.length_ms(stage)[0], stage.end_ms
        found.setdefault(go, []).append((at_ms, least_ms, end_ms))
    return found


def test_late_and_lost_messages_neither_darken_nor_lift_a_minimum_alone(scored: Any) -> None:
    found = scored["min", True]
    assert (found["needless_dark_s"], found["upward_jumps"]) == (0, 0)


def test_states_alone_are_shown_by_their_colour(scored: Any) -> None:
    assert scored["states", False]["needless_dark_s"] == 0


def test_states_alone_lead_to_a_third_of_what_could_be_known_of_lengths_by_chance_and_no_number_rises(
    scored: Any,
) -> None:
    """The bound: who knows the lengths of all phases of half an hour beforehand, and tells an end where 70 of 100 that
    lasted so long end within a second of it, is right in so many cases five seconds before.
    """
    found = scored["states", False]
    lengths_ms: dict[bool, list[int]] = {True: [], False: []}
    ends: dict[bool, set[int]] = {True: set(), False: set()}
    for go, minima in minima_of(1800).items():
        ends[go] = {end_ms for _, _, end_ms in minima}
    for go in (True, False):
        for end_ms in ends[go]:
            begun_ms = max((other for other in ends[not go] if other < end_ms), default=None)
            if begun_ms is not None:
                lengths_ms[go].append(end_ms - begun_ms)
    right = asked = 0
    for lengths in lengths_ms.values():
        for length_ms in lengths:
            left = [other - length_ms + 5000 for other in lengths if other > length_ms - 5000]
            best_ms = max(left, key=lambda guess: sum(abs(other - guess) <= 1000 for other in left))
            sure = sum(abs(other - best_ms) <= 1000 for other in left) >= 0.7 * len(left)
            right, asked = right + (sure and abs(best_ms - 5000) <= 1000), asked + 1
    assert right < 0.5 * asked
    assert found["within_1s_at_5s"] > right / asked / 3
    assert found["upward_jumps"] == 0


@pytest.fixture(scope="module")
def down_the_road(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The cycle track from 120 m before it, 24 s at riding speed, twenty minutes with likely times."""
    path = tmp_path_factory.mktemp("road") / "likely.mcap"
    messages = AdaptiveWords(RULES, START_UTC_NS, "likely").messages(1200)
    write_feed(path, messages, "spat-xml", Provenance(base_ns=START_UTC_NS))
    site = GreenwaveSite(name="road", station=4070, group=TRACK, distance_m=120)
    (found,) = score(ScoreRequest(path=path, site=site))["groups"]
    return dict(found)


def test_the_countdown_down_the_road_never_jumps_up(down_the_road: dict[str, Any]) -> None:
    assert down_the_road["upward_jumps"] == 0


def test_down_the_road_it_is_seldom_dark(down_the_road: dict[str, Any]) -> None:
    assert down_the_road["dark_s"] < 0.05 * down_the_road["shown_s"]
