"""The pytest plugin: case.toml files are tests; options, markers and a fixture for tests of your own. docs/ci.md.

This module is loaded by every pytest run where Leeze is installed, so it imports nothing but pytest: what runs a case
stands in hil.pytest_cases, which is imported with the first case or fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hil.pytest_cases import CaseRun, Leeze

OPTIONS = (
    ("--leeze-board", "FILE", "board file or catalog name in place of the site's own"),
    ("--leeze-bench", "NAME", "where the boards are: in-process (default), process or hardware"),
    ("--leeze-rig", "FILE", "rig file of --leeze-bench hardware"),
    ("--leeze-report", "DIR", "write a page for each case into this folder"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ours."""
    group = parser.getgroup("leeze", "Leeze: cases on boards")
    for name, metavar, about in OPTIONS:
        group.addoption(name, metavar=metavar, help=about)
    group.addoption(
        "--leeze-update-reference", action="store_true", help="what was sent becomes the case's reference; not in CI"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Markers, and options that cannot be."""
    config.addinivalue_line("markers", 'needs("radar", ...): skip where the bench of Leeze has no such thing')
    config.addinivalue_line("markers", "hardware: only on --leeze-bench hardware")
    bench, rig = config.getoption("--leeze-bench"), config.getoption("--leeze-rig")
    if bench not in (None, "in-process", "process", "hardware"):
        raise pytest.UsageError(f"--leeze-bench {bench}: choose in-process, process or hardware")
    if (bench == "hardware") != (rig is not None):
        raise pytest.UsageError("--leeze-bench hardware and --leeze-rig FILE go together")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A case.toml of Leeze is a test; others' files of that name are left alone."""
    if file_path.name != "case.toml":
        return None
    text = file_path.read_bytes()
    if b"format" not in text or b"site" not in text or b"seconds" not in text:
        return None
    return CaseFile.from_parent(parent, path=file_path)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip with a reason what this bench has not."""
    keywords = item.keywords
    if "needs" not in keywords and "hardware" not in keywords:
        return
    from hil.pytest_cases import why_not

    needs = [name for marker in item.iter_markers("needs") for name in marker.args]
    reason = why_not(item.config, needs, item.get_closest_marker("hardware") is not None)
    if reason:
        pytest.skip(reason)


@pytest.fixture
def leeze(request: pytest.FixtureRequest) -> Iterator[Leeze]:
    """Runs cases, traces and traffic on the bench of the options; its boards have to be well when the test ends.

    Example: ``assert leeze.replay("lamp-dusk").verdict == "passed"``.
    """
    from hil.pytest_cases import Leeze

    found = Leeze(request.config, request.node.user_properties)
    yield found
    found.assert_well()


class CaseFile(pytest.File):
    """One case folder."""

    def collect(self) -> Iterator[CaseItem]:
        """Its one test, named as the folder."""
        yield CaseItem.from_parent(self, name=self.path.parent.name)


class CaseItem(pytest.Item):
    """One case. The run is its set-up: a broken bench is an error and no failure. Health is its teardown."""

    _run: CaseRun | None = None

    def setup(self) -> None:
        """Run it."""
        from hil.pytest_cases import CaseRun

        self._run = CaseRun(self.config, self.path.parent)
        self._run.play(self.user_properties)

    def runtest(self) -> None:
        """Was it right?"""
        assert self._run is not None
        self._run.assert_passed()

    def teardown(self) -> None:
        """Are the boards well?"""
        if self._run is not None:
            self._run.assert_well()

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """The explanation, without a traceback of the rig's insides."""
        told = getattr(excinfo.value, "told", None)
        if type(excinfo.value).__name__ == "InputError":  # drivers.errors is not loaded for this
            told = str(excinfo.value)
        return told if told is not None else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the test stands."""
        return self.path, None, f"case {self.name}"
