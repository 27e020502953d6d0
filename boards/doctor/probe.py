"""Every device of a board: is it there, does it answer, and if not, which wire is wrong?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from boards.doctor.live import LiveBoard
from boards.parts import part_name, part_of
from boards.schema import BoardDescription
from boards.wires import GpioWire, MatrixWire, PwmWire
from drivers.bench.finding import Evidence, Finding, judge
from drivers.bench.joined import Joining
from drivers.bench.probe import search_baud
from drivers.bench.recognise import own_reader
from drivers.bench.session import Clock
from drivers.interfaces import Device
from drivers.links.uart import UartLink
from drivers.parts import PARTS
from drivers.quantities import Quantity
from drivers.units import NS_PER_S

PATIENCE_S = 4.0
"""Longer than the slowest part takes to say its first word, on a bus with many on it."""

SETTLE_NS = NS_PER_S // 2
"""How long all are listened to after the last one's first word: it may have been chance among noise."""


def probe_board(
    description: BoardDescription,
    clock: Clock,
    *,
    only: Sequence[str] = (),
    seconds: float = PATIENCE_S,
    progress: Callable[[str], None],
) -> list[tuple[str, Finding, Quantity | None]]:
    """(wire, finding, newest value) of every device, in order of name. Takes `seconds`, less when all are well.

    Only listens, and asks what a controller would ask as well; nothing is lit and nothing is set but what the file says
    a device is configured with. Raises InputError for a board of the rig.
    """
    with LiveBoard(description, clock, only=only) as live:
        session = live.session
        began_ns = clock.now_ns()
        devices = device_table(live)
        progress(f"{description.name}: {len(devices)} devices on {len(live.wires)} wires, up to {seconds:.0f} s")
        enough_ns = began_ns + NS_PER_S
        joining = Joining()

        def all_heard() -> bool:
            nonlocal enough_ns
            now_ns = clock.now_ns()
            for name, device in devices.items():
                watch, known = session.watch[live.description.devices[name].wire], name in joining
                heard = joining.look(device, watch, session.latest.get(name), session.values.get(name, 0))
                if heard and not known:
                    enough_ns = max(enough_ns, now_ns + SETTLE_NS)
            return now_ns > enough_ns and _all_heard(live, devices)

        session.run(began_ns + NS_PER_S // 5, all_heard)  # the ports open
        live.ask(clock.now_ns())
        session.run(began_ns + int(seconds * NS_PER_S), all_heard)
        listened_ns = clock.now_ns() - began_ns
        found = []
        for name, device in devices.items():
            said = live.description.devices[name]
            evidence = Evidence(
                device=name,
                trouble=session.trouble(said.wire),
                watch=session.watch[said.wire],
                counters=device.counters(),
                health=session.health.get(name) or session.health.get(said.wire),
                latest=session.latest.get(name),
                values=session.values.get(name, 0),
                listened_ns=listened_ns,
                baud=live.baud(said.wire),
                mute=_mute(live, name),
                content=part_of(said).content(said),
                others={content: wire for wire, content in live.contents.items() if wire != said.wire},
                joined=joining[name],
            )
            found.append((said.wire, judge(evidence), session.latest.get(name)))
        return [(wire, _at_other_bauds(live, wire, one, progress), latest) for wire, one, latest in found]


def _at_other_bauds(live: LiveBoard, wire: str, found: Finding, progress: Callable[[str], None]) -> Finding:
    """Bytes without sense: do they make sense at another bit rate, its own or one of the other wires?"""
    link, said = live.session.links[wire], live.description.devices[found.device]
    part = PARTS.get(own_reader(live.contents[wire]))
    if found.verdict != "wrong-baud" or part is None or not isinstance(link, UartLink):
        return found
    others = {content: name for name, content in live.contents.items() if name != wire}
    bauds = [*(part_of(said).bauds or ()), *(live.baud(name) for name in others.values())]
    once = list(dict.fromkeys(baud for baud in bauds if baud))
    return search_baud(found, link, live.session, part, once, progress, others)


def device_table(live: LiveBoard) -> dict[str, Device]:
    """Every device of the file by name: also lamps, which hang on a bus and have no timer of their own."""
    board = live.board
    table: dict[str, Device] = {}
    for name in sorted(live.description.devices):
        device = board.devices.get(name) or board.lamps.get(name)
        assert device is not None, f"{part_name(live.description.devices[name])} made no device called {name}"
        table[name] = device  # type: ignore[assignment]  # lamps of ours are devices as well
    return table


def _mute(live: LiveBoard, device: str) -> bool:
    """True for outputs, which nobody can ask anything."""
    said = live.description.devices[device]
    wire = live.description.wires[said.wire]
    lines = part_of(said).pins(said, device)
    return isinstance(wire, MatrixWire | PwmWire) or (isinstance(wire, GpioWire) and all(pin.out for pin in lines))


def _all_heard(live: LiveBoard, devices: dict[str, Device]) -> bool:
    values = live.session.values
    return all(
        values.get(name) or device.counters().get("frames") or _mute(live, name) for name, device in devices.items()
    )
