"""Judging while it runs: the same verdict as afterwards, what stood around is put aside, and nothing else is kept."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.judge.alignment import Tolerance
from hil.judge.compare import compare
from hil.judge.evidence import SentLog
from hil.judge.live import KEPT, LiveJudge
from hil.judge.reference import Sent
from hil.outcome import Request
from hil.replay import replay

WIRES = ["a/dali", "b/dali"]
FRAMES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 1), st.sampled_from([b"x", b"y", b"z"])), max_size=80)


def sent_of(frames: list[tuple[int, int, bytes]]) -> list[Sent]:
    return [Sent(t, t * 1_000_000, WIRES[wire], data) for t, wire, data in sorted(frames)]


@settings(max_examples=80)
@given(FRAMES, FRAMES)
def test_the_verdict_is_that_of_a_comparison_afterwards(one: list[tuple[int, int, bytes]], more: list) -> None:  # type: ignore[type-arg]
    expected, got = sent_of(one), sent_of(one[: len(one) // 2] + more)
    log = SentLog(WIRES, 1_000_000)
    live = LiveJudge(log, iter(expected), Tolerance())
    for sent in got:
        log.passed(WIRES.index(sent.wire), True, sent.data, sent.t_ns)
    found, after = live.finish(1 << 60), compare(expected, got)
    assert log.sent == []
    assert (found.passed, found.reason) == (after.passed, after.reason)
    if after.first is None:
        assert found.first is None
    else:
        assert found.first is not None
        assert (found.first.t_ns, found.first.kind, found.first.got) == (
            after.first.t_ns,
            after.first.kind,
            after.first.got,
        )


def test_what_stood_around_a_divergence_is_told_though_it_has_long_passed() -> None:
    log = SentLog(WIRES, 1_000_000, KEPT)
    frames = [Sent(n, n * 1_000_000, "a/dali", b"h0AFE\n") for n in range(4 * KEPT)]
    changed = [Sent(one.tick, one.t_ns, one.wire, b"h0AF0\n") if one.tick == 50 else one for one in frames]
    live = LiveJudge(log, iter(frames), Tolerance())
    for sent in changed:
        log.passed(0, True, sent.data, sent.t_ns)
    first = live.finish(1 << 60).first
    assert first is not None
    assert (first.tick, first.kind) == (50, "value")
    assert any(line.startswith(">") and "level 240" in line for line in first.context)
    assert len(first.context) >= 15


def test_memory_does_not_grow_with_the_run() -> None:
    def peak_b(count: int) -> int:
        def frames() -> Iterator[Sent]:
            for n in range(count):
                yield Sent(n, n * 1_000_000, "a/dali", b"%d" % n)

        tracemalloc.start()
        log = SentLog(WIRES, 1_000_000, 100)
        live = LiveJudge(log, frames(), Tolerance())
        for sent in frames():
            log.passed(0, True, sent.data, sent.t_ns)
        assert live.finish(1 << 60).passed
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_b(500)
    assert peak_b(20_000) < 1.5 * peak_b(2_000)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_long_trace_is_judged_in_the_memory_of_a_short_one(tmp_path: Path) -> None:
    def peak_b(minutes: int) -> int:
        first_s = 1_708_450_200
        rides = sorted(
            [first_s + 40 * n + n * n % 17, 1 if n % 3 else -1, 12 + n * 7 % 17] for n in range(minutes * 3 // 2)
        )
        head = {"format": "leeze-traffic", "version": 1, "site": "made up", "from": "2024-02-20", "to": "2024-02-20"}
        traffic, trace = tmp_path / f"{minutes}.traffic", tmp_path / f"{minutes}.mcap"
        traffic.write_text("\n".join(json.dumps(one) for one in [head, *rides]) + "\n")
        made = Request(subject=str(traffic), seconds=minutes * 60.0, rules=False, record=trace)
        replay(made, lambda done, total: None)
        tracemalloc.start()
        assert replay(Request(subject=str(trace)), lambda done, total: None).result.verdict == "passed"
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak_b(60) < 1.5 * peak_b(20)
