"""The panel device, and its picture for people."""

from __future__ import annotations

import io
import json
import re

import pytest
from PIL import Image

from drivers.codecs.panel_frame import Picture, dark, encode
from drivers.devices.panel import RETRY_NS, FramePanel
from drivers.devices.panel_picture import to_png, to_terminal
from drivers.errors import BadFrame, LinkLost, OutOfRange
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import DeviceHealth, Quantity
from drivers.units import FOREVER_NS

RED_DOT = Picture(2, 2, b"\xff\x00\x00" + bytes(9))
GREEN_DOT = Picture(2, 2, bytes(9) + b"\x00\xff\x00")


class _Wire:
    """A wire that can be cut."""

    def __init__(self) -> None:
        self.link, far = memory_pair("panel")
        self.sent: list[tuple[int, bytes]] = []
        self.cut = False
        far.receiver = lambda data, t_ns: self.sent.append((t_ns, data))
        self._write = self.link.write
        self.link.write = self.write  # type: ignore[method-assign]

    def write(self, data: bytes, t_ns: int) -> None:
        if self.cut:
            raise LinkLost("panel", t_ns, "unplugged")
        self._write(data, t_ns)


def _panel(link: MemoryLink | None) -> tuple[FramePanel, list[Quantity]]:
    inbox: list[Quantity] = []
    return FramePanel("panel", link, 2, 2, inbox.append), inbox


def test_a_frame_is_sent_when_it_differs_from_the_last_and_only_then() -> None:
    wire = _Wire()
    panel, _ = _panel(wire.link)
    for t_ns, picture in enumerate((RED_DOT, RED_DOT, GREEN_DOT, RED_DOT)):
        panel.show(encode(picture), t_ns)
    assert wire.sent == [(0, encode(RED_DOT)), (2, encode(GREEN_DOT)), (3, encode(RED_DOT))]
    assert panel.picture == RED_DOT


def test_a_panel_without_a_wire_keeps_its_frame_buffer() -> None:
    panel, inbox = _panel(None)
    assert panel.picture == Picture(2, 2, bytes(12))
    panel.show(encode(GREEN_DOT), 5)
    assert panel.picture == GREEN_DOT
    assert panel.wake_ns == FOREVER_NS
    assert inbox == []


def test_a_frame_that_is_none_or_of_another_size_raises_and_changes_nothing() -> None:
    wire = _Wire()
    panel, _ = _panel(wire.link)
    panel.show(encode(RED_DOT), 0)
    with pytest.raises(BadFrame, match="no panel frame") as bad:
        panel.show(b"rubbish", 1)
    assert bad.value.raw == b"rubbish"
    for size in ((3, 2), (2, 3)):
        with pytest.raises(OutOfRange, match="this panel has 2 x 2"):
            panel.show(dark(*size), 2)
    assert panel.picture == RED_DOT
    assert len(wire.sent) == 1


def test_a_lost_link_is_reported_once_and_gets_the_newest_frame_when_it_is_back() -> None:
    wire = _Wire()
    panel, inbox = _panel(wire.link)
    wire.cut = True
    panel.show(encode(RED_DOT), 10)
    assert panel.wake_ns == 10 + RETRY_NS
    panel.advance(panel.wake_ns - 1)  # not due
    panel.advance(10 + RETRY_NS)  # still cut
    assert panel.wake_ns == 10 + 2 * RETRY_NS
    panel.show(encode(GREEN_DOT), 10 + RETRY_NS + 1)  # waits for the retry
    wire.cut = False
    panel.advance(10 + 2 * RETRY_NS)
    assert wire.sent == [(10 + 2 * RETRY_NS, encode(GREEN_DOT))]
    assert inbox == [
        DeviceHealth(10, "panel", False, "unplugged"),
        DeviceHealth(10 + 2 * RETRY_NS, "panel", True),
    ]
    assert panel.wake_ns == FOREVER_NS


def test_advancing_before_the_first_frame_sends_nothing() -> None:
    wire = _Wire()
    panel, _ = _panel(wire.link)
    panel.advance(FOREVER_NS)
    assert wire.sent == []


@pytest.mark.parametrize("cut", [False, True])
def test_a_restored_panel_goes_on_as_the_first_would_have(cut: bool) -> None:
    wire, other = _Wire(), _Wire()
    panel, _ = _panel(wire.link)
    wire.cut = cut
    panel.show(encode(RED_DOT), 3)
    state = json.loads(json.dumps(panel.snapshot()))
    again, inbox = _panel(other.link)
    again.restore(state)
    assert again.snapshot() == state
    again.show(encode(RED_DOT), 4)
    again.advance(3 + RETRY_NS)
    assert len(other.sent) == (1 if cut else 0)
    assert len(inbox) == (1 if cut else 0)
    fresh, _ = _panel(None)
    fresh.restore(json.loads(json.dumps(_panel(None)[0].snapshot())))
    assert fresh.frame is None


def test_the_png_shows_each_led_where_it_is() -> None:
    image = Image.open(io.BytesIO(to_png(RED_DOT, 10)))
    assert image.size == (40, 40)  # one LED's width of frame all around
    lit, unlit, between = image.getpixel((15, 15)), image.getpixel((25, 25)), image.getpixel((10, 10))
    assert isinstance(lit, tuple)
    assert isinstance(unlit, tuple)
    assert isinstance(between, tuple)
    assert lit[0] == 255
    assert lit[0] > 3 * max(lit[1:])  # red
    assert max(unlit) < 60  # the LED across the corner is dark, but for the glow
    assert between[0] < 200  # LEDs are round


@pytest.mark.parametrize("scale_px", [3, 41])
def test_a_scale_that_cannot_be_drawn_is_refused(scale_px: int) -> None:
    with pytest.raises(ValueError, match="4 to 40"):
        to_png(RED_DOT, scale_px)


def test_the_terminal_text_holds_every_led_as_half_a_block() -> None:
    picture = Picture(3, 3, bytes(range(27)))
    shown: list[tuple[int, ...]] = [(0, 0, 0)] * 12
    lines = to_terminal(picture).split("\n")
    assert len(lines) == 2
    for number, line in enumerate(lines):
        assert line.endswith("\x1b[0m")
        upper: tuple[int, ...] = ()
        lower: tuple[int, ...] = ()
        column = 0
        for colours, block in re.findall(r"\x1b\[([\d;]+)m|(▀)", line[: -len("\x1b[0m")]):
            if block:
                shown[2 * number * 3 + column], shown[(2 * number + 1) * 3 + column] = upper, lower
                column += 1
            else:
                numbers = [int(part) for part in colours.split(";")]
                assert (numbers[:2], numbers[5:7]) == ([38, 2], [48, 2])
                upper, lower = tuple(numbers[2:5]), tuple(numbers[7:10])
        assert column == 3
    assert shown[:9] == [picture.pixel(x, y) for y in range(3) for x in range(3)]
    assert shown[9:] == [(0, 0, 0)] * 3


def test_the_terminal_text_sets_colours_only_where_they_change() -> None:
    assert to_terminal(Picture(50, 2, bytes(300))) == "\x1b[38;2;0;0;0;48;2;0;0;0m" + "▀" * 50 + "\x1b[0m"
