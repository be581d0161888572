"""What becomes of a number if it goes on as it did: days left, growth, slower statements. No database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import Check, Row
from spotify_ai_agent_migrations.versions.health_check.finding import State, Subject
from spotify_ai_agent_migrations.versions.health_check.past import Past

Point = tuple[datetime, float]
Points = Mapping[Subject, Sequence[Point]]
# A rate of less than that is the rate of a moment, and of more that of another time.
LEAST: Final = timedelta(hours=6)
_MOST: Final = timedelta(days=14)
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
COUNTED_SINCE: Final = Subject("counted since")


def trended(check: Check, rows: Sequence[Row], past: Iterable[Past], *, now: datetime) -> list[Row] | None:
    """Return what becomes of *rows*; None where nothing that was measured before is old enough to tell.

    What is unknown stays so. *past* is what the check that is followed measured of the same database.
    """
    points = points_of(rows, past, now=now)
    counted = [row for row in rows if row.measure is not None]
    if counted and not any(_span(points[_subject(row)]) >= LEAST for row in counted):
        return None
    unknown = [row for row in rows if row.state == State.UNKNOWN.value]
    return unknown + _TRENDS[check.id](check, counted, points)


def points_of(rows: Iterable[Row], past: Iterable[Past], *, now: datetime) -> Points:
    """Return when each subject of *rows* measured how much in the last days, now last."""
    points: defaultdict[Subject, list[Point]] = defaultdict(list)
    for one in sorted(past, key=lambda one: one.taken_at):
        if one.measure is not None and now - _MOST <= one.taken_at < now:
            points[one.subject].append((one.taken_at, one.measure))
    for row in rows:
        if row.measure is not None:
            points[_subject(row)].append((now, row.measure))
    return points


def since_reset(points: Sequence[Point]) -> Sequence[Point]:
    """Return the *points* since the last that was less than the one before: a counter began anew there."""
    first = max(
        (place for place in range(1, len(points)) if points[place][1] < points[place - 1][1]), default=0
    )
    return points[first:]


def slope(points: Sequence[Point]) -> float:
    """Return by how much the line nearest to *points* rises a day."""
    days = [(at - points[0][0]) / _DAY for at, _ in points]
    middle = sum(days) / len(days)
    spread = sum((day - middle) ** 2 for day in days)
    if not spread:
        return 0.0
    return sum((day - middle) * value for day, (_, value) in zip(days, points, strict=True)) / spread


def _days_left(check: Check, rows: Sequence[Row], points: Points) -> list[Row]:
    """Say in how many days what has come near its end is there; what shrinks, or stands, never is."""
    full, least = float(str(check.settings["full"])), float(str(check.settings.get("least", 0)))
    found = []
    for row in rows:
        seen = points[_subject(row)]
        if check.settings.get("is_counter"):
            seen = since_reset(seen)
        rate = slope(seen) if _span(seen) >= LEAST else 0.0
        if rate > 0 and row.measure is not None and row.measure >= least:
            days = max(0.0, (full - row.measure) / rate)
            found.append(_said(row, days, seen, days=_shown(days)))
    return found


def _growth(check: Check, rows: Sequence[Row], points: Points) -> list[Row]:
    """Say which databases grow fast; it may be meant, so that it is no warning."""
    found = []
    for row in rows:
        seen = points[_subject(row)]
        bytes_a_day = slope(seen) if _span(seen) >= LEAST else 0.0
        if seen[0][1] and bytes_a_day >= float(str(check.settings["least_bytes"])):
            share = bytes_a_day / seen[0][1]
            state = State.INFO if check.warning is not None and share >= check.warning else State.OK
            found.append(replace(_said(row, share, seen, percent=round(100 * share)), state=state.value))
    return found


def _regressions(check: Check, rows: Sequence[Row], points: Points) -> list[Row]:
    """Say which statements take longer since an earlier run than they did before it."""
    began = _began(points.get(COUNTED_SINCE, ()))
    found = []
    for row in rows:
        if row.kind == "calls":
            calls = since_reset([one for one in points[_subject(row)] if one[0] >= began])
            took = dict(points.get(Subject("milliseconds", None, row.name), ()))
            slower = _slower(check, row, calls, took)
            found += [slower] if slower is not None else []
    return found


def _began(counted_since: Sequence[Point]) -> datetime:
    """Return the first run that read the counters of this one: not reset since, nor another server's."""
    began = datetime.max.replace(tzinfo=timezone.utc)
    for at, since in reversed(counted_since):
        if since != counted_since[-1][1]:
            break
        began = at
    return began


def _slower(check: Check, row: Row, calls: Sequence[Point], took: Mapping[datetime, float]) -> Row | None:
    least_calls, least_ms = (float(str(check.settings[name])) for name in ("least_calls", "least_ms"))
    calls = [one for one in calls if one[0] in took]
    earlier = [one for one in calls if calls[-1][1] - one[1] >= least_calls]
    if not earlier or earlier[-1][1] - earlier[0][1] < least_calls:
        return None
    now_ms = _each(earlier[-1], calls[-1], took)
    before_ms = _each(earlier[0], earlier[-1], took)
    if before_ms <= 0 or now_ms - before_ms < least_ms or now_ms < before_ms * (check.warning or 1):
        return None
    said = {"now_ms": round(now_ms, 1), "before_ms": round(before_ms, 1)}
    one = _said(row, now_ms / before_ms, [earlier[-1], calls[-1]], **said)
    return replace(one, kind="statement", state=State.INFO.value)


def _each(first: Point, last: Point, took: Mapping[datetime, float]) -> float:
    return (took[last[0]] - took[first[0]]) / (last[1] - first[1])


def _said(row: Row, measure: float, seen: Sequence[Point], **more: object) -> Row:
    values = {**row.values, **more, "hours": round(_span(seen) / _HOUR)}
    return replace(row, measure=measure, state=None, values=values)


def _shown(days: float) -> str:
    return f"{days:.1f}" if days < 10 else f"{days:.0f}"


def _span(points: Sequence[Point]) -> timedelta:
    return points[-1][0] - points[0][0] if points else timedelta()


def _subject(row: Row) -> Subject:
    return Subject(row.kind, row.schema, row.name)


_TRENDS: Final[Mapping[str, Callable[[Check, Sequence[Row], Points], list[Row]]]] = MappingProxyType(
    {
        "disk.days_left": _days_left,
        "disk.growth": _growth,
        "mxid.burn_rate": _days_left,
        "query.regression": _regressions,
        "seq.days_left": _days_left,
        "xid.burn_rate": _days_left,
    }
)
