"""Does the lock install on the boards it claims? Every package of it, and of the extras, as a wheel for each system.

``python tools/boards_lock.py`` asks the package index, by pip itself, for each package alone: a wheel for 64-bit ARM
and the Python of that system, built for a C library no newer than it has, with a hash that stands in the lock. What has
no wheel has to stand in EXCEPTIONS with what to do; what stands there without need is an error too. Packages that the
lock itself leaves out on these systems are left out here.

Exit codes: 0 as expected, 1 not, 2 pip cannot ask the index.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
DEADLINE_S = 180


class System(NamedTuple):
    """What runs on a board: its Python and the newest C library a wheel may ask for (glibc 2.n)."""

    name: str
    python: str
    glibc_minor: int


SYSTEMS = (System("bookworm", "3.11", 36), System("trixie", "3.13", 41))
MACHINE = "aarch64"

EXCEPTIONS = {
    ("crcmod", "3.11"): "no wheel exists; pip builds it, and it is pure Python: no compiler is needed",
    ("crcmod", "3.13"): "no wheel exists; pip builds it, and it is pure Python: no compiler is needed",
    ("rpi.gpio", "3.11"): "no wheel exists; apt-get install gcc python3-dev, or the system's python3-rpi.gpio",
    ("rpi.gpio", "3.13"): "no wheel exists; apt-get install gcc python3-dev, or the system's python3-rpi.gpio",
    ("lgpio", "3.13"): "no wheel for this Python; apt-get install swig liblgpio-dev gcc python3-dev, "
    "or the system's python3-lgpio",
}
PURE = ("crcmod",)
"""Exceptions that are said to build without a compiler: tried here, with a compiler that fails."""


class Wanted(NamedTuple):
    """One line to ask pip for; `hashes` is empty for the extras, which the lock does not hold."""

    requirement: Requirement
    hashes: tuple[str, ...]
    of: str


def locked() -> list[Wanted]:
    """The lock, package by package."""
    text = re.sub(r"\\\n", " ", re.sub(r"(?m)^ *#.*\n", "", (ROOT / "requirements.lock").read_text(encoding="utf-8")))
    found = []
    for line in text.splitlines():
        said, *hashes = line.split("--hash=")
        if said.strip():
            found.append(Wanted(Requirement(said), tuple(part.strip() for part in hashes), "lock"))
    return found


def extras() -> list[Wanted]:
    """What a Raspberry Pi needs beside it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    by_line: dict[str, list[str]] = {}
    for extra, lines in project["optional-dependencies"].items():
        for line in lines:
            by_line.setdefault(line, []).append(extra)
    return [Wanted(Requirement(line), (), f"extra {', '.join(names)}") for line, names in by_line.items()]


def is_for(wanted: Wanted, system: System) -> bool:
    """Whether the lock asks for it on that system at all."""
    marker = wanted.requirement.marker
    environment = {
        "python_version": system.python,
        "python_full_version": f"{system.python}.0",
        "platform_machine": MACHINE,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    return marker is None or marker.evaluate(environment)


def wheel(wanted: Wanted, system: System, folder: Path) -> tuple[str, str]:
    """(file name of the wheel pip takes, what pip says where it takes none)."""
    line = str(Requirement(f"{wanted.requirement.name}{wanted.requirement.specifier}"))
    asked = folder / "asked.txt"
    asked.write_text(line + "".join(f" --hash={one}" for one in wanted.hashes) + "\n", encoding="utf-8")
    into = folder / system.name / wanted.requirement.name
    platforms = [f"manylinux_2_{minor}_{MACHINE}" for minor in range(system.glibc_minor, 16, -1)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={system.python}"]
    command += [f"--platform={one}" for one in [*platforms, f"manylinux2014_{MACHINE}"]]
    command += ["--require-hashes"] if wanted.hashes else []
    done = run([*command, "--dest", str(into), "--requirement", str(asked)])
    there = sorted(into.glob("*.whl")) if done.returncode == 0 else []
    return (there[0].name if there else "", done.stderr)


def builds_pure(name: str, folder: Path) -> str:
    """The wheel that pip builds of a source distribution with a compiler that fails; empty if it cannot."""
    (wanted,) = (one for one in locked() if one.requirement.name == name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-cache-dir", f"--no-binary={name}", "--wheel-dir", str(folder / "built")]
    run([*command, f"{name}{wanted.requirement.specifier}"], CC="false", CXX="false")
    built = sorted((folder / "built").glob(f"{name}-*-none-any.whl"))
    return built[0].name if built else ""


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """With a deadline."""
    return subprocess.run(  # noqa: S603 - pip of this Python
        command, capture_output=True, text=True, timeout=DEADLINE_S, check=False, env=os.environ | environment
    )


def kind(file: str) -> str:
    """Of a wheel's name what says for whom it is: ``"cp311 manylinux_2_34"``, ``"pure"``."""
    python, _, platform = file.removesuffix(".whl").split("-")[-3:]
    if platform == "any":
        return "pure"
    tags = [tag.removesuffix(f"_{MACHINE}") for tag in platform.split(".")]
    return f"{python} {min(tags, key=len)}"


def main() -> int:
    """Print the table; gives the exit code."""
    wrong: list[str] = []
    seen_exceptions = set()
    everything = locked() + extras()
    print(f"{'package':42} {'version':22} {'of':14} " + " ".join(f"{s.name + ' ' + s.python:24}" for s in SYSTEMS))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for wanted in everything:
            name = wanted.requirement.name
            cells, version = [], ""
            for system in SYSTEMS:
                if not is_for(wanted, system):
                    cells.append("-")
                    continue
                file, said = wheel(wanted, system, folder)
                version = file.split("-")[1] if file else version
                excepted = (name.lower(), system.python)
                if file:
                    cells.append(kind(file))
                    if excepted in EXCEPTIONS:
                        wrong.append(f"{name}: has a wheel for {system.python} now; take it off EXCEPTIONS")
                elif "No matching distribution" not in said:
                    print(said, file=sys.stderr)
                    return 2
                else:
                    cells.append("NO WHEEL" if excepted not in EXCEPTIONS else "exception")
                    seen_exceptions.add(excepted)
                    if excepted not in EXCEPTIONS:
                        wrong.append(f"{name}: no wheel for {MACHINE}, Python {system.python}, that the lock allows")
            version = version or str(wanted.requirement.specifier).removeprefix("==")
            print(f"{name:42} {version:22} {wanted.of:14} " + " ".join(f"{cell:24}" for cell in cells), flush=True)
        print("\nexceptions:")
        for (name, python), why in EXCEPTIONS.items():
            print(f"  {name}, Python {python}: {why}")
        for name in PURE:
            file = builds_pure(name, folder)
            print(f"  {name} built here with a compiler that fails: {file or 'FAILED'}")
            if not file:
                wrong.append(f"{name}: does not build without a compiler")
    wrong += [f"{name}: not asked for; take it off EXCEPTIONS" for name, _ in EXCEPTIONS.keys() - seen_exceptions]
    for line in sorted(set(wrong)):
        print(f"wrong: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
