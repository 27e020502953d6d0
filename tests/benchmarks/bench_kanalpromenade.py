"""The tables of docs/kanalpromenade.md, as Markdown: both counters, radar ranges, calendars, faults, the account.

``python -m tests.benchmarks kanalpromenade`` takes a day of each counter, ``--weeks 4`` all four weeks (ranges,
calendars and faults some days each; see `specs`). Two runs go side by side. With ``--keep FOLDER`` each run's result is
written there as JSON, and those that are there are taken as they are, so that a broken-off command goes on. Passages by
day, more than 40 minutes from lit hours, are left out: nothing is counted then.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from controllers.core.calendar import LightCalendar
from controllers.service.sites import load_site
from drivers.units import NS_PER_S
from hil.benches.coming_riders import ListedRiders
from hil.benches.lit_path import LitPathBench
from hil.faults.plan import planned
from hil.faults.span import read_by_hand
from hil.importers.eco_counter import import_eco_counter
from hil.outcome import Request
from hil.replay import replay
from hil.traffic.generator import with_clutter
from hil.traffic.model import Passage
from hil.traffic.passages import PassageReader, RiderSource, write_traffic

ROOT = Path(__file__).parents[2]
RECORDINGS = Path(os.environ.get("LEEZE_RECORDINGS", ROOT / "../shared/data")) / "cycle-loops"
COUNTERS = ("Dingstiege", "Abschnitt_6")
SITE = ROOT / "controllers/sites/kanalpromenade-reference.toml"
ZONE = ZoneInfo("Europe/Berlin")
RULES = {
    "leeze": "Leeze",
    "always_on": "always on",
    "present": "present",
    "present_no_standby": "present, no stand-by",
    "oracle": "oracle",
}
NEAR_NS = 40 * 60 * NS_PER_S
"""Longer than the slowest ride along the path."""

WEST = frozenset(range(6))
"""Lamps of the controller west, counted along the path."""


class Spec(msgspec.Struct, frozen=True):
    """One run. `evenings`: a fault from 17:30 to 20:30 each ten minutes for 20 s; `faults` for the whole run."""

    label: str
    counter: str
    first: str
    last: str
    range_m: float = 40
    calendar: str = "other-sections"
    faults: tuple[str, ...] = ()
    evenings: str = ""
    clutter_per_h: int = 0
    left_out: tuple[int, ...] = ()


def specs(weeks: int | None) -> list[Spec]:
    """All runs of the tables; `weeks` None: a day each."""
    day = ("2024-02-20", "2024-02-20")
    whole = ("2024-02-19", "2024-03-17") if weeks else day
    found = [Spec(f"main {counter}", counter, *whole) for counter in COUNTERS]
    always = "0-9999999"
    for name, more in (
        ("nothing", {}),
        ("radar dead", {"faults": (f"radar-silent:west/radar-3:{always}",)}),
        ("handover lost", {"faults": (f"messages-lost::{always}",)}),
        ("controller restarted", {"evenings": "restart:west"}),
        ("gateway dead", {"faults": (f"gateway-silent:west/dali:{always}",), "left_out": tuple(sorted(WEST))}),
        ("rain", {"clutter_per_h": 60}),
    ):
        found.append(Spec(f"fault {name}", "Dingstiege", *day, **more))  # type: ignore[arg-type]
    for counter, days in (("Dingstiege", day), ("Abschnitt_6", ("2024-02-19", "2024-02-21"))):
        found += [
            Spec(f"range {counter} {range_m}", counter, *(days if weeks else day), range_m=range_m)
            for range_m in (14, 40, 100)
        ]
    days = ("2024-02-28", "2024-03-01") if weeks else ("2024-02-29", "2024-02-29")
    found += [
        Spec(f"calendar {kind}", "Abschnitt_6", *days, calendar=kind) for kind in ("other-sections", "rieselfelder")
    ]
    return found


def run(weeks: int | None = None, keep: Path | None = None) -> dict[str, object]:
    """Print the tables."""
    if not RECORDINGS.is_dir():
        return {"skipped": "no recordings (LEEZE_RECORDINGS)"}
    with tempfile.TemporaryDirectory() as made:
        folder = keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(2) as pool:
            results = dict(pool.map(_kept, specs(weeks), [folder] * 99))
    tables(results)
    return {}


def tables(results: Mapping[str, Mapping[str, Any]]) -> None:
    """Print all tables of results by label."""
    print("### Both counters\n")
    for counter in COUNTERS:
        _main_table(counter, results[f"main {counter}"])
    for title, table in (
        ("The account", _account_table),
        ("Radar ranges", _range_table),
        ("Both calendars", _calendar_table),
        ("Faults", _fault_table),
    ):
        print(f"### {title}\n")
        table(results)
    for what, fault in (("gateway answers nothing", "gateway-silent"), ("bus is without power", "line-dark")):
        print(f"The {what} from 19:01:00 on, nobody on the path; {full_after(f'{fault}:west/dali:60-600')}\n")


def _kept(spec: Spec, folder: Path) -> tuple[str, dict[str, Any]]:
    path = folder / f"{spec.label.replace(' ', '-')}.json"
    if path.exists():
        return spec.label, json.loads(path.read_text())
    with tempfile.TemporaryDirectory() as made:
        found = measured(spec, Path(made))
    path.write_text(json.dumps(found))
    print(f"  {spec.label}: {found['riders']['leeze']} riders in {found['wall_s']:.0f} s", flush=True)
    return spec.label, found


def measured(spec: Spec, folder: Path) -> dict[str, Any]:
    """One run: import, disturb, replay; the JSON of `leeze-hil replay`, with the revision."""
    traffic = folder / f"{spec.counter}.traffic"
    source = RECORDINGS / f"May_data_Kanalpromenade_{spec.counter}.csv.gz"
    import_eco_counter(
        [source], traffic, from_date=date.fromisoformat(spec.first), to_date=date.fromisoformat(spec.last)
    )
    _leave_day_out(traffic, spec.calendar)
    if spec.clutter_per_h:
        rain = folder / "rain.traffic"
        with PassageReader(traffic) as reader:
            header = msgspec.structs.replace(reader.header, version=2)
            write_traffic(rain, header, with_clutter(reader, spec.clutter_per_h, 0))
        traffic = rain
    site = folder / "site.toml"
    site.write_text(SITE.read_text().replace('calendar = "other-sections"', f'calendar = "{spec.calendar}"'))

    def exempt(bench: Any, span_ns: int) -> None:
        bench.ledger.left_out = frozenset(spec.left_out)

    outcome = replay(
        Request(
            subject=str(traffic),
            site=str(site),
            range_m=spec.range_m,
            faults=(*spec.faults, *_evenings(spec, traffic)),
            on_bench=exempt if spec.left_out else None,
        ),
        lambda done, total: None,
    )
    return outcome.result.as_json() | {"revision": _revision(), "notes": list(outcome.result.notes)}


def _leave_day_out(traffic: Path, kind: str) -> None:
    """Drop passages more than `NEAR_NS` from lit hours: nothing is owed or lit then, and they take most of the time."""
    calendar = LightCalendar(kind, 51.97, 7.64, "Europe/Berlin")  # type: ignore[arg-type]

    def near(one: Passage) -> bool:
        utc_ns = one.utc_s * NS_PER_S
        return (
            calendar.lit_at(utc_ns)
            or calendar.lit_at(utc_ns - NEAR_NS)
            or calendar.next_edge_ns(utc_ns) <= utc_ns + NEAR_NS
        )

    kept = traffic.with_suffix(".kept")
    with PassageReader(traffic) as reader:
        write_traffic(kept, msgspec.structs.replace(reader.header, version=2), filter(near, reader))
    kept.replace(traffic)


def _evenings(spec: Spec, traffic: Path) -> list[str]:
    """The spec's fault of evenings, in seconds of the run, which begins a minute before the first ride."""
    if not spec.evenings:
        return []
    riders = RiderSource(traffic)
    origin_s = (riders.next_start_ns - 60 * NS_PER_S) // NS_PER_S
    riders.close()
    first, last = date.fromisoformat(spec.first), date.fromisoformat(spec.last)
    found = []
    for day in range((last - first).days + 1):
        for minute in range(0, 181, 10):
            local = datetime(first.year, first.month, first.day, 17, 30, tzinfo=ZONE)
            at_s = round(local.timestamp()) + day * 86_400 + minute * 60 - origin_s
            found.append(f"{spec.evenings}:{at_s}-{at_s + 20}")
    return found


def full_after(fault: str) -> str:
    """An evening without riders: how long after second 60, when `fault` begins, does each lamp stand at full?"""
    site = load_site("kanalpromenade-reference")
    begun_ns = round(datetime(2026, 2, 20, 19, 0, tzinfo=ZONE).timestamp()) * NS_PER_S
    bench = LitPathBench(
        site,  # type: ignore[arg-type]
        ListedRiders([]),
        origin_utc_ns=begun_ns,
        faults=planned([read_by_hand(fault)], ["west/dali", "east/dali"]),
        rules=False,
    )
    full_s: dict[int, float] = {}

    def output(lamp: int, t_ns: int, from_level: int, to_level: int, duration_ns: int) -> None:
        if to_level == 254 and t_ns >= 60 * NS_PER_S:
            full_s.setdefault(lamp, (t_ns + duration_ns) / NS_PER_S - 60)

    bench.on_output = output
    bench.start()
    bench.run(600 * NS_PER_S)
    bench.finish()
    said = [
        f"{bench.lamps[lamp]} {full_s[lamp]:.1f} s" if lamp in full_s else f"{bench.lamps[lamp]} never"
        for lamp in range(len(bench.lamps))
    ]
    return "at full after: " + ", ".join(said)


def _revision() -> str:
    words = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    return said.stdout.strip() or "unknown"


# --- tables


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def _share(share: float | None) -> str:
    return "–" if share is None else "100 %" if share == 1 else f"{min(share * 100, 99.99):.2f} %"


def _main_table(counter: str, found: Mapping[str, Any]) -> None:
    always = found["energy_wh"]["always_on"]
    above, oracle = found["lamp_s_above_base"], found["lamp_s_above_base"]["oracle"]
    lines: list[tuple[str, Any]] = [
        ("riders who were owed light", lambda rule: f"{found['riders'][rule]:,}"),
        ("lit in time", lambda rule: f"{found['lit_in_time'][rule]:,}"),
        (
            "share, and its lower 95 % bound",
            lambda rule: f"{_share(found['lit_share'].get(rule))} ({found['lit_share_low95'].get(rule, 0) * 100:.2f})",
        ),
        ("lamps full with the rider 10 m away", lambda rule: _share(found["full_at_10m_share"].get(rule))),
        ("lamp time above base, h", lambda rule: f"{above[rule] / 3600:,.1f}"),
        ("the same, of the oracle's", lambda rule: f"{above[rule] / oracle:.2f}"),
        ("energy, Wh", lambda rule: f"{found['energy_wh'][rule]:,.0f}"),
        ("energy, of always on", lambda rule: f"{found['energy_wh'][rule] * 100 / always:.1f} %"),
        (
            "raised for nobody, a night",
            lambda rule: f"{found['false_lightings'][rule] / found['account']['nights']:.1f}",
        ),
    ]
    told = f"{found['account']['nights']} nights, revision {found['revision']}"
    print(f"**{counter.replace('_', ' ')}** ({told})\n")
    _table(["", *RULES.values()], [[name, *(cell(rule) for rule in RULES)] for name, cell in lines])


def _account_table(results: Mapping[str, Mapping[str, Any]]) -> None:
    for counter in COUNTERS:
        found = results[f"main {counter}"]
        account = found["account"]
        lamps, nights = account["lamps"], account["nights"]
        levels = account["lamp_h_by_level"]
        rows = [
            ["D_E (AECI), kWh/(m² a)", *(f"{account['annual_kwh_m2'][rule]:.3f}" for rule in RULES)],
            ["light, klm h", *(f"{account['lumen_hours'][rule] / 1000:,.0f}" for rule in RULES)],
            ["raised, a lamp and night", *(f"{found['raised'][rule] / lamps / nights:.1f}" for rule in RULES)],
            [
                "switched on, a lamp and night",
                *(f"{found['switched_on'][rule] / lamps / nights:.1f}" for rule in RULES),
            ],
            *(
                [f"lamp hours {name}", *(f"{levels[rule][band]:,.1f}" for rule in RULES)]
                for band, name in (
                    ("to_base", "up to base"),
                    ("to_half", "up to half"),
                    ("to_full", "below full"),
                    ("full", "at full"),
                )
            ),
        ]
        print(
            f"**{counter.replace('_', ' ')}**, {nights} nights, {account['lit_h']:,.1f} lit hours, "
            f"D_P {account['power_density_w_lx_m2']} W/(lx m²), a year of "
            f"{account['assumed']['year_lit_h']:,.0f} lit hours\n"
        )
        _table(["", *RULES.values()], rows)


def _range_table(results: Mapping[str, Mapping[str, Any]]) -> None:
    rows = []
    for counter in COUNTERS:
        for range_m in (14, 40, 100):
            found = results[f"range {counter} {range_m}"]
            above = found["lamp_s_above_base"]
            rows.append(
                [
                    f"{counter.replace('_', ' ')}, {range_m} m",
                    f"{found['lit_in_time']['leeze']:,} of {found['riders']['leeze']:,}",
                    f"{_share(found['lit_share']['leeze'])} ({found['lit_share_low95']['leeze'] * 100:.2f})",
                    _share(found["full_at_10m_share"]["leeze"]),
                    f"{above['leeze'] / 3600:.1f}",
                    f"{above['leeze'] / above['oracle']:.2f}",
                    f"{found['energy_wh']['leeze']:,.0f}",
                    f"{found['false_lightings']['leeze'] / found['account']['nights']:.1f}",
                ]
            )
    _table(
        [
            "",
            "lit in time",
            "share (low 95 %)",
            "full at 10 m",
            "above base, h",
            "of the oracle's",
            "Wh",
            "for nobody, a night",
        ],
        rows,
    )


def _calendar_table(results: Mapping[str, Mapping[str, Any]]) -> None:
    rows = []
    for kind in ("other-sections", "rieselfelder"):
        found = results[f"calendar {kind}"]
        for night in found["account"]["by_night"]:
            energy = night["energy_wh"]
            rows.append(
                [kind, night["night"], f"{night['lit_h']:.2f}", *(f"{energy.get(rule, 0):,.0f}" for rule in RULES)]
            )
    _table(["calendar", "night", "lit hours", *(f"{name}, Wh" for name in RULES.values())], rows)


def _fault_table(results: Mapping[str, Mapping[str, Any]]) -> None:
    sound = results["fault nothing"]
    rows = []
    for label, found in results.items():
        if not label.startswith("fault "):
            continue
        energy = found["energy_wh"]["leeze"]
        rows.append(
            [
                label.removeprefix("fault "),
                f"{found['lit_in_time']['leeze']:,} of {found['riders']['leeze']:,}",
                f"{_share(found['lit_share']['leeze'])} ({found['lit_share_low95']['leeze'] * 100:.2f})",
                _share(found["full_at_10m_share"]["leeze"]),
                f"{energy:,.0f}",
                f"{energy - sound['energy_wh']['leeze']:+,.0f}",
                f"{found['false_lightings']['leeze'] / found['account']['nights']:.1f}",
            ]
        )
    _table(["fault", "lit in time", "share (low 95 %)", "full at 10 m", "Wh", "extra Wh", "for nobody, a night"], rows)
