"""What no run of a display may show, whatever its reference says: its pixels, held against the signal's messages.

panel-in-doubt: lit for longer than `stale_s` and 1.5 s after the last message of a working signal. panel-bar: the
column rises while the colour says the same. panel-colour: go (green, amber) or wait (red) is shown for more than 2 s,
and the signal is at no moment so when a rider can arrive, fast or slow, give or take what it may change its mind by.
"""

from __future__ import annotations

from controllers.greenwave.site import GreenwaveSite
from drivers.codecs.spat import to_signal_states
from drivers.codecs.spat_uper import SpatUperStream
from drivers.codecs.spat_xml import SpatXmlStream
from drivers.quantities import SignalState
from drivers.units import NS_PER_S
from hil.judge.panel_reading import Reading, read_panel

_GREENS, _AMBERS, _WORKING = (5, 6), (7, 8), range(3, 9)
_DOUBTFUL_STATUS = 1 << 1 | 1 << 2 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 13
_SLACK_NS = 1_500_000_000
_STEP_NS = NS_PER_S // 2
_WRONG_STEPS = 4
_MOST_STEPS = 200_000
MOST_SAID = 5

GO, WAIT = True, False


class PanelInvariants:
    """Looks at one display. Add `passed` to the log's onlookers.

    Args:
        site: of the display.
        feed, panel: ``board/wire`` of each.
        message_format: "spat-xml" or "spat-uper"; anything else is not read, and only the column is looked at.
        slack_ns: by how much the signal may change its mind about what it said.
        every: of the messages, so many are read as one: with peers that write whole messages every fifth is enough.
        excused: spans (from, to) in which the board has no power.
    """

    def __init__(
        self,
        site: GreenwaveSite,
        feed: str,
        panel: str,
        message_format: str,
        *,
        slack_ns: int,
        every: int = 1,
        excused: tuple[tuple[int, int], ...] = (),
    ) -> None:
        self._site, self._feed, self._panel, self._slack_ns = site, feed, panel, slack_ns
        self._format, self._every, self._excused = message_format, every, excused
        self._stream = self._fresh()
        self._messages = 0
        self._good_ns: int | None = None  # of the last message of a working signal
        self._truth: dict[int, bool] = {}  # half seconds: whether the signal lets go
        self._shown: list[tuple[int, Reading]] = []
        self._low: int | None = None
        self._lit_since_ns: int | None = None
        self._said: set[str] = set()
        self.broken: list[str] = []
        self.seen: set[str] = set()
        """Colours that were shown."""

    def _fresh(self) -> SpatXmlStream | SpatUperStream | None:
        if self._format == "spat-xml":
            return SpatXmlStream()
        return SpatUperStream() if self._format == "spat-uper" else None

    def passed(self, wire: str, outward: bool, data: bytes, t_ns: int) -> None:
        """A piece passes."""
        if outward and wire == self._panel:
            self._show(read_panel(data), t_ns)
        elif not outward and wire == self._feed:
            self._messages += 1
            if self._messages % self._every == 0:
                self._hear(data, t_ns)

    def _hear(self, data: bytes, t_ns: int) -> None:
        if self._stream is None:
            return
        if self._every > 1:
            self._stream = self._fresh()
            assert self._stream is not None
        for intersection in self._stream.feed(data):
            for state in to_signal_states(intersection, t_ns, "feed"):
                if state.station == self._site.station and state.group == self._site.group:
                    self._state(state)
        self._doubt(t_ns)

    def _state(self, state: SignalState) -> None:
        number = state.phases[0].state if state.phases else -1
        if state.status & _DOUBTFUL_STATUS or number not in _WORKING:
            return
        if state.message_ms is not None:
            self._good_ns = state.t_ns
        goes = (*_GREENS, *_AMBERS) if self._site.amber_is_green else _GREENS
        if len(self._truth) < _MOST_STEPS:
            self._truth[state.t_ns // _STEP_NS] = number in goes

    def _show(self, reading: Reading, t_ns: int) -> None:
        self._doubt(t_ns)
        before = self._shown[-1][1] if self._shown else Reading("dark", None)
        self.seen.add(reading.colour)
        if reading.colour == "unknown":
            self._tell("panel-colour", t_ns, "shows a picture that says no colour of a signal")
        if _says(reading) != _says(before):
            self._low = None
        if reading.bar_px is not None:
            if self._low is not None and reading.bar_px > self._low:
                what = f"the column rises from {self._low} to {reading.bar_px} px while {reading.colour} is shown"
                self._tell("panel-bar", t_ns, what)
            self._low = reading.bar_px
        if len(self._shown) < _MOST_STEPS:
            self._shown.append((t_ns, reading))

    def _doubt(self, t_ns: int) -> None:
        """Lit, and nothing to trust."""
        if self._stream is None or self._site.in_doubt == "no-data":
            return
        if not self._shown or self._shown[-1][1].colour == "dark" or self._is_excused(t_ns):
            return
        stale_ns = round(self._site.stale_s * NS_PER_S) + _SLACK_NS
        since_ns = t_ns - (self._good_ns if self._good_ns is not None else 0)
        if since_ns > stale_ns:
            self._tell("panel-in-doubt", t_ns, f"lit {since_ns / NS_PER_S:.1f} s after the last good message")

    def finish(self, end_ns: int) -> list[str]:
        """The run ends: a sentence for each rule that was broken, the first five."""
        self._doubt(end_ns)
        first_ns, last_ns = self._site.fast_ns - self._slack_ns, self._site.normal_ns + self._slack_ns
        for n, (from_ns, reading) in enumerate(self._shown):
            says = _says(reading)
            to_ns = self._shown[n + 1][0] if n + 1 < len(self._shown) else end_ns
            if says is not None:
                self._colour(reading, says, from_ns, to_ns, first_ns, last_ns)
            else:
                self._wrong = 0
        return self.broken[:MOST_SAID]

    _wrong = 0  # half seconds in a row

    def _colour(self, reading: Reading, says: bool, from_ns: int, to_ns: int, first_ns: int, last_ns: int) -> None:
        for step in range(-(-from_ns // _STEP_NS), -(-to_ns // _STEP_NS)):
            t_ns = step * _STEP_NS
            steps = range((t_ns + first_ns) // _STEP_NS, (t_ns + last_ns) // _STEP_NS + 1)
            known = [self._truth.get(at) for at in steps]
            if None in known or says in known:
                self._wrong = 0
                continue
            self._wrong += 1
            if self._wrong > _WRONG_STEPS:
                now = "never lets go" if says is GO else "lets go all the time"
                self._tell(
                    "panel-colour", t_ns, f"{reading.colour} is shown, and the signal {now} when a rider arrives"
                )

    def _is_excused(self, t_ns: int) -> bool:
        return any(low <= t_ns < high for low, high in self._excused)

    def _tell(self, rule: str, t_ns: int, what: str) -> None:
        if rule not in self._said:
            self._said.add(rule)
            self.broken.append(f"invariant broken ({rule}): at second {t_ns / NS_PER_S:.1f} {what}")


def _says(reading: Reading) -> bool | None:
    return {"green": GO, "amber": GO, "red": WAIT}.get(reading.colour)
