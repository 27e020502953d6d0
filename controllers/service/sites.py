"""Site files: found by name among the shipped ones or by path, read as what their product says."""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path
from typing import Literal

import msgspec

from controllers.greenwave.site import GreenwaveSite
from controllers.lighting.site import LightingSite, check
from drivers.errors import InputError
from drivers.settings import load_toml

Site = LightingSite | GreenwaveSite

REFERENCE = "kanalpromenade-reference"
"""The reference site: what traffic runs on where no other site is named."""


class _Header(msgspec.Struct):
    product: Literal["lighting", "greenwave"]


def shipped() -> dict[str, Path]:
    """The sites that come with the package, by name."""
    folder = Path(str(files("controllers") / "sites"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def site_path(name_or_path: str) -> Path:
    """A path as given, or that of a shipped site. Raises InputError with the names there are."""
    known = shipped()
    if name_or_path in known:
        return known[name_or_path]
    path = Path(name_or_path)
    if path.exists() or path.suffix == ".toml":
        return path
    near = difflib.get_close_matches(name_or_path, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"shipped sites: {', '.join(known)}"
    raise InputError(f"{name_or_path}: neither a site file nor a shipped site; {hint}")


def controller_of(site: Site, name: str | None) -> tuple[str, str]:
    """Name and board of one of the site's controllers; `name` may be None where it has one. Raises InputError."""
    if isinstance(site, GreenwaveSite):
        if name not in (None, site.name):
            raise InputError(f"site {site.name} is one display; leave --controller {name} out")
        return site.name, site.board
    if name is None and len(site.controllers) > 1:
        known = ", ".join(controller.name for controller in site.controllers)
        raise InputError(f"site {site.name} has several controllers; choose one with --controller: {known}")
    chosen = site.controllers[0] if name is None else site.controller(name)
    return chosen.name, chosen.board


def load_site(name_or_path: str) -> Site:
    """Read and check a site. Raises InputError with file, place and mend."""
    path = site_path(name_or_path)
    if load_toml(path, _Header).product == "lighting":
        return check(load_toml(path, LightingSite), str(path))
    return load_toml(path, GreenwaveSite)
