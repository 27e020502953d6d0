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
    """The XML as UTF-8. Times are wall time.

    "no-reference" becomes skipped: nothing was proved, nothing was wrong. "blocked" becomes an error: the rig is at
    fault. Bench, digest, measurements with their limits and lateness stand as properties.
    """
    counts = {
        "tests": str(len(results)),
        "failures": str(_count(results, "failed")),
        "errors": str(_count(results, "blocked")),
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
    known = ET.SubElement(case, "properties")
    for name, value in properties(result):
        ET.SubElement(known, "property", {"name": clean(name), "value": clean(value)})
    again = f"\nrun it again: {result.command}" if result.command else ""
    if result.verdict == "failed":
        failure = ET.SubElement(case, "failure", {"message": clean(result.reason), "type": "divergence"})
        failure.text = clean(result.explanation + again)
    elif result.verdict == "blocked":
        error = ET.SubElement(case, "error", {"message": clean(result.reason), "type": "blocked"})
        error.text = clean(result.explanation + again)
    elif result.verdict == "no-reference":
        ET.SubElement(case, "skipped", {"message": clean(result.reason)})
    told = [f"digest {result.digest}"] if result.digest else []
    told += [f"command {result.command}"] if result.command else []
    if told:
        ET.SubElement(case, "system-out").text = clean("\n".join(told))


def properties(result: RunResult) -> list[tuple[str, str]]:
    """What JUnit shows beside the verdict: (name, value), e.g. ``("first light [ms]", "412 (at most 500)")``."""
    found = [("bench", result.bench), ("verdict", result.verdict)]
    found += [("digest", result.digest)] if result.digest else []
    for one in result.measurements:
        limits = [f"at least {one.low:g}"] if one.low is not None else []
        limits += [f"at most {one.high:g}"] if one.high is not None else []
        told = f"{one.value:g}" + (f" ({', '.join(limits)})" if limits else "")
        found.append((f"{one.name} [{one.unit}]", told))
    if result.lateness_us is not None:
        found += [(f"lateness {name} [us]", f"{result.lateness_us[name]:g}") for name in ("p50", "p99", "max")]
    return found


def _count(results: Sequence[RunResult], verdict: str) -> int:
    return sum(result.verdict == verdict for result in results)


def _seconds(ms: int) -> str:
    return f"{ms // 1000}.{ms % 1000:03d}"
