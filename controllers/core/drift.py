"""How fast one clock gains on another: a decayed regression through the least delays of many windows. Pure, integers.

Points are (t_ns, y_ns): arrival on our clock, and arrival less the stamp. Each is the least delayed message of its
window, so it lies on or above the line that is sought, never far below. Two rounds of an outlier gate leave the lower
half of what lies about the line; a window in which every message was held up does not tilt it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

import msgspec

from drivers.units import NS_PER_MS

PRIOR_PPB = 50_000
"""What is believed of a crystal before it was measured: 50 ppm, one standard deviation."""

HALVED_BITS = 38
"""Weight halves every 2^38 ns (275 s)."""

_WEIGHT = 8
_ROUNDS = 2
_SLACK_NS = NS_PER_MS // 20  # points as good as on one line are not parted by the last nanosecond
_LEAST_NOISE_NS = NS_PER_MS // 2  # stamps are whole milliseconds
_PPB = 1000  # ns a millisecond -> ns a second
_UNKNOWN_PPB = 1_000_000_000

Point = tuple[int, int]


class Drift(msgspec.Struct, frozen=True, gc=False):
    """Slope of y, in ns a second (ppb). `rate_ppb` leans on what was believed before where points say little, and is
    `uncertain_ppb` (one standard deviation) off; `bare_ppb` is what the points alone say, `bare_uncertain_ppb` off.

    Example: ``Drift(-50_210, 1_300, -50_211, 1_301)``: the controller's clock gains 50 ppm on ours.
    """

    rate_ppb: int
    uncertain_ppb: int
    bare_ppb: int
    bare_uncertain_ppb: int


def fit(points: Sequence[Point], believed_ppb: int = 0) -> Drift:
    """The slope through `points` (at least one, in the order of time)."""
    newest_ns, level_ns = points[-1]
    # (age weight, ms before the newest, ns above it)
    kept = [
        (_WEIGHT >> ((newest_ns - t_ns) >> HALVED_BITS) or 1, (t_ns - newest_ns) // NS_PER_MS, y_ns - level_ns)
        for t_ns, y_ns in points
    ]
    for _ in range(_ROUNDS):
        if len(kept) < 8:
            break
        slope_ppb, x_mid, y_mid, _ = _line(kept)
        above = [y - y_mid - slope_ppb * (x - x_mid) // _PPB for _, x, y in kept]
        middle = sorted(above)[len(above) // 2]
        kept = [point for point, ns in zip(kept, above, strict=True) if ns <= middle + _SLACK_NS]
    bare_ppb, x_mid, y_mid, sxx = _line(kept)
    weight = squares = 0
    for w, x, y in kept:
        above_ns = y - y_mid - bare_ppb * (x - x_mid) // _PPB
        weight, squares = weight + w, squares + w * above_ns * above_ns
    noise_ns = max(_LEAST_NOISE_NS, 2 * isqrt(squares // weight))  # the gate halved it
    lean = noise_ns * _PPB // PRIOR_PPB
    lean = _WEIGHT * lean * lean
    variance = noise_ns * noise_ns * _WEIGHT * _PPB * _PPB
    return Drift(
        (bare_ppb * sxx + believed_ppb * lean) // (sxx + lean),
        isqrt(variance // (sxx + lean)),
        bare_ppb,
        isqrt(variance // sxx) if sxx else _UNKNOWN_PPB,
    )


def _line(points: Sequence[tuple[int, int, int]]) -> tuple[int, int, int, int]:
    """Weighted least squares: slope in ppb, middle in ms and ns, and the weighted sum of squares about the middle."""
    weight = x_sum = y_sum = 0
    for w, x, y in points:
        weight, x_sum, y_sum = weight + w, x_sum + w * x, y_sum + w * y
    x_mid, y_mid = x_sum // weight, y_sum // weight
    sxx = sxy = 0
    for w, x, y in points:
        x -= x_mid
        sxx, sxy = sxx + w * x * x, sxy + w * x * (y - y_mid)
    return (sxy * _PPB // sxx if sxx else 0), x_mid, y_mid, sxx
