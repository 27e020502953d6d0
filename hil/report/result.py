"""What a replay has to say at its end: one value, from which the JSON line, JUnit, the tables and the page are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from hil.judge.compare import Verdict

Outcome = Literal["passed", "failed", "blocked", "no-reference"]
"""blocked: the rig or its wiring is at fault, so nothing is said of the board."""

Figures = Mapping[str, Mapping[str, float | int | None]]
"""Figure -> rule -> value, e.g. ``{"energy_wh": {"leeze": 512.25, "always_on": 2880.0}}``."""


class Measurement(msgspec.Struct, frozen=True):
    """Something measured in a run, with its limits (None: none), e.g. Measurement("first light", 212.0, "ms", 0, 400).

    `ok` is None where there is no limit, or where the value lies nearer to it than the adapter is certain of.
    """

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    ok: bool | None = None


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """One replay of one case.

    `span_s` is the time replayed, `wall_s` what it took; `us_per_frame` microseconds a radar frame, end to end.
    `figures` are those of lamps, `account` their energy by lamp and night (hil/judge/account.py), `groups` those of
    signals; each is empty where it does not apply. `broken` are the case's promises that were not kept, a sentence
    each. `command` runs it again. `notes` are printed beside the figures, e.g. "recorded passages with synthesised
    radar".

    `blocked` says what is wrong with the rig and what to do, a sentence each. `lateness_us` is that of every injected
    byte against its due time (benches in real time): `count`, `p50`, `p99`, `p999`, `max` in microseconds, and
    `histogram` with `le_us` (upper bounds, the last is open: one fewer than `count`) and `count`.
    """

    case: str
    verdict: Outcome
    title: str = ""
    digest: str = ""
    span_s: float = 0.0
    wall_s: float = 0.0
    ticks: int = 0
    radar_frames: int | None = None
    us_per_frame: float | None = None
    figures: Figures = {}
    account: Mapping[str, Any] = {}
    groups: tuple[Mapping[str, Any], ...] = ()
    comparison: Verdict | None = None
    broken: tuple[str, ...] = ()
    bench: str = "in-process"
    blocked: tuple[str, ...] = ()
    lateness_us: Mapping[str, Any] | None = None
    measurements: tuple[Measurement, ...] = ()
    command: str = ""
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = {}

    def as_json(self) -> dict[str, Any]:
        """The last object of ``replay --json`` (docs/hil-result.schema.json): what does not apply is absent."""
        found: dict[str, Any] = {
            "case": self.case,
            "verdict": self.verdict,
            "bench": self.bench,
            "digest": self.digest,
            "span_s": self.span_s,
            "wall_s": self.wall_s,
            "ticks": self.ticks,
            "radar_frames": self.radar_frames,
            "us_per_frame": self.us_per_frame,
            "times_real_time": round(self.span_s / self.wall_s, 1) if self.wall_s else None,
            **{name: known(rules) for name, rules in self.figures.items()},
            "account": dict(self.account),
            "groups": [dict(group) for group in self.groups] or None,
            "broken_promises": list(self.broken) or None,
            "blocked": list(self.blocked) or None,
            "lateness_us": dict(self.lateness_us) if self.lateness_us is not None else None,
            "measurements": [msgspec.to_builtins(one) for one in self.measurements] or None,
            "divergence": self.comparison.as_json() if self.verdict == "failed" and self.comparison else None,
        }
        return {key: value for key, value in found.items() if value not in (None, {})}

    @property
    def reason(self) -> str:
        """One sentence: why the verdict is what it is."""
        if self.blocked:
            return f"blocked: {'; '.join(self.blocked)}"
        if self.comparison is not None and not (self.broken and self.comparison.passed):
            return "; ".join([self.comparison.reason, *self.broken])
        if self.broken:
            return f"failed: {'; '.join(self.broken)}"
        return "no reference to compare with" if self.verdict == "no-reference" else self.verdict

    @property
    def explanation(self) -> str:
        """The reason and, where something was compared, the first divergence with tick, time, wire and bytes."""
        first = self.comparison.first if self.comparison is not None and not self.blocked else None
        return self.reason if first is None else f"{self.reason}\n{first.text()}"


def known(rules: Mapping[str, float | int | None]) -> dict[str, float | int]:
    """The rules that have a value."""
    return {rule: value for rule, value in rules.items() if value is not None}
