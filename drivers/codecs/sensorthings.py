"""Observations of OGC SensorThings 1.1 over MQTT, as Hamburg publishes the states of its traffic signals.

One observation a message (a chunk, see drivers.topics); topic and payload::

    v1.1/Datastreams(<id>)/Observations
    {"phenomenonTime": "2026-11-28T16:42:03.1Z", "resultTime": "2026-11-28T16:42:03.4Z", "result": 3}

Times are ISO 8601 with Z or an offset; of an interval ``begin/end`` the begin counts. `resultTime` may be missing or
null. `result` is a whole number in the layers of signals; in primary_signal it is the state: 0 dark, 1 red, 2 amber,
3 green, 4 red-amber, 5 flashing amber, 6 flashing green. There are no remaining times. Further members are passed over.

A heap of observations (a file, `mosquitto_sub -v`) is read a line each: topic, one blank, payload.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from drivers.codecs.spat import SpatError
from drivers.topics import join_topic, split_topic

MAX_OBSERVATION_BYTES = 4096
"""Longer ones are refused; real ones have 150 bytes."""

MAX_DATASTREAM = 2**53

STATES = (1, 3, 7, 6, 4, 9, 6)
"""MovementPhaseState of primary_signal 0 to 6. A flashing green is a green: it can be passed."""

_RESULTS = {1: 0, 3: 1, 7: 2, 8: 2, 6: 3, 5: 3, 4: 4, 9: 5}
_TOPIC = re.compile(r"(?:[^\x00]*/)?Datastreams\((\d{1,16})\)/Observations", re.ASCII)
_STAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?:([Zz])|([+-])(\d\d):?(\d\d))", re.ASCII
)
_MS_PER_MINUTE = 60_000
_MS_PER_DAY = 86_400_000


class _Body(msgspec.Struct):
    phenomenonTime: str  # noqa: N815 - the standard's names
    result: Any
    resultTime: str | None = None  # noqa: N815


class Observation(msgspec.Struct, frozen=True, gc=False):
    """One observation: `utc_ms` (phenomenonTime) and `result_utc_ms` since 1970, the latter None where absent.
    `result` is None where it was no whole number.

    Example: ``Observation(7001, 1_795_884_123_100, 1_795_884_123_400, 3)``, green since 16:42:03.1.
    """

    datastream: int
    utc_ms: int
    result_utc_ms: int | None
    result: int | None


_decoder = msgspec.json.Decoder(_Body)


def decode_observation(chunk: bytes) -> Observation:
    """The observation of one chunk. Raises SpatError: too long, another topic, no JSON, no time."""
    if len(chunk) > MAX_OBSERVATION_BYTES:
        raise SpatError(f"longer than {MAX_OBSERVATION_BYTES} bytes")
    topic, payload = split_topic(chunk)
    named = _TOPIC.fullmatch(topic)
    if named is None:
        raise SpatError("no topic Datastreams(<id>)/Observations")
    datastream = int(named[1])
    if datastream > MAX_DATASTREAM:
        raise SpatError(f"a datastream above {MAX_DATASTREAM}")
    try:
        body = _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise SpatError("no JSON object with phenomenonTime and result") from None
    result = body.result
    if isinstance(result, float) and result.is_integer():
        result = int(result)
    if isinstance(result, bool) or not isinstance(result, int) or abs(result) > MAX_DATASTREAM:
        result = None
    stamp = utc_ms_of(body.phenomenonTime.partition("/")[0])
    if stamp is None:
        raise SpatError("a phenomenonTime that is no ISO 8601 time with its zone")
    told = None if body.resultTime is None else utc_ms_of(body.resultTime)
    return Observation(datastream, stamp, told, result)


def encode_observation(observation: Observation, prefix: str = "v1.1/") -> bytes:
    """The far end's side: one chunk, topic and payload."""
    return join_topic(observation_topic(observation.datastream, prefix), encode_body(observation))


def observation_topic(datastream: int, prefix: str = "v1.1/") -> str:
    """Where a datastream is published, e.g. ``"v1.1/Datastreams(7001)/Observations"``."""
    return f"{prefix}Datastreams({datastream})/Observations"


def encode_body(observation: Observation) -> bytes:
    """The payload alone, for a publisher on a real broker."""
    told = observation.result_utc_ms
    return msgspec.json.encode(
        {
            "phenomenonTime": iso_time(observation.utc_ms),
            "resultTime": None if told is None else iso_time(told),
            "result": observation.result,
        }
    )


def state_of(result: int | None) -> int | None:
    """MovementPhaseState of a primary_signal, e.g. 3 (red) for 1; None for a result that the layer does not have."""
    return STATES[result] if result is not None and 0 <= result < len(STATES) else None


def result_of(state: int) -> int | None:
    """primary_signal for a MovementPhaseState, e.g. 1 for 3 (red); None for one that the layer cannot say."""
    return _RESULTS.get(state)


def utc_ms_of(text: str) -> int | None:
    """Milliseconds since 1970 of an ISO 8601 time with its zone; None for any other text. A second 60 is the next 0.

    Example: ``utc_ms_of("1970-01-01T01:00:01.5+01:00") == 1500``.
    """
    found = _STAMP.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    if not (1970 <= year <= 9998 and 1 <= month <= 12 and 1 <= day <= _days_in(year, month)):
        return None
    if hour > 23 or minute > 59 or second > 60:
        return None
    ms = int((found[7] or "0").ljust(3, "0")[:3])
    ahead_min = 0
    if found[9]:
        if int(found[10]) > 14 or int(found[11]) > 59:
            return None
        ahead_min = (int(found[10]) * 60 + int(found[11])) * (1 if found[9] == "+" else -1)
    minutes = (_days(year, month, day) * 24 + hour) * 60 + minute - ahead_min
    return minutes * _MS_PER_MINUTE + second * 1000 + ms


def iso_time(utc_ms: int) -> str:
    """``"2026-11-28T16:42:03.100Z"``."""
    days, ms = divmod(utc_ms, _MS_PER_DAY)
    year, first = _year(days)
    day, month = days - first, 1
    while day >= _days_in(year, month):
        day, month = day - _days_in(year, month), month + 1
    clock = f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"
    return f"{year:04d}-{month:02d}-{day + 1:02d}T{clock}Z"


def ms_of_year(utc_ms: int) -> int:
    """Milliseconds since the UTC year began, as SignalState.message_ms has it."""
    days, ms = divmod(utc_ms, _MS_PER_DAY)
    return (days - _year(days)[1]) * _MS_PER_DAY + ms


def _year(days: int) -> tuple[int, int]:
    """(year, its first day) of a day since 1970."""
    year = 1970 + days // 366
    while (following := _days(year + 1, 1, 1)) <= days:
        year += 1
    return year, min(following, _days(year, 1, 1))


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01, in the calendar of today."""
    years = year - 1
    leaps = years // 4 - years // 100 + years // 400 - 477
    return (year - 1970) * 365 + leaps + sum(_days_in(year, m) for m in range(1, month)) + day - 1


def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def decode_events(data: bytes) -> tuple[list[dict[str, object]], int]:
    """For the command line: JSON-able observations of a heap, and how many bytes led to none."""
    events: list[dict[str, object]] = []
    skipped = 0
    for line in data.split(b"\n"):
        text = line.strip(b"\r")
        chunk = text if b"\0" in text else text.replace(b" ", b"\0", 1)
        if not text:
            continue
        try:
            seen = decode_observation(chunk)
        except SpatError:
            skipped += len(line)
            continue
        events.append({"type": "observation", **msgspec.to_builtins(seen), "state": state_of(seen.result)})
    return events, skipped
