"""SPAT in UPER: what pycrate, an independent ASN.1 compiler, writes and reads."""

from __future__ import annotations

import contextlib
import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.spat import Intersection, Movement, OtherMessage, OtherStation, Phase, SpatError, status_mask
from drivers.codecs.spat_uper import MAX_CHUNK_BYTES, SpatUperDecoder, SpatUperStream

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
REAL = RECORDINGS / "spat-mcity" / "series-20min.hex"
needs_real = pytest.mark.skipif(not REAL.exists(), reason="no recording spat-mcity (LEEZE_RECORDINGS)")


@pytest.fixture(scope="module")
def asn1():
    return pytest.importorskip("pycrate_asn1dir.ITS_IS", reason="pycrate is not installed")


def bits(value):
    """Our status mask as the standard's bit string."""
    return int(f"{value:016b}"[::-1], 2), 16


def asn1_phase(phase, extras):
    event = {"eventState": STATES[phase.state]}
    if phase.min_end_mark is not None:
        timing = {"minEndTime": phase.min_end_mark}
        for key, value in (
            ("maxEndTime", phase.max_end_mark),
            ("likelyTime", phase.likely_mark),
            ("confidence", phase.confidence),
        ):
            if value is not None:
                timing[key] = value
        if extras:
            timing.update(startTime=5, nextTime=36001)
        event["timing"] = timing
    if extras:
        event["speeds"] = [
            {"type": "greenwave", "speed": 50, "confidence": "prec1ms", "distance": 900, "class": 7},
            {"type": "ecoDrive", "distance": 1},
            {"type": "none", "speed": 500},
        ]
        event["regional"] = REGIONAL
    return event


STATES = [
    "unavailable",
    "dark",
    "stop-Then-Proceed",
    "stop-And-Remain",
    "pre-Movement",
    "permissive-Movement-Allowed",
    "protected-Movement-Allowed",
    "permissive-clearance",
    "protected-clearance",
    "caution-Conflicting-Traffic",
]
ASSISTS = [
    {
        "connectionID": 1,
        "queueLength": 10_000,
        "availableStorageLength": 3,
        "waitOnStop": True,
        "pedBicycleDetect": False,
    },
    {"connectionID": 2},
    {"connectionID": 3, "waitOnStop": False},
]
REGIONAL = [
    {"regionId": 200, "regExtValue": ("_unk_004", b"\x01\x02\x03")},
    {"regionId": 9, "regExtValue": ("_unk_004", b"x" * 150)},
]


def asn1_spat(values, extras):
    states = []
    for value in values:
        state = {
            "id": {"id": value.station},
            "revision": value.revision,
            "status": bits(value.status),
            "states": [
                {"signalGroup": m.group, "state-time-speed": [asn1_phase(p, extras) for p in m.phases]}
                for m in value.groups
            ],
        }
        if value.minute_of_year is not None:
            state["moy"] = value.minute_of_year
        if value.timestamp_ms is not None:
            state["timeStamp"] = value.timestamp_ms
        if extras:
            state.update(name="Kreuzung 12", enabledLanes=[1, 2, 255], maneuverAssistList=ASSISTS, regional=REGIONAL)
            state["id"]["region"] = 49
            state["states"][0].update(movementName="Rad", maneuverAssistList=ASSISTS[:1], regional=REGIONAL[:1])
        states.append(state)
    spat = {"intersections": states}
    if extras:
        spat.update(name="Stadt", regional=REGIONAL)
    return spat


def etsi(asn1, values, extras):
    spatem = asn1.SPATEM_PDU_Descriptions.SPATEM
    header = {"protocolVersion": 2, "messageID": 4, "stationID": 4070}
    spatem.set_val({"header": header, "spat": asn1_spat(values, extras)})
    return spatem.to_uper()


def j2735(asn1, values, extras):
    spat = asn1.DSRC.SPAT
    spat.set_val(asn1_spat(values, extras))
    body = spat.to_uper()
    length = bytes([len(body)]) if len(body) < 128 else (0x8000 | len(body)).to_bytes(2)
    return b"\x00\x13" + length + body


marks = st.none() | st.integers(0, 36_001)
timed = st.builds(Phase, st.integers(0, 9), st.integers(0, 36_001), marks, marks, st.none() | st.integers(0, 15))
phases = timed | st.builds(Phase, st.integers(0, 9))
movements = st.builds(Movement, st.integers(0, 255), st.lists(phases, min_size=1, max_size=4).map(tuple))
intersections = st.builds(
    Intersection,
    st.integers(0, 65_535),
    st.integers(0, 127),
    st.integers(0, (1 << 16) - 1),
    st.none() | st.integers(0, 527_040),
    st.none() | st.integers(0, 65_535),
    st.lists(movements, min_size=1, max_size=3).map(tuple),
)


@settings(max_examples=80, deadline=None)
@given(
    values=st.lists(intersections, min_size=1, max_size=2), extras=st.booleans(), outer=st.sampled_from([etsi, j2735])
)
def test_what_an_asn1_compiler_writes_is_read(asn1, values, extras, outer):
    assert SpatUperDecoder().decode(outer(asn1, values, extras)) == tuple(values)


@pytest.mark.recordings
@needs_real
def test_every_real_frame_is_read_and_is_a_tenth_of_a_second_after_the_last():
    decoder = SpatUperDecoder()
    clocks = []
    for line in REAL.read_text().split():
        (found,) = decoder.decode(bytes.fromhex(line))
        assert (found.station, len(found.groups)) == (2573, 8)
        assert found.status == status_mask(["fixedTimeOperation", "noValidMAPisAvailableAtThisTime"])
        clocks.append(found.minute_of_year * 60_000 + found.timestamp_ms)
    assert len(clocks) == 12_000
    assert {later - earlier for earlier, later in itertools.pairwise(clocks)} <= set(range(90, 112))


@pytest.mark.recordings
@needs_real
def test_real_frames_are_read_as_an_asn1_compiler_reads_them(asn1):
    spat = asn1.DSRC.SPAT
    for line in REAL.read_text().split()[::400]:
        frame = bytes.fromhex(line)
        spat.from_uper(frame[3:])
        (theirs,) = spat.get_val()["intersections"]
        (found,) = SpatUperDecoder().decode(frame)
        assert (theirs["moy"], theirs["timeStamp"], theirs["status"]) == (
            found.minute_of_year,
            found.timestamp_ms,
            bits(found.status),
        )
        assert [
            Movement(
                state["signalGroup"],
                tuple(
                    Phase(STATES.index(e["eventState"]), e["timing"]["minEndTime"], e["timing"].get("maxEndTime"))
                    for e in state["state-time-speed"]
                ),
            )
            for state in theirs["states"]
        ] == list(found.groups)


def frame(body_bits):
    """A J2735 frame around bits written out by hand."""
    body = int(body_bits + "0" * (-len(body_bits) % 8), 2).to_bytes((len(body_bits) + 7) // 8)
    return b"\x00\x13" + bytes([len(body)]) + body


def field(value, width):
    return f"{value:0{width}b}"


def by_hand(
    *, spat_flags="0000", minute="", flags="0000000", tail="", movement_flags="0000", movement_tail="", event="0000"
):
    intersection = flags + "0" + field(77, 16) + field(3, 7) + "001" + "0" * 13 + field(0, 8)
    movement = movement_flags + field(9, 8) + field(0, 4) + event + field(3, 4) + movement_tail
    return spat_flags + minute + field(0, 5) + intersection + movement + tail


WRITTEN = Intersection(77, 3, 4, None, None, (Movement(9, (Phase(3),)),))


def test_a_frame_written_out_by_hand_is_read():
    assert SpatUperDecoder().decode(frame(by_hand())) == (WRITTEN,)


def test_spat_timestamp_stands_in_for_a_missing_minute_of_year():
    message = frame(by_hand(spat_flags="0100", minute=field(360_534, 20)))
    assert SpatUperDecoder().decode(message)[0].minute_of_year == 360_534


@pytest.mark.parametrize("where", ["spat", "intersection", "movement", "event"])
def test_additions_of_later_editions_are_stepped_over(where):
    addition = "0" + field(2, 6) + "101" + field(2, 8) + field(0xABCD, 16) + field(1, 8) + field(0xEF, 8)
    message = {
        "spat": by_hand(spat_flags="1000", tail=addition),
        "intersection": by_hand(flags="1000000", tail=addition),
        "movement": by_hand(movement_flags="1000", movement_tail=addition),
        "event": by_hand(event="1000", movement_tail=addition),
    }[where]
    assert SpatUperDecoder().decode(frame(message)) == (WRITTEN,)


REGION = field(0, 2) + field(7, 8) + field(1, 8) + field(0xFF, 8)
ADDITION = "0" + field(0, 6) + "1" + field(1, 8) + field(0xFF, 8)


def test_regional_parts_and_additions_inside_speeds_and_assists_are_stepped_over():
    speed = field(0, 4) + "100001" + "0" + "01" + REGION + ADDITION
    assist = field(0, 4) + "100001" + field(5, 8) + REGION + ADDITION
    message = by_hand(event="0010", movement_flags="0010", movement_tail=speed + assist)
    assert SpatUperDecoder().decode(frame(message)) == (WRITTEN,)


def test_an_advisory_speed_type_of_a_later_edition_is_stepped_over():
    speed = field(0, 4) + "010000" + "1" + field(5, 7) + field(300, 9)
    assert SpatUperDecoder().decode(frame(by_hand(event="0010", movement_tail=speed))) == (WRITTEN,)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "short"),
        (frame(by_hand())[:-1], "length"),
        (frame(by_hand()) + b"\0", "length"),
        (frame(by_hand(movement_tail="0" * 9)), "behind"),
        (frame(by_hand()[:80]), "early"),
        (b"\x02\x04\x00\x00\x0f\xe6", "early"),
        (b"\x02\x04\x00", "short"),
        (b"\x00\x13\xc1\x00\x00", "length"),
        (frame(by_hand(flags="1000000", tail="1" * 9)), "64"),
        (frame(by_hand(spat_flags="0001", tail=field(0, 2) + field(1, 8) + field(0xC1, 8) + "0" * 24)), "fragmented"),
        (
            frame(by_hand().replace(field(9, 8) + "0000" + "0000" + "0011", field(9, 8) + "0000" + "0000" + "1010")),
            "eventState",
        ),
        (b"\x00\x13" + bytes(MAX_CHUNK_BYTES), "longer"),
    ],
)
def test_a_frame_that_contradicts_itself_is_refused_with_a_reason(message, reason):
    with pytest.raises(SpatError, match=reason):
        SpatUperDecoder().decode(message)


def test_other_messages_and_stations_are_told_apart():
    with pytest.raises(OtherMessage, match="18"):
        SpatUperDecoder().decode(b"\x00\x12\x01\x00")
    with pytest.raises(OtherMessage, match="5"):
        SpatUperDecoder().decode(b"\x02\x05" + bytes(20))
    with pytest.raises(OtherStation, match="77"):
        SpatUperDecoder(station=78).decode(frame(by_hand()))
    assert SpatUperDecoder(frozenset({8}), 77).decode(frame(by_hand()))[0].groups == ()


@settings(max_examples=200)
@given(st.binary(max_size=120) | st.binary(max_size=100).map(lambda body: b"\x02\x04" + body), st.data())
def test_any_bytes_end_in_values_or_in_a_spat_error(data, draw):
    with contextlib.suppress(SpatError):
        SpatUperDecoder().decode(data)
    good = bytearray(frame(by_hand()))
    good[draw.draw(st.integers(3, len(good) - 1))] ^= draw.draw(st.integers(1, 255))
    with contextlib.suppress(SpatError):
        SpatUperDecoder().decode(bytes(good))


def test_a_stream_takes_one_message_a_chunk_and_counts_the_rest():
    good = frame(by_hand())
    stream = SpatUperStream(77)
    assert stream.feed(good) == [WRITTEN]
    for chunk in (good[:-1], b"\x00\x12\x01\x00", good.replace(b"\x00\x4d", b"\x00\x4d"), b""):
        stream.feed(chunk)
    assert stream.snapshot() == {
        "messages": 2,
        "bad_messages": 2,
        "other_messages": 1,
        "other_stations": 0,
        "skipped_bytes": len(good) - 1,
    }
    again = SpatUperStream(78)
    again.restore(stream.snapshot())
    assert again.feed(good) == []
    assert again.snapshot() == {**stream.snapshot(), "other_stations": 1}
