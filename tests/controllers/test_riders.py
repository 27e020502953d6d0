"""Who is on the path, from what radars show: groups, dogs, rain, what nobody rides; and radars in doubt."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable

import pytest

from controllers.core.contract import Command, LampLevel, Publish
from controllers.lighting.mounting import ENOUGH, REMEMBERED, Mounting
from controllers.lighting.policy import LightingPolicy
from controllers.lighting.riders import FASTEST_MM_S
from controllers.lighting.site import LightingSite
from controllers.service.sites import site_path
from drivers.quantities import Detection, Message, Quantity, RadarReport, SpeedReport
from drivers.settings import load_toml
from drivers.units import NS_PER_MS, NS_PER_S

SITE = load_toml(site_path("kanalpromenade-reference"), LightingSite)
VIEWS = {"radar-1": (0, -1), "radar-2": (64_000, 1), "radar-3": (128_000, 1)}
TICK_MS = 20


class Path:
    """The west's policy on its grid of ticks, its lamps, and what it has said."""

    def __init__(self, values: Iterable[Quantity]) -> None:
        self.policy = LightingPolicy(SITE, SITE.controller("west"), base_level=170, full_level=254)
        self.values = sorted(values, key=lambda value: value.t_ns)
        self.levels = {f"lamp-{n}": 170 for n in range(1, 7)}
        self.said: list[Command] = []
        self.most = 0
        self._at, self._now_ms = 0, 0

    def until(self, to_ms: int) -> Path:
        for now_ms in range(self._now_ms, to_ms, TICK_MS):
            now_ns, first = now_ms * NS_PER_MS, self._at
            while self._at < len(self.values) and self.values[self._at].t_ns <= now_ns:
                self._at += 1
            if self._at > first or self.policy.wake_ns <= now_ns:
                for command in self.policy.step(self.values[first : self._at], now_ns):
                    self.said.append(command)
                    if isinstance(command, LampLevel):
                        self.levels[command.target] = command.level
                self.most = max(self.most, sum(track.confirmed for track in self.policy.tracks))
        self._now_ms = to_ms
        return self

    @property
    def full(self) -> str:
        return "".join(name[-1] for name, level in self.levels.items() if level == 254)

    def counted(self, what: str) -> int:
        value = self.policy.figures()["riders"][what]
        assert isinstance(value, int)
        return value


def seen_at(t_ms: int, riders: Iterable[tuple[int, int]], *, fine: bool = False, turned: str = "") -> list[RadarReport]:
    """What the west's radars say of riders at (x_mm, v_mm_s). `fine`: in mm, else in metres; `turned` looks back."""
    said = []
    for radar, (radar_mm, sign) in VIEWS.items():
        looks = -sign if radar == turned else sign
        found = []
        for x_mm, v_mm_s in riders:
            away_mm = (x_mm - radar_mm) * looks
            if 1_000 <= away_mm <= 40_000 and v_mm_s:
                kmh = (v_mm_s * 36 + (5_000 if v_mm_s > 0 else -5_000)) // 10_000
                place, speed = (away_mm, v_mm_s) if fine else (away_mm // 1_000 * 1_000, kmh * 10_000 // 36)
                found.append(Detection(place, -speed * looks, 0, 90))
        if found:
            said.append(RadarReport(t_ms * NS_PER_MS, radar, tuple(found)))
    return said


def ridden(
    riders: Iterable[tuple[int, int, int]], to_ms: int, *, fine: bool = False, turned: str = "", every_ms: int = 100
) -> list[Quantity]:
    """Everybody as (from_ms, x_mm, v_mm_s), steady."""
    riders = list(riders)
    said: list[Quantity] = []
    for t_ms in range(0, to_ms, every_ms):
        there = [(x + v * (t_ms - from_ms) // 1000, v) for from_ms, x, v in riders if t_ms >= from_ms]
        said += seen_at(t_ms, there, fine=fine, turned=turned)
    return said


# --- who there is


@pytest.mark.parametrize("gap_mm", [3_000, 6_000, 15_000])
def test_a_group_that_rides_close_is_lit_to_its_last_and_ends(gap_mm: int) -> None:
    group = [(1_000, -40_000 - n * gap_mm, 5_000) for n in range(5)]
    path = Path(ridden(group, 60_000))
    for t_ms in range(8_000, 40_000, 500):
        path.until(t_ms)
        last_mm = -40_000 - 4 * gap_mm + 5 * (t_ms - 1_000)
        for n in range(6):
            if -30_000 < 32_000 * n - last_mm < 40_000 and last_mm > -38_000:
                assert str(n + 1) in path.full, (t_ms, last_mm, n)
    assert path.until(140_000).full == ""
    assert path.policy.tracks == []


def test_forty_riders_at_once_are_forty_and_nobody_stays() -> None:
    crowd = [(1_000, x, 5_000 + 300 * (x % 3)) for x in range(-160_000, 160_000, 8_000)]
    path = Path(ridden(crowd, 90_000)).until(90_000)
    assert path.counted("crowded_out") == 0
    assert path.most >= 20
    assert path.until(300_000).full == ""
    assert path.policy.tracks == []


def test_a_walker_and_a_dog_are_lit_as_long_as_one_of_them_is_there() -> None:
    """Two echoes that change places; the dog runs ahead and comes back."""
    said: list[Quantity] = []
    for t_ms in range(1_000, 31_000, 100):
        x_mm = 66_000 + 1_200 * (t_ms - 1_000) // 1000
        ahead_mm = (t_ms * 3 // 2) % 6_000
        away_mm = ahead_mm if ahead_mm < 3_000 else 6_000 - ahead_mm
        v_mm_s = 2_700 if ahead_mm < 3_000 else -300
        said += seen_at(t_ms, [(x_mm, 1_200), (x_mm + away_mm, v_mm_s)])
    path = Path(said)
    for t_ms in range(3_000, 31_000, 1_000):
        x_mm = 66_000 + 12 * (t_ms - 1_000) // 10
        owed = {str(n + 1) for n in range(6) if -32_000 <= 32_000 * n - x_mm <= 70_000}
        assert owed <= set(path.until(t_ms).full), t_ms
    assert path.until(200_000).full == ""


def test_one_rider_seen_by_two_sensors_is_one() -> None:
    """Both views overlap where radars see further than the site says."""
    said: list[Quantity] = []
    for t_ms in range(1_000, 20_000, 100):
        x_mm = 66_000 + 5 * (t_ms - 1_000)
        for shift_ms, radar in ((0, "radar-2"), (37, "radar-3")):
            away_mm = x_mm + 5 * shift_ms - VIEWS[radar][0]
            if 1_000 <= away_mm <= 100_000:
                found = Detection(away_mm // 1_000 * 1_000, -5_000, 0, 90)
                said.append(RadarReport((t_ms + shift_ms) * NS_PER_MS, radar, (found,)))
    path = Path(said).until(20_000)
    assert (path.most, path.counted("seen")) == (1, 1)


# --- what is none


def test_what_nobody_rides_is_lit_counted_and_said_and_what_stands_is_dropped() -> None:
    fast = 120 * 10_000 // 36
    said = [
        RadarReport(t_ms * NS_PER_MS, "radar-2", (Detection(20_000 + t_ms, fast, 0, 90), Detection(35_000, 0, 0, 90)))
        for t_ms in range(1_000, 5_000, 100)
    ]
    words = [
        Message(2_000 * NS_PER_MS, "neighbour", {"kind": "rider", "id": 1, "x_mm": 99, "v_mm_s": fast, "age_ms": 0})
    ]
    path = Path([*said, *words]).until(4_000)
    assert path.full
    assert {track.speed_mm_s for track in path.policy.tracks} == {FASTEST_MM_S}
    path.until(9_000)
    assert (path.counted("implausible"), path.counted("still")) == (41, 40)
    assert fast > FASTEST_MM_S


def test_who_stops_is_known_by_a_speed_of_nothing() -> None:
    there = ridden([(1_000, 66_000, 5_000)], 4_000)
    stops = [RadarReport(t * NS_PER_MS, "radar-2", (Detection(17_000, 0, 0, 90),)) for t in range(4_000, 9_000, 100)]
    path = Path([*there, *stops]).until(9_000)
    assert path.counted("still") == 0
    assert path.full == "2345"


def test_rain_lights_hardly_anything_in_an_hour_and_is_counted() -> None:
    """One false echo a second and radar, anywhere in the view, at any speed; seldom two that fit each other."""
    drops = random.Random(7)
    said: list[Quantity] = []
    for radar in VIEWS:
        t_ms = 0
        while t_ms < 3_600_000:
            t_ms += drops.randrange(100, 2_000, 100)
            kmh = drops.choice([*range(-20, 0), *range(1, 21)])
            found = Detection(drops.randrange(1_000, 40_000, 1_000), kmh * 10_000 // 36, 0, 10)
            said.append(RadarReport(t_ms * NS_PER_MS, radar, (found,)))
    path = Path(said).until(3_600_000)
    assert path.counted("seen") <= 12
    assert path.counted("clutter") > 5_000
    assert path.until(3_700_000).full == ""


# --- other kinds of radars


def test_a_radar_that_tells_millimetres_does_as_well() -> None:
    path = Path(ridden([(1_000, -40_000, 6_000)], 60_000, fine=True)).until(5_000)
    assert path.full == "123"
    assert path.until(20_000).full == "3456"
    assert (path.most, path.counted("seen")) == (1, 1)


@pytest.mark.parametrize("way", [1, -1])
def test_a_radar_that_tells_only_speeds_lights_all_of_its_view_and_what_is_ahead(way: int) -> None:
    said = [SpeedReport(t * NS_PER_MS, "radar-2", -5_000 * way, 30) for t in range(1_000, 8_000, 100)]
    path = Path(said).until(1_100)
    assert path.full == ""
    path.until(2_000)
    assert path.full == ("23456" if way > 0 else "12345")
    assert (path.most, path.counted("seen")) == (1, 1)
    assert "3" in path.until(9_000).full
    assert path.until(120_000).full == ""


def test_who_was_anywhere_in_one_view_is_the_same_in_the_next() -> None:
    speeds = [SpeedReport(t * NS_PER_MS, "radar-2", -5_000, 30) for t in range(1_000, 9_000, 100)]
    places = [one for one in ridden([(1_000, 64_000, 5_000)], 30_000) if one.t_ns > 13_900 * NS_PER_MS]
    path = Path([*speeds, *places]).until(20_000)
    assert (path.most, path.counted("seen")) == (1, 1)
    assert path.policy.tracks[0].spread_mm == 0


def test_a_speed_of_nothing_lights_no_view() -> None:
    path = Path([SpeedReport(t * NS_PER_MS, "radar-2", 0) for t in range(1_000, 3_000, 100)]).until(4_000)
    assert (path.full, path.policy.tracks) == ("", [])


@pytest.mark.parametrize("speed_mm_s", [40_000, -40_000])
def test_a_speed_that_nobody_rides_lights_the_view_as_the_fastest_would(speed_mm_s: int) -> None:
    paths = [
        Path([SpeedReport(t * NS_PER_MS, "radar-2", v_mm_s) for t in range(1_000, 3_000, 100)]).until(4_000)
        for v_mm_s in (speed_mm_s, FASTEST_MM_S if speed_mm_s > 0 else -FASTEST_MM_S)
    ]
    assert paths[0].full == paths[1].full != ""


# --- doubtful radars

_BOTH_WAYS = [
    (1_000 + 90_000 * n, -40_000, 5_000) if n % 2 else (1_000 + 90_000 * n, 200_000, -5_000) for n in range(16)
]


@pytest.mark.parametrize(("radar", "lit"), [("radar-1", "1234"), ("radar-2", "123456"), ("radar-3", "23456")])
def test_a_radar_the_wrong_way_round_is_found_and_its_surroundings_are_lit(radar: str, lit: str) -> None:
    path = Path(ridden(_BOTH_WAYS, 1_500_000, turned=radar)).until(1_600_000)
    riders = path.policy.figures()["riders"]
    assert riders["wrong_way"] == [radar]
    assert riders["says"] == f"{radar} shows riders mirrored: turn it round, or correct `looks` in the site file"
    assert path.full == lit
    doubts = [said.body for said in path.said if isinstance(said, Publish) and said.body["kind"] == "doubt"]
    x_mm = VIEWS[radar][0]
    assert doubts == [{"kind": "doubt", "of": f"view of {radar}", "doubt": [x_mm - 40_000, x_mm + 40_000]}]
    saved = json.loads(json.dumps(path.policy.snapshot()))
    again = Path([])
    again.policy.restore(saved)
    assert again.policy.snapshot() == path.policy.snapshot()
    assert again.policy.figures() == path.policy.figures()


def test_radars_that_look_where_they_should_are_not_doubted() -> None:
    meeting = [(1_000 + 40_000 * n, *((-40_000, 5_000) if n % 2 else (200_000, -5_000))) for n in range(20)]
    riders = Path(ridden(meeting, 900_000)).until(1_000_000).policy.figures()["riders"]
    assert (riders["wrong_way"], riders["says"]) == ([], "")


def test_a_mounting_is_judged_by_riders_each_once_and_may_be_put_right() -> None:
    mounting = Mounting()
    assert not any(mounting.met(1, straight=False) for _ in range(20))
    for rider in range(2, ENOUGH + 1):
        assert mounting.met(rider, straight=False) is (rider == ENOUGH)
    assert mounting.snapshot()[3] == 1
    news = [mounting.met(rider, straight=True) for rider in range(100, 100 + 3 * REMEMBERED)]
    assert news.count(True) == 1
    assert mounting.snapshot()[3] == 0
    other = Mounting()
    other.restore(json.loads(json.dumps(mounting.snapshot())))
    assert other.snapshot() == mounting.snapshot()


def test_a_radar_that_repeats_itself_is_doubted_until_it_says_something_else() -> None:
    stuck = [
        RadarReport(t * NS_PER_MS, "radar-2", (Detection(9_000, -5_000, 0, 90),)) for t in range(2_000, 60_000, 100)
    ]
    path = Path([*stuck, RadarReport(60 * NS_PER_S, "radar-2", ())]).until(50_000)
    riders = path.policy.figures()["riders"]
    assert riders["frozen"] == ["radar-2"]
    assert riders["says"] == "radar-2 shows the same place for ever: switch it off and on"
    assert riders["repeats"] > 400
    assert path.full == "123456"
    path.until(140_000)
    assert (path.policy.figures()["riders"]["frozen"], path.full) == ([], "")
    doubts = [said.body["doubt"] for said in path.said if isinstance(said, Publish) and said.body["kind"] == "doubt"]
    assert doubts == [[64_000, 104_000], None]
