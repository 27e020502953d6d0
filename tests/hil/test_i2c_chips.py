"""The far end of an I2C wire: register models by their papers, and the faults that can be ordered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drivers.codecs import gp8403, ina226, mcp4725, pca9685
from drivers.links.memory import memory_pair
from drivers.transfers import LOST, NACK, OK, STUCK, Reply, ReplyStream, Request, encode_request
from drivers.units import FOREVER_NS, NS_PER_S
from hil.peers.i2c_chips import BYTE_NS, I2cChips
from hil.peers.i2c_models import (
    CONVERSION_NS,
    MODELS,
    Bme280Model,
    Chip,
    Gp8403Model,
    Ina226Model,
    Mcp4725Model,
    Pca9685Model,
    Refused,
)


class Bench:
    """A peer, and what it replied."""

    def __init__(self, chips: dict[int, Chip], **faults: Any) -> None:
        self.near, far = memory_pair("i2c")
        self.peer = I2cChips("bench/i2c", far, chips, **faults)
        self.replies: list[tuple[int, Reply]] = []
        stream = ReplyStream()
        self.near.receiver = lambda data, t_ns: self.replies.extend((t_ns, reply) for reply in stream.feed(data))

    def ask(self, request: Request, t_ns: int = 0) -> None:
        self.near.write(encode_request(request), t_ns)


def test_somebody_answers_inside_the_write_and_nobody_is_a_nack() -> None:
    bench = Bench({0x40: Ina226Model()})
    bench.ask(Request(0x40, b"\xfe", 2), 5)
    bench.ask(Request(0x41, b"\xfe", 2), 6)
    bench.ask(Request(0x40), 7)
    assert bench.replies == [(5, Reply(0x40, OK, b"\x54\x49")), (6, Reply(0x41, NACK)), (7, Reply(0x40, OK))]
    assert bench.peer.requests == {0x40: 2, 0x41: 1}
    assert bench.peer.wake_ns == FOREVER_NS


def test_a_chip_that_is_written_only_refuses_to_be_read() -> None:
    bench = Bench({0x58: Gp8403Model()})
    bench.ask(Request(0x58))
    bench.ask(Request(0x58, b"", 2))
    bench.ask(gp8403.set_range(0x58, 10_000))
    assert [reply.status for _, reply in bench.replies] == [NACK, NACK, OK]


def test_paced_replies_come_when_the_bits_have_passed_and_in_order() -> None:
    bench = Bench({0x40: Ina226Model()}, paced=True)
    bench.ask(Request(0x40, b"\xfe", 2), 0)
    bench.ask(Request(0x40, b"\xff", 2), 1)
    assert bench.replies == []
    assert bench.peer.wake_ns == 5 * BYTE_NS
    bench.peer.run(bench.peer.wake_ns)
    bench.peer.run(bench.peer.wake_ns)
    assert [reply.data for _, reply in bench.replies] == [b"\x54\x49", b"\x22\x60"]


def test_faults_are_over_when_their_span_is() -> None:
    spans = ((10, 20),)
    for faults, status in (({"absent": {0x40: spans}}, NACK), ({"lost": spans}, LOST)):
        bench = Bench({0x40: Ina226Model()}, **faults)
        for t_ns in (9, 10, 19, 20):
            bench.ask(Request(0x40, b"\xfe", 2), t_ns)
        assert [reply.status for _, reply in bench.replies] == [OK, status, status, OK]


def test_a_stuck_bus_is_told_after_a_second_and_a_mute_adapter_never() -> None:
    bench = Bench({0x40: Ina226Model()}, stuck=((0, 10),), mute=((10, 20),))
    bench.ask(Request(0x40, b"\xfe", 2), 0)
    bench.ask(Request(0x40, b"\xfe", 2), 10)
    assert bench.peer.wake_ns == NS_PER_S
    bench.peer.run(NS_PER_S)
    assert bench.replies == [(NS_PER_S, Reply(0x40, STUCK))]
    assert bench.peer.wake_ns == FOREVER_NS


def test_the_bme280_measures_only_when_it_was_told_to() -> None:
    chip = Bme280Model()
    chip.write(b"\xf7", 0)
    assert chip.read(8, 0).hex(" ") == "80 00 00 80 00 00 80 00"
    chip.write(b"\xf4\x25", 0)  # forced
    chip.write(b"\xf3", 1)
    assert chip.read(2, 1) == b"\x08\x24"
    chip.write(b"\xf7", CONVERSION_NS)
    assert chip.read(6, CONVERSION_NS).hex(" ") == "65 5a c0 7e ed 00"
    chip.write(b"\xe0\xb6", 1)
    chip.write(b"\xf7", 1)
    assert chip.read(8, 10 * NS_PER_S).hex(" ") == "80 00 00 80 00 00 80 00"


def test_the_ina226_multiplies_as_its_paper_does() -> None:
    """TI SBOS547, table 1."""
    chip = Ina226Model()
    for register, before, after in ((3, 0, 0x12B8), (4, 0, 0x2710)):
        chip.power_cycle(0)
        chip.write(bytes((register,)), 0)
        assert ina226.word(chip.read(2, 0)) == before
        chip.write(bytes.fromhex("05 0A 00"), 0)
        chip.write(bytes((register,)), 0)
        assert ina226.word(chip.read(2, 0)) == after
    chip.write(bytes.fromhex("00 80 00"), 0)  # reset
    chip.write(b"\x00", 0)
    assert chip.read(2, 0) == b"\x41\x27"


@pytest.mark.parametrize("counts", [0, 1, 2047, 4095])
def test_lamp_chips_show_what_they_are_told(counts: int) -> None:
    eight, mcp, pca = Gp8403Model(), Mcp4725Model(), Pca9685Model()
    eight.write(gp8403.set_range(0x58, 10_000).data, 0)
    for output in (0, 1):
        eight.write(gp8403.set_output(0x58, output, counts).data, 0)
    assert eight.outputs_mv == (counts * 10_000 // 4095,) * 2
    for request in (mcp4725.fast_write(0x60, counts), mcp4725.long_write(0x60, counts)):
        mcp.write(request.data, 0)
        assert (mcp.counts, mcp4725.decode(mcp.read(5, 0)).counts) == (counts, counts)
    pca.write(pca9685.write_mode(0x40, pca9685.AUTO_INCREMENT).data, 0)
    pca.write(pca9685.set_output(0x40, 7, counts).data, 0)
    assert pca.duty(7) == counts
    pca.write(pca9685.read_outputs(0x40).data, 0)
    assert pca9685.decode_outputs(pca.read(64, 0))[6:8] == [0, counts]


def test_both_outputs_of_a_gp8403_in_one_write() -> None:
    chip = Gp8403Model()
    chip.write(bytes.fromhex("02 F0 7F 10 00"), 0)
    assert chip.snapshot()["counts"] == [2047, 1]


def test_an_mcp4725_comes_back_with_its_memory() -> None:
    chip = Mcp4725Model()
    chip.write(bytes.fromhex("60 80 00"), 0)
    chip.write(bytes.fromhex("0F FF"), 0)
    assert (chip.counts, chip.writes) == (4095, 1)
    chip.power_cycle(0)
    assert chip.counts == 2048


def test_a_pca9685_blocks_its_prescale_while_awake_and_counts_restarts_that_come_too_early() -> None:
    chip = Pca9685Model()
    assert chip.frequency_hz == 196
    chip.write(b"\x00\x20", 0)
    chip.write(b"\xfe\x05", 0)
    assert chip.frequency_hz == 196
    chip.write(b"\x00\xa0", 499_999)
    assert chip.early_restarts == 1
    chip.write(b"\x00\xa0", 500_000)
    assert chip.early_restarts == 1


@pytest.mark.parametrize("name", MODELS)
def test_a_chip_goes_on_from_its_snapshot(name: str) -> None:
    chip, fresh = MODELS[name](), MODELS[name]()
    for data in (b"\x02\x34\x50", b"\x05\x0a\x00", b"\xf4\x27", b"\x00\x20", b"\x06\x00\x00\x10\x01"):
        chip.write(data, 7)
    state = json.loads(json.dumps(chip.snapshot()))
    fresh.restore(state)
    assert json.loads(json.dumps(fresh.snapshot())) == state
    for t_ns in (8, NS_PER_S):
        said = []
        for each in (chip, fresh):
            try:
                said.append(each.read(8, t_ns))
            except Refused:
                said.append(b"refused")
        assert said[0] == said[1]


def test_a_peer_goes_on_from_its_snapshot_with_replies_under_way() -> None:
    first = Bench({0x40: Ina226Model()}, paced=True)
    first.ask(Request(0x40, b"\xfe", 2))
    second = Bench({0x40: Ina226Model()}, paced=True)
    second.peer.restore(json.loads(json.dumps(first.peer.snapshot())))
    second.peer.run(second.peer.wake_ns)
    assert second.replies == [(5 * BYTE_NS, Reply(0x40, OK, b"\x54\x49"))]
