"""A private mosquitto: the real broker, for tests and benches, on a port of loopback that nobody else has.

It keeps no message on disk, and every wait for it has a deadline.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from drivers.clock import SystemClock
from drivers.errors import BenchError
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.certificates import Certificates

START_NS = 10 * NS_PER_S
END_S = 5.0
TRIES = 5
"""Ports to try: another program may take one between our asking for it and the broker's."""
_PLACES = (os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin")  # /usr/sbin is on no user's path


def missing() -> str:
    """Why there can be no broker here; empty if there can."""
    return "" if _found("mosquitto") else "no mosquitto here; on Debian: apt-get install mosquitto"


class Broker:
    """A mosquitto of our own; a context manager that starts and stops it.

    Args:
        folder: where its settings and its log go, e.g. a test's temporary folder.
        certificates: speak TLS with these; None for a plain port.
        ask_client: with TLS, let only clients with a certificate of the same authority in.
        users: passwords by name; None lets everybody in.
        rights: lines of an access list, e.g. ``("user west", "topic write path/west")``.
        more: further lines of its settings, e.g. ``("max_packet_size 1000",)``.
    """

    host = "localhost"

    def __init__(
        self,
        folder: Path,
        *,
        certificates: Certificates | None = None,
        ask_client: bool = False,
        users: Mapping[str, str] | None = None,
        rights: tuple[str, ...] = (),
        more: tuple[str, ...] = (),
    ) -> None:
        self.port = 0
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._clock = SystemClock()
        self._lines = [
            "persistence false",
            f"user {pwd.getpwuid(os.geteuid()).pw_name}",
            "max_queued_messages 0",
            *more,
        ]
        if certificates is not None:
            self._lines += [f"cafile {certificates.ca_file}", f"certfile {certificates.server_cert_file}"]
            self._lines += [f"keyfile {certificates.server_key_file}", f"require_certificate {str(ask_client).lower()}"]
        self._lines.append(f"allow_anonymous {str(users is None).lower()}")
        if users is not None:
            self._lines.append(f"password_file {self._passwords(users)}")
        if rights:
            (folder / "rights").write_text("\n".join(rights) + "\n", encoding="utf-8")
            self._lines.append(f"acl_file {folder / 'rights'}")

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def process_id(self) -> int | None:
        """Of the running broker; None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def log(self) -> str:
        """What it has said since it was started first."""
        path = self._folder / "mosquitto.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it, on the port it had before where there was one, and wait until it listens. Raises BenchError."""
        if self._process is not None:
            return
        for _ in range(1 if self.port else TRIES):
            port = self.port or _free_port()
            if self._started(port):
                self.port = port
                return
        raise BenchError(f"mosquitto does not start: {self.log.strip()[-500:]}")

    def stop(self) -> None:
        """End it as a service manager would; a second call does nothing."""
        self._end(kill=False)

    def kill(self) -> None:
        """End it as a power cut would: no goodbye to anybody."""
        self._end(kill=True)

    def _started(self, port: int) -> bool:
        program = _found("mosquitto")
        if program is None:
            raise BenchError(missing())
        settings = self._folder / "mosquitto.conf"
        settings.write_text("\n".join([f"listener {port} {self.host}", *self._lines]) + "\n", encoding="utf-8")
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a program we looked up, a file we wrote
                [program, "-c", str(settings)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline_ns = self._clock.now_ns() + START_NS
        while self._clock.now_ns() < deadline_ns:
            if self._process.poll() is not None:
                self._process = None
                return False
            try:
                socket.create_connection((self.host, port), timeout=1.0).close()
            except OSError:
                self._clock.sleep_until_ns(self._clock.now_ns() + 10 * NS_PER_MS)
            else:
                return True
        self.kill()
        return False

    def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if kill:
            process.kill()
        else:
            process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(END_S)

    def _passwords(self, users: Mapping[str, str]) -> Path:
        path, program = self._folder / "passwords", _found("mosquitto_passwd")
        if program is None:
            raise BenchError("no mosquitto_passwd here; it comes with the Debian package mosquitto")
        path.write_text("".join(f"{user}:{password}\n" for user, password in users.items()), encoding="utf-8")
        path.chmod(0o600)
        subprocess.run([program, "-U", str(path)], capture_output=True, timeout=END_S, check=True)  # noqa: S603
        return path


def _found(program: str) -> str | None:
    return shutil.which(program, path=os.pathsep.join(_PLACES))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as asked:
        return int(asked.getsockname()[1])
