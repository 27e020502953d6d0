"""Factory-new gear, its addresses and its memory: the gear alone, and addressed and read over each gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_rig import TICK_NS, DaliRig
from drivers.buses.dali import DaliBus
from drivers.buses.dali_gateways import AtxLedGateway, LubaGateway, SciGateway
from drivers.buses.dali_procedures import Done, Progress
from drivers.codecs import dali
from drivers.devices.lamp import DaliLamp
from drivers.links.memory import memory_pair
from drivers.quantities import PowerReading, Quantity
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.dali_gateway import DaliGateway
from hil.peers.dali_line import NEW, DaliLine
from hil.peers.dali_lunatone import LubaPeer, SciPeer
from hil.peers.dali_memory import fill_d4i

MINUTE_NS = 60 * NS_PER_S
KINDS: dict[str, tuple[Any, Any]] = {
    "atxled": (AtxLedGateway, DaliGateway),
    "luba": (LubaGateway, LubaPeer),
    "sci": (SciGateway, SciPeer),
}


class Line(DaliLine):
    """A line whose frames are typed as hex; what wants to be sent twice is."""

    def __init__(self, *numbers: int) -> None:
        super().__init__(numbers, lambda *segment: None, level=0, fade_code=0)
        self.now_ns = 0

    def say(self, *frames: int) -> list[list[int]]:
        answers = []
        for frame in frames:
            for _ in range(2 if dali.is_sent_twice(frame) else 1):
                self.now_ns += 30 * NS_PER_MS
                answer = self.forward(frame, self.now_ns)
            answers.append(answer)
        return answers


def test_factory_new_gear_says_that_it_has_no_address_and_hears_the_broadcast_for_such() -> None:
    line = Line(5, NEW)
    assert line.say(0xFF96, 0xFD96, 0x0B96, 0x0B90, 0xFD90) == [[0xFF], [0xFF], [], [0x00], [0x40]]


def test_gear_listens_to_addressing_for_15_minutes_and_until_terminate() -> None:
    line = Line(NEW)
    gear = line.gear[NEW]
    line.say(0xA700)
    assert gear.addressing.random == 0xFFFFFF  # not initialised
    line.say(0xA5FF, 0xA700)
    drawn = gear.addressing.random
    assert drawn < 0xFFFFFF
    assert line.say(0xA900) == [[0xFF]]
    line.now_ns += 15 * MINUTE_NS
    assert line.say(0xA900) == [[]]
    line.say(0xA5FF)
    assert line.say(0xA900, 0xA100, 0xA900) == [[0xFF], [], []]
    assert line.say(0xFFC2, 0xFFC3, 0xFFC4) == [[drawn >> 16], [drawn >> 8 & 0xFF], [drawn & 0xFF]]


def test_initialise_means_all_those_without_an_address_or_one() -> None:
    line = Line(3, 4, NEW)
    for data, meant in ((0x00, {3, 4, NEW}), (0xFF, {NEW}), (0x07, {3}), (0x0B, set())):
        line.say(0xA100, 0xA500 | data)
        assert {number for number, gear in line.gear.items() if gear.addressing.initialised(line.now_ns)} == meant


def test_an_address_is_programmed_verified_asked_for_and_taken_away() -> None:
    line = Line(NEW)
    line.gear[NEW].addressing.draws.append(0x123456)
    line.say(0xA5FF, 0xA700, 0xB112, 0xB334, 0xB555)
    assert line.say(0xA900, 0xB707, 0xB907, 0xBB00) == [[], [], [], []]  # one too low
    line.say(0xB556)
    assert line.say(0xA900, 0xBB00, 0xB707, 0xBB00, 0xB907, 0xB905) == [[0xFF], [0xFF], [], [0x07], [0xFF], []]
    assert line.say(0x0791) == [[0xFF]]
    assert line.say(0xAB00, 0xA900) == [[], []]  # withdrawn
    line.say(0xB706)  # no address byte
    assert line.say(0x0791) == [[0xFF]]
    line.say(0xB7FF)
    assert line.say(0x0791) == [[]]


def test_set_short_address_takes_the_byte_in_dtr0() -> None:
    line = Line(0)
    line.say(0xA30B, 0x0180)
    assert line.say(0x0191, 0x0B91) == [[], [0xFF]]


def test_memory_is_read_location_by_location_and_ends_where_it_ends() -> None:
    line = Line(0)
    assert line.say(0xC3CA, 0xA304, 0x01C5) == [[], [], []]
    fill_d4i(line.gear[0].memory)
    # devices.md, D4i: scale FD, 00000012D687
    assert line.say(0xA304, *[0x01C5] * 12)[1:] == [[byte] for byte in bytes.fromhex("fd00000012d687 fd 0000a154")]
    assert line.say(0x01C5, 0x0198, 0x019C, 0x0197) == [[], [0x11], [0xCA], [8]]
    assert line.say(0xC505, 0x019D) == [[], [5]]
    assert line.say(0xA301, 0x01C5, 0xC363, 0x01C5, 0x0198) == [[], [], [], [], [2]]  # reserved; no such bank


def test_memory_is_written_only_after_it_was_enabled_and_nothing_else_came_between() -> None:
    line = Line(0)
    memory = line.gear[0].memory
    fill_d4i(memory)
    assert line.say(0xC3CA, 0xA302, 0xC7AA) == [[], [], []]
    assert line.say(0x0181, 0xC3CA, 0xA302, 0x0198, 0xC7AA) == [[], [], [], [2], [0xAA]]
    assert memory.latched == [202]
    assert line.say(0x0181, 0xA302, 0x0190, 0xC7FF) == [[], [], [0], []]
    assert memory.latched == [202]
    assert line.say(0x0181, 0xA302, 0xC9FF, 0xA304, 0xC701) == [[]] * 5  # no reply; no place to write
    assert memory.latched == []


def test_a_latched_bank_holds_still() -> None:
    line = Line(0)
    memory = line.gear[0].memory
    fill_d4i(memory)
    line.say(0xC3CA, 0x0181, 0xA302, 0xC9AA)
    memory.fill(202, 0x0A, b"\x99")
    assert line.say(0xA30A, 0x01C5) == [[], [0x87]]
    line.say(0x0181, 0xA302, 0xC9FF)
    assert line.say(0xA30A, 0x01C5) == [[], [0x99]]


def test_a_failed_lamp_is_dark_to_who_asks() -> None:
    line = Line(0)
    line.say(0x00FE)
    assert line.say(0x0190, 0x0193) == [[0x04], [0xFF]]
    line.gear[0].lamp_failed = True
    assert line.say(0x0190, 0x0193) == [[0x02], []]
    line.gear[0].gear_failed = True
    assert line.say(0x0190) == [[0x03]]


class Rig(DaliRig):
    """A bus with a lamp at 5, and new gear, over one of the gateways."""

    def __init__(self, kind: str, new: int = 3) -> None:
        near, far = memory_pair("dali")
        gateway, peer = KINDS[kind]
        self.values: list[Quantity] = []
        self.done: list[Done] = []
        self.told: list[Progress] = []
        self.bus = DaliBus("dali", near, emit=self.values.append, gateway=gateway())
        self.lamp = DaliLamp("lamp-5", self.bus, 5)
        self.bus.listen("test", self.done.append, self.told.append)
        self.peer = peer("dali", far, [5, *range(NEW, NEW + new)], lambda *segment: None)
        fill_d4i(self.peer.gear[5].memory)

    def address(self, deadline_ns: int = 10 * MINUTE_NS) -> None:
        self.bus.submit("commission", (0, 63), self.now_ns, owner="test", deadline_ns=self.now_ns + deadline_ns)

    def until_done(self) -> Any:
        while not self.done:
            assert self.now_ns < 60 * MINUTE_NS
            self.run(self.now_ns + TICK_NS)
        return self.done[-1].result

    @property
    def addresses(self) -> list[int | None]:
        return [gear.short_address for gear in self.peer.gear.values()]

    @property
    def listening(self) -> bool:
        return any(gear.addressing.initialised(self.now_ns) for gear in self.peer.gear.values())

    def state(self) -> Any:
        return {"now_ns": self.now_ns, "bus": self.bus.snapshot(), "peer": self.peer.snapshot()}


@pytest.mark.parametrize("kind", KINDS)
def test_new_gear_is_addressed_over_each_gateway(kind: str) -> None:
    rig = Rig(kind)
    rig.address()
    result = rig.until_done()
    assert (result["kept"], result["failed"], result["left"]) == ([5], [], False)
    assert [short for short, _ in result["assigned"]] == [0, 1, 2]
    assert {gear.addressing.random: gear.short_address for gear in list(rig.peer.gear.values())[1:]} == {
        random: short for short, random in result["assigned"]
    }
    assert not rig.listening
    assert (rig.told[0].total, rig.told[-1].text.split(" has ")[1]) == (64, "short address 2")
    assert rig.bus.conflicts == 0


def test_64_new_gear_are_addressed_in_four_minutes() -> None:
    rig = Rig("luba", new=63)
    rig.address()
    assert len(rig.until_done()["assigned"]) == 63
    assert sorted(address for address in rig.addresses if address is not None) == list(range(64))
    assert rig.now_ns < 4 * MINUTE_NS


@pytest.mark.parametrize("kind", KINDS)
def test_levels_go_between_the_questions_of_addressing(kind: str) -> None:
    rig = Rig(kind)
    rig.address()
    late_ns = []
    for n in range(60):
        rig.run(rig.now_ns + 97 * NS_PER_MS // TICK_NS * TICK_NS)
        rig.lamp.set_level(n, rig.now_ns)
        began_ns = rig.now_ns
        while rig.peer.level_at(5, rig.now_ns) != n:
            rig.run(rig.now_ns + TICK_NS)
        late_ns.append(rig.now_ns - began_ns)
    assert max(late_ns) <= 260 * NS_PER_MS  # an ATX-LED rests 100 ms after a collision, gear draws for 100 ms
    assert rig.until_done()["left"] is False


def _initialised(rig: Rig) -> Rig:
    """In the middle of addressing, gear listening."""
    while not rig.listening:
        assert not rig.done
        rig.run(rig.now_ns + TICK_NS)
    return rig


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("failing", ["deadline", "cancelled", "gateway lost until after the deadline"])
def test_gear_is_never_left_listening_when_addressing_fails(kind: str, failing: str) -> None:
    rig = Rig(kind)
    rig.address(deadline_ns=8 * NS_PER_S)
    _initialised(rig)
    if failing == "cancelled":
        rig.bus.cancel("test", rig.now_ns)
    elif failing != "deadline":
        rig.peer.set_silent(rig.now_ns, 20 * NS_PER_S)
    rig.run(30 * NS_PER_S)
    assert [done.ok for done in rig.done] == [False]
    assert not rig.listening


def test_a_gateway_that_was_lost_in_the_middle_of_addressing_ends_it_well() -> None:
    rig = Rig("luba")
    rig.address()
    while len(rig.told) < 65:
        rig.run(rig.now_ns + TICK_NS)
    rig.peer.set_silent(rig.now_ns, rig.now_ns + 10 * NS_PER_S)
    result = rig.until_done()
    assert (result["kept"], len(result["assigned"]), result["left"]) == ([0, 5], 2, False)
    assert sorted(address or 0 for address in rig.addresses) == [0, 1, 2, 5]


@given(st.sampled_from(sorted(KINDS)), st.integers(2, 40), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_words_that_get_lost_now_and_then_cost_time_and_nothing_else(kind: str, every: int, new: int) -> None:
    rig = Rig(kind, new=new)
    rig.run(every * NS_PER_S)
    rig.peer.lose_answers(17 + every)
    rig.address(deadline_ns=60 * MINUTE_NS)
    result = rig.until_done()
    assert result["left"] is False
    assert len(set(rig.addresses) - {None}) == 1 + new


@pytest.mark.parametrize("kind", KINDS)
def test_energy_and_diagnostics_are_read_over_each_gateway(kind: str) -> None:
    rig = Rig(kind)
    rig.lamp.power(0)
    rig.run(3 * NS_PER_S)
    [reading] = rig.values
    assert isinstance(reading, PowerReading)
    assert (reading.energy_mwh, reading.power_mw) == (1_234_567, 41_300)
    assert rig.peer.gear[5].memory.latched == []
    rig.bus.submit("read_diagnostics", (5,), rig.now_ns, owner="test", deadline_ns=30 * NS_PER_S)
    said = rig.until_done()
    assert (said["supply_mv"], said["gear_degc"], said["lamp_on_s"], said["lamp_degc"]) == (230_100, 31, 85_000, None)


def test_levels_pass_while_memory_is_read_but_never_between_a_register_and_its_use() -> None:
    rig = Rig("atxled")
    rig.bus.submit("read_energy", (5,), 0, owner="test", deadline_ns=30 * NS_PER_S)
    frames: list[int] = []
    hear = rig.peer.line.forward
    rig.peer.line.forward = lambda frame, end_ns: (frames.append(frame), hear(frame, end_ns))[1]  # type: ignore[func-returns-value]
    for n in range(60):
        rig.lamp.set_level(1 + n, rig.now_ns)
        rig.run(rig.now_ns + TICK_NS)
    assert rig.until_done() == {"energy_mwh": 1_234_567, "power_mw": 41_300}
    levels = [n for n, frame in enumerate(frames) if frame >> 8 == 0x0A]
    assert len(levels) > 10
    assert not any(frames[n - 1] >> 8 in (0xA3, 0xC3, 0xC9) or frames[n - 1] == 0x0B81 for n in levels if n)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at_ms", [500, 2_500, 4_020, 8_000])
def test_a_run_from_a_snapshot_in_the_middle_of_addressing_is_the_same_run(kind: str, at_ms: int) -> None:
    rig, other = Rig(kind), Rig(kind)
    rig.address()
    rig.run(at_ms * NS_PER_MS)
    state = json.loads(json.dumps(rig.state()))
    other.now_ns = state["now_ns"]
    other.bus.restore(state["bus"])
    other.peer.restore(state["peer"])
    assert other.state() == state
    assert rig.until_done() == other.until_done()
    assert rig.state() == other.state()
