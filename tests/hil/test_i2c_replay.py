"""What was recorded of an I2C wire is played back into the same devices: the same requests, the same values."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.buses.i2c import I2cBus
from drivers.codecs.pca9685 import prescale_for
from drivers.devices.bme280 import Bme280
from drivers.devices.dac_lamp import PCA9685, LampChip
from drivers.devices.ina226 import Ina226
from drivers.links.memory import MemoryLink, memory_pair
from drivers.links.tap import Tap
from drivers.quantities import Climate, LampStatus, PowerReading, Quantity
from drivers.recording.events import WireBytes
from drivers.units import NS_PER_MS, NS_PER_S
from hil.peers.i2c_chips import I2cChips
from hil.peers.i2c_models import Bme280Model, Ina226Model, Pca9685Model
from hil.peers.playback import Playback

UNTIL_MS = 9_000


class Kept:
    """A sink that keeps what passed as events of a trace."""

    def __init__(self) -> None:
        self.events: list[WireBytes] = []

    def passed(self, wire: int, outward: bool, data: bytes, t_ns: int) -> None:
        self.events.append(WireBytes(t_ns, "mast", "i2c", outward, data))

    def repeated(self, wire: int, frame: bytes, first_ns: int, last_ns: int, count: int) -> None:
        raise AssertionError


def played(near: MemoryLink, peer: Any) -> tuple[list[WireBytes], list[Quantity]]:
    """A mast with weather, a meter and a lamp that goes up and down."""
    kept, heard = Kept(), []
    bus = I2cBus("i2c", Tap(near, 0, kept), emit=heard.append)
    chip = LampChip("i2c/0x41", bus, PCA9685, address=0x41, setting=prescale_for(1000))
    lamp = chip.lamp(3, "lamp")
    devices = [Bme280("mast", bus, period_ns=NS_PER_S), Ina226("supply", bus), chip, bus]
    for now_ms in range(UNTIL_MS):
        now = now_ms * NS_PER_MS
        while peer.wake_ns <= now:
            peer.run(peer.wake_ns)
        if now_ms % 130 == 50:
            lamp.set_level(now_ms * 7 % 255, now)
        for device in devices:
            if device.wake_ns <= now:
                device.advance(now)
    return kept.events, heard


@pytest.mark.parametrize(
    "faults",
    [{}, {"absent": {0x76: ((2 * NS_PER_S, 4 * NS_PER_S),)}}, {"stuck": ((3 * NS_PER_S, 5 * NS_PER_S),)}],
    ids=["well", "absent", "stuck"],
)
def test_a_recorded_wire_is_played_back_byte_for_byte(faults: dict[str, Any]) -> None:
    near, far = memory_pair("i2c")
    chips = {0x76: Bme280Model(trembles=True), 0x40: Ina226Model(12_000_000, 40_000_000), 0x41: Pca9685Model()}
    recorded, heard = played(near, I2cChips("mast/i2c", far, chips, paced=True, **faults))
    assert {Climate, PowerReading, LampStatus} <= {type(value) for value in heard}
    near, far = memory_pair("i2c")
    again, heard_again = played(near, Playback("trace", {"mast/i2c": far}, recorded))
    assert again == recorded
    assert heard_again == heard
