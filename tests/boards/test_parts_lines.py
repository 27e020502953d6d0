"""Lamps behind PWM and relays in board files."""

from __future__ import annotations

from typing import Any

import pytest

from boards.build import Board, build
from boards.hardware import hardware_link
from boards.load import parse_board
from boards.parts import contents
from boards.pins import wire_pins
from drivers.devices.pwm_lamp import PwmLamp
from drivers.devices.watchdog_output import WatchdogOutput
from drivers.errors import InputError
from drivers.line_events import HOLD, LineEvent, LineEventStream
from drivers.links.gpio import GpioLine, GpioLink
from drivers.links.kernel_pwm import KernelPwmLink
from drivers.links.memory import memory_pair

HEAD = """
format = 1
name = "yard"
title = "A board for tests"
model = "{model}"
product = "lighting"
period_ms = 20
{bench}
"""
PWM_WIRE = '[wires.lamps]\nkind = "pwm"\n'
GPIO_WIRE = '[wires.yard]\nkind = "gpio"\nfactory = "lgpio"\n'
LAMP = '[devices.lamp-{n}]\npart = "pwm"\nwire = "{wire}"\ngpio = {gpio}\n'
RELAY = '[devices.watchdog]\npart = "relay"\nwire = "yard"\ngpio = 17\n'


def text(*tables: str, model: str = "raspberry-pi-5", bench: str = "") -> str:
    return HEAD.format(model=model, bench=bench) + "".join(tables)


def lamp(n: int, gpio: int, wire: str = "lamps", **more: object) -> str:
    return LAMP.format(n=n, gpio=gpio, wire=wire) + "".join(f"{key} = {value}\n" for key, value in more.items())


def built(board: str) -> tuple[Board, dict[str, list[LineEvent]]]:
    sent: dict[str, list[LineEvent]] = {}

    def link_for(name: str, wire: Any) -> Any:
        near, far = memory_pair(name)
        stream, events = LineEventStream(), sent.setdefault(name, [])
        far.receiver = lambda data, t_ns: events.extend(stream.feed(data))
        return near

    return build(parse_board(board, "yard.toml"), link_for=link_for, emit=lambda value: None), sent


@pytest.mark.parametrize(("model", "channel"), [("raspberry-pi-4", 0), ("raspberry-pi-5", 2)])
def test_a_lamp_on_the_kernels_pwm_uses_the_channel_that_its_pin_has_on_that_model(model: str, channel: int) -> None:
    said = text(PWM_WIRE, lamp(1, 18, pwm_hz=2000, min_duty_pct=10, inverted="true"), model=model)
    board, sent = built(said)
    assert isinstance(board.devices["lamp-1"], PwmLamp)
    assert board.devices["lamp-1/fade"] is board.lamps["lamp-1"]
    board.lamps["lamp-1"].set_level(1, 0)
    assert [(event.line, event.period_ns, event.on_ns) for event in sent["lamps"]] == [(channel, 500_000, 450_000)]
    description = parse_board(said, "yard.toml")
    assert isinstance(hardware_link("lamps", description.wires["lamps"], description), KernelPwmLink)


def test_lamps_and_a_relay_share_the_lines_of_one_wire_and_start_in_the_dark_and_dropped() -> None:
    said = text(
        GPIO_WIRE,
        lamp(1, 5, "yard", min_duty_pct=1),
        lamp(2, 6, "yard", min_duty_pct=1, inverted="true"),
        RELAY + 'mode = "level"\nhold_ms = 300\nactive_high = false\n',
        model="raspberry-pi-4",
    ).replace("gpio = 17", "gpio = 4")  # pulled up after reset, so a low-active relay drops
    board, sent = built(said)
    description = parse_board(said, "yard.toml")
    link = hardware_link("yard", description.wires["yard"], description)
    assert isinstance(link, GpioLink)
    assert link.lines == (
        GpioLine(4, out=True, initial=1),
        GpioLine(5, out=True),
        GpioLine(6, out=True, initial=1),
    )
    watchdog = board.devices["watchdog"]
    assert isinstance(watchdog, WatchdogOutput)
    watchdog.feed(0)
    board.lamps["lamp-1"].set_level(254, 1)
    assert sent["yard"][0] == LineEvent(4, HOLD, 0, 300_000_000)
    assert sent["yard"][1].line == 5
    assert contents(description)["yard"] in ("pwm", "relay")


def test_a_relay_is_for_pulses_unless_it_says_otherwise() -> None:
    description = parse_board(text(GPIO_WIRE, RELAY), "yard.toml")
    assert [(pin.gpio, pin.initial, pin.holds) for pin in wire_pins(description, "yard")] == [(17, 0, None)]


@pytest.mark.parametrize(
    ("board", "said"),
    [
        (text(GPIO_WIRE, lamp(1, 5, "yard")), r"\$.devices.lamp-1.min_duty_pct: .*write min_duty_pct = 1"),
        (
            text(GPIO_WIRE, lamp(1, 5, "yard", min_duty_pct=1, pwm_hz=20_000)),
            r"\$.devices.lamp-1.pwm_hz: .*up to 10000 Hz",
        ),
        (
            text(
                GPIO_WIRE.replace('factory = "lgpio"', 'driver = "rpi-gpio"'),
                lamp(1, 5, "yard"),
                model="raspberry-pi-4",
            ),
            r"\$.devices.lamp-1.wire: RPi.GPIO's PWM flickers",
        ),
        (text(PWM_WIRE, lamp(1, 17)), r"\$.devices.lamp-1.gpio: GPIO17 .*has no PWM of the kernel"),
        (text(GPIO_WIRE, RELAY, lamp(1, 17, "yard", min_duty_pct=1)), r"GPIO17 .*is already"),
        (text(PWM_WIRE, lamp(1, 18, pwm_hz=50)), r"\$.devices.lamp-1.pwm_hz|pwm_hz"),
        (text(GPIO_WIRE, RELAY + 'mode = "hope"\n'), r"mode"),
        (text(GPIO_WIRE, RELAY + 'bus = "dali"\n'), r'watchdog.bus: no DALI lamps on a wire "dali"; leave it out'),
    ],
)
def test_what_would_not_work_is_refused_with_its_place(board: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_board(board, "yard.toml")
