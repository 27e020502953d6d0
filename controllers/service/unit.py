"""The files of a systemd service as they come with the package: units, user, modules, an example environment."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from typing import Final

from drivers.errors import InputError

PLACES: Final = {
    "leeze@.service": "/etc/systemd/system/leeze@.service",
    "leeze-keep@.service": "/etc/systemd/system/leeze-keep@.service",
    "leeze-panel@.service": "/etc/systemd/system/leeze-panel@.service",
    "leeze.sysusers": "/etc/sysusers.d/leeze.conf",
    "leeze.modules": "/etc/modules-load.d/leeze.conf",
    "leeze.rules": "/etc/udev/rules.d/70-leeze.rules",
    "leeze.env": "/etc/leeze/NAME.env",
    "leeze.panel.env": "/etc/leeze/NAME.panel.env",
}
"""Where each belongs on a board."""


def our_program() -> Path:
    """``leeze-controllers`` beside the Python that runs now."""
    return Path(sys.executable).with_name("leeze-controllers")


def text(name: str, program: Path) -> str:
    """One file, with the place of the program put in. Raises InputError for a path that systemd could not start."""
    if not program.is_absolute() or any(sign in str(program) for sign in " %$\"'\\"):
        raise InputError(f"--program {program}: an absolute path without spaces, quotes, % and $ is needed")
    source = files("controllers") / "service" / "systemd" / name
    return (
        source.read_text(encoding="utf-8")
        .replace("@PROGRAM@", str(program))
        .replace("@DRIVERS@", str(program.with_name("leeze-drivers")))
    )


def write(folder: Path, program: Path) -> list[Path]:
    """All of them below `folder` (``/`` is the board itself); what is there is replaced, but no environment file."""
    written = []
    for name, place in PLACES.items():
        path = folder / place.lstrip("/")
        if name.endswith(".env"):
            path = path.with_name(name.replace("leeze", "example", 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(name, program), encoding="utf-8")
        written.append(path)
    return written
