"""Radar with a name: an RFbeam K-LD7, which says nothing unless it is asked. RadarReport values out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from drivers.codecs.kld7 import Kld7Stream
from drivers.codecs.kld7_packets import BAUDS, BUSY, OK, RESPONSES, TDAT, ParameterSet, Response, Target, Tracked
from drivers.codecs.kld7_packets import encode_command as encode
from drivers.codecs.kld7_parameters import BY_NAME, FIELDS, FRAME_NS, check
from drivers.devices.dialogue import Ask, Dialogue, Failed, Finished, Procedure
from drivers.devices.listener import FROZEN, Listener
from drivers.errors import InputError
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import Detection, RadarReport
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

ANSWER_NS: Final = 200 * NS_PER_MS
"""How long a command may wait for its RESP; the data sheet names no time."""
SWITCH_NS: Final = 20 * NS_PER_MS
"""After INIT and GBYE: the part changes its bit rate once its RESP has left."""
RETRY_NS: Final = 2 * NS_PER_S
"""Between two attempts to connect."""
MISSES_TO_INIT: Final = 3
"""So many frames in a row without any answer: another bit rate, or no part. It is connected anew."""
BUSY_TO_INIT: Final = 30
"""So many refusals in a row: likewise."""

SILENT: Final = -1


class Kld7Radar(Listener):
    """A K-LD7 on a wire of its own.

    Connects at 115200 baud, changes to `baud`, reads the parameters, sets those that differ from `settings`, reads them
    again, and from then on asks for frame after frame: as soon as one has come, but not more often than twice a frame.
    Whoever does not answer, or answers at another bit rate, is connected anew; so a part that was unplugged comes back.

    Emits a RadarReport for every frame with a target and one empty one when it has left. DeviceHealth is not ok when no
    frame came for `stale_ns`, when the part refuses a setting or does not keep it, and when a target stands exactly
    still in all four values for `frozen_ns`.

    Args:
        name: the device's name, the `source` of its values.
        link: the wire. Its line is changed where it has one (`set_line`).
        emit: where values go.
        settings: parameters by name, e.g. ``{"max_range": 2, "max_speed": 2, "direction": 2}``, see
            `drivers.codecs.kld7_parameters`; those not named stay as they are. InputError for what the part cannot do.
        baud: 115200, 460800, 921600, 2000000 or 3000000; InputError for others.
        parity: E, as the part has it. N only on a pseudo-terminal, which knows no parity.
        stale_ns: silence that is too long.
        frozen_ns: how long exactly the same target is too long; 0: for ever.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        emit: Emit,
        *,
        settings: Mapping[str, int] | None = None,
        baud: int = BAUDS[0],
        parity: str = "E",
        stale_ns: int = 3 * NS_PER_S,
        frozen_ns: int = 60 * NS_PER_S,
    ) -> None:
        self.stream = Kld7Stream()
        super().__init__(name, self.stream, emit, stale_ns, "no frame", frozen_ns=frozen_ns)
        if baud not in BAUDS:
            raise InputError(f"{name}: a K-LD7 cannot do {baud} baud, only {', '.join(map(str, BAUDS))}")
        self.busy = self.refusals = self.connects = 0
        """Frames refused as busy, other refusals, and connections made. For people; no state."""
        self.parameters: dict[str, int | str] = {}
        """As read when it was last connected, `software` included; empty before."""
        self._settings = _checked(name, settings or {})
        self._baud, self._line, self._first_line = baud, (baud, parity), (BAUDS[0], parity)
        self._dialogue = Dialogue(name, link, {"connect": self._connect, "frame": self._frame}, self._done)
        self._next_ns = 0  # when the next procedure may start
        self._began_ns = 0
        self._connected = self._in_view = False
        self._misses = self._refused = 0  # in a row
        link.receiver = self.on_bytes

    # --- procedures

    def _connect(self) -> Procedure:
        yield Ask(encode("GBYE"), _code, ANSWER_NS // 2, 1, self._line, SWITCH_NS)  # it may be at work still
        code = yield Ask(encode("INIT", BAUDS.index(self._baud)), _code, ANSWER_NS, 2, self._first_line, SWITCH_NS)
        if code is None:
            raise Failed("no answer to INIT")
        if code != OK:
            raise Failed(f"refuses {self._baud} baud: {_words(code)}")
        values = yield from self._read()
        differing = [name for name, value in self._settings.items() if values[name] != value]
        for name in differing:
            value = self._settings[name]
            code = yield Ask(encode(BY_NAME[name].command, value), _code, ANSWER_NS)
            if code is None:
                raise Failed(f"no answer to {BY_NAME[name].command}")
            if code != OK:
                raise Failed(f"refuses {name} {value}: {_words(code)}")
        if differing:
            values = yield from self._read()
        for name in differing:
            if values[name] != self._settings[name]:
                raise Failed(f"{name} stays {values[name]}, wanted {self._settings[name]}")
        return values

    def _read(self) -> Procedure:
        said = yield Ask(encode("GRPS"), _structure, ANSWER_NS, 3, self._line)
        if not isinstance(said, list):
            raise Failed("no answer to GRPS" if said is None else f"refuses GRPS: {_words(said)}")
        return dict(zip(("software", *BY_NAME), said, strict=True))

    def _frame(self) -> Procedure:
        """Its result: 0, a code of RESP, or SILENT."""
        code = yield Ask(encode("GNFD", TDAT), _frame_code, 2 * self._interval_ns + ANSWER_NS, 1)
        return SILENT if code is None else code

    @property
    def _interval_ns(self) -> int:
        return FRAME_NS[int(self.parameters.get("max_speed", 0)) & 3]

    # --- what comes

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes came; values leave at once, and so does the next question where it is due."""
        for event in self.stream.feed(data):
            if isinstance(event, Tracked):
                self._tracked(event.target, t_ns)
            self._dialogue.heard(event, t_ns)
        self._go(t_ns)

    def _tracked(self, target: Target | None, t_ns: int) -> None:
        if target is None:
            self._heard(t_ns)
            if self._in_view:
                self._in_view = False
                self._emit(RadarReport(t_ns, self.name, ()))
            return
        cm, speed, angle, magnitude = (
            target.distance_cm,
            target.speed_centi_kmh,
            target.angle_centi_deg,
            target.magnitude_centi_db,
        )
        self._heard(t_ns, (cm, speed, angle, magnitude))
        self._in_view = True
        detection = Detection(10 * cm, -_nearest(25 * speed, 9), _nearest(angle, 100), _nearest(magnitude, 100))
        self._emit(RadarReport(t_ns, self.name, (detection,)))

    def _done(self, done: Finished) -> None:
        if done.procedure == "frame":
            self._frame_done(done.result, done.t_ns)
        elif done.ok:
            self.connects += 1
            self._connected, self.parameters = True, done.result
            self._misses = self._refused = 0
            self._next_ns = done.t_ns
        else:
            self._next_ns = done.t_ns + RETRY_NS
            if not done.reason.startswith("no answer"):
                self.refusals += 1
                self._faulty(done.t_ns, done.reason)

    def _frame_done(self, code: int, t_ns: int) -> None:
        self._misses = self._misses + 1 if code == SILENT else 0
        self._refused = self._refused + 1 if code > OK else 0
        self._connected = self._misses < MISSES_TO_INIT and self._refused < BUSY_TO_INIT
        self._next_ns = max(t_ns, self._began_ns + self._interval_ns // 2)
        if code == BUSY:
            self.busy += 1
        elif code > OK:
            self.refusals += 1

    # --- time

    def advance(self, now_ns: int) -> None:
        """Ask, ask again, connect anew; notice silence: whoever was in view is not seen any more."""
        if now_ns < self.wake_ns:
            return
        if now_ns >= super()._due_ns():
            super().advance(now_ns)
        self._dialogue.advance(now_ns)
        if self._trouble not in ("", FROZEN):
            self._in_view = False
        self._go(now_ns)

    def _go(self, now_ns: int) -> None:
        """Start what is due. A part in the process may answer at once: then the next is due later."""
        if not self._dialogue.busy and now_ns >= self._next_ns and self._last_ns >= 0:
            self._began_ns = now_ns
            self._next_ns = FOREVER_NS  # until `_done`
            self._dialogue.start("frame" if self._connected else "connect", (), now_ns)
        self.wake_ns = self._due_ns()

    def _due_ns(self) -> int:
        return min(super()._due_ns(), self._dialogue.wake_ns, self._next_ns)

    # --- for people, and state

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        own = {name: getattr(self, name) for name in ("busy", "refusals", "connects")}
        dialogue = self._dialogue
        return super().counters() | own | {"no_replies": dialogue.no_replies, "link_losses": dialogue.link_losses}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            **super().snapshot(),
            "parameters": dict(self.parameters),
            "next_ns": self._next_ns,
            "began_ns": self._began_ns,
            "connected": self._connected,
            "in_view": self._in_view,
            "misses": self._misses,
            "refused": self._refused,
            "dialogue": self._dialogue.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot; the procedure under way goes on."""
        super().restore(state)
        self.parameters = dict(state["parameters"])
        self._next_ns, self._began_ns = state["next_ns"], state["began_ns"]
        self._connected, self._in_view = state["connected"], state["in_view"]
        self._misses, self._refused = state["misses"], state["refused"]
        self._dialogue.restore(state["dialogue"])


def _checked(name: str, settings: Mapping[str, int]) -> dict[str, int]:
    """Settings in the order of the parameters. Raises InputError for unknown ones and those out of range."""
    for key, value in settings.items():
        if key not in BY_NAME:
            raise InputError(f"{name}: a K-LD7 has no parameter {key}; it has: {', '.join(BY_NAME)}")
        try:
            check(BY_NAME[key], value)
        except ValueError as error:
            raise InputError(f"{name}: {error}") from None
    return {field.name: settings[field.name] for field in FIELDS if field.name in settings}


def _words(code: int) -> str:
    return RESPONSES[code] if code < len(RESPONSES) else f"code {code}"


def _nearest(value: int, over: int) -> int:
    """A fraction to the nearest whole number, halves away from 0: ``_nearest(-105 * 25, 9) == -292``."""
    rounded = (2 * abs(value) + over) // (2 * over)
    return rounded if value >= 0 else -rounded


def _code(event: object) -> int | None:
    return event.code if isinstance(event, Response) else None


def _structure(event: object) -> list[Any] | int | None:
    """The parameters, or why not. A RESP that says no more than yes is passed over: they follow it."""
    if isinstance(event, ParameterSet):
        parameters = event.parameters
        return [parameters.software, *(getattr(parameters, name) for name in BY_NAME)]
    return event.code if isinstance(event, Response) and event.code != OK else None


def _frame_code(event: object) -> int | None:
    if isinstance(event, Tracked):
        return OK
    return event.code if isinstance(event, Response) and event.code != OK else None
