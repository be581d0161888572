"""Make the elements of a page, and say numbers as people do. Text that is put in comes out as text only."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Final
from xml.etree.ElementTree import Element, tostring

from spotify_ai_agent_migrations.versions.governance.finding import visible

Child = Element | str
_SIZES: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")
_LARGE: Final = ((1e9, "billion"), (1e6, "million"))
_SPANS: Final = (("days", 86_400), ("h", 3_600), ("min", 60))


def element(tag: str, *children: Child | None, **attributes: str | float) -> Element:
    """Return an element with *children*; None among them is none, `_` at the end of a name is dropped.

    What no page can carry, or would turn what follows it around, is written as an escape.
    """
    made = Element(tag, {name.rstrip("_").replace("_", "-"): _said(it) for name, it in attributes.items()})
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif child is not None and len(made):
            made[-1].tail = (made[-1].tail or "") + _visible(child)
        elif child is not None:
            made.text = (made.text or "") + _visible(child)
    return made


def page(root: Element) -> str:
    """Return *root* as a page of HTML 5."""
    return "<!DOCTYPE html>\n" + tostring(root, encoding="unicode", method="html") + "\n"


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


def _said(value: str | float) -> str:
    return _visible(value) if isinstance(value, str) else f"{value:.6g}"


def _visible(text: str) -> str:
    return "\n".join(map(visible, text.split("\n")))


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
