"""Each source of ends by its own record, bars that rest, changes whose message was lost, and bars that come back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controllers.greenwave.forecast import Outlook
from controllers.greenwave.learn_cadence import Cadence
from controllers.greenwave.learn_record import Record
from controllers.greenwave.learn_trust import LEARNT, MAX, MIN, MOST, Trust
from controllers.greenwave.picture import Stage
from controllers.greenwave.policy import Bar, GreenwavePolicy
from controllers.greenwave.site import GreenwaveSite
from drivers.quantities import SignalPhase, SignalState
from drivers.units import NS_PER_MS, NS_PER_S

S = NS_PER_S
CLOCK_MS = 200 * 86_400_000
AT_THE_LINE = GreenwaveSite(name="line", station=1, group=7, distance_m=0.001, speed_kmh=18, fast_kmh=18)
DOWN_THE_ROAD = GreenwaveSite(name="road", station=1, group=7, distance_m=120)


def phases_of(trust: Trust, count: int, end_s: float, told: dict[int, tuple[float, int]], at_s: float = 0.0) -> None:
    """So many phases of red that end at `end_s`, of each of which the sources say an end at `at_s`."""
    for _ in range(count):
        said = {source: (round(told_s * S), sure_pct) for source, (told_s, sure_pct) in told.items()}
        trust.claim(round(at_s * S), 3, said)
        trust.end(round(end_s * S))


# ---------------------------------------------------------------------------------------- records


def test_a_bound_is_believed_where_it_held_and_not_where_it_did_not() -> None:
    trust = Trust()
    for _ in range(4):  # the minimum of a red of 20 s: wrong 12 s ahead, right 4 s ahead
        trust.claim(0, 3, {MIN: (12 * S, 0), MAX: (40 * S, 100)})
        trust.claim(16 * S, 3, {MIN: (20 * S, 0), MAX: (40 * S, 100)})
        trust.end(20 * S)
    assert trust.trust_pct(MIN, 3, 4 * S, 0) >= 70
    assert trust.trust_pct(MIN, 3, 12 * S, 0) < 20
    assert trust.trust_pct(MAX, 3, 40 * S, 100) < 40
    assert trust.trust_pct(MIN, 6, 4 * S, 100) == 100  # green has not been seen yet


def test_a_bound_that_is_only_one_has_to_prove_itself_and_the_usual_one_is_believed_until_it_fails() -> None:
    trust = Trust()
    assert (trust.trust_pct(MIN, 3, 5 * S, 0), trust.trust_pct(MAX, 3, 5 * S, 100)) == (0, 100)
    phases_of(trust, 1, 5, {MIN: (5, 0), MAX: (9, 100)})
    assert 0 < trust.trust_pct(MIN, 3, 5 * S, 0) < 80
    assert trust.trust_pct(MAX, 3, 9 * S, 100) <= 50
    assert trust.trust_pct(MAX, 3, 30 * S, 100) <= 50  # and a time left not seen yet takes after the others


def test_what_a_learner_says_too_boldly_is_believed_as_often_as_it_was_right() -> None:
    trust = Trust()
    assert trust.trust_pct(LEARNT, 3, 12 * S, 80) == 80
    for n in range(40):
        phases_of(trust, 1, 12 if n % 2 else 16, {LEARNT: (12, 80)})
    assert 45 <= trust.trust_pct(LEARNT, 3, 12 * S, 80) <= 62
    assert trust.trust_pct(LEARNT, 3, 12 * S, 90) == 90  # another confidence has another record
    assert trust.trust_pct(LEARNT, 3, 3 * S, 80) == 80  # and so has another time left


def test_an_end_that_nobody_saw_is_held_against_nobody() -> None:
    trust = Trust()
    trust.claim(0, 3, {LEARNT: (12 * S, 80)})
    trust.end(None)
    assert trust.snapshot() == Trust().snapshot()


def test_what_is_said_again_counts_once() -> None:
    trust = Trust()
    for n in range(40):
        trust.claim(n * S // 5, 3, {LEARNT: (20 * S, 80)})
    assert len(trust.snapshot()["claims"]) == 2  # once with 14 s and more left, once with less


def test_from_where_on_a_minimum_may_be_believed_down_to_its_end() -> None:
    trust = Trust()
    for _ in range(6):
        for half in range(40):  # the minimum moves on and on, until 4 s before the end
            now_ns = half * S // 2
            trust.claim(now_ns, 3, {MIN: (now_ns + (5 + half % 5) * S if half < 32 else 20 * S, 0)})
        trust.end(20 * S)
    assert 4 * S <= trust.sure_left_ns(3, 0, 70) <= 6 * S
    assert trust.sure_left_ns(6, 0, 70) == 0


@given(
    st.lists(
        st.tuples(st.integers(3, 8), st.sampled_from([MIN, MAX, LEARNT]), st.integers(-9, 90), st.integers(0, 100)),
        max_size=80,
    )
)
def test_memory_is_bounded_trust_is_a_share_and_a_snapshot_is_all_there_is(
    script: list[tuple[int, int, int, int]],
) -> None:
    trust = Trust()
    for n, (state, source, left_s, sure_pct) in enumerate(script):
        trust.claim(n * S, state, {source: ((n + left_s) * S, sure_pct)})
        if n % 5 == 4:
            trust.end(n * S)
        again = Trust()
        again.restore(json.loads(json.dumps(trust.snapshot())))
        assert again.snapshot() == trust.snapshot()
        assert 0 <= again.trust_pct(source, state, left_s * S, sure_pct) <= 100
    kept = trust.snapshot()
    assert len(kept["claims"]) <= 128
    assert all(0 <= right <= count <= (MOST + 1) << 8 for _, right, count in kept["records"])


# ---------------------------------------------------------------------------------------- changes that were not heard


def heard(cadence: Cadence, record: Record, script: list[tuple[int, int]], end_s: int | None = None) -> list[object]:
    """What messages of (second, state) tell of, the last of them."""
    found: list[tuple[int, int, bool]] = []
    for t_s, state in script:
        found = cadence.seen(record, None if end_s is None else end_s * S, state, t_s * S)
        for t_ns, other, _ in found:
            record.change(t_ns, other)
    return [(t_ns / S, state, known) for t_ns, state, known in found]


def every(first_s: int, last_s: int, state: int) -> list[tuple[int, int]]:
    return [(t_s, state) for t_s in range(first_s, last_s)]


@pytest.mark.parametrize(("end_s", "told_s"), [(12, 12), (13, 13), (None, 12.5), (30, 12.5)])
def test_a_change_whose_message_was_lost_was_when_it_was_to_be_or_in_the_middle(
    end_s: int | None, told_s: float
) -> None:
    assert heard(Cadence(), Record(), [*every(0, 12, 3), (13, 6)], end_s) == [(told_s, 6, False)]


def test_a_change_without_a_gap_is_when_it_was_seen() -> None:
    assert heard(Cadence(), Record(), [*every(0, 12, 3), (12, 6)], 11) == [(12, 6, True)]


def test_a_feed_that_speaks_of_changes_alone_has_no_gaps() -> None:
    assert heard(Cadence(), Record(), [(0, 3), (20, 6), (33, 3), (53, 6)], 50) == [(53, 6, True)]


def test_a_short_state_that_was_not_heard_is_put_in_where_it_always_was() -> None:
    cycle = [*every(0, 9, 3), (9, 4), *every(10, 15, 6)]
    script = [(t_s + 15 * n, state) for n in range(3) for t_s, state in cycle]
    lost = [each for each in script if each != (39, 4)]
    cadence, record = Cadence(), Record()
    assert heard(cadence, record, lost[:40]) == [(39, 4, False), (40, 6, False)]
    assert record.state == 6


@given(
    st.lists(st.tuples(st.integers(1, 9), st.sampled_from([3, 4, 6, 8])), min_size=2, max_size=60), st.integers(0, 60)
)
def test_changes_lie_between_the_messages_about_them_in_order(script: list[tuple[int, int]], end_s: int) -> None:
    cadence, record, t_s, last_ns = Cadence(), Record(), 0, 0
    for gap_s, state in script:
        t_s += gap_s
        again = Cadence()
        again.restore(json.loads(json.dumps(cadence.snapshot())))
        found = cadence.seen(record, end_s * S, state, t_s * S)
        assert again.seen(record, end_s * S, state, t_s * S) == found
        for t_ns, other, _ in found:
            assert last_ns <= t_ns <= t_s * S
            record.change(t_ns, other)
            last_ns = t_ns
        assert record.state == state
        last_ns = t_s * S


def test_what_is_only_told_again_is_learnt_as_nothing_new() -> None:
    looks = Outlook(0, 50, 70, True)
    for t_s in range(20):
        if t_s != 15:  # its message is lost, and told again is what was
            looks.hear((SignalPhase(3 if t_s < 15 else 6),), t_s * S, t_s * S)
        looks.hear((SignalPhase(3 if t_s < 16 else 6),), t_s * S + S // 2, None)
    learner = looks.snapshot()["learner"]
    assert [run[:2] for run in learner["memory"]["runs"]] == [[0, 1], [16, 8]]
    assert looks.snapshot()["record"]["running"][1] == 15_500 * NS_PER_MS


# ---------------------------------------------------------------------------------------- what is shown


def test_a_bar_rests_where_its_minimum_may_be_believed_and_never_rises() -> None:
    """Red of 12 to 20 s that ends 4 s after traffic does; until then the minimum is 6 s ahead."""
    policy, t_ms, rested = GreenwavePolicy(AT_THE_LINE), 0, 0
    for n in range(24):
        red_ms, low = 12_000 + n * 5 % 9 * 1_000, None
        for left_ms in range(red_ms + 6_000, 0, -100):
            state, more_ms = (3, left_ms - 6_000) if left_ms > 6_000 else (6, left_ms)
            least_ms = more_ms if state == 6 or more_ms <= 4_000 else 4_000 + (more_ms - 4_000) % 2_500
            phases = (SignalPhase(state, least_ms),)
            value = SignalState(t_ms * NS_PER_MS, "feed", 1, 7, 0, CLOCK_MS + t_ms, phases)
            policy.step((value,), t_ms * NS_PER_MS)
            left = policy.aspect.remaining_ms
            if state == 3 and n >= 12:
                assert policy.aspect.stage is Stage.RED
                if more_ms <= 3_500:
                    assert left is not None
                    assert abs(left - more_ms) <= 1_000
                if left is not None:
                    rested += left == low
                    assert low is None or left <= low
                    low = left
            t_ms += 100
    assert rested > 100


def test_a_bar_that_rests_stays_and_one_that_moves_follows_its_end() -> None:
    assert Bar(True, 9 * S, 4 * S).left_ns(7 * S) == 2 * S
    assert Bar(True, 9 * S, 4 * S, True).left_ns(7 * S) == 4 * S


def test_down_the_road_a_stage_that_is_back_at_once_goes_on_from_its_bar() -> None:
    policy, t_ms = GreenwavePolicy(DOWN_THE_ROAD), 0
    shown: list[tuple[Stage, int | None]] = []
    for n in range(300):
        left_ms = (
            42_000 - t_ms + (600 if n >= 235 else 0)
        )  # the end moves away where the fast were told that it is over
        phases = (SignalPhase(6, likely_ms=left_ms), SignalPhase(3, likely_ms=left_ms + 30_000))
        value = SignalState(t_ms * NS_PER_MS, "feed", 1, 7, 0, CLOCK_MS + t_ms, phases)
        policy.step((value,), t_ms * NS_PER_MS)
        shown.append((policy.aspect.stage, policy.aspect.remaining_ms))
        t_ms += 100
    before = [stage for stage, _ in shown]
    assert Stage.RED in before[225:235]
    assert Stage.HURRY in before[235:240]
    go = [left for stage, left in shown if stage in (Stage.GREEN, Stage.HURRY) and left is not None]
    assert go == sorted(go, reverse=True)


def test_a_message_that_was_overtaken_darkens_nothing_by_its_status() -> None:
    policy = GreenwavePolicy(AT_THE_LINE)
    for n in range(20):
        t_ms = n * 100
        values = [SignalState(t_ms * NS_PER_MS, "feed", 1, 7, 0, CLOCK_MS + t_ms, (SignalPhase(3, likely_ms=9_000),))]
        if n == 15:
            values.append(SignalState(t_ms * NS_PER_MS, "feed", 1, 7, 1 << 2, CLOCK_MS + t_ms - 150, ()))
        policy.step(values, t_ms * NS_PER_MS)
    assert policy.aspect.stage is Stage.RED
    t_ms += 100
    policy.step((SignalState(t_ms * NS_PER_MS, "feed", 1, 7, 1 << 2, CLOCK_MS + t_ms, ()),), t_ms * NS_PER_MS)
    assert policy.aspect.stage is Stage.DARK


def test_a_display_that_has_learnt_for_an_hour_goes_on_from_its_snapshot_as_if_nothing_had_been() -> None:
    policy, again = GreenwavePolicy(AT_THE_LINE), GreenwavePolicy(AT_THE_LINE)
    t_s, told = 0, 0
    for cycle in range(85):
        if cycle == 80:
            again.restore(json.loads(json.dumps(policy.snapshot())))
        for state, seconds in ((3, 24 + cycle % 3), (6, 12 + cycle % 5), (8, 3)):
            for _ in range(seconds):
                value = SignalState(t_s * S, "feed", 1, 7, 0, CLOCK_MS + t_s * 1000, (SignalPhase(state),))
                sent = policy.step((value,), t_s * S)
                if cycle >= 80:
                    assert again.step((value,), t_s * S) == sent
                    assert again.aspect == policy.aspect
                    told += policy.aspect.remaining_ms is not None
                t_s += 1
    assert told > 20
    assert again.snapshot() == policy.snapshot()
    assert len(json.dumps(policy.snapshot())) < 60_000
