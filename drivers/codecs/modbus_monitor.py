"""Modbus RTU, read along: frames of both directions in one byte stream, found by their CRC (crcmod, ``modbus``).

Frames as in `drivers.codecs.modbus_rtu`; read here: functions 1 to 6, 15, 16, 17 (report server id) and exceptions.
Nothing marks where a frame begins or which way it goes. So each place that could be a head (an address, a function) is
given the one or two lengths that it can have there, as a request and as a reply, and each is tried once, when its last
byte has come: bounded work a byte, whatever comes. Of frames that overlap the one that ends first is taken, so a
false head in rubbish holds nothing back, and it makes no difference how the bytes were cut. A place in rubbish passes
for a frame about once in 65536.

Which way a frame went is told by its length. Where that says nothing (a write of one register and its reply are the
same bytes), it is the reply if it answers the request before it. So a write that the master repeats because nobody
answered reads as its own reply; only times could tell.

Verified: 432 recorded frames of two buses, both directions; the worked frames of three vendors. CRC's check value:
0x4B37 for ``123456789``.
Example: ``0C 03 00 05 00 01 95 16 0C 03 02 30 39 41 97`` is a request for register 5 of device 12, and 12345.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import msgspec

from drivers.codecs.modbus_rtu import EXCEPTIONS, FUNCTIONS, MAX_ADDRESS

REPORT_SERVER_ID: Final = 17
MAX_FRAME_BYTES: Final = 256
SLICE_BYTES: Final = 4096
_NAMES: Final = {**FUNCTIONS, REPORT_SERVER_ID: "report server id"}
_FUNCTION = re.compile(rb"[\x01-\x06\x0f-\x11\x81-\x86\x8f-\x91]")
_HEAD = re.compile(rb"(?=[\x01-\xf7][\x01-\x04\x11\x81-\x86\x8f-\x91]|[\x00-\xf7][\x05\x06\x0f\x10])")
_REFUSALS: Final = frozenset(function | 0x80 for function in _NAMES)
_REQUEST, _REPLY, _EITHER, _EXCEPTION = range(4)


class Request(msgspec.Struct, frozen=True, gc=False):
    """A master's question: ``Request(12, 3, 5, 1)``. `values` is what it writes: registers, or bits as 0 and 1."""

    address: int
    function: int
    start: int = 0
    count: int = 0
    values: tuple[int, ...] = ()


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A device's answer: ``Reply(12, 3, 5, 1, (12345,))``.

    `start` and `count` are those of the request it answers, of a write its own; None where no request fits.
    `values` are registers, bits as 0 and 1, or bytes (report server id).
    """

    address: int
    function: int
    start: int | None
    count: int | None
    values: tuple[int, ...] = ()


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """A device's exception: ``Refusal(12, 3, 2)`` is an illegal data address."""

    address: int
    function: int
    code: int


Event = Request | Reply | Refusal


@cache
def crc16() -> Callable[[bytes], int]:
    """CRC-16/MODBUS by crcmod: 0 over a frame with its CRC."""
    from crcmod.predefined import mkPredefinedCrcFun  # type: ignore[import-untyped]

    found: Callable[[bytes], int] = mkPredefinedCrcFun("modbus")
    return found


class ModbusMonitor:
    """Finds frames in what passes on a bus. Never raises, holds less than one frame, counts what it skips.

    Counters: `requests`, `replies`, `refusals`; `unanswered` requests (the next one came first), `unasked` replies.
    """

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self.requests = self.replies = self.refusals = self.unanswered = self.unasked = 0
        self._crc16 = crc16()
        self._pending = b""
        self._ends: list[tuple[int, int, int]] = []  # (end, start, kind) of what may become a frame
        self._counts: list[tuple[int, int]] = []  # (place of the byte that will tell the length, start)
        self._asked: Request | None = None

    @property
    def frames(self) -> int:
        """All sound ones."""
        return self.requests + self.replies + self.refusals

    @property
    def pending_bytes(self) -> int:
        """Bytes that may still become a frame, below MAX_FRAME_BYTES."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[Event]:
        """Events of all frames that are complete with `data`, in the order in which they end."""
        if not self._pending and 5 <= len(data) <= MAX_FRAME_BYTES and (alone := self._alone(data)) is not None:
            return [alone]
        events: list[Event] = []
        for at in range(0, len(data), SLICE_BYTES):
            self._feed(data[at : at + SLICE_BYTES], events)
        return events

    def _alone(self, data: bytes) -> Event | None:
        """The event of a chunk that is one frame, in which nothing else could end before it does.

        None: not that, or not certain; the search will tell.
        """
        size, function, said = len(data), data[1], data[2]
        if not 0 < data[0] <= MAX_ADDRESS:
            return None
        for match in _HEAD.finditer(data, 1, size - 2):  # could what begins here end sooner?
            start = match.start()
            other, count = data[start + 1], data[start + 2]
            if (
                start + 8 < size
                or other == REPORT_SERVER_ID
                or (other <= 4 and 0 < count < size - start - 5)
                or (other > 0x80 and start + 5 < size and count in EXCEPTIONS)
            ):
                return None
        kind = -1
        if 1 <= function <= 4:
            if size == 8:
                kind = _REQUEST if said not in (1, 2) else -1
            elif size == 5 + said and (size < 8 or not 1 <= data[4] << 8 | data[5] <= 2000):
                kind = _REPLY if function < 3 or not said & 1 else -1
        elif size == 8:
            kind = _EITHER if function in (5, 6) else _REPLY if function in (15, 16) else -1
        elif size == 5 and said in EXCEPTIONS and function in _REFUSALS:
            kind = _EXCEPTION
        return self._event(data, kind) if kind >= 0 else None

    def _feed(self, chunk: bytes, events: list[Event]) -> None:
        known, data = len(self._pending), self._pending + chunk
        size = len(data)
        ends, counts = self._ends, self._counts
        waiting: list[tuple[int, int]] = []
        for place, start in counts:
            _measure(data, place, start, ends, waiting)
        for match in _FUNCTION.finditer(data, known or 1):
            start = match.start() - 1
            if data[start] <= MAX_ADDRESS:
                _expect(data, start, ends, waiting)
        ends.sort()
        done = framed = tried = 0
        for end, start, kind in ends:
            if end > size:
                break
            tried += 1
            if start < done:
                continue
            event = self._event(data[start:end], kind)
            if event is not None:
                events.append(event)
                framed += end - start
                done = end
        self._ends = [one for one in ends[tried:] if one[1] >= done] if tried < len(ends) else []
        if waiting and done:
            waiting = [one for one in waiting if one[1] >= done]
        cut = size - 1 if size > done and data[-1] <= MAX_ADDRESS else size
        for _, start, _ in self._ends:
            cut = min(cut, start)
        for _, start in waiting:
            cut = min(cut, start)
        self._pending = data[cut:]
        self.skipped_bytes += cut - framed
        self._ends = [(end - cut, start - cut, kind) for end, start, kind in self._ends]
        self._counts = [(place - cut, start - cut) for place, start in waiting]

    def _event(self, frame: bytes, kind: int) -> Event | None:
        """What a piece of the right length says; None where it cannot be, or its CRC says no."""
        address, function = frame[0], frame[1]
        start, count = frame[2] << 8 | frame[3], frame[4] << 8 | frame[5] if len(frame) > 5 else 0
        if kind == _REQUEST and function <= 4 and not 1 <= count <= (2000 if function < 3 else 125):
            return None
        if kind == _EITHER and function == 5 and count not in (0, 0xFF00):
            return None
        if self._crc16(frame):
            return None
        asked = self._asked
        if asked is not None and (asked.address != address or asked.function != function & 0x7F):
            asked = None
        if kind == _EXCEPTION:
            self.refusals += 1
            self._asked = None
            return Refusal(address, function & 0x7F, frame[2])
        if kind == _REQUEST and function < 3 and frame[2] == 3 and asked is not None and 17 <= asked.count <= 24:
            kind = _REPLY  # three bytes of bits are as long as a request, and were asked for
        if kind == _EITHER:
            wrote = (int(count != 0) if function == 5 else count,)
            if asked is None or asked.start != start or asked.values != wrote:
                return self._request(Request(address, function, start, 1, wrote))
            return self._reply(Reply(address, function, start, 1, wrote))
        if kind == _REQUEST:
            if function <= 4:
                return self._request(Request(address, function, start, count))
            if function == REPORT_SERVER_ID:
                return self._request(Request(address, function))
            return self._request(Request(address, function, start, count, _written(frame, function, count)))
        if function > 14 and function != REPORT_SERVER_ID:
            fits = asked is not None and asked.start == start and asked.count == count
            return self._reply(Reply(address, function, start, count), fits)
        values = _words(frame[3:-2]) if function in (3, 4) else _bits(frame[3:-2])
        if function == REPORT_SERVER_ID:
            return self._reply(Reply(address, function, None, None, tuple(frame[3:-2])), asked is not None)
        if asked is None or (asked.count if function > 2 else (asked.count + 7) & ~7) != len(values):
            return self._reply(Reply(address, function, None, None, values), False)
        return self._reply(Reply(address, function, asked.start, asked.count, values[: asked.count]))

    def _request(self, event: Request) -> Request:
        self.requests += 1
        self.unanswered += self._asked is not None
        self._asked = event if event.address else None  # nobody answers a broadcast
        return event

    def _reply(self, event: Reply, fits: bool = True) -> Reply:
        self.replies += 1
        self.unasked += not fits
        self._asked = None
        return event

    def finish(self) -> None:
        """The stream has ended: what waited for its end is skipped."""
        self.skipped_bytes += len(self._pending)
        self._pending, self._ends, self._counts = b"", [], []

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {"frames": self.frames} | {name: getattr(self, name) for name in _COUNTERS}

    def snapshot(self) -> dict[str, Any]:
        """State as JSON-able values."""
        return {
            "pending": self._pending.hex(),
            "asked": None if self._asked is None else msgspec.to_builtins(self._asked),
            "counters": {name: getattr(self, name) for name in _COUNTERS},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._pending, self._ends, self._counts = b"", [], []
        self._feed(bytes.fromhex(state["pending"]), [])  # no frame ends in it: only its heads are found again
        self._asked = None if state["asked"] is None else msgspec.convert(state["asked"], Request)
        for name in _COUNTERS:
            setattr(self, name, state["counters"][name])


_COUNTERS: Final = ("requests", "replies", "refusals", "unanswered", "unasked", "skipped_bytes")


def _expect(data: bytes, start: int, ends: list[tuple[int, int, int]], waiting: list[tuple[int, int]]) -> None:
    """All frames that the head at `start` can begin."""
    function = data[start + 1]
    if function > 0x80:
        if data[start]:
            _measure(data, start + 2, start, ends, waiting)
    elif function > 4:
        if function == REPORT_SERVER_ID:
            if data[start]:
                ends.append((start + 4, start, _REQUEST))
                _measure(data, start + 2, start, ends, waiting)
        elif function < 7:
            ends.append((start + 8, start, _EITHER))
        else:
            ends.append((start + 8, start, _REPLY))
            _measure(data, start + 6, start, ends, waiting)
    elif data[start]:  # nobody can answer a broadcast, so there is nothing to ask
        ends.append((start + 8, start, _REQUEST))
        _measure(data, start + 2, start, ends, waiting)


def _measure(
    data: bytes, place: int, start: int, ends: list[tuple[int, int, int]], waiting: list[tuple[int, int]]
) -> None:
    """Read the length of the frame at `start` from the byte at `place`; wait for it where it has not come."""
    if place >= len(data):
        waiting.append((place, start))
        return
    function, said = data[start + 1], data[place]
    if function > 0x80:
        if said in EXCEPTIONS:
            ends.append((start + 5, start, _EXCEPTION))
    elif function in (15, 16):
        count = data[start + 4] << 8 | data[start + 5]
        if 1 <= said <= 246 and said == ((count + 7) // 8 if function == 15 else 2 * count):
            ends.append((start + 9 + said, start, _REQUEST))
    elif 1 <= said <= 250 and (function not in (3, 4) or said % 2 == 0):
        ends.append((start + 5 + said, start, _REPLY))


def _words(data: bytes) -> tuple[int, ...]:
    return tuple(data[at] << 8 | data[at + 1] for at in range(0, len(data), 2))


def _bits(data: bytes) -> tuple[int, ...]:
    return tuple(byte >> bit & 1 for byte in data for bit in range(8))


def _written(frame: bytes, function: int, count: int) -> tuple[int, ...]:
    return _words(frame[7:-2]) if function == 16 else _bits(frame[7:-2])[:count]


Describe = Callable[[int, tuple[int, ...]], dict[str, object]]
"""What a part means by registers: (start, values) to names and values."""


def decode_events(data: bytes, describe: Describe | None = None) -> tuple[list[dict[str, object]], int]:
    """For the command line: JSON-able events of a whole recording, and how many bytes were skipped.

    `describe` adds what registers of functions 3, 4, 6 and 16 mean, under ``means``.
    """
    monitor = ModbusMonitor()
    events = []
    for event in monitor.feed(data):
        events.append(jsonable(event))
        if describe is not None and not isinstance(event, Refusal) and event.function in (3, 4, 6, 16):
            means = describe(event.start, event.values) if event.start is not None else {}
            events[-1] |= {"means": means} if means else {}
    monitor.finish()
    return events, monitor.skipped_bytes


def jsonable(event: Event) -> dict[str, object]:
    """An event with its function and exception in words."""
    name = type(event).__name__.lower()
    found: dict[str, object] = {"type": name, "address": event.address, "function": _NAMES[event.function]}
    if isinstance(event, Refusal):
        return found | {"exception": event.code, "reason": EXCEPTIONS[event.code]}
    if event.function != REPORT_SERVER_ID:
        found |= {"start": event.start, "count": event.count}
    if event.values:
        what = {1: "bits", 2: "bits", 5: "bits", 15: "bits", REPORT_SERVER_ID: "bytes"}.get(event.function, "registers")
        found[what] = list(event.values)
    return found
