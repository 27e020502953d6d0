"""The reference site with other radars: K-LD7 and OPS243 at the wires, their drivers, policy, gate, gear and ledger.

Each reports at its part's own times: K-LD7 a frame of 29, 57 or 229 ms, OPS243 a speed without a place every 100 ms.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from boards.load import load_board
from controllers.lighting.site import LightingSite
from controllers.service.sites import load_site
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.coming_riders import ListedRiders
from hil.benches.lit_path import LitPathBench
from hil.cli import main
from hil.faults.plan import Faults
from hil.peers.path_radars import path_radar
from hil.traffic.rider import Rider, Segment

LIT_UTC_NS = 1_708_369_200 * NS_PER_S
"""19 February 2024, 20:00 in Münster."""

BASE, FULL = 170, 254
RANGE_M = 30
"""As far as a K-LD7 tracks."""

RADARS: dict[str, tuple[str, str, str]] = {
    "K-LD7, 229 ms": ('part = "kld7"\nspeed_kmh = 12',) * 3,
    "K-LD7, 57 ms": ('part = "kld7"',) * 3,
    "K-LD7, 29 ms": ('part = "kld7"\nspeed_kmh = 100',) * 3,
    "OPS243 in m/s": ('part = "ops243"',) * 3,
    "OPS243 in km/h": ('part = "ops243"\nunit = "km/h"',) * 3,
    "one of each": ('part = "ld2451"', 'part = "kld7"', 'part = "ops243"'),
}
"""What radar-1 to radar-3 of a board say."""


def board(folder: Path, radars: tuple[str, str, str]) -> str:
    """The board of the reference site with these radars."""
    text = (Path(str(files("boards"))) / "catalog" / "kanalpromenade-lamp.toml").read_text()
    for n, said in enumerate(radars, 1):
        parity = 'parity = "E"\n' if "kld7" in said else ""
        text = text.replace(f'[devices.radar-{n}]\npart = "ld2451"', f"[devices.radar-{n}]\n{said}")
        text = text.replace(f'uart = "uart{n + 2}"\nbaud = 115200\n', f'uart = "uart{n + 2}"\nbaud = 115200\n{parity}')
    path = folder / "others.toml"
    path.write_text(text)
    assert sum(said in text for said in set(radars)) == len(set(radars))
    return str(path)


def site() -> LightingSite:
    found = load_site("kanalpromenade-reference")
    assert isinstance(found, LightingSite)
    return msgspec.structs.replace(
        found,
        controllers=tuple(
            msgspec.structs.replace(
                one, radars=tuple(msgspec.structs.replace(radar, range_m=RANGE_M) for radar in one.radars)
            )
            for one in found.controllers
        ),
    )


def ride(number: int, at_s: int, v_mm_s: int) -> Rider:
    """From 100 m before the path to 100 m behind it."""
    from_mm, t0_ns = (-100_000 if v_mm_s > 0 else 452_000), at_s * NS_PER_S
    return Rider(number, (Segment(t0_ns, from_mm, v_mm_s),), t0_ns + 552_000 * NS_PER_S // abs(v_mm_s))


MEETING = [ride(0, 20, 8_300), ride(1, 30, -7_000)]


def bench(board: str, riders: list[Rider], faults: Faults | None = None, *, skip: bool = True) -> LitPathBench:
    made = LitPathBench(
        site(), ListedRiders(riders), origin_utc_ns=LIT_UTC_NS, faults=faults, rules=False, board=board, skip=skip
    )
    made.start()
    return made


def levels(made: LitPathBench) -> list[int]:
    return [made.level_at(lamp, made.bench.now_ns) for lamp in range(12)]


@pytest.mark.parametrize(
    "radars", [pytest.param(name, marks=pytest.mark.long) if "29 ms" in name else name for name in RADARS]
)
def test_riders_who_meet_are_lit_in_time_whatever_radars_see_them(radars: str, tmp_path: Path) -> None:
    made = bench(board(tmp_path, RADARS[radars]), MEETING)
    made.run(18 * NS_PER_S)
    assert levels(made) == [BASE] * 12, "they are found, and say that nobody is there"
    made.run(115 * NS_PER_S)
    made.finish()
    figures = made.ledger.figures()
    assert (figures.riders, figures.lit_in_time, made.ledger.misses) == (2, 2, [])
    assert figures.full_at_10m == figures.lamps_met == 24
    assert all(radar.frames for radar in made.radars.values())


@pytest.mark.parametrize("radars", ["OPS243 in m/s", "one of each"])
def test_nobody_of_a_group_comes_to_a_lamp_that_is_not_full_and_behind_it_is_base_again(
    radars: str, tmp_path: Path
) -> None:
    """An OPS243 cannot tell them apart, so the lamps 60 m ahead of the first may be late; those 10 m ahead may not."""
    group = [ride(number, 20 + number, 10_000 - 300 * number) for number in range(3)]
    made = bench(board(tmp_path, RADARS[radars]), group)
    made.run(170 * NS_PER_S)
    made.finish()
    figures = made.ledger.figures()
    assert figures.full_at_10m == figures.lamps_met == 36
    assert levels(made) == [BASE] * 12


@pytest.mark.parametrize("radars", ["K-LD7, 57 ms", "OPS243 in m/s"])
def test_what_a_silent_one_should_see_is_full(radars: str, tmp_path: Path) -> None:
    silent = Faults(silent_radars={"west/radar-2": ((12 * NS_PER_S, 30 * NS_PER_S),)})
    made = bench(board(tmp_path, RADARS[radars]), [], silent)
    made.run(12 * NS_PER_S)
    assert levels(made) == [BASE] * 12
    made.run(29 * NS_PER_S)
    lit = [lamp for lamp, level in enumerate(levels(made)) if level == FULL]
    assert {2, 3} <= set(lit), "64 and 96 m"
    assert set(range(6, 12)).isdisjoint(lit)
    made.run(50 * NS_PER_S)
    assert levels(made) == [BASE] * 12


@pytest.mark.parametrize("radars", ["K-LD7, 57 ms", "OPS243 in m/s", "one of each"])
def test_jumping_ticking_and_going_on_from_a_snapshot_give_the_same_bytes(radars: str, tmp_path: Path) -> None:
    path, riders, until_ns = board(tmp_path, RADARS[radars]), [ride(0, 10, 8_300), ride(1, 12, -8_300)], 24 * NS_PER_S
    made = bench(path, riders)
    made.run(20 * NS_PER_S)  # both are in a view
    state: Any = json.loads(json.dumps(made.snapshot()))
    made.run(until_ns)
    digest = made.finish()
    ticked = bench(path, riders, skip=False)
    ticked.run(until_ns)
    assert ticked.finish() == digest
    other = bench(path, riders)
    other.restore(state)
    other.run(until_ns)
    assert other.finish() == digest


def test_traffic_is_replayed_on_such_a_board(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["traffic", "make", "-o", str(tmp_path / "crowd.traffic"), "--from", "2024-02-19", "--days", "1"]) == 0
    capsys.readouterr()
    words = ["--board", board(tmp_path, RADARS["OPS243 in m/s"]), "--no-rules", "--json", "--seconds", "900"]
    fault = ["--fault", "radar-silent:west/radar-1:10-20"]
    assert main(["replay", str(tmp_path / "crowd.traffic"), *words, *fault]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["radar_frames"] > 0


def test_a_part_that_sees_no_riders_is_none() -> None:
    with pytest.raises(ValueError, match="a urm14 sees no riders; those that do: ld2451, kld7, ops243"):
        path_radar("urm14", "west/radar-1", None, x_mm=0, sign=1, range_mm=1, seed=0)  # type: ignore[arg-type]


def test_the_boards_are_what_they_are_meant_to_be(tmp_path: Path) -> None:
    said = load_board(board(tmp_path, RADARS["one of each"]))
    shipped = load_board("kanalpromenade-lamp-radars")
    assert {name: type(there) for name, there in shipped.devices.items()} == {
        name: type(there) for name, there in said.devices.items()
    }
    assert [msgspec.to_builtins(said.devices[f"radar-{n}"])["part"] for n in (1, 2, 3)] == ["ld2451", "kld7", "ops243"]
    assert said.period_ms * NS_PER_MS == 20 * NS_PER_MS


def test_in_real_time_such_a_board_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--board", "kanalpromenade-lamp-radars", "--bench", "process"]
    assert main(["replay", "lamp-handover", *words]) == 2
    said = capsys.readouterr().err
    assert "west: radar 'radar-2' of board kanalpromenade-lamp-radars is a kld7" in said
    assert "with ld2451 at the far end only (--bench process)" in said
