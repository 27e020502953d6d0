"""Echo pulses (HC-SR04, JSN-SR04T and their kin): a pulse of 10 us on the trigger line, and the echo line is up while
the sound is under way.

    distance = width * c / 2          c = 331.3 m/s * sqrt(1 + T / 273.15 degC)

c is 318.9 m/s at -20, 331.3 at 0, 343.2 at 20 and 354.7 at 40 degC: a tenth between a cold night and a hot roof.
The straight line that is often taken in place of the root (331.3 + 0.606 T) is 0.8 m/s off at 40 degC. Humidity is
worth some tenths of a per cent and left out. Where nothing sends an echo the line falls by itself, after 38, 47 or
58 ms by make: OpenBikeSensor takes everything above 18,560 us for no object, and so do we (3.2 m).

All in whole numbers with `math.isqrt`, so that every machine comes to the same millimetre. Verified against two
recordings of OpenBikeSensor, whose ``cm = us / 58`` is this formula at 22.7 degC.

Example: 8746 us at 20 degC is 1501 mm; OpenBikeSensor says 150 cm.
"""

from __future__ import annotations

from math import isqrt

import msgspec

from drivers.line_events import EDGE, MESSAGE_BYTES, LineEventStream

LONGEST_ECHO_NS = 18_560_000
"""Above it there is no object (OpenBikeSensor, MaximumValidFlightTimeMicroseconds)."""

USUAL_AIR_MDEGC = 20_000
"""What most sensors and drivers take for granted."""

COLDEST_MDEGC, HOTTEST_MDEGC = -60_000, 125_000
"""Air that any of this is meant for."""

_ZERO_MK = 273_150
_SOUND_UM_S = 331_300_000
_UM_NS = 10**12  # of um/s times ns: one mm


def speed_of_sound_um_s(air_mdegc: int) -> int:
    """Micrometres a second in air of `air_mdegc`: 20,000 gives 343,214,622; rounded down.

    Raises ValueError outside -60 to 125 degC.
    """
    return isqrt(_SOUND_UM_S * _SOUND_UM_S * _kelvin_mk(air_mdegc) // _ZERO_MK)


def distance_mm(width_ns: int, air_mdegc: int = USUAL_AIR_MDEGC) -> int:
    """How far away the echo came from, to the nearest mm: ``distance_mm(8_746_000)`` is 1501. Raises ValueError."""
    return (width_ns * speed_of_sound_um_s(air_mdegc) + _UM_NS) // (2 * _UM_NS)


def echo_width_ns(distance_mm: int, air_mdegc: int = USUAL_AIR_MDEGC) -> int:
    """The far end's side: how long the echo line is up, to the nearest ns. Raises ValueError."""
    speed_um_s = speed_of_sound_um_s(air_mdegc)
    return (2 * distance_mm * _UM_NS + speed_um_s // 2) // speed_um_s


def corrected_mm(reported_mm: int, reference_mdegc: int, air_mdegc: int) -> int:
    """What a part that takes the air for `reference_mdegc` means when it is `air_mdegc`, to the nearest mm.

    Example: 2000 mm by a part that believes in 20 degC are 1895 mm at -10 degC. Raises ValueError.
    """
    doubled = isqrt(4 * reported_mm * reported_mm * _kelvin_mk(air_mdegc) // _kelvin_mk(reference_mdegc))
    return (doubled + 1) // 2


def _kelvin_mk(air_mdegc: int) -> int:
    if not COLDEST_MDEGC <= air_mdegc <= HOTTEST_MDEGC:
        raise ValueError(f"air of {air_mdegc} thousandths of a degree; -60 to 125 degC")
    return air_mdegc + _ZERO_MK


class Echo(msgspec.Struct, frozen=True, gc=False):
    """One pulse of an echo line: ``Echo(24, 5_000_000, 8_746_000)``."""

    line: int
    rise_ns: int
    width_ns: int


class EchoStream:
    """Pairs the edges of echo lines (drivers.line_events) into pulses. Never raises, holds less than one message.

    Counts edges that pair with none: a fall without a rise, or a rise when the line was up already (then the later one
    counts). Edges whose stamps run backwards are no pulse either.

    Args:
        line: of this echo line only; None for all.
    """

    def __init__(self, line: int | None = None) -> None:
        self.stray_edges = 0
        self._line = line
        self._messages = LineEventStream()
        self._up: dict[int, int] = {}

    @property
    def skipped_bytes(self) -> int:
        """Bytes that were no message."""
        return self._messages.skipped_bytes

    def feed(self, data: bytes) -> list[Echo]:
        """Pulses that end with `data`."""
        echoes = []
        for event in self._messages.feed(data):
            if event.kind != EDGE or (self._line is not None and event.line != self._line):
                continue
            rise_ns = self._up.pop(event.line, -1)
            if event.value:
                self.stray_edges += rise_ns >= 0
                self._up[event.line] = event.t_ns
            elif 0 <= rise_ns <= event.t_ns:
                echoes.append(Echo(event.line, rise_ns, event.t_ns - rise_ns))
            else:
                self.stray_edges += 1
        return echoes

    def forget(self) -> None:
        """Whatever is up has been up for too long: the fall that may come is a stray."""
        self._up.clear()

    def snapshot(self) -> dict[str, object]:
        """State as JSON-able values."""
        up = sorted([line, rise_ns] for line, rise_ns in self._up.items())
        return {"messages": self._messages.snapshot(), "up": up, "stray_edges": self.stray_edges}

    def restore(self, state: dict[str, object]) -> None:
        """Take over a snapshot."""
        messages, up, stray_edges = state["messages"], state["up"], state["stray_edges"]
        assert isinstance(messages, dict)
        assert isinstance(up, list)
        assert isinstance(stray_edges, int)
        self._messages.restore(messages)
        self._up, self.stray_edges = dict(up), stray_edges


def decode_events(data: bytes) -> tuple[list[dict[str, object]], int]:
    """For the command line: JSON-able pulses of recorded line events, air of 20 degC; how many bytes were skipped."""
    stream = EchoStream()
    events: list[dict[str, object]] = []
    for echo in stream.feed(data):
        event = {"type": "echo", "line": echo.line, "rise_ns": echo.rise_ns, "width_ns": echo.width_ns}
        near = echo.width_ns <= LONGEST_ECHO_NS
        events.append({**event, "distance_mm": distance_mm(echo.width_ns) if near else None})
    return events, stream.skipped_bytes + len(data) % MESSAGE_BYTES
