"""PWM by the kernel's sysfs interface: the hardware counts, nothing jitters, and the light outlives the process.

What goes out: PWM messages of `drivers.line_events`; `line` is the channel of the chip. Nothing comes in. A period of 0
switches the output off. Any number of channels of one chip share a wire.

    /sys/class/pwm/pwmchipN/export                 channel; makes pwmM (udev then hands it to the group gpio)
    /sys/class/pwm/pwmchipN/pwmM/period            ns
    /sys/class/pwm/pwmchipN/pwmM/duty_cycle        ns; never more than the period, at no moment
    /sys/class/pwm/pwmchipN/pwmM/polarity          normal | inversed; only while disabled
    /sys/class/pwm/pwmchipN/pwmM/enable            0 | 1; needs a period

Linux, Documentation/ABI/testing/sysfs-class-pwm and Documentation/driver-api/pwm.rst. Chips are numbered as they come,
which differs between models and kernels (the Pi 5 has its fan on another one), so a chip is found by its device:

    Pi Zero to 3    3f20c000.pwm      GPIO12, 18: channel 0;  GPIO13, 19: channel 1
    Pi 4            fe20c000.pwm      the same
    Pi 5            1f00098000.pwm    GPIO12, 13, 18, 19: channels 0, 1, 2, 3   (1f0009c000.pwm drives its fan)

Pins by `pinctrl funcs` of Raspberry Pi engineers; the overlay's line takes the same numbers on all models. Two channels
of a BCM2835 to BCM2711 share one clock, not one period. The analogue audio output uses both: ``dtparam=audio=off``.

Default of the lamps here is 1 kHz (drivers/devices/pwm_lamp.py), ten times what mains flicker is.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec

from drivers.errors import InputError, LinkLost, OutOfRange
from drivers.interfaces import Receiver, RepeatReceiver, unheard, unheard_repeat
from drivers.line_events import PWM, LineEvent, LineEventStream
from drivers.links.worker import Mailbox
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

ROOT: Final = Path("/sys/class/pwm")
HEADER: Final = "header"
HEADER_DEVICES: Final = ("1f00098000.pwm", "fe20c000.pwm", "3f20c000.pwm", "2020c000.pwm")
"""The chip whose channels reach the header, by model: Pi 5, Pi 4, Pi 2 to Zero 2 W, Pi 1 and Zero."""

OVERLAY_PINS: Final = {12: 4, 13: 4, 18: 2, 19: 2}
"""GPIO: `func` of the overlays pwm and pwm-2chan (their README in /boot/firmware/overlays)."""

BACK_OFF_MIN_NS = 100 * NS_PER_MS
BACK_OFF_MAX_NS = 5 * NS_PER_S

Write = Callable[[Path, str], None]


def overlay(gpios: Iterable[int]) -> str:
    """The line of config.txt for one or two of GPIO12, 13, 18 and 19, e.g. ``dtoverlay=pwm,pin=18,func=2``.

    Two must be of different channels on a Pi before the 5: 12 or 18 with 13 or 19. Raises InputError.
    """
    pins = sorted(set(gpios))
    if not 1 <= len(pins) <= 2 or any(pin not in OVERLAY_PINS for pin in pins):
        raise InputError(f"no hardware PWM for GPIO {pins}; one or two of 12, 13, 18 and 19 have it")
    if len(pins) == 1:
        return f"dtoverlay=pwm,pin={pins[0]},func={OVERLAY_PINS[pins[0]]}"
    first, second = sorted(pins, key=lambda pin: pin in (13, 19))
    return f"dtoverlay=pwm-2chan,pin={first},func={OVERLAY_PINS[first]},pin2={second},func2={OVERLAY_PINS[second]}"


def write_text(path: Path, text: str) -> None:
    """Write to a file that must be there. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


class _Channel(msgspec.Struct):
    """A channel as it stands."""

    place: Path
    period_ns: int
    on_ns: int
    enabled: bool


class KernelPwmLink:
    """Channels of one PWM chip.

    Args:
        name: of the wire, e.g. ``"lamps"``.
        channels: those that it uses.
        chip: the device behind the chip, ``"1f00098000.pwm"``; ``"header"``: whichever of the known ones is there; or a
            chip itself, ``"pwmchip2"`` or its path, for benches: the number may be another tomorrow.
        inverted: the chip's own inversion: on means low.
        root: where the kernel shows its chips.
        write: how a file is written.

    What it finds running, it leaves running until the first message. `close` leaves the light as it is, as the death of
    the process does; who wants it off says so before. Raises InputError for channels that no chip has.
    """

    def __init__(
        self,
        name: str,
        channels: Iterable[int],
        *,
        chip: str = HEADER,
        inverted: bool = False,
        root: Path = ROOT,
        write: Write = write_text,
    ) -> None:
        self.name = name
        self.receiver: Receiver = unheard
        self.repeat_receiver: RepeatReceiver = unheard_repeat
        self.wake_ns = -FOREVER_NS
        self.trouble = "not opened yet"
        self._numbers = tuple(sorted(set(channels)))
        if not self._numbers or not all(0 <= number <= 63 for number in self._numbers):
            raise InputError(f"{name}: PWM channels {list(self._numbers)}; name those of the chip, e.g. 0")
        self._chip, self._inverted, self._root, self._write = chip, inverted, root, write
        self._open: dict[int, _Channel] = {}
        self._stream = LineEventStream()
        self._nothing: Mailbox[None] | None = None
        self._back_off_ns = BACK_OFF_MIN_NS
        self._closed = False

    @property
    def is_open(self) -> bool:
        """True while every channel can be set; else `trouble` says why not."""
        return bool(self._open)

    def open(self, t_ns: int) -> None:
        """Open now. Raises LinkLost with the mend; the next try is then due at `wake_ns`."""
        if self._open:
            return
        self._closed = False
        try:
            chip = self._find()
            channels = {number: self._channel(chip, number) for number in self._numbers}
        except OSError as error:
            raise self._lost(t_ns, self._mend(error)) from None
        self._open = channels
        self.trouble, self.wake_ns, self._back_off_ns = "", FOREVER_NS, BACK_OFF_MIN_NS
        if self._nothing is None:
            self._nothing = Mailbox(1)

    def write(self, data: bytes, t_ns: int) -> None:
        """Set the channels. Raises LinkLost, and OutOfRange for what the chip cannot do."""
        if not self._open:
            raise LinkLost(self.name, t_ns, self.trouble, data)
        for event in self._stream.feed(data):
            channel = self._open.get(event.line)
            if event.kind != PWM:
                raise OutOfRange(self.name, t_ns, "no order for PWM: only PWM messages are", data[:64])
            if channel is None:
                raise OutOfRange(self.name, t_ns, f"channel {event.line} is none of this wire", data[:64])
            if event.on_ns > event.period_ns:
                raise OutOfRange(self.name, t_ns, f"on for {event.on_ns} of {event.period_ns} ns", data[:64])
            try:
                self._set(channel, event)
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.ERANGE):
                    text = f"the chip takes no period of {event.period_ns} ns with {event.on_ns} ns on"
                    raise OutOfRange(self.name, t_ns, text, data[:64]) from None
                raise self._lost(t_ns, self._mend(error), data[:64]) from None

    def pump(self, t_ns: int) -> None:
        """Nothing comes in; opens again when it is time."""
        self.advance(t_ns)

    def advance(self, now_ns: int) -> None:
        """At `wake_ns`: try to open again; a failure is silent, see `trouble`."""
        if now_ns < self.wake_ns or self._closed or self._open:
            return
        try:
            self.open(now_ns)
        except LinkLost:
            return  # the next try is set

    def fileno(self) -> int | None:
        """A descriptor that never becomes readable: a wire without one would be asked at every tick."""
        return None if self._nothing is None else self._nothing.fileno()

    def close(self) -> None:
        """Close; the outputs stay as they are. A second call does nothing."""
        self._closed = True
        self.trouble, self.wake_ns = "closed", FOREVER_NS
        self._open.clear()
        nothing, self._nothing = self._nothing, None
        if nothing is not None:
            nothing.close()

    def _find(self) -> Path:
        """The chip's folder. Raises OSError."""
        if "/" in self._chip or self._chip.startswith("pwmchip"):
            chip = self._root / self._chip  # an absolute path stays what it is
            if not chip.is_dir():
                raise FileNotFoundError(errno.ENOENT, "no such chip", str(chip))
            return chip
        wanted = HEADER_DEVICES if self._chip == HEADER else (self._chip,)
        by_device = {(chip / "device").resolve().name: chip for chip in sorted(self._root.glob("pwmchip*"))}
        for device in wanted:
            if device in by_device:
                return by_device[device]
        there = ", ".join(by_device) or "no PWM chip at all"
        raise FileNotFoundError(errno.ENOENT, f"{there}", str(self._root))

    def _channel(self, chip: Path, number: int) -> _Channel:
        there = int((chip / "npwm").read_text())
        if number >= there:
            raise FileNotFoundError(errno.ENOENT, f"it has channels 0 to {there - 1}", str(chip / f"pwm{number}"))
        place = chip / f"pwm{number}"
        if not place.is_dir():
            self._write(chip / "export", str(number))
        polarity = "inversed" if self._inverted else "normal"
        channel = _Channel(
            place,
            int((place / "period").read_text()),
            int((place / "duty_cycle").read_text()),
            (place / "enable").read_text().strip() == "1",
        )
        if not os.access(place / "duty_cycle", os.W_OK):
            raise PermissionError(errno.EACCES, "not ours yet", str(place))
        if (place / "polarity").read_text().strip() != polarity:
            if channel.enabled:
                self._write(place / "enable", "0")
                channel.enabled = False
            self._write(place / "polarity", polarity)
        return channel

    def _set(self, channel: _Channel, event: LineEvent) -> None:
        period_ns, on_ns = event.period_ns, event.on_ns
        if not period_ns:
            if channel.enabled:
                self._write(channel.place / "enable", "0")
                channel.enabled = False
            return
        if on_ns != channel.on_ns and on_ns <= channel.period_ns:  # also before the period shrinks
            self._write(channel.place / "duty_cycle", str(on_ns))
            channel.on_ns = on_ns
        if period_ns != channel.period_ns:
            self._write(channel.place / "period", str(period_ns))
            channel.period_ns = period_ns
        if on_ns != channel.on_ns:
            self._write(channel.place / "duty_cycle", str(on_ns))
            channel.on_ns = on_ns
        if not channel.enabled:
            self._write(channel.place / "enable", "1")
            channel.enabled = True

    def _lost(self, t_ns: int, what: str, raw: bytes = b"") -> LinkLost:
        self._open.clear()
        self.trouble = what
        self.wake_ns = t_ns + self._back_off_ns
        self._back_off_ns = min(2 * self._back_off_ns, BACK_OFF_MAX_NS)
        return LinkLost(self.name, t_ns, what, raw)

    def _mend(self, error: OSError) -> str:
        place = f"PWM chip {self._chip}"
        match error.errno:
            case errno.EACCES | errno.EPERM:
                return (
                    f"{place}: no permission for {error.filename}; add the user to the group gpio (usermod -aG gpio "
                    "USER) and log in again; right after its first use a channel takes udev a moment"
                )
            case errno.EBUSY:
                return f"{place}: something else in the kernel has this channel; analogue audio? dtparam=audio=off"
            case errno.ENOENT | errno.ENODEV:
                return (
                    f"{place}: not there ({error.strerror}); add `{overlay((12, 13))}` (or pin=18,func=2 and "
                    "pin2=19,func2=2) to /boot/firmware/config.txt and restart"
                )
        return f"{place}: {error.strerror or error}"
