"""What stands outside the chunks of a trace (where it comes from, what its wires are) is checked as well."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.errors import InputError
from drivers.recording.checked import with_check, without_check
from drivers.recording.provenance import Provenance
from drivers.recording.reader import TraceReader
from drivers.recording.writer import TraceWriter

TEXT = st.text(max_size=8)


@given(st.dictionaries(TEXT.filter(lambda key: key != "check"), TEXT, max_size=5), TEXT)
def test_what_was_checked_comes_back_and_only_beside_what_it_was_checked_with(
    metadata: dict[str, str], about: str
) -> None:
    checked = with_check(metadata, about)
    assert without_check(checked, about) == metadata
    with pytest.raises(ValueError, match="damaged"):
        without_check(checked, about + "x")


def test_a_file_of_others_without_a_check_is_taken_as_it_is() -> None:
    assert without_check({"board": "lamp"}, "leeze") == {"board": "lamp"}


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_one_bit_anywhere_changes_nothing_or_is_said(tmp_path: Path, share: float, bit: int) -> None:
    path = tmp_path / "one.mcap"
    with TraceWriter(path, Provenance(period_ns=20_000_000, base_ns=1_772_000_000_000_000_000)) as writer:
        writer.controller({"site": "kanalpromenade", "board": "lamp"})
        channel = writer.add_wire("lamp", "radar-1", "rx", "ld2451", b"idle")
        for n in range(5):
            writer.bytes_passed(channel, b"frame %d" % n, n * 1_000_000)
    whole = _read(path)
    data = bytearray(path.read_bytes())
    data[int(share * len(data))] ^= 1 << bit
    path.write_bytes(data)
    try:
        found = _read(path)
    except InputError:
        return
    assert found[1:] == whole[1:] or found[0], "it differs, and nobody says so"


def _read(path: Path) -> tuple[bool, object, object, object, object]:
    reader = TraceReader(path)
    events = list(reader.events())
    said = bool(reader.bad_chunks or reader.bad_messages or reader.skipped_bytes or not reader.complete)
    about = {key: reader.controller.get(key) for key in ("site", "board")}  # a check whose name is hit is a further key
    return said, events, reader.wires, reader.provenance, about


def test_no_bit_of_a_small_file_can_be_turned_unsaid(tmp_path: Path) -> None:
    path = tmp_path / "one.mcap"
    with TraceWriter(path, Provenance(period_ns=20_000_000, base_ns=1_772_000_000_000_000_000)) as writer:
        writer.controller({"site": "kanalpromenade", "board": "lamp"})
        writer.bytes_passed(writer.add_wire("lamp", "radar-1", "rx", "ld2451", b"idle"), b"frame", 1_000_000)
    whole, data = _read(path), path.read_bytes()
    unsaid = []
    for at in range(8, len(data), 3):  # every third byte, every bit of it in turn
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << at // 3 % 8]) + data[at + 1 :])
        try:
            found = _read(path)
        except InputError:
            continue
        if found[1:] != whole[1:] and not found[0]:
            unsaid.append(at)
    assert unsaid == []
