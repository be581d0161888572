"""The base unit that a measure is written in, where programs read it. No database."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

_BASE: Final = MappingProxyType(
    {
        "milliseconds": ("seconds", 0.001),
        "seconds": ("seconds", 1.0),
        "hours": ("seconds", 3_600.0),
        "days": ("seconds", 86_400.0),
        "bytes": ("bytes", 1.0),
    }
)


def in_base_units(unit: str) -> tuple[str, float]:
    """Return the base unit of *unit* and by what to multiply; a share is a ratio, all else has no unit."""
    if unit.startswith(("of ", "times ")):
        return "ratio", 1.0
    return _BASE.get(unit, ("", 1.0))
