"""``leeze-boards monitor`` on a signal feed: its groups with countdowns, on an own port and beside a service."""

from __future__ import annotations

import io
import json
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from boards.doctor.signal_table import MOST_ROWS, SignalTable
from boards.doctor.view import View, WireFacts
from drivers.bench.watch import Watch
from drivers.clock import SystemClock
from drivers.codecs.spat import Intersection, Movement, Phase
from drivers.codecs.spat_xml import SpatXmlEncoder
from drivers.devices.signal_feed import SignalFeed
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, SignalPhase, SignalState
from drivers.units import NS_PER_MS, NS_PER_S

ROOT = Path(__file__).parents[2]
DEADLINE_NS = 30 * NS_PER_S
BOARD = """
format = 1
name = "display"
title = "A display on a desk"
model = "laptop"
product = "greenwave"
period_ms = 100
bench = true
[wires.feed]
kind = "udp"
host = "127.0.0.1"
port = {port}
[wires.panel]
kind = "matrix"
width_px = 96
height_px = 32
driver = "frame-buffer"
[devices.feed]
part = "spat-feed"
wire = "feed"
message_format = "spat-xml"
[devices.panel]
part = "panel"
wire = "panel"
"""


def xml(n: int, station: int = 4070) -> bytes:
    phase = Phase(3, 3100 + n, 3300, 3200, 10)
    return SpatXmlEncoder().encode(Intersection(station, 1, 64, 5, 100 * n, (Movement(7, (phase,)), Movement(9, ()))))


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        return int(end.getsockname()[1])


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str], port: int, enough: Callable[[list[dict[str, Any]]], bool]) -> list[Any]:
    """Groups as the monitor tells them, while messages go to `port`."""
    clock = SystemClock()
    deadline_ns = clock.now_ns() + DEADLINE_NS
    assert process.stdout is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        n = 0
        while clock.now_ns() < deadline_ns:
            end.sendto(xml(n := n + 1), ("127.0.0.1", port))
            if not select.select([process.stdout], [], [], 0.05)[0]:
                continue
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            wires = {wire["wire"]: wire for wire in json.loads(line)["wires"]}
            groups = wires["feed"]["devices"][0].get("groups", [])
            if enough(groups):
                return list(groups)
    raise AssertionError("the monitor told of no groups")


def test_the_monitor_tells_groups_of_a_feed_of_datagrams(tmp_path: Path, port: int) -> None:
    board = tmp_path / "board.toml"
    board.write_text(BOARD.format(port=port))
    with running("boards", "monitor", str(board), "feed", "--json") as monitor:
        groups = heard(monitor, port, lambda found: len(found) == 2)
    assert [(group["station"], group["group"], group["shows"]) for group in groups] == [
        (4070, 7, "red"),
        (4070, 9, "not known"),
    ]
    assert groups[0]["confidence_pct"] == 88
    assert groups[0]["max_end_ms"] - groups[0]["likely_ms"] == 10_000


def test_beside_a_service_the_monitor_hears_its_feed_and_takes_nothing(tmp_path: Path, port: int) -> None:
    board, tap = tmp_path / "board.toml", tmp_path / "display.tap"
    board.write_text(BOARD.format(port=port))
    service_words = ["run", "--site", "leezenflow-hoerstertor", "--board", str(board), "--tap", str(tap)]
    clock = SystemClock()
    with running("controllers", *service_words) as service:
        deadline_ns = clock.now_ns() + DEADLINE_NS
        while not tap.exists():
            assert service.poll() is None
            assert clock.now_ns() < deadline_ns, "the service opens no tap"
            clock.sleep_until_ns(clock.now_ns() + 20 * NS_PER_MS)
        with running("boards", "monitor", str(board), "feed", "--tap", str(tap), "--json") as monitor:
            groups = heard(monitor, port, lambda found: len(found) == 2)
        assert groups[0]["shows"] == "red"
        service.send_signal(signal.SIGTERM)
        assert service.wait(timeout=20) == 0


def state(group: int, shown: int, t_ns: int, **times: int) -> SignalState:
    return SignalState(t_ns, "feed", 4070, group, 64, 0, (SignalPhase(shown, **times),))


def test_since_counts_from_the_change_and_is_marked_where_it_was_not_seen() -> None:
    table = SignalTable()
    for t_s, shown in ((0, 3), (5, 3), (6, 6), (9, 6)):
        table.take(state(4, shown, t_s * NS_PER_S, likely_ms=20_000))
        table.take(state(2, 3, t_s * NS_PER_S))
    second, first = table.data(10 * NS_PER_S)[::-1]
    assert (first["group"], first["since_ms"], first["since_is_whole"]) == (2, 10_000, False)
    assert (second["group"], second["since_ms"], second["since_is_whole"]) == (4, 4_000, True)
    assert (second["likely_ms"], second["min_end_ms"], second["shows"]) == (19_000, None, "green")
    lines = [line.plain for line in table.lines(10 * NS_PER_S)]
    assert ">10.0" in lines[1]
    assert " 4.0" in lines[2]
    assert "19.0" in lines[2]


def test_every_state_has_a_word_and_doubtful_status_is_shown() -> None:
    table = SignalTable()
    for shown in range(10):
        table.take(state(shown, shown, 0))
    table.take(SignalState(0, "feed", 4070, 99, 1 << 2 | 1 << 12 | 1 << 5, None, ()))
    words = [row["shows"] for row in table.data(0)]
    assert words == [
        "not known",
        "dark",
        "flashing red",
        "red",
        "red-amber",
        "green",
        "green",
        "amber",
        "amber",
        "flashing amber",
        "not known",
    ]
    assert "0x0004" in table.lines(0)[-1].plain


def test_a_table_holds_no_more_rows_than_it_may_and_fits_80_columns() -> None:
    table = SignalTable()
    for group in range(MOST_ROWS + 3):
        station = 65_535 - group // 256
        phase = SignalPhase(9, -600_000, 2_999_999, 2_999_999, 100)
        table.take(SignalState(0, "feed", station, 255, 0x3FF, 0, (phase,)) if group < 2 else state(group, 3, 0))
    lines = table.lines(9_999 * NS_PER_S)
    assert max(len(line.plain) for line in lines) <= 80
    assert "the rest is left out" in lines[-1].plain
    assert table.left_out == 2


def monitored() -> str:
    """A feed of two groups, as drawn."""
    watch = Watch()
    watch.add("feed")
    near, far = memory_pair("feed")
    facts = (WireFacts("feed", "udp 127.0.0.1:1516", "spat-xml", ("feed",)),)
    view = View("display: 1 device, ports opened here", facts, watch, lambda name: feed.counters(), lambda name: "")
    feed = SignalFeed("feed", near, view.take)
    for n in range(3):
        far.write(xml(n), n * 100 * NS_PER_MS)
    far.write(b"<DATA></DATA>", 250 * NS_PER_MS)
    view.take(DeviceHealth(300 * NS_PER_MS, "feed", False, "stale"))
    out = io.StringIO()
    Console(file=out, width=80, force_terminal=False).print(view.picture(300 * NS_PER_MS))
    return out.getvalue()


def test_a_feed_is_drawn_with_its_health_and_without_hex() -> None:
    drawn = monitored()
    assert "feed stale  0.1 s ago  3 messages  per_minute 3" in drawn
    assert "bad_frames 1, bad_missing_field 1" in drawn
    assert "■ red" in drawn
    assert "←" not in drawn
    assert max(map(len, drawn.splitlines())) <= 80
