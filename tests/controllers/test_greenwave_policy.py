"""What riders are shown, from the messages of a signal controller to frames behind the last gate.

A site for round numbers: 50 m at 18 km/h take 10 s, at 25 km/h 7.2 s. Messages go through the real reading of marks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest

from controllers.core.contract import PanelFrame
from controllers.core.failsafe_panel import PanelGate
from controllers.greenwave.picture import BAR_PX, COLOURS, Aspect, Stage, frame_of
from controllers.greenwave.policy import GreenwavePolicy
from controllers.greenwave.site import GreenwaveSite
from drivers.codecs.panel_frame import decode
from drivers.codecs.spat import CONFIDENCE_PCT, Intersection, Movement, Phase, to_signal_states
from drivers.errors import InputError
from drivers.quantities import DeviceHealth, Quantity, SignalPhase, SignalState
from drivers.units import FOREVER_NS, NS_PER_MS

SITE = GreenwaveSite(name="test", station=4070, group=7, distance_m=50, fast_kmh=25, degrade_s=3, stale_s=15)
PERIOD_NS = 100 * NS_PER_MS
MIDDAY_MS = 200 * 86_400_000 + 12 * 3_600_000 + 30 * 60_000
HOUR_MS = 200 * 86_400_000 + 13 * 3_600_000

# state, length in ms: 0 to 30 s red, 31 s red-amber ends, 46 s green ends, 49 s amber ends, ...
CYCLE = [(3, 30_000), (4, 1_000), (6, 15_000), (8, 3_000), (3, 30_000), (4, 1_000), (6, 15_000), (8, 3_000)]

Marks = Callable[[int, int], Phase]
"""(state, mark) -> the event as the controller sends it."""


def exact(state: int, mark: int) -> Phase:
    """A fixed-time controller: all three marks alike."""
    return Phase(state, mark, mark, mark, 15)


def message(
    t_ms: int,
    cycle: Sequence[tuple[int, int]] = CYCLE,
    *,
    start_ms: int = MIDDAY_MS,
    marks: Marks = exact,
    status: int = 0,
) -> SignalState:
    """What the controller says `t_ms` after the start of `cycle`, arriving at once."""
    events, end_ms = [], 0
    for state, length_ms in cycle:
        end_ms += length_ms
        if end_ms > t_ms and len(events) < 4:
            events.append(marks(state, (start_ms + end_ms) // 100 % 36_000))
    clock_ms = start_ms + t_ms
    said = Intersection(4070, 1, status, clock_ms // 60_000, clock_ms % 60_000, (Movement(7, tuple(events)),))
    return to_signal_states(said, t_ms * NS_PER_MS, "feed")[0]


def messages(from_ms: int, to_ms: int, **how: object) -> list[Quantity]:
    """Ten a second."""
    return [message(t_ms, **how) for t_ms in range(from_ms, to_ms, 100)]  # type: ignore[arg-type]


class Display:
    """Policy and gate on a grid of ticks; `eager` looks at everything afresh at each."""

    def __init__(self, site: GreenwaveSite = SITE, *, eager: bool = False) -> None:
        self.policy = GreenwavePolicy(site)
        self.gate = PanelGate("panel", 96, 32, feed="feed", station=4070, group=7)
        self.eager = eager
        self.sent: list[tuple[int, bytes]] = []
        self.aspects: list[Aspect] = []

    def run(self, values: Sequence[Quantity], from_ms: int, to_ms: int) -> Display:
        """All ticks from `from_ms` up to `to_ms`, not included."""
        values = sorted(values, key=lambda value: value.t_ns)
        at = 0
        for t_ns in range(from_ms * NS_PER_MS, to_ms * NS_PER_MS, PERIOD_NS):
            inputs = []
            while at < len(values) and values[at].t_ns <= t_ns:
                inputs.append(values[at])
                at += 1
            if self.eager:
                self.policy.wake_ns = self.gate.wake_ns = 0
            if inputs or min(self.policy.wake_ns, self.gate.wake_ns) <= t_ns:
                for command in self.gate.step(self.policy.step(inputs, t_ns), inputs, t_ns):
                    assert isinstance(command, PanelFrame)
                    self.sent.append((t_ns // NS_PER_MS, command.frame))
            self.aspects.append(self.policy.aspect)
        return self

    def stages(self) -> list[tuple[int, Stage]]:
        """Tick in ms and stage, where the stage changes, as read from the frames sent."""
        found: list[tuple[int, Stage]] = []
        for t_ms, frame in self.sent:
            colours = {value: key for key, value in COLOURS.items()}
            picture = decode(frame)
            lit = {picture.pixel(x, y) for x in range(96) for y in range(32)} & set(colours)
            stage = colours[lit.pop()] if lit else Stage.DARK
            if not found or found[-1][1] is not stage:
                found.append((t_ms, stage))
        return found


def shown(*values: Quantity, at_ms: int, site: GreenwaveSite = SITE) -> Aspect:
    """The aspect at `at_ms`, all values heard; messages need a forerunner to be trusted, which is made here."""
    first = next(value for value in values if isinstance(value, SignalState))
    assert first.message_ms is not None
    forerunner = SignalState(first.t_ns - PERIOD_NS, "feed", 4070, 7, 0, first.message_ms - 100, (SignalPhase(0),))
    policy = GreenwavePolicy(site)
    policy.step((forerunner, *values), at_ms * NS_PER_MS)
    return policy.aspect


def test_a_rider_is_shown_what_he_will_meet_at_the_stop_line() -> None:
    display = Display().run(messages(0, 60_000), 0, 60_000)
    assert display.stages() == [
        (0, Stage.DARK),  # one message proves no clock
        (100, Stage.RED),
        (21_000, Stage.GREEN),  # red-amber ends at 31.0 s
        (39_000, Stage.HURRY),  # amber ends at 49.0 s: too late at 18 km/h
        (41_800, Stage.RED),  # too late at 25 km/h
    ]


def test_amber_ends_green_where_the_site_says_so() -> None:
    site = GreenwaveSite(**{**_fields(SITE), "amber_is_green": False})
    display = Display(site).run(messages(0, 60_000), 0, 60_000)
    assert display.stages()[2:] == [(21_000, Stage.GREEN), (36_000, Stage.HURRY), (38_800, Stage.RED)]


def _fields(site: GreenwaveSite) -> dict[str, object]:
    return {name: getattr(site, name) for name in site.__struct_fields__}


def test_the_bar_on_the_panel_is_the_time_left_and_runs_on_from_green_into_yellow() -> None:
    display = Display().run(messages(0, 60_000), 0, 60_000)
    ends_ms = {Stage.RED: 21_000, Stage.GREEN: 41_800, Stage.HURRY: 41_800}
    last, frame = Stage.DARK, b""
    frames, stages = dict(display.sent), dict(display.stages())
    for t_ms in range(0, 41_800, 100):
        last, frame = stages.get(t_ms, last), frames.get(t_ms, frame)
        if last is not Stage.DARK:
            bar_px = -(-(ends_ms[last] - t_ms) * BAR_PX // 30_000)
            assert frame == frame_of(last, bar_px), t_ms


def test_the_full_hour_changes_nothing_that_is_shown() -> None:
    at_midday = Display().run(messages(0, 100_000), 0, 90_000)
    for before_ms in (1, 5_000, 21_000, 31_000, 45_000):
        over_the_hour = messages(0, 100_000, start_ms=HOUR_MS - before_ms // 100 * 100)
        assert Display().run(over_the_hour, 0, 90_000).sent == at_midday.sent


def test_between_messages_the_countdown_runs_on() -> None:
    often = Display().run(messages(0, 60_000), 0, 55_000)
    seldom = Display().run([message(0), *(message(t_ms) for t_ms in range(100, 60_000, 2_000))], 0, 55_000)
    assert seldom.sent == often.sent
    assert len(often.sent) < 150


def _adaptive(t_ms: int, red_end_ms: int) -> SignalState:
    """Red with a likely end that the controller keeps changing; green of 15 s after it."""
    return message(
        t_ms,
        [(3, red_end_ms), (4, 1_000), (6, 15_000), (8, 3_000)],
        marks=lambda state, mark: Phase(state, None, None, mark),
    )


def test_when_the_likely_end_of_red_rises_the_bar_holds_and_never_grows() -> None:
    likely = {0: 25_000, 5_000: 30_000, 9_000: 36_000, 16_000: 33_000}
    said = []
    for t_ms in range(0, 45_000, 100):
        red_end_ms = likely[max(at for at in likely if at <= t_ms)]
        if t_ms < 33_000:
            said.append(_adaptive(t_ms, red_end_ms))
        else:
            said.append(message(t_ms, [(3, 33_000), (4, 1_000), (6, 15_000), (8, 3_000)]))
    display = Display(eager=True).run(said, 0, 40_000)
    left = [aspect.remaining_ms for aspect in display.aspects]
    assert [left[t_ms // 100] for t_ms in (1_000, 4_900)] == [15_000, 11_100]
    assert {left[t_ms // 100] for t_ms in (5_000, 9_900)} == {11_000}  # 36 - 10 + 1 (red-amber): holds until 16 s ...
    assert left[15_900 // 100] == 11_000
    assert left[16_000 // 100] == 8_000  # ... when the end falls, and the bar jumps down to the truth
    assert display.stages()[-1] == (24_000, Stage.GREEN)
    lazy = Display().run(said, 0, 40_000)
    assert lazy.sent == display.sent


def test_a_red_prolonged_at_the_very_moment_its_bar_ran_out_keeps_an_empty_bar() -> None:
    longer = [(3, 38_000), *CYCLE[1:]]
    said = messages(0, 20_950) + messages(21_000, 25_000, cycle=longer)
    aspects = Display().run(said, 0, 25_000).aspects
    assert aspects[209] == Aspect(Stage.RED, 100, 1)
    assert aspects[210] == aspects[249] == Aspect(Stage.RED, 0, 0)


def test_the_policy_by_itself_says_nothing_while_the_picture_stays() -> None:
    policy = GreenwavePolicy(SITE)
    said = [len(policy.step((value,), value.t_ns)) for value in messages(0, 1_000)]
    assert said == [1, 1, 0, 0, 0, 0, 1, 0, 0, 0]  # dark, red, and at 20.45 s left a pixel less


def test_a_green_that_is_cut_short_shortens_the_bar_at_once() -> None:
    cut = [(3, 30_000), (4, 1_000), (6, 8_000), (8, 3_000), (3, 30_000)]
    said = [message(t_ms, CYCLE if t_ms < 25_000 else cut) for t_ms in range(20_000, 30_000, 100)]
    aspects = Display().run(said, 20_000, 30_000).aspects  # type: ignore[arg-type]
    assert aspects[49] == Aspect(Stage.GREEN, 16_900, 25)
    assert aspects[50] == Aspect(Stage.GREEN, 9_800, 15)


def test_a_red_with_a_minimum_only_is_shown_without_a_bar() -> None:
    def least(state: int, mark: int) -> Phase:
        return Phase(state, mark) if state == 3 else exact(state, mark)

    display = Display().run(messages(0, 35_000, marks=least), 0, 35_000)
    assert display.sent[1:2] == [(100, frame_of(Stage.RED, None))]
    assert display.stages() == [(0, Stage.DARK), (100, Stage.RED), (30_000, Stage.GREEN)]  # red is over at 30 s


def test_a_red_that_opens_without_an_end_gets_its_bar_when_the_end_is_known() -> None:
    def first_second_without_end(t_ms: int) -> SignalState:
        mark = 36_000 if t_ms < 1_000 else (MIDDAY_MS + 30_000) // 100 % 36_000
        return message(
            t_ms, marks=lambda state, ends: Phase(3, 36_000, mark, None) if state == 3 else exact(state, ends)
        )

    aspects = Display().run([first_second_without_end(t_ms) for t_ms in range(0, 3_000, 100)], 0, 3_000).aspects
    assert aspects[9] == Aspect(Stage.RED, None, None)
    assert aspects[10] == Aspect(Stage.RED, 20_000, 30)


def test_a_likely_end_without_confidence_is_not_used() -> None:
    def unsure(state: int, mark: int) -> Phase:
        return Phase(state, mark - 20, mark, mark - 40, 0)

    assert CONFIDENCE_PCT[0] < SITE.min_confidence_pct
    assert shown(message(25_000, marks=unsure), at_ms=25_000) == Aspect(
        Stage.GREEN, 49_000 - 2_000 - 7_200 - 25_000, 22
    )


def test_a_group_that_is_off_or_unknown_is_dark() -> None:
    for phases in ((), (SignalPhase(0),), (SignalPhase(1, likely_ms=5_000),), (SignalPhase(9),)):
        off = SignalState(100 * NS_PER_MS, "feed", 4070, 7, 0, MIDDAY_MS + 100, phases)
        assert Display().run([message(0), off], 0, 1_000).stages() == [(0, Stage.DARK)]


def test_past_the_last_phase_told_the_display_is_dark() -> None:
    short = [(3, 30_000), (4, 1_000), (6, 9_000)]
    display = Display().run(messages(0, 40_000, cycle=short), 0, 40_000)
    assert display.stages()[-2:] == [(30_000, Stage.HURRY), (32_800, Stage.DARK)]


def test_other_groups_stations_and_feeds_are_not_shown() -> None:
    good = message(100)
    fields = {field: getattr(good, field) for field in good.__struct_fields__}
    for name, value in (("group", 8), ("station", 1), ("source", "other")):
        assert Display().run([message(0), SignalState(**{**fields, name: value})], 0, 500).stages() == [(0, Stage.DARK)]


def test_a_lost_feed_takes_the_bar_first_and_then_the_light() -> None:
    display = Display().run(messages(0, 2_001), 0, 40_000)
    assert display.sent[-2:] == [(5_000, frame_of(Stage.RED, None)), (17_000, frame_of(Stage.DARK, None))]
    assert display.policy.wake_ns == display.gate.wake_ns == FOREVER_NS


def test_on_old_news_green_stays_without_a_bar_and_nobody_is_hurried() -> None:
    display = Display().run(messages(0, 33_001), 0, 60_000)
    assert display.stages()[2:] == [(21_000, Stage.GREEN), (39_000, Stage.RED), (48_000, Stage.DARK)]
    assert display.sent[-3:] == [
        (36_000, frame_of(Stage.GREEN, None)),
        (39_000, frame_of(Stage.RED, None)),
        (48_000, frame_of(Stage.DARK, None)),
    ]


def test_when_the_feed_is_back_the_bar_does_not_rise_above_what_was_promised() -> None:
    slower = [(3, 38_000), *CYCLE[1:]]
    said = messages(0, 2_001) + messages(18_000, 25_000, cycle=slower)
    aspects = Display().run(said, 0, 25_000).aspects
    assert aspects[20].remaining_ms == 19_000
    assert aspects[170].stage is Stage.DARK
    assert aspects[180] == aspects[200] == Aspect(Stage.RED, 3_000, 5)  # 11 and 9 s by the new mark
    later = messages(0, 2_001) + messages(22_000, 25_000, cycle=slower)
    assert Display().run(later, 0, 25_000).aspects[221] == Aspect(Stage.RED, 6_900, 11)  # the old bar had run out


@pytest.mark.parametrize("bit", range(16))
def test_a_failed_controller_darkens_at_once_and_missing_maps_never_do(bit: int) -> None:
    said = messages(0, 2_000) + messages(2_000, 3_000, status=1 << bit) + messages(3_000, 4_000)
    stages = Display().run(said, 0, 4_000).stages()
    if bit in (1, 2, 7, 8, 9, 13):
        assert stages[2:] == [(2_000, Stage.DARK), (3_000, Stage.RED)]
    else:
        assert stages[2:] == []
    policy = GreenwavePolicy(SITE)  # without the gate, too
    policy.step(said[:21], 2_000 * NS_PER_MS)
    assert (policy.aspect.stage is Stage.DARK) == (bit in (1, 2, 7, 8, 9, 13))


def test_a_clock_that_stands_while_marks_advance_is_not_trusted() -> None:
    said: list[Quantity] = list(messages(0, 2_000))
    for t_ms in range(2_000, 6_000, 100):
        live = message(t_ms)
        said.append(SignalState(live.t_ns, "feed", 4070, 7, 0, MIDDAY_MS + 1_900, live.phases))
    display = Display().run(said + messages(6_000, 7_000), 0, 7_000)
    assert display.stages()[1:] == [(100, Stage.RED), (4_000, Stage.DARK), (6_100, Stage.RED)]


def test_a_feed_without_a_valid_clock_is_dark() -> None:
    def timeless(value: SignalState) -> SignalState:
        return SignalState(value.t_ns, "feed", 4070, 7, 0, None, value.phases)

    assert Display().run([timeless(message(t_ms)) for t_ms in range(0, 3_000, 100)], 0, 3_000).stages() == [
        (0, Stage.DARK)
    ]


def test_duplicates_and_late_copies_change_nothing() -> None:
    plain = messages(0, 50_000)
    copies = []
    for value in plain:
        assert isinstance(value, SignalState)
        for late_ms in (20, 150):
            copies.append(
                SignalState(value.t_ns + late_ms * NS_PER_MS, "feed", 4070, 7, 0, value.message_ms, value.phases)
            )
    assert Display().run(plain + copies, 0, 50_000).sent == Display().run(plain, 0, 50_000).sent


def test_messages_held_up_on_their_way_do_not_lengthen_what_is_shown() -> None:
    late = [
        SignalState(value.t_ns + (t % 7) * 60 * NS_PER_MS, "feed", 4070, 7, 0, value.message_ms, value.phases)
        for t, value in enumerate(messages(0, 50_000))
        if isinstance(value, SignalState)
    ]
    stages = Display().run(late, 0, 50_000).stages()
    assert [stage for _, stage in stages] == [Stage.DARK, Stage.RED, Stage.GREEN, Stage.HURRY, Stage.RED]
    for (t_ms, _), planned_ms in zip(stages[2:], (21_000, 39_000, 41_800), strict=True):
        assert abs(t_ms - planned_ms) <= 100


def test_the_transport_delay_of_the_site_is_taken_off() -> None:
    site = GreenwaveSite(**{**_fields(SITE), "transport_delay_ms": 500})
    late = [
        SignalState(value.t_ns + 500 * NS_PER_MS, "feed", 4070, 7, 0, value.message_ms, value.phases)
        for value in messages(0, 50_000)
        if isinstance(value, SignalState)
    ]
    assert Display(site).run(late, 0, 50_000).stages()[2:] == Display().run(messages(0, 50_000), 0, 50_000).stages()[2:]


def test_an_unhealthy_feed_darkens_until_it_has_proved_itself_again() -> None:
    said = [
        *messages(0, 2_000),
        DeviceHealth(2_000 * NS_PER_MS, "panel", False),
        DeviceHealth(2_500 * NS_PER_MS, "feed", False),
    ]
    policy = GreenwavePolicy(SITE)
    policy.step(said[:-1], 2_400 * NS_PER_MS)
    assert policy.aspect.stage is Stage.RED
    policy.step(said[-1:], 2_500 * NS_PER_MS)
    assert policy.aspect.stage is Stage.DARK
    policy.step([message(2_600)], 2_600 * NS_PER_MS)
    assert policy.aspect.stage is Stage.DARK
    policy.step([DeviceHealth(2_700 * NS_PER_MS, "feed", True), message(2_700)], 2_700 * NS_PER_MS)
    assert policy.aspect.stage is Stage.RED


def test_a_panel_of_another_size_is_refused_by_name() -> None:
    for size in ((64, 32), (96, 64)):
        with pytest.raises(InputError, match=r"panel has \d+ x \d+ px"):
            GreenwavePolicy(SITE, *size)
    GreenwavePolicy(SITE, 96, 32)


def test_restarted_from_a_snapshot_at_any_second_it_goes_on_with_the_same_frames() -> None:
    said = messages(0, 46_000) + messages(52_000, 60_000)
    whole = Display().run(said, 0, 60_000)
    for cut_ms in range(0, 60_000, 1_700):
        first, second = Display().run(said, 0, cut_ms), Display()
        second.policy.restore(json.loads(json.dumps(first.policy.snapshot())))
        second.gate.restore(json.loads(json.dumps(first.gate.snapshot())))
        assert second.policy.snapshot() == first.policy.snapshot()
        second.run([value for value in said if value.t_ns > (cut_ms - 100) * NS_PER_MS], cut_ms, 60_000)
        assert first.sent + second.sent == whole.sent, cut_ms


def test_before_its_wake_and_without_news_a_step_does_nothing() -> None:
    display = Display().run(messages(0, 2_001), 0, 2_100)
    policy = display.policy
    before = policy.snapshot()
    assert 2_000 * NS_PER_MS < policy.wake_ns <= 5_000 * NS_PER_MS
    assert list(policy.step((), policy.wake_ns - 1)) == []
    assert policy.snapshot() == before
    assert list(policy.step((), policy.wake_ns)) == [PanelFrame("panel", frame_of(Stage.RED, policy.aspect.bar_px))]
    assert policy.aspect.bar_px == before["aspect"]["bar_px"] - 1
