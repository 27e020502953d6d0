"""Random addressing against python-dali's own fake gear: nothing of ours is at the far end."""

from __future__ import annotations

from typing import Any

from dali import command, frame
from dali.tests import fakes
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.buses.dali_addressing import commission
from drivers.buses.dali_procedures import Pause, Procedure, Progress
from drivers.codecs.dali import (
    COMPARE,
    GARBLED,
    INITIALISE,
    PROGRAM_SHORT_ADDRESS,
    RANDOMISE,
    TERMINATE,
    WITHDRAW,
    Command,
)


class Bus:
    """python-dali's fake bus; each answer may be lost on the way, by the number of the frame."""

    def __init__(self, *gear: fakes.Gear, lost: frozenset[int] = frozenset()) -> None:
        self.gear, self.lost = gear, lost
        self.sent: list[Command] = []
        self.told: list[str] = []
        self._bus = fakes.Bus(list(gear))

    def carry(self, wish: Command) -> int | None:
        self.sent.append(wish)
        theirs = command.from_frame(frame.ForwardFrame(16, wish.frame))
        assert (theirs.sendtwice, theirs.is_query) == (wish.twice, wish.answers), theirs
        response = self._bus.send(theirs)
        if response is None or response.raw_value is None or len(self.sent) in self.lost:
            return None
        return GARBLED if response.raw_value.error else int(response.raw_value.as_integer)

    def run(self, procedure: Procedure) -> Any:
        answer: int | None = None
        while True:
            try:
                wish = procedure.send(answer)
            except StopIteration as end:
                return end.value
            answer = None
            if isinstance(wish, Command):
                answer = self.carry(wish)
            elif isinstance(wish, Progress):
                self.told.append(wish.text)
            else:
                assert isinstance(wish, Pause)
                assert wish.duration_ns == 100_000_000
                assert self.sent[-1].frame >> 8 == RANDOMISE

    @property
    def addresses(self) -> list[int | None]:
        return [gear.shortaddr for gear in self.gear]


def new(*draws: int) -> fakes.Gear:
    return fakes.Gear(random_preload=[frame.Frame(24, number).as_integer for number in draws])


def test_new_gear_gets_the_lowest_free_addresses_in_the_order_of_its_random_addresses() -> None:
    bus = Bus(fakes.Gear(0), new(0x123456), fakes.Gear(2), new(0x000001), new(0xFFFFFE))
    assert bus.run(commission(0, 63)) == {
        "kept": [0, 2],
        "assigned": [[1, 0x000001], [3, 0x123456], [4, 0xFFFFFE]],
        "failed": [],
        "left": False,
    }
    assert bus.addresses == [0, 3, 2, 1, 4]
    assert bus.told[-1] == "gear at 0xfffffe has short address 4"
    assert bus.sent[-1].frame >> 8 == TERMINATE
    assert all(not gear.initialising for gear in bus.gear)


def test_addresses_that_exist_are_kept_even_when_two_gear_share_one() -> None:
    bus = Bus(fakes.Gear(5), fakes.Gear(5), new(77))
    assert bus.run(commission(5, 6)) == {"kept": [5], "assigned": [[6, 77]], "failed": [], "left": False}
    assert bus.addresses == [5, 5, 6]


def test_where_all_have_an_address_nothing_is_touched() -> None:
    bus = Bus(fakes.Gear(0), fakes.Gear(63))
    assert bus.run(commission(0, 63)) == {"kept": [0, 63], "assigned": [], "failed": [], "left": False}
    assert not any(wish.frame >> 8 in (INITIALISE, RANDOMISE) for wish in bus.sent)


def test_two_that_drew_alike_draw_again() -> None:
    bus = Bus(new(9, 1000), new(9, 5), new(4))
    result = bus.run(commission(0, 63))
    assert result["assigned"] == [[0, 4], [1, 5], [2, 1000]]
    assert bus.addresses == [2, 1, 0]
    assert "several gear at 0x000009: all draw again" in bus.told


def test_two_that_draw_alike_for_ever_are_left_and_it_ends() -> None:
    bus = Bus(new(*[9] * 5), new(*[9] * 5))
    assert bus.run(commission(0, 63)) == {"kept": [], "assigned": [], "failed": [], "left": True}
    assert bus.sent[-1].frame >> 8 == TERMINATE


def test_it_says_so_when_no_address_is_free() -> None:
    full = Bus(fakes.Gear(3), new(1))
    assert full.run(commission(3, 3)) == {"kept": [3], "assigned": [], "failed": [], "left": True}
    bus = Bus(new(1), new(2))
    assert bus.run(commission(3, 3)) == {"kept": [], "assigned": [[3, 1]], "failed": [], "left": True}
    assert bus.addresses == [3, None]
    assert all(each.sent[-1].frame >> 8 == TERMINATE for each in (full, bus))


class Stubborn(fakes.Gear):  # type: ignore[misc]
    """Takes no address."""

    def send(self, cmd: Any) -> Any:
        return None if cmd.frame.as_integer >> 8 == PROGRAM_SHORT_ADDRESS else super().send(cmd)


def test_gear_that_takes_no_address_is_named_and_the_others_get_theirs() -> None:
    bus = Bus(Stubborn(random_preload=[7] * 5), new(9))
    assert bus.run(commission(0, 63)) == {"kept": [], "assigned": [[0, 9]], "failed": [7] * 5, "left": True}
    assert "gear at 0x000007 does not take a short address" in bus.told


def test_gear_that_takes_no_address_and_does_not_withdraw_hides_others_until_all_draw_again() -> None:
    class Deaf(Stubborn):
        def send(self, cmd: Any) -> Any:
            return None if cmd.frame.as_integer >> 8 == WITHDRAW else super().send(cmd)

    bus = Bus(Deaf(random_preload=[7, 9, 9, 9, 9]), new(8, 8))
    result = bus.run(commission(0, 63))
    assert (result["assigned"], result["failed"], result["left"]) == ([[0, 8]], [7, 9, 9, 9, 9], True)


def test_a_search_that_only_ever_ends_where_nobody_is_ends() -> None:
    class Liar(fakes.Gear):  # type: ignore[misc]
        """Says yes to two out of three comparisons, whatever it drew."""

        asked = 0

        def send(self, cmd: Any) -> Any:
            if cmd.frame.as_integer >> 8 != COMPARE:
                return super().send(cmd)
            self.asked += 1
            return 0xFF if self.asked % 3 else None

    bus = Bus(Liar(random_preload=[7] * 5))
    result = bus.run(commission(0, 63))
    assert (result["left"], result["assigned"], bus.sent[-1].frame >> 8) == (True, [], TERMINATE)


def test_when_the_word_that_somebody_is_left_is_lost_it_is_asked_again() -> None:
    bus = Bus(fakes.Gear(0), new(7), lost=frozenset({65}))  # after 64 questions who is there
    assert bus.run(commission(0, 63))["assigned"] == [[1, 7]]


@given(st.sets(st.integers(0, 0xFFFFFE), max_size=6), st.sets(st.integers(0, 63), max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_one_answer_is_lost_all_end_with_an_address_of_their_own(
    draws: set[int], known: set[int], draw: st.DataObject
) -> None:
    lost = draw.draw(st.integers(1, 70 + 85 * len(draws)))
    numbers = [fakes.Gear(address) for address in sorted(known)]
    fresh = [new(number, *[(number * 7919 + n) & 0xFFFFFF for n in range(1, 5)]) for number in sorted(draws)]
    bus = Bus(*numbers, *fresh, lost=frozenset({lost}))
    result = bus.run(commission(0, 63))
    assert bus.addresses[: len(known)] == sorted(known)
    assert len(set(bus.addresses) - {None}) == len(bus.gear)
    assert (result["left"], result["failed"]) == (False, [])
    assert len(bus.sent) < 100 + 220 * len(draws)


@given(st.sets(st.integers(0, 0xFFFFFE), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_python_dalis_commissioning_gives_the_same_addresses_with_more_frames(draws: set[int]) -> None:
    from dali.sequences import Commissioning

    from drivers.buses.dali_sequences import sequence

    ours, theirs = Bus(*[new(number) for number in draws]), Bus(*[new(number) for number in draws])
    ours.run(commission(0, 63))
    procedure = sequence(Commissioning())
    answer: int | None = None
    while True:
        try:
            wish = procedure.send(answer)
        except StopIteration:
            break
        answer = theirs.carry(wish) if isinstance(wish, Command) else None
    assert ours.addresses == theirs.addresses
    assert len(ours.sent) < len(theirs.sent)
    compares = [sum(wish.frame >> 8 == COMPARE for wish in bus.sent) for bus in (ours, theirs)]
    assert compares[0] <= compares[1] + 2 * len(draws)
