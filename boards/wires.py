"""The wires a board file can name, by `kind`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from boards.keys import Baud, Gpio, Parity, Pixels, Table

MatrixDriver = Literal["rgbmatrix", "piomatter", "emulator", "frame-buffer"]
MatrixMapping = Literal["adafruit-hat", "adafruit-hat-pwm", "regular"]
GpioDriver = Literal["gpiozero", "rpi-gpio"]
PinFactory = Literal["lgpio", "rpigpio", "pigpio", "native", "mock", "leeze"]
Qos = Literal[0, 1, 2]
MQTT_MOST_BYTES = 268_435_455
"""The longest rest of a packet that its length field can say (OASIS, MQTT 5.0, 1.5.5)."""


class UsbAdapter(Table, frozen=True, kw_only=True):
    """Which USB adapter a wire means, so that `leeze-boards udev` can give it a name that stays.

    Exactly one of `serial` (its serial number, which ``udevadm info`` prints as ID_SERIAL_SHORT) and `path` (the USB
    socket it sits in, e.g. ``"1-1.3"``: for adapters without a number of their own).
    """

    serial: str | None = None
    path: str | None = None


class UartWire(Table, frozen=True, kw_only=True, tag="uart", tag_field="kind"):
    """A serial wire, 8 data bits and 1 stop bit. Exactly one of `uart`, `port` and `usb` says where it is.

    `uart` is a UART of the header (``"uart3"``), checked against the model's pins. `port` is a device path
    (``"/dev/ttyUSB0"``) or a pyserial URL (``"socket://127.0.0.1:7001"``, ``"loop://"``), and uses no pins. `usb` names
    an adapter, whose port is then ``/dev/leeze/WIRE``. `baud` is bit/s, and is left out for a URL that has none
    (``socket://``, ``loop://``). `tx_gpio` and `rx_gpio` may be written down beside `uart`, for whoever wires; they are
    checked.
    """

    baud: Baud | None = None
    uart: str | None = None
    port: str | None = None
    usb: UsbAdapter | None = None
    parity: Parity = "N"
    tx_gpio: Gpio | None = None
    rx_gpio: Gpio | None = None


class MemoryWire(Table, frozen=True, tag="memory", tag_field="kind"):
    """A wire inside the process, whose far end the rig holds. Only on boards marked ``bench = true``."""


class MatrixWire(Table, frozen=True, kw_only=True, tag="matrix", tag_field="kind"):
    """An RGB LED matrix, e.g. 96 x 32. `mapping` names the adapter board on the header and so the pins it takes.

    `driver`: ``rgbmatrix`` (hzeller's library), ``piomatter`` (Raspberry Pi 5), ``emulator`` (a window or page on a
    laptop), ``frame-buffer`` (the picture in memory only). The last two use no pins. All but the last are driven by a
    process of their own (``leeze-drivers panel``) behind the unix socket `socket`: ``/run/leeze/BOARD.panel`` where it
    is left out.
    """

    width_px: Pixels
    height_px: Pixels
    driver: MatrixDriver
    mapping: MatrixMapping = "adafruit-hat"
    socket: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] | None = None


class I2cWire(Table, frozen=True, kw_only=True, tag="i2c", tag_field="kind"):
    """An I2C bus of Linux: `bus` 1 is ``/dev/i2c-1``, GPIO2 (SDA) and GPIO3 (SCL) of the header."""

    bus: Annotated[int, msgspec.Meta(ge=0, le=63, description="n of /dev/i2c-n")] = 1
    clock_hz: Annotated[int, msgspec.Meta(ge=10_000, le=1_000_000)] = 100_000


class GpioWire(Table, frozen=True, kw_only=True, tag="gpio", tag_field="kind"):
    """Single lines of the header; which ones, its devices say. The driver is named, never guessed.

    `driver` ``gpiozero`` uses the pin factory `factory`; ``rpi-gpio`` uses RPi.GPIO directly (not on a Raspberry Pi 5).
    """

    driver: GpioDriver = "gpiozero"
    factory: PinFactory = "lgpio"


class PwmWire(Table, frozen=True, kw_only=True, tag="pwm", tag_field="kind"):
    """The PWM outputs of the kernel, without flicker: GPIO12, 13, 18 and 19 of the header."""


class Will(Table, frozen=True, kw_only=True):
    """What the broker says for us when we vanish."""

    topic: str
    payload: str
    qos: Qos = 1
    retain: bool = True


class MqttWire(Table, frozen=True, kw_only=True, tag="mqtt", tag_field="kind"):
    """A broker: what comes on the topics of `subscribe` comes in, what is written goes out on `publish`.

    With `tls`, `ca_file` is the authority that signed the broker's certificate (the system's authorities where it is
    left out), `cert_file` and `key_file` our own certificate. The password stands in `password_file`, never here.

    `protocol` is MQTT's version. Without `clean_session` the broker keeps what comes while we are away, for the
    `client_id`, which is needed then. After `keepalive_s` without a word from the broker the connection counts as lost.
    Larger messages than `max_payload_bytes` are counted and dropped, both ways. `take_retained` also hears what the
    broker has kept from before, of any age; it is dropped and counted otherwise. With `topics` each payload is handed
    over with the topic it came on, and the coming and going of the connection as well (drivers.topics).
    """

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 1883
    subscribe: tuple[str, ...] = ()
    publish: str | None = None
    qos: Qos = 0
    retain: bool = False
    client_id: str | None = None
    user: str | None = None
    password_file: str | None = None
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    will: Will | None = None
    protocol: Literal["5", "3.1.1"] = "5"
    clean_session: bool = True
    keepalive_s: Annotated[int, msgspec.Meta(ge=1, le=65_535, description="0 would mean never; it is not taken")] = 30
    max_payload_bytes: Annotated[int, msgspec.Meta(ge=1, le=MQTT_MOST_BYTES)] = 65_536
    take_retained: bool = False
    topics: bool = False


class UdpWire(Table, frozen=True, kw_only=True, tag="udp", tag_field="kind"):
    """Datagrams that come to `port`; the wire only hears. Addresses are in numbers.

    `host` is our address to hear at (default: every one of IPv4; ``"::"`` is every one of IPv6). `group` is an IPv4
    multicast group to join, `interface` our address on its network, `sender` the only one whose datagrams are taken.
    Longer ones than `max_datagram_bytes` are counted and dropped.
    """

    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)]
    host: str = "0.0.0.0"  # noqa: S104 - a feed comes from another computer
    group: str | None = None
    interface: str | None = None
    sender: str | None = None
    max_datagram_bytes: Annotated[int, msgspec.Meta(ge=1, le=65_507, description="UDP over IPv4 holds no more")] = 8192


Wire = UartWire | MemoryWire | MatrixWire | I2cWire | GpioWire | PwmWire | MqttWire | UdpWire
