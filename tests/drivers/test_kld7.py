"""RFbeam K-LD7: the data sheet's packets, a real log, what is encoded is read back."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.kld7 import Kld7Stream, decode_events
from drivers.codecs.kld7_packets import (
    NO_TARGET,
    TDAT,
    Command,
    Detected,
    Done,
    Event,
    Flags,
    ParameterSet,
    Response,
    Samples,
    Target,
    Tracked,
    encode,
    encode_command,
    encode_event,
    encode_parameters,
)
from drivers.codecs.kld7_parameters import FIELDS, SETTINGS, STRUCTURE_BYTES, Parameters, pack, unpack

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data")) / "kld7"

# K-LD7 data sheet, revision B, 12/2020, page 19, figures 17 to 19
INIT_115200 = bytes.fromhex("49 4E 49 54 04 00 00 00 00 00 00 00")
RESP_OK = bytes.fromhex("52 45 53 50 01 00 00 00 00")
GNFD_TDAT = bytes.fromhex("47 4E 46 44 04 00 00 00 08 00 00 00")
TDAT_80_CM = bytes.fromhex("54 44 41 54 08 00 00 00 50 00 97 FF 2F 07 15 18")
GBYE = bytes.fromhex("47 42 59 45 00 00 00 00")
GBYE_AS_PRINTED = bytes.fromhex("49 4E 49 54 00 00 00 00")

targets = st.builds(
    Target,
    distance_cm=st.integers(0, 10_000),
    speed_centi_kmh=st.integers(-10_000, 10_000),
    angle_centi_deg=st.integers(-9_000, 9_000),
    magnitude_centi_db=st.integers(0, 16_000),
)
parameter_sets = st.builds(
    Parameters,
    software=st.just("K-LD7_APP-RFB-0103"),
    **{field.name: st.integers(field.low, field.high) for field in FIELDS},
)
bits = st.integers(0, 1)
reports = st.one_of(
    st.builds(Tracked, st.one_of(st.none(), targets)),
    st.builds(Detected, st.lists(targets, max_size=12).map(tuple)),
    st.builds(Flags, bits, bits, bits, bits, bits, bits),
    st.builds(Done, st.integers(0, 1_000_000)),
    st.builds(Response, st.integers(0, 6)),
)
orders = st.one_of(
    st.sampled_from([Command("GRPS"), Command("RFSE"), Command("GBYE")]),
    st.builds(Command, st.just("INIT"), st.integers(0, 4)),
    st.builds(Command, st.just("GNFD"), st.integers(0, 0x3F)),
    st.sampled_from(FIELDS).flatmap(lambda f: st.builds(Command, st.just(f.command), st.integers(f.low, f.high))),
)
packets = st.one_of(reports, orders, st.builds(ParameterSet, parameter_sets, st.booleans()))


def feed(data: bytes) -> tuple[list[Event], Kld7Stream]:
    stream = Kld7Stream()
    return stream.feed(data), stream


def test_the_tracked_target_of_the_data_sheet_is_at_80_cm_and_approaches() -> None:
    events, stream = feed(TDAT_80_CM)
    assert events == [Tracked(Target(80, -105, 1839, 6165))]
    assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)
    assert encode_event(events[0]) == TDAT_80_CM


def test_the_exchange_of_the_data_sheet_is_read_in_both_directions() -> None:
    assert feed(INIT_115200 + GNFD_TDAT + GBYE)[0] == [Command("INIT", 0), Command("GNFD", 8), Command("GBYE")]
    assert feed(RESP_OK + RESP_OK + TDAT_80_CM)[0] == [
        Response(0),
        Response(0),
        Tracked(Target(80, -105, 1839, 6165)),
    ]


def test_commands_are_written_as_the_data_sheet_prints_them_but_for_its_misprint() -> None:
    assert encode_command("INIT", 0) == INIT_115200
    assert encode_command("GNFD", TDAT) == GNFD_TDAT
    assert encode_event(Response(0)) == RESP_OK
    assert encode_command("GBYE") == GBYE
    events, stream = feed(GBYE_AS_PRINTED)  # INIT has four bytes of payload: this is no packet
    stream.finish()
    assert (events, stream.skipped_bytes) == ([], 8)


def test_no_target_is_a_report_too() -> None:
    assert feed(bytes.fromhex("54444154 00000000"))[0] == [NO_TARGET]
    assert feed(bytes.fromhex("50444154 00000000"))[0] == [Detected(())]


def test_the_flags_and_the_number_of_a_frame_are_read() -> None:
    assert feed(bytes.fromhex("44444154 06000000 01 00 01 01 00 01"))[0] == [Flags(1, 0, 1, 1, 0, 1)]
    assert feed(bytes.fromhex("444f4e45 04000000 e8030000"))[0] == [Done(1000)]


def test_the_parameters_of_a_real_part_are_read() -> None:
    """The 22 values that the package rfbeam (Ruby, its README) prints of a part with software 0103."""
    values = [1, 1, 1, 30, 0, 2, 0, 50, -90, 90, 0, 100, 2, 10, 0, 50, 0, 1, 2, 1, 0, 4]
    payload = b"K-LD7_APP-RFB-0103\0" + bytes(v & 0xFF for v in values[:19]) + b"\x01\x00" + bytes(values[20:])
    assert len(payload) == STRUCTURE_BYTES == 42
    (event,), _ = feed(encode("RPST", payload))
    assert event == ParameterSet(Parameters(hold_s=1))  # else as it leaves the factory
    assert isinstance(event, ParameterSet)
    assert [getattr(event.parameters, field.name) for field in FIELDS] == values
    assert pack(event.parameters) == payload


def test_the_structure_has_its_fields_where_the_data_sheet_has_them() -> None:
    """Table 12, page 16: byte 19 is the base frequency, 27 the least angle, 31 the direction, 38 the hold time."""
    payload = pack(Parameters(base_frequency=2, min_angle_deg=-45, direction=1, hold_s=0x0102, micro_sensitivity=9))
    assert (payload[19], payload[27], payload[31], payload[38:40], payload[41]) == (2, 256 - 45, 1, b"\x02\x01", 9)
    assert unpack(payload).software == "K-LD7_APP-RFB-0103"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RSPI", 4, r"max_speed \(RSPI\) is 0 to 3, not 4"),
        ("MIAN", -91, r"min_angle_deg \(MIAN\) is -90 to 90"),
        ("HOLD", 0, r"hold_s \(HOLD\) is 1 to 7200"),
        ("INIT", 5, "INIT takes 0 to 4, not 5"),
        ("GNFD", 64, "GNFD takes 0 to 63"),
        ("XXXX", 1, "no command of a K-LD7 is XXXX"),
        ("GBYE", 1, "no command"),
        ("RSPI", None, "no command"),
    ],
)
def test_a_command_that_the_part_refuses_is_not_written(name: str, value: int | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        encode_command(name, value)


def test_parameters_that_the_part_refuses_are_not_written() -> None:
    with pytest.raises(ValueError, match="max_range"):
        encode_parameters(Parameters(max_range=4))
    with pytest.raises(ValueError, match="longer than 18 characters"):
        encode_parameters(Parameters(software="K-LD7_APP-RFB-01034"), setting=True)
    with pytest.raises(ValueError, match="13 targets"):
        encode_event(Detected((Target(1, 1, 1, 1),) * 13))


@given(st.lists(packets, max_size=8))
def test_what_is_encoded_is_read_back(wanted: list[Event]) -> None:
    data = b"".join(map(encode_event, wanted))
    for rubbish in (b"", b"\xff"):  # alone, and by way of the search
        events, stream = feed(rubbish + data)
        assert events == wanted
        assert (stream.skipped_bytes, stream.pending_bytes) == (len(rubbish), 0)


@given(st.sampled_from(FIELDS), st.data())
def test_every_setting_is_read_back_with_its_sign(field: Any, data: st.DataObject) -> None:
    value = data.draw(st.integers(field.low, field.high))
    assert feed(encode_command(field.command, value))[0] == [Command(field.command, value)]
    assert SETTINGS[field.command] is field


@pytest.mark.parametrize(("kind", "size"), [("RADC", 3072), ("RFFT", 1024)])
def test_raw_samples_are_handed_on_as_they_are(kind: str, size: int) -> None:
    data = bytes(n * 7 % 256 for n in range(size))
    assert feed(encode_event(Samples(kind, data)) + TDAT_80_CM)[0] == [
        Samples(kind, data),
        Tracked(Target(80, -105, 1839, 6165)),
    ]


def test_a_recording_becomes_json_able_events_and_a_count_of_skipped_bytes() -> None:
    wanted: list[Event] = [
        Response(5),
        Response(9),
        Tracked(Target(80, -105, 1839, 6165)),
        NO_TARGET,
        Detected((Target(1, 2, 3, 4),)),
        Flags(1, 0, 0, 0, 0, 0),
        Done(7),
        ParameterSet(Parameters()),
        ParameterSet(Parameters(), True),
        Samples("RFFT", bytes(1024)),
        Command("INIT", 2),
    ]
    events, skipped = decode_events(b"\x00\xff" + b"".join(map(encode_event, wanted)) + b"TDA")
    assert skipped == 5
    assert json.loads(json.dumps(events)) == events
    assert [event["type"] for event in events] == (
        ["resp", "resp", "tdat", "tdat", "pdat", "ddat", "done", "rpst", "srps", "rfft", "command"]
    )
    assert events[0] == {"type": "resp", "code": 5, "text": "busy"}
    assert events[1]["text"] == "unknown"
    target = {"distance_cm": 80, "speed_centi_kmh": -105, "angle_centi_deg": 1839, "magnitude_centi_db": 6165}
    assert events[2] == {"type": "tdat", "target": target}
    assert events[3] == {"type": "tdat", "target": None}
    assert events[7]["max_speed"] == 1
    assert events[10] == {"type": "command", "command": "INIT", "value": 2}


def recorded() -> list[dict[str, Any]]:
    """A log of tracked targets: already decoded, km/h, degrees and dB rounded to a tenth, distance in cm."""
    return [json.loads(line) for line in (RECORDINGS / "tdat.jsonl").read_text().splitlines()]


@pytest.mark.recordings
@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings kld7 (LEEZE_RECORDINGS)")
def test_all_327_recorded_targets_go_onto_the_wire_and_come_back() -> None:
    wanted = [
        Tracked(
            Target(
                row["distance"],
                *(round(row[key] * 100) for key in ("speed", "angle", "magnitude")),
            )
        )
        for row in recorded()
    ]
    events, stream = feed(b"".join(map(encode_event, wanted)))
    assert len(wanted) == 327
    assert events == wanted
    assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)


@pytest.mark.recordings
@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings kld7 (LEEZE_RECORDINGS)")
def test_positive_speed_goes_away_as_the_recorded_distances_say() -> None:
    """All speeds of the log are positive. Where one target is followed (less than 25 cm in 150 ms), it recedes."""
    rows = recorded()
    assert min(row["speed"] for row in rows) > 0
    steps = [
        after["distance"] - before["distance"]
        for before, after in pairwise(rows)
        if 0 < after["t"] - before["t"] < 0.15 and 0 < abs(after["distance"] - before["distance"]) < 25
    ]
    assert len(steps) == 191
    assert len([step for step in steps if step > 0]) == 190
