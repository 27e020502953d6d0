"""The far ends of Hi-Link's radars as far as they listen: commands in, acknowledgements out, settings kept.

`Ld2451Answers` and its like are the part's mind: what a command does, and what is said to it. `HilinkPeer` puts one on
a wire, beside its reports in virtual time. Outside of configuration only 0x00FF is answered, as the papers have it;
inside nothing is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from drivers.codecs import ld2410, ld2450, ld2451
from drivers.codecs.hilink import BAUD, ENABLE, END, FACTORY, RESTART, VERSION, Ack, Command, HilinkStream, encode_ack
from drivers.codecs.ld2410 import BOTH, MOVING, NOBODY
from drivers.links.memory import MemoryLink
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

OK, REFUSED = 0, 1


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """What a part does wrong. `deaf`: it answers nothing. `refuses`: commands that it answers with status 1. `keeps`:
    commands that it says it has carried out, and has not. `forgets`: after it was without power all is as it left the
    factory. `late_ns`: how long its answers take.
    """

    deaf: bool = False
    refuses: frozenset[int] = frozenset()
    keeps: frozenset[int] = frozenset()
    forgets: bool = False
    late_ns: int = 0


class Answers:
    """What the three have in common. `settings` are JSON-able; a read command's value is kept under its number in hex.

    Args:
        faults: what it does wrong; may be changed while it runs.
        settings: other than the factory's, e.g. ``{"0012": "64000500"}``.
    """

    VERSION = "0000020116240622"
    BUFFER = "4000"
    FACTORY: ClassVar[dict[str, str]] = {}

    def __init__(self, faults: Faults | None = None, settings: dict[str, str] | None = None) -> None:
        self.faults = faults or Faults()
        self.settings = {**self.FACTORY, **(settings or {})}
        self.configuring = False
        self.heard: list[Command] = []
        """All commands, for tests; no state."""
        self._reset_due = False

    def answer(self, command: Command) -> Ack | None:
        """What is said to a command; None for nothing."""
        self.heard.append(command)
        if self.faults.deaf or not (self.configuring or command.command == ENABLE):
            return None
        word = command.command
        if word in self.faults.refuses:
            return Ack(word, REFUSED, b"")
        value = self._common(word)
        if value is None:
            before = dict(self.settings)
            value = self._carry_out(word, command.value)
            if word in self.faults.keeps:
                self.settings = before
        return Ack(word, REFUSED, b"") if value is None else Ack(word, OK, value)

    def _common(self, word: int) -> bytes | None:
        if word == ENABLE:
            self.configuring = True
            return bytes.fromhex("0100" + self.BUFFER)
        if word == END:
            self.configuring = False
        elif word == VERSION:
            return bytes.fromhex(self.VERSION)
        elif word == RESTART:
            self.power_cycle(forget=False)
        elif word == FACTORY:
            self._reset_due = True
        elif word != BAUD:  # takes effect with the next start, and a wire in the process has no bit rate
            return None
        return b""

    def _carry_out(self, word: int, value: bytes) -> bytes | None:
        """A command of its own; None where it refuses."""
        raise NotImplementedError

    def power_cycle(self, *, forget: bool | None = None) -> None:
        """It was without power."""
        self.configuring = False
        if (self.faults.forgets if forget is None else forget) or self._reset_due:
            self.settings = dict(self.FACTORY)
        self._reset_due = False

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"settings": self.settings, "configuring": self.configuring, "reset_due": self._reset_due}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.settings, self.configuring = dict(state["settings"]), state["configuring"]
        self._reset_due = state["reset_due"]


class Ld2451Answers(Answers):
    """An LD2451: 100 m, approaching and going away, from 0 km/h, no delay; one detection, SNR 4."""

    VERSION = "5124010110150524"
    BUFFER = "0000"
    FACTORY: ClassVar = {"0012": "64020000", "0013": "01040000"}
    LIMITS: ClassVar = {
        0x0002: ((10, 255), (0, 2), (0, 120), (0, 255)),
        0x0003: ((1, 10), (0, 8), (0, 255), (0, 255)),
    }

    def _carry_out(self, word: int, value: bytes) -> bytes | None:
        if word in (0x0012, 0x0013):
            return bytes.fromhex(self.settings[f"{word:04x}"])
        limits = self.LIMITS.get(word)
        if limits is None or len(value) != 4:
            return None
        if any(not low <= byte <= high for byte, (low, high) in zip(value, limits, strict=True)):
            return None
        self.settings[f"{word + 0x10:04x}"] = value.hex()
        return b""


class Ld2450Answers(Answers):
    """An LD2450: several targets, zones off."""

    FACTORY: ClassVar = {"0091": "0200", "00c1": "00" * 26}

    def _carry_out(self, word: int, value: bytes) -> bytes | None:
        if word in (0x0080, 0x0090):
            self.settings["0091"] = "0100" if word == 0x0080 else "0200"
        elif word == 0x00C2 and len(value) == 26 and value[0] <= 2:
            self.settings["00c1"] = value.hex()
        elif word in (0x0091, 0x00C1):
            return bytes.fromhex(self.settings[f"{word:04x}"])
        elif word == 0x00A5:
            return bytes.fromhex("8f272eb80f65")
        else:
            return None
        return b""


class Ld2410Answers(Answers):
    """An LD2410C, as it leaves the factory: gate 8, 5 s, the paper's table of sensitivities; basic reports."""

    VERSION = "0001070116150922"
    FACTORY: ClassVar = {"0061": "aa0808083232281e140f0f0f0f000028281e1e1414140500", "engineering": ""}

    def _carry_out(self, word: int, value: bytes) -> bytes | None:
        settings = bytearray.fromhex(self.settings["0061"])
        if word == 0x0061:
            return bytes(settings)
        if word in (0x0062, 0x0063):
            self.settings["engineering"] = "on" if word == 0x0062 else ""
            return b""
        if word not in (0x0060, 0x0064) or len(value) != 18:
            return None
        numbers = [int.from_bytes(value[at + 2 : at + 6], "little") for at in (0, 6, 12)]
        if value[0:2] + value[6:8] + value[12:14] != bytes.fromhex("000001000200"):
            return None
        if word == 0x0060:
            if not (2 <= numbers[0] <= 8 and 2 <= numbers[1] <= 8 and numbers[2] <= 0xFFFF):
                return None
            settings[2:4] = bytes(numbers[:2])
            settings[22:24] = numbers[2].to_bytes(2, "little")
        else:
            gates = range(9) if numbers[0] == 0xFFFF else range(numbers[0], numbers[0] + 1)
            if gates[-1] > 8 or max(numbers[1:]) > 100:
                return None
            for gate in gates:
                settings[4 + gate], settings[13 + gate] = numbers[1], numbers[2]
        self.settings["0061"] = settings.hex()
        return b""

    def power_cycle(self, *, forget: bool | None = None) -> None:
        """It was without power; engineering reports do not outlast that."""
        super().power_cycle(forget=forget)
        self.settings["engineering"] = ""


class HilinkPeer:
    """One part on a wire: its mind, and a report every `period_ns`.

    Args:
        name: for snapshots.
        link: the peer's end of the wire.
        answers: its mind.
        stream: of the part's codec, for the commands.
        frame: what it reports at a time; depends on nothing but the time.
        period_ns, phase_ns: when.
        off: spans (from, to) without power, in order.
    """

    def __init__(
        self,
        name: str,
        link: MemoryLink,
        answers: Answers,
        stream: HilinkStream[Any],
        frame: Callable[[int], bytes],
        *,
        period_ns: int,
        phase_ns: int = 0,
        off: tuple[tuple[int, int], ...] = (),
    ) -> None:
        self.name, self.answers = name, answers
        self._link, self._stream, self._frame, self._period_ns, self._off = link, stream, frame, period_ns, off
        self._report_ns = phase_ns
        self._cycles = 0  # spans without power that are over
        self._late: list[tuple[int, str]] = []
        link.receiver = self.hear

    def hear(self, data: bytes, t_ns: int) -> None:
        """Bytes from the board."""
        self._wake_up(t_ns)
        if self._is_off(t_ns):
            return
        for event in self._stream.feed(data):
            ack = self.answers.answer(event) if isinstance(event, Command) else None
            if ack is None:
                continue
            if self.answers.faults.late_ns:
                self._late.append((t_ns + self.answers.faults.late_ns, encode_ack(ack).hex()))
            else:
                self._link.write(encode_ack(ack), t_ns)

    @property
    def wake_ns(self) -> int:
        """The next report or late answer."""
        return min(self._report_ns, self._late[0][0] if self._late else FOREVER_NS)

    def run(self, now_ns: int) -> None:
        """What is due: late answers, then the report."""
        self._wake_up(now_ns)
        off = self._is_off(now_ns)
        while self._late and self._late[0][0] <= now_ns:
            _, text = self._late.pop(0)
            if not off:
                self._link.write(bytes.fromhex(text), now_ns)
        if now_ns >= self._report_ns:
            self._report_ns += ((now_ns - self._report_ns) // self._period_ns + 1) * self._period_ns
            if not off and not self.answers.configuring and (data := self._frame(now_ns)):
                self._link.write(data, now_ns)

    def _is_off(self, now_ns: int) -> bool:
        return any(from_ns <= now_ns < to_ns for from_ns, to_ns in self._off)

    def _wake_up(self, now_ns: int) -> None:
        """Has there been a span without power since?"""
        cycles = len([to_ns for _, to_ns in self._off if to_ns <= now_ns])
        if cycles > self._cycles:
            self._cycles = cycles
            self._late.clear()
            self.answers.power_cycle()

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {
            "report_ns": self._report_ns,
            "cycles": self._cycles,
            "late": [list(each) for each in self._late],
            "answers": self.answers.snapshot(),
            "stream": self._stream.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._report_ns, self._cycles = state["report_ns"], state["cycles"]
        self._late = [(due_ns, text) for due_ns, text in state["late"]]
        self.answers.restore(state["answers"])
        self._stream.restore(state["stream"])


def ld2451_peer(name: str, link: MemoryLink, answers: Answers, **more: Any) -> HilinkPeer:
    """A radar with nobody in view: an idle frame a second. The one that sees riders is `hil.peers.radar`."""
    more = {"frame": lambda t_ns: ld2451.IDLE_FRAME, "period_ns": NS_PER_S, **more}
    return HilinkPeer(name, link, answers, ld2451.Ld2451Stream(), **more)


def ld2450_peer(name: str, link: MemoryLink, answers: Answers, **more: Any) -> HilinkPeer:
    """Ten reports a second: somebody walks at the sensor from 5 m to 1 m in 4 s, is gone for 4 s, and again."""
    more = {"frame": approaching, "period_ns": 100 * NS_PER_MS, **more}
    return HilinkPeer(name, link, answers, ld2450.Ld2450Stream(), **more)


def approaching(t_ns: int) -> bytes:
    """What an LD2450 sends at a time of that walk; the sign of the speed as in Ai-Thinker's paper."""
    since_ms = t_ns // NS_PER_MS % 8_000
    target = ld2450.Target(-300, 5_000 - since_ms, -100, 320)
    return ld2450.encode_report([target] if since_ms < 4_000 else [])


def ld2410_peer(name: str, link: MemoryLink, answers: Answers, **more: Any) -> HilinkPeer:
    """Ten reports a second: nobody for 4 s, somebody who moves for 2 s, both kinds for 2 s, and again."""

    def frame(t_ns: int) -> bytes:
        gates = ld2410.Gates(8, 8, (20,) * 9, (10,) * 9, 98, 0) if answers.settings["engineering"] else None
        state = (NOBODY, NOBODY, MOVING, BOTH)[t_ns // (2 * NS_PER_S) % 4]
        # a real part names distances also while nobody is there
        return ld2410.encode_report(ld2410.Report(state, 145, 60, 210, 40, 145, gates))

    more = {"frame": frame, "period_ns": 100 * NS_PER_MS, **more}
    return HilinkPeer(name, link, answers, ld2410.Ld2410Stream(), **more)
