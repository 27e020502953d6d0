"""Every file of a ring can be run again alone, also after gaps, bad disks and restarts: `leeze-hil replay --verify`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from boards.parts import contents
from controllers.service.assemble import assemble
from controllers.service.flight_tap import FlightTap
from controllers.service.sites import load_site
from controllers.service.tapping import ServiceTap
from drivers.links.memory import MemoryLink, memory_pair
from drivers.recording.events import Line, WireBytes
from drivers.recording.reader import TraceReader
from drivers.recording.ring import ring_files
from drivers.units import NS_PER_MS, NS_PER_S
from flight_rig import Flight, messages, riders
from hil.cli import main

REAL = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data")) / "spat-muenster"
LEEZENFLOW: dict[str, Any] = {"site": "leezenflow-hoerstertor", "controller": None}


def verified(*paths: Path) -> bool:
    return main(["replay", *map(str, paths), "--verify"]) == 0


def test_every_file_alone_and_the_ring_as_a_whole(tmp_path: Path) -> None:
    Flight(tmp_path, riders(60), file_minutes=0.25).run(60)
    files = ring_files(tmp_path)
    assert len(files) == 4
    assert verified(tmp_path)
    assert verified(files[2].path)


def test_a_display_and_its_feed(tmp_path: Path) -> None:
    Flight(tmp_path, messages(40), file_minutes=0.25, **LEEZENFLOW).run(40)
    assert len(ring_files(tmp_path)) == 3
    assert verified(tmp_path)


def test_what_stands_before_and_behind_a_gap(tmp_path: Path) -> None:
    flight = Flight(tmp_path, riders(40), queue_bytes=60_000)
    turn = flight.wires.turn
    at = lambda: flight.clock.now_ns() - flight.start_ns  # noqa: E731
    flight.wires.turn = lambda: None if 10 * NS_PER_S < at() < 25 * NS_PER_S else turn()
    flight.run(40)
    assert flight.recorder.figures()["gaps"] == 1
    assert [verified(file.path) for file in ring_files(tmp_path)] == [True, True]


def test_a_file_cut_at_any_place(tmp_path: Path) -> None:
    ring = tmp_path / "ring"
    Flight(ring, riders(20)).run(20)
    (file,) = ring_files(ring)
    content = file.path.read_bytes()
    for part in range(4, 10):
        cut = tmp_path / "cut-000001.mcap"
        cut.write_bytes(content[: len(content) * part // 10])
        assert verified(cut), part


@pytest.mark.recordings
@pytest.mark.skipif(not REAL.is_dir(), reason="no recording spat-muenster (LEEZE_RECORDINGS)")
def test_a_real_message_is_kept_to_the_byte(tmp_path: Path) -> None:
    message = (REAL / "lsa-4070.xml").read_bytes()
    coming = [(n * 100 * NS_PER_MS, "feed", message) for n in range(100)]
    Flight(tmp_path, coming, **LEEZENFLOW).run(10)
    (file,) = ring_files(tmp_path)
    kept = [event.data for event in TraceReader(file.path).events() if isinstance(event, WireBytes)]
    assert [data for data in kept if len(data) > 1000] == [message] * 100
    assert file.size_b < len(message) * 100 // 20
    assert verified(tmp_path)


def test_a_recorder_beside_a_tap_for_listeners(tmp_path: Path) -> None:
    """A tap around a tap: both hear the same, line settings as well."""
    site = load_site("kanalpromenade-reference")
    flight, service = FlightTap(site, "west", tmp_path / "ring"), ServiceTap(tmp_path / "listen.tap")
    links: dict[str, MemoryLink] = {}

    def link_for(name: str, wire: object) -> MemoryLink:
        links[name], _ = memory_pair(name)
        return links[name]

    heard: list[tuple[object, ...]] = []
    flight_of, listeners_of = flight.link_for, service.link_for
    controller = assemble(site, controller="west", tap=lambda board, _: listeners_of(board, flight_of(board, link_for)))
    service._server.line = lambda *told: heard.append(told)  # type: ignore[union-attr, method-assign]
    flight.recorder.open(controller.cycle, threads=False)
    links["radar-1"].on_line(115_200, "N", 1, 5)
    links["radar-1"].far.write(b"in", 6)
    controller.board.links["dali"].write(b"out", 7)
    flight.recorder.close()
    (file,) = ring_files(tmp_path / "ring")
    board = controller.board.description.name
    kept = list(TraceReader(file.path).events(["/line/*", "/wire/*"]))
    assert kept == [
        Line(5, board, "radar-1", 115_200, "N", 1.0),
        WireBytes(6, board, "radar-1", False, b"in"),
        WireBytes(7, board, "dali", True, b"out"),
    ]
    assert heard == [(list(contents(controller.board.description)).index("radar-1"), 115_200, "N", 1, 5)]
