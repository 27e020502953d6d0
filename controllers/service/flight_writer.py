"""The flight recorder's other half, in a worker: records out of the queue into a ring of files, whatever the disk does.

A file is given up as soon as the disk refuses it, what comes then is counted and dropped, and the controller is asked
for a snapshot with which the next file begins: after 1, 2, 4 … 60 s. A full disk costs our oldest files
first. Synchronising is a third thread's work, for it may take seconds and writing must not wait for it.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from boards.schema import BoardDescription
from controllers.service import flight_records as records
from controllers.service.flight_file import FlightFile
from controllers.service.flight_records import Item
from drivers.clock import Clock
from drivers.errors import InputError
from drivers.recording.events import Wire
from drivers.recording.provenance import Provenance
from drivers.recording.ring import Ring, begun_utc
from drivers.recording.storage import Storage
from drivers.units import NS_PER_S

FORMAT = "1"
SHORTEST_BACKOFF_NS = NS_PER_S
LONGEST_BACKOFF_NS = 60 * NS_PER_S
SPARE_B = 1 << 20
"""Kept free below the limit, for what is written between two looks at it; a sixteenth of small limits."""

FILES_AT_LEAST = 8
"""A file holds at most this part of the limit, so that most of the ring outlives the loss of the oldest."""

FULL = (errno.ENOSPC, errno.EDQUOT)
CHUNK_B = 1 << 20
"""A chunk ends here at the latest, else with each turn."""

_BATCH = 64
_NAP_NS = 100_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def metadata(description: BoardDescription, site: msgspec.Struct, controller: str) -> dict[str, str]:
    """What a re-run needs beside the file, for its metadata "leeze-controller"."""
    boot = ""
    with suppress(OSError):
        boot = _BOOT_ID.read_text().strip()
    return {
        "format": FORMAT,
        "product": description.product,
        "site": msgspec.json.encode(site).decode(),
        "controller": controller,
        "board": msgspec.json.encode(description).decode(),
        "boot": boot,
    }


class FlightWriter:
    """Owned by `FlightRecorder`. `turn` and `end` never raise; they are for the worker's thread alone.

    `taken_b` (what has left the queue, for ever) and `wants_snapshot` are read by the loop's thread.
    """

    def __init__(
        self,
        folder: Path,
        board: str,
        wires: Sequence[Wire],
        provenance: Provenance,
        about: Mapping[str, str],
        *,
        queue: deque[Item],
        period_ns: int,
        limit_bytes: int,
        sync_ns: int,
        clock: Clock,
        storage: Storage,
    ) -> None:
        self.taken_b = 0
        self.wants_snapshot = False
        self.dropped = 0
        self.synced_ns = 0
        self._board, self.wires = board, tuple(wires)
        self._provenance, self._about = provenance, dict(about)
        self._queue, self._period_ns, self._sync_ns = queue, period_ns, sync_ns
        self._clock, self._storage = clock, storage
        self._ring = Ring(folder, board, limit_bytes, storage)
        self._file_b = max(1, limit_bytes // FILES_AT_LEAST)
        self._spare_b = min(SPARE_B, limit_bytes // 16)
        self._file: FlightFile | None = None
        self._wall: tuple[int, bool] | None = None  # (UTC minus monotonic, synchronised)
        self._trouble = ""
        self._backoff_ns = SHORTEST_BACKOFF_NS
        self._retry_ns: int | None = None
        self._missing: tuple[int, int] | None = None  # (since, records) not recorded before the next file
        self._sync_due_ns = self._sync_began_ns = 0
        self._syncs_asked = self._syncs_done = 0  # each counted by one thread alone
        self._sync_error: OSError | None = None
        self._submit: Callable[[Callable[[], None]], bool] | None = None
        self._oldest: tuple[Path | None, str] = (None, "")

    def begin_threads(self, submit: Callable[[Callable[[], None]], bool]) -> None:
        """From now on `turn` runs beside the loop; `submit` hands work to the thread that synchronises."""
        self._submit = submit

    # --- the worker's thread

    def turn(self) -> None:
        """Take all that waits, hand it to the operating system, and synchronise if it is time."""
        now_ns = self._clock.now_ns()
        try:
            self._take(len(self._queue))
            if self._file is not None:
                self._try(self._file, self._file.flush)
            if self._file is not None:
                self._look_after(self._file, now_ns)
            elif self._retry_ns is not None and now_ns >= self._retry_ns:
                self._retry_ns = None
                self.wants_snapshot = True
        except Exception as error:  # a fault of ours costs a file, and never the thread
            self._give_up(_in_our_words(error))

    def end(self) -> None:
        """Take all that waits and end the file, synchronised."""
        try:
            self._take(len(self._queue))
            self._submit = None
            self._end_file()
        except Exception as error:
            self._give_up(_in_our_words(error))

    def _take(self, count: int) -> None:
        for number in range(count):
            item = self._queue.popleft()
            try:
                self._take_one(item, count - number - 1)
            finally:
                self.taken_b += item[1]
            if self._submit is not None and number % _BATCH == _BATCH - 1:
                self._clock.sleep_until_ns(self._clock.now_ns() + _NAP_NS)  # the loop may need the interpreter

    def _take_one(self, item: Item, behind: int) -> None:
        file = self._file
        if item[0] == records.SNAPSHOT:
            self._begin_file(item, behind)
        elif file is None:
            self._miss(item)
        else:
            if item[0] == records.WALL:
                self._know_wall(item)
            file.put(item)
            if file.waiting_b > CHUNK_B:
                self._try(file, file.flush)

    def _try(self, file: FlightFile, write: Callable[[], None]) -> bool:
        """Write; make room where the disk is full; give the file up where that does not help, then False."""
        while True:
            try:
                write()  # goes on where it was refused
                return True
            except InputError as error:
                if _number(error) in FULL and self._delete_oldest(file.path):
                    continue
                self._give_up(error)
                return False

    def _delete_oldest(self, present: Path | None) -> bool:
        try:
            return self._ring.delete_oldest(present)
        except OSError:
            return False

    def _give_up(self, error: InputError) -> None:
        if self._file is not None:
            self._file.abandon()
            self._file = None
        full = _number(error) in FULL
        self._trouble = f"full: {error}; nothing of ours is left to delete" if full else f"stopped: {error}"
        self._retry_ns = self._clock.now_ns() + self._backoff_ns
        self._backoff_ns = min(2 * self._backoff_ns, LONGEST_BACKOFF_NS)
        if self._missing is None:
            self._missing = self._clock.now_ns(), 0

    def _miss(self, item: Item) -> None:
        self.dropped += 1
        if self._missing is not None:
            self._missing = self._missing[0], self._missing[1] + 1
        if item[0] == records.WALL:
            self._know_wall(item)

    def _know_wall(self, item: Item) -> None:
        t_ns, utc_ns, synchronised = item[2:]
        self._wall = utc_ns - t_ns, synchronised

    # --- files

    def _begin_file(self, snapshot: Item, behind: int) -> None:
        """With a snapshot; `behind` it so many records wait."""
        self._end_file()
        if self._wall is None:  # the first is told right after the start
            for place in range(behind):
                if self._queue[place][0] == records.WALL:
                    self._know_wall(self._queue[place])
                    break
        self._retry_ns = None
        try:
            self._ring.look()
            self._ring.trim(None, 0, self._spare_b + snapshot[1])
            file = self._create()
        except InputError as error:
            self._give_up(error)
            return
        except OSError as error:
            self._give_up(_in_words(self._ring.folder, error))
            return
        self._file = file
        file.put(snapshot)
        if self._try(file, file.flush):
            self._trouble, self._missing = "", None
            self._find_oldest(file.path)
            self._sync(file, whole=False, folder=True)

    def _create(self) -> FlightFile:
        """The next file, with its metadata. Raises InputError."""
        provenance, about = self._dated(), dict(self._about)
        if self._missing is not None:
            about["missing_before"] = f"{self._missing[1]} records since {self._missing[0]} ns"
        while True:
            path, number = self._ring.next_path()
            about["file_number"] = str(number)
            try:
                return FlightFile(path, self._board, self.wires, self._period_ns, provenance, about, self._storage)
            except InputError as error:
                if _number(error) == errno.EEXIST or (_number(error) in FULL and self._delete_oldest(None)):
                    continue
                raise

    def _dated(self) -> Provenance:
        """Provenance of a file that begins now; without a date where the wall time cannot be trusted."""
        if self._wall is None or not self._wall[1]:
            return self._provenance
        offset_ns = self._wall[0]
        created = datetime.fromtimestamp((self._clock.now_ns() + offset_ns) // NS_PER_S, UTC).isoformat()
        return msgspec.structs.replace(self._provenance, base_ns=max(0, offset_ns), created_utc=created)

    def _find_oldest(self, present: Path) -> None:
        """When the ring begins; asked of its oldest file, once for each."""
        oldest = self._ring.oldest() or present
        if oldest != self._oldest[0]:
            begun = ""
            with suppress(InputError):
                begun = begun_utc(oldest)
            self._oldest = oldest, begun

    def _end_file(self) -> None:
        file = self._file
        if file is not None and self._try(file, file.finish):
            self._file = None
            self._sync(file, whole=True, folder=False)

    def _look_after(self, file: FlightFile, now_ns: int) -> None:
        """Once a turn: the limit, the size of the file, the disk's word on it."""
        error, self._sync_error = self._sync_error, None
        if error is not None:
            self._give_up(_in_words(file.path, error))
            return
        try:
            self._ring.trim(file.path, file.size_b, self._spare_b)
            self._find_oldest(file.path)
            if now_ns >= self._sync_due_ns and self._syncs_done == self._syncs_asked:
                if not self._storage.exists(file.path):
                    raise FileNotFoundError(errno.ENOENT, "has been removed", str(file.path))
                self._sync(file, whole=False, folder=False)
                self._backoff_ns = SHORTEST_BACKOFF_NS
        except OSError as refused:
            self._give_up(_in_words(file.path, refused))
            return
        if file.size_b > self._file_b:
            self.wants_snapshot = True

    def _sync(self, file: FlightFile, *, whole: bool, folder: bool) -> None:
        """Have the file synchronised, and closed if it is whole."""
        now_ns = self._clock.now_ns()
        self._sync_due_ns = now_ns + self._sync_ns
        self._sync_began_ns = now_ns
        self._syncs_asked += 1
        call = partial(self._synchronise, file, now_ns, whole, folder)
        if self._submit is None:
            call()
        elif not self._submit(call):  # that thread has hung for so long that its queue is full
            self._syncs_asked -= 1
            if whole:
                file.abandon()

    def _synchronise(self, file: FlightFile, now_ns: int, whole: bool, folder: bool) -> None:
        """On the thread that may wait."""
        try:
            file.sync()
            if folder:
                self._storage.sync_folder(self._ring.folder)
            self.synced_ns = max(self.synced_ns, now_ns)
        except OSError as error:
            if not whole:
                self._sync_error = error
        finally:
            self._syncs_done += 1
            if whole:
                file.abandon()

    # --- for others to see, from any thread

    def figures(self) -> dict[str, Any]:
        """The ring and how it does."""
        file = self._file
        path, present_b = (None, 0) if file is None else (file.path, file.size_b)
        return {
            "folder": str(self._ring.folder),
            "files": self._ring.files + (file is not None),
            "bytes": self._ring.size_b(path) + present_b,
            "limit_bytes": self._ring.limit_b,
            "oldest_utc": self._oldest[1],
            "synced_ns": self.synced_ns,
            "state": self._trouble or self._doing(),
        }

    def _doing(self) -> str:
        if self._file is None:
            return "stopped: not begun, or ended"
        since_s = (self._clock.now_ns() - self._sync_began_ns) // NS_PER_S
        if self._syncs_done < self._syncs_asked and since_s * NS_PER_S > 2 * self._sync_ns:
            return f"recording; the disk has not synchronised for {since_s} s"
        return "recording"


def _number(error: BaseException) -> int | None:
    """The errno behind an error."""
    cause = error.__cause__ if isinstance(error, InputError) else error
    return cause.errno if isinstance(cause, OSError) else None


def _in_our_words(error: Exception) -> InputError:
    return InputError(f"a fault of the recorder, please report it: {type(error).__name__}: {error}")


def _in_words(path: Path, error: OSError) -> InputError:
    refused = InputError(f"{error.filename or path}: {error.strerror or error}")
    refused.__cause__ = error
    return refused
