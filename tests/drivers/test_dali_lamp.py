"""A DALI lamp that is asked how it is and what it draws; a lamp with its bus to itself, and its orders."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drivers.buses.dali import DaliBus
from drivers.buses.dali_gateways import AtxLedGateway
from drivers.devices.lamp import DaliLamp
from drivers.devices.lone_lamp import LoneDaliLamp
from drivers.links.memory import memory_pair
from drivers.parts import PARTS
from drivers.parts.part import Options
from drivers.quantities import DeviceHealth, LampStatus, PowerReading, Quantity
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S


class Rig:
    """A lamp on a bus that answers as the test says: by frame, "N" if it says nothing."""

    def __init__(self, **options: Any) -> None:
        near, self.far = memory_pair("dali")
        self.values: list[Quantity] = []
        self.sent: list[str] = []
        self.answers: dict[str, str] = {}
        self.far.receiver = self._answer
        self.bus = DaliBus("dali", near, emit=self.values.append)
        self.lamp = DaliLamp("lamp-1", self.bus, 5, **options)

    def _answer(self, data: bytes, t_ns: int) -> None:
        for line in data.decode().split():
            self.sent.append(line)
            self.far.write(self.answers.get(line, "N").encode() + b"\n", t_ns)
            if line.startswith("t"):
                self.far.write(b"N\n", t_ns)

    def go(self, to_s: float) -> None:
        now_ns = round(to_s * NS_PER_S)
        self.lamp.advance(now_ns)
        self.bus.advance(now_ns)


STATUS = "h0B90"


@pytest.mark.parametrize(
    ("answer", "health"),
    [
        ("J04", DeviceHealth(0, "lamp-1", True)),
        ("J02", DeviceHealth(0, "lamp-1", False, "lamp failure")),
        ("J03", DeviceHealth(0, "lamp-1", False, "lamp failure")),
        ("J01", DeviceHealth(0, "lamp-1", False, "gear failure")),
        ("N", DeviceHealth(0, "lamp-1", False, "gear does not answer")),
    ],
)
def test_a_check_says_what_the_status_byte_says(answer: str, health: DeviceHealth) -> None:
    rig = Rig()
    rig.answers[STATUS] = answer
    rig.lamp.check(0)
    rig.go(0)
    failed = [] if health.ok else [LampStatus(0, "lamp-1", None, health.reason)]
    assert (rig.sent, rig.values) == ([STATUS], [*failed, health])


def test_two_gear_with_the_lamps_address_are_told_by_a_check() -> None:
    rig = Rig()
    rig.answers[STATUS] = "X"
    rig.lamp.check(0)
    for at_s in (0.0, 0.2, 0.4, 0.6):
        rig.go(at_s)
    assert [value.reason for value in rig.values if isinstance(value, DeviceHealth)] == [
        "answers collide: two gear with one short address?"
    ]


def test_a_check_that_did_not_get_its_turn_says_nothing_of_the_gear() -> None:
    rig = Rig()
    rig.lamp.check(0, timeout_ns=5)
    rig.go(1)
    assert (rig.sent, rig.values) == ([], [])


def test_a_lamp_checks_by_itself_and_speaks_only_of_what_has_changed() -> None:
    rig = Rig(check_ns=10 * NS_PER_S)
    for at_s, answer in ((0, "J04"), (10, "J04"), (20, "J02"), (30, "J02"), (40, "J04")):
        rig.answers[STATUS] = answer
        rig.go(at_s)
        rig.go(at_s + 5)
    assert rig.sent == [STATUS, "h0BA0"] * 5
    assert [(value.t_ns // NS_PER_S, value.ok) for value in rig.values if isinstance(value, DeviceHealth)] == [
        (0, True),
        (20, False),
        (40, True),
    ]
    assert [(value.t_ns // NS_PER_S, value.failure) for value in rig.values if isinstance(value, LampStatus)] == [
        (20, "lamp failure"),
        (40, ""),
    ]
    assert rig.lamp.wake_ns == 50 * NS_PER_S


def test_power_of_gear_without_energy_banks_is_not_known() -> None:
    rig = Rig()
    rig.lamp.power(0)
    rig.go(0)
    assert rig.values == [PowerReading(0, "lamp-1")]


def test_a_lamp_asks_for_its_power_by_itself() -> None:
    rig = Rig(power_ns=60 * NS_PER_S)
    for at_s in (0, 30, 60):
        rig.go(at_s)
    assert [value.t_ns // NS_PER_S for value in rig.values if isinstance(value, PowerReading)] == [0, 60]


def test_before_its_wake_a_lamp_does_nothing_and_changes_nothing() -> None:
    rig = Rig(check_ns=10 * NS_PER_S, power_ns=20 * NS_PER_S)
    rig.go(0)
    state = rig.lamp.snapshot()
    rig.lamp.advance(rig.lamp.wake_ns - 1)
    assert rig.lamp.snapshot() == state
    assert rig.bus.wake_ns == FOREVER_NS


def test_a_lamp_that_asks_by_itself_has_state_and_goes_on_exactly() -> None:
    rigs = [Rig(check_ns=10 * NS_PER_S), Rig(check_ns=10 * NS_PER_S)]
    rigs[0].answers[STATUS] = rigs[1].answers[STATUS] = "J02"
    rigs[0].go(3)
    state = json.loads(json.dumps([rigs[0].lamp.snapshot(), rigs[0].bus.snapshot()]))
    rigs[1].lamp.restore(state[0])
    rigs[1].bus.restore(state[1])
    rigs[0].values.clear()
    rigs[0].sent.clear()
    for rig in rigs:
        rig.go(12)
        assert (rig.sent, rig.values) == ([], [])
        rig.answers[STATUS] = "J04"
        rig.go(13)
        assert rig.values == [
            LampStatus(13 * NS_PER_S, "lamp-1", None, ""),
            DeviceHealth(13 * NS_PER_S, "lamp-1", True),
        ]
    assert rigs[0].lamp.snapshot() == rigs[1].lamp.snapshot()


def test_identify_says_nothing_when_it_is_done() -> None:
    rig = Rig()
    rig.lamp.identify(0)
    rig.go(0)
    assert (rig.sent, rig.values) == (["t0B25"], [])


# --- on a desk


class Desk:
    """A part of the bench with a far end that only listens."""

    def __init__(self, part: str, address: int | None = None) -> None:
        near, self.far = memory_pair(part)
        self.sent: list[bytes] = []
        self.values: list[Quantity] = []
        self.far.receiver = lambda data, t_ns: self.sent.append(data)
        bench = PARTS[part].bench
        assert bench is not None
        self.bench = bench
        self.device: Any = bench.device(part, near, self.values.append, Options(address))


@pytest.mark.parametrize(
    ("part", "baud", "first"),
    [("atxled", 19_200, "h0AFE\n"), ("luba", 38_400, "\x59\x32\x07"), ("sci", 38_400, "\xa3\x0a\xfe\x00\x57")],
)
def test_each_gateway_has_a_lamp_on_the_bench(part: str, baud: int, first: str) -> None:
    desk = Desk(part, 5)
    assert (desk.bench.bauds, desk.bench.address, bool(desk.bench.raw_risk)) == ((baud,), 0, True)
    orders = {order.name: order for order in desk.bench.orders}
    orders["level"].perform(desk.device, (254,), 0)
    assert desk.device.wake_ns == 0
    desk.device.advance(0)
    assert desk.sent[0].startswith(first.encode("latin-1"))


def test_orders_that_light_or_darken_say_so_and_questions_do_not() -> None:
    orders = Desk("luba").bench.orders
    assert {order.name: order.risk for order in orders} == {
        "level": "lights a lamp",
        "off": "darkens a lamp",
        "query-level": "",
        "status": "",
        "identify": "lights a lamp",
        "energy": "",
    }


@pytest.mark.parametrize(
    ("order", "line", "answer", "value"),
    [
        ("off", b"h0000\n", b"N\n", None),
        ("query-level", b"h01A0\n", b"JAA\n", LampStatus(133 * NS_PER_MS, "atxled", 170)),
        ("status", b"h0190\n", b"J04\n", DeviceHealth(33 * NS_PER_MS, "atxled", True)),
        ("identify", b"t0125\n", b"N\n", None),
        ("energy", b"hC3CA\n", b"N\n", None),
    ],
)
def test_each_order_reaches_the_gear(order: str, line: bytes, answer: bytes, value: Quantity | None) -> None:
    desk = Desk("atxled")
    perform = {each.name: each.perform for each in desk.bench.orders}[order]
    perform(desk.device, (), 0)
    desk.device.advance(0)
    if order == "query-level":  # as at a start: whoever was here before us may still be answered
        desk.device.advance(100 * NS_PER_MS)
    assert desk.sent == [line]
    desk.far.write(answer, 133 * NS_PER_MS if order == "query-level" else 33 * NS_PER_MS)
    assert desk.values == ([] if value is None else [value])


def test_a_lone_lamp_asks_something_harmless_and_counts_what_the_gateway_says() -> None:
    desk = Desk("atxled")
    desk.device.ask(0)
    desk.device.advance(0)
    desk.device.advance(100 * NS_PER_MS)
    assert desk.device.counters()["frames"] == 0
    desk.far.write(b"JAA\n", 133 * NS_PER_MS)
    desk.far.write(b"J04\n", 166 * NS_PER_MS)
    assert desk.sent == [b"h01A0\n", b"h0190\n"]
    assert desk.device.counters() == {
        "frames": 2,
        "sent": 2,
        "no_replies": 0,
        "conflicts": 0,
        "unexpected_lines": 0,
        "link_losses": 0,
        "skipped_bytes": 0,
    }


def test_a_lone_lamp_goes_on_from_its_snapshot() -> None:
    desk, other = Desk("atxled"), Desk("atxled")
    desk.device.check(0)
    desk.device.advance(0)
    state = json.loads(json.dumps(desk.device.snapshot()))
    other.device.restore(state)
    assert other.device.snapshot() == state
    other.far.write(b"J02\n", 33 * NS_PER_MS)
    assert other.values[1:] == [DeviceHealth(33 * NS_PER_MS, "atxled", False, "lamp failure")]


def test_the_bus_of_a_lone_lamp_speaks_under_its_own_name() -> None:
    near, _ = memory_pair("desk")
    values: list[Quantity] = []
    lamp = LoneDaliLamp("desk", near, values.append, AtxLedGateway(), 0)
    lamp.set_level(1, 0)
    assert lamp.bus.levels_waiting
    for ms in (0, 100, 200, 300):
        lamp.advance(ms * NS_PER_MS)
    assert values[0] == DeviceHealth(300 * NS_PER_MS, "desk/bus", False, "gateway lost")
    assert not lamp.bus.levels_waiting


def test_the_command_line_reads_what_passed_on_each_wire() -> None:
    for part, data in (("atxled", b"h0BA0\n"), ("luba", bytes.fromhex("593207001003 0ba0 0000 8d".replace(" ", "")))):
        decode = PARTS[part].decode
        assert decode is not None
        assert [event["text"] for event in decode(data)[0]] == ["short address 5: QUERY ACTUAL LEVEL"]
    decode = PARTS["sci"].decode
    assert decode is not None
    assert decode(bytes.fromhex("030ba000a8"))[0][0]["text"] == "short address 5: QUERY ACTUAL LEVEL"
