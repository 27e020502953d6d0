"""Traces: recorded, looked into, run again from themselves; cut, damaged, and of somebody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.codecs.ld2451 import IDLE_FRAME
from drivers.errors import InputError
from drivers.links.tap import Sink
from drivers.recording.events import Wire, WireBytes
from drivers.recording.provenance import Provenance
from drivers.recording.reader import TraceReader
from drivers.recording.writer import TraceWriter
from hil.outcome import Outcome, Request
from hil.replay import replay

Recorded = tuple[Path, Outcome]


def again(path: Path) -> Outcome:
    return replay(Request(subject=str(path)), lambda done, total: None)


def test_a_trace_of_a_lit_path_runs_again_to_the_same_bytes_and_digest(leeze_hil: Any, evening: Recorded) -> None:
    path, outcome = evening
    for words in ([], ["--no-skip"]):
        ran = leeze_hil("replay", path, "--json", *words)
        assert (ran.code, ran.result["verdict"]) == (0, "passed")
        assert ran.result["digest"] == outcome.result.digest
    assert leeze_hil("trace", "digest", path).out.strip() == outcome.result.digest


def test_a_trace_of_a_display_runs_again_to_the_same_bytes_and_digest(leeze_hil: Any, crossing: Recorded) -> None:
    path, outcome = crossing
    for words in ([], ["--no-skip"], ["--site", "leezenflow-hoerstertor"]):
        ran = leeze_hil("replay", path, "--json", *words)
        assert (ran.code, ran.result["verdict"]) == (0, "passed")
        assert ran.result["digest"] == outcome.result.digest
        assert ran.result["groups"] == [dict(group) for group in outcome.result.groups]
    assert leeze_hil("trace", "digest", path).out.strip() == outcome.result.digest


def test_a_trace_made_with_another_range_runs_again_with_that_range(leeze_hil: Any, ride: Path, tmp_path: Path) -> None:
    path = tmp_path / "near.mcap"
    made = leeze_hil("replay", ride, "--range-m", 14, "--record", path, "--json").result
    found = leeze_hil("replay", path, "--range-m", 14, "--json").result
    assert (found["verdict"], found["digest"]) == ("passed", made["digest"])


def test_a_recorded_run_of_a_replayed_trace_is_the_same_trace(
    leeze_hil: Any, evening: Recorded, crossing: Recorded, tmp_path: Path
) -> None:
    for name, (path, _) in (("e", evening), ("c", crossing)):
        copy = tmp_path / f"{name}.mcap"
        assert leeze_hil("replay", path, "--record", copy).code == 0
        ran = leeze_hil("trace", "digest", path, copy)
        assert (ran.code, ran.out) == (0, "the same bytes\n")


def test_a_changed_policy_is_found_against_a_trace(
    leeze_hil: Any, evening: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controllers.lighting.site.level_for_ppm", lambda ppm: 240 if ppm == 1_000_000 else 170)
    ran = leeze_hil("replay", evening[0], "--json")
    assert (ran.code, ran.result["verdict"]) == (1, "failed")
    first = ran.result["divergence"]
    assert first["expected_text"].endswith("to level 254")
    assert first["got_text"].endswith("to level 240")
    assert f"at tick {first['tick']}, " in ran.err
    assert f"again: leeze-hil replay {evening[0]}" in ran.err


def test_two_traces_that_part_say_where(leeze_hil: Any, evening: Recorded, tmp_path: Path) -> None:
    other = tmp_path / "other.mcap"
    leeze_hil("replay", "kanalpromenade-evening", "--seed", 5, "--record", other)
    ran = leeze_hil("trace", "digest", evening[0], other)
    assert ran.code == 1
    assert ran.out.startswith("tick ")
    assert "expected " in ran.out


def test_info_and_cat_tell_what_is_in_a_trace(leeze_hil: Any, evening: Recorded) -> None:
    path, outcome = evening
    found = json.loads(leeze_hil("trace", "info", path, "--json").out)
    assert found["complete"]
    assert found["bad_chunks"] == found["bad_messages"] == found["skipped_bytes"] == 0
    assert found["provenance"]["boards"].keys() == {"east", "west"}
    assert found["provenance"]["sites"].keys() == {"kanalpromenade-reference"}
    assert [wire["wire"] for wire in found["wires"]] == [
        *("dali", "lines", "neighbour", "radar-1", "radar-2", "radar-3")
    ] * 2
    assert found["messages"]["Tick"] <= outcome.result.ticks
    assert "kanalpromenade-reference" in leeze_hil("trace", "info", path).out
    lines = leeze_hil("trace", "cat", path, "/wire/west/dali/tx", "--json").out.splitlines()
    (dali,) = (wire for wire in found["wires"] if (wire["board"], wire["wire"]) == ("west", "dali"))
    assert len(lines) == dali["tx_messages"]
    assert sum(len(json.loads(line)["data"]) // 2 for line in lines) == dali["tx_bytes"]
    assert "west/dali -> " in leeze_hil("trace", "cat", path, "/wire/west/dali/tx").out


@pytest.mark.parametrize("share", [0.001, 0.02, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.97, 0.999])
def test_a_trace_cut_anywhere_is_judged_up_to_the_cut_or_says_what_is_missing(
    leeze_hil: Any, evening: Recorded, crossing: Recorded, tmp_path: Path, share: float
) -> None:
    for path, _ in (evening, crossing):
        data = path.read_bytes()
        cut = tmp_path / "cut.mcap"
        cut.write_bytes(data[: int(len(data) * share)])
        ran = leeze_hil("replay", cut)
        if ran.code == 0:
            assert "the trace is not complete: ends at byte" in " ".join(ran.out.split())
        else:
            assert ran.code == 2
            assert "holds nothing to replay: ends at byte" in ran.err
        assert ran.code == 0 or share < 0.02


def test_files_that_are_hardly_traces_are_refused_in_one_line(
    leeze_hil: Any, evening: Recorded, tmp_path: Path
) -> None:
    data = evening[0].read_bytes()
    for head in (b"", data[:3], data[:5], data[:8], data[:40], b"\x89MCAP0\r\n" + b"\xff" * 5000):
        short = tmp_path / "short.mcap"
        short.write_bytes(head)
        for words in (["replay"], ["trace", "digest"]):
            ran = leeze_hil(*words, short)
            assert ran.code in (0, 2) if words[0] == "trace" else ran.code == 2
            assert len(ran.err.splitlines()) == (ran.code == 2)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=4), st.booleans())
def test_a_damaged_trace_never_blames_the_controllers(
    evening: Recorded, crossing: Recorded, tmp_path: Path, flips: list[tuple[float, int]], lit: bool
) -> None:
    path = (evening if lit else crossing)[0]
    data = bytearray(path.read_bytes())
    for share, bit in flips:
        data[int(share * len(data))] ^= 1 << bit
    damaged = tmp_path / "damaged.mcap"
    damaged.write_bytes(data)
    try:
        result = again(damaged).result
    except InputError:
        return  # nothing of it is left; the message is looked at elsewhere
    assert result.verdict == "passed" or any("is damaged" in note for note in result.notes), result.reason


def write(path: Path, wires: list[Wire], passed: list[tuple[int, int, bool, bytes]], **about: Any) -> Path:
    with TraceWriter(path, Provenance(period_ns=20_000_000, **about)) as writer:
        sink: Sink = writer.sink(wires)
        for t_ns, wire, outward, data in passed:
            sink.passed(wire, outward, data, t_ns)
    return path


def test_a_trace_of_wires_nobody_knows_names_them(leeze_hil: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "t.mcap", [Wire("moon", "base", "modbus")], [(0, 0, False, b"\x01")])
    ran = leeze_hil("replay", path)
    assert ran.code == 2
    assert "its wires: moon/base (modbus); name their site with --site" in ran.err
    ran = leeze_hil("replay", path, "--site", "kanalpromenade-reference")
    assert ran.code == 2
    assert "its wires (moon/base) are none of site kanalpromenade-reference" in ran.err


def test_radar_rubbish_in_a_trace_is_skipped_and_the_run_goes_on(leeze_hil: Any, tmp_path: Path) -> None:
    wires = [Wire("west", f"radar-{n}", "ld2451", IDLE_FRAME) for n in (1, 2, 3)]
    rubbish = bytes(n * 37 & 0xFF for n in range(400))
    passed = [(s * 10**9 + n, n, False, rubbish if s % 3 else IDLE_FRAME) for s in range(30) for n in range(3)]
    path = write(tmp_path / "t.mcap", wires, passed, sites={"kanalpromenade-reference": ""})
    ran = leeze_hil("replay", path, "--json")
    assert (ran.code, ran.result["verdict"]) == (0, "no-reference")
    assert ran.result["span_s"] == pytest.approx(29, abs=0.1)


def test_a_trace_with_hostile_names_makes_a_page_that_stays_text(leeze_hil: Any, tmp_path: Path) -> None:
    hostile = '<script>alert("x")</script>[red]'
    wires = [Wire("west", "radar-1", "ld2451", IDLE_FRAME), Wire(hostile, hostile, hostile)]
    path = tmp_path / "a<b>&'c.mcap"
    write(path, wires, [(0, 0, False, IDLE_FRAME), (5, 1, True, b"\x00")], sites={"kanalpromenade-reference": hostile})
    page, junit = tmp_path / "p.html", tmp_path / "p.xml"
    ran = leeze_hil("replay", path, "--site", "kanalpromenade-reference", "--report", page, "--junit", junit)
    assert ran.code == 1  # the hostile wire's byte is sent by nobody
    assert "a&lt;b&gt;&amp;" in page.read_text(encoding="utf-8")
    for written in (page, junit):
        assert '<script>alert("x")' not in written.read_text(encoding="utf-8")
        assert "a<b>" not in written.read_text(encoding="utf-8")
    assert hostile in "".join(leeze_hil("trace", "cat", path).out.split("\n"))
    assert leeze_hil("trace", "info", path).code == 0


def test_what_a_trace_sent_is_not_taken_for_input(leeze_hil: Any, evening: Recorded, tmp_path: Path) -> None:
    """Without the records of what was sent the inputs alone give the same run; there is just nothing to judge by."""
    reader = TraceReader(evening[0])
    wires = reader.wires
    numbers = {(wire.board, wire.name): n for n, wire in enumerate(wires)}
    path = tmp_path / "inputs.mcap"
    with TraceWriter(path, reader.provenance) as writer:
        sink = writer.sink(wires)
        for event in reader.events(["/wire/*", "/idle/*"]):
            number = numbers[event.board, event.wire]  # type: ignore[union-attr]
            if isinstance(event, WireBytes):
                if not event.outward:
                    sink.passed(number, False, event.data, event.t_ns)
            else:
                sink.repeated(number, event.frame, event.first_ns, event.last_ns, event.count)  # type: ignore[union-attr]
    whole, inputs = (leeze_hil("replay", each, "--json", "--seconds", 700).result for each in (evening[0], path))
    assert inputs["verdict"] == "no-reference"
    assert inputs["digest"] == whole["digest"]
