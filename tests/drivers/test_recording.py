"""Traces: what is written comes back, and the mcap library and viewers read it too."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader

from drivers.errors import InputError
from drivers.links.memory import memory_pair
from drivers.links.tap import Tap
from drivers.quantities import (
    Detection,
    Message,
    Quantity,
    RadarReport,
    SignalPhase,
    SignalState,
    WallTime,
)
from drivers.recording.events import (
    Decision,
    Digest,
    Event,
    Gap,
    Late,
    Line,
    Lost,
    Mark,
    Other,
    Repeated,
    Snapshot,
    Tick,
    Ticks,
    Value,
    Wall,
    Wire,
    WireBytes,
)
from drivers.recording.provenance import Provenance, collect, file_digest, git_state
from drivers.recording.reader import TraceReader
from drivers.recording.writer import TraceWriter

IDLE = bytes.fromhex("f4f3f2f10000f8f7f6f5")
UTC_NS = 1_700_000_000_000_000_000
VALUES: list[Quantity] = [
    RadarReport(30, "radar-1", (Detection(13000, 833, -5, 123),)),
    SignalState(31, "feed", 1, 2, 4, None, (SignalPhase(3, min_end_ms=1200), SignalPhase(6))),
    Message(32, "neighbour", {"age_ms": 5, "list": [1, "x"]}),
    WallTime(33, "clock", UTC_NS, True),
]


class Level(msgspec.Struct, frozen=True, tag=True):
    target: str
    level: int


class Frame(msgspec.Struct, frozen=True, tag=True):
    target: str
    frame: bytes


def write_all(path: Path, provenance: Provenance, **more: Any) -> list[Event]:
    """One of everything; returns what should come back."""
    with TraceWriter(path, provenance, **more) as writer:
        rx = writer.add_wire("lamp", "radar-1", "rx", "ld2451", IDLE)
        tx = writer.add_wire("lamp", "radar-1", "tx", "ld2451", IDLE)
        writer.line("lamp", "radar-1", 115200, "N", 1, 5)
        writer.bytes_passed(rx, b"\x00in", 10)
        writer.bytes_passed(tx, b"out\xff", 11)
        writer.bytes_passed(rx, b"", 12)
        writer.repeated(rx, IDLE, 13, 29, 9)
        for value in VALUES:
            writer.value("lamp", value)
        writer.tick("lamp", 2, 40)
        writer.decision("lamp", Level("lamp-3", 254), 41)
        writer.decision("lamp", Frame("panel", b"\x01\x02"), 41)
        writer.decision("lamp", {"target": "lamp-3", "level": 1}, 42)
        writer.decision("lamp", {"level": 0}, 43)
        writer.snapshot("lamp", {"policy": {"a": [1, None]}}, 44)
        writer.wall(45, UTC_NS + 45, True)
        writer.mark("lamp", "started", 46)
        writer.late("lamp", 60, 100)
        writer.lost("lamp", "radar-1", 101, "gone")
        writer.ticks("lamp", 102, 7)
        writer.gap("lamp", 103, 110, 5)
        writer.digest("lamp", 111, "ab" * 32)
    return [
        Line(5, "lamp", "radar-1", 115200, "N", 1.0),
        WireBytes(10, "lamp", "radar-1", False, b"\x00in"),
        WireBytes(11, "lamp", "radar-1", True, b"out\xff"),
        WireBytes(12, "lamp", "radar-1", False, b""),
        Repeated(29, "lamp", "radar-1", IDLE, 13, 29, 9),
        *(Value(v.t_ns, "lamp", v.source, type(v).__name__, json.loads(msgspec.json.encode(v))) for v in VALUES),
        Tick(40, "lamp", 2),
        Decision(41, "lamp", {"type": "Level", "target": "lamp-3", "level": 254}),
        Decision(41, "lamp", {"type": "Frame", "target": "panel", "frame_hex": "0102"}),
        Decision(42, "lamp", {"target": "lamp-3", "level": 1}),
        Decision(43, "lamp", {"level": 0}),
        Snapshot(44, "lamp", {"policy": {"a": [1, None]}}),
        Wall(45, UTC_NS + 45, True),
        Mark(46, "lamp", "started"),
        Late(60, "lamp", 60, 100),
        Lost(101, "lamp", "radar-1", "gone"),
        Ticks(102, "lamp", 7),
        Gap(110, "lamp", 103, 110, 5),
        Digest(111, "lamp", "ab" * 32),
    ]


@pytest.mark.parametrize("chunk_size_b", [1, 200, 1 << 20])
def test_everything_written_comes_back_in_order(tmp_path: Path, chunk_size_b: int) -> None:
    path = tmp_path / "trace.mcap"
    provenance = collect(boards={"lamp": "ab"}, sites={"path": "cd"}, period_ns=20_000_000, utc_ns=UTC_NS, now_ns=0)
    written = write_all(path, provenance, chunk_size_b=chunk_size_b)
    reader = TraceReader(path)
    assert list(reader.events()) == written
    assert list(reader.events()) == written  # and again
    assert reader.provenance == provenance
    assert reader.wires == [Wire("lamp", "radar-1", "ld2451", IDLE)]
    assert (reader.complete, reader.note, reader.bad_chunks, reader.bad_messages) == (True, "", 0, 0)


def test_values_come_back_as_the_quantities_they_were(tmp_path: Path) -> None:
    write_all(tmp_path / "t.mcap", Provenance())
    events = TraceReader(tmp_path / "t.mcap").events(["/value/*"])
    assert [msgspec.convert(e.body, Quantity) for e in events if isinstance(e, Value)] == VALUES


def test_topics_can_be_chosen_by_pattern(tmp_path: Path) -> None:
    written = write_all(tmp_path / "t.mcap", Provenance())
    reader = TraceReader(tmp_path / "t.mcap")
    assert list(reader.events(["/wire/*", "/idle/*"])) == written[1:5]
    assert list(reader.events(["/tick/lamp"])) == [Tick(40, "lamp", 2)]
    assert list(reader.events(["/nothing"])) == []


def test_the_mcap_library_reads_it_and_every_checksum_fits(tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    written = write_all(path, collect(utc_ns=UTC_NS, now_ns=0), chunk_size_b=100)
    with path.open("rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        messages = list(reader.iter_messages(log_time_order=False))
        summary = reader.get_summary()
        metadata = {record.name: record.metadata for record in reader.iter_metadata()}
    assert [message.log_time for _, _, message in messages] == [UTC_NS + event.t_ns for event in written]
    assert summary is not None
    assert summary.statistics is not None
    assert summary.statistics.message_count == len(written)
    assert summary.statistics.message_start_time == UTC_NS + 5
    assert summary.statistics.message_end_time == UTC_NS + 111
    assert summary.statistics.chunk_count == len(summary.chunk_indexes) > 3
    assert metadata["leeze"]["python"]


def test_the_mcap_library_finds_messages_by_topic_through_the_index(tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    write_all(path, Provenance(), chunk_size_b=1)
    with path.open("rb") as stream:
        found = list(make_reader(stream, validate_crcs=True).iter_messages(topics=["/tick/lamp"], starting_at=40))
    assert [json.loads(message.data) for _, _, message in found] == [{"tick": 2, "t_ns": 40}]


def test_json_topics_have_schemas_that_viewers_can_plot(tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    write_all(path, Provenance())
    with path.open("rb") as stream:
        messages = list(make_reader(stream).iter_messages())
    seen = set()
    for schema, channel, message in messages:
        if channel.message_encoding == "json":
            assert schema is not None
            assert schema.encoding == "jsonschema"
            plottable(json.loads(schema.data))
            without_nulls = {k: v for k, v in json.loads(message.data).items() if v is not None}
            if schema.name != "leeze.SignalState":  # its phases hold nulls
                jsonschema.validate(without_nulls, json.loads(schema.data))
            seen.add(schema.name)
    assert {"leeze.RadarReport", "leeze.SignalState", "leeze.Level", "leeze.tick", "leeze.idle"} <= seen


def plottable(schema: dict[str, Any]) -> None:
    """What Foxglove's schema reader takes: objects all the way, one plain type each, no unions, no references."""
    assert schema["type"] == "object"
    for field in schema["properties"].values():
        inner = field["items"] if field["type"] == "array" else field
        assert inner["type"] in ("boolean", "string", "number", "integer", "object")
        if inner["type"] == "object":
            plottable(inner)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=80), st.integers(0, 1 << 61))), st.integers(1, 300))
def test_any_bytes_at_any_time_come_back(
    tmp_path_factory: pytest.TempPathFactory, passed: list[tuple[int, bytes, int]], chunk_size_b: int
) -> None:
    path = tmp_path_factory.mktemp("any") / "t.mcap"
    with TraceWriter(path, Provenance(base_ns=UTC_NS), chunk_size_b=chunk_size_b) as writer:
        channels = [writer.add_wire("b", f"w{n}", "rx") for n in range(3)]
        for wire, data, t_ns in passed:
            writer.bytes_passed(channels[wire], data, t_ns)
    assert list(TraceReader(path).events()) == [WireBytes(t, "b", f"w{w}", False, data) for w, data, t in passed]
    with path.open("rb") as stream:
        assert len(list(make_reader(stream, validate_crcs=True).iter_messages())) == len(passed)


def test_a_tap_records_both_directions_and_repeats(tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    near, far = memory_pair("radar-1")
    with TraceWriter(path, Provenance()) as writer:
        tap = Tap(near, 1, writer.sink([Wire("lamp", "dali"), Wire("lamp", "radar-1", "ld2451", IDLE)]))
        far.write(b"hello", 7)
        tap.write(b"set", 8)
        far.repeat(IDLE, 9, 19, 11)
    assert list(TraceReader(path).events()) == [
        WireBytes(7, "lamp", "radar-1", False, b"hello"),
        WireBytes(8, "lamp", "radar-1", True, b"set"),
        Repeated(19, "lamp", "radar-1", IDLE, 9, 19, 11),
    ]
    assert [wire.name for wire in TraceReader(path).wires] == ["dali", "radar-1"]


def test_a_flush_or_a_full_chunk_or_its_time_makes_messages_readable_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    writer = TraceWriter(path, Provenance(), chunk_size_b=100, chunk_ns=1000)
    channel = writer.add_wire("b", "w", "rx")

    def readable() -> int:
        return len(list(TraceReader(path).events()))

    writer.bytes_passed(channel, b"x", 0)
    assert readable() == 0
    writer.flush()
    assert readable() == 1
    writer.bytes_passed(channel, b"x", 5000)
    writer.bytes_passed(channel, b"x", 5999)
    assert readable() == 1
    writer.bytes_passed(channel, b"x", 6000)
    assert readable() == 4
    writer.bytes_passed(channel, bytes(120), 6001)
    writer.bytes_passed(channel, b"x", 6002)
    assert readable() == 6
    reader = TraceReader(path)
    assert not reader.complete
    assert reader.note.endswith("without its footer")
    writer.close()
    writer.close()
    assert TraceReader(path).complete


def test_an_empty_trace_is_complete(tmp_path: Path) -> None:
    TraceWriter(tmp_path / "t.mcap", Provenance()).close()
    reader = TraceReader(tmp_path / "t.mcap")
    assert reader.complete
    assert list(reader.events()) == []


def test_a_file_that_cannot_be_written_is_said_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/t\.mcap: cannot be written: No such file"):
        TraceWriter(tmp_path / "nowhere/t.mcap", Provenance())


def test_traces_of_others_are_read_as_other_topics(tmp_path: Path) -> None:
    from mcap.writer import CompressionType, Writer

    path = tmp_path / "theirs.mcap"
    for compression in CompressionType:
        for chunking in (True, False):
            with path.open("wb") as stream:
                writer = Writer(stream, compression=compression, use_chunking=chunking, chunk_size=64)
                writer.start()
                channel = writer.register_channel("/camera", "cdr", writer.register_schema("x", "ros2msg", b""))
                for n in range(9):
                    writer.add_message(channel, n, bytes([n]) * 20, n)
                writer.finish()  # type: ignore[no-untyped-call]
            assert list(TraceReader(path).events()) == [Other(n, "/camera", bytes([n]) * 20) for n in range(9)]


def test_provenance_survives_the_way_through_metadata() -> None:
    full = Provenance(
        version="0.1.0",
        revision="c0ffee",
        dirty=True,
        python="3.13.1",
        boards={"lamp": "ab", "a/b": "cd"},
        sites={"path": ""},
        configuration_digest="ef",
        period_ns=20_000_000,
        created_utc="2025-01-01T00:00:00+00:00",
        base_ns=UTC_NS,
    )
    for provenance in (full, Provenance()):
        flat = provenance.to_metadata()
        assert all(isinstance(value, str) for value in flat.values())
        assert Provenance.from_metadata({**flat, "later": "x"}) == provenance


def test_provenance_names_version_python_and_start() -> None:
    provenance = collect(boards={"lamp": "ab"}, utc_ns=1_750_000_000_123_456_789, now_ns=456_789)
    assert provenance.created_utc == "2025-06-15T15:06:40+00:00"
    assert provenance.base_ns == 1_750_000_000_123_000_000
    assert provenance.python.startswith("3.")
    assert collect().created_utc == ""


def test_git_state_tells_revision_and_changes_and_only_of_tracked_files(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    tracked, stray = tmp_path / "tracked.py", tmp_path / "stray.py"
    tracked.write_text("one")
    try:
        git("init", "-q")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("git is not installed")
    git("add", "tracked.py")
    git("commit", "-q", "-m", "one")
    stray.write_text("x")
    assert git_state(tracked) == (git("rev-parse", "HEAD"), False)
    assert git_state(stray) == (None, False)
    tracked.write_text("two")
    assert git_state(tracked) == (git("rev-parse", "HEAD"), True)


def test_without_git_there_is_no_revision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert git_state(tmp_path / "any.py") == (None, False)


def test_file_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"abc")
    assert file_digest(tmp_path / "b") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
