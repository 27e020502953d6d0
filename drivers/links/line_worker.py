"""The thread behind a GPIO wire: opens the library, carries out orders, ends pulses and holds on time, hands in edges.

The loop never waits for it, and it never waits for the loop: a hold ends here even when the loop hangs. Only code that
keeps Python's interpreter lock for itself stops both.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from drivers.clock import Clock
from drivers.line_events import EDGE, HOLD, PULSE, PWM, SET, LineEvent, encode
from drivers.links.line_pins import GpioLine, Pins
from drivers.links.line_schedule import LineSchedule
from drivers.links.worker import Mailbox, Worker
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

CHECK_NS = NS_PER_S
"""How often the levels of watched inputs are read: that finds a dead library, and edges that were lost."""

ORDERS = 256
EDGES = 4096


class _Order(NamedTuple):
    """`events` None: open the library. `is_last`: after it the thread ends, and the lines stay as they are."""

    written_ns: int
    events: tuple[LineEvent, ...] | None
    is_last: bool = False


class LineWorker:
    """One wire's thread, from its first opening to its end.

    Args:
        name: of the wire.
        pins: its library.
        lines: what to claim.
        clock: monotonic.
        poll_ns: read the inputs this often instead of having the library watch them; 0: let it watch.
    """

    def __init__(self, name: str, pins: Pins, lines: Sequence[GpioLine], clock: Clock, poll_ns: int) -> None:
        self.news: Mailbox[bytes] = Mailbox(EDGES)
        """EDGE messages; empty where only `is_open` or `trouble` has changed."""
        self.openings = self.losses = 0
        self.is_open = False
        self.trouble = ""
        self.missed_edges = 0
        """Levels that had changed without an edge, found by the check."""
        self._pins, self._lines, self._clock, self._poll_ns = pins, tuple(lines), clock, poll_ns
        self._inputs = [line.number for line in lines if not line.out]
        self._asked = self._inputs or [lines[0].number]
        self._schedule = LineSchedule(pins.drive, pins.pwm)
        self._orders: Mailbox[_Order] = Mailbox(ORDERS)
        self._ending = self._is_left = False
        self._told: dict[int, int] = {}
        self._doubted: dict[int, int] = {}
        self._edges: dict[int, int] = {}
        self._look_ns = FOREVER_NS
        self._kept: dict[int, LineEvent] = {}
        self._worker = Worker(f"gpio {name}", limit=1)
        self._worker.submit(self._serve)

    def open(self, t_ns: int) -> None:
        """Open the library; `news` tells when it is, or why not."""
        self._orders.put(_Order(t_ns, None))

    def order(self, events: tuple[LineEvent, ...], t_ns: int) -> bool:
        """Carry these out; False when `ORDERS` wait already."""
        dropped = self._orders.dropped
        self._orders.put(_Order(t_ns, events))
        return self._orders.dropped == dropped

    def close(self) -> None:
        """End holds, let the lines go, end the thread; waits for that, but not for ever."""
        self._ending = True
        self._orders.put(_Order(0, ()))
        self._finish()

    def leave(self) -> None:
        """Carry out what was ordered, end the thread, and leave the lines as they are then."""
        self._orders.put(_Order(0, (), is_last=True))
        self._finish()

    def _finish(self) -> None:
        self._worker.close()
        self._orders.close()
        self.news.close()

    # From here on: in the thread.

    def _serve(self) -> None:
        poll = select.poll()
        fd = self._orders.fileno()
        assert fd is not None
        poll.register(fd, select.POLLIN)
        while not self._ending:
            self._wait(poll)
            for order in self._orders.take():
                self._obey(order)
            if self.is_open:
                self._run_due()
        if not self._is_left:
            self._leave()

    def _wait(self, poll: select.poll) -> None:
        due_ns = min(self._schedule.due_ns, self._look_ns) if self.is_open else FOREVER_NS
        if due_ns == FOREVER_NS:
            poll.poll()
            return
        left_ns = due_ns - self._clock.now_ns()
        if left_ns >= NS_PER_MS:
            poll.poll(left_ns // NS_PER_MS)
        elif left_ns > 0:
            self._clock.sleep_until_ns(due_ns)

    def _obey(self, order: _Order) -> None:
        try:
            if self._ending:
                return
            if order.is_last:
                self._ending = self._is_left = True
                return
            if order.events is None:
                self._open()
                return
            for event in order.events:  # also where the library is lost by now, or will be with the first of them
                self._keep(event)
            if self.is_open:
                for event in order.events:
                    self._schedule.take(event, order.written_ns, self._clock.now_ns())
        except Exception as error:  # whatever the library raises is a fact about the wire
            self._lost(error)

    def _run_due(self) -> None:
        now_ns = self._clock.now_ns()
        try:
            if now_ns >= self._schedule.due_ns:
                self._schedule.advance(now_ns)
            if now_ns >= self._look_ns:
                if self._poll_ns:
                    self._ask()
                    self._look_ns = now_ns + self._poll_ns
                else:
                    self._check()
                    self._look_ns = now_ns + CHECK_NS
        except Exception as error:
            self._lost(error)

    def _keep(self, event: LineEvent) -> None:
        """What an output shall show when it has been lost and is back. A hold is for its sender to renew."""
        if event.kind == HOLD:
            self._kept.pop(event.line, None)
        else:
            level = event.value if event.kind != PULSE else 1 - event.value
            self._kept[event.line] = event if event.kind == PWM else LineEvent(event.line, SET, level)

    def _open(self) -> None:
        if self.is_open:  # the loop had given it up, because its orders were full
            self.openings += 1
            self.news.put(b"")
            return
        self._told.clear()
        self._doubted.clear()
        kept = self._kept
        levels = {line: event.value for line, event in kept.items() if event.kind == SET}
        lines = [msgspec.structs.replace(line, initial=levels.get(line.number, line.initial)) for line in self._lines]
        self._pins.open(lines, None if self._poll_ns else self._edge)
        for event in kept.values():
            if event.kind == PWM:
                self._pins.pwm(event.line, event.period_ns, event.on_ns)
        for line in self._inputs:  # what they show now, so that nobody has to wait for a change
            if line not in self._told:
                self._edge(line, self._pins.read(line), self._clock.now_ns())
        self._look_ns = self._clock.now_ns() + (self._poll_ns or CHECK_NS)
        self.is_open = True
        self.openings += 1
        self.news.put(b"")

    def _edge(self, line: int, value: int, t_ns: int) -> None:
        """Also called by the library's own thread."""
        self._told[line] = value
        self._edges[line] = self._edges.get(line, 0) + 1
        self.news.put(encode(LineEvent(line, EDGE, value, t_ns)))

    def _ask(self) -> None:
        for line in self._asked:
            value = self._pins.read(line)
            if line in self._told and value != self._told[line]:
                self._edge(line, value, self._clock.now_ns())

    def _check(self) -> None:
        """A level that differs from the last edge in two checks, with no edge in between, is an edge that was lost."""
        for line in self._asked:
            value = self._pins.read(line)
            if line not in self._told or value == self._told[line]:
                self._doubted.pop(line, None)
            elif self._doubted.get(line) == self._edges[line]:
                self.missed_edges += 1
                self._edge(line, value, self._clock.now_ns())
                self._doubted.pop(line, None)
            else:
                self._doubted[line] = self._edges[line]

    def _lost(self, error: Exception) -> None:
        self.trouble = self._pins.mend(error)
        self.losses += 1
        self._leave()
        self.news.put(b"")

    def _leave(self) -> None:
        """End holds and let the lines go, as far as that still works."""
        self.is_open = False
        try:
            self._schedule.drop()
        except Exception:
            self._schedule = LineSchedule(self._pins.drive, self._pins.pwm)
        try:
            self._pins.close()
        except Exception as error:
            self.trouble = self.trouble or self._pins.mend(error)
