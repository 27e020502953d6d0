"""The feed's figures for people."""

from __future__ import annotations

from controllers.greenwave.summary import summary
from drivers.quantities import SignalPhase, SignalState


def _state(group: int, *phases: SignalPhase, t_ns: int = 0) -> SignalState:
    return SignalState(t_ns, "feed", 4070, group, 0, 1, phases)


def test_groups_with_timing_come_in_order_with_their_best_mark() -> None:
    states = [
        _state(9, SignalPhase(3, 9_000, 22_300, 12_300, 96)),
        _state(4, SignalPhase(5, 9_000, 22_340)),
        _state(5, SignalPhase(3, 9_000)),
        _state(65, SignalPhase(0)),  # off: no timing
        _state(66),
        _state(12, SignalPhase(1), SignalPhase(3, 700)),
    ]
    assert summary(states, 0) == [
        {"group": 4, "state": 5, "state_name": "permissive-Movement-Allowed", "remaining_s": 22.3},
        {"group": 5, "state": 3, "state_name": "stop-And-Remain", "remaining_s": 9.0},
        {"group": 9, "state": 3, "state_name": "stop-And-Remain", "remaining_s": 12.3},
        {"group": 12, "state": 1, "state_name": "dark", "remaining_s": None},
    ]


def test_the_newest_state_of_a_group_counts_down_from_its_arrival() -> None:
    old, new = _state(4, SignalPhase(3, likely_ms=20_000)), _state(4, SignalPhase(3, likely_ms=307_282), t_ns=10**9)
    for states in ([old, new], [new, old]):
        assert [row["remaining_s"] for row in summary(states, 10**9)] == [307.3]
    assert [row["remaining_s"] for row in summary([new], 3 * 10**9)] == [305.3]
    assert [row["remaining_s"] for row in summary([new], 400 * 10**9)] == [-91.7]


def test_no_states_no_figures() -> None:
    assert summary([], 0) == []
