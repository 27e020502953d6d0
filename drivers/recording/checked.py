"""A check value in metadata: what stands outside the chunks of an MCAP file has none of its own."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

CHECK = "check"


def with_check(metadata: Mapping[str, str], *about: str) -> dict[str, str]:
    """`metadata` with a CRC-32 over itself and over what else is said beside it, e.g. the topic of its channel."""
    return {**metadata, CHECK: _crc(metadata, about)}


def without_check(metadata: Mapping[str, str], *about: str) -> dict[str, str]:
    """Back again. ValueError where the check does not fit; metadata without one are taken as they are."""
    bare = {key: text for key, text in metadata.items() if key != CHECK}
    if CHECK in metadata and metadata[CHECK] != _crc(bare, about):
        raise ValueError("metadata are damaged")
    return bare


def _crc(metadata: Mapping[str, str], about: tuple[str, ...]) -> str:
    words = [*about, *(word for pair in sorted(metadata.items()) for word in pair)]
    return f"{zlib.crc32(chr(0).join(words).encode()):08x}"
