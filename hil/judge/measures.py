"""Measurements of a case, with limits: how long an answer takes, how much light and energy, how many frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from drivers.units import NS_PER_MS, NS_PER_S
from hil.judge.order import Channel
from hil.report.result import Measurement

What = Literal["response", "slowest-response", "count", "energy", "lit-share", "full-at-10m-share", "lamp-s-above-base"]
_UNITS: dict[str, str] = {
    "response": "ms",
    "slowest-response": "ms",
    "count": "pieces",
    "energy": "Wh",
    "lit-share": "share",
    "full-at-10m-share": "share",
    "lamp-s-above-base": "s",
}
_FIGURES = {
    "energy": "energy_wh",
    "lit-share": "lit_share",
    "full-at-10m-share": "full_at_10m_share",
    "lamp-s-above-base": "lamp_s_above_base",
}


class Measure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Something to measure, with limits that have to hold (`low`, `high`; either may be left out).

    response: ms from the first piece on `from` at or after `after_s` to the next one on `to`. slowest-response: the
    longest such time after any piece on `from` that comes while none is waited for. count: pieces on `to`. energy (Wh),
    lit-share, full-at-10m-share, lamp-s-above-base: the board's figures on a lit path. Channels as in order rules.
    Example: ``Measure("first light", "response", "in:west/radar-1", "west/dali~h.*", high=400)``.
    """

    name: str
    what: What
    from_: str = ""
    to: str = ""
    after_s: float = 0.0
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        timed, counted = self.what.endswith("response"), self.what == "count"
        if bool(self.from_) != timed or bool(self.to) != (timed or counted):
            raise ValueError("responses have `from` and `to`, count has `to`, figures have neither")
        for text in (self.from_, self.to):
            Channel(text)
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("`low` is above `high`")


class Meter:
    """Measures one thing, fed with every piece in the order of time."""

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self._from = Channel(measure.from_) if measure.from_ else None
        self._to = Channel(measure.to) if measure.to else None
        self._after_ns = round(measure.after_s * NS_PER_S)
        self._since_ns: int | None = None
        self._count = 0
        self._slowest_ns: int | None = None

    def passed(self, wire: str, outward: bool, data: bytes, t_ns: int) -> None:
        """A piece passes."""
        if t_ns < self._after_ns or self._to is None:
            return
        if self._from is None:
            self._count += self._to.has(wire, outward, data)
        elif self._since_ns is not None and self._to.has(wire, outward, data):
            took_ns = t_ns - self._since_ns
            self._since_ns = None
            if self._slowest_ns is None or (self.measure.what != "response" and took_ns > self._slowest_ns):
                self._slowest_ns = took_ns
        elif self._since_ns is None and self._from.has(wire, outward, data):
            self._since_ns = t_ns

    def value(self, figures: Mapping[str, Mapping[str, float | int | None]]) -> float | None:
        """What was measured; None where there was nothing to measure."""
        what = self.measure.what
        if what == "count":
            return float(self._count)
        if what in _FIGURES:
            found = figures.get(_FIGURES[what], {}).get("leeze")
            return None if found is None else float(found)
        return None if self._slowest_ns is None else round(self._slowest_ns / NS_PER_MS, 3)

    def measured(
        self, figures: Mapping[str, Mapping[str, float | int | None]], uncertainty_ms: float = 0.0
    ) -> tuple[Measurement | None, str]:
        """The measurement, and a sentence where a limit is broken or nothing was measured ("" else).

        A time nearer to its limit than `uncertainty_ms` is neither: its `ok` is None.
        """
        one, value = self.measure, self.value(figures)
        if value is None:
            return None, f"not measured: {one.name}: nothing passed that could be ({one.what})"
        unit = _UNITS[one.what]
        doubt = uncertainty_ms if unit == "ms" else 0.0
        bounds = [limit for limit in (one.low, one.high) if limit is not None]
        good = (one.low is None or value >= one.low) and (one.high is None or value <= one.high)
        near = any(abs(value - limit) < doubt for limit in bounds)
        ok = None if not bounds or near else good
        found = Measurement(one.name, value, unit, one.low, one.high, ok)
        return found, "" if ok is not False else f"limit broken: {text(found)}"


def text(found: Measurement) -> str:
    """``"first light 412 ms (at most 400)"``."""
    limits = [f"at least {found.low:g}"] if found.low is not None else []
    limits += [f"at most {found.high:g}"] if found.high is not None else []
    return f"{found.name} {found.value:g} {found.unit}" + (f" ({', '.join(limits)})" if limits else "")


def uncertain(found: Sequence[Measurement]) -> list[str]:
    """Names of those that have limits and lie too near to them to say."""
    return [one.name for one in found if one.ok is None and (one.low is not None or one.high is not None)]
