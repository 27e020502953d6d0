"""The names of a ring's files, its limit, and what a glance at a file says."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.recording.events import Gap
from drivers.recording.provenance import Provenance
from drivers.recording.reader import TraceReader
from drivers.recording.ring import Ring, RingFile, begun_utc, file_name, ring_files
from drivers.recording.ring_look import Glance, glance, glances
from drivers.recording.writer import TraceWriter

BASE_NS = 1_771_610_400_000_000_000


def write(path: Path, *, close: bool = True, base_ns: int = BASE_NS, gap: bool = False, **about: str) -> Glance:
    """A file with records at 10, 20 … 90 ns."""
    writer = TraceWriter(path, Provenance(base_ns=base_ns, created_utc="2026-02-20T18:00:00+00:00" if base_ns else ""))
    writer.controller({"controller": "west", **about})
    channel = writer.add_wire("lamp", "radar-1", "rx")
    for t_ns in range(10, 100, 10):
        writer.bytes_passed(channel, b"x" * 50, t_ns)
        if t_ns in (30, 60):
            writer.flush()
    if gap:
        writer.gap("lamp", 90, 95, 7)
    if close:
        writer.close()
    else:
        writer.flush()
        writer.container.abandon()
    return glance(RingFile(path, "lamp", 1, path.stat().st_size))


def test_names_are_made_and_found_again(tmp_path: Path) -> None:
    names = [file_name("lamp", 7), file_name("lamp", 1_234_567), file_name("lamp-2", 1), file_name("lamp-000003", 4)]
    assert names[0] == "lamp-000007.mcap"
    assert names[1] == "lamp-1234567.mcap"
    for name in [*names, "lamp-7.mcap", "lamp-000008.mcap.part", "lamp.mcap", "notes.txt"]:
        (tmp_path / name).write_bytes(b"12")
    (tmp_path / "lamp-000009.mcap").mkdir()
    assert [(file.number, file.size_b) for file in ring_files(tmp_path, "lamp")] == [(7, 2), (1_234_567, 2)]
    assert [(file.board, file.number) for file in ring_files(tmp_path)] == [
        *(("lamp", 7), ("lamp", 1_234_567), ("lamp-000003", 4), ("lamp-2", 1)),
    ]


@given(
    sizes=st.lists(st.integers(1, 50), max_size=12),
    limit_b=st.integers(0, 300),
    present_b=st.integers(0, 100),
    spare_b=st.integers(0, 50),
)
def test_a_ring_is_trimmed_from_its_oldest_end_and_no_further_than_it_must(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], limit_b: int, present_b: int, spare_b: int
) -> None:
    folder = tmp_path_factory.mktemp("ring")
    for number, size_b in enumerate(sizes, 1):
        (folder / file_name("lamp", number)).write_bytes(bytes(size_b))
    (folder / "lamp-2-000001.mcap").write_bytes(bytes(1000))
    ring = Ring(folder, "lamp", limit_b)
    ring.look()
    ring.trim(None, present_b, spare_b)
    left = [file.size_b for file in ring_files(folder, "lamp")]
    assert left == sizes[len(sizes) - len(left) :]
    assert not left or sum(left) + present_b + spare_b <= limit_b
    if len(left) < len(sizes):
        assert sum(left) + sizes[len(sizes) - len(left) - 1] + present_b + spare_b > limit_b
    assert (folder / "lamp-2-000001.mcap").exists()


def test_a_number_is_never_used_twice_while_its_ring_lives(tmp_path: Path) -> None:
    (tmp_path / file_name("lamp", 41)).write_bytes(b"x")
    ring = Ring(tmp_path, "lamp", 1)
    ring.look()
    assert ring.next_path() == (tmp_path / "lamp-000042.mcap", 42)
    ring.trim(None, 0, 0)
    ring.delete_oldest()
    assert ring.files == 0
    ring.look()
    assert ring.next_path()[1] == 43


def test_the_file_being_written_is_never_deleted(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / file_name("lamp", number)).write_bytes(b"x")
    ring = Ring(tmp_path, "lamp", 0)
    ring.look()
    present = tmp_path / file_name("lamp", 1)
    ring.trim(present, 10, 0)
    assert [file.path for file in ring_files(tmp_path)] == [present]


def test_files_that_somebody_else_has_removed_are_no_trouble(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / file_name("lamp", number)).write_bytes(b"x")
    ring = Ring(tmp_path, "lamp", 0)
    ring.look()
    (tmp_path / file_name("lamp", 1)).unlink()
    assert ring.delete_oldest()
    assert not ring.delete_oldest()
    assert ring_files(tmp_path) == []


def test_a_glance_knows_a_complete_file_by_its_end(tmp_path: Path) -> None:
    found = write(tmp_path / "lamp-000001.mcap", boot="b1", missing_before="3 records since 5 ns")
    assert found == Glance(
        found.file, 10, 90, BASE_NS, found.file.size_b, True, "", False, "3 records since 5 ns", "west", "b1"
    )
    assert (found.from_utc_ns, found.to_utc_ns) == (BASE_NS + 10, BASE_NS + 90)
    assert begun_utc(found.file.path) == "2026-02-20T18:00:00+00:00"


def test_a_glance_at_a_cut_file_says_how_far_it_holds_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "lamp-000001.mcap"
    whole = write(path, close=False)
    assert (whole.first_ns, whole.last_ns, whole.complete, whole.whole_b) == (10, 90, False, path.stat().st_size)
    content = path.read_bytes()
    for cut_b in range(len(content) - 1, 8, -7):
        path.write_bytes(content[:cut_b])
        found = glance(RingFile(path, "lamp", 1, cut_b))
        assert found.whole_b <= cut_b
        assert not found.complete
        path.write_bytes(content[: found.whole_b])
        reader = TraceReader(path)
        times = [event.t_ns for event in reader.events()]
        assert (times[0], times[-1]) == (found.first_ns, found.last_ns) if times else found.first_ns is None
        assert reader.skipped_bytes == 0


def test_a_glance_sees_a_gap_in_both_kinds_of_file(tmp_path: Path) -> None:
    for close in (True, False):
        found = write(tmp_path / "lamp-000001.mcap", close=close, gap=True)
        assert (found.gap, found.last_ns) == (True, 95)
        assert Gap(95, "lamp", 90, 95, 7) in list(TraceReader(found.file.path).events())


@pytest.mark.parametrize("content", [b"", bytes(5000), b"\x89MCAP", b"no trace at all"])
def test_what_is_no_trace_is_said_and_never_raised(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lamp-000001.mcap"
    path.write_bytes(content)
    found = glance(RingFile(path, "lamp", 1, len(content)))
    assert found.unreadable.startswith("byte 0: not an MCAP file")
    assert found.first_ns is None
    assert glance(RingFile(tmp_path / "none.mcap", "lamp", 1, 0)).unreadable


@given(damage=st.lists(st.tuples(st.integers(8, 2000), st.binary(min_size=1, max_size=9)), max_size=4))
def test_no_damage_makes_a_glance_raise(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, bytes]]
) -> None:
    path = tmp_path_factory.mktemp("ring") / "lamp-000001.mcap"
    write(path)
    content = bytearray(path.read_bytes())
    for at, data in damage:
        content[at : at + len(data)] = data
    path.write_bytes(content)
    assert isinstance(glance(RingFile(path, "lamp", 1, len(content))), Glance)


def test_a_file_without_a_date_learns_it_from_another_of_the_same_boot(tmp_path: Path) -> None:
    files = []
    for number, (base_ns, boot) in enumerate([(0, "b1"), (BASE_NS, "b1"), (0, "b2"), (0, "")], 1):
        path = tmp_path / file_name("lamp", number)
        write(path, base_ns=base_ns, boot=boot)
        files.append(RingFile(path, "lamp", number, path.stat().st_size))
    assert [one.base_ns for one in glances(files)] == [BASE_NS, BASE_NS, None, None]
    assert msgspec.structs.asdict(glances(files)[2])["first_ns"] == 10
