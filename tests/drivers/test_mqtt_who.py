"""Who may come in at a real mosquitto, and in which words the others are told: TLS, users, rights, client ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drivers.links.mqtt import MqttLink, MqttSettings
from hil.peers import broker
from hil.peers.broker import Broker
from hil.peers.certificates import Certificates

pytestmark = pytest.mark.skipif(bool(broker.missing()), reason=broker.missing() or "-")

Loop = Any
"""The one of conftest.py."""


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
    said = str(loop.lost[0])  # mosquitto 2.0.11 only hangs up, later ones say why
    hangs_up = "has gone; is it still running? Does another client use the id 'west'?"
    says_why = "has another client with the id 'west'; give every controller its own client_id"
    assert hangs_up in said or says_why in said
    loop.until(lambda: len(loop.lost) == 6, "them to put each other out again and again")
    assert {lost.device for lost in loop.lost} == {"first", "second"}
    assert max(loop.pauses_ns) > 3 * min(loop.pauses_ns)
