"""Modbus transactions: the vendors' frames, replies among rubbish, and what is wrong with what is no reply."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from drivers.codecs import modbus_rtu
from drivers.codecs.modbus_rtu import (
    EXCEPTIONS,
    MAX_FRAME_BYTES,
    Answer,
    ExceptionReply,
    Incomplete,
    Transaction,
    character_bits,
    encode_request,
    find_reply,
    is_damaged,
    parse_reply,
    read,
    silence_ns,
    wire_ns,
    write,
    write_coil,
    write_coils,
    write_many,
)
from drivers.errors import BadFrame, DriverError, NoReply
from hil.peers.modbus_models import ModbusModel
from hil.peers.modbus_slaves import with_crc

ASKED = read(0x0C, 5)
GOOD = bytes.fromhex("0c030230394197")
REFUSED = with_crc(bytes.fromhex("0c8302"))

words = st.integers(0, 0xFFFF)
bits = st.integers(0, 1)


@st.composite
def transactions(draw: st.DrawFn, *, broadcast: bool = False) -> Transaction:
    address = draw(st.integers(0 if broadcast else 1, 247))
    function = draw(st.sampled_from([5, 6, 15, 16] if address == 0 else [1, 2, 3, 4, 5, 6, 15, 16]))
    most = {1: 2000, 2: 2000, 3: 125, 4: 125, 5: 1, 6: 1, 15: 1968, 16: 123}[function]
    count = draw(st.integers(1, min(most, 40)) | st.just(most))
    start = draw(st.integers(0, 0x10000 - count))
    values = bits if function in (5, 15) else words
    wanted = tuple(draw(st.lists(values, min_size=count, max_size=count))) if function > 4 else ()
    return Transaction(address, function, start, count, wanted)


def replied(asked: Transaction, values: list[int]) -> bytes:
    """What a slave that holds `values` from the first place asked for says; by the far end's own hand."""
    table = dict(enumerate(values, asked.start))
    model = ModbusModel(asked.address, holding=table, inputs=table, coils=table)
    return with_crc(bytes((asked.address,)) + model.answer(encode_request(asked)[1:-2], 0))


@pytest.mark.parametrize(
    ("asked", "frame"),
    [
        (read(0x0C, 5), "0c03000500019516"),  # URM14, DFRobot's wiki
        (write(0x0C, 8, 0x0C), "0c060008000c0910"),  # URM14, trigger
        (write(0x0C, 8, 4), "0c060008000408d6"),  # URM14, control as delivered
        (read(1, 0, 2, 4), "01040000000271cb"),  # SDM120, voltage
        (read(1, 0x48, 2, 4), "010400480002f1dd"),  # SDM120, energy
        (write_many(1, 0x1C, (0x4000, 0)), "0110001c00020440000000e736"),  # SDM120, 9600 baud
        (write(1, 0, 1000), "0106000003e88974"),  # Waveshare, 1 V
        (write(1, 0, 5000), "010600001388849c"),  # Waveshare, 5 V
        (write(1, 0, 10000), "01060000271093f6"),  # Waveshare, 10 V
        (read(1, 3, 1, 1), "0101000300010dca"),  # a recorded relay module
        (read(1, 0, 1, 2), "010200000001b9ca"),
        (write_coil(1, 3, True), "01050003ff007c3a"),
        (write_coil(1, 3, False), with_crc(bytes.fromhex("010500030000")).hex()),
        (write_coils(1, 2, (1,)), "010f0002000101019697"),
        (write_many(1, 1, (0xAA,)), "0110000100010200aa27fe"),
    ],
)
def test_requests_are_those_of_the_papers_and_the_recordings(asked: Transaction, frame: str) -> None:
    assert encode_request(asked).hex() == frame


@pytest.mark.parametrize(
    ("asked", "frame", "values"),
    [
        (read(0x0C, 5), "0c030230394197", (12345,)),  # URM14: 1234.5 mm
        (read(1, 0, 2, 4), "0104044367 6666f455", (0x4367, 0x6666)),  # SDM120: 231.4 V
        (read(1, 3, 1, 1), "010101019048", (1,)),
        (read(1, 0, 1, 2), "01020100a188", (0,)),
        (read(1, 0x63), "010302020178e4", (0x201,)),
        (read(1, 0x78, 1, 4), "0104024b008fc0", (0x4B00,)),
        (write_coil(1, 3, True), "01050003ff007c3a", ()),
        (write(1, 1, 0x55), "0106000100551835", ()),
        (write_coils(1, 2, (1,)), "010f0002000135cb", ()),
        (write_many(1, 1, (0xAA,)), "0110000100015009", ()),
    ],
)
def test_replies_are_those_of_the_papers_and_the_recordings(
    asked: Transaction, frame: str, values: tuple[int, ...]
) -> None:
    data = bytes.fromhex(frame)
    assert parse_reply(asked, data) == values
    assert len(data) == asked.reply_bytes
    assert not [end for end in range(len(data)) if find_reply(asked, data[:end])]


@given(transactions(), st.data())
def test_what_any_slave_answers_is_read_back(asked: Transaction, data: st.DataObject) -> None:
    values = data.draw(
        st.lists(bits if asked.function in (1, 2, 5, 15) else words, min_size=asked.count, max_size=asked.count)
    )
    reply = replied(asked, values)
    assert parse_reply(asked, reply) == (() if asked.writes else tuple(values))
    assert len(reply) == asked.reply_bytes <= MAX_FRAME_BYTES
    assert len(encode_request(asked)) <= MAX_FRAME_BYTES


@given(st.binary(max_size=20), st.binary(max_size=20), st.integers(0, 60))
def test_a_reply_is_found_among_rubbish_and_however_it_is_cut(before: bytes, after: bytes, cut: int) -> None:
    data = before + GOOD + after
    assert find_reply(ASKED, data) == Answer((12345,))
    known = min(cut, len(before) + len(GOOD) - 1)
    assert find_reply(ASKED, data, known) == Answer((12345,))  # it ends behind what was searched before
    assert find_reply(ASKED, data[:known]) is None


def outcome(asked: Transaction, data: bytes) -> tuple[int, ...] | DriverError:
    try:
        return parse_reply(asked, data, "bay-3", 7)
    except DriverError as error:
        return error


@given(transactions(), st.binary(max_size=300))
def test_any_bytes_are_a_value_or_a_named_error(asked: Transaction, data: bytes) -> None:
    found = outcome(asked, data)
    if isinstance(found, tuple):
        assert len(found) == (0 if asked.writes else asked.count)
    else:
        assert isinstance(found, NoReply | BadFrame | ExceptionReply)
        assert (found.device, found.t_ns, found.raw) == ("bay-3", 7, data)


@pytest.mark.parametrize("code", [*EXCEPTIONS, 9, 0, 255])
def test_an_exception_is_told_in_words(code: int) -> None:
    reply = with_crc(bytes((0x0C, 0x83, code)))
    with pytest.raises(ExceptionReply, match=f"exception {code}, {EXCEPTIONS.get(code, 'of its own')}") as caught:
        parse_reply(ASKED, b"\x00" + reply)
    assert caught.value.code == code
    assert find_reply(ASKED, reply) == Answer(None, caught.value.detail, code)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ("", NoReply, "no reply"),
        ("0c", Incomplete, "1 of 7 bytes"),
        ("0c0302", Incomplete, "3 of 7 bytes"),
        ("0c030230394196", BadFrame, "bad checksum; two devices"),
        ("0c83024190", BadFrame, "bad checksum"),
        ("0d0302303950 57", BadFrame, "bytes that are no reply"),
        ("0c03000500019516", BadFrame, "only our own request"),
        ("ffffff", BadFrame, "bytes that are no reply"),
        ("0c04", BadFrame, "bytes that are no reply"),
        (with_crc(b"\x0d\x03\x02\x30\x39").hex(), BadFrame, "device 13 answered in place of 12"),
        (with_crc(b"\x0c\x04\x02\x30\x39").hex(), BadFrame, "answered read input registers in place of read holding"),
        (with_crc(b"\x0c\x11\x02\x30\x39").hex(), BadFrame, "answered function 17 in place of"),
        (with_crc(b"\x0c\x03\x04\x30\x39\x30\x39").hex(), BadFrame, "something else than was asked"),
    ],
)
def test_what_is_no_reply_is_named(data: str, error: type[DriverError], words: str) -> None:
    raw = bytes.fromhex(data)
    with pytest.raises(error, match=words) as caught:
        parse_reply(ASKED, raw)
    assert type(caught.value) is error
    assert caught.value.raw == raw


def test_an_acknowledgement_of_something_else_is_no_reply() -> None:
    for asked, other in (
        (write(1, 0, 5000), write(1, 1, 5000)),
        (write(1, 0, 5000), write(1, 0, 4000)),
        (write_coil(1, 3, True), write_coil(1, 3, False)),
        (write_many(1, 1, (5,)), write_many(1, 2, (5,))),
        (write_coils(1, 2, (1, 1)), write_coils(1, 2, (1,))),
    ):
        late = replied(other, [0] * other.count)
        assert find_reply(asked, late) is None
        assert find_reply(asked, late + replied(asked, [0] * asked.count)) == Answer(())


def test_a_damaged_reply_is_known_to_be_over_when_its_last_byte_has_come() -> None:
    bad = bytearray(GOOD)
    bad[4] ^= 1
    assert [end for end in range(9) if is_damaged(ASKED, (bytes(bad) + b"\0\0")[:end])] == [7, 8]
    assert [end for end in range(6) if is_damaged(ASKED, b"\x0c\x83\x02\x00\x00"[:end])] == [5]
    assert not is_damaged(ASKED, b"\x0d\x03" + bytes(20))
    assert not is_damaged(ASKED, b"\x0c\x04" + bytes(20))


@pytest.mark.parametrize(
    ("address", "function", "start", "count", "values", "words"),
    [
        (1, 7, 0, 1, (), "function 7 is none of 1, 2"),
        (248, 3, 0, 1, (), "address 248 is not 1 to 247"),
        (0, 3, 0, 1, (), "broadcast, is for writes"),
        (1, 3, 0, 126, (), "takes 1 to 125"),
        (1, 3, 0, 0, (), "takes 1 to 125"),
        (1, 3, 0xFFFF, 2, (), "within 0 to 65535"),
        (1, 3, -1, 1, (), "within 0 to 65535"),
        (1, 6, 0, 1, (), "0 values for write one register of 1"),
        (1, 3, 0, 1, (5,), "1 values for read"),
        (1, 6, 0, 1, (65536,), "values 0 to 65535"),
        (1, 5, 0, 1, (2,), "values 0 to 1"),
        (1, 15, 0, 1, (-1,), "values 0 to 1"),
    ],
)
def test_what_has_no_frame_is_refused(
    address: int, function: int, start: int, count: int, values: tuple[int, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Transaction(address, function, start, count, values)


def test_a_broadcast_has_no_reply() -> None:
    assert write(0, 8, 4).reply_bytes == 0
    assert encode_request(write(0, 8, 4))[:1] == b"\0"


def test_silence_and_time_on_the_line_come_from_rate_and_parity() -> None:
    assert (character_bits("N"), character_bits("E"), character_bits("O")) == (10, 11, 11)
    assert silence_ns(9_600, "N") == 3_645_834  # 3.5 * 10 / 9600 s
    assert silence_ns(9_600, "E") == 4_010_417
    assert silence_ns(2_400, "N") == 14_583_334
    assert silence_ns(19_200, "N") == 1_822_917
    assert silence_ns(38_400, "N") == silence_ns(115_200, "E") == 1_750_000
    assert wire_ns(8, 9_600, "N") == 8_333_334
    assert wire_ns(8, 9_600, "E") == 9_166_667


def test_an_error_that_the_framer_raises_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(FramerRTU):
        def handleFrame(self, data: bytes, exp_devid: int, exp_tid: int) -> tuple[int, None]:  # noqa: N802
            raise ModbusException("unheard of")

    monkeypatch.setattr(modbus_rtu, "_framer", lambda: Broken(DecodePDU(False)))
    assert find_reply(ASKED, GOOD) is None


# --- what pymodbus' framer does by itself, and so why the reply's place is found before it is asked


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("", "", True),
        ("", "00", True),
        ("00", "", False),
        ("ff", "", False),
        ("0000", "", False),
        ("0c", "", False),
        ("0c03", "", False),
        ("0103ff", "", False),
    ],
)
def test_the_framer_alone_loses_good_replies_behind_rubbish_and_we_do_not(before: str, after: str, found: bool) -> None:
    data = bytes.fromhex(before) + GOOD + bytes.fromhex(after)
    _, pdu = FramerRTU(DecodePDU(False)).handleFrame(data, 0, 0)
    assert (pdu is not None) is found
    assert find_reply(ASKED, data) == Answer((12345,))


def test_the_framer_alone_raises_at_a_sound_frame_of_function_0_with_the_upper_bit() -> None:
    data = with_crc(b"\x0c\x80\xff")
    with pytest.raises(ModbusException):
        FramerRTU(DecodePDU(False)).handleFrame(data, 0, 0)
    assert find_reply(ASKED, data) is None
