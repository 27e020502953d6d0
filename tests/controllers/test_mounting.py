"""Evidence on one radar: how many riders it takes to doubt it, to believe it again, and how long words count."""

from __future__ import annotations

import json
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from controllers.lighting.mounting import ENOUGH, REMEMBERED, TIMES, Mounting


def heard(words: Iterable[bool], mounting: Mounting | None = None, first: int = 1) -> tuple[Mounting, list[int]]:
    """A mounting that new riders spoke for (True) or against, and which of them, counted from 1, were news."""
    mounting = mounting or Mounting()
    news = [n for n, straight in enumerate(words, 1) if mounting.met(first + n, straight=straight)]
    return mounting, news


def against(count: int) -> list[bool]:
    return [False] * count


def for_it(count: int) -> list[bool]:
    return [True] * count


def test_nobody_has_spoken_and_the_radar_is_taken_to_be_right() -> None:
    mounting = Mounting()
    assert (mounting.straight, mounting.mirrored, mounting.wrong) == (0, 0, False)
    assert mounting.snapshot() == [0, 0, 0, 0]


def test_the_fourth_who_is_mirrored_makes_it_doubtful() -> None:
    mounting, news = heard(against(ENOUGH))
    assert (news, mounting.wrong) == ([ENOUGH], True)
    assert not heard(against(ENOUGH - 1))[0].wrong


def test_with_words_for_it_three_times_as_many_are_needed_and_are_enough() -> None:
    mounting, news = heard([*for_it(2), *against(2 * TIMES)])
    assert (news, mounting.wrong) == ([2 + 2 * TIMES], True)
    assert not heard([*for_it(2), *against(2 * TIMES - 1)])[0].wrong


def test_the_same_reverse_makes_it_good_again() -> None:
    mounting, _ = heard(against(ENOUGH))
    mounting, news = heard(for_it(ENOUGH * TIMES), mounting, 100)
    # sixteen words with the last of them: halved by then, four against and twelve for it are three times as many
    assert (news, mounting.wrong) == ([ENOUGH * TIMES], False)


def test_a_rider_speaks_once_however_often_the_radar_sees_it() -> None:
    mounting = Mounting()
    for _ in range(3 * REMEMBERED):
        assert not mounting.met(7, straight=False)
    assert (mounting.mirrored, mounting.straight) == (1, 0)


def test_the_sixteenth_word_makes_all_worth_half() -> None:
    mounting, _ = heard([*for_it(8), *against(7)])
    assert (mounting.straight, mounting.mirrored) == (8, 7)
    heard(against(1), mounting, 100)
    assert (mounting.straight, mounting.mirrored) == (4, 4)
    mounting, _ = heard([*for_it(11), *against(5)])
    assert (mounting.straight, mounting.mirrored) == (5, 2), "whole words: half of an odd number is rounded down"


def test_a_radar_that_was_right_for_years_is_doubted_within_a_few_riders_of_being_turned() -> None:
    mounting, news = heard(for_it(10_000))
    assert news == []
    _, news = heard(against(4 * REMEMBERED), mounting, 20_000)
    assert len(news) == 1
    assert news[0] <= 2 * REMEMBERED


@given(st.lists(st.booleans(), max_size=80), st.integers(0, 80))
def test_a_snapshot_goes_on_as_the_first_would_have(words: list[bool], cut: int) -> None:
    whole, news = heard(words)
    first, before = heard(words[:cut])
    again = Mounting()
    again.restore(json.loads(json.dumps(first.snapshot())))
    assert again.snapshot() == first.snapshot()
    _, after = heard(words[cut:], again, 1 + len(words[:cut]))
    assert again.snapshot() == whole.snapshot()
    assert before + [len(words[:cut]) + n for n in after] == news


@given(st.lists(st.booleans(), max_size=200))
def test_each_news_is_the_other_way_and_few_words_are_remembered(words: list[bool]) -> None:
    mounting, news = heard(words)
    assert mounting.wrong is (len(news) % 2 == 1)
    assert 0 <= mounting.straight + mounting.mirrored < REMEMBERED
