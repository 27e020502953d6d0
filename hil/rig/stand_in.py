"""A rig without hardware: boards as processes with clocks of their own, adapters with latency, a power relay.

Every wire is two ports with a delay between them: the board connects to one (``rfc2217://`` or ``socket://``), the rig
to the other (``rfc2217://``, ``socket://``, or a pseudo-terminal as a USB adapter would be). Behind RFC 2217 a wire has
parity and bit rate, which both ends have to agree on. While a board has no power its wires are looped back.

    leeze-hil rig stand-in DIR          writes DIR/rig.toml and runs until Ctrl-C
"""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec

from boards.build import load_board
from controllers.greenwave.site import GreenwaveSite
from controllers.service.sites import Site, load_site
from drivers.clock import SystemClock
from drivers.links.unix_ear import UnixEar
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.contract_bench import before_the_rest
from hil.benches.process_boards import BrokerAccess, board_toml, derived, site_toml, standing_in, toml, topic, wire_baud
from hil.benches.process_program import before_others, environment
from hil.rig.stand_in_wires import Line

_LOOK_NS = 20 * NS_PER_MS
_END_S = 10.0


class Wrong(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with the rig. `swapped` two wires of one board, `dead` one that carries nothing, `gone` one whose
    rig's end vanishes `gone_s` after its board has begun, `no_power` boards that never start, `other_serial` boards
    that are another than the file says, `resets` one that starts anew `gone_s` after it has begun.
    """

    swapped: tuple[str, ...] = ()
    dead: str = ""
    gone: str = ""
    gone_s: float = 2.0
    resets: str = ""
    no_power: tuple[str, ...] = ()
    other_serial: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How to build one."""

    sites: tuple[str, ...] = ("kanalpromenade-reference", "leezenflow-hoerstertor")
    latency_ms: float = 2.0
    jitter_ms: float = 0.2
    stated_uncertainty_ms: float = 3.0
    slack_ms: int = 100
    wrong: Wrong = Wrong()


class StandIn:
    """The rig in `folder`, for the sites of `plan`; a context manager. `run` it until `asked_to_stop`."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self.rig_file = folder / "rig.toml"
        self._clock = SystemClock()
        self._lines: dict[str, Line] = {}
        self._words: dict[str, list[str]] = {}
        self._environ: dict[str, dict[str, str]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._started_ns: dict[str, int] = {}
        self._upset: set[str] = set()
        self._stack = ExitStack()

    def __enter__(self) -> StandIn:
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def run(self, asked_to_stop: Callable[[], object]) -> None:
        """Serve wires and power until then."""
        with before_the_rest():
            while not asked_to_stop():
                self.turn()

    def turn(self) -> None:
        """One look at everything, 20 ms at the most."""
        poll = select.poll()
        for line in self._lines.values():
            for fd in [*line.board.fds(), *line.rig.fds()]:
                poll.register(fd, select.POLLIN)
        poll.register(self._ear.fileno(), select.POLLIN)
        now_ns = self._clock.now_ns()
        due_ns = min((line.due_ns for line in self._lines.values()), default=now_ns + _LOOK_NS)
        wait_ns = max(0, min(due_ns, now_ns + _LOOK_NS) - now_ns)
        if not poll.poll(wait_ns // NS_PER_MS) and due_ns < now_ns + _LOOK_NS:
            self._clock.sleep_until_ns(due_ns)
        now_ns = self._clock.now_ns()
        for name, line in self._lines.items():
            line.serve(now_ns, name.partition("/")[0] in self._running)
        self._heed()
        self._go_wrong(now_ns)

    # --- power

    def _heed(self) -> None:
        came = self._ear.accept()
        if came is None:
            return
        with came:
            came.settimeout(1.0)
            with suppress(OSError):
                board, _, state = came.recv(256).decode("ascii", "replace").strip().partition(" ")
                if board in self._words:
                    self._off(board)
                    if state == "on" and board not in self.plan.wrong.no_power:
                        self._on(board)
                came.sendall(b"ok\n")

    def _on(self, board: str) -> None:
        with (self.folder / f"{board}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own program
                self._words[board],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environ[board],
                start_new_session=True,
            )
        before_others(process.pid)
        self._running[board], self._started_ns[board] = process, self._clock.now_ns()

    def _off(self, board: str) -> None:
        process = self._running.pop(board, None)
        if process is not None:
            process.kill()
            process.wait(_END_S)

    def _all_off(self) -> None:
        for board in list(self._running):
            self._off(board)

    def _go_wrong(self, now_ns: int) -> None:
        wrong = self.plan.wrong
        for name in (wrong.gone, wrong.resets):
            board = name.partition("/")[0]
            after_ns = round(wrong.gone_s * NS_PER_S)
            if not name or name in self._upset or board not in self._running:
                continue
            if now_ns - self._started_ns[board] < after_ns:
                continue
            self._upset.add(name)
            if name == wrong.gone:
                self._lines[name].rig.close()
            else:
                self._off(board)
                self._on(board)

    # --- building

    def _build(self) -> None:
        self._ear = UnixEar(self.folder / "power", "power", "DIR", 4)
        self._stack.callback(self._ear.close)
        self._stack.callback(self._all_off)
        boards: dict[str, object] = {}
        for site_name in self.plan.sites:
            site = load_site(site_name)
            boards |= self._site(site)
        if self.plan.wrong.swapped:
            one, other = self.plan.wrong.swapped
            self._lines[one].other, self._lines[other].other = self._lines[other], self._lines[one]
        rig = {"format": 1, "name": f"stand-in {self.folder}", "slack_ms": self.plan.slack_ms, "boards": boards}
        self.rig_file.write_text(toml(rig | {"boot_s": 20}), encoding="utf-8")

    def _site(self, site: Site) -> dict[str, object]:
        """Lines, files and command lines of a site's boards; their tables of the rig file, by name."""
        if isinstance(site, GreenwaveSite):
            names = {"leezenflow": site.board}
        else:
            names = {one.name: one.board for one in site.controllers}
        tables: dict[str, object] = {}
        files: dict[str, str] = {}
        for number, (name, catalog) in enumerate(names.items()):
            board = load_board(catalog)
            places: dict[str, str] = {}
            wires: dict[str, dict[str, object]] = {}
            access: BrokerAccess | None = None
            for wire, said in board.wires.items():
                at = f"{name}/{wire}"
                match standing_in(said, wire, board):
                    case "port":
                        wires[wire], places[wire] = self._wire(at, wire_baud(board, wire), len(wires))
                    case "broker":
                        access, wires[wire] = self._broker(at)
                    case "panel" | "lines" as what:
                        places[wire] = str(self.folder / f"{name}-{wire}.{what}")
                        wires[wire] = {what: places[wire]}
                    case _:
                        continue
            files[name] = str(self.folder / f"{name}.board.toml")
            Path(files[name]).write_text(board_toml(derived(board, name, places, access)), encoding="utf-8")
            serial = f"10000000feed{number:04d}"
            lines = next((str(one["lines"]) for one in wires.values() if "lines" in one), "")
            tables[name] = self._board_table(name, serial, wires)
            shown = "10000000dead0000" if name in self.plan.wrong.other_serial else serial
            self._environ[name] = environment(LEEZE_GPIO=lines)
            site_file = self.folder / f"{site.name}.toml"
            words = [
                sys.executable,
                "-m",
                "hil.rig.stand_in_board",
                str(4000 * (number + 1)),
                str(40 - 70 * number),
                shown,
            ]
            words += ["run", "--site", str(site_file), "--bench-time", str(self.folder / f"{name}.time")]
            self._words[name] = words if isinstance(site, GreenwaveSite) else [*words, "--controller", name]
        (self.folder / f"{site.name}.toml").write_text(site_toml(site, files), encoding="utf-8")
        return tables

    def _board_table(self, name: str, serial: str, wires: dict[str, dict[str, object]]) -> dict[str, object]:
        switch = [sys.executable, "-m", "hil.rig.stand_in_power", str(self.folder / "power"), name]
        return {
            "console": str(self.folder / f"{name}.time"),
            "serial": serial,
            "power": {"on": [*switch, "on"], "off": [*switch, "off"]},
            "wires": wires,
        }

    def _wire(self, at: str, baud: int, number: int) -> tuple[dict[str, object], str]:
        """A line; its table of the rig file, and where the board finds it."""
        latency_ns, jitter_ns = round(self.plan.latency_ms * NS_PER_MS), round(self.plan.jitter_ms * NS_PER_MS)
        is_radar = "radar" in at
        rig_kind = "pty" if at.endswith("/dali") else ("rfc2217", "socket")[number % 2] if is_radar else "socket"
        line = Line(at, "rfc2217" if rig_kind == "rfc2217" else "socket", rig_kind, baud, latency_ns, jitter_ns)
        line.dead = at == self.plan.wrong.dead
        self._lines[at] = line
        self._stack.callback(line.board.close)
        self._stack.callback(line.rig.close)
        table: dict[str, object] = {
            "port": line.rig.url,
            "baud": baud,
            "latency_us": round(self.plan.latency_ms * 1000),
            "uncertainty_us": round(self.plan.stated_uncertainty_ms * 1000),
            "loop_when_off": rig_kind != "rfc2217",
        }
        return table, line.board.url

    def _broker(self, at: str) -> tuple[BrokerAccess, dict[str, object]]:
        from hil.peers import broker, certificates

        folder = self.folder / at.replace("/", "-")
        folder.mkdir()
        papers = certificates.make(folder, "leeze-stand-in")
        users = {"board": "hears", "rig": "says"}
        running = broker.Broker(folder, certificates=papers, users=users)
        self._stack.enter_context(running)
        for user, password in users.items():
            (folder / f"{user}.password").write_text(password + "\n", encoding="utf-8")
        access = BrokerAccess(
            host=running.host,
            port=running.port,
            ca_file=papers.ca_file,
            user="board",
            password_file=str(folder / "board.password"),
        )
        table: dict[str, object] = {
            "broker": f"{running.host}:{running.port}",
            "topic": topic(at),
            "ca_file": papers.ca_file,
            "user": "rig",
            "password_file": str(folder / "rig.password"),
        }
        return access, table
