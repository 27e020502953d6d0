"""A wire that can be cut."""

from __future__ import annotations

from drivers.errors import LinkLost
from drivers.links.memory import MemoryLink


class CutWire(MemoryLink):
    """One end of a wire: while `cut`, nothing leaves it. Its other end is `far`."""

    cut = False

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.far = MemoryLink(name)
        self.far.far = self

    def write(self, data: bytes, t_ns: int) -> None:
        if self.cut:
            raise LinkLost(self.name, t_ns, "unplugged", data)
        super().write(data, t_ns)
