"""JUnit XML for CI: one suite, one test case a replay; a failure says where it diverged and how to see it again."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from drivers.errors import InputError
from hil.report.escape import clean
from hil.report.result import RunResult


def write_junit(path: Path, results: Sequence[RunResult], *, suite: str = "leeze-hil") -> None:
    """Write `results` to `path`. Raises InputError where that cannot be done."""
    try:
        path.write_bytes(junit(results, suite=suite))
    except OSError as error:
        raise InputError(f"{path}: the JUnit file cannot be written: {error.strerror}") from None


def junit(results: Sequence[RunResult], *, suite: str = "leeze-hil") -> bytes:
    """The XML as UTF-8. "no-reference" becomes skipped: nothing was proved, nothing was wrong. Times are wall time."""
    counts = {
        "tests": str(len(results)),
        "failures": str(_count(results, "failed")),
        "errors": "0",
        "skipped": str(_count(results, "no-reference")),
        "time": _seconds(sum(round(result.wall_s * 1000) for result in results)),
    }
    root = ET.Element("testsuites", {"name": clean(suite), **counts})
    element = ET.SubElement(root, "testsuite", {"name": clean(suite), **counts})
    for result in results:
        _case(element, suite, result)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(parent: ET.Element, suite: str, result: RunResult) -> None:
    time = _seconds(round(result.wall_s * 1000))
    case = ET.SubElement(parent, "testcase", {"classname": clean(suite), "name": clean(result.case), "time": time})
    if result.verdict == "failed":
        failure = ET.SubElement(case, "failure", {"message": clean(result.reason), "type": "divergence"})
        again = f"\nrun it again: {result.command}" if result.command else ""
        failure.text = clean(result.explanation + again)
    elif result.verdict == "no-reference":
        ET.SubElement(case, "skipped", {"message": clean(result.reason)})
    told = [f"digest {result.digest}"] if result.digest else []
    told += [f"command {result.command}"] if result.command else []
    if told:
        ET.SubElement(case, "system-out").text = clean("\n".join(told))


def _count(results: Sequence[RunResult], verdict: str) -> int:
    return sum(result.verdict == verdict for result in results)


def _seconds(ms: int) -> str:
    return f"{ms // 1000}.{ms % 1000:03d}"
