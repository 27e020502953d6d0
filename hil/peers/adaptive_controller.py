"""An adaptive signal controller at the far end of a feed: SPATEM XML ten times a second (rules: signal_adaptive).

What it says of the ends of phases (`says`):

=========  ======================================================================================================
likely     the running phase and three to come, each with min, max, likelyTime and confidence
min-max    the same phases with min and max alone
min        the running phase with its minimum end
states     the running phase without times
=========  ======================================================================================================

min and max are true bounds (save for a failure). likelyTime is off by up to 8 % of the time left, one time in ten by up
to 40 %, drawn anew every four seconds, and kept between min and max. Its confidence is 96 % for the last 5 s, 85 % for
15 s, 68 % beyond. No phase is said to end before the one before it. Every message is a function of seed and time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from drivers.codecs.spat import FIRST_MARK_WITHOUT_TIME, Intersection, Movement, Phase, status_mask
from drivers.codecs.spat_xml import SpatXmlEncoder
from drivers.links.memory import MemoryLink
from drivers.units import NS_PER_MS
from hil.peers.signal_adaptive import FAILED, OFF, ROAD, TRACK, AdaptiveCourse, Rules, Stage
from hil.peers.signal_controller import in_year
from hil.traffic.chance import between, draw

Says = Literal["likely", "min-max", "min", "states"]
SAYS: tuple[Says, ...] = ("likely", "min-max", "min", "states")
STATION = 4070
PERIOD_MS = 100

_MS_PER_MINUTE = 60_000
_RUNNING = status_mask(["trafficDependentOperation"])
_FAILURE = status_mask(["failureFlash"])
_STANDBY = status_mask(["standbyOperation"])
_SLOT_MS = 4000
_ERROR = 9


class AdaptiveController:
    """Plays `rules` into `link` (the peer's end of a wire), the first message at `start_ns`.

    `start_utc_ns` is what its clock shows then; it should agree with the local time of `rules`.
    """

    def __init__(
        self, name: str, link: MemoryLink, rules: Rules, start_utc_ns: int, says: Says = "likely", *, start_ns: int = 0
    ) -> None:
        self.name = name
        self._link, self._start_ns = link, start_ns
        self._words = AdaptiveWords(rules, start_utc_ns, says)
        self.wake_ns = start_ns

    def run(self, now_ns: int) -> None:
        """Send the message that is due."""
        if now_ns < self.wake_ns:
            return
        self._link.write(self._words.message((self.wake_ns - self._start_ns) // NS_PER_MS), now_ns)
        self.wake_ns += PERIOD_MS * NS_PER_MS

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"wake_ns": self.wake_ns}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns = state["wake_ns"]


class AdaptiveWords:
    """What the controller says at each moment, as messages."""

    def __init__(self, rules: Rules, start_utc_ns: int, says: Says) -> None:
        self._course, self._says = AdaptiveCourse(rules), says
        self._clock_ms, self._year_ms = in_year(start_utc_ns)
        self._encoder = SpatXmlEncoder()

    def message(self, t_ms: int) -> bytes:
        """The message at `t_ms` since the start."""
        return self._encoder.encode(self.intersection(t_ms))

    def messages(self, seconds: int) -> Iterator[tuple[int, bytes]]:
        """(t_ns, message) for so long."""
        for t_ms in range(0, seconds * 1000, PERIOD_MS):
            yield t_ms * NS_PER_MS, self.message(t_ms)

    def intersection(self, t_ms: int) -> Intersection:
        """The same before it is written."""
        number = self._course.number_at(t_ms)
        kind = self._course.stage(number).kind
        status = _FAILURE if kind == FAILED else _STANDBY if kind == OFF else _RUNNING
        minute, millisecond = divmod((self._clock_ms + t_ms) % self._year_ms, _MS_PER_MINUTE)
        groups = tuple([Movement(group, self._phases(group, number, t_ms)) for group in (ROAD, TRACK)])
        return Intersection(STATION, 1, status, minute, millisecond, groups)

    def _phases(self, group: int, number: int, t_ms: int) -> tuple[Phase, ...]:
        """The running phase of a group and those to come: neighbouring stages of one state are one phase."""
        course, says = self._course, self._says
        stage = course.stage(number)
        state = stage.state(group)
        if stage.kind in (OFF, FAILED) or says == "states":
            return (Phase(state),)
        wanted = 1 if says == "min" else 4
        least_ms, most_ms = course.bounds_ms(stage, t_ms)
        phases: list[Phase] = []
        likely_ms = t_ms
        while True:
            following = self._after(number, stage)
            if following.state(group) != state or following.kind in (OFF, FAILED):
                likely_ms = self._likely_ms(stage, least_ms, most_ms, t_ms, likely_ms)
                phases.append(self._phase(state, stage, least_ms, most_ms, likely_ms, t_ms))
                if len(phases) == wanted or following.kind in (OFF, FAILED):
                    return tuple(phases)
                state = following.state(group)
            number, stage = number + 1, following
            shortest_ms, longest_ms = course.length_ms(stage)
            least_ms, most_ms = least_ms + shortest_ms, most_ms + longest_ms

    def _after(self, number: int, stage: Stage) -> Stage:
        """The stage that follows as far as the controller knows: of a failure it knows nothing."""
        following = self._course.stage(number + 1)
        if following.kind == FAILED:
            kind = (stage.kind + 1) % 8
            return Stage(kind, stage.planned_ms, stage.planned_ms + 1000, stage.planned_ms + 1000, stage.timing)
        return following

    def _likely_ms(self, last: Stage, least_ms: int, most_ms: int, t_ms: int, before_ms: int) -> int:
        """What it takes for the end of `last`; not before `before_ms`, the end of the phase before."""
        left_ms = max(0, last.planned_ms - t_ms)
        drawn = draw(self._course.rules.seed, _ERROR, last.start_ms, t_ms // _SLOT_MS)
        most_pct = 40 if drawn % 10 == 0 else 8
        error_ms = left_ms * between(drawn >> 8, -most_pct * 10, most_pct * 10) // 1000
        return min(max(last.planned_ms + error_ms, least_ms, before_ms), max(most_ms, before_ms))

    def _phase(self, state: int, last: Stage, least_ms: int, most_ms: int, likely_ms: int, t_ms: int) -> Phase:
        earliest = self._mark(max(least_ms, t_ms))
        if self._says == "min":
            return Phase(state, earliest)
        if self._says == "min-max":
            return Phase(state, earliest, self._mark(most_ms))
        left_ms = last.planned_ms - t_ms
        confidence = 13 if left_ms <= 5000 else 9 if left_ms <= 15_000 else 5
        return Phase(state, earliest, self._mark(most_ms), self._mark(likely_ms), confidence)

    def _mark(self, at_ms: int) -> int:
        return (self._clock_ms + at_ms) // 100 % FIRST_MARK_WITHOUT_TIME
