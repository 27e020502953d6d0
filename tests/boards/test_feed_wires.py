"""What a board file may say of a signal feed's wire and datastreams, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from boards.build import build
from boards.doctor.live import LiveBoard
from boards.hardware import hardware_link
from boards.load import parse_board
from boards.pinout import pinout
from boards.wiring import cards
from drivers.clock import SystemClock
from drivers.codecs.sensorthings import Observation, encode_observation
from drivers.errors import InputError
from drivers.links.memory import MemoryLink, memory_pair
from drivers.links.mqtt import MqttLink
from drivers.links.udp import UdpLink
from drivers.quantities import SignalState
from drivers.units import NS_PER_S

HEAD = """
format = 1
name = "display"
title = "A board with a feed"
model = "raspberry-pi-4"
product = "greenwave"
period_ms = 100
[devices.feed]
part = "spat-feed"
wire = "feed"
"""
UPER = 'message_format = "spat-uper"\n'
STATES = """message_format = "sensorthings"
quiet_ms = 90_000
datastreams = [{ id = 7001, group = 4 }, { id = 7002, layer = "cycle_second" }]
"""
UDP = '[wires.feed]\nkind = "udp"\nport = 1516\n'
MQTT = '[wires.feed]\nkind = "mqtt"\nhost = "broker"\nsubscribe = ["v1.1/#"]\ntopics = true\n'


def faults(text: str) -> str:
    with pytest.raises(InputError) as refused:
        parse_board(text, "b.toml")
    return str(refused.value)


def test_a_udp_wire_is_opened_with_all_its_keys() -> None:
    keys = 'host = "127.0.0.1"\ngroup = "239.1.2.3"\ninterface = "127.0.0.1"\nsender = "10.0.0.5"\n'
    keys += "max_datagram_bytes = 9\n"
    board = parse_board(HEAD + UPER + UDP + keys, "b.toml")
    link = hardware_link("feed", board.wires["feed"], board)
    assert isinstance(link, UdpLink)
    assert (link.host, link.port, link._group, link._interface, link._sender, link._max_b) == (
        "127.0.0.1",
        1516,
        "239.1.2.3",
        "127.0.0.1",
        "10.0.0.5",
        9,
    )
    assert "udp 127.0.0.1:1516" in pinout(board, colour=False)
    assert [card.wire for card in cards(board)] == ["wire feed: datagrams to port 1516"]


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        (
            'host = "localhost"',
            '$.wires.feed.host: "localhost" is no address; write it in numbers, like "192.168.1.20"',
        ),
        ('sender = "cabinet"', '$.wires.feed.sender: "cabinet" is no address'),
        ('group = "10.0.0.1"', "$.wires.feed.group: 10.0.0.1 is no multicast group; those are 224.0.0.0 to"),
        ('interface = "10.0.0.1"', "$.wires.feed.interface: used with a multicast group only"),
        ('group = "239.0.0.1"\nhost = "::"', "$.wires.feed.group: is of IPv4, but host is of IPv6"),
        ('port = "spat"', "$.wires.feed"),
        ("max_datagram_bytes = 0", "$.wires.feed"),
        ("baud = 9600", "$.wires.feed: unknown key `baud`"),
    ],
)
def test_what_is_wrong_with_a_udp_wire_is_told_with_what_would_be_right(keys: str, fault: str) -> None:
    wire = UDP.replace("port = 1516\n", "") if keys.startswith("port") else UDP
    assert fault in faults(HEAD + UPER + wire + keys)


@pytest.mark.parametrize(
    ("device", "wire", "fault"),
    [
        (STATES, UDP, "$.devices.feed.message_format: observations come by a broker"),
        (STATES, MQTT.replace("topics = true", ""), "add topics = true to wire feed"),
        (STATES + "stale_ms = 3000\n", MQTT, "$.devices.feed.stale_ms: such a feed is silent while nothing changes"),
        (UPER + STATES.split("\n")[2] + "\n", MQTT, '$.devices.feed.datastreams: only "sensorthings" has datastreams'),
        (
            STATES.replace("7002", "7001"),
            MQTT,
            "$.devices.feed.datastreams[1]: id 7001 stands in datastreams[0] already",
        ),
        (STATES.replace(', layer = "cycle_second"', ", group = 4"), MQTT, "group 4 stands in datastreams[0] already"),
        (STATES.replace(', layer = "cycle_second"', ""), MQTT, "datastreams[1]: a primary_signal needs the group"),
        (STATES.replace('"cycle_second"', '"cycle_second", group = 1'), MQTT, "other layers have none"),
        (
            STATES,
            MQTT.replace("subscribe", "publish").replace('["v1.1/#"]', '"x"'),
            "$.wires.feed.topics: nothing comes",
        ),
    ],
)
def test_what_is_wrong_with_datastreams_is_told(device: str, wire: str, fault: str) -> None:
    assert fault in faults(HEAD + device + wire)


def test_datastreams_of_the_file_reach_the_device() -> None:
    values: list[Any] = []
    far: dict[str, MemoryLink] = {}

    def link_for(name: str, wire: object) -> MemoryLink:
        near, far[name] = memory_pair(name)
        return near

    board = build(parse_board(HEAD + STATES + MQTT, "b.toml"), emit=values.append, link_for=link_for, feed_station=12)
    device = board.devices["feed"]
    device.advance(0)
    for datastream, result in ((7002, 17), (7001, 1), (7003, 1)):
        far["feed"].write(encode_observation(Observation(datastream, 10**12, None, result)), NS_PER_S)
    (state,) = values
    assert isinstance(state, SignalState)
    assert (state.station, state.group, state.phases[0].state) == (12, 4, 3)
    assert device.counters()["other_messages"] == 1
    far["feed"].write(encode_observation(Observation(7002, 10**12 + 80_000, None, 99)), 81 * NS_PER_S)
    device.advance(170 * NS_PER_S)
    assert isinstance(values[-1], SignalState)
    device.advance(171 * NS_PER_S)
    assert values[-1].reason == "stale"


def test_the_bench_tools_come_to_a_broker_as_somebody_else() -> None:
    will = 'will = { topic = "display/state", payload = "gone" }\nclient_id = "display"\nclean_session = false\n'
    with LiveBoard(parse_board(HEAD + STATES + MQTT + will, "b.toml"), SystemClock()) as live:
        settings = live.session.links["feed"]._settings
    assert (settings.client_id, settings.clean_session, settings.will) == ("", True, None)


def test_a_wire_with_topics_is_a_link_with_topics() -> None:
    board = parse_board(HEAD + STATES + MQTT, "b.toml")
    link = hardware_link("feed", board.wires["feed"], board)
    try:
        assert isinstance(link, MqttLink)
        assert link._settings.topics
    finally:
        link.close()
