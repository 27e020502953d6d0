"""One step of the policy with several news at once: each counts, whatever comes with it, and all of it at once."""

from __future__ import annotations

from typing import Any

from controllers.core.contract import LampLevel, Publish
from controllers.lighting.policy import ALIVE_NS, LightingPolicy
from controllers.lighting.site import LightingSite
from controllers.lighting.track import CLAIM_NOW, CONFIRM_NS, OVER, QUIET_NS
from controllers.service.sites import site_path
from drivers.quantities import Detection, Message, RadarReport, SpeedReport
from drivers.settings import load_toml
from drivers.units import NS_PER_MS, NS_PER_S

SITE = load_toml(site_path("kanalpromenade-reference"), LightingSite)
BASE, FULL = 170, 254
X_MM = 64_000  # where radar-2 stands and looks up
STEP_NS = 100 * NS_PER_MS


def awake() -> LightingPolicy:
    made = LightingPolicy(SITE, SITE.controller("west"), base_level=BASE, full_level=FULL)
    made.step((), 0)
    return made


def report(t_ns: int, *found: tuple[int, int]) -> RadarReport:
    """What radar-2 says of riders at (x_mm, v_mm_s)."""
    return RadarReport(t_ns, "radar-2", tuple(Detection(x - X_MM, -v, 0, 90) for x, v in found))


def word(t_ns: int, x_mm: int, v_mm_s: int, number: int = 1) -> Message:
    return Message(t_ns, "neighbour", {"kind": "rider", "id": number, "x_mm": x_mm, "v_mm_s": v_mm_s, "age_ms": 0})


def nothing(t_ns: int) -> Message:
    return Message(t_ns, "neighbour", {"kind": "alive", "doubts": {}})


def full(commands: Any) -> set[str]:
    return {one.target for one in commands if isinstance(one, LampLevel) and one.level == FULL}


def ridden(made: LightingPolicy) -> int:
    """One rider seen four times until he is quiet at 5 m/s; the time of the last report."""
    t_ns = 0
    for n in range(4):
        t_ns = NS_PER_S + n * STEP_NS
        made.step((report(t_ns, (X_MM + 12_000 + 500 * n, 5_000)),), t_ns)
    return t_ns


def test_a_claim_left_alone_is_looked_at_again_in_time() -> None:
    made = awake()
    t_ns = ridden(made) + STEP_NS
    made.riders.tracks[0].wake_ns = made._tracks_wake_ns = t_ns + NS_PER_S  # as if nothing were due for long
    made.step((report(t_ns, (X_MM + 14_000, 5_000)),), t_ns + 7)
    assert made.tracks[0].wake_ns == made.wake_ns == t_ns + QUIET_NS
    made._tracks_wake_ns = t_ns + CONFIRM_NS  # something else is due before
    made.step((report(t_ns + STEP_NS, (X_MM + 14_500, 5_000)),), t_ns + STEP_NS)
    assert made.tracks[0].wake_ns == t_ns + STEP_NS + QUIET_NS
    assert made.wake_ns == t_ns + CONFIRM_NS


def test_what_moves_a_claim_is_claimed_at_once_whatever_comes_after_it() -> None:
    for first, after in (("a word", "a report that says nothing new"), ("a report", "a word that says nothing")):
        made = awake()
        t_ns = ridden(made) + STEP_NS
        moves = word(t_ns, 150_000, -5_000) if first == "a word" else report(t_ns, (X_MM + 14_000, 12_000))
        quiet = nothing(t_ns) if first == "a report" else report(t_ns, (X_MM + 14_000, 5_000))
        before = made.snapshot()["claimed"]
        said = made.step((moves, quiet), t_ns)
        assert full(said), after
        assert made.snapshot()["claimed"] & ~before
        assert all(track.wake_ns != CLAIM_NOW for track in made.tracks)


def test_a_word_of_a_rider_raises_lamps_by_their_names_in_the_same_step() -> None:
    made = awake()
    said = made.step((word(NS_PER_S, 160_000, -1_000),), NS_PER_S)
    (track,) = made.tracks
    assert full(said) == {f"lamp-{bit + 1}" for bit in range(6) if track.mask >> bit & 1} != set()
    assert made.snapshot()["claimed"] == track.mask


def test_a_speed_that_makes_somebody_believed_raises_lamps_and_is_announced_in_the_same_step() -> None:
    made = awake()
    assert full(made.step((SpeedReport(NS_PER_S, "radar-3", -4_000),), NS_PER_S)) == set()
    said = made.step((SpeedReport(NS_PER_S + STEP_NS, "radar-3", -4_000),), NS_PER_S + STEP_NS)
    assert full(said) == {f"lamp-{bit + 1}" for bit in range(6) if made.tracks[0].mask >> bit & 1} != set()
    assert [one.body["v_mm_s"] for one in said if isinstance(one, Publish)] == [4_000]


def test_who_is_over_hides_nobody_behind_them() -> None:
    made = awake()
    made.step((word(NS_PER_S, 0, 5_000), word(NS_PER_S, 160_000, -5_000, 2)), NS_PER_S)
    first, second = made.tracks
    first.wake_ns = second.wake_ns = made._tracks_wake_ns = 2 * NS_PER_S
    first.t0_ns = -10_000 * NS_PER_S
    made.step((nothing(2 * NS_PER_S),), 2 * NS_PER_S)
    assert (first.wake_ns, made.tracks) == (OVER, [second])
    assert made.snapshot()["claimed"] == second.mask != 0
    assert made.wake_ns == min(second.wake_ns, ALIVE_NS)
