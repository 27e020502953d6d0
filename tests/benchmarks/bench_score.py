"""How true a display is, on real feeds and simulated adaptive signals, as recorded and hindered, beside a plain one.

Each row: phases that ended; seconds dark though the feed said enough; seconds of wrong colour; upward jumps; share of
ends shown within a second 5, 10, 20 and 30 s before, in per cent of all phases that were so long (what is not told is
missed). Hindered: every message 0 to 300 ms late, 10 % lost, two outages of 2 s. Fixed cycle (spat-mcity): 8 groups,
20 minutes, counted after two cycles. Real phases (phases-hamburg): the first hour of 20 files, states alone, each seen
for the first time. Simulated (hil.peers.signal_adaptive): the cycle track, ten minutes about a change of programme, ten
seeds for each way of saying when phases end; and ten seeds of ten minutes about the night's shut-down, with failures.

Virtual time: the same figures on every machine. Recordings: LEEZE_RECORDINGS. ``python -m tests.benchmarks score``
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drivers.recording.provenance import Provenance
from drivers.units import NS_PER_MS, NS_PER_S
from hil.importers.trace_file import import_phases, import_spat, write_feed
from hil.peers.adaptive_controller import SAYS, AdaptiveWords, Says
from hil.peers.signal_adaptive import TRACK, Rules
from hil.score import ScoreRequest, score
from hil.score_feed import Disturbance, RecordedFeed
from hil.score_shown import HORIZONS_S
from hil.score_table import total

RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
SEEDS = 10
MINUTES = 10
HOURS = 1
MIDNIGHT_UTC_NS = 1_778_536_800 * NS_PER_S  # 2026-05-12, 00:00 in Münster
EVENING_MS = (19 * 60 + 55) * 60_000
LATE_MS = (22 * 60 + 55) * 60_000
TWO_CYCLES_S = 75.0
HEAD = "phases needless  wrong jumps    5 s   10 s   20 s   30 s"
Rows = dict[str, str]


def hindered(seed: int) -> Disturbance:
    """The ways of a bad network."""
    return Disturbance(delay_ms=300, loss_pct=10, outages=((2, 60), (2, 400)), seed=seed)


def row(figures: list[dict[str, Any]]) -> str:
    """Several accounts as one line."""
    all_of = total(figures)
    shares = [all_of[f"within_1s_at_{horizon_s}s"] for horizon_s in HORIZONS_S]
    told = " ".join("     -" if share is None else f"{100 * share:6.1f}" for share in shares)
    seconds = f"{all_of['needless_dark_s']:8.1f} {all_of['wrong_colour_s']:6.1f}"
    return f"{all_of['phases']:6d} {seconds} {all_of['upward_jumps']:5d} {told}"


def rows(name: str, requests: Iterator[tuple[Path, int | None, float, int]]) -> Rows:
    """Four lines for (trace, group, count from, seed) each: leeze and plain, as recorded and hindered."""
    accounts: dict[str, list[dict[str, Any]]] = {}
    for path, group, after_s, seed in requests:
        feed = RecordedFeed(path)
        feed.read()
        for how, way in (("", Disturbance()), (", hindered", hindered(seed))):
            request = ScoreRequest(path=path, group=group, after_s=after_s, disturbance=way)
            for found in score(request, feed=feed)["groups"]:
                accounts.setdefault(f"{name}{how}", []).append(found)
                accounts.setdefault(f"{name}{how}, plain", []).append(found["baseline"])
    return {key: row(accounts[key]) for key in sorted(accounts, key=lambda key: (", plain" in key, key))}


def fixed_cycle(folder: Path) -> Rows:
    """Twenty minutes of real frames."""
    source = RECORDINGS / "spat-mcity" / "series-20min.hex"
    if not source.exists():
        return {"fixed cycle": "no recording"}
    import_spat(source, folder / "fixed.mcap", "spat-hex")
    return rows("fixed cycle", iter([(folder / "fixed.mcap", None, TWO_CYCLES_S, 1)]))


def real_phases(folder: Path) -> Rows:
    """An hour each of twenty real signal groups."""

    def traces() -> Iterator[tuple[Path, int | None, float, int]]:
        for number, source in enumerate(sorted((RECORDINGS / "phases-hamburg").glob("*.json.gz"))):
            whole = json.loads(gzip.decompress(source.read_bytes()))
            (folder / "hour.json").write_text(json.dumps(whole | {"Cycles": whole["Cycles"][:HOURS]}))
            import_phases(folder / "hour.json", folder / "phases.mcap")
            yield folder / "phases.mcap", None, 0.0, number

    return rows("real phases", traces()) or {"real phases": "no recordings"}


def drawn(name: str, path: Path, start_ms: int, says: Says, failures: bool) -> Rows:
    """Ten seeds of one simulation."""
    start_utc_ns = MIDNIGHT_UTC_NS + start_ms * NS_PER_MS

    def traces() -> Iterator[tuple[Path, int | None, float, int]]:
        for seed in range(SEEDS):
            words = AdaptiveWords(Rules(seed=seed, start_ms=start_ms, failures=failures), start_utc_ns, says)
            write_feed(path, words.messages(60 * MINUTES), "spat-xml", Provenance(base_ns=start_utc_ns))
            yield path, TRACK, 0.0, seed

    return rows(name, traces())


def simulated(folder: Path, says: Says) -> Rows:
    """A change of programme and buses."""
    return drawn(f"simulated {says}", folder / "evening.mcap", EVENING_MS, says, False)


def night(folder: Path) -> Rows:
    """The night's shut-down, and failures."""
    return drawn("night, failures", folder / "night.mcap", LATE_MS, "likely", True)


def run() -> Rows:
    """The table, a line a display and feed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {"": HEAD} | fixed_cycle(folder) | real_phases(folder)
        for says in SAYS:
            found |= simulated(folder, says)
        return found | night(folder)


if __name__ == "__main__":
    for key, value in run().items():
        print(f"{key:32} {value}")
