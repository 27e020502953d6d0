"""Writes into DALI gear what it shall keep: what to do without bus or supply, its limits, fade time and groups.

First everything is read; nothing is written that is right already, and all that was written is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import msgspec

from boards.doctor.live import LiveBoard
from boards.parts.dali import line_lamps
from boards.schema import BoardDescription
from drivers.bench.session import Clock
from drivers.buses.dali import DaliBus
from drivers.buses.dali_procedures import Done
from drivers.buses.dali_settings import GearSettings
from drivers.clock import SystemClock
from drivers.devices.lamp import DaliLamp
from drivers.errors import BenchError, InputError
from drivers.units import NS_PER_S

OWNER = "commission"
GEAR_NS = 30 * NS_PER_S
"""How long one gear may take, whatever gets lost on the way."""


class GearRow(msgspec.Struct, frozen=True, kw_only=True):
    """One lamp: what its gear keeps (None: it does not answer) and what it shall keep; `written` settings since."""

    lamp: str
    short_address: int
    wanted: GearSettings
    found: dict[str, Any] | None
    written: int = 0
    trouble: str = ""

    @property
    def differing(self) -> list[tuple[str, int, int]]:
        """(what, found, wanted) of all that differs."""
        return [] if self.found is None else self.wanted.differences(self.found)

    @property
    def ok(self) -> bool:
        """It answers, and keeps all that it shall keep."""
        return self.found is not None and not self.trouble and not self.differing


class LineCommissioning:
    """The gear of one DALI wire, asked and told. Use as a context manager; nothing else may use the wire.

    Args:
        board: with the wire.
        wire: its name.
        failure_level, fade_code: what the file of the board does not say (see `GearSettings`).
        progress: told what is being done, in a few words.

    Raises InputError: no such wire, or no DALI on it; BenchError: its port cannot be opened.
    """

    def __init__(
        self,
        board: BoardDescription,
        wire: str,
        *,
        failure_level: int,
        fade_code: int,
        progress: Callable[[str], None] = lambda text: None,
        clock: Clock | None = None,
    ) -> None:
        names = list(line_lamps(board, wire))
        if not names:
            raise InputError(f"board {board.name} has no DALI lamps on a wire {wire}; wires: {', '.join(board.wires)}")
        self._wire, self._progress = wire, progress
        self._live = LiveBoard(board, clock or SystemClock(), only=names)
        bus = self._live.board.devices[wire]
        assert isinstance(bus, DaliBus)
        self._bus = bus
        self._live.session.devices = [bus]  # nothing but our questions
        self._done: list[Done] = []
        bus.listen(OWNER, self._done.append)
        self._wanted: dict[str, tuple[int, GearSettings]] = {}
        for name in names:
            lamp = self._live.board.lamps[name]
            assert isinstance(lamp, DaliLamp)
            settings = lamp.wanted(failure_level=failure_level, fade_code=fade_code)
            self._wanted[name] = lamp.short_address, settings

    def __enter__(self) -> LineCommissioning:
        session = self._live.session
        session.run(session.clock.now_ns() + NS_PER_S, lambda: not session.trouble(self._wire))
        if trouble := session.trouble(self._wire):
            session.close()
            raise BenchError(f"wire {self._wire}: {trouble}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.session.close()

    def read(self) -> list[GearRow]:
        """What every gear keeps."""
        rows = []
        for lamp, (address, wanted) in self._wanted.items():
            self._progress(f"reading {lamp}")
            done = self._run("read_settings", (address,))
            found = done.result if isinstance(done.result, dict) else None
            rows.append(GearRow(lamp=lamp, short_address=address, wanted=wanted, found=found, trouble=done.reason))
        return rows

    def write(self, rows: Sequence[GearRow]) -> list[GearRow]:
        """Write into every gear what differs, and read all of it again; rows as they are then."""
        after = []
        for row in rows:
            if row.differing:
                self._progress(f"writing {row.lamp}")
                done = self._run("configure_gear", (row.short_address, *msgspec.structs.astuple(row.wanted)))
                written = done.result["written"] if isinstance(done.result, dict) else 0
                again = self._run("read_settings", (row.short_address,))
                found = again.result if isinstance(again.result, dict) else None
                trouble = done.reason or again.reason
                row = msgspec.structs.replace(row, found=found, written=written, trouble=trouble)
            after.append(row)
        return after

    def _run(self, procedure: str, args: tuple[int, ...]) -> Done:
        session = self._live.session
        now_ns = session.clock.now_ns()
        self._done.clear()
        self._bus.submit(procedure, args, now_ns, owner=OWNER, deadline_ns=now_ns + GEAR_NS)
        session.run(now_ns + GEAR_NS + NS_PER_S, lambda: bool(self._done))
        return self._done[0] if self._done else Done(now_ns, procedure, args, False, None, "gateway lost")
