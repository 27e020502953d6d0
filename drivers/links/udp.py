"""Datagrams as a wire: what comes to a port comes in, a datagram a chunk. It only hears.

No call waits and there is no thread: the socket is polled by the loop. A port that is taken, or an interface that is
not up yet, is tried again with growing pauses, driven by the caller's clock.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct

from drivers.errors import InputError, LinkLost
from drivers.interfaces import Receiver, RepeatReceiver, unheard, unheard_repeat
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

BACK_OFF_MIN_NS = 500 * NS_PER_MS
BACK_OFF_MAX_NS = 30 * NS_PER_S
MOST_AT_ONCE = 64
"""Datagrams taken in one `pump`; the rest waits in the kernel, so that a flood cannot hold up the loop."""
BUFFER_B = 262_144
"""What the kernel may keep for us, if it allows so much."""
MOST_DATAGRAM_B = 65_507

_SO_RXQ_OVFL = 40  # Linux: with each datagram, how many were dropped for want of room; the module has no name for it


class UdpLink:
    """A bound port as a ByteLink.

    Args:
        name: of the wire, e.g. ``"feed"``.
        host: our address to hear at, e.g. ``"0.0.0.0"`` for all of IPv4, ``"::"`` for all of IPv6.
        port: 1 to 65535; 0 lets the system choose (see `port` when open).
        group: an IPv4 multicast group to join, e.g. ``"239.1.2.3"``; None without.
        interface: our address on the network of the group; None leaves that to the routing table.
        sender: take datagrams of this address alone; None: of all.
        max_datagram_b: longer ones are counted and dropped.

    Not open at first: `advance` opens it when `wake_ns` has come. Raises InputError for addresses that are none.
    """

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        group: str | None = None,
        interface: str | None = None,
        sender: str | None = None,
        max_datagram_b: int = 8192,
    ) -> None:
        for what, text in (("host", host), ("interface", interface), ("sender", sender)):
            if text is not None and wrong_address(text):
                raise InputError(f"{name}: {what} {wrong_address(text)}")
        if group is not None and (said := wrong_group(group, host)):
            raise InputError(f"{name}: group {said}")
        if not 0 <= port <= 65_535:
            raise InputError(f"{name}: port {port}; ports are 1 to 65535")
        if not 1 <= max_datagram_b <= MOST_DATAGRAM_B:
            raise InputError(f"{name}: max_datagram_b {max_datagram_b}; 1 to {MOST_DATAGRAM_B}")
        self.name = name
        self.receiver: Receiver = unheard
        self.repeat_receiver: RepeatReceiver = unheard_repeat
        self.wake_ns = -FOREVER_NS
        self.trouble = "not opened yet"
        self.host, self.port = host, port
        self._group, self._interface = group, interface
        self._sender = None if sender is None else _plain(sender)
        self._max_b = max_datagram_b
        self._end: socket.socket | None = None
        self._closed = False
        self._back_off_ns = BACK_OFF_MIN_NS
        self._count = dict.fromkeys(("datagrams", "oversize", "empty", "strangers", "dropped_inward", "link_losses"), 0)
        self._overflow = 0

    @property
    def is_open(self) -> bool:
        """True while datagrams can come; else `trouble` says why not."""
        return self._end is not None

    def counters(self) -> dict[str, int]:
        """Since the start: datagrams heard, and what was left out: `oversize`, `empty`, `strangers` (another sender),
        `dropped_inward` (the kernel had no room: we were too slow), `link_losses`.
        """
        return dict(self._count)

    def open(self, t_ns: int) -> None:
        """Open now. Raises LinkLost with the mend; the next try is then due at `wake_ns`."""
        if self._end is not None:
            return
        self._closed = False
        end = None
        try:
            end = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET, socket.SOCK_DGRAM)
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_B)
            end.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
            if self._group is not None:  # several programs may hear one group
                end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            end.bind((self.host, self.port))
            if self._group is not None:
                at = socket.inet_aton(self._interface or "0.0.0.0")  # noqa: S104 - "any", as the routes say
                end.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(self._group) + at)
        except OSError as error:
            if end is not None:
                end.close()
            self._put_off(t_ns, self._mend(error))
            raise LinkLost(self.name, t_ns, self.trouble) from None
        self.port = end.getsockname()[1]
        self._end, self._overflow = end, 0
        self.trouble, self.wake_ns, self._back_off_ns = "", FOREVER_NS, BACK_OFF_MIN_NS

    def write(self, data: bytes, t_ns: int) -> None:
        """Raises LinkLost: such a wire only hears."""
        raise LinkLost(self.name, t_ns, f"udp {self._place}: only hears", data[:64])

    def pump(self, t_ns: int) -> None:
        """Hand what has arrived to `receiver`, at most MOST_AT_ONCE datagrams; never blocks. Raises LinkLost."""
        for _ in range(MOST_AT_ONCE):
            end = self._end
            if end is None:
                return
            try:
                data, more, flags, sender = end.recvmsg(self._max_b, 64)
            except BlockingIOError:
                return
            except OSError as error:
                end.close()
                self._end = None
                self._count["link_losses"] += 1
                self._put_off(t_ns, f"gone ({error.strerror})")
                raise LinkLost(self.name, t_ns, self.trouble) from None
            self._note_drops(more)
            if self._sender is not None and _plain(sender[0]) != self._sender:
                self._count["strangers"] += 1
            elif flags & socket.MSG_TRUNC:
                self._count["oversize"] += 1
            elif not data:
                self._count["empty"] += 1
            else:
                self._count["datagrams"] += 1
                self.receiver(data, t_ns)

    def advance(self, now_ns: int) -> None:
        """At `wake_ns`: try to open (again). A failure is silent, see `trouble`."""
        if now_ns < self.wake_ns or self._closed or self._end is not None:
            return
        try:
            self.open(now_ns)
        except LinkLost:
            return  # the next try is set

    def fileno(self) -> int | None:
        """For poll(); None while it is not open."""
        return None if self._end is None else self._end.fileno()

    def close(self) -> None:
        """Close; a second call does nothing."""
        self._closed = True
        self.trouble, self.wake_ns = "closed", FOREVER_NS
        end, self._end = self._end, None
        if end is not None:
            end.close()

    @property
    def _place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def _put_off(self, t_ns: int, words: str) -> None:
        self.trouble = f"udp {self._place}: {words}"
        self.wake_ns = t_ns + self._back_off_ns
        self._back_off_ns = min(2 * self._back_off_ns, BACK_OFF_MAX_NS)

    def _note_drops(self, more: list[tuple[int, int, bytes]]) -> None:
        for level, kind, value in more:
            if level == socket.SOL_SOCKET and kind == _SO_RXQ_OVFL and len(value) >= 4:
                total = struct.unpack("=I", value[:4])[0]
                self._count["dropped_inward"] += (total - self._overflow) & 0xFFFF_FFFF
                self._overflow = total

    def _mend(self, error: OSError) -> str:
        match error.errno:
            case errno.EADDRINUSE:
                return f"taken by another program; see which: sudo ss -ulpn 'sport = :{self.port}'"
            case errno.EACCES:
                return "no permission; ports below 1024 belong to root, use a higher one"
            case errno.EADDRNOTAVAIL:
                return "no address of this computer; ip -brief address lists them"
            case errno.ENODEV | errno.ENETUNREACH:
                return f"no network leads to group {self._group}; name one of our addresses as interface"
        return error.strerror or str(error)


def wrong_address(text: str) -> str:
    """What is wrong with an address; empty where it is one. Names are not looked up: that may take long."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return f'"{text}" is no address; write it in numbers, like "192.168.1.20"'
    return ""


def wrong_group(text: str, host: str) -> str:
    """What is wrong with a multicast group heard at `host`; empty where it is one."""
    try:
        group = ipaddress.IPv4Address(text)
    except ValueError:
        return f'"{text}" is no IPv4 address; groups are 224.0.0.0 to 239.255.255.255'
    if not group.is_multicast:
        return f"{text} is no multicast group; those are 224.0.0.0 to 239.255.255.255"
    return 'is of IPv4, but host is of IPv6; use host = "0.0.0.0"' if ":" in host else ""


def _plain(address: str) -> str:
    """One spelling: IPv4 as IPv6 sees it, zones left out."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
