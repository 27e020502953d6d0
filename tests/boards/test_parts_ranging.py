"""Ranging and weather sensors in board files: made as said, in turns, and what cannot work is refused."""

from __future__ import annotations

from itertools import pairwise

import pytest

from board_rig import built
from boards.load import parse_board
from boards.parts import contents
from boards.pins import wire_pins
from boards.wiring import cards
from drivers.devices.echo_ranging import EchoRanging
from drivers.devices.leezenflow_sensor import LeezenflowSensor
from drivers.devices.ranging import A02yyuw, Mb7389
from drivers.errors import InputError
from drivers.line_events import EDGE, PULSE, LineEvent, LineEventStream, encode
from drivers.quantities import Climate, DeviceHealth, Range
from drivers.units import NS_PER_MS, NS_PER_S

HEAD = """
format = 1
name = "node"
title = "A board for tests"
model = "raspberry-pi-4"
product = "parking"
period_ms = 20
"""
LINES = '[wires.lines]\nkind = "gpio"\n'


def serial(name: str, part: str, baud: int = 9_600, **keys: object) -> str:
    """A device on a wire of its own, both called `name`."""
    wire = f'[wires.{name}]\nkind = "uart"\nport = "/dev/ttyUSB-{name}"\nbaud = {baud}\n'
    return wire + device(name, part, name, **keys)


def device(name: str, part: str, wire: str = "lines", **keys: object) -> str:
    return f'[devices.{name}]\npart = "{part}"\nwire = "{wire}"\n' + "".join(f"{k} = {v}\n" for k, v in keys.items())


def hc(n: int, **keys: object) -> str:
    return device(f"bay-{n}", "hc-sr04", trigger_gpio=4 + n, echo_gpio=16 + n, **keys)


def refused(*tables: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_board(HEAD + "".join(tables), "node.toml")
    return str(caught.value)


def test_each_part_is_made_as_the_file_says_and_speaks_in_its_units() -> None:
    board, far, heard = built(
        HEAD,
        serial("bay-1", "a02yyuw", min_mm=280, max_mm=7_500),
        serial("bay-2", "aj-sr04m"),
        serial("bay-3", "mb7389", no_target_mm=9_999),
        serial("bay-4", "mb7389", centimetres="true", nearest_mm=200, no_target_mm=7_650),
        serial("mast", "leezenflow-sensor", 115_200),
    )
    assert [type(each) for each in board.devices.values()] == [A02yyuw, A02yyuw, Mb7389, Mb7389, LeezenflowSensor]
    far["bay-1"].write(bytes.fromhex("ff039d9f"), 1)
    far["bay-1"].write(bytes.fromhex("ff0100 00"), 2)  # 256 mm, below its 280
    far["bay-2"].write(bytes.fromhex("ff039da0"), 3)
    far["bay-3"].write(b"R5000\r", 4)
    far["bay-4"].write(b"R123\r", 5)
    far["mast"].write(b"216,40,100182,1221\r\n", 6)
    assert [v for v in heard if isinstance(v, Range)] == [
        Range(1, "bay-1", 925),
        Range(3, "bay-2", 925),
        Range(4, "bay-3", 5_000),
        Range(5, "bay-4", 1_230),
    ]
    assert Climate(6, "mast", 21_600, 400, 100_182) in heard


def test_the_keys_for_silence_frozen_values_air_and_asking_reach_the_device() -> None:
    keys = {"stale_ms": 500, "frozen_s": 2, "trigger_ms": 100, "reference_degc": 20}
    board, far, heard = built(HEAD, serial("bay-1", "a02yyuw", **keys))
    asked: list[bytes] = []
    far["bay-1"].receiver = lambda data, t_ns: asked.append(data)
    sensor = board.devices["bay-1"]
    assert isinstance(sensor, A02yyuw)
    sensor.set_air(-10_000)
    for t_ms in range(0, 3_000, 20):
        sensor.advance(t_ms * NS_PER_MS)
        if t_ms < 2_200 and t_ms % 100 == 0:
            far["bay-1"].write(bytes.fromhex("ff07d0d6"), t_ms * NS_PER_MS)
    assert asked == 30 * [b"U"]
    assert {v.distance_mm for v in heard if isinstance(v, Range)} == {1_895}
    told = [(v.t_ns // NS_PER_MS, v.reason) for v in heard if isinstance(v, DeviceHealth)]
    assert told == [(2_000, "frozen value"), (2_600, "no reading")]


def test_all_echo_sensors_of_a_board_take_turns_and_one_that_looks_elsewhere_does_not() -> None:
    board, far, _ = built(HEAD, LINES, hc(1), hc(2, slot_ms=120), hc(3), hc(4, alone="true"))
    orders, stream = [], LineEventStream()

    def heard(data: bytes, t_ns: int) -> None:
        orders.extend((t_ns // NS_PER_MS, event.line) for event in stream.feed(data) if event.kind == PULSE)

    far["lines"].receiver = heard
    for now_ns in range(0, NS_PER_S, 20 * NS_PER_MS):
        for each in board.devices.values():
            each.advance(now_ns)
    in_turn = [(t_ms, line) for t_ms, line in orders if line != 8]
    assert [line for _, line in in_turn] == [5, 6, 7, 5, 6, 7, 5, 6, 7]
    assert all(later - earlier == 120 for (earlier, _), (later, _) in pairwise(in_turn))
    assert [t_ms for t_ms, line in orders if line == 8] == list(range(0, 1_000, 100))


def test_echoes_on_one_wire_reach_the_sensor_whose_line_it_is() -> None:
    board, far, heard = built(HEAD, LINES, hc(1), hc(2), device("watchdog", "relay", gpio=27))
    assert all(isinstance(board.devices[name], EchoRanging) for name in ("bay-1", "bay-2"))
    for now_ms, line in ((0, 17), (100, 18)):
        for each in board.devices.values():
            each.advance(now_ms * NS_PER_MS)
        for value, after_ns in ((1, 500_000), (0, 9_246_000)):
            edge = LineEvent(line, EDGE, value, now_ms * NS_PER_MS + after_ns)
            far["lines"].write(encode(edge), (now_ms + 10) * NS_PER_MS)
    assert [v for v in heard if isinstance(v, Range)] == [
        Range(10 * NS_PER_MS, "bay-1", 1_501),
        Range(110 * NS_PER_MS, "bay-2", 1_501),
    ]


def test_many_in_a_round_are_not_silent_between_two_turns() -> None:
    board, _, heard = built(HEAD, LINES, hc(1, slot_ms=1_000), hc(2), hc(3))
    for now_ms in range(0, 8_900, 20):
        for each in board.devices.values():
            each.advance(now_ms * NS_PER_MS)
    assert heard == []


def test_the_lines_are_claimed_as_output_and_input() -> None:
    description = parse_board(HEAD + LINES + hc(1), "node.toml")
    pins = [(pin.gpio, pin.out, pin.pull, pin.role) for pin in wire_pins(description, "lines")]
    assert pins == [(5, True, "none", "trigger of bay-1"), (17, False, "down", "echo of bay-1")]
    assert contents(description) == {"lines": "hc-sr04"}
    (card,) = cards(description)
    assert {(row.terminal, row.carries) for row in card.rows} >= {("trigger", "GPIO5"), ("echo", "GPIO17")}
    assert "divider" in card.note


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (
            (serial("bay-1", "a02yyuw", min_mm=5_000),),
            "$.devices.bay-1.min_mm: 5000 mm and more, 4500 mm and less: nothing is left; make max_mm larger",
        ),
        (
            (serial("bay-1", "a02yyuw", trigger_ms=2_000),),
            "$.devices.bay-1.trigger_ms: asked every 2000 ms it looks silent after 2000; raise stale_ms",
        ),
        ((serial("bay-1", "a02yyuw", trigger_ms=20),), "$.devices.bay-1.trigger_ms"),
        ((serial("bay-1", "a02yyuw", 19_200),), "$.wires.bay-1.baud: part a02yyuw does not speak 19200 baud"),
        (
            (serial("bay-1", "mb7389", nearest_mm=5_000),),
            "$.devices.bay-1.nearest_mm: not below no_target_mm = 5000; most parts: 300 and 5000",
        ),
        (
            (serial("bay-1", "mb7389", centimetres="true", frozen_s=60),),
            "$.devices.bay-1.frozen_s: whole centimetres may stand for ever and are not watched; leave it out",
        ),
        (
            (LINES.replace("\n", '\ndriver = "rpi-gpio"\n', 1), hc(1)),
            "$.devices.bay-1.wire: RPi.GPIO stamps edges when Python hears of them, and 1 ms is 17 cm",
        ),
        (
            (LINES + 'factory = "native"\n', hc(1)),
            '$.devices.bay-1.wire: factory "native" stamps edges when Python hears of them, and 1 ms is 17 cm',
        ),
        ((LINES, hc(1), hc(1).replace("bay-1", "bay-9")), "GPIO5"),
        ((LINES, hc(1, slot_ms=60)), "$.devices.bay-1.slot_ms"),
        ((serial("mast", "leezenflow-sensor", 115_200, stale_ms=2_000),), "$.devices.mast.stale_ms"),
    ],
)
def test_what_cannot_work_is_refused_with_the_mend(tables: tuple[str, ...], said: str) -> None:
    assert said in refused(*tables)
