"""Procedures on a DALI bus, written as generators: they yield commands and are sent what the gear answered.

An answer is a byte, None where no gear answered, or GARBLED where several did (to a command that says so). What a
procedure returns is its result (JSON-able). It may also yield a Pause, and Progress for whoever waits. It raises
ProcedureFailed with the reason when it cannot go on.

The bus starts a procedure again from its first command when the wire failed in the middle of it, so each begins with
queries and writes only what differs: writing the same value again would wear the gear's memory for nothing.

Example, without any bus::

    procedure = query_actual_level(5)
    next(procedure)          # Command(frame=0x0BA0, answers=True)
    procedure.send(254)      # StopIteration, its value is 254
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import msgspec

from drivers.codecs import dali
from drivers.codecs.dali import Command

COLLIDE: Final = "answers collide: two gear with one short address?"
"""Why a procedure has ended whose question was answered by several."""

Result = int | dict[str, Any] | None


class Pause(msgspec.Struct, frozen=True, gc=False):
    """Nothing is sent for this long, because gear is busy: ``Pause(100_000_000)`` after RANDOMISE."""

    duration_ns: int


class Progress(msgspec.Struct, frozen=True, gc=False):
    """How far a long procedure is: ``Progress(3, 64, "gear found at 0x123456")``. `total` 0: not known."""

    done: int
    total: int
    text: str


class ProcedureFailed(Exception):  # noqa: N818 - errors are facts
    """A procedure cannot go on; the text says why."""


Procedure = Generator[Command | Pause | Progress, int | None, Result]


def query_actual_level(short_address: int) -> Procedure:
    """Arc power level 0 to 254 of one gear; None: no answer, or the gear does not know (MASK)."""
    level = yield dali.command(dali.short(short_address), dali.QUERY_ACTUAL_LEVEL)
    return None if level == dali.MASK else level


def query_status(short_address: int) -> Procedure:
    """Status byte of one gear (bit 1 lamp failure, 2 lamp on, 4 fade running); None: no answer."""
    return (yield dali.command(dali.short(short_address), dali.QUERY_STATUS))


def check_gear(short_address: int) -> Procedure:
    """Status byte and level of one gear, one after the other: ``{"status": 4, "level": 170}``; None: no answer at all.

    `level` is None where it is not known. See `drivers.devices.lamp` for the bits.
    """
    target = dali.short(short_address)
    status = yield dali.command(target, dali.QUERY_STATUS)
    level = yield dali.command(target, dali.QUERY_ACTUAL_LEVEL)
    if status is None and level is None:
        return None
    return {"status": status, "level": None if level == dali.MASK else level}


def identify(short_address: int) -> Procedure:
    """Let one gear show itself for some ten seconds: it blinks, or goes to full and to minimum (IDENTIFY DEVICE)."""
    yield dali.command(dali.short(short_address), dali.IDENTIFY_DEVICE)
    return None


class Done(msgspec.Struct, frozen=True):
    """A procedure has ended at `t_ns`. `ok` false: it could not be carried out, `reason` says why, `result` is None."""

    t_ns: int
    procedure: str
    args: tuple[int, ...]
    ok: bool
    result: Result
    reason: str = ""
