"""The radar's far end: what it sees, when it says so, and how it tells the idle frames it has not written."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drivers.codecs.ld2451 import IDLE_FRAME, Ld2451Stream, Report
from drivers.links.memory import memory_pair
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.radar import REPORT_NS, RadarPeer
from hil.peers.radar_row import NEAR_MM, visible_spans
from hil.traffic.rider import Rider, Segment

RANGE_MM = 40_000
PHASE_NS = 17 * NS_PER_MS


class Frame(NamedTuple):
    """One frame on the wire, written or told in a repeat."""

    t_ns: int
    data: bytes


class Bench:
    """One radar peer and what comes out of its wire."""

    def __init__(self, *, skip: bool = True, missed: int = 0, sign: int = 1, silent: tuple[tuple[int, int], ...] = ()):
        self.frames: list[Frame] = []
        near, far = memory_pair("radar-1")
        near.receiver = lambda data, t_ns: self.frames.append(Frame(t_ns, data))
        near.repeat_receiver = self._repeated
        self.peer = RadarPeer(
            "west/radar-1",
            far,
            x_mm=0,
            sign=sign,
            range_mm=RANGE_MM,
            phase_ns=PHASE_NS,
            missed_per_mille=missed,
            silent=silent,
            skip=skip,
        )

    def _repeated(self, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        if count == 1:
            assert first_ns == last_ns
        for n in range(count):
            self.frames.append(Frame(first_ns + (last_ns - first_ns) // max(count - 1, 1) * n, frame))

    def run(self, until_ns: int) -> None:
        while self.peer.wake_ns < until_ns:
            self.peer.run(self.peer.wake_ns)
        self.peer.settle(until_ns - 1)

    def seen(self) -> list[tuple[int, int, int, int, bool]]:
        """(t_ns, metres, km/h, degrees, approaching) of each target."""
        found = []
        for frame in self.frames:
            for event in Ld2451Stream().feed(frame.data):
                assert isinstance(event, Report)
                for t in event.targets:
                    found.append((frame.t_ns, t.distance_m, t.speed_kmh, t.angle_deg, t.approaching))
        return found

    def idle_times(self) -> list[int]:
        return [frame.t_ns for frame in self.frames if frame.data == IDLE_FRAME]


def _rider(*pieces: tuple[int, int, int], end_ms: int, number: int = 1, lateral_mm: int = 0) -> Rider:
    """Pieces are (ms, mm, mm/s)."""
    segments = tuple(Segment(ms * NS_PER_MS, x_mm, v_mm_s) for ms, x_mm, v_mm_s in pieces)
    return Rider(number, segments, end_ms * NS_PER_MS, lateral_mm)


@st.composite
def _rides(draw: st.DrawFn, number: int = 1) -> Rider:
    """Joined pieces: riding, standing and turning near the view of a radar at 0."""
    t_ns = draw(st.integers(0, 5_000)) * NS_PER_MS
    x_mm = draw(st.integers(-60_000, 60_000))
    segments = []
    for _ in range(draw(st.integers(1, 5))):
        v_mm_s = draw(st.sampled_from((0, 277, 278, -278, 5_000)) | st.integers(-9_000, 9_000))
        segments.append(Segment(t_ns, x_mm, v_mm_s))
        lasts_ns = draw(st.integers(1, 8_000)) * NS_PER_MS
        x_mm += v_mm_s * lasts_ns // NS_PER_S
        t_ns += lasts_ns
    return Rider(number, tuple(segments), t_ns)


# --- what is in view


def test_riding_through_the_view_is_one_span_from_its_near_end_to_its_far_end() -> None:
    rider = _rider((0, -10_000, 5_000), end_ms=60_000)
    assert visible_spans(rider, 0, 1, 40_000) == [(2_200 * NS_PER_MS, 10 * NS_PER_S + 1)]
    assert visible_spans(rider, 0, -1, 40_000) == [(0, 1_800 * NS_PER_MS + 1)]


def test_who_stands_in_the_view_is_in_it_to_the_ends_of_the_view_and_of_the_ride() -> None:
    for x_mm, spans in ((NEAR_MM - 1, []), (NEAR_MM, [(0, 9)]), (RANGE_MM, [(0, 9)]), (RANGE_MM + 1, [])):
        assert visible_spans(Rider(1, (Segment(0, x_mm, 0),), 9), 0, 1, RANGE_MM) == spans


def test_a_change_of_speed_within_the_view_does_not_split_the_span() -> None:
    rider = _rider((0, 10_000, 3_000), (4_000, 22_000, 0), (9_000, 22_000, -2_000), end_ms=30_000)
    (span,) = visible_spans(rider, 0, 1, RANGE_MM)
    assert span == (0, 9 * NS_PER_S + 10_500 * NS_PER_MS + 1)


def test_turning_beyond_the_view_gives_two_spans() -> None:
    rider = _rider((0, 30_000, 5_000), (4_000, 50_000, -5_000), end_ms=14_000)
    assert visible_spans(rider, 0, 1, RANGE_MM) == [
        (0, 2 * NS_PER_S + 1),
        (6 * NS_PER_S, 13_800 * NS_PER_MS + 1),
    ]


@settings(max_examples=60)
@example(_rider((0, -3_000, 1_000), (5_000, 2_000, -1_000), end_ms=9_000), 1, 0)
@given(_rides(), st.sampled_from((1, -1)), st.integers(-20_000, 20_000))
def test_the_visible_spans_agree_with_looking_at_every_moment(rider: Rider, sign: int, x_mm: int) -> None:
    spans = visible_spans(rider, x_mm, sign, RANGE_MM)
    assert all(enter < leave for enter, leave in spans)
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    assert all(rider.start_ns <= enter and leave <= rider.end_ns for enter, leave in spans)
    edges = [t_ns + away for span in spans for t_ns in span for away in (-1_000_000, 1_000_000)]
    for t_ns in [*range(rider.start_ns, rider.end_ns, 50 * NS_PER_MS), *edges]:
        if not rider.start_ns <= t_ns < rider.end_ns:
            continue
        inside = any(enter <= t_ns < leave for enter, leave in spans)
        away_mm = (rider.x_mm(t_ns) - x_mm) * sign
        if inside:  # within the millimetre to which positions are rounded
            assert NEAR_MM - 2 <= away_mm <= RANGE_MM + 2
        else:
            assert not NEAR_MM + 2 <= away_mm <= RANGE_MM - 2


# --- what is said


def test_a_rider_in_view_is_reported_at_every_grid_point_in_whole_metres_and_kmh() -> None:
    bench = Bench()
    bench.peer.rider(_rider((0, 45_500, -5_000), end_ms=20_000, lateral_mm=-1_000))
    bench.run(20 * NS_PER_S)
    seen = bench.seen()
    times = [t_ns for t_ns, *_ in seen]
    assert times == list(range(times[0], times[-1] + 1, REPORT_NS))
    assert times[0] % REPORT_NS == PHASE_NS
    assert seen[0] == (1_117 * NS_PER_MS, 39, 18, -2, True)
    assert {(kmh, near) for _, _, kmh, _, near in seen} == {(18, True)}
    assert [metres for _, metres, *_ in seen] == sorted((m for _, m, *_ in seen), reverse=True)
    assert seen[-1][1] == 1


def test_a_radar_that_looks_down_the_path_sees_the_same_rider_go_away() -> None:
    bench = Bench(sign=-1)
    bench.peer.rider(_rider((0, 5_000, -5_000), end_ms=20_000))
    bench.run(20 * NS_PER_S)
    assert bench.seen()[0][1:3] == (1, 18)
    assert {approaching for *_, approaching in bench.seen()} == {False}


def test_when_the_last_target_has_left_one_idle_frame_comes_at_once_and_then_one_a_second() -> None:
    bench = Bench()
    bench.peer.rider(_rider((0, -2_000, 5_000), end_ms=20_000))
    bench.run(13 * NS_PER_S)
    last_seen_ns = bench.seen()[-1][0]
    after = [t_ns for t_ns in bench.idle_times() if t_ns > last_seen_ns]
    assert after[0] == last_seen_ns + REPORT_NS
    assert after[1:] == [PHASE_NS + s * NS_PER_S for s in (9, 10, 11, 12)]


def test_a_doppler_radar_does_not_see_who_stands_and_says_so_once() -> None:
    bench = Bench()
    bench.peer.rider(_rider((0, 10_000, 3_000), (2_000, 16_000, 277), (6_000, 17_108, 278), end_ms=8_000))
    bench.run(8 * NS_PER_S)
    seen = [t_ns for t_ns, *_ in bench.seen()]
    assert [t_ns for t_ns in seen if 2 * NS_PER_S < t_ns < 6 * NS_PER_S] == []
    assert max(seen) > 7_900 * NS_PER_MS
    assert [t for t in bench.idle_times() if t < 6 * NS_PER_S] == [
        PHASE_NS + ms * NS_PER_MS for ms in (2_000, 3_000, 4_000, 5_000)
    ]


def test_two_riders_in_view_share_a_report() -> None:
    bench = Bench()
    bench.peer.rider(_rider((0, 10_000, 2_000), end_ms=5_000))
    bench.peer.rider(_rider((0, 30_000, -2_000), end_ms=5_000, number=2))
    bench.run(PHASE_NS + 1)
    assert [(metres, approaching) for _, metres, _, _, approaching in bench.seen()] == [(10, False), (29, True)]
    assert len(bench.frames) == 1


def test_about_one_report_in_fifty_is_missed_and_the_same_ones_each_time() -> None:
    runs = []
    for _ in range(2):
        bench = Bench(missed=20)
        bench.peer.rider(_rider((0, 5_000, 300), (110_000, 38_000, -300), end_ms=200_000))
        bench.run(200 * NS_PER_S)
        runs.append(bench.frames)
    assert runs[0] == runs[1]
    assert 1_950 <= len(runs[0]) <= 1_975
    assert bench.idle_times() == []


# --- idle frames, told in bulk or written


@st.composite
def _silences(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    edges = sorted(draw(st.lists(st.integers(0, 60_000), max_size=6, unique=True)))
    return tuple((a * NS_PER_MS, b * NS_PER_MS) for a, b in zip(edges[::2], edges[1::2], strict=False))


@settings(max_examples=60)
@given(st.lists(_rides(), max_size=2), _silences(), st.lists(st.integers(0, 60_000), max_size=5))
def test_with_and_without_skipping_the_same_frames_come_at_the_same_times(
    riders: list[Rider], silent: tuple[tuple[int, int], ...], settled_ms: list[int]
) -> None:
    skipping, ticking = Bench(missed=20, silent=silent), Bench(skip=False, missed=20, silent=silent)
    for bench in (skipping, ticking):
        for number, rider in enumerate(riders):
            bench.peer.rider(Rider(number, rider.segments, rider.end_ns))
    for until_ms in sorted([*settled_ms, 60_000]):
        skipping.run(until_ms * NS_PER_MS)
    ticking.run(60 * NS_PER_S)
    assert skipping.frames == ticking.frames
    assert skipping.peer.frames == ticking.peer.frames
    assert skipping.peer.idle_frames == ticking.peer.idle_frames
    told = [frame.t_ns for frame in skipping.frames]
    assert told == sorted(set(told))
    assert not [t_ns for t_ns in told for low, high in silent if low <= t_ns < high]


@pytest.mark.parametrize("skip", [True, False])
def test_a_silent_span_is_silent_from_its_first_to_before_its_last_nanosecond(skip: bool) -> None:
    second = [PHASE_NS + s * NS_PER_S for s in range(6)]
    for silent, heard in (
        ((second[2], second[3]), [0, 1, 3, 4, 5]),
        ((second[2] + 1, second[3] + 1), [0, 1, 2, 4, 5]),
        ((second[2] - 1, second[2]), [0, 1, 2, 3, 4, 5]),
        ((0, second[5]), [5]),
        ((second[2], second[2]), [0, 1, 2, 3, 4, 5]),
    ):
        bench = Bench(skip=skip, silent=(silent,))
        bench.run(6 * NS_PER_S)
        assert bench.idle_times() == [second[n] for n in heard]


def test_the_first_idle_frame_after_a_silence_is_not_left_to_be_told_later() -> None:
    bench = Bench(silent=((1_500 * NS_PER_MS, 4_500 * NS_PER_MS), (7_000 * NS_PER_MS, 7_500 * NS_PER_MS)))
    bench.peer.run(bench.peer.wake_ns)
    wakes = []
    while bench.peer.wake_ns < FOREVER_NS:
        wakes.append(bench.peer.wake_ns)
        bench.peer.run(bench.peer.wake_ns)
        assert bench.idle_times()[-1] == wakes[-1]
    assert wakes == [PHASE_NS + 5 * NS_PER_S, PHASE_NS + 8 * NS_PER_S]


def test_a_skipping_radar_without_riders_runs_once_and_settles_an_hour_in_one_call() -> None:
    bench = Bench()
    bench.run(1)
    bench.peer.run(bench.peer.wake_ns)
    assert bench.peer.wake_ns == FOREVER_NS
    calls: list[tuple[int, int, int]] = []
    bench.peer._link.far.repeat_receiver = lambda frame, first, last, count: calls.append((first, last, count))
    bench.peer.settle(3600 * NS_PER_S)
    assert calls == [(PHASE_NS + NS_PER_S, PHASE_NS + 3599 * NS_PER_S, 3599)]
    bench.peer.settle(3600 * NS_PER_S)
    assert len(calls) == 1


@settings(max_examples=30)
@given(st.lists(_rides(), max_size=3), _silences(), st.integers(0, 30_000), st.booleans())
def test_a_snapshot_taken_anywhere_goes_on_with_the_same_frames(
    riders: list[Rider], silent: tuple[tuple[int, int], ...], at_ms: int, skip: bool
) -> None:
    known = {number: Rider(number, rider.segments, rider.end_ns) for number, rider in enumerate(riders)}
    first, second = (Bench(skip=skip, missed=20, silent=silent) for _ in range(2))
    for rider in known.values():
        first.peer.rider(rider)
    first.run(at_ms * NS_PER_MS)
    saved = json.dumps(first.peer.snapshot())
    second.peer.restore(json.loads(saved), known)
    assert json.dumps(second.peer.snapshot()) == saved
    before = len(first.frames)
    for bench in (first, second):
        bench.run(60 * NS_PER_S)
    assert second.frames == first.frames[before:]
    assert second.peer.snapshot() == first.peer.snapshot()
