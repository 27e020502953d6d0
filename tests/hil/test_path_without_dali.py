"""Lamps of 0-10 V and PWM along a lit path: the light goes with the rider, though no gear can fade or be grouped.

One controller of the reference site on the board `kanalpromenade-lamp-volts` as it is shipped, and on one with a DAC
for the first two lamps and a PWM chip for the rest. Radars, output module and chips are the rig's.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import msgspec
import pytest

from boards.load import load_board, parse_board
from boards.schema import BoardDescription
from controllers.lighting.site import LightingSite, mm
from controllers.service.assemble import lighting_controller
from controllers.service.sites import load_site
from drivers.codecs.dali import level_for_ppm
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import WallTime
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.i2c_chips import I2cChips
from hil.peers.i2c_models import Gp8403Model, Pca9685Model
from hil.peers.modbus_models import Ao8Model
from hil.peers.modbus_slaves import ModbusSlaves
from hil.peers.radar import RadarPeer
from hil.traffic.rider import Rider, Segment

TICK_NS: Final = 20 * NS_PER_MS
BASE, FULL = 170, 254
NIGHT_NS: Final = 1_708_455_600 * NS_PER_S
"""20 February 2024, 20:00 in Münster."""

HEAD = """format = 1
name = "mixed"
title = "DAC and PWM"
model = "raspberry-pi-4"
product = "lighting"
period_ms = 20
bench = true
[wires.outputs]
kind = "i2c"
"""
RADAR = '[wires.radar-{n}]\nkind = "memory"\n[devices.radar-{n}]\npart = "ld2451"\nwire = "radar-{n}"\n'
DAC = '[devices.lamp-{n}]\npart = "gp8403"\nwire = "outputs"\naddress = 0x58\nchannel = {at}\n'
PWM = '[devices.lamp-{n}]\npart = "pca9685"\nwire = "outputs"\naddress = 0x41\nchannel = {at}\n'

Far = tuple[Any, Callable[[], list[int]]]


def volts(link: MemoryLink) -> Far:
    """The module as it is shipped with the board: 10 V is full."""
    model = Ao8Model(1)
    return ModbusSlaves("outputs", link, [model], baud=38_400), lambda: [model.holding[n] * 100 for n in range(6)]


def mixed(link: MemoryLink) -> Far:
    """A GP8403 and a PCA9685 on one bus."""
    dac, pwm = Gp8403Model(), Pca9685Model()
    chips = I2cChips("outputs", link, {0x58: dac, 0x41: pwm})
    return chips, lambda: [mv * 100 for mv in dac.outputs_mv] + [pwm.duty(n) * 1_000_000 // 4096 for n in range(4)]


def boards() -> dict[str, tuple[BoardDescription, Callable[[MemoryLink], Far]]]:
    tables = [RADAR.format(n=n) for n in (1, 2, 3)] + [DAC.format(n=n + 1, at=n) for n in range(2)]
    tables += [PWM.format(n=n + 3, at=n) for n in range(4)]
    return {
        "0-10 V, Modbus": (load_board("kanalpromenade-lamp-volts"), volts),
        "0-10 V and PWM, I2C": (parse_board(HEAD + "".join(tables), "mixed.toml"), mixed),
    }


def west() -> LightingSite:
    """The western controller of the reference site by itself."""
    site = load_site("kanalpromenade-reference")
    assert isinstance(site, LightingSite)
    alone = msgspec.structs.replace(site.controller("west"), neighbours={})
    return msgspec.structs.replace(site, controllers=(alone,))


def light(name: str, rider: Rider, to_s: int) -> list[tuple[int, list[int]]]:
    """(time, levels of the lamps as their outputs are) at every tick."""
    description, far = boards()[name]
    site = west()
    own = site.controllers[0]
    ends = {wire: memory_pair(wire) for wire in description.wires}
    outputs, ppm = far(ends["outputs"][1])
    radars = []
    for number, post in enumerate(own.radars):
        sign = 1 if post.looks == "up" else -1
        link = ends[description.devices[post.name].wire][1]
        radars.append(
            RadarPeer(post.name, link, x_mm=mm(post.x_m), sign=sign, range_mm=40_000, seed=number + 1, skip=False)
        )
        radars[-1].rider(rider)
    controller = lighting_controller(site, own, description, lambda wire, _: ends[wire][0])
    controller.start(0)
    controller.cycle.inbox.append(WallTime(0, "wall", NIGHT_NS, True))
    found = []
    for now_ns in range(0, to_s * NS_PER_S, TICK_NS):
        controller.cycle.tick(now_ns)
        for peer in (*radars, outputs):
            while peer.wake_ns <= now_ns + TICK_NS:
                peer.run(peer.wake_ns)
        found.append((now_ns, [level_for_ppm(value) for value in ppm()]))
    return found


@pytest.mark.parametrize("name", boards())
@pytest.mark.parametrize("down", [False, True], ids=["up", "down"])
def test_every_lamp_is_full_before_the_rider_can_be_in_its_dark_and_base_again_afterwards(
    name: str, down: bool
) -> None:
    v_mm_s = -5_600 if down else 5_600
    rider = Rider(1, (Segment(10 * NS_PER_S, 300_000 if down else -150_000, v_mm_s),), 100 * NS_PER_S, 500)
    found = light(name, rider, 200)
    lamps = [mm(lamp.x_m) for lamp in west().controllers[0].lamps]
    seen_ns = next(t_ns for t_ns, _ in found if rider.x_mm(t_ns) * v_mm_s > (168_000 if down else -40_000) * v_mm_s)
    owed = 0
    for t_ns, levels in found:
        for lamp_mm, level in zip(lamps, levels, strict=True):
            ahead_mm = (lamp_mm - rider.x_mm(t_ns)) * (-1 if down else 1)
            if -32_000 <= ahead_mm <= 70_000 and seen_ns + 2 * NS_PER_S <= t_ns < rider.end_ns:
                owed += 1
                assert level == FULL, (t_ns / NS_PER_S, lamp_mm, level)
    assert owed > 1_000
    assert all(abs(level - BASE) <= 1 for level in found[400][1]), "nobody was there yet"
    assert all(abs(level - BASE) <= 1 for level in found[-1][1]), "everybody has gone"
    nights = [levels for _, levels in found[400:]]
    rises = [after - before for pair in pairwise(nights) for before, after in zip(*pair, strict=True)]
    assert max(rises) <= 26, "no flash"
