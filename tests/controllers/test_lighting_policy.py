"""Light that goes with the rider, on hand-made reports: the policy of the reference site, tick by tick."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest

from controllers.core.contract import Command, LampLevel, Publish
from controllers.lighting.policy import ALIVE_NS, TAKE_OVER_HOLD_NS, LightingPolicy
from controllers.lighting.riders import MAX_TRACKS
from controllers.lighting.site import LightingSite
from controllers.lighting.track import NEWS_MM, OVERDUE_MM, TAIL_PERMILLE
from controllers.service.sites import site_path
from drivers.quantities import Detection, DeviceHealth, LampStatus, Message, Quantity, RadarReport
from drivers.settings import load_toml
from drivers.units import NS_PER_MS, NS_PER_S

SITE = load_toml(site_path("kanalpromenade-reference"), LightingSite)
BASE, FULL = 170, 254
TICK_MS = 20
VIEWS = {  # of the west controller: where it stands, where it looks
    "radar-1": (0, -1),
    "radar-2": (64_000, 1),
    "radar-3": (128_000, 1),
}


def report(t_ms: int, radar: str, *riders: tuple[int, int]) -> RadarReport:
    """What the west's `radar` says of riders at (x_mm, v_mm_s)."""
    x_mm, sign = VIEWS[radar]
    found = (Detection((x - x_mm) * sign, -v * sign, 0, 100) for x, v in riders)
    return RadarReport(t_ms * NS_PER_MS, radar, tuple(found))


def ride(x_mm: int, v_mm_s: int, from_ms: int, to_ms: int, *, blind: Iterable[str] = ()) -> list[RadarReport]:
    """Somebody at `x_mm` at `from_ms`, as every radar of the west sees it on its way until `to_ms`."""
    said = []
    for t_ms in range(from_ms, to_ms, 100):
        at_mm = x_mm + v_mm_s * (t_ms - from_ms) // 1000
        for radar, (radar_mm, sign) in VIEWS.items():
            if radar not in blind and 1_000 <= (at_mm - radar_mm) * sign <= 40_000:
                said.append(report(t_ms, radar, (at_mm, v_mm_s)))
    return said


def rider_message(t_ms: int, number: int, x_mm: int, v_mm_s: int, age_ms: int = 0) -> Message:
    body = {"kind": "rider", "id": number, "x_mm": x_mm, "v_mm_s": v_mm_s, "age_ms": age_ms}
    return Message(t_ms * NS_PER_MS, "neighbour", body)


class Path:
    """The west's policy on its grid of ticks, and what it has said."""

    def __init__(self, *values: Quantity) -> None:
        self.policy = LightingPolicy(SITE, SITE.controller("west"), base_level=BASE, full_level=FULL)
        self.values = sorted(values, key=lambda value: value.t_ns)
        self.said: list[tuple[int, Command]] = []
        self.levels = {f"lamp-{n}": BASE for n in range(1, 7)}
        self.now_ms = 0

    def until(self, to_ms: int) -> Path:
        for now_ms in range(self.now_ms, to_ms, TICK_MS):
            now_ns = now_ms * NS_PER_MS
            due = [value for value in self.values if value.t_ns <= now_ns]
            del self.values[: len(due)]
            if due or self.policy.wake_ns <= now_ns:
                for command in self.policy.step(due, now_ns):
                    self.said.append((now_ms, command))
                    if isinstance(command, LampLevel):
                        self.levels[command.target] = command.level
                assert self.policy.wake_ns > now_ns
        self.now_ms = to_ms
        return self

    @property
    def full(self) -> str:
        """The lamps at full level, by number: ``"123"``."""
        return "".join(name[-1] for name, level in self.levels.items() if level == FULL)

    def first_full_ms(self, lamp: str) -> int:
        return next(t for t, said in self.said if said == LampLevel(lamp, FULL))

    def messages(self, kind: str) -> list[tuple[int, dict[str, Any]]]:
        return [(t, said.body) for t, said in self.said if isinstance(said, Publish) and said.body["kind"] == kind]

    def tracks(self) -> list[tuple[int, int]]:
        """(lane, speed) of all that is known, in the order it became so."""
        return [(track.lane, track.speed_mm_s) for track in self.policy.tracks]


def test_two_reports_make_somebody_and_the_lamps_in_reach_are_full_at_once() -> None:
    path = Path(*ride(-39_000, 5_000, 1_000, 1_200))
    assert path.until(1_100).full == ""
    assert path.until(1_120).full == "12"  # 73 m and the way of a rise
    assert {t for t, said in path.said if isinstance(said, LampLevel)} == {1_100}


def test_one_report_alone_lights_nothing_and_is_forgotten() -> None:
    path = Path(report(1_000, "radar-2", (80_000, 5_000)))
    assert path.until(1_240).tracks() == [(0, 5_000)]
    assert path.until(1_280).tracks() == []
    assert (path.full, path.messages("rider")) == ("", [])


@pytest.mark.parametrize("v_mm_s", [1_200, 2_500, 5_000, 6_667, 9_000])
def test_lamps_are_claimed_before_they_are_owed(v_mm_s: int) -> None:
    """Owed from 70 m or 12 s of riding ahead; claimed a rise (1 s) earlier."""
    path = Path(*ride(-40_000, v_mm_s, 1_000, 200_000_000 // v_mm_s)).until(200_000_000 // v_mm_s)
    for n in range(6):
        x_mm = 32_000 * n
        owed_ms = 1_000 + (x_mm + 40_000 - max(70_000, v_mm_s * 12)) * 1000 // v_mm_s
        seen_ms = 1_300  # two reports and a tick
        assert path.first_full_ms(f"lamp-{n + 1}") <= max(owed_ms - 1_000, seen_ms), n + 1


def test_two_who_meet_keep_their_own_tracks() -> None:
    up, down = ride(70_000, 5_000, 1_000, 6_000), ride(98_000, -4_500, 1_000, 6_000)
    both = [
        RadarReport(one.t_ns, one.source, one.detections + other.detections)
        for one, other in zip(up, down, strict=False)
    ]
    path = Path(*both).until(4_500)
    assert path.tracks() == [(0, 5_000), (1, 4_500)]
    assert [track.id for track in path.policy.tracks] == [1, 2]
    assert path.policy.tracks[0].u0_mm > -path.policy.tracks[1].u0_mm  # they have met


def test_who_overtakes_takes_nobody_along() -> None:
    slow, fast = ride(75_000, 3_000, 1_000, 6_000), ride(68_000, 7_000, 1_000, 6_000)
    both = [
        RadarReport(one.t_ns, one.source, one.detections + other.detections)
        for one, other in zip(slow, fast, strict=False)
    ]
    path = Path(*both).until(5_000)
    assert path.tracks() == [(0, 3_000), (0, 7_000)]
    assert path.policy.tracks[1].u0_mm > path.policy.tracks[0].u0_mm


def test_who_stops_in_view_keeps_light_around() -> None:
    """A standing rider gives no echo: nothing more is heard, and the lamps within 70 m stay full."""
    path = Path(*ride(70_000, 5_000, 1_000, 3_000)).until(50_000)
    assert path.full == "23456"  # 73 m back; forwards somebody may have ridden on unseen
    assert path.until(90_000).full == ""


def test_who_stops_between_views_keeps_light_both_ways_once_overdue() -> None:
    path = Path(*ride(80_000, 5_000, 1_000, 7_000)).until(8_000)  # leaves the view at 104 m, is due at 128 m
    assert "2" not in path.full
    overdue_ms = 5_800 + (128_000 + OVERDUE_MM - 104_000) * 1000 // (5 * TAIL_PERMILLE)
    assert path.until(overdue_ms - 100).full == "456"  # slow, it could still come
    assert path.until(overdue_ms + 100).full.endswith("3456")  # 72 m back, not 34 m
    assert path.until(60_000).full.endswith("3456")


def test_who_is_seen_from_further_than_the_site_says_is_not_overdue() -> None:
    far = (report(t_ms, "radar-2", (70_000 + 5 * t_ms, 5_000)) for t_ms in range(0, 14_000, 100))
    path = Path(*far).until(13_920)  # at 139 m, where radar-3 should see it too
    assert path.policy.tracks[0].mask == 0b110000


def test_who_turns_has_light_the_other_way() -> None:
    there, back = ride(140_000, 5_000, 1_000, 4_000), ride(153_000, -4_000, 6_000, 12_000)
    path = Path(*there, *back).until(9_500)
    assert path.tracks() == [(1, 4_000)]
    assert path.policy.tracks[0].id == 1
    assert path.full == "3456"


def test_riders_towards_the_neighbour_are_announced_with_the_age_of_the_measurement() -> None:
    path = Path(*(report(t_ms - 13, "radar-2", (80_000 + t_ms * 5, 5_000)) for t_ms in (1_000, 1_100))).until(1_200)
    assert path.messages("rider") == [
        (1_100, {"kind": "rider", "id": 1, "x_mm": 85_500, "v_mm_s": 5_000, "age_ms": 13}),
    ]


def test_riders_far_from_the_neighbour_and_away_from_it_are_not_announced() -> None:
    path = Path(*ride(-2_000, -5_000, 1_000, 6_000)).until(6_000)
    assert path.tracks() == [(1, 5_000)]
    assert path.messages("rider") == []


def test_a_steady_rider_is_announced_every_two_seconds() -> None:
    path = Path(*ride(64_000, 5_000, 1_000, 9_000)).until(9_000)
    assert [t for t, _ in path.messages("rider")] == [1_300, 3_300, 5_300, 7_300]


def test_who_is_faster_or_elsewhere_than_foretold_is_announced_at_once_and_who_is_slower_is_not() -> None:
    for v_mm_s, x_mm, at_once in (
        (5_278, 0, True),
        (4_722, 0, False),
        (5_000, NEWS_MM + 100, True),
        (5_000, NEWS_MM - 100, False),
    ):
        steady = ride(66_000, 5_000, 1_000, 2_000)
        path = Path(*steady, report(2_000, "radar-2", (71_000 + x_mm, v_mm_s))).until(2_100)
        assert [t for t, _ in path.messages("rider")] == [1_100, *([2_000] if at_once else [])]


def test_a_rider_known_only_from_the_neighbour_is_lit_and_kept_apart_by_its_number() -> None:
    path = Path(rider_message(1_000, 7, 230_000, -6_000), rider_message(1_500, 8, 232_000, -6_000)).until(1_100)
    assert (path.full, path.tracks()) == ("6", [(1, 6_000)])
    path.until(1_600)
    assert [track.remote for track in path.policy.tracks] == ["neighbour/7", "neighbour/8"]
    path.until(9_000)
    assert {"4", "5", "6"} <= set(path.full)


def test_the_age_of_a_message_counts_from_its_arrival() -> None:
    late, early = Path(rider_message(3_000, 7, 230_000, -6_000, 2_000)), Path(rider_message(1_000, 7, 230_000, -6_000))
    found = [path.until(3_020).policy.tracks[0].snapshot() for path in (late, early)]
    for track in found:
        del track["passed_u_mm"]  # where it has been seen to pass, not where it is
    assert found[0] == found[1]


def test_an_announced_rider_who_comes_into_view_is_the_same_one() -> None:
    path = Path(rider_message(1_000, 7, 196_000, -6_000), *ride(167_900, -6_000, 5_700, 8_000)).until(8_000)
    assert [(track.id, track.remote) for track in path.policy.tracks] == [(1, "neighbour/7")]
    path.values = [rider_message(8_000, 7, 100_000, -6_000, 2_000)]
    assert path.until(8_100).policy.tracks[0].t0_ns == 7_900 * NS_PER_MS  # what the own radar said is newer


def test_a_silent_radar_and_a_lost_bus_are_told_to_the_neighbour_until_they_are_well() -> None:
    def health(t_ms: int, source: str, ok: bool) -> DeviceHealth:
        return DeviceHealth(t_ms * NS_PER_MS, source, ok)

    path = Path(
        health(1_000, "radar-3", False),
        health(2_000, "dali", False),
        health(3_000, "neighbour", False),
        health(4_000, "lamp-2", False),
        health(11_000, "radar-3", True),
    ).until(20_100)
    assert path.messages("doubt") == [
        (1_000, {"kind": "doubt", "of": "radar-3", "doubt": [128_000, 168_000]}),
        (2_000, {"kind": "doubt", "of": "dali", "doubt": [0, 160_000]}),
        (11_000, {"kind": "doubt", "of": "radar-3", "doubt": None}),
    ]
    assert path.messages("alive") == [
        (0, {"kind": "alive", "doubts": {}}),
        (10_000, {"kind": "alive", "doubts": {"radar-3": [128_000, 168_000], "dali": [0, 160_000]}}),
        (20_000, {"kind": "alive", "doubts": {"dali": [0, 160_000]}}),
    ]
    assert ALIVE_NS == 10 * NS_PER_S


def told(path: Path, lamp: str) -> list[tuple[int, int]]:
    """(when, level) of all that a lamp was told."""
    return [(t, said.level) for t, said in path.said if isinstance(said, LampLevel) and said.target == lamp]


def test_after_the_last_rider_a_lamp_sinks_in_three_steps_of_a_second() -> None:
    path = Path(*ride(-1_000, -5_000, 1_000, 9_000)).until(120_000)
    levels = told(path, "lamp-1")
    assert [level for _, level in levels] == [FULL, 226, 198, BASE]
    steps = [after - before for (before, _), (after, _) in pairwise(levels[1:])]
    assert all(1_000 <= step <= 1_020 for step in steps)  # on ticks
    assert path.policy.tracks == []


def test_a_lamp_that_the_next_rider_needs_in_a_moment_does_not_sink() -> None:
    """The second rides 17 s after the first: when the first is past a lamp, the second is nearly in its reach."""
    rides = sorted(ride(-40_000, 5_000, 1_000, 60_000) + ride(-40_000, 5_000, 18_000, 60_000), key=lambda one: one.t_ns)
    path = Path(*rides).until(60_000)
    levels = [level for t, level in told(path, "lamp-5") if t < 50_000]
    assert set(levels) == {FULL}


def test_a_lamp_once_raised_is_full_for_three_seconds_whatever_becomes_of_the_rider() -> None:
    """A speed that is taken back at once."""
    fast = report(1_300, "radar-2", (71_300, 12_000))
    path = Path(*ride(70_000, 5_000, 1_000, 1_300), fast, *ride(72_000, 5_000, 1_400, 9_000)).until(9_000)
    for lamp in range(1, 7):
        times = told(path, f"lamp-{lamp}")
        for (up, level), (down, below) in pairwise(times):
            if level == FULL and below < FULL:
                assert down - up >= 3_000


def test_a_lamp_found_bright_at_a_start_is_held_and_sinks_without_a_flash() -> None:
    path = Path(LampStatus(0, "lamp-3", 230), LampStatus(0, "lamp-4", 0), LampStatus(0, "lamp-5", None)).until(40_000)
    told = [(t, said.target, said.level) for t, said in path.said if isinstance(said, LampLevel)]
    assert told[:2] == [(0, "lamp-3", 230), (0, "lamp-4", BASE)]
    assert all(target == "lamp-3" for _, target, _ in told[2:])
    levels = [level for _, target, level in told if target == "lamp-3"]
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] == BASE
    assert told[2][0] == TAKE_OVER_HOLD_NS // NS_PER_MS


def test_a_claimed_lamp_stays_full_whatever_its_gear_says() -> None:
    path = Path(*ride(66_000, 5_000, 1_000, 3_000), LampStatus(2_000 * NS_PER_MS, "lamp-3", 190)).until(3_000)
    assert path.levels["lamp-3"] == FULL


def test_clutter_without_end_is_bounded_and_does_not_cost_a_known_rider_its_track() -> None:
    clutter = report(2_000, "radar-3", *((128_000 + 300 * n, 30 * n) for n in range(1, 120)))
    path = Path(*ride(66_000, 5_000, 1_000, 2_000), clutter).until(2_020)
    assert len(path.policy.tracks) == MAX_TRACKS
    assert path.policy.tracks[0].id == 1
    assert path.policy.tracks[-1].id == 120
