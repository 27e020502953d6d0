"""The report: one HTML file that needs nothing else, in light, dark and on paper, with or without its script.

The same input gives the same bytes. The page asks for no address: style, script, pictures are inside, and its content
security policy allows only those.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib import resources
from pathlib import Path

from drivers.errors import InputError
from hil.judge.compare import Divergence
from hil.judge.readable import readable
from hil.judge.reference import Sent
from hil.report.account_table import account_html
from hil.report.bench_parts import lateness_html, measurements_html
from hil.report.escape import markup
from hil.report.figures import RULES, duration, number, rows, rules_of
from hil.report.hours_picture import hours_html
from hil.report.lanes import Lanes, Window
from hil.report.result import RunResult
from hil.report.timeline import timeline

MOST_ELEMENTS = 20_000
MARKS = {
    "passed": ("\u2713", "Passed"),
    "failed": ("\u2717", "Failed"),
    "blocked": ("\u25a0", "Blocked"),
    "no-reference": ("?", "No reference"),
}


def write_page(
    path: Path,
    result: RunResult,
    lanes: Lanes | None = None,
    *,
    window: Window | None = None,
    budget: int = MOST_ELEMENTS,
) -> None:
    """Write the page of one run to `path`. Raises InputError where that cannot be done."""
    try:
        path.write_text(page(result, lanes, window=window, budget=budget), encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"{path}: the report cannot be written: {error.strerror}") from None


def page(
    result: RunResult, lanes: Lanes | None = None, *, window: Window | None = None, budget: int = MOST_ELEMENTS
) -> str:
    """The page as text. `window` is the time to show, by default what `choose_window` finds; `budget` SVG elements."""
    style, script = _asset("page.css"), _asset("page.js")
    script_hash = b64encode(sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{script_hash}'"
    title = result.title or result.case
    name = markup(f"{MARKS[result.verdict][1]}: {title}")
    parts = [_verdict(result), _blocked(result), _divergence(result), measurements_html(result.measurements)]
    parts += [_figures(result), _groups(result)]
    parts += [] if lanes is None else [timeline(result, lanes, window, budget), _hours(lanes)]
    parts += [account_html(result.account)]
    parts += [lateness_html(result)]
    parts += [_provenance(result)]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f'<header><div class="brand">LEEZE \u00b7 hardware in the loop</div><h1>{markup(title)}</h1>'
        f'<p class="about">{markup(result.case if result.title else "")}</p></header>\n'
        + "\n".join(part for part in parts if part)
        + f'\n</main>\n<div id="tip" aria-hidden="true"></div>\n<script>{script}</script>\n</body>\n</html>\n'
    )


def _asset(name: str) -> str:
    return resources.files("hil.report").joinpath(name).read_text(encoding="utf-8")


def _verdict(result: RunResult) -> str:
    mark, word = MARKS[result.verdict]
    reason = result.reason.removeprefix(f"{result.verdict}: ")
    facts = [("bench", result.bench), ("replayed", duration(result.span_s)), ("in", duration(result.wall_s))]
    if result.wall_s > 0 and result.span_s > 0:
        facts.append(("times real time", f"{number(result.span_s / result.wall_s)}\u00d7"))
    facts.append(("ticks", number(result.ticks)))
    if result.radar_frames is not None:
        facts.append(("radar frames", number(result.radar_frames)))
    if result.us_per_frame is not None:
        facts.append(("a radar frame, end to end", f"{number(result.us_per_frame, 1)} \u00b5s"))
    listed = "".join(f"<li><b>{markup(value)}</b><span>{markup(name)}</span></li>" for name, value in facts)
    return (
        f'<section class="verdict {result.verdict}"><div class="mark" aria-hidden="true">{mark}</div><div>'
        f'<strong>{word}</strong>{markup(reason)}<ul class="facts">{listed}</ul></div></section>'
    )


def _blocked(result: RunResult) -> str:
    """What is wrong with the rig: nothing is said of the board."""
    if not result.blocked:
        return ""
    listed = "".join(f"<li>{markup(sentence)}</li>" for sentence in result.blocked)
    return (
        '<section><h2>The rig, not the board</h2><p class="note">Nothing is said of the board: what follows is to be '
        f"mended first.</p><ul>{listed}</ul></section>"
    )


def _divergence(result: RunResult) -> str:
    again = f"<p>Run it again:</p><pre>{markup(result.command)}</pre>" if result.command else ""
    comparison = result.comparison
    if result.verdict != "failed" or comparison is None or comparison.first is None:
        return f'<section aria-label="Again">{again}</section>' if again and result.verdict == "failed" else ""
    first = comparison.first
    return (
        f"<section><h2>First divergence: {first.kind}</h2><p>Tick <b>{first.tick}</b> at "
        f"<b>{number(first.t_ns / 1e6, 3)} ms</b> on wire <b>{markup(first.wire)}</b>; "
        f"{number(comparison.further)} further divergences.</p>"
        f'<table class="bytes"><thead><tr><th>side</th><th>bytes</th><th>reads as</th><th>tick</th></tr></thead><tbody>'
        f"{_side('expected', first.expected, first)}{_side('got', first.got, first)}</tbody></table>"
        f"{_around(first)}{again}</section>"
    )


def _around(first: Divergence) -> str:
    """What stood around it on all wires; the place itself stands out."""
    if not first.context:
        return ""
    lines = "\n".join(f"<mark>{markup(line)}</mark>" if line[:1] == ">" else markup(line) for line in first.context)
    digests = f'<p class="note">{markup(first.digests)}</p>' if first.digests else ""
    return f'<p>Around it, on all wires:</p><pre class="around">{lines}</pre>{digests}'


def _side(name: str, sent: Sent | None, first: Divergence) -> str:
    if sent is None:
        return f'<tr><th scope="row">{name}</th><td>nothing</td><td></td><td></td></tr>'
    other = (first.got if sent is first.expected else first.expected) or sent
    bytes_ = " ".join(
        f"{byte:02x}" if other.data[i : i + 1] == sent.data[i : i + 1] else f"<mark>{byte:02x}</mark>"
        for i, byte in enumerate(sent.data[:256])
    )
    more = f" \u2026 {len(sent.data)} bytes" if len(sent.data) > 256 else ""
    reads = markup(readable(sent.data, first.content)[:400])
    return (
        f'<tr><th scope="row">{name}</th><td><code>{bytes_}{more}</code></td><td>{reads}</td><td>{sent.tick}</td></tr>'
    )


def _figures(result: RunResult) -> str:
    table = rows(result.figures)
    if not table:
        return ""
    rules = rules_of(result.figures)
    head = "".join(f'<th scope="col">{markup(RULES.get(rule, rule))}</th>' for rule in rules)
    lines = []
    for row in table:
        cells = []
        for rule, cell in zip(rules, row.cells, strict=True):
            ours = ' class="ours"' if rule == "leeze" else ""
            if cell is None:
                cells.append(f"<td{ours}>\u2013</td>")
                continue
            beside = f"<small>{markup(cell.beside)}</small>" if cell.beside else ""
            bar = "" if cell.fraction is None else f'<i style="width:{cell.fraction * 100:.1f}%"></i>'
            cells.append(
                f"<td{ours}>{markup(cell.text)}{beside}{f'<span class=meter>{bar}</span>' if bar else ''}</td>"
            )
        lines.append(f'<tr><th scope="row">{markup(row.label)}</th>{"".join(cells)}</tr>')
    notes = "".join(f'<p class="note">{markup(note)}</p>' for note in result.notes)
    return (
        f'<section><h2>Figures</h2><div class="wide"><table><thead><tr><th scope="col">figure</th>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>{notes}</section>"
    )


def _groups(result: RunResult) -> str:
    if not result.groups:
        return ""
    lines = []
    for group in result.groups:
        left = group.get("remaining_s")
        remaining = "\u2013" if left is None else f"{left} s"
        cells = (str(group.get("state", "")), str(group.get("state_name", "")), remaining)
        row = "".join(f"<td>{markup(cell)}</td>" for cell in cells)
        lines.append(f'<tr><th scope="row">{markup(str(group.get("group", "")))}</th>{row}</tr>')
    return (
        '<section class="groups"><h2>Signal groups at the end</h2><div class="wide"><table><thead><tr>'
        '<th scope="col">group</th><th scope="col">state</th><th scope="col">name</th>'
        '<th scope="col">remaining</th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div></section>"
    )


def _hours(lanes: Lanes) -> str:
    charts = hours_html(lanes)
    return f"<section><h2>Hour by hour</h2>{charts}</section>" if charts else ""


def _provenance(result: RunResult) -> str:
    listed = dict(result.provenance)
    if result.digest:
        listed["digest"] = result.digest
    if result.command:
        listed["command"] = result.command
    items = "".join(f"<dt>{markup(name)}</dt><dd><code>{markup(value)}</code></dd>" for name, value in listed.items())
    return f"<section><h2>Provenance</h2><dl>{items}</dl></section>" if items else ""
