"""Distances by sound, corrected by the thermometer of the same board."""

from __future__ import annotations

import pytest

from boards.build import build
from boards.load import parse_board
from boards.wires import Wire
from drivers.errors import InputError
from drivers.interfaces import ByteLink
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import Climate, Quantity, Range

BOARD = """
format = 1
name = "bay"
title = "a bay and its weather"
model = "laptop"
product = "parking"
period_ms = 20
bench = true
[wires.bay]
kind = "memory"
[wires.mast]
kind = "memory"
[devices.bay]
part = "a02yyuw"
wire = "bay"
reference_degc = 20
air = "mast"
[devices.mast]
part = "leezenflow-sensor"
wire = "mast"
"""


def test_a_reading_follows_the_air_that_another_device_measures() -> None:
    far: dict[str, MemoryLink] = {}
    values: list[Quantity] = []

    def link_for(name: str, wire: Wire) -> ByteLink:
        near, far[name] = memory_pair(name)
        return near

    build(parse_board(BOARD, "x"), emit=values.append, link_for=link_for)
    frame = bytes.fromhex("ff039d9f")  # 925 mm at the part's own 20 degrees
    far["bay"].write(frame, 1)
    far["mast"].write(b"-100,50,100182,1221\r\n", 2)  # ten below
    far["bay"].write(frame, 3)
    distances = [value.distance_mm for value in values if isinstance(value, Range)]
    assert distances == [925, 876]  # 925 * sqrt(263.15 / 293.15), by hand 876.4
    assert any(isinstance(value, Climate) for value in values)


@pytest.mark.parametrize("other", ["nobody", "bay"])
def test_what_measures_no_air_is_refused_with_what_does(other: str) -> None:
    with pytest.raises(InputError, match=rf'\$\.devices\.bay\.air: "{other}" measures no air on this board; name mast'):
        parse_board(BOARD.replace('air = "mast"', f'air = "{other}"'), "x.toml")
