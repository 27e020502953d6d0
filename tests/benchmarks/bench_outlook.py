"""What a message costs a display: with likely times, with bounds, and with states alone when an hour has been learnt.

Ten messages a second of a cycle of 47 s with greens of 12 to 20 s, straight into the policy. Microseconds a message in
one run, of the quickest quarter of its seconds, so their ratios hold on a busy machine; a decision is due every
100,000. ``python -m tests.benchmarks outlook``
"""

from __future__ import annotations

from controllers.greenwave.policy import GreenwavePolicy
from drivers.clock import SystemClock
from drivers.quantities import SignalPhase, SignalState
from drivers.units import NS_PER_MS
from hil.score import stop_line
from hil.traffic.chance import between, draw

LEARNT_S, TIMED_S = 3600, 300
BLOCK = 10
"""Messages timed together: a second, so with one look at what was learnt."""
YEAR_MS = 200 * 86_400_000
CYCLE = ((3, 28_000), (4, 1_000), (6, 12_000), (8, 3_000))


def phases_at(says: str, state: int, left_ms: int) -> tuple[SignalPhase, ...]:
    """What the feed says."""
    if says == "likely":
        return (SignalPhase(state, likely_ms=left_ms), SignalPhase(6 if state == 4 else 3, likely_ms=left_ms + 20_000))
    if says == "bounds":
        return (SignalPhase(state, max(0, left_ms - 4_000), left_ms + 9_000),)
    return (SignalPhase(state),)


def messages(says: str, until_s: int, every_ms: int, from_s: int = 0) -> list[SignalState]:
    """All of a stretch of time."""
    found: list[SignalState] = []
    t_ms, number = from_s * 1000, 0
    while t_ms < until_s * 1000:
        for state, length_ms in CYCLE:
            long_ms = length_ms + (between(draw(1, number), 0, 80) * 100 if state == 6 else 0)
            for left_ms in range(long_ms, 0, -every_ms):
                phases = phases_at(says, state, left_ms)
                found.append(SignalState(t_ms * NS_PER_MS, "feed", 1, 7, 0, YEAR_MS + t_ms, phases))
                t_ms += every_ms
        number += 1
    return found


def timed_us(says: str) -> float:
    """Microseconds a message after an hour, of which one message a second was heard."""
    policy, clock = GreenwavePolicy(stop_line("bench", 1, 7)), SystemClock()
    for value in messages(says, LEARNT_S, 1000):
        policy.step((value,), value.t_ns)
    timed = messages(says, LEARNT_S + 60 + TIMED_S, 100, LEARNT_S + 60)
    costs_ns = []
    for at in range(0, len(timed), BLOCK):
        begun_ns = clock.now_ns()
        for value in timed[at : at + BLOCK]:
            policy.step((value,), value.t_ns)
        costs_ns.append(clock.now_ns() - begun_ns)
    return sorted(costs_ns)[len(costs_ns) // 4] / 1000 / BLOCK


def run() -> dict[str, str]:
    """The three, and how many times the first."""
    likely_us = timed_us("likely")
    found = {"likely times": f"{likely_us:.0f} us a message"}
    for says in ("bounds", "states"):
        us = timed_us(says)
        found[f"{says} alone"] = f"{us:.0f} us a message, {us / likely_us:.1f} times as much"
    return found


if __name__ == "__main__":
    for key, value in run().items():
        print(f"{key:14} {value}")
