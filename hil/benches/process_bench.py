"""Bench 1: the unmodified program of each controller as a process of its own, every wire ending at the rig.

Everything is made in a temporary folder: pseudo-terminals, sockets, board and site files, a broker with TLS where a
board has a feed. The same clock runs rig and programs, so the case's time 0 is a tick of all of them.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from boards.schema import BoardDescription
from controllers.lighting.site import LightingSite
from drivers.errors import BenchError
from drivers.links.mqtt import MqttSettings
from drivers.units import NS_PER_MS
from hil.benches.contract_bench import Blocked, Port, RealTimeBench
from hil.benches.in_process import Slot
from hil.benches.mock_i2c import MockI2c
from hil.benches.process_boards import (
    BrokerAccess,
    board_toml,
    derived,
    i2c_chips,
    site_toml,
    standing_in,
    topic,
    wire_baud,
)
from hil.benches.process_ports import BrokerPort, LinesPort, PanelPort, PtyPort
from hil.benches.process_program import READY_NS, Program, before_others, environment, run_words
from hil.interrupts import undisturbed
from hil.report.result import Measurement

LONGEST_REST_MS = 500
"""A relay that is pulsed may rest so long at the most before the charge pump lets it fall."""


class ProcessBench(RealTimeBench):
    """See above."""

    kind = "process"
    ready_ns = 0
    """How long it took to make everything ready."""

    def make_ready(self) -> None:
        """Broker, ports, files, programs; then wait for all of them."""
        begun_ns = self.clock.now_ns()
        with undisturbed():
            self._make()
        self._wait_ready(begun_ns + READY_NS)
        self.ready_ns = self.clock.now_ns() - begun_ns

    def _make(self) -> None:
        self._stack = ExitStack()
        self._i2c: dict[str, dict[str, str]] = {}
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="leeze-bench-")))
        assert self.site is not None
        site = self.site
        access, settings = self._broker(folder)
        files: dict[str, str] = {}
        for name, board in self.boards.items():
            places = self._ports(name, board, folder, access, settings)
            files[name] = str(folder / f"{name}.board.toml")
            Path(files[name]).write_text(board_toml(derived(board, name, places, access)), encoding="utf-8")
        site_file = folder / "site.toml"
        site_file.write_text(site_toml(site, files), encoding="utf-8")
        for name in self.boards:
            lines = next((str(port.path) for port in self._lines() if port.name.startswith(f"{name}/")), "")
            words = run_words(site_file, name if isinstance(site, LightingSite) else None)
            program = Program(name, words, folder, environment(LEEZE_GPIO=lines, **self._i2c.get(name, {})))
            self._stack.callback(program.stop)
            self.remote[name] = program
            program.start()

    def _wait_ready(self, deadline_ns: int) -> None:
        waiting = list(self.remote.values())
        while waiting:
            now_ns = self.clock.now_ns()
            for port in self.ports.values():
                port.turn(now_ns)
            program = waiting[0]
            assert isinstance(program, Program)
            try:
                program.wait_ready(now_ns + 30 * NS_PER_MS)
            except Blocked:
                if now_ns >= deadline_ns:
                    raise
            else:
                waiting.pop(0)
        for port in self.ports.values():
            while isinstance(port, BrokerPort) and port.trouble:
                port.turn(self.clock.now_ns())
                if self.clock.now_ns() >= deadline_ns:
                    raise Blocked(f"{port.name}: the rig does not get to its own broker: {port.trouble}")
                self.clock.sleep_until_ns(self.clock.now_ns() + 5 * NS_PER_MS)

    def _broker(self, folder: Path) -> tuple[BrokerAccess | None, MqttSettings | None]:
        """A mosquitto of our own, where a board needs one. Raises Blocked where it cannot be had."""
        needed = [
            name
            for board in self.boards.values()
            for name, wire in board.wires.items()
            if standing_in(wire, name, board) == "broker"
        ]
        if not needed:
            return None, None
        from hil.peers import broker, certificates

        if missing := broker.missing() or certificates.missing():
            raise Blocked(f"{needed[0]}: a feed by MQTT needs a broker with TLS: {missing}")
        papers = certificates.make(folder, "leeze-bench")
        users = {"board": "hears", "rig": "says"}
        rights = ("user board", "topic read leeze/#", "user rig", "topic write leeze/#")
        running = broker.Broker(folder, certificates=papers, users=users, rights=rights)
        self._stack.enter_context(running)
        assert running.process_id is not None
        before_others(running.process_id)
        passwords = {user: folder / f"{user}.password" for user in users}
        for user, path in passwords.items():
            path.write_text(users[user] + "\n", encoding="utf-8")
        access = BrokerAccess(
            host=running.host,
            port=running.port,
            ca_file=papers.ca_file,
            user="board",
            password_file=str(passwords["board"]),
        )
        settings = MqttSettings(user="rig", password_file=str(passwords["rig"]), tls=True, ca_file=papers.ca_file)
        return access, settings

    def _ports(
        self,
        name: str,
        board: BoardDescription,
        folder: Path,
        access: BrokerAccess | None,
        settings: MqttSettings | None,
    ) -> dict[str, str]:
        """Open the rig's end of every wire; where the program finds its own, by wire."""
        places: dict[str, str] = {}
        for wire, said in board.wires.items():
            at = f"{name}/{wire}"
            port: Port
            match standing_in(said, wire, board):
                case "port":
                    pty = PtyPort(at, wire_baud(board, wire))
                    port, places[wire] = pty, pty.path
                case "broker":
                    assert access is not None
                    assert settings is not None
                    port = BrokerPort(at, access.host, access.port, topic(at), settings)
                case "panel":
                    places[wire] = str(folder / f"{name}-{wire}.panel")
                    port = PanelPort(at, Path(places[wire]))
                case "lines":
                    places[wire] = str(folder / f"{name}-{wire}.gpio")
                    port = LinesPort(at, Path(places[wire]))
                case _:
                    self._chips(name, at, board, wire)
                    continue
            self._add(at, port)
        return places

    def _chips(self, name: str, at: str, board: BoardDescription, wire: str) -> None:
        """An emulated /dev/i2c-1 with the board's chips, for its program alone. Raises Blocked."""
        if name in self._i2c:
            raise Blocked(f"{at}: this bench emulates one I2C bus a board; run this case in process")
        try:
            emulated = self._stack.enter_context(MockI2c(i2c_chips(board, wire)))
        except BenchError as missing:
            raise Blocked(f"{at}: I2C: {missing}") from None
        self._i2c[name] = emulated.environment

    def _add(self, name: str, port: Port) -> None:
        self.ports[name] = port
        self._stack.callback(port.close)

    def power_on(self, slot: Slot, now_ns: int) -> None:
        """As in real time; from now on its relay is pulsed."""
        super().power_on(slot, now_ns)
        for port in self._lines():
            if port.name.startswith(f"{slot.name}/"):
                port.begins()

    def _lines(self) -> list[LinesPort]:
        return [port for port in self.ports.values() if isinstance(port, LinesPort)]

    def measurements(self) -> list[Measurement]:
        """What was measured beside the bytes: how the relay's line was swung."""
        found = [Measurement("ready", round(self.ready_ns / NS_PER_MS), "ms", None, 1000, self.ready_ns <= 10**9)]
        for name, program in self.remote.items():
            assert isinstance(program, Program)
            waited_ms, most_ms = round(program.starved_ns / NS_PER_MS, 1), self.slack_ns / NS_PER_MS / 2
            found.append(
                Measurement(
                    f"{name}: longest wait for a processor", waited_ms, "ms", None, most_ms, waited_ms <= most_ms
                )
            )
        for port in self._lines():
            for line in sorted(port.changes):
                rest_ms = round(port.longest_rest_ns.get(line, 0) / NS_PER_MS, 1)
                name = f"{port.name} GPIO{line}: longest rest"
                found.append(Measurement(name, rest_ms, "ms", None, LONGEST_REST_MS, rest_ms <= LONGEST_REST_MS))
        return found

    def starved_ns(self) -> int:
        """The longest that a program was kept waiting by this machine."""
        programs = [one for one in self.remote.values() if isinstance(one, Program)]
        return max((max(one.starved_ns, one.beginning.late_ns) for one in programs), default=0)

    def notes(self) -> list[str]:
        """A sentence for each port that a program has set to another bit rate than its part has."""
        return [
            f"{port.name}: the program set {port.wrong_baud} Bd, the part has {port.baud} Bd"
            for port in self.ports.values()
            if isinstance(port, PtyPort) and port.wrong_baud
        ]

    def close(self) -> None:
        """Programs first, then what they hang on, then the folder."""
        with suppress(AttributeError):
            self._stack.close()
