"""Flights run again: what an hour of a lamp board costs, beside reading it only; a planted bit in its last file.

The flight is made in virtual time by the loop of the service itself, four files of a quarter of an hour. Times are
those of one processor, the least of some rounds; a day is 96 such files, shared by as many processes as there are
processors.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from controllers.lighting.site import LightingSite
from controllers.service.sites import load_site
from drivers.clock import SystemClock, cpu_time_ns
from drivers.recording.events import Decision
from drivers.recording.reader import TraceReader
from drivers.units import NS_PER_S
from hil.benches.planted import changed, with_a_bit_flipped
from hil.benches.virtual_loop import Upsets, VirtualLoop
from hil.benches.virtual_peers import lit_path_peers
from hil.flight_check import check
from hil.traffic.script import ScriptedRider, Waypoint, scripted_rider
from hil.verify import verify, verify_file

EVENING_UTC_NS = 1_708_362_000 * NS_PER_S
HOUR_S = 3600
RIDERS = 41
"""An hour of a day of 984."""

ROUNDS = 5


def run() -> dict[str, Any]:
    """Processor time a file (a quarter of an hour), and wall time until a planted bit is named."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "ring"
        fly(folder)
        files = sorted(folder.iterdir())
        again = _least_ms(lambda: verify_file(files[2], True))
        stepped = _least_ms(lambda: verify_file(files[2], False))
        asked = _least_ms(lambda: check(files[2]))
        read = _least_ms(lambda: sum(1 for _ in TraceReader(files[2]).events()))
        plant(files[-1])
        clock = SystemClock()
        begun_ns = clock.now_ns()
        found = verify([folder])
        took_s = (clock.now_ns() - begun_ns) / NS_PER_S
        result = found.files[-1].result
        assert result is not None
        assert result.difference is not None
        return {
            "again_ms_a_quarter_hour": again,
            "every_tick_ms_a_quarter_hour": stepped,
            "digests_ms_a_quarter_hour": asked,
            "read_ms_a_quarter_hour": read,
            "again_s_a_day": again * 96 / 1000,
            "digests_s_a_day": asked * 96 / 1000,
            "mb_a_day": sum(path.stat().st_size for path in files) * 24 / 1e6,
            "planted_in_the_last_of_four_s": took_s,
            "named": result.difference.text().partition("\n")[0],
        }


def fly(folder: Path) -> None:
    """An hour of the western lamp board."""
    site = load_site("kanalpromenade-reference")
    assert isinstance(site, LightingSite)
    loop = VirtualLoop(
        site,
        "kanalpromenade-lamp",
        folder,
        utc_ns=EVENING_UTC_NS,
        upsets=Upsets(seed=1, late_per_mille=2),
        controller="west",
    )
    rides = [HOUR_S * number // RIDERS for number in range(RIDERS)]
    riders = [
        scripted_rider(
            ScriptedRider([Waypoint(at, -60 if n % 2 else 260), Waypoint(at + 58, 260 if n % 2 else -60)]), n
        )
        for n, at in enumerate(rides)
    ]
    lit_path_peers(loop, site, "west", riders)
    loop.run(HOUR_S * NS_PER_S)


def plant(path: Path) -> None:
    """Change one bit of a decision in the middle; the digests are reckoned anew."""
    original = path.rename(path.with_suffix(".original"))
    levels = [
        number
        for number, event in enumerate(TraceReader(original).events())
        if isinstance(event, Decision) and "level" in event.body
    ]
    chosen = levels[len(levels) // 2]
    changed(original, path, lambda number, event: with_a_bit_flipped(event) if number == chosen else event)
    original.unlink()


def _least_ms(call: Any) -> float:
    least_ns = 1 << 62
    for _ in range(ROUNDS):
        begun_ns = cpu_time_ns()
        call()
        least_ns = min(least_ns, cpu_time_ns() - begun_ns)
    return least_ns / 1e6
