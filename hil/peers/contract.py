"""What the in-process bench asks of a peer: the far end of one or more wires, in virtual time."""

from __future__ import annotations

from typing import Any, Protocol


class Peer(Protocol):
    """The far end of a wire. Runs at `wake_ns`, and answers at once or later what it is sent through its link."""

    name: str

    @property
    def wake_ns(self) -> int:
        """When `run` wants to be called next; FOREVER_NS for never."""

    def run(self, now_ns: int) -> None:
        """Do what is due at `now_ns` (= `wake_ns`); `wake_ns` is later afterwards."""

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
