"""A fault as a case file or a command line has it: what goes wrong, where, from when to when."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Literal, get_args

import msgspec

from drivers.errors import InputError
from drivers.units import NS_PER_MS, NS_PER_S
from hil.faults.answers import REFUSING
from hil.faults.wire import Way, WireFault, WireFaultKind

Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400 * 400)]

PeerFaultKind = Literal["radar-silent", "gateway-silent", "line-dark", "messages-lost", "broker-loss"]
BoardFaultKind = Literal["controller-off", "restart", "brown-out", "wrong-clock"]
WIRE_KINDS: tuple[str, ...] = get_args(WireFaultKind)
PEER_KINDS: tuple[str, ...] = get_args(PeerFaultKind)
BOARD_KINDS: tuple[str, ...] = get_args(BoardFaultKind)
KINDS = (*WIRE_KINDS, *PEER_KINDS, *BOARD_KINDS)

_NEEDS_BY = ("delayed", "wrong-clock")
_IN_PART = ("dropped", "duplicated", "corrupted")
_BY_HAND = re.compile(r"([a-z-]+):([^:]*):([0-9.]+)-([0-9.]+)((?::[a-z_]+=[^:]+)*)")
_USE = "KIND:WHAT:FROM-TO, e.g. dropped:west/radar-1:10-20:pct=30"


class FaultSpan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something fails from `from_s` until before `to_s` seconds of the case.

    On any wire (`what`: "west/radar-1"): dropped, duplicated, corrupted (`pct` of the pieces), delayed (`by_ms`),
    stuck, silence, nack; `way` is "to-board", "from-board" or "both" (silence: both, else to-board).
    In peers: radar-silent ("west/radar-1"), gateway-silent ("west/dali"), line-dark (bus power of "west/dali"),
    messages-lost (between all controllers), broker-loss ("leezenflow/feed").
    Of boards ("west"): controller-off and restart (without power, then started afresh), brown-out (the same, and no bus
    power on its lines), wrong-clock (its wall time is off by `by_ms`).
    """

    kind: Literal[WireFaultKind, PeerFaultKind, BoardFaultKind]
    from_s: Seconds
    to_s: Seconds
    what: str = ""
    pct: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100
    by_ms: Annotated[int, msgspec.Meta(ge=-86_400_000 * 400, le=86_400_000 * 400)] = 0
    way: Way | None = None

    def __post_init__(self) -> None:
        if self.to_s <= self.from_s:
            raise ValueError("`to_s` must be later than `from_s`")
        if bool(self.what) == (self.kind == "messages-lost"):
            raise ValueError("`what` names the radar, line, wire or controller; messages-lost has none")
        if (self.by_ms != 0) != (self.kind in _NEEDS_BY) or (self.kind == "delayed" and self.by_ms < 0):
            raise ValueError("`by_ms` says how much: above 0 with delayed, not 0 with wrong-clock; others have none")
        if self.pct != 100 and self.kind not in _IN_PART:
            raise ValueError(f"`pct` goes with {', '.join(_IN_PART)}")
        if self.way is not None and self.kind not in WIRE_KINDS:
            raise ValueError(f"`way` goes with faults of wires: {', '.join(WIRE_KINDS)}")

    @property
    def from_ns(self) -> int:
        """When it begins."""
        return round(self.from_s * NS_PER_S)

    @property
    def to_ns(self) -> int:
        """When all is well again."""
        return round(self.to_s * NS_PER_S)

    @property
    def wire_fault(self) -> WireFault | None:
        """What it is on a wire; None for faults of peers and boards but broker-loss, which is silence there."""
        if self.kind == "broker-loss":
            return WireFault("silence", self.from_ns, self.to_ns, way="both")
        if self.kind not in WIRE_KINDS:
            return None
        kind: WireFaultKind = self.kind  # type: ignore[assignment]  # one of WIRE_KINDS
        way: Way = self.way or ("both" if kind == "silence" else "to-board")
        return WireFault(kind, self.from_ns, self.to_ns, self.pct, self.by_ms * NS_PER_MS, way)

    def by_hand(self) -> str:
        """The word that `--fault` reads: ``dropped:west/radar-1:10-20:pct=30``."""
        words = [self.kind, self.what, f"{self.from_s:g}-{self.to_s:g}"]
        words += [f"pct={self.pct}"] if self.pct != 100 else []
        words += [f"by_ms={self.by_ms}"] if self.by_ms else []
        return ":".join([*words, *([f"way={self.way}"] if self.way else [])])


def read_by_hand(word: str) -> FaultSpan:
    """A fault from the command line. Raises InputError with what it should look like."""
    found = _BY_HAND.fullmatch(word)
    if found is None:
        raise InputError(f"--fault {word}: expected {_USE}")
    kind, what, from_s, to_s, more = found.groups()
    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"kinds: {', '.join(KINDS)}"
        raise InputError(f"--fault {word}: no fault {kind!r}; {hint}")
    said: dict[str, object] = {"kind": kind, "what": what}
    try:
        said |= {"from_s": float(from_s), "to_s": float(to_s)}
        for entry in more.split(":")[1:]:
            name, _, value = entry.partition("=")
            said[name] = value if name == "way" else int(value)
        return msgspec.convert(said, FaultSpan)
    except (ValueError, msgspec.ValidationError) as error:
        raise InputError(f"--fault {word}: {error}; expected {_USE}") from None


def check_names(spans: Iterable[FaultSpan], known: Mapping[str, Collection[str]], place: str) -> None:
    """Each fault names what is there and can have it. Raises InputError.

    `known`: names by kind, wires under "wire"; e.g. a mapping to what they carry, ``{"west/dali": "dali"}``.
    """
    for n, fault in enumerate(spans):
        names = known.get("wire" if fault.kind in WIRE_KINDS else fault.kind, ())
        if fault.what and fault.what not in names:
            near = get_close_matches(fault.what, names, n=1)
            listed = ", ".join(sorted(names)) or "nothing here can have it"
            hint = f"did you mean {near[0]}?" if near else f"known: {listed}"
            raise InputError(f"{place}[{n}].what: {fault.kind} cannot be of {fault.what!r}; {hint}")
        if fault.kind == "nack" and isinstance(names, Mapping) and names[fault.what] not in REFUSING:
            could = ", ".join(sorted(wire for wire, content in names.items() if content in REFUSING)) or "no wire here"
            raise InputError(
                f"{place}[{n}].what: nack cannot be of {fault.what!r}: what comes from {names[fault.what]} knows no "
                f"refusal; wires of {', '.join(REFUSING)} do: {could}"
            )
        if fault.kind == "messages-lost" and not known.get("messages-lost"):
            raise InputError(f"{place}[{n}].kind: messages-lost: this site has one controller only")
