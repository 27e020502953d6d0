"""From the radar's frame to the first byte to the gateway, exactly, in virtual time.

With an idle bus the byte leaves in the tick that consumed the report (the second one of a rider: one alone may be
clutter). While a query runs it leaves the moment the gateway has said what came of that: after 33.1 ms at most, counted
from the query's first byte. A command ahead takes 29.2 ms: 25.0 on the bus, 4.2 for eight bytes at 19,200 baud. All
lamps of a carpet that wait for one level are one command where the gear's groups or the broadcast say so.
"""

from __future__ import annotations

import pytest

from controllers.lighting.section import section
from drivers.buses.dali import DaliBus
from drivers.codecs.dali import QUERY_STATUS
from drivers.links.memory import memory_pair
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.benches.coming_riders import ListedRiders
from hil.benches.lit_path import LitPathBench
from hil.peers.dali_gateway import BYTE_NS, DaliGateway
from hil.peers.dali_line import ANSWERED_NS, FORWARD_NS, UNANSWERED_NS
from hil.traffic.rider import Rider, Segment

NIGHT_UTC_NS = 1_708_297_200 * NS_PER_S
PERIOD_NS = 20 * NS_PER_MS
QUERY_NS = 6 * BYTE_NS + FORWARD_NS + ANSWERED_NS + 4 * BYTE_NS
COMMAND_NS = 6 * BYTE_NS + FORWARD_NS + UNANSWERED_NS + 2 * BYTE_NS
LOOK = f"{QUERY_STATUS:02X}\n".encode()
"""How a question ends that begins a look at a lamp."""


class Heard:
    """A sink: reports of targets, and what went to and came from the gateway."""

    def __init__(self, wires: list[str]) -> None:
        self.wires = wires
        self.reports: list[int] = []
        self.sent: list[tuple[int, bytes]] = []
        self.answered: list[int] = []

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        name = self.wires[wire]
        if name.endswith("/dali"):
            if outward:
                self.sent.append((t_ns, data))
            else:
                self.answered.append(t_ns)
        elif "radar" in name and len(data) > 10:
            self.reports.append(t_ns)

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        pass


def _seen_at(second_report_ns: int) -> Heard:
    """A rider comes down the path to six lamps; the second report of the outward radar is to come then or just after.

    Up to the moment at which the first level for the rider is under way.
    """
    made: list[Heard] = []

    def sinks(wires: list[str], period_ns: int) -> list[Heard]:
        made.append(Heard(wires))
        return made

    # 40 m beyond the last lamp at 160 m; 150 ms later the second report of a grid of 100 ms has come
    enter_ns = second_report_ns - 150 * NS_PER_MS
    start_ns = enter_ns - 10 * NS_PER_S
    rider = Rider(0, (Segment(start_ns, 200_000 + 60_000, -6_000),), start_ns + 60 * NS_PER_S)
    bench = LitPathBench(
        section(6),
        ListedRiders([rider]),
        origin_utc_ns=NIGHT_UTC_NS,
        rules=False,
        sinks=sinks,  # type: ignore[arg-type]
    )
    bench.start()
    bench.run(enter_ns + 400 * NS_PER_MS)
    return made[0]


@pytest.mark.parametrize("off_ms", [0, 7, 20, 33, 50, 61, 80, 99])
def test_with_an_idle_bus_the_first_byte_leaves_in_the_tick_that_consumed_the_second_report(off_ms: int) -> None:
    heard = _seen_at(230 * NS_PER_S + off_ms * NS_PER_MS)
    second_ns = heard.reports[1]
    tick_ns = -(-second_ns // PERIOD_NS) * PERIOD_NS
    assert next(t_ns for t_ns, _ in heard.sent if t_ns > heard.reports[0]) == tick_ns
    assert 0 <= tick_ns - second_ns < PERIOD_NS


def test_while_a_query_runs_the_first_byte_leaves_the_moment_it_is_answered() -> None:
    quiet = _seen_at(500 * NS_PER_S)
    asked_ns = next(t_ns for t_ns, data in quiet.sent if t_ns > 250 * NS_PER_S and data.endswith(LOOK))
    waits = []
    for off_ms in range(0, 100, 10):  # wherever the grid of reports lies, some second report comes into the query
        heard = _seen_at(asked_ns - 40 * NS_PER_MS + off_ms * NS_PER_MS)
        tick_ns = -(-heard.reports[1] // PERIOD_NS) * PERIOD_NS
        if not asked_ns < tick_ns < asked_ns + QUERY_NS:
            continue
        at = next(n for n, (t_ns, data) in enumerate(heard.sent) if t_ns >= tick_ns)
        t_ns, data = heard.sent[at]
        assert t_ns == asked_ns + QUERY_NS
        assert t_ns in heard.answered
        assert data.endswith(b"FE\n"), "the level goes before the next query"
        waits.append(t_ns - tick_ns)
    assert waits
    assert max(waits) < 40 * NS_PER_MS


@pytest.mark.parametrize("query", [False, True])
@pytest.mark.parametrize("ahead", range(6))
def test_each_command_ahead_takes_29_2_ms_and_the_running_query_33_1_ms(ahead: int, query: bool) -> None:
    near, far = memory_pair("dali")
    gateway = DaliGateway("dali", far, range(7), lambda *_: None)
    sent: list[tuple[int, bytes]] = []
    to_gateway = far.receiver

    def listen(data: bytes, t_ns: int) -> None:
        sent.append((t_ns, data))
        to_gateway(data, t_ns)

    far.receiver = listen
    bus = DaliBus("dali", near, emit=lambda value: None)
    for address in range(7):
        bus.add_lamp(address, f"lamp-{address}", lambda done: None)
    tick_ns = NS_PER_S
    if query:
        bus.submit("query_actual_level", (6,), tick_ns, owner="lamp-6", deadline_ns=FOREVER_NS, priority=3)
        bus.advance(tick_ns)
    for address in range(ahead + 1):
        bus.set_level(address, 200 + address, tick_ns)  # no two alike, so that none is another's group
    bus.advance(tick_ns)
    while gateway.wake_ns < 2 * NS_PER_S:
        gateway.run(gateway.wake_ns)
    levels = [t_ns for t_ns, data in sent if not data.endswith(b"A0\n")]
    assert levels[0] == tick_ns + query * QUERY_NS
    assert levels[ahead] == tick_ns + query * QUERY_NS + ahead * COMMAND_NS
    assert abs(COMMAND_NS - 8 * BYTE_NS - 25 * NS_PER_MS) < NS_PER_MS // 1000
    assert QUERY_NS < 40 * NS_PER_MS
