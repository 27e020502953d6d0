"""What a UART hears when its bit rate is not the sender's. A pseudo-terminal would hand over the bytes unharmed.

The sender's wire as bits (start, eight data bits from the lowest, parity, stop), sampled by a receiver that waits for a
falling edge and then takes the middle of each of its own bits. Whole numbers only, so every machine mishears the same.
A byte whose stop bit is 0 is handed over as it was sampled, as Linux does with a port that asks for no parity marks.
"""

from __future__ import annotations


def misheard(data: bytes, sent_baud: int, heard_baud: int, parity: str = "N") -> bytes:
    """`data`, sent without a pause at `sent_baud`, as heard at `heard_baud`: ``misheard(b"U", 9600, 9600) == b"U"``."""
    if sent_baud == heard_baud:
        return data
    bits = _bits(data, parity)
    end = len(bits) * heard_baud  # time in units of 1 / (sent_baud * heard_baud) s: a sent bit takes heard_baud of them
    heard = bytearray()
    at = 0
    while at < end:
        start = at // heard_baud
        while start < len(bits) and bits[start]:
            start += 1
        if start >= len(bits):
            break
        edge = max(at, start * heard_baud)
        byte = 0
        for number in range(8):
            byte |= _level(bits, edge + (2 * number + 3) * sent_baud // 2, heard_baud) << number
        heard.append(byte)
        at = edge + 19 * sent_baud // 2  # the middle of the stop bit; the next edge may come from there on
    return bytes(heard)


def _bits(data: bytes, parity: str) -> list[int]:
    bits: list[int] = []
    for byte in data:
        eight = [byte >> number & 1 for number in range(8)]
        bits += [0, *eight]
        if parity != "N":
            bits.append((byte.bit_count() + (parity == "O")) & 1)
        bits.append(1)
    return bits


def _level(bits: list[int], time: int, heard_baud: int) -> int:
    number = time // heard_baud
    return bits[number] if number < len(bits) else 1
