"""A promise: whatever the line is doing, a gateway that falls silent is known to be lost within ten seconds.

Quiet or busy, in the middle of an exchange, in a frame sent twice, with answers that are due: whenever it happens.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_yard import GATEWAYS, TICK_NS, Yard
from drivers.codecs import dali, luba, sci
from drivers.quantities import DeviceHealth, LampStatus
from drivers.units import NS_PER_MS, NS_PER_S

LAMPS = 3
PROMISED_NS = 10 * NS_PER_S
OFTEN = "check_s = 5\npower_s = 20\n"
"""Checks and readings of energy that come often: so that there is something to be in the middle of."""

FOREIGN = {
    "atxled": b"h0AFE\n",
    "luba": luba.encode_event(luba.Heard(16, b"\x0a\xfe")),
    "sci": sci.encode_heard(0x0AFE, bits=16),
}
"""Somebody else's frame, as each of them tells it."""

LEVELS = st.lists(st.tuples(st.integers(0, 12_000), st.integers(0, LAMPS - 1), st.integers(0, 254)), max_size=8)
"""Levels: ms since the last one, the lamp, what it is told."""


def lost_at_ns(yard: Yard) -> list[int]:
    return [v.t_ns for v in yard.values if isinstance(v, DeviceHealth) and v.source == "dali" and not v.ok]


@given(
    st.sampled_from(sorted(GATEWAYS)),
    st.sampled_from(("", OFTEN)),
    st.integers(0, 21_000_000),
    LEVELS,
    st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_a_gateway_that_falls_silent_at_any_moment_of_anything_is_known_lost_in_ten_seconds_by_every_lamp(
    part: str, more: str, after_us: int, levels: list[tuple[int, int, int]], verifying: bool
) -> None:
    yard = Yard(LAMPS, more, part=part)
    silent_ns = yard.now_ns + after_us * 1_000
    yard.gateway.set_silent(silent_ns, silent_ns + 3_600 * NS_PER_S)
    if verifying:
        yard.lamps[1].verify(silent_ns - 100 * NS_PER_MS, failure_level=254, fade_code=2)
    for ms, lamp, level in levels:
        yard.run((yard.now_ns + ms * NS_PER_MS) / NS_PER_S)
        yard.lamps[lamp].set_level(level, yard.now_ns)
    yard.run(max(yard.now_ns, silent_ns + PROMISED_NS + TICK_NS) / NS_PER_S)
    (lost_ns,) = lost_at_ns(yard)
    assert 0 < lost_ns - silent_ns <= PROMISED_NS
    said = {v.source: v.failure for v in yard.values if isinstance(v, LampStatus) and v.t_ns >= lost_ns}
    assert said == dict.fromkeys((f"lamp-{n}" for n in range(LAMPS)), "gateway lost")


@pytest.mark.parametrize("part", sorted(GATEWAYS))
@pytest.mark.parametrize("keepalive_s", [1, 4, 60])
def test_with_another_time_in_the_board_file_it_is_that_time_and_a_second(part: str, keepalive_s: int) -> None:
    for after_ms in range(0, 1_000 * keepalive_s, 170 * keepalive_s):
        yard = Yard(1, f"check_s = 0\nkeepalive_s = {keepalive_s}\n", part=part)
        silent_ns = yard.now_ns + after_ms * NS_PER_MS
        yard.gateway.set_silent(silent_ns, silent_ns + 3_600 * NS_PER_S)
        yard.run(silent_ns / NS_PER_S + keepalive_s + 1)
        assert len(lost_at_ns(yard)) == 1


@pytest.mark.parametrize("part", sorted(GATEWAYS))
def test_a_line_on_which_answers_come_anyway_is_never_asked(part: str) -> None:
    yard = Yard(LAMPS, part=part)
    asked: list[int] = []

    def heard(code: int, t_ns: int, obey: Any) -> int | None:
        asked.extend([t_ns] * (code == dali.QUERY_CONTROL_GEAR_PRESENT))
        answer: int | None = obey(code, t_ns)
        return answer

    for gear in yard.gateway.gear.values():
        gear.obey = lambda code, t_ns, obey=gear.obey: heard(code, t_ns, obey)  # type: ignore[method-assign,misc]
    for n in range(30):
        yard.lamps[n % LAMPS].set_level(170 + n, yard.now_ns)
        yard.run(yard.now_ns / NS_PER_S + 8.8)
    assert asked == []
    yard.run(yard.now_ns / NS_PER_S + 8.8)
    assert len(asked) == 1, "and a quiet one is"


@pytest.mark.parametrize("part", sorted(GATEWAYS))
def test_words_that_answer_nothing_of_ours_are_no_sign_that_it_takes_commands(part: str) -> None:
    yard = Yard(LAMPS, part=part)
    yard.run(20)
    silent_ns = yard.now_ns
    yard.gateway.set_silent(silent_ns, silent_ns + 3_600 * NS_PER_S)
    for n in range(20):
        yard.bus.on_bytes(FOREIGN[part], yard.now_ns)
        yard.run(20 + (n + 1) / 2)
    assert yard.bus.unexpected_lines == 20
    (lost_ns,) = lost_at_ns(yard)
    assert lost_ns - silent_ns <= PROMISED_NS
