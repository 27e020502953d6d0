"""Talking to a part over a link that has line settings, and that can be lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers.devices.dialogue import Ask, Dialogue, Finished, Procedure
from drivers.errors import LinkLost
from drivers.interfaces import Receiver, unheard
from drivers.links.memory import memory_pair

T = 100


def one(more: dict[str, Any]) -> Procedure:
    """Asks "a"; "a=1" is answered by "1"."""
    said = yield Ask(b"a", lambda event: event[2:] if event.startswith("a=") else None, **{"timeout_ns": T, **more})
    return said


PROCEDURES: dict[str, Callable[..., Procedure]] = {"one": one}


class Port:
    """A link with line settings that can be lost."""

    name = "part"
    receiver: Receiver = staticmethod(unheard)

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.lost = False

    def set_line(self, baud: int, parity: str, t_ns: int) -> None:
        self.calls.append((baud, parity, t_ns))

    def write(self, data: bytes, t_ns: int) -> None:
        self.calls.append((data, t_ns))
        if self.lost:
            raise LinkLost("part", t_ns, "gone")


def test_line_settings_are_made_before_each_try_where_the_link_has_any() -> None:
    port = Port()
    done: list[Finished] = []
    dialogue = Dialogue("part", port, PROCEDURES, done.append)  # type: ignore[arg-type]
    dialogue.start("one", ({"line": (115_200, "E"), "tries": 2},), 0)
    dialogue.advance(T)
    assert port.calls == [(115_200, "E", 0), (b"a", 0), (115_200, "E", T), (b"a", T)]


def test_a_link_without_line_settings_goes_without() -> None:
    near, far = memory_pair("part")
    asked: list[bytes] = []
    done: list[Finished] = []
    far.receiver = lambda data, t_ns: asked.append(data)
    Dialogue("part", near, PROCEDURES, done.append).start("one", ({"line": (115_200, "E")},), 0)
    assert asked == [b"a"]


def test_a_lost_link_is_no_answer_and_nothing_worse() -> None:
    port = Port()
    done: list[Finished] = []
    dialogue = Dialogue("part", port, PROCEDURES, done.append)  # type: ignore[arg-type]
    port.lost = True
    dialogue.start("one", ({},), 0)
    dialogue.advance(T)
    port.lost = False
    dialogue.advance(2 * T)
    assert dialogue.heard("a=1", 2 * T + 1)
    dialogue.advance(dialogue.wake_ns)
    assert [end.result for end in done] == ["1"]
    assert dialogue.link_losses == 2
