"""A relay that holds only while the loop feeds it: the last thing to fail when software does.

Two ways, by what hangs on the line:

`pulse`: the line changes its level with every feed, at a bounded rate. Behind it stands a circuit that wants changes
and not a level, so that a line stuck high drops the relay as surely as one stuck low::

    GPIO ──┤├──┬──▶|──┬────┬── gate of a MOSFET ── relay          GPIO ── A  74HC123 / 74HC4538  Q ── driver ── relay
           C1  │  D2  │    │                                 or             R·C longer than `hold_ms`
           D1 ─┴─ GND ╧ C2 ╧ R ── GND                                        (retriggerable monostable)

    charge pump: each rise, one every half of `hold_ms`, fills C2 through C1; R empties it within `hold_ms`

This holds against a hung loop, a hung process, a hung kernel and a crashed machine, whatever they leave the line at.

`level`: the line is active while it is fed. Each feed is a HOLD message; the thread behind the wire drops the line when
no further one has come in time, so a loop that hangs drops the relay although its process lives. What it does not hold
against:

- code that keeps Python's interpreter lock for itself: then that thread stands still too;
- the death of the process: whoever held the line is gone. Raspberry Pi's kernels leave an output as it was when its
  user exits (pinctrl-bcm2835 and pinctrl-rp1, `persist_gpio_outputs`; upstream Linux makes it an input again). With
  ``dtparam=strict_gpiod`` in config.txt they do as upstream does, on all models, and the relay falls by its resistor
  (Raspberry Pi, white paper "GPIO Usage on Raspberry Pi Devices", 2024; raspberrypi/linux pull requests 6117, 6150). An
  ExecStopPost of the service can do it too. RPi.GPIO writes to registers, past the kernel: there nothing falls;
- a hung kernel.

The last resort for the last two is the hardware watchdog of the board: it resets, and at reset every line is an input.
So use `pulse` wherever the relay guards something.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal

from drivers.errors import InputError, LinkLost
from drivers.interfaces import ByteLink, Emit, PowerGuard
from drivers.line_events import HOLD, SET, LineEvent, encode
from drivers.quantities import DeviceHealth
from drivers.units import FOREVER_NS, NS_PER_MS

FEEDS_A_HOLD = 4
"""So often is a hold renewed within its time: three may get lost."""

AGAIN_NS = 20 * NS_PER_MS
"""After a feed that did not reach the line; doubled each time, up to the usual pause."""

RESTORED_NS = 1_000 * NS_PER_MS
"""After a guard has let it hold again: when what it powers is up again."""

Mode = Literal["pulse", "level"]


class WatchdogOutput:
    """Implements Device. Never holds before the first `feed`, never again after `stop`.

    The loop calls `feed` at every tick at which all is well; `wake_ns` makes it come around often enough. `advance`
    does not feed: it notices that nobody did, and emits DeviceHealth. A `guard` may withhold the feed, so that the
    relay drops, and is told a second after it has been fed again: at a tick of its own, which `wake_ns` asks for.

    Args:
        name: on its board, e.g. ``"watchdog"``.
        link: its wire, for single lines.
        emit: the board's inbox.
        line: GPIO (BCM number).
        mode: see above.
        hold_ms: how long the relay may hold after the last feed; in mode `pulse` what the circuit is made for. The
            line then changes, or the hold is renewed, four times as often. 100 to 60_000.
        active: the level at which the relay is on, for `level`.

    Raises InputError for numbers outside these.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        emit: Emit,
        *,
        line: int,
        mode: Mode = "pulse",
        hold_ms: int = 1_000,
        active: int = 1,
    ) -> None:
        if mode not in ("pulse", "level"):
            raise InputError(f"{name}: mode {mode!r}; write pulse or level")
        if not 100 <= hold_ms <= 60_000:
            raise InputError(f"{name}: holds for {hold_ms} ms; 100 to 60000")
        if active not in (0, 1):
            raise InputError(f"{name}: active at {active}; write 0 or 1")
        self.name, self.mode = name, mode
        self.wake_ns = FOREVER_NS
        self.frames = self.link_losses = self.starved = 0
        self._link, self._emit, self._line, self._active = link, emit, line, active
        self._hold_ns = hold_ms * NS_PER_MS
        kind, time_ns = (SET, 0) if mode == "pulse" else (HOLD, self._hold_ns)
        self._said = tuple(encode(LineEvent(line, kind, level, time_ns)) for level in (0, 1))
        self._renew_ns = self._hold_ns // FEEDS_A_HOLD
        self._again_ns = min(AGAIN_NS, self._renew_ns)
        self._fed_ns: int | None = None  # the last feed that reached the line
        self._due_ns = -FOREVER_NS  # feeds before this change nothing
        self._level = 0
        self.guard: PowerGuard | None = None
        self._withheld = False
        self._restored_ns = FOREVER_NS  # when the guard is told
        self._ok = True
        self._stopped = False

    @property
    def holds(self) -> bool:
        """True from the first feed on, until nobody fed it or it was stopped; what the relay does is not seen here."""
        return self._fed_ns is not None and self._ok and not self._stopped

    def feed(self, now_ns: int) -> None:
        """The loop has come around and all is well."""
        if self._stopped or (self.guard is not None and self._is_withheld(self.guard, now_ns)):
            return
        if now_ns < self._due_ns:
            return
        self._next_feed(now_ns + self._renew_ns)
        level = 1 - self._level if self.mode == "pulse" else self._active
        try:
            self._link.write(self._said[level], now_ns)
        except LinkLost as error:
            self._next_feed(now_ns + self._again_ns)  # a wire that is just being opened is soon there
            self._again_ns = min(2 * self._again_ns, self._renew_ns)
            self._health(now_ns, error.detail)
            return
        self._again_ns = min(AGAIN_NS, self._renew_ns)
        self.frames += 1
        self._level = level
        self._fed_ns = now_ns
        self._health(now_ns, "")

    def _next_feed(self, due_ns: int) -> None:
        self._due_ns = due_ns
        self.wake_ns = min(due_ns, self._restored_ns)

    def _is_withheld(self, guard: PowerGuard, now_ns: int) -> bool:
        before, self._withheld = self._withheld, guard.withholds()
        if self._withheld:
            self._restored_ns = FOREVER_NS
        elif before:
            self._restored_ns = now_ns + RESTORED_NS
            self._next_feed(self._due_ns)
        elif now_ns >= self._restored_ns:
            self._restored_ns = FOREVER_NS
            self._next_feed(self._due_ns)
            guard.restored(now_ns)
        return self._withheld

    def advance(self, now_ns: int) -> None:
        """Notice that nobody has fed it."""
        if now_ns < self.wake_ns:
            return
        starved_ns = (self._due_ns if self._fed_ns is None else self._fed_ns) + self._hold_ns
        if now_ns < starved_ns:
            self.wake_ns = starved_ns
            return
        self.wake_ns = FOREVER_NS
        if self._ok:
            self.starved += 1
            self._health(now_ns, "not fed; the relay has dropped")

    def leave(self, now_ns: int) -> None:
        """A clean stop, after which the power shall stay: in mode `level` the line is left active, held by nobody.

        In mode `pulse` nothing is sent: what changes no more drops by itself within `hold_ms`, so somebody else has to
        go on (controllers/service/keeper.py). A relay that does not hold is not made to. No feed after it counts.
        """
        if self.mode == "level" and self.holds:
            with suppress(LinkLost):
                self._link.write(encode(LineEvent(self._line, SET, self._active)), now_ns)
        self._stopped = True
        self.wake_ns = FOREVER_NS

    def stop(self, now_ns: int) -> None:
        """Drop the relay, for good: the controller ends. Raises nothing; a lost line is not held either."""
        self._stopped = True
        self.wake_ns = FOREVER_NS
        if self._fed_ns is None:
            return
        value = 0 if self.mode == "pulse" else 1 - self._active
        try:
            self._link.write(encode(LineEvent(self._line, SET, value)), now_ns)
        except LinkLost as error:
            self._health(now_ns, error.detail)

    def _health(self, now_ns: int, trouble: str) -> None:
        if self._ok != (not trouble):
            self._ok = not trouble
            if trouble.startswith("not fed"):
                self._emit(DeviceHealth(now_ns, self.name, False, trouble))
                return
            self.link_losses += bool(trouble)
            self._emit(DeviceHealth(now_ns, self.name, self._ok, trouble))

    def counters(self) -> dict[str, int]:
        """Messages sent, how often the link was lost and how often nobody fed it, since the start."""
        return {"frames": self.frames, "link_losses": self.link_losses, "starved": self.starved}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "wake_ns": self.wake_ns,
            "fed_ns": self._fed_ns,
            "due_ns": self._due_ns,
            "again_ns": self._again_ns,
            "level": self._level,
            "ok": self._ok,
            "stopped": self._stopped,
            "withheld": self._withheld,
            "restored_ns": self._restored_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns, self._fed_ns, self._due_ns = state["wake_ns"], state["fed_ns"], state["due_ns"]
        self._again_ns = state["again_ns"]
        self._level, self._ok, self._stopped = state["level"], state["ok"], state["stopped"]
        self._withheld, self._restored_ns = state["withheld"], state["restored_ns"]
