"""Where the re-run of a flight parts from its record: tick, time, wire, both sides, and who is to be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from controllers.core.contract import Command
from drivers.recording.events import Mark, WireBytes
from drivers.recording.schemas import decision_json
from drivers.units import NS_PER_MS, NS_PER_S
from hil.judge.readable import readable

DECISION = ""
TICK = "\0"
"""In place of a wire's name."""

Said = tuple[int, str, bytes]
"""(t_ns, wire, DECISION or TICK, bytes): what the controller said, or is recorded to have said."""

_SHOWN_B = 48


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where and when: what a difference is told with.

    `tick` is the one at `t_ns`, or the next. `wall`: (t_ns, utc_ns) of the last wall time. `contents`: what is on each
    wire. `before`: the last things that happened, oldest first.
    """

    t_ns: int
    tick: int
    wall: tuple[int, int] | None
    timezone: str
    contents: Mapping[str, str]
    before: Sequence[WireBytes | Mark | Said]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Where the re-run parts from the record.

    `local` is the wall time there, ISO 8601, empty where nobody knew. `what`: "bytes", "decision", "tick", or what else
    differs; `wire` only for bytes. `expected` by the file, and what the re-run `got`; None for nothing. `who` says who
    is to be asked: the policy, the gate or a driver. `before`: lines of what happened last.
    """

    tick: int
    t_ns: int
    local: str
    what: str
    wire: str
    expected: bytes | None
    got: bytes | None
    expected_text: str
    got_text: str
    who: str
    before: tuple[str, ...]

    def text(self) -> str:
        """All of it, for people."""
        when = f"tick {self.tick}, {_seconds(self.t_ns)}" + (f", {self.local}" if self.local else "")
        where = f"wire {self.wire}" if self.wire else self.what
        lines = [f"differs first at {when}, {where}"]
        for name, data, meaning in (
            ("recorded", self.expected, self.expected_text),
            ("re-run", self.got, self.got_text),
        ):
            lines.append(f"  {name:<9} {_shown(data, self.wire != '')}" + (f"  ({meaning})" if meaning else ""))
        if self.who:
            lines.append(f"  who       {self.who}")
        if self.before:
            lines += ["  before", *(f"    {line}" for line in self.before)]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The `difference` of ``--json``: bytes as hex, times in milliseconds."""
        found: dict[str, Any] = {
            "tick": self.tick,
            "t_ms": self.t_ns / NS_PER_MS,
            "local": self.local or None,
            "what": self.what,
            "wire": self.wire or None,
            "who": self.who or None,
            "before": list(self.before),
        }
        for side, data, meaning in (
            ("expected", self.expected, self.expected_text),
            ("got", self.got, self.got_text),
        ):
            found[side] = None if data is None else data.hex() if self.wire else data.decode(errors="replace")
            if meaning:
                found[f"{side}_text"] = meaning
        return found


def differing(
    place: Place, what: str, expected: bytes | None, got: bytes | None, who: str, wire: str = ""
) -> Difference:
    """A difference at a place."""
    content = place.contents.get(wire, "bytes")
    return Difference(
        tick=place.tick,
        t_ns=place.t_ns,
        local=_local(place),
        what=what,
        wire=wire,
        expected=expected,
        got=got,
        expected_text=_meaning(what, expected, content),
        got_text=_meaning(what, got, content),
        who=who,
        before=tuple(_line(event, place.contents) for event in place.before),
    )


def parting(
    place: Place, expected: Sequence[Said], said: Sequence[Said], asked: Mapping[int, Sequence[Command]], policy: str
) -> Difference:
    """Where what was `said` parts from what was `expected`; they begin with what differs, at the time of `place`."""
    one = expected[0] if expected else None
    other = said[0] if said else None
    if one is not None and other is not None and one[0] != other[0]:  # the earlier of the two has no partner
        one, other = (one, None) if one[0] < other[0] else (None, other)
    elif one is not None and other is not None and one[1] != other[1]:
        other = next((later for later in said if later[:2] == one[:2]), None)
    first = one or other
    assert first is not None
    t_ns, wire, _ = first
    who = _who(t_ns, wire, expected, said, asked, policy)
    sides = (None if one is None else one[2], None if other is None else other[2])
    if wire == DECISION:
        return differing(place, "decision", *sides, who)
    if wire == TICK:
        return differing(place, "tick with input or decision", *sides, who)
    return differing(place, "bytes", *sides, who, wire)


def _who(
    t_ns: int,
    wire: str,
    expected: Sequence[Said],
    said: Sequence[Said],
    asked: Mapping[int, Sequence[Command]],
    policy: str,
) -> str:
    recorded = [data for when, kind, data in expected if kind == DECISION and when == t_ns]
    allowed = [data for when, kind, data in said if kind == DECISION and when == t_ns]
    if recorded == allowed:
        if wire == TICK:
            return "the inputs: the re-run had a tick with input where the record has none, or the other way round"
        return f"the driver of wire {wire}: the decisions of this tick are the same"
    wants = [decision_json(command) for command in asked.get(t_ns, ())]
    said_now = f"the re-run's policy asks for {_listed(wants)}, its gate lets pass {_listed(allowed)}"
    if all(data in wants for data in recorded) and recorded:
        return f"gate: {said_now}; recorded is {_listed(recorded)}"
    return f"policy {policy}: {said_now}; recorded is {_listed(recorded)}"


def _listed(decisions: Sequence[bytes]) -> str:
    return ", ".join(_clipped(data) for data in decisions[:4]) + (" ..." if decisions[4:] else "") or "nothing"


def _clipped(data: bytes) -> str:
    return _short(data.decode(errors="replace"))


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:100]}... ({len(text)} characters)"


def _meaning(what: str, data: bytes | None, content: str) -> str:
    if data is None:
        return ""
    if what == "decision":
        try:
            frame = msgspec.json.decode(data).get("frame_hex")
            return readable(bytes.fromhex(frame), "panel") if frame else ""
        except (msgspec.MsgspecError, ValueError, AttributeError):
            return ""
    return _short(readable(data, content)) if what == "bytes" else ""


def _shown(data: bytes | None, as_hex: bool) -> str:
    if data is None:
        return "nothing"
    if not as_hex:
        return _clipped(data)
    more = f" ... ({len(data)} bytes)" if len(data) > _SHOWN_B else ""
    return (data[:_SHOWN_B].hex(" ") or "no bytes") + more


def _line(event: WireBytes | Mark | Said, contents: Mapping[str, str]) -> str:
    """One thing that happened, on a line."""
    if isinstance(event, Mark):
        return f"{_seconds(event.t_ns)} {event.what}"
    if isinstance(event, WireBytes):
        t_ns, wire, data, way = event.t_ns, event.wire, event.data, "in "
    else:
        (t_ns, wire, data), way = event, "out"
        if wire == TICK:
            return f"{_seconds(t_ns)} tick {data.decode()} decides"
        if wire == DECISION:
            return f"{_seconds(t_ns)} decision {_clipped(data)}"
    meaning = _short(readable(data, contents.get(wire, "bytes")))
    return f"{_seconds(t_ns)} {way} {wire}: {_shown(data, True)}" + (f"  ({meaning})" if meaning else "")


def _seconds(t_ns: int) -> str:
    """``"12,345.678901 s"``."""
    return f"{t_ns // NS_PER_S:,}.{t_ns % NS_PER_S // 1000:06d} s"


def _local(place: Place) -> str:
    if place.wall is None:
        return ""
    utc_ns = place.wall[1] + place.t_ns - place.wall[0]
    try:
        moment = datetime.fromtimestamp(utc_ns // NS_PER_S, UTC).astimezone(ZoneInfo(place.timezone))
    except (ValueError, OverflowError, OSError, KeyError):
        return ""
    return moment.replace(microsecond=utc_ns % NS_PER_S // 1000).isoformat(timespec="milliseconds")
