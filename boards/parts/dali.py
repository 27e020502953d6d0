"""DALI lamps behind a gateway; the lamps of one wire share gateway and bus."""

from __future__ import annotations

from boards.keys import DeviceKeys, ShortAddress
from boards.parts.part import Assembly, Hookup, Part, Terminal


class Atxled(DeviceKeys, frozen=True, kw_only=True, tag="atxled", tag_field="part"):
    """A DALI lamp behind an ATX-LED DALI gateway; lamps of one `wire` share the gateway and its bus."""

    short_address: ShortAddress


def _atxled(board: Assembly, name: str, said: Atxled) -> None:
    from drivers.buses.dali import DaliBus
    from drivers.devices.lamp import DaliLamp

    bus = board.bus(said.wire, DaliBus, lambda: DaliBus(said.wire, board.link(said.wire), emit=board.emit))
    board.lamps[name] = DaliLamp(name, bus, said.short_address)


PARTS = (
    Part(
        keys=Atxled,
        title="DALI lamp, ATX-LED gateway",
        content=lambda said: "dali",
        bauds=(19_200,),
        shares="dali",
        address=lambda said: int(said.short_address),
        address_key="short_address",
        addresses=range(64),
        hookup=Hookup(
            signal="ttl-3v3",
            terminals=(
                Terminal("TX", "tx"),
                Terminal("RX", "rx"),
                Terminal("GND", "gnd"),
                Terminal("5V", "supply"),
                Terminal("DA", "da"),
                Terminal("DA", "da"),
            ),
            supply="5 V from the header; the DALI line has a bus supply of its own (16 V, 250 mA at most)",
            note="The DALI pair has no polarity; the bus supply goes through the relay's contact.",
            source="IEC 62386-101 for the line; the HAT sits on the header",
        ),
        make=_atxled,
    ),
)
