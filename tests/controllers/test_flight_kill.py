"""kill -9 in the middle of everything: every file opens, and what is missing is less than a second."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.units import NS_PER_S
from flight_kills import kill_many

KILLS = 8
"""200 of them: ``python -m tests.benchmarks flight --kills 200``."""

PROMISE_NS = NS_PER_S


@pytest.mark.long
def test_after_a_kill_every_file_opens_and_less_than_a_second_is_missing(tmp_path: Path) -> None:
    for killed in kill_many(tmp_path, KILLS):
        print(killed)
        assert killed.lost_ns <= PROMISE_NS + 2 * killed.stall_ns, killed
