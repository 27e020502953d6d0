"""Lines and PWM channels on the bench: addresses of ports, parts, orders."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import InputError
from drivers.line_events import EDGE, HOLD, PWM, SET, LineEvent, LineEventStream, encode, encode_pwm
from drivers.links.gpio import GpioLine, GpioLink
from drivers.links.kernel_pwm import KernelPwmLink
from drivers.links.line_port import open_line_port
from drivers.links.memory import memory_pair
from drivers.parts import PARTS
from drivers.parts.part import Options


@pytest.mark.parametrize(
    ("url", "lines"),
    [
        ("gpio:lgpio/17", (GpioLine(17, out=True),)),
        ("gpio:leeze/23,24=in", (GpioLine(23, out=True), GpioLine(24))),
        (
            "gpio:rpi-gpio/5=high,6=up,7=down?poll_ms=5",
            (GpioLine(5, out=True, initial=1), GpioLine(6, pull="up"), GpioLine(7, pull="down")),
        ),
    ],
)
def test_an_address_of_lines_says_what_each_is(url: str, lines: tuple[GpioLine, ...]) -> None:
    link = open_line_port("relay", url)
    assert isinstance(link, GpioLink)
    assert (link.name, link.lines, link.is_open) == ("relay", lines, False)


def test_an_address_of_a_pwm_channel_names_a_chip_by_path_device_or_as_the_headers(tmp_path: Path) -> None:
    chip = tmp_path / "pwmchip3"
    (chip / "pwm1").mkdir(parents=True)
    (chip / "npwm").write_text("2\n")
    for name, value in (("period", "0"), ("duty_cycle", "0"), ("enable", "0"), ("polarity", "normal")):
        (chip / "pwm1" / name).write_text(value)
    link = open_line_port("lamp", f"pwm:{chip}/1")
    assert isinstance(link, KernelPwmLink)
    link.open(0)
    link.write(encode_pwm(1, 1000, 5), 0)
    assert (chip / "pwm1" / "period").read_text().startswith("1000")
    link.close()
    for url in ("pwm:header/0", "pwm:1f00098000.pwm/0,2"):
        assert isinstance(open_line_port("lamp", url), KernelPwmLink)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("/dev/ttyUSB0", "no line; write it like gpio:lgpio/17"),
        ("gpio:17", "no line"),
        ("gpio:/17", "no line"),
        ("gpio:lgpio/", "no line"),
        ("i2c:1/2", "no line"),
        ("gpio:lgpio/17=left", "GPIO17 cannot be 'left'; a line is out, high, in, up, down"),
        ("gpio:lgpio/seventeen", "'seventeen' is no number of a line"),
        ("gpio:lgpio/17,17", "named twice"),
        ("gpio:lgpio/99", "the header has GPIO0 to GPIO27"),
        ("gpio:lgpio/17?poll=5", "the only option is poll_ms"),
        ("gpio:lgpio/17?poll_ms=x", "the only option is poll_ms"),
        ("pwm:header/x", "'x' is no number of a line"),
        ("pwm:header/0?poll_ms=5", "has no options"),
        ("pwm:header/64", "PWM channels"),
    ],
)
def test_an_address_that_is_none_is_refused_with_what_is_wrong(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("?", r"\?")):
        open_line_port("relay", url)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_bad_input(text: str) -> None:
    for kind in ("", "gpio:", "gpio:lgpio/", "pwm:header/"):
        with contextlib.suppress(InputError):
            assert open_line_port("relay", kind + text).name == "relay"


def test_recorded_messages_are_told_and_half_of_one_is_counted() -> None:
    data = (
        encode(LineEvent(5, SET, 1))
        + encode(LineEvent(24, EDGE, 0, 7))
        + encode(LineEvent(5, HOLD, 1, 9))
        + encode_pwm(0, 1000, 250)
        + b"\x05\x77" + bytes(9)
        + b"\x05"
    )  # fmt: skip
    decode = PARTS["relay"].decode
    assert decode is not None
    assert decode(data) == (
        [
            {"type": "set", "line": 5, "value": 1},
            {"type": "edge", "line": 24, "value": 0, "t_ns": 7},
            {"type": "hold", "line": 5, "value": 1, "t_ns": 9},
            {"type": "pwm", "line": 0, "period_ns": 1000, "on_ns": 250},
        ],
        12,
    )


def tried(name: str, **more: str) -> tuple[Any, list[LineEvent]]:
    """The part on a wire in the process, and what it sends."""
    near, far = memory_pair(name)
    sent: list[LineEvent] = []
    stream = LineEventStream()
    far.receiver = lambda data, t_ns: sent.extend(stream.feed(data))
    bench = PARTS[name].bench
    assert bench is not None
    return bench.device(name, near, print, Options(12, more)), sent


def perform(name: str, order_name: str, device: Any, *numbers: int) -> None:
    bench = PARTS[name].bench
    assert bench is not None
    (order,) = [order for order in bench.orders if order.name == order_name]
    assert order.risk
    order.perform(device, numbers, 0)


def test_a_lamp_is_told_a_level_by_name() -> None:
    device, sent = tried("pwm", frequency_hz="2000", min_duty_ppm="10", inverted="1")
    perform("pwm", "level", device, 254)
    assert sent == [LineEvent(12, PWM, 0, 500_000 << 32)]


def test_a_relay_is_fed_by_name() -> None:
    device, sent = tried("relay")
    perform("relay", "feed", device)
    assert sent == [LineEvent(12, SET, 1)]
    device, sent = tried("relay", mode="level", hold_ms="200", active="0")
    perform("relay", "feed", device)
    assert sent == [LineEvent(12, HOLD, 0, 200_000_000)]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"mode": "hope"}, "write pulse or level"),
        ({"hold_ms": "x"}, "a whole number"),
        ({"colour": "5"}, "there are mode"),
    ],
)
def test_settings_that_there_are_not_are_refused(more: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        tried("relay", **more)


def test_a_relay_without_its_line_is_refused_with_an_example() -> None:
    near, _ = memory_pair("relay")
    bench = PARTS["relay"].bench
    assert bench is not None
    with pytest.raises(InputError, match="--port gpio:lgpio/17 --address 17"):
        bench.device("relay", near, print, Options())
