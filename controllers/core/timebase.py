"""Another controller's clock on ours, from the stamps of its messages and the times they arrived. Pure, integers.

A message stamped s that arrives at t shows y = t - s: the offset of the two clocks and the time it was under way.
Stamps one way cannot tell these apart; the least delay belongs to the site file (`transport_delay_ms`). What is
estimated is the line below all y, offset plus least delay, and its slope, the drift: see least_delay and drift.
Wall time never enters.

A message that is not used is counted by reason:

=================  ==============================================================================================
no time            it had no valid time. Trust ends until two messages agree again
duplicate          the newest stamp once more
reordered          older than the newest, as a message that was overtaken is
stands still       the newest stamp, longer than `stall_ns`: the clock is lost
from the future    more than a second before any message can be here
outlier            more than a second late; or early by more than the error bound and the first to be so
jumped             agrees with the one astray before it; or late by more than any network holds a message up
wrong rate         with it the clock gains or loses more than a thousandth: the clock is lost
=================  ==============================================================================================

A clock that was set is taken over: forwards by the third message in a row that agrees; backwards, which may as well be
messages held up, after `stall_ns` of them; by less than a second forwards at the second message within ten seconds,
backwards after 30 s (up to 48 s with long windows) in which all came late. A clock that was found to run at a wrong
rate, or that never agreed until it was lost, has to agree for ten seconds.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from controllers.core.least_delay import LeastDelayLine
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

State = Literal["locked", "holdover", "lost"]

HOLDOVER_NS = 600 * NS_PER_S
"""Without a message for so long the clock is lost."""

TENTH_NS = 100 * NS_PER_MS
"""Signal controllers work, and state times, in tenths of a second."""

_STEP_NS = NS_PER_S
_AGREE_NS = NS_PER_S // 2
_PROOF_NS = 10 * NS_PER_S
_HELD_UP_NS = 10 * NS_PER_S
_EARLY_GATE_NS = 20 * NS_PER_MS
_EARLY_AGAIN_NS = 10 * NS_PER_S
_DAY_NS = 86_400 * NS_PER_S
_OTHER_YEAR_NS = 300 * _DAY_NS
_PHASE_ERROR_NS = 25 * NS_PER_MS
_PHASE_STEP_NS = 2 * NS_PER_MS


class Astray(msgspec.Struct, gc=False):
    """Messages in a row that agree with each other: since `first_ns` y went from `low_ns` to `high_ns`; `count` of
    them, the newest stamped `stamp_ns` and arrived at `newest_ns`.
    """

    first_ns: int
    newest_ns: int
    stamp_ns: int
    low_ns: int
    high_ns: int
    count: int = 1

    def take(self, t_ns: int, stamp_ns: int, within_ns: int) -> bool:
        """Take in a message if it goes on from these and y stays within `within_ns`."""
        y_ns = t_ns - stamp_ns
        low_ns, high_ns = min(self.low_ns, y_ns), max(self.high_ns, y_ns)
        if stamp_ns <= self.stamp_ns or high_ns - low_ns > within_ns:
            return False
        self.low_ns, self.high_ns = low_ns, high_ns
        self.newest_ns, self.stamp_ns, self.count = t_ns, stamp_ns, self.count + 1
        return True


def _astray(t_ns: int, stamp_ns: int) -> Astray:
    return Astray(t_ns, t_ns, stamp_ns, t_ns - stamp_ns, t_ns - stamp_ns)


class TimeBase:
    """The clock of one controller.

    Args:
        stall_ns: a stamp that stands for longer is no clock; without a message of use for longer it is holdover.
        transport_delay_ns: from the stamp to the arrival of a message that nothing held up.

    Example, a controller whose year began with our clock, its messages 40 ms under way::

        base = TimeBase(2 * NS_PER_S, 40 * NS_PER_MS)
        base.written_ns(1_040_000_000, 1_000)   # None: one message is no clock
        base.written_ns(1_140_000_000, 1_100)   # 1_100_000_000
    """

    def __init__(self, stall_ns: int, transport_delay_ns: int) -> None:
        self._stall_ns, self._transport_delay_ns = stall_ns, transport_delay_ns
        self.phase_ns = 0
        """Where within a tenth of a second of ours a tick stands just behind the controller's tenth: 0 to 99,999,999,
        by up to 4 ms (more while the error is in doubt by more). 0 while lost.
        """
        self.messages = 0
        """Messages used."""
        self.steps = 0
        """How often the clock was taken over after it had been set."""
        self.rejected: dict[str, int] = {}
        """Messages not used, by reason."""
        self._line: LeastDelayLine | None = None
        self._owed = 0  # messages that have to agree before trust is given again
        self._year_ns = 0  # of the years that ended since the first message
        self._stamp_ns = self._advanced_ns = 0  # the newest message used
        self._astray: Astray | None = None
        self._early: tuple[int, int] | None = None
        self._strict = False

    @property
    def trusted(self) -> bool:
        """Two messages agreed and nothing has come since that makes it doubtful. Silence is no doubt."""
        return self._line is not None and not self._owed

    @property
    def lost_at_ns(self) -> int:
        """When, without another message, the clock is lost. FOREVER_NS while it is."""
        return FOREVER_NS if self._line is None else self._advanced_ns + HOLDOVER_NS

    @property
    def drift_ppb(self) -> int:
        """What the controller's clock gains on ours, ns a second: 50_000 is 50 ppm. 0 while lost."""
        return 0 if self._line is None else -self._line.rate_ppb

    def state(self, now_ns: int) -> State:
        """locked: messages come and agree. holdover: none of use comes, the line runs on. lost: nothing is known."""
        if self._line is None or now_ns >= self.lost_at_ns:
            return "lost"
        return "holdover" if self._owed or now_ns - self._advanced_ns > self._stall_ns else "locked"

    def offset_ns(self, now_ns: int) -> int | None:
        """Our clock less the controller's (as its stamps count, from the year's beginning) at `now_ns`. None: lost."""
        return None if self._line is None else self._line.at(now_ns) + self._year_ns - self._transport_delay_ns

    def error_ns(self, now_ns: int) -> int | None:
        """Bound of the error of offset plus least delay at `now_ns`. None: lost."""
        return None if self._line is None else self._line.error_ns(max(0, now_ns - self._advanced_ns))

    def exceeds_at_ns(self, limit_ns: int) -> int:
        """The first moment at which, without another message, the bound is above `limit_ns`; 0 while lost."""
        return 0 if self._line is None else self._advanced_ns + self._line.silence_until_ns(limit_ns)

    def forget_if_lost(self, now_ns: int) -> None:
        """Let go of what holdover has outlived. To be called at `lost_at_ns`; a message does it, too."""
        if now_ns >= self.lost_at_ns:
            self._strict = self._astray is not None  # it never fell silent: it is a clock to be wary of
            self._forget()

    def _forget(self) -> None:
        self._line, self._owed, self.phase_ns, self._early = None, 0, 0, None
        self._astray = None

    def doubt(self) -> None:
        """The feed is in doubt: what is known of its clock is kept; two messages have to agree before it is used."""
        self._astray = self._early = None
        if self._line is not None:
            self._owed = 2

    def written_ns(self, t_ns: int, message_ms: int | None) -> int | None:
        """When, on our clock, the message was written that arrived at `t_ns`; None if it is of no use or the clock not
        (yet) trusted. `message_ms`: milliseconds since the UTC year began, None for no valid time.
        """
        self.forget_if_lost(t_ns)
        if message_ms is None:
            self.doubt()
            self._count("no time")
            return None
        stamp_ns = message_ms * NS_PER_MS + self._year_ns
        line = self._line
        if line is not None:
            expected_ns = line.at(t_ns)
        else:
            expected_ns = t_ns - stamp_ns if self._astray is None else self._astray.low_ns
        late_ns = t_ns - stamp_ns - expected_ns
        if not -_OTHER_YEAR_NS <= late_ns <= _OTHER_YEAR_NS:
            stamp_ns += _years_ns(late_ns)
            late_ns = t_ns - stamp_ns - expected_ns
        reason = self._first(t_ns, stamp_ns, late_ns) if line is None else self._judge(t_ns, stamp_ns, late_ns)
        if reason:
            self._count(reason)
            return None
        line = self._line
        if line is None:
            return None
        self._year_ns = stamp_ns - message_ms * NS_PER_MS
        self.messages += 1
        if self._owed:
            self._owed -= 1
        return None if self._owed else stamp_ns + line.at(t_ns) - self._transport_delay_ns

    def _count(self, reason: str) -> None:
        self.rejected[reason] = self.rejected.get(reason, 0) + 1

    def _first(self, t_ns: int, stamp_ns: int, late_ns: int) -> str:
        """A message while the clock is lost. "" also where it is the first, or not yet enough."""
        before = self._astray
        if before is None:
            self._astray = _astray(t_ns, stamp_ns)
            return ""
        if stamp_ns <= before.stamp_ns and late_ns <= _STEP_NS + self._stall_ns:
            stands = t_ns - before.newest_ns > self._stall_ns
            if stands:  # when it goes on, it goes on from here
                self._astray = _astray(t_ns, stamp_ns)
            same = stamp_ns == before.stamp_ns
            return ("stands still" if stands else "duplicate") if same else "reordered"
        if not before.take(t_ns, stamp_ns, _AGREE_NS if self._strict else _STEP_NS):
            self._astray = _astray(t_ns, stamp_ns)
            return "jumped"
        if not self._strict or t_ns - before.first_ns >= _PROOF_NS:
            self._start(t_ns, stamp_ns, before.low_ns)
        return ""

    def _start(self, t_ns: int, stamp_ns: int, y_ns: int) -> None:
        """The clock is (again) known, by messages of which the least delayed showed `y_ns`."""
        self._strict, self._astray, self._early = False, None, None
        self._line = LeastDelayLine(t_ns, y_ns)
        self._stamp_ns, self._advanced_ns = stamp_ns, t_ns

    def _judge(self, t_ns: int, stamp_ns: int, late_ns: int) -> str:
        """A message while the clock is known."""
        if stamp_ns == self._stamp_ns:
            return self._same_again(t_ns, stamp_ns, self._advanced_ns)
        if not -_STEP_NS <= late_ns <= _STEP_NS:
            return self._gone_astray(t_ns, stamp_ns, late_ns)
        if stamp_ns < self._stamp_ns:
            return "reordered"
        self._astray = None
        line = self._line
        assert line is not None
        if late_ns < -_EARLY_GATE_NS and -late_ns > line.error_ns(t_ns - self._advanced_ns):
            return self._too_early(t_ns, stamp_ns)
        self._stamp_ns, self._advanced_ns = stamp_ns, t_ns
        verdict = line.add(t_ns, t_ns - stamp_ns)
        if verdict == "wrong rate":
            self._forget()
            self._strict = True
            return verdict
        if verdict == "set back":
            self.steps += 1
        self._turn_phase(t_ns, line)
        return ""

    def _same_again(self, t_ns: int, stamp_ns: int, since_ns: int) -> str:
        if t_ns - since_ns <= self._stall_ns:
            return "duplicate"
        self._forget()
        self._astray = _astray(t_ns, stamp_ns)
        return "stands still"

    def _too_early(self, t_ns: int, stamp_ns: int) -> str:
        """Earlier than the bound allows, by less than a second: one may be anything, a second one proves a step."""
        y_ns, before = t_ns - stamp_ns, self._early
        self._early = (t_ns, y_ns)
        if before is None or t_ns - before[0] > _EARLY_AGAIN_NS:
            return "outlier"
        self.steps += 1
        self._start(t_ns, stamp_ns, max(y_ns, before[1]))
        return ""

    def _gone_astray(self, t_ns: int, stamp_ns: int, late_ns: int) -> str:
        """More than a second off: held up, that message's own fault, or the clock was set."""
        before = self._astray
        if before is not None and stamp_ns == before.stamp_ns:
            return self._same_again(t_ns, stamp_ns, before.newest_ns)  # it was set, and perhaps stands
        if before is None or not before.take(t_ns, stamp_ns, _AGREE_NS):
            self._astray = _astray(t_ns, stamp_ns)
            if late_ns < 0:
                return "from the future"
            return "outlier" if late_ns <= _HELD_UP_NS else "jumped"
        if before.count < 3 or (late_ns > 0 and t_ns - before.first_ns < self._stall_ns):
            return "jumped"
        self.steps += 1
        self._start(t_ns, stamp_ns, before.low_ns)
        return ""

    def _turn_phase(self, t_ns: int, line: LeastDelayLine) -> None:
        """Follow the controller's tenths, seldom, and never ahead of them: a tick before the tenth would show what
        changes with it a whole tick late. So the aim is 2 ms behind (or half of what is in doubt), and as much either
        way is left alone.
        """
        error_ns = line.error_ns(0)
        if error_ns <= _PHASE_ERROR_NS:
            behind_ns = max(error_ns // 2, _PHASE_STEP_NS)
            tenth_ns = line.at(t_ns) - self._transport_delay_ns
            if (self.phase_ns - tenth_ns) % TENTH_NS > 2 * behind_ns:
                self.phase_ns = (tenth_ns + behind_ns) % TENTH_NS

    def figures(self, now_ns: int | None = None) -> dict[str, Any]:
        """What the status shows, JSON-able; without `now_ns` as of the newest message used. `offset_ms` and `error_ms`
        are None while lost, `error_ms` is rounded up, `drift_ppm` positive where the controller's clock gains on ours.
        """
        now_ns = self._advanced_ns if now_ns is None else now_ns
        offset_ns, error_ns = self.offset_ns(now_ns), self.error_ns(now_ns)
        state = self.state(now_ns)
        if state == "lost":
            offset_ns = error_ns = None
        return {
            "state": state,
            "offset_ms": None if offset_ns is None else offset_ns // NS_PER_MS,
            "error_ms": None if error_ns is None else -(-error_ns // NS_PER_MS),
            "drift_ppm": self.drift_ppb / 1000,
            "age_ms": (now_ns - self._advanced_ns) // NS_PER_MS if self.messages else None,
            "phase_ms": self.phase_ns / NS_PER_MS,
            "messages": self.messages,
            "steps": self.steps,
            "rejected": dict(self.rejected),
        }

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "phase_ns": self.phase_ns,
            "counts": [self.messages, self.steps],
            "rejected": dict(self.rejected),
            "line": None if self._line is None else self._line.snapshot(),
            "owed": self._owed,
            "year_ns": self._year_ns,
            "newest": [self._stamp_ns, self._advanced_ns],
            "astray": msgspec.to_builtins(self._astray),
            "early": None if self._early is None else list(self._early),
            "strict": self._strict,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.phase_ns = state["phase_ns"]
        self.messages, self.steps = state["counts"]
        self.rejected = dict(state["rejected"])
        self._line = None
        if state["line"] is not None:
            self._line = LeastDelayLine(0, 0)
            self._line.restore(state["line"])
        self._owed, self._year_ns, self._strict = state["owed"], state["year_ns"], state["strict"]
        self._stamp_ns, self._advanced_ns = state["newest"]
        self._astray = msgspec.convert(state["astray"], Astray | None)
        self._early = None if state["early"] is None else tuple(state["early"])


def _years_ns(late_ns: int) -> int:
    """The year, of 365 or 366 days, to add to (or take from) a stamp that seems so late."""
    sign = 1 if late_ns > 0 else -1
    by_365, by_366 = (sign * days * _DAY_NS for days in (365, 366))
    return by_365 if abs(late_ns - by_365) <= abs(late_ns - by_366) else by_366
