"""A lit path end to end: recorded passages, radar frames, decode, policy, gate, DALI, gear, digest; beside bare decode.

Each run is a process of its own, so that its peak memory is its own. What is timed is `leeze-hil replay` of a traffic
file on the reference site, with the ledger and the rules to compare with; nothing else runs beside it.
``python -m tests.benchmarks replay [--weeks 4]``
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter_ns

from drivers.codecs.ld2451 import Ld2451Stream
from hil.importers.eco_counter import import_eco_counter
from hil.outcome import Request
from hil.replay import replay
from hil.traffic.chance import between, draw

ROOT = Path(__file__).parents[2]
SITE = "Dingstiege"
"""The busier of the two recorded counters: about 1,100 passages a day."""

FIRST_S = 1_708_297_200  # 2024-02-19 00:00 in Münster
DAY_S = 86_400
SHORT_DAYS, LONG_DAYS, PROFILE_S = 1, 3, DAY_S // 2
BY_HOUR = (1, 1, 1, 1, 2, 8, 30, 90, 80, 45, 45, 50, 55, 60, 70, 85, 100, 95, 70, 40, 25, 15, 10, 5)
"""Riders an hour of made-up traffic, in proportion; 984 a day."""

GROUPS = (
    ("peer: riders and radars", ("hil/peers/radar", "hil/traffic")),
    ("peer: gateways and gear", ("hil/peers",)),
    ("decode", ("drivers/codecs/ld2451", "drivers/devices/radar", "drivers/devices/hilink", "drivers/devices/frozen")),
    ("policy", ("controllers/lighting",)),
    ("gate", ("controllers/core/failsafe", "controllers/core/calendar")),
    ("scan cycle", ("controllers/core",)),
    ("bus and messages", ("drivers/buses", "drivers/codecs", "drivers/devices")),
    ("digest", ("recording/digest",)),
    ("judge", ("hil/judge",)),
    ("bench loop", ("hil/benches", "drivers/links", "hil/driving")),
)


def traffic(path: Path, days: int) -> str:
    """Write so many days of traffic; the real ones where the recordings are at hand. Says which."""
    folder = Path(os.environ.get("LEEZE_RECORDINGS", ROOT.parent / "shared" / "data"))
    csv = folder / "cycle-loops" / f"May_data_Kanalpromenade_{SITE}.csv.gz"
    if csv.exists():
        from datetime import date, timedelta

        first = date(2024, 2, 19)
        import_eco_counter([csv], path, from_date=first, to_date=first + timedelta(days - 1))
        return f"recorded passages ({SITE}), synthesised radar"
    seconds = sorted(
        FIRST_S + day * DAY_S + hour * 3600 + draw(1, day, hour, n) % 3600
        for day in range(days)
        for hour, riders in enumerate(BY_HOUR)
        for n in range(riders)
    )
    lines = [
        f'{{"format":"leeze-traffic","version":1,"site":"made up","from":"2024-02-19","to":"2024-02-{18 + days}"}}'
    ]
    lines += [f"[{at},{1 if draw(2, n) & 1 else -1},{between(draw(3, n), 12, 26)}]" for n, at in enumerate(seconds)]
    path.write_text("\n".join(lines) + "\n")
    return "made-up passages, synthesised radar"


class Frames:
    """A sink that keeps the first radar frames that pass."""

    def __init__(self, most: int) -> None:
        self.kept: list[bytes] = []
        self._most = most

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        """Keep a radar's report."""
        if len(self.kept) < self._most and data[:4] == b"\xf4\xf3\xf2\xf1":
            self.kept.append(data)

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """Idle frames in bulk are decoded nowhere."""


def bare_decode_us(path: Path) -> float:
    """Microseconds a frame of the stream decoder alone, over frames of this very traffic."""
    from controllers.lighting.site import LightingSite
    from controllers.service.sites import REFERENCE, load_site
    from hil.benches.lit_path import LitPathBench
    from hil.traffic.passages import RiderSource

    site = load_site(REFERENCE)
    assert isinstance(site, LightingSite)
    frames = Frames(20_000)
    riders = RiderSource(path, origin_utc_ns=FIRST_S * 10**9)
    bench = LitPathBench(
        site, riders, origin_utc_ns=FIRST_S * 10**9, sinks=lambda wires, period_ns: [frames], rules=False
    )
    bench.start()
    bench.run(10 * 3600 * 10**9)
    riders.close()
    taken = []
    for _ in range(9):
        feed = Ld2451Stream().feed
        began = perf_counter_ns()
        for frame in frames.kept:
            feed(frame)
        taken.append((perf_counter_ns() - began) / len(frames.kept) / 1000)
    return median(taken)


def peak_rss_mb() -> float:
    """The most memory this process has held."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(path: Path, decode: bool) -> dict[str, float]:
    """One whole run in this process."""
    result = replay(Request(subject=str(path)), lambda done, total: None).result
    found = result.as_json()
    figures = {name: found[name] for name in ("us_per_frame", "times_real_time", "radar_frames", "span_s", "wall_s")}
    figures["rss_mb"] = peak_rss_mb()
    if decode:
        figures["bare_decode_us"] = bare_decode_us(path)
    return figures


def profile(path: Path, seconds: float) -> dict[str, float]:
    """Where the time goes, per cent of a profiled run; time in built-ins counts for who called them."""
    profiler = cProfile.Profile()
    profiler.enable()
    replay(Request(subject=str(path), seconds=seconds), lambda done, total: None)
    profiler.disable()
    shares = dict.fromkeys([name for name, _ in GROUPS] + ["other"], 0.0)
    for (file, _, _), (_, _, own, _, callers) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        if file == "~" and callers:
            for (caller, _, _), told in callers.items():
                shares[group_of(caller)] += told[2]
        else:
            shares[group_of(file)] += own
    total = sum(shares.values())
    return {name: round(100 * share / total, 1) for name, share in shares.items()}


def group_of(file: str) -> str:
    """Which part of the path a source file belongs to."""
    return next((name for name, places in GROUPS if any(place in file for place in places)), "other")


def run(weeks: int = 0) -> dict[str, float | int | str]:
    """Two lengths of trace, the bare decode beside them, and a profile."""
    with tempfile.TemporaryDirectory() as folder:
        short, long = Path(folder) / "short.traffic", Path(folder) / "long.traffic"
        days = 7 * weeks or LONG_DAYS
        traffic(short, SHORT_DAYS)
        what = traffic(long, days)
        one, more = _in_a_process(short, decode=True), _in_a_process(long)
        shares = profile(short, PROFILE_S)
    return {
        "input": what,
        "days": days,
        "radar_frames": int(more["radar_frames"]),
        "us_per_frame": more["us_per_frame"],
        "bare_decode_us": one["bare_decode_us"],
        "ratio_to_bare_decode": round(more["us_per_frame"] / one["bare_decode_us"], 1),
        "times_real_time": more["times_real_time"],
        "wall_s": more["wall_s"],
        f"peak_rss_mb_of_{SHORT_DAYS}_day": round(one["rss_mb"], 1),
        f"peak_rss_mb_of_{days}_days": round(more["rss_mb"], 1),
        **{f"profile, {name} %": share for name, share in shares.items()},
    }


def _in_a_process(path: Path, decode: bool = False) -> dict[str, float]:
    words = [sys.executable, "-m", "tests.benchmarks.bench_replay", str(path), *(["--decode"] if decode else [])]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("traffic", type=Path)
    parser.add_argument("--decode", action="store_true")
    said = parser.parse_args()
    print(json.dumps(child(said.traffic, said.decode)))
