"""An unmodified gpiozero program, in a process of its own, on pins that end at the rig."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import SystemClock
from drivers.line_events import FREE, PULSE, PWM, SET, LineEvent, encode
from drivers.links.memory import memory_pair
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S
from hil.peers.gpio_factory import LeezeFactory
from hil.peers.gpio_lines import GREETING, LinesPeer
from hil.peers.gpio_stream import GpioSocket, lines_at

ROOT = Path(__file__).parents[2]
CLOCK = SystemClock()
PROGRAM = """
from signal import pause
from gpiozero import LED, Button, DigitalOutputDevice, PWMLED

led = LED(17)
lamp = PWMLED(18, frequency=1000)
relay = DigitalOutputDevice(5, active_high=False, initial_value=False)
button = Button(24, pull_up=True)
door = Button(25, pull_up=True)


def pressed():
    led.on()
    lamp.value = 0.25


def released():
    led.off()
    relay.on()


button.when_pressed = pressed
button.when_released = released
print("door", "closed" if door.is_pressed else "open", flush=True)
pause()
"""


@pytest.fixture
def registered(tmp_path: Path) -> dict[str, str]:
    """An environment in which gpiozero finds our factory by name, as an installed distribution would make it."""
    info = tmp_path / "site" / "leeze_pins-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: leeze-pins\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[gpiozero_pin_factories]\nleeze = hil.peers.gpio_factory:LeezeFactory\n")
    path = f"{info.parent}{os.pathsep}{ROOT}"
    return os.environ | {"PYTHONPATH": path, "GPIOZERO_PIN_FACTORY": "leeze", "LEEZE_GPIO": str(tmp_path / "gpio")}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[tuple[LinesPeer, GpioSocket]]:
    lines, link = lines_at("rig", tmp_path / "gpio", {24: 1, 25: 0})
    yield lines, link
    link.close()


def until(link: GpioSocket, true: Callable[[], Any], program: subprocess.Popen[str] | None = None) -> None:
    deadline_ns = CLOCK.now_ns() + 30 * NS_PER_S
    poll = select.poll()
    fd = link.fileno()
    assert fd is not None
    poll.register(fd, select.POLLIN)
    while not true():
        assert program is None or program.poll() is None, "the program has ended"
        assert CLOCK.now_ns() < deadline_ns, "never came"
        poll.poll(20)
        link.pump(CLOCK.now_ns())


@contextlib.contextmanager
def serving(link: GpioSocket) -> Iterator[None]:
    """The rig at work in a thread, for pins in this very process."""
    stop = threading.Event()

    def serve() -> None:
        until(link, stop.is_set)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_an_unmodified_program_is_seen_and_driven_by_the_rig(
    registered: dict[str, str], rig: tuple[LinesPeer, GpioSocket]
) -> None:
    lines, link = rig
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell may ignore it
    program = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM], env=registered, text=True, stdout=subprocess.PIPE
    )
    signal.signal(signal.SIGINT, before)
    try:
        assert program.stdout is not None
        out = program.stdout
        # all outputs are there, the relay off (its input is low-active), and the door was known from the start
        until(link, lambda: select.select([out], [], [], 0)[0], program)
        assert out.readline() == "door closed\n"
        assert (lines.level(17), lines.level(18), lines.level(5), lines.level(24)) == (0, 0, 1, None)
        assert lines.pwm(18) == (NS_PER_MS, 0)
        lines.drive(24, 0, CLOCK.now_ns())
        until(link, lambda: lines.level(17) == 1 and lines.pwm(18) == (NS_PER_MS, 250_000), program)
        lines.drive(24, 1, CLOCK.now_ns())
        until(link, lambda: lines.level(17) == 0 and lines.level(5) == 0, program)
        program.send_signal(signal.SIGINT)
        until(link, lambda: not link.is_connected)
        assert program.wait(30) != 0
        assert [lines.level(line) for line in (17, 18, 5)] == [None, None, None]
        kinds = {event.kind for _, event in lines.heard}
        assert kinds == {SET, PWM, FREE}
    finally:
        program.kill()
        program.wait()
        if program.stdout is not None:
            program.stdout.close()


def test_a_program_that_is_killed_holds_no_line_any_more(
    registered: dict[str, str], rig: tuple[LinesPeer, GpioSocket]
) -> None:
    lines, link = rig
    with subprocess.Popen(
        [sys.executable, "-c", "from gpiozero import LED\nled = LED(17, initial_value=True)\ninput()"],
        env=registered,
        stdin=subprocess.PIPE,
    ) as program:
        until(link, lambda: lines.level(17) == 1)
        program.kill()
        until(link, lambda: not link.is_connected)
    assert lines.level(17) is None


def test_a_program_without_a_rig_says_so(registered: dict[str, str], tmp_path: Path) -> None:
    code = "from gpiozero import LED\nLED(17)"
    for place, said in ((str(tmp_path / "nowhere"), "FileNotFoundError"), ("", "LEEZE_GPIO names no socket")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=registered | {"LEEZE_GPIO": place},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert said in done.stderr


def test_a_terminal_does_as_well_as_a_socket() -> None:
    from hil.benches.pty_wire import PtyWire

    with PtyWire("pins", 0) as wire:
        lines = LinesPeer("rig", wire.far, {24: 1})
        factory = LeezeFactory(wire.path)
        try:
            assert factory.pin(24).state == 1
            factory.pin(17).output_with_state(1)
            deadline_ns = CLOCK.now_ns() + 10 * NS_PER_S
            while lines.level(17) != 1:
                assert CLOCK.now_ns() < deadline_ns
                select.select([], [], [], 0.005)
        finally:
            factory.close()


def test_pins_of_a_rig_that_has_gone_have_no_level(rig: tuple[LinesPeer, GpioSocket]) -> None:
    _, link = rig
    with serving(link):
        factory = LeezeFactory(str(link.path))
        pin = factory.pin(24)
        assert pin.state == 1
    link.close()
    deadline_ns = CLOCK.now_ns() + 10 * NS_PER_S
    while not factory.is_lost:
        assert CLOCK.now_ns() < deadline_ns
        select.select([], [], [], 0.005)
    with pytest.raises(ConnectionError, match="the rig is gone"):
        _ = pin.state
    factory.close()
    factory.close()


def test_pins_refuse_what_pins_of_a_pi_refuse(rig: tuple[LinesPeer, GpioSocket]) -> None:
    from gpiozero import exc

    with serving(rig[1]):
        factory = LeezeFactory(str(rig[1].path))
        pin, fixed = factory.pin(17), factory.pin(2)
        assert (fixed.pull, fixed.state, pin.pull, pin.state) == ("up", 1, "floating", 0)
        wrongs: list[tuple[type[Exception], Callable[[], Any]]] = [
            (exc.PinSetInput, lambda: setattr(pin, "state", 1)),
            (exc.PinPWMFixedValue, lambda: setattr(pin, "frequency", 100)),
            (exc.PinInvalidPull, lambda: setattr(pin, "pull", "left")),
            (exc.PinFixedPull, lambda: setattr(fixed, "pull", "floating")),
            (exc.PinInvalidFunction, lambda: setattr(pin, "function", "i2c")),
            (exc.PinInvalidBounce, lambda: setattr(pin, "bounce", -1)),
            (exc.PinInvalidEdges, lambda: setattr(pin, "edges", "some")),
        ]
        for kind, wrong in wrongs:
            with pytest.raises(kind):
                wrong()
        pin.function = "output"
        for kind, wrong in (
            (exc.PinInvalidState, lambda: setattr(pin, "state", 2)),
            (exc.PinFixedPull, lambda: setattr(pin, "pull", "up")),
        ):
            with pytest.raises(kind):
                wrong()
        assert (pin.function, pin.frequency, pin.bounce, pin.edges) == ("output", None, None, "both")
        factory.close()


def test_a_pin_tells_the_edges_it_was_asked_for_and_is_deaf_for_its_bounce_time(
    rig: tuple[LinesPeer, GpioSocket],
) -> None:
    lines, link = rig
    seen: list[tuple[float, int]] = []

    def changed(ticks: float, state: int) -> None:
        seen.append((ticks, state))

    with serving(link):
        factory = LeezeFactory(str(link.path))
        falling, deaf = factory.pin(24), factory.pin(25)
        falling.edges = "falling"
        deaf.bounce = 0.5
        for pin in (falling, deaf):
            pin.when_changed = changed
        for line, value, t_ns in (
            (24, 0, 1_000_000_000),
            (24, 1, 2_000_000_000),
            (25, 1, 3_000_000_000),
            (25, 0, 3_400_000_000),  # within half a second
            (25, 1, 3_450_000_000),
            (25, 0, 4_000_000_000),
        ):
            lines.drive(line, value, t_ns)
        deadline_ns = CLOCK.now_ns() + 10 * NS_PER_S
        while len(seen) < 3:
            assert CLOCK.now_ns() < deadline_ns
            select.select([], [], [], 0.005)
        assert seen == [(1.0, 0), (3.0, 1), (4.0, 0)]
        assert factory.ticks_diff(factory.ticks(), 1.0) > 0
        factory.close()


def test_a_new_program_takes_the_place_of_the_old(rig: tuple[LinesPeer, GpioSocket]) -> None:
    lines, link = rig
    with serving(link):
        old = LeezeFactory(str(link.path))
        old.pin(17).output_with_state(1)
        new = LeezeFactory(str(link.path))
        new.pin(18).output_with_state(1)
        deadline_ns = CLOCK.now_ns() + 10 * NS_PER_S
        while not old.is_lost or lines.level(18) != 1:
            assert CLOCK.now_ns() < deadline_ns
            select.select([], [], [], 0.005)
        assert lines.level(17) is None
        old.close()
        new.close()


# The same peer on a wire in the process, in virtual time.


def wired() -> tuple[LinesPeer, Any, list[bytes], list[tuple[int, int, int]]]:
    near, far = memory_pair("yard")
    heard: list[bytes] = []
    near.receiver = lambda data, t_ns: heard.append(data)
    peer = LinesPeer("yard/lines", far, {24: 0})
    changes: list[tuple[int, int, int]] = []
    peer.on_change = lambda line, level, t_ns: changes.append((line, level, t_ns))
    return peer, near, heard, changes


def test_in_the_process_the_peer_ends_pulses_and_holds_at_their_time() -> None:
    peer, near, _, changes = wired()
    near.write(encode(LineEvent(23, PULSE, 1, 10_000)), 5)
    near.write(encode(LineEvent(5, 4, 1, NS_PER_S)), 6)
    near.write(encode(LineEvent(5, 4, 1, NS_PER_S)), 500)
    assert peer.wake_ns == 10_005
    peer.run(10_005)
    assert peer.wake_ns == NS_PER_S + 500
    peer.run(peer.wake_ns)
    assert changes == [(23, 1, 5), (5, 1, 6), (23, 0, 10_005), (5, 0, NS_PER_S + 500)]
    assert peer.wake_ns == FOREVER_NS


def test_an_input_is_told_once_and_a_greeting_is_answered_with_all_levels() -> None:
    peer, near, heard, _ = wired()
    peer.drive(24, 1, 7)
    peer.drive(24, 1, 8)
    assert heard == [encode(LineEvent(24, 1, 1, 7))]
    near.write(encode(LineEvent(GREETING, FREE, 0)), 9)
    assert heard[1:] == [encode(LineEvent(24, 1, 1, 9)), encode(LineEvent(GREETING, 1, 0, 9))]
    assert list(peer.heard) == []


def test_a_snapshot_in_the_middle_of_a_hold_goes_on_as_the_original() -> None:
    import json

    peer, near, _, changes = wired()
    near.write(encode(LineEvent(5, 4, 1, NS_PER_S)), 6)
    near.write(encode(LineEvent(18, PWM, 0, 1000 << 32 | 400))[:5], 7)
    state = json.loads(json.dumps(peer.snapshot()))
    other, near2, _, changes2 = wired()
    other.restore(state)
    for one, link in ((peer, near), (other, near2)):
        link.write(encode(LineEvent(18, PWM, 0, 1000 << 32 | 400))[5:], 8)
        assert one.pwm(18) == (1000, 400)
        one.run(one.wake_ns)
        assert one.level(5) == 0
    assert changes[1:] == changes2
