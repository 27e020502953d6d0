"""What a case asks beside its reference: promises, order, measurements, that anything was seen at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from drivers.errors import InputError
from drivers.units import NS_PER_S
from hil.case import Case
from hil.judge.alignment import Content
from hil.judge.compare import Verdict
from hil.judge.context import context
from hil.judge.evidence import Passed, SentLog
from hil.judge.measures import uncertain
from hil.outcome import Outcome

Figures = Mapping[str, Mapping[str, float | int | None]]


def with_context(
    verdict: Verdict,
    log: SentLog,
    digest: str = "",
    expected_digest: str = "",
    recent: Iterable[Passed] | None = None,
) -> Verdict:
    """The verdict, its first divergence with what stood around it (`recent`, else the log's), and both digests."""
    if verdict.first is None:
        return verdict
    contents: dict[str, str] = {wire: content_of(wire) for wire in log.wires}
    contents |= log.contents
    told = ""
    if digest and expected_digest:
        told = (
            f"digest {digest[:16]}..., the reference's run {expected_digest[:16]}...; "
            "of two recordings `leeze-hil trace digest ONE TWO` finds the first link that differs"
        )
    around = context(verdict.first, log.recent if recent is None else recent, contents, log.period_ns)
    return msgspec.structs.replace(verdict, first=msgspec.structs.replace(verdict.first, context=around, digests=told))


def judged_beside(case: Case, outcome: Outcome, log: SentLog, *, uncertainty_ms: float = 0.0) -> Outcome:
    """Promises, order rules, measurements and non-vacuity of a whole run; what is broken fails it, doubt blocks it."""
    result = outcome.result
    end_ns = round(result.span_s * NS_PER_S)
    broken = broken_promises(case, result.figures)
    whole = not log.from_ns  # a run that was resumed has not seen its beginning
    broken += [said for rule in log.rules if whole and (said := rule.verdict(end_ns))]
    found = []
    for meter in log.meters if whole else ():
        measurement, said = meter.measured(result.figures, uncertainty_ms)
        if measurement is not None:
            found.append(measurement)
        if said:
            broken.append(said)
    if whole and log.saw_light is False and not case.nothing_lit_because:
        what = "the panel never showed green" if case.signal is not None else "no lamp ever came to full level"
        broken.append(f"proves nothing: {what}; if that is meant, say why in `nothing_lit_because`")
    doubt = [
        f"measured too near to its limit to say ({uncertainty_ms:g} ms uncertain): {name}; use a better adapter"
        for name in uncertain(found)
    ]
    result = msgspec.structs.replace(
        result,
        measurements=(*result.measurements, *found),
        broken=(*result.broken, *broken),
        blocked=(*result.blocked, *doubt),
    )
    return settled(msgspec.structs.replace(outcome, result=result))


def settled(outcome: Outcome) -> Outcome:
    """The verdict as all that was found asks for: blocked before failed before anything else."""
    result = outcome.result
    verdict = "blocked" if result.blocked else "failed" if result.broken else result.verdict
    return msgspec.structs.replace(outcome, result=msgspec.structs.replace(result, verdict=verdict))


def content_of(wire: str) -> Content:
    """How the frames of ``board/wire`` are compared and read."""
    name = wire.partition("/")[2]
    return "dali" if name == "dali" else "panel" if name == "panel" else "bytes"


def judged(outcome: Outcome, verdict: Verdict) -> Outcome:
    """The outcome with the verdict of a comparison."""
    result = msgspec.structs.replace(
        outcome.result, verdict="passed" if verdict.passed else "failed", comparison=verdict
    )
    return msgspec.structs.replace(outcome, result=result)


def blocked(outcome: Outcome, why: str) -> Outcome:
    """The same run, of whose board nothing is said. `why` says what is wrong and what to do."""
    result = msgspec.structs.replace(outcome.result, blocked=(*outcome.result.blocked, why))
    return msgspec.structs.replace(outcome, result=result)


def refuse_in_ci() -> None:
    """A reference is made by somebody who looks at it. Raises InputError where the variable CI is set."""
    if os.environ.get("CI"):
        raise InputError(
            "--update-reference: not in CI (the variable CI is set): a new reference has to be read by somebody; "
            "make it on your machine and commit it with the change"
        )


def show_difference(outcome: Outcome, reference: Path) -> None:
    """Say on standard error what is about to change, before it does."""
    result = outcome.result
    if result.blocked:
        said = f"is replaced unread: {result.blocked[-1]}"
    elif result.comparison is None:
        said = "is new"
    elif result.comparison.passed:
        said = f"stays as it is ({result.comparison.reason})"
    else:
        said = f"changes: {result.comparison.text()}"
    sys.stderr.write(f"{reference}: {said}\n")


def broken_promises(case: Case, figures: Figures) -> list[str]:
    """One sentence for each promise that was not kept."""
    broken = []
    share = figures.get("lit_share", {}).get("leeze")
    wanted = case.promise.lit_share_at_least
    if wanted is not None and (share is None or share < wanted):
        found = "nobody was owed light" if share is None else f"{share:.1%} of riders lit in time"
        broken.append(f"promise broken: {found}, {wanted:.1%} promised")
    limit = case.promise.energy_below_always_on
    if limit is not None:
        energies = figures.get("energy_wh", {})
        energy, always = energies.get("leeze"), energies.get("always_on")
        if energy is None or not always or energy >= limit * always:
            found = "energy unknown (--no-rules?)" if energy is None or always is None else f"{energy} of {always} Wh"
            broken.append(f"promise broken: {found}, below {limit:.1%} of always on promised")
    return broken
