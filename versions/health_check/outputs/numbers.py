"""Say numbers and moments as people do. Pure."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Final

_SIZES: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")
_LARGE: Final = ((1e9, "billion"), (1e6, "million"))
_SPANS: Final = (("days", 86_400), ("h", 3_600), ("min", 60))


def shown(value: float, unit: str) -> str:
    """Return *value* as a person says it: shares as percent, bytes and seconds in what is nearest."""
    if unit.startswith("of ") or unit == "of":
        return f"{_plain(100 * value)} %"
    if unit == "bytes" or unit.startswith("bytes "):
        return _sized(value) + unit.removeprefix("bytes")
    if unit == "seconds":
        return _lasting(value)
    return f"{_plain(value)} {unit}".strip()


def axis(value: float, unit: str) -> str:
    """Return *value* as short as that goes: the unit where it is one of those that are scaled."""
    return shown(value, unit.partition(" ")[0] if unit.startswith(("of ", "bytes", "seconds")) else "")


def moment(at: datetime) -> str:
    """Return *at* to the minute, in UTC."""
    return at.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _sized(value: float) -> str:
    place = 0
    while abs(value) >= 1024 and place < len(_SIZES) - 1:
        value, place = value / 1024, place + 1
    return f"{value:.3g} {_SIZES[place]}" if abs(value) < 1000 else f"{value:.0f} {_SIZES[place]}"


def _lasting(value: float) -> str:
    for name, size in _SPANS:
        if value >= 2 * size:
            return f"{value / size:.3g} {name}"
    return f"{_plain(value)} s"


def _plain(value: float) -> str:
    for size, name in _LARGE:
        if abs(value) >= size:
            return f"{value / size:.3g} {name}"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.01 else "0"
