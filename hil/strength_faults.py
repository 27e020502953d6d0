"""Faults planted in the controllers under test, from outside their code, to see whether the cases catch them.

Each takes hold of a controller that has just been built on the in-process bench: of what its policy is given, of what
its gate lets pass, of its wires or its lamps. Nothing in `controllers` knows of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from controllers.core.contract import Command, Gate, LampLevel, PanelFrame, Policy, Publish
from controllers.core.scan_cycle import ScanCycle
from drivers.codecs.panel_frame import Picture, decode, encode
from drivers.quantities import Quantity, RadarReport, WallTime
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.benches.in_process import Slot

Inputs = Callable[[Sequence[Quantity]], Sequence[Quantity]]
Outputs = Callable[[Sequence[Command]], Sequence[Command]]
LATE_NS = 500 * NS_PER_MS


class PlantedFault(msgspec.Struct, frozen=True):
    """One fault: what it does to a slot's fresh controller, for which product, and in words."""

    name: str
    product: Literal["lighting", "greenwave"]
    says: str
    plant: Callable[[Slot], None]

    def on_controller(self, slot: Any, now_ns: int) -> None:
        """As `Request.plant` wants it."""
        self.plant(slot)


class MisledPolicy:
    """A policy that is given other inputs than came."""

    def __init__(self, policy: Policy, change: Inputs) -> None:
        self._policy, self._change = policy, change

    @property
    def wake_ns(self) -> int:
        """That of the policy."""
        return self._policy.wake_ns

    @wake_ns.setter
    def wake_ns(self, t_ns: int) -> None:
        self._policy.wake_ns = t_ns

    def step(self, inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        """Its step, misled."""
        return self._policy.step(self._change(inputs), now_ns)

    def snapshot(self) -> dict[str, Any]:
        """That of the policy."""
        return self._policy.snapshot()

    def restore(self, state: dict[str, Any]) -> None:
        """That of the policy."""
        self._policy.restore(state)


class ChangedGate:
    """A gate whose word is changed on its way to the outputs, `late_ns` later."""

    def __init__(self, gate: Gate, change: Outputs, late_ns: int = 0) -> None:
        self._gate, self._change, self._late_ns = gate, change, late_ns
        self._held: list[tuple[int, Command]] = []

    @property
    def wake_ns(self) -> int:
        """That of the gate, or when something held back is due."""
        return min(self._gate.wake_ns, self._held[0][0] if self._held else FOREVER_NS)

    @wake_ns.setter
    def wake_ns(self, t_ns: int) -> None:
        self._gate.wake_ns = t_ns

    def step(self, commands: Sequence[Command], inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        """What passes now."""
        allowed = self._change(self._gate.step(commands, inputs, now_ns))
        if not self._late_ns:
            return allowed
        self._held += [(now_ns + self._late_ns, command) for command in allowed]
        due = [command for due_ns, command in self._held if due_ns <= now_ns]
        self._held = [entry for entry in self._held if entry[0] > now_ns]
        return due

    def snapshot(self) -> dict[str, Any]:
        """That of the gate."""
        return self._gate.snapshot()

    def restore(self, state: dict[str, Any]) -> None:
        """That of the gate."""
        self._gate.restore(state)


def _cycle(slot: Slot) -> ScanCycle:
    assert slot.cycle is not None
    return slot.cycle


def _misled(change: Inputs, gate_too: bool = False) -> Callable[[Slot], None]:
    def plant(slot: Slot) -> None:
        cycle = _cycle(slot)
        cycle.policy = MisledPolicy(cycle.policy, change)
        if gate_too:
            gate = cycle.gate
            step = gate.step
            gate.step = lambda commands, inputs, now_ns: step(  # type: ignore[method-assign]
                commands, change(inputs), now_ns
            )

    return plant


def _changed(change: Outputs, late_ns: int = 0) -> Callable[[Slot], None]:
    def plant(slot: Slot) -> None:
        cycle = _cycle(slot)
        cycle.gate = ChangedGate(cycle.gate, change, late_ns)

    return plant


# --- lighting


def _dead(inputs: Sequence[Quantity]) -> Sequence[Quantity]:
    return [one for one in inputs if not (isinstance(one, RadarReport) and one.source == "radar-2")]


def _frozen(slot: Slot) -> None:
    first: list[RadarReport] = []

    def change(inputs: Sequence[Quantity]) -> Sequence[Quantity]:
        found: list[Quantity] = []
        for one in inputs:
            if isinstance(one, RadarReport) and one.source == "radar-2":
                if not first and one.detections:
                    first.append(one)
                if first:
                    one = msgspec.structs.replace(one, detections=first[0].detections)
            found.append(one)
        return found

    _misled(change)(slot)


def _stuck(commands: Sequence[Command]) -> Sequence[Command]:
    return [
        LampLevel(one.target, 254) if isinstance(one, LampLevel) and one.target == "lamp-3" else one for one in commands
    ]


def _swapped(inputs: Sequence[Quantity]) -> Sequence[Quantity]:
    return [
        msgspec.structs.replace(
            one,
            detections=tuple(msgspec.structs.replace(found, speed_mm_s=-found.speed_mm_s) for found in one.detections),
        )
        if isinstance(one, RadarReport)
        else one
        for one in inputs
    ]


def _hour_off(inputs: Sequence[Quantity]) -> Sequence[Quantity]:
    return [
        msgspec.structs.replace(one, utc_ns=one.utc_ns + 3600 * NS_PER_S) if isinstance(one, WallTime) else one
        for one in inputs
    ]


def _off_by_one(slot: Slot) -> None:
    lamps = list(_cycle(slot).lamps)
    after = dict(zip(lamps, [*lamps[1:], lamps[-1]], strict=True))
    _changed(
        lambda commands: [
            LampLevel(after[one.target], one.level) if isinstance(one, LampLevel) else one for one in commands
        ]
    )(slot)


def _no_handover(commands: Sequence[Command]) -> Sequence[Command]:
    return [one for one in commands if not (isinstance(one, Publish) and one.body.get("kind") == "rider")]


def _half_light(commands: Sequence[Command]) -> Sequence[Command]:
    return [LampLevel(one.target, min(one.level, 220)) if isinstance(one, LampLevel) else one for one in commands]


def _never_corrects(slot: Slot) -> None:
    for lamp in _cycle(slot).lamps.values():
        lamp._corrected = lambda *told: False  # type: ignore[attr-defined]
        lamp._bus.book.all_wait = lambda: None  # type: ignore[attr-defined]


# --- greenwave


def _other_group(slot: Slot) -> None:
    """Its messages say of group 7 what they say of group 4, and the other way round."""
    for link in slot.links.values():
        heard = link.receiver

        def swapped(data: bytes, t_ns: int, heard: Any = heard) -> None:
            marked = data.replace(b"<signalGroup>7<", b"<signalGroup>#<").replace(
                b"<signalGroup>4<", b"<signalGroup>7<"
            )
            heard(marked.replace(b"<signalGroup>#<", b"<signalGroup>4<"), t_ns)

        link.receiver = swapped


def _amber_red(commands: Sequence[Command]) -> Sequence[Command]:
    return [PanelFrame(one.target, _reddened(one.frame)) if isinstance(one, PanelFrame) else one for one in commands]


def _reddened(frame: bytes) -> bytes:
    picture = decode(frame)
    rgb = bytearray(picture.rgb)
    for at in range(0, len(rgb), 3):
        red, green, blue = rgb[at : at + 3]
        if red > green > red // 3 and blue * 4 < red:
            rgb[at + 1], rgb[at + 2] = red // 10, red // 21
    return encode(Picture(picture.width_px, picture.height_px, bytes(rgb), picture.motions))


def _jumps(slot: Slot) -> None:
    shown: list[bytes] = []

    def change(commands: Sequence[Command]) -> Sequence[Command]:
        found: list[Command] = []
        for one in commands:
            if isinstance(one, PanelFrame):
                shown.append(one.frame)
                if len(shown) % 9 == 0:
                    one = PanelFrame(one.target, shown[-5])
            found.append(one)
        return found

    _changed(change)(slot)


def _never_dark(commands: Sequence[Command]) -> Sequence[Command]:
    return [one for one in commands if not (isinstance(one, PanelFrame) and not any(decode(one.frame).rgb))]


PLANTED = (
    PlantedFault("dead-sensor", "lighting", "radar-2 says nothing, and is called well", _misled(_dead)),
    PlantedFault("frozen-sensor", "lighting", "radar-2 says for ever what it first saw", _frozen),
    PlantedFault("stuck-lamp", "lighting", "lamp-3 is told full level whatever is asked", _changed(_stuck)),
    PlantedFault("late-output", "lighting", "all levels come 500 ms late", _changed(list, LATE_NS)),
    PlantedFault("swapped-direction", "lighting", "who comes is taken for going", _misled(_swapped)),
    PlantedFault("hour-error", "lighting", "wall time is an hour ahead", _misled(_hour_off, gate_too=True)),
    PlantedFault("off-by-one-lamp", "lighting", "each level goes to the next lamp", _off_by_one),
    PlantedFault("lost-handover", "lighting", "no rider is announced to the neighbour", _changed(_no_handover)),
    PlantedFault("half-light", "lighting", "lamps never get more than level 220", _changed(_half_light)),
    PlantedFault("missed-bus-power", "lighting", "what gear did without bus power is not put right", _never_corrects),
    PlantedFault("wrong-group", "greenwave", "the display follows group 4", _other_group),
    PlantedFault("amber-as-red", "greenwave", "amber pictures are drawn red", _changed(_amber_red)),
    PlantedFault("countdown-jump", "greenwave", "each ninth frame is one of before", _jumps),
    PlantedFault("never-dark", "greenwave", "the panel is never told to be dark", _changed(_never_dark)),
)
