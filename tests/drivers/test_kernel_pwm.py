"""Kernel PWM on a folder that behaves as the kernel's: what it refuses, and in which order it wants things."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.clock import SystemClock
from drivers.errors import InputError, LinkLost, OutOfRange
from drivers.line_events import PWM, SET, LineEvent, encode, encode_pwm
from drivers.links.kernel_pwm import BACK_OFF_MIN_NS, KernelPwmLink, overlay, write_text
from drivers.links.poll import WirePoll
from drivers.units import FOREVER_NS, NS_PER_MS, NS_PER_S


class Kernel:
    """A /sys/class/pwm: files, and the kernel's rules at each write (drivers/pwm/sysfs.c)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.written: list[tuple[str, str]] = []
        self.refuses: int | None = None
        self.shortest_ns = 100

    def add(self, number: int, device: str, channels: int) -> Path:
        platform = self.root / "devices" / device
        chip = platform / "pwm" / f"pwmchip{number}"
        chip.mkdir(parents=True)
        (chip / "device").symlink_to(platform)
        (chip / "npwm").write_text(f"{channels}\n")
        for name in ("export", "unexport"):
            (chip / name).write_text("")
        (self.root / f"pwmchip{number}").symlink_to(chip)
        return self.root / f"pwmchip{number}"

    def write(self, path: Path, text: str) -> None:
        if self.refuses is not None:
            raise OSError(self.refuses, os.strerror(self.refuses), str(path))
        if path.name == "export":
            place = path.parent / f"pwm{text}"
            place.mkdir()
            for name, value in (("period", "0"), ("duty_cycle", "0"), ("enable", "0"), ("polarity", "normal")):
                (place / name).write_text(value + "\n")
        else:
            period, duty = int((path.parent / "period").read_text()), int((path.parent / "duty_cycle").read_text())
            enabled = (path.parent / "enable").read_text().strip() == "1"
            wrong = {
                "period": lambda: int(text) < max(duty, self.shortest_ns),
                "duty_cycle": lambda: int(text) > period,
                "enable": lambda: text == "1" and not period,
                "polarity": lambda: enabled,
            }[path.name]()
            if wrong:
                raise OSError(errno.EINVAL, "Invalid argument", str(path))
            path.write_text(text + "\n")
        self.written.append((path.name, text))


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def linked(kernel: Kernel, *channels: int, chip: str = "header", inverted: bool = False) -> KernelPwmLink:
    return KernelPwmLink("lamps", channels or (0,), chip=chip, inverted=inverted, root=kernel.root, write=kernel.write)


def shows(chip: Path, channel: int = 0) -> tuple[int, int, int]:
    place = chip / f"pwm{channel}"
    return tuple(int((place / name).read_text()) for name in ("period", "duty_cycle", "enable"))  # type: ignore[return-value]


def test_a_channel_is_exported_given_a_period_then_a_share_and_switched_on_last(kernel: Kernel) -> None:
    chip = kernel.add(0, "fe20c000.pwm", 2)
    link = linked(kernel)
    link.open(0)
    link.write(encode_pwm(0, NS_PER_MS, 250_000), 1)
    assert kernel.written == [("export", "0"), ("period", "1000000"), ("duty_cycle", "250000"), ("enable", "1")]
    assert shows(chip) == (NS_PER_MS, 250_000, 1)
    link.write(encode_pwm(0, NS_PER_MS, 250_001), 2)
    assert kernel.written[4:] == [("duty_cycle", "250001")]


def test_off_is_a_period_of_0_and_on_again_finds_its_values(kernel: Kernel) -> None:
    chip = kernel.add(0, "3f20c000.pwm", 2)
    link = linked(kernel)
    link.open(0)
    link.write(encode_pwm(0, 0, 0) + encode_pwm(0, NS_PER_MS, 7) + encode_pwm(0, 0, 0), 1)
    assert shows(chip) == (NS_PER_MS, 7, 0)
    link.write(encode_pwm(0, NS_PER_MS, 7), 2)
    assert shows(chip) == (NS_PER_MS, 7, 1)


PERIODS = st.integers(100, 10_000)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=60
)
@given(orders=st.lists(st.tuples(PERIODS, st.integers(0, 1000)), min_size=1, max_size=12))
def test_at_no_moment_is_it_on_for_longer_than_its_period(
    tmp_path_factory: pytest.TempPathFactory, orders: list[tuple[int, int]]
) -> None:
    kernel = Kernel(tmp_path_factory.mktemp("pwm"))
    chip = kernel.add(0, "fe20c000.pwm", 2)
    link = linked(kernel)
    link.open(0)
    for period_ns, per_mille in orders:
        link.write(encode_pwm(0, period_ns, period_ns * per_mille // 1000), 0)  # the kernel would refuse
        assert shows(chip) == (period_ns, period_ns * per_mille // 1000, 1)


def test_the_header_of_a_pi_5_is_found_by_its_device_whatever_its_number(kernel: Kernel) -> None:
    fan = kernel.add(0, "1f0009c000.pwm", 4)
    header = kernel.add(6, "1f00098000.pwm", 4)
    link = linked(kernel, 0, 2)
    link.open(0)
    link.write(encode_pwm(2, 1000, 500), 0)
    assert shows(header, 2) == (1000, 500, 1)
    assert not list(fan.glob("pwm?"))


@pytest.mark.parametrize("chip", ["pwmchip3", "1f0009c000.pwm"])
def test_a_chip_can_be_named_by_its_number_or_its_device(kernel: Kernel, chip: str) -> None:
    fan = kernel.add(3, "1f0009c000.pwm", 4)
    kernel.add(0, "1f00098000.pwm", 4)
    link = linked(kernel, 3, chip=chip)
    link.open(0)
    assert (fan / "pwm3").is_dir()


def test_a_chip_can_be_named_by_its_path(kernel: Kernel) -> None:
    chip = kernel.add(3, "odd.pwm", 1)
    KernelPwmLink("lamps", [0], chip=str(chip), write=kernel.write).open(0)
    assert (chip / "pwm0").is_dir()


def test_what_runs_already_goes_on_until_the_first_message_and_after_the_last(kernel: Kernel) -> None:
    chip = kernel.add(0, "fe20c000.pwm", 2)
    first = linked(kernel)
    first.open(0)
    first.write(encode_pwm(0, 5000, 4000), 0)
    first.close()
    first.close()
    second = linked(kernel)
    second.open(0)
    assert shows(chip) == (5000, 4000, 1)
    kernel.written.clear()
    second.write(encode_pwm(0, 5000, 4000), 0)
    assert kernel.written == []
    second.write(encode_pwm(0, 3000, 200), 0)
    assert kernel.written == [("duty_cycle", "200"), ("period", "3000")]


def test_polarity_is_set_while_the_channel_is_off(kernel: Kernel) -> None:
    chip = kernel.add(0, "fe20c000.pwm", 2)
    link = linked(kernel)
    link.open(0)
    link.write(encode_pwm(0, 5000, 4000), 0)
    link.close()
    link = linked(kernel, inverted=True)
    link.open(0)
    assert (chip / "pwm0" / "polarity").read_text() == "inversed\n"
    assert shows(chip) == (5000, 4000, 0)
    link.write(encode_pwm(0, 5000, 4000), 0)
    assert shows(chip) == (5000, 4000, 1)
    link.close()
    linked(kernel, inverted=True).open(0)
    assert shows(chip) == (5000, 4000, 1)


def test_without_a_chip_it_says_which_line_to_add(kernel: Kernel) -> None:
    link = linked(kernel)
    with pytest.raises(LinkLost) as lost:
        link.open(0)
    assert "no PWM chip at all" in lost.value.detail
    assert "add `dtoverlay=pwm-2chan,pin=12,func=4,pin2=13,func2=4`" in lost.value.detail
    kernel.add(0, "1f0009c000.pwm", 4)
    with pytest.raises(LinkLost, match=r"not there \(1f0009c000.pwm\)"):
        linked(kernel).open(0)
    with pytest.raises(LinkLost, match="no such chip"):
        linked(kernel, chip="pwmchip7").open(0)


def test_a_channel_that_the_chip_does_not_have_is_said_with_those_it_has(kernel: Kernel) -> None:
    kernel.add(0, "fe20c000.pwm", 2)
    with pytest.raises(LinkLost, match="it has channels 0 to 1"):
        linked(kernel, 2).open(0)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "usermod -aG gpio USER"),
        (errno.EBUSY, "dtparam=audio=off"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_what_the_kernel_refuses_at_first_use_becomes_what_to_do(kernel: Kernel, number: int, said: str) -> None:
    kernel.add(0, "fe20c000.pwm", 2)
    kernel.refuses = number
    link = linked(kernel)
    with pytest.raises(LinkLost, match=said):
        link.open(0)
    assert said in link.trouble


def test_a_channel_that_udev_has_not_handed_over_yet_is_tried_again(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.add(0, "fe20c000.pwm", 2)
    link = linked(kernel)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    link.advance(0)
    assert (link.is_open, link.wake_ns) == (False, BACK_OFF_MIN_NS)
    assert "no permission" in link.trouble
    monkeypatch.undo()
    link.advance(BACK_OFF_MIN_NS - 1)
    assert not link.is_open
    link.pump(BACK_OFF_MIN_NS)
    assert (link.is_open, link.trouble, link.wake_ns) == (True, "", FOREVER_NS)


def test_a_period_that_the_hardware_cannot_do_is_out_of_range_and_loses_nothing(kernel: Kernel) -> None:
    kernel.add(0, "fe20c000.pwm", 2)
    link = linked(kernel)
    link.open(0)
    with pytest.raises(OutOfRange, match="takes no period of 99 ns"):
        link.write(encode_pwm(0, 99, 5), 0)
    assert link.is_open


def test_a_chip_that_goes_is_a_lost_link_that_comes_back(kernel: Kernel) -> None:
    kernel.add(0, "fe20c000.pwm", 2)
    link = linked(kernel)
    link.open(0)
    kernel.refuses = errno.ENODEV
    with pytest.raises(LinkLost):
        link.write(encode_pwm(0, 1000, 5), NS_PER_S)
    with pytest.raises(LinkLost):
        link.write(encode_pwm(0, 1000, 5), NS_PER_S)
    kernel.refuses = None
    link.advance(link.wake_ns)
    link.write(encode_pwm(0, 1000, 5), 2 * NS_PER_S)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (LineEvent(0, SET, 1), "only PWM messages"),
        (LineEvent(1, PWM, 0, 1000 << 32 | 5), "channel 1 is none of this wire"),
        (LineEvent(0, PWM, 0, 4 << 32 | 5), "on for 5 of 4 ns"),
    ],
)
def test_what_is_no_order_for_pwm_is_refused(kernel: Kernel, event: LineEvent, said: str) -> None:
    kernel.add(0, "fe20c000.pwm", 2)
    link = linked(kernel)
    link.open(0)
    with pytest.raises(OutOfRange, match=said):
        link.write(encode(event), 0)


def test_a_wire_poll_opens_it_and_does_not_ask_it_at_every_tick(kernel: Kernel) -> None:
    kernel.add(0, "fe20c000.pwm", 2)
    link = linked(kernel)
    wires = WirePoll([link], SystemClock(), 20 * NS_PER_MS)
    wires.pump(5)
    assert (link.is_open, wires.troubles, wires.wake_ns(5)) == (True, {}, FOREVER_NS)
    link.close()
    assert link.fileno() is None


def test_plain_files_are_written_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "duty_cycle").write_text("")
    write_text(tmp_path / "duty_cycle", "17")
    assert (tmp_path / "duty_cycle").read_text() == "17"
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "period", "17")
    assert not (tmp_path / "period").exists()


@pytest.mark.parametrize(
    ("gpios", "line"),
    [
        ((18,), "dtoverlay=pwm,pin=18,func=2"),
        ((12, 13), "dtoverlay=pwm-2chan,pin=12,func=4,pin2=13,func2=4"),
        ((19, 18), "dtoverlay=pwm-2chan,pin=18,func=2,pin2=19,func2=2"),
        ((13, 18), "dtoverlay=pwm-2chan,pin=18,func=2,pin2=13,func2=4"),
    ],
)
def test_the_line_of_config_txt_for_pins(gpios: tuple[int, ...], line: str) -> None:
    assert overlay(gpios) == line


@pytest.mark.parametrize("gpios", [(), (17,), (12, 13, 18)])
def test_pins_without_hardware_pwm_have_no_line(gpios: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="one or two of 12, 13, 18 and 19"):
        overlay(gpios)


@pytest.mark.parametrize("channels", [(), (-1,), (64,)])
def test_channels_that_no_chip_has_are_refused(channels: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="PWM channels"):
        KernelPwmLink("lamps", channels)
