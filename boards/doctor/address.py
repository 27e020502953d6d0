"""Gives addresses to factory-new parts: DALI gear by random addressing, Modbus parts one at a time.

Every new URM14 answers at address 12 and every new SDM120 at 1, so two on one wire speak at once: they go onto the wire
one by one. New DALI gear has no address at all and draws a random number; all of a line are told apart together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from boards.doctor.live import LiveBoard, narrowed
from boards.parts import part_of
from boards.schema import BoardDescription
from drivers.buses.dali import DaliBus
from drivers.buses.dali_procedures import Done as DaliDone
from drivers.buses.dali_procedures import Progress
from drivers.buses.modbus import ModbusBus
from drivers.buses.modbus_jobs import Done as ModbusDone
from drivers.clock import SystemClock
from drivers.errors import BenchError, InputError
from drivers.units import NS_PER_S

OWNER = "addressing"
DALI_DEADLINE_NS = 20 * 60 * NS_PER_S
"""64 gear take about a minute each where a line is bad."""

MODBUS_DEADLINE_NS = 20 * NS_PER_S


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: ``Outcome(ok=True, text="bay-3 is at address 18 now")``."""

    ok: bool
    text: str
    details: dict[str, Any] = {}


def address_line(
    board: BoardDescription, wire: str, *, stop: Callable[[], bool], progress: Callable[[str], None]
) -> Outcome:
    """Give the lamps of a DALI wire the short addresses that the file names and nobody has yet.

    Addresses that gear has are kept. Raises InputError: no such wire, or no DALI on it; BenchError: the port is not.
    """
    devices = [name for name, said in board.devices.items() if said.wire == wire]
    if not devices:
        raise InputError(f"board {board.name} has no wire {wire} with devices; wires: {', '.join(board.wires)}")
    wanted = sorted(address for name in devices if (address := _address(board, name)) is not None)
    with LiveBoard(board, SystemClock(), only=devices) as live:
        bus = live.board.devices.get(wire)
        if not isinstance(bus, DaliBus):
            raise InputError(f"wire {wire} carries no DALI; Modbus parts get their addresses one at a time, by name")
        done: list[DaliDone] = []

        def tell(told: Progress) -> None:
            progress(f"{told.done} of {told.total}: {told.text}" if told.total else told.text)

        _open(live, wire)
        now_ns = live.session.clock.now_ns()
        bus.listen(OWNER, done.append, tell)
        bus.submit("commission", (wanted[0], wanted[-1]), now_ns, owner=OWNER, deadline_ns=now_ns + DALI_DEADLINE_NS)
        live.session.run(now_ns + DALI_DEADLINE_NS + NS_PER_S, lambda: bool(done) or stop())
        if not done:
            bus.submit(
                "terminate", (), live.session.clock.now_ns(), owner="", deadline_ns=now_ns + 2 * DALI_DEADLINE_NS
            )
            live.session.run(live.session.clock.now_ns() + NS_PER_S)
            return Outcome(ok=False, text="stopped before the end; addresses given until then are kept")
        live.session.run(live.session.clock.now_ns() + NS_PER_S // 2)  # the farewell leaves
        return _line_outcome(done[0], wanted)


def address_part(board: BoardDescription, device: str, *, stop: Callable[[], bool]) -> Outcome:
    """Bring the one factory-new part on a Modbus wire to the address that the file gives `device`.

    Only it may be new on the wire; parts with addresses of their own may stay. Raises InputError, BenchError.
    """
    said = narrowed(board, [device]).devices[device]
    order = part_of(said).addressing(said)
    if order is None:
        raise InputError(f"{device}: a {part_of(said).name} is given no address over its wire")
    procedure, args = order
    if args[0] == args[1]:
        return Outcome(ok=True, text=f"{device} stays at address {args[1]}, at which it is delivered")
    with LiveBoard(board, SystemClock(), only=[device]) as live:
        bus = live.board.devices[said.wire]
        assert isinstance(bus, ModbusBus)
        live.session.devices = [bus]  # nothing but the procedure speaks
        done: list[ModbusDone] = []
        _open(live, said.wire)
        now_ns = live.session.clock.now_ns()
        bus.add_device(OWNER, args[0], done.append)
        bus.submit(procedure, args, now_ns, owner=OWNER, deadline_ns=now_ns + MODBUS_DEADLINE_NS)
        live.session.run(now_ns + MODBUS_DEADLINE_NS + NS_PER_S, lambda: bool(done) or stop())
    if not done:
        return Outcome(ok=False, text=f"{device}: stopped before the end; read its address before you go on")
    if not done[0].ok:
        return Outcome(ok=False, text=f"{device}: {done[0].reason}")
    result = done[0].result if isinstance(done[0].result, dict) else {}
    again = "; switch its supply off and on for it to take effect" if result.get("restart") else ""
    return Outcome(ok=True, text=f"{device} has address {args[1]}{again}", details=dict(result))


def _address(board: BoardDescription, device: str) -> int | None:
    said = board.devices[device]
    return part_of(said).address(said)


def _open(live: LiveBoard, wire: str) -> None:
    session = live.session
    session.run(session.clock.now_ns() + NS_PER_S, lambda: not session.trouble(wire))
    if trouble := session.trouble(wire):
        raise BenchError(f"wire {wire}: {trouble}")


def _line_outcome(done: DaliDone, wanted: list[int]) -> Outcome:
    if not done.ok or not isinstance(done.result, dict):
        return Outcome(ok=False, text=done.reason or "nobody answered")
    result: dict[str, Any] = dict(done.result)
    assigned = [pair[0] for pair in result["assigned"]]
    there = {*result["kept"], *assigned}
    missing = [address for address in wanted if address not in there]
    parts = [f"in use before: {_listed(result['kept'])}", f"given now: {_listed(assigned)}"]
    if result["failed"]:
        parts.append(f"{len(result['failed'])} gear took none")
    if missing:
        parts.append(f"nobody has {_listed(missing)}, which the file names: fewer gear than lamps?")
    if result["left"]:
        parts.append("gear without an address is left: more gear than lamps in the file?")
    return Outcome(ok=not (missing or result["left"] or result["failed"]), text="; ".join(parts), details=result)


def _listed(addresses: list[int]) -> str:
    return ", ".join(map(str, addresses)) or "none"
