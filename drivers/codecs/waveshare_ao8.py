"""Waveshare Modbus RTU Analog Output 8CH (B), eight outputs of 0 to 10 V: registers of Modbus functions 3, 6 and 16.

::

    0000 to 0007   output 1 to 8 in mV, 0 to 10000             9600 baud, 8N1, address 1 as delivered

There are two parts of this name. The one with (B) gives volts; the one without gives 0 to 20 mA, and the same register
in it is microamperes: 5000 is half of full on the one and a quarter on the other, and no register was found that tells
them apart. So the variant is said by whoever wires it, and every other is refused.

The wiki page of (B) prints example frames of function 4 and of register 1000, which set no output; the table and the
page of the other part agree on function 6 and registers 0 to 7. For 10 V out the supply must have 15 V.

Verified: the worked frames of 1, 5 and 10 V, checked by computing their CRC.
Example: ``01 06 00 00 13 88 84 9C`` sets output 1 to 5 V.

How a lamp reads the voltage (IEC 60929, Annex E, as far as known here without the paper): its light goes with the
voltage, 10 V is full, and at 1 V it is at its least. Below 1 V it stays there and does not go out: off needs a relay in
its supply. Some lamps sold as 0-10 V do go out; their `least_mv` is what their maker says.
"""

from __future__ import annotations

from typing import Final, Literal

from drivers.codecs.dali_tables import OUTPUT_PPM
from drivers.codecs.modbus_rtu import Transaction, read, write
from drivers.errors import InputError

OUTPUTS: Final = 8
MAX_MV: Final = 10_000
FACTORY_ADDRESS: Final = 1
FULL: Final = 254

Curve = Literal["log", "linear"]


def check_variant(variant: str) -> None:
    """Raises InputError for every part but the (B)."""
    if variant.strip("()").upper() != "B":
        raise InputError(
            f'variant "{variant}": only Waveshare\'s Analog Output 8CH (B) gives 0 to 10 V; the one without (B) gives '
            '0 to 20 mA and no light that can be foretold. If the label says (B): variant = "B"'
        )


def set_output(address: int, output: int, mv: int) -> Transaction:
    """Set output 1 to 8: ``set_output(1, 1, 5000)``. Raises ValueError: no such output, not 0 to 10000 mV."""
    if not 0 <= mv <= MAX_MV:
        raise ValueError(f"{mv} mV is not 0 to {MAX_MV}")
    return write(address, register(output), mv)


def read_output(address: int, output: int) -> Transaction:
    """What an output is set to. Raises ValueError: no such output."""
    return read(address, register(output))


def register(output: int) -> int:
    """Register of output 1 to 8. Raises ValueError."""
    if not 1 <= output <= OUTPUTS:
        raise ValueError(f"output {output} is not 1 to {OUTPUTS}")
    return output - 1


def describe(start: int, registers: tuple[int, ...]) -> dict[str, object]:
    """Registers by name: ``describe(0, (5000,)) == {"output_1_mv": 5000}``."""
    return {f"output_{number + 1}_mv": mv for number, mv in enumerate(registers, start) if number < OUTPUTS}


class Scale:
    """Arc power level 0 to 254 to millivolts.

    Level 0 is 0 mV (least light, or off behind a relay, see above). Every other is as much of `full_mv` as its light is
    of full, by DALI's logarithmic curve (``log``) or in equal steps (``linear``, level / 254), and no less than
    `least_mv`; rounded to the nearest millivolt, halves up. Example: ``Scale().mv[170] == 1009``, a tenth of full.

    Raises ValueError: not 0 <= `least_mv` < `full_mv` <= 10000.
    """

    def __init__(self, least_mv: int = 1_000, full_mv: int = MAX_MV, curve: Curve = "log") -> None:
        if not 0 <= least_mv < full_mv <= MAX_MV:
            raise ValueError(f"least {least_mv} mV and full {full_mv} mV: 0 <= least < full <= {MAX_MV}")
        if curve == "log":
            rest = [(full_mv * ppm + 500_000) // 1_000_000 for ppm in OUTPUT_PPM[1:]]
        else:
            rest = [(2 * full_mv * level + FULL) // (2 * FULL) for level in range(1, FULL + 1)]
        self.mv: Final = (0, *(max(least_mv, mv) for mv in rest))
        """By level."""

    def level(self, mv: int) -> int:
        """What a lamp shows whose output somebody else set: the highest level that needs no more than `mv`."""
        return sum(there <= mv for there in self.mv) - 1
