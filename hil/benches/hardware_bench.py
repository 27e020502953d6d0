"""Bench 3: real boards, each wire of which ends at an adapter that the rig file names.

States: off (no power; loops are measured) -> booted (the board waits for the time) -> idle (it is the right one, and
every wire has been tried) -> replaying. Boards have clocks of their own: their ticks fall where they fall.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Literal

from controllers.lighting.site import LightingSite
from drivers.clock import SystemClock
from drivers.links.mqtt import MqttSettings
from drivers.links.tap import Sink
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.contract_bench import Blocked, BoardDied, Port, RealTimeBench, before_the_rest, spawning
from hil.benches.in_process import Slot
from hil.benches.process_boards import wire_baud
from hil.benches.process_ports import BrokerPort, LinesPort, PanelPort
from hil.benches.process_program import Beginning, TimeTeller
from hil.report.result import Measurement
from hil.rig.adapter import AdapterPort
from hil.rig.beacon import LISTEN_NS, Beacon
from hil.rig.file import Power, Rig, RigBoard, RigWire
from hil.rig.preflight import Turn, try_wires

SWITCH_S = 20.0
READY_NS = 10 * NS_PER_S
_ASK_EVERY_NS = 500 * NS_PER_MS
_BEGIN_NS = 10 * NS_PER_S
_LOST_NS = 5 * NS_PER_S

State = Literal["off", "booted", "idle", "replaying"]


class HardwareBoard:
    """One board behind its console. Implements RemoteBoard."""

    def __init__(self, name: str, said: RigBoard, folder: Path) -> None:
        self.name, self.said = name, said
        mine = folder / f"{name}.rig" if "/" in said.console else None
        self.teller = TimeTeller(said.console, mine)
        self._clock = SystemClock()
        self._asked_ns = self._answered_ns = 0
        self.begun = False
        self.beginning = Beginning(self.teller)
        self._switching: list[tuple[str, ...]] = []
        self._switch: subprocess.Popen[bytes] | None = None

    def switch(self, on: bool) -> None:
        """Its supply, where the rig has it. Raises Blocked."""
        power = self.said.power
        if power is not None:
            _switched(self.name, power, on)

    def wait_ready(self, boot_s: int, turn: Turn) -> dict[str, object]:
        """Until it waits for the time with its wires open. Raises Blocked."""
        deadline_ns = self._clock.now_ns() + boot_s * NS_PER_S
        said = None
        while self._clock.now_ns() < deadline_ns:
            turn()
            said = self.teller.ask(20 * NS_PER_MS) or said
            if said is not None and said["ready"] and not said["troubles"]:
                return said
        if said is None:
            raise Blocked(
                f"{self.name}: no board answers at {self.said.console} within {boot_s} s of power on; "
                "see to its supply, its network, and that it runs with --bench-time"
            )
        troubles = "; ".join(f"{wire}: {trouble}" for wire, trouble in said["troubles"].items())
        raise Blocked(f"{self.name}: the board cannot open its wires: {troubles or 'it is still starting'}")

    def power_on(self, utc_ns: int) -> None:
        """Let it begin."""
        self.beginning.tell(utc_ns)
        self.begun = True

    def set_time(self, utc_ns: int) -> None:
        """A step of its wall clock."""
        self.teller.time(utc_ns)

    def power_off(self) -> None:
        """Cut its supply, and give it back: it boots until it is told the time again."""
        self.begun = False
        power = self.said.power
        if power is None:
            raise Blocked(f"{self.name}: the case cuts its power, and the rig file has no `power` for it")
        self._switching = [power.off, power.on]
        self._switch_on()

    def check(self) -> None:
        """Raises BoardDied where it has started anew or is silent, Blocked where its supply does not obey."""
        self._switch_on()
        now_ns = self._clock.now_ns()
        if self.beginning.pending:
            self._answered_ns = now_ns
            if self.beginning.look() > _BEGIN_NS:
                raise Blocked(f"{self.name}: the board does not answer when it is told the time; is it up by then?")
        if not self.begun or self.beginning.pending:
            return
        said = self.teller.heard()
        if said is not None:
            self._answered_ns = now_ns
            if not said["begun"]:
                raise BoardDied(f"{self.name}: the board has started anew in mid-run; its own log says why")
        if now_ns - self._answered_ns > _LOST_NS:
            raise BoardDied(
                f"{self.name}: the board's console has not answered for {_LOST_NS // NS_PER_S} s in mid-run: "
                "it has crashed, hangs, or has lost its power"
            )
        if now_ns - self._asked_ns > _ASK_EVERY_NS:
            self._asked_ns = now_ns
            self.teller.hello()

    def _switch_on(self) -> None:
        """Go on with the switching that is under way, without waiting for it. Raises Blocked."""
        if self._switch is not None:
            code = self._switch.poll()
            if code is None:
                return
            self._switch = None
            if code:
                raise Blocked(f"{self.name}: its power switch ended with {code} in mid-run")
        if self._switching:
            words = self._switching.pop(0)
            try:
                with spawning():
                    self._switch = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # noqa: S603
            except OSError as error:
                raise Blocked(f"{self.name}: {words[0]} cannot be started: {error.strerror}") from None


class HardwareBench(RealTimeBench):
    """See above.

    Args:
        rig: what stands on the bench.
    """

    kind = "hardware"
    lead_ns = 5 * NS_PER_MS

    def __init__(self, sink: Sink, *, rig: Rig, skip: bool = True, speed: int = 1) -> None:
        super().__init__(sink, speed=speed)
        self.rig, self.state = rig, "off"
        self.slack_ns = rig.slack_ms * NS_PER_MS
        self._uncertain: dict[str, int] = {}
        self._measured: list[Measurement] = []
        self._beacons: list[Beacon] = []
        self._stack = ExitStack()

    def make_ready(self) -> None:
        """Off, booted, idle. Raises Blocked, with all that is wrong in one go where that can be."""
        self._fits()
        self._stack.enter_context(_alone(self.rig))
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="leeze-rig-")))
        for name in self.boards:
            board = HardwareBoard(name, self.rig.boards[name], folder)
            self._stack.callback(board.teller.close)
            self.remote[name] = board
        for board in self._all():
            board.switch(False)
            self._stack.callback(partial(_quietly_off, board))
        self._open_ports()
        self._measure_loops()
        self._boot()
        alone_ns = self.clock.now_ns() + (LISTEN_NS if self._beacons else 0)
        while self.clock.now_ns() < alone_ns:
            self._turn_all()
            self.clock.sleep_until_ns(self.clock.now_ns() + 10 * NS_PER_MS)
        wrong: list[str] = []
        for board in self._all():
            mine = {name.partition("/")[2]: port for name, port in self.ports.items() if _of(name, board.name)}
            found = try_wires(
                board.name, self.boards[board.name], mine, board.teller, self._turn_all, self.rig.heard_ms * NS_PER_MS
            )
            wrong += found
        if wrong:
            raise Blocked("; ".join(wrong))
        if all(board.said.power is not None for board in self._all()):  # what was tried is forgotten
            for board in self._all():
                board.switch(False)
            self._boot()
        self.state = "idle"
        self.ahead_ns += max(
            (port.latency_ns for port in self.ports.values() if isinstance(port, AdapterPort)), default=0
        )

    def start(self, origin_utc_ns: int) -> None:
        """As in real time."""
        super().start(origin_utc_ns)
        self.state = "replaying"

    def _all(self) -> list[HardwareBoard]:
        return [board for board in self.remote.values() if isinstance(board, HardwareBoard)]

    def _fits(self) -> None:
        """Every board and wire of the case has its place in the rig file. Raises Blocked."""
        wrong = []
        for name, board in self.boards.items():
            said = self.rig.boards.get(name)
            if said is None:
                known = ", ".join(self.rig.boards)
                wrong.append(f"rig {self.rig.name} has no board {name!r} (it has: {known}); run a case of its site")
                continue
            missing = [wire for wire in board.wires if wire not in said.wires]
            missing = [wire for wire in missing if board.wires[wire].__struct_config__.tag != "gpio"]
            if missing:
                wrong.append(
                    f"rig {self.rig.name}: $.boards.{name}.wires has no port for {', '.join(missing)}; "
                    "write down where the wire ends on this bench"
                )
        if wrong:
            raise Blocked("; ".join(wrong))

    def _open_ports(self) -> None:
        for name, board in self.boards.items():
            for wire, said in self.rig.boards[name].wires.items():
                if wire not in board.wires:
                    continue
                at = f"{name}/{wire}"
                port = self._port(at, said, wire_baud(board, wire))
                self.ports[at] = port
                self._stack.callback(port.close)
                self._uncertain[at] = said.uncertainty_us * 1000
                if isinstance(port, AdapterPort):
                    port.open()

    def _port(self, at: str, said: RigWire, baud: int) -> Port:
        if said.port:
            return AdapterPort(at, said.port, said.baud or baud, said.parity, said.latency_us * 1000)
        if said.panel:
            return PanelPort(at, Path(said.panel))
        if said.lines:
            return LinesPort(at, Path(said.lines))
        host, _, port = said.broker.rpartition(":")
        settings = MqttSettings(
            user=said.user, password_file=said.password_file, tls=said.ca_file is not None, ca_file=said.ca_file
        )
        if not (host and port.isascii() and port.isdigit()):
            raise Blocked(f"{at}: broker {said.broker!r} is no HOST:PORT")
        self._beacons.append(Beacon(at, host, int(port), said.topic, settings))
        self._stack.callback(self._beacons[-1].close)
        return BrokerPort(at, host, int(port), said.topic, settings)

    def _measure_loops(self) -> None:
        """While boards are off: what each looped adapter takes, against what the file says."""
        for name, port in self.ports.items():
            board, _, wire = name.partition("/")
            said = self.rig.boards[board].wires[wire]
            if not (said.loop_when_off and isinstance(port, AdapterPort)):
                continue
            with before_the_rest():
                trips = sorted(port.round_trips_ns())
            tenth = len(trips) // 10
            latency_ns, spread_ns = trips[len(trips) // 2] // 2, (trips[-1 - tenth] - trips[tenth]) // 2
            stated_ns, allowed_ns = said.latency_us * 1000, said.uncertainty_us * 1000
            off_ns = abs(latency_ns - stated_ns)
            self._measured.append(Measurement(f"{name}: adapter", round(latency_ns / 1000), "us", None, None, None))
            if max(off_ns, spread_ns) > max(allowed_ns, NS_PER_MS):
                raise Blocked(
                    f"{name}: the loop takes {latency_ns // 1000} us one way and varies by {spread_ns // 1000} us, the "
                    f"rig file says {said.latency_us} and {said.uncertainty_us} us; mend the adapter, or measure anew"
                )
            self._uncertain[name] = max(allowed_ns, off_ns, spread_ns)

    def _boot(self) -> None:
        """Power on, and wait until each is the board it should be. Raises Blocked."""
        for board in self._all():
            board.switch(True)
        for board in self._all():
            here = board.wait_ready(self.rig.boot_s, self._turn_all)
            for key, wanted, mend in (
                ("serial", board.said.serial, "another board is on this bench: see to the rig file or the board"),
                ("controller", board.name if self._lit else "", "start it as the controller that the rig file names"),
                ("board", self.boards[board.name].name, "the case is for another board"),
            ):
                if wanted and here.get(key) != wanted:
                    raise Blocked(f"{board.name}: its {key} is {here.get(key)!r} and should be {wanted!r}; {mend}")
        self.state = "booted"
        deadline_ns = self.clock.now_ns() + READY_NS
        for port in self.ports.values():
            while isinstance(port, BrokerPort) and port.trouble:
                port.turn(self.clock.now_ns())
                if self.clock.now_ns() >= deadline_ns:
                    raise Blocked(f"{port.name}: the rig does not get to its broker: {port.trouble}")
                self.clock.sleep_until_ns(self.clock.now_ns() + 10 * NS_PER_MS)

    @property
    def _lit(self) -> bool:
        return isinstance(self.site, LightingSite)

    def _turn_all(self) -> None:
        for port in self.ports.values():
            port.turn(self.clock.now_ns())
        for beacon in self._beacons:
            beacon.turn(self.clock.now_ns())

    def _look(self, now_ns: int) -> None:
        super()._look(now_ns)
        for beacon in self._beacons:
            beacon.turn(now_ns)

    @property
    def uncertainty_ns(self) -> int:  # type: ignore[override]
        """Of the worst two adapters together."""
        return sum(sorted(self._uncertain.values())[-2:])

    def power_off(self, slot: Slot, now_ns: int) -> None:
        """Its wires hang free, and forget what is under way."""
        super().power_off(slot, now_ns)
        for name, port in self.ports.items():
            if _of(name, slot.name) and isinstance(port, AdapterPort):
                port.forget()

    def starved_ns(self) -> int:
        """How long a board took at the most to begin when it was told the time."""
        return max((board.beginning.late_ns for board in self._all()), default=0)

    def measurements(self) -> list[Measurement]:
        """Adapters that were measured, and how sure the bench is of its times."""
        return [*self._measured, Measurement("uncertainty of times", self.uncertainty_ns / NS_PER_MS, "ms")]

    def close(self) -> None:
        """Boards off, ports closed."""
        self._stack.close()


def _of(name: str, board: str) -> bool:
    return name.partition("/")[0] == board


def _switched(name: str, power: Power, on: bool) -> None:
    words, what = (power.on, "on") if on else (power.off, "off")
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=SWITCH_S, check=False)  # noqa: S603
    except FileNotFoundError:
        raise Blocked(f"{name}: power {what}: there is no program {words[0]!r}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Blocked(f"{name}: power {what}: {' '.join(words)} does not end: {error}") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-200:]
        raise Blocked(f"{name}: power {what}: {' '.join(words)} ended with {done.returncode}: {said}")


def _quietly_off(board: HardwareBoard) -> None:
    """At the end; a switch that fails then must not keep the rest from being put back."""
    try:
        board.switch(False)
    except Blocked:
        return


def _alone(rig: Rig) -> IO[bytes]:
    """A lock of this machine for the rig's name. Raises Blocked while another run has it."""
    name = hashlib.sha256(rig.name.encode()).hexdigest()[:16]
    lock = (Path(tempfile.gettempdir()) / f"leeze-rig-{name}.lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise Blocked(f"rig {rig.name} is in use by another run on this machine; wait for its end") from None
    return lock
