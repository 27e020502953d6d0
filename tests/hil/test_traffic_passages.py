"""Traffic files and the riders that come out of them."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import InputError
from drivers.units import FOREVER_NS, NS_PER_S
from hil.traffic.model import Passage, TrafficModel
from hil.traffic.passages import PassageReader, RiderSource

HEADER = '{"format":"leeze-traffic","version":1,"site":"made up","from":"2024-02-19","to":"2024-02-19","counts":{}}\n'
FIRST_S = 1_708_300_000


def traffic(tmp_path: Path, passages: list[tuple[int, int, int]], header: str = HEADER) -> Path:
    path = tmp_path / "made.traffic"
    path.write_text(header + "".join(f"{json.dumps(p, separators=(',', ':'))}\n" for p in passages))
    return path


def day(count: int) -> list[tuple[int, int, int]]:
    return [(FIRST_S + n * 37, 1 if n % 3 else -1, (24, 8, 16, 36, 3)[n % 5]) for n in range(count)]


def test_the_header_says_where_and_when(tmp_path: Path) -> None:
    reader = PassageReader(traffic(tmp_path, day(3)))
    assert (reader.header.site, reader.header.from_date) == ("made up", "2024-02-19")
    assert list(reader) == [Passage(*p) for p in day(3)]
    assert reader.cut_bytes == 0


@pytest.mark.parametrize("cut", range(1, 19))
def test_a_cut_file_gives_every_complete_line_and_says_what_was_left(tmp_path: Path, cut: int) -> None:
    path = traffic(tmp_path, day(3))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    reader = PassageReader(path)
    got = list(reader)
    # Without its line end alone, the last passage is still complete.
    assert len(got) == (3 if cut == 1 else 2)
    last_line = len(whole.splitlines(keepends=True)[-1])
    assert reader.cut_bytes == (0 if cut == 1 else last_line - cut)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1708300000,1]", "line 3 is no passage"),
        ("[1708300000,1,24.5]", "line 3 is no passage"),
        ("rubbish", "line 3 is no passage"),
        ("[1708300100,2,24]", "line 3 has direction 2"),
        ("[1708300100,1,2]", "line 3 has 2 km/h"),
        ("[1708200000,1,24]", "line 3 goes back in time"),
    ],
)
def test_a_wrong_line_is_named_with_what_it_should_read_like(tmp_path: Path, line: str, said: str) -> None:
    path = traffic(tmp_path, day(1))
    path.write_text(path.read_text() + line + "\n[1708300200,1,24]\n")
    with pytest.raises(InputError, match=said):
        list(PassageReader(path))


@pytest.mark.parametrize("text", ["", "timestamp;speed\n", '{"format":"other"}\n', "\xff\xfe\n", HEADER[:40]])
def test_a_file_that_is_no_traffic_is_refused_with_the_way_to_make_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.traffic"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match="leeze-hil import eco-counter"):
        PassageReader(path)


def test_a_later_version_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="version 3"):
        PassageReader(traffic(tmp_path, [], HEADER.replace('"version":1', '"version":3')))
    for path in (tmp_path / "nowhere.traffic", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            PassageReader(path)


def test_blank_lines_do_not_matter(tmp_path: Path) -> None:
    path = traffic(tmp_path, [])
    path.write_text(path.read_text() + "\n\n[1708300200,1,24]\n\n")
    assert list(PassageReader(path)) == [Passage(1708300200, 1, 24)]


def test_a_file_left_early_is_closed_and_can_be_closed_twice(tmp_path: Path) -> None:
    with PassageReader(traffic(tmp_path, day(3))) as reader:
        assert reader.read() == Passage(*day(1)[0])
    source = RiderSource(traffic(tmp_path, day(300)))
    source.close()
    source.close()


def test_a_line_without_end_is_refused_and_not_swallowed_whole(tmp_path: Path) -> None:
    path = traffic(tmp_path, [])
    path.write_text(path.read_text() + "[" + " " * 3_000_000)
    with pytest.raises(InputError, match="line 2 is no passage"):
        list(PassageReader(path))


@settings(max_examples=30, deadline=None)
@given(
    gaps=st.lists(st.tuples(st.integers(0, 900), st.sampled_from([1, -1]), st.integers(3, 60)), max_size=60),
    seed=st.integers(0, 99),
)
def test_riders_come_in_the_order_of_their_starts_and_none_is_lost(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[tuple[int, int, int]], seed: int
) -> None:
    passages, t = [], FIRST_S
    for gap, direction, speed in gaps:
        t += gap
        passages.append((t, direction, speed))
    source = RiderSource(traffic(tmp_path_factory.mktemp("t"), passages), seed)
    riders = []
    while (due := source.next_start_ns) < FOREVER_NS:
        rider = source.take()
        assert rider is not None
        assert rider.start_ns == due
        riders.append(rider)
    assert source.take() is None
    assert [r.start_ns for r in riders] == sorted(r.start_ns for r in riders)
    assert sorted(r.id for r in riders) == list(range(len(passages)))
    for rider in riders:
        crossing = rider.first_time_at(TrafficModel().counter_mm)
        assert crossing is not None
        assert crossing // NS_PER_S == passages[rider.id][0]


@pytest.mark.parametrize("taken", [0, 1, 7, 49, 50])
def test_a_source_restored_from_a_snapshot_gives_the_same_riders(tmp_path: Path, taken: int) -> None:
    path = traffic(tmp_path, day(50))
    source = RiderSource(path, seed=4, origin_utc_ns=FIRST_S * NS_PER_S)
    for _ in range(taken):
        assert source.take()
    state = json.loads(json.dumps(source.snapshot()))
    other = RiderSource(path, seed=4, origin_utc_ns=FIRST_S * NS_PER_S)
    other.take()
    other.restore(state)
    assert other.count == taken
    assert list(other) == list(source)
    assert other.snapshot() == source.snapshot()
    other.restore(state)
    assert len(list(other)) == 50 - taken


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = []
    for count in (100, 500):
        path = traffic(tmp_path, [(FIRST_S + n * 37, 1, 24) for n in range(count)])
        tracemalloc.start()
        for _ in RiderSource(path):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
