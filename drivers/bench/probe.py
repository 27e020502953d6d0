"""One part on one port: is it there, does it answer, what is wrong?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from drivers.bench.finding import Evidence, Finding, judge, mend_wrong_part
from drivers.bench.joined import Joining
from drivers.bench.ports import open_wire
from drivers.bench.recognise import own_reader, recognise, sense_of
from drivers.bench.session import Clock, Session
from drivers.bench.watch import WireWatch
from drivers.errors import InputError, LinkLost
from drivers.interfaces import Device
from drivers.links.uart import UartLink
from drivers.parts.part import Options, Part
from drivers.units import NS_PER_MS, NS_PER_S

SETTLE_NS = NS_PER_S
"""How long a healthy part is listened to after its first word, to see whether it goes on making sense."""

ASKING_S = 1.0
"""How long a part that says nothing unasked is asked at each other bit rate."""

ENOUGH_BYTES, PLENTY_BYTES = 20, 512
LISTENING_NS = 2_500 * NS_PER_MS
"""How long it is listened to at most at each other bit rate."""

Progress = Callable[[str], None]


class Bench:
    """A part at work on a port of this machine.

    Args:
        part: with a `bench`. InputError where it has none, or takes no address and got one.
        port: device file or URL; InputError where it is no port of the part's kind.
        baud, parity: None for the part's usual ones.
        options: its address and more.
    """

    def __init__(
        self, part: Part, port: str, clock: Clock, options: Options, baud: int | None = None, parity: str | None = None
    ) -> None:
        if part.bench is None:
            raise InputError(f"{part.name} cannot be tried by itself: {part.wire}")
        self.part, self.facts, self.port = part, part.bench, port
        self.baud = baud or (self.facts.bauds[0] if self.facts.bauds else 0)
        self.parity = parity or self.facts.parity
        self.session = Session(clock)
        self.link = open_wire(self.facts.wire, part.name, port, self.baud, self.parity)
        self._options = options
        address = self._address(port) if options.address is None else options.address
        options = Options(address, options.more, self.baud, self.parity)
        self.wire = self.session.tapped(self.link)
        """The link with the session's ear on it: write here."""
        self.device: Device = self.facts.device(part.name, self.wire, self.session.emit, options)
        self.session.devices.append(self.device)
        self._joining = Joining()

    def _address(self, port: str) -> int | None:
        """The usual one; of a single line its number, which the port says: 17 of ``gpio:lgpio/17``."""
        number = port.partition("?")[0].rpartition("/")[2]
        return int(number) if self.facts.wire in ("gpio", "pwm") and number.isdecimal() else self.facts.address

    @property
    def line(self) -> str:
        """The line settings in the usual writing, e.g. ``"115200 8N1"``; empty where the wire has none."""
        return f"{self.baud} 8{self.parity}1" if self.baud else ""

    def try_it(self, seconds: float | None, progress: Progress) -> Finding:
        """Listen (and ask, where the part wants asking) until it has made sense for a second, or its time is up."""
        session, part = self.session, self.part
        began_ns = session.clock.now_ns()
        patience_ns = int((self.facts.patience_s if seconds is None else seconds) * NS_PER_S)
        progress(f"{part.name} on {self.port} {self.line}: listening, up to {patience_ns / NS_PER_S:.0f} s")
        self.ask(began_ns)
        session.run(began_ns + patience_ns, self._heard)
        if self._heard():
            session.run(min(began_ns + patience_ns + SETTLE_NS, session.clock.now_ns() + SETTLE_NS), self._look_on)
        found = self.judged(began_ns)
        if not isinstance(self.link, UartLink):
            return found
        if found.verdict == "wrong-baud":
            return search_baud(found, self.link, session, part, self.facts.bauds, progress)
        if found.verdict == "no-answer" and seconds is None and not session.watch[self.link.name].bytes_in:
            return self._ask_at_other_bauds(found, progress)
        return found

    def _ask_at_other_bauds(self, found: Finding, progress: Progress) -> Finding:
        """Asked, and not a byte came back: does it answer at another bit rate that it can be set to?"""
        others = [baud for baud in self.facts.bauds if baud != self.baud]
        self.close()
        for baud in others:
            progress(f"{self.part.name}: no answer at {self.baud} baud; asking at {baud}")
            bench = Bench(self.part, self.port, self.session.clock, self._options, baud, self.parity)
            try:
                better = bench.try_it(ASKING_S, lambda text: None)
            finally:
                bench.close()
            if better.exit_code == 0:
                text = f"{found.text} at {self.baud} baud; at {baud} baud it answers"
                mend = f"set the wire to {baud} baud, or the part to {self.baud}"
                return msgspec.structs.replace(found, verdict="wrong-baud", text=text, mend=mend)
        if not others:
            return found
        tried = ", ".join(map(str, others))
        return msgspec.structs.replace(found, text=f"{found.text}, nor at {tried} baud")

    def ask(self, now_ns: int) -> None:
        """Where a device speaks only when asked: something harmless."""
        ask = getattr(self.device, "ask", None)
        if ask is not None:
            ask(now_ns)

    def judged(self, began_ns: int) -> Finding:
        """What the session has seen until now."""
        session, name = self.session, self.device.name
        return judge(
            Evidence(
                device=name,
                trouble=session.trouble(self.link.name),
                watch=session.watch[self.link.name],
                counters=self.device.counters(),
                health=session.health.get(name),
                latest=session.latest.get(name),
                values=session.values.get(name, 0),
                listened_ns=session.clock.now_ns() - began_ns,
                baud=self.baud,
                mute=self.facts.wire in ("gpio", "pwm"),
                content=self.part.name,
                joined=self._joining[name],
            )
        )

    def _look(self) -> None:
        session, name = self.session, self.device.name
        latest, values = session.latest.get(name), session.values.get(name, 0)
        self._joining.look(self.device, session.watch[self.link.name], latest, values)

    def _look_on(self) -> bool:
        self._look()
        return False

    def _heard(self) -> bool:
        self._look()
        return bool(self.device.counters().get("frames") or self.session.values.get(self.device.name))

    def close(self) -> None:
        """Let go of the port."""
        self.session.close()


def search_baud(
    found: Finding,
    link: UartLink,
    session: Session,
    part: Part,
    bauds: Sequence[int],
    progress: Progress,
    others: Mapping[str, str] | None = None,
) -> Finding:
    """Bytes came and made no sense: do they at one of the other `bauds`, to this part or to another one?

    `others`: what other wires of the board carry, see Evidence.
    """
    watch = session.watch[link.name]
    rest = [baud for baud in bauds if baud != link.baud]
    if not rest:
        return found
    devices, session.devices = session.devices, []
    was, parity = link.baud, link.parity
    patience_ns = min(int((part.bench.patience_s if part.bench else 1) * NS_PER_S), LISTENING_NS)
    own = own_reader(part.name)
    try:
        for baud in rest:
            progress(f"{part.name}: bytes without sense at {was} baud; trying {baud}")
            now_ns = session.clock.now_ns()
            link.set_line(baud, parity, now_ns)
            session.run(now_ns + 50 * NS_PER_MS)  # what was under way at the old rate
            watch.forget()
            session.run(session.clock.now_ns() + patience_ns, _Sense(watch, own))
            if sense_of(own, watch.kept):
                return msgspec.structs.replace(
                    found,
                    text=f"{found.text} at {was} baud; at {baud} baud it makes sense",
                    mend=f"set the wire to {baud} baud, or the part to {was}",
                )
            likely = recognise(watch.kept)
            if likely and likely[0].part != own:
                return msgspec.structs.replace(
                    found,
                    verdict="wrong-part",
                    text=f"{found.text} at {was} baud; at {baud} baud these are bytes of a {likely[0].part}",
                    mend=mend_wrong_part(likely[0].part, others or {}),
                )
    except LinkLost as lost:
        return msgspec.structs.replace(found, text=f"{found.text}; other bit rates were not tried: {lost.detail}")
    finally:
        session.devices = devices
        _set_back(link, was, parity, session.clock.now_ns())
    return msgspec.structs.replace(
        found,
        text=f"{found.text}, nor at {', '.join(map(str, rest))} baud",
        mend=f"{found.mend} Is it a {part.name} at all?",
    )


class _Sense:
    """True when enough has come to tell whose bytes they are, or that they are nobody's."""

    def __init__(self, watch: WireWatch, own: str) -> None:
        self._watch, self._own, self._read = watch, own, 0

    def __call__(self) -> bool:
        kept = self._watch.kept
        if len(kept) < self._read + ENOUGH_BYTES:
            return False
        self._read = len(kept)
        return len(kept) >= PLENTY_BYTES or sense_of(self._own, kept) or bool(recognise(kept))


def _set_back(link: UartLink, baud: int, parity: str, now_ns: int) -> None:
    try:
        link.set_line(baud, parity, now_ns)
    except LinkLost:
        return  # it opens again with these settings
