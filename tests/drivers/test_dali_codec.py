"""DALI frames, tables and words, against worked frames, exact arithmetic and python-dali."""

from __future__ import annotations

from math import isqrt

import pytest
from dali import address as oracle_address
from dali import command as oracle_command
from dali import frame as oracle_frame
from dali.gear import general as oracle
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs import dali
from drivers.codecs.dali_tables import SPECIAL, STANDARD

WORKED = [
    (dali.dapc(dali.short(5), 254), 0x0AFE),
    (dali.dapc(dali.group(3), 170), 0x86AA),
    (dali.dapc(dali.BROADCAST, 0), 0xFE00),
    (dali.command(dali.short(0), dali.OFF).frame, 0x0100),
    (dali.command(dali.BROADCAST, dali.RECALL_MAX_LEVEL).frame, 0xFF05),
    (dali.command(dali.short(1), 0x10, 3).frame, 0x0313),
    (dali.command(dali.short(5), dali.QUERY_ACTUAL_LEVEL).frame, 0x0BA0),
    (dali.command(dali.short(0), dali.QUERY_STATUS).frame, 0x0190),
    (dali.command(dali.short(0), dali.SET_FADE_TIME).frame, 0x012E),
    (dali.special(dali.DTR0, 4).frame, 0xA304),
    (dali.special(0xC3, 202).frame, 0xC3CA),
    (dali.command(dali.short(0), 0xC5).frame, 0x01C5),
    (dali.special(0xC1, 6).frame, 0xC106),
]


@pytest.mark.parametrize(("frame", "worked"), WORKED, ids=[f"{worked:04X}" for _, worked in WORKED])
def test_builds_the_worked_frames(frame: int, worked: int) -> None:
    assert frame == worked


def test_configuration_commands_are_sent_twice_and_queries_answered() -> None:
    assert dali.command(dali.short(0), dali.SET_FADE_TIME).twice
    assert dali.command(dali.short(0), dali.QUERY_STATUS).answers
    assert not dali.command(dali.short(0), dali.OFF).twice
    assert dali.is_sent_twice(0x012E)
    assert not dali.is_sent_twice(0x002E)  # DAPC, the same low byte
    assert dali.is_sent_twice(0xA500)  # INITIALISE
    assert not dali.is_sent_twice(0xA304)


def _plain(name: str) -> str:
    return name.replace(" ", "").lower()


@pytest.mark.parametrize("code", range(256), ids=lambda code: f"{code:02X}")
def test_knows_every_command_byte_as_python_dali_does(code: int) -> None:
    theirs = oracle._StandardCommand._opcodes.get((0, code))
    ours = dali.opcode_of(code)
    if theirs is None or theirs.__name__ == "QueryExtendedVersionNumber":  # 0xFF needs ENABLE DEVICE TYPE
        assert ours is None
        return
    assert ours is not None
    assert _plain(ours.name) == theirs.__name__.lower()
    assert (ours.twice, ours.answers, ours.numbered) == (
        theirs.sendtwice,
        theirs.response is not None,
        theirs._hasparam,
    )


@pytest.mark.parametrize("byte", range(0xA0, 0xFC), ids=lambda byte: f"{byte:02X}")
def test_knows_every_special_command_as_python_dali_does(byte: int) -> None:
    data = 0x01 if byte in (0xB7, 0xB9) else 0x00  # these two take an address byte, not any number
    theirs = oracle_command.from_frame(oracle_frame.ForwardFrame(16, byte << 8 | data))
    name = type(theirs).__name__
    ours = SPECIAL.get(byte)
    if ours is None:
        assert name == "UnknownGearCommand"
        return
    assert _plain(ours.name) == name.lower().removeprefix("set")
    assert (ours.twice, ours.answers) == (theirs.sendtwice, theirs.response is not None)


@given(st.integers(0, 63), st.integers(0, 255))
def test_arc_power_frames_are_those_of_python_dali(short_address: int, level: int) -> None:
    theirs = oracle.DAPC(oracle_address.GearShort(short_address), level).frame.as_integer
    assert dali.dapc(dali.short(short_address), level) == theirs


@given(st.integers(0, 0xFFFF))
def test_every_frame_has_words_and_a_decoding(frame: int) -> None:
    fields = dali.decode(frame)
    assert fields["frame"] == f"{frame:04X}"
    assert fields["command"] in dali.describe(frame)


@given(st.integers(0, 0xFFFF))
def test_addresses_decode_as_in_python_dali(frame: int) -> None:
    kind = dali.decode(frame)["address"]
    theirs = oracle_address.from_frame(oracle_frame.ForwardFrame(16, frame))
    expected = {
        "GearShort": "short address",
        "GearGroup": "group",
        "GearBroadcast": "broadcast",
        "GearBroadcastUnaddressed": "broadcast unaddressed",
    }.get(type(theirs).__name__)
    assert kind == expected if expected else kind in ("special", "reserved")


def test_describes_in_plain_words() -> None:
    assert dali.describe(0x0AFE) == "short address 5: DAPC 254 (100.0 %)"
    assert dali.describe(0x86AA) == "group 3: DAPC 170 (10.1 %)"
    assert dali.describe(0x0313) == "short address 1: GO TO SCENE 3"
    assert dali.describe(0xA304) == "special: DTR0 4"
    assert dali.describe(0xFEFF) == "broadcast: DAPC 255"
    assert dali.describe(0x01E3) == "short address 0: APPLICATION EXTENDED 227"
    assert dali.describe(0x01D0) == "short address 0: RESERVED 208"
    assert dali.describe(0xCB00) == "reserved: RESERVED 0"


def test_dimming_curve_is_exact_to_half_a_millionth() -> None:
    assert len(dali.OUTPUT_PPM) == 255
    for level, ppm in enumerate(dali.OUTPUT_PPM[1:], start=1):
        # ppm = 10 ** (3 + 3 (level - 1) / 253), compared after raising to the 253rd power, in whole numbers
        exact = 10 ** (759 + 3 * (level - 1)) << 253
        assert (2 * ppm - 1) ** 253 <= exact < (2 * ppm + 1) ** 253
    assert dali.OUTPUT_PPM[0] == 0


@pytest.mark.parametrize(
    ("level", "pct"),
    [(1, 0.1), (85, 1), (126, 3), (144, 5), (170, 10.1), (195, 20), (210, 30), (229, 50.5), (254, 100)],
)
def test_dimming_curve_agrees_with_published_points(level: int, pct: float) -> None:
    assert dali.OUTPUT_PPM[level] == pytest.approx(pct * 10_000, rel=0.02)


def test_level_for_per_cent_is_the_nearest_by_ratio() -> None:
    published = {0: 0, 1: 85, 3: 126, 5: 144, 10: 170, 20: 195, 30: 210, 50: 229, 100: 254}
    assert {pct: dali.level_for_pct(pct) for pct in published} == published
    assert dali.level_for_ppm(1) == 1
    assert dali.level_for_ppm(-5) == 0
    assert dali.level_for_ppm(2_000_000) == 254


@given(st.integers(0, 254))
def test_level_of_a_levels_output_is_that_level(level: int) -> None:
    assert dali.level_for_ppm(dali.OUTPUT_PPM[level]) == level


def test_fade_times_are_half_a_second_by_powers_of_root_two() -> None:
    assert dali.FADE_TIME_NS[0] == 0
    for code in range(1, 16):
        half_ns = isqrt(10**18 * 2**code)  # twice the fade time, rounded down
        assert abs(2 * dali.FADE_TIME_NS[code] - half_ns) <= 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: dali.short(64),
        lambda: dali.short(-1),
        lambda: dali.group(16),
        lambda: dali.dapc(0, 256),
        lambda: dali.special(dali.DTR0, 256),
        lambda: dali.command(0, 0x10, 16),
    ],
)
def test_numbers_that_fit_no_frame_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="is not 0 to"):
        wrong()  # type: ignore[operator]


def test_only_numbered_opcodes_share_a_row() -> None:
    assert all(code & 0x0F == 0 for code, meaning in STANDARD.items() if meaning.numbered)
