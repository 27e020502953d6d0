"""What docs/bench.md quotes is what the tools say: each is run here; its lines, but for numbers, are on the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console

from boards.cli import main as boards
from boards.doctor.checkup import checkup
from boards.doctor.machine import Machine
from boards.doctor.view import View, WireFacts
from boards.load import load_board
from drivers.bench.watch import Watch
from drivers.cli import main as drivers
from drivers.codecs.ld2451 import Target, encode_report
from drivers.codecs.spat import Intersection, Movement, Phase
from drivers.codecs.spat_xml import SpatXmlEncoder
from drivers.devices.signal_feed import SignalFeed
from drivers.links.memory import memory_pair
from drivers.quantities import Detection, DeviceHealth, RadarReport, Range
from drivers.units import NS_PER_MS
from hil.benches.pty_wire import PtyWire
from hil.cli import main as hil
from hil.desk import FAR_ENDS, far_end

PAGE = Path(__file__).parents[2] / "docs" / "bench.md"


def plain(line: str) -> str:
    """A line without what differs from run to run: hex bytes, numbers, names of ports."""
    line = re.sub(r"(?<=bytes  )[0-9a-f ]+", "HEX ", line.strip())
    line = re.sub(r"there are: .*", "there are: …", line, flags=re.IGNORECASE)
    return re.sub(r"\d+(?:\.\d+)?", "N", line)


@pytest.fixture(scope="module")
def page() -> set[str]:
    return {plain(line.removeprefix("    ")) for line in PAGE.read_text(encoding="utf-8").splitlines()}


def missing(said: str, page: set[str]) -> list[str]:
    return [line for line in said.splitlines() if line.strip() and plain(line) not in page]


def wire(name: str, far: str | None = None, baud: int = 0, *, babble: bool = False) -> PtyWire:
    made = PtyWire(name, baud or FAR_ENDS[far or "ld2451"].baud, babble=babble)
    if far is not None:
        made.peer = far_end(far, made.far)
    return made


CASES: dict[str, tuple[str, Callable[[], PtyWire], tuple[str, ...]]] = {
    "good": ("ld2451", lambda: wire("good", "ld2451"), ()),
    "silent": ("ld2451", lambda: wire("silent"), ("--seconds", "0.3")),
    "wrong-baud": ("ld2451", lambda: wire("wrong-baud", "ld2451", 9_600), ("--seconds", "0.4")),
    "babbling": ("ld2451", lambda: wire("babbling", babble=True), ("--seconds", "0.4")),
    "wrong-part": ("a02yyuw", lambda: wire("wrong-part", "mb7389"), ("--seconds", "0.6")),
    "no-answer": ("atxled", lambda: wire("no-answer"), ("--seconds", "1.0")),
    "other-rate": ("urm14", lambda: wire("other-rate", "urm14", 9_600), ()),
    "unwell": ("atxled", lambda: wire("unwell", "atxled"), ("--address", "9")),
}


@pytest.mark.parametrize("case", CASES)
def test_the_page_quotes_what_probe_says(case: str, page: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    part, make, more = CASES[case]
    behind = make()
    with behind:
        drivers(["probe", part, "--port", behind.path, *more])
    assert missing(capsys.readouterr().out, page) == []


def test_the_page_quotes_a_port_that_is_not_there(page: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert drivers(["probe", "ld2451", "--port", "/dev/ttyUSB97", "--seconds", "0.1"]) == 3
    assert missing(capsys.readouterr().out, page) == []


def test_the_page_quotes_a_lamp_being_lit(page: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    behind = wire("lamp", "atxled")
    with behind:
        assert drivers(["send", "atxled", "level", "127", "--port", behind.path, "--yes"]) == 0
    assert missing(capsys.readouterr().out, page) == []
    assert drivers(["send", "atxled", "level", "255", "--port", "x", "--yes"]) == 2
    assert missing(capsys.readouterr().err, page) == []
    assert drivers(["send", "atxled"]) == 0
    assert missing(capsys.readouterr().out, page) == []


def test_the_page_quotes_the_far_end(page: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert hil(["peer", "ld2451", "--seconds", "0.05"]) == 0
    assert missing(capsys.readouterr().out, page) == []


@pytest.fixture
def swapped(tmp_path: Path) -> Iterator[str]:
    """A radar and a range sensor, their plugs swapped."""
    text = 'format = 1\nname = "desk"\ntitle = "a desk"\nmodel = "laptop"\nproduct = "lighting"\nperiod_ms = 20\n'
    with ExitStack() as stack:
        for name, part, truly in (("bay-1", "mb7389", "ld2451"), ("radar-1", "ld2451", "mb7389")):
            made = stack.enter_context(wire(name, truly))
            text += f'[wires.{name}]\nkind = "uart"\nport = "{made.path}"\nbaud = {FAR_ENDS[part].baud}\n'
            text += f'[devices.{name}]\npart = "{part}"\nwire = "{name}"\n'
        path = tmp_path / "desk.toml"
        path.write_text(text)
        yield str(path)


def test_the_page_quotes_swapped_wires(swapped: str, page: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert boards(["probe", swapped, "--seconds", "1"]) == 1
    assert missing(capsys.readouterr().out, page) == []


def test_the_page_quotes_what_detect_finds(page: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    behind = wire("radar", "ld2451")
    with behind:
        assert boards(["detect", behind.path]) == 0
    assert missing(capsys.readouterr().out, page) == []


def test_the_page_quotes_the_doctor(tmp_path: Path, page: set[str]) -> None:
    """On a Raspberry Pi 4 as it comes out of the box."""
    for path, text in (
        ("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4"),
        (
            "boot/firmware/config.txt",
            "[all]\ndtoverlay=disable-bt\ndtoverlay=uart3\ndtoverlay=uart4\ndtoverlay=uart5\n",
        ),
        ("boot/firmware/cmdline.txt", "console=serial0,115200 console=tty1 root=PARTUUID=1 rootwait"),
        ("etc/group", "gpio:x:997:installer\n"),
        *((f"dev/ttyAMA{n}", "") for n in (0, 3, 4, 5)),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    found = checkup(load_board("kanalpromenade-lamp"), Machine(tmp_path, "installer"))
    said = [f"{one.place}: {one.what}\n{one.line}" for one in found if "library" not in one.what]
    assert len(said) >= 4
    assert missing("\n".join(said), page) == []


def monitored() -> str:
    """The picture of a board with a radar that is well and a range sensor that stands still."""
    watch = Watch()
    facts = (
        WireFacts("radar-1", "/dev/ttyAMA3 115200 8N1", "ld2451", ("radar-1",)),
        WireFacts("bay-1", "/dev/leeze/bay-1 9600 8N1", "mb7389", ("bay-1",)),
    )
    counted = {"radar-1": {"frames": 240, "skipped_bytes": 3}, "bay-1": {"frames": 160, "skipped_bytes": 0}}
    for one in facts:
        watch.add(one.name)
    view = View("parking: 2 devices, ports opened here", facts, watch, counted.__getitem__, lambda name: "")
    for n in range(24):
        t_ns = n * 100 * NS_PER_MS
        metres = 30 - n
        watch.passed(0, False, encode_report([Target(-5, metres, True, 18, 123)]), t_ns)
        watch.passed(1, False, b"R0900\r", t_ns)
        view.take(RadarReport(t_ns, "radar-1", (Detection(metres * 1000, 5_000, -5, 123),)))
        view.take(Range(t_ns, "bay-1", 900))
        view.rates("radar-1", t_ns), view.rates("bay-1", t_ns)
    view.take(DeviceHealth(2_300 * NS_PER_MS, "bay-1", False, "frozen value"))
    out = io.StringIO()
    Console(file=out, width=116, force_terminal=False).print(view.picture(2_400 * NS_PER_MS))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def test_the_page_shows_the_monitor_as_it_is_drawn() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "\n".join(f"    {line}" for line in monitored().splitlines()) in text


def signals() -> str:
    """The picture of a feed: two stations, a group that has changed, one that is off, a damaged message."""
    watch = Watch()
    watch.add("feed")
    near, far = memory_pair("feed")
    facts = (WireFacts("feed", "mqtt://127.0.0.1:1883", "spat-xml", ("feed",)),)
    view = View("leezenflow: 1 device, ports opened here", facts, watch, lambda name: feed.counters(), lambda name: "")
    feed = SignalFeed("feed", near, view.take)
    encoder = SpatXmlEncoder()
    for n in range(120):
        t_ns = n * 100 * NS_PER_MS
        seventh = Phase(6, 3200, 3400, 3300, 14) if n > 80 else Phase(4, 3081, 3081, 3081, 15)
        groups = (Movement(4, (Phase(3, 3250, 36001, 3420, 10),)), Movement(7, (seventh,)), Movement(65, (Phase(0),)))
        far.write(encoder.encode(Intersection(4070, 1, 64, 5, 100 * n, groups)), t_ns)
        far.write(encoder.encode(Intersection(4071, 1, 1 << 2, 5, 100 * n, (Movement(1, (Phase(9, 36000),)),))), t_ns)
        watch.passed(0, False, bytes(14_000), t_ns)
        view.rates("feed", t_ns)
    far.write(b"<DATA>", 11_950 * NS_PER_MS)
    far.write(b"</DATA>", 11_950 * NS_PER_MS)
    out = io.StringIO()
    Console(file=out, width=80, force_terminal=False).print(view.picture(12_000 * NS_PER_MS))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def test_the_page_shows_signal_groups_as_they_are_drawn() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "\n".join(f"    {line}" for line in signals().splitlines()) in text
