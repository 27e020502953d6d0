"""The far end of an I2C wire: the adapter and the chips on its bus, in virtual time, with faults to order.

A transfer that somebody acknowledges is answered at once, inside the write, or after the time it takes at 100 kHz
(`paced`). A stuck bus is answered after a second, as the kernel does; a mute adapter never.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from drivers.links.memory import MemoryLink
from drivers.transfers import LOST, NACK, OK, STUCK, Reply, Request, RequestStream, encode_reply
from drivers.units import FOREVER_NS, NS_PER_S
from hil.peers.i2c_models import Chip, Refused

Spans = tuple[tuple[int, int], ...]

STUCK_NS: Final = NS_PER_S
BYTE_NS: Final = 90_000
"""Nine clocks at 100 kHz."""


class I2cChips:
    """An adapter with chips.

    Args:
        name: for errors and snapshots, e.g. ``"mast/i2c"``.
        link: the peer's end of the wire.
        chips: by address.
        absent: spans (from, to) in which a chip is unplugged, by address.
        stuck: spans in which SDA is held low.
        mute: spans in which the adapter swallows what it is asked.
        lost: spans in which another master wins.
        paced: answer when the bits have passed.

    `requests` counts what was asked, by address.
    """

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        chips: Mapping[int, Chip],
        *,
        absent: Mapping[int, Spans] | None = None,
        stuck: Spans = (),
        mute: Spans = (),
        lost: Spans = (),
        paced: bool = False,
    ) -> None:
        self.name, self.chips = name, dict(chips)
        self.absent, self.stuck, self.mute, self.lost = dict(absent or {}), stuck, mute, lost
        self.requests: dict[int, int] = {}
        self._link, self._paced = link, paced
        self._stream = RequestStream()
        self._queue: deque[tuple[int, bytes]] = deque()
        link.receiver = self._hear

    @property
    def wake_ns(self) -> int:
        """When the next reply is due; FOREVER_NS for none."""
        return self._queue[0][0] if self._queue else FOREVER_NS

    def run(self, now_ns: int) -> None:
        """Send the replies that are due."""
        while self._queue and self._queue[0][0] <= now_ns:
            self._link.write(self._queue.popleft()[1], now_ns)

    def power_cycle(self, address: int, t_ns: int) -> None:
        """A chip's supply was away for a moment."""
        self.chips[address].power_cycle(t_ns)

    def _hear(self, data: bytes, t_ns: int) -> None:
        for request in self._stream.feed(data):
            self.requests[request.address] = self.requests.get(request.address, 0) + 1
            if _within(self.mute, t_ns):
                continue
            reply = self._reply(request, t_ns)
            due_ns = t_ns
            if reply.status == STUCK:
                due_ns += STUCK_NS
            elif self._paced:
                due_ns += BYTE_NS * (2 + len(request.data) + request.read_count)
            if due_ns == t_ns and not self._queue:
                self._link.write(encode_reply(reply), t_ns)
            else:
                self._queue.append((due_ns, encode_reply(reply)))

    def _reply(self, request: Request, t_ns: int) -> Reply:
        address = request.address
        if _within(self.stuck, t_ns):
            return Reply(address, STUCK)
        if _within(self.lost, t_ns):
            return Reply(address, LOST)
        chip = self.chips.get(address)
        if chip is None or _within(self.absent.get(address, ()), t_ns):
            return Reply(address, NACK)
        try:
            if request.data:
                chip.write(request.data, t_ns)
            said = chip.read(request.read_count, t_ns) if request.read_count else b""
            if not request.data and not request.read_count:
                chip.read(1, t_ns)  # an empty request is a read whose byte is thrown away
        except Refused:
            return Reply(address, NACK)
        return Reply(address, OK, said)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values; both ends of the wire take whole messages, so no request is cut."""
        return {
            "queue": [[due_ns, data.hex()] for due_ns, data in self._queue],
            "chips": [[address, chip.snapshot()] for address, chip in self.chips.items()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._queue = deque((due_ns, bytes.fromhex(data)) for due_ns, data in state["queue"])
        for address, chip in state["chips"]:
            self.chips[address].restore(chip)


def _within(spans: Spans, t_ns: int) -> bool:
    return any(low <= t_ns < high for low, high in spans)
