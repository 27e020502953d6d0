"""Bench 1: the unmodified program on the rig's ports. One short run in the gate; the rest takes its time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from drivers.clock import SystemClock
from drivers.units import NS_PER_MS, NS_PER_S
from hil.case import shipped
from hil.peers import broker, certificates

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "hil-result.schema.json").read_text(encoding="utf-8"))
WAIT_NS = 60 * NS_PER_S
HEEDING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs this in the background may be deaf to it
from hil.cli import main
sys.exit(main())
"""
MISSING = broker.missing() or certificates.missing()


def judged(ran: Any, wanted: str = "passed") -> dict[str, Any]:
    """The result; skips where the machine was too busy for a verdict."""
    result: dict[str, Any] = ran.result
    if result["verdict"] == "blocked" and "this machine kept" in ran.err:
        pytest.skip(ran.err)
    assert result["verdict"] == wanted, ran.err
    return result


@pytest.fixture
def a_reference(leeze_hil: Any, ride: Path) -> Path:
    assert leeze_hil("replay", ride, "--update-reference", "--no-rules").code == 0
    return ride


def test_the_unmodified_program_of_each_controller_sends_what_it_sent_in_process(
    leeze_hil: Any, a_reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="b") as place:  # a socket's path is 107 letters long at most
        monkeypatch.setenv("TMPDIR", place)
        monkeypatch.setattr("tempfile.tempdir", None)
        result = judged(leeze_hil("replay", a_reference, "--bench", "process", "--seconds", 1.5, "--json"))
        assert not list(Path(place).iterdir()), "everything is put back"
    jsonschema.validate(result, SCHEMA)
    assert result["bench"] == "process"
    assert result["lateness_us"]["count"] > 0


def test_what_a_bench_cannot_do_is_refused_before_anything_starts(leeze_hil: Any, ride: Path, tmp_path: Path) -> None:
    for words, said in (
        (["--bench", "hardware"], "needs --rig FILE"),
        (["--bench", "process", "--rig", tmp_path / "rig.toml"], "--rig is for --bench hardware"),
        (["--bench", "process", "--update-reference"], "is for the bench in process"),
        (["--from-s", "3"], "--from-s is for benches in real time"),
        (["--bench", "process"], "the case has none and lasts 140 s"),
    ):
        ran = leeze_hil("replay", ride, *words)
        assert (ran.code, said in ran.err) == (2, True), ran.err


def test_the_suite_refuses_what_is_no_case_and_two_at_a_time_on_one_rig(leeze_hil: Any, tmp_path: Path) -> None:
    ran = leeze_hil("suite", "kanalpromenade-evenin")
    assert (ran.code, "did you mean kanalpromenade-evening?" in ran.err) == (2, True)
    rig = tmp_path / "rig.toml"
    ran = leeze_hil("suite", "--bench", "hardware", "--rig", rig, "--jobs", 2)
    assert (ran.code, "one case at a time" in ran.err) == (2, True)


def test_the_suite_in_process_ends_with_the_counts_and_writes_junit(
    leeze_hil: Any, a_reference: Path, tmp_path: Path
) -> None:
    ran = leeze_hil("suite", a_reference, "--json", "--junit", tmp_path / "suite.xml")
    assert ran.code == 0, ran.err
    assert ran.result["passed"] == 1
    assert json.loads(ran.out.splitlines()[0])["verdict"] == "passed"
    assert 'tests="1"' in (tmp_path / "suite.xml").read_text(encoding="utf-8")


# --- long: real time, or processes that are ended


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_case_passes_on_own_processes_from_the_same_file(leeze_hil: Any, name: str) -> None:
    if MISSING and name.startswith("leezenflow"):
        pytest.skip(MISSING)
    result = judged(leeze_hil("replay", name, "--bench", "process", "--json"))
    assert result["span_s"] > 0


class Running:
    """`leeze-hil replay … --bench process` as a process, with a temporary folder of its own."""

    def __init__(self, case: Path, folder: Path) -> None:
        self.place = folder / "tmp"
        self.place.mkdir()
        self.clock = SystemClock()
        self.process = subprocess.Popen(
            [sys.executable, "-c", HEEDING, "replay", str(case), "--bench", "process", "--seconds", "30", "--json"],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(self.place)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def programs(self) -> list[int]:
        """The controllers' processes."""
        found = []
        for status in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = status.read_bytes().split(b"\0")
            except OSError:
                continue
            if b"controllers" in words and str(self.place).encode() in b" ".join(words):
                found.append(int(status.parent.name))
        return found

    def until(self, reached: Any, what: str) -> None:
        deadline_ns = self.clock.now_ns() + WAIT_NS
        while not reached():
            assert self.clock.now_ns() < deadline_ns, f"waited for {what}"
            self.clock.sleep_until_ns(self.clock.now_ns() + 20 * NS_PER_MS)

    def ended(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=WAIT_NS / NS_PER_S)
        return self.process.returncode, out, err


@pytest.fixture
def running(a_reference: Path, tmp_path: Path) -> Iterator[Running]:
    made = Running(a_reference, tmp_path)
    yield made
    for number in made.programs():
        os.kill(number, signal.SIGKILL)
    if made.process.poll() is None:
        made.process.kill()
        made.process.communicate()


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("when", ["as it starts", "in mid-run"])
def test_an_interrupt_at_any_moment_puts_everything_back(running: Running, number: signal.Signals, when: str) -> None:
    running.until(lambda: list(running.place.glob("leeze-bench-*")), "the bench's folder")
    if when == "in mid-run":
        running.until(lambda: len(running.programs()) == 2, "both programs")
        running.clock.sleep_until_ns(running.clock.now_ns() + 2 * NS_PER_S)
    running.process.send_signal(number)
    code, _, err = running.ended()
    assert code == 130, err
    assert not list(running.place.iterdir())
    assert not running.programs()


@pytest.mark.long
def test_a_rig_that_is_killed_takes_its_programs_with_it(running: Running) -> None:
    running.until(lambda: len(running.programs()) == 2, "both programs")
    running.process.kill()
    running.ended()
    running.until(lambda: not running.programs(), "the programs to end")


@pytest.mark.long
def test_a_program_that_dies_in_mid_run_fails_the_case_with_what_it_said(running: Running) -> None:
    running.until(lambda: len(running.programs()) == 2, "both programs")
    running.clock.sleep_until_ns(running.clock.now_ns() + 2 * NS_PER_S)
    os.kill(running.programs()[0], signal.SIGKILL)
    code, out, err = running.ended()
    assert code == 1, err
    assert json.loads(out.splitlines()[-1])["verdict"] == "failed"
    assert "ended by itself with -9" in err
    assert not running.programs()


@pytest.mark.long
def test_a_trace_is_played_at_absolute_deadlines_from_anywhere_over_and_over_and_faster(
    leeze_hil: Any, ride: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "ride.mcap"
    leeze_hil("replay", ride, "--record", trace, "--seconds", 12, "--no-rules")
    result = judged(leeze_hil("replay", trace, "--bench", "process", "--json"))
    error = next(one for one in result["measurements"] if one["name"] == "duration error")
    assert error["ok"]
    for words, said in (
        (["--from-s", "6"], "begun at second 6"),
        (["--speed", "4"], "at 4 times its speed"),
    ):
        ran = leeze_hil("replay", trace, "--bench", "process", *words)
        assert ran.code == 0, ran.err
        assert said in ran.out
    ran = leeze_hil("replay", trace, "--bench", "process", "--loop", 2, "--json")
    assert judged(ran)["span_s"] == pytest.approx(2 * result["span_s"])
    ran = leeze_hil("replay", trace, "--bench", "process", "--live", "west/dali", "--live", "east/dali", "--json")
    judged(ran)
    ran = leeze_hil("replay", trace, "--bench", "process", "--from-s", "60")
    assert (ran.code, "the trace ends at second" in ran.err) == (2, True)


@pytest.mark.long
def test_two_suites_of_cases_at_a_time_end_in_the_order_they_were_given(
    leeze_hil: Any, a_reference: Path, tmp_path: Path
) -> None:
    ran = leeze_hil("suite", "bus-power", "lamp-handover", "--bench", "process", "--jobs", 2, "--json")
    summary = ran.result
    assert summary["passed"] + summary["blocked"] == 2, ran.err
    assert summary["wall_s"] < 2 * 60
