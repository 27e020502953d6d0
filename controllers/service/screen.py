"""A controller's status on one screen of 80 by 24: everything at a look, and what to do next where something is wrong.
On a telephone it is narrower, and longer.

German where the locale is, else English. Colour only adds to the words.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

MARGIN: Final = 10
NARROW, WIDE = 40, 80
ROOM: Final = ((6, 3), (4, 2), (2, 2), (2, 1), (1, 1))
"""(devices that are shown one by one when they are not well, lines a row may have): the first that fits is taken."""

GERMAN: Final = {
    "running since": "läuft seit",
    "time": "Zeit",
    "synchronised": "synchronisiert",
    "not synchronised": "nicht synchronisiert",
    "not known": "nicht bekannt",
    "loop": "Schleife",
    "ticks": "Takte",
    "of": "zu",
    "overruns": "Überläufe",
    "late": "zu spät",
    "not healthy": "nicht gesund",
    "held by": "gehalten",
    "nobody": "von niemandem",
    "ago": "her",
    "real time": "Echtzeit",
    "feed": "Signal",
    "locked": "eingerastet",
    "holdover": "läuft frei",
    "lost": "verloren",
    "offset": "Versatz",
    "last message": "letzte Nachricht vor",
    "rejected": "verworfen",
    "devices": "Geräte",
    "well": "gut",
    "not well": "nicht gut",
    "for": "seit",
    "seen": "gesehen vor",
    "never seen": "nie gesehen",
    "and more": "und weitere",
    "wires": "Drähte",
    "open": "offen",
    "not open": "nicht offen",
    "losses": "Verluste",
    "lamps": "Lampen",
    "panel": "Anzeige",
    "shows": "zeigt etwas",
    "dark": "dunkel",
    "relay": "Relais",
    "holds": "hält",
    "has dropped": "ist abgefallen",
    "recorder": "Schreiber",
    "none": "keiner",
    "files": "Dateien",
    "gaps": "Lücken",
    "watchdogs": "Wächter",
    "metrics": "Metriken",
    "off by the calendar": "aus nach Kalender",
    "lit hours": "Lichtstunden",
    "full by the calendar": "voll nach Kalender",
    "time not known: base": "Zeit nicht bekannt: Grundlicht",
    "no light": "ohne Licht",
    "look at": "ansehen",
    "by hand": "von Hand",
    "doubts": "Zweifel",
    "broken": "verletzt",
    "lines dropped": "Zeilen verloren",
    "next": "weiter",
    "look at the time service: timedatectl timesync-status": "Zeitdienst ansehen: timedatectl timesync-status",
    "is the signal controller sending? leeze-boards monitor": "sendet das Steuergerät? leeze-boards monitor",
    "check plug and supply, then": "Stecker und Speisung prüfen, dann",
    "start it with --hardware-watchdog, or let systemd feed it": "--hardware-watchdog oder systemd",
}

HOURS: Final = {
    "off": "off by the calendar",
    "lit": "lit hours",
    "full": "full by the calendar",
    "base": "time not known: base",
}
"""What the gate says of now, in words."""


class Screen:
    """Lines of one picture (`controllers.service.report`).

    Args:
        picture: as the controller gave it.
        german: whose words.
        width: columns, 40 at least; below 80 there are as many lines as it takes.
        height: lines, 24 at least; what does not fit is cut, and stands in ``--json``.
        colour: whether to add red and green.
    """

    def __init__(
        self,
        picture: Mapping[str, Any],
        *,
        german: bool = False,
        width: int = 80,
        height: int = 24,
        colour: bool = False,
    ) -> None:
        self._p, self._german, self._colour = picture, german, colour
        self._width, self._height = max(NARROW, width), max(24, height)
        self._most_ill, self._most_lines = ROOM[0]

    def lines(self) -> list[str]:
        """Everything, top to bottom."""
        if self._width < WIDE:  # somebody scrolls with a thumb
            self._most_ill, self._most_lines = 6, 6
            return self._made()
        for self._most_ill, self._most_lines in ROOM:
            made = self._made()
            if len(made) <= self._height:
                break
        return made

    def _made(self) -> list[str]:
        p = self._p
        head = f"{p['controller']} · {p['site']} · {p['board']}"
        since = f"{self._w('running since')} {_utc(p['started_utc'])} ({_span(p['up_s'])}), pid {p['pid']}"
        if self._width < WIDE:
            made = [*textwrap.wrap(f"{head} · leeze {p['version']}", self._width), *textwrap.wrap(since, self._width)]
        else:
            made = [f"{head:<{self._width - len(p['version']) - 7}} leeze {p['version']}".rstrip(), since]
        for part in (
            self._time,
            self._loop,
            self._held,
            self._real_time,
            self._feed,
            self._devices,
            self._wires,
            self._outputs,
            self._relays,
            self._recorder,
            self._watchdogs,
            self._others,
        ):
            made += part()
        return made

    def _w(self, word: str) -> str:
        return GERMAN[word] if self._german else word

    def _row(self, label: str, text: str) -> list[str]:
        """A label and its text, wrapped under itself; cut where it gets too long."""
        first = f"{self._w(label) if label else '':<{MARGIN}}"
        rest = " " * MARGIN
        return textwrap.wrap(
            text,
            self._width,
            initial_indent=first,
            subsequent_indent=rest,
            max_lines=self._most_lines,
            placeholder=" …",
        ) or [first.rstrip()]

    def _next(self, text: str) -> list[str]:
        return self._row("", f"-> {text}")

    def _good(self, text: str) -> str:
        return f"\x1b[32m{text}\x1b[0m" if self._colour else text

    def _bad(self, text: str) -> str:
        return f"\x1b[31m{text}\x1b[0m" if self._colour else text

    def _time(self) -> list[str]:
        wall = self._p["wall"]
        if wall["utc"] is None:
            return self._row("time", self._bad(self._w("not known")))
        if wall["synchronised"]:
            return self._row("time", f"{_utc(wall['utc'])}, {self._good(self._w('synchronised'))}")
        told = self._row("time", f"{_utc(wall['utc'])}, {self._bad(self._w('not synchronised'))}")
        return told + self._next(self._w("look at the time service: timedatectl timesync-status"))

    def _loop(self) -> list[str]:
        loop = self._p["loop"]
        text = "" if loop.get("healthy", True) else f"{self._bad(self._w('not healthy'))}: "
        text += f"{loop['ticks']} {self._w('ticks')} {self._w('of')} {self._p['period_ms']} ms, "
        text += f"{loop['overruns']} {self._w('overruns')}"
        if late := loop.get("late_us"):
            text += f"; {self._w('late')} p50 {late['p50']}, p99 {late['p99']}, max {late['max']} us"
        return self._row("loop", text)

    def _held(self) -> list[str]:
        held = self._p["loop"].get("held")
        if held is None:
            return []
        if not held:
            return self._row("held by", self._w("nobody"))
        last = held[-1]
        ago = f", {_ago(self._german, last['ago_s'])}" if "ago_s" in last else ""
        return self._row("held by", f"{last['what']}: {last['for_us'] / 1000:.1f} ms{ago}")

    def _real_time(self) -> list[str]:
        steps = self._p["loop"].get("real_time")
        if not steps:
            return []
        told = (step["step"] + (" +" if step["done"] else f" - ({step['why']})") for step in steps)
        return self._row("real time", ", ".join(told))

    def _feed(self) -> list[str]:
        feed = self._p.get("feed")
        if feed is None:
            return []
        state = feed.get("state", "lost")
        text = self._good(self._w(state)) if state == "locked" else self._bad(self._w(state))
        if feed.get("ahead_ms") is not None:
            text += f", {self._w('offset')} {feed['ahead_ms']:+d} ms ± {feed['error_ms']} ms"
        if feed.get("age_ms") is not None:
            text += f", {self._w('last message')} {feed['age_ms'] / 1000:.1f} s"
        rejected = sum(feed.get("rejected", {}).values())
        if rejected:
            text += f", {rejected} {self._w('rejected')}"
        told = self._row("feed", text)
        if state != "locked":
            told += self._next(self._w("is the signal controller sending? leeze-boards monitor"))
        return told

    def _devices(self) -> list[str]:
        devices = self._p["devices"]
        ill = {name: device for name, device in devices.items() if not device["ok"]}
        well = {name: device for name, device in devices.items() if device["ok"]}
        count = f"{len(well)} {self._w('well')}"
        if ill:
            count += f", {self._bad(str(len(ill)) + ' ' + self._w('not well'))}"
        names = ", ".join(f"{name}{_seen(device['seen_s'])}{_faults(device)}" for name, device in well.items())
        told = self._row("devices", f"{count}: {names}" if names else count)
        for name, device in list(ill.items())[: self._most_ill]:
            seen = self._w("never seen")
            if device["seen_s"] is not None:
                seen = f"{self._w('seen')} {_span(device['seen_s'])}"
            since = "" if device["since_s"] is None else f" {self._w('for')} {_span(device['since_s'])}"
            told += self._row("", f"{self._bad(name)}: {device['reason']}{since}, {seen}{_faults(device)}")[:1]
        if ill:
            more = len(ill) - self._most_ill
            rest = f" ({self._w('and more')}: {more})" if more > 0 else ""
            told += self._next(f"{self._w('check plug and supply, then')} leeze-boards doctor{rest}")
        return told

    def _wires(self) -> list[str]:
        wires = self._p["wires"]
        ill = {name: wire for name, wire in wires.items() if not wire["open"]}
        text = f"{len(wires) - len(ill)} {self._w('open')}"
        if ill:
            text += f", {self._bad(str(len(ill)) + ' ' + self._w('not open'))}"
        told = self._row("wires", f"{text}, {self._p['losses']} {self._w('losses')}")
        for name, wire in list(ill.items())[: max(1, self._most_ill // 2)]:
            told += self._row("", f"{self._bad(name)}: {wire['trouble']}")
        return told

    def _outputs(self) -> Iterator[str]:
        if lamps := self._p["lamps"]:
            levels = ", ".join(f"{name} {'?' if level is None else level}" for name, level in sorted(lamps.items()))
            hours = self._p.get("light")
            yield from self._row("lamps", f"{self._w(HOURS[hours])}; {levels}" if hours in HOURS else levels)
        if orders := self._p.get("overrides"):
            standing = ", ".join(
                f"{name} {order['level']} {self._w('for')} {_span(order['left_s'])}" for name, order in orders.items()
            )
            yield from self._row("by hand", self._bad(standing))
        dark = self._p.get("dark", {})
        doubts = [f"{name} ({self._w('no light')}: {why})" for name, why in sorted(dark.items())]
        doubts += [source for source in self._p.get("doubts", ()) if source not in dark]
        if doubts:
            yield from self._row("doubts", self._bad(", ".join(doubts)))
        if says := self._p.get("riders", {}).get("says"):
            yield from self._row("look at", self._bad(says))
        broken = self._p.get("invariants", {}).get("last")
        if broken:
            yield from self._row("broken", self._bad(broken))
        for name, panel in self._p["panels"].items():
            shows = self._w("shows") if panel["lit"] else self._w("dark")
            if panel["lit"] and "frame" in panel:
                from controllers.greenwave.picture_words import told

                shows += f" {told(bytes.fromhex(panel['frame']))}"
            yield from self._row("panel", f"{name}: {shows}, {_ago(self._german, panel['since_s'])}")

    def _relays(self) -> Iterator[str]:
        for name, relay in self._p["relays"].items():
            state = self._good(self._w("holds")) if relay["holds"] else self._bad(self._w("has dropped"))
            yield from self._row("relay", f"{name}: {state} ({relay['mode']})")

    def _recorder(self) -> list[str]:
        recorder = self._p.get("recorder")
        if recorder is None:
            return self._row("recorder", self._w("none"))
        text = str(recorder["state"])
        if text != "recording":
            text = self._bad(text)
        text += f", {recorder['files']} {self._w('files')}"
        text += f", {recorder['bytes'] / 1e6:.0f} / {recorder['limit_bytes'] / 1e6:.0f} MB"
        if recorder.get("gaps"):
            text += f", {recorder['gaps']} {self._w('gaps')}"
        return self._row("recorder", text)

    def _watchdogs(self) -> list[str]:
        systemd, hardware = self._p.get("systemd"), self._p.get("hardware_watchdog")
        told = []
        if systemd and systemd["timeout_s"]:
            told.append(f"systemd {systemd['timeout_s']:g} s")
        if hardware:
            trouble = f": {self._bad(hardware['trouble'])}" if hardware["trouble"] else ""
            told.append(f"{hardware['path']} {hardware['timeout_s']} s{trouble}")
        if told:
            return self._row("watchdogs", ", ".join(told))
        hint = self._w("start it with --hardware-watchdog, or let systemd feed it")
        return self._row("watchdogs", f"{self._w('none')} -> {hint}")

    def _others(self) -> Iterator[str]:
        if metrics := self._p.get("metrics"):
            trouble = f": {self._bad(metrics['trouble'])}" if metrics["trouble"] else ""
            yield from self._row("metrics", f"http://{metrics['address']}/metrics{trouble}")
        dropped = self._p.get("console", {}).get("dropped", 0)
        if dropped:
            yield from self._row("", f"{dropped} {self._w('lines dropped')}")


def _span(seconds: float) -> str:
    """``"34 s"``, ``"5 min"``, ``"2 h 13 min"``, ``"3 d 4 h"``."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7_200:
        return f"{whole // 60} min"
    if whole < 172_800:
        return f"{whole // 3_600} h {whole % 3_600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3_600} h"


def _ago(german: bool, seconds: float) -> str:
    return f"vor {_span(seconds)}" if german else f"{_span(seconds)} ago"


def _seen(seconds: float | None) -> str:
    return "" if seconds is None else f" {seconds:.1f} s"


def _faults(device: Mapping[str, Any]) -> str:
    """Counters of what went wrong, in brackets; nothing where nothing did."""
    counted = [f"{name} {count}" for name, count in device["counters"].items() if count and name != "frames"]
    return f" ({', '.join(counted)})" if counted else ""


def _utc(iso: str) -> str:
    return iso.replace("T", " ").replace("Z", " UTC")
