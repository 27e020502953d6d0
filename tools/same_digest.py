"""One digest on every machine? Replays the same cases and field recordings on other Pythons and processors.

``python tools/same_digest.py [CASE|RECORDING.mcap ...]`` runs ``leeze-hil replay`` here and in root folders of other
Debians (see root_folders), with several values of PYTHONHASHSEED, on one core and on two, with and without skipping
ticks, and compares the digests. Recordings of a flight recorder are re-run with ``--verify``. Where none is named, it
takes the cases that come with Leeze and two field recordings that it makes first (see field_recording). Under
emulation, some ten times slower, only as many runs as name each value of everything once; ``--every`` does all there.

Exit codes: 0 one digest for each, 1 not, 2 wrong use or something is missing here (it says what).
"""

from __future__ import annotations

import argparse
import filecmp
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic  # noqa: TID251 - how long a run took, for people; no decision
from typing import NamedTuple

from boards_lock import ROOT
from root_folders import INSIDE, MACHINES, MACHINES_OF, RefusedError, lacking, made, python, size_mib

PACKAGES = ("drivers", "boards", "controllers", "hil")
HERE = "here"
DEFAULT_MACHINES = (HERE, "trixie-amd64", "trixie-arm64")
CASES = ("kanalpromenade-evening", "leezenflow-crossing")
SEEDS, CORES, SKIPPING = ("0", "1", "random"), (1, 2), (True, False)
DEADLINE_S = 3600
WORDS = 160


class Variant(NamedTuple):
    """What differs between runs on one machine: PYTHONHASHSEED, how many cores it has, whether it skips ticks."""

    seed: str
    cores: int
    skipping: bool


class Subject(NamedTuple):
    """What is replayed: arguments of ``leeze-hil``, and the file that has to be there, if any; it is an argument."""

    name: str
    arguments: tuple[str, ...]
    file: Path | None = None


class Place(NamedTuple):
    """Where runs go: a name, how Python is called there, what the project's and our folder are called there."""

    name: str
    python: tuple[str, ...]
    path: str
    folder: Path
    inside: str
    emulated: bool


class Result(NamedTuple):
    """One run. `digest` is empty where it failed; then `said` is its last words."""

    subject: str
    place: str
    variant: Variant
    wall_s: float
    digest: str
    said: str = ""


def variants(*, every: bool, cores_here: int) -> list[Variant]:
    """All of them; or, with not `every`, as few as name each value once. Two cores only where there are two."""
    cores = [count for count in CORES if count <= cores_here]
    if every:
        return [Variant(*each) for each in itertools.product(SEEDS, cores, SKIPPING)]
    return [
        Variant(seed, cores[at % len(cores)], SKIPPING[(at + 1) // 2 % len(SKIPPING)]) for at, seed in enumerate(SEEDS)
    ]


def digest_in(said: str) -> str:
    """``digest`` of the JSON object that a run ends with; empty if there is none."""
    try:
        return str(json.loads(said.splitlines()[-1])["digest"])
    except (IndexError, KeyError, TypeError, ValueError):
        return ""


def faults(results: Iterable[Result]) -> list[str]:
    """A line for each run that failed, and for each subject that has more than one digest, with where it has which."""
    lines = []
    runs: dict[str, dict[str, list[Result]]] = {}
    for one in results:
        if not one.digest:
            lines.append(f"{one.subject} on {one.place} ({said_of(one.variant)}): failed: {one.said}")
        else:
            runs.setdefault(one.subject, {}).setdefault(one.digest, []).append(one)
    for subject, by_digest in runs.items():
        if len(by_digest) > 1:
            lines.append(f"{subject}: {len(by_digest)} digests")
            for digest, ones in by_digest.items():
                where = "; ".join(f"{one.place} ({said_of(one.variant)})" for one in ones)
                lines.append(f"  {digest[:16]}: {where}")
    return lines


def said_of(variant: Variant) -> str:
    """``"seed 0, 1 core, skipping"``."""
    cores = "1 core" if variant.cores == 1 else f"{variant.cores} cores"
    return f"seed {variant.seed}, {cores}, {'skipping' if variant.skipping else 'every tick'}"


def row(cells: Sequence[object]) -> str:
    """A line of the table."""
    return "{:28} {:14} {:>4}  {:11} {:5} {:14} {:>13}  {}".format(*cells)


HEAD = row(("replayed", "machine", "runs", "hash seeds", "cores", "ticks", "seconds a run", "digest"))


def row_of(ones: Sequence[Result]) -> str:
    """The line of all runs of one subject on one machine."""
    seeds = " ".join(dict.fromkeys(one.variant.seed for one in ones))
    cores = " ".join(dict.fromkeys(str(one.variant.cores) for one in ones))
    ticks = " ".join(dict.fromkeys("skipping" if one.variant.skipping else "every" for one in ones))
    seconds = f"{min(one.wall_s for one in ones):.1f} - {max(one.wall_s for one in ones):.1f}"
    digests = dict.fromkeys(one.digest[:16] or "FAILED" for one in ones)
    return row((ones[0].subject, ones[0].place, len(ones), seeds, cores, ticks, seconds, " ".join(digests)))


def summary(results: list[Result]) -> list[str]:
    """A line for each subject that has one digest on all its runs."""
    lines = []
    for subject in dict.fromkeys(one.subject for one in results):
        ones = [one for one in results if one.subject == subject]
        if all(one.digest for one in ones) and len({one.digest for one in ones}) == 1:
            places = len({one.place for one in ones})
            lines.append(f"{subject}: one digest, {len(ones)} runs on {places} machines: {ones[0].digest}")
    return lines


def mirror(source: Path, target: Path) -> None:
    """Make `target` hold the files of `source`, and leave what is the same alone: Python keeps what it compiled."""
    target.mkdir(parents=True, exist_ok=True)
    wanted = {path.relative_to(source) for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    for path in sorted(target.rglob("*")):
        if path.is_file() and path.suffix != ".pyc" and path.relative_to(target) not in wanted:
            path.unlink()
    for name in sorted(wanted):
        at = target / name
        if not at.is_file() or not filecmp.cmp(source / name, at, shallow=False):
            at.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, at)


def arguments(subject: Subject, place: Place, variant: Variant) -> list[str]:
    """Those of ``leeze-hil`` for that run."""
    given = str(subject.file) if subject.file is not None and place.name == HERE else ""
    given = given or (f"{place.inside}/given/{subject.file.name}" if subject.file is not None else "")
    words = [given if subject.file is not None and word == str(subject.file) else word for word in subject.arguments]
    return words if variant.skipping else [*words, "--no-skip"]


def run(subject: Subject, place: Place, variant: Variant, cores: Sequence[int]) -> Result:
    """One run, in an environment that holds nothing of this one but where programs are."""
    command = ["taskset", "--cpu-list", ",".join(str(core) for core in cores[: variant.cores]), *place.python]
    command += ["-m", "hil", *arguments(subject, place, variant)]
    environment = {"PATH": os.environ["PATH"], "HOME": "/tmp", "PYTHONPATH": place.path}  # noqa: S108 - of the root folder
    from_s = monotonic()
    try:
        done = subprocess.run(  # noqa: S603 - our program
            command,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            cwd=place.folder,
            env=environment | {"PYTHONHASHSEED": variant.seed},
        )
    except subprocess.TimeoutExpired:
        return Result(subject.name, place.name, variant, monotonic() - from_s, "", f"no end within {DEADLINE_S} s")
    wall_s = monotonic() - from_s
    digest = digest_in(done.stdout) if done.returncode == 0 else ""
    words = " ".join((done.stderr or done.stdout).split()[-40:])[-WORDS:]
    return Result(subject.name, place.name, variant, wall_s, digest, words or f"exit code {done.returncode}")


def subjects(given: Sequence[str], seconds: float | None) -> list[Subject]:
    """What was asked for. Raises RefusedError for a file that is none, and for two of one name."""
    found = []
    for word in given:
        if word.endswith(".mcap"):
            path = Path(word).resolve()
            if not path.is_file():
                raise RefusedError(f"{word}: no such recording")
            verify = ["--verify"] if is_flight(path) else []
            found.append(Subject(path.name, ("replay", str(path), *verify, "--json"), path))
        else:
            end = [] if seconds is None else ["--seconds", str(seconds)]
            found.append(Subject(word, ("replay", word, *end, "--json")))
    names = [one.name for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise RefusedError(f"{twice}: given twice; recordings need file names of their own")
    return found


def recorded(folder: Path, seconds: float) -> list[str]:
    """Field recordings made now, one of each kind of board, with a line each. Raises RefusedError."""
    from field_recording import KINDS, record

    found = []
    for kind in KINDS:
        path = record(kind, folder, seconds)
        print(f"recorded {path.name}: {seconds:g} s, {path.stat().st_size:,} bytes", flush=True)
        found.append(str(path))
    return found


def is_flight(path: Path) -> bool:
    """Whether a flight recorder wrote it: its head says by which controller."""
    with path.open("rb") as file:
        return b"leeze-controller" in file.read(65_536)


def places(names: Sequence[str], cache: Path, project: Path, files: Sequence[Path]) -> list[Place]:
    """Set up what was asked for, with a line each. Raises RefusedError."""
    found = []
    for name in names:
        from_s = monotonic()
        if name == HERE:
            found.append(Place(HERE, (sys.executable,), str(project), project, str(project), emulated=False))
            print(f"{HERE}: Python {platform.python_version()}, {platform.machine()}")
            continue
        machine = next(one for one in MACHINES if one.name == name)
        root, new = made(machine, cache)
        ours = root / INSIDE
        mirror(project, ours / "project")
        shutil.rmtree(ours / "given", ignore_errors=True)
        (ours / "given").mkdir()
        for file in files:
            shutil.copy(file, ours / "given")
        command = tuple(python(machine, root))
        path = f"/{INSIDE}/project:/{INSIDE}/packages"
        found.append(Place(name, command, path, Path("/"), f"/{INSIDE}", emulated=bool(machine.emulator)))
        said = said_version(found[-1])
        state = "made" if new else "kept"
        print(f"{name}: {said}, {size_mib(root)} MiB, {state}, {monotonic() - from_s:.0f} s", flush=True)
    return found


def said_version(place: Place) -> str:
    """What Python there says of itself; and it compiles what a replay imports, so that no run's time holds that."""
    ask = "import platform, hil.cli, hil.replay; print(f'Python {platform.python_version()}, {platform.machine()}')"
    done = subprocess.run(  # noqa: S603 - our program
        [*place.python, "-c", ask],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        cwd=place.folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": place.path},
    )
    if done.returncode != 0:
        raise RefusedError(f"{place.name}: its Python does not run: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.strip()


def parser() -> argparse.ArgumentParser:
    """The command line."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "leeze-machines"
    known = [HERE, *(one.name for one in MACHINES)]
    made_of = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made_of.add_argument(
        "subjects",
        nargs="*",
        metavar="CASE|RECORDING.mcap",
        help=f"default: {' '.join(CASES)}, and field recordings made now",
    )
    made_of.add_argument("--record-s", type=float, default=60, help="how long those are (default: %(default)s)")
    made_of.add_argument("--keep", type=Path, help="keep them in this new folder")
    made_of.add_argument(
        "--machine", action="append", choices=[*known, "all"], help=f"may be repeated; default: {DEFAULT_MACHINES}"
    )
    made_of.add_argument("--cache", type=Path, default=cache, help="where root folders are kept (default: %(default)s)")
    made_of.add_argument("--seconds", type=float, help="end a case after so many of its seconds")
    which = made_of.add_mutually_exclusive_group()
    which.add_argument("--every", action="store_true", help="every combination under emulation as well")
    which.add_argument("--few", action="store_true", help="as few as under emulation here as well: for long recordings")
    return made_of


def main() -> int:
    """Print the table; gives the exit code."""
    asked = parser().parse_args()
    names = list(dict.fromkeys(asked.machine or DEFAULT_MACHINES))
    if "all" in names:
        names = [HERE, *(one.name for one in MACHINES)]
    cores = sorted(os.sched_getaffinity(0))
    try:
        if platform.machine() not in MACHINES_OF.values():
            raise RefusedError(f"this machine is {platform.machine()}; root folders are made on {MACHINES_OF}")
        missing = lacking([one for one in MACHINES if one.name in names])
        if missing:
            raise RefusedError(missing)
        given = asked.subjects
        subjects(given, asked.seconds)  # what is wrong there is said before anything is made
        with tempfile.TemporaryDirectory() as folder:
            if not given:
                into = asked.keep or Path(folder) / "recordings"
                into.mkdir(parents=True, exist_ok=False)
                given = [*CASES, *recorded(into, asked.record_s)]
            todo = subjects(given, asked.seconds)
            project = Path(folder) / "project"  # a copy: nobody edits it while it runs, and all run the same
            for package in PACKAGES:
                mirror(ROOT / package, project / package)
            there = places(names, asked.cache, project, [one.file for one in todo if one.file is not None])
            results = table(todo, there, cores, asked.every, asked.few)
    except RefusedError as error:
        print(error, file=sys.stderr)
        return 2
    print()
    if len(cores) < max(CORES):
        print("on two cores: not run, this process may use one only")
    print("\n".join(summary(results)))
    wrong = faults(results)
    for line in wrong:
        print(f"wrong: {line}")
    return 1 if wrong else 0


def table(
    todo: Sequence[Subject], there: Sequence[Place], cores: Sequence[int], every: bool, few: bool
) -> list[Result]:
    """Run everything, a printed line for each subject on each machine."""
    print("\n" + HEAD)
    results = []
    for subject in todo:
        for place in there:
            wanted = variants(every=every or not (few or place.emulated), cores_here=len(cores))
            ones = [run(subject, place, variant, cores) for variant in wanted]
            print(row_of(ones), flush=True)
            results += ones
    return results


if __name__ == "__main__":
    sys.exit(main())
