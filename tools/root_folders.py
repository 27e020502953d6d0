"""Root folders of other machines: a Debian's own Python for another processor, with the packages of the lock.

No installation and no boot: mmdebstrap extracts Debian's packages, pip puts the locked wheels of that Python and
processor beside them, and Python is called in a ``chroot``, under qemu-user where the processor is another. Made once,
kept in a cache folder, made anew when the lock or this recipe has changed. Mirror and index are those this machine is
set up with. Needs root (for ``chroot``) and the Debian packages that `lacking` names.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from boards_lock import PURE, ROOT, Wanted, locked
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

RECIPE = "1"
"""Another number makes every folder anew."""
DEADLINE_S = 900
INSIDE = "leeze"
"""Our folder in a root folder: packages, project and what a run reads."""
MACHINES_OF = {"amd64": "x86_64", "arm64": "aarch64"}
"""Debian's word for a processor, and Linux' word, which wheels and qemu use."""
EMULATED = {"arm64": ["-cpu", "cortex-a72"]}
"""For qemu: a Raspberry Pi 4's. Any newer one signs return addresses (Debian asks for it), which costs four times."""


class RefusedError(Exception):
    """What is wrong and what to do, in one line for people."""


class Machine(NamedTuple):
    """A Debian, its Python, the newest C library a wheel may ask for (glibc 2.n), and a processor by Debian's name."""

    debian: str
    python: str
    glibc_minor: int
    processor: str

    @property
    def name(self) -> str:
        """``"trixie-arm64"``: names the folder as well."""
        return f"{self.debian}-{self.processor}"

    @property
    def emulator(self) -> str:
        """Name of the qemu-user program it needs here; empty where the processor is this machine's own."""
        linux = MACHINES_OF[self.processor]
        return "" if linux == platform.machine() else f"qemu-{linux}-static"


MACHINES = tuple(
    Machine(debian, python, glibc_minor, processor)
    for debian, python, glibc_minor in (("bookworm", "3.11", 36), ("trixie", "3.13", 41))
    for processor in MACHINES_OF
)


def lacking(machines: list[Machine]) -> str:
    """What keeps root folders from being made or used here, as a line that says what to do; empty if nothing."""
    if not machines:
        return ""
    if os.geteuid() != 0:
        return "root folders need root (chroot): run this as root, or with --machine here alone"
    programs = {"mmdebstrap": "mmdebstrap", "chroot": "coreutils", "taskset": "util-linux"}
    programs |= {machine.emulator: "qemu-user-static" for machine in machines if machine.emulator}
    missing = sorted({package for program, package in programs.items() if shutil.which(program) is None})
    return f"missing here: apt-get install {' '.join(missing)}" if missing else ""


def debian_source(targets: str) -> str:
    """Of what ``apt-get indextargets`` says, the mirror of Debian itself (not of its security archive).

    One line for each target: ``address|created by|origin|label|component``. Raises RefusedError where there is none.
    """
    for line in targets.splitlines():
        address, *rest = line.split("|")
        if rest == ["Packages", "Debian", "Debian", "main"]:
            return address
    raise RefusedError(
        "apt knows no mirror of Debian's main archive here; add one to the apt sources and run apt-get update"
    )


def closure(direct: list[str], requires: dict[str, list[str]], environment: dict[str, str]) -> set[str]:
    """Names of all packages that `direct` asks for, and those ask for, on a machine of that marker environment."""
    found: set[str] = set()
    left = [Requirement(line) for line in direct]
    while left:
        wanted = left.pop()
        name = canonicalize_name(wanted.name)
        if name in found or not (wanted.marker is None or wanted.marker.evaluate(environment)):
            continue
        found.add(name)
        left += [Requirement(line) for line in requires.get(name, [])]
    return found


def markers(machine: Machine) -> dict[str, str]:
    """What requirement markers are asked against."""
    return {
        "python_version": machine.python,
        "python_full_version": f"{machine.python}.0",
        "platform_machine": MACHINES_OF[machine.processor],
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "extra": "",
    }


def needed(machine: Machine) -> list[Wanted]:
    """The lines of the lock that a running board or rig needs there: none of those only tests and linters need."""
    requires: dict[str, list[str]] = {
        canonicalize_name(one.metadata["Name"]): one.requires or [] for one in metadata.distributions()
    }  # what is installed beside this tool is what the lock names
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = closure(project["dependencies"], requires, markers(machine))
    return [one for one in locked() if canonicalize_name(one.requirement.name) in names]


def stamp(machine: Machine) -> str:
    """Changes with everything a folder is made from."""
    lock = (ROOT / "requirements.lock").read_bytes()
    return hashlib.sha256(f"{RECIPE} {machine} ".encode() + lock).hexdigest()


def size_mib(folder: Path) -> int:
    """Of all files in it."""
    paths = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_size for path in paths) // 2**20


def made(machine: Machine, cache: Path) -> tuple[Path, bool]:
    """(its root folder, whether it had to be made). Raises RefusedError with what the tool concerned said."""
    root = cache / machine.name
    ready = root / INSIDE / "ready"
    if ready.is_file() and ready.read_text("utf-8") == stamp(machine):
        return root, False
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{machine.name}-", dir=cache) as place:
        new = Path(place) / "root"
        _debian(machine, new)
        _packages(machine, new / INSIDE / "packages", Path(place))
        if machine.emulator:
            emulator = shutil.which(machine.emulator)
            assert emulator is not None, "lacking() has been asked"
            shutil.copy(emulator, new / "usr/bin")
        (new / INSIDE / "ready").write_text(stamp(machine), encoding="utf-8")
        shutil.rmtree(root, ignore_errors=True)
        new.rename(root)
    return root, True


def python(machine: Machine, root: Path) -> list[str]:
    """The command that calls its Python, to be followed by Python's arguments."""
    emulator = [f"/usr/bin/{machine.emulator}", *EMULATED.get(machine.processor, [])] if machine.emulator else []
    return ["chroot", str(root), *emulator, f"/usr/bin/python{machine.python}"]


def _debian(machine: Machine, root: Path) -> None:
    form = "$(REPO_URI)|$(CREATED_BY)|$(ORIGIN)|$(LABEL)|$(COMPONENT)"
    mirror = debian_source(_said(["apt-get", "indextargets", "--format", form]))
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"  # of the Debian package of that name
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=extract", f"--architectures={machine.processor}"]
    command += ["--include=base-files,python3,libpython3-stdlib"]
    hook = Path("/usr/share/mmdebstrap/hooks/merged-usr")  # bookworm: /lib is a link that no package brings
    command += [f"--hook-dir={hook}"] if hook.is_dir() else []
    _said([*command, machine.debian, str(root), f"deb [signed-by={keyring}] {mirror} {machine.debian} main"])


def _packages(machine: Machine, into: Path, place: Path) -> None:
    """The locked packages, each held to its hashes; those without a wheel are built here, and have to be pure."""
    linux = MACHINES_OF[machine.processor]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    pure: list[str] = []
    wheels: list[str] = []
    for one in needed(machine):
        line = str(Requirement(f"{one.requirement.name}{one.requirement.specifier}"))
        line += "".join(f" --hash={digest}" for digest in one.hashes) + "\n"
        (pure if one.requirement.name in PURE else wheels).append(line)
    asked = place / "asked.txt"
    asked.write_text("".join(pure), encoding="utf-8")
    built = place / "built"
    command = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--require-hashes", "--wheel-dir", str(built)]
    command += ["--no-cache-dir", f"--no-binary={','.join(PURE)}"]  # not one that was built with a compiler before
    _said([*command, "--requirement", str(asked)], CC="false", CXX="false")
    asked.write_text("".join(wheels), encoding="utf-8")
    install = [*pip, "install", "--no-deps", "--no-compile", "--target", str(into), "--only-binary=:all:"]
    install += ["--implementation=cp", f"--python-version={machine.python}"]
    platforms = [f"manylinux_2_{minor}_{linux}" for minor in range(machine.glibc_minor, 16, -1)]
    install += [f"--platform={one}" for one in [*platforms, f"manylinux2014_{linux}"]]
    _said([*install, "--require-hashes", "--requirement", str(asked)])
    _said([*install, *(str(wheel) for wheel in sorted(built.glob("*-none-any.whl")))])


def _said(command: list[str], **environment: str) -> str:
    """What a command printed. Raises RefusedError with its last words."""
    try:
        done = subprocess.run(  # noqa: S603 - tools of this machine
            command,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            env=os.environ | environment | {"LC_ALL": "C"},
        )
    except FileNotFoundError:
        raise RefusedError(f"{command[0]}: not here") from None
    except subprocess.TimeoutExpired:
        raise RefusedError(f"{command[0]}: no end within {DEADLINE_S} s") from None
    if done.returncode != 0:
        words = [line for line in re.sub(r"\n+", "\n", done.stderr).splitlines() if not line.startswith("WARNING")]
        tool = " ".join(command[1:3]) if command[0] == sys.executable else command[0]
        raise RefusedError(f"{tool}: " + "; ".join(words[-3:]))
    return done.stdout
