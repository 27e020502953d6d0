"""Start of a lamp board's process, time and memory, beside `python -c pass` started in the same run.

Each program runs in a process of its own, in turn with the others, so that a busy machine slows all of them. Memory is
what the kernel counts as resident at the end of the start. Time is that of the imports and of the building, as the
process itself sees it, and from outside with the interpreter's own start.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from drivers.clock import SystemClock

ROOT = Path(__file__).parents[2]
ROUNDS = 7

_BEFORE = "import time; began = time.perf_counter()"
_AFTER = """
took = time.perf_counter() - began
with open("/proc/self/status") as status:
    kb = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
import json; print(json.dumps({"s": took, "mb": kb / 1024}))
"""

PROGRAMS = {
    "bare": "pass",
    "board": 'from boards.build import build, load_board; build(load_board("kanalpromenade-lamp"), emit=print)',
    "controller": """
from controllers.service.assemble import assemble
from controllers.service.run import RealTimeLoop
from controllers.service.sites import load_site
assemble(load_site("kanalpromenade-reference"), controller="west")""",
    "controller_libraries": """
from controllers.service.assemble import assemble
from controllers.service.run import RealTimeLoop
from controllers.service.sites import load_site
assemble(load_site("kanalpromenade-reference"), controller="west")
import gpiozero, serial  # what its wires load when they open""",
}


def run() -> dict[str, Any]:
    """Least of seven rounds each: seconds of import and building, whole process in ms, MB resident."""
    clock = SystemClock()
    inside: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    whole: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    memory: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name, program in PROGRAMS.items():
            start_ns = clock.now_ns()
            done = subprocess.run(
                [sys.executable, "-c", f"{_BEFORE}\n{program}\n{_AFTER}"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=100,
                check=True,
            )
            whole[name].append((clock.now_ns() - start_ns) / 1e6)
            said = json.loads(done.stdout.splitlines()[-1])
            inside[name].append(said["s"])
            memory[name] = said["mb"]
    result: dict[str, Any] = {}
    for name in PROGRAMS:
        result[f"{name}_s"] = min(inside[name])
        result[f"{name}_process_ms"] = min(whole[name])
        result[f"{name}_mb"] = memory[name]
    result["board_mb_above_bare"] = memory["board"] - memory["bare"]
    result["controller_process_per_bare"] = min(whole["controller"]) / min(whole["bare"])
    return result
