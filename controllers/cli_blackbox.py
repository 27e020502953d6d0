"""``leeze-controllers blackbox list|pull|picture``: what the flight recorder has kept, copies, what a panel showed."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controllers.service.flight_records import DEFAULT_FOLDER
from drivers.errors import InputError
from drivers.terminal import add_verb
from drivers.units import NS_PER_S

if TYPE_CHECKING:
    from controllers.service.blackbox import Pulled
    from drivers.recording.ring_look import Glance

_AGO = re.compile(r"(\d+)([smhd])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_TIME_OF_DAY = re.compile(r"\d\d:\d\d(:\d\d)?")


def add_blackbox(verbs: Any) -> None:
    """Add the verb to those of the command."""
    box = verbs.add_parser(
        "blackbox", help="the flight recorder's files", description="The flight recorder's files: list them, copy them."
    )
    inner = box.add_subparsers(title="verbs", metavar="VERB", required=True)
    listing = add_verb(
        inner, "list", _list, "what has been kept, file by file", "leeze-controllers blackbox list --folder flight"
    )
    pulling = add_verb(
        inner,
        "pull",
        _pull,
        "copy the files that cover a span, while the service runs on; say what is missing",
        "leeze-controllers blackbox pull --from 2h --to 18:30 -o night",
    )
    asking = add_verb(
        inner,
        "picture",
        _picture,
        "what did the panel show at that moment?",
        "leeze-controllers blackbox picture --at '2026-02-20 17:43:12' -o shown.png",
    )
    for each in (listing, pulling, asking):
        each.add_argument(
            "--folder", type=Path, default=DEFAULT_FOLDER, metavar="F", help=f"of the ring (default: {DEFAULT_FOLDER})"
        )
        each.add_argument("--board", metavar="NAME", help="only this board's")
        each.add_argument("--json", action="store_true", help="one JSON object a line in place of text")
    when = "2026-02-20 18:30, 18:30 (today), 2h (ago; also s, m, d) or now; local time unless it says otherwise"
    pulling.add_argument("--from", dest="from_", metavar="TIME", help=f"{when} (default: the oldest)")
    asking.add_argument(
        "--at", required=True, metavar="TIME", help="like --from of pull; tenths may follow: 17:43:12.4"
    )
    asking.add_argument("-o", "--out", type=Path, metavar="FILE", help="the picture as PNG")
    pulling.add_argument("--to", metavar="TIME", default="now", help="the same (default: now)")
    pulling.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="copies go here; made if need be")


def _list(said: argparse.Namespace) -> int:
    from controllers.service.blackbox import look

    found = look(said.folder, said.board)
    if said.json:
        for one in found:
            print(_json(_facts(one)))
        return 0
    if not found:
        print(f"{said.folder}: no files of a flight recorder")
        return 0
    width = max(len(one.file.path.name) for one in found)
    for one in found:
        print(f"{one.file.path.name:<{width}}  {_line(one)}")
    total_b = sum(one.file.size_b for one in found)
    print(f"{len(found)} files, {total_b:,} bytes")
    return 0


def _pull(said: argparse.Namespace) -> int:
    """Exit code 1 where a copy cannot be read whole; what was never recorded is told, and no failure of the copies."""
    from controllers.service.blackbox import covering, gap_holes, holes, look, pull

    now_ns = _now_ns()
    to_ns = _moment_ns(said.to, now_ns, "--to")
    found = look(said.folder, said.board)
    if said.from_ is None:
        known = [one.from_utc_ns for one in found if one.from_utc_ns is not None]
        from_ns = min(known, default=to_ns)
    else:
        from_ns = _moment_ns(said.from_, now_ns, "--from")
    if from_ns > to_ns:
        raise InputError(f"--from {_local(from_ns)} is later than --to {_local(to_ns)}")
    said.out.mkdir(parents=True, exist_ok=True)
    if said.out.resolve() == said.folder.resolve():
        raise InputError(f"{said.out}: is the ring itself; name another folder with -o")
    wrong, missing = 0, []
    for one in covering(found, from_ns, to_ns):
        try:
            copy = pull(one, said.out / one.file.path.name)
        except FileNotFoundError:
            _tell(said, {"missing": one.file.path.name, "why": "deleted by the recorder while we copied"})
            continue
        wrong += bool(copy.trouble)
        _tell(said, _pulled(copy))
        missing += [(one.file.board, hole) for hole in gap_holes(copy)]
    for board in sorted({one.file.board for one in found}):
        of_board = [one for one in found if one.file.board == board]
        missing += [(board, hole) for hole in holes(of_board, from_ns, min(to_ns, now_ns))]
    for board, hole in sorted(missing, key=lambda pair: (pair[0], pair[1].from_ns)):
        span = {"from": _local(hole.from_ns), "to": _local(hole.to_ns)}
        seconds = round((hole.to_ns - hole.from_ns) / NS_PER_S, 3)
        _tell(said, {"missing": board, **span, "seconds": seconds, "why": hole.why})
    for one in found:
        if one.from_utc_ns is None:
            why = one.unreadable or "nobody knew the time when it was written; copy it by name"
            _tell(said, {"left out": one.file.path.name, "why": why})
    return 1 if wrong else 0


def _picture(said: argparse.Namespace) -> int:
    from controllers.greenwave.picture_words import told
    from controllers.service.shown import shown_at
    from drivers.codecs.panel_frame import decode
    from drivers.codecs.panel_frame import shown_at as moved
    from drivers.devices.panel_picture import to_png, upright

    whole, dot, tenths = said.at.rpartition(".")
    fine = bool(dot) and ":" in whole and tenths.isdecimal() and len(tenths) <= 9
    utc_ns = _moment_ns(whole if fine else said.at, _now_ns(), "--at") + (int(tenths.ljust(9, "0")) if fine else 0)
    found = shown_at(said.folder, said.board, utc_ns)
    if said.out is not None:
        said.out.write_bytes(to_png(upright(moved(decode(found.frame), found.at_ns))))
    since_s = None if found.since_ns is None else (found.at_ns - found.since_ns) / NS_PER_S
    words = told(found.frame, found.bar_full_ms)
    if said.json:
        facts = {"at": _local(utc_ns), "panel": found.panel, "shows": words, "since_s": since_s, "doubt": found.doubt}
        print(_json(facts | {"frame": found.frame.hex(), "file": str(found.file)}))
        return 0
    ago = "for longer than this file goes back" if since_s is None else f"for {since_s:.1f} s"
    print(f"{_local(utc_ns)} {found.panel}: {words}; {ago} ({found.file.name})")
    if found.doubt:
        print(f"but {found.doubt}")
    return 0


def _pulled(copy: Pulled) -> dict[str, Any]:
    facts = {"copied": str(copy.path), **_facts(copy.glance), "records": copy.records}
    facts.pop("file")
    if copy.cut_b:
        facts["cut_bytes"] = copy.cut_b
    if copy.gaps:
        facts["lost_records"] = sum(gap.records for gap in copy.gaps)
    if copy.trouble:
        facts["trouble"] = copy.trouble
    return facts


def _tell(said: argparse.Namespace, facts: dict[str, Any]) -> None:
    if said.json:
        print(_json(facts))
        return
    (head, name), *rest = facts.items()
    told = [
        f"{key.replace('_', ' ')} {value}" for key, value in rest if value not in ("", None, False) and key in _TOLD
    ]
    print(f"{head} {name}: {', '.join(told)}", file=sys.stdout if head == "copied" else sys.stderr)


_TOLD = ("from", "to", "seconds", "why", "state", "bytes", "records", "cut_bytes", "lost_records", "trouble")


def _facts(one: Glance) -> dict[str, Any]:
    return {
        "file": str(one.file.path),
        "board": one.file.board,
        "controller": one.controller,
        "number": one.file.number,
        "bytes": one.file.size_b,
        "from": _local(one.from_utc_ns),
        "to": _local(one.to_utc_ns),
        "from_ns": one.first_ns,
        "to_ns": one.last_ns,
        "boot": one.boot,
        "state": _state(one),
        "complete": one.complete,
        "gap": one.gap,
        "missing_before": one.missing_before,
        "note": one.unreadable or one.note,
    }


def _state(one: Glance) -> str:
    if one.unreadable:
        return "unreadable"
    if one.gap:
        return "ends in a gap"
    if one.complete:
        return "complete"
    return "damaged" if one.note.startswith("damaged") else "cut, or being written"


def _line(one: Glance) -> str:
    """One file for people: span in local time and by the monotonic clock, size, state, whose."""
    if one.unreadable:
        return f"{one.file.size_b:>12,} B  unreadable: {one.unreadable}"
    if one.first_ns is None or one.last_ns is None:
        return f"{one.file.size_b:>12,} B  {_state(one)}, without a record"
    span = f"{_local(one.from_utc_ns) or 'time unknown'} + {(one.last_ns - one.first_ns) / NS_PER_S:,.1f} s"
    mono = f"({one.first_ns / NS_PER_S:,.1f} to {one.last_ns / NS_PER_S:,.1f} s)"
    before = f", before it {one.missing_before} missing" if one.missing_before else ""
    return f"{one.file.size_b:>12,} B  {span} {mono}  {one.controller}  {_state(one)}{before}"


def _local(utc_ns: int | None) -> str:
    """Local time with its offset, e.g. ``"2026-02-20 18:30:00+01:00"``; empty where it is not known."""
    from datetime import UTC, datetime

    if utc_ns is None:
        return ""
    return datetime.fromtimestamp(utc_ns // NS_PER_S, UTC).astimezone().isoformat(" ")


def _moment_ns(text: str, now_ns: int, option: str) -> int:
    """A moment as UTC nanoseconds. Raises InputError."""
    from datetime import datetime

    if text == "now":
        return now_ns
    if ago := _AGO.fullmatch(text):
        return now_ns - int(ago[1]) * _UNIT_S[ago[2]] * NS_PER_S
    if _TIME_OF_DAY.fullmatch(text):
        text = f"{_local(now_ns)[:10]} {text}"
    try:
        return int(datetime.fromisoformat(text).timestamp()) * NS_PER_S
    except (ValueError, OverflowError, OSError):
        raise InputError(f"{option} {text}: no time; write 2026-02-20 18:30, 18:30, 2h (ago) or now") from None


def _now_ns() -> int:
    from drivers.clock import SystemClock

    return SystemClock().utc_ns()


def _json(facts: dict[str, Any]) -> str:
    import json

    return json.dumps(facts)
