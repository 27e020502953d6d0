"""Flights run again: the same to the byte, whatever the machine did to the loop; every change is found and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from controllers.greenwave.site import GreenwaveSite
from controllers.lighting.site import LightingSite
from controllers.service.sites import load_site
from drivers.recording.events import Decision, Digest, Event, Lost, Snapshot, Tick, Ticks, WireBytes
from drivers.recording.reader import TraceReader
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.planted import changed, with_a_bit_flipped
from hil.benches.virtual_loop import Upsets, VirtualLoop
from hil.benches.virtual_peers import display_peers, lit_path_peers
from hil.case import load_case, shipped
from hil.faults.plan import Faults
from hil.traffic.rider import Rider
from hil.traffic.script import ScriptedRider, Waypoint, scripted_rider
from hil.verify import verify

EVENING_UTC_NS = 1_708_362_000 * NS_PER_S  # 2024-02-19 18:00 in Münster: dark
MINUTE_NS = 60 * NS_PER_S

HARD_DAY = Upsets(
    seed=7,
    late_per_mille=20,
    lost={"dali": ((40 * NS_PER_S, 45 * NS_PER_S),), "neighbour": ((100 * NS_PER_S, 103 * NS_PER_S),)},
    steps=((70 * NS_PER_S, 3600 * NS_PER_S), (150 * NS_PER_S, -1800 * NS_PER_S)),
    unsynchronised=((90 * NS_PER_S, 110 * NS_PER_S),),
)
SILENCES = Faults(
    silent_radars={"radar-2": ((60 * NS_PER_S, 75 * NS_PER_S),)},
    silent_gateways={"dali": ((120 * NS_PER_S, 125 * NS_PER_S),)},
)


def riders(*starts_s: int) -> list[Rider]:
    """One up the path and one down it, in turn."""
    return [
        scripted_rider(
            ScriptedRider([Waypoint(at_s, -60 if n % 2 else 260), Waypoint(at_s + 58, 260 if n % 2 else -60)]), n
        )
        for n, at_s in enumerate(starts_s)
    ]


def lamps(folder: Path, span_ns: int = 3 * MINUTE_NS, *, killed: bool = False, **more: Any) -> list[Path]:
    """A flight of the western lamp board; the files of its ring."""
    site = load_site("kanalpromenade-reference")
    assert isinstance(site, LightingSite)
    options = {"upsets": HARD_DAY, "file_minutes": 1, **more}
    loop = VirtualLoop(site, "kanalpromenade-lamp", folder, utc_ns=EVENING_UTC_NS, controller="west", **options)
    lit_path_peers(loop, site, "west", riders(5, 20, 61, 64, 130), SILENCES)
    loop.run(span_ns, killed=killed)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three minutes of a hard day, a file a minute."""
    return lamps(tmp_path_factory.mktemp("ring"))


@pytest.fixture(scope="module")
def display(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two minutes of a Leezenflow, with late ticks and lost pictures."""
    folder = tmp_path_factory.mktemp("display")
    site, case = load_site("leezenflow-hoerstertor"), load_case(shipped()["leezenflow-crossing"])
    assert isinstance(site, GreenwaveSite)
    assert case.signal is not None
    upsets = Upsets(seed=3, late_per_mille=10, lost={"panel": ((30 * NS_PER_S, 32 * NS_PER_S),)})
    loop = VirtualLoop(site, "leezenflow-laptop", folder, utc_ns=case.start_utc_ns, upsets=upsets, file_minutes=1)
    display_peers(loop, site.feed, case.signal, case.start_utc_ns)
    loop.run(2 * MINUTE_NS)
    return sorted(folder.iterdir())


def first(path: Path, kind: type[Event], which: int = 0) -> tuple[int, Any]:
    """Number and record of the (which + 1)th of a kind that goes out."""
    found = [
        (number, event)
        for number, event in enumerate(TraceReader(path).events())
        if isinstance(event, kind) and getattr(event, "outward", True)
    ]
    return found[which]


def planted(path: Path, out: Path, at: int, change: Callable[[Event], Event | None], *, digests: bool = True) -> Path:
    changed(path, out, lambda number, event: change(event) if number == at else event, digests=digests)
    return out


def test_a_ring_runs_again_to_the_byte_with_and_without_skipping(ring: list[Path]) -> None:
    kinds = {type(event).__name__ for path in ring for event in TraceReader(path).events()}
    assert kinds == {
        *("Snapshot", "Mark", "WireBytes", "Tick", "Decision", "Wall", "Late", "Lost", "Ticks", "Digest"),
    }, "the day was hard enough"
    skipped, stepped = verify([ring[0].parent], processes=1), verify(ring, skip=False, processes=1)
    assert (skipped.verdict, stepped.verdict) == ("same", "same"), skipped.files[-1].text() + stepped.files[-1].text()
    assert skipped.digest == stepped.digest
    for one, other in zip(skipped.files, stepped.files, strict=True):
        assert one.result is not None
        assert other.result is not None
        assert one.result.digest == other.result.digest == first(one.path, Digest, -1)[1].digest
        assert one.result.ticks == sum(e.ran for e in TraceReader(one.path).events() if isinstance(e, Ticks))
        assert other.result.ticks > one.result.ticks
    assert [file.seam for file in skipped.files] == [
        "",
        *["opens with the state that the file before ends with"] * (len(ring) - 1),
    ]
    assert len(ring) >= 3
    assert [bool(file.result and file.result.stopped) for file in skipped.files][-2:] == [False, True]


def test_any_file_runs_alone(ring: list[Path], tmp_path: Path) -> None:
    alone = tmp_path / "alone.mcap"
    alone.write_bytes(ring[2].read_bytes())
    found = verify([alone])
    assert found.verdict == "same", found.files[0].text()


def test_a_display_runs_again_to_the_byte(display: list[Path]) -> None:
    assert any(isinstance(event, Lost) for path in display for event in TraceReader(path).events())
    found = verify(display, processes=1)
    assert found.verdict == "same", found.files[-1].text()
    assert verify(display, skip=False, processes=1).digest == found.digest


def test_a_bit_of_a_decision_is_found_and_the_policy_named(ring: list[Path], tmp_path: Path) -> None:
    which = next(n for n in range(10, 99) if "level" in first(ring[1], Decision, n)[1].body)
    at, decision = first(ring[1], Decision, which)
    bad = planted(ring[1], tmp_path / "bad.mcap", at, with_a_bit_flipped)
    found = verify([bad])
    result = found.files[0].result
    assert result is not None
    difference = result.difference
    assert (found.verdict, found.exit_code) == ("different", 1)
    assert difference is not None
    assert (difference.what, difference.t_ns) == ("decision", decision.t_ns)
    assert difference.tick == decision.t_ns // (20 * NS_PER_MS)
    assert difference.got == msgspec.json.encode(decision.body)
    assert difference.who.startswith("policy lighting: ")
    assert difference.local.startswith("2024-02-19T")
    assert difference.before


@pytest.mark.parametrize("which", ["ring", "display"])
def test_a_bit_of_what_went_out_is_found_and_the_driver_named(
    which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(which)[1]
    at, sent = first(path, WireBytes, 20)
    result = verify([planted(path, tmp_path / "bad.mcap", at, with_a_bit_flipped)]).files[0].result
    assert result is not None
    difference = result.difference
    assert difference is not None
    assert (difference.what, difference.wire, difference.t_ns) == ("bytes", sent.wire, sent.t_ns)
    assert difference.got == sent.data
    assert difference.expected is not None
    assert difference.expected[:-1] == sent.data[:-1]
    assert difference.who == f"the driver of wire {sent.wire}: the decisions of this tick are the same"


def test_a_bit_of_a_picture_is_found_and_the_policy_named(display: list[Path], tmp_path: Path) -> None:
    at, decision = first(display[1], Decision, 5)
    result = verify([planted(display[1], tmp_path / "bad.mcap", at, with_a_bit_flipped)]).files[0].result
    assert result is not None
    assert result.difference is not None
    assert (result.difference.what, result.difference.t_ns) == ("decision", decision.t_ns)
    assert result.difference.who.startswith("policy greenwave: ")
    assert "panel frame" in result.difference.got_text


@pytest.mark.parametrize("kind", [WireBytes, Decision, Tick])
def test_what_is_missing_from_the_record_is_found(ring: list[Path], tmp_path: Path, kind: type[Event]) -> None:
    at, missing = first(ring[1], kind, 5)
    result = verify([planted(ring[1], tmp_path / "bad.mcap", at, lambda event: None)]).files[0].result
    assert result is not None
    assert result.difference is not None
    assert result.difference.t_ns == missing.t_ns


def test_a_decision_that_never_was_is_found(ring: list[Path], tmp_path: Path) -> None:
    _, decision = first(ring[1], Decision, 5)
    at, last = first(ring[1], Ticks, 2)
    extra: Event = msgspec.structs.replace(decision, t_ns=last.t_ns - 1)
    out = tmp_path / "bad.mcap"
    reader = list(TraceReader(ring[1]).events())
    assert reader[at] == last

    def change(event: Event) -> Event:
        return extra

    result = verify([planted(ring[1], out, at, change)]).files[0].result
    assert result is not None
    assert result.difference is not None
    assert (result.difference.what, result.difference.got) == ("decision", None)


def test_a_count_of_ticks_that_is_wrong_is_found(ring: list[Path], tmp_path: Path) -> None:
    at, ticks = first(ring[1], Ticks, 2)
    bad = planted(ring[1], tmp_path / "b.mcap", at, lambda event: msgspec.structs.replace(event, ran=ticks.ran + 1))
    result = verify([bad]).files[0].result
    assert result is not None
    assert result.difference is not None
    assert result.difference.what == "ticks run in this block"
    assert (result.difference.expected, result.difference.got) == (b"%d" % (ticks.ran + 1), b"%d" % ticks.ran)
    assert verify([bad], skip=False).verdict == "same", "where every tick is run their number says nothing"


def test_an_input_that_changes_no_decision_is_found_by_the_digest(ring: list[Path], tmp_path: Path) -> None:
    """A bit in the signal strength of a target."""
    numbers = [
        number
        for number, event in enumerate(TraceReader(ring[1]).events())
        if isinstance(event, WireBytes) and not event.outward and len(event.data) == 17
    ]

    def weaker(event: Event) -> Event:
        assert isinstance(event, WireBytes)
        data = bytearray(event.data)
        data[12] ^= 1
        return msgspec.structs.replace(event, data=bytes(data))

    bad = planted(ring[1], tmp_path / "bad.mcap", numbers[3], weaker, digests=False)
    result = verify([bad]).files[0].result
    assert result is not None
    assert result.difference is not None
    assert result.difference.what.startswith("digest of all before")


def test_state_that_no_snapshot_holds_shows_at_the_seam(ring: list[Path], tmp_path: Path) -> None:
    def other(number: int, event: Event) -> Event:
        if isinstance(event, Snapshot):
            event.state["cycle"]["gate"]["edge_ns"] += 1
        return event

    folder = tmp_path / "ring"
    folder.mkdir()
    for path in ring:
        changed(path, folder / path.name, other if path == ring[1] else lambda number, event: event)
    found = verify([folder], processes=1)
    assert found.verdict == "different"
    assert found.files[1].broken_seam
    assert "opens with another state than the file before ends with: gate.edge_ns is " in found.files[1].seam
    assert found.left == len(ring) - 2
    assert verify([folder], processes=1, keep_going=True).left == 0


def test_a_killed_controller_is_verified_to_its_last_record(tmp_path: Path) -> None:
    path = lamps(tmp_path / "ring", 100 * NS_PER_S, killed=True, file_minutes=15)[0]
    found = verify([path])
    result = found.files[0].result
    assert found.verdict == "same"
    assert result is not None
    assert not result.whole
    assert result.to_ns > 99 * NS_PER_S
    assert "without its footer" in found.files[0].text()


@pytest.mark.parametrize("cut_ppm", [300_000, 612_345, 900_001, 999_990])
def test_a_file_cut_anywhere_is_verified_up_to_there(ring: list[Path], tmp_path: Path, cut_ppm: int) -> None:
    data = ring[1].read_bytes()
    path = tmp_path / "cut.mcap"
    path.write_bytes(data[: len(data) * cut_ppm // 1_000_000])
    found = verify([path])
    assert found.verdict == "same", found.files[0].text()
    assert found.files[0].result is not None
    assert found.files[0].result.ended


def test_damage_in_the_middle_ends_the_judgement_and_is_no_difference(ring: list[Path], tmp_path: Path) -> None:
    data = bytearray(ring[1].read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    path = tmp_path / "damaged.mcap"
    path.write_bytes(data)
    found = verify([path])
    result = found.files[0].result
    assert (found.verdict, found.exit_code) == ("damaged", 2)
    assert result is not None
    assert result.difference is None
    assert "what follows is not judged" in result.ended
    assert result.from_ns < result.to_ns < first(ring[1], Digest, -1)[1].t_ns


def test_a_gap_ends_the_judgement_of_its_file_and_the_next_one_goes_on(tmp_path: Path) -> None:
    """The queue holds a second or so, and nobody empties it for ten."""
    site = load_site("kanalpromenade-reference")
    assert isinstance(site, LightingSite)
    loop = VirtualLoop(
        site, "kanalpromenade-lamp", tmp_path, utc_ns=EVENING_UTC_NS, controller="west", queue_bytes=100_000
    )
    lit_path_peers(loop, site, "west", riders(5, 20, 61))
    turn = loop.recorder.writer.turn

    def sleepy() -> None:
        if not 20 * NS_PER_S < loop.clock.now_ns() < 60 * NS_PER_S:
            turn()

    loop.recorder.writer.turn = sleepy  # type: ignore[method-assign]
    loop.run(100 * NS_PER_S)
    found = verify([tmp_path], processes=1)
    assert found.verdict == "same", found.text()
    results = [file.result for file in found.files]
    assert len(results) == 2
    assert results[0] is not None
    assert results[1] is not None
    assert "a gap: " in results[0].ended
    assert results[0].to_ns < results[1].from_ns
    assert results[1].stopped
