"""The simulated adaptive signal keeps its own rules, and says nothing that is not so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.spat import Phase, remaining_ms
from drivers.links.memory import memory_pair
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.adaptive_controller import SAYS, AdaptiveController, AdaptiveWords
from hil.peers.signal_adaptive import (
    DAY,
    EVENING,
    FAILED,
    OFF,
    ROAD,
    ROAD_GREEN,
    TRACK,
    TRACK_GREEN,
    AdaptiveCourse,
    Rules,
    Stage,
)

START_UTC_NS = 1_778_608_200 * NS_PER_S  # 2026-05-12, 19:50 in Münster
HOUR_MS = 3_600_000


def stages(rules: Rules, until_ms: int) -> Iterator[Stage]:
    course = AdaptiveCourse(rules)
    t_ms = 0
    while t_ms < until_ms:
        stage = course.stage(course.number_at(t_ms))
        yield stage
        t_ms = stage.end_ms


@pytest.mark.parametrize("seed", range(10))
def test_greens_keep_to_their_least_and_most_and_use_what_lies_between(seed: int) -> None:
    road, track = [], []
    for stage in stages(Rules(seed=seed, start_ms=12 * HOUR_MS, buses=False), HOUR_MS):
        length_ms = stage.end_ms - stage.start_ms
        if stage.kind == ROAD_GREEN:
            road.append(length_ms)
        elif stage.kind == TRACK_GREEN:
            track.append(length_ms)
    for lengths, (least_ms, most_ms) in ((road, DAY.road_ms), (track, DAY.track_ms)):
        assert least_ms <= min(lengths) < max(lengths) <= most_ms
        assert len(set(lengths)) > 10


def test_nobody_is_shown_green_beside_the_other() -> None:
    for stage in stages(Rules(seed=4, failures=True), 2 * HOUR_MS):
        assert 3 in (stage.state(ROAD), stage.state(TRACK)) or stage.kind in (OFF, FAILED)


def test_a_bus_holds_the_road_past_its_most_and_cuts_the_track() -> None:
    course = AdaptiveCourse(Rules(seed=0, start_ms=12 * HOUR_MS))
    plain = AdaptiveCourse(Rules(seed=0, start_ms=12 * HOUR_MS, buses=False))
    held = cut = 0
    for start_ms in range(0, 4 * HOUR_MS, 7000):
        road, plain_road = (one.known_end_ms(ROAD_GREEN, start_ms, DAY, None) for one in (course, plain))
        held += road > plain_road
        with_bus = course.known_end_ms(TRACK_GREEN, start_ms, DAY, None)
        cut += with_bus < plain.known_end_ms(TRACK_GREEN, start_ms, DAY, None)
        assert start_ms + DAY.track_ms[0] <= with_bus
    assert held > 10
    assert cut > 10


def test_the_programme_changes_at_eight_and_the_signal_sleeps_from_eleven_to_five() -> None:
    for stage in stages(Rules(seed=1, start_ms=19 * HOUR_MS), 12 * HOUR_MS):
        local_ms = 19 * HOUR_MS + stage.start_ms
        if stage.kind == 0:
            assert stage.timing is (EVENING if 20 * HOUR_MS <= local_ms < 24 * HOUR_MS else DAY)
        if stage.kind == OFF:
            assert 23 * HOUR_MS <= local_ms < 23 * HOUR_MS + 120_000
            assert 19 * HOUR_MS + stage.end_ms == 29 * HOUR_MS
            break
    else:
        pytest.fail("it never slept")


def test_failures_come_at_any_moment_and_the_cycle_begins_anew() -> None:
    found = list(stages(Rules(seed=1, start_ms=12 * HOUR_MS, failures=True), 3 * HOUR_MS))
    broken = [n for n, stage in enumerate(found) if stage.kind == FAILED]
    assert 12 <= len(broken) <= 18
    for n in broken:
        assert found[n].end_ms - found[n].start_ms == 45_000
        assert found[n - 1].end_ms < found[n - 1].planned_ms
        assert found[n + 1].kind == 0 if n + 1 < len(found) else True
    assert len({found[n - 1].kind for n in broken}) > 1


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from(SAYS), st.integers(0, 6000))
def test_a_message_is_a_function_of_seed_and_time(seed: int, says: Any, tenth: int) -> None:
    rules = Rules(seed=seed, failures=True)
    fresh, used = (AdaptiveWords(rules, START_UTC_NS, says) for _ in range(2))
    used.message(600_000)
    assert used.message(100 * tenth) == fresh.message(100 * tenth)


@pytest.mark.parametrize("seed", range(3))
def test_bounds_hold_and_likely_times_lie_between_them(seed: int) -> None:
    words = AdaptiveWords(Rules(seed=seed), START_UTC_NS, "likely")
    waiting: list[tuple[int, int]] = []  # least and most said of the end of the running phase
    state = 0
    rose = 0
    before: int | None = None
    for t_ms in range(0, 600_000, 100):
        message = words.intersection(t_ms)
        running, *coming = message.groups[1].phases

        def left(mark: int | None, message: Any = message) -> int:
            found = remaining_ms(mark, message.minute_of_year, message.timestamp_ms)
            assert found is not None
            return found

        if running.state != state:
            for least_ms, most_ms in waiting:
                assert least_ms <= t_ms <= most_ms
            state, waiting, before = running.state, [], None
        ends = [(left(p.min_end_mark), left(p.likely_mark), left(p.max_end_mark)) for p in (running, *coming)]
        for least_ms, likely_ms, most_ms in ends:
            assert 0 <= least_ms <= likely_ms <= most_ms
        assert [end[1] for end in ends] == sorted(end[1] for end in ends)
        waiting.append((t_ms + ends[0][0], t_ms + ends[0][2]))
        rose += before is not None and t_ms + ends[0][1] > before + 500
        before = t_ms + ends[0][1]
    assert rose > 5  # adaptive: likelyTime rises as time passes


@pytest.mark.parametrize(
    ("says", "count", "marks"),
    [("likely", 4, (True, True, True)), ("min-max", 4, (True, True, False)), ("min", 1, (True, False, False)),
     ("states", 1, (False, False, False))],
)  # fmt: skip
def test_what_is_said_of_ends_is_what_was_asked_for(says: Any, count: int, marks: tuple[bool, ...]) -> None:
    for group in AdaptiveWords(Rules(seed=1), START_UTC_NS, says).intersection(20_000).groups:
        assert len(group.phases) == count
        for phase in group.phases:
            assert isinstance(phase, Phase)
            told = phase.min_end_mark, phase.max_end_mark, phase.likely_mark
            assert tuple(mark is not None for mark in told) == marks


def test_the_peer_sends_ten_messages_a_second_and_goes_on_from_its_snapshot() -> None:
    near, far = memory_pair("feed")
    heard: list[tuple[int, bytes]] = []
    near.receiver = lambda data, t_ns: heard.append((t_ns, data))
    peer = AdaptiveController("signal", far, Rules(seed=1), START_UTC_NS, start_ns=50 * NS_PER_MS)
    while peer.wake_ns < 5 * NS_PER_S:
        peer.run(peer.wake_ns)
    other = AdaptiveController("signal", far, Rules(seed=1), START_UTC_NS, start_ns=50 * NS_PER_MS)
    other.restore(peer.snapshot())
    other.run(other.wake_ns)
    whole = AdaptiveWords(Rules(seed=1), START_UTC_NS, "likely").messages(6)
    assert heard == [(t_ns + 50 * NS_PER_MS, data) for t_ns, data in whole][: len(heard)]
    assert len(heard) == 51


def test_the_command_writes_a_feed_that_can_be_scored(leeze_hil: Any, tmp_path: Path) -> None:
    out = tmp_path / "feed.mcap"
    ran = leeze_hil("signal", "--seed", 3, "--minutes", 2, "-o", out)
    assert (ran.code, ran.out) == (0, f"{out}: 1200 messages of station 4070, groups 4 and 7\n")
    assert leeze_hil("score", out, "--group", 7, "--json").result["groups"][0]["within_1s_at_5s"] > 0.5


@pytest.mark.parametrize("words", [("--minutes", "0"), ("--start", "soon"), ("--start", "2026-05-12T19:50:00")])
def test_the_command_refuses_what_is_no_time(leeze_hil: Any, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert leeze_hil("signal", "-o", tmp_path / "f.mcap", *words).code == 2
    assert not list(tmp_path.iterdir())
