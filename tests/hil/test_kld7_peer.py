"""The K-LD7's far end: held against the exchange that the data sheet prints."""

from __future__ import annotations

import json

import pytest

from drivers.codecs.kld7 import Kld7Stream
from drivers.codecs.kld7_packets import (
    DDAT,
    DONE,
    PDAT,
    TDAT,
    Detected,
    Done,
    Event,
    Flags,
    ParameterSet,
    Response,
    Target,
    Tracked,
    encode,
    encode_command,
    encode_parameters,
)
from drivers.codecs.kld7_parameters import Parameters
from drivers.links.memory import memory_pair
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.kld7 import Kld7Peer, Walk

# K-LD7 data sheet, revision B, page 19
INIT = bytes.fromhex("494E4954 04000000 00000000")
RESP_OK = bytes.fromhex("52455350 01000000 00")
GNFD_TDAT = bytes.fromhex("474E4644 04000000 08000000")
TDAT_80_CM = bytes.fromhex("54444154 08000000 500097FF2F071518")


class Host:
    """The other end of the wire."""

    def __init__(self, **peer: object) -> None:
        self.near, far = memory_pair("lane-1")
        self.said = b""
        self.near.receiver = self._heard
        self.peer = Kld7Peer("lane-1", far, **peer)  # type: ignore[arg-type]

    def _heard(self, data: bytes, t_ns: int) -> None:
        self.said += data

    def ask(self, data: bytes, t_ns: int) -> bytes:
        """All that comes within a second."""
        self.said = b""
        self.near.write(data, t_ns)
        while self.peer.wake_ns < t_ns + NS_PER_S:
            self.peer.run(self.peer.wake_ns)
        return self.said

    def events(self, data: bytes, t_ns: int) -> list[Event]:
        return Kld7Stream().feed(self.ask(data, t_ns))


def test_the_exchange_of_the_data_sheet_byte_for_byte() -> None:
    host = Host(walks=[Walk(0, 10 * NS_PER_S, 80, -105, 1839, 6165)])
    assert host.ask(INIT, 0) == RESP_OK
    host.peer._walks = (Walk(0, 10 * NS_PER_S, 80, 0, 1839, 6165),)  # stands, so that its distance is the printed one
    said = host.ask(GNFD_TDAT, NS_PER_MS)
    assert said == RESP_OK + TDAT_80_CM.replace(b"\x97\xff", b"\0\0")
    assert host.ask(encode("GBYE"), 2 * NS_PER_S) == RESP_OK


def test_before_init_it_answers_nothing_but_init_and_goodbye() -> None:
    host = Host()
    assert host.ask(GNFD_TDAT + encode("GRPS") + encode_parameters(Parameters(), setting=True), 0) == b""
    assert host.ask(encode("GBYE"), 0) == RESP_OK
    assert host.peer.wake_ns == FOREVER_NS


def test_who_walks_is_where_speed_and_time_put_him() -> None:
    walk = Walk(0, 20 * NS_PER_S, 1_000, -360)
    assert [walk.target(s * NS_PER_S).distance_cm for s in (0, 1, 5, 12)] == [1_000, 900, 500, 0]


def test_all_that_is_asked_for_comes_in_one_frame() -> None:
    host = Host(walks=[Walk(0, 9 * NS_PER_S, 500, 0, 100, 4_000), Walk(0, 9 * NS_PER_S, 700, 0, -100, 3_000)])
    host.ask(INIT, 0)
    near, far = Target(500, 0, 100, 4_000), Target(700, 0, -100, 3_000)
    assert host.events(encode_command("GNFD", PDAT | TDAT | DDAT | DONE), NS_PER_S) == [
        Response(0),
        Detected((near, far)),
        Tracked(near),
        Flags(1, 0, 1, 0, 0, 0),
        Done(1),
    ]
    assert host.events(encode_command("GNFD", DDAT | DONE), 20 * NS_PER_S) == [
        Response(0),
        Flags(0, 0, 0, 0, 0, 0),
        Done(2),
    ]


def test_a_second_request_before_the_frame_is_over_is_refused_as_busy() -> None:
    host = Host()
    host.ask(INIT, 0)
    assert host.events(GNFD_TDAT + GNFD_TDAT, NS_PER_S) == [Response(0), Response(5), Tracked(None)]


def test_parameters_are_set_one_by_one_or_all_and_go_back_to_the_factorys() -> None:
    host = Host()
    host.ask(INIT, 0)
    assert host.events(encode_command("RRAI", 3), 0) == [Response(0)]
    assert host.events(encode("GRPS"), 0) == [Response(0), ParameterSet(Parameters(max_range=3))]
    assert host.events(encode("RRAI", b"\x09\0\0\0"), 0) == [Response(2)]
    assert host.events(encode_parameters(Parameters(hold_s=7), setting=True), 0) == [Response(0)]
    assert host.events(encode("GRPS"), 0)[1] == ParameterSet(Parameters(hold_s=7))
    assert host.events(encode("RFSE"), 0) == [Response(0)]
    assert host.peer.parameters == Parameters()


@pytest.mark.parametrize("value", [5, -1])
def test_a_bit_rate_that_there_is_not_is_refused_and_changes_nothing(value: int) -> None:
    host = Host()
    assert host.events(encode("INIT", (value & 0xFFFF_FFFF).to_bytes(4, "little")), 0) == [Response(2)]
    assert (host.peer.baud, host.peer.connected) == (115_200, False)


def test_it_answers_init_at_the_old_bit_rate_and_hears_only_the_new_one_from_then_on() -> None:
    host = Host()
    host.near.set_line(115_200, "E", 0)
    assert host.ask(encode_command("INIT", 1), 0) == RESP_OK
    assert host.ask(encode("GRPS"), NS_PER_S) == b""  # the host is still at the old one
    host.near.set_line(460_800, "E", 2 * NS_PER_S)
    assert host.ask(encode("GRPS"), 2 * NS_PER_S)[:9] == RESP_OK
    assert host.ask(encode("GBYE"), 3 * NS_PER_S) == RESP_OK
    assert host.peer.baud == 115_200


def test_another_parity_is_not_heard_either_way_and_counted() -> None:
    host = Host()
    host.near.set_line(115_200, "N", 0)
    assert host.ask(INIT, 0) == b""
    assert host.peer.lost_bytes == len(INIT)
    host.near.set_line(115_200, "E", 0)
    host.near.write(INIT, 0)
    host.near.set_line(115_200, "O", 0)
    host.peer.run(NS_PER_S)
    assert (host.said, host.peer.lost_bytes) == (b"", len(INIT) + len(RESP_OK))


def test_a_snapshot_in_the_middle_of_a_frame_goes_on_the_same() -> None:
    one, two = Host(), Host()
    one.ask(INIT, 0)
    one.near.write(GNFD_TDAT, NS_PER_S)
    saved = json.loads(json.dumps(one.peer.snapshot()))
    two.peer.restore(saved)
    assert two.peer.snapshot() == one.peer.snapshot()
    assert two.ask(b"", NS_PER_S) == RESP_OK + encode("TDAT")
