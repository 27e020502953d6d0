"""The far end of a Modbus wire: slaves on one RS485 pair, in virtual time, byte by byte at the line's bit rate.

Frames are read and written by hand here, with crcmod's CRC of another construction than the drivers use, so that a
mistake of theirs does not meet its like. A slave answers when a request has ended and it has thought (`think_ns`).

One pair, so whoever talks while another does destroys both: where two bytes overlap, the line has the bits that both
leave high (a & b). That is a model; no document says what a receiver makes of it. A request into such talk is lost.

Faults of a slave (`Fault`)::

    dead           does not hear              slow           thinks `amount` ns longer
    wrong-crc      damages its replies        exception      answers everything with exception `amount`
    wrong-address  answers as another         half           sends the first half and stops
    babble         sends `amount` bytes of rubbish in place of an answer
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from crcmod import mkCrcFun  # type: ignore[import-untyped]

from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.modbus_models import ModbusModel
from hil.traffic.chance import draw

THINK_NS: Final = 3 * NS_PER_MS
_crc = mkCrcFun(0x18005, initCrc=0xFFFF, rev=True, xorOut=0)

FaultKind = Literal["dead", "slow", "wrong-crc", "exception", "wrong-address", "half", "babble"]


class Fault(msgspec.Struct, frozen=True):
    """From `from_ns` up to, not including, `to_ns`: ``Fault("slow", 0, 5 * NS_PER_S, 80 * NS_PER_MS)``."""

    kind: FaultKind
    from_ns: int
    to_ns: int
    amount: int = 0


def with_crc(frame: bytes) -> bytes:
    """A frame with its CRC, low byte first."""
    crc = _crc(frame)
    return frame + bytes((crc & 0xFF, crc >> 8))


def request_size(head: bytes) -> int | None:
    """How long the request is that begins with `head`; None while that is not known, 0 for none that is known."""
    if len(head) < 2:
        return None
    if head[1] in (1, 2, 3, 4, 5, 6):
        return 8
    if head[1] in (15, 16):
        return 9 + head[6] if len(head) > 6 else None
    return 0


class ModbusSlaves:
    """Several slaves on one wire. Implements Peer.

    Args:
        name: e.g. ``"rs485"``.
        link: the peer's end of the wire.
        models: who is there; two with one address both answer.
        baud, parity: of the line.
        think_ns: from the end of a request to the start of its reply.
        faults: by the position of a model in `models`.
        adapter_ns: bytes are handed over at multiples of this, as a USB adapter does; 0: each when it has ended.
        echo: the adapter hears what it sends.

    Counters: `requests` heard, `crowded` (began less than 3.5 characters after the line's last byte), `collisions` of
    bytes, `lost` requests.
    """

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        models: Sequence[ModbusModel],
        *,
        baud: int = 9_600,
        parity: str = "N",
        think_ns: int = THINK_NS,
        faults: dict[int, tuple[Fault, ...]] | None = None,
        adapter_ns: int = 0,
        echo: bool = False,
        seed: int = 0,
    ) -> None:
        self.name, self._link, self.models = name, link, tuple(models)
        self._bits, self._baud = 10 if parity == "N" else 11, baud
        self._gap_ns = 7 * self._bits * NS_PER_S // (2 * baud) if baud <= 19_200 else 1_750_000
        self._think_ns, self._faults, self._seed = think_ns, faults or {}, seed
        self._adapter_ns, self._echo = adapter_ns, echo
        self.requests = self.crowded = self.collisions = self.lost = 0
        self._line: list[list[int]] = []  # [end_ns, byte] of what is or will be on the wire, by time
        self._ended: list[list[int]] = []  # [due_ns, byte] for the adapter to hand over
        self._heard = b""
        self._heard_ns = 0  # end of the last byte of the master
        self._busy_ns = -NS_PER_S  # end of the last byte of anybody
        self.wake_ns = FOREVER_NS
        link.receiver = self._received

    def bytes_ns(self, count: int) -> int:
        """How long bytes take on the line."""
        return count * self._bits * NS_PER_S // self._baud

    # --- what the master sends

    def _received(self, data: bytes, t_ns: int) -> None:
        start_ns = max(t_ns, self._heard_ns)
        end_ns = start_ns + self.bytes_ns(len(data))
        self._run_line(start_ns)
        self.crowded += start_ns < self._busy_ns + self._gap_ns
        if start_ns >= self._heard_ns + self._gap_ns:
            self._heard = b""
        self._heard_ns = self._busy_ns = end_ns
        talk = [byte for byte in self._line if byte[0] - self.bytes_ns(1) < end_ns]
        if talk:
            self.lost += 1
            for byte in talk:
                byte[1] &= 0x55
        else:
            self._heard += data
            self._read_requests(end_ns)
        if self._echo:
            self._say(data, start_ns)
        self._set_wake()

    def _read_requests(self, end_ns: int) -> None:
        while (size := request_size(self._heard)) is not None:
            if size == 0:
                self._heard = b""  # whatever it is, its end is where silence begins
            elif len(self._heard) < size:
                return
            else:
                frame, self._heard = self._heard[:size], self._heard[size:]
                if _crc(frame) == 0:
                    self.requests += 1
                    self._answer(frame, end_ns)
            if not self._heard:
                return

    def _answer(self, frame: bytes, end_ns: int) -> None:
        for number, model in enumerate(self.models):
            if frame[0] not in (0, model.address):
                continue
            fault = self._fault(number, end_ns)
            kind = fault.kind if fault is not None else ""
            amount = fault.amount if fault is not None else 0
            if kind == "dead":
                continue
            address = model.address  # an answer comes from where it was asked, even if that is what it changes
            reply = bytes((frame[1] | 128, amount)) if kind == "exception" else model.answer(frame[1:-2], end_ns)
            if frame[0] == 0:
                continue
            data = with_crc(bytes((address + 1 if kind == "wrong-address" else address,)) + reply)
            if kind == "wrong-crc":
                data = data[:-1] + bytes((data[-1] ^ 0x40,))
            elif kind == "half":
                data = data[: len(data) // 2]
            elif kind == "babble":
                data = bytes(draw(self._seed, end_ns, n) & 0xFF for n in range(amount))
            self._say(data, end_ns + self._think_ns + (amount if kind == "slow" else 0))

    def _fault(self, number: int, t_ns: int) -> Fault | None:
        for fault in self._faults.get(number, ()):
            if fault.from_ns <= t_ns < fault.to_ns:
                return fault
        return None

    # --- what the slaves send

    def say(self, data: bytes, start_ns: int) -> None:
        """Somebody talks without being asked."""
        self._say(data, start_ns)
        self._set_wake()

    def _say(self, data: bytes, start_ns: int) -> None:
        byte_ns = self.bytes_ns(1)
        for n, value in enumerate(data):
            end_ns = start_ns + self.bytes_ns(n + 1)
            others = [byte for byte in self._line if end_ns - byte_ns < byte[0] < end_ns + byte_ns]
            for byte in others:
                self.collisions += 1
                byte[1] &= value
                value = byte[1]
            if not others:
                self._line.append([end_ns, value])
        self._line.sort()

    def _run_line(self, now_ns: int) -> None:
        """Bytes that have ended go to the adapter."""
        line = self._line
        while line and line[0][0] <= now_ns:
            end_ns, value = line.pop(0)
            self._busy_ns = max(self._busy_ns, end_ns)
            step_ns = self._adapter_ns
            self._ended.append([-(-end_ns // step_ns) * step_ns if step_ns else end_ns, value])

    def run(self, now_ns: int) -> None:
        """Hand over what is due, each piece at its own time."""
        self._run_line(now_ns)
        while self._ended and self._ended[0][0] <= now_ns:
            due_ns = self._ended[0][0]
            piece = bytes(value for at_ns, value in self._ended if at_ns == due_ns)
            del self._ended[: len(piece)]
            self._link.write(piece, due_ns)  # the master may answer at once
        self._set_wake()

    def _set_wake(self) -> None:
        first_ns = self._ended[0][0] if self._ended else FOREVER_NS
        self.wake_ns = min(first_ns, self._line[0][0] if self._line else FOREVER_NS)

    # --- state

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "models": [model.snapshot() for model in self.models],
            "heard": self._heard.hex(),
            "line": [list(byte) for byte in self._line],
            "ended": [list(byte) for byte in self._ended],
            **{name: getattr(self, name) for name in _STATE},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot of a wire with the same slaves."""
        for model, its in zip(self.models, state["models"], strict=True):
            model.restore(its)
        self._heard = bytes.fromhex(state["heard"])
        self._line, self._ended = [list(byte) for byte in state["line"]], [list(byte) for byte in state["ended"]]
        for name in _STATE:
            setattr(self, name, state[name])


_STATE: Final = ("requests", "crowded", "collisions", "lost", "_heard_ns", "_busy_ns", "wake_ns")
