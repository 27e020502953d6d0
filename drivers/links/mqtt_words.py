"""What a broker, or the way to it, has against us: in words, with what to do."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Protocol

from drivers.links.port import reason


class Identity(Protocol):
    """As whom we come."""

    @property
    def user(self) -> str | None:
        """None without one."""

    @property
    def client_id(self) -> str:
        """Empty where the broker chooses."""


def refusal(code: int, name: str, identity: Identity) -> str:
    """A reason code of MQTT 5 (2.4), e.g. 0x87; `name` is the standard's word for it.

    Example: ``"refuses user 'west': Not authorized; check user and password_file"``.
    """
    match code:
        case 0x84:
            return 'does not speak this protocol; set protocol = "3.1.1"'
        case 0x85:
            return f"refuses client id {identity.client_id!r}; choose another client_id"
        case 0x86 | 0x87 | 0x8C:
            who = "us, who come without a user" if identity.user is None else f"user {identity.user!r}"
            return f"refuses {who}: {name}; check user and password_file"
        case 0x8E:
            return f"has another client with the id {identity.client_id!r}; give every controller its own client_id"
        case 0x95:
            return "hangs up on a message that is too large for it"
        case 0x00:
            return "says goodbye"
    return f"hangs up: {name}"


def failure(error: Exception, host: str, port: int, tls: bool) -> str:
    """Why a connection did not come about. Example: ``"nobody listens there; is the broker running?"``."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message.rstrip('.')}; {_certificate(error)}"
    if isinstance(error, ssl.SSLError):
        said = getattr(error, "reason", None)
        if said in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_MESSAGE"):
            return "does not speak TLS on this port; usually 8883 does, 1883 does not"
        return f"TLS fails: {said or error}; is port {port} one for TLS, does it know TLS 1.2 or newer?"
    if isinstance(error, socket.gaierror):
        return f"name not found; try: getent hosts {host}"
    if isinstance(error, TimeoutError):
        return "does not answer; is the address right, is a firewall in between?"
    match getattr(error, "errno", None):
        case errno.ECONNREFUSED:
            return "nobody listens there; is the broker running?"
        case errno.EHOSTUNREACH | errno.ENETUNREACH:
            return "cannot be reached; is the network up?"
        case errno.ECONNRESET | errno.EPIPE:
            return f"hangs up at once; is port {port} that of a broker{', and for TLS' if tls else ''}?"
    return f"cannot be reached: {reason(error)}"


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    match error.verify_code:
        case 9 | 10:  # not yet valid, expired
            return "is this machine's clock right? (timedatectl)"
        case 62 | 64:  # host name, IP address
            return "use the name that stands in the certificate as host"
    return "check ca_file"
