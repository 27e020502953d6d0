"""What makes a thread of a Linux machine punctual, step by step; each is done, or it is said why not.

The order counts: what takes time or memory comes first (the wires are open by now), then the memory is fixed, then the
garbage collector is put off, and only then the thread runs before all others. A plain user gets timer slack, garbage
and affinity; the rest wants CAP_SYS_NICE and CAP_IPC_LOCK, or limits (LimitRTPRIO, LimitMEMLOCK of the service).
"""

from __future__ import annotations

import ctypes
import errno
import gc
import os
from collections.abc import Callable
from typing import Final

import msgspec

_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_PR_SET_TIMERSLACK = 29


class Step(msgspec.Struct, frozen=True):
    """E.g. ``Step("scheduler", False, "Operation not permitted: wants CAP_SYS_NICE or LimitRTPRIO")``.

    `why` says how where it is done.
    """

    step: str
    done: bool
    why: str


def set_up(priority: int = 50, cpu: int | None = None) -> list[Step]:
    """Make the calling thread, and no other, a real-time one. Never raises.

    A thread made later has an ordinary priority again (SCHED_RESET_ON_FORK), but stays on the same CPU.

    Args:
        priority: of SCHED_FIFO, 1 to 99; 0 leaves the scheduler alone.
        cpu: the one to stay on; None for any.
    """
    return [
        _step("memory", _lock_memory),
        _step("timer slack", _timer_slack),
        _step("garbage collector", _put_off_garbage),
        _step("affinity", lambda: _stay_on(cpu)),
        _step("scheduler", lambda: _run_first(priority)),
    ]


class _NotAskedError(Exception):
    pass


def _step(name: str, take: Callable[[], str]) -> Step:
    try:
        return Step(name, True, take())
    except _NotAskedError as reason:
        return Step(name, False, str(reason))
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        text = str(error) if number is None else os.strerror(number)
        return Step(name, False, text + _REMEDIES.get(name, "") * (number in (errno.EPERM, errno.ENOMEM)))


_REMEDIES: Final = {
    "memory": "; wants CAP_IPC_LOCK or LimitMEMLOCK=infinity",
    "scheduler": "; wants CAP_SYS_NICE or LimitRTPRIO",
}


def _call(name: str, *words: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*(ctypes.c_ulong(word) for word in words)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _lock_memory() -> str:
    """What is mapped now is read in and stays; what comes later stays once it has been touched."""
    _call("mlockall", _MCL_CURRENT)
    _call("mlockall", _MCL_FUTURE | _MCL_ONFAULT)
    return "all pages stay in memory"


def _timer_slack() -> str:
    """Of this thread; the kernel's default is 50 us, and a real-time thread has none anyway."""
    _call("prctl", _PR_SET_TIMERSLACK, 1, 0, 0, 0)
    return "1 ns"


def _put_off_garbage() -> str:
    """What is there now stays: no need to look through it again. See controllers.service.garbage for what comes."""
    gc.collect()
    gc.freeze()
    gc.disable()
    return f"{gc.get_freeze_count()} objects set aside; runs in idle gaps"


def _stay_on(cpu: int | None) -> str:
    if cpu is None:
        raise _NotAskedError("no CPU asked for")
    os.sched_setaffinity(0, {cpu})
    return f"CPU {cpu}"


def _run_first(priority: int) -> str:
    if priority == 0:
        raise _NotAskedError("no priority asked for")
    os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    return f"SCHED_FIFO {priority}, this thread alone"
