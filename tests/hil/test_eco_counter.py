"""The importer of counter files: made-up files of both forms, damaged ones, and the real recordings where they lie."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import InputError
from hil.importers.eco_counter import Counts, import_eco_counter, tally
from hil.traffic.passages import PassageReader

HEADER = "timestamp;sensor_index;lane_id;user_type;direction;speed\n"
RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2] / "../shared/data")) / "cycle-loops"


def read_back(path: Path) -> list[tuple[str, int, int]]:
    return [
        (datetime.fromtimestamp(p.utc_s, UTC).strftime("%Y-%m-%d %H:%M:%S"), p.direction, p.speed_kmh)
        for p in PassageReader(path)
    ]


def imported(
    tmp_path: Path, rows: str, header: str = HEADER, dates: tuple[date | None, date | None] = (None, None)
) -> tuple[Counts, list[tuple[str, int, int]]]:
    path, out = tmp_path / "Dingstiege.csv", tmp_path / "out.traffic"
    path.write_bytes((header + rows).encode())
    counts = import_eco_counter([path], out, from_date=dates[0], to_date=dates[1])
    assert_complete(counts)
    return counts, read_back(out)


def assert_complete(c: Counts) -> None:
    assert c.rows == c.broken + c.outside + c.other_users + c.slow + c.duplicates + c.joined + c.passages


def test_both_ways_to_write_a_date_are_read_as_local_time(tmp_path: Path) -> None:
    rows = "19.02.2024 05:33:24;1;3;cyclist;out;24\n19/07/2024 05:36:02;1;3;cyclist;in;18\n"
    counts, got = imported(tmp_path, rows)
    assert got == [("2024-02-19 04:33:24", -1, 24), ("2024-07-19 03:36:02", 1, 18)]
    assert counts == Counts(rows=2, passages=2)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_byte_order_mark_line_ends_and_gzip_make_no_difference(
    tmp_path: Path, packed: bool, line_end: str, mark: str
) -> None:
    text = (mark + HEADER + "19.02.2024 05:33:24;1;3;cyclist;out;24\n\n").replace("\n", line_end).encode()
    path = tmp_path / "x.csv"
    path.write_bytes(gzip.compress(text) if packed else text)
    assert import_eco_counter([path], tmp_path / "o").passages == 1
    assert read_back(tmp_path / "o") == [("2024-02-19 04:33:24", -1, 24)]


def test_columns_may_stand_in_any_order_and_two_may_be_missing(tmp_path: Path) -> None:
    counts, got = imported(tmp_path, "24;in;2;19.02.2024 05:33:24\n", "speed ;direction;lane_id;timestamp\n")
    assert got == [("2024-02-19 04:33:24", 1, 24)]
    assert counts.passages == 1


def test_rows_are_sorted_by_time(tmp_path: Path) -> None:
    rows = "19.02.2024 06:00:00;1;1;cyclist;in;24\n19.02.2024 05:00:00;1;1;cyclist;out;16\n"
    assert [t for t, _, _ in imported(tmp_path, rows)[1]] == ["2024-02-19 04:00:00", "2024-02-19 05:00:00"]


def test_six_kilometres_an_hour_and_less_are_counted_as_slow(tmp_path: Path) -> None:
    rows = "".join(f"19.02.2024 05:33:{s:02};1;3;cyclist;out;{s}\n" for s in range(10))
    counts, got = imported(tmp_path, rows)
    assert counts.slow == 7
    assert [speed for _, _, speed in got] == [7, 8, 9]


def test_a_rider_over_two_neighbouring_lanes_is_one_and_the_slower_reading_counts(tmp_path: Path) -> None:
    counts, got = imported(tmp_path, "19.02.2024 05:33:24;1;2;cyclist;out;20\n19.02.2024 05:33:24;1;3;cyclist;out;18\n")
    assert got == [("2024-02-19 04:33:24", -1, 18)]
    assert counts.joined == 1


@pytest.mark.parametrize(
    "second",
    [
        "19.02.2024 05:33:24;1;3;cyclist;out;20",  # lanes 1 and 3 are no neighbours
        "19.02.2024 05:33:24;1;2;cyclist;in;20",  # the other direction
        "19.02.2024 05:33:25;1;2;cyclist;out;20",  # a second later
        "19.02.2024 05:33:24;1;1;cyclist;out;18",  # the same lane, another speed
        "19.02.2024 05:33:24;2;2;cyclist;out;20",  # another sensor
    ],
)
def test_everybody_else_stays_a_rider_of_their_own(tmp_path: Path, second: str) -> None:
    assert imported(tmp_path, f"19.02.2024 05:33:24;1;1;cyclist;out;20\n{second}\n")[0].passages == 2


def test_three_rows_side_by_side_are_two_riders_the_nearest_speeds_joined(tmp_path: Path) -> None:
    rows = "".join(f"19.02.2024 05:33:24;1;{lane};cyclist;in;{v}\n" for lane, v in ((1, 16), (2, 24), (3, 24)))
    counts, got = imported(tmp_path, rows)
    assert counts.joined == 1
    assert [speed for _, _, speed in got] == [16, 24]


def test_the_same_row_again_is_a_duplicate_and_not_a_second_rider(tmp_path: Path) -> None:
    row = "19.02.2024 05:33:24;1;3;cyclist;out;24\n"
    counts, got = imported(tmp_path, row * 3)
    assert (counts.duplicates, len(got)) == (2, 1)


def test_other_users_are_counted_and_left_out(tmp_path: Path) -> None:
    rows = "19.02.2024 05:33:24;1;3;pedestrian;out;9\n19.02.2024 05:33:25;1;3;cyclist;out;24\n"
    assert imported(tmp_path, rows)[0].other_users == 1


def test_dates_are_local_and_both_included(tmp_path: Path) -> None:
    rows = "".join(
        f"{t};1;3;cyclist;out;24\n"
        for t in ("19.02.2024 23:59:59", "20.02.2024 00:00:00", "21.02.2024 23:59:59", "22.02.2024 00:00:00")
    )
    counts, got = imported(tmp_path, rows, dates=(date(2024, 2, 20), date(2024, 2, 21)))
    assert [t for t, _, _ in got] == ["2024-02-19 23:00:00", "2024-02-21 22:59:59"]
    assert counts.outside == 2


def test_the_hour_that_comes_twice_is_told_apart_by_the_jump_back(tmp_path: Path) -> None:
    rows = "".join(
        f"27.10.2024 {t};1;3;cyclist;out;24\n"
        for t in ("01:59:00", "02:10:00", "02:50:00", "02:05:00", "02:55:00", "03:01:00")
    )
    counts, got = imported(tmp_path, rows)
    assert [t[11:16] for t, _, _ in got] == ["23:59", "00:10", "00:50", "01:05", "01:55", "02:01"]
    assert counts.ambiguous == 4


def test_an_hour_that_never_was_is_read_with_the_offset_before(tmp_path: Path) -> None:
    counts, got = imported(tmp_path, "31.03.2024 02:30:00;1;3;cyclist;out;24\n")
    assert got == [("2024-03-31 01:30:00", -1, 24)]
    assert counts.nonexistent == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("19.02.2024 05:33:24;1;3;cyclist;out", "5 fields instead of 6"),
        ("19.02.2024 05:33:24;1;3;cyclist;out;24;1", "7 fields instead of 6"),
        ("2024-02-19 05:33:24;1;3;cyclist;out;24", "should read like 19.02.2024"),
        ("19.02.2024;1;3;cyclist;out;24", "should read like 19.02.2024"),
        ("19.02/2024 05:33:24;1;3;cyclist;out;24", "should read like 19.02.2024"),
        ("31.02.2024 05:33:24;1;3;cyclist;out;24", "31.02.2024"),
        ("19.02.2024 25:33:24;1;3;cyclist;out;24", "hour"),
        ("19.02.2024 05:73:24;1;3;cyclist;out;24", "no such minute"),
        ("19.02.0024 05:33:24;1;3;cyclist;out;24", "before 1971"),
        ("19.02.2024 05:33:24;1;x;cyclist;out;24", "lane_id 'x'"),
        ("19.02.2024 05:33:24;1;3;cyclist;across;24", "neither in nor out"),
        ("19.02.2024 05:33:24;1;3;cyclist;out;-3", "speed '-3'"),
        ("19.02.2024 05:33:24;1;3;cyclist;out;240", "speed '240'"),
        ("19.02.2024 05:33:24;1;3;cyclist;out;٣", "speed"),
    ],
)
def test_a_broken_row_is_counted_and_named_and_the_rest_is_kept(tmp_path: Path, row: str, said: str) -> None:
    counts, got = imported(tmp_path, f"{row}\n19.02.2024 06:00:00;1;3;cyclist;out;24\n")
    assert (counts.broken, len(got)) == (1, 1)
    assert "line 2" in counts.first_broken[0]
    assert said in counts.first_broken[0]


def test_only_the_first_broken_rows_are_named(tmp_path: Path) -> None:
    counts, _ = imported(tmp_path, "x\n" * 500 + "19.02.2024 06:00:00;1;3;cyclist;out;24\n")
    assert counts.broken == 500
    assert len(counts.first_broken) == 10


@settings(max_examples=60, deadline=None)
@given(rubbish=st.binary(max_size=300))
def test_any_bytes_after_the_header_are_counted_and_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, rubbish: bytes
) -> None:
    tmp_path = tmp_path_factory.mktemp("r")
    path = tmp_path / "x.csv"
    path.write_bytes(HEADER.encode() + b"19.02.2024 06:00:00;1;3;cyclist;out;24\n" + rubbish)
    counts = import_eco_counter([path], tmp_path / "o")
    assert counts.passages == 1
    assert_complete(counts)


def test_a_damaged_gzip_file_gives_what_came_before_the_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    rows = "".join(f"19.02.2024 {h:02}:{m:02}:{m:02};1;3;cyclist;out;24\n" for h in range(24) for m in range(60))
    path.write_bytes(gzip.compress((HEADER + rows).encode())[:-200])
    counts = import_eco_counter([path], tmp_path / "o")
    assert 100 < counts.passages < 1440
    assert counts.broken == 1
    assert "damaged" in counts.first_broken[0]
    assert_complete(counts)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1 is no counter header"),
        ("a;b;c\n1;2;3\n", "timestamp, lane_id, direction, speed missing"),
        ("timestamp;lane_id;direction\n", "speed missing"),
        (HEADER, "no usable passage in 0 rows"),
        (HEADER + "19.02.2024 05:33:24;1;3;cyclist;out;0\n", "no usable passage in 1 rows: 1 rows: 1 slow"),
    ],
)
def test_a_file_that_gives_nothing_is_refused_and_the_old_output_kept(tmp_path: Path, text: str, said: str) -> None:
    path, out = tmp_path / "x.csv", tmp_path / "o"
    path.write_text(text)
    out.write_text("before")
    with pytest.raises(InputError, match=said):
        import_eco_counter([path], out)
    assert out.read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["o", "x.csv"]


def test_a_missing_file_an_unwritable_place_and_crossed_dates_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(HEADER + "19.02.2024 05:33:24;1;3;cyclist;out;24\n")
    with pytest.raises(InputError, match="cannot be read"):
        import_eco_counter([tmp_path / "none.csv"], tmp_path / "o")
    with pytest.raises(InputError, match="cannot be written"):
        import_eco_counter([path], tmp_path / "nowhere" / "o")
    with pytest.raises(InputError, match="is before the first date"):
        import_eco_counter([path], tmp_path / "o", from_date=date(2024, 2, 2), to_date=date(2024, 2, 1))


def test_several_files_are_merged_by_time_and_never_joined_with_each_other(tmp_path: Path) -> None:
    a, b, out = tmp_path / "A.csv", tmp_path / "B.csv.gz", tmp_path / "o"
    a.write_text(
        HEADER + "19.02.2024 05:00:00;1;1;cyclist;in;24\n20.02.2024 05:00:00;1;1;cyclist;in;24\n", encoding="utf-8-sig"
    )
    b.write_bytes(gzip.compress((HEADER + "19/02/2024 05:00:00;1;2;cyclist;in;24\n").encode()))
    seen: list[tuple[Path, int]] = []
    counts = import_eco_counter([a, b], out, progress=lambda path, rows: seen.append((path, rows)))
    assert counts == Counts(rows=3, passages=3)
    assert seen == [(a, 2), (b, 1)]
    with PassageReader(out) as reader:
        header = reader.header
    assert (header.site, header.from_date, header.to_date) == ("A + B", "2024-02-19", "2024-02-20")
    assert header.counts["rows"] == 3
    assert [t[:10] for t, _, _ in read_back(out)] == ["2024-02-19", "2024-02-19", "2024-02-20"]


def test_the_tally_reads_like_a_sentence() -> None:
    assert tally(Counts(rows=9, passages=6, joined=1, slow=2)) == "9 rows: 6 passages, 1 joined, 2 slow"


@pytest.mark.recordings
@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings: LEEZE_RECORDINGS or ../shared/data, see docs")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Abschnitt_6", Counts(rows=14182, slow=334, duplicates=867, joined=807, passages=12174)),
        ("Dingstiege", Counts(rows=32737, slow=402, duplicates=27, joined=1286, passages=31022)),
    ],
)
def test_the_four_recorded_weeks_are_imported_whole(tmp_path: Path, name: str, expected: Counts) -> None:
    path = RECORDINGS / f"May_data_Kanalpromenade_{name}.csv.gz"
    counts = import_eco_counter([path], tmp_path / "o")
    assert counts == expected
    assert_complete(counts)
    reader = PassageReader(tmp_path / "o")
    assert (reader.header.from_date, reader.header.to_date) == ("2024-02-19", "2024-03-17")
    passages = list(reader)
    assert len(passages) == counts.passages
    # The counter says only floor(144/n) km/h.
    assert {p.speed_kmh for p in passages} <= {144 // n for n in range(1, 21)}
    assert msgspec.structs.asdict(counts)["rows"] == reader.header.counts["rows"]
