"""The far ends of ranging and weather sensors: their bytes are those of the papers, and their faults are noticed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from drivers.codecs import a02yyuw, leezenflow_sensor, mb7389
from drivers.devices.echo_ranging import EchoRanging
from drivers.devices.leezenflow_sensor import FAILED, LeezenflowSensor
from drivers.devices.listener import FROZEN
from drivers.devices.ranging import A02yyuw, Mb7389
from drivers.interfaces import Device
from drivers.links.memory import memory_pair
from drivers.quantities import Climate, DeviceHealth, Quantity, Range
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.contract import Peer
from hil.peers.echo import EchoFault, EchoPeer
from hil.peers.ranging import A02yyuwPeer, Fault, LeezenflowSensorPeer, Mb7389Peer, step_at

GROUND_THEN_CAR = ((0, 2400), (10 * NS_PER_S, 900), (20 * NS_PER_S, None))
TICK_NS = 20 * NS_PER_MS
SUMMER = leezenflow_sensor.Reading(216, 40, 100_182, 1221)


def play(devices: Sequence[Device], peers: Sequence[Peer], until_ns: int, from_ns: int = 0) -> None:
    """The rig in small: peers at their time, devices at the ticks of a board."""
    for tick_ns in range(from_ns, until_ns + 1, TICK_NS):
        while (peer := min(peers, key=lambda each: each.wake_ns)).wake_ns <= tick_ns:
            peer.run(peer.wake_ns)
        for device in devices:
            if device.wake_ns <= tick_ns:
                device.advance(tick_ns)


def healths(emitted: list[Quantity]) -> list[tuple[int, bool, str]]:
    """(second, ok, reason)"""
    return [(v.t_ns // NS_PER_S, v.ok, v.reason) for v in emitted if isinstance(v, DeviceHealth)]


def spans(emitted: list[Quantity]) -> list[tuple[Any, Any]]:
    """Least and greatest distance of each run of values near one another."""
    found: list[tuple[Any, Any]] = []
    for value in emitted:
        if not isinstance(value, Range):
            continue
        mm = value.distance_mm
        low, high = found[-1] if found else (-1, -1)
        if mm is None or low is None or high is None or not high - 5 <= mm <= low + 5:
            if not (mm is None and found and low is None):
                found.append((mm, mm))
        else:
            found[-1] = (min(low, mm), max(high, mm))
    return found


def a02(*faults: Fault, seen: Any = GROUND_THEN_CAR, board: dict[str, Any] | None = None, **more: Any) -> Any:
    near, far = memory_pair("bay-3")
    emitted: list[Quantity] = []
    device = A02yyuw("bay-3", near, emitted.append, **(board or {}))
    return device, A02yyuwPeer("bay-3", far, seen, faults=faults, **more), emitted


def mb(*faults: Fault, seen: Any = GROUND_THEN_CAR, board: dict[str, Any] | None = None, **more: Any) -> Any:
    near, far = memory_pair("bay-3")
    emitted: list[Quantity] = []
    device = Mb7389("bay-3", near, emitted.append, **(board or {}))
    return device, Mb7389Peer("bay-3", far, seen, faults=faults, **more), emitted


def weather(*faults: Fault, board: dict[str, Any] | None = None, **more: Any) -> Any:
    near, far = memory_pair("weather")
    emitted: list[Quantity] = []
    device = LeezenflowSensor("weather", near, emitted.append, **(board or {}))
    return device, LeezenflowSensorPeer("weather", far, ((0, SUMMER),), faults=faults, **more), emitted


def echo(*faults: EchoFault, seen: Any = GROUND_THEN_CAR, board: dict[str, Any] | None = None, **more: Any) -> Any:
    near, far = memory_pair("bay-1")
    emitted: list[Quantity] = []
    lines: dict[str, Any] = {"trigger_line": 23, "echo_line": 24}
    device = EchoRanging("bay-1", near, emitted.append, **lines, **(board or {}))
    return device, EchoPeer("bay-1", far, seen, faults=faults, **lines, **more), emitted


@pytest.mark.parametrize(
    ("peer", "seen", "frame"),
    [
        (A02yyuwPeer, 925, "ff039d9f"),  # a real A01NYUB
        (A02yyuwPeer, 1953, "ff07a1a7"),  # DFRobot's wiki, SEN0311
        (A02yyuwPeer, None, "fffffdfb"),  # DFRobot's wiki, SEN0754
        (Mb7389Peer, 1234, "52313233340d"),  # MaxBotix, worked
        (Mb7389Peer, None, "52353030300d"),
        (Mb7389Peer, 120, "52303330300d"),
    ],
)
def test_a_peer_writes_the_frames_of_the_papers(
    peer: type[A02yyuwPeer] | type[Mb7389Peer], seen: Any, frame: str
) -> None:
    near, far = memory_pair("bay-3")
    written: list[bytes] = []
    near.receiver = lambda data, t_ns: written.append(data)
    peer("bay-3", far, ((0, seen),), tremble_mm=0).run(0)
    assert [data.hex() for data in written] == [frame]


def test_the_weather_peer_writes_what_the_sensors_printf_does() -> None:
    near, far = memory_pair("weather")
    written: list[bytes] = []
    near.receiver = lambda data, t_ns: written.append(data)
    seen = ((0, leezenflow_sensor.Reading(5, 96, 101_325, 12)),)
    peer = LeezenflowSensorPeer("weather", far, seen, faults=(Fault("failed-read", NS_PER_S, 3 * NS_PER_S),))
    peer.run(0)
    peer.run(2 * NS_PER_S)
    temperature, humidity, pressure, voltage = written[0].removesuffix(b"\r\n").split(b",")
    assert (temperature, humidity) == (b" 5", b"96")  # "%2.0f"
    assert abs(int(pressure) - 101_325) <= 1
    assert abs(int(voltage) - 12) <= 1
    assert written[1].startswith(b" 0, 0,1013")


def test_a_car_comes_and_all_is_gone_afterwards() -> None:
    for make in (a02, mb, echo):
        device, peer, emitted = make()
        play([device], [peer], 30 * NS_PER_S)
        ground, car, nothing = spans(emitted)
        assert 2396 <= ground[0] <= ground[1] <= 2404, make
        assert 896 <= car[0] <= car[1] <= 904, make
        assert nothing == (None, None)
        assert healths(emitted) == []


@pytest.mark.parametrize("make", [a02, mb])
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("silent", [(11, False, "no reading"), (15, True, "")]),
        ("garbage", [(11, False, "no reading"), (15, True, "")]),
        ("cut", [(11, False, "no reading"), (15, True, "")]),
        ("ff-run", []),
        ("frozen", []),
    ],
)
def test_what_goes_wrong_for_five_seconds_is_noticed_after_two(make: Any, kind: Any, said: Any) -> None:
    device, peer, emitted = make(Fault(kind, 10 * NS_PER_S, 15 * NS_PER_S), seen=((0, 2400),))
    play([device], [peer], 30 * NS_PER_S)
    assert healths(emitted) == said
    assert all(mm is not None and 2399 <= mm <= 2401 for mm in (v.distance_mm for v in emitted if isinstance(v, Range)))
    assert bool(device.counters()["skipped_bytes"]) == (kind in ("garbage", "cut", "ff-run"))


def test_dirt_on_an_a02yyuw_and_another_sensor_are_no_readings_and_nearer_than_a_maxbotix_can_see_is_one() -> None:
    for kind, counter in (("below-minimum", "implausible"), ("interference", "interference")):
        device, peer, emitted = a02(Fault(kind, 10 * NS_PER_S, 15 * NS_PER_S))
        play([device], [peer], 16 * NS_PER_S)
        assert healths(emitted) == [(11, False, "no reading"), (15, True, "")]
        assert device.counters()[counter] == 50
    device, peer, emitted = mb(Fault("below-minimum", 10 * NS_PER_S, 15 * NS_PER_S))
    play([device], [peer], 16 * NS_PER_S)
    assert healths(emitted) == []
    assert (300, 300) in spans(emitted)


@pytest.mark.parametrize("make", [a02, mb, echo])
def test_a_frozen_sensor_is_noticed_and_a_parked_car_is_not(make: Any) -> None:
    frozen = EchoFault if make is echo else Fault
    board = {"frozen_ns": 60 * NS_PER_S}
    device, peer, emitted = make(frozen("frozen", 10 * NS_PER_S, 120 * NS_PER_S), seen=((0, 900),), board=board)
    play([device], [peer], 180 * NS_PER_S)
    (since, ok, reason), (until, ok_again, _) = healths(emitted)
    assert (ok, reason, ok_again) == (False, FROZEN, True)
    assert 69 <= since <= 70
    assert 120 <= until <= 121


def test_in_the_cold_a_part_that_believes_in_20_degrees_sees_too_far_until_it_is_told() -> None:
    device, peer, emitted = a02(seen=((0, 2000),), air_mdegc=-10_000, board={"reference_mdegc": 20_000})
    play([device], [peer], NS_PER_S)
    device.set_air(-10_000)
    play([device], [peer], 2 * NS_PER_S, NS_PER_S + TICK_NS)
    # 2000 mm * sqrt(293.15 / 263.15) = 2110.9
    too_far, right = spans(emitted)
    assert 2109 <= too_far[0] <= too_far[1] <= 2112
    assert 1998 <= right[0] <= right[1] <= 2002


def test_an_echo_in_the_cold_comes_late_and_is_put_right() -> None:
    device, peer, emitted = echo(seen=((0, 2000),), air_mdegc=-10_000)
    play([device], [peer], NS_PER_S)
    device.set_air(-10_000)
    play([device], [peer], 2 * NS_PER_S, NS_PER_S + TICK_NS)
    too_far, right = spans(emitted)
    assert 2109 <= too_far[0] <= too_far[1] <= 2113
    assert 1998 <= right[0] <= right[1] <= 2002


@pytest.mark.parametrize(
    ("kind", "counter"), [("silent", "no_replies"), ("stuck-up", "no_replies"), ("ringing", "implausible")]
)
def test_an_echo_sensor_that_fails_is_noticed_and_its_return_too(kind: Any, counter: str) -> None:
    device, peer, emitted = echo(EchoFault(kind, 10 * NS_PER_S, 15 * NS_PER_S), seen=((0, 900),))
    play([device], [peer], 30 * NS_PER_S)
    assert healths(emitted) == [(11, False, "no echo"), (15, True, "")]
    assert device.counters()[counter] >= 49
    assert spans(emitted) == [(899, 901)]


def test_three_on_one_wire_ping_in_turns_and_each_has_its_own_distance() -> None:
    near, far = memory_pair("lines")
    emitted: list[Quantity] = []
    devices, peers = [], []
    for n in range(3):
        lines: dict[str, Any] = {"trigger_line": 4 + n, "echo_line": 14 + n}
        devices.append(EchoRanging(f"bay-{n}", near, emitted.append, turn=n, turns=3, **lines))
        peers.append(EchoPeer(f"bay-{n}", far, ((0, 1000 + 500 * n),), **lines))
    play(devices, peers, 10 * NS_PER_S)
    pings = sorted((t_ns, n) for n, peer in enumerate(peers) for t_ns in peer.pings)
    assert [n for _, n in pings] == [k % 3 for k in range(101)]
    assert all(later[0] - earlier[0] >= 65 * NS_PER_MS for earlier, later in pairwise(pings))
    for n in range(3):
        mms = {v.distance_mm for v in emitted if isinstance(v, Range) and v.source == f"bay-{n}"}
        assert mms <= {1000 + 500 * n + by for by in (-1, 0, 1)}


def test_a_failed_read_is_a_fault_as_long_as_it_lasts() -> None:
    device, peer, emitted = weather(Fault("failed-read", 10 * NS_PER_S, 15 * NS_PER_S))
    play([device], [peer], 30 * NS_PER_S)
    assert healths(emitted) == [(10, False, FAILED), (16, True, "")]
    assert device.counters()["failed_reads"] == 3
    assert {v.temperature_mdegc for v in emitted if isinstance(v, Climate)} == {21_600}


def test_weather_that_stands_still_is_frozen_and_a_cut_line_costs_itself_only() -> None:
    faults = (Fault("cut", 10 * NS_PER_S, 11 * NS_PER_S), Fault("frozen", 20 * NS_PER_S, 200 * NS_PER_S))
    device, peer, emitted = weather(*faults, board={"frozen_ns": 60 * NS_PER_S})
    play([device], [peer], 210 * NS_PER_S)
    assert healths(emitted) == [(78, False, FROZEN), (200, True, "")]
    assert device.counters()["frames"] == 105


@pytest.mark.parametrize("make", [a02, mb, weather, echo])
def test_a_restored_peer_and_its_board_go_on_where_they_stood(make: Any) -> None:
    fault = (
        EchoFault("frozen", 3 * NS_PER_S, 8 * NS_PER_S) if make is echo else Fault("frozen", 3 * NS_PER_S, 8 * NS_PER_S)
    )
    device, peer, emitted = make(fault, seed=7)
    at_ns = 5 * NS_PER_S
    play([device], [peer], at_ns)
    states = json.loads(json.dumps([device.snapshot(), peer.snapshot()]))
    device_2, peer_2, emitted_2 = make(fault, seed=7)
    device_2.restore(states[0])
    peer_2.restore(states[1])
    before = len(emitted)
    for board, far_end in ((device, peer), (device_2, peer_2)):
        play([board], [far_end], 20 * NS_PER_S, at_ns + TICK_NS)
    assert emitted[before:] == emitted_2
    assert [device.snapshot(), peer.snapshot()] == [device_2.snapshot(), peer_2.snapshot()]


def test_a_step_holds_from_its_time_on_and_the_first_before_all() -> None:
    steps = ((10, "a"), (20, "b"))
    assert [step_at(steps, t_ns) for t_ns in (0, 10, 19, 20, 99)] == ["a", "a", "a", "b", "b"]


def test_the_oldest_firmware_says_5500_for_an_empty_sky() -> None:
    device, peer, emitted = a02(seen=((0, None),), nothing=a02yyuw.Reading(5500))
    play([device], [peer], NS_PER_S)
    assert spans(emitted) == [(None, None)]
    assert mb7389.NO_TARGET_MM == 5000
