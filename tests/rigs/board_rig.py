"""A board with the far ends of its wires in the test's hand, in one virtual time."""

from __future__ import annotations

from typing import Any

from boards.build import Board, build
from boards.load import parse_board
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import Quantity


def built(*tables: str) -> tuple[Board, dict[str, MemoryLink], list[Quantity]]:
    """The board of these tables, the far ends of its wires, and what it will have emitted."""
    far: dict[str, MemoryLink] = {}
    heard: list[Quantity] = []

    def link_for(name: str, wire: Any) -> MemoryLink:
        near, far[name] = memory_pair(name)
        return near

    return build(parse_board("".join(tables), "node.toml"), link_for=link_for, emit=heard.append), far, heard


def run(board: Board, peers: list[Any], until_ns: int) -> None:
    """The board's devices and `peers`, from time 0."""
    now_ns = 0
    everybody = [*board.devices.values(), *peers]
    while (due_ns := min(one.wake_ns for one in everybody)) < until_ns:
        now_ns = max(now_ns, due_ns)
        for peer in peers:
            if peer.wake_ns <= now_ns:
                peer.run(now_ns)
        for device in board.devices.values():
            device.advance(now_ns)
