"""`leeze-hil replay --verify` by its command line; and a service on pseudo-terminals, recorded, then run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controllers.lighting.site import LightingSite
from controllers.service.sites import load_site
from drivers.clock import SystemClock
from drivers.recording.events import Decision, Digest
from drivers.recording.reader import TraceReader
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.planted import changed, with_a_bit_flipped
from hil.benches.virtual_loop import Upsets, VirtualLoop
from hil.benches.virtual_peers import lit_path_peers
from hil.traffic.script import ScriptedRider, Waypoint, scripted_rider

DEADLINE_NS = 120 * NS_PER_S
IDLE = bytes.fromhex("f4f3f2f10000f8f7f6f5")
RIDER = bytes.fromhex("f4f3f2f1070001018014011801f8f7f6f5")  # one target, coming

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three minutes of a lamp board, a file a minute."""
    folder = tmp_path_factory.mktemp("ring")
    site = load_site("kanalpromenade-reference")
    assert isinstance(site, LightingSite)
    utc_ns = 1_708_362_000 * NS_PER_S
    loop = VirtualLoop(
        site,
        "kanalpromenade-lamp",
        folder,
        utc_ns=utc_ns,
        upsets=Upsets(seed=2, late_per_mille=5),
        controller="west",
        file_minutes=1,
    )
    rides = [ScriptedRider([Waypoint(at, -60), Waypoint(at + 58, 260)]) for at in (5, 70, 110)]
    lit_path_peers(loop, site, "west", [scripted_rider(ride, number) for number, ride in enumerate(rides)])
    loop.run(180 * NS_PER_S)
    return folder


def planted(ring: Path, folder: Path, file: int, *, digests: bool) -> tuple[Path, int]:
    """The ring with one bit of one decision of one file changed; and when that was."""
    folder.mkdir()
    when_ns = 0
    for number, path in enumerate(sorted(ring.iterdir()), 1):
        events = list(TraceReader(path).events())
        at = [n for n, event in enumerate(events) if isinstance(event, Decision) and "level" in event.body]
        if number == file:
            chosen = at[len(at) // 2]
            when_ns = events[chosen].t_ns
            changed(
                path,
                folder / path.name,
                lambda n, event, chosen=chosen: with_a_bit_flipped(event) if n == chosen else event,  # type: ignore[misc]
                digests=digests,
            )
        else:
            (folder / path.name).write_bytes(path.read_bytes())
    return folder, when_ns


def test_a_ring_is_verified_in_as_many_processes_as_there_are_processors(ring: Path, leeze_hil: Command) -> None:
    ran = leeze_hil("replay", ring, "--verify")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert [line.split(": ")[1].split(",")[0] for line in lines if ".mcap" in line] == ["same"] * 3
    assert lines[-1].startswith("same: 3 files, ")
    whole = leeze_hil("replay", *sorted(ring.iterdir()), "--verify", "--json").result
    assert (whole["verdict"], whole["left"], whole["difference"]) == ("same", 0, None)
    assert whole["digest"] in lines[-1]
    stepped = leeze_hil("replay", ring, "--verify", "--json", "--no-skip").result
    assert stepped["digest"] == whole["digest"]
    assert stepped["ticks"] > whole["ticks"]


def test_the_third_file_alone(ring: Path, leeze_hil: Command, tmp_path: Path) -> None:
    third = sorted(ring.iterdir())[2]
    alone = tmp_path / "from-a-board.mcap"
    alone.write_bytes(third.read_bytes())
    found = leeze_hil("replay", alone, "--verify", "--json").result
    assert found["verdict"] == "same"
    last = [event for event in TraceReader(third).events() if isinstance(event, Digest)][-1]
    assert found["digest"] == found["files"][0]["digest"] == last.digest
    assert found["files"][0]["stopped"]


@pytest.mark.parametrize("quick", [(), ("--quick",)])
def test_a_bit_of_one_decision_is_named_with_tick_policy_and_both_sides(
    ring: Path, leeze_hil: Command, tmp_path: Path, quick: tuple[str, ...]
) -> None:
    folder, when_ns = planted(ring, tmp_path / "bad", 2, digests=not quick)
    ran = leeze_hil("replay", folder, "--verify", *quick)
    assert ran.code == 1
    assert f"differs first at tick {when_ns // (20 * NS_PER_MS)}, " in ran.out
    assert "policy lighting: the re-run's policy asks for " in ran.out
    assert "recorded" in ran.out
    assert "1 files behind it were not looked into" in ran.out
    again = leeze_hil("replay", folder, "--verify", "--json", *quick).result
    assert again["verdict"] == "different"
    difference = again["difference"]
    assert (difference["tick"], difference["what"]) == (when_ns // (20 * NS_PER_MS), "decision")
    one, other = (json.loads(difference[side]) for side in ("expected", "got"))
    assert one["level"] ^ other["level"] == 1
    assert one["target"] == other["target"]
    on = leeze_hil("replay", folder, "--verify", "--json", "--keep-going", *quick).result
    assert (on["left"], len(on["files"])) == (0, 3)


def test_quick_runs_nothing_again_where_every_digest_holds(ring: Path, leeze_hil: Command) -> None:
    ran = leeze_hil("replay", ring, "--verify", "--quick", "--json")
    assert ran.code == 0
    assert (ran.result["verdict"], ran.result["ticks"]) == ("intact", 0)
    assert all(file["digests"] >= 6 for file in ran.result["files"])


def test_what_cannot_be_verified_is_said_with_the_mend(
    evening: tuple[Path, Any], ring: Path, leeze_hil: Command, tmp_path: Path
) -> None:
    plain = leeze_hil("replay", evening[0], "--verify")
    assert (plain.code, "is no file of a flight recorder" in plain.out) == (2, True)
    assert leeze_hil("replay", tmp_path, "--verify").code == 2
    missing = leeze_hil("replay", tmp_path / "no.mcap", "--verify")
    assert (missing.code, "cannot be read: No such file" in missing.out) == (2, True)
    assert "takes site and board from the file" in leeze_hil("replay", ring, "--verify", "--site", "x").err
    assert "several files go with --verify" in leeze_hil("replay", "a", "b").err
    assert "go with --verify" in leeze_hil("replay", "a", "--quick").err


BOARD = """
format = 1
name = "bench-flight"
title = "One radar, one lamp, on pseudo-terminals"
model = "laptop"
product = "lighting"
period_ms = 20
bench = true
wires.radar-1 = {{ kind = "uart", port = "{radar}", baud = 115200 }}
wires.dali = {{ kind = "uart", port = "{dali}", baud = 19200 }}
devices.radar-1 = {{ part = "ld2451", wire = "radar-1" }}
devices.lamp-1 = {{ part = "atxled", wire = "dali", short_address = 0 }}
"""
SITE = """
format = 1
name = "bench"
product = "lighting"
place = {{ lat_deg = 51.97, lon_deg = 7.64, timezone = "Europe/Berlin" }}
light = {{ calendar = "always", keep_s = 1 }}
[[controllers]]
name = "only"
board = "{board}"
lamps = [{{ name = "lamp-1", x_m = 0 }}]
radars = [{{ name = "radar-1", x_m = 0, looks = "up" }}]
"""


@pytest.mark.long
def test_a_service_on_real_ports_is_recorded_and_runs_again_to_the_byte(tmp_path: Path, leeze_hil: Command) -> None:
    ends = {name: os.openpty() for name in ("radar", "dali")}
    for _, near in ends.values():
        tty.setraw(near)
    board, site, folder = tmp_path / "board.toml", tmp_path / "site.toml", tmp_path / "flight"
    board.write_text(BOARD.format(**{name: os.ttyname(near) for name, (_, near) in ends.items()}))
    site.write_text(SITE.format(board=board))
    clock = SystemClock()
    deadline_ns = clock.now_ns() + DEADLINE_NS
    words = ["run", "--site", str(site), "--flight", str(folder), "--flight-minutes", "0.05"]
    process = subprocess.Popen([sys.executable, "-m", "controllers", *words], stderr=subprocess.PIPE)
    try:
        sent = 0
        while len(list(folder.glob("*.mcap"))) < 4:
            assert clock.now_ns() < deadline_ns
            assert process.poll() is None
            os.write(ends["radar"][0], RIDER if sent // 10 % 2 else IDLE)
            sent += 1
            clock.sleep_until_ns(clock.now_ns() + 50 * NS_PER_MS)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1].decode()
        assert process.returncode == 0, said
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
        for pair in ends.values():
            for fd in pair:
                os.close(fd)
    ran = leeze_hil("replay", folder, "--verify", "--json")
    assert ran.result["verdict"] == "same", ran.out
    assert ran.code == 0
    files = ran.result["files"]
    assert all(file["seam"] == "opens with the state that the file before ends with" for file in files[1:])
    assert files[-1]["stopped"]
    third = sorted(folder.glob("*.mcap"))[2]
    alone = leeze_hil("replay", third, "--verify", "--json").result
    assert (alone["verdict"], alone["digest"]) == ("same", files[2]["digest"])
    assert leeze_hil("replay", third, "--verify", "--json", "--no-skip").result["digest"] == alone["digest"]
