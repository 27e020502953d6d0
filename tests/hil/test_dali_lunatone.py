"""LUBA and SCI at the far end of the bus master: timing, faults, foreign frames, skipping, snapshots."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_rig import TICK_NS, DaliRig, spied
from drivers.buses.dali import DaliBus
from drivers.buses.dali_gateways import LubaGateway, SciGateway
from drivers.buses.dali_procedures import Done
from drivers.codecs import luba, sci
from drivers.devices.lamp import DaliLamp
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, LampStatus, Quantity
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.dali_lunatone import BYTE_NS, LubaPeer, SciPeer

FORWARD_NS = 15_833_333
KINDS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "luba": (LubaGateway, LubaPeer, {}),
    "sci": (SciGateway, SciPeer, {"number": 3}),
    "sci that says no": (SciGateway, SciPeer, {"says_no": True}),
    "sci on the left": (SciGateway, SciPeer, {"left": True}),
    "sci without echo": (lambda: SciGateway(flags=sci.MONITOR), SciPeer, {}),
}


class Rig(DaliRig):
    """Bus, lamps and gateway in virtual time, driven as a scan cycle drives them."""

    def __init__(self, kind: str, *, lamps: int = 4, tickless: bool = True, **options: Any) -> None:
        near, far = memory_pair("dali")
        gateway, peer, usual = KINDS[kind]
        self.tickless = tickless
        self.values: list[Quantity] = []
        self.done: list[Done] = []
        self.bus = DaliBus("dali", near, emit=self.values.append, gateway=gateway())
        self.bus.listen("test", self.done.append)
        self.lamps = [DaliLamp(f"lamp-{n}", self.bus, n) for n in range(lamps)]
        self.peer = peer("dali", far, range(lamps), lambda *segment: None, **{**usual, **options})
        self.wire = spied(far)

    def ask(self, procedure: str, *args: int) -> Any:
        began_ns, known = self.now_ns, len(self.done)
        self.bus.submit(procedure, args, began_ns, owner="test", deadline_ns=began_ns + 20 * NS_PER_S)
        while len(self.done) == known:
            self.run(self.now_ns + TICK_NS)
        assert self.done[-1].ok, self.done[-1]
        return self.done[-1].result

    def _configure(self, n: int, failure_level: int, fade_code: int) -> None:
        args, deadline_ns = (n, failure_level, fade_code), self.now_ns + 30 * NS_PER_S
        self.bus.submit("configure_gear", args, self.now_ns, owner="test", deadline_ns=deadline_ns, priority=2)

    def act(self, action: tuple[str, int, int]) -> None:
        what, n, value = action
        if what == "level":
            self.lamps[n].set_level(value, self.now_ns)
        elif what == "query":
            self.lamps[n].take_over(self.now_ns)
        elif what == "prepare":
            self._configure(n, value, value % 16)
        elif what == "silent":
            self.peer.set_silent(self.now_ns, self.now_ns + value * 10 * NS_PER_MS)
        else:
            self.peer.lose_answers(value % 5)
        self.bus.advance(self.now_ns)

    def state(self) -> Any:
        lamps = [lamp.snapshot() for lamp in self.lamps]
        return {"now_ns": self.now_ns, "bus": self.bus.snapshot(), "lamps": lamps, "peer": self.peer.snapshot()}


def test_a_level_behind_a_luba_takes_22_ms_at_38400_baud() -> None:
    rig = Rig("luba")
    said: list[tuple[bytes, int]] = []
    heard = rig.bus._link.receiver
    rig.bus._link.receiver = lambda data, t_ns: (said.append((data, t_ns)), heard(data, t_ns))  # type: ignore[func-returns-value]
    rig.lamps[1].set_level(254, 0)
    rig.run(NS_PER_S)
    sent_ns = 11 * BYTE_NS + FORWARD_NS
    assert said == [
        (luba.encode_event(luba.Taken(1)), 17 * BYTE_NS),
        (luba.encode_event(luba.Sent(b"\x02\xfe", 1, sent_ns // NS_PER_MS)), sent_ns + 11 * BYTE_NS),
    ]
    assert said[1][1] // NS_PER_MS == 21


@pytest.mark.parametrize("kind", KINDS)
def test_levels_queries_and_settings_reach_the_gear(kind: str) -> None:
    rig = Rig(kind)
    for n, lamp in enumerate(rig.lamps):
        lamp.set_level(100 + n, 0)
    rig.run(NS_PER_S)
    assert [rig.peer.level_at(n, NS_PER_S) for n in range(4)] == [100, 101, 102, 103]
    assert [rig.ask("query_actual_level", n) for n in (3, 0, 9)] == [103, 100, None]
    assert rig.ask("configure_gear", 2, 200, 5) == {"failure_level": 200, "fade_code": 5, "written": 2}
    assert [(gear.failure_level, gear.writes) for gear in rig.peer.gear.values()][1:3] == [(254, 0), (200, 2)]
    assert (rig.bus.no_replies, rig.bus.conflicts, rig.bus.unexpected_lines) == (0, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_two_gear_with_one_address_are_told_apart_from_a_silent_one(kind: str) -> None:
    rig = Rig(kind)
    for gear in list(rig.peer.gear.values())[:2]:
        gear.addressing.program(7 << 1 | 1)
    rig.peer.line._learn()
    rig.lamps[0].check(0)
    rig.bus.submit("query_status", (7,), 0, owner="test", deadline_ns=NS_PER_S)
    rig.run(2 * NS_PER_S)
    assert [done.reason for done in rig.done] == ["answers collide: two gear with one short address?"]
    assert [value.reason for value in rig.values if isinstance(value, DeviceHealth)] == ["gear does not answer"]


@pytest.mark.parametrize(("kind", "reason"), [("luba", "no voltage on the bus"), ("sci", "short circuit on the bus")])
def test_a_bus_without_power_is_told_and_comes_back(kind: str, reason: str) -> None:
    rig = Rig(kind)
    rig.peer.set_bus_power(False, 0)
    rig.lamps[0].set_level(9, 0)
    rig.run(5 * NS_PER_S)
    rig.peer.set_bus_power(True, rig.now_ns)
    rig.run(8 * NS_PER_S)
    health = [(value.ok, value.reason) for value in rig.values if isinstance(value, DeviceHealth)]
    assert health == [(False, reason), (True, "")]
    assert rig.peer.level_at(0, rig.now_ns) == 9


def test_a_luba_whose_supply_is_named_is_told_to_feed_the_bus() -> None:
    rig = Rig("luba", supply=False)
    rig.bus.gateway = LubaGateway(bus_power=True)
    rig.lamps[0].set_level(9, 0)
    rig.run(NS_PER_S)
    assert rig.peer.level_at(0, rig.now_ns) == 9
    assert rig.wire[0][1] == luba.encode_settings(bus_power=True) + luba.encode_send(0x0009)


@pytest.mark.parametrize("kind", ["luba", "sci"])
def test_frames_and_answers_of_another_master_are_nobodys(kind: str) -> None:
    rig = Rig(kind)
    rig.ask("query_status", 0)
    for n in range(20):
        rig.peer.overhear(0x0BA0, 0x55 if n % 2 else None, rig.now_ns + 3 * n * NS_PER_MS)
        rig.lamps[0].set_level(10 + n, rig.now_ns)
        assert rig.ask("query_actual_level", 0) == 10 + n
    assert rig.bus.unexpected_lines == 30


def test_a_luba_answers_status_and_drops_what_it_does_not_know() -> None:
    near, far = memory_pair("dali")
    said: list[bytes] = []
    near.receiver = lambda data, t_ns: said.append(data)
    peer = LubaPeer("dali", far, [0], lambda *segment: None)
    near.write(luba.encode(luba.STATUS_QUERY, b"\0"), 0)
    near.write(luba.encode_send(0x010203, bits=24) + b"?" + luba.encode(luba.INFO_QUERY, b"\0"), NS_PER_MS)
    peer.run(NS_PER_S)
    peer.set_bus_power(False, NS_PER_S)
    near.write(luba.encode(luba.STATUS_QUERY, b"\0"), NS_PER_S)
    peer.run(2 * NS_PER_S)
    assert [(frame[1], frame[8] if len(frame) > 8 else None) for frame in said] == [(0x2D, 0), (0x2D, 0x80)]
    assert (peer.dropped, peer.stream.skipped_bytes) == (2, 1)


def test_a_gateway_in_a_hurry_keeps_the_bus_quiet_for_13_5_ms_after_a_frame() -> None:
    near, far = memory_pair("dali")
    segments: list[int] = []
    peer = SciPeer("dali", far, [0], lambda number, t_ns, *rest: segments.append(t_ns))
    near.write(sci.encode_send(0x0001) + sci.encode(0x02), 0)
    near.write(sci.encode_send(0x0002), 19 * NS_PER_MS)
    peer.run(NS_PER_S)
    assert segments[1] - segments[0] == 13_500_000 + FORWARD_NS
    assert peer.dropped == 1


ACTION = st.one_of(
    st.tuples(st.just("level"), st.integers(0, 3), st.integers(0, 254)),
    st.tuples(st.sampled_from(["query", "prepare"]), st.integers(0, 3), st.integers(0, 254)),
    st.tuples(st.sampled_from(["silent", "lossy"]), st.just(0), st.integers(0, 254)),
)
SCRIPT = st.lists(st.tuples(st.integers(0, 30), ACTION), max_size=12)
Script = list[tuple[int, tuple[str, int, int]]]


def _play(rig: Rig, script: Script) -> None:
    for ticks, action in script:
        rig.run(rig.now_ns + ticks * TICK_NS)
        rig.act(action)


@given(st.sampled_from(sorted(KINDS)), SCRIPT)
@settings(max_examples=80, deadline=None)
def test_in_the_end_every_lamp_shows_its_latest_level_whatever_the_faults(kind: str, script: Script) -> None:
    rig = Rig(kind)
    _play(rig, script)
    wanted = {n: value for _, (what, n, value) in script if what == "level"}
    rig.peer.lose_answers(0)
    rig.run(rig.now_ns + 200 * NS_PER_S)
    assert {n: rig.peer.level_at(n, rig.now_ns) for n in wanted} == wanted
    assert rig.bus.wake_ns == FOREVER_NS
    queries = sum(what == "query" for _, (what, _, _) in script)
    health = [value for value in rig.values if isinstance(value, DeviceHealth) and value.source == "dali"]
    reached = len(health) * len(rig.lamps)  # each lamp says that its gateway is lost, or back
    assert sum(isinstance(value, LampStatus) for value in rig.values) == queries + reached


@given(st.sampled_from(sorted(KINDS)), SCRIPT)
@settings(max_examples=40, deadline=None)
def test_skipping_ticks_and_taking_every_tick_give_the_same_bytes_at_the_same_times(kind: str, script: Script) -> None:
    skipping, ticking = Rig(kind), Rig(kind, tickless=False)
    for rig in (skipping, ticking):
        _play(rig, script)
        rig.run(rig.now_ns + 5 * NS_PER_S)
    assert (skipping.wire, skipping.values) == (ticking.wire, ticking.values)
    assert skipping.state() == ticking.state()


@given(st.sampled_from(sorted(KINDS)), SCRIPT, st.integers(0, 12), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_a_run_from_a_snapshot_in_its_middle_is_the_same_run(kind: str, script: Script, at: int, later: int) -> None:
    rig, other = Rig(kind), Rig(kind)
    _play(rig, script[:at])
    rig.run(rig.now_ns + later * TICK_NS)
    state = json.loads(json.dumps(rig.state()))
    other.now_ns = state["now_ns"]
    other.bus.restore(state["bus"])
    for lamp, saved in zip(other.lamps, state["lamps"], strict=True):
        lamp.restore(saved)
    other.peer.restore(state["peer"])
    assert other.state() == state
    for each in (rig, other):
        each.wire.clear()
        each.values.clear()
        _play(each, script[at:])
        each.run(each.now_ns + 5 * NS_PER_S)
    assert (rig.wire, rig.values) == (other.wire, other.values)
    assert rig.state() == other.state()
