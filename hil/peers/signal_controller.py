"""A signal controller at the far end of a feed: SPATEM XML ten times a second, from a scripted programme.

Every message is a closed form of its time, so that a run can be left and taken up anywhere. Its clock is exact; what it
says of the ends of stages is as vague as a real feed's (see signal_programme).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from drivers.codecs.spat import FIRST_MARK_WITHOUT_TIME, Intersection, Movement, Phase, status_mask
from drivers.codecs.spat_xml import SpatXmlEncoder
from drivers.links.memory import MemoryLink
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.signal_programme import COLOURS, RED, Course, End, Programme

MARK_NONE = FIRST_MARK_WITHOUT_TIME
MARK_UNDEFINED = FIRST_MARK_WITHOUT_TIME + 1
MAPEM_ID = 5

_MS_PER_MINUTE = 60_000
_MS_PER_DAY = 86_400_000
_HORIZON_MS = 3_000_000  # a mark further ahead could be read as one in the past
_EXACT, _RUNNING, _COMING = 15, 13, 3  # confidences, as Münster's controllers give them


class SignalController:
    """Plays `programme` into `link` (the peer's end of a wire), the first message at `start_ns`.

    `start_utc_ns` sets the controller's clock at `start_ns` in place of the programme's own start.
    """

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        programme: Programme,
        start_utc_ns: int | None = None,
        *,
        start_ns: int = 0,
    ) -> None:
        self.name = name
        self._link, self._programme, self._start_ns = link, programme, start_ns
        self._courses = [(group.group, Course(group)) for group in programme.groups]
        self._status = status_mask(programme.status)
        self._year_ms = 365 * _MS_PER_DAY
        self._clock_ms = programme.start_minute_of_year * _MS_PER_MINUTE + programme.start_ms
        if start_utc_ns is not None:
            self._clock_ms, self._year_ms = in_year(start_utc_ns)
        self._encoder = SpatXmlEncoder()
        self._others: dict[int, SpatXmlEncoder] = {}
        self._mapem = SpatXmlEncoder(message_id=MAPEM_ID)
        self.wake_ns = self._next_ns(0)

    def run(self, now_ns: int) -> None:
        """Send the message that is due."""
        if now_ns < self.wake_ns:
            return
        t_ms = (self.wake_ns - self._start_ns) // NS_PER_MS
        faults = [fault for fault in self._programme.faults if fault.from_ms <= t_ms < fault.to_ms]
        kinds = {fault.kind for fault in faults}
        message = self._encoder.encode(self.intersection(t_ms))
        self._link.write(message[: len(message) // 2] if "truncated" in kinds else message, now_ns)
        for fault in faults:
            if fault.kind == "other-station":
                self._link.write(self._of_other_station(t_ms, fault.station), now_ns)
        if "other-message" in kinds:
            bare = Intersection(self._programme.station, 1, 0, None, None, ())
            self._link.write(self._mapem.encode(bare), now_ns)
        self.wake_ns = self._next_ns(t_ms + self._programme.period_ms)

    def _next_ns(self, t_ms: int) -> int:
        """When the first message at `t_ms` or later is due."""
        period_ms = self._programme.period_ms
        for fault in sorted(self._programme.faults, key=lambda fault: fault.from_ms):
            if fault.kind == "lost" and fault.from_ms <= t_ms < fault.to_ms:
                t_ms = -(-fault.to_ms // period_ms) * period_ms
        return self._start_ns + t_ms * NS_PER_MS

    def intersection(self, t_ms: int) -> Intersection:
        """What the message at `t_ms` of the programme says."""
        status, clock_ms, shown = self._status, t_ms, None
        for fault in self._programme.faults:
            if fault.from_ms <= t_ms < fault.to_ms:
                if fault.kind == "status":
                    status |= status_mask(fault.bits)
                    shown = shown or fault.colour
                elif fault.kind == "clock-stopped":
                    clock_ms = min(clock_ms, fault.from_ms)
        minute, millisecond = divmod((self._clock_ms + clock_ms) % self._year_ms, _MS_PER_MINUTE)
        groups = []
        for number, course in self._courses:
            if shown is not None:
                phases: tuple[Phase, ...] = (Phase(COLOURS[shown]),)
            else:
                ends = course.ahead(t_ms, self._programme.phases)
                phases = tuple([self._phase(end, t_ms, n) for n, end in enumerate(ends)]) or (Phase(0),)
            groups.append(Movement(number, phases))
        return Intersection(self._programme.station, 1, status, minute, millisecond, tuple(groups))

    def _phase(self, end: End, t_ms: int, n: int) -> Phase:
        # an end that may come at any moment has no minEndTime any more; so it is in Münster
        earliest = MARK_UNDEFINED if end.min_ms <= t_ms else self._mark(end.min_ms, t_ms)
        latest = MARK_NONE if end.max_ms is None else self._mark(end.max_ms, t_ms)
        confidence = _EXACT if end.exact else _COMING if n else _RUNNING
        return Phase(end.state, earliest, latest, self._mark(end.likely_ms, t_ms), confidence)

    def _mark(self, at_ms: int, t_ms: int) -> int:
        """Programme time as a TimeMark."""
        if at_ms - t_ms >= _HORIZON_MS:
            return MARK_NONE
        return (self._clock_ms + at_ms) // 100 % FIRST_MARK_WITHOUT_TIME

    def _of_other_station(self, t_ms: int, station: int) -> bytes:
        """The neighbour's message: all its groups are red."""
        minute, millisecond = divmod((self._clock_ms + t_ms) % self._year_ms, _MS_PER_MINUTE)
        groups = tuple([Movement(number, (Phase(RED),)) for number, _ in self._courses])
        encoder = self._others.setdefault(station, SpatXmlEncoder())
        return encoder.encode(Intersection(station, 1, self._status, minute, millisecond, groups))

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"wake_ns": self.wake_ns}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns = state["wake_ns"]


def in_year(utc_ns: int) -> tuple[int, int]:
    """Milliseconds since the UTC year began, and how many the year has."""
    year = datetime.fromtimestamp(utc_ns // NS_PER_S, UTC).year
    began, ends = (int(datetime(y, 1, 1, tzinfo=UTC).timestamp()) * 1000 for y in (year, year + 1))
    return utc_ns // NS_PER_MS - began, ends - began
