"""The far end of a radar's wire: an LD2451 that sees the riders of the path.

Reports come on a grid of 100 ms with a phase of its own. With somebody in view there is a report at every grid point,
but for those it misses; else one idle frame a second, and one at once when the last target has left. A Doppler radar
does not see who stands still. The frames are synthesised: geometry, whole metres and whole km/h as the part sends them.

It is told its settings and keeps them, but goes on reporting as before while it is, and what it sees does not change.

In quiet stretches the peer does not write idle frames one by one: `settle` says how many there were, in one call. Only
the first one after a silence comes at its own time, for it is news: the sensor lives again.

A rider who is alone in view and keeps the speed is reported by closed forms, so such reports are laid out many at once
and written one by one, each at its time.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from typing import Any

from drivers.codecs.hilink import encode_ack
from drivers.codecs.ld2451 import (
    IDLE_FRAME,
    ONE_TARGET_HEAD,
    REPORT_TAIL,
    TARGET_BYTES,
    TARGETS,
    Command,
    Ld2451Stream,
    frame_report,
)
from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.hilink import Ld2451Answers
from hil.peers.radar_row import NEAR_MM, view_of, visible_spans
from hil.traffic.rider import Rider

REPORT_NS = 100 * NS_PER_MS
IDLE_EVERY = 10
BLIND_MM_S = 278
"""Slower than 1 km/h is not reported."""

FORETOLD_NS = 20 * NS_PER_S
"""How far ahead idle frames are foretold where somebody records: they are told no later than that."""

FORETOLD_UNRECORDED_NS = 1800 * NS_PER_S
"""Where nobody does. In the dead of the night nothing but this wakes the bench for a radar."""

MAX_TARGETS = 16

MOST_LAID_OUT = 200
"""Reports: twenty seconds, more than a rider takes through 100 m."""

_MISSED = b""


class _Visit:
    """A rider's time in view: from `enter_ns` up to, not including, `leave_ns`; and the segment in force, laid out."""

    __slots__ = ("angle", "direction", "enter_ns", "leave_ns", "next_ns", "rider", "speed_kmh", "t0_ns", "v", "x0_mm")

    def __init__(self, rider: Rider, enter_ns: int, leave_ns: int, sign: int) -> None:
        self.rider, self.enter_ns, self.leave_ns = rider, enter_ns, leave_ns
        self.angle = rider.lateral_mm * sign * 57
        self.go_on(enter_ns, sign)

    def go_on(self, now_ns: int, sign: int) -> None:
        """Take the segment in force at `now_ns`, as seen by a radar that looks to `sign`."""
        segments = self.rider.segments
        at = self.rider.segment_index(now_ns)
        segment = segments[at]
        self.t0_ns, self.x0_mm, self.v = segment.t0_ns, segment.x0_mm, segment.v_mm_s
        self.next_ns = segments[at + 1].t0_ns if at + 1 < len(segments) else FOREVER_NS
        self.direction = 1 if (self.v < 0) == (sign > 0) else 0
        speed_kmh = (abs(self.v) * 36 + 5_000) // 10_000
        self.speed_kmh = min(speed_kmh, 120) if abs(self.v) >= BLIND_MM_S else 0


class RadarPeer:
    """One radar.

    Args:
        name: for errors and snapshots, e.g. ``"west/radar-1"``.
        link: the peer's end of the wire.
        x_mm, sign, range_mm: where it stands, where it looks (1 up the path, -1 down), how far.
        phase_ns: of its report grid, below 100 ms.
        seed: which reports are missed.
        missed_per_mille: how many, default 20.
        silent: spans (from, to) in which it sends nothing.
        skip: tell idle frames in bulk.
        foretold_ns: how far ahead idle frames are foretold, and so how late they are told.
    """

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        *,
        x_mm: int,
        sign: int,
        range_mm: int,
        phase_ns: int = 0,
        seed: int = 0,
        missed_per_mille: int = 20,
        silent: tuple[tuple[int, int], ...] = (),
        skip: bool = True,
        foretold_ns: int = FORETOLD_NS,
    ) -> None:
        self.name, self._link, self._skip, self._foretold_ns = name, link, skip, foretold_ns
        self._x_mm, self._sign, self._range_mm = x_mm, sign, range_mm
        self._phase_ns, self._seed = phase_ns, seed * 0x9E3779B1 & 0xFFFFFFFF
        self._missed = missed_per_mille * 65_536 // 1000
        self._silent = silent
        self._news = sorted(_idle_from(to_ns - phase_ns) for _, to_ns in silent)  # first idle frame after each silence
        self._coming: list[tuple[int, int, int, Rider]] = []  # heap: enter, id, leave
        self._inside: list[_Visit] = []
        self._next = 0  # number of the first report of the grid not yet run
        self._idle_next = 0  # number of the next idle frame not yet told
        self._had_target = False
        self._laid_out: list[bytes] = []  # the coming reports, the next one last; worked out before, no state
        self._told_ns = 0  # time of the last idle frame told
        self._foretold = False  # the board counts on more than that
        self.frames = 0
        """Reports with targets and the idle frames right after; not the repeated idle frames."""
        self.idle_frames = 0
        self.answers = Ld2451Answers()
        """Its settings, and what it says to commands. Its faults may be changed."""
        self._commands = Ld2451Stream()
        self.wake_ns = phase_ns
        link.receiver = self._hear

    def _hear(self, data: bytes, t_ns: int) -> None:
        """Bytes from the board: commands are answered at once, but not while it is silent."""
        for event in self._commands.feed(data):
            if isinstance(event, Command) and not self._is_silent(t_ns):
                ack = self.answers.answer(event)
                if ack is not None:
                    self._link.write(encode_ack(ack), t_ns)

    def rider(self, rider: Rider) -> None:
        """Somebody comes; call at the ride's start or before."""
        self.expect(rider, visible_spans(rider, self._x_mm, self._sign, self._range_mm))

    @property
    def view(self) -> tuple[int, int]:
        """From where to where it sees along the path, in mm."""
        return view_of(self._x_mm, self._sign, self._range_mm)

    def expect(self, rider: Rider, spans: list[tuple[int, int]]) -> None:
        """Somebody comes into view in these spans, see `visible_spans`."""
        for enter_ns, leave_ns in spans:
            heapq.heappush(self._coming, (enter_ns, rider.id, leave_ns, rider))
            if self._laid_out:
                alone = max(-(-(enter_ns - self._phase_ns) // REPORT_NS) - self._next, 0)
                del self._laid_out[: max(len(self._laid_out) - alone, 0)]
        if not self._inside and self._skip:
            self._set_wake()

    def run(self, now_ns: int) -> None:
        """One report of the grid."""
        if self._laid_out:
            self._next += 1
            self._idle_next = self._next
            frame = self._laid_out.pop()
            if frame:
                self.frames += 1
                self._link.write(frame, now_ns)
            self.wake_ns = now_ns + REPORT_NS
            return
        coming, inside = self._coming, self._inside
        while coming and coming[0][0] <= now_ns:
            enter_ns, _, leave_ns, rider = heapq.heappop(coming)
            inside.append(_Visit(rider, enter_ns, leave_ns, self._sign))
        number = (now_ns - self._phase_ns) // REPORT_NS
        self._next = number + 1
        body = self._targets(now_ns) if inside else b""
        if body:
            if not self._had_target:
                self.settle(now_ns - 1, foretell=False)
                self._had_target = True
            # one idle frame would be due at each full second: with a target in view there is none
            self._idle_next = number + 1
            if not self._misses(number) and not self._is_silent(now_ns):
                self.frames += 1
                alarm = 1 if 1 in body[2::TARGET_BYTES] else 0
                self._link.write(frame_report(body, alarm), now_ns)
            if len(inside) == 1 and not self._silent:
                self._lay_out(inside[0], number + 1)
        elif self._had_target:
            self._had_target = False
            self._idle_next = number + 1
            if not self._is_silent(now_ns):
                self.frames += 1
                self._link.write(IDLE_FRAME, now_ns)
        else:
            self.settle(now_ns)
        self._set_wake()

    def _misses(self, number: int) -> bool:
        """Whether report number `number` gets lost."""
        return ((number * 0x85EBCA6B) ^ self._seed) * 0xC2B2AE35 >> 13 & 0xFFFF < self._missed

    def _lay_out(self, visit: _Visit, first: int) -> None:
        """The reports from number `first` on of a rider alone in view: until somebody else comes, or speed changes."""
        until_ns = min(visit.leave_ns, visit.next_ns, self._coming[0][0] if self._coming else FOREVER_NS)
        first_ns = self._phase_ns + first * REPORT_NS
        count = min((until_ns - 1 - first_ns) // REPORT_NS + 1, MOST_LAID_OUT)
        if count <= 0 or not visit.speed_kmh:
            return
        sign, range_mm, seed, missed = self._sign, self._range_mm, self._seed, self._missed
        from_mm, angle, moved = visit.x0_mm - self._x_mm, visit.angle, visit.v * (first_ns - visit.t0_ns)
        step = visit.v * REPORT_NS
        head, pack = ONE_TARGET_HEAD + bytes((visit.direction,)), TARGETS.pack
        direction, speed_kmh = visit.direction, visit.speed_kmh
        frames = []
        for number in range(first, first + count):
            if ((number * 0x85EBCA6B) ^ seed) * 0xC2B2AE35 >> 13 & 0xFFFF < missed:
                frames.append(_MISSED)
            else:
                away_mm = (from_mm + moved // NS_PER_S) * sign
                metres = away_mm // 1000
                frames.append(
                    head
                    + pack(
                        128 + angle // (away_mm if away_mm > 2 * NEAR_MM else 2 * NEAR_MM),
                        metres if metres < 255 else 255,
                        direction,
                        speed_kmh,
                        240 - 200 * away_mm // range_mm,
                    )
                    + REPORT_TAIL
                )
            moved += step
        frames.reverse()
        self._laid_out = frames

    def _targets(self, now_ns: int) -> bytes:
        """The targets in view, nearest riders last in, as the report carries them."""
        body = b""
        gone = False
        sign, x_mm = self._sign, self._x_mm
        for visit in self._inside:
            if visit.leave_ns <= now_ns:
                gone = True
                continue
            if now_ns >= visit.next_ns:
                visit.go_on(now_ns, sign)
            if not visit.speed_kmh or len(body) >= MAX_TARGETS * TARGET_BYTES:
                continue
            away_mm = (visit.x0_mm + visit.v * (now_ns - visit.t0_ns) // NS_PER_S - x_mm) * sign
            angle = visit.angle // (away_mm if away_mm > 2 * NEAR_MM else 2 * NEAR_MM)
            snr = 240 - 200 * away_mm // self._range_mm
            metres = away_mm // 1000
            body += bytes((128 + angle, metres if metres < 255 else 255, visit.direction, visit.speed_kmh, snr))
        if gone:
            self._inside[:] = [visit for visit in self._inside if visit.leave_ns > now_ns]
        return body

    def settle(self, until_ns: int, *, foretell: bool = True) -> None:
        """Tell the idle frames up to and including `until_ns` that are not told yet.

        Without `foretell` the board knows afterwards what it would know had they come one by one, and no more.
        """
        last = (until_ns - self._phase_ns) // REPORT_NS
        first = -(-self._idle_next // IDLE_EVERY) * IDLE_EVERY
        if self._foretold and not foretell:
            self._foretold = False
            self._link.foretell(IDLE_FRAME, self._told_ns, self._told_ns, 1)
        if self._had_target or last < first:
            return
        last -= last % IDLE_EVERY
        self._idle_next = last + 1
        for from_n, to_n in self._heard(first, last):
            count = (to_n - from_n) // IDLE_EVERY + 1
            self.idle_frames += count
            from_ns, to_ns = self._phase_ns + from_n * REPORT_NS, self._phase_ns + to_n * REPORT_NS
            if self._skip:
                self._link.repeat(IDLE_FRAME, from_ns, to_ns, count)
            else:
                self._link.write(IDLE_FRAME, from_ns)
            self._told_ns, self._foretold = to_ns, False
        if foretell and self._skip:
            self._foretell(last, until_ns)

    def _foretell(self, last: int, until_ns: int) -> None:
        """Let the board know that frame after frame is to come, so that nobody has to look after it every two seconds.

        Idle frames or reports of targets: either proves that the sensor lives. Only a silent span ends that.
        """
        last_ns = self._phase_ns + last * REPORT_NS
        horizon_ns = until_ns + self._foretold_ns
        for from_ns, to_ns in self._silent:
            if last_ns < to_ns:  # a sensor that is not heard yet has nothing to foretell
                horizon_ns = min(horizon_ns, from_ns - 1)
        number = (horizon_ns - self._phase_ns) // REPORT_NS
        number -= number % IDLE_EVERY
        if number > last:
            first_ns = self._phase_ns + (last + IDLE_EVERY) * REPORT_NS
            count = (number - last) // IDLE_EVERY
            self._foretold = True
            self._link.foretell(IDLE_FRAME, first_ns, self._phase_ns + number * REPORT_NS, count)

    def _heard(self, first: int, last: int) -> list[tuple[int, int]]:
        """The idle frames from number `first` to `last`, without those that fall into a silent span."""
        spans = [(first, last)]
        for from_ns, to_ns in self._silent:
            from_n = -(-(from_ns - self._phase_ns) // REPORT_NS)
            to_n = -(-(to_ns - self._phase_ns) // REPORT_NS)  # the first heard again
            before = (from_n - 1) // IDLE_EVERY * IDLE_EVERY
            after = -(-to_n // IDLE_EVERY) * IDLE_EVERY
            spans = (
                [
                    part
                    for low, high in spans
                    for part in ((low, min(high, before)), (max(low, after), high))
                    if part[0] <= part[1]
                ]
                if from_n < to_n
                else spans
            )
        return spans

    def _is_silent(self, now_ns: int) -> bool:
        return bool(self._silent) and any(low <= now_ns < high for low, high in self._silent)

    def _set_wake(self) -> None:
        """The next report at which something is to be said, or may be."""
        if self._inside or self._had_target or not self._skip:
            self.wake_ns = self._phase_ns + self._next * REPORT_NS
            return
        wake_ns = FOREVER_NS
        if self._coming:
            number = max(self._next, -(-(self._coming[0][0] - self._phase_ns) // REPORT_NS))
            wake_ns = self._phase_ns + number * REPORT_NS
        if self._news:
            at = bisect_left(self._news, self._idle_next)
            if at < len(self._news):
                wake_ns = min(wake_ns, self._phase_ns + max(self._next, self._news[at]) * REPORT_NS)
        self.wake_ns = wake_ns

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values; riders by their id."""
        return {
            "wake_ns": self.wake_ns,
            "coming": sorted([enter, number, leave] for enter, number, leave, _ in self._coming),
            "inside": [[visit.rider.id, visit.enter_ns, visit.leave_ns] for visit in self._inside],
            "next": self._next,
            "idle_next": self._idle_next,
            "had_target": self._had_target,
            "told_ns": self._told_ns,
            "foretold": self._foretold,
            "frames": self.frames,
            "idle_frames": self.idle_frames,
            "answers": self.answers.snapshot(),
            "commands": self._commands.snapshot(),
        }

    def restore(self, state: dict[str, Any], riders: dict[int, Rider] | None = None, now_ns: int = 0) -> None:
        """Take over a snapshot made at `now_ns`, with or without skipping; `riders` are those under way, by id."""
        known = riders or {}
        self.wake_ns, self._next, self._idle_next = state["wake_ns"], state["next"], state["idle_next"]
        self._had_target, self.frames, self.idle_frames = state["had_target"], state["frames"], state["idle_frames"]
        self._told_ns, self._foretold = state["told_ns"], state["foretold"]
        self.answers.restore(state["answers"])
        self._commands.restore(state["commands"])
        self._laid_out = []
        self._coming = [(enter, number, leave, known[number]) for enter, number, leave in state["coming"]]
        heapq.heapify(self._coming)
        self._inside = [_Visit(known[number], enter, leave, self._sign) for number, enter, leave in state["inside"]]
        if not self._skip:  # the snapshot may come from a run that skipped
            self._next = max(self._next, -(-(now_ns - self._phase_ns) // REPORT_NS))
            self._set_wake()


def _idle_from(since_ns: int) -> int:
    """Number of the first idle frame at or after `since_ns` on the report grid. Example: 1.01 s gives 20."""
    return -(-since_ns // (REPORT_NS * IDLE_EVERY)) * IDLE_EVERY
