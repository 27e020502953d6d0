"""Riders and energy of every hour as two rows of bars: the whole run, however long, on one screen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from hil.report.escape import markup
from hil.report.figures import number
from hil.report.lanes import Hour, Lanes

HEIGHT_PX = 84
MOST_BARS = 1500
SUMS = ((1, "hour"), (24, "day"), (168, "week"))


def hours_html(lanes: Lanes) -> str:
    """Both charts, "" without hours. More than `MOST_BARS` hours are summed by days (or weeks)."""
    if not lanes.hours:
        return ""
    size, per = next((size, per) for size, per in SUMS if len(lanes.hours) <= MOST_BARS * size or per == "week")
    bars = [_summed(lanes.hours[i : i + size]) for i in range(0, len(lanes.hours), size)]
    riders = _Bars("riders", "bar-riders", 0, [(bar.riders * 1000, None) for bar in bars])
    energy = _Bars("Wh", "bar-energy", 1, [(bar.energy_mwh, bar.always_on_mwh) for bar in bars])
    days = _days(lanes, bars)
    return (
        f"<figure><figcaption>Riders a {per}</figcaption>{_chart(lanes, bars, riders, days)}</figure>"
        f"<figure><figcaption>Energy a {per}, Wh (dashes: always on)</figcaption>"
        f"{_chart(lanes, bars, energy, days)}</figure>"
    )


class _Bars(NamedTuple):
    """One row of bars: (value, value of always on) in thousandths of the unit."""

    unit: str
    style: str
    decimals: int
    values: list[tuple[int, int | None]]

    def text(self, value: int) -> str:
        """A value with its unit."""
        return f"{number(value / 1000, self.decimals)} {self.unit}"


def _summed(group: Sequence[Hour]) -> Hour:
    known = [hour.always_on_mwh for hour in group if hour.always_on_mwh is not None]
    always_on_mwh = sum(known) if len(known) == len(group) else None
    riders, energy_mwh = sum(hour.riders for hour in group), sum(hour.energy_mwh for hour in group)
    return Hour(group[0].t_ns, riders, energy_mwh, always_on_mwh)


def _days(lanes: Lanes, bars: list[Hour]) -> list[tuple[float, str]]:
    """(share of the width, label) of each new day, at most about 14."""
    starts = [(i, name) for i, bar in enumerate(bars) if (name := _when(lanes, bar.t_ns)[:10].strip())]
    firsts = [(i, name) for n, (i, name) in enumerate(starts) if n == 0 or name != starts[n - 1][1]]
    every = -(-len(firsts) // 14) or 1
    return [(i / len(bars), name[5:]) for i, name in firsts[::every]]


def _when(lanes: Lanes, t_ns: int) -> str:
    if lanes.utc_at_zero_ns is None:
        return f"          hour {t_ns // 3_600_000_000_000}"
    local = datetime.fromtimestamp((t_ns + lanes.utc_at_zero_ns) // 1_000_000_000, lanes.timezone())
    return f"{local:%Y-%m-%d %H:%M}"


def _chart(lanes: Lanes, bars: list[Hour], row: _Bars, days: list[tuple[float, str]]) -> str:
    most = max((max(value, outline or 0) for value, outline in row.values), default=0) or 1
    shapes = []
    for i, (bar, (value, outline)) in enumerate(zip(bars, row.values, strict=True)):
        tip = f"{_when(lanes, bar.t_ns).strip()}: {row.text(value)}"
        high = value * HEIGHT_PX / most
        if outline:
            tip += f", always on {row.text(outline)}"
            shapes.append(f'<path class="always-on" d="M{i} {HEIGHT_PX - outline * HEIGHT_PX / most:.1f}h1"/>')
        box = f'x="{i + 0.06:.2f}" y="{HEIGHT_PX - high:.2f}" width="0.88" height="{high:.2f}"'
        shapes.append(f'<rect class="{row.style}" {box}><title>{markup(tip)}</title></rect>')
    words = "".join(
        f'<text class="tick-page" x="{share * 100:.2f}%" y="{HEIGHT_PX + 15}">{markup(name)}</text>'
        for share, name in days
    )
    total = sum(value for value, _ in row.values)
    name = f"{len(bars)} bars, {row.text(total)} in all, at most {row.text(most)}"
    return (
        f'<div class="hours"><span class="most">{row.text(most)}</span>'
        f'<svg class="strip" height="{HEIGHT_PX + 20}" role="img"><title>{markup(name)}</title>'
        f'<svg width="100%" height="{HEIGHT_PX}" viewBox="0 0 {len(bars)} {HEIGHT_PX}" preserveAspectRatio="none">'
        f"{''.join(shapes)}</svg>{words}</svg></div>"
    )
