"""The simulated signal alone: what it says in words is what its messages come to, in XML and in UPER."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import SystemClock
from drivers.codecs.spat import Intersection, Movement, Phase, message_ms, status_mask
from drivers.codecs.spat_uper import SpatUperDecoder
from drivers.codecs.spat_xml import SpatXmlStream
from drivers.errors import InputError
from drivers.links.udp import UdpLink
from drivers.units import NS_PER_MS, NS_PER_S
from hil.cli import main as hil
from hil.peers.signal_adaptive import Rules
from hil.peers.signal_programme import COLOURS, Programme
from hil.peers.signal_publisher import (
    FIXED,
    AdaptiveCrossing,
    Crossing,
    DatagramWay,
    ProgrammeCrossing,
    SignalPublisher,
)
from hil.peers.spat_uper_writer import encode_uper

ROOT = Path(__file__).parents[2]
DEADLINE_NS = 60 * NS_PER_S
NOW_NS, UTC_NS = 5_000_300_000_000, 1_790_000_000_300_000_000
"""Three tenths after a whole second of UTC."""


class Post:
    """Keeps what it is given; takes nothing while it is in trouble."""

    place = "here"

    def __init__(self) -> None:
        self.trouble = ""
        self.sent: list[tuple[int, bytes]] = []

    def send(self, message: bytes, t_ns: int) -> bool:
        if not self.trouble:
            self.sent.append((t_ns, message))
        return not self.trouble

    def turn(self, now_ns: int) -> None:
        pass

    def close(self) -> None:
        pass


def started(crossing: Crossing, *, uper: bool = False) -> tuple[SignalPublisher, Post, list[str]]:
    post, said = Post(), []
    return SignalPublisher(crossing, post, said.append, NOW_NS, UTC_NS, uper=uper), post, said


def run(publisher: SignalPublisher, seconds: float) -> None:
    """To the start, and so long from there; each turn at its time."""
    end_ns = publisher.start_ns + round(seconds * NS_PER_S)
    while publisher.wake_ns < end_ns:
        publisher.turn(publisher.wake_ns)


def stretched() -> Programme:
    from hil.case import load_case, shipped

    programme = load_case(shipped()["leezenflow-crossing"]).signal
    assert programme is not None
    return programme


CROSSINGS = {
    "fixed": lambda: ProgrammeCrossing(FIXED),
    "stretched, lost, failing": lambda: ProgrammeCrossing(stretched()),
    "adaptive": lambda: AdaptiveCrossing(Rules(seed=3, start_ms=71_400_000), "likely"),
    "failing": lambda: AdaptiveCrossing(Rules(seed=1, start_ms=82_000_000, failures=True), "min"),
}


def test_it_begins_with_a_whole_second_and_speaks_ten_times_a_second() -> None:
    publisher, post, said = started(ProgrammeCrossing(FIXED))
    run(publisher, 3)
    assert publisher.start_utc_ns % NS_PER_S == 0
    assert publisher.start_ns - NOW_NS == publisher.start_utc_ns - UTC_NS == 700 * NS_PER_MS
    assert [t_ns for t_ns, _ in post.sent] == [publisher.start_ns + n * 100 * NS_PER_MS for n in range(30)]
    assert [line[8:] for line in said] == [
        "  group 4 green, 28.0 s left; group 7 red, 33.0 s left; 1 sent",
        "  group 4 green, 27.0 s left; group 7 red, 32.0 s left; 10 sent",
        "  group 4 green, 26.0 s left; group 7 red, 31.0 s left; 10 sent",
    ]
    assert said[0].startswith("14:13:21")


def test_the_stamps_are_the_clock_of_the_wall() -> None:
    publisher, post, _ = started(ProgrammeCrossing(FIXED))
    run(publisher, 1)
    (first,) = SpatXmlStream().feed(post.sent[0][1])
    assert message_ms(first.minute_of_year, first.timestamp_ms) == (publisher.start_utc_ns // NS_PER_MS) % (
        86_400_000 * 365
    ) - (1_767_225_600_000 % (86_400_000 * 365))


@pytest.mark.parametrize("name", CROSSINGS)
def test_what_is_said_to_be_true_is_what_the_messages_come_to(name: str) -> None:
    crossing = CROSSINGS[name]()
    publisher, post, _ = started(CROSSINGS[name]())
    run(publisher, 290)
    stream = SpatXmlStream()
    states: dict[tuple[int, int], int] = {}
    for t_ns, message in post.sent:
        for intersection in stream.feed(message):
            if intersection.station == 4070:
                for movement in intersection.groups:
                    states[(t_ns - publisher.start_ns) // NS_PER_MS, movement.group] = movement.phases[0].state
    greens = {5: "green", 6: "green", 7: "amber", 8: "amber", 0: "off"}
    words = {state: word for word, state in COLOURS.items()} | greens
    compared = 0
    for (t_ms, group), state in states.items():
        if t_ms % 500:
            continue
        ((_, word, end_ms),) = [one for one in crossing.truth(t_ms) if one[0] == group]
        assert word == words[state], (t_ms, group)
        if end_ms is None:
            continue
        later = [states.get((at_ms, group)) for at_ms in (end_ms - 100, end_ms)]
        if end_ms % 100 == 0 and None not in later:
            assert later[0] == state, (t_ms, group, end_ms)
            assert later[1] != state, (t_ms, group, end_ms)
            compared += 1
    assert compared > 300


def test_in_uper_it_says_the_same() -> None:
    (plain, xml, _), (binary, uper, _) = started(ProgrammeCrossing(FIXED)), started(ProgrammeCrossing(FIXED), uper=True)
    for publisher in (plain, binary):
        run(publisher, 70)
    stream, decoder = SpatXmlStream(), SpatUperDecoder()
    assert len(xml.sent) == len(uper.sent) == 700
    for (t_ns, message), (at_ns, frame) in zip(xml.sent, uper.sent, strict=True):
        assert t_ns == at_ns
        assert tuple(stream.feed(message)) == decoder.decode(frame)


def test_old_messages_are_never_sent_and_those_that_found_no_way_are_counted() -> None:
    publisher, post, said = started(ProgrammeCrossing(FIXED))
    run(publisher, 1)
    publisher.turn(publisher.start_ns + 60 * NS_PER_S)  # stopped for a minute
    assert publisher.unsent == 581
    assert publisher.sent == 20
    assert said[-1].endswith("; 19 sent, 581 not")
    assert said[-1].split()[0] == "14:14:21"
    post.trouble = "nobody listens there"
    run(publisher, 62)
    assert said[-1].endswith("; 0 sent, 10 not (nobody listens there)")


marks = st.integers(0, 36_001)
phases = st.one_of(
    st.builds(Phase, st.integers(0, 9)),
    st.builds(Phase, st.integers(0, 9), marks, st.none() | marks, st.none() | marks, st.none() | st.integers(0, 15)),
)
movements = st.builds(Movement, st.integers(0, 255), st.lists(phases, min_size=1, max_size=16).map(tuple))
intersections = st.builds(
    Intersection,
    st.integers(0, 65_535),
    st.integers(0, 127),
    st.integers(0, 0x3FFF),
    st.none() | st.integers(0, 527_040),
    st.none() | st.integers(0, 65_535),
    st.lists(movements, min_size=1, max_size=20).map(tuple),
)


@given(intersections)
def test_uper_comes_back_from_our_decoder(intersection: Intersection) -> None:
    message = encode_uper(intersection)
    if len(message) <= 8192:
        assert SpatUperDecoder().decode(message) == (intersection,)


def test_uper_is_what_an_independent_compiler_writes() -> None:
    asn1 = pytest.importorskip("pycrate_asn1dir.ITS_IS", reason="pycrate is not installed")
    phase = Phase(3, 33_100, None, 33_110, 13)
    ours = encode_uper(
        Intersection(4070, 5, status_mask(["failureFlash"]), 360_538, 59_900, (Movement(7, (phase, Phase(6))),))
    )
    spatem = asn1.SPATEM_PDU_Descriptions.SPATEM
    state = {
        "id": {"id": 4070},
        "revision": 5,
        "status": (1 << 13, 16),
        "moy": 360_538,
        "timeStamp": 59_900,
        "states": [
            {
                "signalGroup": 7,
                "state-time-speed": [
                    {
                        "eventState": "stop-And-Remain",
                        "timing": {"minEndTime": 33_100, "likelyTime": 33_110, "confidence": 13},
                    },
                    {"eventState": "protected-Movement-Allowed"},
                ],
            }
        ],
    }
    header = {"protocolVersion": 2, "messageID": 4, "stationID": 4070}
    spatem.set_val({"header": header, "spat": {"intersections": [state]}})
    assert ours == spatem.to_uper()


@pytest.mark.parametrize("form", ["spat-xml", "spat-uper"])
def test_datagrams_reach_a_port_of_ours_as_its_own_process_ends_with_143(form: str) -> None:
    clock = SystemClock()
    link = UdpLink("feed", "127.0.0.1", 0, max_datagram_b=65_507)
    heard: list[bytes] = []
    link.receiver = lambda data, t_ns: heard.append(data)
    link.advance(clock.now_ns())
    words = ["peer", "signal-controller", "--udp", f"127.0.0.1:{link.port}", "--format", form]
    with subprocess.Popen(
        [sys.executable, "-m", "hil", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            deadline_ns = clock.now_ns() + DEADLINE_NS
            while len(heard) < 5:
                assert clock.now_ns() < deadline_ns
                assert process.poll() is None
                link.pump(clock.now_ns())
                clock.sleep_until_ns(clock.now_ns() + 20 * NS_PER_MS)
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_NS / NS_PER_S) == 128 + signal.SIGTERM
            assert process.stdout is not None
            said = process.stdout.read().splitlines()
        finally:
            process.kill()
    link.close()
    assert said[0].startswith(f"station 4070, groups 4, 7: {form} to 127.0.0.1:{link.port}, UDP; begins ")
    assert said[-1].endswith(" sent, 0 not")
    read = SpatXmlStream().feed if form == "spat-xml" else SpatUperDecoder().decode
    assert all(read(message)[0].station == 4070 for message in heard)


def test_after_its_seconds_it_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        hil(["peer", "signal-controller", "--udp", "127.0.0.1:9", "--programme", "adaptive", "--seconds", "0.2"]) == 0
    )
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("station 4070, groups 4, 7: spat-xml to 127.0.0.1:9, UDP; begins ")
    assert said[-1].endswith(" not")


def test_a_message_that_no_datagram_can_hold_is_told() -> None:
    way = DatagramWay("127.0.0.1", 9)
    assert not way.send(bytes(70_000), 0)
    assert way.trouble == "127.0.0.1:9, UDP: 70000 bytes not sent: Message too long"
    assert way.send(b"", 0)
    assert way.trouble == ""
    way.close()


def test_a_name_that_nobody_has_is_told_with_what_to_try() -> None:
    with pytest.raises(InputError, match=r"--udp no-such-host\.invalid: name not found"):
        DatagramWay("no-such-host.invalid", 9)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["signal-controller"], "give one of --broker HOST:PORT and --udp HOST:PORT"),
        (["signal-controller", "--broker", "a", "--udp", "a:1"], "give one of --broker"),
        (["signal-controller", "--broker", "a:x"], "--broker a:x: is no place like localhost:8883"),
        (["signal-controller", "--udp", "a"], "--udp a: is no place like"),
        (["signal-controller", "--udp", "127.0.0.1:1", "--tls-ca", "f"], "--tls-ca goes with --broker"),
        (["signal-controller", "--broker", "a", "--password-file", "f"], "a password needs a user"),
        (["signal-controller", "--broker", "a", "--baud", "9600"], "has no serial port; leave --baud out"),
        (["signal-controller", "--broker", "a", "--seed", "1"], "--seed goes with --programme adaptive"),
        (["signal-controller", "--broker", "a", "--programme", "nosuch"], "there are: fixed, adaptive, failing, "),
        (["signal-controller", "--broker", "a", "--programme", "kanalpromenade-evening"], "has no signal"),
        (
            ["signal-controller", "--broker", "a", "--programme", "adaptive", "--as-if", "25:00"],
            "--as-if 25:00: is no time of day like 22:58",
        ),
        (["ld2451", "--topic", "t"], "--topic is for signal-controller, not for `ld2451`"),
        (["signal-controler"], "did you mean signal-controller?"),
    ],
)
def test_wrong_words_are_refused_with_what_is_right(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hil(["peer", *words]) == 2
    assert told in capsys.readouterr().err
