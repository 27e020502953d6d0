"""Leezenflow's own weather sensor with a name: Climate and PowerReading out, and a word when it cannot measure."""

from __future__ import annotations

from typing import Any

from drivers.codecs.leezenflow_sensor import LeezenflowSensorStream, Reading
from drivers.devices.listener import Listener
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import Climate, PowerReading
from drivers.units import NS_PER_MS

FAILED = "SHT30 does not answer"
"""The reason in DeviceHealth when the sensor has sent its `0,0`."""

GAP_NS = 500 * NS_PER_MS
"""A line takes 3 ms. What came longer ago is the half of one that was cut (unplugged, restarted)."""


class LeezenflowSensor(Listener):
    """The sensor on its USB port.

    Emits Climate and PowerReading (the voltage) for every line; of a line with a failed read only the voltage, and
    DeviceHealth not ok until the next sound one. A reading that no SHT30 or QMP6988 can give is counted
    (`implausible`) and proves nothing: where only such come, DeviceHealth says "no reading" after `stale_ns`.

    Args:
        name: the device's name, the `source` of its values.
        link: the wire.
        emit: where values go.
        stale_ns: silence that is too long; it sends a line every two seconds.
        frozen_ns: how long one and the same line is too long: pressure and voltage tremble. 0: for ever.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        emit: Emit,
        *,
        stale_ns: int = 10_000_000_000,
        frozen_ns: int = 1_800_000_000_000,
    ) -> None:
        self.stream = LeezenflowSensorStream()
        super().__init__(name, self.stream, emit, stale_ns, "no reading", frozen_ns=frozen_ns)
        self.failed_reads = 0
        self.implausible = 0
        self._chunk_ns = 0
        link.receiver = self.on_bytes

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes came; values leave at once."""
        if t_ns - self._chunk_ns > GAP_NS:
            self.stream.finish()
        self._chunk_ns = t_ns
        for reading in self.stream.feed(data):
            self._read(reading, t_ns)

    def _read(self, reading: Reading, t_ns: int) -> None:
        power = PowerReading(t_ns, self.name, voltage_mv=reading.voltage_mv)
        if reading.failed:
            self.failed_reads += 1
            self._faulty(t_ns, FAILED)
            self._emit(power)
        elif reading.plausible:
            decidegc, pct, pa = reading.temperature_decidegc, reading.humidity_pct, reading.pressure_pa
            self._heard(t_ns, (decidegc, pct, pa, reading.voltage_mv))
            self._emit(power)
            self._emit(Climate(t_ns, self.name, 100 * decidegc, 10 * pct, pa))
        else:
            self.implausible += 1

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {**super().counters(), "failed_reads": self.failed_reads, "implausible": self.implausible}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {**super().snapshot(), "chunk_ns": self._chunk_ns}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._chunk_ns = state["chunk_ns"]
