"""All that is known of a running controller as one JSON-able dict: what `status` prints and the metrics are made of."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from boards.parts import part_name
from controllers.service.assemble import Controller
from controllers.service.orders import of_gate
from controllers.service.status import Status
from controllers.service.wall_time import WallClock
from drivers.units import NS_PER_MS, NS_PER_S

Figures = Callable[[], dict[str, Any] | None]
"""Figures of one thing, JSON-able; None where it is not there."""


class Report:
    """Takes the picture on the loop's thread, once a second at most: whoever asks more often gets the last one.

    Args:
        controller: at work.
        status: what it has seen.
        clock: for the time of the start.
        site: name of the site.
        loop: the loop's figures.
        more: further ones by name, e.g. ``{"recorder": recorder.figures}``.
    """

    def __init__(
        self,
        controller: Controller,
        status: Status,
        clock: WallClock,
        site: str,
        loop: Figures,
        more: dict[str, Figures],
    ) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            self._version = version("leeze")
        except PackageNotFoundError:
            self._version = ""
        self._controller, self._status, self._clock, self._site = controller, status, clock, site
        self._loop, self._more = loop, more
        self._started_ns = clock.now_ns()
        self._taken_ns = -NS_PER_S
        self._taken: dict[str, Any] = {}

    def take(self, t_ns: int) -> dict[str, Any]:
        """The picture of the last second. Not to be changed by whoever gets it."""
        if t_ns - self._taken_ns >= NS_PER_S or not self._taken:
            self._taken_ns, self._taken = t_ns, self._take(t_ns)
        return self._taken

    def _take(self, t_ns: int) -> dict[str, Any]:
        board, status, cycle = self._controller.board, self._status, self._controller.cycle
        description = board.description
        wall = status.wall(t_ns)
        policy = _of_policy(cycle.policy, t_ns, None if wall is None else wall[0])
        up_ns = t_ns - self._started_ns
        picture: dict[str, Any] = {
            "controller": cycle.name,
            "site": self._site,
            "board": description.name,
            "product": description.product,
            "version": self._version,
            "pid": os.getpid(),
            "period_ms": description.period_ms,
            "up_s": up_ns // NS_PER_S,
            "started_utc": _iso((self._clock.utc_ns() if wall is None else wall[0]) - up_ns),
            "wall": {"utc": None if wall is None else _iso(wall[0]), "synchronised": wall is not None and wall[1]},
            "loop": {"ticks": cycle.ticks, "overruns": status.overruns} | self._of_the_loop(t_ns),
            "devices": {name: self._device(name, t_ns) for name in sorted({*board.devices, *description.devices})},
            "wires": {name: self._wire(name) for name in board.links},
            "losses": status.losses,
            "relays": {name: self._relay(name) for name in board.watchdogs},
        }
        picture |= status.shown(t_ns) | policy | of_gate(cycle.gate, t_ns)
        if self._controller.invariants is not None:
            picture["invariants"] = self._controller.invariants.figures()
        picture |= {name: found for name, figures in self._more.items() if (found := figures()) is not None}
        return picture

    def _of_the_loop(self, t_ns: int) -> dict[str, Any]:
        figures = self._loop() or {}
        if "held" not in figures:
            return figures
        return figures | {"held": [held | {"ago_s": (t_ns - held["t_ns"]) // NS_PER_S} for held in figures["held"]]}

    def _device(self, name: str, t_ns: int) -> dict[str, Any]:
        board = self._controller.board
        said, device = board.description.devices.get(name), board.devices.get(name)
        return {
            "part": part_name(said) if said is not None else "bus",
            **self._status.health(name, t_ns),
            "counters": {} if device is None else device.counters(),  # what hangs on a bus is counted by the bus
        }

    def _wire(self, name: str) -> dict[str, Any]:
        trouble = self._status.trouble(name)
        wire = self._controller.board.description.wires[name]
        return {"kind": str(wire.__struct_config__.tag), "open": not trouble, "trouble": trouble}

    def _relay(self, name: str) -> dict[str, Any]:
        device = self._controller.board.watchdogs[name]
        return {"holds": device.holds, "mode": device.mode}


def _iso(utc_ns: int) -> str:
    return datetime.fromtimestamp(utc_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _of_policy(policy: object, t_ns: int, utc_ns: int | None) -> dict[str, Any]:
    """What a policy says of itself, as of `t_ns`; of a feed also how far its clock is ahead of this machine's."""
    figures: Callable[[int], dict[str, Any]] | None = getattr(policy, "figures", None)
    if figures is None:
        return {}
    found = figures(t_ns)
    feed = found.get("feed")
    if feed is not None and feed.get("offset_ms") is not None and utc_ns is not None:
        now = datetime.fromtimestamp(utc_ns // NS_PER_S, UTC)
        began, ends = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1000 for year in (now.year, now.year + 1))
        told_ms, year_ms = t_ns // NS_PER_MS - feed["offset_ms"], ends - began  # stamps begin anew with each year
        ahead_ms = (told_ms - utc_ns // NS_PER_MS + began + year_ms // 2) % year_ms - year_ms // 2
        return found | {"feed": feed | {"ahead_ms": ahead_ms}}
    return found
