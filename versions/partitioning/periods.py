"""Decide where periods begin, and how a bound is written and read. No database here."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Final, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError

KeyKind = Literal["timestamptz", "timestamp", "date", "bigint", "uuid"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_BOUND: Final = re.compile(r"FOR VALUES FROM \((?P<since>.*)\) TO \((?P<until>.*)\)")


class Period(str, Enum):
    """How long the span of one partition is; each begins at midnight UTC, a week on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"

    @property
    def margin(self) -> timedelta:
        """How far ahead the first bound has to be, so that a conversion is over before rows reach it."""
        return timedelta(hours=6) if self is Period.DAY else timedelta(days=1)

    def start_of(self, moment: datetime) -> datetime:
        """Return the beginning of the period that *moment* is in, in UTC."""
        day = moment.astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
        if self is Period.WEEK:
            return day - timedelta(days=day.weekday())
        if self is Period.MONTH:
            return day.replace(day=1)
        if self is Period.QUARTER:
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        return day.replace(month=1, day=1) if self is Period.YEAR else day

    def after(self, start: datetime) -> datetime:
        """Return the beginning of the period after the one that begins at *start*."""
        longest = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[self.value]
        return self.start_of(start + timedelta(days=longest))

    def before(self, start: datetime) -> datetime:
        """Return the beginning of the period before the one that begins at *start*."""
        return self.start_of(start - timedelta(microseconds=1))

    def starts(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the beginnings from *since* on that are before *until*."""
        while since < until:
            yield since
            since = self.after(since)

    def suffix(self, start: datetime) -> str:
        """Return how the name of a partition that begins at *start* ends."""
        if self in {Period.DAY, Period.WEEK}:
            return f"p{start:%Y_%m_%d}"
        if self is Period.QUARTER:
            return f"p{start:%Y}_q{(start.month + 2) // 3}"
        return f"p{start:%Y}" if self is Period.YEAR else f"p{start:%Y_%m}"


@dataclass(frozen=True)
class Span:
    """From one bound, included, to another, left out; None is the open end."""

    since: datetime | None
    until: datetime | None


def first_bound(period: Period, now: datetime) -> datetime:
    """Return where the old rows end when a table is converted *now*."""
    return period.after(period.start_of(now + period.margin))


def literal(kind: KeyKind, moment: datetime) -> str:
    """Return *moment* as the text of a value of the key.

    A bigint counts milliseconds since 1970, and the UUIDs are of version 7, which begin with the same number.
    """
    if kind == "bigint":
        return str(_milliseconds(moment))
    if kind == "uuid":
        return str(uuid.UUID(int=_milliseconds(moment) << 80))
    if kind == "date":
        return f"{moment:%Y-%m-%d}"
    return f"{moment:%Y-%m-%d %H:%M:%S}" + ("+00" if kind == "timestamptz" else "")


def moment_of(kind: KeyKind, text: str) -> datetime:
    """Return the moment that a bound *text* of the key means; the server wrote it in UTC."""
    if kind == "bigint":
        return _EPOCH + timedelta(milliseconds=int(text))
    if kind == "uuid":
        return _EPOCH + timedelta(milliseconds=uuid.UUID(text).int >> 80)
    return datetime.fromisoformat(text.removesuffix("+00")).replace(tzinfo=timezone.utc)


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def span_of(kind: KeyKind, bound: str) -> Span | None:
    """Return the span of a bound as the server writes it, in UTC; None where it is of another kind."""
    found = _BOUND.fullmatch(bound)
    if found is None:
        return None
    try:
        return Span(_end_of(kind, found["since"]), _end_of(kind, found["until"]))
    except (ValueError, OverflowError):
        return None


def _end_of(kind: KeyKind, text: str) -> datetime | None:
    return None if text in {"MINVALUE", "MAXVALUE"} else moment_of(kind, text.strip("'"))


def kind_of(type_name: str) -> KeyKind:
    """Return what kind of key a column of this type is.

    Raises:
        TableError: no period can be told from it.
    """
    kinds: dict[str, KeyKind] = {
        "timestamp with time zone": "timestamptz",
        "timestamp without time zone": "timestamp",
        "date": "date",
        "bigint": "bigint",
        "uuid": "uuid",
    }
    if type_name not in kinds:
        raise TableError(
            f'a key of type "{type_name}" has no periods',
            hint="choose a timestamptz, timestamp, date, bigint (milliseconds) or uuid (version 7)",
        )
    return kinds[type_name]
