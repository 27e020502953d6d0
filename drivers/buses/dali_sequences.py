"""Sequences of python-dali on our bus.

This module imports that library (LGPL): import it late. With the memory banks that takes 27 ms on a desktop.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

from dali import frame as frames  # type: ignore[import-untyped]
from dali.command import YesNoResponse  # type: ignore[import-untyped]
from dali.exceptions import DALIError  # type: ignore[import-untyped]
from dali.gear.general import EnableDeviceType  # type: ignore[import-untyped]
from dali.sequences import progress, sleep  # type: ignore[import-untyped]

from drivers.buses.dali_procedures import Pause, ProcedureFailed, Progress
from drivers.codecs.dali import (
    DTR0,
    DTR1,
    DTR2,
    ENABLE_DEVICE_TYPE,
    ENABLE_WRITE_MEMORY,
    GARBLED,
    Command,
    is_addressed,
)
from drivers.codecs.dali import WRITE_MEMORY_LOCATION as WRITE
from drivers.codecs.dali import WRITE_MEMORY_LOCATION_NO_REPLY as WRITE_NO_REPLY
from drivers.units import NS_PER_S

Steps = Generator[Command | Pause | Progress, int | None, Any]

_HOLD: Final = frozenset({DTR0, DTR1, DTR2, ENABLE_DEVICE_TYPE, WRITE, WRITE_NO_REPLY})


def sequence(theirs: Generator[Any, Any, Any]) -> Steps:
    """A sequence of python-dali on our bus: its commands, sleeps and progress; returns what it returns.

    A register and its use stay together, and so do writes to memory. Its errors become ProcedureFailed, with the name
    of the class in front. Only 16 bit frames (control gear).
    """
    response: Any = None
    while True:
        try:
            wish = theirs.send(response)
        except StopIteration as end:
            return end.value
        except DALIError as error:
            raise ProcedureFailed(f"{type(error).__name__}: {error}") from error
        response = None
        if isinstance(wish, sleep):
            yield Pause(round(wish.delay * NS_PER_S))
        elif isinstance(wish, progress):
            yield Progress(wish.completed or 0, wish.size or 0, wish.message or "")
        else:
            if wish.devicetype:
                yield _command(EnableDeviceType(wish.devicetype))
            answer = yield _command(wish)
            if wish.is_query:
                if answer == GARBLED:
                    response = wish.response(frames.BackwardFrameError(255))
                else:
                    response = wish.response(None if answer is None else frames.BackwardFrame(answer))


def _command(wish: Any) -> Command:
    if len(wish.frame) != 16:
        raise ProcedureFailed(f"{type(wish).__name__} has {len(wish.frame)} bits, and control gear hears 16")
    frame: int = wish.frame.as_integer
    code = frame & 0xFF if is_addressed(frame) and frame & 0x100 else -1
    many = wish.is_query and issubclass(wish.response, YesNoResponse)
    holds = frame >> 8 in _HOLD or code == ENABLE_WRITE_MEMORY
    return Command(frame, twice=wish.sendtwice, answers=wish.is_query, holds_bus=holds, many=many)
