"""Traces as waveforms: read back by a decoder that knows nothing of how they were drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers import line_events
from drivers.line_events import LineEvent
from drivers.recording.events import Decision, Line, Repeated, Wire, WireBytes
from drivers.recording.provenance import Provenance
from hil.cli import main
from hil.trace_edit import TraceCopy

S = 1_000_000_000
MS = 1_000_000

Changes = list[tuple[int, str]]


def waves(path: Path) -> dict[str, Changes]:
    """Of a VCD file: for each signal ``SCOPE.NAME`` its changes as (ns, value)."""
    names: dict[str, str] = {}
    found: dict[str, Changes] = {}
    scope, now_ns = "", 0
    for line in path.read_text(encoding="ascii").splitlines():
        words = line.split()
        if not words or words[0].startswith("$"):
            if words[:2] == ["$scope", "module"]:
                scope = words[2]
            elif words[:1] == ["$var"]:
                names[words[3]] = f"{scope}.{words[4]}"
                found[f"{scope}.{words[4]}"] = []
        elif line.startswith("#"):
            assert int(line[1:]) > now_ns or now_ns == 0, "time goes forward"
            now_ns = int(line[1:])
        elif line[0] in "bs":
            found[names[words[1]]].append((now_ns, words[0][1:]))
        elif line[0] in "01":
            found[names[line[1:]]].append((now_ns, line[0]))
    return found


def level_at(changes: Changes, t_ns: int) -> int:
    return int(next(value for since_ns, value in reversed(changes) if since_ns <= t_ns))


def heard(changes: Changes, baud: int, *, parity: bool = False) -> list[tuple[int, int]]:
    """A UART: (ns of the start bit, byte), sampled in the middle of each bit."""
    bit_ns = S / baud
    found: list[tuple[int, int]] = []
    free_ns = 0.0
    for t_ns, value in changes:
        if value != "0" or t_ns < free_ns:
            continue
        bits = [level_at(changes, round(t_ns + (n + 0.5) * bit_ns)) for n in range(11)]
        byte = sum(bit << n for n, bit in enumerate(bits[1:9]))
        if parity:
            assert bits[9] == byte.bit_count() % 2, "even parity"
        assert bits[9 + parity] == 1, "a stop bit"
        free_ns = t_ns + (9.5 + parity) * bit_ns
        found.append((t_ns, byte))
    return found


def drawn(path: Path, events: list[object], wires: list[Wire], *more: str) -> dict[str, Changes]:
    with TraceCopy(path / "run.mcap", Provenance(version="0.1.0"), wires) as copy:
        for event in events:
            copy.put(event)  # type: ignore[arg-type]
    assert main(["vcd", str(path / "run.mcap"), "-o", str(path / "run.vcd"), *more]) == 0
    return waves(path / "run.vcd")


def test_a_uart_decoder_reads_the_bytes_of_the_trace_from_the_waveform(tmp_path: Path) -> None:
    every = bytes(range(256))
    found = drawn(tmp_path, [WireBytes(5 * MS, "lamp", "radar-1", False, every)], [Wire("lamp", "radar-1", "ld2451")])
    read = heard(found["lamp.radar-1_rx"], 115_200)
    assert bytes(byte for _, byte in read) == every
    assert read[0][0] == 0  # the piece begins with its first event


def test_the_bit_rate_and_parity_of_the_trace_are_drawn(tmp_path: Path) -> None:
    events = [Line(0, "mast", "bus", 19_200, "E", 1.0), WireBytes(MS, "mast", "bus", True, b"\x01\x03\x07")]
    found = drawn(tmp_path, events, [Wire("mast", "bus", "modbus")])
    assert bytes(byte for _, byte in heard(found["mast.bus_tx"], 19_200, parity=True)) == b"\x01\x03\x07"


def test_chunks_that_come_faster_than_the_wire_carries_stand_one_behind_the_other(tmp_path: Path) -> None:
    events = [WireBytes(n, "lamp", "radar-1", False, b"abc") for n in range(3)]
    found = drawn(tmp_path, events, [Wire("lamp", "radar-1", "ld2451")])
    assert bytes(byte for _, byte in heard(found["lamp.radar-1_rx"], 115_200)) == b"abc" * 3


def test_each_idle_frame_of_a_run_is_drawn_at_its_own_time(tmp_path: Path) -> None:
    idle = b"\xf4\xf5"
    run = Repeated(3 * S, "lamp", "radar-1", idle, S, 3 * S, 3)
    events = [WireBytes(0, "lamp", "radar-1", False, b"a"), run]
    found = drawn(tmp_path, events, [Wire("lamp", "radar-1", "ld2451", idle)])
    assert [t_ns for t_ns, byte in heard(found["lamp.radar-1_rx"], 115_200) if byte == 0xF4] == [S, 2 * S, 3 * S]


def test_single_lines_and_duty_are_drawn_as_they_were(tmp_path: Path) -> None:
    events = [
        WireBytes(0, "lamp", "lines", True, line_events.encode(LineEvent(17, line_events.SET, 1))),
        WireBytes(5 * MS, "lamp", "lines", False, line_events.encode(LineEvent(24, line_events.EDGE, 1, 4 * MS))),
        WireBytes(9 * MS, "lamp", "lines", True, line_events.encode(LineEvent(17, line_events.SET, 0))),
        WireBytes(9 * MS, "lamp", "dimmer", True, line_events.encode_pwm(0, 1_000_000, 250_000)),
    ]
    found = drawn(tmp_path, events, [Wire("lamp", "lines", "relay"), Wire("lamp", "dimmer", "pwm")])
    assert found["lamp.lines_line17"] == [(0, "1"), (9 * MS, "0")]
    assert found["lamp.lines_line24"] == [(4 * MS, "1")]
    assert found["lamp.dimmer_duty0"] == [(9 * MS, f"{250:b}")]


def test_lamps_show_the_level_they_were_told(tmp_path: Path) -> None:
    events = [Decision(S, "lamp", {"target": "lamp-1", "level": 254}), Decision(2 * S, "lamp", {"target": "n"})]
    found = drawn(tmp_path, events, [Wire("lamp", "dali", "dali")])
    assert found["lamp.lamp-1_level"] == [(0, f"{254:b}")]
    assert "lamp.n_level" not in found


def test_for_viewers_that_know_single_lines_alone_there_is_nothing_else(tmp_path: Path) -> None:
    events = [WireBytes(0, "lamp", "dali", True, b"x"), Decision(S, "lamp", {"target": "lamp-1", "level": 254})]
    found = drawn(tmp_path, events, [Wire("lamp", "dali", "dali")], "--bits-only")
    assert found.keys() == {"lamp.dali_rx", "lamp.dali_tx"}


def test_a_piece_is_drawn_from_its_own_zero(tmp_path: Path) -> None:
    events = [WireBytes(n * S, "lamp", "dali", True, bytes([n])) for n in range(5)]
    found = drawn(tmp_path, events, [Wire("lamp", "dali", "dali")], "--from", "2", "--to", "4")
    assert heard(found["lamp.dali_tx"], 19_200) == [(0, 2), (S, 3)]


@pytest.mark.parametrize("content", ["spat-xml", "i2c", "message-of-tomorrow"])
def test_a_wire_without_bits_shows_a_mark_a_message(content: str, tmp_path: Path) -> None:
    found = drawn(tmp_path, [WireBytes(0, "b", "w", False, b"hello")], [Wire("b", "w", content)])
    assert found["b.w_rx"] == [(0, "0"), (0, "1"), (1_000, "0")]
    assert found["b.w_rx_hex"] == [(0, "68_65_6c_6c_6f")]
