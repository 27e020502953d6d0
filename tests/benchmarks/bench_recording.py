"""Write and read rates of traces beside the mcap library's own plain loop, in one run.

`python tests/benchmarks/bench_recording.py` prints one JSON object.
"""

from __future__ import annotations

import gc
import json
import tempfile
from pathlib import Path
from typing import Any

from mcap.reader import make_reader
from mcap.writer import Writer

from drivers.clock import SystemClock
from drivers.recording.events import WireBytes
from drivers.recording.provenance import Provenance
from drivers.recording.reader import TraceReader
from drivers.recording.writer import TraceWriter

MESSAGES = 200_000
ROUNDS = 3
PAYLOADS = [bytes((n * 7 + k * 13 + n * k) & 0xFF for k in range(64)) for n in range(256)]


def run() -> dict[str, Any]:
    """Best of three rounds each, messages of 64 bytes a second."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "ours.mcap", Path(folder) / "theirs.mcap"
        seconds = {
            "write": _best(_write, ours),
            "library_write": _best(_library_write, theirs),
            "read": _best(_read, ours),
            "library_read": _best(_library_read, ours),
        }
        sizes = {"file_b": ours.stat().st_size, "library_file_b": theirs.stat().st_size}
    rates = {f"{name}_per_s": round(MESSAGES / value) for name, value in seconds.items()}
    return {
        "bench": "recording",
        "messages": MESSAGES,
        "message_b": 64,
        **rates,
        "write_ratio": round(seconds["library_write"] / seconds["write"], 2),
        "read_ratio": round(seconds["library_read"] / seconds["read"], 2),
        **sizes,
    }


def _best(work: Any, path: Path) -> float:
    clock, taken = SystemClock(), []
    for _ in range(ROUNDS):
        gc.collect()
        start_ns = clock.now_ns()
        work(path)
        taken.append((clock.now_ns() - start_ns) / 1e9)
    return min(taken)


def _write(path: Path) -> None:
    with TraceWriter(path, Provenance()) as writer:
        channel = writer.add_wire("board", "wire", "rx")
        for n in range(MESSAGES):
            writer.bytes_passed(channel, PAYLOADS[n & 255], n * 1000)


def _library_write(path: Path) -> None:
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.start()
        channel = writer.register_channel("/wire/board/wire/rx", "application/octet-stream", 0)
        for n in range(MESSAGES):
            writer.add_message(channel, n * 1000, PAYLOADS[n & 255], n * 1000)
        writer.finish()  # type: ignore[no-untyped-call]


def _read(path: Path) -> None:
    events = TraceReader(path).events()
    assert sum(len(event.data) for event in events if isinstance(event, WireBytes)) == 64 * MESSAGES


def _library_read(path: Path) -> None:
    with path.open("rb") as stream:
        messages = make_reader(stream).iter_messages(log_time_order=False)
        assert sum(len(message.data) for _, _, message in messages) == 64 * MESSAGES


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
