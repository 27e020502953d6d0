"""Two rigs on one broker would speak for the same signal controller: each says that it is there, and listens."""

from __future__ import annotations

import os
import socket

from drivers.errors import LinkLost
from drivers.links.mqtt import MqttLink, MqttSettings
from drivers.units import NS_PER_MS
from hil.benches.contract_bench import Blocked

EVERY_NS = 400 * NS_PER_MS
LISTEN_NS = 1_000 * NS_PER_MS
"""So long does a rig listen before it begins; others say twice in that time that they are there."""


class Beacon:
    """On the topic ``TOPIC/rig`` of a broker. `turn` it often."""

    def __init__(self, name: str, host: str, port: int, topic: str, settings: MqttSettings) -> None:
        self.name, self._place = name, f"{host}:{port}"
        self._me = f"{socket.gethostname()} process {os.getpid()}"
        self._other = ""
        self._link = MqttLink(f"{name} rig", host, port, (f"{topic}/rig",), f"{topic}/rig", settings)
        self._link.receiver = self._heard
        self._next_ns = 0

    def turn(self, now_ns: int) -> None:
        """Say that we are there. Raises Blocked where somebody else is."""
        self._link.advance(now_ns)
        try:
            self._link.pump(now_ns)
            if self._link.is_open and now_ns >= self._next_ns:
                self._next_ns = now_ns + EVERY_NS
                self._link.write(self._me.encode(), now_ns)
        except LinkLost:
            return  # the wire beside it says so
        if self._other:
            raise Blocked(
                f"{self.name}: another rig ({self._other}) speaks at the broker {self._place}; end one of the two"
            )

    def close(self) -> None:
        """With a goodbye."""
        self._link.close()

    def _heard(self, data: bytes, t_ns: int) -> None:
        said = data.decode("utf-8", "replace")[:80]
        if said != self._me:
            self._other = said
