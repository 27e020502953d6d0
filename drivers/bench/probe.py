"""One part on one port: is it there, does it answer, what is wrong?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from drivers.bench.finding import Evidence, Finding, judge
from drivers.bench.ports import open_wire
from drivers.bench.session import Clock, Session
from drivers.errors import InputError
from drivers.interfaces import Device
from drivers.links.uart import UartLink
from drivers.parts.part import Options, Part
from drivers.units import NS_PER_MS, NS_PER_S

SETTLE_NS = NS_PER_S
"""How long a healthy part is listened to after its first word, to see whether it goes on making sense."""

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
        options = Options(self._address(port) if options.address is None else options.address, options.more)
        self.wire = self.session.tapped(self.link)
        """The link with the session's ear on it: write here."""
        self.device: Device = self.facts.device(part.name, self.wire, self.session.emit, options)
        self.session.devices.append(self.device)

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
            session.run(min(began_ns + patience_ns + SETTLE_NS, session.clock.now_ns() + SETTLE_NS))
        found = self.judged(began_ns)
        if found.verdict == "wrong-baud" and len(self.facts.bauds) > 1 and isinstance(self.link, UartLink):
            return search_baud(found, self.link, session, part, self.facts.bauds, progress)
        return found

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
            )
        )

    def _heard(self) -> bool:
        return bool(self.device.counters().get("frames") or self.session.values.get(self.device.name))

    def close(self) -> None:
        """Let go of the port."""
        self.session.close()


def search_baud(
    found: Finding, link: UartLink, session: Session, part: Part, bauds: Sequence[int], progress: Progress
) -> Finding:
    """Bytes came and made no sense: listen at the other bit rates that the part can be set to."""
    decode, watch = part.decode, session.watch[link.name]
    if decode is None:
        return found
    devices, session.devices = session.devices, []
    was, parity = link.baud, link.parity
    tried = []
    try:
        for baud in bauds:
            if baud == was:
                continue
            progress(f"{part.name}: bytes without sense at {was} baud; trying {baud}")
            now_ns = session.clock.now_ns()
            link.set_line(baud, parity, now_ns)
            session.run(now_ns + 50 * NS_PER_MS)  # what was under way at the old rate
            watch.forget()
            session.run(session.clock.now_ns() + int(min(part.bench.patience_s if part.bench else 1, 2.5) * NS_PER_S))
            tried.append(str(baud))
            events, skipped_bytes = decode(watch.kept)
            if events and skipped_bytes * 2 < len(watch.kept):
                return Finding(
                    device=found.device,
                    verdict="wrong-baud",
                    text=f"{found.text} at {was} baud; at {baud} baud it makes sense ({len(events)} frames)",
                    mend=f"set the wire to {baud} baud, or the part to {was}",
                    counters=found.counters,
                    sample_hex=found.sample_hex,
                )
    finally:
        session.devices = devices
        link.set_line(was, parity, session.clock.now_ns())
    return Finding(
        device=found.device,
        verdict="wrong-baud",
        text=f"{found.text}, nor at {', '.join(tried)} baud",
        mend=f"{found.mend} Is it a {part.name} at all?",
        counters=found.counters,
        sample_hex=found.sample_hex,
    )
