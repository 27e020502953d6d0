"""DALI in tables: dimming curve, fade times, opcodes. Written out, so that every machine has the same numbers.

Source: IEC 62386-102:2014: table 15 (commands), table 16 (special commands), clause 9.3 (logarithmic dimming curve),
clause 9.5 (fade time); as python-dali 0.16 has them, compared with it and with exact integer arithmetic in the tests.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Opcode(msgspec.Struct, frozen=True, gc=False):
    """What a command byte means: ``Opcode("SET FADE TIME", twice=True)``.

    `twice`: acts only when sent twice within 100 ms. `answers`: gear sends a backward frame. `numbered`: the low four
    bits of the byte are a scene or group.
    """

    name: str
    twice: bool = False
    answers: bool = False
    numbered: bool = False


# 10 ** ((level - 1) * 3 / 253 - 1) percent, in millionths of full output, rounded.
# fmt: off
OUTPUT_PPM: Final = (
    0, 1000, 1028, 1056, 1085, 1115, 1146, 1178, 1211, 1244, 1279, 1314, 1350, 1388, 1426, 1466, 1506, 1548, 1591,
    1635, 1680, 1726, 1774, 1823, 1874, 1926, 1979, 2034, 2090, 2148, 2207, 2268, 2331, 2396, 2462, 2530, 2600, 2672,
    2746, 2822, 2900, 2981, 3063, 3148, 3235, 3325, 3417, 3511, 3608, 3708, 3811, 3916, 4025, 4136, 4251, 4368, 4489,
    4614, 4741, 4872, 5007, 5146, 5288, 5435, 5585, 5740, 5899, 6062, 6230, 6402, 6579, 6761, 6949, 7141, 7339, 7542,
    7750, 7965, 8185, 8412, 8645, 8884, 9130, 9383, 9643, 9909, 10184, 10466, 10755, 11053, 11359, 11673, 11996,
    12328, 12670, 13020, 13381, 13751, 14132, 14523, 14925, 15338, 15763, 16199, 16647, 17108, 17582, 18068, 18568,
    19082, 19611, 20153, 20711, 21284, 21874, 22479, 23101, 23741, 24398, 25073, 25767, 26480, 27213, 27967, 28741,
    29536, 30354, 31194, 32057, 32945, 33857, 34794, 35757, 36747, 37764, 38809, 39883, 40987, 42122, 43288, 44486,
    45717, 46983, 48283, 49619, 50993, 52404, 53855, 55346, 56878, 58452, 60070, 61732, 63441, 65197, 67002, 68856,
    70762, 72721, 74734, 76803, 78928, 81113, 83358, 85666, 88037, 90474, 92978, 95551, 98196, 100914, 103708, 106578,
    109528, 112560, 115675, 118877, 122168, 125549, 129024, 132596, 136266, 140038, 143914, 147897, 151991, 156198,
    160522, 164965, 169531, 174223, 179046, 184002, 189095, 194329, 199708, 205236, 210917, 216755, 222754, 228920,
    235256, 241768, 248460, 255338, 262405, 269668, 277133, 284804, 292687, 300788, 309114, 317670, 326463, 335499,
    344786, 354329, 364137, 374216, 384574, 395219, 406159, 417401, 428954, 440828, 453029, 465569, 478456, 491699,
    505309, 519296, 533670, 548442, 563622, 579223, 595256, 611732, 628665, 646066, 663948, 682326, 701213, 720622,
    740568, 761067, 782133, 803782, 826030, 848895, 872392, 896539, 921355, 946857, 973066, 1000000,
)
# fmt: on
"""Light output of arc power level 0 to 254 in parts per million of full, log curve: OUTPUT_PPM[170] = 100914."""

FADE_TIME_NS: Final = (
    0,
    707_106_781,
    1_000_000_000,
    1_414_213_562,
    2_000_000_000,
    2_828_427_125,
    4_000_000_000,
    5_656_854_249,
    8_000_000_000,
    11_313_708_499,
    16_000_000_000,
    22_627_416_998,
    32_000_000_000,
    45_254_833_996,
    64_000_000_000,
    90_509_667_992,
)
"""Fade time code 0 to 15 to nanoseconds: 0.5 s * sqrt(2 ** code); code 0 is no fade. FADE_TIME_NS[4] = 2 s."""

STANDARD: Final = {
    0x00: Opcode("OFF"),
    0x01: Opcode("UP"),
    0x02: Opcode("DOWN"),
    0x03: Opcode("STEP UP"),
    0x04: Opcode("STEP DOWN"),
    0x05: Opcode("RECALL MAX LEVEL"),
    0x06: Opcode("RECALL MIN LEVEL"),
    0x07: Opcode("STEP DOWN AND OFF"),
    0x08: Opcode("ON AND STEP UP"),
    0x09: Opcode("ENABLE DAPC SEQUENCE"),
    0x0A: Opcode("GO TO LAST ACTIVE LEVEL"),
    0x0B: Opcode("CONTINUOUS UP"),
    0x0C: Opcode("CONTINUOUS DOWN"),
    0x10: Opcode("GO TO SCENE", numbered=True),
    0x20: Opcode("RESET", twice=True),
    0x21: Opcode("STORE ACTUAL LEVEL IN DTR0", twice=True),
    0x22: Opcode("SAVE PERSISTENT VARIABLES", twice=True),
    0x23: Opcode("SET OPERATING MODE", twice=True),
    0x24: Opcode("RESET MEMORY BANK", twice=True),
    0x25: Opcode("IDENTIFY DEVICE", twice=True),
    0x2A: Opcode("SET MAX LEVEL", twice=True),
    0x2B: Opcode("SET MIN LEVEL", twice=True),
    0x2C: Opcode("SET SYSTEM FAILURE LEVEL", twice=True),
    0x2D: Opcode("SET POWER ON LEVEL", twice=True),
    0x2E: Opcode("SET FADE TIME", twice=True),
    0x2F: Opcode("SET FADE RATE", twice=True),
    0x30: Opcode("SET EXTENDED FADE TIME", twice=True),
    0x40: Opcode("SET SCENE", twice=True, numbered=True),
    0x50: Opcode("REMOVE FROM SCENE", twice=True, numbered=True),
    0x60: Opcode("ADD TO GROUP", twice=True, numbered=True),
    0x70: Opcode("REMOVE FROM GROUP", twice=True, numbered=True),
    0x80: Opcode("SET SHORT ADDRESS", twice=True),
    0x81: Opcode("ENABLE WRITE MEMORY", twice=True),
    0x90: Opcode("QUERY STATUS", answers=True),
    0x91: Opcode("QUERY CONTROL GEAR PRESENT", answers=True),
    0x92: Opcode("QUERY LAMP FAILURE", answers=True),
    0x93: Opcode("QUERY LAMP POWER ON", answers=True),
    0x94: Opcode("QUERY LIMIT ERROR", answers=True),
    0x95: Opcode("QUERY RESET STATE", answers=True),
    0x96: Opcode("QUERY MISSING SHORT ADDRESS", answers=True),
    0x97: Opcode("QUERY VERSION NUMBER", answers=True),
    0x98: Opcode("QUERY CONTENT DTR0", answers=True),
    0x99: Opcode("QUERY DEVICE TYPE", answers=True),
    0x9A: Opcode("QUERY PHYSICAL MINIMUM", answers=True),
    0x9B: Opcode("QUERY POWER FAILURE", answers=True),
    0x9C: Opcode("QUERY CONTENT DTR1", answers=True),
    0x9D: Opcode("QUERY CONTENT DTR2", answers=True),
    0x9E: Opcode("QUERY OPERATING MODE", answers=True),
    0x9F: Opcode("QUERY LIGHT SOURCE TYPE", answers=True),
    0xA0: Opcode("QUERY ACTUAL LEVEL", answers=True),
    0xA1: Opcode("QUERY MAX LEVEL", answers=True),
    0xA2: Opcode("QUERY MIN LEVEL", answers=True),
    0xA3: Opcode("QUERY POWER ON LEVEL", answers=True),
    0xA4: Opcode("QUERY SYSTEM FAILURE LEVEL", answers=True),
    0xA5: Opcode("QUERY FADE TIME FADE RATE", answers=True),
    0xA6: Opcode("QUERY MANUFACTURER SPECIFIC MODE", answers=True),
    0xA7: Opcode("QUERY NEXT DEVICE TYPE", answers=True),
    0xA8: Opcode("QUERY EXTENDED FADE TIME", answers=True),
    0xAA: Opcode("QUERY CONTROL GEAR FAILURE", answers=True),
    0xB0: Opcode("QUERY SCENE LEVEL", answers=True, numbered=True),
    0xC0: Opcode("QUERY GROUPS ZERO TO SEVEN", answers=True),
    0xC1: Opcode("QUERY GROUPS EIGHT TO FIFTEEN", answers=True),
    0xC2: Opcode("QUERY RANDOM ADDRESS H", answers=True),
    0xC3: Opcode("QUERY RANDOM ADDRESS M", answers=True),
    0xC4: Opcode("QUERY RANDOM ADDRESS L", answers=True),
    0xC5: Opcode("READ MEMORY LOCATION", answers=True),
}
"""Command byte to meaning; of a numbered one the first of its sixteen."""

SPECIAL: Final = {
    0xA1: Opcode("TERMINATE"),
    0xA3: Opcode("DTR0"),
    0xA5: Opcode("INITIALISE", twice=True),
    0xA7: Opcode("RANDOMISE", twice=True),
    0xA9: Opcode("COMPARE", answers=True),
    0xAB: Opcode("WITHDRAW"),
    0xAD: Opcode("PING"),
    0xB1: Opcode("SEARCHADDRH"),
    0xB3: Opcode("SEARCHADDRM"),
    0xB5: Opcode("SEARCHADDRL"),
    0xB7: Opcode("PROGRAM SHORT ADDRESS"),
    0xB9: Opcode("VERIFY SHORT ADDRESS", answers=True),
    0xBB: Opcode("QUERY SHORT ADDRESS", answers=True),
    0xC1: Opcode("ENABLE DEVICE TYPE"),
    0xC3: Opcode("DTR1"),
    0xC5: Opcode("DTR2"),
    0xC7: Opcode("WRITE MEMORY LOCATION", answers=True),
    0xC9: Opcode("WRITE MEMORY LOCATION NO REPLY"),
}
"""Address byte of a special command (heard by all gear) to meaning; the second byte is its data."""
