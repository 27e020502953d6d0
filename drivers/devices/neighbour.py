"""The other controller: messages out and in over one link, and a word when it falls silent.

On a wire of its own a message is its body, a line. Through a broker (`numbered`) each goes in an envelope::

    {"start": 7000003000000, "seq": 17, "ms": 120034, "body": {"kind": "alive", "doubts": {}}}

`start` names the sender's run, `seq` counts from 0 in it, `ms` is the sender's time since its start. So what comes
twice (QoS 1) or from a run that is over is dropped, and so is what has waited `LATE_MS` longer than the quickest did,
in a queue of somebody's: a rider announced then is somewhere else by now. Each is counted. Nothing is asked for again:
what matters is said again soon, and who hears nothing lights.

When the broker is lost the neighbour is silent `grace_ns` later, and not only when its next word is due. When it is
back, each says so (``hello``, answered by ``here``) and need not wait for the other's next word.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from drivers.codecs.json_lines import JsonLines, encode
from drivers.devices.listener import Listener
from drivers.errors import LinkLost
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import Message
from drivers.topics import GONE, OPEN, split_topic
from drivers.units import NS_PER_MS, NS_PER_S

LATE_MS: Final = 2_000
GRACE_NS: Final = 3 * NS_PER_S
NO_BROKER: Final = "broker lost"

RUNS_KEPT: Final = 8
"""So many runs of the neighbour that are over are remembered."""

DRIFT: Final = 1_000
"""The two clocks may part by one in so many; real ones part by less than one in ten thousand."""

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]


class _Envelope(msgspec.Struct, frozen=True):
    start: Count
    seq: Count
    ms: Count
    body: dict[str, Any]


class Neighbour(Listener):
    """A peer controller. Anything sound it says proves that it lives; silence for `stale_ns` is reported once.

    Args:
        name: e.g. ``"neighbour"``.
        link: to it.
        emit: where Message and DeviceHealth go.
        stale_ns: silence that is too long.
        numbered: messages go in envelopes.
        grace_ns: how long the broker may be away.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        emit: Emit,
        *,
        stale_ns: int = 30 * NS_PER_S,
        numbered: bool = False,
        grace_ns: int = GRACE_NS,
    ) -> None:
        self.stream = JsonLines()
        super().__init__(name, self.stream, emit, stale_ns, "no message")
        self._link, self._numbered, self._grace_ns = link, numbered, grace_ns
        self._start_ns, self._seq = -1, 0
        self._gone_ns = -1
        self._their_start, self._their_seq = -1, -1
        self._least_ms, self._least_at_ms = 0, 0  # arrival less `ms`, of the quickest
        self._over: list[int] = []
        self._count = dict.fromkeys(("duplicates", "old", "late", "missing", "strange"), 0)
        link.receiver = self.on_bytes

    def publish(self, body: dict[str, Any], now_ns: int) -> None:
        """Send one message."""
        if self._numbered:
            self._begin(now_ns)
            ms = (now_ns - self._start_ns) // NS_PER_MS
            body = {"start": self._start_ns, "seq": self._seq, "ms": ms, "body": body}
            self._seq += 1
        self._link.write(encode(body), now_ns)

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes came."""
        if not self._numbered:
            for body in self.stream.feed(data):
                self._heard(t_ns)
                self._emit(Message(t_ns, self.name, body))
        elif data == OPEN:
            self._gone_ns = -1
            self._say({"kind": "hello"}, t_ns)
        elif data == GONE:
            self._gone_ns = t_ns
        else:
            _, payload = split_topic(data)
            for body in self.stream.feed(payload if payload.endswith(b"\n") else payload + b"\n"):
                self._unwrap(body, t_ns)
        self.wake_ns = self._due_ns()

    def _unwrap(self, body: dict[str, Any], t_ns: int) -> None:
        try:
            said = msgspec.convert(body, _Envelope)
        except msgspec.ValidationError:
            self._count["strange"] += 1
            return
        if not self._is_news(said) or not self._is_fresh(said, t_ns // NS_PER_MS):
            return
        self._heard(t_ns)
        kind = said.body.get("kind")
        if kind == "hello":
            self._say({"kind": "here"}, t_ns)
        elif kind != "here":
            self._emit(Message(t_ns, self.name, said.body))

    def _is_news(self, said: _Envelope) -> bool:
        """Neither a duplicate nor from a run that is over."""
        if said.start != self._their_start:
            if said.start in self._over:
                self._count["old"] += 1
                return False
            if self._their_start >= 0:
                self._over = [*self._over, self._their_start][-RUNS_KEPT:]
            self._their_start, self._their_seq = said.start, -1
        elif said.seq <= self._their_seq:
            self._count["duplicates"] += 1
            return False
        else:
            self._count["missing"] += said.seq - self._their_seq - 1
        return True

    def _is_fresh(self, said: _Envelope, t_ms: int) -> bool:
        """It has not waited in a queue: it took no longer than the quickest of its run, and a little."""
        took_ms = t_ms - said.ms
        if self._their_seq < 0:
            self._least_ms = took_ms
        else:
            self._least_ms = min(took_ms, self._least_ms + max(0, t_ms - self._least_at_ms) // DRIFT)
        self._least_at_ms = t_ms
        self._their_seq = said.seq
        if took_ms - self._least_ms <= LATE_MS:
            return True
        self._count["late"] += 1
        return False

    def _begin(self, now_ns: int) -> None:
        """This run's name is when it first had to do with anything: the same in a re-run, another after a restart."""
        if self._start_ns < 0:
            self._start_ns = max(0, now_ns)

    def _say(self, body: dict[str, Any], now_ns: int) -> None:
        try:
            self.publish(body, now_ns)
        except LinkLost:
            return  # the wire says so itself

    def _due_ns(self) -> int:
        due_ns = super()._due_ns()
        return due_ns if self._gone_ns < 0 or self._trouble else min(due_ns, self._gone_ns + self._grace_ns)

    def advance(self, now_ns: int) -> None:
        """Notice silence, and a broker that stays away."""
        if now_ns < self.wake_ns:
            return
        if 0 <= self._gone_ns <= now_ns - self._grace_ns and not self._trouble:
            self._is_wrong(now_ns, NO_BROKER)
        super().advance(now_ns)

    def counters(self) -> dict[str, int]:
        """What has been counted since the start; of envelopes where there are any."""
        return super().counters() | (self._count if self._numbered else {})

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        state = super().snapshot()
        if self._numbered:
            state["envelopes"] = {
                "ours": [self._start_ns, self._seq],
                "theirs": [self._their_start, self._their_seq],
                "least": [self._least_ms, self._least_at_ms],
                "over": list(self._over),
                "gone_ns": self._gone_ns,
                "count": dict(self._count),
            }
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        if self._numbered:
            saved = state["envelopes"]
            self._start_ns, self._seq = saved["ours"]
            self._their_start, self._their_seq = saved["theirs"]
            self._least_ms, self._least_at_ms = saved["least"]
            self._over, self._gone_ns = list(saved["over"]), saved["gone_ns"]
            self._count = dict(saved["count"])
