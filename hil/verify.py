"""`leeze-hil replay --verify`: files of a flight recorder run again, each alone, and the seams between them.

A file is run from its own snapshot, so the files of a ring are independent of each other and go to as many processes as
there are processors. What they cannot show alone is shown at the seams: the state that a file ends with must be the
snapshot that the next one opens with, to the last key.

A quick verification only asks the chain of digests whether the record is as it was written, and runs again what is not.
"""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from drivers.clock import SystemClock
from drivers.errors import InputError
from drivers.recording.ring import ring_files
from drivers.units import NS_PER_MS, NS_PER_S
from hil.flight_check import Check, check
from hil.flight_run import FlightResult, FlightRun

Verdict = Literal["intact", "same", "different", "damaged"]
"""From best to worst for a ring; "intact" says that nothing was run again."""

EXIT = {"intact": 0, "same": 0, "different": 1, "damaged": 2}
_ORDER = ["intact", "same", "damaged", "different"]


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """One file. `result` is None where it could not be run: `trouble` then says why. `seam`: how it goes on from the
    file before it, empty where there is nothing to say; `broken_seam` where that is a difference. `wall_ns`: it took.
    `check`: what its digests say, where only they were asked.
    """

    path: Path
    result: FlightResult | None
    trouble: str = ""
    seam: str = ""
    broken_seam: bool = False
    wall_ns: int = 0
    check: Check | None = None

    @property
    def verdict(self) -> Verdict:
        """What came of it; one that was cut or has a gap is judged by what there is."""
        if self.broken_seam or (self.result is not None and self.result.difference is not None):
            return "different"
        if self.check is not None:
            return "intact"
        return "damaged" if self.result is None or self.result.damaged else "same"

    @property
    def span_ns(self) -> int:
        """The time it covers."""
        return 0 if self.result is None else self.result.to_ns - self.result.from_ns

    def text(self) -> str:
        """For people; more than a line where something is wrong."""
        result = self.result
        if self.check is not None:
            return f"{self.path}: intact, {self.check.digests} digests hold; not run again"
        if result is None:
            return f"{self.path}: not verified\n  {self.trouble}"
        lines = [f"{self.path}: {self.verdict}, {_figures(result.ticks, self.span_ns, self.wall_ns)}, {result.digest}"]
        if result.ended:
            lines.append(f"  verified up to second {result.to_ns / NS_PER_S:,.3f}: {result.ended}")
        elif result.stopped and result.difference is None:
            lines.append("  its clean stop is the same")
        if self.seam:
            lines.append(f"  {self.seam}")
        if result.difference is not None:
            lines.append(result.difference.text())
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """One entry of ``files``."""
        result = self.result
        found: dict[str, Any] = {"file": str(self.path), "verdict": self.verdict, "wall_s": _s(self.wall_ns)}
        if self.check is not None:
            return {**found, "digests": self.check.digests}
        if result is None:
            return {**found, "trouble": self.trouble}
        found |= {
            "digest": result.digest,
            "ticks": result.ticks,
            "span_s": _s(self.span_ns),
            "digests": result.digests,
            "whole": result.whole,
            "stopped": result.stopped,
        }
        for key, text in (("ended", result.ended), ("seam", self.seam)):
            if text:
                found[key] = text
        if result.difference is not None:
            found["difference"] = result.difference.as_json()
        return found


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """All files that were looked into, in order. `left`: those behind the first difference, not looked into."""

    files: tuple[Verified, ...]
    left: int
    wall_ns: int

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        return max((file.verdict for file in self.files), key=_ORDER.index)

    @property
    def exit_code(self) -> int:
        """0 the same, 1 a difference, 2 something that could not be judged."""
        return EXIT[self.verdict]

    @property
    def digest(self) -> str:
        """That of the one file, or one over those of all."""
        digests = [file.result.digest for file in self.files if file.result is not None]
        return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()

    def text(self) -> str:
        """One line over all."""
        ticks = sum(file.result.ticks for file in self.files if file.result is not None)
        span_ns = sum(file.span_ns for file in self.files)
        left = f"; {self.left} files behind it were not looked into" if self.left else ""
        return f"{self.verdict}: {len(self.files)} files, {_figures(ticks, span_ns, self.wall_ns)}, {self.digest}{left}"

    def as_json(self) -> dict[str, Any]:
        """The object of ``--json``."""
        first = next((file for file in self.files if file.verdict == "different"), None)
        difference = first.as_json().get("difference") if first is not None else None
        return {
            "verdict": self.verdict,
            "digest": self.digest,
            "ticks": sum(file.result.ticks for file in self.files if file.result is not None),
            "span_s": _s(sum(file.span_ns for file in self.files)),
            "wall_s": _s(self.wall_ns),
            "left": self.left,
            "difference": difference,
            "files": [file.as_json() for file in self.files],
        }


def verify(
    paths: Sequence[Path],
    *,
    skip: bool = True,
    keep_going: bool = False,
    quick: bool = False,
    processes: int | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Verification:
    """Run every file again; those of folders by board and number.

    Ends with the first file that differs, unless it shall `keep_going`. `quick`: only those whose digests do not hold.
    `processes`: as many as there are processors.
    `tell` gets a line a file, as soon as those before it are known. Raises InputError: nothing there, or no file of a
    flight recorder.
    """
    files = _files(paths)
    clock = SystemClock()
    begun_ns = clock.now_ns()
    done: list[Verified] = []
    results = _run(files, skip, quick, processes or len(os.sched_getaffinity(0)))
    for verified in results:
        before = done[-1] if done else None
        verified = _with_seam(before, verified, skip)
        done.append(verified)
        tell(verified.text())
        if verified.verdict == "different" and not keep_going:
            results.close()
            break
    found = Verification(files=tuple(done), left=len(files) - len(done), wall_ns=clock.now_ns() - begun_ns)
    if len(files) > 1:
        tell(found.text())
    return found


def verify_file(path: Path, skip: bool) -> Verified:
    """Run one file again; what is wrong with it is in the result."""
    clock = SystemClock()
    begun_ns = clock.now_ns()
    try:
        result = FlightRun(path, skip=skip).run()
    except InputError as error:
        return Verified(path=path, result=None, trouble=str(error))
    return Verified(path=path, result=result, wall_ns=clock.now_ns() - begun_ns)


def check_file(path: Path, skip: bool) -> Verified:
    """Ask the digests of one file, and run it again only if they do not hold."""
    clock = SystemClock()
    begun_ns = clock.now_ns()
    try:
        found = check(path)
    except InputError as error:
        return Verified(path=path, result=None, trouble=str(error))
    if found.broken_ns is None:
        return Verified(path=path, result=None, check=found, wall_ns=clock.now_ns() - begun_ns)
    return verify_file(path, skip)


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        try:
            found = [file.path for file in ring_files(path)]
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None
        if not found:
            raise InputError(f"{path}: holds no file of a flight recorder (BOARD-NNNNNN.mcap)")
        files += found
    return files


def _run(files: Sequence[Path], skip: bool, quick: bool, processes: int) -> Generator[Verified, None, None]:
    """One after the other, or side by side; in order of time, so that the first difference is soon known."""
    one = check_file if quick else verify_file
    if len(files) == 1 or processes == 1:
        yield from (one(path, skip) for path in files)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("fork" if _is_alone() else "spawn")
    pool = ProcessPoolExecutor(min(processes, len(files)), context, _put_collector_off)
    try:
        for run in [pool.submit(_collected, one, path, skip) for path in files]:
            yield run.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _is_alone() -> bool:
    """True if this process has one thread: then it may be forked, and nothing has to be imported anew."""
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


def _put_collector_off() -> None:
    """A file leaves few cycles behind, collected when it is done; to look for them all the while costs a tenth."""
    gc.disable()
    gc.freeze()


def _collected(one: Callable[[Path, bool], Verified], path: Path, skip: bool) -> Verified:
    try:
        return one(path, skip)
    finally:
        gc.collect()


def _with_seam(before: Verified | None, file: Verified, skip: bool) -> Verified:
    """Say how `file` goes on from the one before it."""
    if before is None or before.result is None or file.result is None:
        return file
    last, this = before.result, file.result
    if this.fresh:
        return msgspec.structs.replace(file, seam="begins with a start of its own")
    if not last.whole or last.stopped or before.path.parent != file.path.parent:
        return file
    if this.opening_ns != last.ticked_ns:
        between_ms = (this.opening_ns - last.ticked_ns) / NS_PER_MS
        return msgspec.structs.replace(
            file, seam=f"does not go on from the file before: {between_ms:,.3f} ms lie between them"
        )
    parts = _parting(_state(last.state, skip), _state(this.opening, skip), "")
    if parts:
        return msgspec.structs.replace(
            file, broken_seam=True, seam=f"opens with another state than the file before ends with: {parts}"
        )
    return msgspec.structs.replace(file, seam="opens with the state that the file before ends with")


def _state(state: bytes, skip: bool) -> Any:
    found = msgspec.json.decode(state)
    if not skip:
        del found["ticks"]  # those left out were run here
    return found


def _parting(one: Any, other: Any, place: str) -> str:
    """The first place where two states differ, with both values; empty where they are the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            if found := _parting(one.get(key), other.get(key), f"{place}.{key}"):
                return found
        return ""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            if found := _parting(left, right, f"{place}[{number}]"):
                return found
        return ""
    if one == other:
        return ""
    shown = (msgspec.json.encode(value).decode()[:80] for value in (one, other))
    return f"{place.removeprefix('.')} is {' before and '.join(shown)} after"


def _figures(ticks: int, span_ns: int, wall_ns: int) -> str:
    speed = f" ({span_ns / wall_ns:,.0f} times real time)" if wall_ns else ""
    return f"{ticks:,} ticks, {_s(span_ns):,} s in {_s(wall_ns):,} s{speed}"


def _s(ns: int) -> float:
    return round(ns / NS_PER_S, 3)
