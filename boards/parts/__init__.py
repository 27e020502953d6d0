"""Every part a board file can name. A new part is added in a module of its family in this folder.

Parts of other distributions come by entry points of the group ``leeze.parts``: each names a `boards.parts.part.Part`.
They are looked up only when a file names a part that Leeze itself does not have (docs/third-party-parts.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import MappingProxyType

from boards.keys import DeviceKeys, tag_of
from boards.parts.part import Part
from boards.schema import BoardDescription
from drivers.errors import InputError

__all__ = ["FAMILIES", "PARTS", "Part", "all_parts", "contents", "find_part", "part_name", "part_of"]

FAMILIES = ("radars", "doppler", "ranging", "dali", "modbus", "lines", "climate", "i2c", "feeds", "controllers")
"""Modules of this folder, in the order in which parts are listed."""

GROUP = "leeze.parts"

PARTS: Mapping[str, Part] = MappingProxyType(
    {entry.name: entry for family in FAMILIES for entry in import_module(f"boards.parts.{family}").PARTS}
)
"""Leeze's own, by the name in the file (``part = …``)."""


def find_part(name: str) -> Part | None:
    """The part called `name`: ours, or that of another distribution; None for neither. Raises InputError."""
    return PARTS.get(name) or _foreign_parts().get(name)


def all_parts() -> dict[str, Part]:
    """Ours, then those of other distributions. Raises InputError where one of these cannot be used."""
    return dict(PARTS) | {name: part for name, part in _foreign_parts().items() if name not in PARTS}


@cache
def _foreign_parts() -> dict[str, Part]:
    found = {}
    for point in entry_points(group=GROUP):
        try:
            part = point.load()
        except Exception as error:  # whatever somebody else's module raises
            raise InputError(f"part `{point.name}` of {point.value} cannot be loaded: {error!r}") from error
        if not isinstance(part, Part) or part.name != point.name:
            raise InputError(f"entry point `{point.name}` = {point.value} is no boards.parts.part.Part of that name")
        found[point.name] = part
    return found


def part_name(said: DeviceKeys) -> str:
    """The name of a device's part, e.g. ``"ld2451"``."""
    return tag_of(said)


def part_of(said: DeviceKeys) -> Part:
    """The part of a device in a board file."""
    part = find_part(tag_of(said))
    assert part is not None, "the file has been checked"
    return part


def contents(description: BoardDescription) -> dict[str, str]:
    """What each wire carries, as recordings name it, e.g. ``{"dali": "dali", "radar-1": "ld2451"}``; sorted."""
    found = {said.wire: part_of(said).content(said) for said in description.devices.values()}
    return dict(sorted(found.items()))
