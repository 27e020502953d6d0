"""What a monitor shows of a board: the newest bytes of each wire, the newest value of each device, a line over time.

Fed by a session of our own or by the tap of a running service; drawn for people, or as data.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from boards.doctor.signal_table import SignalTable
from drivers.bench.watch import Chunk, Watch
from drivers.bench.words import in_words, plotted, sparkline, told_apart
from drivers.parts import PARTS
from drivers.quantities import DeviceHealth, Quantity, SignalState
from drivers.units import NS_PER_MS, NS_PER_S

HISTORY = 48
HEX_ROWS = 3
HEX_BYTES = 24
DECODED_BYTES = 2_048


class WireFacts(msgspec.Struct, frozen=True):
    """What is known of a wire beforehand: ``WireFacts("radar-1", "/dev/ttyAMA3 115200 8N1", "ld2451")``."""

    name: str
    where: str
    content: str
    devices: tuple[str, ...] = ()


class View:
    """The state behind the picture.

    Args:
        title: the first line.
        wires: their facts, in the order they are shown.
        watch: what passed on each, by name.
        counters: of a device, by name; None where nobody counts (a tap).
        trouble: why a wire is not open; empty while it is.
    """

    def __init__(
        self,
        title: str,
        wires: tuple[WireFacts, ...],
        watch: Watch,
        counters: Callable[[str], Mapping[str, int]] | None,
        trouble: Callable[[str], str],
    ) -> None:
        self.title, self.wires, self.watch = title, wires, watch
        self._counters, self._trouble = counters, trouble
        self._latest: dict[str, Quantity] = {}
        self._health: dict[str, DeviceHealth] = {}
        self._history: dict[str, deque[float]] = {}
        self._rates: dict[str, deque[tuple[int, int, int]]] = {}  # (t_ns, bytes in, chunks in) of the last seconds
        self._signals: dict[str, SignalTable] = {}
        self.notes: list[str] = []

    def take(self, value: Quantity) -> None:
        """A device said this."""
        if isinstance(value, DeviceHealth):
            self._health[value.source] = value
            return
        self._latest[value.source] = value
        if isinstance(value, SignalState):
            self._signals.setdefault(value.source, SignalTable()).take(value)
            return
        number = plotted(value)
        if number is not None:
            self._history.setdefault(value.source, deque(maxlen=HISTORY)).append(number)

    def rates(self, name: str, now_ns: int) -> tuple[float, float]:
        """(bytes, chunks) a second that came in on a wire over the last three seconds."""
        wire = self.watch[name]
        kept = self._rates.setdefault(name, deque())
        kept.append((now_ns, wire.bytes_in, wire.chunks_in))
        while len(kept) > 2 and now_ns - kept[0][0] > 3 * NS_PER_S:
            kept.popleft()
        gone_ns = max(now_ns - kept[0][0], 1)
        return (
            (wire.bytes_in - kept[0][1]) * NS_PER_S / gone_ns,
            (wire.chunks_in - kept[0][2]) * NS_PER_S / gone_ns,
        )

    def decoded(self, facts: WireFacts) -> str:
        """The newest event of a wire that nobody else reads, as its part's decoder tells it."""
        part = PARTS.get(facts.content)
        if part is None or part.decode is None:
            return ""
        events, _ = part.decode(self.watch[facts.name].kept[-DECODED_BYTES:])
        return "" if not events else ", ".join(f"{k} {v}" for k, v in events[-1].items() if v is not None)

    def data(self, now_ns: int) -> dict[str, Any]:
        """The picture as JSON-able data."""
        wires = []
        for facts in self.wires:
            wire = self.watch[facts.name]
            bytes_s, chunks_s = self.rates(facts.name, now_ns)
            wires.append(
                {
                    "wire": facts.name,
                    "where": facts.where,
                    "content": facts.content,
                    "trouble": self._trouble(facts.name),
                    "bytes_in": wire.bytes_in,
                    "bytes_out": wire.bytes_out,
                    "bytes_in_per_s": round(bytes_s, 1),
                    "chunks_in_per_s": round(chunks_s, 1),
                    "last_hex": wire.recent[-1].data[-HEX_BYTES:].hex() if wire.recent else "",
                    "decoded": self.decoded(facts),
                    "devices": [self._device_data(name, now_ns) for name in facts.devices],
                }
            )
        return {"title": self.title, "wires": wires, "notes": self.notes[-4:]}

    def _device_data(self, name: str, now_ns: int) -> dict[str, Any]:
        latest, health = self._latest.get(name), self._health.get(name)
        signals = self._signals.get(name)
        groups = {} if signals is None else {"groups": signals.data(now_ns)}
        return groups | {
            "device": name,
            "ok": health is None or health.ok,
            "reason": "" if health is None else health.reason,
            "latest": None if latest is None else msgspec.to_builtins(latest),
            "age_ms": None if latest is None else (now_ns - latest.t_ns) // NS_PER_MS,
            "counters": dict(self._counters(name)) if self._counters is not None else {},
        }

    def picture(self, now_ns: int) -> RenderableType:
        """The picture for a terminal."""
        parts: list[RenderableType] = [Text(self.title, style="bold")]
        for facts in self.wires:
            parts.append(self._wire(facts, now_ns))
        parts += [Text(note, style="yellow") for note in self.notes[-4:]]
        return Group(*parts)

    def _wire(self, facts: WireFacts, now_ns: int) -> RenderableType:
        wire = self.watch[facts.name]
        bytes_s, chunks_s = self.rates(facts.name, now_ns)
        trouble = self._trouble(facts.name)
        head = Text.assemble((f"── {facts.name} ", "bold cyan"), f"{facts.where}  {facts.content}  ")
        head.append(trouble, "red") if trouble else head.append(f"{bytes_s:.0f} B/s  {chunks_s:.1f} reads/s", "dim")
        rows: list[RenderableType] = [head]
        if any(name in self._signals for name in facts.devices):
            for name in facts.devices:
                rows += self._feed(name, now_ns)
            return Group(*rows)
        rows += [_hex_row(chunk, now_ns) for chunk in list(wire.recent)[-HEX_ROWS:]]
        unread = not any(name in self._latest for name in facts.devices)
        if unread and (text := self.decoded(facts)):
            rows.append(Text(f"   {text}"[:160]))
        table = Table.grid(padding=(0, 2))
        for name in facts.devices:
            table.add_row(*self._device_row(name, now_ns))
        rows.append(table)
        return Group(*rows)

    def _feed(self, name: str, now_ns: int) -> list[RenderableType]:
        """A feed's health in a line, and its signal groups: its bytes tell nobody anything."""
        health, latest = self._health.get(name), self._latest.get(name)
        counted = self._counters(name) if self._counters is not None else {}
        ordinary, errors = told_apart(counted)
        line = Text(f"   {name} ", "bold")
        if health is not None and not health.ok:
            line.append(f"{health.reason}  ", "red")
        if latest is not None:
            line.append(f"{(now_ns - latest.t_ns) / NS_PER_S:.1f} s ago  {counted.get('frames', 0)} messages  ", "dim")
        line.append(ordinary, "dim")
        lines = [line, *([Text(f"   {errors}", "yellow")] if errors else [])]
        signals = self._signals.get(name)
        return [*lines, *(signals.lines(now_ns) if signals is not None else [])]

    def _device_row(self, name: str, now_ns: int) -> list[Text]:
        latest, health = self._latest.get(name), self._health.get(name)
        ok = health is None or health.ok
        said = "nothing yet" if latest is None else in_words(latest)
        age = "" if latest is None else f"{(now_ns - latest.t_ns) / NS_PER_S:.1f} s ago"
        counted = self._counters(name) if self._counters is not None else {}
        ordinary, errors = told_apart(counted)
        frames = f"{counted['frames']} frames" if counted.get("frames") else ""
        return [
            Text(f"   {name}", style="bold" if ok else "bold red"),
            Text(said if ok or health is None else f"{said} ({health.reason})", style="" if ok else "red"),
            Text(sparkline(list(self._history.get(name, ()))), style="green"),
            Text(age, style="dim"),
            Text(", ".join(filter(None, (frames, ordinary))), style="dim"),
            Text(errors, style="yellow"),
        ]


def _hex_row(chunk: Chunk, now_ns: int) -> Text:
    data = chunk.data[-HEX_BYTES:]
    cut = "… " if len(chunk.data) > HEX_BYTES else ""
    readable = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in data)
    arrow = "→" if chunk.outward else "←"
    text = Text(f"   {(chunk.t_ns - now_ns) / NS_PER_S:8.2f} s {arrow} {cut}{data.hex(' ')}")
    text.append(f"  {readable}", "dim")
    return text
