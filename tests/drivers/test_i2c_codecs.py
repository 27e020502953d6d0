"""Register maps of the I2C chips: worked frames first, then what is written is read back, and ranges are kept."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs import bme280, gp8403, ina226, mcp4725, pca9685
from drivers.codecs.ina226 import INA219, Scale

# --- GP8403


def test_the_gp8403_frames_of_two_open_drivers() -> None:
    """ESPHome and DFRobot: 50 % is 2047 counts; ranges 00 and 11."""
    assert gp8403.set_output(0x58, 0, 2047).data == bytes.fromhex("02 F0 7F")
    assert gp8403.set_output(0x58, 1, 2047).data == bytes.fromhex("04 F0 7F")
    assert gp8403.set_range(0x58, 5_000).data == bytes.fromhex("01 00")
    assert gp8403.set_range(0x58, 10_000).data == bytes.fromhex("01 11")


@given(st.integers(0x58, 0x5F), st.integers(0, 1), st.integers(0, 4095))
def test_what_a_gp8403_is_told_is_read_back_by_the_far_end(address: int, channel: int, counts: int) -> None:
    request = gp8403.set_output(address, channel, counts)
    assert (request.address, request.read_count) == (address, 0)
    assert gp8403.written(request.data) == (None, {channel: counts})


def test_a_gp8403_takes_both_outputs_at_once_and_none_beyond() -> None:
    assert gp8403.written(bytes.fromhex("02 F0 7F 10 00")) == (None, {0: 2047, 1: 1})
    assert gp8403.written(bytes.fromhex("04 F0 7F 10 00")) == (None, {1: 2047})
    assert gp8403.written(gp8403.set_range(0x58, 10_000).data) == (10_000, {})


@pytest.mark.parametrize(("channel", "counts"), [(2, 0), (-1, 0), (0, 4096), (0, -1)])
def test_a_gp8403_has_two_outputs_of_twelve_bits(channel: int, counts: int) -> None:
    with pytest.raises(ValueError, match="0 to 4095"):
        gp8403.set_output(0x58, channel, counts)


def test_a_gp8403_has_two_ranges() -> None:
    with pytest.raises(ValueError, match="5000 and 10000"):
        gp8403.set_range(0x58, 3_300)


@given(st.binary(max_size=8))
def test_any_bytes_written_to_a_gp8403_mean_something_or_nothing(data: bytes) -> None:
    full_mv, outputs = gp8403.written(data)
    assert full_mv in (None, 5_000, 10_000)
    assert all(0 <= counts <= 4095 for counts in outputs.values())


# --- MCP4725


def test_the_mcp4725_frames_of_its_paper() -> None:
    """Microchip DS22039D, figures 6-1 and 6-2: command bits, power-down bits 00, twelve bits of data."""
    assert mcp4725.fast_write(0x60, 0xABC).data == bytes.fromhex("0A BC")
    assert mcp4725.long_write(0x60, 0xABC).data == bytes.fromhex("40 AB C0")
    assert mcp4725.long_write(0x60, 2048).data == bytes.fromhex("40 80 00")
    assert mcp4725.read(0x60).read_count == 5


def test_what_an_mcp4725_says_as_its_paper_prints_it() -> None:
    """DS22039D, figure 6-3; C0 is the second byte a user of a real part reported."""
    reading = mcp4725.decode(bytes.fromhex("C0 AB C0 01 23"))
    assert reading == mcp4725.Reading(counts=0xABC, power_down=0, eeprom_counts=0x123)
    asleep = mcp4725.decode(bytes.fromhex("44 AB C0 61 23"))
    assert asleep == mcp4725.Reading(0xABC, 2, 0x123, 3, ready=False)
    assert (reading.output_counts, asleep.output_counts) == (0xABC, 0)


counts12 = st.integers(0, 4095)


@given(counts12, st.integers(0, 3), counts12, st.integers(0, 3), st.booleans(), st.booleans())
def test_what_an_mcp4725_holds_is_read_back(
    counts: int, down: int, memory: int, memory_down: int, ready: bool, powered: bool
) -> None:
    reading = mcp4725.Reading(counts, down, memory, memory_down, ready, powered)
    assert mcp4725.decode(mcp4725.encode(reading)) == reading


@given(counts12)
def test_what_an_mcp4725_is_told_never_reaches_its_memory(counts: int) -> None:
    for request in (mcp4725.fast_write(0x61, counts), mcp4725.long_write(0x61, counts)):
        assert mcp4725.written(request.data) == (counts, 0, False)


def test_other_words_to_an_mcp4725() -> None:
    assert mcp4725.written(bytes.fromhex("60 AB C0")) == (0xABC, 0, True)
    assert mcp4725.written(bytes.fromhex("3A BC")) == (0xABC, 3, False)
    for nothing in ("", "4A BC", "80 AB C0", "40", "40 00 00 00"):
        assert mcp4725.written(bytes.fromhex(nothing)) is None


def test_an_mcp4725_has_twelve_bits_and_says_five_bytes() -> None:
    for counts in (-1, 4096):
        with pytest.raises(ValueError, match="0 to 4095"):
            mcp4725.fast_write(0x60, counts)
        with pytest.raises(ValueError, match="0 to 4095"):
            mcp4725.long_write(0x60, counts)
    with pytest.raises(ValueError, match="says 5 bytes, not 3"):
        mcp4725.decode(b"\xc0\x00\x00")


# --- PCA9685


def test_the_pca9685_frames() -> None:
    """1000 Hz is prescale 05; fully on is ON 1000, fully off OFF 1000; output n stands at 06 + 4 n (NXP, table 4)."""
    assert pca9685.prescale_for(1000) == 5
    assert pca9685.prescale_for(200) == 0x1E
    assert pca9685.set_output(0x40, 0, 4096).data == bytes.fromhex("06 00 10 00 00")
    assert pca9685.set_output(0x40, 0, 0).data == bytes.fromhex("06 00 00 00 10")
    assert pca9685.set_output(0x40, 15, 0x123).data == bytes.fromhex("42 00 00 23 01")
    assert pca9685.write_prescale(0x40, 5).data == bytes.fromhex("FE 05")
    assert pca9685.write_mode(0x40, pca9685.SLEEP).data == bytes.fromhex("00 10")
    assert pca9685.RESTART | pca9685.AUTO_INCREMENT == 0xA0
    assert (pca9685.read_mode(0x40).data, pca9685.read_prescale(0x40).data) == (b"\x00", b"\xfe")
    assert pca9685.read_outputs(0x40).read_count == 64


@given(st.lists(st.integers(0, 4096), min_size=1, max_size=16))
def test_what_the_outputs_of_a_pca9685_are_told_is_read_back(counts: list[int]) -> None:
    registers = b"".join(pca9685.set_output(0x40, n, value).data[1:] for n, value in enumerate(counts))
    assert pca9685.decode_outputs(registers) == counts


def test_fully_off_wins_over_fully_on_and_any_phase_is_understood() -> None:
    assert pca9685.decode_outputs(bytes.fromhex("00 10 00 10  00 08 00 04  AA")) == [0, 3072]


@pytest.mark.parametrize("frequency_hz", [23, 1527, 0, -1])
def test_a_pca9685_has_a_range_of_frequencies(frequency_hz: int) -> None:
    with pytest.raises(ValueError, match="24 to 1526"):
        pca9685.prescale_for(frequency_hz)


def test_a_pca9685_has_sixteen_outputs_and_a_least_prescale() -> None:
    for channel, counts in ((16, 0), (0, 4097), (0, -1)):
        with pytest.raises(ValueError, match="0 to 4096"):
            pca9685.set_output(0x40, channel, counts)
    for prescale in (2, 256):
        with pytest.raises(ValueError, match="3 to 255"):
            pca9685.write_prescale(0x40, prescale)


@given(st.integers(24, 1526))
def test_every_frequency_a_pca9685_takes_has_a_prescale_it_takes(frequency_hz: int) -> None:
    assert pca9685.write_prescale(0x40, pca9685.prescale_for(frequency_hz)).data[0] == 0xFE


# --- INA226


def test_the_example_of_the_ina226s_paper() -> None:
    """TI SBOS547, table 1: 2 mohm, 1 mA a bit, 10 A at 12 V."""
    scale = Scale.of(shunt_uohm=2_000, max_ma=32_768)
    assert scale.calibration == 0x0A00
    assert scale.shunt_uv(0x1F40) == 20_000
    assert scale.voltage_mv(0x2570) == 11_980
    assert scale.current_ma(0x2710) == 10_000
    assert scale.power_mw(0x12B8) == 119_800
    assert scale.current_raw(0x1F40) == 0x2710


def test_ina226_registers_as_frames() -> None:
    assert ina226.write_register(0x40, ina226.REG_CALIBRATION, 2560).data == bytes.fromhex("05 0A 00")
    assert ina226.read_register(0x40, ina226.REG_MAKER).data == b"\xfe"
    assert ina226.read_register(0x40, ina226.REG_DIE).read_count == 2
    assert (ina226.word(b"\x54\x49"), ina226.word(b"\x22\x60")) == (ina226.MAKER, ina226.DIE)


def test_a_current_backwards_is_negative() -> None:
    scale = Scale.of(2_000, 32_768)
    assert scale.current_ma(0x10000 - 10_000) == -10_000
    assert scale.current_raw(0x10000 - 8_000) == 0x10000 - 10_000


def test_a_calibration_is_rounded_down_and_the_lsb_in_force_worked_out_from_it() -> None:
    scale = Scale.of(shunt_uohm=30_000, max_ma=2_700)  # 83 uA a bit wanted: 2056.2
    assert scale.calibration == 2056
    assert scale.current_ma(10_000) == 830  # 83.009 uA a bit


def test_the_ina219_by_its_own_facts() -> None:
    """TI SBOS448: 10 uV, 4 mV from bit 3 on, power 20 LSB; 0.1 ohm and 100 uA a bit is calibration 4096."""
    scale = Scale.of(100_000, 3_200, INA219)
    assert Scale(100_000, 4096, INA219).current_ma(10_000) == 1_000
    assert Scale(100_000, 4096, INA219).power_mw(2_500) == 5_000
    assert scale.voltage_mv(3_000 << 3 | 2) == 12_000
    assert scale.shunt_uv(1_000) == 10_000


@pytest.mark.parametrize(
    ("shunt_uohm", "max_ma"), [(0, 100), (100_000, 0), (-1, 5), (100_000, 820), (1, 1), (2_000, 41_000)]
)
def test_a_shunt_and_a_current_that_do_not_go_together_are_refused(shunt_uohm: int, max_ma: int) -> None:
    with pytest.raises(ValueError, match=r"calibration would be|at most 81920 uV"):
        Scale.of(shunt_uohm, max_ma)


@given(st.integers(1_000, 200_000), st.integers(100, 40_000), st.integers(-32_768, 32_767))
def test_what_an_ina226_says_of_its_shunt_is_the_current_through_it(shunt_uohm: int, max_ma: int, shunt: int) -> None:
    if shunt_uohm * max_ma > 81_920_000 or 5_120_000_000 // (-(-max_ma * 1000 // 32_768) * shunt_uohm) > 0x7FFF:
        return
    scale = Scale.of(shunt_uohm, max_ma)
    if abs(shunt * scale.calibration) >= 32_767 * 2048:
        return  # overflow
    true_ua = shunt * 2_500_000 // shunt_uohm
    lsb_ua = 5_120_000_000 // (scale.calibration * shunt_uohm) + 1
    assert abs(scale.current_ma(scale.current_raw(shunt & 0xFFFF)) * 1000 - true_ua) <= 500 + lsb_ua + 1


# --- BME280


def test_boschs_example_stands_where_the_paper_says() -> None:
    stands = bme280.trimming(bme280.BOSCH_T, bme280.BOSCH_P, (75, 370, 0, 313, 50, 30))
    assert stands[0x88][:6].hex(" ") == "70 6b 43 67 18 fc"  # T1 27504, T2 26435, T3 -1000
    assert stands[0x88][6:10].hex(" ") == "7d 8e 43 d6"  # P1 36477, P2 -10685
    assert bme280.measured(519888, 415148, 0x8000).hex(" ") == "65 5a c0 7e ed 00 80 00"


i16 = st.integers(-0x8000, 0x7FFF)
i12 = st.integers(-0x800, 0x7FF)
u16 = st.integers(0, 0xFFFF)


@given(
    st.tuples(u16, i16, i16),
    st.tuples(u16, *[i16] * 8),
    st.tuples(st.integers(0, 255), i16, st.integers(0, 255), i12, i12, st.integers(-128, 127)),
)
def test_trimming_is_read_back(t: Any, p: Any, h: Any) -> None:
    stands = bme280.trimming(t, p, h)
    assert bme280.read_trimming(stands[0x88], stands[0xA1][0], stands[0xE1]) == (t, p, h)


@given(st.integers(0, 0xFFFFF), st.integers(0, 0xFFFFF), u16)
def test_raw_values_are_read_back(adc_t: int, adc_p: int, adc_h: int) -> None:
    assert bme280.raw_values(bme280.measured(adc_t, adc_p, adc_h)) == (adc_t, adc_p, adc_h)


def test_what_does_not_fit_the_registers_is_refused() -> None:
    for raw in ((1 << 20, 0, 0), (0, 1 << 20, 0), (0, 0, 1 << 16), (-1, 0, 0)):
        with pytest.raises(ValueError, match="do not fit"):
            bme280.measured(*raw)
    with pytest.raises(struct.error):
        bme280.trimming((1 << 16, 0, 0), bme280.BOSCH_P, (0, 0, 0, 0, 0, 0))
    with pytest.raises(struct.error):
        bme280.read_trimming(b"", 0, b"")


def test_values_beyond_the_part_are_named() -> None:
    assert bme280.out_of_range(25_082, 562, 100_653) == ""
    assert "temperature" in bme280.out_of_range(85_001, 500, 100_000)
    assert "pressure" in bme280.out_of_range(20_000, 500, 29_999)
    assert "humidity" in bme280.out_of_range(20_000, 1001, 100_000)
