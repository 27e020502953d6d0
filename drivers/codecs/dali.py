"""DALI, IEC 62386-102: 16 bit forward frames to control gear, 8 bit backward frames, dimming curve, fade times.

Forward frame, sent from the left::

    YAAA AAAS  DDDD DDDD
    |       |  `------ S = 0: arc power level 0 to 254 (255 MASK: stop the fade); S = 1: opcode
    |       `--------- 0 direct arc power control (DAPC), 1 command
    `----------------- 0AAAAAA short address 0 to 63; 100AAAA group 0 to 15; 1111111 broadcast;
                       1111110 broadcast to gear without an address; 101.. and 110.. special commands

Here a frame is an int of 16 bits: ``0x0AFE`` is DAPC(short address 5, 254). Commands that write non-volatile memory act
only when sent twice within 100 ms, nothing in between.

Source: IEC 62386-102:2014 tables 15 and 16 as python-dali 0.16 has them (compared with it in the tests); worked frames
from recordings of that library's drivers.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Final

import msgspec

from drivers.codecs.dali_tables import FADE_TIME_NS, OUTPUT_PPM, SPECIAL, STANDARD, Opcode

__all__ = [
    "FADE_TIME_NS",
    "OUTPUT_PPM",
    "Command",
    "command",
    "dapc",
    "decode",
    "describe",
    "group",
    "short",
    "special",
]

BROADCAST: Final = 0xFE
"""Address byte of a broadcast to all gear."""

MASK: Final = 255
"""As a level: no change, stop the fade; as an answer: not known."""

FULL: Final = 254

# Opcodes used by name elsewhere.
OFF: Final = 0x00
RECALL_MAX_LEVEL: Final = 0x05
RECALL_MIN_LEVEL: Final = 0x06
STORE_ACTUAL_LEVEL_IN_DTR0: Final = 0x21
SET_MAX_LEVEL: Final = 0x2A
SET_MIN_LEVEL: Final = 0x2B
SET_SYSTEM_FAILURE_LEVEL: Final = 0x2C
SET_POWER_ON_LEVEL: Final = 0x2D
SET_FADE_TIME: Final = 0x2E
SET_FADE_RATE: Final = 0x2F
ADD_TO_GROUP: Final = 0x60
REMOVE_FROM_GROUP: Final = 0x70
QUERY_STATUS: Final = 0x90
QUERY_CONTROL_GEAR_PRESENT: Final = 0x91
QUERY_LAMP_POWER_ON: Final = 0x93
QUERY_CONTENT_DTR0: Final = 0x98
QUERY_DEVICE_TYPE: Final = 0x99
QUERY_PHYSICAL_MINIMUM: Final = 0x9A
QUERY_ACTUAL_LEVEL: Final = 0xA0
QUERY_MAX_LEVEL: Final = 0xA1
QUERY_MIN_LEVEL: Final = 0xA2
QUERY_POWER_ON_LEVEL: Final = 0xA3
QUERY_SYSTEM_FAILURE_LEVEL: Final = 0xA4
QUERY_FADE_TIME_FADE_RATE: Final = 0xA5
QUERY_GROUPS_ZERO_TO_SEVEN: Final = 0xC0
QUERY_GROUPS_EIGHT_TO_FIFTEEN: Final = 0xC1
IDENTIFY_DEVICE: Final = 0x25
QUERY_MISSING_SHORT_ADDRESS: Final = 0x96
QUERY_VERSION_NUMBER: Final = 0x97
QUERY_CONTENT_DTR1: Final = 0x9C
QUERY_CONTENT_DTR2: Final = 0x9D
QUERY_RANDOM_ADDRESS_H: Final = 0xC2
QUERY_RANDOM_ADDRESS_M: Final = 0xC3
QUERY_RANDOM_ADDRESS_L: Final = 0xC4
READ_MEMORY_LOCATION: Final = 0xC5
SET_SHORT_ADDRESS: Final = 0x80
SELECT_DIMMING_CURVE: Final = 0xE3
QUERY_DIMMING_CURVE: Final = 0xEE
"""Both of LED modules (IEC 62386-207): ENABLE DEVICE TYPE 6 goes directly before each."""

ENABLE_WRITE_MEMORY: Final = 0x81

# Special commands: address bytes that all gear hears.
TERMINATE: Final = 0xA1
DTR0: Final = 0xA3
"""Puts its data byte into the data transfer register 0 of all gear."""

INITIALISE: Final = 0xA5
RANDOMISE: Final = 0xA7
COMPARE: Final = 0xA9
WITHDRAW: Final = 0xAB
SEARCHADDRH: Final = 0xB1
SEARCHADDRM: Final = 0xB3
SEARCHADDRL: Final = 0xB5
PROGRAM_SHORT_ADDRESS: Final = 0xB7
VERIFY_SHORT_ADDRESS: Final = 0xB9
QUERY_SHORT_ADDRESS: Final = 0xBB
ENABLE_DEVICE_TYPE: Final = 0xC1
DTR1: Final = 0xC3
DTR2: Final = 0xC5
WRITE_MEMORY_LOCATION: Final = 0xC7
WRITE_MEMORY_LOCATION_NO_REPLY: Final = 0xC9

GARBLED: Final = -1
"""In place of an answer byte: several gear answered at once, so nobody knows what they said."""


class Command(msgspec.Struct, frozen=True, gc=False):
    """One forward frame and how it is sent: ``Command(0x012E, twice=True)`` is SET FADE TIME to short address 0.

    `answers`: gear sends a backward frame. `holds_bus`: the next command of the same procedure must follow with no
    other frame in between (a DTR and its use). `many`: several gear may answer at once, and GARBLED is an answer too.
    `again`: does no harm when gear hears it once more, so it may be repeated when its own exchange failed.
    """

    frame: int
    twice: bool = False
    answers: bool = False
    holds_bus: bool = False
    many: bool = False
    again: bool = False


def short(address: int) -> int:
    """Address byte (selector bit 0) of short address 0 to 63: ``short(5) == 0x0A``. Raises ValueError."""
    if not 0 <= address <= 63:
        raise ValueError(f"DALI short address {address} is not 0 to 63")
    return address << 1


def group(number: int) -> int:
    """Address byte (selector bit 0) of group 0 to 15: ``group(3) == 0x86``. Raises ValueError."""
    if not 0 <= number <= 15:
        raise ValueError(f"DALI group {number} is not 0 to 15")
    return 0x80 | number << 1


def dapc(target: int, level: int) -> int:
    """Frame of direct arc power control: ``dapc(short(5), 254) == 0x0AFE``; `level` 0 to 254, or 255 to stop a fade."""
    if not 0 <= level <= 255:
        raise ValueError(f"arc power level {level} is not 0 to 255")
    return target << 8 | level


def command(target: int, opcode: int, number: int = 0) -> Command:
    """A command to `target` (an address byte): ``command(short(0), 0x2E)`` is sent twice. `number`: scene or group."""
    if not 0 <= number <= 15:
        raise ValueError(f"scene or group {number} is not 0 to 15")
    meaning = STANDARD[opcode]
    return Command((target | 1) << 8 | opcode | number, twice=meaning.twice, answers=meaning.answers)


def special(address_byte: int, data: int = 0, *, holds_bus: bool = False) -> Command:
    """A special command with its data byte 0 to 255: ``special(DTR0, 4).frame == 0xA304``."""
    if not 0 <= data <= 255:
        raise ValueError(f"data byte {data} is not 0 to 255")
    meaning = SPECIAL[address_byte]
    return Command(address_byte << 8 | data, twice=meaning.twice, answers=meaning.answers, holds_bus=holds_bus)


def opcode_of(code: int) -> Opcode | None:
    """Meaning of a command byte, None where IEC 62386-102 gives it none (application extended commands too)."""
    meaning = STANDARD.get(code)
    if meaning is None:
        meaning = STANDARD.get(code & 0xF0)
        if meaning is not None and not meaning.numbered:
            return None
    return meaning


def is_sent_twice(frame: int) -> bool:
    """Whether gear acts on this frame only when it comes twice."""
    meaning = opcode_of(frame & 0xFF) if is_addressed(frame) else SPECIAL.get(frame >> 8)
    return bool(frame & 0x100) and meaning is not None and meaning.twice


def is_addressed(frame: int) -> bool:
    """Whether the address byte is a short address, a group or a broadcast (not a special command)."""
    return frame < 0xA000 or frame >= 0xFC00


def level_for_ppm(output_ppm: int) -> int:
    """The level whose output is nearest by ratio: ``level_for_ppm(100_000) == 170``. 0 or less is 0, above full 254."""
    if output_ppm <= 0:
        return 0
    above = min(bisect_left(OUTPUT_PPM, output_ppm), FULL)
    if above <= 1:
        return 1
    # The curve is a geometric series: the border between two levels is their geometric mean.
    return above - 1 if output_ppm * output_ppm < OUTPUT_PPM[above - 1] * OUTPUT_PPM[above] else above


def level_for_pct(output_pct: int) -> int:
    """Arc power level for whole per cent of full output, 0 to 100: ``level_for_pct(10) == 170``."""
    return level_for_ppm(output_pct * 10_000)


def describe(frame: int) -> str:
    """A forward frame in words: ``describe(0x0AFE) == "short address 5: DAPC 254 (100.0 %)"``."""
    fields = decode(frame)
    where = fields["address"] + (f" {fields['number']}" if "number" in fields else "")
    what = str(fields["command"])
    for key in ("scene_or_group", "level", "data"):
        if key in fields:
            what += f" {fields[key]}"
    if "output_pct" in fields:
        what += f" ({fields['output_pct']} %)"
    return f"{where}: {what}"


def decode(frame: int) -> dict[str, Any]:
    """A forward frame of 16 bits as a dict of what it says.

    Always there: ``frame`` (four hex digits), ``address`` ("short address", "group", "broadcast", "broadcast
    unaddressed", "special", "reserved") and ``command``; with it, where they apply, ``number``, ``level``,
    ``output_pct`` (log curve), ``scene_or_group``, ``data``, ``sent_twice``, ``answers``.
    """
    fields: dict[str, Any] = {"frame": f"{frame:04X}", **_address(frame)}
    code = frame & 0xFF
    if not is_addressed(frame):
        meaning = SPECIAL.get(frame >> 8)
        fields["command"] = meaning.name if meaning else "RESERVED"
        fields["data"] = code
    elif not frame & 0x100:
        fields["command"] = "DAPC"
        fields["level"] = code
        if code != MASK:
            fields["output_pct"] = round(OUTPUT_PPM[code] / 10_000, 1)
        return fields
    else:
        meaning = opcode_of(code)
        if meaning is None:
            fields["command"] = "APPLICATION EXTENDED" if code >= 0xE0 else "RESERVED"
            fields["data"] = code
        else:
            fields["command"] = meaning.name
            if meaning.numbered:
                fields["scene_or_group"] = code & 0x0F
    if meaning is not None:
        fields["sent_twice"], fields["answers"] = meaning.twice, meaning.answers
    return fields


def _address(frame: int) -> dict[str, Any]:
    byte = frame >> 8
    if byte < 0x80:
        return {"address": "short address", "number": byte >> 1}
    if byte < 0xA0:
        return {"address": "group", "number": byte >> 1 & 0x0F}
    if byte >= 0xFC:
        return {"address": "broadcast" if byte >= 0xFE else "broadcast unaddressed"}
    return {"address": "special" if byte in SPECIAL else "reserved"}
