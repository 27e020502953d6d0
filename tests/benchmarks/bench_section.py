"""250 lamps, 42 controllers on 8 km, on one core, and what the time grows with; `--hours 24` for a recorded day.

Riders of the traffic file ride the whole section. Beside it, each on the same file: the riders of the reference site on
12, 84 and 250 lamps, which the lamps beyond its 352 m see nothing of; and the whole section with half the riders. What
a controller costs that nobody passes (it says every ten seconds that it lives, and looks at its lamps) stands by
itself: the same sections without any rider. ``python -m tests.benchmarks section [--hours 24]``
"""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

from controllers.lighting.section import section
from controllers.lighting.site import LightingSite
from controllers.service.sites import REFERENCE, load_site
from drivers.clock import cpu_time_ns
from drivers.units import NS_PER_S
from hil.benches.coming_riders import ListedRiders
from hil.benches.lit_path import LitPathBench
from hil.traffic.model import TrafficModel
from hil.traffic.passages import RiderSource
from tests.benchmarks.bench_replay import FIRST_S, peak_rss_mb, traffic

LAMPS = (12, 84, 250)
BEYOND_MM = 200_000
COMPARED_H = 7
"""How much of the day is compared, and run at all where nobody asks for more: from midnight to the morning's rush."""


class Half:
    """Every other rider of a source."""

    def __init__(self, source: RiderSource) -> None:
        self._source = source

    @property
    def next_start_ns(self) -> int:
        """As the source."""
        return self._source.next_start_ns

    def take(self) -> object:
        """The next but one."""
        self._source.take()
        return self._source.take()

    def snapshot(self) -> dict[str, object]:
        """As the source."""
        return self._source.snapshot()

    def restore(self, state: dict[str, object]) -> None:
        """As the source."""
        self._source.restore(state)


def measured(
    lamps: int, hours: float, path: Path | None, *, whole: bool = False, half: bool = False
) -> dict[str, float]:
    """Processor seconds, radar frames and riders of one run; no riders where there is no file."""
    origin_ns = (FIRST_S - 60) * NS_PER_S
    end_mm = (lamps - 1) * 32_000 + BEYOND_MM
    model = TrafficModel(counter_mm=end_mm // 2, end_mm=end_mm) if whole else TrafficModel()
    source = ListedRiders([]) if path is None else RiderSource(path, model=model, origin_utc_ns=origin_ns)
    riders = Half(source) if half else source
    reference = load_site(REFERENCE)
    assert isinstance(reference, LightingSite)
    bench = LitPathBench(section(lamps, light=reference.light), riders, origin_utc_ns=origin_ns, rules=False)
    bench.start()
    began_ns = cpu_time_ns()
    bench.run(round(hours * 3600 * NS_PER_S))
    took_s = (cpu_time_ns() - began_ns) / NS_PER_S
    bench.finish()
    return {"s": took_s, "frames": bench.radar_frames, "riders": bench.traffic.count}


def run(hours: float = COMPARED_H) -> dict[str, float | int | str]:
    """The day or the beginning of it, then the comparisons."""
    found: dict[str, float | int | str] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.traffic"
        found["input"] = traffic(path, 1)
        day = measured(250, hours, path, whole=True)
        found |= {f"250 lamps, {hours:g} h: {name}": value for name, value in day.items()}
        found["us a frame"] = 1e6 * day["s"] / day["frames"]
        found["times real time"] = round(hours * 3600 / day["s"])
        found["peak rss, MB"] = peak_rss_mb()
        idle = {lamps: measured(lamps, COMPARED_H, None)["s"] for lamps in LAMPS}
        short = {lamps: measured(lamps, COMPARED_H, path) for lamps in LAMPS}
        whole = day if hours == COMPARED_H else measured(250, COMPARED_H, path, whole=True)
        half = measured(250, COMPARED_H, path, whole=True, half=True)
    for lamps in LAMPS:
        found[f"{lamps} lamps, {COMPARED_H} h, no riders: s"] = idle[lamps]
        found[f"{lamps} lamps, {COMPARED_H} h, the same riders: s"] = short[lamps]["s"]
        found[f"{lamps} lamps, the same riders: us a frame beyond that"] = (
            1e6 * (short[lamps]["s"] - idle[lamps]) / short[lamps]["frames"]
        )
    for less, more in pairwise(LAMPS):
        controllers = -(-more // 6) - -(-less // 6)
        found[f"s a controller and day, nobody there, {less} to {more}"] = (
            (idle[more] - idle[less]) / controllers * 24 / COMPARED_H
        )
    found["half the riders: share of frames"] = half["frames"] / whole["frames"]
    found["half the riders: share of time beyond idle"] = (half["s"] - idle[250]) / (whole["s"] - idle[250])
    return found
