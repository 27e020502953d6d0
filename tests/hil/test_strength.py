"""Faults planted in the boards: which case catches which, and what it costs to look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drivers.errors import InputError
from hil.case import shipped
from hil.fault_gallery import BEGIN, END, GALLERY, gallery, text
from hil.faults.span import KINDS, read_by_hand
from hil.outcome import Request
from hil.replay import replay
from hil.strength import strength
from hil.strength_faults import PLANTED

PAPER = Path(__file__).parents[2] / "docs" / "faults.md"


def test_a_planted_fault_is_caught_and_the_matrix_says_by_what(leeze_hil: Any) -> None:
    words = ["--jobs", "1", "--fault", "lost-handover", "--fault", "half-light", "--fault", "hour-error"]
    ran = leeze_hil("strength", "lamp-handover", "lamp-dusk", *words, "--json")
    assert ran.code == 0
    found = json.loads(ran.out)
    assert found["missed"] == []
    assert set(found["faults"]) == {"lost-handover", "half-light", "hour-error"}
    handover = found["faults"]["lost-handover"]["lamp-handover"]
    assert handover["caught"]
    assert {"reference", "order", "promise"} <= set(handover["how"])
    assert "order broken" in handover["says"]
    assert found["faults"]["hour-error"]["lamp-handover"]["how"] == ["untouched"]
    assert found["faults"]["hour-error"]["lamp-dusk"]["caught"]


def test_a_fault_that_no_case_catches_is_told_and_fails(leeze_hil: Any) -> None:
    ran = leeze_hil("strength", "lamp-handover", "--jobs", "1", "--fault", "hour-error")
    assert ran.code == 1
    assert "missed: hour-error" in ran.out
    assert "NOBODY" in ran.out
    assert "0 of 1 planted faults caught by 1 cases" in ran.out


def test_unknown_cases_and_faults_are_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="there are: dead-sensor"):
        strength(faults=["sleepy-sensor"])
    with pytest.raises(InputError, match="there are: bus-power"):
        strength(["no-such-case"])


@pytest.mark.long
def test_a_planted_fault_is_gone_with_its_run() -> None:
    def digest(**more: Any) -> str:
        return replay(Request(subject="lamp-handover", **more), lambda done, total: None).result.digest

    sound = digest()
    for fault in PLANTED:
        if fault.product == "lighting":
            digest(plant=fault.on_controller)
    assert digest() == sound


def test_every_kind_of_fault_has_a_case_and_a_text_in_the_paper() -> None:
    assert sorted(read_by_hand(fault).kind for _, fault in GALLERY) == sorted(KINDS)
    paper = PAPER.read_text(encoding="utf-8")
    shown = paper[paper.index(BEGIN) : paper.index(END)]
    for case, fault in GALLERY:
        assert case in shipped()
        assert f"### {read_by_hand(fault).kind}\n\n    leeze-hil replay {case} --fault {fault}\n" in shown


@pytest.mark.long
def test_the_paper_says_what_the_user_reads_and_every_fault_is_caught() -> None:
    found = gallery()
    assert [one.fault for one in found if one.result.verdict != "failed"] == []
    paper = PAPER.read_text(encoding="utf-8")
    assert paper[paper.index(BEGIN) + len(BEGIN) : paper.index(END)].strip() == text(found)


@pytest.mark.long
def test_every_planted_fault_is_caught_by_some_shipped_case_and_the_suite_is_sound() -> None:
    found = strength()
    assert found.missed == []
    assert not [cell for cell in found.cells if "unsound" in cell.how]
