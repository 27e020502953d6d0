"""Recorded I2C transfers as events, and what each says to a known chip."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.i2c_transfers import (
    decode_events,
    describe_bme280,
    describe_gp8403,
    describe_ina226,
    describe_mcp4725,
    describe_pca9685,
)
from drivers.parts import PARTS
from drivers.transfers import NACK, OK, STATUS_TEXT, Reply, Request, encode_reply, encode_request

ID_ASKED = encode_request(Request(0x76, b"\xd0", 1))
ID_SAID = encode_reply(Reply(0x76, OK, b"\x60"))
RESET = encode_request(Request(0x76, b"\xe0\xb6")) + encode_reply(Reply(0x76, OK))


def test_request_and_reply_in_turns_are_transfers() -> None:
    events, skipped = decode_events(ID_ASKED + ID_SAID + RESET)
    assert skipped == 0
    assert events == [
        {"type": "i2c_transfer", "address": "0x76", "written_hex": "d0", "read_hex": "60", "status": "fine"},
        {"type": "i2c_transfer", "address": "0x76", "written_hex": "e0b6", "read_hex": "", "status": "fine"},
    ]


def test_one_direction_alone_is_known_as_such() -> None:
    asked, skipped = decode_events(ID_ASKED * 2)
    assert (asked[1], skipped) == (
        {"type": "i2c_request", "address": "0x76", "written_hex": "d0", "read_count": 1},
        0,
    )
    refusal = encode_reply(Reply(0x77, NACK))
    said, skipped = decode_events(ID_SAID + refusal)
    assert (said[1], skipped) == (
        {"type": "i2c_reply", "address": "0x77", "read_hex": "", "status": STATUS_TEXT[NACK]},
        0,
    )


def test_rubbish_between_transfers_is_skipped_and_counted() -> None:
    events, skipped = decode_events(RESET + b"\xff\xff" + ID_ASKED + ID_SAID + b"\x76\x05")
    assert [event["written_hex"] for event in events] == ["e0b6", "d0"]
    assert skipped == 4


def test_a_refused_transfer_is_no_word_of_the_chip() -> None:
    data = encode_request(Request(0x76, b"\xd0", 1)) + encode_reply(Reply(0x76, NACK))
    events, _ = decode_events(data, describe_bme280)
    assert events[0]["status"] == STATUS_TEXT[NACK]
    assert "id" not in events[0]


addresses = st.integers(0, 0x7F)
transfers = st.lists(st.tuples(addresses, st.binary(max_size=8), st.binary(max_size=8)), min_size=1, max_size=8)


@given(transfers)
def test_what_was_transferred_is_read_back(done: list[tuple[int, bytes, bytes]]) -> None:
    data = b"".join(
        encode_request(Request(address, out, len(said))) + encode_reply(Reply(address, OK, said))
        for address, out, said in done
    )
    events, skipped = decode_events(data)
    assert skipped == 0
    if events[0]["type"] == "i2c_transfer":  # other readings may fit as well by chance
        assert [(e["address"], e["written_hex"], e["read_hex"]) for e in events] == [
            (f"{address:#04x}", out.hex(), said.hex()) for address, out, said in done
        ]


@given(st.binary(max_size=200), st.sampled_from(["i2c", "gp8403", "mcp4725", "pca9685", "ina226", "bme280"]))
def test_any_bytes_are_told_or_counted(data: bytes, part: str) -> None:
    decode = PARTS[part].decode
    assert decode is not None
    events, skipped = decode(data)
    assert 0 <= skipped <= len(data)
    assert len(events) <= len(data)


@pytest.mark.parametrize(
    ("describe", "written", "said", "meaning"),
    [
        (describe_gp8403, "01 11", "", {"range_mv": 10_000}),
        (describe_gp8403, "02 F0 7F", "", {"output_0": 2047}),
        (describe_gp8403, "09", "", {}),
        (describe_mcp4725, "0A BC", "", {"counts": 0xABC, "power_down": 0, "into_eeprom": False}),
        (describe_mcp4725, "", "C0 AB C0 01 23", {"counts": 0xABC, "power_down": 0, "eeprom_counts": 0x123}),
        (describe_mcp4725, "", "", {}),
        (describe_pca9685, "00 A0", "", {"mode": "0xa0"}),
        (describe_pca9685, "FE", "05", {"prescale": 5}),
        (describe_pca9685, "0A 00 10 00 00", "", {"outputs": {"1": 4096}}),
        (describe_pca9685, "42", "00 00 23 01 AA AA AA AA", {"outputs": {"15": 0x123}}),
        (describe_pca9685, "07 00 10 00 00", "", {}),
        (describe_pca9685, "46 00 10 00 00", "", {}),
        (describe_pca9685, "06 00", "", {}),
        (describe_pca9685, "", "AA", {}),
        (describe_ina226, "02", "25 70", {"register": "bus", "raw": 9584, "bus_mv": 11_980}),
        (describe_ina226, "01", "1F 40", {"register": "shunt", "raw": 8000, "shunt_uv": 20_000}),
        (describe_ina226, "05 0A 00", "", {"register": "calibration", "raw": 2560}),
        (describe_ina226, "44", "00 00", {}),
        (describe_ina226, "", "00 00", {}),
        (describe_ina226, "02", "", {}),
        (describe_bme280, "D0", "60", {"id": "0x60"}),
        (describe_bme280, "E0 B6", "", {"reset": "0xb6"}),
        (describe_bme280, "FA", "7E ED 00", {"temperature_raw": 519888}),
        (describe_bme280, "FD", "80 00", {"humidity_raw": 0x8000}),
        (describe_bme280, "88", "70 6B", {"trimming_from": "0x88"}),
        (describe_bme280, "88", "", {}),
        (describe_bme280, "10", "00", {}),
        (describe_bme280, "", "00", {}),
    ],
)
def test_what_a_transfer_says_to_each_chip(describe: object, written: str, said: str, meaning: object) -> None:
    assert callable(describe)
    assert describe(bytes.fromhex(written), bytes.fromhex(said)) == meaning
