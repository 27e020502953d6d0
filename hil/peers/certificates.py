"""Certificates for a private broker: an authority of its own, a server, a client; made by the openssl command.

They hold for localhost, 127.0.0.1 and ::1, for a week, and prove nothing to anybody else.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import msgspec

from drivers.errors import BenchError

MAKE_S = 60.0
_SERVER_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"


class Certificates(msgspec.Struct, frozen=True):
    """Paths of PEM files: the authority's certificate, and certificate and key of each side."""

    ca_file: str
    server_cert_file: str
    server_key_file: str
    client_cert_file: str
    client_key_file: str


def missing() -> str:
    """Why no certificates can be made here; empty if they can."""
    return "" if shutil.which("openssl") else "no openssl here; on Debian: apt-get install openssl"


def make(folder: Path, name: str = "leeze-test") -> Certificates:
    """Make all of them in `folder`. Raises BenchError."""
    ca = _pair(folder, "ca", f"{name} authority", [])
    server = _pair(folder, "server", "localhost", [*_signed_by(ca), "-addext", _SERVER_NAMES])
    client = _pair(folder, "client", f"{name} client", _signed_by(ca))
    return Certificates(ca[0], *server, *client)


def _signed_by(authority: tuple[str, str]) -> list[str]:
    return ["-CA", authority[0], "-CAkey", authority[1], "-addext", "basicConstraints=critical,CA:FALSE"]


def _pair(folder: Path, role: str, subject: str, more: list[str]) -> tuple[str, str]:
    cert, key = str(folder / f"{role}.pem"), str(folder / f"{role}-key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", key, "-out", cert, "-days", "7", "-subj", f"/CN={subject}", *more]
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=MAKE_S, check=True)  # noqa: S603
    except subprocess.CalledProcessError as error:
        raise BenchError(f"openssl makes no certificate: {error.stderr.strip()}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"openssl makes no certificate: {error}") from None
    return cert, key
