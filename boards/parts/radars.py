"""Hi-Link's radars, which report by themselves and can be told their settings."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from boards.keys import DeviceKeys, FrozenS, StaleMs
from boards.parts.part import Assembly, Hookup, Part, Terminal
from drivers.units import NS_PER_MS, NS_PER_S

_BAUDS = (9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 256_000, 460_800)  # all three papers, command 0x00A1
_TERMINALS = (Terminal("TX", "tx"), Terminal("RX", "rx"), Terminal("GND", "gnd"), Terminal("VCC", "supply"))

Gate = Annotated[int, msgspec.Meta(ge=2, le=8, description="of 0.75 m each, as delivered")]


class Ld2451(DeviceKeys, frozen=True, kw_only=True, tag="ld2451", tag_field="part"):
    """A radar HLK-LD2451. It sends an idle frame a second, so the default takes it for silent after three.

    Below 1500 ms a radar would look silent between two idle frames. What is said of range, direction, least speed,
    delay, trigger count and SNR level (4 as delivered; more is less sensitive) it is told when it comes and when it
    comes back; what is not said stays as the part has it, and with none of them nothing is written to it.
    """

    stale_ms: Annotated[int, msgspec.Meta(ge=1_500, le=600_000)] = 3_000
    frozen_s: FrozenS = 60
    range_m: Annotated[int, msgspec.Meta(ge=10, le=255)] | None = None
    direction: Literal["away", "approach", "both"] | None = None
    min_speed_kmh: Annotated[int, msgspec.Meta(ge=0, le=120)] | None = None
    no_target_delay_s: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    trigger_count: Annotated[int, msgspec.Meta(ge=1, le=10)] | None = None
    snr_level: Annotated[int, msgspec.Meta(ge=3, le=8)] | None = None


class Ld2450(DeviceKeys, frozen=True, kw_only=True, tag="ld2450", tag_field="part"):
    """A radar HLK-LD2450: places of up to three people, ten reports a second.

    `follow` one target or several; not said: as the part has it. `positive_is_away`: the sign of its speeds, which the
    vendor does not say; walk once to and fro and look at the counters.
    """

    stale_ms: StaleMs = 2_000
    frozen_s: FrozenS = 1_800
    follow: Literal["one", "several"] | None = None
    positive_is_away: bool = True


class Ld2410(DeviceKeys, frozen=True, kw_only=True, tag="ld2410", tag_field="part"):
    """A radar HLK-LD2410, LD2410B or LD2410C: is somebody there, moving or still.

    The last gates that count, and how long somebody lasts who is gone; not said: as the part has it. It may rightly say
    the same for long, so `frozen_s` does not watch unless it is set.
    """

    stale_ms: StaleMs = 2_000
    frozen_s: FrozenS = 0
    last_moving_gate: Gate | None = None
    last_still_gate: Gate | None = None
    unmanned_s: Annotated[int, msgspec.Meta(ge=0, le=65_535)] | None = None


def _ld2451(board: Assembly, name: str, said: Ld2451) -> None:
    from drivers.devices.radar import Ld2451Radar, Ld2451Settings

    board.devices[name] = Ld2451Radar(
        name,
        board.link(said.wire),
        board.emit,
        stale_ns=said.stale_ms * NS_PER_MS,
        frozen_ns=said.frozen_s * NS_PER_S,
        settings=Ld2451Settings(
            range_m=said.range_m,
            direction=said.direction,
            min_speed_kmh=said.min_speed_kmh,
            no_target_delay_s=said.no_target_delay_s,
            trigger_count=said.trigger_count,
            snr_level=said.snr_level,
        ),
    )


def _ld2450(board: Assembly, name: str, said: Ld2450) -> None:
    from drivers.devices.ld2450 import Ld2450Radar

    board.devices[name] = Ld2450Radar(
        name,
        board.link(said.wire),
        board.emit,
        stale_ns=said.stale_ms * NS_PER_MS,
        frozen_ns=said.frozen_s * NS_PER_S,
        follow=said.follow,
        positive_is_away=said.positive_is_away,
    )


def _ld2410(board: Assembly, name: str, said: Ld2410) -> None:
    from drivers.devices.ld2410 import Ld2410Sensor, Ld2410Settings

    board.devices[name] = Ld2410Sensor(
        name,
        board.link(said.wire),
        board.emit,
        stale_ns=said.stale_ms * NS_PER_MS,
        frozen_ns=said.frozen_s * NS_PER_S,
        settings=Ld2410Settings(
            last_moving_gate=said.last_moving_gate,
            last_still_gate=said.last_still_gate,
            unmanned_s=said.unmanned_s,
        ),
    )


PARTS = (
    Part(
        keys=Ld2451,
        title="HLK-LD2451 radar",
        content=lambda said: "ld2451",
        bauds=_BAUDS,
        hookup=Hookup(
            signal="ttl-3v3",
            terminals=_TERMINALS,
            supply="5 V, 300 mA",
            note="5 V for the supply, but 3.3 V on TX and RX: straight to the header, no level shifter.",
            source="Hi-Link, LD2451 serial protocol V1.03",
        ),
        make=_ld2451,
    ),
    Part(
        keys=Ld2450,
        title="HLK-LD2450 radar",
        content=lambda said: "ld2450",
        bauds=_BAUDS,
        hookup=Hookup(
            signal="ttl-3v3",
            terminals=_TERMINALS,
            supply="see the part's manual",
            note="TX and RX straight to the header; the protocol paper names no supply.",
            source="Hi-Link, LD2450 serial protocol V1.03",
        ),
        make=_ld2450,
    ),
    Part(
        keys=Ld2410,
        title="HLK-LD2410 radar",
        content=lambda said: "ld2410",
        bauds=_BAUDS,
        hookup=Hookup(
            signal="ttl-3v3",
            terminals=(
                Terminal("UART_Tx", "tx"),
                Terminal("UART_Rx", "rx"),
                Terminal("GND", "gnd"),
                Terminal("VCC", "supply"),
            ),
            supply="5 V, 200 mA",
            note="5 V for the supply, but 3.3 V on its lines; OUT stays free.",
            source="Hi-Link, LD2410C serial protocol V1.00, 1.1 and 1.2",
        ),
        make=_ld2410,
    ),
)
