"""Text of strangers made safe for HTML and XML: names come from files that anyone may write."""

from __future__ import annotations

import html
import re

_ILLEGAL = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def clean(text: str) -> str:
    """`text` with every character that XML 1.0 forbids (section 2.2, e.g. NUL, ESC) as U+FFFD."""
    return _ILLEGAL.sub("\ufffd", text)


def markup(text: str) -> str:
    """`text` ready to stand in HTML or SVG, as content or in a quoted attribute: ``markup("<b>") == "&lt;b&gt;"``."""
    return html.escape(clean(text), quote=True)
