"""Recorded SPAT messages as a trace that can be replayed: one wire, `leezenflow/feed`, raw bytes with times."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from drivers.recording.provenance import collect, file_digest
from drivers.recording.writer import TraceWriter
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
    partial = out.with_name(out.name + ".partial")
    try:
        with TraceWriter(partial, provenance) as writer:
            channel = writer.add_wire(BOARD, WIRE, "rx", content)
            for t_ns, data in chain([first] if first is not None else [], messages):
                writer.bytes_passed(channel, data, t_ns)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return counts
