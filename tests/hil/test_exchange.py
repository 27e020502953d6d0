"""The message exchange: late, in order, and lost where it is to be lost."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.links.memory import MemoryLink, memory_pair
from drivers.units import FOREVER_NS
from hil.peers.exchange import Exchange

DELAY_NS = 20


class Joined:
    """An exchange and the boards' ends of some pairs of wires, with what each has heard."""

    def __init__(self, pairs: int = 1, lost: tuple[tuple[int, int], ...] = ()) -> None:
        self.exchange = Exchange("exchange", delay_ns=DELAY_NS, lost=lost)
        self.ends: list[MemoryLink] = []
        self.heard: list[list[tuple[int, bytes]]] = []
        for _ in range(pairs):
            fars = [self._end(), self._end()]
            self.exchange.join(*fars)

    def _end(self) -> MemoryLink:
        near, far = memory_pair(f"end-{len(self.ends)}")
        heard: list[tuple[int, bytes]] = []
        near.receiver = lambda data, t_ns: heard.append((t_ns, data))
        self.ends.append(near)
        self.heard.append(heard)
        return far

    def run(self, until_ns: int = FOREVER_NS) -> None:
        while self.exchange.wake_ns < until_ns:
            self.exchange.run(self.exchange.wake_ns)


def test_what_one_end_writes_the_other_hears_once_after_the_delay() -> None:
    joined = Joined()
    joined.ends[0].write(b"there", 100)
    assert joined.exchange.wake_ns == 100 + DELAY_NS
    joined.run()
    joined.ends[1].write(b"back", 200)
    joined.run()
    assert joined.heard == [[(200 + DELAY_NS, b"back")], [(100 + DELAY_NS, b"there")]]
    assert joined.exchange.wake_ns == FOREVER_NS


def test_messages_stay_in_order_and_each_comes_at_its_own_time() -> None:
    joined = Joined()
    for t_ns in (5, 5, 9):
        joined.ends[0].write(b"%d" % t_ns, t_ns)
    joined.exchange.run(joined.exchange.wake_ns)
    assert joined.heard[1] == [(25, b"5"), (25, b"5")]
    assert joined.exchange.wake_ns == 29
    joined.run()
    assert joined.heard[1][-1] == (29, b"9")


def test_running_before_anything_is_due_delivers_nothing() -> None:
    joined = Joined()
    joined.ends[0].write(b"x", 0)
    joined.exchange.run(DELAY_NS - 1)
    assert joined.heard[1] == []
    assert joined.exchange.wake_ns == DELAY_NS


def test_several_pairs_do_not_hear_each_other() -> None:
    joined = Joined(pairs=3)
    for number, end in enumerate(joined.ends):
        end.write(b"%d" % number, 0)
    joined.run()
    assert [[data for _, data in heard] for heard in joined.heard] == [[b"1"], [b"0"], [b"3"], [b"2"], [b"5"], [b"4"]]


@pytest.mark.parametrize(("t_ns", "arrives"), [(9, True), (10, False), (19, False), (20, True)])
def test_what_is_written_in_a_lost_span_is_lost_and_nothing_else(t_ns: int, arrives: bool) -> None:
    joined = Joined(lost=((10, 20), (500, 501)))
    joined.ends[0].write(b"x", t_ns)
    joined.run()
    assert joined.heard[1] == ([(t_ns + DELAY_NS, b"x")] if arrives else [])


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 3), st.binary(max_size=4)), max_size=20), st.data())
def test_a_snapshot_taken_anywhere_goes_on_with_the_same_messages(
    written: list[tuple[int, int, bytes]], data: st.DataObject
) -> None:
    written.sort(key=lambda message: message[0])
    cut = data.draw(st.integers(0, len(written)))
    whole, first, second = Joined(2), Joined(2), Joined(2)

    def write(joined: Joined, messages: list[tuple[int, int, bytes]]) -> None:
        for t_ns, end, body in messages:
            joined.run(t_ns)
            joined.ends[end].write(body, t_ns)

    write(whole, written)
    write(first, written[:cut])
    saved = json.dumps(first.exchange.snapshot())
    second.exchange.restore(json.loads(saved))
    assert json.dumps(second.exchange.snapshot()) == saved
    assert second.exchange.wake_ns == first.exchange.wake_ns
    write(second, written[cut:])
    for joined in (whole, second):
        joined.run()
    assert [a + b for a, b in zip(first.heard, second.heard, strict=True)] == whole.heard
