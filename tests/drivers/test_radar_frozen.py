"""An LD2451 that repeats the very same targets does not measure."""

from __future__ import annotations

import json

from drivers.codecs.ld2451 import IDLE_FRAME, Target, encode_report
from drivers.devices.radar import Ld2451Radar
from drivers.links.memory import MemoryLink, memory_pair
from drivers.quantities import DeviceHealth, Quantity, RadarReport
from drivers.units import NS_PER_S

ONE = encode_report([Target(-5, 13, True, 3, 123)])
OTHER = encode_report([Target(-5, 13, True, 3, 124)])


def radar(frozen_ns: int = 60 * NS_PER_S) -> tuple[Ld2451Radar, MemoryLink, list[Quantity]]:
    near, far = memory_pair("radar-1")
    emitted: list[Quantity] = []
    return Ld2451Radar("radar-1", near, emitted.append, frozen_ns=frozen_ns), far, emitted


def test_the_same_targets_for_a_minute_are_a_frozen_radar_and_other_ones_end_it() -> None:
    device, far, emitted = radar()
    for second in range(70):
        far.write(ONE, second * NS_PER_S)
        device.advance(second * NS_PER_S)
    health = [value for value in emitted if isinstance(value, DeviceHealth)]
    assert health == [DeviceHealth(60 * NS_PER_S, "radar-1", False, "frozen value")]
    assert len([value for value in emitted if isinstance(value, RadarReport)]) == 70
    far.write(IDLE_FRAME, 70 * NS_PER_S)
    assert emitted[-2:] == [DeviceHealth(70 * NS_PER_S, "radar-1", True), RadarReport(70 * NS_PER_S, "radar-1", ())]


def test_a_strength_that_trembles_is_no_frozen_radar() -> None:
    device, far, emitted = radar()
    for second in range(300):
        far.write(OTHER if second % 50 == 49 else ONE, second * NS_PER_S)
        device.advance(second * NS_PER_S)
    assert not [value for value in emitted if isinstance(value, DeviceHealth)]


def test_nobody_in_view_may_last_for_ever_also_when_told_in_bulk() -> None:
    device, far, emitted = radar()
    for minute in range(60):
        far.repeat(IDLE_FRAME, minute * 60 * NS_PER_S, (minute * 60 + 59) * NS_PER_S, 60)
        device.advance((minute * 60 + 59) * NS_PER_S)
    assert emitted == []


def test_a_watch_that_is_switched_off_sees_nothing() -> None:
    device, far, emitted = radar(frozen_ns=0)
    for second in range(300):
        far.write(ONE, second * NS_PER_S)
        far.repeat(IDLE_FRAME, second * NS_PER_S, second * NS_PER_S, 1)
        device.advance(second * NS_PER_S)
    assert not [value for value in emitted if isinstance(value, DeviceHealth)]


def test_a_restored_radar_goes_on_watching() -> None:
    device, far, _ = radar()
    for second in range(40):
        far.write(ONE, second * NS_PER_S)
    other, other_far, emitted = radar()
    other.restore(json.loads(json.dumps(device.snapshot())))
    for second in range(40, 62):
        other_far.write(ONE, second * NS_PER_S)
        other.advance(second * NS_PER_S)
    assert DeviceHealth(60 * NS_PER_S, "radar-1", False, "frozen value") in emitted
