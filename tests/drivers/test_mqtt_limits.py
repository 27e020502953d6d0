"""Limits of the MQTT link, and what a real mosquitto keeps for it: sizes, queues, retained messages, sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drivers.links.mqtt import TRIES, MqttSettings, Will
from hil.peers import broker
from hil.peers.broker import Broker

pytestmark = pytest.mark.skipif(bool(broker.missing()), reason=broker.missing() or "-")

Loop = Any
"""The one of conftest.py."""


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
