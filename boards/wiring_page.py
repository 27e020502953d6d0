"""The wiring sheet as a page to print: the header drawn as it lies on the desk, a line to every terminal, a table."""

from __future__ import annotations

import textwrap
from html import escape

from boards import pins
from boards.pinout import config_lines
from boards.schema import BoardDescription
from boards.wiring import Card, cards

ROW_PX = 22
HEADER_TOP_PX = 70
HEADER_X_PX = 40
LANES_X_PX = 300
CARD_X_PX = 560
CARD_WIDTH_PX = 520
LINE_PX = 18
TEXT_WIDTH = 76
LINES = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22", "#ff7f0e", "#7f7f7f")
_EDGE = 'stroke="#868e96"'
_USED, _FREE, _SUPPLY = "#2b8a3e", "#ffffff", {"3V3": "#f59f00", "5V": "#e03131", "GND": "#343a40"}


def wiring_svg(board: BoardDescription) -> str:
    """The drawing alone, e.g. for a report. The same board gives the same bytes."""
    sheet = cards(board)
    tops, height = _layout(sheet, with_header=board.model != "laptop")
    width = CARD_X_PX + CARD_WIDTH_PX + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="20" y="28" font-size="18" font-weight="bold">{escape(board.title)}</text>',
        f'<text x="20" y="48" fill="#555">{escape(board.name)}, {pins.MODEL_TITLES[board.model]}. '
        "Names of TX and RX are those of each side: TX goes to RX.</text>",
    ]
    if board.model != "laptop":
        parts += _header(board)
    lane = 0
    for card, top in zip(sheet, tops, strict=True):
        parts += _card(card, top)
        for number, row in enumerate(card.rows):
            if row.pin is not None:
                parts.append(_line(row.pin, top + 50 + number * LINE_PX, lane, dashed=bool(row.between)))
                lane += 1
    return "\n".join([*parts, "</svg>"]) + "\n"


def wiring_page(board: BoardDescription) -> str:
    """A whole HTML page: drawing, table, the lines of config.txt. One file, nothing loaded from elsewhere."""
    table = []
    for card in cards(board):
        for row in card.rows:
            pin = "" if row.pin is None else str(row.pin)
            cells = (row.device, row.part, row.terminal, row.goes_to, pin, row.carries, row.colour, row.between)
            table.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    lines = config_lines(board)
    config = f"<h2>config.txt</h2><pre>{escape(chr(10).join(lines))}</pre>" if lines else ""
    heads = ("device", "part", "terminal", "goes to", "pin", "carries", "colour", "in between")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(board.name)}: wiring</title>
<style>
body {{ font: 14px/1.4 sans-serif; margin: 1em; }}
table {{ border-collapse: collapse; }} td, th {{ border: 1px solid #999; padding: 2px 8px; text-align: left; }}
@media print {{ svg {{ width: 100%; height: auto; }} }}
</style></head><body>
{wiring_svg(board)}
<h2>Every connection</h2>
<table><tr>{"".join(f"<th>{head}</th>" for head in heads)}</tr>
{chr(10).join(table)}
</table>
{config}
</body></html>
"""


def _layout(sheet: list[Card], *, with_header: bool) -> tuple[list[int], int]:
    """Tops of the cards, and the height of it all."""
    tops, at = [], HEADER_TOP_PX
    for card in sheet:
        tops.append(at)
        at += _card_height(card) + 12
    return tops, max(at, HEADER_TOP_PX + 20 * ROW_PX + 40 if with_header else 0) + 10


def _card_height(card: Card) -> int:
    return 50 + LINE_PX * len(_text_lines(card))


def _text_lines(card: Card) -> list[tuple[str, str]]:
    """What stands in a card below its title: (text, colour) a line, connections first, one line each."""
    lines = []
    for row in card.rows:
        colour = f" ({row.colour})" if row.colour else ""
        pin = f", pin {row.pin} {row.carries}" if row.pin is not None else ""
        lines.append((f"{row.terminal}{colour}  →  {row.goes_to}{pin}", "#000"))
    for head, text, colour in (
        ("between: ", card.between, "#d9480f"),
        ("supply: ", card.supply, "#c92a2a"),
        ("", card.note, "#1864ab"),
    ):
        lines += [(part, colour) for part in textwrap.wrap(head + text, TEXT_WIDTH)] if text else []
    return lines


def _header(board: BoardDescription) -> list[str]:
    roles = {use.gpio: use.role for use in pins.uses(board)}
    x, top = HEADER_X_PX, HEADER_TOP_PX
    parts = [f'<rect x="{x + 70}" y="{top - 6}" width="64" height="{20 * ROW_PX + 8}" rx="6" fill="#f1f3f5" {_EDGE}/>']
    for pin, what in enumerate(pins.HEADER, start=1):
        y = top + (pin - 1) // 2 * ROW_PX + ROW_PX // 2
        right = pin % 2 == 0
        cx = x + (118 if right else 86)
        colour = _SUPPLY.get(str(what)) or (_USED if what in roles else _FREE)
        parts.append(f'<circle cx="{cx}" cy="{y}" r="7" fill="{colour}" stroke="#495057"/>')
        name = f"GPIO{what}" if isinstance(what, int) else str(what)
        weight = ' font-weight="bold"' if what in roles else ' fill="#868e96"'
        if right:
            parts.append(f'<text x="{x + 140}" y="{y + 4}"{weight}>{pin} {name}</text>')
        else:
            parts.append(f'<text x="{x + 64}" y="{y + 4}" text-anchor="end"{weight}>{name} {pin}</text>')
    parts.append(
        f'<text x="{x + 70}" y="{top + 20 * ROW_PX + 22}" fill="#555">pin 1 at the top left, board edge right</text>'
    )
    return parts


def _card(card: Card, top: int) -> list[str]:
    x = CARD_X_PX
    parts = [
        f'<rect x="{x}" y="{top}" width="{CARD_WIDTH_PX}" height="{_card_height(card)}" rx="6" '
        f'fill="#f8f9fa" {_EDGE}/>',
        f'<text x="{x + 12}" y="{top + 18}" font-weight="bold">{escape(card.title)}</text>',
        f'<text x="{x + 12}" y="{top + 34}" fill="#555">{escape(card.wire)}</text>',
    ]
    for number, (text, colour) in enumerate(_text_lines(card)):
        left = x + (20 if number < len(card.rows) else 12)
        parts.append(f'<text x="{left}" y="{top + 54 + number * LINE_PX}" fill="{colour}">{escape(text)}</text>')
    return parts


def _line(pin: int, y_end: int, lane: int, *, dashed: bool) -> str:
    """From a pin to a terminal by a lane of its own; dashed where something belongs in between."""
    right = pin % 2 == 0
    y = HEADER_TOP_PX + (pin - 1) // 2 * ROW_PX + ROW_PX // 2
    gap = y + (-9 if right else 9)  # between the rows, where no name stands
    x0, x1 = HEADER_X_PX + (118 if right else 86), LANES_X_PX + 9 * (lane % 28)
    dash = ' stroke-dasharray="6 3"' if dashed else ""
    colour = LINES[lane % len(LINES)]
    way = f"M{x0} {y} L{x0 + 12} {gap} H{x1} V{y_end} H{CARD_X_PX + 14}"
    return (
        f'<path d="{way}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        f'<circle cx="{CARD_X_PX + 14}" cy="{y_end}" r="3" fill="{colour}"/>'
    )
