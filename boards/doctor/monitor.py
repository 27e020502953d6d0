"""Shows a board's wires live: hex beside decoded values, rates, error counters, a line over time.

With a service running, it listens at the service's tap and opens no port, so it steals no byte. Else it opens the ports
itself, and asks what a controller would ask.
"""

from __future__ import annotations

import json
import select
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.live import Live

from boards.build import build
from boards.doctor.live import LiveBoard, narrowed
from boards.doctor.probe import device_table
from boards.doctor.view import View, WireFacts
from boards.hardware import port_of
from boards.parts import contents, part_name
from boards.schema import BoardDescription
from boards.wires import I2cWire, MqttWire, UartWire, UdpWire, Wire
from drivers.bench.watch import Watch
from drivers.clock import SystemClock
from drivers.errors import InputError, LinkLost
from drivers.interfaces import ByteLink, Device
from drivers.links.memory import MemoryLink, memory_pair
from drivers.links.tap_client import TapClient
from drivers.quantities import Quantity
from drivers.units import NS_PER_MS, NS_PER_S

FRAME_NS = 250 * NS_PER_MS
PLAIN_NS = NS_PER_S
FEED = "spat-feed"
"""The part whose wires are read beside a service as well: their bytes tell nobody anything."""

Step = Callable[[int], None]
"""Serve the wires until this time."""


def facts(description: BoardDescription) -> tuple[WireFacts, ...]:
    """What the file says of each wire that a device hangs on, in order of name."""
    carried = contents(description)
    found = []
    for name, content in carried.items():
        devices = tuple(sorted(device for device, said in description.devices.items() if said.wire == name))
        found.append(WireFacts(name, where(description, name), content, devices))
    return tuple(found)


def where(description: BoardDescription, name: str) -> str:
    """Where a wire is, in short: ``"/dev/ttyAMA3 115200 8N1"``."""
    wire = description.wires[name]
    if isinstance(wire, UartWire):
        line = f" {wire.baud} 8{wire.parity}1" if wire.baud else ""
        return port_of(wire, name, description.model) + line
    if isinstance(wire, I2cWire):
        return f"/dev/i2c-{wire.bus}"
    if isinstance(wire, MqttWire):
        return f"mqtt://{wire.host}:{wire.port}"
    if isinstance(wire, UdpWire):
        return f"udp {wire.group or wire.host}:{wire.port}"
    return str(wire.__struct_config__.tag)


def monitor_board(
    description: BoardDescription, *, only: Sequence[str], seconds: float, stop: Callable[[], bool], as_json: bool
) -> int:
    """Show it until `seconds` have passed or `stop` says so. Gives 0."""
    clock = SystemClock()
    with LiveBoard(description, clock, only=only) as live:
        devices, session = device_table(live), live.session
        view = View(
            f"{description.name}: {len(devices)} devices, ports opened here",
            facts(live.description),
            session.watch,
            lambda name: devices[name].counters(),
            session.trouble,
        )
        session.listener = view.take
        asked = [False]

        def step(until_ns: int) -> None:
            session.run(until_ns, stop)
            if not asked[0]:
                asked[0] = True
                live.ask(clock.now_ns())

        show(view, clock, step, seconds=seconds, stop=stop, as_json=as_json)
    return 0


class Beside:
    """A sink at a tap: counts bytes, and reads the wires of signal feeds as the service's own devices do."""

    def __init__(self, description: BoardDescription, wires: Sequence[str], watch: Watch) -> None:
        self._watch, self._wires = watch, tuple(wires)
        self._ends: dict[str, MemoryLink] = {}
        self.emit: Callable[[Quantity], None] = lambda value: None
        feeds = [
            name for name, said in description.devices.items() if part_name(said) == FEED and said.wire in self._wires
        ]
        self.devices: dict[str, Device] = {}
        if feeds:
            board = build(narrowed(description, feeds), emit=self._said, link_for=self._link)
            self.devices = board.devices

    def _said(self, value: Quantity) -> None:
        self.emit(value)

    def _link(self, name: str, wire: Wire) -> ByteLink:
        near, self._ends[name] = memory_pair(name)
        return near

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        """Bytes passed."""
        self._watch.passed(wire, outward, data, t_ns)
        end = self._ends.get(self._wires[wire])
        if end is not None and not outward:
            end.write(data, t_ns)

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        """The same frame passed many times."""
        self._watch.repeated(wire, frame, first_ns, last_ns, count)
        end = self._ends.get(self._wires[wire])
        if end is not None:
            end.repeat(frame, first_ns, last_ns, count)

    def advance(self, now_ns: int) -> None:
        """Let them notice silence."""
        for device in self.devices.values():
            if device.wake_ns <= now_ns:
                device.advance(now_ns)


def monitor_tap(
    path: Path,
    description: BoardDescription,
    *,
    only: Sequence[str],
    seconds: float,
    stop: Callable[[], bool],
    as_json: bool,
) -> int:
    """The same from the tap of a running service: no port is opened and no byte taken. `only` names wires.

    Gives 0, also when the service ends meanwhile. Raises InputError where there is no tap or no such wire.
    """
    clock = SystemClock()
    with TapClient(path) as tap:
        known = [wire.name for wire in tap.wires]
        if unknown := [name for name in only if name not in known]:
            raise InputError(f"tap {path}: no wire {', '.join(unknown)}; it has: {', '.join(known)}")
        watch = Watch()
        for wire in tap.wires:
            watch.add(wire.name)
        beside = Beside(description, known, watch)
        on_wire = {description.devices[name].wire: (name,) for name in beside.devices}
        shown = tuple(
            WireFacts(
                wire.name,
                f"{wire.baud} 8{wire.parity}1" if wire.baud else wire.kind,
                wire.content,
                on_wire.get(wire.name, ()),
            )
            for wire in tap.wires
            if not only or wire.name in only
        )
        view = View(
            f"{tap.board}: listening at {path}",
            shown,
            watch,
            lambda name: beside.devices[name].counters(),
            lambda name: "",
        )
        beside.emit = view.take
        poll, gone = select.poll(), [False]
        poll.register(tap.fileno() or 0, select.POLLIN)

        def step(until_ns: int) -> None:
            while not gone[0] and (left_ns := until_ns - clock.now_ns()) > 0:
                if not poll.poll(left_ns // NS_PER_MS + 1):
                    return
                try:
                    tap.pump(beside)
                except LinkLost as error:
                    gone[0] = True
                    view.notes.append(f"{error.detail}")
                if tap.lost_records:
                    view.notes[:] = [f"read too slowly: {tap.lost_records} records were left out"]
                beside.advance(clock.now_ns())

        show(view, clock, step, seconds=seconds, stop=lambda: stop() or gone[0], as_json=as_json)
    return 0


def show(
    view: View, clock: SystemClock, step: Step, *, seconds: float, stop: Callable[[], bool], as_json: bool
) -> None:
    """Draw `view` again and again while `step` serves the wires: live in a terminal, else a JSON object a second."""
    deadline_ns = clock.now_ns() + int(seconds * NS_PER_S)
    console = Console()
    if as_json or not console.is_terminal:
        for now_ns in _frames(clock, step, deadline_ns, PLAIN_NS, stop):
            print(json.dumps(view.data(now_ns)), flush=True)  # noqa: T201 - this is what the verb prints
        return
    with Live(console=console, auto_refresh=False, screen=False) as live:
        for now_ns in _frames(clock, step, deadline_ns, FRAME_NS, stop):
            live.update(view.picture(now_ns), refresh=True)


def _frames(clock: SystemClock, step: Step, deadline_ns: int, frame_ns: int, stop: Callable[[], bool]) -> Iterator[int]:
    while (now_ns := clock.now_ns()) < deadline_ns and not stop():
        step(min(deadline_ns, now_ns + frame_ns))
        yield clock.now_ns()
