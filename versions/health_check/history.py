"""What of a run is kept, for how long, and since when a thing is found by that. No database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Final

from spotify_ai_agent_migrations.versions.health_check.finding import (
    Finding,
    HealthReport,
    Measured,
    Ran,
    State,
    Subject,
)
from spotify_ai_agent_migrations.versions.health_check.past import Past

RUN: Final = "run"
KEEP_DAYS: Final = 400
# What comes and goes is of no use later, unless something was wrong with it.
_PASSING: Final = frozenset({"session", "table", "index"})
_MOST_OF_A_CHECK: Final = 100
_UNKNOWN: Final = frozenset({State.UNKNOWN, State.SKIPPED})
# All of the last hours, then one an hour, then one a day.
_ALL_FOR: Final = timedelta(hours=6)
_HOURLY_FOR: Final = timedelta(days=7)


def remembered(report: HealthReport, *, now: datetime) -> tuple[Past, ...]:
    """Return what of *report* is kept; nothing of a server that did not say which it is."""
    if not report.database:
        return ()
    answered = " ".join(ran.check for ran in report.checks if ran.state not in _UNKNOWN)
    run = Finding(RUN, report.state, Subject(RUN, None, answered), measure=report.seconds, unit="seconds")
    kept: dict[str, Past] = {}
    for one in (run, *(kept for ran in report.checks for kept in _kept(ran))):
        past = _past(one, report.database, now)
        kept.setdefault(past.fingerprint, past)
    return tuple(kept.values())


def _kept(ran: Ran) -> Iterator[Finding | Measured]:
    """Yield what *ran* found, and what lasts of what it saw: of much, what is nearest to its limits."""
    yield from ran.findings
    lasting = (one for one in ran.measured if one.subject.kind not in _PASSING)
    yield from sorted(lasting, key=_nearness)[:_MOST_OF_A_CHECK]


def _past(one: Finding | Measured, database: str, now: datetime) -> Past:
    mark = Finding(one.check, one.state, one.subject).fingerprint
    return Past(now, one.check, one.subject, one.measure, one.state, mark, database, one.unit)


def _nearness(one: Measured) -> float:
    return one.measure if one.falling else -one.measure


def of_database(history: Iterable[Past], database: str) -> list[Past]:
    """Return what was measured there: not on another cluster, and not before a failover or a restore."""
    return [past for past in history if past.database == database]


def with_first_seen(report: HealthReport, history: Iterable[Past], *, now: datetime) -> HealthReport:
    """Return *report* with the time since when each finding is there without a break.

    A run that did not ask, or was not answered, breaks nothing; nor does a failover.
    """
    known = _Known(history, report.database, now)
    dated = (
        replace(ran, findings=tuple(replace(one, first_seen=known.since(one)) for one in ran.findings))
        for ran in report.checks
    )
    return replace(report, checks=tuple(dated))


class _Known:
    """Which runs asked what, and which found what."""

    def __init__(self, history: Iterable[Past], database: str, now: datetime) -> None:
        name, _, _ = database.rpartition("@")
        self._now = now
        self._answered: dict[datetime, frozenset[str]] = {}
        self._found: defaultdict[str, set[datetime]] = defaultdict(set)
        for past in history:
            if past.database.rpartition("@")[0] != name or past.taken_at >= now:
                continue
            if past.check == RUN:
                self._answered[past.taken_at] = frozenset(past.subject.name.split())
            elif past.state is not State.OK:
                self._found[past.fingerprint].add(past.taken_at)
        self._runs = sorted(self._answered, reverse=True)

    def since(self, one: Finding) -> datetime:
        """Return the first run that found *one* with none since that did not: this one, where it is new."""
        found = self._found.get(one.fingerprint, set())
        since = self._now
        for at in self._runs:
            if at in found:
                since = at
            elif one.check in self._answered[at]:
                break
        return since


def thinned(times: Iterable[datetime], *, now: datetime, keep_days: int = KEEP_DAYS) -> frozenset[datetime]:
    """Return which *times* of runs are kept: the newest all, older ones one an hour, then one a day."""
    kept: dict[str, datetime] = {}
    for at in sorted(times):
        age = now - at
        if age > timedelta(days=keep_days):
            continue
        shape = (
            "%Y-%m-%d" if age > _HOURLY_FOR else "%Y-%m-%d %H" if age > _ALL_FOR else "%Y-%m-%d %H:%M:%S.%f"
        )
        kept.setdefault(at.astimezone(timezone.utc).strftime(shape), at)
    return frozenset(kept.values())
