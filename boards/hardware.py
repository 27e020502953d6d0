"""The real wire behind each kind in a board file. Nothing is opened here: links open when the loop first asks them.

So a missing adapter stops nothing else. What a kind needs is imported when a board has such a wire.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

from boards.pins import PWM_CHANNELS, device_path, wire_pins
from boards.schema import BoardDescription
from boards.wires import GpioWire, I2cWire, MatrixWire, MemoryWire, MqttWire, PwmWire, UartWire, UdpWire, Wire
from drivers.errors import InputError
from drivers.interfaces import ByteLink
from drivers.links.memory import memory_pair

LinkFor = Callable[[str, Wire], ByteLink]
"""Gives the link of a wire: (name, what the file says of it)."""

ANY_BAUD = 115_200
"""For a URL, which has no bit rate of its own."""


def hardware(description: BoardDescription) -> LinkFor:
    """The real wires of a board."""
    return lambda name, wire: hardware_link(name, wire, description)


def hardware_link(name: str, wire: Wire, description: BoardDescription) -> ByteLink:
    """The real wire `name`: a port, a bus, lines, a broker, datagrams; nothing behind a `frame-buffer` matrix.

    Raises InputError for a wire that needs a rig at its far end.
    """
    return _link(wire, name, description)


def port_of(wire: UartWire, name: str, model: str) -> str:
    """The device or URL of a serial wire, e.g. ``"/dev/ttyAMA3"``, ``"/dev/leeze/radar-1"``."""
    if wire.port is not None:
        return wire.port
    return f"/dev/leeze/{name}" if wire.usb is not None else device_path(model, wire.uart or "")


@singledispatch
def _link(wire: Wire, name: str, description: BoardDescription) -> ByteLink:
    raise AssertionError(f"no such kind of wire: {wire}")


@_link.register
def _memory(wire: MemoryWire, name: str, description: BoardDescription) -> ByteLink:
    place = f"{description.name}: $.wires.{name}"
    raise InputError(f"{place}: a memory wire needs the rig; run this board with `leeze-hil sim`")


@_link.register
def _matrix(wire: MatrixWire, name: str, description: BoardDescription) -> ByteLink:
    if wire.driver != "frame-buffer":
        from drivers.panels.link import PanelLink

        socket = wire.socket or f"/run/leeze/{description.name}.panel"
        size = f"--width {wire.width_px} --height {wire.height_px} --mapping {wire.mapping}"
        return PanelLink(name, socket, f"leeze-drivers panel --driver {wire.driver} {size} --socket {socket}")
    return memory_pair(name)[0]


@_link.register
def _uart(wire: UartWire, name: str, description: BoardDescription) -> ByteLink:
    from drivers.links.uart import UartLink

    return UartLink(name, port_of(wire, name, description.model), wire.baud or ANY_BAUD, parity=wire.parity)


@_link.register
def _i2c(wire: I2cWire, name: str, description: BoardDescription) -> ByteLink:
    from drivers.links.i2c import I2cLink

    return I2cLink(name, f"/dev/i2c-{wire.bus}")


@_link.register
def _gpio(wire: GpioWire, name: str, description: BoardDescription) -> ByteLink:
    from drivers.links.gpio import GpioLink
    from drivers.links.line_pins import GpioLine

    lines = [GpioLine(pin.gpio, pin.out, pin.pull, pin.initial) for pin in wire_pins(description, name)]
    return GpioLink(name, lines, driver=wire.driver, factory=wire.factory)


@_link.register
def _pwm(wire: PwmWire, name: str, description: BoardDescription) -> ByteLink:
    from drivers.links.kernel_pwm import KernelPwmLink

    channels = PWM_CHANNELS[description.model]
    return KernelPwmLink(name, [channels[pin.gpio].channel for pin in wire_pins(description, name)])


@_link.register
def _mqtt(wire: MqttWire, name: str, description: BoardDescription) -> ByteLink:
    from drivers.links.mqtt import MqttLink
    from drivers.links.mqtt_connection import MqttSettings, Will

    will = wire.will
    settings = MqttSettings(
        qos=wire.qos,
        retain=wire.retain,
        client_id=wire.client_id or "",
        user=wire.user,
        password_file=wire.password_file,
        tls=wire.tls,
        ca_file=wire.ca_file,
        cert_file=wire.cert_file,
        key_file=wire.key_file,
        will=None
        if will is None
        else Will(topic=will.topic, payload=will.payload.encode(), qos=will.qos, retain=will.retain),
        protocol=wire.protocol,
        clean_session=wire.clean_session,
        keepalive_s=wire.keepalive_s,
        max_payload_b=wire.max_payload_bytes,
        take_retained=wire.take_retained,
        topics=wire.topics,
    )
    return MqttLink(name, wire.host, wire.port, wire.subscribe, wire.publish, settings)


@_link.register
def _udp(wire: UdpWire, name: str, description: BoardDescription) -> ByteLink:
    from drivers.links.udp import UdpLink

    return UdpLink(
        name, wire.host, wire.port, wire.group, wire.interface, wire.sender, max_datagram_b=wire.max_datagram_bytes
    )
