"""The laws of the I2C bus: ticking and waking come to the same, a snapshot goes on exactly, all work ends."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.buses.i2c import LEVEL, READ
from drivers.transfers import BROKEN, LOST, NACK, OK, STUCK, Request
from drivers.units import FOREVER_NS, NS_PER_MS
from i2c_bus_rig import Bench


class Story:
    """A far end that answers each request after a delay, as the numbers say; a driver of the bus by its wakes."""

    def __init__(self, plan: list[tuple[int, int, int, int]], statuses: list[int]) -> None:
        self.bench = Bench()
        self.plan, self.statuses = plan, statuses
        self.answered = 0
        self.log: list[object] = []

    def run(self, *, resume: bool = False, every_ms: int = 0) -> list[object]:
        bench = self.bench
        due: list[tuple[int, Request]] = []
        seen = 0
        for now_ms in range(80):
            now = now_ms * NS_PER_MS
            for at, owner, kind, value in self.plan:
                if at == now_ms:
                    name = ("write", "read", "patient", "asked")[kind]
                    args = {"write": (0x50 + owner, value), "patient": (0x50 + owner, value % 7)}.get(
                        name, (0x50 + owner,)
                    )
                    bench.submit(
                        name,
                        *args,
                        owner="ab"[owner],
                        now_ns=now,
                        deadline_ns=now + 30 * NS_PER_MS,
                        priority=LEVEL if kind == 0 else READ,
                        slot="s" if kind == 0 else "",
                    )
            while due and due[0][0] <= now_ms:
                request = due.pop(0)[1]
                status = self.statuses[self.answered % len(self.statuses)]
                self.answered += 1
                bench.answer(status, bytes(request.read_count) if status == OK else b"", now, request.address)
            if every_ms or bench.bus.wake_ns <= now:
                bench.bus.advance(now)
            due += [(now_ms + 1 + n % 3, request) for n, request in enumerate(bench.requests[seen:], seen)]
            seen = len(bench.requests)
            if resume and now_ms % 5 == 2:
                state = json.loads(json.dumps(bench.bus.snapshot()))
                fresh = Bench()
                fresh.requests, fresh.done, fresh.heard = bench.requests, bench.done, bench.heard
                fresh.bus.emit = fresh.heard.append
                fresh.bus.restore(state)
                assert json.loads(json.dumps(fresh.bus.snapshot())) == state
                bench = self.bench = fresh
        return [bench.requests, bench.done, bench.heard, bench.bus.counters(), bench.bus.wake_ns]


plans = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 1), st.integers(0, 3), st.integers(0, 255)), min_size=1, max_size=12
)
ends = st.lists(st.sampled_from([OK, OK, OK, NACK, STUCK, LOST, BROKEN]), min_size=1, max_size=8)


@settings(deadline=None)
@given(plans, ends)
def test_ticking_and_waking_come_to_the_same(plan: list[tuple[int, int, int, int]], statuses: list[int]) -> None:
    assert Story(plan, statuses).run() == Story(plan, statuses).run(every_ms=1)


@settings(deadline=None)
@given(plans, ends)
def test_a_bus_restored_from_its_snapshot_goes_on_exactly(
    plan: list[tuple[int, int, int, int]], statuses: list[int]
) -> None:
    assert Story(plan, statuses).run() == Story(plan, statuses).run(resume=True)


@settings(deadline=None)
@given(plans, ends)
def test_every_procedure_ends_and_the_bus_goes_to_rest(
    plan: list[tuple[int, int, int, int]], statuses: list[int]
) -> None:
    story = Story(plan, statuses)
    story.run()
    submitted = len(plan)
    replaced = sum(kind == 0 for _, _, kind, _ in plan)
    assert submitted - replaced <= len(story.bench.done) <= submitted
    assert story.bench.bus.wake_ns == FOREVER_NS


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_any_bytes_from_the_adapter_are_survived(chunks: list[bytes]) -> None:
    bench = Bench()
    bench.submit("read", 0x40)
    bench.bus.advance(0)
    for chunk in chunks:
        bench.far.write(chunk, 0)
    assert len(bench.bus.stream.snapshot()) <= 2 * 258
