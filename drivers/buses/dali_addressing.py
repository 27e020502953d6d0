"""Short addresses for factory-new DALI gear: random addressing, as a procedure (IEC 62386-102:2014, 9.14).

Gear without a short address draws a random address of 24 bits. The lowest one is found by halving: gear says yes to
COMPARE when its random address is not above the search address. It gets a short address, is withdrawn, and so on.

Our own, not python-dali's `sequences.Commissioning`, because a street needs more: a frame lost on the way is sent again
and does not end it; gear that a lost answer has hidden is found in a further round, for it is asked in the end whether
any is left; rounds have an end; TERMINATE follows a failure too; and only bytes of the search address that change are
sent, which halves the frames. The tests hold both against the same gear.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from drivers.buses.dali_procedures import Pause, Procedure, ProcedureFailed, Progress
from drivers.codecs import dali
from drivers.codecs.dali import GARBLED, Command
from drivers.units import NS_PER_MS

RANDOM_MAX: Final = 0xFF_FFFF
ROUNDS: Final = 5
"""So often gear that is still without an address draws anew: two had drawn the same, or an answer was lost."""

UNADDRESSED: Final = 0xFF
"""INITIALISE with this byte means gear without a short address; it listens for 15 minutes."""

RANDOMISE_NS: Final = 100 * NS_PER_MS
"""Gear may take this long to draw."""

_SEARCH: Final = (dali.SEARCHADDRH, dali.SEARCHADDRM, dali.SEARCHADDRL)


def terminate() -> Procedure:
    """End the initialise state of all gear."""
    yield _all(dali.TERMINATE)
    return None


def commission(lowest: int, highest: int) -> Procedure:
    """Give the free short addresses from `lowest` to `highest` to gear that has none; addresses that exist are kept.

    Returns ``{"kept": [0, 1], "assigned": [[2, 1193046]], "failed": [], "left": False}``: short addresses found in use;
    short and random address of each new one; random addresses of gear that did not take one; whether gear is left
    without one. With 64 gear it takes some 90 s. Fails when nobody can be told apart, or no address is free.
    """
    kept: list[int] = []
    for address in range(64):
        query = dali.command(dali.short(address), dali.QUERY_CONTROL_GEAR_PRESENT)
        if (yield _asking(query)) is not None:
            kept.append(address)
        yield Progress(address + 1, 64, f"{len(kept)} addresses are in use")
    assigned: list[list[int]] = []
    failed: list[int] = []
    left = yield from _any_left()
    for _ in range(ROUNDS):
        if not left:
            break
        free = [address for address in range(lowest, highest + 1) if address not in kept]
        if not free:
            raise ProcedureFailed(f"gear without an address, and no address from {lowest} to {highest} is free")
        yield from _round(free, kept, assigned, failed)
        left = yield from _any_left()
    yield _all(dali.TERMINATE)
    new = [address for address, _ in assigned]
    return {
        "kept": [address for address in kept if address not in new],
        "assigned": assigned,
        "failed": failed,
        "left": left,
    }


def _round(
    free: list[int], kept: list[int], assigned: list[list[int]], failed: list[int]
) -> Generator[Command | Pause | Progress, int | None, None]:
    """All gear without an address draws; then one after the other gets one, until all have or two have drawn alike."""
    yield _all(dali.TERMINATE)
    yield _all(dali.INITIALISE, UNADDRESSED)
    yield _all(dali.RANDOMISE)
    yield Pause(RANDOMISE_NS)
    said: list[int | None] = [None, None, None]
    low = 0
    while (yield from _any_below(RANDOM_MAX, said)) is not None:
        high = RANDOM_MAX
        while low < high:
            middle = (low + high) // 2
            if (yield from _any_below(middle, said)) is None:
                low = middle + 1
            else:
                high = middle
        answer = yield from _any_below(low, said)
        if answer is None or answer == GARBLED:
            yield Progress(len(assigned), 0, f"no single gear at {low:#08x}: all draw again")
            return
        if not free:
            raise ProcedureFailed(f"no address is free for gear at {low:#08x}")
        address = free.pop(0)
        if (yield from _program(address)):
            kept.append(address)
            assigned.append([address, low])
            yield Progress(len(assigned), 0, f"gear at {low:#08x} has short address {address}")
        else:
            failed.append(low)
            yield Progress(len(assigned), 0, f"gear at {low:#08x} did not take short address {address}")
        yield _all(dali.WITHDRAW)


def _program(address: int) -> Generator[Command | Pause | Progress, int | None, bool]:
    """Give the address to the gear at the search address; whether it has it."""
    byte = address << 1 | 1
    for _ in range(2):
        yield _all(dali.PROGRAM_SHORT_ADDRESS, byte)
        if (yield _asking(dali.special(dali.VERIFY_SHORT_ADDRESS, byte))) is not None:
            return True
    return False


def _any_below(search: int, said: list[int | None]) -> Generator[Command | Pause | Progress, int | None, int | None]:
    """The answer to: is anybody's random address `search` or below? `said`: the search address that gear knows."""
    for place, byte in enumerate(search.to_bytes(3, "big")):
        if byte != said[place]:
            yield _all(_SEARCH[place], byte)
            said[place] = byte
    return (yield _asking(dali.special(dali.COMPARE)))


def _any_left() -> Generator[Command | Pause | Progress, int | None, bool]:
    """Whether any gear says that it has no short address."""
    return (yield _asking(dali.command(dali.BROADCAST, dali.QUERY_MISSING_SHORT_ADDRESS))) is not None


def _all(address_byte: int, data: int = 0) -> Command:
    """A special command; none of those used here does harm when it is heard once more."""
    command = dali.special(address_byte, data)
    return Command(command.frame, twice=command.twice, again=True)


def _asking(query: Command) -> Command:
    """A question that many may say yes to."""
    return Command(query.frame, answers=True, many=True, again=True)
