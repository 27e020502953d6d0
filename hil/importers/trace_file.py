"""Recorded feeds of signals as a trace that can be replayed: one wire, `leezenflow/feed`, raw bytes with times."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from drivers.recording.provenance import Provenance, collect, file_digest
from drivers.recording.writer import TraceWriter
from drivers.units import NS_PER_S
from hil.importers.phases import PhaseCounts, phase_observations
from hil.importers.spat import SpatCounts, spat_hex_messages, spat_xml_messages

BOARD, WIRE = "leezenflow", "feed"
PERIOD_NS = 100_000_000


def import_spat(path: Path, out: Path, kind: str) -> SpatCounts:
    """Write `path` (`kind` "spat-xml" or "spat-hex") as a trace to `out`. Raises InputError."""
    counts = SpatCounts()
    messages = spat_xml_messages(path, counts) if kind == "spat-xml" else spat_hex_messages(path, counts)
    first = next(iter(messages), None)
    provenance = collect(boards={}, sites={}, configuration_digest=file_digest(path), period_ns=PERIOD_NS)
    content = "spat-xml" if kind == "spat-xml" else "spat-uper"
    write_feed(out, chain([first] if first is not None else [], messages), content, provenance)
    return counts


def import_phases(path: Path, out: Path) -> PhaseCounts:
    """Write the states of `path` as a trace of SensorThings observations to `out`. Raises InputError."""
    counts = PhaseCounts()
    messages = phase_observations(path, counts)
    first = next(messages)
    provenance = collect(
        boards={},
        sites={},
        configuration_digest=file_digest(path),
        period_ns=PERIOD_NS,
        utc_ns=first[1] * NS_PER_S,
    )
    told = ((t_ns, data) for t_ns, _, data in chain([first], messages))
    write_feed(out, told, "sensorthings", provenance)
    return counts


def write_feed(out: Path, messages: Iterable[tuple[int, bytes]], content: str, provenance: Provenance) -> None:
    """Write (t_ns, bytes) as a trace; `out` is there whole or not at all."""
    partial = out.with_name(out.name + ".partial")
    try:
        with TraceWriter(partial, provenance) as writer:
            channel = writer.add_wire(BOARD, WIRE, "rx", content)
            for t_ns, data in messages:
                writer.bytes_passed(channel, data, t_ns)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
