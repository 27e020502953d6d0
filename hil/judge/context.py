"""What stood around a divergence: the last things on all wires before it and the first after, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import nlargest, nsmallest

from drivers.units import NS_PER_MS
from hil.judge.compare import Divergence
from hil.judge.evidence import Passed
from hil.judge.readable import readable

LINES = 20
_AFTER = 6
_SHOWN_B = 20


def context(
    divergence: Divergence, recent: Iterable[Passed], contents: Mapping[str, str], period_ns: int
) -> tuple[str, ...]:
    """Twenty lines: fourteen things before the place and six from there on.

    Each says time, tick, way and wire, the bytes in hex and what they mean; ``>`` marks what was sent at the place.
    """
    earlier: list[tuple[int, int, Passed]] = []  # idle frames are told late, so by time
    later: list[tuple[int, int, Passed]] = []
    for number, one in enumerate(recent):
        (earlier if one.t_ns < divergence.t_ns else later).append((one.t_ns, number, one))
    before = [_line(one, contents, period_ns, " ") for _, _, one in sorted(nlargest(LINES - _AFTER, earlier))]
    after = []
    for _, _, one in nsmallest(_AFTER, later):
        here = one.outward and one.wire == divergence.wire and one.t_ns == divergence.t_ns
        after.append(_line(one, contents, period_ns, ">" if here else " "))
    if after and not before and divergence.t_ns > 0:
        before.append("  (what stood before is no longer held; run it with --seconds to just behind the place)")
    return (*before, *after)


def _line(one: Passed, contents: Mapping[str, str], period_ns: int, mark: str) -> str:
    tick = -(-one.t_ns // period_ns)
    way = "out" if one.outward else "in "
    data = one.data[:_SHOWN_B].hex(" ") or "no bytes"
    more = f" ... ({one.size_b} bytes)" if one.size_b > _SHOWN_B else ""
    meaning = "" if one.size_b > len(one.data) else readable(one.data, contents.get(one.wire, "bytes"))
    if len(meaning) > 80:
        meaning = f"{meaning[:77]}..."
    times = f" x {one.count}" if one.count > 1 else ""
    said = f"  ({meaning})" if meaning else ""
    when = f"{one.t_ns // NS_PER_MS:>6}.{one.t_ns % NS_PER_MS // 1000:03d} ms"
    return f"{mark} {when} tick {tick:<7} {way} {one.wire}: {data}{more}{times}{said}"
