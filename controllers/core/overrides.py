"""Levels ordered by hand at commissioning, each with its end. An order is a Message of the source `COMMISSIONING`::

    {"kind": "override", "lamps": ["lamp-3"], "level": 254, "for_ms": 600000}
    {"kind": "override", "lamps": ["lamp-3"], "level": null}                    back to the calendar and the riders

It goes before calendar and doubt: whoever gives it stands there. It ends by itself, at the latest after `LONGEST_MS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final

import msgspec

from drivers.quantities import Message
from drivers.units import FOREVER_NS, NS_PER_MS

COMMISSIONING: Final = "commissioning"
"""The source of orders given by hand; no device of a board may have this name."""

LONGEST_MS: Final = 2 * 3600 * 1000


class _Order(msgspec.Struct, frozen=True):
    lamps: tuple[str, ...]
    level: Annotated[int, msgspec.Meta(ge=0, le=254)] | None
    for_ms: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_MS)] = LONGEST_MS


class Overrides:
    """What is ordered now: level and end by lamp. `wake_ns` is the next end.

    Args:
        lamps: names of those there are; others are left out.
        full_level: no order goes above it, e.g. 254.
    """

    def __init__(self, lamps: Iterable[str], full_level: int) -> None:
        self.wake_ns = FOREVER_NS
        self._names, self._full = frozenset(lamps), full_level
        self._orders: dict[str, tuple[int, int]] = {}

    def of(self, lamp: str) -> int | None:
        """The level ordered for a lamp, None for none."""
        order = self._orders.get(lamp)
        return None if order is None else order[0]

    def standing(self) -> Mapping[str, tuple[int, int]]:
        """(level, end) by lamp."""
        return self._orders

    def hear(self, value: Message) -> bool:
        """Take an order; True where one came or went. What makes no sense is left: the control socket has said so."""
        if value.body.get("kind") != "override":
            return False
        try:
            order = msgspec.convert(value.body, _Order)
        except msgspec.ValidationError:
            return False
        before = dict(self._orders)
        for lamp in order.lamps:
            if lamp not in self._names:
                continue
            if order.level is None:
                self._orders.pop(lamp, None)
            else:
                self._orders[lamp] = min(order.level, self._full), value.t_ns + order.for_ms * NS_PER_MS
        self._set_wake()
        return self._orders != before

    def on_time(self, now_ns: int) -> bool:
        """End what has to end; True where something did."""
        over = [lamp for lamp, (_, until_ns) in self._orders.items() if until_ns <= now_ns]
        for lamp in over:
            del self._orders[lamp]
        self._set_wake()
        return bool(over)

    def _set_wake(self) -> None:
        self.wake_ns = min((until_ns for _, until_ns in self._orders.values()), default=FOREVER_NS)

    def snapshot(self) -> dict[str, list[int]]:
        """All state, as JSON-able values."""
        return {lamp: list(order) for lamp, order in self._orders.items()}

    def restore(self, state: Mapping[str, list[int]]) -> None:
        """Take over a snapshot."""
        self._orders = {lamp: (order[0], order[1]) for lamp, order in state.items()}
        self._set_wake()
