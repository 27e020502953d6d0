"""The account of a run: every rule's ledger as one JSON-able object, by lamp and night, with the usual indicators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controllers.lighting.account import HOUR_NS, Assumptions, Nights, lit_nights, total, year_lit_h
from controllers.lighting.lamp_meter import BANDS, Sums, watt_hours
from hil.judge.light_ledger import LightLedger


def account(
    ledgers: Mapping[str, LightLedger],
    lamps: Sequence[str],
    nights: Nights,
    year_h: float,
    assumed: Assumptions,
    start_ns: int = 0,
) -> dict[str, Any]:
    """What all rules spent, from `start_ns` to where their ledgers stand.

    Args:
        ledgers: by rule, "leeze" among them.
        lamps: their names.
        nights: on the ledgers' clock.
        year_h: lit hours of a year.
        assumed: for the indicators.
    """
    leeze = ledgers["leeze"]
    now_ns, power_mw = leeze.now_ns, leeze.power_mw
    lit = lit_nights(leeze.lit_hours, nights, start_ns, now_ns, leeze.origin_utc_ns)
    lit_h = sum(lit.values()) / HOUR_NS
    by_lamp = {rule: ledger.account.by_lamp(now_ns) for rule, ledger in ledgers.items()}
    by_night = {rule: ledger.account.by_night(now_ns) for rule, ledger in ledgers.items()}
    totals = {rule: total(sums) for rule, sums in by_lamp.items()}
    energy = {rule: watt_hours(sums.light, power_mw) for rule, sums in totals.items()}

    def each(sums: Mapping[str, Sums]) -> dict[str, Any]:
        return {
            "energy_wh": {rule: watt_hours(one.light, power_mw) for rule, one in sums.items()},
            "raised": {rule: one.raised for rule, one in sums.items()},
            "switched_on": {rule: one.switched for rule, one in sums.items()},
        }

    return {
        "nights": len(lit),
        "lit_h": round(lit_h, 3),
        "lamps": len(lamps),
        "power_w": power_mw / 1000,
        "assumed": {
            "width_m": assumed.width_m,
            "spacing_m": assumed.spacing_m,
            "lux": assumed.lux,
            "lumen_per_w": assumed.lumen_per_w,
            "year_lit_h": round(year_h, 1),
        },
        "power_density_w_lx_m2": assumed.power_density(power_mw / 1000),
        "annual_kwh_m2": {rule: assumed.annual_kwh_m2(wh, len(lamps), lit_h, year_h) for rule, wh in energy.items()},
        "lumen_hours": {rule: assumed.lumen_hours(wh) for rule, wh in energy.items()},
        "false_lightings": {rule: ledger.false_light.count for rule, ledger in ledgers.items()},
        "lamp_h_by_level": {
            rule: {band: round(ns / HOUR_NS, 3) for band, ns in zip(BANDS, sums.band_ns, strict=True)}
            for rule, sums in totals.items()
        },
        "by_night": [
            {"night": night, "lit_h": round(lit[night] / HOUR_NS, 3)}
            | each({rule: total(rows[night]) for rule, rows in by_night.items() if night in rows})
            for night in lit
        ],
        "by_lamp": [
            {"lamp": name} | each({rule: rows[number] for rule, rows in by_lamp.items()})
            for number, name in enumerate(lamps)
        ],
    }


def path_account(bench: Any, assumed: Assumptions | None = None) -> dict[str, Any]:
    """The account of a lit path's bench (hil.benches.lit_path.LitPathBench), as far as it ran.

    The spacing of lamps is the site's own where it has two lamps or more.
    """
    lamps_x_mm: list[int] = bench.lamps_x_mm
    if assumed is None:
        spacing_mm = (lamps_x_mm[-1] - lamps_x_mm[0]) / (len(lamps_x_mm) - 1) if len(lamps_x_mm) > 1 else 32_000
        assumed = Assumptions(spacing_m=spacing_mm / 1000) if spacing_mm > 0 else Assumptions()
    ledgers = {"leeze": bench.ledger}
    if bench.rules is not None:
        ledgers |= {name: rule.ledger for name, rule in bench.rules.rules.items()}
    zone = bench.calendar.zone
    return account(ledgers, bench.lamps, Nights(zone, bench.origin_utc_ns), year_lit_h(bench.calendar, zone), assumed)
