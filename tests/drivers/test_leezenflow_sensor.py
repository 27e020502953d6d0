"""Leezenflow's own sensor: its lines, its failed reads, and what the device makes of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.leezenflow_sensor import (
    MAX_LINE_BYTES,
    LeezenflowSensorStream,
    Reading,
    decode_events,
    encode_reading,
)
from drivers.devices.leezenflow_sensor import FAILED, LeezenflowSensor
from drivers.devices.listener import FROZEN
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import Climate, DeviceHealth, PowerReading, Quantity
from drivers.units import NS_PER_MS, NS_PER_S

SUMMER = b"216,40,100182,1221\r\n"
README = b"2160,40,100182,1221\r\n"

readings = st.builds(
    Reading,
    temperature_decidegc=st.integers(-400, 1250),
    humidity_pct=st.integers(0, 100),
    pressure_pa=st.integers(30_000, 110_000),
    voltage_mv=st.integers(0, 60_000),
)
anything = st.lists(
    st.one_of(
        st.binary(max_size=30),
        readings.map(encode_reading),
        st.sampled_from([b"\r\n", b"\n", b"216,40,", b"nan,nan,100182,0\r\n", b"1" * MAX_LINE_BYTES, README]),
    ),
    max_size=8,
).map(b"".join)


def feed(data: bytes) -> tuple[list[Reading], LeezenflowSensorStream]:
    stream = LeezenflowSensorStream()
    return stream.feed(data), stream


@pytest.mark.parametrize(
    ("line", "reading"),
    [
        # src/main.cpp: printf("%2.0f,%2.0f,%2.0f,%d\r\n", tmp * 10, hum, pressure, voltage_value)
        (SUMMER, Reading(216, 40, 100_182, 1221)),
        (b"-52,87,98703,0\r\n", Reading(-52, 87, 98_703, 0)),
        (b" 5, 7,101325,12\r\n", Reading(5, 7, 101_325, 12)),
        (b"-0,96,101325,12\r\n", Reading(0, 96, 101_325, 12)),
        (b" 0, 0,100182,1221\r\n", Reading(0, 0, 100_182, 1221)),
        (README, Reading(2160, 40, 100_182, 1221)),
    ],
)
def test_a_line_as_printf_writes_it_is_read(line: bytes, reading: Reading) -> None:
    readings, stream = feed(line)
    assert readings == [reading]
    assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0)


def test_zero_and_zero_is_a_failed_read_and_frost_is_not() -> None:
    assert Reading(0, 0, 100_182, 1221).failed
    assert not Reading(0, 96, 100_182, 1221).failed
    assert not Reading(-10, 0, 100_182, 1221).failed


def test_the_example_of_the_readme_is_hotter_than_the_part_can_say() -> None:
    assert not Reading(2160, 40, 100_182, 1221).plausible
    assert Reading(216, 40, 100_182, 1221).plausible


@pytest.mark.parametrize(
    ("sound", "beyond"),
    [
        (Reading(-400, 40, 100_000, 0), Reading(-401, 40, 100_000, 0)),
        (Reading(1250, 40, 100_000, 0), Reading(1251, 40, 100_000, 0)),
        (Reading(216, 100, 100_000, 0), Reading(216, 101, 100_000, 0)),
        (Reading(216, 40, 30_000, 0), Reading(216, 40, 29_999, 0)),
        (Reading(216, 40, 110_000, 0), Reading(216, 40, 110_001, 0)),
    ],
)
def test_what_the_parts_cannot_measure_is_not_plausible(sound: Reading, beyond: Reading) -> None:
    assert sound.plausible
    assert not beyond.plausible


@given(st.lists(readings, max_size=6))
def test_what_is_encoded_is_read_back(wanted: list[Reading]) -> None:
    found, stream = feed(b"".join(map(encode_reading, wanted)))
    assert found == wanted
    assert stream.skipped_bytes == 0


@pytest.mark.parametrize(
    "damaged",
    [
        b"\r\n",
        b"216,40,100182\r\n",
        b"216,40,100182,1221,7\r\n",
        b"216,40,100182,1221\n",
        b"21.6,40,100182,1221\r\n",
        b"nan,nan,100182,1221\r\n",
        b"2\xff6,40,100182,1221\r\n",  # and not 0.6 degrees
        b"C:21.6\r\nH:40\r\nP:100182\r\nV:12.21\r\n",  # an earlier version of the sensor's program
        b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n",
        b"216,40,100182,-1221\r\n",
        b"216,40,100182," + b"1" * MAX_LINE_BYTES + b"\r\n",
    ],
)
def test_a_damaged_line_is_skipped_and_the_next_is_read(damaged: bytes) -> None:
    found, stream = feed(damaged + SUMMER)
    assert found == [Reading(216, 40, 100_182, 1221)]
    assert stream.skipped_bytes == len(damaged)


def test_rubbish_without_a_line_end_costs_the_line_that_it_touches_and_no_other() -> None:
    found, stream = feed(b"\xff7" + SUMMER + SUMMER)
    assert found == [Reading(216, 40, 100_182, 1221)]
    assert stream.skipped_bytes == 2 + len(SUMMER)


@given(anything, st.data())
def test_cut_anywhere_the_same_readings_come_with_the_same_counts(data: bytes, draw: st.DataObject) -> None:
    whole, stream = feed(data)
    cuts = sorted(draw.draw(st.sets(st.integers(0, len(data)), max_size=12)))
    pieces = LeezenflowSensorStream()
    got = [r for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) for r in pieces.feed(data[a:b])]
    assert got == whole
    assert pieces.snapshot() == stream.snapshot()


@given(st.lists(st.one_of(st.binary(max_size=200), anything), max_size=8))
def test_any_bytes_raise_nothing_and_at_most_a_line_is_held(chunks: list[bytes]) -> None:
    stream = LeezenflowSensorStream()
    for chunk in chunks:
        stream.feed(chunk)
        assert stream.pending_bytes <= MAX_LINE_BYTES
    found = stream.feed(b"\n" + SUMMER)
    assert found[-1] == Reading(216, 40, 100_182, 1221)
    stream.finish()
    assert stream.pending_bytes == 0


@given(anything, anything)
def test_a_restored_stream_goes_on_where_it_stood(before: bytes, after: bytes) -> None:
    stream = feed(before)[1]
    other = LeezenflowSensorStream()
    other.restore(json.loads(json.dumps(stream.snapshot())))
    assert other.feed(after) == stream.feed(after)
    assert other.snapshot() == stream.snapshot()


def test_the_command_line_shows_units_failed_reads_and_what_was_skipped() -> None:
    events, skipped = decode_events(SUMMER + b"boot\r\n" + b" 0, 0,100182,1221\r\n" + README + b"21")
    assert events == [
        {
            "type": "climate",
            "temperature_degc": 21.6,
            "humidity_pct": 40,
            "pressure_pa": 100_182,
            "voltage_mv": 1221,
            "plausible": True,
        },
        {"type": "failed_read", "pressure_pa": 100_182, "voltage_mv": 1221},
        {
            "type": "climate",
            "temperature_degc": 216.0,
            "humidity_pct": 40,
            "pressure_pa": 100_182,
            "voltage_mv": 1221,
            "plausible": False,
        },
    ]
    assert skipped == 8


def sensor() -> tuple[LeezenflowSensor, MemoryLink, list[Quantity]]:
    """The device, the part's end of its wire, and what it has emitted."""
    near, far = memory_pair("weather")
    emitted: list[Quantity] = []
    return LeezenflowSensor("weather", near, emitted.append), far, emitted


def test_a_line_gives_climate_and_voltage_in_our_units() -> None:
    _, far, emitted = sensor()
    far.write(b"-52,87,98703,1221\r\n", 7)
    assert emitted == [PowerReading(7, "weather", voltage_mv=1221), Climate(7, "weather", -5200, 870, 98_703)]


def test_a_failed_read_is_a_fault_and_no_weather_until_the_next_sound_line() -> None:
    device, far, emitted = sensor()
    for t_ns in (1, 2):
        far.write(b" 0, 0,100182,1221\r\n", t_ns)
    far.write(SUMMER, 3)
    assert emitted == [
        DeviceHealth(1, "weather", False, FAILED),
        PowerReading(1, "weather", voltage_mv=1221),
        PowerReading(2, "weather", voltage_mv=1221),
        DeviceHealth(3, "weather", True),
        PowerReading(3, "weather", voltage_mv=1221),
        Climate(3, "weather", 21_600, 400, 100_182),
    ]
    assert device.counters() == {"frames": 1, "skipped_bytes": 0, "failed_reads": 2, "implausible": 0}


def test_implausible_readings_are_counted_and_where_no_others_come_it_has_no_reading() -> None:
    device, far, emitted = sensor()
    device.advance(0)
    for t_s in (2, 4, 6, 8):
        far.write(README, t_s * NS_PER_S)
    device.advance(10 * NS_PER_S)
    assert emitted == [DeviceHealth(10 * NS_PER_S, "weather", False, "no reading")]
    assert device.counters()["implausible"] == 4


def test_half_a_line_before_a_pause_does_not_spoil_the_line_after_it() -> None:
    device, far, emitted = sensor()
    far.write(b"-", 0)
    far.write(SUMMER, 2 * NS_PER_S)
    assert emitted[1] == Climate(2 * NS_PER_S, "weather", 21_600, 400, 100_182)
    assert device.counters()["skipped_bytes"] == 1
    far.write(SUMMER[:5], 4 * NS_PER_S)
    far.write(SUMMER[5:], 4 * NS_PER_S + 400 * NS_PER_MS)
    assert len(emitted) == 4


def test_the_same_line_for_half_an_hour_is_frozen() -> None:
    device, far, emitted = sensor()
    for t_s in range(0, 1802, 2):
        while device.wake_ns <= t_s * NS_PER_S:
            device.advance(device.wake_ns)
        far.write(SUMMER, t_s * NS_PER_S)
    assert [v for v in emitted if isinstance(v, DeviceHealth)] == [
        DeviceHealth(1800 * NS_PER_S, "weather", False, FROZEN)
    ]


@given(st.lists(st.tuples(anything, st.integers(0, 3000)), max_size=6), st.integers(0, 6))
def test_a_restored_sensor_emits_the_rest(chunks: list[tuple[bytes, int]], at: int) -> None:
    straight, far_straight, wanted = sensor()
    broken, far_broken, got = sensor()
    t_ns = 0
    for n, (chunk, wait_ms) in enumerate(chunks):
        if n == at:
            state, before = json.loads(json.dumps(broken.snapshot())), got
            broken, far_broken, got = sensor()
            broken.restore(state)
            got[:0] = before
        t_ns += wait_ms * NS_PER_MS
        far_straight.write(chunk, t_ns)
        far_broken.write(chunk, t_ns)
        for device in (straight, broken):
            early = device.snapshot()
            device.advance(t_ns)
            assert device.snapshot() == early or early["wake_ns"] <= t_ns
    assert got == wanted
    assert broken.snapshot() == straight.snapshot()
