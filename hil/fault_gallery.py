"""For each kind of fault: a case that catches it, and the text the user reads. `leeze-hil faults` prints it.

docs/faults.md holds what it prints between two marks; a test holds it to that, `leeze-hil faults --write` renews it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from drivers.errors import InputError
from hil.faults.span import KINDS, read_by_hand
from hil.outcome import Request
from hil.replay import replay
from hil.report.result import RunResult

BEGIN, END = "<!-- begin: leeze-hil faults -->", "<!-- end: leeze-hil faults -->"

GALLERY: tuple[tuple[str, str], ...] = (
    ("lamp-handover", "dropped:west/radar-2:6-20:pct=50"),
    ("lamp-handover", "delayed:west/radar-2:6-20:by_ms=400"),
    ("lamp-handover", "duplicated:west/dali:0-3"),
    ("lamp-handover", "corrupted:west/radar-2:6-20:pct=60"),
    ("lamp-handover", "stuck:west/radar-2:8-20"),
    ("lamp-handover", "silence:west/dali:10-20"),
    ("lamp-handover", "nack:west/dali:0-3"),
    ("lamp-handover", "radar-silent:west/radar-2:6-30"),
    ("lamp-handover", "gateway-silent:west/dali:10-25"),
    ("bus-power", "line-dark:west/dali:100-200"),
    ("lamp-handover", "messages-lost::0-45"),
    ("leezenflow-restart", "broker-loss:leezenflow/feed:20-45"),
    ("lamp-handover", "controller-off:west:12-16"),
    ("leezenflow-restart", "restart:leezenflow:30-32"),
    ("lamp-handover", "brown-out:west:12-16"),
    ("lamp-handover", "wrong-clock:west:12-40:by_ms=61200000"),
)


class Shown(msgspec.Struct, frozen=True):
    """One fault on one case, and what came of it."""

    case: str
    fault: str
    result: RunResult

    @property
    def kind(self) -> str:
        """Of the fault."""
        return read_by_hand(self.fault).kind

    def markdown(self) -> str:
        """A heading, the command, and what it says."""
        first = self.result.comparison.first if self.result.comparison is not None else None
        said = [self.result.reason]
        if first is not None:
            said += msgspec.structs.replace(first, context=(), digests="").text().splitlines()
        lines = [line for sentence in said for line in _wrapped(sentence)]
        told = [f"    {line}".rstrip() for line in lines]
        return "\n".join([f"### {self.kind}", "", f"    {self.result.command}", "", *told])


def gallery() -> list[Shown]:
    """Every kind of fault, in the order of KINDS. Raises InputError where a kind has no case."""
    found = [
        Shown(case, fault, replay(Request(subject=case, faults=(fault,)), lambda done, total: None).result)
        for case, fault in GALLERY
    ]
    found.sort(key=lambda one: KINDS.index(one.kind))
    lacking = sorted(set(KINDS) - {one.kind for one in found})
    if lacking:
        raise InputError(f"no case is named for: {', '.join(lacking)}")
    return found


def text(found: list[Shown]) -> str:
    """What stands between the marks of docs/faults.md."""
    return "\n\n".join(one.markdown() for one in found)


def write(path: Path, found: list[Shown]) -> None:
    """Renew what stands between the marks of `path`. Raises InputError where it has none."""
    try:
        page = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    begin, end = page.find(BEGIN), page.find(END)
    if begin < 0 or end < begin:
        raise InputError(f"{path}: needs the marks {BEGIN} and {END}")
    path.write_text(f"{page[: begin + len(BEGIN)]}\n\n{text(found)}\n\n{page[end:]}", encoding="utf-8")


_WIDE = 116


def _wrapped(line: str) -> list[str]:
    """A long line in pieces, the later ones indented: pages stay readable."""
    pieces = []
    while len(line) > _WIDE:
        at = line.rfind(" ", 0, _WIDE)
        if at <= 0:
            at = _WIDE
        pieces.append(line[:at])
        line = f"    {line[at:].lstrip()}"
    return [*pieces, line]
