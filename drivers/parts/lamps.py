"""Lamps and their gateways."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from drivers.interfaces import ByteLink, Device, Emit
from drivers.parts.part import Argument, Bench, Decoded, Options, Order, Part

if TYPE_CHECKING:
    from drivers.buses.dali_gateways import Gateway


def _dali(data: bytes) -> Decoded:
    from drivers.codecs.atxled import decode_events

    return decode_events(data)


def _atxled(data: bytes) -> Decoded:
    from drivers.codecs.atxled import decode_lines

    return decode_lines(data)


def _luba(data: bytes) -> Decoded:
    from drivers.codecs.luba import decode_events

    return decode_events(data)


def _sci(data: bytes) -> Decoded:
    from drivers.codecs.sci import decode_events

    return decode_events(data)


def _atxled_gateway() -> Gateway:
    from drivers.buses.dali_gateways import AtxLedGateway

    return AtxLedGateway()


def _luba_gateway() -> Gateway:
    from drivers.buses.dali_gateways import LubaGateway

    return LubaGateway()


def _sci_gateway() -> Gateway:
    from drivers.buses.dali_gateways import SciGateway

    return SciGateway()


def _lamp_behind(gateway: Callable[[], Gateway]) -> Callable[[str, ByteLink, Emit, Options], Device]:
    def lamp(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
        from drivers.devices.lone_lamp import LoneDaliLamp

        return LoneDaliLamp(name, link, emit, gateway(), options.address or 0)

    return lamp


def _level(lamp: Any, numbers: tuple[int, ...], now_ns: int) -> None:
    lamp.set_level(numbers[0], now_ns)


def _off(lamp: Any, numbers: tuple[int, ...], now_ns: int) -> None:
    lamp.set_level(0, now_ns)


def _query_level(lamp: Any, numbers: tuple[int, ...], now_ns: int) -> None:
    lamp.take_over(now_ns)


def _status(lamp: Any, numbers: tuple[int, ...], now_ns: int) -> None:
    lamp.check(now_ns)


def _identify(lamp: Any, numbers: tuple[int, ...], now_ns: int) -> None:
    lamp.identify(now_ns)


def _energy(lamp: Any, numbers: tuple[int, ...], now_ns: int) -> None:
    lamp.power(now_ns)


_ORDERS = (
    Order(
        name="level",
        about="go to an arc power level: 0 off, 85 1 %, 170 10 %, 254 full",
        arguments=(Argument("level", 0, 254, "arc power level, logarithmic"),),
        risk="lights a lamp",
        perform=_level,
    ),
    Order(name="off", about="go dark", risk="darkens a lamp", perform=_off),
    Order(name="query-level", about="ask which level it shows", perform=_query_level),
    Order(name="status", about="ask whether gear and lamp are well", perform=_status),
    Order(name="identify", about="blink for some ten seconds", risk="lights a lamp", perform=_identify),
    Order(name="energy", about="ask D4i gear for its energy and power (bank 202)", perform=_energy),
)


def _bench(baud: int, gateway: Callable[[], Gateway]) -> Bench:
    """`--address` is the lamp's short address."""
    return Bench(
        bauds=(baud,), address=0, device=_lamp_behind(gateway), orders=_ORDERS, raw_risk="lights or darkens lamps"
    )


PARTS = (
    Part(
        name="dali",
        title="DALI gear behind an ATX-LED gateway, or bare 16 bit forward frames",
        wire="UART 19200 8N1, ASCII lines",
        vendor="none of the gateway was found; python-dali 0.16, both directions",
        decode=_dali,
        takes_anything=True,
    ),
    Part(
        name="atxled",
        title="DALI lamp behind an ATX-LED DALI HAT",
        wire="UART 19200 8N1, ASCII lines",
        vendor="none was found; python-dali 0.16, both directions",
        decode=_atxled,
        bench=_bench(19_200, _atxled_gateway),
    ),
    Part(
        name="luba",
        title="DALI lamp behind a Lunatone RS232 LUBA",
        wire="UART 38400 8N1, RS232 levels",
        vendor="the paper was not at hand; python-dali 0.16, both directions",
        decode=_luba,
        bench=_bench(38_400, _luba_gateway),
    ),
    Part(
        name="sci",
        title="DALI lamp behind a Lunatone SCI RS232",
        wire="UART 38400 8N1, RS232 levels",
        vendor="the paper was not at hand; python-dali 0.16, both directions",
        decode=_sci,
        bench=_bench(38_400, _sci_gateway),
    ),
)
