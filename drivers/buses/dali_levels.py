"""What the lamps of one DALI bus have to be told: the newest level of each, and which of them one frame can serve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers.codecs import dali


class LevelBook:
    """Newest levels, and those not yet told.

    Args:
        groups: groups that the gear has been configured for, e.g. ``{0: frozenset({0, 1, 2})}``.

    `levels`: newest level of each lamp, None: never told. `pending`: lamps to tell, longest waiting first. `told`: what
    the frame in flight tells.
    """

    def __init__(self, groups: Mapping[int, frozenset[int]]) -> None:
        # Largest first, so that the first that fits saves most frames.
        self._groups = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
        self.levels: dict[int, int | None] = {}
        self.pending: dict[int, int] = {}
        self.told: dict[int, int] = {}

    def take(self) -> int:
        """The frame for the lamp that has waited longest, and with it all that one frame can serve."""
        pending = self.pending
        address = next(iter(pending))
        level = pending[address]
        waiting = len(pending)
        target = address << 1
        self.told = {address: level}
        if waiting > 1:
            if waiting == len(self.levels) and list(pending.values()).count(level) == waiting:
                target, self.told = dali.BROADCAST, pending
            else:
                for number, members in self._groups:
                    if address in members and all(pending.get(member) == level for member in members):
                        target, self.told = dali.group(number), dict.fromkeys(sorted(members), level)
                        break
        if self.told is pending:
            self.pending = {}
        else:
            for address in self.told:
                del pending[address]
        return target << 8 | level

    def untold(self) -> None:
        """The frame in flight did not get through: what it told waits again, where nothing newer does."""
        self.pending = {**self.told, **self.pending}

    def none_waits(self) -> None:
        """The bus is lost: all lamps will be told when it is back."""
        self.pending = {}

    def all_wait(self) -> None:
        """Every lamp is told its newest level again."""
        self.pending = {address: level for address, level in self.levels.items() if level is not None}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "levels": [[*pair] for pair in self.levels.items()],
            "pending": [[*pair] for pair in self.pending.items()],
            "flight_levels": [[*pair] for pair in self.told.items()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.levels = dict(state["levels"])
        self.pending = dict(state["pending"])
        self.told = dict(state["flight_levels"])
