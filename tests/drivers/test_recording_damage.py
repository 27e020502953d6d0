"""Traces that were cut or damaged: every complete chunk is read, and nothing ends in a traceback."""

from __future__ import annotations

import os
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.opcode import Opcode

from drivers.errors import InputError
from drivers.recording.container import MAGIC
from drivers.recording.events import Event
from drivers.recording.provenance import Provenance
from drivers.recording.reader import TraceReader
from drivers.recording.walk import DAMAGE, RecordWalk, opened
from drivers.recording.writer import TraceWriter


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Several chunks of several messages; channels come in between."""
    path = tmp_path_factory.mktemp("whole") / "t.mcap"
    with TraceWriter(path, Provenance(version="0", boards={"b": "1"}), chunk_size_b=120) as writer:
        rx = writer.add_wire("b", "w", "rx", "text")
        for n in range(12):
            writer.bytes_passed(rx, b"message %d" % n, n)
            if n == 5:
                writer.tick("b", n, n)
            if n == 9:
                writer.repeated(rx, b"idle", 9, 10, 2)
    return path.read_bytes()


def chunk_ends(data: bytes, path: Path) -> list[int]:
    """End of each chunk in the file."""
    path.write_bytes(data)
    ends, at = [], len(MAGIC)
    while at < len(data) - len(MAGIC):
        length = int.from_bytes(data[at + 1 : at + 9], "little")
        if data[at] == Opcode.CHUNK:
            ends.append(at + 9 + length)
        at += 9 + length
    return ends


def read(path: Path) -> tuple[TraceReader, list[Event]]:
    reader = TraceReader(path)
    return reader, list(reader.events())


def test_cut_at_every_byte_every_complete_chunk_is_read(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    ends = chunk_ends(whole, path)
    assert len(ends) >= 4
    _, everything = read(path)
    after_chunk = []
    for end in ends:
        path.write_bytes(whole[:end])
        after_chunk.append(len(read(path)[1]))
    assert after_chunk[-1] == len(everything) == 14
    path.write_bytes(whole)
    for cut in reversed(range(len(MAGIC), len(whole))):
        os.truncate(path, cut)
        reader, events = read(path)
        complete_chunks = sum(end <= cut for end in ends)
        assert events == everything[: after_chunk[complete_chunks - 1] if complete_chunks else 0]
        assert not reader.complete
        assert f"ends at byte {cut} " in reader.note
        assert reader.bad_chunks == 0


def test_cut_inside_the_magic_it_is_no_trace(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    for cut in range(len(MAGIC)):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match=r"t\.mcap: byte 0: not an MCAP file"):
            TraceReader(path)


def test_a_missing_file_and_a_folder_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.mcap: cannot be read: No such file"):
        TraceReader(tmp_path / "none.mcap")
    with pytest.raises(InputError, match="cannot be read"):
        TraceReader(tmp_path)


def test_a_flipped_bit_anywhere_costs_at_most_one_chunk_or_channel(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    path.write_bytes(whole)
    everything = read(path)[1]
    with path.open("r+b", buffering=0) as stream:
        for at in range(len(MAGIC), len(whole)):
            stream.seek(at)
            stream.write(bytes([whole[at] ^ 1 << at % 8]))
            assert len(everything) - 4 <= len(read(path)[1]) <= len(everything), at
            stream.seek(at)
            stream.write(whole[at : at + 1])


def test_a_chunk_with_a_wrong_byte_is_counted_and_the_rest_is_read(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    ends = chunk_ends(whole, path)
    everything = read(path)[1]
    damaged = bytearray(whole)
    damaged[ends[1] - 5] ^= 0x10
    path.write_bytes(damaged)
    reader, events = read(path)
    assert reader.bad_chunks == 1
    assert reader.complete
    assert events == [event for event in everything if event in events]
    assert events[-1] == everything[-1]
    assert 0 < len(everything) - len(events) <= 4


def test_after_a_wrong_length_the_next_chunk_is_found(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    ends = chunk_ends(whole, path)
    everything = read(path)[1]
    for wrong in (1, 1 << 20, 1 << 62):
        damaged = bytearray(whole)
        at = ends[0] + 1  # length of the record that follows the first chunk
        length = int.from_bytes(damaged[at : at + 8], "little") ^ wrong
        damaged[at : at + 8] = length.to_bytes(8, "little")
        path.write_bytes(damaged)
        reader, events = read(path)
        assert events == everything
        assert reader.skipped_bytes > 0
        assert reader.note.startswith("damaged at byte")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_damage_ends_in_events_or_in_an_input_error(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        match data.draw(st.sampled_from(["flip", "delete", "insert"])):
            case "flip":
                damaged[at] = data.draw(st.integers(0, 255))
            case "delete":
                del damaged[at : at + data.draw(st.integers(1, 200))]
            case _:
                damaged[at:at] = data.draw(st.binary(max_size=200))
        if not damaged:
            break
    path = tmp_path_factory.mktemp("damage") / "t.mcap"
    path.write_bytes(damaged)
    try:
        reader, events = read(path)
    except InputError:
        assert damaged[: len(MAGIC)] != MAGIC
    else:
        assert len(events) <= 3 * 14
        assert isinstance(reader.note, str)


def test_a_chunk_that_claims_to_be_huge_is_refused_without_memory(tmp_path: Path) -> None:
    import zstandard

    bomb = zstandard.compress(bytes(1 << 20))
    for size in (1 << 62, 1 << 27):
        front = bytes(16) + size.to_bytes(8, "little") + zlib.crc32(b"").to_bytes(4, "little")
        body = front + b"\x04\x00\x00\x00zstd" + len(bomb).to_bytes(8, "little") + bomb
        tracemalloc.start()
        with pytest.raises(DAMAGE):
            opened(body)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()


def test_a_message_of_an_unknown_channel_or_of_broken_json_is_counted(tmp_path: Path) -> None:
    from mcap.writer import Writer

    path = tmp_path / "t.mcap"
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.start()
        tick = writer.register_channel("/tick/b", "json", 0, {"board": "b"})
        wire = writer.register_channel("/idle/b/w", "json", 0, {"board": "b", "wire": "w"})
        writer.add_message(tick, 1, b"{not json", 1)
        writer.add_message(tick, 2, b'{"tick": "x"}', 2)
        writer.add_message(wire, 3, b'{"first_ns":1,"last_ns":2,"count":2,"frame_hex":"zz"}', 3)
        writer.add_message(77, 4, b"", 4)
        writer.add_message(tick, 5, b'{"tick": 9}', 5)
        writer.finish()  # type: ignore[no-untyped-call]
    reader, events = read(path)
    assert [event.t_ns for event in events] == [5]
    assert reader.bad_messages == 4


def test_reading_takes_memory_of_a_chunk_not_of_the_file(tmp_path: Path) -> None:
    peaks = []
    for messages in (2_000, 20_000):
        path = tmp_path / f"{messages}.mcap"
        with TraceWriter(path, Provenance(), chunk_size_b=20_000) as writer:
            channel = writer.add_wire("b", "w", "rx")
            for n in range(messages):
                writer.bytes_passed(channel, zlib.crc32(b"%d" % n).to_bytes(4, "big") * 8, n)
        tracemalloc.start()
        assert sum(1 for _ in TraceReader(path).events()) == messages
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_walking_counts_what_it_skips(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    ends = chunk_ends(whole, path)
    path.write_bytes(whole[: ends[0]] + b"\x00" * 100 + whole[ends[0] :])
    walk = RecordWalk(path)
    chunks = [opcode for opcode, _ in walk.records((Opcode.CHUNK,))]
    assert len(chunks) == len(ends)
    assert walk.complete
    assert walk.skipped_bytes > 100
