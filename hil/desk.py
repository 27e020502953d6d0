"""Far ends for a desk without hardware: for every part on a serial port one peer, with something to see before it.

What passes before a sensor is made up: a walker who goes to and fro, a car that comes and goes, a sunny day, a lamp. It
begins when the peer is first run and goes on for twelve hours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from drivers.codecs import ld2410
from drivers.codecs.leezenflow_sensor import Reading
from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS, NS_PER_S
from hil.benches.pty_wire import RunningPeer
from hil.peers import kld7, ops243, ranging
from hil.peers.dali_gateway import DaliGateway, GatewayPeer
from hil.peers.dali_lunatone import LubaPeer, SciPeer
from hil.peers.hilink import Ld2410Answers, Ld2450Answers, ld2410_peer, ld2450_peer
from hil.peers.modbus_models import Ao8Model, ModbusModel, Sdm120Model, Urm14Model
from hil.peers.modbus_slaves import ModbusSlaves
from hil.peers.radar import RadarPeer
from hil.traffic.rider import Rider, Segment

SHOW_NS = 12 * 3600 * NS_PER_S
LEG_NS = 12 * NS_PER_S
"""The walker's way one way, 15 m; the car stays as long as it is away."""

WALK_MM_S = 1_250
FAR_MM = 18_000
NEAR_MM = FAR_MM - WALK_MM_S * LEG_NS // NS_PER_S
LAMPS = (0, 1, 2, 3)
"""Short addresses behind a gateway."""

Say = Callable[[str], None]
"""Where a far end tells people what it does."""


class Make(Protocol):
    """Makes the peer at its end of the wire."""

    def __call__(self, name: str, link: MemoryLink, say: Say) -> RunningPeer:
        """`say` may be called at any time later."""


class FarEnd(msgspec.Struct, frozen=True, kw_only=True):
    """One part's: `baud` is the bit rate it really has, `shows` what there is to see, `more` what to tell `probe`."""

    baud: int
    shows: str
    make: Make
    more: str = ""


class FromNow:
    """A peer whose time begins when it is first run, whatever the clock says."""

    def __init__(self, peer: RunningPeer, link: MemoryLink) -> None:
        self._peer = peer
        self._began_ns: int | None = None
        self._receiver = link.receiver
        link.receiver = self._heard

    @property
    def wake_ns(self) -> int:
        """By the caller's clock; FOREVER_NS where the peer waits for nothing."""
        wake_ns = self._peer.wake_ns
        return 0 if self._began_ns is None else wake_ns if wake_ns >= FOREVER_NS else self._began_ns + wake_ns

    def run(self, now_ns: int) -> None:
        """Do what is due."""
        if self._began_ns is None:
            self._began_ns = now_ns
        if self._peer.wake_ns <= now_ns - self._began_ns:
            self._peer.run(now_ns - self._began_ns)

    def _heard(self, data: bytes, t_ns: int) -> None:
        if self._began_ns is None:
            self._began_ns = t_ns
        self._receiver(data, t_ns - self._began_ns)


def far_end(part: str, link: MemoryLink, say: Say = lambda text: None) -> RunningPeer:
    """The peer for `part` at its end of a wire, its time beginning now. Raises KeyError for parts that have none."""
    return FromNow(FAR_ENDS[part].make(part, link, say), link)


def _legs() -> range:
    return range(SHOW_NS // LEG_NS)


# --- who passes


def _walker() -> Rider:
    """Comes, turns, goes, turns, for twelve hours."""
    legs = [Segment(n * LEG_NS, NEAR_MM if n % 2 else FAR_MM, WALK_MM_S if n % 2 else -WALK_MM_S) for n in _legs()]
    return Rider(1, tuple(legs), SHOW_NS)


def _car(away_mm: int | None) -> tuple[tuple[int, int | None], ...]:
    """A car under the sensor, then the ground (or nothing), by turns."""
    return tuple((n * LEG_NS, away_mm if n % 2 else 900) for n in _legs())


# --- the parts


def _ld2451(name: str, link: MemoryLink, say: Say) -> RunningPeer:
    peer = RadarPeer(name, link, x_mm=0, sign=1, range_mm=40_000, skip=False)
    peer.rider(_walker())
    return peer


def _kld7(name: str, link: MemoryLink, say: Say) -> RunningPeer:
    speed_centi_kmh = WALK_MM_S * 36 // 100
    walks = [
        kld7.Walk(
            n * LEG_NS,
            (n + 1) * LEG_NS,
            (NEAR_MM if n % 2 else FAR_MM) // 10,
            speed_centi_kmh if n % 2 else -speed_centi_kmh,
            500,
        )
        for n in _legs()
    ]
    return kld7.Kld7Peer(name, link, walks=walks)


def _ops243(name: str, link: MemoryLink, say: Say) -> RunningPeer:
    passes = [ops243.Pass(n * LEG_NS, (n + 1) * LEG_NS, -WALK_MM_S if n % 2 else WALK_MM_S) for n in _legs()]
    return ops243.Ops243Peer(name, link, passes=passes)


def _a02yyuw(name: str, link: MemoryLink, say: Say) -> RunningPeer:
    return ranging.A02yyuwPeer(name, link, _car(2_400))


def _aj_sr04m(name: str, link: MemoryLink, say: Say) -> RunningPeer:
    return ranging.A02yyuwPeer(name, link, _car(2_400), header_in_sum=False)


def _mb7389(name: str, link: MemoryLink, say: Say) -> RunningPeer:
    return ranging.Mb7389Peer(name, link, _car(None))


def _leezenflow_sensor(name: str, link: MemoryLink, say: Say) -> RunningPeer:
    weather = tuple((n * 60 * NS_PER_S, Reading(216 + n % 30, 55 - n % 20, 100_182, 1_221)) for n in range(720))
    return ranging.LeezenflowSensorPeer(name, link, weather)


def _lamps(peer: type[GatewayPeer]) -> Make:
    def make(name: str, link: MemoryLink, say: Say) -> RunningPeer:
        def shone(number: int, t_ns: int, from_level: int, to_level: int, duration_ns: int) -> None:
            fading = f" in {duration_ns / NS_PER_S:.1f} s" if duration_ns else ""
            say(f"lamp {number}: level {from_level} -> {to_level}{fading}")

        return peer(name, link, LAMPS, shone)

    return make


def _ld2450(name: str, link: MemoryLink, say: Say) -> RunningPeer:
    return ld2450_peer(name, link, Ld2450Answers())


def _ld2410(name: str, link: MemoryLink, say: Say) -> RunningPeer:
    def frame(t_ns: int) -> bytes:
        walks, away_cm = (ld2410.NOBODY, 0) if t_ns // LEG_NS % 2 else (ld2410.MOVING, 145 + t_ns // NS_PER_S % 50)
        return ld2410.encode_report(ld2410.Report(walks, away_cm, 60, 0, 0, away_cm))

    return ld2410_peer(name, link, Ld2410Answers(), frame=frame)


class _Bay(Urm14Model):
    """A car comes and goes."""

    def before(self, t_ns: int) -> None:
        self.distance = 24_000 if t_ns // LEG_NS % 2 else 9_000
        super().before(t_ns)


class _Outputs(Ao8Model):
    """Tells of every voltage that changes."""

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._say, self._said = say, dict(self.holding)

    def written(self, start: int, count: int, t_ns: int) -> None:
        for number, value in self.holding.items():
            if value != self._said[number]:
                self._say(f"output {number + 1}: {self._said[number]} mV -> {value} mV")
        self._said = dict(self.holding)


def _slave(model: Callable[[Say], ModbusModel], baud: int) -> Make:
    def make(name: str, link: MemoryLink, say: Say) -> RunningPeer:
        return ModbusSlaves(name, link, [model(say)], baud=baud)

    return make


def _loaded_meter(say: Say) -> Sdm120Model:
    """231.4 V, 0.432 A, 100 W, 1234.5 kWh; each value as the two halves of a float."""
    meter = Sdm120Model()
    for register, words in _LOAD.items():
        meter.show(register, words)
    return meter


_LOAD = {
    0x00: (0x4367, 0x6666),  # 231.4 V
    0x06: (0x3EDD, 0x2F1B),  # 0.432 A
    0x0C: (0x42C8, 0x0000),  # 100 W
    0x46: (0x4248, 0x0000),  # 50 Hz
    0x48: (0x449A, 0x5000),  # 1234.5 kWh
}

_WALKER = "a walker goes to and fro, 3 to 18 m away"
_CAR = "a car comes and goes every 12 s"
_LAMPS = f"{len(LAMPS)} dark lamps, short addresses {LAMPS[0]} to {LAMPS[-1]}"

FAR_ENDS: dict[str, FarEnd] = {
    "ld2451": FarEnd(baud=115_200, shows=_WALKER, make=_ld2451),
    "ld2450": FarEnd(baud=256_000, shows="somebody walks up to it, is gone, and again", make=_ld2450),
    "ld2410": FarEnd(baud=256_000, shows="somebody comes and goes every 12 s", make=_ld2410),
    "kld7": FarEnd(baud=115_200, shows=_WALKER, make=_kld7),
    "ops243": FarEnd(baud=19_200, shows=_WALKER, make=_ops243),
    "a02yyuw": FarEnd(baud=9_600, shows=_CAR, make=_a02yyuw),
    "aj-sr04m": FarEnd(baud=9_600, shows=_CAR, make=_aj_sr04m),
    "mb7389": FarEnd(baud=9_600, shows=_CAR, make=_mb7389),
    "leezenflow-sensor": FarEnd(baud=115_200, shows="a mild day, a line every 2 s", make=_leezenflow_sensor),
    "urm14": FarEnd(baud=19_200, shows=_CAR, make=_slave(lambda say: _Bay(), 19_200)),
    "waveshare-ao8": FarEnd(
        baud=9_600, shows="eight outputs at 0 V", make=_slave(_Outputs, 9_600), more="--set variant=B"
    ),
    "sdm120": FarEnd(baud=2_400, shows="a load of 100 W", make=_slave(_loaded_meter, 2_400)),
    "atxled": FarEnd(baud=19_200, shows=_LAMPS, make=_lamps(DaliGateway)),
    "luba": FarEnd(baud=38_400, shows=_LAMPS, make=_lamps(LubaPeer)),
    "sci": FarEnd(baud=38_400, shows=_LAMPS, make=_lamps(SciPeer)),
}
"""By the printed name, as in `drivers.parts.PARTS`."""
