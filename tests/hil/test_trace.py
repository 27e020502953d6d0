"""Trace verbs: info, cat, digest and the first difference."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from drivers.errors import InputError
from drivers.quantities import Detection, RadarReport
from drivers.recording.digest import ChainDigest
from drivers.recording.events import Wire
from drivers.recording.provenance import Provenance
from drivers.recording.writer import TraceWriter
from hil.trace import cat, digest, first_difference, info, print_info

MS = 1_000_000
PERIOD_NS = 20 * MS
IDLE = bytes.fromhex("f4f3f2f10000f8f7f6f5")
WIRES = [Wire("lamp", "dali", "atx-dali"), Wire("lamp", "radar-1", "ld2451", IDLE)]

Passed = tuple[int, int, bool, bytes]


def record(path: Path, passed: list[Passed], **more: Any) -> Path:
    with TraceWriter(path, Provenance(period_ns=PERIOD_NS, version="0.1.0", boards={"lamp": "ab"}), **more) as writer:
        sink = writer.sink(WIRES)
        for t_ns, wire, outward, data in passed:
            sink.passed(wire, outward, data, t_ns)
    return path


def evening(length: int = 200) -> list[Passed]:
    passed: list[Passed] = []
    for n in range(length):
        passed.append((n * 100 * MS, 1, False, IDLE if n % 10 else b"\xf4target%d" % n))
        if n % 10 == 0:
            passed.append((n * 100 * MS + 20 * MS, 0, True, b"h01FE%d\n" % n))
    return passed


def test_the_digest_of_a_trace_is_that_of_the_run_it_records(tmp_path: Path) -> None:
    live = ChainDigest(PERIOD_NS, ["lamp/dali", "lamp/radar-1"], {1: IDLE})
    for t_ns, wire, outward, data in evening():
        live.passed(wire, outward, data, t_ns)
    assert digest(record(tmp_path / "t.mcap", evening())) == live.hexdigest()


def test_blocks_end_in_the_digest(tmp_path: Path) -> None:
    blocks: list[tuple[int, str]] = []
    whole = digest(record(tmp_path / "t.mcap", evening(2000)), on_block=lambda t, h: blocks.append((t, h)))
    assert [t_ns // (60 * 1000 * MS) for t_ns, _ in blocks] == [1, 2, 3, 3]
    assert blocks[-1][1] == whole


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 30), max_size=30))
def test_repeats_in_the_trace_do_not_change_its_digest(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    """Idle frames recorded one by one, or in repeats of the drawn sizes."""
    folder = tmp_path_factory.mktemp("repeats")
    passed = evening(100)
    singly = record(folder / "singly.mcap", passed)
    with TraceWriter(folder / "repeats.mcap", Provenance(period_ns=PERIOD_NS), chunk_size_b=300) as writer:
        sink = writer.sink(WIRES)
        run: list[int] = []
        left = iter(sizes)
        size = next(left, 9)

        def end_run() -> None:
            if run:
                sink.repeated(1, IDLE, run[0], run[-1], len(run))
                run.clear()

        for t_ns, wire, outward, data in passed:
            if data == IDLE:
                run.append(t_ns)
                if len(run) >= size:
                    size = next(left, 9)
                    end_run()
            else:
                if wire == 1:
                    end_run()
                sink.passed(wire, outward, data, t_ns)
        end_run()
    assert digest(folder / "repeats.mcap") == digest(singly)
    assert first_difference(singly, folder / "repeats.mcap") is None


def test_the_first_byte_that_differs_is_found(tmp_path: Path) -> None:
    one, two = evening(), evening()
    t_ns, wire, outward, data = two[45]
    two[45] = (t_ns, wire, outward, b"other")
    one_path, two_path = record(tmp_path / "1.mcap", one), record(tmp_path / "2.mcap", two)
    found = first_difference(one_path, two_path)
    assert found is not None
    assert (found.tick, found.wire, found.outward) == (-(-t_ns // PERIOD_NS), WIRES[wire].board + "/dali", True)
    assert (found.expected, found.got) == (data, b"other")
    assert found.t_ns == found.tick * PERIOD_NS
    assert "expected" in found.text
    assert "6f 74 68 65 72" in found.text
    assert digest(one_path) != digest(two_path)


def test_a_missing_write_is_found_at_its_place(tmp_path: Path) -> None:
    one = evening()
    place = next(n for n, passed in enumerate(one) if passed[2] and n > 60)
    found = first_difference(
        record(tmp_path / "1.mcap", one), record(tmp_path / "2.mcap", one[:place] + one[place + 1 :])
    )
    assert found is not None
    assert found.tick * PERIOD_NS == one[place][0]
    assert (found.expected, found.got) == (one[place][3], None)
    assert "got nothing" in found.text


def test_a_missing_idle_frame_is_found_as_a_shorter_run(tmp_path: Path) -> None:
    one = evening()
    found = first_difference(record(tmp_path / "1.mcap", one), record(tmp_path / "2.mcap", one[:5] + one[6:]))
    assert found is not None
    assert "expected 9 idle frames until tick 45, got 8 idle frames until tick 45" in found.text


def test_a_trace_that_ends_early_differs_where_it_ends(tmp_path: Path) -> None:
    one = evening()
    found = first_difference(record(tmp_path / "1.mcap", one), record(tmp_path / "2.mcap", one[:-10]))
    assert found is not None
    assert found.tick * PERIOD_NS >= one[-11][0] - 100 * MS * 10


def test_the_same_traces_do_not_differ_however_they_are_chunked(tmp_path: Path) -> None:
    one, two = record(tmp_path / "1.mcap", evening()), record(tmp_path / "2.mcap", evening(), chunk_size_b=50)
    assert first_difference(one, two) is None
    assert digest(one) == digest(two)


def test_traces_of_different_scan_periods_are_not_compared(tmp_path: Path) -> None:
    one = record(tmp_path / "1.mcap", evening())
    TraceWriter(tmp_path / "2.mcap", Provenance(period_ns=1)).close()
    with pytest.raises(InputError, match="scan period 1 ns, but 20000000 ns"):
        first_difference(one, tmp_path / "2.mcap")


def test_a_repeat_of_another_frame_than_the_idle_one_is_an_input_error(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.mcap", Provenance()) as writer:
        writer.sink(WIRES).repeated(1, b"odd", 1, 5, 2)
    with pytest.raises(InputError, match=r"t\.mcap: lamp/radar-1 at 5 ns: 6f 64 64 repeats"):
        digest(tmp_path / "t.mcap")


def test_a_wire_declared_only_inside_a_damaged_file_is_no_traceback(tmp_path: Path) -> None:
    from mcap.writer import Writer

    path = tmp_path / "theirs.mcap"
    with path.open("wb") as stream:
        writer = Writer(stream, repeat_channels=False)
        writer.start()
        about = {"board": "b", "wire": "w", "direction": "rx"}
        channel = writer.register_channel("/wire/b/w/rx", "application/octet-stream", 0, about)
        writer.add_message(channel, 5, b"abc", 5)
        writer.finish()  # type: ignore[no-untyped-call]
    assert info(path)["wires"][0]["rx_bytes"] == 3
    with pytest.raises(InputError, match="b/w at 5 ns: the file declares no such wire"):
        digest(path)


def test_info_counts_what_is_there_and_prints_it(tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    with TraceWriter(path, Provenance(version="0.1.0", boards={"lamp": "ab"}, period_ns=PERIOD_NS)) as writer:
        sink = writer.sink(WIRES)
        sink.repeated(1, IDLE, 100 * MS, 900 * MS, 9)
        sink.passed(1, False, b"12345", 1000 * MS)
        sink.passed(0, True, b"hello\n", 1020 * MS)
        writer.tick("lamp", 51, 1020 * MS)
    found = info(path)
    json.dumps(found)
    assert found["complete"]
    assert found["messages"] == {"Repeated": 1, "WireBytes": 2, "Tick": 1}
    assert (found["first_ns"], found["last_ns"], found["span_s"]) == (100 * MS, 1020 * MS, 0.92)
    dali, radar = found["wires"]
    assert (dali["content"], dali["tx_messages"], dali["tx_bytes"], dali["rx_messages"]) == ("atx-dali", 1, 6, 0)
    assert (radar["rx_bytes"], radar["idle_frames"], radar["idle_runs"]) == (5, 9, 1)
    console = Console(file=io.StringIO(), width=120)
    print_info(found, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "radar-1" in text
    assert "complete" in text
    path.write_bytes(path.read_bytes()[:-30])
    found = info(path)
    assert not found["complete"]
    print_info(found, console)
    assert "ends at byte" in console.file.getvalue()  # type: ignore[attr-defined]


def test_cat_gives_one_json_object_a_line_or_readable_text(tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    with TraceWriter(path, Provenance()) as writer:
        sink = writer.sink(WIRES)
        sink.passed(1, False, b"\x01\x02", 1000 * MS)
        sink.repeated(1, IDLE, 1100 * MS, 1900 * MS, 9)
        writer.value("lamp", RadarReport(2000 * MS, "radar-1", (Detection(13000, 833, -5, 123),)))
    lines = [json.loads(line) for line in cat(path, as_json=True)]
    assert [line["type"] for line in lines] == ["WireBytes", "Repeated", "Value"]
    assert (lines[0]["t_ns"], lines[0]["data"], lines[1]["count"]) == (1000 * MS, "0102", 9)
    assert lines[2]["body"]["detections"][0]["speed_mm_s"] == 833
    text = list(cat(path))
    assert text[0] == "       1.000000 lamp/radar-1 <- 01 02"
    assert text[1].endswith("x 9 since 1.100000")
    assert '"speed_mm_s":833' in text[2]
    assert len(list(cat(path, ["/value/*"]))) == 1


def test_what_is_no_trace_is_an_input_error_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    path.write_bytes(os.urandom(3) + b"no trace")
    for verb in (info, digest, lambda p: list(cat(p)), lambda p: first_difference(p, p)):
        with pytest.raises(InputError, match="not an MCAP file"):
            verb(path)
