"""The rig's Modbus slaves, held against vendors' frames, recorded replies, and the clock of the line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from drivers.codecs.modbus_monitor import ModbusMonitor, Refusal, Reply
from drivers.links.memory import memory_pair
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.modbus_models import ILLEGAL_ADDRESS, Ao8Model, ModbusModel, Sdm120Model, Urm14Model
from hil.peers.modbus_slaves import Fault, ModbusSlaves, with_crc

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
MODBUS = RECORDINGS / "modbus-rtu"
needs_real = pytest.mark.skipif(not MODBUS.is_dir(), reason="no recordings modbus-rtu (LEEZE_RECORDINGS)")
READ = bytes.fromhex("0c03000500019516")


class Rig:
    """Slaves, and what the master's end hears, with its times."""

    def __init__(self, *models: ModbusModel, faults: dict[int, tuple[Fault, ...]] | None = None, **more: int) -> None:
        self.near, far = memory_pair("rs485")
        self.slaves = ModbusSlaves("rs485", far, models, faults=faults, **more)  # type: ignore[arg-type]
        self.heard: list[tuple[int, bytes]] = []
        self.near.receiver = lambda data, t_ns: self.heard.append((t_ns, data))

    def ask(self, frame: bytes, t_ns: int = 0) -> bytes:
        """The reply to a request."""
        self.heard.clear()
        self.near.write(frame, t_ns)
        while self.slaves.wake_ns < FOREVER_NS:
            self.slaves.run(self.slaves.wake_ns)
        return b"".join(data for _, data in self.heard)


def framed(text: str) -> bytes:
    return with_crc(bytes.fromhex(text))


def test_the_slaves_answer_as_the_vendors_print_it() -> None:
    urm14 = Urm14Model()
    urm14.holding[5] = 12_345
    assert Rig(urm14).ask(READ).hex() == "0c030230394197"  # DFRobot's wiki
    meter = Sdm120Model()
    meter.show(0, (0x4367, 0x6666))
    assert Rig(meter).ask(bytes.fromhex("01040000000271cb")).hex() == "01040443676666f455"  # SDM120, 231.4 V
    meter.setting = True
    rate = bytes.fromhex("0110001c00020440000000e736")
    assert Rig(meter).ask(rate).hex() == "0110001c0002800e"
    for frame in ("0106000003e88974", "010600001388849c", "01060000271093f6"):  # Waveshare's wiki
        assert Rig(Ao8Model()).ask(bytes.fromhex(frame)).hex() == frame


@pytest.mark.recordings
@needs_real
def test_the_slaves_answer_as_a_recorded_relay_module_does() -> None:
    lines = [json.loads(line) for line in (MODBUS / "brainchild_io16do_19200.jsonl").read_text().splitlines()]
    asked = [bytes.fromhex(line["hex"]) for line in lines if line["dir"] == "master"]
    replies = [bytes.fromhex(line["hex"]) for line in lines if line["dir"] == "slave"]
    for request, reply in zip(asked, replies, strict=True):
        model = ModbusModel(1, holding=dict.fromkeys(range(256), 0), inputs={}, coils=dict.fromkeys(range(64), 0))
        start = request[2] << 8 | request[3]
        if request[1] in (1, 2):
            model.coils[start] = reply[3] & 1
        elif request[1] in (3, 4):
            model.holding[start] = model.inputs[start] = reply[3] << 8 | reply[4]
        assert Rig(model).ask(request) == reply


def test_a_reply_takes_its_time_on_the_line_byte_by_byte() -> None:
    rig = Rig(Urm14Model(), baud=9_600)
    rig.ask(READ)
    times = [t_ns for t_ns, _ in rig.heard]
    byte_ns = 10 * NS_PER_S // 9_600
    begin_ns = 8 * 10 * NS_PER_S // 9_600 + 3 * NS_PER_MS
    assert len(times) == 7
    assert all(abs(t_ns - begin_ns - (n + 1) * byte_ns) <= 1 * len(times) for n, t_ns in enumerate(times))


def test_an_adapter_hands_bytes_over_in_pieces() -> None:
    rig = Rig(Urm14Model(), adapter_ns=16 * NS_PER_MS)
    assert len(rig.ask(READ)) == 7
    assert [t_ns % (16 * NS_PER_MS) for t_ns, _ in rig.heard] == [0] * len(rig.heard)
    assert len(rig.heard) <= 2


def test_an_adapter_that_hears_itself_gives_the_request_back() -> None:
    rig = Rig(Urm14Model(), echo=True)
    assert rig.ask(READ)[:8] == READ


def test_a_request_too_soon_after_the_last_byte_is_counted() -> None:
    rig = Rig(Urm14Model())
    rig.ask(READ)
    end_ns = rig.heard[-1][0]
    rig.ask(READ, end_ns + 3 * NS_PER_MS)
    assert rig.slaves.crowded == 1
    rig.ask(READ, rig.heard[-1][0] + 4 * NS_PER_MS)
    assert rig.slaves.crowded == 1


def test_a_request_in_pieces_or_behind_half_a_one_is_read_by_its_silence() -> None:
    rig = Rig(Urm14Model())
    rig.near.write(READ[:3], 0)
    rig.near.write(READ[3:], 0)
    assert rig.slaves.requests == 1
    rig.ask(b"")
    rig.near.write(READ[:6], NS_PER_S)
    assert rig.ask(READ, 2 * NS_PER_S) != b""
    assert rig.ask(framed("0c11"), 3 * NS_PER_S) == b""  # a function it does not know how long is
    assert rig.ask(READ[:-1] + b"\x00", 4 * NS_PER_S) == b""
    assert rig.ask(READ + READ, 5 * NS_PER_S) != b""


def test_who_talks_into_another_destroys_both_and_a_request_into_talk_is_lost() -> None:
    rig = Rig(Urm14Model(), Urm14Model(distance=4))
    both = rig.ask(framed("0c0300000001"))
    assert rig.slaves.collisions == 7
    assert both == framed("0c03020002")  # the same bytes at the same time look like one part: one at a time, then
    rig.slaves.say(b"\xff" * 20, NS_PER_S)
    rig.near.write(READ, NS_PER_S + NS_PER_MS)
    assert rig.slaves.lost == 1
    assert b"\x55" in rig.ask(b"", NS_PER_S + NS_PER_MS)


def test_a_broadcast_is_obeyed_by_all_and_answered_by_none() -> None:
    one, two = Urm14Model(12), Urm14Model(13)
    assert Rig(one, two).ask(framed("000600080000")) == b""
    assert (one.holding[8], two.holding[8]) == (0, 0)


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        (Fault("dead", 0, NS_PER_S), ""),
        (Fault("exception", 0, NS_PER_S, 6), framed("0c8306").hex()),
        (Fault("wrong-address", 0, NS_PER_S), framed("0d0302ffff").hex()),
        (Fault("half", 0, NS_PER_S), "0c0302"),
        (Fault("wrong-crc", 0, NS_PER_S), framed("0c0302ffff").hex()[:-2]),
    ],
)
def test_faults_are_those_that_were_ordered_and_end_when_they_shall(fault: Fault, reply: str) -> None:
    rig = Rig(Urm14Model(), faults={0: (fault,)})
    said = rig.ask(READ).hex()
    assert said == reply or (fault.kind == "wrong-crc" and said[:-2] == reply and said != framed("0c0302ffff").hex())
    assert rig.ask(READ, 2 * NS_PER_S) == framed("0c0302ffff")
    assert len(Rig(Urm14Model(), faults={0: (Fault("babble", 0, NS_PER_S, 30),)}).ask(READ)) == 30


def refusal(model: ModbusModel, text: str) -> int:
    """The exception to a request, by the monitor's reading; 0 for none."""
    data = framed(text)
    (event,) = ModbusMonitor().feed(Rig(model).ask(data))[:1]
    return event.code if isinstance(event, Refusal) else 0


def test_what_a_slave_does_not_have_or_take_it_refuses() -> None:
    assert refusal(Urm14Model(), "0c0400050001") == 1  # knows functions 3 and 6 only
    assert refusal(Urm14Model(), "0c030009 0002") == ILLEGAL_ADDRESS
    assert refusal(Urm14Model(), "0c0600020000") == 3
    assert refusal(Urm14Model(), "0c0600050001") == ILLEGAL_ADDRESS
    assert refusal(Urm14Model(), "0c0600300001") == ILLEGAL_ADDRESS
    assert refusal(Ao8Model(), "010600002711") == 3
    assert refusal(Sdm120Model(), "011000140002 04 40000000") == 3
    plain = ModbusModel(1, holding={0: 0}, coils={0: 0})
    assert refusal(plain, "010300000000") == 3
    assert refusal(plain, "010500001234") == 3
    assert refusal(plain, "010500010000") == ILLEGAL_ADDRESS
    assert refusal(plain, "0110 0000 0002 02 0001") == 3


def test_coils_are_packed_lowest_first() -> None:
    model = ModbusModel(1, coils=dict.fromkeys(range(10), 0))
    rig = Rig(model)
    rig.ask(framed("010f 0000 000a 02 0503"))
    rig.ask(framed("0105 0001 ff00"), NS_PER_S)
    assert list(model.coils.values()) == [1, 1, 1, 0, 0, 0, 0, 0, 1, 1]
    monitor = ModbusMonitor()
    asked = framed("0101 0000 000a")
    (_, said) = monitor.feed(asked + rig.ask(asked, 2 * NS_PER_S))
    assert said == Reply(1, 1, 0, 10, (1, 1, 1, 0, 0, 0, 0, 0, 1, 1))
