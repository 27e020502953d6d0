"""How true a display was: any recording of a signal feed, run through the real chain, held against what then happened.

For each signal group the recorded bytes go into the board's own feed device, scan cycle, policy and last gate, in
virtual time. What the policy shows is compared with what the signal did next (hil.score_truth says how that is known),
and so is a display without memory (hil.score_baseline). Unless a site is named, the display stands at the stop line:
its countdown is then the signal's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from controllers.core.contract import Command
from controllers.greenwave.countdown import BLANK_STATUS
from controllers.greenwave.picture import Stage
from controllers.greenwave.policy import GreenwavePolicy
from controllers.greenwave.site import GreenwaveSite
from drivers.clock import SystemClock
from drivers.errors import InputError
from drivers.links.memory import MemoryLink
from drivers.quantities import Quantity, SignalState
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.display import DisplayBench, display_board
from hil.benches.in_process import Slot
from hil.fitting import check_display
from hil.peers.contract import Peer
from hil.peers.playback import Playback
from hil.score_baseline import Memoryless
from hil.score_feed import Disturbance, RecordedFeed
from hil.score_shown import Ledger
from hil.score_truth import GO, NONE, WAIT, Phases

STOP_LINE_M = 0.001
"""A display at the stop line; no rider needs time to it."""
FRESH_NS = {"spat-xml": NS_PER_S, "spat-uper": NS_PER_S, "sensorthings": 2 * NS_PER_S}
"""A feed is there while its last message is not older."""
_SLICE_NS, _SLICES = 60 * NS_PER_S, 200
_WORKING = range(3, 9)
_OTHER_YEAR_MS = 300 * 86_400_000

Progress = Callable[[int, int], None]


class ScoreRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One `leeze-hil score`. `after_s`: phases that end earlier are not counted, seconds from the first message."""

    path: Path
    group: int | None = None
    site: GreenwaveSite | None = None
    board: str | None = None
    disturbance: Disturbance = Disturbance()
    after_s: float = 0.0


def stop_line(name: str, station: int, group: int) -> GreenwaveSite:
    """The site of a display at the stop line of a signal."""
    return GreenwaveSite(name=name, station=station, group=group, distance_m=STOP_LINE_M, speed_kmh=18.0, fast_kmh=18.0)


def score(
    request: ScoreRequest, progress: Progress = lambda done, total: None, feed: RecordedFeed | None = None
) -> dict[str, Any]:
    """The figures of every group, JSON-able. `feed`: that recording, already read.

    Raises InputError for a recording without a feed or without the group.
    """
    clock = SystemClock()
    begun_ns = clock.now_ns()
    if feed is None:
        feed = RecordedFeed(request.path)
        feed.read()
    sites = _sites(request, feed)
    span_ns = feed.last_ns - feed.first_ns
    paused_ns = sum(again_ns - from_ns for from_ns, again_ns in next(iter(feed.histories.values())).pauses_ns)
    groups = []
    for number, site in enumerate(sites):

        def done(t_ns: int, number: int = number) -> None:
            progress(number * span_ns + t_ns - feed.first_ns, len(sites) * span_ns)

        groups.append(_Run(request, feed, site).figures(done))
    wall_s = (clock.now_ns() - begun_ns) / NS_PER_S
    return {
        "trace": str(request.path),
        "message_format": feed.message_format,
        "note": feed.note,
        "messages": feed.messages,
        "span_s": round((span_ns - paused_ns) / NS_PER_S, 3),
        "after_s": request.after_s,
        "disturbance": msgspec.to_builtins(request.disturbance),
        "distance_m": request.site.distance_m if request.site is not None else 0,
        "groups": groups,
        "wall_s": round(wall_s, 3),
        "messages_per_s": round(feed.messages * len(groups) / max(wall_s, 1e-9)),
    }


def _sites(request: ScoreRequest, feed: RecordedFeed) -> list[GreenwaveSite]:
    """One a group to be scored."""
    working = sorted(key for key, history in feed.histories.items() if history.working)
    # neighbours' messages that pass for a moment, and signals that never change, tell nothing
    working = [key for key in working if feed.histories[key].changes > 1] or working
    listed = ", ".join(f"{group} of station {station}" for station, group in working)
    site = request.site
    if site is not None:
        if request.group not in (None, site.group):
            raise InputError(f"site {site.name} is before group {site.group}; leave --group {request.group} out")
        if (site.station, site.group) not in working:
            raise InputError(
                f"{request.path}: site {site.name} is before group {site.group} of station {site.station}, "
                f"which this feed does not have; it has: {listed}"
            )
        return [site]
    wanted = [key for key in working if request.group in (None, key[1])]
    if not wanted:
        raise InputError(f"{request.path}: no group {request.group} that works; there are: {listed}")
    return [stop_line(request.path.stem[:64] or "feed", station, group) for station, group in wanted]


class _Run:
    """One display before one group, the whole recording long."""

    def __init__(self, request: ScoreRequest, feed: RecordedFeed, site: GreenwaveSite) -> None:
        self._request, self._feed, self._site = request, feed, site
        self._phases: Phases = feed.histories[site.station, site.group].phases(
            site.amber_is_green, site.transport_delay_ms * NS_PER_MS
        )
        shift_ns = {GO: site.fast_ns, WAIT: site.normal_ns}
        from_ns = feed.first_ns + round(request.after_s * 1000) * NS_PER_MS
        self._ours = Ledger(self._phases, shift_ns, from_ns)
        self._plain = Ledger(self._phases, {GO: site.normal_ns, WAIT: site.normal_ns}, from_ns)
        self._memoryless = Memoryless(site.amber_is_green, site.normal_ns)
        self._fresh_ns = FRESH_NS[feed.message_format]
        self._clock_ms: int | None = None
        self._enough_until_ns = 0

    def figures(self, progress: Callable[[int], None]) -> dict[str, Any]:
        """Run it."""
        feed, site = self._feed, self._site
        board = feed.board
        if board is None or self._request.board is not None or self._request.site is not None:
            board = display_board(self._request.board or site.board, feed.message_format)
        check_display(site, board)

        def peer(link: MemoryLink) -> Peer:
            events = feed.disturbed(self._request.disturbance)
            return Playback("trace", {f"{feed.wire.board}/{feed.wire.name}": link}, events)

        bench = DisplayBench(site, board, peer, origin_utc_ns=feed.origin_utc_ns)
        bench.bench.add_start_listener(self._started)
        bench.start()
        for ledger in (self._ours, self._plain):
            ledger.look(feed.first_ns, NONE, 0, None, 0)
        now_ns = 0
        while now_ns < feed.last_ns:
            now_ns = min(now_ns + max(_SLICE_NS, feed.last_ns // _SLICES), feed.last_ns)
            bench.run(now_ns)
            progress(max(now_ns, feed.first_ns))
        for ledger in (self._ours, self._plain):
            ledger.finish(feed.last_ns)
        history = feed.histories[site.station, site.group]
        about = {"group": site.group, "station": site.station, "messages": history.messages}
        return about | self._ours.figures() | {"baseline": self._plain.figures()}

    def _started(self, slot: Slot, now_ns: int) -> None:
        cycle = slot.cycle
        assert cycle is not None
        policy = cycle.policy
        assert isinstance(policy, GreenwavePolicy)

        def observe(
            tick: int, t_ns: int, inputs: Sequence[Quantity], asked: Sequence[Command], allowed: Sequence[Command]
        ) -> None:
            self._observed(policy, t_ns, inputs)

        cycle.observer = observe

    def _observed(self, policy: GreenwavePolicy, t_ns: int, inputs: Sequence[Quantity]) -> None:
        site, plain = self._site, self._memoryless
        if plain.dark_at_ns < t_ns:
            self._plain.look(plain.dark_at_ns, NONE, 0, None, 0)
        for value in inputs:
            if isinstance(value, SignalState) and value.group == site.group and value.station == site.station:
                self._hear(value)
                plain.hear(value)
        if t_ns < self._feed.first_ns:
            return
        aspect = policy.aspect
        kind = NONE if aspect.stage is Stage.DARK else WAIT if aspect.stage is Stage.RED else GO
        ahead_ns = site.fast_ns if aspect.stage is Stage.HURRY else site.normal_ns
        left_ns = None if aspect.remaining_ms is None else aspect.remaining_ms * NS_PER_MS
        self._ours.look(t_ns, kind, ahead_ns, left_ns, self._enough_until_ns)
        kind, left_ns = plain.shows(t_ns)
        self._plain.look(t_ns, kind, site.normal_ns, left_ns, self._enough_until_ns)

    def _hear(self, value: SignalState) -> None:
        """Whether the feed says enough: a clock that goes, a signal that works, and marks that reach far enough."""
        now_ms, last_ms = value.message_ms, self._clock_ms
        if now_ms is None:
            self._enough_until_ns = 0
            return
        if last_ms is not None and last_ms - _OTHER_YEAR_MS < now_ms <= last_ms:
            return  # overtaken, or the clock stands: what was said before grows old
        self._clock_ms = now_ms
        working = bool(value.phases) and value.phases[0].state in _WORKING and not value.status & BLANK_STATUS
        if not working or last_ms is None:
            self._enough_until_ns = 0
            return
        covers_ms = 0
        for phase in value.phases:
            if phase.state not in _WORKING:
                break
            marks = (phase.likely_ms, phase.min_end_ms, phase.max_end_ms)
            covers_ms = max(covers_ms, next((mark for mark in marks if mark is not None), 0))
        ahead_ns = self._site.normal_ns
        reach_ns = covers_ms * NS_PER_MS - ahead_ns if ahead_ns >= NS_PER_S else self._fresh_ns
        self._enough_until_ns = value.t_ns + min(self._fresh_ns, reach_ns)
