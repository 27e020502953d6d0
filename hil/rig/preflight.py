"""What is asked of a bench before a case is let onto it: is it the right board, is every wire what the file says?

A wire is tried by saying something on it and asking the board which of its devices has heard it. What was said on one
and heard on another names both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from boards.parts import contents
from boards.schema import BoardDescription
from drivers.clock import SystemClock
from drivers.codecs.ld2451 import IDLE_FRAME
from drivers.codecs.spat import Intersection
from drivers.codecs.spat_xml_encoder import SpatXmlEncoder
from drivers.units import NS_PER_MS
from hil.benches.contract_bench import Blocked, Port
from hil.benches.process_program import TimeTeller
from hil.peers.signal_controller import MAPEM_ID
from hil.peers.spat_uper_writer import encode_uper

PROBE = b"?leeze-rig\n"
"""No message of any part: counted as noise, and answered by nobody."""

_NOBODY = Intersection(65_535, 1, 0, None, None, ())
"""A station that nobody waits for."""

_ASK_NS = 100 * NS_PER_MS
_LOOK_NS = 20 * NS_PER_MS
_TRIES = 3

Turn = Callable[[], None]
"""Lets all ports send and hear."""


def wire_counts(board: BoardDescription, here: Mapping[str, Any]) -> dict[str, int]:
    """How much each wire of a board has heard, sound or not, as its devices count it."""
    found = dict.fromkeys(board.wires, 0)
    for device, counters in here.get("devices", {}).items():
        said = board.devices.get(device)
        wire = device if said is None and device in found else "" if said is None else said.wire
        if wire:
            found[wire] += sum(value for value in counters.values() if isinstance(value, int))
    return found


def try_wires(
    name: str,
    board: BoardDescription,
    ports: Mapping[str, Port],
    teller: TimeTeller,
    turn: Turn,
    heard_ns: int,
) -> list[str]:
    """A sentence for each wire that leads nowhere, or elsewhere. `ports` of this board, by wire."""
    clock = SystemClock()
    what = contents(board)

    def counts() -> dict[str, int]:
        for _ in range(_TRIES):
            here = teller.ask(_ASK_NS)
            if here is not None:
                return wire_counts(board, here)
        raise Blocked(f"{name}: the board's console at {teller.place} does not answer any more")

    wrong: list[str] = []
    for wire, port in ports.items():
        if what.get(wire) in (None, "panel", "relay"):
            continue
        before = counts()
        port.send(_probe(what[wire]), clock.now_ns())
        deadline_ns = clock.now_ns() + heard_ns
        moved: list[str] = []
        while not moved and (now_ns := clock.now_ns()) < deadline_ns:
            turn()
            clock.sleep_until_ns(now_ns + _LOOK_NS)
            turn()
            after = counts()
            moved = [one for one, count in after.items() if count != before[one]]
        if not moved:
            wrong.append(
                f"{name}/{wire}: the board hears nothing of what the rig says within {heard_ns // NS_PER_MS} ms; "
                "see to this wire and its adapter"
            )
        elif wire not in moved:
            wrong.append(f"{name}/{wire}: what the rig says there is heard at {', '.join(moved)}: swapped?")
    return _paired(name, wrong, ports)


def _probe(content: str) -> bytes:
    """What a wire can carry that changes nothing but a counter: an idle frame, a message of another kind, noise."""
    if content == "ld2451":
        return IDLE_FRAME
    if content == "spat-xml":
        return SpatXmlEncoder(message_id=MAPEM_ID).encode(_NOBODY)
    return encode_uper(_NOBODY) if content == "spat-uper" else PROBE


def _paired(name: str, wrong: list[str], ports: Mapping[str, Port]) -> list[str]:
    """Two wires that were mistaken for each other make one sentence."""
    heard_at = {}
    for sentence in wrong:
        wire, mark, rest = sentence.removeprefix(f"{name}/").partition(": what the rig says there is heard at ")
        if mark:
            heard_at[wire] = rest.removesuffix(": swapped?")
    swapped = [(one, other) for one, other in heard_at.items() if one < other and heard_at.get(other) == one]
    found = [
        f"{name}/{one} and {name}/{other} are swapped: put each adapter to the other wire" for one, other in swapped
    ]
    gone = {wire for pair in swapped for wire in pair}
    return found + [sentence for sentence in wrong if sentence.partition(": ")[0].removeprefix(f"{name}/") not in gone]
