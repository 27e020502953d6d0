"""Hi-Link's radars: they report by themselves, and can be told their settings."""

from __future__ import annotations

from typing import Any

from drivers.interfaces import ByteLink, Device, Emit
from drivers.parts.part import Argument, Bench, Decoded, Options, Order, Part

_FAST_FIRST = (256_000, 115_200, 9_600, 19_200, 38_400, 57_600, 230_400, 460_800)
_AS_IT_IS = -1


def _ld2451(data: bytes) -> Decoded:
    from drivers.codecs.ld2451 import decode_events

    return decode_events(data)


def _ld2450(data: bytes) -> Decoded:
    from drivers.codecs.ld2450 import decode_events

    return decode_events(data)


def _ld2410(data: bytes) -> Decoded:
    from drivers.codecs.ld2410 import decode_events

    return decode_events(data)


def _wanted(options: Options, names: tuple[str, ...], *words: str) -> dict[str, Any]:
    """What was said with ``--set``: whole numbers of `names` and `words`; nothing of what was not said."""
    numbers = options.whole(dict.fromkeys(names, _AS_IT_IS), *words)
    said = {word: options.more[word] for word in words if word in options.more}
    return {**{name: number for name, number in numbers.items() if number != _AS_IT_IS}, **said}


def _ld2451_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    """``--set range_m=60``, ``direction=approach``, and the other names of Ld2451Settings."""
    from drivers.devices.radar import Ld2451Radar, Ld2451Settings

    numbers = ("range_m", "min_speed_kmh", "no_target_delay_s", "trigger_count", "snr_level")
    return Ld2451Radar(name, link, emit, settings=Ld2451Settings(**_wanted(options, numbers, "direction")))


def _ld2450_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    """``--set follow=one``."""
    from drivers.devices.ld2450 import Ld2450Radar

    return Ld2450Radar(name, link, emit, **_wanted(options, (), "follow"))


def _ld2410_device(name: str, link: ByteLink, emit: Emit, options: Options) -> Device:
    """``--set last_moving_gate=4``, ``last_still_gate=4``, ``unmanned_s=5``."""
    from drivers.devices.ld2410 import Ld2410Sensor, Ld2410Settings

    numbers = ("last_moving_gate", "last_still_gate", "unmanned_s")
    return Ld2410Sensor(name, link, emit, settings=Ld2410Settings(**_wanted(options, numbers)))


def _orders(read: str) -> tuple[Order, ...]:
    """What all three can be told; `read` is what is read."""

    def simple(name: str, about: str, risk: str = "") -> Order:
        def perform(device: Any, numbers: tuple[int, ...], now_ns: int) -> None:
            device.order(name, (), now_ns)

        return Order(name=name, about=about, risk=risk, perform=perform)

    return (
        simple("version", "ask for the firmware"),
        simple("read-settings", f"read {read}"),
        simple("restart", "start anew"),
        simple(
            "factory-reset", "all settings as they left the factory, and a restart", "overwrites the part's settings"
        ),
    )


def _setting(name: str, about: str, argument: Argument, place: int, count: int) -> Order:
    """An order that changes one of `count` settings: the one at `place`."""

    def perform(device: Any, numbers: tuple[int, ...], now_ns: int) -> None:
        device.order("set", tuple(numbers[0] if n == place else None for n in range(count)), now_ns)

    return Order(name=name, about=about, arguments=(argument,), perform=perform)


def _follow(device: Any, numbers: tuple[int, ...], now_ns: int) -> None:
    device.order("follow", ("one" if numbers[0] == 1 else "several",), now_ns)


PARTS = (
    Part(
        name="ld2451",
        title="HLK-LD2451 radar, 24 GHz: range, speed, direction",
        wire="UART 115200 8N1",
        vendor="all frames of the protocol paper V1.03",
        recording="frames and passes of two public recordings",
        decode=_ld2451,
        bench=Bench(
            bauds=(115_200, 9_600, 19_200, 38_400, 57_600, 230_400, 256_000, 460_800),
            device=_ld2451_device,
            orders=(
                *_orders("range, direction, least speed, delay, trigger count and SNR level"),
                _setting("range", "how far it looks", Argument("range_m", 10, 255, "m"), 0, 6),
                _setting("direction", "which targets it reports", Argument("direction", 0, 2, "0 away … 2 both"), 1, 6),
                _setting("min-speed", "less is not reported", Argument("min_speed_kmh", 0, 120, "km/h"), 2, 6),
                _setting("delay", "how long a lost target lasts", Argument("no_target_delay_s", 0, 255, "s"), 3, 6),
                _setting("trigger", "detections before one counts", Argument("trigger_count", 1, 10), 4, 6),
                _setting("snr", "how far above noise; 4 as delivered", Argument("snr_level", 3, 8), 5, 6),
            ),
        ),
    ),
    Part(
        name="ld2450",
        title="HLK-LD2450 radar, 24 GHz: places and speeds of up to three people, to 6 m",
        wire="UART 256000 8N1",
        vendor="all frames of the protocol paper V1.03; which sign of the speed comes nearer it does not say",
        decode=_ld2450,
        bench=Bench(
            bauds=_FAST_FIRST,
            device=_ld2450_device,
            orders=(
                *_orders("what it follows, and its zones"),
                Order(
                    name="follow",
                    about="follow one target, or several",
                    arguments=(Argument("targets", 1, 3, "1: one; 2, 3: several"),),
                    perform=_follow,
                ),
            ),
        ),
    ),
    Part(
        name="ld2410",
        title="HLK-LD2410, LD2410B, LD2410C radar, 24 GHz: presence, moving or still, to 6 m",
        wire="UART 256000 8N1",
        vendor="the frames of the protocol paper of the LD2410C, V1.00",
        recording="eight real frames in public drivers, 180 lines of gate energies of three public logs",
        decode=_ld2410,
        bench=Bench(
            bauds=_FAST_FIRST,
            device=_ld2410_device,
            orders=(
                *_orders("gates, sensitivities and delay"),
                _setting("moving-gate", "last gate for who moves", Argument("last_moving_gate", 2, 8), 0, 3),
                _setting("still-gate", "last gate for who keeps still", Argument("last_still_gate", 2, 8), 1, 3),
                _setting(
                    "unmanned", "how long somebody lasts who is gone", Argument("unmanned_s", 0, 65_535, "s"), 2, 3
                ),
            ),
        ),
    ),
)
