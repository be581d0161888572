"""Draw bars, lines and runs as SVG, to stand in a page of HTML. No library, no script, no network."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from xml.etree.ElementTree import Element

from spotify_ai_agent_migrations.versions.governance.markup import element
from spotify_ai_agent_migrations.versions.health_check.finding import Measured, State
from spotify_ai_agent_migrations.versions.health_check.outputs.numbers import axis, moment, shown

Point = tuple[datetime, float]
_BAR: Final = (240, 12)
_LINE: Final = (320, 110)
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 6, 8, 18
_RUN_MOST: Final = 12
_ROW: Final = 900


def headroom(one: Measured) -> Element:
    """Draw how far *one* is, with a mark at each of its limits."""
    width, height = _BAR
    whole = _whole(one)
    limits = ((one.warning, State.WARNING), (one.critical, State.CRITICAL))
    marks = [
        _mark(state, (across, 0), (across, height))
        for limit, state in limits
        if limit is not None
        for across in [_across(limit, whole, width)]
    ]
    return _picture(
        _BAR,
        f"{shown(one.measure, one.unit)}, {one.state.value}",
        element("rect", width=width, height=height, rx=2, class_="track"),
        element(
            "rect", width=max(1.0, _across(one.measure, whole, width)), height=height, rx=2,
            class_=f"fill {one.state.value}",
        ),
        *marks,
    )  # fmt: skip


def amount(value: float, most: float, label: str) -> Element:
    """Draw *value* beside the *most* there is."""
    width, height = _BAR
    return _picture(
        _BAR,
        label,
        element(
            "rect", width=max(1.0, _across(value, most, width)), height=height, rx=2, class_="fill plain"
        ),
    )


def line(
    points: Sequence[Point], *, unit: str, state: State, limits: Sequence[tuple[State, float]]
) -> Element:
    """Draw *points* over time, and the *limits* where they are near enough to be in the picture."""
    width, height = _LINE
    low, high = _range([value for _, value in points], [limit for _, limit in limits])
    start, spread = points[0][0], max(1.0, (points[-1][0] - points[0][0]).total_seconds())

    def place(at: datetime, value: float) -> tuple[float, float]:
        x = _LEFT + (at - start).total_seconds() / spread * (width - _LEFT - _RIGHT)
        return x, _down(value, low, high)

    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(at, value) for at, value in points))
    x, y = place(*points[-1])
    marks = [
        _mark(mark, (_LEFT, down), (width - _RIGHT, down))
        for mark, limit in limits
        if low <= limit <= high
        for down in [_down(limit, low, high)]
    ]
    return _picture(
        _LINE,
        f"from {shown(points[0][1], unit)} on {moment(points[0][0])} to {shown(points[-1][1], unit)}",
        *marks,
        element("polyline", points=drawn, class_=f"line {state.value}"),
        element("circle", cx=x, cy=y, r=3, class_=f"fill {state.value}"),
        _word(axis(high, unit), _LEFT - 4, _TOP + 4, "end"),
        _word(axis(low, unit), _LEFT - 4, height - _BOTTOM + 3, "end"),
        _word(f"{points[0][0]:%Y-%m-%d %H:%M}", _LEFT, height - 5, "start"),
        _word(f"{points[-1][0]:%Y-%m-%d %H:%M}", width - _RIGHT, height - 5, "end"),
    )


def runs(states: Sequence[tuple[datetime, State]]) -> Element:
    """Draw how each run ended, the oldest first, all as wide."""
    wide = min(float(_RUN_MOST), _ROW / max(1, len(states)))
    drawn = max(0.5, wide - (1 if wide > 3 else 0))
    cells = (
        element(
            "rect",
            element("title", f"{moment(at)}: {state.value}"),
            x=place * wide,
            width=drawn,
            height=16,
            class_=f"fill {state.value}",
        )
        for place, (at, state) in enumerate(states)
    )
    return _picture((_ROW, 16), f"how the last {len(states)} runs ended", *cells)


def _picture(size: tuple[int, int], label: str, *children: Element) -> Element:
    width, height = size
    return element(
        "svg", element("title", label), *children, viewBox=f"0 0 {width} {height}", role="img",
        width=width, height=height, aria_label=label,
    )  # fmt: skip


def _mark(state: State, start: tuple[float, float], end: tuple[float, float]) -> Element:
    (x1, y1), (x2, y2) = start, end
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=f"mark {state.value}")


def _word(text: str, x: float, y: float, anchor: str) -> Element:
    return element("text", text, x=x, y=y, text_anchor=anchor)


def _whole(one: Measured) -> float:
    """Return what the whole width stands for: all of it where it is a share, else past its last limit."""
    limits = [limit for limit in (one.warning, one.critical) if limit is not None]
    if one.unit.startswith("of the "):
        return max(1.0, one.measure)
    return max([*(1.25 * limit for limit in limits), 1e-9] + ([] if one.falling else [one.measure]))


def _across(value: float, whole: float, width: float) -> float:
    return min(1.0, max(0.0, value / whole)) * width if whole > 0 else 0.0


def _down(value: float, low: float, high: float) -> float:
    height = _LINE[1] - _TOP - _BOTTOM
    return _TOP + (1 - (value - low) / (high - low)) * height


def _range(values: Sequence[float], limits: Sequence[float]) -> tuple[float, float]:
    """Return the lowest and the highest that is drawn; a limit is where the numbers come near to it."""
    low, high = min(values), max(values)
    reach = (high - low) or abs(high) or 1.0
    near = [limit for limit in limits if low - reach <= limit <= high + reach]
    low, high = min(low, *near, high), max(high, *near, low)
    return (low, high) if high > low else (low - reach / 2, high + reach / 2)
