"""One file of a flight recorder, run again in virtual time: what came in comes in again, the rest is compared.

The record is the order of things. Between two inputs of the file stands what the controller said after the first of
them. So an input at t waits until what follows it in the file has been read; then it is delivered, every tick before
the next input's time runs, and what the controller said is held against what the file says it said:

    before an input at t        all ticks that are due before t
    what came in at t           to the device's receiver, as of t
    a wall time, an order       into the inbox
    late (due, from)            no tick at due or later, before from
    started, stopping           Controller.start and .stop
    lost                        the write, or change of the line, recorded just before raises LinkLost

Every byte, every decision, the number of ticks and the chain of digests must come out the same, with and without
jumping over quiet ticks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

from boards.parts import contents
from controllers.core.contract import Command
from controllers.core.overrides import COMMISSIONING
from drivers.errors import InputError
from drivers.interfaces import ByteLink
from drivers.quantities import Message, Quantity, WallTime
from drivers.recording.digest import FlightDigest, inward
from drivers.recording.events import (
    Decision,
    Digest,
    Event,
    Gap,
    Late,
    Line,
    Lost,
    Mark,
    Repeated,
    Snapshot,
    Tick,
    Ticks,
    Value,
    Wall,
    WireBytes,
)
from drivers.recording.reader import TraceReader
from drivers.recording.schemas import decision_json
from hil.flight_difference import DECISION, TICK, Difference, Place, Said, differing, parting
from hil.flight_file import read_flight
from hil.flight_link import FlightLink

TOPICS = (
    *("/wire/*", "/idle/*", "/line/*", "/wall", "/decision/*", "/tick/*", "/snapshot/*"),
    *("/mark/*", "/late/*", "/lost/*", "/ticks/*", "/gap/*", "/digest/*", f"/value/*/{COMMISSIONING}/Message"),
)
CONTEXT = 8
BATCH = 256
"""So many records are given to the chain of digests at once, or those of one block."""
_SENT = ("sent", "")
_INPUTS = {WireBytes, Repeated, Wall, Value, Late, Mark, Ticks, Digest, Gap}
"""Kinds of records that end what was said before them; of bytes only those that come in."""


class FlightResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a re-run from `from_ns` to `to_ns`.

    `ticks` that were run; `digest`, the chain value at the end, and `digests`, how many of the file it was held to.
    `ended`: what cut it short, or what the file lacks. `opening_ns` and `opening` are the last tick and the state
    (JSON) that the file begins with, `ticked_ns` and `state` those that the re-run ends with.
    `fresh`: the file begins with a start. `stopped`: it ends with a clean stop. `damaged`: what follows is not judged.
    `whole`: the file has its end and was judged up to there.
    """

    from_ns: int
    to_ns: int
    ticks: int
    digest: str
    digests: int
    difference: Difference | None
    ended: str
    opening_ns: int
    opening: bytes
    ticked_ns: int
    state: bytes
    fresh: bool
    stopped: bool
    damaged: bool
    whole: bool


class FlightRun:
    """A re-run of one file. InputError where it is none of a flight recorder, or does not open with a snapshot.

    Args:
        path: the file.
        skip: jump over ticks at which nothing is due.
    """

    def __init__(self, path: Path, *, skip: bool = True) -> None:
        self.reader = TraceReader(path)
        self.flight = read_flight(self.reader)
        self._said: list[Said] = []
        self._expected: list[Said] = []
        self._asked: dict[int, Sequence[Command]] = {}
        self._links: dict[str, FlightLink] = {}
        self.controller = self.flight.assemble(self._link)
        self._cycle = self.controller.cycle
        self._cycle.always_step = not skip
        self._cycle.observer = self._observe
        self._skip, self._period_ns = skip, self._cycle.period_ns
        self._watchdogs = tuple(self.controller.board.watchdogs.values())
        names = sorted(self._links)
        self._numbers = {name: number for number, name in enumerate(names)}
        self._idle = {wire.name: wire.idle for wire in self.reader.wires if wire.idle and wire.name in self._links}
        idle = {self._numbers[name]: frame for name, frame in self._idle.items()}
        self._chain = FlightDigest(self._period_ns, names, idle)
        self._chain.keys[TICK] = -1
        self._inward = {name: inward(name) for name in names}
        self._passed: list[Said] = []  # what the chain does not know yet
        self._before: deque[WireBytes | Mark | Said] = deque(maxlen=CONTEXT)
        self._difference: Difference | None = None
        self._ended = ""
        self._ticked_ns = self._heard_ns = self._served_ns = -1
        self._ran = self._counted = self._digests = 0
        self._running = self._fresh = self._stopping = False
        self._wall: tuple[int, int] | None = None

    def run(self) -> FlightResult:
        """Run to the end of the file, its first difference, its first gap or its first damage."""
        events = self.reader.events(TOPICS)
        first = next(events, None)
        if not isinstance(first, Snapshot):
            raise InputError(
                f"{self.reader.path}: does not open with a snapshot; only files of a flight recorder can be verified"
            )
        self._restore(first)
        last_ns = first.t_ns
        pending: Event | None = None
        reader, links, expected, step = self.reader, self._links, self._expected, self._step
        for event in events:
            if reader.damaged:
                self._ended = f"damaged behind {last_ns} ns; what follows is not judged"
                break
            t_ns = event.t_ns
            if isinstance(event, WireBytes) and event.outward:
                link = links.get(event.wire) or self._wire(event.wire)
                link.outcomes.append(_SENT)
                expected.append((t_ns, event.wire, event.data))
            elif isinstance(event, Tick):
                expected.append((t_ns, TICK, b"%d" % event.tick))
            elif type(event) in _INPUTS:
                step(pending, event)
                pending = event
                if self._difference is not None:
                    break
                if isinstance(event, Gap):
                    self._ended = f"a gap: {event.records} records are missing here; what follows is not judged"
                    break
            else:
                self._outward(event)
            if t_ns > last_ns:
                last_ns = t_ns
        else:
            if self.reader.damaged:
                self._ended = "damaged at its end"
        whole = self.reader.complete and not self._ended and self._difference is None
        if self._difference is None:
            self._step(pending, None, closed=whole)
        return FlightResult(
            from_ns=first.t_ns,
            to_ns=last_ns,
            ticks=self._ran,
            digest=self._chain_value(),
            digests=self._digests,
            difference=self._difference,
            ended=self._ended or ("" if self.reader.complete else self.reader.note),
            opening_ns=first.state["ticked_ns"],
            opening=msgspec.json.encode(first.state["cycle"]),
            ticked_ns=self._ticked_ns,
            state=msgspec.json.encode(self._cycle.snapshot()),
            fresh=self._fresh,
            stopped=self._stopping,
            damaged=self.reader.damaged,
            whole=whole and self._difference is None,
        )

    # --- the record

    def _restore(self, first: Snapshot) -> None:
        try:
            self._cycle.restore(first.state["cycle"])
            self._ticked_ns = int(first.state["ticked_ns"])
            self._running = self._ticked_ns >= 0
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, msgspec.MsgspecError) as error:
            made_by = self.reader.provenance.version or "unknown"
            raise InputError(
                f"{self.reader.path}: its snapshot does not fit this version ({type(error).__name__}: {error}); "
                f"verify it with the version that recorded it: {made_by}"
            ) from None

    def _outward(self, event: Event) -> None:
        """Take down what the record says went out."""
        if isinstance(event, Decision):
            self._expected.append((event.t_ns, DECISION, msgspec.json.encode(event.body)))
        elif isinstance(event, Line):
            self._wire(event.wire).outcomes.append(("line", ""))
        elif isinstance(event, Lost):
            outcomes = self._wire(event.wire).outcomes
            if outcomes and outcomes[-1][0] == "sent":
                outcomes[-1] = ("lost", event.detail)
            else:
                outcomes.append(("line lost", event.detail))

    def _wire(self, name: str) -> FlightLink:
        link = self._links.get(name)
        if link is None:
            raise InputError(f"{self.reader.path}: has a wire {name}, which its own board has not; it is damaged")
        return link

    # --- the re-run

    def _link(self, name: str, wire: object) -> ByteLink:
        link = self._links[name] = FlightLink(name, self._said)
        return link

    def _observe(
        self, tick: int, now_ns: int, inputs: Sequence[Quantity], asked: Sequence[Command], allowed: Sequence[Command]
    ) -> None:
        self._said.append((now_ns, TICK, b"%d" % tick))
        for command in allowed:
            self._said.append((now_ns, DECISION, decision_json(command)))
        self._asked[now_ns] = asked

    def _step(self, pending: Event | None, following: Event | None, *, closed: bool = True) -> None:
        """Deliver `pending`, run what is due before `following` and what the record says ran, and compare.

        `closed`: what was said until then is all in the record. A count of ticks stands behind the tick of its time; a
        digest, a gap and the end of a cut file may stand anywhere, what is too much there is held to what follows.
        """
        if isinstance(pending, WireBytes):
            self._hear(pending)
        elif pending is not None:
            self._deliver(pending)
        expected, said = self._expected, self._said
        until_ns = 0
        if isinstance(following, WireBytes):
            until_ns = following.t_ns
        elif following is not None:
            until_ns = following.t_ns
            if isinstance(following, Ticks):
                until_ns += 1
            elif isinstance(following, (Digest, Gap)):
                until_ns, closed = 0, False
        self._run_to(until_ns)
        if len(said) < len(expected):  # the tick at the time of `following` ran before it came, by the record
            self._run_to(expected[-1][0] + 1)
        if expected or said:
            self._compare(closed)

    def _run_to(self, until_ns: int) -> None:
        """Every tick that is due before `until_ns`; after a stop no tick, only devices."""
        if self._stopping:
            self._drain(until_ns)
            return
        ticked_ns, cycle = self._ticked_ns, self._cycle
        if ticked_ns < self._heard_ns - 1:
            ticked_ns = self._heard_ns - 1
        if not self._running:
            return
        after_ns, watchdogs = cycle.grid.after_ns, self._watchdogs
        while after_ns(ticked_ns) < until_ns:
            due_ns = cycle.due_ns(ticked_ns)
            if due_ns >= until_ns:
                return
            cycle.tick(due_ns)
            for watchdog in watchdogs:
                watchdog.feed(due_ns)
            self._ran += 1
            self._ticked_ns = ticked_ns = due_ns

    def _drain(self, until_ns: int) -> None:
        """After the stop: devices are served when bytes have come, and at their own time."""
        if self._served_ns < self._heard_ns < until_ns:
            self._serve(self._heard_ns)
        while True:
            wake_ns = max(self._served_ns + 1, min(device.wake_ns for device in self._cycle.devices))
            if wake_ns >= until_ns:
                return
            self._serve(wake_ns)

    def _serve(self, now_ns: int) -> None:
        self._served_ns = now_ns
        for device in self._cycle.devices:
            if device.wake_ns <= now_ns:
                device.advance(now_ns)
        for watchdog in self._watchdogs:
            watchdog.feed(now_ns)

    def _hear(self, event: WireBytes) -> None:
        """What came in."""
        name, data, t_ns = event.wire, event.data, event.t_ns
        link = self._links.get(name) or self._wire(name)
        self._heard_ns = t_ns
        self._passed.append((t_ns, self._inward[name], data))
        if data != self._idle.get(name):
            self._before.append(event)
        link.receiver(data, t_ns)
        if len(self._passed) >= BATCH:
            self._chain_on()

    def _deliver(self, event: Event) -> None:
        t_ns = event.t_ns
        if isinstance(event, Ticks):
            if self._skip and self._ran - self._counted != event.ran:
                self._differs("ticks run in this block", event.ran, self._ran - self._counted, t_ns)
            self._counted = self._ran
        elif isinstance(event, Digest):
            self._digests += 1
            digest = self._chain_value()
            if digest != event.digest:
                self._differs("digest of all before; what came in was altered", event.digest, digest, t_ns)
        elif isinstance(event, Late):
            self._ticked_ns = max(self._ticked_ns, event.from_ns - 1)
        elif isinstance(event, Wall):
            self._heard_ns = t_ns
            self._wall = (t_ns, event.utc_ns)
            self._cycle.inbox.append(WallTime(t_ns, "wall", event.utc_ns, event.synchronised))
        elif isinstance(event, Value):
            self._heard_ns = t_ns
            self._cycle.inbox.append(msgspec.convert(event.body, Message))
        elif isinstance(event, Repeated):
            self._heard_ns = t_ns
            link = self._wire(event.wire)
            self._chain_on()
            self._chain.repeated(self._numbers[event.wire], event.frame, event.first_ns, event.last_ns, event.count)
            link.repeat_receiver(event.frame, event.first_ns, event.last_ns, event.count)
        elif isinstance(event, Mark):
            self._heard_ns = t_ns
            self._before.append(event)
            if event.what == "started":
                self._running = self._fresh = True
                self.controller.start(t_ns)
            elif event.what == "stopping":
                self._stopping = True
                self.controller.stop(t_ns)
                self._serve(t_ns)

    # --- what differs

    def _compare(self, closed: bool) -> None:
        """Hold what was said to what is expected. Both are done with then, but for what is not in the record yet."""
        expected, said = self._expected, self._said
        if expected == said:
            self._passed += said
            self._before.extend(said)
            expected.clear()
            said.clear()
            self._asked.clear()
            return
        same = next((n for n, pair in enumerate(zip(expected, said, strict=False)) if pair[0] != pair[1]), None)
        if same is None:
            same = min(len(expected), len(said))
        self._passed += said[:same]
        self._before.extend(said[:same])
        if (same < len(expected) or (same < len(said) and closed)) and self._difference is None:
            place = self._place(min(side[same][0] for side in (expected, said) if len(side) > same))
            self._difference = parting(place, expected[same:], said[same:], self._asked, self.flight.policy)
        expected.clear()
        del said[:same]
        if not said:
            self._asked.clear()

    def _chain_on(self) -> None:
        """Let the chain of digests catch up."""
        self._chain.passed_all(self._passed)
        self._passed.clear()

    def _chain_value(self) -> str:
        self._chain_on()
        return self._chain.hexdigest()

    def _differs(self, what: str, expected: object, got: object, t_ns: int) -> None:
        if self._difference is None:
            self._difference = differing(self._place(t_ns), what, str(expected).encode(), str(got).encode(), "")

    def _place(self, t_ns: int) -> Place:
        return Place(
            t_ns=t_ns,
            tick=(t_ns if t_ns in self._asked else self._cycle.grid.after_ns(t_ns - 1)) // self._period_ns,
            wall=self._wall,
            timezone=self.flight.timezone,
            contents=contents(self.flight.board),
            before=list(self._before),
        )
