"""A trace as waveforms (VCD, IEEE 1364-2005, clause 18), for PulseView and GTKWave.

A serial wire becomes two lines, ``rx`` into the board and ``tx`` out of it, with every start, data, parity and stop bit
at the wire's bit rate, so that a viewer's UART decoder reads the bytes again. A trace keeps when a chunk of bytes was
handed over, not each bit: the bits are drawn from that moment on, one chunk after the other. Single lines (GPIO) are
drawn as they were; a PWM output as its duty in per mille. Wires without bits (broker, I2C, panel) show a mark of 1 us a
message. With text: what passed as hex, the level each lamp was told, ticks.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from drivers.line_events import EDGE, FREE, HOLD, PULSE, PWM, SET, LineEventStream
from drivers.recording.events import Decision, Event, Line, Repeated, Tick, Wire, WireBytes
from drivers.recording.reader import TraceReader
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.replay_trace import TOLD_LATE_NS
from hil.trace_edit import LINES, piece_ns, read_apart, span_ns

BAUD_OF = {
    "ld2451": 115_200,
    "ld2450": 256_000,
    "ld2410": 256_000,
    "kld7": 115_200,
    "ops243": 19_200,
    "a02yyuw": 9_600,
    "aj-sr04m": 9_600,
    "mb7389": 9_600,
    "leezenflow-sensor": 115_200,
    "modbus": 9_600,
    "dali": 19_200,
    "luba": 38_400,
    "sci": 38_400,
    "message": 115_200,
}
"""What a serial wire runs at where the trace holds no line settings (wires in memory have none)."""

MARK_NS = NS_PER_MS // 1000
EDGES_LATE_NS = NS_PER_S
"""An edge is told with its own time, at most so much later."""

_CODES = 94
_FLUSH_CHARACTERS = 1 << 16


class Drawn(msgspec.Struct, kw_only=True):
    """What was written: so many `signals`, `changes` of them, within `span_s`."""

    signals: int = 0
    changes: int = 0
    span_s: float = 0.0


class _Signal:
    """One variable of the file, and what it shows now."""

    def __init__(self, code: str, kind: str, width: int, scope: str, name: str) -> None:
        self.code, self.kind, self.width, self.scope, self.name = code, kind, width, scope, name
        self.shown = ""

    def change(self, value: int | str) -> str:
        """The line that shows `value`; empty where it shows that already."""
        if isinstance(value, str):
            text = f"s{value} {self.code}"
        elif self.width == 1:
            text = f"{value}{self.code}"
        else:
            text = f"b{value:b} {self.code}"
        if text == self.shown:
            return ""
        self.shown = text
        return text


class _Page:
    """Writes signals and their changes in order of time."""

    def __init__(self, file: IO[str], origin_ns: int) -> None:
        self._file, self._origin_ns = file, origin_ns
        self._waiting: list[tuple[int, int, _Signal, int | str]] = []
        self._count = 0
        self._stamp_ns = -1
        self._text: list[str] = []
        self.drawn = Drawn()

    def head(self, signals: list[_Signal], about: str) -> None:
        """Everything before the first change."""
        lines = ["$version", f"  {about}", "$end", "$timescale 1 ns $end"]
        scope = None
        for signal in signals:
            if signal.scope != scope:
                lines += ["$upscope $end"] * (scope is not None)
                scope = signal.scope
                lines.append(f"$scope module {scope} $end")
            lines.append(f"$var {signal.kind} {signal.width} {signal.code} {signal.name} $end")
        lines += ["$upscope $end"] * (scope is not None)
        lines += ["$enddefinitions $end", ""]
        self._file.write("\n".join(lines))
        self.drawn.signals = len(signals)

    def put(self, t_ns: int, signal: _Signal, value: int | str) -> None:
        """`signal` shows `value` from `t_ns` on; not before what was flushed."""
        self._count += 1
        heapq.heappush(self._waiting, (t_ns - self._origin_ns, self._count, signal, value))

    def flush(self, until_ns: int) -> None:
        """Write all changes before `until_ns`."""
        waiting, until_ns = self._waiting, until_ns - self._origin_ns
        while waiting and waiting[0][0] < until_ns:
            t_ns, _, signal, value = heapq.heappop(waiting)
            text = signal.change(value)
            if not text:
                continue
            t_ns = max(0, t_ns)
            if t_ns > self._stamp_ns:
                self._stamp_ns = t_ns
                self._text.append(f"#{t_ns}\n")
            self._text.append(text + "\n")
            self.drawn.changes += 1
            self.drawn.span_s = t_ns / NS_PER_S
        if len(self._text) > _FLUSH_CHARACTERS // 8:
            self.write_out()

    def write_out(self) -> None:
        """To the file."""
        self._file.write("".join(self._text))
        self._text.clear()


class _Serial:
    """One direction of a serial wire as a line that is high when idle."""

    def __init__(self, signal: _Signal, baud: int) -> None:
        self.signal, self.baud, self.parity, self.stop_bits = signal, baud, "N", 1
        self._free_ns = 0

    def draw(self, page: _Page, data: bytes, t_ns: int) -> None:
        start_ns = max(t_ns, self._free_ns)
        bit = 0
        for byte in data:
            for level in (0, *(byte >> n & 1 for n in range(8)), *self._parity_of(byte), *[1] * self.stop_bits):
                page.put(start_ns + bit * NS_PER_S // self.baud, self.signal, level)
                bit += 1
        self._free_ns = start_ns + bit * NS_PER_S // self.baud

    def _parity_of(self, byte: int) -> tuple[int, ...]:
        ones = byte.bit_count() & 1
        return {"E": (ones,), "O": (1 - ones,)}.get(self.parity, ())


class _Marks:
    """Messages of a wire without bits."""

    def __init__(self, signal: _Signal) -> None:
        self.signal = signal

    def draw(self, page: _Page, data: bytes, t_ns: int) -> None:
        page.put(t_ns, self.signal, 1)
        page.put(t_ns + MARK_NS, self.signal, 0)


class _Drawing:
    """All signals of a trace, and what each event changes."""

    def __init__(self, page: _Page, reader: TraceReader, *, bits_only: bool) -> None:
        wires, boards, lines = reader.wires, _lamps(reader), _line_numbers(reader)
        self._page = page
        self.signals: list[_Signal] = []
        self._lines: dict[tuple[str, str, bool], _Serial | _Marks] = {}
        self._texts: dict[tuple[str, str, bool], _Signal] = {}
        self._levels: dict[tuple[str, str, int], _Signal] = {}
        self._streams: dict[tuple[str, str, bool], LineEventStream] = {}
        self._targets: dict[tuple[str, str], _Signal] = {}
        self._ticks: dict[str, _Signal] = {}
        self._bits_only = bits_only
        names = sorted({wire.board for wire in wires} | boards.keys())
        for board in names:
            for wire in (wire for wire in wires if wire.board == board):
                self._add_wire(wire, lines.get((wire.board, wire.name), set()))
            if not bits_only:
                for lamp in boards.get(board, ()):
                    self._targets[board, lamp] = self._add("reg", 8, board, f"{lamp}_level")
                self._ticks[board] = self._add("reg", 32, board, "tick")

    def _add(self, kind: str, width: int, scope: str, name: str) -> _Signal:
        number, code = len(self.signals), ""
        while True:
            code += chr(33 + number % _CODES)
            number //= _CODES
            if not number:
                break
        self.signals.append(signal := _Signal(code, kind, width, _word(scope), _word(name)))
        return signal

    def _add_wire(self, wire: Wire, numbers: set[int]) -> None:
        for outward, way in ((False, "rx"), (True, "tx")):
            key = (wire.board, wire.name, outward)
            if wire.content in LINES:
                self._streams[key] = LineEventStream()
                continue
            line = self._add("wire", 1, wire.board, f"{wire.name}_{way}")
            baud = BAUD_OF.get(wire.content)
            self._lines[key] = _Marks(line) if baud is None else _Serial(line, baud)
            if not self._bits_only:
                self._texts[key] = self._add("string", 1, wire.board, f"{wire.name}_{way}_hex")
        for n in sorted(numbers):
            if wire.content == "pwm":
                signal = None if self._bits_only else self._add("reg", 10, wire.board, f"{wire.name}_duty{n}")
            else:
                signal = self._add("wire", 1, wire.board, f"{wire.name}_line{n}")
            if signal is not None:
                self._levels[wire.board, wire.name, n] = signal

    def open(self, origin_ns: int) -> None:
        """How everything stands before the first event: serial lines are high."""
        for line in self._lines.values():
            self._page.put(origin_ns, line.signal, 1 if isinstance(line, _Serial) else 0)

    def draw(self, event: Event) -> None:
        """What the event changes."""
        if isinstance(event, WireBytes):
            self._bytes(event.board, event.wire, event.outward, event.data, event.t_ns)
        elif isinstance(event, Line):
            for outward in (False, True):
                line = self._lines.get((event.board, event.wire, outward))
                if isinstance(line, _Serial):
                    line.baud, line.parity, line.stop_bits = event.baud, event.parity, max(1, round(event.stopbits))
        elif isinstance(event, Decision):
            target = self._targets.get((event.board, str(event.body.get("target"))))
            if target is not None and isinstance(event.body.get("level"), int):
                self._page.put(event.t_ns, target, int(event.body["level"]))
        elif isinstance(event, Tick) and event.board in self._ticks:
            self._page.put(event.t_ns, self._ticks[event.board], event.tick & 0xFFFF_FFFF)

    def _bytes(self, board: str, wire: str, outward: bool, data: bytes, t_ns: int) -> None:
        key = (board, wire, outward)
        stream = self._streams.get(key)
        if stream is not None:
            self._level_changes(board, wire, stream, data, t_ns)
            return
        line = self._lines.get(key)
        if line is not None:
            line.draw(self._page, data, t_ns)
        text = self._texts.get(key)
        if text is not None:
            self._page.put(t_ns, text, data.hex("_") or "-")

    def _level_changes(self, board: str, wire: str, stream: LineEventStream, data: bytes, t_ns: int) -> None:
        for change in stream.feed(data):
            signal = self._levels.get((board, wire, change.line))
            if signal is None or change.kind == FREE:
                continue
            if change.kind == PWM:
                self._page.put(t_ns, signal, change.on_ns * 1000 // max(1, change.period_ns))
            elif change.kind in (SET, HOLD):
                self._page.put(t_ns, signal, change.value)
            elif change.kind == EDGE:
                self._page.put(change.t_ns, signal, change.value)
            elif change.kind == PULSE:
                self._page.put(t_ns, signal, change.value)
                self._page.put(t_ns + change.t_ns, signal, 1 - change.value)


def write_vcd(
    path: Path, out: Path, *, from_s: float = 0.0, to_s: float | None = None, bits_only: bool = False
) -> Drawn:
    """Draw the piece of a trace from `from_s` to before `to_s`, seconds from its first event. Raises InputError."""
    reader = read_apart(path, out)
    from_ns, to_ns = piece_ns(span_ns(reader)[0], from_s, to_s)
    with out.open("w", encoding="ascii") as file:
        page = _Page(file, from_ns)
        drawing = _Drawing(page, reader, bits_only=bits_only)
        page.head(drawing.signals, f"leeze {reader.provenance.version}".strip())
        drawing.open(from_ns)
        for event in _in_order(reader):
            if event.t_ns >= to_ns:
                continue
            if event.t_ns >= from_ns or isinstance(event, Line):
                drawing.draw(event)
            page.flush(event.t_ns - EDGES_LATE_NS)
        page.flush(FOREVER_NS)
        page.write_out()
    return page.drawn


def _lamps(reader: TraceReader) -> dict[str, list[str]]:
    """The lamps that were told a level, by board."""
    found: dict[str, set[str]] = {}
    for event in reader.events(["/decision/*"]):
        if isinstance(event, Decision) and isinstance(event.body.get("level"), int):
            found.setdefault(event.board, set()).add(str(event.body["target"]))
    return {board: sorted(lamps) for board, lamps in found.items()}


def _line_numbers(reader: TraceReader) -> dict[tuple[str, str], set[int]]:
    """The single lines that something is said of, by board and wire."""
    found: dict[tuple[str, str], set[int]] = {}
    for wire in (wire for wire in reader.wires if wire.content in LINES):
        numbers = found.setdefault((wire.board, wire.name), set())
        for way in ("rx", "tx"):
            stream = LineEventStream()
            for event in reader.events([f"/wire/{wire.board}/{wire.name}/{way}"]):
                if isinstance(event, WireBytes):
                    numbers.update(change.line for change in stream.feed(event.data))
    return found


def _in_order(reader: TraceReader) -> Iterator[Event]:
    """Every event at its own time, with each idle frame by itself; a run of them is told late in a trace."""
    waiting: list[tuple[int, int, Event]] = []
    count = 0
    for event in reader.events(["/wire/*", "/idle/*", "/line/*", "/decision/*", "/tick/*"]):
        for single in _singles(event):
            count += 1
            heapq.heappush(waiting, (single.t_ns, count, single))
        while waiting and waiting[0][0] < event.t_ns - TOLD_LATE_NS:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _singles(event: Event) -> Iterator[Event]:
    if not isinstance(event, Repeated):
        yield event
        return
    step_ns = (event.last_ns - event.first_ns) // max(1, event.count - 1)
    for n in range(event.count):
        t_ns = event.last_ns if n == event.count - 1 else event.first_ns + n * step_ns
        yield WireBytes(t_ns, event.board, event.wire, False, event.frame)


def _word(name: str) -> str:
    """A name as VCD takes it: without blanks."""
    return "".join(letter if letter.isalnum() or letter in "_-.[]" else "_" for letter in name)
