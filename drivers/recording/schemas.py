"""JSON schemas of struct types, in the plain form that viewers can plot.

Foxglove and Lichtblick want ``"type": "object"`` at the top, no references and no unions. So references are written
out, ``int | None`` is said as ``integer`` (a null may still come), and free-form values are objects without properties.
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec

Schema = dict[str, Any]

ANYTHING: Schema = {"type": "object", "properties": {}}


def plain_schema(kind: type[msgspec.Struct]) -> Schema:
    """Schema of `kind` as `plain_json` writes it."""
    (root,), parts = msgspec.json.schema_components([kind], ref_template="{name}", schema_hook=_unknown)
    schema = _plain(root, parts)
    for field in msgspec.structs.fields(kind):
        if field.type is bytes:
            schema["properties"][f"{field.encode_name}_hex"] = schema["properties"].pop(field.encode_name)
    return {"title": kind.__name__, **schema}


@functools.cache
def holds_bytes(kind: type) -> bool:
    """True if a struct of this kind has a field of bytes."""
    return issubclass(kind, msgspec.Struct) and any(field.type is bytes for field in msgspec.structs.fields(kind))


def plain_json(value: object) -> bytes:
    """A struct or dict as JSON; bytes in it stand as hex, under a key that ends in ``_hex``."""
    built = msgspec.to_builtins(value, builtin_types=(bytes,))
    return msgspec.json.encode(dict(_hexed(key, inner) for key, inner in built.items()))


def decision_json(command: msgspec.Struct | dict[str, Any]) -> bytes:
    """A decision as it stands in a file, and as digests take it."""
    return msgspec.json.encode(command) if _is_plain(type(command)) else plain_json(command)


@functools.cache
def _is_plain(kind: type) -> bool:
    """True if a struct of this kind is the same JSON whichever way."""
    return issubclass(kind, msgspec.Struct) and not holds_bytes(kind)


def _hexed(key: str, inner: object) -> tuple[str, object]:
    return (f"{key}_hex", inner.hex()) if isinstance(inner, bytes) else (key, inner)


def _unknown(kind: type) -> Schema:
    """For `object` and other types msgspec has no schema for."""
    return {"title": "anything"}


def _plain(schema: Schema, parts: dict[str, Schema]) -> Schema:
    if "$ref" in schema:
        return _plain(parts[schema["$ref"]], parts)
    if "anyOf" in schema:
        return _plain(next(one for one in schema["anyOf"] if one.get("type") != "null"), parts)
    if "enum" in schema:
        return {"type": "string"}
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            return {"type": "object", "properties": {name: _plain(inner, parts) for name, inner in fields.items()}}
        case "array":
            return {"type": "array", "items": _plain(schema.get("items") or ANYTHING, parts)}
        case None:
            return ANYTHING
        case name:
            return {"type": name}
