"""0-10 V over Modbus, I2C DAC, I2C PWM and PWM as lamps of a lighting controller: policy, gate, fade, bus, chip.

The chips hold what the controller has written, so every step of a fade is seen where the light would be made.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from board_rig import built
from boards.load import parse_board
from controllers.lighting.site import LightingSite, check
from controllers.service.assemble import Controller, lighting_controller
from drivers.codecs.dali import FADE_TIME_NS, level_for_ppm
from drivers.devices.fading_lamp import FadingLamp
from drivers.errors import OutOfRange
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import Detection, RadarReport, WallTime
from drivers.settings import load_toml
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.gpio_lines import LinesPeer
from hil.peers.i2c_chips import I2cChips
from hil.peers.i2c_models import Gp8403Model, Mcp4725Model, Pca9685Model
from hil.peers.modbus_models import Ao8Model
from hil.peers.modbus_slaves import ModbusSlaves

TICK_NS = 20 * NS_PER_MS
BASE, FULL = 170, 254
HEAD = """format = 1
name = "yard"
title = "yard"
model = "raspberry-pi-4"
product = "lighting"
period_ms = 20
bench = true
[wires.radar]
kind = "memory"
[devices.radar-1]
part = "ld2451"
wire = "radar"
stale_ms = 600000
[wires.lamps]
kind = "{kind}"
"""
SITE = """format = 1
name = "yard"
product = "lighting"
place = {{ lat_deg = 52, lon_deg = 7.6, timezone = "Europe/Berlin" }}
light = {{ calendar = "always", rise_s = {rise_s} }}
[[controllers]]
name = "one"
board = "unused"
lamps = [{{ name = "lamp-1", x_m = 0 }}]
radars = [{{ name = "radar-1", x_m = 0, looks = "up" }}]
"""


class Far:
    """A kind of lamp: its table in the board file, its peer, and what share of full the output is, in ppm."""

    def __init__(self, kind: str, keys: str, peer: Callable[[MemoryLink], Any], ppm: Callable[[Any], int]) -> None:
        self.kind, self.keys, self.peer, self.ppm = kind, keys, peer, ppm


def _pwm_ppm(peer: LinesPeer) -> int:
    period_ns, on_ns = peer.pwm(0) or (1, 0)
    return on_ns * 1_000_000 // period_ns


FARS = {
    "0-10 V, Modbus": Far(
        "memory",
        'part = "waveshare-ao8"\nchannel = 1\nvariant = "B"\nleast_mv = 0\n',
        lambda far: ModbusSlaves("lamps", far, [Ao8Model(1)]),
        lambda peer: peer.models[0].holding[0] * 100,
    ),
    "0-10 V, I2C": Far(
        "i2c",
        'part = "gp8403"\naddress = 0x58\n',
        lambda far: I2cChips("lamps", far, {0x58: Gp8403Model()}),
        lambda peer: peer.chips[0x58].outputs_mv[0] * 100,
    ),
    "voltage, I2C": Far(
        "i2c",
        'part = "mcp4725"\naddress = 0x60\n',
        lambda far: I2cChips("lamps", far, {0x60: Mcp4725Model()}),
        lambda peer: peer.chips[0x60].counts * 1_000_000 // 4095,
    ),
    "PWM, I2C": Far(
        "i2c",
        'part = "pca9685"\naddress = 0x41\n',
        lambda far: I2cChips("lamps", far, {0x41: Pca9685Model()}),
        lambda peer: peer.chips[0x41].duty(0) * 1_000_000 // 4096,
    ),
    "PWM, kernel": Far("pwm", 'part = "pwm"\ngpio = 18\n', lambda far: LinesPeer("lamps", far), _pwm_ppm),
}


class Yard:
    """A lit path of one lamp, whose far end stays when its controller is made anew."""

    def __init__(self, name: str, folder: Path, *, rise_s: float = 1.0) -> None:
        self.far = FARS[name]
        text = HEAD.format(kind=self.far.kind) + f'[devices.lamp-1]\nwire = "lamps"\n{self.far.keys}'
        self.description = parse_board(text, "yard.toml")
        path = folder / "site.toml"
        path.write_text(SITE.format(rise_s=rise_s))
        self.site = check(load_toml(path, LightingSite), str(path))
        self.near, far = memory_pair("lamps")
        self.peer = self.far.peer(far)
        self.now_ns = 0
        self.levels: list[tuple[int, int]] = []
        self.start()

    def start(self) -> None:
        """Power on."""

        def link_for(name: str, wire: Any) -> MemoryLink:
            return self.near if name == "lamps" else memory_pair(name)[0]

        self.controller: Controller = lighting_controller(
            self.site, self.site.controller("one"), self.description, link_for
        )
        self.controller.start(self.now_ns)
        self.controller.cycle.inbox.append(WallTime(self.now_ns, "wall", 1_708_369_200 * NS_PER_S, True))

    def run(self, to_s: float, ride: bool = False) -> None:
        """Tick by tick; `ride`: somebody comes into view and rides towards the lamp all the while."""
        cycle, began_ns = self.controller.cycle, self.now_ns
        while self.now_ns < to_s * NS_PER_S:
            if ride and self.now_ns % (100 * NS_PER_MS) == 0:
                gone_mm = 4_000 * (self.now_ns - began_ns) // NS_PER_S
                seen = Detection(distance_mm=38_000 - gone_mm, speed_mm_s=4_000, angle_deg=0, snr=50)
                cycle.inbox.append(RadarReport(self.now_ns, "radar-1", (seen,)))
            cycle.tick(self.now_ns)
            while self.peer.wake_ns <= self.now_ns + TICK_NS:
                self.peer.run(self.peer.wake_ns)
            level = level_for_ppm(self.far.ppm(self.peer))
            if not self.levels or level != self.levels[-1][1]:
                self.levels.append((self.now_ns, level))
            self.now_ns += TICK_NS

    def level(self) -> int:
        return level_for_ppm(self.far.ppm(self.peer))


@pytest.mark.parametrize("name", FARS)
def test_a_lamp_rises_and_falls_in_steps_of_the_log_curve_and_is_there_in_time(name: str, tmp_path: Path) -> None:
    yard = Yard(name, tmp_path)
    yard.run(4)
    assert abs(yard.level() - BASE) <= 1
    yard.levels.clear()
    began_ns = yard.now_ns
    yard.run(5.5, ride=True)
    rising = yard.levels[1:]
    levels = [level for _, level in rising]
    assert levels == sorted(levels)
    assert levels[-1] == FULL
    steps = [b - a for a, b in pairwise([BASE, *levels])]
    assert max(steps) <= 10, "no flash"
    first_ns, last_ns = rising[0][0], rising[-1][0]
    assert first_ns - began_ns <= 300 * NS_PER_MS  # two reports make a rider
    assert last_ns - first_ns <= FADE_TIME_NS[2]
    yard.levels.clear()
    yard.run(90)
    falling = [level for _, level in yard.levels]
    assert falling == sorted(falling, reverse=True)
    assert abs(falling[-1] - BASE) <= 1
    assert yard.controller.board.devices["lamp-1/fade"].wake_ns == FOREVER_NS


@pytest.mark.parametrize("name", [name for name in FARS if "PWM, kernel" not in name and name != "0-10 V, I2C"])
def test_a_restarted_controller_takes_over_what_the_output_shows(name: str, tmp_path: Path) -> None:
    """But for parts that nobody can ask; there the first level is the base level, at once."""
    yard = Yard(name, tmp_path)
    yard.run(4)
    yard.run(6, ride=True)
    assert yard.level() == FULL
    yard.levels.clear()
    yard.start()
    yard.run(40)
    levels = [level for _, level in yard.levels]
    assert levels[0] == FULL
    steps = [a - b for a, b in pairwise(levels)]
    assert all(0 <= step <= 12 for step in steps), "it sinks, and does not fall"


@pytest.mark.parametrize(("baud", "late_ms", "step"), [(9_600, 200, 26), (38_400, 40, 17)])
def test_six_lamps_of_one_module_fade_at_once_as_far_as_their_bus_allows(baud: int, late_ms: int, step: int) -> None:
    """At 9600 baud a write takes 20 ms, so steps are left out and the last is late; at 38400 two may become one."""
    lamp = '[devices.lamp-{n}]\nwire = "lamps"\npart = "waveshare-ao8"\nchannel = {n}\nvariant = "B"\nleast_mv = 0\n'
    lamp += f"baud = {baud}\n"
    board, far, _ = built(HEAD.format(kind="memory"), *(lamp.format(n=n) for n in range(1, 7)))
    model = Ao8Model(1)
    model.holding = dict.fromkeys(range(8), 1_009)
    peer = ModbusSlaves("lamps", far["lamps"], [model], baud=baud)
    seen: dict[int, list[tuple[int, int]]] = {n: [(0, 1_009)] for n in range(6)}
    last_ns = NS_PER_S
    for tick in range(250):
        now_ns = tick * TICK_NS
        if now_ns == NS_PER_S:
            for each in board.lamps.values():
                assert isinstance(each, FadingLamp)
                each.set_fade(NS_PER_S)
                each.set_level(FULL, now_ns)
        for device in board.devices.values():
            if device.wake_ns <= now_ns:
                device.advance(now_ns)
        while peer.wake_ns <= now_ns + TICK_NS:
            peer.run(peer.wake_ns)
            for n, steps in seen.items():
                if model.holding[n] != steps[-1][1]:
                    last_ns = now_ns
                    steps.append((now_ns, model.holding[n]))
    assert [steps[-1][1] for steps in seen.values()] == [10_000] * 6
    assert last_ns - NS_PER_S <= NS_PER_S + late_ms * NS_PER_MS
    levels = [[level_for_ppm(mv * 100) for _, mv in steps] for steps in seen.values()]
    assert max(b - a for each in levels for a, b in pairwise(each)) <= step
    assert all(each == sorted(each) for each in levels)


class Plain:
    """Takes levels, and says what it showed at the start."""

    name = "lamp-1"

    def __init__(self, found: int | None = None) -> None:
        self.found_level = found
        self.told: list[tuple[int, int]] = []

    def set_level(self, level: int, now_ns: int) -> None:
        self.told.append((now_ns, level))


def faded(fade_ns: int = NS_PER_S, found: int | None = None, **options: Any) -> tuple[FadingLamp, Plain]:
    plain = Plain(found)
    lamp = FadingLamp(plain, step_ns=options.pop("step_ns", 100 * NS_PER_MS), **options)
    lamp.set_fade(fade_ns)
    return lamp, plain


def drive(lamp: FadingLamp, to_ns: int) -> None:
    while lamp.wake_ns <= to_ns:
        lamp.advance(lamp.wake_ns)


def test_a_fade_is_a_straight_line_in_levels_told_one_step_early() -> None:
    lamp, plain = faded()
    lamp.set_level(100, 0)  # not known what it shows: at once
    lamp.set_level(200, NS_PER_S)
    drive(lamp, 3 * NS_PER_S)
    steps = [(NS_PER_S + n * 100 * NS_PER_MS, 110 + 10 * n) for n in range(10)]
    assert plain.told == [(0, 100), *steps]
    assert lamp.wake_ns == FOREVER_NS


def test_a_fade_from_off_begins_at_the_least_and_one_to_off_ends_there() -> None:
    lamp, plain = faded(found=0)
    lamp.set_level(101, 0)
    drive(lamp, NS_PER_S)
    lamp.set_level(0, 2 * NS_PER_S)
    drive(lamp, 4 * NS_PER_S)
    levels = [level for _, level in plain.told]
    assert levels == [*range(11, 102, 10), *range(91, 10, -10), 0]


def test_levels_that_a_lamp_cannot_show_are_off() -> None:
    lamp, plain = faded(found=0, off_below=60)
    lamp.set_level(101, 0)
    drive(lamp, NS_PER_S)
    lamp.set_level(59, 2 * NS_PER_S)
    drive(lamp, 4 * NS_PER_S)
    assert [level for _, level in plain.told] == [0, 61, 71, 81, 91, 101, 97, 93, 89, 85, 80, 76, 72, 68, 64, 0]


def test_a_new_level_in_a_fade_goes_on_from_where_it_is_and_takes_its_full_time() -> None:
    lamp, plain = faded(found=0)
    lamp.set_level(201, 0)
    drive(lamp, 450 * NS_PER_MS)
    assert plain.told[-1][1] == 101
    lamp.set_level(1, 500 * NS_PER_MS)
    drive(lamp, 3 * NS_PER_S)
    assert plain.told[-1] == (1_400 * NS_PER_MS, 1)
    with pytest.raises(OutOfRange, match="no level 255"):
        lamp.set_level(255, 0)


LEVELS = st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 254)), min_size=1, max_size=6)


@given(LEVELS, st.sampled_from(FADE_TIME_NS[:6]), st.none() | st.integers(0, 254), st.integers(0, 5))
@settings(max_examples=100)
def test_whatever_comes_a_lamp_ends_at_its_last_level_in_time_and_a_snapshot_goes_on(
    orders: list[tuple[int, int]], fade_ns: int, found: int | None, cut: int
) -> None:
    lamp, plain = faded(fade_ns, found)
    now_ns = 0
    for n, (pause_ms, level) in enumerate(orders):
        now_ns += pause_ms * NS_PER_MS
        drive(lamp, now_ns)
        if n == cut:
            other, its = faded(0)
            other.restore(json.loads(json.dumps(lamp.snapshot())))
            assert other.snapshot() == lamp.snapshot()
            its.told, lamp, plain = plain.told, other, its
        lamp.set_level(level, now_ns)
        before = lamp.snapshot()
        lamp.advance(min(lamp.wake_ns, now_ns + 1) - 1)
        assert lamp.snapshot() == before
    drive(lamp, now_ns + fade_ns)
    assert plain.told[-1][1] == orders[-1][1]
    assert lamp.wake_ns == FOREVER_NS
    assert lamp.wear.changes <= len(orders)
