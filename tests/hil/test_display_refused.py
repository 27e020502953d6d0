"""A display before a broker that refuses, is slow or is none: dark, told in words, and right again by itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from boards.hardware import hardware
from boards.load import load_board
from boards.schema import BoardDescription
from controllers.greenwave.picture import Aspect, Stage
from controllers.greenwave.policy import GreenwavePolicy
from controllers.greenwave.site import GreenwaveSite
from controllers.service.assemble import Controller, greenwave_controller
from controllers.service.loop import RealTimeLoop
from controllers.service.status import Status
from drivers.clock import SystemClock
from drivers.devices.panel import FramePanel
from drivers.links.mqtt import MqttLink, MqttSettings
from drivers.links.poll import WirePoll
from drivers.links.worker import Worker
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers import broker, certificates
from hil.peers.broker import Broker
from hil.peers.certificates import Certificates
from hil.peers.signal_publisher import FIXED, BrokerWay, ProgrammeCrossing, SignalPublisher

MISSING = broker.missing() or certificates.missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING or "-")

DEADLINE_NS = 60 * NS_PER_S
TRUSTED = "its certificate is not trusted: "

BOARD = """
format = 1
name = "bench-refused"
title = "One panel, one broker"
model = "laptop"
product = "greenwave"
period_ms = 100
bench = true
[wires.feed]
kind = "mqtt"
host = "localhost"
port = {port}
subscribe = ["/spat/+"]
{more}
[wires.panel]
kind = "matrix"
width_px = 96
height_px = 32
driver = "frame-buffer"
[devices.feed]
part = "spat-feed"
wire = "feed"
message_format = "spat-xml"
stale_ms = 2000
[devices.panel]
part = "panel"
wire = "panel"
"""
TLS = 'tls = true\nca_file = "{ca}"'
SITE = GreenwaveSite(
    name="bench-refused", station=4070, group=7, distance_m=0.001, fast_kmh=18.0, degrade_s=1.0, stale_s=2.0
)

AUTHORITY = """
[ca]
default_ca = ours
[ours]
database = index
new_certs_dir = .
serial = serial
default_md = sha256
policy = names
x509_extensions = server
[names]
commonName = supplied
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost
"""


class Display:
    """The controller, turned in this process until something is reached."""

    def __init__(self, folder: Path, port: int, more: str) -> None:
        board = folder / "board.toml"
        board.write_text(BOARD.format(port=port, more=more))
        description: BoardDescription = load_board(str(board))
        self.controller: Controller = greenwave_controller(SITE, description, hardware(description))
        self.said: list[str] = []
        self.clock = SystemClock()
        links = self.controller.board.links
        wires = WirePoll(links.values(), self.clock, self.controller.board.period_ns)
        status = Status(self.controller, self.said.append)
        self._loop = RealTimeLoop(self.controller, wires, self.clock, lambda: True, status)
        link = links["feed"]
        assert isinstance(link, MqttLink)
        self.link = link

    @property
    def lit(self) -> bool:
        panel = self.controller.board.panels["panel"]
        assert isinstance(panel, FramePanel)
        return any(panel.picture.rgb)

    def run(self, reached: Callable[[], bool]) -> None:
        """Until it is reached, at the end of a turn; then stop it."""
        deadline_ns = self.clock.now_ns() + DEADLINE_NS

        def asked_to_stop() -> bool:
            assert self.clock.now_ns() < deadline_ns, f"{self.said}, {self.link.trouble}"
            return reached()

        self._loop.run(asked_to_stop)

    def close(self) -> None:
        for link in self.controller.board.links.values():
            link.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("papers"))


def expired(papers: Certificates, folder: Path) -> Certificates:
    """The same authority, and a server that ran out in 2020."""
    (folder / "settings").write_text(AUTHORITY)
    (folder / "index").write_text("")
    (folder / "serial").write_text("01\n")
    key, cert = folder / "key.pem", folder / "cert.pem"
    make = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj"]
    make += ["/CN=localhost", "-keyout", str(key), "-out", "asked.pem"]
    sign = ["ca", "-batch", "-config", "settings", "-cert", papers.ca_file, "-in", "asked.pem", "-out", str(cert)]
    sign += ["-keyfile", papers.ca_file.replace("ca.pem", "ca-key.pem"), "-notext"]
    sign += ["-startdate", "20200101000000Z", "-enddate", "20200108000000Z"]
    for words in (make, sign):
        subprocess.run(["openssl", *words], cwd=folder, capture_output=True, check=True, timeout=60)
    return Certificates(papers.ca_file, str(cert), str(key), papers.client_cert_file, papers.client_key_file)


def wrong_password(stack: ExitStack, folder: Path, papers: Certificates) -> int:
    return stack.enter_context(Broker(folder, users={"display": "right"})).port


def expired_certificate(stack: ExitStack, folder: Path, papers: Certificates) -> int:
    return stack.enter_context(Broker(folder, certificates=expired(papers, folder))).port


def other_authority(stack: ExitStack, folder: Path, papers: Certificates) -> int:
    return stack.enter_context(Broker(folder, certificates=certificates.make(folder, "other"))).port


def plain(stack: ExitStack, folder: Path, papers: Certificates) -> int:
    return stack.enter_context(Broker(folder)).port


def with_tls(stack: ExitStack, folder: Path, papers: Certificates) -> int:
    return stack.enter_context(Broker(folder, certificates=papers)).port


def silent(stack: ExitStack, folder: Path, papers: Certificates) -> int:
    """Accepts, and says nothing."""
    return int(stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1])


def nobody(stack: ExitStack, folder: Path, papers: Certificates) -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.parametrize(
    ("far", "more", "words"),
    [
        (wrong_password, 'user = "display"\npassword_file = "{password}"', "refuses user 'display': Not authorized; "),
        (wrong_password, "", "refuses us, who come without a user: Not authorized; check user and password_file"),
        (expired_certificate, TLS, TRUSTED + "certificate has expired; is this machine's clock right? (timedatectl)"),
        (other_authority, TLS, TRUSTED),
        (plain, TLS, "hangs up at once; is port "),
        (with_tls, "", "hangs up at once; does this port want TLS (tls = true; usually port 8883)?"),
        (silent, TLS, "does not answer; is the address right, is a firewall in between?"),
        (nobody, "", "nobody listens there; is the broker running?"),
    ],
)
def test_a_display_that_is_not_let_in_is_dark_and_says_why(
    far: Callable[[ExitStack, Path, Certificates], int],
    more: str,
    words: str,
    stack: ExitStack,
    tmp_path: Path,
    papers: Certificates,
) -> None:
    (tmp_path / "password").write_text("wrong\n")
    port = far(stack, tmp_path, papers)
    display = Display(tmp_path, port, more.format(ca=papers.ca_file, password=tmp_path / "password"))
    stack.callback(display.close)
    told = f"wire feed: localhost:{port}: {words}"
    seen: list[bool] = []

    def reached() -> bool:
        seen.append(display.lit)
        return any(line.startswith(told) for line in display.said)

    display.run(reached)
    assert not any(seen)
    assert not display.link.is_open
    assert display.link.counters()["messages"] == 0


def test_a_broker_that_stands_still_darkens_the_display_and_old_messages_do_not_deceive_it(
    stack: ExitStack, tmp_path: Path
) -> None:
    served = stack.enter_context(Broker(tmp_path))
    assert served.process_id is not None
    stack.callback(os.kill, served.process_id, signal.SIGCONT)
    display = Display(tmp_path, served.port, "")
    stack.callback(display.close)
    way = BrokerWay("localhost", served.port, "/spat/4070", MqttSettings())
    stack.callback(way.close)
    clock, crossing = display.clock, ProgrammeCrossing(FIXED)
    publisher = SignalPublisher(crossing, way, lambda line: None, clock.now_ns(), clock.utc_ns())
    worker = Worker("signal", idle=lambda: publisher.turn(clock.now_ns()), idle_s=0.02)
    stack.callback(worker.close)
    policy = display.controller.cycle.policy
    assert isinstance(policy, GreenwavePolicy)
    steps = [(True, signal.SIGSTOP), (False, signal.SIGCONT), (True, None)]
    looks: list[tuple[Aspect, int]] = []

    def reached() -> bool:
        if not looks or policy.aspect is not looks[-1][0]:
            looks.append((policy.aspect, clock.now_ns()))
        lit, number = steps[0]
        if display.lit is lit:
            if number is not None:
                os.kill(served.process_id or 0, number)
            steps.pop(0)
        return not steps

    display.run(reached)
    assert display.link.counters()["link_losses"] == 0
    assert "feed: well again" in display.said
    assert policy.figures()["feed"]["rejected"]["outlier"] > 0
    told = [(aspect, t_ns) for aspect, t_ns in looks if aspect.remaining_ms is not None]
    assert len(told) >= 2  # once before it stood still, once after; more by how the threads fall
    for aspect, t_ns in told:
        at_ms = (t_ns - publisher.start_ns) // NS_PER_MS
        assert aspect.stage is Stage.RED, f"{aspect}; the track is red for its first 34 s, red-amber included"
        assert aspect.remaining_ms is not None
        assert abs(at_ms + aspect.remaining_ms - 34_000) <= 1000


def test_a_broker_that_stands_still_for_longer_is_a_loss_and_the_display_comes_back(
    stack: ExitStack, tmp_path: Path
) -> None:
    served = stack.enter_context(Broker(tmp_path))
    assert served.process_id is not None
    stack.callback(os.kill, served.process_id, signal.SIGCONT)
    display = Display(tmp_path, served.port, "keepalive_s = 1")
    stack.callback(display.close)
    told = f"wire feed: localhost:{served.port}: says nothing for 1 s; is the network up?"
    steps: list[tuple[Callable[[], bool], int | None]] = [
        (lambda: display.link.is_open, signal.SIGSTOP),
        (lambda: told in display.said, signal.SIGCONT),
        (lambda: display.link.is_open, None),
    ]

    def reached() -> bool:
        if steps[0][0]():
            number = steps.pop(0)[1]
            if number is not None:
                os.kill(served.process_id or 0, number)
        return not steps

    display.run(reached)
    assert display.link.counters()["link_losses"] == 1
