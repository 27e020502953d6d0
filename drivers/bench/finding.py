"""A plain word on one device: is it well, and if not, what is wrong and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from drivers.bench.joined import Joined, says_nothing
from drivers.bench.recognise import own_reader, recognise, sense_of
from drivers.bench.watch import WireWatch
from drivers.quantities import DeviceHealth, Quantity
from drivers.units import NS_PER_MS, NS_PER_S

Verdict = Literal["good", "noisy", "unwell", "silent", "no-answer", "wrong-baud", "wrong-part", "babbling", "no-port"]

NOISY_PCT = 5
SENSELESS_PCT = 50
"""More than this without sense, and a frame among it may be chance."""

BABBLING_PCT = 30
BABBLING_NS = 200 * NS_PER_MS
"""One line or frame, said at once, is no babbling."""

BITS_PER_BYTE = 10  # start, eight data bits, stop; a parity bit makes a tenth more
SAMPLE_BYTES = 12


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about a device.

    `exit_code`: 0 good (or noisy, which works), 1 the part is at fault, 3 the port. `mend` is empty where all is well.
    `joined_bytes` were skipped before the first frame, see `drivers.bench.joined`; `counters` leave them out.
    """

    device: str
    verdict: Verdict
    text: str
    mend: str = ""
    counters: dict[str, int] = {}
    values: int = 0
    joined_bytes: int = 0
    sample_hex: str = ""

    @property
    def exit_code(self) -> int:
        """For the command line."""
        return 3 if self.verdict == "no-port" else 0 if self.verdict in ("good", "noisy") else 1


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a session has seen of one device.

    `trouble`: why its wire is not open. `watch`: its wire. `baud`: bit/s of the wire, 0 where it has none. `mute`: it
    takes orders and never speaks. `others`: what other wires of the board carry, by content: ``{"kld7": "lane-1"}``.
    `listened_ns`: how long. `joined`: what of it came before the first frame.
    """

    device: str
    trouble: str
    watch: WireWatch
    counters: dict[str, int]
    health: DeviceHealth | None
    latest: Quantity | None
    values: int
    listened_ns: int
    baud: int = 0
    mute: bool = False
    content: str = ""
    others: dict[str, str] = {}
    joined: Joined = Joined()


_MEND_SILENT = "is it powered? Does its TX go to our RX (try them swapped)? Are the grounds joined?"
_MEND_NO_ANSWER = (
    "is it powered? Is its address right, and its bit rate? On RS485: are A and B swapped? On a header: TX to RX?"
)
_MEND_NOT_THIS_ONE = "is this one powered? Is its address right? Does it hear us (our TX to its RX)?"


def judge(seen: Evidence) -> Finding:
    """The word on it. Noise is what makes no sense after the first frame, see `drivers.bench.joined`.

    For a wrong bit rate see `drivers.bench.probe.search_baud`, which listens at the others.
    """
    frames = seen.counters.get("frames", 0) or (0 if says_nothing(seen.latest) else seen.values)
    watch, seconds = seen.watch, f"{seen.listened_ns / NS_PER_S:.1f} s"
    if seen.trouble:
        return _found(seen, "no-port", seen.trouble)
    if frames:
        heard = f"{frames} {'frame' if frames == 1 else 'frames'} in {seconds}"
        if seen.health is not None and not seen.health.ok:
            absent = "answer" in seen.health.reason or "reply" in seen.health.reason
            mend = _MEND_NOT_THIS_ONE if absent else ""
            return _found(seen, "unwell", f"{heard}, but: {seen.health.reason}", mend)
        joined = seen.joined.skipped_bytes
        skipped, bytes_in = seen.counters.get("skipped_bytes", 0) - joined, watch.bytes_in - joined
        if watch.bytes_in == seen.joined.bytes_in:  # nothing followed the first frame: all of it may be chance
            senseless = (skipped + joined) * 100 > SENSELESS_PCT * watch.bytes_in
        else:
            senseless = skipped * 100 > SENSELESS_PCT * bytes_in
        if senseless:
            return _senseless(seen, f"{watch.bytes_in} bytes in {seconds}, hardly a frame of it ({frames})")
        if skipped * 100 > NOISY_PCT * bytes_in:
            text = f"{heard}, {skipped} of {bytes_in} bytes make no sense"
            mend = "check ground, screen and length of the cable, and that nobody else sends"
            return _found(seen, "noisy", text, mend)
        return _found(seen, "good", heard)
    if watch.bytes_in and not seen.baud and seen.health is not None and not seen.health.ok:
        return _found(seen, "unwell", seen.health.reason)  # a bus says itself what is wrong; no bit rate to be wrong
    if seen.mute and (seen.health is None or seen.health.ok):
        return _found(seen, "good", "its lines are open; it takes orders and has nothing to say")
    if seen.mute and seen.health is not None:
        return _found(seen, "unwell", seen.health.reason)
    if watch.bytes_in and sense_of(own_reader(seen.content), watch.kept):
        said = f": {seen.health.reason}" if seen.health is not None and seen.health.reason else ""
        text = f"the wire is well ({watch.bytes_in} bytes make sense), but this one does not answer{said}"
        return _found(seen, "no-answer", text, _MEND_NOT_THIS_ONE)
    if watch.bytes_in:
        return _senseless(seen, f"{watch.bytes_in} bytes in {seconds} and no frame of it")
    if watch.chunks_out:
        text = f"asked {watch.chunks_out} times in {seconds}, no byte came back"
        return _found(seen, "no-answer", text, _MEND_NO_ANSWER)
    return _found(seen, "silent", f"no byte in {seconds}", _MEND_SILENT)


def mend_wrong_part(heard: str, others: Mapping[str, str]) -> str:
    """What to do where the bytes of another part came; `others` as in Evidence."""
    wires = {own_reader(content): wire for content, wire in others.items()}
    swapped = f"; wire {wires[heard]} should carry those: are the two swapped?" if heard in wires else ""
    return f"another part hangs on this wire{swapped}"


def _senseless(seen: Evidence, came: str) -> Finding:
    """Bytes came and no frame of this part."""
    watch = seen.watch
    likely = [one for one in recognise(watch.kept) if one.part != own_reader(seen.content)]
    if likely:
        text = f"{came}; these are bytes of a {likely[0].part} ({likely[0].sense_pct} % make sense)"
        return _found(seen, "wrong-part", text, mend_wrong_part(likely[0].part, seen.others))
    took_ns = max(BABBLING_NS, watch.last_in_ns - watch.first_in_ns)
    load_pct = 100 * watch.bytes_in * BITS_PER_BYTE * NS_PER_S // (took_ns * seen.baud) if seen.baud else 0
    if load_pct >= BABBLING_PCT:
        text = f"{came}; it fills {min(load_pct, 100)} % of the wire without a pause"
        mend = "it babbles: power-cycle it; if it goes on, A and B may be swapped, or the part is broken"
        return _found(seen, "babbling", text, mend)
    return _found(seen, "wrong-baud", came, "another bit rate or parity? Ground joined? RS232 on a TTL pin?")


def _found(seen: Evidence, verdict: Verdict, text: str, mend: str = "") -> Finding:
    joined = seen.joined.skipped_bytes if verdict in ("good", "noisy", "unwell") else 0
    counters = {name: count - joined if name == "skipped_bytes" else count for name, count in seen.counters.items()}
    return Finding(
        device=seen.device,
        verdict=verdict,
        text=text,
        mend=mend,
        counters={name: count for name, count in counters.items() if count},
        values=seen.values,
        joined_bytes=joined,
        sample_hex="" if verdict == "good" else seen.watch.kept[:SAMPLE_BYTES].hex(" "),
    )
