"""The watch for frozen values: a part that keeps talking, but says the same thing for too long, does not measure."""

from __future__ import annotations

from typing import Any

from drivers.units import FOREVER_NS


class FrozenWatch:
    """Notices a value that repeats exactly, without any change, for `frozen_ns` while reports keep coming.

    Give `saw` what the part said, as raw as it comes: the raw value trembles, a rounded one stands. What may rightly
    stand for hours (nobody in view, an idle frame) is given as None: that is never frozen, and ends what was. One
    report is no repetition, so a single one is not frozen either. Silence is not for this watch to notice; call
    `forget` when it was.

    An ultrasonic sensor before a parked car trembles by a millimetre, and where it does not, the air's temperature
    moves its reading by 1.7 mm a metre and degree. So an hour is a fair `frozen_ns` outdoors; minutes are not.

    Args:
        frozen_ns: how long is too long, e.g. 3600 s; 0: never, the watch is off.
    """

    def __init__(self, frozen_ns: int) -> None:
        self.wake_ns = FOREVER_NS
        """When the value in force will have stood for too long; FOREVER_NS where it may, or was said only once."""
        self._frozen_ns = frozen_ns
        self._key: object = None
        self._since_ns = 0

    def saw(self, key: object, t_ns: int) -> None:
        """A report came. `key` is what it said: a number, text, bytes, or a tuple or list of such; None may stand."""
        kind = type(key)
        if kind is list or kind is tuple:
            key = _settled(key)
        if key is None or key != self._key:
            self._key, self._since_ns = key, t_ns
            self.wake_ns = FOREVER_NS
        elif self._frozen_ns > 0:
            self.wake_ns = self._since_ns + self._frozen_ns

    def frozen(self, now_ns: int) -> bool:
        """True from `wake_ns` on, until another value comes."""
        return now_ns >= self.wake_ns

    def forget(self) -> None:
        """What was said before a silence does not count: a value that is the same after it has not been watched."""
        self.saw(None, 0)

    def snapshot(self) -> dict[str, Any]:
        """All state, as JSON-able values."""
        key = {"hex": self._key.hex()} if isinstance(self._key, bytes) else self._key
        return {"wake_ns": self.wake_ns, "key": key, "since_ns": self._since_ns}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self.wake_ns, self._since_ns = state["wake_ns"], state["since_ns"]
        key = state["key"]
        self._key = bytes.fromhex(key["hex"]) if isinstance(key, dict) else _settled(key)


def _settled(key: object) -> object:
    """Lists, which JSON makes of tuples, as tuples: equal before and after."""
    return tuple(_settled(part) for part in key) if isinstance(key, list | tuple) else key
