"""Votes of eleven experts side by side in one integer, and what becomes of them. Pure, whole numbers only.

An expert's lane has 32 bits: weights go up to 2**16, and no more than 2**14 moments vote.
"""

from __future__ import annotations

EXPERTS = 11
_LANE = (1 << 32) - 1
_ONE = 12
"""Shares are in 1/4096."""
_HALVES = (
    1048576, 1004120, 961548, 920782, 881743, 844360, 808561, 774281,
    741455, 710019, 679917, 651090, 623487, 597053, 571740, 547500,
)  # fmt: skip
"""2 ** (20 - i / 16)."""


def log2_256(n: int) -> int:
    """256 times the binary logarithm of `n` >= 1, rounded down, by whole numbers. Example: 3 -> 405."""
    whole = n.bit_length() - 1
    part, n = 0, n << 62 >> whole
    for _ in range(8):
        n = n * n >> 62
        part = part << 1 | n >> 63
        n >>= n >> 63
    return whole << 8 | part


LOSS = tuple(log2_256(5376) - log2_256(256 + 20 * share) for share in range(257))
"""Loss in 1/256 bit for a share in 1/256, one part in twenty of doubt added: no single surprise ends an expert."""


def weights_of(losses: list[int], shift: int) -> list[int]:
    """Weights that halve with every 256 << `shift` of loss above the least; 2**20 is full weight."""
    least = min(losses)
    weights = []
    for loss in losses:
        worse = (loss - least) >> shift
        weights.append(_HALVES[(worse & 255) >> 4] >> (worse >> 8))
    return weights


def packed(*lanes: int) -> int:
    """One integer of a weight for each lane, the first lowest. Example: (1, 2) -> 0x2_0000_0001."""
    whole = 0
    for lane in reversed(lanes):
        whole = whole << 32 | lane
    return whole


def lanes_of(votes: int) -> list[int]:
    """The votes of each expert."""
    return [votes >> 32 * expert & _LANE for expert in range(EXPERTS)]


def shares_of(votes: dict[int, int]) -> dict[int, list[int]]:
    """The share of each key in the votes of each expert, in 1/4096. An expert without votes says what the others say
    on average; no votes at all, no shares.
    """
    lanes = {key: lanes_of(each) for key, each in votes.items()}
    totals = [0] * EXPERTS
    for row in lanes.values():
        for expert in range(EXPERTS):
            totals[expert] += row[expert]
    voting = EXPERTS - totals.count(0)
    if not voting:
        return {}
    for row in lanes.values():
        together = 0
        for expert, total in enumerate(totals):
            if total:
                row[expert] = (row[expert] << _ONE) // total
                together += row[expert]
        if voting < EXPERTS:
            for expert, total in enumerate(totals):
                if not total:
                    row[expert] = together // voting
    return lanes


def totals_of(ends: dict[tuple[int, int], int]) -> list[int]:
    """All votes of each expert."""
    total = 0
    for votes in ends.values():
        total += votes
    return lanes_of(total)


def likeliest(
    ends: dict[tuple[int, int], int], totals: list[int], weights: list[int]
) -> tuple[int, int, int, int, int]:
    """Of votes for (bit, end): the bit with most, the second that most votes lie within one second of, the ends that
    one in ten votes for that bit lie before and after, and the share in percent of all within that second.
    """
    whole = 0
    for weight, total in zip(weights, totals, strict=True):
        whole += weight << _ONE if total else 0
    by_bit: dict[int, dict[int, int]] = {}
    for (bit, end_s), each in ends.items():
        mixed = 0
        for weight, total, lane in zip(weights, totals, lanes_of(each), strict=True):
            if total:
                mixed += weight * ((lane << _ONE) // total)
        by_bit.setdefault(bit, {})[end_s] = mixed
    bit, chosen, most = 0, {}, -1
    for other, votes in sorted(by_bit.items()):
        mass = 0
        for mixed in votes.values():
            mass += mixed
        if mass > most:
            bit, chosen, most = other, votes, mass
    best_s, best = 0, (-1, -1)
    early_s, late_s, mass = -1, -1, 0
    for end_s in sorted(chosen):
        near = chosen.get(end_s - 1, 0) + chosen[end_s] + chosen.get(end_s + 1, 0)
        if (near, chosen[end_s]) > best:
            best_s, best = end_s, (near, chosen[end_s])
        mass += chosen[end_s]
        if early_s < 0 and 10 * mass > most:
            early_s = end_s
        if late_s < 0 and 10 * mass >= 9 * most:
            late_s = end_s
    return (
        bit,
        best_s,
        early_s if early_s >= 0 else best_s,
        late_s if late_s >= 0 else best_s,
        100 * best[0] // max(whole, 1),
    )
