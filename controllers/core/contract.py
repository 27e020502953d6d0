"""The shapes of the scan cycle: what a policy and a gate get, and what they may say.

One law for both (the law of waking): for now < `wake_ns` and no new input, `step` returns nothing, changes nothing and
keeps its wake. So predictions are closed forms from the last measurement, ramps are segments, ages are now - t0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from drivers.quantities import Quantity


class LampLevel(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Lamp `target` shall go to arc power `level`, 0 (off) to 254 (full), e.g. ``LampLevel("lamp-3", 254)``."""

    target: str
    level: int


class PanelFrame(msgspec.Struct, frozen=True, tag=True):
    """Panel `target` shall show `frame`, encoded as in drivers.codecs.panel_frame."""

    target: str
    frame: bytes


class Publish(msgspec.Struct, frozen=True, tag=True):
    """Send `body` to another controller by device `target`. Ages, never wall-clock stamps."""

    target: str
    body: dict[str, Any]


Command = LampLevel | PanelFrame | Publish


class Policy(Protocol):
    """Decides once a tick. No I/O, no clock, no randomness; may be mutable inside."""

    wake_ns: int

    def step(self, inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        """What to do now. `inputs` are the values that arrived since the last tick, oldest first."""

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""


class Gate(Protocol):
    """Stands between a policy and the outputs, and depends on neither."""

    wake_ns: int

    def step(self, commands: Sequence[Command], inputs: Sequence[Quantity], now_ns: int) -> Sequence[Command]:
        """What may pass, and what the gate orders by itself."""

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
