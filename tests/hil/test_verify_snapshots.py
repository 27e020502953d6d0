"""Snapshots hold all state: a ring of files of a second each, on boards with every part, on lines that harm bytes.

Every file runs again from its own snapshot to the byte, and ends in the state that the next one opens with.
More examples: ``LEEZE_SNAPSHOT_EXAMPLES=300 pytest --timeout=0 tests/hil/test_verify_snapshots.py``.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from boards.parts import part_name
from controllers.greenwave.site import GreenwaveSite
from controllers.lighting.site import LightingSite
from controllers.service import flight_recorder
from controllers.service.sites import load_site
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.pty_wire import RunningPeer
from hil.benches.virtual_loop import Upsets, VirtualLoop
from hil.benches.virtual_peers import TalkingNeighbour, display_peers, lit_path_peers
from hil.case import load_case, shipped
from hil.desk import FAR_ENDS, far_end
from hil.faults.plan import Faults
from hil.peers.gpio_lines import LinesPeer
from hil.peers.i2c_chips import I2cChips
from hil.peers.i2c_models import Bh1750Model, Bme280Model, Chip, Gp8403Model, Ina226Model, Mcp4725Model, Pca9685Model
from hil.traffic.script import ScriptedRider, Waypoint, scripted_rider
from hil.verify import verify

UTC_NS = 1_708_362_000 * NS_PER_S  # 2024-02-19 18:00 in Münster: dark
SPAN_S = 25

WIRES = {
    "wire-dali": "kind = 'uart', baud = 19200, port = '/dev/a'",
    "wire-luba": "kind = 'uart', baud = 38400, port = '/dev/b'",
    "wire-sci": "kind = 'uart', baud = 38400, port = '/dev/c'",
    "wire-radar-1": "kind = 'uart', baud = 115200, port = '/dev/d'",
    "wire-radar-2": "kind = 'uart', baud = 115200, port = '/dev/e'",
    "wire-other": "kind = 'uart', baud = 115200, port = '/dev/f'",
    "wire-ao8": "kind = 'uart', baud = 9600, port = '/dev/g'",
    "wire-bay": "kind = 'uart', baud = 19200, port = '/dev/h'",
    "wire-meter": "kind = 'uart', baud = 2400, port = '/dev/i'",
    "wire-kld7": "kind = 'uart', baud = 115200, port = '/dev/j', parity = 'E'",
    "wire-ops243": "kind = 'uart', baud = 19200, port = '/dev/k'",
    "wire-ld2450": "kind = 'uart', baud = 256000, port = '/dev/l'",
    "wire-ld2410": "kind = 'uart', baud = 256000, port = '/dev/m'",
    "wire-a02yyuw": "kind = 'uart', baud = 9600, port = '/dev/n'",
    "wire-mb7389": "kind = 'uart', baud = 9600, port = '/dev/o'",
    "wire-weather": "kind = 'uart', baud = 115200, port = '/dev/p'",
    "wire-i2c": "kind = 'i2c'",
    "wire-lines": "kind = 'gpio', factory = 'leeze'",
}
DEVICES = {
    "lamp-1": ("wire-dali", "part = 'atxled', short_address = 0, check_s = 5"),
    "lamp-2": ("wire-luba", "part = 'luba', short_address = 1, check_s = 5"),
    "lamp-3": ("wire-sci", "part = 'sci', short_address = 2"),
    "lamp-4": ("wire-i2c", "part = 'pca9685', channel = 3, poll_ms = 1000"),
    "lamp-5": ("wire-i2c", "part = 'gp8403', poll_ms = 1000"),
    "lamp-6": ("wire-i2c", "part = 'mcp4725', poll_ms = 1000"),
    "lamp-7": ("wire-lines", "part = 'pwm', gpio = 18, min_duty_pct = 1"),
    "lamp-8": ("wire-ao8", "part = 'waveshare-ao8', channel = 1, variant = 'B'"),
    "radar-1": ("wire-radar-1", "part = 'ld2451', range_m = 40"),
    "radar-2": ("wire-radar-2", "part = 'ld2451', stale_ms = 1500"),
    "other": ("wire-other", "part = 'neighbour'"),
    "relay": ("wire-lines", "part = 'relay', gpio = 17"),
    "gap": ("wire-lines", "part = 'hc-sr04', trigger_gpio = 23, echo_gpio = 24, air = 'air'"),
    "air": ("wire-i2c", "part = 'bme280', poll_ms = 1000"),
    "sky": ("wire-i2c", "part = 'bh1750', poll_ms = 1000"),
    "supply": ("wire-i2c", "part = 'ina226', address = 0x44"),
    "bay": ("wire-bay", "part = 'urm14', address = 12, air = 'air'"),
    "meter": ("wire-meter", "part = 'sdm120'"),
    "lane": ("wire-kld7", "part = 'kld7'"),
    "speed": ("wire-ops243", "part = 'ops243'"),
    "walker": ("wire-ld2450", "part = 'ld2450', follow = 'several'"),
    "somebody": ("wire-ld2410", "part = 'ld2410', unmanned_s = 5"),
    "below": ("wire-a02yyuw", "part = 'a02yyuw', air = 'air'"),
    "above": ("wire-mb7389", "part = 'mb7389'"),
    "weather": ("wire-weather", "part = 'leezenflow-sensor'"),
}
LAMPS = [name for name in DEVICES if name.startswith("lamp-")]
"""At 32 m each."""

SITE = """
format = 1
name = "every-part"
product = "lighting"
place = { lat_deg = 51.97, lon_deg = 7.64, timezone = "Europe/Berlin" }
light = { calendar = "always", keep_s = 2, dusk = "lux" }
[[controllers]]
name = "only"
board = "every-part"
neighbours = { other = "next" }
lux = "sky"
lamps = [LAMPS]
radars = [{ name = "radar-1", x_m = 0, looks = "up" }, { name = "radar-2", x_m = 224, looks = "down" }]
[[controllers]]
name = "next"
board = "kanalpromenade-lamp"
neighbours = { neighbour = "only" }
lamps = [{ name = "lamp-1", x_m = 256 }]
radars = [{ name = "radar-1", x_m = 256, looks = "up" }]
"""


def described(names: list[str], folder: Path) -> str:
    """A board with these devices; its path."""
    wires = sorted({DEVICES[name][0] for name in names})
    text = "format = 1\nname = 'every-part'\ntitle = 'Every part'\nmodel = 'laptop'\nproduct = 'lighting'\n"
    text += "period_ms = 20\nbench = true\n"
    text += "".join(f"wires.{wire} = {{ {WIRES[wire]} }}\n" for wire in wires)
    text += "".join(f"devices.{name} = {{ {DEVICES[name][1]}, wire = '{DEVICES[name][0]}' }}\n" for name in names)
    path = folder / "every-part.toml"
    path.write_text(text)
    return str(path)


@st.composite
def upsets(draw: st.DrawFn, wires: list[str]) -> Upsets:
    spans = st.lists(st.tuples(st.integers(1, SPAN_S), st.integers(50, 5_000)), max_size=2).map(
        lambda said: tuple((at_s * NS_PER_S, at_s * NS_PER_S + ms * NS_PER_MS) for at_s, ms in said)
    )
    return Upsets(
        seed=draw(st.integers(0, 1 << 32)),
        wake_us=draw(st.sampled_from([0, 200, 5_000])),
        late_per_mille=draw(st.sampled_from([0, 5, 50])),
        noise_per_mille=draw(st.sampled_from([0, 20, 200])),
        lost=draw(st.dictionaries(st.sampled_from(wires), spans, max_size=4)),
        steps=draw(st.lists(st.tuples(st.integers(0, SPAN_S * NS_PER_S), st.integers(-(10**14), 10**14)), max_size=2)),
        unsynchronised=draw(spans),
    )


examples = settings(
    max_examples=int(os.environ.get("LEEZE_SNAPSHOT_EXAMPLES", "5")),
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a whole flight is no smaller for being shrunk
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True, scope="module")
def at_once() -> None:
    """The recorder would rather take its snapshot in a quiet tick; here it is taken in any."""
    patch = pytest.MonkeyPatch()
    patch.setattr(flight_recorder, "QUIET_WITHIN_NS", 0)


def proven(loop: VirtualLoop, folder: Path) -> None:
    loop.run(SPAN_S * NS_PER_S)
    found = verify([folder], processes=1)
    assert found.verdict == "same", found.files[-1].text()
    seams = [file.seam for file in found.files[1:]]
    assert len(seams) >= SPAN_S // 3
    assert set(seams) == {"opens with the state that the file before ends with"}
    assert verify([folder], skip=False, processes=1).verdict == "same"


@pytest.mark.long
@examples
@given(st.data())
def test_a_lamp_board_with_any_parts(data: st.DataObject) -> None:
    others = [name for name in DEVICES if name not in LAMPS and not name.startswith("radar") and name != "air"]
    names = [*LAMPS, "radar-1", "radar-2", "air", "other", "sky"]
    names += sorted(data.draw(st.sets(st.sampled_from([name for name in others if name not in names]))))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        site_path = folder / "site.toml"
        lamps = ", ".join(f'{{ name = "{lamp}", x_m = {32 * n} }}' for n, lamp in enumerate(LAMPS))
        site_path.write_text(SITE.replace("LAMPS", lamps))
        site = load_site(str(site_path))
        assert isinstance(site, LightingSite)
        loop = VirtualLoop(
            site,
            described(names, folder),
            folder / "ring",
            utc_ns=UTC_NS,
            upsets=data.draw(upsets([DEVICES[name][0] for name in names])),
            controller="only",
            file_minutes=1 / 60,
        )
        loop.peers = peers(loop)
        proven(loop, folder / "ring")


def peers(loop: VirtualLoop) -> list[RunningPeer]:
    """One at every wire."""
    made: list[RunningPeer] = []
    devices = loop.controller.board.description.devices
    for wire, far in loop.far.items():
        if wire == "wire-i2c":
            chips: dict[int, Chip] = {
                0x23: Bh1750Model(400_000),
                0x40: Pca9685Model(),
                0x44: Ina226Model(12_000_000, 40_000_000),
                0x58: Gp8403Model(),
                0x60: Mcp4725Model(),
                0x76: Bme280Model(trembles=True),
            }
            made.append(I2cChips(wire, far, chips, paced=True))
        elif wire == "wire-lines":
            made.append(LinesPeer(wire, far))
        elif wire == "wire-other":
            made.append(TalkingNeighbour(far, [(5 * NS_PER_S, 250_000, -5_000)]))
        else:
            part = next(part_name(said) for said in devices.values() if said.wire == wire)
            made.append(far_end(part, far))
    return made


@examples
@given(st.data())
def test_the_lamp_board_of_the_kanalpromenade(data: st.DataObject) -> None:
    site = load_site("kanalpromenade-reference")
    assert isinstance(site, LightingSite)
    starts = data.draw(st.lists(st.integers(0, SPAN_S), max_size=4))
    speeds = [data.draw(st.sampled_from([-9, -5, -1, 1, 5, 9])) for _ in starts]
    riders = [
        scripted_rider(ScriptedRider([Waypoint(at, 100 - 60 * v), Waypoint(at + 120, 100 + 60 * v)], 0.5), number)
        for number, (at, v) in enumerate(zip(starts, speeds, strict=True))
    ]
    silent = ((3 * NS_PER_S, 9 * NS_PER_S),)
    faults = Faults(
        silent_radars=data.draw(st.sampled_from([{}, {"radar-1": silent}])),
        silent_gateways=data.draw(st.sampled_from([{}, {"dali": silent}])),
    )
    with tempfile.TemporaryDirectory() as made:
        loop = VirtualLoop(
            site,
            "kanalpromenade-lamp",
            Path(made),
            utc_ns=UTC_NS,
            upsets=data.draw(upsets(["dali", "neighbour", "lines", "radar-1"])),
            controller="west",
            file_minutes=1 / 60,
        )
        lit_path_peers(loop, site, "west", riders, faults)
        proven(loop, Path(made))


@examples
@given(st.data())
def test_a_leezenflow(data: st.DataObject) -> None:
    site, case = load_site("leezenflow-hoerstertor"), load_case(shipped()["leezenflow-crossing"])
    assert isinstance(site, GreenwaveSite)
    assert case.signal is not None
    utc_ns = case.start_utc_ns + data.draw(st.integers(0, 280)) * NS_PER_S
    with tempfile.TemporaryDirectory() as made:
        loop = VirtualLoop(
            site,
            "leezenflow-laptop",
            Path(made),
            utc_ns=utc_ns,
            upsets=data.draw(upsets(["feed", "panel"])),
            file_minutes=1 / 60,
        )
        display_peers(loop, site.feed, case.signal, utc_ns)
        proven(loop, Path(made))


def test_every_serial_part_is_on_the_board() -> None:
    said = {keys.split("'")[1] for _, keys in DEVICES.values()}
    assert set(FAR_ENDS) - said == {"aj-sr04m"}, "the A02YYUW's kin; all others have to be here"
