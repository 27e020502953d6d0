"""Parts on a Modbus bus: a range sensor, a meter, lamps of 0-10 V, and whatever passes on such a wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drivers.errors import InputError
from drivers.interfaces import ByteLink, Device, Emit
from drivers.parts.part import Argument, Bench, Decoded, Options, Order, Part

if TYPE_CHECKING:
    from drivers.buses.modbus import ModbusBus

LIGHTS = "lights a lamp"
WRITES = "writes whatever register the bytes name, in every part that hears them"


def _modbus(data: bytes) -> Decoded:
    from drivers.codecs.modbus_monitor import decode_events

    return decode_events(data)


def _urm14(data: bytes) -> Decoded:
    from drivers.codecs.modbus_monitor import decode_events
    from drivers.codecs.urm14 import describe

    return decode_events(data, describe)


def _sdm120(data: bytes) -> Decoded:
    from drivers.codecs.modbus_monitor import decode_events
    from drivers.codecs.sdm120 import describe

    return decode_events(data, describe)


def _waveshare_ao8(data: bytes) -> Decoded:
    from drivers.codecs.modbus_monitor import decode_events
    from drivers.codecs.waveshare_ao8 import describe

    return decode_events(data, describe)


def _bus(link: ByteLink, emit: Emit, options: Options, usual_baud: int) -> ModbusBus:
    from drivers.buses.modbus import ModbusBus

    return ModbusBus("modbus", link, emit=emit, baud=options.baud or usual_baud, parity=options.parity)


def _address(options: Options, usual: int) -> int:
    address = usual if options.address is None else options.address
    if not 1 <= address <= 247:
        raise InputError(f"--address {address}: a Modbus address is 1 to 247")
    return address


def _urm14_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.codecs.urm14 import KIN
    from drivers.devices.modbus_part import PartAlone
    from drivers.devices.urm14 import Urm14

    period_ms = options.whole({"poll_ms": 500}, "kin")["poll_ms"]
    kin = options.more.get("kin", "urm14")
    if kin not in KIN:
        raise InputError(f"--set kin={kin}: none of {', '.join(KIN)}")
    bus = _bus(link, emit, options, 19_200)
    address = _address(options, KIN[kin].address)
    return PartAlone(Urm14(name, bus, address=address, kin=kin, period_ns=period_ms * 1_000_000), bus)


def _sdm120_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    from drivers.devices.modbus_part import PartAlone
    from drivers.devices.sdm120 import Sdm120

    period_ms = options.whole({"poll_ms": 1_000})["poll_ms"]
    bus = _bus(link, emit, options, 2_400)
    return PartAlone(Sdm120(name, bus, address=_address(options, 1), period_ns=period_ms * 1_000_000), bus)


def _waveshare_ao8_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    """One lamp. A status without a level is no word of the module, so nobody shall count it as one."""
    from drivers.codecs.waveshare_ao8 import Curve, Scale
    from drivers.devices.analog_lamp import AnalogLamp
    from drivers.devices.modbus_part import PartAlone
    from drivers.quantities import LampStatus, Quantity

    def known(value: Quantity) -> None:
        if not isinstance(value, LampStatus) or value.level is not None:
            emit(value)

    said = options.whole({"output": 1, "least_mv": 1_000, "full_mv": 10_000}, "variant", "curve")
    curves: dict[str, Curve] = {"log": "log", "linear": "linear"}
    curve = curves.get(options.more.get("curve", "log"))
    if curve is None:
        raise InputError(f"--set curve={options.more['curve']}: log or linear")
    bus = _bus(link, known, options, 9_600)
    try:
        lamp = AnalogLamp(
            name,
            bus,
            address=_address(options, 1),
            output=said["output"],
            variant=options.more.get("variant", "not said"),
            scale=Scale(said["least_mv"], said["full_mv"], curve),
            period_ns=500_000_000,
        )
    except ValueError as error:
        raise InputError(f"--set: {error}") from None
    return PartAlone(lamp, bus)


def _level(device: Any, numbers: tuple[int, ...], now_ns: int) -> None:
    device.part.set_level(numbers[0], now_ns)


PARTS = (
    Part(
        name="urm14",
        title="DFRobot URM14: range by ultrasound, 0.1 mm steps",
        wire="RS485, Modbus, 19200 8N1, address 12 as delivered",
        vendor="the register table of DFRobot's wiki (SEN0358); its worked frames, CRC computed",
        decode=_urm14,
        takes_anything=True,
        bench=Bench(
            bauds=(19_200, 9_600, 115_200, 57_600, 38_400, 14_400, 2_400),
            address=12,
            device=_urm14_device,
            raw_risk=WRITES,
        ),
    ),
    Part(
        name="waveshare-ao8",
        title="Waveshare Modbus RTU Analog Output 8CH (B): eight lamps of 0-10 V",
        wire="RS485, Modbus, 9600 8N1, address 1 as delivered",
        vendor="three worked frames of Waveshare's wiki, CRC computed; its page for (B) shows wrong ones as well",
        decode=_waveshare_ao8,
        takes_anything=True,
        bench=Bench(
            bauds=(9_600,),
            address=1,
            device=_waveshare_ao8_device,
            orders=(
                Order(
                    name="level",
                    about="go to this level at once, by the curve of DALI",
                    arguments=(Argument("level", 0, 254, "0 is 0 V, 254 full"),),
                    risk=LIGHTS,
                    perform=_level,
                ),
            ),
            raw_risk=LIGHTS,
        ),
    ),
    Part(
        name="sdm120",
        title="Eastron SDM120: voltage, current, power, energy",
        wire="RS485, Modbus, 2400 8N1, address 1 as delivered",
        vendor="register maps of two open drivers (sdm_modbus, ESPHome); worked frames, CRC computed",
        decode=_sdm120,
        takes_anything=True,
        bench=Bench(bauds=(2_400, 9_600, 4_800), address=1, device=_sdm120_device, patience_s=5.0, raw_risk=WRITES),
    ),
    Part(
        name="modbus",
        title="any Modbus RTU bus, both directions, for reading along",
        wire="RS485, any bit rate",
        vendor="MODBUS Application Protocol V1.1b3 and Serial Line V1.02; pymodbus 3.16 for transactions",
        recording="all 432 frames of six public recordings of two buses, every request paired with its reply",
        decode=_modbus,
    ),
)
