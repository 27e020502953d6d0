"""A /dev/i2c-1 with chips for a process of its own: no kernel module, no hardware, the process unmodified.

::

    with MockI2c({0x76: "bme280"}) as bench:
        subprocess.run([...], env=os.environ | bench.environment)
        bench.order("absent 0x76")

umockdev's preload library shows the device to that process alone; hil.peers.i2c_testbed serves it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from drivers.errors import BenchError

PYTHON: Final = "/usr/bin/python3"
"""Debian's own: its umockdev bindings are for no other."""

ROOT: Final = Path(__file__).parents[2]
_NEEDED = "import gi; gi.require_version('UMockdev', '1.0'); from gi.repository import UMockdev"


def missing() -> str:
    """Why this bench cannot be used here, and what to install; empty where it can."""
    if not Path(PYTHON).exists():
        return f"no {PYTHON}"
    tried = subprocess.run([PYTHON, "-c", _NEEDED], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    if tried.returncode:
        return "umockdev is not installed (Debian: umockdev gir1.2-umockdev-1.0 python3-gi)"
    return ""


class MockI2c:
    """The bench; `environment` is for the process under test. Raises BenchError where it cannot start.

    Args:
        chips: names of hil.peers.i2c_models.MODELS by address.
    """

    def __init__(self, chips: Mapping[int, str]) -> None:
        self.environment: dict[str, str] = {}
        self._chips = [f"{name}@{address:#04x}" for address, name in chips.items()]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> MockI2c:
        if reason := missing():
            raise BenchError(reason)
        self._process = subprocess.Popen(  # noqa: S603
            [PYTHON, "-m", "hil.peers.i2c_testbed", *self._chips],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"},
        )
        self.environment = json.loads(self._answer())
        return self

    def order(self, words: str) -> str:
        """One order (see hil.peers.i2c_testbed), carried out when this returns; what it answered."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        return self._answer().strip()

    def _answer(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchError("the I2C testbed has ended; run it by hand to see why")
        return line

    def __exit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.wait(timeout=10)
            process.stdout.close()
