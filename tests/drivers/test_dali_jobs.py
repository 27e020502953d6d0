"""The bus master with LUBA and SCI, and procedures that pause, tell, ask many, fail, are cancelled."""

from __future__ import annotations

import json

import pytest

from drivers.buses import dali_jobs
from drivers.buses.dali import DaliBus
from drivers.buses.dali_gateways import AtxLedGateway, Gateway, LubaGateway, SciGateway
from drivers.buses.dali_procedures import Done, Pause, Procedure, ProcedureFailed, Progress
from drivers.codecs import dali, sci
from drivers.codecs.dali import GARBLED, Command
from drivers.codecs.luba import Broken, Event, Heard, LubaStream, Message, Refused, Send, Sent, encode_event
from drivers.devices.lamp import DaliLamp
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, Quantity
from drivers.units import FOREVER_NS, NS_PER_MS

ASK = Command(0xA900, answers=True, many=True, again=True)
TELL = Command(0xB112, again=True)


def patient(number: int) -> Procedure:
    """Asks, tells, pauses, asks."""
    yield Progress(0, 2, "begun")
    first = yield ASK
    yield Progress(1, 2, f"heard {first}")
    yield TELL
    yield Pause(100 * NS_PER_MS)
    second = yield ASK
    if second is None:
        raise ProcedureFailed(f"nobody is left of {number}")
    return {"first": first, "second": second}


@pytest.fixture(autouse=True)
def _procedures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dali_jobs, "PROCEDURES", {**dali_jobs.PROCEDURES, "patient": patient})


class Rig:
    """A bus on a gateway, two lamps, and a far end that only listens."""

    def __init__(self, gateway: Gateway) -> None:
        near, self.far = memory_pair("dali")
        self.values: list[Quantity] = []
        self.sent: list[bytes] = []
        self.done: list[Done] = []
        self.told: list[str] = []
        self.bus = DaliBus("dali", near, emit=self.values.append, gateway=gateway)
        self.lamps = [DaliLamp(f"lamp-{n}", self.bus, n) for n in range(2)]
        self.bus.listen("test", self.done.append, lambda progress: self.told.append(progress.text))
        self.far.receiver = lambda data, t_ns: self.sent.append(data)
        self.now_ns = 0

    def go(self, ms: int) -> None:
        self.now_ns = ms * NS_PER_MS
        self.bus.advance(self.now_ns)

    def says(self, data: bytes, ms: int) -> None:
        self.far.write(data, ms * NS_PER_MS)

    def taken(self) -> list[bytes]:
        sent, self.sent = self.sent, []
        return sent

    def submit(self, procedure: str, *args: int, deadline_ms: int = 10_000) -> None:
        self.bus.submit(procedure, args, self.now_ns, owner="test", deadline_ns=deadline_ms * NS_PER_MS)


class Luba(Rig):
    def __init__(self, bus_power: bool | None = None) -> None:
        super().__init__(LubaGateway(bus_power))

    def event(self, event: Event, ms: int) -> None:
        self.says(encode_event(event), ms)

    def sends(self) -> list[Event]:
        return LubaStream().feed(b"".join(self.taken()))


def frame(sent: int, *, twice: bool = False, priority: int = 3) -> Send:
    return Send(16, sent.to_bytes(2, "big"), twice, priority)


def passed(sent: int) -> Sent:
    return Sent(sent.to_bytes(2, "big"), 1)


def test_behind_a_luba_the_next_level_leaves_when_the_last_has_been_sent() -> None:
    rig = Luba()
    rig.lamps[0].set_level(254, 0)
    rig.go(0)
    rig.lamps[1].set_level(170, 0)
    rig.event(passed(0x00FE), 22)
    assert rig.sends() == [frame(0x00FE), frame(0x02AA)]
    rig.event(passed(0x02AA), 44)
    assert rig.bus.wake_ns == FOREVER_NS


def test_behind_a_luba_nobody_has_answered_when_the_time_for_an_answer_is_over() -> None:
    rig = Luba()
    rig.submit("query_status", 1)
    rig.go(0)
    rig.event(passed(0x0390), 22)
    rig.go(60)
    assert rig.done == []
    assert rig.bus.wake_ns == 62 * NS_PER_MS
    rig.go(62)
    assert [(done.ok, done.result) for done in rig.done] == [(True, None)]
    assert rig.bus.no_replies == 0


def test_behind_a_luba_an_answer_is_taken_after_sent_and_foreign_ones_are_not() -> None:
    rig = Luba()
    rig.submit("query_status", 1)
    rig.go(0)
    rig.event(Heard(16, b"\x0b\xa0"), 5)
    rig.event(Heard(8, b"\x55"), 20)
    rig.event(passed(0x0390), 40)
    rig.event(Heard(8, b"\x04"), 55)
    assert [(done.ok, done.result) for done in rig.done] == [(True, 4)]
    assert rig.bus.unexpected_lines == 2


def test_a_refused_frame_is_sent_again_and_three_make_the_bus_unhealthy_with_the_gateways_reason() -> None:
    rig = Luba()
    rig.lamps[0].set_level(1, 0)
    rig.go(0)
    for ms in (5, 10, 15):
        rig.event(Refused(1), ms)
    assert rig.sends() == [frame(0x0001)] * 3
    assert rig.values[0] == DeviceHealth(15 * NS_PER_MS, "dali", False, "no voltage on the bus")


def test_a_lost_luba_is_greeted_again_with_each_probe() -> None:
    rig = Luba(bus_power=True)
    rig.lamps[0].set_level(1, 0)
    for ms in (0, 200, 400, 600, 1600):
        rig.go(ms)
    settings = Message(0x2A, b"\x00\x12\x80")
    assert rig.sends() == [settings, *[frame(0x0001)] * 3, settings, frame(0x0191)]
    rig.event(passed(0x0191), 1625)
    assert rig.sends() == []  # its answer may still come
    rig.event(Heard(8, b"\xff"), 1640)
    assert rig.sends() == [frame(0x0001)]
    assert [value.ok for value in rig.values if isinstance(value, DeviceHealth)] == [False, True]


def test_what_belongs_together_goes_to_a_luba_at_priority_1_and_twice_is_done_by_it() -> None:
    rig = Luba()
    rig.submit("configure_gear", 0, 254, 0)
    rig.go(0)
    for event in (passed(0x01A4), Heard(8, b"\x00"), passed(0xA3FE)):
        rig.event(event, 20)
    assert rig.sends() == [frame(0x01A4), frame(0xA3FE), frame(0x012C, twice=True, priority=1)]
    rig.event(passed(0x012C), 40)
    assert rig.sends() == []
    rig.event(passed(0x012C), 70)
    assert rig.sends() == [frame(0x01A4)]


def test_two_gear_with_one_address_fail_the_query_behind_a_luba_too() -> None:
    rig = Luba()
    rig.submit("query_status", 0)
    rig.go(0)
    for ms in (22, 62, 102):
        rig.event(passed(0x0190), ms)
        rig.event(Broken(63), ms + 15)
    assert [done.reason for done in rig.done] == ["answers collide: two gear with one short address?"]


def test_behind_an_sci_a_status_settles_a_level_and_a_short_circuit_is_told() -> None:
    rig = Rig(SciGateway())
    rig.lamps[0].set_level(254, 0)
    rig.go(0)
    assert rig.taken() == [sci.encode_send(0x00FE, flags=0xA0)]
    rig.says(sci.encode_heard(0x00FE, bits=16), 20)
    rig.says(sci.encode(0), 21)
    assert rig.bus.wake_ns == FOREVER_NS
    rig.says(sci.encode(1), 30)  # of a frame that is settled
    assert rig.bus.unexpected_lines == 0
    rig.lamps[0].set_level(0, 40 * NS_PER_MS)
    rig.go(40)
    for ms in (45, 50, 55):
        rig.says(sci.encode(7, b"\0\0\2"), ms)
    assert [value.reason for value in rig.values if isinstance(value, DeviceHealth)] == ["short circuit on the bus"]


# --- procedures


def test_a_procedure_may_pause_and_tell_how_far_it_is() -> None:
    rig = Rig(AtxLedGateway())
    rig.submit("patient", 7)
    rig.go(0)
    rig.says(b"JFF\n", 30)
    rig.says(b"N\n", 60)
    rig.lamps[0].set_level(1, 70 * NS_PER_MS)
    rig.go(159)
    assert rig.taken() == [b"hA900\n", b"hB112\n"]  # not even a level
    rig.says(b"N\n", 159)
    assert rig.bus.unexpected_lines == 1
    rig.go(160)
    rig.says(b"N\n", 190)
    rig.says(b"J01\n", 220)
    assert rig.taken() == [b"h0001\n", b"hA900\n"]
    assert [(done.ok, done.result) for done in rig.done] == [(True, {"first": 255, "second": 1})]
    assert rig.told == ["begun", "heard 255"]


def test_several_answers_are_an_answer_to_who_asks_many_and_an_atx_led_rests_after_them() -> None:
    rig = Rig(AtxLedGateway())
    rig.submit("patient", 7)
    rig.go(0)
    rig.says(b"X\n", 30)
    assert (rig.taken(), rig.told) == ([b"hA900\n"], ["begun", f"heard {GARBLED}"])
    rig.go(129)
    assert rig.taken() == []
    rig.go(130)
    assert rig.taken() == [b"hB112\n"]
    assert rig.bus.conflicts == 0


def test_a_luba_does_not_rest_after_a_collision() -> None:
    rig = Luba()
    rig.submit("patient", 7)
    rig.go(0)
    rig.event(passed(0xA900), 22)
    rig.event(Broken(63), 37)
    assert rig.sends() == [frame(0xA900), frame(0xB112)]


def test_a_procedure_that_cannot_go_on_says_why() -> None:
    rig = Rig(AtxLedGateway())
    rig.submit("patient", 7)
    rig.go(0)
    rig.says(b"N\n", 30)
    rig.says(b"N\n", 60)
    rig.go(160)
    rig.says(b"N\n", 190)
    assert [(done.ok, done.reason) for done in rig.done] == [(False, "nobody is left of 7")]


def test_what_may_be_heard_again_is_sent_again_and_does_not_begin_anew_until_the_gateway_is_lost() -> None:
    rig = Rig(AtxLedGateway())
    rig.submit("patient", 7, deadline_ms=60_000)
    rig.go(0)
    rig.says(b"JFF\n", 30)
    for ms in (130, 230, 330, 430):
        rig.go(ms)
    assert rig.taken() == [b"hA900\n", b"hB112\n", b"hB112\n", b"hB112\n"]
    rig.go(530)
    rig.go(1530)
    rig.says(b"JFF\n", 1560)
    assert rig.taken() == [b"h0191\n", b"hA900\n"]


def test_a_deadline_in_a_pause_ends_the_procedure_and_the_pause_is_kept() -> None:
    rig = Rig(AtxLedGateway())
    rig.submit("patient", 7, deadline_ms=100)
    rig.go(0)
    rig.says(b"N\n", 30)
    rig.says(b"N\n", 60)
    rig.go(100)
    assert [done.reason for done in rig.done] == ["deadline passed"]
    assert rig.bus.wake_ns == 160 * NS_PER_MS
    rig.go(160)
    assert (rig.taken(), rig.bus.wake_ns) == ([b"hA900\n", b"hB112\n"], FOREVER_NS)


def test_cancelling_ends_what_runs_and_what_waits_of_one_owner() -> None:
    rig = Rig(AtxLedGateway())
    rig.submit("query_status", 0)
    rig.submit("query_status", 1)
    rig.lamps[0].check(0)
    rig.go(0)
    rig.bus.cancel("test", 10 * NS_PER_MS)
    assert [(done.args, done.reason) for done in rig.done] == [((0,), "cancelled"), ((1,), "cancelled")]
    rig.says(b"J04\n", 30)  # of the one that ran
    assert rig.taken() == [b"h0190\n", b"h0190\n"]
    rig.says(b"J04\n", 60)
    assert rig.values == [DeviceHealth(60 * NS_PER_MS, "lamp-0", True)]


@pytest.mark.parametrize("failing", ["deadline", "cancel", "cancelled when idle"])
def test_addressing_that_fails_is_followed_by_terminate(failing: str) -> None:
    rig = Rig(AtxLedGateway())
    rig.submit("commission", 0, 63, deadline_ms=100)
    rig.go(0)
    rig.says(b"N\n", 30)
    if failing == "deadline":
        rig.go(100)
        rig.says(b"N\n", 110)
    elif failing == "cancel":
        rig.bus.cancel("test", 40 * NS_PER_MS)
        rig.says(b"N\n", 60)
    else:
        rig.says(b"X\n", 60)  # rests
        rig.bus.cancel("test", 100 * NS_PER_MS)
        rig.go(160)
    assert rig.taken()[-1] == b"hA100\n"
    assert [done.ok for done in rig.done] == [False]
    rig.says(b"N\n", 200)
    assert rig.bus.wake_ns == FOREVER_NS


def test_addressing_that_never_began_needs_no_terminate() -> None:
    rig = Rig(AtxLedGateway())
    rig.submit("commission", 0, 63)
    rig.bus.cancel("test", 0)
    rig.go(0)
    assert (rig.taken(), [done.ok for done in rig.done]) == ([], [False])


def test_terminate_waits_for_a_gateway_that_is_lost() -> None:
    rig = Rig(AtxLedGateway())
    rig.submit("commission", 0, 63, deadline_ms=250)
    for ms in (0, 100, 200, 300):
        rig.go(ms)
    rig.bus.cancel("test", 400 * NS_PER_MS)
    rig.go(1300)
    rig.says(b"JFF\n", 1330)
    assert rig.taken()[-2:] == [b"h0191\n", b"hA100\n"]


@pytest.mark.parametrize("ms", [10, 40, 70, 170])
def test_a_snapshot_in_the_middle_of_a_procedure_is_exact(ms: int) -> None:
    rigs = [Rig(AtxLedGateway()), Rig(AtxLedGateway())]
    steps = [(30, b"JFF\n"), (60, b"N\n"), (160, b""), (190, b"J01\n")]
    rigs[0].submit("patient", 7)
    rigs[0].go(0)
    for at, line in [step for step in steps if step[0] < ms]:
        rigs[0].says(line, at) if line else rigs[0].go(at)
    state = json.loads(json.dumps(rigs[0].bus.snapshot()))
    rigs[1].bus.restore(state)
    assert rigs[1].bus.snapshot() == state
    for rig in rigs:
        rig.taken()
        for at, line in [step for step in steps if step[0] >= ms]:
            rig.says(line, at) if line else rig.go(at)
    assert rigs[0].taken() == rigs[1].taken()
    assert rigs[0].done == rigs[1].done
    assert [done.result for done in rigs[1].done] == [{"first": 255, "second": 1}]


def test_the_time_to_wait_for_a_word_is_the_gateways_unless_named() -> None:
    near, _ = memory_pair("dali")
    bus = DaliBus("dali", near, emit=lambda value: None, gateway=LubaGateway(), answer_timeout_ns=5)
    bus.listen_first(0)
    assert bus.wake_ns == 5
    assert dali.short(0) == 0
