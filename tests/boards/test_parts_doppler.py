"""K-LD7 and OPS243-A in board files, and on a desk: made as said, and what cannot work is refused."""

from __future__ import annotations

from typing import Any

import pytest

from board_rig import built, run
from boards.load import parse_board
from boards.parts import contents
from drivers.bench.probe import Bench
from drivers.clock import SystemClock
from drivers.devices.kld7 import Kld7Radar
from drivers.devices.ops243 import Ops243Radar
from drivers.errors import InputError
from drivers.parts import part
from drivers.parts.part import Options
from drivers.quantities import DeviceHealth, RadarReport, SpeedReport
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.pty_wire import PtyWire
from hil.benches.rfc2217_wire import Rfc2217Wire
from hil.peers.kld7 import Kld7Peer, Walk
from hil.peers.ops243 import Ops243Peer, Pass

HEAD = """
format = 1
name = "node"
title = "A board for tests"
model = "raspberry-pi-4"
product = "parking"
period_ms = 20
"""
S = NS_PER_S


def table(name: str, part: str, baud: int, parity: str = "N", **keys: Any) -> str:
    """A device on a wire of its own, both called `name`."""
    wire = f'[wires.{name}]\nkind = "uart"\nport = "/dev/ttyUSB-{name}"\nbaud = {baud}\nparity = "{parity}"\n'
    return f'{wire}[devices.{name}]\npart = "{part}"\nwire = "{name}"\n' + "".join(
        f"{k} = {v}\n" for k, v in keys.items()
    )


def kld7(baud: int = 115_200, parity: str = "E", **keys: Any) -> str:
    return table("lane-1", "kld7", baud, parity, **keys)


def ops243(baud: int = 19_200, **keys: Any) -> str:
    return table("radar-1", "ops243", baud, **keys)


def test_each_is_made_as_the_file_says_and_tells_its_part_so() -> None:
    board, far, heard = built(
        HEAD,
        kld7(460_800, range_m=10, speed_kmh=12, direction='"inbound"', far_pct=80, threshold_db=25, vibration=4),
        ops243(unit='"km/h"', direction='"outbound"', least_speed=3, least_magnitude=20),
    )
    near = Kld7Peer("lane-1", far["lane-1"], walks=[Walk(S, 9 * S, 700, -360)])
    away = Ops243Peer("radar-1", far["radar-1"], passes=[Pass(2 * S, 3 * S, -2_000), Pass(4 * S, 5 * S, 2_000)])
    run(board, [near, away], 9 * S)
    assert [type(device) for device in board.devices.values()] == [Kld7Radar, Ops243Radar]
    said = near.parameters
    assert (said.max_range, said.max_speed, said.direction, said.max_distance_pct) == (1, 0, 1, 80)
    assert (said.threshold_offset_db, said.vibration_suppression, near.baud) == (25, 4, 460_800)
    assert (away.settings.unit, away.settings.direction, away.settings.least_speed) == ("UK", "-", 3)
    assert away.settings.least_magnitude == 20
    assert {v.detections[0].speed_mm_s for v in heard if isinstance(v, RadarReport) and v.detections} == {1_000}
    assert {v.speed_mm_s for v in heard if isinstance(v, SpeedReport)} == {-2_000}
    assert contents(board.description) == {"lane-1": "kld7", "radar-1": "ops243"}


def test_the_keys_for_silence_reach_the_device() -> None:
    board, far, heard = built(HEAD, kld7(stale_ms=700), ops243(stale_ms=3_000))
    run(board, [], 5 * S)
    told = {(v.source, v.t_ns // NS_PER_MS, v.reason) for v in heard if isinstance(v, DeviceHealth)}
    assert told == {("lane-1", 700, "no frame"), ("radar-1", 3_000, "no answer")}
    assert sorted(far) == ["lane-1", "radar-1"]


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (kld7(parity="N"), '$.wires.lane-1.parity: part kld7 has no parity "N"; right: E'),
        (kld7(9_600), "$.wires.lane-1.baud: part kld7 does not speak 9600 baud; right: 115200, 460800"),
        (kld7(near_pct=60, far_pct=50), "$.devices.lane-1.near_pct: from 60 % to 50 % of the range nothing is left"),
        (kld7(left_deg=20, right_deg=10), "$.devices.lane-1.left_deg: from 20 to 10 degrees nothing is left"),
        (kld7(range_m=20), "$.devices.lane-1.range_m"),
        (ops243(38_400), "$.wires.radar-1.baud: part ops243 does not speak 38400 baud; right: 9600, 19200"),
        (ops243(unit='"mph"'), "$.devices.radar-1.unit"),
    ],
)
def test_what_cannot_work_is_refused_with_the_mend(tables: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_board(HEAD + tables, "node.toml")
    assert said in str(caught.value)


def test_a_kld7_on_the_mini_uart_is_refused_as_that_has_no_parity() -> None:
    wire = '[wires.lane-1]\nkind = "uart"\nuart = "uart1"\nbaud = 115200\nparity = "E"\n'
    with pytest.raises(InputError, match="mini UART of a Raspberry Pi 4"):
        parse_board(HEAD + wire + '[devices.lane-1]\npart = "kld7"\nwire = "lane-1"\n', "node.toml")


# --- on a desk


def tried(name: str, port: str, parity: str | None = None, seconds: float = 3.0, **options: Any) -> Any:
    bench = Bench(part(name), port, SystemClock(), Options(more=options), parity=parity)
    try:
        return bench.try_it(seconds, lambda text: None)
    finally:
        bench.close()


def test_a_kld7_behind_rfc2217_is_found_good_at_8e1_and_silent_at_8n1() -> None:
    with Rfc2217Wire("lane-1", parity="E") as wire:
        wire.peer = Kld7Peer("lane-1", wire.far)
        found = tried("kld7", wire.url, seconds=10)
        assert (found.verdict, found.exit_code) == ("good", 0)
        assert wire.peer.parameters.max_range == 1
        found = tried("kld7", wire.url, "N", 1.0)
        assert (found.verdict, found.exit_code) == ("no-answer", 1)


def test_settings_said_on_the_command_line_reach_the_part() -> None:
    with PtyWire("lane-1", 115_200) as wire:
        wire.peer = peer = Kld7Peer("lane-1", wire.far)
        assert tried("kld7", wire.path, "N", max_range="3").verdict == "good"
    assert peer.parameters.max_range == 3
    with PtyWire("radar-1", 19_200) as wire:
        wire.peer = radar = Ops243Peer("radar-1", wire.far)
        assert tried("ops243", wire.path, unit="UK", direction="inbound", least_speed="2").verdict == "good"
    assert (radar.settings.unit, radar.settings.direction, radar.settings.least_speed) == ("UK", "+", 2)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("kld7", {"max_range": "far"}, "--set max_range=far: a whole number"),
        ("kld7", {"range": "3"}, "has no parameter range"),
        ("ops243", {"direction": "up"}, "--set direction=up: one of both, inbound, outbound"),
        ("ops243", {"speed": "3"}, "--set speed: no such setting"),
        ("ops243", {"unit": "knots"}, "unit is one of UM"),
    ],
)
def test_settings_that_the_part_does_not_have_are_refused(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        tried(name, "loop://", **options)
