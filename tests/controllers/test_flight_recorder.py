"""What a flight recorder keeps: everything a re-run needs, in order, in files that each stand alone."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.load import load_board
from controllers.core.scan_cycle import ScanCycle
from controllers.lighting.site import LightingSite
from controllers.service.flight_recorder import QUIET_WITHIN_NS, FlightRecorder
from controllers.service.flight_tap import flight_wires
from controllers.service.sites import load_site
from drivers.clock import SystemClock, VirtualClock
from drivers.quantities import WallTime
from drivers.recording.events import Decision, Digest, Event, Gap, Late, Lost, Mark, Snapshot, Tick, Ticks, WireBytes
from drivers.recording.provenance import Provenance
from drivers.recording.reader import TraceReader
from drivers.recording.ring import ring_files
from drivers.units import NS_PER_MS, NS_PER_S
from flight_rig import IDLE, START_NS, UTC_NS, Clock, Flight, messages, riders

BOARD = "kanalpromenade-lamp"


class Cycle:
    """Has a snapshot, and counts how often it was asked for it."""

    def __init__(self) -> None:
        self.asked = 0

    def snapshot(self) -> dict[str, Any]:
        self.asked += 1
        return {"asked": self.asked}


def bare(folder: Path, clock: Clock, **options: Any) -> FlightRecorder:
    """A recorder alone; the test is its loop, and its worker."""
    description = load_board(BOARD)
    site = load_site("kanalpromenade-reference")
    recorder = FlightRecorder(
        folder, description, site, "west", Provenance(), flight_wires(description), clock=clock, **options
    )
    recorder.open(cast(ScanCycle, Cycle()), threads=False)
    return recorder


def events(folder: Path) -> list[list[Event]]:
    return [list(TraceReader(file.path).events()) for file in ring_files(folder)]


def test_a_file_opens_with_what_a_re_run_needs(tmp_path: Path) -> None:
    Flight(tmp_path).run(5)
    (file,) = ring_files(tmp_path)
    assert file.path.name == "kanalpromenade-lamp-000001.mcap"
    reader = TraceReader(file.path)
    about = reader.controller
    assert (about["format"], about["product"], about["controller"], about["file_number"]) == (
        "1",
        "lighting",
        "west",
        "1",
    )
    assert msgspec.json.decode(about["site"], type=LightingSite) == load_site("kanalpromenade-reference")
    assert json.loads(about["board"])["name"] == BOARD
    assert reader.provenance.base_ns == UTC_NS - START_NS
    assert reader.provenance.created_utc.startswith("2026-02-20T18:00:0")
    first, second = list(reader.events())[:2]
    assert isinstance(first, Snapshot)
    assert first.state["ticked_ns"] == -1
    assert first.state["cycle"]["ticks"] == 0
    assert second == Mark(START_NS, BOARD, "started")
    assert reader.complete


def test_bytes_and_decisions_stand_in_the_order_in_which_they_happened(tmp_path: Path) -> None:
    flight = Flight(tmp_path, riders(20))
    told: list[tuple[Any, ...]] = []
    passed, observed = flight.recorder.passed, flight.recorder.observed

    def tell_passed(wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        told.append(("bytes", t_ns, outward, data))
        passed(wire, outward, data, t_ns)

    def tell_observed(tick: int, now_ns: int, inputs: Any, asked: Any, allowed: Any) -> None:
        told.append(("tick", now_ns))
        told.extend(("decision", now_ns, json.loads(msgspec.json.encode(one))) for one in allowed)
        observed(tick, now_ns, inputs, asked, allowed)

    flight.recorder.passed, flight.recorder.observed = tell_passed, tell_observed  # type: ignore[method-assign]
    flight.run(20)
    kept: list[tuple[Any, ...]] = []
    for event in events(tmp_path)[0]:
        if isinstance(event, WireBytes):
            kept.append(("bytes", event.t_ns, event.outward, event.data))
        elif isinstance(event, Tick):
            kept.append(("tick", event.t_ns))
        elif isinstance(event, Decision):
            kept.append(("decision", event.t_ns, event.body))
    assert kept == told
    assert len({kind for kind, *_ in told}) == 3


def test_ticks_are_counted_and_a_digest_stands_behind_every_block_and_at_the_end(tmp_path: Path) -> None:
    flight = Flight(tmp_path, riders(35)).run(35)
    (kept,) = events(tmp_path)
    counts = [event for event in kept if isinstance(event, Ticks)]
    digests = [event for event in kept if isinstance(event, Digest)]
    assert len(counts) == len(digests) == 4
    assert sum(event.ran for event in counts) == flight.controller.cycle.ticks
    assert len({event.digest for event in digests}) == 4
    blocks_ns = [two.t_ns - one.t_ns for one, two in pairwise(counts[:3])]
    assert all(10 * NS_PER_S <= block_ns < 11 * NS_PER_S for block_ns in blocks_ns)


def test_the_next_file_begins_right_after_a_tick_that_decided_nothing(tmp_path: Path) -> None:
    Flight(tmp_path, riders(60), file_minutes=0.25).run(60)
    files = events(tmp_path)
    assert len(files) == 4
    for before, after in pairwise(files):
        opening = after[0]
        assert isinstance(opening, Snapshot)
        ticked_ns = opening.state["ticked_ns"]
        assert isinstance(before[-1], Digest)
        assert before[-1].t_ns == ticked_ns + 1
        assert not any(isinstance(event, Decision) and event.t_ns == ticked_ns for event in before)
        assert all(event.t_ns > ticked_ns for event in after[1:])


def test_a_controller_that_is_never_quiet_gives_its_snapshot_all_the_same(tmp_path: Path) -> None:
    clock = Clock()
    recorder = bare(tmp_path, clock, file_minutes=0.1)
    for n in range(1, 1000):
        t_ns = START_NS + n * 20 * NS_PER_MS
        recorder.observed(n, t_ns, (), (), ())
        recorder.ticked(t_ns)
    recorder.close()
    openings = [kept[0].t_ns - START_NS for kept in events(tmp_path)]
    assert openings[0] == 0
    assert 6 * NS_PER_S + QUIET_WITHIN_NS <= openings[1] < 6 * NS_PER_S + QUIET_WITHIN_NS + NS_PER_S


def test_late_ticks_lost_writes_and_marks_are_kept(tmp_path: Path) -> None:
    recorder = bare(tmp_path, Clock())
    recorder.passed_over(START_NS, START_NS + 40)
    recorder.passed(1, True, b"x", START_NS + 50)
    recorder.lost(1, START_NS + 50)
    recorder.line(1, 9600, "E", 1, START_NS + 60)
    recorder.repeated(3, IDLE, START_NS + 70, START_NS + 90, 3)
    recorder.stopping(START_NS + 99)
    recorder.close()
    (kept,) = events(tmp_path)
    wire = flight_wires(load_board(BOARD))[1].name
    assert Late(START_NS, BOARD, START_NS, START_NS + 40) in kept
    assert kept[kept.index(Lost(START_NS + 50, BOARD, wire)) - 1] == WireBytes(START_NS + 50, BOARD, wire, True, b"x")
    assert [type(event).__name__ for event in kept[4:]] == ["Line", "Repeated", "Mark", "Ticks", "Digest"]


def test_the_ring_stays_within_its_limit_and_loses_its_oldest(tmp_path: Path) -> None:
    limit_b = 120_000
    flight = Flight(tmp_path, riders(300), limit_bytes=limit_b)
    sizes: list[int] = []
    turn = flight.wires.turn

    def turn_and_weigh() -> None:
        turn()
        sizes.append(sum(file.size_b for file in ring_files(tmp_path)))

    flight.wires.turn = turn_and_weigh
    flight.run(300)
    assert limit_b // 2 < max(sizes) <= limit_b
    files = ring_files(tmp_path)
    assert files[0].number > 5
    assert [file.number for file in files] == list(range(files[0].number, files[-1].number + 1))
    assert flight.recorder.figures()["bytes"] <= limit_b
    assert flight.recorder.figures()["oldest_utc"] == TraceReader(files[0].path).provenance.created_utc


def test_a_recorder_that_starts_again_goes_on_with_the_numbers(tmp_path: Path) -> None:
    for seconds in (3, 4, 5):
        Flight(tmp_path, riders(seconds)).run(seconds)
    (tmp_path / "kanalpromenade-lamp-000007.mcap").touch()  # begun when the power went
    Flight(tmp_path, riders(2)).run(2)
    assert [file.number for file in ring_files(tmp_path)] == [1, 2, 3, 8]


def test_a_full_queue_drops_what_is_new_and_heals_with_a_snapshot(tmp_path: Path) -> None:
    clock = Clock()
    recorder = bare(tmp_path, clock, queue_bytes=20_000)
    for n in range(1, 201):
        t_ns = START_NS + n * 20 * NS_PER_MS
        recorder.passed(0, False, bytes([n]) * 100, t_ns)
        recorder.ticked(t_ns)
    assert recorder.figures()["gaps"] == 0  # it lasts
    queued = recorder.figures()["queued_records"]
    recorder.writer.turn()
    healed_ns = START_NS + 201 * 20 * NS_PER_MS
    recorder.ticked(healed_ns)
    recorder.passed(0, False, b"afterwards", healed_ns + 1)
    recorder.close()
    before, after = events(tmp_path)
    kept = [event for event in before if isinstance(event, WireBytes)]
    gap = before[-1]
    assert isinstance(gap, Gap)
    assert (len(kept), gap.records) == (queued - 2, 200 - len(kept))  # beside a snapshot and a count of ticks
    assert kept[-1].t_ns < gap.from_ns <= START_NS + (len(kept) + 1) * 20 * NS_PER_MS
    assert gap.to_ns == START_NS + 200 * 20 * NS_PER_MS
    assert [event.ran for event in before if isinstance(event, Ticks)] == [len(kept)]  # a whole last tick before it
    assert isinstance(after[0], Snapshot)
    assert [event.data for event in after if isinstance(event, WireBytes)] == [b"afterwards"]
    figures = recorder.figures()
    assert (figures["gaps"], figures["dropped_records"]) == (1, gap.records)


@given(
    steps=st.lists(
        st.one_of(st.integers(0, 9_000), st.sampled_from(["tick", "turn", "decide"])), min_size=1, max_size=120
    )
)
def test_whatever_comes_the_queue_stays_bounded_and_all_is_kept_or_counted(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int | str]
) -> None:
    folder = tmp_path_factory.mktemp("ring")
    clock, queue_b = Clock(), 30_000
    recorder = bare(folder, clock, queue_bytes=queue_b)
    told = 0
    for n, step in enumerate(steps, 1):
        t_ns = START_NS + n * NS_PER_MS
        clock.sleep_until_ns(t_ns)
        if step == "tick":
            recorder.ticked(t_ns)
        elif step == "turn":
            recorder.writer.turn()
        elif step == "decide":
            recorder.observed(n, t_ns, (), (), ())
            told += 1
        else:
            recorder.passed(0, False, bytes(cast(int, step)), t_ns)
            told += 1
        waiting_b = sum(item[1] for item in recorder._queue)
        assert waiting_b == recorder._put_b - recorder.writer.taken_b
        assert waiting_b <= queue_b + 4_096  # a snapshot, a count and a gap have room always
    recorder.close()
    kept = [event for file in events(folder) for event in file]
    lost = sum(event.records for event in kept if isinstance(event, Gap))
    assert sum(isinstance(event, WireBytes | Tick) for event in kept) + lost == told
    assert lost == recorder.figures()["dropped_records"]
    for one, two in pairwise(kept):
        assert not isinstance(one, Gap) or isinstance(two, Snapshot)


def test_a_clock_that_nobody_vouches_for_dates_no_file(tmp_path: Path) -> None:
    Flight(tmp_path, riders(5), synchronised=False).run(5)
    reader = TraceReader(ring_files(tmp_path)[0].path)
    assert (reader.provenance.created_utc, reader.provenance.base_ns) == ("", 0)
    assert next(reader.events()).t_ns == START_NS


def test_a_clock_that_steps_by_an_hour_dates_the_next_file(tmp_path: Path) -> None:
    flight = Flight(tmp_path, riders(40), file_minutes=0.5)
    turn = flight.wires.turn

    def turn_and_step() -> None:
        turn()
        if flight.clock.now_ns() == START_NS + 10 * NS_PER_S:
            flight.clock.offset_ns += 3600 * NS_PER_S

    flight.wires.turn = turn_and_step
    flight.run(40)
    dates = [TraceReader(file.path).provenance.created_utc for file in ring_files(tmp_path)]
    assert [date[11:16] for date in dates] == ["18:00", "19:00"]


def test_a_wall_time_behind_that_of_the_monotonic_clock_is_no_date_either(tmp_path: Path) -> None:
    recorder = bare(tmp_path, Clock())
    recorder.wall(WallTime(START_NS, "wall", 5, True))  # a board without a battery, in 1970
    recorder.close()
    assert [type(event).__name__ for event in events(tmp_path)[0]] == ["Snapshot", "Wall", "Ticks", "Digest"]


def test_with_its_threads_it_writes_by_itself_and_ends_its_file(tmp_path: Path) -> None:
    clock = SystemClock()
    flight = Flight(tmp_path, clock=cast(Clock, VirtualClock(clock.now_ns())))
    recorder = bare(tmp_path / "ring", cast(Clock, clock))
    recorder._cycle = None
    recorder.open(flight.controller.cycle)
    recorder.passed(0, False, b"one", clock.now_ns())
    deadline_ns = clock.now_ns() + 60 * NS_PER_S
    while not recorder.figures()["synced_ns"] and clock.now_ns() < deadline_ns:
        clock.sleep_until_ns(clock.now_ns() + NS_PER_MS)
    assert recorder.figures()["state"] == "recording"
    recorder.passed(0, False, b"two", clock.now_ns())
    recorder.close()
    recorder.close()
    (kept,) = events(tmp_path / "ring")[-1:]
    assert [event.data for event in kept if isinstance(event, WireBytes)] == [b"one", b"two"]
    assert TraceReader(ring_files(tmp_path / "ring")[-1].path).complete


def test_a_sealed_recorder_keeps_what_came_before_and_nothing_after(tmp_path: Path) -> None:
    clock = Clock()
    recorder = bare(tmp_path, clock)
    recorder.passed(0, True, b"before", clock.now_ns())
    recorder.seal()
    recorder.passed(0, True, b"after", clock.now_ns())
    recorder.lost(0, clock.now_ns())
    recorder.close()
    (kept,) = events(tmp_path)
    assert [event.data for event in kept if isinstance(event, WireBytes)] == [b"before"]
    assert not [event for event in kept if isinstance(event, Lost)]
    assert isinstance(kept[-1], Digest)


def test_figures_are_plain_and_complete(tmp_path: Path) -> None:
    figures = Flight(tmp_path, riders(3)).run(3).recorder.figures()
    assert json.loads(json.dumps(figures)) == figures
    assert set(figures) == {
        *("folder", "files", "bytes", "limit_bytes", "oldest_utc", "queued_records", "dropped_records", "gaps"),
        *("synced_ns", "state"),
    }


def test_a_display_is_recorded_with_its_feed_and_its_frames(tmp_path: Path) -> None:
    Flight(tmp_path, messages(12), site="leezenflow-hoerstertor", controller=None).run(12)
    (kept,) = events(tmp_path)
    assert sum(len(event.data) for event in kept if isinstance(event, WireBytes) and not event.outward) > 100_000
    assert any(isinstance(event, Decision) and "frame_hex" in event.body for event in kept)
    assert any(isinstance(event, WireBytes) and event.outward and event.wire == "panel" for event in kept)
