"""The packets of a K-LD7 one by one: events, their bytes, and what a payload says. Frames: `drivers.codecs.kld7`."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from drivers.codecs.kld7_parameters import SETTINGS, STRUCTURE_BYTES, Parameters, check, pack, unpack

BAUDS: Final = (115_200, 460_800, 921_600, 2_000_000, 3_000_000)
"""By INIT's value. The part starts with the first."""

RADC, RFFT, PDAT, TDAT, DDAT, DONE = (1 << n for n in range(6))
"""Bits of GNFD."""

OK: Final = 0
BUSY: Final = 5
RESPONSES: Final = ("ok", "unknown command", "invalid value", "wrong version of RPST", "UART error", "busy", "timeout")

MAX_TARGETS: Final = 12
HEAD_BYTES: Final = 8
TARGET: Final = struct.Struct("<HhhH")
MAX_PACKET_BYTES: Final = HEAD_BYTES + 3072

_LETTER = 0x41
"""Where letters begin. No field may reach so high that its bytes could be those of a header, see `Kld7Stream`."""
_LIMIT = _LETTER << 8  # 166 m, 166 km/h, 166 degrees, 166 dB: beyond what the part can mean
_VALUE_LIMIT = _LETTER << 24


class Target(msgspec.Struct, frozen=True, gc=False):
    """One target as the part says it, hundredths where named so; negative speed approaches.

    Example: ``Target(80, -105, 1839, 6165)`` is at 80 cm, -1.05 km/h, 18.39 degrees to the right, 61.65 dB.
    """

    distance_cm: int
    speed_centi_kmh: int
    angle_centi_deg: int
    magnitude_centi_db: int


class Response(msgspec.Struct, frozen=True, gc=False):
    """RESP: ``Response(0)`` is done; see RESPONSES."""

    code: int


class Tracked(msgspec.Struct, frozen=True, gc=False):
    """TDAT: the tracked target, None while there is none."""

    target: Target | None


class Detected(msgspec.Struct, frozen=True, gc=False):
    """PDAT: raw targets of one frame, up to twelve."""

    targets: tuple[Target, ...]


class Flags(msgspec.Struct, frozen=True, gc=False):
    """DDAT: one bit each; those after the first two count only while `detection` is 1.

    `right` 0 left; `approaching` 0 receding; `near` 0 far; `fast` 0 slow: beside the thresholds of the parameters.
    """

    detection: int
    micro_detection: int
    right: int
    approaching: int
    near: int
    fast: int


class Done(msgspec.Struct, frozen=True, gc=False):
    """DONE: a frame is over, its number since reset."""

    frame: int


class ParameterSet(msgspec.Struct, frozen=True, gc=False):
    """RPST from the part, or SRPS (`setting`) to it."""

    parameters: Parameters
    setting: bool = False


class Samples(msgspec.Struct, frozen=True, gc=False):
    """RADC or RFFT as they came."""

    kind: str
    data: bytes


class Command(msgspec.Struct, frozen=True, gc=False):
    """A command, heard on the line to the part: ``Command("GNFD", 8)``. `value` is None where it takes none."""

    name: str
    value: int | None = None


Event = Response | Tracked | Detected | Flags | Done | ParameterSet | Samples | Command
NO_TARGET = Tracked(None)


def encode(name: str, payload: bytes = b"") -> bytes:
    """Any packet: ``encode("RESP", b"\\0")``."""
    return name.encode("ascii") + len(payload).to_bytes(4, "little") + payload


def encode_command(name: str, value: int | None = None) -> bytes:
    """A command, e.g. ``encode_command("GNFD", TDAT)``. Raises ValueError: unknown, or a value outside its range."""
    if name in ("GRPS", "RFSE", "GBYE") and value is None:
        return encode(name)
    field, highest = SETTINGS.get(name), {"INIT": len(BAUDS) - 1, "GNFD": 0x3F}.get(name)
    if value is None or (field is None and highest is None):
        raise ValueError(f"no command of a K-LD7 is {name} with value {value}")
    if field is not None:
        check(field, value)
    elif highest is not None and not 0 <= value <= highest:
        raise ValueError(f"{name} takes 0 to {highest}, not {value}")
    return encode(name, (value & 0xFFFF_FFFF).to_bytes(4, "little"))


def encode_parameters(parameters: Parameters, *, setting: bool = False) -> bytes:
    """RPST, or SRPS where `setting`. Raises ValueError for a value outside its range."""
    return encode("SRPS" if setting else "RPST", pack(parameters))


def encode_event(event: Event) -> bytes:
    """The far end's side: the packet of any event. Raises ValueError or struct.error for what does not fit."""
    match event:
        case Response(code=code):
            return encode("RESP", bytes((code,)))
        case Tracked(target=target):
            return encode("TDAT", b"" if target is None else _packed((target,)))
        case Detected(targets=targets):
            if len(targets) > MAX_TARGETS:
                raise ValueError(f"{len(targets)} targets; PDAT has room for {MAX_TARGETS}")
            return encode("PDAT", _packed(targets))
        case Flags():
            return encode("DDAT", bytes(msgspec.structs.astuple(event)))
        case Done(frame=frame):
            return encode("DONE", frame.to_bytes(4, "little"))
        case ParameterSet(parameters=parameters, setting=setting):
            return encode_parameters(parameters, setting=setting)
        case Samples(kind=kind, data=data):
            return encode(kind, data)
        case _:
            name, value = event.name, event.value
            return encode(name, b"" if value is None else (value & 0xFFFF_FFFF).to_bytes(4, "little"))


def _packed(targets: Iterable[Target]) -> bytes:
    return b"".join(TARGET.pack(*msgspec.structs.astuple(target)) for target in targets)


# --- payloads: what each says, None where it contradicts itself


def _response(payload: bytes) -> Event | None:
    return Response(payload[0]) if payload[0] < _LETTER else None


def _no_target(payload: bytes) -> Event | None:
    return NO_TARGET


def _tracked(payload: bytes) -> Event | None:
    target = _target(*TARGET.unpack(payload))
    return None if target is None else Tracked(target)


def _detected(payload: bytes) -> Event | None:
    targets = [_target(*values) for values in TARGET.iter_unpack(payload)]
    return Detected(tuple(t for t in targets if t is not None)) if None not in targets else None


def _target(distance: int, speed: int, angle: int, magnitude: int) -> Target | None:
    if distance < _LIMIT and -_LIMIT < speed < _LIMIT and -_LIMIT < angle < _LIMIT and magnitude < _LIMIT:
        return Target(distance, speed, angle, magnitude)
    return None


def _flags(payload: bytes) -> Event | None:
    return Flags(*payload) if max(payload) <= 1 else None


def _done(payload: bytes) -> Event | None:
    frame = int.from_bytes(payload, "little")
    return Done(frame) if frame < _VALUE_LIMIT else None


def _parameters(payload: bytes) -> Event | None:
    sound = payload[-1] < _LETTER and not _holds_head(payload)
    return ParameterSet(unpack(payload)) if sound else None


def _setting(payload: bytes) -> Event | None:
    sound = payload[-1] < _LETTER and not _holds_head(payload)
    return ParameterSet(unpack(payload), True) if sound else None


def _samples(kind: str) -> Callable[[bytes], Event | None]:
    return lambda payload: None if _holds_head(payload) else Samples(kind, payload)


def _bare(name: str) -> Callable[[bytes], Event | None]:
    command = Command(name)
    return lambda payload: command


def _valued(name: str) -> Callable[[bytes], Event | None]:
    def command(payload: bytes) -> Event | None:
        value = int.from_bytes(payload, "little", signed=True)
        return Command(name, value) if value < _VALUE_LIMIT else None

    return command


_Reader = Callable[[bytes], Event | None]

SHORT: dict[bytes, tuple[int, _Reader]] = {
    b"RESP\1\0\0\0": (1, _response),
    b"TDAT\0\0\0\0": (0, _no_target),
    b"TDAT\x08\0\0\0": (8, _tracked),
    b"DDAT\6\0\0\0": (6, _flags),
    b"DONE\4\0\0\0": (4, _done),
    **{b"PDAT%c\0\0\0" % (8 * n): (8 * n, _detected) for n in range(MAX_TARGETS + 1)},
    **{name.encode() + b"\0\0\0\0": (0, _bare(name)) for name in ("GRPS", "RFSE", "GBYE")},
    **{name.encode() + b"\4\0\0\0": (4, _valued(name)) for name in ("INIT", "GNFD", *SETTINGS)},
}
"""By letters and length: packets that, when sound, cannot hold another."""

PACKETS: dict[bytes, tuple[int, _Reader]] = {
    **SHORT,
    b"RPST*\0\0\0": (STRUCTURE_BYTES, _parameters),
    b"SRPS*\0\0\0": (STRUCTURE_BYTES, _setting),
    b"RADC\0\x0c\0\0": (3072, _samples("RADC")),
    b"RFFT\0\4\0\0": (1024, _samples("RFFT")),
}
HEAD = re.compile(b"|".join(re.escape(head) for head in PACKETS))
OPENINGS = frozenset(head[:size] for head in PACKETS for size in range(1, HEAD_BYTES))
_LONG_OPENINGS = frozenset(opening for opening in OPENINGS if len(opening) >= 4)


def _holds_head(payload: bytes) -> bool:
    """True where another packet begins inside: then a false head has swallowed it."""
    return HEAD.search(payload) is not None or any(payload[-size:] in _LONG_OPENINGS for size in range(4, HEAD_BYTES))
