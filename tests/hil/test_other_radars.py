"""K-LD7 and OPS243 as radars of a lit path: their own driver, policy, gate and a lamp; the far end is the rig's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from boards.load import parse_board
from controllers.lighting.site import LightingSite, check
from controllers.service.assemble import lighting_controller
from drivers.codecs.dali import level_for_ppm
from drivers.errors import InputError
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import WallTime
from drivers.settings import parse_toml
from drivers.units import NS_PER_MS, NS_PER_S
from hil.cli import main
from hil.peers.gpio_lines import LinesPeer
from hil.peers.kld7 import Kld7Peer, Walk
from hil.peers.ops243 import Ops243Peer, Pass

TICK_NS = 20 * NS_PER_MS
BASE, FULL = 170, 254
BOARD = """format = 1
name = "yard"
title = "yard"
model = "raspberry-pi-4"
product = "lighting"
period_ms = 20
bench = true
[wires.radar]
kind = "memory"
[devices.radar-1]
part = "{part}"
wire = "radar"
[wires.lamp]
kind = "pwm"
[devices.lamp-1]
part = "pwm"
wire = "lamp"
gpio = 18
"""
SITE = """format = 1
name = "yard"
product = "lighting"
place = { lat_deg = 52, lon_deg = 7.6, timezone = "Europe/Berlin" }
light = { calendar = "always" }
[[controllers]]
name = "one"
board = "unused"
lamps = [{ name = "lamp-1", x_m = 0 }]
radars = [{ name = "radar-1", x_m = 0, looks = "up", range_m = 30 }]
"""
COMES_NS, GOES_NS = 20 * NS_PER_S, 25 * NS_PER_S
"""Somebody rides 28 m towards the radar at 5 m/s and a half."""


def kld7(link: MemoryLink, silent: Sequence[tuple[int, int]]) -> Any:
    walks = (Walk(COMES_NS, GOES_NS, 2_800, -1_980),)
    return Kld7Peer("radar", link, walks=walks, silent=silent)


def ops243(link: MemoryLink, silent: Sequence[tuple[int, int]]) -> Any:
    return Ops243Peer("radar", link, passes=(Pass(COMES_NS, GOES_NS, 5_500),), silent=silent)


RADARS = {"kld7": kld7, "ops243": ops243}


def site() -> LightingSite:
    return check(parse_toml(SITE, LightingSite, "yard.toml"), "yard.toml")


def light(part: str, to_s: int, silent: Sequence[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """(time, level) of the lamp, each change, with a radar of that part."""
    ends = {name: memory_pair(name) for name in ("radar", "lamp")}
    radar, lamp = RADARS[part](ends["radar"][1], silent), LinesPeer("lamp", ends["lamp"][1])
    controller = lighting_controller(
        site(),
        site().controller("one"),
        parse_board(BOARD.format(part=part), "yard.toml"),
        lambda name, wire: ends[name][0],
    )
    controller.start(0)
    controller.cycle.inbox.append(WallTime(0, "wall", 1_708_369_200 * NS_PER_S, True))
    found: list[tuple[int, int]] = []
    for now_ns in range(0, to_s * NS_PER_S, TICK_NS):
        controller.cycle.tick(now_ns)
        for peer in (radar, lamp):
            while peer.wake_ns <= now_ns + TICK_NS:
                peer.run(peer.wake_ns)
        period_ns, on_ns = lamp.pwm(0) or (1, 0)
        level = level_for_ppm(on_ns * 1_000_000 // period_ns)
        if not found or found[-1][1] != level:
            found.append((now_ns, level))
    return found


@pytest.mark.parametrize("part", RADARS)
def test_a_rider_whom_it_sees_is_lit_and_afterwards_it_is_base_again(part: str) -> None:
    found = light(part, 180)
    before = [level for t_ns, level in found if 5 * NS_PER_S < t_ns < COMES_NS]
    assert all(abs(level - BASE) <= 1 for level in before), "nobody was there, and no doubt"
    full_ns = next(t_ns for t_ns, level in found if level == FULL and t_ns > COMES_NS)
    assert full_ns < COMES_NS + 2 * NS_PER_S
    sinks_ns = next(t_ns for t_ns, level in found if level < FULL and t_ns > full_ns)
    assert sinks_ns > GOES_NS
    assert abs(found[-1][1] - BASE) <= 1


@pytest.mark.parametrize("part", RADARS)
def test_when_it_falls_silent_its_lamp_is_full(part: str) -> None:
    found = light(part, 60, silent=((30 * NS_PER_S, 1 << 62),))
    assert found[-1][1] == FULL


def test_a_part_that_is_no_radar_of_a_path_is_refused_with_those_that_are() -> None:
    board = parse_board(BOARD.format(part="ld2410"), "yard.toml")
    with pytest.raises(InputError, match="board yard has no ld2451 or kld7 or ops243 named 'radar-1'; it has: none"):
        lighting_controller(site(), site().controller("one"), board, lambda name, wire: memory_pair(name)[0])


@pytest.mark.parametrize(
    ("command", "name"),
    [("replay", "lamp-handover"), ("picture", "lamp-handover"), ("sim", "kanalpromenade-reference")],
)
def test_riders_are_not_replayed_where_the_rig_has_no_such_lamps(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody would answer at the lamps' wire, and the verdict would be about that and not about the board."""
    out = {"replay": [], "picture": ["-o", str(tmp_path / "p.svg")], "sim": ["--seconds", "1"]}[command]
    subject = ["--site", name] if command == "sim" else [name]
    assert main([command, *subject, "--board", "kanalpromenade-lamp-volts", *out]) == 2
    said = capsys.readouterr().err
    assert "west: lamp 'lamp-1' of board kanalpromenade-lamp-volts is a waveshare-ao8" in said
    assert "--board kanalpromenade-lamp, and this part by itself: leeze-boards probe" in said
