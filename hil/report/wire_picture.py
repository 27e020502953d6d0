"""The wires: what each sent (up) and heard (down) over time."""

from __future__ import annotations

from hil.report.drawing import Strip, TimeAxis
from hil.report.figures import number
from hil.report.lanes import Lanes, WireLane

ROW_PX = 26


def wire_strip(lanes: Lanes, axis: TimeAxis, budget: int) -> tuple[Strip, list[str]]:
    """The strip, of about `budget` elements at most, and notes on what was merged."""
    wires = lanes.wires
    about = "One row a wire. Marks above its line are frames the board sent, marks below are frames it heard."
    strip = Strip(axis, ROW_PX * len(wires) + 34, "Wires: frames over time", about)
    bins = max(50, min(2500, budget // (4 * max(1, len(wires)))))
    frames = drawn = 0
    for row, wire in enumerate(wires):
        y = 12.0 + ROW_PX * (row + 0.5)
        strip.label(y + 4, wire.name)
        strip.level(y, "wire")
        for count, text, t_ns, outward in _binned(wire, axis, bins):
            tip = f"{wire.name} {'sent' if outward else 'heard'} {axis.moment(t_ns)}\n{text}"
            tip += f"\nand {number(count - 1)} more close by" if count > 1 else ""
            high = min(10.0, 5.0 + count)
            strip.upright(t_ns, y, y - high if outward else y + high, "sent" if outward else "heard", tip)
            frames, drawn = frames + count, drawn + 1
    bottom = 12.0 + ROW_PX * len(wires)
    strip.grid(6, bottom, bottom + 16)
    merged = f"wires: {number(frames)} frames drawn as {number(drawn)} marks, close ones merged"
    return strip, [merged] if drawn < frames else []


def _binned(wire: WireLane, axis: TimeAxis, bins: int) -> list[tuple[int, str, int, bool]]:
    """(count, first text, first time, outward) of each occupied bin and direction."""
    found: dict[tuple[int, bool], tuple[int, str, int]] = {}
    span_ns = axis.t1_ns - axis.t0_ns
    for t_ns, outward, text in wire.marks:
        if axis.holds(t_ns):
            key = ((t_ns - axis.t0_ns) * bins // span_ns, outward)
            count, first, at = found.get(key, (0, text, t_ns))
            found[key] = (count + 1, first, at)
    return [(count, first, at, key[1]) for key, (count, first, at) in found.items()]
