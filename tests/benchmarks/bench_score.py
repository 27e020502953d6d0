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
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

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
MCITY = RECORDINGS / "spat-mcity" / "series-20min.hex"
MCITY_GROUPS = range(1, 9)
SEEDS = 10
MINUTES = 10
HOURS = 1
MIDNIGHT_UTC_NS = 1_778_536_800 * NS_PER_S  # 2026-05-12, 00:00 in Münster
EVENING_MS = (19 * 60 + 55) * 60_000
LATE_MS = (22 * 60 + 55) * 60_000
TWO_CYCLES_S = 75.0
HEAD = "phases needless  wrong jumps    5 s   10 s   20 s   30 s"
Rows = dict[str, str]
Figures = dict[str, Any]
PROCESSES = 2


class Job(NamedTuple):
    """One trace: made in a folder of its own by `make`, then scored as recorded and hindered by `seed`."""

    make: Callable[[Path], Path]
    group: int | None
    after_s: float
    seed: int


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


def accounts(job: Job) -> list[tuple[str, Figures]]:
    """What displays before this trace did, and plain ones."""
    found: list[tuple[str, Figures]] = []
    with tempfile.TemporaryDirectory() as name:
        path = job.make(Path(name))
        feed = RecordedFeed(path)
        feed.read()
        for how, way in (("", Disturbance()), (", hindered", hindered(job.seed))):
            request = ScoreRequest(path=path, group=job.group, after_s=job.after_s, disturbance=way)
            for group in score(request, feed=feed)["groups"]:
                found += [(how, group), (f"{how}, plain", group["baseline"])]
    return found


def rows(name: str, found: Iterable[list[tuple[str, Figures]]]) -> Rows:
    """Four lines: leeze and plain, as recorded and hindered."""
    sums: dict[str, list[Figures]] = {}
    for how, figures in chain.from_iterable(found):
        sums.setdefault(f"{name}{how}", []).append(figures)
    return {key: row(sums[key]) for key in sorted(sums, key=lambda key: (", plain" in key, key))}


def frames(folder: Path) -> Path:
    """Twenty minutes of real frames."""
    import_spat(MCITY, folder / "fixed.mcap", "spat-hex")
    return folder / "fixed.mcap"


def hour(source: Path, folder: Path) -> Path:
    """An hour of a real signal group."""
    whole = json.loads(gzip.decompress(source.read_bytes()))
    (folder / "hour.json").write_text(json.dumps(whole | {"Cycles": whole["Cycles"][:HOURS]}))
    import_phases(folder / "hour.json", folder / "phases.mcap")
    return folder / "phases.mcap"


def drawn(seed: int, start_ms: int, says: Says, failures: bool, folder: Path) -> Path:
    """One seed of a simulation."""
    start_utc_ns = MIDNIGHT_UTC_NS + start_ms * NS_PER_MS
    words = AdaptiveWords(Rules(seed=seed, start_ms=start_ms, failures=failures), start_utc_ns, says)
    write_feed(folder / "drawn.mcap", words.messages(60 * MINUTES), "spat-xml", Provenance(base_ns=start_utc_ns))
    return folder / "drawn.mcap"


def ten(start_ms: int, says: Says, failures: bool) -> list[Job]:
    """All seeds of it."""
    return [Job(partial(drawn, seed, start_ms, says, failures), TRACK, 0.0, seed) for seed in range(SEEDS)]


def tables() -> dict[str, list[Job]]:
    """What is run, by the name of its lines. The Hamburg files by name, the first, third ... were looked at while the
    display was built, the others were not.
    """
    files = sorted((RECORDINGS / "phases-hamburg").glob("*.json.gz"))
    hours = [Job(partial(hour, source), None, 0.0, number) for number, source in enumerate(files)]
    groups = MCITY_GROUPS if MCITY.exists() else ()
    return {
        "fixed cycle": [Job(frames, group, TWO_CYCLES_S, 1) for group in groups],
        "real phases": hours[::2],
        "real phases, unseen": hours[1::2],
        **{f"simulated {says}": ten(EVENING_MS, says, False) for says in SAYS},
        "night, failures": ten(LATE_MS, "likely", True),
    }


def run() -> Rows:
    """The table, a line a display and feed."""
    found = {"": HEAD}
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        running = {name: pool.map(accounts, jobs) for name, jobs in tables().items()}
        for name, results in running.items():
            found |= rows(name, results) or {name: "no recordings"}
    return found


if __name__ == "__main__":
    for key, value in run().items():
        print(f"{key:32} {value}")
