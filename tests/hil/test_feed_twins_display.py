"""A display whose controller gets a double under the same number: dark while both speak, lit again afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from boards.build import load_board
from controllers.service.sites import load_site
from drivers.codecs import panel_frame
from drivers.codecs.spat import Intersection, Movement, Phase
from drivers.codecs.spat_xml import SpatXmlEncoder
from drivers.links.memory import MemoryLink
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.display import DisplayBench

FROM_S, TO_S, END_S = 30, 60, 90
CYCLE_MS = 60_000
SITE = load_site("leezenflow-hoerstertor")


def message(at_ms: int, later_ms: int, clock_ms: int) -> Intersection:
    """The site's group: half a minute red, half a minute green; `later_ms` is where in the cycle this controller is."""
    in_cycle_ms = (at_ms + later_ms) % CYCLE_MS
    left_ms = CYCLE_MS // 2 - in_cycle_ms % (CYCLE_MS // 2)
    stamp_ms = at_ms + clock_ms
    phases = tuple(
        Phase(state, mark, mark, mark, 15)
        for n, state in enumerate((3, 6, 3) if in_cycle_ms < CYCLE_MS // 2 else (6, 3, 6))
        for mark in ((stamp_ms + left_ms + n * CYCLE_MS // 2) // 100 % 36_000,)
    )
    minute, ms = divmod(stamp_ms, 60_000)
    return Intersection(SITE.station, 1, 64, minute, ms, (Movement(SITE.group, phases),))  # type: ignore[union-attr]


class Double:
    """Two controllers on one wire, the second from FROM_S to TO_S."""

    name = "signal"

    def __init__(self, link: MemoryLink, later_ms: int, clock_ms: int) -> None:
        self._link, self._later_ms, self._clock_ms = link, later_ms, clock_ms
        self._encoder = SpatXmlEncoder()
        self.wake_ns = 0

    def run(self, now_ns: int) -> None:
        if now_ns < self.wake_ns:
            return
        at_ms = now_ns // NS_PER_MS
        self._link.write(self._encoder.encode(message(at_ms, 0, 0)), now_ns)
        if FROM_S * 1000 <= at_ms < TO_S * 1000:
            self._link.write(self._encoder.encode(message(at_ms, self._later_ms, self._clock_ms)), now_ns)
        self.wake_ns = now_ns + 100 * NS_PER_MS

    def snapshot(self) -> dict[str, Any]:
        return {"wake_ns": self.wake_ns}

    def restore(self, state: dict[str, Any]) -> None:
        self.wake_ns = state["wake_ns"]


class Frames:
    """Whether the panel showed anything, and from when."""

    def __init__(self, panel: int) -> None:
        self._panel = panel
        self.lit: list[tuple[int, bool]] = []

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        if outward and wire == self._panel:
            picture = panel_frame.decode(data)
            self.lit.append((t_ns, any(picture.rgb) or bool(picture.motions)))

    def repeated(self, *_: object) -> None:
        raise AssertionError("no frame is told in bulk")

    def dark_at(self, t_s: float) -> bool:
        before = [lit for t_ns, lit in self.lit if t_ns <= t_s * NS_PER_S]
        return not before or not before[-1]


@pytest.mark.parametrize(("later_ms", "clock_ms"), [(CYCLE_MS // 2, 30), (0, 90_000), (CYCLE_MS // 2, 1_800_000)])
def test_the_display_is_dark_while_two_controllers_speak_under_one_number(later_ms: int, clock_ms: int) -> None:
    seen: list[Frames] = []

    def sinks(wires: list[str], period_ns: int) -> list[Any]:
        seen.append(Frames(wires.index("leezenflow/panel")))
        return list(seen)

    board = load_board("leezenflow-laptop")
    bench = DisplayBench(
        SITE,  # type: ignore[arg-type]
        board,
        lambda link: Double(link, later_ms, clock_ms),
        origin_utc_ns=0,
        sinks=sinks,
    )
    bench.start()
    bench.run(END_S * NS_PER_S)
    (frames,) = seen
    assert not frames.dark_at(FROM_S - 1)
    assert all(frames.dark_at(t_s) for t_s in range(FROM_S + 1, TO_S + 10))
    assert not frames.dark_at(END_S - 1)
