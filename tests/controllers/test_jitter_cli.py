"""``leeze-controllers jitter``, the whole program; and what it makes of what it has measured."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers import cli
from controllers.cli_jitter import as_json, in_words
from controllers.service.bare_loop import BareLoop
from controllers.service.jitter import Jitter, Lateness
from controllers.service.load import Load
from controllers.service.real_time import Step
from drivers.clock import SystemClock
from drivers.units import NS_PER_MS, NS_PER_S

ROOT = Path(__file__).parents[2]
PERIOD_NS = 10 * NS_PER_MS
US = 1000


def jitter(*words: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: real-time steps last as long as their process."""
    return subprocess.run(
        [sys.executable, "-m", "controllers", "jitter", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def found(ours: list[int], bare: list[int], passed_over: int = 0, held: Any = ()) -> Jitter:
    steps = [Step("memory", True, "all pages stay in memory"), Step("scheduler", False, "Operation not permitted")]
    return Jitter(PERIOD_NS, Lateness(ours, passed_over), Lateness(bare), "C, compiled by cc", steps, list(held))


# --- the program


def test_a_run_in_json_has_both_loops_a_histogram_the_steps_and_a_verdict() -> None:
    done = jitter("--seconds", "2", "--json")
    assert done.returncode in (0, 1), done.stderr
    said = json.loads(done.stdout)
    assert said["period_ms"] == 10
    for loop in (said["loop"], said["bare"]):
        assert 0 < loop["p50"] <= loop["p99"] <= loop["p999"] <= loop["max"]
        assert loop["ticks"] > 0
    assert sum(said["histogram"]["count"]) == said["loop"]["ticks"]
    assert said["real_time"][0]["step"] == "memory"
    assert (done.returncode == 1) == (said["verdict"] == "not enough")


@pytest.mark.long
def test_a_run_in_words_under_load_with_a_boards_period_and_no_real_time_steps() -> None:
    done = jitter("--seconds", "2", "--load", "--board", "kanalpromenade-lamp", "--plain")
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout.startswith("lateness of a tick every 20 ms, in microseconds; ")
    assert "one that writes and syncs" in done.stdout
    assert "no steps asked for" in done.stdout
    assert "verdict for 20 ms: " in done.stdout
    assert "█" in done.stdout


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--seconds", "1"], "2 to 86400"),
        (["--seconds", "soon"], "soon"),
        (["--period-ms", "0"], "1 to 1000"),
        (["--period-ms", "10", "--board", "leezenflow"], "not allowed with"),
        (["--board", "no-such-board"], "no-such-board"),
        (["--cpu", "4000"], "--cpu 4000: this process may run on "),
        (["--priority", "100"], "0 to 99"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_measured(
    words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["jitter", *words]) == 2
    assert text in capsys.readouterr().err


def test_the_source_of_the_bare_loop_comes_with_the_package() -> None:
    assert "clock_nanosleep" in (files("controllers.service") / "bare_sleep.c").read_text()


# --- the bare loop


@pytest.mark.parametrize("compiler", ["cc", None, "no-such-compiler", "false"])
def test_the_bare_loop_sleeps_to_every_place_of_the_grid_or_counts_it(compiler: str | None) -> None:
    clock = SystemClock()
    bare = BareLoop(clock, compiler)
    if compiler != "cc":
        assert bare.made_of.startswith("ctypes, for ")
    from_ns = clock.now_ns()
    until_ns = from_ns + 200 * NS_PER_MS
    late_ns, passed_over = bare.run(NS_PER_MS, until_ns)
    assert min(late_ns) >= 0
    places = (until_ns - 1) // NS_PER_MS - from_ns // NS_PER_MS
    beyond = max(0, clock.now_ns() - until_ns) // NS_PER_MS + 1  # the last one may have come late, and begun late
    assert abs(len(late_ns) + passed_over - places) <= beyond


def test_the_load_ends_with_who_started_it() -> None:
    with Load(60) as load:
        started = load._started
        assert all(process.poll() is None for process in started)
    assert all(process.poll() is not None for process in started)
    assert len(started) >= 2


# --- what is made of it


def test_quantiles_are_nearest_ranks() -> None:
    lateness = Lateness([n * US for n in range(1000, 0, -1)])
    assert lateness.figures() == {"p50": 500, "p99": 990, "p999": 999, "max": 1000, "ticks": 1000, "passed_over": 0}
    assert Lateness([]).figures()["max"] == 0


@settings(max_examples=100)
@given(st.lists(st.integers(0, 3 * NS_PER_S), max_size=60))
def test_doublings_hold_every_value_once(lates_ns: list[int]) -> None:
    counts = Lateness(lates_ns).doublings()
    assert sum(counts) == len(lates_ns)
    for number in range(len(counts)):
        assert sum(counts[: number + 1]) == sum(late_ns <= 1000 << number for late_ns in lates_ns)


@pytest.mark.parametrize(
    ("ours", "passed_over", "verdict", "why"),
    [
        ([50 * US] * 1000, 0, "good", "none later"),
        ([50 * US] * 999 + [4 * NS_PER_MS], 0, "good", "none later"),
        ([50 * US] * 998 + [4 * NS_PER_MS] * 2, 0, "enough", "40 % of a period"),
        ([50 * US] * 999 + [6 * NS_PER_MS], 0, "enough", "60 % of a period"),
        ([50 * US] * 999 + [21 * NS_PER_MS], 2, "not enough", "2 places"),
        ([], 0, "not enough", "no tick"),
    ],
)
def test_the_verdict_follows_from_what_was_lost_and_how_late_the_rest_was(
    ours: list[int], passed_over: int, verdict: str, why: str
) -> None:
    jitter = found(ours, [40 * US], passed_over)
    assert jitter.verdict == verdict
    assert why in jitter.why
    assert as_json(jitter)["verdict"] == verdict
    assert f"verdict for 10 ms: {verdict}: {jitter.why}" in in_words(jitter)


def test_the_report_reads_like_this() -> None:
    held = [{"t_ns": 1, "late_us": 6000, "what": "machine", "for_us": 5900}]
    lines = in_words(found([30 * US] * 90 + [60 * US] * 10, [20 * US] * 100, held=held))
    assert lines == [
        "lateness of a tick every 10 ms, in microseconds; no load but what is there",
        "",
        "                      p50      p99    p99.9      max    ticks  passed over",
        "  this loop          30.0     60.0     60.0     60.0      100            0",
        "  bare loop          20.0     20.0     20.0     20.0      100            0",
        "  p50 of this loop is 1.50 times that of the bare one (C, compiled by cc)",
        "",
        "    up to us  this loop                        bare loop",
        "          32       90 ████████████████████████     100 ████████████████████████",
        "          64       10 ███                            0",
        "",
        "late by half a period or more: 1 of the newest ticks, the last one by 6000 us, held by machine for 5900 us",
        "",
        "real time:",
        "  done      memory: all pages stay in memory",
        "  not done  scheduler: Operation not permitted",
        "",
        "verdict for 10 ms: good: 999 of 1000 ticks within a tenth of the period, none later than half of it",
    ]
