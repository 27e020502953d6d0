"""The MQTT link against a real mosquitto on loopback."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import SystemClock
from drivers.devices.neighbour import Neighbour
from drivers.errors import LinkLost
from drivers.links.mqtt import TRIES, MqttLink, MqttSettings, Will
from drivers.quantities import Message, Quantity
from drivers.units import FOREVER_NS, NS_PER_S
from hil.peers import broker, certificates
from hil.peers.broker import Broker
from hil.peers.certificates import Certificates

pytestmark = pytest.mark.skipif(bool(broker.missing()), reason=broker.missing())

DEADLINE_NS = 30 * NS_PER_S
ROOT = Path(__file__).parents[2]


class Loop:
    """Turns links as a controller does; pauses between tries are jumped over."""

    def __init__(self) -> None:
        self.links: list[MqttLink] = []
        self.lost: list[LinkLost] = []
        self.pauses_ns: list[int] = []
        self._clock = SystemClock()

    def link(
        self,
        served: Broker,
        subscribe: tuple[str, ...] = (),
        publish: str | None = None,
        settings: MqttSettings | None = None,
        name: str = "feed",
    ) -> tuple[MqttLink, list[bytes]]:
        link, heard = MqttLink(name, served.host, served.port, subscribe, publish, settings), []
        link.receiver = lambda data, t_ns: heard.append(data)
        self.links.append(link)
        return link, heard

    def now_ns(self) -> int:
        return self._clock.now_ns()

    def turn(self, wait_ms: int = 20) -> None:
        poll = select.poll()
        for link in self.links:
            fd = link.fileno()
            if fd is not None:
                poll.register(fd, select.POLLIN)
        poll.poll(wait_ms)
        for link in self.links:
            trying = "not let us in" in link.trouble  # then its wake is a deadline, which shall not be jumped to
            link.advance(self._clock.now_ns() if trying or link.wake_ns >= FOREVER_NS else link.wake_ns)
            try:
                link.pump(self._clock.now_ns())
            except LinkLost as lost:
                self.lost.append(lost)
                self.pauses_ns.append(link.wake_ns - lost.t_ns)

    def until(self, reached: Callable[[], bool], what: str) -> None:
        deadline_ns = self._clock.now_ns() + DEADLINE_NS
        while not reached():
            assert self._clock.now_ns() < deadline_ns, f"waited for {what}: {[link.trouble for link in self.links]}"
            self.turn()

    def open(self) -> None:
        self.until(lambda: all(link.is_open for link in self.links), "every link to be open")

    def refused(self, link: MqttLink, words: str) -> None:
        self.until(lambda: words in link.trouble, f'"{words}"')
        assert not link.is_open


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    for link in made.links:
        link.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if certificates.missing():
        pytest.skip(certificates.missing())
    return certificates.make(tmp_path_factory.mktemp("papers"))


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_one_payload_is_one_chunk_and_only_pump_hands_it_over(
    served: Broker, loop: Loop, protocol: Any, qos: Any
) -> None:
    settings = MqttSettings(protocol=protocol, qos=qos)
    link, heard = loop.link(served, ("path/+/state", "feed/#"), settings=settings)
    other, _ = loop.link(served, publish="path/east/state", settings=settings)
    loop.open()
    every_byte = bytes(range(256))
    for payload in (every_byte, b"", b"two"):
        other.write(payload, 1)
    loop.links.remove(link)
    loop.until(lambda: other.waiting == 0, "all to be sent")
    assert heard == []
    loop.links.append(link)
    loop.until(lambda: len(heard) == 3, "all to be heard")
    assert heard == [every_byte, b"", b"two"]
    assert other.counters()["published"] == link.counters()["messages"] == 3


def test_two_thousand_messages_keep_their_order_and_none_is_lost(served: Broker, loop: Loop) -> None:
    settings = MqttSettings(qos=1)
    _, heard = loop.link(served, ("path/west",), settings=settings)
    sender, _ = loop.link(served, publish="path/west", settings=settings)
    loop.open()
    sent = [b"%d" % n for n in range(2000)]
    rest = list(reversed(sent))

    def feed() -> bool:
        while rest and sender.waiting < 200:
            sender.write(rest.pop(), 1)
        return len(heard) >= len(sent)

    loop.until(feed, "2,000 messages")
    assert heard == sent
    assert sender.counters() | {"published": 0} == dict.fromkeys(sender.counters(), 0)


def test_two_neighbours_talk_through_a_broker_and_do_not_hear_themselves(served: Broker, loop: Loop) -> None:
    told: dict[str, list[Quantity]] = {"west": [], "east": []}
    devices = {}
    for name, heard in told.items():
        link, _ = loop.link(served, ("path/+",), f"path/{name}", MqttSettings(qos=1, client_id=name), name)
        devices[name] = Neighbour(name, link, heard.append)
    loop.open()
    devices["west"].publish({"occupied": [1, 2]}, 1)
    loop.until(lambda: bool(told["east"]), "the word of west")
    devices["east"].publish({"occupied": []}, 2)
    loop.until(lambda: bool(told["west"]), "the word of east")
    for name, body in (("east", {"occupied": [1, 2]}), ("west", {"occupied": []})):
        assert [value.body for value in told[name] if isinstance(value, Message)] == [body]


def test_a_broker_that_is_not_there_is_said_and_messages_wait_for_it(tmp_path: Path, loop: Loop) -> None:
    away = Broker(tmp_path)
    away.start()
    away.kill()
    settings = MqttSettings(qos=1, outgoing_limit=5)
    link, _ = loop.link(away, publish="path/west", settings=settings)
    for n in range(12):
        link.write(b"%d" % n, 1)
    loop.refused(link, "nobody listens there; is the broker running?")
    assert link.waiting == 5
    assert link.counters()["dropped"] == 7
    with away:
        loop.links.clear()
        _, heard = loop.link(away, ("path/west",), settings=settings)
        loop.open()
        loop.links.append(link)
        loop.until(lambda: len(heard) == 5, "the five newest")
        assert heard == [b"7", b"8", b"9", b"10", b"11"]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_broker_that_dies_is_one_loss_and_all_is_well_when_it_is_back(
    tmp_path: Path, loop: Loop, protocol: Any
) -> None:
    settings = MqttSettings(qos=1, protocol=protocol)
    with Broker(tmp_path) as served:
        hearing, heard = loop.link(served, ("path/west",), settings=settings, name="hearing")
        sender, _ = loop.link(served, publish="path/west", settings=settings, name="sender")
        loop.open()
        sender.write(b"before", 1)
        loop.until(lambda: heard == [b"before"], "the first message")
        served.kill()
        loop.until(lambda: not hearing.is_open and not sender.is_open, "both to notice")
        assert sorted(lost.device for lost in loop.lost) == ["hearing", "sender"]
        assert "has gone; is it still running?" in str(loop.lost[0])
        sender.write(b"meanwhile", 2)
        served.start()
        loop.until(lambda: hearing.is_open, "the hearing end to be back")
        sender.write(b"after", 3)
        loop.until(lambda: heard[-1:] == [b"after"], "the last message")
    assert set(heard) <= {b"before", b"meanwhile", b"after"}  # `meanwhile` may have gone before anybody heard
    assert sender.counters()["link_losses"] == 1
    assert sender.counters()["dropped"] == 0


def test_a_broker_that_stops_properly_says_goodbye(tmp_path: Path, loop: Loop) -> None:
    with Broker(tmp_path) as served:
        link, _ = loop.link(served, ("path/west",))
        loop.open()
        served.stop()
        loop.until(lambda: not link.is_open, "the goodbye")
    assert len(loop.lost) == 1


WILL = """
import sys
from drivers.clock import SystemClock
from drivers.links.mqtt import MqttLink, MqttSettings, Will
link = MqttLink("west", "localhost", int(sys.argv[1]), (), "path/west", MqttSettings(
    qos=1, client_id="west", will=Will(topic="path/west/alive", payload=b"0", retain=False)))
clock = SystemClock()
while True:
    link.advance(clock.now_ns())
    link.pump(clock.now_ns())
    if link.is_open:
        print("open", flush=True)
        if not sys.stdin.readline():
            link.close()
            break
    clock.sleep_until_ns(clock.now_ns() + 5_000_000)
"""


@pytest.mark.parametrize(("killed", "will"), [(True, [b"0"]), (False, [])])
def test_the_last_will_is_heard_when_the_process_is_killed_and_only_then(
    served: Broker, loop: Loop, killed: bool, will: list[bytes]
) -> None:
    _, heard = loop.link(served, ("path/west/alive",), settings=MqttSettings(qos=1))
    mark, _ = loop.link(served, publish="path/west/alive", settings=MqttSettings(qos=1), name="mark")
    loop.open()
    with subprocess.Popen(
        [sys.executable, "-c", WILL, str(served.port)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == b"open\n"
            if killed:
                process.kill()
                loop.until(lambda: bool(heard), "the last will")
            else:
                process.stdin.close()
            process.wait(DEADLINE_NS / NS_PER_S)
        finally:
            process.kill()
    mark.write(b"later", 1)
    loop.until(lambda: heard[-1:] == [b"later"], "what came after")
    assert heard == [*will, b"later"]


# --- who may come in


def test_tls_works_with_our_authority_and_a_client_certificate(
    tmp_path: Path, loop: Loop, papers: Certificates
) -> None:
    with Broker(tmp_path, certificates=papers, ask_client=True) as served:
        settings = MqttSettings(
            tls=True,
            qos=1,
            ca_file=papers.ca_file,
            cert_file=papers.client_cert_file,
            key_file=papers.client_key_file,
        )
        link, heard = loop.link(served, ("a/b",), settings=settings)
        other, _ = loop.link(served, publish="a/b", settings=settings)
        loop.open()
        big = bytes(60_000)
        other.write(big, 1)
        loop.until(lambda: heard == [big], "a big message")
        stranger, _ = loop.link(
            served, ("a/b",), settings=MqttSettings(tls=True, ca_file=papers.ca_file), name="stranger"
        )
        loop.refused(stranger, "does it want a client certificate (cert_file, key_file)?")
        assert link.is_open


def test_a_broker_of_another_authority_is_not_trusted(tmp_path: Path, loop: Loop, papers: Certificates) -> None:
    with Broker(tmp_path, certificates=papers) as served:
        link, _ = loop.link(served, ("a",), settings=MqttSettings(tls=True))
        loop.refused(link, "its certificate is not trusted:")
        assert link.trouble.endswith("; check ca_file")


def test_a_certificate_is_only_good_for_its_name(tmp_path: Path, loop: Loop, papers: Certificates) -> None:
    with Broker(tmp_path, certificates=papers) as served:
        link = MqttLink(
            "feed", "127.0.0.2", served.port, ("a",), settings=MqttSettings(tls=True, ca_file=papers.ca_file)
        )
        loop.links.append(link)
        loop.until(lambda: "nobody listens" in link.trouble or "certificate" in link.trouble, "a refusal")
    if "certificate" in link.trouble:  # where the broker listens on every address of loopback
        assert "use the name that stands in the certificate as host" in link.trouble


def test_plain_and_tls_ports_taken_for_each_other_are_told(
    tmp_path: Path, served: Broker, loop: Loop, papers: Certificates
) -> None:
    link, _ = loop.link(served, ("a",), settings=MqttSettings(tls=True, ca_file=papers.ca_file))
    loop.refused(link, "TLS")
    folder = tmp_path / "tls"
    folder.mkdir()
    with Broker(folder, certificates=papers) as safe:
        link, _ = loop.link(safe, ("a",))
        loop.refused(link, "does this port want TLS (tls = true; usually port 8883)?")


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_user_comes_in_with_the_password_of_a_file_and_no_other(tmp_path: Path, loop: Loop, protocol: Any) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("open sesame\n")
    wrong.write_text("open barley\n")
    with Broker(tmp_path, users={"west": "open sesame"}) as served:

        def come(user: str | None, file: Path | None) -> MqttLink:
            settings = MqttSettings(user=user, password_file=str(file) if file else None, protocol=protocol)
            return loop.link(served, ("a",), settings=settings)[0]

        loop.refused(come("west", wrong), "refuses user 'west': Not authorized; check user and password_file")
        loop.refused(come(None, None), "refuses us, who come without a user: Not authorized")
        loop.refused(come("west", tmp_path / "none"), "cannot be read: No such file or directory")
        late = tmp_path / "late"
        link = come("west", late)
        loop.refused(link, "cannot be read: No such file or directory")
        late.write_text("open sesame")
        loop.until(lambda: link.is_open, "the file to be read anew")
        accepted = come("west", right)
        loop.until(lambda: accepted.is_open, "the right password to do")


def test_what_may_not_be_published_is_a_refusal_in_words_and_not_sent_again(tmp_path: Path, loop: Loop) -> None:
    with Broker(tmp_path, rights=("topic read path/#",)) as served:
        link, _ = loop.link(served, publish="path/west", settings=MqttSettings(qos=1))
        loop.open()
        link.write(b"hello", 1)
        loop.until(lambda: link.counters()["refusals"] == 1, "the refusal")
        assert link.refusal == "refuses what we publish: Not authorized"
        assert link.waiting == 0
        loop.open()  # mosquitto 2.0.11 hangs up as well, later ones do not


def test_two_clients_with_one_id_are_told_and_do_not_fight_at_full_speed(served: Broker, loop: Loop) -> None:
    settings = MqttSettings(client_id="west")
    loop.link(served, ("a",), settings=settings, name="first")
    loop.open()
    loop.link(served, ("a",), settings=settings, name="second")
    loop.until(lambda: bool(loop.lost), "the first to be put out")
    assert "has gone; is it still running? Does another client use the id 'west'?" in str(loop.lost[0])
    loop.until(lambda: len(loop.lost) == 6, "them to put each other out again and again")
    assert {lost.device for lost in loop.lost} == {"first", "second"}
    assert max(loop.pauses_ns) > 3 * min(loop.pauses_ns)


# --- limits


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_payloads_above_the_limit_are_dropped_and_counted_either_way(served: Broker, loop: Loop, protocol: Any) -> None:
    small = MqttSettings(max_payload_b=100, qos=1, protocol=protocol)
    link, heard = loop.link(served, ("a",), "b", small)
    other, _ = loop.link(served, publish="a", settings=MqttSettings(qos=1, protocol=protocol))
    loop.open()
    for size in (100, 101, 40_000 if protocol == "3.1.1" else 150, 99):
        other.write(bytes(size), 1)
    link.write(bytes(101), 1)
    loop.until(lambda: len(heard) == 2, "the two that fit")
    assert [len(payload) for payload in heard] == [100, 99]
    assert link.counters()["oversize"] == 3


def test_what_a_broker_has_kept_is_not_taken_for_news(served: Broker, loop: Loop) -> None:
    old, _ = loop.link(served, publish="a", settings=MqttSettings(qos=1, retain=True))
    loop.open()
    old.write(b"old", 1)
    loop.until(lambda: old.waiting == 0, "it to be kept")
    links = {
        protocol: loop.link(served, ("a",), settings=MqttSettings(protocol=protocol)) for protocol in ("5", "3.1.1")
    }
    curious, all_heard = loop.link(served, ("a",), settings=MqttSettings(take_retained=True))
    loop.until(lambda: bool(all_heard), "the kept message")
    loop.until(lambda: links["3.1.1"][0].counters()["retained"] == 1, "it to be left out")
    old.write(b"new", 2)
    loop.until(lambda: all(heard[-1:] == [b"new"] for _, heard in links.values()), "news")
    assert [heard for _, heard in links.values()] == [[b"new"], [b"new"]]
    loop.until(lambda: all_heard == [b"old", b"new"], "both")
    assert curious.counters()["retained"] == 0


def test_a_loop_that_does_not_look_loses_the_oldest_and_counts_them(served: Broker, loop: Loop) -> None:
    link, heard = loop.link(served, ("a",), settings=MqttSettings(qos=1, incoming_limit=10))
    other, _ = loop.link(served, publish="a", settings=MqttSettings(qos=1))
    witness, seen = loop.link(served, ("a",), settings=MqttSettings(qos=1))
    loop.open()
    loop.links.remove(link)
    for n in range(50):
        other.write(b"%d" % n, 1)
    loop.until(lambda: len(seen) == 50, "all to have passed the broker")
    loop.links.append(link)
    loop.until(lambda: link.counters()["dropped_inward"] + len(heard) == 50, "all to be accounted for")
    assert heard[-10:] == [b"%d" % n for n in range(40, 50)]
    assert witness.counters()["dropped_inward"] == 0


def test_a_message_the_broker_hangs_up_on_is_dropped_and_the_next_one_passes(tmp_path: Path, loop: Loop) -> None:
    """MQTT 3.1.1 has no word for it; MQTT 5 tells the limit beforehand."""
    with Broker(tmp_path, more=("max_packet_size 1000",)) as served:
        for protocol in ("3.1.1", "5"):
            link, _ = loop.link(served, publish="a", settings=MqttSettings(qos=1, protocol=protocol))
            loop.until(lambda link=link: link.is_open, "the link to be open")
            link.write(bytes(2000), 1)
            link.write(b"next", 1)
            loop.until(lambda link=link: link.counters()["published"] == 1, "the next to pass")
            counted = link.counters()
            assert (counted["dropped"], counted["oversize"]) == ((1, 0) if protocol == "3.1.1" else (0, 1))
            assert counted["link_losses"] == (TRIES if protocol == "3.1.1" else 0)


def test_a_session_that_is_kept_gives_what_came_meanwhile(served: Broker, loop: Loop) -> None:
    for protocol in ("5", "3.1.1"):
        kept = MqttSettings(qos=1, client_id=f"west-{protocol}", clean_session=False, protocol=protocol)
        link, _ = loop.link(served, (f"a/{protocol}",), settings=kept)
        other, _ = loop.link(served, publish=f"a/{protocol}", settings=MqttSettings(qos=1))
        loop.open()
        link.close()
        loop.links.remove(link)
        other.write(b"meanwhile", 1)
        loop.until(lambda other=other: other.waiting == 0, "the broker to have it")
        again, heard = loop.link(served, (f"a/{protocol}",), settings=kept)
        loop.until(lambda heard=heard: heard == [b"meanwhile"], "what came meanwhile")
        assert again.counters()["messages"] == 1


def test_the_will_may_stay_with_the_broker(served: Broker, loop: Loop) -> None:
    """What `Will` says reaches the broker as said: a retained will is found by whoever comes later."""
    link, _ = loop.link(served, publish="a", settings=MqttSettings(will=Will(topic="gone", payload=b"x"), qos=1))
    loop.open()
    connection = link._connection
    assert connection is not None
    connection.abort()  # no goodbye, as if the process were killed
    loop.until(lambda: bool(loop.lost), "the loss")
    _, heard = loop.link(served, ("gone",), settings=MqttSettings(take_retained=True))
    loop.until(lambda: heard == [b"x"], "the will that was kept")
