"""An I2C adapter of Linux as a wire: transfers go out as requests, what came of them comes in as replies.

The bytes on this wire are the messages of `drivers.transfers`. A worker carries the transfers out one after the other,
so the loop never waits for a stuck bus; a reply wakes the loop through a file descriptor. Every accepted request gets
exactly one reply, in order, unless the adapter is lost in between.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import msgspec

from drivers.errors import LinkLost
from drivers.interfaces import Receiver, RepeatReceiver, unheard, unheard_repeat
from drivers.links.worker import Mailbox, Worker
from drivers.transfers import Reply, Request, RequestStream, encode_reply
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

BACK_OFF_MIN_NS = 100 * NS_PER_MS
BACK_OFF_MAX_NS = 5 * NS_PER_S
MAX_WAITING = 64
"""Transfers that may wait for the adapter."""


class Adapter(Protocol):
    """An open adapter: drivers.links.i2c_port.I2cPort."""

    gone: bool

    def transfer(self, request: Request) -> Reply:
        """Blocks; never raises."""

    def close(self) -> None:
        """A second call does nothing."""


class _Outcome(msgspec.Struct, frozen=True):
    opening: int
    reply: bytes
    gone: bool


def open_adapter(port: str) -> Adapter:
    """Open an adapter with smbus2. Raises OSError."""
    from drivers.links.i2c_port import I2cPort

    return I2cPort(port)


class I2cLink:
    """An adapter as a ByteLink that opens itself, and comes back after it was lost (drivers.links.poll.OpensItself).

    Args:
        name: of the wire, e.g. ``"i2c"``.
        port: ``"/dev/i2c-1"``.
        open_port: makes the adapter of it; tests put another in place of smbus2's.

    Not open at first: `open` raises, `advance` opens it silently when `wake_ns` has come. `trouble` says why it is not.
    """

    def __init__(self, name: str, port: str, *, open_port: Callable[[str], Adapter] = open_adapter) -> None:
        self.name = name
        self.receiver: Receiver = unheard
        self.repeat_receiver: RepeatReceiver = unheard_repeat
        self.wake_ns = -FOREVER_NS
        self.trouble = "not opened yet"
        self.port = port
        self._open_port = open_port
        self._adapter: Adapter | None = None
        self._worker: Worker | None = None
        self._mailbox: Mailbox[_Outcome] | None = None
        self._requests = RequestStream()
        self._opening = 0  # replies of an adapter that was lost are no replies any more
        self._back_off_ns = BACK_OFF_MIN_NS
        self._closed = False

    @property
    def is_open(self) -> bool:
        """True while transfers can pass; else `trouble` says why not."""
        return self._adapter is not None

    def open(self, t_ns: int) -> None:
        """Open now. Raises LinkLost with the mend; the next try is then due at `wake_ns`."""
        if self._adapter is not None:
            return
        self._closed = False
        try:
            self._adapter = self._open_port(self.port)
        except OSError as error:
            from drivers.links.i2c_port import mend

            self.trouble = f"{self.port}: {mend(self.port, error)}"
            self._try_again(t_ns)
            raise LinkLost(self.name, t_ns, self.trouble) from None
        self.trouble, self.wake_ns = "", FOREVER_NS
        self._back_off_ns = BACK_OFF_MIN_NS
        self._opening += 1
        self._requests = RequestStream()
        if self._worker is None:
            self._worker = Worker(f"i2c {self.name}", limit=MAX_WAITING)
        if self._mailbox is None:
            self._mailbox = Mailbox(2 * MAX_WAITING)

    def write(self, data: bytes, t_ns: int) -> None:
        """Have the requests in `data` carried out. Raises LinkLost."""
        adapter, worker = self._adapter, self._worker
        if adapter is None or worker is None:
            raise LinkLost(self.name, t_ns, self.trouble, data)
        for request in self._requests.feed(data):
            if not worker.submit(partial(self._perform, adapter, request, self._opening)):
                raise self._lost(t_ns, f"{MAX_WAITING} transfers wait; is the bus stuck?", data)

    def pump(self, t_ns: int) -> None:
        """Hand replies to `receiver`. Raises LinkLost, once, when the adapter is gone; opens again when due."""
        if self._adapter is None:
            self.advance(t_ns)
            return
        assert self._mailbox is not None
        for outcome in self._mailbox.take():
            if outcome.opening != self._opening or self._adapter is None:
                continue
            self.receiver(outcome.reply, t_ns)
            if outcome.gone:
                raise self._lost(t_ns, "gone; is the adapter still plugged in?", outcome.reply)

    def advance(self, now_ns: int) -> None:
        """At `wake_ns`: try to open; a failure is silent, see `trouble`."""
        if now_ns < self.wake_ns or self._closed or self._adapter is not None:
            return
        try:
            self.open(now_ns)
        except LinkLost:
            return  # the next try is set

    def fileno(self) -> int | None:
        """For poll(): readable when a reply has come; None while the adapter is lost."""
        return None if self._adapter is None or self._mailbox is None else self._mailbox.fileno()

    def close(self) -> None:
        """Close; a second call does nothing. Waits at most two seconds for a transfer that is under way."""
        self._closed = True
        self.trouble, self.wake_ns = "closed", FOREVER_NS
        adapter, self._adapter = self._adapter, None
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        if adapter is not None:
            adapter.close()
        if self._mailbox is not None:
            self._mailbox.close()
            self._mailbox = None

    def _perform(self, adapter: Adapter, request: Request, opening: int) -> None:
        """In the worker."""
        reply = adapter.transfer(request)
        mailbox = self._mailbox
        if mailbox is not None:
            mailbox.put(_Outcome(opening, encode_reply(reply), adapter.gone))

    def _leave(self) -> None:
        """Close the adapter where its transfers are made, so that none is cut."""
        adapter, self._adapter = self._adapter, None
        if adapter is not None and (self._worker is None or not self._worker.submit(adapter.close)):
            adapter.close()

    def _lost(self, t_ns: int, what: str, raw: bytes) -> LinkLost:
        """Give the adapter up until the next try."""
        self._leave()
        self.trouble = f"{self.port}: {what}"
        self._try_again(t_ns)
        return LinkLost(self.name, t_ns, self.trouble, raw[:64])

    def _try_again(self, t_ns: int) -> None:
        self.wake_ns = t_ns + self._back_off_ns
        self._back_off_ns = min(2 * self._back_off_ns, BACK_OFF_MAX_NS)
