"""Radars of a whole path: reports laid out ahead are those worked out one by one, and a ride reaches whom it passes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.links.memory import memory_pair
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers import radar as module
from hil.peers.radar import RadarPeer
from hil.peers.radar_row import RadarRow
from hil.traffic.rider import Rider, Segment

END_NS = 60 * NS_PER_S


def _peer(x_mm: int = 0, sign: int = 1, range_mm: int = 40_000) -> tuple[RadarPeer, list[tuple[int, bytes]]]:
    frames: list[tuple[int, bytes]] = []
    near, far = memory_pair("radar")
    near.receiver = lambda data, t_ns: frames.append((t_ns, data))
    return RadarPeer("radar", far, x_mm=x_mm, sign=sign, range_mm=range_mm, phase_ns=7, seed=3), frames


@st.composite
def _rides(draw: st.DrawFn) -> list[Rider]:
    """Riders of up to four speeds, standing and turning among them, around 0, in the order of their starts."""
    riders = []
    for number in range(draw(st.integers(1, 4))):
        t_ns, x_mm = draw(st.integers(0, 30_000)) * NS_PER_MS, draw(st.integers(-90_000, 90_000))
        segments = []
        for _ in range(draw(st.integers(1, 4))):
            v_mm_s = draw(st.sampled_from((0, 277, 278, -278)) | st.integers(-9_000, 9_000))
            segments.append(Segment(t_ns, x_mm, v_mm_s))
            lasts_ns = draw(st.integers(1, 20_000)) * NS_PER_MS
            x_mm += v_mm_s * lasts_ns // NS_PER_S
            t_ns += lasts_ns
        riders.append(Rider(number, tuple(segments), t_ns, draw(st.integers(-1_500, 1_500))))
    return sorted(riders, key=lambda rider: rider.start_ns)


def _run(riders: list[Rider]) -> tuple[list[tuple[int, bytes]], dict[str, object]]:
    """Every rider told at the start of the ride, as the bench does."""
    peer, frames = _peer()
    for rider in [*riders, None]:
        until_ns = rider.start_ns if rider is not None else END_NS
        while peer.wake_ns < until_ns:
            peer.run(peer.wake_ns)
        if rider is not None:
            peer.rider(rider)
    return frames, peer.snapshot()


@settings(max_examples=80)
@given(_rides())
def test_reports_laid_out_ahead_are_those_worked_out_one_by_one(riders: list[Rider]) -> None:
    ahead = _run(riders)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "MOST_LAID_OUT", 0)
        assert _run(riders) == ahead


def test_reports_are_laid_out_ahead_at_all() -> None:
    peer, frames = _peer()
    peer.rider(Rider(0, (Segment(0, -10_000, 5_000),), 20 * NS_PER_S))
    while len(frames) < 3:
        peer.run(peer.wake_ns)
    assert len(peer._laid_out) > 50


@settings(max_examples=80)
@given(
    _rides(),
    st.lists(st.tuples(st.integers(-80_000, 80_000), st.sampled_from((1, -1)), st.sampled_from((14_000, 100_000)))),
)
def test_a_ride_reaches_the_radars_that_would_have_seen_it_by_themselves(
    riders: list[Rider], posts: list[tuple[int, int, int]]
) -> None:
    row = [_peer(*post)[0] for post in posts]
    alone = [_peer(*post)[0] for post in posts]
    told = RadarRow(row)
    for rider in riders:
        seen = told.rider(rider)
        for n, peer in enumerate(alone):
            before = len(peer.snapshot()["coming"])
            peer.rider(rider)
            assert len(peer.snapshot()["coming"]) == before or n in seen
    assert [peer.snapshot()["coming"] for peer in row] == [peer.snapshot()["coming"] for peer in alone]


def test_a_ride_costs_nothing_at_radars_that_it_does_not_pass() -> None:
    peers = [_peer(x_mm)[0] for x_mm in range(0, 8_000_000, 64_000)]
    seen = RadarRow(peers).rider(Rider(0, (Segment(0, 4_000_000, 5_000),), 60 * NS_PER_S))
    assert seen == list(range(62, 68))
    assert [peer.wake_ns for n, peer in enumerate(peers) if n not in seen] == [7] * 119
    assert all(peer.wake_ns < FOREVER_NS for peer in peers)
