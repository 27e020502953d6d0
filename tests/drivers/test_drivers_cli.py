"""``leeze-drivers``: bytes in any writing become JSON lines; what is wrong is said in one line."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cli import main
from drivers.codecs.ld2451 import encode_command
from drivers.codecs.spat import Intersection, Movement, Phase
from drivers.codecs.spat_xml import SpatXmlEncoder
from drivers.errors import InputError
from drivers.hex_text import parse_hex
from drivers.parts import PARTS

ROOT = Path(__file__).parents[2]
RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", ROOT.parent / "shared" / "data"))
VENDOR = "f4f3f2f1110003018a28003c158a1e013c0f765f003c0ff8f7f6f5"
TARGETS = [
    {"angle_deg": 10, "distance_m": 40, "approaching": False, "speed_kmh": 60, "snr": 21},
    {"angle_deg": 10, "distance_m": 30, "approaching": True, "speed_kmh": 60, "snr": 15},
    {"angle_deg": -10, "distance_m": 95, "approaching": False, "speed_kmh": 60, "snr": 15},
]
REPORT = {"t": None, "type": "report", "alarm": True, "targets": TARGETS}


class Input:
    """A standard input that holds `data`."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


def decoded(capsys: pytest.CaptureFixture[str], *argv: str) -> list[dict[str, Any]]:
    """The lines of a decode that went well."""
    assert main(["decode", *argv]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return [json.loads(line) for line in said.out.splitlines()]


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line of error of a decode that was refused."""
    assert main(["decode", *argv]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    return line


def test_the_vendors_frame_gives_three_targets_and_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert decoded(capsys, "ld2451", "--hex", VENDOR) == [REPORT, {"type": "summary", "events": 1, "skipped_bytes": 0}]


def test_with_rubbish_before_between_and_after_the_same_targets_come(capsys: pytest.CaptureFixture[str]) -> None:
    false_headers = "f4f3f2f1fd04ff", "f4f3f2f1 0700", "fdfcfbfa 4000 00"
    text = f"{false_headers[0]} 00ff {VENDOR} {false_headers[1]} {VENDOR} {false_headers[2]}"
    *events, summary = decoded(capsys, "ld2451", "--hex", text)
    assert events == [REPORT, REPORT]
    assert summary == {"type": "summary", "events": 2, "skipped_bytes": 7 + 2 + 6 + 7}


def test_the_keys_of_an_event_begin_with_time_and_type(capsys: pytest.CaptureFixture[str]) -> None:
    main(["decode", "ld2451", "--hex", VENDOR])
    event, summary = capsys.readouterr().out.splitlines()
    assert event.startswith('{"t": null, "type": "report", "alarm": true, "targets": [')
    assert summary == '{"type": "summary", "events": 1, "skipped_bytes": 0}'


def test_commands_and_answers_of_a_radar_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    text = (encode_command(0x00FE) + encode_command(0x01FE, b"\x00\x00")).hex()
    asked, answered, _ = decoded(capsys, "LD2451", "--hex", text)
    assert asked == {"t": None, "type": "command", "command": "0x00fe", "value_hex": ""}
    assert answered == {"t": None, "type": "ack", "command": "0x00fe", "status": 0, "value_hex": ""}


def test_dali_is_read_as_lines_of_the_gateway_and_as_bare_frames(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "wire"
    path.write_bytes(b"h0AFE\nN\n")
    level, nobody, summary = decoded(capsys, "dali", "--file", str(path))
    assert (level["t"], level["type"], level["number"], level["level"]) == (None, "dali_frame", 5, 254)
    assert nobody == {"t": None, "type": "dali_no_answer"}
    assert summary == {"type": "summary", "events": 2, "skipped_bytes": 0}
    bare, _ = decoded(capsys, "dali", "--hex", "0A FE")
    assert bare["text"] == level["text"]


def test_spat_xml_gives_a_line_for_every_signal_group(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    red = Movement(4, (Phase(3, 33100, 33210, 33110, 13),))
    path = tmp_path / "spat.xml"
    path.write_bytes(b"rubbish" + SpatXmlEncoder().encode(Intersection(4070, 1, 64, 360_534, 58_718, (red,))))
    state, summary = decoded(capsys, "spat-xml", "--file", str(path))
    assert (state["t"], state["type"], state["station"], state["group"]) == (None, "signal_state", 4070, 4)
    assert (state["state_name"], state["likely_ms"]) == ("stop-And-Remain", 12_282)
    assert summary == {"type": "summary", "events": 1, "skipped_bytes": 7}


def test_spat_uper_that_is_none_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("00", "ff00ff", "0013 05 0000000000", "0013 8105 00", "0013 03 000000 0013"):
        size = len(parse_hex(text, ""))
        assert decoded(capsys, "spat-uper", "--hex", text) == [{"type": "summary", "events": 0, "skipped_bytes": size}]


@pytest.mark.recordings
@pytest.mark.skipif(not (RECORDINGS / "spat-mcity").is_dir(), reason="no recording spat-mcity (LEEZE_RECORDINGS)")
def test_spat_uper_reads_recorded_messages_one_a_line_or_one_behind_the_other(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with (RECORDINGS / "spat-mcity" / "series-20min.hex").open() as file:
        lines = [next(file) for _ in range(3)]
    text, binary = tmp_path / "text", tmp_path / "binary"
    text.write_text("".join(lines))
    binary.write_bytes(bytes.fromhex("".join(lines)))
    *events, summary = decoded(capsys, "spat-uper", "--hex-file", str(text))
    assert summary["skipped_bytes"] == 0
    assert summary["events"] == len(events) == 3 * len({event["group"] for event in events})
    assert decoded(capsys, "spat-uper", "--file", str(binary)) == [*events, summary]


def test_bytes_come_from_a_file_a_hex_file_or_standard_input(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary, text = tmp_path / "bytes", tmp_path / "text"
    binary.write_bytes(bytes.fromhex(VENDOR))
    text.write_text(VENDOR[:6] + "\n" + VENDOR[6:].upper() + "\n")
    wanted = decoded(capsys, "ld2451", "--hex", VENDOR)
    assert decoded(capsys, "ld2451", "--file", str(binary)) == wanted
    assert decoded(capsys, "ld2451", "--hex-file", str(text)) == wanted
    for option, path in (("--file", binary), ("--hex-file", text)):
        monkeypatch.setattr(sys, "stdin", Input(path.read_bytes()))
        assert decoded(capsys, "ld2451", option, "-") == wanted
    monkeypatch.setattr(sys, "stdin", None)
    assert "standard input is closed" in refused(capsys, "ld2451", "--file", "-")


def test_no_bytes_are_no_events(capsys: pytest.CaptureFixture[str]) -> None:
    for part in (name for name, known in PARTS.items() if known.decode is not None):
        assert decoded(capsys, part, "--hex", "") == [{"type": "summary", "events": 0, "skipped_bytes": 0}]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("ld2541", "unknown part `ld2541`; did you mean `ld2451`?"),
        ("spatxml", "unknown part `spatxml`; did you mean `spat-xml`?"),
        ("toaster", f"unknown part `toaster`; known parts: {', '.join(PARTS)}"),
    ],
)
def test_an_unknown_part_is_told_with_the_nearest(part: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, part, "--hex", "00") == f"error: {said}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("f4 fg", "--hex: character 5: 'g' is not a hex digit"),
        ("g4", "--hex: character 1: 'g' is not a hex digit"),
        ("f4 f", "--hex: character 4: 'f' is half a byte; write two digits a byte"),
        ("f 4", "--hex: character 1: 'f' is half a byte; write two digits a byte"),
        ("f4f", "--hex: character 3: 'f' is half a byte; write two digits a byte"),
        ("f4 0x", "--hex: character 6: the end is not a hex digit"),
        ("f4 0xzz", "--hex: character 6: 'z' is not a hex digit"),
        ("0x5 0x6", "--hex: character 3: '5' is half a byte; write two digits a byte"),
        ("f4\nf3 f2\n f1 xx", "--hex: line 3, character 5: 'x' is not a hex digit"),
        ("f4 \u0664\u0664", "--hex: character 4: '\u0664' is not a hex digit"),
    ],
)
def test_bad_hex_is_told_with_the_character(text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "ld2451", "--hex", text) == f"error: {said}"


def test_a_bad_hex_file_is_told_with_its_name_and_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"f4f3\nf2\xfff1\n")
    assert refused(capsys, "ld2451", "--hex-file", str(path)) == (
        f"error: {path}: line 2, character 3: '\ufffd' is not a hex digit"
    )


def test_a_file_that_cannot_be_read_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    missing = tmp_path / "none"
    assert refused(capsys, "ld2451", "--file", str(missing)) == f"error: {missing}: No such file or directory"
    assert refused(capsys, "ld2451", "--hex-file", str(tmp_path)) == f"error: {tmp_path}: Is a directory"


SEPARATORS = st.sampled_from(["", " ", ":", ", ", "\n", "\t", "-", " 0x", ",0X", "\\x", ";\r\n"])


@given(st.binary(max_size=20), st.data())
def test_hex_in_any_usual_writing_is_the_same_bytes(data: bytes, draw: st.DataObject) -> None:
    text = "".join(draw.draw(SEPARATORS) + draw.draw(st.sampled_from([f"{byte:02x}", f"{byte:02X}"])) for byte in data)
    assert parse_hex(text, "--hex") == data


@given(st.text(max_size=20) | st.text("0xX1fF :\\\n", max_size=20))
def test_any_text_is_bytes_or_an_input_error_with_a_place_in_it(text: str) -> None:
    said = "--hex: character"
    try:
        assert len(parse_hex(text, "--hex")) <= len(text) // 2
    except InputError as error:
        said = str(error)
    assert said.startswith("--hex: ")
    assert "character" in said


@given(st.sampled_from(sorted(PARTS)), st.binary(max_size=200))
def test_any_bytes_are_decoded_or_counted(part: str, data: bytes) -> None:
    events, skipped_bytes = PARTS[part].decode(data)
    assert 0 <= skipped_bytes <= len(data)
    assert all(event["type"] for event in json.loads(json.dumps(events)))


def test_list_tells_of_every_part_its_wire_and_what_it_was_verified_against(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    assert main(["list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows] == list(PARTS)
    for row in rows:
        assert all(row[key] in text for key in ("name", "title", "wire"))


def test_the_guide_lists_every_part() -> None:
    guide = (ROOT / "docs" / "drivers.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in guide for name in PARTS)


@pytest.mark.parametrize("verb", ["list", "decode"])
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert f"Example: leeze-drivers {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["paint"],
        ["decode"],
        ["decode", "ld2451"],
        ["decode", "ld2451", "--hex"],
        ["decode", "ld2451", "--hex", "00", "--file", "x"],
    ],
)
def test_wrong_use_leaves_with_2_and_the_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert "usage: leeze-drivers" in capsys.readouterr().err


def test_the_command_runs_as_a_process_of_its_own() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "drivers", "decode", "ld2451", "--file", "-"],
        cwd=ROOT,
        input=bytes.fromhex(VENDOR),
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert json.loads(ran.stdout.splitlines()[0]) == REPORT
