"""One transfer on an I2C bus as bytes, so that such a wire is tapped, recorded and replayed like any other.

The master's request and the far end's reply, one at a time, both self-delimiting::

    request   address u8 | to write u8 | to read u8 | bytes to write ...
    reply     address u8 | status u8   | count u8   | bytes read ...

`address` has 7 bits. Bytes to write come first, then a repeated start and the bytes to read, as in I2C_RDWR. A request
with nothing to write and nothing to read asks whether somebody is there. The format is ours; the bytes in it are the
part's.
"""

from __future__ import annotations

from typing import Final

import msgspec

OK: Final = 0
NACK: Final = 1
"""Nobody acknowledged the address, or the part refused a byte."""
STUCK: Final = 2
"""SDA or SCL is held low, or the controller timed out."""
LOST: Final = 3
"""Another master won the arbitration."""
BROKEN: Final = 4
"""The adapter is gone or the operating system refused."""

STATUS_TEXT: Final = {
    OK: "fine",
    NACK: "no acknowledgement; is the part there, is its address right?",
    STUCK: "the bus is stuck low; check pull-ups, and power-cycle the part that holds it",
    LOST: "arbitration lost; is there a second master?",
    BROKEN: "the I2C adapter does not work",
}
"""What each status means, and what to do."""

HEAD_BYTES: Final = 3
MAX_BYTES: Final = 255


class Request(msgspec.Struct, frozen=True, gc=False):
    """What the master asks: ``Request(0x76, b"\\xd0", 1)`` reads the chip id of a BME280."""

    address: int
    data: bytes = b""
    read_count: int = 0


class Reply(msgspec.Struct, frozen=True, gc=False):
    """What came of it: ``Reply(0x76, OK, b"\\x60")``. `data` is empty unless `status` is OK."""

    address: int
    status: int
    data: bytes = b""


def encode_request(request: Request) -> bytes:
    """Bytes of a request. Raises ValueError: an address beyond 7 bits, more than 255 bytes either way."""
    if not 0 <= request.address <= 0x7F:
        raise ValueError(f"I2C address {request.address:#x} is not 0x00 to 0x7f")
    if len(request.data) > MAX_BYTES or not 0 <= request.read_count <= MAX_BYTES:
        raise ValueError(f"{len(request.data)} bytes to write, {request.read_count} to read; {MAX_BYTES} each at most")
    return bytes((request.address, len(request.data), request.read_count)) + request.data


def encode_reply(reply: Reply) -> bytes:
    """Bytes of a reply. Raises ValueError: an unknown status, more than 255 bytes."""
    if reply.status not in STATUS_TEXT or len(reply.data) > MAX_BYTES:
        raise ValueError(f"no reply has status {reply.status} and {len(reply.data)} bytes")
    return bytes((reply.address & 0x7F, reply.status, len(reply.data))) + reply.data


class RequestStream:
    """Bytes in, requests out; cut anywhere gives the same. Both ends are ours, so nothing is ever skipped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Request]:
        """Requests completed by `data`."""
        whole, self._rest = _cut(self._rest + data, 1)
        return [Request(one[0], one[3:], one[2]) for one in whole]


class ReplyStream:
    """Bytes in, replies out; cut anywhere gives the same."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Reply]:
        """Replies completed by `data`."""
        whole, self._rest = _cut(self._rest + data, 2)
        return [Reply(one[0], one[1], one[3:]) for one in whole]

    def snapshot(self) -> str:
        """What waits for its end, in hex."""
        return self._rest.hex()

    def restore(self, rest: str) -> None:
        """Take over a snapshot."""
        self._rest = bytes.fromhex(rest)


def _cut(data: bytes, count_at: int) -> tuple[list[bytes], bytes]:
    """Whole messages of `data`, whose byte `count_at` says how many follow the head; and the rest."""
    whole = []
    at = 0
    while len(data) - at >= HEAD_BYTES and len(data) - at >= (size := HEAD_BYTES + data[at + count_at]):
        whole.append(data[at : at + size])
        at += size
    return whole, data[at:]
