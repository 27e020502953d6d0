"""The status screen: everything on 80 by 24, in words, and what to do next; and the verbs' refusals."""

from __future__ import annotations

import copy
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import controllers.service.control
from controllers.cli import main
from controllers.service.control import ControlServer
from controllers.service.screen import GERMAN, Screen

WELL: dict[str, Any] = {
    "controller": "west",
    "site": "kanalpromenade-reference",
    "board": "kanalpromenade-lamp",
    "product": "lighting",
    "version": "0.1.0",
    "period_ms": 20,
    "pid": 4711,
    "up_s": 7_980,
    "started_utc": "2026-02-20T15:40:02Z",
    "wall": {"utc": "2026-02-20T17:53:02Z", "synchronised": True},
    "losses": 0,
    "loop": {
        "ticks": 360_004,
        "overruns": 0,
        "healthy": True,
        "late_us": {"p50": 61, "p99": 131, "p999": 300, "max": 402},
        "held": [],
        "real_time": [
            {"step": "mlockall", "done": True, "why": ""},
            {"step": "SCHED_FIFO", "done": False, "why": "no permission; LimitRTPRIO=50"},
        ],
    },
    "devices": {
        **{
            f"radar-{n}": {
                "part": "ld2451",
                "ok": True,
                "reason": "",
                "since_s": None,
                "seen_s": 0.1,
                "counters": {"frames": 9},
            }
            for n in (1, 2, 3)
        },
        **{
            f"lamp-{n}": {"part": "atxled", "ok": True, "reason": "", "since_s": None, "seen_s": 3.0, "counters": {}}
            for n in range(1, 7)
        },
    },
    "wires": {
        name: {"kind": "uart", "open": True, "trouble": ""} for name in ("dali", "radar-1", "radar-2", "radar-3")
    },
    "relays": {"relay": {"holds": True, "mode": "pulse"}},
    "light": "lit",
    "lamps": {f"lamp-{n}": 170 for n in range(1, 7)},
    "riders": {"now": 1, "says": ""},
    "panels": {},
    "recorder": {"state": "recording", "files": 12, "bytes": 312_000_000, "limit_bytes": 1_073_741_824, "gaps": 0},
    "systemd": {"timeout_s": 10.0, "ready": True, "lost": 0},
    "metrics": {"address": "127.0.0.1:9464", "trouble": "", "scrapes": 3},
    "console": {"dropped": 0},
}


def ill() -> dict[str, Any]:
    """Everything wrong at once, in long words."""
    p = copy.deepcopy(WELL)
    for name in ("radar-1", "radar-2", "radar-3", "lamp-1", "lamp-2", "lamp-3"):
        p["devices"][name] |= {
            "ok": False,
            "reason": "no answer, and that for so long that nobody would believe it any more",
            "since_s": 34,
            "seen_s": None if name == "lamp-3" else 36.0,
            "counters": {"frames": 0, "skipped_bytes": 12_345, "no_replies": 99},
        }
    p["wires"] = {
        name: {"kind": "uart", "open": False, "trouble": "/dev/ttyAMA4: no such port; is the adapter plugged in? " * 3}
        for name in p["wires"]
    }
    p["wall"]["synchronised"] = False
    p["loop"] |= {"healthy": False, "overruns": 12}
    p["loop"]["held"] = [{"t_ns": 1, "late_us": 2, "what": "device radar-1", "for_us": 12_345, "ago_s": 3}]
    p["relays"]["relay"]["holds"] = False
    p["recorder"]["state"] = "full: no space left on the device"
    p["systemd"] = None
    p["metrics"]["trouble"] = "127.0.0.1:9464: the port is taken; end who has it (ss -ltnp)"
    p["feed"] = {"state": "lost", "ahead_ms": 812, "error_ms": 140, "age_ms": 9_000, "rejected": {"late": 3}}
    p["console"]["dropped"] = 5
    p["overrides"] = {"lamp-2": {"level": 254, "left_s": 540}}
    p["doubts"] = ["neighbour", "radar-1"]
    p["light"], p["dark"] = "base", {"lamp-4": "gateway lost", "lamp-2": "lamp failure"}
    p["riders"]["says"] = "radar-2 shows riders mirrored: turn it round, or correct `looks` in the site file"
    p["invariants"] = {"too_fast": 1, "last": "too_fast: lamp-3 was told 0, 254 levels down in a second"}
    return p


@pytest.mark.parametrize("german", [False, True])
@pytest.mark.parametrize("picture", [WELL, ill()], ids=["well", "ill"])
def test_it_fits_a_terminal_of_80_by_24(picture: dict[str, Any], german: bool) -> None:
    lines = Screen(picture, german=german).lines()
    assert len(lines) <= 24, "\n".join(lines)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("german", [False, True])
@pytest.mark.parametrize("picture", [WELL, ill()], ids=["well", "ill"])
def test_on_a_telephone_nothing_is_wider_than_it_and_every_advice_is_there(
    picture: dict[str, Any], german: bool
) -> None:
    lines = Screen(picture, german=german, width=40, height=30).lines()
    assert max(map(len, lines)) <= 40
    wide = " ".join(" ".join(Screen(picture, german=german, width=400, height=60).lines()).split())
    narrow = " ".join(" ".join(lines).split())
    advice = [part.split(" ")[0] for part in wide.split("-> ")[1:]]
    assert [part.split(" ")[0] for part in narrow.split("-> ")[1:]] == advice


def test_all_is_there_when_all_is_well() -> None:
    said = "\n".join(Screen(WELL).lines())
    for words in (
        "west · kanalpromenade-reference · kanalpromenade-lamp",
        "leeze 0.1.0",
        "running since 2026-02-20 15:40:02 UTC (2 h 13 min), pid 4711",
        "2026-02-20 17:53:02 UTC, synchronised",
        "360004 ticks of 20 ms, 0 overruns; late p50 61, p99 131, max 402 us",
        "nobody",
        "mlockall +, SCHED_FIFO - (no permission; LimitRTPRIO=50)",
        "9 well: radar-1 0.1 s",
        "4 open, 0 losses",
        "lit hours; lamp-1 170",
        "relay: holds (pulse)",
        "recording, 12 files, 312 / 1074 MB",
        "systemd 10 s",
        "http://127.0.0.1:9464/metrics",
    ):
        assert words in said, words
    assert "->" not in said


def test_what_is_wrong_comes_with_what_to_do_next() -> None:
    said = "\n".join(Screen(ill(), width=200, height=50).lines())
    for words in (
        "not synchronised",
        "-> look at the time service: timedatectl timesync-status",
        "not healthy",
        "device radar-1: 12.3 ms, 3 s ago",
        "lost, offset +812 ms ± 140 ms, last message 9.0 s, 3 rejected",
        "-> is the signal controller sending? leeze-boards monitor",
        "3 well, 6 not well",
        "check plug and supply, then leeze-boards doctor",
        "0 open, 4 not open",
        "relay: has dropped",
        "full: no space left on the device",
        "-> start it with --hardware-watchdog, or let systemd feed it",
        "the port is taken",
        "5 lines dropped",
        "by hand lamp-2 254 for 9 min",
        "time not known: base; lamp-1 170",
        "doubts lamp-2 (no light: lamp failure), lamp-4 (no light: gateway lost), neighbour, radar-1",
        "look at radar-2 shows riders mirrored: turn it round, or correct `looks` in the site file",
        "broken too_fast: lamp-3",
    ):
        assert words in " ".join(said.split()), words


def test_where_a_screen_has_no_room_the_rest_is_counted() -> None:
    said = " ".join(" ".join(Screen(ill()).lines()).split())
    assert "leeze-boards doctor (and more: " in said
    assert "3 well, 6 not well" in said
    assert "not healthy" in said


def test_colour_only_adds_to_the_words() -> None:
    import re

    plain = " ".join(" ".join(Screen(ill(), width=400, height=60).lines()).split())
    coloured = " ".join(" ".join(Screen(ill(), width=400, height=60, colour=True).lines()).split())
    assert "\x1b[31m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain


def test_every_word_has_its_german() -> None:
    said = " ".join(
        " ".join(Screen(ill(), german=True, width=400, height=60).lines() + Screen(WELL, german=True).lines()).split()
    )
    for english in (
        "running since",
        "not healthy",
        "not well",
        "has dropped",
        "losses",
        "lines dropped",
        "synchronised,",
    ):
        assert english not in said
        assert english == "synchronised," or GERMAN[english] in said


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(controllers.service.control, "FOLDER", tmp_path)
    return tmp_path


def test_where_nothing_runs_it_says_so_with_3(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("status", "stop"):
        assert main([verb]) == 3
        assert capsys.readouterr().err.startswith(f"error: no controller runs here: nothing in {run_folder}")
        assert main([verb, "--controller", "east"]) == 3
        assert "east.sock: nobody answers; is the controller running?" in capsys.readouterr().err


def test_of_several_one_has_to_be_named(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("west", "east"):
        (run_folder / f"{name}.sock").touch()
    assert main(["status"]) == 2
    assert "several controllers run here; choose one with --controller: east, west" in capsys.readouterr().err


def test_a_dead_controllers_socket_answers_nobody(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(run_folder / "west.sock"))
    dead.close()
    assert main(["stop"]) == 3
    assert "nobody answers" in capsys.readouterr().err


def test_the_only_one_is_taken_and_asked(run_folder: Path) -> None:
    server = ControlServer(run_folder / "west.sock", lambda asked, t_ns: {"status": WELL})
    server.open()
    program = "import sys; from controllers.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", program, "status", "--json", "--socket", str(run_folder / "west.sock")]
    asking = subprocess.Popen(words, stdout=subprocess.PIPE)
    while asking.poll() is None:
        server.pump(0)
    assert asking.stdout is not None
    assert json.loads(asking.stdout.read()) == WELL
    asking.stdout.close()
    server.close()
