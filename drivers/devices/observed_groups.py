"""Signal groups known from SensorThings observations: which state each has, since when, and whether that still holds.

A feed of states alone is silent while nothing changes, for minutes. So silence of one group proves nothing. What is
known is taken to hold while both are true: the connection to the broker lasts (a wire with ``topics = true`` tells),
and an observation of any of the controller's datastreams came within `stale_ns` of the device. When either ends all
groups are unknown, until each has changed again: what was missed meanwhile nobody knows.

While it holds, each state is told again every `REPEAT_NS`, stamped with the controller's time as of now, for whoever
counts a feed's messages. Controller time is reckoned from the least delayed observation of the last 10 to 20 minutes.
An observation that comes after such a repeat of a later time is stamped just behind it: stamps of a group never go
back; `behind_ms` says by how much it was moved, `again` marks the repeats.

Refused and counted: duplicate, out_of_order (older than the newest of its datastream), too_old and from_future (by more
than 300 s; five in a row that agree are the controller's clock being set, and are believed), unknown_state, no_time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers.codecs.sensorthings import Observation, decode_observation, ms_of_year, state_of
from drivers.codecs.spat import SpatError
from drivers.quantities import SignalPhase, SignalState
from drivers.topics import CONNECTION, GONE, split_topic
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

REPEAT_NS = NS_PER_S // 2
OLDEST_MS = 300_000
MOST_DATASTREAMS = 1024
"""Where no list of datastreams was given; further ones are counted and dropped."""

_WINDOW_NS = 600 * NS_PER_S
_BELIEVED = 5


class ObservedGroups:
    """One controller.

    Args:
        source: the device's name.
        station: the number its values carry; SensorThings names none.
        datastreams: datastream of primary_signal to signal group, e.g. ``{7001: 4}``; None: each is its own group.
        alive: further datastreams of the controller (signal_program, cycle_second, detectors): signs of life.
        groups: signal groups wanted; None for all.
    """

    def __init__(
        self,
        source: str,
        station: int = 0,
        datastreams: Mapping[int, int] | None = None,
        alive: frozenset[int] = frozenset(),
        groups: frozenset[int] | None = None,
    ) -> None:
        self.messages = self.bad_messages = self.other_messages = self.other_stations = self.skipped_bytes = 0
        self.reasons: dict[str, int] = {}
        """What was refused, and why. For people; not in a snapshot."""
        self.gone = False
        """The connection is lost, as far as the wire tells."""
        self.wake_ns = FOREVER_NS
        self._source, self._station = source, station
        self._datastreams, self._alive, self._groups = datastreams, alive, groups
        self._newest: dict[int, tuple[int, int | None]] = {}
        self._states: dict[int, tuple[int, int]] = {}  # group: (state, newest stamp told, ms since 1970)
        self._window, self._ahead_ns, self._ahead_before_ns = 0, -FOREVER_NS, -FOREVER_NS
        self._astray_ns, self._astray = 0, 0

    def take(self, chunk: bytes, t_ns: int) -> list[SignalState] | None:
        """What one chunk says; empty for a sign of life, None for nothing of use."""
        if split_topic(chunk)[0] == CONNECTION:
            self.gone = chunk == GONE
            if self.gone:
                self.forget()
            return None
        try:
            seen = decode_observation(chunk)
        except SpatError as error:
            self.bad_messages += 1
            self.skipped_bytes += len(chunk)
            self._refuse(error.kind)
            return None
        if not self._ours(seen.datastream):
            self.other_messages += 1
            return None
        if (why := self._why_not(seen, t_ns)) is not None:
            self._refuse(why)
            return None
        self.messages += 1
        self.gone = False
        self._newest[seen.datastream] = seen.utc_ms, seen.result
        self._reckon(seen.utc_ms * NS_PER_MS - t_ns, t_ns)
        group = seen.datastream if self._datastreams is None else self._datastreams.get(seen.datastream)
        if group is None or seen.datastream in self._alive or not (self._groups is None or group in self._groups):
            return []
        return [self._changed(group, seen, t_ns)]

    def repeat(self, now_ns: int) -> list[SignalState]:
        """At `wake_ns`: what is known, once more."""
        if now_ns < self.wake_ns:
            return []
        self.wake_ns = now_ns + REPEAT_NS if self._states else FOREVER_NS
        utc_ms = (now_ns + self._offset_ns) // NS_PER_MS
        return [self._told(group, state, utc_ms, now_ns, True) for group, (state, _) in list(self._states.items())]

    def forget(self) -> None:
        """Nothing is known any more."""
        self._states.clear()
        self.wake_ns = FOREVER_NS

    def _ours(self, datastream: int) -> bool:
        if self._datastreams is not None:
            return datastream in self._datastreams or datastream in self._alive
        return datastream in self._newest or len(self._newest) < MOST_DATASTREAMS

    def _refuse(self, why: str) -> None:
        self.reasons[why] = self.reasons.get(why, 0) + 1

    @property
    def _offset_ns(self) -> int:
        """The controller's time less ours."""
        return max(self._ahead_ns, self._ahead_before_ns)

    def _why_not(self, seen: Observation, t_ns: int) -> str | None:
        """Why an observation must not be believed; None where it may."""
        newest = self._newest.get(seen.datastream)
        if newest == (seen.utc_ms, seen.result):
            return "duplicate"
        ahead_ns = seen.utc_ms * NS_PER_MS - t_ns
        why = None
        if self._offset_ns > -FOREVER_NS:
            if ahead_ns < self._offset_ns - OLDEST_MS * NS_PER_MS:
                why = "too_old"
            elif ahead_ns > self._offset_ns + OLDEST_MS * NS_PER_MS:
                why = "from_future"
        if why is not None:
            near = self._astray and abs(ahead_ns - self._astray_ns) <= OLDEST_MS * NS_PER_MS
            self._astray_ns, self._astray = ahead_ns, self._astray + 1 if near else 1
            if self._astray < _BELIEVED:
                return why
            self._newest.clear()
            self._states.clear()
            self._ahead_ns = self._ahead_before_ns = -FOREVER_NS
            newest = None
        self._astray = 0
        if seen.result_utc_ms is not None and seen.result_utc_ms - seen.utc_ms > OLDEST_MS:
            return "too_old"
        if newest is not None and seen.utc_ms < newest[0]:
            return "out_of_order"
        return None

    def _reckon(self, ahead_ns: int, t_ns: int) -> None:
        window = t_ns // _WINDOW_NS
        if window != self._window:
            self._ahead_before_ns = self._ahead_ns if window == self._window + 1 else -FOREVER_NS
            self._ahead_ns, self._window = -FOREVER_NS, window
        self._ahead_ns = max(self._ahead_ns, ahead_ns)

    def _changed(self, group: int, seen: Observation, t_ns: int) -> SignalState:
        state = state_of(seen.result)
        if state is None:
            self._refuse("unknown_state")
            self._states.pop(group, None)
            return SignalState(t_ns, self._source, self._station, group, 0, ms_of_year(seen.utc_ms), ())
        if self.wake_ns == FOREVER_NS:
            self.wake_ns = t_ns + REPEAT_NS
        return self._told(group, state, seen.utc_ms, t_ns)

    def _told(self, group: int, state: int, utc_ms: int, t_ns: int, again: bool = False) -> SignalState:
        known = self._states.get(group)
        stamp_ms = utc_ms if known is None else max(utc_ms, known[1] + 1)
        self._states[group] = state, stamp_ms
        behind_ms = 0 if again else stamp_ms - utc_ms
        phases = (SignalPhase(state),)
        message_ms = ms_of_year(stamp_ms)
        return SignalState(t_ns, self._source, self._station, group, 0, message_ms, phases, again, behind_ms)

    def snapshot(self) -> dict[str, Any]:
        """State as JSON-able values."""
        return {
            "messages": self.messages,
            "bad_messages": self.bad_messages,
            "other_messages": self.other_messages,
            "skipped_bytes": self.skipped_bytes,
            "gone": self.gone,
            "wake_ns": self.wake_ns,
            "newest": [[datastream, *newest] for datastream, newest in self._newest.items()],
            "states": [[group, *state] for group, state in self._states.items()],
            "ahead": [self._window, self._ahead_ns, self._ahead_before_ns],
            "astray": [self._astray_ns, self._astray],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.messages, self.bad_messages = state["messages"], state["bad_messages"]
        self.other_messages, self.skipped_bytes = state["other_messages"], state["skipped_bytes"]
        self.gone, self.wake_ns = state["gone"], state["wake_ns"]
        self._newest = {datastream: (utc_ms, result) for datastream, utc_ms, result in state["newest"]}
        self._states = {group: (shown, utc_ms) for group, shown, utc_ms in state["states"]}
        self._window, self._ahead_ns, self._ahead_before_ns = state["ahead"]
        self._astray_ns, self._astray = state["astray"]
