"""DALI lamps behind each of the gateways in board files."""

from __future__ import annotations

from typing import Any

import pytest

from boards.build import Board, build
from boards.load import parse_board
from boards.parts import contents
from boards.parts.dali import line_groups
from drivers.buses.dali import DaliBus
from drivers.buses.dali_gateways import AtxLedGateway, LubaGateway, SciGateway
from drivers.errors import InputError
from drivers.links.memory import memory_pair
from drivers.units import NS_PER_S

BOARD = """
format = 1
name = "yard"
title = "A board for tests"
model = "laptop"
product = "lighting"
period_ms = 20

[wires.dali]
kind = "uart"
port = "/dev/ttyUSB0"
baud = {baud}
"""
LAMP = """
[devices.lamp-{n}]
part = "{part}"
wire = "dali"
short_address = {n}
"""


def built(text: str) -> tuple[Board, list[bytes]]:
    sent: list[bytes] = []

    def link_for(name: str, wire: Any) -> Any:
        near, far = memory_pair(name)
        far.receiver = lambda data, t_ns: sent.append(data)
        return near

    return build(parse_board(text, "yard.toml"), link_for=link_for, emit=lambda value: None), sent


@pytest.mark.parametrize(
    ("part", "baud", "content", "gateway", "frame"),
    [
        ("atxled", 19_200, "dali", AtxLedGateway, b"h02FE\n"),
        ("luba", 38_400, "luba", LubaGateway, bytes.fromhex("593207001003 02fe0000 da".replace(" ", ""))),
        ("sci", 38_400, "sci", SciGateway, bytes.fromhex("a302fe005f")),
    ],
)
def test_lamps_of_one_wire_share_their_gateway(part: str, baud: int, content: str, gateway: type, frame: bytes) -> None:
    text = BOARD.format(baud=baud) + "".join(LAMP.format(n=n, part=part) for n in (0, 1))
    board, sent = built(text)
    assert list(board.devices) == ["dali", "dali/lamps"]
    bus = board.devices["dali"]
    assert isinstance(bus, DaliBus)
    assert isinstance(bus.gateway, gateway)
    bus.advance(0)
    board.lamps["lamp-1"].set_level(254, 0)
    bus.advance(0)
    assert sent == [frame]
    assert contents(parse_board(text, "yard.toml")) == {"dali": content}


def test_the_lamps_of_a_line_are_asked_how_they_are_all_at_the_start_and_then_one_after_the_other() -> None:
    text = BOARD.format(baud=38_400) + "".join(LAMP.format(n=n, part="luba") + "check_s = 60\n" for n in (3, 5))
    board, sent = built(text)
    line, bus = board.devices["dali/lamps"], board.devices["dali"]
    asked = []
    for at_s in (0, 30, 60, 90):
        line.advance(at_s * NS_PER_S)
        asked.append(bus._queue.snapshot()["jobs"])  # type: ignore[attr-defined]
        for name in ("lamp-3", "lamp-5"):
            bus.cancel(name, at_s * NS_PER_S)  # type: ignore[attr-defined]
    assert [[job["args"] for job in jobs] for jobs in asked] == [[[3], [5]], [[3]], [[5]], [[3]]]
    assert sent == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOARD.format(baud=19_200) + LAMP.format(n=0, part="luba"), "38400"),
        (BOARD.format(baud=38_400) + LAMP.format(n=0, part="luba") + LAMP.format(n=1, part="sci"), "wire"),
        (BOARD.format(baud=38_400) + LAMP.format(n=0, part="sci") + "check_s = -1\n", "check_s"),
        (
            BOARD.format(baud=38_400) + LAMP.format(n=0, part="sci") + "min_level = 100\nmax_level = 99\n",
            r"lamp-0.min_level: 100 is above max_level = 99; swap them",
        ),
        (
            BOARD.format(baud=38_400) + LAMP.format(n=0, part="sci") + "power_on_level = 9\nmin_level = 10\n",
            r"lamp-0.power_on_level: not between min_level = 10 and max_level = 254",
        ),
        (BOARD.format(baud=38_400) + LAMP.format(n=0, part="sci") + "groups = [16]\n", "<= 15"),
    ],
    ids=["other baud", "two gateways on one wire", "no such period", "limits", "power-on level", "no such group"],
)
def test_what_cannot_be_is_refused(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        parse_board(text, "yard.toml")


def test_groups_are_chosen_for_carpets_unless_the_file_says_them() -> None:
    lamps = [LAMP.format(n=n, part="atxled") for n in range(3)]
    plain = parse_board(BOARD.format(baud=19_200) + "".join(lamps), "yard.toml")
    assert line_groups(plain, "dali") == {0: frozenset({0, 1}), 1: frozenset({1, 2})}
    lamps[0] += "groups = [3, 9]\n"
    lamps[2] += "groups = [3]\npower_on_level = 0\nkeepalive_s = 3\n"
    text = BOARD.format(baud=19_200) + "".join(lamps)
    said = parse_board(text, "yard.toml")
    assert line_groups(said, "dali") == {3: frozenset({0, 2}), 9: frozenset({0})}
    board, _ = built(text)
    wanted = [lamp.wanted(fade_code=2) for lamp in board.lamps.values()]  # type: ignore[attr-defined]
    assert [(settings.groups, settings.power_on_level, settings.fade_code) for settings in wanted] == [
        (1 << 3 | 1 << 9, 254, 2),
        (0, 254, 2),
        (1 << 3, 0, 2),
    ]
    bus = board.devices["dali"]
    bus.advance(0)
    assert bus.wake_ns == 3 * NS_PER_S
