"""Walks the records of an MCAP file in file order, past cuts and damage, with memory of one record.

The mcap library's reader wants the index at the end, which a crashed recorder never wrote; its stream reader stops at
the first odd byte. This walk needs neither: where a record cannot be right it searches for the next chunk.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Container, Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Chunk
from mcap.stream_reader import get_chunk_data_stream

from drivers.errors import InputError
from drivers.recording.container import CHUNK_HEAD, COMPRESSION, MAGIC, RECORD_HEAD

Record = tuple[int, bytes]
"""(opcode, body)."""

DAMAGE = (McapError, zstandard.ZstdError, struct.error, ValueError, RuntimeError, MemoryError, EOFError)
"""What decoding damaged records may raise."""

_LARGEST_B = 1 << 28
"""No honest chunk is larger than 256 MiB; keeps a damaged length from filling the memory."""
_WINDOW_B = 1 << 20
_SUMMARY = {
    bytes([opcode])
    for opcode in (
        Opcode.FOOTER,
        Opcode.CHUNK_INDEX,
        Opcode.ATTACHMENT_INDEX,
        Opcode.STATISTICS,
        Opcode.METADATA_INDEX,
        Opcode.SUMMARY_OFFSET,
    )
}
"""Records that stand only behind the end of the data."""
_FRONT_B = RECORD_HEAD.size + CHUNK_HEAD.size + 32
"""All that tells whether a record can be one."""
_COMPRESSION_AT = RECORD_HEAD.size + CHUNK_HEAD.size
_CHUNK_FRONT = struct.Struct("<BQ28x8sQ")
"""Of a chunk as we write it: opcode, length, compression, length of what is compressed."""
_CHUNK_HEAD = struct.Struct("<16xQI8sQ")
"""Of its body: uncompressed size, checksum, compression, length of what is compressed."""
_CHUNK_REST_B = CHUNK_HEAD.size + len(COMPRESSION) + 8
"""A chunk's length is that of what is compressed and so much more."""


class RecordWalk:
    """One pass over a file. `complete`, `note`, `skipped_bytes` and `chunks` (seen) are final when `records` has ended.

    `records` raises InputError if the file cannot be read or is no MCAP file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.complete = False
        self.note = ""
        self.skipped_bytes = 0
        self.damaged = False
        """Something in the middle had to be passed over; a file that was cut is not damaged."""
        self.chunks = 0
        self.data_end_b = 0
        """Where the data ends, behind the last chunk; 0 until `records` has come there."""

    def records(self, wanted: Container[int]) -> Iterator[Record]:
        """Every record whose opcode is wanted."""
        with self._open() as stream:
            size_b = os.fstat(stream.fileno()).st_size
            before = at = len(MAGIC)
            data_ended = False
            chunks_wanted = Opcode.CHUNK in wanted
            window, base, limit = b"", 0, 0  # bytes of the file from `base` to `limit`
            while True:
                if at + _FRONT_B > limit < size_b:
                    stream.seek(at)
                    window = stream.read(_WINDOW_B)
                    base, limit = at, at + len(window)
                start = at - base
                if at + _CHUNK_FRONT.size <= limit and not data_ended:  # the usual record, said shortly
                    opcode, length, compression, data_b = _CHUNK_FRONT.unpack_from(window, start)
                    if opcode == Opcode.CHUNK and compression == COMPRESSION and length == _CHUNK_REST_B + data_b:
                        end = at + RECORD_HEAD.size + length
                        if end <= limit and length <= _LARGEST_B:
                            self.chunks += 1
                            if chunks_wanted:
                                yield opcode, window[start + RECORD_HEAD.size : end - base]
                            before, at = at, end
                            continue
                head = window[start : start + RECORD_HEAD.size]
                end = _end(window[start + RECORD_HEAD.size : start + _FRONT_B], head, at, size_b)
                if not data_ended and head[:1] in _SUMMARY:
                    end = None  # a damaged length led past the data
                if end is None:
                    found = _next_chunk(stream, before + 1, size_b)
                    if found is None:
                        self._cut(at, size_b)
                        return
                    self.skipped_bytes += max(0, found - at)
                    self.damaged = True
                    self.note = f"damaged at byte {at}; read on at byte {found}"
                    before = at = found
                    limit = 0
                    continue
                opcode = head[0]
                if opcode == Opcode.CHUNK:
                    self.chunks += 1
                if opcode in wanted:
                    if end <= limit:
                        yield opcode, window[start + RECORD_HEAD.size : end - base]
                    else:
                        stream.seek(at + RECORD_HEAD.size)
                        yield opcode, stream.read(end - at - RECORD_HEAD.size)
                if opcode == Opcode.FOOTER:
                    self._footer(end, size_b)
                    return
                if opcode == Opcode.DATA_END:
                    data_ended, self.data_end_b = True, at
                before, at = at, end

    def _open(self) -> BinaryIO:
        try:
            stream = self.path.open("rb")
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {error.strerror}") from None
        magic = stream.read(len(MAGIC))
        if magic != MAGIC:
            stream.close()
            begin = magic.hex(" ") or "nothing"
            raise InputError(f"{self.path}: byte 0: not an MCAP file, it begins with {begin}")
        return stream

    def _cut(self, at: int, size_b: int) -> None:
        what = f"in a record that is cut or damaged and begins at byte {at}" if at < size_b else "without its footer"
        self.note = f"ends at byte {size_b} {what}"
        self.skipped_bytes += size_b - at

    def _footer(self, end: int, size_b: int) -> None:
        if size_b < end + len(MAGIC):
            self.note = f"ends at byte {size_b} inside the closing magic"
        else:
            self.complete = True


def checksum(path: Path, size_b: int) -> int:
    """CRC-32 of the first `size_b` bytes of a file, as its DataEnd says it. Raises OSError."""
    crc = 0
    with path.open("rb") as stream:
        while size_b > 0 and (data := stream.read(min(size_b, _WINDOW_B))):
            crc = zlib.crc32(data, crc)
            size_b -= len(data)
    return crc


def opened(body: bytes, decompressor: zstandard.ZstdDecompressor | None = None) -> bytes:
    """The records inside a chunk. Raises one of DAMAGE: not decompressible, wrong checksum, impossible size.

    `decompressor` is for those who open many: a new one costs four times the work on a small chunk.
    """
    if len(body) < _CHUNK_REST_B:
        return _opened_otherwise(body)
    uncompressed_b, crc, compression, data_b = _CHUNK_HEAD.unpack_from(body)
    if compression != COMPRESSION:
        return _opened_otherwise(body)
    data = body[_CHUNK_REST_B : _CHUNK_REST_B + data_b]
    if uncompressed_b > _LARGEST_B:
        raise ValueError("impossible size")
    if zstandard.frame_content_size(data) not in (-1, uncompressed_b):
        raise ValueError("sizes differ")
    records = (decompressor or zstandard.ZstdDecompressor()).decompress(data, max_output_size=uncompressed_b)
    if crc and zlib.crc32(records) != crc:
        raise ValueError("wrong checksum")
    return records


def _opened_otherwise(body: bytes) -> bytes:
    """A chunk of other people's files: LZ4, or not compressed."""
    chunk = Chunk.read(ReadDataStream(io.BytesIO(body)))
    if chunk.uncompressed_size > _LARGEST_B:
        raise ValueError("impossible size")
    stream, size_b = get_chunk_data_stream(chunk, validate_crc=True)
    return stream.read(size_b)


def _end(front: bytes, head: bytes, at: int, size_b: int) -> int | None:
    """Where the record at `at` ends; None if it cannot be a whole record. `front`: what follows its `head`."""
    if len(head) < RECORD_HEAD.size:
        return None
    opcode, length = RECORD_HEAD.unpack(head)
    end: int = at + RECORD_HEAD.size + length
    if end > size_b or length > _LARGEST_B or not 0 < opcode <= Opcode.DATA_END:
        return None
    if opcode == Opcode.FOOTER and length != 20:
        return None
    if opcode == Opcode.CHUNK and not _chunk_adds_up(front, length):
        return None
    return end


def _chunk_adds_up(front: bytes, length: int) -> bool:
    """True if a chunk's inner lengths fit its outer one."""
    at = CHUNK_HEAD.size
    name_b = int.from_bytes(front[at : at + 4], "little")
    at += 4 + name_b
    return name_b <= 16 and length == at + 8 + int.from_bytes(front[at : at + 8], "little")


def _next_chunk(stream: BinaryIO, start: int, size_b: int) -> int | None:
    """Where the next whole zstd chunk begins, at `start` or later."""
    while start < size_b:
        stream.seek(start)
        window = stream.read(_WINDOW_B + _COMPRESSION_AT + len(COMPRESSION))
        mark = window.find(COMPRESSION, _COMPRESSION_AT)
        while mark >= 0:
            at = start + mark - _COMPRESSION_AT
            stream.seek(at)
            head = stream.read(RECORD_HEAD.size)
            if head[0] == Opcode.CHUNK and _end(stream.read(_FRONT_B), head, at, size_b) is not None:
                return at
            mark = window.find(COMPRESSION, mark + 1)
        start += _WINDOW_B
    return None
