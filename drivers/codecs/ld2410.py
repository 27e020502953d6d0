"""HLK-LD2410, LD2410B and LD2410C, 24 GHz radar: is somebody there, moving or still, to 6 m. UART 256000 8N1.

Report (Hi-Link, LD2410C serial protocol V1.00, 2.3), little endian, no checksum, about ten a second::

    F4 F3 F2 F1 | length u16 | type u8 | AA | target | 55 00 | F8 F7 F6 F5

    target, basic (type 02, length 13)
        state u8          0 nobody, 1 moving, 2 still, 3 both; 4, 5, 6 noise calibration runs, is done, has failed
        moving u16 cm | its energy u8 (0 to 100) | still u16 cm | its energy u8 (0 to 100) | detection u16 cm
    target, engineering (type 01, length 35): the same, then
        last moving gate u8 | last still gate u8 | energies of gates 0 to 8, moving, then still (18 x u8) |
        light u8 | OUT pin u8

The state is an enumeration, no bits. Distances and energies may stand beside a state that denies them: the state counts
(real frames: state 0 at 69 cm with energy 62). The OUT pin is 0 or 1 in the paper's text and 5 in its example, so any
value is taken. What cannot be is taken for damage: a state above 6, a distance beyond 10 m, an energy above 100, a gate
above 8. Within these limits no head fits into a sound report, so that rubbish before it can neither hide nor delay it.

Commands come in the envelope of `drivers.codecs.hilink`. Beside the common ones::

    0x0061 read    answer: AA | last gate u8 | last moving gate u8 | last still gate u8 | 9 + 9 sensitivities u8 |
                   unmanned u16 (seconds until a lost target is gone)
    0x0060 set     3 x (word u16 | value u32): 0 last moving gate (2 to 8), 1 last still gate (2 to 8), 2 unmanned
    0x0064 set     3 x (word u16 | value u32): 0 gate (0 to 8, FFFF all), 1 moving, 2 still sensitivity (0 to 100)
    0x0062, 0x0063 engineering reports on, off (off after power-up)

A gate is 0.75 m deep, or 0.2 m where the part was set so (0x00AA). Verified by the vendor's frames, by eight real ones
in public drivers, and by three public logs of gate energies; on no part of our own. Example:
``F4F3F2F1 0D00 02 AA 02 5100 00 0000 3B 0000 55 00 F8F7F6F5``: somebody keeps still.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from drivers.codecs.hilink import OVERHEAD, Ack, Command, HilinkStream, encode_command, jsonable

REPORT_HEAD, REPORT_TAIL = b"\xf4\xf3\xf2\xf1", b"\xf8\xf7\xf6\xf5"
NOBODY, MOVING, STILL, BOTH = 0, 1, 2, 3
CALIBRATING, CALIBRATED, NOT_CALIBRATED = 4, 5, 6
MAX_CM: Final = 1_000
MAX_ENERGY: Final = 100
GATES: Final = 9
ALL_GATES: Final = 0xFFFF

SET_GATES: Final = 0x0060
READ_SETTINGS: Final = 0x0061
ENGINEERING_ON: Final = 0x0062
ENGINEERING_OFF: Final = 0x0063
SET_SENSITIVITY: Final = 0x0064

_BASIC, _ENGINEERING = 2, 1
_TARGET = struct.Struct("<BHBHBH")
_BASIC_LENGTH = 4 + _TARGET.size
_GATES_LENGTH = _BASIC_LENGTH + 2 + 2 * GATES + 2
_BASIC_BYTES, MAX_FRAME_BYTES = OVERHEAD + _BASIC_LENGTH, OVERHEAD + _GATES_LENGTH
_TARGET_AT = 8
_GATES_AT = _TARGET_AT + _TARGET.size
_WORDS = struct.Struct("<HIHIHI")
_SETTINGS_BYTES = 4 + 2 * GATES + 2


class Gates(msgspec.Struct, frozen=True, gc=False):
    """What an engineering report has more: energies 0 to 100 of gates 0 to 8, light 0 to 255."""

    last_moving: int
    last_still: int
    moving: tuple[int, ...]
    still: tuple[int, ...]
    light: int
    out: int


class Report(msgspec.Struct, frozen=True, gc=False):
    """One report: ``Report(STILL, 81, 0, 0, 59, 0)``; `gates` only in engineering mode. Energies 0 to 100."""

    state: int
    moving_cm: int
    moving_energy: int
    still_cm: int
    still_energy: int
    detection_cm: int
    gates: Gates | None = None


class Settings(msgspec.Struct, frozen=True, gc=False):
    """What the part says of its settings. Sensitivities 0 to 100, of gates 0 to 8; `unmanned_s` 0 to 65535."""

    last_gate: int
    last_moving_gate: int
    last_still_gate: int
    moving: tuple[int, ...]
    still: tuple[int, ...]
    unmanned_s: int

    def to_bytes(self) -> bytes:
        """The value of its answer, from AA on. Raises ValueError for what does not fit."""
        if len(self.moving) != GATES or len(self.still) != GATES:
            raise ValueError(f"{len(self.moving)} and {len(self.still)} sensitivities; {GATES} each")
        gates = (0xAA, self.last_gate, self.last_moving_gate, self.last_still_gate)
        return bytes((*gates, *self.moving, *self.still, *self.unmanned_s.to_bytes(2, "little")))

    @classmethod
    def of(cls, value: bytes) -> Settings | None:
        """From the value of its answer; None where that is no such."""
        if len(value) < _SETTINGS_BYTES or value[0] != 0xAA:
            return None
        moving, still = tuple(value[4 : 4 + GATES]), tuple(value[4 + GATES : 4 + 2 * GATES])
        return cls(value[1], value[2], value[3], moving, still, int.from_bytes(value[22:24], "little"))


Event = Report | Ack | Command


def encode_report(report: Report) -> bytes:
    """The far end's side. Raises ValueError for values that no sound report has."""
    moving, still = (report.moving_cm, report.moving_energy), (report.still_cm, report.still_energy)
    gates = report.gates
    kind, more = (_BASIC, b"") if gates is None else (_ENGINEERING, _encode_gates(gates))
    try:
        target = _TARGET.pack(report.state, *moving, *still, report.detection_cm)
    except struct.error:
        target = b""
    inner = bytes((kind, 0xAA)) + target + more + b"\x55\x00"
    frame = REPORT_HEAD + len(inner).to_bytes(2, "little") + inner + REPORT_TAIL
    if _report(frame) is None:
        raise ValueError(f"{report} is no sound report")
    return frame


def _encode_gates(gates: Gates) -> bytes:
    return bytes((gates.last_moving, gates.last_still, *gates.moving, *gates.still, gates.light, gates.out))


def read_settings() -> bytes:
    """Command 0x0061; `Settings.of` reads the value of the answer."""
    return encode_command(READ_SETTINGS)


def set_gates(last_moving: int, last_still: int, unmanned_s: int) -> bytes:
    """Command 0x0060: gates 2 to 8, 0 to 65535 s until a lost target is gone. Raises ValueError beyond."""
    if not 2 <= last_moving < GATES or not 2 <= last_still < GATES or not 0 <= unmanned_s <= 0xFFFF:
        raise ValueError(f"gates {last_moving} and {last_still} (2 to 8), {unmanned_s} s (0 to 65535)")
    return encode_command(SET_GATES, _WORDS.pack(0, last_moving, 1, last_still, 2, unmanned_s))


def set_sensitivity(gate: int, moving: int, still: int) -> bytes:
    """Command 0x0064: of one gate 0 to 8, or of ALL_GATES; 0 to 100 each. Raises ValueError beyond."""
    if not (0 <= gate < GATES or gate == ALL_GATES) or not 0 <= moving <= MAX_ENERGY or not 0 <= still <= MAX_ENERGY:
        raise ValueError(f"gate {gate} (0 to 8), sensitivities {moving} and {still} (0 to 100)")
    return encode_command(SET_SENSITIVITY, _WORDS.pack(0, gate, 1, moving, 2, still))


def engineering(on: bool) -> bytes:
    """Commands 0x0062 and 0x0063: engineering reports until power is cut, or basic ones."""
    return encode_command(ENGINEERING_ON if on else ENGINEERING_OFF)


class Ld2410Stream(HilinkStream[Report]):
    """Finds frames in a byte stream: see `HilinkStream`. A chunk that is one report needs no search."""

    def __init__(self) -> None:
        super().__init__(REPORT_HEAD, REPORT_TAIL, MAX_FRAME_BYTES, _report, _claim)

    def feed(self, data: bytes) -> list[Event]:
        """Events of all frames that are complete with `data`, in the order in which they end."""
        if (
            not self._pending
            and data[:4] == REPORT_HEAD
            and data[-4:] == REPORT_TAIL
            and (report := _report(data)) is not None
        ):
            return [report]
        return super().feed(data)


def _claim(data: bytes, start: int) -> int:
    """How long the report that starts here is by its own word; 0 where none can be."""
    length = data[start + 4] | data[start + 5] << 8
    wanted = {_BASIC_LENGTH: b"\x02\xaa", _GATES_LENGTH: b"\x01\xaa"}.get(length)
    return OVERHEAD + length if wanted is not None and wanted.startswith(data[start + 6 : start + 8]) else 0


def _report(frame: bytes) -> Report | None:
    """All from head to tail; None where it contradicts itself."""
    size = len(frame)
    if size == _BASIC_BYTES:
        sound = frame[4:8] == b"\x0d\x00\x02\xaa"
    else:
        sound = size == MAX_FRAME_BYTES and frame[4:8] == b"\x23\x00\x01\xaa"
    if not sound or frame[-6:-4] != b"\x55\x00":
        return None
    state, moving_cm, moving_energy, still_cm, still_energy, detection_cm = _TARGET.unpack_from(frame, _TARGET_AT)
    if (
        state > NOT_CALIBRATED
        or max(moving_cm, still_cm, detection_cm) > MAX_CM
        or moving_energy > MAX_ENERGY
        or still_energy > MAX_ENERGY
    ):
        return None
    gates = None
    if size == MAX_FRAME_BYTES:
        last_moving, last_still, *energies, light, out = frame[_GATES_AT:-6]
        if last_moving >= GATES or last_still >= GATES or max(energies) > MAX_ENERGY:
            return None
        gates = Gates(last_moving, last_still, tuple(energies[:GATES]), tuple(energies[GATES:]), light, out)
    return Report(state, moving_cm, moving_energy, still_cm, still_energy, detection_cm, gates)


def decode_events(data: bytes) -> tuple[list[dict[str, object]], int]:
    """For the command line: JSON-able events of a whole recording, and how many bytes were skipped."""
    stream = Ld2410Stream()
    events = [_jsonable(event) for event in stream.feed(data)]
    stream.finish()
    return events, stream.skipped_bytes


def _jsonable(event: Event) -> dict[str, object]:
    return {"type": "report", **msgspec.to_builtins(event)} if isinstance(event, Report) else jsonable(event)
