from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import InputError
from hil.judge.alignment import WINDOW
from hil.judge.compare import Divergence, Tolerance, Verdict, compare
from hil.judge.reference import Sent

PERIOD_NS = 20_000_000
WIRES = ["east/dali", "west/dali", "west/neighbour"]


def sent(tick: int, data: bytes = b"h0AFE\n", wire: str = "west/dali", late_ns: int = 0) -> Sent:
    return Sent(tick, tick * PERIOD_NS + late_ns, wire, data)


@st.composite
def runs(draw: st.DrawFn) -> list[Sent]:
    """A run of some wires; no wire sends twice in a tick."""
    frames = draw(
        st.lists(
            st.tuples(st.integers(0, 300), st.sampled_from(WIRES), st.sampled_from([b"h0AFE\n", b"h0AAA\n", b"\x01"])),
            min_size=1,
            max_size=60,
            unique_by=lambda frame: frame[:2],
        )
    )
    return sorted((sent(tick, data, wire) for tick, wire, data in frames), key=lambda one: (one.t_ns, one.wire))


def first_of(verdict: Verdict) -> Divergence:
    assert verdict.first is not None
    return verdict.first


def test_equal_runs_pass_and_say_how_many_frames_agreed() -> None:
    run = [sent(1), sent(2, b"h0AAA\n"), sent(2, wire="east/dali")]
    verdict = compare(run, list(run))
    assert verdict.passed
    assert verdict.reason == "passed: 3 of 3 expected frames agreed"
    assert verdict.text() == verdict.reason
    assert verdict.as_json() == {}


def test_nothing_expected_fails_unless_the_case_says_that_silence_is_right() -> None:
    assert not compare([], []).passed
    assert "nothing expected" in compare([], []).reason
    assert not compare([], [sent(1)]).passed
    silent = Tolerance(nothing_expected=True)
    assert compare([], [], silent).passed
    assert not compare([], [sent(1)], silent).passed


def test_ignoring_every_wire_proves_nothing_and_fails() -> None:
    verdict = compare([sent(1)], [sent(1)], Tolerance(ignore=(".*",)))
    assert not verdict.passed
    assert "nothing expected" in verdict.reason
    assert verdict.ignored == 2


def test_the_first_divergence_says_tick_time_wire_and_both_bytes() -> None:
    verdict = compare([sent(1), sent(7)], [sent(1), sent(7, b"h0AFD\n")], Tolerance(contents={"west/dali": "dali"}))
    assert verdict.text() == (
        "failed: 1 of 2 expected frames agreed; 1 of another value\n"
        "first divergence (value) at tick 7, 140.000 ms, wire west/dali\n"
        "  expected 68 30 41 46 45 0a  (h0AFE: short address 5 to level 254)\n"
        "  got      68 30 41 46 44 0a  (h0AFD: short address 5 to level 253)"
    )
    assert verdict.as_json() == {
        "kind": "value",
        "tick": 7,
        "t_ms": 140.0,
        "wire": "west/dali",
        "expected": "68304146450a",
        "expected_text": "h0AFE: short address 5 to level 254",
        "got": "68304146440a",
        "got_text": "h0AFD: short address 5 to level 253",
        "differing": 1,
        "late_or_early": 0,
        "missing": 0,
        "surplus": 0,
        "further": 0,
    }


@given(runs(), st.data())
@settings(max_examples=60)
def test_one_changed_frame_is_found_exactly(run: list[Sent], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(run) - 1))
    old = run[at]
    got = [*run[:at], Sent(old.tick, old.t_ns, old.wire, b"another"), *run[at + 1 :]]
    verdict = compare(run, got)
    assert verdict.first == Divergence("value", old.wire, old.tick, old.t_ns, old, got[at])
    assert (verdict.differing, verdict.further, verdict.same) == (1, 0, len(run) - 1)


@given(runs(), st.data())
@settings(max_examples=60)
def test_one_missing_frame_is_found_exactly(run: list[Sent], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(run) - 1))
    verdict = compare(run, run[:at] + run[at + 1 :])
    assert verdict.first == Divergence("missing", run[at].wire, run[at].tick, run[at].t_ns, run[at], None)
    assert (verdict.missing, verdict.further, verdict.same) == (1, 0, len(run) - 1)


@given(runs(), st.data())
@settings(max_examples=60)
def test_one_surplus_frame_is_found_exactly(run: list[Sent], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(run) - 1))
    verdict = compare(run[:at] + run[at + 1 :] or [sent(999)], run if len(run) > 1 else [run[0], sent(999)])
    assert verdict.first == Divergence("surplus", run[at].wire, run[at].tick, run[at].t_ns, None, run[at])
    assert (verdict.surplus, verdict.further) == (1, 0)


@given(runs(), st.data())
@settings(max_examples=60)
def test_one_late_frame_is_found_exactly_and_within_tolerance_it_passes(run: list[Sent], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(run) - 1))
    old = run[at]
    late = Sent(old.tick, old.t_ns + 3_000_000, old.wire, old.data)
    got = sorted([*run[:at], late, *run[at + 1 :]], key=lambda one: one.t_ns)
    verdict = compare(run, got)
    assert verdict.first == Divergence("time", old.wire, old.tick, old.t_ns, old, late)
    assert (verdict.late_or_early, verdict.further) == (1, 0)
    assert compare(run, got, Tolerance(time_ms=3)).passed
    assert not compare(run, got, Tolerance(time_ms=2)).passed


@given(runs(), st.data())
@settings(max_examples=60)
def test_the_first_of_many_changes_in_time_is_named_whatever_its_wire(run: list[Sent], data: st.DataObject) -> None:
    changed = data.draw(st.sets(st.integers(0, len(run) - 1), min_size=1))
    got = [Sent(one.tick, one.t_ns, one.wire, b"another") if i in changed else one for i, one in enumerate(run)]
    first = run[min(changed)]
    verdict = compare(run, got)
    assert (first_of(verdict).t_ns, first_of(verdict).wire) == (first.t_ns, first.wire)
    assert verdict.differing == len(changed)
    assert verdict.same + verdict.differing == len(run)


@given(runs(), runs())
@settings(max_examples=60)
def test_every_frame_of_both_sides_is_accounted_for_once(expected: list[Sent], got: list[Sent]) -> None:
    verdict = compare(expected, got)
    paired = verdict.same + verdict.differing + verdict.late_or_early
    assert paired + verdict.missing == len(expected)
    assert paired + verdict.surplus == len(got)
    assert verdict.passed == (expected == got)


def test_sides_are_read_once_and_may_be_generators() -> None:
    run = [sent(tick) for tick in range(500)]
    assert compare(iter(run), (one for one in run)).same == 500


def test_ticks_of_tolerance_are_counted_both_ways() -> None:
    expected, got = [sent(10), sent(20)], [sent(11), sent(19)]
    assert compare(expected, got, Tolerance(ticks=1)).passed
    assert not compare(expected, got, Tolerance(ticks=0)).passed
    assert not compare(expected, got, Tolerance(ticks=1, time_ms=19)).passed


def test_level_tolerance_holds_for_direct_levels_of_one_address_and_never_for_off() -> None:
    tolerance = Tolerance(level=2, contents={"west/dali": "dali"})

    def agree(one: bytes, other: bytes) -> bool:
        return compare([sent(1, one)], [sent(1, other)], tolerance).passed

    assert agree(b"h0AFC\n", b"h0AFE\n")
    assert not agree(b"h0AFB\n", b"h0AFE\n")
    assert not agree(b"h0AFE\n", b"h0CFE\n")
    assert not agree(b"h0A00\n", b"h0A01\n")
    assert not agree(b"h0AFE\n", b"h0AFF\n")
    assert not agree(b"h0BA0\n", b"h0BA1\n")
    assert not compare([sent(1, b"h0AFC\n")], [sent(1)], Tolerance(level=2)).passed


def test_ignored_wires_are_left_out_whole_names_only() -> None:
    expected = [sent(1), sent(1, wire="west/neighbour")]
    got = [sent(1), sent(1, b"other", "west/neighbour"), sent(3, wire="west/neighbour")]
    assert compare(expected, got, Tolerance(ignore=("west/neighbour",))).passed
    assert compare(expected, got, Tolerance(ignore=(r".*/neigh.*",))).ignored == 3
    assert not compare(expected, got, Tolerance(ignore=("west/neigh",))).passed


def test_a_broken_regular_expression_is_refused_by_its_text() -> None:
    with pytest.raises(InputError, match=r"ignore: `\(` is no regular expression"):
        compare([], [], Tolerance(ignore=("(",)))


def test_a_gap_longer_than_the_window_is_only_missing_and_the_rest_agrees() -> None:
    run = [sent(tick) for tick in range(10 * WINDOW)]
    verdict = compare(run, run[:40] + run[40 + 3 * WINDOW + 5 :])
    assert (verdict.missing, verdict.late_or_early, verdict.surplus) == (3 * WINDOW + 5, 0, 0)
    assert first_of(verdict).expected == run[40]


def test_a_wire_that_falls_silent_for_good_is_missing_from_there_on() -> None:
    run = [sent(tick, wire=wire) for tick in range(5 * WINDOW) for wire in ("east/dali", "west/dali")]
    got = [one for one in run if one.wire == "west/dali" or one.tick < 100]
    verdict = compare(run, got)
    assert (verdict.missing, verdict.surplus) == (5 * WINDOW - 100, 0)
    assert (first_of(verdict).tick, first_of(verdict).wire) == (100, "east/dali")


def test_everything_one_tick_late_is_told_as_late_not_as_other_values() -> None:
    run = [sent(tick, b"h%02XFE\n" % (2 * (tick % 6))) for tick in range(200)]
    verdict = compare(run, [sent(one.tick + 1, one.data) for one in run])
    assert (verdict.late_or_early, verdict.differing, verdict.missing, verdict.surplus) == (200, 0, 0, 0)
    assert "at tick 1, 20.000 ms" in verdict.text()
