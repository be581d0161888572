"""Read the period of a report: from one instant, up to another that is no part of it, both in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import PeriodError

_EXAMPLE: Final = "write 2026-11-01, which is its first moment in UTC, or 2026-11-01T08:30:00Z"


@dataclass(frozen=True)
class Period:
    """From `since`, which belongs to it, up to `until`, which does not; both in UTC."""

    since: datetime
    until: datetime

    def __str__(self) -> str:
        return f"{instant(self.since)} to {instant(self.until)}"

    def holds(self, at: str) -> bool:
        """Tell whether *at*, as the journal writes it, belongs to it."""
        found = _known(at)
        return found is not None and self.since <= found < self.until

    def ends_after(self, at: str) -> bool:
        """Tell whether *at* is before its end; what is no moment at all may be."""
        found = _known(at)
        return found is None or found < self.until


def read_period(since: str, until: str | None, *, now: datetime) -> Period:
    """Return the period that two dates or instants make; without *until*, up to *now*.

    What names no zone is UTC.

    Raises:
        PeriodError: one is neither, it holds no moment, it runs backwards, or it is not over yet.
    """
    first = _read(since, "--from")
    last = _read(until, "--to") if until is not None else now.astimezone(timezone.utc)
    if first > now:
        raise PeriodError(f'the period begins at "{instant(first)}", which is still to come', hint=_past(now))
    if last > now:
        raise PeriodError(
            f'the period ends at "{instant(last)}", which is still to come',
            hint=f"leave --to out, or {_past(now)}",
        )
    if last == first:
        raise PeriodError(
            f'the period from "{instant(first)}" to the same moment is empty',
            hint="--to is no part of it: name a later one",
        )
    if last < first:
        raise PeriodError(
            f'the period ends at "{instant(last)}", before it begins at "{instant(first)}"',
            hint="exchange --from and --to",
        )
    return Period(first, last)


def instant(at: datetime) -> str:
    """Return *at* in UTC, with microseconds only where it has some."""
    return at.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def _read(text: str, option: str) -> datetime:
    try:
        return _moment(text.strip())
    except (ValueError, OverflowError):
        raise PeriodError(f'{option} "{text}" is neither a date nor an instant', hint=_EXAMPLE) from None


def _known(at: str | None) -> datetime | None:
    """Return a moment of the journal; None of what was written there by hand and is none, as infinity is."""
    try:
        return _moment(at or "")
    except (ValueError, OverflowError):
        return None


def _moment(text: str) -> datetime:
    # Python 3.10 knows no Z.
    read = datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
    return (read if read.tzinfo else read.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)


def _past(now: datetime) -> str:
    return f'name a moment up to now, which is "{instant(now.replace(microsecond=0))}"'
