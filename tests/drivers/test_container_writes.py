"""A trace's file may take fewer bytes than it is given, or none: nothing is lost between one call and the next."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcap.reader import make_reader

from drivers.errors import InputError
from drivers.recording.events import WireBytes
from drivers.recording.provenance import Provenance
from drivers.recording.reader import TraceReader
from drivers.recording.storage import Disk, OpenFile
from drivers.recording.writer import TraceWriter


class ShyFile:
    """Takes as many bytes as it is told, then refuses once."""

    def __init__(self, inner: OpenFile, takes: list[int]) -> None:
        self._inner, self._takes = inner, takes

    def write(self, data: memoryview) -> int:
        if not self._takes:
            return self._inner.write(data)
        take = self._takes.pop()
        if not take:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._inner.write(data[:take])

    def sync(self) -> None:
        self._inner.sync()

    def close(self) -> None:
        self._inner.close()


class ShyDisk(Disk):
    """Gives shy files."""

    def __init__(self) -> None:
        self.takes: list[int] = []

    def create(self, path: Path, *, replace: bool) -> OpenFile:
        return ShyFile(super().create(path, replace=replace), self.takes)


@given(takes=st.lists(st.integers(0, 300), max_size=30), flush_every=st.integers(1, 9))
def test_what_was_refused_goes_first_at_the_next_call(
    tmp_path_factory: pytest.TempPathFactory, takes: list[int], flush_every: int
) -> None:
    folder, disk = tmp_path_factory.mktemp("trace"), ShyDisk()
    shy = TraceWriter(folder / "shy.mcap", Provenance(), storage=disk)
    plain = TraceWriter(folder / "plain.mcap", Provenance())
    disk.takes[:] = takes
    for writer in (shy, plain):
        channel = writer.add_wire("lamp", "radar-1", "rx")
        for n in range(30):
            writer.bytes_passed(channel, bytes([n]) * 20, n)
            if n % flush_every == 0:
                until_taken(writer)
        while True:
            try:
                writer.container.finish()
                break
            except InputError:
                continue
        writer.close()
    assert (folder / "shy.mcap").read_bytes() == (folder / "plain.mcap").read_bytes()


def until_taken(writer: TraceWriter) -> None:
    while True:
        try:
            writer.flush()
            return
        except InputError:
            continue


def test_a_file_that_does_not_take_its_first_bytes_is_no_file(tmp_path: Path) -> None:
    disk = ShyDisk()
    disk.takes[:] = [0, 5]
    with pytest.raises(InputError, match=r"t\.mcap: cannot be written: No space left on device"):
        TraceWriter(tmp_path / "t.mcap", Provenance(), storage=disk)
    assert list(tmp_path.iterdir()) == []


def test_an_old_file_stays_where_it_shall_not_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    path.write_text("old")
    with pytest.raises(InputError, match="File exists"):
        TraceWriter(path, Provenance(), replace=False)
    assert path.read_text() == "old"


def test_an_abandoned_file_keeps_what_it_took(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path / "t.mcap", Provenance())
    channel = writer.add_wire("lamp", "radar-1", "rx")
    writer.bytes_passed(channel, b"kept", 1)
    writer.flush()
    writer.container.sync()
    writer.bytes_passed(channel, b"lost", 2)
    writer.container.abandon()
    writer.container.abandon()
    writer.container.sync()  # the thread that does it may come too late
    writer.close()
    assert list(TraceReader(tmp_path / "t.mcap").events()) == [WireBytes(1, "lamp", "radar-1", False, b"kept")]


def test_a_file_without_indexes_reads_the_same_here_and_in_the_mcap_library(tmp_path: Path) -> None:
    for indexed in (True, False):
        with TraceWriter(tmp_path / f"{indexed}.mcap", Provenance(), indexed=indexed) as writer:
            channel = writer.add_wire("lamp", "radar-1", "rx")
            for n in range(300):
                writer.bytes_passed(channel, bytes([n & 255]) * 10, n)
                if n % 10 == 0:
                    writer.flush()
    paths = tmp_path / "True.mcap", tmp_path / "False.mcap"
    assert paths[1].stat().st_size < paths[0].stat().st_size // 2
    assert len({tuple(TraceReader(path).events()) for path in paths}) == 1
    assert all(TraceReader(path).complete for path in paths)
    theirs = []
    for path in paths:
        with path.open("rb") as stream:
            reader = make_reader(stream)
            summary = reader.get_summary()
            assert summary is not None
            assert summary.statistics is not None
            assert (summary.statistics.message_count, summary.statistics.chunk_count) == (300, 31)
            theirs.append([(message.log_time, message.data) for _, _, message in reader.iter_messages()])
    assert theirs[0] == theirs[1]
    assert len(theirs[0]) == 300
