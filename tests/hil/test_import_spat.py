"""Importing SPAT recordings: every byte, at the messages' own times."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.codecs.spat import Intersection
from drivers.codecs.spat_xml import SpatXmlEncoder
from drivers.errors import InputError
from drivers.units import NS_PER_MS
from hil.importers.spat import SpatCounts, spat_hex_messages, spat_xml_messages

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
needs_recordings = pytest.mark.skipif(
    not (RECORDINGS / "spat-mcity").exists() or not (RECORDINGS / "spat-muenster").exists(),
    reason="no recordings spat-mcity and spat-muenster (LEEZE_RECORDINGS)",
)
# SPAT with one intersection 77, minute 360534, the group 9 red: written out by hand, the millisecond left open
BITS = "0000" + "00000" + "0011000" + "0" + f"{77:016b}" + "0" * 23 + f"{360_534:020b}" + "{:016b}" + "0" * 8
BITS += "0000" + f"{9:08b}" + "0000" + "0000" + "0011"


def uper(millisecond):
    bits = BITS.format(millisecond)
    body = (int(bits, 2) << -len(bits) % 8).to_bytes((len(bits) + 7) // 8)
    return b"\x00\x13" + bytes([len(body)]) + body


def xml(millisecond, station=4070, message_id=4, minute=360_534):
    return SpatXmlEncoder(message_id=message_id).encode(Intersection(station, 1, 0, minute, millisecond, ()))


def times_ms(messages):
    return [t_ns // NS_PER_MS for t_ns, _ in messages]


@pytest.fixture
def recording(tmp_path):
    def write(data):
        path = tmp_path / "recording"
        path.write_bytes(data)
        return path

    return write


@pytest.mark.recordings
@needs_recordings
def test_the_real_message_is_imported_byte_for_byte():
    path = RECORDINGS / "spat-muenster" / "lsa-4070.xml"
    counts = SpatCounts()
    assert list(spat_xml_messages(path, counts)) == [(0, path.read_bytes())]
    assert counts == SpatCounts(messages=1)


@pytest.mark.recordings
@needs_recordings
def test_the_real_hex_file_gives_twenty_minutes_at_ten_hertz():
    counts = SpatCounts()
    times = times_ms(spat_hex_messages(RECORDINGS / "spat-mcity" / "series-20min.hex", counts))
    assert (counts.messages, counts.bad_messages, counts.assumed_steps, counts.broken_lines) == (12_000, 0, 0, [])
    assert times[0] == 0
    assert 1_199_000 < times[-1] < 1_201_000
    assert times == sorted(times)


def test_times_follow_the_messages_own_clock(recording):
    path = recording(xml(100) + b"\n" + xml(210) + b"\n" + xml(900) + xml(20, minute=360_535) + b"\n")
    assert times_ms(spat_xml_messages(path)) == [0, 110, 800, 59_920]


def test_a_clock_that_stands_still_gives_assumed_steps_until_it_goes_on(recording):
    counts = SpatCounts()
    path = recording(b"".join(xml(ms) for ms in (100, 200, 200, 200, 200, 600, 700)))
    assert times_ms(spat_xml_messages(path, counts)) == [0, 100, 200, 300, 400, 500, 600]
    assert counts.assumed_steps == 3


def test_a_clock_that_is_missing_or_goes_back_or_leaps_gives_assumed_steps(recording):
    messages = [xml(500), xml(65_535), xml(700), xml(100), xml(200), xml(300, minute=400_000), xml(400, minute=400_000)]
    counts = SpatCounts()
    assert times_ms(spat_xml_messages(recording(b"".join(messages)), counts)) == [0, 100, 200, 300, 400, 500, 600]
    assert counts.assumed_steps == 3


def test_two_stations_in_one_file_keep_their_own_clocks(recording):
    messages = [xml(100), xml(5_100, 9), xml(200), xml(5_200, 9), xml(300)]
    assert times_ms(spat_xml_messages(recording(b"".join(messages)))) == [0, 0, 100, 100, 200]


def test_damaged_and_other_messages_are_handed_on_and_counted(recording):
    damaged = xml(200).replace(b"</moy>", b"")
    parts = [xml(100), damaged, xml(0, message_id=5), xml(300), xml(400)[:100]]
    counts = SpatCounts()
    messages = list(spat_xml_messages(recording(b"".join(parts)), counts))
    assert messages == list(zip([0, 10**8, 10**8, 2 * 10**8, 3 * 10**8], parts, strict=True))
    assert (counts.messages, counts.bad_messages, counts.other_messages) == (2, 2, 1)
    assert counts.skipped_bytes == len(damaged) + 100


def test_hex_lines_may_be_blank_or_comments_and_broken_ones_are_named(recording):
    lines = [
        b"# a comment",
        b"",
        uper(0).hex().encode(),
        b"xyz",
        b"0013f",
        uper(100).hex(" ").encode(),
        b"00134c",
        b"f" * 70_000,
    ]
    lines.append(uper(300).hex().upper().encode())
    counts = SpatCounts()
    messages = list(spat_hex_messages(recording(b"\r\n".join(lines)), counts))
    assert messages == [(0, uper(0)), (10**8, uper(100)), (2 * 10**8, b"\x00\x13\x4c"), (3 * 10**8, uper(300))]
    assert [broken.line for broken in counts.broken_lines] == [4, 5, 8]
    assert (counts.messages, counts.bad_messages) == (3, 1)


@pytest.mark.parametrize("reader", [spat_xml_messages, spat_hex_messages])
def test_a_file_that_is_missing_empty_or_something_else_is_bad_input(reader, tmp_path, recording):
    with pytest.raises(InputError, match="No such file"):
        reader(tmp_path / "nowhere")
    with pytest.raises(InputError, match="cannot be read"):
        list(reader(tmp_path))
    with pytest.raises(InputError, match="empty"):
        reader(recording(b""))
    with pytest.raises(InputError, match="no SPAT message"):
        list(reader(recording(b"a;b;c\n1;2;3\n")))


parts = st.sampled_from(
    [xml(100), xml(200), xml(300, 9), xml(0, message_id=5), xml(1)[:80], b"rubbish", b"\n", b"</DATA>"]
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(parts, max_size=6))
def test_what_is_imported_is_the_whole_file_in_order_of_time(tmp_path, pieces):
    path = tmp_path / "recording"
    path.write_bytes(xml(50) + b"".join(pieces))
    messages = list(spat_xml_messages(path))
    assert b"".join(chunk for _, chunk in messages) == path.read_bytes()
    assert [t_ns for t_ns, _ in messages] == sorted(t_ns for t_ns, _ in messages)
