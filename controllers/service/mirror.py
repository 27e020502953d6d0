"""What the panel shows now, as a page and a picture beside the metrics: ``/panel.html`` and ``/panel.png``.

Made in the HTTP server's thread from the finished dict of the last second; the loop is not asked and does not wait.
"""

from __future__ import annotations

import html
from functools import lru_cache
from typing import Any

from controllers.greenwave.picture_words import told

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="1">
<title>{name}</title><style>body{{font:16px/1.5 sans-serif;background:#16181c;color:#e8e8e4;margin:2em}}</style>
<h1>{name}</h1><p>{words}</p><img src="/panel.png?{since}" alt="{words}" width="272"></html>
"""


def mirror(path: str, picture: dict[str, Any]) -> tuple[str, str, bytes]:
    """(HTTP status, content type, body) for ``/panel.png``, ``/panel.html``; 404 for others and where no panel is."""
    shown = next(((name, panel) for name, panel in picture.get("panels", {}).items() if "frame" in panel), None)
    if shown is None or path not in ("/panel.png", "/panel.html"):
        return "404 Not Found", "text/plain; charset=utf-8", b"there is /panel.png and /panel.html of a Leezenflow\n"
    name, panel = shown
    frame = bytes.fromhex(panel["frame"])
    if path == "/panel.png":
        return "200 OK", "image/png", _drawn(frame)
    words = html.escape(f"{picture.get('controller', '')}, {name}: {told(frame)}, for {panel['since_s']} s")
    page = _PAGE.format(name=html.escape(str(picture.get("controller", ""))), words=words, since=panel["since_s"])
    return "200 OK", "text/html; charset=utf-8", page.encode()


@lru_cache(maxsize=8)
def _drawn(frame: bytes) -> bytes:
    from drivers.codecs.panel_frame import decode
    from drivers.devices.panel_picture import to_png, upright

    return to_png(upright(decode(frame)), 8)
