"""The account of lamps from the files of a flight recorder: decisions that passed the gate, made into light and energy.

What is reckoned is what the lamps were *told*: each level that passed the gate, a fade of the gear's time from where
the lamp stood, the DALI curve, the site's power a lamp. What meters said (D4i gear, an SDM120 on the supply) stands
beside it where it was recorded. Nothing is counted where nothing was recorded; those spans are told.

A file opens with the levels that had passed. A lamp that had not answered by then is taken to stand where the calendar
has it: base in lit hours, off otherwise; every other level would have been corrected by a decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from controllers.core.calendar import LightCalendar
from controllers.lighting.account import HOUR_NS, Assumptions, LightAccount, Nights, lit_nights, total, year_lit_h
from controllers.lighting.lamp_meter import BANDS, LampMeter, Sums, band_edges, watt_hours
from controllers.lighting.site import ControllerSite, LightingSite
from controllers.service.assemble import fade_code
from drivers.codecs.dali import FADE_TIME_NS, OUTPUT_PPM
from drivers.errors import InputError
from drivers.recording.events import Decision, Event, Gap, Mark, Snapshot, Value, Wall
from drivers.recording.reader import TraceReader
from drivers.recording.ring import RingFile, ring_files
from drivers.recording.ring_look import Glance, glances
from drivers.units import NS_PER_S

SEAM_NS = NS_PER_S
"""Files of one run follow each other within this; a longer hole between two is one."""

_TOPICS = ("/decision/*", "/snapshot/*", "/mark/*", "/gap/*", "/ticks/*", "/tick/*", "/value/*/PowerReading")


class Hole(msgspec.Struct, frozen=True):
    """From `from_ns` to `to_ns` (UTC) nothing is known of the controller's lamps; `why` in a few words."""

    from_ns: int
    to_ns: int
    why: str


class ControllerAccount:
    """The lamps of one controller. Feed it the files of one recorder in order of time. Memory: a few numbers a lamp
    and night.

    Args:
        site: whose lamps they are.
        controller: which of its controllers.
    """

    def __init__(self, site: LightingSite, controller: ControllerSite) -> None:
        light, place = site.light, site.place
        self.site, self.name = site, controller.name
        self.lamps = [lamp.name for lamp in controller.lamps]
        self.power_mw = round(light.power_w * 1000)
        self.holes: list[Hole] = []
        self.notes: list[str] = []
        self.damaged = False
        self.calendar = LightCalendar(light.calendar, place.lat_deg, place.lon_deg, place.timezone)
        self.nights = Nights(self.calendar.zone)
        self.lit_ns: dict[str, int] = {}
        self.measured: dict[str, dict[str, int]] = {}  # source, night: mWh
        self._base, self._full = light.base_level, light.full_level
        self._full_ppm = OUTPUT_PPM[self._full]
        self._fade_ns = FADE_TIME_NS[fade_code(light.rise_s)]
        self._number = {name: number for number, name in enumerate(self.lamps)}
        self._account: LightAccount | None = None
        self._now_ns = 0  # UTC, up to where all is told
        self._taken_ns = 0  # up to where lit time is summed
        self._boot = ""
        self._read: dict[str, tuple[int, int]] = {}  # source: when, mWh

    def add(self, one: Glance) -> None:
        """Read a file. Raises InputError: it cannot be read, or begins before what was read so far ends."""
        path = one.file.path
        if one.unreadable:
            raise InputError(f"{path}: {one.unreadable}")
        if one.first_ns is None or one.last_ns is None:
            self.notes.append(f"{path.name}: without a record")
            return
        if one.base_ns is None:
            seconds = (one.last_ns - one.first_ns) / NS_PER_S
            self.notes.append(f"{path.name}: left out, {seconds:,.0f} s of which nobody knew the time")
            return
        reader = TraceReader(path)
        self._read_file(path, reader.events(_TOPICS), one)
        if reader.damaged or reader.note.startswith("damaged"):
            self.damaged = True
            self.notes.append(
                f"{path.name}: damaged; decisions may be missing, so the figures of its time are doubtful"
            )
        elif not reader.complete:
            self.notes.append(f"{path.name}: {reader.note}")
        self._sum_lit()

    def _read_file(self, path: Path, events: Iterable[Event], one: Glance) -> None:
        base_ns = one.base_ns or 0
        opened = False
        for event in events:
            t_ns = max(event.t_ns + base_ns, self._now_ns if opened else 0)
            if not opened:
                levels = _levels(event) if isinstance(event, Snapshot) else {}
                self._open(path, t_ns, levels, one.boot)
                opened = True
                continue
            self._now_ns = t_ns
            if isinstance(event, Decision):
                body = event.body
                if body.get("type") == "LampLevel":
                    self._told(str(body.get("target")), int(body.get("level", 0)), t_ns)
            elif isinstance(event, Value):
                self._metered(event.source, event.body.get("energy_mwh"), t_ns)
            elif isinstance(event, Mark) and event.what == "stopping":
                for lamp in self.lamps:  # what the gate writes last passes no more ticks
                    self._told(lamp, self._base if self.calendar.lit_at(t_ns) else 0, t_ns)
            elif isinstance(event, Gap):
                self._now_ns = max(event.from_ns + base_ns, self._taken_ns)
                break

    def _open(self, path: Path, t_ns: int, levels: dict[str, int], boot: str) -> None:
        """A file begins, where the one before ended or after a hole."""
        usual = self._base if self.calendar.lit_at(t_ns) else 0
        account = self._account
        if account is None:
            edges = band_edges(self._base, self._full)
            meters = [LampMeter(t_ns, levels.get(lamp, usual), edges) for lamp in self.lamps]
            self._account = LightAccount(meters, self.nights)
            self._taken_ns = t_ns
        elif t_ns < self._now_ns - SEAM_NS:
            raise InputError(
                f"{path}: begins {(self._now_ns - t_ns) / NS_PER_S:,.1f} s before the end of what was read of "
                f"{self.name} so far; name each ring once"
            )
        elif boot == self._boot and t_ns <= self._now_ns + SEAM_NS:
            t_ns = max(t_ns, self._now_ns)
        else:
            why = "another start of the machine" if boot != self._boot else "no file"
            self.holes.append(Hole(self._now_ns, max(t_ns, self._now_ns), why))
            self._sum_lit()
            for number, lamp in enumerate(self.lamps):
                account.before(number, self._now_ns)
                account.meters[number].interrupt(self._now_ns, max(t_ns, self._now_ns), levels.get(lamp, usual))
            self._read.clear()
            self._taken_ns = max(t_ns, self._now_ns)
        self._boot, self._now_ns = boot, max(t_ns, self._now_ns)

    def _told(self, lamp: str, level: int, t_ns: int) -> None:
        number = self._number.get(lamp)
        if number is None or self._account is None:
            return
        self._account.before(number, t_ns)
        meter = self._account.meters[number]
        if meter.to_level != level:
            meter.go(t_ns, meter.level_at(t_ns), min(max(level, 0), 254), self._fade_ns)

    def _metered(self, source: str, energy_mwh: Any, t_ns: int) -> None:
        """A meter's reading; what it counted since the one before belongs to the night of this one."""
        if not isinstance(energy_mwh, int):
            return
        before = self._read.get(source)
        self._read[source] = (t_ns, energy_mwh)
        by_night = self.measured.setdefault(source, {})
        if before is not None and energy_mwh >= before[1]:  # a smaller number: the meter was exchanged or reset
            night = self.nights.name(self.nights.end_ns(t_ns))
            by_night[night] = by_night.get(night, 0) + energy_mwh - before[1]

    def _sum_lit(self) -> None:
        for night, lit in lit_nights(self.calendar, self.nights, self._taken_ns, self._now_ns, 0).items():
            self.lit_ns[night] = self.lit_ns.get(night, 0) + lit
        self._taken_ns = self._now_ns

    @property
    def by_lamp(self) -> list[Sums]:
        """Sums of each lamp over all that was recorded."""
        return self._account.by_lamp(self._now_ns) if self._account is not None else []

    @property
    def by_night(self) -> dict[str, Sums]:
        """Sums of all lamps for each night."""
        if self._account is None:
            return {}
        return {night: total(rows) for night, rows in self._account.by_night(self._now_ns).items()}

    def always_on_wh(self, lit: int, lamps: int) -> float:
        """Energy of so many lamps at full for `lit` ns."""
        return watt_hours(self._full_ppm * lit * lamps, self.power_mw)

    def as_json(self) -> dict[str, Any]:
        """The whole account, JSON-able; docs/kanalpromenade.md says what each key is."""
        lit = sum(self.lit_ns.values())
        sums, lamps = total(self.by_lamp), len(self.lamps)
        energy = watt_hours(sums.light, self.power_mw)
        year_h, assumed = year_lit_h(self.calendar, self.calendar.zone), Assumptions(spacing_m=_spacing_m(self.site))
        measured = {source: round(sum(nights.values()) / 1000, 3) for source, nights in self.measured.items()}
        return {
            "controller": self.name,
            "site": self.site.name,
            "power_w": self.power_mw / 1000,
            "nights": len(self.lit_ns),
            "lit_h": _h(lit),
            "energy_wh": energy,
            "always_on_wh": self.always_on_wh(lit, lamps),
            "measured_wh": measured,
            "annual_kwh_m2": assumed.annual_kwh_m2(energy, lamps, lit / HOUR_NS, year_h),
            "power_density_w_lx_m2": assumed.power_density(self.power_mw / 1000),
            "assumed": {**msgspec.to_builtins(assumed), "year_lit_h": round(year_h, 1)},
            "by_lamp": [
                {
                    "lamp": lamp,
                    **self._spent(row),
                    "always_on_wh": self.always_on_wh(lit, 1),
                    "measured_wh": measured.get(lamp),
                }
                for lamp, row in zip(self.lamps, self.by_lamp, strict=False)
            ],
            "by_night": [
                {
                    "night": night,
                    "lit_h": _h(self.lit_ns.get(night, 0)),
                    **self._spent(row),
                    "always_on_wh": self.always_on_wh(self.lit_ns.get(night, 0), lamps),
                    "measured_wh": self._measured_in(night),
                }
                for night, row in self.by_night.items()
                if night in self.lit_ns or row.light
            ],
            "not_recorded": [
                {
                    "seconds": round((hole.to_ns - hole.from_ns) / NS_PER_S, 1),
                    "from_utc_ns": hole.from_ns,
                    "why": hole.why,
                }
                for hole in self.holes
            ],
            "notes": list(self.notes),
        }

    def _spent(self, sums: Sums) -> dict[str, Any]:
        return {
            "energy_wh": watt_hours(sums.light, self.power_mw),
            "lamp_h_by_level": {band: _h(ns) for band, ns in zip(BANDS, sums.band_ns, strict=True)},
            "raised": sums.raised,
            "switched_on": sums.switched,
        }

    def _measured_in(self, night: str) -> dict[str, float]:
        return {source: round(nights[night] / 1000, 3) for source, nights in self.measured.items() if night in nights}


def accounts(paths: Sequence[Path], site: LightingSite | None = None) -> list[ControllerAccount]:
    """The accounts of all controllers whose files are named, or lie in the folders that are.

    `site` in place of the one that a file carries. Raises InputError: nothing there, no lamps, files in disorder.
    """
    found: dict[str, ControllerAccount] = {}
    for one in sorted(map(_with_time, glances(_files(paths))), key=_order):
        its_site, name = _whose(one, site)
        key = f"{its_site.name}/{name}"
        if key not in found:
            found[key] = ControllerAccount(its_site, its_site.controller(name))
        found[key].add(one)
    return list(found.values())


def _order(one: Glance) -> tuple[int, str, int]:
    """By time where it is known: numbers begin again where a ring was emptied."""
    return (one.from_utc_ns or 0, one.file.board, one.file.number)


def _files(paths: Sequence[Path]) -> Iterator[RingFile]:
    for path in paths:
        try:
            if path.is_dir():
                files = ring_files(path)
                if not files:
                    raise InputError(f"{path}: holds no file of a flight recorder (BOARD-NNNNNN.mcap)")
                yield from files
            else:
                yield RingFile(path, path.stem, 0, path.stat().st_size)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _whose(one: Glance, site: LightingSite | None) -> tuple[LightingSite, str]:
    """The site and the controller that a file is of. Raises InputError."""
    path = one.file.path
    if one.unreadable:
        raise InputError(f"{path}: {one.unreadable}")
    about = TraceReader(path).controller
    if not about:
        raise InputError(f"{path}: is no file of a flight recorder (it has no metadata leeze-controller)")
    if about.get("product") != "lighting":
        raise InputError(f"{path}: is of a {about.get('product') or 'nameless'} controller; an account is of lamps")
    if site is not None:
        return site, about.get("controller", "")
    try:
        return msgspec.json.decode(about["site"], type=LightingSite), about["controller"]
    except (KeyError, msgspec.MsgspecError) as error:
        raise InputError(f"{path}: its site cannot be read ({error}); name it with --site") from None


def _levels(event: Snapshot) -> dict[str, int]:
    """The levels that had passed the gate when a file was begun, as far as they were known."""
    passed = event.state.get("cycle", {}).get("gate", {}).get("passed", {})
    return {str(lamp): level for lamp, level in passed.items() if isinstance(level, int)}


def _with_time(one: Glance) -> Glance:
    """A file that was begun too early to know the time of day may have learnt it later."""
    if one.base_ns is not None or one.unreadable:
        return one
    walls = (event for event in TraceReader(one.file.path).events(("/wall",)) if isinstance(event, Wall))
    first = next((event for event in walls if event.synchronised), None)
    return one if first is None else msgspec.structs.replace(one, base_ns=first.utc_ns - first.t_ns)


def _spacing_m(site: LightingSite) -> float:
    xs = sorted(lamp.x_m for one in site.controllers for lamp in one.lamps)
    spacing_m = (xs[-1] - xs[0]) / (len(xs) - 1) if len(xs) > 1 else 0.0
    return spacing_m if spacing_m > 0 else 32.0


def _h(ns: int) -> float:
    return round(ns / HOUR_NS, 3)
