"""Golden cases: one folder each, with README.md, case.toml and reference.txt; the same on every bench."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from drivers.errors import InputError
from drivers.settings import load_toml
from drivers.units import NS_PER_S
from hil.faults.plan import Faults, planned
from hil.faults.span import FaultSpan, Seconds, check_names, read_by_hand
from hil.judge.alignment import Tolerance
from hil.judge.measures import Measure
from hil.judge.order import OrderRule
from hil.peers.signal_programme import Programme
from hil.traffic.rider import GHOST_IDS, Rider
from hil.traffic.script import ScriptedRider, scripted_rider

MOST_WINDOW_S = 60


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The part of a longer case that benches in real time play, `from_s` to `to_s` seconds of it; 60 s at most.

    Boards start cold at `from_s`; riders, signals and faults are where the case has them then. All times, those of
    reference-window.txt too, stay seconds of the case.
    """

    from_s: Seconds
    to_s: Seconds

    def __post_init__(self) -> None:
        if not 0 < self.to_s - self.from_s <= MOST_WINDOW_S:
            raise ValueError(f"a window lasts up to {MOST_WINDOW_S} s, and `to_s` is later than `from_s`")

    @property
    def from_ns(self) -> int:
        """When boards start."""
        return round(self.from_s * NS_PER_S)

    @property
    def to_ns(self) -> int:
        """When the run ends."""
        return round(self.to_s * NS_PER_S)


class Promise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a case promises beside its reference. `lit_share_at_least`: of riders owed light; 1.0 is everybody."""

    lit_share_at_least: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    energy_below_always_on: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A case file. `start` is wall time with its offset; lit paths have riders, displays a `signal`.

    `order`: rules of hil.judge.order. `measure`: what to measure, with limits. `nothing_lit_because`: why it is right
    that no lamp comes to full level, or that the panel never shows green; without it such a case fails.
    """

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
    window: Window | None = None
    tolerance: Tolerance = Tolerance()
    promise: Promise = Promise()
    order: tuple[str, ...] = ()
    measure: tuple[Measure, ...] = ()
    nothing_lit_because: str = ""

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise ValueError("`start` needs its offset from UTC, e.g. 2026-02-20T18:30:00+01:00")
        if self.signal is not None and (self.riders or self.ghosts):
            raise ValueError("a case has a `signal` (display) or riders and ghosts (lit path), not both")
        for rule in self.order:
            OrderRule(rule)  # says what is wrong with it
        if self.window is not None and self.window.to_s > self.seconds:
            raise ValueError("`window` ends after the case")

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


def faults_of(
    case: Case, origin: str, known: Mapping[str, Collection[str]], *, by_hand: Sequence[str] = (), window: bool = False
) -> Faults:
    """The case's faults, and those given by hand (`--fault`). Raises InputError.

    `known`: what each kind may name, e.g. {"line-dark": ["west/dali"], "wire": ["west/dali", "west/radar-1"]}.
    With `window` boards are without power until it begins.
    """
    check_names(case.faults, known, f"{origin}: $.faults")
    more = [read_by_hand(word) for word in by_hand]
    check_names(more, known, "--fault")
    ghosts = [scripted_rider(script, GHOST_IDS + n, f"{origin}: $.ghosts[{n}]") for n, script in enumerate(case.ghosts)]
    start_ns = case.window.from_ns if window and case.window is not None else 0
    return planned([*case.faults, *more], known.get("line-dark", ()), tuple(ghosts), start_ns)


def known_faults(wires: Mapping[str, str], controllers: Collection[str]) -> dict[str, Collection[str]]:
    """What each kind of fault may name, from the site's wires (``board/wire`` to content) and controllers."""
    lines = [name for name, content in wires.items() if content == "dali"]
    radars = [name for name, content in wires.items() if content == "ld2451"]
    feeds = [name for name, content in wires.items() if content.startswith("spat") or content == "sensorthings"]
    return {
        "wire": dict(wires),
        "radar-silent": radars,
        "gateway-silent": lines,
        "line-dark": lines,
        "broker-loss": [*feeds, *(name for name, content in wires.items() if content == "message")],
        "messages-lost": controllers if len(controllers) > 1 else (),
        **dict.fromkeys(("controller-off", "restart", "brown-out", "wrong-clock"), controllers),
    }


def span_of(case: Case, window: bool) -> tuple[int, int]:
    """When boards start and when the run ends, ns of the case. Raises InputError for a window the case lacks."""
    if not window or (case.window is None and case.seconds <= MOST_WINDOW_S):
        return 0, case.span_ns
    if case.window is None:
        raise InputError(f"--window: the case has none and lasts {case.seconds:g} s; give it [window] from_s, to_s")
    return case.window.from_ns, case.window.to_ns
