"""The far end of sensors that talk by themselves: ultrasonic ones (A02YYUW, MB7389), and Leezenflow's weather sensor.

Each sends on a grid of its own what it would measure there and then, in the bytes of its paper, and fails when told to.
What it sees is given as steps: ``((0, 2400), (60 * NS_PER_S, 900), (90 * NS_PER_S, None))`` is the ground 2.4 m away, a
car after a minute, and nothing at all half a minute later.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import msgspec

from drivers.codecs import a02yyuw, leezenflow_sensor, mb7389
from drivers.codecs.echo import USUAL_AIR_MDEGC, corrected_mm
from drivers.links.memory import MemoryLink
from drivers.units import NS_PER_MS, NS_PER_S
from hil.traffic.chance import between, draw

Seen = TypeVar("Seen")
Steps = tuple[tuple[int, Seen], ...]

FaultKind = Literal["silent", "frozen", "garbage", "ff-run", "cut", "below-minimum", "interference", "failed-read"]


class Fault(msgspec.Struct, frozen=True):
    """From `from_ns` up to, not including, `to_ns`: ``Fault("silent", 0, 5 * NS_PER_S)``.

    ``frozen`` repeats the last frame; ``garbage`` sends other bytes in its place, ``ff-run`` some FF before it, ``cut``
    its first half only; ``below-minimum`` is a thing too near; ``interference`` is another sensor (A02YYUW);
    ``failed-read`` is Leezenflow's `0,0`.
    """

    kind: FaultKind
    from_ns: int
    to_ns: int


def step_at(steps: Steps[Seen], t_ns: int) -> Seen:
    """What holds at `t_ns`: the last step that has begun, before all of them the first."""
    found = steps[0][1]
    for from_ns, seen in steps:
        if from_ns > t_ns:
            break
        found = seen
    return found


class _Talker(Generic[Seen]):
    """Something that sends a frame every `period_ns`."""

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        seen: Steps[Seen],
        period_ns: int,
        phase_ns: int,
        seed: int,
        faults: tuple[Fault, ...],
    ) -> None:
        self.name, self.link = name, link
        self.seen, self._period_ns, self._seed, self._faults = seen, period_ns, seed, faults
        self._last = b""
        self.frames = 0
        """Whole and true ones."""
        self.wake_ns = phase_ns

    def run(self, now_ns: int) -> None:
        """One frame of the grid."""
        self.wake_ns = now_ns + self._period_ns
        kind = next((fault.kind for fault in self._faults if fault.from_ns <= now_ns < fault.to_ns), "")
        if kind == "silent":
            return
        frame = self._last if kind == "frozen" and self._last else self._frame(now_ns, kind)
        self._last = frame
        if kind == "garbage":
            frame = bytes(draw(self._seed, now_ns, n) & 0xFF for n in range(between(draw(self._seed, now_ns), 1, 9)))
        elif kind == "ff-run":
            frame = b"\xff" * between(draw(self._seed, now_ns), 1, 9) + frame
        elif kind == "cut":
            frame = frame[: len(frame) // 2]
        else:
            self.frames += 1
        self.link.write(frame, now_ns)

    def _frame(self, now_ns: int, kind: str) -> bytes:
        raise NotImplementedError

    def _tremble(self, now_ns: int, most: int) -> int:
        return between(draw(self._seed, now_ns), -most, most)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"wake_ns": self.wake_ns, "last": self._last.hex(), "frames": self.frames}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns, self.frames = state["wake_ns"], state["frames"]
        self._last = bytes.fromhex(state["last"])


class A02yyuwPeer(_Talker[int | None]):
    """An A02YYUW: ten frames a second.

    Args:
        name: e.g. ``"bay-3"``.
        link: the peer's end of the wire.
        seen: mm to what is in front of it, None for nothing.
        air_mdegc: the air it stands in. It takes 20 degC for granted, so a thing looks farther away in the cold.
        nothing: the frame for nothing in range: an old A02YYUW says 5500 mm, newer firmware has a mark.
        header_in_sum: False for an AJ-SR04M.
        tremble_mm: how much a reading trembles.
        period_ns, phase_ns, seed, faults: when it talks and how it fails.
    """

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        seen: Steps[int | None],
        *,
        air_mdegc: int = USUAL_AIR_MDEGC,
        nothing: a02yyuw.Reading = a02yyuw.NO_OBJECT,
        header_in_sum: bool = True,
        tremble_mm: int = 1,
        period_ns: int = 100 * NS_PER_MS,
        phase_ns: int = 0,
        seed: int = 0,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        super().__init__(name, link, seen, period_ns, phase_ns, seed, faults)
        self._air_mdegc, self._nothing, self._tremble_mm = air_mdegc, nothing, tremble_mm
        self._header_in_sum = header_in_sum

    def _frame(self, now_ns: int, kind: str) -> bytes:
        away_mm = step_at(self.seen, now_ns)
        reading = self._nothing
        if kind == "interference":
            reading = a02yyuw.INTERFERENCE
        elif kind == "below-minimum":
            reading = a02yyuw.Reading(0)
        elif away_mm is not None:
            looks_mm = corrected_mm(away_mm, self._air_mdegc, USUAL_AIR_MDEGC)
            reading = a02yyuw.Reading(looks_mm + self._tremble(now_ns, self._tremble_mm))
        return a02yyuw.encode_reading(reading, header_in_sum=self._header_in_sum)


class Mb7389Peer(_Talker[int | None]):
    """An MB7389: a frame every 150 ms, right in any air.

    Args:
        name: e.g. ``"bay-3"``.
        link: the peer's end of the wire.
        seen: mm to what is in front of it, None for nothing.
        tremble_mm: how much a reading trembles.
        period_ns, phase_ns, seed, faults: when it talks and how it fails.
    """

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        seen: Steps[int | None],
        *,
        tremble_mm: int = 1,
        period_ns: int = 150 * NS_PER_MS,
        phase_ns: int = 0,
        seed: int = 0,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        super().__init__(name, link, seen, period_ns, phase_ns, seed, faults)
        self._tremble_mm = tremble_mm

    def _frame(self, now_ns: int, kind: str) -> bytes:
        away_mm = step_at(self.seen, now_ns)
        if kind == "below-minimum":
            away_mm = 0
        elif away_mm is not None:
            away_mm += self._tremble(now_ns, self._tremble_mm)
        says_mm = mb7389.NO_TARGET_MM if away_mm is None else max(away_mm, mb7389.NEAREST_MM)
        return mb7389.encode_reading(mb7389.Reading(min(says_mm, mb7389.NO_TARGET_MM)))


class LeezenflowSensorPeer(_Talker[leezenflow_sensor.Reading]):
    """Leezenflow's weather sensor: a line every two seconds; pressure and voltage tremble by one.

    Args:
        name: e.g. ``"weather"``.
        link: the peer's end of the wire.
        seen: the weather.
        period_ns, phase_ns, seed, faults: when it talks and how it fails.
    """

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        seen: Steps[leezenflow_sensor.Reading],
        *,
        period_ns: int = 2 * NS_PER_S,
        phase_ns: int = 0,
        seed: int = 0,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        super().__init__(name, link, seen, period_ns, phase_ns, seed, faults)

    def _frame(self, now_ns: int, kind: str) -> bytes:
        weather = step_at(self.seen, now_ns)
        failed = kind == "failed-read"
        return leezenflow_sensor.encode_reading(
            leezenflow_sensor.Reading(
                0 if failed else weather.temperature_decidegc,
                0 if failed else weather.humidity_pct,
                weather.pressure_pa + self._tremble(now_ns, 1),
                weather.voltage_mv + self._tremble(now_ns + 1, 1),
            )
        )
