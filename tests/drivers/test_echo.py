"""Echo pulses: the speed of sound, distances, edges paired into pulses, and what OpenBikeSensor recorded."""

from __future__ import annotations

import json
import os
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.echo import (
    COLDEST_MDEGC,
    HOTTEST_MDEGC,
    LONGEST_ECHO_NS,
    Echo,
    EchoStream,
    corrected_mm,
    decode_events,
    distance_mm,
    echo_width_ns,
    speed_of_sound_um_s,
)
from drivers.line_events import EDGE, SET, LineEvent, encode

ROOT = Path(__file__).parents[2]
RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", ROOT.parent / "shared" / "data"))

air = st.integers(COLDEST_MDEGC, HOTTEST_MDEGC)


def sound_m_s(air_mdegc: int) -> Decimal:
    """The formula as it stands in the books, to 40 digits."""
    with localcontext() as context:
        context.prec = 40
        return Decimal("331.3") * (1 + Decimal(air_mdegc) / 1000 / Decimal("273.15")).sqrt()


def nearest(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))


@pytest.mark.parametrize(("air_degc", "dm_s"), [(-20, 3189), (0, 3313), (20, 3432), (40, 3547)])
def test_the_speed_of_sound_is_that_of_the_books(air_degc: int, dm_s: int) -> None:
    # c = 331.3 * sqrt(1 + T / 273.15); at 40 degC the straight line 331.3 + 0.606 T would give 355.5
    assert round(speed_of_sound_um_s(air_degc * 1000) / 100_000) == dm_s


@given(air)
def test_the_whole_numbers_are_those_of_the_root(air_mdegc: int) -> None:
    assert speed_of_sound_um_s(air_mdegc) == int(sound_m_s(air_mdegc) * 1_000_000)


@given(st.integers(0, 60_000_000), air)
def test_a_distance_is_half_the_way_of_the_sound_to_the_nearest_mm(width_ns: int, air_mdegc: int) -> None:
    exact = Decimal(width_ns) * sound_m_s(air_mdegc) / 2_000_000
    assert abs(distance_mm(width_ns, air_mdegc) - exact) <= Decimal("0.5001")


@given(st.integers(0, 10_000), air)
def test_the_width_of_a_distance_gives_that_distance(mm: int, air_mdegc: int) -> None:
    assert distance_mm(echo_width_ns(mm, air_mdegc), air_mdegc) == mm


@pytest.mark.parametrize(("air_mdegc", "per_myriad"), [(-10_000, -525), (40_000, 335), (20_000, 0)])
def test_a_part_that_believes_in_20_degrees_is_put_right(air_mdegc: int, per_myriad: int) -> None:
    # d_true = d_reported * sqrt((T + 273.15) / (Tref + 273.15)): about -5.2 % at -10 degC, +3.4 % at 40
    assert round((corrected_mm(1_000_000, 20_000, air_mdegc) - 1_000_000) / 100) == per_myriad


@given(st.integers(0, 10_000), air, air)
def test_correcting_is_reading_the_same_pulse_at_another_temperature(mm: int, reference: int, actual: int) -> None:
    exact = mm * ((Decimal(actual) + 273_150) / (Decimal(reference) + 273_150)).sqrt()
    assert corrected_mm(mm, reference, actual) == nearest(exact)


@pytest.mark.parametrize("air_mdegc", [COLDEST_MDEGC - 1, HOTTEST_MDEGC + 1, 20_000_000])
def test_air_that_cannot_be_is_refused(air_mdegc: int) -> None:
    with pytest.raises(ValueError, match="thousandths of a degree; -60 to 125 degC"):
        speed_of_sound_um_s(air_mdegc)


def edge(line: int, value: int, t_ns: int) -> bytes:
    return encode(LineEvent(line, EDGE, value, t_ns))


def feed(data: bytes, line: int | None = 24) -> tuple[list[Echo], EchoStream]:
    stream = EchoStream(line)
    return stream.feed(data), stream


def test_a_rise_and_a_fall_are_a_pulse() -> None:
    echoes, stream = feed(edge(24, 1, 5_000) + edge(24, 0, 8_751_000))
    assert echoes == [Echo(24, 5_000, 8_746_000)]
    assert (stream.stray_edges, stream.skipped_bytes) == (0, 0)


def test_other_lines_and_other_messages_are_none_of_its_business() -> None:
    data = edge(24, 1, 1) + edge(25, 0, 2) + encode(LineEvent(24, SET, 0)) + edge(25, 1, 3) + edge(24, 0, 4)
    echoes, stream = feed(data)
    assert echoes == [Echo(24, 1, 3)]
    assert stream.stray_edges == 0


def test_edges_that_pair_with_none_are_counted() -> None:
    echoes, stream = feed(edge(24, 0, 1) + edge(24, 1, 2) + edge(24, 1, 5) + edge(24, 0, 9))
    assert echoes == [Echo(24, 5, 4)]
    assert stream.stray_edges == 2


def test_stamps_that_run_backwards_are_no_pulse() -> None:
    echoes, stream = feed(edge(24, 1, 9) + edge(24, 0, 8))
    assert echoes == []
    assert stream.stray_edges == 1


def test_a_line_that_was_up_too_long_is_forgotten() -> None:
    stream = feed(edge(24, 1, 1))[1]
    stream.forget()
    assert stream.feed(edge(24, 0, 2)) == []
    assert stream.stray_edges == 1


edges = st.builds(edge, st.integers(23, 25), st.integers(0, 1), st.integers(0, 50))
anything = st.lists(st.one_of(edges, st.binary(max_size=11)), max_size=12).map(b"".join)


@given(anything, st.sampled_from([24, None]), st.data())
def test_cut_anywhere_the_same_pulses_come_and_any_bytes_raise_nothing(
    data: bytes, line: int | None, draw: st.DataObject
) -> None:
    whole, stream = feed(data, line)
    cuts = sorted(draw.draw(st.sets(st.integers(0, len(data)), max_size=6)))
    pieces = EchoStream(line)
    got = []
    for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True):
        got += pieces.feed(data[a:b])
        restored = EchoStream(line)
        restored.restore(json.loads(json.dumps(pieces.snapshot())))
        pieces = restored
    assert got == whole
    assert pieces.snapshot() == stream.snapshot()
    assert all(echo.width_ns >= 0 for echo in whole)


def test_the_command_line_tells_width_and_distance_of_every_line() -> None:
    data = edge(24, 1, 10) + edge(24, 0, 8_746_010) + edge(5, 1, 11) + edge(5, 0, 47_300_011)
    events, skipped = decode_events(data + b"\x18\x01")
    assert events == [
        {"type": "echo", "line": 24, "rise_ns": 10, "width_ns": 8_746_000, "distance_mm": 1501},
        {"type": "echo", "line": 5, "rise_ns": 11, "width_ns": 47_300_000, "distance_mm": None},
    ]
    assert skipped == 2


def recorded(name: str) -> list[tuple[dict[str, str], list[int], list[int]]]:
    """Rows of an OpenBikeSensor file with the widths left and right, in us."""
    path = RECORDINGS / "ultrasonic" / name
    if not path.is_file():
        pytest.skip(f"{path.name} is not there; set LEEZE_RECORDINGS (docs/recordings.md)")
    _, head, *lines = path.read_text(encoding="utf-8").splitlines()
    rows = []
    for line in filter(None, lines):
        row = dict(zip(head.split(";"), line.split(";"), strict=True))
        left, right = ([int(v) for k, v in row.items() if k.startswith(side) and v] for side in ("Lus", "Rus"))
        rows.append((row, left, right))
    return rows


def offset_mm(name: str) -> int:
    """From the middle of the handlebar to its end, as the file's head says."""
    return {"openbikesensor_gps-time.csv": 300, "openbikesensor_zero-zero-bug.csv": 350}[name]


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("name", "pulses", "no_object", "inside_the_handlebar"),
    [("openbikesensor_gps-time.csv", 19, 5, 0), ("openbikesensor_zero-zero-bug.csv", 146, 13, 113)],
)
def test_every_recorded_pulse_is_a_distance_or_a_counted_exception(
    name: str, pulses: int, no_object: int, inside_the_handlebar: int
) -> None:
    """No object: above 18,560 us. Inside the handlebar: about 1,250 us, the sensor hears itself or the bicycle."""
    widths = [us * 1000 for _, left, right in recorded(name) for us in left + right]
    near = [distance_mm(width_ns, 22_700) for width_ns in widths if width_ns <= LONGEST_ECHO_NS]
    assert (len(widths), len(widths) - len(near)) == (pulses, no_object)
    assert sum(mm < offset_mm(name) for mm in near) == inside_the_handlebar
    assert all(200 < mm < 1600 for mm in near)
    assert min(width_ns for width_ns in widths if width_ns > LONGEST_ECHO_NS) > 47_000_000


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("name", "agree", "differ"), [("openbikesensor_gps-time.csv", 1, 0), ("openbikesensor_zero-zero-bug.csv", 4, 1)]
)
def test_the_distances_are_those_that_openbikesensor_made_of_the_same_pulses(
    name: str, agree: int, differ: int
) -> None:
    """It writes the least of a row's filtered values in whole cm, less the handlebar, at 58 us a cm: 22.7 degC.

    One row differs: 10 cm on both sides, of no pulse in it. It is what the file is named for.
    """
    agreed = []
    for row, left, right in recorded(name):
        for said, widths in ((row["Left"], left), (row["Right"], right)):
            mms = [distance_mm(us * 1000, 22_700) for us in widths if us * 1000 <= LONGEST_ECHO_NS]
            outside = [mm - offset_mm(name) for mm in mms if mm > offset_mm(name)]
            if said and outside:
                agreed.append(any(0 <= mm - 10 * int(said) < 12 for mm in outside))
    assert (agreed.count(True), agreed.count(False)) == (agree, differ)
