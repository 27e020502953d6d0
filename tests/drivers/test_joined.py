"""Bytes without sense before the first frame are no noise; those after it are. A bench in a time of our own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bench.finding import Finding
from drivers.bench.joined import Joined, Joining
from drivers.bench.probe import Bench
from drivers.bench.watch import WireWatch
from drivers.codecs.mb7389 import Reading, encode_reading
from drivers.devices.ranging import Mb7389
from drivers.links.memory import MemoryLink, memory_pair
from drivers.parts import PARTS
from drivers.parts.part import Options
from drivers.quantities import LampStatus
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.misheard import misheard

FRAME = encode_reading(Reading(1234))
MISHEARD = misheard(FRAME, 9_600, 38_400)
"""As a port hears it at the bit rate that the program before has left."""


class Passing:
    """A clock on which 30 ms pass at every look, so that nothing ever waits; `peer` sends when its time has come."""

    def __init__(self, far: MemoryLink, said: list[bytes], period_ns: int) -> None:
        self._far, self._said, self._period_ns, self._now_ns = far, iter(said), period_ns, 0
        self._next_ns = NS_PER_S

    def now_ns(self) -> int:
        self._now_ns += 30 * NS_PER_MS
        while self._next_ns <= self._now_ns:
            self._far.write(next(self._said, FRAME), self._next_ns)
            self._next_ns += self._period_ns
        return self._now_ns

    def sleep_until_ns(self, deadline_ns: int) -> None:
        self._now_ns = max(self._now_ns, deadline_ns)


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[MemoryLink, MemoryLink]]:
    near, far = memory_pair("bay")
    monkeypatch.setattr("drivers.bench.probe.open_wire", lambda *words: near)
    yield near, far
    near.close()


def found(far: MemoryLink, said: list[bytes], period_ms: int = 150, seconds: float | None = None) -> Finding:
    clock = Passing(far, said, period_ms * NS_PER_MS)
    bench = Bench(PARTS["mb7389"], "loop://", clock, Options(None, {}))
    return bench.try_it(seconds, lambda text: None)


@pytest.mark.parametrize("rubbish", [MISHEARD, b"\xff" * 3, bytes(range(128, 228)) * 3, b"HRXL-MaxSonar-WR\r"])
def test_what_came_before_the_first_frame_is_no_noise(ends: tuple[MemoryLink, MemoryLink], rubbish: bytes) -> None:
    one = found(ends[1], [rubbish])
    assert (one.verdict, one.joined_bytes) == ("good", len(rubbish))
    assert one.counters == {"frames": one.counters["frames"]}


def test_what_comes_after_it_is(ends: tuple[MemoryLink, MemoryLink]) -> None:
    one = found(ends[1], [MISHEARD, FRAME, FRAME, b"\xfe\xfe\xfe"])
    assert (one.verdict, one.joined_bytes, one.counters["skipped_bytes"]) == ("noisy", len(MISHEARD), 3)
    frames, sense = one.counters["frames"], len(FRAME) * one.counters["frames"]
    assert one.text.startswith(f"{frames} frames in")
    assert one.text.endswith(f", 3 of {sense + 3} bytes make no sense")


def test_a_frame_by_chance_among_rubbish_is_none(ends: tuple[MemoryLink, MemoryLink]) -> None:
    one = found(ends[1], [MISHEARD, FRAME, *[MISHEARD] * 40])
    assert (one.verdict, one.joined_bytes) == ("wrong-baud", 0)
    assert one.counters["skipped_bytes"] >= 6 * len(MISHEARD)


def test_a_frame_by_chance_at_the_end_is_none(ends: tuple[MemoryLink, MemoryLink]) -> None:
    one = found(ends[1], [MISHEARD, FRAME], period_ms=2_000, seconds=3.5)
    assert one.verdict == "wrong-baud"
    assert f"{len(MISHEARD + FRAME)} bytes in" in one.text
    assert "hardly a frame of it (1)" in one.text


def test_one_line_joined_in_its_middle_and_a_whole_one_is_a_slow_talker(ends: tuple[MemoryLink, MemoryLink]) -> None:
    assert found(ends[1], [FRAME[2:], FRAME], period_ms=2_000, seconds=3.5).verdict == "good"


@given(before=st.binary(max_size=40), after=st.integers(1, 9), noise=st.binary(max_size=3))
def test_only_what_is_skipped_after_the_first_frame_counts(before: bytes, after: int, noise: bytes) -> None:
    """Whatever came first, the share of noise is that of the rest."""
    device = Mb7389("bay", memory_pair("bay")[0], lambda quantity: None)
    watch, joining = WireWatch("bay"), Joining()
    for n, data in enumerate([before, b"\xff" + FRAME, *[FRAME] * after, noise]):
        device.on_bytes(data, n)
        watch.passed(False, data, n)
        joining.look(device, watch, None, 0)
    joined = joining["bay"]
    assert joined.skipped_bytes + len(FRAME) <= joined.bytes_in <= len(before) + 1 + len(FRAME)
    assert device.counters()["skipped_bytes"] - joined.skipped_bytes <= len(noise)


def test_a_lamp_that_does_not_know_its_level_has_not_made_sense() -> None:
    device = Mb7389("bay", memory_pair("bay")[0], lambda quantity: None)
    watch, joining = WireWatch("bay"), Joining()
    assert not joining.look(device, watch, None, 0)
    assert not joining.look(device, watch, LampStatus(0, "bay", None), 1)
    assert joining["bay"] == Joined(0, 0)
    watch.passed(False, MISHEARD, 0)
    assert joining.look(device, watch, LampStatus(0, "bay", 7), 2)
    assert joining["bay"] == Joined(len(MISHEARD), 0)
