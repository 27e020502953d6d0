"""TOML files into typed structs; what is wrong is said with the file, the place in it, and what would be right."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from drivers.errors import InputError

T = TypeVar("T")


def load_toml(path: Path, kind: type[T]) -> T:
    """Read `path` as `kind` (a msgspec struct with forbid_unknown_fields).

    Raises InputError: unreadable file, TOML syntax (with its line), unknown key (with the nearest known), wrong type.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(f"{path}: cannot be read: {reason}") from None
    return parse_toml(text, kind, str(path))


def parse_toml(text: str, kind: type[T], origin: str) -> T:
    """The same for text already read; `origin` names it in errors."""
    return to_struct(toml_tables(text, origin), kind, origin)


def to_struct(tables: dict[str, Any], kind: type[T], origin: str, place: str = "$") -> T:
    """Tables already parsed, as `kind`; `place` is where in the file they stand."""
    try:
        return msgspec.convert(tables, kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{origin}: {place}{explain(str(error), kind).removeprefix('$')}") from None


def toml_tables(text: str, origin: str) -> dict[str, Any]:
    """TOML text as plain tables. Raises InputError for what is no TOML, with its line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{origin}: not TOML: {error}") from None
    except RecursionError:
        raise InputError(f"{origin}: nested too deep; no key of ours needs more than a few levels") from None
    except ValueError as error:  # a number with thousands of digits
        raise InputError(f"{origin}: not TOML: {str(error).partition(';')[0]}") from None


def explain(problem: str, kind: object) -> str:
    """msgspec's sentence, with the place first and, for an unknown key, the nearest that would be right."""
    what, _, place = problem.partition(" - at ")
    place = place.strip("`") or "$"
    unknown = re.search(r"unknown field `([^`]*)`", what)
    if unknown:
        known = sorted(_field_names(kind, set()))
        near = difflib.get_close_matches(unknown[1], known, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
        return f"{place}: unknown key `{unknown[1]}`; {hint}"
    right = _right(kind, place)
    if right and what.startswith("Invalid"):
        return f"{place}: i{what[1:]}; known: {right}"
    if right and what.startswith("Expected `str`"):
        return f"{place}: expected {right}"
    return f"{place}: {what[:1].lower()}{what[1:]}"


def _right(kind: object, place: str) -> str:
    """What may stand at a place as msgspec writes it, e.g. ``$.light.calendar.rules[0].from``: known words, or the
    description of a pattern (`msgspec.Meta(pattern=..., description=...)`); "" where nothing is to be said."""
    from msgspec import inspect

    found: list[inspect.Type] = [inspect.type_info(kind)]
    for key in re.findall(r"\.([^.\[\]]+)|\[[^\]]*\]", place):  # "" for a place in a list or a table
        inner: list[inspect.Type] = []
        for one in map(_bare, _each(found)):
            if isinstance(one, inspect.StructType):
                inner += [field.type for field in one.fields if field.encode_name == key]
            elif isinstance(one, inspect.CollectionType):
                inner.append(one.item_type)
            elif isinstance(one, inspect.DictType):
                inner.append(one.value_type)
        found = inner
    for one in _each(found):
        bare = _bare(one)
        if isinstance(bare, inspect.LiteralType):
            return ", ".join(map(str, bare.values))
        if isinstance(bare, inspect.StrType) and isinstance(one, inspect.Metadata):
            return str((one.extra_json_schema or {}).get("description", ""))
    return ""


def _each(types: list[Any]) -> Iterator[Any]:
    """Every one of unions by itself."""
    for one in types:
        yield from _each(list(one.types)) if hasattr(one, "types") else (one,)


def _bare(one: Any) -> Any:
    """Without what was said beside the type."""
    return _bare(one.type) if hasattr(one, "type") else one


def _field_names(kind: object, seen: set[object]) -> set[str]:
    """All keys that may appear anywhere below `kind`."""
    names: set[str] = set()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if kind in seen:
            return names
        seen.add(kind)
        for field in msgspec.structs.fields(kind):
            names.add(field.encode_name)
            names |= _field_names(field.type, seen)
        return names
    for inner in getattr(kind, "__args__", ()):
        names |= _field_names(inner, seen)
    return names
