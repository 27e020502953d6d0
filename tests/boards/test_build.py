from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from boards.build import Board, build
from boards.hardware import hardware_link
from boards.load import catalog_names, load_board, parse_board
from boards.schema import BoardDescription
from boards.wires import UartWire, Wire
from drivers.codecs.spat import Intersection, Movement, Phase
from drivers.codecs.spat_xml_encoder import SpatXmlEncoder
from drivers.errors import InputError, LinkLost
from drivers.interfaces import ByteLink
from drivers.links.memory import MemoryLink, memory_pair
from drivers.panels.link import PanelLink
from drivers.quantities import DeviceHealth, Message, Quantity, RadarReport, SignalState
from drivers.units import NS_PER_MS

CATALOG = Path(__file__).parents[2] / "boards" / "catalog"
REPORT = bytes.fromhex("f4f3f2f1 0700 01 01 7b0d01037b f8f7f6f5")  # a real one: 13 m, 3 km/h, coming


class Rig:
    """The far end of every wire, in process."""

    def __init__(self, description: BoardDescription, **more: object) -> None:
        self.far: dict[str, MemoryLink] = {}
        self.asked: list[str] = []
        self.values: list[Quantity] = []
        self.board: Board = build(description, link_for=self._link, emit=self.values.append, **more)  # type: ignore[arg-type]

    def _link(self, name: str, wire: Wire) -> ByteLink:
        self.asked.append(name)
        near, self.far[name] = memory_pair(name)
        return near


def test_the_lamp_board_has_its_devices_under_the_names_in_the_file_and_a_bus_under_that_of_its_wire() -> None:
    board = Rig(load_board("kanalpromenade-lamp")).board
    assert list(board.devices) == ["dali", "dali/lamps", "neighbour", "radar-1", "radar-2", "radar-3", "relay"]
    assert list(board.watchdogs) == ["relay"]
    assert list(board.lamps) == [f"lamp-{n}" for n in range(1, 7)]
    assert list(board.neighbours) == ["neighbour"]
    assert list(board.links) == ["dali", "lines", "neighbour", "radar-1", "radar-2", "radar-3"]
    assert board.panels == {}
    assert (board.name, board.period_ns) == ("kanalpromenade-lamp", 20 * NS_PER_MS)
    assert all(device.name == name for name, device in board.devices.items())


def test_every_wire_is_asked_for_once_although_six_lamps_share_one() -> None:
    rig = Rig(load_board("kanalpromenade-lamp"))
    assert sorted(rig.asked) == sorted(rig.board.links)


def test_bytes_on_a_wire_become_values_in_the_inbox_with_the_device_as_source() -> None:
    rig = Rig(load_board("kanalpromenade-lamp-laptop"))
    rig.far["radar-2"].write(REPORT, 7)
    rig.far["neighbour"].write(b'{"kind":"hello"}\n', 8)
    radar, message = rig.values
    assert isinstance(radar, RadarReport)
    assert (radar.source, radar.t_ns, radar.detections[0].distance_mm) == ("radar-2", 7, 13_000)
    assert isinstance(message, Message)
    assert message.source == "neighbour"


def test_a_lamp_speaks_on_the_wire_of_its_gateway_with_its_own_address() -> None:
    rig = Rig(load_board("kanalpromenade-lamp"))
    sent: list[bytes] = []
    rig.far["dali"].receiver = lambda data, t_ns: sent.append(data)
    rig.board.lamps["lamp-6"].set_level(254, 1)
    rig.board.devices["dali"].advance(1)
    assert sent == [b"h0AFE\n"]  # DAPC(short address 5, 254)


def test_the_stale_time_of_the_file_is_that_of_the_device() -> None:
    text = (CATALOG / "kanalpromenade-lamp-laptop.toml").read_text()
    text = text.replace('wire = "radar-1"\n', 'wire = "radar-1"\nstale_ms = 1700\n')
    rig = Rig(parse_board(text, "x.toml"))
    rig.far["radar-1"].write(REPORT, 0)
    assert rig.board.devices["radar-1"].wake_ns == 1700 * NS_PER_MS
    rig.board.devices["radar-1"].advance(1700 * NS_PER_MS)
    assert [v.ok for v in rig.values if isinstance(v, DeviceHealth)] == [False]


def test_the_order_in_the_file_does_not_matter() -> None:
    text = (CATALOG / "kanalpromenade-lamp.toml").read_text()
    head, *tables = text.split("\n[")
    turned = "\n[".join([head, *reversed(tables)])
    one, other = (Rig(parse_board(each, "x")).board for each in (text, turned))
    for members in ("devices", "lamps", "links"):
        assert list(getattr(one, members)) == list(getattr(other, members))


def test_the_leezenflow_board_has_a_feed_and_a_panel_of_96_by_32() -> None:
    board = Rig(load_board("leezenflow")).board
    panel = board.panels["panel"]
    assert (panel.width_px, panel.height_px) == (96, 32)
    assert list(board.devices) == ["feed", "panel"]


@pytest.mark.parametrize(
    ("station", "groups", "wanted"),
    [(77, None, [1, 2]), (77, frozenset({2}), [2]), (78, None, []), (None, None, [1, 2])],
)
def test_what_the_site_wants_of_a_feed_is_handed_to_it(
    station: int | None, groups: frozenset[int] | None, wanted: list[int]
) -> None:
    red = (Phase(3, 100, 200),)
    message = SpatXmlEncoder().encode(Intersection(77, 1, 0, 10, 500, (Movement(1, red), Movement(2, red))))
    rig = Rig(load_board("leezenflow-laptop"), feed_station=station, feed_groups=groups)
    rig.far["feed"].write(message, 5)
    assert [v.group for v in rig.values if isinstance(v, SignalState)] == wanted


def test_two_boards_of_one_file_are_told_apart_by_name() -> None:
    assert Rig(load_board("kanalpromenade-lamp"), name="west").board.name == "west"


def test_where_a_link_fails_those_already_open_are_closed() -> None:
    closed: list[str] = []

    class Link(MemoryLink):
        def close(self) -> None:
            closed.append(self.name)

    def link_for(name: str, wire: Wire) -> ByteLink:
        if name == "radar-2":
            raise LinkLost(name, 0, "no such port")
        return Link(name)

    with pytest.raises(LinkLost):
        build(load_board("kanalpromenade-lamp"), link_for=link_for, emit=lambda value: None)
    assert closed == ["dali", "neighbour", "radar-1"]


@pytest.mark.parametrize("name", catalog_names())
def test_every_board_of_the_catalog_can_be_built_snapshot_and_closed(name: str) -> None:
    board = Rig(load_board(name)).board
    for device in board.devices.values():
        device.restore(device.snapshot())
    board.close()
    board.close()


def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int, str]]:
    calls: list[tuple[str, str, int, str]] = []

    def uart_link(name: str, port: str, baud: int, *, parity: str) -> MemoryLink:
        calls.append((name, port, baud, parity))
        return MemoryLink(name)

    monkeypatch.setattr("drivers.links.uart.UartLink", uart_link)
    return calls


def test_on_real_hardware_a_uart_of_the_header_is_opened_by_its_device_with_its_line_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = opened(monkeypatch)
    build(load_board("kanalpromenade-lamp"), emit=lambda value: None)
    assert sorted(calls) == [
        ("dali", "/dev/ttyAMA0", 19_200, "N"),
        ("neighbour", "/dev/ttyUSB0", 115_200, "N"),
        ("radar-1", "/dev/ttyAMA3", 115_200, "N"),
        ("radar-2", "/dev/ttyAMA4", 115_200, "N"),
        ("radar-3", "/dev/ttyAMA5", 115_200, "N"),
    ]


def test_a_url_is_opened_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = opened(monkeypatch)
    hardware_link("feed", UartWire(port="socket://127.0.0.1:7100"), load_board("leezenflow"))
    assert calls[0][:2] == ("feed", "socket://127.0.0.1:7100")


def test_a_wire_of_the_rig_is_refused_on_real_hardware() -> None:
    with pytest.raises(InputError, match=r"leezenflow-laptop: \$\.wires\.feed: a memory wire needs the rig; run"):
        build(load_board("leezenflow-laptop"), emit=lambda value: None)


def test_a_panel_without_its_process_says_how_to_start_it() -> None:
    for name, driver in (
        ("leezenflow", "rgbmatrix"),
        ("leezenflow-pi5", "piomatter"),
        ("leezenflow-emulator", "emulator"),
    ):
        board = load_board(name)
        link = hardware_link("panel", board.wires["panel"], board)
        assert isinstance(link, PanelLink)
        link.advance(0)
        assert f"leeze-drivers panel --driver {driver} --width 96" in link.trouble
        assert f"--socket /run/leeze/{name}.panel" in link.trouble


def test_a_frame_buffer_needs_no_hardware() -> None:
    board = load_board("leezenflow-laptop")
    hardware_link("panel", board.wires["panel"], board).write(b"frame", 0)


def test_a_board_imports_no_driver_it_does_not_use() -> None:
    program = (
        "import sys; from boards.build import build, load_board; from drivers.links.memory import MemoryLink;"
        "build(load_board('kanalpromenade-lamp'), link_for=lambda n, w: MemoryLink(n), emit=print);"
        "unused = {'serial', 'PIL', 'drivers.devices.panel', 'drivers.devices.signal_feed'};"
        "print(sys.modules.keys() & unused or 'none')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=CATALOG.parents[1]
    )
    assert ran.stdout == "none\n"
