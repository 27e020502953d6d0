"""SPATEM XML to the SignalState of one group, beside xml.etree reading the same fields from the same bytes.

Both read the same 200 messages in the same run, in turns; every message has other numbers, as on a real feed. The
message is Münster's where the recordings are at hand, else one of the same shape and size made by our encoder.
``python -m tests.benchmarks.bench_spat_xml``
"""

from __future__ import annotations

import gc
import os
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from xml.etree import ElementTree

from drivers.codecs import spat_xml_message
from drivers.codecs.spat import Intersection, Movement, Phase, message_ms, remaining_ms, to_signal_states
from drivers.codecs.spat_xml import SpatXmlDecoder, SpatXmlEncoder

GROUP = 4
MESSAGES = 200
ROUNDS = 9
NEEDED_RATIO = 2.5


def source() -> tuple[str, bytes]:
    """A message and where it is from."""
    folder = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
    real = folder / "spat-muenster" / "lsa-4070.xml"
    if real.exists():
        return "real message of Münster's LSA 4070", real.read_bytes()
    phases = (Phase(3, 33100, 33210, 33110, 13), Phase(4, 33120, 33120, 33120, 15)) * 2
    groups = tuple(Movement(group, phases) for group in range(1, 19))
    return "message made here", SpatXmlEncoder().encode(Intersection(4070, 1, 64, 360_534, 58_718, groups))


def series(message: bytes) -> list[bytes]:
    """The same message a tenth of a second later, and so on: other clock, other marks, other confidences."""
    (found,) = SpatXmlDecoder().decode(message)
    encoder = SpatXmlEncoder()
    out = []
    for n in range(MESSAGES):
        groups = tuple(Movement(m.group, tuple(_later(p, n) for p in m.phases)) for m in found.groups)
        out.append(
            encoder.encode(Intersection(found.station, found.revision, found.status, 360_534, 5_000 + 100 * n, groups))
        )
    return out


def _later(phase: Phase, n: int) -> Phase:
    marks = (phase.min_end_mark, phase.max_end_mark, phase.likely_mark)
    moved = [None if mark is None or mark >= 36_000 else (mark + 61 * n) % 36_000 for mark in marks]
    return Phase(phase.state, *moved, None if phase.confidence is None else (phase.confidence + n) % 16)


def with_etree(message: bytes) -> tuple[int, int | None, list[tuple[int, ...]]]:
    """The same fields by xml.etree: clock, status and the phases of one group with their remaining times."""
    root = ElementTree.fromstring(message)
    if root.findtext("ItsPduHeader/messageID") != "4" or root.findtext("ItsPduHeader/stationID") != "4070":
        raise ValueError("another message")
    state = root.find("SPAT/intersections/IntersectionState")
    assert state is not None
    minute, millisecond = int(state.findtext("moy") or 0), int(state.findtext("timeStamp") or 0)
    status = 0
    for bit, element in enumerate(state.find("status") or ()):
        status |= int(element.text or 0) << bit
    phases = []
    for movement in state.iterfind("states/MovementState"):
        if movement.findtext("signalGroup") == str(GROUP):
            for event in movement.iterfind("state_time_speed/MovementEvent"):
                values = [int(event.findtext("eventState") or 0)]
                timing = event.find("timing")
                if timing is not None:
                    for name in ("minEndTime", "maxEndTime", "likelyTime"):
                        text = timing.findtext(name)
                        values.append(-1 if text is None else remaining_ms(int(text), minute, millisecond) or -1)
                    values.append(int(timing.findtext("confidence") or 0))
                phases.append(tuple(values))
    return status, message_ms(minute, millisecond), phases


def run() -> dict[str, float]:
    """Messages a second of both, their ratio, and the cost of a message whose shape was not seen before."""
    _, message = source()
    messages = series(message)
    decoder = SpatXmlDecoder(frozenset({GROUP}), 4070)

    def ours(message: bytes) -> object:
        return to_signal_states(decoder.decode(message)[0], 0, "feed")[0]

    def first_sight(message: bytes) -> object:
        spat_xml_message._shapes.clear()
        decoder._shape = None
        return ours(message)

    times: dict[str, list[float]] = {"etree": [], "ours": [], "first": []}
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for name, call, some in (
                ("etree", with_etree, messages),
                ("ours", ours, messages),
                ("first", first_sight, messages[:20]),
            ):
                began = perf_counter_ns()
                for each in some:
                    call(each)
                times[name].append((perf_counter_ns() - began) / len(some))
    finally:
        gc.enable()
    return {
        "spat_xml_per_s": 1e9 / median(times["ours"]),
        "etree_per_s": 1e9 / median(times["etree"]),
        "ratio": median(e / o for e, o in zip(times["etree"], times["ours"], strict=True)),
        "first_sight_per_s": 1e9 / median(times["first"]),
        "message_bytes": len(message),
    }


def main() -> None:
    """Print the figures."""
    figures = run()
    print(f"SPATEM XML, {figures['message_bytes']:.0f} bytes, one group of {source()[0]}")
    print(f"  ours                     {figures['spat_xml_per_s']:8.0f} messages/s")
    print(f"  xml.etree.ElementTree    {figures['etree_per_s']:8.0f} messages/s")
    print(f"  ratio                    {figures['ratio']:8.2f}   (needed: {NEEDED_RATIO})")
    print(f"  ours, shape not yet seen {figures['first_sight_per_s']:8.0f} messages/s")


if __name__ == "__main__":
    main()
