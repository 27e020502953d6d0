from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import InputError
from hil.judge.compare import compare
from hil.judge.reference import Sent
from hil.report.junit import junit, write_junit
from hil.report.result import Measurement, RunResult

EXPECTED = [Sent(7, 140_000_000, "west/dali", b"h0AFE\n")]
GOT = [Sent(7, 140_000_000, "west/dali", b"h0AFD\n")]
PASSED = RunResult(case="evening", verdict="passed", wall_s=0.5, digest="ab12", comparison=compare(EXPECTED, EXPECTED))
FAILED = RunResult(
    case="crossing",
    verdict="failed",
    wall_s=1.25,
    comparison=compare(EXPECTED, GOT),
    command="leeze-hil replay crossing",
)
UNPROVED = RunResult(case="new", verdict="no-reference", wall_s=0.25)


def test_counts_and_times_add_up_in_suite_and_root() -> None:
    root = ET.fromstring(junit([PASSED, FAILED, UNPROVED], suite="nightly"))
    suite = root.find("testsuite")
    assert suite is not None
    assert root.tag == "testsuites"
    assert suite.attrib == root.attrib
    assert suite.attrib == {
        "name": "nightly", "tests": "3", "failures": "1", "errors": "0", "skipped": "1", "time": "2.000"
    }  # fmt: skip
    assert [case.attrib["time"] for case in suite] == ["0.500", "1.250", "0.250"]


def test_a_failure_carries_the_divergence_and_the_command() -> None:
    case = ET.fromstring(junit([FAILED]))[0][0]
    failure = case.find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "failed: 0 of 1 expected frames agreed; 1 of another value"
    for part in ("tick 7, 140.000 ms, wire west/dali", "68 30 41 46 45 0a", "68 30 41 46 44 0a", "leeze-hil replay"):
        assert part in str(failure.text)
    assert case.findtext("system-out") == "command leeze-hil replay crossing"


def test_passed_has_no_failure_and_no_reference_is_skipped_with_a_reason() -> None:
    passed, unproved = ET.fromstring(junit([PASSED, UNPROVED]))[0]
    assert [child.tag for child in passed] == ["properties", "system-out"]
    assert [child.tag for child in unproved] == ["properties", "skipped"]
    assert unproved[1].attrib["message"] == "no reference to compare with"


def test_blocked_is_an_error_and_measurements_are_properties_with_their_limits() -> None:
    blocked = RunResult(case="torn", verdict="blocked", blocked=("west/dali: no echo; is the adapter plugged in?",))
    light = Measurement("first light", 412.5, "ms", None, 500, True)
    late = {"count": 9, "p50": 80, "p99": 200, "p999": 300, "max": 310, "histogram": {"le_us": [], "count": [9]}}
    passed = RunResult(
        case="ok", verdict="passed", digest="ab", bench="process", measurements=(light,), lateness_us=late
    )
    suite = ET.fromstring(junit([blocked, passed]))[0]
    assert (suite.attrib["errors"], suite.attrib["failures"]) == ("1", "0")
    error = suite[0].find("error")
    assert error is not None
    assert "no echo" in error.attrib["message"]
    properties = {one.attrib["name"]: one.attrib["value"] for one in suite[1].iter("property")}
    assert properties["first light [ms]"] == "412.5 (at most 500)"
    assert (properties["bench"], properties["digest"], properties["lateness p50 [us]"]) == ("process", "ab", "80")


def test_no_results_still_make_a_suite() -> None:
    assert ET.fromstring(junit([])).attrib["tests"] == "0"


@settings(max_examples=60)
@given(st.text(max_size=30), st.text(max_size=30))
def test_hostile_names_stay_names(case: str, command: str) -> None:
    parsed = ET.fromstring(junit([RunResult(case=case, verdict="failed", command=command)], suite=case))
    assert len(parsed[0]) == 1
    assert {child.tag for child in parsed[0][0]} <= {"failure", "system-out", "properties"}
    if case.isprintable():
        assert parsed[0][0].attrib["name"] == case


def test_control_characters_that_xml_forbids_are_replaced() -> None:
    assert ET.fromstring(junit([RunResult(case="a\x00b\x1b[31m\ud800", verdict="passed")]))[0][0].attrib["name"] == (
        "a\ufffdb\ufffd[31m\ufffd"
    )


def test_the_file_is_the_same_bytes_for_the_same_results(tmp_path: Path) -> None:
    write_junit(tmp_path / "junit.xml", [PASSED, FAILED])
    assert (tmp_path / "junit.xml").read_bytes() == junit([PASSED, FAILED])


def test_a_folder_that_is_not_there_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="JUnit file cannot be written"):
        write_junit(tmp_path / "none" / "junit.xml", [PASSED])
