"""What the three gateways say about a frame, word by word; python-dali's serial driver as the other opinion."""

from __future__ import annotations

import asyncio
import json
import sys
from types import ModuleType
from typing import Any

import pytest
from dali import address
from dali.gear import general

from drivers.buses.dali_gateways import (
    COLLISION,
    FAULT,
    OTHER,
    SENT,
    SILENT,
    AtxLedGateway,
    Gateway,
    LubaGateway,
    SciGateway,
    Word,
)
from drivers.codecs import luba, sci
from drivers.codecs.luba import Broken, Event, Heard, Refused, Sent, Taken, encode_event

QUERY = 0x0BA0
OURS, THEIRS = Sent(b"\x0b\xa0", 1), Heard(16, b"\x01\x90")
ANSWER = Heard(8, b"\xfe")
VALUE = Word("value", 254)


def _kinds(words: list[Word]) -> list[str]:
    return [word.kind for word in words]


def test_an_atx_led_says_one_word_a_line() -> None:
    gateway = AtxLedGateway()
    assert gateway.encode(QUERY) == b"h0BA0\n"
    assert gateway.encode(0x012E, twice=True) == b"t012E\n"
    assert gateway.feed(b"JFE\nN\nX\nZ\nh0AFE\n") == [VALUE, SILENT, COLLISION, FAULT, OTHER]
    gateway.forget()
    assert (gateway.feed(b"?\n"), gateway.skipped_bytes) == ([], 2)


def _luba(*events: Event, encode: bool = True) -> list[Word]:
    gateway = LubaGateway()
    if encode:
        gateway.encode(QUERY)
    return gateway.feed(b"".join(encode_event(event) for event in events))


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([Taken(1), OURS], [SENT]),
        ([Taken(1), OURS, ANSWER], [SENT, VALUE]),
        ([Taken(1), OURS, Broken(63)], [SENT, COLLISION]),
        ([Taken(1), OURS, Broken(62)], [SENT, OTHER]),
        ([Refused(1)], [Word("fault", reason="no voltage on the bus")]),
        ([Refused(99)], [Word("fault", reason="gateway error 99")]),
        ([Refused(4), ANSWER], [Word("fault", reason="send buffer is full"), OTHER]),
        ([Sent(b"\x0a\xfe", 9), Taken(1), OURS], [OTHER, SENT]),  # one given up long ago
        ([THEIRS, ANSWER, OURS, ANSWER], [OTHER, OTHER, SENT, VALUE]),  # theirs while ours waits
        ([OURS, THEIRS, ANSWER], [SENT, SILENT, OTHER, OTHER]),  # nobody answered ours
        ([OURS, Heard(16, b"\x0b\xa0"), ANSWER], [SENT, OTHER, VALUE]),  # ours, heard as well
        ([OURS, Refused(4), ANSWER], [SENT, OTHER, VALUE]),
        ([OURS, Heard(24, b"\x01\x02\x03")], [SENT, SILENT, OTHER]),
        ([luba.Send(16, b"\x01\x02")], [OTHER]),  # our own bytes, looped back
        ([luba.Message(luba.STATUS, b"\0" * 6)], []),
    ],
)
def test_a_luba_says_sent_then_an_answer(events: list[Event], words: list[Word]) -> None:
    assert _luba(*events) == words


def test_what_a_luba_says_while_nothing_is_in_flight_is_about_others() -> None:
    assert _luba(OURS, ANSWER, Broken(63), Refused(1), THEIRS, encode=False) == [OTHER] * 5


def test_a_luba_keeps_others_out_of_what_belongs_together_and_sends_twice_by_itself() -> None:
    gateway = LubaGateway()
    assert gateway.encode(0xA304) == luba.encode_send(0xA304, priority=3)
    assert gateway.encode(0x012E, twice=True, follows=True) == luba.encode_send(0x012E, twice=True, priority=1)
    assert gateway.feed(encode_event(Sent(b"\x01\x2e", 1)) * 2) == [SENT, SENT]


def test_a_luba_is_greeted_with_settings_only_when_its_supply_is_named() -> None:
    assert LubaGateway().greeting == b""
    assert LubaGateway(True).greeting == bytes.fromhex("592a03001280bb")
    assert LubaGateway(False).greeting[5] == 0


OK, NO = sci.encode(0x30), sci.encode(0x31)
ECHO, LEFT_ECHO = sci.encode_heard(QUERY, bits=16, number=3), sci.encode_send(QUERY)
SAID = sci.encode_heard(254, number=3)
FOREIGN = sci.encode_heard(0x0190, bits=16)


def _error(error: int) -> bytes:
    return sci.encode(0x37, bytes((0, 0, error)))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([OK], [SENT]),
        ([NO], [SENT]),
        ([OK, SAID], [SENT, VALUE]),
        ([SAID, OK], [SENT, VALUE]),
        ([ECHO], []),
        ([ECHO, OK, SAID], [SENT, VALUE]),
        ([LEFT_ECHO, OK, sci.encode_send(254, bits=8)], [SENT, VALUE]),
        ([ECHO, ECHO, OK], [SENT]),
        ([ECHO, SAID, OK], [SENT, VALUE]),
        ([OK, ECHO, SAID], [SENT, VALUE]),
        ([ECHO, OK, NO], [SENT, SENT]),  # not believed: the time for an answer decides
        ([FOREIGN, SAID, OK, SAID], [OTHER, OTHER, SENT, VALUE]),
        ([OK, FOREIGN, SAID], [SENT, SILENT, OTHER, OTHER]),
        ([OK, sci.encode_heard(0x010203, bits=24)], [SENT, SILENT, OTHER]),
        ([_error(2)], [Word("fault", reason="short circuit on the bus")]),
        ([_error(9)], [Word("fault", reason="gateway error 9")]),
        ([_error(5)], [Word("fault", reason="collision")]),
        ([_error(3)], [COLLISION]),
        ([OK, _error(3)], [SENT, COLLISION]),
        ([OK, _error(5)], [SENT, COLLISION]),
        ([OK, _error(1)], [SENT, Word("fault", reason="checksum was wrong")]),
        ([OK, SAID, OK, _error(3)], [SENT, VALUE, OTHER]),
    ],
)
def test_an_sci_may_say_status_echo_and_answer_in_any_order(said: list[bytes], words: list[Word]) -> None:
    gateway = SciGateway()
    assert gateway.encode(QUERY) == sci.encode_send(QUERY, flags=0xA0)
    assert gateway.feed(b"".join(said)) == words


def _echoing() -> SciGateway:
    gateway = SciGateway()
    gateway.encode(QUERY)
    gateway.feed(ECHO + OK)
    gateway.encode(QUERY)
    return gateway


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([NO], []),  # late, of the frame before
        ([NO, ECHO, OK, SAID], [SENT, SENT, VALUE]),
        ([NO, ECHO, SAID], [SENT, VALUE]),
        ([ECHO, OK, SAID], [SENT, VALUE]),
        ([SAID, ECHO, OK], [OTHER, SENT]),  # somebody else's answer, or too late
        ([ECHO, FOREIGN, SAID, OK], [OTHER, OTHER, SENT]),
    ],
)
def test_once_an_sci_has_echoed_no_status_before_the_echo_counts(said: list[bytes], words: list[Word]) -> None:
    assert _echoing().feed(b"".join(said)) == words


def test_an_sci_that_echoes_no_more_is_given_up_once_and_then_believed_without() -> None:
    gateway = _echoing()
    assert gateway.feed(OK) == []
    gateway.forget()
    assert gateway.feed(OK + SAID + ECHO) == [OTHER, OTHER]
    gateway.encode(QUERY)
    assert gateway.feed(OK) == [SENT]


def test_a_frame_of_the_last_exchange_that_broke_off_does_not_put_the_next_out_of_step() -> None:
    gateway = SciGateway()
    gateway.encode(QUERY)
    gateway.feed(OK + SAID[:3])
    gateway.encode(QUERY)
    assert gateway.feed(OK + SAID) == [SENT, VALUE]
    assert gateway.skipped_bytes == 3


@pytest.mark.parametrize(
    ("made", "said", "rest", "words"),
    [
        (AtxLedGateway, b"JF", b"E\n", ["value"]),
        (LubaGateway, encode_event(OURS) + encode_event(ANSWER)[:4], encode_event(ANSWER)[4:], ["value"]),
        (SciGateway, ECHO + OK + SAID[:2], SAID[2:], ["value"]),
        (SciGateway, SAID, OK, ["sent", "value"]),
    ],
)
def test_a_snapshot_goes_on_in_the_middle_of_an_exchange(
    made: type[Gateway], said: bytes, rest: bytes, words: list[str]
) -> None:
    gateway, other = made(), made()
    gateway.encode(QUERY)
    gateway.feed(said)
    state = json.loads(json.dumps(gateway.snapshot()))
    other.restore(state)
    assert other.snapshot() == state
    assert _kinds(other.feed(rest)) == _kinds(gateway.feed(rest)) == words


# --- python-dali's serial driver. It imports `serialx`, which only opens ports: an empty module does for the framing.


class Wire:
    """A transport that only remembers."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += bytes(data)


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(sys.modules, "serialx", ModuleType("serialx"))
    from dali.driver import serial

    return serial


COMMANDS = [
    general.DAPC(address.GearShort(5), 254),
    general.DAPC(address.GearGroup(3), 170),
    general.QueryActualLevel(address.GearShort(5)),
    general.SetFadeTime(address.GearShort(0)),
    general.DTR0(4),
    general.Initialise(broadcast=False),
    general.Compare(),
]


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_luba_frames_are_those_of_python_dali(theirs: Any, command: Any) -> None:
    async def sent() -> bytes:
        protocol = theirs.DriverLubaRs232.LubaProtocol()
        protocol.transport = wire = Wire()
        for _ in range(2):
            protocol._queue_tx_conf.put_nowait(protocol.LubaMsgTxConf(tx_id=1, message=command))
        await protocol.send_dali_command(command, priority=3)
        return wire.written

    assert LubaGateway().encode(command.frame.as_integer, twice=command.sendtwice) == asyncio.run(sent())


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_sci_frames_are_those_of_python_dali(theirs: Any, command: Any) -> None:
    async def sent() -> bytes:
        protocol = theirs.DriverSCIRS232.SCIRS232Protocol()
        protocol.transport = wire = Wire()
        protocol._queue_rx_info.put_nowait(theirs.DriverSCIRS232.SCIRS232DeviceReply(id=0, code=0))
        await protocol.send_dali_command(command)
        return wire.written

    assert SciGateway().encode(command.frame.as_integer, twice=command.sendtwice) == asyncio.run(sent())


def test_python_dali_reads_from_a_luba_what_we_read(theirs: Any) -> None:
    async def heard() -> tuple[Any, ...]:
        protocol = theirs.DriverLubaRs232.LubaProtocol()
        for event in (Taken(7), OURS, ANSWER, Broken(63), Refused(1)):
            protocol.data_received(encode_event(event))
        sent, refused = protocol._queue_tx_conf.get_nowait(), protocol._queue_tx_conf.get_nowait()
        answers = [protocol._queue_rx_raw_dali.get_nowait() for _ in range(2)]
        return sent.message.frame.as_integer, sent.tx_id, refused.error_code, answers

    assert asyncio.run(heard()) == (QUERY, 1, 1, [254, theirs._DALI_FRAMING_ERROR])


def test_python_dali_reads_from_an_sci_what_we_read(theirs: Any) -> None:
    async def heard() -> tuple[Any, ...]:
        protocol = theirs.DriverSCIRS232.SCIRS232Protocol()
        frames = theirs.DistributorQueue(protocol.queue_rx_dali)
        for data in (OK, NO, SAID, ECHO):
            protocol.data_received(data)
        replies = [protocol._queue_rx_info.get_nowait() for _ in range(2)]
        return (
            [(reply.id, reply.code) for reply in replies],
            protocol._queue_rx_raw_dali.get_nowait(),
            frames.get_nowait().frame.as_integer,
        )

    assert asyncio.run(heard()) == ([(3, 0), (3, 1)], 254, QUERY)
