"""What a panel showed at a moment, from a file of the flight recorder: for a passer-by's complaint the day after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from controllers.service.blackbox import covering, look
from drivers.errors import InputError
from drivers.recording.events import Gap, Lost, Snapshot, WireBytes
from drivers.recording.reader import TraceReader
from drivers.recording.ring_look import Glance


class Shown(msgspec.Struct, frozen=True):
    """`frame` stood on the panel at the moment; sent at `since_ns` (monotonic, None: before the file began).

    `doubt` says why it may not have been seen; empty where nothing speaks against it. `bar_full_ms` is of the site.
    """

    panel: str
    frame: bytes
    at_ns: int
    since_ns: int | None
    file: Path
    bar_full_ms: int
    doubt: str = ""


def shown_at(folder: Path, board: str | None, utc_ns: int) -> Shown:
    """Raises InputError: nothing was recorded then, several boards were, or what was recorded has no panel."""
    return shown_in(_the_file(covering(look(folder, board), utc_ns, utc_ns), folder, utc_ns), utc_ns)


def shown_in(one: Glance, utc_ns: int) -> Shown:
    """The same from one file. Raises InputError."""
    assert one.base_ns is not None
    at_ns = utc_ns - one.base_ns
    path = one.file.path
    reader = TraceReader(path)
    panels = [wire for wire in reader.wires if wire.content == "panel"]
    if len(panels) != 1:
        raise InputError(f"{path}: has {len(panels)} panels, one is needed; was this a Leezenflow?")
    wire = panels[0].name
    frame, since_ns, doubt = b"", None, ""
    for event in reader.events():
        if isinstance(event, Snapshot):
            frame = frame or _of_snapshot(event)
        elif event.t_ns > at_ns:
            break
        elif isinstance(event, WireBytes) and event.outward and event.wire == wire:
            frame, since_ns, doubt = event.data, event.t_ns, ""
        elif isinstance(event, Lost) and event.wire == wire:
            doubt = f"the panel was not connected then: {event.detail}"
        elif isinstance(event, Gap) and event.to_ns >= at_ns:
            doubt = "records of this moment were lost"
    if not frame:
        raise InputError(f"{path}: nothing had been shown yet at that moment")
    return Shown(wire, frame, at_ns, since_ns, path, _bar_full_ms(reader), doubt)


def _the_file(found: Sequence[Glance], folder: Path, utc_ns: int) -> Glance:
    if not found:
        raise InputError(f"{folder}: nothing was recorded at that time; see: leeze-controllers blackbox list")
    boards = sorted({one.file.board for one in found})
    if len(boards) > 1:
        raise InputError(f"{folder}: several boards recorded then; choose one with --board: {', '.join(boards)}")
    return found[-1]


def _of_snapshot(event: Snapshot) -> bytes:
    """The frame that the panel device kept."""
    for state in event.state.get("cycle", {}).get("devices", {}).values():
        if isinstance(state.get("frame"), str):
            return bytes.fromhex(state["frame"])
    return b""


def _bar_full_ms(reader: TraceReader) -> int:
    try:
        return int(1000 * msgspec.json.decode(reader.controller["site"], type=dict)["bar_full_s"])
    except (KeyError, TypeError, ValueError, msgspec.MsgspecError):
        return 30_000
