"""Addresses of single lines and PWM channels, as the bench tools take them.

gpio:lgpio/17                    output GPIO17, low at first, by gpiozero's factory lgpio
gpio:lgpio/23,24=in              trigger and echo; =in =up =down are inputs, =high an output that starts high
gpio:rpi-gpio/17,27=up?poll_ms=5 by RPi.GPIO itself, the inputs asked every 5 ms
pwm:header/0                     channel 0 of the chip that reaches the header
pwm:1f00098000.pwm/0             of the chip of that device
pwm:/sys/class/pwm/pwmchip0/0    of that very chip
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from drivers.errors import InputError
from drivers.interfaces import ByteLink
from drivers.links.line_pins import GpioLine

EXAMPLES: Final = "gpio:lgpio/17, gpio:lgpio/23,24=in, pwm:header/0 or pwm:/sys/class/pwm/pwmchip0/0"

WORDS: Final = {
    "out": {"out": True},
    "high": {"out": True, "initial": 1},
    "in": {},
    "up": {"pull": "up"},
    "down": {"pull": "down"},
}


def open_line_port(name: str, url: str) -> ByteLink:
    """A link named `name` to the lines of `url`; it opens when first polled. Raises InputError."""
    kind, _, rest = url.partition(":")
    place, _, query = rest.partition("?")
    where, slash, which = place.rpartition("/")
    if kind not in ("gpio", "pwm") or not slash or not where or not which:
        raise InputError(f"{url}: no line; write it like {EXAMPLES}")
    if kind == "pwm":
        if query:
            raise InputError(f"{url}: a PWM channel has no options; leave ?{query} out")
        from drivers.links.kernel_pwm import KernelPwmLink

        return KernelPwmLink(name, [_number(url, word) for word in which.split(",")], chip=where)
    from drivers.links.gpio import GpioLink

    lines = [_line(url, word) for word in which.split(",")]
    poll_ms = _poll_ms(url, query)
    if where == "rpi-gpio":
        return GpioLink(name, lines, driver="rpi-gpio", poll_ms=poll_ms)
    return GpioLink(name, lines, factory=where, poll_ms=poll_ms)


def _number(url: str, word: str) -> int:
    if not word.isdecimal() or len(word) > 3:
        raise InputError(f"{url}: {word!r} is no number of a line; write it like {EXAMPLES}")
    return int(word)


def _line(url: str, word: str) -> GpioLine:
    number, equals, use = word.partition("=")
    if equals and use not in WORDS:
        raise InputError(f"{url}: GPIO{number} cannot be {use!r}; a line is {', '.join(WORDS)}")
    return GpioLine(_number(url, number), **WORDS[use or "out"])  # type: ignore[arg-type]


def _poll_ms(url: str, query: str) -> int:
    options = dict(parse_qsl(query, keep_blank_values=True))
    said = options.pop("poll_ms", "0")
    if options or not said.isdecimal():
        raise InputError(f"{url}: the only option is poll_ms, e.g. ?poll_ms=5")
    return int(said)
