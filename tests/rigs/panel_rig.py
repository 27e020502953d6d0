"""Panel libraries with their real interfaces and no panel: each frame they are told to show is a line of a file."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

from drivers.codecs.panel_frame import Picture, encode
from drivers.codecs.panel_stream import FRAME, KEEP_ALIVE, mark
from drivers.codecs.panel_stream import encode as record
from drivers.links.port import open_port

PATIENCE_S = 30.0

MAIN = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background hands down that it is ignored
from drivers.cli import main
sys.exit(main())
"""

RGBMATRIX = '''
"""The interface of hzeller's Python binding, as far as a canvas goes (bindings/python/rgbmatrix/core.pyx)."""
import os


class RGBMatrixOptions:
    __slots__ = (
        "rows", "cols", "chain_length", "parallel", "hardware_mapping", "gpio_slowdown", "drop_privileges",
        "brightness", "pwm_bits", "pixel_mapper_config", "disable_hardware_pulsing",
    )


def say(line):
    with open(os.environ["PANEL_LOG"], "a") as file:
        file.write(line + "\\n")


class FrameCanvas:
    def __init__(self, size):
        self.size, self.rgb = size, b""

    def SetImage(self, image, offset_x=0, offset_y=0, unsafe=True):
        assert (image.mode, image.size) == ("RGB", self.size)
        self.rgb = image.tobytes()


class RGBMatrix:
    def __init__(self, rows=0, chains=0, parallel=0, options=None):
        self.size = (options.cols * options.chain_length, options.rows)
        say(f"options {options.rows} {options.cols} {options.chain_length} {options.hardware_mapping} "
            f"{options.drop_privileges}")

    def CreateFrameCanvas(self):
        return FrameCanvas(self.size)

    def SwapOnVSync(self, canvas, framerate_fraction=1):
        assert isinstance(canvas, FrameCanvas)
        say("shown " + canvas.rgb.hex())
        return FrameCanvas(self.size)
'''

PIOMATTER = '''
"""The interface of Adafruit-Blinka-Raspberry-Pi5-Piomatter 1.0.0 (src/pymain.cpp): it reads a buffer when told to."""
import enum
import os


class Colorspace(enum.Enum):
    RGB565, RGB888, RGB888Packed = range(3)


class Orientation(enum.Enum):
    Normal, R180, CCW, CW = range(4)


class Pinout(enum.Enum):
    AdafruitMatrixHat, AdafruitMatrixHatBGR, Active3, Active3BGR = range(4)


def say(line):
    with open(os.environ["PANEL_LOG"], "a") as file:
        file.write(line + "\\n")


class Geometry:
    def __init__(self, width, height, n_addr_lines, serpentine=True, rotation=Orientation.Normal, n_planes=10,
                 n_temporal_planes=2):
        if width * height % (2 << n_addr_lines):
            raise RuntimeError("Total pixel count must be a multiple")
        self.width, self.height = width, height
        say(f"options {width} {height} {n_addr_lines} {serpentine}")


class PioMatter:
    def __init__(self, colorspace, pinout, framebuffer, geometry):
        if memoryview(framebuffer).nbytes != 3 * geometry.width * geometry.height:
            raise RuntimeError("Framebuffer size must be")
        self.framebuffer = framebuffer

    def show(self):
        say("shown " + bytes(self.framebuffer).hex())
'''


class PanelProcess:
    """``leeze-drivers panel`` with a stand-in for its library. A context manager: whatever happens, it ends.

    Args:
        folder: for its socket, its log and the stand-ins.
        words: further words of its command line.
        driver: ``rgbmatrix`` or ``piomatter``.
        size_px: of the panel.
    """

    def __init__(self, folder: Path, *words: str, driver: str = "rgbmatrix", size_px: tuple[int, int] = (4, 2)) -> None:
        self.socket, self.log = folder / "panel", folder / "shown.txt"
        (folder / "rgbmatrix.py").write_text(RGBMATRIX)
        (folder / "adafruit_blinka_raspberry_pi5_piomatter.py").write_text(PIOMATTER)
        self.log.touch()
        width, height = (str(px) for px in size_px)
        say = ["panel", "--driver", driver, "--socket", str(self.socket), "--width", width, "--height", height]
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, *say, "--cols", width, *words],
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), "PANEL_LOG": str(self.log)},
            stderr=subprocess.PIPE,
        )
        self.callers: list[Caller] = []
        self._said = b""

    def __enter__(self) -> PanelProcess:
        self.until_says("dark until a controller")
        return self

    def __exit__(self, *exc: object) -> None:
        for caller in self.callers:
            caller.close()
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def until_says(self, words: str) -> str:
        """Its line with these words."""
        assert self.process.stderr is not None
        fd = self.process.stderr.fileno()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            line, end, rest = self._said.partition(b"\n")
            if end:
                self._said = rest
                if words in line.decode():
                    return line.decode()
            elif select.select([fd], [], [], 0.1)[0]:
                more = os.read(fd, 4096)
                assert more, f"ended with {self.process.wait()} before it said {words!r}"
                self._said += more
        raise AssertionError(f"never said {words!r}")

    def call(self) -> Caller:
        """A controller; it hangs up when the process ends at the latest."""
        self.callers.append(Caller(self))
        return self.callers[-1]

    def shown(self) -> list[bytes]:
        """The pixels of every frame the library was told to show so far."""
        lines = self.log.read_text().splitlines()
        return [bytes.fromhex(line.split()[1]) for line in lines if line.startswith("shown")]

    def options(self) -> str:
        """What the library was made with."""
        return next(line for line in self.log.read_text().splitlines() if line.startswith("options"))[8:]

    def until_last_is(self, rgb: bytes, frames_before: int = 0) -> int:
        """Wait until the library shows these pixels; gives how many frames it was told until then."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            seen = self.shown()
            if len(seen) > frames_before and seen[-1] == rgb:
                return len(seen)
            time.sleep(0.01)  # how often we look, no synchronisation
        raise AssertionError(f"never showed {rgb.hex()[:80]}; last: {[each.hex()[:80] for each in self.shown()[-2:]]}")


class Caller:
    """A controller as the panel process sees one: a socket, and records by hand."""

    def __init__(self, process: PanelProcess) -> None:
        self._port = open_port(f"unix://{process.socket}", 1, "N", 1)

    def show(self, picture: Picture) -> None:
        self._port.write(record(FRAME, encode(picture)))

    def keep(self, picture: Picture) -> None:
        self._port.write(record(KEEP_ALIVE, mark(encode(picture))))

    def hears(self) -> bytes:
        """What the process answers next; empty when it hangs up."""
        ready, _, _ = select.select([self._port.fileno()], [], [], PATIENCE_S)
        assert ready, "it says nothing"
        try:
            return self._port.read()
        except ConnectionError:
            return b""

    def close(self) -> None:
        self._port.close()
