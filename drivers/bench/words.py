"""Values in words, for people at a terminal: ``13.0 m, 3.0 km/h coming, -5 deg``."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.quantities import (
    Climate,
    DeviceHealth,
    Illuminance,
    LampStatus,
    Message,
    PositionReport,
    PowerReading,
    Presence,
    Quantity,
    RadarReport,
    Range,
    SignalState,
    SpeedReport,
    WallTime,
)

_PHASES = ("?", "dark", "flashing red", "red", "red-amber", "green", "green", "amber", "amber", "flashing amber")

ORDINARY = frozenset(
    ("other_messages", "other_station", "per_minute", "mark_far", "mark_undefined", "mark_leap_second", "no_timing")
) | frozenset(("frames", "sent", "connects", "starts", "set_ups", "objects", "speeds_agree", "speeds_differ"))
"""Counters that grow where all is well; every other one tells of something that went wrong."""


def told_apart(counters: Mapping[str, int]) -> tuple[str, str]:
    """What a device has counted, nought left out: ``("sent 3", "no_replies 3")``. Frames are told elsewhere."""
    ordinary, errors = (
        ", ".join(f"{name} {count}" for name, count in counters.items() if count and name in chosen)
        for chosen in (ORDINARY - {"frames"}, counters.keys() - ORDINARY)
    )
    return ordinary, errors


def in_words(value: Quantity) -> str:
    """One line, without its source and time."""
    match value:
        case RadarReport(detections=found):
            return (
                "; ".join(
                    f"{one.distance_mm / 1000:.1f} m, {_speed(one.speed_mm_s)}, {one.angle_deg} deg" for one in found
                )
                or "nothing moves"
            )
        case SpeedReport(speed_mm_s=speed, magnitude=magnitude):
            return _speed(speed) + (f", magnitude {magnitude}" if magnitude is not None else "")
        case PositionReport(positions=found):
            return "; ".join(f"x {p.x_mm} y {p.y_mm} mm, {_speed(p.speed_mm_s)}" for p in found) or "nobody"
        case Presence(moving_mm=moving, still_mm=still):
            said = [f"{what} at {mm} mm" for what, mm in (("moving", moving), ("still", still)) if mm is not None]
            return ", ".join(said) or "nobody"
        case Range(distance_mm=distance):
            return "nothing in range" if distance is None else f"{distance} mm"
        case Climate():
            return _joined(
                (value.temperature_mdegc, 1000, ".2f", "degC"),
                (value.humidity_ppt, 10, ".1f", "% RH"),
                (value.pressure_pa, 100, ".2f", "hPa"),
            )
        case Illuminance(illuminance_mlux=mlux):
            return f"{mlux / 1000:.1f} lx"
        case PowerReading():
            return _joined(
                (value.voltage_mv, 1000, ".2f", "V"),
                (value.current_ma, 1000, ".3f", "A"),
                (value.power_mw, 1000, ".2f", "W"),
                (value.energy_mwh, 1_000_000, ".3f", "kWh"),
            )
        case LampStatus(level=level, failure=failure):
            return failure or ("level not known" if level is None else f"level {level}")
        case SignalState(group=group, phases=phases):
            now = f"{_PHASES[phases[0].state]}" if phases else "no phase"
            likely = phases[0].likely_ms if phases else None
            return f"group {group} {now}" + (f", {likely / 1000:.1f} s left" if likely is not None else "")
        case WallTime(synchronised=synchronised):
            return "wall time" + ("" if synchronised else ", not synchronised")
        case Message(body=body):
            return str(body)
        case DeviceHealth(ok=ok, reason=reason):
            return "well" if ok else reason


def plotted(value: Quantity) -> float | None:
    """The one number of a value that is worth a line over time; None where it has none."""
    match value:
        case RadarReport(detections=found):
            return found[0].distance_mm / 1000 if found else None
        case SpeedReport(speed_mm_s=speed):
            return speed / 1000
        case PositionReport(positions=found):
            return float(found[0].y_mm) if found else None
        case Presence(moving_mm=moving, still_mm=still):
            near = [mm for mm in (moving, still) if mm is not None]
            return float(min(near)) if near else None
        case Range(distance_mm=distance):
            return None if distance is None else float(distance)
        case Climate(temperature_mdegc=mdegc):
            return None if mdegc is None else mdegc / 1000
        case Illuminance(illuminance_mlux=mlux):
            return mlux / 1000
        case PowerReading():
            known = next((v for v in (value.power_mw, value.current_ma, value.voltage_mv) if v is not None), None)
            return None if known is None else known / 1000
        case LampStatus(level=level):
            return None if level is None else float(level)
        case SignalState(phases=phases):
            likely = phases[0].likely_ms if phases else None
            return None if likely is None else likely / 1000
        case _:
            return None


def sparkline(numbers: list[float], width: int = 32) -> str:
    """The last `width` numbers as bars between their least and their greatest: ``▁▃▅█``."""
    shown = numbers[-width:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join("▁▂▃▄▅▆▇█"[min(7, int((number - low) / span * 8))] for number in shown)


def _speed(speed_mm_s: int) -> str:
    way = "coming" if speed_mm_s > 0 else "going" if speed_mm_s < 0 else "standing"
    return f"{abs(speed_mm_s) * 36 / 10_000:.1f} km/h {way}"


def _joined(*parts: tuple[int | None, int, str, str]) -> str:
    said = [f"{number / scale:{shape}} {unit}" for number, scale, shape, unit in parts if number is not None]
    return ", ".join(said) or "nothing measured"
