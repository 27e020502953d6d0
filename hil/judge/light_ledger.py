"""The ledger of a lit path: who was lit in time, and what it cost. A stream in, a few counters held, figures out.

**Lit in time**: a rider counts who was owed one lamp or more (hil/judge/owed.py) in lit hours while known; the rider is
lit in time when every such lamp was at full level for the whole time it was owed. A lamp becomes owed only at a moment
in lit hours that have lasted for `RISEN_NS`, and the end of lit hours ends what it owes; so nobody is asked to have
lit a lamp before sunset. A rider counts once, when the last lamp is done. Riders still under way when the run ends are
left out.

Beside it: the share of all lamps, owed or not, known or not, that were full when a rider in lit hours first came within
10 m of them.

**Light and energy** are those of controllers/lighting/lamp_meter.py, the same that a flight recorder's files are
reckoned with. All sums are integers (mW x ppm x ns); only `figures` rounds. For whom a lamp was lit: false_light.py.

The bound: lower end of the two-sided 95 % Wilson score interval (E. B. Wilson, JASA 22, 1927). It takes riders as
independent, which riders in groups are not.
"""

from __future__ import annotations

import heapq
from math import sqrt
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from controllers.lighting.account import LightAccount, LitHours, Nights, total
from controllers.lighting.lamp_meter import band_edges, watt_hours
from drivers.units import NS_PER_S
from hil.judge.false_light import FalseLight
from hil.judge.lamp_output import LampOutput
from hil.judge.owed import LightPath, Walk
from hil.traffic.rider import Rider

FULL_LEVEL = 254
BASE_LEVEL = 170
"""10.1 % of full output, the base level of the reference site."""

RISEN_NS = NS_PER_S
"""Nothing may be lit before lit hours, and a lamp takes so long to rise: what is owed sooner is not asked for."""

MOST_MISSES = 20

_WILSON_Z2 = 3.841459


class Figures(msgspec.Struct, frozen=True):
    """What the ledger says in the end. Shares are 0 to 1, None where nothing was counted."""

    riders: int
    lit_in_time: int
    lit_share: float | None
    lit_share_low95: float | None
    lamps_met: int
    full_at_10m: int
    full_at_10m_share: float | None
    lamp_s_above_base: float
    energy_wh: float
    raised: int
    switched_on: int
    false_lightings: int


class _Claim:
    """A time in which one lamp should be full, for one rider; `counts` is False for a mere 10 m mark."""

    __slots__ = ("counts", "failed", "from_ns", "lamp", "to_ns")

    def __init__(self, from_ns: int, to_ns: int, lamp: int, counts: bool, failed: bool = False) -> None:
        self.from_ns, self.to_ns, self.lamp, self.counts, self.failed = from_ns, to_ns, lamp, counts, failed


class LightLedger:
    """Riders and lamps in, figures out; memory as large as the riders under way.

    Feed it in time order: `rider` not later than the ride starts, `lamp_output` as it happens, `advance` to a time up
    to which every rider and lamp event has been told. Calling it more often changes nothing.

    Args:
        path: lamps, radar views, and what is owed.
        lit_hours: the calendar.
        origin_utc_ns: the UTC time that is 0 on the ledger's clock.
        power_mw: power of one lamp at full output, e.g. 20000.
        start_ns, start_level: when the count begins, and what all lamps give then.
        base_level, full_level: arc power levels.
        zone: of the nights of the account, e.g. that of the calendar.
    """

    def __init__(
        self,
        path: LightPath,
        lit_hours: LitHours,
        *,
        origin_utc_ns: int = 0,
        power_mw: int = 20_000,
        start_ns: int = 0,
        start_level: int = 0,
        base_level: int = BASE_LEVEL,
        full_level: int = FULL_LEVEL,
        zone: ZoneInfo | None = None,
    ) -> None:
        self.path, self.lit_hours, self.origin_utc_ns = path, lit_hours, origin_utc_ns
        self.power_mw, self.base_level, self.full_level = power_mw, base_level, full_level
        edges = band_edges(base_level, full_level)
        self.lamps = [LampOutput(start_ns, start_level, edges, full_level) for _ in path.lamps_x_mm]
        self.account = LightAccount(self.lamps, Nights(zone or ZoneInfo("UTC"), origin_utc_ns))
        self.false_light = FalseLight(len(self.lamps), base_level)
        self.now_ns = start_ns
        self._claims: list[list[_Claim]] = [[] for _ in path.lamps_x_mm]
        self._riders: list[tuple[int, int, list[_Claim]]] = []  # heap: when done, number, claims
        self._number = 0
        self._riders_owed = self._riders_lit = self._met = self._met_full = 0
        self.left_out: frozenset[int] = frozenset()
        """Lamps that nobody can reach (their gateway is dead): what is owed of them is not asked."""
        self.misses: list[tuple[int, int]] = []
        """The first lamps that were owed and not full: (owed from, number of the lamp). For people who look for why."""

    def rider(self, rider: Rider) -> None:
        """Somebody is about to start a ride."""
        if self.passes_in_lit_hours(rider.start_ns, rider.end_ns):
            self.expect(self.path.walk(rider))

    def passes_in_lit_hours(self, start_ns: int, end_ns: int) -> bool:
        """Whether any moment of a ride lies in lit hours; by day nothing has to be worked out."""
        utc_ns = start_ns + self.origin_utc_ns
        return self.lit_hours.lit_at(utc_ns) or self.lit_hours.next_edge_ns(utc_ns) <= end_ns + self.origin_utc_ns

    def expect(self, walk: Walk) -> None:
        """The same for a ride already walked through (`path.walk`), so that several ledgers can share the work."""
        claims = []
        owed_to = self.false_light.owed
        for from_ns, to_ns, lamp, known in walk.owed:
            owed_to(lamp, from_ns, to_ns)
            to_ns = self.lit_until_ns(from_ns, to_ns)
            asked = known and lamp not in self.left_out and to_ns > from_ns
            if asked and self.lit_hours.lit_at(from_ns - RISEN_NS + self.origin_utc_ns):
                claims.append(_Claim(from_ns, to_ns, lamp, True))
        for t_ns, lamp, _ in walk.near:
            if self.lit_hours.lit_at(t_ns + self.origin_utc_ns):
                claims.append(_Claim(t_ns, t_ns + 1, lamp, False))
        if not claims:
            return
        for claim in claims:
            waiting = self._claims[claim.lamp]
            if len(waiting) > 100:  # a lamp whose output never changes: nobody else tidies up
                self._judge(claim.lamp, walk.start_ns)
            waiting.append(claim)
        heapq.heappush(self._riders, (max(claim.to_ns for claim in claims), self._number, claims))
        self._number += 1

    def lit_until_ns(self, from_ns: int, to_ns: int) -> int:
        """`to_ns` or the end of lit hours, whichever is first; `from_ns` itself where that is not in lit hours."""
        utc_ns = from_ns + self.origin_utc_ns
        if not self.lit_hours.lit_at(utc_ns):
            return from_ns
        return min(to_ns, self.lit_hours.next_edge_ns(utc_ns) - self.origin_utc_ns)

    def lamp_output(self, lamp: int, t_ns: int, from_level: int, to_level: int, duration_ns: int) -> None:
        """Lamp number `lamp` goes from one arc power level to another, from `t_ns` on, within `duration_ns`.

        Raises ValueError where a lamp's events are not in time order.
        """
        output = self.lamps[lamp]
        if t_ns < output.t0_ns:
            raise ValueError(f"lamp {lamp}: output at {t_ns} ns told after output at {output.t0_ns} ns")
        if output.full_from_ns <= t_ns:  # a stretch below full is over, and the next may begin
            self._judge(lamp, t_ns)
        self.account.before(lamp, t_ns)
        output.go(t_ns, from_level, to_level, duration_ns)
        self.false_light.goes(lamp, t_ns, to_level)

    def advance(self, now_ns: int) -> None:
        """Everything up to `now_ns` has been told: close the riders that are done."""
        self.now_ns = now_ns
        riders = self._riders
        while riders and riders[0][0] <= now_ns:
            self._close(heapq.heappop(riders)[2])

    def finish(self, t_ns: int) -> None:
        """The run ends at `t_ns`; who is still under way is left out."""
        self.advance(t_ns)
        self._riders.clear()
        for waiting in self._claims:
            waiting.clear()

    def figures(self) -> Figures:
        """The figures up to the last `advance`."""
        sums = total(self.account.by_lamp(self.now_ns))
        riders, lit = self._riders_owed, self._riders_lit
        return Figures(
            riders=riders,
            lit_in_time=lit,
            lit_share=round(lit / riders, 6) if riders else None,
            lit_share_low95=round(wilson_low95(lit, riders), 6) if riders else None,
            lamps_met=self._met,
            full_at_10m=self._met_full,
            full_at_10m_share=round(self._met_full / self._met, 6) if self._met else None,
            lamp_s_above_base=round(sums.above_ns / NS_PER_S, 3),
            energy_wh=watt_hours(sums.light, self.power_mw),
            raised=sums.raised,
            switched_on=sums.switched,
            false_lightings=self.false_light.count,
        )

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "now_ns": self.now_ns,
            "number": self._number,
            "misses": [list(miss) for miss in self.misses],
            "counts": [self._riders_owed, self._riders_lit, self._met, self._met_full],
            "lamps": [lamp.snapshot() for lamp in self.lamps],
            "account": self.account.snapshot(),
            "false_light": self.false_light.snapshot(),
            "riders": [
                [done_ns, number, [[c.from_ns, c.to_ns, c.lamp, c.counts, c.failed] for c in claims]]
                for done_ns, number, claims in sorted(self._riders, key=lambda entry: entry[:2])
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot of a ledger made with the same arguments."""
        self.now_ns, self._number = state["now_ns"], state["number"]
        self._riders_owed, self._riders_lit, self._met, self._met_full = state["counts"]
        self.misses = [(from_ns, lamp) for from_ns, lamp in state["misses"]]
        for lamp, saved in zip(self.lamps, state["lamps"], strict=True):
            lamp.restore(saved)
        self.account.restore(state["account"])
        self.false_light.restore(state["false_light"])
        self._claims = [[] for _ in self.lamps]
        self._riders = [
            (done, number, [_Claim(*claim) for claim in claims]) for done, number, claims in state["riders"]
        ]
        for _, _, claims in self._riders:
            for claim in claims:
                self._claims[claim.lamp].append(claim)

    def _judge(self, lamp: int, t_ns: int) -> None:
        """Hold the claims on a lamp against its last stretch below full; drop those over by `t_ns`."""
        output = self.lamps[lamp]
        waiting = self._claims[lamp]
        for claim in waiting:
            if output.was_low(claim.from_ns, claim.to_ns):
                claim.failed = True
        waiting[:] = [claim for claim in waiting if claim.to_ns > t_ns]

    def _close(self, claims: list[_Claim]) -> None:
        owed = lit = 0
        for claim in claims:
            failed = claim.failed or self.lamps[claim.lamp].was_low(claim.from_ns, claim.to_ns)
            if claim.counts:
                owed += 1
                lit += not failed
                if failed and len(self.misses) < MOST_MISSES:
                    self.misses.append((claim.from_ns, claim.lamp))
            else:
                self._met += 1
                self._met_full += not failed
        if owed:
            self._riders_owed += 1
            self._riders_lit += lit == owed


def wilson_low95(successes: int, trials: int) -> float:
    """Lower end of the two-sided 95 % Wilson score interval. Example: 10 of 10 give 0.722."""
    z2 = _WILSON_Z2
    spread = sqrt(z2 * (successes * (trials - successes) / trials + z2 / 4))
    return max((successes + z2 / 2 - spread) / (trials + z2), 0.0)
