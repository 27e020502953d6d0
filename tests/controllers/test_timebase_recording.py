"""Twenty minutes of a real controller's stamps, ten a second (spat-mcity). When they arrived was not recorded, so
their way over a network is drawn; the stamps' own unrest is real.
"""

from __future__ import annotations

import os
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from controllers.core.timebase import TimeBase
from drivers.codecs.spat import message_ms
from drivers.codecs.spat_uper import SpatUperStream
from drivers.units import NS_PER_MS, NS_PER_S
from hil.importers.spat import spat_hex_messages
from hil.traffic.chance import between, draw

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
REAL = RECORDINGS / "spat-mcity" / "series-20min.hex"
pytestmark = [
    pytest.mark.recordings,
    pytest.mark.skipif(not REAL.exists(), reason="no recording spat-mcity (LEEZE_RECORDINGS)"),
]


@pytest.fixture(scope="module")
def stamps_ms() -> list[int]:
    stream, found = SpatUperStream(groups=frozenset()), []
    for _, frame in spat_hex_messages(REAL):
        for intersection in stream.feed(frame):
            stamp_ms = message_ms(intersection.minute_of_year, intersection.timestamp_ms)
            assert stamp_ms is not None
            found.append(stamp_ms)
    return found


def _follow(arrivals: list[tuple[int, int]]) -> tuple[TimeBase, Counter[str], int]:
    base, states = TimeBase(2 * NS_PER_S, 0), Counter[str]()
    for t_ns, stamp_ms in sorted(arrivals):
        base.written_ns(t_ns, stamp_ms)
        states[base.state(t_ns)] += 1
    error_ns = base.error_ns(t_ns)
    assert error_ns is not None
    return base, states, error_ns


def test_the_real_stamps_advance_by_91_to_103_ms_and_lose_no_time(stamps_ms: list[int]) -> None:
    steps = Counter(after - before for before, after in pairwise(stamps_ms))
    assert (min(steps), max(steps), steps.most_common(1)[0][0]) == (91, 103, 100)
    assert stamps_ms[-1] - stamps_ms[0] == 1_199_906


def test_messages_that_arrive_as_they_are_stamped_are_locked_from_the_second_on(stamps_ms: list[int]) -> None:
    base, states, error_ns = _follow([((stamp_ms - stamps_ms[0]) * NS_PER_MS, stamp_ms) for stamp_ms in stamps_ms])
    assert states == {"lost": 1, "locked": 11_999}
    assert (base.rejected, base.steps, base.drift_ppb) == ({}, 0, 0)
    assert error_ns < 2 * NS_PER_MS


def test_messages_that_arrive_every_100_ms_show_the_unrest_of_the_stamps_as_error_not_as_drift(
    stamps_ms: list[int],
) -> None:
    base, states, error_ns = _follow([(n * 100 * NS_PER_MS, stamp_ms) for n, stamp_ms in enumerate(stamps_ms)])
    assert states == {"lost": 1, "locked": 11_999}
    assert (base.rejected, base.steps) == ({}, 0)
    assert abs(base.drift_ppb) < 5_000
    assert NS_PER_MS < error_ns < 10 * NS_PER_MS


def test_up_to_200_ms_of_delay_and_a_drift_of_50_ppm_are_told_apart_on_real_stamps(stamps_ms: list[int]) -> None:
    arrivals = []
    for n, stamp_ms in enumerate(stamps_ms):
        gone_ns = (stamp_ms - stamps_ms[0]) * NS_PER_MS
        delay_ns = between(draw(1, n), 0, 200 * NS_PER_MS)
        arrivals.append((gone_ns - gone_ns // 20_000 + delay_ns, stamp_ms))
    base, states, error_ns = _follow(arrivals)
    assert states == {"lost": 1, "locked": 11_999}
    assert set(base.rejected) == {"reordered"}
    assert abs(base.drift_ppb - 50_000) < 3_000
    end_ns = max(arrivals)[0]
    offset_ns = base.offset_ns(end_ns)
    assert offset_ns is not None
    true_ns = -stamps_ms[0] * NS_PER_MS - end_ns // 19_999
    assert abs(offset_ns - true_ns) < error_ns < 6 * NS_PER_MS
