"""From the loop to the light: what the bus power, and so the gear, does when a controller dies, hangs or stops.

A whole controller in its real-time loop, in virtual time; relay, DALI bus and gear at the far ends of its wires.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from boards.build import Board, build
from boards.load import load_board
from controllers.lighting.site import LightingSite
from controllers.service.keeper import relays_only
from controllers.service.sites import load_site
from drivers.links.memory import memory_pair
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.virtual_loop import VirtualLoop
from hil.benches.virtual_peers import lit_path_peers
from hil.peers.bus_relay import BusRelay
from hil.peers.dali_gateway import DaliGateway

HOLD_NS = 1_000 * NS_PER_MS
GEAR_NS = 500 * NS_PER_MS
"""After so long without bus power gear is at its failure level (hil/peers/dali_line.py)."""

PROMISED_NS = HOLD_NS + GEAR_NS
KEEPALIVE_NS = 9 * NS_PER_S
NIGHT_UTC_NS = 1_708_369_200 * NS_PER_S  # 19 February 2024, 20:00 in Münster
DAY_UTC_NS = NIGHT_UTC_NS - 8 * 3600 * NS_PER_S
BASE, FULL = 170, 254


class Cabinet:
    """West of the reference site, in a mode of its relay, from its power-on."""

    def __init__(self, folder: Path, utc_ns: int, mode: str) -> None:
        site = load_site("kanalpromenade-reference")
        assert isinstance(site, LightingSite)
        text = (Path(str(files("boards"))) / "catalog" / "kanalpromenade-lamp.toml").read_text()
        self.path = folder / "lamps.toml"
        self.path.write_text(text.replace('mode = "pulse"', f'mode = "{mode}"'))
        self.loop = VirtualLoop(site, str(self.path), folder / "flight", utc_ns=utc_ns, controller="west")
        lit_path_peers(self.loop, site, "west", [])
        (self.gateway,) = [peer for peer in self.loop.peers if isinstance(peer, DaliGateway)]
        self.powers: list[tuple[bool, int]] = []
        self.relay = BusRelay(
            "lines", self.loop.far["lines"], self._power, line=17, hold_ns=HOLD_NS if mode == "pulse" else 0
        )
        self.loop.peers.append(self.relay)

    def _power(self, on: bool, t_ns: int) -> None:
        self.powers.append((on, t_ns))
        self.gateway.set_bus_power(on, t_ns)

    @property
    def now_ns(self) -> int:
        return self.loop.clock.now_ns()

    def levels(self) -> list[int]:
        return [self.gateway.level_at(n, self.now_ns) for n in range(6)]

    def go_on(self, to_ns: int, keeper: Board | None = None) -> None:
        """The world goes on without the controller; `keeper` is the stand-by's board, fed when it wants to be."""
        while self.now_ns < to_ns:
            for watchdog in keeper.watchdogs.values() if keeper is not None else ():
                watchdog.feed(self.now_ns)
            wakes = [self.relay.wake_ns, self.gateway.wake_ns]
            wakes += [device.wake_ns for device in keeper.devices.values()] if keeper is not None else []
            self.loop.clock.sleep_until_ns(max(self.now_ns, min([to_ns, *wakes])))
            for peer in (self.relay, self.gateway):
                while peer.wake_ns <= self.now_ns:
                    peer.run(peer.wake_ns)


@pytest.mark.parametrize("mode", ["pulse", "level"])
@pytest.mark.parametrize(("utc_ns", "before"), [(NIGHT_UTC_NS, BASE), (DAY_UTC_NS, 0)], ids=["night", "day"])
def test_a_controller_that_dies_or_hangs_means_light_within_the_promised_time(
    mode: str, utc_ns: int, before: int, tmp_path: Path
) -> None:
    """To the lines a hang and a death are the same: nothing comes any more. In mode `level` the link's own thread ends
    the hold, which here the far end does; what that does not hold against says drivers/devices/watchdog_output.py.
    """
    cabinet = Cabinet(tmp_path, utc_ns, mode)
    cabinet.loop.run(20 * NS_PER_S, killed=True)
    died_ns = cabinet.now_ns
    assert (cabinet.levels(), [on for on, _ in cabinet.powers]) == ([before] * 6, [False, True])
    cabinet.go_on(died_ns + PROMISED_NS - HOLD_NS // 2)
    assert cabinet.levels() == [before] * 6
    cabinet.go_on(died_ns + PROMISED_NS)
    assert cabinet.levels() == [FULL] * 6
    on, dropped_ns = cabinet.powers[-1]
    assert not on
    assert HOLD_NS * 3 // 4 - 20 * NS_PER_MS <= dropped_ns - died_ns <= HOLD_NS


@pytest.mark.parametrize(("mode", "kept"), [("pulse", True), ("pulse", False), ("level", False)])
@pytest.mark.parametrize(("utc_ns", "left"), [(NIGHT_UTC_NS, BASE), (DAY_UTC_NS, 0)], ids=["night", "day"])
def test_after_a_clean_stop_the_power_stays_and_the_lamps_as_they_were_left(
    mode: str, kept: bool, utc_ns: int, left: int, tmp_path: Path
) -> None:
    """But for a pulsed relay without a stand-by: nobody can pulse it, so the lamps go to full."""
    cabinet = Cabinet(tmp_path, utc_ns, mode)
    cabinet.loop.run(20 * NS_PER_S)
    for watchdog in cabinet.loop.controller.board.watchdogs.values():
        watchdog.leave(cabinet.now_ns)  # as controllers/service/equipment.py does
    keeper = None
    if kept:
        lines = cabinet.loop.far["lines"]
        near, far = memory_pair("lines")
        far.receiver = lines.receiver
        keeper = build(relays_only(load_board(str(cabinet.path))), emit=lambda value: None, link_for=lambda *_: near)
    cabinet.go_on(cabinet.now_ns + 600 * NS_PER_S, keeper)
    stays = kept or mode == "level"
    assert cabinet.levels() == [left if stays else FULL] * 6
    assert cabinet.relay.drops == (0 if stays else 1)


@pytest.mark.parametrize(("utc_ns", "before"), [(NIGHT_UTC_NS, BASE), (DAY_UTC_NS, 0)], ids=["night", "day"])
def test_a_lost_gateway_means_light_in_lit_hours_and_changes_nothing_by_day(
    utc_ns: int, before: int, tmp_path: Path
) -> None:
    cabinet = Cabinet(tmp_path, utc_ns, "pulse")
    outputs: list[tuple[int, int]] = []
    for gear in cabinet.gateway.gear.values():
        gear._observer = lambda number, t_ns, from_level, to_level, duration_ns: outputs.append((t_ns, to_level))
    lost_ns, back_ns = 10 * NS_PER_S, 200 * NS_PER_S
    cabinet.gateway.set_silent(lost_ns, back_ns)
    cabinet.loop.run(260 * NS_PER_S)
    assert cabinet.levels() == [before] * 6
    meanwhile = [(t_ns, level) for t_ns, level in outputs if lost_ns < t_ns < back_ns]
    if not before:
        assert (cabinet.relay.drops, meanwhile) == (0, [])
        return
    (full_ns,) = {t_ns for t_ns, _ in meanwhile}
    assert [level for _, level in meanwhile] == [FULL] * 6
    assert full_ns - lost_ns <= KEEPALIVE_NS + NS_PER_S + PROMISED_NS
    assert cabinet.relay.drops == 1
    again = [on for on, t_ns in cabinet.powers if t_ns > full_ns]
    assert again == [True], "its power is back with the gateway"
    assert max(t_ns for t_ns, _ in outputs) < back_ns + 15 * NS_PER_S


def test_a_relay_goes_on_from_its_snapshot() -> None:
    near, far = memory_pair("lines")
    powers: list[tuple[bool, int]] = []
    relay = BusRelay("lines", far, lambda on, t_ns: powers.append((on, t_ns)), line=17, hold_ns=HOLD_NS)
    near.write(b"", 0)
    relay._changed(17, 1, 5)
    other = BusRelay(
        "lines", memory_pair("other")[1], lambda on, t_ns: powers.append((on, t_ns)), line=17, hold_ns=HOLD_NS
    )
    other.restore(json.loads(json.dumps(relay.snapshot())))
    assert other.snapshot() == relay.snapshot()
    other.run(5 + HOLD_NS)
    assert powers == [(False, 0), (True, 5), (False, 0), (False, 5 + HOLD_NS)]
