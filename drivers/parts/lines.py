"""Parts on single lines of the header and on PWM channels: a lamp behind PWM, a relay kept up by a watchdog output.

Their line is said twice on the bench: in the port (``gpio:lgpio/17``, ``pwm:header/0``) and as the part's address.
"""

from __future__ import annotations

from typing import Any

from drivers.errors import InputError
from drivers.interfaces import ByteLink, Device, Emit
from drivers.parts.part import Argument, Bench, Decoded, Options, Order, Part


def decode_events(data: bytes) -> Decoded:
    """Messages of `drivers.line_events` as JSON-able events; half a message at the end counts as skipped."""
    from drivers.line_events import KINDS, MESSAGE_BYTES, PWM, SET, LineEventStream

    stream = LineEventStream()
    events: list[dict[str, object]] = []
    messages = list(stream.feed(data))
    for message in messages:
        event: dict[str, object] = {"type": KINDS[message.kind], "line": message.line}
        if message.kind == PWM:
            event |= {"period_ns": message.period_ns, "on_ns": message.on_ns}
        else:
            event["value"] = message.value
            if message.kind != SET:
                event["t_ns"] = message.t_ns
        events.append(event)
    return events, len(data) - len(messages) * MESSAGE_BYTES


def _line(options: Options, example: str) -> int:
    if options.address is None:
        raise InputError(f"say which line it is with --address, the one in the port: {example}")
    return options.address


def _pwm(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.devices.pwm_lamp import PwmLamp

    said = options.whole({"frequency_hz": 1_000, "min_duty_ppm": 0, "inverted": 0})
    return PwmLamp(
        name,
        link,
        emit,
        line=_line(options, "--port pwm:header/0 --address 0"),
        frequency_hz=said["frequency_hz"],
        min_duty_ppm=said["min_duty_ppm"],
        inverted=bool(said["inverted"]),
    )


def _relay(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.devices.watchdog_output import WatchdogOutput

    said = options.whole({"hold_ms": 2_000, "active": 1}, "mode")  # holds longer than `send` listens
    mode: Any = options.more.get("mode", "pulse")  # the device refuses what it does not know
    return WatchdogOutput(
        name,
        link,
        emit,
        line=_line(options, "--port gpio:lgpio/17 --address 17"),
        mode=mode,
        hold_ms=said["hold_ms"],
        active=said["active"],
    )


def _level(device: Any, numbers: tuple[int, ...], now_ns: int) -> None:
    device.set_level(numbers[0], now_ns)


def _feed(device: Any, numbers: tuple[int, ...], now_ns: int) -> None:
    device.feed(now_ns)


_LIGHTS = "lights a lamp"
_SWITCHES = "switches whatever hangs on the relay"

PARTS = (
    Part(
        name="pwm",
        title="lamp behind a PWM output (the kernel's, or gpiozero's)",
        wire="PWM channel, or a line of the header; ports like pwm:header/0, gpio:lgpio/18",
        vendor="the curve of IEC 62386-102; rules of Linux' sysfs PWM on a folder that keeps them",
        decode=decode_events,
        takes_anything=True,
        bench=Bench(
            wire="pwm",
            address=0,
            device=_pwm,
            patience_s=0.5,
            orders=(
                Order(
                    name="level",
                    about="go to this level at once, by the curve of DALI",
                    arguments=(Argument("level", 0, 254, "0 off, 254 full"),),
                    risk=_LIGHTS,
                    perform=_level,
                ),
            ),
            raw_risk=_LIGHTS,
        ),
    ),
    Part(
        name="relay",
        title="watchdog output: a relay that holds only while it is fed",
        wire="a line of the header; a port like gpio:lgpio/17",
        vendor="none: a circuit of ours (drivers/devices/watchdog_output.py); gpiozero's mock factory and our own",
        decode=decode_events,
        takes_anything=True,
        bench=Bench(
            wire="gpio",
            device=_relay,
            patience_s=0.5,
            orders=(
                Order(
                    name="feed",
                    about="feed it once: mode pulse changes the line, mode level holds it for hold_ms",
                    risk=_SWITCHES,
                    perform=_feed,
                ),
            ),
            raw_risk=_SWITCHES,
        ),
    ),
)
