"""What a display reaches before a simulated adaptive signal: ten minutes of one seed; ten seeds are a benchmark."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.greenwave.site import GreenwaveSite
from drivers.recording.provenance import Provenance
from drivers.units import NS_PER_S
from hil.importers.trace_file import write_feed
from hil.peers.adaptive_controller import SAYS, AdaptiveWords, Says
from hil.peers.signal_adaptive import TRACK, Rules
from hil.score import ScoreRequest, score
from hil.score_feed import Disturbance

START_UTC_NS = 1_778_607_600 * NS_PER_S  # 2026-05-12, 19:40 in Münster
RULES = Rules(seed=1, start_ms=19 * 3_600_000 + 40 * 60_000)
WAY = Disturbance(delay_ms=300, loss_pct=10, outages=((2, 60), (2, 400)), seed=1)


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


@pytest.mark.xfail(
    strict=True,
    reason="five seconds before its end every phase is told to the second by its minimum, for what follows the road's "
    "green is fixed; shown are 17 % (the maximum, where it kept two promises: 22 s too late), the minimum never",
)
def test_min_and_max_are_shown_at_least_as_truly_as_the_minimum_alone(scored: Any) -> None:
    found = scored["min-max", False]
    for horizon_s in (5, 10):
        assert found[f"within_1s_at_{horizon_s}s"] >= found["baseline"][f"within_1s_at_{horizon_s}s"]


@pytest.mark.xfail(
    strict=True,
    reason="five seconds before the end of red its minimum is right every time in this signal, ten seconds before "
    "seldom; it has to keep its promise all through a phase to be told, so one red in five shows a number",
)
def test_a_minimum_alone_leads_to_numbers_learnt(scored: Any) -> None:
    found = scored["min", False]
    assert found["wait_within_1s_at_5s"] > 0.3


def test_late_and_lost_messages_neither_darken_nor_lift_a_minimum_alone(scored: Any) -> None:
    found = scored["min", True]
    assert (found["needless_dark_s"], found["upward_jumps"]) == (0, 0)


def test_states_alone_are_shown_by_their_colour(scored: Any) -> None:
    assert scored["states", False]["needless_dark_s"] == 0


@pytest.mark.xfail(
    strict=True,
    reason="the lengths of this signal are by chance, and what is uncertain is not told: 9 % of ends, 5 s before",
)
def test_states_alone_lead_to_numbers_learnt(scored: Any) -> None:
    found = scored["states", False]
    assert found["within_1s_at_5s"] > 0.3
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


@pytest.mark.xfail(
    strict=True,
    reason="hurry ran down to 0.0 s, was dark for a second, and is back with 0.2 s: the end has moved away. After it "
    "ran out in a phase, a bar of that phase does not come back",
)
def test_the_countdown_down_the_road_never_jumps_up(down_the_road: dict[str, Any]) -> None:
    assert down_the_road["upward_jumps"] == 0


def test_down_the_road_it_is_seldom_dark(down_the_road: dict[str, Any]) -> None:
    assert down_the_road["dark_s"] < 0.05 * down_the_road["shown_s"]
