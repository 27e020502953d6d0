"""A desk without hardware: the far end of every serial part, and what ``leeze-drivers`` probe and send say of it."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from drivers.bench.recognise import own_reader, recognise
from drivers.bench.watch import Watch
from drivers.cli import main as drivers
from drivers.links.memory import memory_pair
from drivers.links.tap import Tap
from drivers.parts import PARTS
from drivers.parts.part import Options
from drivers.units import NS_PER_MS, NS_PER_S
from hil.benches.pty_wire import PtyWire
from hil.cli import main as hil
from hil.desk import FAR_ENDS, far_end

UART = [name for name, part in PARTS.items() if part.bench is not None and part.bench.wire == "uart"]

UNASKED = [name for name in UART if name not in ("kld7", "atxled", "luba", "sci", "urm14", "waveshare-ao8", "sdm120")]
"""Those whose bytes come also from a part that hears us not."""

SLOW = {"leezenflow-sensor": "2.6"}
"""Seconds until a first whole line has come; 0.4 for all others."""


def wire(name: str, baud: int = 0, *, babble: bool = False, silent: bool = False) -> PtyWire:
    made = PtyWire(name, baud or FAR_ENDS[name].baud, babble=babble)
    if not silent:
        made.peer = far_end(name, made.far)
    return made


def probed(capsys: pytest.CaptureFixture[str], behind: PtyWire, *more: str) -> tuple[int, dict[str, object]]:
    words = ["probe", behind.name, "--port", behind.path, "--json", *FAR_ENDS[behind.name].more.split(), *more]
    with behind:
        code = drivers(words)
    return code, json.loads(capsys.readouterr().out)


def test_every_serial_part_has_a_far_end_at_a_bit_rate_of_its_own() -> None:
    assert [name for name in UART if name not in FAR_ENDS] == []
    for name in UART:
        bench = PARTS[name].bench
        assert bench is not None
        assert FAR_ENDS[name].baud in bench.bauds


@pytest.mark.parametrize("name", UART)
def test_a_good_part_is_good_and_has_something_to_say(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.bench.probe.SETTLE_NS", 300 * NS_PER_MS)  # sixteen of them: three frames will do
    code, found = probed(capsys, wire(name))
    assert (code, found["verdict"]) == (0, "good"), f"{found}"
    assert found["latest"] is not None


@pytest.mark.parametrize("name", UART)
def test_a_silent_part_is_silent_or_does_not_answer(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = probed(capsys, wire(name, silent=True), "--seconds", "0.3")
    assert code == 1
    assert found["verdict"] in (("silent", "no-answer") if name in UNASKED else ("no-answer",)), f"{found}"
    assert "is it powered?" in str(found["mend"])


@pytest.mark.parametrize("name", UART)
def test_a_babbling_part_is_told_from_one_at_another_bit_rate(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = probed(capsys, wire(name, babble=True), "--seconds", "0.4")
    assert (code, found["verdict"]) == (1, "babbling"), f"{found}"
    assert "power-cycle it" in str(found["mend"])


@pytest.mark.parametrize("name", UART)
def test_at_another_bit_rate_the_true_one_is_named_or_asked_for(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    true = FAR_ENDS[name].baud
    ours = 9_600 if true == 19_200 else 19_200
    code, found = probed(capsys, wire(name), "--baud", str(ours if name != "kld7" else 460_800), *_seconds(name))
    assert code == 1
    if name in UNASKED:
        assert found["verdict"] == "wrong-baud", found
        assert f"at {true} baud it makes sense" in str(found["text"])
        assert found["mend"] == f"set the wire to {true} baud, or the part to {ours}"
    elif name != "kld7":  # which is asked at its first bit rate whatever the port's, and a terminal does no parity
        assert found["verdict"] in ("no-answer", "wrong-baud"), f"{found}"
        assert "bit rate" in str(found["mend"])


def _seconds(name: str) -> list[str]:
    return ["--seconds", SLOW.get(name, "0.4")]


def test_a_part_that_has_to_be_asked_is_asked_at_its_other_bit_rates(capsys: pytest.CaptureFixture[str]) -> None:
    behind = PtyWire("urm14", 9_600)
    behind.peer = far_end("urm14", behind.far)
    with behind:
        assert drivers(["probe", "urm14", "--port", behind.path]) == 1
    said = capsys.readouterr().out
    assert ": wrong-baud" in said
    assert "no byte came back at 19200 baud; at 9600 baud it answers" in said


def test_a_level_that_nobody_told_does_not_count_as_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = probed(capsys, wire("atxled", 9_600), "--seconds", "2")  # the question has ended by then
    assert found["latest"] is not None
    assert (code, found["verdict"]) == (1, "no-answer"), f"{found}"


def test_a_lamp_that_is_not_there_is_no_fault_of_the_gateway(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = probed(capsys, wire("atxled"), "--address", "9")
    assert (code, found["verdict"]) == (1, "unwell")
    assert "gear does not answer" in str(found["text"])


# --- whose bytes are these?


def said_by(name: str, seconds: int = 8) -> bytes:
    """What a part sends on its own wire in so many seconds, asked by its own device where it wants that."""
    near, far = memory_pair(name)
    watch = Watch()
    peer = far_end(name, far)
    bench = PARTS[name].bench
    assert bench is not None
    more = dict(word.split("=") for word in FAR_ENDS[name].more.split()[1:])
    options = Options(bench.address, more, FAR_ENDS[name].baud, bench.parity)
    device = bench.device(name, Tap(near, watch.add(name), watch), lambda value: None, options)
    ask = getattr(device, "ask", None)
    for tick in range(seconds * 200):
        now_ns = tick * 5 * NS_PER_MS
        if ask is not None and now_ns % NS_PER_S == 0:
            ask(now_ns)
        while (due_ns := min(peer.wake_ns, device.wake_ns)) <= now_ns:
            (peer.run if peer.wake_ns == due_ns else device.advance)(now_ns)
    return watch[name].kept


@pytest.mark.parametrize("name", UART)
def test_each_part_is_told_by_its_own_bytes_and_taken_for_no_other(name: str) -> None:
    likely = recognise(said_by(name))
    assert likely, "nobody knows these bytes"
    assert likely[0].part == own_reader(name), likely
    assert [one.part for one in likely[1:] if one.sense_pct >= likely[0].sense_pct] == []


# --- send


def test_a_lamp_is_not_lit_while_nobody_agrees(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    behind = wire("atxled")
    with behind:
        assert drivers(["send", "atxled", "level", "127", "--port", behind.path]) == 2
        assert drivers(["send", "atxled", "level", "255", "--port", behind.path, "--yes"]) == 2
    said = capsys.readouterr().err
    assert "this lights a lamp; nobody is here to ask: add --yes" in said
    assert "level 255 is not 0 to 254" in said


def test_a_lamp_is_lit_by_name_and_the_far_end_tells(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    behind = PtyWire("atxled", FAR_ENDS["atxled"].baud)
    behind.peer = far_end("atxled", behind.far, told.append)
    with behind:
        assert drivers(["send", "atxled", "level", "127", "--port", behind.path, "--yes"]) == 0
    assert told == ["lamp 0: level 0 -> 127"]
    assert "out  68 30 30 37 46 0a" in capsys.readouterr().out  # h007F


# --- leeze-hil peer


def test_the_verb_says_where_and_what_to_try_and_takes_its_link_away(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    link = tmp_path / "radar-1"
    assert hil(["peer", "LD2451", "--link", str(link), "--baud", "9600", "--seconds", "0.05"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"ld2451 at 9600 baud on {link}: a walker goes to and fro, 3 to 18 m away"
    assert second == f"try:  leeze-drivers probe ld2451 --port {link}"
    assert not link.is_symlink()


def test_wrong_words_are_refused_with_what_there_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert hil(["peer", "ld2541"]) == 2
    assert "no far end for `ld2541`; did you mean ld2" in capsys.readouterr().err
    assert hil(["peer", "ld2451", "--baud", "0"]) == 2
    assert hil(["peer", "ld2451", "--fault", "dead"]) == 2
    (tmp_path / "mine").write_text("precious")
    assert hil(["peer", "ld2451", "--link", str(tmp_path / "mine")]) == 2
    assert (tmp_path / "mine").read_text() == "precious"


@pytest.mark.parametrize("fault", ["silent", "babbling"])
def test_a_fault_to_order_is_found(fault: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    link = tmp_path / "radar-1"
    words = ["peer", "ld2451", "--fault", fault, "--link", str(link)]
    behind = subprocess.Popen([sys.executable, "-m", "hil", *words], stdout=subprocess.PIPE, text=True)
    try:
        assert behind.stdout is not None
        assert behind.stdout.readline().endswith(f": {fault}\n")
        assert behind.stdout.readline() == f"try:  leeze-drivers probe ld2451 --port {link}\n"
        assert drivers(["probe", "ld2451", "--port", str(link), "--seconds", "0.4"]) == 1
        assert f": {fault}" in capsys.readouterr().out
    finally:
        behind.send_signal(signal.SIGINT)
        rest, _ = behind.communicate(timeout=20)
    assert (behind.returncode, rest) == (130, "")
    assert not link.is_symlink()


def test_no_wire_leaves_a_thread_behind() -> None:
    with wire("atxled") as behind:
        assert behind.fault is None
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pty ")]
