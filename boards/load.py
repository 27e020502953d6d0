"""Finds and reads board files: by catalog name (``"leezenflow"``) or by path (``"./my-board.toml"``)."""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from boards.checks import findings
from boards.schema import BoardDescription, Device, Wire
from drivers.errors import InputError
from drivers.settings import explain, parse_toml


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
    _check_tables(text, origin)
    board = parse_toml(text, BoardDescription, origin)
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


def _check_tables(text: str, origin: str) -> None:
    """Convert wires and devices one by one first, for msgspec does not name the key of the table that is wrong."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # parse_toml says it
    except RecursionError:
        raise InputError(f"{origin}: not TOML of ours: nested too deeply") from None
    for section, tag, kinds in (("wires", "kind", Wire), ("devices", "part", Device)):
        tables = raw.get(section)
        for name, table in tables.items() if isinstance(tables, dict) else ():
            if isinstance(table, dict):
                _check_table(table, tag, kinds, f"{origin}: $.{section}.{name}")


def _check_table(table: dict[str, Any], tag: str, kinds: Any, place: str) -> None:
    by_tag: dict[object, type] = {kind.__struct_config__.tag: kind for kind in kinds.__args__}
    known = [str(name) for name in by_tag]
    if tag not in table:
        raise InputError(f"{place}: missing key `{tag}`; known: {', '.join(known)}")
    said = str(table[tag])
    if said not in by_tag:
        near = difflib.get_close_matches(said, known, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}"
        raise InputError(f"{place}.{tag}: unknown {tag} `{said}`; {hint}")
    kind = by_tag[said]
    try:
        msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise InputError(place + explain(str(error), kind).removeprefix("$")) from None
