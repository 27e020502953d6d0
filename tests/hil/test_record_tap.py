"""Recording at the taps of services: the real server in a thread, as a loop would hold it, and the real client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.clock import SystemClock
from drivers.links.tap_records import TapWire
from drivers.links.tap_server import TapServer
from drivers.recording.events import Line, Wall, WireBytes
from drivers.recording.reader import TraceReader
from hil.cli import main
from hil.record_tap import record_taps

WIRES = (TapWire("dali", "uart", "dali", 19_200), TapWire("radar-1", "uart", "ld2451", 115_200))
TURN_S = 0.005
SAID = bytes(range(50))

Services = Callable[[str, str], "Service"]


class Service:
    """Says fifty bytes in and fifty frames out to its first listener, then ends."""

    def __init__(self, path: Path, board: str) -> None:
        self.path = path
        self._server = TapServer(path, board, WIRES)
        self._server.open()
        self._server.line(0, 19_200, "N", 1.0, SystemClock().now_ns())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        clock, said = SystemClock(), 0
        while not self._stop.wait(TURN_S) and said < len(SAID):
            self._server.pump(clock.now_ns())
            if self._server.listeners:
                self._server.passed(1, False, SAID[said : said + 1], clock.now_ns())
                self._server.passed(0, True, b"h%02d\n" % said, clock.now_ns())
                said += 1
        self._server.close()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made: list[Service] = []

    def make(name: str, board: str) -> Service:
        made.append(Service(tmp_path / name, board))
        return made[-1]

    yield make
    for service in made:
        service.close()


def recorded(path: Path, board: str, wire: str) -> bytes:
    events = TraceReader(path).events([f"/wire/{board}/{wire}/*"])
    return b"".join(event.data for event in events if isinstance(event, WireBytes))


def test_what_passes_at_a_tap_becomes_a_trace_with_bit_rates_and_the_time_of_day(
    tmp_path: Path, services: Services
) -> None:
    west = services("west.tap", "lamp")
    found = record_taps([str(west.path)], tmp_path / "street.mcap", seconds=60, stop=lambda: False)
    assert recorded(tmp_path / "street.mcap", "lamp", "radar-1") == SAID
    assert recorded(tmp_path / "street.mcap", "lamp", "dali") == b"".join(b"h%02d\n" % n for n in range(50))
    assert found.bytes_b == {"lamp/dali": 200, "lamp/radar-1": 50}
    kinds = {type(event) for event in TraceReader(tmp_path / "street.mcap").events()}
    assert {Line, Wall} <= kinds


def test_a_recording_ends_when_its_last_service_has_ended_and_says_so(tmp_path: Path, services: Services) -> None:
    west, east = services("west.tap", "west"), services("east.tap", "east")
    found = record_taps([str(west.path), str(east.path)], tmp_path / "both.mcap", seconds=60, stop=lambda: False)
    assert [sentence.partition(":")[0] for sentence in sorted(found.ended)] == ["east", "west"]
    assert recorded(tmp_path / "both.mcap", "east", "radar-1") == SAID


def test_two_services_of_one_board_need_names_of_their_own(
    tmp_path: Path, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    west, east = services("west.tap", "lamp"), services("east.tap", "lamp")
    words = ["record", "-o", str(tmp_path / "both.mcap"), "--seconds", "60"]
    assert main([*words, "--tap", str(west.path), "--tap", str(east.path)]) == 2
    assert "say NAME=" in capsys.readouterr().err


def test_names_tell_two_services_of_one_board_apart(
    tmp_path: Path, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    west, east = services("west.tap", "lamp"), services("east.tap", "lamp")
    words = ["record", "-o", str(tmp_path / "both.mcap"), "--seconds", "60"]
    assert main([*words, "--tap", f"west={west.path}", "--tap", f"east={east.path}"]) == 0
    assert recorded(tmp_path / "both.mcap", "west", "radar-1") == SAID
    assert recorded(tmp_path / "both.mcap", "east", "radar-1") == SAID
    assert "west/radar-1: 50 bytes" in capsys.readouterr().out


def test_where_no_service_has_a_tap_the_way_to_one_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["record", "--tap", str(tmp_path / "none.tap"), "-o", str(tmp_path / "x.mcap")]
    assert main(words) == 2
    assert "leeze-controllers run … --tap" in capsys.readouterr().err
    assert not (tmp_path / "x.mcap").exists()
