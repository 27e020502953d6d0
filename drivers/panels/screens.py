"""The libraries that drive LED panels, each behind two calls. Imported when one is opened, in the panel process only.

==========  =====================================================================================================
driver      library
==========  =====================================================================================================
rgbmatrix   hzeller's rpi-rgb-led-matrix (not on the package index: built from its source, docs/leezenflow.md);
            Raspberry Pi up to 4; wants root at its start and then drops to a user without rights by itself
piomatter   Adafruit-Blinka-Raspberry-Pi5-Piomatter: Raspberry Pi 5; needs /dev/pio0, no root
emulator    RGBMatrixEmulator: a page at http://127.0.0.1:8888, or another of its adapters
terminal    this terminal, in true colour
png         a file, written anew when the picture changes, at most twice a second
==========  =====================================================================================================

All take 3 bytes a pixel and undo gamma by themselves (rgbmatrix by CIE 1931, piomatter by 2.2).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import msgspec

from drivers.codecs.panel_frame import Picture
from drivers.errors import BenchError, InputError


class ScreenSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a library needs to know. `cols` is the width of one panel of the chain; `out` the file of ``png``."""

    width_px: int = 96
    height_px: int = 32
    mapping: str = "adafruit-hat"
    cols: int = 32
    slowdown: int = 2
    adapter: str = "browser"
    upright: bool = True
    out: Path | None = None


class Screen(Protocol):
    """An open panel."""

    def show(self, rgb: bytes) -> None:
        """Show these pixels; may block for a refresh of the panel."""

    def close(self) -> None:
        """Dark, and let go."""


def open_screen(driver: str, settings: ScreenSettings) -> Screen:
    """Raises BenchError where the library is missing or refuses, InputError for settings that cannot be."""
    try:
        return SCREENS[driver](settings)
    except ImportError as error:
        raise BenchError(f"driver {driver}: {error}; install it: {_INSTALL[driver]}") from None
    except (OSError, RuntimeError) as error:
        raise BenchError(f"driver {driver}: {error}; is this the right Raspberry Pi, and may we use it?") from None


class _Matrix:
    """hzeller's interface: a canvas is filled behind the scenes and swapped in between two refreshes."""

    def __init__(self, library: Any, settings: ScreenSettings) -> None:
        from PIL import Image

        if settings.width_px % settings.cols:
            raise InputError(f"--cols {settings.cols}: a chain of such panels is never {settings.width_px} px wide")
        options = library.RGBMatrixOptions()
        options.rows, options.cols = settings.height_px, settings.cols
        options.chain_length = settings.width_px // settings.cols
        options.hardware_mapping = settings.mapping
        options.gpio_slowdown = settings.slowdown
        options.drop_privileges = True
        self._image, self._size = Image, (settings.width_px, settings.height_px)
        self._dark = bytes(3 * settings.width_px * settings.height_px)
        self._matrix = library.RGBMatrix(options=options)
        self._canvas = self._matrix.CreateFrameCanvas()

    def show(self, rgb: bytes) -> None:
        """Returns when the panel has begun to show it."""
        self._canvas.SetImage(self._image.frombytes("RGB", self._size, rgb))
        self._canvas = self._matrix.SwapOnVSync(self._canvas)

    def close(self) -> None:
        """The library's own thread goes on refreshing until the process ends: so it refreshes the dark."""
        self.show(self._dark)


def _rgbmatrix(settings: ScreenSettings) -> Screen:
    return _Matrix(import_module("rgbmatrix"), settings)


def _emulator(settings: ScreenSettings) -> Screen:
    """It reads its settings from the working directory and writes them there if there are none: give it one."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="leeze-panel-") as folder:
        os.chdir(folder)
        try:
            said: dict[str, object] = {
                "display_adapter": settings.adapter,
                "pixel_size": 8,
                "pixel_style": "circle",
                "pixel_glow": 0,
            }
            more: dict[str, object] = {
                "allow_adapter_fallback": False,
                "emulator_title": "Leezenflow",
                "icon_path": None,
            }
            browser: dict[str, object] = {
                "port": 8888,
                "target_fps": 30,
                "fps_display": False,
                "quality": 80,
                "image_border": True,
            }
            browser |= {"debug_text": False, "image_format": "PNG", "open_immediately": False}
            text = json.dumps(said | more | {"pixel_outline": 0, "log_level": "warning", "browser": browser})
            Path("emulator_config.json").write_text(text, encoding="utf-8")
            return _Matrix(import_module("RGBMatrixEmulator"), settings)
        finally:
            os.chdir(before)


class _Piomatter:
    def __init__(self, settings: ScreenSettings) -> None:
        piomatter = import_module("adafruit_blinka_raspberry_pi5_piomatter")
        lines = (settings.height_px // 2).bit_length() - 1  # 32 rows in two halves: 4 address lines
        pinouts = {"adafruit-hat": "AdafruitMatrixHat", "adafruit-hat-pwm": "AdafruitMatrixHat", "regular": "Active3"}
        self._pixels = bytearray(3 * settings.width_px * settings.height_px)  # any buffer will do
        self._matrix = piomatter.PioMatter(
            colorspace=piomatter.Colorspace.RGB888Packed,
            pinout=getattr(piomatter.Pinout, pinouts[settings.mapping]),
            framebuffer=self._pixels,
            geometry=piomatter.Geometry(
                width=settings.width_px,
                height=settings.height_px,
                n_addr_lines=lines,
                serpentine=False,
                rotation=piomatter.Orientation.Normal,
            ),
        )

    def show(self, rgb: bytes) -> None:
        """Returns at once; the library keeps three buffers."""
        self._pixels[:] = rgb
        self._matrix.show()

    def close(self) -> None:
        """Dark."""
        self.show(bytes(len(self._pixels)))


class _Terminal:
    def __init__(self, settings: ScreenSettings) -> None:
        from drivers.devices.panel_picture import to_terminal, upright

        self._settings, self._text = settings, to_terminal
        self._turn: Callable[[Picture], Picture] = upright if settings.upright else lambda picture: picture
        sys.stdout.write("\x1b[2J\x1b[?25l")

    def show(self, rgb: bytes) -> None:
        """Drawn over what was there."""
        picture = Picture(self._settings.width_px, self._settings.height_px, rgb)
        sys.stdout.write("\x1b[H" + self._text(self._turn(picture)) + "\n")
        sys.stdout.flush()

    def close(self) -> None:
        """The cursor comes back."""
        sys.stdout.write("\x1b[?25h")
        sys.stdout.flush()


class _Png:
    def __init__(self, settings: ScreenSettings) -> None:
        from drivers.devices.panel_picture import to_png, upright

        if settings.out is None:
            raise InputError("driver png: name the file with --out")
        self._settings, self._out, self._draw, self._upright = settings, settings.out, to_png, upright
        self._last = b""
        self.show(bytes(3 * settings.width_px * settings.height_px))

    def show(self, rgb: bytes) -> None:
        """Replaced as a whole, so that no reader sees half a file."""
        if rgb == self._last:
            return
        self._last = rgb
        picture = Picture(self._settings.width_px, self._settings.height_px, rgb)
        data = self._draw(self._upright(picture) if self._settings.upright else picture, 6)
        beside = self._out.with_name(self._out.name + ".new")
        beside.write_bytes(data)
        beside.replace(self._out)

    def close(self) -> None:
        """Dark."""
        self.show(bytes(3 * self._settings.width_px * self._settings.height_px))


SCREENS: dict[str, Callable[[ScreenSettings], Screen]] = {
    "rgbmatrix": _rgbmatrix,
    "piomatter": _Piomatter,
    "emulator": _emulator,
    "terminal": _Terminal,
    "png": _Png,
}
_INSTALL = {
    "rgbmatrix": "from its source, as docs/leezenflow.md says",
    "piomatter": "pip install 'leeze[pi5]'",
    "emulator": "pip install RGBMatrixEmulator",
    "terminal": "pip install leeze",
    "png": "pip install leeze",
}
EVERY_NS = {"png": 500_000_000, "terminal": 100_000_000}
"""How often these are drawn at most: they are for people, not for riders."""
