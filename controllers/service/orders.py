"""Orders of the control socket to a lit path's gate: a level by hand, with its end.

Asked: ``{"ask": "override", "lamps": ["lamp-3"], "level_pct": 100, "minutes": 10}``; ``"lamps": "all"`` for every lamp;
``"end": true`` in place of level and minutes for back to calendar and riders. What is understood becomes a Message, an
input like any other: recorded, and taken up by the next tick.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec

from controllers.core.contract import Gate
from controllers.core.failsafe_lamps import PPM_PER_PCT, LampGate
from controllers.core.overrides import COMMISSIONING, LONGEST_MS
from drivers.codecs.dali import level_for_ppm
from drivers.errors import InputError
from drivers.quantities import Message
from drivers.units import NS_PER_S

MS_PER_MIN = 60_000


class _Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ask: Literal["override"]
    lamps: list[str] | Literal["all"]
    level_pct: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    minutes: Annotated[float, msgspec.Meta(gt=0, le=LONGEST_MS / MS_PER_MIN)] | None = None
    end: bool = False


def order(asked: dict[str, Any], lamps: Iterable[str], t_ns: int) -> Message:
    """The input that an order becomes. Raises InputError: not understood, or no such lamp."""
    try:
        said = msgspec.convert(asked, _Asked)
    except msgspec.ValidationError as error:
        raise InputError(f"override: {error}; at most {LONGEST_MS // MS_PER_MIN} minutes, 0 to 100 per cent") from None
    known = sorted(lamps)
    if not known:
        raise InputError("override: this controller has no lamps")
    names = known if said.lamps == "all" else list(said.lamps)
    for name in names:
        if name not in known:
            raise InputError(f"override: no lamp {name!r}; there are: {', '.join(known)}")
    if said.end:
        return Message(t_ns, COMMISSIONING, {"kind": "override", "lamps": names, "level": None})
    if said.level_pct is None or said.minutes is None:
        raise InputError("override: a level and its minutes, or an end, are needed")
    body: dict[str, object] = {
        "kind": "override",
        "lamps": names,
        "level": level_for_ppm(round(said.level_pct * PPM_PER_PCT)),
        "for_ms": max(1, round(said.minutes * MS_PER_MIN)),
    }
    return Message(t_ns, COMMISSIONING, body)


def of_gate(gate: Gate, t_ns: int) -> dict[str, Any]:
    """What the gate of a lit path knows, JSON-able; nothing for other gates.

    ``{"light": "lit", "doubts": ["radar-1"], "dark": {"lamp-2": "lamp failure"}, "lux": "dark", "overrides": {"lamp-3":
    {"level": 254, "left_s": 540}}}``; "light" is off, lit, full, or base where nobody knows the time.
    """
    if not isinstance(gate, LampGate):
        return {}
    lux = None
    if gate.dusk is not None:
        said = gate.dusk.says_dark
        lux = "doubted" if gate.dusk.doubted else "silent" if said is None else "dark" if said else "bright"
    return {
        "light": gate.light,
        "doubts": sorted(gate.doubts.sources),
        "dark": dict(gate.doubts.dark),
        "lux": lux,
        "overrides": {
            lamp: {"level": level, "left_s": max(0, -(-(until_ns - t_ns) // NS_PER_S))}
            for lamp, (level, until_ns) in sorted(gate.overrides.standing().items())
        },
    }
