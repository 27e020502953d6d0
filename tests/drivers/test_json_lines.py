"""Messages between controllers: objects there and back, any bytes in any pieces, lines that are too long."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.json_lines import MAX_LINE_BYTES, JsonLines, encode

RIDER = {"kind": "rider", "id": 7, "x_mm": 150_000, "v_mm_s": 5_500, "age_ms": 12}
LINE = b'{"kind":"rider","id":7,"x_mm":150000,"v_mm_s":5500,"age_ms":12}\n'

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
bodies = st.dictionaries(st.text(max_size=8), values, max_size=4)
anything = st.lists(
    st.one_of(
        st.binary(max_size=30),
        bodies.map(encode),
        st.sampled_from([b"\n", b'{"a":1}', b"[" * 50]),
        st.integers(MAX_LINE_BYTES - 2, MAX_LINE_BYTES + 2).map(lambda size: b" " * size),
    ),
    max_size=6,
).map(b"".join)


def object_of(size: int) -> bytes:
    """One object of `size` bytes, without the newline."""
    return b'{"a":"' + b"x" * (size - 8) + b'"}'


def test_a_message_is_one_line_with_its_keys_in_their_order() -> None:
    assert encode(RIDER) == LINE
    assert JsonLines().feed(LINE) == [RIDER]


@given(st.lists(bodies, max_size=5))
def test_what_is_encoded_is_read_back(wanted: list[dict[str, object]]) -> None:
    stream = JsonLines()
    assert stream.feed(b"".join(map(encode, wanted))) == wanted
    assert stream.skipped_bytes == 0


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[1]",
        b"7",
        b"{",
        b"rubbish",
        b'{"a":1}{"b":2}',
        b'{"a":1e400}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":NaN}',
        b"[" * 4000,
        b'{"a":' * 800,
        b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"a":' + b"[" * 128 + b"]" * 128 + b"}",
    ],
)
def test_a_line_that_is_no_object_is_skipped_with_its_newline_and_the_next_is_read(line: bytes) -> None:
    stream = JsonLines()
    assert stream.feed(line + b"\n" + LINE) == [RIDER]
    assert stream.skipped_bytes == len(line) + 1


@pytest.mark.parametrize("pieces", [1, 2, 100])
@pytest.mark.parametrize(("size", "read"), [(MAX_LINE_BYTES, True), (MAX_LINE_BYTES + 1, False), (20_000, False)])
def test_a_line_above_4096_bytes_is_skipped_however_it_comes(size: int, read: bool, pieces: int) -> None:
    stream, got = JsonLines(), []
    data = object_of(size) + b"\n" + LINE
    step = -(-len(data) // pieces)
    for at in range(0, len(data), step):
        got += stream.feed(data[at : at + step])
    assert got[-1] == RIDER
    assert len(got) == 1 + read
    assert stream.skipped_bytes == (0 if read else size + 1)


def test_the_longest_line_may_wait_for_its_newline() -> None:
    stream = JsonLines()
    assert stream.feed(object_of(MAX_LINE_BYTES)) == []
    assert len(stream.feed(b"\n")) == 1
    assert stream.skipped_bytes == 0


@given(anything, st.data())
def test_cut_anywhere_the_same_objects_come_with_the_same_counts(data: bytes, draw: st.DataObject) -> None:
    whole, pieces = JsonLines(), JsonLines()
    wanted = whole.feed(data)
    cuts = sorted(draw.draw(st.sets(st.integers(0, len(data)), max_size=12)))
    got = [b for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) for b in pieces.feed(data[start:end])]
    assert got == wanted
    assert pieces.snapshot() == whole.snapshot()


@given(st.lists(anything, max_size=6))
def test_any_bytes_raise_nothing_and_at_most_a_line_is_held(chunks: list[bytes]) -> None:
    stream = JsonLines()
    for chunk in chunks:
        stream.feed(chunk)
        assert len(stream.snapshot()["pending"]) <= 2 * MAX_LINE_BYTES
    stream.feed(b"\n")
    assert stream.feed(LINE) == [RIDER]


@given(anything, anything)
def test_a_restored_stream_goes_on_where_it_stood(before: bytes, after: bytes) -> None:
    stream, other = JsonLines(), JsonLines()
    stream.feed(before)
    other.restore(json.loads(json.dumps(stream.snapshot())))
    assert other.feed(after) == stream.feed(after)
    assert other.snapshot() == stream.snapshot()
