"""What a traffic file looks like in numbers: the tables that hil/traffic/generator.py draws from."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hil.traffic.passages import PassageReader
from hil.traffic.ways import KINDS

GROUP_S = 3
"""Who follows within this in the same direction rides together."""


def described(path: Path, zone: ZoneInfo) -> dict[str, Any]:
    """Tables of a traffic file, JSON-able; memory does not grow with it. Raises InputError."""
    hours, up, speeds, kinds, groups = Counter[int](), Counter[int](), Counter[int](), Counter[str](), Counter[int]()
    weekdays: Counter[int] = Counter()
    days: set[str] = set()
    party: dict[int, tuple[int, int]] = {}  # direction: last second, riders
    with PassageReader(path) as reader:
        for one in reader:
            kinds[KINDS.get(one.kind, str(one.kind))] += 1
            if one.kind:
                continue
            local = datetime.fromtimestamp(one.utc_s, zone)
            hours[local.hour] += 1
            weekdays[local.weekday()] += 1
            days.add(local.date().isoformat())
            up[local.hour] += one.direction > 0
            speeds[one.speed_kmh] += 1
            last_s, size = party.get(one.direction, (one.utc_s, 0))
            if one.utc_s - last_s > GROUP_S:
                groups[size] += 1
                size = 0
            party[one.direction] = (one.utc_s, size + 1)
        site = reader.header.site
    groups.update(size for _, size in party.values())
    total, parties = hours.total(), groups.total()
    mean = total / max(1, len(days))
    of_weekday = Counter(datetime.fromisoformat(day).weekday() for day in days)
    return {
        "site": site,
        "days": len(days),
        "riders": total,
        "kinds": dict(sorted(kinds.items())),
        "by_hour_permille": [_share(hours[hour], total, 1000) for hour in range(24)],
        "by_weekday_permille": [
            _share(weekdays[day], round(mean * of_weekday[day]), 1000) if of_weekday[day] else 0 for day in range(7)
        ],
        "up_by_hour_percent": [_share(up[hour], hours[hour], 100) for hour in range(24)],
        "speeds_permille": {str(kmh): _share(count, total, 1000) for kmh, count in speeds.most_common(12)},
        "median_kmh": _median(speeds),
        "groups_permille": {str(size): _share(groups[size], parties, 1000) for size in sorted(groups)[:5]},
    }


def _share(count: int, of: int, scale: int) -> int:
    return round(count * scale / of) if of else 0


def _median(counts: Counter[int]) -> int | None:
    left = counts.total() / 2
    for value in sorted(counts):
        left -= counts[value]
        if left <= 0:
            return value
    return None
