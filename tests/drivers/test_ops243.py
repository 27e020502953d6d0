"""OmniPreSense OPS243-A: the manual's lines, real lines, any bytes in any pieces."""

from __future__ import annotations

import csv
import json
import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.ops243 import (
    MAX_LINE_BYTES,
    UNITS,
    CommandStream,
    Event,
    Ops243Stream,
    PassedObject,
    Reply,
    Speed,
    decimal,
    decode_events,
    encode_command,
    encode_json,
    encode_plain,
    encode_reply,
    mm_s,
)

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data")) / "ops243"
needs_real = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings ops243 (LEEZE_RECORDINGS)")

OBJECT = (
    b'{"classifier" : "object_outbound", "end_time" : "1750719826.467", "start_time" : "1750719826.031",'
    b' "delta_time_msec" : 736, "max_speed_mps" : 13.39, "min_speed_mps" : 11.33, "max_magnitude" : 55,'
    b' "avg_magnitude" : 36, "total_frames" : 7, "frames_per_mps" : 0.5228, "length_m" : 9.86, "speed_change" : 2.799}'
)
PASSED = PassedObject(True, 1_750_719_826_031, 1_750_719_826_467, 13_390, 11_330, 9_860, 55_000)

hundredths = st.integers(-19_999, 19_999).map(lambda n: n * 10_000)
speeds = st.one_of(
    st.builds(Speed, hundredths),
    st.builds(Speed, hundredths, st.integers(0, 99_999).map(lambda n: 10 * n), st.integers(0, 1_750_719_826_467)),
)
lines = st.one_of(
    speeds.map(encode_plain),
    speeds.map(encode_json),
    st.sampled_from([OBJECT + b"\r\n", encode_reply({"Units": "m-per-sec"}), b"\r\n", b"\n"]),
)
rubbish = st.one_of(st.binary(max_size=20), st.sampled_from([b'{"speed":', b"12", b",", b"\xff{", OBJECT[:40]]))
anything = st.lists(st.one_of(lines, rubbish), max_size=10).map(b"".join)


def feed(data: bytes) -> tuple[list[Event], Ops243Stream]:
    stream = Ops243Stream()
    return stream.feed(data), stream


@pytest.mark.parametrize(
    ("line", "event"),
    [
        # AN-010-J: a plain line, negative goes out
        (b"-3.45", Speed(-3_450_000)),
        (b"7", Speed(7_000_000)),
        # OPS242 user manual, page 8, OJ
        (b'{"speed":0.58, "direction":"inbound", "time":105, "tick":135}', Speed(580_000, None, 105_000)),
        # the same, OT: 137 seconds and 429 milliseconds, 3.6 m/s
        (b"137.429,3.6", Speed(3_600_000)),
        # a public recording with OT and OM
        (b"3689529.139,27.34419,-3.45624", Speed(-3_456_240, 27_344, 3_689_529_139)),
        (b" 12.5 , 1 , 2", Speed(2_000_000, 1_000, 12_500)),
        # README of sthysel/ops241: a real OPS241 with OJ and OM
        (b'{"magnitude":"467.72","speed":"-0.25","distance":"0.00"}', Speed(-250_000, 467_720)),
        (b'{"magnitude":"118.74","speed":"0.45","distance":"0.00"}', Speed(450_000, 118_740)),
        (b'{"OutputFeature":"J"}', Reply({"OutputFeature": "J"})),
        (b'{"SamplingRate":5000, "resolution":0.0995}', Reply({"SamplingRate": 5000, "resolution": 0.0995})),
        # OPS243 user manual UM-003-A, pages 7 and 8
        (b'{"Units":"m-per-sec"}', Reply({"Units": "m-per-sec"})),
        (b'{"RequiredMinSpeed":"0.000"}', Reply({"RequiredMinSpeed": "0.000"})),
        # an OPS9243 (velocity.report)
        (OBJECT, PASSED),
        (b'{"classifier":"object_inbound"}', PassedObject(False, None, None, None, None, None, None)),
    ],
)
def test_a_line_of_the_manual_or_of_a_real_part_is_read(line: bytes, event: Event) -> None:
    for end in (b"\r\n", b"\n", b"\r"):
        events, stream = feed(line + end)
        assert events == [event]
        assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)


def test_a_direction_in_words_decides_the_sign() -> None:
    for said in ("0.5", "-0.5"):
        assert feed(b'{"speed":%b,"direction":"outbound"}\n' % said.encode())[0] == [Speed(-500_000)]
        assert feed(b'{"speed":%b,"direction":"inbound"}\n' % said.encode())[0] == [Speed(500_000)]
        assert feed(b'{"speed":%b,"direction":"?"}\n' % said.encode())[0] == [Speed(round(float(said) * 1e6))]


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"1.2.3",
        b"1,2,3,4",
        b",1",
        b"1e5",
        b"nan",
        b"--1",
        b"12345678901",
        b"\xb2",
        b'{"speed":"fast"}',
        b'{"speed":"nan"}',
        b'{"speed":"inf"}',
        b'{"speed":"1e11"}',
        b'{"speed":true}',
        b'{"speed":null}',
        b'{"speed":[1,2]}',
        b'{"speed":1e300}',
        b'{"speed":1',
        b"[1]",
        b'{"a":"\xff"}',
        b'{"a":' + b"[" * 20 + b"]" * 20 + b"}",
        b"{" * 900,
        b"7" * (MAX_LINE_BYTES + 1),
        b'{"a":"' + b"x" * MAX_LINE_BYTES + b'"}',
    ],
)
def test_a_line_that_makes_no_sense_is_skipped_to_its_end_and_counted(line: bytes) -> None:
    stream, single = Ops243Stream(), Ops243Stream()
    data = line + b"\r\n3.00\r\n"
    assert stream.feed(data) == [Speed(3_000_000)]
    assert [event for n in range(len(data)) for event in single.feed(data[n : n + 1])] == [Speed(3_000_000)]
    assert stream.skipped_bytes == single.skipped_bytes == len(line)


def test_json_behind_rubbish_on_its_line_is_still_taken_but_half_a_number_is_not_told_from_a_whole_one() -> None:
    events, stream = feed(b'\xff\x00{"spe{"speed":"1.5"}\r\n')
    assert (events, stream.skipped_bytes) == ([Speed(1_500_000)], 7)
    assert feed(b"\xff1.5\r\n")[0] == []


def test_numbers_that_cannot_be_are_left_out_of_a_line_that_else_is_sound() -> None:
    assert feed(b'{"speed":1,"magnitude":"?","time":"1e99"}\n')[0] == [Speed(1_000_000)]


def test_the_end_of_the_wire_or_of_patience_skips_half_a_line() -> None:
    stream = Ops243Stream()
    stream.feed(b"12.")
    stream.finish()
    assert (stream.skipped_bytes, stream.pending_bytes) == (3, 0)
    stream.feed(b"x" * 2000)
    stream.finish()
    assert stream.feed(b"1.00\r\n") == [Speed(1_000_000)]
    assert stream.skipped_bytes == 2003


@pytest.mark.parametrize(
    ("command", "micro", "expected"),
    [
        ("UM", -3_456_240, -3_456),
        ("UM", 500, 1),
        ("UM", 499, 0),
        ("UC", 85_400_000, 854),
        ("UK", 3_600_000, 1_000),
        ("UF", 1_000_000, 305),
        ("US", 1_000_000, 447),
        ("US", -1_000_000, -447),
    ],
)
def test_speeds_become_whole_millimetres_a_second(command: str, micro: int, expected: int) -> None:
    assert mm_s(micro, UNITS[command]) == expected


def test_commands_are_two_characters_and_those_with_a_number_end_with_a_return() -> None:
    assert encode_command("UM") == b"UM"
    assert encode_command("R>", 1) == b"R>1\r"
    assert encode_command("C=", 10) == b"C=10\r"


@pytest.mark.parametrize(
    ("word", "number", "said"),
    [
        ("U", None, "two characters"),
        ("U ", None, "two"),
        ("Uä", None, "two"),
        ("R>", None, "a number"),
        ("UM", 1, "no"),
    ],
)
def test_what_is_no_command_is_not_written(word: str, number: int | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        encode_command(word, number)


def test_decimals_are_rounded_as_a_part_prints_them() -> None:
    printed = ["-3", "-3.5", "-3.46", "-3.456", "-3.4562", "-3.45624"]
    assert [decimal(-3_456_240, places) for places in range(6)] == printed


@given(st.lists(speeds, max_size=6), st.booleans())
def test_what_is_encoded_is_read_back(wanted: list[Speed], plain: bool) -> None:
    events, stream = feed(b"".join((encode_plain if plain else encode_json)(speed) for speed in wanted))
    assert events == wanted
    assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)


@settings(max_examples=200)
@given(anything, st.lists(st.integers(0, 200), max_size=6), st.booleans())
def test_cut_anywhere_the_events_are_the_same_also_across_a_snapshot(data: bytes, cuts: list[int], saved: bool) -> None:
    stream, whole = Ops243Stream(), Ops243Stream()
    events = []
    for low, high in pairwise([0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]):
        events += stream.feed(data[low:high])
        if saved:
            state = json.loads(json.dumps(stream.snapshot()))
            stream = Ops243Stream()
            stream.restore(state)
    assert events == whole.feed(data)
    assert stream.snapshot() == whole.snapshot()


@given(st.lists(st.binary(max_size=600), max_size=8))
def test_any_bytes_raise_nothing_and_hold_at_most_a_line(chunks: list[bytes]) -> None:
    stream = Ops243Stream()
    for chunk in chunks:
        stream.feed(chunk)
        assert stream.pending_bytes <= MAX_LINE_BYTES


@given(st.binary(max_size=40), speeds, speeds)
def test_after_any_rubbish_the_second_line_is_found_at_the_latest(before: bytes, first: Speed, second: Speed) -> None:
    events, _ = feed(before + encode_plain(first) + encode_plain(second))
    assert events[-1] == second


@given(st.lists(st.sampled_from(["OJ", "UM", "R|", "F2", "??", "A!", "R>1", "C=1750719826", "T=-2"]), max_size=8))
def test_the_far_end_reads_commands_without_any_end_between_them(wanted: list[str]) -> None:
    data = b"".join(
        encode_command(word[:2], int(word[2:]) if len(word) > 2 else None) if word[1] in "><=" else word.encode()
        for word in wanted
    )
    whole, single, saved = CommandStream(), CommandStream(), CommandStream()
    assert whole.feed(data) == wanted
    assert [one for n in range(len(data)) for one in single.feed(data[n : n + 1])] == wanted
    assert single.snapshot() == whole.snapshot() == {"rest": "", "skipped_bytes": 0}
    saved.feed(data[:3])
    whole.restore(json.loads(json.dumps(saved.snapshot())))
    assert whole.feed(data[3:]) == saved.feed(data[3:])


@given(st.binary(max_size=60))
def test_the_far_end_takes_any_bytes(data: bytes) -> None:
    stream = CommandStream()
    commands = stream.feed(data)
    assert all(2 <= len(one) <= 14 for one in commands)
    assert len(bytes.fromhex(str(stream.snapshot()["rest"]))) < 16


def test_a_command_whose_number_never_ends_is_given_up() -> None:
    stream = CommandStream()
    assert stream.feed(b"\x00R>" + b"1" * 13 + b"\rUM")[-1] == "UM"
    assert stream.skipped_bytes > 0


def test_a_recording_becomes_json_able_events_and_a_count_of_skipped_bytes() -> None:
    events, skipped = decode_events(b'-3.45\r\nrubbish\r\n{"Units":"mph"}\r\n' + OBJECT + b"\r\n1.5")
    assert skipped == 7
    assert json.loads(json.dumps(events)) == events
    assert [event["type"] for event in events] == ["speed", "reply", "object", "speed"]
    assert events[0] == {"type": "speed", "speed_micro": -3_450_000, "magnitude_milli": None, "time_ms": None}
    assert events[1] == {"type": "reply", "body": {"Units": "mph"}}


@pytest.mark.recordings
@needs_real
def test_the_recorded_lines_of_velocity_report_are_read_whole() -> None:
    """Lines as they came, with OT and OM; and one object of an OPS9243."""
    events, skipped = decode_events((RECORDINGS / "velocity-report_fixtures.csv").read_bytes())
    assert skipped == 0
    assert [(e["time_ms"], e["speed_micro"]) for e in events[:2]] == [
        (3_689_529_139, -3_456_240),
        (3_689_529_468, -2_304_160),
    ]
    assert len(events) == 9
    stream = Ops243Stream()
    assert stream.feed((RECORDINGS / "velocity-report_fixture.jsonl").read_bytes() + b"\n") == [PASSED]
    assert stream.skipped_bytes == 0


@pytest.mark.recordings
@needs_real
def test_the_286_rows_of_the_log_of_wwjd1234_go_onto_the_wire_and_come_back() -> None:
    """This file is no wire's: its program has put time, speed and magnitude in that order under a heading.

    Nothing in it names the unit. Its speeds are whole multiples of 12.2, at 16 reports a second: in cm/s (UC) that is
    the resolution of 0.12 m/s of 1024 samples at 20 kHz, in any other unit it is none that the part has.
    """
    name = "wwjd1234_data_test_data_speed_and_magnitude_fsc.csv"
    with (RECORDINGS / name).open(newline="") as file:
        rows = [{key: float(said) for key, said in row.items()} for row in csv.DictReader(file)]
    assert len(rows) == 286
    steps = [abs(row["Speed"]) / 12.195 for row in rows]
    assert max(abs(step - round(step)) for step in steps) < 0.01
    wanted = [
        Speed(*(round(row[key] * scale) for key, scale in (("Speed", 1_000_000), ("Magnitude", 1000), ("Time", 1000))))
        for row in rows
    ]
    events, stream = feed(b"".join(map(encode_plain, wanted)))
    assert events == wanted
    assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)
    assert max(abs(mm_s(speed.speed_micro, UNITS["UC"])) for speed in wanted) < 5_000
    as_it_is, skipped = decode_events((RECORDINGS / name).read_bytes())
    assert len(as_it_is) == 286  # every row reads as a line, with speed and magnitude exchanged
    assert skipped == len("Time,Speed,Magnitude")
