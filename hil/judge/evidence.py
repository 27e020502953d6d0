"""What a run leaves for the judge: what boards sent, the last things on all wires, and who looks on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping

import msgspec

from hil.judge.measures import Measure, Meter
from hil.judge.order import OrderRule
from hil.judge.reference import Sent

KEPT = 100_000
"""So many of the last things on all wires are kept to tell what stood around a divergence: constant memory."""
KEPT_B = 256
"""Of each so many bytes, and all of them as long as they are not more than WHOLE_B together."""
WHOLE_B = 32_000_000

Onlooker = Callable[[str, bool, bytes, int], None]
"""Told of every piece that passes: (board/wire, whether from the board, bytes, ns)."""


class Passed(msgspec.Struct, frozen=True, gc=False):
    """One piece on a wire. `data`: all bytes or the first 256 of `size_b`. Of `count` idle frames the first."""

    t_ns: int
    wire: str
    outward: bool
    data: bytes
    size_b: int
    count: int = 1


class SentLog:
    """A sink that keeps what boards send, for the judge.

    Args:
        wires: ``board/wire`` in the order of their numbers.
        period_ns: of the boards' ticks.
        kept: so many of the last things on all wires are kept.

    With `judge` what is sent is not kept in `sent`, but handed to it.
    """

    def __init__(self, wires: list[str], period_ns: int, kept: int = KEPT) -> None:
        self.sent: list[Sent] = []
        self.from_ns = 0
        """When listening began: later than 0 in a run that was resumed."""
        self.recent: deque[Passed] = deque(maxlen=kept)
        self.onlookers: list[Onlooker] = []
        self.rules: list[OrderRule] = []
        """Of the case; fed here."""
        self.meters: list[Meter] = []
        self.saw_light: bool | None = None
        """Whether a lamp came to full level, or a panel showed green; None where nobody looked."""
        self.wires, self.period_ns = wires, period_ns
        self._whole_b = 0
        self.judge: Callable[[Sent], None] | None = None
        self.contents: Mapping[str, str] = {}
        """What is on each wire, by ``board/wire``, where whoever made the log knows."""

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        """Keep it if it goes outward."""
        name = self.wires[wire]
        self._whole_b += len(data)
        kept = data if self._whole_b <= WHOLE_B else data[:KEPT_B]
        self.recent.append(Passed(t_ns, name, outward, kept, len(data)))
        if outward:
            sent = Sent(-(-t_ns // self.period_ns), t_ns, name, data)
            if self.judge is None:
                self.sent.append(sent)
            else:
                self.judge(sent)
        for onlooker in self.onlookers:
            onlooker(name, outward, data, t_ns)

    def watch(self, rules: Iterable[str], measures: Iterable[Measure]) -> None:
        """Hold these order rules against what passes, and measure these things."""
        self.rules = [OrderRule(rule) for rule in rules]
        self.meters = [Meter(measure) for measure in measures]
        self.onlookers += [rule.passed for rule in self.rules]
        self.onlookers += [meter.passed for meter in self.meters]

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """Idle frames come in."""
        self.recent.append(Passed(first_ns, self.wires[wire], False, frame[:KEPT_B], len(frame), count))
