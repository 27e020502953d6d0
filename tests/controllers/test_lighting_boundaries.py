"""The policy of a lit path where nothing is said, at the ends of its times and places, and all that it keeps."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from controllers.core.contract import Command, LampLevel, Publish
from controllers.lighting.policy import (
    AGAIN_NS,
    ALIVE_NS,
    LOOK_AGAIN_NS,
    NEAR_MM,
    SAID_NS,
    TAKE_OVER_HOLD_NS,
    LightingPolicy,
)
from controllers.lighting.ramp import MIN_ON_NS
from controllers.lighting.site import LightingSite
from controllers.lighting.stretch import FAR_MM
from controllers.lighting.track import CONFIRM_NS, MEANS
from controllers.service.sites import site_path
from drivers.quantities import Detection, DeviceHealth, LampStatus, Message, Quantity, RadarReport, SpeedReport
from drivers.settings import load_toml
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

SITE = load_toml(site_path("kanalpromenade-reference"), LightingSite)
BASE, FULL = 170, 254
LAMPS = [f"lamp-{n}" for n in range(1, 7)]  # of the west: 0 to 160 m, the east's from 192 m to 352 m


def policy(**more: Any) -> LightingPolicy:
    return LightingPolicy(SITE, SITE.controller("west"), base_level=BASE, full_level=FULL, **more)


def awake(**more: Any) -> LightingPolicy:
    """Its first word of life said at 0."""
    made = policy(**more)
    made.step((), 0)
    return made


def word(t_ns: int, x_mm: int, v_mm_s: int, number: int = 1, age_ms: int = 0) -> Message:
    body = {"kind": "rider", "id": number, "x_mm": x_mm, "v_mm_s": v_mm_s, "age_ms": age_ms}
    return Message(t_ns, "neighbour", body)


def seen(t_ns: int, x_mm: int, v_mm_s: int, radar: str = "radar-2") -> RadarReport:
    """Radar-2 stands at 64 m, radar-3 at 128 m; both look up."""
    at_mm = {"radar-2": 64_000, "radar-3": 128_000}[radar]
    return RadarReport(t_ns, radar, (Detection(x_mm - at_mm, -v_mm_s, 0, 90),))


def said(commands: Any, kind: str) -> list[dict[str, Any]]:
    return [dict(one.body) for one in commands if isinstance(one, Publish) and one.body["kind"] == kind]


def levels(commands: Any) -> dict[str, int]:
    return {one.target: one.level for one in commands if isinstance(one, LampLevel)}


def until(made: LightingPolicy, to_ns: int) -> list[tuple[int, Command]]:
    """All that it says by itself until then."""
    found: list[tuple[int, Command]] = []
    while made.wake_ns <= to_ns:
        now_ns = made.wake_ns
        found += [(now_ns, command) for command in made.step((), now_ns)]
        assert made.wake_ns > now_ns
    return found


# --- at first


def test_a_new_policy_knows_nobody_and_wants_to_speak_at_once() -> None:
    state = policy().snapshot()
    riders, ramps = state.pop("riders"), state.pop("ramps")
    assert state == {
        "wake_ns": 0,
        "claimed": 0,
        "counts": [0, 0, 0],
        "alive_ns": 0,
        "doubts": {},
        "tracks_wake_ns": FOREVER_NS,
        "ramps_wake_ns": FOREVER_NS,
    }
    assert riders["tracks"] == []
    assert ramps == [[BASE, False, FOREVER_NS, BASE, -FOREVER_NS, 0, -FOREVER_NS]] * 6


def test_the_word_of_life_comes_every_ten_seconds_from_when_it_was_said() -> None:
    made = policy()
    assert made.step((), 7) == [Publish("neighbour", {"kind": "alive", "doubts": {}})]
    assert made.wake_ns == 7 + ALIVE_NS
    assert list(made.step((), 6 + ALIVE_NS)) == []
    assert len(said(made.step((), 9 + ALIVE_NS), "alive")) == 1
    assert made.wake_ns == 9 + 2 * ALIVE_NS


def test_before_its_waking_and_without_news_it_does_nothing_at_all() -> None:
    made = awake()
    before = made.snapshot()
    assert made.step((), ALIVE_NS - 1) == ()
    assert made.snapshot() == before


def test_news_that_are_no_riders_claim_nothing() -> None:
    made = awake()
    for value in (RadarReport(1, "radar-2", ()), Message(1, "neighbour", {"kind": "alive", "doubts": {}})):
        assert list(made.step((value,), 1)) == []
        assert made.wake_ns == ALIVE_NS


# --- announcing


@pytest.mark.parametrize(
    ("x_mm", "v_mm_s", "announced"),
    [
        (192_000 - NEAR_MM, -5_000, True),  # near, and riding away
        (191_999 - NEAR_MM, -5_000, False),
        (191_999 - NEAR_MM, 1, True),
        (191_999 - NEAR_MM, 0, False),
        (192_000, -5_000, True),
        (352_000 + NEAR_MM, 5_000, True),
        (352_001 + NEAR_MM, 5_000, False),
        (352_001 + NEAR_MM, -1, True),
        (352_001 + NEAR_MM, 0, False),
    ],
)
def test_a_neighbour_hears_of_who_is_near_or_rides_towards_it(x_mm: int, v_mm_s: int, announced: bool) -> None:
    made = awake()
    track = made.riders._new()
    lane, u_mm = (0, x_mm) if v_mm_s >= 0 else (1, -x_mm)
    track.measured(lane, u_mm, abs(v_mm_s), 3 * NS_PER_MS, FAR_MM)
    commands: list[Command] = []
    for _ in "ab":
        made._announce(track, 3_999_999 + 7 * NS_PER_MS, commands)
    body = {"kind": "rider", "id": 1, "x_mm": x_mm, "v_mm_s": v_mm_s, "age_ms": 7}
    assert commands == ([Publish("neighbour", body)] * 2 if announced else [])
    assert not any("." in str(command) for command in commands), "whole numbers"
    assert made.figures()["riders"]["announced"] == 2 * announced
    assert not track.is_news(NS_PER_S), "told or not, it has been looked at"


@pytest.mark.parametrize(
    ("known_ns", "way_mm", "course"),
    [
        (MEANS[-1][0] - 1, 40_000, {}),
        (MEANS[-1][0], 40_001, {"known_ms": MEANS[-1][0] // NS_PER_MS, "mean_mm_s": 40_001 * NS_PER_S // MEANS[-1][0]}),
        (MEANS[0][0] + 999_999, -1, {"known_ms": MEANS[0][0] // NS_PER_MS, "mean_mm_s": 0}),
    ],
)
def test_how_long_somebody_is_known_is_announced_once_the_mean_speed_says_something(
    known_ns: int, way_mm: int, course: dict[str, int]
) -> None:
    made = awake()
    track = made.riders._new()
    track.measured(0, 100_000, 5_000, NS_PER_S, FAR_MM)
    track.measured(0, 100_000 + way_mm, 5_000, NS_PER_S + known_ns, FAR_MM)
    commands: list[Command] = []
    made._announce(track, NS_PER_S + known_ns, commands)
    body = {"kind": "rider", "id": 1, "x_mm": 100_000 + way_mm, "v_mm_s": 5_000, "age_ms": 0}
    assert commands == [Publish("neighbour", body | course)]
    assert not any("." in str(command) for command in commands), "whole numbers"


# --- where everybody is


def test_places_of_everybody_tracked_are_told_for_now_in_both_directions() -> None:
    made = awake()
    t_ns = 3 * NS_PER_S
    made.step((word(t_ns, 50_001, 5_003, 1), word(t_ns, 90_001, -4_001, 2), seen(t_ns, 70_000, 5_000)), t_ns)
    found = made.riders_mm(t_ns + 1_333_333_333)
    assert found == [
        (1, 50_001 + 5_003 * 1_333_333_333 // NS_PER_S, t_ns),
        (2, -(-90_001 + 4_001 * 1_333_333_333 // NS_PER_S), t_ns),
    ]
    assert all(type(part) is int for one in found for part in one)


# --- lamps


def test_one_report_is_waited_on_for_its_time_and_then_forgotten() -> None:
    made = awake()
    made.step((seen(100, 70_000, 5_000),), 200)
    assert made.wake_ns == 100 + CONFIRM_NS
    assert len(made.tracks) == 1
    assert list(made.step((), 100 + CONFIRM_NS)) == []
    assert (made.tracks, made.wake_ns) == ([], ALIVE_NS)
    made.step((seen(NS_PER_S, 70_000, 5_000),), NS_PER_S + CONFIRM_NS)
    assert made.tracks == [], "reported too late"


def test_a_lamp_raised_within_five_seconds_of_sinking_is_counted() -> None:
    for gap_ns, again in ((AGAIN_NS, 1), (AGAIN_NS + 1, 0)):
        made = awake()
        for ramp in made._ramps:
            ramp._start_ns, ramp.level = NS_PER_S, BASE
        made._ramps[1].level = FULL  # this one burns
        made.step((word(NS_PER_S + gap_ns, 0, 1_000),), NS_PER_S + gap_ns)
        raised = sum(ramp.claimed for ramp in made._ramps)
        assert raised > 1
        wear = made.figures()["lamp_wear"]
        assert wear == {"raised": raised - 1, "raised_again_within_5s": again * (raised - 1)}


def test_a_gear_found_bright_is_told_its_level_held_and_sunk() -> None:
    made = awake()
    assert made.step((LampStatus(5, "lamp-2", 200),), 5) == [LampLevel("lamp-2", 200)]
    assert made.wake_ns == min(ALIVE_NS, 5 + TAKE_OVER_HOLD_NS)
    steps = [one for one in until(made, 60 * NS_PER_S) if isinstance(one[1], LampLevel)]
    assert steps[0][0] == 5 + TAKE_OVER_HOLD_NS
    assert steps[-1][1] == LampLevel("lamp-2", BASE)
    for value in (LampStatus(6, "lamp-2", None), LampStatus(6, "lamp-9", 254)):
        assert list(made.step((value,), 61 * NS_PER_S)) == []


def test_a_later_find_does_not_put_off_an_earlier_waking() -> None:
    made = awake()
    made.step((LampStatus(5, "lamp-2", 200),), 5)
    made.step((LampStatus(9, "lamp-3", 200),), 9)
    assert made.snapshot()["ramps_wake_ns"] == 5 + TAKE_OVER_HOLD_NS


@pytest.mark.parametrize(("v_mm_s", "again"), [(5_000, True), (-5_000, False)])
def test_a_lamp_is_held_only_for_who_comes(v_mm_s: int, again: bool) -> None:
    made = awake()
    track = made.riders._new()
    track.confirmed = True
    lane, u_mm = (0, 0) if v_mm_s > 0 else (1, 0)
    track.measured(lane, u_mm, 5_000, 0, FAR_MM)
    track.claim(made.stretch.lanes[lane], made._reach, 0)
    bit = LAMPS.index("lamp-6")
    reaches_ns = track.reaches_ns(160_000)
    at_ns = (reaches_ns - made._hold_ns - 1, reaches_ns - made._hold_ns, reaches_ns - 1, reaches_ns)
    assert [made._needed_again(bit, now_ns) for now_ns in at_ns] == [False, again, again, False]
    track.confirmed = False
    assert not made._needed_again(bit, at_ns[1])
    track.confirmed, track.gain_mm_s = True, 0
    assert not made._needed_again(bit, at_ns[1]), "its claim has never been made"


@pytest.mark.parametrize("comes", [True, False])
def test_a_lamp_let_go_sinks_at_once_and_stays_where_somebody_comes_within_the_hold(comes: bool) -> None:
    made = awake()
    track = made.riders._new()
    track.confirmed = True
    track.measured(0, 0, 5_000, 0, FAR_MM)
    track.claim(made.stretch.lanes[0], made._reach, 0)
    now_ns = track.reaches_ns(160_000) - NS_PER_S
    track.mask, track.wake_ns, track.confirmed = 0, now_ns + 1, comes
    made._ramps[5].claim(0)
    made._claimed = 1 << 5
    said: list[Command] = []
    made._claim(now_ns, said)
    assert (now_ns > MIN_ON_NS, made._ramps_wake_ns, said) == (True, now_ns, [])
    made._sink(now_ns - 1, said)
    assert (made._ramps_wake_ns, said) == (now_ns, [])
    made._sink(now_ns, said)
    assert levels(said).keys() == (set() if comes else {"lamp-6"})
    assert made._ramps_wake_ns == made._ramps[5].wake_ns
    if comes:
        assert made._ramps_wake_ns == now_ns + LOOK_AGAIN_NS
        track.confirmed = False
        made._sink(now_ns + LOOK_AGAIN_NS, said)
        assert levels(said).keys() == {"lamp-6"}
        track.confirmed = True
        made._sink(made._ramps_wake_ns, said)
        assert len(said) == 2, "once it sinks it sinks"


def test_times_of_the_site_are_the_ramps() -> None:
    light = msgspec.structs.replace(SITE.light, rise_s=2.0, fall_s=8.5, hold_s=3.5)
    site = msgspec.structs.replace(SITE, light=light)
    made = LightingPolicy(site, site.controller("west"), base_level=BASE, full_level=FULL)
    assert made._hold_ns == 3_500 * NS_PER_MS
    assert [(ramp.steps, ramp.fall_ns, ramp.base, ramp.full) for ramp in made._ramps] == [
        (4, 8_500 * NS_PER_MS, BASE, FULL)
    ] * 6


# --- doubts


def doubt(source: str, *, lines: Any = None) -> list[dict[str, Any]]:
    commands = awake(lines=lines).step((DeviceHealth(1, source, False, "lost"),), 1)
    assert all(isinstance(one, Publish) and one.target == "neighbour" for one in commands)
    return said(commands, "doubt")


def test_what_is_blind_or_dark_is_told_with_its_stretch() -> None:
    assert doubt("radar-2") == [{"kind": "doubt", "of": "radar-2", "doubt": [64_000, 104_000]}]
    assert doubt("radar-1") == [{"kind": "doubt", "of": "radar-1", "doubt": [-40_000, 0]}]
    assert doubt("dali") == [{"kind": "doubt", "of": "dali", "doubt": [0, 160_000]}]
    assert doubt("dali", lines=("dali",)) == doubt("dali")
    assert doubt("meter", lines=("dali",)) == []
    assert doubt("radar-2", lines=("dali",)) == doubt("radar-2")
    assert doubt("neighbour") == doubt("lamp-1") == []


def test_a_doubt_is_kept_for_the_word_of_life_until_it_is_over() -> None:
    made = awake()
    made.step((DeviceHealth(1, "radar-2", False, "silent"), DeviceHealth(1, "dali", False, "lost")), 1)
    assert said(made.step((), ALIVE_NS), "alive") == [
        {"kind": "alive", "doubts": {"radar-2": [64_000, 104_000], "dali": [0, 160_000]}}
    ]
    over = made.step((DeviceHealth(2, "radar-2", True),), ALIVE_NS + 1)
    assert said(over, "doubt") == [{"kind": "doubt", "of": "radar-2", "doubt": None}]
    assert made.snapshot()["doubts"] == {"dali": [0, 160_000]}


def test_a_radar_that_repeats_itself_lights_what_it_should_see_and_says_so_until_it_is_over() -> None:
    made = awake()
    same = [seen(t_ms * NS_PER_MS, 74_000, 5_000) for t_ms in (0, 100, 900)]
    for value in same:
        commands = made.step((value,), value.t_ns)
    assert said(commands, "doubt") == [{"kind": "doubt", "of": "view of radar-2", "doubt": [64_000, 104_000]}]
    assert made.snapshot()["claimed"] == 0b111111
    assert made.figures()["riders"]["says"] == "radar-2 shows the same place for ever: switch it off and on"
    assert made.figures()["riders"]["frozen"] == ["radar-2"]
    again = awake()
    again.restore(json.loads(json.dumps(made.snapshot())))
    assert again._blind == made._blind == 0b111111
    commands = made.step((RadarReport(NS_PER_S, "radar-2", ()),), NS_PER_S)
    assert said(commands, "doubt") == [{"kind": "doubt", "of": "view of radar-2", "doubt": None}]
    assert (made._blind, made.snapshot()["doubts"]) == (0, {})
    assert made._claimed == made.tracks[0].mask != 0b111111, "claimed anew at once"


@pytest.mark.parametrize("reach_mm", [31_999, 32_000, 56_000, 55_999, 64_000, 63_999])
def test_what_is_blind_is_lit_as_far_as_light_reaches_ahead(reach_mm: int) -> None:
    made = awake()
    made.riders.frozen.append("radar-2")  # 64 m to 104 m
    made._reach.ahead_mm = reach_mm
    made._find_blind()
    expected = 0
    for bit, x_mm in enumerate((0, 32_000, 64_000, 96_000, 128_000, 160_000)):
        expected |= (64_000 - reach_mm <= x_mm <= 104_000 + reach_mm) << bit
    assert made._blind == expected


def test_a_radar_mounted_the_wrong_way_round_is_named() -> None:
    made = awake()
    made.riders.mountings["radar-3"].wrong = True
    riders = made.figures()["riders"]
    assert riders["wrong_way"] == ["radar-3"]
    assert riders["says"] == "radar-3 shows riders mirrored: turn it round, or correct `looks` in the site file"
    made.riders.frozen.append("radar-1")
    assert made.figures()["riders"]["says"].partition("site file; ")[2].startswith("radar-1 shows the same place")
    assert policy().figures()["riders"]["says"] == ""


def test_whoever_came_too_fast_for_a_rider_is_named_for_a_minute() -> None:
    made, at_ns = awake(), 3 * NS_PER_S
    made.step((seen(at_ns, 74_000, 33_334),), at_ns)
    says = "radar-2 shows 120 km/h: who drives there?"
    for now_ns, said_so in ((None, says), (at_ns + SAID_NS - 1, says), (at_ns + SAID_NS, "")):
        assert made.figures(now_ns)["riders"]["says"] == said_so
    made.riders.frozen.append("radar-1")
    assert made.figures()["riders"]["says"] == f"radar-1 shows the same place for ever: switch it off and on; {says}"


# --- kept


def test_all_of_it_comes_back_through_json() -> None:
    made = awake()
    news: list[Quantity] = [
        word(NS_PER_S, 20_000, 5_000), word(NS_PER_S, 170_000, -5_000, 2), SpeedReport(NS_PER_S, "radar-3", -4_000),
        DeviceHealth(NS_PER_S, "radar-1", False, "silent"), LampStatus(NS_PER_S, "lamp-1", 220),
    ]  # fmt: skip
    made.step(news, NS_PER_S)
    until(made, 20 * NS_PER_S)
    state = json.loads(json.dumps(made.snapshot()))
    other = policy()
    other.restore(state)
    assert other.snapshot() == made.snapshot()
    for one in (made, other):
        one.step((word(21 * NS_PER_S, 30_000, 6_000, 3), seen(21 * NS_PER_S, 70_000, 4_000)), 21 * NS_PER_S)
    assert until(made, 100 * NS_PER_S) == until(other, 100 * NS_PER_S)
    assert other.snapshot() == made.snapshot()
    assert other.figures() == made.figures()


def test_figures_count_who_is_there_believed_or_not() -> None:
    made = awake()
    made.step((word(1, 20_000, 5_000), seen(1, 90_000, -4_000)), 1)
    riders = made.figures()["riders"]
    assert (riders["now"], riders["unconfirmed"], riders["taken_over"], riders["seen"]) == (1, 1, 1, 0)
