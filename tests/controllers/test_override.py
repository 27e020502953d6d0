"""Lamps by hand at commissioning: who may order what, how it ends, and that a flight with orders re-runs exactly."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import controllers.service.control
from controllers.cli import main
from controllers.core.calendar_rules import OFF, Hours
from controllers.core.contract import LampLevel
from controllers.core.failsafe_lamps import LampGate
from controllers.core.overrides import COMMISSIONING, LONGEST_MS, Overrides
from controllers.service.control import ControlServer
from controllers.service.orders import of_gate, order
from drivers.errors import InputError
from drivers.quantities import LampStatus, Message, WallTime
from drivers.recording.events import Value
from drivers.recording.reader import TraceReader
from drivers.recording.ring import ring_files
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from flight_rig import Flight, riders
from hil.cli import main as hil

BASE, FULL = 170, 254
LAMPS = {"lamp-1": 0, "lamp-2": 32_000}


def _order(**words: Any) -> Message:
    t_ns = words.pop("t_ns", 0)
    return Message(t_ns, COMMISSIONING, {"kind": "override", **words})


# --- who may order what


def test_an_order_stands_until_its_end_and_no_longer() -> None:
    orders = Overrides(LAMPS, FULL)
    assert orders.hear(_order(t_ns=5, lamps=["lamp-1"], level=200, for_ms=2))
    assert orders.of("lamp-1") == 200
    assert orders.of("lamp-2") is None
    assert orders.wake_ns == 5 + 2 * NS_PER_MS
    assert not orders.on_time(orders.wake_ns - 1)
    assert orders.on_time(orders.wake_ns)
    assert orders.of("lamp-1") is None
    assert orders.wake_ns == FOREVER_NS


def test_an_order_may_be_changed_and_taken_back() -> None:
    orders = Overrides(LAMPS, FULL)
    orders.hear(_order(lamps=["lamp-1", "lamp-2"], level=200, for_ms=10))
    assert orders.hear(_order(lamps=["lamp-1"], level=0, for_ms=20))
    assert orders.standing() == {"lamp-1": (0, 20 * NS_PER_MS), "lamp-2": (200, 10 * NS_PER_MS)}
    assert orders.hear(_order(lamps=["lamp-2"], level=None))
    assert not orders.hear(_order(lamps=["lamp-2"], level=None)), "nothing to take back"
    assert list(orders.standing()) == ["lamp-1"]


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "rider"},
        {},
        {"kind": "override"},
        {"kind": "override", "lamps": ["lamp-1"], "level": 255},
        {"kind": "override", "lamps": ["lamp-1"], "level": -1},
        {"kind": "override", "lamps": ["lamp-1"], "level": 10, "for_ms": 0},
        {"kind": "override", "lamps": ["lamp-1"], "level": 10, "for_ms": LONGEST_MS + 1},
        {"kind": "override", "lamps": "lamp-1", "level": 10},
        {"kind": "override", "lamps": ["lamp-9"], "level": 10},
    ],
)
def test_what_makes_no_sense_or_names_no_lamp_of_ours_orders_nothing(body: dict[str, object]) -> None:
    orders = Overrides(LAMPS, FULL)
    assert not orders.hear(Message(0, COMMISSIONING, body))
    assert orders.standing() == {}


def test_an_order_for_lamps_of_which_one_is_not_ours_stands_for_the_others() -> None:
    orders = Overrides(LAMPS, FULL)
    assert orders.hear(_order(lamps=["lamp-9", "lamp-2"], level=9, for_ms=5))
    assert list(orders.standing()) == ["lamp-2"]


def test_no_order_goes_above_full_level() -> None:
    orders = Overrides(LAMPS, 200)
    orders.hear(_order(lamps=["lamp-1"], level=254))
    assert orders.of("lamp-1") == 200


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"lamps": ["lamp-9"], "level_pct": 5, "minutes": 1}, "no lamp 'lamp-9'; there are: lamp-1, lamp-2"),
        ({"lamps": ["lamp-1"], "level_pct": 101, "minutes": 1}, "0 to 100 per cent"),
        ({"lamps": ["lamp-1"], "level_pct": 5, "minutes": 121}, "at most 120 minutes"),
        ({"lamps": ["lamp-1"], "level_pct": 5}, "a level and its minutes, or an end"),
        ({"lamps": ["lamp-1"]}, "a level and its minutes, or an end"),
        ({"lamps": 7, "end": True}, "lamps"),
        ({"lamps": "all", "levl_pct": 5}, "levl_pct"),
    ],
)
def test_an_order_that_cannot_be_is_refused_in_words(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        order({"ask": "override", **asked}, LAMPS, 0)


def test_a_controller_without_lamps_takes_no_order() -> None:
    with pytest.raises(InputError, match="no lamps"):
        order({"ask": "override", "lamps": "all", "end": True}, (), 0)


def test_an_order_in_per_cent_and_minutes_is_one_in_levels_and_milliseconds() -> None:
    made = order({"ask": "override", "lamps": "all", "level_pct": 10, "minutes": 2}, LAMPS, 7)
    assert made == _order(t_ns=7, lamps=["lamp-1", "lamp-2"], level=BASE, for_ms=120_000)
    ended = order({"ask": "override", "lamps": ["lamp-2"], "end": True}, LAMPS, 7)
    assert ended == _order(t_ns=7, lamps=["lamp-2"], level=None)


# --- what the gate makes of it


class Night:
    def __init__(self, lit: bool) -> None:
        self._hours = Hours("lit") if lit else OFF

    def hours_at(self, utc_ns: int) -> Hours:
        return self._hours

    def next_change_ns(self, utc_ns: int) -> int:
        return FOREVER_NS

    def sun_up_at(self, utc_ns: int) -> bool:
        return False


def _gate(lit: bool) -> LampGate:
    gate = LampGate(LAMPS, {"radar": (0, 0)}, Night(lit), base_level=BASE, full_level=FULL, fade_ns=NS_PER_S)
    found = [LampStatus(0, lamp, BASE if lit else 0) for lamp in LAMPS]
    gate.step((), (WallTime(0, "wall", 10**18, True), *found), 0)
    return gate


def _told(gate: LampGate, until_ns: int) -> list[tuple[int, int]]:
    """(second, level) of lamp-1, as the gate orders by itself."""
    told = []
    while gate.wake_ns <= until_ns:
        now_ns = gate.wake_ns
        levels = [c.level for c in gate.step((), (), now_ns) if isinstance(c, LampLevel) and c.target == "lamp-1"]
        told += [(now_ns // NS_PER_S, level) for level in levels]
    return told


@pytest.mark.parametrize("lit", [True, False])
def test_an_order_goes_before_calendar_and_doubt_and_both_ways_within_the_gates_ramps(lit: bool) -> None:
    gate = _gate(lit)
    rest = BASE if lit else 0
    up = gate.step((), (_order(t_ns=1, lamps=["lamp-1"], level=FULL, for_ms=60_000),), 1)
    assert list(up) == [LampLevel("lamp-1", FULL)]
    assert of_gate(gate, 30 * NS_PER_S)["overrides"] == {"lamp-1": {"level": FULL, "left_s": 31}}
    told = _told(gate, 90 * NS_PER_S)
    levels = [FULL, *[level for _, level in told]]
    assert told[0] == (60, FULL - 34), "it ends by itself, and sinks in steps"
    assert levels[-1] == rest
    assert all(0 < before - after <= 34 for before, after in itertools.pairwise(levels))
    assert of_gate(gate, 90 * NS_PER_S)["overrides"] == {}


def test_a_neighbour_cannot_order_lamps() -> None:
    gate = _gate(True)
    body: dict[str, object] = {"kind": "override", "lamps": ["lamp-1"], "level": FULL, "for_ms": 60_000}
    assert list(gate.step((), (Message(1, "neighbour", body),), 1)) == []


@given(
    st.lists(st.tuples(st.integers(0, 5_000), st.sampled_from([0, 100, 254, None]), st.integers(1, 3_000)), max_size=8)
)
def test_whatever_is_ordered_a_lamp_is_back_at_rest_when_all_orders_have_ended(
    orders: list[tuple[int, int | None, int]],
) -> None:
    gate, now_ns, shown = _gate(True), 0, BASE
    for later_ms, level, for_ms in orders:
        told = _told(gate, now_ns + later_ms * NS_PER_MS)
        now_ns += later_ms * NS_PER_MS
        made = gate.step((), (_order(t_ns=now_ns, lamps=["lamp-1"], level=level, for_ms=for_ms),), now_ns)
        shown = ([shown, *[level for _, level in told]] + [c.level for c in made if isinstance(c, LampLevel)])[-1]
    shown = ([shown] + [level for _, level in _told(gate, now_ns + 60 * NS_PER_S)])[-1]
    assert shown == BASE


# --- an order is an input: recorded, and re-run to the byte


class Ordering(Flight):
    """A flight in which somebody orders lamps at the control socket, beside riders."""

    def __init__(self, folder: Path, orders: dict[float, dict[str, Any]], **options: Any) -> None:
        super().__init__(folder, riders(40), **options)
        self._orders = {self.start_ns + round(at_s * NS_PER_S): asked for at_s, asked in orders.items()}
        self._pump, self.wires.pump = self.wires.pump, self._served  # type: ignore[method-assign]

    def _served(self, t_ns: int) -> None:
        self._pump(t_ns)
        for at_ns in [at_ns for at_ns in self._orders if at_ns <= t_ns]:
            asked = {"ask": "override", **self._orders.pop(at_ns)}
            self.loop.take(order(asked, self.controller.cycle.lamps, t_ns))


ORDERS = {
    3.0: {"lamps": "all", "level_pct": 100, "minutes": 0.2},
    9.0: {"lamps": ["lamp-2"], "level_pct": 0, "minutes": 0.3},
    12.2: {"lamps": ["lamp-3", "lamp-4"], "level_pct": 35, "minutes": 120},
    31.0: {"lamps": ["lamp-3"], "end": True},
}


def test_a_flight_with_orders_is_recorded_and_every_file_re_runs_to_the_byte(tmp_path: Path) -> None:
    Ordering(tmp_path, ORDERS, file_minutes=0.25).run(40)
    files = ring_files(tmp_path)
    assert len(files) >= 2
    kept = [event for file in files for event in TraceReader(file.path).events() if isinstance(event, Value)]
    assert [(event.source, event.kind) for event in kept] == [(COMMISSIONING, "Message")] * len(ORDERS)
    assert hil(["replay", str(tmp_path), "--verify"]) == 0


def test_a_flight_whose_orders_were_not_recorded_does_not_re_run(tmp_path: Path) -> None:
    flight = Ordering(tmp_path, ORDERS)
    flight.recorder.ordered = lambda value: None  # type: ignore[method-assign]
    flight.run(40)
    assert hil(["replay", str(tmp_path), "--verify"]) == 1


# --- the verb


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What a controller `west` is asked; its lamps are two."""
    from threading import Thread

    heard: list[dict[str, Any]] = []

    def answer(question: dict[str, Any], t_ns: int) -> dict[str, Any]:
        heard.append(question)
        return {"override": order(question, LAMPS, t_ns).body}

    monkeypatch.setattr(controllers.service.control, "FOLDER", tmp_path)
    server = ControlServer(tmp_path / "west.sock", answer)
    server.open()
    going = True

    def serve() -> None:
        import select

        while going:
            select.select([server.fileno() or 0], [], [], 0.02)
            server.pump(0)

    thread = Thread(target=serve)
    thread.start()
    yield heard
    going = False
    thread.join()
    server.close()


def test_the_verb_orders_and_says_what_stands(asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["override", "--controller", "west", "--lamps", "lamp-2, lamp-1", "--level", "50"]) == 0
    assert main(["override", "--lamps", "all", "--end"]) == 0
    assert asked == [
        {"ask": "override", "lamps": ["lamp-2", "lamp-1"], "level_pct": 50, "minutes": 10},
        {"ask": "override", "lamps": "all", "end": True},
    ]
    assert capsys.readouterr().out.splitlines() == [
        "west: lamp-2, lamp-1 at 50 % for 10 min, then back by itself",
        "sooner: leeze-controllers override --controller west --lamps lamp-2,lamp-1 --end",
        "west: lamp-1, lamp-2 back to normal",
    ]


def test_the_line_that_ends_an_order_sooner_does_so_as_it_is_printed(
    asked: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for where in (["--controller", "west"], ["--socket", str(tmp_path / "west.sock")]):
        assert main(["override", *where, "--lamps", "all", "--level", "0"]) == 0
        sooner = capsys.readouterr().out.splitlines()[-1].removeprefix("sooner: leeze-controllers ")
        assert main(sooner.split()) == 0
        assert asked[-1] == {"ask": "override", "lamps": "all", "end": True}


def test_the_verb_says_what_stands_as_json(asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["override", "--lamps", "lamp-1", "--level", "50", "--json"]) == 0
    assert main(["override", "--lamps", "all", "--end", "--json"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"controller": "west", "lamps": ["lamp-1"], "level_pct": 50, "minutes": 10},
        {"controller": "west", "lamps": ["lamp-1", "lamp-2"], "end": True},
    ]


def test_the_verb_refuses_what_the_controller_refuses_and_what_makes_no_sense(
    asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["override", "--lamps", "lamp-9", "--level", "50"]) == 2
    assert "no lamp 'lamp-9'" in capsys.readouterr().err
    assert main(["override", "--lamps", "all"]) == 2
    assert main(["override", "--lamps", "all", "--level", "50", "--end"]) == 2
    for words in (["--level", "101"], ["--level", "x"], ["--level", "5", "--minutes", "121"]):
        assert main(["override", "--lamps", "all", *words]) == 2
    assert len(asked) == 1


def test_the_verb_finds_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["override", "--socket", str(tmp_path / "no.sock"), "--lamps", "all", "--end"]) == 3
    assert "is the controller running?" in capsys.readouterr().err


def test_orders_survive_a_snapshot() -> None:
    orders, other = Overrides(LAMPS, FULL), Overrides(LAMPS, FULL)
    orders.hear(_order(lamps=["lamp-1"], level=3, for_ms=10))
    other.restore(json.loads(json.dumps(orders.snapshot())))
    assert other.standing() == orders.standing()
    assert other.wake_ns == orders.wake_ns
