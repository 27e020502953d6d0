"""What the feed said last, group by group: figures for people and for JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drivers.codecs.spat import PHASE_STATES
from drivers.quantities import SignalPhase, SignalState
from drivers.units import NS_PER_MS


def summary(states: Iterable[SignalState], now_ns: int) -> list[dict[str, Any]]:
    """State and remaining time of every group with timing, by the newest of `states`, in order of groups.

    `remaining_s` is the running phase's likely end as the feed sent it, else max, else min, less the time since the
    message came, to a tenth of a second; negative if overdue, None if the running phase has no mark. Groups with no
    mark in any phase are left out.
    Example: ``[{"group": 4, "state": 3, "state_name": "stop-And-Remain", "remaining_s": 12.3}]``.
    """
    newest: dict[int, SignalState] = {}
    for state in states:
        if state.group not in newest or state.t_ns >= newest[state.group].t_ns:
            newest[state.group] = state
    figures: list[dict[str, Any]] = []
    for group, state in sorted(newest.items()):
        if all(_best_mark_ms(phase) is None for phase in state.phases):
            continue
        running = state.phases[0]
        mark_ms = _best_mark_ms(running)
        tenths = None if mark_ms is None else (mark_ms - (now_ns - state.t_ns) // NS_PER_MS + 50) // 100
        figures.append(
            {
                "group": group,
                "state": running.state,
                "state_name": PHASE_STATES[running.state],
                "remaining_s": None if tenths is None else tenths / 10,
            }
        )
    return figures


def _best_mark_ms(phase: SignalPhase) -> int | None:
    for mark_ms in (phase.likely_ms, phase.max_end_ms, phase.min_end_ms):
        if mark_ms is not None:
            return mark_ms
    return None
