"""All signal groups of a feed as a live table with countdowns, so that an installer finds the right one on site.

Drawn in 80 columns. `since` is how long the group has shown this, with ``>`` where it did so already when we began to
listen. The times left are those of the newest message, counted down since it came; ``-`` where the feed gives none.
"""

from __future__ import annotations

from typing import Any

import msgspec
from rich.text import Text

from drivers.codecs.spat import PHASE_STATES, STATUS_BITS, status_mask
from drivers.quantities import SignalState
from drivers.units import NS_PER_MS, NS_PER_S

MOST_ROWS = 512
OLD_NS = 3 * NS_PER_S
"""A group without a message for so long is drawn dim."""

_WORDS = (
    ("not known", "dim"),
    ("dark", "dim"),
    ("flashing red", "red"),
    ("red", "bold red"),
    ("red-amber", "bold orange1"),
    ("green", "bold green"),
    ("green", "bold green"),
    ("amber", "bold yellow"),
    ("amber", "bold yellow"),
    ("flashing amber", "yellow"),
)
"""What each MovementPhaseState looks like from the road."""

_TELLING = status_mask(name for name in STATUS_BITS if name not in ("fixedTimeOperation", "trafficDependentOperation"))
_TELLING &= 0x23FF  # what concerns maps is none of ours
"""Status bits of more than ordinary work, shown in hex behind the row."""

_HEAD = "   station  group  state            since     min     max  likely   sure"


class Row(msgspec.Struct, gc=False):
    """One group: its newest word, and since when it shows that; `whole` where we saw it begin."""

    value: SignalState
    since_ns: int
    whole: bool = False


class SignalTable:
    """The groups of one feed. Bounded; further groups are left out and counted."""

    def __init__(self) -> None:
        self.left_out = 0
        self._rows: dict[tuple[int, int], Row] = {}

    def take(self, value: SignalState) -> None:
        """A group said this."""
        key = value.station, value.group
        row = self._rows.get(key)
        if row is not None:
            if _state(row.value) != _state(value):
                row.since_ns, row.whole = value.t_ns, True
            row.value = value
        elif len(self._rows) < MOST_ROWS:
            self._rows[key] = Row(value, value.t_ns)
        else:
            self.left_out += 1

    @property
    def rows(self) -> list[Row]:
        """By station and group."""
        return [row for _, row in sorted(self._rows.items())]

    def data(self, now_ns: int) -> list[dict[str, Any]]:
        """The table as JSON-able data; times in milliseconds."""
        shown = []
        for row in self.rows:
            value, state = row.value, _state(row.value)
            shown.append(
                {
                    "station": value.station,
                    "group": value.group,
                    "state": state,
                    "state_name": PHASE_STATES[state],
                    "shows": _WORDS[state][0],
                    "since_ms": (now_ns - row.since_ns) // NS_PER_MS,
                    "since_is_whole": row.whole,
                    "age_ms": (now_ns - value.t_ns) // NS_PER_MS,
                    "status": value.status,
                    **dict(zip(("min_end_ms", "max_end_ms", "likely_ms"), _left_ms(value, now_ns), strict=True)),
                    "confidence_pct": value.phases[0].confidence_pct if value.phases else None,
                }
            )
        return shown

    def lines(self, now_ns: int) -> list[Text]:
        """The table for a terminal, a head and a line a group."""
        lines = [Text(_HEAD, "dim")]
        for row in self.rows:
            value = row.value
            word, style = _WORDS[_state(value)]
            old = now_ns - value.t_ns > OLD_NS
            since = f"{' ' if row.whole else '>'}{max(0, now_ns - row.since_ns) / NS_PER_S:.1f}"
            left = "".join(f"{_seconds(ms):>8}" for ms in _left_ms(value, now_ns))
            sure = value.phases[0].confidence_pct if value.phases else None
            line = Text(f"  {value.station:>8}  {value.group:>5}  ")
            line.append("■ ", style)
            line.append(f"{word:<14}", style)
            line.append(f"{since:>7}{left}{'-' if sure is None else f'{sure} %':>7}")
            if value.status & _TELLING:
                line.append(f" {value.status & _TELLING:#06x}", "yellow")
            if old:
                line.stylize("dim")
            lines.append(line)
        if self.left_out:
            lines.append(Text(f"   more than {MOST_ROWS} groups; the rest is left out", "yellow"))
        return lines


def _state(value: SignalState) -> int:
    return value.phases[0].state if value.phases else 0


def _left_ms(value: SignalState, now_ns: int) -> list[int | None]:
    """What is left until the least, the greatest and the likely end of the running phase."""
    if not value.phases:
        return [None, None, None]
    phase, gone_ms = value.phases[0], (now_ns - value.t_ns) // NS_PER_MS
    return [None if ms is None else ms - gone_ms for ms in (phase.min_end_ms, phase.max_end_ms, phase.likely_ms)]


def _seconds(ms: int | None) -> str:
    return "-" if ms is None else f"{ms / 1000:.1f}"
