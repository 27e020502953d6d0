"""`leeze-hil replay`: verdicts, exit codes, what it prints and writes, and the same digest in every way of running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from drivers.errors import BenchError, LinkLost
from hil.case import shipped

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "hil-result.schema.json").read_text(encoding="utf-8"))


def program(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real program."""
    return subprocess.run(
        [sys.executable, "-m", "hil", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_case_passes(leeze_hil: Any, name: str) -> None:
    ran = leeze_hil("replay", name, "--json")
    assert ran.result["verdict"] == "passed", ran.err
    assert ran.code == 0


def test_json_ends_with_one_object_that_keeps_to_its_schema(
    leeze_hil: Any, ride: Path, signal: Path, traffic: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "signal.mcap"
    for words in ([ride], [signal, "--record", trace], [traffic, "--seconds", 900], [trace], [ride, "--no-rules"]):
        ran = leeze_hil("replay", *words, "--json")
        assert (ran.code, ran.err) == (0, "")
        assert len(ran.out.splitlines()) == 1
        jsonschema.validate(ran.result, SCHEMA)


def test_a_key_that_does_not_apply_is_absent(leeze_hil: Any, ride: Path, signal: Path) -> None:
    lamps, display = leeze_hil("replay", ride, "--json").result, leeze_hil("replay", signal, "--json").result
    assert lamps.keys() - display.keys() == {
        "radar_frames", "us_per_frame", "riders", "lit_in_time", "lit_share", "lit_share_low95", "full_at_10m_share",
        "lamp_s_above_base", "energy_wh", "raised", "switched_on", "false_lightings", "account",
    }  # fmt: skip
    assert display.keys() - lamps.keys() == {"groups"}
    assert set(lamps["energy_wh"]) == {"leeze", "always_on", "present", "present_no_standby", "oracle"}
    without = leeze_hil("replay", ride, "--json", "--no-rules").result
    assert set(without["energy_wh"]) == {"leeze"}
    assert without["energy_wh"]["leeze"] == lamps["energy_wh"]["leeze"]


def test_one_rider_at_night_costs_more_than_the_oracle_and_less_than_always_on(leeze_hil: Any, ride: Path) -> None:
    found = leeze_hil("replay", ride, "--json").result
    assert found["riders"]["leeze"] == found["riders"]["oracle"] == 1
    assert found["lit_in_time"]["always_on"] == found["lit_in_time"]["oracle"] == 1
    energy = found["energy_wh"]
    assert energy["oracle"] < energy["leeze"] < energy["always_on"] == pytest.approx(12 * 20 * 140 / 3600, abs=0.001)
    assert found["radar_frames"] > 300  # six radars, 40 m each at 5.6 m/s, ten reports a second


def test_the_page_for_people_says_what_the_json_says(leeze_hil: Any, ride: Path) -> None:
    ran = leeze_hil("replay", ride)
    found = leeze_hil("replay", ride, "--json").result
    assert "One rider, up the path" in ran.out
    assert "no reference" in ran.out
    assert f"{found['energy_wh']['leeze']:.1f}" in ran.out
    assert "synthesised radar" in ran.out


def test_riders_and_radars_of_traffic_are_named_as_what_they_are(leeze_hil: Any, traffic: Path) -> None:
    ran = leeze_hil("replay", traffic, "--seconds", 600)
    assert "recorded passages with synthesised radar" in ran.out
    assert "usable radar range 40 m" in ran.out
    assert "made up" in ran.out


def test_report_and_junit_are_written(leeze_hil: Any, ride: Path, tmp_path: Path) -> None:
    page, junit = tmp_path / "ride.html", tmp_path / "ride.xml"
    found = leeze_hil("replay", ride, "--json", "--report", page, "--junit", junit).result
    html = page.read_text(encoding="utf-8")
    assert "One rider, up the path" in html
    assert found["digest"][:12] in html
    case = ET.parse(junit).getroot().find(".//testcase")
    assert case is not None
    assert case.get("name") == "ride"
    assert case.find("skipped") is not None  # no reference: nothing is proved


def test_only_a_tested_thing_that_failed_ends_with_one(
    leeze_hil: Any, ride: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert leeze_hil("replay", ride).code == 0
    assert leeze_hil("replay", "no-such-case").code == 2
    assert leeze_hil("replay").code == 2
    assert leeze_hil("replay", ride, "--bench", "moon").code == 2
    assert leeze_hil("replay", "--help").code == 0

    def broken(error: Exception) -> Any:
        def replay(*_: object) -> None:
            raise error

        return replay

    monkeypatch.setattr("hil.replay.replay", broken(BenchError("the bench has burnt")))
    ran = leeze_hil("replay", ride)
    assert (ran.code, ran.err) == (3, "error: the bench has burnt\n")
    monkeypatch.setattr("hil.replay.replay", broken(LinkLost("radar-1", 7, "pulled", b"\xf4")))
    ran = leeze_hil("replay", ride)
    assert (ran.code, ran.err) == (3, "error: radar-1: pulled [f4]\n")


def test_the_digest_is_the_same_however_it_is_run(leeze_hil: Any, ride: Path, signal: Path, tmp_path: Path) -> None:
    for case, name in ((ride, "a"), (signal, "b")):
        digests = {
            leeze_hil("replay", case, "--json", *words).result["digest"]
            for words in (
                [],
                [],
                ["--no-skip"],
                ["--record", tmp_path / f"{name}.mcap"],
                ["--report", tmp_path / f"{name}.html", "--no-skip"],
                ["--no-rules"],
            )
        }
        assert len(digests) == 1


def test_the_digest_is_the_same_with_other_hash_seeds_and_on_another_core(ride: Path) -> None:
    digests = set()
    for seed, core in (("0", min), ("4711", max)):
        pinned = (
            "import os, sys; "
            f"os.sched_setaffinity(0, [{core.__name__}(os.sched_getaffinity(0))]); "
            "from hil.cli import main; sys.exit(main())"
        )
        done = subprocess.run(
            [sys.executable, "-c", pinned, "replay", str(ride), "--json"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        digests.add(json.loads(done.stdout)["digest"])
    assert len(digests) == 1


def test_another_seed_misses_other_reports_and_gives_another_digest(leeze_hil: Any, ride: Path) -> None:
    one, other = (leeze_hil("replay", ride, "--json", "--seed", seed).result for seed in (1, 2))
    assert one["digest"] != other["digest"]


def test_a_shorter_range_is_seen_in_frames(leeze_hil: Any, ride: Path) -> None:
    near, far = (leeze_hil("replay", ride, "--json", "--range-m", metres).result for metres in (14, 100))
    assert near["radar_frames"] < far["radar_frames"]


def test_a_paced_run_takes_its_time_and_gives_the_same_bytes(leeze_hil: Any, ride: Path) -> None:
    paced = leeze_hil("replay", ride, "--json", "--seconds", 1, "--speed", 10).result
    assert paced["wall_s"] >= 0.095
    assert paced["digest"] == leeze_hil("replay", ride, "--json", "--seconds", 1).result["digest"]


def test_the_program_itself_ends_with_the_same_codes(ride: Path) -> None:
    fine = program("replay", ride, "--json")
    assert (fine.returncode, fine.stderr) == (0, "")
    jsonschema.validate(json.loads(fine.stdout), SCHEMA)
    wrong = program("replay", "kanalpromenade-evenin")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean kanalpromenade-evening?" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_a_reader_that_goes_away_is_no_error_of_ours(ride: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "hil", "replay", str(ride), "--json"],
            cwd=ROOT,
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, "")


def test_outputs_that_cannot_be_written_are_refused_before_the_run(
    leeze_hil: Any, ride: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hil.replay_lit_path.replay", lambda *_, **__: pytest.fail("it ran"))
    for option in ("--record", "--report", "--junit"):
        ran = leeze_hil("replay", ride, option, tmp_path / "nowhere" / "out")
        assert ran.code == 2
        assert f"{tmp_path / 'nowhere'} is no folder" in ran.err
        ran = leeze_hil("replay", ride, option, tmp_path)
        assert ran.code == 2
        assert "it is a folder" in ran.err
