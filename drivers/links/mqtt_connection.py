"""One connection to an MQTT broker, by paho-mqtt, from its first byte to its last; drivers.links.mqtt makes the next.

paho's network thread and the worker that connects bring everything home through mailboxes; nothing here calls the loop.
Files (password, certificates) are read anew for every connection, so that renewed ones are taken without a restart.

A fresh paho client for each connection: what was not acknowledged is queued again by the link, bounded and in order,
and not by paho. The price: a QoS 1 message under way when the connection is lost may come twice.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from drivers.links.mqtt_words import failure, refusal
from drivers.links.worker import Mailbox
from drivers.topics import join_topic

if TYPE_CHECKING:
    from paho.mqtt.client import Client

CONNECT_S = 3.0
"""How long a broker may take to accept, and again for the TLS handshake."""
WINDOW = 20
"""Most messages sent and not yet acknowledged; a broker may ask for fewer."""
ENVELOPE_B = 1024
"""What a packet may hold beside topic and payload."""
SESSION_S = 86_400
"""How long an MQTT 5 broker shall keep a session that is not clean."""


class Will(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker says for us when we vanish; not when we close. ``Will(topic="path/west", payload=b"gone")``."""

    topic: str
    payload: bytes
    qos: Literal[0, 1, 2] = 1
    retain: bool = True


class MqttSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to talk to a broker. The password stands in a file, never here.

    `qos` is for both directions, `retain` for what is published. `client_id` has to be unique at the broker; empty lets
    the broker choose. `protocol` is "5" or "3.1.1". Without `clean_session` the broker keeps what comes while we are
    away (needs a client id). With `tls` (1.2 or newer) `ca_file` is the authority that signed the broker's certificate
    (None: the system's), `cert_file` and `key_file` our own. Limits are in messages.

    `take_retained`: also hear messages that the broker has kept from before. They may be of any age, and a neighbour's
    would pass for a sign of life, so they are dropped and counted unless this is set.

    `topics`: hand over each payload with its topic (drivers.topics).
    """

    qos: Literal[0, 1, 2] = 0
    retain: bool = False
    client_id: str = ""
    keepalive_s: int = 30
    protocol: Literal["5", "3.1.1"] = "5"
    clean_session: bool = True
    user: str | None = None
    password_file: str | None = None
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    will: Will | None = None
    outgoing_limit: int = 256
    incoming_limit: int = 256
    max_payload_b: int = 65_536
    take_retained: bool = False
    topics: bool = False


class Event(msgspec.Struct, frozen=True):
    """What a connection tells, in this order: `reached`, `open`, any number of `acked`, `gone` (the last).

    `number` is that of the connection. `words` say why it is gone, or why a message was refused (`acked`). `window` and
    `packet_limit_b` (0: none) are what the broker asks for.
    """

    number: int
    kind: Literal["reached", "open", "acked", "gone"]
    words: str = ""
    message_id: int = 0
    window: int = WINDOW
    packet_limit_b: int = 0


class Arrivals:
    """What has come in over all connections: payloads for the loop, and counts of what was left out."""

    def __init__(self, limit: int) -> None:
        self.payloads: Mailbox[bytes] = Mailbox(limit)
        self.oversize = 0
        self.retained = 0


class Connection:
    """One attempt at a broker, and what comes of it. `begin` belongs to a worker, the rest to the loop."""

    def __init__(
        self,
        number: int,
        place: tuple[str, int],
        topics: tuple[tuple[str, ...], str],
        settings: MqttSettings,
        events: Mailbox[Event],
        arrivals: Arrivals,
    ) -> None:
        self.number = number
        self._host, self._port = place
        self._subscribe, self._publish = topics
        self._settings, self._events, self._arrivals = settings, events, arrivals
        self._client: Client | None = None
        self._tls: _Context | None = None
        self._given_up = False
        self._answered = False
        self._gone = False
        self._let_in = Event(number, "open")

    def begin(self) -> None:
        """Connect; takes `CONNECT_S` twice at most, and what the system's resolver takes."""
        try:
            client = self._made()
        except (OSError, ValueError) as error:
            self._tell_gone(str(error))
            return
        try:
            client.connect(self._host, self._port, self._settings.keepalive_s, **self._session())
        except (OSError, ValueError) as error:
            if self._tls is not None:
                self._tls.hang_up(close=True)  # paho leaves a socket open whose handshake has failed
            self._tell_gone(failure(error, self._host, self._port, self._settings.tls))
            return
        self._client = client
        if self._given_up:
            self.abort()
            self._client = None
            return
        self._tell(Event(self.number, "reached"))
        client.loop_start()

    def publish(self, payload: bytes) -> int | None:
        """Hand one message over; its number, or None if the connection is going (`gone` follows).

        At QoS 1 and 2 a message that paho refuses counts as handed over: when the connection goes just now, paho may
        call refused what has left.
        """
        client, settings = self._client, self._settings
        if client is None:
            return None
        info = client.publish(self._publish, payload, settings.qos, settings.retain)
        return int(info.mid) if info.rc == 0 or settings.qos else None

    def goodbye(self) -> None:
        """Leave as one should: the broker keeps our last will to itself. `gone` follows."""
        client = self._client
        if client is not None:
            client.disconnect()

    def abort(self) -> None:
        """Leave at once, also while `begin` is under way. The threads of this connection end by themselves."""
        self._given_up = True
        if self._tls is not None:
            self._tls.hang_up()
        client = self._client
        end = client.socket() if client is not None else None
        if isinstance(end, socket.socket):
            _shut(end)

    def _made(self) -> Client:
        """A client with all its settings. Raises OSError or ValueError in words."""
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        settings = self._settings
        version5 = settings.protocol == "5"

        class Guarded(Client):
            def loop_forever(inner, timeout: float = 1.0, retry_first_connection: bool = False) -> Any:  # noqa: N805
                """What the network thread runs: bytes that are no MQTT end the connection, not only the thread."""
                try:
                    return super().loop_forever(timeout, retry_first_connection)
                except Exception:  # paho raises whatever its decoders raise
                    self._tell_gone(self._not_mqtt)
                    self.abort()
                finally:
                    self._client = None  # no cycle: with it go the sockets, now and not when there is time for it

        client = Guarded(
            CallbackAPIVersion.VERSION2,
            settings.client_id,
            clean_session=None if version5 else settings.clean_session,
            protocol=MQTTProtocolVersion.MQTTv5 if version5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages_set(WINDOW)
        if settings.user is not None:
            client.username_pw_set(settings.user, _password(settings.password_file))
        if settings.tls:
            self._tls = _tls(settings)
            client.tls_set_context(self._tls)
        if settings.will is not None:
            will = settings.will
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_socket_open = _no_delay
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        return client

    def _session(self) -> dict[str, Any]:
        """Arguments of CONNECT that only MQTT 5 has."""
        settings = self._settings
        if settings.protocol != "5":
            return {}
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        longest_topic_b = (
            65_535
            if any(mark in topic for topic in self._subscribe for mark in "+#")
            else max((len(topic.encode()) for topic in self._subscribe), default=0)
        )
        properties.MaximumPacketSize = 2 * settings.max_payload_b + longest_topic_b + ENVELOPE_B
        if not settings.clean_session:
            properties.SessionExpiryInterval = SESSION_S
        return {"clean_start": settings.clean_session, "properties": properties}

    # --- called by paho's network thread

    def _on_connect(self, client: Client, _: Any, flags: Any, code: Any, properties: Any) -> None:
        self._answered = True
        if code.is_failure:
            self._leave(client, refusal(code.value, code.getName(), self._settings))
            return
        self._let_in = Event(
            self.number,
            "open",
            window=min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW)),
            packet_limit_b=getattr(properties, "MaximumPacketSize", 0),
        )
        if not self._subscribe:
            self._tell(self._let_in)
        elif self._settings.protocol == "5":
            from paho.mqtt.subscribeoptions import SubscribeOptions

            keep = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
            if not self._settings.take_retained:
                keep = SubscribeOptions.RETAIN_DO_NOT_SEND
            client.subscribe(
                [
                    (topic, SubscribeOptions(self._settings.qos, not topic.startswith("$share/"), retainHandling=keep))
                    for topic in self._subscribe
                ]
            )
        else:
            qos: int = self._settings.qos
            client.subscribe([(topic, qos) for topic in self._subscribe])

    def _on_subscribe(self, client: Client, _: Any, message_id: int, codes: list[Any], properties: Any) -> None:
        for topic, code in zip(self._subscribe, codes, strict=False):
            if code.is_failure:
                self._leave(client, f"refuses topic {topic}: {code.getName()}; check the rights of the user there")
                return
        self._tell(self._let_in)

    def _on_message(self, client: Client, _: Any, message: Any) -> None:
        if message.retain and not self._settings.take_retained:
            self._arrivals.retained += 1
        elif len(message.payload) > self._settings.max_payload_b:
            self._arrivals.oversize += 1
        else:
            payload = bytes(message.payload)
            self._arrivals.payloads.put(join_topic(_topic(message), payload) if self._settings.topics else payload)

    def _on_publish(self, client: Client, _: Any, message_id: int, code: Any, properties: Any) -> None:
        words = f"refuses what we publish: {code.getName()}" if code.is_failure else ""
        self._tell(Event(self.number, "acked", words, message_id))

    def _on_disconnect(self, client: Client, _: Any, flags: Any, code: Any, properties: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            words = refusal(code.value, code.getName(), self._settings)
        elif code.getName() == "Keep alive timeout":
            words = f"says nothing for {self._settings.keepalive_s} s; is the network up?"
        elif code.getName() == "Protocol error":
            words = self._not_mqtt
        elif self._answered:
            words = "has gone; is it still running?"
            if self._settings.client_id:
                words += f" Does another client use the id {self._settings.client_id!r}?"
        else:
            words = "hangs up at once; " + (
                "does it want a client certificate (cert_file, key_file)?"
                if self._settings.tls
                else "does this port want TLS (tls = true; usually port 8883)?"
            )
        self._tell_gone(words)

    @property
    def _not_mqtt(self) -> str:
        return f"sends what is not MQTT; is port {self._port} that of a broker?"

    def _leave(self, client: Client, words: str) -> None:
        self._tell_gone(words)
        client.disconnect()

    def _tell_gone(self, words: str) -> None:
        """The first reason counts."""
        if not self._gone:
            self._gone = True
            self._tell(Event(self.number, "gone", words))

    def _tell(self, event: Event) -> None:
        self._events.put(event)


def _topic(message: Any) -> str:
    try:
        return str(message.topic)
    except UnicodeDecodeError:  # no broker should pass it on
        return "?"


def _no_delay(client: Client, _: Any, end: Any) -> None:
    """Without it a message waits for the acknowledgement of the one before: 11 to 21 ms in place of 0.5."""
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _password(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise OSError(f"password_file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"password_file {path} is not UTF-8 text") from None


class _Context(ssl.SSLContext):
    """Remembers the socket it has wrapped, so that a handshake under way can be ended."""

    def wrap_socket(self, *given: Any, **more: Any) -> ssl.SSLSocket:
        self.wrapped = super().wrap_socket(*given, **more)
        return self.wrapped

    def hang_up(self, *, close: bool = False) -> None:
        wrapped: ssl.SSLSocket | None = getattr(self, "wrapped", None)
        if wrapped is not None:
            _shut(wrapped)
            if close:
                wrapped.close()


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(end, socket.SHUT_RDWR)  # the plain one: SSLSocket's would first drop the TLS


def _tls(settings: MqttSettings) -> _Context:
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    ca_file, cert_file, key_file = settings.ca_file, settings.cert_file, settings.key_file
    if ca_file is None:
        context.load_default_certs()
    else:
        _load(f"ca_file {ca_file}", lambda: context.load_verify_locations(ca_file))
    if cert_file is not None and key_file is not None:
        files = f"cert_file {cert_file} or key_file {key_file}"
        _load(files, lambda: context.load_cert_chain(cert_file, key_file, password=""))  # never ask a terminal for it
    return context


def _load(what: str, load: Callable[[], None]) -> None:
    try:
        load()
    except ssl.SSLError as error:
        raise ValueError(f"{what}: not a PEM file, or the two do not fit ({error.reason or error})") from None
    except OSError as error:
        raise OSError(f"{what} cannot be read: {error.strerror}") from None
