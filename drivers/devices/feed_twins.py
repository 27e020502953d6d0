"""Two signal controllers under one number: found by what no single one can say. Pure, integers; no clock is asked.

What counts as evidence, for one station:

* its clock goes back by a second or more (two clocks that disagree, interleaved; one that is set goes back once);
* a signal group changes from red, red-amber, green or amber to another of these and back within three seconds, in the
  order of the messages' own times, so that messages that overtook each other are none;
* a message comes on another topic than the one before, where the wire tells topics.

Three within ten seconds are proof, and the station is in doubt for ten seconds from the newest evidence on.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import msgspec

from drivers.codecs.spat import Intersection, message_ms
from drivers.units import NS_PER_MS, NS_PER_S

PROOF = 3
WITHIN_NS = 10 * NS_PER_S
MOST_STATIONS = 64
"""More are not watched; the one heard longest ago goes."""

_BACK_MS = 1000
_RETURN_MS = 3000
_RECENT = 24
_ENOUGH = 3  # of messages that all say the same

_LIT = (0, 0, 0, 1, 2, 3, 3, 4, 4, 0)
"""Red, red-amber, green, amber by MovementPhaseState; 0 for what may blink."""


class Said(msgspec.Struct, array_like=True, gc=False):
    """One message: its own time, when it came, and what each group showed (see _LIT)."""

    stamp_ms: int
    t_ns: int
    shown: dict[int, int]


class Track(msgspec.Struct):
    """One station."""

    stamp_ms: int | None = None
    recent: list[Said] = []
    evidence: list[int] = []
    topic: str = ""
    until_ns: int = 0
    words: str = ""


class TwinWatch:
    """The stations of one feed. `evidence` counts what was found, for people."""

    def __init__(self) -> None:
        self.evidence = 0
        self._tracks: dict[int, Track] = {}

    def look(self, message: Intersection, t_ns: int, topic: str = "") -> str:
        """Take in one message. Why its station is in doubt; empty while it is not."""
        track = self._tracks.pop(message.station, None) or Track()
        self._tracks[message.station] = track
        while len(self._tracks) > MOST_STATIONS:
            del self._tracks[next(iter(self._tracks))]
        for words in self._found(track, message, t_ns, topic):
            self.evidence += 1
            recent = [at_ns for at_ns in track.evidence if at_ns > t_ns - WITHIN_NS]
            track.evidence = [*recent[1 - PROOF :], t_ns]
            if len(track.evidence) >= PROOF:
                track.until_ns = t_ns + WITHIN_NS
                track.words = f"two controllers say they are {message.station}: {words}"
        return track.words if t_ns < track.until_ns else ""

    def doubt(self, t_ns: int) -> str:
        """Why any station is in doubt; empty where none is."""
        for track in self._tracks.values():
            if t_ns < track.until_ns:
                return track.words
        return ""

    def _found(self, track: Track, message: Intersection, t_ns: int, topic: str) -> list[str]:
        found = []
        stamp_ms = message_ms(message.minute_of_year, message.timestamp_ms)
        if stamp_ms is not None:
            if track.stamp_ms is not None and track.stamp_ms - stamp_ms >= _BACK_MS:
                found.append("their clocks disagree")
            track.stamp_ms = stamp_ms
        if topic:
            if track.topic not in ("", topic):
                found.append(f"on topics {' and '.join(sorted((track.topic, topic)))}"[:120])
            track.topic = topic
        if self._returned(track, message, t_ns // NS_PER_MS if stamp_ms is None else stamp_ms, t_ns):
            found.append("their signals contradict each other")
        return found

    def _returned(self, track: Track, message: Intersection, stamp_ms: int, t_ns: int) -> bool:
        """Whether with this message some group changed and changed back faster than a signal can."""
        shown = {group.group: _LIT[group.phases[0].state] if group.phases else 0 for group in message.groups}
        recent = track.recent = [said for said in track.recent if said.t_ns > t_ns - WITHIN_NS][-_RECENT:]
        if all(said.shown == shown for said in recent):  # nothing changes, as nearly always
            track.recent = [*recent[-_ENOUGH:], Said(stamp_ms, t_ns, shown)]
            track.recent.sort(key=_stamp)
            return False
        at = bisect_right(recent, stamp_ms, key=_stamp)
        recent.insert(at, Said(stamp_ms, t_ns, shown))
        for first in range(max(0, at - 2), min(at, len(recent) - 3) + 1):
            before, between, after = recent[first : first + 3]
            if after.stamp_ms - before.stamp_ms > _RETURN_MS or abs(after.t_ns - before.t_ns) > 2 * NS_PER_S:
                continue
            if any(_back(before.shown, between.shown, after.shown, group) for group in before.shown):
                return True
        return False

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"tracks": [[station, msgspec.to_builtins(track)] for station, track in self._tracks.items()]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._tracks = {
            station: msgspec.convert(track, Track, str_keys=True, strict=False) for station, track in state["tracks"]
        }


def _stamp(said: Said) -> int:
    return said.stamp_ms


def _back(before: dict[int, int], between: dict[int, int], after: dict[int, int], group: int) -> bool:
    """A group that left a lit state for another one, or for nothing said, and has it again."""
    was, became, now = before[group], between.get(group, -1), after.get(group, -1)
    return was > 0 and was == now and became not in (was, 0)
