"""All faults of one run, by what they act on; benches take them from here."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from drivers.errors import InputError
from drivers.links.memory import MemoryLink
from drivers.units import NS_PER_MS
from hil.faults.span import FaultSpan
from hil.faults.wire import FaultyWire, WireFault
from hil.traffic.rider import Rider

Spans = tuple[tuple[int, int], ...]


class Faults(msgspec.Struct, frozen=True):
    """What goes wrong and when, as spans (from, to) in ns. Names are ``"west"`` and ``"west/radar-1"``.

    `silent_radars`, `silent_gateways`: nothing comes from there. `dark_lines`: no bus power. `lost_messages`: nothing
    passes between controllers. `restarts`: a controller is without power in between. `ghosts` are riders that radars
    see and nobody has to be lit for: clutter. `wires`: faults by wire. `clocks`: (from, to, by) by controller,
    its wall time is off by so much. `start_ns`: all boards are without power until then.
    """

    silent_radars: dict[str, Spans] = {}
    silent_gateways: dict[str, Spans] = {}
    dark_lines: dict[str, Spans] = {}
    lost_messages: Spans = ()
    restarts: dict[str, Spans] = {}
    ghosts: tuple[Rider, ...] = ()
    wires: dict[str, tuple[WireFault, ...]] = {}
    clocks: dict[str, tuple[tuple[int, int, int], ...]] = {}
    start_ns: int = 0

    def on(self, name: str, link: MemoryLink, content: str = "bytes", seed: int = 0) -> MemoryLink:
        """The peer's end of wire ``board/wire`` as the peer is to have it: `link` itself, or with its faults."""
        faults = self.wires.get(name)
        return FaultyWire(link, faults, name=name, content=content, seed=seed) if faults else link


def fits_bench(faults: Faults, bench: str) -> None:
    """Raises InputError for what a bench cannot do: nobody sets the clock of a board that is elsewhere."""
    if faults.clocks and bench != "in-process":
        raise InputError(
            f"wrong-clock: not on --bench {bench}: its boards take their own time after the start; "
            "use --bench in-process, or set the board's clock by hand"
        )


def planned(
    spans: Iterable[FaultSpan], lines: Iterable[str] = (), ghosts: tuple[Rider, ...] = (), start_ns: int = 0
) -> Faults:
    """Faults out of a case's spans, whose names have been checked. `lines`: the bus lines there are ("west/dali")."""
    by_kind: dict[str, dict[str, Spans]] = {}
    wires: dict[str, tuple[WireFault, ...]] = {}
    clocks: dict[str, tuple[tuple[int, int, int], ...]] = {}
    known_lines = list(lines)

    def put(kind: str, what: str, fault: FaultSpan) -> None:
        by_name = by_kind.setdefault(kind, {})
        by_name[what] = (*by_name.get(what, ()), (fault.from_ns, fault.to_ns))

    for fault in spans:
        on_wire = fault.wire_fault
        if on_wire is not None:
            wires[fault.what] = (*wires.get(fault.what, ()), on_wire)
        elif fault.kind == "wrong-clock":
            span = (fault.from_ns, fault.to_ns, fault.by_ms * NS_PER_MS)
            clocks[fault.what] = (*clocks.get(fault.what, ()), span)
        elif fault.kind in ("controller-off", "restart", "brown-out"):
            put("restarts", fault.what, fault)
            for line in known_lines if fault.kind == "brown-out" else ():
                if line.startswith(f"{fault.what}/"):
                    put("line-dark", line, fault)
        else:
            put(fault.kind, fault.what, fault)
    return Faults(
        silent_radars=by_kind.get("radar-silent", {}),
        silent_gateways=by_kind.get("gateway-silent", {}),
        dark_lines=by_kind.get("line-dark", {}),
        lost_messages=by_kind.get("messages-lost", {}).get("", ()),
        restarts=by_kind.get("restarts", {}),
        ghosts=ghosts,
        wires=wires,
        clocks=clocks,
        start_ns=start_ns,
    )
