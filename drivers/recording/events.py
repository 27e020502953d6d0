"""What a trace holds, as read back: one struct a kind of record, each with `t_ns` (monotonic) first."""

from __future__ import annotations

from typing import Any

import msgspec


class Wire(msgspec.Struct, frozen=True):
    """One wire of a trace, e.g. ``Wire("lamp", "radar-1", "ld2451", bytes.fromhex("f4f3f2f10000f8f7f6f5"))``.

    `content` names what runs on it; `idle` is the frame it repeats when nothing happens, empty if there is none.
    """

    board: str
    name: str
    content: str = ""
    idle: bytes = b""


class WireBytes(msgspec.Struct, frozen=True, gc=False, tag=True):
    """`data` passed on a wire: outward from the board, or in to it."""

    t_ns: int
    board: str
    wire: str
    outward: bool
    data: bytes


class Repeated(msgspec.Struct, frozen=True, gc=False, tag=True):
    """`frame` came in `count` times from `first_ns` to `last_ns` (= `t_ns`); nothing else came in on the wire."""

    t_ns: int
    board: str
    wire: str
    frame: bytes
    first_ns: int
    last_ns: int
    count: int


class Line(msgspec.Struct, frozen=True, gc=False, tag=True):
    """From `t_ns` on the wire runs at `baud`, `parity` N, E or O, and `stopbits`."""

    t_ns: int
    board: str
    wire: str
    baud: int
    parity: str
    stopbits: float


class Value(msgspec.Struct, frozen=True, tag=True):
    """What a driver made of bytes. `kind` is the quantity's name; ``msgspec.convert(body, Quantity)`` restores it."""

    t_ns: int
    board: str
    source: str
    kind: str
    body: dict[str, Any]


class Tick(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The scan cycle with number `tick` began."""

    t_ns: int
    board: str
    tick: int


class Decision(msgspec.Struct, frozen=True, tag=True):
    """A command that passed the last gate. Bytes stand as hex in keys that end in ``_hex``."""

    t_ns: int
    board: str
    body: dict[str, Any]


class Wall(msgspec.Struct, frozen=True, gc=False, tag=True):
    """At `t_ns` it was `utc_ns` (since 1970); trust it only if `synchronised`."""

    t_ns: int
    utc_ns: int
    synchronised: bool


class Snapshot(msgspec.Struct, frozen=True, tag=True):
    """All state of a board at `t_ns`; a run can go on from here."""

    t_ns: int
    board: str
    state: dict[str, Any]


class Other(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A message of a topic that is none of ours."""

    t_ns: int
    topic: str
    data: bytes


class Late(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The loop came too late for the ticks from `due_ns` to before `from_ns`: none of them ran. `t_ns` is `due_ns`."""

    t_ns: int
    board: str
    due_ns: int
    from_ns: int


class Lost(msgspec.Struct, frozen=True, gc=False, tag=True):
    """What was recorded last to go out on `wire` raised LinkLost with `detail`, or a change of its line did."""

    t_ns: int
    board: str
    wire: str
    detail: str = ""


class Mark(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The controller was ``"started"``, or began its clean stop: ``"stopping"``."""

    t_ns: int
    board: str
    what: str


class Ticks(msgspec.Struct, frozen=True, gc=False, tag=True):
    """`ran` scan cycles ran since the last such record, or since the file began; those left out do not count."""

    t_ns: int
    board: str
    ran: int


class Gap(msgspec.Struct, frozen=True, gc=False, tag=True):
    """`records` of the time from `from_ns` to `to_ns` (= `t_ns`) were lost: they came faster than could be written."""

    t_ns: int
    board: str
    from_ns: int
    to_ns: int
    records: int


class Digest(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Chain value, as hex, of everything the file holds of `board` before this record (drivers.recording.digest)."""

    t_ns: int
    board: str
    digest: str


Event = (
    WireBytes
    | Repeated
    | Line
    | Value
    | Tick
    | Decision
    | Wall
    | Snapshot
    | Late
    | Lost
    | Mark
    | Ticks
    | Gap
    | Digest
    | Other
)
