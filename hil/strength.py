"""How strong the cases are: each runs with each planted fault, and what nobody notices is printed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import msgspec

from controllers.lighting.site import LightingSite
from controllers.service.sites import load_site
from drivers.clock import SystemClock
from drivers.errors import InputError
from drivers.units import NS_PER_S
from hil.case import load_case, shipped
from hil.outcome import Request
from hil.replay import replay
from hil.report.result import RunResult
from hil.strength_faults import PLANTED, PlantedFault

UNTOUCHED, MISSED, CRASHED, UNSOUND = "untouched", "missed", "crashed", "unsound"
LETTERS = {
    "reference": "R",
    "invariant": "I",
    "order": "O",
    "promise": "P",
    "measurement": "M",
    "proves nothing": "V",
    CRASHED: "X",
    MISSED: "!",
    UNTOUCHED: ".",
    UNSOUND: "?",
}
LEGEND = (
    "R by the reference, I an invariant, O an order rule, P a promise, M a measurement, V non-vacuity,\n"
    "X the controller broke down; . the fault changes no byte of the case, ! it does and nobody notices,\n"
    "? the case fails without any fault"
)


class Cell(msgspec.Struct, frozen=True):
    """One case with one fault: what noticed it (words of LETTERS), and the first sentence the user reads."""

    case: str
    fault: str
    how: tuple[str, ...]
    says: str = ""

    @property
    def is_caught(self) -> bool:
        """Whether anything did."""
        return not {UNTOUCHED, MISSED, UNSOUND} & set(self.how)

    @property
    def letters(self) -> str:
        """``"RIP"``."""
        return "".join(LETTERS[word] for word in self.how)


class Strength(msgspec.Struct, frozen=True):
    """All cells, and what the cases took without any fault (seconds of wall time)."""

    cells: tuple[Cell, ...]
    suite_s: float

    @property
    def missed(self) -> list[str]:
        """Faults that no case catches."""
        faults = dict.fromkeys(cell.fault for cell in self.cells)
        return [fault for fault in faults if not any(cell.is_caught for cell in self.cells if cell.fault == fault)]

    def as_json(self) -> dict[str, Any]:
        """The object of ``--json``."""
        faults: dict[str, dict[str, Any]] = {}
        for cell in self.cells:
            by_case = faults.setdefault(cell.fault, {})
            by_case[cell.case] = {"caught": cell.is_caught, "how": list(cell.how), "says": cell.says}
        return {"missed": self.missed, "suite_s": round(self.suite_s, 3), "faults": faults}


def strength(
    cases: Sequence[str] = (),
    faults: Sequence[str] = (),
    *,
    jobs: int = 0,
    done: Callable[[int, int], None] | None = None,
) -> Strength:
    """Run `cases` (default: all shipped) with `faults` (default: all). `jobs`: processes, 0 for one a processor.

    Raises InputError for a case or fault that there is not.
    """
    known = {fault.name: fault for fault in PLANTED}
    for name in faults:
        if name not in known:
            raise InputError(f"no fault {name!r}; there are: {', '.join(known)}")
    for name in cases:
        if name not in shipped():
            raise InputError(f"no case {name!r}; there are: {', '.join(shipped())}")
    chosen = list(cases or shipped())
    work = [(case, tuple(faults)) for case in sorted(chosen, key=lambda case: -load_case(shipped()[case]).seconds)]
    jobs = min(jobs or os.cpu_count() or 1, len(work))
    cells: list[Cell] = []
    suite_s = 0.0
    for n, (took_s, found) in enumerate(_run_all(work, jobs)):
        suite_s += took_s
        cells += found
        if done is not None:
            done(n + 1, len(work))
    order = {name: n for n, name in enumerate(known)}
    cells.sort(key=lambda cell: (order[cell.fault], chosen.index(cell.case)))
    return Strength(tuple(cells), suite_s)


def _run_all(work: list[tuple[str, tuple[str, ...]]], jobs: int) -> Iterable[tuple[float, list[Cell]]]:
    if jobs <= 1:
        yield from map(_case, work)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_case, work)


def _case(work: tuple[str, tuple[str, ...]]) -> tuple[float, list[Cell]]:
    """One case without a fault, then with each."""
    name, wanted = work
    lit = isinstance(load_site(load_case(shipped()[name]).site), LightingSite)
    clock = SystemClock()
    begun_ns = clock.now_ns()
    try:
        sound = _run(name)
    except Exception as error:
        sound = RunResult(case=name, verdict="failed", broken=(repr(error),))
    took_s = (clock.now_ns() - begun_ns) / NS_PER_S
    cells = []
    for fault in PLANTED:
        if (fault.product == "lighting") == lit and (not wanted or fault.name in wanted):
            cells.append(_cell(name, fault, sound))
    return took_s, cells


def _run(name: str, fault: PlantedFault | None = None) -> RunResult:
    request = Request(subject=name, plant=fault.on_controller if fault is not None else None)
    return replay(request, lambda done, total: None).result


def _cell(name: str, fault: PlantedFault, sound: RunResult) -> Cell:
    if sound.verdict != "passed":
        return Cell(name, fault.name, (UNSOUND,), f"without any fault: {sound.reason}")
    try:
        result = _run(name, fault)
    except Exception as error:
        return Cell(name, fault.name, (CRASHED,), repr(error))
    how = caught_by(result)
    if how:
        return Cell(name, fault.name, how, result.reason)
    return Cell(name, fault.name, (UNTOUCHED if result.digest == sound.digest else MISSED,))


def caught_by(result: RunResult) -> tuple[str, ...]:
    """What noticed: words of LETTERS, e.g. ``("reference", "promise")``."""
    found = ["reference"] if result.comparison is not None and not result.comparison.passed else []
    begins: dict[str, tuple[str, ...]] = {
        "invariant": ("invariant broken",),
        "order": ("order broken",),
        "promise": ("promise broken",),
        "measurement": ("limit broken", "not measured"),
        "proves nothing": ("proves nothing",),
    }
    found += [word for word, begin in begins.items() if any(said.startswith(begin) for said in result.broken)]
    return tuple(found)


def matrix(found: Strength) -> str:
    """The table for people: faults down, cases across, and who caught what."""
    cases = list(dict.fromkeys(cell.case for cell in found.cells))
    faults = list(dict.fromkeys(cell.fault for cell in found.cells))
    cell_of = {(cell.fault, cell.case): cell for cell in found.cells}
    wide = max(map(len, faults))
    lines = [f"{n + 1:>3}  {case}" for n, case in enumerate(cases)] + [""]
    lines.append(" " * wide + "".join(f"{n + 1:>6}" for n in range(len(cases))) + "   caught by")
    for fault in faults:
        mine = [cell_of.get((fault, case)) for case in cases]
        count = sum(cell is not None and cell.is_caught for cell in mine)
        row = "".join(f"{cell.letters if cell is not None else '':>6}" for cell in mine)
        lines.append(f"{fault:<{wide}}{row}   {count or 'NOBODY'}")
    by_case = [sum(cell.is_caught for cell in found.cells if cell.case == case) for case in cases]
    lines.append(f"{'catches':<{wide}}" + "".join(f"{count:>6}" for count in by_case))
    caught = len(faults) - len(found.missed)
    lines += ["", LEGEND, "", f"{caught} of {len(faults)} planted faults caught by {len(cases)} cases"]
    lines += [f"missed: {fault}" for fault in found.missed]
    return "\n".join(lines)
