"""A lamp whose light follows the share of time that a PWM output is on.

Levels are those of DALI, 0 to 254, and mean the same light: the log curve of IEC 62386-102 (`OUTPUT_PPM`), so that a
path with both kinds of lamp is evenly lit. The light of an LED is as good as linear in the share.

Default 1 kHz, ten times mains flicker. Below some hundred hertz whoever rides past sees the lamp as a row of dots. The
kernel's PWM (drivers/links/kernel_pwm.py) has ns to spare: level 1, 0.1 %, is 1 us of 1 ms. gpiozero's PWM is software
and coarse; with its factory lgpio give `min_duty_ppm` 10_000, for it cuts the share down to whole per cent.
"""

from __future__ import annotations

from typing import Any, Final

from drivers.codecs.dali_tables import OUTPUT_PPM
from drivers.devices.fading_lamp import telling_failures
from drivers.errors import InputError, LinkLost, OutOfRange
from drivers.interfaces import ByteLink, Emit
from drivers.line_events import encode_pwm
from drivers.quantities import DeviceHealth, LampStatus
from drivers.units import FOREVER_NS, NS_PER_S

RETRY_NS: Final = NS_PER_S
"""How often a lost link is tried again."""

PPM: Final = 1_000_000


class PwmLamp:
    """Implements Lamp and Device.

    Emits one LampStatus at its first `advance`, with level None where none was set before: nobody can ask such a lamp
    what it shows. A link that is lost is reported once (DeviceHealth, and LampStatus as a failure), tried again every
    second with the newest level, and reported when it is back.

    Args:
        name: on its board, e.g. ``"lamp-1"``.
        link: its wire.
        emit: the board's inbox.
        line: GPIO (BCM number), or channel of the PWM chip.
        frequency_hz: 100 to 50_000.
        min_duty_ppm: the smallest share that the lamp's driver takes; levels from 1 on never go below.
        inverted: the lamp is on while the line is low.

    Raises InputError for numbers outside these.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        emit: Emit,
        *,
        line: int = 0,
        frequency_hz: int = 1_000,
        min_duty_ppm: int = 0,
        inverted: bool = False,
    ) -> None:
        if not 100 <= frequency_hz <= 50_000:
            raise InputError(
                f"{name}: PWM at {frequency_hz} Hz; 100 to 50000, and below 1000 it may be seen to flicker"
            )
        if not 0 <= min_duty_ppm <= PPM:
            raise InputError(f"{name}: smallest share {min_duty_ppm} ppm; 0 to 1000000")
        self.name = name
        self.wake_ns = 0
        self.level: int | None = None
        """The level set last; None before the first."""
        self.frames = self.link_losses = 0
        self._link, self._emit, self._line = link, telling_failures(emit), line
        self._period_ns = (NS_PER_S + frequency_hz // 2) // frequency_hz
        self._min_duty_ppm, self._inverted = min_duty_ppm, inverted
        self._started = self._lost = False

    def set_level(self, level: int, now_ns: int) -> None:
        """Go to arc power level 0 (off) to 254 (full), at once. Raises OutOfRange."""
        if not 0 <= level <= 254:
            raise OutOfRange(self.name, now_ns, f"level {level}; 0 (off) to 254 (full)")
        if level == self.level:
            return
        self.level = level
        if not self._lost:
            self._send(now_ns)

    @property
    def found_level(self) -> int | None:
        """Nobody can ask such a lamp."""
        return None

    def on_ns(self, level: int) -> int:
        """How long of each period the line is high at `level`: level 254 is all of it, unless inverted."""
        ppm = max(OUTPUT_PPM[level], self._min_duty_ppm) if level else 0
        lit_ns = (self._period_ns * ppm + PPM // 2) // PPM
        return self._period_ns - lit_ns if self._inverted else lit_ns

    def advance(self, now_ns: int) -> None:
        """At the start tell that the level is not known; later try a lost link again."""
        if now_ns < self.wake_ns:
            return
        if not self._started:
            self._started = True
            self.wake_ns = now_ns + RETRY_NS if self._lost else FOREVER_NS
            self._emit(LampStatus(now_ns, self.name, self.level))
            return
        self._send(now_ns)

    def _send(self, now_ns: int) -> None:
        assert self.level is not None
        try:
            self._link.write(encode_pwm(self._line, self._period_ns, self.on_ns(self.level)), now_ns)
        except LinkLost as error:
            if self._started:
                self.wake_ns = now_ns + RETRY_NS
            if not self._lost:
                self._lost = True
                self.link_losses += 1
                self._emit(DeviceHealth(now_ns, self.name, False, error.detail))
            return
        self.frames += 1
        if self._started:
            self.wake_ns = FOREVER_NS
        if self._lost:
            self._lost = False
            self._emit(DeviceHealth(now_ns, self.name, True))

    def counters(self) -> dict[str, int]:
        """Messages sent and how often the link was lost, since the start."""
        return {"frames": self.frames, "link_losses": self.link_losses}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"wake_ns": self.wake_ns, "level": self.level, "started": self._started, "lost": self._lost}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns, self.level = state["wake_ns"], state["level"]
        self._started, self._lost = state["started"], state["lost"]
