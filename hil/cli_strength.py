"""`leeze-hil strength` and `faults`: which planted faults the shipped cases catch, and what the user then reads."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
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


def add_faults(verbs: Any) -> None:
    """Add the verb."""
    added = add_verb(
        verbs,
        "faults",
        _faults,
        "each kind of fault, a case that catches it, and what the user reads",
        "leeze-hil faults",
    )
    added.add_argument("--write", type=Path, metavar="docs/faults.md", help="renew it in this page")


def _faults(said: argparse.Namespace) -> int:
    from hil.fault_gallery import gallery, text, write

    found = gallery()
    if said.write is not None:
        write(said.write, found)
    else:
        print(text(found))
    passed = [one for one in found if one.result.verdict != "failed"]
    for one in passed:
        print(f"not caught: {one.result.command}", file=sys.stderr)
    return 1 if passed else 0


def _strength(said: argparse.Namespace) -> int:
    from hil.strength import matrix, strength

    with ProgressBar("strength") as progress:
        found = strength(said.cases, said.fault, jobs=said.jobs, done=progress.step)
    print(json.dumps(found.as_json()) if said.json else matrix(found))
    return 1 if found.missed else 0
