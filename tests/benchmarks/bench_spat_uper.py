"""SPAT in UPER to the SignalState of one group, beside pycrate decoding the same messages.

pycrate only decodes; ours also looks for the group and works out its remaining times. Both take the same messages in
the same run, in turns. They are real SAE J2735 frames where the recordings are at hand, and ETSI SPATEM made by pycrate
in the shape of Münster's (18 groups of four phases). ``python -m tests.benchmarks.bench_spat_uper``
"""

from __future__ import annotations

import gc
import os
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any

from drivers.codecs.spat import to_signal_states
from drivers.codecs.spat_uper import SpatUperDecoder

MESSAGES = 100
ROUNDS = 7
NEEDED_RATIO = 5.0


def spatem(number: int) -> dict[str, Any]:
    """A SPATEM of 18 groups as pycrate takes it; every one has other numbers."""
    states = [
        {
            "signalGroup": group,
            "state-time-speed": [
                {
                    "eventState": state,
                    "timing": {
                        "minEndTime": (600 * group + 61 * number) % 36_000,
                        "maxEndTime": (600 * group + 61 * number + 100) % 36_000,
                        "likelyTime": (600 * group + 61 * number + 50) % 36_000,
                        "confidence": (group + number) % 16,
                    },
                }
                for state in ("stop-And-Remain", "pre-Movement", "protected-Movement-Allowed", "protected-clearance")
            ],
        }
        for group in range(1, 19)
    ]
    intersection = {
        "id": {"region": 49, "id": 4070},
        "revision": 1,
        "status": (0x0400, 16),
        "moy": 360_534,
        "timeStamp": 100 * number,
        "states": states,
    }
    header = {"protocolVersion": 2, "messageID": 4, "stationID": 4070}
    return {"header": header, "spat": {"intersections": [intersection]}}


def real_frames() -> list[bytes]:
    """SAE J2735 frames of the recording; empty where it is not at hand."""
    folder = Path(os.environ.get("LEEZE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
    path = folder / "spat-mcity" / "series-20min.hex"
    if not path.exists():
        return []
    return [bytes.fromhex(line) for line in path.read_text().split()[: MESSAGES * 10 : 10]]


def _in_turns(ours: Any, theirs: Any, messages: list[bytes]) -> tuple[float, float, float]:
    """Messages a second of both, and the ratio."""
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for name, call in (("theirs", theirs), ("ours", ours)):
                began = perf_counter_ns()
                for message in messages:
                    call(message)
                times[name].append((perf_counter_ns() - began) / len(messages))
    finally:
        gc.enable()
    ratio = median(t / o for t, o in zip(times["theirs"], times["ours"], strict=True))
    return 1e9 / median(times["ours"]), 1e9 / median(times["theirs"]), ratio


def run() -> dict[str, float]:
    """Messages a second of both readers, and their ratios, for SPATEM and (where at hand) for real J2735 frames."""
    from pycrate_asn1dir import ITS_IS

    asn1 = ITS_IS.SPATEM_PDU_Descriptions.SPATEM
    frames: list[bytes] = []
    for number in range(MESSAGES):
        asn1.set_val(spatem(number))
        frames.append(asn1.to_uper())
    etsi = SpatUperDecoder(frozenset({4}), 4070)

    def ours(message: bytes) -> object:
        return to_signal_states(etsi.decode(message)[0], 0, "feed")[0]

    def all_groups(message: bytes, decoder: SpatUperDecoder = SpatUperDecoder()) -> object:  # noqa: B008
        return to_signal_states(decoder.decode(message)[0], 0, "feed")

    rate, pycrate_rate, ratio = _in_turns(ours, asn1.from_uper, frames)
    _, _, ratio_all = _in_turns(all_groups, asn1.from_uper, frames)
    figures = {
        "spatem_per_s": rate,
        "pycrate_spatem_per_s": pycrate_rate,
        "ratio": ratio,
        "ratio_all_groups": ratio_all,
        "spatem_bytes": len(frames[0]),
    }
    if real := real_frames():
        body = ITS_IS.DSRC.SPAT
        spats = [frame[3 if frame[2] < 0x80 else 4 :] for frame in real]
        by_body = dict(zip(spats, real, strict=True))
        rate, pycrate_rate, ratio = _in_turns(lambda spat: all_groups(by_body[spat]), body.from_uper, spats)
        figures |= {"j2735_per_s": rate, "pycrate_j2735_per_s": pycrate_rate, "ratio_j2735": ratio}
    return figures


def main() -> None:
    """Print the figures."""
    figures = run()
    print(f"SPATEM in UPER, {figures['spatem_bytes']:.0f} bytes, 18 groups of four phases")
    print(f"  ours, one group          {figures['spatem_per_s']:8.0f} messages/s")
    print(f"  pycrate                  {figures['pycrate_spatem_per_s']:8.0f} messages/s")
    print(f"  ratio                    {figures['ratio']:8.2f}   (needed: {NEEDED_RATIO})")
    print(f"  ratio, all groups        {figures['ratio_all_groups']:8.2f}")
    if "j2735_per_s" in figures:
        print("real SAE J2735 frames, all groups")
        print(f"  ours                     {figures['j2735_per_s']:8.0f} messages/s")
        print(f"  pycrate, SPAT alone      {figures['pycrate_j2735_per_s']:8.0f} messages/s")
        print(f"  ratio                    {figures['ratio_j2735']:8.2f}   (needed: {NEEDED_RATIO})")


if __name__ == "__main__":
    main()
