"""Modbus RTU, the master's side of one transaction: a request as bytes, and the reply to it found in what came back.

Frame (MODBUS over Serial Line V1.02, 2.5.1; functions: MODBUS Application Protocol V1.1b3, chapter 6)::

    address u8 | function u8 | data ... | CRC u16, low byte first

    01 02 03 04   read coils, discrete inputs, holding registers, input registers: start u16, count u16
                  reply: bytes u8, then bits (lowest first) or registers (u16, high byte first)
    05 06         write one coil (FF00 on, 0000 off), one register: start, value; the reply is the request again
    0F 10         write coils, registers: start, count, bytes u8, values; reply: start, count
    function|80   exception: code u8, see EXCEPTIONS

Address 0 is broadcast: writes only, nobody answers. Frames are kept apart by 3.5 characters of silence.

Frames are built and parsed by pymodbus (`FramerRTU`, without I/O), which is imported here, late, and nowhere else. Its
framer is for a reply that stands alone: after one byte of rubbish it mostly drops the good frame behind it, or waits
for the length that the rubbish claims. So the reply's place is found here, and the framer is given that piece alone.

Verified: the worked frames of DFRobot's URM14, of an SDM120 and of Waveshare's analog output; 432 recorded frames.
Example: ``0C 03 00 05 00 01 95 16`` reads one register of device 12; ``0C 03 02 30 39 41 97`` answers 12345.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from drivers.errors import BadFrame, DriverError, NoReply
from drivers.units import NS_PER_S

if TYPE_CHECKING:
    from pymodbus.framer import FramerRTU
    from pymodbus.pdu import ModbusPDU

READ_COILS, READ_DISCRETE_INPUTS, READ_HOLDING_REGISTERS, READ_INPUT_REGISTERS = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16
BROADCAST: Final = 0
MAX_ADDRESS: Final = 247
MAX_FRAME_BYTES: Final = 256
EXCEPTION_BYTES: Final = 5
REFUSED: Final = 0x80
"""Added to the function in an exception."""

FUNCTIONS: Final = {
    READ_COILS: "read coils",
    READ_DISCRETE_INPUTS: "read discrete inputs",
    READ_HOLDING_REGISTERS: "read holding registers",
    READ_INPUT_REGISTERS: "read input registers",
    WRITE_COIL: "write one coil",
    WRITE_REGISTER: "write one register",
    WRITE_COILS: "write coils",
    WRITE_REGISTERS: "write registers",
}

EXCEPTIONS: Final = {
    1: "illegal function: the device does not know it",
    2: "illegal data address: the device has no such register",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledged, but it will take long",
    6: "device busy",
    7: "negative acknowledgement",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target does not answer",
}
"""Exception codes in words (MODBUS Application Protocol V1.1b3, chapter 7; 7 from its predecessors)."""

_MOST: Final = {1: 2000, 2: 2000, 3: 125, 4: 125, 5: 1, 6: 1, 15: 1968, 16: 123}


class ExceptionReply(DriverError):  # noqa: N818 - errors are facts
    """The device understood and refused; `code` is one of EXCEPTIONS."""

    def __init__(self, device: str, t_ns: int, detail: str, raw: bytes, code: int) -> None:
        super().__init__(device, t_ns, detail, raw)
        self.code = code


class Incomplete(BadFrame):
    """The reply began and did not end: half a frame, then silence."""


class Transaction(msgspec.Struct, frozen=True, gc=False):
    """One question to one device. Made by `read`, `write`, `write_many`, `write_coil`, `write_coils`.

    `values` is what is written (0 or 1 for a coil), empty for a read. Example: ``Transaction(12, 3, 5, 1)``.
    Raises ValueError: what Modbus has no frame for.
    """

    address: int
    function: int
    start: int
    count: int
    values: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        most = _MOST.get(self.function)
        if most is None:
            raise ValueError(f"function {self.function} is none of {', '.join(map(str, _MOST))}")
        if not BROADCAST <= self.address <= MAX_ADDRESS or (self.address == BROADCAST and not self.writes):
            raise ValueError(f"address {self.address} is not 1 to {MAX_ADDRESS} (0, broadcast, is for writes)")
        if not 1 <= self.count <= most or not 0 <= self.start <= 0x10000 - self.count:
            raise ValueError(f"{self.count} from {self.start}: {self.name} takes 1 to {most} within 0 to 65535")
        if len(self.values) != (self.count if self.writes else 0):
            raise ValueError(f"{len(self.values)} values for {self.name} of {self.count}")
        top = 1 if self.function in (WRITE_COIL, WRITE_COILS) else 0xFFFF
        if self.values and not 0 <= min(self.values) <= max(self.values) <= top:
            raise ValueError(f"{self.name} takes values 0 to {top}, got {self.values}")

    @property
    def writes(self) -> bool:
        """True where it changes something in the device."""
        return self.function > READ_INPUT_REGISTERS

    @property
    def name(self) -> str:
        """Its function in words."""
        return FUNCTIONS[self.function]

    @property
    def reply_bytes(self) -> int:
        """How long the reply is if it is no exception; 0 for broadcast. An exception has EXCEPTION_BYTES."""
        if self.address == BROADCAST:
            return 0
        if self.writes:
            return 8
        return 5 + (2 * self.count if self.function >= READ_HOLDING_REGISTERS else (self.count + 7) // 8)

    def snapshot(self) -> list[Any]:
        """As JSON-able values."""
        return [self.address, self.function, self.start, self.count, list(self.values)]

    @classmethod
    def restored(cls, state: list[Any]) -> Transaction:
        """From its snapshot."""
        address, function, start, count, values = state
        return cls(address, function, start, count, tuple(values))


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What came of a transaction: `values` (empty after a write), or None and the `reason`.

    `exception` is the code where the device refused; `heard` is False where not one byte came.
    """

    values: tuple[int, ...] | None
    reason: str = ""
    exception: int = 0
    heard: bool = True


def read(address: int, start: int, count: int = 1, function: int = READ_HOLDING_REGISTERS) -> Transaction:
    """Read `count` registers, or bits by function 1 and 2: ``read(12, 5)`` is a URM14's distance."""
    return Transaction(address, function, start, count)


def write(address: int, register: int, value: int) -> Transaction:
    """Write one register, 0 to 65535: ``write(1, 0, 5000)``."""
    return Transaction(address, WRITE_REGISTER, register, 1, (value,))


def write_many(address: int, start: int, values: tuple[int, ...]) -> Transaction:
    """Write registers that follow one another."""
    return Transaction(address, WRITE_REGISTERS, start, len(values), values)


def write_coil(address: int, coil: int, on: bool) -> Transaction:
    """Switch one coil."""
    return Transaction(address, WRITE_COIL, coil, 1, (int(on),))


def write_coils(address: int, start: int, values: tuple[int, ...]) -> Transaction:
    """Switch coils that follow one another, 0 or 1 each."""
    return Transaction(address, WRITE_COILS, start, len(values), values)


def encode_request(asked: Transaction) -> bytes:
    """The request's frame, e.g. ``encode_request(read(12, 5)).hex() == "0c03000500019516"``."""
    return _framer().buildFrame(_request_pdu(asked))


def prepare() -> None:
    """Load pymodbus now, which takes about 0.1 s, and not in the middle of the first transaction."""
    encode_request(read(1, 0))


def find_reply(asked: Transaction, data: bytes, known: int = 0) -> Answer | None:
    """The reply to `asked` anywhere in `data`; None while there is none. Never raises.

    The first `known` bytes have been searched before: only what ends behind them is tried. Sound frames of others, and
    acknowledgements of something else, are passed over.
    """
    for function, size in ((asked.function, asked.reply_bytes), (asked.function | REFUSED, EXCEPTION_BYTES)):
        head = bytes((asked.address, function))
        start = data.find(head, max(0, known - size + 1))
        while 0 <= start <= len(data) - size:
            answer = _accepted(asked, data[start : start + size])
            if answer is not None:
                return answer
            start = data.find(head, start + 1)
    return None


def is_damaged(asked: Transaction, data: bytes) -> bool:
    """True where `data`, in which `find_reply` found nothing, begins with a whole reply: no use to wait for more."""
    if data[:1] != asked.address.to_bytes():
        return False
    function = data[1:2]
    return (function == asked.function.to_bytes() and len(data) >= asked.reply_bytes) or (
        function == (asked.function | REFUSED).to_bytes() and len(data) >= EXCEPTION_BYTES
    )


def parse_reply(asked: Transaction, data: bytes, device: str = "modbus", t_ns: int = 0) -> tuple[int, ...]:
    """Values of a read (bits as 0 and 1), () after a write. `device` and `t_ns` are for errors.

    Raises ExceptionReply; NoReply for no bytes; Incomplete; BadFrame: wrong address or function, bad CRC, rubbish.
    """
    answer = find_reply(asked, data)
    if answer is None:
        raise failure(asked, data, device, t_ns)
    if answer.values is None:
        raise ExceptionReply(device, t_ns, answer.reason, data, answer.exception)
    return answer.values


def failure(asked: Transaction, data: bytes, device: str, t_ns: int) -> DriverError:
    """Why `data`, in which `find_reply` found nothing, answers nothing."""
    if not data:
        return NoReply(device, t_ns, "no reply; is it powered, is its address right, are A and B swapped?")
    said, whole = FUNCTIONS.get(data[1] & 0x7F if len(data) > 1 else 0), False
    if data.startswith(encode_request(asked)):
        return BadFrame(device, t_ns, "only our own request came back; switch the adapter's echo off", data)
    if len(data) >= 4:
        whole = _crc_fits(data)
    if whole and data[0] != asked.address:
        return BadFrame(device, t_ns, f"device {data[0]} answered in place of {asked.address}", data)
    if whole and data[1] & 0x7F != asked.function:
        return BadFrame(device, t_ns, f"answered {said or f'function {data[1]}'} in place of {asked.name}", data)
    if whole:
        return BadFrame(device, t_ns, "answered something else than was asked", data)
    if is_damaged(asked, data):
        return BadFrame(device, t_ns, "bad checksum; two devices with one address, or noise on the line?", data)
    if data[0] == asked.address and (len(data) == 1 or data[1] & 0x7F == asked.function):
        return Incomplete(device, t_ns, f"{len(data)} of {asked.reply_bytes} bytes of the reply, then silence", data)
    return BadFrame(device, t_ns, "bytes that are no reply; is the bit rate right?", data)


def character_bits(parity: str) -> int:
    """Bits of a character on the line: start, eight, one stop, and a parity bit unless `parity` is "N"."""
    return 10 if parity == "N" else 11


def wire_ns(count: int, baud: int, parity: str) -> int:
    """How long `count` bytes take on the line, rounded up: 8 bytes at 9600 8N1 take 8.33 ms."""
    return -(-count * character_bits(parity) * NS_PER_S // baud)


def silence_ns(baud: int, parity: str) -> int:
    """The least silence between frames: 3.5 characters, 1.75 ms above 19200 baud (Serial Line V1.02, 2.5.1.1)."""
    if baud > 19_200:
        return 1_750_000
    return -(-7 * character_bits(parity) * NS_PER_S // (2 * baud))


@cache
def _framer() -> FramerRTU:
    from pymodbus.framer import FramerRTU
    from pymodbus.pdu import DecodePDU

    return FramerRTU(DecodePDU(False))


def _request_pdu(asked: Transaction) -> ModbusPDU:
    from pymodbus.pdu import bit_message as bits
    from pymodbus.pdu import register_message as registers

    device, start, count = asked.address, asked.start, asked.count
    on = [bool(value) for value in asked.values]
    words = list(asked.values)
    match asked.function:
        case 1:
            return bits.ReadCoilsRequest(dev_id=device, address=start, count=count)
        case 2:
            return bits.ReadDiscreteInputsRequest(dev_id=device, address=start, count=count)
        case 3:
            return registers.ReadHoldingRegistersRequest(dev_id=device, address=start, count=count)
        case 4:
            return registers.ReadInputRegistersRequest(dev_id=device, address=start, count=count)
        case 5:
            return bits.WriteSingleCoilRequest(dev_id=device, address=start, bits=on)
        case 6:
            return registers.WriteSingleRegisterRequest(dev_id=device, address=start, registers=words)
        case 15:
            return bits.WriteMultipleCoilsRequest(dev_id=device, address=start, bits=on)
        case _:
            return registers.WriteMultipleRegistersRequest(dev_id=device, address=start, registers=words)


def _accepted(asked: Transaction, piece: bytes) -> Answer | None:
    """What a piece of the reply's size, with its head, says; None where it is damaged or answers something else."""
    from pymodbus.exceptions import ModbusException

    if not asked.writes and piece[1] == asked.function and piece[2] != len(piece) - 5:
        return None
    try:
        _, pdu = _framer().handleFrame(piece, 0, 0)
    except ModbusException:  # nothing is known that raises here; a bus outlives what is not known
        return None
    if pdu is None:
        return None
    if piece[1] & REFUSED:
        code = pdu.exception_code
        return Answer(None, f"exception {code}, {EXCEPTIONS.get(code, 'of its own')}", code)
    if asked.writes:
        wanted = asked.values[0] * 0xFF00 if asked.function == WRITE_COIL else asked.values[0]
        confirmed = wanted if asked.function < WRITE_COILS else asked.count
        return Answer(()) if piece[2:6] == asked.start.to_bytes(2) + confirmed.to_bytes(2) else None
    if asked.function >= READ_HOLDING_REGISTERS:
        return Answer(tuple(pdu.registers))
    return Answer(tuple(int(bit) for bit in pdu.bits[: asked.count]))


def _crc_fits(data: bytes) -> bool:
    from pymodbus.framer import FramerRTU

    return FramerRTU.check_CRC(data[:-2], int.from_bytes(data[-2:]))
