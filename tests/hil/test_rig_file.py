"""Rig files: what is wrong with one is said with its place; what preflight finds names the wires."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from boards.build import load_board
from drivers.errors import InputError
from drivers.units import NS_PER_MS
from hil.benches.contract_bench import Blocked
from hil.benches.lateness import Lateness
from hil.rig.file import EXAMPLE, load_rig
from hil.rig.preflight import try_wires, wire_counts

BOARD = load_board("kanalpromenade-lamp")
WIRES = ("dali", "neighbour", "radar-1", "radar-2", "radar-3")


def rig(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rig.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_is_a_rig_file_and_the_command_prints_it(leeze_hil: Any, tmp_path: Path) -> None:
    path = rig(tmp_path, EXAMPLE)
    found = load_rig(path)
    assert found.boards["west"].wires["radar-3"].port == "rfc2217://192.168.7.20:2217"
    assert found.features == {"radar", "dali"}
    assert leeze_hil("rig", "example").out == EXAMPLE
    assert "rig bench-2, boards west, east, 10 wires" in leeze_hil("rig", "check", path).out
    assert json.loads(leeze_hil("rig", "check", path, "--json").out)["boards"] == ["west", "east"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("format = 1", "format = 2", "format"),
        ("slack_ms = 100", "slack_ms = 0", "slack_ms"),
        ('console = "192.168.7.11:7400"\n', "", "console"),
        ("neighbour = { port = ", "neighbour = { prot = ", "prot"),
        ('radar-3 = { port = "rfc2217://192.168.7.20:2217"', 'radar-3 = { panel = "a", lines = "b"', "exactly one of"),
        ("usb-FTDI_A2-if00", "usb-FTDI_A1-if00", "have the same port"),
        ('port = "socket://192.168.7.20:7001"', 'broker = "localhost:1883"', "needs the `topic`"),
        ('on = ["usbrelay", "RELAY_1=1"]', "on = []", "power"),
    ],
)
def test_a_wrong_rig_file_is_refused_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in EXAMPLE
    with pytest.raises(InputError) as refused:
        load_rig(rig(tmp_path, EXAMPLE.replace(old, new, 1)))
    assert said in str(refused.value)
    assert "rig.toml" in str(refused.value)


def test_a_rig_without_boards_or_a_file_is_refused(leeze_hil: Any, tmp_path: Path) -> None:
    assert leeze_hil("rig", "check", rig(tmp_path, 'format = 1\nname = "x"\nboards = {}\n')).code == 2
    assert leeze_hil("rig", "check", tmp_path / "none.toml").code == 2


# --- preflight, with a board that is a dict


class Console:
    """Answers with what its devices have counted."""

    def __init__(self) -> None:
        self.place, self.counts, self.silent = "somewhere", dict.fromkeys(WIRES, 0), False

    def ask(self, within_ns: int) -> dict[str, Any] | None:
        devices = {name: {"frames": count} for name, count in self.counts.items()}
        return None if self.silent else {"devices": devices}


class Wire:
    """A port whose bytes come out at `to` of the console."""

    def __init__(self, console: Console, to: str) -> None:
        self.name, self.wake_ns, self.lateness = to, 0, Lateness()
        self.heard = lambda data, t_ns: None
        self._console, self._to = console, to

    def fileno(self) -> int | None:
        return None

    def send(self, data: bytes, due_ns: int) -> None:
        if self._to:
            self._console.counts[self._to] += 1

    def turn(self, now_ns: int) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


def tried(cables: Mapping[str, str], *, silent: bool = False) -> list[str]:
    console = Console()
    console.silent = silent
    ports = {wire: Wire(console, cables.get(wire, wire)) for wire in WIRES}
    return try_wires("west", BOARD, ports, console, lambda: None, 50 * NS_PER_MS)  # type: ignore[arg-type]


def test_a_bench_that_is_right_is_found_right() -> None:
    assert tried({}) == []


def test_two_swapped_wires_are_named_in_one_sentence() -> None:
    assert tried({"radar-1": "radar-3", "radar-3": "radar-1"}) == [
        "west/radar-1 and west/radar-3 are swapped: put each adapter to the other wire"
    ]


def test_a_wire_that_leads_nowhere_or_to_another_is_named() -> None:
    (dead,) = tried({"neighbour": ""})
    assert dead.startswith("west/neighbour: the board hears nothing of what the rig says within 50 ms")
    (wrong,) = tried({"radar-2": "dali"})
    assert wrong == "west/radar-2: what the rig says there is heard at dali: swapped?"


def test_three_wires_in_a_ring_are_each_named() -> None:
    found = tried({"radar-1": "radar-2", "radar-2": "radar-3", "radar-3": "radar-1"})
    assert len(found) == 3


def test_a_board_that_does_not_answer_any_more_blocks() -> None:
    with pytest.raises(Blocked, match="does not answer any more"):
        tried({}, silent=True)


def test_what_a_wire_heard_is_the_sum_over_its_devices_sound_or_not() -> None:
    here = {"devices": {"radar-1": {"frames": 3, "bad_frames": 1}, "lamp-1": {"frames": 2}, "dali": {"frames": 5}}}
    counts = wire_counts(BOARD, here)
    assert (counts["radar-1"], counts["dali"], counts["radar-2"]) == (4, 7, 0)
