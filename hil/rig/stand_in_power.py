"""The power relay of the stand-in rig: ``python -m hil.rig.stand_in_power SOCKET BOARD on|off``."""

from __future__ import annotations

import socket
import sys


def main(place: str, board: str, state: str) -> int:
    """0 where it has switched."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.settimeout(15.0)
        try:
            end.connect(place)
            end.sendall(f"{board} {state}\n".encode("ascii"))
            return 0 if end.recv(16).startswith(b"ok") else 1
        except OSError as error:
            sys.stderr.write(f"no relay at {place}: {error}\n")
            return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
