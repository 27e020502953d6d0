"""Hi-Link's radars in board files: made as said, told what is said, and what they cannot do is refused."""

from __future__ import annotations

from typing import Any

import pytest

from board_rig import built, run
from boards.load import parse_board
from boards.parts import contents
from drivers.devices.ld2410 import Ld2410Sensor
from drivers.devices.ld2450 import Ld2450Radar
from drivers.devices.radar import Ld2451Radar
from drivers.errors import InputError
from drivers.quantities import DeviceHealth, PositionReport, Presence
from drivers.units import NS_PER_S
from hil.peers.hilink import Ld2410Answers, Ld2450Answers, Ld2451Answers, ld2410_peer, ld2450_peer, ld2451_peer

HEAD = """
format = 1
name = "node"
title = "A board for tests"
model = "raspberry-pi-4"
product = "parking"
period_ms = 20
"""


def table(part: str, baud: int, **keys: Any) -> str:
    """A device of this part on a wire of its own, both called after it."""
    wire = f'[wires.{part}]\nkind = "uart"\nport = "/dev/ttyUSB-{part}"\nbaud = {baud}\n'
    more = "".join(f"{key} = {value}\n" for key, value in keys.items())
    return f'{wire}[devices.{part}]\npart = "{part}"\nwire = "{part}"\n{more}'


def test_each_is_made_as_the_file_says_and_tells_its_part_so() -> None:
    board, far, heard = built(
        HEAD,
        table("ld2451", 115_200, range_m=60, direction='"approach"', min_speed_kmh=3, no_target_delay_s=1),
        table("ld2450", 256_000, follow='"one"', positive_is_away="false"),
        table("ld2410", 256_000, last_moving_gate=4, last_still_gate=3, unmanned_s=10),
    )
    minds = Ld2451Answers(), Ld2450Answers(), Ld2410Answers()
    run(
        board,
        [
            ld2451_peer("ld2451", far["ld2451"], minds[0]),
            ld2450_peer("ld2450", far["ld2450"], minds[1]),
            ld2410_peer("ld2410", far["ld2410"], minds[2]),
        ],
        9 * NS_PER_S,
    )
    kinds = {name: type(device) for name, device in board.devices.items()}
    assert kinds == {"ld2410": Ld2410Sensor, "ld2450": Ld2450Radar, "ld2451": Ld2451Radar}
    assert minds[0].settings == {"0012": "3c010301", "0013": "01040000"}
    assert minds[1].settings["0091"] == "0100"
    assert minds[2].settings["0061"].startswith("aa080403")
    assert minds[2].settings["0061"].endswith("0a00")
    assert {at.speed_mm_s for v in heard if isinstance(v, PositionReport) for at in v.positions} == {-1_000}
    assert [v for v in heard if isinstance(v, Presence)]
    assert [v for v in heard if isinstance(v, DeviceHealth)] == []
    assert contents(board.description) == {"ld2410": "ld2410", "ld2450": "ld2450", "ld2451": "ld2451"}


def test_with_nothing_said_nothing_is_written() -> None:
    board, far, _ = built(HEAD, table("ld2451", 115_200), table("ld2450", 256_000), table("ld2410", 256_000))
    written: list[bytes] = []
    for name, maker, mind in (
        ("ld2451", ld2451_peer, Ld2451Answers()),
        ("ld2450", ld2450_peer, Ld2450Answers()),
        ("ld2410", ld2410_peer, Ld2410Answers()),
    ):
        peer = maker(name, far[name], mind)
        far[name].receiver = lambda data, t_ns: written.append(data)
        run(board, [peer], 3 * NS_PER_S)
    assert written == []


def test_the_keys_for_silence_reach_the_device() -> None:
    board, _, heard = built(
        HEAD,
        table("ld2451", 115_200, stale_ms=1_500),
        table("ld2450", 256_000, stale_ms=700),
        table("ld2410", 256_000, stale_ms=900),
    )
    run(board, [], 5 * NS_PER_S)
    told = {(v.source, v.t_ns // 1_000_000, v.reason) for v in heard if isinstance(v, DeviceHealth)}
    assert told == {("ld2451", 1_500, "no frame"), ("ld2450", 700, "no frame"), ("ld2410", 900, "no frame")}


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (table("ld2451", 921_600), "$.wires.ld2451.baud: part ld2451 does not speak 921600 baud; right: 9600"),
        (table("ld2451", 115_200, range_m=5), "$.devices.ld2451.range_m"),
        (table("ld2451", 115_200, direction='"up"'), "$.devices.ld2451.direction"),
        (table("ld2451", 115_200, snr_level=0), "$.devices.ld2451.snr_level"),
        (table("ld2450", 256_000, follow='"all"'), "$.devices.ld2450.follow"),
        (table("ld2410", 256_000, last_still_gate=9), "$.devices.ld2410.last_still_gate"),
        (table("ld2410", 256_000, range_m=4), "range_m"),
    ],
)
def test_what_cannot_work_is_refused_with_its_place(tables: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_board(HEAD + tables, "node.toml")
    assert said in str(caught.value)
