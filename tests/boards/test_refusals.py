"""Every refusal names the file, the place in it, and what would be right."""

from __future__ import annotations

import pytest

from boards.checks import findings
from boards.load import catalog_names, load_board, parse_board
from boards.parts import contents
from drivers.errors import InputError

HEAD = """
format = 1
name = "test-board"
title = "A board for tests"
model = "raspberry-pi-4"
product = "lighting"
period_ms = 20
"""

RADAR = """
[devices.radar-1]
part = "ld2451"
wire = "radar-1"
"""


def relay(gpio: int, *, active_high: bool = True) -> str:
    """A relay that holds a level, on a wire of its own."""
    high = "true" if active_high else "false"
    return (
        '[wires.lines]\nkind = "gpio"\n'
        f'[devices.relay]\npart = "relay"\nwire = "lines"\nmode = "level"\ngpio = {gpio}\nactive_high = {high}\n'
    )


RADAR_WIRE = """
[wires.radar-1]
kind = "uart"
uart = "uart3"
baud = 115200
"""

LAMP = """
[devices.lamp-1]
part = "atxled"
wire = "dali"
short_address = 0
"""

DALI_WIRE = """
[wires.dali]
kind = "uart"
uart = "uart0"
baud = 19200
"""

NEIGHBOUR = """
[devices.neighbour]
part = "neighbour"
wire = "neighbour"
"""

MATRIX = """
[wires.panel]
kind = "matrix"
width_px = 96
height_px = 32
driver = "rgbmatrix"

[devices.panel]
part = "panel"
wire = "panel"
"""

ONE_RADAR = HEAD + RADAR_WIRE + RADAR
ONE_LAMP = HEAD + DALI_WIRE + LAMP
BOTH = HEAD + DALI_WIRE + RADAR_WIRE + LAMP + RADAR


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_board(text, "my.toml")
    return str(caught.value)


def neighbour_wire(settings: str) -> str:
    return f'[wires.neighbour]\nkind = "uart"\n{settings}\n'


def test_the_boards_these_tests_start_from_are_fine() -> None:
    for text in (ONE_RADAR, ONE_LAMP, BOTH, HEAD + MATRIX):
        assert findings(parse_board(text, "my.toml")) == []


@pytest.mark.parametrize("name", catalog_names())
def test_every_board_of_the_catalog_is_fine_and_carries_its_own_file_name(name: str) -> None:
    assert load_board(name).name == name


@pytest.mark.parametrize(
    ("text", "place", "mend"),
    [
        (ONE_RADAR.replace("baud =", "buad ="), "$.wires.radar-1: unknown key `buad`", "did you mean `baud`?"),
        (
            ONE_RADAR + 'colour = "red"\n',
            "$.devices.radar-1: unknown key `colour`",
            "known keys: direction, frozen_s, ",
        ),
        (ONE_RADAR.replace("period_ms", "period_sm"), "$: unknown key `period_sm`", "did you mean `period_ms`?"),
        (ONE_RADAR.replace("115200", '"fast"'), "$.wires.radar-1.baud: expected `int | null`, got `str`", ""),
        (ONE_RADAR.replace("format = 1", "format = 2"), "$.format: invalid enum value 2", ""),
        (ONE_RADAR.replace("-pi-4", "-pi-7"), "$.model: invalid enum value 'raspberry-pi-7'", ""),
        (ONE_RADAR.replace("period_ms = 20", "period_ms = 0"), "$.period_ms: expected `int` >= 1", ""),
        (ONE_LAMP.replace("address = 0", "address = 64"), "$.devices.lamp-1.short_address: expected `int` <= 63", ""),
        (ONE_LAMP.replace("short_address = 0", ""), "$.devices.lamp-1: object missing", "`short_address`"),
        (ONE_RADAR.replace("ld2451", "ld2541"), "$.devices.radar-1.part: unknown part `ld2541`", "mean `ld2451`?"),
        (ONE_RADAR.replace("ld2451", "toaster"), "unknown part `toaster`", "known: ld2451, "),
        (ONE_RADAR.replace('"ld2451"', '["ld2451"]'), "$.devices.radar-1.part: unknown part", "did you mean `ld2451`?"),
        (ONE_RADAR.replace('part = "ld2451"', ""), "$.devices.radar-1: missing key `part`", "known: ld2451"),
        (ONE_RADAR.replace('"uart"', '"urat"'), "$.wires.radar-1.kind: unknown kind `urat`", "did you mean `uart`?"),
        (ONE_RADAR.replace("[wires.radar-1]", "[wires"), "not TOML", "line 9"),
        ("a = " + "[" * 5000, "nested too deep", "no key of ours needs more than a few levels"),
    ],
)
def test_a_file_that_is_not_a_board_is_refused_with_the_place_and_the_mend(text: str, place: str, mend: str) -> None:
    said = refusal(text)
    assert said.startswith("my.toml: ")
    assert place in said
    assert mend in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            BOTH.replace('uart = "uart3"', 'uart = "uart0"'),
            "$.wires.radar-1.uart: GPIO14 (pin 8) is already TX of wire dali; free UARTs: uart3, uart4, uart5, uart2",
        ),
        (
            BOTH.replace('uart = "uart3"', 'uart = "uart1"'),
            "$.wires.radar-1.uart: GPIO14 (pin 8) is already TX of wire dali; free UARTs: uart3, uart4, uart5, uart2",
        ),
        (
            ONE_RADAR + relay(4, active_high=False),
            "$.devices.relay.gpio: GPIO4 (pin 7) is already TX of wire radar-1; "
            "free pins for it: GPIO2, GPIO3, GPIO6, GPIO7, GPIO8",
        ),
        (
            HEAD + MATRIX + RADAR_WIRE + RADAR,
            "$.wires.radar-1.uart: GPIO4 (pin 7) is already OE of wire panel; free UARTs: uart0, uart4, uart2",
        ),
        (
            HEAD + RADAR_WIRE + RADAR + MATRIX,
            "$.wires.panel.mapping: GPIO4 (pin 7) is already TX of wire radar-1; "
            "move that wire to uart0 or uart4 or uart2",
        ),
        (
            HEAD + MATRIX + relay(21),
            "$.devices.relay.gpio: GPIO21 (pin 40) is already LAT of wire panel; free pins for it: GPIO9, GPIO10",
        ),
        (
            ONE_RADAR.replace("-pi-4", "-pi-3"),
            '$.wires.radar-1.uart: no "uart3" on the header of a Raspberry Pi 3; '
            "it has uart0 (GPIO14/15), uart1 (GPIO14/15)",
        ),
        (
            ONE_RADAR.replace("uart3", "uart5").replace("-pi-4", "-pi-5"),
            'no "uart5" on the header of a Raspberry Pi 5; it has uart0 (GPIO14/15), uart1 (GPIO0/1), uart2 (GPIO4/5)',
        ),
        (
            ONE_RADAR.replace("raspberry-pi-4", "laptop"),
            '$.wires.radar-1.uart: a laptop has no header; use port = "/dev/ttyUSB0", or a URL',
        ),
        (
            HEAD + neighbour_wire('uart = "uart1"\nbaud = 9600\nparity = "E"') + NEIGHBOUR,
            "$.wires.neighbour.parity: uart1 is the mini UART of a Raspberry Pi 4, which has no parity; "
            "use uart3 or uart4 or uart5 or uart2",
        ),
        (
            HEAD.replace("-pi-4", "-pi-3") + neighbour_wire('uart = "uart1"\nbaud = 9600\nparity = "E"') + NEIGHBOUR,
            'which has no parity; use uart0 in its place, or parity = "N"',
        ),
        (
            ONE_RADAR.replace("baud", "tx_gpio = 17\nbaud"),
            "$.wires.radar-1.tx_gpio: GPIO17 (pin 11) cannot be TX of uart3; uart3 has it at GPIO4 (pin 7)",
        ),
        (
            ONE_RADAR.replace("baud", "rx_gpio = 4\nbaud"),
            "$.wires.radar-1.rx_gpio: GPIO4 (pin 7) cannot be RX of uart3; uart3 has it at GPIO5 (pin 29)",
        ),
        (
            HEAD + neighbour_wire('port = "/dev/ttyUSB0"\nbaud = 9600\ntx_gpio = 4') + NEIGHBOUR,
            "$.wires.neighbour.tx_gpio: a port has no pins on the header; leave it out, or use uart in place of port",
        ),
        (
            HEAD + neighbour_wire('port = "/dev/ttyAMA3"\nbaud = 9600') + NEIGHBOUR,
            '$.wires.neighbour.port: /dev/ttyAMA3 is on the header; use uart = "uart3", so that its pins are checked',
        ),
        (
            HEAD + neighbour_wire('port = "/dev/serial0"\nbaud = 9600') + NEIGHBOUR,
            '$.wires.neighbour.port: /dev/serial0 is on the header; use uart = "uart0"',
        ),
        (
            HEAD + neighbour_wire('port = "/dev/ttyUSB0"') + NEIGHBOUR,
            "$.wires.neighbour.baud: missing; a serial line needs its bit rate, like 115200",
        ),
        (
            HEAD + neighbour_wire("baud = 9600") + NEIGHBOUR,
            "$.wires.neighbour: give exactly one of uart",
        ),
        (
            HEAD + neighbour_wire('uart = "uart2"\nport = "/dev/ttyUSB0"\nbaud = 9600') + NEIGHBOUR,
            "$.wires.neighbour: give exactly one of uart",
        ),
        (
            ONE_RADAR.replace('uart = "uart3"', 'port = "/dev/ttyUSB0"')
            + neighbour_wire('port = "/dev/ttyUSB0"\nbaud = 9600')
            + NEIGHBOUR,
            "$.wires.neighbour.port: /dev/ttyUSB0 is already wire radar-1; a port carries one wire",
        ),
        (
            ONE_LAMP.replace("19200", "9600"),
            "$.wires.dali.baud: part atxled does not speak 9600 baud; right: 19200",
        ),
        (
            ONE_RADAR.replace("115200", "1200"),
            "$.wires.radar-1.baud: part ld2451 does not speak 1200 baud; right: 9600, 19200,",
        ),
        (
            ONE_RADAR.replace("115200", '115200\nparity = "E"'),
            '$.wires.radar-1.parity: part ld2451 has no parity "E"; right: N',
        ),
        (
            ONE_LAMP + LAMP.replace("lamp-1", "lamp-2"),
            "$.devices.lamp-2.short_address: 0 is already lamp-1 on wire dali; the next free one is 1",
        ),
        (
            ONE_RADAR + RADAR.replace("devices.radar-1", "devices.radar-2"),
            "$.devices.radar-2.wire: wire radar-1 is already radar-1's; part ld2451 needs a wire of its own",
        ),
        (
            ONE_LAMP + RADAR.replace('wire = "radar-1"', 'wire = "dali"'),
            "$.devices.radar-1.wire: wire dali is already lamp-1's; part ld2451 needs a wire of its own",
        ),
        (
            ONE_RADAR.replace('wire = "radar-1"', 'wire = "radra-1"'),
            '$.devices.radar-1.wire: no wire "radra-1"; did you mean "radar-1"?',
        ),
        (
            ONE_RADAR + '[devices.other]\npart = "ld2451"\nwire = "zzz"\n',
            '$.devices.other.wire: no wire "zzz"; wires of this board: radar-1',
        ),
        (
            HEAD + RADAR_WIRE + '[devices.panel]\npart = "panel"\nwire = "radar-1"\n',
            "$.devices.panel.wire: part panel does not hang on a uart wire; it needs kind matrix",
        ),
        (
            HEAD
            + neighbour_wire('port = "socket://127.0.0.1:7100"')
            + '[devices.feed]\npart = "spat-feed"\nwire = "neighbour"\nmessage_format = "spat-uper"\n',
            "$.devices.feed.message_format: binary messages carry no mark where they begin, and a serial wire does not "
            'keep them apart; use message_format = "spat-xml", an mqtt or udp wire, or a memory wire on a bench',
        ),
        (
            ONE_LAMP.replace("devices.lamp-1", "devices.dali"),
            '$.devices.dali: a DALI wire is called "dali" and its bus takes that name; give the device another',
        ),
        (
            BOTH.replace(RADAR, ""),
            '$.wires.radar-1: no device hangs on it; add one with wire = "radar-1", or take the wire out',
        ),
        (
            HEAD + '[wires.neighbour]\nkind = "memory"\n' + NEIGHBOUR,
            '$.wires.neighbour.kind: a memory wire has the rig at its far end; use kind = "uart", or set bench = true',
        ),
        (
            (HEAD + MATRIX).replace("raspberry-pi-4", "laptop"),
            '$.wires.panel.driver: "rgbmatrix" needs a header; on a laptop use "emulator" or "frame-buffer"',
        ),
        (
            (HEAD + MATRIX).replace('"rgbmatrix"', '"piomatter"'),
            '$.wires.panel.driver: "piomatter" runs on a Raspberry Pi 5 only; on a Raspberry Pi 4 use "rgbmatrix"',
        ),
        (
            ONE_RADAR.replace("raspberry-pi-4", "laptop").replace('uart = "uart3"', 'port = "/dev/ttyUSB0"')
            + relay(17),
            '$.wires.lines.kind: a laptop has no header; use kind = "memory" on a bench',
        ),
        (
            ONE_RADAR + relay(1, active_high=False),
            "$.devices.relay.gpio: GPIO1 (pin 28) reads the HAT's EEPROM at boot; free pins for it: GPIO2, GPIO3",
        ),
        (
            ONE_RADAR + relay(6),
            "$.devices.relay.gpio: GPIO6 (pin 31) is pulled up after reset, so relay would hold "
            "without the controller; "
            "free pins for it: GPIO9",
        ),
        (
            ONE_RADAR + relay(17, active_high=False),
            "$.devices.relay.gpio: GPIO17 (pin 11) is pulled down after reset, so relay would hold "
            "without the controller; "
            "free pins for it: GPIO2, GPIO3, GPIO6, GPIO7, GPIO8",
        ),
        (
            ONE_RADAR.replace('"test-board"', '"Test Board"'),
            '$.name: "Test Board" is no name; use lower case letters, digits and single hyphens, like "radar-1"',
        ),
        (
            ONE_RADAR.replace("devices.radar-1", 'devices."radar/1"'),
            '$.devices.radar/1: "radar/1" is no name',
        ),
    ],
)
def test_wiring_that_cannot_work_is_refused_with_the_place_and_the_mend(text: str, expected: str) -> None:
    said = refusal(text)
    assert said.startswith("my.toml: $.")
    assert expected in said


def test_all_faults_of_a_file_are_told_at_once_each_with_the_file() -> None:
    text = BOTH.replace("uart3", "uart9").replace("19200", "9600").replace('wire = "dali"', 'wire = "dalli"')
    lines = refusal(text).splitlines()
    assert len(lines) == 3
    assert all(line.startswith("my.toml: $.") for line in lines)


def test_a_uart_that_collides_on_both_pins_is_told_once() -> None:
    assert len(refusal(BOTH.replace("uart3", "uart0")).splitlines()) == 1


def test_a_full_line_of_64_lamps_is_fine_and_the_65th_is_told_that_all_are_taken() -> None:
    lamps = "".join(
        LAMP.replace("lamp-1", f"lamp-{n}").replace("address = 0", f"address = {n - 1}") for n in range(1, 65)
    )
    assert len(parse_board(HEAD + DALI_WIRE + lamps, "my.toml").devices) == 64
    assert "all 64 are taken" in refusal(HEAD + DALI_WIRE + lamps + LAMP.replace("lamp-1", "lamp-65"))


def test_the_same_short_address_on_two_lines_is_fine() -> None:
    other = DALI_WIRE.replace("wires.dali", "wires.dali-2").replace("uart0", "uart5")
    lamp = LAMP.replace("lamp-1", "lamp-2").replace('"dali"', '"dali-2"')
    assert findings(parse_board(ONE_LAMP + other + lamp, "my.toml")) == []


def test_pins_written_down_rightly_beside_the_uart_are_fine() -> None:
    text = ONE_RADAR.replace("baud", "tx_gpio = 4\nrx_gpio = 5\nbaud")
    assert findings(parse_board(text, "my.toml")) == []


def test_signal_e_of_a_matrix_is_taken_by_panels_of_more_than_32_rows_only() -> None:
    board = HEAD + MATRIX + relay(24)
    assert findings(parse_board(board, "my.toml")) == []
    assert "GPIO24 (pin 18) is already E of wire panel" in refusal(board.replace("= 32", "= 64"))


def test_an_emulated_matrix_takes_no_pins() -> None:
    text = (HEAD + MATRIX + RADAR_WIRE + RADAR).replace('"rgbmatrix"', '"emulator"')
    assert findings(parse_board(text, "my.toml")) == []


def test_signals_in_binary_are_fine_on_a_wire_that_keeps_messages_apart() -> None:
    feed = '[devices.feed]\npart = "spat-feed"\nwire = "feed"\nmessage_format = "spat-uper"\n'
    board = parse_board(HEAD + "bench = true\n" + '[wires.feed]\nkind = "memory"\n' + feed, "my.toml")
    assert contents(board) == {"feed": "spat-uper"}
