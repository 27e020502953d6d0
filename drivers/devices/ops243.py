"""Radar with a name: an OmniPreSense OPS243-A, which knows speeds and no places. SpeedReport values out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

from drivers.codecs.ops243 import UNITS, Ops243Stream, PassedObject, Reply, Speed, mm_s
from drivers.codecs.ops243 import encode_command as encode
from drivers.devices.dialogue import Ask, Dialogue, Failed, Finished, Procedure
from drivers.devices.listener import Listener
from drivers.errors import InputError
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import SpeedReport
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

ANSWER_NS: Final = 300 * NS_PER_MS
"""How long a reply may take; lines that are under way at 19200 baud come first."""
RETRY_NS: Final = 2 * NS_PER_S
"""Between two attempts to set it up."""
DEAF: Final = "speeds come, but no reply; is our TX joined to its RX?"
"""The reason in DeviceHealth of a part that talks and does not listen."""

Direction = Literal["both", "inbound", "outbound"]

_DIRECTIONS = {"both": "R|", "inbound": "R+", "outbound": "R-"}


class Ops243Radar(Listener):
    """An OPS243-A (or OPS241, OPS242) on a wire of its own.

    Sets it up first: JSON, unit, magnitude, sensor time, direction, two decimals, and where they are given the least
    speed and magnitude. The unit is read back, as a wrong one would make every speed wrong: before it is known, no
    speed leaves. What else the part does not confirm is counted (`unconfirmed`); no document says what it replies to
    R| and F2. Nothing is written to its flash (A!).

    It says nothing while nothing moves. So after `ask_ns` without a word it is asked for its unit: a reply is a sign of
    life. Another unit than the one set, or lines that have lost their time or magnitude, are those of a part that has
    restarted: it is set up anew, as it is after every silence.

    Emits a SpeedReport for every speed, positive towards the sensor. Summaries of passed objects are counted only.

    Args:
        name: the device's name, the `source` of its values.
        link: the wire.
        emit: where values go.
        unit: UM m/s, UK km/h, UC cm/s, UF ft/s, US mph: what passes on the wire; values are always in mm/s.
        direction: what it reports.
        least_speed: in whole `unit`; slower is not reported. 0: everything.
        least_magnitude: weaker is not reported. 0: everything.
        ask_ns: after so much quiet it is asked whether it lives.
        stale_ns: silence that is too long; more than twice `ask_ns`.
        frozen_ns: how long exactly the same speed and magnitude is too long; 0: for ever.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        emit: Emit,
        *,
        unit: str = "UM",
        direction: Direction = "both",
        least_speed: int = 0,
        least_magnitude: int = 0,
        ask_ns: int = 3 * NS_PER_S,
        stale_ns: int = 10 * NS_PER_S,
        frozen_ns: int = 60 * NS_PER_S,
    ) -> None:
        self.stream = Ops243Stream()
        super().__init__(name, self.stream, emit, stale_ns, "no answer", frozen_ns=frozen_ns)
        if unit not in UNITS or direction not in _DIRECTIONS:
            raise InputError(f"{name}: unit is one of {', '.join(UNITS)}, direction one of {', '.join(_DIRECTIONS)}")
        if not 0 <= least_speed <= 200 or not 0 <= least_magnitude <= 9_999 or 2 * ask_ns >= stale_ns:
            raise InputError(
                f"{name}: speed 0 to 200, magnitude 0 to 9999, stale after more than twice the asking time"
            )
        self.unconfirmed = self.early = self.objects = self.set_ups = 0
        """Commands without the reply that is known of them, speeds before the unit was, passed objects, and how often
        it was set up. For people; no state."""
        self._unit, self._word = UNITS[unit], unit
        self._filters = (_DIRECTIONS[direction], least_speed, least_magnitude)
        self._ask_ns = ask_ns
        procedures: dict[str, Callable[..., Procedure]] = {"set up": self._set_up, "ask": self._ask}
        self._dialogue = Dialogue(name, link, procedures, self._done)
        self._next_ns = 0  # when the next procedure may start
        self._ready = self._complete = False
        self._talks = False  # speeds have come since the last attempt to set it up began
        link.receiver = self.on_bytes

    # --- procedures

    def _set_up(self) -> Procedure:
        """Its result: how many commands were not confirmed."""
        unconfirmed = 0
        # the first return ends half a command that a former session may have left
        for data, want in (
            (b"\r" + encode("OJ"), _json_on),
            (encode(self._word), _units),
            (encode("OM"), _magnitude_on),
        ):
            reply = yield Ask(data, want, ANSWER_NS, 2)
            unconfirmed += reply is None
        said = yield Ask(b"".join(self._rest()) + encode("U?"), _units, ANSWER_NS)
        if said is None:
            raise Failed("no answer to U?")
        if said != self._unit.word:
            raise Failed(f"unit stays {said}, wanted {self._unit.word}")
        return unconfirmed

    def _rest(self) -> Iterator[bytes]:
        """Commands whose reply no document tells: nothing is waited for."""
        direction, least_speed, least_magnitude = self._filters
        yield from (encode("OT"), encode(direction), encode("F2"), encode("R>", least_speed))
        if least_magnitude:
            yield encode("M>", least_magnitude)

    def _ask(self) -> Procedure:
        said = yield Ask(encode("U?"), _units, ANSWER_NS, 2)
        return said

    # --- what comes

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes came; values leave at once."""
        for event in self.stream.feed(data):
            if isinstance(event, Speed):
                self._speed(event, t_ns)
            else:
                self.objects += isinstance(event, PassedObject)
                if self._ready:
                    self._heard(t_ns)
                self._dialogue.heard(event, t_ns)
        self._go(t_ns)

    def _speed(self, speed: Speed, t_ns: int) -> None:
        self._talks = True
        if not self._ready:
            self.early += 1
            return
        complete = speed.magnitude_milli is not None and speed.time_ms is not None
        if self._complete and not complete:  # as after a restart: whose unit is this?
            self._ready = self._complete = False
            self._next_ns = t_ns
            self.early += 1
            return
        self._complete = complete
        magnitude = speed.magnitude_milli
        self._heard(t_ns, None if magnitude is None else (speed.speed_micro, magnitude))
        whole = None if magnitude is None else (magnitude + 500) // 1000
        self._emit(SpeedReport(t_ns, self.name, mm_s(speed.speed_micro, self._unit), whole))

    def _done(self, done: Finished) -> None:
        t_ns = done.t_ns
        if done.procedure == "ask":
            self._next_ns = t_ns + self._ask_ns
            if done.result is not None and done.result != self._unit.word:
                self._ready, self._next_ns = False, t_ns
        elif done.ok:
            self._ready, self._complete = True, False
            self.set_ups += 1
            self.unconfirmed += done.result
            self._next_ns = t_ns + self._ask_ns
            self._heard(t_ns)
        else:
            self._next_ns = t_ns + RETRY_NS
            if not done.reason.startswith("no answer"):
                self._faulty(t_ns, done.reason)
            elif self._talks:
                self._faulty(t_ns, DEAF)
            self._talks = False

    # --- time

    def advance(self, now_ns: int) -> None:
        """Set it up, ask whether it lives, notice silence."""
        if now_ns < self.wake_ns:
            return
        if now_ns >= super()._due_ns():
            super().advance(now_ns)
            if self._trouble == self._silence:
                self._ready = False
        self._dialogue.advance(now_ns)
        self._go(now_ns)

    def _go(self, now_ns: int) -> None:
        """Start what is due. While it talks of itself nobody asks it."""
        if not self._dialogue.busy and self._last_ns >= 0:
            if self._ready:
                self._next_ns = max(self._next_ns, self._last_ns + self._ask_ns)
            if now_ns >= self._next_ns:
                self._next_ns = FOREVER_NS  # until `_done`
                self._dialogue.start("ask" if self._ready else "set up", (), now_ns)
        self.wake_ns = self._due_ns()

    def _due_ns(self) -> int:
        return min(super()._due_ns(), self._dialogue.wake_ns, self._next_ns)

    # --- for people, and state

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        own = {name: getattr(self, name) for name in ("unconfirmed", "early", "objects", "set_ups")}
        dialogue = self._dialogue
        return super().counters() | own | {"no_replies": dialogue.no_replies, "link_losses": dialogue.link_losses}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            **super().snapshot(),
            "next_ns": self._next_ns,
            "ready": self._ready,
            "complete": self._complete,
            "talks": self._talks,
            "dialogue": self._dialogue.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot; the procedure under way goes on."""
        super().restore(state)
        self._next_ns, self._ready = state["next_ns"], state["ready"]
        self._complete, self._talks = state["complete"], state["talks"]
        self._dialogue.restore(state["dialogue"])


def _units(event: object) -> str | None:
    said = event.body.get("Units") if isinstance(event, Reply) else None
    return said if isinstance(said, str) else None


def _json_on(event: object) -> bool | None:
    return True if isinstance(event, Reply) and event.body.get("OutputFeature") == "J" else None


def _magnitude_on(event: object) -> bool | None:
    return True if isinstance(event, Reply) and event.body.get("OutputFeature") == "M" else None
