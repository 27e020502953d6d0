"""RFbeam K-LD7, 24 GHz radar: distance, speed and angle of one tracked target. UART 115200 8E1 at first, no checksum.

Every packet, both ways (RFbeam, K-LD7 data sheet, revision B, 12/2020, page 15), little endian::

    4 letters | length u32 | payload

Host to radar (page 18); each is answered by RESP::

    INIT  u32 bit rate 0 115200, 1 460800, 2 921600, 3 2000000, 4 3000000; RESP still comes at the old rate
    GNFD  u32 which messages of the next frame: 1 RADC, 2 RFFT, 4 PDAT, 8 TDAT, 0x10 DDAT, 0x20 DONE
    GRPS, RFSE, GBYE  read the parameters, factory settings, end (back to 115200); no payload
    SRPS and one command a parameter: see `drivers.codecs.kld7_parameters`

Radar to host (page 17)::

    RESP  u8   0 done, 1 unknown command, 2 invalid value, 3 wrong version of RPST, 4 UART error, 5 busy, 6 timeout
    TDAT  0 or 8 bytes: distance u16 cm, speed i16 km/h x 100, angle i16 degrees x 100, magnitude u16 dB x 100
    PDAT  0 to 12 of the same: raw targets          DDAT  6 x u8: see `Flags`
    DONE  u32 number of the frame since reset       RPST  42 bytes: the parameters
    RADC  3072 and RFFT 1024 bytes: samples, spectrum

Negative speed approaches (page 6). A public log of 327 tracked targets agrees: its speeds are all positive, and its
distances grow. Page 19 prints GBYE with the letters of INIT; meant is ``47425945 00000000``.

Example: ``54444154 08000000 5000 97FF 2F07 1518`` is a target at 80 cm, -1.05 km/h, +18.39 degrees, 61.65 dB.

Verified against the frames of page 19 and the values of that log; not yet against a part on a desk.
"""

from __future__ import annotations

from typing import Any

import msgspec

from drivers.codecs.kld7_packets import (
    HEAD,
    HEAD_BYTES,
    OPENINGS,
    PACKETS,
    RESPONSES,
    SHORT,
    Command,
    Detected,
    Done,
    Event,
    Flags,
    ParameterSet,
    Response,
    Samples,
    Tracked,
)


class Kld7Stream:
    """Finds packets in a byte stream, both directions. Never raises, holds less than one packet, counts what it skips.

    There is no checksum and no tail. So a head counts only with a length that its letters can have, and a payload only
    with values that the part can mean: none reaches 0x41 in its high byte, the first letter. Of packets that overlap
    the one that ends first is taken. So a false head in rubbish, whatever length it claims, neither holds back nor
    swallows a report behind it (a false RADC or RFFT can still cost one that it cuts in its first three letters), and
    the events do not depend on how the bytes were cut.
    """

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self._pending = b""

    @property
    def pending_bytes(self) -> int:
        """Bytes that may still become a packet, below MAX_PACKET_BYTES."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[Event]:
        """Events of all packets that are complete with `data`, in the order in which they end."""
        if self._pending:
            data = self._pending + data
        events: list[Event] = []
        done, size = 0, len(data)
        while done < size:
            known = SHORT.get(data[done : done + HEAD_BYTES])
            end = done + HEAD_BYTES + known[0] if known is not None else size + 1
            event = known[1](data[done + HEAD_BYTES : end]) if known is not None and end <= size else None
            if event is None:
                self._search(data, done, events)
                return events
            events.append(event)
            done = end
        self._pending = b""
        return events

    def _search(self, data: bytes, done: int, events: list[Event]) -> None:
        """From `done` on: every head is tried, and of sound packets the one that ends first is taken."""
        size = len(data)
        found: list[tuple[int, int, Event]] = []
        kept = _open_head(data, done)
        for match in HEAD.finditer(data, done):
            start = match.start()
            length, read = PACKETS[match[0]]
            end = start + HEAD_BYTES + length
            if end > size:
                kept = min(kept, start)
            elif (event := read(data[start + HEAD_BYTES : end])) is not None:
                found.append((end, -start, event))
        found.sort(key=lambda one: one[:2])
        for end, minus_start, event in found:
            if -minus_start >= done:
                self.skipped_bytes += -minus_start - done
                events.append(event)
                done = end
        if kept < done:  # that head lay inside what was taken
            kept = next(
                (m.start() for m in HEAD.finditer(data, done) if m.start() + HEAD_BYTES + PACKETS[m[0]][0] > size),
                _open_head(data, done),
            )
        self.skipped_bytes += kept - done
        self._pending = data[kept:]

    def finish(self) -> None:
        """The stream has ended: what waited for its end is skipped."""
        self.skipped_bytes += len(self._pending)
        self._pending = b""

    def snapshot(self) -> dict[str, Any]:
        """State as JSON-able values."""
        return {"pending": self._pending.hex(), "skipped_bytes": self.skipped_bytes}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._pending, self.skipped_bytes = bytes.fromhex(state["pending"]), state["skipped_bytes"]


def _open_head(data: bytes, low: int) -> int:
    """Where, in the last seven bytes from `low` on, a head begins that is cut short; the end of `data` for nowhere."""
    size = len(data)
    return next((at for at in range(max(low, size - HEAD_BYTES + 1), size) if data[at:] in OPENINGS), size)


def decode_events(data: bytes) -> tuple[list[dict[str, object]], int]:
    """For the command line: JSON-able events of a whole recording, and how many bytes were skipped."""
    stream = Kld7Stream()
    events = [_jsonable(event) for event in stream.feed(data)]
    stream.finish()
    return events, stream.skipped_bytes


def _jsonable(event: Event) -> dict[str, object]:
    match event:
        case Response(code=code):
            text = RESPONSES[code] if code < len(RESPONSES) else "unknown"
            return {"type": "resp", "code": code, "text": text}
        case Samples(kind=kind, data=samples):
            return {"type": kind.lower(), "data_hex": samples.hex()}
        case ParameterSet(parameters=parameters, setting=setting):
            return {"type": "srps" if setting else "rpst", **msgspec.to_builtins(parameters)}
        case Command(name=name, value=value):
            return {"type": "command", "command": name, "value": value}
        case Detected(targets=targets):
            return {"type": "pdat", "targets": [msgspec.to_builtins(target) for target in targets]}
        case _:
            return {"type": _KINDS[type(event)], **msgspec.to_builtins(event)}


_KINDS = {Tracked: "tdat", Flags: "ddat", Done: "done"}
