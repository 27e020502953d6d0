"""Golden cases: one folder each, with README.md, case.toml and reference.txt; the same on every bench."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from drivers.errors import InputError
from drivers.settings import load_toml
from drivers.units import NS_PER_S
from hil.benches.lit_path import Faults
from hil.judge.alignment import Tolerance
from hil.peers.signal_programme import Programme
from hil.traffic.rider import Rider
from hil.traffic.script import ScriptedRider, scripted_rider

Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400 * 400)]

GHOST_IDS = 1_000_000
"""Ghosts are numbered from here, so that they never share a number with a rider."""


class FaultSpan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something fails from `from_s` until before `to_s` seconds of the case.

    radar-silent (`what`: "west/radar-1"), gateway-silent ("west/dali"), line-dark (bus power of "west/dali"),
    messages-lost (between all controllers), controller-off ("west").
    """

    kind: Literal["radar-silent", "gateway-silent", "line-dark", "messages-lost", "controller-off"]
    from_s: Seconds
    to_s: Seconds
    what: str = ""

    def __post_init__(self) -> None:
        if self.to_s <= self.from_s:
            raise ValueError("`to_s` must be later than `from_s`")
        if bool(self.what) == (self.kind == "messages-lost"):
            raise ValueError("`what` names the radar, line or controller; messages-lost has none")


class Promise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a case promises beside its reference. `lit_share_at_least`: of riders owed light; 1.0 is everybody."""

    lit_share_at_least: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    energy_below_always_on: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A case file. `start` is wall time with its offset; lit paths have riders, displays a `signal`."""

    format: Literal[1]
    title: str
    site: str
    seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)]
    start: datetime
    seed: int = 0
    riders: tuple[ScriptedRider, ...] = ()
    ghosts: tuple[ScriptedRider, ...] = ()
    faults: tuple[FaultSpan, ...] = ()
    signal: Programme | None = None
    tolerance: Tolerance = Tolerance()
    promise: Promise = Promise()

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise ValueError("`start` needs its offset from UTC, e.g. 2026-02-20T18:30:00+01:00")
        if self.signal is not None and (self.riders or self.ghosts or self.faults):
            raise ValueError("a case has a `signal` (display) or riders, ghosts and faults (lit path), not both")

    @property
    def span_ns(self) -> int:
        """How long the case runs."""
        return round(self.seconds * NS_PER_S)

    @property
    def start_utc_ns(self) -> int:
        """Wall time at the case's second 0, whole seconds."""
        return int(self.start.timestamp()) * NS_PER_S


def shipped() -> dict[str, Path]:
    """The cases that come with the package: name to folder."""
    folder = Path(str(files("hil") / "cases"))
    return {path.parent.name: path.parent for path in sorted(folder.glob("*/case.toml"))}


def case_folder(name_or_path: str) -> Path | None:
    """The folder of a case by name or path; None if it is neither."""
    known = shipped()
    if name_or_path in known:
        return known[name_or_path]
    path = Path(name_or_path)
    if path.name == "case.toml" and path.is_file():
        return path.parent
    return path if (path / "case.toml").is_file() else None


def nearest(name: str) -> str:
    """A hint for a name that is no case."""
    known = shipped()
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"cases: {', '.join(known)}"


def load_case(folder: Path) -> Case:
    """Read a case. Raises InputError with file, place and mend."""
    return load_toml(folder / "case.toml", Case)


def riders_of(case: Case, origin: str) -> list[Rider]:
    """The case's riders."""
    return [scripted_rider(script, n, f"{origin}: $.riders[{n}]") for n, script in enumerate(case.riders)]


def faults_of(case: Case, origin: str, known: Mapping[str, Collection[str]]) -> Faults:
    """The case's faults. `known`: what each kind may name, e.g. {"line-dark": ["west/dali"]}. Raises InputError."""
    spans: dict[str, dict[str, tuple[tuple[int, int], ...]]] = {}
    for n, fault in enumerate(case.faults):
        names = known.get(fault.kind, ())
        if fault.what and fault.what not in names:
            near = difflib.get_close_matches(fault.what, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(names))}"
            raise InputError(f"{origin}: $.faults[{n}].what: {fault.kind} cannot be of {fault.what!r}; {hint}")
        by_name = spans.setdefault(fault.kind, {})
        span = (round(fault.from_s * NS_PER_S), round(fault.to_s * NS_PER_S))
        by_name[fault.what] = (*by_name.get(fault.what, ()), span)
    ghosts = [scripted_rider(script, GHOST_IDS + n, f"{origin}: $.ghosts[{n}]") for n, script in enumerate(case.ghosts)]
    return Faults(
        silent_radars=spans.get("radar-silent", {}),
        silent_gateways=spans.get("gateway-silent", {}),
        dark_lines=spans.get("line-dark", {}),
        lost_messages=spans.get("messages-lost", {}).get("", ()),
        restarts=spans.get("controller-off", {}),
        ghosts=tuple(ghosts),
    )
