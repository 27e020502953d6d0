"""Two real programs and a real broker: a rider is handed over, and a broker that dies makes the border light."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from controllers.cli import main
from controllers.service.control import ControlClient
from drivers.clock import SystemClock
from drivers.errors import InputError
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.pty_wire import PtyWire, RunningPeer
from hil.cli import main as hil
from hil.peers.broker import Broker, missing
from hil.peers.dali_gateway import DaliGateway
from hil.peers.radar import RadarPeer
from hil.traffic.rider import Rider, Segment

pytestmark = [pytest.mark.long, pytest.mark.skipif(bool(missing()), reason=missing())]

BASE, FULL = 170, 254
DEADLINE_NS = 60 * NS_PER_S
LAMPS = {"west": (96, 128, 160), "east": (192, 224, 256)}
RADARS = {"west": (128, "up"), "east": (224, "down")}

BOARD = """
format = 1
name = "bench-{name}"
title = "One radar, three lamps, a neighbour behind a broker"
model = "laptop"
product = "lighting"
period_ms = 20
bench = true
wires.radar-1 = {{ kind = "uart", port = "{radar}", baud = 115200 }}
wires.dali = {{ kind = "uart", port = "{dali}", baud = 19200 }}
devices.radar-1 = {{ part = "ld2451", wire = "radar-1" }}
devices.neighbour = {{ part = "neighbour", wire = "neighbour" }}
devices.lamp-0 = {{ part = "atxled", wire = "dali", short_address = 0 }}
devices.lamp-1 = {{ part = "atxled", wire = "dali", short_address = 1 }}
devices.lamp-2 = {{ part = "atxled", wire = "dali", short_address = 2 }}
[wires.neighbour]
kind = "mqtt"
host = "nowhere.invalid"
publish = "leeze/{{site}}/{{controller}}/to/{{neighbour}}"
subscribe = ["leeze/{{site}}/{{neighbour}}/to/{{controller}}"]
"""

SITE = """
format = 1
name = "pair"
product = "lighting"
place = { lat_deg = 51.97, lon_deg = 7.64, timezone = "Europe/Berlin" }
light = { calendar = "always", ahead_m = 50, ahead_s = 1, keep_s = 5 }
"""

CONTROLLER = """
[[controllers]]
name = "{name}"
board = "{board}"
neighbours = {{ neighbour = "{other}" }}
lamps = [{lamps}]
radars = [{{ name = "radar-1", x_m = {x_m}, looks = "{looks}" }}]
"""


class Later:
    """A peer of virtual time, begun now."""

    def __init__(self, peer: RunningPeer, start_ns: int) -> None:
        self._peer, self._start_ns = peer, start_ns

    @property
    def wake_ns(self) -> int:
        return self._peer.wake_ns + self._start_ns

    def run(self, now_ns: int) -> None:
        self._peer.run(now_ns - self._start_ns)


class End:
    """One controller: its program, its wires, and what its gear shows: (t_ns, lamp, level told)."""

    def __init__(self, name: str, stack: ExitStack, start_ns: int) -> None:
        self.name = name
        self.shown: list[tuple[int, int, int]] = []
        self.wires = {"radar": PtyWire(f"{name}/radar-1", 115_200), "dali": PtyWire(f"{name}/dali", 19_200)}
        self.wires["dali"].peer = DaliGateway("dali", self.wires["dali"].far, range(3), self._output, level=BASE)
        x_m, looks = RADARS[name]
        self.radar = RadarPeer(
            f"{name}/radar-1",
            self.wires["radar"].far,
            x_mm=x_m * 1000,
            sign=1 if looks == "up" else -1,
            range_mm=40_000,
            phase_ns=0,
            seed=1,
            skip=False,
        )
        self.wires["radar"].peer = Later(self.radar, start_ns)
        for wire in self.wires.values():
            stack.enter_context(wire)

    def _output(self, lamp: int, t_ns: int, from_level: int, to_level: int, duration_ns: int) -> None:
        self.shown.append((t_ns, lamp, to_level))

    def level(self, lamp: int) -> int:
        return next((level for _, at, level in reversed(self.shown) if at == lamp), BASE)


class Pair:
    """Both ends, and the broker."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.clock = folder, SystemClock()
        self.start_ns = self.clock.now_ns()
        self.broker = stack.enter_context(Broker(folder))
        self.ends = {name: End(name, stack, self.start_ns) for name in LAMPS}
        text = SITE + f'broker = {{ host = "{Broker.host}", port = {self.broker.port} }}\n'
        for name, end in self.ends.items():
            board = folder / f"{name}.toml"
            board.write_text(BOARD.format(name=name, **{wire: port.path for wire, port in end.wires.items()}))
            lamps = ", ".join(f'{{ name = "lamp-{n}", x_m = {x_m} }}' for n, x_m in enumerate(LAMPS[name]))
            x_m, looks = RADARS[name]
            other = "east" if name == "west" else "west"
            text += CONTROLLER.format(name=name, board=board, other=other, lamps=lamps, x_m=x_m, looks=looks)
        self.site = folder / "site.toml"
        self.site.write_text(text)
        self.programs = {name: stack.enter_context(self._program(name)) for name in self.ends}

    def _program(self, name: str) -> subprocess.Popen[bytes]:
        words = ["run", "--site", str(self.site), "--controller", name, "--socket", str(self.socket(name)), "--quiet"]
        words += ["--flight", str(self.folder / f"ring-{name}"), "--priority", "0"]
        return subprocess.Popen([sys.executable, "-m", "controllers", *words])

    def socket(self, name: str) -> Path:
        return self.folder / f"{name}.sock"

    def status(self, name: str) -> dict[str, object]:
        with ControlClient(self.socket(name), self.clock, wait_ms=20_000) as client:
            picture: dict[str, object] = client.ask("status")["status"]
            return picture

    def wait(self, until: Callable[[], bool], what: str) -> None:
        deadline_ns = self.clock.now_ns() + DEADLINE_NS
        while not until():
            assert self.clock.now_ns() < deadline_ns, what
            assert all(program.poll() is None for program in self.programs.values())
            self.clock.sleep_until_ns(self.clock.now_ns() + 50 * NS_PER_MS)

    def is_well(self, name: str) -> bool:
        try:
            return self.status(name)["doubts"] == []
        except InputError:  # just starting
            return False

    def at_rest(self) -> bool:
        return all(end.level(lamp) == BASE for end in self.ends.values() for lamp in range(3))

    def ride(self, number: int, x_m: int, v_mm_s: int) -> Rider:
        """Somebody who starts there in a second, and rides for half a minute."""
        t_ns = self.clock.now_ns() - self.start_ns + NS_PER_S
        rider = Rider(number, (Segment(t_ns, x_m * 1000, v_mm_s),), t_ns + 30 * NS_PER_S)
        for end in self.ends.values():
            end.radar.rider(rider)
        return rider


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as stack:
        made = Pair(tmp_path, stack)
        stack.callback(lambda: [program.terminate() for program in made.programs.values()])
        yield made


def heard_neighbour(pair: Pair, name: str) -> bool:
    devices = pair.status(name)["devices"]
    return bool(devices["neighbour"]["counters"]["frames"])  # type: ignore[index]


def test_a_rider_is_handed_over_and_a_dead_broker_makes_the_border_light_until_it_is_back(pair: Pair) -> None:
    east = pair.ends["east"]
    for name in pair.ends:
        pair.wait(lambda name=name: pair.is_well(name) and heard_neighbour(pair, name), f"{name} hears nobody")  # type: ignore[misc]
    pair.wait(pair.at_rest, "lamps at base at the beginning")

    # From west to east: lit by what west says, before the radar of the east can see anybody.
    rider = pair.ride(1, 110, 7_000)
    in_view_ns = rider.first_time_at(184_000)
    assert in_view_ns is not None
    pair.wait(lambda: east.level(0) == FULL, "east does not light")
    lit_ns = next(t_ns for t_ns, lamp, level in east.shown if lamp == 0 and level == FULL)
    assert lit_ns < pair.start_ns + in_view_ns
    pair.wait(lambda: east.level(2) == FULL, "east goes on by its own radar")
    pair.wait(pair.at_rest, "back at base when the rider has gone")

    # By hand, seen in the status; it ends by its end.
    words = ["override", "--socket", str(pair.socket("west")), "--lamps", "lamp-0"]
    assert main([*words, "--level", "50", "--minutes", "5"]) == 0
    pair.wait(lambda: 200 < pair.ends["west"].level(0) < FULL, "an order by hand")
    assert list(pair.status("west")["overrides"]) == ["lamp-0"]  # type: ignore[call-overload]
    assert main([*words, "--end"]) == 0
    pair.wait(pair.at_rest, "the end of an order")

    # The broker dies: each takes the other for silent, and lights the border.
    pair.broker.kill()
    pair.wait(lambda: east.level(0) == FULL == pair.ends["west"].level(2), "the border in doubt")
    assert pair.status("east")["doubts"] == ["neighbour"]
    assert east.level(2) == BASE, "what is out of reach stays as it is"
    pair.broker.start()
    for name in pair.ends:
        pair.wait(lambda name=name: pair.is_well(name), f"{name} is still in doubt")  # type: ignore[misc]
    pair.wait(pair.at_rest, "the border back at base")

    # A clean stop; what was recorded runs again to the byte, orders and envelopes included.
    for name, program in pair.programs.items():
        broken = pair.status(name)["invariants"]
        assert broken == {"below_full": 0, "too_fast": 0, "beyond_limits": 0, "lit_when_off": 0, "last": ""}
        program.terminate()
        assert program.wait(30) == 0
        assert hil(["replay", str(pair.folder / f"ring-{name}"), "--verify"]) == 0
