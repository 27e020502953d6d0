"""Pieces of traces, several as one, and one without its date."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.recording.events import Line, Repeated, Snapshot, Wall, Wire, WireBytes
from drivers.recording.provenance import Provenance
from drivers.recording.reader import TraceReader
from hil.cli import main
from hil.trace_edit import TraceCopy, anonymise, cut, merge

S = 1_000_000_000
IDLE = bytes.fromhex("f4f3f2f10000f8f7f6f5")
NOON_NS = 1_771_588_800 * S


def trace(path: Path, board: str = "west", *, began_utc_ns: int = NOON_NS, content: str = "ld2451") -> Path:
    """Ten seconds: bytes each second, idle frames from 2 to 8 s, a bit rate and a wall time at the start."""
    about = Provenance(version="0.1.0", revision="abc", base_ns=began_utc_ns, created_utc="2026-02-20T12:00:00+00:00")
    with TraceCopy(path, about, [Wire(board, "radar-1", content, IDLE), Wire(board, "dali", "dali")]) as copy:
        copy.put(Snapshot(0, board, {"ticked_ns": 0}))
        copy.put(Wall(0, began_utc_ns, True))
        copy.put(Line(0, board, "dali", 19_200, "N", 1.0))
        for second in range(10):
            copy.put(WireBytes(second * S, board, "dali", True, bytes([second])))
        copy.put(Repeated(8 * S, board, "radar-1", IDLE, 2 * S, 8 * S, 7))
        copy.put(WireBytes(10 * S, board, "dali", False, b"end"))
    return path


def test_a_piece_holds_what_happened_in_it_and_nothing_else(tmp_path: Path) -> None:
    cut(trace(tmp_path / "whole.mcap"), tmp_path / "piece.mcap", from_s=3, to_s=6)
    events = list(TraceReader(tmp_path / "piece.mcap").events())
    assert [event.data[0] for event in events if isinstance(event, WireBytes)] == [3, 4, 5]


def test_a_piece_opens_with_the_bit_rate_and_the_wall_time_that_hold_in_it(tmp_path: Path) -> None:
    cut(trace(tmp_path / "whole.mcap"), tmp_path / "piece.mcap", from_s=3)
    events = list(TraceReader(tmp_path / "piece.mcap").events())
    assert {type(event) for event in events[:2]} == {Line, Wall}


def test_a_run_of_idle_frames_is_shortened_to_the_piece(tmp_path: Path) -> None:
    cut(trace(tmp_path / "whole.mcap"), tmp_path / "piece.mcap", from_s=3.5, to_s=6.5)
    runs = [event for event in TraceReader(tmp_path / "piece.mcap").events() if isinstance(event, Repeated)]
    assert [(run.first_ns, run.last_ns, run.count) for run in runs] == [(4 * S, 6 * S, 3)]


def test_what_is_true_of_the_whole_file_alone_is_left_out_of_a_piece_and_counted(tmp_path: Path) -> None:
    whole = trace(tmp_path / "whole.mcap")
    with TraceCopy(tmp_path / "late.mcap", TraceReader(whole).provenance, TraceReader(whole).wires) as copy:
        for event in TraceReader(whole).events():
            copy.put(event)
        copy.put(Snapshot(11 * S, "west", {}))
    assert cut(tmp_path / "late.mcap", tmp_path / "piece.mcap", from_s=5).left_out == {"Snapshot": 1}


def test_a_trace_cut_nowhere_has_the_same_digest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = trace(tmp_path / "whole.mcap")
    assert main(["cut", str(whole), "-o", str(tmp_path / "same.mcap")]) == 0
    assert main(["trace", "digest", str(whole), str(tmp_path / "same.mcap")]) == 0
    assert "the same bytes" in capsys.readouterr().out


def test_pieces_of_a_trace_merged_are_refused_because_a_wire_has_one_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = trace(tmp_path / "whole.mcap")
    other = trace(tmp_path / "other.mcap")
    assert main(["merge", str(whole), str(other), "-o", str(tmp_path / "both.mcap")]) == 2
    assert "west/dali is in" in capsys.readouterr().err


def test_two_boards_are_brought_together_by_their_wall_times(tmp_path: Path) -> None:
    west = trace(tmp_path / "west.mcap")
    east = trace(tmp_path / "east.mcap", "east", began_utc_ns=NOON_NS + S // 2)
    merge([west, east], tmp_path / "both.mcap")
    sent = list(TraceReader(tmp_path / "both.mcap").events(["/wire/*/tx"]))
    assert [(event.board, event.t_ns) for event in sent if isinstance(event, WireBytes)][:4] == [
        ("west", 0),
        ("east", S // 2),
        ("west", S),
        ("east", S + S // 2),
    ]


def test_a_file_can_be_shifted_against_the_first(tmp_path: Path) -> None:
    west, east = trace(tmp_path / "west.mcap"), trace(tmp_path / "east.mcap", "east")
    merge([west, east], tmp_path / "both.mcap", shifts_s=[0, 2.25])
    events = TraceReader(tmp_path / "both.mcap").events(["/wire/east/dali/tx"])
    assert next(events).t_ns == 2 * S + S // 4


def test_an_anonymised_trace_keeps_bytes_and_time_of_day_but_neither_date_nor_origin(tmp_path: Path) -> None:
    whole = trace(tmp_path / "whole.mcap")
    anonymise(whole, tmp_path / "anywhen.mcap", weeks=3)
    before, after = TraceReader(whole), TraceReader(tmp_path / "anywhen.mcap")
    assert [e.data for e in before.events() if isinstance(e, WireBytes)] == [
        e.data for e in after.events() if isinstance(e, WireBytes)
    ]
    walls = [event.utc_ns for event in after.events(["/wall"]) if isinstance(event, Wall)]
    assert walls == [NOON_NS - 21 * 86_400 * S]
    assert after.provenance.base_ns == walls[0]
    assert (after.provenance.revision, after.provenance.created_utc) == (None, "")
    assert not [event for event in after.events() if isinstance(event, Snapshot)]


def test_a_feed_that_carries_dates_in_its_bytes_is_not_called_anonymous(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    feed = trace(tmp_path / "feed.mcap", content="spat-xml")
    assert main(["anonymise", str(feed), "-o", str(tmp_path / "out.mcap")]) == 2
    assert "carries dates" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cut", "whole.mcap", "-o", "whole.mcap"], "is what is read"),
        (["cut", "whole.mcap", "--from", "99", "-o", "out.mcap"], "ends at second 10.000"),
        (["cut", "whole.mcap", "--from", "5", "--to", "5", "-o", "out.mcap"], "is not after"),
        (["cut", "none.mcap", "-o", "out.mcap"], "none.mcap"),
        (["anonymise", "whole.mcap", "--weeks", "520000", "-o", "out.mcap"], "--weeks"),
        (["vcd", "whole.mcap", "-o", "whole.mcap"], "is what is read"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    trace(tmp_path / "whole.mcap")
    assert main(words) == 2
    assert said in capsys.readouterr().err
