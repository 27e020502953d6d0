"""What no run may show, whatever its reference says: rules of a lit path, held against the light of the gear itself.

lamp-limit: no lamp above the site's full level. lamp-by-day: none lit for longer than 10 s while the calendar is off.
lamp-dark: none below base level for longer than 10 s in lit hours. Excused are lamps whose controller has no power or a
wrong clock, or whose line is dark, silent or disturbed by the case itself, and 15 s after: nobody can keep a rule then.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.codecs.dali import level_for_ppm
from drivers.units import NS_PER_S
from hil.benches.lit_path import LitPathBench
from hil.faults.plan import Faults

GRACE_NS = 10 * NS_PER_S
AFTER_NS = 15 * NS_PER_S
"""So long after a fault of the case a controller may take to put its lamps right: it starts, asks gear, tells it."""

MOST_SAID = 5
PPM_PER_PCT = 10_000


class LampInvariants:
    """Looks at every lamp of a lit path. Make it after whoever else listens to the bench's outputs, before `start`."""

    def __init__(self, bench: LitPathBench) -> None:
        self._bench, self._calendar = bench, bench.calendar
        self._before = bench.on_output
        bench.on_output = self._output
        self._excused = [_excused(bench.faults, bench.contents, name) for name in bench.lamps]
        self._level = [(0, 0)] * len(bench.lamps)  # since when, level
        self._bad: list[dict[str, int]] = [{} for _ in bench.lamps]  # rule: since when
        self._said: set[tuple[str, int]] = set()
        self.broken: list[str] = []
        self.highest = 0
        """The highest level any lamp was given."""

    def _output(self, lamp: int, t_ns: int, from_level: int, to_level: int, duration_ns: int) -> None:
        if self._before is not None:
            self._before(lamp, t_ns, from_level, to_level, duration_ns)
        self._look(lamp, t_ns)
        self._level[lamp] = (t_ns, to_level)
        self.highest = max(self.highest, to_level)
        if to_level > self._bench.full_level and not self._is_excused(lamp, t_ns):
            self._tell("lamp-limit", lamp, t_ns, f"at level {to_level}, above {self._bench.full_level}")

    def go_on(self, now_ns: int) -> None:
        """The bench has taken over a snapshot made at `now_ns`: what lamps show there is where this begins."""
        self._level = [(now_ns, lamp.to_level) for lamp in self._bench.ledger.lamps]

    def finish(self, end_ns: int) -> list[str]:
        """The run ends: a sentence for each rule and lamp that was broken, the first five."""
        for lamp in range(len(self._level)):
            self._look(lamp, end_ns)
        return self.broken[:MOST_SAID]

    def _look(self, lamp: int, until_ns: int) -> None:
        """What the level of a lamp meant since it was given."""
        from_ns, level = self._level[lamp]
        origin_ns = self._bench.origin_utc_ns
        while from_ns < until_ns:
            edge_ns = min(until_ns, self._calendar.next_change_ns(from_ns + origin_ns) - origin_ns)
            hours = self._calendar.hours_at(from_ns + origin_ns)
            lit, base_level = hours.light != "off", self._bench.base_level
            if hours.base_pct is not None:
                base_level = level_for_ppm(round(hours.base_pct * PPM_PER_PCT))
            self._hold("lamp-by-day", lamp, not lit and level > 0, from_ns, edge_ns, level)
            self._hold("lamp-dark", lamp, lit and level < base_level, from_ns, edge_ns, level)
            from_ns = max(edge_ns, from_ns + 1)

    def _hold(self, rule: str, lamp: int, is_bad: bool, from_ns: int, to_ns: int, level: int) -> None:
        bad = self._bad[lamp]
        if not is_bad:
            bad.pop(rule, None)
            return
        since_ns = bad.setdefault(rule, from_ns)
        for span_from_ns, span_to_ns in self._excused[lamp]:
            if span_from_ns <= since_ns < span_to_ns:
                since_ns = bad[rule] = span_to_ns
        fault_ns = min((low for low, _ in self._excused[lamp] if low > since_ns), default=to_ns)
        if min(to_ns, fault_ns) - since_ns > GRACE_NS:
            what = "lit while the calendar is off" if rule == "lamp-by-day" else "below base in lit hours"
            self._tell(rule, lamp, since_ns, f"{what} for more than {GRACE_NS // NS_PER_S} s, at level {level}")
        if fault_ns < to_ns:
            bad[rule] = max(high for low, high in self._excused[lamp] if low <= fault_ns)

    def _is_excused(self, lamp: int, t_ns: int) -> bool:
        return any(low <= t_ns < high for low, high in self._excused[lamp])

    def _tell(self, rule: str, lamp: int, t_ns: int, what: str) -> None:
        if (rule, lamp) in self._said:
            return
        self._said.add((rule, lamp))
        self.broken.append(
            f"invariant broken ({rule}): {self._bench.lamps[lamp]} from second {t_ns / NS_PER_S:.1f} on {what}"
        )


def _excused(faults: Faults, contents: Mapping[str, str], lamp: str) -> list[tuple[int, int]]:
    """Spans in which nobody can ask anything of a lamp, e.g. of ``"west/lamp-3"``."""
    controller = lamp.partition("/")[0]
    spans = [(0, faults.start_ns)]
    spans += faults.restarts.get(controller, ())
    spans += [(low, high) for low, high, _ in faults.clocks.get(controller, ())]
    for by_line in (faults.dark_lines, faults.silent_gateways):
        for name, found in by_line.items():
            spans += found if name.startswith(f"{controller}/") else ()
    for name, disturbed in faults.wires.items():
        if name.startswith(f"{controller}/") and contents.get(name) == "dali":
            spans += [(fault.from_ns, fault.to_ns) for fault in disturbed]
    return [(low, high + AFTER_NS) for low, high in sorted(spans)]
