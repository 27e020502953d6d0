"""Golden cases: references, planted changes, promises, and case files with faults in them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from controllers.greenwave.picture import Stage, frame_of
from drivers.codecs.dali import level_for_ppm
from hil.case import load_case, shipped
from hil.judge.reference import load_reference, read_reference

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "hil-result.schema.json").read_text(encoding="utf-8"))


def with_reference(leeze_hil: Any, folder: Path) -> Path:
    ran = leeze_hil("replay", folder, "--update-reference", "--json")
    assert (ran.code, ran.result["verdict"]) == (0, "passed")
    return folder / "reference.txt"


def test_a_case_passes_against_the_reference_made_of_it_and_fails_nowhere_else(
    leeze_hil: Any, ride: Path, signal: Path
) -> None:
    for case, wires in ((ride, {"east", "west"}), (signal, {"leezenflow"})):
        reference = with_reference(leeze_hil, case)
        before = reference.read_bytes()
        found = load_reference(reference)
        assert found.case == case.name
        assert set(found.periods_ms) == wires == {sent.wire.partition("/")[0] for sent in found.sent}
        ran = leeze_hil("replay", case, "--json")
        assert (ran.code, ran.result["verdict"], ran.err) == (0, "passed", "")
        assert "divergence" not in ran.result
        assert leeze_hil("replay", case, "--no-skip").code == 0
        assert reference.read_bytes() == before  # only --update-reference writes it
        with_reference(leeze_hil, case)
        assert reference.read_bytes() == before


def test_a_planted_change_of_the_lighting_policy_fails_with_tick_time_wire_and_bytes(
    leeze_hil: Any, ride: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_reference(leeze_hil, ride)
    monkeypatch.setattr("controllers.lighting.site.level_for_ppm", lambda ppm: min(level_for_ppm(ppm), 240))
    ran = leeze_hil("replay", ride, "--json", "--junit", tmp_path / "j.xml", "--report", tmp_path / "r.html")
    assert ran.code == 1
    jsonschema.validate(ran.result, SCHEMA)
    first = ran.result["divergence"]
    assert first["kind"] == "value"
    assert first["wire"] in ("east/dali", "west/dali")
    assert bytes.fromhex(first["expected"]).endswith(b"FE\n")  # level 254
    assert bytes.fromhex(first["got"]).endswith(b"F0\n")  # level 240
    assert first["t_ms"] == first["tick"] * 20
    told = ran.err
    assert f"first divergence (value) at tick {first['tick']}, {first['t_ms']:.3f} ms, wire {first['wire']}" in told
    assert f"expected {bytes.fromhex(first['expected']).hex(' ')}" in told
    assert f"got      {bytes.fromhex(first['got']).hex(' ')}" in told
    assert f"again: leeze-hil replay {ride}" in told
    failure = ET.parse(tmp_path / "j.xml").getroot().find(".//failure")
    assert failure is not None
    assert f"at tick {first['tick']}" in (failure.text or "")
    assert "level 240" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_a_planted_change_of_the_greenwave_policy_fails_with_tick_time_wire_and_bytes(
    leeze_hil: Any, signal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_reference(leeze_hil, signal)

    def wrong(stage: Stage, bar_px: int | None, level: int) -> bytes:
        return frame_of(Stage.GREEN if stage is Stage.RED else stage, bar_px, level)

    monkeypatch.setattr("controllers.greenwave.policy.frame_of", wrong)
    ran = leeze_hil("replay", signal, "--json")
    assert ran.code == 1
    first = ran.result["divergence"]
    assert (first["kind"], first["wire"]) == ("value", "leezenflow/panel")
    assert first["expected"] != first["got"]
    assert f"at tick {first['tick']}, {first['t_ms']:.3f} ms, wire leezenflow/panel" in ran.err


def test_a_slower_policy_is_told_by_time(leeze_hil: Any, ride: Path) -> None:
    reference = with_reference(leeze_hil, ride)
    lines = reference.read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if line.endswith(b"h04FE\n".hex()))
    tick, _, wire, data = lines[at].split()
    moved = f"{int(tick) - 30} {(int(tick) - 30) * 20}.000 {wire} {data}"
    kept = [line for n, line in enumerate(lines) if n != at]
    heads = [line for line in kept if line.startswith("#")]
    sent = sorted([*kept[len(heads) :], moved], key=lambda line: (float(line.split()[1]), line.split()[2]))
    reference.write_text("\n".join([*heads, *sent]) + "\n")
    ran = leeze_hil("replay", ride, "--json")
    assert ran.code == 1
    assert ran.result["divergence"]["tick"] == int(tick) - 30


@pytest.mark.parametrize("of", [0.0, 0.3, 0.999])
def test_one_changed_byte_of_a_reference_is_found_where_it_stands(leeze_hil: Any, ride: Path, of: float) -> None:
    reference = with_reference(leeze_hil, ride)
    lines = reference.read_text().splitlines()
    dali = [n for n, line in enumerate(lines) if "/dali " in line and line.endswith("0a")]
    at = dali[int(of * len(dali))]
    tick, ms, wire, data = lines[at].split()
    lines[at] = f"{tick} {ms} {wire} {data[:-4]}{'31' if data[-4:-2] != '31' else '32'}0a"
    reference.write_text("\n".join(lines) + "\n")
    ran = leeze_hil("replay", ride, "--json")
    assert ran.code == 1
    first = ran.result["divergence"]
    assert (first["wire"], first["t_ms"]) == (wire, float(ms))
    assert data in (first["got"], first["expected"]) or first["kind"] != "value"


def test_a_line_left_out_is_surplus_and_a_line_too_many_is_missing(leeze_hil: Any, ride: Path) -> None:
    reference = with_reference(leeze_hil, ride)
    lines = reference.read_text().splitlines()
    reference.write_text("\n".join(lines[:-1]) + "\n")
    found = leeze_hil("replay", ride, "--json").result["divergence"]
    assert (found["kind"], found["surplus"], found["expected"]) == ("surplus", 1, None)
    reference.write_text("\n".join([*lines, lines[-1]]) + "\n")
    found = leeze_hil("replay", ride, "--json").result["divergence"]
    assert (found["kind"], found["missing"], found["got"]) == ("missing", 1, None)


def test_a_shortened_run_is_judged_by_the_part_it_ran(leeze_hil: Any, ride: Path) -> None:
    reference = with_reference(leeze_hil, ride)
    assert read_reference(reference)[-1].t_ns > 60_000_000_000
    assert leeze_hil("replay", ride, "--seconds", 60).code == 0


def test_a_reference_is_made_of_the_case_as_it_is(leeze_hil: Any, ride: Path) -> None:
    for words in (["--seconds", 60], ["--seed", 3], ["--range-m", 14], ["--site", "kanalpromenade-reference"]):
        ran = leeze_hil("replay", ride, "--update-reference", *words)
        assert ran.code == 2
        assert "takes the case as it is" in ran.err
    assert not (ride / "reference.txt").exists()


def test_a_reference_with_a_broken_line_is_refused_with_its_number(leeze_hil: Any, ride: Path) -> None:
    reference = with_reference(leeze_hil, ride)
    lines = reference.read_text().splitlines()
    lines[10] = "soon east/dali 00"
    reference.write_text("\n".join(lines))
    ran = leeze_hil("replay", ride)
    assert ran.code == 2
    assert f"{reference}: line 11: expected `tick t_ms board/wire hex`" in ran.err


PROMISE = "[promise]\nlit_share_at_least = 1.0\nenergy_below_always_on = 0.05\n\n[[riders]]"


def test_a_broken_promise_fails_the_case_and_is_said_everywhere(leeze_hil: Any, new_case: Any, tmp_path: Path) -> None:
    folder = new_case("ride")
    text = (folder / "case.toml").read_text().replace("[[riders]]", PROMISE, 1)
    (folder / "case.toml").write_text(text)
    ran = leeze_hil("replay", folder, "--json", "--junit", tmp_path / "j.xml")
    assert (ran.code, ran.result["verdict"]) == (1, "failed")
    jsonschema.validate(ran.result, SCHEMA)
    broken = ran.result["broken_promises"]
    assert len(broken) == 1
    assert "Wh, below 5.0% of always on promised" in broken[0]
    assert broken[0] in ran.err
    assert broken[0] in (tmp_path / "j.xml").read_text()
    assert leeze_hil("replay", folder, "--seconds", 30).code == 0  # promises are made for the whole case


def test_a_promise_on_nobody_is_broken_not_kept(leeze_hil: Any, ride: Path) -> None:
    case = ride / "case.toml"
    text = case.read_text().replace("[[riders]]", "[promise]\nlit_share_at_least = 0.5\n[[riders]]")
    case.write_text(text.replace("2026-02-20T19:00:00+01:00", "2026-02-20T12:00:00+01:00"))
    ran = leeze_hil("replay", ride)
    assert ran.code == 1
    assert "nobody was owed light" in ran.err


def test_a_promise_of_energy_on_a_display_is_broken_without_a_traceback(leeze_hil: Any, signal: Path) -> None:
    case = signal / "case.toml"
    case.write_text(case.read_text().replace("[signal]", "[promise]\nenergy_below_always_on = 0.5\n[signal]"))
    ran = leeze_hil("replay", signal)
    assert ran.code == 1
    assert "energy unknown" in ran.err


FAULT = '[[faults]]\nkind = "{kind}"\n{what}from_s = 20\nto_s = 60\n\n[[riders]]'


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("radar-silent", "west/radar-2"),
        ("gateway-silent", "west/dali"),
        ("line-dark", "west/dali"),
        ("messages-lost", ""),
        ("controller-off", "east"),
    ],
)
def test_every_kind_of_fault_is_felt_and_is_the_same_with_and_without_skipping(
    leeze_hil: Any, new_case: Any, kind: str, what: str
) -> None:
    plain = leeze_hil("replay", new_case("plain"), "--json").result
    fault = FAULT.format(kind=kind, what=f'what = "{what}"\n' if what else "")
    faulty = new_case("faulty")
    (faulty / "case.toml").write_text((faulty / "case.toml").read_text().replace("[[riders]]", fault, 1))
    one, other = (leeze_hil("replay", faulty, "--json", *words).result for words in ([], ["--no-skip"]))
    assert one["digest"] == other["digest"]
    assert (one["digest"], one["energy_wh"]) != (plain["digest"], plain["energy_wh"])


@pytest.mark.parametrize(
    ("kind", "what", "told"),
    [
        ("line-dark", "west/radar-1", "line-dark cannot be of 'west/radar-1'; did you mean"),
        ("gateway-silent", "north", "known: east/dali, west/dali"),
        ("radar-silent", "west/radar-9", "did you mean west/radar-"),
        ("controller-off", "north", "known: east, west"),
        ("messages-lost", "west", "messages-lost has none"),
        ("radar-silent", "", "names the radar"),
        ("radar-mute", "west/radar-1", "radar-mute"),
        (
            "nack",
            "west/radar-1",
            "what comes from ld2451 knows no refusal; wires of dali, i2c, modbus do: east/dali, west",
        ),
        ("nack", "west/neighbour", "what comes from message knows no refusal"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_what_could(
    leeze_hil: Any, ride: Path, kind: str, what: str, told: str
) -> None:
    fault = FAULT.format(kind=kind, what=f'what = "{what}"\n' if what else "")
    case = ride / "case.toml"
    case.write_text(case.read_text().replace("[[riders]]", fault, 1))
    ran = leeze_hil("replay", ride)
    assert ran.code == 2
    assert f"{case}: $.faults[0]" in ran.err
    assert told in ran.err


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("title =", "titel =", "unknown key `titel`; did you mean `title`?"),
        ("seconds = 140", "seconds = 0", "$.seconds"),
        ("seconds = 140", "seconds = nan", "$.seconds"),
        ("format = 1", "format = 2", "$.format"),
        ("19:00:00+01:00", "19:00:00", "needs its offset from UTC"),
        ('"kanalpromenade-reference"', '"kanalpromenade-referenc"', "did you mean kanalpromenade-reference?"),
        ('"kanalpromenade-reference"', '"leezenflow-hoerstertor"', "needs a signal programme"),
        ("{ at_s = 4, x_m = -200 }, ", "", "two waypoints or more"),
        ("at_s = 138", "at_s = 3", "let at_s rise"),
        ("at_s = 138", "at_s = 5", "30 m/s is the most"),
        ("at_s = 138", "at_s = true", "$.riders[0].waypoints[1].at_s"),
        ("[[riders]]", "[[signal.groups]]\n[[riders]]", "$.signal"),
        ("[[riders]]", "[[riders", "not TOML"),
    ],
)
def test_a_case_file_with_a_fault_is_refused_with_place_and_mend(
    leeze_hil: Any, ride: Path, old: str, new: str, told: str
) -> None:
    case = ride / "case.toml"
    case.write_text(case.read_text().replace(old, new))
    ran = leeze_hil("replay", ride)
    assert ran.code == 2
    assert told in ran.err


def test_a_case_has_riders_or_a_signal_and_a_site_that_fits(leeze_hil: Any, ride: Path, signal: Path) -> None:
    case = signal / "case.toml"
    text = case.read_text()
    case.write_text(text + "\n[[riders]]\nwaypoints = [{ at_s = 1, x_m = 0 }, { at_s = 20, x_m = 50 }]\n")
    ran = leeze_hil("replay", signal)
    assert (ran.code, "not both" in ran.err) == (2, True)
    case.write_text(text)
    ran = leeze_hil("replay", signal, "--site", "kanalpromenade-reference")
    assert (ran.code, "has no signal" in ran.err) == (2, True)
    ran = leeze_hil("replay", ride, "--site", "leezenflow-hoerstertor")
    assert (ran.code, "needs a signal programme" in ran.err) == (2, True)
    for words in (["--range-m", 14], ["--resume", case]):
        ran = leeze_hil("replay", signal, *words)
        assert (ran.code, "lit paths" in ran.err) == (2, True)


def test_a_site_file_beside_the_case_is_used(leeze_hil: Any, ride: Path) -> None:
    root = Path(__file__).parents[2]
    text = (root / "controllers" / "sites" / "kanalpromenade-reference.toml").read_text()
    (ride / "dim.toml").write_text(text.replace("full_pct = 100", "full_pct = 50"))
    before = leeze_hil("replay", ride, "--json").result
    case = ride / "case.toml"
    case.write_text(case.read_text().replace('site = "kanalpromenade-reference"', 'site = "dim.toml"'))
    after = leeze_hil("replay", ride, "--json").result
    assert after["energy_wh"]["leeze"] < before["energy_wh"]["leeze"]


def test_the_cases_verb_lists_every_shipped_case_with_its_title(leeze_hil: Any) -> None:
    ran = leeze_hil("cases")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()] == sorted(shipped())
    for folder in shipped().values():
        assert load_case(folder).title in ran.out
        assert (folder / "README.md").read_text(encoding="utf-8").startswith("# ")
