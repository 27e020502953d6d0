"""The in-process wire and the tap around any link."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.errors import LinkLost
from drivers.interfaces import unheard, unheard_repeat
from drivers.links.memory import MemoryLink, memory_pair
from drivers.links.tap import Fan, Tap


class Log:
    """Keeps what it is told, as a receiver and as a sink."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def receive(self, data: bytes, t_ns: int) -> None:
        self.told.append(("received", data, t_ns))

    def receive_repeat(self, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        self.told.append(("received", frame, first_ns, last_ns, count))

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        self.told.append(("passed", wire, outward, data, t_ns))

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        self.told.append(("repeated", wire, frame, first_ns, last_ns, count))

    def listen(self, link: MemoryLink | Tap) -> None:
        link.receiver, link.repeat_receiver = self.receive, self.receive_repeat


def test_what_is_written_at_one_end_is_heard_at_the_other_at_once() -> None:
    near, far = memory_pair("radar-1")
    log, back = Log(), Log()
    log.listen(far)
    back.listen(near)
    near.write(b"out", 1)
    far.write(b"in", 2)
    near.repeat(b"idle", 3, 9, 4)
    assert log.told == [("received", b"out", 1), ("received", b"idle", 3, 9, 4)]
    assert back.told == [("received", b"in", 2)]
    assert (near.name, far.name) == ("radar-1", "radar-1")


def test_a_wire_nobody_listens_to_takes_everything() -> None:
    near, _ = memory_pair("w")
    near.write(b"lost", 1)
    near.repeat(b"lost", 1, 2, 2)
    near.pump(3)
    assert near.fileno() is None


def test_after_one_end_has_closed_neither_hears_the_other() -> None:
    near, far = memory_pair("w")
    log = Log()
    log.listen(near)
    log.listen(far)
    near.close()
    near.close()
    for end in (near, far):
        end.write(b"x", 1)
        end.repeat(b"x", 1, 2, 2)
    assert log.told == []
    assert (far.receiver, near.repeat_receiver) == (unheard, unheard_repeat)


def test_a_tap_hands_every_byte_of_both_directions_to_its_sink_before_it_goes_on() -> None:
    near, far = memory_pair("dali")
    log = Log()
    tap = Tap(near, 7, log)
    log.listen(tap)
    log.listen(far)
    tap.write(b"out", 1)
    far.write(b"in", 2)
    far.repeat(b"idle", 3, 9, 4)
    assert log.told == [
        ("passed", 7, True, b"out", 1),
        ("received", b"out", 1),
        ("passed", 7, False, b"in", 2),
        ("received", b"in", 2),
        ("repeated", 7, b"idle", 3, 9, 4),
        ("received", b"idle", 3, 9, 4),
    ]
    assert tap.name == "dali"


class Broken(MemoryLink):
    """A link whose far end is gone; counts what is asked of it."""

    def __init__(self) -> None:
        super().__init__("broken")
        self.asked: list[str] = []

    def write(self, data: bytes, t_ns: int) -> None:
        raise LinkLost(self.name, t_ns, "unplugged", data)

    def pump(self, t_ns: int) -> None:
        self.asked.append(f"pump {t_ns}")
        self.receiver(b"pumped", t_ns)

    def fileno(self) -> int:
        return 42

    def close(self) -> None:
        self.asked.append("close")


def test_a_tap_asks_its_link_for_everything_else() -> None:
    inner, log = Broken(), Log()
    tap = Tap(inner, 0, log)
    tap.pump(5)
    assert tap.fileno() == 42
    tap.close()
    assert inner.asked == ["pump 5", "close"]
    assert log.told == [("passed", 0, False, b"pumped", 5)]


def test_bytes_that_a_lost_link_did_not_take_are_recorded_and_the_loss_is_raised() -> None:
    log = Log()
    with pytest.raises(LinkLost, match=r"broken: unplugged \[01 02\]"):
        Tap(Broken(), 3, log).write(b"\x01\x02", 8)
    assert log.told == [("passed", 3, True, b"\x01\x02", 8)]


class Wise(Log):
    """Wants to know of lines and losses as well."""

    def line(self, wire: int, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        self.told.append(("line", wire, baud, parity, stopbits, t_ns))

    def lost(self, wire: int, t_ns: int, detail: str = "") -> None:
        self.told.append(("lost", wire, t_ns, detail))


def test_a_fan_hands_everything_to_all_its_sinks_and_lines_and_losses_to_those_that_want_to_know() -> None:
    plain, wise, other = Log(), Wise(), Wise()
    fan = Fan(iter([plain, wise, other]))
    fan.passed(1, True, b"a", 10)
    fan.line(2, 9_600, "E", 1, 15)
    fan.repeated(2, b"idle", 20, 40, 3)
    fan.lost(1, 25, "gone")
    fan.passed(3, False, b"b", 30)
    told = [("passed", 1, True, b"a", 10), ("repeated", 2, b"idle", 20, 40, 3), ("passed", 3, False, b"b", 30)]
    assert plain.told == told
    assert (
        wise.told == other.told == [told[0], ("line", 2, 9_600, "E", 1, 15), told[1], ("lost", 1, 25, "gone"), told[2]]
    )


def test_a_tap_on_a_fan_tells_of_a_write_that_did_not_leave() -> None:
    plain, wise = Log(), Wise()
    tap = Tap(Broken(), 4, Fan([plain, wise]))
    with pytest.raises(LinkLost):
        tap.write(b"x", 9)
    assert plain.told == [("passed", 4, True, b"x", 9)]
    assert wise.told == [("passed", 4, True, b"x", 9), ("lost", 4, 9, "unplugged")]
