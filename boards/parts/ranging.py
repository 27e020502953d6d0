"""Sensors of distance by ultrasound: on a serial wire each, or by trigger and echo on lines of the header."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from boards.keys import DeviceKeys, FrozenS, Gpio, InAir, StaleMs
from boards.parts.lines import SHARES
from boards.parts.part import Assembly, Hookup, Part, Pin, Terminal
from boards.wires import GpioWire, Wire
from drivers.units import NS_PER_MS, NS_PER_S

Millimetres = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
AirDegC = Annotated[int, msgspec.Meta(ge=-40, le=60, description="air in degrees Celsius")]
TriggerMs = Annotated[int, msgspec.Meta(ge=60, le=10_000, description="how often it is asked, in ms")]

LISTEN_MS = 65
STAMPED = ("lgpio", "pigpio", "mock", "leeze")
"""Pin factories whose edges have the time at which they were, not the time at which Python heard of them."""


class A02yyuw(InAir, frozen=True, kw_only=True, tag="a02yyuw", tag_field="part"):
    """An A02YYUW, A01NYUB or JSN-SR04T in serial mode.

    `min_mm`, `max_mm`: what the part measures; A02YYUW 30 to 4500, A01NYUB 280 to 7500, JSN-SR04T 250 to 4500. Less is
    no reading, more is nothing in range. `trigger_ms`: ask it so often (a JSN-SR04T that measures on demand).
    `reference_degc`: the air that the part takes for granted, where it has no thermometer of its own.
    """

    min_mm: Millimetres = 30
    max_mm: Millimetres = 4_500
    trigger_ms: TriggerMs | None = None
    reference_degc: AirDegC | None = None
    stale_ms: StaleMs = 2_000
    frozen_s: FrozenS = 3_600


class AjSr04m(InAir, frozen=True, kw_only=True, tag="aj-sr04m", tag_field="part"):
    """An AJ-SR04M in serial mode: frames like an A02YYUW's, with another sum."""

    min_mm: Millimetres = 200
    max_mm: Millimetres = 4_500
    trigger_ms: TriggerMs | None = None
    reference_degc: AirDegC | None = None
    stale_ms: StaleMs = 2_000
    frozen_s: FrozenS = 3_600


class Mb7389(DeviceKeys, frozen=True, kw_only=True, tag="mb7389", tag_field="part"):
    """A MaxBotix HRXL-MaxSonar-WR (MB7360 to MB7395), or with `centimetres` an XL-MaxSonar (MB70xx).

    `nearest_mm`: what it says of anything nearer: 300, some 500, XL 200. `no_target_mm`: what it says when nothing is
    in range: 5000, parts for 10 m 9999, XL 7650.
    """

    nearest_mm: Millimetres = 300
    no_target_mm: Millimetres = 5_000
    centimetres: bool = False
    stale_ms: StaleMs = 2_000
    frozen_s: FrozenS = 3_600


class HcSr04(InAir, frozen=True, kw_only=True, tag="hc-sr04", tag_field="part"):
    """An HC-SR04 or JSN-SR04T with a trigger and an echo line.

    All of a board take turns, in the order of their names, `slot_ms` each, so that none hears another's sound; one with
    `alone` (looking elsewhere) pings every slot of its own. A slot must be longer than 65 ms and a scan cycle.
    `min_mm`: HC-SR04 20, JSN-SR04T 250. `air_degc`: the air, until something measures it.
    """

    trigger_gpio: Gpio
    echo_gpio: Gpio
    slot_ms: Annotated[int, msgspec.Meta(ge=70, le=10_000)] = 100
    alone: bool = False
    min_mm: Millimetres = 20
    air_degc: AirDegC = 20
    stale_ms: StaleMs = 2_000
    frozen_s: FrozenS = 3_600


def _limits(said: A02yyuw | AjSr04m, wire: Wire) -> Iterator[tuple[str, str]]:
    if said.min_mm >= said.max_mm:
        yield "min_mm", f"{said.min_mm} mm and more, {said.max_mm} mm and less: nothing is left; make max_mm larger"
    if said.trigger_ms is not None and said.trigger_ms >= said.stale_ms:
        yield "trigger_ms", f"asked every {said.trigger_ms} ms it looks silent after {said.stale_ms}; raise stale_ms"


def _nearest(said: Mb7389, wire: Wire) -> Iterator[tuple[str, str]]:
    if said.nearest_mm >= said.no_target_mm:
        yield "nearest_mm", f"not below no_target_mm = {said.no_target_mm}; most parts: 300 and 5000"
    if said.centimetres and said.frozen_s and said.frozen_s != 3_600:
        yield "frozen_s", "whole centimetres may stand for ever and are not watched; leave it out"


def _stamps(said: HcSr04, wire: Wire) -> Iterator[tuple[str, str]]:
    if isinstance(wire, GpioWire) and (wire.driver == "rpi-gpio" or wire.factory not in STAMPED):
        by = "RPi.GPIO" if wire.driver == "rpi-gpio" else f'factory "{wire.factory}"'
        yield "wire", f'{by} stamps edges when Python hears of them, and 1 ms is 17 cm; use factory = "lgpio"'


def _a02yyuw(board: Assembly, name: str, said: A02yyuw | AjSr04m) -> None:
    from drivers.devices.ranging import A02yyuw as Device

    board.devices[name] = Device(
        name,
        board.link(said.wire),
        board.emit,
        min_mm=said.min_mm,
        max_mm=said.max_mm,
        header_in_sum=isinstance(said, A02yyuw),
        trigger_ns=(said.trigger_ms or 0) * NS_PER_MS,
        reference_mdegc=None if said.reference_degc is None else 1_000 * said.reference_degc,
        stale_ns=said.stale_ms * NS_PER_MS,
        frozen_ns=said.frozen_s * NS_PER_S,
    )


def _mb7389(board: Assembly, name: str, said: Mb7389) -> None:
    from drivers.devices.ranging import Mb7389 as Device

    board.devices[name] = Device(
        name,
        board.link(said.wire),
        board.emit,
        nearest_mm=said.nearest_mm,
        no_target_mm=said.no_target_mm,
        centimetres=said.centimetres,
        stale_ns=said.stale_ms * NS_PER_MS,
        frozen_ns=said.frozen_s * NS_PER_S,
    )


def _hc_sr04(board: Assembly, name: str, said: HcSr04) -> None:
    from drivers.devices.echo_ranging import EchoRanging

    others = board.description.devices
    turns = sorted(each for each, keys in others.items() if isinstance(keys, HcSr04) and not keys.alone)
    slot_ms = max((keys.slot_ms for keys in others.values() if isinstance(keys, HcSr04) and not keys.alone), default=0)
    if said.alone:
        turns, slot_ms = [name], said.slot_ms
    board.devices[name] = EchoRanging(
        name,
        board.link(said.wire),
        board.emit,
        trigger_line=said.trigger_gpio,
        echo_line=said.echo_gpio,
        slot_ns=slot_ms * NS_PER_MS,
        turn=turns.index(name),
        turns=len(turns),
        listen_ns=LISTEN_MS * NS_PER_MS,
        min_mm=said.min_mm,
        air_mdegc=1_000 * said.air_degc,
        stale_ns=max(said.stale_ms, 3 * slot_ms * len(turns)) * NS_PER_MS,
        frozen_ns=said.frozen_s * NS_PER_S,
    )


def _lines(said: HcSr04, name: str) -> tuple[Pin, ...]:
    return (
        Pin(said.trigger_gpio, f"trigger of {name}", "trigger_gpio"),
        Pin(said.echo_gpio, f"echo of {name}", "echo_gpio", out=False, pull="down"),
    )


_SERIAL = (Terminal("TX", "tx"), Terminal("RX", "rx"), Terminal("GND", "gnd"), Terminal("VCC", "supply"))

PARTS = (
    Part(
        keys=A02yyuw,
        title="A02YYUW ultrasonic sensor",
        content=lambda said: "a02yyuw",
        bauds=(9_600, 115_200),
        hookup=Hookup(
            signal="ttl-3v3",
            terminals=_SERIAL,
            supply="3.3 V",
            note="Feed it 3.3 V: its TX follows its supply. RX free: steady values; RX low: faster ones.",
            source="DFRobot's wiki, SEN0311",
        ),
        findings=_limits,
        make=_a02yyuw,
    ),
    Part(
        keys=AjSr04m,
        title="AJ-SR04M ultrasonic sensor",
        content=lambda said: "aj-sr04m",
        bauds=(9_600,),
        hookup=Hookup(
            signal="ttl-3v3",
            terminals=(Terminal("Echo/Tx", "tx"), Terminal("Trig/Rx", "rx"), *_SERIAL[2:]),
            supply="3.3 V",
            note="A resistor on the module (R19) chooses the mode; it comes in the one with trigger and echo.",
            source="a dealer's page; no vendor paper was found",
        ),
        findings=_limits,
        make=_a02yyuw,
    ),
    Part(
        keys=Mb7389,
        title="MaxBotix MB7389 ultrasonic sensor",
        content=lambda said: "mb7389",
        bauds=(9_600,),
        hookup=Hookup(
            signal="ttl-3v3",
            terminals=(Terminal("pin 5", "tx"), Terminal("pin 7", "gnd"), Terminal("pin 6", "supply")),
            supply="3.3 V",
            note="MB736x and MB737x have RS232 levels and need a converter; MB738x and MB739x go straight in.",
            source="MaxBotix, HRXL-MaxSonar-WR data sheet PD11500",
        ),
        findings=_nearest,
        make=_mb7389,
    ),
    Part(
        keys=HcSr04,
        title="HC-SR04 ultrasonic sensor",
        content=lambda said: "hc-sr04",
        wire_kinds=("gpio", "memory"),
        shares=SHARES,
        pins=_lines,
        findings=_stamps,
        hookup=Hookup(
            signal="gpio",
            terminals=(Terminal("GND", "gnd"), Terminal("VCC", "supply")),
            supply="5 V",
            note="Its echo line gives 5 V, the header takes 3.3 V: a divider (1 kΩ from Echo, 2 kΩ to ground) on it.",
            source="HC-SR04 user's manual; Raspberry Pi, GPIO pads",
        ),
        make=_hc_sr04,
    ),
)
