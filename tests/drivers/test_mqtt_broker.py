"""The MQTT link against a real mosquitto on loopback: there and back, broker away and back, last will."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drivers.devices.neighbour import Neighbour
from drivers.links.mqtt import MqttSettings
from drivers.quantities import Message, Quantity
from drivers.units import NS_PER_S
from hil.peers import broker
from hil.peers.broker import Broker

pytestmark = pytest.mark.skipif(bool(broker.missing()), reason=broker.missing() or "-")

Loop = Any
"""The one of conftest.py."""
DEADLINE_NS = 30 * NS_PER_S
ROOT = Path(__file__).parents[2]


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
