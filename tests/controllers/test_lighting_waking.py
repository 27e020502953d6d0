"""The lighting policy over any news: waking is as good as ticking, snapshots are exact, garbage moves nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.core.contract import Command
from controllers.lighting.policy import LightingPolicy
from controllers.lighting.riders import MAX_TRACKS
from controllers.lighting.site import LightingSite
from controllers.service.sites import site_path
from drivers.quantities import Detection, DeviceHealth, LampStatus, Message, Quantity, RadarReport, SpeedReport
from drivers.settings import load_toml
from drivers.units import NS_PER_MS, NS_PER_S

SITE = load_toml(site_path("kanalpromenade-reference"), LightingSite)
TICK_NS = 20 * NS_PER_MS
RADARS = ("radar-1", "radar-2", "radar-3")


def policy_of(controller: str) -> LightingPolicy:
    return LightingPolicy(SITE, SITE.controller(controller), base_level=170, full_level=254)


def driven(
    policy: LightingPolicy, values: list[Quantity], from_ns: int, to_ns: int, *, eager: bool = False
) -> list[tuple[int, Command]]:
    """What the policy says at which tick. `eager` steps at every tick and makes it look, else only when it wants to."""
    said: list[tuple[int, Command]] = []
    at = sum(value.t_ns <= from_ns - TICK_NS for value in values)
    for now_ns in range(from_ns, to_ns, TICK_NS):
        first = at
        while at < len(values) and values[at].t_ns <= now_ns:
            at += 1
        if eager:
            policy.wake_ns = 0
        if eager or at > first or policy.wake_ns <= now_ns:
            said += [(now_ns, command) for command in policy.step(values[first:at], now_ns)]
            assert now_ns < policy.wake_ns <= min([track.wake_ns for track in policy.tracks], default=policy.wake_ns)
        assert len(policy.tracks) <= MAX_TRACKS
    return said


@st.composite
def _passages(draw: st.DrawFn) -> list[Quantity]:
    """One radar sees somebody for a while, in whole metres and km/h, with gaps."""
    radar = draw(st.sampled_from(RADARS))
    t_ms, away_mm = draw(st.integers(0, 40_000)), draw(st.integers(1_000, 60_000))
    kmh = draw(st.integers(-40, 40))
    said: list[Quantity] = []
    for _ in range(draw(st.integers(1, 12))):
        mm_s = (abs(kmh) * 5000 + 9) // 18 * (1 if kmh > 0 else -1)
        seen = Detection(max(away_mm, 0) // 1000 * 1000, mm_s, 0, 90)
        said.append(RadarReport(t_ms * NS_PER_MS, radar, (seen,) * draw(st.sampled_from((1, 1, 1, 0, 2)))))
        gap_ms = draw(st.sampled_from((100, 100, 100, 100, 40, 7, 1_000)))
        t_ms += gap_ms
        away_mm -= mm_s * gap_ms // 1000
        kmh += draw(st.sampled_from((0, 0, 0, 1, -1, 12)))
    return said


@st.composite
def _words(draw: st.DrawFn) -> list[Quantity]:
    """A neighbour's rider, a gear's level, somebody's health."""
    t_ns = draw(st.integers(0, 45_000)) * NS_PER_MS
    body = {
        "kind": "rider",
        "id": draw(st.integers(0, 3)),
        "x_mm": draw(st.integers(-100_000, 450_000)),
        "v_mm_s": draw(st.integers(-9_000, 9_000)),
        "age_ms": draw(st.integers(-10, 3_000)),
    }
    lamp = f"lamp-{draw(st.integers(1, 6))}"
    source = draw(st.sampled_from((*RADARS, "dali", "neighbour", lamp)))
    words: list[Quantity] = [
        Message(t_ns, "neighbour", body),
        Message(t_ns, "neighbour", body),
        LampStatus(t_ns, lamp, draw(st.none() | st.integers(0, 254))),
        DeviceHealth(t_ns, source, draw(st.booleans())),
        SpeedReport(t_ns, draw(st.sampled_from(RADARS)), draw(st.integers(-21_000, 21_000))),
    ]
    return [draw(st.sampled_from(words))]


_news = st.lists(_passages() | _words(), max_size=10).map(
    lambda parts: sorted((value for part in parts for value in part), key=lambda value: value.t_ns)
)
_controllers = st.sampled_from(("west", "east"))


@given(_controllers, _news)
@settings(max_examples=40, deadline=None)
def test_stepping_when_woken_says_the_same_at_the_same_ticks_as_stepping_always(
    controller: str, news: list[Quantity]
) -> None:
    lazy, eager = policy_of(controller), policy_of(controller)
    until_ns = 120 * NS_PER_S
    assert driven(lazy, news, 0, until_ns) == driven(eager, news, 0, until_ns, eager=True)
    assert lazy.snapshot() == eager.snapshot()


@given(_controllers, _news, st.integers(0, 2_500))
@settings(max_examples=40, deadline=None)
def test_a_policy_taken_up_in_mid_ride_says_what_the_first_would_have_said(
    controller: str, news: list[Quantity], at_tick: int
) -> None:
    at_ns, until_ns = at_tick * TICK_NS, 100 * NS_PER_S
    first = policy_of(controller)
    driven(first, news, 0, at_ns)
    saved = json.dumps(first.snapshot())
    second = policy_of(controller)
    second.restore(json.loads(saved))
    assert json.dumps(second.snapshot()) == saved
    assert driven(first, news, at_ns, until_ns) == driven(second, news, at_ns, until_ns)
    assert second.snapshot() == first.snapshot()


@given(_controllers, _news)
@settings(max_examples=30, deadline=None)
def test_in_the_end_nobody_is_known_every_lamp_is_at_base_and_nothing_is_left_but_the_word_of_life(
    controller: str, news: list[Quantity]
) -> None:
    policy = policy_of(controller)
    driven(policy, news, 0, 300 * NS_PER_S)
    assert policy.tracks == []
    assert policy.wake_ns == 300 * NS_PER_S
    figures = policy.figures()["riders"]
    if not figures["frozen"] and not figures["wrong_way"]:
        assert {ramp[0] for ramp in policy.snapshot()["ramps"]} == {170}


@pytest.mark.parametrize("more", [-1, 1])
def test_a_policy_of_other_lamps_is_not_taken_up(more: int) -> None:
    state = policy_of("west").snapshot()
    state["ramps"] = (state["ramps"] * 2)[: len(state["ramps"]) + more]
    with pytest.raises(ValueError, match="zip"):
        policy_of("west").restore(state)


_RIDER = {"kind": "rider", "id": 1, "x_mm": 100_000, "v_mm_s": 5_000, "age_ms": 0}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": None},
        {"kind": "Rider", **{key: _RIDER[key] for key in ("id", "x_mm", "v_mm_s", "age_ms")}},
        {"kind": "rider"},
        {**_RIDER, "id": -1},
        {**_RIDER, "id": "1"},
        {**_RIDER, "id": 1 << 60},
        {**_RIDER, "x_mm": None},
        {**_RIDER, "x_mm": 1e300},
        {**_RIDER, "x_mm": 10**30},
        {**_RIDER, "v_mm_s": 50_001},
        {**_RIDER, "v_mm_s": [5_000]},
        {**_RIDER, "age_ms": 60_001},
        {**_RIDER, "age_ms": 0.5},
        {key: _RIDER[key] for key in ("kind", "id", "x_mm", "v_mm_s")},
    ],
    ids=str,
)
def test_a_message_that_says_no_rider_moves_nothing(body: dict[str, object]) -> None:
    policy = policy_of("west")
    policy.step((), 0)
    before = policy.snapshot()
    assert policy.step([Message(NS_PER_S, "neighbour", body)], NS_PER_S) == []
    assert policy.snapshot() == before


@given(
    st.dictionaries(
        st.sampled_from(("kind", "id", "x_mm", "v_mm_s", "age_ms", "doubt")),
        st.just("rider") | st.integers() | st.floats() | st.none() | st.text(max_size=3) | st.lists(st.integers()),
    )
)
@settings(max_examples=100, deadline=None)
def test_any_message_leaves_the_policy_alive(body: dict[str, object]) -> None:
    policy = policy_of("west")
    policy.step([Message(NS_PER_S, "neighbour", body)], NS_PER_S)
    assert len(policy.tracks) <= 1
    assert policy.wake_ns > NS_PER_S
    json.dumps(policy.snapshot(), allow_nan=False)
