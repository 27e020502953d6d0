"""Hi-Link's envelope of commands, and the settings inside it: byte for byte as the vendor prints them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs import hilink, ld2410, ld2450, ld2451
from drivers.codecs.hilink import BAUDS, Ack, Command, HilinkStream, encode_ack, version_text
from drivers.codecs.ld2410 import ALL_GATES, Settings
from drivers.codecs.ld2450 import ZONES_NOT, ZONES_ONLY, Zones
from drivers.codecs.ld2451 import APPROACH, DetectionSettings, Sensitivity

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
needs_real = pytest.mark.skipif(not (RECORDINGS / "ld2450").is_dir(), reason="no recordings ld2450 (LEEZE_RECORDINGS)")

STREAMS = {"ld2451": ld2451.Ld2451Stream, "ld2450": ld2450.Ld2450Stream, "ld2410": ld2410.Ld2410Stream}
ZONE = Zones(ZONES_ONLY, ((1000, 1000, -1000, 5000),))
ZONE_HEX = "e803e80318fc8813" + "00" * 16

COMMANDS = [
    # Hi-Link, LD2451 serial protocol V1.03
    (hilink.enable(), "fdfcfbfa0400ff00010004030201"),
    (hilink.end(), "fdfcfbfa0200fe0004030201"),
    (ld2451.set_detection(DetectionSettings(100, APPROACH, 5, 2)), "fdfcfbfa060002006401050204030201"),
    (ld2451.read_detection(), "fdfcfbfa0200120004030201"),
    (ld2451.set_sensitivity(Sensitivity(2, 8)), "fdfcfbfa060003000208000004030201"),
    (ld2451.read_sensitivity(), "fdfcfbfa0200130004030201"),  # as 0x0012, in words only
    # Hi-Link, LD2450 serial protocol V1.03
    (ld2450.follow_one(), "fdfcfbfa0200800004030201"),
    (ld2450.follow_several(), "fdfcfbfa0200900004030201"),
    (ld2450.read_mode(), "fdfcfbfa0200910004030201"),
    (hilink.read_version(), "fdfcfbfa0200a00004030201"),
    (hilink.set_baud(256_000), "fdfcfbfa0400a100070004030201"),
    (hilink.factory_reset(), "fdfcfbfa0200a20004030201"),
    (hilink.restart(), "fdfcfbfa0200a30004030201"),
    (ld2450.read_zones(), "fdfcfbfa0200c10004030201"),
    (ld2450.set_zones(Zones(ZONES_NOT, ZONE.rectangles)), f"fdfcfbfa1c00c2000200{ZONE_HEX}04030201"),
    # Hi-Link, LD2410C serial protocol V1.00
    (ld2410.set_gates(8, 8, 5), "fdfcfbfa140060000000080000000100080000000200050000 0004030201"),
    (ld2410.read_settings(), "fdfcfbfa0200610004030201"),
    (ld2410.engineering(True), "fdfcfbfa0200620004030201"),
    (ld2410.engineering(False), "fdfcfbfa0200630004030201"),
    (ld2410.set_sensitivity(3, 40, 40), "fdfcfbfa14006400000003000000010028000000020028000000 04030201"),
    (ld2410.set_sensitivity(ALL_GATES, 40, 40), "fdfcfbfa140064000000ffff0000010028000000020028000000 04030201"),
]

ACKS = [
    # LD2451 V1.03
    ("fdfcfbfa0800ff0100000100000004030201", Ack(0x00FF, 0, bytes.fromhex("01000000"))),
    ("fdfcfbfa04000201000004030201", Ack(0x0002, 0, b"")),
    ("fdfcfbfa0800120100006401050204030201", Ack(0x0012, 0, bytes.fromhex("64010502"))),
    ("fdfcfbfa0400fe01000004030201", Ack(0x00FE, 0, b"")),
    ("fdfcfbfa0c00a0010000512401011015052404030201", Ack(0x00A0, 0, bytes.fromhex("5124010110150524"))),
    # LD2450 V1.03
    ("fdfcfbfa0800ff0100000100400004030201", Ack(0x00FF, 0, bytes.fromhex("01004000"))),
    ("fdfcfbfa060091010000020004030201", Ack(0x0091, 0, b"\x02\x00")),
    ("fdfcfbfa0c00a0010000000002011624062204030201", Ack(0x00A0, 0, bytes.fromhex("0000020116240622"))),
    (f"fdfcfbfa1e00c10100000100{ZONE_HEX}04030201", Ack(0x00C1, 0, bytes.fromhex(f"0100{ZONE_HEX}"))),
    ("fdfcfbfa0a00a50100008f272eb80f6504030201", Ack(0x00A5, 0, bytes.fromhex("8f272eb80f65"))),
    # LD2410C V1.00
    (
        f"fdfcfbfa1c0061010000aa080808{'14' * 9}{'19' * 9}050004030201",
        Ack(0x0061, 0, bytes.fromhex(f"aa080808{'14' * 9}{'19' * 9}0500")),
    ),
    ("fdfcfbfa06001b010000010004030201", Ack(0x001B, 0, b"\x01\x00")),
]


def fed(name: str, data: bytes, piece: int = 0) -> tuple[list[object], HilinkStream[object]]:
    stream: HilinkStream[object] = STREAMS[name]()  # type: ignore[assignment]
    step = piece or max(len(data), 1)
    return [event for at in range(0, len(data), step) for event in stream.feed(data[at : at + step])], stream


@pytest.mark.parametrize(("made", "printed"), COMMANDS)
def test_a_command_is_written_as_the_vendor_prints_it(made: bytes, printed: str) -> None:
    assert made == bytes.fromhex(printed)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(("printed", "ack"), ACKS)
def test_an_acknowledgement_of_the_vendor_is_read_and_written_by_all(name: str, printed: str, ack: Ack) -> None:
    data = bytes.fromhex(printed)
    assert fed(name, data)[0] == fed(name, data, 1)[0] == [ack]
    assert encode_ack(ack) == data


@pytest.mark.parametrize("name", STREAMS)
def test_the_version_with_the_length_that_the_paper_of_the_ld2451_misprints_is_read_by_all(name: str) -> None:
    data = bytes.fromhex("fdfcfbfa 0b00 a001 0000 5124010110150524 04030201")
    events, stream = fed(name, data)
    assert events == [Ack(0x00A0, 0, bytes.fromhex("5124010110150524"))]
    assert stream.skipped_bytes == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("5124010110150524", "V1.01.24051510"),  # LD2451 V1.03
        ("0000020116240622", "V1.02.22062416"),  # LD2450 V1.03, in this writing
        ("0001070116150922", "V1.07.22091516"),  # LD2410C V1.00
    ],
)
def test_a_version_is_told_in_the_vendors_writing(value: str, text: str) -> None:
    assert version_text(bytes.fromhex(value)) == text
    assert version_text(bytes.fromhex(value)[:7]) is None


def test_bit_rates_go_by_their_number_and_others_are_refused() -> None:
    assert [hilink.set_baud(baud)[8] for baud in BAUDS] == list(range(1, 9))
    with pytest.raises(ValueError, match="921600 baud; one of 9600,"):
        hilink.set_baud(921_600)


def test_detection_settings_are_read_as_the_vendor_prints_them() -> None:
    assert DetectionSettings.of(bytes.fromhex("64010502")) == DetectionSettings(100, APPROACH, 5, 2)
    assert DetectionSettings.of(b"\x64\x01\x05") is None
    assert Sensitivity.of(bytes.fromhex("02080000")) == Sensitivity(2, 8)
    assert Sensitivity.of(b"\x02\x00\x00\x00") == Sensitivity(2, 4)
    assert Sensitivity.of(b"\x02") is None


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (DetectionSettings(9, 1, 5, 2), "range_m 9 is not 10 to 255"),
        (DetectionSettings(256, 1, 5, 2), "range_m 256"),
        (DetectionSettings(100, 3, 5, 2), "direction 3 is not 0 to 2"),
        (DetectionSettings(100, 1, 121, 2), "min_speed_kmh 121"),
        (DetectionSettings(100, 1, 5, -1), "no_target_delay_s -1"),
        (Sensitivity(0, 4), "trigger_count 0 is not 1 to 10"),
        (Sensitivity(11, 4), "trigger_count 11"),
        (Sensitivity(1, 2), "snr_level 2 is not 3 to 8"),
        (Sensitivity(1, 9), "snr_level 9"),
    ],
)
def test_settings_beyond_what_the_ld2451_takes_are_refused_by_name(
    settings: DetectionSettings | Sensitivity, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        settings.to_bytes()


@given(st.integers(10, 255), st.integers(0, 2), st.integers(0, 120), st.integers(0, 255))
def test_detection_settings_come_back(range_m: int, direction: int, kmh: int, delay_s: int) -> None:
    settings = DetectionSettings(range_m, direction, kmh, delay_s)
    assert DetectionSettings.of(settings.to_bytes()) == settings


@given(st.integers(1, 10), st.sampled_from([3, 4, 5, 6, 7, 8]))
def test_sensitivity_comes_back(trigger_count: int, snr_level: int) -> None:
    settings = Sensitivity(trigger_count, snr_level)
    assert Sensitivity.of(settings.to_bytes()) == settings
    assert Sensitivity(trigger_count, 0).to_bytes()[1] == 0


def test_the_vendors_zone_is_read() -> None:
    assert Zones.of(bytes.fromhex(f"0100{ZONE_HEX}")) == ZONE
    assert Zones.of(bytes(25)) is None


corners = st.integers(-32_768, 32_767)
rectangles = st.tuples(corners, corners, corners, corners).filter(any)


@given(st.integers(0, 2), st.lists(rectangles, max_size=3))
def test_zones_come_back(kind: int, some: list[tuple[int, int, int, int]]) -> None:
    assert Zones.of(Zones(kind, tuple(some)).to_bytes()) == Zones(kind, tuple(some))


@pytest.mark.parametrize(
    ("zones", "text"),
    [
        (Zones(3, ()), "kind 3"),
        (Zones(1, ((1, 2, 3, 4),) * 4), "4 zones"),
        (Zones(1, ((1, 2, 3, 40_000),)), "-32768 to 32767 mm"),
    ],
)
def test_zones_that_the_ld2450_does_not_take_are_refused(zones: Zones, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        zones.to_bytes()


def test_the_settings_of_an_ld2410_are_read_and_come_back() -> None:
    value = bytes.fromhex(f"aa080808{'14' * 9}{'19' * 9}0500")
    settings = Settings(8, 8, 8, (20,) * 9, (25,) * 9, 5)
    assert Settings.of(value) == settings
    assert settings.to_bytes() == value
    assert Settings.of(value[:-1]) is None
    assert Settings.of(b"\xab" + value[1:]) is None
    for moving, still in (((20,) * 8, (25,) * 9), ((20,) * 9, (25,) * 10)):
        with pytest.raises(ValueError, match="sensitivities; 9 each"):
            Settings(8, 8, 8, moving, still, 5).to_bytes()


@pytest.mark.parametrize("wrong", [(1, 8, 5), (9, 8, 5), (8, 1, 5), (8, 9, 5), (8, 8, -1), (8, 8, 65_536)])
def test_gates_beyond_what_the_ld2410_takes_are_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="2 to 8"):
        ld2410.set_gates(*wrong)


@pytest.mark.parametrize("wrong", [(-1, 4, 4), (9, 4, 4), (3, 101, 4), (3, 4, 101), (3, -1, 4), (3, 4, -1)])
def test_sensitivities_beyond_what_the_ld2410_takes_are_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="0 to 100"):
        ld2410.set_sensitivity(*wrong)


@pytest.mark.recordings
@needs_real
@pytest.mark.parametrize("name", ["ld2451", "ld2450"])
def test_every_frame_that_the_vendor_prints_is_read_whole(name: str) -> None:
    frames = json.loads((RECORDINGS / name / "vendor_pdf_frames.json").read_text())
    for label, text in frames.items():
        events, stream = fed(name, bytes.fromhex(text))
        assert len(events) == 1, label
        assert (stream.skipped_bytes, stream.pending_bytes) == (0, 0), label
        assert isinstance(events[0], Ack) == label.endswith("_ack"), label
        assert isinstance(events[0], Ack | Command) == (label not in ("pdf_example", "no_target")), label
