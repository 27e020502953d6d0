"""One DALI control gear with its lamp: levels, fades, settings, answers. In virtual time, whole numbers only.

What it can beyond that is made when it is first used: random addressing (`dali_addressing`), memory (`dali_memory`).

A fade is a straight line in arc power level over the fade time, that is equal steps of the log curve. Its level at any
time comes from the line's two ends, so nothing is counted along the way. Fading from off begins at the minimum level,
fading to off ends there and then goes dark (IEC 62386-102:2014, 9.5). A level command during a fade starts a new fade
of full length from where the lamp is, even to the same level.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from drivers.codecs import dali
from drivers.codecs.dali import FADE_TIME_NS, FULL, MASK
from drivers.units import FOREVER_NS
from hil.peers.dali_addressing import Addressing
from hil.peers.dali_memory import MemoryBanks

OutputObserver = Callable[[int, int, int, int, int], None]
"""Called with (gear's number, t_ns, from_level, to_level, duration_ns) when a lamp's output starts a new segment."""

YES: Final = 0xFF
LED_MODULE: Final = 6
"""Device type 6."""

VERSION: Final = 8
"""IEC 62386-102 version 2.0."""


class DaliGear:
    """A gear and its lamp, `address` is its number: a short address, or from 64 on factory-new and without one.

    Settings, all arc power levels unless said otherwise: `min_level`, `max_level`, `failure_level` (MASK: stays),
    `power_on_level`, `fade_code` 0 to 15, `groups` as 16 bits. `writes` counts writes to non-volatile memory.
    `off_ns` is when a fade to off goes dark, FOREVER_NS for never: whoever owns the gear calls `go_dark` then.
    `lamp_failed` and `gear_failed` are what QUERY STATUS says. `identified` counts IDENTIFY DEVICE. `curve` is that of
    device type 6: 0 logarithmic, 1 linear; it is kept and told, the light is not reckoned by it. `physical_minimum`
    bounds `min_level`. `power_cycled`: its own supply has been away since the last level command.
    """

    def __init__(self, address: int, observer: OutputObserver, *, level: int = 0, fade_code: int = 0) -> None:
        self.address, self._observer = address, observer
        self.min_level, self.max_level = 1, FULL
        self.failure_level = self.power_on_level = FULL
        self.fade_code, self.fade_rate, self.groups, self.dtr0 = fade_code, 7, 0, 0
        self.writes = 0
        self.dead = False
        self.limit_error = False
        self.lamp_failed = self.gear_failed = False
        self.dtr1 = self.dtr2 = self.identified = self.curve = self.enabled_type = 0
        self.power_cycled = False
        self.physical_minimum = 1
        self.off_ns = FOREVER_NS
        self._addressing: Addressing | None = None
        self._memory: MemoryBanks | None = None
        self._from = self._to = level
        self._t0_ns = self._duration_ns = 0

    @property
    def addressing(self) -> Addressing:
        """Its addresses."""
        if self._addressing is None:
            self._addressing = Addressing(self.address, self.address if self.address < 64 else None)
        return self._addressing

    @property
    def short_address(self) -> int | None:
        """Its short address now."""
        if self._addressing is None:
            return self.address if self.address < 64 else None
        return self._addressing.short_address

    @property
    def memory(self) -> MemoryBanks:
        """Its memory banks."""
        if self._memory is None:
            self._memory = MemoryBanks()
        return self._memory

    @property
    def writable(self) -> bool:
        """Whether its memory may be written now."""
        return self._memory is not None and self._memory.writable

    def end_writing(self) -> None:
        """Its memory may not be written any more."""
        if self._memory is not None:
            self._memory.writable = False

    # --- light

    def level_at(self, t_ns: int) -> int:
        """Arc power level shown at `t_ns`, which is not before the last change."""
        gone_ns = t_ns - self._t0_ns
        if gone_ns >= self._duration_ns:
            return self._to
        return self._from + (2 * (self._to - self._from) * gone_ns + self._duration_ns) // (2 * self._duration_ns)

    def fading_at(self, t_ns: int) -> bool:
        """Whether a fade is running at `t_ns`."""
        return t_ns - self._t0_ns < self._duration_ns

    def set_target(self, level: int, t_ns: int, *, fade: bool) -> None:
        """Go to `level`: 0 off, 1 to 254 held between the limits, 255 stops a fade where it is."""
        now = self.level_at(t_ns)
        self.power_cycled = False
        if level == MASK:
            if self.fading_at(t_ns):
                self._segment(now, now, t_ns, 0)
            return
        target = max(self.min_level, min(self.max_level, level)) if level else 0
        self.limit_error = target != level
        duration_ns = FADE_TIME_NS[self.fade_code] if fade and target != now else 0
        if not duration_ns:
            if target != now or self.fading_at(t_ns):
                self._segment(now, target, t_ns, 0)
        elif target:
            self._segment(now or self.min_level, target, t_ns, duration_ns)
        else:
            self._segment(now, self.min_level, t_ns, duration_ns)
            self.off_ns = t_ns + duration_ns

    def go_dark(self) -> None:
        """The end of a fade to off."""
        self._segment(self._to, 0, self.off_ns, 0)

    def _segment(self, from_level: int, to_level: int, t_ns: int, duration_ns: int) -> None:
        self._from, self._to, self._t0_ns, self._duration_ns = from_level, to_level, t_ns, duration_ns
        self.off_ns = FOREVER_NS
        self._observer(self.address, t_ns, from_level, to_level, duration_ns)

    def bus_failed(self, t_ns: int) -> None:
        """Bus power has been away too long: to the failure level, at once."""
        if self.failure_level != MASK and not self.dead:
            self.set_target(self.failure_level, t_ns, fade=False)

    def set_dead(self, dead: bool, t_ns: int) -> None:
        """A dead gear is dark, deaf and mute; one that comes back starts at its power-on level."""
        if dead != self.dead:
            self.dead = dead
            self.set_target(0 if dead else self.power_on_level, t_ns, fade=False)
            self.power_cycled = not dead

    # --- frames

    def hears(self, target: int) -> bool:
        """Whether a group's or the broadcast's address byte (selector bit 0) means this gear."""
        if target < 0xA0:
            return bool(self.groups >> (target >> 1 & 0x0F) & 1)
        return target == dali.BROADCAST or self.short_address is None  # 0xFC: those without one

    def obey(self, code: int, t_ns: int) -> int | None:
        """A command for this gear, complete (the second one of two); its answer, None for none."""
        enabled, self.enabled_type = self.enabled_type, 0
        if code in (dali.QUERY_DIMMING_CURVE, dali.SELECT_DIMMING_CURVE):
            if enabled != LED_MODULE:
                return None
            if code == dali.QUERY_DIMMING_CURVE:
                return self.curve
            self.curve = min(1, self.dtr0)
            self.writes += 1
        elif code >= dali.QUERY_STATUS:
            return self._answer(code, t_ns)
        elif code == dali.OFF:
            self.set_target(0, t_ns, fade=False)
        elif code == dali.RECALL_MAX_LEVEL:
            self.set_target(self.max_level, t_ns, fade=False)
        elif code == dali.RECALL_MIN_LEVEL:
            self.set_target(self.min_level, t_ns, fade=False)
        elif code == dali.STORE_ACTUAL_LEVEL_IN_DTR0:
            self.dtr0 = self.level_at(t_ns)
        elif code == dali.IDENTIFY_DEVICE:
            self.identified += 1
        elif code == dali.ENABLE_WRITE_MEMORY:
            self.memory.writable = True
        elif code == dali.SET_SHORT_ADDRESS:
            self.addressing.program(self.dtr0)
        else:
            self._store(code, t_ns)
        return None

    def special(self, address_byte: int, data: int, t_ns: int) -> int | None:
        """A special command, complete (the second one of two); its answer, None for none."""
        if address_byte == dali.DTR0:
            self.dtr0 = data
        elif address_byte == dali.DTR1:
            self.dtr1 = data
        elif address_byte == dali.DTR2:
            self.dtr2 = data
        elif address_byte == dali.ENABLE_DEVICE_TYPE:
            self.enabled_type = data
        elif address_byte in (dali.WRITE_MEMORY_LOCATION, dali.WRITE_MEMORY_LOCATION_NO_REPLY):
            if self.writable:
                answer = self.memory.write(self.dtr1, self.dtr0, data)
                self._next_location()
                return answer if address_byte == dali.WRITE_MEMORY_LOCATION else None
        elif self._addressing is not None or address_byte == dali.INITIALISE:
            return self.addressing.obey(address_byte, data, t_ns)
        return None

    def _next_location(self) -> None:
        """After reading or writing memory DTR0 points to the next location."""
        if self.memory.has(self.dtr1):
            self.dtr0 = min(self.dtr0 + 1, 0xFF)

    def _store(self, code: int, t_ns: int) -> None:
        """Write a setting. Unknown ones are not acted on, as gear does with what it does not implement."""
        value, group = self.dtr0, 1 << (code & 0x0F)
        if code == dali.SET_MAX_LEVEL:
            self.max_level = max(self.min_level, min(FULL, value))
        elif code == dali.SET_MIN_LEVEL:
            self.min_level = max(self.physical_minimum, min(self.max_level, value))
        elif code == dali.SET_SYSTEM_FAILURE_LEVEL:
            self.failure_level = value
        elif code == dali.SET_POWER_ON_LEVEL:
            self.power_on_level = value
        elif code == dali.SET_FADE_TIME:
            self.fade_code = min(15, value)
        elif code == dali.SET_FADE_RATE:
            self.fade_rate = max(1, min(15, value))
        elif code & 0xF0 == dali.ADD_TO_GROUP:
            self.groups |= group
        elif code & 0xF0 == dali.REMOVE_FROM_GROUP:
            self.groups &= ~group
        else:
            return
        self.writes += 1
        level = self.level_at(t_ns)
        if level and not self.min_level <= level <= self.max_level:
            self.set_target(level, t_ns, fade=False)

    def _answer(self, code: int, t_ns: int) -> int | None:
        if code == dali.QUERY_CONTROL_GEAR_PRESENT:  # the one that is asked most
            return YES
        level = self.level_at(t_ns)
        if code == dali.QUERY_ACTUAL_LEVEL:
            return level
        if code == dali.QUERY_STATUS:
            failed = self.gear_failed | self.lamp_failed << 1 | (self.short_address is None) << 6
            on = bool(level) and not self.lamp_failed
            fading = self.fading_at(t_ns)
            return failed | on << 2 | self.limit_error << 3 | fading << 4 | self.power_cycled << 7
        if code == dali.QUERY_LAMP_POWER_ON:
            return YES if level and not self.lamp_failed else None
        if code == dali.QUERY_MISSING_SHORT_ADDRESS:
            return YES if self.short_address is None else None
        if code == dali.READ_MEMORY_LOCATION:
            if self._memory is None:
                return None
            found = self._memory.read(self.dtr1, self.dtr0)
            self._next_location()
            return found
        if dali.QUERY_RANDOM_ADDRESS_H <= code <= dali.QUERY_RANDOM_ADDRESS_L:
            return self.addressing.random >> 8 * (dali.QUERY_RANDOM_ADDRESS_L - code) & 0xFF
        return {
            dali.QUERY_CONTENT_DTR0: self.dtr0,
            dali.QUERY_CONTENT_DTR1: self.dtr1,
            dali.QUERY_CONTENT_DTR2: self.dtr2,
            dali.QUERY_VERSION_NUMBER: VERSION,
            dali.QUERY_DEVICE_TYPE: LED_MODULE,
            dali.QUERY_PHYSICAL_MINIMUM: self.physical_minimum,
            dali.QUERY_MAX_LEVEL: self.max_level,
            dali.QUERY_MIN_LEVEL: self.min_level,
            dali.QUERY_POWER_ON_LEVEL: self.power_on_level,
            dali.QUERY_SYSTEM_FAILURE_LEVEL: self.failure_level,
            dali.QUERY_FADE_TIME_FADE_RATE: self.fade_code << 4 | self.fade_rate,
            dali.QUERY_GROUPS_ZERO_TO_SEVEN: self.groups & 0xFF,
            dali.QUERY_GROUPS_EIGHT_TO_FIFTEEN: self.groups >> 8,
        }.get(code)

    # --- state

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values; what it can beyond light only where it has been used."""
        state = {name: getattr(self, name) for name in STATE}
        state |= {name: value for name in LATER if (value := getattr(self, name))}
        if self._addressing is not None:
            state["addressing"] = self._addressing.snapshot()
        if self._memory is not None:
            state["memory"] = self._memory.snapshot()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot; the observer is not told, the output has not changed."""
        for name in STATE:
            setattr(self, name, state[name])
        for name in LATER:
            setattr(self, name, state.get(name, 0))
        self._addressing = self._memory = None
        if "addressing" in state:
            self.addressing.restore(state["addressing"])
        if "memory" in state:
            self.memory.restore(state["memory"])


LATER: Final = (
    "lamp_failed",
    "gear_failed",
    "dtr1",
    "dtr2",
    "identified",
    "curve",
    "enabled_type",
    "power_cycled",
)
"""State that is 0 until it is used."""

STATE: Final = (
    "min_level",
    "max_level",
    "failure_level",
    "power_on_level",
    "fade_code",
    "fade_rate",
    "groups",
    "dtr0",
    "writes",
    "dead",
    "limit_error",
    "off_ns",
    "_from",
    "_to",
    "_t0_ns",
    "_duration_ns",
)
