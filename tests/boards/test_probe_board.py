"""Every device of a board tried at once, in a time of our own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from boards.doctor.probe import probe_board
from boards.load import parse_board
from drivers.bench.finding import Finding
from drivers.codecs.mb7389 import Reading, encode_reading
from drivers.links.memory import MemoryLink, memory_pair
from drivers.units import NS_PER_MS
from hil.benches.misheard import misheard

BOARD = """
format = 1
name = "bays"
title = "Two bays"
model = "raspberry-pi-4"
product = "lighting"
period_ms = 20
[wires.bay-1]
kind = "uart"
uart = "uart3"
baud = 9600
[wires.bay-2]
kind = "uart"
uart = "uart4"
baud = 9600
[devices.bay-1]
part = "mb7389"
wire = "bay-1"
[devices.bay-2]
part = "mb7389"
wire = "bay-2"
"""
FRAME = encode_reading(Reading(1234))
MISHEARD = misheard(FRAME, 9_600, 38_400)


class Passing:
    """A clock on which 30 ms pass at every look, so that nothing ever waits; the bays speak seven times a second."""

    def __init__(self, says: Callable[[str, int], bytes]) -> None:
        self._says, self._now_ns, self._next_ns = says, 0, 150 * NS_PER_MS
        self.far: dict[str, MemoryLink] = {}

    def link(self, name: str, *more: object) -> MemoryLink:
        near, self.far[name] = memory_pair(name)
        return near

    def now_ns(self) -> int:
        self._now_ns += 30 * NS_PER_MS
        while self._next_ns <= self._now_ns:
            for name, far in self.far.items():
                far.write(self._says(name, self._next_ns // (150 * NS_PER_MS)), self._next_ns)
            self._next_ns += 150 * NS_PER_MS
        return self._now_ns

    def sleep_until_ns(self, deadline_ns: int) -> None:
        self._now_ns = max(self._now_ns, deadline_ns)


def probed(monkeypatch: pytest.MonkeyPatch, says: Callable[[str, int], bytes]) -> dict[str, Finding]:
    clock = Passing(says)
    monkeypatch.setattr("boards.doctor.live.hardware_link", clock.link)
    found = probe_board(parse_board(BOARD, "bays.toml"), clock, progress=lambda text: None)
    return {finding.device: finding for _, finding, _ in found}


def test_what_came_before_the_first_frame_is_no_noise_and_what_comes_after_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first: before the ports were asked, the second: while one bay has been heard and the other has not."""

    def says(wire: str, number: int) -> bytes:
        return MISHEARD if number == (1 if wire == "bay-1" else 3) else FRAME

    found = probed(monkeypatch, says)
    assert found["bay-1"].verdict == "good"
    assert found["bay-1"].joined_bytes == len(MISHEARD)
    assert found["bay-2"].verdict == "noisy"
    assert f"{len(MISHEARD)} of" in found["bay-2"].text


def test_a_bay_that_was_misheard_for_long_is_good_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = probed(monkeypatch, lambda wire, number: MISHEARD if wire == "bay-2" and number < 10 else FRAME)
    assert [finding.verdict for finding in found.values()] == ["good", "good"]
    assert found["bay-2"].joined_bytes == 9 * len(MISHEARD)
