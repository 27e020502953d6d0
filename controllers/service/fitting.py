"""A board as one controller of a lit path uses it: what its file leaves to the site is filled in.

A wire to a neighbour that goes by a broker may name its topics with ``{site}``, ``{controller}`` and ``{neighbour}``,
so that all controllers of a site share one board file::

    [wires.neighbour]
    kind = "mqtt"
    host = "localhost"
    publish = "leeze/{site}/{controller}/to/{neighbour}"
    subscribe = ["leeze/{site}/{neighbour}/to/{controller}"]

The site's ``[broker]`` goes before the host of the file. Whatever the file says, such a wire is QoS 1, tells when the
broker comes and goes, and keeps nothing: a rider announced an hour ago is no rider.
"""

from __future__ import annotations

import msgspec

from boards.schema import BoardDescription
from boards.wires import MqttWire
from controllers.lighting.site import Broker, ControllerSite, LightingSite


def fitted(description: BoardDescription, site: LightingSite, controller: ControllerSite) -> BoardDescription:
    """The board with its wires to neighbours as this controller needs them."""
    wires = dict(description.wires)
    for device, neighbour in controller.neighbours.items():
        said = description.devices.get(device)
        wire = None if said is None else wires.get(said.wire)
        if said is None or not isinstance(wire, MqttWire):
            continue
        names = {"site": site.name, "controller": controller.name, "neighbour": neighbour}
        broker = {} if site.broker is None else {key: getattr(site.broker, key) for key in Broker.__struct_fields__}
        wires[said.wire] = msgspec.structs.replace(
            wire,
            publish=None if wire.publish is None else _filled(wire.publish, names),
            subscribe=tuple(_filled(topic, names) for topic in wire.subscribe),
            qos=1,
            retain=False,
            take_retained=False,
            topics=True,
            **broker,
        )
    return msgspec.structs.replace(description, wires=wires)


def _filled(topic: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        topic = topic.replace("{" + name + "}", value)
    return topic
