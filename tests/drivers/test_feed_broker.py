"""Signal feeds from a real mosquitto: several stations, MAPEM, topics, and a broker that goes and comes back."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.codecs.sensorthings import Observation, encode_body, observation_topic
from drivers.codecs.spat import Intersection, Movement, Phase
from drivers.codecs.spat_xml import SpatXmlEncoder
from drivers.devices.signal_feed import GONE as GONE_WORDS
from drivers.devices.signal_feed import SignalFeed
from drivers.links.mqtt import MqttSettings
from drivers.quantities import DeviceHealth, SignalState
from drivers.topics import GONE, OPEN, split_topic
from hil.peers import broker
from hil.peers.broker import Broker

pytestmark = pytest.mark.skipif(bool(broker.missing()), reason=broker.missing() or "-")

Loop = Any


def xml(station: int, n: int, message_id: int = 4) -> bytes:
    groups = (Movement(4, (Phase(3, 3100),)), Movement(5, (Phase(6, 3100),)))
    return SpatXmlEncoder(message_id=message_id).encode(Intersection(station, 1, 64, 5, 100 * n, groups))


def test_stations_and_groups_of_one_broker_are_told_apart_and_mapem_is_passed_over(served: Broker, loop: Loop) -> None:
    link, _ = loop.link(served, ("/spat/+",))
    values: list[Any] = []
    feed = SignalFeed("feed", link, values.append, station=4070, groups=frozenset({4}))
    senders = {name: loop.link(served, publish=f"/spat/{name}")[0] for name in ("4070", "4071", "map")}
    loop.open()
    for n in range(20):
        senders["4070"].write(xml(4070, n), 1)
        senders["4071"].write(xml(4071, n), 1)
        senders["map"].write(xml(4070, n, 5), 1)
    loud, _ = loop.link(served, publish="/spat/loud", settings=MqttSettings(max_payload_b=100_000))
    loop.open()
    loud.write(b"x" * 70_000, 1)
    senders["map"].write(b"<DATA>\xff</DATA>", 1)
    loop.until(lambda: feed.messages + feed.other_station + feed.other_messages + feed.bad == 61, "all messages")
    assert (feed.messages, feed.other_station, feed.other_messages, feed.bad) == (20, 20, 20, 1)
    assert {(value.station, value.group) for value in values if isinstance(value, SignalState)} == {(4070, 4)}
    loop.until(lambda: feed.counters().get("wire_oversize") == 1, "the oversize message to be counted")


def test_two_topics_with_one_station_put_the_feed_in_doubt(served: Broker, loop: Loop) -> None:
    link, _ = loop.link(served, ("/spat/+",), settings=MqttSettings(topics=True))
    values: list[Any] = []
    SignalFeed("feed", link, values.append, station=4070, topics=True)
    senders = [loop.link(served, publish=f"/spat/{name}")[0] for name in ("a", "b")]
    loop.open()
    numbers = iter(range(1000))

    def doubted() -> bool:
        n = next(numbers)
        senders[n % 2].write(xml(4070, n), 1)
        return any(isinstance(value, DeviceHealth) and not value.ok for value in values)

    loop.until(doubted, "doubt")
    (health,) = [value for value in values if isinstance(value, DeviceHealth)]
    assert health.reason == "two controllers say they are 4070: on topics /spat/a and /spat/b"


def test_states_come_with_their_topics_and_a_lost_broker_is_told(served: Broker, loop: Loop) -> None:
    link, heard = loop.link(served, (observation_topic(7001),), settings=MqttSettings(topics=True, qos=1))
    sender, _ = loop.link(served, publish=observation_topic(7001), settings=MqttSettings(qos=1))
    loop.open()
    sender.write(encode_body(Observation(7001, 10**12, None, 3)), 1)
    loop.until(lambda: len(heard) == 2, "an observation")
    served.stop()
    loop.until(lambda: len(heard) == 3, "the loss")
    served.start()
    loop.until(lambda: len(heard) == 4, "the return")
    assert [heard[0], heard[2], heard[3]] == [OPEN, GONE, OPEN]
    assert split_topic(heard[1]) == (observation_topic(7001), encode_body(Observation(7001, 10**12, None, 3)))

    values: list[Any] = []
    feed = SignalFeed("feed", link, values.append, message_format="sensorthings", datastreams={7001: 4})
    for chunk in heard:
        feed.on_bytes(chunk, 1)
    assert [type(value) for value in values] == [SignalState, DeviceHealth]
    assert values[1].reason == GONE_WORDS
