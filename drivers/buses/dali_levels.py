"""What the lamps of one DALI bus have to be told: the newest level of each, and which of them one frame can serve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers.codecs import dali


class LevelBook:
    """Newest levels, and those not yet told.

    A group's frame is used only where it reaches exactly the lamps that it shall reach: every lamp of the line has said
    which groups it is in (`confirm`), those of the group are in it and no other one is. Until then, and where some gear
    says otherwise, its lamps are told one by one.

    Args:
        groups: groups that the gear shall be in, e.g. ``{0: frozenset({0, 1, 2})}``.

    `levels`: newest level of each lamp, None: never told. `pending`: lamps to tell, longest waiting first. `told`: what
    the frame in flight tells. `shared` counts frames that served more than one lamp.
    """

    def __init__(self, groups: Mapping[int, frozenset[int]]) -> None:
        self.groups = dict(groups)
        self.levels: dict[int, int | None] = {}
        self.pending: dict[int, int] = {}
        self.told: dict[int, int] = {}
        self.shared = 0
        self._member_of: dict[int, int] = {}  # what each gear has said, 16 bits
        self._usable: list[tuple[int, frozenset[int]]] = []

    def wanted_groups(self, short_address: int) -> int:
        """The groups a gear shall be in, 16 bits: ``0b101`` for 0 and 2."""
        return sum(1 << number for number, members in self.groups.items() if short_address in members)

    def confirm(self, short_address: int, member_of: int | None) -> None:
        """A gear has said which groups it is in (16 bits); None: it is not known any more."""
        if member_of is None:
            self._member_of.pop(short_address, None)
        else:
            self._member_of[short_address] = member_of
        self._find_usable()

    def _find_usable(self) -> None:
        """Largest first, so that the first that fits saves most frames."""
        said = self._member_of
        usable = []
        if all(address in said for address in self.levels):
            for number, members in self.groups.items():
                there = {address for address in self.levels if said[address] >> number & 1}
                if len(there) > 1 and there == members:
                    usable.append((number, members))
        self._usable = sorted(usable, key=lambda item: (-len(item[1]), item[0]))

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
                for number, members in self._usable:
                    if address in members and all(pending.get(member) == level for member in members):
                        target, self.told = dali.group(number), dict.fromkeys(sorted(members), level)
                        break
        if self.told is pending:
            self.pending = {}
        else:
            for address in self.told:
                del pending[address]
        self.shared += len(self.told) > 1
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
            "member_of": [[*pair] for pair in self._member_of.items()],
            "shared": self.shared,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.levels = dict(state["levels"])
        self.pending = dict(state["pending"])
        self.told = dict(state["flight_levels"])
        self._member_of, self.shared = dict(state["member_of"]), state["shared"]
        self._find_usable()
