"""Each row of the table of bad input in docs/timing.md."""

from __future__ import annotations

import pytest

from controllers.core.timebase import TimeBase
from drivers.codecs.spat import message_ms
from drivers.units import NS_PER_MS, NS_PER_S
from hil.traffic.arrivals import Feed, Way

STALL_NS = 2 * NS_PER_S
HOUR_MS = 3_600_000
FIRST_MS = 200 * 86_400_000


class Feeder:
    """A time base and an exact controller, ten messages a second; `set_ms` is what its clock was set by."""

    def __init__(self, first_ms: int = FIRST_MS) -> None:
        self.base = TimeBase(STALL_NS, 0)
        self.t_ms, self.first_ms, self.set_ms = 0, first_ms, 0

    def run(self, until_ms: int) -> Feeder:
        """Messages up to `until_ms`, not included."""
        while self.t_ms < until_ms:
            self.say(self.first_ms + self.set_ms + self.t_ms)
            self.t_ms += 100
        return self

    def say(self, stamp_ms: int | None, late_ms: int = 0) -> int | None:
        return self.base.written_ns((self.t_ms + late_ms) * NS_PER_MS, stamp_ms)

    @property
    def shown_ms(self) -> int:
        """What the base takes the controller's clock to show at our 0."""
        offset_ns = self.base.offset_ns(self.t_ms * NS_PER_MS)
        assert offset_ns is not None
        return -offset_ns // NS_PER_MS


def _relock_ms(step_ms: int, limit_ms: int = 120_000) -> tuple[int, Feeder]:
    """How long after a step of the controller's clock it is taken over to 2 ms."""
    feeder = Feeder().run(120_000)
    feeder.set_ms = step_ms
    while feeder.t_ms < 120_000 + limit_ms:
        feeder.run(feeder.t_ms + 100)
        if abs(feeder.shown_ms - FIRST_MS - step_ms) <= 2:
            break
    return feeder.t_ms - 100 - 120_000, feeder


@pytest.mark.parametrize("step_ms", [1_001, 2_000, 60_000, HOUR_MS, 24 * HOUR_MS])
def test_a_clock_set_forwards_is_taken_over_by_the_third_message(step_ms: int) -> None:
    took_ms, feeder = _relock_ms(step_ms)
    assert took_ms == 200
    assert feeder.base.rejected == {"from the future": 1, "jumped": 1}
    assert (feeder.base.steps, feeder.base.trusted) == (1, True)


@pytest.mark.parametrize("step_ms", [-1_001, -2_000, -60_000, -HOUR_MS, -24 * HOUR_MS])
def test_a_clock_set_backwards_is_taken_over_after_the_stall_time(step_ms: int) -> None:
    took_ms, feeder = _relock_ms(step_ms)
    assert took_ms == 2_000
    assert (feeder.base.steps, feeder.base.trusted) == (1, True)
    assert sum(feeder.base.rejected.values()) == 20
    assert set(feeder.base.rejected) <= {"outlier", "jumped", "duplicate"}


@pytest.mark.parametrize("step_ms", [50, 300, 999])
def test_a_small_step_forwards_is_taken_over_by_the_second_message(step_ms: int) -> None:
    took_ms, feeder = _relock_ms(step_ms)
    assert took_ms == 100
    assert feeder.base.rejected == {"outlier": 1}
    assert feeder.base.steps == 1


@pytest.mark.parametrize("step_ms", [-50, -300, -999])
def test_a_small_step_backwards_may_be_a_delay_and_is_taken_over_within_48_s_the_bound_covers_it(step_ms: int) -> None:
    feeder = Feeder().run(600_000)
    feeder.set_ms = step_ms
    taken_ms = None
    for t_ms in range(600_000, 660_000, 100):
        feeder.run(t_ms + 100)
        if abs(feeder.shown_ms - FIRST_MS - step_ms) <= 2:
            taken_ms = t_ms - 600_000
            break
        if t_ms > 620_000:  # two long windows have closed: they were late
            error_ns = feeder.base.error_ns(t_ms * NS_PER_MS)
            assert error_ns is not None
            assert error_ns >= -step_ms * NS_PER_MS
    assert taken_ms is not None
    assert 30_000 <= taken_ms <= 48_000
    assert feeder.base.steps == 1


def test_our_own_wall_clock_is_not_asked_so_its_steps_change_nothing() -> None:
    """There is no way in: the only times are those of arrival, monotonic, and the stamps."""
    names = {name for name in dir(TimeBase) if not name.startswith("_")}
    assert not {name for name in names if "utc" in name or "wall" in name}


def test_duplicates_are_counted_and_change_nothing() -> None:
    feeder, plain = Feeder().run(60_000), Feeder().run(60_000)
    for t_ms in range(60_000, 70_000, 100):
        for one in (feeder, plain):
            one.run(t_ms + 100)
        assert feeder.say(feeder.first_ms + t_ms, late_ms=-60) is None
    assert feeder.base.rejected == {"duplicate": 100}
    assert feeder.base.offset_ns(0) == plain.base.offset_ns(0)


def test_reordered_messages_are_counted_and_change_nothing() -> None:
    feeder = Feeder().run(60_000)
    before_ns = feeder.base.offset_ns(0)
    for back_ms in (200, 500, 900):
        assert feeder.say(feeder.first_ms + feeder.t_ms - back_ms) is None
    assert feeder.base.rejected == {"reordered": 3}
    assert feeder.base.offset_ns(0) == before_ns
    assert feeder.base.trusted


def test_a_message_from_the_future_alone_is_not_believed() -> None:
    feeder = Feeder().run(60_000)
    for ahead_ms in (1_500, HOUR_MS, 24 * HOUR_MS):
        assert feeder.say(feeder.first_ms + feeder.t_ms + ahead_ms) is None
        feeder.run(feeder.t_ms + 1_000)
    assert feeder.base.rejected == {"from the future": 3}
    assert (feeder.base.steps, feeder.base.trusted, feeder.shown_ms) == (0, True, FIRST_MS)


def test_messages_from_the_future_between_good_ones_are_never_believed() -> None:
    feeder = Feeder().run(60_000)
    for _ in range(100):
        feeder.say(feeder.first_ms + feeder.t_ms + HOUR_MS)
        feeder.run(feeder.t_ms + 100)
    assert feeder.base.rejected == {"from the future": 100}
    assert feeder.shown_ms == FIRST_MS


def test_a_single_message_early_by_less_than_a_second_does_not_drag_the_clock_along() -> None:
    feeder = Feeder().run(60_000)
    assert feeder.say(feeder.first_ms + feeder.t_ms + 900) is None
    feeder.run(80_000)
    assert feeder.base.rejected == {"outlier": 1}
    assert feeder.shown_ms == FIRST_MS


def test_a_clock_that_stands_is_lost_after_the_stall_time_and_trusted_again_when_it_goes() -> None:
    feeder = Feeder().run(60_000)
    stamp_ms = feeder.first_ms + 59_900
    lost_at = None
    for t_ms in range(60_000, 66_000, 100):
        feeder.t_ms = t_ms
        assert feeder.say(stamp_ms) is None
        if lost_at is None and not feeder.base.trusted:
            lost_at = t_ms
    assert lost_at == 62_000  # the newest stamp came at 59.9 s
    assert feeder.base.state(66_000 * NS_PER_MS) == "lost"
    assert set(feeder.base.rejected) == {"duplicate", "stands still"}
    feeder.t_ms = 66_000
    feeder.run(66_200)
    assert feeder.base.trusted
    assert feeder.shown_ms == FIRST_MS


@pytest.mark.parametrize("stands_ms", [59_850, 50_000])
def test_a_clock_that_is_set_back_and_stands_is_lost_as_well(stands_ms: int) -> None:
    feeder = Feeder().run(60_000)
    for t_ms in range(60_000, 65_000, 100):
        feeder.t_ms = t_ms
        feeder.say(feeder.first_ms + stands_ms)
    assert not feeder.base.trusted
    assert feeder.base.rejected["stands still"] >= 1


def test_two_hundred_milliseconds_of_random_delay_reject_nothing_but_what_was_overtaken() -> None:
    base = TimeBase(STALL_NS, 0)
    for arrival in Feed(Way(), 4).arrivals(300):
        base.written_ns(arrival.t_ns, arrival.message_ms)
    assert set(base.rejected) == {"reordered"}
    assert base.steps == 0


@pytest.mark.parametrize("days", [365, 366])
def test_at_new_year_the_clock_goes_on(days: int) -> None:
    year_ms = days * 86_400_000
    feeder = Feeder(year_ms - 60_000)
    feeder.run(60_000)
    before_ns = feeder.base.offset_ns(0)
    feeder.say(feeder.first_ms + feeder.t_ms - 200)  # one of the old year, overtaken
    feeder.first_ms -= year_ms
    assert feeder.say(0) == 60_000 * NS_PER_MS
    assert feeder.say(year_ms - 100, late_ms=10) is None
    feeder.t_ms += 100
    feeder.run(600_000)
    assert feeder.base.rejected == {"reordered": 2}
    assert feeder.base.steps == 0
    assert before_ns is not None
    assert feeder.base.offset_ns(0) == before_ns + year_ms * NS_PER_MS  # it counts from the new year now
    assert feeder.say(feeder.first_ms + feeder.t_ms) == feeder.t_ms * NS_PER_MS


def test_a_year_that_ends_between_the_first_two_messages_is_no_jump() -> None:
    base = TimeBase(STALL_NS, 0)
    base.written_ns(0, 365 * 86_400_000 - 100)
    assert base.written_ns(100 * NS_PER_MS, 0) == 100 * NS_PER_MS


def test_after_a_leap_second_the_clock_is_a_second_late_and_taken_over_within_48_s() -> None:
    """59.9, 60.0 ... 60.9, then 0.0 of the next minute: the stamps of the minute's first second come twice."""
    feeder = Feeder(message_ms(1000, 0) or 0)
    feeder.run(60_000)
    for ms in range(60_000, 61_000, 100):
        stamp_ms = message_ms(1000, ms)
        assert feeder.say(stamp_ms) == feeder.t_ms * NS_PER_MS
        feeder.t_ms += 100
    feeder.set_ms = -1_000
    feeder.run(62_100)
    assert feeder.base.rejected == {"duplicate": 1, "reordered": 9}
    assert feeder.base.trusted
    feeder.run(62_000 + 48_000)
    assert abs(feeder.shown_ms - (feeder.first_ms - 1_000)) <= 2
    assert feeder.base.steps == 1


def test_messages_without_a_valid_time_end_trust_until_two_agree_and_the_clock_is_kept() -> None:
    feeder = Feeder().run(60_000)
    before_ns = feeder.base.offset_ns(0)
    for stamp_ms in (message_ms(527_040, 0), message_ms(None, 0), message_ms(1, 65_535), None):
        assert stamp_ms is None
        assert feeder.say(stamp_ms) is None
    assert feeder.base.rejected == {"no time": 4}
    assert not feeder.base.trusted
    assert feeder.base.offset_ns(0) == before_ns
    feeder.run(60_100)
    assert not feeder.base.trusted
    feeder.run(60_200)
    assert feeder.base.trusted


@pytest.mark.parametrize("per_mille", [100, 500, 900, 1_100, 2_000, 3_000])
@pytest.mark.parametrize("copies", [1, 2])
def test_a_clock_at_a_wrong_rate_is_believed_for_six_seconds_at_most(per_mille: int, copies: int) -> None:
    base, locked = TimeBase(STALL_NS, 0), []
    for number in range(6_000):
        t_ns = number * 100 * NS_PER_MS
        for _ in range(copies):
            base.written_ns(t_ns, FIRST_MS + number * per_mille // 10)
        locked.append(base.state(t_ns) == "locked")
    assert locked[1]
    assert not any(locked[60:])


@pytest.mark.parametrize("ppm", [-900, -300, 300, 900])
def test_a_clock_that_is_wrong_by_less_than_a_thousandth_is_followed(ppm: int) -> None:
    base, feed = TimeBase(STALL_NS, 0), Feed(Way(drift_ppm=ppm), 11)
    for arrival in feed.arrivals(600):
        base.written_ns(arrival.t_ns, arrival.message_ms)
    assert set(base.rejected) == {"reordered"}
    offset_ns = base.offset_ns(arrival.t_ns)
    assert offset_ns is not None
    assert abs(offset_ns - feed.offset_ns(arrival.t_ns)) < 10 * NS_PER_MS


def test_copies_do_not_make_a_clock_that_was_set_back_stand() -> None:
    feeder = Feeder().run(60_000)
    feeder.set_ms = -HOUR_MS
    while feeder.t_ms < 64_000:
        feeder.say(feeder.first_ms + feeder.set_ms + feeder.t_ms)
        feeder.run(feeder.t_ms + 100)
    assert feeder.shown_ms == FIRST_MS - HOUR_MS
    assert feeder.base.steps == 1
    assert set(feeder.base.rejected) == {"jumped", "duplicate"}


def test_messages_held_up_for_three_seconds_and_let_go_at_once_are_not_taken_for_a_step() -> None:
    feeder = Feeder().run(60_000)
    for t_ms in range(60_000, 63_000, 100):
        feeder.base.written_ns(63_000 * NS_PER_MS, feeder.first_ms + t_ms)
    feeder.t_ms = 63_000
    feeder.run(90_000)
    assert feeder.base.steps == 0
    assert feeder.shown_ms == FIRST_MS


def test_a_clock_that_is_slewed_by_five_hundred_ppm_stays_in_sight() -> None:
    """An NTP client that corrects 300 ms in ten minutes."""
    for sign in (-1, 1):
        base, worst_ns = TimeBase(STALL_NS, 0), 0
        for number in range(12_000):
            t_ns = number * 100 * NS_PER_MS
            slewed_ns = sign * min(max(0, t_ns - 300 * NS_PER_S), 600 * NS_PER_S) // 2_000
            base.written_ns(t_ns, FIRST_MS + (t_ns + slewed_ns) // NS_PER_MS)
            offset_ns = base.offset_ns(t_ns)
            if number > 50:
                assert offset_ns is not None
                worst_ns = max(worst_ns, abs(-offset_ns - FIRST_MS * NS_PER_MS - slewed_ns))
        assert base.steps == 0, sign
        assert worst_ns < 100 * NS_PER_MS, (sign, worst_ns)
