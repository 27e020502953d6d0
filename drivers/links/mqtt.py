"""A broker as a wire: what comes on the topics subscribed to comes in, a payload a chunk; what is written is published.

No call waits. Both directions have bounded queues; when one is full the oldest message goes, and is counted. A broker
that is away is tried again with growing pauses, driven by the caller's clock. Only `pump` calls the receiver.
"""

from __future__ import annotations

import select
from collections import deque

from drivers.clock import SystemClock
from drivers.errors import InputError, LinkLost
from drivers.interfaces import Receiver, RepeatReceiver, unheard, unheard_repeat
from drivers.links.mqtt_connection import WINDOW, Arrivals, Connection, Event, MqttSettings, Will
from drivers.links.worker import Mailbox, Worker
from drivers.topics import GONE, OPEN
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

__all__ = ["MqttLink", "MqttSettings", "Will"]

BACK_OFF_MIN_NS = 500 * NS_PER_MS
BACK_OFF_MAX_NS = 30 * NS_PER_S
STEADY_NS = 10 * NS_PER_S
"""A connection that lasted so long was a good one: the next try comes soon."""
ANSWER_NS = 5 * NS_PER_S
"""How long a broker that has accepted may take to let us in."""
GOODBYE_NS = 300 * NS_PER_MS
"""How long `close` waits for what is under way to leave."""
TRIES = 3
"""Connections that may end without any message acknowledged before the oldest is taken for the reason, and dropped."""


class MqttLink:
    """Topics of a broker as a ByteLink that comes back after the broker was away.

    Args:
        name: of the wire, e.g. ``"neighbour"``.
        host, port: of the broker, e.g. ``"localhost"``, 1883 (8883 with TLS).
        subscribe: topics to hear, wildcards allowed, e.g. ``("path/+/state",)``. Which of them a payload came on is
            told only with `topics` of the settings, and then OPEN and GONE of drivers.topics as well.
        publish: the topic to write to, e.g. ``"path/west/state"``; None for a wire that only hears.
        settings: everything else.

    `write` queues while the broker is away and raises LinkLost only where nothing can ever leave: after `close`, and
    without a topic. Not open at first: `advance` opens it when `wake_ns` has come. With MQTT 5 the broker does not send
    us our own messages. Raises InputError for settings that no broker takes.
    """

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        subscribe: tuple[str, ...] = (),
        publish: str | None = None,
        settings: MqttSettings | None = None,
    ) -> None:
        settings = settings or MqttSettings()
        _check(name, subscribe, publish, settings)
        self.name = name
        self.receiver: Receiver = unheard
        self.repeat_receiver: RepeatReceiver = unheard_repeat
        self.wake_ns = -FOREVER_NS
        self.trouble = "not opened yet"
        self.host, self.port = host, port
        self.refusal = ""
        """Why the broker refused a message last, in words; the connection stays."""
        self._topics, self._settings = (subscribe, publish or ""), settings
        self._events: Mailbox[Event] = Mailbox(4 * WINDOW)
        self._arrivals = Arrivals(settings.incoming_limit)
        self._poll = select.epoll()
        for box in (self._events, self._arrivals.payloads):
            fd = box.fileno()
            assert fd is not None
            self._poll.register(fd, select.EPOLLIN)
        self._worker: Worker | None = None
        self._connection: Connection | None = None
        self._open = self._closed = False
        self._opened_ns = 0
        self._window, self._packet_limit_b = WINDOW, 0
        self._waiting: deque[bytes] = deque()
        self._under_way: dict[int, bytes] = {}
        self._fruitless = 0
        self._back_off_ns = BACK_OFF_MIN_NS
        self._count = dict.fromkeys(("messages", "published", "link_losses", "refusals", "dropped", "oversize"), 0)
        self._connections = 0

    @property
    def is_open(self) -> bool:
        """True while the broker has let us in; else `trouble` says why not."""
        return self._open

    @property
    def waiting(self) -> int:
        """Messages written that the broker has not acknowledged (QoS 0: that have not left)."""
        return len(self._waiting) + len(self._under_way)

    def counters(self) -> dict[str, int]:
        """Since the start: messages heard and published, and what was lost on the way, by reason.

        `dropped` left a full queue, or left at QoS 0 when the connection was lost; `dropped_inward` likewise came.
        `oversize` (either way), `retained` (see MqttSettings), `refusals` of the broker, `link_losses`.
        """
        arrivals = self._arrivals
        return self._count | {
            "oversize": self._count["oversize"] + arrivals.oversize,
            "dropped_inward": arrivals.payloads.dropped,
            "retained": arrivals.retained,
        }

    def write(self, data: bytes, t_ns: int) -> None:
        """Publish `data`, now or when the broker is back. Raises LinkLost: closed, or no topic to publish on."""
        if self._closed:
            raise LinkLost(self.name, t_ns, self.trouble, data[:64])
        if not self._topics[1]:
            raise LinkLost(self.name, t_ns, f"{self._place}: has no topic to write to; set publish", data[:64])
        if len(data) > self._settings.max_payload_b:
            self._count["oversize"] += 1
            return
        self._waiting.append(data)
        self._trim()
        self._send()

    def pump(self, t_ns: int) -> None:
        """Hand what has arrived to `receiver`; send what waits. Raises LinkLost, once for each open connection."""
        if self._closed:
            return
        loss = None
        for event in self._events.take():
            if self._connection is not None and event.number == self._connection.number:
                loss = self._told(event, t_ns) or loss
        for payload in self._arrivals.payloads.take():
            self._count["messages"] += 1
            self.receiver(payload, t_ns)
        if loss is not None and self._settings.topics:
            self.receiver(GONE, t_ns)
        self._send()
        if loss is not None:
            raise loss

    def advance(self, now_ns: int) -> None:
        """At `wake_ns`: try the broker (again), or give up on one that says nothing. Failures are silent: `trouble`."""
        if now_ns < self.wake_ns or self._closed:
            return
        if self._connection is not None:
            self._connection.abort()
            self._ended("lets nobody in; is it overloaded, or no broker at all?", now_ns)
            return
        if self._worker is None:
            self._worker = Worker(f"mqtt-{self.name}")
        self._connections += 1
        self._connection = Connection(
            self._connections, (self.host, self.port), self._topics, self._settings, self._events, self._arrivals
        )
        self._worker.submit(self._connection.begin)
        self.wake_ns = FOREVER_NS  # `begin` itself has deadlines

    def fileno(self) -> int | None:
        """For poll(), open or not; None after `close`."""
        return None if self._closed else self._poll.fileno()

    def close(self) -> None:
        """Close, with a proper goodbye where there is time for one; a second call does nothing."""
        if self._closed:
            return
        if self._open and self._connection is not None:
            self._send()
            self._connection.goodbye()
            self._wait_for_goodbye()
        if self._connection is not None:
            self._connection.abort()
        self._closed, self._open, self._connection = True, False, None
        self.trouble, self.wake_ns = "closed", FOREVER_NS
        if self._worker is not None:
            self._worker.submit(self._worker.close)  # from inside, so that nobody waits for a connect under way
        self._poll.close()
        self._events.close()
        self._arrivals.payloads.close()

    @property
    def _place(self) -> str:
        return f"{self.host}:{self.port}"

    def _told(self, event: Event, t_ns: int) -> LinkLost | None:
        match event.kind:
            case "reached":
                self.trouble = f"{self._place}: has accepted, but not let us in yet"
                self.wake_ns = t_ns + ANSWER_NS
            case "open":
                self._open, self._opened_ns = True, t_ns
                self.trouble, self.wake_ns = "", FOREVER_NS
                self._window, self._packet_limit_b = event.window, event.packet_limit_b
                if self._settings.topics:
                    self.receiver(OPEN, t_ns)
            case "acked":
                if self._under_way.pop(event.message_id, None) is None:
                    return None
                self._fruitless = 0
                self._count["refusals" if event.words else "published"] += 1
                self.refusal = event.words or self.refusal
            case "gone":
                was_open = self._open
                self._ended(event.words, t_ns)
                if was_open:
                    self._count["link_losses"] += 1
                    return LinkLost(self.name, t_ns, self.trouble)
        return None

    def _ended(self, words: str, t_ns: int) -> None:
        """No connection; what was under way waits again, in its order, and the next try is set."""
        if self._open and t_ns - self._opened_ns >= STEADY_NS:
            self._back_off_ns = BACK_OFF_MIN_NS
        self._open, self._connection = False, None
        self.trouble = f"{self._place}: {words}"
        self.wake_ns = t_ns + self._back_off_ns
        self._back_off_ns = min(2 * self._back_off_ns, BACK_OFF_MAX_NS)
        under_way = list(self._under_way.values())
        self._under_way.clear()
        if self._settings.qos == 0:
            self._count["dropped"] += len(under_way)
        elif under_way:
            self._waiting.extendleft(reversed(under_way))
            self._fruitless += 1
            if self._fruitless >= TRIES:
                self._fruitless = 0
                self._waiting.popleft()
                self._count["dropped"] += 1
            self._trim()

    def _trim(self) -> None:
        """The newest state of the world is worth more."""
        while self._waiting and self.waiting > self._settings.outgoing_limit:
            self._waiting.popleft()
            self._count["dropped"] += 1

    def _send(self) -> None:
        """As many as may be under way."""
        connection = self._connection
        while self._waiting and self._open and connection is not None and len(self._under_way) < self._window:
            payload = self._waiting[0]
            if 0 < self._packet_limit_b < len(payload) + len(self._topics[1].encode()) + 16:
                self._waiting.popleft()
                self._count["oversize"] += 1
                continue
            message_id = connection.publish(payload)
            if message_id is None:
                return
            self._waiting.popleft()
            self._under_way[message_id] = payload

    def _wait_for_goodbye(self) -> None:
        fd = self._events.fileno()
        assert fd is not None
        clock, poll = SystemClock(), select.poll()
        poll.register(fd, select.POLLIN)
        deadline_ns = clock.now_ns() + GOODBYE_NS
        while (left_ns := deadline_ns - clock.now_ns()) > 0 and poll.poll(left_ns // NS_PER_MS + 1):
            if any(event.kind == "gone" for event in self._events.take()):
                return


def _check(name: str, subscribe: tuple[str, ...], publish: str | None, settings: MqttSettings) -> None:
    """Settings that contradict each other. Raises InputError."""
    if not subscribe and publish is None:
        raise InputError(f"{name}: nothing to hear and nothing to write; give topics to subscribe to, to publish on")
    for topic in subscribe:
        levels = topic.split("/")
        plain = [level for level in levels if level not in ("+", "#")]
        if not topic or "\0" in topic or "#" in levels[:-1] or any(mark in level for level in plain for mark in "+#"):
            raise InputError(f'{name}: cannot hear "{topic}"; + stands for one whole level, # for all that follow')
    for role, said in (("publish", publish), ("the will", settings.will and settings.will.topic)):
        if said is not None and (not said or any(mark in said for mark in "+#\0")):
            raise InputError(f'{name}: "{said}" is no topic for {role}; it has no wildcards, e.g. "path/west/state"')
    if (settings.cert_file is None) != (settings.key_file is None):
        raise InputError(f"{name}: a certificate and its key go together; give both cert_file and key_file")
    if settings.password_file is not None and settings.user is None:
        raise InputError(f"{name}: a password needs a user")
    if not settings.clean_session and not settings.client_id:
        raise InputError(f"{name}: a session that is kept needs a client_id, to be known by")
    if not settings.clean_session and settings.qos == 2:
        raise InputError(f"{name}: QoS 2 needs clean_session; QoS 1 is kept over sessions")
    if min(settings.outgoing_limit, settings.incoming_limit, settings.max_payload_b, settings.keepalive_s) < 1:
        raise InputError(f"{name}: limits and keepalive_s are 1 or more")
