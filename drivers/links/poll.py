"""All wires of a board at once: sleep until bytes come or it is time, hand over what has come, reopen what was lost."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

from drivers.clock import Clock
from drivers.errors import LinkLost
from drivers.interfaces import ByteLink
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

_LONGEST_NS = 3600 * NS_PER_S  # poll() itself takes 24 days at most

MOST_EARLY_NS = 200_000
"""How much before a deadline the sleep may end at most; the rest is spent awake."""

_SHY_NS = 100_000  # poll() wakes late as well, and must not pass the deadline
_SOONER_NS, _LATER_NS = 4_000, 1_000  # so that four of five sleeps end early


class Pollable(Protocol):
    """A link, or anything else that wakes the loop by a file descriptor."""

    def fileno(self) -> int | None:
        """For poll()."""

    def pump(self, t_ns: int) -> None:
        """Take what has come; never blocks."""


@runtime_checkable
class OpensItself(Protocol):
    """A link that opens when it can and comes back after a loss, e.g. drivers.links.uart.UartLink."""

    name: str
    wake_ns: int
    trouble: str

    @property
    def is_open(self) -> bool:
        """True while bytes can pass."""

    def advance(self, now_ns: int) -> None:
        """At `wake_ns`: open, or send what waits. Raises LinkLost."""

    def pump(self, t_ns: int) -> None:
        """Hand over what has come. Raises LinkLost."""

    def fileno(self) -> int | None:
        """None where there is nothing to poll."""


class WirePoll:
    """The wires of one board.

    Args:
        links: all of them, open or not.
        clock: sleeps what poll() cannot: its time-out is in whole milliseconds.
        period_ns: how often links without a file descriptor (``loop://``) are asked.
        interrupt: wakes the loop as well, e.g. a signal (the owner of the loop has one).
        others: served like the links, e.g. a tap's listeners.

    A machine wakes a sleeper late by some time of its own (here 20 to 100 us). That is learned, and the sleep aims so
    much earlier, by `MOST_EARLY_NS` at most; what is left until the deadline is spent asking for bytes. Never early.

    A link that is lost is counted in `losses` and tried again at its own `wake_ns`; nothing is raised.
    """

    def __init__(
        self,
        links: Iterable[ByteLink],
        clock: Clock,
        period_ns: int,
        interrupt: Pollable | None = None,
        others: Iterable[Pollable] = (),
    ) -> None:
        self.losses = 0
        self.served: Callable[[str], None] | None = None
        """Told the name of each source that has just been served, e.g. ``"dali"``; for whoever keeps a ledger."""
        self.awake: Callable[[], None] | None = None
        """Called shortly before a deadline, when there is time left: for what had better not be done after it."""
        self.early_ns = 0
        """How much before a deadline sleeps end at present."""
        links = tuple(links)
        self._sources: tuple[Pollable, ...] = (*links, *others, *(() if interrupt is None else (interrupt,)))
        self._opening = [link for link in links if isinstance(link, OpensItself)]
        self._clock, self._period_ns = clock, period_ns
        self._poll = select.poll()
        self._polled: list[int | None] = []
        self._by_fd: dict[int, Pollable] = {}
        self._ready: list[Pollable] = []
        self._watched = False

    @property
    def troubles(self) -> dict[str, str]:
        """Why each link that is not open is not, by name."""
        return {link.name: link.trouble for link in self._opening if not link.is_open}

    def wake_ns(self, now_ns: int) -> int:
        """When, without bytes, `pump` has something to do; FOREVER_NS for never."""
        wake_ns = FOREVER_NS
        for link in self._opening:
            if link.wake_ns < wake_ns:
                wake_ns = link.wake_ns
            if link.is_open and link.fileno() is None:
                wake_ns = min(wake_ns, (now_ns // self._period_ns + 1) * self._period_ns)
        return wake_ns

    def wait_until_ns(self, deadline_ns: int) -> None:
        """Return at `deadline_ns`, an hour from now at most, or earlier when bytes have come."""
        self._watch()
        self._watched = True
        now_ns = self._clock.now_ns()
        deadline_ns = min(deadline_ns, now_ns + _LONGEST_NS)
        left_ns = deadline_ns - now_ns
        left_ns -= self.early_ns + _SHY_NS
        if left_ns >= NS_PER_MS:
            self._ask(left_ns // NS_PER_MS)
            if self._ready:
                return
        clock = self._clock
        slept = clock.now_ns() < deadline_ns - self.early_ns  # less than a millisecond and a half from now
        if slept:
            clock.sleep_until_ns(deadline_ns - self.early_ns)
        if self.awake is not None:
            self.awake()
        now_ns = clock.now_ns()
        if slept:
            if now_ns > deadline_ns:
                self.early_ns = min(MOST_EARLY_NS, self.early_ns + _SOONER_NS)
            else:
                self.early_ns = max(0, self.early_ns - _LATER_NS)
        while now_ns < deadline_ns and not self._ready:
            self._ask(0)
            now_ns = clock.now_ns()

    def _watch(self) -> None:
        """A link that was lost or came back has another descriptor."""
        now = [source.fileno() for source in self._sources]
        if now == self._polled:
            return
        self._polled = now
        self._poll = select.poll()
        self._by_fd = {fd: source for fd, source in zip(now, self._sources, strict=True) if fd is not None}
        for fd in self._by_fd:
            self._poll.register(fd, select.POLLIN)

    def _ask(self, timeout_ms: int) -> None:
        self._ready = [self._by_fd[fd] for fd, _ in self._poll.poll(timeout_ms)]

    def pump(self, t_ns: int) -> None:
        """Hand over what has come, as of `t_ns`; open what is due."""
        if not self._watched:
            self._watch()
        self._watched = False
        self._ask(0)  # held up since the wait, nobody may take for silence what has come meanwhile
        ready, self._ready = self._ready, []
        for source in ready:
            self._pump(source, t_ns)
        for link in self._opening:
            if link.wake_ns <= t_ns:
                try:
                    link.advance(t_ns)
                except LinkLost:
                    self.losses += 1
                if self.served is not None:
                    self.served(link.name)
            if link.is_open and link.fileno() is None:
                self._pump(link, t_ns)

    def _pump(self, source: Pollable, t_ns: int) -> None:
        try:
            source.pump(t_ns)
        except LinkLost:
            self.losses += 1
        if self.served is not None:
            self.served(getattr(source, "name", type(source).__name__))
