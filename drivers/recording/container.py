"""The MCAP container, written for many small messages: chunks, indexes, summary. Knows nothing of wires or values.

Format: https://mcap.dev/spec. Messages are packed by hand, all rarer records by the mcap library. Schemas, channels and
metadata stand outside the chunks, so a damaged chunk costs only its own messages.

    file     magic Header Metadata (Schema | Channel | Chunk MessageIndex*)* DataEnd summary Footer magic
    message  05 length:u64  channel:u16 sequence:u32=0 log_time:u64 publish_time:u64=log_time  data
"""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from pathlib import Path

import zstandard
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)

from drivers.errors import InputError
from drivers.recording.checked import with_check
from drivers.recording.storage import DISK, OpenFile, Storage
from drivers.units import FOREVER_NS

MAGIC = b"\x89MCAP0\r\n"
RECORD_HEAD = struct.Struct("<BQ")
MESSAGE_HEAD = struct.Struct("<HIQQ")
CHUNK_HEAD = struct.Struct("<QQQI")
COMPRESSION = b"\x04\x00\x00\x00zstd"

_WHOLE_MESSAGE_HEAD = struct.Struct("<BQHIQQ")
_INDEX_HEAD = struct.Struct("<BQHI")
_FOOTER_HEAD = struct.Struct("<BQQQ")
_LEVEL = 1
"""zstd level; 3 (the default) costs twice the time for a few per cent."""


class ContainerWriter:
    """Writes one MCAP file. A chunk ends at `chunk_size_b` bytes or `chunk_ns` of log time, and goes out at once.

    Memory is one chunk, plus about 100 bytes for each chunk written (the index at the file's end). Every call that
    writes raises InputError, made from the OSError, if the file takes no more. What it did not take is kept: the next
    call goes on at the same byte. A file that does not even take its first bytes is removed again.

    Args:
        path: the file.
        library: who writes, for the header.
        chunk_size_b, chunk_ns: see above.
        storage: the file system.
        replace: take the place of a file that is there; else that is an error.
        indexed: with indexes, so that readers may jump about; they are more than half of a file of small chunks.
            Without them readers of the library and viewers read it from front to back.
    """

    def __init__(
        self,
        path: Path,
        library: str,
        *,
        chunk_size_b: int = 1 << 20,
        chunk_ns: int = FOREVER_NS,
        storage: Storage = DISK,
        replace: bool = True,
        indexed: bool = True,
    ) -> None:
        self.path, self._indexed = path, indexed
        try:
            self._file: OpenFile | None = storage.create(path, replace=replace)
        except OSError as error:
            raise self._refused(error) from error
        self._open_file = self._file
        self._out = bytearray()  # finished records that the file has not taken yet
        self._finished = False
        self._chunk_size_b, self._chunk_ns = chunk_size_b, chunk_ns
        self._chunk_due_ns = FOREVER_NS
        self._written_b = 0
        self._crc = 0  # of all of it
        self._buffer = bytearray()
        self._index: list[list[int]] = [[]]  # per channel of the open chunk: log time, offset, log time, offset, ...
        self._counts: list[int] = [0]  # messages per channel in finished chunks
        self._schemas: list[bytes] = []
        self._channels: list[bytes] = []
        self._chunk_indexes: list[bytes] = []
        self._metadata_indexes: list[bytes] = []
        self._chunk_count = 0
        self._first_ns, self._last_ns = 0, 0
        self._compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        self._write(MAGIC + _packed(Header(profile="", library=library)))
        try:
            self._drain()
        except InputError:
            self._file.close()
            with suppress(OSError):
                storage.remove(path)
            raise

    @property
    def size_b(self) -> int:
        """Bytes of finished records, written or about to be; the open chunk is not among them."""
        return self._written_b

    @property
    def open_chunk_b(self) -> int:
        """Bytes in the open chunk."""
        return len(self._buffer)

    def add_metadata(self, name: str, metadata: dict[str, str]) -> None:
        """A named table of text."""
        record = _packed(Metadata(name=name, metadata=with_check(metadata, name)))
        self._metadata_indexes.append(_packed(MetadataIndex(offset=self._written_b, length=len(record), name=name)))
        self._write(record)

    def add_schema(self, name: str, encoding: str, data: bytes) -> int:
        """A schema; returns its id, 1 and up."""
        record = _packed(Schema(id=len(self._schemas) + 1, name=name, encoding=encoding, data=data))
        self._schemas.append(record)
        self._write(record)
        return len(self._schemas)

    def add_channel(self, topic: str, encoding: str, schema: int, metadata: dict[str, str]) -> int:
        """A channel; returns its id, 1 and up. `schema` 0 means none."""
        channel = len(self._channels) + 1
        record = _packed(
            Channel(
                id=channel,
                topic=topic,
                message_encoding=encoding,
                schema_id=schema,
                metadata=with_check(metadata, str(channel), topic, encoding),
            )
        )
        self._channels.append(record)
        self._index.append([])
        self._counts.append(0)
        self._write(record)
        return channel

    def message(self, channel: int, data: bytes, log_ns: int) -> None:
        """One message; `log_ns` 0 and up."""
        buffer = self._buffer
        offset = len(buffer)
        buffer += _WHOLE_MESSAGE_HEAD.pack(5, 22 + len(data), channel, 0, log_ns, log_ns)
        buffer += data
        index = self._index[channel]
        index.append(log_ns)
        index.append(offset)
        if offset >= self._chunk_size_b or log_ns >= self._chunk_due_ns:
            self.flush()
        elif not offset:
            self._chunk_due_ns = log_ns + self._chunk_ns

    def flush(self) -> None:
        """End the open chunk and hand everything to the operating system. An empty chunk is not written."""
        if self._buffer:
            self._end_chunk()
        self._drain()

    def finish(self) -> None:
        """Write the open chunk and the summary; no message may follow. A second call goes on where one failed."""
        if not self._finished:
            if self._buffer:
                self._end_chunk()
            self._finish()
            self._finished = True
        self._drain()

    def sync(self) -> None:
        """Return when all that was handed over is on the disk. The one call for another thread. Raises OSError."""
        self._open_file.sync()

    def close(self) -> None:
        """Finish and close. A second call does nothing."""
        if self._file is None:
            return
        try:
            self.finish()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the file as it stands; what it did not take is lost. A second call does nothing."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()

    def _write(self, data: bytes | bytearray) -> None:
        self._out += data
        self._written_b += len(data)
        self._crc = zlib.crc32(data, self._crc)

    def _drain(self) -> None:
        """Hand what waits to the operating system."""
        if self._file is None or not self._out:
            return
        taken = 0
        waiting = memoryview(bytes(self._out))
        try:
            while taken < len(waiting):
                taken += self._file.write(waiting[taken:])
        except OSError as error:
            raise self._refused(error) from error
        finally:
            del self._out[:taken]

    def _refused(self, error: OSError) -> InputError:
        return InputError(f"{self.path}: cannot be written: {error.strerror or error}")

    def _end_chunk(self) -> None:
        used = [(channel, index) for channel, index in enumerate(self._index) if index]
        first_ns = min(min(index[::2]) for _, index in used)
        last_ns = max(max(index[::2]) for _, index in used)
        data = self._compress(self._buffer)
        start_b = self._written_b
        head = CHUNK_HEAD.pack(first_ns, last_ns, len(self._buffer), zlib.crc32(self._buffer)) + COMPRESSION
        length = len(head) + 8 + len(data)
        self._write(RECORD_HEAD.pack(Opcode.CHUNK, length) + head + len(data).to_bytes(8, "little") + data)
        chunk_b = self._written_b - start_b
        offsets: dict[int, int] = {}
        for channel, index in used:
            if self._indexed:
                offsets[channel] = self._written_b
                size = 8 * len(index)
                self._write(_INDEX_HEAD.pack(Opcode.MESSAGE_INDEX, 6 + size, channel, size))
                self._write(struct.pack(f"<{len(index)}Q", *index))
            self._counts[channel] += len(index) // 2
            index.clear()
        self._first_ns = min(self._first_ns, first_ns) if self._chunk_count else first_ns
        self._last_ns = max(self._last_ns, last_ns)
        self._chunk_count += 1
        if self._indexed:
            self._chunk_indexes.append(
                _packed(
                    ChunkIndex(
                        message_start_time=first_ns,
                        message_end_time=last_ns,
                        chunk_start_offset=start_b,
                        chunk_length=chunk_b,
                        message_index_offsets=offsets,
                        message_index_length=self._written_b - start_b - chunk_b,
                        compression="zstd",
                        compressed_size=len(data),
                        uncompressed_size=len(self._buffer),
                    )
                )
            )
        self._buffer.clear()
        self._chunk_due_ns = FOREVER_NS
        self._drain()

    def _finish(self) -> None:
        self._write(_packed(DataEnd(data_section_crc=self._crc)))
        summary_b = self._written_b
        summary = bytearray()
        offsets = bytearray()
        for opcode, group in (
            (Opcode.SCHEMA, self._schemas),
            (Opcode.CHANNEL, self._channels),
            (Opcode.STATISTICS, [_packed(self._statistics())]),
            (Opcode.CHUNK_INDEX, self._chunk_indexes),
            (Opcode.METADATA_INDEX, self._metadata_indexes),
        ):
            if group:
                start = summary_b + len(summary)
                summary += b"".join(group)
                length = summary_b + len(summary) - start
                offsets += _packed(SummaryOffset(group_opcode=opcode, group_start=start, group_length=length))
        offsets_b = summary_b + len(summary)
        summary += offsets
        footer_head = _FOOTER_HEAD.pack(Opcode.FOOTER, 20, summary_b, offsets_b)
        crc = zlib.crc32(footer_head, zlib.crc32(summary))
        footer = _packed(Footer(summary_start=summary_b, summary_offset_start=offsets_b, summary_crc=crc))
        self._write(summary + footer + MAGIC)

    def _statistics(self) -> Statistics:
        return Statistics(
            attachment_count=0,
            channel_count=len(self._channels),
            channel_message_counts={channel: count for channel, count in enumerate(self._counts) if count},
            chunk_count=self._chunk_count,
            message_count=sum(self._counts),
            metadata_count=len(self._metadata_indexes),
            message_start_time=self._first_ns,
            message_end_time=self._last_ns,
            schema_count=len(self._schemas),
        )


def _packed(record: McapRecord) -> bytes:
    builder = RecordBuilder()
    record.write(builder)
    return bytes(builder.end())  # type: ignore[no-untyped-call]
