"""Red and green to come, from the marks of messages and from what the signal group did before. Pure.

Which end of the running phase is told, the first that there is (docs/leezenflow.md, "The rule for each case"):

1. likely, with enough confidence;
2. min and max, where they are one moment (within a second);
3. of min, max and what was learnt (kept between min and max) the one that was right most often when it said the like
   (learn_trust), in `learnt_pct` of cases at least, a minimum in `min_confidence_pct`; a learnt end not while its last
   promise is broken (learn_record);
4. none. The colour is sure as far as marks go, or nine of ten votes; a running one for a second more in any case.

Phases to come are as long as they were of late where they always last as long, else as marks and learning say. Where a
message does not name those that matter, what was learnt does.

A site whose feed tells likely ends as far as a rider needs never pays for the learner: it is made, and its module
loaded, at the first message that leaves something open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from controllers.greenwave.countdown import AMBERS, GREENS, RED, RED_AMBER, Span, bound_ms, marks_ms
from controllers.greenwave.learn_cadence import Cadence
from controllers.greenwave.learn_record import Record
from controllers.greenwave.learn_trust import LEARNT, MAX, MIN, SOURCES, Trust
from drivers.quantities import SignalPhase
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from controllers.greenwave.learning import Forecast, PhaseLearner

SURE_NS = NS_PER_S
"""For so long after a message the running state is taken to last, where nothing tells its end."""
MOST_SPANS = 6
BOUND_PCT = 70
"""So often a bound has to have been right where nothing is learnt."""
REST_NS = 6 * NS_PER_S
"""So long before its minimum may be believed a bar rests there."""

LONGEST_GAP_NS = 4 * NS_PER_S
"""After a longer silence nobody knows what the signal did meanwhile."""
_AGAIN_NS, _SOON_NS = NS_PER_S, NS_PER_S // 4
_EXACT_MS = 1000
_WORKING = range(RED, AMBERS[-1] + 1)
_FOLLOWS = {RED_AMBER: GREENS[1], AMBERS[0]: RED, AMBERS[1]: RED}


class Outlook:
    """One signal group before one display.

    Args:
        ahead_ns: riding time to the stop line: so far ahead must be known.
        min_confidence_pct: of a likely end.
        learnt_pct: so often a bound or a learnt end has to have been right; 0: nothing is learnt.
        amber_is_green: amber is go.
    """

    def __init__(self, ahead_ns: int, min_confidence_pct: int, learnt_pct: int, amber_is_green: bool) -> None:
        self._ahead_ns, self._min_confidence_pct = ahead_ns, min_confidence_pct
        self._learnt_pct, self._amber_is_green = learnt_pct, amber_is_green
        self._enough_pct = learnt_pct or BOUND_PCT
        self._goes = (*GREENS, *AMBERS) if amber_is_green else GREENS
        self._record = Record()
        self._trust = Trust()
        self._cadence = Cadence()
        self._learner: PhaseLearner | None = None
        self._forecast: Forecast | None = None
        self._asked_ns = 0
        self._heard_ns = 0
        self._open = False  # the message left something open
        self._told_ns = 0  # the running phase's end as it was told, being learnt
        self._source: int | None = None  # of what was told of it

    def lose(self, t_ns: int) -> None:
        """From `t_ns` on nobody knows what the signal does."""
        if self._record.state:
            self._record.change(t_ns, 0)
            self._trust.end(None)
            self._cadence.lose()
            self._forecast = self._source = None
            if self._learner is not None:
                self._learner.observe(t_ns, 0)

    def hear(self, phases: Sequence[SignalPhase], written_ns: int, seen_ns: int | None) -> tuple[Span, ...]:
        """What is known after a message written at `written_ns`; nothing where the signal does not work.

        `seen_ns`: when the signal was seen like that, the same where nothing moved the stamp; None: told again.
        """
        state = phases[0].state if phases else 0
        if state not in _WORKING:
            self.lose(written_ns)
            return ()
        record = self._record
        if record.state and written_ns - self._heard_ns > LONGEST_GAP_NS:
            self.lose(self._heard_ns + NS_PER_S)
        self._heard_ns = max(self._heard_ns, written_ns)
        changed = state != record.state
        if changed or seen_ns is not None:
            for change_ns, other, known in self._cadence.seen(
                record, self._told_end_ns(), state, seen_ns or written_ns
            ):
                self._trust.end(change_ns if record.state and known else None)
                record.change(change_ns, other, known)
                self._told_ns, self._source = 0, None
                if self._learner is not None:
                    self._learner.observe(change_ns, other)
            if self._learner is not None:
                self._learner.observe(seen_ns or written_ns, state)
        if self._learner is not None:
            late = self._forecast is not None and self._forecast.state != state  # it reckons in whole seconds
            if changed or written_ns - self._asked_ns >= (_SOON_NS if late else _AGAIN_NS):
                self._ask(written_ns)
        self._open = False
        spans = self._spans(phases, written_ns)
        if self._open and self._learner is None and self._learnt_pct:
            from controllers.greenwave.learning import PhaseLearner

            self._learner = PhaseLearner()
            self._learner.observe(seen_ns or written_ns, state)
        return spans

    def _told_end_ns(self) -> int | None:
        """When the running phase was to end, as learnt."""
        record, forecast = self._record, self._forecast
        usual_ns = record.usual_ns(record.state) if record.whole else None
        if usual_ns is not None:
            return record.since_ns + usual_ns
        told = forecast.phases[0] if forecast is not None and forecast.phases else None
        return None if told is None or told.state != record.state else told.end_ns

    def _ask(self, now_ns: int) -> None:
        assert self._learner is not None
        self._forecast = self._learner.forecast(now_ns)
        self._asked_ns = now_ns

    # ------------------------------------------------------------------ phases to spans

    def _spans(self, phases: Sequence[SignalPhase], written_ns: int) -> tuple[Span, ...]:
        spans: list[Span] = []
        end_ns, follows = written_ns, 0
        soft = False
        for number in range(MOST_SPANS):
            if number < len(phases):
                phase = phases[number]
            else:
                if not self._wanted(spans, follows, end_ns, written_ns):
                    break
                self._open = True
                coming = self._coming(number, follows)
                if coming is None:
                    soft = True
                    break
                phase = SignalPhase(coming)
            state = phase.state
            if state not in _WORKING:
                break
            go = state in self._goes
            if number == 0:
                ends_ns, learnt = self._running_end(phase, written_ns)
                soft = learnt
            else:
                ends_ns = self._coming_end(number, phase, end_ns, written_ns)
            if spans and spans[-1].go == go:
                before = spans.pop()
                if ends_ns is None:
                    sure_ns = FOREVER_NS if state == RED else before.end_ns
                    spans.append(Span(go, sure_ns, False))
                    break
            elif ends_ns is None:
                sure_ns = self._sure_ns(phase, written_ns) if number == 0 else FOREVER_NS if state == RED else 0
                if sure_ns:
                    spans.append(Span(go, sure_ns, False, 0 if number else self._rest_ns(phase, go)))
                break
            spans.append(Span(go, ends_ns))
            end_ns, follows = ends_ns, state
        if soft or len(spans) == 1:
            self._last(spans, written_ns + SURE_NS)
        return tuple(spans)

    def _last(self, spans: list[Span], sure_ns: int) -> None:
        """The running colour lasts until `sure_ns` at least, unless the feed itself says what follows it when."""
        first = spans[0]
        if first.end_ns < sure_ns:
            spans[1:] = [Span(first.go, sure_ns, False), *(span for span in spans[1:] if span.end_ns > sure_ns)]

    def _wanted(self, spans: list[Span], follows: int, end_ns: int, written_ns: int) -> bool:
        """Whether what comes after the last phase matters to a rider who passes now or in a second."""
        if end_ns <= written_ns + self._ahead_ns + SURE_NS:
            return True
        ends_go = follows in AMBERS if self._amber_is_green else follows in GREENS
        whole = ends_go or follows == RED_AMBER
        if whole:
            return False
        # the last span may go on: that matters to who arrives in it
        begins_ns = spans[-2].end_ns if len(spans) > 1 else written_ns
        return begins_ns <= written_ns + self._ahead_ns + SURE_NS

    def _running_end(self, phase: SignalPhase, written_ns: int) -> tuple[int | None, bool]:
        """The end of the running phase, if one may be told, and whether it was learnt."""
        record, state = self._record, phase.state
        least_ms, most_ms, likely_ms = marks_ms(phase, 0, self._min_confidence_pct)
        if likely_ms is not None:
            return written_ns + likely_ms * NS_PER_MS, False
        mark_ms = bound_ms(state, least_ms, most_ms)
        mark_ns = None if mark_ms is None else written_ns + mark_ms * NS_PER_MS
        if least_ms is not None and most_ms is not None and 0 <= most_ms - least_ms <= _EXACT_MS:
            # how near its end a minimum is always right: that too
            self._trust.claim(written_ns, state, {MIN: (written_ns + least_ms * NS_PER_MS, 0)})
            return mark_ns, False
        self._open = True
        said = self._said(state, written_ns, least_ms, most_ms)
        self._trust.claim(written_ns, state, said)
        best, best_pct, learnt_ns = None, 0, None
        for source in SOURCES:
            if source not in said:
                continue
            end_ns, confidence_pct = said[source]
            pct = self._trust.trust_pct(source, state, end_ns - written_ns, confidence_pct)
            # once told it is told on, with less: a bar that comes and goes is of no use
            told_on = source == self._source and source == LEARNT
            enough_pct = self._enough_pct * 2 // 3 if told_on else self._enough_pct
            if source == MIN and self._trust.sure_left_ns(state, confidence_pct, enough_pct):
                enough_pct = min(
                    enough_pct, max(self._min_confidence_pct, 1)
                )  # the bar will not fall too low: it rests
            if pct < enough_pct:
                continue
            if source == LEARNT:
                learnt_ns = end_ns
                if not record.allowed(state):
                    continue
            if (pct, source == self._source) > (best_pct, best == self._source):
                best, best_pct = source, pct
        record.claim(written_ns, learnt_ns)
        if best is None:
            return None, False
        self._source = best
        end_ns = said[best][0]
        if best == LEARNT:
            self._told_ns = end_ns
        return end_ns, best == LEARNT

    def _rest_ns(self, phase: SignalPhase, go: bool) -> int:
        """For how long at least a running phase of open end lasts, and those of its colour after it, where its minimum
        is soon at hand: from there on its minimum may be believed, so a bar may rest there until then.
        """
        state = phase.state
        least_ms, most_ms, _ = marks_ms(phase, 0, self._min_confidence_pct)
        if least_ms is None:
            return 0
        prior_pct = 100 if least_ms == bound_ms(state, least_ms, most_ms) else 0
        sure_ns = self._trust.sure_left_ns(state, prior_pct, self._enough_pct)
        if not 0 < sure_ns <= least_ms * NS_PER_MS <= sure_ns + REST_NS:
            return 0
        sure_ns += NS_PER_S // 2  # half of what is right: it may go on from here, or soon
        for _ in range(2):
            follows = self._record.follows(state)
            if follows is None or (follows in self._goes) != go:
                break
            sure_ns += self._record.usual_ns(follows) or 0
            state = follows
        return sure_ns

    def _said(
        self, state: int, written_ns: int, least_ms: int | None, most_ms: int | None
    ) -> dict[int, tuple[int, int]]:
        """What each source says of the running phase's end, and how sure it is in advance."""
        said: dict[int, tuple[int, int]] = {}
        usual = bound_ms(state, least_ms, most_ms)
        for source, mark_ms in ((MIN, least_ms), (MAX, most_ms)):
            if mark_ms is not None:
                said[source] = written_ns + mark_ms * NS_PER_MS, 100 if mark_ms == usual else 0
        learnt = self._learnt(state, written_ns, least_ms, most_ms)
        if learnt is not None:
            said[LEARNT] = learnt
        return said

    def _learnt(self, state: int, written_ns: int, least_ms: int | None, most_ms: int | None) -> tuple[int, int] | None:
        """The learnt end of the running phase and the share of votes for it, where marks do not speak against it."""
        forecast, record = self._forecast, self._record
        if forecast is None:
            return None
        if forecast.state != state:  # it changed a moment ago
            usual_ns = record.usual_ns(state) if record.whole else None
            if usual_ns is None:
                return None
            end_ns, sure_pct = record.since_ns + usual_ns, 100
        else:
            if not forecast.phases and self._told_ns > written_ns:
                return self._told_ns, 100  # it is as old as any before: what was told is counted down
            told = forecast.phases[0] if forecast.phases else None
            if told is None or told.state != state:
                return None
            end_ns, sure_pct = told.end_ns, told.confidence_pct
            if record.whole:
                end_ns = record.since_ns + record.near_ns(state, end_ns - record.since_ns)
        inside_ns = max(end_ns, written_ns)
        if least_ms is not None and (most_ms is None or least_ms <= most_ms):
            inside_ns = max(inside_ns, written_ns + least_ms * NS_PER_MS)
        if most_ms is not None and (least_ms is None or least_ms <= most_ms):
            inside_ns = min(inside_ns, written_ns + most_ms * NS_PER_MS)
        return (inside_ns, sure_pct) if abs(inside_ns - end_ns) <= NS_PER_S else None

    def _sure_ns(self, phase: SignalPhase, written_ns: int) -> int:
        """How long the colour of a running phase without a told end is sure."""
        least_ms, most_ms, _ = marks_ms(phase, 0, self._min_confidence_pct)
        forecast = self._forecast
        sure_ns = written_ns + SURE_NS
        if least_ms is not None and (most_ms is None or least_ms <= most_ms):
            sure_ns = max(sure_ns, written_ns + least_ms * NS_PER_MS)
        if forecast is not None and forecast.phases and forecast.phases[0].state == phase.state:
            early_ns = forecast.phases[0].early_ns - NS_PER_S
            if most_ms is not None:
                early_ns = min(early_ns, written_ns + most_ms * NS_PER_MS)
            return max(sure_ns, early_ns)
        if phase.state == RED:
            return FOREVER_NS  # who is shown a red that may end meanwhile is not led astray
        return sure_ns

    def _coming(self, number: int, follows: int) -> int | None:
        """The state of phase `number`, which the message does not name, after one in state `follows`."""
        forecast = self._forecast
        if forecast is not None and number < len(forecast.phases) and forecast.phases[number - 1].state == follows:
            return forecast.phases[number].state
        learnt = self._record.follows(follows)
        return _FOLLOWS.get(follows) if learnt is None else learnt

    def _coming_end(self, number: int, phase: SignalPhase, start_ns: int, written_ns: int) -> int | None:
        """The end of a phase to come that begins at `start_ns`, if one may be told."""
        state, record = phase.state, self._record
        before_ms = (start_ns - written_ns) // NS_PER_MS
        least_ms, most_ms, likely_ms = marks_ms(phase, before_ms, self._min_confidence_pct)
        if likely_ms is not None:
            return max(start_ns, written_ns + likely_ms * NS_PER_MS)
        usual_ns = record.usual_ns(state)
        if usual_ns is not None:
            return start_ns + usual_ns
        mark_ms = bound_ms(state, least_ms, most_ms)
        if mark_ms is not None and self._holds(state, mark_ms == least_ms, before_ms, mark_ms):
            return max(start_ns, written_ns + mark_ms * NS_PER_MS)
        forecast = self._forecast
        if forecast is None or number >= len(forecast.phases) or not record.allowed(state):
            return None
        told, before = forecast.phases[number], forecast.phases[number - 1]
        if told.state != state or told.confidence_pct < self._learnt_pct:
            return None
        return start_ns + record.near_ns(state, told.end_ns - before.end_ns)

    def _holds(self, state: int, least: bool, before_ms: int, mark_ms: int) -> bool:
        """Whether the bound of a phase to come, `mark_ms - before_ms` long, may be told."""
        left_ns = (mark_ms - before_ms) * NS_PER_MS
        return self._trust.trust_pct(MIN if least else MAX, state, left_ns, 100) >= self._enough_pct

    # ------------------------------------------------------------------ state

    def figures(self) -> dict[str, Any] | None:
        """What was learnt, for the status; None where nothing had to be."""
        return None if self._learner is None else self._learner.figures()

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "record": self._record.snapshot(),
            "trust": self._trust.snapshot(),
            "cadence": self._cadence.snapshot(),
            "learner": None if self._learner is None else self._learner.snapshot(),
            "forecast": msgspec.to_builtins(self._forecast),
            "asked_ns": self._asked_ns,
            "heard_ns": self._heard_ns,
            "told_ns": self._told_ns,
            "source": self._source,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._record.restore(state["record"])
        self._trust.restore(state["trust"])
        self._cadence.restore(state["cadence"])
        self._learner = self._forecast = None
        if state["learner"] is not None:
            from controllers.greenwave.learning import Forecast, PhaseLearner

            self._learner = PhaseLearner()
            self._learner.restore(state["learner"])
            self._forecast = msgspec.convert(state["forecast"], Forecast | None)
        self._asked_ns, self._heard_ns = state["asked_ns"], state["heard_ns"]
        self._told_ns, self._source = state["told_ns"], state["source"]
