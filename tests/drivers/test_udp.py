"""Datagrams as a wire: real sockets on the loopback; nobody waits for time, only for bytes that are on their way."""

from __future__ import annotations

import select
import socket

import pytest

from drivers.bench.watch import Watch
from drivers.devices.signal_feed import SignalFeed
from drivers.errors import InputError, LinkLost
from drivers.links.tap import Tap
from drivers.links.udp import BACK_OFF_MIN_NS, MOST_AT_ONCE, UdpLink, wrong_address, wrong_group
from drivers.units import FOREVER_NS


class Far:
    """A link and somebody who sends to it."""

    def __init__(self, host="127.0.0.1", **more):
        self.link = UdpLink("feed", host, 0, **more)
        self.heard = []
        self.link.receiver = lambda data, t_ns: self.heard.append((data, t_ns))
        self.link.advance(0)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.end = socket.socket(family, socket.SOCK_DGRAM)
        self.to = (host, self.link.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end.close()
        self.link.close()

    def send(self, *datagrams):
        for data in datagrams:
            self.end.sendto(data, self.to)

    def pump(self, t_ns):
        assert select.select([self.link.fileno()], [], [], 10)[0], "nothing came"
        self.link.pump(t_ns)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_datagram_is_a_chunk(host):
    try:
        far = Far(host)
    except OSError:
        pytest.skip("no IPv6 here")
    with far:
        if not far.link.is_open:
            pytest.skip(far.link.trouble)
        far.send(b"one", b"two")
        far.pump(7)
        while len(far.heard) < 2:
            far.pump(8)
        assert [data for data, _ in far.heard] == [b"one", b"two"]
        assert far.link.counters()["datagrams"] == 2


def test_longer_ones_empty_ones_and_those_of_strangers_are_counted_and_dropped():
    with Far(max_datagram_b=4) as far:
        far.send(b"12345", b"", b"1234")
        while not far.heard:
            far.pump(1)
        counted = far.link.counters()
        assert [data for data, _ in far.heard] == [b"1234"]
        assert (counted["oversize"], counted["empty"], counted["datagrams"]) == (1, 1, 1)
    with Far(sender="127.0.0.2") as far:
        far.send(b"x")
        far.pump(1)
        assert (far.heard, far.link.counters()["strangers"]) == ([], 1)


def test_what_the_wire_refuses_stands_in_the_feeds_counters():
    with Far(max_datagram_b=4) as far:
        feed = SignalFeed("feed", Tap(far.link, 0, Watch()), print, message_format="spat-uper")
        far.send(b"12345", b"")
        while "wire_empty" not in feed.counters():
            far.pump(1)
        assert {n: c for n, c in feed.counters().items() if n.startswith("wire_")} == {
            "wire_oversize": 1,
            "wire_empty": 1,
        }


def test_a_flood_is_taken_in_pieces_so_that_the_loop_goes_on():
    with Far() as far:
        far.send(*[b"%d" % n for n in range(MOST_AT_ONCE + 6)])
        far.pump(1)
        assert 0 < len(far.heard) <= MOST_AT_ONCE
        while len(far.heard) < MOST_AT_ONCE + 6:
            far.pump(2)
        assert [data for data, _ in far.heard] == [b"%d" % n for n in range(MOST_AT_ONCE + 6)]


def test_what_the_kernel_had_no_room_for_is_counted():
    with Far(max_datagram_b=65_507) as far:
        for _ in range(40):
            far.send(bytes(60_000))
        for _ in range(10):  # with the first datagram behind the gap the kernel says how many
            far.link.pump(1)
            far.send(b"after")
            far.pump(2)
        assert far.link.counters()["dropped_inward"] >= 1


def test_a_port_that_is_taken_is_tried_again_and_says_who_to_ask():
    with Far() as far:
        second = UdpLink("second", "127.0.0.1", far.link.port)
        second.advance(0)
        assert not second.is_open
        assert "taken by another program; see which: sudo ss -ulpn" in second.trouble
        assert (second.wake_ns, second.fileno()) == (BACK_OFF_MIN_NS, None)
        with pytest.raises(LinkLost):
            second.open(1)
        assert second.wake_ns == 1 + 2 * BACK_OFF_MIN_NS
        second.pump(2)
        far.link.close()
        second.advance(second.wake_ns)
        assert (second.is_open, second.trouble, second.wake_ns) == (True, "", FOREVER_NS)
        second.open(3)
        second.close()
        second.close()
        second.advance(FOREVER_NS)
        assert (second.is_open, second.trouble) == (False, "closed")


@pytest.mark.parametrize(
    ("host", "more", "words"),
    [
        ("192.0.2.1", {}, "no address of this computer; ip -brief address"),
        ("0.0.0.0", {"group": "239.1.2.3", "interface": "192.0.2.1"}, "no network leads to group 239.1.2.3"),
    ],
)
def test_an_address_that_is_not_ours_is_told_with_what_to_do(host, more, words):
    link = UdpLink("feed", host, 0, **more)
    link.advance(0)
    assert words in link.trouble


def test_a_multicast_group_is_heard():
    with Far("0.0.0.0", group="239.86.86.1", interface="127.0.0.1") as far:
        if not far.link.is_open:
            pytest.skip(far.link.trouble)
        far.end.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        far.to = ("239.86.86.1", far.link.port)
        far.send(b"to all")
        far.pump(1)
        assert far.heard == [(b"to all", 1)]


def test_it_only_hears():
    with Far() as far, pytest.raises(LinkLost, match="only hears"):
        far.link.write(b"x", 0)


def test_a_socket_that_fails_is_lost_once_and_comes_back():
    with Far() as far:

        class Failing:
            def recvmsg(self, *_):
                raise OSError(100, "Network is down")

            def close(self):
                pass

        far.link._end.close()
        far.link._end = Failing()
        with pytest.raises(LinkLost, match="Network is down"):
            far.link.pump(5)
        assert far.link.counters()["link_losses"] == 1
        far.link.advance(far.link.wake_ns)
        assert far.link.is_open


@pytest.mark.parametrize(
    "said",
    [
        {"host": "localhost"},
        {"host": "0.0.0.0", "group": "10.0.0.1"},
        {"host": "::", "group": "239.1.2.3"},
        {"host": "0.0.0.0", "group": "ff02::1"},
        {"host": "0.0.0.0", "interface": "eth0"},
        {"host": "0.0.0.0", "sender": "cabinet"},
        {"host": "0.0.0.0", "port": 65_536},
        {"host": "0.0.0.0", "max_datagram_b": 0},
    ],
)
def test_what_is_no_address_is_refused(said):
    with pytest.raises(InputError):
        UdpLink("feed", **({"port": 1516} | said))
    assert wrong_address("::1") == wrong_group("224.0.0.251", "0.0.0.0") == ""
