"""What the pytest plugin does once a case is met: run it where the options say, judge it, ask after the boards."""

from __future__ import annotations

import fcntl
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controllers.core.contract import Command
from controllers.greenwave.site import GreenwaveSite
from controllers.service.sites import load_site
from drivers.errors import BenchError
from drivers.quantities import DeviceHealth, Quantity
from hil.case import load_case
from hil.outcome import Request
from hil.replay import replay
from hil.report.junit import properties
from hil.report.result import RunResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

SIMULATED = frozenset(("radar", "dali", "lamp", "neighbour", "feed", "panel", "power", "faults"))
"""What benches with our own far ends have."""


class CaseFailedError(AssertionError):
    """A case failed; `told` is for the user."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


class BenchBlockedError(BenchError):
    """The bench is at fault; `told` is for the user."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


class Health:
    """How the devices of every board in process are, by what they last said."""

    def __init__(self) -> None:
        self._ill: dict[str, str] = {}
        self._slots: list[Any] = []

    def on_controller(self, slot: Any, now_ns: int) -> None:
        """A controller has been built: listen to it."""
        if slot not in self._slots:
            self._slots.append(slot)
        for name in [name for name in self._ill if name.startswith(f"{slot.name}/")]:
            del self._ill[name]
        cycle = slot.cycle
        before = cycle.observer

        def observe(
            tick: int, t_ns: int, inputs: Sequence[Quantity], asked: Sequence[Command], allowed: Sequence[Command]
        ) -> None:
            if before is not None:
                before(tick, t_ns, inputs, asked, allowed)
            for value in inputs:
                if isinstance(value, DeviceHealth):
                    name = f"{slot.name}/{value.source}"
                    if value.ok:
                        self._ill.pop(name, None)
                    else:
                        self._ill[name] = value.reason

        cycle.observer = observe

    def troubles(self) -> list[str]:
        """A sentence for each thing that is not well."""
        found = [f"{name}: {reason}" for name, reason in sorted(self._ill.items())]
        found += [f"{slot.name}: is without power" for slot in self._slots if slot.cycle is None]
        return found


class Leeze:
    """The bench of the options. `replay` runs what `leeze-hil replay` runs, and keeps the result in `results`."""

    def __init__(self, config: pytest.Config, user_properties: list[tuple[str, object]]) -> None:
        self.bench = config.getoption("--leeze-bench") or "in-process"
        rig, report = config.getoption("--leeze-rig"), config.getoption("--leeze-report")
        self.rig = None if rig is None else Path(rig)
        self.report = None if report is None else Path(report)
        self.board: str | None = config.getoption("--leeze-board")
        self.results: list[RunResult] = []
        self._properties = user_properties
        self._healths: list[tuple[RunResult, Health]] = []

    def replay(self, subject: str | Path, **more: Any) -> RunResult:
        """Run a case (name or folder), a trace or traffic; `more` are fields of hil.outcome.Request.

        Raises InputError for what cannot be run.
        """
        health = Health()
        if self.report is not None:
            self.report.mkdir(parents=True, exist_ok=True)
            name = f"{Path(subject).name.removesuffix('.mcap')}-{self.bench}.html"
            more.setdefault("report", self.report / name)
        asked: dict[str, Any] = {
            "subject": str(subject),
            "bench": self.bench,
            "rig": self.rig,
            "board": self.board,
            "window": self.bench != "in-process",
            "rules": self.bench == "in-process",
            "plant": health.on_controller if self.bench == "in-process" else None,
        }
        with self._alone():
            result = replay(Request(**{**asked, **more}), lambda done, total: None).result
        self.results.append(result)
        self._healths.append((result, health))
        self._properties += [(name, value) for name, value in properties(result)]
        return result

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One at a time on a rig, whatever processes pytest-xdist has; other benches choose free ports."""
        if self.rig is None:
            yield
            return
        with self.rig.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def assert_well(self) -> None:
        """The boards of all runs were well at their end. Raises CaseFailedError."""
        told = [f"{run.case}: board health: {said}" for run, health in self._healths for said in health.troubles()]
        if told:
            raise CaseFailedError("\n".join(told))


class CaseRun:
    """One case as a test."""

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self._config, self._folder = config, folder
        self._result: RunResult | None = None
        self._leeze: Leeze | None = None
        self._ill_is_meant = False

    def play(self, user_properties: list[tuple[str, object]]) -> None:
        """Run it. Raises BenchBlockedError where the bench is at fault; skips where the bench has not what it takes."""
        import pytest

        case = load_case(self._folder)
        self._leeze = leeze = Leeze(self._config, user_properties)
        if leeze.rig is not None:
            reason = _lacks(leeze.rig, str(self._folder), case.site)
            if reason:
                pytest.skip(reason)
        self._ill_is_meant = any(fault.to_s >= case.seconds - MENDED_S for fault in case.faults)
        update = bool(self._config.getoption("--leeze-update-reference"))
        try:
            self._result = leeze.replay(self._folder, update_reference=update)
        except BenchError as error:
            raise BenchBlockedError(f"blocked: {error}") from None
        if self._result.verdict == "blocked":
            raise BenchBlockedError(_told(self._result))
        if self._result.verdict == "no-reference":
            pytest.skip(f"{self._result.reason}; make one with --leeze-update-reference")

    def assert_passed(self) -> None:
        """Raises CaseFailedError."""
        assert self._result is not None
        if self._result.verdict != "passed":
            raise CaseFailedError(_told(self._result))

    def assert_well(self) -> None:
        """Unless the case lets something be broken to its end."""
        if self._leeze is not None and not self._ill_is_meant:
            self._leeze.assert_well()


MENDED_S = 30.0
"""So long before a case's end its last fault has to be over for devices to be well again."""


def why_not(config: pytest.Config, needs: Sequence[str], hardware: bool) -> str:
    """Why a test with these markers cannot run on the bench of the options; "" where it can."""
    bench, rig = config.getoption("--leeze-bench") or "in-process", config.getoption("--leeze-rig")
    if hardware and bench != "hardware":
        return f"needs hardware, the bench is {bench}; give --leeze-bench hardware --leeze-rig FILE"
    has = SIMULATED
    if rig is not None:
        from hil.rig.file import load_rig

        has = load_rig(Path(rig)).features
    lacking = [name for name in needs if name not in has]
    if lacking:
        return f"needs {', '.join(lacking)}; the bench {rig or bench} has: {', '.join(sorted(has)) or 'nothing'}"
    return ""


def _lacks(rig: Path, folder: str, site_name: str) -> str:
    """Why a rig cannot run a case: boards it has not. "" where it can."""
    from hil.rig.file import load_rig

    beside = Path(folder) / site_name
    site = load_site(str(beside) if beside.is_file() else site_name)
    boards = ["leezenflow"] if isinstance(site, GreenwaveSite) else [one.name for one in site.controllers]
    there = load_rig(rig).boards
    missing = [name for name in boards if name not in there]
    return f"needs board {', '.join(missing)}; rig {rig} has: {', '.join(there)}" if missing else ""


def _told(result: RunResult) -> str:
    return f"{result.explanation}\nagain: {result.command}"
