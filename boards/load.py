"""Finds and reads board files: by catalog name (``"leezenflow"``) or by path (``"./my-board.toml"``)."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from boards.checks import findings
from boards.keys import DeviceKeys
from boards.parts import PARTS, all_parts
from boards.schema import BoardDescription
from boards.wires import Wire
from drivers.errors import InputError
from drivers.settings import to_struct, toml_tables

T = TypeVar("T")

WIRES: dict[str, type[Any]] = {str(kind.__struct_config__.tag): kind for kind in Wire.__args__}
"""Kinds of wire by their word in the file."""


def catalog_names() -> list[str]:
    """The boards that come with Leeze, in order of name."""
    return sorted(entry.name.removesuffix(".toml") for entry in _catalog().iterdir() if entry.name.endswith(".toml"))


def load_board(name_or_path: str) -> BoardDescription:
    """Read and check a board: a name of the catalog, or a path (anything with a ``/`` or ending in ``.toml``).

    Raises InputError: no such board (with the nearest name), or everything that is wrong with the file.
    """
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        return parse_board(_read(Path(name_or_path)), name_or_path)
    known = catalog_names()
    if name_or_path not in known:
        near = difflib.get_close_matches(name_or_path, known, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        raise InputError(
            f"no board `{name_or_path}` in the catalog; {hint}known: {', '.join(known)}, or the path of a .toml file"
        )
    return parse_board(_catalog().joinpath(f"{name_or_path}.toml").read_text(encoding="utf-8"), f"{name_or_path}.toml")


def parse_board(text: str, origin: str) -> BoardDescription:
    """The same for text already read; `origin` names it in errors."""
    return described(toml_tables(text, origin), origin)


def described(tables: dict[str, Any], origin: str) -> BoardDescription:
    """The same for tables, e.g. a description that was written as JSON with the words of its board file."""
    for name, table in _tables(tables, "wires"):  # one by one, for msgspec does not name the key of a wrong table
        to_struct(table, _kind(table, "kind", WIRES, f"{origin}: $.wires.{name}"), origin, f"$.wires.{name}")
    devices = {name: _device(table, origin, f"$.devices.{name}") for name, table in _tables(tables, "devices")}
    if devices:  # as many kinds as there are parts: a bare one stands for each while the rest is read
        tables["devices"] = tables["devices"] | {name: {"wire": ""} for name in devices}
    board = to_struct(tables, BoardDescription, origin)
    board = msgspec.structs.replace(board, devices=devices)
    wrong = findings(board)
    if wrong:
        raise InputError("\n".join(f"{origin}: {finding}" for finding in wrong))
    return board


def digest(board: BoardDescription) -> str:
    """SHA-256 (hex) over the description as canonical JSON: order, comments and spelled-out defaults do not count."""
    everything = msgspec.to_builtins(board, order="sorted")
    return hashlib.sha256(msgspec.json.encode(everything, order="sorted")).hexdigest()


def _catalog() -> Any:
    return files("boards").joinpath("catalog")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(f"{path}: cannot be read: {reason}") from None


def _tables(tables: dict[str, Any], section: str) -> list[tuple[str, dict[str, Any]]]:
    there = tables.get(section)
    return [(k, v) for k, v in there.items() if isinstance(v, dict)] if isinstance(there, dict) else []


def _device(table: dict[str, Any], origin: str, place: str) -> DeviceKeys:
    said = table.get("part")
    part = PARTS.get(said) if isinstance(said, str) else None
    if part is None:
        by_name = {name: part.keys for name, part in all_parts().items()}
        return to_struct(table, _kind(table, "part", by_name, f"{origin}: {place}"), origin, place)
    return to_struct(table, part.keys, origin, place)


def _kind(table: dict[str, Any], tag: str, known: Mapping[str, type[T]], place: str) -> type[T]:
    """Which kind of table this is. Raises InputError with the nearest known."""
    if tag not in table:
        raise InputError(f"{place}: missing key `{tag}`; known: {', '.join(known)}")
    said = str(table[tag])
    if said not in known:
        near = difflib.get_close_matches(said, known, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}"
        raise InputError(f"{place}.{tag}: unknown {tag} `{said}`; {hint}")
    return known[said]
