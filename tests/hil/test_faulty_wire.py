"""Faults on a wire: what passes, what does not, when, and that nothing is left of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codecs.ld2451 import IDLE_FRAME
from drivers.errors import InputError
from drivers.links.memory import memory_pair
from drivers.transfers import NACK, OK, Reply, encode_reply
from drivers.units import FOREVER_NS
from hil.faults.span import KINDS, FaultSpan, check_names, read_by_hand
from hil.faults.wire import FaultyPeer, FaultyWire, WireFault
from hil.peers.modbus_slaves import with_crc

Got = list[tuple[int, bytes]]


def wired(*faults: WireFault, content: str = "bytes", seed: int = 0) -> tuple[FaultyWire, Got, Got]:
    """The disturbed wire, what the board hears, and what the peer hears."""
    near, far = memory_pair("wire")
    wire = FaultyWire(far, faults, name="west/wire", content=content, seed=seed)
    board: Got = []
    peer: Got = []
    near.receiver = lambda data, t_ns: board.append((t_ns, data))
    wire.receiver = lambda data, t_ns: peer.append((t_ns, data))
    return wire, board, peer


def played(wire: FaultyWire, sent: list[tuple[int, bytes]]) -> None:
    """Write everything at its time, held back bytes at theirs."""
    for t_ns, data in sent:
        while wire.wake_ns <= t_ns:
            wire.run(wire.wake_ns)
        wire.write(data, t_ns)
    while wire.wake_ns < FOREVER_NS:
        wire.run(wire.wake_ns)


TEN = [(n * 10, bytes([n])) for n in range(10)]


def test_silence_takes_both_ways_and_only_in_its_span() -> None:
    wire, board, peer = wired(FaultSpan("silence", 0, 1, "w").wire_fault or WireFault("silence", 0, 0))
    wire.write(b"a", 999_999_999)
    wire.far.write(b"b", 999_999_999)
    wire.write(b"c", 1_000_000_000)
    wire.far.write(b"d", 1_000_000_000)
    assert (board, peer) == ([(1_000_000_000, b"c")], [(1_000_000_000, b"d")])
    assert wire.hit == 2


def test_a_stuck_sensor_repeats_what_it_said_last_before() -> None:
    wire, board, _ = wired(WireFault("stuck", 30, 60))
    played(wire, TEN)
    assert [data[0] for _, data in board] == [0, 1, 2, 2, 2, 2, 6, 7, 8, 9]


def test_delayed_bytes_come_later_in_their_order_and_the_wire_is_its_own_again() -> None:
    wire, board, _ = wired(WireFault("delayed", 20, 50, by_ns=25))
    played(wire, TEN)
    assert [data[0] for _, data in board] == list(range(10))
    assert board[2:6] == [(45, b"\2"), (55, b"\3"), (65, b"\4"), (65, b"\5")]
    assert board[7] == (70, b"\7")


def test_parts_are_lost_doubled_and_harmed_and_the_same_by_seed() -> None:
    sent = [(n, bytes(range(8))) for n in range(400)]
    heard = {}
    for kind in ("dropped", "duplicated", "corrupted"):
        runs = []
        for seed in (1, 1, 2):
            wire, board, _ = wired(WireFault(kind, 0, 400, pct=30), seed=seed)  # type: ignore[arg-type]
            played(wire, sent)
            runs.append(board)
        assert runs[0] == runs[1] != runs[2]
        heard[kind] = runs[0]
    assert 400 * 0.6 < len(heard["dropped"]) < 400 * 0.8
    assert 400 * 1.2 < len(heard["duplicated"]) < 400 * 1.4
    harmed = [data for _, data in heard["corrupted"] if data != bytes(range(8))]
    assert len(heard["corrupted"]) == 400
    assert 400 * 0.2 < len(harmed) < 400 * 0.4
    for data in harmed:
        assert sum((a ^ b).bit_count() for a, b in zip(data, range(8), strict=True)) == 1


@pytest.mark.parametrize(
    ("content", "said", "refused"),
    [
        ("dali", [b"JFE\n"], [b"N\n"]),
        ("i2c", [encode_reply(Reply(0x76, OK, b"\x60"))], [encode_reply(Reply(0x76, NACK))]),
        ("modbus", [bytes([b]) for b in with_crc(b"\x0c\x03\x02\x30\x39")], [with_crc(b"\x0c\x83\x04")]),
        ("ld2451", [b"anything"], [b"anything"]),
    ],
)
def test_an_answer_becomes_a_refusal_where_the_wire_knows_one(
    content: str, said: list[bytes], refused: list[bytes]
) -> None:
    wire, board, _ = wired(WireFault("nack", 0, 100), content=content)
    wire.far.write(b"question", 0)
    for n, data in enumerate(said):
        wire.write(data, n)
    assert [data for _, data in board] == refused


def test_idle_frames_told_in_bulk_are_lost_in_a_span_of_silence_and_not_foretold_into_it() -> None:
    near, far = memory_pair("radar")
    told: list[tuple[str, int, int, int]] = []
    near.repeat_receiver = lambda frame, first, last, count: told.append(("repeat", first, last, count))
    near.foretell_receiver = lambda frame, first, last, count: told.append(("foretell", first, last, count))
    wire = FaultyWire(far, [WireFault("silence", 25, 45, way="both")])
    wire.repeat(IDLE_FRAME, 0, 20, 3)
    wire.repeat(IDLE_FRAME, 20, 50, 4)
    wire.foretell(IDLE_FRAME, 0, 60, 7)
    wire.foretell(IDLE_FRAME, 30, 60, 4)
    wire.foretell(IDLE_FRAME, 50, 60, 2)
    assert told == [
        ("repeat", 0, 20, 3),
        ("repeat", 20, 20, 1),
        ("repeat", 50, 50, 1),
        ("foretell", 0, 20, 3),
        ("foretell", 50, 60, 2),
    ]


FAULT = st.builds(
    WireFault,
    kind=st.sampled_from(["dropped", "delayed", "duplicated", "corrupted", "stuck", "silence"]),
    from_ns=st.integers(0, 60),
    to_ns=st.integers(61, 100),
    pct=st.integers(1, 100),
    by_ns=st.integers(1, 30),
    way=st.sampled_from(["to-board", "from-board", "both"]),
)


@settings(max_examples=60)
@given(st.lists(FAULT, max_size=3), st.integers(0, 3), st.integers(0, 25))
def test_order_is_kept_nothing_is_left_behind_and_a_snapshot_goes_on_the_same(
    faults: list[WireFault], seed: int, cut: int
) -> None:
    sent = [(n * 5, bytes([n, n ^ 0xFF])) for n in range(26)]
    wire, board, _ = wired(*faults, seed=seed)
    played(wire, sent)
    assert [t_ns for t_ns, _ in board] == sorted(t_ns for t_ns, _ in board)
    behind = [(t_ns, data) for t_ns, data in sent if t_ns > 100 + 30 * len(faults)]
    assert [entry for entry in board if entry[0] > 100 + 30 * len(faults)] == behind

    first, heard, _ = wired(*faults, seed=seed)
    for t_ns, data in sent[:cut]:
        while first.wake_ns <= t_ns:
            first.run(first.wake_ns)
        first.write(data, t_ns)
    second, more, _ = wired(*faults, seed=seed)
    second.restore(first.snapshot())
    played(second, sent[cut:])
    assert heard + more == board


def test_a_peer_with_a_faulty_wire_wakes_for_what_is_held_back() -> None:
    wire, board, _ = wired(WireFault("delayed", 0, 100, by_ns=7))

    class Sensor:
        name, wake_ns = "sensor", 10

        def run(self, now_ns: int) -> None:
            wire.write(b"x", now_ns)
            self.wake_ns = FOREVER_NS

        def snapshot(self) -> dict[str, int]:
            return {"wake_ns": self.wake_ns}

        def restore(self, state: dict[str, int]) -> None:
            self.wake_ns = state["wake_ns"]

    peer = FaultyPeer(Sensor(), [wire])
    while peer.wake_ns < FOREVER_NS:
        peer.run(peer.wake_ns)
    assert board == [(17, b"x")]


def test_a_fault_by_hand_reads_as_it_is_written() -> None:
    for word in (
        "dropped:west/radar-1:10-20:pct=30",
        "delayed:west/dali:0.5-20:by_ms=300:way=both",
        "messages-lost::0-45",
        "wrong-clock:west:12-40:by_ms=-3600000",
    ):
        assert read_by_hand(word).by_hand() == word
    assert len(KINDS) == 16


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("droped:west/dali:1-2", "did you mean dropped?"),
        ("dropped:west/dali", "expected KIND:WHAT:FROM-TO"),
        ("dropped:west/dali:5-5", "`to_s` must be later"),
        ("dropped:west/dali:1-2:pct=0", "pct"),
        ("silence:west/dali:1-2:pct=50", "`pct` goes with"),
        ("delayed:west/dali:1-2", "`by_ms` says how much"),
        ("line-dark:west/dali:1-2:way=both", "`way` goes with"),
        ("dropped:west/dali:1-2:sort=x", "expected KIND"),
        ("dropped::1-2", "`what` names"),
    ],
)
def test_a_fault_that_does_not_read_is_refused_with_what_would(word: str, told: str) -> None:
    with pytest.raises(InputError) as failed:
        read_by_hand(word)
    assert told in str(failed.value)


def test_a_wire_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean west/radar-1"):
        check_names([FaultSpan("stuck", 0, 1, "west/radar-7")], {"wire": ["west/radar-1", "west/dali"]}, "--fault")


def test_a_refusal_is_no_fault_of_a_wire_that_knows_none() -> None:
    known = {"wire": {"one/radar": "ops243", "one/air": "i2c", "one/volts": "modbus"}}
    check_names([FaultSpan("nack", 0, 1, wire) for wire in ("one/air", "one/volts")], known, "--fault")
    with pytest.raises(InputError, match=r"'one/radar': what comes from ops243 .* do: one/air, one/volts"):
        check_names([FaultSpan("nack", 0, 1, "one/radar")], known, "--fault")
    with pytest.raises(InputError, match="do: no wire here"):
        check_names([FaultSpan("nack", 0, 1, "one/radar")], {"wire": {"one/radar": "kld7"}}, "--fault")
