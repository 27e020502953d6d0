"""Register maps of the parts on a Modbus bus: URM14, SDM120, Waveshare's analog output."""

from __future__ import annotations

import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs import sdm120, urm14
from drivers.codecs import waveshare_ao8 as ao8
from drivers.codecs.dali_tables import OUTPUT_PPM
from drivers.codecs.modbus_rtu import encode_request, parse_reply, read
from drivers.errors import InputError
from hil.peers.modbus_models import Ao8Model, ModbusModel, Sdm120Model, Urm14Model
from hil.peers.modbus_slaves import with_crc

words = st.integers(0, 0xFFFF)


def exchange(model: ModbusModel, frame: bytes, t_ns: int = 0) -> bytes:
    """What the far end answers to a request; its reading is its own."""
    return with_crc(frame[:1] + model.answer(frame[1:-2], t_ns))


# --- URM14


def test_the_vendors_frames_of_a_urm14() -> None:
    assert encode_request(urm14.trigger(0x0C)).hex() == "0c060008000c0910"  # DFRobot's wiki, SEN0358
    assert encode_request(read(0x0C, urm14.DISTANCE)).hex() == "0c03000500019516"
    (steps,) = parse_reply(read(0x0C, urm14.DISTANCE), bytes.fromhex("0c030230394197"))
    assert (steps, urm14.distance_mm(steps)) == (12345, 1235)  # 1234.5 mm, halves up


@pytest.mark.parametrize(
    ("kin", "part_id", "address", "mm"),
    [("urm14", 2, 12, 1235), ("urm15", 5, 15, 12345), ("urm12", 1, 11, 123450)],  # DFRobot's register tables
)
def test_the_kin_differ_in_id_address_and_step(kin: str, part_id: int, address: int, mm: int) -> None:
    facts = urm14.KIN[kin]
    assert (facts.part_id, facts.address, urm14.distance_mm(12345, facts)) == (part_id, address, mm)


@pytest.mark.parametrize(("steps", "mm"), [(0, 0), (4, 0), (5, 1), (14, 1), (15, 2), (12345, 1235), (65534, 6553)])
def test_a_distance_is_rounded_to_the_nearest_millimetre_halves_up(steps: int, mm: int) -> None:
    assert urm14.distance_mm(steps) == mm


signed = st.integers(-0x8000, 0x7FFF)


@given(st.none() | st.integers(0, 0xFFFE), signed, signed, words.map(lambda word: word & ~8))
def test_what_a_urm14_is_made_to_say_is_read_back(
    distance: int | None, onboard: int, external: int, control: int
) -> None:
    reading = urm14.Reading(distance, onboard, external, control)
    said = urm14.encode_measured(reading)
    assert urm14.parse_measured(said) == reading
    assert urm14.parse_measured([*said[:3], control | urm14.TRIGGER]) == reading  # measuring now is no setting


def test_too_few_registers_are_an_error() -> None:
    with pytest.raises(ValueError, match="unpack"):
        urm14.parse_measured([1, 2, 3])


@pytest.mark.parametrize(
    ("mdegc", "register"),
    [(0, 0), (21_500, 215), (-5_250, 0xFFCC), (-5_251, 0xFFCB), (-40_000, 0xFE70), (85_000, 850), (49, 0), (50, 1)],
)
def test_the_airs_temperature_is_written_in_tenths(mdegc: int, register: int) -> None:
    assert urm14.temperature_register(mdegc) == register


@pytest.mark.parametrize("mdegc", [-40_001, 85_001])
def test_what_is_no_temperature_of_air_is_refused(mdegc: int) -> None:
    with pytest.raises(ValueError, match="no air temperature"):
        urm14.temperature_register(mdegc)


@given(st.integers(0, 65534), st.sampled_from([0, 1, 4, 5]))
def test_a_urm14_of_the_rig_measures_what_is_before_it(distance: int, control: int) -> None:
    model = Urm14Model(0x0C, distance)
    exchange(model, encode_request(urm14.trigger(0x0C, control | urm14.PASSIVE)), 0)
    asked = urm14.read_measured(0x0C)
    early = urm14.parse_measured(parse_reply(asked, exchange(model, encode_request(asked), urm14.MEASURE_NS // 2)))
    late = urm14.parse_measured(parse_reply(asked, exchange(model, encode_request(asked), urm14.MEASURE_NS)))
    assert (early.distance, late.distance) == (None, distance)
    assert late.control == control | urm14.PASSIVE
    who = urm14.who_are_you(0x0C)
    assert parse_reply(who, exchange(model, encode_request(who)))[:3] == (2, 16, 12)


# --- SDM120


def test_the_worked_frames_of_an_sdm120() -> None:
    assert encode_request(sdm120.ask_energy(1)).hex() == "010400480002f1dd"
    high, low = parse_reply(read(1, sdm120.VOLTAGE, 2, 4), bytes.fromhex("01040443676666f455"))
    assert sdm120.scaled(high, low, 1000) == 231_400
    assert encode_request(sdm120.write_setting(1, sdm120.BAUD, 2)).hex() == "0110001c00020440000000e736"


@given(words, words, st.sampled_from([1, 1_000, 1_000_000]))
def test_any_float_is_rounded_exactly_and_halves_away_from_zero(high: int, low: int, factor: int) -> None:
    value = struct.unpack(">f", struct.pack(">HH", high, low))[0]
    if value != value or value in (float("inf"), float("-inf")):
        with pytest.raises(ValueError, match="is no number"):
            sdm120.scaled(high, low, factor)
        return
    exact = Fraction(value) * factor
    nearest = (abs(exact) * 2 + 1) // 2
    assert sdm120.scaled(high, low, factor) == (-nearest if exact < 0 else nearest)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_becomes_two_registers_and_is_read_back(value: float) -> None:
    assert sdm120.scaled(*sdm120.words(value), 1) == (
        int(abs(Fraction(value)) + Fraction(1, 2)) * (-1 if value < 0 else 1)
    )


def test_a_reading_of_the_meter_has_voltage_current_power_and_energy() -> None:
    model = Sdm120Model()
    for register, words_there in (
        (sdm120.VOLTAGE, (0x4367, 0x6666)),  # 231.4 V
        (sdm120.CURRENT, (0x3F05, 0x1EB8)),  # 0.52 A
        (sdm120.POWER, (0xC2EC, 0x0000)),  # -118 W
        (sdm120.IMPORTED, (0x4145, 0x851F)),  # 12.345 kWh
    ):
        model.show(register, words_there)
    power, energy = (
        parse_reply(asked, exchange(model, encode_request(asked)))
        for asked in (sdm120.ask_power(1), sdm120.ask_energy(1))
    )
    assert sdm120.parse_reading(power, energy) == sdm120.Reading(231_400, 520, -118_000, 12_345_000)
    assert len(power) == 14


@given(st.integers(1, 247))
def test_a_setting_of_the_meter_is_read_back_as_written(address: int) -> None:
    model = Sdm120Model()
    model.setting = True
    write, asked = sdm120.write_setting(1, sdm120.ADDRESS, address), sdm120.read_setting(1, sdm120.ADDRESS)
    assert parse_reply(write, exchange(model, encode_request(write))) == ()
    kept = parse_reply(asked, exchange(model, encode_request(asked)))
    assert kept == sdm120.words(address)
    model.power_cycle()
    assert model.address == address


# --- Waveshare


@pytest.mark.parametrize(
    ("mv", "frame"),
    [(1_000, "0106000003e88974"), (5_000, "010600001388849c"), (10_000, "01060000271093f6")],  # Waveshare's wiki
)
def test_the_vendors_frames_of_the_analog_output(mv: int, frame: str) -> None:
    assert encode_request(ao8.set_output(1, 1, mv)).hex() == frame


@given(st.integers(1, 8), st.integers(0, 10_000))
def test_an_output_is_read_back_as_it_was_set(output: int, mv: int) -> None:
    model = Ao8Model()
    write, asked = ao8.set_output(1, output, mv), ao8.read_output(1, output)
    assert parse_reply(write, exchange(model, encode_request(write))) == ()
    assert parse_reply(asked, exchange(model, encode_request(asked))) == (mv,)
    assert [number for number, there in model.holding.items() if there] == ([output - 1] if mv else [])


@pytest.mark.parametrize(("output", "mv"), [(0, 0), (9, 0), (1, -1), (1, 10_001)])
def test_what_the_module_cannot_put_out_is_refused(output: int, mv: int) -> None:
    with pytest.raises(ValueError, match="is not"):
        ao8.set_output(1, output, mv)


@pytest.mark.parametrize("variant", ["", "A", "0-20mA"])
def test_the_part_without_b_is_refused(variant: str) -> None:
    with pytest.raises(InputError, match="0 to 20 mA"):
        ao8.check_variant(variant)
    for right in ("B", "b", "(B)"):
        ao8.check_variant(right)


@pytest.mark.parametrize(
    ("scale", "level", "mv"),
    [
        (ao8.Scale(), 0, 0),
        (ao8.Scale(), 1, 1_000),  # never below what a 1-10 V lamp takes for its least
        (ao8.Scale(), 170, 1_009),  # a tenth of full light, by DALI's curve
        (ao8.Scale(), 254, 10_000),
        (ao8.Scale(0), 1, 10),
        (ao8.Scale(0, 8_000), 254, 8_000),
        (ao8.Scale(0, 8_000), 170, 807),
        (ao8.Scale(0, curve="linear"), 127, 5_000),
        (ao8.Scale(0, curve="linear"), 1, 39),
        (ao8.Scale(curve="linear"), 1, 1_000),
        (ao8.Scale(curve="linear"), 254, 10_000),
    ],
)
def test_a_level_is_its_light_in_volts(scale: ao8.Scale, level: int, mv: int) -> None:
    assert scale.mv[level] == mv


@given(st.integers(0, 2_000), st.integers(2_001, 10_000), st.sampled_from(["log", "linear"]))
def test_more_level_is_never_less_voltage_and_a_voltage_is_the_level_it_shows(
    least_mv: int, full_mv: int, curve: ao8.Curve
) -> None:
    scale = ao8.Scale(least_mv, full_mv, curve)
    assert list(scale.mv) == sorted(scale.mv)
    assert (scale.mv[0], scale.mv[254], len(scale.mv)) == (0, full_mv, 255)
    for level, mv in enumerate(scale.mv):
        assert scale.mv[scale.level(mv)] == mv
        assert scale.level(mv) >= level
        if level and mv > least_mv:
            part = Fraction(OUTPUT_PPM[level], 1_000_000) if curve == "log" else Fraction(level, 254)
            assert abs(mv - part * full_mv) <= Fraction(1, 2)


@pytest.mark.parametrize(("least_mv", "full_mv"), [(-1, 10_000), (5_000, 5_000), (0, 10_001)])
def test_a_scale_that_cannot_be_is_refused(least_mv: int, full_mv: int) -> None:
    with pytest.raises(ValueError, match="0 <= least < full <= 10000"):
        ao8.Scale(least_mv, full_mv)
