"""A board's end of a wire whose far end is a record: what was lost then is lost again."""

from __future__ import annotations

from collections import deque

from drivers.errors import LinkLost
from drivers.interfaces import Receiver, RepeatReceiver, unheard, unheard_repeat
from hil.flight_difference import Said


class FlightLink:
    """A wire with a record at its far end."""

    def __init__(self, name: str, said: list[Said]) -> None:
        self.name = name
        self.receiver: Receiver = unheard
        self.repeat_receiver: RepeatReceiver = unheard_repeat
        self.outcomes: deque[tuple[str, str]] = deque()
        """What became of what is to go out next, by the record: "sent", "lost", "line" or "line lost", and why."""
        self._said = said

    def write(self, data: bytes, t_ns: int) -> None:
        """Raises LinkLost where it did."""
        self._said.append((t_ns, self.name, data))
        outcomes = self.outcomes
        while outcomes:
            outcome, detail = outcomes.popleft()
            if outcome == "lost":
                raise LinkLost(self.name, t_ns, detail, data[:64])
            if outcome == "sent":
                return

    def set_line(self, baud: int, parity: str, t_ns: int) -> None:
        """Raises LinkLost where it did."""
        outcomes = self.outcomes
        while outcomes and outcomes[0][0] == "line":
            outcomes.popleft()
        if outcomes and outcomes[0][0] == "line lost":
            raise LinkLost(self.name, t_ns, outcomes.popleft()[1])

    def pump(self, t_ns: int) -> None:
        """Nothing to do: bytes come by the record."""

    def fileno(self) -> int | None:
        """None: nothing to poll."""
        return None

    def close(self) -> None:
        """Nothing to do."""
