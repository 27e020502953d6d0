"""``leeze-controllers calendar``: every change in local time, and how long it is lit."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from controllers.cli import main
from controllers.service.sites import shipped


def said(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["calendar", "--site", "kanalpromenade-reference", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_night_in_which_the_rule_changes(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "--from", "2026-03-31", "--days", "2")
    assert [line[:16] + line[19:] for line in found[:-1]] == [
        "2026-03-31 00:00  lit",
        "2026-03-31 07:07  off",
        "2026-03-31 20:01  lit",
        "2026-04-01 00:00  off",
        "2026-04-01 05:30  lit",
        "2026-04-01 07:04  off",
    ]
    assert found[-1] == "2 days, lit for 12.7 h by other-sections"


def test_a_year_is_as_long_by_its_lines_as_by_its_sum(capsys: pytest.CaptureFixture[str]) -> None:
    *found, total = said(capsys, "--from", "2026-01-01", "--days", "365")
    times = [datetime.fromisoformat(line[:19]) for line in found]
    lit_h = sum(
        (after - at).total_seconds() / 3600
        for at, after, line in zip(times, [*times[1:], datetime(2027, 1, 1)], found, strict=True)
        if line.endswith("lit")
    )
    by_sum = float(total.split("for ")[1].split(" h")[0])
    assert abs(lit_h - by_sum) < 1.1, "the two nights in which the clocks change cancel out but for the summer's"
    assert 2_200 < by_sum < 3_000


EVENTS = """
[[light.events]]
title = "New Year"
from = "2026-12-31 18:00"
to = "2027-01-01 03:00"
light = "full"

[[controllers]]
name = "west"
"""


@pytest.fixture
def feast(tmp_path: Path) -> str:
    """The reference site with a feast."""
    path = tmp_path / "feast.toml"
    path.write_text(
        shipped()["kanalpromenade-reference"].read_text().replace('[[controllers]]\nname = "west"\n', EVENTS)
    )
    return str(path)


def test_a_change_that_comes_from_an_event_bears_its_title(feast: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calendar", "--site", feast, "--from", "2026-12-31", "--days", "1"]) == 0
    *found, total = capsys.readouterr().out.splitlines()
    assert [line[11:16] + line[19:] for line in found] == [
        "00:00  lit",
        "08:37  off",
        "16:27  lit",
        "18:00  full  (New Year)",
    ]
    assert total == "1 day, lit for 16.2 h by other-sections"


def test_json_has_every_stretch_with_both_ends(feast: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calendar", "--site", feast, "--from", "2026-12-31", "--days", "2", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found[3] == {
        "from": "2026-12-31T18:00:00+01:00",
        "to": "2027-01-01T03:00:00+01:00",
        "light": "full",
        "base_pct": None,
        "full_pct": None,
        "event": "New Year",
    }
    assert [after["from"] for after in found[1:]] == [before["to"] for before in found[:-1]]
    assert (found[0]["from"], found[-1]["to"]) == ("2026-12-31T00:00:00+01:00", "2027-01-02T00:00:00+01:00")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--from", "2026-13-01"), "is no date"),
        (("--from", "2026-01-01", "--days", "0"), "is no number of days"),
        (("--from", "2026-01-01", "--days", "x"), "is no number of days"),
        (("--from", "9999-12-31"), "beyond the calendar"),
        ((), "--from"),
        (("--from", "2026-01-01", "--site", "leezenflow-hoerstertor"), "a display has no calendar"),
    ],
)
def test_what_makes_no_sense_is_refused(words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calendar", "--site", "kanalpromenade-reference", *words]) == 2
    assert says in capsys.readouterr().err
