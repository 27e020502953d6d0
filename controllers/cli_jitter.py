"""``leeze-controllers jitter``: how late the loop's ticks come on this machine."""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from drivers.errors import InputError
from drivers.terminal import add_verb
from drivers.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from controllers.service.jitter import Jitter
    from controllers.service.real_time import Step

PERIOD_MS = 10
BAR = 24
NOT_ENOUGH = 1


def add_jitter(verbs: Any) -> None:
    """The verb, for a command's subparsers."""
    verb = add_verb(
        verbs,
        "jitter",
        _jitter,
        "how late do the loop's ticks come on this machine, beside a bare loop in C?",
        "leeze-controllers jitter --seconds 60 --load --board kanalpromenade-lamp",
    )
    verb.add_argument("--seconds", type=_whole(2, 86_400), default=20, metavar="N", help="in all (default: 20)")
    verb.add_argument("--load", action="store_true", help="keep every core and the disk busy meanwhile")
    period = verb.add_mutually_exclusive_group()
    period.add_argument(
        "--period-ms", type=_whole(1, 1000), metavar="P", help=f"of the ticks, 1 to 1000 (default: {PERIOD_MS})"
    )
    period.add_argument("--board", metavar="BOARD", help="the period of this board: of the catalog, or a .toml file")
    verb.add_argument("--plain", action="store_true", help="take no real-time steps")
    verb.add_argument("--priority", type=_whole(0, 99), default=50, metavar="N", help="of SCHED_FIFO (default: 50)")
    verb.add_argument("--cpu", type=_whole(0, 4095), metavar="N", help="stay on this CPU")
    verb.add_argument("--json", action="store_true", help="one JSON object in place of text")


def _whole(least: int, most: int) -> Any:
    def parse(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{least} to {most}")
        return value

    parse.__name__ = "whole number"  # argparse names it where int() refuses
    return parse


def _jitter(said: argparse.Namespace) -> int:
    from controllers.service.bare_loop import BareLoop
    from controllers.service.jitter import measure
    from controllers.service.load import Load
    from controllers.service.real_time import set_up
    from drivers.clock import SystemClock

    if said.cpu is not None and said.cpu not in os.sched_getaffinity(0):
        known = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
        raise InputError(f"--cpu {said.cpu}: this process may run on {known}")
    period_ns = _period_ms(said) * NS_PER_MS
    load = Load(said.seconds + 60) if said.load else nullcontext()
    with load:
        found = measure(
            period_ns,
            said.seconds * NS_PER_S,
            BareLoop(SystemClock()),
            tuple if said.plain else lambda: set_up(said.priority, said.cpu),
            _progress if sys.stderr.isatty() else lambda done, total: None,
        )
    about = load.about if isinstance(load, Load) else ""
    if said.json:
        print(json.dumps(as_json(found, about)))
    else:
        print("\n".join(in_words(found, about)))
    return NOT_ENOUGH if found.verdict == "not enough" else 0


def _period_ms(said: argparse.Namespace) -> int:
    if said.board is None:
        return int(said.period_ms or PERIOD_MS)
    from boards.load import load_board

    return load_board(said.board).period_ms


def _progress(done: int, total: int) -> None:
    sys.stderr.write(f"\r{done} of {total} rounds" if done < total else "\r\x1b[K")
    sys.stderr.flush()


def as_json(found: Jitter, load: str = "") -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "period_ms": found.period_ns // NS_PER_MS,
        "load": load,
        "loop": found.loop.figures(),
        "bare": found.bare.figures() | {"made_of": found.bare_made_of},
        "p50_ratio": round(found.ratio, 3),
        "histogram": {
            "le_us": [1 << number for number in range(len(found.loop.doublings()))],
            "count": found.loop.doublings(),
        },
        "held": found.held,
        "real_time": [{"step": step.step, "done": step.done, "why": step.why} for step in found.real_time],
        "verdict": found.verdict,
        "why": found.why,
    }


def in_words(found: Jitter, load: str = "") -> list[str]:
    """The lines of the report."""
    period_ms = found.period_ns // NS_PER_MS
    lines = [f"lateness of a tick every {period_ms} ms, in microseconds; {load or 'no load but what is there'}", ""]
    lines += [f"  {'':14} {'p50':>8} {'p99':>8} {'p99.9':>8} {'max':>8} {'ticks':>8} {'passed over':>12}"]
    for name, figures in (("this loop", found.loop.figures()), ("bare loop", found.bare.figures())):
        late = " ".join(f"{figures[quantile]:8.1f}" for quantile in ("p50", "p99", "p999", "max"))
        lines.append(f"  {name:14} {late} {figures['ticks']:8} {figures['passed_over']:12}")
    lines += [f"  p50 of this loop is {found.ratio:.2f} times that of the bare one ({found.bare_made_of})", ""]
    lines += _histogram(found)
    if found.held:
        newest = found.held[-1]
        lines += ["", f"late by half a period or more: {len(found.held)} of the newest ticks, the last one by "]
        lines[-1] += f"{newest['late_us']} us, held by {newest['what']} for {newest['for_us']} us"
    lines += ["", "real time:"]
    lines += [_step(step) for step in found.real_time] or ["  no steps asked for"]
    return [*lines, "", f"verdict for {period_ms} ms: {found.verdict}: {found.why}"]


def _histogram(found: Jitter) -> list[str]:
    ours, bare = found.loop.doublings(), found.bare.doublings()
    rows = max(len(ours), len(bare))
    ours += [0] * (rows - len(ours))
    bare += [0] * (rows - len(bare))
    first = next((row for row in range(rows) if ours[row] or bare[row]), 0)
    lines = [f"  {'up to us':>10}  {'this loop':<{BAR + 9}}bare loop"]
    for row in range(first, rows):
        drawn = [_bar(counts[row], max(counts)) for counts in (ours, bare)]
        lines.append(f"  {1 << row:>10}  {ours[row]:>7} {drawn[0]:<{BAR}} {bare[row]:>7} {drawn[1]}".rstrip())
    return lines


def _bar(count: int, most: int) -> str:
    """As long as its share of the fullest row; what there is can be seen."""
    return "█" * max(1, round(BAR * count / most)) if count else ""


def _step(step: Step) -> str:
    return f"  {'done' if step.done else 'not done':<8}  {step.step}: {step.why}"
