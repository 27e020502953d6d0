"""What devices of Hi-Link's radars have in common: they are configured at their start, and whenever they come back.

Procedures here are asks in the envelope of `drivers.codecs.hilink`, for `drivers.devices.dialogue`. Whatever is asked
is asked in configuration, which is always ended: a part that stays in it reports nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

from drivers.codecs.hilink import (
    ENABLE,
    END,
    FACTORY,
    RESTART,
    VERSION,
    Ack,
    HilinkStream,
    encode_command,
    version_text,
)
from drivers.devices.dialogue import LATE, Ask, Dialogue, Failed, Finished, Procedure
from drivers.devices.listener import Listener
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import DeviceHealth, Message
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S

ANSWER_NS: Final = 300 * NS_PER_MS
"""How long an acknowledgement may take; the papers name no time."""
TRIES: Final = 3
RETRY_NS: Final = 60 * NS_PER_S
"""Between attempts to configure a part that reports and does not answer: its RX wire may be broken."""
ORDER_NS: Final = 10 * NS_PER_S

SILENT: Final = "no frame"
NO_ANSWER: Final = "no answer to command"


def said(command: int, value: bytes = b"", tries: int = TRIES) -> Generator[Ask, Any, bytes]:
    """What the part answers to one command, behind the status. Raises Failed: no answer, or it refuses."""

    def answer(event: Any) -> list[Any] | None:
        return [event.status, event.value.hex()] if isinstance(event, Ack) and event.command == command else None

    found = yield Ask(encode_command(command, value), answer, ANSWER_NS, tries)
    if found is None:
        raise Failed(f"{NO_ANSWER} 0x{command:04x}")
    if found[0]:
        raise Failed(f"refuses command 0x{command:04x}")
    return bytes.fromhex(found[1])


def in_configuration(steps: Procedure) -> Procedure:
    """Enable configuration, do `steps`, end it, whatever came of them. Returns what they return."""
    try:
        yield from said(ENABLE, b"\x01\x00")
        result = yield from steps
    except Failed:
        yield Ask(encode_command(END), _ended, ANSWER_NS)  # also where it was not enabled: its answer may be lost
        raise
    yield from said(END)
    return result


def _ended(event: Any) -> bool | None:
    return True if isinstance(event, Ack) and event.command == END else None


def release() -> Procedure:
    """A part that says nothing may be in configuration, where whoever was here before us has left it."""
    yield Ask(encode_command(END), _ended, ANSWER_NS)


def version() -> Procedure:
    """The firmware: ``{"version": "V1.02.22062416"}``."""
    return {"version": version_text((yield from said(VERSION)))}


def restart() -> Procedure:
    """Start anew. Ends configuration by itself."""
    yield from said(ENABLE, b"\x01\x00")
    yield from said(RESTART)
    return {"restarts": True}


def factory_reset() -> Procedure:
    """All settings as they left the factory, and a restart, with which they take effect."""
    yield from said(ENABLE, b"\x01\x00")
    yield from said(FACTORY)
    yield from said(RESTART)
    return {"restarts": True}


def stays(name: str, found: object, wanted: object) -> str:
    """How a setting that was not taken over is told: ``range_m stays 100, wanted 60``."""
    return f"{name} stays {found}, wanted {wanted}"


class HilinkPart(Listener):
    """A radar that is told its settings, for devices to build on.

    With settings, it is configured when its first frame has come, again when it is back after a silence or after a gap
    of `gap_ns` (it may have been without power), and every minute where it does not answer. Where it does not answer,
    refuses or keeps other settings, DeviceHealth says so once, with the reason ("settings: ..."); its reports are used
    as usual all the while. Without settings nothing is ever written to it.

    Args:
        name, emit, stale_ns, frozen_ns: as Listener.
        link: the wire.
        stream: its codec.
        gap_ns: longer than a healthy part is quiet.
        procedures: by name, each done in configuration. "configure" returns what was not taken over, as a list of
            texts; other ones what to emit as a Message.
        wanted: arguments for "configure", JSON-able; None for nothing.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        stream: HilinkStream[Any],
        emit: Emit,
        *,
        stale_ns: int,
        frozen_ns: int,
        gap_ns: int,
        procedures: Mapping[str, Callable[..., Procedure]],
        wanted: tuple[Any, ...] | None,
    ) -> None:
        super().__init__(name, stream, emit, stale_ns, SILENT, frozen_ns=frozen_ns)
        self.refusals = 0
        """Conversations that the part has ended by refusing or by keeping its own settings. For people; no state."""
        inside = {each: _inside(steps) for each, steps in {"version": version, **procedures}.items()}
        outside = {"release": release, "restart": restart, "factory-reset": factory_reset}
        self._dialogue = Dialogue(name, link, {**inside, **outside}, self._done)
        self._wanted, self._gap_ns = wanted, min(gap_ns, stale_ns)
        self._configure_ns = FOREVER_NS
        self._configured_ns = -1  # in configuration the part is quiet as well: that is no gap
        self._met = False
        self._stubborn = ""  # trouble with the settings, which frames do not end

    def order(self, procedure: str, args: tuple[Any, ...], now_ns: int) -> None:
        """Tell the part something by name; what it answers is emitted as a Message, a failure as DeviceHealth."""
        self._dialogue.start(procedure, args, now_ns, now_ns + ORDER_NS)
        self.wake_ns = self._due_ns()

    def _answered(self, event: Any, t_ns: int) -> None:
        """An event that is no report."""
        if self._dialogue.heard(event, t_ns):
            self.wake_ns = self._due_ns()

    def _heard(self, t_ns: int, said: object = None) -> None:
        if self._wanted is not None:
            self._came(t_ns)
        if not self._stubborn:
            if self._trouble:
                super()._heard(t_ns, said)
                return
            self.frames += 1  # as there, and as in `_due_ns`, with all well: once a frame
            self._last_ns = t_ns
            watch, talk = self._watch, self._dialogue
            if self._watching:
                watch.saw(said, t_ns)
            due_ns = t_ns + self._stale_ns
            if watch.wake_ns < due_ns:
                due_ns = watch.wake_ns
            if talk.wake_ns < due_ns:
                due_ns = talk.wake_ns
            if self._configure_ns < due_ns and not talk.busy:
                due_ns = self._configure_ns
            self.wake_ns = due_ns
            return
        trouble, self._trouble = self._trouble, ""  # frames do not end trouble with the settings
        super()._heard(t_ns, said)
        self._trouble = trouble
        self._is_wrong(t_ns, self._stubborn)
        self.wake_ns = self._due_ns()

    def _faulty(self, t_ns: int, reason: str) -> None:
        self._came(t_ns)
        super()._faulty(t_ns, reason)

    def _came(self, t_ns: int) -> None:
        """A frame came: is it the first since the part may have lost its settings?"""
        if self._wanted is not None:
            if not self._met or t_ns - max(self._last_ns, self._configured_ns) >= self._gap_ns:
                self._configure_ns = t_ns
            self._met = True

    def _done(self, done: Finished) -> None:
        if done.procedure == "release":
            return
        if done.procedure != "configure":
            if done.ok:
                self._emit(Message(done.t_ns, self.name, done.result))
            else:
                self._is_wrong(done.t_ns, f"{done.procedure}: {done.reason}")
            return
        if done.ok:
            self._configured_ns, self._configure_ns = done.t_ns, FOREVER_NS
        unheard = not done.ok and done.reason.startswith((NO_ANSWER, LATE))
        trouble = ", ".join(done.result) if done.ok else done.reason
        before, self._stubborn = self._stubborn, f"settings: {trouble}" if trouble else ""
        if trouble and not unheard:
            self.refusals += 1
        if self._trouble == SILENT:
            self._stubborn = ""  # it is told its settings when it is back
        elif self._stubborn:
            self._is_wrong(done.t_ns, self._stubborn)
            if unheard:
                self._configure_ns = min(self._configure_ns, done.t_ns + RETRY_NS)
        elif before and self._trouble == before:
            self._trouble = ""
            self._emit(DeviceHealth(done.t_ns, self.name, True))

    def advance(self, now_ns: int) -> None:
        """Notice silence and frozen values; ask, ask again, give up."""
        if now_ns < self.wake_ns:
            return
        before = self._trouble
        super().advance(now_ns)
        if self._wanted is not None and self._trouble == SILENT != before:
            self._stubborn, self._configure_ns = "", FOREVER_NS
            if not self._dialogue.busy:
                self._dialogue.start("release", (), now_ns)
        self._dialogue.advance(now_ns)
        if now_ns >= self._configure_ns and not self._dialogue.busy:
            self._configure_ns = FOREVER_NS
            self._dialogue.start("configure", self._wanted or (), now_ns)
        self.wake_ns = self._due_ns()

    def _due_ns(self) -> int:
        due_ns, talk = super()._due_ns(), self._dialogue  # once a frame: no min(), which costs more than the rest
        if talk.wake_ns < due_ns:
            due_ns = talk.wake_ns
        if self._configure_ns < due_ns and not talk.busy:
            due_ns = self._configure_ns
        return due_ns

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        talk = self._dialogue
        more = {"no_replies": talk.no_replies, "refusals": self.refusals, "link_losses": talk.link_losses}
        return {**super().counters(), **more}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        talk = {
            "dialogue": self._dialogue.snapshot(),
            "configure_ns": self._configure_ns,
            "configured_ns": self._configured_ns,
            "met": self._met,
            "stubborn": self._stubborn,
        }
        return {**super().snapshot(), "talk": talk}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        talk = state["talk"]
        self._dialogue.restore(talk["dialogue"])
        self._configure_ns, self._configured_ns = talk["configure_ns"], talk["configured_ns"]
        self._met, self._stubborn = talk["met"], talk["stubborn"]


def _inside(steps: Callable[..., Procedure]) -> Callable[..., Procedure]:
    return lambda *args: in_configuration(steps(*args))
