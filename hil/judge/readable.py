"""Bytes as a person reads them: the text of an ASCII wire, the meaning of a DALI frame, the size of a panel frame."""

from __future__ import annotations

import re

from drivers.codecs.ld2451 import Ld2451Stream, Report
from drivers.codecs.panel_frame import PanelFrameError, decode

_FORWARD = re.compile(rb"[ht]([0-9A-Fa-f]{4})\n?")


def direct_level(data: bytes) -> tuple[int, int] | None:
    """(address byte, arc power level) of a DALI direct level frame on an ATX-LED wire, None for anything else.

    Source: IEC 62386-102, address byte 0AAAAAA0 short, 100AAAA0 group, 11111110 broadcast.
    Example: ``direct_level(b"h0AFE\\n") == (0x0A, 254)``.
    """
    found = _FORWARD.fullmatch(data)
    if found is None:
        return None
    frame = int(found[1], 16)
    address, level = frame >> 8, frame & 0xFF
    if address & 1 or not (address < 0xA0 or address == 0xFE):
        return None
    return address, level


def readable(data: bytes, content: str = "bytes") -> str:
    """A reading of `data` for people, "" where there is none. `content`: "dali", "panel", "ld2451", "spat-xml", ...

    Example: ``readable(b"h0AFE\\n", "dali") == "h0AFE: short address 5 to level 254"``.
    """
    text = _text(data)
    if content == "dali" and (direct := direct_level(data)):
        return f"{text}: {_addressee(direct[0])} to level {direct[1]}"
    if content == "panel" and not text:
        return _panel(data)
    if content == "ld2451":
        return _radar(data)
    if content in ("spat-xml", "spat-uper"):
        return _signal(data, content)
    return text


def _text(data: bytes) -> str:
    """Printable ASCII with its line ends spelt out inside; a line end at the very end is left away."""
    body = data.rstrip(b"\r\n")
    if not body or any(not (32 <= byte < 127 or byte in b"\r\n\t") for byte in body):
        return ""
    return body.decode("ascii").replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")


def _addressee(address: int) -> str:
    if address == 0xFE:
        return "all"
    return f"group {address >> 1 & 0x0F}" if address & 0x80 else f"short address {address >> 1}"


def _radar(data: bytes) -> str:
    reports = [event for event in Ld2451Stream().feed(data) if isinstance(event, Report)]
    if not reports:
        return ""
    targets = [
        f"{one.distance_m} m, {one.speed_kmh} km/h {'coming' if one.approaching else 'going'}"
        for report in reports
        for one in report.targets
    ]
    return "; ".join(targets) or "nobody"


_STATES = {1: "dark", 3: "red", 4: "red-amber", 5: "green", 6: "green", 7: "amber", 8: "amber", 9: "flashing"}


def _signal(data: bytes, content: str) -> str:
    from drivers.codecs.spat import to_signal_states
    from drivers.codecs.spat_uper import SpatUperStream
    from drivers.codecs.spat_xml import SpatXmlStream

    stream = SpatXmlStream() if content == "spat-xml" else SpatUperStream()
    said = []
    for intersection in stream.feed(data):
        for state in to_signal_states(intersection, 0, ""):
            if state.phases:
                left_ms = state.phases[0].likely_ms
                name = _STATES.get(state.phases[0].state, f"state {state.phases[0].state}")
                said.append(f"group {state.group} {name}" + ("" if left_ms is None else f" {left_ms / 1000:.1f} s"))
    return "; ".join(said)


def _panel(data: bytes) -> str:
    try:
        picture = decode(data)
    except PanelFrameError:
        return "no panel frame"
    lit = sum(any(picture.rgb[i : i + 3]) for i in range(0, len(picture.rgb), 3))
    return f"panel frame {picture.width_px} x {picture.height_px}, {lit} pixels lit"
