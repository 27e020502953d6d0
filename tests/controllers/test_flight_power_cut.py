"""A power cut at any of the recorder's file operations: what was synced is there, and little is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.units import NS_PER_S
from power_cut import SYNC_S, Recorded, cut_many, record

CUTS = 40
"""200 of them, twice: ``python -m tests.benchmarks flight --kills 200``."""

PROMISE_NS = (SYNC_S + 1) * NS_PER_S


@pytest.mark.parametrize("slow", [False, True])
def test_after_a_power_cut_every_synced_file_opens_and_little_is_missing(tmp_path: Path, slow: bool) -> None:
    recorded = record(tmp_path / "ring", slow=slow)
    whats = {what for _, what, _, _, _ in recorded.operations}
    assert whats == {"create", "write", "sync", "sync folder", "remove"}
    cuts = cut_many(recorded, tmp_path, CUTS)
    print(max(cut.lost_ns for cut in cuts) / NS_PER_S, "s lost at most;", sum(cut.headless for cut in cuts), "headless")
    assert max(cut.lost_ns for cut in cuts) <= PROMISE_NS
    assert max(cut.lost_ns for cut in cuts) > NS_PER_S, "the simulation drops nothing"


def test_without_syncing_the_simulated_power_cut_does_cost_more(tmp_path: Path) -> None:
    recorded = record(tmp_path / "ring", slow=False)
    unsynced = Recorded([one for one in recorded.operations if not one[1].startswith("sync")], recorded.told)
    assert max(cut.lost_ns for cut in cut_many(unsynced, tmp_path, 10)) > PROMISE_NS
