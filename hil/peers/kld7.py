"""The far end of a K-LD7's wire: a radar that answers when asked, at the bit rate it has been told.

Frames come on a grid of its own, as long as its speed range makes them. GNFD is answered by RESP at once and by what
was asked for when the next frame is over; a second GNFD before that is refused as busy. Before INIT it answers nothing
but INIT and GBYE: the data sheet does not say what else it would. It hears and is heard only at its own bit rate and
parity, as far as it is told the host's (`MemoryLink.set_line`, or a server that asks for them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from drivers.codecs.kld7 import Kld7Stream
from drivers.codecs.kld7_packets import (
    BAUDS,
    BUSY,
    DDAT,
    DONE,
    OK,
    PDAT,
    TDAT,
    Command,
    Detected,
    Done,
    Event,
    Flags,
    ParameterSet,
    Response,
    Target,
    Tracked,
    encode_event,
)
from drivers.codecs.kld7_parameters import FRAME_NS, SETTINGS, Parameters
from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.benches.misheard import misheard

ANSWER_NS = NS_PER_MS
"""How soon it answers a command. A guess: the data sheet names no time."""

INVALID = 2
SPAN = tuple[int, int]


class Walk(msgspec.Struct, frozen=True):
    """Somebody in view from `t0_ns` to before `t1_ns`, at `cm` first, with constant speed (negative approaches)."""

    t0_ns: int
    t1_ns: int
    cm: int
    speed_centi_kmh: int
    angle_centi_deg: int = 0
    magnitude_centi_db: int = 4_000

    def target(self, now_ns: int) -> Target:
        """What a frame that is over at `now_ns` says."""
        cm = self.cm + self.speed_centi_kmh * (now_ns - self.t0_ns) * 5 // (18 * NS_PER_S)
        return Target(max(0, cm), self.speed_centi_kmh, self.angle_centi_deg, self.magnitude_centi_db)


class Kld7Peer:
    """One radar.

    Args:
        name: for errors and snapshots.
        link: the peer's end of the wire.
        walks: who is in view when; of several the first is tracked, all are raw targets.
        parameters: as it leaves the factory, or as somebody left it.
        baud, connected: as a former session left it; 115200 and not, after power-on.
        parity: E, unless the wire knows no parity.
        silent, busy: spans (from, to) in which it says nothing, or refuses every GNFD.
        refuses: commands that it refuses, with the code of RESP: ``{"MIDS": 1}``.
        forgets: commands that it acknowledges and does not carry out.
    """

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        *,
        walks: Sequence[Walk] = (),
        parameters: Parameters | None = None,
        baud: int = BAUDS[0],
        connected: bool = False,
        parity: str = "E",
        silent: Sequence[SPAN] = (),
        busy: Sequence[SPAN] = (),
        refuses: Mapping[str, int] | None = None,
        forgets: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.parameters = parameters or Parameters()
        self.baud, self.connected = baud, connected
        self.lost_bytes = 0
        """Inward and outward, because the host's parity is another."""
        self.frames = 0
        """Frames that have been told."""
        self.heard: list[str] = []
        """Commands in the order they came. For tests; no state."""
        self._link, self._parity, self._walks = link, parity, tuple(walks)
        self._silent, self._busy, self._forgets = tuple(silent), tuple(busy), frozenset(forgets)
        self._refuses = dict(refuses or {})
        self._stream = Kld7Stream()
        self._host: tuple[int, str] | None = None
        self._answers: list[tuple[int, str, int]] = []  # due, hex, bit rate afterwards
        self._wanted = 0  # bits of GNFD under way
        self._frame_ns = FOREVER_NS  # when that frame is over
        link.receiver = self.on_bytes
        link.line_receiver = self.on_line

    @property
    def wake_ns(self) -> int:
        """When something is to be said."""
        return min(self._answers[0][0] if self._answers else FOREVER_NS, self._frame_ns)

    def on_line(self, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        """The host listens with these settings from now on."""
        self._host = (baud, parity)

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """The host says something."""
        if self._host is not None:
            if self._host[1] != self._parity:
                self.lost_bytes += len(data)
                return
            data = misheard(data, self._host[0], self.baud, self._parity)
        for event in self._stream.feed(data):
            if not _within(self._silent, t_ns):
                self._command(event, t_ns)

    def restart(self, now_ns: int) -> None:
        """Power was lost: the first bit rate again, no connection, nothing under way. Parameters stay."""
        self.baud, self.connected = BAUDS[0], False
        self._stream = Kld7Stream()
        self._answers.clear()
        self._wanted, self._frame_ns = 0, FOREVER_NS

    def run(self, now_ns: int) -> None:
        """Say what is due."""
        while self._answers and self._answers[0][0] <= now_ns:
            _, text, baud = self._answers.pop(0)
            self._say(bytes.fromhex(text), now_ns)
            self.baud = baud
        if self._frame_ns <= now_ns:
            wanted, self._wanted, self._frame_ns = self._wanted, 0, FOREVER_NS
            self.frames += 1
            self._say(b"".join(encode_event(event) for event in self._told(wanted, now_ns)), now_ns)

    def _targets(self, now_ns: int) -> tuple[Target, ...]:
        """Who is in view when a frame is over; the first is tracked."""
        return tuple(walk.target(now_ns) for walk in self._walks if walk.t0_ns <= now_ns < walk.t1_ns)

    def _told(self, wanted: int, now_ns: int) -> list[Event]:
        targets = self._targets(now_ns)
        seen = targets[0] if targets else None
        events: list[Event] = []
        if wanted & PDAT:
            events.append(Detected(targets))
        if wanted & TDAT:
            events.append(Tracked(seen))
        if wanted & DDAT:
            right, nears = (seen.angle_centi_deg > 0, seen.speed_centi_kmh < 0) if seen else (False, False)
            events.append(Flags(int(bool(targets)), 0, int(right), int(nears), 0, 0))
        if wanted & DONE:
            events.append(Done(self.frames))
        return events

    def _command(self, event: Event, t_ns: int) -> None:
        if isinstance(event, ParameterSet) and self.connected:
            self.heard.append("SRPS")
            self.parameters = event.parameters
            self._answer(OK, t_ns)
        elif isinstance(event, Command):
            self.heard.append(event.name if event.value is None else f"{event.name} {event.value}")
            self._obey(event.name, event.value or 0, t_ns)

    def _obey(self, name: str, value: int, t_ns: int) -> None:
        if name == "INIT":
            valid = 0 <= value < len(BAUDS) and name not in self._refuses
            self.connected = self.connected or valid
            self._answer(OK if valid else INVALID, t_ns, BAUDS[value] if valid else self.baud)
        elif name == "GBYE":
            self.connected = False
            self._wanted, self._frame_ns = 0, FOREVER_NS
            self._answer(OK, t_ns, BAUDS[0])
        elif not self.connected:
            return
        elif name in self._refuses:
            self._answer(self._refuses[name], t_ns)
        elif name == "GNFD":
            self._next_frame(value, t_ns)
        elif name == "GRPS":
            self._answer(OK, t_ns)
            self._later(encode_event(ParameterSet(self.parameters)), t_ns, self.baud)
        elif name == "RFSE":
            self.parameters = Parameters(software=self.parameters.software)
            self._answer(OK, t_ns)
        else:
            self._set(name, value, t_ns)

    def _set(self, name: str, value: int, t_ns: int) -> None:
        field = SETTINGS[name]
        valid = field.low <= value <= field.high
        if valid and name not in self._forgets:
            self.parameters = msgspec.structs.replace(self.parameters, **{field.name: value})
        self._answer(OK if valid else INVALID, t_ns)

    def _next_frame(self, wanted: int, t_ns: int) -> None:
        if self._wanted or _within(self._busy, t_ns):
            self._answer(BUSY, t_ns)
            return
        self._answer(OK, t_ns)
        frame_ns = FRAME_NS[self.parameters.max_speed]
        self._wanted, self._frame_ns = wanted, ((t_ns + 2 * ANSWER_NS) // frame_ns + 1) * frame_ns

    def _answer(self, code: int, t_ns: int, baud: int | None = None) -> None:
        self._later(encode_event(Response(code)), t_ns, self.baud if baud is None else baud)

    def _later(self, data: bytes, t_ns: int, baud: int) -> None:
        self._answers.append((t_ns + ANSWER_NS, data.hex(), baud))

    def _say(self, data: bytes, now_ns: int) -> None:
        if _within(self._silent, now_ns):
            return
        if self._host is not None:
            if self._host[1] != self._parity:
                self.lost_bytes += len(data)
                return
            data = misheard(data, self.baud, self._host[0], self._parity)
        self._link.write(data, now_ns)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "parameters": msgspec.to_builtins(self.parameters),
            "baud": self.baud,
            "connected": self.connected,
            "lost_bytes": self.lost_bytes,
            "frames": self.frames,
            "stream": self._stream.snapshot(),
            "host": None if self._host is None else list(self._host),
            "answers": [list(answer) for answer in self._answers],
            "wanted": self._wanted,
            "frame_ns": self._frame_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.parameters = Parameters(**state["parameters"])
        self.baud, self.connected = state["baud"], state["connected"]
        self.lost_bytes, self.frames = state["lost_bytes"], state["frames"]
        self._stream.restore(state["stream"])
        self._host = None if state["host"] is None else (state["host"][0], state["host"][1])
        self._answers = [(due_ns, text, baud) for due_ns, text, baud in state["answers"]]
        self._wanted, self._frame_ns = state["wanted"], state["frame_ns"]


def _within(spans: Sequence[SPAN], t_ns: int) -> bool:
    return any(from_ns <= t_ns < to_ns for from_ns, to_ns in spans)
