"""Refusals: what a fault `nack` makes of answers on their way to a board."""

from __future__ import annotations

from drivers.codecs import atxled
from drivers.transfers import HEAD_BYTES, NACK, OK, Reply, encode_reply

REFUSING = ("dali", "i2c", "modbus")
"""What a wire carries on which a question can be refused."""

_MOST_BYTES = 256
_SERVER_FAILURE = 4


class Refusals:
    """Answers of one wire as refusals; anything else passes as it is.

    Three contents of a wire know a refusal (`REFUSING`): "dali" (gear does not answer, N), "i2c" (no acknowledgement),
    "modbus" (exception 4). A fault `nack` of any other is refused where it is read (`hil.faults.span.check_names`).
    """

    def __init__(self, content: str) -> None:
        self._content = content
        self._open = b""  # of a Modbus reply that comes byte by byte

    def asked(self) -> None:
        """The board has said something: what comes now is an answer to that."""
        self._open = b""

    def refused(self, data: bytes) -> list[bytes]:
        """What comes of one piece, e.g. ``[b"N\\n"]`` of ``b"JFE\\n"`` on a DALI wire."""
        if self._content == "dali":
            return [atxled.encode("N") if data[:1] in b"JXZ" and data else data]
        if self._content == "i2c":
            known = len(data) >= HEAD_BYTES and data[1] == OK
            return [encode_reply(Reply(data[0], NACK)) if known else data]
        return self._modbus(data) if self._content == "modbus" else [data]

    def _modbus(self, data: bytes) -> list[bytes]:
        from hil.peers.modbus_slaves import with_crc  # late: crcmod is not needed elsewhere

        self._open = reply = self._open + data
        if len(reply) < 5 or with_crc(reply[:-2]) != reply:
            if len(reply) > _MOST_BYTES:
                self._open = b""
            return []
        self._open = b""
        return [with_crc(bytes((reply[0], reply[1] | 0x80, _SERVER_FAILURE)))]

    def snapshot(self) -> str:
        """The reply under way, in hex."""
        return self._open.hex()

    def restore(self, state: str) -> None:
        """Take over a snapshot."""
        self._open = bytes.fromhex(state)
