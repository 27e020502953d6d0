"""``python -m tests.benchmarks [NAME…] [--weeks N] [--kills N] [--hours N]``: every ``bench_NAME.py`` here, in one run.

Ratios are between two things measured in the same run; `docs/performance.md` says which. `--weeks` makes bench_replay
run so many recorded weeks instead of some days (a week takes about a minute and a half), and bench_kanalpromenade all
of its tables. `--kills` makes bench_flight kill so many processes and cut the power so often (a kill takes about two
and a half seconds). `--hours` shortens the day of bench_section.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from pathlib import Path

from drivers.clock import SystemClock
from drivers.units import NS_PER_S


def machine() -> str:
    """Processor, cores, system and Python of this run."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith(("model name", "Model")):
                model = line.partition(":")[2].strip()
                break
    return (
        f"{model}, {os.cpu_count()} cores; {platform.system()} {platform.machine()}; Python {platform.python_version()}"
    )


def main() -> int:
    """Run what was asked for; 2 for a name that is no benchmark."""
    known = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("name", nargs="*", help=f"one or more of: {', '.join(known)}; default all")
    parser.add_argument("--weeks", type=int, choices=range(1, 5), help="weeks of recorded traffic for bench_replay")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="bench_kanalpromenade keeps each run's result there"
    )
    parser.add_argument("--kills", type=int, help="kills and power cuts for bench_flight")
    parser.add_argument("--hours", type=float, help="hours of the day for bench_section")
    said = parser.parse_args()
    if unknown := set(said.name) - set(known):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    print(f"machine: {machine()}\ncommand: python -m tests.benchmarks {' '.join(sys.argv[1:])}".rstrip())
    clock = SystemClock()
    for name in said.name or known:
        module = importlib.import_module(f"tests.benchmarks.bench_{name}")
        began_ns = clock.now_ns()
        print(f"\n{name}: {module.__doc__.strip().partition(chr(10))[0]}", flush=True)
        more = {"weeks": said.weeks} if name in ("replay", "kanalpromenade") and said.weeks else {}
        more |= {"keep": said.keep} if name == "kanalpromenade" and said.keep else {}
        more |= {"kills": said.kills} if name == "flight" and said.kills else {}
        more |= {"hours": said.hours} if name == "section" and said.hours else {}
        for key, value in module.run(**more).items():
            print(f"  {key:32} {_shown(value)}")
        print(f"  ({(clock.now_ns() - began_ns) / NS_PER_S:.0f} s)", flush=True)
    return 0


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:14,.3f}" if abs(value) < 100 else f"{value:14,.0f}"
    return f"{value:14,}" if isinstance(value, int) else f"{value!s:>14}"


if __name__ == "__main__":
    sys.exit(main())
