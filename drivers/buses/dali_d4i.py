"""What D4i gear knows of itself: energy (DiiA 252, banks 202 to 204) and diagnostics (DiiA 253, banks 205 and 206).

The banks, their values and how they are read are python-dali's (`dali.memory`, LGPL): import this module late. It takes
27 ms on a desktop.
"""

from __future__ import annotations

from typing import Any, Final

from dali.exceptions import MemoryLocationNotImplemented  # type: ignore[import-untyped]
from dali.memory.diagnostics import BANK_205, BANK_206  # type: ignore[import-untyped]
from dali.memory.energy import BANK_202  # type: ignore[import-untyped]
from dali.memory.location import FlagValue  # type: ignore[import-untyped]

from drivers.buses.dali_procedures import Procedure, ProcedureFailed
from drivers.buses.dali_sequences import Steps, sequence


def _bank(bank: Any, short_address: int) -> Steps:
    """All values of a bank at one moment, by the name of python-dali's class; None: the gear has no such bank.

    Latched while it is read. python-dali's own latching in `read_all` forgets that reading ends the permission to
    write, so strict gear would stay latched.
    """
    yield from sequence(bank.latch(short_address))
    try:
        values = yield from sequence(bank.read_all(short_address, use_latch=False))
    except ProcedureFailed as failed:
        if isinstance(failed.__cause__, MemoryLocationNotImplemented):
            return None
        raise
    yield from sequence(bank.unlatch(short_address))
    return {value.name: found for value, found in values.items()}


def _scaled(values: dict[str, Any], name: str, factor: int = 1) -> int | None:
    """A value as a whole number of the smaller unit, rounded down; None for MASK, TMASK and what is not there."""
    value = values.get(name)
    return None if value is None or isinstance(value, FlagValue) else int(value * factor)


def read_energy(short_address: int) -> Procedure:
    """Active energy since the gear's own zero and active power: ``{"energy_mwh": 1234567, "power_mw": 41300}``.

    Bank 202. None for what the gear cannot say now; None instead of all where it has no such bank or does not answer.
    """
    values = yield from _bank(BANK_202, short_address)
    if values is None:
        return None
    return {
        "energy_mwh": _scaled(values, "ActiveEnergy", 1000),
        "power_mw": _scaled(values, "ActivePower", 1000),
    }


_GEAR: Final = {
    "gear_operating_s": ("ControlGearOperatingTime", 1),
    "gear_starts": ("ControlGearStartCounter", 1),
    "supply_mv": ("ControlGearExternalSupplyVoltage", 1000),
    "supply_hz": ("ControlGearExternalSupplyVoltageFrequency", 1),
    "power_factor_pct": ("ControlGearPowerFactor", 100),
    "gear_failure": ("ControlGearOverallFailureCondition", 1),
    "gear_failures": ("ControlGearOverallFailureConditionCounter", 1),
    "supply_undervoltage": ("ControlGearExternalSupplyUndervoltage", 1),
    "supply_overvoltage": ("ControlGearExternalSupplyOvervoltage", 1),
    "power_limited": ("ControlGearOutputPowerLimitation", 1),
    "thermal_derating": ("ControlGearThermalDerating", 1),
    "thermal_shutdown": ("ControlGearThermalShutdown", 1),
    "gear_degc": ("ControlGearTemperature", 1),
    "output_current_pct": ("ControlGearOutputCurrentPercent", 1),
}
_LAMP: Final = {
    "lamp_starts": ("LightSourceStartCounter", 1),
    "lamp_on_s": ("LightSourceOnTime", 1),
    "lamp_mv": ("LightSourceVoltage", 1000),
    "lamp_ma": ("LightSourceCurrent", 1000),
    "lamp_failure": ("LightSourceOverallFailureCondition", 1),
    "lamp_failures": ("LightSourceOverallFailureConditionCounter", 1),
    "lamp_short_circuit": ("LightSourceShortCircuit", 1),
    "lamp_open_circuit": ("LightSourceOpenCircuit", 1),
    "lamp_degc": ("LightSourceTemperature", 1),
}


def read_diagnostics(short_address: int) -> Procedure:
    """What banks 205 (gear) and 206 (lamp) say, e.g. ``{"gear_operating_s": 86400, "supply_mv": 230100, …}``.

    Flags are 0 or 1; counters and times count up from the factory. None for what the gear cannot say; None instead of
    all where it has neither bank or does not answer.
    """
    gear = yield from _bank(BANK_205, short_address)
    lamp = yield from _bank(BANK_206, short_address)
    if gear is None and lamp is None:
        return None
    return {
        **{key: _scaled(gear or {}, name, factor) for key, (name, factor) in _GEAR.items()},
        **{key: _scaled(lamp or {}, name, factor) for key, (name, factor) in _LAMP.items()},
    }
