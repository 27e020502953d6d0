"""Judging what came in real time: slack, lines, ages, the end of a run, and verdicts that hang on an uncertainty."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.units import NS_PER_MS, NS_PER_S
from hil.judge.alignment import Tolerance
from hil.judge.real_time import at_the_end, by_line, judge, loosened
from hil.judge.reference import Sent

PERIOD_NS = 20 * NS_PER_MS
END_NS = 10 * NS_PER_S


def sent(t_ms: float, data: bytes, wire: str = "west/dali") -> Sent:
    return Sent(round(t_ms) // 20, round(t_ms * NS_PER_MS), wire, data)


def verdict(expected: list[Sent], got: list[Sent], slack_ms: int = 100, uncertainty_ms: int = 0) -> tuple[str, bool]:
    tolerance = loosened(Tolerance(), slack_ms * NS_PER_MS, PERIOD_NS)
    found, certain = judge(
        expected,
        got,
        tolerance,
        end_ns=END_NS,
        messages=["west/neighbour"],
        lines=["west/neighbour", "west/dali"],
        uncertainty_ns=uncertainty_ms * NS_PER_MS,
    )
    return "passed" if found.passed else "failed", certain


def test_a_case_s_own_tolerance_the_slack_and_one_period_add_up() -> None:
    assert loosened(Tolerance(), 100 * NS_PER_MS, PERIOD_NS).time_ms == 120
    assert loosened(Tolerance(time_ms=30), 100 * NS_PER_MS, PERIOD_NS).time_ms == 150
    assert loosened(Tolerance(ticks=2), 100 * NS_PER_MS, PERIOD_NS).time_ms == 160


def test_within_slack_and_a_period_is_the_same_time_and_beyond_it_is_not() -> None:
    assert verdict([sent(1000, b"h01\n")], [sent(1119, b"h01\n")]) == ("passed", True)
    assert verdict([sent(1000, b"h01\n")], [sent(1121, b"h01\n")]) == ("failed", True)


def test_values_and_their_order_on_a_wire_stay_exact() -> None:
    expected = [sent(1000, b"h01\n"), sent(1010, b"h02\n")]
    assert verdict(expected, [sent(1001, b"h02\n"), sent(1012, b"h01\n")])[0] == "failed"
    assert verdict(expected, [sent(1001, b"h01\n"), sent(1012, b"h03\n")])[0] == "failed"


def test_levels_of_different_lamps_may_come_in_either_order_together_and_no_others() -> None:
    one, two, again = b"h00E2\n", b"h06E2\n", b"h00C6\n"
    expected = [sent(1000, one), sent(1029, two), sent(1058, again)]
    assert verdict(expected, [sent(1001, two), sent(1030, one), sent(1060, again)]) == ("passed", True)
    assert verdict(expected, [sent(1001, again), sent(1030, two), sent(1060, one)])[0] == "failed", "the same lamp"
    apart = [sent(1000, one), sent(2000, two)]
    assert verdict(apart, [sent(1001, two), sent(2001, one)])[0] == "failed"
    asked = [sent(1000, one), sent(1029, b"h01A0\n")]
    assert verdict(asked, [sent(1001, b"h01A0\n"), sent(1030, one)])[0] == "failed", "a question is no level"


def test_a_wire_keeps_no_boundaries_so_lines_are_compared() -> None:
    expected = [sent(1000, b"h01\n"), sent(1010, b"h02\n")]
    assert verdict(expected, [sent(1003, b"h01\nh0"), sent(1012, b"2\n")]) == ("passed", True)


@given(st.lists(st.binary(max_size=4), max_size=8), st.lists(st.integers(1, 9), max_size=8))
def test_lines_are_the_same_however_they_were_cut(lines: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(line.replace(b"\n", b"") + b"\n" for line in lines)
    pieces, rest = [], whole
    for size in cuts:
        pieces.append(rest[:size])
        rest = rest[size:]
    pieces.append(rest)
    cut = [sent(n, piece) for n, piece in enumerate(pieces) if piece]
    wires = frozenset(["west/dali"])
    assert [one.data for one in by_line(cut, wires)] == [one.data for one in by_line([sent(0, whole)], wires) if whole]


def test_an_age_is_a_time_and_what_is_too_old_is_another_value() -> None:
    told = b'{"kind":"rider","id":1,"x_mm":5,"v_mm_s":5555,"age_ms":%d}\n'
    expected = [sent(1000, told % 19, "west/neighbour")]
    assert verdict(expected, [sent(1005, told % 2, "west/neighbour")]) == ("passed", True)
    assert verdict(expected, [sent(1005, told % 500, "west/neighbour")])[0] == "failed"
    assert verdict(expected, [sent(1005, told.replace(b"5555", b"5554") % 2, "west/neighbour")])[0] == "failed"


def test_for_how_long_a_rider_is_known_is_not_compared_but_the_rest_of_the_word_is() -> None:
    told = b'{"kind":"rider","id":1,"x_mm":5,"v_mm_s":5555,"age_ms":0%s}\n'
    course = b',"known_ms":10717,"mean_mm_s":5971'
    expected = [sent(1000, told % course, "west/neighbour")]
    for other in (b"", b',"known_ms":10716,"mean_mm_s":5972'):
        assert verdict(expected, [sent(1005, told % other, "west/neighbour")]) == ("passed", True)
    assert verdict(expected, [sent(1005, told.replace(b"5555", b"5554") % course, "west/neighbour")])[0] == "failed"


def test_the_number_of_a_rider_is_a_name_and_two_names_are_not_one() -> None:
    def told(*numbers: int) -> list[Sent]:
        text = b'{"kind":"rider","id":%d,"x_mm":5}\n'
        return [sent(1000 * n, text % number, "west/neighbour") for n, number in enumerate(numbers)]

    assert verdict(told(1, 2, 1), told(1, 3, 1)) == ("passed", True)
    assert verdict(told(1, 2, 1), told(4, 7, 4)) == ("passed", True)
    assert verdict(told(1, 2, 1), told(1, 3, 3))[0] == "failed"
    assert verdict(told(1, 1, 1), told(1, 1, 2))[0] == "failed"


def test_what_falls_around_the_end_may_be_on_either_side_of_it() -> None:
    late = sent(9990, b"h02\n")
    assert verdict([sent(1000, b"h01\n"), late], [sent(1000, b"h01\n")]) == ("passed", True)
    assert verdict([sent(1000, b"h01\n")], [sent(1000, b"h01\n"), late]) == ("passed", True)
    early = sent(5000, b"h02\n")
    assert verdict([sent(1000, b"h01\n"), early], [sent(1000, b"h01\n")])[0] == "failed"
    assert verdict([sent(1000, b"h01\n")], [sent(1000, b"h01\n"), early])[0] == "failed"


def test_at_the_end_nothing_is_taken_from_a_run_that_agrees() -> None:
    both = [sent(n * 1000, b"h%02d\n" % n) for n in range(10)]
    assert at_the_end(both, both, END_NS, 120 * NS_PER_MS) == (both, both)


def test_a_picture_that_stands_for_less_than_the_slack_may_be_missed_and_none_may_be_added() -> None:
    def told(expected: list[Sent], got: list[Sent]) -> str:
        tolerance = loosened(Tolerance(), 100 * NS_PER_MS, 100 * NS_PER_MS)
        found, _ = judge(expected, got, tolerance, end_ns=END_NS, panels=["display/panel"])
        return "passed" if found.passed else "failed"

    one, brief, last = (sent(t_ms, data, "display/panel") for t_ms, data in ((1000, b"1"), (2000, b"2"), (2100, b"3")))
    long = sent(2900, b"3", "display/panel")
    assert told([one, brief, last], [one, brief, last]) == "passed"
    assert told([one, brief, last], [one, last]) == "passed"
    assert told([one, brief, long], [one, long]) == "failed", "it stood for 0.9 s"
    assert told([one, last], [one, brief, last]) == "failed", "a flicker"


def test_a_verdict_that_hangs_on_the_uncertainty_of_an_adapter_is_not_certain() -> None:
    expected = [sent(1000, b"h01\n")]
    assert verdict(expected, [sent(1118, b"h01\n")], uncertainty_ms=5) == ("passed", False)
    assert verdict(expected, [sent(1122, b"h01\n")], uncertainty_ms=5) == ("failed", False)
    assert verdict(expected, [sent(1050, b"h01\n")], uncertainty_ms=5) == ("passed", True)
    assert verdict(expected, [sent(1300, b"h01\n")], uncertainty_ms=5) == ("failed", True)
