"""A trigger/echo sensor (HC-SR04, JSN-SR04T) on two lines of the header, with a name: ping, wait, Range.

It hears its wire's edges through messages of `drivers.line_events`, with the times that the kernel gave them. Python's
own times would do for nothing: a millisecond is 17 cm.
"""

from __future__ import annotations

from typing import Any

from drivers.codecs.echo import LONGEST_ECHO_NS, USUAL_AIR_MDEGC, Echo, EchoStream, distance_mm, speed_of_sound_um_s
from drivers.devices.listener import Listener
from drivers.errors import InputError, LinkLost
from drivers.interfaces import ByteLink, Emit, unheard
from drivers.line_events import PULSE, LineEvent, encode
from drivers.quantities import Range
from drivers.units import FOREVER_NS, NS_PER_MS

TRIGGER_NS = 10_000
"""A pulse of 10 us or more starts a measurement."""

_STEP_NS = 5_830
"""One millimetre, for the watch on frozen values: the kernel's stamps alone tremble by microseconds."""


class EchoRanging(Listener):
    """One sensor. It pings once a round and emits a Range for every echo: None when there is no object.

    Sound of another sensor is no echo of ours. So sensors near one another take turns: time is cut into slots of
    `slot_ns` on the board's clock, `turns` of them make a round, and this one pings at the start of the slot `turn` and
    waits for `listen_ns`, less than a slot. Where the loop comes so late that the wait would not end in the slot, this
    turn is missed (`missed_turns`). What two sensors say to each other is for nobody to remember: the clock is enough.

    A pulse too short for the part (its own ringing, dirt) is `implausible`; no pulse, or one that does not end within
    `listen_ns`, is among `no_replies`. Both give no value, and when nothing else comes for `stale_ns` DeviceHealth says
    "no echo".

    Args:
        name: the device's name, the `source` of its values.
        link: its wire; several sensors may share one.
        emit: where values go.
        trigger_line, echo_line: GPIO (BCM numbers).
        slot_ns, turn, turns: when it pings; alone, once a slot. Vendors ask for 60 ms between pings.
        listen_ns: how long the longest pulse may last; a JSN-SR04T gives up after 60 ms.
        longest_echo_ns: a longer pulse is no object; 18.56 ms are 3.2 m.
        min_mm: what it measures at least: HC-SR04 20, JSN-SR04T 250.
        air_mdegc: the air, until `set_air` says otherwise.
        stale_ns: how long without a reading is too long.
        frozen_ns: how long one and the same distance is too long; 0: it may stand for ever.

    Raises InputError where the wait does not fit into the slot, or the turn into the round.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        emit: Emit,
        *,
        trigger_line: int,
        echo_line: int,
        slot_ns: int = 100 * NS_PER_MS,
        turn: int = 0,
        turns: int = 1,
        listen_ns: int = 65 * NS_PER_MS,
        longest_echo_ns: int = LONGEST_ECHO_NS,
        min_mm: int = 20,
        air_mdegc: int = USUAL_AIR_MDEGC,
        stale_ns: int = 2_000_000_000,
        frozen_ns: int = 3_600_000_000_000,
    ) -> None:
        if not 0 < listen_ns < slot_ns:
            raise InputError(f"{name}: it listens for {listen_ns} ns; a slot has {slot_ns}, which must be longer")
        if not 0 <= turn < turns:
            raise InputError(f"{name}: turn {turn} of {turns}; turns count from 0")
        self.stream = EchoStream(echo_line)
        super().__init__(name, self.stream, emit, stale_ns, "no echo", frozen_ns=frozen_ns)
        self.implausible = self.no_replies = self.missed_turns = self.link_losses = 0
        self._link, self._ping = link, encode(LineEvent(trigger_line, PULSE, 1, TRIGGER_NS))
        self._slot_ns, self._turn, self._round_ns = slot_ns, turn, turns * slot_ns
        self._listen_ns, self._longest_ns, self._min_mm = listen_ns, longest_echo_ns, min_mm
        self.set_air(air_mdegc)
        self._ping_ns = 0
        self._deadline_ns = FOREVER_NS
        self._before = link.receiver  # of the sensors that share the wire; each takes its own edges
        link.receiver = self.on_bytes if self._before is unheard else self._along

    def set_air(self, air_mdegc: int) -> None:
        """The air is at `air_mdegc` from now on, e.g. -10,000. Raises ValueError outside -60 to 125 degC."""
        speed_of_sound_um_s(air_mdegc)
        self._air_mdegc = air_mdegc

    def _along(self, data: bytes, t_ns: int) -> None:
        self._before(data, t_ns)
        self.on_bytes(data, t_ns)

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Edges came; a value leaves when they end a pulse that is waited for."""
        for echo in self.stream.feed(data):
            if self._deadline_ns == FOREVER_NS:
                self.stream.stray_edges += 2  # nobody pinged
                continue
            self._deadline_ns = FOREVER_NS
            self._answered(echo, t_ns)
            self.wake_ns = self._due_ns()

    def _answered(self, echo: Echo, t_ns: int) -> None:
        if echo.width_ns > self._longest_ns:
            self._heard(t_ns)
            self._emit(Range(t_ns, self.name, None))
            return
        away_mm = distance_mm(echo.width_ns, self._air_mdegc)
        if away_mm < self._min_mm:
            self.implausible += 1
            return
        self._heard(t_ns, echo.width_ns // _STEP_NS)
        self._emit(Range(t_ns, self.name, away_mm))

    def _due_ns(self) -> int:
        return min(super()._due_ns(), self._ping_ns, self._deadline_ns)

    def advance(self, now_ns: int) -> None:
        """Ping when it is time; notice that no echo comes, silence, and a value that stands still."""
        if now_ns >= self._deadline_ns:
            self._deadline_ns = FOREVER_NS
            self.no_replies += 1
        if now_ns >= self._ping_ns:
            self._take_turn(now_ns)
        super().advance(now_ns)

    def _take_turn(self, now_ns: int) -> None:
        late_ns = (now_ns - self._turn * self._slot_ns) % self._round_ns
        first, self._ping_ns = self._ping_ns == 0, now_ns - late_ns + self._round_ns
        if late_ns > self._slot_ns - self._listen_ns:
            self.missed_turns += not first
            return
        self.stream.forget()
        self._deadline_ns = now_ns + self._listen_ns  # before the bytes leave: an in-process sensor may answer at once
        try:
            self._link.write(self._ping, now_ns)
        except LinkLost:
            self.link_losses += 1
            self._deadline_ns = FOREVER_NS

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {
            **super().counters(),
            "stray_edges": self.stream.stray_edges,
            "implausible": self.implausible,
            "no_replies": self.no_replies,
            "missed_turns": self.missed_turns,
            "link_losses": self.link_losses,
        }

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            **super().snapshot(),
            "ping_ns": self._ping_ns,
            "deadline_ns": self._deadline_ns,
            "air_mdegc": self._air_mdegc,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._ping_ns, self._deadline_ns, self._air_mdegc = state["ping_ns"], state["deadline_ns"], state["air_mdegc"]
