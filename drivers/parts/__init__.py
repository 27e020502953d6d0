"""The parts that drivers know, by printed name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from drivers.errors import InputError
from drivers.parts.part import Decoded, Part

__all__ = ["FAMILIES", "PARTS", "Decoded", "Part", "part"]

FAMILIES = ("radars", "doppler", "ranging", "lamps", "lines", "climate", "i2c", "modbus", "feeds")
"""Modules of this folder, in the order of the list."""

PARTS: Mapping[str, Part] = MappingProxyType(
    {entry.name: entry for family in FAMILIES for entry in import_module(f"drivers.parts.{family}").PARTS}
)
"""All of them by name."""


def part(name: str) -> Part:
    """The part called `name`, in any case. Raises InputError with the nearest that exists."""
    found = PARTS.get(name.lower())
    if found is not None:
        return found
    near = difflib.get_close_matches(name.lower(), PARTS, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known parts: {', '.join(PARTS)}"
    raise InputError(f"unknown part `{name}`; {hint}")
