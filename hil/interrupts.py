"""Interrupts of a run: SIGTERM and SIGHUP end it as Ctrl-C does; none comes between making a thing and keeping it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _State:
    deferred = 0
    asked = False


def _asked(number: int, frame: FrameType | None) -> None:
    if _State.deferred:
        _State.asked = True
    else:
        raise KeyboardInterrupt


@contextmanager
def interrupts_raise() -> Iterator[None]:
    """All three raise KeyboardInterrupt, unless they are ignored. Does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in NUMBERS}
    mine = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    for number in mine:
        signal.signal(number, _asked)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, before[number])


@contextmanager
def undisturbed() -> Iterator[None]:
    """An interrupt in here is heeded at its end. Only short work, with deadlines of its own."""
    _State.deferred += 1
    try:
        yield
    finally:
        _State.deferred -= 1
    if not _State.deferred and _State.asked:
        _State.asked = False
        raise KeyboardInterrupt


@contextmanager
def no_interrupts() -> Iterator[None]:
    """While things are put back, a further interrupt changes nothing."""
    _State.deferred += 1
    try:
        yield
    finally:
        _State.deferred -= 1
        _State.asked = False
