"""What a scripted signal controller does: plans, stretched reds, faults. TOML-able, and closed forms of time.

Times are milliseconds from the programme's start. Example::

    station = 4070
    start_minute_of_year = 360538          # two minutes before an hour is full
    [[groups]]
    group = 4
    stages = [
      { colour = "red", duration_ms = 30000, min_early_ms = 9000, max_late_ms = 12000 },
      { colour = "red-amber", duration_ms = 1000 },
      { colour = "green", duration_ms = 12000, max_late_ms = 5000 },
      { colour = "amber", duration_ms = 3000 },
    ]
    stretches = [ { at_ms = 20000, extend_ms = 8000 } ]
    [[faults]]
    kind = "lost"
    from_ms = 100000
    to_ms = 120000
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from drivers.codecs.spat import STATUS_BITS

COLOURS = {"dark": 1, "red": 3, "red-amber": 4, "green": 5, "protected-green": 6, "amber": 7, "flashing-amber": 9}
Colour = Literal["dark", "red", "red-amber", "green", "protected-green", "amber", "flashing-amber"]
FaultKind = Literal["lost", "status", "clock-stopped", "other-station", "other-message", "truncated"]
RED = 3

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=86_400_000 * 366)]


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stage of a plan, and what the controller says of its end while it runs.

    `min_early_ms`: how far minEndTime lies before the end at first; it closes up in three jumps. `max_late_ms`: how far
    maxEndTime lies behind the planned end, and how much a red may be stretched. `max_unknown_ms`: for that long after
    the stage begins there is no maxEndTime, as real feeds do.
    """

    colour: Colour
    duration_ms: Annotated[int, msgspec.Meta(ge=100, le=3_600_000)]
    min_early_ms: Milliseconds = 0
    max_late_ms: Milliseconds = 0
    max_unknown_ms: Milliseconds = 0


class Stretch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At `at_ms`, while the group is red, it is decided to end that red `extend_ms` later: likelyTime rises."""

    at_ms: Milliseconds
    extend_ms: Annotated[int, msgspec.Meta(ge=1, le=3_600_000)]


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signal group and its plan, repeated; `offset_ms` into the plan at the start. No stages: a group that is off."""

    group: Annotated[int, msgspec.Meta(ge=0, le=255)]
    stages: tuple[Stage, ...] = ()
    offset_ms: Milliseconds = 0
    stretches: tuple[Stretch, ...] = ()

    def __post_init__(self) -> None:
        Course(self)  # says what is wrong with a stretch


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that is wrong from `from_ms` until before `to_ms`.

    lost: no messages. status: `bits` of the IntersectionStatusObject are set, and with `colour` all groups show it
    without times. clock-stopped: moy and timeStamp stand still while the marks go on. other-station: after each message
    one of `station`. other-message: after each message a MAPEM. truncated: each message ends in its middle.
    """

    kind: FaultKind
    from_ms: Milliseconds
    to_ms: Milliseconds
    bits: tuple[str, ...] = ()
    colour: Colour | None = None
    station: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 4071

    def __post_init__(self) -> None:
        _check_bits(self.bits)
        if self.to_ms <= self.from_ms:
            raise ValueError("`to_ms` must be later than `from_ms`")


class Programme(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A controller's whole script. It starts at `start_ms` of `start_minute_of_year` unless a UTC time is given."""

    station: Annotated[int, msgspec.Meta(ge=0, le=65_535)]
    groups: tuple[Group, ...]
    start_minute_of_year: Annotated[int, msgspec.Meta(ge=0, le=527_039)] = 0
    start_ms: Annotated[int, msgspec.Meta(ge=0, le=59_999)] = 0
    period_ms: Annotated[int, msgspec.Meta(ge=10, le=10_000)] = 100
    phases: Annotated[int, msgspec.Meta(ge=1, le=16)] = 4
    status: tuple[str, ...] = ("trafficDependentOperation",)
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        _check_bits(self.status)
        numbers = [group.group for group in self.groups]
        if len(set(numbers)) < len(numbers):
            raise ValueError("a signal group is listed twice")


def _check_bits(names: tuple[str, ...]) -> None:
    for name in names:
        if name not in STATUS_BITS:
            raise ValueError(f"no status bit `{name}`; there are: {', '.join(STATUS_BITS)}")


class End(msgspec.Struct, frozen=True, gc=False):
    """One coming stage and the ends the controller would give for it; `max_ms` None where it gives none."""

    state: int
    likely_ms: int
    min_ms: int
    max_ms: int | None
    exact: bool


class Course:
    """A group's plan in closed form.

    Plan time runs as time does and stands still while a red is stretched. A stretch is kept as (plan time of the red's
    end, length, when it becomes known).
    """

    def __init__(self, group: Group) -> None:
        self._stages = group.stages
        self._offset_ms = group.offset_ms
        self._bounds = [0]
        for stage in group.stages:
            self._bounds.append(self._bounds[-1] + stage.duration_ms)
        self._stretches: list[tuple[int, int, int]] = []
        for stretch in sorted(group.stretches, key=lambda stretch: stretch.at_ms):
            self._add(stretch)

    def _add(self, stretch: Stretch) -> None:
        what = f"stretch at {stretch.at_ms} ms"
        if not self._stages:
            raise ValueError(f"{what}: the group has no stages")
        index, end = self._running(stretch.at_ms)
        stage = self._stages[index]
        if COLOURS[stage.colour] != RED:
            raise ValueError(f"{what}: the group is not red then, but {stage.colour}")
        used = self._stretched(end, end, stretch.at_ms) + stretch.extend_ms
        if used > stage.max_late_ms:
            raise ValueError(f"{what}: {used} ms in all, more than the red's `max_late_ms` {stage.max_late_ms}")
        self._stretches.append((end, stretch.extend_ms, stretch.at_ms))

    def _running(self, t_ms: int) -> tuple[int, int]:
        """The running stage and its end in plan time."""
        plan_ms = self._plan_ms(t_ms) + self._offset_ms
        cycle_ms = self._bounds[-1]
        position_ms = plan_ms % cycle_ms
        index = next(i for i, bound in enumerate(self._bounds[1:]) if position_ms < bound)
        return index, plan_ms - position_ms + self._bounds[index + 1] - self._offset_ms

    def _plan_ms(self, t_ms: int) -> int:
        """Plan time at `t_ms`; the last millisecond of the red all through its stretch."""
        stood_ms = 0
        for end, extend_ms, _ in self._stretches:
            if t_ms < end + stood_ms:
                break
            if t_ms < end + stood_ms + extend_ms:
                return end - 1
            stood_ms += extend_ms
        return t_ms - stood_ms

    def _stretched(self, first: int, last: int, t_ms: int) -> int:
        """How long the stretches known at `t_ms` are of reds that end in plan time `first` to `last`."""
        lengths = [extend_ms for end, extend_ms, at_ms in self._stretches if first <= end <= last and at_ms <= t_ms]
        return sum(lengths)  # integers: exact

    def ahead(self, t_ms: int, count: int) -> list[End]:
        """The running stage at `t_ms` and those after it, `count` in all; empty for a group that is off."""
        if not self._stages:
            return []
        index, end = self._running(t_ms)
        begun = end - self._stages[index].duration_ms
        begun += self._stretched(-(1 << 62), begun, t_ms)
        ends = []
        for n in range(count):
            stage = self._stages[(index + n) % len(self._stages)]
            likely = end + self._stretched(-(1 << 62), end, t_ms)
            planned = likely - self._stretched(end, end, t_ms)
            latest: int | None = planned + stage.max_late_ms
            earliest = likely
            if n == 0:
                third = min(3, 3 * (t_ms - begun) // stage.duration_ms)
                earliest -= stage.min_early_ms * (3 - third) // 3
                if t_ms - begun < stage.max_unknown_ms:
                    latest = None
            ends.append(
                End(COLOURS[stage.colour], likely, earliest, latest, not (stage.min_early_ms or stage.max_late_ms))
            )
            end += self._stages[(index + n + 1) % len(self._stages)].duration_ms
        return ends
