"""A simulated signal controller that runs alone, in real time: its messages to a broker or a port, its truth in words.

Its clock is this machine's UTC as read once at the start; from there it goes with the monotonic clock, so that the
machine's clock may be set meanwhile. It begins with a whole second, so its seconds are the lines that are said.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from drivers.codecs.spat import PHASE_STATES
from drivers.codecs.spat_xml import SpatXmlStream
from drivers.errors import InputError, LinkLost
from drivers.links.memory import MemoryLink, memory_pair
from drivers.links.mqtt import MqttLink, MqttSettings
from drivers.links.port import reason
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.adaptive_controller import STATION, AdaptiveController, Says
from hil.peers.contract import Peer
from hil.peers.signal_adaptive import ROAD, TRACK, AdaptiveCourse, Rules
from hil.peers.signal_controller import SignalController
from hil.peers.signal_programme import COLOURS, Course, Group, Programme, Stage
from hil.peers.spat_uper_writer import encode_uper

OLD_NS = NS_PER_S
"""A message that is so late (this process was stopped, the machine slept) is not sent: no controller would."""

_MOST_STAGES = 64
_WORDS = {state: word for word, state in COLOURS.items()} | {6: "green", 8: "amber", 0: "off"}

FIXED = Programme(
    station=STATION,
    groups=(
        Group(
            group=ROAD,
            stages=(
                Stage("green", 28_000),
                Stage("amber", 3_000),
                Stage("red", 28_000),
                Stage("red-amber", 1_000),
            ),
        ),
        Group(
            group=TRACK,
            stages=(
                Stage("red", 36_000),
                Stage("red-amber", 1_000),
                Stage("green", 20_000),
                Stage("amber", 3_000),
            ),
            offset_ms=3_000,
        ),
    ),
    status=("fixedTimeOperation",),
)
"""A road and a cycle track, fixed time, a cycle a minute."""

Truth = tuple[int, str, int | None]
"""A group, the colour it shows, and when that ends (ms of the programme); None: never, or nobody knows."""


class Crossing(Protocol):
    """What is simulated."""

    station: int
    groups: tuple[int, ...]

    def controller(self, link: MemoryLink, start_utc_ns: int, start_ns: int) -> Peer:
        """What speaks, at the far end of `link`."""

    def truth(self, t_ms: int) -> list[Truth]:
        """What really goes on at `t_ms` since the start, whatever is said of it."""


class ProgrammeCrossing:
    """A scripted programme (signal_programme)."""

    def __init__(self, programme: Programme) -> None:
        self.station, self._programme = programme.station, programme
        self.groups = tuple([group.group for group in programme.groups])
        self._courses = [(group.group, Course(group)) for group in programme.groups]

    def controller(self, link: MemoryLink, start_utc_ns: int, start_ns: int) -> Peer:
        """Begins with the programme's 0."""
        return SignalController("signal", link, self._programme, start_utc_ns, start_ns=start_ns)

    def truth(self, t_ms: int) -> list[Truth]:
        """A fault that shows a colour shows it to the fault's end, and ends what was shown before it."""
        faults_ms = []
        for fault in self._programme.faults:
            if fault.kind == "status" and fault.colour is not None:
                if fault.from_ms <= t_ms < fault.to_ms:
                    return [(group, fault.colour, fault.to_ms) for group in self.groups]
                faults_ms += [fault.from_ms] if t_ms < fault.from_ms else []
        found = [self._of_course(group, course, t_ms) for group, course in self._courses]
        ends = [min([*faults_ms, *([] if end_ms is None else [end_ms])], default=None) for _, _, end_ms in found]
        return [(group, word, end_ms) for (group, word, _), end_ms in zip(found, ends, strict=True)]

    def _of_course(self, group: int, course: Course, t_ms: int) -> Truth:
        ahead = course.ahead(t_ms, 1)
        if not ahead:
            return group, _WORDS[0], None
        state = ahead[0].state
        for _ in range(_MOST_STAGES):  # a stretch that is decided later moves the end on
            end_ms = ahead[0].likely_ms
            ahead = course.ahead(end_ms, 1)
            if ahead[0].state != state:
                return group, _word(state), end_ms
        return group, _word(state), None


class AdaptiveCrossing:
    """A signal with rules (signal_adaptive)."""

    station = STATION
    groups: tuple[int, ...] = (ROAD, TRACK)

    def __init__(self, rules: Rules, says: Says) -> None:
        self._rules, self._says = rules, says
        self._course = AdaptiveCourse(rules)

    def controller(self, link: MemoryLink, start_utc_ns: int, start_ns: int) -> Peer:
        """Begins with the rules' `start_ms`."""
        return AdaptiveController("signal", link, self._rules, start_utc_ns, self._says, start_ns=start_ns)

    def truth(self, t_ms: int) -> list[Truth]:
        """Stage by stage, until the group's state is another."""
        number = self._course.number_at(t_ms)
        found: list[Truth] = []
        for group in self.groups:
            state = self._course.stage(number).state(group)
            after = number
            while after < number + _MOST_STAGES and self._course.stage(after).state(group) == state:
                after += 1
            end_ms = self._course.stage(after - 1).end_ms
            found.append((group, _word(state), end_ms if after < number + _MOST_STAGES else None))
        return found


def _word(state: int) -> str:
    return _WORDS.get(state, PHASE_STATES[state])


class Way(Protocol):
    """Where messages go."""

    place: str

    @property
    def trouble(self) -> str:
        """Why nothing leaves; empty while it does."""

    def send(self, message: bytes, t_ns: int) -> bool:
        """True where it has left; never waits."""

    def turn(self, now_ns: int) -> None:
        """Do what is due."""

    def close(self) -> None:
        """Nothing leaves any more."""


class BrokerWay:
    """A broker; comes back by itself. What is said while it is away is lost, as it would be old when it came back."""

    def __init__(self, host: str, port: int, topic: str, settings: MqttSettings) -> None:
        self.place = f"{host}:{port}, topic {topic}{', TLS' if settings.tls else ''}"
        self._link = MqttLink("signal-controller", host, port, (), topic, settings)

    @property
    def trouble(self) -> str:
        """Of the connection, else what the broker refused last (an access list: the connection stays)."""
        return self._link.trouble or self._link.refusal

    def send(self, message: bytes, t_ns: int) -> bool:
        """At once: TCP_NODELAY is set."""
        if self._link.is_open:
            self._link.write(message, t_ns)
        return self._link.is_open

    def turn(self, now_ns: int) -> None:
        """Connect, hear what the broker answers."""
        self._link.advance(now_ns)
        try:
            self._link.pump(now_ns)
        except LinkLost:
            return  # `trouble` says it

    def close(self) -> None:
        """With a goodbye."""
        self._link.close()


class DatagramWay:
    """Datagrams to a port, one a message. Raises InputError for a name that is none."""

    def __init__(self, host: str, port: int) -> None:
        self.place, self.trouble = f"{host}:{port}, UDP", ""
        try:
            family, kind, _, _, to = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except socket.gaierror as error:
            raise InputError(f"--udp {host}: name not found ({error.strerror}); try: getent hosts {host}") from None
        self._to: tuple[Any, ...] = to
        self._socket = socket.socket(family, kind)
        self._socket.setblocking(False)

    def send(self, message: bytes, t_ns: int) -> bool:
        """False where this machine would not take it: too long, no way there."""
        try:
            self._socket.sendto(message, self._to)
        except OSError as error:
            self.trouble = f"{self.place}: {len(message)} bytes not sent: {reason(error)}"
            return False
        self.trouble = ""
        return True

    def turn(self, now_ns: int) -> None:
        """Nothing is ever due."""

    def close(self) -> None:
        """Let the port go."""
        self._socket.close()


class SignalPublisher:
    """Runs `crossing` from the next whole second of UTC on, and sends what it says by `way`.

    Args:
        crossing: what is simulated.
        way: where messages go.
        say: gets a line a second.
        now_ns, utc_ns: monotonic time and UTC, read together.
        uper: write messages in UPER in place of XML; what is no whole message in XML is not sent then.
    """

    def __init__(
        self, crossing: Crossing, way: Way, say: Callable[[str], None], now_ns: int, utc_ns: int, *, uper: bool = False
    ) -> None:
        self._crossing, self._way, self._say = crossing, way, say
        ahead_ns = -utc_ns % NS_PER_S
        self.start_utc_ns, self.start_ns = utc_ns + ahead_ns, now_ns + ahead_ns
        near, far = memory_pair("signal")
        near.receiver = self._spoken
        self._peer = crossing.controller(far, self.start_utc_ns, self.start_ns)
        self._xml = SpatXmlStream() if uper else None
        self._due_ns = self.start_ns
        self._line_ns = self.start_ns
        self.sent = self.unsent = self._sent_before = self._unsent_before = 0

    @property
    def wake_ns(self) -> int:
        """When `turn` has something to send or to say."""
        return min(self._peer.wake_ns, self._line_ns)

    def turn(self, now_ns: int) -> None:
        """Send and say what is due."""
        self._way.turn(now_ns)
        while self._peer.wake_ns <= now_ns:
            self._due_ns = self._peer.wake_ns
            self._peer.run(now_ns)
        if now_ns >= self._line_ns:
            self._line_ns += (now_ns - self._line_ns) // NS_PER_S * NS_PER_S
            self._say(self.line(self._line_ns))
            self._line_ns += NS_PER_S

    def line(self, t_ns: int) -> str:
        """What is true at `t_ns`.

        Example: ``17:20:04  group 4 red, 12.0 s left; group 7 green, 3.0 s left; 10 sent``.
        """
        t_ms = (t_ns - self.start_ns) // NS_PER_MS
        at = datetime.fromtimestamp((self.start_utc_ns + t_ms * NS_PER_MS) // NS_PER_S, UTC)
        told = []
        for group, word, end_ms in self._crossing.truth(t_ms):
            left = "" if end_ms is None else f", {(end_ms - t_ms) / 1000:.1f} s left"
            told.append(f"group {group} {word}{left}")
        told.append(f"{self.sent - self._sent_before} sent")
        if unsent := self.unsent - self._unsent_before:
            told[-1] += f", {unsent} not"
        self._sent_before, self._unsent_before = self.sent, self.unsent
        trouble = f" ({self._way.trouble})" if self._way.trouble else ""
        return f"{at:%H:%M:%S}  {'; '.join(told)}{trouble}"

    def _spoken(self, message: bytes, now_ns: int) -> None:
        messages = [message]
        if self._xml is not None:
            messages = [encode_uper(intersection) for intersection in self._xml.feed(message)]
        for each in messages:
            if now_ns - self._due_ns < OLD_NS and self._way.send(each, now_ns):
                self.sent += 1
            else:
                self.unsent += 1
