"""The law of waking, and what holds over any news: nothing shown ever rises, and silence is dark."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.core.contract import PanelFrame
from controllers.core.failsafe_panel import PanelGate
from controllers.greenwave.picture import Aspect, Stage, frame_of
from controllers.greenwave.policy import GreenwavePolicy
from controllers.greenwave.site import GreenwaveSite
from drivers.quantities import DeviceHealth, Quantity, SignalPhase, SignalState
from drivers.units import FOREVER_NS, NS_PER_MS

SITE = GreenwaveSite(name="test", station=4070, group=7, distance_m=50, speed_kmh=18, fast_kmh=25)
PERIOD_NS = 100 * NS_PER_MS
CLOCK_MS = 200 * 86_400_000


class Display:
    """Policy and gate on a grid of ticks; `eager` looks at everything afresh at each, else only when woken."""

    def __init__(self, values: Sequence[Quantity], until_ms: int, *, eager: bool) -> None:
        policy = GreenwavePolicy(SITE)
        gate = PanelGate("panel", 96, 32, feed="feed", station=4070, group=7)
        self.sent: list[tuple[int, bytes]] = []
        self.aspects: list[Aspect] = []
        self.phases_ns: list[int] = []
        at = 0
        for t_ns in range(0, until_ms * NS_PER_MS, PERIOD_NS):
            first = at
            while at < len(values) and values[at].t_ns <= t_ns:
                at += 1
            inputs = values[first:at]
            if eager:
                policy.wake_ns = gate.wake_ns = 0
            if inputs or min(policy.wake_ns, gate.wake_ns) <= t_ns:
                for command in gate.step(policy.step(inputs, t_ns), inputs, t_ns):
                    assert isinstance(command, PanelFrame)
                    self.sent.append((t_ns, command.frame))
            self.aspects.append(policy.aspect)
            self.phases_ns.append(policy.phase_ns)


_marks_ms = st.one_of(st.none(), st.integers(-3_000, 60_000))
_phases = st.one_of(
    st.lists(
        st.builds(
            SignalPhase, st.integers(0, 9), _marks_ms, _marks_ms, _marks_ms, st.sampled_from([None, 21, 56, 100])
        ),
        max_size=4,
    ).map(tuple),
    st.lists(st.integers(0, 30_000), min_size=4, max_size=4).map(
        lambda gaps: tuple(
            SignalPhase(state, likely_ms=sum(gaps[: number + 1])) for number, state in enumerate((3, 4, 6, 8))
        )
    ),
    st.lists(st.integers(0, 30_000), min_size=3, max_size=3).map(
        lambda gaps: tuple(
            SignalPhase(state, likely_ms=sum(gaps[: number + 1])) for number, state in enumerate((6, 8, 3))
        )
    ),
)
_news = st.tuples(
    st.one_of(st.just(100), st.integers(10, 400), st.integers(400, 20_000)),  # ms since the news before
    st.sampled_from([0] * 12 + [-3_000, -150, 900, 5_000]),  # ms by which the controller's clock is set
    st.sampled_from([0] * 9 + [1 << 12, 1 << 2]),
    st.integers(1, 6),  # so many messages in a row, 100 ms apart
    _phases,
    st.booleans(),
)


@given(st.lists(_news, max_size=12))
@settings(max_examples=120, deadline=None)
def test_over_any_news_waking_is_as_good_as_ticking_nothing_rises_and_silence_is_dark(
    script: list[tuple[int, int, int, int, tuple[SignalPhase, ...], bool]],
) -> None:
    said: list[Quantity] = []
    t_ms, set_ms = 0, CLOCK_MS
    for gap_ms, step_ms, status, count, phases, health in script:
        t_ms, set_ms = t_ms + gap_ms, set_ms + step_ms
        if not health and count == 1:
            said.append(DeviceHealth(t_ms * NS_PER_MS, "feed", gap_ms % 2 == 0))
        for number in range(count):
            t_ms += 100 if number else 0
            said.append(SignalState(t_ms * NS_PER_MS, "feed", 4070, 7, status, set_ms + t_ms, phases))
    until_ms = t_ms + 16_000
    lazy, eager = Display(said, until_ms, eager=False), Display(said, until_ms, eager=True)
    assert lazy.sent == eager.sent
    assert lazy.phases_ns == eager.phases_ns
    go = (Stage.GREEN, Stage.HURRY)
    least_ms, before = FOREVER_NS, Stage.DARK
    heard = sorted(value.t_ns for value in said if isinstance(value, SignalState))
    panel = dict(eager.sent)
    on_panel, at, heard_ns = b"", 0, -FOREVER_NS
    for tick, aspect in enumerate(eager.aspects):
        t_ns = tick * PERIOD_NS
        if aspect.stage is not before and not (aspect.stage in go and before in go):
            least_ms = FOREVER_NS
        before = aspect.stage
        if aspect.remaining_ms is not None:
            assert 0 <= aspect.remaining_ms <= least_ms
            least_ms = aspect.remaining_ms
        on_panel = panel.get(t_ns, on_panel)
        while at < len(heard) and heard[at] <= t_ns:
            heard_ns, at = heard[at], at + 1
        if t_ns >= heard_ns + 15_000 * NS_PER_MS:
            assert aspect.stage is Stage.DARK
            assert on_panel == frame_of(Stage.DARK, None)
