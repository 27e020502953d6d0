"""`leeze-hil score` and `leeze-hil import phases` as commands: what they print, what they refuse."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from controllers.greenwave.site import GreenwaveSite
from controllers.service.sites import load_site
from drivers.codecs.sensorthings import decode_observation
from drivers.recording.events import WireBytes
from drivers.recording.provenance import Provenance
from drivers.recording.reader import TraceReader
from drivers.units import NS_PER_S
from hil.benches.virtual_loop import VirtualLoop
from hil.benches.virtual_peers import display_peers
from hil.case import load_case, shipped
from hil.importers.trace_file import write_feed
from hil.peers.adaptive_controller import AdaptiveWords
from hil.peers.signal_adaptive import Rules

START_UTC_NS = 1_778_607_600_000_000_000
KEYS = {
    "group",
    "phases",
    "shown_s",
    "dark_s",
    "needless_dark_s",
    "wrong_colour_s",
    "upward_jumps",
    "within_1s_at_5s",
    "within_1s_at_10s",
    "within_1s_at_20s",
    "within_1s_at_30s",
}
CYCLE = "[4 3 3 3 3 3 3 3 3 3 3 3 2 2 2 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1]"


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of an adaptive signal."""
    path = tmp_path_factory.mktemp("score") / "feed.mcap"
    words = AdaptiveWords(Rules(seed=2), START_UTC_NS, "likely")
    write_feed(path, words.messages(120), "spat-xml", Provenance(base_ns=START_UTC_NS))
    return path


def phases_file(path: Path, **changes: Any) -> Path:
    """Ten cycles of 30 s, a pause, five more."""
    starts = [*range(0, 300, 30), *range(3600, 3750, 30)]
    cycles = [{"Start": 1_695_585_600 + s, "End": 1_695_585_630 + s, "Results": CYCLE} | changes for s in starts]
    text = json.dumps({"Name": "1085_10", "Day": 0, "Cycles": [cycles[:10], cycles[10:]]})
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_the_score_of_a_feed_is_one_object_with_the_figures_of_every_group(leeze_hil: Any, feed: Path) -> None:
    ran = leeze_hil("score", feed, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert [group["group"] for group in ran.result["groups"]] == [4, 7]
    for group in ran.result["groups"]:
        assert group.keys() >= KEYS
        assert group["baseline"].keys() >= KEYS - {"group"}
        assert 119 < group["shown_s"] + group["dark_s"] < 121
        for horizon_s in (5, 10, 20, 30):
            share = group[f"within_1s_at_{horizon_s}s"]
            assert share is None or 0 <= share <= 1


def test_the_score_of_a_feed_is_a_table_that_fits_a_small_terminal(
    leeze_hil: Any, feed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = leeze_hil("score", feed).out.splitlines()
    assert len(lines) < 24
    (row,) = (line for line in lines if line.startswith("7 "))
    assert row.split()[1] == "leeze"
    assert len(row.split()) == 12
    assert any(line.startswith("all ") for line in lines)
    assert lines[-1].endswith(" s")


def test_one_group_a_site_and_the_second_to_count_from_can_be_chosen(leeze_hil: Any, feed: Path) -> None:
    (late,) = leeze_hil("score", feed, "--group", 7, "--after", 60, "--json").result["groups"]
    assert late["group"] == 7
    assert 59 < late["shown_s"] + late["dark_s"] < 61
    found = leeze_hil("score", feed, "--site", "leezenflow-hoerstertor", "--json").result
    assert (found["distance_m"], [group["group"] for group in found["groups"]]) == (120, [7])


def test_the_same_seed_gives_the_same_score(leeze_hil: Any, feed: Path) -> None:
    words = ("score", feed, "--group", 7, "--delay-ms", 300, "--loss-pct", 10, "--outage", "2@60", "--json", "--seed")
    one, again, other = (leeze_hil(*words, seed).result["groups"] for seed in (1, 1, 2))
    assert one == again != other


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--group", "9"), "no group 9 that works; there are: 4 of station 4070, 7 of station 4070"),
        (("--site", "leezenflow-hoerstertor", "--group", "4"), "is before group 7; leave --group 4 out"),
        (("--site", "kanalpromenade-reference"), "is lighting; a score is for displays"),
        (("--group", "x"), "is no signal group"),
        (("--outage", "2"), "is no outage like 2@60"),
        (("--loss-pct", "101"), "must lie between 0 and 100"),
        (("--delay-ms", "-1"), "is no delay"),
    ],
)
def test_what_cannot_be_scored_is_said_in_words(leeze_hil: Any, feed: Path, words: tuple[str, ...], told: str) -> None:
    ran = leeze_hil("score", feed, *words)
    assert ran.code == 2
    assert told in ran.err


def test_a_trace_without_a_feed_is_refused_by_its_wires(leeze_hil: Any, evening: Any, tmp_path: Path) -> None:
    ran = leeze_hil("score", evening[0])
    assert ran.code == 2
    assert "no wire with a signal feed; its wires: " in ran.err
    assert leeze_hil("score", tmp_path / "none.mcap").code == 2


def test_a_feed_of_signals_that_are_all_off_is_refused(leeze_hil: Any, tmp_path: Path) -> None:
    words = AdaptiveWords(Rules(seed=2, start_ms=2 * 3_600_000), START_UTC_NS, "likely")
    write_feed(tmp_path / "night.mcap", words.messages(10), "spat-xml", Provenance())
    ran = leeze_hil("score", tmp_path / "night.mcap")
    assert ran.code == 2
    assert "100 messages on leezenflow/feed, none with a signal group that shows red, green or amber" in ran.err


def test_a_recorded_run_of_a_case_can_be_scored(leeze_hil: Any, crossing: Any) -> None:
    groups = {group["group"]: group for group in leeze_hil("score", crossing[0], "--json").result["groups"]}
    assert set(groups) == {4, 7}
    assert groups[4]["within_1s_at_10s"] == 1.0
    assert (groups[4]["wrong_colour_s"], groups[4]["upward_jumps"]) == (0, 0)


def test_a_recording_that_was_cut_is_scored_up_to_the_cut(leeze_hil: Any, tmp_path: Path, feed: Path) -> None:
    data = feed.read_bytes()
    (tmp_path / "cut.mcap").write_bytes(data[: len(data) * 3 // 4])
    ran = leeze_hil("score", tmp_path / "cut.mcap", "--group", 7)
    whole = leeze_hil("score", feed, "--group", 7, "--json").result
    assert ran.code == 0
    assert "note: the recording is not whole" in ran.out
    assert 100 < leeze_hil("score", tmp_path / "cut.mcap", "--json").result["messages"] < whole["messages"] == 1200
    assert whole["note"] == ""


def test_a_flight_recorders_files_can_be_scored_each_alone(leeze_hil: Any, tmp_path: Path) -> None:
    site, case = load_site("leezenflow-hoerstertor"), load_case(shipped()["leezenflow-crossing"])
    assert isinstance(site, GreenwaveSite)
    assert case.signal is not None
    loop = VirtualLoop(site, "leezenflow-laptop", tmp_path, utc_ns=case.start_utc_ns, file_minutes=1)
    display_peers(loop, site.feed, case.signal, case.start_utc_ns)
    loop.run(150 * NS_PER_S)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3
    for file in files[:2]:
        (group,) = leeze_hil("score", file, "--group", 4, "--json").result["groups"]
        assert group["within_1s_at_10s"] == 1.0
        assert 55 < group["shown_s"] <= 65
        assert (group["wrong_colour_s"], group["upward_jumps"]) == (0, 0)


def test_states_one_a_second_become_observations_that_can_be_scored(leeze_hil: Any, tmp_path: Path) -> None:
    source, out = phases_file(tmp_path / "p.json.gz"), tmp_path / "p.mcap"
    ran = leeze_hil("import", "phases", source, "-o", out)
    assert (ran.code, ran.out) == (0, f"{out}: 1085_10, 15 cycles, 450 seconds, 1 pauses\n")
    events = [event for event in TraceReader(out).events(["/wire/*"]) if isinstance(event, WireBytes)]
    seen = [decode_observation(event.data) for event in events]
    assert [one.result for one in seen[:5]] == [4, 3, 3, 3, 3]
    assert [one.utc_ms - seen[0].utc_ms for one in seen] == [event.t_ns // 1_000_000 for event in events]
    (group,) = leeze_hil("score", out, "--json").result["groups"]
    assert (group["phases"], group["wrong_colour_s"]) == (30, 0)  # each green, and the waiting before it
    assert 440 < group["shown_s"] + group["dark_s"] < 460  # the pause of an hour counts to neither


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"Results": CYCLE.replace("4", "7")}, "$.Cycles[0][0]: no state `7`"),
        ({"Results": "[1 1]"}, "2 states for 30 seconds"),
        ({"Start": 1_695_585_600, "End": 1_695_585_630}, "$.Cycles[0][1]: begins at 1695585600, before the end"),
        ({"End": 5}, "is no cycle"),
        ({"Results": 3}, "is no file of phases: Expected `str`"),
    ],
)
def test_broken_phases_are_refused_with_their_place(
    leeze_hil: Any, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    source, out = phases_file(tmp_path / "p.json.gz", **changes), tmp_path / "p.mcap"
    ran = leeze_hil("import", "phases", source, "-o", out)
    assert ran.code == 2
    assert told in ran.err
    assert list(tmp_path.iterdir()) == [source]


def test_a_file_of_phases_that_was_cut_or_is_none_is_refused(leeze_hil: Any, tmp_path: Path) -> None:
    whole = phases_file(tmp_path / "p.json.gz").read_bytes()
    for data in (whole[:-20], b"", b"{}", b"\x1f\x8b", b'{"Name": "x", "Cycles": []}'):
        (tmp_path / "q").write_bytes(data)
        ran = leeze_hil("import", "phases", tmp_path / "q", "-o", tmp_path / "q.mcap")
        assert (ran.code, ran.err.count("error: ")) == (2, 1)
