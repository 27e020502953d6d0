"""The last gate for a panel: each doubt darkens it, each condition on its own."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.core.contract import Command, LampLevel, PanelFrame, Publish
from controllers.core.failsafe_panel import PanelGate
from drivers.codecs.panel_frame import Motion, Picture, dark, decode, encode
from drivers.quantities import DeviceHealth, Message, Quantity, SignalPhase, SignalState
from drivers.units import FOREVER_NS

DARK = dark(2, 1)
RED = encode(Picture(2, 1, b"\xff\x00\x00\xff\x00\x00"))
GREEN = encode(Picture(2, 1, b"\x00\xff\x00\x00\xff\x00"))
STALE_NS = 1000


def _gate() -> PanelGate:
    return PanelGate("panel", 2, 1, feed="feed", station=4070, group=7, stale_ns=STALE_NS)


def _state(
    t_ns: int,
    *,
    source: str = "feed",
    station: int = 4070,
    group: int = 7,
    status: int = 0,
    message_ms: int | None = -1,
    states: tuple[int, ...] = (3, 4),
) -> SignalState:
    message_ms = t_ns + 5 if message_ms == -1 else message_ms
    return SignalState(t_ns, source, station, group, status, message_ms, tuple(SignalPhase(state) for state in states))


def _show(frame: bytes, target: str = "panel") -> PanelFrame:
    return PanelFrame(target, frame)


def _trusting() -> PanelGate:
    """A gate at 10 ns that lets RED pass."""
    gate = _gate()
    assert list(gate.step((_show(RED),), (_state(10),), 10)) == [_show(RED)]
    return gate


def test_before_the_first_message_the_gate_orders_dark_once_and_lets_nothing_pass() -> None:
    gate = _gate()
    assert gate.wake_ns == 0
    assert list(gate.step((), (), 0)) == [_show(DARK)]
    assert gate.wake_ns == FOREVER_NS
    assert list(gate.step((_show(RED),), (), 1)) == []


def test_a_frame_asked_for_in_doubt_passes_when_the_doubt_ends() -> None:
    gate = _gate()
    gate.step((_show(RED),), (), 0)
    assert list(gate.step((), (_state(5),), 6)) == [_show(RED)]
    assert gate.wake_ns == 5 + STALE_NS


def test_with_a_trusted_feed_frames_pass_when_they_differ() -> None:
    gate = _trusting()
    assert list(gate.step((_show(RED),), (), 11)) == []
    assert list(gate.step((_show(GREEN), _show(RED), _show(GREEN)), (), 12)) == [_show(GREEN)]
    assert list(gate.step((_show(DARK),), (), 13)) == [_show(DARK)]


def test_a_silent_feed_darkens_the_panel_at_the_stale_time_and_not_before() -> None:
    gate = _trusting()
    assert gate.wake_ns == 10 + STALE_NS
    assert list(gate.step((), (_state(11, group=8),), 9 + STALE_NS)) == []
    assert list(gate.step((), (), 10 + STALE_NS)) == [_show(DARK)]
    assert gate.wake_ns == FOREVER_NS
    assert list(gate.step((_show(GREEN),), (), 11 + STALE_NS)) == []


def test_before_its_wake_and_without_news_a_step_does_nothing() -> None:
    gate = _trusting()
    before = gate.snapshot()
    assert list(gate.step((), (), 9 + STALE_NS)) == []
    assert gate.snapshot() == before


@pytest.mark.parametrize(
    "stranger",
    [
        {"source": "other"},
        {"station": 1},
        {"group": 8},
        {"message_ms": None},
        {"message_ms": 15},  # the reading it had at 10: the controller's clock stands
    ],
)
def test_only_news_of_its_own_signal_keeps_the_gate_open(stranger: dict[str, object]) -> None:
    gate = _trusting()
    gate.step((), (_state(500, **stranger),), 500)  # type: ignore[arg-type]
    assert list(gate.step((), (), 10 + STALE_NS)) == [_show(DARK)]


def test_news_keeps_the_gate_open() -> None:
    gate = _trusting()
    assert list(gate.step((), (_state(500),), 600)) == []
    assert gate.wake_ns == 500 + STALE_NS


@pytest.mark.parametrize("bit", range(16))
def test_the_status_bits_that_mean_doubt_darken_and_the_others_do_not(bit: int) -> None:
    gate = _trusting()
    said = list(gate.step((), (_state(20, status=1 << bit),), 20))
    assert said == ([_show(DARK)] if bit in (1, 2, 7, 8, 9, 13) else [])
    assert list(gate.step((), (_state(21),), 21)) == ([_show(RED)] if said else [])


def test_a_failed_controller_darkens_even_if_its_clock_stands_or_gives_no_time() -> None:
    for message_ms in (15, None):
        gate = _trusting()
        assert list(gate.step((), (_state(20, status=4, message_ms=message_ms),), 20)) == [_show(DARK)]


@pytest.mark.parametrize("stranger", [{"source": "other"}, {"station": 1}, {"group": 8}])
def test_the_status_of_another_signal_does_not_concern_it(stranger: dict[str, object]) -> None:
    assert list(_trusting().step((), (_state(20, status=4, **stranger),), 20)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("state", range(-1, 11))
def test_only_red_amber_and_green_are_a_working_signal(state: int) -> None:
    said = list(_trusting().step((), (_state(20, states=(state, 3)),), 20))
    assert said == ([] if 3 <= state <= 8 else [_show(DARK)])


def test_a_group_without_phases_darkens() -> None:
    assert list(_trusting().step((), (_state(20, states=()),), 20)) == [_show(DARK)]


def test_the_feeds_health_darkens_until_it_is_good_again() -> None:
    gate = _trusting()
    assert list(gate.step((), (DeviceHealth(20, "panel", False),), 20)) == []
    assert list(gate.step((), (DeviceHealth(21, "feed", False, "stale"),), 21)) == [_show(DARK)]
    assert gate.wake_ns == FOREVER_NS
    assert list(gate.step((), (_state(22),), 22)) == []
    assert list(gate.step((), (DeviceHealth(23, "panel", True),), 23)) == []
    assert list(gate.step((), (DeviceHealth(24, "feed", True),), 24)) == [_show(RED)]


@pytest.mark.parametrize("frame", [b"", b"LP1", RED[:-1], dark(1, 1), dark(2, 2), dark(1, 2)])
def test_a_malformed_frame_or_one_of_another_size_darkens_until_the_next_good_one(frame: bytes) -> None:
    gate = _trusting()
    assert list(gate.step((_show(frame),), (), 20)) == [_show(DARK)]
    assert gate.refused == 1
    assert list(gate.step((_show(GREEN),), (), 21)) == [_show(GREEN)]
    assert gate.refused == 1


def test_a_frame_for_another_panel_is_refused() -> None:
    gate = _trusting()
    assert list(gate.step((_show(GREEN, "panel-2"),), (), 20)) == []
    assert gate.refused == 1


def test_commands_that_are_no_frames_pass_untouched_in_doubt_and_out_of_it() -> None:
    others: list[Command] = [Publish("neighbour", {"age_ms": 3}), LampLevel("lamp-1", 7)]
    gate = _gate()
    assert list(gate.step(others, (), 0)) == [*others, _show(DARK)]
    assert list(gate.step(others, (_state(1),), 1)) == others


def test_values_of_other_kinds_change_nothing() -> None:
    assert list(_trusting().step((), (Message(20, "feed", {}),), 20)) == []


def test_a_restored_gate_goes_on_as_before() -> None:
    for gate in (_gate(), _trusting()):
        gate.step((_show(b""),), (DeviceHealth(20, "feed", False),), 20)
        state = json.loads(json.dumps(gate.snapshot()))
        again = _gate()
        again.restore(state)
        assert again.snapshot() == state
        news = (DeviceHealth(30, "feed", True), _state(30))
        assert list(again.step((_show(GREEN),), news, 30)) == list(gate.step((_show(GREEN),), news, 30))
        assert again.snapshot() == gate.snapshot()
    fresh, again = _gate(), _gate()
    again.restore(json.loads(json.dumps(fresh.snapshot())))
    assert list(again.step((), (), 0)) == [_show(DARK)]


def test_a_restored_gate_still_knows_the_frame_asked_for() -> None:
    gate, again = _trusting(), _gate()
    gate.step((), (DeviceHealth(20, "feed", False),), 20)
    again.restore(gate.snapshot())
    assert list(again.step((), (DeviceHealth(30, "feed", True),), 30)) == [_show(RED)]


def test_without_other_orders_fifteen_seconds_of_silence_are_enough() -> None:
    gate = PanelGate("panel", 2, 1, feed="feed", station=4070, group=7)
    gate.step((), (_state(10),), 10)
    assert gate.wake_ns == 10 + 15_000_000_000


_values = st.one_of(
    st.builds(
        lambda group, status, message_ms, state: _state(
            0, group=group, status=status, message_ms=message_ms, states=(state,)
        ),
        st.sampled_from([7, 7, 7, 8]),
        st.sampled_from([0, 0, 0, 1 << 12, 1 << 2]),
        st.one_of(st.none(), st.integers(0, 5), st.integers(0, 10**6)),
        st.sampled_from([3, 5, 5, 0]),
    ),
    st.builds(DeviceHealth, st.just(0), st.sampled_from(["feed", "panel"]), st.booleans()),
)
_commands = st.lists(st.builds(_show, st.sampled_from([RED, GREEN, DARK, b"x"])), max_size=2)


@given(st.lists(st.tuples(st.integers(1, 700), _commands, st.lists(_values, max_size=2)), max_size=15))
@settings(max_examples=80)
def test_stepping_at_every_moment_or_only_when_due_gives_the_same_frames(
    script: list[tuple[int, list[Command], list[Quantity]]],
) -> None:
    events: dict[int, tuple[list[Command], list[Quantity]]] = {}
    now_ns = 0
    for gap_ns, commands, values in script:
        now_ns += gap_ns
        stamped: list[Quantity] = []
        for value in values:
            fields = {name: getattr(value, name) for name in value.__struct_fields__}
            stamped.append(type(value)(**{**fields, "t_ns": now_ns}))
        events[now_ns] = (commands, stamped)
    lazy, eager = _gate(), _gate()
    lit_until_ns, lazy_said, eager_said = -1, [], []
    for t_ns in range(0, now_ns + 2 * STALE_NS, 50):
        due = sorted(at for at in events if t_ns - 50 < at <= t_ns)
        commands = [command for at in due for command in events[at][0]]
        inputs = [value for at in due for value in events[at][1]]
        if inputs or commands or lazy.wake_ns <= t_ns:
            lazy_said += [(t_ns, command) for command in lazy.step(commands, inputs, t_ns)]
        eager.wake_ns = 0  # no short cut: everything is looked at afresh
        eager_said += [(t_ns, command) for command in eager.step(commands, inputs, t_ns)]
        if any(isinstance(value, SignalState) for value in inputs):
            lit_until_ns = t_ns + STALE_NS
        shown = eager_said[-1][1] if eager_said else None
        assert t_ns < lit_until_ns or shown == _show(DARK)
    assert lazy_said == eager_said
    assert lazy.snapshot() == eager.snapshot()


WHITE = encode(Picture(2, 1, b"\xff" * 6, (Motion(0, 0, 2, 1, 1, 0, 2),)))


def _limited(limit_ma: int, frame: bytes) -> tuple[bytes, int]:
    """What passes of `frame` on a panel that draws 600 mA in all, and how many were dimmed."""
    gate = PanelGate("panel", 2, 1, feed="feed", station=4070, group=7, full_ma=600, limit_ma=limit_ma)
    (command,) = gate.step((_show(frame),), (_state(10),), 10)
    assert isinstance(command, PanelFrame)
    return command.frame, gate.dimmed


@pytest.mark.parametrize(("limit_ma", "frame"), [(0, WHITE), (600, WHITE), (100, RED), (200, RED), (1, DARK)])
def test_a_frame_within_the_current_passes_untouched(limit_ma: int, frame: bytes) -> None:
    if limit_ma == 100:
        frame = encode(Picture(2, 1, b"\xff\x00\x00\x00\x00\x00"))  # one LED of six
    assert _limited(limit_ma, frame) == (frame, 0)


def test_a_frame_that_draws_too_much_is_dimmed_as_a_whole_and_goes_on_moving() -> None:
    frame, dimmed = _limited(150, WHITE)
    assert dimmed == 1
    assert decode(frame) == Picture(2, 1, b"\x7f" * 6, decode(WHITE).motions)  # half the byte, a quarter of the light


@given(st.binary(min_size=6, max_size=6), st.integers(1, 700))
@settings(max_examples=100)
def test_no_frame_whatever_it_is_draws_more_than_the_limit(rgb: bytes, limit_ma: int) -> None:
    frame, _ = _limited(limit_ma, encode(Picture(2, 1, rgb)))
    assert sum(value * value for value in decode(frame).rgb) * 600 <= limit_ma * 6 * 255 * 255


def test_a_site_may_have_another_frame_shown_in_doubt_and_it_is_bounded_too() -> None:
    gate = PanelGate("panel", 2, 1, feed="feed", station=4070, group=7, full_ma=600, limit_ma=150, doubt_frame=WHITE)
    assert gate.dimmed == 1
    (command,) = gate.step((_show(RED),), (), 0)
    assert isinstance(command, PanelFrame)
    assert decode(command.frame).rgb == b"\x7f" * 6
    assert list(gate.step((), (_state(5),), 6)) == [_show(_limited(150, RED)[0])]
