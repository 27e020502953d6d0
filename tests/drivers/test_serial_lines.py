"""Line settings of serial ports: changed, recorded, asked for over RFC 2217; ports that vanish and come back."""

from __future__ import annotations

import os
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.bench.session import Session
from drivers.clock import SystemClock, VirtualClock
from drivers.codecs.kld7_packets import Target, Tracked, encode_event
from drivers.devices.kld7 import Kld7Radar
from drivers.errors import InputError, LinkLost
from drivers.links.memory import memory_pair
from drivers.links.poll import OpensItself, WirePoll
from drivers.links.tap import LineSink, Tap
from drivers.links.uart import BACK_OFF_MIN_NS, UartLink
from drivers.quantities import DeviceHealth, RadarReport
from drivers.recording.events import Line, Wire, WireBytes
from drivers.recording.provenance import Provenance
from drivers.recording.reader import TraceReader
from drivers.recording.writer import TraceWriter
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.benches.pty_wire import PtyWire
from hil.benches.rfc2217_wire import Rfc2217Wire
from hil.peers.kld7 import Kld7Peer, Walk
from hil.peers.rfc2217 import Line as LineAskedFor

PERIOD_NS = 20 * NS_PER_MS
PATIENCE_NS = 20 * NS_PER_S
"""Only a hang can miss it."""


class Kept:
    """A sink that keeps all it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        self.told.append((wire, outward, data, t_ns))

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        self.told.append((wire, frame, first_ns, last_ns, count))

    def line(self, wire: int, baud: int, parity: str, stopbits: float, t_ns: int) -> None:
        self.told.append((wire, baud, parity, stopbits, t_ns))


class Deaf:
    """A sink that knows bytes only."""

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None: ...

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None: ...


class Port:
    """A pseudo-terminal under a name of its own, as udev gives one; unplugged and plugged in, the name stays."""

    def __init__(self, name: Path) -> None:
        self.name = name
        self.plug()

    def plug(self) -> None:
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.name.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        self.name.unlink(missing_ok=True)
        for fd in (self.master, self._slave):
            os.close(fd)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    port = Port(tmp_path / "leeze-radar-1")
    yield port
    port.unplug()


# --- changes of the line are recorded


def test_a_tapped_port_opens_itself_and_its_line_settings_stand_in_the_recording(port: Port, tmp_path: Path) -> None:
    path = tmp_path / "t.mcap"
    link = UartLink("lane-1", str(port.name), 115_200)
    with TraceWriter(path, Provenance()) as writer:
        tap = Tap(link, 1, writer.sink([Wire("lamp", "dali"), Wire("lamp", "lane-1", "kld7")]))
        wires = WirePoll([tap], VirtualClock(), PERIOD_NS)
        assert wires.troubles == {"lane-1": "not opened yet"}
        wires.pump(1)
        assert (wires.troubles, tap.is_open) == ({}, True)
        tap.set_line(460_800, "N", 2)
        tap.set_line(460_800, "N", 3)  # as it is: nothing happens
        tap.write(b"\x55", 4)
        tap.close()
    assert list(TraceReader(path).events()) == [
        Line(1, "lamp", "lane-1", 115_200, "N", 1),
        Line(2, "lamp", "lane-1", 460_800, "N", 1),
        WireBytes(4, "lamp", "lane-1", True, b"\x55"),
    ]


def test_who_listened_to_the_line_before_the_tap_still_hears_of_it() -> None:
    before: list[tuple[int, str, float, int]] = []
    kept = Kept()
    tap = Tap(UartLink("lane-1", "loop://", 9_600, on_line=lambda *line: before.append(line)), 7, kept)
    tap.advance(5)
    tap.set_line(19_200, "E", 6)
    assert (tap.baud, tap.parity) == (19_200, "E")
    assert before == [(9_600, "N", 1, 5), (19_200, "E", 1, 6)]
    assert kept.told == [(7, 9_600, "N", 1, 5), (7, 19_200, "E", 1, 6)]
    tap.close()


def test_a_sink_that_knows_bytes_only_is_not_told_of_lines() -> None:
    deaf = Deaf()
    assert not isinstance(deaf, LineSink)
    tap = Tap(UartLink("lane-1", "loop://", 9_600), 0, deaf)
    tap.advance(0)
    tap.set_line(19_200, "N", 1)
    assert tap.is_open
    tap.close()


def test_a_tap_around_a_link_that_is_always_there_is_open_and_never_due() -> None:
    near, far = memory_pair("lane-1")
    kept = Kept()
    heard: list[tuple[int, str, float, int]] = []
    far.line_receiver = lambda *line: heard.append(line)
    tap = Tap(near, 0, kept)
    assert isinstance(tap, OpensItself)
    assert (tap.is_open, tap.trouble, tap.wake_ns) == (True, "", FOREVER_NS)
    assert (tap.baud, tap.parity) == (0, "")
    tap.advance(1)
    tap.set_line(115_200, "E", 2)
    tap.set_line(115_200, "E", 3)
    assert heard == [(115_200, "E", 1, 2)]
    assert kept.told == [(0, 115_200, "E", 1, 2)]
    near.close()
    tap.set_line(9_600, "N", 4)
    assert len(heard) == 1


def test_a_line_that_the_port_refuses_is_not_recorded_and_the_loss_is_raised(port: Port) -> None:
    class Picky:
        def set_line(self, baud: int, parity: str) -> None:
            raise OSError(22, "Invalid argument")

        def close(self) -> None: ...

    kept = Kept()
    link = UartLink("lane-1", str(port.name), 9_600)
    tap = Tap(link, 0, kept)
    tap.advance(0)
    link._end = Picky()  # type: ignore[assignment]
    with pytest.raises(LinkLost, match=r"lane-1: .*refuses 19200 baud, parity E"):
        tap.set_line(19_200, "E", 1)
    assert kept.told == [(0, 9_600, "N", 1, 0)]
    assert not tap.is_open
    with pytest.raises(InputError, match="lane-1: 0 baud"):
        tap.set_line(0, "N", 2)


# --- ports that vanish


def test_a_port_that_vanishes_and_returns_under_the_same_name_is_used_again(port: Port) -> None:
    heard: list[bytes] = []
    kept = Kept()
    tap = Tap(UartLink("lane-1", str(port.name), 9_600), 0, kept)
    tap.receiver = lambda data, t_ns: heard.append(data)
    wires = WirePoll([tap], SystemClock(), PERIOD_NS)
    wires.pump(0)
    os.write(port.master, b"one")
    wires.wait_until_ns(SystemClock().now_ns() + PATIENCE_NS)
    wires.pump(1)
    port.unplug()
    wires.wait_until_ns(SystemClock().now_ns() + PATIENCE_NS)
    wires.pump(2)
    assert wires.losses == 1
    assert "gone" in wires.troubles["lane-1"]
    with pytest.raises(LinkLost, match="gone"):
        tap.write(b"lost", 3)
    wires.pump(2 + BACK_OFF_MIN_NS)  # nobody there yet
    assert "no such port" in wires.troubles["lane-1"]
    port.plug()
    wires.pump(wires.wake_ns(2 + BACK_OFF_MIN_NS))
    assert wires.troubles == {}
    os.write(port.master, b"two")
    wires.wait_until_ns(SystemClock().now_ns() + PATIENCE_NS)
    wires.pump(NS_PER_S)
    assert heard == [b"one", b"two"]
    lines = [told[1:3] for told in kept.told if told[2:4] == ("N", 1)]
    assert lines == [(9_600, "N"), (9_600, "N")]  # opened twice
    tap.close()


def test_half_a_frame_and_then_a_new_cable_costs_that_frame_only(port: Port) -> None:
    """The far half of a report never comes; after the cable was changed the next report is read."""
    session = Session(SystemClock())
    radar = radar_on(str(port.name), session, parity="N", stale_ns=3600 * NS_PER_S)
    report = encode_event(Tracked(Target(80, -105, 1839, 6165)))

    def until_heard(count: int) -> None:
        session.run(SystemClock().now_ns() + PATIENCE_NS, lambda: session.watch["lane-1"].bytes_in >= count)

    session.run(SystemClock().now_ns())
    os.write(port.master, report[:11])
    until_heard(11)
    port.unplug()
    session.run(SystemClock().now_ns() + PATIENCE_NS, lambda: bool(session.trouble("lane-1")))
    port.plug()
    session.run(SystemClock().now_ns() + PATIENCE_NS, lambda: not session.trouble("lane-1"))
    os.write(port.master, report)
    until_heard(11 + 16)
    assert (radar.frames, radar.counters()["skipped_bytes"]) == (1, 11)
    session.close()


# --- the bit rate


def test_a_program_at_the_wrong_bit_rate_sees_skipped_bytes_and_no_frame() -> None:
    wire = PtyWire("lane-1", 115_200)
    session = Session(SystemClock())
    with wire:
        link = UartLink("lane-1", wire.path, 57_600)
        radar = Kld7Radar("lane-1", session.tapped(link), session.emit, parity="N")  # only listens: not served
        session.run(SystemClock().now_ns() + 200 * NS_PER_MS)
        for n in range(50):
            wire.far.write(encode_event(Tracked(Target(500 + n, -1, 0, 4_000))), 0)
        session.run(SystemClock().now_ns() + PATIENCE_NS, lambda: session.watch["lane-1"].bytes_in > 300)
    session.close()
    assert radar.frames == 0
    assert radar.counters()["skipped_bytes"] + radar.stream.pending_bytes == session.watch["lane-1"].bytes_in


# --- RFC 2217: real parity


def radar_on(port: str, session: Session, parity: str = "E", **more: Any) -> Kld7Radar:
    link = UartLink("lane-1", port, 115_200, parity)
    radar = Kld7Radar("lane-1", session.tapped(link), session.emit, parity=parity, **more)
    session.devices.append(radar)
    return radar


def test_a_kld7_behind_rfc2217_is_asked_for_8e1_and_reports_from_end_to_end() -> None:
    wire = Rfc2217Wire("lane-1", parity="E")
    clock = SystemClock()
    now_ns = clock.now_ns()
    peer = Kld7Peer("lane-1", wire.far, walks=[Walk(now_ns, now_ns + 3600 * NS_PER_S, 3_000, -1)])
    wire.peer = peer
    kept = Kept()
    session = Session(clock, [kept])
    with wire:
        radar = radar_on(wire.url, session, baud=460_800)
        session.run(clock.now_ns() + PATIENCE_NS, lambda: radar.frames >= 5)
        session.close()
    assert radar.frames >= 5
    assert {line.parity for line in wire.asked[-3:]} == {"E"}
    assert wire.asked[-1].baud == 460_800
    assert (wire.refused_bytes, peer.lost_bytes, radar.counters()["skipped_bytes"]) == (0, 0, 0)
    assert peer.heard[:3] == ["INIT 1", "GRPS", "GNFD 8"]  # a part at 115200 baud cannot hear a GBYE at 460800
    report = session.latest["lane-1"]
    assert isinstance(report, RadarReport)
    assert (report.detections[0].distance_mm // 1000, report.detections[0].speed_mm_s) == (29, 3) or (
        report.detections[0].distance_mm == 30_000
    )
    lines = [told[1:3] for told in kept.told if len(told) == 5]
    assert lines == [(115_200, "E"), (460_800, "E"), (115_200, "E"), (460_800, "E")]


def test_under_the_wrong_parity_no_byte_passes_and_nobody_is_heard() -> None:
    wire = Rfc2217Wire("lane-1", parity="E")
    wire.peer = peer = Kld7Peer("lane-1", wire.far)
    session = Session(SystemClock())
    with wire:
        radar = radar_on(wire.url, session, parity="N", stale_ns=NS_PER_S)
        session.run(SystemClock().now_ns() + PATIENCE_NS, lambda: "lane-1" in session.health)
        session.close()
    health = session.health["lane-1"]
    assert isinstance(health, DeviceHealth)
    assert (health.ok, health.reason) == (False, "no frame")
    assert wire.asked[-1].parity == "N"
    assert wire.refused_bytes >= len(b"GBYE....")
    assert (peer.heard, radar.frames, session.watch["lane-1"].bytes_in) == ([], 0, 0)


def test_every_byte_value_passes_both_ways_also_the_one_that_telnet_uses_itself() -> None:
    every_byte = bytes(range(256)) * 2
    wire = Rfc2217Wire("lane-1", parity="O")
    outward: list[bytes] = []
    inward: list[bytes] = []

    def echo(data: bytes, t_ns: int) -> None:
        outward.append(data)
        wire.far.write(data, t_ns)

    wire.far.receiver = echo
    link = UartLink("lane-1", wire.url, 9_600, "O")
    link.receiver = lambda data, t_ns: inward.append(data)
    with wire:
        wires = WirePoll([link], SystemClock(), PERIOD_NS)
        wires.pump(0)
        assert wires.troubles == {}
        link.write(every_byte, 1)
        deadline_ns = SystemClock().now_ns() + PATIENCE_NS
        while len(b"".join(inward)) < len(every_byte) and (now_ns := SystemClock().now_ns()) < deadline_ns:
            wires.wait_until_ns(now_ns + NS_PER_MS)
            wires.pump(now_ns)
        assert wire.asked[-1] == LineAskedFor(9_600, "O", 1)
        link.set_line(19_200, "E", 2)
        assert wire.asked[-1] == LineAskedFor(19_200, "E", 1)
        link.write(b"not for a part with odd parity", 3)
        link.close()
    assert b"".join(outward) == b"".join(inward) == every_byte
    assert wire.refused_bytes == 30


def test_a_far_end_that_accepts_and_says_nothing_is_a_lost_link_with_a_word() -> None:
    with Rfc2217Wire("lane-1", silent=True) as wire:
        link = UartLink("lane-1", wire.url + "?timeout=0.2", 9_600)
        with pytest.raises(LinkLost, match="does not seem to support RFC2217"):
            link.open(0)
        assert link.wake_ns == BACK_OFF_MIN_NS


def test_a_server_that_goes_away_is_a_lost_link() -> None:
    wire = Rfc2217Wire("lane-1")
    link = UartLink("lane-1", wire.url, 9_600)
    with wire:
        link.open(0)
        assert link.fileno() is None

    def listen() -> None:
        for t_ns in range(1_000_000):
            link.pump(t_ns)

    with pytest.raises(LinkLost, match="gone"):
        listen()
    with pytest.raises(LinkLost, match="refused"):
        link.open(2_000_000)
