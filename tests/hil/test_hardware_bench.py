"""Bench 3 against the stand-in rig: boards with clocks of their own behind adapters with latency; and broken rigs."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.units import NS_PER_MS, NS_PER_S
from hil.rig.stand_in_board import MILLION, another_clock

ROOT = Path(__file__).parents[2]
SITE = "kanalpromenade-reference"
WAIT_S = 60
ENDS = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from hil.cli import main
sys.exit(main())
"""

StandIn = Callable[..., Path]


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    """Starts a stand-in rig with the options given; its rig file."""
    running: list[subprocess.Popen[str]] = []

    def start(*words: object, wrong: dict[str, Any] | None = None) -> Path:
        folder = tmp_path / f"rig{len(running)}"
        command = [sys.executable, "-c", ENDS, "rig", "stand-in", str(folder), "--site", SITE, *map(str, words)]
        command += ["--wrong", json.dumps(wrong or {})]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        assert "stands" in process.stdout.readline()
        return folder / "rig.toml"

    yield start
    for process in running:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=WAIT_S)


@pytest.fixture
def a_reference(leeze_hil: Any, ride: Path) -> Path:
    assert leeze_hil("replay", ride, "--update-reference", "--no-rules").code == 0
    return ride


def replayed(leeze_hil: Any, case: Path, rig: Path, seconds: float = 3) -> Any:
    return leeze_hil("replay", case, "--bench", "hardware", "--rig", rig, "--seconds", seconds, "--json", "--no-rules")


def test_another_clock_counts_from_elsewhere_goes_faster_and_sleeps_as_long_by_its_own() -> None:
    program = (
        "from drivers.clock import SystemClock\n"
        "real = SystemClock.now_ns\n"
        "from hil.rig.stand_in_board import another_clock\n"
        "another_clock(5000, 200_000)\n"
        "clock = SystemClock(); began, mine = real(clock), clock.now_ns()\n"
        "clock.sleep_until_ns(mine + 60_000_000)\n"
        "print(mine - began, clock.now_ns() - mine, real(clock) - began)\n"
    )
    out = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    off_ns, mine_ns, real_ns = map(int, out.split())
    assert off_ns > 5000 * NS_PER_S
    assert mine_ns >= 60 * NS_PER_MS
    assert abs(mine_ns * MILLION // (MILLION + 200_000) - real_ns) < NS_PER_MS
    assert callable(another_clock)


@pytest.mark.long
def test_a_case_passes_on_boards_with_other_clocks_behind_slow_adapters(
    leeze_hil: Any, a_reference: Path, stand_in: StandIn
) -> None:
    ran = replayed(leeze_hil, a_reference, stand_in("--latency-ms", 3), 8)
    result = ran.result
    if result["verdict"] == "blocked" and "mend the adapter" in ran.err:
        pytest.skip(ran.err)  # this machine is too busy for an adapter
    assert result["verdict"] == "passed", ran.err
    adapters = [one["value"] for one in result["measurements"] if one["name"].endswith(": adapter")]
    assert len(adapters) == 6
    assert all(2_500 < value < 6_000 for value in adapters)


@pytest.mark.long
@pytest.mark.parametrize(
    ("wrong", "words", "said"),
    [
        ({"swapped": ["west/radar-2", "west/radar-3"]}, (), "west/radar-2 and west/radar-3 are swapped"),
        ({"dead": "east/neighbour"}, (), "east/neighbour: the board hears nothing"),
        ({"no_power": ["east"]}, (), "east: no board answers at"),
        ({"other_serial": ["west"]}, (), "another board is on this bench"),
        ({"gone": "west/neighbour", "gone_s": 4}, (), "west/neighbour: the rig's port"),
        ({}, ("--jitter-ms", 8), "mend the adapter, or measure anew"),
    ],
)
def test_a_broken_rig_blocks_and_says_what_is_wrong(
    leeze_hil: Any, a_reference: Path, stand_in: StandIn, wrong: dict[str, Any], words: tuple[object, ...], said: str
) -> None:
    ran = replayed(leeze_hil, a_reference, stand_in(*words, wrong=wrong), 12)
    assert ran.code == 3, ran.err
    assert ran.result["verdict"] == "blocked"
    assert any(said in sentence for sentence in ran.result["blocked"]), ran.err


@pytest.mark.long
def test_a_board_that_starts_anew_in_mid_run_has_failed(leeze_hil: Any, a_reference: Path, stand_in: StandIn) -> None:
    ran = replayed(leeze_hil, a_reference, stand_in(wrong={"resets": "west", "gone_s": 6}), 20)
    if ran.result["verdict"] == "blocked":
        pytest.skip(ran.err)
    assert ran.code == 1, ran.err
    assert "has started anew" in ran.err or "has not answered" in ran.err


@pytest.mark.long
def test_a_busy_port_a_missing_one_a_missing_board_and_a_second_run_block(
    leeze_hil: Any, a_reference: Path, stand_in: StandIn, tmp_path: Path
) -> None:
    import fcntl
    import termios

    path = stand_in()
    text = path.read_text(encoding="utf-8")
    other = tmp_path / "other.toml"

    master, slave = pty.openpty()
    fcntl.flock(slave, fcntl.LOCK_EX)
    fcntl.ioctl(slave, termios.TIOCEXCL)
    start = text.index('"dali" = { "port" = "') + len('"dali" = { "port" = "')
    port = text[start : text.index('"', start)]
    other.write_text(text.replace(port, os.ttyname(slave)), encoding="utf-8")
    ran = replayed(leeze_hil, a_reference, other)
    assert ran.code == 3, ran.err
    assert "west/dali: the rig's port" in ran.err
    os.close(master)
    os.close(slave)

    other.write_text(text.replace(port, "/dev/leeze-none"), encoding="utf-8")
    ran = replayed(leeze_hil, a_reference, other)
    assert (ran.code, "/dev/leeze-none" in ran.err) == (3, True), ran.err

    other.write_text(text.replace('"east" = {', '"north" = {'), encoding="utf-8")
    ran = replayed(leeze_hil, a_reference, other)
    assert (ran.code, "has no board 'east'" in ran.err) == (3, True), ran.err

    other.write_text(text.replace('"radar-3" = {', '"radar-9" = {', 1), encoding="utf-8")
    ran = replayed(leeze_hil, a_reference, other)
    assert (ran.code, "has no port for radar-3" in ran.err) == (3, True), ran.err

    from hil.benches.hardware_bench import _alone
    from hil.rig.file import load_rig

    with _alone(load_rig(path)):
        ran = replayed(leeze_hil, a_reference, path)
    assert (ran.code, "is in use by another run" in ran.err) == (3, True), ran.err
