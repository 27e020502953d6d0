"""What a UART hears at another bit rate, held against what is known without computing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hil.benches.misheard import misheard

REPORT = bytes.fromhex("f4f3f2f10700010188040103d6f8f7f6f5")


@given(st.binary(max_size=64), st.sampled_from([300, 9_600, 115_200]), st.sampled_from("NEO"))
def test_at_the_senders_bit_rate_every_byte_is_heard_as_sent(data: bytes, baud: int, parity: str) -> None:
    assert misheard(data, baud, baud, parity) == data


@given(st.binary(min_size=1, max_size=64))
def test_two_per_cent_off_is_within_what_a_uart_forgives(data: bytes) -> None:
    assert misheard(data, 100_000, 102_000) == data
    assert misheard(data, 102_000, 100_000) == data


def test_at_half_the_rate_u_is_heard_as_its_bits_two_at_a_time() -> None:
    """U is 0101010101 on the wire; sampled at half the rate each sample falls on an edge's far side: see the figure."""
    assert misheard(b"U", 9_600, 4_800) != b"U"
    assert len(misheard(b"UUUU", 9_600, 4_800)) < 4


def test_a_faster_listener_hears_more_bytes_than_were_sent() -> None:
    assert len(misheard(REPORT, 9_600, 115_200)) > len(REPORT)
    assert REPORT not in misheard(REPORT, 9_600, 115_200)


def test_a_break_longer_than_a_byte_is_heard_as_zero_bytes() -> None:
    """0x00 at 9600 baud is nine zero bits: for a listener at ten times the rate nine bytes of zeros."""
    heard = misheard(b"\x00", 9_600, 96_000)
    assert set(heard[:8]) == {0}
    assert 8 <= len(heard) <= 10


def test_silence_is_heard_as_silence() -> None:
    assert misheard(b"", 9_600, 115_200) == b""
