"""What a board file may say of a broker, and what becomes of it."""

from __future__ import annotations

import tomllib
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boards.hardware import hardware_link
from boards.load import digest, parse_board
from boards.schema import json_schema
from boards.wires import MqttWire
from drivers.errors import InputError
from drivers.links.mqtt_connection import MqttSettings, Will

HEAD = """
format = 1
name = "greenwave"
title = "A board with a broker"
model = "raspberry-pi-4"
product = "greenwave"
period_ms = 100
[devices.neighbour]
part = "neighbour"
wire = "broker"
[wires.broker]
kind = "mqtt"
host = "127.0.0.1"
subscribe = ["path/+/state"]
"""
EVERY = """
port = 8883
publish = "path/west/state"
qos = 1
retain = true
client_id = "west"
user = "leeze"
password_file = "/etc/leeze/broker"
tls = true
ca_file = "/etc/leeze/ca"
cert_file = "/etc/leeze/cert"
key_file = "/etc/leeze/key"
will = { topic = "path/west/state", payload = "gone", qos = 0, retain = false }
protocol = "3.1.1"
clean_session = false
keepalive_s = 7
max_payload_bytes = 40_000
take_retained = true
"""
ELSEWHERE = {"outgoing_limit", "incoming_limit"}
"""Sizes of queues in messages; no board has needed others."""


class Kept:
    """Stands in for MqttLink: keeps what it is made with."""

    made: tuple[Any, ...] = ()

    def __init__(self, *said: Any) -> None:
        Kept.made = said


def settings_of(board: str, monkeypatch: pytest.MonkeyPatch) -> MqttSettings:
    description = parse_board(board, "board.toml")
    with monkeypatch.context() as patch:
        patch.setattr("drivers.links.mqtt.MqttLink", Kept)
        hardware_link("broker", description.wires["broker"], description)
    said = Kept.made[-1]
    assert isinstance(said, MqttSettings)
    return said


def test_a_board_can_say_whatever_the_link_can_be_told() -> None:
    keys = {key.replace("max_payload_bytes", "max_payload_b") for key in MqttWire.__struct_fields__}
    assert set(MqttSettings.__struct_fields__) - keys == ELSEWHERE


def test_every_key_of_the_file_reaches_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_of(HEAD + EVERY, monkeypatch) == MqttSettings(
        qos=1,
        retain=True,
        client_id="west",
        keepalive_s=7,
        protocol="3.1.1",
        clean_session=False,
        user="leeze",
        password_file="/etc/leeze/broker",
        tls=True,
        ca_file="/etc/leeze/ca",
        cert_file="/etc/leeze/cert",
        key_file="/etc/leeze/key",
        will=Will(topic="path/west/state", payload=b"gone", qos=0, retain=False),
        max_payload_b=40_000,
        take_retained=True,
    )
    assert Kept.made[:5] == ("broker", "127.0.0.1", 8_883, ("path/+/state",), "path/west/state")


def test_what_a_file_leaves_out_is_as_the_link_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_of(HEAD, monkeypatch) == MqttSettings()


def test_the_schema_knows_the_keys_and_their_limits() -> None:
    schema = json_schema()
    jsonschema.validate(tomllib.loads(HEAD + EVERY), schema)
    for wrong in ('protocol = "4"', "keepalive_s = 0", "max_payload_bytes = 268_435_456", "take_retained = 1"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(tomllib.loads(HEAD + wrong), schema)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("clean_session = false", "$.wires.broker.clean_session: a session that is kept needs a name to be known by"),
        (
            'clean_session = false\nclient_id = "west"\nqos = 2',
            "$.wires.broker.qos: 2 needs clean_session = true; 1 is kept over sessions",
        ),
        ("keepalive_s = 65536", "$.wires.broker.keepalive_s"),
        ("max_payload_bytes = 0", "$.wires.broker.max_payload_bytes"),
        ('protocol = "3.1"', "$.wires.broker.protocol"),
    ],
)
def test_what_no_broker_takes_is_refused_at_its_place(said: str, fault: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_board(HEAD + said, "board.toml")
    assert fault in str(refused.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    keepalive_s=st.integers(1, 65_535),
    limit=st.integers(1, 268_435_455),
    flags=st.tuples(st.booleans(), st.booleans()),
    qos=st.sampled_from([0, 1, 2]),
    named=st.booleans(),
)
def test_a_file_that_is_taken_makes_a_link_that_is_taken(
    monkeypatch: pytest.MonkeyPatch,
    keepalive_s: int,
    limit: int,
    flags: tuple[bool, bool],
    qos: int,
    named: bool,
) -> None:
    """The checks of the board and those of the link agree, so nothing fails only when the service starts."""
    clean, kept = (str(flag).lower() for flag in flags)
    board = HEAD + (
        f"keepalive_s = {keepalive_s}\nmax_payload_bytes = {limit}\nqos = {qos}\n"
        f"clean_session = {clean}\ntake_retained = {kept}\n" + ('client_id = "west"\n' if named else "")
    )
    description = None
    try:
        description = parse_board(board, "board.toml")
    except InputError:
        assert not flags[0]
        assert not named or qos == 2
        return
    hardware_link("broker", description.wires["broker"], description).close()
    said = settings_of(board, monkeypatch)
    assert (said.keepalive_s, said.max_payload_b, said.qos) == (keepalive_s, limit, qos)
    assert (said.clean_session, said.take_retained) == flags


def test_the_digest_sees_the_new_keys() -> None:
    plain = digest(parse_board(HEAD, "board.toml"))
    assert plain == digest(parse_board(HEAD + "keepalive_s = 30\n", "board.toml"))
    assert plain != digest(parse_board(HEAD + "keepalive_s = 31\n", "board.toml"))
