"""Judging a long trace while it runs: nothing of it is kept but the last things on its wires."""

from __future__ import annotations

from collections.abc import Iterable

from hil.judge.alignment import Tolerance
from hil.judge.beside import with_context
from hil.judge.compare import LiveComparison, Verdict
from hil.judge.evidence import Passed, SentLog
from hil.judge.reference import Sent

KEPT = 4_000
"""A divergence is found at the latest 64 frames of its wire behind it, and what stood around it is put aside then."""


class LiveJudge:
    """Holds what `log` hears against what was `expected`, from now on; the log keeps nothing of it."""

    def __init__(self, log: SentLog, expected: Iterable[Sent], tolerance: Tolerance) -> None:
        self._log = log
        self._around: tuple[Passed, ...] = ()
        self._comparison = LiveComparison(expected, tolerance, self._first)
        log.judge = self._comparison.got

    def _first(self) -> None:
        self._around = tuple(self._log.recent)

    def finish(self, before_ns: int, digest: str = "") -> Verdict:
        """The verdict over what was expected before `before_ns`, with what stood around its first divergence."""
        verdict = self._comparison.finish(before_ns)
        return with_context(verdict, self._log, digest, recent=self._around)
