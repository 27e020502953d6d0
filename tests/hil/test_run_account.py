"""The account of a run: lamps raised for nobody, rules side by side, and the page that shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator

from controllers.core.contract import LampLevel
from controllers.lighting.account import HOUR_NS, Assumptions, Nights
from controllers.lighting.lamp_meter import LampMeter, band_edges
from controllers.lighting.site import LightingSite
from controllers.service.sites import load_site
from drivers.units import FOREVER_NS, NS_PER_S
from hil.benches.coming_riders import ListedRiders
from hil.benches.lit_path import LitPathBench
from hil.cli import main
from hil.judge.account import account
from hil.judge.false_light import FalseLight
from hil.judge.light_ledger import LightLedger
from hil.judge.owed import LightPath, Owed, Walk
from hil.report.account_table import account_html
from hil.traffic.script import ScriptedRider, Waypoint, scripted_rider

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "hil-result.schema.json").read_text(encoding="utf-8"))
BASE, FULL = 170, 254


def counted(owed: list[tuple[int, int]], told: list[tuple[int, int]]) -> int:
    """False lightings of one lamp: what is owed (from, to) in seconds, and the levels it is told (second, level)."""
    light = FalseLight(1, BASE)
    for from_s, to_s in owed:
        light.owed(0, from_s, to_s)
    for second, level in told:
        light.goes(0, second, level)
    return light.count


@pytest.mark.parametrize(
    ("owed", "told", "count"),
    [
        ([], [(10, FULL), (20, BASE)], 1),
        ([(15, 30)], [(10, FULL), (20, BASE)], 0),  # owed from before it sank
        ([(0, 11)], [(10, FULL), (20, BASE)], 0),  # raised late, but for somebody
        ([(0, 10), (20, 30)], [(10, FULL), (20, BASE)], 1),  # between two riders
        ([], [(10, FULL), (15, 220), (20, BASE)], 1),  # sinking in steps is one time
        ([], [(10, FULL), (20, BASE), (30, 200), (40, 0)], 2),
        ([], [(10, FULL)], 0),  # not over yet
        ([], [(10, BASE), (20, 0)], 0),
    ],
)
def test_a_lamp_is_raised_for_nobody_when_it_is_owed_to_nobody_all_the_while(
    owed: list[tuple[int, int]], told: list[tuple[int, int]], count: int
) -> None:
    assert counted(owed, told) == count


def test_a_lamp_that_stays_up_all_night_keeps_no_pile_of_riders_and_knows_that_it_was_for_them() -> None:
    light = FalseLight(1, BASE)
    light.goes(0, 5, FULL)
    for n in range(1_000):
        light.owed(0, 10 + 10 * n, 15 + 10 * n)
    assert len(json.dumps(light.snapshot())) < 1_000
    light.goes(0, 20_000, BASE)
    assert light.count == 0


def test_a_snapshot_in_the_middle_changes_nothing() -> None:
    one, two = FalseLight(2, BASE), FalseLight(2, BASE)
    one.owed(1, 3, 9)
    one.goes(0, 5, FULL)
    one.goes(1, 5, FULL)
    two.restore(json.loads(json.dumps(one.snapshot())))
    for light in (one, two):
        light.goes(0, 12, BASE)
        light.goes(1, 12, BASE)
    assert (one.count, one.lasted_ns, one.snapshot()) == (1, 7, two.snapshot())


class Always:
    def lit_at(self, utc_ns: int) -> bool:
        return True

    def next_edge_ns(self, utc_ns: int) -> int:
        return FOREVER_NS


def test_two_rules_stand_side_by_side_by_night_and_lamp() -> None:
    path = LightPath([0, 32_000])
    ledgers = {rule: LightLedger(path, Always(), zone=ZoneInfo("UTC")) for rule in ("leeze", "always_on")}
    for lamp in range(2):
        ledgers["leeze"].lamp_output(lamp, 0, 0, BASE, 0)
        ledgers["always_on"].lamp_output(lamp, 0, 0, FULL, 0)
    ledgers["leeze"].expect(Walk(0, HOUR_NS, [Owed(10 * HOUR_NS, 11 * HOUR_NS, 0, True)], [], []))
    for lamp in range(2):  # for somebody at lamp 0, for nobody at lamp 1
        ledgers["leeze"].lamp_output(lamp, 10 * HOUR_NS, BASE, FULL, 0)
        ledgers["leeze"].lamp_output(lamp, 14 * HOUR_NS, FULL, BASE, 0)
    for ledger in ledgers.values():
        ledger.finish(24 * HOUR_NS)
    found = account(ledgers, ["a", "b"], Nights(ZoneInfo("UTC")), 1_000, Assumptions())
    assert (found["nights"], found["lit_h"]) == (2, 24)
    assert [night["night"] for night in found["by_night"]] == ["1969-12-31", "1970-01-01"]
    base_wh = 20 * 0.100914
    first, second = (night["energy_wh"]["leeze"] for night in found["by_night"])
    assert first == pytest.approx(2 * (10 * base_wh + 2 * 20), abs=1e-3)
    assert second == pytest.approx(2 * (10 * base_wh + 2 * 20), abs=1e-3)
    assert found["by_lamp"][0]["energy_wh"]["always_on"] == 480
    assert found["false_lightings"] == {"leeze": 1, "always_on": 0}
    assert found["lamp_h_by_level"]["leeze"] == {"off": 0, "to_base": 40, "to_half": 0, "to_full": 0, "full": 8}
    assert found["annual_kwh_m2"]["always_on"] == pytest.approx(0.96 / 256 * 1_000 / 24, abs=1e-4)
    page = account_html(found)
    assert "1969-12-31" in page
    assert page.count("<tr>") > 10


def test_what_nobody_can_reach_is_asked_of_nobody() -> None:
    ledger = LightLedger(LightPath([0, 32_000]), Always())
    ledger.left_out = frozenset([1])
    ledger.lamp_output(0, 0, 0, FULL, 0)
    walk = Walk(0, 100, [Owed(20, 60, 0, True), Owed(20, 60, 1, True)], [], [])
    ledger.expect(walk)
    ledger.finish(NS_PER_S)
    assert (ledger.figures().riders, ledger.figures().lit_in_time) == (1, 1)


def test_a_replay_ends_with_its_account_and_the_report_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    main(["replay", "kanalpromenade-evening", "--json", "--seconds", "120", "--report", str(page)])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    Draft202012Validator(SCHEMA).validate(found)
    told = found["account"]
    assert sum(row["energy_wh"]["leeze"] for row in told["by_lamp"]) == pytest.approx(
        found["energy_wh"]["leeze"], abs=1e-4
    )
    assert sum(row["energy_wh"]["oracle"] for row in told["by_night"]) == pytest.approx(
        found["energy_wh"]["oracle"], abs=1e-4
    )
    assert sum(row["raised"]["leeze"] for row in told["by_lamp"]) == found["raised"]["leeze"]
    assert "D_E (AECI)" in page.read_text()


def test_what_passes_the_gate_is_what_the_gear_then_gives_within_a_hundredth() -> None:
    """The field reckons from decisions, the ledger from the gear on the modelled line; they must agree."""
    site = load_site("kanalpromenade-reference")
    assert isinstance(site, LightingSite)
    riders = [
        scripted_rider(ScriptedRider([Waypoint(10 + 30 * n, -200), Waypoint(110 + 30 * n, 550)]), n) for n in range(4)
    ]
    bench = LitPathBench(site, ListedRiders(riders), origin_utc_ns=1_771_610_400 * NS_PER_S, rules=False)
    meters = {name: LampMeter(0, BASE, band_edges(BASE, FULL)) for name in bench.lamps}

    def started(slot: Any, now_ns: int) -> None:
        before = slot.cycle.observer

        def observe(tick: int, t_ns: int, inputs: Any, asked: Any, allowed: Any) -> None:
            if before is not None:
                before(tick, t_ns, inputs, asked, allowed)
            for command in allowed:
                if isinstance(command, LampLevel):
                    meter = meters[f"{slot.name}/{command.target}"]
                    meter.go(t_ns, meter.level_at(t_ns), command.level, NS_PER_S)

        slot.cycle.observer = observe

    bench.bench.add_start_listener(started)
    bench.start()
    bench.run(300 * NS_PER_S)
    bench.finish()
    told = sum(meter.sums_at(300 * NS_PER_S).light for meter in meters.values())
    given = sum(row.light for row in bench.ledger.account.by_lamp(300 * NS_PER_S))
    assert told == pytest.approx(given, rel=0.01)
    assert {name: meter.sums_at(300 * NS_PER_S).raised for name, meter in meters.items()} == {
        name: row.raised for name, row in zip(bench.lamps, bench.ledger.account.by_lamp(300 * NS_PER_S), strict=True)
    }
