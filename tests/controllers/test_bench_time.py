"""Wall time from a rig: who may have it, what is said, and that it only ever comes from there."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boards.build import load_board
from controllers.service import bench_time
from controllers.service.bench_time import BenchTime
from drivers.errors import BenchError, InputError
from drivers.units import NS_PER_MS, NS_PER_S

BENCH = load_board("kanalpromenade-lamp-laptop")
UTC_NS = 1_771_610_400 * NS_PER_S


class Rig:
    """The other end."""

    def __init__(self, folder: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "rig"))
        self.socket.setblocking(False)
        self.place = str(folder / "time")

    def say(self, said: Any) -> None:
        self.socket.sendto(said if isinstance(said, bytes) else json.dumps(said).encode(), self.place)

    def heard(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(self.socket.recv(65_536))
        except BlockingIOError:
            return None
        return found


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.socket.close()


@pytest.fixture
def board(rig: Rig) -> Iterator[BenchTime]:
    made = BenchTime(rig.place, BENCH, "west", lambda: {"radar-1": {"frames": 3}})
    yield made
    made.close()
    made.close()


class Wires:
    """Wires that open at the third look, and hand the rig's words over as the loop does."""

    def __init__(self, board: BenchTime, rig: Rig | None) -> None:
        self.looks = 0
        self._board, self._rig = board, rig

    @property
    def troubles(self) -> dict[str, str]:
        return {} if self.looks >= 3 else {"radar-2": "no such port"}

    def wait_until_ns(self, deadline_ns: int) -> None:
        assert deadline_ns - self._board.now_ns() <= 20 * NS_PER_MS

    def pump(self, t_ns: int) -> None:
        self.looks += 1
        if self._rig is not None:
            self._rig.say({"kind": "hello"} if self.looks < 4 else {"kind": "time", "utc_ns": UTC_NS})
        self._board.pump(t_ns)


def test_only_a_board_on_a_bench_takes_the_time_of_a_rig(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="for boards marked `bench = true`"):
        BenchTime(str(tmp_path / "time"), load_board("kanalpromenade-lamp"), "west")
    assert not (tmp_path / "time").exists()


@pytest.mark.parametrize("place", ["7400", "localhost:", "localhost:99999", ":7400"])
def test_a_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(InputError, match="is no place like"):
        BenchTime(place, BENCH, "west")


def test_a_place_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot listen there"):
        BenchTime(str(tmp_path / "none" / "time"), BENCH, "west")


def test_it_waits_for_its_wires_and_the_time_and_says_how_it_stands(rig: Rig, board: BenchTime) -> None:
    wires = Wires(board, rig)
    board.wait(wires, lambda: False)
    told = []
    while (one := rig.heard()) is not None:
        told.append(one)
    assert [one["troubles"] for one in told] == [{"radar-2": "no such port"}] * 2 + [{}] * 2
    assert [one["begun"] for one in told] == [False, False, False, True]
    assert all(one["ready"] for one in told)
    assert told[0]["controller"] == "west"
    assert told[0]["board"] == "kanalpromenade-lamp-laptop"
    assert told[0]["devices"] == {"radar-1": {"frames": 3}}
    assert 0 <= board.utc_ns() - UTC_NS < 60 * NS_PER_S
    assert board.synchronised()


def test_before_it_waits_it_is_not_ready(rig: Rig, board: BenchTime) -> None:
    rig.say({"kind": "hello"})
    board.pump(0)
    assert (rig.heard() or {})["ready"] is False


def test_a_later_time_is_a_step_and_may_be_one_that_nobody_vouches_for(rig: Rig, board: BenchTime) -> None:
    for utc_ns, sure in ((UTC_NS, True), (UTC_NS - 3600 * NS_PER_S, False)):
        rig.say({"kind": "time", "utc_ns": utc_ns, "synchronised": sure})
        board.pump(0)
        assert 0 <= board.utc_ns() - utc_ns < 60 * NS_PER_S
        assert board.synchronised() is sure


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\xff\xfe",
        b"[1]",
        b"[" * 4000,
        {"kind": "time"},
        {"kind": "time", "utc_ns": -1},
        {"kind": "time", "utc_ns": True},
        {"kind": "time", "utc_ns": 1e18},
        {"kind": "time", "utc_ns": UTC_NS, "synchronised": 1},
        {"kind": "stop"},
    ],
)
def test_what_is_no_message_changes_nothing_and_gets_no_answer(rig: Rig, board: BenchTime, said: Any) -> None:
    rig.say(said)
    board.pump(0)
    assert not board.begun
    assert rig.heard() is None


def test_who_is_never_told_gives_up_and_says_what_to_do(board: BenchTime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_time, "LONGEST_WAIT_NS", 0)
    with pytest.raises(BenchError, match="no rig has said the time"):
        board.wait(Wires(board, None), lambda: False)


def test_a_stop_ends_the_wait(board: BenchTime) -> None:
    board.wait(Wires(board, None), lambda: True)
    assert not board.begun
