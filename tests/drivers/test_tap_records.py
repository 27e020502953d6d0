"""The format of a service's tap: what is encoded is read back, cut anywhere; what is none of it is said."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from drivers.links.tap_records import (
    Hello,
    Line,
    Lost,
    Passed,
    Record,
    RecordStream,
    Repeated,
    TapWire,
    encode_hello,
    encode_line,
    encode_lost,
    encode_passed,
    encode_repeated,
)

WIRES = (TapWire("dali", "uart", "dali", 19_200), TapWire("radar-1", "uart", "ld2451", 115_200))

number16, number32, number64 = (st.integers(0, (1 << bits) - 1) for bits in (16, 32, 64))
records = st.one_of(
    st.builds(Passed, number16, st.booleans(), number64, st.binary(max_size=40)),
    st.builds(Repeated, number16, number64, number64, number32, st.binary(max_size=40)),
    st.builds(Line, number16, number64, number32, st.sampled_from("NEOMS"), st.sampled_from([1.0, 1.5, 2.0])),
    st.builds(Lost, number64, number64, number64),
    st.builds(Hello, st.just(1), st.text(max_size=8), st.just(WIRES)),
)


def encoded(record: Record) -> bytes:
    match record:
        case Hello():
            return encode_hello(record.board, record.wires)
        case Passed():
            return encode_passed(record.wire, record.outward, record.data, record.t_ns)
        case Repeated():
            return encode_repeated(record.wire, record.frame, record.first_ns, record.last_ns, record.count)
        case Line():
            return encode_line(record.wire, record.baud, record.parity, record.stopbits, record.t_ns)
        case Lost():
            return encode_lost(record.t_ns, record.records, record.bytes_b)


@given(st.lists(records, max_size=6), st.data())
def test_records_come_back_as_they_were_however_they_are_cut(sent: list[Record], data: st.DataObject) -> None:
    wire = b"".join(map(encoded, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=5)))
    stream, found = RecordStream(), []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        found += stream.feed(wire[start:end])
    assert found == sent


def test_a_kind_that_is_not_known_yet_is_passed_over() -> None:
    later = b"\x04\x00\x00\x00\x63abc"
    assert RecordStream().feed(later + encode_lost(1, 2, 3)) == [Lost(1, 2, 3)]


@given(st.binary(max_size=80))
def test_any_bytes_are_records_or_a_value_error(rubbish: bytes) -> None:
    with contextlib.suppress(ValueError):
        RecordStream().feed(rubbish)
