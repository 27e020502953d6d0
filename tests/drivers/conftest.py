"""A private broker, links that are turned as a controller turns them, and certificates: for the tests of MQTT."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.clock import SystemClock
from drivers.errors import LinkLost
from drivers.links.mqtt import MqttLink, MqttSettings
from drivers.units import FOREVER_NS, NS_PER_S
from hil.peers import broker, certificates
from hil.peers.broker import Broker
from hil.peers.certificates import Certificates

DEADLINE_NS = 30 * NS_PER_S


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
    if broker.missing():
        pytest.skip(broker.missing())
    with Broker(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if certificates.missing():
        pytest.skip(certificates.missing())
    return certificates.make(tmp_path_factory.mktemp("papers"))
