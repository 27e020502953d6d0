"""What a flight recorder's queue holds: tuples of (kind, bytes it counts for, ...).

PASSED    wire, outward, data, t_ns
REPEATED  wire, frame, first_ns, last_ns, count
LINE      wire, baud, parity, stopbits, t_ns
LOST      wire, t_ns, detail
MARK      what, t_ns
LATE      due_ns, from_ns
WALL      t_ns, utc_ns, synchronised
OBSERVED  tick, t_ns, allowed
TICKS     t_ns, ran                          a block ends here: a digest belongs behind it
GAP       from_ns, to_ns, records
SNAPSHOT  ticked_ns, state as JSON           the next file begins here
ORDERED   value                              a Message: what somebody ordered at the control socket
MEASURED  value                              what a meter said; for the account, not for a re-run
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

DEFAULT_FOLDER: Final = Path("/var/lib/leeze/flight")

PASSED: Final = 0
REPEATED: Final = 1
LINE: Final = 2
LOST: Final = 3
MARK: Final = 4
LATE: Final = 5
WALL: Final = 6
OBSERVED: Final = 7
TICKS: Final = 8
GAP: Final = 9
SNAPSHOT: Final = 10
MEASURED: Final = 11
ORDERED: Final = 12

ITEM_B: Final = 256
"""What a record counts for beside its bytes: a tuple, its numbers, its place in the queue."""

Item = tuple[Any, ...]
