"""Signal phase and timing (SPAT): what a signal controller says of itself, whatever the message is written in.

Sources: ETSI TS 103 301 (SPATEM), ISO/TS 19091 and SAE J2735 (data elements). A message names its own time by minute of
the UTC year (0 to 527040, 527040 invalid) and milliseconds in that minute (0 to 60999, from 60000 in a leap second).
A TimeMark counts tenths of a second in the *current or next* UTC hour: 0 to 35999; 36000 more than an hour away,
36001 undefined. A mark that lies at most ten minutes back is taken as past, every other one as still to come.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from drivers.quantities import SignalPhase, SignalState

SPATEM_ID = 4
"""messageID of a SPATEM in its ItsPduHeader."""

MAX_MESSAGE_BYTES = 256 * 1024
"""Longer messages are dropped. The longest real one is 33 kB."""

INVALID_MINUTE = 527_040
LAST_MS_IN_MINUTE = 60_999
FIRST_MARK_WITHOUT_TIME = 36_000

_MS_PER_MINUTE = 60_000
_MS_PER_HOUR = 3_600_000
_LATE_MS = 600_000

PHASE_STATES = (
    "unavailable",
    "dark",
    "stop-Then-Proceed",
    "stop-And-Remain",
    "pre-Movement",
    "permissive-Movement-Allowed",
    "protected-Movement-Allowed",
    "permissive-clearance",
    "protected-clearance",
    "caution-Conflicting-Traffic",
)
"""MovementPhaseState 0 to 9: 3 is red, 4 red-amber, 5 and 6 green, 7 and 8 amber, 9 flashing amber."""

STATUS_BITS = (
    "manualControlIsEnabled",
    "stopTimeIsActivated",
    "failureFlash",
    "preemptIsActive",
    "signalPriorityIsActive",
    "fixedTimeOperation",
    "trafficDependentOperation",
    "standbyOperation",
    "failureMode",
    "off",
    "recentMAPmessageUpdate",
    "recentChangeInMAPassignedLanesIDsUsed",
    "noValidMAPisAvailableAtThisTime",
    "noValidSPATisAvailableAtThisTime",
)
"""IntersectionStatusObject: bit n of the standard, kept at ``1 << n``."""

CONFIDENCE_PCT = (21, 36, 47, 56, 62, 68, 73, 77, 81, 85, 88, 91, 94, 96, 98, 100)
"""TimeIntervalConfidence 0 to 15, in per cent."""


_KINDS = (
    ("oversize", ("longer than",)),
    ("unknown_state", ("eventState",)),
    ("out_of_range", ("signalGroup", "confidence", "a TimeMark", "status bit", "a number above", "a datastream above")),
    (
        "missing_field",
        ("no ItsPduHeader", "no SPAT/", "no status", "neither", "a MovementState w", "a MovementEvent w"),
    ),
    ("no_time", ("a phenomenonTime",)),
)


class SpatError(ValueError):
    """Bytes that are no SPAT message. `offset`: the byte where reading stopped, None where no one byte is to blame."""

    def __init__(self, reason: str, offset: int | None = None) -> None:
        super().__init__(reason if offset is None else f"{reason} (byte {offset})")
        self.reason, self.offset = reason, offset

    @property
    def kind(self) -> str:
        """Under which name it is counted: oversize, unknown_state, out_of_range, missing_field or malformed."""
        for kind, beginnings in _KINDS:
            if self.reason.startswith(beginnings):
                return kind
        return "malformed"


class DocumentTypeRefused(SpatError):  # noqa: N818 - errors are facts
    """A document type declaration: no controller sends one, and its entities may grow without bound."""

    kind = "document_type"


class OtherMessage(SpatError):  # noqa: N818
    """A sound message of another type (MAPEM is 5). `message_id` says which."""

    def __init__(self, message_id: int) -> None:
        super().__init__(f"message type {message_id}, not SPAT")
        self.message_id = message_id


class OtherStation(SpatError):  # noqa: N818
    """A sound SPAT message of another signal controller. `station` says whose."""

    def __init__(self, station: int) -> None:
        super().__init__(f"message of station {station}")
        self.station = station


class Phase(msgspec.Struct, frozen=True, gc=False):
    """One MovementEvent: `state` 0 to 9, raw TimeMarks and confidence 0 to 15, None where absent.

    Example: ``Phase(3, 33100, 33210, 33110, 13)``, red until about 55 min 11 s past the hour.
    """

    state: int
    min_end_mark: int | None = None
    max_end_mark: int | None = None
    likely_mark: int | None = None
    confidence: int | None = None


class Movement(msgspec.Struct, frozen=True, gc=False):
    """One signal group 0 to 255 and its coming phases, the running one first."""

    group: int
    phases: tuple[Phase, ...]


class Intersection(msgspec.Struct, frozen=True, gc=False):
    """One IntersectionState. `status` as in STATUS_BITS; `minute_of_year` falls back to SPAT.timeStamp."""

    station: int
    revision: int | None
    status: int
    minute_of_year: int | None
    timestamp_ms: int | None
    groups: tuple[Movement, ...]


def message_ms(minute_of_year: int | None, timestamp_ms: int | None) -> int | None:
    """The controller's clock, milliseconds since the UTC year began; None where the message has no valid time.

    Example: ``message_ms(360534, 58718) == 21632098718``.
    """
    if minute_of_year is None or timestamp_ms is None:
        return None
    if not 0 <= minute_of_year < INVALID_MINUTE or not 0 <= timestamp_ms <= LAST_MS_IN_MINUTE:
        return None
    return minute_of_year * _MS_PER_MINUTE + timestamp_ms


def remaining_ms(mark: int | None, minute_of_year: int | None, timestamp_ms: int | None) -> int | None:
    """Milliseconds from the message's time to `mark`, -600000 to 2999999; None where either is missing or undefined.

    Example: ``remaining_ms(50, 59, 50_000) == 15_000``: the mark is 5 s past the next hour.
    """
    return _until(mark, message_ms(minute_of_year, timestamp_ms))


def _until(mark: int | None, now_ms: int | None) -> int | None:
    if mark is None or now_ms is None or mark >= FIRST_MARK_WITHOUT_TIME:
        return None
    return (mark * 100 - now_ms + _LATE_MS) % _MS_PER_HOUR - _LATE_MS


def to_signal_states(intersection: Intersection, t_ns: int, source: str) -> list[SignalState]:
    """The message as values, one a signal group in the message's order. `t_ns`: when it came, `source`: the device."""
    now_ms = message_ms(intersection.minute_of_year, intersection.timestamp_ms)
    station, status = intersection.station, intersection.status
    return [
        SignalState(
            t_ns, source, station, movement.group, status, now_ms, tuple([_phase(p, now_ms) for p in movement.phases])
        )
        for movement in intersection.groups
    ]


def _phase(phase: Phase, now_ms: int | None) -> SignalPhase:
    confidence = phase.confidence
    return SignalPhase(
        phase.state,
        _until(phase.min_end_mark, now_ms),
        _until(phase.max_end_mark, now_ms),
        _until(phase.likely_mark, now_ms),
        None if confidence is None else CONFIDENCE_PCT[confidence],
    )


def status_mask(names: Iterable[str]) -> int:
    """Names of STATUS_BITS to a mask, e.g. ``status_mask(["failureFlash"]) == 4``. Raises KeyError for other names."""
    mask = 0
    for name in names:
        if name not in STATUS_BITS:
            raise KeyError(name)
        mask |= 1 << STATUS_BITS.index(name)
    return mask
