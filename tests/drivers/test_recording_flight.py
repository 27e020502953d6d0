"""What a flight recorder needs of taps, traces and digests: losses, whose controller it is, one value at any place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import LinkLost
from drivers.interfaces import Receiver, RepeatReceiver, unheard, unheard_repeat
from drivers.links.tap import Tap
from drivers.recording.digest import FlightDigest
from drivers.recording.events import Lost, Wire, WireBytes
from drivers.recording.provenance import Provenance
from drivers.recording.reader import TraceReader
from drivers.recording.writer import TraceWriter


class Pulled:
    """A link that takes nothing, and no change of its line."""

    name = "dali"

    def __init__(self) -> None:
        self.receiver: Receiver = unheard
        self.repeat_receiver: RepeatReceiver = unheard_repeat

    def write(self, data: bytes, t_ns: int) -> None:
        raise LinkLost(self.name, t_ns, "gone", data)

    def set_line(self, baud: int, parity: str, t_ns: int) -> None:
        raise LinkLost(self.name, t_ns, "refuses")

    def pump(self, t_ns: int) -> None:
        """Nothing."""

    def fileno(self) -> int | None:
        return None

    def close(self) -> None:
        """Nothing."""


def test_a_write_that_raised_is_told_behind_its_bytes_and_a_refused_line_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    with TraceWriter(path, Provenance()) as writer:
        tap = Tap(Pulled(), 0, writer.sink([Wire("lamp", "dali")]))
        with pytest.raises(LinkLost, match="gone"):
            tap.write(b"h0AFE\n", 10)
        with pytest.raises(LinkLost, match="refuses"):
            tap.set_line(9600, "E", 20)
    assert list(TraceReader(path).events()) == [
        WireBytes(10, "lamp", "dali", True, b"h0AFE\n"),
        Lost(10, "lamp", "dali", "gone"),
        Lost(20, "lamp", "dali", "refuses"),
    ]


def test_a_file_says_whose_controller_it_is_and_a_plain_trace_does_not(tmp_path: Path) -> None:
    about = {"product": "lighting", "site": "{}", "format": "1"}
    with TraceWriter(tmp_path / "flight.mcap", Provenance()) as writer:
        writer.controller(about)
    TraceWriter(tmp_path / "plain.mcap", Provenance()).close()
    assert TraceReader(tmp_path / "flight.mcap").controller == about
    assert TraceReader(tmp_path / "plain.mcap").controller == {}


def test_a_reader_says_when_it_has_come_past_damage_and_a_cut_is_none(tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    with TraceWriter(path, Provenance(), chunk_size_b=1) as writer:
        channel = writer.add_wire("lamp", "dali", "tx")
        for t_ns in range(30):
            writer.bytes_passed(channel, b"%d" % t_ns, t_ns)
    data = path.read_bytes()
    at = data.index(b"zstd", len(data) // 3)
    path.write_bytes(data[: at + 20] + b"\xff" * 8 + data[at + 28 :])
    reader = TraceReader(path)
    seen = [(event.t_ns, reader.damaged) for event in reader.events()]
    first = next(number for number, (t_ns, _) in enumerate(seen) if number != t_ns)
    assert [damaged for _, damaged in seen] == [False] * first + [True] * (len(seen) - first)
    path.write_bytes(data[: len(data) * 2 // 3])
    cut = TraceReader(path)
    assert len(list(cut.events())) > 10
    assert (cut.complete, cut.damaged) == (False, False)


SAID = st.lists(
    st.tuples(st.integers(0, 3), st.booleans(), st.binary(min_size=1, max_size=9), st.integers(0, 40)), max_size=30
).map(lambda said: sorted(said, key=lambda one: one[3]))


@given(SAID, st.permutations(range(3)))
def test_a_flight_digest_hangs_on_wires_by_name_and_on_decisions(
    said: list[tuple[int, bool, bytes, int]], order: list[int]
) -> None:
    names = ["dali", "lines", "radar-1"]

    def value(wires: list[str], upto: int) -> str:
        chain = FlightDigest(10, wires, {wires.index("radar-1"): b"idle"})
        for wire, outward, data, t_ns in said[:upto]:
            if wire == 3:
                chain.decided(data, t_ns)
            else:
                chain.passed(wires.index(names[wire]), outward, data, t_ns)
        return chain.hexdigest()

    assert value(names, len(said)) == value([names[n] for n in order], len(said))
    values = [value(names, upto) for upto in range(len(said) + 1)]
    assert len(set(values)) == len(values), "every byte and every decision shows"
