"""The records between a controller and its panel process: exact, resynchronising, bounded, safe on any bytes."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.panel_frame import MAX_FRAME_BYTES, Motion, Picture, dark
from drivers.codecs.panel_frame import encode as encode_frame
from drivers.codecs.panel_stream import AGAIN, FRAME, KEEP_ALIVE, PanelStream, Record, encode, mark
from drivers.panels.show import Show
from drivers.units import NS_PER_MS, NS_PER_S

RED = encode_frame(Picture(2, 1, b"\xff\x00\x00\x00\x00\x00"))
RUNNING = encode_frame(Picture(2, 1, b"\xff\x00\x00\x00\x00\x00", (Motion(0, 0, 2, 1, 1, 0, 1),)))
LIT, DARK = b"\xff\x00\x00\x00\x00\x00", bytes(6)

records = st.one_of(
    st.builds(Record, st.just(FRAME), st.binary(max_size=40)),
    st.builds(Record, st.just(KEEP_ALIVE), st.binary(min_size=4, max_size=4)),
    st.just(Record(AGAIN, b"")),
)


def test_a_record_is_written_as_the_paper_says() -> None:
    told = b"K\x04\x00\x00\x01\x02\x03\x04"
    assert encode(KEEP_ALIVE, b"\x01\x02\x03\x04") == b"LS" + told + zlib.crc32(told).to_bytes(4, "little")
    assert mark(b"123456789") == bytes.fromhex("26 39 f4 cb")  # the check value of CRC-32, least byte first


@pytest.mark.parametrize(("kind", "body"), [(b"X", b""), (b"FK", b""), (FRAME, bytes(MAX_FRAME_BYTES + 1))])
def test_what_is_no_record_is_not_encoded(kind: bytes, body: bytes) -> None:
    with pytest.raises(ValueError, match="kinds are F, K, A"):
        encode(kind, body)


@given(st.lists(records, max_size=6), st.data())
@settings(max_examples=80)
def test_records_come_out_whole_however_they_are_cut(said: list[Record], data: st.DataObject) -> None:
    stream, wire, got = PanelStream(), b"".join(encode(each.kind, each.body) for each in said), []
    while wire:
        cut = data.draw(st.integers(1, len(wire)))
        got += stream.feed(wire[:cut])
        wire = wire[cut:]
    assert got == said
    assert (stream.skipped_bytes, stream.bad_records) == (0, 0)


@given(st.binary(max_size=80).filter(lambda noise: b"L" not in noise), records, records)
@settings(max_examples=80)
def test_noise_is_skipped_counted_and_costs_no_record_behind_it(noise: bytes, first: Record, second: Record) -> None:
    stream = PanelStream()
    wire = encode(first.kind, first.body) + noise + encode(second.kind, second.body)
    assert stream.feed(wire) == [first, second]
    assert stream.skipped_bytes == len(noise)


@given(records, st.data())
@settings(max_examples=80)
def test_a_flipped_bit_never_makes_another_record(said: Record, data: st.DataObject) -> None:
    wire = bytearray(encode(said.kind, said.body))
    wire[data.draw(st.integers(0, len(wire) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert PanelStream().feed(bytes(wire)) == []


def test_behind_a_broken_record_reading_goes_on() -> None:
    wire = bytearray(encode(KEEP_ALIVE, b"abcd"))
    wire[-1] ^= 1
    stream = PanelStream()
    assert stream.feed(bytes(wire) + encode(AGAIN)) == [Record(AGAIN, b"")]
    assert (stream.bad_records, stream.skipped_bytes) == (1, len(wire))


@given(st.lists(st.binary(max_size=60).map(lambda tail: b"LS" + tail), max_size=10))
@settings(max_examples=100)
def test_any_bytes_are_survived_and_what_is_held_stays_bounded(chunks: list[bytes]) -> None:
    show, now_ns = Show(2, 1), 0
    for chunk in chunks:
        show.hear(chunk, now_ns)
        assert show.pixels(now_ns) == DARK
        now_ns += 100 * NS_PER_MS


def test_a_record_that_never_ends_does_not_keep_the_next_ones_out() -> None:
    show = Show(2, 1)
    show.hear(encode(FRAME, RED), 0)
    show.hear(b"LSF" + MAX_FRAME_BYTES.to_bytes(3, "little"), 1)
    show.hear(encode(KEEP_ALIVE, mark(RED)), 2)  # taken for the body of that record
    assert show.pixels(NS_PER_S - 1) == LIT
    assert show.pixels(NS_PER_S) == DARK  # nobody stood by it; what was held is given up
    show.hear(encode(FRAME, RED), NS_PER_S)
    assert show.pixels(NS_PER_S) == LIT


def test_a_frame_stands_until_its_time_without_a_keep_alive_is_over() -> None:
    show = Show(2, 1, 1000 * NS_PER_MS)
    assert show.pixels(0) == DARK
    assert show.hear(encode(FRAME, RED), 10) == b""
    assert show.due_ns(10) == 10 + NS_PER_S
    assert show.pixels(9 + NS_PER_S) == LIT
    assert show.hear(encode(KEEP_ALIVE, mark(RED)), 10 + NS_PER_S // 2) == b""
    assert show.pixels(9 + NS_PER_S * 3 // 2) == LIT
    assert show.pixels(10 + NS_PER_S * 3 // 2) == DARK
    assert show.figures()["blanked"] == 1


def test_a_keep_alive_for_another_frame_darkens_at_once_and_asks_for_it() -> None:
    show = Show(2, 1)
    show.hear(encode(FRAME, RED), 0)
    assert show.hear(encode(KEEP_ALIVE, mark(RUNNING)), 1) == encode(AGAIN)
    assert show.pixels(1) == DARK
    show.hear(encode(FRAME, RUNNING), 2)
    assert show.pixels(2) == LIT


@pytest.mark.parametrize("frame", [b"rubbish", dark(3, 1), dark(2, 2), b""])
def test_a_frame_that_is_none_or_of_another_size_darkens(frame: bytes) -> None:
    show = Show(2, 1)
    show.hear(encode(FRAME, RED), 0)
    show.hear(encode(FRAME, frame), 1)
    assert show.pixels(1) == DARK
    assert show.figures()["refused"] == 1


def test_who_leaves_takes_his_picture_with_him_and_who_comes_is_asked_for_one() -> None:
    show = Show(2, 1)
    show.hear(encode(FRAME, RED), 0)
    show.leave()
    assert show.pixels(1) == DARK
    assert show.hear(encode(KEEP_ALIVE, mark(RED)), 2) == encode(AGAIN)
    assert show.welcome() == encode(AGAIN)


def test_a_moving_picture_is_due_at_each_thirtieth_of_a_second() -> None:
    show = Show(2, 1)
    show.hear(encode(FRAME, RUNNING), 0)
    seen, now_ns = [], 0
    for _ in range(31):
        seen.append(show.pixels(now_ns))
        show.hear(encode(KEEP_ALIVE, mark(RUNNING)), now_ns)
        now_ns = show.due_ns(now_ns)
    assert seen == [LIT if n % 2 == 0 else LIT[3:] + LIT[:3] for n in range(31)]
    assert now_ns == -(-31 * NS_PER_S // 30)


def test_a_panel_that_hangs_the_other_way_up_is_turned_by_half() -> None:
    show = Show(2, 1, flip=True)
    show.hear(encode(FRAME, encode_frame(Picture(2, 1, b"\x01\x02\x03\x04\x05\x06"))), 0)
    assert show.pixels(0) == b"\x04\x05\x06\x01\x02\x03"
