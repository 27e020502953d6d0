"""What a bench adds to the page: measurements with their limits, and how late the injected bytes were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hil.report.escape import markup
from hil.report.figures import number
from hil.report.result import Measurement, RunResult

HEIGHT_PX, BAR_PX, LABELS_PX = 120, 52, 20


def measurements_html(measured: Sequence[Measurement]) -> str:
    """The table of measurements; "" without any."""
    if not measured:
        return ""
    lines = []
    for one in measured:
        word, style = {True: ("within", "held"), False: ("outside", "broken"), None: ("\u2013", "")}[one.ok]
        cells = f"<td>{_value(one.value, one.unit)}</td><td>{_limits(one)}</td><td class='{style}'>{word}</td>"
        lines.append(f'<tr><th scope="row">{markup(one.name)}</th>{cells}</tr>')
    return (
        '<section><h2>Measurements</h2><div class="wide"><table><thead><tr><th scope="col">what</th>'
        '<th scope="col">measured</th><th scope="col">limits</th><th scope="col"></th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div></section>"
    )


def _value(value: float, unit: str) -> str:
    whole = value == round(value)
    return markup(f"{number(value, 0 if whole else 3)} {unit}".strip())


def _limits(one: Measurement) -> str:
    low, high = one.low, one.high
    if low is None and high is None:
        return "\u2013"
    if low is None:
        return f"at most {_value(high or 0.0, one.unit)}"
    if high is None:
        return f"at least {_value(low, one.unit)}"
    return f"{_value(low, '')} to {_value(high, one.unit)}"


def lateness_html(result: RunResult) -> str:
    """How late the injected bytes were, as bars; "" on benches in virtual time."""
    late = result.lateness_us
    if not late or not late.get("count"):
        return ""
    told = ", ".join(f"{name} {_us(late[key])}" for key, name in _WORDS if late.get(key) is not None)
    about = f"{number(late['count'])} chunks of bytes put on wires, each against its due time: {told}."
    return f'<section><h2>Lateness of injected bytes</h2><p class="note">{markup(about)}</p>{_bars(late)}</section>'


_WORDS = (("p50", "half within"), ("p99", "99 % within"), ("p999", "99.9 % within"), ("max", "the latest"))


def _us(value: float) -> str:
    return f"{number(value / 1000, 1)} ms" if value >= 1000 else f"{number(round(value))} \u00b5s"


def _bars(late: Mapping[str, Any]) -> str:
    histogram = late.get("histogram") or {}
    bounds, counts = list(histogram.get("le_us", ())), list(histogram.get("count", ()))
    while counts and not counts[-1] and len(counts) > 1:
        counts.pop()
    if not counts or not any(counts):
        return ""
    most = max(counts)
    parts = []
    for n, count in enumerate(counts):
        high = round(HEIGHT_PX * count / most, 1)
        x, y = n * BAR_PX, HEIGHT_PX - high + 12
        name = f"up to {_us(bounds[n])}" if n < len(bounds) else f"above {_us(bounds[-1])}"
        tip = f"<title>{markup(f'{name}: {number(count)}')}</title>"
        parts.append(
            f'<rect class="bar-riders" x="{x + 3}" y="{y:.1f}" width="{BAR_PX - 6}" height="{high}">{tip}</rect>'
        )
        label = _short(bounds[n]) if n < len(bounds) else "more"
        at = f'x="{x + BAR_PX // 2}" y="{HEIGHT_PX + 26}" text-anchor="middle"'
        parts.append(f'<text class="tick-page" {at}>{label}</text>')
        if count:
            at = f'x="{x + BAR_PX // 2}" y="{y - 3:.1f}" text-anchor="middle"'
            parts.append(f'<text class="tick-page" {at}>{number(count)}</text>')
    width = max(1, len(counts)) * BAR_PX
    return (
        f'<div class="wide"><svg class="histogram" width="{width}" height="{HEIGHT_PX + 12 + LABELS_PX}" role="img" '
        f'aria-label="Histogram of lateness; below each bar its upper bound">{"".join(parts)}</svg></div>'
    )


def _short(us: float) -> str:
    return f"{us / 1000:g}ms" if us >= 1000 else f"{us:g}\u00b5s"
