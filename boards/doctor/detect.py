"""What hangs on this computer? Serial ports are listened to at the usual bit rates, I2C buses are asked who is there.

Listening says nothing to anybody. A part that speaks only when asked (Modbus, DALI) stays unseen on a serial port; give
it a board file and use `leeze-boards probe`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from drivers.bench.i2c import who_is_there
from drivers.bench.recognise import recognise
from drivers.bench.session import Clock, Session
from drivers.links.uart import UartLink
from drivers.parts import PARTS
from drivers.units import NS_PER_MS, NS_PER_S

LISTEN_S = 1.3
"""At each bit rate: longer than the second between two idle frames of a quiet radar."""

ENOUGH_BYTES = 512
USUAL_BAUDS = (115_200, 9_600, 19_200, 256_000, 38_400, 57_600)


class Detected(msgspec.Struct, frozen=True, kw_only=True):
    """What was found on a port: ``Detected(port="/dev/ttyUSB0", part="ld2451", baud=115200, text="31 frames")``.

    `part` is empty where nobody was recognised; `text` then says what came. `line` is what to write into a board file.
    """

    port: str
    part: str = ""
    baud: int = 0
    address: int | None = None
    text: str = ""

    @property
    def lines(self) -> str:
        """Tables for a board file; empty where nothing was recognised."""
        if not self.part:
            return ""
        name = re.sub(r"[^a-z0-9]+", "-", Path(self.port).name.lower().replace("tty", "wire-")).strip("-")
        if self.address is not None:
            bus = self.port.rpartition("-")[2]
            return (
                f'[wires.i2c]\nkind = "i2c"\nbus = {bus}\n\n[devices.{self.part}]\npart = "{self.part}"\n'
                f'wire = "i2c"\naddress = {self.address:#04x}\n'
            )
        return (
            f'[wires.{name}]\nkind = "uart"\nport = "{self.port}"\nbaud = {self.baud}\n\n'
            f'[devices.{self.part}-1]\npart = "{self.part}"\nwire = "{name}"\n'
        )


def serial_ports(root: Path = Path("/dev")) -> list[str]:
    """Serial ports of this computer, by the name that stays where there is one, each once."""
    by_id = {str(link.resolve()): str(link) for link in sorted(root.glob("serial/by-id/*"))}
    plain = [str(path) for pattern in ("ttyUSB*", "ttyACM*", "ttyAMA*", "ttyS0") for path in sorted(root.glob(pattern))]
    return [by_id.get(str(Path(port).resolve()), port) for port in plain]


def listen(port: str, clock: Clock, *, seconds: float = LISTEN_S, bauds: Sequence[int] = USUAL_BAUDS) -> Detected:
    """Listen at each bit rate in turn, and stop at the first that makes sense."""
    link = UartLink("detect", port, bauds[0])
    session = Session(clock)
    session.tapped(link)
    watch = session.watch["detect"]
    heard = 0
    try:
        for baud in bauds:
            if link.is_open:
                link.set_line(baud, "N", clock.now_ns())
                session.run(clock.now_ns() + 30 * NS_PER_MS)  # what was under way at the old rate
            watch.forget()
            began = watch.bytes_in
            session.run(clock.now_ns() + int(seconds * NS_PER_S), lambda: len(watch.kept) >= ENOUGH_BYTES)
            if trouble := session.trouble("detect"):
                return Detected(port=port, text=trouble)
            heard += watch.bytes_in - began
            likely = [one for one in recognise(watch.kept) if _may_have(one.part, baud)]
            if likely:
                best = likely[0]
                text = f"{best.events} frames, {best.sense_pct} % of the bytes make sense"
                return Detected(port=port, part=best.part, baud=baud, text=text)
            if not heard and baud == bauds[0]:
                break  # whoever sends at another rate would have been heard as rubbish
    finally:
        session.close()
    if heard:
        return Detected(port=port, text=f"{heard} bytes that no known part sends at {', '.join(map(str, bauds))} baud")
    return Detected(port=port, text="nothing comes; a part that speaks only when asked may hang there")


def _may_have(part: str, baud: int) -> bool:
    bench = PARTS[part].bench
    return bench is None or not bench.bauds or baud in bench.bauds


def i2c_buses(root: Path = Path("/dev")) -> list[str]:
    """I2C buses of this computer."""
    return sorted(str(path) for path in root.glob("i2c-*"))


def ask_bus(port: str, clock: Clock) -> list[Detected]:
    """Who answers on an I2C bus, by reading only; one word where nobody does."""
    present, trouble = who_is_there(port, clock)
    found = []
    for address, guess in present:
        name = guess.rstrip("?")
        known = name if not guess.endswith("?") else ""
        text = f"something answers at {address:#04x}" + (f", perhaps a {name}" if name and not known else "")
        found.append(Detected(port=port, part=known, address=address, text=text))
    return found or [Detected(port=port, text=trouble or "nobody answers")]


def detect(clock: Clock, ports: Sequence[str], progress: Callable[[str], None]) -> Iterator[Detected]:
    """What is found out about each port, as it is."""
    for port in ports:
        if port.startswith("/dev/i2c"):
            progress(f"asking around on {port}")
            yield from ask_bus(port, clock)
        else:
            progress(f"listening at {port}, up to {LISTEN_S * len(USUAL_BAUDS):.0f} s")
            yield listen(port, clock)
