"""The ranging and weather parts of the bench tools: by name, with the settings that a desk may give."""

from __future__ import annotations

import pytest

from drivers.errors import InputError
from drivers.line_events import EDGE, LineEvent, encode
from drivers.links.memory import memory_pair
from drivers.parts import PARTS
from drivers.parts.part import Options
from drivers.quantities import Climate, PowerReading, Quantity, Range
from drivers.units import NS_PER_MS


def told(part: str, data: bytes, **more: str) -> list[Quantity]:
    """What the part's device makes of `data`, with these settings."""
    near, far = memory_pair("desk")
    emitted: list[Quantity] = []
    bench = PARTS[part].bench
    assert bench is not None
    device = bench.device("desk", near, emitted.append, Options(more=more))
    device.advance(0)
    far.write(data, 9 * NS_PER_MS)
    return emitted


@pytest.mark.parametrize(
    ("part", "data", "more", "distance_mm"),
    [
        ("a02yyuw", bytes.fromhex("ff039d9f"), {}, 925),
        ("a02yyuw", bytes.fromhex("ff039d9f"), {"max_mm": "900"}, None),
        ("aj-sr04m", bytes.fromhex("ff039da0"), {}, 925),
        ("mb7389", b"R1234\r", {}, 1234),
        ("mb7389", b"R5000\r", {"no_target_mm": "9999"}, 5000),
        ("mb7389", b"R123\r", {"centimetres": "1"}, 1230),
        ("hc-sr04", b"".join(encode(LineEvent(24, EDGE, v, t)) for v, t in ((1, 0), (0, 8_746_000))), {}, 1501),
        (
            "hc-sr04",
            b"".join(encode(LineEvent(5, EDGE, v, t)) for v, t in ((1, 0), (0, 8_746_000))),
            {"echo": "5"},
            1501,
        ),
    ],
)
def test_a_frame_on_a_desk_is_a_distance(part: str, data: bytes, more: dict[str, str], distance_mm: int) -> None:
    assert told(part, data, **more) == [Range(9 * NS_PER_MS, "desk", distance_mm)]


def test_a_line_on_a_desk_is_weather() -> None:
    power, climate = told("leezenflow-sensor", b"216,40,100182,1221\r\n")
    assert climate == Climate(9 * NS_PER_MS, "desk", 21_600, 400, 100_182)
    assert power == PowerReading(9 * NS_PER_MS, "desk", voltage_mv=1221)


@pytest.mark.parametrize("part", ["a02yyuw", "aj-sr04m", "mb7389", "hc-sr04"])
def test_a_setting_that_there_is_not_is_refused(part: str) -> None:
    with pytest.raises(InputError, match="--set colour: no such setting"):
        told(part, b"", colour="1")
    with pytest.raises(InputError, match="--set min_mm=near: a whole number"):
        told("a02yyuw", b"", min_mm="near")


@pytest.mark.parametrize(
    ("part", "data", "event"),
    [
        ("a02yyuw", bytes.fromhex("ff07a1a7"), {"type": "range", "distance_mm": 1953}),
        ("aj-sr04m", bytes.fromhex("ff039da0"), {"type": "range", "distance_mm": 925}),
        ("mb7389", b"R1234\r", {"type": "range", "distance_mm": 1234}),
    ],
)
def test_decode_knows_them(part: str, data: bytes, event: dict[str, object]) -> None:
    decode = PARTS[part].decode
    assert decode is not None
    assert decode(data + b"\x00") == ([event], 1)


def test_decode_reads_recorded_edges() -> None:
    decode = PARTS["hc-sr04"].decode
    assert decode is not None
    events, skipped = decode(encode(LineEvent(24, EDGE, 1, 0)) + encode(LineEvent(24, EDGE, 0, 8_746_000)) + b"\x00")
    assert (events[0]["distance_mm"], skipped) == (1501, 1)
