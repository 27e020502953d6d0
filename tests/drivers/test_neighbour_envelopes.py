"""The other controller behind a broker: what comes twice, late or from a run that is over is dropped and counted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices.neighbour import GRACE_NS, LATE_MS, NO_BROKER, RUNS_KEPT, Neighbour
from drivers.errors import LinkLost
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import DeviceHealth, Message, Quantity
from drivers.topics import GONE, OPEN, join_topic
from drivers.units import NS_PER_MS, NS_PER_S

RIDER = {"kind": "rider", "id": 7}
STALE_NS = 30 * NS_PER_S


class End:
    """A neighbour's device, the broker's side of its wire, and what both have said."""

    def __init__(self) -> None:
        near, self.far = memory_pair("neighbour")
        self.emitted: list[Quantity] = []
        self.wrote: list[dict[str, Any]] = []
        self.device = Neighbour("neighbour", near, self.emitted.append, numbered=True)
        self.far.receiver = lambda data, t_ns: self.wrote.append(json.loads(data))

    def hear(self, t_ms: int, seq: int, *, start: int = 1, ms: int | None = None, **body: Any) -> list[Quantity]:
        """What is emitted when an envelope comes."""
        envelope = {"start": start, "seq": seq, "ms": t_ms if ms is None else ms, "body": body or RIDER}
        self.emitted.clear()
        self.far.write(join_topic("path/east", json.dumps(envelope).encode()), t_ms * NS_PER_MS)
        return list(self.emitted)

    def counted(self) -> dict[str, int]:
        return {name: count for name, count in self.device.counters().items() if count and name != "frames"}


def came(t_ms: int, body: dict[str, Any] = RIDER) -> list[Quantity]:
    return [Message(t_ms * NS_PER_MS, "neighbour", body)]


def test_a_message_goes_out_in_an_envelope_that_counts_and_tells_the_time_since_the_first() -> None:
    end = End()
    end.device.publish(RIDER, 5_000_000_007)
    end.device.publish(RIDER, 5_120_000_007)
    assert end.wrote == [
        {"start": 5_000_000_007, "seq": 0, "ms": 0, "body": RIDER},
        {"start": 5_000_000_007, "seq": 1, "ms": 120, "body": RIDER},
    ]


def test_two_ends_understand_each_other() -> None:
    near, far = memory_pair("wire")
    heard: list[Quantity] = []
    west = Neighbour("west", near, heard.append, numbered=True)
    Neighbour("east", far, heard.append, numbered=True)
    west.publish(RIDER, 5)
    assert heard == [Message(5, "east", RIDER)]


def test_what_comes_twice_is_taken_once_and_what_is_missing_is_counted() -> None:
    end = End()
    assert end.hear(10, 0) == came(10)
    assert end.hear(20, 0) == []
    assert end.hear(30, 3) == came(30)
    assert end.hear(40, 2) == [], "overtaken on the way"
    assert end.counted() == {"duplicates": 2, "missing": 2}


def test_a_neighbour_that_has_started_again_begins_to_count_anew_and_its_old_run_is_over() -> None:
    end = End()
    assert end.hear(10, 41, start=100) == came(10)
    assert end.hear(20, 0, start=200, ms=0) == came(20)
    assert end.hear(30, 42, start=100) == []
    assert end.hear(40, 1, start=200, ms=20) == came(40)
    assert end.counted() == {"old": 1}


def test_only_so_many_runs_that_are_over_are_remembered() -> None:
    end = End()
    for start in range(RUNS_KEPT + 2):
        assert end.hear(10 * start, 0, start=start)
    assert end.hear(500, 1, start=1) == []
    assert end.hear(510, 1, start=0), "forgotten by now"
    assert len(end.device.snapshot()["envelopes"]["over"]) == RUNS_KEPT


def test_what_has_waited_in_a_queue_is_late_and_dropped() -> None:
    end = End()
    assert end.hear(1_000, 0, ms=900) == came(1_000)
    assert end.hear(9_000, 1, ms=9_000 - 100 - LATE_MS) == came(9_000), "just in time, for the quickest took 100 ms"
    assert end.hear(9_000, 2, ms=9_000 - 200 - LATE_MS) == []
    assert end.hear(9_100, 3, ms=9_000) == came(9_100)
    assert end.counted() == {"late": 1}


def test_clocks_that_part_slowly_make_nothing_late() -> None:
    """Ours runs 100 parts in a million faster: after a day 8.6 s."""
    end = End()
    for n in range(0, 86_400, 600):
        assert end.hear(n * 1000 + n // 10, n, ms=n * 1000)
    assert "late" not in end.counted()


@pytest.mark.parametrize(
    "payload",
    [
        b'{"kind":"rider"}',
        b'{"start":1,"seq":-1,"ms":0,"body":{}}',
        b'{"start":1,"seq":0,"ms":"x","body":{}}',
        b'{"start":1,"seq":0,"ms":0,"body":[]}',
        b'{"start":1,"seq":99999999999999999999,"ms":0,"body":{}}',
    ],
)
def test_what_is_no_envelope_is_counted_and_proves_nothing(payload: bytes) -> None:
    end = End()
    end.device.advance(0)
    end.far.write(join_topic("path/east", payload), NS_PER_S)
    assert end.emitted == []
    assert end.counted() == {"strange": 1}
    end.device.advance(STALE_NS)
    assert end.emitted == [DeviceHealth(STALE_NS, "neighbour", False, "no message")]


def test_what_is_no_json_is_skipped_and_does_not_spoil_what_follows() -> None:
    end = End()
    end.far.write(join_topic("path/east", b"rubbish"), 1)
    assert end.hear(10, 0) == came(10)
    assert end.device.counters()["skipped_bytes"] == 8


def test_when_the_broker_has_let_us_in_each_says_so_and_is_answered() -> None:
    end = End()
    end.far.write(OPEN, 5)
    assert end.wrote == [{"start": 5, "seq": 0, "ms": 0, "body": {"kind": "hello"}}]
    assert end.hear(10, 0, kind="hello") == []
    assert end.wrote[1]["body"] == {"kind": "here"}
    assert end.hear(20, 1, kind="here") == []
    assert len(end.wrote) == 2


def test_a_broker_that_stays_away_makes_the_neighbour_silent_and_the_first_word_after_it_makes_it_well() -> None:
    end = End()
    end.device.advance(0)
    end.hear(1_000, 0)
    end.emitted.clear()
    gone_ns = 2 * NS_PER_S
    end.far.write(GONE, gone_ns)
    assert end.device.wake_ns == gone_ns + GRACE_NS
    end.device.advance(gone_ns + GRACE_NS - 1)
    assert end.emitted == []
    end.device.advance(gone_ns + GRACE_NS)
    assert end.emitted == [DeviceHealth(gone_ns + GRACE_NS, "neighbour", False, NO_BROKER)]
    end.far.write(OPEN, 9 * NS_PER_S)
    end.device.advance(20 * NS_PER_S)
    assert len(end.emitted) == 1, "the broker alone is no neighbour"
    assert end.hear(21_000, 1, kind="here") == [DeviceHealth(21 * NS_PER_S, "neighbour", True)]


def test_a_broker_that_is_back_in_time_is_no_news() -> None:
    end = End()
    end.device.advance(0)
    end.hear(1_000, 0)
    end.far.write(GONE, 2 * NS_PER_S)
    end.far.write(OPEN, 3 * NS_PER_S)
    end.device.advance(20 * NS_PER_S)
    assert all(isinstance(value, Message) for value in end.emitted)


def test_a_wire_that_is_closed_ends_no_greeting() -> None:
    class Closed(MemoryLink):
        def write(self, data: bytes, t_ns: int) -> None:
            raise LinkLost("neighbour", t_ns, "closed")

    link = Closed("neighbour")
    Neighbour("neighbour", link, [].append, numbered=True)
    link.receiver(OPEN, 5)


moves = st.lists(
    st.tuples(
        st.sampled_from([OPEN, GONE, b"rubbish", None, *[(start, seq) for start in (1, 2) for seq in (0, 1, 2)]]),
        st.integers(0, 40_000),
    ),
    max_size=12,
)


def play(end: End, wanted: list[tuple[Any, int]], now_ms: int = 0) -> int:
    """Write a chunk or an envelope, or advance where there is none; the time it ends, in ms."""
    for what, wait_ms in wanted:
        now_ms += wait_ms
        if what is None:
            end.device.advance(now_ms * NS_PER_MS)
        elif isinstance(what, tuple):
            end.hear(now_ms, what[1], start=what[0])
        else:
            end.far.write(what, now_ms * NS_PER_MS)
    return now_ms


@given(moves, moves)
def test_a_restored_neighbour_goes_on_where_it_stood(before: list[Any], after: list[Any]) -> None:
    end, other = End(), End()
    now_ms = play(end, before)
    other.device.restore(json.loads(json.dumps(end.device.snapshot())))
    end.wrote.clear()
    play(end, after, now_ms)
    play(other, after, now_ms)
    assert other.wrote == end.wrote
    assert other.device.snapshot() == end.device.snapshot()
