"""Talking to a part: answers among other events, tries, deadlines, late answers, and a snapshot at any point."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices.dialogue import BUSY, LATE, Ask, Dialogue, Failed, Finished, Procedure
from drivers.links.memory import memory_pair
from drivers.units import FOREVER_NS

T = 100
"""Time-out of most asks here, in ns."""


def answer_to(word: str) -> Any:
    """What is wanted after `word`: the event ``word=...``, of which the answer is the rest."""
    return lambda event: event.partition("=")[2] if event.startswith(f"{word}=") else None


def ask(word: str, **more: Any) -> Ask:
    return Ask(word.encode(), answer_to(word), **{"timeout_ns": T, **more})


def ask_each(*words: str) -> Procedure:
    """The answers in order."""
    said = []
    for word in words:
        said.append((yield ask(word)))
    return said


def need(word: str) -> Procedure:
    """One that gives up, and says goodbye first."""
    try:
        if (yield ask(word, tries=1)) is None:
            raise Failed(f"{word}: no answer")
    except Failed:
        yield ask("bye", tries=1)
        raise
    return "fine"


def one(word: str, more: dict[str, Any]) -> Procedure:
    return (yield ask(word, **more))


def listening() -> Procedure:
    return (yield Ask(b"", answer_to("news"), T))


def nothing() -> Procedure:
    yield from ()
    return "done"


def wordless() -> Procedure:
    yield ask("a")
    raise Failed


PROCEDURES: dict[str, Callable[..., Procedure]] = {
    "each": ask_each,
    "need": need,
    "one": one,
    "listening": listening,
    "nothing": nothing,
    "wordless": wordless,
}


class Bench:
    """A dialogue, the part's end of its wire, what was asked when, what ended, and events that were nobody's."""

    def __init__(self) -> None:
        near, self.far = memory_pair("part")
        self.asked: list[tuple[int, str]] = []
        self.done: list[Finished] = []
        self.others: list[str] = []
        self.dialogue = Dialogue("part", near, PROCEDURES, self.done.append)
        near.receiver = self.receive
        self.far.receiver = lambda data, t_ns: self.asked.append((t_ns, data.decode()))

    def receive(self, data: bytes, t_ns: int) -> None:
        if not self.dialogue.heard(data.decode(), t_ns):
            self.others.append(data.decode())

    def say(self, event: str, t_ns: int) -> None:
        self.far.write(event.encode(), t_ns)

    def run(self, until_ns: int) -> None:
        while self.dialogue.wake_ns <= until_ns:
            self.dialogue.advance(self.dialogue.wake_ns)


def test_a_procedure_needs_no_wire() -> None:
    procedure = ask_each("a")
    assert next(procedure).data == b"a"
    with pytest.raises(StopIteration) as end:
        procedure.send("1")
    assert end.value.value == ["1"]


def test_each_ask_leaves_as_soon_as_the_one_before_is_answered() -> None:
    bench = Bench()
    bench.dialogue.start("each", ("a", "b"), 5)
    assert bench.asked == [(5, "a")]
    assert bench.dialogue.busy
    bench.say("a=1", 7)
    bench.say("b=2", 9)
    assert bench.asked == [(5, "a"), (7, "b")]
    assert bench.done == [Finished(9, "each", ("a", "b"), True, ["1", "2"])]
    assert (bench.dialogue.busy, bench.dialogue.wake_ns) == (False, FOREVER_NS)


def test_what_is_not_the_answer_is_left_to_the_device() -> None:
    bench = Bench()
    bench.say("a=0", 0)
    bench.dialogue.start("each", ("a",), 1)
    bench.say("report", 2)
    bench.say("b=7", 3)
    bench.say("a=1", 4)
    bench.say("a=1", 5)
    assert bench.others == ["a=0", "report", "b=7", "a=1"]
    assert bench.done[0].result == ["1"]


def test_an_ask_is_repeated_as_often_as_it_says_and_then_answered_by_none() -> None:
    bench = Bench()
    bench.dialogue.start("each", ("a",), 0)
    bench.dialogue.advance(T - 1)
    assert len(bench.asked) == 1
    bench.run(10 * T)
    assert bench.asked == [(0, "a"), (T, "a"), (2 * T, "a")]
    assert bench.done == [Finished(3 * T, "each", ("a",), True, [None])]
    assert bench.dialogue.no_replies == 3


def test_an_ask_that_only_listens_listens_once() -> None:
    bench = Bench()
    bench.dialogue.start("listening", (), 0)
    bench.run(T)
    assert (bench.asked, bench.done) == ([], [Finished(T, "listening", (), True, None)])
    bench.dialogue.start("listening", (), 2 * T)
    bench.say("news=good", 2 * T + 1)
    assert bench.done[1].result == "good"


def test_a_procedure_that_fails_may_say_goodbye_first() -> None:
    bench = Bench()
    bench.dialogue.start("need", ("a",), 0)
    bench.run(10 * T)
    assert [word for _, word in bench.asked] == ["a", "bye"]
    assert bench.done == [Finished(2 * T, "need", ("a",), False, None, "a: no answer")]


def test_a_failure_without_a_word_has_one_all_the_same() -> None:
    bench = Bench()
    bench.dialogue.start("wordless", (), 0)
    bench.say("a=1", 1)
    assert (bench.done[0].ok, bench.done[0].reason) == (False, "failed")


def test_a_procedure_that_asks_nothing_ends_where_it_begins() -> None:
    bench = Bench()
    bench.dialogue.start("nothing", (), 3)
    assert bench.done == [Finished(3, "nothing", (), True, "done")]


def test_nothing_lasts_longer_than_its_deadline() -> None:
    bench = Bench()
    bench.dialogue.start("each", ("a",), 0, 2 * T + 50)
    bench.run(10 * T)
    assert bench.done == [Finished(2 * T + 50, "each", ("a",), False, None, LATE)]
    assert len(bench.asked) == 3


def test_an_answer_behind_the_deadline_is_taken_but_nothing_more_is_asked() -> None:
    bench = Bench()
    bench.dialogue.start("each", ("a", "b"), 0, 50)
    bench.say("a=1", 51)
    assert bench.asked == [(0, "a")]
    assert (bench.done[0].ok, bench.done[0].reason) == (False, LATE)
    bench.dialogue.start("each", ("a",), 60, 90)
    bench.say("a=1", 91)
    assert (bench.done[1].ok, bench.done[1].result) == (True, ["1"])


def test_a_second_conversation_ends_before_it_begins() -> None:
    bench = Bench()
    bench.dialogue.start("each", ("a",), 0)
    bench.dialogue.start("each", ("b",), 1)
    assert bench.done == [Finished(1, "each", ("b",), False, None, BUSY)]
    bench.say("a=1", 2)
    assert bench.done[1] == Finished(2, "each", ("a",), True, ["1"])
    with pytest.raises(KeyError):
        bench.dialogue.start("unheard of", (), 3)


def test_the_next_conversation_may_be_started_by_the_end_of_the_last() -> None:
    near, far = memory_pair("part")
    ends: list[int] = []

    def again(finished: Finished) -> None:
        ends.append(finished.t_ns)
        if len(ends) < 1_000:
            dialogue.start("each", ("a", "b"), finished.t_ns)

    dialogue = Dialogue("part", near, PROCEDURES, again)

    def receive(data: bytes, t_ns: int) -> None:
        assert dialogue.heard(data.decode(), t_ns)

    near.receiver = receive
    far.receiver = lambda data, t_ns: far.write(data + b"=", t_ns)  # answers while it is being asked
    dialogue.start("each", ("a", "b"), 7)
    assert ends == [7] * 1_000


def test_the_late_answer_to_an_earlier_try_counts_and_those_to_the_others_are_dropped() -> None:
    bench = Bench()
    bench.dialogue.start("each", ("a", "a"), 0)
    bench.run(2 * T + 10)  # three tries, at 0, T and 2 T
    bench.say("a=old", 2 * T + 20)  # the first took 220: the others come by 420
    assert bench.dialogue.wake_ns == 4 * T + 20
    bench.say("a=old", 3 * T + 20)
    assert len(bench.asked) == 3
    bench.say("a=old", 4 * T + 20)
    assert bench.asked[3:] == [(4 * T + 20, "a")]
    bench.say("a=new", 4 * T + 30)
    assert bench.done[0].result == ["old", "new"]
    assert bench.others == []


def test_answers_that_are_owed_and_never_come_are_not_waited_for_longer_than_the_first_took() -> None:
    bench = Bench()
    bench.dialogue.start("each", ("a", "b"), 0)
    bench.run(T)
    bench.say("a=1", T + 30)
    bench.say("report", T + 40)
    assert bench.others == ["report"]
    assert bench.dialogue.wake_ns == 2 * T + 30
    bench.run(2 * T + 30)
    assert bench.asked[2:] == [(2 * T + 30, "b")]


def test_the_last_ask_ends_when_nothing_is_owed_any_more_or_its_deadline_comes() -> None:
    bench = Bench()
    bench.dialogue.start("each", ("a",), 0, 2 * T)
    bench.run(T)
    bench.say("a=1", T + 30)
    assert bench.done == []
    bench.run(10 * T)
    assert bench.done == [Finished(2 * T, "each", ("a",), True, ["1"])]


@pytest.mark.parametrize("answered", [True, False])
def test_after_an_ask_with_a_pause_nothing_is_said_for_so_long(answered: bool) -> None:
    bench = Bench()
    bench.dialogue.start("one", ("a", {"pause_ns": 500, "tries": 1}), 0)
    if answered:
        bench.say("a=1", 10)
        bench.say("a=1", 20)
        assert bench.others == ["a=1"]
    bench.run(10_000)
    assert bench.done[0].t_ns == (510 if answered else T + 500)


def test_a_pause_is_kept_also_when_the_owed_answers_have_come() -> None:
    bench = Bench()
    bench.dialogue.start("one", ("a", {"pause_ns": 500}), 0)
    bench.run(T)
    bench.say("a=1", T + 1)
    bench.say("a=1", T + 2)
    assert bench.dialogue.wake_ns == T + 501
    bench.run(10_000)
    assert bench.done[0].t_ns == T + 501


Moves = list[tuple[str, int]]
moves = st.lists(
    st.tuples(
        st.sampled_from(["a=1", "a=2", "b=3", "bye=", "report", "start each", "start need", "start one", "tick"]),
        st.integers(0, 130),
    ),
    max_size=25,
)


def play(bench: Bench, some: Moves, now_ns: int = 0, *, ticking: bool = False) -> int:
    """Events and starts, each so long after the one before; `ticking` advances every nanosecond, else when due."""
    args: dict[str, tuple[Any, ...]] = {
        "each": ("a", "a", "b"),
        "need": ("a",),
        "one": ("a", {"pause_ns": 40, "tries": 2}),
    }
    for what, wait_ns in some:
        if ticking:
            for t_ns in range(now_ns, now_ns + wait_ns + 1):
                bench.dialogue.advance(t_ns)
        else:
            bench.run(now_ns + wait_ns)
        now_ns += wait_ns
        if what.startswith("start "):
            bench.dialogue.start(what[6:], args[what[6:]], now_ns, now_ns + 450)
        elif what != "tick":
            bench.say(what, now_ns)
    return now_ns


@given(moves)
def test_skipping_to_what_is_due_and_ticking_come_to_the_same(some: Moves) -> None:
    bench, other = Bench(), Bench()
    play(bench, some)
    play(other, some, ticking=True)
    assert (bench.asked, bench.done, bench.others) == (other.asked, other.done, other.others)
    assert bench.dialogue.snapshot() == other.dialogue.snapshot()


@given(moves)
def test_before_it_is_due_nothing_changes(some: Moves) -> None:
    bench = Bench()
    now_ns = play(bench, some)
    before = bench.dialogue.snapshot(), bench.dialogue.wake_ns
    if now_ns < bench.dialogue.wake_ns:
        bench.dialogue.advance(min(bench.dialogue.wake_ns, now_ns + 1_000) - 1)
    assert (bench.dialogue.snapshot(), bench.dialogue.wake_ns) == before


@given(moves, moves)
def test_a_restored_conversation_goes_on_where_it_stood(before: Moves, after: Moves) -> None:
    bench, other = Bench(), Bench()
    now_ns = play(bench, before)
    other.dialogue.restore(json.loads(json.dumps(bench.dialogue.snapshot())))
    assert other.asked == []
    assert other.dialogue.wake_ns == bench.dialogue.wake_ns
    for told in (bench.asked, bench.done, bench.others):
        told.clear()
    for each in (bench, other):
        play(each, after, now_ns)
    assert (bench.asked, bench.done, bench.others) == (other.asked, other.done, other.others)
    assert bench.dialogue.snapshot() == other.dialogue.snapshot()


@given(moves)
def test_everything_begun_ends_once_and_in_time(some: Moves) -> None:
    bench = Bench()
    now_ns = play(bench, some)
    bench.run(now_ns + 1_000)
    assert len(bench.done) == len([what for what, _ in some if what.startswith("start ")])
    assert not bench.dialogue.busy
