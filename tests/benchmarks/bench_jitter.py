"""Lateness of the loop at 100 Hz beside a bare clock_nanosleep loop in C, both on one thread and in turn.

Five runs of ``leeze-controllers jitter``, each a process of its own; what counts is the median of their ratios. The
same again for a plain user (no real-time steps), and once under load.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[2]
RUNS, SECONDS = 5, 12


def run() -> dict[str, Any]:
    """Microseconds and ratios."""
    found: dict[str, Any] = {}
    for name, runs, words in (("real_time", RUNS, []), ("plain", RUNS, ["--plain"]), ("load", 1, ["--load"])):
        said = [_jitter(*words) for _ in range(runs)]
        middle = sorted(said, key=lambda each: each["p50_ratio"])[runs // 2]
        found[f"{name}_p50_ratio_median"] = median(each["p50_ratio"] for each in said)
        found[f"{name}_p50_ratios"] = " ".join(f"{each['p50_ratio']:.2f}" for each in said)
        for loop in ("loop", "bare"):
            figures = middle[loop]
            found[f"{name}_{loop}_us"] = " / ".join(f"{figures[quantile]:.0f}" for quantile in QUANTILES)
        found[f"{name}_passed_over"] = sum(each["loop"]["passed_over"] for each in said)
    found["steps_done"] = ", ".join(step["step"] for step in said[0]["real_time"] if step["done"])
    return found


QUANTILES = ("p50", "p99", "p999", "max")


def _jitter(*words: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "controllers", "jitter", "--seconds", str(SECONDS), "--json", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    said: dict[str, Any] = json.loads(done.stdout)
    return said
