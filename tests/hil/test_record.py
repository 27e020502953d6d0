"""What a recorded run holds: every byte, values, ticks, decisions, wall time and where it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drivers.recording.events import Decision, Repeated, Tick, Value, Wall, WireBytes
from drivers.recording.reader import TraceReader
from hil.outcome import Outcome, Request
from hil.record import recording

Recorded = tuple[Path, Outcome]


def test_a_trace_says_what_made_it(evening: Recorded, crossing: Recorded) -> None:
    for (path, outcome), boards, period_ns in ((evening, {"west", "east"}, 20), (crossing, {"leezenflow"}, 100)):
        about = TraceReader(path).provenance
        assert about.version
        assert about.python.count(".") == 2
        assert about.boards.keys() == boards
        assert len(about.sites) == 1
        assert about.period_ns == period_ns * 1_000_000
        assert len(about.configuration_digest) == 64
        assert outcome.result.provenance["configuration"] == about.configuration_digest[:16]
    assert TraceReader(evening[0]).provenance.created_utc == "2026-02-20T18:00:00+00:00"


def test_another_range_is_another_configuration_and_the_same_one_is_not(
    leeze_hil: Any, ride: Path, tmp_path: Path
) -> None:
    digests = []
    for n, words in enumerate(([], ["--seed", 4], ["--range-m", 14], ["--board", "kanalpromenade-lamp-laptop"])):
        path = tmp_path / f"{n}.mcap"
        leeze_hil("replay", ride, "--seconds", 5, "--record", path, *words)
        digests.append(TraceReader(path).provenance.configuration_digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_every_decision_every_value_and_every_tick_with_news_is_there(evening: Recorded) -> None:
    kinds: dict[type, int] = {}
    boards: set[str] = set()
    ticks: dict[str, int] = {}
    for event in TraceReader(evening[0]).events():
        kinds[type(event)] = kinds.get(type(event), 0) + 1
        if isinstance(event, Tick):
            boards.add(event.board)
            assert event.t_ns == event.tick * 20_000_000
            assert ticks.get(event.board, -1) < event.tick
            ticks[event.board] = event.tick
    assert kinds.keys() == {WireBytes, Repeated, Value, Tick, Decision, Wall}
    assert boards == {"west", "east"}
    assert kinds[Tick] <= evening[1].result.ticks


def test_decisions_stand_at_their_ticks_and_their_bytes_follow(evening: Recorded) -> None:
    full = [
        event
        for event in TraceReader(evening[0]).events(["/decision/west/*", "/decision/west", "/wire/west/dali/tx"])
        if isinstance(event, WireBytes) or event.board == "west"  # type: ignore[union-attr]
    ]
    decided = [event for event in full if isinstance(event, Decision) and event.body.get("level") == 254]
    sent = [event.t_ns for event in full if isinstance(event, WireBytes) and event.data.endswith(b"FE\n")]
    assert decided
    for event in decided:
        assert any(0 <= t_ns - event.t_ns < 2_000_000_000 for t_ns in sent)


def test_decoded_values_are_json_topics_with_a_schema(evening: Recorded) -> None:
    reader = TraceReader(evening[0])
    values = [event for event in reader.events(["/value/*"]) if isinstance(event, Value)]
    assert {"west", "east"} == {event.board for event in values}
    report = next(event for event in values if event.kind == "RadarReport")
    assert json.loads(json.dumps(report.body))["detections"][0].keys() >= {"distance_mm", "speed_mm_s"}
    assert any(topic.startswith("/value/west/radar-1") for topic in reader.topics)


def test_wall_time_is_recorded_as_it_was_told(crossing: Recorded) -> None:
    (wall,) = (event for event in TraceReader(crossing[0]).events(["/wall"]) if isinstance(event, Wall))
    assert wall.utc_ns - wall.t_ns == 1_778_565_510 * 10**9  # 2026-05-12 07:58:30 in Münster
    assert wall.synchronised


def test_a_restarted_controller_is_recorded_on(leeze_hil: Any, ride: Path, tmp_path: Path) -> None:
    case, path = ride / "case.toml", tmp_path / "t.mcap"
    fault = '[[faults]]\nkind = "controller-off"\nwhat = "west"\nfrom_s = 20\nto_s = 40\n'
    case.write_text(case.read_text().replace("[[riders]]", f"{fault}\n[[riders]]"))
    leeze_hil("replay", ride, "--record", path)
    times = [event.t_ns for event in TraceReader(path).events(["/tick/west"])]
    assert not [t_ns for t_ns in times if 20 * 10**9 < t_ns < 40 * 10**9]
    assert min(times) < 20 * 10**9
    assert max(times) > 60 * 10**9


def test_a_run_that_breaks_off_leaves_a_trace_that_can_be_read(
    leeze_hil: Any, ride: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: object, now_ns: int, *_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "t.mcap"
    monkeypatch.setattr("hil.benches.lit_path.Traffic.run", interrupted)
    assert leeze_hil("replay", ride, "--record", path).code == 130
    reader = TraceReader(path)
    assert reader.complete
    assert any(isinstance(event, WireBytes) for event in reader.events())


def test_without_a_file_nothing_is_listened_to() -> None:
    recorder = recording(Request(subject="nothing"))
    assert recorder.sinks(["west/dali"], 20_000_000) == []
    with recorder:
        assert recorder.provenance_lines["python"] == ""
