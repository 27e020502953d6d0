"""A field recording made on the spot: the real program on pseudo-terminals, with its flight recorder on.

`record` starts ``leeze-controllers run`` as a board would have it, in real time, with a far end at every wire: three
radars along a path that somebody rides every 20 s, lamps behind a DALI gateway; or a signal controller's XML, ten
messages a second, and a panel in memory. It ends as a unit of systemd ends, with SIGTERM.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from root_folders import RefusedError

from drivers.clock import SystemClock
from drivers.recording.events import WireBytes
from drivers.recording.reader import TraceReader
from drivers.recording.ring import ring_files
from drivers.units import NS_PER_S
from hil.benches.pty_wire import PtyWire, RunningPeer
from hil.case import load_case
from hil.desk import FromNow, far_end
from hil.peers.radar import RadarPeer
from hil.peers.signal_controller import SignalController
from hil.traffic.rider import Rider, Segment

STOP_S = 30
WAITING_S = 6
"""Longer than a program of ours pauses before it tries the port it lost: pseudo-terminals' numbers are used again."""
RIDE_EVERY_S = 20
MINUTES = 24 * 60
"""Of one file: one file a recording, but for days."""

BOARD_FILE = "board.toml"
"""As the sites name it; the program runs in the folder that holds it."""

RADARS = {"radar-1": (0, 1), "radar-2": (40, 1), "radar-3": (80, -1)}
"""Where each stands, in metres, and which way it looks; as in the site below."""

LAMP_BOARD = """
format = 1
name = "field-lamps"
title = "Three radars and four lamps on pseudo-terminals"
model = "laptop"
product = "lighting"
period_ms = 20
bench = true
wires.radar-1 = {{ kind = "uart", port = "{radar-1}", baud = 115200 }}
wires.radar-2 = {{ kind = "uart", port = "{radar-2}", baud = 115200 }}
wires.radar-3 = {{ kind = "uart", port = "{radar-3}", baud = 115200 }}
wires.dali = {{ kind = "uart", port = "{dali}", baud = 19200 }}
devices.radar-1 = {{ part = "ld2451", wire = "radar-1" }}
devices.radar-2 = {{ part = "ld2451", wire = "radar-2" }}
devices.radar-3 = {{ part = "ld2451", wire = "radar-3" }}
devices.lamp-1 = {{ part = "atxled", wire = "dali", short_address = 0 }}
devices.lamp-2 = {{ part = "atxled", wire = "dali", short_address = 1 }}
devices.lamp-3 = {{ part = "atxled", wire = "dali", short_address = 2 }}
devices.lamp-4 = {{ part = "atxled", wire = "dali", short_address = 3 }}
"""

LAMP_SITE = """
format = 1
name = "field-lamps"
product = "lighting"
place = { lat_deg = 51.97, lon_deg = 7.64, timezone = "Europe/Berlin" }
light = { calendar = "always", keep_s = 1 }
[[controllers]]
name = "only"
board = "board.toml"
lamps = [
  { name = "lamp-1", x_m = 0 }, { name = "lamp-2", x_m = 32 },
  { name = "lamp-3", x_m = 64 }, { name = "lamp-4", x_m = 96 },
]
radars = [
  { name = "radar-1", x_m = 0, looks = "up" },
  { name = "radar-2", x_m = 40, looks = "up" },
  { name = "radar-3", x_m = 80, looks = "down" },
]
"""

DISPLAY_BOARD = """
format = 1
name = "field-display"
title = "A Leezenflow with its feed on a pseudo-terminal"
model = "laptop"
product = "greenwave"
period_ms = 100
bench = true
wires.feed = {{ kind = "uart", port = "{feed}", baud = 3000000 }}
wires.panel = {{ kind = "matrix", width_px = 96, height_px = 32, driver = "frame-buffer" }}
devices.feed = {{ part = "spat-feed", wire = "feed", message_format = "spat-xml" }}
devices.panel = {{ part = "panel", wire = "panel" }}
"""

DISPLAY_SITE = """
format = 1
product = "greenwave"
name = "field-display"
board = "board.toml"
station = 4070
group = 7
distance_m = 120
"""

_HEEDING = """
import signal, sys
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
from controllers.cli import main
sys.exit(main())
"""  # a shell that starts something in the background makes it deaf to some signals

Far = Callable[[PtyWire], RunningPeer]


def _radar(wire: PtyWire) -> RunningPeer:
    x_m, sign = RADARS[wire.name]
    peer = RadarPeer(wire.name, wire.far, x_mm=x_m * 1000, sign=sign, range_mm=40_000, seed=x_m, skip=False)
    for number in range(MINUTES * 60 // RIDE_EVERY_S):
        peer.rider(_ride(number))
    return FromNow(peer, wire.far)


def _ride(number: int) -> Rider:
    """One way or the other, at 3 to 7 m/s; then the path is empty until the next."""
    start_ns = (2 + number * RIDE_EVERY_S) * NS_PER_S
    v_mm_s = 3_000 + 1_000 * (number * 7 % 5)
    x_mm, v_mm_s = (-10_000, v_mm_s) if number % 3 else (50_000, -v_mm_s)
    return Rider(number + 1, (Segment(start_ns, x_mm, v_mm_s),), start_ns + 12 * NS_PER_S)


def _gateway(wire: PtyWire) -> RunningPeer:
    return far_end("atxled", wire.far)


def _signal_controller(wire: PtyWire) -> RunningPeer:
    programme = load_case(_CASE).signal
    assert programme is not None, "the case of a display has one"
    return FromNow(SignalController(wire.name, wire.far, programme, SystemClock().utc_ns()), wire.far)


_CASE = Path(__file__).parents[1] / "hil/cases/leezenflow-crossing"

Kind = tuple[str, str, dict[str, tuple[int, Far]]]
KINDS: dict[str, Kind] = {
    "field-lamps": (
        LAMP_BOARD,
        LAMP_SITE,
        {**dict.fromkeys(RADARS, (115_200, _radar)), "dali": (19_200, _gateway)},
    ),
    "field-display": (DISPLAY_BOARD, DISPLAY_SITE, {"feed": (0, _signal_controller)}),
}
"""By name: board, site, and for each wire the far end's bit rate (0: as fast as it will) and what sits there."""


def record(kind: str, folder: Path, seconds: float) -> Path:
    """The one file that the recorder of that kind of board wrote in `seconds`, as ``FOLDER/KIND.mcap``.

    Raises RefusedError where the program does not start or last, leaves another number of files than one, or did not
    hear every far end.
    """
    place = folder / kind
    place.mkdir()
    said = _run(KINDS[kind], place, seconds)
    files = [file.path for file in ring_files(place / "ring")]
    if len(files) != 1:
        raise RefusedError(f"{kind}: the recorder left {len(files)} files: {said}")
    heard = {one.wire for one in TraceReader(files[0]).events() if isinstance(one, WireBytes) and not one.outward}
    if silent := KINDS[kind][2].keys() - heard:
        raise RefusedError(f"{kind}: nothing was heard on {', '.join(sorted(silent))}: {said}")
    return files[0].rename(folder / f"{kind}.mcap")


def _free_wires(stack: ExitStack, far_ends: dict[str, tuple[int, Far]]) -> dict[str, PtyWire]:
    """A pseudo-terminal for each, and none that another program takes for the port it has lost; not yet started."""
    clock = SystemClock()
    found: dict[str, PtyWire] = {}
    while len(found) < len(far_ends):
        for name in far_ends.keys() - found.keys():
            found[name] = PtyWire(name, far_ends[name][0])
            stack.callback(found[name].stop)
        clock.sleep_until_ns(clock.now_ns() + WAITING_S * NS_PER_S)
        found = {name: wire for name, wire in found.items() if not wire.is_open}  # those taken stay taken
    return found


def _run(kind: Kind, place: Path, seconds: float) -> str:
    """Far ends and program for so long, the ring in ``PLACE/ring``; what the program said."""
    board_text, site_text, far_ends = kind
    board, site, ring = place / BOARD_FILE, place / "site.toml", (place / "ring").resolve()
    ring.mkdir()
    with ExitStack() as stack:
        wires = _free_wires(stack, far_ends)
        for name, (_, make) in far_ends.items():
            wires[name].peer = make(wires[name])
            stack.enter_context(wires[name])
        board.write_text(board_text.format(**{name: wire.path for name, wire in wires.items()}), encoding="utf-8")
        site.write_text(site_text, encoding="utf-8")
        command = [sys.executable, "-c", _HEEDING, "run", "--site", site.name, "--quiet"]
        command += ["--flight", str(ring), "--flight-minutes", str(MINUTES)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=place)  # noqa: S603 - our program
        try:
            return _flown(process, seconds)
        finally:
            process.kill()
            process.wait()


def _flown(process: subprocess.Popen[str], seconds: float) -> str:
    """Let it run for `seconds`, stop it; what it said. Raises RefusedError if it ended by itself or not cleanly."""
    try:
        said = process.communicate(timeout=seconds)[1]
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        try:
            said = process.communicate(timeout=STOP_S)[1]
        except subprocess.TimeoutExpired:
            raise RefusedError(f"leeze-controllers run: no end within {STOP_S} s of SIGTERM") from None
        if process.returncode == 0:
            return said
    raise RefusedError(f"leeze-controllers run ended with {process.returncode}: {' '.join(said.split()[-40:])}")
