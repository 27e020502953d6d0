"""The MQTT link against brokers that do what a good one never does; settings; words."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.clock import SystemClock
from drivers.errors import InputError, LinkLost
from drivers.links.mqtt import ANSWER_NS, BACK_OFF_MAX_NS, BACK_OFF_MIN_NS, STEADY_NS, MqttLink, MqttSettings, Will
from drivers.links.mqtt_words import failure, refusal
from drivers.units import FOREVER_NS, NS_PER_S

DEADLINE_NS = 20 * NS_PER_S
CONNACK = bytes.fromhex("20 03 00 00 00")  # MQTT 5, 3.2: success, no properties
CONNACK_TWO = bytes.fromhex("20 06 00 00 03 21 0002")  # receive maximum 2
CONNACK_311 = bytes.fromhex("20 02 00 00")


class Wicked:
    """A broker that answers what it is told to; the test plays it."""

    def __init__(self) -> None:
        self.ear = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.ear.getsockname()[1])
        self.ends: list[socket.socket] = []
        self._clock = SystemClock()

    def accept(self) -> socket.socket:
        assert select.select([self.ear], [], [], DEADLINE_NS / NS_PER_S)[0], "nobody comes"
        end = self.ear.accept()[0]
        end.settimeout(DEADLINE_NS / NS_PER_S)
        self.ends.append(end)
        return end

    def close(self) -> None:
        for end in (*self.ends, self.ear):
            end.close()


@pytest.fixture
def wicked() -> Iterator[Wicked]:
    made = Wicked()
    yield made
    made.close()


@pytest.fixture
def links() -> Iterator[list[MqttLink]]:
    made: list[MqttLink] = []
    yield made
    for link in made:
        link.close()


def packet(end: socket.socket) -> bytes:
    """One packet below 128 bytes."""
    head = end.recv(2, socket.MSG_WAITALL)
    return head + (end.recv(head[1], socket.MSG_WAITALL) if head[1:] and head[1] else b"")


def until(link: MqttLink, reached: Callable[[], bool], t_ns: int = 0) -> list[LinkLost]:
    """Pump at `t_ns` until it is so."""
    clock, lost = SystemClock(), []
    deadline_ns = clock.now_ns() + DEADLINE_NS
    while not reached():
        assert clock.now_ns() < deadline_ns, link.trouble
        fd = link.fileno()
        assert fd is not None
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.poll(20)
        try:
            link.pump(t_ns)
        except LinkLost as error:
            lost.append(error)
    return lost


def let_in(link: MqttLink, wicked: Wicked, t_ns: int = 0, answer: bytes = CONNACK) -> socket.socket:
    link.advance(t_ns)
    end = wicked.accept()
    assert packet(end)[0] == 0x10  # CONNECT
    end.sendall(answer)
    if link._topics[0]:
        asked = packet(end)
        assert asked[0] == 0x82  # SUBSCRIBE
        end.sendall(b"\x90\x04" + asked[2:4] + b"\x00\x00")
    until(link, lambda: link.is_open, t_ns)
    return end


# --- brokers that are none


def test_a_topic_that_is_refused_is_told_and_tried_again_later(wicked: Wicked, links: list[MqttLink]) -> None:
    link = MqttLink("feed", "127.0.0.1", wicked.port, ("a", "b/#"))
    links.append(link)
    link.advance(0)
    end = wicked.accept()
    packet(end)
    end.sendall(CONNACK)
    asked = packet(end)
    end.sendall(b"\x90\x05" + asked[2:4] + b"\x00\x00\x87")
    until(link, lambda: "refuses topic" in link.trouble, 7)
    assert link.trouble.endswith("refuses topic b/#: Not authorized; check the rights of the user there")
    assert (link.is_open, link.wake_ns) == (False, 7 + BACK_OFF_MIN_NS)


def test_a_far_end_that_says_nothing_is_given_up_at_a_deadline(wicked: Wicked, links: list[MqttLink]) -> None:
    link = MqttLink("feed", "127.0.0.1", wicked.port, ("a",))
    links.append(link)
    link.advance(0)
    assert link.wake_ns == FOREVER_NS
    end = wicked.accept()
    until(link, lambda: link.wake_ns < FOREVER_NS, 100)
    assert link.wake_ns == 100 + ANSWER_NS
    link.advance(100 + ANSWER_NS - 1)
    assert "has accepted, but not let us in yet" in link.trouble
    link.advance(100 + ANSWER_NS)
    assert "lets nobody in; is it overloaded, or no broker at all?" in link.trouble
    packet(end)
    assert end.recv(1) == b""  # hung up


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("20 03 00 84 00", 'does not speak this protocol; set protocol = "3.1.1"'),
        ("20 03 00 85 00", "refuses client id 'west'; choose another client_id"),
        ("20 03 00 86 00", "refuses us, who come without a user: Bad user name or password"),
        ("20 03 00 88 00", "hangs up: Server unavailable"),
        ("", "hangs up at once; does this port want TLS"),
        ("20 02 00", "hangs up at once"),
        ("20 00", "sends what is not MQTT"),
        ("ff" * 40, "sends what is not MQTT"),
        ("48545450 2f312e31 20343030 0d0a0d0a", "hangs up at once"),  # HTTP/1.1 400
    ],
)
def test_each_refusal_has_words_and_what_to_do(answer: str, words: str, wicked: Wicked, links: list[MqttLink]) -> None:
    link = MqttLink("feed", "127.0.0.1", wicked.port, ("a",), settings=MqttSettings(client_id="west"))
    links.append(link)
    link.advance(0)
    end = wicked.accept()
    packet(end)
    end.sendall(bytes.fromhex(answer))
    with contextlib.suppress(OSError):  # the link may have hung up already
        end.shutdown(socket.SHUT_WR)
    until(link, lambda: "let us in" not in link.trouble and link.trouble != "not opened yet")
    assert words in link.trouble


def test_a_broker_that_puts_us_out_for_another_says_so(wicked: Wicked, links: list[MqttLink]) -> None:
    link = MqttLink("feed", "127.0.0.1", wicked.port, ("a",), settings=MqttSettings(client_id="west"))
    links.append(link)
    end = let_in(link, wicked)
    end.sendall(bytes.fromhex("e0 02 8e 00"))  # DISCONNECT, session taken over
    (lost,) = until(link, lambda: not link.is_open, 5)
    assert str(lost) == (
        f"feed: 127.0.0.1:{wicked.port}: has another client with the id 'west'; give every controller its own client_id"
    )
    with pytest.raises(StopIteration):
        next(iter(until(link, lambda: True)))


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=1, max_size=60))
def test_whatever_a_far_end_sends_the_link_comes_back(rubbish: bytes) -> None:
    wicked = Wicked()
    link = MqttLink("feed", "127.0.0.1", wicked.port, ("a",))
    heard: list[bytes] = []
    link.receiver = lambda data, t_ns: heard.append(data)
    try:
        end = let_in(link, wicked)
        end.sendall(rubbish)
        end.close()
        until(link, lambda: not link.is_open, 1)
        end = let_in(link, wicked, link.wake_ns)
        end.sendall(bytes.fromhex("30 07 0001 61 00 676f64"))  # PUBLISH on a: god
        until(link, lambda: heard[-1:] == [b"god"], 2)
    finally:
        link.close()
        wicked.close()


# --- queues


def test_no_more_is_under_way_than_the_broker_asks_for_and_the_rest_keeps_its_order(
    wicked: Wicked, links: list[MqttLink]
) -> None:
    link = MqttLink("out", "127.0.0.1", wicked.port, publish="a", settings=MqttSettings(qos=1, keepalive_s=600))
    links.append(link)
    end = let_in(link, wicked, answer=CONNACK_TWO)
    for n in range(4):
        link.write(b"%d" % n, 1)
    first, second = packet(end), packet(end)
    assert (first[-1:], second[-1:]) == (b"0", b"1")
    end.settimeout(0.05)
    with pytest.raises(TimeoutError):
        end.recv(1)
    end.settimeout(DEADLINE_NS / NS_PER_S)
    end.sendall(b"\x40\x02" + first[5:7])  # PUBACK
    until(link, lambda: link.waiting == 3)
    assert packet(end)[-1:] == b"2"
    end.close()  # 1 and 2 were never acknowledged
    (lost,) = until(link, lambda: not link.is_open, 9)
    assert lost.t_ns == 9
    end = let_in(link, wicked, link.wake_ns, CONNACK)
    assert [packet(end)[-1:] for _ in range(3)] == [b"1", b"2", b"3"]
    assert link.counters() | {"published": 0, "link_losses": 0} == dict.fromkeys(link.counters(), 0)


def test_what_is_under_way_at_qos_0_when_the_broker_goes_is_counted_as_dropped(
    wicked: Wicked, links: list[MqttLink]
) -> None:
    link = MqttLink("out", "127.0.0.1", wicked.port, publish="a")
    links.append(link)
    end = let_in(link, wicked)
    link.write(b"1", 1)
    packet(end)
    end.close()
    until(link, lambda: not link.is_open)
    assert link.counters()["published"] + link.counters()["dropped"] == 1
    assert link.waiting == 0


def test_pauses_grow_and_are_short_again_after_a_good_connection(wicked: Wicked, links: list[MqttLink]) -> None:
    link = MqttLink("feed", "127.0.0.1", wicked.port, ("a",))
    links.append(link)
    t_ns, pauses = 0, []
    for _ in range(9):
        let_in(link, wicked, t_ns).close()
        until(link, lambda: not link.is_open, t_ns)
        pauses.append(link.wake_ns - t_ns)
        t_ns = link.wake_ns
    assert pauses[:3] == [BACK_OFF_MIN_NS, 2 * BACK_OFF_MIN_NS, 4 * BACK_OFF_MIN_NS]
    assert pauses[-1] == BACK_OFF_MAX_NS
    end = let_in(link, wicked, t_ns)
    end.close()
    until(link, lambda: not link.is_open, t_ns + STEADY_NS)
    assert link.wake_ns == t_ns + STEADY_NS + BACK_OFF_MIN_NS


def test_closing_is_prompt_and_final_whatever_is_under_way(wicked: Wicked) -> None:
    clock = SystemClock()
    link = MqttLink("feed", "127.0.0.1", wicked.port, ("a",), "b", MqttSettings(tls=True))
    link.advance(0)
    wicked.accept()  # and no handshake
    began_ns = clock.now_ns()
    link.close()
    link.close()
    assert clock.now_ns() - began_ns < NS_PER_S
    assert (link.is_open, link.fileno(), link.wake_ns, link.trouble) == (False, None, FOREVER_NS, "closed")
    link.pump(1)
    link.advance(FOREVER_NS)
    with pytest.raises(LinkLost, match="closed"):
        link.write(b"x", 1)


def test_closing_says_goodbye_and_what_was_written_leaves_first(wicked: Wicked) -> None:
    link = MqttLink("out", "127.0.0.1", wicked.port, publish="a")
    end = let_in(link, wicked)
    link.write(b"last", 1)
    link.close()
    assert packet(end)[-4:] == b"last"
    assert packet(end)[0] == 0xE0  # DISCONNECT


def test_a_message_does_not_wait_for_the_acknowledgement_of_the_one_before(
    wicked: Wicked, links: list[MqttLink]
) -> None:
    link = MqttLink("out", "127.0.0.1", wicked.port, publish="a")
    links.append(link)
    let_in(link, wicked)
    connection = link._connection
    assert connection is not None
    client: Any = connection._client
    assert client.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_a_link_that_was_never_opened_starts_nothing_and_closes() -> None:
    link = MqttLink("out", "localhost", 1, publish="a")
    link.write(b"x", 0)
    link.pump(0)
    link.advance(-FOREVER_NS - 1)
    assert (link.waiting, link._worker) == (1, None)
    link.close()


def test_a_wire_without_a_topic_to_write_to_says_so() -> None:
    link = MqttLink("in", "localhost", 1883, ("a",))
    with pytest.raises(LinkLost, match="in: localhost:1883: has no topic to write to; set publish") as lost:
        link.write(b"\x01", 5)
    assert (lost.value.raw, lost.value.t_ns) == (b"\x01", 5)
    link.close()


# --- settings and words


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "nothing to hear and nothing to write"),
        ({"subscribe": ("a/#/b",)}, 'cannot hear "a/#/b"; + stands for one whole level, # for all that follow'),
        ({"subscribe": ("a/b+",)}, 'cannot hear "a/b+"'),
        ({"subscribe": ("",)}, 'cannot hear ""'),
        ({"publish": "a/+"}, '"a/+" is no topic for publish; it has no wildcards'),
        ({"publish": ""}, '"" is no topic for publish'),
        ({"publish": "a", "will": Will(topic="#", payload=b"")}, '"#" is no topic for the will'),
        ({"publish": "a", "cert_file": "x"}, "give both cert_file and key_file"),
        ({"publish": "a", "password_file": "x"}, "a password needs a user"),
        ({"publish": "a", "clean_session": False}, "a session that is kept needs a client_id"),
        ({"publish": "a", "clean_session": False, "client_id": "x", "qos": 2}, "QoS 2 needs clean_session"),
        ({"publish": "a", "outgoing_limit": 0}, "limits and keepalive_s are 1 or more"),
    ],
)
def test_settings_that_no_broker_takes_are_refused(given: dict[str, Any], words: str) -> None:
    subscribe, publish = given.pop("subscribe", ()), given.pop("publish", None)
    with pytest.raises(InputError) as refused:
        MqttLink("feed", "localhost", 1883, subscribe, publish, MqttSettings(**given))
    assert words in str(refused.value)


def test_topics_that_look_odd_and_are_right_are_taken() -> None:
    MqttLink("feed", "localhost", 1883, ("#", "+", "+/a/+", "/", "$share/g/a/#", "ä ö")).close()


@pytest.mark.parametrize("name", ["ca_file", "cert_file", "password_file"])
def test_files_that_are_not_what_they_should_be_are_named(name: str, tmp_path: Path, links: list[MqttLink]) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"\xff not a PEM file")
    for path, words in ((file, "not "), (tmp_path / "none", "cannot be read: No such file or directory")):
        more: dict[str, Any] = {name: str(path)} | ({"key_file": str(path)} if name == "cert_file" else {})
        link = MqttLink("feed", "localhost", 1, ("a",), settings=MqttSettings(user="west", tls=True, **more))
        links.append(link)
        link.advance(0)
        until(link, lambda link=link: str(tmp_path) in link.trouble)
        assert f"{name} {path}" in link.trouble
        assert words in link.trouble


def test_a_name_that_nobody_has_is_told_with_what_to_try(links: list[MqttLink]) -> None:
    link = MqttLink("feed", "no-such-host.invalid", 1883, ("a",))
    links.append(link)
    link.advance(0)
    until(link, lambda: link.trouble != "not opened yet")
    assert "no-such-host.invalid:1883: name not found; try: getent hosts no-such-host.invalid" in link.trouble


def certificate_error(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (certificate_error(10, "certificate has expired"), "expired; is this machine's clock right? (timedatectl)"),
        (certificate_error(9, "certificate is not yet valid"), "is this machine's clock right?"),
        (certificate_error(62, "Hostname mismatch."), "mismatch; use the name that stands in the certificate"),
        (certificate_error(19, "self-signed certificate in certificate chain"), "chain; check ca_file"),
        (ssl.SSLError(1, "[SSL: NO_PROTOCOLS] x"), "TLS fails:"),
        (TimeoutError(), "does not answer; is the address right, is a firewall in between?"),
        (OSError(errno.ENETUNREACH, ""), "cannot be reached; is the network up?"),
        (OSError(errno.ECONNRESET, ""), "is port 8883 that of a broker, and for TLS?"),
        (OSError(errno.EMFILE, ""), "cannot be reached: Too many open files"),
    ],
)
def test_each_failure_has_words(error: Exception, words: str) -> None:
    assert words in failure(error, "broker", 8883, tls=True)


def test_words_of_refusals_that_no_test_broker_gives() -> None:
    assert refusal(0x95, "Packet too large", MqttSettings()) == "hangs up on a message that is too large for it"
    assert refusal(0x00, "Normal disconnection", MqttSettings()) == "says goodbye"
