"""`leeze-hil strength`: which planted faults the shipped cases catch."""

from __future__ import annotations

import argparse
import json
from typing import Any

from drivers.terminal import add_verb
from hil.screen import ProgressBar


def add_strength(verbs: Any) -> None:
    """Add the verb."""
    added = add_verb(
        verbs,
        "strength",
        _strength,
        "run the shipped cases with faults planted in the boards; what is caught, by fault and by case",
        "leeze-hil strength --json",
    )
    added.add_argument("cases", nargs="*", metavar="CASE", help="shipped cases, default all")
    added.add_argument("--fault", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    added.add_argument("--jobs", type=int, default=0, metavar="N", help="processes, default one a processor")
    added.add_argument("--json", action="store_true", help="end with one JSON object")


def _strength(said: argparse.Namespace) -> int:
    from hil.strength import matrix, strength

    with ProgressBar("strength") as progress:
        found = strength(said.cases, said.fault, jobs=said.jobs, done=progress.step)
    print(json.dumps(found.as_json()) if said.json else matrix(found))
    return 1 if found.missed else 0
