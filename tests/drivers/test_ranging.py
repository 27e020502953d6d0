"""Serial ultrasonic sensors with a name: distances, nothing in range, no reading, air, silence, frozen values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.a02yyuw import INTERFERENCE, NO_OBJECT, TRIGGER, Reading, encode_reading
from drivers.devices.listener import FROZEN
from drivers.devices.ranging import A02yyuw, Mb7389
from drivers.errors import LinkLost
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import DeviceHealth, Quantity, Range
from drivers.units import NS_PER_MS, NS_PER_S

REAL = bytes.fromhex("ff039d9f")  # a real A01NYUB, 925 mm
WORKED = b"R1234\r"


def a02(**more: object) -> tuple[A02yyuw, MemoryLink, list[Quantity]]:
    """The device, the part's end of its wire, and what it has emitted."""
    near, far = memory_pair("bay-3")
    emitted: list[Quantity] = []
    return A02yyuw("bay-3", near, emitted.append, **more), far, emitted  # type: ignore[arg-type]


def mb(**more: object) -> tuple[Mb7389, MemoryLink, list[Quantity]]:
    near, far = memory_pair("bay-3")
    emitted: list[Quantity] = []
    return Mb7389("bay-3", near, emitted.append, **more), far, emitted  # type: ignore[arg-type]


def away(reading: int | Reading) -> bytes:
    return encode_reading(Reading(reading) if isinstance(reading, int) else reading)


def test_a_frame_is_a_distance() -> None:
    device, far, emitted = a02()
    far.write(REAL, 7)
    assert emitted == [Range(7, "bay-3", 925)]
    assert device.counters() == {
        "frames": 1,
        "skipped_bytes": 0,
        "implausible": 0,
        "interference": 0,
        "link_losses": 0,
    }


@pytest.mark.parametrize("reading", [NO_OBJECT, 4501, 5500])
def test_nothing_in_range_is_a_range_of_none(reading: int | Reading) -> None:
    device, far, emitted = a02()
    far.write(away(reading), 7)
    assert emitted == [Range(7, "bay-3", None)]
    assert device.frames == 1


@pytest.mark.parametrize(
    ("reading", "counter"), [(0, "implausible"), (29, "implausible"), (INTERFERENCE, "interference")]
)
def test_what_is_no_reading_is_counted_and_where_only_such_come_there_is_none(
    reading: int | Reading, counter: str
) -> None:
    device, far, emitted = a02()
    device.advance(0)
    for t_ms in range(0, 2000, 100):
        far.write(away(reading), t_ms * NS_PER_MS)
    device.advance(2 * NS_PER_S)
    assert emitted == [DeviceHealth(2 * NS_PER_S, "bay-3", False, "no reading")]
    assert (device.counters()[counter], device.frames) == (20, 0)


def test_the_limits_belong_to_the_part() -> None:
    _, far, emitted = a02(min_mm=280, max_mm=7500)
    for reading in (279, 280, 7500, 7501):
        far.write(away(reading), 7)
    assert emitted == [Range(7, "bay-3", 280), Range(7, "bay-3", 7500), Range(7, "bay-3", None)]


def test_an_aj_sr04m_is_understood_when_it_is_said_to_be_one() -> None:
    _, far, emitted = a02(header_in_sum=False)
    far.write(REAL + bytes.fromhex("ff039da0"), 7)
    assert emitted == [Range(7, "bay-3", 925)]


def test_a_part_that_believes_in_20_degrees_is_put_right_while_the_air_is_known() -> None:
    device, far, emitted = a02(reference_mdegc=20_000)
    for air_mdegc in (None, -10_000, 20_000, 40_000, None):
        device.set_air(air_mdegc)
        far.write(away(2000), 7)
    assert [value.distance_mm for value in emitted if isinstance(value, Range)] == [2000, 1895, 2000, 2067, 2000]


def test_a_part_with_a_thermometer_of_its_own_is_left_alone() -> None:
    for device, far, emitted in (a02(), mb()):
        device.set_air(-10_000)
        far.write(REAL + WORKED, 7)
        assert [value.distance_mm for value in emitted if isinstance(value, Range)] in ([925], [1234])


def test_air_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="-60 to 125 degC"):
        a02()[0].set_air(200_000)
    with pytest.raises(ValueError, match="-60 to 125 degC"):
        a02(reference_mdegc=200_000)


def test_a_part_on_demand_is_asked_in_time_and_again_after_a_loss() -> None:
    device, far, emitted = a02(trigger_ns=100 * NS_PER_MS)
    asked: list[tuple[bytes, int]] = []
    far.receiver = lambda data, t_ns: asked.append((data, t_ns))
    for t_ms in range(0, 300, 10):
        device.advance(t_ms * NS_PER_MS)
        if t_ms == 150:
            far.write(REAL, t_ms * NS_PER_MS)
    assert asked == [(TRIGGER, t_ms * NS_PER_MS) for t_ms in (0, 100, 200)]
    assert device.wake_ns == 300 * NS_PER_MS
    assert emitted == [Range(150 * NS_PER_MS, "bay-3", 925)]

    def lost(data: bytes, t_ns: int) -> None:
        raise LinkLost("bay-3", t_ns, "gone", data)

    far.receiver = lost
    device.advance(300 * NS_PER_MS)
    assert device.counters()["link_losses"] == 1
    assert device.wake_ns == 400 * NS_PER_MS


def test_the_worked_frame_of_maxbotix_is_a_distance() -> None:
    device, far, emitted = mb()
    far.write(b"\xff" + WORKED, 7)
    assert emitted == [Range(7, "bay-3", 1234)]
    assert device.counters() == {"frames": 1, "skipped_bytes": 1, "implausible": 0}


def test_5000_is_no_target_for_a_part_of_5_m_and_a_distance_for_one_of_10_m() -> None:
    data = b"R4999\rR5000\rR9999\r"
    _, far, emitted = mb()
    far.write(data, 7)
    assert emitted == [Range(7, "bay-3", 4999), Range(7, "bay-3", None), Range(7, "bay-3", None)]
    _, far, emitted = mb(no_target_mm=9999)
    far.write(data, 7)
    assert emitted == [Range(7, "bay-3", 4999), Range(7, "bay-3", 5000), Range(7, "bay-3", None)]


def test_nearest_is_that_or_nearer_and_less_is_no_reading() -> None:
    device, far, emitted = mb()
    far.write(b"R0300\rR0299\r", 7)
    assert emitted == [Range(7, "bay-3", 300)]
    assert device.counters()["implausible"] == 1


def test_an_xl_part_counts_centimetres() -> None:
    _, far, emitted = mb(centimetres=True, nearest_mm=200, no_target_mm=7650)
    far.write(b"R123\rR765\r", 7)
    assert emitted == [Range(7, "bay-3", 1230), Range(7, "bay-3", None)]


def stand(device: A02yyuw | Mb7389, far: MemoryLink, frame: bytes, seconds: int) -> None:
    """The same frame once a second."""
    for t_s in range(seconds + 1):
        while device.wake_ns <= t_s * NS_PER_S:
            device.advance(device.wake_ns)
        far.write(frame, t_s * NS_PER_S)


def test_the_same_millimetre_for_an_hour_is_frozen_and_another_ends_it() -> None:
    device, far, emitted = a02()
    stand(device, far, REAL, 3601)
    healths = [value for value in emitted if isinstance(value, DeviceHealth)]
    assert healths == [DeviceHealth(3600 * NS_PER_S, "bay-3", False, FROZEN)]
    far.write(away(924), 3602 * NS_PER_S)
    assert emitted[-2:] == [DeviceHealth(3602 * NS_PER_S, "bay-3", True), Range(3602 * NS_PER_S, "bay-3", 924)]


@pytest.mark.parametrize("frame", [away(NO_OBJECT), away(5500)])
def test_an_empty_street_is_not_frozen(frame: bytes) -> None:
    device, far, emitted = a02()
    stand(device, far, frame, 7200)
    assert all(isinstance(value, Range) for value in emitted)


@pytest.mark.parametrize(
    ("frame", "more"),
    [(b"R5000\r", {}), (b"R0300\r", {}), (b"R123\r", {"centimetres": True}), (WORKED, {"frozen_ns": 0})],
)
def test_what_a_maxbotix_may_say_for_hours_is_not_frozen(frame: bytes, more: dict[str, object]) -> None:
    device, far, emitted = mb(**more)
    stand(device, far, frame, 7200)
    assert len(emitted) == 7201
    assert all(isinstance(value, Range) for value in emitted)


chunks = st.one_of(
    st.sampled_from([REAL, REAL[:2], REAL[2:], WORKED, WORKED[:3], WORKED[3:], b"R0300\r", b"\xff", away(NO_OBJECT)]),
    st.integers(0, 6000).map(away),
    st.binary(max_size=5),
)
moves = st.lists(st.tuples(chunks, st.integers(0, 2500), st.sampled_from([None, -10_000, 30_000])), max_size=10)


@given(moves, st.integers(0, 10), st.sampled_from([a02, mb]), st.sampled_from([0, 400 * NS_PER_MS]))
def test_a_restored_sensor_emits_the_rest_and_an_early_advance_changes_nothing(
    steps: list[tuple[bytes, int, int | None]], at: int, make: type, trigger_ns: int
) -> None:
    more = {"reference_mdegc": 20_000, "frozen_ns": 3 * NS_PER_S}
    if make is a02:
        more["trigger_ns"] = trigger_ns
    straight, far_straight, wanted = make(**more)
    broken, far_broken, got = make(**more)
    t_ns = 0
    for n, (chunk, wait_ms, air_mdegc) in enumerate(steps):
        if n == at:
            state, before = json.loads(json.dumps(broken.snapshot())), got
            broken, far_broken, got = make(**more)
            broken.restore(state)
            got[:0] = before
        t_ns += wait_ms * NS_PER_MS
        for device, far in ((straight, far_straight), (broken, far_broken)):
            device.set_air(air_mdegc)
            far.write(chunk, t_ns)
            early = device.snapshot()
            device.advance(t_ns)
            assert device.snapshot() == early or early["wake_ns"] <= t_ns
            assert device.wake_ns > t_ns
    assert got == wanted
    assert broken.snapshot() == straight.snapshot()
