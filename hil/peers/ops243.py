"""The far end of an OPS243-A's wire: a Doppler radar that obeys two-letter commands and reports who moves.

Reports come on a grid of 100 ms while somebody moves, in the form and unit that were set last: plain numbers in m/s
after power-on. It replies to U, O and ? as the manual or a real OPS241 shows, and to R, F and M not at all, as nobody
tells what they reply.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from drivers.codecs.ops243 import MICRO, UNITS, CommandStream, Speed, encode_json, encode_plain, encode_reply
from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS, NS_PER_MS

REPORT_NS: Final = 100 * NS_PER_MS
ANSWER_NS: Final = 5 * NS_PER_MS
"""How soon it replies. A guess."""

SPAN = tuple[int, int]


class Pass(msgspec.Struct, frozen=True):
    """Somebody who moves from `t0_ns` to before `t1_ns`, positive speed towards the radar."""

    t0_ns: int
    t1_ns: int
    speed_mm_s: int
    magnitude_milli: int = 100_000


class Settings(msgspec.Struct):
    """What commands change; the defaults are those after power-on."""

    unit: str = "UM"
    json: bool = False
    magnitude: bool = False
    time: bool = False
    direction: str = "|"
    places: int = 1
    least_speed: int = 0
    least_magnitude: int = 0


class Ops243Peer:
    """One radar.

    Args:
        name: for errors and snapshots.
        link: the peer's end of the wire.
        passes: who moves when; all are reported, one line each.
        silent: spans (from, to) in which it says nothing.
        deaf: it hears no command, as with a broken wire to its RX.
        stubborn: commands that it ignores, e.g. ``("UK",)``.
    """

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        *,
        passes: Sequence[Pass] = (),
        silent: Sequence[SPAN] = (),
        deaf: bool = False,
        stubborn: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.settings = Settings()
        self.heard: list[str] = []
        """Commands in the order they came. For tests; no state."""
        self._link, self._passes = link, tuple(passes)
        self._silent, self._deaf, self._stubborn = tuple(silent), deaf, frozenset(stubborn)
        self._commands = CommandStream()
        self._replies: list[tuple[int, str]] = []  # due, hex
        self._began_ns = 0  # of its own clock
        self._next_ns = 0  # next point of the grid
        link.receiver = self.on_bytes
        self._seek(0)

    @property
    def wake_ns(self) -> int:
        """When something is to be said."""
        return min(self._replies[0][0] if self._replies else FOREVER_NS, self._next_ns)

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """The host says something."""
        if self._deaf or _within(self._silent, t_ns):
            return
        for command in self._commands.feed(data):
            self.heard.append(command)
            if command not in self._stubborn:
                self._obey(command, t_ns)

    def restart(self, now_ns: int) -> None:
        """Power was lost: everything as after power-on."""
        self.settings, self._commands = Settings(), CommandStream()
        self._replies.clear()
        self._began_ns = now_ns

    def run(self, now_ns: int) -> None:
        """Say what is due."""
        while self._replies and self._replies[0][0] <= now_ns:
            self._say(bytes.fromhex(self._replies.pop(0)[1]), now_ns)
        if self._next_ns <= now_ns:
            for one in self._moving(now_ns):
                self._report(one, now_ns)
            self._seek(now_ns + 1)

    def _moving(self, now_ns: int) -> Sequence[Pass]:
        """Who is reported now."""
        return [one for one in self._passes if one.t0_ns <= now_ns < one.t1_ns]

    def _seek(self, from_ns: int) -> None:
        """The next point of the grid at which somebody moves."""
        self._next_ns = FOREVER_NS
        for one in self._passes:
            at_ns = -(-max(from_ns, one.t0_ns) // REPORT_NS) * REPORT_NS
            if at_ns < one.t1_ns:
                self._next_ns = min(self._next_ns, at_ns)

    def _report(self, one: Pass, now_ns: int) -> None:
        said = self.settings
        unit = UNITS[said.unit]
        micro = one.speed_mm_s * unit.over * MICRO // unit.times
        wrong_way = (said.direction == "+" and micro < 0) or (said.direction == "-" and micro > 0)
        if wrong_way or abs(micro) < said.least_speed * MICRO or one.magnitude_milli < said.least_magnitude * 1000:
            return
        speed = Speed(
            micro,
            one.magnitude_milli if said.magnitude else None,
            (now_ns - self._began_ns) // NS_PER_MS if said.time else None,
        )
        self._say((encode_json if said.json else encode_plain)(speed, said.places), now_ns)

    def _obey(self, command: str, t_ns: int) -> None:
        said, first, second = self.settings, command[0], command[1]
        if command in UNITS or command == "U?":
            said.unit = command if command in UNITS else said.unit
            self._reply({"Units": UNITS[said.unit].word}, t_ns)
        elif first == "O" and second in "JjMmTt":
            name = {"j": "json", "m": "magnitude", "t": "time"}[second.lower()]
            setattr(said, name, second.isupper())
            self._reply({"OutputFeature": second}, t_ns)
        elif first == "R" and second in "|+-":
            said.direction = second
        elif first == "F" and second.isdigit():
            said.places = min(5, int(second))
        elif first in "RM" and second == ">" and command[2:].isdigit():
            setattr(said, "least_speed" if first == "R" else "least_magnitude", int(command[2:]))
        elif command == "??":
            for body in ({"Product": "OPS243"}, {"Version": "1.0.0"}, {"SamplingRate": 10_000, "resolution": 0.0607}):
                self._reply(body, t_ns)

    def _reply(self, body: dict[str, Any], t_ns: int) -> None:
        self._replies.append((t_ns + ANSWER_NS, encode_reply(body).hex()))

    def _say(self, data: bytes, now_ns: int) -> None:
        if not _within(self._silent, now_ns):
            self._link.write(data, now_ns)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "settings": msgspec.to_builtins(self.settings),
            "commands": self._commands.snapshot(),
            "replies": [list(reply) for reply in self._replies],
            "began_ns": self._began_ns,
            "next_ns": self._next_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.settings = Settings(**state["settings"])
        self._commands.restore(state["commands"])
        self._replies = [(due_ns, text) for due_ns, text in state["replies"]]
        self._began_ns, self._next_ns = state["began_ns"], state["next_ns"]


def _within(spans: Sequence[SPAN], t_ns: int) -> bool:
    return any(from_ns <= t_ns < to_ns for from_ns, to_ns in spans)
