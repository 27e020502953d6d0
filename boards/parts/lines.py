"""Parts on single lines of the header: lamps behind PWM, a relay that holds while the loop feeds it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from boards.keys import DeviceKeys, Gpio
from boards.parts.fading import PWM_STEP_NS, OffBelow, add_lamp
from boards.parts.part import Assembly, Hookup, Part, Pin, Terminal
from boards.wires import GpioWire, PwmWire, Wire

SHARES = "lines"
"""Any such parts may share a wire: each message on it names its line."""

LGPIO_MOST_HZ = 10_000


class Pwm(DeviceKeys, frozen=True, kw_only=True, tag="pwm", tag_field="part"):
    """A lamp whose driver takes PWM at `gpio`: on a wire of kind ``pwm`` (the kernel's, no flicker) or ``gpio``.

    `pwm_hz`: what the lamp's driver takes; below 1000 it may be seen to flicker. `min_duty_pct`: the smallest share it
    takes; dim levels never go below. `inverted`: the lamp is on while the line is low. Levels under `off_below` are
    off.
    """

    gpio: Gpio
    pwm_hz: Annotated[int, msgspec.Meta(ge=100, le=50_000)] = 1_000
    min_duty_pct: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    inverted: bool = False
    off_below: OffBelow = 0


class Relay(DeviceKeys, frozen=True, kw_only=True, tag="relay", tag_field="part"):
    """A relay that holds only while the loop feeds it.

    `mode` ``pulse`` is for a circuit that wants changes (charge pump, retriggerable monostable) and holds `hold_ms`
    after the last; ``level`` holds the line itself, which falls `hold_ms` after the last feed. `active_high`, for
    ``level``: whether it holds while high. `bus` is the DALI wire that it powers: a lighting controller lets it drop
    when that gateway is lost in lit hours, so that the gear goes to its failure level.
    """

    gpio: Gpio
    mode: Literal["pulse", "level"] = "pulse"
    hold_ms: Annotated[int, msgspec.Meta(ge=100, le=60_000)] = 1_000
    active_high: bool = True
    bus: str | None = None


def _pwm_pins(said: Pwm, name: str) -> tuple[Pin, ...]:
    off: Literal[0, 1] = 1 if said.inverted else 0
    return (Pin(said.gpio, f"PWM of {name}", "gpio", initial=off),)


def _pwm_findings(said: Pwm, wire: Wire) -> Iterator[tuple[str, str]]:
    if not isinstance(wire, GpioWire):
        return
    if wire.driver == "rpi-gpio":
        yield "wire", 'RPi.GPIO\'s PWM flickers and is not used; take a wire of kind "pwm"'
    elif wire.factory == "lgpio":
        if said.pwm_hz > LGPIO_MOST_HZ:
            yield "pwm_hz", f'lgpio does up to {LGPIO_MOST_HZ} Hz; take less, or a wire of kind "pwm"'
        if said.min_duty_pct < 1:
            text = "lgpio cuts the share down to whole per cent, so dim levels would be dark"
            yield "min_duty_pct", f'{text}; write min_duty_pct = 1, or take a wire of kind "pwm"'


def _pwm(board: Assembly, name: str, said: Pwm) -> None:
    from boards.pins import PWM_CHANNELS
    from drivers.devices.pwm_lamp import PwmLamp

    line = said.gpio
    if isinstance(board.description.wires[said.wire], PwmWire):
        line = PWM_CHANNELS[board.description.model][said.gpio].channel
    lamp = PwmLamp(
        name,
        board.link(said.wire),
        board.emit,
        line=line,
        frequency_hz=said.pwm_hz,
        min_duty_ppm=said.min_duty_pct * 10_000,
        inverted=said.inverted,
    )
    board.devices[name] = lamp
    add_lamp(board, lamp, PWM_STEP_NS, said.off_below)


def _relay_pins(said: Relay, name: str) -> tuple[Pin, ...]:
    on: Literal[0, 1] = 1 if said.active_high else 0
    if said.mode == "pulse":
        return (Pin(said.gpio, f"pulses of {name}", "gpio"),)
    return (Pin(said.gpio, f"level of {name}", "gpio", initial=0 if on else 1, holds=on),)


def _relay(board: Assembly, name: str, said: Relay) -> None:
    from drivers.devices.watchdog_output import WatchdogOutput

    board.devices[name] = board.watchdogs[name] = WatchdogOutput(
        name,
        board.link(said.wire),
        board.emit,
        line=said.gpio,
        mode=said.mode,
        hold_ms=said.hold_ms,
        active=1 if said.active_high else 0,
    )


PARTS = (
    Part(
        keys=Pwm,
        title="lamp behind PWM",
        content=lambda said: "pwm",
        wire_kinds=("pwm", "gpio", "memory"),
        shares=SHARES,
        pins=_pwm_pins,
        findings=_pwm_findings,
        hookup=Hookup(
            signal="pwm",
            terminals=(Terminal("PWM", "line"), Terminal("GND", "gnd")),
            supply="the lamp's driver has its own",
            note="3.3 V out, 16 mA at most: a PWM input that wants more than that needs a transistor (then inverted).",
            source="Raspberry Pi, GPIO pads control",
        ),
        make=_pwm,
    ),
    Part(
        keys=Relay,
        title="relay that holds while it is fed",
        content=lambda said: "relay",
        wire_kinds=("gpio", "memory"),
        shares=SHARES,
        pins=_relay_pins,
        hookup=Hookup(
            signal="gpio",
            terminals=(Terminal("IN", "line"), Terminal("GND", "gnd"), Terminal("VCC", "supply")),
            supply="the relay's own, not the header's 3.3 V",
            note="A resistor at IN to the level at which it drops: while nobody drives the line, the relay falls.",
            source="drivers/devices/watchdog_output.py",
        ),
        make=_relay,
    ),
)
