r"""OmniPreSense OPS243-A, 24 GHz Doppler radar: speed and direction, no distance. UART 19200 8N1, ASCII lines, CR LF.

A speed, by what has been switched on (UM-003-A OPS243-A user manual, pages 8 to 12; AN-010-J)::

    -3.45                                                       the speed alone; positive comes in, negative goes out
    3689529.139,27.34419,-3.45624                               OT and OM: sensor time in s, magnitude, speed
    {"speed":0.58,"direction":"inbound","time":105,"tick":135}  OJ; numbers may be strings, see the next
    {"magnitude":"467.72","speed":"-0.25","distance":"0.00"}    OJ and OM, as a real OPS241 says it

Of two numbers the first is a time or a magnitude, which the line does not say: only the speed is taken. Where a
direction is said in words, it decides the sign. Speeds are in the unit that was set, m/s at first; the line does not
say which, but a reply does.

An object that has passed (OPS9243, one line; times are strings)::

    {"classifier" : "object_outbound", "end_time" : "1750719826.467", "start_time" : "1750719826.031",
     "delta_time_msec" : 736, "max_speed_mps" : 13.39, "min_speed_mps" : 11.33, "max_magnitude" : 55,
     "avg_magnitude" : 36, "total_frames" : 7, "frames_per_mps" : 0.5228, "length_m" : 9.86, "speed_change" : 2.799}

Commands are two characters; those with a number end with CR: ``OJ``, ``UM``, ``R>1\r``. Replies are JSON lines among
the others, without any mark whose they are: UM and U? give ``{"Units":"m-per-sec"}``, OJ gives
``{"OutputFeature":"J"}``, ?? several lines. No document says what OT, F2 and R| reply.

Verified against the manual's examples, the README of a driver for the OPS241 that quotes a real part, and lines of two
public recordings; not yet against a part on a desk.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import msgspec

MAX_LINE_BYTES: Final = 1024
"""The longest known line, an object, has 310."""
MAX_BRACKETS: Final = 16
"""Lines of this part do not nest."""

MICRO: Final = 1_000_000
_LARGEST = 10_000_000_000
_BRACE = ord("{")
_ONE = rb" *([+-]?[0-9]{1,10}(?:\.[0-9]{1,9})?) *"
_PLAIN = re.compile(_ONE + rb"(?:," + _ONE + rb"(?:," + _ONE + rb")?)?")
_COMMAND = re.compile(rb"[!-~][><=][^\r\n]{0,12}[\r\n]|[!-~][!-;?-~]")


class Unit(NamedTuple):
    """A unit of speed: what the part calls it, and mm/s as a fraction: ``Unit("km-per-hr", 2500, 9)``."""

    word: str
    times: int
    over: int


UNITS: Final = {
    "UM": Unit("m-per-sec", 1000, 1),
    "UC": Unit("cm-per-sec", 10, 1),
    "UK": Unit("km-per-hr", 2500, 9),
    "UF": Unit("ft-per-sec", 1524, 5),
    "US": Unit("mph", 11176, 25),
}
"""By the command that sets it (page 8)."""

INBOUND, OUTBOUND = "inbound", "outbound"


class Speed(msgspec.Struct, frozen=True, gc=False):
    """One speed, exact to a millionth of the unit set; positive comes in.

    `magnitude_milli` are thousandths, `time_ms` the sensor's own clock; None where not said. Example: ``-3.45`` is
    ``Speed(-3_450_000)``.
    """

    speed_micro: int
    magnitude_milli: int | None = None
    time_ms: int | None = None


class PassedObject(msgspec.Struct, frozen=True, gc=False):
    """Somebody who has passed, as an OPS9243 sums it up. None where not said; times are the sensor's clock."""

    outbound: bool
    start_ms: int | None
    end_ms: int | None
    max_speed_mm_s: int | None
    min_speed_mm_s: int | None
    length_mm: int | None
    max_magnitude_milli: int | None


class Reply(msgspec.Struct, frozen=True):
    """Any other JSON object: the answer to a command, e.g. ``Reply({"Units": "m-per-sec"})``."""

    body: dict[str, Any]


Event = Speed | PassedObject | Reply

_json = msgspec.json.Decoder(dict[str, Any])


def mm_s(speed_micro: int, unit: Unit) -> int:
    """Millionths of a unit as whole mm/s, nearest: ``mm_s(-3_456_240, UNITS["UM"]) == -3456``."""
    scaled, over = abs(speed_micro) * unit.times, unit.over * MICRO
    rounded = (2 * scaled + over) // (2 * over)
    return rounded if speed_micro >= 0 else -rounded


def encode_command(word: str, number: int | None = None) -> bytes:
    """A command, e.g. ``encode_command("UM")``, ``encode_command("R>", 1)``. Raises ValueError for what is none."""
    if len(word) != 2 or not word.isascii() or not word.isprintable() or " " in word:
        raise ValueError(f"a command has two characters, not {word!r}")
    if (number is not None) != (word[1] in "><="):
        raise ValueError(f"{word} takes {'a' if number is None else 'no'} number")
    return word.encode() if number is None else f"{word}{number}\r".encode()


def decimal(micro: int, places: int = 2) -> str:
    """Millionths as the part prints them after ``F2``: ``decimal(-3_456_240) == "-3.46"``. `places` 0 to 5."""
    step = 10 ** (6 - places)
    whole, rest = divmod((abs(micro) + step // 2) // step, 10**places)
    return f"{'-' if micro < 0 else ''}{whole}" + (f".{rest:0{places}d}" if places else "")


def encode_plain(speed: Speed, places: int = 2) -> bytes:
    """The far end's side: a line of numbers; time, magnitude and speed, or the speed alone where one is None."""
    if speed.time_ms is None or speed.magnitude_milli is None:
        return decimal(speed.speed_micro, places).encode() + b"\r\n"
    time = decimal(speed.time_ms * 1000, 3)
    return f"{time},{decimal(speed.magnitude_milli * 1000, places)},{decimal(speed.speed_micro, places)}\r\n".encode()


def encode_json(speed: Speed, places: int = 2) -> bytes:
    """The far end's side: a line of JSON with strings for numbers."""
    body: dict[str, Any] = {}
    if speed.time_ms is not None:
        body["time"] = decimal(speed.time_ms * 1000, 3)
    if speed.magnitude_milli is not None:
        body["magnitude"] = decimal(speed.magnitude_milli * 1000, places)
    return encode_reply({**body, "speed": decimal(speed.speed_micro, places)})


def encode_reply(body: dict[str, Any]) -> bytes:
    """The far end's side: a reply, e.g. ``encode_reply({"Units": "m-per-sec"})``."""
    return msgspec.json.encode(body) + b"\r\n"


def _scaled(said: object, scale: int) -> int | None:
    """A number or a string of one, times `scale` and rounded; None for anything else, and for the absurd."""
    if type(said) is str:
        try:
            said = float(said)
        except ValueError:
            return None
    elif type(said) is not float and type(said) is not int:
        return None
    return round(said * scale) if -_LARGEST < said < _LARGEST else None


def _plain(line: bytes) -> Event | None:
    match = _PLAIN.fullmatch(line)
    if match is None:
        return None
    first, second, third = match.groups()
    if third is None:
        return Speed(round(float(second or first) * MICRO))
    return Speed(round(float(third) * MICRO), round(float(second) * 1000), round(float(first) * 1000))


def _object(line: bytes) -> Event | None:
    """A line of JSON; None where it is broken, or says a speed that is no number."""
    if line.count(b"{") + line.count(b"[") > MAX_BRACKETS:
        return None
    try:
        body = _json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if "speed" in body:
        micro = _scaled(body["speed"], MICRO)
        if micro is None:
            return None
        direction = body.get("direction")
        if direction in (INBOUND, OUTBOUND):
            micro = abs(micro) if direction == INBOUND else -abs(micro)
        return Speed(micro, _scaled(body.get("magnitude"), 1000), _scaled(body.get("time"), 1000))
    classifier = body.get("classifier")
    if isinstance(classifier, str):
        names = ("start_time", "end_time", "max_speed_mps", "min_speed_mps", "length_m", "max_magnitude")
        return PassedObject(OUTBOUND in classifier, *(_scaled(body.get(name), 1000) for name in names))
    return Reply(body)


class Ops243Stream:
    """Bytes in, lines out; cut anywhere gives the same. Never raises, holds less than two lines.

    A line that makes no sense is skipped up to its end, and its bytes are counted; from a ``{`` in it on, a last
    attempt is made, as JSON behind rubbish can still be told from rubbish. A number cannot: half a number is one too.
    Line ends and empty lines (BL, blank reports) are no rubbish.
    """

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self._rest = b""
        self._overlong = False

    @property
    def pending_bytes(self) -> int:
        """Bytes of a line not yet ended, at most MAX_LINE_BYTES."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Event]:
        """Events of all lines that end in `data`, in their order."""
        *lines, rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        events: list[Event] = []
        for line in lines:
            if self._overlong or len(line) > MAX_LINE_BYTES:
                self._overlong = False
                self.skipped_bytes += len(line)
            elif line:
                event = _object(line) if line[0] == _BRACE else _plain(line)
                if event is None:
                    event = self._behind_rubbish(line)
                if event is not None:
                    events.append(event)
        if self._overlong or len(rest) > MAX_LINE_BYTES:
            self._overlong = True
            self.skipped_bytes += len(rest)
            rest = b""
        self._rest = rest
        return events

    def _behind_rubbish(self, line: bytes) -> Event | None:
        start = line.rfind(b"{")
        event = _object(line[start:]) if start > 0 else None
        self.skipped_bytes += len(line) if event is None else start
        return event

    def finish(self) -> None:
        """The stream has ended, or what waits is too old to be continued: it is skipped."""
        self.skipped_bytes += len(self._rest)
        self._rest, self._overlong = b"", False

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"rest": self._rest.hex(), "overlong": self._overlong, "skipped_bytes": self.skipped_bytes}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._rest, self._overlong = bytes.fromhex(state["rest"]), state["overlong"]
        self.skipped_bytes = state["skipped_bytes"]


class CommandStream:
    """The far end's side: bytes in, commands out, two characters each, those with a number up to its CR or LF.

    Example: ``feed(b"OJUMR>1\\r") == ["OJ", "UM", "R>1"]``. Never raises, holds less than 16 bytes.
    """

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Commands that are complete with `data`."""
        data = self._rest + data
        commands: list[str] = []
        at = 0
        while at < len(data):
            match = _COMMAND.match(data, at)
            if match is not None:
                commands.append(match[0].rstrip(b"\r\n").decode("ascii", "replace"))
                at = match.end()
            elif data[at : at + 1] in b"\r\n":
                at += 1
            elif _unfinished(data[at:]):
                break
            else:
                self.skipped_bytes += 1
                at += 1
        self._rest = data[at:]
        return commands

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {"rest": self._rest.hex(), "skipped_bytes": self.skipped_bytes}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._rest, self.skipped_bytes = bytes.fromhex(state["rest"]), state["skipped_bytes"]


def _unfinished(data: bytes) -> bool:
    """True where a command may have begun that wants more bytes."""
    return 0x20 < data[0] < 0x7F and (len(data) == 1 or (data[1:2] in b"><=" and len(data) < 15))


def decode_events(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """For the command line: JSON-able events of a whole recording, and how many bytes were skipped.

    A last line without its end counts. Speeds are in the unit that was set, in millionths.
    """
    stream = Ops243Stream()
    events = stream.feed(data + b"\n")
    return [_jsonable(event) for event in events], stream.skipped_bytes


def _jsonable(event: Event) -> dict[str, Any]:
    if isinstance(event, Reply):
        return {"type": "reply", "body": event.body}
    return {"type": "speed" if isinstance(event, Speed) else "object", **msgspec.to_builtins(event)}
