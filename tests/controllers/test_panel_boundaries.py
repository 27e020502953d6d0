"""The last gate of a panel at its bounds: the current to the milliampere, what it counts, what it says of itself."""

from __future__ import annotations

import pytest

from controllers.core.contract import PanelFrame
from controllers.core.failsafe_panel import PanelGate
from drivers.codecs.panel_frame import Picture, dark, decode, encode
from drivers.quantities import SignalPhase, SignalState

WHITE = encode(Picture(2, 1, b"\xff" * 6))
RED = encode(Picture(2, 1, b"\xff\x00\x00\xff\x00\x00"))
HALF_WHITE = b"\xff\xff\xff\x00\x00\x00"
"""Three LEDs of six at full light: half of what the panel draws in all."""


def gate(**more: int) -> PanelGate:
    return PanelGate("panel", 2, 1, feed="feed", station=1, group=7, stale_ns=1_000, **more)


def state(t_ns: int, message_ms: int | None = 5) -> SignalState:
    return SignalState(t_ns, "feed", 1, 7, 0, message_ms, (SignalPhase(3),))


def show(frame: bytes, target: str = "panel") -> PanelFrame:
    return PanelFrame(target, frame)


def passed(made: PanelGate, rgb: bytes) -> bytes:
    (said,) = made.step((show(encode(Picture(2, 1, rgb))),), (state(10),), 10)
    assert isinstance(said, PanelFrame)
    return decode(said.frame).rgb


def test_what_a_new_gate_says_of_itself() -> None:
    assert gate().snapshot() == {
        "wake_ns": 0,
        "refused": 0,
        "dimmed": 0,
        "asked": dark(2, 1).hex(),
        "shown": None,
        "until_ns": 0,
        "message_ms": None,
        "working": False,
        "healthy": True,
    }


def test_a_signal_that_gives_no_time_is_not_trusted_even_at_the_first_moment_of_all() -> None:
    assert list(gate().step((show(RED),), (state(0, None),), 0)) == [show(dark(2, 1))]


def test_a_frame_that_draws_just_the_limit_passes_and_a_spark_more_is_dimmed() -> None:
    assert passed(gate(full_ma=600, limit_ma=300), HALF_WHITE) == HALF_WHITE
    assert passed(gate(full_ma=600, limit_ma=300), b"\xff\xff\xff\x01\x00\x00") == b"\xfe\xfe\xfe\x00\x00\x00"


@pytest.mark.parametrize("more", [{}, {"full_ma": 60_000}, {"limit_ma": 1}])
def test_without_a_limit_or_a_figure_for_the_panel_nothing_is_dimmed(more: dict[str, int]) -> None:
    made = gate(**more)
    assert passed(made, b"\xff" * 6) == b"\xff" * 6
    assert made.dimmed == 0


def test_what_was_refused_and_what_was_dimmed_is_counted() -> None:
    made = gate(full_ma=600, limit_ma=150)
    for n in range(1, 4):
        made.step((show(RED, "panel-2"), show(b"no frame"), show(dark(1, 2))), (), n)
        assert made.refused == 3 * n
        made.step((show(WHITE),), (), n)
        assert made.dimmed == n


def test_a_gate_taken_up_again_does_not_show_once_more_what_is_shown() -> None:
    first, again = gate(), gate()
    first.step((show(RED),), (state(10),), 10)
    again.restore(first.snapshot())
    assert list(again.step((show(RED),), (state(20, 6),), 20)) == []
