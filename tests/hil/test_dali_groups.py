"""Carpets on a DALI line: which groups there are, when they are used, and that they change nothing but the time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dali_rig import TICK_NS, DaliRig, spied
from drivers.buses.dali import DaliBus
from drivers.buses.dali_gateways import AtxLedGateway, LubaGateway, SciGateway
from drivers.buses.dali_groups import MOST_GROUPS, carpet_groups
from drivers.devices.lamp import DaliLamp
from drivers.links.memory import memory_pair
from drivers.quantities import DeviceHealth, Quantity
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.dali_gateway import DaliGateway
from hil.peers.dali_lunatone import LubaPeer, SciPeer

KINDS: dict[str, tuple[Any, Any]] = {
    "atxled": (AtxLedGateway, DaliGateway),
    "luba": (LubaGateway, LubaPeer),
    "sci": (SciGateway, SciPeer),
}
Groups = dict[int, frozenset[int]]


class Line(DaliRig):
    """Lamps behind a gateway; `joined` is what the gear is in, `groups` what it should be in."""

    def __init__(self, lamps: int = 6, *, kind: str = "atxled", groups: Groups, joined: Groups | None = None) -> None:
        near, far = memory_pair("dali")
        gateway, peer = KINDS[kind]
        self.values: list[Quantity] = []
        self.outputs: list[tuple[int, int, int, int]] = []
        self.bus = DaliBus("dali", near, emit=self.values.append, gateway=gateway(), groups=groups)
        self.lamps = [DaliLamp(f"lamp-{n}", self.bus, n) for n in range(lamps)]
        self.peer = peer("dali", far, range(lamps), self._output)
        self.peer.line.join(groups if joined is None else joined)
        self.wire = spied(far)
        for lamp in self.lamps:
            lamp.verify(0)
        self.run(10 * NS_PER_S)

    def _output(self, lamp: int, t_ns: int, from_level: int, to_level: int, duration_ns: int) -> None:
        self.outputs.append((lamp, t_ns, from_level, to_level))

    def carpet(self, levels: dict[int, int]) -> tuple[int, int]:
        """Set them all in one tick; frames that it took, and ns until the last lamp has begun."""
        self.outputs.clear()
        frames, began_ns = self.bus.frames, self.now_ns
        for lamp, level in levels.items():
            self.lamps[lamp].set_level(level, began_ns)
        self.run(began_ns + 5 * NS_PER_S)
        return self.bus.frames - frames, max(t_ns for _, t_ns, *_ in self.outputs) - began_ns

    def changes(self) -> dict[int, list[tuple[int, int]]]:
        """Output changes by lamp, without their times."""
        return {n: [(a, b) for lamp, _, a, b in self.outputs if lamp == n] for n in range(len(self.lamps))}


@pytest.mark.parametrize("kind", KINDS)
def test_a_carpet_of_any_run_of_six_lamps_starts_within_one_command(kind: str) -> None:
    line, alone = Line(kind=kind, groups=carpet_groups(range(6))), Line(kind=kind, groups={})
    _, one_command_ns = alone.carpet({3: 77})
    assert line.carpet({3: 77}) == (1, one_command_ns)
    assert one_command_ns < 25 * NS_PER_MS
    for first in range(6):
        for last in range(first + 1, 6):
            run = dict.fromkeys(range(first, last + 1), 100 + 10 * first + last)
            assert line.carpet(run) == (1, one_command_ns)
            frames, began_ns = alone.carpet(run)
            assert frames == (1 if len(run) == 6 else len(run))
            assert (began_ns > one_command_ns) == (len(run) < 6)
            assert line.changes() == alone.changes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_level_leaves_in_its_tick_or_after_the_running_query_and_the_commands_ahead(kind: str) -> None:
    """A command takes what its gateway takes to say so: more than the 25 ms of the bus itself."""
    line = Line(kind=kind, groups={})
    heard, began_ns = len(line.wire), line.now_ns
    line.lamps[5].set_level(99, began_ns)
    line.bus.advance(began_ns)
    assert [t_ns for t_ns, _ in line.wire[heard:]] == [began_ns]
    line.run(began_ns + NS_PER_S)
    line.lamps[0].check(line.now_ns)
    line.bus.advance(line.now_ns)
    heard, began_ns = len(line.wire), line.now_ns
    for n in (1, 2, 3):
        line.lamps[n].set_level(100 + n, began_ns)
    line.run(began_ns + NS_PER_S)
    waits_ms = [(t_ns - began_ns) / NS_PER_MS for t_ns, _ in line.wire[heard:]]
    assert waits_ms[0] <= 34
    assert all(later - sooner <= 31 for sooner, later in pairwise(waits_ms))
    assert len(waits_ms) == 3


def test_a_step_of_a_fall_is_one_frame_too() -> None:
    line = Line(groups=carpet_groups(range(6)))
    levels = [254 - 10 * step for step in range(8)]
    assert [line.carpet(dict.fromkeys((1, 2, 3), level))[0] for level in levels] == [1] * 8
    line.carpet({4: 99})
    assert line.bus.book.shared == 8


def test_a_group_of_one_lamp_is_no_carpet() -> None:
    line = Line(3, groups={0: frozenset({1})})
    line.carpet({1: 9, 2: 8})
    assert [data for _, data in line.wire][-2:] == [b"h0209\n", b"h0408\n"]


def test_lamps_of_a_run_that_wait_for_other_levels_are_not_touched() -> None:
    line = Line(groups=carpet_groups(range(6)))
    assert line.carpet({0: 9, 1: 254, 2: 254, 3: 8, 4: 254, 5: 254})[0] == 4
    assert [line.peer.level_at(n, line.now_ns) for n in range(6)] == [9, 254, 254, 8, 254, 254]


@pytest.mark.parametrize(
    ("joined", "told"),
    [
        ({}, {f"lamp-{n}" for n in range(3)}),
        ({0: frozenset({0, 1, 2}), 1: frozenset({1, 2})}, {"lamp-2"}),
    ],
    ids=["gear not commissioned", "somebody else in a group"],
)
def test_groups_that_the_gear_does_not_confirm_are_not_used_and_a_finding_tells(joined: Groups, told: set[str]) -> None:
    line = Line(3, groups={0: frozenset({0, 1}), 1: frozenset({1, 2})}, joined=joined)
    findings = {value.source: value.reason for value in line.values if isinstance(value, DeviceHealth) and not value.ok}
    assert set(findings) == told
    assert all(reason.startswith("settings: groups is ") for reason in findings.values())
    line.carpet({0: 254, 1: 254})
    assert [data for _, data in line.wire][-2:] == [b"h00FE\n", b"h02FE\n"]
    assert line.peer.level_at(2, line.now_ns) == 0


def test_a_gear_that_does_not_answer_leaves_its_line_without_groups_until_it_has() -> None:
    line = Line(3, groups=carpet_groups(range(3)))
    assert line.carpet({0: 9, 1: 9})[0] == 1
    line.peer.set_gear_dead(2, True, line.now_ns)
    line.lamps[2].check(line.now_ns)
    line.run(line.now_ns + NS_PER_S)
    assert line.carpet({0: 10, 1: 10})[0] == 2
    line.peer.set_gear_dead(2, False, line.now_ns)
    line.lamps[2].check(line.now_ns)
    line.run(line.now_ns + 2 * NS_PER_S)
    assert line.carpet({0: 11, 1: 11})[0] == 1


RUNS = st.tuples(st.integers(0, 5), st.integers(1, 6), st.sampled_from([0, 10, 170, 254]), st.integers(0, 25))
ANY_GROUPS = st.dictionaries(st.integers(0, 15), st.frozensets(st.integers(0, 5), min_size=1), max_size=16)


@given(ANY_GROUPS, ANY_GROUPS, st.lists(RUNS, max_size=12), st.booleans())
@example(carpet_groups(range(6)), {}, [(0, 4, 254, 0), (1, 4, 254, 0)], True)
@settings(max_examples=40, deadline=None)
def test_whatever_the_groups_lamps_end_where_they_were_sent_and_show_no_other_level(
    groups: Groups, joined: Groups, script: list[tuple[int, int, int, int]], commissioned: bool
) -> None:
    """Without groups the outputs are the same where there is time between; else latest-wins may drop some of either."""
    lines = [Line(groups=groups, joined=None if commissioned else joined), Line(groups={}, joined={})]
    commanded: dict[int, list[int]] = {n: [] for n in range(6)}
    for first, length, level, _ in script:
        for n in range(first, min(6, first + length)):
            commanded[n].append(level)
    for line in lines:
        line.outputs.clear()
        for first, length, level, ticks in script:
            for n in range(first, min(6, first + length)):
                line.lamps[n].set_level(level, line.now_ns)
            line.run(line.now_ns + ticks * TICK_NS)
        line.run(line.now_ns + 10 * NS_PER_S)
        shown = [line.peer.level_at(n, line.now_ns) for n in range(6)]
        assert shown == [commanded[n][-1] if commanded[n] else 0 for n in range(6)]
        for n, changes in line.changes().items():
            left = iter(commanded[n])
            assert all(to_level in left for _, to_level in changes), "each output was ordered, in this order"
    if all(ticks >= 12 for *_, ticks in script):
        assert lines[0].changes() == lines[1].changes()
    assert lines[0].bus.frames <= lines[1].bus.frames


@pytest.mark.parametrize("lamps", range(65))
def test_groups_for_carpets_are_runs_and_fit_into_sixteen(lamps: int) -> None:
    groups = carpet_groups([3 * n for n in reversed(range(lamps))])
    assert len(groups) <= MOST_GROUPS
    assert list(groups) == list(range(len(groups)))
    for members in groups.values():
        run = sorted(members)
        assert run == list(range(run[0], run[-1] + 3, 3))
        assert 2 <= len(run) < lamps
    assert len(set(groups.values())) == len(groups)
    if lamps <= 6:
        assert len(groups) == max(0, lamps * (lamps - 1) // 2 - 1)


@pytest.mark.parametrize(("lamps", "most", "four"), [(7, 2, 1.0), (10, 3, 1.0), (16, 4, 1.0), (32, 5, 2.5)])
def test_on_longer_lines_a_carpet_of_up_to_eight_lamps_is_a_few_frames(lamps: int, most: int, four: float) -> None:
    line = Line(2, groups={})
    book = type(line.bus.book)(carpet_groups(range(lamps)))
    book.levels = dict.fromkeys(range(lamps))
    for n in range(lamps):
        book.confirm(n, book.wanted_groups(n))
    fours = []
    for length in range(2, 9):
        for first in range(lamps - length + 1):
            book.pending = dict.fromkeys(range(first, first + length), 254)
            frames = 0
            while book.pending:
                book.take()
                frames += 1
            assert frames <= min(most, length)
            fours += [frames] * (length == 4)
    assert sum(fours) <= four * len(fours)
