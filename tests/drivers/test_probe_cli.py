"""``leeze-drivers probe`` and ``send`` on pseudo-terminals with a part behind them: what the tool says in each case."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drivers.bench.finding import Evidence, Finding, judge
from drivers.bench.joined import Joined
from drivers.bench.recognise import recognise
from drivers.bench.watch import WireWatch
from drivers.bench.words import ORDINARY, in_words, plotted, sparkline, told_apart
from drivers.cli import main
from drivers.cli_bench import finding_lines
from drivers.codecs.spat import Intersection, Movement, Phase
from drivers.devices.feed_count import FeedCount
from drivers.devices.signal_feed import SignalFeed
from drivers.links.memory import memory_pair
from drivers.parts import PARTS
from drivers.parts.part import Options
from drivers.quantities import Climate, DeviceHealth, PowerReading, Presence, Range, SpeedReport
from drivers.units import NS_PER_S
from hil.benches.pty_wire import PtyWire
from talking_radar import REPORT, Radar


def wire(baud: int = 115_200, *, babble: bool = False, frame: bytes | None = REPORT) -> PtyWire:
    made = PtyWire("radar", baud, babble=babble)
    if frame is not None:
        made.peer = Radar(made.far, frame)
    return made


def probed(capsys: pytest.CaptureFixture[str], behind: PtyWire, *more: str) -> tuple[int, str]:
    with behind:
        code = main(["probe", "ld2451", "--port", behind.path, *more])
    return code, capsys.readouterr().out


def test_a_good_part_is_called_good_with_its_newest_value(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = probed(capsys, wire())
    assert code == 0
    assert said.splitlines()[0].endswith("(115200 8N1): good")
    assert "says   13.0 m, 3.0 km/h coming, -5 deg" in said


def test_a_silent_part_is_called_silent_with_what_to_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = probed(capsys, wire(frame=None), "--seconds", "0.3")
    assert code == 1
    assert ": silent" in said
    assert "no byte in 0.3 s" in said
    assert "Does its TX go to our RX (try them swapped)?" in said


def test_a_part_at_another_bit_rate_is_found_at_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = probed(capsys, wire(9_600), "--seconds", "0.6")
    assert code == 1
    assert ": wrong-baud" in said
    assert "at 9600 baud it makes sense" in said
    assert "set the wire to 9600 baud, or the part to 115200" in said


def test_a_part_that_babbles_is_told_from_one_at_another_bit_rate(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = probed(capsys, wire(babble=True, frame=None), "--seconds", "0.5")
    assert code == 1
    assert ": babbling" in said
    assert "power-cycle it" in said


def test_a_port_that_is_not_there_is_the_benchs_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "ld2451", "--port", "/dev/ttyUSB97", "--seconds", "0.1"]) == 3
    said = capsys.readouterr().out
    assert ": no-port" in said
    assert "no such port; is the adapter plugged in?" in said


def test_the_finding_comes_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = probed(capsys, wire(), "--json")
    found = json.loads(said)
    assert (code, found["verdict"], found["line"], found["part"]) == (0, "good", "115200 8N1", "ld2451")
    assert found["latest"]["detections"][0]["distance_mm"] == 13_000
    assert found["counters"]["frames"] >= 5


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["probe", "ld2451"], "give the port with --port"),
        (["probe", "spat-uper", "--port", "x"], "spat-uper cannot be tried by itself"),
        (["probe", "toaster", "--port", "x"], "unknown part `toaster`"),
        (["probe", "ld2451", "--port", "x", "--set", "colour"], "--set colour: write KEY=VALUE"),
        (["probe", "ld2451", "--port", "/dev/i2c-1"], "/dev/i2c-1 is an I2C bus; this part hangs on a serial port"),
        (["send", "ld2451", "sing", "--port", "x"], "ld2451 has no order `sing`"),
        (["send", "spat-xml", "sing", "--port", "x"], "spat-xml cannot be told anything by itself"),
        (["send", "ld2451", "sing", "--hex", "00", "--port", "x"], "give an order or --hex, not both"),
    ],
)
def test_wrong_use_is_refused_with_the_mend(capsys: pytest.CaptureFixture[str], words: list[str], fault: str) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert fault in said.err
    assert said.out == ""


def test_raw_bytes_are_explained_sent_and_shown_with_what_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    behind = wire()
    with behind:
        assert main(["send", "ld2451", "--hex", "fdfcfbfa 0400 ff00 0100 04030201", "--port", behind.path]) == 0
    said = capsys.readouterr().out
    assert 'this says {"type": "command", "command": "0x00ff"' in said
    assert "out  fd fc fb fa 04 00 ff 00 01 00 04 03 02 01" in said
    assert "says 13.0 m" in said


def test_bytes_are_told_by_the_decoder_that_understands_them() -> None:
    assert recognise(REPORT * 3)[0].part == "ld2451"
    assert recognise(bytes(range(200, 232))) == []
    assert recognise(b"abc") == []


def test_values_read_as_a_person_would_say_them() -> None:
    assert in_words(Climate(0, "mast", 25_082, None, 100_653)) == "25.08 degC, 1006.53 hPa"
    assert in_words(PowerReading(0, "m", voltage_mv=231_400, power_mw=20_000)) == "231.40 V, 20.00 W"
    assert in_words(Range(0, "bay", None)) == "nothing in range"
    assert in_words(Presence(0, "bay", None, 810)) == "still at 810 mm"
    assert in_words(SpeedReport(0, "r", -3_456, 27)) == "12.4 km/h going, magnitude 27"
    assert in_words(DeviceHealth(0, "r", False, "no frame")) == "no frame"
    assert plotted(Range(0, "bay", 1234)) == 1234
    assert sparkline([1, 2, 3]) == "▁▅█"
    assert sparkline([]) == ""


def test_counts_that_grow_where_all_is_well_are_told_apart_from_errors() -> None:
    counted = {"frames": 7, "sent": 3, "no_replies": 2, "starts": 1, "skipped_bytes": 4, "refusals": 0}
    assert told_apart(counted) == ("sent 3, starts 1", "no_replies 2, skipped_bytes 4")
    assert told_apart({"frames": 7}) == ("", "")
    found = Finding(device="lamp", verdict="good", text="7 frames", counters=counted)
    assert finding_lines(found, None)[1:] == ["count  sent 3, starts 1", "errors no_replies 2, skipped_bytes 4"]
    assert finding_lines(Finding(device="lamp", verdict="good", text="7 frames"), None) == ["seen   7 frames"]


def test_every_ordinary_counter_is_one_that_a_part_has() -> None:
    names: set[str] = set()
    for name, one in PARTS.items():
        if one.bench is not None and one.bench.wire in ("uart", "i2c"):
            more = {"variant": "B"} if name == "waveshare-ao8" else {}
            device = one.bench.device(
                name, memory_pair(name)[0], lambda quantity: None, Options(one.bench.address, more)
            )
            names |= set(device.counters())
    feed = SignalFeed("feed", memory_pair("feed")[0], lambda quantity: None)
    odd = FeedCount()
    for mark in (None, 35_991, 36_000, 36_001):
        odd.look(Intersection(4070, 1, 0, 1, 1, (Movement(7, (Phase(3, mark, None, None),)),)))
    names |= set(feed.counters()) | set(odd.odd)
    assert names > ORDINARY


def test_the_port_may_be_a_name_that_udev_gave(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = PtyWire("radar", 115_200, link_path=tmp_path / "radar-1")
    made.peer = Radar(made.far)
    with made:
        assert main(["probe", "ld2451", "--port", str(tmp_path / "radar-1")]) == 0
    assert "good" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("skipped", "joined", "verdict"),
    [
        (0, Joined(), "good"),
        (5, Joined(), "good"),
        (6, Joined(), "noisy"),
        (60, Joined(), "wrong-baud"),
        (10, Joined(20, 10), "good"),
        (14, Joined(20, 10), "good"),
        (15, Joined(20, 10), "noisy"),
        (60, Joined(90, 60), "good"),
        (60, Joined(90, 30), "noisy"),
        (60, Joined(90, 10), "wrong-baud"),
        (50, Joined(100, 50), "good"),
        (51, Joined(100, 51), "wrong-baud"),
    ],
)
def test_what_was_joined_in_its_middle_is_no_noise(skipped: int, joined: Joined, verdict: str) -> None:
    watch = WireWatch("radar")
    watch.passed(False, bytes(range(128, 228)), 0)
    seen = Evidence(
        device="radar",
        trouble="",
        watch=watch,
        counters={"frames": 3, "skipped_bytes": skipped},
        health=None,
        latest=None,
        values=0,
        listened_ns=NS_PER_S,
        joined=joined,
    )
    assert judge(seen).verdict == verdict
