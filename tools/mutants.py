"""Does every change of the last gate and the lamps' policy fail a test? Mutants by mutmut, tried in forks.

``python tools/mutants.py [PATTERN ...]`` tries the mutants of all files of ``[tool.mutmut]`` in pyproject.toml, or of
those whose path a pattern matches (``sun``, ``controllers/lighting/*``). Outcomes are kept in ``mutants/``: one that
was killed counts until its file or the test file that killed it changes, any other until a test file changes. So a run
that was broken off goes on. At the end it prints a table by file, and every survivor as it would stand in
``tests/mutants-explained.toml``, where those are that change nothing anybody could see, each with the reason.

Exit codes: 0 every file has at least 95 % of its mutants killed and every survivor is explained, 1 not, 2 wrong use,
3 tests fail without any mutant.
"""

from __future__ import annotations

import argparse
import fcntl
import fnmatch
import hashlib
import json
import os
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import monotonic  # noqa: TID251 - how long it takes yet, for people; no decision
from typing import Any

import mutant_forks
from mutant_forks import Forks, Loader, Mutant, Outcome

ROOT = Path(__file__).parents[1]
MUTMUT = ROOT / ".venv" / "mutmut"
KEPT = Path(os.environ.get("LEEZE_MUTANTS", ROOT / "mutants")) / "outcomes.json"
EXPLAINED = ROOT / "tests" / "mutants-explained.toml"
LEAST_PCT = 95
EVERY_S = 20
QUICK = ["-q", "-s", "--timeout=0", "-p", "no:xdist", "-p", "no:logging", "-p", "no:randomly"]

Key = tuple[str, str, int]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="parts of paths, or patterns with * for them")
    parser.add_argument("-j", "--at-a-time", type=int, default=os.cpu_count() or 1, help="forks at a time")
    parser.add_argument("-t", "--tests", action="append", help="only these tests (part of a path), e.g. for one file")
    parser.add_argument("--again", action="store_true", help="nothing kept counts")
    parser.add_argument("--known", action="store_true", help="try nothing; what is known, by whatever tests")
    told = parser.parse_args(arguments)
    files = [file for file in settings()["source_paths"] if _chosen(file, told.patterns)]
    tests = [file for file in settings()["pytest_add_cli_args_test_selection"] if _chosen(file, told.tests)]
    if not files or not tests:
        parser.error("no file of [tool.mutmut] in pyproject.toml has that in its path")
    os.chdir(ROOT)
    sys.path.append(str(MUTMUT))  # last: its pytest is not ours
    mutants, sources = _mutants(files)
    kept = {} if told.again else _kept(mutants, None if told.known else tests)
    print(f"{len(mutants)} mutants in {len(files)} files, {len(kept)} of them known from before", flush=True)
    run = Run(mutants, kept, tests)
    failing = run.all(sources, told.at_a_time) if len(kept) < len(mutants) and not told.known else []
    for test in failing:
        print(f"fails without any mutant, and was left out: {test}")
    fine = report(files, mutants, [run.outcomes[key(one)] for one in mutants if key(one) in run.outcomes])
    if untried := len(mutants) - len(run.outcomes):
        print(f"{untried} mutants were not tried: call it again and it goes on")
    return 3 if failing else 0 if fine and not untried else 1


def settings() -> dict[str, list[str]]:
    """What ``[tool.mutmut]`` of pyproject.toml says: files and tests."""
    found: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
    return found


def key(mutant: Mutant) -> Key:
    """What a mutant is known by: it outlives changes elsewhere in the file, and elsewhere in its function."""
    return mutant.function, mutant.change, mutant.nth


class Run:
    """Outcomes of one run, kept as they come."""

    def __init__(self, mutants: list[Mutant], kept: dict[Key, Outcome], tests: list[str]) -> None:
        self.outcomes = dict(kept)
        self._waiting = [mutant for mutant in mutants if key(mutant) not in kept]
        self._tests = tests
        # as they were before the first fork: what is changed meanwhile was not tried
        self._digests = {file: digest([file]) for file in {*tests, *(mutant.file for mutant in mutants)}}
        self._digests[""] = digest(tests)
        self._began_s = self._said_s = 0.0
        self._new: list[Outcome] = []

    def all(self, sources: dict[str, tuple[Path, str]], at_a_time: int) -> list[str]:
        """Try those that are not known. Returns the tests that fail without any."""
        import pytest

        sys.meta_path.insert(0, Loader(sources))
        forks = Forks(self._waiting, at_a_time, self._told)
        try:
            pytest.main([*QUICK, *self._tests], plugins=[forks])
        finally:
            self._keep()
        return forks.failing

    def _told(self, outcome: Outcome) -> None:
        now_s = monotonic()
        self._began_s = self._began_s or now_s
        self.outcomes[key(outcome.mutant)] = outcome
        self._new.append(outcome)
        done, left = len(self._new), len(self._waiting) - len(self._new)
        if now_s - self._said_s > EVERY_S:
            self._said_s = now_s
            left_min = (now_s - self._began_s) / done * left / 60
            survivors = sum(one.state in ("survived", "untested") for one in self.outcomes.values())
            print(f"{done} done, {left} left, about {left_min:.0f} min; {survivors} survive", flush=True)
            self._keep()

    def _keep(self) -> None:
        """What was found, each with what it depends on."""
        KEPT.parent.mkdir(exist_ok=True)
        with KEPT.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # several may run beside each other, of other files
            kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
            for mutant, state, by in self._new:
                depends = [self._digests[mutant.file], self._digests[by]]
                kept[f"{mutant.function} {mutant.nth} {mutant.change}"] = [state, by, *depends]
            (new := KEPT.with_suffix(".new")).write_text(json.dumps(kept, indent=0), "utf-8")
            new.replace(KEPT)


def report(files: list[str], mutants: list[Mutant], outcomes: list[Outcome]) -> bool:
    """Print survivors and the table. True: all is well."""
    reasons, fine = explained(), True
    for one in outcomes:
        survives, name = one.state in ("survived", "untested"), key(one.mutant)
        if survives and name not in reasons:
            fine = False
            what = "" if one.state == "survived" else "  # no test runs it"
            nth = f"nth = {one.mutant.nth}\n" if one.mutant.nth > 1 else ""
            print(f"\n[[mutant]]{what}\nfunction = \"{name[0]}\"\n{nth}change = '''\n{name[1]}'''\nreason = \"\"")
        elif name in reasons and not survives:
            print(f"\n{EXPLAINED.name}: no longer true, it is killed: {name[0]}\n{name[1]}")
    there = {key(mutant) for mutant in mutants}
    of_these = tuple(mutant_forks.module_name(file) + "." for file in files)
    for gone in (name for name in reasons if name not in there and name[0].startswith(of_these)):
        print(f"\n{EXPLAINED.name}: there is no such mutant: {gone[0]}\n{gone[1]}")
    print("\n| file | mutants | killed | of those endless | survive, explained | survive | share |")
    print("|---|---|---|---|---|---|---|")
    for file in [*files, "all"]:
        of = [one for one in outcomes if file in (one.mutant.file, "all")]
        count = Counter(one.state for one in of)
        killed = count["killed"] + count["endless"]
        known = sum(one.state in ("survived", "untested") and key(one.mutant) in reasons for one in of)
        share = 100 * killed / len(of) if of else 0.0
        fine = fine and share >= LEAST_PCT
        short = file.removesuffix(".py").removeprefix("controllers/").replace("/", ".")
        print(
            f"| `{short}` | {len(of)} | {killed} | {count['endless']} | {known} | {len(of) - killed - known} "
            f"| {share:.1f} % |"
        )
    return fine


def explained() -> dict[Key, str]:
    """The reasons, by mutant."""
    entries = tomllib.loads(EXPLAINED.read_text("utf-8")).get("mutant", []) if EXPLAINED.exists() else []
    return {(one["function"], one["change"], one.get("nth", 1)): one["reason"] for one in entries}


def digest(files: list[str]) -> str:
    """Of the text of files, and of what all tests build on where there are several."""
    paths = [Path(file) for file in files] + (sorted(Path("tests/rigs").rglob("*.py")) if len(files) > 1 else [])
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths if path.exists())).hexdigest()[:16]


def _kept(mutants: list[Mutant], tests: list[str] | None) -> dict[Key, Outcome]:
    """What holds of what was found before. Without `tests`, however they have changed since."""
    kept: dict[str, list[Any]] = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    known: dict[str, str] = {}

    def same(files: list[str], was: str) -> bool:
        name = " ".join(files)
        known[name] = known.get(name) or digest(files)
        return known[name] == was

    found = {}
    for mutant in mutants:
        state, by, source, test = kept.get(f"{mutant.function} {mutant.nth} {mutant.change}", ["", "", "", ""])
        if state and same([mutant.file], source) and (tests is None or same([by] if by else tests, test)):
            found[key(mutant)] = Outcome(mutant, state, by)
    return found


def _mutants(files: list[str]) -> tuple[list[Mutant], dict[str, tuple[Path, str]]]:
    mutants, sources = [], {}
    KEPT.parent.mkdir(exist_ok=True)
    for file in files:
        name = mutant_forks.module_name(file)
        # kept as well: with all files it takes mutmut half a minute
        if not (copy := KEPT.with_name(f"{name}.{digest([file])}.py")).exists():
            for old in KEPT.parent.glob(f"{name}.*.py"):
                old.unlink(missing_ok=True)
            copy.write_text(mutant_forks.written(ROOT / file), "utf-8")
        code = copy.read_text("utf-8")
        sources[name] = (ROOT / file, code)
        mutants += mutant_forks.mutants_in(code, file)
    return mutants, sources


def _chosen(file: str, patterns: Sequence[str] | None) -> bool:
    return not patterns or any(re.search(fnmatch.translate(f"*{pattern}*"), file) for pattern in patterns)


if __name__ == "__main__":
    sys.exit(main())
