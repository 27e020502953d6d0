"""What a display has to reach on real feeds. Four minutes of the recording each; the whole is a benchmark (score)."""

from __future__ import annotations

import gzip
import json
import os
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from hil.importers.trace_file import import_phases, import_spat
from hil.score import ScoreRequest, score
from hil.score_feed import Disturbance

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
MCITY = RECORDINGS / "spat-mcity" / "series-20min.hex"
HAMBURG = RECORDINGS / "phases-hamburg" / "horizontal_1440_8_4_14.json.gz"
FIXED = RECORDINGS / "phases-hamburg" / "1085_10_0_22.json.gz"
pytestmark = [
    pytest.mark.recordings,
    pytest.mark.skipif(not (MCITY.exists() and HAMBURG.exists()), reason="no real recordings (LEEZE_RECORDINGS)"),
]
TWO_CYCLES_S = 75.0
WAY = Disturbance(delay_ms=300, loss_pct=10, outages=((2, 60), (2, 200)), seed=1)


@pytest.fixture(scope="module")
def mcity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 240 s: red 28 s (a minimum end that jumps, a maximum end but for its first second), green 5 s, amber
    3 s; each message names the running phase alone, and no likelyTime.
    """
    folder = tmp_path_factory.mktemp("mcity")
    with MCITY.open() as file:
        (folder / "four.hex").write_text("".join(islice(file, 2400)))
    import_spat(folder / "four.hex", folder / "four.mcap", "spat-hex")
    return folder / "four.mcap"


@pytest.fixture(scope="module")
def found(mcity: Path) -> dict[str, Any]:
    """Group 4, as recorded, after two cycles."""
    return only(score(ScoreRequest(path=mcity, group=4, after_s=TWO_CYCLES_S)))


@pytest.fixture(scope="module")
def hindered(mcity: Path) -> dict[str, Any]:
    """The same with messages late, lost and away."""
    return only(score(ScoreRequest(path=mcity, group=4, after_s=TWO_CYCLES_S, disturbance=WAY)))


def first_hour(folder: Path, source: Path) -> Path:
    """Its states, one a second."""
    whole = json.loads(gzip.decompress(source.read_bytes()))
    (folder / "hour.json").write_text(json.dumps(whole | {"Cycles": whole["Cycles"][:1]}))
    import_phases(folder / "hour.json", folder / "hour.mcap")
    return folder / "hour.mcap"


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of an adaptive signal in Hamburg."""
    return first_hour(tmp_path_factory.mktemp("adaptive"), HAMBURG)


@pytest.fixture(scope="module")
def fixed_hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of one that keeps to its times."""
    return first_hour(tmp_path_factory.mktemp("fixed"), FIXED)


def only(scored: dict[str, Any]) -> dict[str, Any]:
    (group,) = scored["groups"]
    return dict(group)


def test_every_red_of_a_fixed_cycle_is_told_to_the_second_ten_seconds_before(found: dict[str, Any]) -> None:
    assert found["phases_at_10s"] >= 4
    assert found["within_1s_at_10s"] == 1.0


def test_no_colour_of_a_fixed_cycle_is_ever_wrong(found: dict[str, Any]) -> None:
    assert found["wrong_colour_s"] == 0


def test_the_countdown_of_a_fixed_cycle_never_jumps_up(found: dict[str, Any]) -> None:
    assert found["upward_jumps"] == 0


def test_every_green_of_a_fixed_cycle_is_told_to_the_second_five_seconds_before(found: dict[str, Any]) -> None:
    assert found["go_within_1s_at_5s"] == 1.0


def test_a_display_at_a_fixed_cycle_is_never_dark_between_two_messages(found: dict[str, Any]) -> None:
    assert found["needless_dark_s"] == 0


def test_late_and_lost_messages_leave_a_fixed_cycle_lit(hindered: dict[str, Any]) -> None:
    assert hindered["needless_dark_s"] == 0


def test_late_and_lost_messages_cost_a_fixed_cycle_nothing_at_ten_seconds(
    found: dict[str, Any], hindered: dict[str, Any]
) -> None:
    assert hindered["within_1s_at_10s"] >= found["within_1s_at_10s"] - 0.02
    assert hindered["wrong_colour_s"] <= 1.0


def test_a_display_without_memory_is_nine_seconds_early_on_every_red(found: dict[str, Any]) -> None:
    plain = found["baseline"]
    assert plain["within_1s_at_10s"] == 0.0
    assert plain["error_s_at_10s"]["wait"]["p50"] == pytest.approx(-9.1, abs=0.2)
    assert plain["upward_jumps"] > 10


def test_real_states_alone_never_show_a_wrong_colour_nor_a_number_that_rises(hour: Path) -> None:
    found = only(score(ScoreRequest(path=hour)))
    assert found["phases"] > 100
    assert (found["wrong_colour_s"], found["upward_jumps"]) == (0, 0)
    assert found["baseline"]["told_at_5s"] == 0  # there is no time that a display without memory could show


def test_an_hour_of_real_states_of_fixed_time_leads_to_numbers_that_are_true(fixed_hour: Path) -> None:
    found = only(score(ScoreRequest(path=fixed_hour, after_s=300)))
    assert found["phases_at_10s"] > 100
    assert found["within_1s_at_10s"] > 0.95
    assert (found["needless_dark_s"], found["wrong_colour_s"], found["upward_jumps"]) == (0, 0, 0)


def test_what_real_traffic_drives_stays_lit_by_its_colour(hour: Path) -> None:
    found = only(score(ScoreRequest(path=hour, after_s=300)))
    assert found["needless_dark_s"] == 0
    assert found["without_end_s"] > 0.5 * found["shown_s"]  # an end that nobody knows is not told
