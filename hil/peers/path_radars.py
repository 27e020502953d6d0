"""Radars of a path by their part: the far ends of LD2451, K-LD7 and OPS243-A, which see the riders of the path.

Each reports as its part does, at its part's own times: an LD2451 every 100 ms, a K-LD7 a frame whenever it is asked
(29 to 229 ms, by its speed range), with or without somebody in view, an OPS243 a line every 100 ms while somebody
moves, and nothing of places. All lose the same share of reports, and none sees who stands. Not from a document,
declared here: of several in view a K-LD7 tracks the nearest, an OPS243 has a line for each.
"""

from __future__ import annotations

from bisect import insort
from typing import Any, Final, Protocol

from drivers.codecs.kld7_packets import Target
from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS
from hil.peers.kld7 import Kld7Peer
from hil.peers.ops243 import REPORT_NS, Ops243Peer, Pass
from hil.peers.radar import BLIND_MM_S, FORETOLD_NS, RadarPeer
from hil.peers.radar_row import view_of, visible_spans
from hil.traffic.chance import draw
from hil.traffic.rider import Rider

SEEN_PARTS: Final = ("ld2451", "kld7", "ops243")
"""Parts that can see the riders of a path."""

MISSED_PER_MILLE: Final = 20


class PathRadar(Protocol):
    """A peer that sees riders. `frames`: reports with somebody in them."""

    name: str
    frames: int

    @property
    def wake_ns(self) -> int:
        """When something is to be said."""

    @property
    def view(self) -> tuple[int, int]:
        """From where to where along the path, in mm."""

    def expect(self, rider: Rider, spans: list[tuple[int, int]]) -> None:
        """Somebody comes into view in these spans, in ns."""

    def rider(self, rider: Rider) -> None:
        """Somebody comes."""

    def run(self, now_ns: int) -> None:
        """Do what is due."""

    def snapshot(self) -> dict[str, Any]:
        """All state."""

    def restore(self, state: dict[str, Any], riders: dict[int, Rider] | None = None, now_ns: int = 0) -> None:
        """Take over a snapshot; `riders` are those under way, by id."""


class Sight:
    """Riders as one place sees them.

    Args:
        x_mm, sign, range_mm: where it stands, where it looks (1 up the path, -1 down), how far.
        seed: which reports are missed.
    """

    def __init__(self, x_mm: int, sign: int, range_mm: int, seed: int) -> None:
        self.x_mm, self.sign, self.range_mm, self.seed = x_mm, sign, range_mm, seed
        self._visits: list[tuple[int, int, int, Rider]] = []  # enter, id, leave; in order

    @property
    def view(self) -> tuple[int, int]:
        """From where to where along the path, in mm."""
        return view_of(self.x_mm, self.sign, self.range_mm)

    def expect(self, rider: Rider, spans: list[tuple[int, int]]) -> None:
        """Somebody comes into view in these spans."""
        for enter_ns, leave_ns in spans:
            insort(self._visits, (enter_ns, rider.id, leave_ns, rider), key=lambda visit: visit[:3])

    def spans_of(self, rider: Rider) -> list[tuple[int, int]]:
        """When somebody is in view."""
        return visible_spans(rider, self.x_mm, self.sign, self.range_mm)

    def next_ns(self, from_ns: int) -> int:
        """The first moment from `from_ns` on at which somebody is in view, standing or not; FOREVER_NS for none."""
        return min((max(enter, from_ns) for enter, _, leave, _ in self._visits if leave > from_ns), default=FOREVER_NS)

    def moving(self, now_ns: int) -> list[tuple[int, int]]:
        """Who moves in view, as (mm from the sensor, mm/s away from it), the nearest first. Time goes on."""
        self._visits = [visit for visit in self._visits if visit[2] > now_ns]
        found = []
        for enter_ns, _, _, rider in self._visits:
            v_mm_s = rider.v_mm_s(now_ns)
            if enter_ns <= now_ns and abs(v_mm_s) >= BLIND_MM_S:
                found.append((self.sign * (rider.x_mm(now_ns) - self.x_mm), self.sign * v_mm_s))
        return sorted(found)

    def misses(self, number: int) -> bool:
        """Whether report `number` gets lost."""
        return draw(self.seed, number) % 1000 < MISSED_PER_MILLE

    def snapshot(self) -> list[list[int]]:
        """Visits to come and under way."""
        return [[enter, number, leave] for enter, number, leave, _ in self._visits]

    def restore(self, state: list[list[int]], riders: dict[int, Rider]) -> None:
        """Take over a snapshot; `riders` by id."""
        self._visits = [(enter, number, leave, riders[number]) for enter, number, leave in state]


class _Sees:
    """What both share: they see through `sight`."""

    sight: Sight

    @property
    def view(self) -> tuple[int, int]:
        """From where to where along the path, in mm."""
        return self.sight.view

    def rider(self, rider: Rider) -> None:
        """Somebody comes."""
        self.expect(rider, self.sight.spans_of(rider))

    def expect(self, rider: Rider, spans: list[tuple[int, int]]) -> None:
        """Somebody comes into view in these spans."""
        self.sight.expect(rider, spans)


class PathKld7(_Sees, Kld7Peer):
    """A K-LD7 on a path."""

    def __init__(self, name: str, link: MemoryLink, sight: Sight, silent: tuple[tuple[int, int], ...] = ()) -> None:
        self.sight = sight
        super().__init__(name, link, silent=silent)

    def _targets(self, now_ns: int) -> tuple[Target, ...]:
        if self.sight.misses(self.frames):
            return ()
        return tuple(
            Target(away_mm // 10, _nearest(v_mm_s * 9, 25), 0, max(1_000, 6_000 - away_mm // 10))
            for away_mm, v_mm_s in self.sight.moving(now_ns)
        )

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values; riders by their id."""
        return {**super().snapshot(), "visits": self.sight.snapshot()}

    def restore(self, state: dict[str, Any], riders: dict[int, Rider] | None = None, now_ns: int = 0) -> None:
        """Take over a snapshot; `riders` are those under way, by id."""
        super().restore(state)
        self.sight.restore(state["visits"], riders or {})


class PathOps243(_Sees, Ops243Peer):
    """An OPS243-A on a path."""

    def __init__(self, name: str, link: MemoryLink, sight: Sight, silent: tuple[tuple[int, int], ...] = ()) -> None:
        self.sight, self.frames, self._ran_ns = sight, 0, -1
        super().__init__(name, link, silent=silent)

    def expect(self, rider: Rider, spans: list[tuple[int, int]]) -> None:
        """Somebody comes into view in these spans."""
        super().expect(rider, spans)
        self._seek(max(0, self._ran_ns + 1))

    def run(self, now_ns: int) -> None:
        """Say what is due."""
        self._ran_ns = now_ns
        super().run(now_ns)

    def _moving(self, now_ns: int) -> list[Pass]:
        number = now_ns // REPORT_NS
        if self.sight.misses(number):
            return []
        moving = self.sight.moving(now_ns)
        self.frames += bool(moving)
        # magnitudes differ from report to report, as those of a part do
        return [Pass(now_ns, now_ns + 1, -v_mm_s, 300_000 - 4 * away_mm) for away_mm, v_mm_s in moving]

    def _seek(self, from_ns: int) -> None:
        seen_ns = self.sight.next_ns(from_ns)
        self._next_ns = seen_ns if seen_ns >= FOREVER_NS else -(-seen_ns // REPORT_NS) * REPORT_NS

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values; riders by their id."""
        return {**super().snapshot(), "visits": self.sight.snapshot(), "frames": self.frames, "ran_ns": self._ran_ns}

    def restore(self, state: dict[str, Any], riders: dict[int, Rider] | None = None, now_ns: int = 0) -> None:
        """Take over a snapshot; `riders` are those under way, by id."""
        super().restore(state)
        self.sight.restore(state["visits"], riders or {})
        self.frames, self._ran_ns = state["frames"], state["ran_ns"]


def path_radar(
    part: str,
    name: str,
    link: MemoryLink,
    *,
    x_mm: int,
    sign: int,
    range_mm: int,
    seed: int,
    phase_ns: int = 0,
    silent: tuple[tuple[int, int], ...] = (),
    skip: bool = True,
    foretold_ns: int = FORETOLD_NS,
) -> PathRadar:
    """The far end of `part`, one of SEEN_PARTS. `phase_ns`, `skip` and `foretold_ns` are an LD2451's."""
    if part == "ld2451":
        return RadarPeer(
            name,
            link,
            x_mm=x_mm,
            sign=sign,
            range_mm=range_mm,
            phase_ns=phase_ns,
            seed=seed,
            silent=silent,
            skip=skip,
            foretold_ns=foretold_ns,
        )
    sight = Sight(x_mm, sign, range_mm, seed)
    if part == "kld7":
        return PathKld7(name, link, sight, silent)
    if part != "ops243":
        raise ValueError(f"{name}: a {part} sees no riders; those that do: {', '.join(SEEN_PARTS)}")
    return PathOps243(name, link, sight, silent)


def _nearest(value: int, over: int) -> int:
    """A fraction to the nearest whole number."""
    return (2 * value + over) // (2 * over)
