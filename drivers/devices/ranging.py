"""Ultrasonic sensors on a serial wire, with a name: Range out, and a word when they fall silent or freeze.

What a sensor says is one of four things: a distance, nothing in range (Range with None), a distance that it cannot
measure, or that another sensor disturbs it. The last two are counted, give no value, and prove nothing: where only such
come, DeviceHealth says "no reading" after `stale_ns`, as if none came.
"""

from __future__ import annotations

from typing import Any

from drivers.codecs.a02yyuw import INTERFERENCE, TRIGGER, A02yyuwStream
from drivers.codecs.echo import corrected_mm, speed_of_sound_um_s
from drivers.codecs.mb7389 import NEAREST_MM, NO_TARGET_MM, Mb7389Stream
from drivers.devices.listener import Listener, Stream
from drivers.errors import LinkLost
from drivers.interfaces import ByteLink, Emit
from drivers.quantities import Range
from drivers.units import FOREVER_NS

STALE_NS = 2_000_000_000
FROZEN_NS = 3_600_000_000_000
"""Before a parked car a reading trembles by a millimetre, and follows the air through the day."""


class _SerialRanging(Listener):
    """What the two have in common: limits, air, values."""

    def __init__(
        self,
        name: str,
        stream: Stream,
        emit: Emit,
        min_mm: int,
        reference_mdegc: int | None,
        stale_ns: int,
        frozen_ns: int,
    ) -> None:
        super().__init__(name, stream, emit, stale_ns, "no reading", frozen_ns=frozen_ns)
        if reference_mdegc is not None:
            speed_of_sound_um_s(reference_mdegc)
        self.implausible = 0
        self._min_mm, self._reference_mdegc = min_mm, reference_mdegc
        self._air_mdegc: int | None = None

    def set_air(self, air_mdegc: int | None) -> None:
        """The air is at `air_mdegc` from now on, e.g. -10,000; None: not known, so nothing is put right.

        Only where the part has a `reference_mdegc`. Raises ValueError outside -60 to 125 degC.
        """
        if air_mdegc is not None:
            speed_of_sound_um_s(air_mdegc)
        self._air_mdegc = air_mdegc

    def _measured(self, reported_mm: int, t_ns: int, *, may_stand: bool = False) -> None:
        if reported_mm < self._min_mm:
            self.implausible += 1
            return
        self._heard(t_ns, None if may_stand else reported_mm)
        if self._reference_mdegc is not None and self._air_mdegc is not None:
            reported_mm = corrected_mm(reported_mm, self._reference_mdegc, self._air_mdegc)
        self._emit(Range(t_ns, self.name, reported_mm))

    def _nothing(self, t_ns: int) -> None:
        self._heard(t_ns)
        self._emit(Range(t_ns, self.name, None))

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {**super().counters(), "implausible": self.implausible}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {**super().snapshot(), "air_mdegc": self._air_mdegc}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._air_mdegc = state["air_mdegc"]


class A02yyuw(_SerialRanging):
    """An A02YYUW, A01NYUB, JSN-SR04T or AJ-SR04M on a wire of its own. A Range for every reading, ten a second.

    A distance beyond `max_mm` is nothing in range: an A02YYUW under an open sky says 5500 mm, or 0. But 0 is also what
    it says when mud covers it, so 0 is, like all below `min_mm`, no reading.

    Args:
        name: the device's name, the `source` of its values.
        link: the wire.
        emit: where values go.
        min_mm, max_mm: what the part measures: A02YYUW 30 to 4500, A01NYUB 280 to 7500, JSN-SR04T 250 to 4500.
        header_in_sum: False for an AJ-SR04M.
        trigger_ns: ask for a reading this often (a JSN-SR04T that measures on demand; 60 ms at least); 0: it sends.
        reference_mdegc: the air that the part takes for granted, e.g. 20,000; None where it measures that itself.
        stale_ns: how long without a reading is too long.
        frozen_ns: how long one and the same distance is too long; 0: it may stand for ever.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        emit: Emit,
        *,
        min_mm: int = 30,
        max_mm: int = 4_500,
        header_in_sum: bool = True,
        trigger_ns: int = 0,
        reference_mdegc: int | None = None,
        stale_ns: int = STALE_NS,
        frozen_ns: int = FROZEN_NS,
    ) -> None:
        self.stream = A02yyuwStream(header_in_sum=header_in_sum)
        super().__init__(name, self.stream, emit, min_mm, reference_mdegc, stale_ns, frozen_ns)
        self.interference = self.link_losses = 0
        self._link, self._max_mm, self._trigger_ns = link, max_mm, trigger_ns
        self._ask_ns = 0 if trigger_ns else FOREVER_NS
        link.receiver = self.on_bytes

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes came; values leave at once."""
        for reading in self.stream.feed(data):
            distance_mm = reading.distance_mm
            if reading == INTERFERENCE:
                self.interference += 1
            elif distance_mm is None or distance_mm > self._max_mm:
                self._nothing(t_ns)
            else:
                self._measured(distance_mm, t_ns)

    def _due_ns(self) -> int:
        return min(super()._due_ns(), self._ask_ns)

    def advance(self, now_ns: int) -> None:
        """Ask when it is time; notice silence, and a value that stands still."""
        if now_ns >= self._ask_ns:
            self._ask_ns = now_ns + self._trigger_ns
            try:
                self._link.write(TRIGGER, now_ns)
            except LinkLost:
                self.link_losses += 1  # it will be silent
        super().advance(now_ns)

    def counters(self) -> dict[str, int]:
        """What has been counted since the start."""
        return {**super().counters(), "interference": self.interference, "link_losses": self.link_losses}

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        return {**super().snapshot(), "ask_ns": self._ask_ns}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        super().restore(state)
        self._ask_ns = state["ask_ns"]


class Mb7389(_SerialRanging):
    """A MaxBotix HRXL or XL on a wire of its own. A Range for every reading, six or seven a second.

    It measures the air's temperature itself. `nearest_mm` means "that or nearer", and may stand for hours; so may whole
    centimetres.

    Args:
        name: the device's name, the `source` of its values.
        link: the wire.
        emit: where values go.
        nearest_mm: what it says of anything nearer: 300, some parts 500, XL parts 200. Less is no reading.
        no_target_mm: what it says when nothing is in range: 5000, parts for 10 m 9999, XL parts 7650.
        centimetres: an XL part: three digits of centimetres.
        reference_mdegc: the air that the part takes for granted, where it has no thermometer.
        stale_ns: how long without a reading is too long.
        frozen_ns: how long one and the same distance is too long; 0: it may stand for ever.
    """

    def __init__(
        self,
        name: str,
        link: ByteLink,
        emit: Emit,
        *,
        nearest_mm: int = NEAREST_MM,
        no_target_mm: int = NO_TARGET_MM,
        centimetres: bool = False,
        reference_mdegc: int | None = None,
        stale_ns: int = STALE_NS,
        frozen_ns: int = FROZEN_NS,
    ) -> None:
        self.stream = Mb7389Stream(centimetres=centimetres)
        super().__init__(name, self.stream, emit, nearest_mm, reference_mdegc, stale_ns, frozen_ns)
        self._no_target_mm, self._coarse = no_target_mm, centimetres
        link.receiver = self.on_bytes

    def on_bytes(self, data: bytes, t_ns: int) -> None:
        """Bytes came; values leave at once."""
        for reading in self.stream.feed(data):
            distance_mm = reading.distance_mm
            if distance_mm >= self._no_target_mm:
                self._nothing(t_ns)
            else:
                self._measured(distance_mm, t_ns, may_stand=self._coarse or distance_mm == self._min_mm)
