"""Short addresses for factory-new DALI gear: random addressing, as a procedure (IEC 62386-102:2014, 9.14).

Gear without a short address draws a random address of 24 bits. The lowest one is found by halving: gear says yes to
COMPARE when its random address is not above the search address. It gets a short address, is withdrawn, and so on.

Our own, not python-dali's `sequences.Commissioning`, because a street needs more: a frame lost on the way is sent
again and does not end it; a lost answer, which leads the search astray, is noticed and the search begun again; it is
asked in the end whether gear is left; rounds have an end; TERMINATE follows a failure too; and only bytes of the search
address that change are sent. The tests hold both against the same gear.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, TypeVar

from drivers.buses.dali_procedures import Pause, Procedure, Progress
from drivers.codecs import dali
from drivers.codecs.dali import GARBLED, Command
from drivers.units import NS_PER_MS

RANDOM_MAX: Final = 0xFF_FFFF
ROUNDS: Final = 5
"""So often gear that is still without an address draws anew: two had drawn the same, or answers were lost."""

STRAYS: Final = 3
"""So often in a row the search may end where nobody is, before all draw anew."""

UNADDRESSED: Final = 0xFF
"""INITIALISE with this byte means gear without a short address; it listens for 15 minutes."""

RANDOMISE_NS: Final = 100 * NS_PER_MS
"""Gear may take this long to draw."""

Found = TypeVar("Found")
Steps = Generator[Command | Pause | Progress, int | None, Found]

_SEARCH: Final = (dali.SEARCHADDRH, dali.SEARCHADDRM, dali.SEARCHADDRL)


def terminate() -> Procedure:
    """End the initialise state of all gear."""
    yield _all(dali.TERMINATE)
    return None


def commission(lowest: int, highest: int) -> Procedure:
    """Give the free short addresses from `lowest` to `highest` to gear that has none; addresses that exist are kept.

    Returns ``{"kept": [0, 1], "assigned": [[2, 1193046]], "failed": [], "left": False}``: short addresses found in use;
    short and random address of each new one; random addresses of gear that did not take one; whether gear is left
    without one, because no address was free or it could not be told apart. Begun again after a lost gateway, it counts
    what it had assigned until then among `kept`.
    """
    kept: list[int] = []
    for address in range(64):
        if (yield _present(address)) is not None:
            kept.append(address)
        yield Progress(address + 1, 64, f"{len(kept)} addresses are in use")
    assigned: list[list[int]] = []
    failed: list[int] = []
    free = [address for address in range(lowest, highest + 1) if address not in kept]
    left = yield from _any_left()
    for _ in range(ROUNDS):
        if not left or not free:
            break
        yield from _round(free, kept, assigned, failed)
        left = yield from _any_left()
    yield _all(dali.TERMINATE)
    return {"kept": sorted(kept), "assigned": assigned, "failed": failed, "left": left}


def _round(free: list[int], kept: list[int], assigned: list[list[int]], failed: list[int]) -> Steps[None]:
    """All gear without an address draws; then one after the other gets one, until all have or two have drawn alike."""
    yield _all(dali.TERMINATE)
    yield _all(dali.INITIALISE, UNADDRESSED)
    yield _all(dali.RANDOMISE)
    yield Pause(RANDOMISE_NS)
    said: list[int | None] = [None, None, None]
    low = strays = 0
    stray = given_up = -1
    while strays < STRAYS and (yield from _any_below(RANDOM_MAX, said)) is not None:
        high = RANDOM_MAX
        while low < high:
            middle = (low + high) // 2
            if (yield from _any_below(middle, said)) is None:
                low = middle + 1
            else:
                high = middle
        if (yield from _any_below(low, said)) == GARBLED:
            yield Progress(len(assigned), 0, f"several gear at {low:#08x}: all draw again")
            return
        address = yield from _next_free(free, kept)
        if address is None:
            return
        if (yield from _program(address)):
            del free[0]
            strays = 0
            assigned.append([address, low])
            yield Progress(len(assigned), 0, f"gear at {low:#08x} has short address {address}")
        elif low == given_up:
            return  # it does not withdraw either, and hides all others
        elif low == stray:  # found there twice, so it is there
            given_up = low
            failed.append(low)
            yield Progress(len(assigned), 0, f"gear at {low:#08x} does not take a short address")
        else:  # a lost answer has led us past it
            stray, low = low, 0
            strays += 1
            continue
        yield _all(dali.WITHDRAW)


def _next_free(free: list[int], kept: list[int]) -> Steps[int | None]:
    """The first free address; asked once more, in case that an answer was lost. None: there is none left."""
    while free:
        if (yield _present(free[0])) is None:
            return free[0]
        kept.append(free.pop(0))
    return None


def _program(address: int) -> Steps[bool]:
    """Give the address to the gear at the search address; whether it has it."""
    byte = address << 1 | 1
    for _ in range(2):
        yield _all(dali.PROGRAM_SHORT_ADDRESS, byte)
        if (yield _asking(dali.special(dali.VERIFY_SHORT_ADDRESS, byte))) is not None:
            return True
    return False


def _any_below(search: int, said: list[int | None]) -> Steps[int | None]:
    """The answer to: is anybody's random address `search` or below? `said`: the search address that gear knows."""
    for place, byte in enumerate(search.to_bytes(3, "big")):
        if byte != said[place]:
            yield _all(_SEARCH[place], byte)
            said[place] = byte
    return (yield _asking(dali.special(dali.COMPARE)))


def _any_left() -> Steps[bool]:
    """Whether any gear says that it has no short address; silence is asked twice."""
    for _ in range(2):
        if (yield _asking(dali.command(dali.BROADCAST, dali.QUERY_MISSING_SHORT_ADDRESS))) is not None:
            return True
    return False


def _present(address: int) -> Command:
    """Is anybody there?"""
    return _asking(dali.command(dali.short(address), dali.QUERY_CONTROL_GEAR_PRESENT))


def _all(address_byte: int, data: int = 0) -> Command:
    """A special command; none of those used here does harm when it is heard once more."""
    command = dali.special(address_byte, data)
    return Command(command.frame, twice=command.twice, again=True)


def _asking(query: Command) -> Command:
    """A question that many may say yes to."""
    return Command(query.frame, answers=True, many=True, again=True)
