"""`leeze-controllers energy`: recorded decisions become the bill; cut, damaged and missing files are told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

import controllers.cli_energy
from boards.load import load_board
from controllers.cli import main
from controllers.core.contract import LampLevel
from controllers.core.scan_cycle import ScanCycle
from controllers.service.flight_recorder import FlightRecorder
from controllers.service.flight_tap import flight_wires
from controllers.service.sites import load_site
from drivers.quantities import PowerReading, WallTime
from drivers.recording.provenance import Provenance
from drivers.recording.ring import ring_files
from drivers.units import NS_PER_S
from flight_rig import Clock, Flight, riders

BOARD = "kanalpromenade-lamp"


class Cycle:
    """Has the gate's levels in its snapshot, as a real one."""

    def __init__(self) -> None:
        self.passed: dict[str, int | None] = {f"lamp-{n}": 170 for n in range(1, 7)}

    def snapshot(self) -> dict[str, Any]:
        return {"gate": {"passed": dict(self.passed)}}


class Night:
    """A recorder told by hand: what passed, when. Every file lasts as long as the test wants."""

    def __init__(self, folder: Path, after_s: float = 0, known: bool = True) -> None:
        self.clock, self.cycle = Clock(), Cycle()
        self.clock.sleep_until_ns(self.clock.now_ns() + round(after_s * NS_PER_S))
        self.begun_ns = self.clock.now_ns()
        description = load_board(BOARD)
        self.recorder = FlightRecorder(
            folder,
            description,
            load_site("kanalpromenade-reference"),
            "west",
            Provenance(),
            flight_wires(description),
            clock=self.clock,
            file_minutes=30,
        )
        self.recorder.open(cast(ScanCycle, self.cycle), threads=False)
        self.recorder.started(self.begun_ns)
        if known:
            self.recorder.wall(WallTime(self.begun_ns, "wall", self.clock.utc_ns(), True))

    def tick(self, second: float, levels: dict[str, int] | None = None, readings: Sequence[PowerReading] = ()) -> Night:
        t_ns = self.begun_ns + round(second * NS_PER_S)
        self.clock.sleep_until_ns(t_ns)
        self.cycle.passed |= levels or {}
        commands = [LampLevel(lamp, level) for lamp, level in (levels or {}).items()]
        self.recorder.observed(round(second * 50), t_ns, readings, (), commands)
        self.recorder.ticked(t_ns)
        self.recorder.writer.turn()
        return self

    def reading(self, second: float, source: str, energy_mwh: int) -> PowerReading:
        return PowerReading(self.begun_ns + round(second * NS_PER_S), source, energy_mwh=energy_mwh)

    def end(self) -> None:
        self.recorder.close()


def bill(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> dict[str, Any]:
    assert main(["energy", *map(str, words), "--json"]) == code
    (found,) = json.loads(capsys.readouterr().out)["controllers"]
    return dict(found)


def an_hour(folder: Path) -> None:
    """Lamp 1 full from minute 10 to 40, the others at base; files of half an hour; a meter on the supply."""
    night = Night(folder)
    for minute in range(61):
        levels = {10: {"lamp-1": 254}, 40: {"lamp-1": 170}}.get(minute)
        readings = [
            night.reading(minute * 60, "meter", 5_000 + minute * 400),
            night.reading(minute * 60, "lamp-1", minute),
        ]
        night.tick(minute * 60, levels, readings if minute % 10 == 0 else ())
    night.end()


def test_levels_become_watt_hours_by_lamp_and_night(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    an_hour(tmp_path)
    assert len(ring_files(tmp_path)) == 2
    found = bill(capsys, tmp_path)
    base_w, fade_wh = 20 * 0.100914, 20 * 0.9 / 3600
    one, *others = found["by_lamp"]
    assert one["energy_wh"] == pytest.approx(0.5 * 20 + 0.5 * base_w, abs=fade_wh)
    assert one["energy_wh"] != pytest.approx(0.5 * 20 + 0.5 * base_w, abs=1e-4)  # the fades of a second count
    assert (one["raised"], one["switched_on"], one["measured_wh"]) == (1, 0, 0.06)
    assert one["lamp_h_by_level"]["full"] == pytest.approx(0.5, abs=0.001)
    assert [other["energy_wh"] for other in others] == [pytest.approx(base_w, abs=1e-4)] * 5
    assert found["lit_h"] == pytest.approx(1, abs=0.001)
    assert found["always_on_wh"] == pytest.approx(120, abs=0.01)
    assert found["measured_wh"] == {"meter": 24.0, "lamp-1": 0.06}
    (night,) = found["by_night"]
    assert (night["night"], night["energy_wh"]) == ("2026-02-20", pytest.approx(found["energy_wh"]))
    assert found["not_recorded"] == []
    area_m2 = 6 * 32 * 4
    assert found["annual_kwh_m2"] == pytest.approx(
        found["energy_wh"] / 1000 / area_m2 * found["assumed"]["year_lit_h"], rel=1e-3
    )


def test_the_tables_say_the_same_to_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # a wide table, whatever this runs in
    an_hour(tmp_path)
    assert main(["energy", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "controller west: 6 lamps of 20 W, 1 night, 1.00 lit hours recorded" in out
    assert "2026-02-20 (1.00 h)" in out
    assert "lamps 0.06, meter 24.00" in out
    assert "D_E (AECI)" in out


def test_a_hole_between_two_rings_is_told_and_not_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for after_s in (0, 7200):
        night = Night(tmp_path, after_s)
        night.tick(1, {"lamp-1": 254}).tick(600).end()
    found = bill(capsys, tmp_path)
    (hole,) = found["not_recorded"]
    assert hole["seconds"] == pytest.approx(6600, abs=2)
    assert found["by_lamp"][0]["energy_wh"] == pytest.approx(2 * 20 * 599 / 3600, abs=0.01)
    assert found["lit_h"] == pytest.approx(1200 / 3600, abs=0.001)


def test_a_file_cut_at_any_place_is_reckoned_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    an_hour(tmp_path / "whole")
    first = ring_files(tmp_path / "whole")[0].path
    whole_wh = bill(capsys, first)["energy_wh"]
    data, before = first.read_bytes(), -1.0
    for part in (0.5, 0.7, 0.9, 0.97):
        cut = tmp_path / f"{BOARD}-000001.mcap"
        cut.write_bytes(data[: int(len(data) * part)])
        found = bill(capsys, cut)
        assert before <= found["energy_wh"] <= whole_wh
        assert found["notes"]
        before = found["energy_wh"]
    assert 0 < before <= whole_wh


def test_a_damaged_file_is_told_and_gives_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    an_hour(tmp_path)
    first = ring_files(tmp_path)[0].path
    data = bytearray(first.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    first.write_bytes(data)
    found = bill(capsys, tmp_path, code=1)
    assert "damaged" in found["notes"][0]


def test_a_real_controller_flown_in_virtual_time_has_a_bill_and_its_stop_is_base(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Flight(tmp_path, riders(20), file_minutes=0.2).run(30)
    found = bill(capsys, tmp_path)
    assert 0 < found["energy_wh"] <= found["always_on_wh"] * 1.001
    assert sum(row["raised"] for row in found["by_lamp"]) > 0
    assert found["not_recorded"] == []


def test_light_by_day_belongs_to_a_night_without_lit_hours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Night(tmp_path, after_s=18 * 3600).tick(1, {"lamp-1": 254}).tick(600).end()  # 13:00 to 13:10
    found = bill(capsys, tmp_path)
    (night,) = found["by_night"]
    assert (night["night"], night["lit_h"], night["always_on_wh"]) == ("2026-02-21", 0, 0)
    assert found["by_lamp"][0]["energy_wh"] == pytest.approx(20 * 599 / 3600, abs=0.01)
    assert main(["energy", str(tmp_path)]) == 0


def test_a_time_that_nobody_knew_is_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Night(tmp_path, known=False).tick(1, {"lamp-1": 254}).tick(600).end()
    assert bill(capsys, tmp_path)["notes"] == [f"{BOARD}-000001.mcap: left out, 600 s of which nobody knew the time"]


def test_a_file_that_learns_the_time_late_stands_where_it_belongs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Night(tmp_path / "a").tick(1, {"lamp-1": 254}).tick(600).end()
    late = Night(tmp_path / "b", after_s=7200, known=False)
    late.tick(1, {"lamp-1": 254})
    late.recorder.wall(WallTime(late.clock.now_ns(), "wall", late.clock.utc_ns(), True))
    late.tick(600).end()
    found = bill(capsys, tmp_path / "b", tmp_path / "a")
    assert found["by_lamp"][0]["energy_wh"] == pytest.approx(2 * 20 * 599 / 3600, abs=0.01)
    assert len(found["not_recorded"]) == 1


def test_wrong_use_names_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "no.mcap").write_bytes(b"no trace at all")
    Flight(tmp_path / "display", site="leezenflow-hoerstertor", controller=None).run(1)
    an_hour(tmp_path / "lamps")
    shutil.copytree(tmp_path / "lamps", tmp_path / "again")
    for words, said in (
        ([tmp_path / "nowhere"], "cannot be read"),
        ([tmp_path / "empty"], "holds no file of a flight recorder"),
        ([tmp_path / "no.mcap"], "no.mcap"),
        ([tmp_path / "display"], "an account is of lamps"),
        ([tmp_path / "lamps", tmp_path / "again"], "name each ring once"),
        ([tmp_path / "lamps", "--site", "leezenflow-hoerstertor"], "has no lamps"),
    ):
        assert main(["energy", *map(str, words)]) == 2
        assert said in capsys.readouterr().err


def test_on_a_telephone_each_row_is_what_it_used_and_its_share_of_always_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    an_hour(tmp_path)
    found = bill(capsys, tmp_path)
    assert main(["energy", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    tables = said[1 : said.index(next(line for line in said if line.startswith("EN 13201-5")))]
    assert max(map(len, tables)) <= 40
    share = f"{found['energy_wh'] * 100 / found['always_on_wh']:.1f}"
    assert ["all", f"{found['energy_wh']:.2f}", share, "%"] in [line.split() for line in tables]
    assert len(tables) == 2 + 1 + 7 + 1 + 1 + 1


def test_where_no_recorder_has_written_it_is_said_how_to_have_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controllers.cli_energy, "DEFAULT_FOLDER", tmp_path / "flight")
    assert main(["energy"]) == 2
    assert "no flight recorder has written there; name its folder, or let `leeze-controllers run --flight`" in (
        capsys.readouterr().err
    )
