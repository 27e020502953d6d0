"""Bytes as people write them: hex digits, with whatever a terminal, a data sheet or a C source puts in between."""

from __future__ import annotations

import re

from drivers.errors import InputError

_BYTES = re.compile(r"(?:0[xX]|\\x)?((?:[0-9A-Fa-f]{2})+)|[\s:,;-]+")
_PREFIX = re.compile(r"0[xX]|\\x")
_DIGIT = re.compile(r"[0-9A-Fa-f]")
_BETWEEN = re.compile(r"[\s:,;-]|\Z")


def parse_hex(text: str, origin: str) -> bytes:
    """Hex digits to bytes: ``parse_hex("F4 f3:0xF2,\\\\xf1", "--hex") == b"\\xf4\\xf3\\xf2\\xf1"``.

    White space, colons, commas, semicolons and hyphens may stand between bytes, ``0x`` or ``\\\\x`` before them. Raises
    InputError: what is no hex digit, or half a byte; `origin` names the text, the place counts characters from 1.
    """
    found = bytearray()
    at = 0
    while at < len(text):
        match = _BYTES.match(text, at)
        if match is None:
            raise InputError(f"{origin}: {_fault(text, at)}")
        if match[1]:
            found += bytes.fromhex(match[1])
        at = match.end()
    return bytes(found)


def _fault(text: str, at: int) -> str:
    """What is wrong with the byte that should start at `at`."""
    prefix = _PREFIX.match(text, at)
    digit = prefix.end() if prefix else at
    if _DIGIT.match(text, digit) is None:
        return f"{_place(text, digit)}: {_shown(text, digit)} is not a hex digit"
    if _BETWEEN.match(text, digit + 1):
        return f"{_place(text, digit)}: {text[digit]!r} is half a byte; write two digits a byte"
    return f"{_place(text, digit + 1)}: {_shown(text, digit + 1)} is not a hex digit"


def _shown(text: str, at: int) -> str:
    return repr(text[at]) if at < len(text) else "the end"


def _place(text: str, at: int) -> str:
    line, before = text.count("\n", 0, at), text.rfind("\n", 0, at) + 1
    return f"line {line + 1}, character {at - before + 1}" if line else f"character {at + 1}"
